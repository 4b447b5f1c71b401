"""Settings of a source: given in code or by flag, else from the environment, else from a config file.

Secrets never come from a flag, and never go to an address that a file in the working folder names, unless they come
from that file too.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from circulate_core.exceptions import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from circulate_core.types import SourceDefinition

CONFIG_NAME = "circulate.toml"
PLACEHOLDER = re.compile(r"\{([a-z0-9_]+)\}")


@dataclass(frozen=True)
class Value:
    """One setting and where it came from."""

    text: str
    origin: str
    found: bool = False
    """Whether it comes from a file in the working folder that nobody named: others may have put it there."""


@dataclass(frozen=True)
class Configured:
    """What is configured for one source."""

    values: dict[str, Value]
    secret: Value | None
    """Name of the stored secret that holds the rest."""
    account: str | None

    def texts(self) -> dict[str, str]:
        """Return the settings as the engine takes them."""
        return {name: value.text for name, value in self.values.items()}


def configured(  # noqa: PLR0913 - each is a different thing, given once
    source: SourceDefinition,
    *,
    warn: Callable[[str], object],
    flags: Sequence[str] = (),
    given: Mapping[str, str] | None = None,
    config: Path | None = None,
    secret: str | None = None,
    account: str | None = None,
) -> Configured:
    """Gather the settings of a source.

    Args:
        source: Its definition.
        warn: Called with what somebody should know.
        flags: `KEY=VALUE` texts of `--set`.
        given: Settings that are given in code; they come first.
        config: A config file; by default `circulate.toml` in this folder, else in the user's config folder. Secrets
            from elsewhere do not go to an address from the one in this folder, unless it is named here.
        secret: Name of a stored secret given by flag or in code.
        account: Name of the account given by flag or in code.

    Raises:
        SettingsError: A flag or the config file is wrong, or would send a secret astray.
    """
    name = source["source"]
    path = config or _find_config()
    found = config is None and path == Path(CONFIG_NAME)
    section = _section(path, name, warn) if path else {}
    named = section.pop("account", None)
    stored = _stored_secret(name, secret, section.pop("secret", None), path)
    known = source["settings"]
    _refuse_unknown(section, source, f"in {path}")
    values = {key: Value(text, f"from {path}", found=found) for key, text in section.items()}
    for key, setting in known.items():
        if text := os.environ.get(setting["env"]):
            values[key] = Value(text, f"from {setting['env']}")
    values |= _from_flags(flags, source)
    _refuse_unknown(given or {}, source, "given")
    values |= {key: Value(text, "given") for key, text in (given or {}).items()}
    keep_secrets_home(source, values, stored)
    return Configured(values, stored, account or named)


def keep_secrets_home(source: SourceDefinition, values: Mapping[str, Value], stored: Value | None) -> None:
    """Refuse to send a secret to an address that a file in the working folder names, unless it is from there too.

    Whoever can put a file into a folder would otherwise get the credentials of everybody who works in it.

    Args:
        source: The definition of the source; what its templates use is part of an address.
        values: Its settings.
        stored: Name of the stored secret. What it holds is never the file's own, even if the file names it.

    Raises:
        SettingsError: A secret would go to such an address.
    """
    redirected = next((key for key in sorted(_address_settings(source)) if key in values and values[key].found), None)
    secret = next(_secrets_from_elsewhere(source, values, stored), None)
    if redirected is None or secret is None:
        return
    name, origin = secret
    variable = source["settings"][redirected]["env"]
    message = (
        f"`{redirected}` {values[redirected].origin} in the working folder says where {source['title']} is,"
        f" but {name} comes {origin}: it is not sent there"
    )
    hint = (
        f"set {variable} or keep the address in the user's own config file; if {CONFIG_NAME} is yours, name it with"
        f" --config {CONFIG_NAME}, or keep the secret in it too"
    )
    raise SettingsError(message, hint=hint)


def _address_settings(source: SourceDefinition) -> set[str]:
    """Return the settings that lead requests: those that a template of the source uses, or a default of these."""
    known, names = source["settings"], set[str]()
    templates = [text for key, part in source.items() if key != "settings" for text in _texts(part)]
    while templates:
        for name in PLACEHOLDER.findall(templates.pop()):
            if name in known and name not in names:
                names.add(name)
                templates.append(known[name].get("default", ""))
    return names


def _texts(part: object) -> Iterator[str]:
    if isinstance(part, str):
        yield part
    elif isinstance(part, dict):
        for inner in part.values():
            yield from _texts(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from _texts(inner)


def _secrets_from_elsewhere(
    source: SourceDefinition, values: Mapping[str, Value], stored: Value | None
) -> Iterator[tuple[str, str]]:
    """Yield what is secret and not from a file in the working folder, and where it comes from."""
    for key, setting in source["settings"].items():
        if setting["secret"] and key in values and not values[key].found:
            yield f"`{key}`", values[key].origin
    if stored:
        yield f"the secret `{stored.text}`", "from AWS Secrets Manager"
    ways = [way for way in source["auth"] if isinstance(way, dict)]
    for profile in (way["token_file"]["profile"] for way in ways if "token_file" in way):
        if profile in values:
            yield f"the token of the profile `{values[profile].text}`", "from the token extension"
    for key in (way["oauth2"].get("private_key", "") for way in ways if "oauth2" in way):
        if key in values and values[key].found and _is_elsewhere(values[key].text.strip()):
            yield f"`{key}`", f"from {values[key].text.strip()}"


def _is_elsewhere(private_key: str) -> bool:
    """Whether a private key is the path of a file outside of the working folder."""
    if private_key.startswith(("{", "-----BEGIN")):
        return False
    return not Path(private_key).resolve().is_relative_to(Path.cwd().resolve())


def _stored_secret(source: str, flag: str | None, in_file: str | None, path: Path | None) -> Value | None:
    variable = f"{source.upper()}_SECRET"
    in_environment = os.environ.get(variable)
    origins = ((flag, "--secret"), (in_environment, variable), (in_file, str(path)))
    return next((Value(text, f"from {origin}") for text, origin in origins if text), None)


def _from_flags(flags: Sequence[str], source: SourceDefinition) -> dict[str, Value]:
    values = {}
    for flag in flags:
        key, found, text = flag.partition("=")
        if not found:
            message = f"`--set {flag}` is not KEY=VALUE"
            raise SettingsError(message)
        _refuse_unknown([key], source, "given by --set")
        setting = source["settings"][key]
        if setting["secret"]:
            message = f"`{key}` is a secret and can't be given by flag: process lists and shell histories show flags"
            raise SettingsError(message, hint=f"set {setting['env']} instead")
        values[key] = Value(text, "from --set")
    return values


def _refuse_unknown(keys: Iterable[str], source: SourceDefinition, where: str) -> None:
    known = source["settings"]
    for key in keys:
        if key not in known:
            message = f"{source['title']} has no setting `{key}` ({where})"
            raise SettingsError(message, hint=f"its settings: {', '.join(known)}")


def _find_config() -> Path | None:
    home = Path(os.environ.get("XDG_CONFIG_HOME") or "")
    if not home.is_absolute():
        # The XDG specification has relative ones ignored: they would be of the working folder.
        home = Path.home() / ".config"
    candidates = [Path(CONFIG_NAME), home / "circulate" / "config.toml"]
    return next((path for path in candidates if path.is_file()), None)


def _section(path: Path, source: str, warn: Callable[[str], object]) -> dict[str, str]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        readable_by = path.stat().st_mode
    except OSError as error:
        message = f"cannot read the config file {path}: {error.strerror}"
        raise SettingsError(message) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        message = f"{path} is not TOML: {error}"
        raise SettingsError(message) from None
    if readable_by & (stat.S_IRGRP | stat.S_IROTH):
        warn(f"{path} can be read by others: chmod 600 {path}")
    section = content.get(source, {})
    if not isinstance(section, dict) or not all(isinstance(value, str) for value in section.values()):
        message = f"[{source}] in {path} must hold texts only"
        raise SettingsError(message)
    return section
