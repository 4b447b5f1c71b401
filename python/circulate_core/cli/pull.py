"""`circulate pull`: bring streams up to date in a folder or a bucket."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import circulate_core
from circulate_core import _core
from circulate_core.catalogs import stream_definition, stream_names
from circulate_core.cli.exit_codes import EXIT_CODES, INTERRUPTED
from circulate_core.cli.options import (
    account_arguments,
    add_account_options,
    add_options,
    add_state_option,
    gather_settings,
    given_options,
    s3_options,
)
from circulate_core.cli.signals import stopping_on_signals
from circulate_core.cli.streams import STREAMS, matching
from circulate_core.console import MARKS, counted, paint, say, show_error, size, span, utc
from circulate_core.exceptions import CirculateError
from circulate_core.lakes import Lake
from circulate_core.progress import TerminalProgress

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from circulate_core.results import Drifted, PartitionCounts, Report
    from circulate_core.settings import Configured
    from circulate_core.types import Definition

GAPS_SHOWN = 10
PLACES_SHOWN = 3
SEVERITY = [EXIT_CODES[status] for status in ("complete", "busy", "partial", "failed")]
"""Exit codes from the best to the worst."""


NO_FLAGS = frozenset({"mode", "parents", "unattended", "continuation", "idempotency_key", "worker_ends"})
"""Options of a pull that are for programs, and the mode, which is `--full`."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `circulate pull`."""
    parser.add_argument("streams", metavar="STREAM", nargs="+", help=STREAMS)
    parser.add_argument(
        "--to", metavar="PLACE", required=True, help="folder or s3://bucket/prefix for objects and manifests"
    )
    add_state_option(parser)
    parser.add_argument("--full", action="store_true", help="pull everything, not only what changed since the last run")
    parser.add_argument("--json", action="store_true", help="write each report to stdout as a line of JSON")
    add_options(parser, "pull", but=NO_FLAGS)
    add_options(parser, "s3")
    add_account_options(parser)


def run(args: argparse.Namespace) -> int:
    """Pull one stream after the other, parents before their children, and return the worst exit code."""
    options = given_options(args, "pull") | ({"mode": "full"} if args.full else {})
    lake = Lake(args.to, state=args.state, s3=s3_options(args))
    names = matching(args.streams, stream_names(catalog=args.catalog))
    definitions = parents_first([stream_definition(name, catalog=args.catalog) for name in names])
    settings = [gather_settings(args, definition["source"]) for definition in definitions]
    deadline = _core.span_seconds("deadline", options["deadline"]) if "deadline" in options else None
    began = time.monotonic()
    stop = circulate_core.Stop()
    codes: list[int] = []
    manifests: dict[str, str] = {}
    with stopping_on_signals(stop):
        for definition, configured in zip(definitions, settings, strict=True):
            name, parent = stream_name(definition), parent_name(definition)
            left = None if deadline is None else deadline - (time.monotonic() - began)
            if stop.requested or (left is not None and left <= 0):
                say(f"{paint('◐', 'yellow')} {paint(name, 'bold')} was not started")
                codes.append(EXIT_CODES["partial"])
                continue
            try:
                given = {**options, "deadline": left, "parents": manifests.get(parent or "")}
                report = _pull(args, name, lake=lake, settings=configured, stop=stop, options=given)
            except CirculateError as error:
                if len(definitions) == 1:
                    raise
                show_error(error)
                codes.append(EXIT_CODES["failed"])
                continue
            if report.status == "complete" and report.manifest:
                manifests[name] = report.manifest
            codes.append(EXIT_CODES[report.status])
    return INTERRUPTED if stop.requested else max(codes, key=SEVERITY.index)


def parents_first(definitions: list[Definition]) -> list[Definition]:
    """Return each definition once, parents before their children, otherwise in the order given."""
    unique = list({stream_name(definition): definition for definition in definitions}.values())
    return sorted(unique, key=lambda definition: parent_name(definition) is not None)


def stream_name(definition: Definition) -> str:
    """Return `source.endpoint`."""
    return f"{definition['source']['source']}.{definition['endpoint']['endpoint']}"


def parent_name(definition: Definition) -> str | None:
    """Return `source.endpoint` of the parent of a child stream."""
    parent = definition["endpoint"]["list"].get("parent")
    return f"{definition['source']['source']}.{parent['endpoint']}" if parent else None


def _pull(  # noqa: PLR0913 - each is a different thing, given once
    args: argparse.Namespace,
    name: str,
    *,
    lake: Lake,
    settings: Configured,
    stop: circulate_core.Stop,
    options: dict[str, Any],
) -> Report:
    """Pull one stream, show its progress and its summary."""
    began = time.monotonic()
    try:
        with TerminalProgress(name) as progress:
            report = circulate_core.pull(
                name,
                to=lake,
                **account_arguments(args, settings),
                on_progress=progress.show,
                stop=stop,
                **options,
            )
    except CirculateError as error:
        if error.report:
            show_summary(error.report, time.monotonic() - began)
            write_json(args, error.report)
        raise
    show_summary(report, time.monotonic() - began)
    if "pending" in options and report.status == "complete":
        _show_ways_to_settle(report)
    write_json(args, report)
    return report


