"""What a call of an operation results in, as functions return it and as the steps of playbooks know it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from circulate_core.plans import Applied, LedgerEntry, Plan


def read_result(operation: str, account: str, returned: object) -> dict[str, Any]:
    """Return the result of an operation that reads."""
    return {"operation": operation, "account": account, "returned": returned}


def plan_result(plan: Plan) -> dict[str, Any]:
    """Return the result of planning: without what objects are but for what is to change of them."""
    document = plan.to_dict()
    shown = ("parameters", "request", "changes", "unchanged")
    told = ("kind", "destructive", "expires_at", "undoes", "no_undo", "no_read_back")
    return {
        "operation": plan.operation,
        "account": plan.account,
        "plan": f"{plan.operation}@{plan.digest}",
        "needs_approval": plan.destructive and not all(call.unchanged for call in plan.calls),
        **{key: document[key] for key in told if document.get(key) is not None},
        "calls": [{key: call[key] for key in shown if key in call} for call in document["calls"]],
    }


def applied_result(operation: str, applied: Applied) -> dict[str, Any]:
    """Return the result of applying a plan: without secrets, and without what objects were."""
    return {
        "operation": operation,
        "account": applied.account,
        "plan": f"{operation}@{applied.plan}",
        "status": applied.status,
        "calls": [_told(entry) for entry in applied.entries],
        **({"stopped_by": applied.stopped_by} if applied.stopped_by else {}),
    }


def _told(entry: LedgerEntry) -> dict[str, Any]:
    told = {
        "id": entry.id,
        "status": entry.status,
        "note": entry.note,
        "had_effect": entry.had_effect,
        "undoes": entry.undoes,
    }
    return {key: value for key, value in told.items() if value is not None}
