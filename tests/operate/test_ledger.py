"""What changes something is planned, agreed to, recorded before it is sent, and read back: nothing is done twice."""

import json
import signal
from typing import Any

import pytest
from support.changed_things import LINK
from support.cli import Done
from support.operating import Operator

import circulate_core
from circulate_core import exceptions

POINTS = ("planned", "intended", "responded", "sent", "read-back")
ARGUMENTS: dict[str, tuple[str, ...]] = {
    "suspend": ("--id", "t1"),
    "update": ("--id", "t1", "-p", 'profile={"name": "new"}'),
    "create": ("--id", "t9", "--name", "nine"),
    "delete": ("--id", "t1"),
    "tag": ("--id", "t1", "--tag", "a/b"),
    "ring": ("--id", "t1"),
}
AFTER_CRASHES: dict[str, dict[str, tuple[str, int]]] = {
    # What became of each operation, and how often it was done: its worker was killed there, and it was applied again.
    "planned": {**dict.fromkeys(ARGUMENTS, ("verified", 1)), "ring": ("accepted", 1)},
    "intended": {**dict.fromkeys(ARGUMENTS, ("unknown", 0)), "update": ("verified", 1), "tag": ("verified", 1)},
    "responded": {**dict.fromkeys(ARGUMENTS, ("verified", 1)), "ring": ("unknown", 1)},
    "sent": {**dict.fromkeys(ARGUMENTS, ("verified", 1)), "ring": ("accepted", 1)},
    "read-back": {**dict.fromkeys(ARGUMENTS, ("verified", 1)), "ring": ("accepted", 1)},
}
FAULTS: dict[str, dict[str, tuple[str, int]]] = {
    # The same, where every request that would change something goes wrong in a way.
    "before": {**dict.fromkeys(ARGUMENTS, ("unknown", 0))},
    "after": {**dict.fromkeys(ARGUMENTS, ("verified", 1)), "ring": ("unknown", 1)},
    "500": {**dict.fromkeys(ARGUMENTS, ("unknown", 0))},
    "500 after": {**dict.fromkeys(ARGUMENTS, ("verified", 1)), "ring": ("unknown", 1)},
    "403": {**dict.fromkeys(ARGUMENTS, ("failed", 0))},
}


def effects(operator: Operator, operation: str) -> int:
    return sum(effect.startswith(f"{operation} ") for effect in operator.things.effects)


@pytest.mark.parametrize("operation", ARGUMENTS)
@pytest.mark.parametrize("point", POINTS)
def test_a_worker_that_is_killed_leaves_nothing_done_twice(any_operator: Operator, point: str, operation: str) -> None:
    plan = any_operator.plan(operation, *ARGUMENTS[operation])
    killed = any_operator.apply(plan, "--yes", CIRCULATE_CRASH=f"at-call-{point}#1")
    assert killed.code == -signal.SIGKILL
    (row,) = any_operator.applied(plan, "--yes")
    assert (row["status"], effects(any_operator, operation)) == AFTER_CRASHES[point][operation]
    assert row["status"] != "unknown" or row["note"]
    assert any_operator.applied(plan, "--yes") == [row], "applied once more, it tells what became of it"
    assert [entry["id"] for entry in any_operator.rows()] == [row["id"]]


@pytest.mark.parametrize("operation", ARGUMENTS)
@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_goes_wrong_nothing_is_done_twice_and_what_is_not_known_is_said(
    operator: Operator, fault: str, operation: str
) -> None:
    operator.things.fault = lambda _: fault
    plan = operator.plan(operation, *ARGUMENTS[operation])
    (row,) = operator.applied(plan, "--yes")
    status, count = FAULTS[fault][operation]
    # What is idempotent was sent several times, and each of them was done: to the same effect.
    often = effects(operator, operation) > 1 and operation == "update"
    assert (row["status"], count if often else effects(operator, operation)) == (status, count)
    assert row["note"]
    done = operator.apply(plan, "--yes")
    assert json.loads(done.out)["entries"] == [row]
    assert done.code == (0 if status == "verified" else 1)


@pytest.mark.parametrize("operation", ["suspend", "create", "tag"])
def test_what_the_api_throttled_was_not_done_and_is_sent_again(operator: Operator, operation: str) -> None:
    times: list[str] = []

    def busy(request: str) -> str | None:
        times.append(request)
        return "429" if len(times) <= 2 else None

    operator.things.fault = busy
    (row,) = operator.applied(operator.plan(operation, *ARGUMENTS[operation]))
    assert (row["status"], effects(operator, operation), len(times)) == ("verified", 1, 3)


