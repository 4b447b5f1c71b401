"""The system log: polling never ends and misses nothing, a bounded query is in order and ends."""

import hashlib
import json
from itertools import pairwise

import pytest
from support.practice_client import Client, Clock, Reply, Serve, records_of

from circulate_practice import PracticeOrg
from circulate_practice.data.edge_cases import EDGE_CASES
from circulate_practice.data.timestamps import timestamp

LOGS = "/api/v1/logs"
DAY = 86_400


def at(clock: Clock, seconds: float) -> str:
    """Return the time so many seconds after that of the clock, as it stands in a query."""
    return timestamp(int((clock.now + seconds) * 1000)).decode()


def uuids(pages: list[Reply]) -> list[str]:
    """Return the uuids of all events of some pages."""
    return [event["uuid"] for page in pages for event in page.json]


def persisted(org: PracticeOrg) -> list[str]:
    """Return the uuids of all events in the order they were persisted."""
    return [entry["id"] for entry in org.truth("logs")]


def poll(client: Client, target: str) -> tuple[list[Reply], str]:
    """Follow the links until a page is empty; return the pages and the target to go on with."""
    pages = []
    while True:
        pages.append(client.get(target))
        assert pages[-1].status == 200, pages[-1].body
        target = pages[-1].next_target or ""
        if not pages[-1].json:
            return pages, target


def test_polling_serves_every_event_in_the_order_they_were_persisted(serve: Serve, clock: Clock) -> None:
    org, client = serve(events=250)
    pages, _ = poll(client, f"{LOGS}?sortOrder=ASCENDING&since={at(clock, -DAY)}")
    assert [len(page.json) for page in pages] == [100, 100, 50, 0]
    assert uuids(pages) == persisted(org)
    served = [hashlib.sha256(record).hexdigest() for page in pages for record in records_of(page.body)]
    assert served == [entry["sha256"] for entry in org.truth("logs")]
    published = [event["published"] for page in pages for event in page.json]
    assert published != sorted(published), "some were persisted late"


def test_a_poll_that_finds_nothing_new_leads_to_itself_until_there_is(serve: Serve) -> None:
    org, client = serve(events=10)
    pages, target = poll(client, LOGS)
    again = client.get(target)
    assert (again.json, again.next_target) == ([], target)
    assert pages[-1].next_target == target
    added = org.add_events(3)
    more = client.get(target)
    assert more.ids_of("uuid") == added
    assert more.next_target != target


def test_polling_an_empty_log_has_a_next_link_too(serve: Serve) -> None:
    org, client = serve(events=0)
    pages, target = poll(client, LOGS)
    added = org.add_events(2)
    assert (len(pages), client.get(target).ids_of("uuid")) == (1, added)


def test_the_next_link_of_a_poll_has_a_cursor_in_the_place_of_since(serve: Serve, clock: Clock) -> None:
    _, client = serve(events=10)
    target = client.get(f"{LOGS}?since={at(clock, -DAY)}&limit=4").next_target or ""
    assert target.startswith(f"{LOGS}?after=")
    assert "since" not in target
    reply = client.get(f"{target}&since={at(clock, -DAY)}")
    assert (reply.status, reply.error_code) == (400, "E0000001")


