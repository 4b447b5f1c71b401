"""How one page of a list leads to the next, as far as a document says it, and what says so.

A document says it outright (`declared`): by an extension, a `Link` header, a sentence. Or two halves of it fit together
(`inferred`): a member of the page and the parameter that takes it; or a parameter whose lists end at an empty page,
which needs no other half. All else is `unknown`: what it might be is named, and never used.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from circulate_core.authoring.openapi.description import type_of
from circulate_core.authoring.openapi.naming import squeezed
from circulate_core.authoring.openapi.shapes import Shape, shape_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from circulate_core.authoring.openapi.description import Parameter
    from circulate_core.authoring.openapi.lists import FoundList
    from circulate_core.authoring.openapi.nodes import Node

Status = Literal["declared", "inferred", "probed", "unknown"]


@dataclass
class Paging:
    """How one page of a list leads to the next.

    Attributes:
        status: How well that is known.
        paginator: The paginator as definitions write it; None if nobody knows.
        page_size: The page size as definitions write it; None if a request says none.
        evidence: What says so, a sentence each.
        candidates: Paginators that it might be, as definitions write them.
        single: Whether the document says that the list is one page.
    """

    status: Status
    paginator: Any = None
    page_size: dict[str, Any] | None = None
    evidence: list[str] = field(default_factory=list)
    candidates: list[Any] = field(default_factory=list)
    single: bool = False


@dataclass(frozen=True)
class _Member:
    """A member of the envelope of a page."""

    pointer: str
    shape: Shape

    @property
    def name(self) -> str:
        return squeezed(self.pointer.rpartition("/")[2])

    @property
    def around(self) -> str:
        return squeezed(self.pointer.split("/")[-2]) if self.pointer.count("/") > 1 else ""

    @property
    def about(self) -> str:
        return self.shape.node.get("description").text()

    @property
    def is_whole(self) -> bool:
        return self.shape.type in {"integer", "number"}


def paging_of(found: FoundList) -> Paging:
    """Return how one page of a list leads to the next."""
    for look in (
        _by_extension,
        _by_sentence,
        _by_link_header,
        _by_next_header,
        _by_next_url,
        _by_token,
        _by_last_record,
        _by_offset,
        _by_page,
    ):
        paging = look(found)
        if paging is not None:
            if paging.paginator != "none":
                paging.page_size = paging.page_size or page_size_of(found, paging)
            return paging
    paging = _unknown(found)
    paging.page_size = page_size_of(found, paging)
    return paging


# What the document says outright.


def _by_extension(found: FoundList) -> Paging | None:
    node = found.operation.node
    microsoft = node.get("x-ms-pageable")
    if isinstance(microsoft.value, dict):
        name = microsoft.get("nextLinkName").text()
        if not name:
            evidence = "x-ms-pageable: `nextLinkName` is null, so the list is one page"
            return Paging("declared", "none", evidence=[evidence], single=True)
        _records_of_extension(found, microsoft.get("itemName").text() or "value", "x-ms-pageable: itemName")
        return Paging("declared", _next_url(f"/{name}"), evidence=[f"x-ms-pageable: nextLinkName is `{name}`"])
    for name, read in (
        ("x-speakeasy-pagination", _speakeasy),
        ("x-fern-pagination", _fern),
    ):
        extension = node.get(name)
        if isinstance(extension.value, dict) and (paging := read(found, extension)):
            paging.evidence.insert(0, f"{name} of the operation")
            return paging
    return None


def _speakeasy(found: FoundList, extension: Node) -> Paging | None:
    """Read what Speakeasy's generators take: inputs by their kind, outputs by JSONPath."""
    inputs = {each.get("type").text(): each for each in extension.get("inputs").items()}
    outputs = {name: _pointer(each.text()) for name, each in extension.get("outputs").members()}
    if (records := outputs.get("results")) is not None:
        _records_of_extension(found, records, "x-speakeasy-pagination: results")
    size = _place(inputs["limit"]) if "limit" in inputs else None
    paginator: Any = None
    if (url := outputs.get("nextUrl")) is not None:
        paginator = _next_url(url)
    elif (cursor := outputs.get("nextCursor")) is not None and "cursor" in inputs:
        paginator = {"token": {"from": {"body": cursor}, "to": _place(inputs["cursor"])}}
    elif "page" in inputs:
        page = {"to": _place(inputs["page"]), **_first(_parameter(found, inputs["page"].get("name").text()))}
        if pages := outputs.get("numPages"):
            page["pages"] = pages
        paginator = {"page": page} if "first" in page else None
    elif "offset" in inputs:
        paginator = {"offset": {"to": _place(inputs["offset"])}}
    if paginator is None:
        return None
    named = size if isinstance(size, str) else None
    limit = _parameter(found, named) if named else None
    return Paging("declared", paginator, _page_size(limit) if limit else None)


