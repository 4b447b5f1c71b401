"""What APIs give to go on with: delta links, cursors that stay good, ETags; and what happens when they forget it."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from support.changing import StopAt, random_by, serving
from support.http_server import Handler, Reply

from circulate_core import CirculateError

SIZE = 3


@dataclass
class Journal:
    """A list whose API gives what has changed since a token: each change has a number, and a token is one of them."""

    changes: list[dict[str, Any]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    sent: list[dict[str, str]] = field(default_factory=list)
    oldest: int = 0
    """Tokens before this one have expired."""
    refusal: int = 410
    on_request: Callable[[int], None] = lambda _: None

    def change(self, *ids: int) -> None:
        """Let records come or change, and with a negative id one be deleted."""
        for number in ids:
            body = {"id": abs(number), "version": len(self.changes) + 1}
            self.changes.append(body | ({"@removed": {"reason": "deleted"}} if number < 0 else {}))

    def changed(self, token: int, end: int) -> list[dict[str, Any]]:
        """Return what has changed between: of each record the newest version, without the deleted ones at first."""
        newest = {change["id"]: change for change in self.changes[token:end]}
        found = sorted(newest.values(), key=lambda change: int(change["version"]))
        return found if token else [change for change in found if "@removed" not in change]

    def respond(self, request: Handler) -> Reply:
        """Show a page of what has changed."""
        self.on_request(len(self.requests))
        self.requests.append(request.path)
        query = {name: int(values[-1]) for name, values in parse_qs(urlsplit(request.path).query).items()}
        token, after = query.get("deltatoken", 0), query.get("skip", 0)
        end = query.get("end", len(self.changes))
        if token and token < self.oldest:
            return Reply({"error": {"code": "resyncRequired"}}, status=self.refusal)
        found = self.changed(token, end)
        body: dict[str, Any] = {"value": found[after : after + SIZE]}
        if after + SIZE < len(found):
            body["@odata.nextLink"] = f"/items?deltatoken={token}&skip={after + SIZE}&end={end}"
        else:
            body["@odata.deltaLink"] = f"/items?deltatoken={end}"
        return Reply(body)


DELTA = {
    "records": "/value",
    "paginator": {"next_url": {"body": "/@odata.nextLink"}},
    "incremental": {"durable": {"next_url": {"body": "/@odata.deltaLink"}}},
}


def test_each_pull_goes_on_at_the_delta_link_of_the_last_one(tmp_path: Path) -> None:
    api, chance = Journal(), random_by(1)
    with serving(api, tmp_path, DELTA) as lake:
        for _ in range(6):
            api.change(*(chance.randrange(1, 12) for _ in range(5)))
            report = lake.pull()
            assert (report.status, list(report.ends.counts)) == ("complete", ["durable"])
        api.change(-3)
        assert lake.pull().records == 1
        assert (lake.pull().records, lake.pull().status) == (0, "complete")
    assert lake.found[-1] == {"id": 3, "version": 31, "@removed": {"reason": "deleted"}}, "kept as received"
    assert set(lake.versions.values()) == {1}
    assert api.requests[-1] == "/items?deltatoken=31"
    assert sum("?" not in request for request in api.requests) == 1, "all was read once"


@pytest.mark.parametrize("refusal", [400, 404, 410])
def test_a_delta_link_that_has_expired_starts_over_and_says_so(refusal: int, tmp_path: Path) -> None:
    api = Journal(refusal=refusal)
    with serving(api, tmp_path, DELTA) as lake:
        api.change(1, 2, 3, 4)
        lake.pull()
        api.change(5, 2, -1)
        api.oldest = len(api.changes)
        report = lake.pull()
        assert (report.status, report.records, len(report.warnings)) == ("complete", 4, 1)
        assert "the list started over, and all of it was read again" in report.warnings[0]
        assert str(refusal) in report.warnings[0]
        assert lake.pull().warnings == (), "once"
    assert {record["id"] for record in lake.found} == {1, 2, 3, 4, 5}
    assert api.requests[-1] == "/items?deltatoken=7"


def test_a_rule_says_which_response_means_that_a_link_has_expired(tmp_path: Path) -> None:
    rule = {"when": {"status": 409, "body": {"/error/code": "resyncRequired"}}, "then": "restart"}
    api = Journal(refusal=409)
    for rules in ([], [rule]):
        api.changes, api.oldest = [], 0
        with serving(api, tmp_path / str(len(rules)), {**DELTA, "errors": rules}) as lake:
            api.change(1, 2)
            lake.pull()
            api.change(3)
            api.oldest = 3
            if rules:
                assert lake.pull().records == 3
            else:
                with pytest.raises(CirculateError, match="409"):
                    lake.pull()


@pytest.mark.parametrize("refusal", [400, 404, 410])
@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize("by_rule", [False, True])
def test_a_delta_round_that_expires_in_the_middle_again_and_again_loses_nothing(
    refusal: int, times: int, tmp_path: Path, *, by_rule: bool
) -> None:
    class Expiring(Journal):
        left = 0

        def respond(self, request: Handler) -> Reply:
            if self.left and "skip=6" in request.path:
                self.left -= 1
                return Reply({"error": {"code": "resyncRequired"}}, status=refusal)
            return super().respond(request)

    api = Expiring()
    rule = {"when": {"status": refusal, "body": {"/error/code": "resyncRequired"}}, "then": "restart"}
    with serving(api, tmp_path, {**DELTA, "errors": [rule] if by_rule else []}) as lake:
        api.change(*range(1, 12))
        lake.pull()
        api.change(*range(5, 20), -1)
        api.left = times
        while len(lake.reports) == 1:
            with suppress(CirculateError):
                lake.pull()
        said = " ".join(lake.reports[-1].warnings)
        assert lake.pull().records == 0
    deleted = (1, len(api.changes))
    newest = {(change["id"], change["version"]) for change in {each["id"]: each for each in api.changes}.values()}
    lacks_deleted = "what was deleted meanwhile is not among it" in said
    assert newest - lake.versions.keys() == ({deleted} if lacks_deleted else set())
    assert by_rule or not lacks_deleted


def test_a_delta_round_that_is_stopped_at_any_page_is_whole(tmp_path: Path) -> None:
    api = Journal()
    api.change(*range(1, 20))
    with serving(api, tmp_path, DELTA) as lake:
        pulls = 0
        while not lake.reports or lake.reports[-1].status != "complete":
            api.on_request = at = StopAt(2)
            lake.pull(stop=at.stop)
            at.ended.set()
            # What changes meanwhile is for the next round.
            api.change(1)
            pulls += 1
            assert pulls < 30
        api.on_request = lambda _: None
        lake.pull()
    assert pulls >= 3
    assert {record["id"] for record in lake.found} == set(range(1, 20))
    assert max(version for _, version in lake.versions) == len(api.changes)
    assert set(lake.versions.values()) == {1}


def test_a_last_page_without_its_delta_link_is_not_believed(tmp_path: Path) -> None:
    class Cut(Journal):
        def respond(self, request: Handler) -> Reply:
            reply = super().respond(request)
            reply.body.pop("@odata.deltaLink", None)
            return reply

    api = Cut()
    api.change(1)
    with serving(api, tmp_path, DELTA) as lake:
        report = lake.pull()
        assert (report.status, report.next_since) == ("partial", None)
        assert "nor what the next pull goes on with" in report.gaps[0]
        lake.pull()
    assert api.requests == ["/items", "/items"], "it does not go on from nowhere"


@dataclass
class Stream:
    """A stream of events by POST, whose cursor stays good behind its end, such as 1Password's."""

    events: list[dict[str, Any]] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)

    def respond(self, request: Handler) -> Reply:
        """Show the events behind a cursor."""
        body = json.loads(request.body)
        self.bodies.append(body)
        after = int(body.get("cursor", 0))
        page = self.events[after : after + SIZE]
        end = after + len(page)
        return Reply({"items": page, "cursor": str(end), "has_more": end < len(self.events)})


