"""The API of the practice org: authorisation, limits, routes, faults; requests in, answers out, no sockets."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from circulate_core.practice.answers import Answer, AnswerMaker, Headers, Refusal, drop_headers
from circulate_core.practice.content import Content
from circulate_core.practice.cursors import Position
from circulate_core.practice.damage import LOGIN_PAGE, render
from circulate_core.practice.faults import Due, FaultPlan
from circulate_core.practice.filters import FilterError
from circulate_core.practice.limits import Excess, Limiter
from circulate_core.practice.listing import Links, Listing, ListQuery, Source
from circulate_core.practice.pages import Page
from circulate_core.practice.routes import LISTS, Paging, Place, bucket_of, place_of

_GATEWAY_PAGE: Final = b"<html><head><title>%d</title></head><body>upstream unavailable</body></html>\n"
_FAULT_ERRORS: Final = {
    "401": (401, "E0000011"),
    "403": (403, "E0000006"),
    "500": (500, "E0000009"),
    "big-page": (500, "E0000009"),
    "503": (503, "E0000010"),
    "429": (429, "E0000047"),
    "429-concurrency": (429, "E0000047"),
}


@dataclass(frozen=True, slots=True)
class Request:
    """What the API looks at in a request.

    Attributes:
        method: HTTP method.
        target: Path and query as received.
        host: Host and port the client asked for.
        authorization: The header's value, or empty.
        takes_gzip: Whether the client accepts compressed bodies.
    """

    method: str
    target: str
    host: str
    authorization: str = ""
    takes_gzip: bool = False

    @property
    def path(self) -> str:
        """The path without the query."""
        return self.target.partition("?")[0]


@dataclass(frozen=True, slots=True)
class _Asked:
    """One request of a list, understood.

    Attributes:
        request: The request.
        query: Its query.
        position: Where in the list that is.
        source: What gives the pages of the list.
        paging: Where the list says what the next page is.
    """

    request: Request
    query: ListQuery
    position: Position
    source: Source
    paging: Paging

    def page(self) -> Page:
        """Return the page asked for.

        Raises:
            Refusal: If the filter is not one the list understands.
        """
        try:
            return self.source.page(self.query, self.position.start)
        except FilterError as error:
            raise Refusal(400, "E0000031", cause=str(error)) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """Answer requests.

    Attributes:
        content: What there is to be asked for.
        listing: Positions in lists.
        limiter: Rate and concurrency limits.
        faults: Faults to show.
        maker: Headers and error bodies.
        clock: Server time in epoch seconds.
        token: API token to accept.
        gzip: Whether to compress for clients that take it.
    """

    content: Content
    listing: Listing
    limiter: Limiter
    faults: FaultPlan
    maker: AnswerMaker
    clock: Callable[[], float]
    token: str
    gzip: bool

    def answer(self, request: Request, in_flight: int) -> Answer:
        """Return the answer to `request`, headers included.

        Args:
            request: The request.
            in_flight: Requests being answered at this moment, this one included.
        """
        bucket, place = bucket_of(request.path), place_of(request.path)
        excess = Excess.NONE
        try:
            self._authorise(request)
            excess = self.limiter.admit(bucket, in_flight)
            answer = (
                self._route(request, place) if excess is Excess.NONE else self.maker.error(Refusal(429, "E0000047"))
            )
        except Refusal as refusal:
            answer = self.maker.error(refusal)
        if not answer.headers:
            answer.headers = self._headers(request, excess)
        if place is not None and not place.single:
            answer.collection = place.collection
        return answer

    def _authorise(self, request: Request) -> None:
        if request.authorization != f"SSWS {self.token}":
            raise Refusal(401, "E0000011")

    def _route(self, request: Request, place: Place | None) -> Answer:
        if place is None:
            raise Refusal(404, "E0000008")
        if request.method != "GET":
            raise Refusal(405, "E0000022")
        if place.single:
            return Answer(status=200, body=self.content.single(place).body)
        return self._list(request, place)

    def _list(self, request: Request, place: Place) -> Answer:
        rules = LISTS[place.collection]
        query = ListQuery.parse(request.target, rules)
        source = self.content.source(place, query)
        position = self.listing.position(query, source)
        due = self.faults.take(place.collection, position.page, query.limit, after_empty=position.after_empty)
        asked = _Asked(request, query, position, source, rules.paging)
        answer = self._page(asked, due) if due.instead is None else self._instead(asked, due.instead.kind)
        answer.page, answer.fault = position.page, due.name
        answer.stall, answer.spread = due.value("stall") or 0.0, due.value("slow-body") or 0.0
        if due.has("no-date"):
            answer.headers = drop_headers(answer.headers, "Date")
        if due.has("no-rate-headers"):
            answer.headers = drop_headers(answer.headers, "X-Rate-Limit-")
        return answer

    def _page(self, asked: _Asked, due: Due) -> Answer:
        request, page = asked.request, asked.page()
        following = self.listing.following(asked.query, asked.position, page)
        links = Links(request.host, request.target, following, asked.paging)
        altered = render(page, due, compress=self.gzip and request.takes_gzip, frame=links.frame(due))
        headers = self._headers(request) + links.headers(due)
        if self.gzip:
            headers.append(("Vary", "Accept-Encoding"))
        if altered.zipped:
            headers.append(("Content-Encoding", "gzip"))
        return Answer(
            status=200,
            body=altered.body,
            headers=headers,
            log_records=altered.log_records,
            whole=altered.whole,
            cut=altered.cut,
        )

    def _instead(self, asked: _Asked, kind: str) -> Answer:
        """Return the answer that a fault puts in the place of the page."""
        request = asked.request
        following = self.listing.same_after_empty(asked.query, asked.position)
        links = Links(request.host, request.target, following, asked.paging)
        answer = self._faked(kind, request, links)
        if not answer.headers:
            answer.headers = self._headers(request, _excess_of(kind))
        if kind in {"html", "502", "504"}:
            answer.headers = [*drop_headers(answer.headers, "Content-Type"), ("Content-Type", "text/html")]
        return answer

    def _faked(self, kind: str, request: Request, links: Links) -> Answer:
        if kind == "reset":
            return Answer(status=0, reset=True, whole=False)
        if kind == "html":
            return Answer(status=200, body=LOGIN_PAGE, whole=False)
        if kind == "empty-page":
            body = b"[]".join(links.frame(Due()))
            return Answer(status=200, body=body, headers=self._headers(request) + links.headers(Due()))
        if kind == "redirect":
            headers = [*self._headers(request), ("Location", links.elsewhere())]
            return Answer(status=302, headers=headers)
        if kind in {"502", "504"}:
            return Answer(status=int(kind), body=_GATEWAY_PAGE % int(kind))
        return self.maker.error(Refusal(*_FAULT_ERRORS[kind]))

    def _headers(self, request: Request, excess: Excess = Excess.NONE) -> Headers:
        return self.maker.headers(self.clock(), self.limiter.state(bucket_of(request.path), excess))


def _excess_of(kind: str) -> Excess:
    return {"429": Excess.RATE, "429-concurrency": Excess.CONCURRENCY}.get(kind, Excess.NONE)