def _fern(found: FoundList, extension: Node) -> Paging | None:
    """Read what Fern's generators take: `$request.cursor`, `$response.next`."""

    def place(key: str) -> Any:  # noqa: ANN401 - as a definition writes it
        text = extension.get(key).text()
        kind, _, name = text.removeprefix("$").partition(".")
        if not name or kind not in {"request", "response"}:
            return None
        if kind == "response":
            return "/" + name.replace(".", "/")
        is_query = any(each.name == name for each in found.operation.query())
        return name if is_query else {"body": "/" + name.replace(".", "/")}

    if (records := place("results")) is not None:
        _records_of_extension(found, str(records), "x-fern-pagination: results")
    cursor, following, offset, more = place("cursor"), place("next_cursor"), place("offset"), place("has-next-page")
    if cursor is not None and following is not None:
        return Paging("declared", {"token": {"from": {"body": following}, "to": cursor}})
    if isinstance(offset, str):
        # Fern calls a number of pages an offset, too.
        is_page = squeezed(offset) in _PAGES
        parameter = _parameter(found, offset)
        spec: dict[str, Any] = {"to": offset, **(_first(parameter) if is_page else {})}
        if is_page and "first" not in spec:
            return None
        if more is not None:
            spec["more"] = more
        return Paging("declared", {"page" if is_page else "offset": spec})
    return None


def _records_of_extension(found: FoundList, name: str, why: str) -> None:
    pointer = name if name.startswith("/") or not name else f"/{name}"
    found.evidence = [each for each in found.evidence if not each.startswith("records:")]
    found.evidence.append(f"records: {why} is `{name}`")
    if found.records is None:
        shape = found.envelope
        for part in pointer.split("/")[1:]:
            shape = shape_of(shape.members[part]) if part in shape.members else Shape("unknown", shape.node)
        found.record = shape_of(shape.items) if shape.items is not None else None
    if not isinstance(found.records, dict):
        found.records = pointer
    found.record_pointer, found.candidates = pointer, []


def _pointer(path: str) -> str | None:
    """Return a simple JSONPath as a JSON Pointer; None if it is not simple."""
    if not re.fullmatch(r"\$?(\.?[A-Za-z_@][\w@-]*|\[\"[^\"]+\"\]|\['[^']+'\])*(\[\*\])?", path) or not path:
        return None
    names = re.findall(r"[A-Za-z_@][\w@.-]*(?=[\"']\])|[A-Za-z_@][\w@-]*", path)
    return "".join(f"/{name}" for name in names)


def _place(given: Node) -> Any:  # noqa: ANN401 - as a definition writes it
    name, where = given.get("name").text(), given.get("in").text()
    if where in {"requestBody", "body"}:
        return {"body": f"/{name}"}
    return {"header": name} if where in {"header", "headers"} else name


def _parameter(found: FoundList, name: str) -> Parameter | None:
    return next((each for each in found.operation.query() if each.name == name), None)


_NOT_PAGED = re.compile(
    r"[^.\n]*\b(not (be )?(paginated|paged)|does(n't| not) support (pagination|paging)"
    r"|(no|without) (pagination|paging))\b"
    r"[^.\n]*",
    re.IGNORECASE,
)


