"""Lambda's API for callers, as far as calling goes: AWS's command line, SDKs and Step Functions emulators use it."""

import base64
import json
import queue
import re
import threading
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from circulate_core.loopback_server import HOST
from circulate_local.environment import Respond
from circulate_local.events import Call
from circulate_local.function import Function
from circulate_local.http_server import JSON_TYPE, HttpResponse, LoopbackServer, Request, json_response
from circulate_local.invocation import Invocation, Response
from circulate_local.refusals import (
    MAX_BYTES,
    InvokeError,
    check_payload,
    invalid,
    not_found,
    not_from_here,
    service_failed,
    unknown_operation,
)

Run = Callable[[str, Call, Respond], Invocation]
"""Runs a call of a function by name."""

_PREFIX: Final = "/2015-03-31/functions"
_LATEST: Final = "$LATEST"
_LOG_TAIL_BYTES: Final = 4096
_JOIN_SECONDS: Final = 10
_NAME: Final = re.compile(
    r"(?:(?:arn:aws[\w-]*:lambda:[\w-]+:)?(?P<account>\d{12}):(?:function:)?)?(?P<name>[\w-]+)(?::(?P<qualifier>[\w$-]+))?"
)


class InvokeApi:
    """Serve the API.

    Args:
        functions: The functions by name.
        run: Runs calls.
        retry_delays: Seconds before a failed asynchronous call is tried again.
        port: Where to listen; 0 is any that is free.

    Raises:
        SettingsError: The port is taken, or not ours to take.
    """

    def __init__(
        self, functions: Mapping[str, Function], run: Run, retry_delays: tuple[float, ...], port: int = 0
    ) -> None:
        self._functions = functions
        self._run = run
        self._retry_delays = retry_delays
        self._closed = threading.Event()
        self._threads: list[threading.Thread] = []
        self._server = LoopbackServer(self._handle, port).start()

    @property
    def url(self) -> str:
        """The endpoint for clients."""
        return self._server.url

    def close(self) -> None:
        """Take no more calls, and try none again."""
        self._closed.set()
        self._server.close()

    def join(self) -> None:
        """Wait for the calls that were taken."""
        for thread in self._threads:
            thread.join(_JOIN_SECONDS)

    def _handle(self, request: Request) -> HttpResponse:
        if not _is_from_here(request):
            return _refusal(not_from_here())
        url = urlsplit(request.path)
        name, _, action = url.path.removeprefix(_PREFIX).strip("/").rpartition("/")
        try:
            match request.method, action:
                case "POST", "invocations":
                    return self._invoke(self._function(name, parse_qs(url.query)), request)
                case "GET", "configuration":
                    return json_response(200, _described(self._function(name, parse_qs(url.query))))
                case "GET", "":
                    return json_response(200, {"Functions": list(map(_described, self._functions.values()))})
        except InvokeError as error:
            return _refusal(error)
        return _refusal(unknown_operation(request.path))

    def _function(self, given: str, query: Mapping[str, list[str]]) -> Function:
        """Return the function that is named by its name or by an ARN.

        Raises:
            InvokeError: There is none.
        """
        named = _NAME.fullmatch(unquote(given))
        if not named:
            message = f"no function name: {unquote(given)}"
            raise invalid(message)
        function = self._functions.get(named["name"])
        qualifier = query.get("Qualifier", [named["qualifier"]])[0]
        if not function:
            raise not_found(unquote(given))
        if qualifier not in {None, _LATEST}:
            qualified = f"{function.arn}:{qualifier}"
            raise not_found(qualified)
        return function

    def _invoke(self, function: Function, request: Request) -> HttpResponse:
        kind = request.header("X-Amz-Invocation-Type") or "RequestResponse"
        if kind not in MAX_BYTES:
            message = f"no invocation type: {kind}"
            raise invalid(message)
        call = Call(request.body or b"{}", _client_context(request))
        check_payload(call.payload, kind)
        if kind == "DryRun":
            return HttpResponse(204, headers=_headers(call))
        if kind == "Event":
            self._in_background(lambda: self._try_thrice(function, call))
            return HttpResponse(202, headers=_headers(call))
        return self._respond(function, call, tail=request.header("X-Amz-Log-Type") == "Tail")

    def _respond(self, function: Function, call: Call, *, tail: bool) -> HttpResponse:
        """Run a call and respond as soon as there is a response, or with the log when it has ended."""
        results: queue.SimpleQueue[Response | Invocation | InvokeError] = queue.SimpleQueue()

        def run() -> None:
            try:
                results.put(self._run(function.name, call, (lambda _: None) if tail else results.put))
            except InvokeError as error:
                results.put(error)
            except Exception:
                results.put(service_failed())
                raise

        self._in_background(run)
        result = results.get()
        if isinstance(result, InvokeError):
            raise result
        headers = [*_headers(call), ("X-Amz-Executed-Version", _LATEST)]
        if result.function_error:
            headers.append(("X-Amz-Function-Error", result.function_error))
        if isinstance(result, Invocation):
            log = "\n".join([*result.logs, ""]).encode()[-_LOG_TAIL_BYTES:]
            headers.append(("X-Amz-Log-Result", base64.b64encode(log).decode()))
        return HttpResponse(200, result.payload, tuple(headers))

    def _try_thrice(self, function: Function, call: Call) -> None:
        """Run an asynchronous call, and again if it fails, as AWS does."""
        for delay in (*self._retry_delays, 0):
            try:
                if not self._run(function.name, call, lambda _: None).function_error:
                    return
            except InvokeError as error:
                if not error.retryable:
                    raise
            if self._closed.wait(delay):
                return

    def _in_background(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        self._threads = [known for known in self._threads if known.is_alive()] + [thread]


def _client_context(request: Request) -> str | None:
    """Return what the caller says of itself.

    Raises:
        InvokeError: It is malformed.
    """
    encoded = request.header("X-Amz-Client-Context")
    if not encoded:
        return None
    try:
        decoded = base64.b64decode(encoded, validate=True).decode("ascii")
        # It becomes a header, which is one line.
        return json.dumps(json.loads(decoded))
    except ValueError:
        message = "the client context is not JSON in base64"
        raise invalid(message) from None


def _headers(call: Call) -> tuple[tuple[str, str], ...]:
    return (JSON_TYPE, ("x-amzn-RequestId", call.request_id), ("X-Amzn-Trace-Id", call.trace))


def _is_from_here(request: Request) -> bool:
    """Return whether no web page sent it: one names another host, or says where it is from."""
    host = request.header("Host").rpartition(":")[0] or request.header("Host")
    return host in {HOST, "localhost"} and not request.header("Origin")


def _refusal(error: InvokeError) -> HttpResponse:
    body = {"Type": "User", "Message": str(error), "message": str(error)}
    return json_response(error.status, body, ("x-amzn-ErrorType", error.code))


def _described(function: Function) -> dict[str, object]:
    """Return a function as AWS describes it."""
    return {
        "FunctionName": function.name,
        "FunctionArn": function.arn,
        "Runtime": function.runtime,
        "Handler": function.handler,
        "Timeout": function.timeout_s,
        "MemorySize": function.memory_mb,
        "EphemeralStorage": {"Size": function.ephemeral_mb},
        # On AWS a permission guards these; here whoever reaches the port would see secrets.
        "Environment": {"Variables": dict.fromkeys(function.environment, "***")},
        "Version": _LATEST,
        "PackageType": "Zip",
        "State": "Active",
        "LastUpdateStatus": "Successful",
    }
