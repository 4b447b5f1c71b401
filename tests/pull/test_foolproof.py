"""What was once accepted and ignored, or ended in a traceback of ours."""

from __future__ import annotations

import enum
import json
import logging
import pickle
import shutil
import subprocess
import sys
import traceback
from datetime import time as time_of_day
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

import circulate_core
from circulate_core import _core

if TYPE_CHECKING:
    from pathlib import Path

    from support.cli import Cli, CliFor, StartOrg

CANARY = "c4nary-of-the-user"
NOWHERE = {"org_url": "http://127.0.0.1:9", "api_token": "t"}


@pytest.mark.parametrize("name", ["settings", "profile", "secret", "catalog"])
def test_a_stream_refuses_what_its_source_knows(name: str, tmp_path: Path) -> None:
    given: dict[str, Any] = {name: {"api_token": CANARY} if name == "settings" else CANARY}
    users = circulate_core.source("okta", settings=NOWHERE).stream("users")
    with pytest.raises(circulate_core.SettingsError, match=f"`{name}` is given to a stream") as refused:
        users.pull(to=tmp_path, **given)
    seen = traceback.TracebackException.from_exception(refused.value, capture_locals=True)
    ours = "".join(line for line in seen.format() if "circulate_core" in line)
    assert CANARY not in ours


def test_a_profile_is_refused_where_settings_are_complete(tmp_path: Path) -> None:
    with pytest.raises(circulate_core.SettingsError, match="`profile` is given beside settings that are complete"):
        circulate_core.pull("okta.users", to=tmp_path, settings=_core.Settings(NOWHERE), profile="prod")


@pytest.mark.parametrize("to", ["s3:/bucket/x", "file:/tmp/x"])
def test_a_mistyped_address_is_no_folder(to: str) -> None:
    with pytest.raises(circulate_core.SettingsError, match="looks like a URI, but has no `://`"):
        circulate_core.Lake(to)
    with pytest.raises(circulate_core.SettingsError, match="looks like a URI"):
        circulate_core.Lake("lake", state="dynamodb:/table")


def test_a_lake_is_a_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert circulate_core.Lake("~/lake").location == str(tmp_path / "lake")
    lake = circulate_core.Lake("s3://bucket/x/", state="dynamodb://table", s3={"sse": "AES256"})
    assert lake == circulate_core.Lake("s3://bucket/x", state="dynamodb://table", s3={"sse": "AES256"})
    assert pickle.loads(pickle.dumps(lake)) == lake  # noqa: S301 - our own
    with pytest.raises(AttributeError, match="a Lake cannot be changed"):
        lake.state = "x"
    assert repr(circulate_core.Lake.__new__(circulate_core.Lake)).startswith("Lake(")
    with pytest.raises(circulate_core.SettingsError, match="expected options by name, given 'AES256'"):
        circulate_core.Lake("lake", s3="AES256")  # type: ignore[arg-type]


@pytest.mark.parametrize("given", ["12:00:00", time_of_day(12), "7", 7])
def test_a_time_of_day_is_no_length_of_time(given: object) -> None:
    with pytest.raises(circulate_core.SettingsError, match="invalid `since`"):
        _core.timestamp("since", given)


def test_values_of_other_classes_are_read_by_what_they_are() -> None:
    class Formats(str, enum.Enum):  # noqa: UP042 - people write it so
        LINES = "ndjson"

    class Index:
        def __index__(self) -> int:
            return 5

    _core.check_options("pull", {"format": Formats.LINES, "batch_records": Index(), "since": timedelta(days=7)})
    for wrong in ({"lease": 0}, {"lease": "0s"}, {"format": "\udcff"}, {"memory": object()}, {"since": b"7d"}):
        with pytest.raises(circulate_core.SettingsError, match="invalid `"):
            _core.check_options("pull", wrong)


@pytest.mark.parametrize("limit", [-1, 0, 10**30, 1.5, "x"])
def test_a_wrong_limit_of_runs_is_refused(limit: Any, tmp_path: Path) -> None:  # noqa: ANN401 - on purpose
    with pytest.raises(circulate_core.SettingsError, match="invalid `limit`"):
        circulate_core.runs(tmp_path, limit=limit)


@pytest.mark.parametrize("entry", [{}, 5, {"source": None}, {"source": "okta", "endpoints": []}])
def test_a_wrong_catalog_is_a_definition_error(entry: Any) -> None:  # noqa: ANN401 - on purpose
    with pytest.raises(circulate_core.DefinitionError, match="`catalog`"):
        circulate_core.streams(catalog=[entry])


def test_verify_reads_the_lake_that_is_named(start_org: StartOrg, cli_for: CliFor) -> None:
    cli = cli_for(start_org(users=3))
    cli("pull", "okta.users", "--to", "lake")
    shutil.copytree(cli.folder / "lake", cli.folder / "copy")
    shutil.rmtree(cli.folder / "copy/_circulate")
    assert cli("verify", "copy").code == 1, "its manifests are missing, though the original has them"
    (cli.folder / "lake").rename(cli.folder / "_circulate_prod")
    assert cli("verify", "_circulate_prod").code == 0
    shutil.rmtree(cli.folder / "_circulate_prod/okta")
    assert cli("verify", "_circulate_prod").code == 1


