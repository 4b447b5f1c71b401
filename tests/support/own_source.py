"""A source of one's own: an API that nobody here ships a definition of, and the files a user writes for it."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from support.http_server import Handler, Reply, Server
from support.packages import write

TOKEN = "wid-canary"  # noqa: S105 - of a practice server
STREAM, FUNCTION = "acme.widgets", "circulate-acme-widgets-list"
SOURCE = """\
source: acme
title: Acme
settings:
  url: {env: ACME_URL, about: Address of the API}
  api_token: {env: ACME_API_TOKEN, about: An API token, secret: true}
base_url: "{url}"
auth:
  - header: {name: Authorization, prefix: "Bearer ", secret: api_token}
check: {path: /v1/me}
"""
WIDGETS = """\
endpoint: widgets
about: Widgets with their sizes
list:
  path: /v1/widgets
  records: /items
  primary_key: [/id]
  paginator: {body_link: /next}
  page_size: {param: limit, max: 50}
"""
HANDLER = """\
\"\"\"Pulls the widgets of Acme.\"\"\"

from circulate_core.aws import puller

list = puller("acme.widgets", catalog="definitions")
"""
LAMBDA = """\
source: acme
endpoint: widgets
functions:
  list: {handler: handler.list, memory_mb: 256, timeout_s: 60}
"""


def make_own_source(folder: Path) -> Path:
    """Write what a user writes, into an empty folder; return the folder of functions."""
    write(folder / "definitions/acme/source.yaml", SOURCE)
    write(folder / "definitions/acme/widgets.yaml", WIDGETS)
    write(folder / "lambdas/lib/acme/widgets/handler.py", HANDLER)
    write(folder / "lambdas/lib/acme/widgets/lambda.yaml", LAMBDA)
    return folder / "lambdas/lib"


def widgets(count: int) -> list[dict[str, Any]]:
    """Return the records that the API has."""
    return [{"id": f"w{number:04}", "size": number % 7, "tags": ["a", "b"][: number % 3]} for number in range(count)]


@contextmanager
def acme(count: int = 120) -> Iterator[str]:
    """Serve the API until the block ends; gives its address."""
    records = widgets(count)

    def respond(request: Handler) -> Reply:
        url = urlsplit(request.path)
        if request.headers["Authorization"] != f"Bearer {TOKEN}":
            return Reply({"error": "who is it?"}, status=401)
        if url.path == "/v1/me":
            return Reply({"name": "acme"})
        if url.path != "/v1/widgets":
            return Reply({"error": "not here"}, status=404)
        query = {name: int(values[0]) for name, values in parse_qs(url.query).items()}
        start, limit = query.get("start", 0), query.get("limit", 50)
        following = start + limit
        link = f"{server.url}/v1/widgets?limit={limit}&start={following}" if following < count else None
        return Reply({"items": records[start:following], "next": link})

    with Server(respond) as server:
        yield server.url


def settings(url: str) -> dict[str, str]:
    """Return the variables by which the API is found and signed in to."""
    return {"ACME_URL": url, "ACME_API_TOKEN": TOKEN}


def digests(count: int = 120) -> list[str]:
    """Return what `circulate_practice.compare` knows the records of the API by."""
    return [hashlib.sha256(json.dumps(record).encode()).hexdigest() for record in widgets(count)]


def replace(file: Path, old: str, new: str) -> None:
    """Write something else in a file."""
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
