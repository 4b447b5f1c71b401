"""Shapes of what the functions of this package return."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal, NotRequired, Required, TypedDict

if TYPE_CHECKING:
    from datetime import date

    from circulate_core._core import Settings

Verdict = Literal["complete", "partial", "busy", "failed"]
Mode = Literal["incremental", "full", "window"]


class S3Options(TypedDict, total=False):
    """Options of a bucket; named as in the AWS command line."""

    sse: Literal["AES256", "aws:kms"]
    """How S3 encrypts objects. Default: as the bucket says."""
    sse_kms_key_id: str
    """Id or ARN of the KMS key. Default: the account's own key for S3."""
    expected_bucket_owner: str
    """The AWS account that must own the bucket; requests fail if it is another one."""


class InlineDefinition(TypedDict):
    """A source or some of its endpoints, defined in code: as their YAML files, but as mappings."""

    source: str | Mapping[str, Any]
    """What `source.yaml` would hold; or the name of a source of the catalog, to which endpoints are added."""
    endpoints: NotRequired[Mapping[str, Mapping[str, Any]]]
    """What the endpoints' files would hold, by their names."""


Catalog = Sequence[str | PathLike[str] | InlineDefinition]
"""Folders of definitions, which come before the shipped ones; one item may be definitions themselves."""


class PullOptions(TypedDict, total=False):
    """Options of a pull; `circulate_core.pull` says what each of them means and what its default is."""

    to: Required[str | PathLike[str]]
    settings: Mapping[str, str] | Settings | None
    secret: str | None
    account: str | None
    mode: Literal["incremental", "full"]
    since: str | date | None
    until: str | date | None
    parents: str | None
    restart: bool
    unattended: bool
    continuation: str | None
    idempotency_key: str | None
    request: str | None
    format: Literal["json", "ndjson", "parquet", "arrow"]
    compression: Literal["gzip", "zstd", "none"] | None
    batch_records: int | None
    batch_bytes: int | None
    nested: Literal["struct", "flatten", "json"]
    raw: bool
    contract: Literal["evolve", "rescue", "freeze"]
    max_record_bytes: int | None
    memory: int | None
    state: str | PathLike[str] | None
    deadline: float | None
    worker_ends: float | None
    max_wait: float | None
    lease: float
    pending: float | None
    s3: S3Options | None
    catalog: Catalog


class Window(TypedDict):
    """The period that a run requests."""

    since: str | None
    """Inclusive lower bound, RFC 3339; None requests everything."""
    until: str | None
    """Exclusive upper bound, RFC 3339; None requests up to now."""


class Totals(TypedDict):
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


class Traffic(TypedDict):
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


class PartitionCounts(TypedDict):
    """How many partitions were pulled (such as the users of one application), by what came of it."""

    complete: int
    """All of their records are there."""
    gone: int
    """Their parents are gone (404): the records no longer exist."""
    refused: int
    """Refused (403): their records are missing."""
    unavailable: int
    """The account lacks the feature."""
    contradicted: NotRequired[int]
    """Their lists go on after what was read of them."""


class Drift(TypedDict):
    """Drift in one place: values that differ from a table's columns."""

    path: str
    """JSON Pointer of the member; `*` stands for the elements of a list."""
    kind: str
    """Kind of drift: `type`, `new member`, `number out of range`, ..."""
    expected: NotRequired[str]
    """The column's type, if that is what differs."""
    found: NotRequired[str]
    """The values' type."""
    count: int
    """How often."""
    example: str
    """The beginning of one of the values."""


class Drifted(TypedDict):
    """Summary of drift; the manifest has all of it."""

    values: int
    """How many values had no place in the columns of tables, or brought new ones."""
    places: list[Drift]
    """Where most of them are, up to 10 places."""


EndKind = Literal[
    "no_next", "single", "empty_page", "status", "caught_up", "behind", "confirmed", "assumed", "gone", "unavailable"
]
"""How a list ended; `python/docs/concepts.md` says what each means."""


