"""The Runtime API: how a runtime gets invocations and gives responses."""

import json
import re
from typing import Final

from circulate_local.http_server import HttpResponse, Request, json_response
from circulate_local.invocation import MAX_RESPONSE_BYTES, FailedError, Response, too_large
from circulate_local.life import Life

PREFIX: Final = "/2018-06-01/runtime/"
_INVOCATION: Final = re.compile(r"invocation/([^/]+)/(response|error)")
_ACCEPTED: Final = json_response(202, {"status": "OK"})
_ERROR_TYPE: Final = "Lambda-Runtime-Function-Error-Type"


def handle(life: Life, request: Request) -> HttpResponse | None:
    """Handle a request of the runtime; None if its life has ended."""
    route = request.path.removeprefix(PREFIX)
    if (request.method, route) == ("GET", "invocation/next"):
        return _next(life)
    if (request.method, route) == ("POST", "init/error"):
        return _init_error(life, request)
    if request.method == "POST" and (match := _INVOCATION.fullmatch(route)):
        return _respond(life, request, match[1], is_error=match[2] == "error")
    return json_response(404, {"errorMessage": f"no route {request.method} {request.path}", "errorType": "NotFound"})


def _next(life: Life) -> HttpResponse | None:
    with life.changed:
        if life.runtime.state == "Running" and not life.responded():
            return _refuse_state("Running", "Ready")
        life.registration_open = False
    return life.next_event(life.runtime)


def _respond(life: Life, request: Request, request_id: str, *, is_error: bool) -> HttpResponse:
    with life.changed:
        if request_id != life.request_id:
            return json_response(400, {"errorMessage": "Invalid request ID", "errorType": "InvalidRequestID"})
        if life.responded():
            return _refuse_state("ResponseSent", "InvocationErrorResponse" if is_error else "InvocationResponse")
        oversize = len(request.body) > MAX_RESPONSE_BYTES
        life.response = too_large() if oversize else Response(request.body, _error_type(request) if is_error else None)
        life.changed.notify_all()
    if oversize:
        message = f"Exceeded maximum allowed payload size ({MAX_RESPONSE_BYTES} bytes)."
        return json_response(413, {"errorMessage": message, "errorType": "RequestEntityTooLarge"})
    return _ACCEPTED


def _init_error(life: Life, request: Request) -> HttpResponse:
    if life.runtime.state != "Registered":
        return _refuse_state(life.runtime.state, "InitError")
    life.runtime.state = "InitError"
    error_type = _error_type(request)
    life.fail(FailedError(error_type, "the function's init failed", payload=request.body))
    return _ACCEPTED


def _error_type(request: Request) -> str:
    """Return what the runtime says went wrong, in the header or in the body."""
    if named := request.header(_ERROR_TYPE):
        return named
    try:
        return str(json.loads(request.body)["errorType"])
    except (ValueError, LookupError, TypeError):
        return "Function.Unknown"


def _refuse_state(state: str, target: str) -> HttpResponse:
    message = f"Transition from {state} to {target} is not allowed"
    return json_response(403, {"errorMessage": message, "errorType": "InvalidStateTransition"})
