"""Lambda's API for callers, as AWS's own client for Python sees it."""

import base64
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
import pytest
from botocore.config import Config  # type: ignore[import-untyped]
from botocore.exceptions import ClientError  # type: ignore[import-untyped]
from support.toys import PATIENCE, needs_namespaces, toy

from circulate_local import LocalLambda

pytestmark = needs_namespaces

CODE = """
def handler(event, context):
    print("got", json.dumps(event))
    if event == "fail": raise RuntimeError("failed")
    if event == "wait":
        while not os.path.exists("/var/task/go"): time.sleep(0.01)
    if event == "context": return [context.client_context.custom, context.client_context.env]
    return event
"""


@pytest.fixture
def lines() -> list[str]:
    """Gather the log."""
    return []


@pytest.fixture
def local(tmp_path: Path, lines: list[str]) -> Iterator[LocalLambda]:
    """Run a toy, one call at a time."""
    function = toy(tmp_path, CODE, timeout_s=PATIENCE, memory_mb=256)
    with LocalLambda([function], log=lines.append, concurrency=1, retry_delays=(0.01, 0.02)) as running:
        yield running


@pytest.fixture
def client(local: LocalLambda) -> Any:  # noqa: ANN401 - boto3 has no types
    """Make AWS's own client, which tries nothing twice."""
    config = Config(retries={"total_max_attempts": 1}, read_timeout=PATIENCE)
    return boto3.client("lambda", endpoint_url=local.url, region_name="us-east-1", config=config)


def wait_for(truth: Any) -> None:  # noqa: ANN401 - a function
    """Wait until something is true, which must come at once."""
    until = time.monotonic() + PATIENCE
    waiting = threading.Event()
    while not truth():
        assert time.monotonic() < until
        waiting.wait(0.01)


ARN = "arn:aws:lambda:us-east-1:123456789012:function:toy"


@pytest.mark.parametrize(
    "name", ["toy", "toy:$LATEST", ARN, f"{ARN}:$LATEST", "123456789012:function:toy", "123456789012:toy"]
)
def test_a_function_is_called_by_any_of_its_names(client: Any, name: str) -> None:  # noqa: ANN401
    response = client.invoke(FunctionName=name, Payload=b'{"a":[1,"\xc3\xa4"]}')
    assert json.load(response["Payload"]) == {"a": [1, "ä"]}
    assert (response["StatusCode"], response["ExecutedVersion"]) == (200, "$LATEST")
    assert "FunctionError" not in response
    assert "LogResult" not in response


def test_a_function_error_is_said_in_a_header(client: Any) -> None:  # noqa: ANN401
    response = client.invoke(FunctionName="toy", Payload=b'"fail"', LogType="Tail")
    body = json.load(response["Payload"])
    assert (response["StatusCode"], response["FunctionError"]) == (200, "Unhandled")
    assert (body["errorType"], body["errorMessage"]) == ("RuntimeError", "failed")
    assert body["requestId"] == response["ResponseMetadata"]["RequestId"]


def test_the_tail_of_the_log_comes_with_the_report(client: Any, lines: list[str]) -> None:  # noqa: ANN401
    response = client.invoke(FunctionName="toy", Payload=json.dumps("x" * 10_000).encode(), LogType="Tail")
    tail = base64.b64decode(response["LogResult"])
    assert len(tail) == 4096
    assert tail.decode().endswith(f'xxx"\n{lines[-2]}\n{lines[-1]}\n')
    assert lines[-1].startswith(f"REPORT RequestId: {response['ResponseMetadata']['RequestId']}\t")


def test_a_call_without_a_payload_gets_an_empty_event(client: Any) -> None:  # noqa: ANN401
    assert json.load(client.invoke(FunctionName="toy")["Payload"]) == {}


def test_the_client_context_reaches_the_function(client: Any) -> None:  # noqa: ANN401
    context = base64.b64encode(json.dumps({"custom": {"a": "1"}, "env": {"b": "2"}}).encode()).decode()
    response = client.invoke(FunctionName="toy", Payload=b'"context"', ClientContext=context)
    assert json.load(response["Payload"]) == [{"a": "1"}, {"b": "2"}]


def test_a_client_context_that_is_malformed_is_refused(local: LocalLambda) -> None:
    url = f"{local.url}/2015-03-31/functions/toy/invocations"
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(urllib.request.Request(url, b"1", {"X-Amz-Client-Context": "?"}), timeout=PATIENCE)
    with refused.value as response:
        assert (response.code, response.headers["x-amzn-ErrorType"]) == (400, "InvalidParameterValueException")


def test_a_dry_run_runs_nothing(client: Any, lines: list[str]) -> None:  # noqa: ANN401
    response = client.invoke(FunctionName="toy", InvocationType="DryRun", Payload=b"1")
    assert (response["StatusCode"], response["Payload"].read(), lines) == (204, b"", [])


