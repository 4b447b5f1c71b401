"""Records as a table in a terminal."""

from __future__ import annotations

import json
import shutil
import sys
from typing import TYPE_CHECKING, Any

from circulate_core import _core
from circulate_core.console import table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_CELL = 40
"""Characters of a value in a table."""


def record_table(records: Sequence[Mapping[str, Any]]) -> tuple[str, int]:
    """Return a table of the columns that fit on a line, and how many do not."""
    rows = [_flat(record) for record in records]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize
    shown = _fitting(columns, rows, width)
    text = table([shown, *([row.get(name, "") for name in shown] for row in rows)]) if rows else ""
    return text, len(columns) - len(shown)


def _flat(record: Mapping[str, Any], before: str = "") -> dict[str, str]:
    """Return the members of a record, those of objects in it too, as they are shown in a table."""
    cells: dict[str, str] = {}
    for name, value in record.items():
        if isinstance(value, dict) and value:
            cells |= _flat(value, f"{before}{name}.")
        else:
            cells[_cell(f"{before}{name}")] = _cell(value)
    return cells


def _cell(value: object) -> str:
    text = "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    # JSON can hold halves of characters, which no string outside of Python can.
    text = _core.shown(text.encode(errors="backslashreplace").decode(), limit=MAX_CELL + 1)
    return text if len(text) <= MAX_CELL else f"{text[: MAX_CELL - 1]}…"


def _fitting(columns: list[str], rows: list[dict[str, str]], width: int) -> list[str]:
    """Return the first columns that fit on a line; at least one."""
    used = 0
    shown: list[str] = []
    for name in columns:
        used += max(len(name), *(len(row.get(name, "")) for row in rows)) + 2
        if shown and used - 2 > width:
            break
        shown.append(name)
    return shown
