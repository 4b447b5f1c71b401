"""External and internal extensions under the local runner: the Extensions API, row by row, and the phases around it."""

import json
import re
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from support.toys import PATIENCE, add_extension, error, needs_namespaces, processes_with, result, running, toy

from circulate_local import Invocation, LocalLambda, phases
from circulate_local.http_server import HttpResponse
from circulate_local.life import Life

pytestmark = needs_namespaces

ECHO = "def handler(event, context): return event"
LOYAL = """
register("INVOKE", "SHUTDOWN")
while (event := next_event())["eventType"] != "SHUTDOWN":
    say("got", event["requestId"])
say("got", event["shutdownReason"])
"""


def said(lines: list[str] | tuple[str, ...], name: str) -> list[str]:
    """What an extension printed."""
    return [line.removeprefix(f"{name} ") for line in lines if line.startswith(f"{name} ")]


def heard(lines: list[str] | tuple[str, ...], name: str) -> list[Any]:
    """What an extension printed as JSON."""
    return [json.loads(line) for line in said(lines, name)]


def test_an_extension_gets_calls_and_the_end(tmp_path: Path) -> None:
    code = """
    described = register("INVOKE", "SHUTDOWN", Lambda_Extension_Accept_Feature="accountId")
    say(json.dumps(described))
    while True:
        status, headers, event = call("GET", "event/next", Lambda_Extension_Identifier=me)
        say(json.dumps([status, headers["Lambda-Extension-Event-Identifier"], event]))
        if event["eventType"] == "SHUTDOWN": break
    """
    lines: list[str] = []
    with running(toy(tmp_path, ECHO, timeout_s=5, extensions=add_extension(tmp_path, "loyal", code)), lines) as call:
        before = time.time()
        invocation = call("event")
        after = time.time()
    described, (status, identifier, invoke), (_, other, shutdown) = heard(lines, "loyal")
    assert result(invocation) == "event"
    assert described == {
        "functionName": "toy",
        "functionVersion": "$LATEST",
        "handler": "toy.handler",
        "accountId": "123456789012",
    }
    assert status == 200
    assert identifier != other
    assert before < invoke.pop("deadlineMs") / 1000 - 5 < after
    assert re.fullmatch(r"Root=1-\w{8}-\w{24};Parent=\w{16};Sampled=0", invoke["tracing"].pop("value"))
    assert invoke == {
        "eventType": "INVOKE",
        "requestId": invocation.request_id,
        "invokedFunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:toy",
        "tracing": {"type": "X-Amzn-Trace-Id"},
    }
    assert after < shutdown.pop("deadlineMs") / 1000 - 2 < time.time()
    assert shutdown == {"eventType": "SHUTDOWN", "shutdownReason": "spindown"}
    assert "EXTENSION\tName: loyal\tState: Ready\tEvents: [INVOKE, SHUTDOWN]" in invocation.logs


def test_the_runtime_starts_when_all_have_registered_and_calls_when_all_are_ready(tmp_path: Path) -> None:
    slow = """
    open("/tmp/before-register", "w").close()
    register("INVOKE")
    while not os.path.exists("/tmp/runtime-started"): time.sleep(0.01)
    open("/tmp/before-next", "w").close()
    while next_event(): pass
    """
    code = """
    at_init = os.path.exists("/tmp/before-register")
    open("/tmp/runtime-started", "w").close()
    def handler(event, context): return [at_init, os.path.exists("/tmp/before-next")]
    """
    with running(toy(tmp_path, code, extensions=add_extension(tmp_path, "slow", slow))) as call:
        assert result(call()) == [True, True]


