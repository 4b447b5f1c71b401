"""Time, memory, log and metrics of an invocation, for the handlers of all functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from circulate_core import _core
from circulate_core.aws.log import Log, Metrics
from circulate_core.exceptions import CirculateError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from circulate_core.results import Snapshot

T = TypeVar("T")

LEAST_TIME_S = 0.5
MAX_WAIT_S = 30.0
"""Waiting is billed: a longer wait ends the invocation, and who invoked it learns when to come back."""
MIN_MARGIN_S, MAX_MARGIN_S = 1.5, 20.0
"""What is left of an invocation's time to end what was begun and to write where it stands."""
MB = 1_000_000
REST_OF_PROCESS_MB = 60
"""What Python, Lambda's runtime client and the engine take besides pages and objects."""
TABLES_MB = 44
"""What is taken besides that by what makes tables, mostly what compresses each of their columns, and by keys."""


class Context(Protocol):
    """The part of Lambda's context that is used."""

    aws_request_id: str
    function_name: str
    memory_limit_in_mb: int | str

    def get_remaining_time_in_millis(self) -> int:
        """Return how much time the invocation has left."""


def seconds_left(context: Context) -> float:
    """Return how much time the invocation has left.

    Raises:
        SettingsError: Too little to do anything.
    """
    left = context.get_remaining_time_in_millis() / 1000
    if left < LEAST_TIME_S:
        message = f"only {left:.1f} s are left of this invocation, too little to do anything"
        raise SettingsError(message, hint="give the function a longer timeout")
    return left


def margin(left: float) -> float:
    """Return how many of the seconds that are left are kept for the end of the invocation."""
    return min(max(left * 0.15, MIN_MARGIN_S), MAX_MARGIN_S, left / 2)


def memory(context: Context, *, tables: bool = False) -> int:
    """Return how many bytes pages and objects may hold.

    Args:
        context: Of the invocation.
        tables: Whether objects are tables.
    """
    rest = REST_OF_PROCESS_MB + (TABLES_MB if tables else 0)
    return max(int((int(context.memory_limit_in_mb) - rest) * 0.7), 16) * MB


class Attempt:
    """What one invocation did, for its log and its metrics. Results are of all invocations of a run.

    Args:
        what: What is done, in a word.
        log: Where to.
        measured: Whether CloudWatch makes metrics of it.
    """

    def __init__(self, what: str, log: Log, *, measured: bool) -> None:
        self.what = what
        self.log = log
        self.measured = measured
        self.did: Snapshot | None = None

    def made(self, work: Callable[[], T]) -> T:
        """Do the work; what goes wrong is logged, and raised as Lambda and state machines are to see it."""
        try:
            with self.log.events():
                return work()
        except CirculateError as error:
            self._failed(error)
            # Lambda prints where an error was raised; what helps is in its text.
            raise _with_hint(error).with_traceback(None) from None
        except Exception as error:
            self._failed(CirculateError(f"{type(error).__name__}: {_core.shown(str(error))}; this is a bug"))
            raise

    def progressed(self, snapshot: Snapshot) -> None:
        """Take in what was done so far."""
        self.did = snapshot
        if snapshot.run_id:
            self.log.about(run_id=snapshot.run_id)

    @property
    def requests(self) -> int:
        """Requests that were sent so far."""
        return self.did.requests if self.did else 0

    def began(self, **fields: Any) -> None:  # noqa: ANN401 - JSON
        """Say that the work begins."""
        event = f"{self.what} started"
        self.log.info(event, **fields)

    def ended(self, status: str, result: dict[str, Any], **fields: Any) -> None:  # noqa: ANN401 - JSON
        """Say what came of it."""
        event = f"{self.what} ended"
        self.log.info(event, metrics=self._metrics(status), result=result, **fields)

    def _metrics(self, verdict: str) -> Metrics | None:
        return Metrics(verdict, self.did) if self.measured else None

    def _failed(self, error: CirculateError) -> None:
        if error.report:
            self.log.about(account=error.report.account, run_id=error.report.run_id)
        if self.measured and not self.log.knows("account"):
            # Metrics have it as a dimension.
            self.log.about(account="unknown")
        where: dict[str, Any] = {"operation": error.operation}
        if self.log.knows("operation"):
            # In lines of a call that is the operation of an endpoint.
            where = {"step": error.operation, "requests": self.requests}
        event = f"{self.what} failed"
        self.log.error(
            event,
            metrics=self._metrics("failed"),
            error=type(error).__name__,
            message=str(error),
            hint=error.hint,
            retryable=error.retryable,
            **where,
        )


def _with_hint(error: CirculateError) -> CirculateError:
    """Return the error with its hint in its text, which is all that a state machine keeps of it."""
    if error.hint:
        error.args = (f"{error} ({error.hint})",)
        error.__notes__ = []
    return error
