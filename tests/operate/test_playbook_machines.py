"""Playbooks as state machines, run by two interpreters with handlers of functions: as here, and nothing twice."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from support.calling_functions import Functions
from support.changed_things import OPERATIONS
from support.cli import StartOrg
from support.handlers import iam_user
from support.http_server import Handler, Reply
from support.machines import ARNS, ExecutionFailedError, Machines, deployed
from support.playing import EFFECTS, STEPS, UNDONE, Plays, alike, steps

import circulate_core
from circulate_core import Playbook, _core, exceptions
from circulate_practice import PracticeOrg

GUIDE = Path(__file__).resolve().parents[2] / "python/docs/playbooks.md"
RING = {"id": "ring", "operation": "acme.things.ring", "parameters": {"id": "t1"}}
DELETE = {"id": "delete", "operation": "acme.things.delete", "parameters": {"id": "{inputs/id}"}}
T1 = {"inputs": {"id": "t1"}}


@pytest.fixture(params=["moto", "ministack"])
def interpreter(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def functions(plays: Plays) -> Functions:
    return Functions(*of_things(plays))


def of_things(plays: Plays) -> tuple[str, dict[str, str], Path, str, list[str]]:
    """Return what the functions of things are made of."""
    return "acme", plays.settings, plays.folder / "functions.db", "main", [str(plays.catalog)]


@pytest.fixture
def machines(interpreter: str, functions: Functions, monkeypatch: pytest.MonkeyPatch) -> Machines:
    return Machines(interpreter, functions, monkeypatch)


def both(machines: Machines, playbook: Playbook, given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run a playbook's state machine, and then the one that undoes it; return both documents."""
    run = machines.run(deployed(playbook.compile()), given)
    return run, machines.run(deployed(playbook.compile(undo=True)), run, "undo-1")


def ids(document: dict[str, Any]) -> dict[str, str]:
    """Return what became of each step."""
    return {step["id"]: step["status"] for step in document["steps"]}


CASES: dict[str, tuple[list[dict[str, Any]], Callable[[str], str | None] | None]] = {
    # Steps, and what goes wrong with requests.
    "all goes well": (STEPS, None),
    "nothing undoes a step": ([*STEPS, RING], None),
    "a step fails": (STEPS, lambda request: "403" if request.endswith("/suspend") else None),
    "a step fails, and the next is done": (
        steps(suspend={"on_failure": "continue"}),
        lambda request: "403" if request.endswith("/suspend") else None,
    ),
    "a step fails, and all is undone": (
        steps(suspend={"on_failure": "undo"}),
        lambda request: "403" if request.endswith("/suspend") else None,
    ),
    "it is not known what a step did": (
        steps(suspend={"on_failure": "continue"}),
        lambda request: "before" if request.endswith("/suspend") else None,
    ),
    "it is not known what the last step did, and all is to be undone": (
        [*STEPS, {**RING, "on_failure": "undo"}],
        lambda request: "after" if request.endswith("/ring") else None,
    ),
    "the undo of a step is refused": (STEPS, lambda request: "403" if request.endswith("/unsuspend") else None),
    "a read fails": ([{**STEPS[0], "parameters": {"id": "nobody"}}, *STEPS[1:]], None),
    "a value is not there": (steps(suspend={"parameters": {"id": "{steps/thing/returned/missing}"}}), None),
    "a value is wrong": (
        steps(rename={"parameters": {"id": "t1", "profile": "{steps/thing/returned/name}"}, "on_failure": "continue"}),
        None,
    ),
    "criteria are met": (
        steps(thing={"success_criteria": {"/returned/status": ["LOCKED", "ACTIVE"], "/returned/n": [1.5]}}),
        None,
    ),
    "criteria are not met": (
        steps(thing={"success_criteria": {"/returned/status": ["LOCKED", None, True, 1], "/returned/n": [1.5]}}),
        None,
    ),
    "what criteria are about is not there": (steps(thing={"success_criteria": {"/returned/missing/it": ["x"]}}), None),
    "it was so already": ([STEPS[2], {**STEPS[2], "id": "again"}], None),
}