def test_extensions_see_fewer_variables(tmp_path: Path) -> None:
    code = 'say(json.dumps([dict(os.environ), os.getcwd()]))\nregister("INVOKE")\nwhile next_event(): pass'
    extensions = add_extension(tmp_path, "curious", code)
    lines: list[str] = []
    with running(
        toy(tmp_path, "def handler(event, context): return dict(os.environ)", extensions=extensions), lines
    ) as call:
        seen_by_runtime = result(call())
    seen, _ = heard(lines, "curious")[0]
    hidden = {
        *("AWS_EXECUTION_ENV", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "LAMBDA_RUNTIME_DIR"),
        *("LAMBDA_TASK_ROOT", "PYTHONPATH", "_HANDLER", "_X_AMZN_TRACE_ID"),
    }
    assert seen_by_runtime.keys() - seen.keys() == hidden
    assert {name: seen[name] for name in seen if name != "LC_CTYPE"}.items() <= seen_by_runtime.items()


REFUSALS = """
refused = []
def attempt(*arguments, **headers):
    status, _, body = call(*arguments, **headers)
    refused.append([status, body and body.get("errorType")])

unknown = "01234567-89ab-cdef-0123-456789abcdef"
attempt("POST", "register", {"events": []})
attempt("POST", "register", {"events": ["OTHER"]}, Lambda_Extension_Name=NAME)
attempt("POST", "register", {"events": ["SHUTDOWN"]}, Lambda_Extension_Name="internal")
attempt("POST", "register", [], Lambda_Extension_Name=NAME)
attempt("POST", "register", {"events": [], "configurationKeys": ["x"]}, Lambda_Extension_Name=NAME)
attempt("GET", "event/next")
attempt("GET", "event/next", Lambda_Extension_Identifier="no uuid")
attempt("GET", "event/next", Lambda_Extension_Identifier=unknown)
register("INVOKE")
attempt("POST", "register", {"events": ["INVOKE"]}, Lambda_Extension_Name=NAME)
attempt("POST", "init/error", {}, Lambda_Extension_Identifier=me)
attempt("POST", "exit/error", {}, Lambda_Extension_Identifier=me)
attempt("POST", "exit/error", {}, Lambda_Extension_Identifier=unknown, Lambda_Extension_Function_Error_Type="X.Y")
attempt("GET", "nowhere")
attempt("PUT", "logs", {}, "2020-08-15", Lambda_Extension_Identifier=me)
attempt("PUT", "telemetry", {}, "2022-07-01", Lambda_Extension_Identifier=me)
say(json.dumps(refused))
refused.clear()
next_event()
attempt("POST", "init/error", {}, Lambda_Extension_Identifier=me, Lambda_Extension_Function_Error_Type="X.Y")
attempt("POST", "register", {"events": ["INVOKE"]}, Lambda_Extension_Name="late")
say(json.dumps(refused))
next_event()
"""


def test_the_extensions_api_refuses_as_aws_does(tmp_path: Path) -> None:
    with running(toy(tmp_path, ECHO, extensions=add_extension(tmp_path, "rude", REFUSALS))) as call:
        invocation = call(1)
    at_init, at_invoke = heard(invocation.logs, "rude")
    assert at_init == [
        [403, "Extension.InvalidExtensionName"],
        [403, "Extension.InvalidEventType"],
        [403, "Extension.InvalidEventType"],
        [403, "InvalidRequestFormat"],
        [403, "InvalidRequestFormat"],
        [403, "Extension.MissingExtensionIdentifier"],
        [403, "Extension.InvalidExtensionIdentifier"],
        [403, "Extension.UnknownExtensionIdentifier"],
        [403, "Extension.InvalidExtensionState"],
        [403, "Extension.MissingHeader"],
        [403, "Extension.MissingHeader"],
        [403, "Extension.UnknownExtensionIdentifier"],
        [404, "NotFound"],
        [202, "Logs.NotSupported"],
        [202, "Telemetry.NotSupported"],
    ]
    assert at_invoke == [[403, "Extension.InvalidExtensionState"], [403, "Extension.RegistrationClosed"]]


INTERNAL = """
import http.client
def register(name, *events):
    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    body = json.dumps({"events": events})
    api.request("POST", "/2020-01-01/extension/register", body, {"Lambda-Extension-Name": name})
    response = api.getresponse()
    return response.status, response.getheader("Lambda-Extension-Identifier"), json.load(response)

def follow(identifier):
    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    while True:
        api.request("GET", "/2020-01-01/extension/event/next", headers={"Lambda-Extension-Identifier": identifier})
        event = json.loads(api.getresponse().read())
        # One write: `print` makes several, between which those of the runtime come.
        sys.stdout.write(f"internal got {event['requestId']}\\n")
        sys.stdout.flush()
"""


