"""Pictures of runs, events, ages and of who has what: what is drawn, whatever it comes as."""

import random
import subprocess
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from circulate_core.exceptions import SettingsError
from circulate_core.history import History
from circulate_core.jupyter import plots
from circulate_core.results import Snapshot

BEGIN = datetime(2026, 11, 2, 10, 30, tzinfo=UTC)


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def history(*, quota: bool = True, seconds: int = 60, headroom: float | None = 0.5) -> History:
    """Return the history of a run that waits from second 20 to 30."""
    clock = Clock()
    made = History("okta.users", headroom=headroom, clock=clock)
    for second in range(seconds + 1):
        clock.now = float(second)
        worked = min(second, 20) + max(0, second - 30)
        waiting = 20 < second < 30
        shown: dict[str, object] = {
            "run_id": None,
            "pages": worked,
            "records": worked * 200,
            "objects": 0,
            "bytes_stored": 0,
            "requests": worked,
            "retries": 0,
            "throttled": 0,
            "seconds_waited": 10.0 if second >= 30 else 0.0,
            "bytes_received": 0,
            "quota": {"remaining": 600 - worked, "limit": 600} if quota else None,
            "waiting": ("the quota", 30.0 - second) if waiting else None,
            "notes": [],
        }
        made.add(Snapshot(shown))
    return made


def texts(figure: Figure) -> str:
    """Return all texts of a figure."""
    figure.canvas.draw()
    return "\n".join(text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")))  # type: ignore[attr-defined]


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]  # type: ignore[union-attr]


def heights(figure: Figure) -> list[Any]:
    """Return how many events are drawn in each bin, by layer."""
    drawn = [patch.get_data() for patch in figure.axes[0].patches]  # type: ignore[attr-defined]
    return [(np.asarray(each.values) - np.asarray(each.baseline)).tolist() for each in drawn]


def test_a_run_shows_rates_quota_headroom_and_waits() -> None:
    figure = plots.run(history())
    assert len(figure.axes) == 3
    shown = texts(figure)
    for part in (
        "okta.users in 1 min 0 s",
        "requests per second  (50 in all)",
        "records per second  (10,000 in all)",
        "requests left of a quota of 600",
        "50% is left to others",
        "shaded: waiting, 10.0 s in all",
        "time since it began",
    ):
        assert part in shown
    spans = [patch.get_bbox() for patch in figure.axes[0].patches if type(patch).__name__ == "Rectangle"]  # type: ignore[attr-defined]
    assert [(box.x0, box.x1) for box in spans] == [(20.0, 30.0)]


def test_a_run_without_quota_or_waits_shows_none() -> None:
    figure = plots.run(history(quota=False, seconds=10, headroom=None), title="mine")
    assert len(figure.axes) == 2
    assert "mine" in texts(figure)
    assert "shaded" not in texts(figure)


@pytest.mark.parametrize("seconds", [0, 1, 100, 10_000])
def test_a_run_of_any_length_is_drawn(seconds: int) -> None:
    assert texts(plots.run(history(seconds=seconds)))


def test_without_a_history_there_is_no_picture() -> None:
    for nothing in (None, History()):
        with pytest.raises(SettingsError, match="there is no history"):
            plots.run(nothing)


MOMENTS = [BEGIN + timedelta(minutes=10 * number) for number in range(100)]


