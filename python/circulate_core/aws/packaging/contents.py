"""Which files a function needs, and which a layer."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from circulate_core.aws.packaging.archive import File
from circulate_core.exceptions import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from circulate_core.aws.project import Described

PACKAGE = "circulate_core/"
"""Of what the wheel has, the package that runs on AWS: neither the practice org nor the local runner."""
ENGINE = PACKAGE + "_core.abi3.so"
NEEDED = (".py", ".yaml", ".so")
"""What is loaded. Stubs, JSON Schemas and `py.typed` are for people who write code."""
NOT_FOR_HANDLERS = tuple(
    PACKAGE + name
    for name in (
        "cli/",
        "jupyter/",
        "practice/",
        "aws/local/",
        "aws/packaging/",
        "aws/project.py",
        "loopback_server.py",
    )
)
ABOUT = ("METADATA", "LICENSE")
TESTS = {"test", "tests"}


def function_files(function: Described, folder: Path) -> list[File]:
    """Return the files of a function.

    Args:
        function: The function.
        folder: Its code.

    Raises:
        SettingsError: Its handler is not among them.
    """
    files = _code(folder)
    module = function.settings["handler"].rpartition(".")[0].replace(".", "/")
    if not {f"{module}.py", f"{module}/__init__.py"} & {file.name for file in files}:
        message = f"{folder} has no {module}.py, where `{function.settings['handler']}` of its lambda.yaml would be"
        raise SettingsError(message, operation="package")
    return files


def core_files(wheel: Iterable[File]) -> list[File]:
    """Return what handlers and extensions need of the files of our wheel."""
    return [file for file in wheel if _is_needed(file.name) or _is_about(file.name)]


def extension_files(folder: Path) -> list[File]:
    """Return the files of an extension, without what it needs of our wheel.

    The program that the folder is named after lies where Lambda starts extensions from. What it imports lies beside
    them, since Lambda takes every file there for an extension.

    Raises:
        SettingsError: There is no such program.
    """
    program = folder / folder.name
    if not (program.is_file() and os.access(program, os.X_OK)):
        message = f"{folder} has no program named {folder.name}, which Lambda would start"
        raise SettingsError(message, operation="package", hint=f"chmod +x {program}" if program.is_file() else None)
    started = File(f"extensions/{folder.name}", program.read_bytes(), program=True)
    return [started, *(file.below(folder.name) for file in _code(folder))]


def _code(folder: Path) -> list[File]:
    """Return the Python files below a folder that are not tests."""
    found = ((path, path.relative_to(folder)) for path in folder.rglob("*.py"))
    return [File(name.as_posix(), path.read_bytes()) for path, name in found if path.is_file() and not _is_aside(name)]


def _is_aside(name: Path) -> bool:
    hidden = any(part.startswith((".", "__pycache__")) for part in name.parts)
    test = name.stem == "conftest" or name.stem.startswith("test_") or name.stem.endswith("_test")
    return hidden or test or not TESTS.isdisjoint(name.parent.parts)


def _is_needed(name: str) -> bool:
    return name.startswith(PACKAGE) and name.endswith(NEEDED) and not name.startswith(NOT_FOR_HANDLERS)


def _is_about(name: str) -> bool:
    """Return whether this says what the package is: its version and its licence."""
    folder, _, rest = name.partition("/")
    return folder.endswith(".dist-info") and rest.rpartition("/")[2] in ABOUT
