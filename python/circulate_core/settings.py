"""Settings of a source: given in code or by flag, else from the environment, else from a config file.

Secrets never come from a flag.
"""

from __future__ import annotations

import os
import stat
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from circulate_core.exceptions import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from circulate_core.types import SourceDefinition

CONFIG_NAME = "circulate.toml"


@dataclass(frozen=True)
class Value:
    """One setting and where it came from."""

    text: str
    origin: str


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
        config: A config file; by default `circulate.toml` in this folder, else in the user's config folder.
        secret: Name of a stored secret given by flag or in code.
        account: Name of the account given by flag or in code.

    Raises:
        SettingsError: A flag or the config file is wrong.
    """
    name = source["source"]
    path = config or _find_config()
    section = _section(path, name, warn) if path else {}
    named = section.pop("account", None)
    stored = _stored_secret(name, secret, section.pop("secret", None), path)
    known = source["settings"]
    _refuse_unknown(section, source, f"in {path}")
    values = {key: Value(text, f"from {path}") for key, text in section.items()}
    for key, setting in known.items():
        if text := os.environ.get(setting["env"]):
            values[key] = Value(text, f"from {setting['env']}")
    values |= _from_flags(flags, source)
    _refuse_unknown(given or {}, source, "given")
    values |= {key: Value(text, "given") for key, text in (given or {}).items()}
    return Configured(values, stored, account or named)


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
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
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
