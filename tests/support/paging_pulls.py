"""Pulls of paged lists, and what came of them as a line of text."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import circulate_core
from circulate_core import CirculateError, Stop
from circulate_core.results import Report
from circulate_practice.compare import records
from circulate_practice.paging.kit import ListServer, PagedList, make_records
from support.snapshots import stable

if TYPE_CHECKING:
    from circulate_core.types import InlineDefinition

COUNT = 23
SIZE = 5
PATIENCE_FOR_A_LIST = "60s"
"""What a pull that runs in a circle is ended by."""


@dataclass(frozen=True)
class Pulled:
    """What a pull made of a list."""

    status: str
    """`complete`, `partial` or `failed`."""
    found: list[Any]
    """Records in the lake, in order."""
    why: str
    """How the list ended, the evidence against its end, or the error."""
    records: int = 0
    """How many records the run has so far."""
    moved: str = ""
    """How it was seen that the list moved while it was read."""


def paged(style: str, trap: str | None = None, count: int = COUNT) -> PagedList:
    """Return a list with records enough for every trap."""
    return PagedList(make_records(count), style=style, trap=trap, page_size=SIZE)


def pull(  # noqa: PLR0913 - what tests of lists differ in
    server: ListServer,
    folder: Path,
    name: str = "items",
    *,
    key: str = "",
    stop: Stop | None = None,
    listing: dict[str, Any] | None = None,
) -> Pulled:
    """Pull a list of a server; `listing` adds to its definition."""
    settings = {"base_url": server.url} | ({"key": key} if key else {})
    source, endpoints = server.source(), server.endpoints()
    endpoints[name]["list"].update(listing or {})
    definition: InlineDefinition = {"source": source, "endpoints": endpoints}
    try:
        report = circulate_core.pull(
            f"{source['source']}.{name}",
            to=folder,
            settings=settings,
            account="practice",
            catalog=[definition],
            stop=stop,
            deadline=PATIENCE_FOR_A_LIST,
        )
    except CirculateError as error:
        return Pulled("failed", [], without_address(str(error), server))
    found = written(folder, report) if report.manifest else []
    moved = "; ".join(each.moved for each in report.ends.lists if each.moved)
    return Pulled(report.status, found, without_address(_end_of(report), server), report.records, moved)


def written(folder: Path, report: Report) -> list[Any]:
    """Return the records of a committed run as their API has them, without what was added to them."""
    assert report.manifest is not None
    return written_by(folder / report.manifest)


def written_by(manifest: Path) -> list[Any]:
    """Return the records that a manifest names, likewise."""
    return [_as_received(json.loads(record)) for record in records(manifest)]


def _as_received(record: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(record, dict):
        record.pop("_circulate", None)
    return record["value"] if isinstance(record, dict) and list(record) == ["value"] else record


def _end_of(report: Report) -> str:
    evidence = "; ".join(each.contradicted for each in report.ends.lists if each.contradicted)
    return evidence or report.stopped_by or ", ".join(report.ends.counts)


def without_address(text: str, server: ListServer) -> str:
    """Return a text without what differs from run to run."""
    return " ".join(stable(text.replace(str(server.server_port), "PORT")).split())
