"""Runs of playbooks: results with read-only attributes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from circulate_core.documents import Result

StepStatus = Literal["not_begun", "planned", "complete", "failed", "nothing_to_undo"]
"""What has become of a step."""
PlaybookStatus = Literal["planned", "running", "complete", "partial", "failed"]
"""What has become of a run of a playbook."""


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class StepError(Result):
    """Why a step has no result, as state machines say it.

    Attributes:
        Error: Class of the error, such as `PlanError`.
        Cause: What it says.
    """

    Error: str
    Cause: str


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class PlaybookStep(Result):
    """A step of a run.

    Attributes:
        id: What it is called in the playbook.
        operation: The operation that it calls; of an undo that which is undone.
        status: What has become of it. `planned` is one whose plan was not applied yet, or not to its end.
        plan: The plan, as `circulate ledger` and `circulate undo` know it.
        planned: What the function of the operation returns for a plan.
        result: What the function of the operation returns for a call that reads, and for a plan that was applied.
        error: Why there is no result.
    """

    id: str
    operation: str
    status: StepStatus
    plan: str | None = None
    planned: dict[str, Any] | None = field(default=None, hash=False)
    result: dict[str, Any] | None = field(default=None, hash=False)
    error: StepError | None = None


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class PlaybookRun(Result):
    """A run of a playbook, or the undo of one.

    Attributes:
        schema: Version of this document.
        run: What it is known by.
        playbook: The playbook.
        playbook_sha256: Digest of its text.
        steps: Its steps; of an undo those that change something, the last one first.
        status: What has become of it. `planned` is one that changed nothing yet; of one that is `partial`, steps failed
            after which it goes on.
        inputs: The inputs, defaults included.
        undoes: The run that it undoes, if it is an undo.
        undo: The undo that a failed step led to.
        ledger: Where its plans are, if it ran here.
        addresses: Where the accounts of its sources are, if it ran here.
    """

    schema: int
    run: str
    playbook: str
    playbook_sha256: str
    steps: tuple[PlaybookStep, ...]
    status: PlaybookStatus
    inputs: dict[str, Any] | None = field(default=None, hash=False)
    undoes: str | None = None
    undo: PlaybookRun | None = None
    ledger: str | None = None
    addresses: dict[str, str] | None = field(default=None, hash=False)
