"""What a person meets at the command line: mistakes, names of streams, profiles, the obvious place."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from circulate_core.cli.main import COMMANDS
from circulate_core.cli.streams import matching

if TYPE_CHECKING:
    from pathlib import Path

    from support.cli import Cli, CliFor, Done, StartOrg

OKTA = ["okta.group_members", "okta.groups", "okta.users"]


def assert_refused(done: Done, message: str, hint: str | None = None) -> None:
    """The error comes first and in a line, with what to do; usage is shown to those who ask."""
    lines = done.err.splitlines()
    assert (done.code, lines[0]) == (2, f"error: {message}"), done.err
    assert lines[1:] == ([f"hint: {hint}"] if hint else lines[1:2])
    assert "usage:" not in done.err


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["pul", "okta.users"], "there is no command `pul`", "did you mean `pull`?"),
        (["xyzzy"], "there is no command `xyzzy`", "`circulate --help` shows how it is used"),
        ([], "missing: `COMMAND`", "`circulate --help` shows how it is used"),
        (["runs", "--limt", "3"], "no such option: `--limt`", "did you mean `--limit`?"),
        (
            ["pull", "okta.users", "--too", "./lake", "--formt=json"],
            "no such option: `--too`, `--formt`",
            "did you mean `--to`, `--format`?",
        ),
        (["pull", "okta.users"], "missing: `--to PLACE`", "`circulate pull --help` shows how it is used"),
        (["pull", "--to", "lake"], "missing: `STREAM`", "`circulate pull --help` shows how it is used"),
        (
            ["pull", "okta.users", "--to", "lake", "--format", "jsn"],
            "invalid `--format`: `jsn`; it is one of json, ndjson, parquet, arrow",
            "did you mean `json`?",
        ),
        (["pull", "okta.users", "--to"], "invalid `--to`: expected one argument", None),
        (
            ["runs", "--limit", "0"],
            "invalid `--limit`: expected a whole number of 1 or more, given '0'",
            "`circulate runs --help` shows how it is used",
        ),
        (["runs", "lake"], "too many arguments: lake", "`circulate runs --help` shows how it is used"),
        (
            ["pull", "okta.users", "--to", "lake", "--full", "--since", "7d"],
            "a full pull requests everything, and `--since` or `--until` a period: give one of them",
            None,
        ),
        (
            ["pull", "okta.users", "--to", "lake", "--memory", "64M", "--batch-records", "0"],
            (
                "invalid `--batch-records`: expected a whole number of 1 or more, given '0'; invalid `--memory`: `64M`"
                " is not a size: write it like `64MB`, `64MiB` or `64000000`"
            ),
            None,
        ),
        (
            ["pull", "okta.users", "--to", "-"],
            "invalid `--to`: '-' names no folder or bucket",
            "give a folder (`.` is this one), or s3://bucket/prefix",
        ),
        (
            ["pull", "okta.users", "--to", ""],
            "invalid `--to`: '' names no folder or bucket",
            "give a folder (`.` is this one), or s3://bucket/prefix",
        ),
        (
            ["pull", "okta.usrs", "--to", "lake"],
            "there is no stream `okta.usrs`",
            "did you mean `okta.users`? `circulate list` shows what there is",
        ),
        (
            ["pull", "okat", "--to", "lake"],
            "there is no source `okat`",
            "did you mean `okta`? `circulate list` shows what there is",
        ),
        (
            ["list", "okta.x*", "okta.nothing_like_it"],
            "no stream matches `okta.x*`, `okta.nothing_like_it`",
            "`circulate list okta` shows the streams that there are",
        ),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, list) else "",
)
def test_a_mistake_is_said_in_a_line_with_what_was_meant(
    cli: Cli, arguments: list[str], message: str, hint: str | None
) -> None:
    assert_refused(cli(*arguments, OKTA_ORG_URL="http://127.0.0.1:9", OKTA_API_TOKEN="t"), message, hint)


@pytest.mark.parametrize("command", [*COMMANDS, "help"])
def test_help_of_a_command_is_shown_in_two_ways(cli: Cli, command: str) -> None:
    asked = cli("help", command)
    assert (asked.code, asked.err) == (0, "")
    if command != "help":
        assert asked.out == cli(command, "--help").out
        assert asked.out.startswith(f"usage: circulate {command}")


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (["okta"], OKTA),
        (["okta.*"], OKTA),
        (["okta.group*"], OKTA[:2]),
        (["*"], OKTA),
        (["okta.users", "okta"], ["okta.users", "okta.group_members", "okta.groups"]),
        (["okta.users", "okta.users"], ["okta.users"]),
    ],
)
def test_streams_have_one_grammar(patterns: list[str], names: list[str]) -> None:
    assert matching(patterns, OKTA) == names


def test_a_pattern_pulls_all_that_it_matches(start_org: StartOrg, cli_for: CliFor) -> None:
    cli = cli_for(start_org(users=3))
    done = cli("pull", "okta.group*", "--to", "lake", "--json")
    assert [json.loads(line)["stream"] for line in done.out.splitlines()] == ["okta.groups", "okta.group_members"]
    assert cli("state", "reset", "okta.group*", "--to", "lake").err.count("is reset") == 2


def test_the_one_lake_of_a_folder_is_found(start_org: StartOrg, cli_for: CliFor) -> None:
    cli = cli_for(start_org(users=3))
    cli("pull", "okta.users", "okta.groups", "--to", "lake")
    for arguments in (["runs"], ["state", "show"], ["gc"]):
        found = cli(*arguments)
        assert (found.code, "using the lake ./lake" in found.err) == (0, True), arguments
    shutil.copytree(cli.folder / "lake", cli.folder / "other")
    assert_refused(cli("runs"), "there are 2 lakes in this folder", "name one with --to: lake, other")


@pytest.mark.parametrize("what", [[], ["lake"], ["lake/_circulate"], ["lake/_circulate/okta"]])
def test_verify_finds_the_last_runs_of_a_lake(start_org: StartOrg, cli_for: CliFor, what: list[str]) -> None:
    cli = cli_for(start_org(users=3))
    cli("pull", "okta.users", "okta.groups", "--to", "lake")
    done = cli("verify", *what)
    assert (done.code, done.err.count("digests and counts right")) == (0, 2), done.err


def test_verify_of_a_moved_lake_reads_it_where_it_is(start_org: StartOrg, cli_for: CliFor) -> None:
    cli = cli_for(start_org(users=3))
    cli("pull", "okta.users", "--to", "lake")
    (cli.folder / "lake").rename(cli.folder / "elsewhere")
    assert cli("verify", "elsewhere").code == 0
    (path,) = (cli.folder / "elsewhere").rglob("*.json.gz")
    path.write_bytes(b"")
    assert cli("verify", "elsewhere").code == 1


def test_verify_of_a_folder_without_runs_says_what_to_name(cli: Cli) -> None:
    done = cli("verify", "nowhere")
    assert (done.code, "there is no state file" in done.err) == (1, True)


def test_sample_and_schema_show_a_stream_without_storing_it(start_org: StartOrg, cli_for: CliFor) -> None:
    cli = cli_for(start_org(users=30))
    sampled = cli("sample", "okta.users", "-n", "3")
    heading, *rows = sampled.out.splitlines()
    assert (heading.split()[:2], len(rows), sampled.err) == (["id", "status"], 3, "3 records\n")
    records = json.loads(cli("sample", "okta.users", "-n", "3", "--json").out)
    assert [record["id"] for record in records] == [row.split()[0] for row in rows]
    columns = json.loads(cli("schema", "okta.users", "--json").out)
    assert {"name": "id", "type": "string", "declared": True} in columns
    assert "id" in cli("schema", "okta.users").out.splitlines()[1]
    assert not (cli.folder / "lake").exists()


def write_profiles(cli: Cli, url: str, token: str) -> None:
    """Write a config file with two accounts, the first of which is nowhere."""
    config = cli.folder / "circulate.toml"
    config.write_text(
        '[okta]\norg_url = "http://127.0.0.1:9"\napi_token = "of-the-default"\n'
        f'[okta.profiles.prod]\norg_url = "{url}"\napi_token = "{token}"\naccount = "prod"\n'
        '[okta.profiles.empty]\naccount = "empty"\n'
        "[okta.profiles.odd]\nport = 5\n"
    )
    config.chmod(0o600)


def test_a_profile_names_an_account_of_the_config_file(start_org: StartOrg, cli: Cli) -> None:
    org = start_org(users=3)
    write_profiles(cli, org.url, org.token)
    environment = {"OKTA_ORG_URL": "http://127.0.0.1:9", "OKTA_API_TOKEN": "of-the-environment"}
    done = cli("pull", "okta.users", "--to", "lake", "--profile", "prod", "--json", **environment)
    assert (done.code, done.report["account"], done.report["records"]) == (0, "prod", 3), done.err
    checked = cli("check", "okta", "--profile", "prod", **environment)
    assert "from circulate.toml [okta.profiles.prod]" in checked.err


def test_a_profile_takes_nothing_from_elsewhere(start_org: StartOrg, cli: Cli) -> None:
    org = start_org(users=3)
    write_profiles(cli, org.url, org.token)
    environment = {"OKTA_ORG_URL": org.url, "OKTA_API_TOKEN": org.token, "OKTA_SECRET": "stored"}
    done = cli("check", "okta", "--profile", "empty", **environment)
    assert (done.code, "Okta needs `org_url`" in done.err, org.request_count) == (2, True, 0), done.err


def test_a_profile_that_there_is_not_is_refused_with_those_there_are(cli: Cli) -> None:
    assert_refused(
        cli("check", "okta", "--profile", "prod"),
        "there is no profile `prod`: no config file was found",
        "put it into ./circulate.toml, as [okta.profiles.prod]",
    )
    write_profiles(cli, "http://127.0.0.1:9", "t")
    assert_refused(
        cli("check", "okta", "--profile", "prd"),
        "there is no profile `prd` of okta in circulate.toml",
        "its profiles of okta: prod, empty, odd; one is a section [okta.profiles.NAME]",
    )
    done = cli("check", "okta", "--profile", "odd")
    assert "[okta.profiles.odd] in circulate.toml must hold strings only" in done.err


def test_quiet_writes_errors_only(start_org: StartOrg, cli_for: CliFor) -> None:
    cli = cli_for(start_org(users=3))
    quiet = cli("pull", "okta.users", "--to", "lake", "--quiet", "--json")
    assert (quiet.code, quiet.err, quiet.report["records"]) == (0, "", 3)
    wrong = cli("pull", "okta.users", "--to", "lake", "-q", OKTA_API_TOKEN="wrong")
    assert (wrong.code, wrong.err.startswith("error: ")) == (1, True)


def test_verbose_shows_what_happens_to_a_run(start_org: StartOrg, cli_for: CliFor) -> None:
    cli = cli_for(start_org(users=3))
    shown = {flag: cli("pull", "okta.users", "--to", "lake", "--full", *flag).err for flag in ((), ("-v",), ("-vv",))}
    happened = [[text in err for text in ("the run is committed", "stored")] for err in shown.values()]
    assert happened == [[False, False], [True, False], [True, True]]


def test_a_closed_stderr_and_a_reader_that_leaves_are_no_failure(start_org: StartOrg, cli_for: CliFor) -> None:
    cli = cli_for(start_org(users=3))
    pull, listing = (
        " ".join(map(str, cli.command(*words)))
        for words in (("pull", "okta.users", "--to", "lake", "--json"), ("list",))
    )

    def shell(line: str) -> subprocess.CompletedProcess[str]:
        command = ["bash", "-c", line]
        return subprocess.run(command, check=False, capture_output=True, text=True, env=cli.environment, cwd=cli.folder)

    closed = shell(f"{pull} 2>&-")
    assert (closed.returncode, json.loads(closed.stdout)["status"]) == (0, "complete")
    left = shell(f"{listing} | true; echo ${{PIPESTATUS[0]}}")
    assert (left.stdout.strip() in {"0", "1"}, left.stderr) == (True, "")


def test_a_home_that_cannot_be_read_has_no_configuration(start_org: StartOrg, cli_for: CliFor, tmp_path: Path) -> None:
    org = start_org(users=3)
    cli = cli_for(org)
    # Nobody can look into a file as if it were a folder, not even root.
    home = tmp_path / "home"
    home.write_text("")
    assert cli("check", "okta", HOME=str(home)).code == 0
    looped = tmp_path / "looped"
    looped.symlink_to(looped)
    assert cli("check", "okta", HOME=str(looped)).code == 0


def test_completion_completes_commands_options_and_streams(cli: Cli) -> None:
    script = cli("completion", "bash").out
    (cli.folder / "complete.sh").write_text(
        f'{script}\ncomplete_words() {{ COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _shtab_circulate;'
        ' printf "%s\\n" "${COMPREPLY[@]}"; }\n'
        'circulate() { echo okta.users; echo okta.groups; }\ncomplete_words "$@"\n'
    )

    def completed(*words: str) -> list[str]:
        command = ["bash", str(cli.folder / "complete.sh"), "circulate", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()

    assert completed("pu") == ["pull"]
    assert completed("pull", "--form") == ["--format"]
    assert completed("pull", "--format", "par") == ["parquet"]
    assert completed("pull", "okta.us") == ["okta.users"]
    for shell in ("zsh", "tcsh"):
        assert "list --names" in cli("completion", shell).out
