"""The lines that the platform writes into a function's log."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime

from circulate_local.events import Call
from circulate_local.function import Function
from circulate_local.invocation import FailedError, Response
from circulate_local.life import Participant


@dataclass(frozen=True, slots=True)
class Usage:
    """What a call took.

    Attributes:
        duration_ms: How long the environment was busy.
        init_ms: How long the init before it took, if there was one.
        memory_mb: The most memory in use so far.
    """

    duration_ms: float
    init_ms: float | None
    memory_mb: int

    @property
    def billed_ms(self) -> int:
        """Whole milliseconds, those of the init included, as AWS bills since August 2025."""
        return math.ceil(self.duration_ms + (self.init_ms or 0))


def init_start(function: Function) -> str:
    """Return the first line of an environment."""
    return f"INIT_START Runtime Version: python:{function.runtime.removeprefix('python')}.local"


def init_report(milliseconds: float, failure: FailedError) -> str:
    """Return the line of an init that failed."""
    return f"INIT_REPORT Init Duration: {milliseconds:.2f} ms\tPhase: init\t{_status(failure)}"


def extension(participant: Participant) -> str:
    """Return the line of an extension after init."""
    events = ", ".join(sorted(participant.events))
    return f"EXTENSION\tName: {participant.name}\tState: {participant.state}\tEvents: [{events}]"


def start(call: Call) -> str:
    """Return the first line of a call."""
    return f"START RequestId: {call.request_id} Version: $LATEST"


def failure(call: Call, failed: FailedError) -> str:
    """Return the line of a failure of the environment."""
    if failed.reason == "timeout":
        now = datetime.now(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")
        return f"{now}Z {call.request_id} {failed.message}"
    return f"RequestId: {call.request_id} Error: {failed.message}\n{failed.error_type}"


def end(call: Call) -> str:
    """Return the line at the end of a call."""
    return f"END RequestId: {call.request_id}"


def report(call: Call, function: Function, usage: Usage, response: Response, failed: FailedError | None) -> str:
    """Return the line that sums up a call."""
    fields = [
        f"REPORT RequestId: {call.request_id}",
        f"Duration: {usage.duration_ms:.2f} ms",
        f"Billed Duration: {usage.billed_ms} ms",
        f"Memory Size: {function.memory_mb} MB",
        f"Max Memory Used: {usage.memory_mb} MB",
    ]
    if usage.init_ms is not None:
        fields.append(f"Init Duration: {usage.init_ms:.2f} ms")
    if failed:
        fields.append(_status(failed))
    elif response.error_type:
        fields.append(f"Status: error\tError Type: {response.error_type}")
    return "\t".join(fields)


def _status(failed: FailedError) -> str:
    if failed.reason == "timeout":
        return "Status: timeout"
    return f"Status: error\tError Type: {failed.error_type}"
