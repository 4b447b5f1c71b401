"""Pulls: streams are brought up to date in a folder or a bucket."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Literal, cast

from circulate_core import _core
from circulate_core.accounts import account_of
from circulate_core.catalogs import stream_definition
from circulate_core.lakes import lake_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from os import PathLike
    from typing import Unpack

    from circulate_core.lakes import Lake
    from circulate_core.results import Report, Snapshot
    from circulate_core.types import Catalog, Headroom, Length, PullOptions, S3Options, Size, Time


def pull(  # noqa: PLR0913 - every option of a pull, each with its default
    stream: str,
    *,
    to: str | PathLike[str] | Lake,
    settings: Mapping[str, str] | _core.Settings | None = None,
    profile: str | None = None,
    secret: str | None = None,
    account: str | None = None,
    headroom: Headroom | None = None,
    mode: Literal["incremental", "full"] = "incremental",
    since: Time | None = None,
    until: Time | None = None,
    parents: str | None = None,
    accept_deletes: bool = False,
    restart: bool = False,
    unattended: bool = False,
    continuation: str | None = None,
    idempotency_key: str | None = None,
    lease: Length = "60s",
    pending: Length | None = None,
    format: Literal["json", "ndjson", "parquet", "arrow"] = "json",  # noqa: A002 - the field's term
    compression: Literal["gzip", "zstd", "none"] | None = None,
    batch_records: int | None = None,
    batch_bytes: Size | None = None,
    max_record_bytes: Size | None = None,
    nested: Literal["struct", "flatten", "json"] = "struct",
    raw: bool = False,
    contract: Literal["evolve", "rescue", "freeze"] = "evolve",
    memory: Size | None = None,
    deadline: Length | None = None,
    worker_ends: Length | None = None,
    max_wait: Length | None = None,
    state: str | PathLike[str] | None = None,
    s3: S3Options | None = None,
    catalog: Catalog = (),
    on_progress: Callable[[Snapshot], object] | None = None,
    stop: _core.Stop | None = None,
    request: str | None = None,
) -> Report:
    """Bring a stream up to date in a folder or a bucket.

    AWS region, credentials and endpoints are found as every AWS tool finds them: `AWS_*` variables, then the profile,
    then the roles of containers and instances. Lengths of time are seconds, `timedelta`s or text such as `10m`; sizes
    are bytes or text such as `64MB` or `64MiB`.

    Args:
        stream: `source.endpoint`, such as `okta.users`.
        to: Folder for objects and manifests, made if need be, or `s3://bucket/prefix`; or a `Lake`, with its state.
        settings: Settings of the source by name, such as `org_url` and `api_token`. Those that are not given come from
            the environment and from `circulate.toml`, as for `source`.
        profile: Profile of the source in `circulate.toml`, `[okta.profiles.NAME]`, whose settings are taken instead of
            the environment's.
        secret: Name or ARN of a secret in AWS Secrets Manager with the settings that are not given: a JSON object such
            as `{"org_url": "https://acme.okta.com", "api_token": "00a..."}`. It is read once in a process, and again if
            the API refuses what it holds.
        account: Name of the account in keys and state. Default: the host of its address.
        headroom: Share of the API's quota to leave to others, such as `0.3`: from 0 up to, but not including, 1. It is
            taken off the quota that responses report and off rates that the definition declares. Default:
            `CIRCULATE_HEADROOM`, else `headroom` in `circulate.toml`, else as the definition says, mostly 0.5.
        mode: `incremental` (what changed since the last complete run; everything on the first) or `full`. Default:
            incremental.
        since: Inclusive lower bound: a time, a date, or a length of time such as `7d` for that long ago. Without an
            offset it is UTC. With `since` or `until` the cursor is neither used nor moved.
        until: Exclusive upper bound, as `since`.
        parents: Of a child stream: key of the manifest of a run of its parent that has just been committed to the same
            place. Children are requested for its records; the list of parents is not read again.
        accept_deletes: Delete records that are no longer there even where a brake withholds that, such as a fifth of
            all; for this run.
        restart: Start over instead of resuming an unfinished run.
        unattended: Finish an unfinished run of another mode or period first, and abandon one whose definition has
            changed. Without it such a run is an error that asks for a decision.
        continuation: Run to resume, in the mode and for the period that it was started with. If it has finished
            meanwhile, its report is returned.
        idempotency_key: Idempotency key, such as a request id. If a run with this key has finished, its report is
            returned and nothing is pulled.
        lease: Lease time: how long a run stays locked if its worker dies. Default: 60s.
        pending: Time to leave a complete run pending, for others to commit or abandon. Default: it is committed.
        format: Format of objects: `json` (an array per object) or `ndjson` (a record per line), which hold records as
            they were received; `parquet` or `arrow` (the file format of Arrow IPC), which hold tables. Default: json.
        compression: Compression of objects. Tables are compressed inside of the object, by zstd or not at all. Default:
            gzip, level 6; of tables zstd, level 3.
        batch_records: Record limit of an object. Tables are closed by their size alone. Default: 1000.
        batch_bytes: Size limit of an object before compression. Of a table it is about its stored size. Default: 3MB;
            of tables 64MB.
        max_record_bytes: Size limit of a record. Default: 16MB.
        nested: Objects and lists in tables: columns of structs and lists (`struct`), columns for each member of an
            object (`flatten`: `profile__login`), or columns of JSON text (`json`). Default: struct.
        raw: Add a column `_raw` to tables, with each record as received.
        contract: Values that have no place in a table's columns: `evolve` adds columns for new members, `rescue` does
            not. What has no place goes to the column `_rescued`. `freeze` ends the pull instead. Default: evolve.
        memory: Memory budget for pages and objects in flight. The process takes some 25 MB more, and with tables, whose
            columns are compressed one beside the other, up to 100 MB. It is at least four times `batch_bytes`; of that
            of tables an object gets half. Default: 64MB; for tables 128MB.
        deadline: Time after which the pull stops at a checkpoint, such as `10m`.
        worker_ends: Time after which this process is stopped for certain, whatever it does: its lease ends then, and
            others need not wait for it.
        max_wait: Time to wait for the API at once; a longer wait stops the pull, and the report's `resume_after` says
            when to resume. Default: it waits.
        state: State file, or `dynamodb://table`. Default: `.circulate/state.db` below a folder; needed for a bucket.
        s3: How a bucket is used: encryption, and the account that must own it.
        catalog: Folders of definitions that come before the shipped ones; or definitions, see `InlineDefinition`.
        on_progress: Called about ten times a second with what was done so far.
        stop: Lets another thread stop the pull at its next checkpoint.
        request: The earlier name of `idempotency_key`, which goes with 0.3.

    Returns:
        The report. Its `status` is `complete`, `partial` or `busy`; a failed pull raises.

    Raises:
        CirculateError: What went wrong, with a `hint` where one is known and the `report` up to there. The next pull
            goes on from the last checkpoint.
        KeyboardInterrupt: After Ctrl-C, once the run has stopped at a checkpoint.
    """
    # First of all, so that no traceback with its locals shows one.
    is_complete = isinstance(settings, _core.Settings)
    settings = _core.Settings(settings)
    source = None if is_complete else stream_definition(stream, catalog=catalog)["source"]
    options = {
        "mode": mode,
        "since": since,
        "until": until,
        "parents": parents,
        "accept_deletes": accept_deletes,
        "restart": restart,
        "unattended": unattended,
        "continuation": continuation,
        "idempotency_key": _key_of(idempotency_key, request),
        "lease": lease,
        "pending": pending,
        "format": format,
        "compression": compression,
        "batch_records": batch_records,
        "batch_bytes": batch_bytes,
        "max_record_bytes": max_record_bytes,
        "nested": nested,
        "raw": raw,
        "contract": contract,
        "memory": memory,
        "deadline": deadline,
        "worker_ends": worker_ends,
        "max_wait": max_wait,
    }
    known = account_of(
        source, settings, catalog=catalog, profile=profile, secret=secret, account=account, headroom=headroom
    )
    return _core.pull(stream, lake_of(to, state, s3), known, options, on_progress, stop)


async def pull_async(
    stream: str,
    *,
    on_progress: Callable[[Snapshot], object] | None = None,
    stop: _core.Stop | None = None,
    **options: Unpack[PullOptions],
) -> Report:
    """Bring a stream up to date, without keeping the event loop from other work.

    Args:
        stream: As for `pull`, like all options.
        on_progress: Called in the event loop about ten times a second with what was done so far.
        stop: Lets another task or thread stop the pull at its next checkpoint.
        options: See `pull`.

    Returns:
        The report.

    Raises:
        CirculateError: As for `pull`.
        asyncio.CancelledError: The task was cancelled. The run has stopped at a checkpoint by then, and the next pull
            goes on from there.
    """
    # First of all, so that no traceback with its locals shows one.
    is_complete = isinstance(options.get("settings"), _core.Settings)
    settings = _core.Settings(options.pop("settings", None))
    import asyncio  # noqa: PLC0415 - not for those who do without

    stop = stop or _core.Stop()
    loop = asyncio.get_running_loop()
    show = None if on_progress is None else lambda snapshot: loop.call_soon_threadsafe(on_progress, snapshot)
    catalog = options.pop("catalog", ())
    source = None if is_complete else stream_definition(stream, catalog=catalog)["source"]
    known = account_of(
        source,
        settings,
        catalog=catalog,
        profile=options.pop("profile", None),
        secret=options.pop("secret", None),
        account=options.pop("account", None),
        headroom=options.pop("headroom", None),
    )
    if "to" not in cast("dict[str, object]", options):
        message = "pull_async() missing 1 required keyword-only argument: 'to'"
        raise TypeError(message)
    lake = lake_of(options["to"], options.pop("state", None), options.pop("s3", None))
    others: dict[str, Any] = {name: value for name, value in options.items() if name not in {"to", "request"}}
    others["idempotency_key"] = _key_of(options.get("idempotency_key"), options.get("request"))
    pulling = asyncio.ensure_future(_core.pull_async(stream, lake, known, others, show, stop))
    try:
        return await asyncio.shield(pulling)
    except asyncio.CancelledError:
        stop.request()
        await asyncio.wait([pulling])
        if not pulling.cancelled():
            # Whatever came of it, it is the cancellation that is raised.
            pulling.exception()
        raise


def _key_of(idempotency_key: str | None, request: str | None) -> str | None:
    """Return the idempotency key, which `request` was the name of before 0.2."""
    if request is None:
        return idempotency_key
    warnings.warn("`request` is deprecated; use `idempotency_key`", DeprecationWarning, stacklevel=3)
    return request
