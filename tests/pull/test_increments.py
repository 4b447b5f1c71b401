"""What a second pull takes, whatever an API makes of time: each version shown is there once, and none is lost."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from support.changing import Changing, Lake, Record, StopAt, Times, random_by, serving, weeks_ago
from support.cli import Cli
from support.http_server import Handler, Reply
from support.scripted import define
from support.scripted import serving as scripted

from circulate_core import CirculateError

RULE = {"cursor": "/at", "param": "since", "since": "{since}", "until": "{until}", "until_param": "until"}
FORMATS = ["rfc3339", "date", "epoch_s", "epoch_ms", "epoch_us", "%d/%m/%Y %H:%M", "%Y-%m-%d %H:%M:%S"]
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]
LOCAL = {"date", "%d/%m/%Y %H:%M", "%Y-%m-%d %H:%M:%S"}


def incremental(api: Changing, **more: object) -> dict[str, Any]:
    """Return what a user writes for such an API."""
    rule: dict[str, Any] = {**RULE, "inclusive": api.inclusive, **more}
    rule["format"] = {"records": api.records_say.format, "filter": api.filter_says.format}
    zones = {"records": api.records_say, "filter": api.filter_says}
    rule["zone"] = {side: times.zone for side, times in zones.items() if times.format in LOCAL} or None
    return {key: value for key, value in rule.items() if value is not None}


def assert_all_is_there_once(api: Changing, lake: Lake) -> None:
    """Hold the lake to what the API has now, and to what it has shown."""
    assert {(record.id, record.version) for record in api.records.values()} <= lake.versions.keys(), "lost"
    assert lake.versions.keys() == api.shown.keys()
    assert set(lake.versions.values()) <= {1}, "twice"


@pytest.mark.parametrize("inclusive", ["inclusive", "exclusive"])
@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("filter_says", FORMATS)
def test_every_version_that_was_shown_is_there_once(
    filter_says: str, zone: str, inclusive: str, tmp_path: Path
) -> None:
    chance = random_by(f"{filter_says} {zone} {inclusive}")
    records_say = Times(chance.choice(FORMATS), zone)
    api = Changing(records_say, Times(filter_says, zone), inclusive=inclusive == "inclusive")
    with serving(api, tmp_path, {"incremental": incremental(api, overlap="0s")}) as lake:
        for _ in range(8):
            api.change(chance, chance.randrange(1, 6))
            assert lake.pull().status == "complete"
            assert_all_is_there_once(api, lake)
    filtered = [request for request in api.requests if "since=" in request]
    assert len(filtered) >= 7, "it was not asked by time"


def test_a_clock_that_is_set_back_loses_no_record(tmp_path: Path) -> None:
    berlin = Times("%Y-%m-%d %H:%M:%S", "Europe/Berlin")
    api = Changing(berlin, berlin)
    with serving(api, tmp_path, {"incremental": incremental(api, overlap="0s")}) as lake:
        # From 2 hours before clocks are set back, at 01:00 UTC, to two hours behind that: one changes each 20 minutes.
        api.now += timedelta(hours=3)
        for number in range(12):
            api.now += timedelta(minutes=20)
            known = api.records.get(number % 5)
            api.records[number % 5] = Record(number % 5, known.version + 1 if known else 1, api.now)
            assert lake.pull().status == "complete"
            assert_all_is_there_once(api, lake)


def test_a_number_in_a_body_is_sent_as_a_number(tmp_path: Path) -> None:
    bodies: list[Any] = []

    def respond(request: Handler) -> Reply:
        bodies.append(json.loads(request.body))
        return Reply({"items": [{"id": 1, "at": 1_700_000_000}]})

    rule = {
        "cursor": "/at", "format": "epoch_s", "overlap": "0s",
        "param": {"body": "/filter/from"}, "since": "{since:number}",
        "until_param": {"body": "/filter/to"}, "until": "{until:number}",
    }  # fmt: skip
    listing = {
        "method": "POST",
        "body": {"json": {"filter": {"kind": "all"}}},
        "single": "certain",
        "incremental": rule,
    }
    with serving(type("Api", (), {"respond": staticmethod(respond)}), tmp_path, listing) as lake:
        lake.pull()
        lake.pull()
    assert bodies == [{"filter": {"kind": "all"}}, {"filter": {"kind": "all", "from": 1_700_000_000}}]


@pytest.mark.parametrize("order", ["none", "descending"])
def test_an_api_without_a_filter_is_read_and_only_what_changed_is_kept(order: str, tmp_path: Path) -> None:
    descending = order == "descending"
    api = Changing(descending=descending, ids=60)
    chance = random_by(7)
    rule = {"cursor": "/at", "client_side": True, "overlap": "1s", "order": order}
    with serving(api, tmp_path, {"incremental": rule}) as lake:
        for count in (60, 5, 5, 1, 9):
            api.change(chance, count)
            assert lake.pull().status == "complete"
            assert_all_is_there_once(api, lake)
        before = len(api.requests)
        again = lake.pull()
    assert (again.records, again.status) == (0, "complete")
    assert again.unchanged > 0
    assert descending or again.unchanged + again.repeats == len(api.records)
    pages, all_pages = len(api.requests) - before, -(-len(api.records) // 3)
    assert pages < all_pages if descending else pages == all_pages
    if descending:
        assert list(again.ends.counts) == ["caught_up"]


def test_a_list_that_is_not_in_the_order_that_it_promises_is_read_to_its_end(tmp_path: Path) -> None:
    api = Changing(descending=False)
    rule = {"cursor": "/at", "client_side": True, "overlap": "1s", "order": "descending"}
    with serving(api, tmp_path, {"incremental": rule}) as lake:
        for seed in range(4):
            api.change(random_by(seed), 6)
            lake.pull()
            assert_all_is_there_once(api, lake)
    assert any("another order" in warning for warning in lake.reports[-1].warnings)


@pytest.mark.parametrize("records_say", ["rfc3339", "date", "epoch_ms"])
@pytest.mark.parametrize("filter_says", ["epoch_s", "date", "%Y-%m-%d %H:%M:%S"])
def test_windows_side_by_side_have_all_of_a_period(filter_says: str, records_say: str, tmp_path: Path) -> None:
    chance = random_by(f"{filter_says} {records_say}")
    api = Changing(Times(records_say), Times(filter_says), longest=timedelta(days=2), now=weeks_ago())
    rule = incremental(api, overlap="0s", lag="1s", window={"span": "2d", "history": "60d"})
    with serving(api, tmp_path, {"incremental": rule}) as lake:
        for _ in range(4):
            api.change(chance, 6)
            report = lake.pull()
            assert report.status == "complete", report
            assert_all_is_there_once(api, lake)
    assert lake.reports[0].partitions is not None
    assert lake.reports[0].partitions.complete >= 30
    assert all("until=" in request for request in api.requests)


def test_a_window_with_too_many_records_is_halved_and_nothing_comes_twice(tmp_path: Path) -> None:
    chance = random_by(3)
    api = Changing(filter_says=Times("epoch_s"), most=4, now=weeks_ago())
    rule = incremental(api, overlap="0s", window={"span": "30d", "min": "1m", "history": "60d"})
    listing = {"incremental": rule, "errors": [{"when": {"status": 413}, "then": "smaller_window"}]}
    with serving(api, tmp_path, listing) as lake:
        api.change(chance, 40)
        report = lake.pull()
        assert report.status == "complete", report
        assert_all_is_there_once(api, lake)
        api.most = 0
        assert lake.pull().status == "partial"
        api.most = None
        api.change(chance, 5)
        assert lake.pull().status == "complete"
        assert_all_is_there_once(api, lake)
    stuck = lake.reports[1]
    assert stuck.next_since is None, "the cursor stays"
    assert "cannot be made smaller" in stuck.gaps[0]


def test_windows_that_are_stopped_anywhere_go_on_where_they_stood(tmp_path: Path) -> None:
    chance = random_by(5)
    api = Changing(filter_says=Times("epoch_s"), now=weeks_ago())
    rule = incremental(api, overlap="0s", window={"span": "3h", "history": "40d"})
    api.change(chance, 30)
    with serving(api, tmp_path, {"incremental": rule}) as lake:
        stops = 0
        while not lake.reports or lake.reports[-1].status != "complete":
            api.on_request = at = StopAt(40)
            lake.pull(stop=at.stop)
            at.ended.set()
            stops += 1
            assert stops < 50
    assert stops > 3
    assert set(lake.versions) == {(record.id, record.version) for record in api.records.values()}
    assert set(lake.versions.values()) == {1}


BAD = [
    ("{cursor: /at}", "nothing is sent for it"),
    ("{param: since, since: '{since}'}", "`cursor` is missing"),
    ("{cursor: /at, param: since}", "`since` is missing"),
    ("{cursor: /at, since: '{since}'}", "`param` is missing"),
    ("{cursor: /at, param: since, since: now}", "since must use `{since}`"),
    ("{cursor: /at, param: since, since: '{since:number}'}", "needs a `format` that is a number"),
    ("{cursor: /at, param: since, since: 'x{since:number}', format: epoch_s}", "a number is nothing but"),
    ("{cursor: /at, param: f, since: '{since:number}', until: '{until}', format: epoch_s}", "cannot be joined"),
    ("{cursor: /at, param: since, since: '{since}', until_param: until}", "`until` is missing"),
    ("{cursor: /at, client_side: true, param: since, since: '{since}'}", "take no filter"),
    ("{cursor: /at, param: since, since: '{since}', format: epoch}", "`epoch` is not a format of times"),
    ("{cursor: /at, param: since, since: '{since}', format: '%H:%M'}", "`%H:%M` is not a pattern of times"),
    ("{cursor: /at, param: since, since: '{since}', zone: Mars/Base}", "`Mars/Base` is not a zone"),
    ("{cursor: /at, param: since, since: '{since}', format: epoch_s, zone: UTC}", "counts from 1970 in any zone"),
    ("{cursor: /at, param: since, since: '{since}', format: {record: date}}", "unknown key `record`"),
    ("{cursor: /at, param: since, since: '{since}', window: {span: 1d}}", "a window has two ends"),
    (
        "{cursor: /at, param: s, since: '{since}', until_param: u, until: '{until}', window: {span: 1d}}",
        "has to begin somewhere",
    ),
    (
        "{cursor: /at, param: s, since: '{since}', until: '{until}', format: date, window: {span: 1h, history: 1d}}",
        "shorter than the finest",
    ),
    ("{durable: {etag: page}}", "the list has several pages"),
    ("{durable: paginator}", "only a `token` whose last page is known by `more`"),
    ("{durable: {etag: page}, window: {span: 1d}}", "leave `durable` out"),
    ("{}", "nothing says what changed"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "why"), BAD, ids=[why for _, why in BAD])
def test_what_cannot_be_meant_is_refused_with_its_place(cli: Cli, rule: str, why: str) -> None:
    listed = f"path: /items\nprimary_key: [/id]\npaginator: link_header\nincremental: {rule}"
    define(cli.folder, listed)
    done = cli("describe", "acme.items", "--catalog", "catalog")
    assert (done.code, why in done.err, "items.yaml:" in done.err) == (2, True, True), done.err


@pytest.mark.parametrize("paginator", ["{offset: {to: offset}}", "{page: {to: page}}"])
@pytest.mark.parametrize("order", ["ascending", "descending"])
def test_an_order_that_the_paginator_cannot_keep_is_refused(cli: Cli, order: str, paginator: str) -> None:
    rule = f"{{cursor: /at, param: since, since: '{{since}}', order: {order}}}"
    define(cli.folder, f"path: /items\nprimary_key: [/id]\npaginator: {paginator}\nincremental: {rule}")
    done = cli("describe", "acme.items", "--catalog", "catalog")
    assert (done.code, "cannot keep it" in done.err, "items.yaml:8" in done.err) == (2, True, True), done.err


def test_all_mistakes_are_named_at_once(cli: Cli) -> None:
    rule = "{cursor: /at, param: s, since: now, until: never, format: epoch_s, zone: UTC, order: ascending}"
    define(cli.folder, f"path: /items\nprimary_key: [/id]\npaginator: {{page: {{to: page}}}}\nincremental: {rule}")
    err = cli("describe", "acme.items", "--catalog", "catalog").err
    for part in ("since must use", "until must use", "counts from 1970", "cannot keep it"):
        assert part in err, err


def test_a_period_without_until_is_refused(tmp_path: Path) -> None:
    api = Changing()
    rule = {"cursor": "/at", "param": "since", "since": "{since}"}
    with serving(api, tmp_path, {"incremental": rule}) as lake, pytest.raises(CirculateError, match="has no `until`"):
        lake.pull(since="2026-10-01", until="2026-11-01")
    assert api.requests == []


@pytest.mark.parametrize("order", ["ascending", "none"])
def test_a_list_whose_oldest_records_come_first_goes_on_by_time_where_its_page_is_forgotten(
    order: str, tmp_path: Path
) -> None:
    class Forgetful(Changing):
        forgotten = False

        def respond(self, request: Handler) -> Reply:
            if self.forgotten and "after=" in request.path:
                self.forgotten = False
                return Reply({"error": "the cursor has expired"}, status=410)
            return super().respond(request)

    api = Forgetful(ids=60)
    api.change(random_by(11), 80)
    with serving(api, tmp_path, {"incremental": incremental(api, overlap="1s", order=order)}) as lake:
        api.on_request = at = StopAt(6)
        assert lake.pull(stop=at.stop).status == "partial"
        at.ended.set()
        api.on_request, api.forgotten, before = lambda _: None, True, len(api.requests)
        report = lake.pull()
    goes_on = order == "ascending"
    assert (report.status, report.resumed) == ("complete", goes_on)
    # The request that was held back may be the first of these.
    assert any("since=" in request for request in api.requests[before : before + 2]) == goes_on
    assert len(report.warnings) == int(goes_on)
    assert set(lake.versions) == {(record.id, record.version) for record in api.records.values()}
    assert set(lake.versions.values()) == {1}


def test_a_window_whose_total_is_above_the_cap_is_halved_before_anything_of_it_is_kept(tmp_path: Path) -> None:
    class Capped(Changing):
        def respond(self, request: Handler) -> Reply:
            reply = super().respond(request)
            reply.body.pop("next", None)
            query = {name: values[-1] for name, values in parse_qs(urlsplit(request.path).query).items()}
            reply.body["total"] = len(self.selected(query["since"], query["until"]))
            return reply if int(query["after"]) < 6 else Reply({"error": "too far"}, status=400)

    api = Capped(filter_says=Times("epoch_s"), ids=60, now=weeks_ago())
    api.change(random_by(2), 40)
    listing = {
        "incremental": incremental(api, overlap="0s", window={"span": "30d", "history": "60d"}),
        "page_size": {"param": "limit", "max": 3},
        "paginator": {"offset": {"to": "after", "total": "/total", "cap": 6}},
    }
    with serving(api, tmp_path, listing) as lake:
        report = lake.pull()
    assert (report.status, report.ends.counts["total"] > 6) == ("complete", True)
    assert {(record.id, record.version) for record in api.records.values()} == set(lake.versions)
    assert set(lake.versions.values()) == {1}


WINDOWED = (
    "path: /items\nrecords: /items\nprimary_key: [/id]\npaginator: {body_link: /next}\n"
    "incremental: {cursor: /at, param: since, since: '{since}', until_param: until, until: '{until}', "
    "window: {span: 2d, history: 9d}}"
)


def test_check_requests_a_window_of_a_list_that_has_none_without(cli: Cli) -> None:
    define(cli.folder, WINDOWED)
    with scripted(lambda *_: Reply({"items": []})) as api:
        done = cli("check", "acme.items", "--catalog", "catalog", ACME_URL=api.url)
    assert done.code == 0, done.err
    query = parse_qs(urlsplit(api.requests[-1]).query)
    assert query.keys() == {"since", "until"}, api.requests


def test_a_list_that_is_requested_in_windows_is_not_a_parent(cli: Cli) -> None:
    parts = define(cli.folder, WINDOWED) / "acme/parts.yaml"
    parts.write_text(
        "endpoint: parts\nabout: Parts.\nlist:\n  path: /items/{id}/parts\n  primary_key: [/id]\n"
        "  paginator: none\n  parent: {endpoint: items, fields: {id: /id}}\n"
    )
    done = cli("describe", "acme.parts", "--catalog", "catalog")
    assert (done.code, "is requested in windows of time" in done.err) == (2, True), done.err
