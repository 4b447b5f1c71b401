"""HTTP servers on loopback, a thread a connection: the base of those of the practice org and of the local runner.

The package itself never imports this, and it is in no Lambda layer.
"""

from __future__ import annotations

import contextlib
import http.server
import socket
import socketserver
import sys
import threading
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Iterable

HOST: Final = "127.0.0.1"
_POLL_S: Final = 0.02


class Server(http.server.ThreadingHTTPServer):
    """A server that listens from its creation on, and serves from `start` to `close`.

    Args:
        handler: Handles the requests of a connection.
        port: Where to listen; 0 is any that is free.

    Raises:
        OSError: The port is taken, or not ours to take.
    """

    request_queue_size = 128

    def __init__(self, handler: type[Handler], port: int = 0) -> None:
        super().__init__((HOST, port), handler)
        self._thread = threading.Thread(target=self.serve_forever, args=(_POLL_S,), daemon=True)
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    @property
    def address(self) -> str:
        """Host and port."""
        return f"{HOST}:{self.server_port}"

    @property
    def url(self) -> str:
        """Address as a URL."""
        return f"http://{self.address}"

    def start(self) -> Self:
        """Serve in a thread of its own."""
        self._thread.start()
        return self

    def close(self) -> None:
        """Take no more connections and no more requests; what was requested is still responded to."""
        self.shutdown()
        self._thread.join()
        self.server_close()
        with self._lock:
            # Clients keep connections open between requests: they keep a thread and a descriptor of ours.
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RD)

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as inherited
        """Handle a connection in a thread of its own."""
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401 - as inherited
        """Close a connection."""
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def server_bind(self) -> None:
        """Bind without asking a name server for the name of this machine."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as inherited
        """Report errors of the server; a client that went away is none."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class Handler(http.server.BaseHTTPRequestHandler):
    """A connection: kept open between requests, without Nagle's delay."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        """Write nothing to stderr."""


def head(status: int, headers: Iterable[tuple[str, str]]) -> bytes:
    """Return a response up to its body: the status line and exactly these headers."""
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
