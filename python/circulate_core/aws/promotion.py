"""The handler of a function that promotes runs: event in, result out, log lines on the way."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from circulate_core.aws.events import PromotionEvent
from circulate_core.aws.invocation import Attempt, margin, memory, seconds_left
from circulate_core.aws.log import Log
from circulate_core.aws.settings import PromotionSettings
from circulate_core.exceptions import LimitError
from circulate_core.promoting import promote

if TYPE_CHECKING:
    from collections.abc import Callable

    from circulate_core.aws.invocation import Context
    from circulate_core.results import Promoted


def promoter() -> Callable[[object, Context], dict[str, Any]]:
    """Make the handler of a function that copies runs from the place they were pulled to into the place for readers.

    Both places come from the environment, and an event can only name a manifest in the first; see
    `python/docs/targets.md`.

    Returns:
        A handler. It returns the result of a promotion that is complete or partial, and raises the error of one that
        failed; the error's class, such as `MismatchError`, is what `Retry` and `Catch` of a state machine match.
    """

    def handle(event: object, context: Context) -> dict[str, Any]:
        log = Log(request_id=context.aws_request_id, function=context.function_name)
        # They would be of the same stream and account as those of its pulls, whose alarms a promoted run must not calm.
        attempt = Attempt("promotion", log, measured=False)
        promoted = attempt.made(lambda: _progressed(_promote(event, context, attempt)))
        response = promotion_result(promoted)
        counts = {"copied": promoted.copied, "skipped": promoted.skipped}
        attempt.ended(promoted.status, response, stopped_by=promoted.stopped_by, **counts)
        return response

    return handle


def _promote(given: object, context: Context, attempt: Attempt) -> Promoted:
    settings = PromotionSettings.read(os.environ)
    event = PromotionEvent.read(given, settings.origin)
    attempt.log.about(stream=event.stream, account=event.account, run_id=event.run_id)
    left = seconds_left(context)
    attempt.began(manifest=event.manifest, continuation=event.continuation, seconds_left=round(left, 1))
    return promote(
        event.manifest,
        to=settings.to,
        state=settings.state,
        compact=settings.compact,
        s3=settings.s3,
        memory=memory(context),
        deadline=left - margin(left),
        on_progress=attempt.progressed,
    )


def _progressed(promoted: Promoted) -> Promoted:
    """Return what was done, if it was anything: the next invocation would get no further than this one.

    Raises:
        LimitError: There was no time to copy a single object.
    """
    if promoted.status == "partial" and not promoted.copied:
        message = "the time of an invocation is too short for this promotion: no object could be copied"
        raise LimitError(message, hint="give the function more time or memory", operation="promote")
    return promoted


def promotion_result(promoted: Promoted) -> dict[str, Any]:
    """Return the response of the function: less than 2 KB, whatever the size of the run."""
    response: dict[str, Any] = {
        "run_id": promoted.run_id,
        "status": promoted.status,
        "manifest": f"{promoted.destination.rstrip('/')}/{promoted.manifest}",
        "objects": promoted.objects,
        "records": promoted.records,
        "bytes": promoted.bytes,
    }
    if promoted.continuation is not None:
        response["continuation"] = promoted.continuation
    return response
