"""Playbooks run here: step by step, nothing twice, and undone in reverse up to what is not known."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from support.called import define, serving
from support.changed_things import OPERATIONS, things
from support.cli import Cli, StartOrg
from support.commands import PATIENCE
from support.http_server import Handler, Reply
from support.playing import EFFECTS, INPUTS, STEPS, UNDONE, Plays, statuses, steps

import circulate_core
from circulate_core import PlaybookRun, exceptions
from circulate_core.catalogs import SHIPPED_CATALOG
from circulate_core.playbooks.definition import SHIPPED, read_playbook, shipped_names
from circulate_core.playbooks.kept import KeptRuns

T1 = {"id": "t1"}
ALL_DONE = {"thing": "complete", "rename": "complete", "suspend": "complete", "tag": "complete"}


def test_without_yes_what_would_be_done_is_planned_and_nothing_is_changed(plays: Plays, users_state: Path) -> None:
    run = plays.read().run(T1)
    assert (run.status, statuses(run)) == ("planned", {**dict.fromkeys(ALL_DONE, "planned"), "thing": "complete"})
    planned = run.steps[1].planned
    assert planned is not None
    assert planned["calls"][0]["changes"] == [{"pointer": "/profile/name", "before": "t1", "after": "new"}]
    assert plays.things.effects == []
    assert not (users_state / "circulate/playbooks").exists()


def test_what_waits_for_an_earlier_step_is_not_planned_before_and_is_done_then(plays: Plays) -> None:
    # The second can only be planned once there is what the first makes; the third needs what the second returned.
    make = {"id": "make", "operation": "acme.things.create", "parameters": {"id": "t9", "name": "nine"}}
    suspend = {"id": "suspend", "operation": "acme.things.suspend", "parameters": {"id": "t9"}}
    tag = {
        "id": "tag",
        "operation": "acme.things.tag",
        "parameters": {"id": "t9", "tag": "{steps/suspend/calls/0/status}-{steps/suspend/status}"},
    }
    playbook = plays.read([make, suspend, tag], {})
    run = playbook.run()
    assert (run.status, statuses(run)) == ("planned", {"make": "planned", "suspend": "not_begun", "tag": "not_begun"})
    assert run.steps[1].error is not None
    assert "there is nothing with" in run.steps[1].error.Cause
    run = playbook.run(yes=True)
    assert (run.status, set(statuses(run).values())) == ("complete", {"complete"})
    assert plays.things.effects == ["create t9", "suspend t9", "tag t9 verified-complete"]


def test_a_run_does_each_step_once_and_is_kept_for_nobody_else_to_read(plays: Plays, users_state: Path) -> None:
    told: list[tuple[str, str]] = []
    run = plays.read().run(T1, yes=True, on_step=lambda step: told.append((step.id, step.status)))
    assert (run.status, statuses(run), plays.things.effects) == ("complete", ALL_DONE, EFFECTS)
    assert told == list(ALL_DONE.items())
    assert run.inputs == {"id": "t1", "name": "new"}
    (file,) = (users_state / "circulate/playbooks").glob("*.json")
    assert (file.stem, file.stat().st_mode & 0o777) == (run.run, 0o600)
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert json.loads(file.read_text()) == run.to_dict()


def test_an_undo_goes_in_reverse_and_is_not_done_twice(plays: Plays) -> None:
    playbook = plays.read()
    run = playbook.run(T1, yes=True)
    undo = playbook.undo(run)
    assert (undo.status, list(statuses(undo))) == ("planned", ["tag", "suspend", "rename"])
    assert plays.things.effects == EFFECTS
    for _ in range(2):
        undo = playbook.undo(run.run, yes=True)
        assert (undo.status, undo.undoes, set(statuses(undo).values())) == ("complete", run.run, {"complete"})
        assert plays.things.effects == EFFECTS + UNDONE
    assert plays.things.things["t1"] == {
        "id": "t1", "name": "t1", "status": "ACTIVE", "profile": {"name": "t1"}, "tags": []
    }  # fmt: skip
    with pytest.raises(exceptions.SettingsError, match="is an undo itself"):
        playbook.undo(undo.run)


def test_a_value_keeps_its_type_and_a_text_takes_values_in(plays: Plays) -> None:
    inputs = {
        "id": {"about": "Id."},
        "profile": {"about": "Members.", "schema": {"type": "object"}},
        "count": {"about": "A number.", "schema": {"type": "integer"}, "default": 7},
    }
    profile = {
        "whole": "{inputs/profile}",
        "count": "{inputs/count}",
        "text": "{inputs/count} of {{{inputs/profile/deep/0/a~1b}}}",
        "list": ["{inputs/count}", {"no": "{steps/thing/returned/status}"}],
    }
    update = {
        "id": "update",
        "operation": "acme.things.update",
        "parameters": {"id": "{inputs/id}", "profile": profile},
    }
    run = plays.read([STEPS[0], update], inputs).run({"id": "t1", "profile": {"deep": [{"a/b": True}]}}, yes=True)
    assert run.status == "complete"
    assert plays.things.things["t1"]["profile"] == {
        "name": "t1",
        "whole": {"deep": [{"a/b": True}]},
        "count": 7,
        "text": "7 of {true}",
        "list": [7, {"no": "ACTIVE"}],
    }


def test_what_was_so_already_is_not_undone(plays: Plays) -> None:
    plays.things.things["t1"]["status"] = "SUSPENDED"
    playbook = plays.read()
    run = playbook.run(T1, yes=True)
    assert (run.status, plays.things.effects) == ("complete", ["update t1", "tag t1 new"])
    undo = playbook.undo(run, yes=True)
    assert statuses(undo) == {"tag": "complete", "suspend": "nothing_to_undo", "rename": "complete"}
    assert plays.things.things["t1"]["status"] == "SUSPENDED"


def refusing(*paths: str, fault: str = "403") -> Any:  # noqa: ANN401 - a fault of things
    return lambda request: fault if request.endswith(paths) else None


@pytest.mark.parametrize(
    ("on_failure", "status", "then", "effects"),
    [
        ("end", "failed", "not_begun", ["update t1"]),
        ("continue", "partial", "complete", ["update t1", "tag t1 new"]),
        ("undo", "failed", "not_begun", ["update t1", "update t1"]),
    ],
)
def test_what_happens_if_a_step_fails_is_as_it_says(
    plays: Plays, on_failure: str, status: str, then: str, effects: list[str]
) -> None:
    plays.things.fault = refusing("/suspend")
    run = plays.read(steps(suspend={"on_failure": on_failure})).run(T1, yes=True)
    assert (run.status, statuses(run)) == (status, {**ALL_DONE, "suspend": "failed", "tag": then})
    assert plays.things.effects == effects
    assert run.steps[2].result is not None
    assert run.steps[2].result["calls"][0]["status"] == "failed"
    if on_failure == "undo":
        assert run.undo is not None
        assert statuses(run.undo) == {"tag": "not_begun", "suspend": "nothing_to_undo", "rename": "complete"}
        assert (run.undo.status, plays.things.things["t1"]["profile"]) == ("complete", {"name": "t1"})
    else:
        assert run.undo is None


def test_a_step_succeeds_by_its_criteria(plays: Plays) -> None:
    criteria = {"/returned/status": ["SUSPENDED", None], "/returned/name": ["t1"]}
    playbook = plays.read(steps(thing={"success_criteria": criteria}))
    run = playbook.run(T1, yes=True)
    assert (run.status, statuses(run)["thing"], plays.things.effects) == ("failed", "failed", [])
    plays.things.things["t1"]["status"] = None
    del plays.things.things["t1"]["name"]
    assert playbook.run(T1, yes=True).status == "failed", "what is not there is no value"
    # One whose failure is what is wanted.
    plays.things.things["t1"] |= {"status": "ACTIVE", "name": "t1"}
    plays.things.fault = refusing("/suspend")
    wanted = {"success_criteria": {"/calls/0/status": ["failed"], "/status": ["failed"]}}
    run = plays.read(steps(suspend=wanted)).run(T1, yes=True)
    assert (run.status, statuses(run)) == ("complete", ALL_DONE)


def test_true_is_not_one(plays: Plays) -> None:
    plays.things.things["t1"]["flag"] = True
    criteria = {"/returned/flag": [1]}
    assert plays.read(steps(thing={"success_criteria": criteria})).run(T1, yes=True).status == "failed"


@pytest.mark.parametrize("path", ["missing", "profile/name/deeper", "name/0", "list/1", f"list/{'9' * 5000}"])
def test_a_value_that_is_not_there_fails_its_step_and_nothing_is_sent(plays: Plays, path: str) -> None:
    plays.things.things["t1"]["list"] = [1]
    parameters = {"id": f"{{steps/thing/returned/{path}}}"}
    run = plays.read(steps(suspend={"parameters": parameters})).run(T1, yes=True)
    assert (run.status, plays.things.effects) == ("failed", ["update t1"])
    error = run.steps[2].error
    assert error is not None
    assert (error.Error, "there is no such member" in error.Cause) == ("NoValueError", True)


def test_a_step_that_is_wrong_with_what_it_is_given_fails_with_the_reason(plays: Plays) -> None:
    run = plays.read(steps(rename={"parameters": {"id": "t1", "profile": "{steps/thing/returned/name}"}})).run(
        T1, yes=True
    )
    error = run.steps[1].error
    assert error is not None
    assert (run.status, error.Error, plays.things.effects) == ("failed", "SettingsError", [])
    assert "invalid `profile`: want object" in error.Cause


def test_an_undo_stops_at_the_first_step_of_which_it_is_not_known_what_it_did(plays: Plays) -> None:
    # The connection breaks after it was sent: whether it was done is not known.
    plays.things.fault = refusing("/suspend", fault="before")
    playbook = plays.read(steps(suspend={"on_failure": "continue"}))
    run = playbook.run(T1, yes=True)
    assert run.status == "partial"
    effects = ["update t1", "tag t1 new"]
    assert plays.things.effects == effects
    plays.things.fault = None
    for _ in range(2):
        undo = playbook.undo(run, yes=True)
        assert statuses(undo) == {"tag": "complete", "suspend": "failed", "rename": "not_begun"}
        assert undo.steps[1].error is not None
        assert "is unknown: what it did is not known" in undo.steps[1].error.Cause
        assert plays.things.effects == [*effects, "untag t1 new"], "nothing that was done before it is undone"


def test_it_stops_there_even_if_nothing_would_undo_that_step(plays: Plays) -> None:
    plays.things.fault = refusing("/ring", fault="after")
    ring = {"id": "ring", "operation": "acme.things.ring", "parameters": {"id": "t1"}, "on_failure": "undo"}
    run = plays.read([*STEPS[:3], ring]).run(T1, yes=True)
    assert run.undo is not None
    assert statuses(run.undo) == {"ring": "failed", "suspend": "not_begun", "rename": "not_begun"}
    assert plays.things.effects == ["update t1", "suspend t1", "ring t1"]


def test_what_nothing_undoes_is_named_with_the_reason_and_passed_over(plays: Plays) -> None:
    ring = {"id": "ring", "operation": "acme.things.ring", "parameters": {"id": "t1"}}
    playbook = plays.read([*STEPS[:3], ring])
    run = playbook.run(T1, yes=True)
    assert "l1nk-canary" not in json.dumps(run.to_dict())
    undo = playbook.undo(run, yes=True)
    assert statuses(undo) == {"ring": "nothing_to_undo", "suspend": "complete", "rename": "complete"}
    planned = undo.steps[0].planned
    assert planned is not None
    assert planned["no_undo"] == "it has rung"


def test_an_object_that_was_changed_since_stops_an_undo_which_goes_on_once_it_can(plays: Plays) -> None:
    playbook = plays.read()
    run = playbook.run(T1, yes=True)
    plays.things.things["t1"]["status"] = "ACTIVE"
    undo = playbook.undo(run)
    assert (undo.status, statuses(undo)["suspend"]) == ("planned", "not_begun")
    undo = playbook.undo(run, yes=True)
    assert (undo.status, statuses(undo)) == (
        "failed", {"tag": "complete", "suspend": "failed", "rename": "not_begun"}
    )  # fmt: skip
    assert undo.steps[1].error is not None
    assert (undo.steps[1].error.Error, "changed since" in undo.steps[1].error.Cause) == ("PlanError", True)
    plays.things.things["t1"]["status"] = "SUSPENDED"
    assert playbook.undo(run, yes=True).status == "complete"
    assert plays.things.effects == EFFECTS + UNDONE


def test_what_was_undone_otherwise_is_passed_over_and_what_was_done_again_is_not(plays: Plays) -> None:
    playbook = plays.read()
    run = playbook.run(T1, yes=True)
    known = {"ledger": plays.ledger, **plays.known()}

    def undo_plan(plan: Any) -> circulate_core.Plan:  # noqa: ANN401 - a plan or its name
        undoing = circulate_core.undo(plan, **known)
        circulate_core.apply(undoing, **known)
        return undoing

    by_hand = undo_plan(run.steps[2].plan)
    shown = playbook.undo(run)
    assert statuses(shown) == {"tag": "planned", "suspend": "nothing_to_undo", "rename": "planned"}
    assert shown.steps[1].planned is not None
    assert shown.steps[1].planned["undone_by"] == f"{by_hand.name}#1"
    undo_plan(by_hand)
    assert plays.things.things["t1"]["status"] == "SUSPENDED"
    assert statuses(playbook.undo(run, yes=True)) == dict.fromkeys(("tag", "suspend", "rename"), "complete")
    assert plays.things.things["t1"]["status"] == "ACTIVE"


def test_what_was_undone_with_an_effect_that_is_not_known_stops_an_undo(plays: Plays) -> None:
    playbook = plays.read()
    run = playbook.run(T1, yes=True)
    known = {"ledger": plays.ledger, **plays.known()}
    plays.things.fault = refusing("/unsuspend", fault="before")
    circulate_core.apply(circulate_core.undo(str(run.steps[2].plan), **known), **known)
    plays.things.fault = None
    undo = playbook.undo(run, yes=True)
    assert (undo.status, statuses(undo)["suspend"]) == ("failed", "failed")
    assert undo.steps[1].error is not None
    assert "acme.things.unsuspend@" in undo.steps[1].error.Cause
    assert plays.things.effects == [*EFFECTS, "untag t1 new"]


def test_an_undo_that_a_failed_step_led_to_goes_on_as_any_other(plays: Plays) -> None:
    plays.things.fault = lambda request: "403" if request.endswith(("/ring", "/unsuspend")) else None
    ring = {"id": "ring", "operation": "acme.things.ring", "parameters": {"id": "t1"}, "on_failure": "undo"}
    playbook = plays.read([*STEPS, ring])
    run = playbook.run(T1, yes=True)
    assert run.undo is not None
    assert statuses(run.undo) == {
        "ring": "nothing_to_undo", "tag": "complete", "suspend": "failed", "rename": "not_begun"
    }  # fmt: skip
    plays.things.fault = None
    undo = playbook.undo(run, yes=True)
    assert statuses(undo) == {
        "ring": "nothing_to_undo", "tag": "nothing_to_undo", "suspend": "complete", "rename": "complete"
    }  # fmt: skip
    assert plays.things.effects == EFFECTS + UNDONE


def test_an_undo_that_was_refused_is_planned_again(plays: Plays) -> None:
    playbook = plays.read()
    run = playbook.run(T1, yes=True)
    plays.things.fault = refusing("/unsuspend")
    undo = playbook.undo(run, yes=True)
    assert (undo.status, statuses(undo)["suspend"]) == ("failed", "failed")
    plays.things.fault = None
    assert playbook.undo(run, yes=True).status == "complete"
    assert plays.things.effects == EFFECTS + UNDONE


def test_an_undo_whose_effect_is_not_known_is_not_sent_again(plays: Plays) -> None:
    playbook = plays.read()
    run = playbook.run(T1, yes=True)
    plays.things.fault = refusing("/unsuspend", fault="before")
    for _ in range(2):
        assert statuses(playbook.undo(run, yes=True))["suspend"] == "failed"
    assert plays.things.effects == [*EFFECTS, UNDONE[0]]
    assert sum(target == "POST /things/t1/unsuspend" for target in plays.things.targets) == 1


# Where a worker dies: at each write of the run's document, before it is in its place and after that.
KILLED = """
import os, signal, sys
from circulate_core.cli.main import main
from circulate_core.playbooks import kept

