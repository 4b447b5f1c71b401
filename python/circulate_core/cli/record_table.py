"""Records as a table in a terminal."""

from __future__ import annotations

import json
import shutil
import sys
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from circulate_core import _core
from circulate_core.console import display_width, shows_data, table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_CELL = 40
"""Columns of a terminal that a value in a table takes."""


def record_table(records: Sequence[Mapping[str, Any]], names: Sequence[str] = ()) -> tuple[str, int]:
    """Return a table of the columns that fit on a line, and how many do not.

    Args:
        records: The rows.
        names: The columns, if they are known. Default: what records have.
    """
    rows = [_flat(record) for record in records]
    columns = list(dict.fromkeys(name for row in rows for name in row)) or [_cell(name) for name in names]
    # What is an object in one record and null in another has the columns of its members.
    objects = {name[:at] for name in columns for at, letter in enumerate(name) if letter == "."}
    columns = [name for name in columns if name not in objects or any(row.get(name) for row in rows)]
    width = shutil.get_terminal_size().columns if shows_data() else sys.maxsize
    shown = _fitting(columns, rows, width)
    text = table([shown, *([row.get(name, "") for name in shown] for row in rows)]) if shown else ""
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
    if display_width(text) <= MAX_CELL:
        return text
    return (
        "".join(c for c, width in zip(text, accumulate(map(display_width, text)), strict=True) if width < MAX_CELL)
        + "…"
    )


def _fitting(columns: list[str], rows: list[dict[str, str]], width: int) -> list[str]:
    """Return the first columns that fit on a line; at least one."""
    used = 0
    shown: list[str] = []
    for name in columns:
        used += max(display_width(cell) for cell in (name, *(row.get(name, "") for row in rows))) + 2
        if shown and used - 2 > width:
            break
        shown.append(name)
    return shown