def test_what_must_never_be_sent_again_is_not_even_if_it_was_throttled(operator: Operator) -> None:
    operator.things.fault = lambda _: "429"
    (row,) = operator.applied(operator.plan("ring", "--id", "t1"))
    assert row["status"] == "failed"
    assert operator.things.targets == ["POST /things/t1/ring"]


def test_a_plan_is_for_the_address_that_it_was_made_for(operator: Operator) -> None:
    plan = operator.plan("ring", "--id", "t1", "--account", "acme")
    operator.things.url = "http://127.0.0.1:9"
    done = operator.apply(plan, "--account", "acme")
    assert (done.code, "the plan was made for" in done.err) == (1, True)
    assert "there is no plan" in operator.apply(plan).err


def test_a_plan_shows_the_request_and_the_difference_and_changes_nothing(operator: Operator) -> None:
    done = operator("call", "acme.things.update", *ARGUMENTS["update"])
    for line in (
        'POST {url}/things/t1  {{"profile":{{"name":"new"}}}}',
        "/profile/name: t1 → new",
        "plan acme.things.update@",
    ):
        assert line.format(url=operator.things.url) in done.out
    assert "nothing was changed; `circulate apply acme.things.update@" in done.err
    assert operator.things.effects == []
    assert operator.rows() == []


def test_what_is_so_already_is_not_sent(operator: Operator) -> None:
    operator.applied(operator.plan("suspend", "--id", "t1"))
    plan = operator.plan("suspend", "--id", "t1")
    assert "it is so already" in operator("call", "acme.things.suspend", "--id", "t1").out
    (row,) = operator.applied(plan)
    assert (row["status"], row["had_effect"], row["note"]) == (
        "verified", False, "it was so already: nothing was sent"
    )  # fmt: skip
    assert operator.things.effects == ["suspend t1"]
    assert "there is nothing to undo" in operator("undo", plan).err


def test_an_object_that_has_changed_since_the_plan_is_not_touched(operator: Operator) -> None:
    plan = operator.plan("update", *ARGUMENTS["update"])
    operator.things.things["t1"]["profile"]["name"] = "of somebody else"
    (row,) = operator.applied(plan)
    assert row["status"] == "failed"
    assert '`/profile/name` was "t1" and is "of somebody else"' in row["note"]
    gone = operator.plan("suspend", "--id", "t2")
    del operator.things.things["t2"]
    (row,) = operator.applied(gone)
    assert (row["status"], "is not there any more" in row["note"]) == ("failed", True)
    assert operator.things.effects == []


MISTAKES: dict[tuple[str, ...], str] = {
    ("suspend", "--id", "nobody"): 'there is nothing with {"id":"nobody"}',
    ("suspend", "--id", "t3"): '`/status` is "LOCKED" and has to be "ACTIVE"',
    ("create", "--id", "t1", "--name", "x"): 'it is already there: {"id":"t1"}',
    ("update", "--id", "t1", "-p", 'profile={"name": 5}'): "invalid `profile/name`: want string",
    ("update", "--id", "t1", "-p", "profile={}"): "invalid `profile`",
    ("suspend",): "`id` is missing",
    ("get", "--id", "t1", "--yes"): "changes nothing: it is called, without a plan",
}


@pytest.mark.parametrize("arguments", MISTAKES, ids=" ".join)
def test_what_cannot_be_done_is_refused_when_it_is_planned(operator: Operator, arguments: tuple[str, ...]) -> None:
    operation, *rest = arguments
    operator.things.things["t3"]["status"] = "LOCKED"
    done = operator("call", f"acme.things.{operation}", *rest)
    assert done.code in {1, 2}
    assert MISTAKES[arguments] in done.err
    assert operator.things.effects == []
    assert operator.rows() == []


def test_what_is_destructive_needs_a_person_or_an_approval_of_somebody_else(operator: Operator) -> None:
    plan = operator.plan("delete", "--id", "t1")
    refused = operator.apply(plan)
    assert (refused.code, "is destructive: a person has to agree" in refused.err) == (1, True)
    assert "has not approved this plan" in operator.apply(plan, "--approved-by", "boss").err
    own = operator("approve", plan)
    assert (own.code, "somebody else has to approve it" in own.err) == (1, True)
    assert operator.things.effects == []


