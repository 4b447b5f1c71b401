"""From the address of a list to a proposal of its definition."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

from circulate_core import _core
from circulate_core.authoring.proposal import Proposal
from circulate_core.authoring.responses import is_secret
from circulate_core.exceptions import SettingsError
from circulate_core.reading import source

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_VERSION = re.compile(r"v?\d+(\.\d+)*", re.IGNORECASE)
_AUTH_HINT = "give bearer, basic, header:NAME, header:NAME:PREFIX, query:NAME or none"


def propose(  # noqa: PLR0913 - how to sign in, and what is known of the list
    url: str,
    *,
    name: str | None = None,
    auth: str | Sequence[Any] | None = None,
    settings: Mapping[str, str] | _core.Settings | None = None,
    records: str | None = None,
    filter: str | None = None,  # noqa: A002 - as the flag is called
    on_request: Callable[[str], None] | None = None,
) -> Proposal:
    """Look at the address of a list, and propose its definition: each part is tried at the API, as far as it can be.

    Some fifty requests are sent at most, all of them GET, to this address with other values in its query.

    Args:
        url: The address of the list, with the parameters that it needs.
        name: What it is to be called, `source.endpoint`. Default: after the host and the path.
        auth: How requests are signed in: `bearer`, `basic`, `header:NAME`, `header:NAME:PREFIX`, `query:NAME`, `none`;
            or what `auth` of a definition says. Default: `none`.
        settings: Values of the settings that this takes, such as `token`. Those that are left out come from the
            environment, such as `ACME_TOKEN`.
        records: JSON Pointer to the records, if the page has several arrays.
        filter: A parameter that leaves out what is older than a time, to be tried.
        on_request: Called with each address before it is requested.

    Returns:
        The proposal: show it, change its attributes, `test()` it, `save` it.

    Raises:
        SettingsError: The address is none, or a secret is in it.
        DataError: There are no records, or in several places.
        CirculateError: The API refused it, or is out of reach.

    Example:
        ```python
        how = {"auth": "header:Authorization:SSWS", "settings": {"key": "00a..."}}
        proposal = circulate_core.propose("https://acme.okta.com/api/v1/users", **how)
        print(proposal.text)
        proposal.stream.sample(3).records()
        proposal.save("definitions")
        ```
    """
    settings = _core.Settings(settings) if not isinstance(settings, _core.Settings) else settings
    parts = address(url)
    source_name, endpoint = names(parts, name)
    ways = ways_of(auth)
    definition: dict[str, Any] = {
        "title": source_name,
        "base_url": f"{parts.scheme}://{parts.netloc}",
        "auth": ways,
    }
    made = source(source_name, settings=settings, **definition)
    proposal = Proposal(made, endpoint, url, on_request)
    proposal.look(records)
    if filter is not None:
        proposal.try_filter(filter)
    return proposal


def address(url: str) -> SplitResult:
    """Check the address of a list.

    Raises:
        SettingsError: It is none, or has a secret in it, which would be stored with the definition.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        parts, host = urlsplit(""), None
    if parts.scheme not in {"http", "https"} or not host:
        # What is before an `@` may be a password.
        message = f"`{_core.shown(re.sub(r'.*@', '…@', url))}` is not the address of a list"
        raise SettingsError(
            message, hint="give it with its scheme, such as https://api.acme.example/v1/tickets?limit=50"
        )
    if parts.username is not None:
        message = "the address has a user or a password in it, which would stand in the definition"
        raise SettingsError(message, hint="take them out, and give `--auth basic`")
    for name, value in parse_qsl(parts.query):
        if value and is_secret(name):
            message = f"`{_core.shown(name)}` in the address looks like a secret, and would stand in the definition"
            raise SettingsError(message, hint=f"take it out, and give `--auth query:{_core.shown(name)}`")
    if parts.fragment:
        message = f"the address has a fragment, `#{_core.shown(parts.fragment)}`, which no request has"
        raise SettingsError(message, hint="it may be one of a web page, and not of the API")
    return parts


def names(parts: SplitResult, given: str | None) -> tuple[str, str]:
    """Return the names of the source and of the endpoint.

    Raises:
        SettingsError: What is given names none.
    """
    if given is None:
        return _source_name(parts.hostname or ""), _endpoint_name(parts.path)
    source_name, dot, endpoint = given.partition(".")
    if not dot or not _NAME.fullmatch(source_name) or not _NAME.fullmatch(endpoint):
        message = f"`{_core.shown(given)}` does not name a stream"
        hint = "give `source.endpoint`, such as acme.tickets: lower-case letters, digits and `_`"
        raise SettingsError(message, hint=hint)
    return source_name, endpoint


def ways_of(given: str | Sequence[Any] | None) -> list[Any]:
    """Return `auth` of a definition.

    Raises:
        SettingsError: It is none of the ways that have a short form.
    """
    if given is None:
        return ["none"]
    if not isinstance(given, str):
        return list(given)
    kind, _, rest = given.partition(":")
    name, _, prefix = rest.partition(":")
    if given in {"none", "bearer"}:
        return ["none" if given == "none" else {"bearer": "token"}]
    if given == "basic":
        return [{"basic": {"user": "user", "password": "password"}}]
    if kind == "header" and name:
        return [{"header": {"name": name, **({"prefix": f"{prefix} "} if prefix else {}), "secret": "key"}}]
    if kind == "query" and name and not prefix:
        return [{"query": {"name": name, "secret": "key"}}]
    # What is behind the colon may be the secret itself.
    message = f"`{_core.shown(kind)}{':…' if rest else ''}` is not a way to sign in"
    raise SettingsError(message, hint=f"{_AUTH_HINT}; definitions know more ways")


def _source_name(host: str) -> str:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        labels = [label for label in host.split(".") if label not in {"api", "www", "app", "rest"}]
        # Without the public suffix, as far as that is known without a list of them.
        inner = labels[:-1] if len(labels) > 1 else labels
        known = [label for label in inner if label not in {"co", "com", "org", "net", "gov", "ac"}]
        return _snake((known or labels or ["api"])[-1]) or "api"
    return "api"


def _endpoint_name(path: str) -> str:
    segments = [part.rpartition(".")[0] or part for part in path.split("/") if part]
    named = [part for part in segments if not _VERSION.fullmatch(part) and re.search(r"[A-Za-z]", part)]
    return _snake(named[-1]) if named and _snake(named[-1]) else "items"


def _snake(text: str) -> str:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text)
    return re.sub(r"^[^a-z]+", "", re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_"))[:60]
