"""The files of an imported source: all of them are written, or none, and what was changed by hand is not replaced."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, Any, NoReturn

from circulate_core.authoring.openapi import lock as locks
from circulate_core.authoring.openapi.imported import proposals
from circulate_core.authoring.openapi.yaml_text import yaml_text
from circulate_core.exceptions import DefinitionError

if TYPE_CHECKING:
    from pathlib import Path

    from circulate_core.authoring.openapi.imported import ImportedList, ImportedSource
    from circulate_core.authoring.openapi.lock import Lock

_OPERATION = "write definitions"


def overlay_path(catalog: Path, source: str) -> Path:
    """Return where the overlay of a source is: beside its folder, which holds what imports write."""
    return catalog / f"{source}.overlay.yaml"


def texts_of(source: ImportedSource) -> dict[str, str]:
    """Return the texts of a source's files, by name."""
    made_of = ", ".join(document.path.name for document in source.documents)
    head = [
        f"Made by `circulate import openapi` of {made_of}. Do not edit it: what you say in {source.name}.overlay.yaml",
        "survives the next import.",
    ]
    about = {"": ["yaml-language-server: $schema=../source.schema.json", *head]}
    notes = [line for note in source.notes for line in _wrapped(f"- {note}")]
    if notes:
        about["auth"] = ["To be decided or corrected, by the overlay:", *notes]
    texts = {"source.yaml": yaml_text(source.definition, about)}
    for each in source.lists:
        texts[f"{each.endpoint}.yaml"] = yaml_text(each.definition, _comments(each, head))
    return texts


def _comments(each: ImportedList, head: list[str]) -> dict[str, list[str]]:
    comments = {"": ["yaml-language-server: $schema=../endpoint.schema.json", *head]}
    said = [f"{each.status}: {each.found.why}", *each.evidence, *each.notes, *proposals(each)]
    comments["list"] = [line for text in said for line in _wrapped(f"- {text}")]
    missing: list[str] = []
    if each.status == "unknown":
        missing.append("It does not run until somebody says how it is read, in the overlay:")
        if "records" not in each.listed:
            places = ", ".join(json.dumps(pointer) for pointer in each.found.candidates)
            missing.append(f"records: where a page holds its records{f', such as {places}' if places else ''}")
        shown = [each.paging.paginator] if each.paging.paginator is not None else each.paging.candidates
        examples = " or ".join(_flow(candidate) for candidate in shown)
        missing.append(f"paginator: {examples or 'how one page leads to the next'}")
        comments["list.paginator"] = missing
    return comments


def _flow(value: Any) -> str:  # noqa: ANN401 - JSON
    return value if isinstance(value, str) else json.dumps(value).replace('"', "")


def _wrapped(text: str, width: int = 116) -> list[str]:
    lines: list[str] = []
    line = ""
    for word in text.split():
        if line and len(line) + len(word) + 1 > width:
            lines.append(line)
            line = " "
        line = f"{line} {word}" if line.strip() else f"{line}{' ' if lines else ''}{word}"
    return [*lines, line] if line else lines


def write_source(
    catalog: Path, source: ImportedSource, lock: Lock, before: Lock | None, *, overwrite: bool
) -> list[Path]:
    """Write the files of a source, and remove those of lists that it no longer has.

    Raises:
        DefinitionError: A file was changed by hand, or cannot be written. No file is replaced then.
    """
    if not source.lists:
        message = (
            f"nothing is written: no operation of {', '.join(each.path.name for each in source.documents)} is a list"
        )
        hint = "--dry-run --json says why each operation is left out; an overlay can say that a GET is a list"
        raise DefinitionError(message, operation=_OPERATION, hint=hint)
    folder = catalog / source.name
    texts = texts_of(source)
    lock.files = {name: _digest(text.encode()) for name, text in texts.items()}
    known = before.files if before is not None else {}
    present = {name: found for name in {*texts, *known} if (found := _read(folder / name)) is not None}
    foreign = [
        str(folder / name)
        for name, found in sorted(present.items())
        if _digest(found) not in {known.get(name), lock.files.get(name)}
    ]
    if foreign and not overwrite:
        message = f"not overwritten, since they were written or changed by hand: {', '.join(foreign)}"
        hint = (
            f"say what you changed in {overlay_path(catalog, source.name)}, or give --overwrite to replace these files"
        )
        raise DefinitionError(message, operation=_OPERATION, hint=hint)
    texts[locks.FILE_NAME] = lock.text()
    _replace_all(folder, texts)
    for name in known.keys() - texts.keys():
        (folder / name).unlink(missing_ok=True)
    return [folder / name for name in texts]


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        _fail("read", path, error)


def _replace_all(folder: Path, texts: dict[str, str]) -> None:
    """Write files, of which nobody sees a half. None is replaced before all of them are on the disk."""
    written: dict[Path, Path] = {}
    path = folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            path = folder / name
            # Not a definition by its name, whatever happens to it.
            written[path] = folder / f".{name}.{os.getpid()}"
            written[path].write_text(text, encoding="utf-8", newline="\n")
        for path, new in written.items():
            new.replace(path)
    except OSError as error:
        _fail("write", path, error)
    finally:
        for new in written.values():
            new.unlink(missing_ok=True)


def _fail(verb: str, path: Path, error: OSError) -> NoReturn:
    message = f"cannot {verb} {path}: {error.strerror or error}"
    hint = "name a catalog that you may write to, by --to; the source gets a folder in it"
    raise DefinitionError(message, operation=_OPERATION, hint=hint) from None
