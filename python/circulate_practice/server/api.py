"""The API of the practice org: authorisation, limits, routes, faults; requests in, answers out, no sockets."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from circulate_practice.oauth.token_endpoint import TokenEndpoint
from circulate_practice.okta.content import Content
from circulate_practice.okta.routes import LISTS, TOKEN_PATH, Paging, Place, bucket_of, place_of
from circulate_practice.paging.cursors import Position
from circulate_practice.paging.filters import FilterError
from circulate_practice.paging.listing import Links, Listing, ListQuery, Source
from circulate_practice.paging.pages import Page
from circulate_practice.server.access import Access, Challenge
from circulate_practice.server.answers import Answer, AnswerMaker, Headers, Refusal, drop_headers
from circulate_practice.server.corrupt import LOGIN_PAGE, render, spoil
from circulate_practice.server.faults import TOKEN, Due, FaultPlan
from circulate_practice.server.limits import Excess, Limiter
from circulate_practice.server.requests import Request

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
        access: Who may ask.
        tokens: What gives out access tokens.
        gzip: Whether to compress for clients that take it.
    """

    content: Content
    listing: Listing
    limiter: Limiter
    faults: FaultPlan
    maker: AnswerMaker
    clock: Callable[[], float]
    access: Access
    tokens: TokenEndpoint
    gzip: bool

    def answer(self, request: Request, in_flight: int) -> Answer:
        """Return the answer to `request`, headers included.

        Args:
            request: The request.
            in_flight: Requests being answered at this moment, this one included.
        """
        place = place_of(request.path)
        scope = None if place is None else LISTS[place.collection].scope
        wants_token = request.path == TOKEN_PATH
        excess = Excess.NONE
        try:
            if not wants_token:
                self.access.check(request, scope)
            excess = self.limiter.admit(bucket_of(request.path), in_flight)
            if excess is not Excess.NONE:
                answer = self.maker.error(Refusal(429, "E0000047"))
            else:
                answer = self._token(request) if wants_token else self._route(request, place)
        except Refusal as refusal:
            answer = self.maker.error(refusal)
        except Challenge as challenge:
            answer = challenge.answer(request, scope)
        if not answer.headers:
            answer.headers = self._headers(request, excess) + answer.more_headers
        if place is not None and not place.single:
            answer.collection = place.collection
        return answer

    def _token(self, request: Request) -> Answer:
        """Answer a request of a token. A fault shows after it was served, so that whatever is good once is used up."""
        answer, number = self.tokens.answer(request)
        due = self.faults.take(TOKEN, number, 0)
        if due.instead is not None:
            links = Links(request.host, request.target, None, Paging.NONE)
            answer = self._instead(due.instead.kind, request, links)
        else:
            spoil(answer, due)
        if not answer.headers:
            answer.headers = self._headers(request) + answer.more_headers
        return _finished(answer, due)

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
        answer = self._page(asked, due) if due.instead is None else self._instead_of_page(asked, due.instead.kind)
        answer.page = position.page
        return _finished(answer, due)

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

    def _instead_of_page(self, asked: _Asked, kind: str) -> Answer:
        following = self.listing.same_after_empty(asked.query, asked.position)
        links = Links(asked.request.host, asked.request.target, following, asked.paging)
        return self._instead(kind, asked.request, links)

    def _instead(self, kind: str, request: Request, links: Links) -> Answer:
        """Return the answer that a fault puts in the place of the one the request would have had."""
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


def _finished(answer: Answer, due: Due) -> Answer:
    """Return `answer` with what faults in `due` do to any answer."""
    answer.fault = due.name
    answer.stall, answer.spread = due.value("stall") or 0.0, due.value("slow-body") or 0.0
    if due.has("no-date"):
        answer.headers = drop_headers(answer.headers, "Date")
    if due.has("no-rate-headers"):
        answer.headers = drop_headers(answer.headers, "X-Rate-Limit-")
    return answer


def _excess_of(kind: str) -> Excess:
    return {"429": Excess.RATE, "429-concurrency": Excess.CONCURRENCY}.get(kind, Excess.NONE)
