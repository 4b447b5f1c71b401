"""What one page shows of the way to the next one: each sign is a paginator that may be meant, to be tried."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from circulate_core.authoring.members import at, scalars

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from circulate_core.authoring.members import RecordList
    from circulate_core.authoring.responses import Response

Paginator = str | dict[str, Any]

_TOKEN = re.compile(r"cursor|token|marker|continuation|scroll|bookmark|after|next", re.IGNORECASE)
_NOT_TOKEN = re.compile(r"prev|previous|before|first|last|self|start_?cursor|access|secret|csrf|type", re.IGNORECASE)
_MORE = re.compile(
    r"^(has_?(more|next)(_?(pages?|items|results|records))?|more(_?(results|records|items))?|is_?truncated)$",
    re.IGNORECASE,
)
_TOTAL = re.compile(
    r"^(total|count|total_?(count|results?|records?|items|elements|hits|size|rows|entries)|(records|items|results)_?total)$",
    re.IGNORECASE,
)
_PAGES = re.compile(r"^(total_?pages?|page_?count|last_?page|pages|(num|number)_?(of_?)?pages)$", re.IGNORECASE)
_PAGE_NUMBER = re.compile(r"^(page|current_?page|page_?(number|no|num|index)|number)$", re.IGNORECASE)

_TOKEN_PARAMETERS = (
    *("cursor", "page_token", "pageToken", "next_token", "nextToken", "after", "token", "continuation"),
    *(
        "continuationToken",
        "continuation_token",
        "starting_after",
        "start_after",
        "marker",
        "next",
        "page[cursor]",
        "page[after]",
    ),
    *("scroll_id", "bookmark", "page", "offset"),
)
_PAGE_PARAMETERS = ("page", "page_number", "pageNumber", "pageNum", "page_no", "pageNo", "page[number]", "p")
_OFFSET_PARAMETERS = (
    "offset",
    "skip",
    "start",
    "startAt",
    "start_index",
    "startIndex",
    "from",
    "$skip",
    "page[offset]",
)
_LAST_PARAMETERS = ("starting_after", "after", "after_id", "afterId", "last_id", "lastId", "since_id", "since")
_NUMBER_PARAMETERS = tuple(dict.fromkeys(("page", "offset", *_PAGE_PARAMETERS, *_OFFSET_PARAMETERS)))
SIZE_PARAMETERS = (
    *("limit", "per_page", "page_size", "pageSize", "perPage", "size", "count", "max_results", "maxResults", "max"),
    *("pagelen", "rows", "top", "$top", "first", "results_per_page", "page[size]", "page[limit]"),
)


_MOST = 10**15
"""More records than any list has."""
_TOTAL_HEADER = re.compile(r"(x-)?total(-count|-results|-records|-items)?")
_LINK = re.compile(r"<([^<>]*)>([^<]*)")
_REL = re.compile(r"""\brel\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s;,"']+))""", re.IGNORECASE)
_OTHER_RELATIONS = {
    *("first", "last", "prev", "previous", "self", "start", "up", "help", "describedby", "preload", "canonical"),
}


@dataclass(frozen=True)
class Candidate:
    """A paginator that may be meant.

    Attributes:
        paginator: As a definition says it.
        sign: What shows it; empty for one that is only tried.
        second: The address of the second page, if it is the one.
        parameter: The parameter of the query that it sets.
    """

    paginator: Paginator
    sign: str
    second: str
    parameter: str | None = None


def candidates(response: Response, found: RecordList, key: str | None) -> list[Candidate]:
    """Return the paginators that a first page may mean: those with signs first, then what is usual without any.

    Args:
        response: The page.
        found: Its records.
        key: The member that identifies them.
    """
    members = [] if isinstance(response.value, list) else list(scalars(response.value, but=found.pointer))
    query = dict(parse_qsl(urlsplit(response.url).query, keep_blank_values=True))
    flags = (pointer for pointer, value in members if _MORE.match(_name(pointer)) and isinstance(value, bool))
    more = next(flags, None)
    last = at(found.records[-1], key) if key else None
    by_last = list(_last_records(response.url, more, key, last, query))
    signs = [
        *_links(response),
        *_urls(response, members),
        *_tokens(response, members, query, more),
        *(by_last if more else []),
        *_numbers(response, members, query, len(found.records), more),
        *by_last,
    ]
    kept: list[Candidate] = []
    for each in sorted(signs, key=lambda candidate: not candidate.sign):
        if all(each.paginator != known.paginator for known in kept):
            kept.append(each)
    return kept


