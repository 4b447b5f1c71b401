"""`circulate playbook` as a person uses it."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.cli import Cli, CliFor, Done, StartOrg
from support.playing import EFFECTS, INPUTS, STEPS, UNDONE, Plays, steps

import circulate_core
from circulate_practice import PracticeOrg

Play = Callable[..., Done]
GUIDE = Path(__file__).resolve().parents[2] / "python/docs/playbooks.md"


@pytest.fixture
def play(cli: Cli, plays: Plays) -> Play:
    """Return a function that runs `circulate playbook`."""

    def run(*arguments: str | Path) -> Done:
        settings = {"ACME_URL": plays.things.url, "ACME_TOKEN": "t0ken-canary"}
        known: list[str | Path] = ["--catalog", plays.catalog]
        if arguments[0] in {"run", "undo"}:
            known += ["--ledger", plays.ledger, "--account", "main"]
        done = cli("playbook", *arguments, *known, **settings)
        assert "canary" not in done.out + done.err
        return done

    return run


def test_a_run_is_shown_before_it_is_done_and_done_with_yes(play: Play, plays: Plays) -> None:
    file = plays.write(STEPS)
    shown = play("run", file, "--id", "t1")
    assert shown.code == 0
    for part in ("✓ thing: acme.things.get: read", "/profile/name: t1 → new", "• suspend: acme.things.suspend@"):
        assert part in shown.out
    assert "nothing was changed; `--yes`" in shown.err
    assert plays.things.effects == []
    done = play("run", file, "-p", "id=t1", "--name", "other", "--yes")
    assert (done.code, plays.things.effects) == (0, [*EFFECTS[:2], "tag t1 other"])
    run = re.search(r"complete: run (\S+)", done.err)
    assert run
    assert f"`circulate playbook undo {run[1]}` plans the way back" in done.err
    shown = play("undo", run[1])
    assert (shown.code, "nothing was changed" in shown.err) == (0, True)
    assert plays.things.effects == [*EFFECTS[:2], "tag t1 other"]
    undone = play("undo", run[1], "--yes")
    assert (undone.code, undone.err) == (0, f"undone: run {run[1]}\n")
    assert undone.out.index("tag:") < undone.out.index("suspend:") < undone.out.index("rename:")
    assert plays.things.effects[3:] == ["untag t1 other", *UNDONE[1:]]


def test_with_json_the_document_of_the_run_is_written_which_can_be_undone(play: Play, plays: Plays) -> None:
    done = play("run", plays.write(STEPS), "--id", "t1", "--yes", "--json")
    assert (done.code, done.err) == (0, "")
    file = plays.folder / "run.json"
    file.write_text(done.out)
    undone = play("undo", file, "--yes", "--json")
    assert (undone.report["status"], undone.report["undoes"]) == ("complete", done.report["run"])
    assert plays.things.effects == EFFECTS + UNDONE


@pytest.mark.parametrize(
    ("on_failure", "code", "said"),
    [
        ("end", 1, "failed: run rename-"),
        ("continue", 3, "partial: run rename-"),
        ("undo", 1, "what was done is undone, the last step first"),
    ],
)
def test_the_exit_code_is_that_of_the_run(play: Play, plays: Plays, on_failure: str, code: int, said: str) -> None:
    plays.things.fault = lambda request: "403" if request.endswith("/suspend") else None
    done = play("run", plays.write(steps(suspend={"on_failure": on_failure})), "--id", "t1", "--yes")
    assert (done.code, said in done.err) == (code, True)
    assert "✗ suspend: acme.things.suspend@" in done.out
    assert "acme.things.tag: not begun" in done.out if on_failure != "continue" else "✓ tag" in done.out
    if on_failure == "undo":
        assert "✓ rename: acme.things.update@" in done.out.split("not begun")[1]
        assert "plans the way back" not in done.err


def test_an_undo_that_stops_says_why_and_how_to_go_on(play: Play, plays: Plays) -> None:
    run = play("run", plays.write(STEPS), "--id", "t1", "--yes", "--json").report["run"]
    plays.things.things["t1"]["status"] = "ACTIVE"
    done = play("undo", run, "--yes")
    assert (done.code, "has been changed since" in done.out, "rename: acme.things.update: not begun" in done.out) == (
        1, True, True
    )  # fmt: skip
    assert f"`circulate playbook undo {run} --yes` goes on once it can" in done.err


def test_an_undo_at_another_address_is_refused(play: Play, plays: Plays) -> None:
    run = play("run", plays.write(STEPS), "--id", "t1", "--yes", "--json").report["run"]
    plays.things.url = "http://127.0.0.1:9"
    done = play("undo", run, "--yes")
    assert (done.code, "the plan was made for" in done.out) == (1, True)


MISTAKES: dict[tuple[str, ...], tuple[int, str]] = {
    ("run", "rename.yaml"): (2, "`id` is missing: Id of the thing."),
    ("run", "rename.yaml", "--idd", "t1"): (2, "did you mean `--id`?"),
    ("run", "rename.yaml", "-p", "idd=t1"): (2, "there is no input `idd`"),
    ("run", "rename.yaml", "-p", "id"): (2, "`id` is not NAME=VALUE"),
    ("run", "rename.yaml", "--resume", "nobody", "--yes"): (2, "there is no run `nobody`"),
    ("run", "nowhere.yaml"): (2, "cannot read the playbook nowhere.yaml"),
    ("run",): (2, "missing: `PLAYBOOK`"),
    ("undo", "nobody"): (2, "there is no run `nobody`"),
    ("show", "contain_acount"): (2, "did you mean `contain_account`?"),
    ("compile", "reads.yaml", "--undo"): (2, "there is nothing to undo"),
}


@pytest.mark.parametrize("arguments", MISTAKES, ids=" ".join)
def test_what_is_wrong_is_said_in_a_line_and_nothing_is_requested(
    play: Play,
    plays: Plays,
    arguments: tuple[str, ...],
) -> None:
    plays.write(STEPS)
    plays.write(STEPS[:1], {"id": INPUTS["id"]}, name="reads")
    done = play(*arguments)
    code, part = MISTAKES[arguments]
    assert (done.code, part in done.err) == (code, True), done.err
    assert plays.things.requests == []


def test_a_flag_that_an_option_has_is_given_by_p(play: Play, plays: Plays) -> None:
    inputs = {"account": {"about": "Id of the thing."}}
    step = {**STEPS[0], "parameters": {"id": "{inputs/account}"}}
    file = plays.write([step], inputs)
    assert play("run", file, "-p", "account=t1", "--yes").code == 0


def test_a_playbook_shows_what_it_does_and_what_undoes_it(play: Play, plays: Plays, cli: Cli) -> None:
    shown = play("show", plays.write(STEPS))
    for part in (
        "input id: Id of the thing.",
        'input name: A name. Default: "new".',
        "suspend  acme.things.suspend  contain      end          unsuspend",
        "acme.things.untag",
    ):
        assert part in shown.out
    assert "contain_account  4 steps" in cli("playbook", "list").out
    compiled = play("compile", "rename.yaml")
    assert json.loads(compiled.out)["StartAt"] == "Begin"


def test_what_a_terminal_would_take_for_commands_is_escaped(play: Play, plays: Plays) -> None:
    file = plays.write(STEPS[:1], {"id": {"about": "Id\x1b]0;it\x07."}})
    file.write_text(file.read_text().replace("Renames a thing.", "Renames\\u001b[31m a thing."))
    shown = play("show", file)
    assert (shown.code, "\x1b" in shown.out, "Renames" in shown.out) == (0, False, True)


def test_the_playbook_in_the_guide_is_one(tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", GUIDE.read_text(), flags=re.DOTALL)
    (tmp_path / "close_app.yaml").write_text(example)
    playbook = circulate_core.playbook(tmp_path / "close_app.yaml", settings={"org_url": "http://127.0.0.1:9"})
    assert repr(playbook) == "<Playbook close_app(app, group)>"
    assert playbook.compile(undo=True)


def somebody(org: PracticeOrg) -> str:
    """Return the login of a user who is active, and has given grants."""
    okta: Any = circulate_core.source("okta", settings={"org_url": org.url, "api_token": org.token})
    active = (user for user in okta.stream("users").records() if user["status"] == "ACTIVE")
    return str(next(user["profile"]["login"] for user in active if okta.users.grants(id=user["id"])))


def test_the_guide_has_what_a_run_and_its_undo_write(start_org: StartOrg, cli_for: CliFor) -> None:
    """With `UPDATE_DOCS=1` it is written anew."""
    org = start_org(users=50)
    cli, login = cli_for(org), somebody(org)
    lines: list[str] = []

    def shown(*arguments: str) -> Done:
        done = cli(*arguments, CIRCULATE_LEDGER="ledger.db")
        assert done.code == 0, done.err
        lines.extend([f"$ circulate {' '.join(arguments)}", done.out.rstrip(), done.err.rstrip()])
        return done

    shown("playbook", "run", "contain_account", "--login", login)
    done = shown("playbook", "run", "contain_account", "--login", login, "--yes")
    run = re.search(r"complete: run (\S+)", done.err)
    assert run
    shown("playbook", "undo", run[1], "--yes")
    transcript = steady("\n".join(lines), org.url)
    guide = GUIDE.read_text()
    expected = re.sub(
        r"```console\n\$ circulate playbook run .*?\n```",
        lambda _: f"```console\n{transcript}\n```",
        guide,
        count=1,
        flags=re.DOTALL,
    )
    assert transcript in expected
    if os.environ.get("UPDATE_DOCS"):
        GUIDE.write_text(expected)
    assert guide == expected, "UPDATE_DOCS=1 pytest tests/operate/test_playbook_commands.py writes it"


def steady(text: str, url: str) -> str:
    """Return a transcript without what differs from run to run."""
    text = text.replace(url, "https://acme.okta.com")
    text = re.sub(r"contain_account-\d{8}T\d{6}Z-[0-9a-f]{6}", "contain_account-20261201T090741Z-790faa", text)
    digests = dict.fromkeys(re.findall(r"@([0-9a-f]{12})\b", text))
    for number, digest in enumerate(digests, 1):
        text = text.replace(digest, f"{number * 0x1F3D5B7912F:012x}")
    return text
