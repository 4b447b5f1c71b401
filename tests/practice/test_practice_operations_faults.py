"""Faults of operations, and the effects that are noted whatever the client was answered."""

import http.client
import json
from collections.abc import Callable

import pytest
from support.judged_client import Judged, Operate
from support.practice_client import LIST, Client, Clock

from circulate_practice import OPERATIONS, Fault, FaultError, PracticeOrg
from circulate_practice.data.timestamps import timestamp
from circulate_practice.okta.events import EventWriter
from circulate_practice.okta.system_log import SystemLog
from circulate_practice.operations.call import Effect
from circulate_practice.operations.log_events import note

ANN = {"login": "ann@example.org", "email": "ann@example.org", "firstName": "Ann", "lastName": "Lee"}
NEW = {"profile": ANN}


def active(call: Judged) -> str:
    """Return the address of a user who can be suspended."""
    return next(f"{LIST}/{user['id']}" for user in call.json("GET", LIST) if user["status"] == "ACTIVE")


def no_response(send: Callable[[], object], client: Client) -> bool:
    """Return whether a request that `send` sends gets no response."""
    try:
        send()
    except (http.client.HTTPException, ConnectionResetError):
        client.close()
        return True
    return False


def counts(call: Judged) -> dict[str, int]:
    """Return how often each operation did something."""
    found: dict[str, int] = call.client.get("/_practice/effects").json["counts"]
    return found


@pytest.mark.parametrize("fault", ["lost", "error-after", "hang-after"])
def test_an_operation_whose_response_is_lost_was_done(operate: Operate, fault: str) -> None:
    org, call = operate(users=30, faults=[f"users.suspend/{fault}@1"])
    target = active(call)
    suspend = f"{target}/lifecycle/suspend"
    if fault == "error-after":
        assert call.refused("POST", suspend) == (500, "E0000009")
    else:
        send = call.client.leave if fault == "hang-after" else call.client.get
        assert no_response(lambda: send(suspend, method="POST"), call.client)
    assert call.json("GET", target)["status"] == "SUSPENDED"
    assert call.refused("POST", suspend) == (400, "E0000001")
    assert (counts(call), org.log[-3]["fault"]) == ({"users.suspend": 1}, fault)


@pytest.mark.parametrize("fault", ["reset", "hang", "500", "503", "502", "429", "429-concurrency", "403", "401"])
def test_an_operation_with_another_response_was_not_done(operate: Operate, fault: str) -> None:
    _, call = operate(users=30, faults=[f"users.suspend/{fault}@1"])
    target = active(call)
    suspend = f"{target}/lifecycle/suspend"
    if fault in {"reset", "hang"}:
        send = call.client.leave if fault == "hang" else call.client.get
        assert no_response(lambda: send(suspend, method="POST"), call.client)
    else:
        assert call.client.get(suspend, method="POST").status == int(fault[:3])
    assert (call.json("GET", target)["status"], counts(call)) == ("ACTIVE", {})
    call.json("POST", suspend)
    assert counts(call) == {"users.suspend": 1}


def test_a_throttled_operation_says_so_in_the_headers_of_okta(operate: Operate) -> None:
    _, call = operate(users=30, faults=["users.suspend/429@1", "users.suspend/429-concurrency@2"])
    suspend = f"{active(call)}/lifecycle/suspend"
    rate, concurrency = (call("POST", suspend) for _ in range(2))
    assert (rate.error_code, rate.header("X-Rate-Limit-Remaining")) == ("E0000047", "0")
    assert [concurrency.header(f"X-Rate-Limit-{name}") for name in ("Limit", "Remaining")] == ["0", "0"]


def test_blind_repetition_of_a_lost_creation_is_refused_and_of_a_lost_deletion_deletes(operate: Operate) -> None:
    org, call = operate(users=5, faults=["users.create/lost@1", "users.delete/lost@1"])
    assert no_response(lambda: call("POST", LIST, NEW), call.client)
    assert call.refused("POST", LIST, NEW) == (400, "E0000001")
    user_id = call.json("GET", f"{LIST}/ann")["id"]
    assert no_response(lambda: call("DELETE", f"{LIST}/{user_id}"), call.client)
    call.json("DELETE", f"{LIST}/{user_id}", status=204)
    assert call.refused("GET", f"{LIST}/{user_id}") == (404, "E0000007")
    assert [(effect["seq"], effect["detail"].get("did")) for effect in org.effects] == [
        (1, None),
        (2, "deactivate"),
        (3, "delete"),
    ]


