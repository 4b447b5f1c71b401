"""Handlers: an event comes in, a stream is pulled for as long as there is time, a small result goes out."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from circulate_core.aws.definitions import catalog_folders
from circulate_core.aws.events import Event
from circulate_core.aws.invocation import MAX_WAIT_S, Attempt, margin, memory, seconds_left
from circulate_core.aws.log import Log
from circulate_core.aws.settings import Settings
from circulate_core.catalogs import SHIPPED_CATALOG, stream_definition
from circulate_core.config import catalog_of_environment
from circulate_core.pulling import pull

if TYPE_CHECKING:
    from collections.abc import Callable

    from circulate_core.aws.definitions import FunctionCatalog
    from circulate_core.aws.invocation import Context
    from circulate_core.results import Report, Withheld
    from circulate_core.types import SourceDefinition

PENDING_S = 24 * 3600.0
"""How long a pending run is kept for the pipeline to decide. Always shorter than the bucket's retention."""


def puller(stream: str, *, catalog: FunctionCatalog = ()) -> Callable[[object, Context], dict[str, Any]]:
    """Make the handler of a function that pulls a stream.

    Settings come from the environment, those of the source and its secret as for the command line; see
    `python/docs/lambda.md`. They are read when the first event comes, so that whoever invoked the function sees what
    is missing.

    Args:
        stream: `source.endpoint`, such as `okta.users`.
        catalog: Folder of your own definitions, such as `definitions`, or several. It is looked for beside the code and
            in the folders above, and `circulate package` puts what the function uses of it into its zip. Default: what
            `CIRCULATE_CATALOG` names.

    Returns:
        A handler. It returns the result of a run that is complete, partial or busy, and raises the error of one that
        failed; the error's class, such as `AuthError`, is what `Retry` and `Catch` of a state machine match.
    """
    code = sys._getframe(1).f_code.co_filename  # noqa: SLF001 - the code that calls us
    # Never what a config file names: on AWS there is none.
    folders = catalog_folders(catalog or catalog_of_environment(os.environ), code) or [SHIPPED_CATALOG]
    source = stream_definition(stream, catalog=folders)["source"]

    def handle(event: object, context: Context) -> dict[str, Any]:
        log = Log(request_id=context.aws_request_id, function=context.function_name, stream=stream)
        attempt = Attempt("pull", log, measured=True)
        report = attempt.made(lambda: _pull(stream, source, folders, event, context, attempt))
        response, gaps = result(report), report.gaps
        log.about(account=report.account, run_id=report.run_id)
        attempt.ended(
            report.status,
            response,
            stopped_by=report.stopped_by,
            gaps=len(gaps),
            holes=len(gaps),  # its name before 0.2, for queries of the log; it goes with 0.3
            ends=dict(report.ends.counts),
            contradicted=report.ends.contradicted,
            warnings=report.warnings,
            **({"withheld_because": withheld.reason} if (withheld := _withheld(report)) else {}),
        )
        return response

    return handle


def _pull(  # noqa: PLR0913, PLR0917 - each is a different thing, given once
    stream: str,
    source: SourceDefinition,
    catalog: list[str],
    given: object,
    context: Context,
    attempt: Attempt,
) -> Report:
    settings = Settings.read(source, os.environ)
    event = Event.read(given)
    account = settings.accounts.account(event.account)
    attempt.log.about(account=account.name)
    left = seconds_left(context)
    attempt.began(mode=event.mode, continuation=event.continuation, seconds_left=round(left, 1))
    return pull(
        stream,
        to=settings.to,
        state=settings.state,
        s3=settings.s3,
        settings=account.settings,
        secret=account.secret,
        account=account.name,
        headroom=settings.accounts.headroom,
        mode=event.mode,
        since=event.since,
        until=event.until,
        unattended=True,
        continuation=event.continuation,
        accept_deletes=event.accept_deletes,
        idempotency_key=context.aws_request_id,
        pending=PENDING_S if (event.commit or settings.commit) == "pending" else None,
        memory=memory(context, tables=settings.objects.get("format") in {"parquet", "arrow"}),
        deadline=left - margin(left),
        worker_ends=left,
        max_wait=MAX_WAIT_S,
        catalog=catalog,
        on_progress=attempt.progressed,
        **settings.objects,
    )


def _withheld(report: Report) -> Withheld | None:
    return report.deletes.withheld if report.deletes else None


def result(report: Report) -> dict[str, Any]:
    """Return the response of a function: less than 2 KB, whatever the size of the run."""
    manifest = report.manifest
    response: dict[str, Any] = {
        "run_id": report.run_id,
        "status": report.status,
        "mode": report.mode,
        "manifest": f"{report.destination.rstrip('/')}/{manifest}" if manifest else None,
        "objects": report.objects,
        "records": report.records,
        "bytes": report.bytes,
    }
    document = report.to_dict()
    for name in ("continuation", "resume_after", "behind"):
        if document.get(name) is not None:
            response[name] = document[name]
    if manifest and report.stopped_by and report.continuation is None and report.status != "busy":
        # A polled list is complete up to where it was read.
        response["more"] = True
    if gaps := report.gaps:
        response["missing"] = len(gaps)
    if report.warnings:
        response["warnings"] = len(report.warnings)
    if deletes := report.deletes:
        if deletes.count:
            response["deleted"] = deletes.count
        if deletes.withheld:
            response["withheld"] = deletes.withheld.count
    return response
