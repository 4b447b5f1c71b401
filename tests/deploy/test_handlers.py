"""Handlers of Lambda functions, called as Lambda calls them; what runs them is tested elsewhere."""

import json
import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from support.cli import StartOrg
from support.handlers import Context, lines
from support.places import Bucket

from circulate_core import _core, exceptions
from circulate_core.aws.invocation import margin
from circulate_practice import PracticeOrg
from circulate_practice.compare import compare

ROOT = Path(__file__).resolve().parents[2]
CANARY = "00canary-token"
Invoke = Callable[..., Any]


@dataclass
class Function:
    """The function of a stream, with an org and a bucket of its own."""

    org: PracticeOrg
    place: Bucket
    handlers: dict[str, Any] = field(default_factory=dict)

    def __call__(self, event: object = None, stream: str = "users", **context: Any) -> dict[str, Any]:  # noqa: ANN401
        """Invoke the function of a stream."""
        if stream not in self.handlers:
            spec = spec_from_file_location(f"handler_{stream}", ROOT / f"lambdas/lib/okta/{stream}/handler.py")
            assert spec
            assert spec.loader
            module = module_from_spec(spec)
            spec.loader.exec_module(module)
            self.handlers[stream] = module.list
        response: dict[str, Any] = self.handlers[stream](event, Context(**context))
        assert len(json.dumps(response)) < 2_000
        return response

    def manifest(self, response: dict[str, Any]) -> Path:
        """Return the manifest that a response names."""
        name = response["manifest"].removeprefix(self.place.arguments[1]).lstrip("/")
        return Path(self.place.lake(), name)