def _by_sentence(found: FoundList) -> Paging | None:
    said = _NOT_PAGED.search(found.operation.about)
    if said is None or _parameters(found, _PAGES | _OFFSETS | _TOKENS):
        return None
    evidence = f"its description says: “{_short(said[0])}”"
    return Paging("declared", "none", evidence=[evidence], single=True)


def _by_link_header(found: FoundList) -> Paging | None:
    header = found.operation.response.headers.get("link")
    if header is None:
        return None
    about = header.get("description").text()
    said = f": “{_short(about)}”" if about else ""
    return Paging("declared", "link_header", evidence=[f"its response declares the header `Link`{said}"])


_NEXT_PAGE_HEADERS = {"xnextpage", "nextpage", "xpaginationnextpage"}
_NEXT_TOKEN_HEADERS = {
    "xnextcursor", "nextcursor", "xnextpagetoken", "xnexttoken", "xcontinuationtoken", "continuationtoken",
    "xmscontinuation", "xcursor", "xpaginationcursor", "xnextpagecursor", "afternextcursor",
}  # fmt: skip


def _by_next_header(found: FoundList) -> Paging | None:
    """Look for a header with the next page, and the parameter that takes it."""
    headers = {squeezed(name): name for name in found.operation.response.headers}
    original = {name.lower(): name for name, _ in _headers_of(found)}
    for known, parameters in ((_NEXT_PAGE_HEADERS, _PAGES), (_NEXT_TOKEN_HEADERS, _TOKENS)):
        names = [headers[each] for each in known if each in headers]
        takes = _parameters(found, parameters)
        if len(names) == 1 and len(takes) == 1:
            name = original.get(names[0], names[0])
            evidence = [f"its response declares the header `{name}`, and the parameter `{takes[0].name}` takes it"]
            paginator = {"token": {"from": {"header": name}, "to": takes[0].name}}
            return Paging("inferred", paginator, evidence=evidence)
    return None


def _headers_of(found: FoundList) -> Iterator[tuple[str, Node]]:
    responses = found.operation.node.get("responses")
    for status, response in responses.members():
        if status[:1] in {"2", "d"}:
            yield from response.get("headers").members()


# What two halves say together.

_PAGES = {
    "page", "pagenumber", "pageno", "pagenum", "pageindex", "currentpage", "p", "pagenr",
}  # fmt: skip
_OFFSETS = {
    "offset", "skip", "startindex", "startat", "start", "pageoffset", "from", "startrow", "firstresult", "recordoffset",
    "startposition",
}  # fmt: skip
_TOKENS = {
    "cursor", "after", "pagetoken", "nextpagetoken", "nexttoken", "marker", "nextmarker", "continuationtoken",
    "continuation", "nextcursor", "pagecursor", "scrollid", "pageafter", "startafter", "startingafter", "token", "next",
    "nextpage", "pagekey", "exclusivestartkey", "cursornext", "nextpagecursor", "aftercursor", "continue", "pagemarker",
    "bookmark", "nextkey", "position", "starttoken", "nextid", "maxid",
}  # fmt: skip
_LIMITS = {
    "limit", "perpage", "pagesize", "maxresults", "pagelimit", "resultsperpage", "itemsperpage", "size", "count",
    "top", "take", "rows", "max", "pagelength", "maxitems", "maxrecords", "numresults", "length", "recordsperpage",
    "pagecount", "numrecords", "itemcount", "maxpagesize", "num", "per", "results", "batchsize", "records", "limitto",
}  # fmt: skip
_TOTALS = {
    "total", "totalcount", "totalresults", "totalitems", "totalrecords", "totalelements", "totalentries", "totalsize",
    "recordstotal", "totalhits", "totalrows", "totalnumber", "totalobjects", "totalresultcount", "totalitemcount",
    "counttotal", "itemstotal", "resultstotal",
}  # fmt: skip
_PAGE_COUNTS = {
    "totalpages",
    "pagecount",
    "pages",
    "lastpage",
    "numpages",
    "numberofpages",
    "pagestotal",
    "totalpage",
    "pagetotal",
}
_MORES = {"hasmore", "hasnext", "hasnextpage", "more", "hasmoreitems", "hasmoreresults", "moreavailable", "moreresults"}
_NEXT_URLS = {
    "nextpageuri", "nextpageurl", "nextlink", "nexturl", "nexthref", "nexturi", "nextpagelink", "odatanextlink",
    "nextpagehref", "linknext", "nextrecordsurl", "nextpagepath",
}  # fmt: skip
_NEXT_TOKENS = {
    "nextcursor", "nextmarker", "nextpagetoken", "nexttoken", "nextcontinuationtoken", "continuationtoken", "endcursor",
    "scrollid", "cursornext", "nextpagecursor", "nextkey", "nextpagekey", "nextstartingafter", "nextposition",
    "aftercursor", "nextid", "cursorafter", "nextoffset", "bookmark", "nextmaxid", "pagetoken", "nextbatch",
}  # fmt: skip


