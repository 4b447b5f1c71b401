"""A source made of OpenAPI documents: its definitions, and a report of what each rests on."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from circulate_core.authoring.openapi.building import Builder
from circulate_core.authoring.openapi.description import operations_of
from circulate_core.authoring.openapi.engine_check import check_definitions
from circulate_core.authoring.openapi.imported import ImportedSource
from circulate_core.authoring.openapi.naming import snake
from circulate_core.authoring.openapi.nodes import Library
from circulate_core.authoring.openapi.overlay import merged
from circulate_core.authoring.openapi.signing import access_of
from circulate_core.authoring.openapi.words import sentence

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from circulate_core.authoring.openapi.description import ApiOperation
    from circulate_core.authoring.openapi.files import Document
    from circulate_core.authoring.openapi.nodes import Node
    from circulate_core.authoring.openapi.overlay import Overlay
    from circulate_core.authoring.openapi.signing import Access, Given


def import_documents(  # noqa: PLR0913 - what it is made of
    name: str,
    documents: Sequence[Document],
    *,
    overlay: Overlay,
    given: Given,
    known_names: dict[str, str],
    hooks: Path,
) -> ImportedSource:
    """Make a source of documents.

    Args:
        name: Its name.
        documents: The documents, which describe one API.
        overlay: What a person says of it.
        given: What is said of it by flags.
        known_names: Names of endpoints by `GET /path`, as an earlier import gave them.
        hooks: The folder with the hooks that an overlay may name.

    Raises:
        DefinitionError: The documents are of several APIs, or the overlay names what they do not have.
    """
    library = Library()
    roots = [library.root(document) for document in documents]
    operations = _distinct(library, roots)
    access = access_of(name, roots, list(operations.values()), given)
    overlay.refuse_unknown(operations, operations)
    builder = Builder(access, overlay, known_names)
    builder.find_lists(operations.values())
    builder.make_lists(operations.values())
    source = _source_definition(name, roots, access, builder, overlay)
    builder.make_operations(operations.values())
    check_definitions(name, source, builder, hooks)
    notes = [*access.notes, *builder.notes, *library.notes]
    lists = sorted(builder.lists.values(), key=lambda each: each.endpoint)
    return ImportedSource(name, source, lists, builder.operations, builder.left_out, notes, documents, given)


def source_name(documents: Sequence[Document]) -> str:
    """Return what a source is called if nobody says it: by the title of its document."""
    title = Library().root(documents[0]).at("info", "title").text()
    words = [
        word for word in snake(title).split("_") if word not in {"api", "rest", "the", "v1", "v2", "v3", "openapi"}
    ]
    return snake("_".join(words[:3])) or "api"


def _distinct(library: Library, roots: Sequence[Node]) -> dict[str, ApiOperation]:
    found: dict[str, ApiOperation] = {}
    for root in roots:
        for operation in operations_of(root):
            servers = operation.node.get("servers")
            if operation.key in found:
                library.note(f"{operation.node.where}: {operation.key} is described twice; the first one counts")
            elif servers.is_there() and servers.value != root.get("servers").value and servers.value:
                library.note(f"{operation.node.where}: {operation.key} has a server of its own, and is left out")
            else:
                found[operation.key] = operation
    return found


def _source_definition(
    name: str, roots: Sequence[Node], access: Access, builder: Builder, overlay: Overlay
) -> dict[str, Any]:
    info = roots[0].get("info")
    title = sentence(info.get("title").text()) or name
    source: dict[str, Any] = {"source": name, "title": title}
    docs = roots[0].at("externalDocs", "url").text()
    if re.fullmatch(r"https?://\S+", docs):
        source["docs"] = docs
    source |= {"settings": access.settings, "base_url": access.base_url, "auth": access.auth}
    source["headers"] = {"Accept": "application/json"}
    if limits := builder.rate_limit():
        source["rate_limit"] = limits
    if check := builder.check_request():
        source["check"] = check
    return dict(merged(source, overlay.source))