def test_a_refused_operation_can_lose_its_response_too_and_has_no_effect(operate: Operate) -> None:
    org, call = operate(users=5, faults=["users.create/lost@2"])
    call.json("POST", LIST, NEW)
    assert no_response(lambda: call("POST", LIST, NEW), call.client)
    assert [effect["operation"] for effect in org.effects] == ["users.create"]


@pytest.mark.parametrize("reads", [0, 1, 3])
def test_a_status_can_take_some_reads_to_change(operate: Operate, clock: Clock, reads: int) -> None:
    org, call = operate(users=30, faults=[f"users.deactivate/async:{reads}@1"])
    target = active(call)
    before = call.json("GET", target)
    clock.now += 60
    call.json("POST", f"{target}/lifecycle/deactivate")
    for _ in range(reads):
        during = call.json("GET", target)
        assert (during["status"], during["transitioningToStatus"]) == ("ACTIVE", "DEPROVISIONED")
        assert during["statusChanged"] == before["statusChanged"]
    clock.now += 60
    after = call.json("GET", target)
    assert (after["status"], after.get("transitioningToStatus")) == ("DEPROVISIONED", None)
    assert after["statusChanged"] == after["lastUpdated"] > before["lastUpdated"]
    assert [effect["operation"] for effect in org.effects] == ["users.deactivate"]


def test_a_user_whose_status_is_changing_cannot_be_changed(operate: Operate) -> None:
    org, call = operate(users=5, faults=["users.create/async:1@1", "users.delete/async:1@2"])
    user = call.json("POST", LIST, {**NEW, "credentials": {"password": {"value": "correct horse"}}})
    assert (user["status"], user["transitioningToStatus"]) == ("STAGED", "ACTIVE")
    target = f"{LIST}/{user['id']}"
    for method, path in (("POST", "/lifecycle/activate"), ("POST", "/lifecycle/deactivate"), ("DELETE", "")):
        assert call.refused(method, target + path) == (409, "E0000112")
    assert call.refused("POST", target, {"profile": {"title": "x"}}) == (409, "E0000112")
    assert [call.json("GET", target)["status"] for _ in range(2)] == ["STAGED", "ACTIVE"]
    call.json("DELETE", target, status=204)
    assert [call.json("GET", target)["status"] for _ in range(2)] == ["ACTIVE", "DEPROVISIONED"]
    assert [effect["operation"] for effect in org.effects] == ["users.create", "users.delete"]


def test_a_fault_concerns_calls_of_its_operation_or_all_that_write(operate: Operate) -> None:
    _, call = operate(users=30, faults=["users.suspend/500@2", "operations/503@4", "users.get/502@1"])
    target = active(call)
    calls = ("suspend", "unsuspend", "suspend", "suspend", "suspend")
    replies = [call.client.get(f"{target}/lifecycle/{verb}", method="POST") for verb in calls]
    assert [reply.status for reply in replies] == [200, 200, 500, 503, 200]
    assert [call.client.get(target).status for _ in range(2)] == [502, 200]


def test_faults_can_be_added_while_the_org_runs(operate: Operate) -> None:
    org, call = operate(users=30)
    suspend = f"{active(call)}/lifecycle/suspend"
    assert call.client.get("/_practice/fault?fault=users.suspend/500*1", method="POST").status == 200
    assert call.refused("POST", suspend) == (500, "E0000009")
    org.add_fault("users.suspend/503@2")
    assert call.refused("POST", suspend) == (503, "E0000010")
    call.json("POST", suspend)
    refused = call.client.get("/_practice/fault?fault=teapot", method="POST")
    assert (refused.status, "unknown fault" in refused.json["error"]) == (400, True)


