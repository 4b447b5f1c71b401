"""A proxy that loses requests and responses, by rules of a test. AWS's own faults look as `microburst` knows."""

from collections.abc import Callable
from enum import Enum
from http.client import HTTPConnection
from urllib.parse import urlsplit

from support.http_server import Handler, Reply, Server


class Fate(Enum):
    """What becomes of a request."""

    PASSED_ON = "it is handed on, and so is its response"
    UNHEARD = "the connection ends before it is handed on"
    RESPONSE_LOST = "it is handed on, and the connection ends instead of a response"


Rule = Callable[[Handler], Fate | Reply]


def copies(request: Handler) -> bool:
    """Whether it asks S3 to copy."""
    return "x-amz-copy-source" in request.headers


def writes(request: Handler) -> bool:
    """Whether it is a write of S3 or DynamoDB."""
    puts_item = request.headers.get("X-Amz-Target", "").endswith(".PutItem")
    return request.command == "PUT" or puts_item or (request.command == "POST" and "upload" in request.path)


def proxy(upstream: str, rule: Rule) -> Server:
    """Return a server that hands requests on to another; `rule` says which ones not, or responds by itself."""

    def respond(request: Handler) -> Reply | None:
        fate = rule(request)
        if fate is Fate.UNHEARD:
            return None
        reply = fate if isinstance(fate, Reply) else _hand_on(request, urlsplit(upstream).netloc)
        return None if fate is Fate.RESPONSE_LOST else reply

    return Server(respond)


def _hand_on(request: Handler, upstream: str) -> Reply:
    connection = HTTPConnection(upstream, timeout=60)
    try:
        connection.request(request.command, request.path, request.body, dict(request.headers))
        response = connection.getresponse()
        left_out = {"connection", "transfer-encoding", "content-length"}
        if request.command == "HEAD":
            left_out.remove("content-length")  # of what is not sent
        headers = [(name, value) for name, value in response.getheaders() if name.lower() not in left_out]
        return Reply(response.read(), headers, response.status, date=False)
    finally:
        connection.close()
