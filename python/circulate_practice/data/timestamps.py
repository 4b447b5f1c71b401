"""Timestamps in the form Okta uses, `2026-01-31T23:59:59.999Z`, to and from epoch milliseconds."""

import functools
import re
from datetime import UTC, datetime, timedelta

_SECOND_MS = 1000
_DAY_MS = 86_400_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHAPE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z", re.ASCII)


@functools.lru_cache(maxsize=8192)
def _day(number: int) -> bytes:
    return (_EPOCH + timedelta(days=number)).strftime("%Y-%m-%dT").encode()


@functools.cache
def _time_of_day(second: int) -> bytes:
    minutes, second = divmod(second, 60)
    return b"%02d:%02d:%02d." % (*divmod(minutes, 60), second)


def timestamp(ms: int) -> bytes:
    """Return `ms`, milliseconds since 1970 in UTC, as Okta writes it.

    Example:
        >>> timestamp(1)
        b'1970-01-01T00:00:00.001Z'
    """
    day, rest = divmod(ms, _DAY_MS)
    second, fraction = divmod(rest, _SECOND_MS)
    return b"%b%b%03dZ" % (_day(day), _time_of_day(second), fraction)


def parse_timestamp(text: str) -> int | None:
    """Return the milliseconds since 1970 that `text` names, or None if it is not in that form."""
    if not _SHAPE.fullmatch(text):
        return None
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (parsed - _EPOCH) // timedelta(milliseconds=1)
