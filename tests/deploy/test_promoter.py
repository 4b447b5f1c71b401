"""The handler that promotes runs, called as Lambda calls it, and the function under the local runner."""

import json
import os
import subprocess
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from support.cli import Cli, CliFor, StartOrg
from support.handlers import Context, lines
from support.places import Bucket
from support.promotions import Promoting

from circulate_core import Promoted, exceptions, promoting

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Function:
    """The function, with buckets of its own."""

    promoting: Promoting
    handler: Any

    def __call__(self, event: object, **context: Any) -> dict[str, Any]:  # noqa: ANN401 - passed on
        """Invoke it."""
        response: dict[str, Any] = self.handler(event, Context(**context))
        assert len(json.dumps(response)) < 2_000
        return response

    def pull(self, *arguments: str) -> str:
        """Pull a run; returns its manifest as the result of a pull names it."""
        return self.promoting.manifest(self.promoting.pull(*arguments))

    def key(self, manifest: str) -> str:
        """Return the key of a manifest."""
        return manifest[manifest.index("_circulate/") :]


@pytest.fixture
def function(start_org: StartOrg, aws_cli_for: CliFor, aws: str, monkeypatch: pytest.MonkeyPatch) -> Function:
    promoting = Promoting.of(aws_cli_for(start_org(users=250)))
    place, data = promoting.cli.place, promoting.data
    assert isinstance(place, Bucket)
    assert isinstance(data, Bucket)
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    monkeypatch.setenv("CIRCULATE_FROM", place.uri)
    monkeypatch.setenv("CIRCULATE_TO", data.uri)
    monkeypatch.setenv("CIRCULATE_STATE", place.state[1])
    spec = spec_from_file_location("handler_s3", ROOT / "lambdas/lib/targets/s3/handler.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return Function(promoting, module.promote)


@pytest.mark.parametrize("compact", ["", "false", "true"])
def test_a_pending_run_is_promoted_and_committed(
    function: Function, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], compact: str
) -> None:
    monkeypatch.setenv("CIRCULATE_COMPACT", compact)
    manifest = function.pull("--pending", "1h")
    key = function.key(manifest)
    response = function({"manifest": manifest})
    assert response.keys() == {"run_id", "status", "manifest", "objects", "records", "bytes"}
    assert (response["status"], response["records"]) == ("complete", 250)
    assert response["objects"] == (1 if compact == "true" else 25)
    assert response["manifest"] == function.promoting.manifest(key, function.promoting.data)
    assert (function.promoting.is_exact(key), function.promoting.status(key)) == (True, "committed")
    assert function({"manifest": manifest, "continuation": None}) == response, (
        "an event that comes twice changes nothing"
    )
    started, *engine, ended, began_again, ended_again = lines(capsys)
    assert [line["event"] for line in engine] == [*["object_stored"] * response["objects"], "run_committed"]
    assert {(line["run_id"], line["stream"]) for line in engine} == {(response["run_id"], "okta.users")}
    again = (began_again, ended_again)
    assert [line["event"] for line in (started, ended, *again)] == ["promotion started", "promotion ended"] * 2
    assert (started["stream"], started["account"], started["run_id"]) == ("okta.users", "practice", response["run_id"])
    assert ended["result"] == response
    assert (ended["copied"], again[-1]["copied"], again[-1]["skipped"]) == (response["objects"], 0, response["objects"])
    assert all("_aws" not in line for line in (started, ended, *again)), "alarms go by the metrics of pulls alone"