_OF_OTHERS = re.compile(
    r"\b(authenticat\w*|authoriz\w*|api.?key|access token|credentials?|timestamp|unix|epoch (time|seconds)"
    r"|(milli)?seconds|date|time|page id|id of (the|a) page)\b",
    re.IGNORECASE,
)
"""What a parameter is about that has the name of one of paging, and is none."""
_PAGING_WORDS = re.compile(
    r"\b(pag(e|es|ing|ination)|cursor|results?|records?|items?|next|offset|skip)\b", re.IGNORECASE
)


def _parameters(found: FoundList, names: set[str]) -> list[Parameter]:
    """Return the parameters of these names, but for those whose description is about something else."""
    named = [each for each in found.operation.query() if squeezed(each.name) in names]
    return [each for each in named if not _OF_OTHERS.search(each.about) or _PAGING_WORDS.search(each.about)]


_AROUND = re.compile(
    r"meta|pag(e|ing|ination|er)|links?$|cursors?$|response|results?|info$|headers?$|navigation|envelope|^next$|^data$"
    r"|^embedded$|list$"
)
"""Objects of an envelope that may say something of paging; others are about something else, such as a sum."""


def _envelope(found: FoundList) -> Iterator[_Member]:
    """Return the scalars and objects around the records of a page, at most three levels deep."""

    def walk(shape: Shape, before: str, depth: int) -> Iterator[_Member]:
        for name, node in shape.members.items():
            pointer = f"{before}/{name.replace('~', '~0').replace('/', '~1')}"
            member = shape_of(node)
            if member.kind == "object" and depth < 3:  # noqa: PLR2004 - `/meta/page/next`
                yield _Member(pointer, member)
                if _AROUND.search(squeezed(name)) or f"{found.record_pointer}/".startswith(f"{pointer}/"):
                    yield from walk(member, pointer, depth + 1)
            elif member.kind in {"scalar", "unknown", "object"}:
                yield _Member(pointer, member)

    if found.envelope.kind == "object":
        yield from walk(found.envelope, "", 1)


def _one(members: list[_Member]) -> _Member | None:
    """Return the member that is meant, if it is one; that of the outermost level, if one of them is."""
    if len(members) > 1:
        outermost = min(member.pointer.count("/") for member in members)
        members = [member for member in members if member.pointer.count("/") == outermost]
    return members[0] if len(members) == 1 else None


def _by_next_url(found: FoundList) -> Paging | None:
    member, why = None, ""
    members = list(_envelope(found))
    named = _one([each for each in members if each.name in _NEXT_URLS and not each.is_whole])
    if named is not None:
        member, why = named, "is named as the address of the next page"
    elif linked := _one([each for each in members if each.name == "next" and each.around in {"links", "link"}]):
        member, why = linked, "is the link to the next page"
    elif plain := _one([each for each in members if each.name == "next" and _is_address(each)]):
        member, why = plain, "is described as an address"
    if member is None or (member.shape.kind == "scalar" and member.shape.type != "string"):
        return None
    pointer = member.pointer
    if member.shape.kind == "object":
        address = next((name for name in member.shape.members if squeezed(name) in {"href", "url", "uri"}), None)
        if address is None:
            return None
        pointer = f"{pointer}/{address}"
    return Paging("inferred", _next_url(pointer), evidence=[f"the member `{pointer}` of the page {why}"])


