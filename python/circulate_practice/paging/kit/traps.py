"""Traps: what real APIs do that a careless client gets wrong, one by one."""

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final
from urllib.parse import urlsplit

from circulate_practice.paging.kit.live import Live
from circulate_practice.paging.kit.messages import ListReply, Refused
from circulate_practice.paging.kit.places import ABSENT, put
from circulate_practice.paging.kit.positions import next_behind
from circulate_practice.paging.kit.styles import Style
from circulate_practice.paging.kit.turns import Turn

SMALL: Final = 3
"""Records of a page where a trap makes pages small."""
_MORE: Final = 5
_CAP: Final = 20
_DELAY_S: Final = 1


class Stage(Enum):
    """When a trap acts on a request."""

    SIZE = "once the page size is known"
    START = "once the start of the page is known"
    MOVE = "before the page is cut, with records that come and go"
    CUT = "once the records of the page are chosen"
    MARK = "once it is known what leads on"
    DOCUMENT = "once the page is put together"
    REPLY = "once the response is made"


@dataclass(frozen=True, slots=True)
class Trap:
    """One trap.

    Attributes:
        about: What it imitates.
        applies: Whether a style can have it.
        prepare: Changes the records before the first request.
        stage: When it acts on a request.
        act: What it does then.
    """

    about: str
    applies: Callable[[Style], bool]
    prepare: Callable[[Live, int], None] | None = None
    stage: Stage | None = None
    act: Callable[[Turn], None] | None = None


TRAPS: Final[dict[str, Trap]] = {}
"""All traps by their names."""

_Act = Callable[[Turn], None]
_Prepare = Callable[[Live, int], None]


def _on(stage: Stage, applies: Callable[[Style], bool]) -> Callable[[_Act], _Act]:
    """Register a function that acts on each request; its docstring says what it imitates."""

    def register(act: _Act) -> _Act:
        TRAPS[act.__name__.strip("_")] = Trap(_about(act), applies, stage=stage, act=act)
        return act

    return register


def _before(applies: Callable[[Style], bool]) -> Callable[[_Prepare], _Prepare]:
    """Register a function that changes the records before the first request, likewise."""

    def register(prepare: _Prepare) -> _Prepare:
        TRAPS[prepare.__name__.strip("_")] = Trap(_about(prepare), applies, prepare=prepare)
        return prepare

    return register


def _about(function: Callable[..., None]) -> str:
    return " ".join((function.__doc__ or "").split())


# Which styles can have a trap.


def _paged(style: Style) -> bool:
    return style.kind != "none"


def _numbered(style: Style) -> bool:
    return style.is_numbered


def _has(mark: str) -> Callable[[Style], bool]:
    return lambda style: mark in style.options


def _has_next(style: Style) -> bool:
    return style.kind in {"link_header", "next_url", "token"}


def _has_next_in_body(style: Style) -> bool:
    source = style.options.get("from", style.options) if style.kind in {"next_url", "token"} else {}
    return isinstance(source, dict) and "body" in source and "more" not in style.options


def _has_url(style: Style) -> bool:
    return style.kind in {"link_header", "next_url"} and style.urls == "absolute"


def _has_token_in_body(style: Style) -> bool:
    return style.kind == "token" and _has_next_in_body(style)


def _has_places(style: Style) -> bool:
    """Whether pages are parts of a list that keeps the places of what it does not show."""
    return _paged(style) and not (style.kind == "offset" and style.options.get("by", "records") == "records")


def _sized(style: Style) -> bool:
    return _paged(style) and "page_size" in style.listing


def _of_json(style: Style) -> bool:
    return _paged(style) and style.listing.get("format", "json") == "json"


def _outlives_an_empty_page(style: Style) -> bool:
    """Whether anything but an empty page ends the list."""
    return _has_next(style) or (_has_places(style) and bool({"more", "total", "pages"} & style.options.keys()))


# Pages that are not as full as expected.


