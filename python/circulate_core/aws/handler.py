"""Handlers: an event comes in, a stream is pulled for as long as there is time, a small result goes out."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Protocol

from circulate_core import api
from circulate_core.aws.events import Event
from circulate_core.aws.log import Log, Metrics
from circulate_core.aws.settings import Settings
from circulate_core.exceptions import CirculateError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from circulate_core.types import Report, Snapshot

MAX_WAIT_S = 30.0
"""Waiting is billed: a longer wait ends the invocation, and the result says when to come back."""
PENDING_S = 24 * 3600.0
"""How long a pending run is kept for the pipeline to decide. Always shorter than the bucket's retention."""
LEAST_TIME_S = 0.5
LEAST_MARGIN_S, MOST_MARGIN_S = 1.5, 20.0
"""What is left of an invocation's time to bring the last page home and to write the checkpoint."""
MB = 1_000_000
REST_OF_PROCESS_MB = 60
"""What Python, Lambda's runtime client and the engine take besides pages and objects."""


class Context(Protocol):
    """The part of Lambda's context that is used."""

    aws_request_id: str
    function_name: str
    memory_limit_in_mb: int | str

    def get_remaining_time_in_millis(self) -> int:
        """Return how much time the invocation has left."""


def puller(stream: str) -> Callable[[object, Context], dict[str, Any]]:
    """Make the handler of a function that pulls a stream.

    Settings come from the environment, those of the source and its secret as for the command line; see
    `python/docs/lambda.md`. They are looked at when the first event comes, so that what is missing is told to whoever
    invoked the function.

    Args:
        stream: `source.endpoint`, such as `okta.users`.

    Returns:
        A handler. It returns the result of a run that is complete, partial or busy, and raises the error of one that
        failed; the error's class, such as `AuthError`, is what `Retry` and `Catch` of a state machine match.
    """
    source = api.source_definition(stream.partition(".")[0])

    def handle(event: object, context: Context) -> dict[str, Any]:
        log = Log(request_id=context.aws_request_id, function=context.function_name, stream=stream)
        attempt = _Attempt(log)
        try:
            settings = Settings.read(source, os.environ)
            report = _pull(stream, Event.read(event), settings, context, attempt)
        except CirculateError as error:
            attempt.failed(error)
            # Lambda prints where an error was raised; what helps is in its text.
            raise _told(error).with_traceback(None) from None
        except Exception as error:
            attempt.failed(CirculateError(f"{type(error).__name__}: {error}; this is a bug"))
            raise
        attempt.ended(report)
        return result(report)

    return handle


def _pull(stream: str, event: Event, settings: Settings, context: Context, attempt: _Attempt) -> Report:
    left = context.get_remaining_time_in_millis() / 1000
    account = settings.account(event.account)
    attempt.log.about(account=account.name)
    if left < LEAST_TIME_S:
        message = f"only {left:.1f} s are left of this invocation, too little to do anything"
        raise SettingsError(message, hint="give the function a longer timeout")
    attempt.log.info("pull started", mode=event.mode, continuation=event.continuation, seconds_left=round(left, 1))
    return api.pull(
        stream,
        to=settings.to,
        state=settings.state,
        s3=settings.s3,
        settings=account.settings,
        secret=account.secret,
        account=account.name,
        mode=event.mode,
        since=event.since,
        until=event.until,
        unattended=True,
        continuation=event.continuation,
        request=context.aws_request_id,
        pending=PENDING_S if event.commit == "pending" else None,
        memory=_memory(int(context.memory_limit_in_mb)),
        deadline=left - margin(left),
        worker_ends=left,
        max_wait=MAX_WAIT_S,
        on_progress=attempt.progressed,
        **settings.objects,
    )


def margin(left: float) -> float:
    """Return how many of the seconds that are left are kept for the end of the invocation."""
    return min(max(left * 0.15, LEAST_MARGIN_S), MOST_MARGIN_S, left / 2)


def _memory(limit_mb: int) -> int:
    return max(int((limit_mb - REST_OF_PROCESS_MB) * 0.7), 16) * MB


def result(report: Report) -> dict[str, Any]:
    """Return what a function answers: less than 2 KB, whatever the size of the run."""
    manifest = report["manifest"]
    answer: dict[str, Any] = {
        "run_id": report["run_id"],
        "status": report["status"],
        "manifest": f"{report['destination'].rstrip('/')}/{manifest}" if manifest else None,
        "objects": report["objects"],
        "records": report["records"],
        "bytes": report["bytes"],
    }
    for name in ("continuation", "resume_after"):
        if report[name] is not None:
            answer[name] = report[name]
    if report["status"] == "complete" and report["stopped_by"]:
        # An endless list is complete up to where it was read.
        answer["more"] = True
    return answer


def _told(error: CirculateError) -> CirculateError:
    """Return the error with its hint in its text, which is all that a state machine keeps of it."""
    if error.hint:
        error.args = (f"{error} ({error.hint})",)
    return error


class _Attempt:
    """What one invocation did, for its log and its metrics. Reports sum over all invocations of a run."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.did: Snapshot | None = None

    def progressed(self, snapshot: Snapshot) -> None:
        self.did = snapshot
        if snapshot["run_id"]:
            self.log.about(run_id=snapshot["run_id"])
        for note in snapshot["notes"]:
            self.log.info("note", message=note)

    def ended(self, report: Report) -> None:
        self.log.about(account=report["account"], run_id=report["run_id"])
        self.log.info(
            "pull ended",
            metrics=Metrics(report["status"], self.did),
            result=result(report),
            stopped_by=report["stopped_by"],
            holes=len(report["holes"]),
        )

    def failed(self, error: CirculateError) -> None:
        if error.report:
            self.log.about(account=error.report["account"], run_id=error.report["run_id"])
        elif not self.log.knows("account"):
            # Metrics have it as a dimension.
            self.log.about(account="unknown")
        self.log.error(
            "pull failed",
            metrics=Metrics("failed", self.did),
            error=type(error).__name__,
            message=str(error),
            hint=error.hint,
            operation=error.operation,
            retryable=error.retryable,
        )
