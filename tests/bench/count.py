"""Say what a contender left in a folder: records, files and their bytes. Usage: `count.py FOLDER`.

A program of its own, so that its memory is not taken for that of a contender: see `bench.py`.
"""

import gzip
import json
import sys
from pathlib import Path


def count(folder: Path) -> tuple[int, int, int]:
    """Return records, files and bytes of the objects below `folder`, manifests left out."""
    objects = [path for path in folder.rglob("*.json.gz") if "_circulate" not in path.parts]
    records = sum(len(json.loads(gzip.decompress(path.read_bytes()))) for path in objects)
    return records, len(objects), sum(path.stat().st_size for path in objects)


if __name__ == "__main__":
    json.dump(count(Path(sys.argv[1])), sys.stdout)