def test_an_event_is_accepted_at_once_and_runs_in_the_background(
    client: Any,  # noqa: ANN401
    lines: list[str],
) -> None:
    response = client.invoke(FunctionName="toy", InvocationType="Event", Payload=b'"later"')
    assert (response["StatusCode"], response["Payload"].read()) == (202, b"")
    wait_for(lambda: 'got "later"' in lines)


def test_an_event_that_fails_is_tried_twice_more_under_its_id(client: Any, lines: list[str]) -> None:  # noqa: ANN401
    response = client.invoke(FunctionName="toy", InvocationType="Event", Payload=b'"fail"')
    request = response["ResponseMetadata"]["RequestId"]
    wait_for(lambda: sum(line.startswith("REPORT") for line in lines) == 3)
    client.invoke(FunctionName="toy", Payload=b'"after"')
    assert [line for line in lines if line.startswith("got")] == [*['got "fail"'] * 3, 'got "after"']
    assert sum(line == f"START RequestId: {request} Version: $LATEST" for line in lines) == 3


@pytest.mark.parametrize(
    ("arguments", "status", "code", "message"),
    [
        ({"FunctionName": "other"}, 404, "ResourceNotFoundException", "Function not found: other"),
        ({"FunctionName": "toy:7"}, 404, "ResourceNotFoundException", f"Function not found: {ARN}:7"),
        (
            {"FunctionName": "toy", "Qualifier": "alias"},
            404,
            "ResourceNotFoundException",
            f"Function not found: {ARN}:alias",
        ),
        (
            {"FunctionName": "toy", "Payload": b"{no json"},
            400,
            "InvalidRequestContentException",
            "Could not parse request body into json: ",
        ),
        (
            {"FunctionName": "toy", "Payload": b'"' + b"x" * 6_291_455 + b'"'},
            413,
            "RequestTooLargeException",
            "6291457 byte payload is too large for the RequestResponse invocation type (limit 6291456 bytes)",
        ),
        (
            {"FunctionName": "toy", "InvocationType": "Event", "Payload": b'"' + b"x" * 1_048_575 + b'"'},
            413,
            "RequestTooLargeException",
            "1048577 byte payload is too large for the Event invocation type (limit 1048576 bytes)",
        ),
    ],
)
def test_what_aws_refuses_is_refused(
    client: Any,  # noqa: ANN401
    arguments: dict[str, Any],
    status: int,
    code: str,
    message: str,
) -> None:
    with pytest.raises(ClientError) as refused:
        client.invoke(**arguments)
    response = refused.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert response["Error"]["Code"] == code
    assert response["Error"]["Message"].startswith(message)


def test_a_call_beyond_the_concurrency_is_throttled(
    local: LocalLambda,
    client: Any,  # noqa: ANN401
    lines: list[str],
) -> None:
    client.invoke(FunctionName="toy", InvocationType="Event", Payload=b'"wait"')
    wait_for(lambda: 'got "wait"' in lines)
    with pytest.raises(client.exceptions.TooManyRequestsException):
        client.invoke(FunctionName="toy", Payload=b"1")
    (local.functions["toy"].task_root / "go").touch()
    wait_for(lambda: any(line.startswith("REPORT") for line in lines))


def test_the_end_does_not_wait_for_calls_that_run(tmp_path: Path) -> None:
    lines: list[str] = []
    function = toy(tmp_path, CODE, timeout_s=900)
    with LocalLambda([function], log=lines.append) as local:
        url = f"{local.url}/2015-03-31/functions/toy/invocations"
        request = urllib.request.Request(url, b'"wait"', {"X-Amz-Invocation-Type": "Event"})
        urllib.request.urlopen(request, timeout=PATIENCE).close()
        wait_for(lambda: 'got "wait"' in lines)
        ending = time.monotonic()
    assert time.monotonic() - ending < PATIENCE


def test_functions_are_described(client: Any) -> None:  # noqa: ANN401
    described = client.get_function_configuration(FunctionName="toy")
    listed = client.list_functions()["Functions"]
    assert described["FunctionArn"] == ARN
    assert (described["Handler"], described["MemorySize"], described["Timeout"]) == ("toy.handler", 256, PATIENCE)
    assert [function["FunctionName"] for function in listed] == ["toy"]
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_function_configuration(FunctionName="other")


@pytest.mark.parametrize(
    "headers", [{"Host": "rebound.example"}, {"Host": "127.0.0.1.example:80"}, {"Origin": "https://page.example"}]
)
def test_a_web_page_can_call_nothing(tmp_path: Path, headers: dict[str, str]) -> None:
    function = toy(tmp_path, "def handler(event, context): return 1", environment={"TOKEN": "canary"})
    with LocalLambda([function]) as local:
        url = f"{local.url}/2015-03-31/functions/toy"
        for request in (
            urllib.request.Request(f"{url}/invocations", data=b"{}", headers=headers),
            urllib.request.Request(f"{url}/configuration", headers=headers),
        ):
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(request)
            with refused.value:
                assert refused.value.code == 403
        with urllib.request.urlopen(f"{url}/configuration") as response:
            described = response.read()
    assert b"canary" not in described
    assert b"TOKEN" in described
