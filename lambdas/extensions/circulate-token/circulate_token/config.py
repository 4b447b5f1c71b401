"""What the extension is set up with: the environment of the function, which it sees too."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from circulate_core import _core
from circulate_core.catalogs import SHIPPED_CATALOG
from circulate_core.exceptions import CirculateError
from circulate_token.trouble import CONFIG_INVALID, Trouble

PREFIX = "circulate_token_"
"""What our variables begin with."""
EARLIER, EARLIER_SOURCE = "okta_token_", "okta"
"""What they began with when there was no other source."""
CODE = Path("/var/task")
"""Where the code of the function is, with the catalogs that are packaged with it."""
OAUTH = "oauth2"
WAYS = frozenset({OAUTH, "session"})
"""The ways to sign in that get tokens."""
OF_ANY_PROCESS = frozenset({"home", "lang", "logname", "path", "pwd", "shell", "term", "tz", "user"})
"""Variables that a process has anyway. In capitals they say nothing about settings that are called alike."""
_PROFILE = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True)
class Profile:
    """One client whose tokens are kept.

    Attributes:
        name: Names the token file.
        source: The source whose tokens they are.
        catalog: Where that is defined.
        settings: Settings of the engine.
        names: What the variables are called that the settings come from, or would come from.
        secret: Name or ARN of a secret in Secrets Manager with those that are not given.
        scopes: What tokens are for.
    """

    name: str
    source: str
    catalog: _core.Catalog
    settings: _core.Settings
    names: dict[str, str]
    secret: str | None
    scopes: tuple[str, ...]


@dataclass(frozen=True)
class Config:
    """Everything.

    Attributes:
        profiles: The clients.
        snapshot: Whether this environment is going to be a snapshot (SnapStart).
    """

    profiles: tuple[Profile, ...]
    snapshot: bool

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "Config":
        """Read it. Every variable may be written in capitals.

        Raises:
            Trouble: Something is missing or wrong.
        """
        variables = Variables(environment)
        names = [name.strip() for name in variables.ours("profiles").split(",") if name.strip()]
        for name in names:
            if not _PROFILE.fullmatch(name):
                raise Trouble(
                    CONFIG_INVALID, f"`{name}` can't name a profile: use letters, digits, - and _, at most 64"
                )
        suffixes = {name: "_" + name.replace("-", "_").lower() for name in names}
        if len(set(suffixes.values())) < len(names):
            raise Trouble(CONFIG_INVALID, f"two of the profiles {', '.join(names)} have the same variables")
        profiles = [_profile(name, suffix, variables) for name, suffix in suffixes.items()]
        return cls(
            profiles=tuple(profiles) or (_profile("default", "", variables),),
            snapshot=variables.get("aws_lambda_initialization_type") == "snap-start",
        )


def fails_open(environment: Mapping[str, str]) -> bool:
    """Return whether the function starts without a token, to try again when events come."""
    return Variables(environment).ours("fail_open").lower() in {"1", "true", "yes"}


class Variables:
    """Variables of the environment that say something, whatever their case.

    Args:
        environment: All variables.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        given = {name: value for name, value in environment.items() if value.strip()}
        self._given = {name.lower(): value for name, value in given.items() if name.lower() not in OF_ANY_PROCESS}
        self._given |= {name: given[name] for name in OF_ANY_PROCESS & given.keys()}

    def get(self, name: str) -> str | None:
        """Return the value of a variable."""
        return self._given.get(name.lower())

    def ours(self, name: str) -> str:
        """Return the value of a variable of the extension; nothing, if it has none."""
        return self.get(PREFIX + name) or self.get(EARLIER + name) or ""

    def are_earlier(self) -> bool:
        """Return whether it is configured as when Okta was the only source, or by the token URL of that."""
        return any(name.startswith(EARLIER) for name in self._given)


