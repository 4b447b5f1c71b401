"""Where in a list a request is, and how a page says where the next one begins: for each kind of paginator."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

from circulate_practice.paging.kit.messages import ListRequest, Refused
from circulate_practice.paging.kit.places import ABSENT, at, kind_and_name, value_in
from circulate_practice.paging.kit.styles import Style
from circulate_practice.paging.kit.turns import Turn

AFTER: Final = "after"
"""Parameter of next URLs."""
_TOKEN_MARK: Final = "c+/=&%41 "  # noqa: S105 - what a URL, a form and a path must encode
_UNREACHABLE: Final = "https://api.internal.invalid"


def size_of(style: Style, request: ListRequest, most: int) -> int:
    """Return how many places a page has: as many as requested, `most` at the most and by default.

    Raises:
        Refused: It is not a positive number.
    """
    if "page_size" not in style.listing:
        return most
    value = value_in(request, style.listing["page_size"]["param"])
    if value is ABSENT and style.options.get("send") == "token":
        value = _size_in(value_in(request, _places(style.options["to"])[0]))
    return most if value is ABSENT else min(_number(value, "page size", least=1), most)


def start_of(turn: Turn) -> int:
    """Return the index at which the requested page starts.

    Raises:
        Refused: The request lacks something, or says what the list never handed out.
    """
    options, request = turn.style.options, turn.request
    match turn.style.kind:
        case "offset":
            first = options.get("start", 0)
            value = value_in(request, options["to"])
            return 0 if value is ABSENT else _number(value, "offset", least=first) - first
        case "page":
            first = options.get("first", 1)
            value = value_in(request, options["to"])
            return 0 if value is ABSENT else (_number(value, "page", least=first) - first) * turn.size
        case "last_record":
            return _after_record(turn, options)
        case "token":
            return _after_token(turn, options)
        case "link_header" | "next_url":
            _insist(request, turn.style.drops)
            return _after(turn, dict(request.query).get(AFTER, ABSENT))
        case _:
            return 0


def next_of(turn: Turn) -> Any:  # noqa: ANN401 - a token, tokens or a URL
    """Return what a page says to lead to the next one, if its style has such a thing at all."""
    return next_behind(turn, turn.live.entries[turn.stop - 1].rank) if turn.stop else ABSENT


def next_behind(turn: Turn, rank: int) -> Any:  # noqa: ANN401 - as `next_of`
    """Return what leads to the records behind a rank."""
    kind, options = turn.style.kind, turn.style.options
    token = _token_for(rank, turn.size)
    if kind in {"link_header", "next_url"} or (kind == "token" and _is_in_url(options["from"])):
        return _next_url(turn, token)
    if kind != "token":
        return ABSENT
    return [token, "2/2"] if isinstance(options["from"], list) else token


def _next_url(turn: Turn, token: str) -> str:
    """Return the URL of the page behind a token, written as the style writes URLs."""
    style, request = turn.style, turn.request
    kept = [(name, value) for name, value in request.query if name not in {AFTER, *style.drops}]
    query = urlencode([*kept, (AFTER, token)], quote_via=quote)
    match style.urls:
        case "relative":
            return f"{request.path}?{query}"
        case "query":
            return f"?{query}"
        case "internal":
            return f"{_UNREACHABLE}{request.path}?{query}"
        case _:
            return f"{request.origin}{request.path}?{query}"


def _token_for(rank: int, size: int) -> str:
    """Return the token for pages of a size behind a rank."""
    return _TOKEN_MARK + base64.b64encode(f"{rank}:{size}".encode()).decode()


def _after_record(turn: Turn, options: dict[str, Any]) -> int:
    value = value_in(turn.request, options["to"])
    if value is ABSENT:
        return 0
    rank = turn.live.rank_of(options["from"], value)
    if rank is None:
        reason = f"no record has the id {value}"
        raise Refused(reason)
    return turn.live.index_after(rank)


def _after_token(turn: Turn, options: dict[str, Any]) -> int:
    request, to = turn.request, options["to"]
    if not isinstance(to, list):
        value = value_in(request, to)
    else:
        values = [value_in(request, place) for place in to]
        if any(each is ABSENT for each in values) and values != [ABSENT] * len(values):
            reason = "the values of a token go together"
            raise Refused(reason)
        value = values[0]
    if "start" in options:
        if value is ABSENT:
            reason = f"the first request needs the token {options['start']}"
            raise Refused(reason)
        value = ABSENT if value == options["start"] else value
    if options.get("send") == "token":
        _only_the_token(turn, value, to)
    if turn.style.listing.get("body", {}).get("graphql") and not isinstance(at(request.document, "/query"), str):
        reason = "the body has no query"
        raise Refused(reason)
    return _after(turn, value)


def _only_the_token(turn: Turn, value: object, to: Any) -> None:  # noqa: ANN401 - one place or several
    own = {name for kind, name in map(kind_and_name, _places(to)) if kind == "query"}
    names = {name for name, _ in turn.request.query}
    if value is not ABSENT and names != own:
        reason = f"nothing may stand beside {', '.join(sorted(own)) or 'the token'}: {', '.join(sorted(names - own))}"
        raise Refused(reason)
    if value is ABSENT:
        _insist(turn.request, tuple(turn.style.listing.get("query", ())))


def _places(to: Any) -> list[Any]:  # noqa: ANN401 - one place or several
    return to if isinstance(to, list) else [to]


def _insist(request: ListRequest, names: tuple[str, ...]) -> None:
    for name in names:
        if name not in dict(request.query):
            reason = f"the parameter {name} is missing"
            raise Refused(reason)


def _after(turn: Turn, token: object) -> int:
    if token is ABSENT:
        return 0
    try:
        rank = _rank_in(token)
    except (ValueError, binascii.Error):
        reason = f"the list never handed out the token {token!r}"
        raise Refused(reason) from None
    return turn.live.index_after(rank)


def _rank_in(token: object) -> int:
    if isinstance(token, int) or (isinstance(token, str) and token.removeprefix("-").isdigit()):
        return int(token)  # of a list whose tokens are numbers
    if not isinstance(token, str) or not token.startswith(_TOKEN_MARK):
        message = "it does not begin as our tokens do"
        raise ValueError(message)
    return int(base64.b64decode(token.removeprefix(_TOKEN_MARK), validate=True).partition(b":")[0])


def _size_in(token: object) -> Any:  # noqa: ANN401 - text, or ABSENT
    """Return the page size of a token that stands alone; whether it is a good one is checked with its rank."""
    if not isinstance(token, str):
        return ABSENT
    try:
        inside = base64.b64decode(token.removeprefix(_TOKEN_MARK), validate=True).decode()
    except (ValueError, binascii.Error):
        return ABSENT
    return inside.partition(":")[2] or ABSENT


def _is_in_url(source: object) -> bool:
    return isinstance(source, Mapping) and "url" in source


def _number(value: object, name: str, *, least: int) -> int:
    text = str(value)
    if isinstance(value, bool) or not (text.isascii() and text.isdigit()) or int(text) < least:
        reason = f"the {name} {value!r} is not a number of {least} or more"
        raise Refused(reason)
    return int(text)
