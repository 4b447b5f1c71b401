"""Every paginator against every trap of the practice lists, and every list stopped at each page.

What comes of a pair is in `tests/snapshots/paginators`, a file for each style, and in the table of the documentation.
Whatever it is, a list is never called complete with records missing.
"""

import os
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.commands import PATIENCE
from support.paging_pulls import COUNT, Pulled, paged, pull
from support.snapshots import SNAPSHOTS, UPDATE, assert_snapshot

from circulate_core import Stop
from circulate_practice.paging.kit import STYLES, TRAPS, Key, ListReply, ListRequest, ListServer, PagedList, serve

DOCS = Path(__file__).resolve().parents[2] / "python/docs"
NO_TRAP = "nothing wrong"


UNSEEN = {(style, "deletes") for style in ("page", "page_zero", "page_pages", "page_more", "scalars")}
"""Pairs that no client can see through: pages by number move on, and nothing says how many records there are."""


def traps_of(style: str) -> list[str | None]:
    return [None, *(name for name, trap in TRAPS.items() if trap.applies(STYLES[style]))]


def outcome(pulled: Pulled, items: PagedList, *, unseen: bool = False) -> str:
    """Return what came of a pull in a line, and hold it to what every pull promises."""
    assert not pulled.why.startswith("deadline"), "it did not end by itself"
    if pulled.status == "failed":
        return f"failed: {pulled.why}"
    once = list({repr(record): record for record in pulled.found}.values())
    there = [record for record in once if record not in items.passing]
    assert there == [record for record in items.truth if record in there], "in another order, or what was never there"
    if pulled.status == "complete" and not pulled.moved and not unseen:
        assert there == items.truth, "called complete with records missing"
    count = f"{len(there)} of {len(items.truth)} records"
    repeated = len(pulled.found) - len(once)
    moved = f"; it moved: {pulled.moved}" if pulled.moved else ""
    return f"{pulled.status}, {count}{f', {repeated} repeated' if repeated else ''}: {pulled.why}{moved}"


@pytest.mark.parametrize("style", STYLES)
def test_what_comes_of_each_trap_is_as_it_was(style: str, tmp_path: Path) -> None:
    lists = {trap or "plain": paged(style, trap) for trap in traps_of(style)}

    def line(name: str) -> str:
        shown = NO_TRAP if name == "plain" else name
        came = outcome(pull(server, tmp_path / name, name), lists[name], unseen=(style, name) in UNSEEN)
        return f"{shown:24}{came}"

    with serve(lists) as server, ThreadPoolExecutor(len(lists)) as side_by_side:
        lines = list(side_by_side.map(line, lists))
    assert lines[0].startswith(f"{NO_TRAP:24}complete, "), lines[0]
    assert_snapshot(f"paginators/{style}", f"{STYLES[style].about}\n\n" + "\n".join(lines) + "\n")


SHOWN = [
    *(
        "link_header",
        "next_url",
        "token",
        "token_more",
        "graphql",
        "offset",
        "offset_total",
        "offset_more",
        "offset_more_total",
    ),
    *("page", "page_pages", "page_total", "page_more", "last_record", "last_record_more"),
]
"""Styles of the documentation's table; the others differ from them in where values stand."""


def test_the_table_of_the_documentation_has_what_came_of_each_trap() -> None:
    outcomes = {style: outcomes_of(style) for style in SHOWN}
    rows = ["| | " + " | ".join(f"`{style}`" for style in SHOWN) + " |", "|---" * (len(SHOWN) + 1) + "|"]
    for trap in (None, *TRAPS):
        found = [outcomes[style].get(trap or NO_TRAP, "") for style in SHOWN]
        rows.append(f"| {f'`{trap}`' if trap else NO_TRAP} | {' | '.join(found)} |")
    guide = (DOCS / "paging.md").read_text()
    begin, end = guide.index(rows[0][:3] + " `"), guide.rindex("|\n") + 2
    made = "\n".join(rows) + "\n"
    if os.environ.get(UPDATE):
        (DOCS / "paging.md").write_text(guide[:begin] + made + guide[end:])
    else:
        assert guide[begin:end] == made, f"run this test with {UPDATE}=1"


