"""OpenAPI documents in files: YAML, JSON, gzip, and what only looks like one."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from circulate_core import _core
from circulate_core.exceptions import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_BYTES = 256 * 1024 * 1024
"""What a file may hold, unpacked."""

_MAX_DEPTH = 200
"""Values within each other."""
_TOO_DEEP = "nested too deeply to be read"
_ENDINGS = (".json", ".yaml", ".yml")
_OPERATION = "read OpenAPI document"
_HINT = "name an OpenAPI 3 or Swagger 2.0 document, as YAML or JSON; it may be packed by gzip"


@dataclass(frozen=True)
class Document:
    """A file that was read: a description of an API, or a part of one.

    Attributes:
        path: Where it is.
        root: What it holds.
        sha256: Digest of the file as it is.
        folder: References do not lead out of this folder.
    """

    path: Path
    root: Any
    sha256: str
    folder: Path


def read_documents(given: Sequence[Path]) -> list[Document]:
    """Read the documents that files and folders hold.

    Args:
        given: Files, each of which has to be a document; folders, below which all documents are read. What else is
            there is a part of these, or something else.

    Raises:
        DefinitionError: A file is not a document, or a folder has none. All of these are named.
    """
    documents: dict[Path, Document] = {}
    mistakes: list[str] = []
    for path in given:
        try:
            found = _documents_below(path) if path.is_dir() else [_checked(read_file(path, path.parent))]
        except DefinitionError as error:
            mistakes.append(str(error))
            continue
        documents |= {document.path.resolve(): document for document in found}
    if mistakes:
        raise DefinitionError("\n".join(mistakes), operation=_OPERATION, hint=_HINT)
    return list(documents.values())


def _documents_below(folder: Path) -> list[Document]:
    found, mistakes = [], []
    paths = sorted(
        Path(where, name)
        for where, _, names in os.walk(folder)
        for name in names
        if name.lower().removesuffix(".gz").endswith(_ENDINGS)
    )
    for path in paths:
        try:
            document = read_file(path, folder)
        except DefinitionError as error:
            mistakes.append(str(error))
            continue
        if is_description(document.root):
            found.append(_checked(document))
    if not found:
        unread = f"; not readable: {'; '.join(mistakes)}" if mistakes else ""
        _refuse(folder, f"no file below it is an OpenAPI document{unread}")
    return found


def is_description(root: object) -> bool:
    """Return whether a file says that it describes an API."""
    return isinstance(root, dict) and ("openapi" in root or "swagger" in root)


def read_file(path: Path, folder: Path) -> Document:
    """Read a file of YAML or JSON.

    Raises:
        DefinitionError: It cannot be read, or is something else.
    """
    if path.exists() and not path.is_file():
        _refuse(path, "not a file")
    try:
        received = path.read_bytes()
    except OSError as error:
        _refuse(path, error.strerror or str(error))
    root = _parsed(path, _text(path, _unpacked(path, received)))
    if _is_too_deep(root):
        _refuse(path, _TOO_DEEP)
    return Document(path, root, hashlib.sha256(received).hexdigest(), folder)


def _is_too_deep(root: object) -> bool:
    """Whether values are in each other more often than what reads them may call itself."""
    level: list[Any] = [root]
    for _ in range(_MAX_DEPTH):
        level = [
            inner
            for value in level
            if isinstance(value, (dict, list))
            for inner in (value.values() if isinstance(value, dict) else value)
        ]
        if not level:
            return False
    return True


def _unpacked(path: Path, received: bytes) -> bytes:
    if received[:2] != b"\x1f\x8b":
        unpacked = received[: MAX_BYTES + 1]
    else:
        try:
            with gzip.open(path) as file:
                unpacked = file.read(MAX_BYTES + 1)
        except (OSError, EOFError, zlib.error) as error:
            _refuse(path, f"a gzip file that cannot be unpacked: {error}")
    if len(unpacked) > MAX_BYTES:
        _refuse(path, f"larger than {MAX_BYTES // 1024 // 1024} MiB")
    return unpacked


def _text(path: Path, raw: bytes) -> str:
    encoding = "utf-16" if raw[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        _refuse(path, f"not text in UTF-8: byte {error.start + 1:,} of {len(raw):,} ({error.reason})")
    if not text.strip():
        _refuse(path, "empty, as the body of a 204 is")
    return text


def _parsed(path: Path, text: str) -> Any:  # noqa: ANN401 - whatever it holds
    start = text.lstrip()
    if start.startswith("<"):
        _refuse(path, _markup(start))
    for beginning, what in _OTHERS.items():
        if start.startswith(beginning):
            _refuse(path, f"{what}, not an OpenAPI document")
    if start[0] not in "{[":
        return _of_yaml(path, text)
    try:
        return json.loads(_HALVES.sub(lambda found: found[1] or "\\ufffd", text))
    except RecursionError:
        _refuse(path, _TOO_DEEP)
    except ValueError as error:
        why = str(error)
    # YAML takes what people add to JSON, such as comments and commas behind the last member.
    try:
        return json.loads(_core.json_of_yaml(text))
    except ValueError:
        is_lines = _is_one_per_line(start)
        why = "several JSON documents, one in each line (NDJSON)" if is_lines else f"not JSON: {why}"
    return _refuse(path, why)


_HALVES = re.compile(r"(\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2})|\\ud[89a-f][0-9a-f]{2}", re.IGNORECASE)
"""Characters beyond 16 bits, as JSON escapes them, and halves of such, which no file could hold."""


def _of_yaml(path: Path, text: str) -> Any:  # noqa: ANN401 - whatever it holds
    try:
        return json.loads(_core.json_of_yaml(text))
    except ValueError as error:
        _refuse(path, f"neither JSON nor YAML: {error}")


_OTHERS = {
    "#%RAML": "RAML",
    "FORMAT: 1A": "API Blueprint",
    "syntax = ": "Protocol Buffers",
    "PK\x03\x04": "a zip archive",
    "%PDF": "a PDF",
}


def _markup(start: str) -> str:
    head = start[:4000].lower()
    if re.match(r"(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*(<!doctype html|<html|<head|<body)", head, re.DOTALL):
        is_login = re.search(r"type=[\"']?password|\blog ?in\b|\bsign ?in\b", head)
        return "a page of HTML, such as one to log in" if is_login else "a page of HTML"
    return "a WSDL (XML)" if "wsdl" in head else "XML"


def _is_one_per_line(text: str) -> bool:
    lines = [line for line in text.splitlines() if line.strip()]
    try:
        return len(lines) > 1 and all(isinstance(json.loads(line), (dict, list)) for line in lines[:3])
    except (ValueError, RecursionError):
        return False


def _checked(document: Document) -> Document:
    """Return it, if it describes an API in a version that is known."""
    root, path = document.root, document.path
    if not isinstance(root, dict):
        kind = {list: "an array", str: "text", type(None): "nothing"}.get(type(root), "a single value")
        _refuse(path, f"it holds {kind}, and no OpenAPI document")
    if not is_description(root):
        _refuse(path, _what_else(root))
    version = str(root.get("openapi", root.get("swagger")))
    if not (version.startswith("3.") or version in {"2", "2.0"} or version == "3"):
        _refuse(path, f"OpenAPI version `{version[:20]}` is not known; 2.0, 3.0 and 3.1 are")
    if not isinstance(root.get("paths"), dict) or not root["paths"]:
        _refuse(path, "it has no `paths`: no operation of an API is described in it")
    return document


def _what_else(root: dict[str, Any]) -> str:
    info = root.get("info")
    if "item" in root and isinstance(info, dict) and ("_postman_id" in info or "schema" in info):
        return "a Postman collection, not an OpenAPI document"
    if str(root.get("kind", "")).startswith("discovery#"):
        return "a Google API discovery document, not an OpenAPI document"
    for key, what in {
        "swaggerVersion": "a Swagger 1.x document, which is not read",
        "asyncapi": "an AsyncAPI document",
        "arazzo": "an Arazzo document",
        "log": "an HTTP archive (HAR)",
        "__schema": "a GraphQL schema",
    }.items():
        if key in root:
            return what
    keys = ", ".join(str(key)[:30] for key in list(root)[:5])
    return (
        f"not an OpenAPI document: neither `openapi` nor `swagger` says its version (its members are {keys or 'none'})"
    )


def _refuse(path: Path, why: str) -> NoReturn:
    message = f"{path}: {why}"
    raise DefinitionError(message, operation=_OPERATION, hint=_HINT)
