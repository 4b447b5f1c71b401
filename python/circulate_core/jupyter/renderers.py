"""Registers what shows results in notebooks; `circulate_core.display` loads it when the first one is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circulate_core import display
from circulate_core.authoring.proposal import Proposal
from circulate_core.coverages import Coverages
from circulate_core.documents import Result
from circulate_core.jupyter import html
from circulate_core.manifests import Manifest
from circulate_core.reading import Batch, Source, Stream
from circulate_core.results import Drifts, LakeStreams, Report, Runs
from circulate_core.tables import Schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    from circulate_core.tables import Column


def _schema(_: Schema, lines: Sequence[tuple[int, Column]]) -> str:
    return html.schema(lines)


display.register(Source, html.source)
display.register(Stream, html.stream)
display.register(Batch, html.batch)
display.register(Schema, _schema)
display.register(Result, html.result)
display.register(Report, html.report)
display.register(Runs, html.runs)
display.register(Drifts, html.drift)
display.register(LakeStreams, html.lake_streams)
display.register(Coverages, html.coverages)
display.register(Manifest, html.manifest)
display.register(Proposal, html.proposal)
