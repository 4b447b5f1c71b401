"""Checks of a source: are its address and credentials right?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from circulate_core import _core
from circulate_core.accounts import account_of
from circulate_core.catalogs import source_definition

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from circulate_core.results import Checked
    from circulate_core.types import Catalog, Headroom


def check(  # noqa: PLR0913 - how to know an account, and what to check
    source: str,
    *,
    streams: Sequence[str] = (),
    settings: Mapping[str, str] | _core.Settings | None = None,
    profile: str | None = None,
    secret: str | None = None,
    account: str | None = None,
    headroom: Headroom | None = None,
    catalog: Catalog = (),
) -> Checked:
    """Check address and credentials of a source with one request.

    Args:
        source: Name of the source, such as `okta`.
        streams: Streams of it that are to be pulled, such as `okta.users`: an account that signs in by OAuth gets an
            access token with the scopes that they need. Default: with the scopes of the check itself.
        settings: Settings of the source by name. Those that are not given come from the environment and from
            `circulate.toml`, as for `source`.
        profile: Profile of the source in `circulate.toml`, `[okta.profiles.NAME]`, whose settings are taken instead of
            the environment's.
        secret: Name or ARN of a secret in AWS Secrets Manager with the settings that are not given.
        account: Name of the account. Default: the host of its address.
        headroom: Share of the API's quota to leave to others, as for `pull`.
        catalog: Folders of definitions that come before the shipped ones.

    Returns:
        What the check found: account, seconds, scopes, quota, server time.

    Raises:
        CirculateError: What is wrong and what to do about it.
    """
    # First of all, so that no traceback with its locals shows one.
    is_complete = isinstance(settings, _core.Settings)
    settings = _core.Settings(settings)
    definition = None if is_complete else source_definition(source, catalog=catalog)
    known = account_of(
        definition, settings, catalog=catalog, profile=profile, secret=secret, account=account, headroom=headroom
    )
    return _core.check(source, list(streams), known)
