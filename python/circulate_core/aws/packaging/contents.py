"""Which files a function needs, and which a layer."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING

from circulate_core.aws.packaging.archive import File
from circulate_core.aws.packaging.definitions import definition_files, made_by, wrong_definitions, wrong_reads
from circulate_core.aws.packaging.extensions import SHIPPED
from circulate_core.exceptions import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from circulate_core.aws.packaging.definitions import MadeHandler
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
        "authoring/",
        "loopback_server.py",
        "playbooks/",
        "saving.py",
        "testing.py",
    )
)
ABOUT = ("METADATA", "LICENSE")
TESTS = {"test", "tests"}


def function_files(function: Described, required: Sequence[File] = ()) -> list[File]:
    """Return the files of a function: code, data, and the definitions of one's own that it uses.

    Args:
        function: The function.
        required: The packages that it needs, which lie beside its code.

    Raises:
        SettingsError: Its handler or its data is not there, or two files would have one name.
        DefinitionError: A definition that it uses is wrong or missing, or does not fit what its `lambda.yaml` says.
    """
    code = _code(function.folder)
    module = function.settings["handler"].rpartition(".")[0].replace(".", "/")
    if not {f"{module}.py", f"{module}/__init__.py"} & {file.name for file in code}:
        handler = f"where `{function.settings['handler']}` of its lambda.yaml would be"
        message = f"{function.folder} has no {module}.py, {handler}"
        raise SettingsError(message, operation="package")
    made = handlers_made(function)
    for wrong in (*wrong_definitions(made), *wrong_reads(function, made)):
        raise wrong
    data = [file for file in data_files(function) if file not in code]
    files = [*code, *data, *definition_files(made)]
    files += [file for file in required if file not in files]
    twice = next((name for name, count in Counter(file.name for file in files).items() if count > 1), None)
    if twice:
        message = f"the zip of {function.name} would have two files named {twice}: of the function and of what it needs"
        raise SettingsError(message, operation="package", hint=f"rename that of {function.folder}")
    return files


def handlers_made(function: Described) -> list[MadeHandler]:
    """Return what the code of a function says that it pulls and calls."""
    return made_by(function, [function.folder / file.name for file in _code(function.folder)])


def data_files(function: Described) -> list[File]:
    """Return the files that `files` of a `lambda.yaml` names.

    Raises:
        SettingsError: There is no such file, or it lies elsewhere.
    """
    return [file for given in function.settings["files"] for file in _data(function, given)]


def _data(function: Described, given: str) -> Iterator[File]:
    path, inside = function.folder / given, function.folder.resolve()
    found = [path] if path.is_file() else sorted(each for each in path.rglob("*") if each.is_file())
    if not found:
        message = f"{function.file}: there is no file `{given}` in {function.folder}"
        raise SettingsError(message, operation="package", hint="`files` names what the code reads, by its path")
    for each in found:
        if not each.resolve().is_relative_to(inside):
            message = f"{function.file}: {each} of `files` is a link out of {function.folder}"
            raise SettingsError(message, operation="package", hint="put the file itself there")
        name = each.relative_to(function.folder)
        if "__pycache__" not in name.parts:
            yield File(name.as_posix(), each.read_bytes())


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
    # An installer need not have kept the mode of one that is shipped.
    if not (program.is_file() and (folder.parent == SHIPPED or os.access(program, os.X_OK))):
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
