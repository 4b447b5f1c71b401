"""Rate limit and concurrency limit, on a clock the test sets."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from support.practice_client import Client, Clock, Serve

from circulate_practice import PracticeOrg, Window


@contextmanager
def at_its_limit(serve: Serve) -> Iterator[tuple[PracticeOrg, Client]]:
    """Start an org that serves one request at a time, and has one that stays until the block ends."""
    arrived, release = threading.Event(), threading.Event()

    def hold(_: float) -> None:
        arrived.set()
        release.wait(10)

    org, client = serve(users=5, concurrency=1, faults=["stall:1*1"], wait=hold)
    first = Client(org)
    held = threading.Thread(target=first.get)
    held.start()
    assert arrived.wait(10)
    yield org, client
    release.set()
    held.join()
    first.close()


def test_requests_beyond_the_limit_are_rejected_until_the_window_is_over(serve: Serve, clock: Clock) -> None:
    org, client = serve(users=5, rate_limit=3, window=60)
    assert [client.get().status for _ in range(5)] == [200, 200, 200, 429, 429]
    clock.now += 59.9
    assert client.get().status == 429
    clock.now += 0.1
    assert client.get().status == 200
    start = clock.now - 60
    assert org.windows == [Window(start, 6, 3), Window(clock.now, 1, 0)]


def test_headers_show_what_is_left_and_when_it_resets(serve: Serve, clock: Clock) -> None:
    _, client = serve(users=5, rate_limit=2, window=60)
    replies = [client.get() for _ in range(3)]
    assert [reply.header("X-Rate-Limit-Limit") for reply in replies] == ["2", "2", "2"]
    assert [reply.header("X-Rate-Limit-Remaining") for reply in replies] == ["1", "0", "0"]
    reset = int(replies[2].header("X-Rate-Limit-Reset") or "0")
    assert clock.now + 60 <= reset < clock.now + 61


def test_a_rejected_request_gets_oktas_error(serve: Serve) -> None:
    _, client = serve(users=5, rate_limit=1)
    client.get()
    reply = client.get()
    assert (reply.status, reply.error_code) == (429, "E0000047")
    assert reply.header("Retry-After") is None


def test_a_window_starts_with_its_first_request(serve: Serve, clock: Clock) -> None:
    org, client = serve(users=5, rate_limit=2, window=10)
    clock.now += 7.5
    client.get()
    clock.now += 33
    client.get()
    assert [window.start for window in org.windows] == [clock.now - 33, clock.now]


def test_a_request_without_a_valid_token_uses_nothing_up(serve: Serve) -> None:
    org, client = serve(users=5)
    client.get(token="wrong")
    assert org.windows == []
    assert org.request_count == 1


def test_too_many_requests_at_once_are_told_apart_by_a_limit_of_zero(serve: Serve, clock: Clock) -> None:
    with at_its_limit(serve) as (org, client):
        reply = client.get()
    assert (reply.status, reply.error_code) == (429, "E0000047")
    assert (reply.header("X-Rate-Limit-Limit"), reply.header("X-Rate-Limit-Remaining")) == ("0", "0")
    assert int(reply.header("X-Rate-Limit-Reset") or "0") >= clock.now + 60
    assert client.get().status == 200
    assert org.windows == [Window(clock.now, 3, 1)]


def test_windows_can_be_asked_for_over_http(serve: Serve, clock: Clock) -> None:
    _, client = serve(users=5, rate_limit=1)
    client.get()
    client.get()
    reply = client.get("/_practice/windows", token="none needed")
    assert json.loads(reply.body) == [{"start": clock.now, "count": 2, "rejected": 1}]


def test_every_bucket_has_a_quota_of_its_own_and_apps_share_theirs_with_all_below(serve: Serve, clock: Clock) -> None:
    org, client = serve(apps=1, groups=1, rate_limit=2, rate_limits={"/api/v1/apps": 3})
    app, group = (next(iter(org.truth(name)))["id"] for name in ("apps", "groups"))
    targets = {
        "/api/v1/apps": [
            "/api/v1/apps",
            f"/api/v1/apps/{app}",
            f"/api/v1/apps/{app}/users",
            f"/api/v1/apps/{app}/groups",
        ],
        "/api/v1/users": ["/api/v1/users", "/api/v1/users?limit=1", "/api/v1/users"],
        "/api/v1/groups": ["/api/v1/groups", "/api/v1/groups?limit=1", "/api/v1/groups"],
        "/api/v1/groups/{id}": [f"/api/v1/groups/{group}", f"/api/v1/groups/{group}/users", "/api/v1/groups/00g1"],
        "/api/v1/users/{id}": ["/api/v1/users/00u1", "/api/v1/users/00u1/factors", "/api/v1/users/00u1/roles"],
        "/api/v1/devices": ["/api/v1/devices", "/api/v1/devices?limit=1", "/api/v1/devices"],
        "/api/v1": ["/api/v1/zones", "/nowhere", "/api/v1/policies?type=PASSWORD"],
    }
    for bucket, paths in targets.items():
        replies = [client.get(path) for path in paths]
        limit = "3" if bucket == "/api/v1/apps" else "2"
        assert [reply.header("X-Rate-Limit-Limit") for reply in replies] == [limit] * len(replies)
        assert [reply.status == 429 for reply in replies] == [False] * (len(replies) - 1) + [True]
        assert org.windows_of(bucket) == [Window(clock.now, len(paths), 1)]
    assert len(org.windows) == len(targets)


def test_windows_of_one_bucket_can_be_asked_for_over_http(serve: Serve, clock: Clock) -> None:
    _, client = serve()
    client.get()
    client.get("/api/v1/apps")
    client.get("/api/v1/apps")
    reply = client.get("/_practice/windows?bucket=/api/v1/apps")
    assert json.loads(reply.body) == [{"start": clock.now, "count": 2, "rejected": 0}]
    assert len(client.get("/_practice/windows").json) == 2


def test_too_many_requests_at_once_count_whatever_their_bucket(serve: Serve) -> None:
    with at_its_limit(serve) as (_, client):
        reply = client.get("/api/v1/apps")
    assert (reply.status, reply.header("X-Rate-Limit-Limit")) == (429, "0")


@pytest.mark.parametrize("limits", [{"/api/v1/apps": 0}, {"/api/v1/zones": 5}])
def test_a_limit_of_no_bucket_or_below_1_is_refused(serve: Serve, limits: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="rate_limits"):
        serve(rate_limits=limits)
