"""Calls that never reach a function, as Lambda refuses them."""

import json
from http import HTTPStatus
from typing import Final

from circulate_core.exceptions import CirculateError

MAX_BYTES: Final = {"RequestResponse": 6_291_456, "Event": 1_048_576, "DryRun": 6_291_456}
"""What a payload may have, by the type of invocation."""


class InvokeError(CirculateError):
    """A call was refused before it reached a function.

    Attributes:
        code: What AWS calls it: `ResourceNotFoundException`.
        status: The HTTP status.
    """

    def __init__(self, code: str, status: HTTPStatus, message: str) -> None:
        retryable = status == HTTPStatus.TOO_MANY_REQUESTS
        super().__init__(message, operation="invoke a function", retryable=retryable)
        self.code = code
        self.status = status


def not_found(arn: str) -> InvokeError:
    """Return the refusal of a function that is not there."""
    return InvokeError("ResourceNotFoundException", HTTPStatus.NOT_FOUND, f"Function not found: {arn}")


def too_many() -> InvokeError:
    """Return the refusal of a call beyond the concurrency."""
    return InvokeError("TooManyRequestsException", HTTPStatus.TOO_MANY_REQUESTS, "Rate Exceeded.")


def invalid(message: str) -> InvokeError:
    """Return the refusal of a parameter."""
    return InvokeError("InvalidParameterValueException", HTTPStatus.BAD_REQUEST, message)


def service_failed() -> InvokeError:
    """Return the refusal of a call that we failed to run."""
    return InvokeError("ServiceException", HTTPStatus.INTERNAL_SERVER_ERROR, "the local runner failed; see its log")


def not_from_here() -> InvokeError:
    """Return the refusal of a request that a web page may have sent."""
    message = "only programs on this machine may call functions here, by 127.0.0.1 or localhost"
    return InvokeError("AccessDeniedException", HTTPStatus.FORBIDDEN, message)


def unknown_operation(path: str) -> InvokeError:
    """Return the refusal of what is not served here."""
    return InvokeError("UnknownOperationException", HTTPStatus.NOT_FOUND, f"no operation at {path}")


def check_payload(payload: bytes, kind: str) -> None:
    """Check what a caller sends.

    Raises:
        InvokeError: It is too large, or no JSON.
    """
    size, limit = len(payload), MAX_BYTES[kind]
    if size > limit:
        message = f"{size} byte payload is too large for the {kind} invocation type (limit {limit} bytes)"
        code = "RequestTooLargeException"
        raise InvokeError(code, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message)
    try:
        json.loads(payload)
    except ValueError as error:
        message = f"Could not parse request body into json: {error}"
        code = "InvalidRequestContentException"
        raise InvokeError(code, HTTPStatus.BAD_REQUEST, message) from None
