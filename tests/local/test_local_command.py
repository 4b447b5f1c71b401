"""`circulate local`: functions on this machine, without AWS and without an org unless flags point there."""

import json
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.cli import Cli, CliFor, Done, StartOrg
from support.commands import PATIENCE
from support.places import client

ROOT = Path(__file__).resolve().parents[2]
LAMBDAS = ("--lambdas", ROOT / "lambdas/lib")


def assert_reports(done: Done, code: int, *parts: str) -> None:
    assert done.code == code, done.err
    for part in parts:
        assert part in done.err
    assert done.err.count("error:") == 1


def test_a_function_is_invoked_without_aws_and_without_an_org(cli: Cli) -> None:
    done = cli("local", "invoke", "okta.users", *LAMBDAS, "--users", "250")
    assert done.code == 0, done.err
    response = json.loads(done.out)
    assert (response["status"], response["records"]) == ("complete", 250)
    assert response["manifest"].startswith("s3://lake/raw/_circulate/okta/")
    for part in ("INIT_START", "START RequestId", '"event":"pull ended"', "END RequestId", "Init Duration"):
        assert part in done.err
    assert "practice-token" not in done.err + done.out


def test_an_event_comes_from_a_file_or_standard_input(cli: Cli) -> None:
    event = cli.folder / "event.json"
    event.write_text('{"mode": "full", "commit": "pending"}')
    done = cli("local", "invoke", "circulate-okta-users-list", *LAMBDAS, "--event", event, "--users", "20")
    assert (done.code, json.loads(done.out)["records"], '"mode":"full"' in done.err) == (0, 20, True)
    command = Cli.command("local", "invoke", "okta.users.list", *LAMBDAS, "--event", "-", "--users", "20")
    piped = subprocess.run(command, input='{"mod": 1}', text=True, capture_output=True, check=False, cwd=cli.folder)
    assert (piped.returncode, piped.stdout) == (1, "")
    assert "SettingsError: the event has an unknown key `mod`" in piped.stderr


def test_an_operation_is_called_with_an_event_of_the_command_line(cli_for: CliFor, start_org: StartOrg) -> None:
    org = start_org(users=5, groups=3)
    cli = cli_for(org)
    user = json.loads(cli("sample", "okta.users", "-n", "1", "--json").out)[0]
    event = json.dumps({"parameters": {"id": user["id"]}})
    # Nothing is stored, so that no place is needed for it.
    done = cli("local", "invoke", "okta.users.get", *LAMBDAS, "--org", "env", "--aws", "env", "--event", event)
    assert (done.code, json.loads(done.out)["returned"]) == (0, user), done.err
    assert '"event":"call ended"' in done.err
    assert user["profile"]["login"] not in done.err
    wrong = cli("local", "invoke", "okta.users.get", *LAMBDAS, "--event", '{"parameters"')
    assert_reports(wrong, 2, "the event given is not JSON")


def test_continuations_are_followed_until_the_run_is_complete(cli_for: CliFor, start_org: StartOrg) -> None:
    cli = cli_for(start_org(users=6_000, latency=0.1))
    arguments = ("local", "invoke", "okta.users", *LAMBDAS, "--org", "env", "--timeout", "2")
    first = cli(*arguments)
    assert (first.code, json.loads(first.out)["status"]) == (3, "partial")
    done = cli(*arguments, "--until-complete")
    assert (done.code, json.loads(done.out)["records"]) == (0, 6_000), done.err
    assert done.err.count("START RequestId") >= 3
    assert done.err.count("INIT_START") == 1, "the environment stays warm"


def test_flags_point_at_other_places(aws_cli_for: CliFor, start_org: StartOrg) -> None:
    org = start_org(users=40)
    cli = aws_cli_for(org)
    done = cli("local", "invoke", "okta.users", *LAMBDAS, "--org", "env", "--aws", "env", *cli.place.arguments)
    assert done.code == 0, done.err
    assert json.loads(done.out)["manifest"].startswith(cli.place.arguments[1])
    assert len(cli.runs()) == 1


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["okta.user"], ["no function is named `okta.user`", "okta.application_groups"]),
        (["okta.users", "--lambdas", "nowhere"], ["no such folder of Lambda functions — folder nowhere", "--lambdas"]),
        (["okta.users", "--event", "nothing.json"], ["cannot read the event nothing.json"]),
        (["okta.users", "--event", __file__], ["is not JSON"]),
        (["okta.users", "--env", "NAME"], ["`--env NAME` is not NAME=VALUE"]),
        (["okta.users", "--env", "AWS_REGION=x"], ["leaves AWS_REGION to AWS"]),
        (["okta.users", "--timeout", "901"], ["timeout_s is between 1 and 900"]),
        (["okta.users", "--timeout", "0"], ["expected a whole number of 1 or more, given '0'"]),
        (["okta.users", "--timeout", "-1"], ["--timeout"]),
        (["okta.users", "--memory", "0"], ["expected a whole number of 1 or more, given '0'"]),
        (["okta.users", "--aws", "env"], ["--aws env needs --to and --state"]),
    ],
)
def test_what_is_wrong_is_reported_before_anything_is_started(cli: Cli, arguments: list[str], parts: list[str]) -> None:
    rest = () if "--lambdas" in arguments else LAMBDAS
    assert_reports(cli("local", "invoke", *arguments, *rest), 2, *parts)


