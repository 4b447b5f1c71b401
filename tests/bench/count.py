"""Say what a contender left in a folder: records, files and their bytes. Usage: `count.py FOLDER`.

A program of its own, so that its memory is not taken for that of a contender: see `bench.py`.
"""

import gzip
import json
import sys
from pathlib import Path

from pyarrow.parquet import read_metadata


def count(folder: Path) -> tuple[int, int, int]:
    """Return records, files and bytes of the objects below `folder`, manifests left out."""
    objects = [path for path in folder.rglob("*.json.gz") if "_circulate" not in path.parts]
    tables = [path for path in folder.rglob("*.parquet") if "_circulate" not in path.parts]
    records = sum(len(json.loads(gzip.decompress(path.read_bytes()))) for path in objects)
    records += sum(read_metadata(path).num_rows for path in tables)
    return records, len(objects + tables), sum(path.stat().st_size for path in objects + tables)


if __name__ == "__main__":
    json.dump(count(Path(sys.argv[1])), sys.stdout)
