"""Lists: the query, the page it names, and the links to this page and the next."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple
from urllib.parse import unquote_plus

from circulate_practice.okta.routes import Paging, Rules
from circulate_practice.paging.cursors import CursorError, Cursors, Position
from circulate_practice.paging.pages import NO_FRAME, Frame, Page
from circulate_practice.server.faults import Due
from circulate_practice.server.responses import Refusal

_OTHER_HOST: Final = "127.0.0.2"
_TIED: Final = frozenset({"filter", "search", "type", "until"})
"""Parameters that a cursor holds for."""
_REPLACED: Final = frozenset({"after", "since"})
"""Parameters whose place the cursor of the next page takes."""


class RawParameter(NamedTuple):
    """One parameter of a query string, its text as received."""

    name: str
    value: str
    text: str


@dataclass(frozen=True, slots=True)
class ListQuery:
    """The query of a list request.

    Attributes:
        path: Path of the list.
        parameters: All parameters, as received.
        limit: Record limit of a page.
        raw_after: The cursor as received; None for the first page.
    """

    path: str
    parameters: tuple[RawParameter, ...]
    limit: int
    raw_after: str | None

    @classmethod
    def parse(cls, target: str, rules: Rules) -> "ListQuery":
        """Return the query in `target`, path and query as received.

        Raises:
            Refusal: If a parameter is out of range or not served.
        """
        path, _, raw_query = target.partition("?")
        parameters = tuple(_parameter(text) for text in raw_query.split("&") if text)
        values = {parameter.name: parameter.value for parameter in parameters}
        refused = rules.not_served & values.keys()
        if len(values) < len(parameters) or refused:
            cause = f"not served here: {', '.join(sorted(refused))}" if refused else "a parameter is repeated"
            raise Refusal(400, "E0000001", "query", cause)
        if rules.paging is Paging.NONE:
            return cls(path, parameters, rules.default, None)
        return cls(path, parameters, _limit(values.get("limit", str(rules.default)), rules), values.get("after"))

    @property
    def scope(self) -> str:
        """The list and its query, which a cursor holds for."""
        return "&".join([self.path, *(parameter.text for parameter in self.parameters if parameter.name in _TIED)])

    def value(self, name: str) -> str:
        """Return the value of a parameter, decoded; empty without one."""
        raw = (parameter.value for parameter in self.parameters if parameter.name == name)
        return unquote_plus(next(raw, ""))

    def continued(self, cursor: str) -> str:
        """Return the path and query of the page at `cursor`, every other parameter as it was received."""
        kept = [parameter.text for parameter in self.parameters if parameter.name not in _REPLACED]
        if all(parameter.name != "limit" for parameter in self.parameters):
            kept.append(f"limit={self.limit}")
        return f"{self.path}?" + "&".join([f"after={cursor}", *kept])


class Source(NamedTuple):
    """What gives the pages of a list.

    Attributes:
        page: Gives the page of a query that starts at a record.
        first: Gives the record at which a query without a cursor starts.
    """

    page: Callable[[ListQuery, int], Page]
    first: Callable[[ListQuery], int] = lambda _: 0


@dataclass(frozen=True, slots=True)
class Links:
    """Where this page and the next one are.

    Attributes:
        host: Host and port of the request.
        here: Path and query of this page, as received.
        there: Path and query of the next page, or None on the last.
        paging: Where the list says so.
    """

    host: str
    here: str
    there: str | None
    paging: Paging

    def headers(self, due: Due) -> list[tuple[str, str]]:
        """Return the `Link` headers, one line a relation unless a fault wants it otherwise."""
        if self.paging is not Paging.HEADER:
            return []
        this = f'<http://{self.host}{self.here}>; rel="self"'
        if self.there is None:
            return [("Link", this)]
        following = f'<{self._next_url(self.there, due)}>; rel="next"'
        if due.has("next-joined"):
            return [("Link", f"{this}, {following}")]
        return [("Link", this), ("Link", following)]

    def frame(self, due: Due) -> Frame:
        """Return the text in front of and behind the array of records."""
        if self.paging is not Paging.BODY:
            return NO_FRAME
        links = {} if self.there is None else {"next": {"href": self._next_url(self.there, due)}}
        return b'{"value":', b',"_links":%b}' % json.dumps(links, separators=(",", ":")).encode()

    def elsewhere(self) -> str:
        """Return the URL of this page at another origin."""
        return f"http://{_other_host(self.host)}{self.here}"

    def _next_url(self, there: str, due: Due) -> str:
        target = self.here if due.has("next-repeat") else there
        if due.has("next-relative"):
            return target
        return f"http://{_other_host(self.host) if due.has('next-other-host') else self.host}{target}"


class Listing:
    """Find where in its list a query stands, and what comes after it.

    Args:
        cursors: The cursors of the org.
    """

    def __init__(self, cursors: Cursors) -> None:
        self._cursors = cursors

    def position(self, query: ListQuery, source: Source) -> Position:
        """Return where in the list that `source` gives `query` stands.

        Raises:
            Refusal: If its cursor is not one that was issued for its list and filter, unchanged.
        """
        if query.raw_after is None:
            return Position(source.first(query))
        try:
            return self._cursors.read(query.raw_after, query.scope)
        except CursorError as error:
            raise Refusal(400, "E0000001", "after", "after: The cursor is not valid.") from error

    def following(self, query: ListQuery, position: Position, page: Page) -> str | None:
        """Return path and query of the page after `page`, or None when it is the last.

        Where a list goes on that has nothing new yet, that is the page itself.
        """
        if not page.more:
            return None
        onward = position if page.stop == position.start else Position(page.stop, position.page + 1)
        return query.continued(self._cursors.issue(onward, query.scope))

    def same_after_empty(self, query: ListQuery, position: Position) -> str:
        """Return path and query of the page at `position` itself, to be requested after an additional empty one."""
        return query.continued(self._cursors.issue(position._replace(after_empty=True), query.scope))


def _parameter(text: str) -> RawParameter:
    name, _, value = text.partition("=")
    return RawParameter(unquote_plus(name), value, text)


def _limit(text: str, rules: Rules) -> int:
    if text.isascii() and text.isdigit() and rules.least <= int(text[:9]) <= rules.most:
        return int(text)
    raise Refusal(400, "E0000001", "limit", f"limit: The limit must be between {rules.least} and {rules.most}.")


def _other_host(host: str) -> str:
    """Return `host` with another address and the same port."""
    return _OTHER_HOST + host[host.rfind(":") :] if ":" in host else _OTHER_HOST
