"""The API of the practice org: authorisation, limits, routes, faults; requests in, responses out, no sockets."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from circulate_practice.oauth.token_endpoint import TokenEndpoint
from circulate_practice.okta.content import Content
from circulate_practice.okta.routes import LISTS, TOKEN_PATH, Paging, Place, bucket_of, place_of
from circulate_practice.operations.call import Call
from circulate_practice.operations.perform import Operations
from circulate_practice.operations.routes import Operation, Route, route_of
from circulate_practice.paging.cursors import Position
from circulate_practice.paging.filters import FilterError
from circulate_practice.paging.listing import Links, Listing, ListQuery, Source
from circulate_practice.paging.pages import Page
from circulate_practice.server.access import Access, Challenge
from circulate_practice.server.corrupt import LOGIN_PAGE, render, spoil
from circulate_practice.server.faults import TOKEN, Due, FaultPlan
from circulate_practice.server.limits import Excess, Limiter
from circulate_practice.server.requests import Request
from circulate_practice.server.responses import Headers, Refusal, Response, ResponseMaker, drop_headers

_GATEWAY_PAGE: Final = b"<html><head><title>%d</title></head><body>upstream unavailable</body></html>\n"
_SILENT: Final = {"reset": True, "lost": True, "hang": False, "hang-after": False}
"""Faults that leave a request without a response, and whether they reset the connection."""

_FAULT_ERRORS: Final = {
    "401": (401, "E0000011"),
    "403": (403, "E0000006"),
    "500": (500, "E0000009"),
    "error-after": (500, "E0000009"),
    "big-page": (500, "E0000009"),
    "503": (503, "E0000010"),
    "429": (429, "E0000047"),
    "429-concurrency": (429, "E0000047"),
}


@dataclass(frozen=True, slots=True)
class _ListRequest:
    """One request of a list, parsed.

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
        """Return the requested page.

        Raises:
            Refusal: If the filter is not one the list understands.
        """
        try:
            return self.source.page(self.query, self.position.start)
        except FilterError as error:
            raise Refusal(400, "E0000031", cause=str(error)) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """Respond to requests.

    Attributes:
        content: Lists there are.
        listing: Positions in lists.
        limiter: Rate and concurrency limits.
        faults: Faults to show.
        maker: Headers and error bodies.
        clock: Server time in epoch seconds.
        access: Who may ask.
        tokens: What gives out access tokens.
        operations: What does the calls of operations.
        gzip: Whether to compress for clients that take it.
    """

    content: Content
    listing: Listing
    limiter: Limiter
    faults: FaultPlan
    maker: ResponseMaker
    clock: Callable[[], float]
    access: Access
    tokens: TokenEndpoint
    operations: Operations
    gzip: bool

    def respond(self, request: Request, in_flight: int) -> Response:
        """Return the response to `request`, headers included.

        Args:
            request: The request.
            in_flight: Requests being handled now, this one included.
        """
        place, route = place_of(request.path), route_of(request.path)
        operation = None if route is None else route.operations.get(request.method)
        scope = _scope(place, route, operation)
        wants_token = request.path == TOKEN_PATH
        excess = Excess.NONE
        try:
            if not wants_token:
                self.access.check(request, scope)
            excess = self.limiter.admit(bucket_of(request.path), in_flight)
            if excess is not Excess.NONE:
                response = self.maker.error(Refusal(429, "E0000047"))
            else:
                response = self._token(request) if wants_token else self._route(request, place, route)
        except Refusal as refusal:
            response = self.maker.error(refusal)
        except Challenge as challenge:
            response = challenge.respond(request, scope)
        if not response.headers:
            response.headers = self._headers(request, excess) + response.more_headers
        if place is not None and operation is None:
            response.collection = place.collection
        return response

    def _token(self, request: Request) -> Response:
        """Respond to a request of a token. A fault comes after it was served: what is good once is used up."""
        response, number = self.tokens.respond(request)
        due = self.faults.take(TOKEN, number, 0)
        if due.instead is not None:
            links = Links(request.host, request.target, None, Paging.NONE)
            response = self._instead(due.instead.kind, request, links)
        else:
            spoil(response, due)
        if not response.headers:
            response.headers = self._headers(request) + response.more_headers
        return _finished(response, due)

    def _route(self, request: Request, place: Place | None, route: Route | None) -> Response:
        if route is not None and request.method in route.operations:
            return self._operate(request, route.operations[request.method], route.ids)
        if place is not None and request.method == "GET":
            return self._list(request, place)
        raise Refusal(404, "E0000008") if place is None and route is None else Refusal(405, "E0000022")

    def _operate(self, request: Request, operation: Operation, ids: tuple[str, ...]) -> Response:
        """Respond to a call of an operation."""
        due = self.faults.take_call(operation)
        links = Links(request.host, request.target, None, Paging.NONE)
        if due.instead is not None:
            return _finished(self._instead(due.instead.kind, request, links), due)
        reads = due.value("async")
        call = Call(request, ids, None if reads is None else int(reads))
        try:
            response = self.operations.perform(operation, call)
        except Refusal as refusal:
            response = self.maker.error(refusal)
        if due.after is not None:
            response = self._instead(due.after.kind, request, links)
        else:
            spoil(response, due)
        if not response.headers:
            response.headers = self._headers(request) + response.more_headers
        if not response.body:
            response.headers = drop_headers(response.headers, "Content-Type")
        return _finished(response, due)

    def _list(self, request: Request, place: Place) -> Response:
        rules = LISTS[place.collection]
        query = ListQuery.parse(request.target, rules)
        source = self.content.source(place, query)
        position = self.listing.position(query, source)
        due = self.faults.take(place.collection, position.page, query.limit, after_empty=position.after_empty)
        requested = _ListRequest(request, query, position, source, rules.paging)
        response = (
            self._page(requested, due) if due.instead is None else self._instead_of_page(requested, due.instead.kind)
        )
        response.page = position.page
        return _finished(response, due)

    def _page(self, requested: _ListRequest, due: Due) -> Response:
        request, page = requested.request, requested.page()
        following = self.listing.following(requested.query, requested.position, page)
        links = Links(request.host, request.target, following, requested.paging)
        altered = render(page, due, compress=self.gzip and request.takes_gzip, frame=links.frame(due))
        headers = self._headers(request) + links.headers(due)
        if self.gzip:
            headers.append(("Vary", "Accept-Encoding"))
        if altered.zipped:
            headers.append(("Content-Encoding", "gzip"))
        return Response(
            status=200,
            body=altered.body,
            headers=headers,
            log_records=altered.log_records,
            whole=altered.whole,
            cut=altered.cut,
        )

    def _instead_of_page(self, requested: _ListRequest, kind: str) -> Response:
        following = self.listing.same_after_empty(requested.query, requested.position)
        links = Links(requested.request.host, requested.request.target, following, requested.paging)
        return self._instead(kind, requested.request, links)

    def _instead(self, kind: str, request: Request, links: Links) -> Response:
        """Return the response that a fault puts in the place of the one the request would have had."""
        response = self._faked(kind, request, links)
        if not response.headers:
            response.headers = self._headers(request, _excess_of(kind))
        if kind in {"html", "502", "504"}:
            response.headers = [*drop_headers(response.headers, "Content-Type"), ("Content-Type", "text/html")]
        return response

    def _faked(self, kind: str, request: Request, links: Links) -> Response:
        if kind in _SILENT:
            return Response(status=0, reset=_SILENT[kind], hang=not _SILENT[kind], whole=False)
        if kind == "html":
            return Response(status=200, body=LOGIN_PAGE, whole=False)
        if kind == "empty-page":
            body = b"[]".join(links.frame(Due()))
            return Response(status=200, body=body, headers=self._headers(request) + links.headers(Due()))
        if kind == "redirect":
            headers = [*self._headers(request), ("Location", links.elsewhere())]
            return Response(status=302, headers=headers)
        if kind in {"502", "504"}:
            return Response(status=int(kind), body=_GATEWAY_PAGE % int(kind))
        return self.maker.error(Refusal(*_FAULT_ERRORS[kind]))

    def _headers(self, request: Request, excess: Excess = Excess.NONE) -> Headers:
        return self.maker.headers(self.clock(), self.limiter.state(bucket_of(request.path), excess))


def _finished(response: Response, due: Due) -> Response:
    """Return `response` with what faults in `due` do to any response."""
    response.fault = due.name
    response.stall, response.spread = due.value("stall") or 0.0, due.value("slow-body") or 0.0
    if due.has("no-date"):
        response.headers = drop_headers(response.headers, "Date")
    wait = due.value("retry-after")
    if wait is not None:
        response.headers = [*response.headers, ("Retry-After", str(math.ceil(wait)))]
    if due.has("no-rate-headers"):
        response.headers = drop_headers(response.headers, "X-Rate-Limit-")
    return response


def _scope(place: Place | None, route: Route | None, operation: Operation | None) -> str | None:
    """Return the scope that a request needs, whether or not its method is one that the path takes."""
    if operation is not None:
        return operation.scope
    if place is not None:
        return LISTS[place.collection].scope
    return None if route is None else next(iter(route.operations.values())).scope


def _excess_of(kind: str) -> Excess:
    return {"429": Excess.RATE, "429-concurrency": Excess.CONCURRENCY}.get(kind, Excess.NONE)
