"""What calls of operations come to as JSON documents: the same from functions on AWS and from playbooks run here.

Each function does what one form of a function's event asks for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from circulate_core import _core
from circulate_core.accounts import account_of
from circulate_core.changing import apply, plan, rows_of, undo
from circulate_core.exceptions import BusyError, PlanError
from circulate_core.operations import as_json, operation_definition

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from circulate_core.plans import Applied, Plan

_RECENT = 1000
"""Rows of the ledger among which one that undid another is looked for."""
DONE = ("verified", "accepted", "failed")
"""What calls come to that are known to be over, and what they did."""


def called(
    operation: str,
    parameters: Mapping[str, object],
    *,
    settings: _core.Settings,
    **known: Any,  # noqa: ANN401 - as `call` takes it
) -> dict[str, Any]:
    """Call an operation that reads.

    Args:
        operation: The operation.
        parameters: Its parameters by name.
        settings: All settings of the source.
        known: What `circulate_core.call` takes beside.
    """
    account = account_of(None, settings, **known)
    name, returned = _core.call(operation, as_json(parameters), account, {"deadline": None, "max_wait": None})
    return document_of_returned(operation, name, returned)


def planned(operation: str, parameters: Mapping[str, object], **known: Any) -> dict[str, Any]:  # noqa: ANN401 - as `plan` takes it
    """Plan one call. Nothing is changed.

    Args:
        operation: The operation.
        parameters: Its parameters by name.
        known: What `circulate_core.plan` takes beside.
    """
    return document_of_plan(plan(operation, parameters, **known))


def applied(name: str, **known: Any) -> dict[str, Any]:  # noqa: ANN401 - as `apply` takes it
    """Apply a plan, go on with it, or report what became of it.

    Args:
        name: The plan.
        known: What `circulate_core.apply` takes beside.

    Raises:
        BusyError: A call of it is not over: applied again, it goes on.
    """
    return document_of_applied(name, apply(name, **known))


def undone(name: str, **known: Any) -> dict[str, Any]:  # noqa: ANN401 - as `undo` takes it
    """Plan the undoing of a plan. Nothing is changed.

    Args:
        name: The plan.
        known: What `circulate_core.undo` takes beside.

    Returns:
        As for a plan. `plan` is None if there is nothing to undo: nothing of it had an effect, `no_undo` says why
        nothing undoes it, or `undone_by` names the call that did.

    Raises:
        PlanError: It is not known what the plan did, or its object has been changed since.
    """
    operation = name.partition("@")[0]
    way = operation_definition(operation, catalog=known.get("catalog") or ())[1].get("undo", {})
    return document_without_undo(name, rows_of(name, **known), way) or document_of_plan(undo(name, **known))


def document_without_undo(
    name: str, rows: Sequence[Mapping[str, Any]], way: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Return what is told where a plan is not to be undone; None where it is.

    Args:
        name: The plan.
        rows: What the ledger has of it.
        way: What the definition of its operation says of undoing.

    Raises:
        PlanError: It is not known what the plan did.
    """
    if unclear := next((row for row in rows if row["status"] not in DONE), None):
        message = f"{unclear['id']} is {unclear['status']}: what it did is not known"
        hint = f"look at the object, and at `circulate ledger`; `circulate apply {short(name)}` resumes a call"
        raise PlanError(message, operation="undo plan", hint=hint)
    had_effect = any(row["had_effect"] for row in rows)
    if had_effect and "none" not in way:
        return None
    account = rows[0]["account"] if rows else None
    reason = {"no_undo": way["none"]} if had_effect else {}
    return {"operation": name.partition("@")[0], "account": account, "plan": None, **reason}


def document_of_returned(operation: str, account: str, returned: object) -> dict[str, Any]:
    """Return what is told of a call that read."""
    return {"operation": operation, "account": account, "returned": returned}


def document_of_plan(made: Plan) -> dict[str, Any]:
    """Return what is told of a plan: not what its objects are, but what is to change of them."""
    document = made.to_dict()
    told = ("parameters", "request", "changes")
    calls = [
        {**{key: call.get(key) for key in told}, "unchanged": bool(call.get("unchanged"))} for call in document["calls"]
    ]
    reasons = {name: document[name] for name in ("undoes", "no_undo", "no_read_back") if document.get(name)}
    return {
        "operation": made.operation,
        "account": made.account,
        "plan": f"{made.operation}@{made.digest}",
        "kind": made.kind,
        "destructive": made.destructive,
        "needs_approval": made.destructive and not all(call["unchanged"] for call in calls),
        "expires_at": document["expires_at"],
        "calls": calls,
        **reasons,
    }


def document_of_applied(name: str, what: Applied) -> dict[str, Any]:
    """Return what is told of a plan that was applied; never secrets of responses.

    Raises:
        BusyError: A call of it is not over: applied again, it goes on.
    """
    if unsettled := next((entry for entry in what.entries if entry.status in {"intent", "sent"}), None):
        message = f"{unsettled.id} is {unsettled.status}: {unsettled.note or 'it is not over'}"
        raise BusyError(message, operation="apply plan", hint="apply the plan again", retryable=True)
    told = ("id", "status", "note", "had_effect", "undoes")
    rows = what.to_dict()["entries"]
    return {
        "operation": name.partition("@")[0],
        "account": what.account,
        "plan": f"{name.partition('@')[0]}@{what.plan}",
        "status": what.status,
        "calls": [{key: row[key] for key in told if row.get(key) is not None} for row in rows],
        **({"stopped_by": what.stopped_by} if what.stopped_by else {}),
    }


def short(name: str) -> str:
    """Return the name of a plan as people type it."""
    operation, _, digest = name.partition("@")
    return f"{operation}@{digest[:12]}"
