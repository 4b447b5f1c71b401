"""Reading the tables of a lake stays within its budget, however many records and versions there are.

What is measured is what `test_memory` measures: the peak of all that the process allocated, Python and libraries
included.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.peaks import PEAK
from support.shapes import Shape, paged, serving

BESIDE = 50_000
"""KB that reading may take beside its budget: interpreter, engine and pyarrow, which take most of it, and batches."""
BUDGET = 16
"""MB into which neither the keys of a test fit, nor its table."""
MANY, MOST = 300_000, 10_000_000

PULL = """
import sys
import circulate_core
url, lake, format_ = sys.argv[1:]
source = circulate_core.source("acme", base_url=url)
stream = source.stream("things", path="/things", query={"page": "0"}, paginator="link_header")
stream.pull(to=lake, format=format_, progress=False)
"""

READ = """
import json, sys
import circulate_core, pyarrow
lake, view, memory = sys.argv[1:]
table = circulate_core.lake(lake).table("acme.things", memory=int(memory))
if view == "history":
    table = table.history()
rows = sum(batch.num_rows for batch in pyarrow.RecordBatchReader.from_stream(table))
print(json.dumps([peak_kb(), rows, table.report.spilled_bytes]))
"""


@dataclass(frozen=True)
class Read:
    """What reading a table took, and what was read."""

    peak: int
    rows: int
    spilled: int


def things(keys: int) -> Shape:
    """Return a list of records of 230 bytes with so many keys; a key comes again with another value."""

    def records(count: int) -> Iterator[str]:
        yield from (f'{{"id":{number % keys},"value":"{number:0200}"}}' for number in range(count))

    return Shape(paged(records, 20_000), MOST)


def pulled(folder: Path, shape: Shape, records: int, format_: str) -> Path:
    """Pull such a list into a lake."""
    lake = folder / "lake"
    with serving(shape, records) as url:
        run([PULL, url, str(lake), format_], folder)
    return lake


def read(lake: Path, view: str, budget: int) -> Read:
    """Read a table in a process of its own, batch by batch."""
    peak, rows, spilled = json.loads(run([PEAK + READ, str(lake), view, str(budget * 1_000_000)], lake.parent))
    print(f"{view} peak {peak / 1000:.1f} MB, {spilled / 1e6:.1f} MB beside it")  # noqa: T201 - shown by a failure
    return Read(peak=peak, rows=rows, spilled=spilled)


def run(program: list[str], folder: Path) -> str:
    environment = {**os.environ, "HOME": str(folder)}
    return subprocess.run(
        [sys.executable, "-c", *program], env=environment, check=True, capture_output=True, text=True
    ).stdout


@pytest.mark.parametrize("looks", ["json", "parquet"])
def test_keys_that_do_not_fit_into_the_budget_are_read_within_it(tmp_path: Path, looks: str) -> None:
    done = read(pulled(tmp_path, things(MANY), MANY, looks), "current", BUDGET)
    assert done.rows == MANY
    assert done.spilled > 0
    assert done.peak <= BUDGET * 1000 + BESIDE


@pytest.mark.parametrize("keys", [1, 1000])
def test_a_history_of_many_versions_is_read_within_it(tmp_path: Path, keys: int) -> None:
    done = read(pulled(tmp_path, things(keys), MANY, "parquet"), "history", BUDGET)
    assert done.rows == MANY
    assert done.spilled > 0
    assert done.peak <= BUDGET * 1000 + BESIDE


@pytest.mark.skipif("TORTURE" not in os.environ, reason="ten million records take minutes: make torture")
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("view", "keys"), [("current", MOST), ("history", 1000), ("history", 1)])
def test_ten_million_are_read_within_256_mb(tmp_path: Path, view: str, keys: int) -> None:
    done = read(pulled(tmp_path, things(keys), MOST, "parquet"), view, 256)
    assert done.rows == MOST
    assert done.spilled > 0
    assert done.peak <= 256_000
