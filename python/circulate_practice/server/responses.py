"""Responses as values, Okta's error bodies, and the headers every response carries.

Nothing here touches a socket: a `Response` says what goes on the wire and how, the server does it.
"""

import hashlib
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Final

from circulate_practice.server.limits import RateState

Headers = list[tuple[str, str]]

NO_RECORDS: Final = b"[]"
JSON_TYPE: Final = "application/json"
_SUMMARIES: Final = {
    "E0000001": "Api validation failed: {}",
    "E0000002": "The request was not valid: {}",
    "E0000003": "The request body was not well-formed.",
    "E0000006": "You do not have permission to perform the requested action",
    "E0000007": "Not found: Resource not found: {}",
    "E0000008": "The requested path was not found",
    "E0000009": "Internal Server Error",
    "E0000010": "Service is in read only mode",
    "E0000011": "Invalid token provided",
    "E0000015": "You do not have permission to access the feature you are requesting",
    "E0000016": "Activation failed because the user is already active",
    "E0000020": "Bad request.",
    "E0000021": "Bad request.  Accept and/or Content-Type headers likely do not match supported values.",
    "E0000022": "The endpoint does not support the provided HTTP method",
    "E0000023": "Operation failed because user profile is mastered under another system",
    "E0000028": "The request is missing a required parameter.",
    "E0000031": "Invalid search criteria.",
    "E0000032": "Unlock is not allowed for this user.",
    "E0000033": "Bad request. Can't specify a search query and filter in the same request.",
    "E0000037": "Type mismatch exception.  {}",
    "E0000038": "This operation is not allowed in the user's current status.",
    "E0000046": "Deactivate application for user forbidden.",
    "E0000053": "Invalid filter '{}': The value is more than 180 days ago.",
    "E0000047": "API call exceeded rate limit due to too many requests.",
    "E0000056": "Delete application forbidden.",
    "E0000090": "The role specified is already assigned to the user.",
    "E0000093": "Target count limit exceeded",
    "E0000107": "The entity is not in the expected state for the requested transition.",
    "E0000112": ("Cannot update this user because they are still being activated. Please try again in a few minutes."),
    "E0000117": "Cannot assign apps or update app profiles for an inactive user.",
    "E0000124": (
        "Could not create user. To create a user and expire their password immediately, a password must be specified."
    ),
    "E0000125": (
        "Could not create user. To create a user and expire their password immediately, `activate` must be true."
    ),
    "E0000152": "Illegal device status, cannot perform action.",
}


@dataclass(slots=True, kw_only=True)
class Response:
    """One HTTP response and how to deliver it.

    Attributes:
        status: HTTP status.
        body: Bytes of the body, after content encoding.
        headers: All headers but Content-Length and Connection; empty for those that every response carries.
        more_headers: Headers to add to those.
        log_records: JSON array the log shows as `records`.
        collection: List it belongs to, for the log.
        page: Page of that list, for the log.
        fault: Names of the faults in it, for the log.
        whole: False when the body is not what the list really holds; the log never calls it complete then.
        cut: Send only that many bytes of the body, then close; None sends all.
        reset: Send nothing and reset the connection.
        hang: Send nothing and keep the connection until the client closes it.
        stall: Seconds to wait before the first byte.
        spread: Seconds over which the body is sent.
    """

    status: int
    body: bytes = b""
    headers: Headers = field(default_factory=list)
    more_headers: Headers = field(default_factory=list)
    log_records: bytes = NO_RECORDS
    collection: str | None = None
    page: int | None = None
    fault: str | None = None
    whole: bool = True
    cut: int | None = None
    reset: bool = False
    hang: bool = False
    stall: float = 0.0
    spread: float = 0.0


class Refusal(Exception):  # noqa: N818 - not every refusal is the client's error
    """A request that gets one of Okta's errors.

    Args:
        status: HTTP status.
        code: Okta's error code.
        subject: What the summary is about, for the codes whose summary names something.
        cause: Further explanation, or several, listed in `errorCauses`.
    """

    def __init__(self, status: int, code: str, subject: str = "", cause: str | Sequence[str] = ()) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.summary = _SUMMARIES[code].format(subject)
        self.causes = [cause] if isinstance(cause, str) else list(cause)


class ResponseMaker:
    """Add what every response of the API carries: date, request id, rate limits; and word errors.

    Args:
        seed: Number the request ids follow from.
    """

    def __init__(self, seed: int) -> None:
        self._key = b"requests:%d" % seed
        self._count = itertools.count(1)

    def headers(self, now: float, rate: RateState) -> Headers:
        """Return the headers that every response carries.

        Args:
            now: Server time, in epoch seconds.
            rate: State of the rate limit to show.
        """
        return [
            ("Date", formatdate(now, usegmt=True)),
            ("Content-Type", JSON_TYPE),
            ("Cache-Control", "no-cache, no-store"),
            ("X-Okta-Request-Id", self._identifier()),
            ("X-Rate-Limit-Limit", str(rate.limit)),
            ("X-Rate-Limit-Remaining", str(rate.remaining)),
            ("X-Rate-Limit-Reset", str(rate.reset)),
        ]

    def error(self, refusal: Refusal) -> Response:
        """Return the response for `refusal`, still without headers."""
        body = {
            "errorCode": refusal.code,
            "errorSummary": refusal.summary,
            "errorLink": refusal.code,
            "errorId": "oae" + self._identifier()[:22],
            "errorCauses": [{"errorSummary": cause} for cause in refusal.causes if cause],
        }
        return Response(status=refusal.status, body=json.dumps(body, separators=(",", ":")).encode())

    def _identifier(self) -> str:
        return hashlib.blake2b(b"%d" % next(self._count), key=self._key, digest_size=14).hexdigest()


def drop_headers(headers: Headers, prefix: str) -> Headers:
    """Return `headers` without those whose name starts with `prefix`."""
    return [(name, value) for name, value in headers if not name.startswith(prefix)]
