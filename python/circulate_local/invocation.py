"""The outcome of a call: a response or a failure, and in the end the whole invocation."""

import json
from dataclasses import dataclass
from typing import Final, Literal

MAX_RESPONSE_BYTES: Final = 6_291_556

Reason = Literal["spindown", "timeout", "failure"]
"""Why an environment ends, as in the event for extensions."""


@dataclass(frozen=True, slots=True)
class Response:
    """What the caller gets.

    Attributes:
        payload: What the handler returned, or the error, as JSON.
        error_type: What went wrong, if anything did.
    """

    payload: bytes
    error_type: str | None = None

    @property
    def function_error(self) -> str | None:
        """What AWS says in `X-Amz-Function-Error`."""
        return "Unhandled" if self.error_type else None


@dataclass(frozen=True, slots=True)
class Invocation:
    """A call that has ended.

    Attributes:
        payload: What the handler returned, or the error, as JSON.
        function_error: `Unhandled` if the call failed.
        request_id: Its id.
        duration_ms: How long the environment was busy with it, the extensions included.
        billed_ms: What AWS would bill: the duration and the init before it.
        init_ms: How long the init before it took, if there was one.
        max_memory_mb: The most memory in use so far.
        post_runtime_extensions_ms: How long extensions went on after the runtime had ended.
        logs: All log lines of it, and of the init before it.
    """

    payload: bytes
    function_error: str | None
    request_id: str
    duration_ms: float
    billed_ms: int
    init_ms: float | None
    max_memory_mb: int
    post_runtime_extensions_ms: float
    logs: tuple[str, ...]


class FailedError(Exception):
    """The environment cannot go on as it is.

    Args:
        error_type: What AWS calls it.
        message: What happened.
        reason: Reason in the event for extensions.
        payload: The error as the function itself reported it.
    """

    def __init__(
        self, error_type: str, message: str, *, reason: Reason = "failure", payload: bytes | None = None
    ) -> None:
        super().__init__(message)
        self.error_type = error_type
        self.message = message
        self.reason = reason
        self._payload = payload

    def response(self, request_id: str) -> Response:
        """Return what the caller of a request gets for it."""
        if self._payload is not None:
            return Response(self._payload, self.error_type)
        message = f"RequestId: {request_id} Error: {self.message}"
        return error_response(self.error_type, message)


def error_response(error_type: str, message: str) -> Response:
    """Return an error as AWS writes it."""
    text = json.dumps({"errorType": error_type, "errorMessage": message}, separators=(",", ":"))
    return Response(text.encode(), error_type)


def too_large() -> Response:
    """Return what the caller gets for a response beyond the limit."""
    message = f"Response payload size exceeded maximum allowed payload size ({MAX_RESPONSE_BYTES} bytes)."
    return error_response("Function.ResponseSizeTooLarge", message)


def timed_out(seconds: float) -> FailedError:
    """Return the failure of a call that took too long."""
    return FailedError("Sandbox.Timedout", f"Task timed out after {seconds:.2f} seconds", reason="timeout")


def killed() -> FailedError:
    """Return the failure of a runtime that was killed, which is what too much memory leads to."""
    return FailedError("Runtime.ExitError", "Runtime exited with error: signal: killed")