def test_an_approval_is_of_one_plan_by_somebody_else_for_a_time(operator: Operator) -> None:
    # Plans of somebody else, which this user approves.
    plan, other = (
        as_plan(
            python(operator, f"circulate_core.plan('acme.things.delete', {{'id': '{name}'}}, requester='eve', **known)")
        )
        for name in ("t1", "t2")
    )
    assert operator("approve", plan).code == 0
    approver = json.loads(operator("approve", plan, "--json").out)["approver"]
    assert "has not approved this plan" in operator.apply(other, "--approved-by", approver).err
    assert operator("approve", other, "--good-for", "0s").code == 0
    assert "expired at" in operator.apply(other, "--approved-by", approver).err
    (row,) = operator.applied(plan, "--approved-by", approver)
    assert (row["status"], row["requested_by"], row["approved_by"]) == ("verified", "eve", approver)
    assert operator.things.effects == ["delete t1"]


def test_who_approves_and_who_looks_needs_no_credentials_of_the_api(operator: Operator) -> None:
    made = "circulate_core.plan('acme.things.delete', {'id': 't1'}, requester='eve', **known)"
    document = json.loads(python(operator, made))
    plan, known = as_plan(json.dumps(document)), ["--catalog", "catalog", "--ledger", operator.ledger]
    assert operator.cli("approve", plan, "--account", document["account"], *known).code == 0
    assert operator.cli("approve", plan, *known, ACME_URL=operator.things.url).code == 0
    assert operator.cli("ledger", "acme", "--account", document["account"], *known).code == 0
    refused = operator.cli("approve", plan, *known)
    assert (refused.code, "acme needs `base_url`" in refused.err.lower()) == (2, True)


@pytest.mark.parametrize("name", ["eve", "Eve "])
def test_who_made_a_plan_does_not_approve_it_by_another_spelling(operator: Operator, name: str) -> None:
    made = "circulate_core.plan('acme.things.delete', {'id': 't1'}, requester='Eve', **known)"
    code = f"circulate_core.approve({made}, requester={name!r}, **known)"
    assert "somebody else has to approve it" in failing(operator, code)


def test_the_ledger_is_listed_by_a_number_of_rows(operator: Operator) -> None:
    for limit in (0, -1, 2**70):
        assert "invalid `limit`" in failing(operator, f"circulate_core.ledger('acme', limit={limit}, **known)")


def failing(operator: Operator, code: str) -> str:
    """Run a line of Python that knows the account, and return the error that it raises."""
    settings = {"base_url": operator.things.url, "token": "t"}
    known = f"dict(catalog=['catalog'], ledger={operator.ledger!r}, settings={settings!r})"
    done = operator.cli.python(f"import circulate_core\nknown = {known}\n{code}\n")
    assert done.code == 1
    return done.err


def python(operator: Operator, code: str) -> str:
    """Run a line of Python that knows the account, and return what it prints."""
    known = (
        f"import circulate_core, json\nknown = dict(catalog=['catalog'], ledger={operator.ledger!r}, "
        f"settings={{'base_url': {operator.things.url!r}, 'token': 't'}})\n"
    )
    done = operator.cli.python(f"{known}print(json.dumps({code}.to_dict()))")
    assert done.code == 0, done.err
    return done.out


def as_plan(document: str) -> str:
    plan: dict[str, Any] = json.loads(document)
    return f"{plan['operation']}@{plan['digest'][:12]}"


def test_a_plan_that_somebody_changed_is_not_applied(operator: Operator) -> None:
    plan = operator.plan("suspend", "--id", "t1")
    operator.cli.python(
        "import sqlite3\nwith sqlite3.connect('ledger.db') as db:\n"
        "    db.execute(\"update item set doc = replace(doc, '/t1/', '/t2/')\")\n"
    )
    done = operator.apply(plan)
    assert done.code == 1
    assert "the plan is not what its digest says" in done.err
    assert operator.things.effects == []


@pytest.mark.parametrize(
    "name", ["acme.things.suspend", "acme.things.suspend@", "acme.things.suspend@123", "x@12345678"]
)
def test_a_name_of_no_plan_is_refused(operator: Operator, name: str) -> None:
    for command in ("apply", "approve", "undo"):
        done = operator(command, name)
        assert done.code in {1, 2}
        assert "hint:" in done.err
    done = operator("apply", "acme.things.suspend@1234567890ab")
    assert (done.code, "there is no plan `1234567890ab`" in done.err) == (2, True)