@_before(_has_places)
def _short_page(live: Live, size: int) -> None:
    """The second page has a record less than requested: it was filtered out of the finished page."""
    live.entries[size + size // 2].hidden = True


@_on(Stage.CUT, lambda style: style.kind == "offset" and not _has_places(style))
def _short_page_by_records(turn: Turn) -> None:
    """The second page has a record less than requested, and the rest of it comes with the third."""
    if turn.is_second:
        del turn.sent[-1]
        turn.stop -= 1


@_before(_outlives_an_empty_page)
def _empty_page(live: Live, size: int) -> None:
    """All records of the second page were filtered out of it, and the list goes on behind it."""
    for entry in live.entries[size : 2 * size]:
        entry.hidden = True


@_before(_sized)
def _full_last_page(live: Live, size: int) -> None:
    """The last page is exactly full."""
    del live.entries[len(live.entries) // size * size :]


# Totals and numbers of pages.


@_on(Stage.MARK, _has("total"))
def _total_too_high(turn: Turn) -> None:
    """The total counts records that the list does not hand over."""
    turn.marks.total += _MORE


@_on(Stage.MARK, _has("total"))
def _total_too_low(turn: Turn) -> None:
    """The total is less than what the list hands over: it was counted earlier."""
    turn.marks.total -= _MORE


@_on(Stage.MARK, _has("total"))
def _total_changes(turn: Turn) -> None:
    """The total grows by one behind the first page: a record came that the client need not see."""
    turn.marks.total -= turn.start == 0


@_on(Stage.MARK, _has("total"))
def _total_is_text(turn: Turn) -> None:
    """The total is a number as text."""
    turn.marks.total = str(turn.marks.total)


@_on(Stage.MARK, _has("total"))
def _total_is_words(turn: Turn) -> None:
    """The total is text that is not a number."""
    turn.marks.total = "many"


@_on(Stage.MARK, _has("total"))
def _total_is_null(turn: Turn) -> None:
    """The total is null on every page."""
    turn.marks.total = None


@_on(Stage.MARK, _has("pages"))
def _pages_too_high(turn: Turn) -> None:
    """The number of pages is one too high."""
    turn.marks.pages += 1


@_on(Stage.MARK, _has("pages"))
def _pages_is_words(turn: Turn) -> None:
    """The number of pages is text that is not a number."""
    turn.marks.pages = "many"


# Flags that say whether there are more.


@_on(Stage.MARK, _has("more"))
def _more_at_end(turn: Turn) -> None:
    """The flag stays true on the last page, and nothing leads on from there."""
    turn.marks.more = True
    if turn.is_last:
        turn.marks.next = ABSENT


@_on(Stage.MARK, lambda style: {"more", "total"} <= style.options.keys())
def _no_more_in_middle(turn: Turn) -> None:
    """The flag is false on the second page, although the total says that the list goes on."""
    turn.marks.more = turn.marks.more and not turn.is_second


@_on(Stage.MARK, _has("more"))
def _more_is_text(turn: Turn) -> None:
    """The flag is `true` or `false` as text."""
    turn.marks.more = str(turn.marks.more).lower()


@_on(Stage.MARK, _has("more"))
def _more_is_words(turn: Turn) -> None:
    """The flag is text that is neither true nor false."""
    turn.marks.more = "perhaps"


@_on(Stage.MARK, _has("more"))
def _more_is_missing(turn: Turn) -> None:
    """The last page does not have the flag."""
    if turn.is_last:
        turn.marks.more = ABSENT


# What leads on.


@_on(Stage.MARK, _has_next_in_body)
def _next_is_null(turn: Turn) -> None:
    """On the last page null stands where the next page is named."""
    if turn.is_last:
        turn.marks.next = None


@_on(Stage.MARK, _has_next_in_body)
def _next_is_empty(turn: Turn) -> None:
    """On the last page an empty text stands where the next page is named."""
    if turn.is_last:
        turn.marks.next = ""


@_on(Stage.MARK, _has_next)
def _next_is_same(turn: Turn) -> None:
    """The last page names itself as the next one."""
    if turn.is_last and turn.start:
        turn.marks.next = next_behind(turn, turn.live.entries[turn.start - 1].rank)
        turn.marks.more = turn.marks.more if turn.marks.more is ABSENT else True


@_on(Stage.MARK, _has_next)
def _next_goes_back(turn: Turn) -> None:
    """The last page names the one before it as the next: a circle of two."""
    if turn.is_last and turn.start > turn.size:
        turn.marks.next = next_behind(turn, turn.live.entries[turn.start - turn.size - 1].rank)
        turn.marks.more = turn.marks.more if turn.marks.more is ABSENT else True


@_on(Stage.MARK, _has_url)
def _next_on_another_origin(turn: Turn) -> None:
    """The next URL leads to another host, which would get the credentials of this one."""
    port = urlsplit(turn.request.origin).port
    if turn.marks.next is not ABSENT:
        turn.marks.next = turn.marks.next.replace(turn.request.origin, f"http://localhost:{port}")


@_on(Stage.MARK, _has_url)
def _next_with_credentials(turn: Turn) -> None:
    """The next URL has a user and a password in it."""
    if turn.marks.next is not ABSENT:
        turn.marks.next = turn.marks.next.replace("http://", "http://user:secret@", 1)


@_on(Stage.MARK, _has_token_in_body)
def _token_is_number(turn: Turn) -> None:
    """The token is a number."""
    if turn.marks.next is not ABSENT:
        turn.marks.next = turn.live.entries[turn.stop - 1].rank


@_on(Stage.MARK, _has_token_in_body)
def _token_is_array(turn: Turn) -> None:
    """The token is an array."""
    if turn.marks.next is not ABSENT:
        turn.marks.next = [turn.marks.next, 1]


@_on(Stage.START, _has_next)
def _token_has_expired(turn: Turn) -> None:
    """A token is not valid any more when it is used: 410, once."""
    if turn.start > turn.size and turn.is_first_time("token_has_expired"):
        reason = "the token has expired"
        raise Refused(reason, 410)


@_on(Stage.START, _has_next)
def _token_is_unknown(turn: Turn) -> None:
    """A token is not known any more when it is used: 400, once."""
    if turn.start > turn.size and turn.is_first_time("token_is_unknown"):
        reason = "the token is not known"
        raise Refused(reason)


# Parameters that have no effect.


@_on(Stage.START, _paged)
def _page_is_ignored(turn: Turn) -> None:
    """The parameter for the page has no effect: the first page comes for ever."""
    turn.start = 0


@_on(Stage.START, _numbered)
def _last_page_for_ever(turn: Turn) -> None:
    """Numbers behind the last page give the last page."""
    turn.start = min(turn.start, (len(turn.live.entries) - 1) // turn.size * turn.size)


@_on(Stage.SIZE, _sized)
def _size_is_ignored(turn: Turn) -> None:
    """The parameter for the page size has no effect: pages have three records."""
    turn.size = SMALL


@_on(Stage.SIZE, _sized)
def _size_is_capped(turn: Turn) -> None:
    """Pages have three records at the most, whatever is requested."""
    turn.size = min(turn.size, SMALL)


@_on(Stage.START, lambda style: style.kind == "offset")
def _offset_is_capped(turn: Turn) -> None:
    """Offsets of 20 and more are refused."""
    if turn.start >= _CAP:
        reason = f"the offset has to be less than {_CAP}"
        raise Refused(reason)


# Lists that move.


@_on(Stage.MOVE, _paged)
def _inserts(turn: Turn) -> None:
    """Two records come at the front after the first page was read."""
    if turn.is_second and turn.is_first_time("inserts"):
        for name in ("new-1", "new-2"):
            first = turn.live.entries[0].record
            turn.live.insert({**first, "id": name} if isinstance(first, dict) else name)


@_on(Stage.MOVE, _paged)
def _deletes(turn: Turn) -> None:
    """The first two records go after the first page was read."""
    if turn.is_second and turn.is_first_time("deletes"):
        turn.live.delete(0)
        turn.live.delete(0)


@_on(Stage.CUT, _paged)
def _repeated_record(turn: Turn) -> None:
    """A page begins with the record that ended the page before it."""
    if turn.start and turn.sent:
        turn.sent.insert(0, turn.live.entries[turn.start - 1])


# Errors.


def _fail(turn: Turn, status: int, *headers: tuple[str, str]) -> None:
    turn.reply = ListReply.of({"error": "not now"}, status)
    turn.reply.headers += headers


@_on(Stage.REPLY, _of_json)
def _error_in_success(turn: Turn) -> None:
    """The second page is an error with status 200, once."""
    if turn.is_second and turn.is_first_time("error_in_success"):
        turn.reply = ListReply.of({"ok": False, "error": "not now"})


@_on(Stage.REPLY, _paged)
def _server_error(turn: Turn) -> None:
    """The second page is a 503, once."""
    if turn.is_second and turn.is_first_time("server_error"):
        _fail(turn, 503)


@_on(Stage.REPLY, _sized)
def _large_page_fails(turn: Turn) -> None:
    """Behind the first page, pages of more than three records are a 500."""
    if turn.start and turn.size > SMALL:
        _fail(turn, 500)


@_on(Stage.REPLY, _paged)
def _throttled(turn: Turn) -> None:
    """The second page is a 429 that does not say how long to wait, once."""
    if turn.is_second and turn.is_first_time("throttled"):
        _fail(turn, 429)


@_on(Stage.REPLY, _paged)
def _throttled_for_a_second(turn: Turn) -> None:
    """The second page is a 429 with a Retry-After of one second, once."""
    if turn.is_second and turn.is_first_time("throttled_for_a_second"):
        _fail(turn, 429, ("Retry-After", str(_DELAY_S)))


@_on(Stage.REPLY, _paged)
def _cut_body(turn: Turn) -> None:
    """The connection ends in the middle of the second page, once."""
    if turn.is_second and turn.is_first_time("cut_body"):
        turn.reply.cut = len(turn.reply.body) // 2


# Bodies.


@_on(Stage.REPLY, lambda _: True)
def _gzip_undeclared(turn: Turn) -> None:
    """The body is compressed, and no header says so."""
    turn.reply.body = gzip.compress(turn.reply.body)


@_on(Stage.REPLY, lambda _: True)
def _gzip_twice(turn: Turn) -> None:
    """The body is compressed twice, and a header speaks of once."""
    turn.reply.body = gzip.compress(gzip.compress(turn.reply.body))
    turn.reply.headers.append(("Content-Encoding", "gzip"))


@_on(Stage.REPLY, lambda _: True)
def _gzip_members(turn: Turn) -> None:
    """The body is compressed in two parts, one behind the other."""
    half = len(turn.reply.body) // 2
    turn.reply.body = gzip.compress(turn.reply.body[:half]) + gzip.compress(turn.reply.body[half:])


@_on(Stage.DOCUMENT, _of_json)
def _records_missing(turn: Turn) -> None:
    """The second page has no records where they were on the first."""
    if turn.is_second:
        turn.document = {"message": "nothing to see"}


@_on(Stage.DOCUMENT, _of_json)
def _records_are_text(turn: Turn) -> None:
    """The second page has text where the records were on the first."""
    if turn.is_second:
        turn.document = _with_text(turn.style.listing.get("records", ""), turn.document)


def _with_text(where: Any, document: Any) -> Any:  # noqa: ANN401 - JSON
    pointer = where if isinstance(where, str) else next(iter(where.values()))
    if not pointer:
        return "nothing to see"
    put(document, pointer.partition("/*")[0], "nothing to see")
    return document