@pytest.fixture
def function(start_org: StartOrg, aws: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Function:
    org = start_org(users=500, apps=10, app_users=3, groups=5, token=CANARY)
    place = Bucket.new(aws, tmp_path, "raw")
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    monkeypatch.setenv("CIRCULATE_TO", place.arguments[1])
    monkeypatch.setenv("CIRCULATE_STATE", place.state[1])
    monkeypatch.setenv("OKTA_ORG_URL", org.url)
    monkeypatch.setenv("OKTA_API_TOKEN", org.token)
    monkeypatch.setenv("OKTA_ACCOUNT", "practice")
    _core.state_init(place.state[1])
    return Function(org, place)


def truth(org: PracticeOrg, name: str = "users") -> list[str]:
    return [entry["sha256"] for entry in org.truth(name)]


def test_a_pull_is_exact_and_the_next_one_takes_what_changed(function: Function) -> None:
    response = function()
    assert response.keys() == {"run_id", "status", "mode", "manifest", "objects", "records", "bytes"}
    assert (response["status"], response["records"], response["objects"]) == ("complete", 500, 1)
    assert compare(function.manifest(response), truth(function.org)).identical
    function.org.change(7)
    assert 7 <= function({}, aws_request_id="b")["records"] < 20


def test_a_function_may_write_tables(function: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIRCULATE_FORMAT", "parquet")
    monkeypatch.setenv("CIRCULATE_NESTED", "flatten")
    response = function({"mode": "full"})
    assert (response["status"], response["records"], response["objects"]) == ("complete", 500, 1)
    (file,) = function.place.lake().glob("okta/practice/users/**/*.parquet")
    table = pq.read_table(file)
    assert (table.num_rows, "profile__login" in table.column_names) == (500, True)


def test_a_function_leaves_the_headroom_that_its_environment_says(
    function: Function, start_org: StartOrg, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = start_org(users=500, rate_limit=10, window=7200.0, token=CANARY)
    monkeypatch.setenv("OKTA_ORG_URL", small.url)
    monkeypatch.setenv("CIRCULATE_HEADROOM", "0.9")
    response = function({"mode": "full"})
    assert (response["status"], small.request_count) == ("partial", 1), "9 of 10 are left to others"
    monkeypatch.setenv("CIRCULATE_HEADROOM", "0.1")
    assert function({"continuation": response["continuation"]}, aws_request_id="b")["status"] == "complete"


def test_the_same_request_again_is_served_without_pulling(function: Function) -> None:
    first = function({"mode": "full"})
    before = function.org.request_count
    assert function({"mode": "full"}) == first
    assert function.org.request_count == before, "Lambda tried again although the run was committed"
    other = function({"mode": "full"}, aws_request_id="another")
    assert (other["records"], other["run_id"] == first["run_id"]) == (500, False)


def test_a_run_that_runs_out_of_time_is_continued_until_it_is_complete(
    function: Function, start_org: StartOrg, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = start_org(users=4_000, latency=0.05, token=CANARY)
    monkeypatch.setenv("OKTA_ORG_URL", slow.url)
    function.org = slow
    response, invocations = function({"mode": "full"}, left_ms=1_400), 1
    while response["status"] == "partial":
        assert response["continuation"] == response["run_id"]
        again = {"continuation": response["continuation"]}
        response, invocations = function(again, left_ms=1_400, aws_request_id=f"{invocations}"), invocations + 1
        assert invocations < 20
    assert (response["status"], response["records"]) == ("complete", 4_000)
    assert invocations > 1
    assert compare(function.manifest(response), truth(slow)).identical
    assert function({"continuation": response["run_id"]}, aws_request_id="late") == response, (
        "a late duplicate changes nothing"
    )


def test_a_wait_that_would_be_billed_ends_the_invocation(
    function: Function, start_org: StartOrg, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict = start_org(users=4_000, rate_limit=4, window=45.0, token=CANARY)
    monkeypatch.setenv("OKTA_ORG_URL", strict.url)
    response = function({}, left_ms=600_000)
    assert response["status"] == "partial"
    assert response["resume_after"] > 0
    assert response["continuation"] == response["run_id"]


def test_a_run_may_be_left_to_be_decided(function: Function) -> None:
    response = function({"commit": "pending"})
    assert response["status"] == "complete"
    busy = function({}, aws_request_id="b")
    assert (busy["status"], busy["run_id"]) == ("busy", response["run_id"])
    assert busy["manifest"] == response["manifest"], "a pipeline can promote it first"
    assert busy["resume_after"] > 0
    _core.state_decide(function.place.state[1], "okta#practice#users", response["run_id"], True, False)  # noqa: FBT003
    assert function({}, aws_request_id="c")["status"] == "complete"


@pytest.mark.parametrize(
    ("event", "part"),
    [
        ({"mod": "full"}, "unknown key `mod`"),
        ({"mode": "ful"}, "`mode` of the event is `ful`: it is incremental or full"),
        ({"mode": True}, "`mode` of the event must be a string, not true or false"),
        ({"since": 5}, "must be a string, not a number"),
        ({"since": "yesterday"}, "invalid `since` of the event: not a time: yesterday"),
        ({"until": ""}, "invalid `until` of the event: not a time"),
        ({"since": "\ud800"}, r"invalid `since` of the event: not a time: \\ud800"),
        ({"\ud800": "x"}, "the event has an unknown key"),
        ({"since": "2026-02-01", "until": "2026-01-01"}, "`since` of the event is not before its `until`: 2026-02-01"),
        (
            {"since": "2026-01-01", "until": "2026-01-01T01:00:00+01:00"},
            "`since` of the event is not before its `until`",
        ),
        ({"continuation": "x" * 5_000}, "`continuation` of the event names no run: xxx"),
        ({"continuation": ""}, "`continuation` of the event names no run"),
        ({"continuation": "a/../b"}, "`continuation` of the event names no run: a/../b"),
        ({"account": "a" * 5_000}, "`account` of the event names no account: aaa"),
        ({"x" * 5_000: "a"}, "characters"),
        ({"mode": "full", "since": "2026-01-01T00:00:00Z"}, "beside `mode: full`"),
        ({"continuation": "x", "mode": "full"}, "beside `continuation`"),
        ({"continuation": "20260101T000000000Z-0"}, "no run of this stream has this id"),
        ({"account": "acme"}, "this function knows no account `acme`"),
        ({"commit": "later"}, "it is auto or pending"),
        (["full"], "is not a JSON object but a list"),
        ("full", "is not a JSON object but a string"),
    ],
)
def test_an_event_that_is_wrong_is_reported_and_nothing_is_requested(
    function: Function, event: object, part: str
) -> None:
    with pytest.raises((exceptions.SettingsError, ValueError), match=part.replace("(", r"\(")):
        function(event)
    assert function.org.request_count == 0


@pytest.mark.parametrize(
    ("environment", "error", "part"),
    [
        ({"CIRCULATE_TO": ""}, "SettingsError", "CIRCULATE_TO is not set"),
        ({"CIRCULATE_STATE": ""}, "SettingsError", "CIRCULATE_STATE is not set"),
        ({"OKTA_API_TOKEN": ""}, "SettingsError", "OKTA_API_TOKEN"),
        ({"OKTA_API_TOKEN": "", "OKTA_SECRET": "missing"}, "SettingsError", "there is no such secret"),
        ({"OKTA_API_TOKEN": "00canary-wrong"}, "AuthError", "refused the credentials"),
        ({"CIRCULATE_TO": "s3://missing-bucket/raw"}, "StorageError", "missing-bucket"),
        ({"CIRCULATE_STATE": "dynamodb://missing"}, "StateError", "missing"),
        ({"OKTA_ACCOUNTS": "one,two"}, "SettingsError", "which secret is whose"),
        ({"CIRCULATE_FORMAT": "xml"}, "SettingsError", "xml"),
        ({"CIRCULATE_HEADROOM": "all"}, "SettingsError", "invalid `headroom`: .* given 'all'"),
    ],
)
def test_what_is_set_up_wrong_is_reported_by_the_class_and_the_text_of_the_error(  # noqa: PLR0913, PLR0917 - fixtures
    function: Function,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    environment: dict[str, str],
    error: str,
    part: str,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(exceptions.CirculateError, match=part) as raised:
        function({})
    assert not getattr(raised.value, "__notes__", []), "its hint is in its text already"
    assert type(raised.value).__name__ == error
    last = lines(capsys)[-1]
    assert (last["event"], last["error"], last["failed"], last["complete"]) == ("pull failed", error, 1, 0)


def test_accounts_have_their_own_secrets(
    function: Function, start_org: StartOrg, aws: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from support.places import client  # noqa: PLC0415 - slow

    other = start_org(users=30, token="00canary-other")
    for name, org in (("eu", function.org), ("us", other)):
        secret = json.dumps({"org_url": org.url, "api_token": org.token})
        client("secretsmanager", aws).create_secret(Name=f"circulate/okta/{name}", SecretString=secret)
    monkeypatch.delenv("OKTA_ORG_URL")
    monkeypatch.delenv("OKTA_API_TOKEN")
    monkeypatch.setenv("OKTA_ACCOUNTS", "eu, us")
    monkeypatch.setenv("OKTA_SECRET", "circulate/okta/{account}")
    assert [function({"account": name})["records"] for name in ("eu", "us")] == [500, 30]
    with pytest.raises(exceptions.SettingsError, match="add `account`: eu, us"):
        function({})


def test_what_happens_is_logged_in_lines_of_json_with_metrics(
    function: Function, capsys: pytest.CaptureFixture[str]
) -> None:
    response = function({})
    logged = lines(capsys)
    engine = ["lease_acquired", "object_stored", "checkpoint_written", "run_committed"]
    assert [line["event"] for line in logged] == ["pull started", *engine, "pull ended"]
    for line in logged:
        assert (line["request_id"], line["stream"]) == (Context.aws_request_id, "okta.users")
        assert line["account"] == "practice"
        assert line["level"] == ("debug" if line["event"] == "object_stored" else "info")
        assert (line.get("run_id") == response["run_id"]) == (line["event"] != "pull started")
    ended = logged[-1]
    assert (ended["run_id"], ended["result"]) == (response["run_id"], response)
    (directive,) = ended["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "Circulate"
    assert all(isinstance(ended[metric["Name"]], int | float) for metric in directive["Metrics"])
    assert all(dimension in ended for dimension in directive["Dimensions"][0])
    assert (ended["records"], ended["requests"], ended["complete"], ended["failed"]) == (500, 3, 1, 0)
    assert ended["_aws"]["Timestamp"] > 1_700_000_000_000


def test_a_retry_is_logged_once_and_not_by_others_too(
    function: Function, start_org: StartOrg, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rough = start_org(users=500, token=CANARY, window=1.0, faults=["429@1", "503@2"])
    monkeypatch.setenv("OKTA_ORG_URL", rough.url)
    # As the runtime of Lambda does.
    of_lambda = logging.StreamHandler(sys.stdout)
    logging.getLogger().addHandler(of_lambda)
    try:
        response = function({})
    finally:
        logging.getLogger().removeHandler(of_lambda)
    logged = lines(capsys)
    troubles = [line for line in logged if line["event"] in {"throttled", "request_retried", "note"}]
    assert [line["event"] for line in troubles] == ["throttled", "request_retried", "request_retried"]
    assert [line["level"] for line in troubles] == ["info", "warning", "warning"]
    for line in troubles:
        about = (line["request_id"], line["run_id"], line["stream"], line["account"])
        assert about == (Context.aws_request_id, response["run_id"], "okta.users", "practice")
    assert "retrying in" in troubles[1]["message"]
    assert (troubles[1]["attempts"], troubles[1]["wait_seconds"] > 0, "(429)" in troubles[1]["error"]) == (
        1,
        True,
        True,
    )
    logger = logging.getLogger("circulate_core")
    assert (logger.handlers, logger.level, logger.propagate) == ([], logging.NOTSET, True)


def test_metrics_are_of_the_invocation_and_the_result_is_of_the_run(
    function: Function, start_org: StartOrg, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    slow = start_org(users=4_000, latency=0.05, token=CANARY)
    monkeypatch.setenv("OKTA_ORG_URL", slow.url)
    response = function({}, left_ms=1_400)
    first = lines(capsys)[-1]
    assert (response["status"], first["partial"]) == ("partial", 1)
    response = function({"continuation": response["run_id"]}, aws_request_id="b")
    second = lines(capsys)[-1]
    assert first["requests"] + second["requests"] >= 20
    assert second["records"] < 4_000 == response["records"]


def test_what_a_function_imports_at_a_cold_start_is_light() -> None:
    """`logging` is there already: the runtime client of Lambda imports it before the handler."""
    import subprocess  # noqa: PLC0415 - only here

    code = (
        "import sys; before = set(sys.modules); import circulate_core.aws; new = set(sys.modules) - before;"
        "print(sorted(name for name in new if name.partition('.')[0] in"
        " {'boto3', 'botocore', 'asyncio', 'http', 'urllib', 'subprocess', 'ssl', 'argparse', 'pathlib'}"
        " or name.startswith(('circulate_core.cli', 'circulate_practice', 'circulate_local'))))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(("left", "kept"), [(900, 20), (60, 9), (20, 3), (3, 1.5), (1, 0.5)])
def test_some_of_the_time_is_kept_to_end_in_good_order(left: float, kept: float) -> None:
    assert margin(left) == pytest.approx(kept)
