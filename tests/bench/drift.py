"""Say what becomes of records that drift, in ours and in other libraries, on the way from JSON lines to Parquet.

Each case is a file of its own: many records of one kind, then one that is different, then some more of the first kind.
Each tool makes a Parquet file of it, with nothing set, and every value of the different record is looked for in there.
What is printed as Markdown is what was found. `make bench-tables` builds what is needed and calls this.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal, InvalidOperation
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from bench import complain, say
from tables import default_tables, short

HERE = Path(__file__).resolve().parent
TOOLS = {"ours": "", "pyarrow": "pyarrow-parquet", "polars": "polars-parquet", "duckdb": "duckdb-parquet"}
TOOLS["pandas"] = "pandas-parquet"
BEFORE, AFTER = 60_000, 1_000
PATIENCE = 60
SHOWN = 120
RECURSION = 20_000


class Case(NamedTuple):
    """A way to be different."""

    title: str
    members: str
    """Members of the record that is different, beside its id; what it lacks is as usual."""
    number: int = BEFORE
    everywhere: bool = False
    """All records are so."""


CASES = (
    Case("a word where numbers were", '"age":"unknown"'),
    Case("an object where text was", '"name":{"first":"Ada"}'),
    Case("a time that is none", '"at":"never"'),
    Case("a time in nanoseconds", '"at":"2026-01-01T00:00:00.123456789Z"'),
    Case("a whole number beyond 64 bits", '"age":18446744073709551616'),
    Case("a whole number that no float holds", '"score":9007199254740993'),
    Case("a decimal with 25 digits", '"score":0.1234567890123456789012345'),
    Case("a key twice", '"age":1,"age":2'),
    Case("half of a surrogate pair", r'"name":"\ud800 tail"'),
    Case("a new member, late", '"late":"news"'),
    Case("a list of mixed values", '"tags":["a",1,{"k":true}]'),
    Case("empty objects, everywhere", '"extra":{}', everywhere=True),
    Case("500 objects inside each other", '"nest":' + '{"n":' * 500 + "0" + "}" * 500, number=0),
)


class Members(list[tuple[str, Any]]):
    """The members of an object, all of them."""


def main() -> int:
    """Try all cases with all tools; return the exit code."""
    sys.setrecursionlimit(RECURSION)
    parser = argparse.ArgumentParser(prog="drift.py", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tables", type=Path, default=default_tables(), help="the built example `tables`")
    parser.add_argument("--only", default="", metavar="WORDS", help="cases with these words in their titles")
    options = parser.parse_args()
    if not options.tables.is_file():
        complain("the example `tables` is not built: run `make bench-tables`, or give its place with --tables")
        return 2
    only = options.only.lower()
    names = " | ".join(name if name == "ours" else f"{name} {version(name)}" for name in TOOLS)
    say(f"| one record has | {names} |\n| --- |{' --- |' * len(TOOLS)}")
    with tempfile.TemporaryDirectory(prefix="circulate-bench-") as folder:
        for case in (case for case in CASES if only in case.title):
            file = Path(folder, "records.ndjson")
            file.write_text("".join(f"{line}\n" for line in lines(case)))
            ends = [outcome(case, tool, file, options.tables) for tool in TOOLS]
            say(f"| {case.title} | {' | '.join(ends)} |")
    say(f"\nThe record stands after {BEFORE:,} others, the one with 500 objects in front of them.")
    say("Repeat: `make bench-tables`, or `python tests/bench/drift.py`.")
    return 0


def lines(case: Case) -> Iterator[str]:
    """Give the records of a case."""
    for number in range(BEFORE + AFTER):
        different = case.everywhere or number == case.number
        yield record(number, case.members) if different else record(number)


def record(number: int, different: str = "") -> str:
    """Return a record, with members other than the usual ones."""
    usual = {
        "name": f'"user {number}"',
        "age": f"{number % 90}",
        "score": f"{number % 7}.5",
        "at": f'"2026-01-01T00:00:{number % 60:02}Z"',
        "tags": '["a","b"]',
    }
    members = [f'"{name}":{text}' for name, text in usual.items() if f'"{name}":' not in different]
    return f'{{"id":{number},{",".join([*members, *filter(None, [different])])}}}'


def outcome(case: Case, tool: str, file: Path, tables: Path) -> str:
    """Return what a tool makes of a case."""
    out = file.with_name("out.parquet")
    out.unlink(missing_ok=True)
    command = [sys.executable, str(HERE / "libraries.py"), TOOLS[tool], str(file), str(out)]
    if tool == "ours":
        out = file.with_name("00000000.parquet")
        command = [str(tables), str(file), "parquet", str(file.parent)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        return f"**fails**: not done after {PATIENCE} s"
    if done.returncode < 0:
        return f"**crashes** (signal {-done.returncode})"
    if done.returncode:
        return f"**fails**: {code(short(done.stderr.replace(f'{file.parent}/', '')))}"
    try:
        return judged(case, rows_of(file, out, tool))
    except (pa.ArrowException, OSError) as error:
        written = str(error).rpartition("': ")[2]
        return f"**writes what pyarrow can't read**: {code(written)}"


def rows_of(file: Path, out: Path, tool: str) -> list[dict[str, Any]]:
    """Return the rows of what a tool wrote, as far as they are of interest: of ours there may be several objects."""
    files = sorted(out.parent.glob("0*.parquet")) if tool == "ours" else [out]
    tables = [pq.read_table(path) for path in files]
    for path in files:
        path.unlink()
    complain(f"{tool}: {sum(table.num_rows for table in tables)} rows of {file.name}")
    return [row for table in tables for row in table.to_pylist()]


def judged(case: Case, rows: list[dict[str, Any]]) -> str:
    """Return what became of a record that is different, and of the others."""
    if len(rows) != BEFORE + AFTER:
        return f"**loses {BEFORE + AFTER - len(rows):,} records**"
    row = rows[case.number]
    received = parsed(record(case.number, case.members))
    rescued = parsed(row.get("_rescued") or "{}")
    if len(dict(received)) < len(received) and not rescued:
        return f"**keeps one of two**: `{row.get('age')}`"
    ends = dict.fromkeys(end for name, value in received for end in found(value, row.get(name), f"/{name}", rescued))
    bad = [end for end in ends if end.startswith("*")]
    usual = rows[BEFORE + 1]
    others = [end for name, value in parsed(record(BEFORE + 1)) for end in found(value, usual.get(name), "", [])]
    if others and not case.everywhere:
        bad.append(f"the column's other values: {others[0]}")
    if '"at"' in case.members and isinstance(usual["at"], str):
        ends["all times are text"] = None
    return "; ".join(bad or list(ends)) or "kept"


def parsed(text: str) -> Members:
    """Return the members of an object, numbers to the last digit."""
    members: Members = json.loads(text, object_pairs_hook=Members, parse_float=Decimal)
    return members


def found(value: object, cell: object, path: str, rescued: Any) -> list[str]:  # noqa: ANN401 - `Members`
    """Return how a value is kept, if it isn't in the place where one would look for it, or what became of it."""
    if same(value, cell):
        return []
    if any(place == path and there == value for place, there in rescued):
        return ["kept, in `_rescued`"]
    if isinstance(cell, str) and is_text_of(cell, value):
        return ["kept, as JSON text"]
    if isinstance(value, list) and isinstance(cell, (list, dict)) and value:
        return found_within(value, cell, path, rescued)
    return ["**lost**" if cell is None else f"**changed** to {code(json.dumps(cell, default=str))}"]