def test_an_internal_extension_gets_calls(tmp_path: Path) -> None:
    code = """
    status, identifier, _ = register("internal", "INVOKE")
    threading.Thread(target=follow, args=(identifier,), daemon=True).start()
    def handler(event, context): return [status, register("late", "INVOKE")[2]["errorType"]]
    """
    function = toy(tmp_path, "")
    (function.task_root / "toy.py").write_text(f"import json, os, sys, threading\n{INTERNAL}{dedented(code)}")
    with running(function) as call:
        first, second = call(), call()
    assert result(first) == [200, "Extension.RegistrationClosed"]
    for invocation in (first, second):
        assert f"internal got {invocation.request_id}" in invocation.logs


def test_ten_extensions_are_the_most(tmp_path: Path) -> None:
    code = """
    registered = [register(f"internal-{number}", "INVOKE") for number in range(10)]
    for _, identifier, _ in registered[:9]:
        threading.Thread(target=follow, args=(identifier,), daemon=True).start()
    def handler(event, context): return [registered[8][0], registered[9][0], registered[9][2]["errorType"]]
    """
    function = toy(tmp_path, "", extensions=add_extension(tmp_path, "loyal", LOYAL))
    (function.task_root / "toy.py").write_text(f"import json, os, sys, threading\n{INTERNAL}{dedented(code)}")
    with running(function) as call:
        assert result(call()) == [200, 403, "Extension.TooManyExtensions"]


def dedented(code: str) -> str:
    """A block of a test as a module's own code."""
    return "\n".join(line.removeprefix("    ") for line in code.splitlines())


def test_only_those_who_registered_get_events(tmp_path: Path) -> None:
    for name, events in {"calls": '"INVOKE"', "ends": '"SHUTDOWN"', "nothing": ""}.items():
        code = f'register({events})\nwhile event := next_event(): say(event["eventType"])'
        extensions = add_extension(tmp_path, name, code)
    lines: list[str] = []
    with running(toy(tmp_path, ECHO, extensions=extensions), lines) as call:
        call()
        call()
        assert processes_with("/opt/extensions/nothing")
    assert said(lines, "calls") == ["INVOKE", "INVOKE"]
    assert said(lines, "ends") == ["SHUTDOWN"]
    assert said(lines, "nothing") == []


@pytest.mark.parametrize(
    ("code", "error_type", "message"),
    [
        ("sys.exit(5)", "Extension.Crash", "exit status 5"),
        ("register('INVOKE'); sys.exit(0)", "Extension.Crash", "exit status 0"),
        ("register(); os.kill(os.getpid(), 9)", "Extension.Crash", "signal: killed"),
        (
            (
                "register(); call('POST', 'init/error', {}, Lambda_Extension_Identifier=me,"
                " Lambda_Extension_Function_Error_Type='Extension.ConfigInvalid'); next_event()"
            ),
            "Extension.InitError",
            "Extension.ConfigInvalid",
        ),
    ],
)
def test_an_extension_that_fails_at_init_fails_the_call(
    tmp_path: Path, code: str, error_type: str, message: str
) -> None:
    with running(toy(tmp_path, ECHO, extensions=add_extension(tmp_path, "weak", code))) as call:
        invocation = call()
    assert error(invocation) == {
        "errorType": error_type,
        "errorMessage": f"RequestId: {invocation.request_id} Error: {message}",
    }


def test_an_extension_that_cannot_be_started_is_named(tmp_path: Path) -> None:
    extensions = add_extension(tmp_path, "strange", "")
    (extensions / "strange").write_text("#!/usr/bin/nothing-like-that\n")
    (extensions / "README").write_text("not executable, so no extension")
    with running(toy(tmp_path, ECHO, extensions=extensions)) as call:
        assert error(call())["errorType"] == "Extension.LaunchError"