def test_the_same_command_resumes_an_interrupted_pull(start_org: StartOrg, cli_for: CliFor) -> None:
    cli = cli_for(start_org(users=2000, latency=0.05))
    stopped = cli("pull", "okta.users", "--to", "lake", "--full", "--deadline", "500ms")
    assert "the same command resumes" in stopped.err or "the same command starts" in stopped.err, stopped.err
    window = cli("pull", "okta.users", "--to", "other", "--since", "4000d", "--deadline", "500ms")
    assert "the same command with --since 20" in window.err or "starts the run" in window.err, window.err


def test_all_streams_are_refused_at_once_where_there_is_no_state(cli: Cli) -> None:
    environment = {"OKTA_ORG_URL": "http://127.0.0.1:9", "OKTA_API_TOKEN": "t"}
    done = cli("pull", "okta.users", "okta.groups", "--to", "s3://bucket", **environment)
    assert (done.code, done.err.count("error:"), "`--state`" in done.err) == (2, 1, True), done.err


def test_names_out_of_a_file_reach_no_terminal_as_they_are(cli: Cli) -> None:
    config = cli.folder / "circulate.toml"
    config.write_text('[okta.profiles."a\\u001b[31mb"]\nstate = "x"\n[okta]\nto = "x"\n')
    config.chmod(0o600)
    done = cli("check", "okta", "--profile", "prod")
    assert (done.code, "\x1b" in done.err, "its profiles of okta: a" in done.err) == (2, False, True)
    assert "`to` (in circulate.toml)" in cli("check", "okta").err, "a key of the file is no flag"


def test_a_sample_has_the_bytes_that_were_received(start_org: StartOrg, cli_for: CliFor) -> None:
    cli = cli_for(start_org(users=30, edge_cases=True))
    done = cli("sample", "okta.users", "-n", "30", "--json")
    assert (done.code, len(json.loads(done.out))) == (0, 30)
    assert cli("sample", "okta.users", "-n", "30").code == 0


def test_verbosity_is_said_anywhere(start_org: StartOrg, cli_for: CliFor) -> None:
    cli = cli_for(start_org(users=3))
    cli("pull", "okta.users", "--to", "lake")
    for arguments in (["-v", "pull", "okta.users", "--to", "lake"], ["state", "show", "--to", "lake", "-v"]):
        assert cli(*arguments).code == 0, arguments
    assert cli("pull", "okta.users", "--to", "lake", "-q", "-v").code == 2
    retried = cli("sample", "okta.users", "-n", "1", "-v", OKTA_ORG_URL=start_org(users=3, faults=["503@1"]).url)
    assert "retrying" in retried.err


def test_a_record_factory_of_the_application_keeps_its_attributes(start_org: StartOrg, tmp_path: Path) -> None:
    usual, seen = logging.getLogRecordFactory(), []

    def factory(*args: Any, **kwargs: Any) -> logging.LogRecord:  # noqa: ANN401 - as `logging` calls it
        record = usual(*args, **kwargs)
        record.run_id = record.stream = "of the application"
        return record

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(getattr(record, "stream", None))

    logger, handler = logging.getLogger("circulate_core"), Handler()
    logging.setLogRecordFactory(factory)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        org = start_org(users=3)
        circulate_core.pull("okta.users", to=tmp_path, settings={"org_url": org.url, "api_token": org.token})
    finally:
        logging.setLogRecordFactory(usual)
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
    assert set(seen) == {"okta.users"}


def test_the_package_works_without_docstrings() -> None:
    code = "import circulate_core; print(circulate_core.source('okta').stream('users').pull.__name__)"
    done = subprocess.run([sys.executable, "-OO", "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "pull\n"


def test_a_working_folder_that_is_gone_is_said(tmp_path: Path) -> None:
    code = (
        "import os, sys, circulate_core\nos.chdir(sys.argv[1]); os.rmdir(sys.argv[1])\n"
        "try: circulate_core.Lake('x')\nexcept circulate_core.SettingsError as error: print(error)"
    )
    folder = tmp_path / "here"
    folder.mkdir()
    done = subprocess.run([sys.executable, "-c", code, str(folder)], check=True, capture_output=True, text=True)
    assert "working folder that was removed" in done.stdout


def test_a_full_disk_below_stdout_is_said(cli: Cli) -> None:
    command = " ".join(map(str, cli.command("list", "--json")))
    line = ["bash", "-c", f"{command} > /dev/full; echo $?"]
    done = subprocess.run(line, check=True, capture_output=True, text=True, env=cli.environment, cwd=cli.folder)
    assert (done.stdout, "Traceback" in done.stderr) == ("1\n", False), done.stderr
