"""The API of the practice org: authorisation, limits, routes, faults; requests in, answers out, no sockets."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from circulate_core.practice.answers import Answer, AnswerMaker, Headers, Refusal, drop_headers
from circulate_core.practice.cursors import Position
from circulate_core.practice.damage import LOGIN_PAGE, render
from circulate_core.practice.directory import Directory
from circulate_core.practice.faults import Due, FaultPlan
from circulate_core.practice.limits import Excess, Limiter, RateState
from circulate_core.practice.listing import PATH, Links, Listing, ListQuery

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """Answer requests.

    Attributes:
        directory: The users.
        listing: Pages of the user list.
        limiter: Rate and concurrency limits.
        faults: Faults to show.
        maker: Headers and error bodies.
        clock: Server time in epoch seconds.
        token: API token to accept.
        gzip: Whether to compress for clients that take it.
    """

    directory: Directory
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
        excess = Excess.NONE
        try:
            self._authorise(request)
            excess = self.limiter.admit(in_flight)
            answer = self._route(request) if excess is Excess.NONE else self.maker.error(Refusal(429, "E0000047"))
        except Refusal as refusal:
            answer = self.maker.error(refusal)
        if not answer.headers:
            answer.headers = self._headers(self._rate(excess))
        return answer

    def _authorise(self, request: Request) -> None:
        if request.authorization != f"SSWS {self.token}":
            raise Refusal(401, "E0000011")

    def _route(self, request: Request) -> Answer:
        path, _, query = request.target.partition("?")
        user_id = path.removeprefix(PATH + "/")
        single = user_id != path and user_id and "/" not in user_id
        if path != PATH and not single:
            raise Refusal(404, "E0000008")
        if request.method != "GET":
            raise Refusal(405, "E0000022")
        return self._user(user_id) if single else self._list(request, query)

    def _user(self, user_id: str) -> Answer:
        record = self.directory.user(user_id)
        if record is None:
            raise Refusal(404, "E0000007", user_id)
        return Answer(status=200, body=record.body)

    def _list(self, request: Request, raw_query: str) -> Answer:
        query = ListQuery.parse(raw_query)
        position = self.listing.position(query)
        due = self.faults.take(position.page, query.limit, after_empty=position.after_empty)
        answer = (
            self._page(request, query, position, due)
            if due.instead is None
            else self._instead(request, query, position, due)
        )
        answer.page, answer.fault = position.page, due.name
        answer.stall, answer.spread = due.value("stall") or 0.0, due.value("slow-body") or 0.0
        if due.has("no-date"):
            answer.headers = drop_headers(answer.headers, "Date")
        if due.has("no-rate-headers"):
            answer.headers = drop_headers(answer.headers, "X-Rate-Limit-")
        return answer

    def _page(self, request: Request, query: ListQuery, position: Position, due: Due) -> Answer:
        page = self.listing.page(query, position)
        altered = render(page, due, compress=self.gzip and request.takes_gzip)
        links = Links(request.host, request.target, self.listing.following(query, position, page))
        headers = self._headers(self.limiter.state()) + links.headers(due)
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

    def _instead(self, request: Request, query: ListQuery, position: Position, due: Due) -> Answer:
        """Return the answer that a fault puts in the place of the page."""
        kind = due.instead.kind if due.instead else ""
        links = Links(request.host, request.target, self.listing.same_after_empty(query, position))
        answer = self._faked(kind, links)
        if not answer.headers:
            answer.headers = self._headers(self._rate(_excess_of(kind)))
        if kind in {"html", "502", "504"}:
            answer.headers = [*drop_headers(answer.headers, "Content-Type"), ("Content-Type", "text/html")]
        return answer

    def _faked(self, kind: str, links: Links) -> Answer:
        if kind == "reset":
            return Answer(status=0, reset=True, whole=False)
        if kind == "html":
            return Answer(status=200, body=LOGIN_PAGE, whole=False)
        if kind == "empty-page":
            return Answer(status=200, body=b"[]", headers=self._headers(self.limiter.state()) + links.headers(Due()))
        if kind == "redirect":
            headers = [*self._headers(self.limiter.state()), ("Location", links.elsewhere())]
            return Answer(status=302, headers=headers)
        if kind in {"502", "504"}:
            return Answer(status=int(kind), body=_GATEWAY_PAGE % int(kind))
        return self.maker.error(Refusal(*_FAULT_ERRORS[kind]))

    def _headers(self, rate: RateState) -> Headers:
        return self.maker.headers(self.clock(), rate)

    def _rate(self, excess: Excess) -> RateState:
        if excess is Excess.CONCURRENCY:
            return self.limiter.crowded()
        return self.limiter.exhausted() if excess is Excess.RATE else self.limiter.state()


def _excess_of(kind: str) -> Excess:
    return {"429": Excess.RATE, "429-concurrency": Excess.CONCURRENCY}.get(kind, Excess.NONE)
