"""What an import makes of documents: lists, operations, and the source that they are of."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from circulate_core.authoring.flow import flow
from circulate_core.authoring.openapi.lists import time_filters, times_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from circulate_core.authoring.openapi.description import ApiOperation
    from circulate_core.authoring.openapi.files import Document
    from circulate_core.authoring.openapi.increments import Increment
    from circulate_core.authoring.openapi.lists import FoundList
    from circulate_core.authoring.openapi.paging import Paging, Status
    from circulate_core.authoring.openapi.signing import Given

UNKNOWN = "unknown"
"""The paginator of a list of which nobody has said how it is read. The engine never reads it."""


@dataclass
class ImportedList:
    """A list of an API, as a stream.

    Attributes:
        found: What the documents say of it.
        endpoint: Its name.
        status: How well it is known how it is read.
        definition: Its endpoint, as a file holds it.
        paging: How one page leads to the next.
        evidence: What says all this, a sentence each.
        notes: What a person has to decide.
        increment: How it may be read incrementally; None if its document does not say.
        increment_proof: What showed that this is so; None if it was not tried.
    """

    found: FoundList
    endpoint: str
    status: Status
    definition: dict[str, Any]
    paging: Paging
    evidence: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    increment: Increment | None = None
    increment_proof: str | None = None

    @property
    def key(self) -> str:
        """`GET /path`."""
        return self.found.operation.key

    @property
    def listed(self) -> dict[str, Any]:
        """The `list` of its endpoint."""
        listed: dict[str, Any] = self.definition["list"]
        return listed

    @property
    def is_one(self) -> bool:
        """Whether it is one record, and no list."""
        return is_one(self.listed.get("records"))

    @property
    def paginator(self) -> Any:  # noqa: ANN401 - as a definition writes it
        """Its paginator; None if nobody knows it."""
        return None if self.status == UNKNOWN else self.listed["paginator"]


def is_one(records: object) -> bool:
    """Return whether a page is one record by what `records` of a definition says."""
    return isinstance(records, dict) and "one" in records


@dataclass
class ImportedOperation:
    """A call of an API, as an operation of an endpoint."""

    operation: ApiOperation
    endpoint: str
    name: str
    definition: dict[str, Any]


@dataclass
class ImportedSource:
    """A source made of documents.

    Attributes:
        name: Its name.
        definition: What `source.yaml` holds.
        lists: Its lists, in the order of their names.
        operations: Its operations.
        left_out: What is not a part of it, by `GET /path`, each with the reason.
        notes: What a person has to decide, and what of the documents could not be read.
        documents: The documents.
        given: What was said of it beside them.
    """

    name: str
    definition: dict[str, Any]
    lists: list[ImportedList]
    operations: list[ImportedOperation]
    left_out: dict[str, str]
    notes: list[str]
    documents: Sequence[Document]
    given: Given


def proposals(made: ImportedList) -> list[str]:
    """Return what a person may add to a list: nothing of it is certain."""
    found = made.found
    lines: list[str] = []
    if made.increment_proof is not None:
        return [f"probed: increments: {made.increment_proof}"]
    if "incremental" in made.listed:
        return lines
    if made.increment is not None:
        lines.append(
            f"inferred, and not used: increments, since {made.increment.evidence}. `--probe` tries them; or say"
        )
        lines.append(f"in the overlay: incremental: {flow(made.increment.rule)}")
    elif times := times_of(found.record):
        filters = time_filters(found.operation)
        by = f", and the parameter {' or '.join(f'`{name}`' for name in filters)} may select by time" if filters else ""
        lines.append(f"It may be incremental: records have {', '.join(f'`{name}`' for name in times[:3])}{by}.")
    return lines


def fingerprint(made: ImportedList) -> str:
    """Return a digest of all that the documents say of how a list is read."""
    operation = made.found.operation
    said = {
        "path": operation.path,
        "parameters": described_parameters(operation),
        "records": made.found.records,
        "key": made.found.key,
        "paging": [made.paging.status, made.paging.paginator, made.paging.page_size, made.paging.candidates],
    }
    if made.increment is not None:
        said["increment"] = made.increment.rule
    return digest_of(said)


def described_parameters(operation: ApiOperation) -> dict[str, str]:
    """Return the parameters of an operation, each in a few words."""
    described = {}
    for each in operation.parameters:
        words = [each.type or "any", *(["required"] if each.required and each.location != "path" else [])]
        if each.values:
            words.append(f"of {', '.join(each.values)}")
        described[f"{each.location} {each.name}"] = " ".join(words)
    if operation.body is not None:
        described["body"] = " ".join([operation.body.media_type, *(["required"] if operation.body.required else [])])
    return described


def digest_of(document: object) -> str:
    """Return the SHA-256 of a document, however it is written."""
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
