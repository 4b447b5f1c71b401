"""What calls of operations come to as JSON documents: the same from functions on AWS and from playbooks run here.

Each function does what one form of a function's event asks for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from circulate_core import _core
from circulate_core.accounts import account_of
from circulate_core.changing import apply, ledger, plan, rows_of, undo
from circulate_core.exceptions import PlanError
from circulate_core.operations import as_json, operation_definition

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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
        As for a plan. `plan` is None if there is nothing to undo: nothing of it had an effect, `no_undo` says why
        nothing undoes it, or `undone_by` names the call that did.

    Raises:
        PlanError: It is not known what the plan did, or its object has been changed since.
    """
    rows = rows_of(name, **known)
    _require_clear(rows)
    operation = name.partition("@")[0]
    nothing = {"operation": operation, "account": rows[0]["account"] if rows else None, "plan": None}
    done = [row["id"] for row in rows if row["had_effect"]]
    if not done:
        return nothing
    way = operation_definition(operation, catalog=known.get("catalog") or ())[1].get("undo", {})
    if "none" in way:
        return {**nothing, "no_undo": way["none"]}
    if undone_by := _undone_by(operation.partition(".")[0], set(done), known):
        return {**nothing, "undone_by": undone_by}
    return document_of_plan(undo(name, **known))


def _require_clear(rows: Iterable[Mapping[str, Any]]) -> None:
    """Refuse rows of which it is not known what they did.

    Raises:
        PlanError: There is one.
    """
    if unclear := next((row for row in rows if row["status"] not in DONE), None):
        message = f"{unclear['id']} is {unclear['status']}: what it did is not known"
        plan = unclear["id"].partition("#")[0]
        hint = f"look at the object, and at `circulate ledger`; `circulate apply {plan}` resumes a call"
        raise PlanError(message, operation="undo plan", hint=hint)


def _undone_by(source: str, calls: set[str], known: Mapping[str, Any]) -> str | None:
    """Return the call that undid one of these and was not undone itself; None if there is none.

    Raises:
        PlanError: It is not known whether there is one.
    """
    named = {name: value for name, value in known.items() if name not in {"headroom", "requester"}}
    undoing = [entry.to_dict() for entry in ledger(source, limit=_RECENT, **named) if entry.undoes in calls]
    _require_clear(undoing)
    for entry in undoing:
        if entry["had_effect"] and not _undone_by(source, {entry["id"]}, known):
            return str(entry["id"])
    return None


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
