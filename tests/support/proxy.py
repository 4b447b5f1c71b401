"""A proxy that loses requests and responses, by rules of a test. AWS's own faults look as `microburst` knows."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast
from urllib.parse import urlsplit

from support.stand_ins import HERE


class Fate(Enum):
    """What becomes of a request."""

    PASSED_ON = "it is handed on, and so is its response"
    UNHEARD = "the connection ends before it is handed on"
    RESPONSE_LOST = "it is handed on, and the connection ends instead of a response"


@dataclass(frozen=True)
class Response:
    """A response that the proxy gives by itself."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


Rule = Callable[["Handler"], Fate | Response]


class Proxy(ThreadingHTTPServer):
    """Hands requests on to a server; `rule` says which ones not."""

    daemon_threads = True

    def __init__(self, upstream: str, rule: Rule) -> None:
        super().__init__((HERE, 0), Handler)
        self.upstream = urlsplit(upstream).netloc
        self.rule = rule
        self.url = f"http://{HERE}:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    @property
    def copies(self) -> bool:
        """Whether it asks S3 to copy."""
        return "x-amz-copy-source" in self.headers

    @property
    def writes(self) -> bool:
        """Whether it is a write of S3 or DynamoDB."""
        puts_item = self.headers.get("X-Amz-Target", "").endswith(".PutItem")
        return self.command == "PUT" or puts_item or (self.command == "POST" and "upload" in self.path)

    def respond(self) -> None:
        """Do what the rule says."""
        proxy = cast("Proxy", self.server)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fate = proxy.rule(self)
        if fate is Fate.UNHEARD:
            self.close_connection = True
            return
        response = fate if isinstance(fate, Response) else self.hand_on(proxy.upstream, body)
        if fate is Fate.RESPONSE_LOST:
            self.close_connection = True
            return
        self.send_response_only(response.status)
        for name, value in ({"Content-Length": str(len(response.body))} | response.headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(response.body)

    def hand_on(self, upstream: str, body: bytes) -> Response:
        """Ask the server."""
        connection = HTTPConnection(upstream, timeout=60)
        try:
            connection.request(self.command, self.path, body, dict(self.headers))
            response = connection.getresponse()
            left_out = {"connection", "transfer-encoding", "content-length"}
            if self.command == "HEAD":
                left_out.remove("content-length")  # of what is not sent
            headers = {name: value for name, value in response.getheaders() if name.lower() not in left_out}
            return Response(response.status, headers, response.read())
        finally:
            connection.close()

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = respond  # noqa: N815 - names of the standard library

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@contextmanager
def proxy(upstream: str, rule: Rule) -> Iterator[Proxy]:
    """Run a proxy until the block ends."""
    server = Proxy(upstream, rule)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
