"""HTTP servers on loopback that respond by a function of a test."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from circulate_core import loopback_server


@dataclass
class Reply:
    """What a server sends."""

    body: Any = b""
    """Bytes and text as they are, pieces of an iterator one by one, anything else as JSON."""
    headers: list[tuple[str, str]] = field(default_factory=list)
    """There may be several of one name."""
    status: int = 200
    date: bool = True
    """Whether it has a `Date`."""


class Server(loopback_server.Server):
    """Serves what `respond` makes of requests until the block ends; None hangs up."""

    def __init__(self, respond: Callable[["Handler"], Reply | None]) -> None:
        super().__init__(Handler)
        self.respond = respond

    def __enter__(self) -> Self:
        """Serve."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Serve no more."""
        self.close()


class Handler(loopback_server.Handler):
    """A request: its `command`, `path`, `headers` and `body`."""

    server: Server

    def respond(self) -> None:
        """Respond, whatever the method."""
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        reply = self.server.respond(self)
        if reply is None:
            self.close_connection = True
        elif isinstance(reply.body, Iterator):
            self.close_connection = True
            self._send(reply, [("Connection", "close")])
            for piece in reply.body:
                self.connection.sendall(piece)
        else:
            body = _encoded(reply.body)
            # The response to a HEAD has a length of its own.
            has_length = any(name.lower() == "content-length" for name, _ in reply.headers)
            self._send(reply, [] if has_length else [("Content-Length", str(len(body)))], body)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = respond  # noqa: N815 - names of the standard library

    def _send(self, reply: Reply, more: list[tuple[str, str]], body: bytes = b"") -> None:
        date = [("Date", self.date_time_string())] if reply.date else []
        self.connection.sendall(loopback_server.head(reply.status, [*date, *reply.headers, *more]) + body)


def _encoded(body: object) -> bytes:
    if isinstance(body, bytes):
        return body
    return (body if isinstance(body, str) else json.dumps(body)).encode()