def test_a_bounded_query_is_in_the_order_of_publication_and_ends(serve: Serve, clock: Clock) -> None:
    org, client = serve(events=250)
    since, until = at(clock, -200 * 60), at(clock, -20 * 60)
    pages = list(client.pages(f"{LOGS}?since={since}&until={until}&limit=50"))
    events = [event for page in pages for event in page.json]
    assert pages[-1].next_url is None
    assert all(first["published"] <= second["published"] for first, second in pairwise(events))
    assert {event["uuid"] for event in events} == {
        entry["id"] for entry in org.truth("logs") if since <= entry["lastUpdated"] < until
    }
    assert len(pages) == -(-len(events) // 50)


def test_bounded_pages_hold_events_of_the_same_time_once_each(serve: Serve, clock: Clock) -> None:
    org, client = serve(events=0)
    added = org.add_events(25)
    pages = list(client.pages(f"{LOGS}?until={at(clock, 1)}&limit=4"))
    assert uuids(pages) == added


def test_only_polling_sees_an_event_that_was_persisted_late(serve: Serve, clock: Clock) -> None:
    org, client = serve(events=30)
    bounded = f"{LOGS}?since={at(clock, -DAY)}&until={at(clock, 1)}&limit=10"
    first = client.get(bounded)
    _, polled = poll(client, LOGS)
    late = org.add_events(2, late=DAY / 2)
    rest = list(client.pages(first.next_target or ""))
    assert not set(late) & set(uuids([first, *rest]))
    assert client.get(polled).ids_of("uuid") == late
    assert set(late) <= set(uuids(list(client.pages(bounded)))), "a later read of the same stretch has them"


@pytest.mark.parametrize("bound", ["", "&until=2026-07-02T00:00:00.000Z"])
def test_without_since_a_week_is_served(serve: Serve, clock: Clock, bound: str) -> None:
    org, client = serve(events=0)
    org.add_events(2)
    clock.now += 7 * DAY + 1 if not bound else 0
    recent = org.add_events(3)
    expected = recent if not bound else persisted(org)
    assert client.get(f"{LOGS}?limit=50{bound}").ids_of("uuid") == expected


def test_events_older_than_90_days_are_left_out_without_a_word(serve: Serve, clock: Clock) -> None:
    org, client = serve(events=0)
    org.add_events(5)
    clock.now += 90 * DAY + 1
    recent = org.add_events(2)
    since = at(clock, -179 * DAY)
    assert uuids(poll(client, f"{LOGS}?since={since}")[0]) == recent
    assert uuids(list(client.pages(f"{LOGS}?since={since}&until={at(clock, 1)}"))) == recent


@pytest.mark.parametrize("bound", ["", "&until=2026-07-01T00:00:00.000Z"])
def test_since_more_than_180_days_ago_is_refused(serve: Serve, clock: Clock, bound: str) -> None:
    _, client = serve()
    assert client.get(f"{LOGS}?since={at(clock, -180 * DAY)}{bound}").status == 200
    reply = client.get(f"{LOGS}?since={at(clock, -180 * DAY - 1)}{bound}")
    assert (reply.status, reply.error_code) == (400, "E0000053")


@pytest.mark.parametrize(
    "query",
    ["since=yesterday", "until=2026-07-01", "sortOrder=DESCENDING", "limit=1001", "limit=-1", "q=a", "filter=a"],
)
def test_what_the_log_does_not_take_is_refused(serve: Serve, query: str) -> None:
    _, client = serve()
    assert client.get(f"{LOGS}?{query}").status == 400


@pytest.mark.parametrize(("bound", "goes_on"), [("", True), ("&until=2026-07-02T00:00:00.000Z", False)])
def test_a_limit_of_0_gives_no_events(serve: Serve, bound: str, *, goes_on: bool) -> None:
    _, client = serve(events=20)
    reply = client.get(f"{LOGS}?limit=0{bound}")
    assert (reply.status, reply.json, reply.next_url is not None) == (200, [], goes_on)


def test_an_expired_or_foreign_cursor_is_refused(serve: Serve) -> None:
    org, client = serve(events=20)
    target = client.get(f"{LOGS}?limit=5").next_target or ""
    assert client.get(f"{target}&until=2026-07-02T00:00:00.000Z").status == 400
    assert client.get(target).status == 200
    org.expire_cursors()
    reply = client.get(target)
    assert (reply.status, reply.error_code) == (400, "E0000001")


@pytest.mark.parametrize("bound", ["", "&until=2026-07-02T00:00:00.000Z"])
def test_an_additional_empty_page_does_not_lose_since(serve: Serve, clock: Clock, bound: str) -> None:
    target = f"{LOGS}?since={at(clock, -30 * 60)}&limit=10{bound}"
    _, plain = serve(events=100)
    _, client = serve(events=100, faults=["logs/empty-page@1"])
    empty = client.get(target)
    assert (empty.json, client.get(empty.next_target or "").body) == ([], plain.get(target).body)


def test_events_are_logged_with_uuid_and_publication(serve: Serve) -> None:
    org, client = serve(events=3)
    events = client.get(LOGS).json
    assert org.log[0]["collection"] == "logs"
    assert [(record["id"], record["lastUpdated"]) for record in org.log[0]["records"]] == [
        (event["uuid"], event["published"]) for event in events
    ]
    assert len({event["uuid"] for event in events}) == 3


def test_events_hold_every_edge_case_unless_turned_off(serve: Serve) -> None:
    with_edge_cases, plain = (serve(events=100, edge_cases=chosen)[1].get(LOGS).body for chosen in (True, False))
    assert all(fragment in with_edge_cases for fragment in EDGE_CASES.values())
    assert not any(fragment in plain for fragment in EDGE_CASES.values())


def test_events_can_be_added_over_http(serve: Serve, clock: Clock) -> None:
    org, client = serve(events=0)
    reply = client.get("/_practice/add_events?count=2&late=1h", method="POST")
    assert reply.json["uuids"] == persisted(org)
    assert {entry["lastUpdated"] for entry in org.truth("logs")} == {at(clock, -3600)}
    lines = client.get("/_practice/truth?list=logs").body.splitlines()
    assert [json.loads(line) for line in lines] == list(org.truth("logs"))
