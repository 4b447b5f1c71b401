"""The functions of this project under AWS's own runtime client, from Okta into S3 and DynamoDB."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from support.cli import StartOrg
from support.oracle import LISTS
from support.places import Bucket, client

from circulate_core import _core
from circulate_core.aws.project import described
from circulate_local import Credentials, Function, Invocation, LocalLambda
from circulate_practice import OAuthClient, PracticeOrg, make_key
from circulate_practice.compare import compare, key_of

LAMBDAS = Path(__file__).resolve().parents[2] / "lambdas/lib"
CANARY = "00canary-token"
ROLE = Credentials("practice", "practice-canary")


@dataclass
class Account:
    """The functions as they are wired for one org, with a bucket and a table of their own."""

    org: PracticeOrg
    place: Bucket
    stack: ExitStack
    environment: dict[str, str]
    log: list[str] = field(default_factory=list)

    def function(self, endpoint: str = "users", **settings: Any) -> Function:  # noqa: ANN401 - passed on
        """Describe a function as its lambda.yaml does."""
        (found,) = (each for each in described(LAMBDAS) if each.is_called(f"okta.{endpoint}"))
        return replace(Function.of(found, self.environment), **settings)

    def start(self, *functions: Function) -> LocalLambda:
        """Run functions until the test ends."""
        return self.stack.enter_context(LocalLambda(functions, log=self.log.append, credentials=ROLE))

    def is_exact(self, response: dict[str, Any], name: str = "users") -> bool:
        """Compare what a run wrote with what the org has."""
        manifest = Path(self.place.lake(), response["manifest"].removeprefix(self.place.uri).lstrip("/"))
        return compare(manifest, map(key_of, self.org.truth(name))).identical


@pytest.fixture
def account_of(aws: str, tmp_path: Path) -> Iterator[Callable[..., Account]]:
    with ExitStack() as stack:

        def make(org: PracticeOrg, **environment: str) -> Account:
            place = Bucket.new(aws, tmp_path, "raw")
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("AWS_ENDPOINT_URL", aws)
                _core.state_init(place.state[1])
            secret = json.dumps({"okta_domain": org.url, "okta_api_key": org.token})
            client("secretsmanager", aws).create_secret(Name=place.table, SecretString=secret)
            wired = {
                "AWS_ENDPOINT_URL": aws,
                "CIRCULATE_TO": place.uri,
                "CIRCULATE_STATE": place.state[1],
                "OKTA_SECRET": place.table,
                "OKTA_ACCOUNT": "practice",
            }
            return Account(org, place, stack, wired | environment)

        yield make


def response_of(invocation: Invocation) -> dict[str, Any]:
    assert invocation.function_error is None, invocation.payload
    response: dict[str, Any] = json.loads(invocation.payload)
    return response


def error_of(invocation: Invocation) -> dict[str, Any]:
    assert invocation.function_error == "Unhandled"
    error: dict[str, Any] = json.loads(invocation.payload)
    return error


def secrets_in(log: list[str]) -> list[str]:
    return [line for line in log if "canary" in line]


def test_every_function_pulls_its_stream_exactly(start_org: StartOrg, account_of: Callable[..., Account]) -> None:
    org = start_org(users=300, apps=12, app_users=(0, 4), app_groups=(0, 3), groups=6, events=700, token=CANARY)
    account = account_of(org)
    assert {each.endpoint for each in described(LAMBDAS) if each.is_list} == set(LISTS)
    local = account.start(*map(account.function, LISTS))
    for endpoint, name in LISTS.items():
        response = response_of(local.invoke(f"circulate-okta-{endpoint}-list"))
        assert response["status"] == "complete", endpoint
        assert account.is_exact(response, name), endpoint
        again = response_of(local.invoke(f"circulate-okta-{endpoint}-list"))
        assert again["status"] == "complete", endpoint
    assert not secrets_in(account.log)
    assert all(line.startswith(("{", "INIT_START", "START", "END", "REPORT")) for line in account.log)


def test_every_function_that_calls_returns_what_the_api_has(
    start_org: StartOrg, account_of: Callable[..., Account]
) -> None:
    org = start_org(users=30, apps=3, groups=4, token=CANARY)
    account = account_of(org, CIRCULATE_TO="", CIRCULATE_STATE="")
    local = account.start(*map(account.function, ("users.get", "groups.get", "applications.get")))
    for endpoint, name in (("users", "users"), ("groups", "groups"), ("applications", "apps")):
        entry = next(iter(org.truth(name)))
        event = json.dumps({"parameters": {"id": entry["id"]}}).encode()
        response = response_of(local.invoke(f"circulate-okta-{endpoint}-get", event))
        assert (response["operation"], response["account"]) == (f"okta.{endpoint}.get", "practice")
        assert response["returned"]["id"] == entry["id"]
    wrong = error_of(local.invoke("circulate-okta-users-get", b'{"parameters": {"idd": "x"}}'))
    assert (wrong["errorType"], "did you mean `id`" in wrong["errorMessage"]) == ("SettingsError", True)
    assert not secrets_in(account.log)


def test_work_for_many_invocations_is_complete_and_exact(
    start_org: StartOrg, account_of: Callable[..., Account]
) -> None:
    org = start_org(users=6_000, latency=0.3, token=CANARY)
    account = account_of(org)
    local = account.start(account.function(timeout_s=5))
    event, invocations = {"mode": "full"}, 0
    response: dict[str, Any] = {"status": "partial"}
    while response["status"] == "partial":
        response, invocations = (
            response_of(local.invoke("circulate-okta-users-list", json.dumps(event).encode())),
            invocations + 1,
        )
        event = {"continuation": response["run_id"]}
    assert (response["status"], response["records"]) == ("complete", 6_000)
    assert invocations >= 3
    assert account.is_exact(response)
    assert not any("timed out" in line for line in account.log)


LATE = """
from circulate_core.aws import puller