writes, when = 0, sys.argv.pop(1)
write = kept.KeptRuns.write

def dying(self, document):
    global writes
    writes += 1
    if when == f"before {writes}":
        os.kill(os.getpid(), signal.SIGKILL)
    write(self, document)
    if when == f"after {writes}":
        os.kill(os.getpid(), signal.SIGKILL)

kept.KeptRuns.write = dying
code = main(sys.argv[1:])
print(f"writes {writes}", file=sys.stderr)
sys.exit(code)
"""
WRITES = 9
"""Of a run: as it begins; for each step once it has ended, and before what is planned is sent; as it ends."""
UNDO_WRITES = 8
"""Of an undo of three steps."""


class Player:
    """A command line that runs the playbook, and is killed."""

    def __init__(self, cli: Cli, plays: Plays) -> None:
        """Write the playbook."""
        self.cli, self.plays = cli, plays
        self.file = plays.write(STEPS)

    def __call__(self, *arguments: str, when: str = "never", **environment: str) -> tuple[int, str, str]:
        """Run a command; return its exit code, and what it wrote."""
        known = ("--catalog", str(self.plays.catalog), "--ledger", str(self.plays.ledger), "--account", "main")
        settings = {"ACME_URL": self.plays.things.url, "ACME_TOKEN": "t0ken-canary", **environment}
        done = subprocess.run(
            [sys.executable, "-c", KILLED, when, "playbook", *arguments, *known, "--lease", "200ms", "--json"],
            cwd=self.cli.folder,
            env=self.cli.environment | settings,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "canary" not in done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, done.stdout, done.stderr

    def until_free(self, *arguments: str) -> dict[str, Any]:
        """Run a command to its end, once the lease of a worker that died has lapsed."""
        while (done := self(*arguments))[0] == 1 and "works on" in done[2]:
            assert "goes on with it" in done[2]
        document: dict[str, Any] = json.loads(done[1])
        return document

    def only_run(self) -> str | None:
        """Return the run that there is."""
        folder = Path(os.environ["XDG_STATE_HOME"]) / "circulate/playbooks"
        return next((file.stem for file in folder.glob("*.json") if not file.stem.endswith("-undo")), None)


@pytest.fixture
def player(cli: Cli, plays: Plays) -> Player:
    return Player(cli, plays)


@pytest.mark.parametrize(
    "when", [f"{side} {number}" for number in range(1, WRITES + 1) for side in ("before", "after")]
)
def test_a_run_that_is_killed_at_any_write_goes_on_and_does_nothing_twice(player: Player, when: str) -> None:
    run = ("run", str(player.file), "--yes")
    code, _, err = player(*run, "--id", "t1", when=when)
    assert code == -signal.SIGKILL, err
    named = player.only_run()
    if named is None:
        assert player.plays.things.effects == []
        return
    document = player.until_free(*run, "--resume", named)
    assert (document["status"], document["run"], player.plays.things.effects) == ("complete", named, EFFECTS)
    assert [step["status"] for step in document["steps"]] == ["complete"] * 4


@pytest.mark.parametrize("point", ["planned", "intended", "responded", "sent", "read-back"])
def test_a_run_that_is_killed_while_a_plan_is_applied_goes_on_with_that_plan(player: Player, point: str) -> None:
    run = ("run", str(player.file), "--yes")
    code, _, _ = player(*run, "--id", "t1", CIRCULATE_CRASH=f"at-call-{point}#1")
    assert code == -signal.SIGKILL
    named = player.only_run()
    assert named is not None
    document = player.until_free(*run, "--resume", named)
    assert (document["status"], player.plays.things.effects) == ("complete", EFFECTS)
    entries = circulate_core.ledger("acme", ledger=player.plays.ledger, **_without_headroom(player.plays))
    assert len(entries) == 3, "no step has a second plan that was begun"


@pytest.mark.parametrize(
    "when", [f"{side} {number}" for number in range(1, UNDO_WRITES + 1) for side in ("before", "after")]
)
def test_an_undo_that_is_killed_at_any_write_goes_on_and_undoes_nothing_twice(player: Player, when: str) -> None:
    run = player.until_free("run", str(player.file), "--yes", "--id", "t1")["run"]
    code, _, err = player("undo", run, "--yes", when=when)
    assert code == -signal.SIGKILL, err
    document = player.until_free("undo", run, "--yes")
    assert (document["status"], player.plays.things.effects) == ("complete", EFFECTS + UNDONE)


@pytest.mark.parametrize("when", [f"{side} {number}" for number in range(6, 14) for side in ("before", "after")])
def test_a_run_that_is_killed_while_it_undoes_what_it_did_goes_on(player: Player, when: str) -> None:
    player.plays.things.fault = lambda request: "403" if "/tags/" in request else None
    file = player.plays.write(steps(tag={"on_failure": "undo"}))
    run = ("run", str(file), "--yes")
    code, _, err = player(*run, "--id", "t1", when=when)
    assert code == -signal.SIGKILL, err
    named = player.only_run()
    assert named is not None
    document = player.until_free(*run, "--resume", named)
    assert (document["status"], document["undo"]["status"]) == ("failed", "complete")
    assert player.plays.things.effects == [*EFFECTS[:2], *UNDONE[1:]]


def test_these_are_all_writes(player: Player) -> None:
    _, out, err = player("run", str(player.file), "--yes", "--id", "t1")
    assert f"writes {WRITES}" in err
    assert f"writes {UNDO_WRITES}" in player("undo", json.loads(out)["run"], "--yes")[2]


def _without_headroom(plays: Plays) -> dict[str, Any]:
    return {name: value for name, value in plays.known().items() if name != "headroom"}


def test_a_run_that_is_resumed_without_settings_stays_open(player: Player) -> None:
    run = ("run", str(player.file), "--yes")
    player(*run, "--id", "t1", when="after 3")
    named = player.only_run()
    assert named is not None
    for missing in ("ACME_URL", "ACME_TOKEN"):
        code, out, err = player(*run, "--resume", named, **{missing: ""})
        assert (code, out, missing in err) == (2, "", True), err
    assert player.plays.things.effects == []
    document = player.until_free(*run, "--resume", named)
    assert (document["status"], player.plays.things.effects) == ("complete", EFFECTS)


def test_a_run_is_not_gone_on_with_at_another_address(player: Player) -> None:
    run = ("run", str(player.file), "--yes")
    player(*run, "--id", "t1", when="after 4")
    named = player.only_run()
    assert named is not None
    with serving(things()) as other:
        code, _, err = player(*run, "--resume", named, ACME_URL=other.url)
        assert (code, "began with acme at" in err, other.requests) == (2, True, []), err
    document = player.until_free(*run, "--resume", named)
    assert (document["status"], player.plays.things.effects) == ("complete", EFFECTS)


def test_what_may_have_been_sent_has_not_failed_before_somebody_could_look(player: Player) -> None:
    run = ("run", str(player.file), "--yes")
    player(*run, "--id", "t1", CIRCULATE_CRASH="at-call-responded#1")
    named = player.only_run()
    assert named is not None
    player.plays.things.respond_to = lambda _: Reply({"error": "no"}, status=401)
    while "works on" in (done := player(*run, "--resume", named))[2]:
        pass
    assert (done[0], "it may have been sent" in done[2], "goes on with it" in done[2]) == (1, True, True), done
    assert [step["status"] for step in KeptRuns().read(named)["steps"][1:]] == ["planned", "not_begun", "not_begun"]
    player.plays.things.respond_to = None
    document = player.until_free(*run, "--resume", named)
    assert (document["status"], player.plays.things.effects) == ("complete", EFFECTS)


def test_an_undo_is_not_resumed_as_a_run(plays: Plays) -> None:
    playbook = plays.read(STEPS[3:])
    undo = playbook.undo(playbook.run({"id": "t1"}, yes=True), yes=True)
    with pytest.raises(exceptions.SettingsError, match="is an undo: `circulate playbook undo"):
        playbook.run(resume=undo.run, yes=True)


def test_an_undo_stops_at_a_step_that_is_not_over_and_a_run_that_is_undone_is_not_gone_on_with(player: Player) -> None:
    run = ("run", str(player.file), "--yes")
    player(*run, "--id", "t1", CIRCULATE_CRASH="at-call-responded#1")
    named = player.only_run()
    assert named is not None
    document = player.until_free("undo", named, "--yes")
    assert [step["status"] for step in document["steps"]] == ["not_begun", "not_begun", "failed"]
    assert "is intent: what it did is not known" in document["steps"][2]["error"]["Cause"]
    assert player.plays.things.effects == EFFECTS[:1]
    code, _, err = player(*run, "--resume", named)
    assert (code, "was undone, or begun to be" in err) == (2, True)
    # Its plan is applied to its end as any other.
    plan = KeptRuns().read(named)["steps"][1]["plan"]
    circulate_core.apply(plan, ledger=player.plays.ledger, **player.plays.known())
    assert player.until_free("undo", named, "--yes")["status"] == "complete"
    assert player.plays.things.effects == [EFFECTS[0], UNDONE[2]]


@pytest.mark.parametrize("fault", ["429", "500 after", "after"])
def test_what_the_engine_gets_to_the_bottom_of_is_no_failure(plays: Plays, fault: str) -> None:
    seen: list[str] = []

    def once(request: str) -> str | None:
        seen.append(request)
        return fault if seen.count(request) == 1 else None

    plays.things.fault = once
    playbook = plays.read([STEPS[0], STEPS[2], STEPS[3]])
    run = playbook.run(T1, yes=True)
    assert (run.status, plays.things.effects) == ("complete", EFFECTS[1:])
    assert playbook.undo(run, yes=True).status == "complete"
    assert plays.things.effects == EFFECTS[1:] + UNDONE[:2]


def unreadable(plays: Plays) -> None:
    """Let nobody read what was suspended."""

    def refuse(request: Handler) -> Reply | None:
        is_read = request.command == "GET" and "suspend t1" in plays.things.effects
        return Reply({"error": "no"}, status=403) if is_read else None

    plays.things.respond_to = refuse


def test_a_step_that_was_sent_and_not_read_back_yet_is_gone_on_with(plays: Plays) -> None:
    unreadable(plays)
    playbook = plays.read(steps(suspend={"on_failure": "undo"}))
    with pytest.raises(exceptions.BusyError, match="is sent: its object could not be read back yet") as raised:
        playbook.run(T1, yes=True)
    named = re.search(r"`resume='(.*?)'`", raised.value.hint or "")
    assert named
    plays.things.respond_to = None
    run = playbook.run(resume=named[1], yes=True)
    assert (run.status, plays.things.effects) == ("complete", EFFECTS)


def test_a_run_that_is_interrupted_says_how_to_go_on(player: Player) -> None:
    known = ["--catalog", str(player.plays.catalog), "--ledger", str(player.plays.ledger), "--account", "main"]
    known += ["--lease", "200ms"]
    player.cli.environment.update(ACME_URL=player.plays.things.url, ACME_TOKEN="t0ken")
    running: list[subprocess.Popen[str]] = []

    def interrupt(request: str) -> None:
        if request.endswith("/suspend"):
            running[0].send_signal(signal.SIGINT)

    player.plays.things.fault = interrupt
    with player.cli.start("playbook", "run", str(player.file), "--id", "t1", "--yes", *known) as process:
        running.append(process)
        _, err = process.communicate(timeout=PATIENCE)
    named = player.only_run()
    assert (process.returncode, f"stopped: `resume='{named}'` goes on with it (`--resume`)" in err) == (130, True), err
    player.plays.things.fault = None
    document = player.until_free("run", str(player.file), "--yes", "--resume", str(named))
    assert (document["status"], player.plays.things.effects) == ("complete", EFFECTS)


def test_what_may_go_well_later_leaves_a_run_open(plays: Plays) -> None:
    playbook = plays.read()
    url, plays.things.url = plays.things.url, "http://127.0.0.1:9"
    unreachable = plays.read()
    plays.things.url = url
    with pytest.raises(exceptions.NetworkError) as raised:
        unreachable.run(T1, yes=True)
    (named,) = [file.stem for file in KeptRuns()._folder.glob("*.json")]  # noqa: SLF001 - of the tests
    assert f"`resume='{named}'`" in (raised.value.hint or "")
    run = playbook.run(resume=named, yes=True)
    assert (run.status, plays.things.effects) == ("complete", EFFECTS)


def test_two_are_never_at_one_run(plays: Plays) -> None:
    playbook = plays.read()
    run = playbook.run(T1, yes=True)
    with KeptRuns().held(run.run):
        with pytest.raises(exceptions.BusyError, match="another process is at the run"):
            playbook.run(resume=run.run, yes=True)
        with pytest.raises(exceptions.BusyError):
            playbook.undo(run, yes=True)
    assert plays.things.effects == EFFECTS


def test_a_run_that_is_over_is_not_run_again(plays: Plays) -> None:
    playbook = plays.read()
    run = playbook.run(T1, yes=True)
    requests = len(plays.things.requests)
    assert playbook.run(resume=run.run, yes=True) == run
    assert len(plays.things.requests) == requests


def test_a_run_knows_the_ledger_that_has_its_plans(plays: Plays, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(plays.folder)
    file = plays.write(STEPS)
    known: dict[str, Any] = {"settings": {"base_url": plays.things.url, "token": "t"}, "catalog": [plays.catalog]}
    run = circulate_core.playbook(file, ledger="own.db", **known).run(T1, yes=True)
    assert run.ledger == str(plays.folder / "own.db")
    monkeypatch.chdir("/")
    other = circulate_core.playbook(file, ledger=plays.ledger, **known)
    elsewhere = r"are in the ledger .*own\.db, and not in .*ledger\.db"
    with pytest.raises(exceptions.SettingsError, match=elsewhere):
        other.undo(run, yes=True)
    with pytest.raises(exceptions.SettingsError, match=elsewhere):
        other.run(resume=run.run, yes=True)
    assert plays.things.effects == EFFECTS
    monkeypatch.setenv("CIRCULATE_LEDGER", str(plays.ledger))
    assert circulate_core.playbook(file, **known).undo(run, yes=True).status == "complete"
    assert plays.things.effects == EFFECTS + UNDONE


def test_a_run_is_resumed_as_it_began(plays: Plays) -> None:
    run = plays.read().run(T1, yes=True)
    other = plays.read(STEPS[:2])
    with pytest.raises(exceptions.SettingsError) as raised:
        other.run(T1, resume=run.run)
    for part in ("say `yes`", "leave `inputs` out", "another text of the playbook rename"):
        assert part in str(raised.value)
    with pytest.raises(exceptions.SettingsError, match="there is no run `nobody`"):
        other.run(resume="nobody", yes=True)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("{", "cannot read the run"),
        ("[]", "does not hold the document of a run"),
        ('{"schema": 1}', "does not hold the document of a run"),
        ('{"schema": 2, "steps": []}', "was written by a newer version"),
    ],
)
def test_a_file_that_is_no_run_is_refused(plays: Plays, text: str, part: str) -> None:
    file = plays.folder / "run.json"
    file.write_text(text)
    with pytest.raises(exceptions.StateError, match=part):
        plays.read().undo(file)


def test_members_of_a_run_that_are_wrong_are_named(plays: Plays) -> None:
    file = plays.folder / "run.json"
    file.write_text('{"schema": 1, "run": "x", "playbook": "x", "status": "failed", "steps": [{"id": 5}]}')
    with pytest.raises(exceptions.DataError) as raised:
        plays.read().undo(file)
    for part in ("`playbook_sha256` is missing", "`steps[0].id`: expected a string", "`steps[0].operation` is missing"):
        assert part in str(raised.value)
    assert plays.things.requests == []


def test_a_run_that_cannot_be_kept_sends_nothing(plays: Plays, users_state: Path) -> None:
    (users_state / "circulate").mkdir(exist_ok=True)
    (users_state / "circulate/playbooks").write_text("in the way")
    with pytest.raises(exceptions.StateError, match="cannot keep the run"):
        plays.read().run(T1, yes=True)
    assert plays.things.requests == []


def test_all_that_is_wrong_with_a_playbook_is_named_with_file_and_line_before_any_request(plays: Plays) -> None:
    wrong = steps(
        rename={"operation": "acme.things.updat"},
        suspend={"parameters": {"di": "{inputs/idd}"}, "on_failure": "stop"},
        tag={"id": "rename", "colour": "red"},
    )
    file = plays.write(wrong)
    with pytest.raises(exceptions.DefinitionError) as raised:
        plays.named(file)
    assert all(part in str(raised.value) for part in ("unknown value `stop`", "unknown key `colour`")), raised.value
    del wrong[2]["on_failure"], wrong[3]["colour"]
    with pytest.raises(exceptions.DefinitionError) as raised:
        plays.named(plays.write(wrong))
    for part in (
        f"{file}:",
        "did you mean `update`?",
        "no parameter `di` (did you mean `id`?)",
        "needs the parameter `id`",
        "did you mean `{inputs/id}`?",
        "there is a step `rename` already",
    ):
        assert part in str(raised.value)
    assert plays.things.requests == []


def test_all_that_is_wrong_with_inputs_is_named_before_any_request(plays: Plays) -> None:
    inputs = {**INPUTS, "name": {"about": "A name.", "schema": {"type": "string", "minLength": 3}}}
    with pytest.raises(exceptions.SettingsError) as raised:
        plays.read(inputs=inputs).run({"name": "x", "nmae": "y"}, yes=True)
    for part in ("rename: ", "`id` is missing: Id of the thing.", "invalid `name`", "there is no input `nmae`"):
        assert part in str(raised.value)
    assert plays.things.requests == []


def test_a_playbook_is_found_by_its_name_or_its_file(plays: Plays, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, part in (
        ("contain_acount", "did you mean `contain_account`?"),
        ("nothing_like_it", "the shipped ones: contain_account"),
        ("rename", "write `./rename` to name the file"),
        ("nowhere.yaml", "cannot read the playbook nowhere.yaml: No such file"),
        (".", "there is no playbook `.`"),
    ):
        (plays.folder / "rename").touch()
        monkeypatch.chdir(plays.folder)
        with pytest.raises(exceptions.DefinitionError) as raised:
            circulate_core.playbook(name)
        assert part in f"{raised.value} {raised.value.hint}"


def test_settings_of_one_source_are_not_given_to_another(plays: Plays) -> None:
    both = [STEPS[0], {"id": "user", "operation": "okta.users.get", "parameters": {"id": "{inputs/id}"}}]
    file = plays.write(both, {"id": {"about": "Id."}})
    with pytest.raises(exceptions.SettingsError, match="of which source\\? The playbook calls acme and okta"):
        circulate_core.playbook(file, settings={"token": "t"}, catalog=[plays.catalog])


def test_a_playbook_of_two_sources_calls_both(
    plays: Plays, start_org: StartOrg, monkeypatch: pytest.MonkeyPatch
) -> None:
    org = start_org(users=3)
    monkeypatch.setenv("OKTA_ORG_URL", org.url)
    monkeypatch.setenv("OKTA_API_TOKEN", org.token)
    monkeypatch.setenv("ACME_URL", plays.things.url)
    monkeypatch.setenv("ACME_TOKEN", "t0ken")
    user = next(iter(org.truth("users")))["id"]
    both = [
        {"id": "user", "operation": "okta.users.get", "parameters": {"id": "{inputs/id}"}},
        {"id": "tag", "operation": "acme.things.tag", "parameters": {"id": "t1", "tag": "{steps/user/returned/id}"}},
    ]
    file = plays.write(both, {"id": {"about": "Id."}})
    playbook = circulate_core.playbook(file, catalog=[plays.catalog], ledger=plays.ledger)
    run = playbook.run({"id": user}, yes=True)
    assert (run.status, plays.things.effects) == ("complete", [f"tag t1 {user}"])
    assert playbook.undo(run, yes=True).status == "complete"


@pytest.mark.parametrize(
    ("user_status", "status", "undone"),
    [
        ("ACTIVE", "complete", "complete"),
        # Nobody can suspend those, and what they still have is taken away all the same.
        ("LOCKED_OUT", "partial", "not_begun"),
        ("PASSWORD_EXPIRED", "partial", "not_begun"),
        # That was so before.
        ("SUSPENDED", "complete", "nothing_to_undo"),
    ],
)
def test_whoever_is_contained_has_no_sessions_and_grants_and_is_given_back_what_can_be(
    start_org: StartOrg, tmp_path: Path, user_status: str, status: str, undone: str
) -> None:
    org = start_org(users=200)
    settings = {"org_url": org.url, "api_token": org.token}
    okta: Any = circulate_core.source("okta", settings=settings)
    user = next(user for user in okta.stream("users").records() if user["status"] == user_status)
    playbook = circulate_core.playbook("contain_account", settings=settings, ledger=tmp_path / "ledger.db")
    run = playbook.run({"login": user["profile"]["login"]}, yes=True)
    assert (run.status, statuses(run)["clear_sessions"], statuses(run)["revoke_grants"]) == (
        status, "complete", "complete"
    )  # fmt: skip
    assert okta.users.grants(id=user["id"]) == []
    assert okta.users.get(id=user["id"])["status"] == ("SUSPENDED" if user_status == "ACTIVE" else user_status)
    undo = playbook.undo(run, yes=True)
    assert (undo.status, statuses(undo)["suspend"]) == ("complete", undone)
    assert okta.users.get(id=user["id"])["status"] == user_status


@pytest.mark.parametrize("name", shipped_names())
def test_shipped_playbooks_are_read_and_fit_the_schema_that_they_name(name: str) -> None:
    file = SHIPPED / f"{name}.yaml"
    assert read_playbook(name).name == name
    first = file.read_text().splitlines()[0].removeprefix("# yaml-language-server: $schema=")
    assert (file.parent / first).resolve() == Path(SHIPPED_CATALOG, "playbook.schema.json").resolve()
    schema = json.loads((file.parent / first).read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    document = yaml.safe_load(file.read_text())
    assert list(jsonschema.Draft202012Validator(schema).iter_errors(document)) == []
    for wrong in ({**document, "stepz": []}, {**document, "steps": [{"id": "x"}]}, {"playbook": "x"}):
        assert list(jsonschema.Draft202012Validator(schema).iter_errors(wrong))


def test_the_result_of_a_run_is_one_that_can_be_kept(plays: Plays) -> None:
    run = plays.read().run(T1, yes=True)
    assert PlaybookRun.from_dict(run.to_dict()) == run
    assert repr(plays.read()) == "<Playbook rename(id, name)>"


def test_definitions_of_ones_own_have_what_undoes_elsewhere(plays: Plays) -> None:
    operations = {
        **OPERATIONS,
        "tag": {**OPERATIONS["tag"], "undo": {"operation": "things.untag", "with": {"id": "{id}", "tag": "{tag}"}}},
    }
    define(plays.folder, operations)
    playbook = plays.read()
    run = playbook.run(T1, yes=True)
    assert playbook.undo(run, yes=True).status == "complete"
    assert '"Resource": "${functions}acme-things-untag"' in playbook.compile(undo=True)