def test_secrets_of_a_response_are_shown_to_who_asks_and_kept_nowhere(operator: Operator) -> None:
    done = operator("call", "acme.things.ring", "--id", "t1", "--yes")
    assert (done.code, "/link: ***" in done.out, LINK in done.out) == (0, True, False)
    shown = operator("call", "acme.things.ring", "--id", "t1", "--yes", "--show-secrets")
    assert LINK in shown.out
    hidden = operator("call", "acme.things.ring", "--id", "t1", "--yes", "--json")
    assert LINK not in hidden.out
    assert [row["response"] for row in operator.rows()] == [{"status": 200, "body": {"link": "***"}}] * 3
    kept = (file.read_bytes() for file in operator.cli.folder.glob("ledger.db*"))
    assert not any(b"l1nk" in content for content in kept)


def test_undo_is_a_new_plan_that_brings_back_what_was(operator: Operator) -> None:
    plan = operator.plan("update", "--id", "t1", "-p", 'profile={"name": "new", "more": [1]}')
    operator.applied(plan)
    done = operator("undo", plan)
    assert "/profile/name: new → t1" in done.out
    assert "/profile/more: [1] → nothing" in done.out
    assert operator("undo", plan, "--yes").code == 0
    assert operator.things.things["t1"]["profile"] == {"name": "t1"}
    assert [row.get("undoes") for row in operator.rows()] == [f"{plan}#1", None]


def test_what_was_made_is_undone_by_what_the_api_returned(operator: Operator) -> None:
    plan = operator.plan("create", "--id", "t9", "--name", "nine")
    operator.applied(plan)
    assert operator("undo", plan, "--yes").code == 0
    assert operator.things.effects == ["create t9", "delete t9"]


def test_what_was_made_is_undone_also_if_its_response_was_lost(operator: Operator) -> None:
    operator.things.fault = lambda request: "after" if request.startswith("POST") else None
    plan = operator.plan("create", "--id", "t9", "--name", "nine")
    (row,) = operator.applied(plan)
    assert (row["status"], row.get("response")) == ("verified", None)
    assert operator("undo", plan, "--yes").code == 0
    assert operator.things.effects == ["create t9", "delete t9"]


def test_a_call_that_the_ledger_has_no_room_for_is_not_planned(operator: Operator) -> None:
    operator.things.things["t1"]["profile"]["name"] = "x" * 100_000
    done = operator(
        "call", "acme.things.update", "--id", "t1", "-p", json.dumps({"name": "y" * 50_000}).join(["profile=", ""])
    )
    assert (done.code, "bytes of the ledger" in done.err, "in smaller parts" in done.err) == (1, True, True)
    assert operator.things.effects == []


def test_what_somebody_changed_since_is_not_undone(operator: Operator) -> None:
    plan = operator.plan("update", *ARGUMENTS["update"])
    operator.applied(plan)
    operator.things.things["t1"]["profile"]["name"] = "of somebody else"
    done = operator("undo", plan, "--yes")
    assert (done.code, "has been changed since" in done.err) == (1, True)
    assert operator.things.things["t1"]["profile"]["name"] == "of somebody else"


def test_what_is_not_known_is_not_undone(operator: Operator) -> None:
    operator.things.fault = lambda _: "before"
    plan = operator.plan("suspend", "--id", "t1")
    (row,) = operator.applied(plan)
    assert row["status"] == "unknown"
    assert "is unknown: what it did is not known" in operator("undo", plan).err
    assert "nothing undoes acme.things.ring: it has rung" in operator("undo", operator.plan("ring", "--id", "t1")).err


def many(operator: Operator, text: str, *arguments: str) -> Done:
    (operator.cli.folder / "many").write_text(text)
    return operator("call", "acme.things.suspend", "--from", "many", "--json", *arguments)


def test_many_calls_have_a_bound_and_all_that_is_wrong_is_said_at_once(operator: Operator) -> None:
    done = many(operator, "id\nt1\nnobody\nt2\nnone\n")
    assert done.code == 1
    assert 'call 2: acme.things.suspend: there is nothing with {"id":"nobody"}' in done.err
    assert 'call 4: acme.things.suspend: there is nothing with {"id":"none"}' in done.err
    assert "call 2 is there twice" in many(operator, "id\nt1\nt1\n").err
    assert "a plan has from 1 to 2" in many(operator, "id\nt1\nt2\nt3\n", "--max", "2").err
    for text, why in {
        "id\nt1,t2\n": "many:2: it has more or fewer fields",
        '{"id": "t1"}\n{"id"\n[]\n{': "many:2: it is not JSON",
        "": "many has no calls",
        "id\n": "many has no calls",
        "name\nt1\n": "there is no parameter `name`",
    }.items():
        assert why in many(operator, text).err
    assert operator.things.effects == []


