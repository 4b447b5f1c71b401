"""The Extensions API: how extensions register and learn of invocations and of the end."""

import json
import uuid
from collections.abc import Callable
from typing import Final

from circulate_local.function import Function
from circulate_local.http_server import HttpResponse, Request, json_response
from circulate_local.invocation import FailedError
from circulate_local.life import Life, Participant, State

PREFIX: Final = "/2020-01-01/extension/"
MAX_EXTENSIONS: Final = 10

_IDENTIFIER: Final = "Lambda-Extension-Identifier"
_ERROR_TYPE: Final = "Lambda-Extension-Function-Error-Type"
_EVENTS: Final = {True: ("INVOKE", "SHUTDOWN"), False: ("INVOKE",)}
"""Events that external and internal extensions may register for."""


def handle(life: Life, function: Function, request: Request) -> HttpResponse | None:
    """Handle a request of an extension; None if its life has ended."""
    if request.method == "PUT" and request.path in _SUBSCRIPTIONS:
        return _SUBSCRIPTIONS[request.path]
    match request.method, request.path.removeprefix(PREFIX):
        case "POST", "register":
            return _register(life, function, request)
        case "GET", "event/next":
            return _identified(life, request, lambda extension: _next(life, extension))
        case "POST", "init/error" | "exit/error" as route:
            state: State = "InitError" if route == "init/error" else "ExitError"
            return _identified(life, request, lambda extension: _report_error(life, extension, request, state))
    return _error("NotFound", f"no route {request.method} {request.path}", status=404)


def _register(life: Life, function: Function, request: Request) -> HttpResponse:
    name = request.header("Lambda-Extension-Name")
    if not name:
        return _error("Extension.InvalidExtensionName", "Empty extension name")
    try:
        events = _events(request)
    except ValueError as error:
        return _error("InvalidRequestFormat", str(error))
    with life.changed:
        known = next((extension for extension in life.extensions if extension.name == name), None)
        extension = known or Participant(name, external=False)
        if refusal := _refusal(life, extension, events):
            return refusal
        extension.state, extension.events = "Registered", frozenset(events)
        if not known:
            life.extensions.append(extension)
        life.changed.notify_all()
    described = {"functionName": function.name, "functionVersion": "$LATEST", "handler": function.handler}
    if "accountId" in [feature.strip() for feature in request.header("Lambda-Extension-Accept-Feature").split(",")]:
        described["accountId"] = function.account_id
    return json_response(200, described, (_IDENTIFIER, extension.identifier))


def _refusal(life: Life, extension: Participant, events: list[str]) -> HttpResponse | None:
    """Return why an extension may not register, if it may not."""
    for event in events:
        if event not in _EVENTS[extension.external]:
            return _error("Extension.InvalidEventType", f"{event}: ErrorInvalidEventType")
    if not life.registration_open:
        return _error("Extension.RegistrationClosed", "Extension registration closed already")
    if extension.state != "Started":
        return _refuse_state(extension, "Registered")
    if sum(known.state != "Started" for known in life.extensions) >= MAX_EXTENSIONS:
        return _error("Extension.TooManyExtensions", f"Extension limit ({MAX_EXTENSIONS}) reached")
    return None


def _events(request: Request) -> list[str]:
    """Return the events that an extension registers for.

    Raises:
        ValueError: The request is malformed.
    """
    body = json.loads(request.body)
    if not isinstance(body, dict):
        message = "the body is not a JSON object"
        raise ValueError(message)  # noqa: TRY004 - a value of the request
    if body.get("configurationKeys"):
        message = "configurationKeys are deprecated; use environment variables instead"
        raise ValueError(message)
    return list(body.get("events") or [])


def _identified(
    life: Life, request: Request, handler: Callable[[Participant], HttpResponse | None]
) -> HttpResponse | None:
    """Handle a request of an extension that says who it is."""
    given = request.header(_IDENTIFIER)
    if not given:
        return _error("Extension.MissingExtensionIdentifier", f"Missing {_IDENTIFIER} header")
    try:
        identifier = str(uuid.UUID(given))
    except ValueError:
        return _error("Extension.InvalidExtensionIdentifier", f"Invalid {_IDENTIFIER}")
    with life.changed:
        extension = next((known for known in life.extensions if known.identifier == identifier), None)
    if extension:
        return handler(extension)
    return _error("Extension.UnknownExtensionIdentifier", f"Unknown extension {identifier}")


def _next(life: Life, extension: Participant) -> HttpResponse | None:
    with life.changed:
        if extension.state not in {"Registered", "Running"}:
            return _refuse_state(extension, "Ready")
    return life.next_event(extension)


def _report_error(life: Life, extension: Participant, request: Request, state: State) -> HttpResponse:
    error_type = request.header(_ERROR_TYPE)
    if not error_type:
        return _error("Extension.MissingHeader", f"{_ERROR_TYPE} not found")
    with life.changed:
        allowed = {"Registered"} if state == "InitError" else {"Registered", "Ready", "Running"}
        if extension.state not in allowed:
            return _refuse_state(extension, state)
        extension.state = state
    life.fail(FailedError(f"Extension.{state}", error_type))
    return json_response(202, {"status": "OK"})


def _refuse_state(extension: Participant, target: str) -> HttpResponse:
    message = f"State transition from {extension.state} to {target} failed for extension {extension.name}"
    return _error("Extension.InvalidExtensionState", message)


def _error(error_type: str, message: str, *, status: int = 403) -> HttpResponse:
    return json_response(status, {"errorMessage": message, "errorType": error_type})


_SUBSCRIPTIONS: Final = {
    "/2020-08-15/logs": _error("Logs.NotSupported", "Logs API is not supported", status=202),
    "/2022-07-01/telemetry": _error("Telemetry.NotSupported", "Telemetry API is not supported", status=202),
}
"""Accepted and never served, as AWS's own emulator does, so that an extension that wants them still runs."""
