"""Handlers of functions that call an operation which reads, called as Lambda calls them."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.called import Things, define, serving
from support.cli import StartOrg
from support.handlers import Context, lines
from support.http_server import Handler, Reply
from support.places import client

from circulate_core import exceptions
from circulate_core.aws import caller
from circulate_core.aws.calling import MAX_RESULT

ID = {"id": {"about": "Id of the thing."}}
OPERATIONS: dict[str, Any] = {
    "get": {"about": "One thing.", "kind": "investigate", "path": "/things/{id}", "parameters": ID},
    "find": {
        "about": "Things whose name begins with a text.",
        "kind": "investigate",
        "path": "/things",
        "query": {"q": "{name}"},
        "parameters": {"name": {"about": "The text."}},
        "returns": {
            "list": {
                "records": "/items",
                "primary_key": ["/id"],
                "paginator": {"token": {"from": {"body": "/next"}, "to": "after"}},
            }
        },
    },
}
Invoke = Callable[..., dict[str, Any]]


@pytest.fixture
def things() -> Iterator[Things]:
    with serving(Things({name: {"id": name, "name": name} for name in ("b1", "b2", "b3")})) as served:
        yield served


@pytest.fixture
def make(things: Things, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Invoke]:
    """Make the functions of operations of an API, with what Terraform would give them: no bucket, no table."""
    catalog = define(tmp_path, OPERATIONS)
    monkeypatch.setenv("ACME_URL", things.url)
    monkeypatch.setenv("ACME_TOKEN", "t0ken-canary")
    monkeypatch.setenv("ACME_ACCOUNT", "main")
    for name in ("CIRCULATE_TO", "CIRCULATE_STATE"):
        monkeypatch.delenv(name, raising=False)

    def made(operation: str) -> Invoke:
        handler: Invoke = caller(operation, catalog=str(catalog))
        return lambda event=None, **context: handler(event, Context(**context))

    return made


@pytest.fixture
def get(make: Callable[[str], Invoke]) -> Invoke:
    return make("acme.things.get")


@pytest.fixture
def find(make: Callable[[str], Invoke]) -> Invoke:
    return make("acme.things.find")


def test_what_the_api_returned_is_the_result(get: Invoke, find: Invoke, things: Things) -> None:
    assert get({"parameters": {"id": "b2"}}) == {
        "operation": "acme.things.get",
        "account": "main",
        "returned": {"id": "b2", "name": "b2"},
    }
    found = find({"account": "main", "parameters": {"name": "b"}})
    assert [thing["id"] for thing in found["returned"]] == ["b1", "b2", "b3"]
    things.respond_to = lambda _: Reply(status=204)
    assert get({"parameters": {"id": "b2"}})["returned"] is None


def test_a_call_is_logged_without_its_parameters_and_without_what_it_returned(
    get: Invoke, find: Invoke, things: Things, capsys: pytest.CaptureFixture[str]
) -> None:
    hidden = "canary-b"
    things.things = {f"{hidden}{n}": {"id": f"{hidden}{n}", "name": f"{hidden}{n}"} for n in range(3)}
    get({"parameters": {"id": f"{hidden}1"}})
    find({"parameters": {"name": hidden}})
    logged = lines(capsys)
    events = [(line["event"], line["operation"]) for line in logged if line["event"].startswith("call")]
    assert events == [
        ("call started", "acme.things.get"),
        ("call ended", "acme.things.get"),
        ("call started", "acme.things.find"),
        ("call ended", "acme.things.find"),
    ]
    assert [line["requests"] for line in logged if line["event"] == "call ended"] == [1, 2]
    for line in logged:
        assert (line["request_id"], line["stream"], line["account"]) == (
            Context.aws_request_id,
            "acme.things",
            "main",
        )
        assert "run_id" not in line, "nothing is kept of it"
        assert "_aws" not in line, "metrics of the stream are of what is pulled"


def test_a_call_that_fails_is_logged_and_raised_with_its_hint(
    get: Invoke, things: Things, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(exceptions.RefusedError, match=r"\(404\).*nothing that these credentials may see"):
        get({"parameters": {"id": "nobody"}})
    last = lines(capsys)[-1]
    assert (last["event"], last["operation"], last["error"]) == ("call failed", "acme.things.get", "RefusedError")
    assert (last["requests"], last["level"], last["retryable"]) == (1, "error", False)
    with pytest.raises(exceptions.SettingsError):
        get({"parameters": {}})
    last = lines(capsys)[-1]
    assert (last["step"], last["requests"]) == ("read parameters", 0)
    assert len(things.requests) == 1


@pytest.mark.parametrize(
    ("event", "part"),
    [
        ({}, "`id` is missing: Id of the thing"),
        (None, "`id` is missing: Id of the thing"),
        ({"parameters": None}, "`id` is missing"),
        ({"parameters": {"id": 5, "idd": 1}}, "`idd` (did you mean `id`?)"),
        ({"parameters": {"id": ".."}}, "can't be a part of the path"),
        ({"parameters": {"id": "\ud800"}}, "the parameters are not a JSON object"),
        ({"parameters": {"id": float("nan")}}, "cannot be written as JSON"),
        ({"parameters": [{"id": "b1"}]}, "`parameters` of the event must be an object, not a list"),
        ({"parameters": "id"}, "`parameters` of the event must be an object, not a string"),
        ({"id": "b1"}, "the event has an unknown key `id`"),
        ({"mode": "full", "parameters": {"id": "b1"}}, "the event has an unknown key `mode`"),
        ({"\ud800": "x"}, "the event has an unknown key"),
        ({"account": 5, "parameters": {"id": "b1"}}, "`account` of the event must be a string, not a number"),
        ({"account": "a/b", "parameters": {"id": "b1"}}, "`account` of the event names no account: a/b"),
        ({"account": "acme", "parameters": {"id": "b1"}}, "this function knows no account `acme`"),
        (["b1"], "the event is not a JSON object but a list"),
        ("b1", "the event is not a JSON object but a string"),
    ],
)
def test_an_event_that_is_wrong_is_reported_and_nothing_is_requested(
    get: Invoke, things: Things, event: object, part: str
) -> None:
    with pytest.raises(exceptions.SettingsError) as raised:
        get(event)
    assert part in str(raised.value)
    assert things.requests == []


def test_accounts_have_their_own_secrets(
    start_org: StartOrg, aws: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = {}
    for name, users in (("eu", 3), ("us", 5)):
        org = start_org(users=users, token=f"00canary-{name}")
        ids[name] = next(iter(org.truth("users")))["id"]
        secret = json.dumps({"org_url": org.url, "api_token": org.token})
        client("secretsmanager", aws).create_secret(Name=f"circulate/okta-calls/{name}", SecretString=secret)
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    monkeypatch.setenv("OKTA_ACCOUNTS", "eu, us")
    monkeypatch.setenv("OKTA_SECRET", "circulate/okta-calls/{account}")
    handler: Invoke = caller("okta.users.get")
    for name in ("us", "eu"):
        response = handler({"account": name, "parameters": {"id": ids[name]}}, Context())
        assert (response["account"], response["returned"]["id"]) == (name, ids[name])
    with pytest.raises(exceptions.SettingsError, match="add `account`: eu, us"):
        handler({"parameters": {"id": ids["eu"]}}, Context())
    lines(capsys)


@pytest.mark.parametrize("letter", ["x", "é"])
def test_a_result_that_a_state_machine_could_not_take_is_an_error_and_is_not_cut(
    get: Invoke, things: Things, letter: str
) -> None:
    empty = json.dumps({"operation": "acme.things.get", "account": "main", "returned": {"text": ""}})
    room, wide = MAX_RESULT - len(empty), len(letter.encode())
    text = "x" * (room % wide) + letter * (room // wide)
    things.things = {"fits": {"text": text}, "over": {"text": text + "x"}}
    assert get({"parameters": {"id": "fits"}})["returned"] == {"text": text}
    with pytest.raises(exceptions.LimitError, match=r"returned 262,145 bytes; .* takes 262,144 .*pull a stream"):
        get({"parameters": {"id": "over"}})


def test_a_call_ends_before_its_invocation_does(
    get: Invoke, find: Invoke, things: Things, capsys: pytest.CaptureFixture[str]
) -> None:
    released = threading.Event()

    def silent(_: Handler) -> Reply | None:
        released.wait()
        return None

    things.respond_to = silent
    try:
        for call, event in ((get, {"id": "b1"}), (find, {"name": "b"})):
            with pytest.raises(exceptions.StoppedError, match=r"did not return: deadline .*give it more time"):
                call({"parameters": event}, left_ms=1_000)
            last = lines(capsys)[-1]
            assert (last["event"], last["requests"], last["retryable"]) == ("call failed", 1, True)
    finally:
        released.set()


@pytest.mark.parametrize(("wait", "left_ms"), [("20", 10_000), ("45", 600_000)])
def test_a_wait_that_the_invocation_has_no_time_for_or_that_would_be_billed_ends_the_call(
    get: Invoke, things: Things, wait: str, left_ms: int
) -> None:
    things.respond_to = lambda _: Reply({"error": "slow down"}, status=429, headers=[("Retry-After", wait)])
    with pytest.raises(exceptions.StoppedError, match=r"did not return: wait: .*\(429\).*call it again in [24]\d s"):
        get({"parameters": {"id": "b1"}}, left_ms=left_ms)
    assert len(things.requests) == 1


def test_an_operation_that_is_not_there_is_reported_when_the_function_starts(make: Callable[[str], Invoke]) -> None:
    for name, part in (
        ("acme.things.gte", "did you mean `get`"),
        ("acme.thing.get", "acme.thing"),
        ("get", "names no operation"),
    ):
        with pytest.raises(exceptions.DefinitionError) as raised:
            make(name)
        assert part in f"{raised.value} {raised.value.hint}"


def test_a_function_that_calls_imports_nothing_that_one_that_pulls_does_not() -> None:
    def imported(name: str, of: str) -> set[str]:
        code = (
            f"import sys; from circulate_core.aws import {name}; {name}({of!r});"
            "print(*sorted(name for name in sys.modules if name))"
        )
        done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
        return set(done.stdout.split())

    assert imported("caller", "okta.users.get") <= imported("puller", "okta.users")
