"""The config file: where it is, and which catalogs it names. Settings of sources in it are read by `settings`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from circulate_core.exceptions import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

CONFIG_NAME = "circulate.toml"
CATALOG = "CIRCULATE_CATALOG"
"""Names catalogs, with the separator of `PATH` between several."""


class UnnamedFolder(str):
    """A folder that nobody named but the config file of the working folder, whoever put that there."""

    __slots__ = ()


def find_config() -> str | None:
    """Return the config file of the working folder, else the user's, if there is one."""
    home = os.environ.get("XDG_CONFIG_HOME") or ""
    if not os.path.isabs(home):  # noqa: PTH117 - pathlib is slow to import
        # The XDG specification has relative ones ignored: they would be of the working folder.
        home = os.path.join(os.path.expanduser("~"), ".config")  # noqa: PTH111, PTH118 - as above
    candidates = [CONFIG_NAME, os.path.join(home, "circulate", "config.toml")]  # noqa: PTH118 - as above
    return next((path for path in candidates if os.path.isfile(path)), None)  # noqa: PTH113 - as above


def read_config(path: str) -> tuple[dict[str, Any], str | None]:
    """Return what a config file holds, or what is wrong with it. It may hold secrets, so nothing is raised here."""
    import tomllib  # noqa: PLC0415 - for those who have such a file

    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123 - as above
            return tomllib.loads(file.read()), None
    except OSError as error:
        return {}, f"cannot read the config file {path}: {error.strerror}"
    except ValueError as error:
        # Of the syntax, of the encoding, or of a number of thousands of digits.
        return {}, f"{path} is not TOML: {error}"
    except RecursionError:
        return {}, f"{path} is nested too deeply to be read"


def configured_catalog() -> list[str]:
    """Return the folders of definitions that the environment names, else the config file.

    Raises:
        SettingsError: The config file is wrong.
    """
    if named := catalog_of_environment(os.environ):
        return named
    path = find_config()
    found = [] if path is None else catalog_in(path)
    return [*map(UnnamedFolder, found)] if path == CONFIG_NAME else found


def catalog_of_environment(environment: Mapping[str, str]) -> list[str]:
    """Return the catalogs that a variable names."""
    return [folder for folder in environment.get(CATALOG, "").split(os.pathsep) if folder]


def catalog_in(path: str) -> list[str]:
    """Return the folders of definitions that a config file names. They are relative to it.

    Raises:
        SettingsError: The file can't be read, or names none.
    """
    named, problem, hint = _catalog_entry(path)
    if problem:
        raise SettingsError(problem, hint=hint)
    return [os.path.join(os.path.dirname(path), folder) for folder in named]  # noqa: PTH118, PTH120 - as above


def _catalog_entry(path: str) -> tuple[list[str], str | None, str | None]:
    """Return what a config file says of catalogs; or what is wrong with it, and what to do."""
    document, problem = read_config(path)
    named = document.get("catalog", [])
    if problem or isinstance(named, dict):
        # A table is the section of a source of that name.
        return [], problem, None
    if not isinstance(named, list) or not all(isinstance(folder, str) and folder for folder in named):
        hint = 'write it at the top of the file: catalog = ["definitions"]'
        return [], f"`catalog` in {path} is not a list of folders", hint
    return named, None, None


def is_of_working_folder(source: str) -> bool:
    """Return whether a source is defined by what the config file of the working folder names, and nobody else did."""
    if catalog_of_environment(os.environ) or find_config() != CONFIG_NAME:
        return False
    files = (os.path.join(folder, source, "source.yaml") for folder in catalog_in(CONFIG_NAME))  # noqa: PTH118 - as above
    return any(map(os.path.isfile, files))
