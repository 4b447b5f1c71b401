"""Faults: how they are written, when they are due, and that each does what it says."""

import gzip
import hashlib
import http.client
import json
import math
import re

import pytest
from support.practice_client import LIST, Client, Clock, Reply, Serve, records_of

from circulate_practice import KINDS, LISTS, Fault, FaultError, PracticeOrg
from circulate_practice.okta.routes import Paging
from circulate_practice.server.faults import FaultPlan, Group

TWO_PAGES = f"{LIST}?limit=20"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("429", Fault("429")),
        ("429@3", Fault("429", page=3, times=1)),
        ("429*2", Fault("429", times=2)),
        ("reset@2*5", Fault("reset", page=2, times=5)),
        ("stall:250ms", Fault("stall", 0.25)),
        ("slow-body:1.5@1", Fault("slow-body", 1.5, page=1, times=1)),
        ("big-record:1000000@2", Fault("big-record", 1_000_000, page=2, times=1)),
        ("app_users/503@2*3", Fault("503", page=2, times=3, collection="app_users")),
    ],
)
def test_faults_are_written_as_text(text: str, fault: Fault) -> None:
    assert Fault.parse(text) == fault


@pytest.mark.parametrize(
    "text", ["", "418", "429@", "429@0", "429*0", "429@x", "stall", "stall:x", "bom:1", "big-page", "idps/429", "/429"]
)
def test_what_is_no_fault_is_refused_with_what_could_be(text: str) -> None:
    with pytest.raises(FaultError) as caught:
        Fault.parse(text)
    assert "\n" not in str(caught.value)


def test_an_unknown_kind_is_refused_with_all_kinds() -> None:
    with pytest.raises(FaultError) as caught:
        Fault.parse("teapot")
    assert all(kind in str(caught.value) for kind in KINDS)


def taken(plan: FaultPlan, *pages: int) -> list[str | None]:
    """Return the names of the faults that requests for these pages meet."""
    return [plan.take("users", page, 200).name for page in pages]


def test_a_fault_of_a_page_happens_once_and_one_of_all_pages_always() -> None:
    assert taken(FaultPlan([Fault.parse("500@2")]), 1, 2, 2, 3) == [None, "500", None, None]
    assert taken(FaultPlan([Fault.parse("500")]), 1, 2, 2) == ["500", "500", "500"]
    assert taken(FaultPlan([Fault.parse("500@2*2")]), 2, 1, 2, 2) == ["500", None, "500", None]
    assert taken(FaultPlan([Fault.parse("500*2")]), 1, 2, 3) == ["500", "500", None]


def test_a_page_fault_waits_while_another_response_takes_the_page_s_place() -> None:
    plan = FaultPlan([Fault.parse(text) for text in ("pretty@1", "500@1", "429@1", "no-date@1")])
    assert taken(plan, 1, 1, 1, 1) == ["500+no-date", "429", "pretty", None]


def test_a_fault_concerns_the_list_it_names_and_the_users_without_one() -> None:
    plan = FaultPlan([Fault.parse(text) for text in ("apps/500@1", "503@1")])
    names = [plan.take(name, 1, 20).name for name in ("app_users", "apps", "apps", "users", "users")]
    assert names == [None, "500", None, "503", None]


def one(serve: Serve, *faults: str, target: str = TWO_PAGES, **settings: object) -> Reply:
    """Return the first response of an org of 40 users with some faults."""
    return serve(users=40, faults=faults, **settings)[1].get(target)


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("429", 429, "E0000047"),
        ("429-concurrency", 429, "E0000047"),
        ("500", 500, "E0000009"),
        ("503", 503, "E0000010"),
        ("401", 401, "E0000011"),
        ("403", 403, "E0000006"),
    ],
)
def test_error_responses(serve: Serve, fault: str, status: int, code: str) -> None:
    reply = one(serve, fault)
    assert (reply.status, reply.error_code) == (status, code)
    assert reply.lines("Link") == []


