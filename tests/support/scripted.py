"""A real HTTP server on loopback that responds by a function, for APIs that behave as no practice org does."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from support.cli import Cli, Done
from support.http_server import Handler, Reply, Server


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

    def respond(request: Handler) -> Reply:
        requests.append(request.path)
        split = urlsplit(request.path)
        query = {name: values[-1] for name, values in parse_qs(split.query).items()}
        return response(split.path, query)

    with Server(respond) as server:
        yield Api(server.url, requests)


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
