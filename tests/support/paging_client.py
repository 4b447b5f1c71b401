"""A small client for paged lists, by the standard library: it shares no code with the kit that serves them."""

import csv
import io
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from typing import Any

from circulate_practice.paging.kit import ListServer

_MANY = 60
"""Requests after which a list is taken for one without an end."""


class EndlessError(Exception):
    """The list does not end."""


@dataclass
class Page:
    """One response."""

    status: int
    headers: Message
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401 - JSON
        """The body, as JSON."""
        return json.loads(self.body)


@dataclass
class Sent:
    """What the next request says, besides what all say."""

    url: str | None = None
    query: dict[str, str] | None = None
    headers: dict[str, str] | None = None
    body: dict[str, Any] | None = None


class PagingClient:
    """Reads one list of a server by its definition, as one would who believes all that the API says.

    Args:
        server: The server.
        size: Page size to request.
        name: Name of the list.
    """

    def __init__(self, server: ListServer, size: int = 5, name: str = "items") -> None:
        self.listing = server.endpoints()[name]["list"]
        self.base = server.url
        self.size = size
        paginator = self.listing["paginator"]
        self.kind, self.options = (paginator, {}) if isinstance(paginator, str) else next(iter(paginator.items()))

    def records(self) -> list[Any]:
        """Return all records.

        Raises:
            EndlessError: There is no end to them.
        """
        return [record for page in self.pages() for record in self.records_of(page)]

    def pages(self) -> Iterator[Page]:
        """Yield all pages.

        Raises:
            EndlessError: There is no end to them.
        """
        sent, read, number = self._first(), 0, 0
        for _ in range(_MANY):
            page = self.get(sent)
            yield page
            read, number = read + len(self.records_of(page)), number + 1
            follows = self._next(page, read, number)
            if follows is None:
                return
            sent = follows
        raise EndlessError

    def get(self, sent: Sent | None = None) -> Page:
        """Send one request."""
        sent = sent or Sent()
        listing, query = self.listing, {}
        url = sent.url or self.base + listing["path"]
        if sent.url is None and self.options.get("send") != "token":
            query = {**listing.get("query", {}), **(sent.query or {})}
        elif sent.url is None:
            query = sent.query or listing.get("query", {})
        body = dict(listing.get("body", {}).get("json", {}), **(sent.body or {}))
        headers = dict(sent.headers or {})
        size = listing.get("page_size", {}).get("param")
        if isinstance(size, str) and sent.url is None and not (self.options.get("send") == "token" and sent.query):
            query[size] = str(self.size)
        data = None
        if listing.get("method") == "POST":
            data, headers["Content-Type"] = self._body(body, size)
        if query:
            url += "?" + urllib.parse.urlencode(query)
        request = urllib.request.Request(url, data, headers)
        try:
            with urllib.request.urlopen(request) as response:
                return Page(response.status, response.headers, response.read())
        except urllib.error.HTTPError as error:
            with error:
                return Page(error.code, error.headers, error.read())

    def records_of(self, page: Page) -> list[Any]:
        """Return the records of a page."""
        where, kind = self.listing.get("records", ""), self.listing.get("format", "json")
        if kind == "csv":
            return list(csv.DictReader(io.StringIO(page.body.decode(), newline="")))
        if kind != "json":
            lines = [json.loads(line) for line in page.body.splitlines()]
            return lines[:-1] if kind == "ndjson_with_trailer" else lines
        if isinstance(where, dict):
            ((shape, pointer),) = where.items()
            found = member(page.json, pointer)
            return list(found.values()) if shape == "map" else list(found)
        if "*" in where:
            above, _, below = where.partition("/*")
            return [record for group in member(page.json, above) for record in member(group, below)]
        return list(member(page.json, where))

    def _body(self, more: dict[str, Any], size: dict[str, str] | None) -> tuple[bytes, str]:
        described = self.listing["body"]
        if "form" in described:
            fields = {**described["form"], **more, "size": str(self.size)}
            return urllib.parse.urlencode(fields).encode(), "application/x-www-form-urlencoded"
        document = json.loads(json.dumps({**described.get("graphql", {}), **more}))
        assert size is not None
        _, outer, inner = size["body"].split("/")
        document.setdefault(outer, {})[inner] = self.size
        return json.dumps(document).encode(), "application/json"

    def _first(self) -> Sent:
        if "start" in self.options and self.kind == "token":
            return Sent(query={self.options["to"]: self.options["start"]})
        return Sent()

    def _next(self, page: Page, read: int, number: int) -> Sent | None:
        follow = getattr(self, f"_{self.kind}")
        followed: Sent | None = follow(page, read, number)
        return followed

    def _none(self, *_: object) -> None:
        return None

    def _link_header(self, page: Page, *_: object) -> Sent | None:
        return self._linked(page, self.options.get("rel", "next"))

    def _linked(self, page: Page, rel: str) -> Sent | None:
        for line in page.headers.get_all("Link", []):
            for target, parameters in re.findall(r'<([^>]*)>((?:[^",<]|"[^"]*")*)', line):
                if re.search(rf'rel="?{rel}\b', re.sub(r'title="[^"]*"', "", parameters)):
                    return Sent(url=target)
        return None

    def _next_url(self, page: Page, *_: object) -> Sent | None:
        options = self.options
        url = page.headers.get(options["header"]) if "header" in options else member(page.json, options["body"], None)
        if not url:
            return None
        url = urllib.parse.urljoin(self.base + self.listing["path"], url)
        kept = {name: self.listing["query"][name] for name in options.get("keep", ())}
        return Sent(url=f"{url}&{urllib.parse.urlencode(kept)}" if kept else url)

    def _token(self, page: Page, *_: object) -> Sent | None:
        source, to = self.options["from"], self.options["to"]
        more = self.options.get("more")
        if more and member(page.json, more) is not True:
            return None
        if isinstance(source, list):
            values = [member(page.json, each["body"], None) for each in source]
            return Sent(query=dict(zip(to, values, strict=True))) if values[0] else None
        token = self._token_in(page, source)
        return self._placed(to, token) if token else None

    def _token_in(self, page: Page, source: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
        if "header" in source:
            return page.headers.get(source["header"])
        if "url" in source:
            where = source["url"]
            linked = self._linked(page, "next")
            url = (linked.url if linked else None) if "link" in where else member(page.json, where["body"], None)
            query = urllib.parse.parse_qs(urllib.parse.urlsplit(url or "").query)
            return query[source["param"]][0] if url else None
        last = page.body.splitlines()[-1] if "format" in self.listing else page.body
        return member(json.loads(last), source["body"], None)

    def _offset(self, page: Page, read: int, number: int) -> Sent | None:
        if self._has_ended(page, read):
            return None
        at = number * self.size if self.options.get("by") == "page_size" else read
        return self._placed(self.options["to"], at + self.options.get("start", 0))

    def _page(self, page: Page, read: int, number: int) -> Sent | None:
        if "pages" in self.options and number >= member(page.json, self.options["pages"]):
            return None
        if self._has_ended(page, read):
            return None
        return self._placed(self.options["to"], number + self.options["first"])

    def _last_record(self, page: Page, read: int, _: int) -> Sent | None:
        if self._has_ended(page, read):
            return None
        return self._placed(self.options["to"], member(self.records_of(page)[-1], self.options["from"]))

    def _has_ended(self, page: Page, read: int) -> bool:
        if "more" in self.options and member(page.json, self.options["more"]) is False:
            return True
        total = self.options.get("total")
        if isinstance(total, dict):
            return read >= int(page.headers[total["header"]])
        if total:
            return bool(read >= member(page.json, total))
        return not {"more", "pages"} & self.options.keys() and not self.records_of(page)

    def _placed(self, to: Any, value: Any) -> Sent:  # noqa: ANN401 - places are spelled in several ways
        if isinstance(to, str):
            return Sent(query={to: str(value)})
        ((kind, name),) = to.items()
        if kind == "header":
            return Sent(headers={name: value})
        if kind == "path":
            return Sent(
                url=f"{self.base}{name.replace('{token}', urllib.parse.quote(value, safe=''))}?limit={self.size}"
            )
        *above, last = name.split("/")[1:]
        body: dict[str, Any] = {last: value}
        for key in reversed(above):
            body = {key: body}
        return Sent(body=body)


def member(document: Any, pointer: str, *default: Any) -> Any:  # noqa: ANN401 - JSON
    """Return what a pointer names, or the default if there is one and nothing else."""
    for key in pointer.split("/")[1:]:
        if default and key not in document:
            return default[0]
        document = document[key]
    return document
