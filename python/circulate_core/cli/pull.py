"""`circulate pull`: bring streams up to date in a folder or a bucket."""

from __future__ import annotations

import argparse
import json
import signal
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import circulate_core
from circulate_core import _core, api
from circulate_core.cli.options import (
    account_arguments,
    add_account_options,
    add_s3_options,
    gather_settings,
    s3_options,
)
from circulate_core.cli.signals import handling
from circulate_core.console import MARKS, counted, paint, say, show_error, size, span, utc
from circulate_core.exceptions import CirculateError
from circulate_core.progress import TerminalProgress

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType

    from circulate_core.results import Drifted, PartitionCounts, Report
    from circulate_core.settings import Configured
    from circulate_core.types import Definition

EXIT_CODES = {"complete": 0, "failed": 1, "partial": 3, "busy": 4}
INTERRUPTED = 130
GAPS_SHOWN = 10
PLACES_SHOWN = 3
SEVERITY = [EXIT_CODES[status] for status in ("complete", "busy", "partial", "failed")]
"""Exit codes from the best to the worst."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `circulate pull`."""
    parser.add_argument("streams", metavar="STREAM", nargs="+", help="what to pull, such as okta.users")
    parser.add_argument(
        "--to", metavar="PLACE", required=True, help="folder or s3://bucket/prefix for objects and manifests"
    )
    parser.add_argument("--full", action="store_true", help="pull everything, not only what changed since the last run")
    parser.add_argument("--since", metavar="TIME", help="pull only from this time on; the cursor stays")
    parser.add_argument("--until", metavar="TIME", help="pull only before this time; the cursor stays")
    parser.add_argument("--restart", action="store_true", help="start over instead of resuming an unfinished run")
    parser.add_argument(
        "--deadline", metavar="SPAN", type=read_span, help="stop at a checkpoint after this time, such as 10m"
    )
    parser.add_argument(
        "--format",
        choices=["json", "ndjson", "parquet", "arrow"],
        default="json",
        help="format of objects: records as received in arrays (default) or lines, or tables",
    )
    parser.add_argument(
        "--compression",
        choices=["gzip", "zstd", "none"],
        help="compression of objects (default: gzip, level 6; in tables zstd, level 3)",
    )
    parser.add_argument(
        "--batch-records", metavar="N", type=positive, help="record limit of an object (default: 1000; not for tables)"
    )
    parser.add_argument(
        "--batch-bytes",
        metavar="N",
        type=positive,
        help="size limit of an object before compression (default: 3000000), or of a table (default: 64000000)",
    )
    parser.add_argument(
        "--nested",
        choices=["struct", "flatten", "json"],
        default="struct",
        help="objects and lists in tables: structs (default), a column for each member, or JSON text",
    )
    parser.add_argument("--raw", action="store_true", help="add a column with the records as received to tables")
    parser.add_argument(
        "--contract",
        choices=["evolve", "rescue", "freeze"],
        default="evolve",
        help="values that have no column in tables: add columns (default), use one column for all, or fail",
    )
    parser.add_argument(
        "--max-record-bytes", metavar="N", type=positive, help="size limit of a record (default: 16000000)"
    )
    parser.add_argument(
        "--memory",
        metavar="N",
        type=positive,
        help="memory budget in bytes (default: 64000000; for tables 128000000)",
    )
    add_state_option(parser)
    parser.add_argument(
        "--max-wait", metavar="SPAN", type=read_span, help="stop instead of waiting longer than this for the API"
    )
    parser.add_argument(
        "--lease",
        metavar="SPAN",
        type=read_span,
        default=60.0,
        help="lease time: how long a run stays locked if its worker dies (default: 60s)",
    )
    parser.add_argument(
        "--pending",
        metavar="SPAN",
        type=read_span,
        help="leave the run pending for this long, until `circulate state commit`",
    )
    parser.add_argument("--json", action="store_true", help="write each report to stdout as a line of JSON")
    add_s3_options(parser, writes=True)
    add_account_options(parser)


