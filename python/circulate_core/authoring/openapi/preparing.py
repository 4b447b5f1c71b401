"""An import, ready to be written: documents, overlay and what an earlier import wrote, put together."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from circulate_core.authoring.openapi import lock as locks
from circulate_core.authoring.openapi.files import read_documents
from circulate_core.authoring.openapi.imported import ImportedList, ImportedSource, fingerprint
from circulate_core.authoring.openapi.importing import import_documents, source_name
from circulate_core.authoring.openapi.lock import Change, Lock, changes_between, lock_of, read_lock
from circulate_core.authoring.openapi.naming import ENDPOINT_NAME
from circulate_core.authoring.openapi.overlay import Overlay, read_overlay
from circulate_core.authoring.openapi.signing import Given
from circulate_core.authoring.openapi.writing import overlay_path
from circulate_core.exceptions import SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass
class Prepared:
    """An import that is ready to be written.

    Attributes:
        source: The source.
        before: The lock of the import before; None if there was none.
        overlay: What a person says of it.
        folder: The folder that it gets.
    """

    source: ImportedSource
    before: Lock | None
    overlay: Overlay
    folder: Path

    @property
    def lock(self) -> Lock:
        """What it is made of."""
        return lock_of(self.source, self.probed)

    @property
    def probed(self) -> dict[str, dict[str, Any]]:
        """What was found out at the API about lists, of which the documents still say the same."""
        return {
            each.key: {
                "said": fingerprint(each),
                **({"paginator": each.paginator, "evidence": each.evidence[-1]} if each.status == "probed" else {}),
                **({"increment": each.increment_proof} if each.increment_proof is not None else {}),
            }
            for each in self.source.lists
            if each.status == "probed" or each.increment_proof is not None
        }

    def changes(self, before: Lock) -> list[Change]:
        """Return what is otherwise than in an earlier import."""
        return changes_between(before, self.lock)


def prepare(paths: Sequence[Path], *, catalog: Path, name: str | None, given: Given) -> Prepared:
    """Read documents and make a source of them; nothing is written.

    Args:
        paths: Files and folders with documents.
        catalog: The folder that the source gets a folder in.
        name: Its name. Default: by the title of the document.
        given: What is said of it by flags. What is left out is as at the import before.

    Raises:
        DefinitionError: Documents or the overlay cannot be used.
        SettingsError: The name is none.
    """
    if name is not None and not ENDPOINT_NAME.fullmatch(name):
        message = f"invalid `--source`: {name!r}"
        raise SettingsError(
            message, hint="a name has a-z, 0-9 and _, begins with a letter, and has at most 63 characters"
        )
    documents = read_documents(paths)
    name = name or source_name(documents)
    before = read_lock(catalog / name / locks.FILE_NAME)
    if before is not None:
        earlier = before.given
        given = Given(given.base_url or earlier.get("base_url"), given.auth or tuple(earlier.get("auth", ())))
    overlay = read_overlay(overlay_path(catalog, name))
    known = {key: each["endpoint"] for key, each in before.lists.items()} if before is not None else {}
    source = import_documents(name, documents, overlay=overlay, given=given, known_names=known, hooks=catalog / name)
    if before is not None:
        _keep_probed(source, before)
    return Prepared(source, before, overlay, catalog / name)


def _keep_probed(source: ImportedSource, before: Lock) -> None:
    """Take what an earlier import found out at the API, where the documents say the same as then."""
    for each in source.lists:
        known = before.probed.get(each.key)
        if known is None or known["said"] != fingerprint(each):
            continue
        if "paginator" in known and each.status in {"inferred", "unknown"}:
            mark_probed(each, known["paginator"], known["evidence"])
        if "increment" in known:
            take_increment(each, known["increment"])


def mark_probed(each: ImportedList, paginator: Any, evidence: str) -> None:  # noqa: ANN401 - as a definition writes it
    """Note that a paginator was tried at the API and did what it should."""
    each.listed["paginator"] = paginator
    each.status = "probed"
    each.evidence.append(evidence)


def take_increment(each: ImportedList, proof: str) -> None:
    """Make a list incremental as its document offers, since that was tried, unless an overlay says how it is."""
    if each.increment is not None and each.status != "unknown" and "incremental" not in each.listed:
        each.listed["incremental"] = each.increment.rule
        each.increment_proof = proof


def earlier_lock(path: Path, prepared: Prepared) -> Lock:
    """Return what an earlier document, or an earlier lock, says in the place of today's.

    Raises:
        DefinitionError: It is neither.
    """
    if path.is_file() and path.name == locks.FILE_NAME:
        lock = read_lock(path)
        if lock is not None:
            return lock
    documents = read_documents([path])
    source = prepared.source
    known = {each.key: each.endpoint for each in source.lists}
    # What the overlay says of what only the newer document has is no mistake of the older one.
    overlay = dataclasses.replace(prepared.overlay, is_partial=True)
    earlier = import_documents(
        source.name, documents, overlay=overlay, given=source.given, known_names=known, hooks=prepared.folder
    )
    return lock_of(earlier, {})


def report_of(prepared: Prepared, changes: list[Change] | None, files: Sequence[Path]) -> dict[str, Any]:
    """Return all that is known of an import, as what JSON can hold."""
    source = prepared.source
    return {
        "source": source.name,
        "documents": [{"name": each.path.name, "sha256": each.sha256} for each in source.documents],
        "lists": [
            {
                "operation": each.key,
                "stream": f"{source.name}.{each.endpoint}",
                "status": each.status,
                "path": each.listed["path"],
                "records": each.listed.get("records"),
                "primary_key": each.listed["primary_key"],
                "page_size": each.listed.get("page_size"),
                "paginator": each.paginator,
                "parent": each.listed.get("parent", {}).get("endpoint"),
                "why": each.found.why,
                "evidence": each.evidence,
                "notes": each.notes,
                "increment": None
                if each.increment is None
                else {
                    "status": "inferred" if each.increment_proof is None else "probed",
                    "rule": each.increment.rule,
                    "evidence": each.increment_proof or each.increment.evidence,
                },
                "candidates": each.paging.candidates if each.status == "unknown" else [],
                "record_candidates": each.found.candidates if "records" not in each.listed else [],
            }
            for each in source.lists
        ],
        "operations": [
            {
                "operation": each.operation.key,
                "name": f"{source.name}.{each.endpoint}.{each.name}",
                "kind": each.definition["kind"],
            }
            for each in source.operations
        ],
        "left_out": source.left_out,
        "notes": source.notes,
        "changes": None
        if changes is None
        else [{**vars(change), "details": list(change.details)} for change in changes],
        "files": [str(path) for path in files],
    }


def report_text(prepared: Prepared, changes: list[Change] | None, files: Sequence[Path]) -> str:
    """Return the report as JSON text."""
    return json.dumps(report_of(prepared, changes, files), indent=1, ensure_ascii=False)
