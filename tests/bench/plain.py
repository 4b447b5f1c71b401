"""Contender `plain script`: what a competent engineer would write in an afternoon. Usage: `plain.py URL FOLDER`."""

import gzip
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

RECORDS_PER_FILE = 1000


def pages(url: str) -> Iterator[list[dict[str, Any]]]:
    """Yield the pages of the list that starts at `url`."""
    session = requests.Session()
    session.headers["Authorization"] = f"SSWS {os.environ['OKTA_API_TOKEN']}"
    while True:
        response = get(session, url)
        response.raise_for_status()
        yield response.json()
        following = next_url(response)
        if following is None:
            return
        url = following


def get(session: requests.Session, url: str) -> requests.Response:
    """Return what `session.get(url)` would, with `url` as it is.

    The practice org takes a cursor only as it gave it out, and requests writes `%2D` in it as `-`. This is no slower.
    """
    request = session.prepare_request(requests.Request("GET", url))
    request.url = url
    return session.send(request, timeout=60)


def next_url(response: requests.Response) -> str | None:
    """Return what `response.links["next"]["url"]` would, were it not for the `;` and `,` in the practice org's cursors.

    With these in the URL `response.links` has no `next`, and the pull would end after its first page.
    """
    link = re.search(r'<([^<>]*)>; rel="next"', response.headers.get("Link", ""))
    return link[1] if link else None


def write(records: list[dict[str, Any]], path: Path) -> None:
    """Write `records` to `path` as one JSON array, compressed."""
    with gzip.open(path, "wt", compresslevel=6) as file:
        json.dump(records, file)


def main(url: str, folder: Path) -> None:
    """Pull the list that starts at `url` into files in `folder`."""
    folder.mkdir(parents=True)
    records: list[dict[str, Any]] = []
    number = 0
    for page in pages(url):
        records += page
        while len(records) >= RECORDS_PER_FILE:
            write(records[:RECORDS_PER_FILE], folder / f"{number:08}.json.gz")
            records = records[RECORDS_PER_FILE:]
            number += 1
    if records:
        write(records, folder / f"{number:08}.json.gz")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
