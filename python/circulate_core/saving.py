"""Definitions from code, written into a folder of definitions."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from circulate_core.exceptions import DefinitionError

if TYPE_CHECKING:
    from os import PathLike

    from circulate_core import _core

_OPERATION = "write definition"


def save(catalog: _core.Catalog, source: str, folder: str | PathLike[str], *, overwrite: bool) -> list[Path]:
    """Write the files that define what is defined in code of a source; see `Source.save`."""
    into = _folder(folder)
    texts = {into / source / name: _with_schema(into, name, text) for name, text in catalog.files(source)}
    # A file that says the same may say it with comments, and in an order that somebody likes.
    present = {path: found for path in texts if (found := _read(path)) is not None}
    same = {path for path, found in present.items() if catalog.says_the_same(source, path.name, found)}
    if not overwrite and (others := sorted(str(path) for path in present.keys() - same)):
        message = f"not overwritten, since something else is defined there: {', '.join(others)}"
        hint = "save to another folder, or give `overwrite=True` to replace what is there"
        raise DefinitionError(message, operation=_OPERATION, hint=hint)
    for path in texts.keys() - same:
        _write(path, texts[path])
    return list(texts)


def _folder(given: object) -> Path:
    if isinstance(given, (str, os.PathLike)) and isinstance(text := os.fspath(given), str):
        if text.strip() and "\0" not in text:
            return Path(os.path.expanduser(text))  # noqa: PTH111 - `Path` raises for a user that there is not
        message = f"invalid `folder`: {text!r} names no folder"
    else:
        message = f"invalid `folder`: expected a path, given {given!r}"
    raise DefinitionError(message, operation=_OPERATION)


def _with_schema(folder: Path, name: str, text: str) -> str:
    """Return the text of a file with the line by which editors complete it, if the schema is in the folder."""
    if not name.endswith(".yaml"):
        return text
    schema = "source.schema.json" if name == "source.yaml" else "endpoint.schema.json"
    return f"# yaml-language-server: $schema=../{schema}\n{text}" if (folder / schema).is_file() else text


def _read(path: Path) -> str | None:
    try:
        return path.read_bytes().decode(errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        _fail("read", path, error)


def _write(path: Path, text: str) -> None:
    """Write a file, of which nobody sees a half."""
    # Not a definition by its name, whatever happens to it.
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            new.write_text(text, encoding="utf-8", newline="\n")
            new.replace(path)
        finally:
            new.unlink(missing_ok=True)
    except OSError as error:
        _fail("write", path, error)


def _fail(verb: str, path: Path, error: OSError) -> NoReturn:
    message = f"cannot {verb} {path}: {error.strerror or error}"
    hint = "name a folder that you may write to; the source gets a folder in it"
    raise DefinitionError(message, operation=_OPERATION, hint=hint) from None
