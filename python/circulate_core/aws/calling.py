"""The handler of a function that calls an operation: parameters come in, what the API returns goes out."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

from circulate_core import _core
from circulate_core.accounts import account_of
from circulate_core.aws.definitions import catalog_folders
from circulate_core.aws.events import CallEvent
from circulate_core.aws.invocation import MAX_WAIT_S, Attempt, margin, seconds_left
from circulate_core.aws.log import Log
from circulate_core.aws.settings import AccountSettings
from circulate_core.catalogs import SHIPPED_CATALOG
from circulate_core.config import catalog_of_environment
from circulate_core.exceptions import DefinitionError, LimitError
from circulate_core.operations import as_json, operation_definition, split

if TYPE_CHECKING:
    from collections.abc import Callable

    from circulate_core.aws.definitions import FunctionCatalog
    from circulate_core.aws.invocation import Context
    from circulate_core.results import Snapshot
    from circulate_core.types import SourceDefinition

MAX_RESULT = 256 * 1024
"""Bytes of UTF-8 that a state of Step Functions may have for its input or output.
https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html"""


def caller(operation: str, *, catalog: FunctionCatalog = ()) -> Callable[[object, Context], dict[str, Any]]:
    """Make the handler of a function that calls an operation which reads.

    Settings come from the environment, those of the source and its secret as for the command line; see
    `python/docs/lambda.md`. Nothing is stored, so that neither a bucket nor a table is needed.

    Args:
        operation: `source.endpoint.operation`, such as `okta.users.get`.
        catalog: Folder of your own definitions, or several, as for `puller`.

    Raises:
        DefinitionError: There is no such operation, or it changes something.

    Returns:
        A handler. It returns `operation`, `account` and what the API `returned`, at most 256 KB in all, and raises the
        error of a call that failed; the error's class, such as `RefusedError`, is what `Retry` and `Catch` of a state
        machine match.
    """
    code = sys._getframe(1).f_code.co_filename  # noqa: SLF001 - the code that calls us
    # Never what a config file names: on AWS there is none.
    folders = catalog_folders(catalog or catalog_of_environment(os.environ), code) or [SHIPPED_CATALOG]
    definition, called = operation_definition(operation, catalog=folders)
    if called["kind"] != "investigate":
        message = f"`{operation}` changes something, and functions call what reads: it is there to {called['kind']}"
        raise DefinitionError(
            message, hint=f"plan and apply it: `circulate call {operation}`, or `circulate_core.plan`"
        )
    source = definition["source"]
    stream = split(operation)[0]

    def handle(event: object, context: Context) -> dict[str, Any]:
        log = Log(request_id=context.aws_request_id, function=context.function_name, stream=stream, operation=operation)
        # Metrics of its stream are of what was pulled.
        attempt = Attempt("call", log, measured=False)
        response, size = attempt.made(lambda: _call(operation, source, folders, event, context, attempt))
        log.about(account=response["account"])
        attempt.ended("complete", {"bytes": size}, requests=attempt.requests)
        return response

    return handle


def _call(  # noqa: PLR0913, PLR0917 - each is a different thing, given once
    operation: str,
    source: SourceDefinition,
    catalog: list[str],
    given: object,
    context: Context,
    attempt: Attempt,
) -> tuple[dict[str, Any], int]:
    """Return the response, and its bytes."""
    settings = AccountSettings.read(source, os.environ)
    event = CallEvent.read(given)
    account = settings.account(event.account)
    attempt.log.about(account=account.name)
    left = seconds_left(context)
    attempt.began(seconds_left=round(left, 1))
    known = account_of(
        None,
        account.settings,
        catalog=catalog,
        secret=account.secret,
        account=account.name,
        headroom=settings.headroom,
    )
    limits = {"deadline": left - margin(left), "max_wait": MAX_WAIT_S}

    def counted(snapshot: Snapshot) -> None:
        attempt.did = snapshot

    name, returned = _core.call(operation, as_json(event.parameters), known, limits, counted)
    response = {"operation": operation, "account": name, "returned": returned}
    return response, _size(response)


def _size(response: dict[str, Any]) -> int:
    """Return the bytes of a response as the runtime client writes it.

    Raises:
        LimitError: A state machine could not take it.
    """
    size = len(json.dumps(response, ensure_ascii=False).encode(errors="surrogatepass"))
    if size > MAX_RESULT:
        message = f"{response['operation']} returned {size:,} bytes; a state of Step Functions takes {MAX_RESULT:,}"
        hint = "call it for less, or pull a stream of it and read that: nothing is cut off here"
        raise LimitError(message, operation="return result", hint=hint)
    return size
