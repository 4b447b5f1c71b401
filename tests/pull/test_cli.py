"""The command line around the pull: lists, checks, ledger, demo, and how it looks."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from support.cli import Cli, CliFor, StartOrg
from support.terminal import on_a_terminal

import circulate_core
from circulate_core.cli import listing
from circulate_core.cli import main as command_line
from circulate_core.cli.signals import stopping_on_signals
from circulate_core.console import say


def test_list_shows_streams_on_stdout(cli: Cli) -> None:
    done = cli("list")
    assert done.code == 0
    assert re.search(r"^okta\.users +incremental +People of the org", done.out, re.MULTILINE)
    assert re.search(r"^okta\.application_users +full +Who is assigned", done.out, re.MULTILINE)
    assert re.search(r"^okta\.group_members +incremental +Who is in each group", done.out, re.MULTILINE)
    listed = [definition["endpoint"]["endpoint"] for definition in json.loads(cli("list", "--json").out)]
    assert listed == sorted(listed)
    assert "users" in listed


def test_check_shows_settings_without_secrets(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(users=1, rate_limit=600, token="00canary")
    done = cli_for(org)("check", "okta")
    assert done.code == 0
    assert f"{org.url}, from OKTA_ORG_URL" in done.err
    assert "set, from OKTA_API_TOKEN" in done.err
    assert "599 of 600 requests left" in done.err
    assert "50 % to others" in done.err
    assert "canary" not in done.err + done.out


def test_runs_shows_the_ledger(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(users=300, faults=["stall:60@2*1"])
    cli = cli_for(org)
    cli.pull_until(org, 2)
    unfinished = cli("runs", "--to", "lake")
    assert "open" in unfinished.out
    assert "is unfinished: interrupted" in unfinished.err
    cli.pull()
    (run,) = json.loads(cli("runs", "--to", "lake", "--json").out)
    assert (run["status"], run["ledger"]["attempts"], run["ledger"]["totals"]["records"]) == ("committed", 2, 300)
    assert run["ledger"]["traffic"]["requests"] >= 3


def test_runs_of_a_folder_without_state_are_explained(cli: Cli) -> None:
    done = cli("runs", "--to", "nowhere")
    assert (done.code, "no state file" in done.err) == (1, True)
    assert not (cli.folder / "nowhere").exists()


def test_data_goes_to_stdout_and_the_rest_to_stderr(start_org: StartOrg, cli_for: CliFor) -> None:
    cli = cli_for(start_org(users=20))
    silent = cli("pull", "okta.users", "--to", "lake")
    assert silent.out == ""
    assert "20 records in 1 page → 1 object" in silent.err
    assert "\033" not in silent.err


def test_no_records_at_all_is_a_question(start_org: StartOrg, cli_for: CliFor) -> None:
    done = cli_for(start_org(users=0)).pull()
    assert (done.code, done.report["status"], done.report["objects"]) == (0, "complete", 0)
    assert "is that what you expected?" in done.err


def test_waits_are_reported_with_their_reason(start_org: StartOrg, cli_for: CliFor) -> None:
    cli = cli_for(start_org(users=500, faults=["503@2"]))
    assert re.search(r"retrying in \d\.\d s: Okta returned 503: E0000010", cli.pull().err)


@pytest.mark.parametrize("no_colour", ["", "1"])
def test_a_terminal_gets_a_live_line_and_colour_unless_turned_off(
    start_org: StartOrg, cli_for: CliFor, no_colour: str
) -> None:
    cli = cli_for(start_org(users=800, latency=0.1))
    command = cli.command("pull", "okta.users", "--to", "lake")
    environment = cli.environment | {"NO_COLOR": no_colour, "TERM": "xterm"}
    written = on_a_terminal(command, environment, cli.folder)
    assert re.search(r"\r\033\[2Kokta\.users  \d+ pages?  [\d,]+ records?  .*quota", written)
    assert ("\033[32m✓" in written) == (not no_colour)


def test_wrong_usage_exits_with_2(cli: Cli) -> None:
    for arguments in (
        ["pull", "okta.users"],
        ["pull", "okta.users", "--to", "x", "--deadline", "soon"],
        ["pull", "okta.users", "--to", "x", "--batch-records", "0"],
        ["pull", "okta.users", "--to", "x", "--since", "yesterday"],
        ["nonsense"],
    ):
        assert cli(*arguments).code == 2, arguments


def test_every_command_runs_in_a_process_that_begins_with_it(start_org: StartOrg, cli_for: CliFor) -> None:
    cli = cli_for(start_org(users=5))
    pulled = cli.process(*cli.pulling())
    manifest, lake = cli.manifest(pulled), ("--to", "lake")
    commands: dict[str, tuple[int, list[str | Path]]] = {
        "list": (0, []),
        "describe": (0, ["okta"]),
        "check": (0, ["okta"]),
        "sample": (0, ["okta.users"]),
        "try": (2, ["acme.example"]),
        "schema": (0, ["okta.users"]),
        "import": (2, ["openapi", "nowhere.json"]),
        "call": (0, ["okta"]),
        "apply": (2, ["okta.users.suspend@1234567890ab", "--ledger", "ledger.db"]),
        "approve": (2, ["okta.users.suspend@1234567890ab", "--ledger", "ledger.db"]),
        "undo": (2, ["okta.users.suspend@1234567890ab", "--ledger", "ledger.db"]),
        "ledger": (0, ["okta", "--ledger", "ledger.db"]),
        "playbook": (0, ["show", "contain_account"]),
        "show": (0, ["okta.users", *lake]),
        "sql": (0, ["SELECT count(*) FROM okta.users", *lake]),
        "runs": (0, [*lake]),
        "verify": (0, [manifest]),
        "promote": (0, [manifest, "--to", "data"]),
        "register": (2, [manifest, "--to", "data", "--database", "lake"]),
        "state": (0, ["show", *lake]),
        "gc": (0, [*lake]),
        "init": (0, ["made"]),
        "new": (2, ["acme.widgets"]),
        "record": (0, ["okta.users", "--to", "c.jsonl"]),
        "replay": (0, ["c.jsonl"]),
        "local": (2, ["invoke", "okta.users", "--lambdas", "nowhere"]),
        "package": (2, ["--lambdas", "nowhere"]),
        "practice-org": (2, ["--port", "70000"]),
        "practice-list": (2, ["--port", "70000"]),
        "completion": (0, ["bash"]),
        "help": (0, ["pull"]),
    }
    for name, (code, arguments) in commands.items():
        done = cli.process(name, *arguments)
        assert done.code == code, (name, done.err)
    assert set(command_line.build_parser().commands) == {"pull", "demo", *commands}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--help"], 0),
        (["list", "--json"], 0),
        ([], 2),
        (["nonsense"], 2),
        (["pull", "okta.users"], 2),
        (["check", "nothing"], 2),
        (["runs", "--to", "nowhere"], 1),
        (["pull", "okta.users", "--to", "lake", "--deadline", "0s"], 3),
    ],
)
def test_main_returns_the_exit_code_and_leaves_the_process_as_it_was(
    arguments: list[str], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OKTA_ORG_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("OKTA_API_TOKEN", "t")

    def process() -> object:
        signals = [signal.getsignal(number) for number in signal.valid_signals()]
        return signals, dict(os.environ), Path.cwd(), list(warnings.filters), sys.argv, sys.stdout, sys.stderr

    before = process()
    assert command_line.main(arguments) == code
    assert process() == before


def test_main_returns_130_when_it_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(listing, "stream_names", interrupt)
    assert command_line.main(["list"]) == 130


class Terminal(io.RawIOBase):
    """A terminal at which Ctrl-C is pressed while it is first written to."""

    pressed = False

    def writable(self) -> bool:
        """Return that it is."""
        return True

    def write(self, written: object) -> int:
        """Take all that is written."""
        if not self.pressed:
            self.pressed = True
            signal.raise_signal(signal.SIGINT)
        return len(bytes(written))  # type: ignore[call-overload]


def test_ctrl_c_while_stderr_is_written_to_stops_a_pull(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = circulate_core.Stop()
    with stopping_on_signals(stop), monkeypatch.context() as patched:
        patched.setattr(sys, "stderr", io.TextIOWrapper(io.BufferedWriter(Terminal()), write_through=True))
        say("how it goes")
    assert stop.requested


def test_the_demo_ends_with_identical_records(cli: Cli) -> None:
    done = cli.process("demo", "--users", "1200", "--to", "demo-lake")
    assert done.code == 0, done.err
    assert "1,200 records byte-identical to what was sent, 0 missing, 0 that were not sent" in done.err
    assert (cli.folder / "demo-lake/.circulate/state.db").exists()


def test_what_is_written_is_for_the_owner_only(start_org: StartOrg, cli_for: CliFor) -> None:
    cli = cli_for(start_org(users=5))
    cli.pull()
    modes = {path.stat().st_mode & 0o777 for path in (cli.folder / "lake").rglob("*") if path.is_file()}
    assert modes == {0o600}
    assert {path.stat().st_mode & 0o777 for path in (cli.folder / "lake").rglob("*") if path.is_dir()} == {0o700}


@pytest.mark.parametrize("arguments", [["runs", "--help"], ["pull", "--help"], ["--help"], ["--version"]])
def test_a_command_does_not_load_the_practice_server(arguments: list[str]) -> None:
    code = (
        "import sys; from circulate_core.cli.main import main; main(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True)
    assert "circulate_core.cli.main" in done.stderr.split()
    assert not [name for name in done.stderr.split() if name.startswith("circulate_practice")]