@pytest.mark.parametrize("case", CASES)
def test_a_state_machine_returns_the_document_of_a_run_here(plays: Plays, machines: Machines, case: str) -> None:
    written, fault = CASES[case]
    written = [{**each, "parameters": json.loads(json.dumps(each["parameters"]))} for each in written]
    if case == "it was so already":
        written = [{**each, "parameters": {"id": "{inputs/id}"}} for each in written]
    plays.things.things["t1"]["n"] = 1.5
    before = json.dumps(plays.things.things)
    inputs = {
        "id": {"about": "Id."},
        **({"name": {"about": "A name.", "default": "new"}} if "tag" in str(written) else {}),
    }
    if "nobody" in str(written) or case == "it was so already":
        inputs["id"] = {"about": "Id.", "default": "t1"}
    playbook = plays.read(written, inputs)
    plays.things.fault = fault
    run, undo = both(machines, playbook, T1)
    there = plays.things.effects, json.dumps(plays.things.things)
    plays.things.effects, plays.things.things = [], json.loads(before)
    here = playbook.run({"id": "t1"}, yes=True)
    undone = playbook.undo(here, yes=True)
    assert alike(run) == alike(here.to_dict())
    assert alike(undo) == alike(undone.to_dict())
    assert there == (plays.things.effects, json.dumps(plays.things.things))


def test_values_are_put_into_events_as_they_are_here(plays: Plays, machines: Machines) -> None:
    inputs = {
        "id": {"about": "Id."},
        "profile": {"about": "Members.", "schema": {"type": "object"}},
        "count": {"about": "A number.", "schema": {"type": "integer"}, "default": 7},
    }
    profile = {
        "whole": "{inputs/profile}",
        "count": "{inputs/count}",
        "text": "it's {inputs/count} of {{{inputs/profile/deep/name}}} \\ ${{functions}} %{{x}}",
        "constant": "{{braces}} ${{functions}}",
        "list": ["{inputs/count}", "it's {{one}}", "{steps/thing/returned/status}!", 1.5, True, None, {"a": ["b"]}],
        "plain": [1, {"a": ["{{b}}"]}, None],
    }
    update = {
        "id": "update",
        "operation": "acme.things.update",
        "parameters": {"id": "{inputs/id}", "profile": profile},
    }
    playbook = plays.read([STEPS[0], update], inputs)
    given = {"id": "t1", "profile": {"deep": {"name": "it"}}}
    run = machines.run(deployed(playbook.compile()), {"inputs": given})
    assert run["status"] == "complete", run
    there = plays.things.things["t1"].pop("profile")
    plays.things.things["t1"]["profile"] = {"name": "t1"}
    assert playbook.run(given, yes=True).status == "complete"
    assert there == plays.things.things["t1"]["profile"]
    assert there["text"] == "it's 7 of {it} \\ ${functions} %{x}"


@pytest.mark.parametrize("interpreter", ["ministack"])  # moto reads no such paths
def test_members_of_any_name_are_reached(plays: Plays, machines: Machines) -> None:
    tag = {"id": "tag", "operation": "acme.things.tag", "parameters": {"id": "t1", "tag": "{inputs/it/some name/a~1b}"}}
    inputs = {"it": {"about": "It.", "schema": {"type": "object"}}}
    given = {"inputs": {"it": {"some name": {"a/b": "x"}}}}
    assert machines.run(deployed(plays.read([tag], inputs).compile()), given)["status"] == "complete"
    assert plays.things.effects == ["tag t1 x"]


@pytest.mark.parametrize("interpreter", ["ministack"])  # moto returns a list of what is below an item of a list
def test_items_of_lists_are_reached(plays: Plays, machines: Machines) -> None:
    tags = {"id": "tags", "operation": "acme.things.tags", "parameters": {"id": "t1"}}
    untag = {
        "id": "untag",
        "operation": "acme.things.untag",
        "parameters": {"id": "t1", "tag": "{steps/tags/returned/1/name}"},
    }
    plays.things.things["t1"]["tags"] = [{"name": "a"}, {"name": "b"}]
    run, undo = both(machines, plays.read([tags, untag], {}), {})
    assert (run["status"], undo["status"]) == ("complete", "complete")
    assert plays.things.effects == ["untag t1 b", "tag t1 b"]