@pytest.mark.parametrize("fault", ["502", "504"])
def test_gateway_errors_come_as_html(serve: Serve, fault: str) -> None:
    reply = one(serve, fault)
    assert (reply.status, reply.header("Content-Type")) == (int(fault), "text/html")


def test_the_two_kinds_of_429_differ_in_their_limit(serve: Serve, clock: Clock) -> None:
    rate, crowd = one(serve, "429"), one(serve, "429-concurrency")
    assert (rate.header("X-Rate-Limit-Limit"), rate.header("X-Rate-Limit-Remaining")) == ("600", "0")
    assert (crowd.header("X-Rate-Limit-Limit"), crowd.header("X-Rate-Limit-Remaining")) == ("0", "0")
    assert int(crowd.header("X-Rate-Limit-Reset") or "0") == math.ceil(clock.now) + 60


def test_after_a_fault_of_one_page_the_list_goes_on(serve: Serve) -> None:
    org, client = serve(users=60, faults=["500@2"])
    target = client.get(TWO_PAGES).next_target or ""
    assert [client.get(target).status for _ in range(2)] == [500, 200]
    assert [entry["fault"] for entry in org.log] == [None, "500", None]


def test_a_reset_breaks_the_connection_before_any_response(serve: Serve) -> None:
    _, client = serve(users=5, faults=["reset@1"])
    with pytest.raises(ConnectionResetError):
        client.get()
    client.close()
    assert client.get().status == 200


def test_truncation_promises_more_than_it_sends_and_cuts_a_record(serve: Serve) -> None:
    _, client = serve(users=40, faults=["truncate@1"])
    with pytest.raises(http.client.IncompleteRead) as caught:
        client.get()
    client.close()
    whole = client.get().body
    assert whole.startswith(caught.value.partial)
    assert len(caught.value.partial) + (caught.value.expected or 0) == len(whole)
    assert caught.value.partial[-1:] not in {b",", b"]"}


def test_truncated_json_is_well_framed(serve: Serve) -> None:
    _, client = serve(users=40, faults=["truncate-json@1"])
    cut = client.get(TWO_PAGES)
    whole = client.get(TWO_PAGES)
    assert whole.body.startswith(cut.body)
    assert cut.next_url is not None
    with pytest.raises(json.JSONDecodeError):
        json.loads(cut.body)


def test_a_login_page_is_html_with_status_200(serve: Serve) -> None:
    reply = one(serve, "html")
    assert (reply.status, reply.header("Content-Type")) == (200, "text/html")
    assert reply.body.startswith(b"<!DOCTYPE html>")


def test_documents_of_another_shape(serve: Serve) -> None:
    assert isinstance(one(serve, "not-array").json, dict)
    shapes = {type(item) for item in one(serve, "scalar").json}
    assert shapes == {dict, int}


def test_whitespace_between_tokens_leaves_the_tokens_alone(serve: Serve) -> None:
    plain = records_of(one(serve).body)
    for fault, newline in (("pretty", b"\n"), ("crlf", b"\r\n")):
        reply = one(serve, fault)
        spaced = records_of(reply.body)
        assert [re.sub(rb"\s", b"", record) for record in spaced] == [re.sub(rb"\s", b"", record) for record in plain]
        assert all(newline + b"    " in record for record in spaced)
        assert reply.body.count(b"\n") == reply.body.count(newline)


def test_invalid_bytes(serve: Serve) -> None:
    with pytest.raises(UnicodeDecodeError):
        one(serve, "invalid-utf8").body.decode()
    assert b":NaN," in one(serve, "nan").body
    with pytest.raises(json.JSONDecodeError, match="Extra data"):
        json.loads(one(serve, "trailing").body)


def test_a_byte_order_mark_stands_in_front(serve: Serve) -> None:
    assert one(serve, "bom").body == b"\xef\xbb\xbf" + one(serve).body


