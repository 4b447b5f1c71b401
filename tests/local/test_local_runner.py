"""Functions under the local runner, as they would find things on AWS: the Runtime API, phases, limits and logs."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

import pytest
from support.toys import PATIENCE, error, needs_namespaces, processes_with, result, running, toy

from circulate_core.exceptions import SettingsError
from circulate_local import Credentials, Function, InvokeError, LocalLambda

pytestmark = needs_namespaces

ECHO = "def handler(event, context): return event"


def test_an_event_comes_back_as_it_went(tmp_path: Path) -> None:
    event = {"text": "ünï ☃ 😀", "number": 1.5, "none": None, "list": [1, [2]]}
    with running(toy(tmp_path, ECHO)) as call:
        assert result(call(event)) == event


def test_a_program_with_more_files_open_than_select_can_watch_runs_functions(tmp_path: Path) -> None:
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(1_100)]
    try:
        with running(toy(tmp_path, ECHO)) as call:
            assert result(call({"n": 1})) == {"n": 1}
    finally:
        for descriptor in held:
            os.close(descriptor)


MOUNTS = """
import ctypes

def handler(event, context):
    libc = ctypes.CDLL(None, use_errno=True)
    def failed(result):
        return result != 0 and os.strerror(ctypes.get_errno())
    tried = {}
    for place in ("/", "/var/task", "/usr", "/opt", "/etc"):
        flags = ctypes.c_ulong(32 | 4096)  # MS_REMOUNT | MS_BIND, without MS_RDONLY
        tried[f"mount {place}"] = failed(libc.mount(None, place.encode(), None, flags, None))
    tried["unmount"] = failed(libc.umount2(b"/var/task", 2))
    tried["chroot"] = failed(libc.chroot(b"/tmp"))
    tried["user namespace"] = failed(libc.unshare(0x10000000))
    tried["mount namespace"] = failed(libc.unshare(0x00020000))
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    sets = {name: int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}
    child = subprocess.run([sys.executable, "-c", "print(open('/proc/self/status').read())"], capture_output=True)
    return [tried, sets, status["NoNewPrivs"].strip(), b"CapEff:\\t0000000000000000" in child.stdout]
