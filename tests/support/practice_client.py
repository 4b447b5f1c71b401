"""What the tests of the practice org share: a small HTTP client, which has no code of the server, and a clock."""

import http.client
import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from circulate_practice import PracticeOrg
from support.commands import PATIENCE

LIST = "/api/v1/users"


@dataclass
class Reply:
    """One response as received."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """Return the first header of that name."""
        return next(iter(self.lines(name)), None)

    def lines(self, name: str) -> list[str]:
        """Return every header line of that name."""
        return [value for found, value in self.headers if found.lower() == name.lower()]

    @property
    def next_url(self) -> str | None:
        """The URL of the next page, as received in a header or, where the body is an object, in the body."""
        if self.body.startswith(b"{"):
            url: str | None = self.json["_links"].get("next", {}).get("href")
            return url
        return next((line[1 : line.index(">")] for line in self.lines("Link") if line.endswith('rel="next"')), None)

    @property
    def next_target(self) -> str | None:
        """Path and query of the next page, as received."""
        return None if self.next_url is None else target_of(self.next_url)

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever was sent
        """The body, parsed."""
        return json.loads(self.body)

    @property
    def error_code(self) -> str:
        """The code of one of Okta's errors."""
        return str(self.json["errorCode"])

    @property
    def ids(self) -> list[str]:
        """The ids of the records in a list response."""
        return self.ids_of("id")

    def ids_of(self, name: str) -> list[str]:
        """Return one member of every record in a list response."""
        return [record[name] for record in (self.json["value"] if self.body.startswith(b"{") else self.json)]


class Client:
    """Requests over one kept-alive connection."""

    def __init__(self, org: PracticeOrg) -> None:
        """Prepare to talk to `org`; connects with the first request."""
        self._token = org.token
        self.connection = http.client.HTTPConnection(urlsplit(org.url).netloc, timeout=PATIENCE)

    def get(
        self,
        target: str = LIST,
        *,
        method: str = "GET",
        token: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Reply:
        """Send one request and read the response to its end."""
        sent = {"Authorization": f"SSWS {token or self._token}"} | (headers or {})
        self.connection.request(method, target, headers=sent)
        response = self.connection.getresponse()
        return Reply(response.status, response.getheaders(), response.read())

    def call(self, method: str, target: str, body: object = None, *, headers: dict[str, str] | None = None) -> Reply:
        """Send a request with a JSON body, if there is one, and read the response to its end."""
        sent = {"Authorization": f"SSWS {self._token}"}
        if body is not None:
            sent["Content-Type"] = "application/json"
        text = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        self.connection.request(method, target, body=text, headers=sent | (headers or {}))
        response = self.connection.getresponse()
        return Reply(response.status, response.getheaders(), response.read())

    def leave(self, target: str, *, method: str = "GET") -> None:
        """Send a request, close the sending half of the connection, and wait until the server closes the other.

        Raises:
            HTTPException: There was no response, as there should be none.
        """
        self.connection.request(method, target, headers={"Authorization": f"SSWS {self._token}"})
        self.connection.sock.shutdown(socket.SHUT_WR)
        self.connection.getresponse().read()

    def pages(self, target: str = LIST) -> Iterator[Reply]:
        """Read the whole list, page by page, as the links say."""
        following: str | None = target
        while following:
            reply = self.get(following)
            assert reply.status == 200, reply.body
            yield reply
            following = reply.next_target

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        """Begin in the middle of 2026."""
        self.now = 1_782_900_000.25

    def __call__(self) -> float:
        """Return the time."""
        return self.now


Serve = Callable[..., tuple[PracticeOrg, Client]]
"""Starts an org with the settings given and returns it with a client to it."""


def target_of(url: str) -> str:
    """Return path and query of `url`, character for character."""
    return "/" + url.split("/", 3)[3]


def records_of(body: bytes) -> list[bytes]:
    """Return the exact bytes of every record in the body of a page."""
    text = body.decode("utf-8-sig")
    decoder, at, records = json.JSONDecoder(), text.index("[") + 1, []
    while (at := _skip(text, at)) < len(text) and text[at] != "]":
        _, end = decoder.raw_decode(text, at)
        records.append(text[at:end].encode())
        at = end
    return records


def _skip(text: str, at: int) -> int:
    while text[at] in " \r\n\t,":
        at += 1
    return at
