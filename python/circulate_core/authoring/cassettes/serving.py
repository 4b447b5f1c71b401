"""A server on loopback that has the responses of a cassette or a stub, and makes faults."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import urlsplit

from circulate_core.authoring.cassettes.cassette import Request
from circulate_core.authoring.cassettes.faults import Reply
from circulate_core.authoring.cassettes.tape import Missing, key_of
from circulate_core.loopback_server import Handler, Server, head

if TYPE_CHECKING:
    from collections.abc import Iterator

    from circulate_core.authoring.cassettes.faults import Fault
    from circulate_core.authoring.cassettes.tape import Key, Tape

HEADER: Final = "circulate-replay"
"""In a request the origin that it is for, in a response what became of it."""
_STAND_IN: Final = "made-up-"
_NO_BODY: Final = frozenset({204, 304})


class Responses(Protocol):
    """What has the responses."""

    def reply(self, request: Request, *, taken: bool = True) -> Reply:
        """Return the response to a request; if it is not taken, the next one like it gets the same."""


class RecordedResponses:
    """The responses of a cassette."""

    def __init__(self, tape: Tape) -> None:
        self.tape = tape

    def reply(self, request: Request, *, taken: bool = True) -> Reply:
        """Return the recorded response."""
        try:
            response = self.tape.response(request, taken=taken)
        except Missing as missing:
            return Reply(404, body=str(missing).encode(), mark="missing")
        if response is None:
            return Reply(404, mark="end")
        cookies = tuple(("set-cookie", f"{name}={_STAND_IN}cookie; Path=/") for name in response.cookies)
        return Reply(response.status, response.headers + cookies, response.body)


class ReplayServer(Server):
    """Serves responses; some requests meet a fault, once each.

    Args:
        responses: What has the responses.
        fault: The fault, if there is one.
        chosen: Which requests meet it, the first time they come: lists side by side come in any order. None is all.
    """

    def __init__(
        self,
        responses: Responses,
        fault: Fault | None = None,
        chosen: frozenset[tuple[object, ...]] | None = frozenset(),
    ) -> None:
        self._responses, self._fault, self._chosen = responses, fault, chosen
        self._lock = threading.Lock()
        self._before: dict[str, Reply] = {}
        self.asked: dict[Key, Request] = {}
        """Requests, each once, in the order of their first time."""
        self.missing: list[str] = []
        """Why requests had no response."""
        self.faults: list[Request] = []
        """Requests that met the fault."""
        super().__init__(_Handler)

    def stop_faults(self) -> None:
        """Make no more faults."""
        self._fault = None

    def reply(self, request: Request) -> Reply:
        """Return what is sent in response to a request."""
        with self._lock:
            key = key_of(request)
            is_first = key not in self.asked
            self.asked.setdefault(key, request)
            if self._fault is not None and is_first and (self._chosen is None or anywhere(key) in self._chosen):
                # What the response would be is only looked at: the next request is to get it.
                spoilt = self._spoilt(request)
                if spoilt is not None:
                    self.faults.append(request)
                    return spoilt
            return self._responded(request)

    def _responded(self, request: Request) -> Reply:
        reply = self._responses.reply(request)
        if reply.mark == "missing":
            self.missing.append(reply.body.decode())
        elif reply.status == 200:  # noqa: PLR2004 - OK
            self._before[urlsplit(request.url).path] = reply
        return reply

    def _spoilt(self, request: Request) -> Reply | None:
        assert self._fault is not None  # noqa: S101 - asked by `reply` alone
        whole = self._responses.reply(request, taken=False)
        if whole.mark is not None:
            return None
        before = self._before.get(urlsplit(request.url).path)
        known = Reply(whole.status, whole.headers, whole.body, before=before, signed=_is_signed(request))
        return self._fault.spoil(known)


def anywhere(key: Key) -> tuple[object, ...]:
    """Return what makes a request another one, wherever it is sent: each server of a stub has a port of its own."""
    method, _, *rest = key
    return method, *rest


def _is_signed(request: Request) -> bool:
    named = any(name in {"authorization", "cookie"} for name, _ in request.headers)
    return named or any(_STAND_IN in value for _, value in request.headers) or _STAND_IN in request.url


@contextmanager
def serving(server: ReplayServer) -> Iterator[ReplayServer]:
    """Serve until the block ends."""
    server.start()
    try:
        yield server
    finally:
        server.close()


class _Handler(Handler):
    """One connection."""

    server: ReplayServer

    def respond(self) -> None:
        """Respond to a request, whatever its method."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = tuple((name.lower(), value) for name, value in self.headers.items())
        origin = self.headers.get(HEADER) or f"http://{self.headers.get('Host', self.server.address)}"
        reply = self.server.reply(Request(self.command, f"{origin}{self.path}", headers, body))
        lines = list(reply.headers)
        if reply.mark is not None:
            lines.append((HEADER, reply.mark))
        if reply.status not in _NO_BODY:
            lines.append(("content-length", str(len(reply.body))))
        body = b"" if reply.status in _NO_BODY else reply.body[: reply.cut]
        self.connection.sendall(head(reply.status, lines) + body)
        if reply.cut is not None:
            self._hang_up(reset=reply.reset)

    def _hang_up(self, *, reset: bool) -> None:
        self.close_connection = True
        if reset:
            # Nothing waits to be sent: the connection ends at once (SO_LINGER of 0 seconds).
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = respond  # noqa: N815 - names of the standard library
