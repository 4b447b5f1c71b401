"""Summaries of `circulate pull`, on stderr: a block for a single stream; for several a line each, and a total.

The time of a pull is that of one attempt. So of a run that was resumed the numbers beside it are those of the attempt
too, and those of the run in all follow, said so.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Protocol

from circulate_core.console import MARKS, counted, paint, say, size, span, utc
from circulate_core.progress import text_width, work_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from circulate_core.results import Attempt, Drifted, PartitionCounts, Report, Status

GAPS_SHOWN = 10
PLACES_SHOWN = 3
BEST_FIRST: list[Status] = ["complete", "busy", "partial", "failed"]
"""What several streams came to is marked as the worst of them."""
NOT_STARTED = "not started"


class Summary(Protocol):
    """What came of one or several streams, for people."""

    def place(self, name: str) -> str | None:
        """Return which of the streams this is, if there are several."""

    def not_started(self, name: str) -> None:
        """Say that there was no time for a stream."""

    def failed(self, name: str, report: Report | None, seconds: float) -> None:
        """Say that a stream failed; its error follows."""

    def show(self, report: Report, seconds: float) -> None:
        """Say what came of a stream."""

    def end(self, seconds: float) -> None:
        """Say what came of all."""


def summary_of(names: Sequence[str]) -> Summary:
    """Return how streams are summed up."""
    return BlockSummary() if len(names) == 1 else LineSummary(names)


class BlockSummary:
    """All there is to say of a single stream."""

    def place(self, name: str) -> None:
        """There are no others."""

    def not_started(self, name: str) -> None:
        """Say that there was no time for it."""
        mark, colour = MARKS["partial"]
        say(f"{paint(mark, colour)} {paint(name, 'bold')} was {NOT_STARTED}")

    def failed(self, _name: str, report: Report | None, seconds: float) -> None:
        """Say how far it came; its error follows."""
        if report:
            self.show(report, seconds)

    def show(self, report: Report, seconds: float) -> None:
        """Say what came of it."""
        mark, colour = MARKS[report.status]
        say(f"{paint(mark, colour)} {paint(report.stream, 'bold')} of {report.account}: {report.status}")
        if report.run_id is not None and report.status != "busy":
            _show_work(report, seconds)
            if partitions := report.partitions:
                _show_partitions(partitions)
        _show_what_needs_attention(report)
        if report.manifest and report.status != "busy":
            _show_complete(report)

    def end(self, seconds: float) -> None:
        """It was all said."""


class LineSummary:
    """A line for each of several streams, with what needs attention below it, and a total.

    Args:
        names: The streams, in the order in which they are pulled.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = list(names)
        self._width = max(map(text_width, names))
        self._counts: Counter[str] = Counter()
        self._worst: Status = "complete"
        self._works: list[Report | Attempt] = []

    def place(self, name: str) -> str:
        """Return which of the streams this is."""
        return f"{self._names.index(name) + 1} of {len(self._names)} streams"

    def not_started(self, name: str) -> None:
        """Say that there was no time for a stream."""
        self._line("partial", name, NOT_STARTED)

    def failed(self, name: str, report: Report | None, seconds: float) -> None:
        """Say that a stream failed; its error follows."""
        if report:
            self.show(report, seconds)
        else:
            self._line("failed", name, "failed", span(seconds))

    def show(self, report: Report, seconds: float) -> None:
        """Say what came of a stream."""
        work = work_of(report)
        facts = [] if report.status == "busy" else [_stored(work), span(seconds)]
        if work is not report:
            facts.append(f"the run in all: {_stored(report)}")
        if report.deletes and report.deletes.count:
            facts.append(f"{counted(report.deletes.count, 'record')} deleted")
        self._line(report.status, report.stream, report.status, *facts)
        if report.status != "busy":
            self._works.append(work)
        _show_what_needs_attention(report)

    def end(self, seconds: float) -> None:
        """Write the total."""
        mark, colour = MARKS[self._worst]
        (first, number), *others = self._counts.items()
        came_to = ", ".join([f"{number} {first}", *(f"{number} {word}" for word, number in others)])
        sums = {name: sum(getattr(work, name) for work in self._works) for name in _SUMMED}
        facts = [
            f"{paint(mark, colour)} {paint(counted(len(self._names), 'stream'), 'bold')}: {came_to}",
            _amounts(sums["records"], sums["objects"], sums["bytes"]),
            *([counted(sums["requests"], "request")] if sums["requests"] else []),
            span(seconds),
        ]
        say("  ".join(facts))

    def _line(self, status: Status, name: str, word: str, *facts: str) -> None:
        self._counts[word] += 1
        self._worst = max(self._worst, status, key=BEST_FIRST.index)
        mark, colour = MARKS[status]
        padded = paint(name, "bold") + " " * (self._width - text_width(name))
        say("  ".join([f"{paint(mark, colour)} {padded}", word.ljust(len("complete")), *facts]).rstrip())


_SUMMED = ("records", "objects", "bytes", "requests")


def _amounts(records: int, objects: int, stored: int) -> str:
    """Return what was written, in short."""
    if not records:
        return "no records"
    return f"{counted(records, 'record')} → {counted(objects, 'object')}, {size(stored)}"