"""


def test_a_function_has_no_rights_over_what_is_mounted(tmp_path: Path) -> None:
    with running(toy(tmp_path, MOUNTS)) as call:
        tried, sets, no_new_privileges, child_has_none = result(call())
    assert all(tried.values()), tried
    assert (set(sets.values()), no_new_privileges, child_has_none) == ({0}, "1", True)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("def handler(event, context): raise LookupError('x' * 100_000)", "LookupError"),
        ("def handler(event, context): raise LookupError('ü\\n' * 500_000)", "LookupError"),
        ("def handler(event, context): return handler(event, context)", "RecursionError"),
        (
            "def handler(event, context):\n    try:\n        handler(event, context)\n    except: raise",
            "RecursionError",
        ),
    ],
)
def test_an_error_of_any_size_is_reported_by_its_class(tmp_path: Path, code: str, kind: str) -> None:
    with running(toy(tmp_path, code)) as call:
        invocations = [call(), call()]
    for invocation in invocations:
        assert json.loads(invocation.payload)["errorType"] == kind, invocation.logs
    assert invocations[1].init_ms is None, "the environment lives on"


def test_what_a_function_prints_moves_nothing_on_a_terminal(tmp_path: Path) -> None:
    code = "def handler(event, context): print('a\\x1b[2Kb\\tc\\u202e', end='\\r\\n')"
    with running(toy(tmp_path, code)) as call:
        logs = call().logs
    assert r"a\u{1b}[2Kb" + "\tc" + r"\u{202e}" in "\n".join(logs)


def test_the_context_says_what_aws_says(tmp_path: Path) -> None:
    code = """
    def handler(event, context):
        left = context.get_remaining_time_in_millis()
        return [
            context.function_name, context.function_version, context.memory_limit_in_mb, context.invoked_function_arn,
            context.aws_request_id, context.log_group_name, context.log_stream_name, os.environ["_X_AMZN_TRACE_ID"],
            left,
        ]
    """
    with running(toy(tmp_path, code, timeout_s=7, memory_mb=256)) as call:
        invocation = call()
    name, version, memory, arn, request_id, group, stream, trace, left = result(invocation)
    assert (name, version, memory) == ("toy", "$LATEST", "256")
    assert arn == "arn:aws:lambda:us-east-1:123456789012:function:toy"
    assert request_id == invocation.request_id
    assert group == "/aws/lambda/toy"
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", stream)
    assert re.fullmatch(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0", trace)
    assert 5000 < left <= 7000


def test_the_environment_is_that_of_aws_and_of_nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_SECRET", "canary")
    function = toy(tmp_path, "def handler(event, context): return dict(os.environ)", environment={"OF": "function"})
    credentials = Credentials("key-id", "canary-key", "session")
    with LocalLambda([function], credentials=credentials) as local:
        seen = result(local.invoke("toy"))
    assert re.fullmatch(r"127\.0\.0\.1:\d+", seen.pop("AWS_LAMBDA_RUNTIME_API"))
    assert seen.pop("AWS_LAMBDA_LOG_STREAM_NAME")
    assert seen.pop("_X_AMZN_TRACE_ID")
    assert seen.pop("LD_LIBRARY_PATH").endswith("/opt/lib")
    seen.pop("LC_CTYPE", None)  # the interpreter's own
    assert seen == {
        "AWS_ACCESS_KEY_ID": "key-id",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_LAMBDA_FUNCTION_NAME": "toy",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/toy",
        "AWS_REGION": "us-east-1",
        "AWS_SECRET_ACCESS_KEY": "canary-key",
        "AWS_SESSION_TOKEN": "session",
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "LAMBDA_TASK_ROOT": "/var/task",
        "LANG": "en_US.UTF-8",
        "OF": "function",
        "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
        "PYTHONPATH": "/opt/python/lib/python3.13/site-packages:/opt/python",
        "TZ": ":UTC",
        "_HANDLER": "toy.handler",
    }
    assert "canary" not in repr(credentials)


def test_no_process_shows_the_environment_of_the_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_SECRET", "canary")
    code = """
    def handler(event, context):
        return [read(pid) for pid in os.listdir("/proc") if pid.isdigit()]

    def read(pid):
        try:
            return open(f"/proc/{pid}/environ").read()
        except PermissionError:
            return "not to be read"
    """
    with running(toy(tmp_path, code)) as call:
        shown = result(call())
    assert len(shown) == 2
    assert "canary" not in "".join(shown)


def test_only_tmp_can_be_written_and_it_has_a_size(tmp_path: Path) -> None:
    code = """
    def attempt(path, size=1):
        try:
            with open(path, "wb") as file:
                for _ in range(size): file.write(bytes(1048576))
        except OSError as error:
            return error.errno
        finally:
            if os.path.exists(path): os.remove(path)

    def handler(event, context):
        places = ["/var/task/new", "/opt/new", "/etc/new", "/new", "/var/tmp/new"]
        return [os.getcwd(), [attempt(place) for place in places], attempt("/tmp/new", 500), attempt("/tmp/new", 600)]
    """
    with running(toy(tmp_path, code, timeout_s=30, memory_mb=256)) as call:
        cwd, read_only, fits, full = result(call())
    assert (cwd, set(read_only), fits, full) == ("/var/task", {30}, None, 28)


def test_a_process_has_as_many_files_as_on_aws(tmp_path: Path) -> None:
    code = "import resource\ndef handler(event, context): return resource.getrlimit(resource.RLIMIT_NOFILE)"
    with running(toy(tmp_path, code)) as call:
        assert result(call()) == [1024, 1024]


def test_a_warm_call_never_waits_for_packets_to_fill(tmp_path: Path) -> None:
    with running(toy(tmp_path, ECHO)) as call:
        call()
        assert median(call().duration_ms for _ in range(20)) < 40


def test_layers_lie_below_opt_the_later_over_the_earlier(tmp_path: Path) -> None:
    for layer, files in {"one": {"a": 1, "b": 1}, "two": {"b": 2}}.items():
        (tmp_path / layer / "python").mkdir(parents=True)
        for name, value in files.items():
            (tmp_path / layer / "python" / f"layer_{name}.py").write_text(f"value = {value}")
    code = """
    import layer_a, layer_b
    def handler(event, context): return [layer_a.value, layer_b.value, layer_b.__file__]
    """
    function = toy(tmp_path, code, layers=(tmp_path / "one", tmp_path / "two"))
    with running(function) as call:
        assert result(call()) == [1, 2, "/opt/python/layer_b.py"]


def test_a_warm_environment_keeps_its_state_and_reports_one_init(tmp_path: Path) -> None:
    code = """
    count = 0
    def handler(event, context):
        global count
        count += 1
        return count
    """
    with running(toy(tmp_path, code)) as call:
        first, second = call(), call()
    assert (result(first), result(second)) == (1, 2)
    assert first.init_ms is not None
    assert second.init_ms is None
    assert first.billed_ms >= first.init_ms + first.duration_ms > first.billed_ms - 1
    assert "Init Duration" in first.logs[-1]
    assert "Init Duration" not in second.logs[-1]


def test_logs_have_the_lines_of_the_platform_around_those_of_the_function(tmp_path: Path) -> None:
    code = """
    import logging
    print("at init")
    def handler(event, context):
        print("to stdout")
        print("to stderr", file=sys.stderr)
        logging.warning("logged")
        sys.stdout.write("no end")
    """
    lines: list[str] = []
    with running(toy(tmp_path, code, memory_mb=256), lines) as call:
        invocation = call()
    request = invocation.request_id
    assert tuple(lines) == invocation.logs
    assert invocation.logs[:3] == (
        "INIT_START Runtime Version: python:3.13.local",
        "at init",
        f"START RequestId: {request} Version: $LATEST",
    )
    assert invocation.logs[3:5] == ("to stdout", "to stderr")
    assert re.fullmatch(rf"\[WARNING\]\t[\dT:.-]+Z\t{request}\tlogged", invocation.logs[5])
    assert invocation.logs[6:8] == ("no end", f"END RequestId: {request}")
    assert re.fullmatch(
        rf"REPORT RequestId: {request}\tDuration: \d+\.\d\d ms\tBilled Duration: \d+ ms\tMemory Size: 256 MB"
        r"\tMax Memory Used: \d+ MB\tInit Duration: \d+\.\d\d ms",
        invocation.logs[8],
    )


def test_a_handler_that_raises_is_a_function_error(tmp_path: Path) -> None:
    with running(toy(tmp_path, "def handler(event, context): raise KeyError('gone')")) as call:
        invocation = call()
        again = call()
    said = error(invocation)
    assert (said["errorType"], said["errorMessage"]) == ("KeyError", "'gone'")
    assert said["requestId"] == invocation.request_id
    assert "in handler" in said["stackTrace"][0]
    assert any(line.startswith("[ERROR] KeyError: 'gone'\nTraceback") for line in invocation.logs)
    assert invocation.logs[-1].endswith("Status: error\tError Type: KeyError")
    assert again.init_ms is None
    assert len(again.logs) == len(invocation.logs) - 1


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("os._exit(3)", "Runtime exited with error: exit status 3"),
        ("os._exit(0)", "Runtime exited without providing a reason"),
        ("os.kill(os.getpid(), 9)", "Runtime exited with error: signal: killed"),
        ("os.kill(os.getpid(), 11)", "Runtime exited with error: signal: segmentation fault"),
    ],
)
def test_a_runtime_that_exits_is_reported_and_replaced(tmp_path: Path, code: str, message: str) -> None:
    function = toy(tmp_path, f"def handler(event, context):\n    sys.stdout.write('last words')\n    if event: {code}")
    with running(function) as call:
        crash = call(1)
        after = call(0)
    assert error(crash) == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: {crash.request_id} Error: {message}",
    }
    assert "last words" in crash.logs
    assert f"RequestId: {crash.request_id} Error: {message}\nRuntime.ExitError" in crash.logs
    assert after.function_error is None
    assert after.init_ms is None


def test_a_timeout_kills_the_runtime_and_keeps_tmp(tmp_path: Path) -> None:
    code = """
    count = 0
    def handler(event, context):
        global count
        count += 1
        if event == "hang":
            open("/tmp/kept", "w").write("kept")
            print("hanging")
            subprocess.run(["sleep", "1000"])
        return [count, os.listdir("/tmp"), context.get_remaining_time_in_millis()]
    """
    with running(toy(tmp_path, code, timeout_s=1, name="hanging-toy")) as call:
        call()
        late = call("hang")
        assert processes_with("hanging-toy") == []
        count, files, _ = result(call())
    assert late.payload.decode() == (
        '{"errorType":"Sandbox.Timedout",'
        f'"errorMessage":"RequestId: {late.request_id} Error: Task timed out after 1.00 seconds"}}'
    )
    assert late.duration_ms == pytest.approx(1000, abs=0.01)
    assert "hanging" in late.logs
    assert re.fullmatch(rf"[\dT:.-]+Z {late.request_id} Task timed out after 1\.00 seconds", late.logs[2])
    assert late.logs[-1].endswith("Status: timeout")
    assert (count, "kept" in files) == (1, True)


def test_memory_beyond_the_limit_kills(tmp_path: Path) -> None:
    code = """
    def handler(event, context):
        held = bytearray(event * 1048576)
        if event > 100: threading.Event().wait()
    """
    with running(toy(tmp_path, code, timeout_s=30)) as call:
        fits = call(60)
        beyond = call(200)
        after = call(1)
    assert fits.function_error is None
    assert 65 < fits.max_memory_mb < 110
    assert error(beyond)["errorMessage"].endswith("Runtime exited with error: signal: killed")
    assert beyond.max_memory_mb == 128
    assert "Max Memory Used: 128 MB" in beyond.logs[-1]
    assert after.max_memory_mb < 65


def test_a_short_peak_of_memory_kills_too(tmp_path: Path) -> None:
    with running(toy(tmp_path, "def handler(event, context): bytearray(event * 1048576)")) as call:
        assert error(call(200))["errorType"] == "Runtime.ExitError"


def test_processes_of_the_function_count_but_not_what_they_share(tmp_path: Path) -> None:
    code = """
    def handler(event, context):
        held = bytearray(event[1] * 1048576)
        children = []
        for _ in range(event[0]):
            read, write = os.pipe()
            pid = os.fork()
            if not pid:
                own = bytearray(event[2] * 1048576)
                os.write(write, b"x")
                time.sleep(1000)
            os.read(read, 1)
            children.append(pid)
        if event[2] > 1: threading.Event().wait()
        for pid in children:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
    """
    with running(toy(tmp_path, code, timeout_s=30)) as call:
        assert call([3, 40, 1]).function_error is None
        assert error(call([3, 1, 60]))["errorType"] == "Runtime.ExitError"


def test_responses_have_a_limit(tmp_path: Path) -> None:
    limit = 6_291_556
    with running(toy(tmp_path, "def handler(event, context): return 'x' * event", memory_mb=512)) as call:
        assert len(call(limit - 2).payload) == limit
        beyond = call(limit - 1)
        assert result(call(1)) == "x"
    assert error(beyond) == {
        "errorType": "Function.ResponseSizeTooLarge",
        "errorMessage": "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
    }


def test_requests_have_a_limit(tmp_path: Path) -> None:
    with LocalLambda([toy(tmp_path, "def handler(event, context): return len(event)", memory_mb=512)]) as local:
        assert result(local.invoke("toy", b'"%b"' % bytes(6_291_454).replace(b"\0", b"x"))) == 6_291_454
        with pytest.raises(InvokeError, match="6291457 byte payload is too large") as refused:
            local.invoke("toy", b'"%b"' % bytes(6_291_455).replace(b"\0", b"x"))
        assert (refused.value.code, refused.value.status) == ("RequestTooLargeException", 413)
        with pytest.raises(InvokeError, match="Could not parse request body into json"):
            local.invoke("toy", b"{")
        with pytest.raises(InvokeError, match="Function not found: other"):
            local.invoke("other")


@pytest.mark.parametrize(
    ("code", "error_type"),
    [
        ("import nowhere", "Runtime.ImportModuleError"),
        ("def handler(:", "Runtime.UserCodeSyntaxError"),
        ("raise ValueError('at init')", "ValueError"),
        ("other = 1", "Runtime.HandlerNotFound"),
        ("os._exit(4)", "Runtime.ExitError"),
    ],
)
def test_an_init_that_fails_is_tried_again_in_the_call_and_reported(tmp_path: Path, code: str, error_type: str) -> None:
    function = toy(tmp_path, f"open('/tmp/tries', 'a').write('x')\n{code}")
    with running(function) as call:
        invocation = call()
    assert error(invocation)["errorType"] == error_type
    assert invocation.init_ms is None
    started = invocation.logs.index(f"START RequestId: {invocation.request_id} Version: $LATEST")
    assert re.fullmatch(
        rf"INIT_REPORT Init Duration: \d+\.\d\d ms\tPhase: init\tStatus: error\tError Type: {error_type}",
        invocation.logs[started - 1],
    )


def test_an_init_that_fails_once_is_retried_with_the_same_tmp(tmp_path: Path) -> None:
    code = """
    tries = len(os.listdir("/tmp"))
    if not os.path.exists("/tmp/tried"):
        open("/tmp/tried", "w").close()
        os._exit(1)
    def handler(event, context): return "ok"
    """
    with running(toy(tmp_path, code)) as call:
        invocation = call()
    assert result(invocation) == "ok"
    assert invocation.init_ms is None


def test_init_has_ten_seconds_and_then_the_time_of_the_call(tmp_path: Path) -> None:
    with running(toy(tmp_path, "threading.Event().wait()", timeout_s=1)) as call:
        invocation = call()
    assert error(invocation)["errorType"] == "Sandbox.Timedout"
    assert re.match(r"INIT_REPORT Init Duration: 1\d{4}\.\d\d ms\tPhase: init\tStatus: timeout$", invocation.logs[1])
    assert invocation.duration_ms == pytest.approx(1000, abs=0.01)


def test_nothing_runs_between_calls(tmp_path: Path) -> None:
    code = """
    ticks = []
    def tick():
        while True:
            ticks.append(time.time())
            time.sleep(0.005)
    threading.Thread(target=tick, daemon=True).start()
    child = subprocess.Popen(
        [sys.executable, "-S", "-c", "import time\\nwhile True: print(time.time(), flush=True); time.sleep(0.005)"],
        stdout=open("/tmp/ticks", "w"), start_new_session=True,
    )
    def handler(event, context):
        while True:
            seen = open("/tmp/ticks").read().split("\\n")[:-1]
            if seen and ticks and float(seen[-1]) > event and ticks[-1] > event: break
            time.sleep(0.005)
        return [ticks, list(map(float, seen))]
    """
    with running(toy(tmp_path, code, timeout_s=30)) as call:
        call(time.time())
        frozen = time.time() + 0.05
        # Busy for a while, so that there is a time in which nothing may have ticked.
        while (thawed := time.time()) < frozen + 0.3:
            pass
        ticked = result(call(thawed))
    for ticks in ticked:
        assert any(tick > thawed for tick in ticks)
        assert [tick for tick in ticks if frozen < tick < thawed] == []


def test_runtime_and_response_ids_are_checked(tmp_path: Path) -> None:
    code = """
    import urllib.error
    def ask(method, path, body=None, **headers):
        url = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/{path}"
        try:
            with urllib.request.urlopen(urllib.request.Request(url, body, headers, method=method)) as response:
                return [response.status, json.load(response)]
        except urllib.error.HTTPError as error:
            return [error.code, json.load(error)]

    def handler(event, context):
        id = context.aws_request_id
        return [
            ask("POST", "invocation/unknown/response", b"1"),
            ask("POST", "invocation/unknown/error", b"1"),
            ask("GET", "invocation/next"),
            ask("POST", "init/error", b"{}"),
            ask("GET", "restore/next"),
            ask("GET", "nowhere"),
        ]

    def twice(event, context):
        first = ask("POST", f"invocation/{context.aws_request_id}/response", b'"first"')
        print(first, ask("POST", f"invocation/{context.aws_request_id}/response", b'"second"'))
        os._exit(0)
    """
    function = toy(tmp_path, code)
    with running(function) as call:
        unknown, unknown_error, early_next, late_init_error, no_snapstart, nowhere = result(call())
    invalid_id = [400, {"errorMessage": "Invalid request ID", "errorType": "InvalidRequestID"}]
    assert (unknown, unknown_error) == (invalid_id, invalid_id)
    assert (early_next[0], early_next[1]["errorType"]) == (403, "InvalidStateTransition")
    assert (late_init_error[0], late_init_error[1]["errorType"]) == (403, "InvalidStateTransition")
    assert (no_snapstart[0], nowhere[0]) == (404, 404)
    with running(replace(function, handler="toy.twice")) as call:
        invocation = call()
    assert result(invocation) == "first"
    # What is printed piece by piece may be cut where the invocation ends.
    assert "[202, {'status': 'OK'}] [403, " in "".join(invocation.logs)


def test_calls_at_once_have_environments_of_their_own_up_to_the_concurrency(tmp_path: Path) -> None:
    code = """
    def handler(event, context):
        if event == "wait":
            while not os.path.exists("/var/task/go"): time.sleep(0.01)
        return [os.environ["AWS_LAMBDA_LOG_STREAM_NAME"], os.listdir("/tmp"), open("/tmp/mine", "w").close()]
    """
    function = toy(tmp_path, code, timeout_s=PATIENCE)
    results: list[str] = []
    with LocalLambda([function], concurrency=2) as local:

        def call() -> None:
            stream, files, _ = result(local.invoke("toy", b'"wait"'))
            assert "mine" not in files
            results.append(stream)

        threads = [threading.Thread(target=call) for _ in range(2)]
        for thread in threads:
            thread.start()
        until = time.monotonic() + PATIENCE
        while len(processes_with("toy.handler")) < 2 and time.monotonic() < until:
            pass
        with pytest.raises(InvokeError, match=r"Rate Exceeded\.") as refused:
            local.invoke("toy")
        (function.task_root / "go").touch()
        for thread in threads:
            thread.join(PATIENCE)
        last_used = result(local.invoke("toy"))[0]
    assert refused.value.code == "TooManyRequestsException"
    assert refused.value.retryable
    assert len(set(results)) == 2
    assert last_used == results[-1]


PLAIN = [
    *("unshare", "--user", "--map-root-user", "sh", "-c"),
    *('echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"', "sh"),
]
"""Runs a command in a user namespace that allows no further ones."""


@pytest.mark.parametrize("wrapper", [[], PLAIN], ids=["namespaces", "plain"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_process_is_left_however_the_program_ends(
    tmp_path: Path, number: signal.Signals, wrapper: list[str]
) -> None:
    name = f"left-{number.name}-{len(wrapper)}-{os.getpid()}"
    code = f"""
    def handler(event, context):
        subprocess.Popen(["sleep", "1000"], start_new_session={not wrapper})
        if event: print("busy"); time.sleep(1000)
    """
    function = toy(tmp_path, code, name=name)
    program = f"""
