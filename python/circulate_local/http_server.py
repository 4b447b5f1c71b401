"""A small HTTP server on loopback, for the APIs that Lambda has towards functions and callers.

A response goes out in one write and without Nagle's delay: runtime clients lose 80 ms a call otherwise.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from io import BufferedIOBase
from typing import Final, cast

from circulate_core.exceptions import SettingsError
from circulate_core.loopback_server import Handler, Server, head

JSON_TYPE: Final = ("Content-Type", "application/json")
MAX_HEADER_BYTES: Final = 2_000_000


@dataclass(frozen=True, slots=True)
class Request:
    """One request."""

    method: str
    path: str
    headers: Message
    body: bytes

    def header(self, name: str) -> str:
        """Return a header's value, or nothing."""
        return self.headers.get(name, "")


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A response on the wire."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = (JSON_TYPE,)


def json_response(status: int, value: object, *headers: tuple[str, str]) -> HttpResponse:
    """Return a response whose body is JSON."""
    return HttpResponse(status, json.dumps(value, separators=(",", ":")).encode(), (JSON_TYPE, *headers))


class LoopbackServer(Server):
    """Serve what a function responds.

    Args:
        handle: Responds to requests, from many threads; None hangs up.
        port: Where to listen; 0 is any that is free.

    Raises:
        SettingsError: The port is taken, or not ours to take.
    """

    def __init__(self, handle: Callable[[Request], HttpResponse | None], port: int = 0) -> None:
        self.handle = handle
        try:
            super().__init__(_Handler, port)
        except (OSError, OverflowError) as error:
            message = f"cannot listen on port {port}: {getattr(error, 'strerror', error)}"
            raise SettingsError(message, operation="start a server") from None


class _HeaderLines:
    """The lines of a request's header, each cut to what the standard library takes.

    AWS's runtime client sends all of an error, with its stack, in one of up to 1 MB, which nothing here looks at.
    """

    def __init__(self, file: BufferedIOBase) -> None:
        self._file = file

    def readline(self, limit: int) -> bytes:
        line = self._file.readline(MAX_HEADER_BYTES)
        return line if len(line) < limit else line[: limit - 3] + b"\r\n"


class _Handler(Handler):
    server: LoopbackServer

    def parse_request(self) -> bool:
        """Read the header of a request."""
        file = self.rfile
        self.rfile = cast("BufferedIOBase", _HeaderLines(file))
        try:
            return super().parse_request()
        finally:
            self.rfile = file

    def respond(self) -> None:
        """Handle a request, whatever its method."""
        response = self.server.handle(Request(self.command, self.path, self.headers, self._body()))
        if response is None:
            self.close_connection = True
            return
        headers = [*response.headers, ("Content-Length", str(len(response.body)))]
        self.connection.sendall(head(response.status, headers) + response.body)

    do_GET = do_POST = do_PUT = respond  # noqa: N815 - names from the base class

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return b"".join(iter(self._chunk, b""))
        return self.rfile.read(int(self.headers.get("Content-Length", "0")))

    def _chunk(self) -> bytes:
        chunk = self.rfile.read(int(self.rfile.readline().partition(b";")[0], 16))
        self.rfile.readline()
        return chunk
