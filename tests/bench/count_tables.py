"""Say what a contender left in a folder: rows, columns without parts, and bytes. Usage: `count_tables.py FOLDER`.

A program of its own, so that its memory is not taken for that of a contender: see `bench.py`.
"""

import json
import sys
from pathlib import Path

from pyarrow.parquet import read_metadata


def count(folder: Path) -> tuple[int, int, int]:
    """Return rows, columns and bytes of the Parquet files in `folder`."""
    files = sorted(folder.glob("*.parquet"))
    facts = [read_metadata(file) for file in files]
    columns = max((fact.num_columns for fact in facts), default=0)
    return sum(fact.num_rows for fact in facts), columns, sum(file.stat().st_size for file in files)


if __name__ == "__main__":
    json.dump(count(Path(sys.argv[1])), sys.stdout)
