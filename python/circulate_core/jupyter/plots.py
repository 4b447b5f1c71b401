"""Pictures for notebooks: how a run went, how events spread, who has what, and since when. Needs the extra `plots`.

```python
from circulate_core.jupyter import plots

plots.events(log["published"], by=log["eventType"])
plots.run(stream.history)
plots.matrix(assigned["_parent_id"], assigned["id"], by=assigned["scope"])
plots.ages(users["lastLogin"], limit="90d")
plots.over_time(periods["since"], periods["until"])
plots.coverage(circulate_core.coverage("./lake"))
```

Figures have no background, and their lines and texts are of a grey that reads on white and on black.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from circulate_core import _core
from circulate_core.console import counted, span
from circulate_core.exceptions import SettingsError

try:
    import numpy as np
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
    from matplotlib.patches import Patch
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    from circulate_core.jupyter import figures
    from circulate_core.jupyter.ages import ages
    from circulate_core.jupyter.columns import as_datetimes, as_labels, distinct, now_or
    from circulate_core.jupyter.figures import COLOURS, INK, OTHER, WIDTH, Group, Picture
    from circulate_core.jupyter.matrices import matrix
except ImportError as error:
    missing = "pictures need matplotlib: pip install 'circulate-core[plots]'"
    raise ImportError(missing, name=error.name) from error

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from circulate_core.coverages import Coverage
    from circulate_core.history import History, Point
    from circulate_core.jupyter.columns import Times

__all__ = ["COLOURS", "INK", "OTHER", "WIDTH", "Picture", "ages", "coverage", "events", "matrix", "over_time", "run"]

REQUESTS, RECORDS, QUOTA, WAITING = "#0072b2", "#009e73", "#cc79a7", "#e69f00"
"""Of what is drawn of a run."""

SPAN_COLOURS = {"complete": "#009e73", "partial": "#e69f00", "missing": "#d55e00", "expired": "#9a9a9a"}
"""Of spans of time, by what a lake holds of them."""

RATE_BINS = 90
"""Most steps of a curve of rates."""
EVENT_BINS = 120
"""Most bins of events."""
STEPS = 2_000
"""Most steps of how many there were over time."""

DATES = ["%Y", "%b %Y", "%-d %b", "%H:%M", "%H:%M", "%H:%M:%S"]
"""How years, months, days, hours, minutes and seconds are written on an axis."""
FIRST_DATES = ["", "%Y", "%-d %b", "%-d %b", "%H:%M", "%H:%M"]
"""How the first of each in the next longer one is written."""
BINS = [
    timedelta(seconds=1),
    timedelta(seconds=10),
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=15),
    timedelta(hours=1),
    timedelta(hours=3),
    timedelta(hours=6),
    timedelta(hours=12),
    timedelta(days=1),
    timedelta(days=7),
]
"""Lengths that bins of events have by themselves."""
MONDAY = np.datetime64("1970-01-05T00:00:00", "ms")
"""Where bins begin, or a whole number of bins before or after."""


def run(history: History | None, title: str | None = None) -> Figure:
    """Draw how a read or a pull went: requests and records a second, the quota left, and when it waited.

    Args:
        history: The history of a stream: `stream.history`.
        title: Above the picture. Default: the stream's name.

    Raises:
        SettingsError: There is no history, or nothing in it yet.
    """
    if history is None or not history.points:
        message = "there is no history: the stream was not read or pulled yet"
        raise SettingsError(message, hint="read it first, as in `for batch in stream`, and give `stream.history`")
    points = history.points
    has_quota = any(point.snapshot.quota for point in points)
    figure = Picture(figsize=(WIDTH, 4.6 if has_quota else 3.2), layout="constrained")
    panels = list(figure.subplots(3 if has_quota else 2, 1, sharex=True, squeeze=False)[:, 0])
    last = points[-1].snapshot
    _rate(panels[0], points, "requests", f"requests per second  ({last.requests:,} in all)", REQUESTS)
    _rate(panels[1], points, "records", f"records per second  ({last.records:,} in all)", RECORDS)
    if has_quota:
        _quota(panels[2], points, history.headroom)
    _waits(panels, history)
    end = max(history.seconds, 0.001)
    for panel in panels:
        figures.clean(panel)
        panel.set_xlim(0, end)
    panels[-1].set_xlabel("time since it began", color=INK, fontsize=9)
    panels[-1].xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: _clock(seconds, end)))
    figures.title(figure, title if title is not None else f"{history.stream} in {span(history.seconds)}")
    return figure


def _rate(panel: Axes, points: Sequence[Point], what: str, name: str, colour: str) -> None:
    """Draw how much was counted a second, in as many steps as there is something to say."""
    seconds = np.array([0.0, *(point.seconds for point in points)])
    counts = np.array([0.0, *(float(getattr(point.snapshot, what)) for point in points)])
    steps = max(1, min(RATE_BINS, len(points)))
    edges = np.linspace(0.0, max(float(seconds[-1]), 0.001), steps + 1)
    rates = np.diff(np.interp(edges, seconds, counts)) / np.diff(edges)
    panel.stairs(rates, edges, fill=True, color=colour, alpha=0.25, linewidth=0)
    panel.stairs(rates, edges, color=colour, linewidth=1.5, baseline=None)
    panel.set_ylim(0, max(float(rates.max()) * 1.15, 0.001))
    figures.heading(panel, name)


def _quota(panel: Axes, points: Sequence[Point], headroom: float | None) -> None:
    """Draw the quota as last reported, and what is left to others."""
    reported = [(point.seconds, point.snapshot.quota) for point in points if point.snapshot.quota]
    left = [(seconds, quota.remaining, quota.limit) for seconds, quota in reported if quota]
    end = points[-1].seconds
    seconds, remaining = [each[0] for each in left], [each[1] for each in left]
    panel.step([*seconds, end], [*remaining, remaining[-1]], where="post", color=QUOTA, linewidth=1.5)
    limit = max(each[2] for each in left)
    panel.set_ylim(0, limit * 1.12)
    figures.heading(panel, f"requests left of a quota of {limit:,}")
    if headroom:
        kept = limit * headroom
        panel.axhline(kept, color=INK, linewidth=1, linestyle=(0, (4, 3)))
        panel.annotate(
            f"{headroom:.0%} is left to others",
            (1, kept),
            xycoords=("axes fraction", "data"),
            xytext=(-3, -3),
            textcoords="offset points",
            ha="right",
            va="top",
            color=INK,
            fontsize=8,
        )


def _waits(panels: Sequence[Axes], history: History) -> None:
    """Shade the times in which nothing was requested, and say what they add up to."""
    waits = history.waits
    for panel in panels:
        for wait in waits:
            panel.axvspan(wait.began, wait.ended, color=WAITING, alpha=0.16, linewidth=0)
    if waits:
        total = span(sum(wait.ended - wait.began for wait in waits))
        panels[0].set_title(f"shaded: waiting, {total} in all", loc="right", color=WAITING, fontsize=9)


def over_time(  # noqa: PLR0913 - how it is drawn
    since: Iterable[object],
    until: Iterable[object] | None = None,
    by: Iterable[object] | None = None,
    *,
    now: str | datetime | None = None,
    top: int = 6,
    colours: Mapping[str, str] | None = None,
    title: str | None = None,
) -> Figure:
    """Draw how many there were over time, such as assignments; below that, how many began and how many ended.

    Args:
        since: When each began: RFC 3339 strings, datetimes, or a column of pandas, polars, NumPy or Arrow. What is
            missing began before all others.
        until: When each ended. What is missing has not ended. Default: none of them has.
        by: A label of each.
        now: Where the picture ends, unless something is later. Default: now.
        top: How many labels are drawn, the largest first; the others are added up. 1 to 8, default 6.
        colours: Colours of some labels, which are drawn first, in this order.
        title: Above the picture. Default: how many there were first and last, and how many began and ended.

    Raises:
        SettingsError: There is nothing to draw, or an argument is wrong.
    """
    lasting = _lasting(since, until)
    labels = None if by is None else as_labels(by, len(lasting.began), "times")
    times = np.concatenate([lasting.began, lasting.ended])
    times = times[~np.isnat(times)]
    if not len(times):
        message = "there is nothing to draw: no time in `since` and `until`"
        raise SettingsError(message, hint="take a longer time, or look at what was left out")
    first = times.min()
    last = max(times.max(), now_or(now), first + np.timedelta64(1, "s"))
    groups = [Group("", frozenset(), COLOURS[0])]
    if labels is not None:
        groups = figures.groups(labels.tolist(), top, colours)
    layers = [lasting]
    if labels is not None:
        number = figures.numbered(labels.tolist(), groups)
        layers = [lasting.of(number == each) for each in range(len(groups))]

    figure = Picture(figsize=(WIDTH, 4.4), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1])
    instants = distinct(times)
    if len(instants) > STEPS:
        instants = np.unique(first + (last - first) * np.arange(STEPS) // STEPS)
    counts = [layer.at(instants) for layer in layers]
    names = ["" if labels is None else group.counted(count[-1]) for group, count in zip(groups, counts, strict=True)]
    drawn = list(zip(names, counts, [group.colour for group in groups], strict=True))
    _stack(above, np.append(instants, last + np.timedelta64(1, "ms")), drawn)
    length = _bin_length(np.array([first, last]), None)
    edges = _edges(np.array([first, last]), length)
    _turns(below, edges, [(layer.within(first), group.colour) for layer, group in zip(layers, groups, strict=True)])
    for panel in (above, below):
        figures.clean(panel)
    figures.heading(above, f"how many there were, {_from_to(first, last)}")
    figures.heading(below, f"began, and below the line ended, per {figures.length_in_words(length)}")
    above.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    below.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    below.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{abs(value):,.0f}"))
    below.axhline(0, color=INK, linewidth=0.8)
    _dates(below)
    below.set_xlim(edges[0], edges[-1])
    figures.title(figure, title if title is not None else _balance(lasting, first, last))
    return figure


class _Lasting(NamedTuple):
    """When things began and ended."""

    began: Times
    """Not a time where it was always there."""
    ended: Times
    """Not a time where it has not ended."""

    def of(self, which: NDArray[np.bool_]) -> _Lasting:
        """Return some of them."""
        return _Lasting(self.began[which], self.ended[which])

    def within(self, first: np.datetime64) -> _Lasting:
        """Return when things began after a time, and when they ended."""
        return _Lasting(self.began[self.began > first], self.ended[~np.isnat(self.ended)])

    def at(self, instants: Times) -> NDArray[np.int64]:
        """Return how many there were at each instant."""
        began, ended = np.sort(self.began[~np.isnat(self.began)]), np.sort(self.ended[~np.isnat(self.ended)])
        always = int(np.isnat(self.began).sum())
        return always + np.searchsorted(began, instants, "right") - np.searchsorted(ended, instants, "right")


def _lasting(since: Iterable[object], until: Iterable[object] | None) -> _Lasting:
    """Return when things began and ended.

    Raises:
        SettingsError: They do not fit each other.
    """
    began = as_datetimes("since", since)
    ended = np.full(len(began), np.datetime64("NaT", "ms")) if until is None else as_datetimes("until", until)
    if len(ended) != len(began):
        message = f"`since` has {len(began):,} times, and `until` has {len(ended):,}"
        raise SettingsError(message, hint="give two columns of one table; a time in `until` may be missing")
    if backwards := int((ended < began).sum()):
        message = f"{backwards:,} of `until` are before their `since`"
        raise SettingsError(message, hint="give when each began, then when it ended")
    return _Lasting(began, ended)


def _turns(panel: Axes, edges: Times, layers: Sequence[tuple[_Lasting, str]]) -> None:
    """Draw what began above a line, and what ended below it."""
    up, down = np.zeros(len(edges) - 1), np.zeros(len(edges) - 1)
    for turns, colour in layers:
        began, ended = (np.histogram(_ms(times), _ms(edges))[0] for times in turns)
        for counts, baseline in ((began, up), (-ended, down)):
            panel.stairs(baseline + counts, cast("Any", edges), baseline=baseline, fill=True, color=colour, linewidth=0)
        up, down = up + began, down - ended
    panel.set_ylim(min(float(down.min()), -1) * 1.1, max(float(up.max()), 1) * 1.1)


def _balance(lasting: _Lasting, first: np.datetime64, last: np.datetime64) -> str:
    before, after = lasting.at(np.array([first, last]))
    turns = lasting.within(first)
    parts = [(before, "at first"), (len(turns.began), "began"), (len(turns.ended), "ended")]
    return f"{', '.join(f'{count:,} {what}' for count, what in parts if count)}: {after:,} at the end"


def events(  # noqa: PLR0913 - how it is drawn
    times: Iterable[object],
    by: Iterable[object] | None = None,
    *,
    top: int = 6,
    bin: str | timedelta | None = None,  # noqa: A002 - the field's term
    colours: Mapping[str, str] | None = None,
    title: str | None = None,
) -> Figure:
    """Draw how many events there were over time, stacked by a label if there is one.

    Args:
        times: When each event was: RFC 3339 strings, datetimes, or a column of pandas, polars, NumPy or
            Arrow. Times without offset are UTC; what is missing is left out.
        by: A label of each event, such as its type.
        top: How many labels are drawn, the largest first; the others are added up. 1 to 8, default 6.
        bin: Length of a bin, such as `1h` or a timedelta. Default: one that gives at most 120 bins.
        colours: Colours of some labels, which are drawn first, in this order.
        title: Above the picture. Default: how many events there are in which time.

    Raises:
        SettingsError: There is nothing to draw, or an argument is wrong.
    """
    utc_times = as_datetimes("times", times)
    labels = None if by is None else as_labels(by, len(utc_times), "times")
    known = ~np.isnat(utc_times)
    if not known.any():
        message = "there are no events to draw"
        raise SettingsError(message, hint="take a longer time, or look at what was left out")
    utc_times, labels = utc_times[known], None if labels is None else labels[known]
    of_labels = figures.groups([] if labels is None else labels.tolist(), top, colours)
    length = _bin_length(utc_times, bin)
    edges = _edges(utc_times, length)
    figure = Picture(figsize=(WIDTH, 3.4), layout="constrained")
    panel = figure.subplots()
    if labels is None:
        _stack(panel, edges, [("", np.histogram(_ms(utc_times), _ms(edges))[0], COLOURS[0])])
    else:
        _stack(panel, edges, _by_label(utc_times, labels, edges, of_labels))
    figures.clean(panel)
    _dates(panel)
    panel.set_xlim(edges[0], edges[-1])
    figures.heading(panel, f"events per {figures.length_in_words(length)}, UTC")
    figures.title(figure, title if title is not None else _summary(utc_times))
    return figure


def coverage(
    coverages: Iterable[Coverage],
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    title: str | None = None,
) -> Figure:
    """Draw which time a lake holds of each stream, a line a stream, with its gaps.

    Args:
        coverages: What `circulate_core.coverage` returns, or some of it.
        since: Where the picture begins. Default: a little before the first bound of any span.
        until: Where it ends. Default: the last bound.
        title: Above the picture. Default: how many streams have how many gaps.

    Raises:
        SettingsError: There is nothing to draw, or `since` is not before `until`.
    """
    drawn = [each for each in coverages if each.spans]
    if not drawn:
        message = "there is no coverage to draw: no run of the lake is committed"
        raise SettingsError(message, hint="pull a stream first, or name another lake")
    bounds = [bound for each in drawn for span in each.spans for bound in (span.since, span.until) if bound]
    last = until or max(bounds)
    first = since or min(bounds) - (last - min(bounds)) * 0.06
    if since is None and first == last:
        first = last - timedelta(days=1)
    if first >= last:
        message = f"`since` is not before `until`: {first} and {last}"
        raise SettingsError(message)
    figure = Picture(figsize=(WIDTH, 1.3 + 0.34 * len(drawn)), layout="constrained")
    panel = figure.subplots()
    for row, each in enumerate(drawn):
        for part in each.spans:
            begin, end = max(part.since or first, first), min(part.until, last)
            if begin < end:
                _span(panel, row, begin, end, part.kind)
    panel.set_ylim(len(drawn) - 0.4, -0.6)
    panel.set_xlim(_day_number(first), _day_number(last))
    figures.clean(panel)
    panel.grid(visible=False)
    several = len({each.account for each in drawn}) > 1
    names = [f"{each.stream}  {each.account}" if several else each.stream for each in drawn]
    panel.set_yticks(range(len(drawn)), names)
    _dates(panel)
    kinds = dict.fromkeys(part.kind for each in drawn for part in each.spans)
    marks = [Patch(label=kind, **_look(kind)) for kind in SPAN_COLOURS if kind in kinds]
    panel.legend(
        handles=marks,
        loc="lower left",
        bbox_to_anchor=(0, 1.0),
        ncols=4,
        frameon=False,
        fontsize=9,
        labelcolor=INK,
        handlelength=1.4,
        borderaxespad=0.1,
        borderpad=0,
    )
    gaps = sum(len(each.gaps) for each in drawn)
    summary = f"{counted(len(drawn), 'stream')}, {counted(gaps, 'gap') if gaps else 'no gaps'}, {_from_to(first, last)}"
    figures.title(figure, title if title is not None else summary)
    return figure


def _span(panel: Axes, row: int, begin: datetime, end: datetime, kind: str) -> None:
    width = _day_number(end) - _day_number(begin)
    panel.barh(row, width, left=_day_number(begin), height=0.62, **_look(kind))


def _look(kind: str) -> dict[str, Any]:
    """Return how a span is drawn: what is missing differs by its lines, too, for those who do not see colours."""
    colour = SPAN_COLOURS[kind]
    if kind in {"complete", "partial"}:
        return {"facecolor": colour, "edgecolor": "none", "hatch": None if kind == "complete" else "////"}
    return {"facecolor": "none", "edgecolor": colour, "linewidth": 1.0, "hatch": "xxx" if kind == "missing" else None}


def _day_number(time: datetime) -> float:
    return float(cast("Any", date2num)(time))


def _dates(panel: Axes) -> None:
    """Write dates below a panel, as short as they can be."""
    locator = AutoDateLocator(minticks=4, maxticks=9)  # type: ignore[no-untyped-call]
    panel.xaxis.set_major_locator(locator)
    formatter = ConciseDateFormatter(locator, formats=DATES, zero_formats=FIRST_DATES, show_offset=False)  # type: ignore[no-untyped-call]
    panel.xaxis.set_major_formatter(formatter)


def _bin_length(utc_times: Times, given: str | timedelta | None) -> timedelta:
    if isinstance(given, str):
        given = timedelta(seconds=_core.span_seconds("bin", given))
    lasted = (utc_times.max() - utc_times.min()) / np.timedelta64(1, "s")
    length = given or next((each for each in BINS if lasted / each.total_seconds() <= EVENT_BINS), BINS[-1])
    if length.total_seconds() < 1 or lasted / length.total_seconds() > 100 * EVENT_BINS:
        message = f"bins of {length} are too short for events of {span(float(lasted))}"
        raise SettingsError(message)
    return length


def _edges(utc_times: Times, length: timedelta) -> Times:
    """Return where bins begin and end: at full hours, days at midnight, weeks on Mondays."""
    step = np.timedelta64(round(length.total_seconds() * 1000), "ms")
    first = MONDAY + (utc_times.min() - MONDAY) // step * step
    bins = int((utc_times.max() - first) // step) + 1
    return cast("Times", first + step * np.arange(bins + 1))


def _by_label(
    utc_times: Times, labels: NDArray[Any], edges: Times, of_labels: Sequence[Group]
) -> list[tuple[str, NDArray[Any], str]]:
    """Count by label and bin."""
    counts = []
    number = figures.numbered(labels.tolist(), of_labels)
    for each, group in enumerate(of_labels):
        times = utc_times[number == each]
        counts.append((group.counted(len(times)), np.histogram(_ms(times), _ms(edges))[0], group.colour))
    return counts


def _stack(panel: Axes, edges: Times, layers: Sequence[tuple[str, NDArray[Any], str]]) -> None:
    """Draw counts on top of each other, the first at the bottom, and name them in the order in which they lie there."""
    below = np.zeros(len(edges) - 1)
    for _, counts, colour in layers:
        panel.stairs(below + counts, cast("Any", edges), baseline=below, fill=True, color=colour, linewidth=0)
        below = below + counts
    panel.set_ylim(0, max(float(below.max()) * 1.08, 1))
    panel.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    if any(name for name, _, _ in layers):
        figures.legend_beside(panel, [name for name, _, _ in layers], [colour for _, _, colour in layers])


def _ms(times: Times) -> NDArray[np.int64]:
    return times.astype("datetime64[ms]").astype(np.int64)


def _summary(utc_times: Times) -> str:
    return f"{counted(len(utc_times), 'event')}, {_from_to(utc_times.min(), utc_times.max())}"


def _from_to(first: np.datetime64 | datetime, last: np.datetime64 | datetime) -> str:
    """Name a period, since the axis does not say its year, and of one day not the day."""
    since, until = (str(each)[:16].replace("T", " ") for each in (first, last))
    if since == until:
        return f"{since} UTC"
    return f"{since} to {until.removeprefix(since[:11])} UTC"


def _clock(seconds: float, end: float) -> str:
    """Return a time on the axis of a run that takes `end` seconds."""
    if end < 120:  # noqa: PLR2004 - two minutes
        return f"{seconds:g} s"
    if end < 7_200:  # noqa: PLR2004 - two hours
        return f"{seconds / 60:g} min"
    return f"{seconds / 3600:g} h"