def test_many_calls_are_made_in_their_order_and_reported_one_by_one(operator: Operator) -> None:
    done = many(operator, '{"id": "t1"}\n{"id": "t2"}\n\n{"id": "t3"}\n', "--yes")
    assert [row["status"] for row in json.loads(done.out)["entries"]] == ["verified"] * 3
    assert operator.things.effects == ["suspend t1", "suspend t2", "suspend t3"]
    plan = f"acme.things.suspend@{json.loads(done.out)['plan'][:12]}"
    assert operator("undo", plan, "--yes").code == 0
    assert operator.things.effects[3:] == ["unsuspend t3", "unsuspend t2", "unsuspend t1"]


def test_many_calls_stop_at_one_that_is_unknown_and_the_rest_is_not_made(operator: Operator) -> None:
    operator.things.fault = lambda request: "before" if "/t2/" in request else None
    done = many(operator, "id\nt1\nt2\nt3\n", "--yes")
    applied = json.loads(done.out)
    assert (done.code, [row["status"] for row in applied["entries"]]) == (3, ["verified", "unknown"])
    assert applied["stopped_by"].endswith("#2 is unknown")
    assert operator.things.effects == ["suspend t1"]


def test_half_of_many_calls_may_fail(operator: Operator) -> None:
    (operator.cli.folder / "many").write_text("id\nt1\nt2\nt3\n")
    plan = operator.plan("suspend", "--from", "many")
    operator.things.things["t2"]["status"] = "LOCKED"
    rows = operator.applied(plan)
    assert [row["status"] for row in rows] == ["verified", "failed", "verified"]
    assert operator.things.effects == ["suspend t1", "suspend t3"]


def test_two_workers_at_once_make_each_call_once(operator: Operator) -> None:
    (operator.cli.folder / "many").write_text("id\nt1\nt2\nt3\n")
    plan = operator.plan("suspend", "--from", "many")
    command = ["apply", plan, "--catalog", "catalog", "--ledger", operator.ledger]
    operator.cli.environment.update(ACME_URL=operator.things.url, ACME_TOKEN="t")
    workers = [operator.cli.start(*command) for _ in range(3)]
    for worker in workers:
        worker.communicate()
    assert sorted(operator.things.effects) == ["suspend t1", "suspend t2", "suspend t3"]
    assert {row["status"] for row in operator.applied(plan)} == {"verified"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_it_is_sent_leaves_it_to_the_next_worker(operator: Operator, number: signal.Signals) -> None:
    plan = operator.plan("suspend", "--id", "t1")
    operator.cli.environment.update(ACME_URL=operator.things.url, ACME_TOKEN="t")
    started: list[Any] = []

    def interrupt(_: str) -> str | None:
        if len(started) == 1:
            started.append("interrupted")
            started[0].send_signal(number)
            started[0].wait()
        return None

    operator.things.fault = interrupt
    started.append(operator.cli.start("apply", plan, "--catalog", "catalog", "--ledger", operator.ledger))
    out, err = started[0].communicate()
    assert (started[0].returncode, "Traceback" in err) == (130, False), out + err
    assert [(row["status"], row["note"]) for row in operator.rows()] == [("intent", "stopped while it was sent")]
    (row,) = operator.applied(plan)
    assert (row["status"], operator.things.effects) == ("verified", ["suspend t1"])


def test_a_source_plans_applies_and_undoes_with_its_own_settings_and_ledger(operator: Operator) -> None:
    catalog, ledger = operator.cli.folder / "catalog", operator.cli.folder / "own.db"
    settings = {"base_url": operator.things.url, "token": "t0ken-canary-0815"}
    acme: Any = circulate_core.source("acme", settings=settings, catalog=[catalog], ledger=ledger)
    plan = acme.things.suspend(id="t1")
    assert operator.things.effects == []
    applied = acme.apply(plan)
    assert (applied.status, [entry.status for entry in applied.entries]) == ("complete", ["verified"])
    undoing = acme.undo(plan.name)
    assert acme.apply(undoing).status == "complete"
    assert [entry.operation for entry in acme.ledger()] == ["acme.things.unsuspend", "acme.things.suspend"]
    assert operator.things.effects == ["suspend t1", "unsuspend t1"]
    with pytest.raises(exceptions.PlanError, match="a person has to agree"):
        acme.apply(acme.things.delete(id="t1"))
    assert acme.apply(acme.things.delete(id="t1"), yes=True).status == "complete"
    assert "canary" not in repr(plan) + repr(applied)
