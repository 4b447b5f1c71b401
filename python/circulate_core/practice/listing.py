"""`GET /api/v1/users`: the query, the page it names, and the links to this page and the next."""

from dataclasses import dataclass
from typing import Final, NamedTuple
from urllib.parse import unquote_plus

from circulate_core.practice.answers import Refusal
from circulate_core.practice.cursors import CursorError, Cursors, Position
from circulate_core.practice.directory import Directory
from circulate_core.practice.faults import Due
from circulate_core.practice.filters import FilterError
from circulate_core.practice.pages import Page

PATH: Final = "/api/v1/users"
DEFAULT_LIMIT: Final = 200
MAX_LIMIT: Final = 200
NOT_SERVED: Final = frozenset({"search", "q", "sortBy", "sortOrder", "fields", "expand"})
"""Parameters Okta knows and the practice org does not; refused, because ignoring them would change the answer."""

_OTHER_HOST: Final = "127.0.0.2"


class RawParameter(NamedTuple):
    """One parameter of a query string, its text as received."""

    name: str
    value: str
    text: str


@dataclass(frozen=True, slots=True)
class ListQuery:
    """The query of a list request.

    Attributes:
        parameters: All parameters, as received.
        limit: Records asked for.
        raw_filter: The filter as received, percent-encoding included; empty without one.
        raw_after: The cursor as received; None for the first page.
    """

    parameters: tuple[RawParameter, ...]
    limit: int
    raw_filter: str
    raw_after: str | None

    @classmethod
    def parse(cls, raw_query: str) -> "ListQuery":
        """Return the query in `raw_query`, the text after the question mark.

        Raises:
            Refusal: If a parameter is out of range or not served.
        """
        parameters = tuple(_parameter(text) for text in raw_query.split("&") if text)
        values = {parameter.name: parameter.value for parameter in parameters}
        refused = NOT_SERVED & values.keys()
        if len(values) < len(parameters) or refused:
            cause = f"not served here: {', '.join(sorted(refused))}" if refused else "a parameter is repeated"
            raise Refusal(400, "E0000001", "query", cause)
        limit = _limit(values.get("limit", str(DEFAULT_LIMIT)))
        return cls(parameters, limit, values.get("filter", ""), values.get("after"))

    def continued(self, cursor: str) -> str:
        """Return the path and query of the page at `cursor`, every other parameter as it was received."""
        kept = [parameter.text for parameter in self.parameters if parameter.name != "after"]
        if all(parameter.name != "limit" for parameter in self.parameters):
            kept.append(f"limit={self.limit}")
        return f"{PATH}?" + "&".join([f"after={cursor}", *kept])


@dataclass(frozen=True, slots=True)
class Links:
    """Where this page and the next one are.

    Attributes:
        host: Host and port the client asked for.
        here: Path and query of this page, as received.
        there: Path and query of the next page, or None on the last.
    """

    host: str
    here: str
    there: str | None

    def headers(self, due: Due) -> list[tuple[str, str]]:
        """Return the `Link` headers, one line a relation unless a fault wants it otherwise."""
        this = f'<http://{self.host}{self.here}>; rel="self"'
        if self.there is None:
            return [("Link", this)]
        following = f'<{self._next_url(self.there, due)}>; rel="next"'
        if due.has("next-joined"):
            return [("Link", f"{this}, {following}")]
        return [("Link", this), ("Link", following)]

    def elsewhere(self) -> str:
        """Return the URL of this page at another origin."""
        return f"http://{_other_host(self.host)}{self.here}"

    def _next_url(self, there: str, due: Due) -> str:
        target = self.here if due.has("next-repeat") else there
        if due.has("next-relative"):
            return target
        return f"http://{_other_host(self.host) if due.has('next-other-host') else self.host}{target}"


class Listing:
    """Find pages of the user list.

    Args:
        directory: The users.
        cursors: The cursors of the org.
    """

    def __init__(self, directory: Directory, cursors: Cursors) -> None:
        self._directory = directory
        self._cursors = cursors

    def position(self, query: ListQuery) -> Position:
        """Return where in the list `query` stands.

        Raises:
            Refusal: If its cursor is not one that was issued for its filter, unchanged.
        """
        if query.raw_after is None:
            return Position()
        try:
            return self._cursors.read(query.raw_after, query.raw_filter)
        except CursorError as error:
            raise Refusal(400, "E0000001", "after", "after: The cursor is not valid.") from error

    def page(self, query: ListQuery, position: Position) -> Page:
        """Return the page of `query` at `position`.

        Raises:
            Refusal: If the filter is not one this org understands.
        """
        try:
            return self._directory.page(unquote_plus(query.raw_filter), position.start, query.limit)
        except FilterError as error:
            raise Refusal(400, "E0000031", cause=str(error)) from error

    def following(self, query: ListQuery, position: Position, page: Page) -> str | None:
        """Return path and query of the page after `page`, or None when it is the last."""
        if not page.more:
            return None
        return query.continued(self._cursors.issue(Position(page.stop, position.page + 1), query.raw_filter))

    def same_after_empty(self, query: ListQuery, position: Position) -> str:
        """Return path and query of the page at `position` itself, to be asked for after an additional empty one."""
        return query.continued(self._cursors.issue(position._replace(after_empty=True), query.raw_filter))


def _parameter(text: str) -> RawParameter:
    name, _, value = text.partition("=")
    return RawParameter(unquote_plus(name), value, text)


def _limit(text: str) -> int:
    if text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MAX_LIMIT:
        return int(text)
    raise Refusal(400, "E0000001", "limit", f"limit: The limit must be between 1 and {MAX_LIMIT}.")


def _other_host(host: str) -> str:
    """Return `host` with another address and the same port."""
    return _OTHER_HOST + host[host.rfind(":") :] if ":" in host else _OTHER_HOST
