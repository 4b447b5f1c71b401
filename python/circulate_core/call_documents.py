"""What calls of operations come to as JSON documents: the same from functions on AWS and from playbooks run here.

Each function does what one form of a function's event asks for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from circulate_core import _core
from circulate_core.accounts import account_of
from circulate_core.changing import apply, ledger, plan, rows_of, undo
from circulate_core.exceptions import BusyError, PlanError
from circulate_core.operations import as_json, operation_definition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from circulate_core.plans import Applied, Plan

RECENT = 1000
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
    named = {key: value for key, value in known.items() if key not in {"headroom", "requester"}}

    def recent() -> list[dict[str, Any]]:
        return [entry.to_dict() for entry in ledger(operation.partition(".")[0], limit=RECENT, **named)]

    return document_without_undo(name, rows_of(name, **known), way, recent) or document_of_plan(undo(name, **known))


def document_without_undo(
    name: str,
    rows: Sequence[Mapping[str, Any]],
    way: Mapping[str, Any],
    recent: Callable[[], Sequence[Mapping[str, Any]]],
) -> dict[str, Any] | None:
    """Return what is reported where a plan is not to be undone; None where it is.

    Args:
        name: The plan.
        rows: What the ledger has of it.
        way: What the definition of its operation says of undoing.
        recent: Returns what the ledger has of the account, the newest first.

    Raises:
        PlanError: It is not known what the plan did, or what undid it.
    """
    _require_clear(rows)
    account = rows[0]["account"] if rows else None
    nothing = {"operation": name.partition("@")[0], "account": account, "plan": None}
    done = [row["id"] for row in rows if row["had_effect"]]
    if not done:
        return nothing
    if "none" in way:
        return {**nothing, "no_undo": way["none"]}
    # Of several calls it is not recorded which of them was undone.
    undone_by = _undone_by(done[0], recent()) if len(done) == 1 else None
    return {**nothing, "undone_by": undone_by} if undone_by else None


def _require_clear(rows: Iterable[Mapping[str, Any]]) -> None:
    """Refuse rows of which it is not known what they did.

    Raises:
        PlanError: There is one.
    """
    if unclear := next((row for row in rows if row["status"] not in DONE), None):
        message = f"{unclear['id']} is {unclear['status']}: what it did is not known"
        plan_of_it = short(unclear["id"].partition("#")[0])
        hint = f"look at the object, and at `circulate ledger`; `circulate apply {plan_of_it}` resumes a call"
        raise PlanError(message, operation="undo plan", hint=hint)


def _undone_by(call: str, rows: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the call that undid another one and was not undone itself; None if there is none.

    Raises:
        PlanError: It is not known whether there is one.
    """
    undoing = [row for row in rows if row.get("undoes") == call]
    _require_clear(undoing)
    return next((row["id"] for row in undoing if row["had_effect"] and not _undone_by(row["id"], rows)), None)


def document_of_returned(operation: str, account: str, returned: object) -> dict[str, Any]:
    """Return what is reported of a call that read."""
    return {"operation": operation, "account": account, "returned": returned}


def document_of_plan(made: Plan) -> dict[str, Any]:
    """Return what is reported of a plan: not what its objects are, but what is to change of them."""
    document = made.to_dict()
    shown = ("parameters", "request", "changes")
    calls = [
        {**{key: call.get(key) for key in shown}, "unchanged": bool(call.get("unchanged"))}
        for call in document["calls"]
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
    """Return what is reported of a plan that was applied; never secrets of responses.

    Raises:
        BusyError: A call of it is not over: applied again, it goes on.
    """
    if unsettled := next((entry for entry in what.entries if entry.status in {"intent", "sent"}), None):
        message = f"{unsettled.id} is {unsettled.status}: {unsettled.note or 'it is not over'}"
        raise BusyError(message, operation="apply plan", hint="apply the plan again", retryable=True)
    shown = ("id", "status", "note", "had_effect", "undoes")
    rows = what.to_dict()["entries"]
    return {
        "operation": name.partition("@")[0],
        "account": what.account,
        "plan": f"{name.partition('@')[0]}@{what.plan}",
        "status": what.status,
        "calls": [{key: row[key] for key in shown if row.get(key) is not None} for row in rows],
        **({"stopped_by": what.stopped_by} if what.stopped_by else {}),
    }


def short(name: str) -> str:
    """Return the name of a plan as people type it."""
    operation, _, digest = name.partition("@")
    return f"{operation}@{digest[:12]}"