pull = puller("okta.users")
number = 0

class Late:
    def __init__(self, context, more):
        self.context, self.more = context, more

    def __getattr__(self, name):
        return getattr(self.context, name)

    def get_remaining_time_in_millis(self):
        # As if there were more time: the invocation is killed somewhere in its work.
        return self.context.get_remaining_time_in_millis() + self.more

def list(event, context):
    more = event.pop("more")
    return pull(event, Late(context, more))
"""


def test_invocations_that_are_killed_anywhere_are_continued_and_nothing_is_lost_or_twice(
    start_org: StartOrg, account_of: Callable[..., Account], tmp_path: Path
) -> None:
    org = start_org(users=8_000, latency=0.1, token=CANARY)
    account = account_of(org)
    (tmp_path / "late").mkdir()
    (tmp_path / "late/handler.py").write_text(LATE)
    local = account.start(account.function(timeout_s=2, task_root=tmp_path / "late"))
    response: dict[str, Any] = {"status": "partial"}
    killed = 0
    while response["status"] != "complete":
        # Every second invocation that is not busy ends in good order, and so leaves a checkpoint.
        more = 1_600 + killed * 97 % 400 if response["status"] == "partial" else 0
        invocation = local.invoke("circulate-okta-users-list", json.dumps({"mode": "full", "more": more}).encode())
        if invocation.function_error:
            assert json.loads(invocation.payload)["errorType"] == "Sandbox.Timedout"
            response, killed = {"status": "killed"}, killed + 1
        else:
            response = json.loads(invocation.payload)
    assert response["records"] == 8_000
    assert account.is_exact(response)
    assert killed >= 3


@pytest.mark.parametrize("event", [{}, {"mode": "full"}])
def test_two_at_once_are_one_run_and_one_that_is_busy(
    start_org: StartOrg, account_of: Callable[..., Account], event: dict[str, str]
) -> None:
    account = account_of(start_org(users=2_000, latency=0.4, token=CANARY))
    local = account.start(account.function())
    with ThreadPoolExecutor(2) as threads:
        payload = json.dumps(event).encode()
        responses = [
            response_of(done)
            for done in threads.map(lambda _: local.invoke("circulate-okta-users-list", payload), "ab")
        ]
    complete, busy = sorted(responses, key=lambda response: response["status"], reverse=True)
    assert (complete["status"], busy["status"]) == ("complete", "busy")
    assert busy["run_id"] == complete["run_id"]
    assert busy["resume_after"] > 0
    assert account.is_exact(complete)


def test_an_oauth_client_signs_in_once_for_warm_invocations(
    start_org: StartOrg, account_of: Callable[..., Account], aws: str
) -> None:
    key = make_key("ES256")
    org = start_org(
        users=50, clients=[OAuthClient(client_id="0oa1", scopes=["okta.users.read"], keys=[key], dpop=True)]
    )
    account = account_of(org)
    secret = {"okta_domain": org.url, "okta_client_id": "0oa1", "okta_private_key": json.dumps(key)}
    client("secretsmanager", aws).put_secret_value(SecretId=account.place.table, SecretString=json.dumps(secret))
    local = account.start(account.function())
    for _ in range(3):
        assert response_of(local.invoke("circulate-okta-users-list"))["status"] == "complete"
    assert [request.outcome for request in org.token_requests].count("issued") == 1
    assert not any(part in line for line in account.log for part in (key["d"], "DPoP ey"))


def test_bad_events_and_settings_are_errors_by_class_and_reported_in_their_text(
    start_org: StartOrg, account_of: Callable[..., Account]
) -> None:
    account = account_of(start_org(users=5, token=CANARY))
    base = account.function()
    changed = {
        "typo": base,
        "missing-secret": replace(base, environment={**base.environment, "OKTA_SECRET": "nothing"}),
        "missing-bucket": replace(base, environment={**base.environment, "CIRCULATE_TO": "s3://no-such-bucket/x"}),
        "no-table": replace(base, environment={**base.environment, "CIRCULATE_STATE": ""}),
    }
    local = account.start(*(replace(function, name=name) for name, function in changed.items()))
    for name, payload, kind, part in [
        ("typo", b'{"mod": "full"}', "SettingsError", "unknown key `mod`"),
        ("typo", b'{"account": "acme"}', "SettingsError", "knows no account `acme`"),
        ("typo", b'{"mode": 5}', "SettingsError", "must be a string, not a number"),
        ("typo", b"[]", "SettingsError", "not a JSON object but a list"),
        ("missing-secret", b"{}", "SettingsError", "there is no such secret"),
        ("missing-bucket", b"{}", "StorageError", "no-such-bucket"),
        ("no-table", b"{}", "SettingsError", "CIRCULATE_STATE is not set"),
    ]:
        error = error_of(local.invoke(name, payload))
        assert (error["errorType"], part in error["errorMessage"]) == (kind, True), error
    assert account.org.request_count == 0
    assert not secrets_in(account.log)


def test_a_wrong_token_is_an_auth_error_without_the_token(
    start_org: StartOrg, account_of: Callable[..., Account]
) -> None:
    account = account_of(start_org(users=5, token=CANARY), OKTA_API_TOKEN="00wrong-canary")
    error = error_of(account.start(account.function()).invoke("circulate-okta-users-list"))
    assert error["errorType"] == "AuthError"
    assert "hint" not in error["errorMessage"]
    assert "check OKTA_API_TOKEN" in error["errorMessage"]
    assert "canary" not in json.dumps(error)
    assert not secrets_in(account.log)


def test_a_function_that_never_returns_is_stopped_and_the_next_invocation_works(
    start_org: StartOrg, account_of: Callable[..., Account], tmp_path: Path
) -> None:
    account = account_of(start_org(users=5, token=CANARY))
    code = """
