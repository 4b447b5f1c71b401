"""New files of a project: all of them are written, or none."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NoReturn

from circulate_core.exceptions import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path


def write_new(root: Path, texts: Mapping[str, str], *, operation: str, hint: str) -> list[Path]:
    """Write files that are not there yet.

    Args:
        root: The folder that they are below; made if need be.
        texts: Texts by their paths below it.
        operation: What is being done, for errors.
        hint: What to do if there are such files.

    Returns:
        The files.

    Raises:
        SettingsError: Something is there already, all of which is named, or a file cannot be written. Then nothing is
            left of what was written.
    """
    files = {root / path: text for path, text in texts.items()}
    if taken := sorted({str(each) for each in in_the_way(root, files)}):
        message = f"nothing is written, since there is already: {', '.join(taken)}"
        raise SettingsError(message, operation=operation, hint=hint)
    made: list[Path] = []
    try:
        for file, text in files.items():
            _make_folders(file.parent, made)
            # Whoever made it meanwhile keeps it.
            with file.open("x", encoding="utf-8", newline="\n") as new:
                made.append(file)
                new.write(text)
    except OSError as error:
        _undo(made)
        _fail(error, root, operation)
    except BaseException:
        _undo(made)
        raise
    return list(files)


def in_the_way(root: Path, files: Iterable[Path]) -> Iterable[Path]:
    """Yield what is there in the place of files, or of folders that they would be in. Links lead nowhere new."""
    for file in files:
        if os.path.lexists(file):
            yield file
        for folder in file.parents:
            if os.path.lexists(folder) and not folder.is_dir():
                yield folder
            if folder == root:
                break


def _make_folders(folder: Path, made: list[Path]) -> None:
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        each.mkdir()
        made.append(each)


def _undo(made: list[Path]) -> None:
    for each in reversed(made):
        try:
            if each.is_dir():
                each.rmdir()
            else:
                each.unlink()
        except OSError:
            # Somebody has put something into a folder, or has taken the rights away.
            continue


def _fail(error: OSError, root: Path, operation: str) -> NoReturn:
    message = f"cannot write {error.filename or root}: {error.strerror or error}"
    hint = "name a folder that you may write to; nothing is left of what was written"
    raise SettingsError(message, operation=operation, hint=hint) from None