class NamedEnd(TypedDict):
    """How one list ended."""

    list: str
    """The stream, or the partition of it."""
    page: int
    """Its last page, the first one being 1."""
    end: EndKind
    """How it ended."""
    contradicted: NotRequired[str]
    """Evidence that the list goes on: it is not complete."""


class Ends(TypedDict):
    """How the lists of a run ended."""

    counts: dict[EndKind, int]
    """How many lists ended so."""
    contradicted: int
    """How many of these are contradicted."""
    lists: list[NamedEnd]
    """100 of them, as they ended, contradicted ones before others."""


class Report(Totals, Traffic):
    """Report of a pull: what it did. Totals and traffic are of the whole run, earlier attempts included."""

    run_id: str | None
    """The run; of a busy stream the one that is going on."""
    status: Verdict
    """How it ended."""
    stream: str
    """`source.endpoint`."""
    account: str
    """The account's name."""
    destination: str
    """Where the objects are."""
    mode: Mode
    """What was requested: `incremental`, `full` or `window`."""
    window: Window
    """The requested period."""
    resumed: bool
    """Whether the run was started by an earlier attempt."""
    manifest: str | None
    """Key of the manifest's index, below the destination, of a complete run or of the pending one that keeps a stream
    busy; else None."""
    repeats: int
    """Records left out because an earlier run delivered the same bytes."""
    unavailable: str | None
    """What the API said to an account that lacks the feature; then there are no records to have."""
    partitions: PartitionCounts | None
    """How many partitions were pulled, of a stream that is pulled in partitions."""
    gaps: list[str]
    """What is missing: refused by the API, no longer kept by it, or after the page where a list seemed to end. Up to
    1,000."""
    holes: NotRequired[list[str]]
    """Earlier name of `gaps`, which goes with 0.3."""
    ends: Ends
    """How the lists ended."""
    warnings: list[str]
    """Warnings about what was read, in sentences."""
    behind: int | None
    """Of a polling stream that a deadline ended: how old its newest record was, in seconds."""
    drift: Drifted | None
    """What had no place in the columns of tables, or came to be one; None if objects are not tables."""
    records_without_time: int
    """Records whose cursor field is missing or not a time; they are delivered all the same."""
    next_since: str | None
    """Where the next incremental run begins."""
    continuation: str | None
    """The run to resume, if it stopped before its end and what it read is kept."""
    resume_after: int | None
    """Epoch seconds before which resuming is of no use."""
    stopped_by: str | None
    """Why it ended early: `deadline`, `interrupted` or `wait`, followed by what led to it: `deadline, while retrying:`
    and the error, or `wait:` and what for."""
    held_by: tuple[str | None, str] | None
    """Who holds a busy stream (None, if a run is pending), and until when unless the lease is renewed."""


class Quota(TypedDict):
    """The quota as the API reported it."""

    remaining: int
    """Requests left in the window."""
    limit: int
    """Requests allowed in the window."""


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
    waiting: tuple[str, float] | None
    """What the pull waits for, and for how many more seconds."""
    notes: list[str]
    """Messages for people since the last snapshot."""


class Checked(TypedDict):
    """Result of a check of a source."""

    account: str
    """The account that was checked."""
    seconds: float
    """Seconds until the response."""
    oauth: bool
    """Whether it signed in by OAuth."""
    scopes: list[str] | None
    """OAuth scopes that the streams need; an access token was got for them if it signed in so."""
    asked: bool
    """Whether a request was sent to the API itself. None is, if it would take a scope that the streams do not need."""
    quota: Quota | None
    """The quota that the API reported."""
    headroom: float | None
    """Share of the quota that is left to others."""
    server_date: str | None
    """The server's time, RFC 3339."""
    lists: list[CheckedList]
    """What the first pages of the streams show."""


