"""Texts that people see, held in files that a diff shows: `tests/snapshots`."""

import os
import re
from pathlib import Path

SNAPSHOTS = Path(__file__).resolve().parents[1] / "snapshots"
UPDATE = "UPDATE_SNAPSHOTS"
"""Environment variable that has the files written anew."""

_UNSTABLE = {
    "port": r"(?<=\b127\.0\.0\.[12][:-])\d+",
    "run": r"\b\d{8}T\d{9}Z-[0-9a-f]{10}\b",
    "request": r"(?<=\brequest )[0-9a-f]{28}\b",
    "time": r"(?<!write it like `)\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( UTC|Z|\+00:00)",
    "hour": r"\bcirculate_date=\d{4}-\d\d-\d\d/circulate_hour=\d\d\b",
    "span": r"\b\d+(\.\d+)? (ms|s)\b",
    "size": r"\b\d+\.\d [kM]B\b",
    "byte": r"(?<=\bbyte )[1-9]\d*",
    "worker": r"\bprocess \d+ on \S+(?<![,.])",
}
"""What differs from run to run, by what is written in its place."""


def assert_snapshot(name: str, text: str) -> None:
    """Compare a text with the file of that name, or write the file if the environment asks for it."""
    path = SNAPSHOTS / f"{name}.txt"
    if os.environ.get(UPDATE):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    expected = path.read_text() if path.exists() else ""
    assert text == expected, f"{path.name} differs: if it is meant to, run this test with {UPDATE}=1 and read the diff"


def stable(text: str, **replaced: str | Path) -> str:
    """Return a text without what differs from run to run, and with names in the place of what is given by name."""
    for name, each in replaced.items():
        text = text.replace(str(each), f"<{name}>")
    for name, pattern in _UNSTABLE.items():
        text = re.sub(pattern, f"<{name}>", text)
    return text