@dataclass
class LosingFunctions(Functions):
    """Functions whose first response to each event is lost: Lambda reports an error, and they are invoked again."""

    lost: set[str] = field(default_factory=set)

    def __call__(self, name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
        """Return a function."""
        handle = super().__call__(name)

        def losing(event: dict[str, Any]) -> dict[str, Any]:
            returned = handle(event)
            if (key := f"{name} {json.dumps(event)}") not in self.lost:
                self.lost.add(key)
                error = type("Lambda.Unknown", (Exception,), {})
                raise error
            return returned

        return losing


def test_what_step_functions_invokes_twice_is_done_once(
    plays: Plays, interpreter: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    losing = LosingFunctions(*of_things(plays))
    machines = Machines(interpreter, losing, monkeypatch)
    run, undo = both(machines, plays.read(), T1)
    assert (run["status"], undo["status"], plays.things.effects) == ("complete", "complete", EFFECTS + UNDONE)
    assert len(machines.invoked) == 2 * len(losing.lost) == 2 * (1 + 2 * 3 + 2 * 3)


def test_what_is_passing_is_tried_again_and_what_is_not_is_not(
    plays: Plays, functions: Functions, machines: Machines
) -> None:
    functions.raising = [exceptions.BusyError("another worker"), exceptions.NetworkError("down")]
    assert machines.run(deployed(plays.read().compile()), T1)["status"] == "complete"
    assert [wait >= 60 for wait in machines.waits if wait >= 1] == [True, True]
    invoked = len(machines.invoked)
    functions.raising = [exceptions.AuthError("no")]
    run = machines.run(deployed(plays.read().compile()), T1)
    assert (run["status"], run["steps"][0]["error"]["Error"]) == ("failed", "AuthError")
    assert len(machines.invoked) == invoked + 1


def test_what_was_sent_and_not_read_back_yet_is_applied_again(plays: Plays, machines: Machines) -> None:
    def refuse(request: Handler) -> Reply | None:
        is_read = request.command == "GET" and "suspend t1" in plays.things.effects
        return Reply({"error": "no"}, status=403) if is_read else None

    def readable() -> None:
        if "BusyError" in machines.outcomes:
            plays.things.respond_to = None

    plays.things.respond_to, machines.at_retry = refuse, readable
    run, undo = both(machines, plays.read(steps(suspend={"on_failure": "undo"})), T1)
    assert (run["status"], undo["status"], plays.things.effects) == ("complete", "complete", EFFECTS + UNDONE)
    assert machines.outcomes.count("BusyError") == 1


def test_inputs_are_what_their_schemas_say(plays: Plays, machines: Machines) -> None:
    inputs = {
        "id": {"about": "Id.", "schema": {"type": "string", "enum": ["t1", "t2"]}},
        "tag": {"about": "Tag.", "schema": {"type": "string"}, "default": "seen"},
    }
    parameters = {"id": "{inputs/id}", "tag": "{inputs/tag}"}
    steps = [{"id": "tag", "operation": "acme.things.tag", "parameters": parameters}]
    definition = deployed(plays.read(steps, inputs).compile())
    for given in ({"id": "t3"}, {"id": 5}, {"id": "t1", "tag": 5}, {"id": ["t1"]}):
        with pytest.raises(ExecutionFailedError, match="an input is not what the playbook takes: id: Id; tag: Tag"):
            machines.run(definition, {"inputs": given})
    assert (machines.invoked, plays.things.requests) == ([], [])
    assert machines.run(definition, {"inputs": {"id": "t1"}})["status"] == "complete"


def test_what_no_state_machine_can_check_of_an_input_is_not_compiled(plays: Plays) -> None:
    steps = [{"id": "suspend", "operation": "acme.things.suspend", "parameters": {"id": "{inputs/id}"}}]
    for schema in ({"type": "string", "pattern": "^t"}, {"type": "integer", "minimum": 1}, {"enum": [1, 2]}):
        with pytest.raises(exceptions.DefinitionError, match=r"input `id`: .*cannot be checked there"):
            plays.read(steps, {"id": {"about": "Id.", "schema": schema}}).compile()


def approving(plays: Plays, functions: Functions, machines: Machines, after: int) -> None:
    """Have somebody approve the plan that is waited for, after a number of attempts."""
    attempts: list[int] = []

    def approve() -> None:
        attempts.append(1)
        plan = machines.invoked[-1][1].get("apply") if machines.invoked else None
        if len(attempts) >= after and plan:
            known = {name: value for name, value in plays.known().items() if name != "headroom"}
            circulate_core.approve(plan, requester="AIDABOSS:boss", ledger=functions.ledger, **known)

    machines.at_retry = approve


def test_a_destructive_step_waits_for_the_approval_of_one_of_the_approvers(
    plays: Plays, functions: Functions, machines: Machines
) -> None:
    approving(plays, functions, machines, after=5)
    playbook = plays.read([DELETE], {"id": {"about": "Id."}})
    run = machines.run(deployed(playbook.compile()), {**T1, "approvers": ["AIDANOBODY", "AIDABOSS:boss"]})
    assert (run["status"], plays.things.effects) == ("complete", ["delete t1"])
    assert {wait for wait in machines.waits if wait >= 1} == {60}
    assert sum("apply" in event for _, event in machines.invoked) > 3
    assert sum("parameters" in event for _, event in machines.invoked) == 1, "it is planned once"


@pytest.mark.parametrize(
    ("approvers", "error"),
    [({}, "PlanError"), ({"approvers": []}, "PlanError"), ({"approvers": ["AIDANOBODY"]}, "ApprovalError")],
)
def test_a_step_that_nobody_approves_is_not_done_and_the_rest_can_be_undone(
    plays: Plays, machines: Machines, approvers: dict[str, Any], error: str
) -> None:
    playbook = plays.read([*STEPS, DELETE])
    # A day's worth of attempts would take as many invocations.
    definition = deployed(playbook.compile())
    assert '"MaxAttempts": 1500' in definition
    run = machines.run(definition.replace('"MaxAttempts": 1500', '"MaxAttempts": 3'), {**T1, **approvers})
    assert (run["status"], ids(run)["delete"]) == ("failed", "failed")
    assert run["steps"][-1]["error"]["Error"] == error
    undo = machines.run(deployed(playbook.compile(undo=True)), run)
    assert ids(undo) == {
        "delete": "nothing_to_undo",
        "tag": "complete",
        "suspend": "complete",
        "rename": "complete",
    }
    assert plays.things.effects == EFFECTS + UNDONE


@pytest.mark.parametrize("interpreter", ["moto"])
def test_the_guide_has_what_the_state_machines_invoke(
    start_org: StartOrg, interpreter: str, aws: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `UPDATE_DOCS=1` it is written anew."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    table = "dynamodb://operations"
    _core.state_init(table)
    org = start_org(users=50)
    login = somebody(org)["profile"]["login"]
    machines = Machines(interpreter, Functions("okta", okta_of(org), table, "acme"), monkeypatch)
    boss, keys = iam_user("boss", aws)

    def approve() -> None:
        if machines.waits.count(60.0) == 2:
            plan = machines.invoked[-1][1]["apply"]
            with patch.dict(os.environ, keys):
                circulate_core.approve(plan, ledger=table, settings=okta_of(org), account="acme")

    machines.at_retry = approve
    playbook = circulate_core.playbook("contain_account", settings=okta_of(org), ledger=table)
    given = {"inputs": {"login": login}, "accounts": {"okta": "acme"}, "approvers": [boss]}
    run = machines.run(deployed(playbook.compile()), given)
    lines = ["# contain_account", *invocations(machines), f"# {run['status']}", "", "# contain_account-undo"]
    machines.invoked.clear()
    machines.outcomes.clear()
    undo = machines.run(deployed(playbook.compile(undo=True)), run)
    lines += [*invocations(machines), f"# {undo['status']}"]
    assert (run["status"], undo["status"]) == ("complete", "complete")
    transcript = "\n".join(lines).replace(boss, "AIDAEXAMPLE")
    guide = GUIDE.read_text()
    block = re.compile(r"```text\n# contain_account\n.*?\n```", re.DOTALL)
    expected = block.sub(lambda _: f"```text\n{transcript}\n```", guide, count=1)
    assert transcript in expected
    if os.environ.get("UPDATE_DOCS"):
        GUIDE.write_text(expected)
    assert guide == expected, "UPDATE_DOCS=1 pytest tests/operate/test_playbook_machines.py writes it"


def invocations(machines: Machines) -> list[str]:
    """Return what was invoked, a line each, without what differs from run to run."""
    lines = []
    for (name, event), outcome in zip(machines.invoked, machines.outcomes, strict=True):
        del event["account"]
        shown = re.sub(r"@[0-9a-f]{64}", "@…", json.dumps(event))
        lines.append(f"{name:<25} {shown}{f'  → {outcome}' if outcome else ''}")
    return lines


def test_a_destructive_step_that_has_nothing_to_do_waits_for_nobody(
    start_org: StartOrg, interpreter: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    org = start_org(users=50)
    okta: Any = circulate_core.source("okta", settings=okta_of(org))
    active = (user for user in okta.stream("users").records() if user["status"] == "ACTIVE")
    user = next(user for user in active if not okta.users.grants(id=user["id"]))
    machines = Machines(interpreter, Functions("okta", okta_of(org), tmp_path / "ledger.db", "o"), monkeypatch)
    playbook = circulate_core.playbook("contain_account", settings=okta_of(org))
    run = machines.run(deployed(playbook.compile()), {"inputs": {"login": user["id"]}})
    assert (run["status"], [wait for wait in machines.waits if wait >= 1]) == ("complete", [])


def test_what_a_state_machine_returned_is_undone_here(plays: Plays, functions: Functions, machines: Machines) -> None:
    playbook = plays.read()
    functions.ledger = plays.ledger
    run = machines.run(deployed(playbook.compile()), T1, "name of: an execution")
    file = plays.folder / "execution.json"
    file.write_text(json.dumps(run))
    undo = playbook.undo(file, yes=True)
    assert (undo.status, undo.undoes) == ("complete", "name of: an execution")
    assert plays.things.effects == EFFECTS + UNDONE
    # And what ran here by a state machine.
    here = playbook.run({"id": "t1"}, yes=True)
    undone = machines.run(deployed(playbook.compile(undo=True)), here.to_dict())
    assert (undone["status"], plays.things.effects) == ("complete", 2 * (EFFECTS + UNDONE))


@pytest.mark.parametrize("value", [None, [1], {"a": 1}])
def test_what_cannot_be_a_part_of_a_text_fails_its_step_there_as_here(
    plays: Plays, machines: Machines, value: object
) -> None:
    plays.things.things["t1"]["odd"] = value
    # An input that is null is one that is not given.
    for odd in ("x-{steps/thing/returned/odd}", "{inputs/name}-x")[: 1 if value is None else 2]:
        step = {"id": "tag", "operation": "acme.things.tag", "parameters": {"id": "{inputs/id}", "tag": odd}}
        inputs = {"id": {"about": "Id."}, "name": {"about": "A name.", "schema": {}, "default": value}}
        inputs = inputs if "inputs" in odd else {"id": inputs["id"]}
        playbook = plays.read([STEPS[0], step], inputs)
        here = playbook.run({"id": "t1"}, yes=True).to_dict()
        there = machines.run(deployed(playbook.compile()), T1)
        assert alike(there) == alike(here)
        assert there["steps"][1]["error"]["Error"] == "NoValueError"
    assert plays.things.effects == []


def test_an_execution_does_not_wait_for_approvers_that_are_null(plays: Plays, machines: Machines) -> None:
    playbook = plays.read([*STEPS, DELETE])
    with pytest.raises(ExecutionFailedError, match=r"SettingsError: `approvers` of the execution is null"):
        machines.run(deployed(playbook.compile()), {**T1, "approvers": None})
    assert plays.things.requests == []


def test_an_undo_is_not_undone(plays: Plays, machines: Machines) -> None:
    _, undo = both(machines, plays.read(), T1)
    with pytest.raises(ExecutionFailedError, match="is an undo itself"):
        machines.run(deployed(plays.read().compile(undo=True)), undo)


def test_an_undo_that_is_executed_again_passes_over_what_is_undone(plays: Plays, machines: Machines) -> None:
    run, _ = both(machines, plays.read(), T1)
    again = machines.run(deployed(plays.read().compile(undo=True)), run, "undo-2")
    assert (again["status"], set(ids(again).values())) == ("complete", {"nothing_to_undo"})
    assert plays.things.effects == EFFECTS + UNDONE
    # So does one that came to its end only now.
    run = machines.run(deployed(plays.read().compile()), T1, "run-2")
    known = {"ledger": plays.folder / "functions.db", **plays.known()}
    circulate_core.apply(circulate_core.undo(run["steps"][3]["plan"], **known), **known)
    rest = machines.run(deployed(plays.read().compile(undo=True)), run, "undo-3")
    assert (rest["status"], ids(rest)["tag"]) == ("complete", "nothing_to_undo")
    assert plays.things.effects == 2 * (EFFECTS + UNDONE)


@pytest.mark.parametrize("given", [{}, {"inputs": {}}, {"inputs": {"name": "x"}}, {"accounts": {"acme": "main"}}])
def test_an_execution_without_its_inputs_fails_before_it_calls_anything(
    plays: Plays, machines: Machines, given: dict[str, Any]
) -> None:
    with pytest.raises(ExecutionFailedError, match=r"SettingsError: the execution needs the inputs id"):
        machines.run(deployed(plays.read().compile()), given)
    assert machines.invoked == []


@pytest.mark.parametrize("other", [{"playbook_sha256": "0" * 64}, {"playbook_sha256": None}])
def test_a_run_of_another_text_is_not_undone(plays: Plays, machines: Machines, other: dict[str, Any]) -> None:
    playbook = plays.read()
    run = machines.run(deployed(playbook.compile()), T1)
    with pytest.raises(ExecutionFailedError, match="SettingsError: the input is not what an execution of rename"):
        machines.run(deployed(playbook.compile(undo=True)), {**run, **other})
    assert plays.things.effects == EFFECTS


def test_events_name_the_account_if_the_execution_does(plays: Plays, machines: Machines) -> None:
    playbook = plays.read()
    both(machines, playbook, {**T1, "accounts": {"acme": "second"}})
    assert {event["account"] for _, event in machines.invoked} == {"second"}
    machines.invoked.clear()
    both(machines, playbook, T1)
    assert {event["account"] for _, event in machines.invoked} == {None, "main"}


def test_what_a_state_machine_cannot_do_is_named_at_once(plays: Plays) -> None:
    profile = {"a.$": "x", "list": [{"deep": "{inputs/id}"}], "fine": ["{inputs/id}"]}
    update = {"id": "update", "operation": "acme.things.update", "parameters": {"id": "t1", "profile": profile}}
    playbook = plays.read([update], {"id": {"about": "Id."}})
    with pytest.raises(exceptions.DefinitionError) as raised:
        playbook.compile()
    for part in ("`steps.update.parameters.profile.a.$`", "`steps.update.parameters.profile.list`"):
        assert part in str(raised.value)
    with pytest.raises(exceptions.DefinitionError, match="changes nothing: there is nothing to undo"):
        plays.read(STEPS[:1], {"id": {"about": "Id."}}).compile(undo=True)


def test_states_of_a_step_of_the_longest_name_have_names_that_are_taken(plays: Plays, machines: Machines) -> None:
    name = "d" * 63
    playbook = plays.read([{**DELETE, "id": name, "parameters": {"id": "{inputs/id}"}}], {"id": {"about": "Id."}})
    machines.functions = lambda _: lambda _: {"operation": "-", "account": "-", "plan": None, "needs_approval": False}
    both(machines, playbook, T1)


def test_a_playbook_that_reads_alone_is_a_state_machine(plays: Plays, machines: Machines) -> None:
    read = {**STEPS[0], "on_failure": "undo"}
    playbook = plays.read([read], {"id": {"about": "Id."}})
    assert machines.run(deployed(playbook.compile()), T1)["status"] == "complete"
    assert machines.run(deployed(playbook.compile()), {"inputs": {"id": "nobody"}})["status"] == "failed"


@pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not installed")
def test_terraform_fills_in_the_functions_and_nothing_else(plays: Plays, tmp_path: Path) -> None:
    step = {**STEPS[0], "parameters": {"id": "${{functions}} %{{if}} $${{x}} {inputs/id}"}}
    template = plays.read([step], {"id": {"about": "Id."}}).compile()
    (tmp_path / "x.asl.json").write_text(template)
    done = subprocess.run(
        ["terraform", "console"],  # noqa: S607 - of this machine
        cwd=tmp_path,
        input=f'jsonencode(jsondecode(templatefile("x.asl.json", {{functions = "{ARNS}"}})))\n',
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(json.loads(done.stdout)) == json.loads(deployed(template))


def okta_of(org: PracticeOrg) -> dict[str, Any]:
    return {"org_url": org.url, "api_token": org.token}


def somebody(org: PracticeOrg) -> dict[str, Any]:
    """Return a user who is active, and has given grants."""
    okta: Any = circulate_core.source("okta", settings=okta_of(org))
    active = (user for user in okta.stream("users").records() if user["status"] == "ACTIVE")
    return next(user for user in active if okta.users.grants(id=user["id"]))


def test_a_compromised_account_is_contained_and_given_back(
    start_org: StartOrg, interpreter: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = []
    for where in ("here", "machine"):
        org = start_org(users=50)
        user = somebody(org)
        ledger = tmp_path / f"{where}.db"
        playbook = circulate_core.playbook("contain_account", settings=okta_of(org), ledger=ledger, account="practice")
        given = {"login": user["profile"]["login"]}
        if where == "here":
            done = playbook.run(given, yes=True)
            documents.append((done.to_dict(), playbook.undo(done, yes=True).to_dict(), org))
        else:
            functions = Functions("okta", okta_of(org), ledger, "practice")
            machines = Machines(interpreter, functions, monkeypatch)
            known: dict[str, Any] = {"settings": okta_of(org), "account": "practice", "ledger": ledger}

            def approve(known: dict[str, Any] = known, machines: Machines = machines) -> None:
                if machines.invoked and (plan := machines.invoked[-1][1].get("apply")):
                    circulate_core.approve(plan, requester="boss", **known)

            machines.at_retry = approve
            made = machines.run(deployed(playbook.compile()), {"inputs": given, "approvers": ["boss"]})
            documents.append((made, machines.run(deployed(playbook.compile(undo=True)), made), org))
            functions_called = {name for name, _ in machines.invoked}
            assert functions_called == {
                f"okta-users-{name}" for name in ("get", "suspend", "clear_sessions", "revoke_grants", "unsuspend")
            }
        okta: Any = circulate_core.source("okta", settings=okta_of(org))
        after = okta.users.get(id=user["id"])
        assert (after["status"], okta.users.grants(id=user["id"])) == ("ACTIVE", [])
    for run, undo, _ in documents:
        assert (run["status"], undo["status"]) == ("complete", "complete")
    ports = [org.url.rpartition(":")[2] for _, _, org in documents]
    (here, here_undone, _), (there, there_undone, _) = documents
    for one, other in ((here, there), (here_undone, there_undone)):
        assert alike(one) == alike(json.loads(json.dumps(other).replace(ports[1], ports[0])))


def test_every_operation_that_is_tested_here_is_one_that_things_have() -> None:
    assert {step["operation"].rpartition(".")[2] for step in [*STEPS, RING, DELETE]} <= OPERATIONS.keys()
