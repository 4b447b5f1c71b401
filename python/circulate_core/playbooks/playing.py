"""Running a playbook, and undoing what a run did: step by step, each recorded before anything of it is sent.

A step asks by the events that the functions of operations take on AWS, and gets the documents that these return. So it
means the same here and in a state machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from circulate_core.exceptions import BusyError, CirculateError, StateError, StoppedError
from circulate_core.operations import operation_definition
from circulate_core.playbooks.kept import SCHEMA
from circulate_core.playbooks.templates import NoValueError, filled, member, steps_used, tokens_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from circulate_core.playbooks.definition import StepDefinition, Written
    from circulate_core.types import Catalog


class Save(Protocol):
    """Keeps the document of a run."""

    def __call__(self) -> None:
        """Keep it as it is now."""


class Handler(Protocol):
    """Does what the function of an operation does."""

    def __call__(self, operation: str, event: dict[str, Any]) -> dict[str, Any]:
        """Return what it returns for an event."""

    def rows(self, plan: str) -> list[dict[str, Any]]:
        """Return what the ledger has of a plan."""


def new_run(written: Written, run: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document of a run that has not begun."""
    return {
        "schema": SCHEMA,
        "run": run,
        "playbook": written.name,
        "playbook_sha256": written.sha256,
        "inputs": dict(inputs),
        "steps": [{"id": step["id"], "operation": step["operation"], "status": "not_begun"} for step in written.steps],
        "status": "running",
    }


def new_undo(run: Mapping[str, Any], catalog: Catalog) -> dict[str, Any]:
    """Return the document of an undo that has not begun: of each step that changes something, the last one first."""
    changes = [
        step
        for step in run["steps"]
        if operation_definition(step["operation"], catalog=catalog)[1]["kind"] != "investigate"
    ]
    return {
        "schema": SCHEMA,
        "run": f"{run['run']}-undo",
        "undoes": run["run"],
        "playbook": run["playbook"],
        "playbook_sha256": run["playbook_sha256"],
        "steps": [
            {"id": step["id"], "operation": step["operation"], "status": "not_begun"} for step in reversed(changes)
        ],
        "status": "running",
    }


def plan_run(written: Written, run: dict[str, Any], handle: Handler) -> None:
    """Read and plan what can be planned before anything is done. Nothing is changed."""
    run["status"] = "planned"
    may_change_more = False
    for step, record in zip(written.steps, run["steps"], strict=True):
        if not steps_used(step.get("parameters", {})) <= _results(run).keys():
            may_change_more = True
            continue
        _attempt(record, _plan_or_read, written, run, step, record, handle)
        if "error" in record and may_change_more and not written.reads(step):
            # A step before it may be what makes it possible.
            record["status"] = "not_begun"
        may_change_more = may_change_more or not written.reads(step)
        if record["status"] == "failed" and step.get("on_failure", "end") != "continue":
            run["status"] = "failed"
            return


def _plan_or_read(
    written: Written, run: dict[str, Any], step: StepDefinition, record: dict[str, Any], handle: Handler
) -> None:
    parameters = filled(step.get("parameters", {}), run["inputs"], _results(run))
    returned = handle(step["operation"], {"parameters": parameters})
    if written.reads(step):
        record["result"] = returned
        record["status"] = "complete" if _succeeded(step, returned, reads=True) else "failed"
    else:
        record |= {"status": "planned", "plan": returned["plan"], "planned": returned}


def run_steps(written: Written, run: dict[str, Any], handle: Handler, save: Save) -> None:
    """Do the steps that are not done yet, and undo them if a step says so that failed.

    Raises:
        CirculateError: It is not known yet what becomes of a step. The run can be resumed.
    """
    for step, record in zip(written.steps, run["steps"], strict=True):
        if record["status"] in {"not_begun", "planned"}:
            _attempt(record, _do, written, run, step, record, handle, save)
            save()
        if record["status"] == "failed" and step.get("on_failure", "end") != "continue":
            if step.get("on_failure") == "undo":
                run.setdefault("undo", new_undo(run, written.catalog))
                save()
                undo_steps(run["undo"], run, handle, save)
            run["status"] = "failed"
            break
    else:
        run["status"] = "partial" if any(record["status"] == "failed" for record in run["steps"]) else "complete"
    save()


def _do(  # noqa: PLR0913, PLR0917 - each is a different thing, given once
    written: Written,
    run: dict[str, Any],
    step: StepDefinition,
    record: dict[str, Any],
    handle: Handler,
    save: Save,
) -> None:
    reads = written.reads(step)
    if record["status"] == "not_begun":
        _plan_or_read(written, run, step, record, handle)
        if reads:
            return
        # What is sent is known to be of this plan, whatever happens then.
        save()
    record["result"] = _applied(step["operation"], record["plan"], handle)
    record["status"] = "complete" if _succeeded(step, record["result"], reads=False) else "failed"


