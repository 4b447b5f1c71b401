"""An API on loopback that lets in whoever signs in as a test wants it, with a list of three pages."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import circulate_core
from circulate_core.results import Report
from support.http_server import Handler, Reply, Server
from support.paging_pulls import written

if TYPE_CHECKING:
    from circulate_core.types import InlineDefinition

RECORDS = [{"id": f"r{number}"} for number in range(6)]
PAGE = 2


@dataclass(frozen=True)
class Sent:
    """A request as the API has received it."""

    method: str
    path: str
    """With its query."""
    headers: dict[str, str]
    """Their names in lower case."""
    body: bytes

    @property
    def query(self) -> dict[str, list[str]]:
        """Its parameters."""
        return parse_qs(urlsplit(self.path).query, keep_blank_values=True)


@dataclass
class SignedApi:
    """The API."""

    url: str
    requests: list[Sent] = field(default_factory=list)

    def definition(self, auth: list[Any], settings: dict[str, Any], **listing: Any) -> "InlineDefinition":  # noqa: ANN401 - what a list holds
        """Return the definition of its list, `acme.items`, which signs in so; `check=None` leaves that out."""
        check = listing.pop("check", {"path": "/items"})
        address = {"url": {"env": "ACME_URL", "about": "its address"}}
        return {
            "source": {
                "source": "acme",
                "title": "Acme",
                "settings": address | settings,
                "base_url": "{url}",
                "auth": auth,
                **({"check": check} if check else {}),
            },
            "endpoints": {
                "items": {
                    "about": "Items.",
                    "scopes": [],
                    "list": {
                        "path": "/items",
                        "records": "/items",
                        "primary_key": ["/id"],
                        "paginator": {"next_url": {"body": "/next"}},
                        **listing,
                    },
                }
            },
        }

    def pull(
        self,
        to: Path,
        auth: list[Any],
        given: dict[str, str],
        **more: Any,  # noqa: ANN401 - what a list holds
    ) -> Report:
        """Pull the list with these settings; those that are not named `open...` are secret."""
        return circulate_core.pull(
            "acme.items",
            to=to,
            settings={"url": self.url, **given},
            account="acme",
            catalog=[self.definition(auth, settings_of(given), **more)],
        )


def settings_of(names: Any) -> dict[str, Any]:  # noqa: ANN401 - names
    """Return settings of these names, secret unless they begin with `open`."""
    return {
        name: {"env": f"ACME_{name}".upper(), "about": f"its {name}", "secret": not name.startswith("open")}
        for name in names
    }


@contextmanager
def signed_api(
    lets_in: Callable[[Sent], bool], respond: Callable[[Sent], Reply | None] = lambda _: None
) -> Iterator[SignedApi]:
    """Serve the list to requests that are let in; `respond` may say something else to these."""

    def answer(handler: Handler) -> Reply:
        headers = {name.lower(): value for name, value in handler.headers.items()}
        sent = Sent(handler.command, handler.path, headers, handler.body)
        api.requests.append(sent)
        if not lets_in(sent):
            return Reply({"error": "who is it?"}, status=401)
        return respond(sent) or page(sent)

    def page(sent: Sent) -> Reply:
        start = int(sent.query.get("start", ["0"])[-1])
        more = start + PAGE < len(RECORDS)
        following = f"{sent.path}{'&' if '?' in sent.path else '?'}start={start + PAGE}" if more else None
        return Reply({"items": RECORDS[start : start + PAGE], "next": following})

    with Server(answer) as server:
        api = SignedApi(server.url)
        yield api


def assert_whole(report: Report, folder: Path) -> None:
    """Assert that a pull has the whole list."""
    assert (report.status, written(folder, report)) == ("complete", RECORDS)


def reveals(folder: Path, secret: str) -> list[str]:
    """Return the files below a folder that hold a secret."""
    return [str(file) for file in folder.rglob("*") if file.is_file() and secret.encode() in file.read_bytes()]
