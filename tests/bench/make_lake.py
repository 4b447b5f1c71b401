"""Make a lake of two runs by pulls: all users, then those that changed. Usage: `make_lake.py URL FORMAT FOLDER`."""

import json
import sys
from typing import Literal

import circulate_core


def main(url: str, format_: Literal["json", "parquet"], folder: str) -> None:
    """Pull twice, and print how many records each run had."""
    source = circulate_core.source("bench", base_url=url)
    bounds = {"param": "since", "since": "{since}", "overlap": "5m", "full_since": "1970-01-01T00:00:00Z"}
    stream = source.stream(
        "users", path="/users", paginator="link_header", incremental={"cursor": "/lastUpdated", **bounds}
    )
    reports = [stream.pull(to=folder, format=format_, progress=False) for _ in range(2)]
    json.dump([report.records for report in reports], sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], "parquet" if sys.argv[2] == "parquet" else "json", sys.argv[3])