def _is_address(member: _Member) -> bool:
    shape = member.shape
    if shape.kind == "object":
        return any(squeezed(name) in {"href", "url", "uri"} for name in shape.members)
    example = shape.node.get("example").text()
    return shape.type == "string" and (
        shape.format in {"uri", "url", "uri-reference"}
        or bool(re.match(r"https?://|/", example))
        or bool(re.search(r"\b(url|uri|link|href|address)\b", member.about, re.IGNORECASE))
    )


def _next_url(pointer: str) -> dict[str, Any]:
    return {"next_url": {"body": pointer}}


def _by_token(found: FoundList) -> Paging | None:
    """Look for a member with a token, and the one parameter that takes it."""
    members = list(_envelope(found))
    names = _NEXT_TOKENS | ({"next"} if not _parameters(found, _PAGES) else set())
    tokens = [
        each
        for each in members
        if each.shape.kind == "scalar"
        and each.shape.type in {"string", "integer"}
        and (
            each.name in names
            or (
                each.name in {"after", "next", "cursor"}
                and each.around in {"cursors", "cursor", "paging", "pagination", "page"}
            )
        )
    ]
    token = _one([each for each in tokens if "next" in each.name] or tokens)
    if token is None or (token.name == "cursor" and "next" not in token.about.lower()):
        return None
    takes = _parameters(found, _TOKENS)
    parameter = _fitting(token, takes)
    if parameter is None and token.name == "nextoffset":
        parameter = next(iter(_parameters(found, {"offset"})), None)
    if parameter is None:
        return None
    spec: dict[str, Any] = {"from": {"body": token.pointer}, "to": parameter.name}
    evidence = [f"the member `{token.pointer}` of the page, and the parameter `{parameter.name}` that takes it"]
    _add_more(found, spec, evidence)
    return Paging("inferred", {"token": spec}, evidence=evidence)


def _fitting(token: _Member, takes: list[Parameter]) -> Parameter | None:
    """Return the parameter that takes a token: of the same name, of that without “next”, or the only one there is."""
    short = token.name.replace("next", "")
    for names in ({token.name}, {short, token.around + short}):
        meant = [each for each in takes if squeezed(each.name) in names]
        if len(meant) == 1:
            return meant[0]
    return takes[0] if len(takes) == 1 else None


def _add_more(found: FoundList, spec: dict[str, Any], evidence: list[str]) -> None:
    more = _one([each for each in _envelope(found) if each.name in _MORES and each.shape.type == "boolean"])
    if more is not None:
        spec["more"] = more.pointer
        evidence.append(f"the flag `{more.pointer}` says whether there is more")


def _by_last_record(found: FoundList) -> Paging | None:
    """Look for what Stripe does: a flag, and a parameter that takes the key of the last record."""
    takes = _parameters(found, {"startingafter"})
    flags = [each for each in _envelope(found) if each.name in _MORES and each.shape.type == "boolean"]
    more = _one(flags)
    if not takes or more is None or isinstance(found.key, str) or len(found.key) != 1:
        return None
    spec = {"from": found.key[0], "to": takes[0].name, "more": more.pointer}
    evidence = [f"the flag `{more.pointer}`, and the parameter `{takes[0].name}` that takes the key of a record"]
    return Paging("inferred", {"last_record": spec}, evidence=evidence)


def _is_number(parameter: Parameter) -> bool:
    if parameter.type in {"integer", "number"}:
        return True
    shown = [parameter.default, parameter.schema.get("example").value, parameter.node.get("example").value]
    numbers = [each for each in shown if each is not None]
    return parameter.type == "string" and bool(numbers) and all(str(each).isdecimal() for each in numbers)


