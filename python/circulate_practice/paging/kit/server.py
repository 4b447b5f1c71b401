"""A server on loopback that hands over paged lists, with a log of its requests."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from circulate_core.loopback_server import Handler, Server, head
from circulate_practice.paging.kit.lists import PagedList
from circulate_practice.paging.kit.messages import ListReply, ListRequest
from circulate_practice.paging.kit.sessions import Sessions

if TYPE_CHECKING:
    from circulate_core.types import InlineDefinition

SOURCE: Final = "practice"
"""Name of the source in the definition of a server's lists."""


@dataclass(frozen=True, slots=True)
class Logged:
    """A request and the response to it.

    Attributes:
        request: The request.
        status: Status of the response.
        records: How many records the body of the response held.
    """

    request: ListRequest
    status: int
    records: int


@dataclass(frozen=True, slots=True)
class Key:
    """A header that every request needs.

    Attributes:
        header: Its name.
        secret: The secret in it.
        prefix: Text before the secret, with its space.
    """

    header: str
    secret: str
    prefix: str = ""

    def lets_in(self, request: ListRequest) -> bool:
        """Return whether a request has it."""
        return request.headers.get(self.header.lower()) == self.prefix + self.secret


class ListServer(Server):
    """Serve lists, each below a path of its name.

    Args:
        lists: Lists by their names.
        key: What requests need, or the sessions that they need to be of; None lets everybody in.
        port: Port to listen at; 0 takes a free one.

    Raises:
        OSError: The port is taken, or not ours to take.
    """

    def __init__(self, lists: Mapping[str, PagedList], key: Key | Sessions | None = None, port: int = 0) -> None:
        self.lists = dict(lists)
        self.key = key
        self._log: list[Logged] = []
        self._lock = threading.Lock()
        super().__init__(_Handler, port)

    @property
    def log(self) -> list[Logged]:
        """All requests so far, oldest first."""
        with self._lock:
            return list(self._log)

    def definition(self) -> "InlineDefinition":
        """Return the definition that reads the lists, as `catalog=[...]` of a pull takes it."""
        return {"source": self.source(), "endpoints": self.endpoints()}

    def source(self) -> dict[str, Any]:
        """Return what `source.yaml` holds."""
        settings: dict[str, Any] = {"base_url": {"env": "PRACTICE_URL", "about": "address of the practice server"}}
        auth: list[Any] = ["none"]
        if isinstance(self.key, Sessions):
            settings |= self.key.settings
            auth = [self.key.way]
        elif self.key is not None:
            settings["key"] = {"env": "PRACTICE_KEY", "about": "key of the practice server", "secret": True}
            auth = [{"header": {"name": self.key.header, "prefix": self.key.prefix, "secret": "key"}}]
        return {
            "source": SOURCE,
            "title": "Practice lists",
            "settings": settings,
            "base_url": "{base_url}",
            "auth": auth,
            "check": {"path": f"/{next(iter(self.lists))}"},
        }

    def endpoints(self) -> dict[str, dict[str, Any]]:
        """Return what the files of the endpoints hold, by their names."""
        return {
            name: {"about": f"{paged.style.about}.", "scopes": [], "list": paged.listing(f"/{name}")}
            for name, paged in self.lists.items()
        }

    def respond(self, request: ListRequest) -> ListReply:
        """Return the response to a request, and log both."""
        reply = self.reply_to(request)
        with self._lock:
            self._log.append(Logged(request, reply.status, reply.records if reply.cut is None else 0))
        return reply

    def reply_to(self, request: ListRequest) -> ListReply:
        """Return the response to a request."""
        name = request.path.split("/")[1]
        refused = self.key.respond(request) if isinstance(self.key, Sessions) else None
        if refused is not None:
            return refused
        if isinstance(self.key, Key) and not self.key.lets_in(request):
            return ListReply.of({"error": f"{self.key.header} is missing or wrong"}, 401)
        if name in self.lists:
            return self.lists[name].respond(request)
        return ListReply.of({"error": f"no list {name}"}, 404)


@contextmanager
def serve(
    lists: PagedList | Mapping[str, PagedList], *, key: Key | Sessions | None = None, port: int = 0
) -> Iterator[ListServer]:
    """Serve lists until the block ends.

    Args:
        lists: Lists by their names; one list alone is served as `items`.
        key: What requests need, or the sessions that they need to be of; None lets everybody in.
        port: Port to listen at; 0 takes a free one.

    Raises:
        OSError: The port is taken, or not ours to take.
    """
    server = ListServer({"items": lists} if isinstance(lists, PagedList) else lists, key, port).start()
    try:
        yield server
    finally:
        server.close()


class _Handler(Handler):
    """One connection."""

    server: ListServer

    def respond(self) -> None:
        """Respond to a request, whatever its method."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.server.respond(ListRequest(self.command, self.path, headers, body))
        more = [("Date", self.date_time_string()), ("Content-Length", str(len(reply.body)))]
        self.connection.sendall(head(reply.status, [*more, *reply.headers]) + reply.body[: reply.cut])
        self.close_connection |= reply.cut is not None

    do_GET = do_POST = do_DELETE = respond  # noqa: N815 - names of the standard library
