"""A list of records that is handed over in one style, with or without a trap."""

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from circulate_practice.paging.kit.live import Live
from circulate_practice.paging.kit.messages import ListReply, ListRequest, Refused
from circulate_practice.paging.kit.places import ABSENT, write
from circulate_practice.paging.kit.positions import next_behind, next_of, size_of, start_of
from circulate_practice.paging.kit.shapes import body_of, document_of
from circulate_practice.paging.kit.styles import STYLES, Style
from circulate_practice.paging.kit.traps import TRAPS, Stage, Trap
from circulate_practice.paging.kit.turns import Turn


def make_records(count: int) -> list[dict[str, Any]]:
    """Return that many records, with members that look like a way to the next page and text that needs care."""
    return [
        {
            "id": f"r-{number:04}",
            "number": number,
            "name": f'récord, "{number}"\nline 2',
            "next": f"/items?after={number}",
            "total": 1,
            "has_more": False,
        }
        for number in range(1, count + 1)
    ]


class PagedList:
    """A list that a server hands over page by page, safe to use from several threads.

    Args:
        records: Records in order: objects with an `id`, or values where the style hands over values.
        style: Name of a style, or one of your own.
        trap: Name of a trap.
        page_size: Places of a page, unless a request names fewer.

    Raises:
        ValueError: There is no such style or trap, they do not go together, the list is too short for a trap, or a page
            has less than one place.

    Example:
        >>> PagedList(make_records(7), style="offset", trap="short_page_by_records", page_size=3).truth[0]["id"]
        'r-0001'
    """

    def __init__(
        self, records: Iterable[Any], *, style: str | Style = "token", trap: str | None = None, page_size: int = 5
    ) -> None:
        self.style = _style(style)
        self.trap = _trap(trap, self.style)
        if page_size < 1:
            message = f"a page has at least one place, given {page_size}"
            raise ValueError(message)
        self.page_size = page_size
        records = list(records)
        if trap is not None and len(records) <= 3 * page_size:
            message = f"{len(records)} records are too few for a trap: they need more than three pages of {page_size}"
            raise ValueError(message)
        if "scalars" in self.style.listing.get("records", ""):
            records = [record["id"] if isinstance(record, dict) else record for record in records]
        if self.style.listing.get("format") == "csv":
            records = [{name: str(value) for name, value in record.items()} for record in records]
        self._names = list(records[0]) if records and isinstance(records[0], dict) else []
        self._live = Live(records)
        self._begun: Counter[str] = Counter()
        self._lock = threading.Lock()
        if self.trap is not None and self.trap.prepare is not None:
            self.trap.prepare(self._live, page_size)
        self._truth = self._live.shown

    @property
    def truth(self) -> list[Any]:
        """The records that were there all the time: a client has each of them once, in this order."""
        return [record for record in self._truth if record not in self._live.deleted]

    @property
    def passing(self) -> list[Any]:
        """The records that came or went meanwhile: a client may have each of them."""
        return [*self._live.inserted, *self._live.deleted]

    def listing(self, path: str) -> dict[str, Any]:
        """Return what stands below `list` in the definition that reads this list at a path."""
        listing = {"path": path, **self.style.listing}
        if "page_size" in listing:
            listing["page_size"] = {**listing["page_size"], "max": self.page_size}
        to = self.style.options.get("to")
        if isinstance(to, Mapping) and "path" in to:
            below = to["path"].split("/", 2)[2]
            listing["paginator"] = {self.style.kind: {**self.style.options, "to": {"path": f"{path}/{below}"}}}
        return listing

    def respond(self, request: ListRequest) -> ListReply:
        """Return the response to a request."""
        with self._lock:
            try:
                return self._respond(request)
            except Refused as refused:
                return ListReply.of({"error": str(refused)}, refused.status)

    def _respond(self, request: ListRequest) -> ListReply:
        listing = self.style.listing
        method = listing.get("method", "GET")
        if request.method != method:
            reason = f"the list takes {method}"
            raise Refused(reason, 405)
        most = self.page_size if self.style.kind != "none" else max(1, len(self._live.entries))
        turn = Turn(self.style, self._live, request, self._begun, size_of(self.style, request, most))
        self._spring(Stage.SIZE, turn)
        turn.start = start_of(turn)
        self._spring(Stage.MOVE, turn)
        turn.start = start_of(turn)
        self._spring(Stage.START, turn)
        entries = self._live.entries[turn.start : turn.start + turn.size]
        turn.stop = turn.start + len(entries)
        turn.sent = [entry for entry in entries if not entry.hidden]
        self._spring(Stage.CUT, turn)
        self._mark(turn)
        self._spring(Stage.MARK, turn)
        self._reply(turn)
        return turn.reply

    def _spring(self, stage: Stage, turn: Turn) -> None:
        if self.trap is not None and self.trap.stage is stage and self.trap.act is not None:
            self.trap.act(turn)

    def _mark(self, turn: Turn) -> None:
        options, marks = self.style.options, turn.marks
        if not turn.is_last or self.style.keeps_token:
            marks.next = next_of(turn)
        if "more" in options:
            marks.more = not turn.is_last
        if "total" in options:
            marks.total = len(self._live.shown)
        if "pages" in options:
            marks.pages = -(-len(self._live.entries) // turn.size)

    def _reply(self, turn: Turn) -> None:
        options, marks, reply = self.style.options, turn.marks, turn.reply
        records = [entry.record for entry in turn.sent]
        turn.document = document_of(self.style.listing, records)
        for mark in ("more", "total", "pages"):
            if mark in options:
                write(turn.document, reply, options[mark], getattr(marks, mark))
        self._lead_on(turn)
        self._spring(Stage.DOCUMENT, turn)
        reply.body, kind = body_of(self.style.listing, records, turn.document, self._names)
        reply.headers.append(("Content-Type", kind))
        reply.records = len(records)
        self._spring(Stage.REPLY, turn)

    def _lead_on(self, turn: Turn) -> None:
        """Write down what leads to the next page, where the style has it."""
        options, marks, reply = self.style.options, turn.marks, turn.reply
        match self.style.kind:
            case "link_header":
                self._link(turn, options.get("rel", "next"))
            case "next_url":
                write(turn.document, reply, _signal(options), marks.next)
            case "token" if isinstance(options["from"], list):
                values = [marks.next] * len(options["from"]) if marks.next is ABSENT else marks.next
                for signal, value in zip(options["from"], values, strict=True):
                    write(turn.document, reply, signal, value)
            case "token" if "url" in options["from"]:
                url = options["from"]["url"]
                if "link" in url:
                    self._link(turn, url["link"])
                else:
                    write(turn.document, reply, url, marks.next)
            case "token":
                write(turn.document, reply, options["from"], marks.next)
            case _:
                pass

    def _link(self, turn: Turn, rel: str) -> None:
        """Write the Link header: the next page among other relations, in one line or in several."""
        links = []
        if self.style.other_links:
            first = next_behind(turn, self._live.before_first)
            links += [f'<{first}>; rel="first"; title="a, b; rel=next"', f"<{first}>; rel=self"]
        if turn.marks.next is not ABSENT:
            links.append(f'<{turn.marks.next}>; rel="{rel}"')
        if self.style.other_links == "line":
            links = [", ".join(links)]
        turn.reply.headers += [("Link", link) for link in links if link]


def _signal(options: Mapping[str, Any]) -> Mapping[str, str]:
    return {kind: options[kind] for kind in ("body", "header") if kind in options}


def _style(style: str | Style) -> Style:
    if isinstance(style, Style):
        return style
    if style not in STYLES:
        message = f"there is no style {style!r}; the styles are {', '.join(STYLES)}"
        raise ValueError(message)
    return STYLES[style]


def _trap(name: str | None, style: Style) -> Trap | None:
    if name is None:
        return None
    if name not in TRAPS:
        message = f"there is no trap {name!r}; the traps are {', '.join(TRAPS)}"
        raise ValueError(message)
    if not TRAPS[name].applies(style):
        fitting = ", ".join(other for other, trap in TRAPS.items() if trap.applies(style))
        message = f"the trap {name!r} does not fit this style; those that do are {fitting}"
        raise ValueError(message)
    return TRAPS[name]
