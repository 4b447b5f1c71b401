"""The handler that registers runs, called as Lambda calls it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from support.athena import Athena
from support.cli import CliFor, StartOrg
from support.handlers import Context, lines
from support.places import Bucket
from support.promotions import Promoting

from circulate_core import exceptions

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Function:
    """The function, with a bucket for readers, and a database."""

    promoting: Promoting
    athena: Athena
    handler: Callable[[object, Context], dict[str, Any]]

    def __call__(self, event: object, **context: Any) -> dict[str, Any]:  # noqa: ANN401 - passed on
        """Invoke it."""
        response = self.handler(event, Context(**{"memory_limit_in_mb": 512, **context}))
        assert len(json.dumps(response)) < 2_000
        return response

    def promoted(self, *arguments: str) -> str:
        """Pull a run and promote it; returns its manifest as the result of a promotion names it."""
        key = self.promoting.pull(*arguments)
        assert self.promoting(key).code == 0
        return self.promoting.manifest(key, self.promoting.data)


@pytest.fixture
def function(
    start_org: StartOrg, aws_cli_for: CliFor, aws: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Function:
    promoting = Promoting.of(aws_cli_for(start_org(users=120)))
    data = promoting.data
    assert isinstance(data, Bucket)
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    monkeypatch.setenv("CIRCULATE_FROM", data.uri)
    monkeypatch.setenv("CIRCULATE_TO", f"{data.uri}/tables")
    monkeypatch.setenv("CIRCULATE_DATABASE", "lake")
    spec = spec_from_file_location("handler_athena", ROOT / "lambdas/lib/targets/athena/handler.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return Function(promoting, Athena(aws, tmp_path / "athena").make(), module.register)


def test_a_promoted_run_is_registered_once(function: Function, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = function.promoted("--pending", "1h")
    response = function({"manifest": manifest})
    assert list(response) == ["run_id", "status", "database", "table", "view", "records", "deletes", "files", "bytes"]
    assert (response["status"], response["records"]) == ("complete", 120)
    assert (response["database"], response["table"], response["view"]) == ("lake", "okta_users_history", "okta_users")
    assert function({"manifest": manifest}) == response, "an event that comes twice changes nothing"
    rows = function.athena.query("SELECT count(*) AS n, count(DISTINCT id) AS ids FROM okta_users_history")
    assert rows == [{"n": 120, "ids": 120}]
    started, ended, _, again = lines(capsys)
    assert [line["event"] for line in (started, ended)] == ["registration started", "registration ended"]
    assert (started["stream"], started["account"], started["run_id"]) == ("okta.users", "practice", response["run_id"])
    assert (ended["result"], ended["found"], again["found"]) == (response, False, True)
    assert "_aws" not in ended, "alarms go by the metrics of pulls alone"


def test_too_little_time_is_an_error_and_nobody_sees_any_of_the_run(
    function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = function.promoted()
    with monkeypatch.context() as patch:
        patch.setattr("circulate_core.aws.registration.margin", lambda left: left)
        with pytest.raises(exceptions.LimitError, match="too short to register this run"):
            function({"manifest": manifest})
    assert function.athena.tables() == set()
    assert function({"manifest": manifest})["status"] == "complete"


@pytest.mark.parametrize(
    ("event", "part"),
    [
        (None, "not a JSON object but null"),
        ({}, "the event has no `manifest`"),
        ({"manifest": 5}, "`manifest` of the event must be a string, not a number"),
        ({"manifest": "MANIFEST", "continuation": "x"}, "unknown key `continuation`"),
        ({"manifest": "s3://elsewhere/_circulate/okta/practice/users/r.json"}, "not a manifest of s3://lake-"),
        ({"manifest": "FROM/_circulate/../x/practice/r.json"}, "not a manifest of s3://lake-"),
    ],
)
def test_an_event_that_is_wrong_is_reported(function: Function, event: object, part: str) -> None:
    data = function.promoting.data
    assert isinstance(data, Bucket)
    text = json.dumps(event).replace("MANIFEST", f"{data.uri}/_circulate/okta/practice/users/r.json")
    with pytest.raises(exceptions.SettingsError, match=part):
        function(json.loads(text.replace("FROM", data.uri)))
    assert function.athena.tables() == set()


@pytest.mark.parametrize(
    ("environment", "error", "part"),
    [
        ({"CIRCULATE_FROM": ""}, exceptions.SettingsError, "CIRCULATE_FROM is not set"),
        ({"CIRCULATE_TO": ""}, exceptions.SettingsError, "CIRCULATE_TO is not set"),
        ({"CIRCULATE_DATABASE": ""}, exceptions.SettingsError, "CIRCULATE_DATABASE is not set"),
        ({"CIRCULATE_DATABASE": "A-b"}, exceptions.SettingsError, "invalid `database`: `A-b`"),
        ({"CIRCULATE_DATABASE": "elsewhere"}, exceptions.StorageError, "there is no database `elsewhere`"),
        ({"CIRCULATE_TO": "/tmp/tables"}, exceptions.SettingsError, "is a folder"),  # noqa: S108 - nothing is written
    ],
)
def test_an_environment_that_is_wrong_is_reported(
    function: Function,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    error: type[exceptions.CirculateError],
    part: str,
) -> None:
    manifest = function.promoted()
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(error, match=part):
        function({"manifest": manifest})
    assert function.athena.tables() == set()
