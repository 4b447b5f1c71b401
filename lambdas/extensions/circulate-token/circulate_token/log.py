"""A line of JSON for each thing that happens. It goes to the function's log, so it never holds a token or a secret."""

import json
import sys
import time


def info(event: str, **fields: object) -> None:
    """Write a line about something that is as it should be."""
    _write("info", event, fields)


def error(event: str, **fields: object) -> None:
    """Write a line about something that is not."""
    _write("error", event, fields)


def _write(level: str, event: str, fields: dict[str, object]) -> None:
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    line = {"time": at, "level": level, "extension": "circulate-token", "event": event, **fields}
    sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
    sys.stdout.flush()