@pytest.mark.parametrize(
    "times",
    [
        MOMENTS,
        [time.isoformat() for time in MOMENTS],
        [time.isoformat().replace("+00:00", "Z") for time in MOMENTS],
        [time.replace(tzinfo=None) for time in MOMENTS],
        [time.astimezone(timezone(timedelta(hours=5))) for time in MOMENTS],
        (time for time in MOMENTS),
        np.array([time.replace(tzinfo=None) for time in MOMENTS], dtype="datetime64[us]"),
        list(np.array([time.replace(tzinfo=None) for time in MOMENTS], dtype="datetime64[us]")),
        pd.Series(MOMENTS),
        pd.Series(MOMENTS).dt.tz_localize(None),
        pd.Series(MOMENTS).dt.tz_convert("America/New_York"),
        pd.Series([time.isoformat() for time in MOMENTS]),
        pd.Series([time.isoformat() for time in MOMENTS], dtype="object"),
        pd.DatetimeIndex(MOMENTS),
        pl.Series(MOMENTS),
        pl.Series([time.replace(tzinfo=None) for time in MOMENTS]),
        pl.Series(MOMENTS).dt.convert_time_zone("America/New_York"),
        pl.Series([time.isoformat() for time in MOMENTS]),
        pa.array(MOMENTS, pa.timestamp("us", tz="America/New_York")),
        pa.chunked_array([MOMENTS[:50], MOMENTS[50:]], pa.timestamp("ns", tz="UTC")),
        pa.array([time.isoformat() for time in MOMENTS]),
    ],
    ids=lambda times: f"{type(times).__module__}.{getattr(times, 'dtype', 'list')}",
)
def test_times_may_come_as_anything(times: Iterable[object]) -> None:
    figure = plots.events(times, bin="1h")
    assert heights(figure) == [[3, *[6] * 16, 1]]
    assert "100 events, 2026-11-02 10:30 to 2026-11-03 03:00 UTC" in texts(figure)
    assert "events per hour, UTC" in texts(figure)


@pytest.mark.parametrize(
    "missing",
    [
        [MOMENTS[0], None, MOMENTS[1]],
        pd.Series([MOMENTS[0], None, MOMENTS[1]]),
        pl.Series([MOMENTS[0], None, MOMENTS[1]]),
        pa.array([MOMENTS[0], None, MOMENTS[1]]),
        [MOMENTS[0].isoformat(), None, MOMENTS[1].isoformat()],
        pd.Series([MOMENTS[0].isoformat(), None, MOMENTS[1].isoformat()]),
        [MOMENTS[0], pd.NaT, MOMENTS[1]],
        [MOMENTS[0], float("nan"), MOMENTS[1]],
    ],
)
def test_missing_times_are_left_out(missing: Iterable[object]) -> None:
    figure = plots.events(missing, by=["a", "b", "c"])
    assert legend(figure) == ["c  1", "a  1"]


def test_dates_are_midnights() -> None:
    figure = plots.events([date(2026, 11, 1), date(2026, 11, 2), date(2026, 11, 2)], bin=timedelta(days=1))
    assert heights(figure) == [[1, 2]]


LABELS = ["b"] * 40 + ["a"] * 30 + ["c"] * 20 + ["d"] * 6 + ["e"] * 4


@pytest.mark.parametrize("by", [LABELS, pd.Series(LABELS), pl.Series(LABELS), np.array(LABELS), pa.array(LABELS)])
def test_events_are_stacked_by_the_largest_labels_and_the_rest(by: Iterable[object]) -> None:
    figure = plots.events(MOMENTS, by=by, top=3)
    assert legend(figure) == ["2 others  10", "c  20", "a  30", "b  40"]
    assert [sum(layer) for layer in heights(figure)] == [40, 30, 20, 10]
    assert legend(plots.events(MOMENTS, by=by, top=4))[0] == "e  4"


def test_missing_labels_are_a_label() -> None:
    for by in ([None, "a", None], pd.Series([None, "a", None]), pl.Series([None, "a", None]), [pd.NA, "a", pd.NA]):
        assert legend(plots.events(MOMENTS[:3], by=by)) == ["a  1", "(none)  2"]


def test_labels_may_have_colours_of_their_own() -> None:
    figure = plots.events(MOMENTS, by=LABELS, top=3, colours={"d": "#d55e00", "absent": "black", "c": "#0072b2"})
    assert legend(figure) == ["2 others  34", "b  40", "c  20", "d  6"]
    assert [to_hex(patch.get_facecolor()) for patch in figure.axes[0].patches] == [
        "#d55e00",
        "#0072b2",
        plots.COLOURS[1],
        plots.OTHER,
    ]


