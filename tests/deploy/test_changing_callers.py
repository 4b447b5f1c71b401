"""Handlers of functions that call an operation which changes something, called as Lambda calls them."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.called import define, serving
from support.changed_things import LINK, OPERATIONS, ChangedThings, things
from support.handlers import Context, iam_user, lines

import circulate_core
from circulate_core import _core, exceptions
from circulate_core.aws import caller

Invoke = Callable[..., dict[str, Any]]
TABLE = "operations"


@pytest.fixture
def changed() -> Iterator[ChangedThings]:
    with serving(things()) as served:
        assert isinstance(served, ChangedThings)
        yield served


@pytest.fixture
def make(changed: ChangedThings, aws: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Invoke]:
    """Make the functions of operations of an API, with what Terraform would give them: no bucket, no state."""
    catalog = define(tmp_path, OPERATIONS)
    monkeypatch.setenv("ACME_URL", changed.url)
    monkeypatch.setenv("ACME_TOKEN", "t0ken-canary")
    monkeypatch.setenv("ACME_ACCOUNT", "main")
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    monkeypatch.setenv("CIRCULATE_LEDGER", f"dynamodb://{TABLE}")
    for name in ("CIRCULATE_TO", "CIRCULATE_STATE"):
        monkeypatch.delenv(name, raising=False)
    _core.state_init(f"dynamodb://{TABLE}")

    def made(operation: str) -> Invoke:
        handler: Invoke = caller(f"acme.things.{operation}", catalog=str(catalog))
        return lambda event=None, **context: handler(event, Context(**context))

    return made


def become(user: str, aws: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Use AWS as this user from now on; return what IAM knows them by."""
    made, environment = iam_user(user, aws)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return made


def test_a_plan_changes_nothing_and_says_what_it_would(
    make: Callable[[str], Invoke], changed: ChangedThings, capsys: pytest.CaptureFixture[str]
) -> None:
    planned = make("suspend")({"parameters": {"id": "t1"}})
    name, digest = planned.pop("plan").split("@")
    assert (name, len(digest)) == ("acme.things.suspend", 64)
    assert planned.pop("expires_at")
    assert planned == {
        "operation": "acme.things.suspend",
        "account": "main",
        "needs_approval": False,
        "kind": "contain",
        "destructive": False,
        "calls": [
            {
                "parameters": {"id": "t1"},
                "request": {"method": "POST", "url": f"{changed.url}/things/t1/suspend"},
                "changes": [{"pointer": "/status", "before": "ACTIVE", "after": "SUSPENDED"}],
                "unchanged": False,
            }
        ],
    }
    assert changed.effects == []
    events = [(line["event"], line.get("requests")) for line in lines(capsys) if line["event"].startswith("call")]
    assert events == [("call started", None), ("call ended", 1)]


def test_every_event_may_come_twice(
    make: Callable[[str], Invoke], changed: ChangedThings, capsys: pytest.CaptureFixture[str]
) -> None:
    suspend, unsuspend = make("suspend"), make("unsuspend")
    event = {"parameters": {"id": "t1"}}
    plan = [suspend(event) for _ in "ab"][-1]["plan"]
    first, second = (suspend({"apply": plan}) for _ in "ab")
    assert first == second
    (call,) = first.pop("calls")
    assert first == {"operation": "acme.things.suspend", "account": "main", "plan": plan, "status": "complete"}
    assert (call["status"], call["had_effect"]) == ("verified", True)
    assert call["id"] == f"{plan[: plan.index('@') + 13]}#1"
    undone = [suspend({"undo": plan}) for _ in "ab"][-1]
    assert (undone["operation"], undone["undoes"]) == ("acme.things.unsuspend", call["id"])
    results = [unsuspend({"apply": undone["plan"]}) for _ in "ab"]
    assert [result["calls"][0]["status"] for result in results] == ["verified", "verified"]
    assert changed.effects == ["suspend t1", "unsuspend t1"]
    last = lines(capsys)[-1]
    assert (last["event"], last["result"]["calls"]) == ("call ended", {"verified": 1})