from pathlib import Path
from circulate_local import Function, LocalLambda
function = Function(name={name!r}, task_root=Path({str(function.task_root)!r}), handler="toy.handler", timeout_s=900)
with LocalLambda([function], log=lambda line: print(line, flush=True)) as local:
    local.invoke({name!r}, b"0")
    local.invoke({name!r}, b"1")
"""
    command = [*wrapper, sys.executable, "-c", program]
    here = {**os.environ, "TMPDIR": str(tmp_path)}  # what is killed leaves its folder
    with subprocess.Popen(command, env=here, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert b"busy\n" in iter(process.stdout.readline, b"")
        # A program that was just started shows its environment a little later.
        while len(processes_with(name)) < 4:
            assert process.poll() is None
        process.send_signal(number)
        process.communicate(timeout=PATIENCE)
    until = time.monotonic() + PATIENCE
    while processes_with(name) and time.monotonic() < until:
        pass
    assert processes_with(name) == []


def test_without_namespaces_a_function_gets_a_tmpdir_and_the_log_says_so(tmp_path: Path) -> None:
    code = """
    import tempfile
    def handler(event, context):
        if event == "hang": time.sleep(1000)
        with tempfile.NamedTemporaryFile(delete=False): pass
        return [os.environ["TMPDIR"], len(os.listdir(tempfile.gettempdir())), os.environ["LAMBDA_TASK_ROOT"]]
    """
    function = toy(tmp_path, code, timeout_s=1)
    program = f"""
