"""Catalogs of functions: where code finds the definitions that are packaged with it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from circulate_core.exceptions import DefinitionError

FunctionCatalog = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
"""Names of folders, looked for beside the code; or their paths."""


def catalog_folders(catalog: FunctionCatalog, code: str) -> list[str]:
    """Return the folders that the names of catalogs mean.

    A name is looked for beside the code and in the folders above. So it is the same in a project, in a notebook and in
    the zip of a function, which has it at its root.

    Args:
        catalog: The names.
        code: The file that names them; a notebook's cell, which is none, looks in the working folder.

    Raises:
        DefinitionError: There is no such folder, or its path leaves the zip.
    """
    names = [catalog] if isinstance(catalog, (str, os.PathLike)) else catalog
    return [_folder(os.fspath(name), code) for name in names]


def _folder(name: str, code: str) -> str:
    if os.path.isabs(name):  # noqa: PTH117 - pathlib is slow to import
        return name
    if not name or ".." in name.split("/"):
        message = f"the catalog `{name}` of a function leaves its zip"
        hint = "write its name, such as definitions: it is looked for beside the code and in the folders above"
        raise DefinitionError(message, hint=hint)
    start = os.path.dirname(os.path.abspath(code)) if os.path.isfile(code) else os.getcwd()  # noqa: PTH100, PTH109, PTH113, PTH120 - as above
    for above in _upwards(start):
        folder = os.path.join(above, name)  # noqa: PTH118 - as above
        if os.path.isdir(folder):  # noqa: PTH112 - as above
            return folder
    message = f"there is no catalog `{name}` beside {os.path.basename(code)} or above it, from {start} up"  # noqa: PTH119 - as above
    hint = f"make the folder {name}, with a folder for each source; `circulate package` puts it into the zip"
    raise DefinitionError(message, hint=hint)


def _upwards(folder: str) -> Iterator[str]:
    """Yield a folder and those above it."""
    yield folder
    while (above := os.path.dirname(folder)) != folder:  # noqa: PTH120 - as above
        folder = above
        yield folder
