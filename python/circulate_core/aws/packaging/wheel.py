"""Wheels of this package: whether Lambda can load one, and what is in it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from zipfile import BadZipFile, ZipFile

from circulate_core.aws.packaging.archive import File
from circulate_core.aws.packaging.contents import ENGINE
from circulate_core.exceptions import SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}
"""What wheels call the architectures of Lambda."""
PYTHON = (3, 11)
"""The oldest that functions may have."""
GLIBC = (2, 17)
"""The one of manylinux2014. Lambda's Python 3.11 has 2.26, later ones have 2.34."""
NAMED_GLIBC = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": GLIBC}
HOW = "leave out --wheel, or build one: maturin build --release --zig --compatibility manylinux2014"
DOWNLOAD = (
    "give one that does with --wheel: pip download circulate-core --no-deps --only-binary=:all:"
    " --platform manylinux2014_x86_64 (or _aarch64 for arm64)"
)
# https://packaging.python.org/en/latest/specifications/binary-distribution-format/#file-name-convention
NAME = re.compile(r"circulate_core-[^-]+(-\d[^-]*)?-(?P<python>[^-]+)-(?P<abi>[^-]+)-(?P<platform>[^-]+)\.whl")

ABOUT = re.compile(r"circulate_core-[^/]+\.dist-info/WHEEL")
TAG = re.compile(r"^Tag: *([^-\s]+)-([^-\s]+)-([^-\s]+)\s*$", re.MULTILINE)


def read_wheel(wheel: Path, architecture: str) -> list[File]:
    """Return the files of a wheel.

    Args:
        wheel: The wheel.
        architecture: What functions run on, as Lambda calls it.

    Raises:
        SettingsError: It is not a wheel of this package, or functions could not load it.
    """
    named = NAME.fullmatch(wheel.name)
    if not named:
        raise _error(wheel, "is not named as a wheel of circulate_core is")
    if problem := _problem([Tag(*named.group("python", "abi", "platform"))], architecture):
        raise _error(wheel, problem)
    try:
        with ZipFile(wheel) as archive:
            files = [File(name, archive.read(name)) for name in archive.namelist() if not name.endswith("/")]
    except OSError as error:
        raise _error(wheel, f"cannot be read: {error.strerror}") from None
    except BadZipFile:
        raise _error(wheel, "is corrupt: not a zip file") from None
    if ENGINE not in {file.name for file in files}:
        raise _error(wheel, f"has no {ENGINE}")
    # A file can be renamed; what it was built for is written in it.
    about = next((file.data for file in files if ABOUT.fullmatch(file.name)), b"").decode(errors="replace")
    if problem := _problem_of_metadata(about, architecture):
        raise _error(wheel, problem)
    return files


def read_installed(architecture: str) -> list[File]:
    """Return the files of the wheel that this package was installed from.

    Args:
        architecture: What functions run on, as Lambda calls it.

    Raises:
        SettingsError: Functions could not load it, or it was not installed from a wheel.
    """
    from importlib.metadata import PackageNotFoundError, distribution  # noqa: PLC0415 - only here

    installed = "the circulate-core that is installed here"
    try:
        found = distribution("circulate-core")
    except PackageNotFoundError:
        raise _error(installed, "has no metadata: it was not installed from a wheel", DOWNLOAD) from None
    if problem := _problem_of_metadata(found.read_text("WHEEL") or "", architecture):
        raise _error(installed, problem, DOWNLOAD)
    listed = [(str(file), file.locate()) for file in found.files or [] if ".." not in file.parts]
    files = [File(name, Path(str(path)).read_bytes()) for name, path in listed if Path(str(path)).is_file()]
    if ENGINE not in {file.name for file in files}:
        raise _error(installed, f"has no {ENGINE}", DOWNLOAD)
    return files


def _problem_of_metadata(about: str, architecture: str) -> str | None:
    tags = [Tag(*tag.groups()) for tag in TAG.finditer(about)]
    if not tags:
        return "does not say what it was built for: it has no dist-info/WHEEL with tags"
    problem = _problem(tags, architecture)
    return problem and f"{problem}, as its own metadata says"


class Tag(NamedTuple):
    """What a wheel is for; each part may be several, with dots between."""

    python: str
    abi: str
    platform: str


def _problem(tags: Sequence[Tag], architecture: str) -> str | None:
    """Return why functions could not load a wheel with these tags: one of them must do."""
    problems = [_problem_of(tag, architecture) for tag in tags]
    return None if None in problems else problems[0]


def _problem_of(tag: Tag, architecture: str) -> str | None:
    if tag.abi != "abi3" or not any(map(_is_old_enough, tag.python.split("."))):
        return f"is for {tag.python}-{tag.abi}, not for every Python from {_dotted(PYTHON)} on (abi3)"
    platforms = tag.platform.split(".")
    machine = MACHINES[architecture]
    if not any(platform.endswith(f"_{machine}") for platform in platforms):
        return f"is for {tag.platform}, but the functions' architecture is {architecture}"
    if not any(glibc and glibc <= GLIBC for glibc in (_glibc(platform, machine) for platform in platforms)):
        return f"is for {tag.platform}, and Lambda needs manylinux2014 or older (glibc {_dotted(GLIBC)})"
    return None


def _is_old_enough(python: str) -> bool:
    found = re.fullmatch(r"cp3(\d+)", python)
    return found is not None and (3, int(found[1])) <= PYTHON


def _glibc(platform: str, machine: str) -> tuple[int, int] | None:
    """Return the version of glibc that a platform tag asks for."""
    name = platform.removesuffix(f"_{machine}")
    found = re.fullmatch(r"manylinux_(\d+)_(\d+)", name)
    return (int(found[1]), int(found[2])) if found else NAMED_GLIBC.get(name)


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


def _error(wheel: Path | str, problem: str, hint: str = HOW) -> SettingsError:
    return SettingsError(f"{wheel} {problem}", operation="package", hint=hint)