def test_too_little_time_is_a_continuation(function: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = function.pull()
    done = promoting.promote(manifest, to=os.environ["CIRCULATE_TO"], state=os.environ["CIRCULATE_STATE"])
    changed = {"status": "partial", "copied": 3, "continuation": done.run_id, "stopped_by": "deadline"}
    partly = Promoted({**done.to_dict(), **changed})
    with monkeypatch.context() as patch:
        patch.setattr("circulate_core.aws.promotion.promote", lambda *_, **__: partly)
        response = function({"manifest": manifest})
    assert (response["status"], response["continuation"]) == ("partial", response["run_id"])
    response = function({"manifest": manifest, "continuation": response["continuation"]})
    assert (response["status"], "continuation" in response) == ("complete", False)


def test_no_time_at_all_is_an_error_instead_of_another_invocation(
    function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = function.pull()
    with monkeypatch.context() as patch:
        patch.setattr("circulate_core.aws.promotion.margin", lambda left: left)
        with pytest.raises(exceptions.LimitError, match="no object could be copied"):
            function({"manifest": manifest})
    assert function({"manifest": manifest})["status"] == "complete"
    assert function.promoting.is_exact(function.key(manifest))


@pytest.mark.parametrize(
    ("event", "part"),
    [
        (None, "not a JSON object but null"),
        ([], "not a JSON object but a list"),
        ({}, "the event has no `manifest`"),
        ({"manifest": None}, "the event has no `manifest`"),
        ({"manifest": 5}, "`manifest` of the event must be a string, not a number"),
        ({"manifest": "MANIFEST", "to": "s3://elsewhere"}, "unknown key `to`"),
        ({"manifest": "MANIFEST", "continuation": "20260101T000000000Z-0"}, "not the manifest's run"),
        ({"manifest": "s3://elsewhere/_circulate/okta/practice/users/r.json"}, "not a manifest of s3://lake-"),
        ({"manifest": "FROM-2/_circulate/okta/practice/users/r.json"}, "not a manifest of s3://lake-"),
        ({"manifest": "FROM/okta/practice/users/r.json"}, "not a manifest of s3://lake-"),
        ({"manifest": "FROM/_circulate/okta/practice/r.json"}, "not a manifest of s3://lake-"),
        ({"manifest": "FROM/_circulate/../x/practice/r.json"}, "not a manifest of s3://lake-"),
        ({"manifest": "FROM/_circulate/okta/practice/users/a/../r.json"}, "not a manifest of s3://lake-"),
        ({"manifest": "FROM/_circulate/okta/practice/users/r"}, "not a manifest of s3://lake-"),
    ],
)
def test_an_event_that_is_wrong_is_reported_and_nothing_is_copied(
    function: Function, capsys: pytest.CaptureFixture[str], event: object, part: str
) -> None:
    place, data = function.promoting.cli.place, function.promoting.data
    assert isinstance(place, Bucket)
    assert isinstance(data, Bucket)
    text = json.dumps(event).replace("MANIFEST", function.pull()).replace("FROM", place.uri)
    with pytest.raises(exceptions.SettingsError, match=part):
        function(json.loads(text))
    (failed,) = lines(capsys)
    assert (failed["event"], failed["error"], "_aws" in failed) == ("promotion failed", "SettingsError", False)
    assert not data.stored()


@pytest.mark.parametrize(
    ("environment", "error", "part"),
    [
        ({"CIRCULATE_FROM": ""}, "SettingsError", "CIRCULATE_FROM is not set"),
        ({"CIRCULATE_TO": ""}, "SettingsError", "CIRCULATE_TO is not set"),
        ({"CIRCULATE_STATE": ""}, "SettingsError", "CIRCULATE_STATE is not set"),
        ({"CIRCULATE_COMPACT": "yes"}, "SettingsError", "CIRCULATE_COMPACT is `yes` .it is false or true"),
        ({"CIRCULATE_TO": "s3://missing-bucket/data"}, "StorageError", "missing-bucket"),
        ({"CIRCULATE_STATE": "dynamodb://missing"}, "StateError", "missing"),
    ],
)
def test_what_is_set_up_wrong_is_reported(
    function: Function, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], error: str, part: str
) -> None:
    manifest = function.pull()
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(exceptions.CirculateError, match=part) as raised:
        function({"manifest": manifest})
    assert type(raised.value).__name__ == error


def test_a_mismatch_is_an_error_by_its_class(function: Function, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = function.pull()
    key = function.key(manifest).replace(".json", "/promotion.json")
    data = function.promoting.data
    assert isinstance(data, Bucket)
    from support.places import client  # noqa: PLC0415 - slow

    client("s3", data.endpoint).put_object(Bucket=data.bucket, Key=f"{data.prefix}/{key}", Body=b"{}")
    with pytest.raises(exceptions.MismatchError):
        function({"manifest": manifest})
    failed = lines(capsys)[-1]
    assert (failed["error"], failed["account"]) == ("MismatchError", "practice")


def test_the_local_runner_runs_it_after_a_pull(aws_cli_for: CliFor, start_org: StartOrg) -> None:
    promoting = Promoting.of(aws_cli_for(start_org(users=250)))
    key = promoting.pull("--pending", "1h")
    cli, data = promoting.cli, promoting.data
    assert isinstance(data, Bucket)
    event = cli.folder / "event.json"
    event.write_text(json.dumps({"manifest": promoting.manifest(key)}))
    lambdas = ("--lambdas", ROOT / "lambdas/lib")
    where = ("--aws", "env", *cli.place.arguments, "--env", f"CIRCULATE_TO={data.uri}")
    done = cli("local", "invoke", "targets.s3", *lambdas, *where, "--event", event, "--until-complete")
    assert done.code == 0, done.err
    assert json.loads(done.out)["records"] == 250
    assert promoting.is_exact(key)


def test_without_an_event_it_says_what_it_needs(cli: Cli) -> None:
    command = Cli.command("local", "invoke", "targets.s3.promote", "--lambdas", ROOT / "lambdas/lib")
    done = subprocess.run(command, text=True, capture_output=True, check=False, cwd=cli.folder, env=cli.environment)
    reported = "error: SettingsError: the event has no `manifest` (its keys are manifest and continuation"
    assert (done.returncode, reported in done.stderr) == (1, True), done.stderr
