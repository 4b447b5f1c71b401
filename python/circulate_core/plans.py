"""Plans of operations, and what became of them: results with read-only attributes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Literal

from circulate_core.documents import Result

Kind = Literal["investigate", "contain", "correct", "restore"]
"""What an operation is for."""
CallStatus = Literal["intent", "sent", "verified", "accepted", "failed", "unknown"]
"""What has become of a call."""


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class ObjectState(Result):
    """What is recorded of an object.

    Attributes:
        present: Whether it is there.
        fields: Some of its members, by JSON Pointer.
    """

    present: bool
    fields: dict[str, Any] | None = field(default=None, hash=False)


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class FieldChange(Result):
    """A member that an operation changes.

    Attributes:
        pointer: Its JSON Pointer; empty for the object as a whole.
        before: What it was.
        after: What it is to be.
    """

    pointer: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class PlannedRequest(Result):
    """A request as it will be sent, without credentials.

    Attributes:
        method: HTTP method.
        url: URL.
        headers: Headers of the operation.
        body: Body as text.
    """

    method: str
    url: str
    headers: dict[str, str] | None = field(default=None, hash=False)
    body: str = ""


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class PlannedCall(Result):
    """One call of a plan.

    Attributes:
        parameters: The values of its parameters.
        request: The request.
        before: What its object is; None if nothing reads it.
        changes: What is to change of it.
        unchanged: It is so already, and nothing will be sent.
    """

    parameters: dict[str, Any] = field(hash=False)
    request: PlannedRequest
    before: ObjectState | None
    changes: tuple[FieldChange, ...]
    unchanged: bool = False


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class Plan(Result):
    """What is to be done, before anything is. It is known by its digest.

    Attributes:
        digest: SHA-256 of it, in hex: whoever agrees to it agrees to all that it says.
        operation: The operation, `source.endpoint.operation`.
        kind: What it is for.
        destructive: Whether a person has to agree.
        account: The account.
        address: Where the account is.
        requested_by: Who made it.
        made_at: When.
        expires_at: Until when it can be applied.
        calls: The calls.
        undoes: The call that it undoes; of several the first one.
        no_undo: Why nothing undoes it, if so.
        no_read_back: Why nothing reads its object, if so.
    """

    digest: str
    operation: str
    kind: Kind
    destructive: bool
    account: str
    address: str
    requested_by: str
    made_at: datetime
    expires_at: datetime
    calls: tuple[PlannedCall, ...]
    undoes: str | None = None
    no_undo: str | None = None
    no_read_back: str | None = None

    @property
    def name(self) -> str:
        """What commands and functions know it by."""
        return f"{self.operation}@{self.digest[:12]}"


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class RecordedResponse(Result):
    """A response, as far as it is kept.

    Attributes:
        status: HTTP status.
        body: Its body, with `***` for secrets; None if there was none, or it was too large.
    """

    status: int
    body: Any = None


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class LedgerEntry(Result):
    """A row of the ledger: one call of a plan.

    Attributes:
        id: What it is known by.
        operation: The operation.
        kind: What it is for.
        account: The account.
        plan: Digest of the plan.
        number: The number of the call in it, from 1.
        call: What was called.
        status: What has become of it.
        note: What is to be known about that.
        requested_by: Who planned it.
        approved_by: Who agreed to it, if somebody had to.
        worker: Who applied it.
        began_at: When it was begun.
        ended_at: When it was done.
        response: What the API responded, without secrets.
        after: What its object was when it was read after that.
        had_effect: Whether its request had an effect, as far as is known.
        undoes: The call that it undoes.
    """

    id: str
    operation: str
    kind: Kind
    account: str
    plan: str
    number: int
    call: PlannedCall
    status: CallStatus
    requested_by: str
    worker: str
    began_at: datetime
    had_effect: bool
    note: str | None = None
    approved_by: str | None = None
    ended_at: datetime | None = None
    response: RecordedResponse | None = None
    after: ObjectState | None = None
    undoes: str | None = None


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class Applied(Result):
    """What became of a plan.

    Attributes:
        plan: Digest of the plan.
        account: The account.
        entries: The rows of its calls, of those that were begun.
        stopped_by: Why the others were not.
        secrets: Secrets that responses held, such as one-time links, by the id of the call and their JSON Pointer. They
            are kept nowhere.
    """

    plan: str
    account: str
    entries: tuple[LedgerEntry, ...]
    stopped_by: str | None
    secrets: dict[str, Any] = field(hash=False)
    _secret: ClassVar[frozenset[str]] = frozenset({"secrets"})

    @property
    def status(self) -> Literal["complete", "partial", "failed"]:
        """Return `complete` if all calls are verified or accepted, `failed` if none is, else `partial`."""
        good = sum(entry.status in {"verified", "accepted"} for entry in self.entries)
        if good == len(self.entries) and self.stopped_by is None:
            return "complete"
        return "partial" if good else "failed"


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class Approval(Result):
    """Somebody's agreement to a plan.

    Attributes:
        plan: Digest of the plan.
        approver: Who agrees.
        approved_at: When.
        expires_at: Until when it can be used.
    """

    plan: str
    approver: str
    approved_at: datetime
    expires_at: datetime