def test_a_plan_that_is_made_anew_is_another_one(make: Callable[[str], Invoke], changed: ChangedThings) -> None:
    suspend = make("suspend")
    changed.fault = lambda _: "403"
    assert suspend({"apply": suspend({"parameters": {"id": "t1"}})["plan"]})["status"] == "failed"
    # Within the second that the clock of a table shows.
    changed.fault = None
    assert suspend({"apply": suspend({"parameters": {"id": "t1"}})["plan"]})["status"] == "complete"


def test_what_is_destructive_waits_for_one_of_those_who_may_approve_it(
    make: Callable[[str], Invoke], changed: ChangedThings, aws: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    delete = make("delete")
    boss = become("boss", aws, monkeypatch)
    eve = become("eve", aws, monkeypatch)
    planned = delete({"parameters": {"id": "t1"}})
    assert planned["needs_approval"]
    plan = planned["plan"]
    for named in ({}, {"approved_by": boss}, {"approved_by": [eve, boss]}):
        with pytest.raises(exceptions.ApprovalError) as waiting:
            delete({"apply": plan, **named})
        assert ("`approved_by`" in str(waiting.value), "--yes" in str(waiting.value)) == (True, False)
    # Nobody is taken for another one, and who has made a plan does not approve it.
    with pytest.raises(exceptions.PlanError, match=f"{eve} has made this plan"):
        approve(plan)
    with pytest.raises(exceptions.SettingsError, match="the ledger is dynamodb"):
        approve(plan, requester=boss)
    for approvers, part in ((eve, "cannot approve it"), ([], "nobody is named who may approve it")):
        with pytest.raises(exceptions.PlanError, match=part) as raised:
            delete({"apply": plan, "approved_by": approvers})
        assert not isinstance(raised.value, exceptions.ApprovalError), "waiting does not help"
    assert changed.effects == []
    deputy = become("deputy", aws, monkeypatch)
    assert approve(plan).approver == deputy
    applied = delete({"apply": plan, "approved_by": [boss, deputy]})
    assert (applied["status"], changed.effects) == ("complete", ["delete t1"])
    (row,) = circulate_core.ledger("acme", ledger=f"dynamodb://{TABLE}", **known())
    assert (row.requested_by, row.approved_by) == (eve, deputy)


def approve(plan: str, **options: Any) -> circulate_core.Approval:  # noqa: ANN401 - of `approve`
    return circulate_core.approve(plan, ledger=f"dynamodb://{TABLE}", **options, **known())


def known() -> dict[str, Any]:
    """Return what names the account of the functions outside of them."""
    return {"account": "main", "catalog": [str(next(Path.cwd().glob("catalog")))]}


@pytest.fixture(autouse=True)
def _in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_what_became_of_a_call_is_returned_also_if_it_failed_or_nobody_knows(
    make: Callable[[str], Invoke], changed: ChangedThings
) -> None:
    suspend, ring = make("suspend"), make("ring")
    for fault, operation, call, status in (
        ("403", "suspend", suspend, "failed"),
        ("before", "suspend", suspend, "unknown"),
        ("500", "ring", ring, "unknown"),
    ):
        changed.fault = None
        plan = call({"parameters": {"id": "t2"}})["plan"]
        changed.fault = lambda _, fault=fault: fault
        applied = call({"apply": plan})
        assert (applied["status"], applied["calls"][0]["status"]) == ("failed", status), operation
        assert applied["calls"][0]["note"]
    assert changed.effects == []


def test_secrets_of_responses_are_neither_returned_nor_logged(
    make: Callable[[str], Invoke], changed: ChangedThings, capsys: pytest.CaptureFixture[str]
) -> None:
    ring = make("ring")
    applied = ring({"apply": ring({"parameters": {"id": "t1"}})["plan"]})
    assert changed.effects == ["ring t1"]
    assert (applied["calls"][0]["status"], LINK in json.dumps(applied)) == ("accepted", False)
    assert LINK not in str(lines(capsys))


def test_a_plan_whose_object_changed_is_not_sent(make: Callable[[str], Invoke], changed: ChangedThings) -> None:
    update = make("update")
    plan = update({"parameters": {"id": "t1", "profile": {"name": "new"}}})["plan"]
    changed.things["t1"]["profile"]["name"] = "meanwhile"
    applied = update({"apply": plan})
    assert (applied["status"], "changed since" in applied["calls"][0]["note"]) == ("failed", True)
    assert changed.effects == []


def test_an_invocation_without_time_begins_nothing_and_one_that_waits_too_long_sends_nothing(
    make: Callable[[str], Invoke], changed: ChangedThings
) -> None:
    suspend = make("suspend")
    plan = suspend({"parameters": {"id": "t1"}})["plan"]
    with pytest.raises(exceptions.SettingsError, match="too little to do anything"):
        suspend({"apply": plan}, left_ms=100)
    changed.fault = lambda _: "429 for long"
    applied = suspend({"apply": plan})
    assert (applied["status"], "it was not sent" in applied["calls"][0]["note"]) == ("failed", True)
    changed.fault = None
    assert suspend({"apply": suspend({"parameters": {"id": "t1"}})["plan"]})["status"] == "complete"
    assert changed.effects == ["suspend t1"]


PLAN = "acme.things.suspend@0123456789ab"


@pytest.mark.parametrize(
    ("event", "part"),
    [
        ({"apply": PLAN}, "there is no plan `0123456789ab`"),
        ({"undo": PLAN}, "there is no plan `0123456789ab`"),
        ({"apply": "acme.things.delete@0123456789ab"}, "`apply` of the event is a plan of another operation"),
        ({"undo": "acme.things.delete@0123456789ab"}, "`undo` of the event is a plan of another operation"),
        ({"apply": "0123456789ab"}, "`apply` of the event names no plan: 0123456789ab"),
        ({"apply": f"{PLAN[:-5]}"}, "names no plan"),
        ({"apply": 5}, "`apply` of the event names no plan: 5"),
        ({"apply": [PLAN]}, "`apply` of the event names no plan"),
        ({"apply": PLAN, "undo": PLAN}, "`apply` and `undo`: one of them at a time"),
        ({"apply": PLAN, "parameters": {}}, "`parameters` and `apply`: one of them at a time"),
        ({"apply": PLAN, "approved_by": [5]}, "`approved_by` of the event must be a name or a list of names"),
        ({"apply": PLAN, "approved_by": ["eve", "\ud800"]}, "`approved_by` of the event must be a name or a list"),
        ({"apply": PLAN, "approved_by": ""}, "`approved_by` of the event must be a name or a list of names"),
        ({"parameters": {"id": "t1"}, "approved_by": "x"}, "`approved_by` without `apply`"),
        ({"undo": PLAN, "approved_by": "x"}, "`approved_by` without `apply`"),
        ({"parameters": {"id": "t1"}, "yes": True}, "the event has an unknown key `yes`"),
        ({"parameters": "t1"}, "`parameters` of the event must be an object, not a string"),
        ({"parameters": {}}, "`id` is missing"),
        ({"account": "other", "parameters": {"id": "t1"}}, "this function knows no account `other`"),
        ({"account": 5}, "`account` of the event must be a string, not a number"),
        (["t1"], "the event is not a JSON object but a list"),
    ],
)
def test_an_event_that_is_wrong_is_reported_and_nothing_is_requested(
    make: Callable[[str], Invoke], changed: ChangedThings, event: object, part: str
) -> None:
    with pytest.raises(exceptions.SettingsError) as raised:
        make("suspend")(event)
    assert part in str(raised.value)
    assert changed.requests == []


def test_a_function_without_a_ledger_says_so_and_requests_nothing(
    make: Callable[[str], Invoke], changed: ChangedThings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CIRCULATE_LEDGER")
    with pytest.raises(exceptions.SettingsError, match="CIRCULATE_LEDGER is not set"):
        make("suspend")({"parameters": {"id": "t1"}})
    assert changed.requests == []
