"""What the functions of this package return: classes with read-only attributes.

Each has `to_dict()`, which returns what JSON can hold, and `from_dict()`, which reads that. Times are `datetime`s in
UTC, to the microsecond; lengths of time are seconds. Notebooks show results as cards and tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Literal

from circulate_core import display
from circulate_core.documents import Result
from circulate_core.earlier import AsPair

Status = Literal["complete", "partial", "busy", "failed"]
"""How a pull ended."""
RunStatus = Literal["open", "pending", "committed", "abandoned"]
"""Status of a run in the ledger."""
Mode = Literal["incremental", "full", "window"]
"""What a run requests: what changed since the last one, everything, or a period."""
EndKind = Literal[
    "no_next", "single", "empty_page", "status", "caught_up", "behind", "confirmed", "assumed", "gone", "unavailable"
]
"""How a list ended; `python/docs/concepts.md` says what each means."""


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class Window(Result):
    """The period that a run requests."""

    since: datetime | None
    """Inclusive lower bound; None requests everything."""
    until: datetime | None
    """Exclusive upper bound; None requests up to now."""


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class Totals(Result):
    """Sums over a run."""

    pages: int
    """Pages read."""
    records: int
    """Records in committed objects."""
    objects: int
    """Objects written."""
    bytes: int
    """Their size as stored."""
    body_bytes: int
    """Their size before compression."""


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class Traffic(Result):
    """HTTP traffic."""

    requests: int
    """Requests sent, retries included."""
    retries: int
    """Retries."""
    throttled: int
    """429 responses."""
    seconds_waited: float
    """Seconds spent waiting for the quota or before a retry."""
    bytes_received: int
    """Bytes of pages, after decompression."""


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class PartitionCounts(Result):
    """How many partitions were pulled (such as the users of one application), by what came of it."""

    complete: int
    """All of their records are there."""
    gone: int
    """Their parents are gone (404): the records no longer exist."""
    refused: int
    """Refused (403): their records are missing."""
    unavailable: int = 0
    """The account lacks the feature."""
    contradicted: int = 0
    """Their lists go on after what was read of them."""


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class Drift(Result):
    """Drift in one place: values that differ from a table's columns."""

    path: str
    """JSON Pointer of the member; `*` stands for the elements of a list."""
    kind: str
    """Kind of drift: `type`, `new member`, `number out of range`, ..."""
    count: int
    """How often."""
    example: str
    """The beginning of one of the values."""
    expected: str | None = None
    """The column's type, if that is what differs."""
    found: str | None = None
    """The values' type."""


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class Drifted(Result):
    """Summary of drift; the manifest has all of it."""

    values: int  # type: ignore[assignment] # which a dict of 0.1 had as a method
    """How many values had no place in the columns of tables, or brought new ones."""
    places: tuple[Drift, ...]
    """Where most of them are, up to 10 places."""


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class NamedEnd(Result):
    """How one list ended."""

    list: str
    """The stream, or the partition of it."""
    page: int
    """Its last page, the first one being 1."""
    end: EndKind
    """How it ended."""
    contradicted: str | None = None
    """Evidence that the list goes on: it is not complete."""


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class Ends(Result):
    """How the lists of a run ended."""

    counts: dict[EndKind, int] = field(hash=False)
    """How many lists ended so."""
    contradicted: int
    """How many of these are contradicted."""
    lists: tuple[NamedEnd, ...]
    """100 of them, as they ended, contradicted ones before others."""


