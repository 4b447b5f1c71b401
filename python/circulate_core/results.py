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
    "no_next",
    "hook",
    "flag",
    "total",
    "empty_page",
    "short_page",
    "single",
    "status",
    "durable",
    "unchanged",
    "caught_up",
    "behind",
    "confirmed",
    "assumed",
    "gone",
    "unavailable",
]
"""How a list ended; `python/docs/concepts.md` says what each means."""


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class Window(Result):
    """The period that a run requests.

    Attributes:
        since: Inclusive lower bound; None requests everything.
        until: Exclusive upper bound; None requests up to now.
    """

    since: datetime | None
    until: datetime | None


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class Totals(Result):
    """Sums over a run.

    Attributes:
        pages: Pages read.
        records: Records in committed objects.
        objects: Objects written.
        bytes: Their size as stored.
        body_bytes: Their size before compression.
    """

    pages: int
    records: int
    objects: int
    bytes: int
    body_bytes: int


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class Traffic(Result):
    """HTTP traffic.

    Attributes:
        requests: Requests sent, retries included.
        retries: Retries.
        throttled: 429 responses.
        seconds_waited: Seconds spent waiting for the quota or before a retry.
        bytes_received: Bytes of pages, after decompression.
    """

    requests: int
    retries: int
    throttled: int
    seconds_waited: float
    bytes_received: int


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class PartitionCounts(Result):
    """How many partitions were pulled (such as the users of one application), by what came of it.

    Attributes:
        complete: All of their records are there.
        gone: Their parents are gone (404): the records no longer exist.
        refused: Refused (403): their records are missing.
        unavailable: The account lacks the feature.
        contradicted: Their lists go on after what was read of them.
    """

    complete: int
    gone: int
    refused: int
    unavailable: int = 0
    contradicted: int = 0


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class Drift(Result):
    """Drift in one place: values that differ from a table's columns.

    Attributes:
        path: JSON Pointer of the member; `*` stands for the elements of a list.
        kind: Kind of drift: `type`, `new member`, `number out of range`, ...
        count: How often.
        example: The beginning of one of the values.
        expected: The column's type, if that is what differs.
        found: The values' type.
    """

    path: str
    kind: str
    count: int
    example: str
    expected: str | None = None
    found: str | None = None


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class Drifted(Result):
    """Summary of drift; the manifest has all of it.

    Attributes:
        values: How many values had no place in the columns of tables, or brought new ones.
        places: Where most of them are, up to 10 places.
    """

    values: int  # type: ignore[assignment] # which a dict of 0.1 had as a method
    places: tuple[Drift, ...]


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class NamedEnd(Result):
    """How one list ended.

    Attributes:
        list: The stream, or the partition of it.
        page: Its last page, the first one being 1.
        end: How it ended.
        contradicted: Evidence that the list goes on: it is not complete.
        moved: How it was seen that the list changed while it was read by numbers: what is not in it may be there.
    """

    list: str
    page: int
    end: EndKind
    contradicted: str | None = None
    moved: str | None = None


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class Ends(Result):
    """How the lists of a run ended.

    Attributes:
        counts: How many lists ended so.
        contradicted: How many of these are contradicted.
        lists: 100 of them, as they ended, contradicted ones before others.
    """

    counts: dict[EndKind, int] = field(hash=False)
    contradicted: int
    lists: tuple[NamedEnd, ...]