from circulate_core.aws import puller

pull = puller("okta.users")

def list(event, context):
    while event.pop("hang", None):
        while True:
            pass
    return pull(event, context)
"""
    (tmp_path / "hang").mkdir()
    (tmp_path / "hang/handler.py").write_text(code)
    local = account.start(account.function(timeout_s=5, task_root=tmp_path / "hang"))
    error = error_of(local.invoke("circulate-okta-users-list", b'{"hang": "yes"}'))
    assert error["errorType"] == "Sandbox.Timedout"
    assert response_of(local.invoke("circulate-okta-users-list"))["status"] == "complete"


def test_the_look_for_secrets_in_logs_finds_one(
    start_org: StartOrg, account_of: Callable[..., Account], tmp_path: Path
) -> None:
    account = account_of(start_org(users=5, token=CANARY), OKTA_API_TOKEN=CANARY)
    (tmp_path / "leak").mkdir()
    (tmp_path / "leak/handler.py").write_text(
        "def list(event, context):\n    print('the token is', 'another-canary')\n"
    )
    account.start(account.function(task_root=tmp_path / "leak")).invoke("circulate-okta-users-list")
    assert secrets_in(account.log) == ["the token is another-canary"]


def test_a_small_function_pulls_large_records_within_its_memory(
    start_org: StartOrg, account_of: Callable[..., Account]
) -> None:
    org = start_org(users=20_000, token=CANARY)
    account = account_of(org)
    invocation = account.start(account.function(memory_mb=128)).invoke("circulate-okta-users-list")
    assert account.is_exact(response_of(invocation))
    assert invocation.max_memory_mb < 100


def test_a_small_function_makes_tables_within_its_memory(
    start_org: StartOrg, account_of: Callable[..., Account]
) -> None:
    org = start_org(users=40_000, token=CANARY)
    account = account_of(org, CIRCULATE_FORMAT="parquet")
    invocation = account.start(account.function(memory_mb=128)).invoke("circulate-okta-users-list")
    assert response_of(invocation)["records"] == 40_000
    assert invocation.max_memory_mb < 120
