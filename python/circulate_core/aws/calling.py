"""The handler of a function that calls an operation: an event comes in, what the call resulted in goes out."""

from __future__ import annotations

import json
import math
import os
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

from circulate_core import _core
from circulate_core.accounts import account_of
from circulate_core.aws.definitions import catalog_folders
from circulate_core.aws.events import CallEvent, ChangeEvent
from circulate_core.aws.invocation import MAX_WAIT_S, Attempt, margin, seconds_left
from circulate_core.aws.log import Log
from circulate_core.aws.settings import AccountSettings, ledger_setting
from circulate_core.call_documents import (
    RECENT,
    document_of_applied,
    document_of_plan,
    document_of_returned,
    document_without_undo,
)
from circulate_core.catalogs import SHIPPED_CATALOG
from circulate_core.changing import requester_of
from circulate_core.config import catalog_of_environment
from circulate_core.exceptions import ApprovalError, LimitError
from circulate_core.operations import as_json, operation_definition, split
from circulate_core.plans import Applied, Plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from circulate_core.aws.definitions import FunctionCatalog
    from circulate_core.aws.invocation import Context
    from circulate_core.results import Snapshot
    from circulate_core.types import OperationDefinition, SourceDefinition

MAX_RESULT = 256 * 1024
"""Bytes of UTF-8 that a state of Step Functions may have for its input or output.
https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html"""
LEASE_BEYOND_S = 5
"""How long a call stays that of an invocation whose time is over: nobody takes over what may still be sent."""


def caller(operation: str, *, catalog: FunctionCatalog = ()) -> Callable[[object, Context], dict[str, Any]]:
    """Make the handler of a function that calls an operation.

    Settings come from the environment, those of the source and its secret as for the command line; see
    `python/docs/lambda.md`. One that reads stores nothing. One that changes something plans, applies a plan, or plans
    the undoing of one, as its event says; plans and the ledger are where `CIRCULATE_LEDGER` says.

    Args:
        operation: `source.endpoint.operation`, such as `okta.users.get`.
        catalog: Folder of your own definitions, or several, as for `puller`.

    Raises:
        DefinitionError: There is no such operation.

    Returns:
        A handler. What it returns is at most 256 KB. It raises the error of a call that failed; the error's class, such
        as `RefusedError`, is what `Retry` and `Catch` of a state machine match. What became of a plan is returned,
        also if that is `failed` or `unknown`.
    """
    code = sys._getframe(1).f_code.co_filename  # noqa: SLF001 - the code that calls us
    # Never what a config file names: on AWS there is none.
    folders = catalog_folders(catalog or catalog_of_environment(os.environ), code) or [SHIPPED_CATALOG]
    endpoint, definition = operation_definition(operation, catalog=folders)
    stream = split(operation)[0]
    work = _read if definition["kind"] == "investigate" else _change

    def handle(event: object, context: Context) -> dict[str, Any]:
        log = Log(request_id=context.aws_request_id, function=context.function_name, stream=stream, operation=operation)
        # Metrics of its stream are of what was pulled.
        attempt = Attempt("call", log, measured=False)
        known = (operation, definition, endpoint["source"], folders)
        response, logged = attempt.made(lambda: work(_Invocation(*known, context, attempt), event))
        log.about(account=response["account"])
        attempt.ended("complete", logged, requests=attempt.requests)
        return response

    return handle