def _by_offset(found: FoundList) -> Paging | None:
    offsets = [each for each in _parameters(found, _OFFSETS) if _is_number(each)]
    limits = [each for each in _parameters(found, _LIMITS) if each.type != "boolean"]
    # `start` and `from` mean something else often, unless there is a size beside them.
    offsets = [each for each in offsets if squeezed(each.name) in {"offset", "skip", "pageoffset"} or limits]
    if len(offsets) != 1 or not (limits or squeezed(offsets[0].name) in {"offset", "skip", "startindex"}):
        return None
    offset = offsets[0]
    if squeezed(offset.name) == "from" and offset.default != 0 and offset.bound("minimum") != 0:
        return None
    if re.search(
        r"\bpage (number|index|offset)\b|\bnumber of (the )?pages?\b|\bpages to\b", offset.about, re.IGNORECASE
    ):
        return None
    if squeezed(offset.name) == "pageoffset" and "[" not in offset.name:
        # Of `page[offset]` JSON:API says that it counts records; of `pageOffset` nobody does.
        return None
    start = _start(offset)
    if start is None:
        return None
    spec: dict[str, Any] = {"to": offset.name} | ({"start": start} if start else {})
    evidence = [f"the parameter `{offset.name}` is a number" + (f", beside `{limits[0].name}`" if limits else "")]
    _add_end(found, spec, evidence)
    return Paging("inferred", {"offset": spec}, evidence=evidence)


def _start(offset: Parameter) -> int | None:
    """Return the offset of the first record; None if it may be 0 or 1."""
    name = squeezed(offset.name)
    if name in {"offset", "skip", "pageoffset", "firstresult"}:
        return 0
    for value in (offset.default, offset.bound("minimum")):
        if str(value) in {"0", "1"}:
            return int(str(value))
    return _first_said(offset.about)


def _by_page(found: FoundList) -> Paging | None:
    pages = _parameters(found, _PAGES)
    numbers = [each for each in pages if _is_number(each)]
    if len(numbers) != 1 or len(pages) != 1:
        return None
    page = numbers[0]
    spec: dict[str, Any] = {"to": page.name, **_first(page)}
    evidence = [f"the parameter `{page.name}` is a number"]
    if "first" not in spec and (first := _first_by_shape(found)):
        spec["first"], why = first
        evidence.append(why)
    elif "first" in spec:
        evidence.append(f"pages are counted from {spec['first']}: {_first_evidence(page)}")
    if "first" not in spec:
        # Whoever begins at 1 where pages begin at 0 loses a page, and nothing shows it.
        candidates = [{"page": {"to": page.name, "first": first}} for first in (1, 0)]
        evidence.append("nothing says whether the first page is 0 or 1")
        paging = Paging("unknown", evidence=evidence, candidates=candidates)
        for candidate in candidates:
            _add_end(found, candidate["page"], [])
        return paging
    _add_end(found, spec, evidence, by_page=True)
    if spec["first"] == 1:
        # What goes without saying.
        del spec["first"]
    return Paging("inferred", {"page": spec}, evidence=evidence)


def _first(page: Parameter | None) -> dict[str, int]:
    """Return the number of the first page, if the parameter says it."""
    if page is None:
        return {}
    if str(page.default) in {"0", "1"}:
        return {"first": int(str(page.default))}
    said = _first_said(page.about)
    if said is not None:
        return {"first": said}
    if page.bound("minimum") == 1:
        return {"first": 1}
    return {}


def _first_evidence(page: Parameter) -> str:
    if str(page.default) in {"0", "1"}:
        return "that is its default"
    return f"“{_short(page.about)}”" if _first_said(page.about) is not None else "that is its minimum"


def _counted_from(digit: str, word: str) -> re.Pattern[str]:
    """Return what says that something is counted from a number."""
    number = rf"`?({digit}|{word})\b"
    ways = (
        rf"\b({digit}|{word})[- ](based|indexed)",
        rf"\b(start|begin|count)\w*\s+(at|with|from)\s+(page\s+)?{number}",
        rf"\bfirst page (is|=|:) *{number}",
        rf"\bindex(ed)? (from|starting (at|from)) {number}",
        rf"\bdefault(s|ed)?( value)?( is| to|:|=)* *[`'\"*(]*{digit}\b",
    )
    return re.compile("|".join(ways), re.IGNORECASE)