class CheckedList(TypedDict):
    """What the first page of a stream's list shows."""

    stream: str
    """`source.endpoint`."""
    records: int | None
    """Records on it; None for a child stream without a parent record."""
    end: NotRequired[EndKind]
    """How the list ends there; left out if it leads to a next page."""
    contradicted: NotRequired[str]
    """Evidence that the list goes on: a pull of it would not be complete."""


class Token(TypedDict):
    """An access token in a file. Times are epoch seconds by the wall clock."""

    schema: int
    """Version of the form."""
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
    obtained_at: int
    """When it was requested."""
    expires_at: int
    """When it expires."""
    dpop_jwk: NotRequired[dict[str, str]]
    """The private key that a `DPoP` token is bound to."""


class Verified(Totals):
    """Result of reading a manifest and its objects back."""

    run_id: str
    """The run."""
    stream: str
    """`source.endpoint`."""
    account: str
    """The account's name."""
    problems: list[str]
    """What is wrong, a sentence each; empty if all is well."""


class Promoted(TypedDict):
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


class Ledger(TypedDict):
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


class Run(TypedDict):
    """An entry of the run ledger."""

    stream: str
    """`source.endpoint`."""
    account: str
    """The account's name."""
    run_id: str
    """The run."""
    status: Literal["open", "pending", "committed", "abandoned"]
    """Its status."""
    started_at: str
    """When it was opened, RFC 3339."""
    ended_at: str | None
    """When its last attempt ended."""
    mode: Mode
    """What it requests: `incremental`, `full` or `window`."""
    window: Window
    """The requested period."""
    destination: str
    """Where its objects go."""
    manifest: str | None
    """Key of its index, once there is one."""
    pending_until: str | None
    """Until when a pending run waits to be committed or abandoned."""
    ledger: Ledger
    """What it did."""


class CursorValue(TypedDict):
    """A cursor: where a run begins."""

    since: str
    """Its lower bound, RFC 3339."""
    dedup_key: str | None
    """Key of the set of records after that bound that were delivered already."""
    spec_hash: str
    """The definition of the run that set it."""


class StreamState(TypedDict):
    """The state of one stream."""

    stream: str
    """`source.endpoint`."""
    account: str
    """The account's name."""
    address: str | None
    """Where the account was when it was pulled; another address is refused under its name."""
    destination: str | None
    """Where its objects go."""
    cursor: CursorValue | None
    """Where the next run begins."""
    last_attempt: Run | None
    """The newest run, whatever came of it (without stream and account)."""
    last_complete: Run | None
    """The newest run that counts."""
    open_run: Run | None
    """The run that has begun and not ended, or that is pending."""
    worker: str | None
    """Who works on the open run, or did last."""
    held_until: str | None
    """Until when nobody else may; None if the run is free."""


class Collected(TypedDict):
    """Result of a clean-up."""

    kept: int
    """Objects that stay."""
    young: int
    """Garbage that is too young to be removed."""
    removed: int
    """Garbage that was removed, or would be."""
    removed_bytes: int
    """Its size."""
    removed_keys: list[str]
    """Its keys."""


class ObjectEntry(TypedDict):
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


class PartReference(TypedDict):
    """A part of a manifest, by key and content."""

    key: str
    """Its key, below the lake."""
    sha256: str
    """SHA-256 of the part, in hex."""
    objects: int
    """Objects it lists."""
    records: int
    """Records in these objects."""


class ManifestPart(TypedDict):
    """A part of a manifest: some of the objects of a run."""

    run_id: str
    """The run."""
    format: str
    """Format of the objects."""
    compression: str
    """Compression of the objects."""
    objects: list[ObjectEntry]
    """The objects."""