def _stored(work: Report | Attempt) -> str:
    return _amounts(work.records, work.objects, work.bytes)


def _traffic(work: Report | Attempt) -> list[str]:
    """Return what HTTP cost, as far as it is not zero."""
    return [
        counted(work.requests, "request"),
        *([f"{work.retries:,} retried"] if work.retries else []),
        *([f"{work.throttled:,} throttled"] if work.throttled else []),
        *([f"{span(work.seconds_waited)} waited"] if work.seconds_waited else []),
    ]


def _read_and_stored(work: Report | Attempt) -> str:
    if not work.pages:
        return "no page was read"
    read = f"{counted(work.records, 'record') if work.records else 'no records'} in {counted(work.pages, 'page')}"
    if not work.objects:
        return read
    before = f" ({size(work.body_bytes)} before compression)" if work.body_bytes != work.bytes else ""
    return f"{read} → {counted(work.objects, 'object')}, {size(work.bytes)}{before}"


def _show_work(report: Report, seconds: float) -> None:
    work = work_of(report)
    if work is report:
        say(f"  {_read_and_stored(report)}")
        say(f"  {' · '.join([span(seconds), *_traffic(report)])}")
        return
    say(f"  this attempt:    {' · '.join([_read_and_stored(work), span(seconds), *_traffic(work)])}")
    say(f"  the run in all:  {' · '.join([_read_and_stored(report), *_traffic(report)])}")


def _show_partitions(partitions: PartitionCounts) -> None:
    others = [
        f"{partitions.gone:,} whose parent is gone" if partitions.gone else "",
        f"{partitions.unavailable:,} that this account lacks" if partitions.unavailable else "",
    ]
    say(f"  {', '.join([counted(partitions.complete, 'partition'), *filter(None, others)])}")


def _show_what_needs_attention(report: Report) -> None:
    """Say what a person is to look at or to do."""
    if report.status == "busy":
        _show_holder(report)
        return
    _show_gaps(report.gaps)
    if report.manifest is None:
        if report.run_id is not None:
            _show_next_step(report)
        return
    if unavailable := report.unavailable:
        say(paint(f"  this account lacks the feature: {unavailable}", "yellow"))
    if report.records_without_time:
        say(f"  {counted(report.records_without_time, 'record')} without a time in the cursor field, delivered too")
    if drift := report.drift:
        _show_drift(drift)
    if report.records_without_key:
        say(f"  {counted(report.records_without_key, 'record')} without a primary key: never merged nor deleted")
    _show_withheld(report)
    for warning in report.warnings:
        say(paint(f"  warning: {warning}", "yellow"))
    if behind := report.behind:
        say(f"  stopped {span(behind)} behind the present; the next pull goes on there")


def _show_withheld(report: Report) -> None:
    """Say which records are missing and were not deleted, and how to delete them."""
    if report.deletes is None or (withheld := report.deletes.withheld) is None:
        return
    what = f"{counted(withheld.count, 'record')} missing" if withheld.count else "what may be missing"
    say(paint(f"  not deleted: {what}: {withheld.reason}", "yellow"))
    say("  if they no longer exist: the same command with `--full --accept-deletes`")


def _show_gaps(gaps: Sequence[str]) -> None:
    for gap in gaps[:GAPS_SHOWN]:
        say(paint(f"  missing: {gap}", "yellow"))
    if len(gaps) > GAPS_SHOWN:
        say(paint(f"  and {len(gaps) - GAPS_SHOWN:,} more, which the manifest names", "yellow"))


def _show_complete(report: Report) -> None:
    nothing_new = report.repeats or report.unchanged or "unchanged" in report.ends.counts
    if report.records == 0 and not nothing_new and not report.unavailable:
        say(paint("  no records: is that what you expected?", "yellow"))
    if report.repeats:
        say(f"  {counted(report.repeats, 'record')} left out: delivered before, byte for byte")
    if report.unchanged:
        say(f"  {counted(report.unchanged, 'record')} left out: older than what was read before")
    if report.deletes and report.deletes.count:
        say(f"  {counted(report.deletes.count, 'record')} deleted: no longer there")
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


def _bounds(report: Report) -> str:
    """Return the flags of a period, which may have been given as a length of time before a now that has passed."""
    if report.mode != "window":
        return ""
    bounds = (("--since", report.window.since), ("--until", report.window.until))
    flags = [f"{flag} {bound.isoformat().replace('+00:00', 'Z')}" for flag, bound in bounds if bound]
    return f" with {' '.join(flags)}" if flags else ""


def _show_next_step(report: Report) -> None:
    if report.status == "partial":
        say(f"  stopped by: {report.stopped_by}")
    if report.continuation and report.pages:
        say(f"  what was read is kept: the same command{_bounds(report)} resumes at the last checkpoint")
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
        show_ways_to_settle(report)
        return
    say(f"  {holder.worker} is pulling it (run {report.run_id}), until {utc(holder.until)} unless it renews its lease")
    say("  pull again when it is done; if that process is dead, its lease lapses by itself")
    say(f"  if only a wrong clock keeps it: `circulate state abandon {report.run_id} --force`")


def show_ways_to_settle(report: Report) -> None:
    """Say how a pending run comes to its end."""
    say(f"  settle it: `circulate state commit {report.run_id}`, or `abandon` instead of `commit`")
