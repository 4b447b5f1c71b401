"""How long ago things were, counted by length of time, with the limit that they should keep."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from circulate_core import _core
from circulate_core.exceptions import SettingsError
from circulate_core.jupyter import figures
from circulate_core.jupyter.columns import MOST_DAYS, as_ages, as_labels, now_or
from circulate_core.jupyter.figures import COLOURS, INK, OTHER, WIDTH, Group, Picture

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    Days = NDArray[np.float64]

MINUTE, HOUR = 1 / 1440, 1 / 24
"""Of a day."""
SHORT = [MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR]
"""Lengths below a day, in days."""
BINS = [*SHORT, 1, 2, 5, 7, 10, 15, 30, 45, 60, 90, 180, 365, 730]
"""Lengths of bins, in days."""
MOST_BINS = 60
"""Most bins that a picture has by itself."""
TICKS = [*SHORT, 1, 2, 7, 14, 30, 60, 90, 180, 365, 730, 1825, 3650]
"""How far lines on the axis are from each other, in days."""
MOST_TICKS = 10
"""Most lines on the axis."""
AHEAD = 1.0
"""Up to how many days after now a time may be: clocks differ, and data change while they are read."""
WITHIN, OVER = COLOURS[3], COLOURS[5]
"""Of what keeps the limit, and of what does not."""
NEVER = "never"
"""What is missing."""
GAP = 0.06
"""How much of a bin is left free on each side."""
UNITS = [(1.0, "days"), (HOUR, "hours"), (MINUTE, "minutes")]
"""What the axis counts, by how far its lines are from each other."""


def ages(  # noqa: PLR0913 - how it is drawn
    times: Iterable[object],
    by: Iterable[object] | None = None,
    *,
    limit: float | str | timedelta | None = None,
    now: str | datetime | None = None,
    top: int = 6,
    bin: float | str | timedelta | None = None,  # noqa: A002 - the field's term
    colours: Mapping[str, str] | None = None,
    title: str | None = None,
) -> Figure:
    """Draw how long ago things were, such as last sign-ins, with the limit that they should keep.

    Args:
        times: When each was: RFC 3339 strings, datetimes, or a column of pandas, polars, NumPy or Arrow; or how old
            each is: timedeltas, or numbers of days. What is missing was `never`, and has a bar of its own.
        by: A label of each. Default: whether it keeps the limit, if there is one.
        limit: The age that is marked: a number of days, a length such as `90d`, or a timedelta. What is as old as that
            is over it.
        now: Since when ages are counted. Default: now.
        top: How many labels are drawn, the largest first; the others are added up. 1 to 8, default 6.
        bin: Length of a bin, as a limit is given. Default: one that gives at most 60 bins. The limit is always between
            two bins.
        colours: Colours of some labels, which are drawn first, in this order.
        title: Above the picture. Default: how many there are, and how many are over the limit.

    Raises:
        SettingsError: There is nothing to draw, or an argument is wrong.
    """
    most = None if limit is None else _days("limit", limit)
    given_length = None if bin is None else _days("bin", bin)
    since = now_or(now)
    days = as_ages("times", times, since)
    labels = None if by is None else as_labels(by, len(days), "times")
    if not len(days):
        message = "there are no ages to draw"
        raise SettingsError(message, hint="look at what was left out")
    ahead = -days[days < -AHEAD]
    if len(ahead):
        message = f"{len(ahead):,} of `times` are later than {_minute(since)}, by up to {float(ahead.max()):,.0f} days"
        raise SettingsError(message, hint="give `now=`, or leave them out")
    days = np.maximum(days, 0.0)
    never = np.isnan(days)
    oldest = 0.0 if never.all() else float(np.nanmax(days))
    length = given_length or _bin_length(oldest, most)
    if max(oldest, most or 0.0) / length > 10 * MOST_BINS:
        message = f"bins of {_words(length)} are too short for ages up to {_words(math.ceil(oldest))}"
        raise SettingsError(message)
    edges = _edges(oldest, length, most)
    if labels is None and most is not None:
        labels, colours = _kept(days, most, colours)
    groups = [Group("", frozenset(), COLOURS[0])]
    if labels is not None:
        groups = figures.groups(labels.tolist(), top, colours)

    figure = Picture(figsize=(WIDTH, 3.4), layout="constrained")
    panel = figure.subplots()
    layers = [days]
    if labels is not None:
        number = figures.numbered(labels.tolist(), groups)
        layers = [days[number == each] for each in range(len(groups))]
    _stack(panel, layers, groups, edges, length)
    figures.clean(panel)
    panel.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    _axis(panel, edges, length, has_never=bool(never.any()), since=since)
    figures.heading(panel, f"how many per {figures.length_in_words(timedelta(days=length), weeks=False)}")
    if most is not None:
        _mark(panel, most)
    if labels is not None:
        names = [group.counted(len(layer)) for group, layer in zip(groups, layers, strict=True)]
        figures.legend_below(figure, names, [group.colour for group in groups])
    figures.title(figure, title if title is not None else _summary(days, most))
    return figure


def _days(name: str, given: float | str | timedelta) -> float:
    """Return a length of time in days.

    Raises:
        SettingsError: It is none, or nothing, or longer than an age can be.
    """
    days: object = given
    if isinstance(given, str):
        days = _core.span_seconds(name, given) / 86_400
    elif isinstance(given, timedelta):
        days = given / timedelta(days=1)
    if isinstance(days, bool) or not isinstance(days, (int, float, np.number)) or not 0 < days <= MOST_DAYS:
        message = f"invalid `{name}`: not a length of time: {given!r}"
        raise SettingsError(message, hint="give a number of days, a length such as '90d', or a timedelta")
    return float(days)


def _bin_length(oldest: float, limit: float | None) -> float:
    """Return how long bins are: short, but not too many; and a part of the limit if that is about as good."""
    fitting = [length for length in BINS if max(oldest, limit or 0.0) / length <= MOST_BINS] or [BINS[-1]]
    if limit is None:
        return fitting[0]
    parts = [length for length in fitting if math.isclose(limit / length, round(limit / length), abs_tol=1e-6)]
    return parts[0] if parts and parts[0] <= 2 * fitting[0] else fitting[0]


def _edges(oldest: float, length: float, limit: float | None) -> Days:
    """Return where bins begin and end; the limit is one of these, so that the first bin may be shorter."""
    middle = limit or 0.0
    before, after = math.ceil(middle / length - 1e-9), math.floor(max(oldest - middle, 0.0) / length + 1e-9) + 1
    return np.clip(middle + length * np.arange(-before, after + 1), 0.0, None)


def _kept(days: Days, limit: float, colours: Mapping[str, str] | None) -> tuple[NDArray[Any], Mapping[str, str]]:
    """Return whether each keeps the limit, as labels, and their colours."""
    words = _words(limit)
    within, over = f"less than {words}", f"{words} or more"
    labels = np.where(days < limit, within, over).astype(object)
    labels[np.isnan(days)] = NEVER
    return labels, {within: WITHIN, over: OVER, NEVER: OTHER, **(colours or {})}


def _stack(panel: Axes, layers: Sequence[Days], groups: Sequence[Group], edges: Days, length: float) -> None:
    """Draw counts on top of each other; beside them, what never was."""
    place = _place_of_never(edges, length)
    left, right = np.append(edges[:-1], place), np.append(edges[1:], place + length)
    gap = GAP * (right - left)
    below = np.zeros(len(left))
    for layer, group in zip(layers, groups, strict=True):
        known = layer[~np.isnan(layer)]
        counts = np.append(np.histogram(known, edges)[0], len(layer) - len(known))
        figures.bars(panel, (left + gap, right - gap), (below, below + counts), group.colour)
        below = below + counts
    panel.set_ylim(0, max(float(below.max()) * 1.15, 1))


def _place_of_never(edges: Days, length: float) -> float:
    return float(edges[-1]) + max(length, 0.03 * float(edges[-1]))


def _axis(panel: Axes, edges: Days, length: float, *, has_never: bool, since: np.datetime64) -> None:
    """Name days, or hours where all is newer."""
    end = float(edges[-1])
    step = next((step for step in TICKS if end / step <= MOST_TICKS), TICKS[-1])
    unit, name = next((size, name) for size, name in UNITS if step >= size)
    ticks = np.arange(0.0, end + 1e-9, step)
    names = [f"{tick / unit:,.0f}" for tick in ticks]
    if has_never:
        beside = _place_of_never(edges, length)
        ticks, names, end = np.append(ticks, beside + length / 2), [*names, NEVER], beside + length
    panel.set_xticks(ticks, names)
    panel.set_xlim(-0.004 * end, end * 1.01)
    panel.set_xlabel(f"{name} before {_minute(since)}", color=INK, fontsize=9)


def _mark(panel: Axes, limit: float) -> None:
    panel.axvline(limit, color=INK, linewidth=1, linestyle=(0, (4, 3)))
    in_right_half = limit > sum(panel.get_xlim()) / 2
    panel.annotate(
        _words(limit),
        (limit, 1),
        (-4 if in_right_half else 4, 0),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        ha="right" if in_right_half else "left",
        va="top",
        color=INK,
        fontsize=9,
    )


def _summary(days: Days, limit: float | None) -> str:
    never, over = int(np.isnan(days).sum()), int((days >= (limit or math.inf)).sum())
    parts = [(never, NEVER)]
    if limit is not None:
        parts = [(len(days) - over - never, f"less than {_words(limit)} ago"), (over, "longer ago"), *parts]
    shown = ", ".join(f"{count:,} {text}" for count, text in parts if count)
    return f"{len(days):,} in all{': ' if shown else ''}{shown}"


def _minute(time: np.datetime64) -> str:
    return f"{str(time)[:16].replace('T', ' ')} UTC"


def _words(days: float) -> str:
    """Return a length of time with its number: `1 day`, `90 days`, `12 hours`."""
    words = figures.length_in_words(timedelta(days=days), weeks=False)
    return words if words[0].isdigit() else f"1 {words}"