def test_a_cursor_that_stays_good_behind_the_end_is_kept(tmp_path: Path) -> None:
    api = Stream()
    listing = {
        "method": "POST",
        "body": {"json": {"limit": 100, "start_time": "2026-01-01T00:00:00Z"}},
        "records": "/items",
        "paginator": {
            "token": {"from": {"body": "/cursor"}, "to": {"body": "/cursor"}, "more": "/has_more", "send": "token"}
        },
        "incremental": {"durable": "paginator"},
    }
    with serving(api, tmp_path, listing) as lake:
        for round_ in range(4):
            api.events += [{"id": number} for number in range(round_ * 7, round_ * 7 + 7)]
            assert lake.pull().status == "complete"
        assert lake.pull().records == 0
    assert [record["id"] for record in lake.found] == list(range(28))
    assert api.bodies[-1] == {"cursor": "28"}
    assert [body for body in api.bodies if "limit" in body] == api.bodies[:1], "it was begun once"


@dataclass
class Tagged:
    """A list on one page with what it is known by."""

    items: list[dict[str, Any]] = field(default_factory=list)
    tag: str | None = '"1"'
    modified: datetime | None = None
    now: datetime = datetime(2026, 11, 20, tzinfo=UTC)
    sent: list[dict[str, str]] = field(default_factory=list)

    def respond(self, request: Handler) -> Reply:
        """Show the list, or that it has not changed."""
        conditions = {name.lower(): value for name, value in request.headers.items() if name.lower().startswith("if-")}
        self.sent.append(conditions)
        modified = format_datetime(self.modified, usegmt=True) if self.modified else None
        known = {"if-none-match": self.tag, "if-modified-since": modified}
        same = any(value == known[name] for name, value in conditions.items())
        headers = [("Date", format_datetime(self.now, usegmt=True))]
        headers += [("ETag", self.tag)] if self.tag else []
        headers += [("Last-Modified", modified)] if modified else []
        if same:
            return Reply(b"", headers, status=304, date=False)
        return Reply({"items": self.items}, headers, date=False)


