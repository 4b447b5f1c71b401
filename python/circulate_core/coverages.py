"""Coverage: which time the committed runs of a lake hold of each stream, and where something is missing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from circulate_core import _core, display
from circulate_core.documents import Result
from circulate_core.lakes import lake_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from os import PathLike

    from circulate_core.lakes import Lake
    from circulate_core.types import Definition, S3Options

SpanKind = Literal["complete", "partial", "missing", "expired"]
"""What a lake holds of a span of time: all; some, since the API refused the rest; nothing; nothing any more."""
BEGINNING = datetime.min.replace(tzinfo=UTC)
"""Stands for no lower bound while spans are put together."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MARGIN = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class Span(Result):
    """A span of time of a stream.

    Attributes:
        since: Inclusive lower bound; None is as far back as the API goes.
        until: Exclusive upper bound.
        kind: `complete`; `partial`: a run had gaps there; `missing`: no run took it, between others that did;
            `expired`: the objects are no longer there, such as by the retention of a bucket.
        runs: The runs that took it, oldest first.
    """

    since: datetime | None
    until: datetime
    kind: SpanKind
    runs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class Coverage(Result):
    """What a lake holds of a stream, by time.

    Attributes:
        stream: `source.endpoint`.
        account: The account's name.
        complete_until: Up to when everything is there, without a gap, from the beginning on or from the first run's
            lower bound; None if that is nowhere.
        spans: Spans without overlap, oldest first.
    """

    stream: str
    account: str
    complete_until: datetime | None
    spans: tuple[Span, ...]

    @property
    def gaps(self) -> tuple[Span, ...]:
        """The spans that are `missing` or `partial`: another pull may fill them."""
        return tuple(span for span in self.spans if span.kind in {"missing", "partial"})


class Coverages(list[Coverage]):
    """What a lake holds of its streams, by time."""

    def _repr_html_(self) -> str:
        """Show it in a notebook."""
        return display.html(self)


class Period(NamedTuple):
    """A period to pull; without a lower bound everything is pulled."""

    since: datetime | None
    until: datetime | None

    @property
    def options(self) -> dict[str, str]:
        """It as options of `circulate_core.pull`."""
        if self.since is None:
            return {"mode": "full"}
        return {name: _text(bound) for name, bound in self._asdict().items() if bound}


class _Taken(NamedTuple):
    """What a run took."""

    since: datetime
    until: datetime
    kind: SpanKind
    run_id: str


def coverage(
    lake: str | PathLike[str] | Lake,
    stream: str | None = None,
    *,
    state: str | PathLike[str] | None = None,
    s3: S3Options | None = None,
) -> Coverages:
    """Return which time the committed runs of a lake hold of each stream, and where something is missing.

    A run that takes everything covers all time up to the server's `Date` at its first response. One by a cursor or by
    `since` and `until` covers that period, on the axis of the times that the API selects by. What a later run had whole
    is covered, whatever an earlier one missed.

    Args:
        lake: Folder or `s3://bucket/prefix` that was pulled or promoted to.
        stream: `source.endpoint`. Default: all.
        state: As for `circulate_core.Lake`; needed for a lake of before 0.2 whose runs are not marked.
        s3: How a bucket is used.

    Raises:
        StateError: Nothing says which runs count.
        MismatchError: A manifest was changed.
    """
    place = lake_of(lake, state, s3)
    runs = _core.lake_runs(place, stream)
    by_stream = groupby(runs, key=lambda run: (run["stream"], run["account"]))
    return Coverages(covered(name, account, list(of_stream)) for (name, account), of_stream in by_stream)


def covered(stream: str, account: str, runs: Sequence[Mapping[str, Any]]) -> Coverage:
    """Return what runs of one stream and account hold, which are given in the order of their commits.

    Args:
        stream: `source.endpoint`.
        account: The account's name.
        runs: Each with `run_id`, `verdict`, `window`, `started_at`, `first_server_date`, `behind` and `expired`.
    """
    taken = [each for each in map(_taken, runs) if each.since < each.until]
    spans = list(_merged(_pieces(taken)))
    until = None
    for span in spans:
        if span["kind"] != "complete":
            break
        until = span["until"]
    return Coverage({"stream": stream, "account": account, "complete_until": until, "spans": spans})


def periods(found: Iterable[Coverage], definition: Definition, now: datetime) -> tuple[list[Period], list[Span]]:
    """Return what to pull so that the gaps of a stream are filled, and the gaps that its API has nothing of any more.

    Args:
        found: The coverage of the stream, of one account.
        definition: Its definition.
        now: The present.
    """
    listed: Mapping[str, Any] = definition["endpoint"]["list"]
    polling, incremental = listed.get("polling"), listed.get("incremental") or {}
    gaps = [gap for each in found for gap in each.gaps]
    if not (polling or incremental.get("since") or incremental.get("client_side")):
        return [Period(None, None)] if gaps else [], []
    # The API's present has moved on by the time it is asked.
    oldest = now - timedelta(seconds=_core.span_seconds("oldest", polling["oldest"])) + _MARGIN if polling else None
    ends = bool(polling or incremental.get("until") or incremental.get("client_side"))
    wanted, lost = [], []
    for gap in gaps:
        if oldest and gap.until <= oldest:
            lost.append(gap)
            continue
        since = gap.since if oldest is None or gap.since is None else max(gap.since, oldest)
        wanted.append(Period(since, gap.until if since and ends else None))
    return wanted, lost


def _taken(run: Mapping[str, Any]) -> _Taken:
    window, behind = run["window"], timedelta(seconds=run.get("behind") or 0)
    asked = _time(window["until"]) if window["until"] else None
    until = _time(run["first_server_date"] or run["started_at"]) - behind
    kind: SpanKind = "complete" if run["verdict"] == "complete" else "partial"
    if run.get("expired"):
        kind = "expired"
    since = _time(window["since"]) if window["since"] else BEGINNING
    return _Taken(
        # Some APIs need to be given a time by who wants everything.
        since if since > _EPOCH else BEGINNING,
        until if asked is None else min(asked, max(until, _time(run["started_at"]))),
        kind,
        run["run_id"],
    )


def _pieces(taken: Sequence[_Taken]) -> Iterable[dict[str, Any]]:
    """Cut time where a run begins or ends, and say of each piece what the runs hold of it."""
    bounds = sorted({bound for each in taken for bound in (each.since, each.until)})
    for since, until in pairwise(bounds):
        of_piece = [each for each in taken if each.since <= since and until <= each.until]
        kinds = {each.kind for each in of_piece}
        kind = next((kind for kind in ("complete", "partial", "expired") if kind in kinds), "missing")
        runs = [each.run_id for each in of_piece if each.kind == kind]
        yield {"since": since, "until": until, "kind": kind, "runs": runs}


def _merged(pieces: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    """Put neighbours of one kind together, as what JSON can hold."""
    for kind, of_kind in groupby(pieces, key=lambda piece: piece["kind"]):
        pieces_of_kind = list(of_kind)
        since, until = pieces_of_kind[0]["since"], pieces_of_kind[-1]["until"]
        runs = dict.fromkeys(run for piece in pieces_of_kind for run in piece["runs"])
        yield {
            "since": None if since == BEGINNING else _text(since),
            "until": _text(until),
            "kind": kind,
            "runs": sorted(runs),
        }


def _time(text: str) -> datetime:
    """Return a time of a manifest, to the microsecond."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{whole}.{(fraction + '000000')[:6]}+00:00")


def _text(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")