def test_effects_are_shown_by_operation_and_by_object(operate: Operate, clock: Clock) -> None:
    org, call = operate(users=30, groups=20, group_members=5)
    target = active(call)
    user = target.rpartition("/")[2]
    group = next(group["id"] for group in call.json("GET", "/api/v1/groups") if group["type"] == "OKTA_GROUP")
    others = set(call.client.get(LIST).ids) - {user, *members_of(call, group)}
    other = min(others)
    call.json("PUT", f"/api/v1/groups/{group}/users/{other}", status=204)
    call.json("POST", f"{target}/lifecycle/suspend")
    call.json("POST", f"{target}/lifecycle/unsuspend")
    shown = call.client.get("/_practice/effects").json
    assert shown == {
        "count": 3,
        "counts": {"group_members.add": 1, "users.suspend": 1, "users.unsuspend": 1},
        "effects": json.loads(json.dumps(org.effects)),
    }
    assert shown["effects"][0] == {
        "seq": 1,
        "time": clock.now,
        "operation": "group_members.add",
        "id": group,
        "child": other,
        "detail": {},
    }
    assert call.client.get("/_practice/effects?operation=users.suspend").json["count"] == 1
    assert call.client.get(f"/_practice/effects?id={user}&operation=users.unsuspend").json["count"] == 1
    assert [effect["seq"] for effect in call.client.get(f"/_practice/effects?id={other}").json["effects"]] == [1]


def members_of(call: Judged, group: str) -> list[str]:
    """Return the ids of the members of a group."""
    return call.client.get(f"/api/v1/groups/{group}/users").ids


def test_the_system_log_says_what_was_done(operate: Operate) -> None:
    org, call = operate(users=30, groups=40, group_members=0)
    target = active(call)
    user = target.rpartition("/")[2]
    group = next(group["id"] for group in call.json("GET", "/api/v1/groups") if group["type"] == "OKTA_GROUP")
    before = len(list(org.truth("logs")))
    calls = [("POST", f"{target}/lifecycle/suspend"), ("PUT", f"/api/v1/groups/{group}/users/{user}")]
    for method, path in [*calls, ("DELETE", target), ("DELETE", target)]:
        call(method, path)
    events = call.client.get("/api/v1/logs?limit=1000").json[before:]
    assert [(event["eventType"], [target["id"] for target in event["target"]]) for event in events] == [
        ("user.lifecycle.suspend", [user]),
        ("group.user_membership.add", [group, user]),
        ("user.lifecycle.deactivate", [user]),
        ("user.lifecycle.delete.initiated", [user]),
    ]
    assert {event["outcome"]["result"] for event in events} == {"SUCCESS"}


@pytest.mark.parametrize("name", [name for name, operation in OPERATIONS.items() if operation.writes])
def test_every_operation_that_writes_has_an_event(clock: Clock, name: str) -> None:
    log = SystemLog(0, 1, clock, EventWriter(1, 1, edge_cases=False))
    note(log, name, Effect("one", "two", {"did": "delete"}))
    [entry] = log.truth()
    assert entry["lastUpdated"] == timestamp(int(clock.now * 1000)).decode()


def test_effects_survive_a_restart_and_count_against_nothing(operate: Operate) -> None:
    org, call = operate(users=30)
    call.json("POST", f"{active(call)}/lifecycle/suspend")
    requests = org.request_count
    call.client.close()
    org.stop()
    org.start()
    assert counts(call) == {"users.suspend": 1}
    assert org.request_count == requests


@pytest.mark.parametrize("text", ["users.suspend/async:1", "users.get/lost", "lost", "users/lost", "users.sleep/500"])
def test_a_fault_that_an_operation_cannot_have_is_refused(text: str) -> None:
    with pytest.raises(FaultError, match=text):
        Fault.parse(text)


def test_a_hanging_request_ends_with_the_org() -> None:
    org = PracticeOrg(users=5, faults=["users.get/hang"]).start()
    client = Client(org)
    target = f"{LIST}/{next(iter(org.truth()))['id']}"
    client.connection.request("GET", target, headers={"Authorization": f"SSWS {org.token}"})
    org.wait_for_requests(1, timeout=60)
    org.stop()
    with pytest.raises((http.client.HTTPException, ConnectionResetError)):
        client.connection.getresponse()
    client.close()
