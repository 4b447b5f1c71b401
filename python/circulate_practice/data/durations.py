"""Durations as people type them: `250ms`, `2s`, `1m`, `1h`, or a bare number of seconds."""

import re

_SHAPE = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)?", re.ASCII)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, None: 1.0}


def parse_duration(text: str) -> float:
    """Return the seconds that `text` names.

    Raises:
        ValueError: If `text` is not a duration.

    Example:
        >>> parse_duration("250ms")
        0.25
    """
    found = _SHAPE.fullmatch(text.strip())
    if found is None:
        message = f'"{text}" is not a duration; write 250ms, 2s, 1m or 1h'
        raise ValueError(message)
    return float(found[1]) * _SECONDS[found[2]]
