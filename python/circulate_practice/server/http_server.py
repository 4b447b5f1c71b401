"""The HTTP server of the practice org: reads requests, delivers responses byte by byte, and logs them.

It binds to loopback only. A response goes out in three steps, all but the last byte, the log line, the last byte, so
the log never misses a response that a client received in full.
"""

import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final

from circulate_core.loopback_server import HOST, Handler, Server, head
from circulate_practice.okta.routes import TOKEN_PATH
from circulate_practice.server.api import Api
from circulate_practice.server.control import PREFIX, Control
from circulate_practice.server.log import LogFacts, RequestLog
from circulate_practice.server.requests import Request
from circulate_practice.server.responses import Response

_SLICES: Final = 20
_MAX_REQUEST_BODY: Final = 1_048_576
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)  # SO_LINGER on, for zero seconds


class PracticeServer(Server):
    """Serve one org.

    Args:
        port: Port to listen at; 0 takes a free one.
        api: The API to serve.
        control: The control routes to serve.
        log: Where responses are logged.
        wait: Waits for a number of seconds, or less if the org is stopped.
        latency: Seconds that every response of the API is held back.
    """

    def __init__(  # noqa: PLR0913 - the one place where the parts meet
        self,
        port: int,
        api: Api,
        control: Control,
        *,
        log: RequestLog,
        wait: Callable[[float], object],
        latency: float,
    ) -> None:
        self.api = api
        self.control = control
        self.log = log
        self.wait = wait
        self.latency = latency
        self.request_count = 0
        self._counted = threading.Condition()
        self._connections: set[socket.socket] = set()
        super().__init__(_Handler, port)

    def count_request(self) -> None:
        """Count one request of the API."""
        with self._counted:
            self.request_count += 1
            self._counted.notify_all()

    def wait_for_requests(self, count: int, timeout: float) -> bool:
        """Block until so many requests were counted; False if they were not in time."""
        with self._counted:
            return self._counted.wait_for(lambda: self.request_count >= count, timeout)

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as inherited
        """Remember the connection, so that it can be ended when the org stops."""
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401 - as inherited
        """Forget the connection and end it."""
        self._connections.discard(request)
        super().shutdown_request(request)

    def close(self) -> None:
        """Take no more connections and end all there are, with requests in them or not."""
        super().close()
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(Handler):
    """One connection."""

    server: PracticeServer

    def respond(self) -> None:
        """Respond to a request, whatever its method."""
        body = self._body()
        if self.path.startswith(PREFIX):
            self._control()
            return
        self.server.count_request()
        with self.server.api.limiter.slot() as in_flight:
            response = self.server.api.respond(self._request(body), in_flight)
            self._wait(self.server.latency + response.stall)
            last = self._deliver(response)
        self._send(last)  # whoever has all of a response finds its place among the simultaneous requests free

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = respond  # noqa: N815 - names from the base class

    def _request(self, body: bytes) -> Request:
        encodings = [item.strip() for item in self.headers.get("Accept-Encoding", "").lower().split(",")]
        return Request(
            method=self.command,
            target=self.path,
            host=self.headers.get("Host", f"{HOST}:{self.server.server_port}"),
            authorization=self.headers.get("Authorization", ""),
            proofs=tuple(self.headers.get_all("DPoP", ())),
            content_type=self.headers.get_content_type(),
            body=body,
            has_length="Content-Length" in self.headers or "Transfer-Encoding" in self.headers,
            if_match=self.headers.get("If-Match", ""),
            takes_gzip=any(item.partition(";")[0] == "gzip" and not item.endswith("q=0") for item in encodings),
        )

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdigit() or int(length) > _MAX_REQUEST_BODY:
            self.close_connection = True
            return b""
        return self.rfile.read(int(length))

    def _deliver(self, response: Response) -> bytes:
        """Send all of `response` but its last byte, log it, and return that byte; nothing instead of a response."""
        if response.reset:
            self._log(response, complete=False)
            self._reset()
            return b""
        if response.hang:
            self._log(response, complete=False)
            self._hang()
            return b""
        head, body = self._head(response), response.body[: response.cut]
        if not body or self.command == "HEAD":
            head, body = head[:-1], head[-1:]
        try:
            self._send(head)
            self._send_slowly(memoryview(body)[:-1], response.spread)
        except OSError:
            self._log(response, complete=False)
            raise
        self._log(response, complete=response.whole)
        self.close_connection |= response.cut is not None
        return body[-1:]

    def _head(self, response: Response) -> bytes:
        headers = list(response.headers)
        if response.status != HTTPStatus.NO_CONTENT:  # which may not say how long its body is
            headers.append(("Content-Length", str(len(response.body))))
        if self.close_connection:
            headers.append(("Connection", "close"))
        return head(response.status, headers)

    def _send(self, data: bytes | memoryview) -> None:
        if data:
            self.connection.sendall(data)

    def _send_slowly(self, data: memoryview, seconds: float) -> None:
        step = len(data) // _SLICES + 1 if seconds else max(len(data), 1)
        for start in range(0, len(data), step):
            self._wait(seconds / _SLICES)
            self._send(data[start : start + step])

    def _wait(self, seconds: float) -> None:
        if seconds:
            self.server.wait(seconds)

    def _reset(self) -> None:
        """Close the connection so that the client sees a reset, not an end."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        os.close(self.connection.detach())

    def _hang(self) -> None:
        """Wait until the client goes, or sends something else, or the org stops."""
        self.close_connection = True
        with suppress(OSError):
            self.connection.recv(1, socket.MSG_PEEK)

    def _log(self, response: Response, *, complete: bool) -> None:
        facts = LogFacts(
            time=self.server.api.clock(),
            method=self.command,
            target=TOKEN_PATH if self.path.startswith(TOKEN_PATH) else self.path,  # a query of it may hold a secret
            status=response.status,
            fault=response.fault,
            collection=response.collection,
            page=response.page,
            complete=complete,
        )
        self.server.log.write(facts, response.log_records)

    def _control(self) -> None:
        response = self.server.control.respond(self.command, self.path)
        if isinstance(response, Response):
            self._send(self._head(response) + response.body)
        else:
            self._stream(response)

    def _stream(self, pieces: Iterator[bytes]) -> None:
        """Send `pieces` in chunks, as NDJSON."""
        self._send(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n")
        for piece in pieces:
            self._send(b"%x\r\n%b\r\n" % (len(piece), piece))
        self._send(b"0\r\n\r\n")
