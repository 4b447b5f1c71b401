"""Made-up pages of a list: its style of paging, and two pages of records with the members that its definition reads."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from circulate_core.exceptions import DefinitionError
from circulate_practice.paging import kit
from circulate_practice.paging.kit.places import at, put

if TYPE_CHECKING:
    from collections.abc import Mapping

SERVED = (
    *("records", "primary_key", "paginator", "page_size", "format", "empty"),
    *("method", "query", "encode", "headers", "body"),
)
"""What may stand below `list` of a stub."""
PAGE_SIZE = 50
"""Records of a page where the definition does not say how many are requested."""
LARGEST_PAGE = 1000
"""Records of a page at the most: an API may give fewer than it was asked for, and thousands more prove nothing more."""
OF_A_MAP = "/_circulate/"
"""Where the id of a record is in the lake, if the page is a map: the record does not hold it."""


def paged_list(listing: Mapping[str, Any]) -> kit.PagedList:
    """Return a list of two pages, in the style that a definition describes.

    Args:
        listing: What stands below `list` in the definition, without `path`.

    Raises:
        DefinitionError: No page can be made so: what leads to the next page and the records are in each other's way,
            or this kind of list is not served.
    """
    _check(listing)
    size = _page_size(listing)
    try:
        made = kit.PagedList(_records(listing, size + max(1, size // 2)), style=_style(listing), page_size=size)
        # The first page as it would be served: pointers that contradict each other show here.
        page = made.respond(_first_request(listing))
        if not _has_records(listing, page):
            in_the_way = "something else is in the place of the records"
            raise ValueError(in_the_way)  # noqa: TRY301 - as what contradicts itself otherwise
    except ValueError as error:
        message = f"no page is as `list` describes it: {error}"
        raise DefinitionError(message, operation="make a stub") from None
    return kit.PagedList(_records(listing, size + max(1, size // 2)), style=_style(listing), page_size=size)


def _check(listing: Mapping[str, Any]) -> None:
    """Refuse what a stub does not serve: it would be left out without a word.

    Raises:
        DefinitionError: There is such a thing.
    """
    unknown = [key for key in listing if key not in SERVED]
    paginator = listing.get("paginator")
    records = listing.get("records", "")
    what = f"`{unknown[0]}`" if unknown else None
    if paginator is None or (isinstance(paginator, dict) and "hook" in paginator):
        what = what or ("a hook that pages" if paginator else "a list without `paginator`")
    if isinstance(records, dict) and "one" in records:
        what = what or "a page that is one record"
    if what:
        message = f"a stub does not serve {what}"
        hint = f"it serves lists of {', '.join(f'`{key}`' for key in SERVED)}; serve others with a server of your own"
        raise DefinitionError(message, operation="make a stub", hint=hint)


def _style(listing: Mapping[str, Any]) -> kit.Style:
    style = kit.Style(about="as it is documented", listing=listing)
    options, source = style.options, style.options.get("from")
    return kit.Style(
        about=style.about,
        listing=listing,
        # What is read out of a URL is all that the URL is there for.
        urls="internal" if isinstance(source, dict) and "url" in source else "absolute",
        drops=tuple(options.get("keep", ())),
        # Where a flag ends the list, the token does not.
        keeps_token=style.kind == "token" and "more" in options,
    )


def _page_size(listing: Mapping[str, Any]) -> int:
    size: int = listing.get("page_size", {}).get("max", PAGE_SIZE)
    by_page = kit.Style(about="", listing=listing).options.get("by") == "page_size"
    return size if by_page else min(size, LARGEST_PAGE)


def _first_request(listing: Mapping[str, Any]) -> kit.ListRequest:
    """Return a request that is good enough for a first page to be made."""
    headers = {"host": "127.0.0.1", "content-type": "application/json"}
    return kit.ListRequest(listing.get("method", "GET"), "/", headers, b"{}")


def _has_records(listing: Mapping[str, Any], page: kit.ListReply) -> bool:
    """Return whether a page of JSON has an array or an object where its records are; others have nothing in the way."""
    where = listing.get("records", "")
    if listing.get("format", "json") != "json" or page.status != HTTPStatus.OK:
        return True
    pointer = where.partition("/*")[0] if isinstance(where, str) else next(iter(where.values()))
    document = json.loads(page.body)
    return isinstance(document if pointer == "" else at(document, pointer), (list, dict))


def _records(listing: Mapping[str, Any], count: int) -> list[dict[str, Any]]:
    """Return that many records that differ in all members by which the list knows them."""
    key = listing.get("primary_key", [])
    identifying = [pointer for pointer in ([] if key == "none" else key) if not pointer.startswith(OF_A_MAP)]
    options = kit.Style(about="", listing=listing).options
    if isinstance(last := options.get("from"), str):
        identifying.append(last)
    records = []
    for number, usual in enumerate(kit.make_records(count), 1):
        record: dict[str, Any] = {}
        for pointer in dict.fromkeys(identifying):
            put(record, pointer, f"r-{number:05}")
        records.append({**usual, **record})
    return records
