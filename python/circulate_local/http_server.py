"""A small HTTP server on loopback, for the APIs that Lambda has towards functions and callers.

A response goes out in one write and without Nagle's delay: runtime clients lose 80 ms a call otherwise.
"""

import http.server
import json
import socketserver
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from email.message import Message
from http import HTTPStatus
from io import BufferedIOBase
from typing import Any, Final, Self, cast

from circulate_core.exceptions import SettingsError

HOST: Final = "127.0.0.1"
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


class LoopbackServer(http.server.ThreadingHTTPServer):
    """Serve, a thread a connection, until closed.

    Args:
        handle: Responds to requests, from many threads; None hangs up.
        port: Where to listen; 0 is any that is free.

    Raises:
        SettingsError: The port is taken, or not ours to take.
    """

    request_queue_size = 128

    def __init__(self, handle: Callable[[Request], HttpResponse | None], port: int = 0) -> None:
        self.handle = handle
        try:
            super().__init__((HOST, port), _Handler)
        except (OSError, OverflowError) as error:
            message = f"cannot listen on port {port}: {getattr(error, 'strerror', error)}"
            raise SettingsError(message, operation="start a server") from None
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)

    def start(self) -> Self:
        """Serve in a thread of its own."""
        self._thread.start()
        return self

    @property
    def address(self) -> str:
        """Host and port."""
        return f"{HOST}:{self.server_port}"

    def close(self) -> None:
        """Take no more connections."""
        self.shutdown()
        self._thread.join()
        with suppress(OSError):
            self.socket.close()

    def server_bind(self) -> None:
        """Bind without asking a name server for the name of this machine."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as inherited
        """Report errors of ours; a client that went away is none."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _HeaderLines:
    """The lines of a request's header, each cut to what the standard library takes.

    AWS's runtime client sends all of an error, with its stack, in one of up to 1 MB, which nothing here looks at.
    """

    def __init__(self, file: BufferedIOBase) -> None:
        self._file = file

    def readline(self, limit: int) -> bytes:
        line = self._file.readline(MAX_HEADER_BYTES)
        return line if len(line) < limit else line[: limit - 3] + b"\r\n"


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: LoopbackServer

    def parse_request(self) -> bool:
        """Read the header of a request."""
        file = self.rfile
        self.rfile = cast("BufferedIOBase", _HeaderLines(file))
        try:
            return super().parse_request()
        finally:
            self.rfile = file

    def do_GET(self) -> None:
        """Handle a request, whatever its method."""
        response = self.server.handle(Request(self.command, self.path, self.headers, self._body()))
        if response is None:
            self.close_connection = True
            return
        lines = [f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in response.headers]
        lines += [f"Content-Length: {len(response.body)}", "", ""]
        self.connection.sendall("\r\n".join(lines).encode("latin-1") + response.body)

    do_POST = do_PUT = do_GET  # noqa: N815 - names from the base class

    def log_message(self, *_: object) -> None:
        """Write nothing to stderr."""

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return b"".join(iter(self._chunk, b""))
        return self.rfile.read(int(self.headers.get("Content-Length", "0")))

    def _chunk(self) -> bytes:
        chunk = self.rfile.read(int(self.rfile.readline().partition(b";")[0], 16))
        self.rfile.readline()
        return chunk