def test_a_slow_body_comes_in_slices(serve: Serve) -> None:
    waits: list[float] = []
    reply = one(serve, "slow-body:2", wait=waits.append)
    assert sum(waits) == pytest.approx(2)
    assert len(waits) == 20
    assert reply.body == one(serve).body


def test_a_stall_comes_before_the_response(serve: Serve) -> None:
    waits: list[float] = []
    one(serve, "stall:90s", wait=waits.append, latency=1.0)
    assert waits == [91.0]


def test_next_links_that_are_not_to_be_followed(serve: Serve) -> None:
    org, client = serve(users=60, faults=["next-other-host@1", "next-repeat@2"])
    elsewhere = client.get(TWO_PAGES)
    assert (elsewhere.next_url or "").startswith(f"{org.url.replace('127.0.0.1', '127.0.0.2')}{LIST}?")
    second = client.get(elsewhere.next_target or "")
    assert second.lines("Link")[0].replace('"self"', '"next"') == second.lines("Link")[1]


def test_next_links_in_other_forms(serve: Serve) -> None:
    joined = one(serve, "next-joined")
    assert len(joined.lines("Link")) == 1
    assert joined.lines("Link")[0].count("; rel=") == 2
    assert (one(serve, "next-relative").next_url or "").startswith(f"{LIST}?after=")


@pytest.mark.parametrize("fault", ["empty-page", "empty-page@2*9"])
def test_an_empty_page_comes_in_front_of_the_real_one(serve: Serve, fault: str) -> None:
    _, client = serve(users=60, faults=[fault])
    _, plain = serve(users=60)
    pages, real = list(client.pages(TWO_PAGES)), list(plain.pages(TWO_PAGES))
    assert [page.body for page in pages if page.body != b"[]"] == [page.body for page in real]
    assert len(pages) == len(real) + (3 if fault == "empty-page" else 1)


def test_a_page_too_big_fails_until_fewer_records_are_asked_for(serve: Serve) -> None:
    _, client = serve(users=40, faults=["big-page:10"])
    replies = [client.get(f"{LIST}?limit={limit}") for limit in (200, 11, 10)]
    assert [reply.status for reply in replies] == [500, 500, 200]


def test_a_big_record_has_the_size_it_was_given(serve: Serve) -> None:
    reply = one(serve, "big-record:50000@1")
    assert max(len(record) for record in records_of(reply.body)) == 50_000
    assert len(reply.ids) == len(one(serve).ids)


def test_missing_headers(serve: Serve) -> None:
    assert one(serve, "no-date").header("Date") is None
    reply = one(serve, "429", "no-rate-headers")
    assert not [name for name, _ in reply.headers if name.startswith("X-Rate-Limit")]


def test_a_redirect_points_to_another_origin(serve: Serve) -> None:
    reply = one(serve, "redirect")
    assert reply.status == 302
    assert (reply.header("Location") or "").startswith("http://127.0.0.2:")


def test_a_gzip_bomb_inflates_to_white_space_and_the_page(serve: Serve) -> None:
    reply = one(serve, "gzip-bomb:3000000")
    inflated = gzip.decompress(reply.body)
    assert reply.header("Content-Encoding") == "gzip"
    assert len(reply.body) < 100_000
    assert inflated.count(b" ") > 3_000_000
    assert records_of(inflated) == records_of(one(serve).body)


def test_faults_leave_single_users_alone(serve: Serve) -> None:
    org, client = serve(users=5, faults=["500"])
    assert client.get(f"{LIST}/{next(org.truth())['id']}").status == 200