@pytest.mark.parametrize(
    ("code", "error_type", "message"),
    [
        ("sys.exit(6)", "Extension.Crash", "exit status 6"),
        (
            (
                "call('POST', 'exit/error', {}, Lambda_Extension_Identifier=me,"
                " Lambda_Extension_Function_Error_Type='Extension.Gone'); time.sleep(1000)"
            ),
            "Extension.ExitError",
            "Extension.Gone",
        ),
    ],
)
def test_an_extension_that_fails_in_a_call_fails_it_and_the_next_starts_anew(
    tmp_path: Path, code: str, error_type: str, message: str
) -> None:
    weak = f"""
register("INVOKE")
next_event()
if not os.path.exists("/tmp/failed"):
    open("/tmp/failed", "w").close()
    {code}
while next_event(): pass
"""
    extensions = add_extension(tmp_path, "weak", weak)
    add_extension(tmp_path, "loyal", LOYAL)
    function = toy(
        tmp_path,
        """
        def handler(event, context):
            if event == "wait": time.sleep(1000)
            return "after"
        """,
        extensions=extensions,
        timeout_s=20,
    )
    with running(function) as call:
        failed = call("wait")
        after = call("go")
    assert error(failed) == {
        "errorType": error_type,
        "errorMessage": f"RequestId: {failed.request_id} Error: {message}",
    }
    assert said(failed.logs, "loyal")[-1] == "got failure"
    assert result(after) == "after"


def test_the_caller_gets_the_response_before_the_extensions_are_done(tmp_path: Path) -> None:
    dawdling = """
    register("INVOKE")
    while next_event():
        while not os.path.exists("/var/task/go"): time.sleep(0.01)
    """
    function = toy(tmp_path, ECHO, timeout_s=PATIENCE, extensions=add_extension(tmp_path, "dawdling", dawdling))
    lines: list[str] = []
    with LocalLambda([function], log=lines.append, concurrency=1) as local:
        url = f"{local.url}/2015-03-31/functions/toy/invocations"
        with urllib.request.urlopen(url, data=b'"event"', timeout=PATIENCE) as response:
            assert response.read() == b'"event"'
        assert not any(line.startswith("REPORT") for line in lines)
        assert error_of(url) == 429
        (function.task_root / "go").touch()
        ended = threading.Event()
        until = time.monotonic() + PATIENCE
        while not any(line.startswith("REPORT") for line in lines) and time.monotonic() < until:
            ended.wait(0.01)
        after = local.invoke("toy")
    assert any(line.startswith("REPORT") for line in lines)
    assert after.init_ms is None


