"""Bad input gets a clear error, and nothing is lost."""

import json
import os
import shutil
import signal
import subprocess

import pytest
from support.cli import Cli, CliFor, Done, StartOrg
from support.commands import PATIENCE

from circulate_core.catalogs import SHIPPED_CATALOG
from circulate_practice.compare import compare


def assert_reports(done: Done, code: int, *parts: str) -> None:
    assert done.code == code, done.err
    for part in parts:
        assert part in done.err
    assert done.err.count("error:") == 1


def test_a_wrong_token_is_reported_and_never_shown(start_org: StartOrg, cli_for: CliFor) -> None:
    cli = cli_for(start_org(users=10))
    done = cli("pull", "okta.users", "--to", "lake", OKTA_API_TOKEN="00wrong-canary")
    assert_reports(
        done, 1, "refused the credentials (401): E0000011 Invalid token provided", "hint: check OKTA_API_TOKEN"
    )
    assert "canary" not in done.err + done.out


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("http://acme.okta.com", ["plain http"]),
        ("https://user:canary@acme.okta.com", ["user name or password"]),
        ("https://acme okta.com", ["not an address"]),
    ],
)
def test_a_wrong_address_is_reported_before_any_request(cli: Cli, url: str, parts: list[str]) -> None:
    done = cli("pull", "okta.users", "--to", "lake", OKTA_ORG_URL=url, OKTA_API_TOKEN="t")
    assert_reports(done, 2, *parts)
    assert "canary" not in done.err
    assert not (cli.folder / "lake").exists()


def test_an_address_where_nothing_listens_is_reported(cli: Cli) -> None:
    done = cli("check", "okta", OKTA_ORG_URL="http://127.0.0.1:9", OKTA_API_TOKEN="t")
    assert_reports(done, 1, "cannot connect to the API", "refused")


def test_missing_settings_are_named_with_the_ways_to_set_them(cli: Cli) -> None:
    assert_reports(cli("check", "okta"), 2, "needs `org_url`", "OKTA_ORG_URL", "circulate.toml")
    done = cli("check", "okta", OKTA_ORG_URL="https://acme.okta.com")
    assert_reports(done, 2, "needs `api_token` or `client_id`", "OKTA_API_TOKEN", "OKTA_CLIENT_ID", "circulate.toml")


def test_secrets_are_not_taken_from_flags(cli: Cli) -> None:
    done = cli("check", "okta", "--set", "api_token=canary")
    assert_reports(done, 2, "can't be given by flag", "OKTA_API_TOKEN")
    assert "canary" not in done.err


def test_settings_come_from_flag_before_environment_before_file(cli: Cli, start_org: StartOrg) -> None:
    org = start_org(users=1)
    config = cli.folder / "circulate.toml"
    config.write_text(f'[okta]\norg_url = "https://file.invalid"\napi_token = "{org.token}"\naccount = "named"\n')
    config.chmod(0o600)
    done = cli("check", "okta", "--set", f"org_url={org.url}", OKTA_ORG_URL="https://environment.invalid")
    assert (done.code, "reached       named" in done.err) == (0, True), done.err
    assert "can be read by others" not in done.err
    config.chmod(0o644)
    assert "can be read by others: chmod 600" in cli("check", "okta", "--set", f"org_url={org.url}").err


@pytest.mark.parametrize(
    ("content", "parts"),
    [("[okta\n", ["is not TOML"]), ('[okta]\norg_ulr = "x"\n', ["no setting `org_ulr`", "org_url"])],
)
def test_a_wrong_config_file_is_reported(cli: Cli, content: str, parts: list[str]) -> None:
    (cli.folder / "circulate.toml").write_text(content)
    assert_reports(cli("check", "okta"), 2, *parts)


def test_a_misspelt_stream_gets_a_suggestion(cli: Cli) -> None:
    assert_reports(cli("pull", "okta.usres", "--to", "lake"), 2, "did you mean `okta.users`?")


