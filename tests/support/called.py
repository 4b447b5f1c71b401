"""A source of one's own with operations, of an API that keeps things by id."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from support.http_server import Handler, Reply, Server

LIST = "  path: /things\n  primary_key: [/id]\n  paginator: none\n  single: certain\n"


@dataclass
class Things:
    """A server that is running, and what it was asked."""

    things: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: list[tuple[str, str, bytes]] = field(default_factory=list)
    """Method, path with its query, and body of each request."""
    page: int = 2
    """Records of a page."""
    url: str = ""
    respond_to: Callable[[Handler], Reply | None] | None = None
    """Responds instead of it, unless it returns None."""

    @property
    def targets(self) -> list[str]:
        """Method and path of each request."""
        return [f"{method} {path}" for method, path, _ in self.requests]

    def respond(self, request: Handler) -> Reply | None:
        """Respond to a request."""
        self.requests.append((request.command, request.path, request.body))
        if self.respond_to and (reply := self.respond_to(request)):
            return reply
        split = urlsplit(request.path)
        query = dict(parse_qsl(split.query, keep_blank_values=True))
        if split.path == "/things":
            return self._list(query)
        found = self.things.get(unquote(split.path.removeprefix("/things/")))
        return Reply({"error": "not found"}, status=404) if found is None else Reply(found)

    def _list(self, query: dict[str, str]) -> Reply:
        named = [thing for thing in self.things.values() if thing["name"].startswith(query.get("q", ""))]
        start = int(query.get("after", "0"))
        rest = start + self.page < len(named)
        return Reply({"items": named[start : start + self.page], "next": str(start + self.page) if rest else None})


@contextmanager
def serving(things: Things) -> Iterator[Things]:
    """Serve them until the block ends."""
    with Server(things.respond) as server:
        things.url = server.url
        yield things


def define(folder: Path, operations: dict[str, Any]) -> Path:
    """Write a catalog with the endpoint `acme.things`, which has these operations; return its folder."""
    source = folder / "catalog" / "acme"
    source.mkdir(parents=True, exist_ok=True)
    (source / "source.yaml").write_text(
        "source: acme\ntitle: Acme\nbase_url: '{base_url}'\nauth: [{bearer: token}]\n"
        "settings:\n  base_url: {env: ACME_URL, about: its address}\n"
        "  token: {env: ACME_TOKEN, about: a token, secret: true}\n"
        "  site: {env: ACME_SITE, about: a site, default: main}\n"
    )
    (source / "things.yaml").write_text(
        f"endpoint: things\nabout: Things.\nscopes: []\nlist:\n{LIST}operations: {json.dumps(operations)}\n"
    )
    return source.parent