def add_state_option(parser: argparse.ArgumentParser) -> None:
    """Declare `--state`."""
    parser.add_argument(
        "--state",
        metavar="PLACE",
        help="state file or dynamodb://table (default: .circulate/state.db in the folder; needed for a bucket)",
    )


def run(args: argparse.Namespace) -> int:
    """Pull one stream after the other, parents before their children, and return the worst exit code."""
    definitions = parents_first([api.stream_definition(name, catalog=args.catalog) for name in args.streams])
    settings = [gather_settings(args, definition["source"]) for definition in definitions]
    began = time.monotonic()
    stop = circulate_core.Stop()
    codes: list[int] = []
    manifests: dict[str, str] = {}
    with stopping_on_signals(stop):
        for definition, configured in zip(definitions, settings, strict=True):
            name, parent = stream_name(definition), parent_name(definition)
            left = None if args.deadline is None else args.deadline - (time.monotonic() - began)
            if stop.requested or (left is not None and left <= 0):
                say(f"{paint('◐', 'yellow')} {paint(name, 'bold')} was not started")
                codes.append(EXIT_CODES["partial"])
                continue
            try:
                report = _pull(args, name, configured, stop, deadline=left, parents=manifests.get(parent or ""))
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
    settings: Configured,
    stop: circulate_core.Stop,
    *,
    deadline: float | None,
    parents: str | None,
) -> Report:
    """Pull one stream, show its progress and its summary."""
    began = time.monotonic()
    try:
        with TerminalProgress(name) as progress:
            report = circulate_core.pull(
                name,
                to=args.to,
                **account_arguments(args, settings),
                mode="full" if args.full else "incremental",
                since=args.since,
                until=args.until,
                parents=parents,
                restart=args.restart,
                format=args.format,
                compression=args.compression,
                batch_records=args.batch_records,
                batch_bytes=args.batch_bytes,
                nested=args.nested,
                raw=args.raw,
                contract=args.contract,
                max_record_bytes=args.max_record_bytes,
                memory=args.memory,
                state=args.state,
                deadline=deadline,
                max_wait=args.max_wait,
                lease=args.lease,
                pending=args.pending,
                s3=s3_options(args),
                on_progress=progress.show,
                stop=stop,
            )
    except CirculateError as error:
        if error.report:
            show_summary(error.report, time.monotonic() - began)
            write_json(args, error.report)
        raise
    show_summary(report, time.monotonic() - began)
    if args.pending and report.status == "complete":
        _show_ways_to_settle(report)
    write_json(args, report)
    return report


def write_json(args: argparse.Namespace, report: Report) -> None:
    """Write the report to stdout, if `--json` is given."""
    if args.json:
        print(json.dumps(report.to_dict()))


@contextmanager
def stopping_on_signals(stop: circulate_core.Stop) -> Iterator[None]:
    """Let Ctrl-C, SIGTERM and SIGHUP stop the pull at a checkpoint; a second one ends it at once."""

    def request_stop(_number: int, _frame: FrameType | None) -> None:
        if stop.requested:
            raise KeyboardInterrupt
        stop.request()
        # A write to stderr that the signal has interrupted keeps others out, and a terminal that hung up takes none.
        with suppress(RuntimeError, OSError):
            say("stopping at a checkpoint; once more to stop at once")

    # `nohup` has it ignored.
    hung_up = () if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else (signal.SIGHUP,)
    with handling(request_stop, signal.SIGINT, signal.SIGTERM, *hung_up):
        yield


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


def read_span(text: str) -> float:
    """Return the seconds of a length of time such as `10m`."""
    try:
        return _core.span_seconds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def positive(text: str) -> int:
    """Return a number of 1 or more."""
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        message = f"`{text}` is not a number of 1 or more"
        raise argparse.ArgumentTypeError(message)
    return number


def lake_state(args: argparse.Namespace) -> str:
    """Return the state that `--to` and `--state` name."""
    return api.state_of_lake(api.place(args.to or "."), args.state)