def found_within(value: Any, cell: Any, path: str, rescued: Any) -> list[str]:  # noqa: ANN401 - JSON
    """Return how the members or elements of a value are kept."""
    if isinstance(value, Members) and isinstance(cell, dict):
        parts = [(name, part, cell.get(name)) for name, part in value]
    elif not isinstance(value, Members) and isinstance(cell, list) and len(cell) == len(value):
        parts = [(str(number), part, cell[number]) for number, part in enumerate(value)]
    else:
        return [f"**changed** to {code(json.dumps(cell, default=str))}"]
    return [end for name, part, there in parts for end in found(part, there, f"{path}/{name}", rescued)]


def same(value: object, cell: object) -> bool:
    """Whether a cell is what was received."""
    if isinstance(cell, datetime) and isinstance(value, str):
        return is_time(value, cell)
    if isinstance(cell, bool) or isinstance(value, bool) or value is None or cell is None:
        return value is cell
    if isinstance(cell, (int, float, Decimal)) and isinstance(value, (int, Decimal)):
        return Decimal(repr(cell) if isinstance(cell, float) else cell) == value
    if isinstance(value, Members) and isinstance(cell, (dict, list)):
        return dict(value) == dict(cell) if not value else False
    return type(value) is type(cell) and value == cell


def is_time(text: str, cell: datetime) -> bool:
    """Whether a time is the one of a text, to its last digit."""
    try:
        written = datetime.fromisoformat(text)
    except ValueError:
        return False
    finer = len(text.partition(".")[2].rstrip("Z")) > len("123456")
    nanosecond = int(getattr(cell, "nanosecond", 0))
    return written.replace(tzinfo=None) == cell.replace(tzinfo=None) and (not finer or nanosecond > 0)


def is_text_of(text: str, value: object) -> bool:
    """Whether a text is the JSON of a value."""
    try:
        there = json.loads(text, object_pairs_hook=Members, parse_float=Decimal)
    except (ValueError, InvalidOperation):
        return False
    return bool(there == value)


def code(text: str) -> str:
    """Return the beginning of a text as code that may stand in a cell."""
    text = text.encode("ascii", "backslashreplace").decode().replace("|", "/").replace("`", "'").replace("\n", " ")
    return f"`{text if len(text) <= SHOWN else text[:SHOWN].rstrip() + '...'}`"


if __name__ == "__main__":
    sys.exit(main())
