"""A real HTTP server on loopback that responds by a function, for APIs that behave as no practice org does."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from support.cli import Cli, Done


@dataclass
class Reply:
    """What the server sends: a body as text or JSON, and headers, of which there may be several of one name."""

    body: Any
    headers: list[tuple[str, str]] = field(default_factory=list)
    status: int = 200
    date: bool = True
    """Whether it has a `Date`."""


@dataclass
class Api:
    """A server that is running."""

    url: str
    requests: list[str]
    """Path and query of each request."""


@contextmanager
def serving(response: Callable[[str, dict[str, str]], Reply]) -> Iterator[Api]:
    """Serve what `response` makes of a path and its query parameters."""
    requests: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            requests.append(self.path)
            split = urlsplit(self.path)
            query = {name: values[-1] for name, values in parse_qs(split.query).items()}
            reply = response(split.path, query)
            body = (reply.body if isinstance(reply.body, str) else json.dumps(reply.body)).encode()
            self.send_response_only(reply.status)
            if reply.date:
                self.send_header("Date", self.date_time_string())
            for name, value in [*reply.headers, ("Content-Length", str(len(body)))]:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield Api(f"http://127.0.0.1:{server.server_port}", requests)
        finally:
            server.shutdown()
            thread.join()


def define(folder: Path, listed: str, **more: str) -> Path:
    """Write a catalog with the stream `acme.items`, whose `list` is this YAML; return its folder."""
    source = folder / "catalog" / "acme"
    source.mkdir(parents=True, exist_ok=True)
    (source / "source.yaml").write_text(
        "source: acme\ntitle: Acme\nsettings: {base_url: {env: ACME_URL, about: its address}}\n"
        "base_url: '{base_url}'\nauth: [none]\ncheck: {path: /items}\n" + more.get("source", "")
    )
    lines = "".join(f"  {line}\n" for line in listed.strip().splitlines())
    (source / "items.yaml").write_text(f"endpoint: items\nabout: Items.\nscopes: []\nlist:\n{lines}")
    return source.parent


def pull(cli: Cli, api: Api, *arguments: str) -> Done:
    """Pull `acme.items` to the lake, and write the report."""
    command = ["pull", "acme.items", "--catalog", "catalog", "--to", "lake", "--account", "acme", "--json"]
    return cli(*command, *arguments, ACME_URL=api.url)