def error_of(url: str) -> int:
    """The status of a call that is refused."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(url, data=b"{}", timeout=PATIENCE)
    refused.value.close()
    return refused.value.code


def test_an_extension_that_is_never_done_uses_up_the_time_of_the_call(tmp_path: Path) -> None:
    stuck = 'register("INVOKE")\nnext_event()\nsay("stuck")\ntime.sleep(1000)'
    function = toy(tmp_path, ECHO, timeout_s=1, extensions=add_extension(tmp_path, "stuck", stuck))
    with running(function) as call:
        invocation = call("event")
        again = call("again")
    assert (result(invocation), result(again)) == ("event", "again")
    assert invocation.duration_ms == pytest.approx(1000, abs=0.01)
    assert 0 < invocation.post_runtime_extensions_ms < 1000
    assert any(line.endswith(f"{invocation.request_id} Task timed out after 1.00 seconds") for line in invocation.logs)
    assert said(again.logs, "stuck") == ["stuck"]


@pytest.mark.parametrize(("code", "reason"), [("time.sleep(1000)", "timeout"), ("os._exit(1)", "failure")])
def test_a_reset_is_reported_with_its_reason(tmp_path: Path, code: str, reason: str) -> None:
    handler = f"def handler(event, context):\n    if event: {code}"
    function = toy(tmp_path, handler, timeout_s=1, extensions=add_extension(tmp_path, "loyal", LOYAL))
    with running(function) as call:
        failed = call(1)
        after = call(0)
    assert said(failed.logs, "loyal") == [f"got {failed.request_id}", f"got {reason}"]
    assert said(after.logs, "loyal") == [f"got {after.request_id}"]
    assert after.function_error is None


def test_an_extension_gets_the_call_that_a_function_died_of_before_the_end() -> None:
    life = Life(["slow"])
    (slow,) = life.extensions
    slow.events = frozenset({"INVOKE", "SHUTDOWN"})
    # It has requested an event, and takes none of them before both are there.
    life.begin("call", lambda _: HttpResponse(200, b"call"))
    life.offer_shutdown(lambda _: HttpResponse(200, b"end"))
    life.end()
    events = [life.next_event(slow) for _ in range(3)]
    assert [event and event.body for event in events] == [b"call", b"end", None]


def test_shutdown_ends_after_two_seconds(tmp_path: Path) -> None:
    stubborn = """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    register("INVOKE", "SHUTDOWN")
    while event := next_event(): say(event["eventType"])
    """
    lines: list[str] = []
    with running(toy(tmp_path, ECHO, extensions=add_extension(tmp_path, "stubborn", stubborn)), lines) as call:
        call()
        ending = time.monotonic()
    assert 2 <= time.monotonic() - ending < PATIENCE
    assert said(lines, "stubborn") == ["INVOKE", "SHUTDOWN"]
    assert processes_with("/opt/extensions/stubborn") == []


def test_the_runtime_gets_the_end_if_there_is_an_extension(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # It has 300 ms, within which a busy machine may not let it say so.
    monkeypatch.setattr(phases, "RUNTIME_SHUTDOWN_SECONDS", PATIENCE)
    # A signal that arrives just before the runtime's client begins to wait in C would wake no handler of Python's.
    code = """
    import signal, threading
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    def end():
        signal.sigwait({signal.SIGTERM})
        print("runtime got it", flush=True)
        os._exit(0)
    threading.Thread(target=end, daemon=True).start()
    def handler(event, context): pass
    """
    lines: list[str] = []
    with running(toy(tmp_path, code), lines) as call:
        call()
    assert "runtime got it" not in lines
    with running(toy(tmp_path, code, extensions=add_extension(tmp_path, "loyal", LOYAL)), lines) as call:
        call()
    assert lines.index("runtime got it") < lines.index("loyal got spindown")


def test_extensions_and_their_children_are_frozen_too(tmp_path: Path) -> None:
    ticking = """
    import subprocess
    code = "import time\\nwhile True: print(time.time(), flush=True); time.sleep(0.005)"
    subprocess.Popen(["python3", "-S", "-c", code], stdout=open("/tmp/ticks", "w"), start_new_session=True)
    register("INVOKE")
    while next_event(): pass
    """
    code = """
    def handler(event, context):
        while True:
            seen = open("/tmp/ticks").read().split("\\n")[:-1]
            if seen and float(seen[-1]) > event: return list(map(float, seen))
            time.sleep(0.005)
    """
    function = toy(tmp_path, code, timeout_s=PATIENCE, extensions=add_extension(tmp_path, "ticking", ticking))
    with running(function) as call:
        call(time.time())
        frozen = time.time() + 0.05
        while (thawed := time.time()) < frozen + 0.3:
            pass
        ticks = result(call(thawed))
    assert [tick for tick in ticks if frozen < tick < thawed] == []
    assert ticks[-1] > thawed


def test_an_extension_of_a_layer_runs_and_shares_tmp(tmp_path: Path) -> None:
    layer = tmp_path / "layer"
    layer.mkdir()
    add_extension(layer, "writer", 'open("/tmp/token", "w").write("t")\nregister()\nnext_event()')

    def call_once() -> Invocation:
        code = 'token = open("/tmp/token").read()\ndef handler(event, context): return token'
        with running(toy(tmp_path, code, layers=(layer,))) as call:
            return call()

    assert result(call_once()) == "t"
