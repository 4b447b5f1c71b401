"""The handler of a function that registers runs: event in, result out, log lines on the way."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from circulate_core.aws.events import RegistrationEvent
from circulate_core.aws.invocation import Attempt, margin, memory, seconds_left
from circulate_core.aws.log import Log
from circulate_core.aws.settings import RegistrationSettings
from circulate_core.exceptions import LimitError
from circulate_core.registering import register

if TYPE_CHECKING:
    from collections.abc import Callable

    from circulate_core.aws.invocation import Context
    from circulate_core.results import Registered


def registrar() -> Callable[[object, Context], dict[str, Any]]:
    """Make the handler of a function that brings committed runs into tables of the Glue Data Catalog.

    Places and database come from the environment, and an event can only name a manifest in the first; see
    `python/docs/athena.md`.

    Returns:
        A handler. It returns the result of a registration, and raises the error of one that failed or did not come to
        its end; the error's class, such as `StorageError`, is what `Retry` and `Catch` of a state machine match.
    """

    def handle(event: object, context: Context) -> dict[str, Any]:
        log = Log(request_id=context.aws_request_id, function=context.function_name)
        attempt = Attempt("registration", log, measured=False)
        registered = attempt.made(lambda: _finished(_register(event, context, attempt)))
        response = registration_result(registered)
        attempt.ended(registered.status, response, found=registered.found)
        return response

    return handle


def _register(given: object, context: Context, attempt: Attempt) -> Registered:
    settings = RegistrationSettings.read(os.environ)
    event = RegistrationEvent.read(given, settings.origin)
    attempt.log.about(stream=event.stream, account=event.account, run_id=event.run_id)
    left = seconds_left(context)
    attempt.began(manifest=event.manifest, seconds_left=round(left, 1))
    return register(
        event.manifest,
        to=settings.to,
        database=settings.database,
        s3=settings.s3,
        memory=memory(context, tables=True),
        deadline=left - margin(left),
        on_progress=attempt.progressed,
    )


def _finished(registered: Registered) -> Registered:
    """Return what was done, if that is all of it: the next invocation would start over, and get no further.

    Raises:
        LimitError: There was not enough time.
    """
    if registered.status == "partial":
        message = "the time of an invocation is too short to register this run: nobody sees any of it"
        raise LimitError(message, hint="give the function more time or memory", operation="register run")
    return registered


def registration_result(registered: Registered) -> dict[str, Any]:
    """Return the response of the function: less than 2 KB, whatever the size of the run."""
    return {
        "run_id": registered.run_id,
        "status": registered.status,
        "database": registered.database,
        "table": registered.table,
        "view": registered.view,
        "records": registered.records,
        "deletes": registered.deletes,
        "files": registered.files,
        "bytes": registered.bytes,
    }