_FIRST_SAID = ((_counted_from("0", "zero"), 0), (_counted_from("1", "one"), 1))


def _first_said(about: str) -> int | None:
    """Return the number that a sentence says pages or records are counted from; None if it says both or neither."""
    said = {first for pattern, first in _FIRST_SAID if pattern.search(about)}
    return next(iter(said)) if len(said) == 1 else None


def _first_by_shape(found: FoundList) -> tuple[int, str] | None:
    """Return the number of the first page, where the page has the shape of a framework that is known to count so."""
    names = {squeezed(name) for name in found.envelope.members}
    if {"totalelements", "totalpages", "number", "content"} <= names:
        return 0, "the page is one of Spring Data (`content`, `number`, `totalElements`), which counts from 0"
    if {"count", "next", "previous", "results"} <= names:
        return 1, "the page is one of Django REST framework (`count`, `next`, `previous`), which counts from 1"
    if {"currentpage", "lastpage", "perpage", "total", "data"} <= names:
        return 1, "the page is one of Laravel (`current_page`, `last_page`), which counts from 1"
    return None


def _add_end(found: FoundList, spec: dict[str, Any], evidence: list[str], *, by_page: bool = False) -> None:
    """Add what says where the list ends; without anything it is read until a page is empty."""
    members = list(_envelope(found))
    total = _one([each for each in members if each.name in _TOTALS and each.is_whole and _counts_records(each)])
    pages = _one([each for each in members if each.name in _PAGE_COUNTS and each.is_whole])
    if (
        by_page
        and pages is not None
        and not re.search(r"\b(on|in|per) (this|the|a|each) page\b", pages.about, re.IGNORECASE)
    ):
        spec["pages"] = pages.pointer
        evidence.append(f"`{pages.pointer}` says how many pages there are")
    if total is not None:
        spec["total"] = total.pointer
        evidence.append(f"`{total.pointer}` says how many records there are")
    if "pages" not in spec and "total" not in spec:
        _add_more(found, spec, evidence)
    if not {"pages", "total", "more"} & spec.keys():
        evidence.append("nothing says where the list ends, so it is read until a page is empty")


def _counts_records(total: _Member) -> bool:
    """Return whether a total is one of records, by its description."""
    return not re.search(
        r"\b(number|count|total|amount) of (\w+ )?pages\b|\b(on|in|per) (this|the current|each) page\b|\bestimate",
        total.about,
        re.IGNORECASE,
    )


_LIMITS_OR_FILTERS = {
    "size", "count", "max", "top", "num", "results", "length", "rows", "take", "per", "records", "number",
}  # fmt: skip
_SIZE_SAID = re.compile(
    r"\b(per page|page size|size of (the|a|each) page|(max(imum)?|number|amount|how many|limit|count)\b.*"
    r"\b(results?|records?|items?|entries|objects|elements|rows|return(ed)?|retrieve[ds]?|\w+s to|page))\b",
    re.IGNORECASE | re.DOTALL,
)


def page_size_of(found: FoundList, paging: Paging) -> dict[str, Any] | None:
    """Return how large a page to request, if a parameter and a bound of it are known."""
    used = _places_of(paging.paginator)
    limits = [each for each in _parameters(found, _LIMITS) if each.name not in used]
    # A filter that is taken for a size leaves records out, and nothing shows it.
    ranked = [each for each in limits if squeezed(each.name) not in _LIMITS_OR_FILTERS]
    said = [each for each in limits if _SIZE_SAID.search(each.about)]
    limits = ranked or said
    return _page_size(limits[0]) if len(limits) == 1 else None


def _places_of(paginator: Any) -> set[str]:  # noqa: ANN401 - as a definition writes it
    if not isinstance(paginator, dict):
        return set()
    to = next(iter(paginator.values())).get("to")
    return {to} if isinstance(to, str) else set()


