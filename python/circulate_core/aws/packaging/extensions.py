"""Extensions of functions: a project's own, and the token extension, which comes with this package."""

from __future__ import annotations

from pathlib import Path

SHIPPED = Path(__file__).with_name("shipped")
"""Extensions that any project may name."""
EXTENSIONS = "extensions"
"""The folder of a project's own, beside that of its functions."""


def extension_folder(lambdas: Path, name: str) -> Path:
    """Return the folder of an extension, which need not be there: the project's own, else the shipped one.

    Args:
        lambdas: The folder of functions.
        name: Name of the extension.
    """
    own, shipped = lambdas.parent / EXTENSIONS / name, SHIPPED / name
    return shipped if shipped.is_dir() and not own.is_dir() else own


def extension_folders(lambdas: Path, named: set[str]) -> dict[str, Path]:
    """Return the extensions of a project: all of its own, and those that its functions name.

    Args:
        lambdas: The folder of functions.
        named: Names that functions name.
    """
    beside = lambdas.parent / EXTENSIONS
    own = [path.name for path in beside.iterdir() if path.is_dir()] if beside.is_dir() else []
    names = named.union(name for name in own if not name.startswith((".", "__")))
    return {name: extension_folder(lambdas, name) for name in sorted(names)}