_NO_ENDS = Ends({"counts": {}, "contradicted": 0, "lists": []})


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class Holder(AsPair, Result):
    """Who keeps a stream busy."""

    worker: str | None
    """The worker; None if a run is pending."""
    until: datetime
    """Until when, unless the lease is renewed."""


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class Report(Totals):
    """Report of a pull: what it did. Totals and traffic are of the whole run, earlier attempts included."""

    _earlier_names: ClassVar[Mapping[str, str]] = {"gaps": "holes"}

    run_id: str | None
    """The run; of a busy stream the one that is going on."""
    status: Status
    """How it ended."""
    stream: str
    """`source.endpoint`."""
    account: str
    """The account's name."""
    destination: str
    """Where the objects are."""
    mode: Mode
    """What was requested."""
    window: Window
    """The requested period."""
    resumed: bool
    """Whether the run was started by an earlier attempt."""
    manifest: str | None
    """Key of the manifest's index, below the destination, of a complete run or of the pending one that keeps a stream
    busy; else None."""
    requests: int
    """Requests sent, retries included."""
    retries: int
    """Retries."""
    throttled: int
    """429 responses."""
    seconds_waited: float
    """Seconds spent waiting for the quota or before a retry."""
    bytes_received: int
    """Bytes of pages, after decompression."""
    repeats: int
    """Records left out because an earlier run delivered the same bytes."""
    unavailable: str | None
    """What the API said to an account that lacks the feature; then there are no records to have."""
    partitions: PartitionCounts | None
    """How many partitions were pulled, of a stream that is pulled in partitions."""
    gaps: tuple[str, ...]
    """What is missing: refused by the API, no longer kept by it, or after the page where a list seemed to end. Up to
    1,000."""
    records_without_time: int
    """Records whose cursor field is missing or not a time; they are delivered all the same."""
    next_since: datetime | None
    """Where the next incremental run begins."""
    continuation: str | None
    """The run to resume, if it stopped before its end and what it read is kept."""
    resume_after: datetime | None
    """When resuming is of use, not before."""
    stopped_by: str | None
    """Why it ended early: `deadline`, `interrupted` or `wait`, followed by what led to it: `deadline, while retrying:`
    and the error, or `wait:` and what for."""
    held_by: Holder | None
    """Who keeps a busy stream."""
    ends: Ends = _NO_ENDS
    """How the lists ended; nothing of a run before version 0.2."""
    warnings: tuple[str, ...] = ()
    """Warnings about what was read, in sentences."""
    behind: int | None = None
    """Of a polling stream that a deadline ended: how old its newest record was, in seconds."""
    drift: Drifted | None = None
    """What had no place in the columns of tables, or came to be one; None if objects are not tables."""


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class Quota(Result):
    """The quota as the API reported it."""

    remaining: int
    """Requests left in the window."""
    limit: int
    """Requests allowed in the window."""


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class Wait(AsPair, Result):
    """What a pull waits for."""

    reason: str
    """What for."""
    seconds: float
    """For how many more seconds."""


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class Snapshot(Traffic):
    """Progress of the current attempt at a pull or promotion."""

    run_id: str | None
    """The run, once it is open."""
    pages: int
    """Pages read."""
    records: int
    """Records read, or copied."""
    objects: int
    """Objects written."""
    bytes_stored: int
    """Their size as stored."""
    quota: Quota | None
    """The quota as last reported."""
    waiting: Wait | None
    """What the pull waits for."""
    notes: tuple[str, ...]
    """Messages for people since the last snapshot."""


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class CheckedList(Result):
    """What the first page of a stream's list shows."""

    stream: str
    """`source.endpoint`."""
    records: int | None
    """Records on it; None for a child stream without a parent record."""
    end: EndKind | None = None
    """How the list ends there; None if it leads to a next page."""
    contradicted: str | None = None
    """Evidence that the list goes on: a pull of it would not be complete."""


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class Checked(Result):
    """Result of a check of a source."""

    _earlier_names: ClassVar[Mapping[str, str]] = {"requested": "asked"}

    account: str
    """The account that was checked."""
    seconds: float
    """Seconds until the response."""
    oauth: bool
    """Whether it signed in by OAuth."""
    scopes: tuple[str, ...] | None
    """OAuth scopes that the streams need; an access token was got for them if it signed in so."""
    requested: bool
    """Whether a request was sent to the API itself. None is, if it would take a scope that the streams do not need."""
    quota: Quota | None
    """The quota that the API reported."""
    headroom: float | None
    """Share of the quota that is left to others."""
    server_date: datetime | None
    """The server's time."""
    lists: tuple[CheckedList, ...]
    """What the first pages of the streams show."""


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class Token(Result):
    """An access token in a file."""

    _secret: ClassVar[frozenset[str]] = frozenset({"access_token", "dpop_jwk"})

    profile: str
    """Name of its credentials."""
    instance: str
    """Who wrote it."""
    access_token: str
    """The token."""
    token_type: str
    """`Bearer` or `DPoP`."""
    scope: str
    """What it is for, separated by spaces."""
    obtained_at: datetime
    """When it was requested, by the wall clock."""
    expires_at: datetime
    """When it expires, by the wall clock."""
    dpop_jwk: dict[str, Any] | None = field(default=None, hash=False)
    """The private key that a `DPoP` token is bound to."""


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class Verified(Totals):
    """Result of reading a manifest and its objects back."""

    run_id: str
    """The run."""
    stream: str
    """`source.endpoint`."""
    account: str
    """The account's name."""
    problems: tuple[str, ...]
    """What is wrong, a sentence each; empty if all is well."""


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class Promoted(Result):
    """Report of a promotion: what it did."""

    run_id: str
    """The run."""
    status: Literal["complete", "partial"]
    """Whether all of it is in the target, or the next promotion is to resume it."""
    stream: str
    """`source.endpoint`."""
    account: str
    """The account's name."""
    manifest: str
    """Key of the run's index in the target; it is there if the promotion is complete."""
    destination: str
    """The target."""
    objects: int
    """Objects of the run that are known to be in the target."""
    records: int
    """Records in them."""
    bytes: int
    """Their size as stored."""
    copied: int
    """Objects that this promotion copied."""
    skipped: int
    """Objects that it found there."""
    continuation: str | None
    """The run to resume, of a partial promotion."""
    stopped_by: str | None
    """Why it ended early: `deadline` or `interrupted`."""


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class Ledger(Result):
    """Sums of a run over all its attempts."""

    attempts: int
    """Times it was started or resumed."""
    totals: Totals
    """What it wrote."""
    traffic: Traffic
    """HTTP traffic."""
    stopped_by: str | None
    """Why the last attempt ended early."""
    code_version: str
    """The version of the code that last worked on it."""


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class Run(Result):
    """An entry of the run ledger."""

    stream: str
    """`source.endpoint`."""
    account: str
    """The account's name."""
    run_id: str
    """The run."""
    status: RunStatus
    """Its status."""
    started_at: datetime
    """When it was opened."""
    ended_at: datetime | None
    """When its last attempt ended."""
    mode: Mode
    """What it requests."""
    window: Window
    """The requested period."""
    destination: str
    """Where its objects go."""
    manifest: str | None
    """Key of its index, once there is one."""
    ledger: Ledger
    """What it did."""
    pending_until: datetime | None = None
    """Until when a pending run waits to be committed or abandoned."""
    replaces: str | None = None
    """The run that it replaces, because the API no longer knew the page where that one stood."""
    idempotency_key: str | None = None
    """Idempotency key that it was started with."""


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class Cursor(Result):
    """A cursor: where a run begins."""

    since: datetime
    """Its lower bound."""
    dedup_key: str | None
    """Key of the set of records after that bound that were delivered already."""
    spec_hash: str
    """The definition of the run that set it."""


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class StreamState(Result):
    """The state of one stream."""

    stream: str
    """`source.endpoint`."""
    account: str
    """The account's name."""
    address: str | None
    """Where the account was when it was pulled; another address is refused under its name."""
    destination: str | None
    """Where its objects go."""
    cursor: Cursor | None
    """Where the next run begins."""
    last_attempt: Run | None
    """The newest run, whatever came of it."""
    last_complete: Run | None
    """The newest run that counts."""
    open_run: Run | None
    """The run that has begun and not ended, or that is pending."""
    worker: str | None
    """Who works on the open run, or did last."""
    held_until: datetime | None
    """Until when nobody else may; None if the run is free."""


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class Collected(Result):
    """Result of a clean-up."""

    kept: int
    """Objects that stay."""
    young: int
    """Garbage that is too young to be removed."""
    removed: int
    """Garbage that was removed, or would be."""
    removed_bytes: int
    """Its size."""
    removed_keys: tuple[str, ...]
    """Its keys."""


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class ObjectEntry(Result):
    """An object of a run."""

    key: str
    """Its key, below the lake."""
    records: int
    """Records in it."""
    bytes: int
    """Its size as stored."""
    sha256: str
    """SHA-256 of the stored bytes, in hex."""
    body_bytes: int
    """Its size before compression."""
    body_sha256: str
    """SHA-256 of its bytes before compression, in hex."""


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class PartReference(Result):
    """A part of a manifest, by key and content."""

    key: str
    """Its key, below the lake."""
    sha256: str
    """SHA-256 of the part, in hex."""
    objects: int
    """Objects it lists."""
    records: int
    """Records in these objects."""


class Runs(list[Run]):
    """Entries of the run ledger."""

    def _repr_html_(self) -> str:
        """Show them in a notebook."""
        return display.html(self)


class Drifts(list[Drift]):
    """Drift, place by place."""

    def _repr_html_(self) -> str:
        """Show it in a notebook."""
        return display.html(self)