from pathlib import Path
from statistics import median
from circulate_local import Function, LocalLambda
function = Function(name="toy", task_root=Path({str(function.task_root)!r}), handler="toy.handler", timeout_s=1)
lines = []
with LocalLambda([function], log=lines.append) as local:
    for event in (b"0", b'"hang"', b"0"):
        print(local.invoke("toy", event).payload.decode())
print(*[line for line in lines if "TMPDIR" in line], sep="\\n")
"""
    done = subprocess.run(
        [*PLAIN, sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    assert done.stderr == ""
    first, late, again, said = done.stdout.splitlines()
    tmp, count, root = json.loads(first)
    assert (count, root) == (1, str(function.task_root))
    assert "Sandbox.Timedout" in late
    assert json.loads(again) == [tmp, 2, root]
    assert said.startswith("no namespaces here (")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"timeout_s": 901}, "timeout_s is between 1 and 900"),
        ({"timeout_s": 0}, "timeout_s is between 1 and 900"),
        ({"memory_mb": 64}, "memory_mb is between 128 and 10240"),
        ({"ephemeral_mb": 511}, "ephemeral_mb is between 512 and 10240"),
        ({"name": "x" * 65}, "name has at most 64 letters"),
        ({"name": "a b"}, "name has at most 64 letters"),
        ({"environment": {"A" * 10: "x" * 4087}}, "environment has at most 4096 bytes, not 4097"),
        ({"environment": {"AWS_REGION": "x"}}, "environment leaves AWS_REGION to AWS"),
        ({"environment": {"1X": "x"}}, "environment has no variable of the name '1X'"),
        ({"task_root": Path("/nowhere")}, "task_root is a folder"),
        ({"layers": (Path("/nowhere"),)}, "/nowhere is not"),
    ],
)
def test_settings_beyond_the_limits_of_aws_are_refused(
    tmp_path: Path, settings: dict[str, object], message: str
) -> None:
    with pytest.raises(SettingsError, match=re.escape(message)):
        Function(**{"name": "toy", "task_root": tmp_path, "handler": "toy.handler", **settings})  # type: ignore[arg-type]


def test_two_functions_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="two functions have the name 'toy'"):
        LocalLambda([toy(tmp_path, ECHO), toy(tmp_path, ECHO)])
