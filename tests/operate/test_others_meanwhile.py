"""What others do between the steps of an operation, and what becomes of the plan, is seen before anything is sent."""

import hashlib
import json
import os
import signal
import sqlite3
from typing import Any

import pytest
from support.called import define
from support.changed_things import OPERATIONS
from support.http_server import Handler, Reply
from support.operating import Operator

UPDATE = ("--id", "t1", "-p", 'profile={"name": "new"}')


def rename(operator: Operator, name: str = "of somebody else") -> None:
    operator.things.things["t1"]["profile"]["name"] = name


def name_of(operator: Operator) -> str:
    return str(operator.things.things["t1"]["profile"]["name"])


@pytest.mark.parametrize(("operation", "arguments"), [("suspend", ("--id", "t1")), ("update", UPDATE)])
def test_a_worker_that_was_stopped_before_it_sent_sends_nothing_once_another_one_has_taken_over(
    any_operator: Operator, operation: str, arguments: tuple[str, ...]
) -> None:
    operator = any_operator
    plan = operator.plan(operation, *arguments)
    operator.cli.environment.update(ACME_URL=operator.things.url, ACME_TOKEN="t", CIRCULATE_PAUSE="at-call-intended#1")
    command = ("apply", plan, "--catalog", "catalog", "--ledger", operator.ledger, "--lease", "200ms")
    with operator.cli.start(*command) as sleeper:
        try:
            os.waitid(os.P_PID, sleeper.pid, os.WSTOPPED)
            del operator.cli.environment["CIRCULATE_PAUSE"]
            (row,) = operator.applied(plan)
            rename(operator)
            effects = list(operator.things.effects)
            sleeper.send_signal(signal.SIGCONT)
            _, err = sleeper.communicate()
        finally:
            sleeper.kill()
    assert sleeper.returncode == 1
    assert "another worker has taken this call over" in err or "changed since" in err
    assert (operator.things.effects, name_of(operator)) == (effects, "of somebody else")
    assert operator.rows() == [row]


def test_a_worker_that_slept_past_its_lease_reads_the_object_again_before_it_sends(operator: Operator) -> None:
    plan = operator.plan("update", *UPDATE)
    operator.cli.environment.update(ACME_URL=operator.things.url, ACME_TOKEN="t", CIRCULATE_PAUSE="at-call-intended#1")
    command = ("apply", plan, "--catalog", "catalog", "--ledger", operator.ledger, "--lease", "1ms")
    with operator.cli.start(*command) as sleeper:
        try:
            os.waitid(os.P_PID, sleeper.pid, os.WSTOPPED)
            rename(operator)
            sleeper.send_signal(signal.SIGCONT)
            sleeper.communicate()
        finally:
            sleeper.kill()
    assert (operator.things.effects, name_of(operator)) == ([], "of somebody else")
    assert [row["status"] for row in operator.rows()] == ["failed"]


def test_what_somebody_changed_after_a_worker_died_is_not_overwritten(operator: Operator) -> None:
    plan = operator.plan("update", *UPDATE)
    operator.apply(plan, CIRCULATE_CRASH="at-call-intended#1")
    rename(operator)
    (row,) = operator.applied(plan)
    assert (row["status"], "neither as it was nor as planned" in row["note"]) == ("unknown", True)
    assert (operator.things.effects, name_of(operator)) == ([], "of somebody else")


@pytest.mark.parametrize("fault", ["429", "500"])
def test_what_somebody_changed_while_it_waited_to_be_sent_again_is_not_overwritten(
    operator: Operator, fault: str
) -> None:
    def refuse_once(_: str) -> str | None:
        rename(operator)
        return fault if len([target for target in operator.things.targets if "POST" in target]) == 1 else None

    operator.things.fault = refuse_once
    (row,) = operator.applied(operator.plan("update", *UPDATE))
    assert row["status"] == {"429": "failed", "500": "unknown"}[fault]
    assert (operator.things.effects, name_of(operator)) == ([], "of somebody else")


def test_a_name_that_became_another_ones_is_not_taken_for_the_object(operator: Operator) -> None:
    plan = operator.plan("suspend", "--id", "t1")
    operator.things.things["t1"] = {**operator.things.things["t1"], "id": "t7"}
    (row,) = operator.applied(plan)
    assert (row["status"], '`/id` was "t1" and is "t7"' in row["note"]) == ("failed", True)
    assert operator.things.effects == []


def test_members_that_are_no_matter_of_the_operation_may_change(operator: Operator) -> None:
    plan = operator.plan("update", *UPDATE)
    operator.things.things["t1"]["profile"]["title"] = "by HR"
    (row,) = operator.applied(plan)
    assert row["status"] == "verified"
    operator.things.things["t1"]["profile"]["title"] = "by HR again"
    assert operator("undo", plan, "--yes").code == 0
    assert operator.things.things["t1"]["profile"] == {"name": "t1", "title": "by HR again"}


def test_a_list_of_what_is_not_there_does_not_show_that_nothing_is_in_it(operator: Operator) -> None:
    done = operator("call", "acme.things.untag", "--id", "nobody", "--tag", "x", "--yes")
    assert (done.code, 'there is nothing with {"id":"nobody"}' in done.err) == (1, True)
    assert operator.rows() == []