_MAX_SAID = re.compile(
    r"\b(?:max(?:imum)?(?: value| allowed| page size| limit| number of \w+(?: per page)?)?(?: of| is| allowed is|:|=)*"
    r"|up to|(?:cannot|can't|must not|may not) (?:be (?:larger|greater|more) than|exceed)|less than or equal to"
    r"|between \d+ and|\b1 ?(?:-|\u2013|to|\.\.)) ?[`*]*(\d{1,5})\b",
    re.IGNORECASE,
)
_LARGEST = 1000
"""Records of a page, above which a bound says that a number is bounded rather than what to request."""


def _page_size(limit: Parameter) -> dict[str, Any] | None:
    if limit.type not in {"integer", "number", "string", ""}:
        return None
    sizes = [int(value) for value in limit.values if value.isdecimal() and int(value) > 0]
    if sizes:
        # Others than these are refused.
        return {"param": limit.name, "max": max(sizes), "min": max(sizes)}
    default = int(str(limit.default)) if str(limit.default).isdecimal() else None
    largest = limit.bound("maximum")
    if limit.schema.get("exclusiveMaximum").value is True and largest is not None:
        largest -= 1
    said = _MAX_SAID.search(limit.about)
    largest = largest or (int(said[1]) if said else None) or default
    if not largest or largest < 1:
        return None
    if largest > _LARGEST:
        largest = default if default and 0 < default <= _LARGEST else _LARGEST
    least = limit.bound("minimum") or 1
    size: dict[str, Any] = {"param": limit.name, "max": largest}
    return size | ({"min": least} if 1 < least <= largest else {})


# What nobody knows.


def _unknown(found: FoundList) -> Paging:  # noqa: C901 - one branch for each sign
    """Return what is seen of a paginator, and what it might be."""
    evidence: list[str] = []
    candidates: list[Any] = []
    tokens, pages = _parameters(found, _TOKENS), _parameters(found, _PAGES)
    offsets, limits = _parameters(found, _OFFSETS), _parameters(found, _LIMITS)
    nexts = [each for each in _envelope(found) if each.name in _NEXT_TOKENS | _NEXT_URLS | {"next"}]
    flags = [each for each in _envelope(found) if each.name in _MORES]
    for each in nexts:
        evidence.append(f"the member `{each.pointer}` of the page may lead to the next one")
        if each.shape.kind == "scalar" and each.shape.type in {"string", ""}:
            candidates.append(_next_url(each.pointer))
        candidates.extend({"token": {"from": {"body": each.pointer}, "to": token.name}} for token in (*tokens, *pages))
    if tokens:
        names = ", ".join(f"`{each.name}`" for each in tokens)
        evidence.append(f"there is a parameter of a cursor ({names}), and nothing says where its value comes from")
        if found.envelope.kind == "array":
            candidates.append("link_header")
        if isinstance(found.key, list) and len(found.key) == 1 and not nexts:
            candidates.append({"last_record": {"from": found.key[0], "to": tokens[0].name}})
    if pages and not candidates:
        names = ", ".join(f"`{each.name}`" for each in pages)
        evidence.append(f"there is a parameter of a page ({names}), which is not described as a number")
        candidates.extend({"page": {"to": pages[0].name, "first": first}} for first in (1, 0))
    if offsets and not candidates:
        names = ", ".join(f"`{each.name}`" for each in offsets)
        evidence.append(f"the parameters {names} may say how many records to leave out")
        candidates.extend({"offset": {"to": each.name}} for each in offsets if type_of(each.schema) != "string")
    evidence += [
        f"the flag `{each.pointer}` says whether there is more, and nothing says how to request it" for each in flags
    ]
    if limits and not (candidates or tokens):
        evidence.append(f"the parameter `{limits[0].name}` bounds a page, and nothing leads to the next one")
        if found.envelope.kind == "array":
            candidates.append("link_header")
    if not evidence:
        evidence.append("nothing in the document says whether there is more than one page")
        candidates.append("none")
    return Paging("unknown", evidence=evidence, candidates=candidates)


def _short(text: str) -> str:
    line = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", text)).strip()
    return line if len(line) <= 120 else f"{line[:119]}…"  # noqa: PLR2004 - what fits on a line