def test_every_kind_is_tried_here(serve: Serve) -> None:
    for kind, (group, unit) in KINDS.items():
        operation = group in {Group.AFTER, Group.ASYNC}
        fault = "users.deactivate/" * operation + (f"{kind}:1" if unit.value != "no value" else kind)
        org, client = serve(users=5, faults=[fault], wait=lambda _: None)
        user_id = next(iter(org.truth()))["id"]
        target, method = (f"{LIST}/{user_id}/lifecycle/deactivate", "POST") if operation else (LIST, "GET")
        try:
            if kind.startswith("hang"):
                client.leave(target, method=method)
            else:
                client.get(target, method=method)
        except (http.client.HTTPException, ConnectionResetError):
            client.close()
        assert [entry["fault"] for entry in org.log] == [kind]


def test_faults_concern_compressed_pages_too(serve: Serve) -> None:
    org, _ = serve(users=40, gzip=True, faults=["bom@1", "truncate@1"])
    client = Client(org)
    with pytest.raises(http.client.IncompleteRead):
        client.get(headers={"Accept-Encoding": "gzip"})
    client.close()


FULL = dict.fromkeys({*LISTS, "events"} - {"logs"}, 80)


def targets(org: PracticeOrg) -> dict[str, str]:
    """Return a list of every kind, that of the first parent where there are several."""
    app, group = (next(iter(org.truth(name)))["id"] for name in ("apps", "groups"))
    administrator = next(iter(org.truth("user_roles")))["parent"]
    return {
        "users": "/api/v1/users",
        "apps": "/api/v1/apps",
        "app_users": f"/api/v1/apps/{app}/users",
        "app_groups": f"/api/v1/apps/{app}/groups",
        "groups": "/api/v1/groups",
        "group_members": f"/api/v1/groups/{group}/users",
        "logs": "/api/v1/logs",
        "devices": "/api/v1/devices",
        "policies": "/api/v1/policies",
        "user_factors": f"/api/v1/users/{administrator}/factors",
        "user_roles": f"/api/v1/users/{administrator}/roles",
        "role_assignees": "/api/v1/iam/assignees/users",
        "api_tokens": "/api/v1/api-tokens",
        "zones": "/api/v1/zones",
        "authorization_servers": "/api/v1/authorizationServers",
    }


@pytest.mark.parametrize("name", LISTS)
def test_every_kind_works_for_every_list(serve: Serve, name: str) -> None:
    for kind, (group, unit) in KINDS.items():
        if group in {Group.AFTER, Group.ASYNC}:
            continue  # for operations
        fault = f"{name}/{kind}:5000@1" if unit.value != "no value" else f"{name}/{kind}@1"
        org, client = serve(
            **FULL,
            faults=[fault],
            wait=lambda _: None,
        )
        send = client.leave if kind == "hang" else client.get
        try:
            send(f"{targets(org)[name]}?type=PASSWORD&until=2026-07-02T00:00:00.000Z&limit=30")
        except (http.client.HTTPException, ConnectionResetError):
            client.close()
        expected = None if kind == "big-page" and LISTS[name].paging is not Paging.NONE else kind
        assert [(entry["collection"], entry["fault"]) for entry in org.log] == [(name, expected)]


@pytest.mark.parametrize("name", LISTS)
def test_faults_that_leave_a_page_right_leave_it_in_the_log(serve: Serve, name: str) -> None:
    faults = [f"{name}/big-record:50000@1", f"{name}/empty-page@2", f"{name}/503@2", f"{name}/pretty@3"]
    org, client = serve(**FULL, faults=faults)
    received: list[str] = []
    target: str | None = f"{targets(org)[name]}?type=PASSWORD&until=2026-07-02T00:00:00.000Z&limit=20"
    while target:
        reply = client.get(target)
        if reply.status == 200:
            received += [hashlib.sha256(record).hexdigest() for record in records_of(reply.body)]
            target = reply.next_target
    logged = [record for entry in org.log if entry["complete"] for record in entry["records"]]
    assert [record["sha256"] for record in logged] == received
    assert max(record["bytes"] for record in logged) == 50_000
    parents = {record.get("parent") for record in logged}
    assert parents == {next(iter(org.truth(name))).get("parent")}