def _links(response: Response) -> Iterator[Candidate]:
    """Yield the relations of `Link` that may be of the next page, and what their addresses set (RFC 8288)."""
    known = dict(parse_qsl(urlsplit(response.url).query))
    for target, parameters in _LINK.findall(response.headers.get("link", "")):
        named = _REL.search(parameters)
        for rel in (named[1] or named[2] or named[3]).split() if named else ():
            if rel.lower() in _OTHER_RELATIONS:
                continue
            url = _joined(response.url, target)
            if url is None:
                continue
            sign = f"the header Link has rel={rel}"
            paginator: Paginator = "link_header" if rel == "next" else {"link_header": {"rel": rel}}
            if urlsplit(url)[:2] == urlsplit(response.url)[:2]:
                yield Candidate(paginator, sign, url)
                continue
            for name, value in parse_qsl(urlsplit(url).query):
                if known.get(name) != value and name not in SIZE_PARAMETERS:
                    token = {"token": {"from": {"url": {"link": rel}, "param": name}, "to": name}}
                    second = with_parameter(response.url, name, value)
                    yield Candidate(token, f"{sign} at another address, which sets `{name}`", second, name)


def _urls(response: Response, members: list[tuple[str, object]]) -> Iterator[Candidate]:
    """Yield next URLs in the body and in headers."""
    for pointer, value in members:
        if "next" in pointer.lower() and not _NOT_TOKEN.search(_name(pointer)) and (url := _url(response.url, value)):
            yield from _of_url(response.url, url, {"body": pointer}, f"`{pointer}` has the address of the next page")
    for name, value in response.headers.items():
        if "next" in name and name != "link" and (url := _url(response.url, value)):
            yield from _of_url(
                response.url, url, {"header": name}, f"the header {name} has the address of the next page"
            )


def _of_url(here: str, url: str, place: dict[str, str], sign: str) -> Iterator[Candidate]:
    if urlsplit(url)[:2] == urlsplit(here)[:2]:
        yield Candidate({"next_url": place}, sign, url)
    # A proxy's address, or one without the prefix of the API: its parameters may be right all the same.
    known = dict(parse_qsl(urlsplit(here).query))
    for name, value in parse_qsl(urlsplit(url).query):
        if known.get(name) != value and name not in SIZE_PARAMETERS:
            token = {"token": {"from": {"url": place, "param": name}, "to": name}}
            yield Candidate(token, f"{sign}, which sets `{name}`", with_parameter(here, name, value), name)


def _tokens(
    response: Response, members: list[tuple[str, object]], query: Mapping[str, str], more: str | None
) -> Iterator[Candidate]:
    flag = {"more": more} if more else {}
    places: list[tuple[str, object, dict[str, str], str]] = [
        (_name(pointer), value, {"body": pointer}, f"`{pointer}` has a value for the next request")
        for pointer, value in members
        if _is_token(pointer, value)
    ]
    places += [
        (name.removeprefix("x-"), value, {"header": name}, f"the header {name} has a value for the next request")
        for name, value in response.headers.items()
        if re.search(r"next-(page|cursor|token)|cursor$|continuation", name) and value and "://" not in value
    ]
    for name, value, place, sign in places:
        for parameter in _parameters(name, query):
            token = {"token": {"from": place, "to": parameter, **flag}}
            second = with_parameter(response.url, parameter, str(value))
            yield Candidate(token, f"{sign}: `{parameter}`", second, parameter)


def _last_records(
    url: str, more: str | None, key: str | None, value: object, query: Mapping[str, str]
) -> Iterator[Candidate]:
    if key is None:
        return
    for parameter in _first(_LAST_PARAMETERS, query):
        last = {"last_record": {"from": key, "to": parameter, **({"more": more} if more else {})}}
        sign = f"`{more}` says whether there is more: `{parameter}` with the last `{key}`" if more else ""
        yield Candidate(last, sign, with_parameter(url, parameter, str(value)), parameter)


