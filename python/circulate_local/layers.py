"""What AWS unpacks for a function before it starts: layers and extensions below `/opt`, and the interpreter."""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import circulate_core
from circulate_core.aws.packaging.extensions import SHIPPED
from circulate_core.exceptions import SettingsError
from circulate_local.function import Function

_INTERPRETERS: Final = ("python", "python3")


@dataclass(frozen=True, slots=True)
class Unpacked:
    """The folders of a function that all its environments share.

    Attributes:
        opt: What lies at `/opt`.
        bin: Has the interpreter by the names that scripts ask for.
        extensions: File names of the external extensions.
    """

    opt: Path
    bin: Path
    extensions: tuple[str, ...]


def unpack(function: Function, folder: Path) -> Unpacked:
    """Copy layers and extensions of a function to a folder."""
    opt, programs = folder / "opt", folder / "bin"
    (opt / "extensions").mkdir(parents=True)
    programs.mkdir()
    for name in (*_INTERPRETERS, function.runtime):
        (programs / name).symlink_to(os.path.realpath(sys.executable))
    for layer in function.layers:
        shutil.copytree(layer, opt, symlinks=True, dirs_exist_ok=True)
    if function.extensions:
        shutil.copytree(function.extensions, opt / "extensions", symlinks=True, dirs_exist_ok=True)
    files = sorted((opt / "extensions").iterdir())
    return Unpacked(opt, programs, tuple(file.name for file in files if file.is_file() and os.access(file, os.X_OK)))


def lay_out(extension: Path, layer: Path) -> Path:
    """Lay an extension out as its layer does, without packing it.

    Args:
        extension: Its folder, below `extensions` of the project.
        layer: Where to; made if need be.

    Returns:
        The layer.

    Raises:
        SettingsError: There is no such extension.
    """
    name = extension.name
    program = extension / name
    if not program.is_file():
        message = f"there is no extension `{name}`"
        raise SettingsError(message, hint=f"it would be at {program}")
    (layer / "extensions").mkdir(parents=True, exist_ok=True)
    shutil.copy(program, layer / "extensions" / name)
    if extension.parent == SHIPPED:
        # An installer need not have kept its mode.
        (layer / "extensions" / name).chmod(0o755)
    shutil.copytree(
        extension, layer / name, ignore=shutil.ignore_patterns("__pycache__", "*.md", name), dirs_exist_ok=True
    )
    # On AWS the layer has a copy of the package.
    (layer / name / "circulate_core").symlink_to(Path(circulate_core.__file__).parent)
    return layer