def test_a_timeout_on_the_way_is_no_refusal(operator: Operator) -> None:
    operator.things.fault = lambda _: "408"
    (row,) = operator.applied(operator.plan("ring", "--id", "t1"))
    assert row["status"] == "unknown"


@pytest.mark.parametrize("change", [{"path": "/things/{id}/suspend/all"}, {"destructive": True}])
@pytest.mark.parametrize("crash", [{}, {"CIRCULATE_CRASH": "at-call-intended#1"}])
def test_an_operation_that_is_another_one_by_now_is_not_sent(
    operator: Operator, change: dict[str, Any], crash: dict[str, str]
) -> None:
    operations = {**OPERATIONS, "suspend": {**OPERATIONS["suspend"], "retry": "idempotent"}}
    define(operator.cli.folder, operations)
    plan = operator.plan("suspend", "--id", "t1")
    if crash:
        operator.apply(plan, **crash)
    define(operator.cli.folder, {**operations, "suspend": {**operations["suspend"], **change}})
    if crash:
        (row,) = operator.applied(plan)
        assert (row["status"], "its definition has changed" in row["note"]) == ("unknown", True)
    else:
        done = operator.apply(plan)
        assert (done.code, "has changed since the plan was made" in done.err) == (1, True)
    assert operator.things.effects == []


def test_a_plan_is_known_by_its_own_operation(operator: Operator) -> None:
    plan = operator.plan("delete", "--id", "t1")
    digest = plan.partition("@")[2]
    for command, more in (("apply", ["--yes"]), ("approve", []), ("undo", [])):
        done = operator(command, f"acme.things.suspend@{digest}", *more)
        assert (done.code, "is one of acme.things.delete, and not of acme.things.suspend" in done.err) == (2, True)
    assert operator.things.effects == []


def test_the_rest_of_a_plan_that_has_expired_is_not_made(operator: Operator) -> None:
    (operator.cli.folder / "many").write_text("id\nt1\nt2\n")
    document = json.loads(operator("call", "acme.things.suspend", "--from", "many", "--json").out)
    digest, expires = document.pop("digest"), document["expires_at"]
    assert hashlib.sha256(compact(document)).hexdigest() == digest
    operator.apply(f"acme.things.suspend@{digest}", CIRCULATE_CRASH="at-call-planned#2")
    # The same plan, made long ago.
    document["expires_at"] = expires.replace(expires[:4], "2001", 1)
    older = hashlib.sha256(compact(document)).hexdigest()
    with sqlite3.connect(operator.cli.folder / operator.ledger) as ledger:
        for column, was, now in (
            ("sk", digest, older),
            ("doc", digest, older),
            ("doc", expires, document["expires_at"]),
        ):
            ledger.execute(f"update item set {column} = replace({column}, ?, ?)", (was, now))  # noqa: S608 - two names
    applied = json.loads(operator.apply(f"acme.things.suspend@{older}").out)
    assert [row["status"] for row in applied["entries"]] == ["verified"]
    assert "the plan expired at 2001" in applied["stopped_by"]
    assert operator.things.effects == ["suspend t1"]


def compact(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def test_a_secret_that_the_api_sends_back_is_not_kept(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    def echo(request: Handler) -> Reply:
        return Reply({"link": "https://acme.example/once/l1nk-canary", "sent": request.headers["Authorization"]})

    monkeypatch.setattr(operator.things, "_change", echo)
    operator.applied(operator.plan("ring", "--id", "t1"))
    (row,) = operator.rows()
    assert row["response"]["body"]["sent"] == "Bearer ***"
    assert not any(b"canary" in file.read_bytes() for file in operator.cli.folder.glob("ledger.db*"))


def test_a_page_to_sign_in_at_does_not_show_that_it_was_done(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = Reply(b"<html>Sign in</html>", [("Content-Type", "text/html; charset=utf-8")])
    monkeypatch.setattr(operator.things, "_change", lambda _: page)
    (row,) = operator.applied(operator.plan("ring", "--id", "t1"))
    assert (row["status"], "is a web page" in row["note"]) == ("unknown", True)


def test_numbers_are_sent_as_they_were_given_or_not_at_all(operator: Operator) -> None:
    given = {"a": 8.891555806188042e259, "b": -5.71199134842167e-275, "c": 123456789.12345679, "d": 2**64 - 1}
    plan = operator.plan("update", "--id", "t1", "-p", f"profile={json.dumps(given)}")
    (row,) = operator.applied(plan)
    assert row["status"] == "verified"
    assert operator.things.things["t1"]["profile"] == {"name": "t1", **given}
    done = operator("call", "acme.things.update", "--id", "t1", "-p", 'profile={"a": 12345678901234567890123}')
    assert (done.code, "12345678901234567890123 would be rounded" in done.err) == (2, True)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("id,id\nt1,t2\n", "many:1: the heading has `id` more than once"),
        ('{"id": "t1", "id": "t2"}\n', "many:1: it is not JSON: `id` is there twice"),
        ("id\nt1\u2028t2\n", 'there is nothing with {"id":"t1\u2028t2"}'),
    ],
)
def test_a_file_of_calls_means_one_thing(operator: Operator, text: str, why: str) -> None:
    (operator.cli.folder / "many").write_text(text)
    done = operator("call", "acme.things.suspend", "--from", "many")
    assert (done.code in {1, 2}, why in done.err.replace("\\u{2028}", "\u2028")) == (True, True), done.err