class _Invocation:
    """One invocation: whose account, and how much time there is.

    Args:
        operation: The operation.
        definition: Its definition.
        source: Its source.
        catalog: Folders of definitions.
        context: What Lambda says of it.
        attempt: Its log.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - each is a different thing, given once
        self,
        operation: str,
        definition: OperationDefinition,
        source: SourceDefinition,
        catalog: list[str],
        context: Context,
        attempt: Attempt,
    ) -> None:
        self.operation = operation
        self.definition = definition
        self.left = seconds_left(context)
        self._settings = AccountSettings.read(source, os.environ)
        self._catalog = catalog
        self._attempt = attempt

    @property
    def deadline(self) -> float:
        """Seconds after which nothing more is begun."""
        return self.left - margin(self.left)

    def account(self, named: str | None) -> _core.Account:
        """Return the account that an event names; the work begins."""
        account = self._settings.account(named)
        self._attempt.log.about(account=account.name)
        self._attempt.began(seconds_left=round(self.left, 1))
        return account_of(
            None,
            account.settings,
            catalog=self._catalog,
            secret=account.secret,
            account=account.name,
            headroom=self._settings.headroom,
        )

    def counted(self, snapshot: Snapshot) -> None:
        """Take in what was done so far."""
        self._attempt.did = snapshot


def _read(invocation: _Invocation, event: object) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the response, and what is logged of it."""
    given = CallEvent.read(event)
    account = invocation.account(given.account)
    limits = {"deadline": invocation.deadline, "max_wait": MAX_WAIT_S}
    parameters = as_json(given.parameters)
    name, returned = _core.call(invocation.operation, parameters, account, limits, invocation.counted)
    response = document_of_returned(invocation.operation, name, returned)
    return response, {"bytes": _checked(response, "call it for less, or pull a stream of it and read that")}


def _change(invocation: _Invocation, event: object) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the response, and what is logged of it. Every event may come twice, as those of Lambda do."""
    operation = invocation.operation
    given = ChangeEvent.read(event, operation)
    ledger = ledger_setting(os.environ)
    account = invocation.account(given.account)
    options: dict[str, Any] = {
        "ledger": ledger,
        "requester": requester_of(ledger),
        "deadline": invocation.deadline,
        "lease": f"{math.ceil(invocation.left + LEASE_BEYOND_S)}s",
    }
    if given.apply:
        try:
            document = _core.apply(operation, given.apply, account, options, given.approved_by, invocation.counted)
        except ApprovalError as error:
            # What the engine proposes is for a person at a terminal.
            error.hint = f"`circulate approve {operation}@{given.apply}` approves it; name who may in `approved_by`"
            raise
        applied = Applied.from_dict(document)
        response = _fitting(document_of_applied(f"{operation}@{given.apply}", applied))
        statuses = Counter(entry.status for entry in applied.entries)
        return response, {"plan": response["plan"], "status": applied.status, "calls": dict(statuses)}
    if given.undo:
        response = _undo(invocation, given.undo, account, options)
    else:
        calls = [as_json(given.parameters)]
        document = _core.plan(operation, calls, account, options, invocation.counted)
        response = document_of_plan(Plan.from_dict(document))
    size = _checked(response, "plan it for less, or from the command line: nothing was changed")
    return response, {"plan": response["plan"], "bytes": size}


def _undo(invocation: _Invocation, digest: str, account: _core.Account, options: dict[str, Any]) -> dict[str, Any]:
    """Return the plan of the way back, or what is reported where there is nothing to undo."""
    rows = _core.plan_entries(invocation.operation, digest, account, options)
    name = f"{invocation.operation}@{digest}"

    def recent() -> list[dict[str, Any]]:
        source = invocation.operation.partition(".")[0]
        return _core.ledger_entries(source, RECENT, account, options["ledger"])

    if nothing := document_without_undo(name, rows, invocation.definition.get("undo", {}), recent):
        return nothing
    document = _core.plan_undo(invocation.operation, digest, account, options, invocation.counted)
    return document_of_plan(Plan.from_dict(document))


def _fitting(response: dict[str, Any]) -> dict[str, Any]:
    """Return what became of a plan, without the last of its calls if a state could not take all: they are made."""
    calls = response["calls"]
    left_out = 0
    while calls and _size(response) > MAX_RESULT:
        left_out += len(calls[len(calls) // 2 :])
        calls = calls[: len(calls) // 2]
        response = {**response, "calls": calls, "left_out": left_out}
    return response


def _checked(response: dict[str, Any], hint: str) -> int:
    """Return the bytes of a response as the runtime client writes it.

    Raises:
        LimitError: A state machine could not take it.
    """
    size = _size(response)
    if size > MAX_RESULT:
        message = f"{response['operation']} returned {size:,} bytes; a state of Step Functions takes {MAX_RESULT:,}"
        raise LimitError(message, operation="return result", hint=f"{hint}: nothing is cut off here")
    return size


def _size(response: dict[str, Any]) -> int:
    return len(json.dumps(response, ensure_ascii=False).encode(errors="surrogatepass"))
