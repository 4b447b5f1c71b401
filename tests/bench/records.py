"""Write the users of a practice org into a file, one a line. Usage: `records.py FILE USERS plain|edge-cases`.

A program of its own, so that its memory is not taken for that of a contender: see `bench.py`.
"""

import sys
import time
from pathlib import Path

from circulate_practice.okta.directory import Directory
from circulate_practice.paging.pages import PageCache


def write(file: Path, users: int, *, edge_cases: bool) -> None:
    """Write that many users, as an API would send them."""
    directory = Directory(users, 1, clock=time.time, edge_cases=edge_cases, cache=PageCache(0))
    with file.open("wb") as out:
        out.writelines(directory.record(index).body + b"\n" for index in range(users))


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]), edge_cases=sys.argv[3] == "edge-cases")