def write_json(args: argparse.Namespace, report: Report) -> None:
    """Write the report to stdout, if `--json` is given."""
    if args.json:
        print(json.dumps(report.to_dict()))


def show_summary(report: Report, seconds: float) -> None:
    """Write the closing summary to stderr."""
    mark, colour = MARKS[report.status]
    say(f"{paint(mark, colour)} {paint(report.stream, 'bold')} of {report.account}: {report.status}")
    if report.status == "busy":
        _show_holder(report)
        return
    if report.run_id is not None:
        _show_work(report, seconds)
    if partitions := report.partitions:
        _show_partitions(partitions)
    _show_gaps(report.gaps)
    if report.manifest:
        _show_complete(report)
    elif report.run_id is not None:
        _show_next_step(report)


def _show_work(report: Report, seconds: float) -> None:
    resumed = "  (resumed an unfinished run)" if report.resumed else ""
    compressed = report.body_bytes != report.bytes
    before = f" ({size(report.body_bytes)} before compression)" if compressed else ""
    say(
        f"  {counted(report.records, 'record')} in {counted(report.pages, 'page')}"
        f" → {counted(report.objects, 'object')}, {size(report.bytes)}{before}{resumed}"
    )
    say(
        f"  {span(seconds)} · {counted(report.requests, 'request')} · {report.retries:,} retried"
        f" · {report.throttled:,} throttled · {span(report.seconds_waited)} waited"
    )


def _show_partitions(partitions: PartitionCounts) -> None:
    others = [
        f"{partitions.gone:,} whose parent is gone" if partitions.gone else "",
        f"{partitions.unavailable:,} that this account lacks" if partitions.unavailable else "",
    ]
    say(f"  {', '.join([counted(partitions.complete, 'partition'), *filter(None, others)])}")


def _show_gaps(gaps: Sequence[str]) -> None:
    for gap in gaps[:GAPS_SHOWN]:
        say(paint(f"  missing: {gap}", "yellow"))
    if len(gaps) > GAPS_SHOWN:
        say(paint(f"  and {len(gaps) - GAPS_SHOWN:,} more, which the manifest names", "yellow"))


def _show_complete(report: Report) -> None:
    if unavailable := report.unavailable:
        say(paint(f"  this account lacks the feature: {unavailable}", "yellow"))
    elif report.records == 0 and report.repeats == 0:
        say(paint("  no records: is that what you expected?", "yellow"))
    if report.repeats:
        say(f"  {counted(report.repeats, 'record')} left out: delivered before, byte for byte")
    if report.records_without_time:
        say(f"  {counted(report.records_without_time, 'record')} without a time in the cursor field, delivered too")
    if drift := report.drift:
        _show_drift(drift)
    for warning in report.warnings:
        say(paint(f"  warning: {warning}", "yellow"))
    if behind := report.behind:
        say(f"  stopped {span(behind)} behind the present; the next pull goes on there")
    say(f"  manifest  {report.destination}/{report.manifest}")
    if report.mode != "window" and (since := report.next_since):
        say(f"  next run  asks for what changed since {utc(since)}")


def _show_drift(drift: Drifted) -> None:
    """Say what tables had no column for."""
    for place in drift.places[:PLACES_SHOWN]:
        kind = f"expected {place.expected}, found {place.found}" if place.kind == "type" else place.kind
        times = counted(place.count, "time")
        say(paint(f"  drift  {place.path}: {kind}, {times}, such as {place.example}", "yellow"))
    if len(drift.places) > PLACES_SHOWN:
        say(paint(f"  and more: {drift.values:,} values in all, which the manifest names by place", "yellow"))


def _show_next_step(report: Report) -> None:
    if report.status == "partial":
        say(f"  stopped by: {report.stopped_by}")
    if report.continuation and report.pages:
        say("  what was read is kept: the same command resumes at the last checkpoint")
    elif report.continuation:
        say("  nothing was read yet: the same command starts the run")
    else:
        say("  nothing was kept: the next pull starts over")
    if after := report.resume_after:
        say(f"  not before {utc(after)}")


def _show_holder(report: Report) -> None:
    if (holder := report.held_by) is None:
        return
    if holder.worker is None:
        say(f"  run {report.run_id} is pending until {utc(holder.until)}")
        _show_ways_to_settle(report)
        return
    say(f"  {holder.worker} is pulling it (run {report.run_id}), until {utc(holder.until)} unless it renews its lease")
    say("  pull again when it is done; if that process is dead, its lease lapses by itself")
    say(f"  if only a wrong clock keeps it: `circulate state abandon {report.run_id} --force`")


def _show_ways_to_settle(report: Report) -> None:
    say(f"  settle it: `circulate state commit {report.run_id}`, or `abandon` instead of `commit`")
