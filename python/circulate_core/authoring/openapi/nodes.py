"""Parts of a document, whose references are followed as they are read."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from circulate_core.authoring.openapi.files import read_file
from circulate_core.exceptions import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from circulate_core.authoring.openapi.files import Document

_MAX_STEPS = 40
"""References that lead to references."""
_LONGEST = 5_000
"""Characters of a text that are looked at: patterns that look for words take the square of its length."""


@dataclass
class Library:
    """The files that were read, and what was noticed on the way.

    Attributes:
        notes: What could not be read as it stands, each once, in order.
    """

    documents: dict[Path, Document | None] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)

    def note(self, text: str) -> None:
        """Remember what could not be read as it stands."""
        self.notes.setdefault(text)

    def root(self, document: Document) -> Node:
        """Return what a document holds."""
        self.documents.setdefault(document.path.resolve(), document)
        return Node(self, document, "", document.root)

    def file(self, path: Path, folder: Path) -> Document | None:
        """Return a file that a reference names; None if it cannot be read."""
        path = path.resolve()
        if path not in self.documents:
            self.documents[path] = None
            try:
                self.documents[path] = read_file(path, folder)
            except DefinitionError as error:
                # Notes go into files, which do not say where on this machine they were made.
                self.note(str(error).replace(f"{folder.resolve()}/", ""))
        return self.documents[path]


@dataclass(frozen=True)
class Node:
    """A part of a document.

    Attributes:
        document: The file that it stands in.
        pointer: Where, as a JSON Pointer.
        value: What it is. A reference was followed.
    """

    library: Library
    document: Document
    pointer: str
    value: Any

    @property
    def where(self) -> str:
        """File and place, for people."""
        return f"{self.document.path.name}#{self.pointer}"

    @property
    def identity(self) -> tuple[str, str]:
        """File and place, which are the same however one came here."""
        return (str(self.document.path), self.pointer)

    def get(self, key: str) -> Node:
        """Return a member; one of nothing if there is none."""
        value = self.value.get(key) if isinstance(self.value, dict) else None
        return Node(self.library, self.document, f"{self.pointer}/{_escaped(key)}", value).followed()

    def at(self, *keys: str) -> Node:
        """Return a member of a member."""
        node = self
        for key in keys:
            node = node.get(key)
        return node

    def nothing(self) -> Node:
        """Return a part that is not there."""
        return Node(self.library, self.document, self.pointer, None)

    def with_value(self, value: Any) -> Node:  # noqa: ANN401 - JSON
        """Return another value in the same place."""
        return Node(self.library, self.document, self.pointer, value)

    def members(self) -> Iterator[tuple[str, Node]]:
        """Return the members of an object, in order; of anything else none."""
        if isinstance(self.value, dict):
            for key in self.value:
                yield str(key), self.get(key)

    def items(self) -> Iterator[Node]:
        """Return the items of a list; of anything else none."""
        if isinstance(self.value, list):
            for at, value in enumerate(self.value):
                yield Node(self.library, self.document, f"{self.pointer}/{at}", value).followed()

    def text(self) -> str:
        """Return it as text; empty if it is none."""
        if isinstance(self.value, str):
            # JSON can hold halves of characters, which no file can.
            return self.value[:_LONGEST].encode(errors="replace").decode().strip()
        is_number = isinstance(self.value, (int, float)) and not isinstance(self.value, bool)
        return str(self.value) if is_number else ""

    def texts(self) -> list[str]:
        """Return the texts of a list."""
        return [item.text() for item in self.items() if item.text()]

    def is_there(self) -> bool:
        """Return whether there is such a part."""
        return self.value is not None

    def followed(self) -> Node:
        """Return what a reference leads to, with what stands beside it; the same for what is not a reference."""
        node, seen = self, set[tuple[str, str]]()
        while isinstance(node.value, dict) and isinstance(reference := node.value.get("$ref"), str):
            if node.identity in seen or len(seen) > _MAX_STEPS:
                self.library.note(f"{node.where}: `{reference}` leads to itself")
                return self.nothing()
            seen.add(node.identity)
            found = node._target(reference)
            if found is None:
                return self.nothing()
            beside = {key: value for key, value in node.value.items() if key in {"description", "summary"}}
            if beside and isinstance(found.value, dict):
                found = found.with_value({**found.value, **beside})
            node = found
        return node

    def _target(self, reference: str) -> Node | None:
        """Return what a reference names; None, with a note, if that cannot be read."""
        file, _, fragment = reference.partition("#")
        document = self.document if not file else self._file(file, reference)
        if document is None:
            return None
        pointer = unquote(fragment)
        value = document.root
        if pointer.strip("/") and not pointer.startswith("/"):
            self.library.note(f"{self.where}: `{reference}` names an anchor, which is not looked for")
            return None
        for key in pointer.split("/")[1:] if pointer else []:
            key = key.replace("~1", "/").replace("~0", "~")  # noqa: PLW2901 - as RFC 6901 writes it
            if isinstance(value, dict) and key in value:
                value = value[key]
            elif isinstance(value, list) and re.fullmatch(r"[0-9]{1,9}", key) and int(key) < len(value):
                value = value[int(key)]
            else:
                self.library.note(f"{self.where}: `{reference}` leads to nothing: there is no member `{key}`")
                return None
        return Node(self.library, document, pointer, value)

    def _file(self, file: str, reference: str) -> Document | None:
        if "://" in file or file.startswith("//"):
            self.library.note(f"{self.where}: `{reference}` is at another place, from which nothing is fetched")
            return None
        try:
            path = (self.document.path.parent / unquote(file)).resolve()
            path.exists()
        except (OSError, ValueError):
            self.library.note(f"{self.where}: `{reference[:100]}` is not the name of a file")
            return None
        if not path.is_relative_to(self.document.folder.resolve()):
            hint = "import the folder that holds all of its files"
            self.library.note(f"{self.where}: `{reference}` leads out of {self.document.folder}: {hint}")
            return None
        return self.library.file(path, self.document.folder)


def _escaped(key: object) -> str:
    return str(key).replace("~", "~0").replace("/", "~1")