def test_a_definition_with_a_typo_is_shown_with_its_line(cli: Cli) -> None:
    shutil.copytree(SHIPPED_CATALOG, cli.folder / "catalog")
    file = cli.folder / "catalog/okta/users.yaml"
    file.write_text(file.read_text().replace("paginator:", "paginatr:"))
    done = cli("pull", "okta.users", "--to", "lake", "--catalog", "catalog")
    line = next(n for n, text in enumerate(file.read_text().splitlines(), 1) if "paginatr" in text)
    assert_reports(done, 2, "users.yaml", f":{line}:", "paginatr", "paginator")


def test_a_folder_that_cannot_be_written_is_reported_before_any_request(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(users=10)
    cli = cli_for(org)
    (cli.folder / "lake").write_text("a file")
    assert_reports(cli("pull", "okta.users", "--to", "lake/below"), 1, "cannot write into the folder", "is a file")
    assert org.request_count == 0


def test_a_full_disk_stops_the_pull_and_the_next_one_completes_it(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(users=6_000)
    cli = cli_for(org)
    disk = cli.folder / "lake"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", disk],  # noqa: S607
        check=False,
        capture_output=True,
    )
    if mounted.returncode:
        pytest.skip("a small disk takes the right to mount one")
    try:
        full = cli.pull("--compression", "gzip", "--state", "state.db")
        assert_reports(full, 1, "No space left on device", "free some space")
        subprocess.run(["mount", "-o", "remount,size=50m", disk], check=True)  # noqa: S607
        done = cli.pull("--state", "state.db")
        assert (done.code, done.report["records"]) == (0, 6_000)
        written = compare(cli.manifest(done), [r["sha256"] for r in org.truth()])
        assert (written.same, written.extra) == (6_000, 0)
    finally:
        subprocess.run(["umount", disk], check=True)  # noqa: S607


@pytest.mark.parametrize(
    ("fault", "parts"),
    [
        ("html@3", ["is HTML or XML, not JSON", "is the base URL the API's?"]),
        ("not-array@3", ["no array of records"]),
        ("scalar@3", ["something that is not an object"]),
        ("invalid-utf8@3", ["not UTF-8"]),
        ("nan@3", ["not JSON"]),
        ("trailing@3", ["nothing more after the document"]),
        ("big-record:17000000@3", ["a record is larger than 16000000 bytes", "--max-record-bytes"]),
        ("next-other-host@3", ["another origin", "your token"]),
        ("redirect@3", ["redirect (302), which is never followed"]),
        ("403@3", ["refused access (403)"]),
        ("truncate-json@3*6", ["ends in the middle of its JSON"]),
        ("truncate@3*6", ["broke before the response was complete"]),
    ],
)
def test_a_bad_page_is_reported_and_the_pages_before_it_are_kept(
    start_org: StartOrg, cli_for: CliFor, fault: str, parts: list[str]
) -> None:
    org = start_org(users=1_000, faults=[fault])
    cli = cli_for(org)
    failed = cli.pull()
    assert_reports(failed, 1, *parts)
    assert failed.report["status"] == "failed"
    assert failed.report["records"] in {400, 600}
    assert list(cli.folder.glob("lake/_circulate/*/*/*/*.json")) == []

    done = cli.pull()
    assert (done.code, done.report["resumed"], done.report["records"]) == (0, True, 1_000)
    assert compare(cli.manifest(done), [record["sha256"] for record in org.truth()]).identical


def test_no_page_of_a_list_that_runs_in_a_circle_counts(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(users=1_000, faults=["next-repeat@3"])
    cli = cli_for(org)
    failed = cli.pull()
    assert_reports(failed, 1, "runs in a circle", "the next pull starts over")
    assert (failed.report["records"], failed.report["continuation"]) == (0, None)
    assert "nothing was kept" in failed.err

    done = cli.pull()
    assert (done.code, done.report["resumed"], done.report["records"]) == (0, False, 1_000)
    assert compare(cli.manifest(done), [record["sha256"] for record in org.truth()]).identical


def test_a_pull_that_reads_nothing_says_so_and_leaves_nothing_open(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(users=10)
    cli = cli_for(org)
    failed = cli.pull(OKTA_API_TOKEN="wrong")
    assert_reports(failed, 1, "refused the credentials")
    assert "nothing was kept: the next pull starts over" in failed.err
    assert "checkpoint" not in failed.err
    runs = cli.runs()
    assert [run["status"] for run in runs] == ["abandoned"]
    assert (cli.pull().code, len(cli.runs())) == (0, 2)


def test_two_pulls_of_one_stream_do_not_run_at_once(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(users=600, faults=["stall:60@2"])
    cli = cli_for(org)
    with cli.start("pull", "okta.users", "--to", "lake", "--account", "practice") as first:
        org.wait_for_requests(2, timeout=PATIENCE)
        second = cli.pull()
        assert (second.code, second.report["status"]) == (4, "busy")
        assert f"process {first.pid}" in second.err
        first.send_signal(signal.SIGINT)
        _, err = first.communicate(timeout=PATIENCE)
    assert first.returncode == 130
    assert "the same command resumes at the last checkpoint" in err
    done = cli.pull()
    assert (done.code, done.report["records"], done.report["resumed"]) == (0, 600, True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_a_pull_at_a_checkpoint(start_org: StartOrg, cli_for: CliFor, number: signal.Signals) -> None:
    org = start_org(users=1_000, faults=["stall:60@4"])
    cli = cli_for(org)
    with cli.start("pull", "okta.users", "--to", "lake", "--account", "practice", "--json") as pull:
        org.wait_for_requests(4, timeout=PATIENCE)
        pull.send_signal(number)
        out, _ = pull.communicate(timeout=PATIENCE)
    report = json.loads(out)
    assert (pull.returncode, report["status"], report["records"]) == (130, "partial", 600)


def test_a_pull_under_nohup_goes_on_when_the_terminal_hangs_up(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(users=1_000, latency=0.05)
    cli = cli_for(org)
    command = ["nohup", *cli.command("pull", "okta.users", "--to", "lake", "--account", "practice", "--json")]
    with subprocess.Popen(
        command, cwd=cli.folder, env=cli.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as pull:
        org.wait_for_requests(2, timeout=PATIENCE)
        pull.send_signal(signal.SIGHUP)
        out, _ = pull.communicate(timeout=PATIENCE)
    assert (pull.returncode, json.loads(out)["records"]) == (0, 1_000)


def test_a_terminal_that_hung_up_does_not_fail_a_pull(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(users=1_000, faults=["stall:60@4"])
    cli = cli_for(org)
    reader, writer = os.pipe()
    with subprocess.Popen(
        cli.command("pull", "okta.users", "--to", "lake", "--account", "practice", "--json"),
        cwd=cli.folder,
        env=cli.environment,
        stdout=subprocess.PIPE,
        stderr=writer,
        text=True,
    ) as pull:
        os.close(writer)
        org.wait_for_requests(4, timeout=PATIENCE)
        # Nobody takes what it writes any more.
        os.close(reader)
        pull.send_signal(signal.SIGHUP)
        pull.communicate(timeout=PATIENCE)
    again = cli.pull()
    assert (again.report["status"], again.report["resumed"], again.report["records"]) == ("complete", True, 1_000)


def test_verify_finds_every_kind_of_corruption(start_org: StartOrg, cli_for: CliFor) -> None:
    cli = cli_for(start_org(users=2_500))
    manifest = cli.manifest(cli.pull())
    assert cli("verify", manifest).code == 0
    first, second, third = sorted(cli.folder.glob("lake/okta/**/*.gz"))
    first.write_bytes(first.read_bytes()[:-1] + b"x")
    second.unlink()
    third.write_bytes(b"")
    done = cli("verify", manifest)
    assert (done.code, done.err.count("✗")) == (1, 4)
    assert "missing" in done.err
    assert all(corrupt.name in done.err for corrupt in (first, second, third))


def test_verify_of_something_else_is_a_usage_error(cli: Cli) -> None:
    assert cli("verify", "nowhere.json").code == 2
    assert_reports(cli("verify", "lake/_circulate/no.json"), 1, "no such manifest")
