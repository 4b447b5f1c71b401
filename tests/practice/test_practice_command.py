"""The command: what it prints, how it ends, and what it says to wrong flags."""

import argparse
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
from support.commands import PATIENCE
from support.practice_oauth import FORM, TOKEN, assertion, by_assertion

from circulate_practice import KINDS
from circulate_practice.data.durations import parse_duration
from circulate_practice.server.command import add_arguments, run


def parsed(*flags: str) -> argparse.Namespace:
    """Return the parsed flags of the command."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(flags)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_a_signal_comes(number: signal.Signals, tmp_path: Path) -> None:
    flags = ["--users", "12", "--token", "abc", "--log", str(tmp_path / "log"), "--fault", "pretty", "--gzip"]
    flags += ["--apps", "3", "--app-users", "0-3", "--app-groups", "1", "--groups", "2", "--group-members", "2"]
    flags += ["--bucket-limit", "/api/v1/apps=7"]
    with subprocess.Popen(
        [sys.executable, "-m", "circulate_practice", *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.fullmatch(r"practice org: (http://127\.0\.0\.1:\d+)  token: abc  users: 12\n", line)
        assert found is not None, line
        request = urllib.request.Request(f"{found[1]}/api/v1/users", headers={"Authorization": "SSWS abc"})
        with urllib.request.urlopen(request) as response:
            assert response.status == 200
        process.send_signal(number)
        rest, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, rest) == (0, "")
    assert errors.splitlines() == [
        f"export OKTA_ORG_URL={found[1]} OKTA_API_TOKEN=abc",
        "circulate pull okta.users --to ./lake",
    ]
    assert (tmp_path / "log").read_bytes().count(b"\n") == 1


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        (["--fault", "teapot"], "429-concurrency"),
        (["--fault", "stall"], "seconds"),
        (["--latency", "soon"], "250ms"),
        (["--window", "-1s"], "duration"),
        (["--window", "0s"], "window"),
        (["--change-every", "x"], "duration"),
        (["--users", "-1"], "users"),
        (["--apps", "-1"], "apps"),
        (["--app-users", "3-1"], "app_users"),
        (["--group-members", "few"], "0-3"),
        (["--bucket-limit", "/api/v1/apps"], "/api/v1/apps=100"),
        (["--bucket-limit", "/api/v1/zones=3"], "/api/v1/zones"),
        (["--fault", "idps/429"], "app_users"),
        (["--port", "70000"], "port"),
        (["--oauth-client", "0oa1"], "--oauth-key"),
        (["--dpop"], "--oauth-client"),
        (["--unavailable", "idps"], "authorization_servers"),
        (["--lacks", "idps"], "authorization_servers"),  # its earlier name, until 0.3
    ],
)
def test_a_wrong_value_is_one_line_and_exit_code_2(
    flags: list[str], word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(parsed("=".join(flags))) == 2
    out, errors = capsys.readouterr()
    assert (out, errors.count("\n")) == ("", 1)
    assert word in errors


@pytest.mark.parametrize(("flags", "response"), [([], "Bearer"), (["--dpop"], "invalid_dpop_proof")])
def test_an_oauth_client_asks_for_tokens_with_the_key_in_the_file(
    tmp_path: Path, flags: list[str], response: str
) -> None:
    file = tmp_path / "key.json"
    for _ in range(2):  # the second finds the key
        with subprocess.Popen(
            [sys.executable, "-m", "circulate_practice", "--oauth-client", "0oa1", "--oauth-key", file, *flags],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            url = process.stdout.readline().split()[2]
            key = json.loads(file.read_bytes())
            form = by_assertion(assertion(url, key, time.time()), scope="okta.users.read okta.roles.read")
            connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE)
            connection.request("POST", TOKEN, body=urlencode(form), headers={"Content-Type": FORM})
            received = json.load(connection.getresponse())
            connection.close()
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=PATIENCE)
        assert response in {received.get("token_type"), received.get("error")}
        assert f"OAuth client: 0oa1  key: {file}" in errors.splitlines()
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "[]", "{}", "-----BEGIN PRIVATE KEY-----"])
def test_a_file_that_holds_no_key_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    file = tmp_path / "key.json"
    file.write_text(text)
    assert run(parsed("--oauth-client", "0oa1", "--oauth-key", str(file))) == 2
    assert f"{file} holds no JWK" in capsys.readouterr().err
    assert file.read_text() == text


def test_a_key_that_cannot_be_written_is_one_line_and_exit_code_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(parsed("--oauth-client", "0oa1", "--oauth-key", str(tmp_path / "nowhere" / "key.json"))) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_a_taken_port_is_one_line_and_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert run(parsed("--port", str(taken.getsockname()[1]))) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_the_help_lists_every_kind_of_fault() -> None:
    parser = argparse.ArgumentParser(formatter_class=lambda prog: argparse.HelpFormatter(prog, width=10_000))
    add_arguments(parser)
    assert all(kind in parser.format_help() for kind in KINDS)


@pytest.mark.parametrize(
    ("text", "seconds"), [("250ms", 0.25), ("2s", 2), ("1m", 60), ("1h", 3600), ("1.5", 1.5), (" 3s ", 3)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "1 s", "-1s", "1d", "1e3"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)
