"""Pictures of runs and of events: what is drawn, whatever times and labels come as."""

import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
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


@pytest.mark.parametrize("by", [LABELS, pd.Series(LABELS), pl.Series(LABELS), np.array(LABELS)])
def test_events_are_stacked_by_the_largest_labels_and_the_rest(by: Iterable[object]) -> None:
    figure = plots.events(MOMENTS, by=by, top=3)
    assert legend(figure) == ["2 others  10", "c  20", "a  30", "b  40"]
    assert [sum(layer) for layer in heights(figure)] == [40, 30, 20, 10]
    assert legend(plots.events(MOMENTS, by=by, top=4))[0] == "e  4"


def test_missing_labels_are_a_label() -> None:
    for by in ([None, "a", None], pd.Series([None, "a", None]), pl.Series([None, "a", None]), [pd.NA, "a", pd.NA]):
        assert legend(plots.events(MOMENTS[:3], by=by)) == ["a  1", "(none)  2"]


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


def test_pictures_are_sharp_transparent_and_small() -> None:
    for figure in (plots.run(history()), plots.events(MOMENTS, by=LABELS)):
        content, shown = figure._repr_png_()  # type: ignore[attr-defined]
        assert content.startswith(b"\x89PNG")
        assert int.from_bytes(content[16:20], "big") == 2 * shown["width"] == 1_800
        assert len(content) < 150_000
        assert content == figure._repr_png_()[0]  # type: ignore[attr-defined]


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
