"""The events that runtime and extensions get."""

import secrets
import time
import uuid
from dataclasses import dataclass, field

from circulate_local.function import Function
from circulate_local.http_server import JSON_TYPE, HttpResponse, json_response
from circulate_local.invocation import Reason
from circulate_local.life import RUNTIME, Participant


def _new_trace() -> str:
    root = f"1-{int(time.time()):08x}-{secrets.token_hex(12)}"
    return f"Root={root};Parent={secrets.token_hex(8)};Sampled=0"


@dataclass(frozen=True, slots=True)
class Call:
    """A request to a function.

    Attributes:
        payload: The event, as JSON.
        client_context: What the caller says of itself, as JSON.
        request_id: Its id.
        trace: Its trace, as X-Ray writes it.
    """

    payload: bytes
    client_context: str | None = None
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    trace: str = field(default_factory=_new_trace)

    def event_for(self, participant: Participant, function: Function, left_s: float) -> HttpResponse:
        """Return the event for a participant, with so many seconds left."""
        deadline = _milliseconds_from_now(left_s)
        if participant.name == RUNTIME:
            return HttpResponse(200, self.payload, self._headers(deadline, function))
        event = {
            "eventType": "INVOKE",
            "deadlineMs": deadline,
            "requestId": self.request_id,
            "invokedFunctionArn": function.arn,
            "tracing": {"type": "X-Amzn-Trace-Id", "value": self.trace},
        }
        return _extension_event(event)

    def _headers(self, deadline: int, function: Function) -> tuple[tuple[str, str], ...]:
        headers = (
            JSON_TYPE,
            ("Lambda-Runtime-Aws-Request-Id", self.request_id),
            ("Lambda-Runtime-Deadline-Ms", str(deadline)),
            ("Lambda-Runtime-Invoked-Function-Arn", function.arn),
            ("Lambda-Runtime-Trace-Id", self.trace),
        )
        if self.client_context is None:
            return headers
        return (*headers, ("Lambda-Runtime-Client-Context", self.client_context))


def shutdown_event(reason: Reason, seconds: float) -> HttpResponse:
    """Return the event that ends an extension."""
    deadline = _milliseconds_from_now(seconds)
    return _extension_event({"eventType": "SHUTDOWN", "shutdownReason": reason, "deadlineMs": deadline})


def _extension_event(event: dict[str, object]) -> HttpResponse:
    return json_response(200, event, ("Lambda-Extension-Event-Identifier", str(uuid.uuid4())))


def _milliseconds_from_now(seconds: float) -> int:
    return int((time.time() + seconds) * 1000)