RETURNED = [{"x": 1}, None, "text", [1, {"a": None}], 7.5, True, {"status": "complete"}, {"status": ["odd"]}, "\x1b[2K"]


def test_what_a_function_returns_is_printed_as_it_is(cli: Cli, tmp_path: Path) -> None:
    lambdas = tmp_path / "lambdas/lib"
    shutil.copytree(ROOT / "lambdas/lib", lambdas, ignore=shutil.ignore_patterns("__pycache__"))
    code = f"def list(event, context): return {RETURNED!r}[event['n']]\n"
    (lambdas / "okta/users/handler.py").write_text(code)
    event = tmp_path / "event.json"
    for number, value in enumerate(RETURNED):
        event.write_text(json.dumps({"n": number}))
        arguments: list[str | Path] = [
            *("--lambdas", lambdas, "--event", event, "--users", "1"),
            *["--until-complete"] * (number % 2),
        ]
        done = cli("local", "invoke", "okta.users", *arguments)
        assert (done.code, json.loads(done.out)) == (0, value), done.err
        assert "\x1b" not in done.out


@pytest.fixture
def served(cli: Cli) -> Iterator[str]:
    command = Cli.command("local", "start", *LAMBDAS, "--users", "120")
    with subprocess.Popen(command, cwd=cli.folder, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        url = process.stderr.readline().split("Lambda is at ")[1].split()[0]
        assert any("aws lambda invoke" in line for line in process.stderr)
        yield url
        process.send_signal(signal.SIGINT)
        assert "KeyboardInterrupt" not in process.stderr.read()
        assert process.wait(timeout=PATIENCE) == 0


def test_functions_are_called_by_name_as_on_aws(served: str) -> None:
    functions = client("lambda", served)
    response = functions.invoke(FunctionName="circulate-okta-users-list", Payload=b"{}", LogType="Tail")
    assert (response["StatusCode"], json.load(response["Payload"])["records"]) == (200, 120)
    again = functions.invoke(FunctionName="circulate-okta-users-list", Payload=b'{"mode": "full"}')
    assert json.load(again["Payload"])["records"] == 120
    wrong = functions.invoke(FunctionName="circulate-okta-groups-list", Payload=b'{"mode": "fu"}')
    assert wrong["FunctionError"] == "Unhandled"
    assert json.load(wrong["Payload"])["errorType"] == "SettingsError"
    payload = json.dumps({"parameters": {"id": "nobody"}}).encode()
    called = functions.invoke(FunctionName="circulate-okta-users-get", Payload=payload)
    assert json.load(called["Payload"])["errorType"] == "RefusedError"
    with pytest.raises(functions.exceptions.ResourceNotFoundException):
        functions.invoke(FunctionName="circulate-okta-nothing-list")


def test_what_changes_something_is_planned_and_applied_by_events_as_on_aws(served: str) -> None:
    functions = client("lambda", served)

    def invoke(operation: str, event: dict[str, object]) -> dict[str, Any]:
        name, payload = f"circulate-okta-groups-{operation}", json.dumps(event).encode()
        response: dict[str, Any] = json.load(functions.invoke(FunctionName=name, Payload=payload)["Payload"])
        return response

    plan = invoke("create", {"parameters": {"profile": {"name": "Contained"}}})["plan"]
    assert invoke("find", {"parameters": {"name": "Contained"}})["returned"] == []
    assert [invoke("create", {"apply": plan})["status"] for _ in "ab"] == ["complete", "complete"]
    assert len(invoke("find", {"parameters": {"name": "Contained"}})["returned"]) == 1


def test_a_port_that_is_taken_is_reported(cli: Cli) -> None:
    import socket  # noqa: PLC0415 - only here

    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = cli("local", "start", *LAMBDAS, "--port", str(taken.getsockname()[1]))
    assert_reports(done, 2, "cannot listen on port", "in use")
