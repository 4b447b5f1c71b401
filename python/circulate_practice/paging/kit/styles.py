"""Styles of paging: what a definition says of a list, and what the list does that a definition need not say."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final


@dataclass(frozen=True, kw_only=True, slots=True)
class Style:
    """One way in which an API hands a list over page by page.

    Attributes:
        about: What a page and the way to the next one look like.
        listing: What stands below `list` in the definition that reads it, without `path`.
        urls: How next URLs are written: "absolute", "relative", "query" (only a question mark and the query) or
            "internal" (of a host that nobody can reach).
        drops: Parameters that next URLs lack and that the list insists on.
        other_links: Links of other relations beside the next one: "line" (all in one header line), "lines" or "".
        keeps_token: Whether the last page has a token too, so that only the flag ends the list.
    """

    about: str
    listing: Mapping[str, Any]
    urls: str = "absolute"
    drops: tuple[str, ...] = ()
    other_links: str = ""
    keeps_token: bool = False

    @property
    def kind(self) -> str:
        """Kind of its paginator."""
        paginator = self.listing["paginator"]
        return paginator if isinstance(paginator, str) else next(iter(paginator))

    @property
    def options(self) -> dict[str, Any]:
        """Options of its paginator."""
        paginator = self.listing["paginator"]
        return {} if isinstance(paginator, str) else dict(paginator[self.kind])

    @property
    def is_numbered(self) -> bool:
        """Whether a client can name any page, without having seen the one before."""
        return self.kind in {"offset", "page"}


_SIZED: Final = {"page_size": {"param": "limit"}, "primary_key": ["/id"]}
_ENVELOPE: Final = {"records": "/items", **_SIZED}
_POST: Final = {
    "method": "POST",
    "records": "/items",
    "primary_key": ["/id"],
    "body": {"json": {"filter": {"status": "active"}}},
    "page_size": {"param": {"body": "/page/size"}},
}
_GRAPHQL: Final = {
    "method": "POST",
    "records": "/data/items/nodes",
    "primary_key": ["/id"],
    "body": {
        "graphql": {
            "query": "query($first: Int, $after: String) { items(first: $first, after: $after) "
            "{ nodes { id } pageInfo { hasNextPage endCursor } } }",
        }
    },
    "page_size": {"param": {"body": "/variables/first"}},
}


def _token(**options: object) -> dict[str, Any]:
    return {"paginator": {"token": options}}


STYLES: Final[Mapping[str, Style]] = MappingProxyType(
    {
        "none": Style(
            about="the whole list on one page",
            listing={"records": "/items", "primary_key": ["/id"], "paginator": "none"},
        ),
        "link_header": Style(about="a Link header with the next URL", listing={**_SIZED, "paginator": "link_header"}),
        "link_header_rel": Style(
            about="a Link line of several relations, the next page under a name of its own",
            listing={**_SIZED, "paginator": {"link_header": {"rel": "older"}}},
            other_links="line",
        ),
        "link_header_lines": Style(
            about="several Link lines, one for each relation",
            listing={**_SIZED, "paginator": "link_header"},
            other_links="lines",
        ),
        "next_url": Style(
            about="the next URL in the page",
            listing={**_ENVELOPE, "paginator": {"next_url": {"body": "/links/next"}}},
        ),
        "next_url_relative": Style(
            about="the path of the next URL in the page",
            listing={**_ENVELOPE, "paginator": {"next_url": {"body": "/links/next"}}},
            urls="relative",
        ),
        "next_url_query": Style(
            about="only the query of the next URL in the page",
            listing={**_ENVELOPE, "paginator": {"next_url": {"body": "/links/next"}}},
            urls="query",
        ),
        "next_url_keep": Style(
            about="a next URL in the page without the filter, which every request needs",
            listing={
                **_ENVELOPE,
                "query": {"filter": "active"},
                "paginator": {"next_url": {"body": "/links/next", "keep": ["filter"]}},
            },
            drops=("filter",),
        ),
        "next_url_header": Style(
            about="the next URL in a header that is not Link",
            listing={**_SIZED, "paginator": {"next_url": {"header": "NextPageUri"}}},
        ),
        "token": Style(
            about="a token in the page, into the query",
            listing={**_ENVELOPE, **_token(**{"from": {"body": "/meta/next"}, "to": "cursor"})},
        ),
        "token_more": Style(
            about="a token in every page, the last one too; a flag says whether there are more",
            listing={
                **_ENVELOPE,
                **_token(**{"from": {"body": "/meta/cursor"}, "to": "cursor", "more": "/meta/has_more"}),
            },
            keeps_token=True,
        ),
        "token_start": Style(
            about="a token whose first value must be sent: a star",
            listing={**_ENVELOPE, **_token(**{"from": {"body": "/meta/next"}, "to": "cursor", "start": "*"})},
        ),
        "token_alone": Style(
            about="a token that takes no other parameter beside it",
            listing={
                **_ENVELOPE,
                "query": {"filter": "active"},
                **_token(**{"from": {"body": "/meta/next"}, "to": "cursor", "send": "token"}),
            },
        ),
        "token_to_header": Style(
            about="a token in the page, into a header",
            listing={**_ENVELOPE, **_token(**{"from": {"body": "/meta/next"}, "to": {"header": "X-Cursor"}})},
        ),
        "token_to_path": Style(
            about="a token in the page, into the path",
            listing={
                **_ENVELOPE,
                **_token(**{"from": {"body": "/meta/next"}, "to": {"path": "/items/after/{token}"}}),
            },
        ),
        "token_to_json": Style(
            about="POST: a token in the page, into the JSON body",
            listing={**_POST, **_token(**{"from": {"body": "/meta/next"}, "to": {"body": "/page/cursor"}})},
        ),
        "token_to_form": Style(
            about="POST: a token in the page, into the form",
            listing={
                **_POST,
                "body": {"form": {"status": "active"}},
                "page_size": {"param": {"body": "/size"}},
                **_token(**{"from": {"body": "/meta/next"}, "to": {"body": "/cursor"}}),
            },
        ),
        "token_from_header": Style(
            about="a token in a header, into the query",
            listing={**_SIZED, **_token(**{"from": {"header": "X-Next-Cursor"}, "to": "cursor"})},
        ),
        "token_from_url": Style(
            about="a token in the query of a next URL that nobody can reach",
            listing={
                **_ENVELOPE,
                **_token(**{"from": {"url": {"body": "/links/next"}, "param": "after"}, "to": "after"}),
            },
            urls="internal",
        ),
        "token_from_link": Style(
            about="a token in the query of a Link header that nobody can reach",
            listing={**_SIZED, **_token(**{"from": {"url": {"link": "next"}, "param": "after"}, "to": "after"})},
            urls="internal",
        ),
        "token_two": Style(
            about="a token of two values, each into a parameter of its own",
            listing={
                **_ENVELOPE,
                **_token(**{"from": [{"body": "/meta/after"}, {"body": "/meta/part"}], "to": ["after", "part"]}),
            },
        ),
        "graphql": Style(
            about="GraphQL: endCursor and hasNextPage of a connection, into the variables",
            listing={
                **_GRAPHQL,
                **_token(
                    **{
                        "from": {"body": "/data/items/pageInfo/endCursor"},
                        "to": {"body": "/variables/after"},
                        "more": "/data/items/pageInfo/hasNextPage",
                    }
                ),
            },
            keeps_token=True,
        ),
        "offset": Style(
            about="an offset in records, and nothing that says how many there are",
            listing={**_ENVELOPE, "paginator": {"offset": {"to": "offset"}}},
        ),
        "offset_one": Style(
            about="an offset that counts from 1, with a total",
            listing={**_ENVELOPE, "paginator": {"offset": {"to": "startIndex", "start": 1, "total": "/total"}}},
        ),
        "offset_total": Style(
            about="an offset with a total in the page",
            listing={**_ENVELOPE, "paginator": {"offset": {"to": "offset", "total": "/meta/total"}}},
        ),
        "offset_total_header": Style(
            about="an offset with a total in a header",
            listing={**_SIZED, "paginator": {"offset": {"to": "offset", "total": {"header": "X-Total-Count"}}}},
        ),
        "offset_more": Style(
            about="an offset with a flag that says whether there are more",
            listing={**_ENVELOPE, "paginator": {"offset": {"to": "offset", "more": "/meta/has_more"}}},
        ),
        "offset_more_total": Style(
            about="an offset with a flag and a total",
            listing={
                **_ENVELOPE,
                "paginator": {"offset": {"to": "offset", "more": "/meta/has_more", "total": "/meta/total"}},
            },
        ),
        "offset_by_page_size": Style(
            about="an offset that grows by the page size, whatever a page holds, with a total",
            listing={**_ENVELOPE, "paginator": {"offset": {"to": "offset", "by": "page_size", "total": "/meta/total"}}},
        ),
        "offset_to_json": Style(
            about="POST: an offset in the JSON body, with a total",
            listing={**_POST, "paginator": {"offset": {"to": {"body": "/page/offset"}, "total": "/total"}}},
        ),
        "page": Style(
            about="a page number from 1, and nothing that says how many there are",
            listing={**_ENVELOPE, "paginator": {"page": {"to": "page", "first": 1}}},
        ),
        "page_zero": Style(
            about="a page number from 0, and nothing that says how many there are",
            listing={**_ENVELOPE, "paginator": {"page": {"to": "page", "first": 0}}},
        ),
        "page_pages": Style(
            about="a page number with the number of pages",
            listing={**_ENVELOPE, "paginator": {"page": {"to": "page", "first": 1, "pages": "/meta/pages"}}},
        ),
        "page_total": Style(
            about="a page number with a total of records",
            listing={**_ENVELOPE, "paginator": {"page": {"to": "page", "first": 1, "total": "/meta/total"}}},
        ),
        "page_more": Style(
            about="a page number with a flag that says whether there are more",
            listing={**_ENVELOPE, "paginator": {"page": {"to": "page", "first": 1, "more": "/meta/has_more"}}},
        ),
        "last_record": Style(
            about="the id of the last record, and nothing that says whether there are more",
            listing={**_ENVELOPE, "paginator": {"last_record": {"from": "/id", "to": "starting_after"}}},
        ),
        "last_record_more": Style(
            about="the id of the last record, with a flag that says whether there are more",
            listing={
                **_ENVELOPE,
                "paginator": {"last_record": {"from": "/id", "to": "starting_after", "more": "/has_more"}},
            },
        ),
        "wildcard": Style(
            about="records in arrays in an array, a token in the page",
            listing={
                **_SIZED,
                "records": "/groups/*/users",
                **_token(**{"from": {"body": "/meta/next"}, "to": "cursor"}),
            },
        ),
        "map": Style(
            about="an object of ids and their records, a token in the page",
            listing={
                **_SIZED,
                "records": {"map": "/users"},
                **_token(**{"from": {"body": "/meta/next"}, "to": "cursor"}),
            },
        ),
        "scalars": Style(
            about="an array of values that are not objects, a page number",
            listing={
                "records": {"scalars": "/ids"},
                "primary_key": ["/value"],
                "page_size": {"param": "limit"},
                "paginator": {"page": {"to": "page", "first": 1, "pages": "/meta/pages"}},
            },
        ),
        "ndjson": Style(
            about="a record a line, a Link header",
            listing={**_SIZED, "format": "ndjson", "paginator": "link_header"},
        ),
        "ndjson_with_trailer": Style(
            about="a record a line and a last line with the token",
            listing={
                **_SIZED,
                "format": "ndjson_with_trailer",
                **_token(**{"from": {"body": "/next"}, "to": "cursor"}),
            },
        ),
        "csv": Style(
            about="CSV with a header line on every page, an offset with a total in a header",
            listing={
                **_SIZED,
                "format": "csv",
                "paginator": {"offset": {"to": "offset", "total": {"header": "X-Total-Count"}}},
            },
        ),
    }
)
"""Ready-made styles by their names; others can be made of the same parts."""