_NO_ENDS = Ends({"counts": {}, "contradicted": 0, "lists": []})


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class Holder(AsPair, Result):
    """Who keeps a stream busy.

    Attributes:
        worker: The worker; None if a run is pending.
        until: Until when, unless the lease is renewed.
    """

    worker: str | None
    until: datetime


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class Attempt(Totals):
    """What one attempt at a run did, up to its last checkpoint; earlier attempts are not included.

    Attributes:
        requests: Requests sent, retries included.
        retries: Retries.
        throttled: 429 responses.
        seconds_waited: Seconds spent waiting for the quota or before a retry.
        bytes_received: Bytes of pages, after decompression.
    """

    requests: int
    retries: int
    throttled: int
    seconds_waited: float
    bytes_received: int


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class Withheld(Result):
    """Records that were not there and are not deleted.

    Attributes:
        count: How many.
        reason: Why.
    """

    count: int
    reason: str


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class Deletes(Result):
    """Records that a run shows to be no longer there.

    Attributes:
        count: How many are deleted: readers of the lake no longer see them.
        withheld: How many are not, and why; None if all are.
    """

    count: int
    withheld: Withheld | None = None


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class Report(Totals):
    """Report of a pull: what it did. Totals and traffic are of the whole run, earlier attempts included.

    Attributes:
        run_id: The run; of a busy stream the one that is going on.
        status: How it ended.
        stream: `source.endpoint`.
        account: The account's name.
        destination: Where the objects are.
        mode: What was requested.
        window: The requested period.
        resumed: Whether the run was started by an earlier attempt.
        manifest: Key of the manifest's index, below the destination, of a complete run or of the pending one that keeps
            a stream busy; else None.
        requests: Requests sent, retries included.
        retries: Retries.
        throttled: 429 responses.
        seconds_waited: Seconds spent waiting for the quota or before a retry.
        bytes_received: Bytes of pages, after decompression.
        repeats: Records left out because an earlier run delivered the same bytes.
        unavailable: What the API said to an account that lacks the feature; then there are no records to have.
        partitions: How many partitions were pulled, of a stream that is pulled in partitions.
        gaps: What is missing: refused by the API, no longer kept by it, or after the page where a list seemed to end.
            Up to 1,000.
        records_without_time: Records whose cursor field is missing or not a time; they are delivered all the same.
        next_since: Where the next incremental run begins.
        continuation: The run to resume, if it stopped before its end and what it read is kept.
        resume_after: When resuming is of use, not before.
        stopped_by: Why it ended early: `deadline`, `interrupted` or `wait`, followed by what led to it: `deadline,
            while retrying:` and the error, or `wait:` and what for.
        held_by: Who keeps a busy stream.
        ends: How the lists ended; nothing of a run before version 0.2.
        warnings: Warnings about what was read, in sentences.
        behind: Of a polling stream that a deadline ended: how old its newest record was, in seconds.
        drift: What had no place in the columns of tables, or came to be one; None if objects are not tables.
        attempt: What this attempt did of a resumed run; None if it did all of it, or in a report of an older version.
        unchanged: Records left out because they are older than what an earlier run read, where the API does not select
            by time.
        deletes: Records that are no longer there; None if the run does not show that.
        records_without_key: Records without a value for a member of the primary key; they are never merged nor deleted.
    """

    _earlier_names: ClassVar[Mapping[str, str]] = {"gaps": "holes"}

    run_id: str | None
    status: Status
    stream: str
    account: str
    destination: str
    mode: Mode
    window: Window
    resumed: bool
    manifest: str | None
    requests: int
    retries: int
    throttled: int
    seconds_waited: float
    bytes_received: int
    repeats: int
    unavailable: str | None
    partitions: PartitionCounts | None
    gaps: tuple[str, ...]
    records_without_time: int
    next_since: datetime | None
    continuation: str | None
    resume_after: datetime | None
    stopped_by: str | None
    held_by: Holder | None
    ends: Ends = _NO_ENDS
    warnings: tuple[str, ...] = ()
    behind: int | None = None
    drift: Drifted | None = None
    attempt: Attempt | None = None
    unchanged: int = 0
    deletes: Deletes | None = None
    records_without_key: int = 0


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class Quota(Result):
    """The quota as the API reported it.

    Attributes:
        remaining: Requests left in the window.
        limit: Requests allowed in the window.
    """

    remaining: int
    limit: int


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class Wait(AsPair, Result):
    """What a pull waits for.

    Attributes:
        reason: What for.
        seconds: For how many more seconds.
    """

    reason: str
    seconds: float


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class Completion(Result):
    """How much of a run is done: n of N. Earlier attempts at the run are included.

    Attributes:
        unit: What is counted, in the plural: the parents of a child stream by the name of their stream, such as
            `groups`; `partitions`, `windows`, `parts` of a job, `records`, `objects`; `seconds` of a period that is
            read in order.
        done: How many are done.
        total: How many there are; None while they are being listed.
        estimated: Whether the total is an estimate: the API declares it, or the last run that took everything had so
            many. It is given up once more is done.
    """

    unit: str
    done: int
    total: int | None
    estimated: bool


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class Snapshot(Traffic):
    """Progress of the current attempt at a pull or promotion.

    Attributes:
        run_id: The run, once it is open.
        pages: Pages read.
        records: Records of the stream that were read, or copied.
        objects: Objects written.
        bytes_stored: Their size as stored.
        quota: The quota as last reported.
        waiting: What the pull waits for.
        notes: Messages for people since the last snapshot.
        parents: Parents listed, of a child stream.
        completion: How much of the run is done; None if nobody knows how much there is.
    """

    run_id: str | None
    pages: int
    records: int
    objects: int
    bytes_stored: int
    quota: Quota | None
    waiting: Wait | None
    notes: tuple[str, ...]
    parents: int = 0
    completion: Completion | None = None


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class CheckedList(Result):
    """What the first page of a stream's list shows.

    Attributes:
        stream: `source.endpoint`.
        records: Records on it; None for a child stream without a parent record, and where a job makes the list.
        end: How the list ends there; None if it leads to a next page.
        contradicted: Evidence that the list goes on: a pull of it would not be complete.
    """

    stream: str
    records: int | None
    end: EndKind | None = None
    contradicted: str | None = None


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class Checked(Result):
    """Result of a check of a source.

    Attributes:
        account: The account that was checked.
        seconds: Seconds until the response.
        oauth: Whether it signed in by OAuth.
        scopes: OAuth scopes that the streams need; an access token was got for them if it signed in so.
        requested: Whether a request was sent to the API itself. None is, if it would take a scope that the streams do
            not need.
        quota: The quota that the API reported.
        headroom: Share of the quota that is left to others.
        server_date: The server's time.
        lists: What the first pages of the streams show.
    """

    _earlier_names: ClassVar[Mapping[str, str]] = {"requested": "asked"}

    account: str
    seconds: float
    oauth: bool
    scopes: tuple[str, ...] | None
    requested: bool
    quota: Quota | None
    headroom: float | None
    server_date: datetime | None
    lists: tuple[CheckedList, ...]


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class Token(Result):
    """An access token in a file.

    Attributes:
        profile: Name of its credentials.
        instance: Who wrote it.
        access_token: The token.
        token_type: `Bearer`, `DPoP`, or `Session` for that of a login.
        scope: What it is for, separated by spaces.
        obtained_at: When it was requested, by the wall clock.
        expires_at: When it expires, by the wall clock.
        dpop_jwk: The private key that a `DPoP` token is bound to.
    """

    _secret: ClassVar[frozenset[str]] = frozenset({"access_token", "dpop_jwk"})

    profile: str
    instance: str
    access_token: str
    token_type: str
    scope: str
    obtained_at: datetime
    expires_at: datetime
    dpop_jwk: dict[str, Any] | None = field(default=None, hash=False)


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class Verified(Totals):
    """Result of reading a manifest and its objects back.

    Attributes:
        run_id: The run.
        stream: `source.endpoint`.
        account: The account's name.
        problems: What is wrong, a sentence each; empty if all is well.
    """

    run_id: str
    stream: str
    account: str
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class Promoted(Result):
    """Report of a promotion: what it did.

    Attributes:
        run_id: The run.
        status: Whether all of it is in the target, or the next promotion is to resume it.
        stream: `source.endpoint`.
        account: The account's name.
        manifest: Key of the run's index in the target; it is there if the promotion is complete.
        destination: The target.
        objects: Objects of the run that are known to be in the target.
        records: Records in them.
        bytes: Their size as stored.
        copied: Objects that this promotion copied.
        skipped: Objects that it found there.
        continuation: The run to resume, of a partial promotion.
        stopped_by: Why it ended early: `deadline` or `interrupted`.
    """

    run_id: str
    status: Literal["complete", "partial"]
    stream: str
    account: str
    manifest: str
    destination: str
    objects: int
    records: int
    bytes: int
    copied: int
    skipped: int
    continuation: str | None
    stopped_by: str | None


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class Registered(Result):
    """Report of a registration: what it did.

    Attributes:
        run_id: The run.
        status: Whether the run is in its table, or the next registration starts over.
        stream: `source.endpoint`.
        account: The account's name.
        database: The database of table and view.
        table: The table with all versions.
        view: The view of what is current.
        location: Where the files of the run lie, of one that is in its table.
        records: Its records.
        deletes: Records that it says are deleted.
        without_key: Records without a value for each member of their key: no later version replaces them.
        files: Its files.
        bytes: Their size.
        found: Whether it was in its table before.
        stopped_by: Why it ended early: `deadline` or `interrupted`.
    """

    run_id: str
    status: Literal["complete", "partial"]
    stream: str
    account: str
    database: str
    table: str
    view: str
    location: str | None
    records: int
    deletes: int
    without_key: int
    files: int
    bytes: int
    found: bool
    stopped_by: str | None


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class Ledger(Result):
    """Sums of a run over all its attempts.

    Attributes:
        attempts: Times it was started or resumed.
        totals: What it wrote.
        traffic: HTTP traffic.
        stopped_by: Why the last attempt ended early.
        code_version: The version of the code that last worked on it.
        deletes: Records that it shows to be no longer there; None if it does not show that.
    """

    attempts: int
    totals: Totals
    traffic: Traffic
    stopped_by: str | None
    code_version: str
    deletes: Deletes | None = None


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class Run(Result):
    """An entry of the run ledger.

    Attributes:
        stream: `source.endpoint`.
        account: The account's name.
        run_id: The run.
        status: Its status.
        started_at: When it was opened.
        ended_at: When its last attempt ended.
        mode: What it requests.
        window: The requested period.
        destination: Where its objects go.
        manifest: Key of its index, once there is one.
        ledger: What it did.
        pending_until: Until when a pending run waits to be committed or abandoned.
        replaces: The run that it replaces, because the API no longer knew the page where that one stood.
        idempotency_key: Idempotency key that it was started with.
    """

    stream: str
    account: str
    run_id: str
    status: RunStatus
    started_at: datetime
    ended_at: datetime | None
    mode: Mode
    window: Window
    destination: str
    manifest: str | None
    ledger: Ledger
    pending_until: datetime | None = None
    replaces: str | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class Cursor(Result):
    """A cursor: where a run begins.

    Attributes:
        since: Its lower bound.
        dedup_key: Key of the set of records after that bound that were delivered already.
        spec_hash: The definition of the run that set it.
    """

    since: datetime
    dedup_key: str | None
    spec_hash: str


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class StreamState(Result):
    """The state of one stream.

    Attributes:
        stream: `source.endpoint`.
        account: The account's name.
        address: Where the account was when it was pulled; another address is refused under its name.
        destination: Where its objects go.
        cursor: Where the next run begins.
        last_attempt: The newest run, whatever came of it.
        last_complete: The newest run that counts.
        open_run: The run that has begun and not ended, or that is pending.
        worker: Who works on the open run, or did last.
        held_until: Until when nobody else may; None if the run is free.
    """

    stream: str
    account: str
    address: str | None
    destination: str | None
    cursor: Cursor | None
    last_attempt: Run | None
    last_complete: Run | None
    open_run: Run | None
    worker: str | None
    held_until: datetime | None


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class Collected(Result):
    """Result of a clean-up.

    Attributes:
        kept: Objects that stay.
        young: Garbage that is too young to be removed.
        removed: Garbage that was removed, or would be.
        removed_bytes: Its size.
        removed_keys: Its keys.
    """

    kept: int
    young: int
    removed: int
    removed_bytes: int
    removed_keys: tuple[str, ...]


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class ObjectEntry(Result):
    """An object of a run.

    Attributes:
        key: Its key, below the lake.
        records: Records in it.
        bytes: Its size as stored.
        sha256: SHA-256 of the stored bytes, in hex.
        body_bytes: Its size before compression.
        body_sha256: SHA-256 of its bytes before compression, in hex.
    """

    key: str
    records: int
    bytes: int
    sha256: str
    body_bytes: int
    body_sha256: str


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class PartReference(Result):
    """A part of a manifest, by key and content.

    Attributes:
        key: Its key, below the lake.
        sha256: SHA-256 of the part, in hex.
        objects: Objects it lists.
        records: Records in these objects.
    """

    key: str
    sha256: str
    objects: int
    records: int


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class Uncounted(Result):
    """A run of a lake that does not count, so that nothing of it is read.

    Attributes:
        account: The account's name.
        run_id: The run.
        why: Why it does not count.
    """

    account: str
    run_id: str
    why: str


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class LakeStream(Result):
    """A table of a lake, by its manifests.

    Attributes:
        stream: `source.endpoint`, the name of the table.
        accounts: Names of the accounts that it is of.
        kind: `entity`: the newest version of a record counts; `event`: all of them do.
        primary_key: JSON Pointers of the members that identify a record; none if only all that it holds does.
        runs: Committed runs.
        records: Records in all of them, older versions included.
        bytes: Their size as stored.
        first_committed_at: When the first of the runs was committed.
        last_committed_at: When the last one was.
        uncounted: Runs with a manifest that do not count.
    """

    stream: str
    accounts: tuple[str, ...]
    kind: Literal["entity", "event"] | None
    primary_key: tuple[str, ...]
    runs: int
    records: int
    bytes: int
    first_committed_at: datetime | None
    last_committed_at: datetime | None
    uncounted: tuple[Uncounted, ...] = ()


class LakeStreams(list[LakeStream]):
    """Tables of a lake."""

    def _repr_html_(self) -> str:
        """Show them in a notebook."""
        return display.html(self)


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class LakeReport(Result):
    """What reading a table of a lake did, and what is to be known about it.

    Attributes:
        rows: Rows that were handed over.
        runs: Committed runs that the table is of.
        accounts: Names of the accounts that these are of.
        first_committed_at: When the first of them was committed.
        last_committed_at: When the last one was.
        objects_read: Objects whose rows were read.
        objects_skipped: Objects that hold no row of the table, or none of the time that is wanted.
        without_key: Records without a value for a member of their key: they are never merged with others.
        spilled_bytes: Bytes of keys that did not fit into memory and were in a temporary file.
        uncounted: Runs with a manifest that do not count.
        history_starts_at: The table has rows since this time only: what was before is not there any more.
    """

    rows: int
    runs: int
    accounts: tuple[str, ...]
    first_committed_at: datetime | None
    last_committed_at: datetime | None
    objects_read: int
    objects_skipped: int
    without_key: int
    spilled_bytes: int
    uncounted: tuple[Uncounted, ...] = ()
    history_starts_at: datetime | None = None


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
