"""Columns as people have them (lists, NumPy, pandas, polars, Arrow), as what pictures are drawn of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from circulate_core.exceptions import SettingsError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Times = NDArray[np.datetime64]

MOST_DAYS = 200_000
"""Days of an age; larger numbers are meant as something else, such as epochs."""


def one_column(name: str, values: object) -> Iterable[object]:
    """Return values as what can be iterated over.

    Raises:
        SettingsError: They are something else than a column, such as one string or a whole table.
    """
    if hasattr(values, "columns") or hasattr(values, "column_names"):
        message = f"`{name}` is a table ({type(values).__name__}): give one column of it"
        raise SettingsError(message, hint='as in `table["login"]`')
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        message = f"`{name}` is a {type(values).__name__}: give a column, or a list"
        raise SettingsError(message)
    return values


def name_of(values: object, default: str) -> str:
    """Return what a column is called, as words; columns of pandas and polars know it."""
    name = getattr(values, "name", None)
    words = " ".join(name.replace("_", " ").split()) if isinstance(name, str) else ""
    return words or default


def as_strings(name: str, values: object) -> list[str | None]:
    """Return values as strings; None is what is missing."""
    return [None if is_missing(value) else str(value) for value in _plain(one_column(name, values))]


def as_labels(values: object, count: int, what: str) -> NDArray[Any]:
    """Return the labels in `by`, one for each of `count` things that are called `what`.

    Raises:
        SettingsError: There are more of them, or fewer.
    """
    labels = np.array(["(none)" if string is None else string for string in as_strings("by", values)], dtype=object)
    if len(labels) != count:
        message = f"`by` has {len(labels):,} labels for {count:,} {what}"
        raise SettingsError(message)
    return labels


def as_datetimes(name: str, times: object) -> Times:
    """Return times as NumPy has them, in UTC; what is missing is not-a-time.

    Raises:
        SettingsError: Something else is among them.
    """
    if _holds_times(times):
        # All libraries turn them into UTC at once.
        if is_arrow(times):
            return np.asarray(cast("Any", times)).astype("datetime64[ms]")
        return np.asarray(times).astype("datetime64[ms]") if isinstance(times, np.ndarray) else _converted(times)
    return np.array([as_datetime(name, time) for time in _plain(one_column(name, times))], dtype="datetime64[ms]")


def as_ages(name: str, values: object, now: np.datetime64) -> NDArray[np.float64]:
    """Return how many days before now each is: of times, or of ages as timedeltas or days; what is missing is NaN.

    Raises:
        SettingsError: Something else is among them.
    """
    day = np.timedelta64(1, "D")
    if _holds_times(values):
        return (now - as_datetimes(name, values)) / day
    return np.array([_age(name, value, now, day) for value in _plain(one_column(name, values))], dtype=np.float64)


def _age(name: str, value: object, now: np.datetime64, day: np.timedelta64) -> float:
    if is_missing(value):
        return np.nan
    if isinstance(value, (timedelta, np.timedelta64)):
        return float(np.timedelta64(value) / day)
    if isinstance(value, (int, float, np.number)) and not isinstance(value, bool):
        if abs(days := float(value)) > MOST_DAYS:
            message = f"`{name}` holds {value}: numbers are days"
            raise SettingsError(message, hint="give times as strings like 2026-01-31T00:00:00Z, or datetimes")
        return days
    return float((now - np.datetime64(cast("Any", as_datetime(name, value)), "ms")) / day)


def as_datetime(name: str, time: object) -> object:
    """Return a time as NumPy takes it: without offset, in UTC; None if it is missing.

    Raises:
        SettingsError: It is something else.
    """
    if is_missing(time):
        return None
    if isinstance(time, np.datetime64):
        return time
    if isinstance(time, str):
        try:
            time = datetime.fromisoformat(time)
        except ValueError:
            message = f"invalid `{name}`: not a time: {time!r}"
            raise SettingsError(message, hint="give strings like 2026-01-31T00:00:00Z, or datetimes") from None
    if isinstance(time, datetime) and time.tzinfo:
        return time.astimezone(UTC).replace(tzinfo=None)
    if isinstance(time, date):
        return time
    message = f"`{name}` holds a {type(time).__name__}: give strings like 2026-01-31T00:00:00Z, or datetimes"
    raise SettingsError(message)


def distinct(values: NDArray[Any]) -> NDArray[Any]:
    """Return the different values, in their order.

    `np.unique` hashes numbers, which takes ten times as long where there are many different ones.
    """
    ordered = np.sort(values)
    return ordered[np.append(True, ordered[1:] != ordered[:-1])] if len(ordered) else ordered


def now_or(given: object) -> np.datetime64:
    """Return the time in `now`, or the time that it is.

    Raises:
        SettingsError: It is something else.
    """
    now = np.datetime64(cast("Any", as_datetime("now", datetime.now(UTC) if given is None else given)), "ms")
    if np.isnat(now):
        message = f"invalid `now`: not a time: {given!r}"
        raise SettingsError(message, hint="give a string like 2026-01-31T00:00:00Z, or a datetime")
    return now


def is_missing(value: object) -> bool:
    """Return whether it is None, or what is not known to equal itself, as libraries mark what is missing."""
    same: object = value == value  # noqa: PLR0124 - see above
    return value is None or not (same is True or (isinstance(same, np.bool_) and bool(same)))


def _holds_times(values: object) -> bool:
    """Return whether it is a column of times, whatever library it is of."""
    kind = getattr(values, "type", "") if is_arrow(values) else getattr(values, "dtype", "")
    return str(kind).lower().startswith(("datetime", "timestamp"))


def is_arrow(values: object) -> bool:
    """Return whether it is a column of pyarrow, whose values are objects of its own."""
    return hasattr(values, "to_pylist") and hasattr(values, "type")


def _plain(values: Iterable[object]) -> Iterable[object]:
    return cast("Iterable[object]", cast("Any", values).to_pylist()) if is_arrow(values) else values


def _converted(times: object) -> Times:
    to_numpy = getattr(times, "to_numpy", None)
    if to_numpy is None:
        return np.asarray(cast("Any", times), dtype="datetime64[ms]")
    try:
        converted = to_numpy(dtype="datetime64[ms]")
    except TypeError:
        converted = to_numpy()
    return cast("Times", converted.astype("datetime64[ms]"))