def outcomes_of(style: str) -> dict[str, str]:
    """Return what came of each trap, in a word."""
    lines = (SNAPSHOTS / f"paginators/{style}.txt").read_text().splitlines()[2:]
    return {line[:24].strip(): word_for(line[24:]) for line in lines}


def word_for(came: str) -> str:
    """Return an outcome in a word."""
    found = re.match(r"(complete|partial|failed)(?:, (\d+) of (\d+) records)?", came)
    assert found is not None, came
    if "it moved" in came:
        return "moved"
    return "not seen" if found[1] == "complete" and found[2] != found[3] else found[1]


KEYS = {
    "bearer": Key("Authorization", "s3cret", "Bearer "),
    "prefix": Key("Authorization", "s3cret", "Token token="),
    "bare": Key("Authorization", "s3cret"),
    "custom": Key("X-Api-Key", "s3cret"),
}


@pytest.mark.parametrize("name", KEYS)
def test_a_list_that_needs_a_key_is_pulled(name: str, tmp_path: Path) -> None:
    items = paged("token")
    with serve(items, key=KEYS[name]) as server:
        assert pull(server, tmp_path / "without").status == "failed"
        pulled = pull(server, tmp_path / "with", key="s3cret")
    assert (pulled.status, pulled.found) == ("complete", items.truth)


RULES = {
    "an error in a success that may pass": (
        "error_in_success",
        {"when": {"status": 200, "body": {"/ok": False}}, "then": "retry"},
        "complete",
    ),
    "an error in a success that does not": (
        "error_in_success",
        {"when": {"status": 200, "body": {"/ok": False}}, "then": "fail"},
        "failed",
    ),
    "pages that are too large": ("large_page_fails", {"when": {"status": 500}, "then": "smaller_page"}, "complete"),
}


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("style", ["next_url", "token_to_json", "offset_total", "page_pages", "last_record"])
def test_a_trap_that_the_definition_knows_is_read_as_it_says(style: str, name: str, tmp_path: Path) -> None:
    trap, rule, status = RULES[name]
    items = paged(style, trap)
    with serve(items) as server:
        pulled = pull(server, tmp_path, listing={"errors": [rule]})
    assert pulled.status == status, pulled.why
    if status == "complete":
        assert pulled.found == items.truth


class StoppingServer(ListServer):
    """Serves a list, and stops a pull behind some requests: it holds the next one back until the pull has ended."""

    def __init__(self, items: PagedList) -> None:
        super().__init__({"items": items})
        self.begin(0)

    def begin(self, requests: int) -> None:
        """Get ready for a pull that is stopped behind that many requests."""
        self.stop, self.left, self.ended = Stop(), requests, threading.Event()

    def respond(self, request: ListRequest) -> ListReply:
        """Respond, or request the stop where it is due."""
        if self.left == 0:
            self.stop.request()
            self.ended.wait(PATIENCE)
        self.left -= 1
        return super().respond(request)


@pytest.mark.parametrize("style", STYLES)
def test_a_list_that_is_stopped_at_every_page_is_pulled_whole(style: str, tmp_path: Path) -> None:
    items = paged(style)
    server = StoppingServer(items)
    server.start()
    pulls: list[Pulled] = []
    requests = 1
    try:
        while not pulls or pulls[-1].status != "complete":
            server.begin(requests)
            pulls.append(pull(server, tmp_path, stop=server.stop))
            server.ended.set()
            assert (pulls[-1].status, pulls[-1].why) in {("partial", "interrupted"), ("complete", pulls[-1].why)}
            # Of some pages the end is proved by a second request: a pull that got nowhere is given one more.
            grown = pulls[-1].records > (pulls[-2].records if len(pulls) > 1 else 0)
            requests = 1 if grown else requests + 1
            assert len(pulls) < 4 * COUNT, "it never ends"
    finally:
        server.ended.set()
        server.close()
    assert pulls[-1].found == items.truth
    steps = len({each.records for each in pulls if each.records})
    assert steps >= (1 if STYLES[style].kind == "none" else 4), "it was not stopped"
