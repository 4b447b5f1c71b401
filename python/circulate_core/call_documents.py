"""What calls of operations come to as JSON documents: the same from functions on AWS and from playbooks run here.

Each function does what one form of a function's event asks for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from circulate_core import _core
from circulate_core.accounts import account_of
from circulate_core.changing import apply, plan, rows_of, undo
from circulate_core.exceptions import PlanError
from circulate_core.operations import as_json, operation_definition

if TYPE_CHECKING:
    from collections.abc import Mapping

    from circulate_core.plans import Applied, Plan

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
    return {"operation": operation, "account": name, "returned": returned}


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
    """
    return document_of_applied(name, apply(name, **known))


def undone(name: str, **known: Any) -> dict[str, Any]:  # noqa: ANN401 - as `undo` takes it
    """Plan the undoing of a plan. Nothing is changed.

    Args:
        name: The plan.
        known: What `circulate_core.undo` takes beside.

    Returns:
        As for a plan. `plan` is None if there is nothing to undo: nothing of it had an effect, or `no_undo` says why
        nothing undoes it.

    Raises:
        PlanError: It is not known what the plan did, or its object has been changed since.
    """
    rows = rows_of(name, **known)
    if unclear := next((row for row in rows if row["status"] not in DONE), None):
        message = f"{unclear['id']} is {unclear['status']}: what it did is not known"
        hint = f"look at the object, and at `circulate ledger`; `circulate apply {short(name)}` resumes a call"
        raise PlanError(message, operation="undo plan", hint=hint)
    operation = name.partition("@")[0]
    way = operation_definition(operation, catalog=known.get("catalog") or ())[1].get("undo", {})
    if any(row["had_effect"] for row in rows) and "none" not in way:
        return document_of_plan(undo(name, **known))
    nothing = {"operation": operation, "account": rows[0]["account"] if rows else None, "plan": None}
    if any(row["had_effect"] for row in rows):
        return {**nothing, "no_undo": way["none"]}
    return nothing


def document_of_plan(made: Plan) -> dict[str, Any]:
    """Return what is reported of a plan of one call."""
    document = made.to_dict()
    (call,) = document["calls"]
    shown = {name: call.get(name) for name in ("parameters", "request", "changes")}
    reasons = {name: document[name] for name in ("undoes", "no_undo", "no_read_back") if document.get(name)}
    is_unchanged = bool(call.get("unchanged"))
    return {
        "operation": made.operation,
        "account": made.account,
        "plan": f"{made.operation}@{made.digest}",
        "kind": made.kind,
        "destructive": made.destructive,
        "needs_approval": made.destructive and not is_unchanged,
        "expires_at": document["expires_at"],
        "call": {**shown, "unchanged": is_unchanged},
        **reasons,
    }


def document_of_applied(name: str, what: Applied) -> dict[str, Any]:
    """Return what is reported of a plan that was applied; never secrets of responses."""
    rows = what.to_dict()["entries"]
    shown = ("id", "status", "note", "had_effect", "undoes")
    return {
        "operation": name.partition("@")[0],
        "account": rows[0]["account"],
        "plan": name,
        "status": what.status,
        "calls": [{key: row[key] for key in shown if row.get(key) is not None} for row in rows],
        **({"stopped_by": what.stopped_by} if what.stopped_by else {}),
    }


def short(name: str) -> str:
    """Return the name of a plan as people type it."""
    operation, _, digest = name.partition("@")
    return f"{operation}@{digest[:12]}"
