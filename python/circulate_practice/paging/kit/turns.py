"""One request's way through a list: what was requested, what is handed over, and what leads on."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from circulate_practice.paging.kit.live import Entry, Live
from circulate_practice.paging.kit.messages import ListReply, ListRequest
from circulate_practice.paging.kit.places import ABSENT
from circulate_practice.paging.kit.styles import Style


@dataclass(slots=True)
class Marks:
    """What a page says about the way to the next one; ABSENT for what it does not say.

    Attributes:
        next: Token, tokens or URL of the next page.
        more: Whether there are more.
        total: How many records there are.
        pages: How many pages there are.
    """

    next: Any = ABSENT
    more: Any = ABSENT
    total: Any = ABSENT
    pages: Any = ABSENT


@dataclass(slots=True)
class Turn:
    """One request.

    Attributes:
        style: Style of the list.
        live: Records of the list.
        request: The request.
        begun: How often each trap has sprung, in all requests to the list so far.
        size: Places of a page.
        start: Index of the first place of the page.
        stop: Index behind its last place.
        sent: Entries that are handed over.
        marks: What leads on.
        document: The page without its format: a document with the records and what leads on.
        reply: The response.
    """

    style: Style
    live: Live
    request: ListRequest
    begun: Counter[str]
    size: int
    start: int = 0
    stop: int = 0
    sent: list[Entry] = field(default_factory=list)
    marks: Marks = field(default_factory=Marks)
    document: Any = None
    reply: ListReply = field(default_factory=ListReply)

    @property
    def is_last(self) -> bool:
        """Whether nothing comes behind this page."""
        return self.stop >= len(self.live.entries)

    @property
    def is_second(self) -> bool:
        """Whether one page of full size lies before this one."""
        return 0 < self.start <= self.size

    def is_first_time(self, name: str) -> bool:
        """Count what a trap does, and return whether it had not done it before."""
        self.begun[name] += 1
        return self.begun[name] == 1
