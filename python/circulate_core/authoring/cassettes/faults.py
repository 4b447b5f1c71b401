"""Faults that a replay makes: what an API does on a bad day, to some of the requests, once each."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from circulate_core.authoring.cassettes.cassette import Pairs

RETRY_AFTER: Final = 7
"""Seconds that a 429 names."""
SPOTS: Final = 4
"""Requests that meet a fault: more would use up the retries that a client allows itself."""
_HTML: Final = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Please sign in</body></html>"
_JSON: Final = (("content-type", "application/json"),)


@dataclass(frozen=True)
class Reply:
    """What a server sends.

    Attributes:
        status: Status of the response.
        headers: Its headers, but for its length.
        body: Its body.
        cut: How much of the body is sent before the connection ends; None sends all of it.
        reset: Whether it ends by a reset.
        mark: What the header `circulate-replay` says.
        before: The reply with the page before, if there was one.
        signed: Whether the request had credentials.
    """

    status: int
    headers: Pairs = ()
    body: bytes = b""
    cut: int | None = None
    reset: bool = False
    mark: str | None = None
    before: Reply | None = None
    signed: bool = False


@dataclass(frozen=True)
class Fault:
    """A fault.

    Attributes:
        name: Its name, on the command line and of tests.
        about: What the API does.
        spoil: Makes the reply with the fault out of the one without; None where it cannot be.
        recovers: Whether the pull has to be complete all the same. Else it may say that it is not.
        waits: Seconds that the pull has to wait for each.
    """

    name: str
    about: str
    spoil: Callable[[Reply], Reply | None] = field(repr=False)
    recovers: bool = True
    waits: int = 0


def _refusing(status: int, *headers: tuple[str, str]) -> Callable[[Reply], Reply]:
    return lambda _: Reply(status, (*_JSON, *headers), b'{"error": "not now"}')


def _cut(*, reset: bool) -> Callable[[Reply], Reply | None]:
    def cut(reply: Reply) -> Reply | None:
        if len(reply.body) < 2:  # noqa: PLR2004 - what has a middle
            return None
        return Reply(reply.status, reply.headers, reply.body, cut=len(reply.body) // 2, reset=reset)

    return cut


def _repeated(reply: Reply) -> Reply | None:
    return reply.before


def _expired(reply: Reply) -> Reply | None:
    return Reply(401, _JSON, b'{"error": "the token has expired"}') if reply.signed else None


FAULTS: Final = {
    fault.name: fault
    for fault in (
        Fault(
            "429", "returns 429 with Retry-After", _refusing(429, ("retry-after", str(RETRY_AFTER))), waits=RETRY_AFTER
        ),
        Fault("500", "returns 500", _refusing(500)),
        Fault("502", "returns 502", _refusing(502)),
        Fault("503", "returns 503", _refusing(503)),
        Fault("reset", "resets the connection in the middle of a body", _cut(reset=True)),
        Fault("truncated", "ends a body in the middle", _cut(reset=False)),
        Fault(
            "stalled",
            "stops in the middle of a body until the timeout",
            lambda reply: Reply(reply.status, reply.headers, reply.body[: len(reply.body) // 2], mark="stalled"),
        ),
        Fault("repeated", "returns the page before once more", _repeated, recovers=False),
        Fault(
            "html",
            "returns 200 with a web page",
            lambda _: Reply(200, (("content-type", "text/html"),), _HTML),
            recovers=False,
        ),
        Fault("expired", "refuses the token once with 401", _expired, recovers=False),
    )
}
"""All faults but the end of the process itself."""
KILLED: Final = "killed"
"""The name of that."""
NAMES: Final = (*FAULTS, KILLED)


def spots(count: int, seed: int, *, several: bool = True) -> frozenset[int]:
    """Return which of so many requests meet a fault: the first, the last and some between, or one of all."""
    if count and not several:
        return frozenset({Random(seed).randrange(count)})  # noqa: S311 - a choice, which the seed repeats
    if count <= SPOTS:
        return frozenset(range(count))
    between: Sequence[int] = range(1, count - 1)
    chosen = Random(seed).sample(between, SPOTS - 2)  # noqa: S311 - a choice, which the seed repeats
    return frozenset({0, count - 1, *chosen})