def _numbers(
    response: Response, members: list[tuple[str, object]], query: Mapping[str, str], records: int, more: str | None
) -> Iterator[Candidate]:
    numbers = [(pointer, value) for pointer, value in members if isinstance(value, int)]
    counts = [(pointer, count) for pointer, value in numbers if (count := count_of(value)) is not None]
    total = _total(response, counts, records)
    # A count of records is easily taken for one of pages.
    pages = next((pointer for pointer, value in counts if _PAGES.match(_name(pointer)) and value > 1), None)
    number = next((value for pointer, value in counts if _PAGE_NUMBER.match(_name(pointer)) and value in {0, 1}), None)
    end: dict[str, object] = {**({"total": total[0]} if total else {}), **({"more": more} if more else {})}
    signs = [
        *([f"{total[1]}, of which {records} are here"] if total else []),
        *([f"`{more}` says whether there is more"] if more else []),
    ]
    ends = {"pages": pages} if pages else end
    for parameter in _first(_NUMBER_PARAMETERS, query):
        named = [f"`{parameter}` is in the address"] if parameter in query else []
        if parameter in _OFFSET_PARAMETERS:
            named += [f"`{pointer}` is in the page" for pointer, _ in counts if _name(pointer) == parameter]
            for start in [0, 1] if "index" in parameter.lower() else [0]:
                offset = {"to": parameter, **({"start": start} if start else {}), **end}
                second = with_parameter(response.url, parameter, str(start + records))
                yield Candidate({"offset": offset}, "; ".join([*signs, *named]), second, parameter)
            continue
        named += [f"`{pages}` is the number of pages"] if pages else []
        given = query.get(parameter)
        for first in [number] if number is not None else [int(given)] if given in {"0", "1"} else [1, 0]:
            page = {"to": parameter, **({"first": first} if first != 1 else {}), **ends}
            second = with_parameter(response.url, parameter, str(first + 1))
            yield Candidate({"page": page}, "; ".join([*named, *signs]), second, parameter)


def _total(response: Response, counts: list[tuple[str, int]], records: int) -> tuple[object, str] | None:
    """Return where the number of records of the list is, and what shows that; it is more than there are on the page."""
    for pointer, value in counts:
        if _TOTAL.match(_name(pointer)) and value > records:
            return pointer, f"`{pointer}` is {value}"
    for name, text in response.headers.items():
        if _TOTAL_HEADER.fullmatch(name) and (value := count_of(text) or 0) > records:
            return {"header": name}, f"the header {name} is {value}"
    return None


def count_of(value: object) -> int | None:
    """Return a number of records or pages that an API says; None for what is none, however many digits it has."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,15}", value):
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= _MOST else None


def with_parameter(url: str, name: str, value: str) -> str:
    """Return an address with another value of a parameter of its query."""
    parts = urlsplit(url)
    query = [(known, given) for known, given in parse_qsl(parts.query, keep_blank_values=True) if known != name]
    return urlunsplit(parts._replace(query=urlencode([*query, (name, value)])))


def _is_token(pointer: str, value: object) -> bool:
    name = _name(pointer)
    if isinstance(value, bool) or value == "" or not isinstance(value, (str, int)):
        return False
    if isinstance(value, str) and ("://" in value or value.startswith(("/", "?"))):
        return False
    if isinstance(value, int) and "next" not in name.lower():
        return False
    inside = pointer.lower()
    return bool(_TOKEN.search(name) or "next" in inside) and not _NOT_TOKEN.search(name)


def _parameters(name: str, query: Mapping[str, str]) -> list[str]:
    """Return the parameters that a value of this name may be sent in, the likeliest first."""
    plain = re.sub(r"^next[_-]?", "", name, flags=re.IGNORECASE)
    bare = plain[:1].lower() + plain[1:]
    own = [parameter for parameter in query if _TOKEN.search(parameter) or parameter in {bare, name}]
    likely = [bare, name] if bare else [name]
    return list(dict.fromkeys([*own, *likely, *_TOKEN_PARAMETERS]))


def _first(parameters: tuple[str, ...], query: Mapping[str, str]) -> list[str]:
    """Return them, those first that the address has."""
    return sorted(parameters, key=lambda parameter: parameter not in query)


def _url(base: str, value: object) -> str | None:
    if not isinstance(value, str) or not re.match(r"https?://|/|\?", value):
        return None
    url = _joined(base, value)
    return url if url != base else None


def _joined(base: str, target: str) -> str | None:
    """Return the address that a page names; None if it is none."""
    try:
        url = urljoin(base, target)
        return url if urlsplit(url).hostname else None
    except ValueError:
        return None


def _name(pointer: str) -> str:
    """Return the name that says what a member is: of `/next/href` that is `next`."""
    parts = [part for part in pointer.split("/") if part.lower() not in {"href", "url", "uri"}]
    return parts[-1] if parts else ""