def test_labels_are_drawn_as_they_are() -> None:
    figure = plots.events(MOMENTS[:4], by=["_a", "$x_$ $", "two\nlines", "long" * 50])
    shown = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]  # type: ignore[union-attr]
    assert shown == ["long" * 14 + "lon…  1", "two lines  1", r"\$x_\$ \$  1", "_a  1"]
    assert figure._repr_png_()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("lasting", "name"),
    [
        (timedelta(seconds=0), "second"),
        (timedelta(minutes=1), "second"),
        (timedelta(minutes=30), "minute"),
        (timedelta(hours=3), "5 minutes"),
        (timedelta(days=1), "15 minutes"),
        (timedelta(days=4), "hour"),
        (timedelta(days=14), "3 hours"),
        (timedelta(days=90), "day"),
        (timedelta(days=900), "week"),
    ],
)
def test_bins_fit_the_time(lasting: timedelta, name: str) -> None:
    assert f"events per {name}, UTC" in texts(plots.events([BEGIN, BEGIN + lasting]))


def test_weeks_begin_on_mondays() -> None:
    figure = plots.events([BEGIN - timedelta(days=1), BEGIN], bin="7d")
    assert heights(figure) == [[1, 1]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"times": []}, "no events to draw"),
        ({"times": [None]}, "no events to draw"),
        ({"times": ["yesterday"]}, "invalid `times`: not a time: 'yesterday'"),
        ({"times": [5]}, "holds a int"),
        ({"times": "2026-01-01"}, "`times` is a str: give a column"),
        ({"times": pd.DataFrame({"a": MOMENTS})}, r"`times` is a table \(DataFrame\): give one column of it"),
        ({"times": MOMENTS, "by": 5}, "`by` is a int: give a column"),
        ({"times": MOMENTS, "by": LABELS, "colours": {"a": "reddish"}}, "not a colour: 'reddish' of 'a'"),
        ({"times": MOMENTS, "by": ["a"]}, "1 labels for 100 times"),
        ({"times": MOMENTS, "top": 0}, "colours for 1 to 8"),
        ({"times": MOMENTS, "top": 9}, "colours for 1 to 8"),
        ({"times": MOMENTS, "bin": "soon"}, "invalid `bin`: "),
        ({"times": MOMENTS, "bin": "1s"}, "too short"),
    ],
)
def test_wrong_arguments_are_reported(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        plots.events(**arguments)


def filled(panel: Axes) -> list[list[tuple[float, float, float, float]]]:
    """Return the rectangles of a panel, by colour: left, bottom, width, height."""
    layers = [each for each in panel.collections if type(each) is PolyCollection]
    boxes = [[path.get_extents() for path in layer.get_paths()] for layer in layers]
    return [[(round(b.x0, 3), round(b.y0, 3), round(b.width, 3), round(b.height, 3)) for b in layer] for layer in boxes]


def below(figure: Figure) -> list[str]:
    """Return the names of the legend below a picture."""
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def names(axis: Axis) -> list[str]:
    return [text.get_text() for text in axis.get_ticklabels()]


APPLICATIONS = ["wiki", "wiki", "wiki", "wiki", "mail", "mail", "mail", "payroll"]
PEOPLE = ["ann", "bob", "cid", "dee", "ann", "bob", "cid", "cid"]


def cells(figure: Figure) -> list[set[tuple[str, str]]]:
    """Return which row and column is filled as a whole, by colour."""
    panel = figure.axes[0]
    rows, columns = names(panel.yaxis), names(panel.xaxis)
    for layer in filled(panel):
        assert {height for _, _, _, height in layer} == {0.68}
    return [{(rows[round(y + 0.34)], columns[round(x + 0.4)]) for x, y, _, _ in layer} for layer in filled(panel)]


@pytest.mark.parametrize(
    "of",
    [
        list,
        tuple,
        iter,
        np.array,
        pd.Series,
        pl.Series,
        pa.array,
        lambda values: pa.chunked_array([values[:3], values[3:]]),
    ],
    ids=["list", "tuple", "iterator", "numpy", "pandas", "polars", "arrow", "chunks"],
)
def test_a_matrix_shows_who_has_what_whatever_it_comes_as(of: Callable[[list[str]], Iterable[object]]) -> None:
    figure = plots.matrix(of(APPLICATIONS), of(PEOPLE), by=of(["group"] * 5 + ["direct"] * 3))
    assert names(figure.axes[0].yaxis) == ["wiki", "mail", "payroll"], "the largest first"
    assert names(figure.axes[0].xaxis) == ["cid", "ann", "bob", "dee"], "the largest first"
    assert below(figure) == ["group  5", "direct  3"]
    assert cells(figure) == [
        {("wiki", "cid"), ("wiki", "ann"), ("wiki", "bob"), ("wiki", "dee"), ("mail", "ann")},
        {("mail", "cid"), ("mail", "bob"), ("payroll", "cid")},
    ]
    assert "3 rows, 4 columns, 8 pairs" in texts(figure)


def test_the_margins_of_a_matrix_count_rows_and_columns() -> None:
    figure = plots.matrix(APPLICATIONS, PEOPLE)
    _, above, beside = figure.axes
    assert [height for _, _, _, height in filled(above)[0]] == [3, 2, 2, 1]
    assert [width for _, _, width, _ in filled(beside)[0]] == [4, 3, 1]
    assert [text.get_text() for text in beside.texts] == ["columns", "4", "3", "1"]
    assert figure.legends == []


def test_a_matrix_is_named_by_its_columns() -> None:
    frame = {"application_name": APPLICATIONS, "city": PEOPLE}
    for table in (pd.DataFrame(frame), pl.DataFrame(frame)):
        shown = texts(plots.matrix(table["application_name"], table["city"]))
        assert "3 application names, 4 cities, 8 pairs" in shown
        assert "application names of each city" in shown
    assert "mine" in texts(plots.matrix(APPLICATIONS, PEOPLE, title="mine"))


def test_a_pair_that_is_given_twice_counts_once() -> None:
    figure = plots.matrix(APPLICATIONS * 3, PEOPLE * 3, by=(["group"] * 5 + ["direct"] * 3) * 3)
    assert below(figure) == ["group  5", "direct  3"]
    assert "3 rows, 4 columns, 8 pairs" in texts(figure)


def test_labels_of_one_pair_share_its_place() -> None:
    figure = plots.matrix(["wiki", "wiki", "wiki"], ["ann", "ann", "bob"], by=["direct", "group", "group"])
    panel, above, beside = figure.axes
    assert below(figure) == ["group  2", "direct  1"]
    assert filled(panel) == [[(-0.4, -0.34, 0.8, 0.68), (0.6, 0.0, 0.8, 0.34)], [(0.6, -0.34, 0.8, 0.34)]]
    assert [[height for _, _, _, height in layer] for layer in filled(above)] == [[1, 0.5], [0, 0.5]]
    assert [[width for _, _, width, _ in layer] for layer in filled(beside)] == [[1.5], [0.5]]
    assert "1 row, 2 columns, 2 pairs" in texts(figure)


def test_pairs_with_something_missing_are_left_out() -> None:
    for column in (list, pd.Series, pl.Series, pa.array):
        figure = plots.matrix(column(["wiki", None, "mail"]), column(["ann", "bob", None]), by=column([None, "a", "b"]))
        assert below(figure) == ["(none)  1"]
        assert "1 row, 1 column, 1 pair" in texts(figure)


def test_rows_beyond_the_largest_become_one() -> None:
    figure = plots.matrix([*APPLICATIONS, "chat"], [*PEOPLE, "cid"], top_rows=2)
    panel, above, beside = figure.axes
    assert names(panel.yaxis) == ["wiki", "mail", "2 others"]
    assert [width for _, _, width, _ in filled(beside)[0]] == [4, 3, 1], "the people who have any of the others"
    assert [height for _, _, _, height in filled(above)[0]] == [4, 2, 2, 1], "everything that they have"
    assert names(plots.matrix(APPLICATIONS, PEOPLE, top_rows=2).axes[0].yaxis) == ["wiki", "mail", "payroll"]


def test_columns_with_the_same_rows_are_beside_each_other() -> None:
    people = [f"p{number:02}" for number in range(20)]
    rows = ["wiki"] * 20 + ["mail" if number % 2 else "chat" for number in range(20)]
    panel = plots.matrix(rows, people * 2).axes[0]
    assert names(panel.xaxis) == people[::2] + people[1::2]


def test_of_many_columns_several_are_one_bar_as_high_as_their_share() -> None:
    rows = ["wiki"] * 480 + ["mail"] * 359
    people = [f"p{number:03}" for number in range(480)]
    figure = plots.matrix(pl.Series("app", rows), pl.Series("login", people + people[:359]))
    panel, above, _ = figure.axes
    assert "each bar is 2 logins, those with the most apps first" in texts(figure)
    of_mail = [height for _, y, _, height in filled(panel)[0] if y > 0.5]
    assert of_mail == [0.68] * 179 + [0.34]
    assert [height for _, _, _, height in filled(above)[0]] == [2.0] * 179 + [1.5] + [1.0] * 60


def test_columns_are_named_if_there_is_room() -> None:
    few = plots.matrix(["wiki"] * 40, range(40))
    many = plots.matrix(["wiki"] * 41, range(41))
    assert len(names(few.axes[0].xaxis)) == 40
    assert names(many.axes[0].xaxis) == []
    assert "each bar is one column, those with the most rows first" in texts(many)


def test_a_large_matrix_is_drawn() -> None:
    drawn = random.Random(1)  # noqa: S311 - made-up pairs
    pairs = [(drawn.randrange(300), int(drawn.random() ** 2 * 20_000)) for _ in range(200_000)]
    figure = plots.matrix([row for row, _ in pairs], [column for _, column in pairs], by=[row % 9 for row, _ in pairs])
    assert names(figure.axes[0].yaxis)[-1] == "270 others"
    assert f"300 rows, {len({column for _, column in pairs}):,} columns, {len(set(pairs)):,} pairs" in texts(figure)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rows": [], "columns": []}, "no pairs to draw"),
        ({"rows": [None], "columns": ["a"]}, "no pairs to draw"),
        ({"rows": ["a"], "columns": []}, "`rows` has 1 values, and `columns` has 0"),
        ({"rows": ["a"], "columns": ["b"], "by": ["c", "d"]}, "`by` has 2 labels for 1 pairs"),
        ({"rows": "wiki", "columns": ["a"]}, "`rows` is a str: give a column"),
        ({"rows": ["a"], "columns": {"a": 1}}, "`columns` is a dict: give a column"),
        ({"rows": pl.DataFrame({"a": ["b"]}), "columns": ["a"]}, "`rows` is a table"),
        ({"rows": pa.table({"a": ["b"]}), "columns": ["a"]}, "`rows` is a table"),
        ({"rows": ["a"], "columns": ["b"], "top": 9}, "colours for 1 to 8"),
        ({"rows": ["a"], "columns": ["b"], "top_rows": 0}, "room for 1 to 200 rows"),
        ({"rows": ["a"], "columns": ["b"], "top_rows": 201}, "room for 1 to 200 rows"),
        ({"rows": ["a"], "columns": ["b"], "colours": {"c": 5}}, "not a colour: 5 of 'c'"),
    ],
)
def test_wrong_arguments_of_a_matrix_are_reported(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        plots.matrix(**arguments)


NOW = datetime(2026, 11, 20, tzinfo=UTC)
DAYS = [0.5, 10, 29, 40, 89.9, 90, 100, 400]
SINCE = [NOW - timedelta(days=days) for days in DAYS]


def heights_of(figure: Figure) -> list[list[float]]:
    """Return how many things are drawn in each bin, by colour; what never was is last."""
    return [[height for _, _, _, height in layer] for layer in filled(figure.axes[0])]


@pytest.mark.parametrize(
    "times",
    [
        SINCE,
        [time.isoformat() for time in SINCE],
        np.array([time.replace(tzinfo=None) for time in SINCE], dtype="datetime64[us]"),
        pd.Series(SINCE),
        pl.Series(SINCE),
        pa.array(SINCE),
        DAYS,
        np.array(DAYS),
        pd.Series(DAYS),
        pl.Series(DAYS),
        pa.array(DAYS),
        [timedelta(days=days) for days in DAYS],
        pd.Series([timedelta(days=days) for days in DAYS]),
        pl.Series([timedelta(days=days) for days in DAYS]),
        pa.array([timedelta(days=days) for days in DAYS]),
        np.array([timedelta(days=days) for days in DAYS], dtype="timedelta64[s]"),
    ],
    ids=lambda times: f"{type(times).__module__}.{getattr(times, 'dtype', getattr(times, 'type', type(times[0])))}",
)
def test_ages_may_come_as_anything(times: Iterable[object]) -> None:
    figure = plots.ages(times, limit=90, now=NOW, bin=30)
    assert heights_of(figure) == [[3, 1, 1, *[0] * 11, 0], [0, 0, 0, 2, *[0] * 9, 1, 0]]
    assert below(figure) == ["less than 90 days  5", "90 days or more  3"]
    shown = texts(figure)
    assert "8 in all: 5 less than 90 days ago, 3 longer ago" in shown
    assert "how many per 30 days" in shown
    assert "days before 2026-11-20 00:00 UTC" in shown


@pytest.mark.parametrize("limit", [90, 90.0, "90d", timedelta(days=90), np.int64(90)])
def test_what_is_as_old_as_the_limit_is_over_it(limit: object) -> None:
    figure = plots.ages([89.999, 90], limit=limit, now=NOW)  # type: ignore[arg-type]
    assert below(figure) == ["less than 90 days  1", "90 days or more  1"]
    line = figure.axes[0].lines[0]
    assert list(line.get_xdata()) == [90, 90]  # type: ignore[arg-type]


def test_what_is_missing_was_never() -> None:
    for times in (
        [SINCE[0], None, None],
        pd.Series([SINCE[0], None, None]),
        pl.Series([SINCE[0], None, None]),
        pa.array([SINCE[0], None, None]),
        pd.Series([0.5, None, None]),
        pd.Series([0, None, None], dtype="Int64"),
        pl.Series([timedelta(0), None, None]),
    ):
        figure = plots.ages(times, limit="7d", now=NOW)
        assert below(figure) == ["less than 7 days  1", "never  2"]
        assert "3 in all: 1 less than 7 days ago, 2 never" in texts(figure)
        assert names(figure.axes[0].xaxis)[-1] == "never"
        assert heights_of(figure)[1][-1] == 2
    assert names(plots.ages([None], now=NOW).axes[0].xaxis)[-1] == "never"


def test_ages_are_stacked_by_label() -> None:
    figure = plots.ages([*DAYS, None], by=["a", "b", "b"] * 3, limit=90, now=NOW, bin="30d", colours={"b": "#d55e00"})
    assert below(figure) == ["b  6", "a  3"]
    assert [sum(layer) for layer in heights_of(figure)] == [6, 3]
    assert heights_of(figure)[0][-1] == 1
    colours = [to_hex(layer.get_facecolor()[0]) for layer in figure.axes[0].collections]  # type: ignore[arg-type]
    assert colours == ["#d55e00", plots.COLOURS[0]]


@pytest.mark.parametrize(("letters", "columns"), [(3, 8), (28, 3), (40, 2), (200, 1)])
def test_a_legend_below_has_as_many_columns_as_fit(letters: int, columns: int) -> None:
    labels = [f"{number}{'x' * letters}" for number in range(8)]
    figure = plots.ages(range(8), by=labels, top=8, now=NOW)
    FigureCanvasAgg(figure).draw()  # type: ignore[no-untyped-call]
    extents = [text.get_window_extent() for text in figure.legends[0].get_texts()]
    assert len({round(extent.x0) for extent in extents}) == columns
    assert max(extent.x1 for extent in extents) <= figure.bbox.x1


def test_ages_without_limit_or_label_have_one_colour() -> None:
    figure = plots.ages(DAYS, now=NOW)
    assert figure.legends == []
    assert len(heights_of(figure)) == 1
    assert "8 in all" in texts(figure)
    assert not figure.axes[0].lines


@pytest.mark.parametrize(
    ("oldest", "limit", "bin_name", "unit"),
    [
        (1740, 90, "30 days", "days"),
        (1740, 17, "30 days", "days"),
        (400, 365, "7 days", "days"),
        (60, 20, "day", "days"),
        (20, 0.5, "12 hours", "days"),
        (0.2, 1 / 24, "5 minutes", "hours"),
        (0.01, 0.005, "minute", "minutes"),
        (20_000, 90, "365 days", "days"),
    ],
)
def test_bins_fit_the_ages_and_end_at_the_limit(oldest: float, limit: float, bin_name: str, unit: str) -> None:
    figure = plots.ages([0, oldest], limit=limit, now=NOW)
    shown = texts(figure)
    assert f"how many per {bin_name}" in shown
    assert f"{unit} before" in shown
    middles = [(x + width / 2, height) for layer in filled(figure.axes[0]) for x, _, width, height in layer]
    assert sum(height for _, height in middles) == 2
    left = filled(figure.axes[0])[1]
    assert any(x - limit == pytest.approx(width * 0.06 / 0.88, abs=2e-3) for x, _, width, _ in left), (
        "a bin begins there"
    )


def test_a_little_after_now_is_now() -> None:
    figure = plots.ages([NOW + timedelta(hours=5), NOW], now=NOW.isoformat(), bin=1)
    assert heights_of(figure) == [[2, 0]]


def test_ages_are_counted_from_now() -> None:
    assert "1 less than 1 day ago" in texts(plots.ages([datetime.now(UTC)], limit=1))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"times": []}, "no ages to draw"),
        ({"times": ["yesterday"]}, "invalid `times`: not a time: 'yesterday'"),
        ({"times": [True]}, "holds a bool"),
        ({"times": [1_795_132_800]}, "`times` holds 1795132800: numbers are days"),
        (
            {"times": [NOW + timedelta(days=3), NOW]},
            "1 of `times` are later than 2026-11-20 00:00 UTC, by up to 3 days",
        ),
        ({"times": "2026-01-01"}, "`times` is a str"),
        ({"times": DAYS, "by": ["a"]}, "1 labels for 8 times"),
        ({"times": DAYS, "limit": 0}, "invalid `limit`: not a length of time: 0"),
        ({"times": DAYS, "limit": -5}, "invalid `limit`: not a length of time: -5"),
        ({"times": DAYS, "limit": True}, "invalid `limit`: not a length of time: True"),
        ({"times": DAYS, "limit": "soon"}, "invalid `limit`: "),
        ({"times": DAYS, "limit": float("nan")}, "invalid `limit`: not a length of time: nan"),
        ({"times": DAYS, "bin": 1e9}, "invalid `bin`: not a length of time: 1000000000.0"),
        ({"times": DAYS, "bin": "1s"}, "too short for ages up to 400 days"),
        ({"times": DAYS, "now": "noon"}, "invalid `now`: not a time: 'noon'"),
        ({"times": DAYS, "now": float("nan")}, "invalid `now`: not a time: nan"),
        ({"times": DAYS, "by": LABELS[:8], "top": 0}, "colours for 1 to 8"),
    ],
)
def test_wrong_arguments_of_ages_are_reported(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        plots.ages(**{"now": NOW, **arguments})


WEEKS = [NOW + timedelta(weeks=week) for week in range(4)]
GRANTED = [WEEKS[0], WEEKS[0], WEEKS[0], WEEKS[1], WEEKS[2]]
TAKEN = [None, WEEKS[1], WEEKS[2], WEEKS[2], None]


def turns(figure: Figure) -> list[tuple[int, int]]:
    """Return how many things began, and how many ended, in each bin."""
    drawn = [patch.get_data() for patch in figure.axes[1].patches]  # type: ignore[attr-defined]
    sizes = [np.asarray(each.values) - np.asarray(each.baseline) for each in drawn]
    return [(int(up), -int(down)) for up, down in zip(sum(sizes[::2]), sum(sizes[1::2]), strict=True) if up or down]


@pytest.mark.parametrize("of", [list, pd.Series, pl.Series, pa.array], ids=["list", "pandas", "polars", "arrow"])
def test_how_many_there_were_is_drawn_over_time(of: Callable[[list[Any]], Iterable[object]]) -> None:
    figure = plots.over_time(of(GRANTED), of(TAKEN), now=WEEKS[3])
    assert heights(figure) == [[3, 3, 2]], "one that begins when another one ends does not count beside it"
    assert turns(figure) == [(1, 1), (1, 2)], "what was there at first did not begin"
    shown = texts(figure)
    assert "3 at first, 2 began, 3 ended: 2 at the end" in shown
    assert "how many there were, 2026-11-20 00:00 to 2026-12-11 00:00 UTC" in shown
    assert "began, and below the line ended, per 6 hours" in shown


@pytest.mark.parametrize(
    ("lasting", "period"),
    [
        (timedelta(seconds=9), "2026-11-20 00:00 UTC"),
        (timedelta(hours=5), "2026-11-20 00:00 to 05:00 UTC"),
        (timedelta(days=50), "2026-11-20 00:00 to 2027-01-09 00:00 UTC"),
    ],
)
def test_a_picture_says_which_days_it_is_of(lasting: timedelta, period: str) -> None:
    assert f"how many there were, {period}" in texts(plots.over_time([NOW], now=NOW + lasting))


def test_what_lasts_is_stacked_by_label_and_named_with_the_last_number() -> None:
    figure = plots.over_time(GRANTED, TAKEN, by=["a", "a", "b", "b", "b"], now=WEEKS[3], colours={"a": "#d55e00"})
    assert heights(figure) == [[2, 1, 1], [1, 2, 1]]
    assert legend(figure) == ["b  1", "a  1"]
    assert to_hex(figure.axes[0].patches[0].get_facecolor()) == "#d55e00"


def test_what_has_no_beginning_was_always_there() -> None:
    figure = plots.over_time([None, WEEKS[1]], [WEEKS[2], None], now=WEEKS[3])
    assert heights(figure) == [[2, 1]]
    assert "2 at first, 1 ended: 1 at the end" in texts(figure)


def test_without_ends_all_lasts() -> None:
    figure = plots.over_time(GRANTED)
    assert heights(figure) == [[3, 4, 5]]
    assert "3 at first, 2 began: 5 at the end" in texts(figure)


def test_one_instant_is_drawn() -> None:
    assert heights(plots.over_time([NOW], now=NOW)) == [[1]]


def test_many_instants_are_drawn_as_some_of_them() -> None:
    since = [NOW + timedelta(minutes=minute) for minute in range(10_000)]
    figure = plots.over_time(since, now=since[-1])
    (counts,) = heights(figure)
    assert len(counts) == plots.STEPS
    assert counts[0] == 1
    assert counts == sorted(counts)
    assert counts[-1] == pytest.approx(10_000, rel=0.01)
    assert "1 at first, 9,999 began: 10,000 at the end" in texts(figure)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"since": []}, "nothing to draw"),
        ({"since": [None]}, "nothing to draw"),
        ({"since": ["soon"]}, "invalid `since`: not a time: 'soon'"),
        ({"since": GRANTED, "until": ["soon"] * 5}, "invalid `until`: not a time: 'soon'"),
        ({"since": GRANTED, "until": []}, "`since` has 5 times, and `until` has 0"),
        ({"since": [NOW], "until": [NOW - timedelta(days=1)]}, "1 of `until` are before their `since`"),
        ({"since": GRANTED, "by": ["a"]}, "1 labels for 5 times"),
        ({"since": GRANTED, "now": "soon"}, "invalid `now`"),
        ({"since": GRANTED, "by": list("aabbb"), "top": 9}, "colours for 1 to 8"),
    ],
)
def test_wrong_arguments_of_what_lasts_are_reported(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        plots.over_time(**arguments)


def test_pictures_are_sharp_transparent_and_small() -> None:
    figures = (
        plots.run(history()),
        plots.events(MOMENTS, by=LABELS),
        plots.ages(MOMENTS, by=LABELS, limit=90, now=NOW),
        plots.matrix(["wiki"] * 100, LABELS, by=LABELS),
        plots.over_time(MOMENTS, by=LABELS),
    )
    for figure in figures:
        content, shown = figure._repr_png_()  # type: ignore[attr-defined]
        assert content.startswith(b"\x89PNG")
        assert int.from_bytes(content[16:20], "big") == 2 * shown["width"] == 1_800
        assert len(content) < 150_000
        assert content == figure._repr_png_()[0]  # type: ignore[attr-defined]


def test_letters_that_no_font_has_are_drawn_without_a_word(recwarn: pytest.WarningsRecorder) -> None:
    rare = "\U000e0fff"
    assert plots.matrix([rare], ["社内ポータル"], by=[rare])._repr_png_()  # type: ignore[attr-defined]
    assert [str(warning.message) for warning in recwarn] == []


def test_pictures_leave_the_state_of_pyplot_alone() -> None:
    code = (
        "import sys; from circulate_core.jupyter import plots; plots.events(['2026-01-01'])._repr_png_();"
        "assert 'matplotlib.pyplot' not in sys.modules; assert 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_matplotlib_it_says_how_to_get_it() -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "try:\n    from circulate_core.jupyter import plots\nexcept ImportError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "pictures need matplotlib: pip install 'circulate-core[plots]'\n"