def etag(of: str = "page") -> dict[str, Any]:
    return {"paginator": "none", "single": "certain", "incremental": {"durable": {"etag": of}}}


def test_an_etag_that_is_still_the_same_is_a_complete_pull_without_records(tmp_path: Path) -> None:
    api = Tagged([{"id": 1}], 'W/"a"')
    with serving(api, tmp_path, etag()) as lake:
        lake.pull()
        for _ in range(2):
            report = lake.pull()
            assert (report.status, report.records, list(report.ends.counts)) == ("complete", 0, ["unchanged"])
        api.items, api.tag = [{"id": 1}, {"id": 2}], '"b"'
        assert lake.pull().records == 2
        assert lake.pull(mode="full").records == 2
    assert api.sent == [{}, *[{"if-none-match": 'W/"a"'}] * 3, {}]


def test_a_list_that_loses_its_etag_is_read_again_and_an_old_one_is_forgotten(tmp_path: Path) -> None:
    api = Tagged([{"id": 1}], '"a"')
    with serving(api, tmp_path, etag()) as lake:
        lake.pull()
        api.items, api.tag = [{"id": 2}], None
        report = lake.pull()
        assert (report.records, "the next pull reads all again" in report.warnings[0]) == (1, True)
        api.items, api.tag = [{"id": 1}], '"a"'
        assert lake.pull().records == 1, "it is what it was, and the lake has something else"
    assert api.sent == [{}, {"if-none-match": '"a"'}, {}]


@pytest.mark.parametrize("tag", ['W/"a,b"', '"a b"', "abc", 'W/"/\'!#~"'])
def test_an_etag_is_sent_as_it_was_received(tag: str, tmp_path: Path) -> None:
    api = Tagged([{"id": 1}], tag)
    with serving(api, tmp_path, etag()) as lake:
        assert [lake.pull().records, lake.pull().records] == [1, 0]
    assert api.sent == [{}, {"if-none-match": tag}]


@pytest.mark.parametrize("tag", ["*", '""', 'W/""', "W/", '"a", "b"', "a,b", '"a', 'a"', '"'])
def test_an_etag_that_names_no_version_is_not_asked_for(tag: str, tmp_path: Path) -> None:
    api = Tagged([{"id": 1}], tag)
    with serving(api, tmp_path, etag()) as lake:
        for number in range(3):
            api.items = [{"id": 1, "version": number}]
            report = lake.pull()
            assert (report.status, report.records) == ("complete", 1)
            assert "the next pull reads all again" in report.warnings[0]
    assert api.sent == [{}, {}, {}]


def test_a_304_that_nobody_asked_for_is_an_error(tmp_path: Path) -> None:
    class Lying(Tagged):
        def respond(self, request: Handler) -> Reply:  # noqa: ARG002 - whatever is requested
            return Reply(b"", status=304)

    with serving(Lying(), tmp_path, etag()) as lake, pytest.raises(CirculateError, match="304"):
        lake.pull()


def test_last_modified_is_no_proof_within_its_second(tmp_path: Path) -> None:
    api = Tagged([{"id": 1}], tag=None)
    listing = {**etag(), "incremental": {"durable": "last_modified"}}
    with serving(api, tmp_path, listing) as lake:
        api.modified = api.now
        lake.pull()
        lake.pull()
        assert api.sent == [{}, {}], "it may have changed in the same second"
        api.now += timedelta(seconds=5)
        lake.pull()
        assert lake.pull().records == 0
    assert list(api.sent[-1]) == ["if-modified-since"]


def test_an_etag_and_times_keep_only_what_changed(tmp_path: Path) -> None:
    api = Tagged([{"id": 1, "at": "2026-11-01T00:00:00Z"}], '"a"')
    rule = {"cursor": "/at", "client_side": True, "overlap": "1s", "durable": {"etag": "page"}}
    with serving(api, tmp_path, {**etag(), "incremental": rule}) as lake:
        assert lake.pull().records == 1
        assert lake.pull().records == 0
        api.items, api.tag = [*api.items, {"id": 2, "at": "2026-11-02T00:00:00Z"}], '"b"'
        assert lake.pull().records == 1
        assert lake.pull().records == 0
        api.items, api.tag = [*api.items, {"id": 3, "at": "2026-11-03T00:00:00Z"}], '"c"'
        report = lake.pull()
    assert (report.records, report.unchanged, report.repeats) == (1, 1, 1)
    assert [record["id"] for record in lake.found] == [1, 2, 3]
