"""Accounts: what is given and what is found of one, as the engine takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circulate_core import _core
from circulate_core.catalogs import catalog_of
from circulate_core.exceptions import SettingsError

if TYPE_CHECKING:
    from circulate_core.types import Catalog, Headroom, SourceDefinition


def account_of(  # noqa: PLR0913 - each is a different thing, given once
    source: SourceDefinition | None,
    settings: _core.Settings,
    *,
    catalog: Catalog,
    profile: str | None = None,
    secret: str | None = None,
    account: str | None = None,
    headroom: Headroom | None = None,
) -> _core.Account:
    """Return an account, with its settings.

    Args:
        source: The source whose settings are looked for in the environment and in `circulate.toml` if they are not
            given; None if that was done.
        settings: The settings that are given.
        catalog: Folders of definitions, or definitions.
        profile: Its profile in `circulate.toml`, if it has one.
        secret: Name of the stored secret that holds others.
        account: Its name.
        headroom: Share of its quota to leave to others, if it is given.
    """
    if source is None and profile is not None:
        message = "`profile` is given beside settings that are complete: those of a source, which has its own profile"
        raise SettingsError(message, operation="read options", hint="give it to `circulate_core.source`")
    if source is not None:
        from circulate_core.settings import gathered  # noqa: PLC0415 - what reads files is loaded when it is needed

        found = gathered(
            source, settings, profile=profile, secret=secret, account=account, catalog=catalog, headroom=headroom
        )
        settings, secret, account, headroom = found.settings, found.secret, found.account, found.headroom
    return _core.Account(catalog_of(catalog), settings, secret, account, {"headroom": headroom})