def _profile(name: str, suffix: str, variables: Variables) -> Profile:
    source = variables.ours(f"source{suffix}") or variables.ours("source")
    if not source and variables.are_earlier():
        source = EARLIER_SOURCE
    if not source:
        what = f"{PREFIX}source{suffix} is not set: it names the source whose tokens are to be got, such as okta"
        raise Trouble(CONFIG_INVALID, what)
    catalog = _catalog(variables)
    try:
        definition = catalog.source(source)
    except CirculateError as wrong:
        raise Trouble(CONFIG_INVALID, f"{wrong} ({wrong.hint})" if wrong.hint else str(wrong)) from None
    if not any(map(_is_ours, definition["auth"])):
        what = f"{source} signs in by none of {', '.join(sorted(WAYS))}: there are no tokens to get"
        raise Trouble(CONFIG_INVALID, what)
    names = dict(_variables(definition, suffix, variables))
    found = {setting: value for setting, name in names.items() if (value := variables.get(name)) is not None}
    secret = variables.ours(f"secret{suffix}") or None
    if secret:
        names |= {setting: f"`{setting}` in the secret {secret}" for setting in names if setting not in found}
    elif not found:
        what = f"{PREFIX}secret{suffix}, the name of a secret in Secrets Manager, is not set"
        raise Trouble(CONFIG_INVALID, f"{what}, and none of {', '.join(sorted(names.values()))}")
    else:
        found |= _address(definition, found)
    scopes = tuple(variables.ours(f"scopes{suffix}").replace(",", " ").split())
    # Who logs in needs none.
    is_oauth = all(OAUTH in way for way in definition["auth"] if _is_ours(way))
    if not scopes and is_oauth and (known := _scopes(catalog, source)):
        what = f"{PREFIX}scopes{suffix} is not set: {source} issues no token without scopes, such as {known[0]}"
        raise Trouble(CONFIG_INVALID, what)
    return Profile(name, source, catalog, _core.Settings(found), names, secret, scopes)


def _catalog(variables: Variables) -> _core.Catalog:
    """Return the catalog: folders below the code that a variable names, else all that are packaged there."""
    named = [name for name in (variables.get("circulate_catalog") or "").split(os.pathsep) if name]
    packaged = sorted({file.parents[1] for file in CODE.glob("*/*/source.yaml")})
    folders = [CODE / name for name in named] if named else packaged
    try:
        return _core.Catalog([*folders, SHIPPED_CATALOG])
    except CirculateError as wrong:
        raise Trouble(CONFIG_INVALID, str(wrong)) from None


def _variables(definition: Mapping[str, Any], suffix: str, variables: Variables) -> Iterator[tuple[str, str]]:
    """Yield settings, each with its variable: what the definition calls that, or as the setting is called itself.

    What other ways to sign in need is none of ours, such as the profile by which the function reads its token.
    """
    others = {text for way in definition["auth"] if not _is_ours(way) for text in _texts(way)}
    for name, setting in definition["settings"].items():
        if name not in others:
            declared, own = f"{setting['env'].lower()}{suffix}", f"{name}{suffix}"
            yield name, own if variables.get(declared) is None and variables.get(own) is not None else declared


def _is_ours(way: object) -> bool:
    return isinstance(way, Mapping) and not WAYS.isdisjoint(way)


def _texts(part: object) -> Iterator[str]:
    """Yield all texts in a part of a definition."""
    if isinstance(part, str):
        yield part
    elif isinstance(part, Mapping):
        for each in part.values():
            yield from _texts(each)
    elif isinstance(part, list):
        for each in part:
            yield from _texts(each)


def _address(definition: Mapping[str, Any], found: Mapping[str, str]) -> dict[str, str]:
    """Return the address of the API where only that of its token endpoint is given, and they are on one host."""
    base = re.fullmatch(r"\{(\w+)\}", str(definition["base_url"]))
    if base is None or base[1] in found or "token_url" not in found:
        return {}
    url = urlsplit(found["token_url"])
    return {base[1]: f"{url.scheme}://{url.netloc}"}


def _scopes(catalog: _core.Catalog, source: str) -> list[str]:
    """Return the scopes that streams of a source need."""
    names = [name for name in catalog.streams() if name.startswith(f"{source}.")]
    return sorted({scope for name in names for scope in catalog.stream(name)["endpoint"].get("scopes") or []})