class ManifestIndex(TypedDict):
    """The index of a manifest: a whole run."""

    run_id: str
    """The run."""
    source: str
    """Its source."""
    account: str
    """Its account."""
    endpoint: str
    """Its endpoint."""
    verdict: Literal["complete", "partial"]
    """`partial` if there are gaps."""
    mode: Mode
    """What was requested: `incremental`, `full` or `window`."""
    window: Window
    """The requested period."""
    started_at: str
    """When it was opened, RFC 3339."""
    parts: list[PartReference]
    """Its parts, in order."""
    totals: Totals
    """Sums over all parts."""
    cursors: dict[str, str]
    """Where each partition's next run begins."""
    gaps: list[str]
    """What is missing: refused by the API, no longer kept by it, or after the page where a list seemed to end."""
    holes: NotRequired[list[str]]
    """Earlier name of `gaps`, in manifests of versions before 0.2. It goes with 0.3."""
    ends: NotRequired[Ends]
    """How the lists ended; versions before 0.2 did not record it."""
    warnings: NotRequired[list[str]]
    """Warnings about what was read, in sentences."""
    behind: NotRequired[int]
    """Of a polling stream that a deadline ended: how old its newest record was, in seconds."""
    unavailable: NotRequired[str]
    """What the API said to an account that lacks the feature."""
    partitions: NotRequired[PartitionCounts]
    """How many partitions were pulled, of a stream that is pulled in partitions."""
    repeats: int
    """Records left out because an earlier run delivered the same bytes."""


class Setting(TypedDict):
    """A setting of a source."""

    env: str
    """Environment variable it is read from."""
    about: str
    """What it is."""
    secret: bool
    """Whether it must never be shown or given by flag."""
    default: NotRequired[str]
    """What it is if it is not given."""


class RateLimit(TypedDict, total=False):
    """The part of a rate limit's definition that Python uses."""

    headroom: float
    """Share of the quota that is left to others."""


class SourceDefinition(TypedDict):
    """The part of a source's definition that Python uses."""

    source: str
    """Name of the source."""
    title: str
    """Name as people write it."""
    docs: NotRequired[str]
    """Address of the vendor's documentation."""
    settings: dict[str, Setting]
    """Settings of the source, by name."""
    base_url: NotRequired[str]
    """Its address, with the names of settings in braces."""
    auth: list[str | dict[str, dict[str, str]]]
    """The ways in which requests are signed in, each a name with what it takes."""
    rate_limit: NotRequired[RateLimit]
    """How it reports its quota."""


class Parent(TypedDict):
    """The parent of a child stream, which is requested once for each of its records."""

    endpoint: str
    """Its endpoint, of the same source."""
    fields: dict[str, str]
    """Members of its records that identify the parent, by the name they have in child records."""
    incremental: NotRequired[dict[str, object]]
    """How parents whose children may have changed are found by time."""


class ListOperation(TypedDict):
    """The part of a list operation's definition that Python uses."""

    path: str
    """Path below the base URL."""
    primary_key: NotRequired[str | list[str]]
    """Members that identify a record, as JSON pointers."""
    parent: NotRequired[Parent]
    """The parent of a child stream."""
    incremental: NotRequired[dict[str, object]]
    """How new and changed records are found by time."""


class EndpointDefinition(TypedDict):
    """The part of an endpoint's definition that Python uses."""

    endpoint: str
    """Name of the endpoint."""
    about: str
    """What its records are."""
    docs: NotRequired[str]
    """Address of the vendor's documentation."""
    scopes: NotRequired[list[str] | None]
    """OAuth scopes that it needs."""
    list: ListOperation
    """The list operation."""


class Definition(TypedDict):
    """A stream's definition."""

    source: SourceDefinition
    """Its source."""
    endpoint: EndpointDefinition
    """Its endpoint."""


class TableColumn(TypedDict):
    """A column of a table as a manifest holds it."""

    name: str
    """The member's key."""
    type: str | dict[str, Any]
    """What it holds: a word, `{"struct": [columns]}` or `{"list": type}`."""
    declared: NotRequired[bool]
    """Whether the definition declares it."""