def plan_undo(undo: dict[str, Any], run: Mapping[str, Any], handle: Handler) -> None:
    """Plan the undo of each step, as things are now. Nothing is changed."""
    undo["status"] = "planned"
    may_change_more = False
    for record in undo["steps"]:
        _attempt(record, _plan_undo, record, run, handle)
        if "error" in record:
            if not may_change_more:
                undo["status"] = "failed"
                return
            # A step that is undone before it may be what makes it possible.
            record["status"] = "not_begun"
        may_change_more = may_change_more or record["status"] == "planned"


def undo_steps(undo: dict[str, Any], run: Mapping[str, Any], handle: Handler, save: Save) -> None:
    """Undo steps, the last one first, up to the first of which it is not known what it did, or that can't be undone.

    Raises:
        CirculateError: It is not known yet what becomes of a step. The undo can be resumed.
    """
    undo["status"] = "running"
    for record in undo["steps"]:
        if record["status"] not in {"complete", "nothing_to_undo"}:
            record.pop("error", None)
            _attempt(record, _undo, record, run, handle, save)
            save()
        if record["status"] == "failed":
            undo["status"] = "failed"
            break
    else:
        undo["status"] = "complete"
    save()


def _plan_undo(record: dict[str, Any], run: Mapping[str, Any], handle: Handler) -> None:
    plan = next(step.get("plan") for step in run["steps"] if step["id"] == record["id"])
    if plan is None:
        return
    planned = handle(record["operation"], {"undo": plan})
    status = "planned" if planned["plan"] else "nothing_to_undo"
    record |= {"status": status, "plan": planned["plan"], "planned": planned}


def _undo(record: dict[str, Any], run: Mapping[str, Any], handle: Handler, save: Save) -> None:
    # One that failed before may have become possible. It is planned again if its plan is known to have done nothing.
    if record["status"] == "failed" and record.get("plan") and _had_no_effect(handle.rows(record["plan"])):
        record |= {"status": "not_begun", "plan": None}
        record.pop("result", None)
    if not record.get("plan"):
        _plan_undo(record, run, handle)
        if record["status"] != "planned":
            return
        # As for a step.
        save()
    record["result"] = _applied(record["planned"]["operation"], record["plan"], handle)
    record["status"] = "complete" if record["result"]["status"] == "complete" else "failed"


def _applied(operation: str, plan: str, handle: Handler) -> dict[str, Any]:
    """Apply a plan.

    Raises:
        StoppedError: It may have been sent, and nothing could find out: it has not failed.
    """
    try:
        return handle(operation, {"apply": plan})
    except CirculateError as error:
        if _is_open(error) or _is_over(plan, handle):
            raise
        message = f"it may have been sent, and what it did can't be found out: {error}"
        raise StoppedError(message, operation="apply plan", hint=error.hint) from error


def _is_over(plan: str, handle: Handler) -> bool:
    """Return whether all is known of the calls of a plan that were begun."""
    try:
        return all(row["status"] not in {"intent", "sent"} for row in handle.rows(plan))
    except CirculateError:
        return False


def _had_no_effect(rows: list[dict[str, Any]]) -> bool:
    return all(row["status"] == "failed" and not row["had_effect"] for row in rows)


def _attempt(record: dict[str, Any], act: Callable[..., None], *arguments: object) -> None:
    """Do a part of a step, and note why it failed if it did.

    Raises:
        CirculateError: It did not fail: it may go on later.
    """
    try:
        act(*arguments)
    except NoValueError as error:
        record |= {"status": "failed", "error": {"Error": "NoValueError", "Cause": str(error)}}
    except CirculateError as error:
        if _is_open(error):
            raise
        cause = f"{error}; hint: {error.hint}" if error.hint else str(error)
        record |= {"status": "failed", "error": {"Error": type(error).__name__, "Cause": cause}}


def _is_open(error: CirculateError) -> bool:
    """Return whether the same may go well later, or somebody else is at it."""
    return error.retryable or isinstance(error, (BusyError, StoppedError, StateError))


def _results(run: Mapping[str, Any]) -> dict[str, Any]:
    return {record["id"]: record["result"] for record in run["steps"] if "result" in record}


def _succeeded(step: StepDefinition, result: object, *, reads: bool) -> bool:
    """Return whether a result is as the step wants it."""
    wanted: Mapping[str, list[Any]] = step.get("success_criteria") or ({} if reads else {"/status": ["complete"]})
    return all(_is_one_of(result, pointer, values) for pointer, values in wanted.items())


def _is_one_of(result: object, pointer: str, values: list[Any]) -> bool:
    try:
        found = member(result, tokens_of(pointer))
    except KeyError:
        return False
    # To Python, true is 1.
    return any(found == value and isinstance(found, bool) == isinstance(value, bool) for value in values)
