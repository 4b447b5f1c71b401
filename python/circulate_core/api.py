"""The functions of the package: say what you want in Python, the engine does it."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

from circulate_core import _core
from circulate_core.exceptions import DefinitionError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date
    from os import PathLike
    from typing import Unpack

    from circulate_core.manifests import Manifest
    from circulate_core.results import (
        Checked,
        Collected,
        Promoted,
        Report,
        Run,
        Runs,
        Snapshot,
        StreamState,
        Token,
        Verified,
    )
    from circulate_core.types import Catalog, Definition, InlineDefinition, PullOptions, S3Options, SourceDefinition

SHIPPED_CATALOG = os.path.join(os.path.dirname(__file__), "catalog")  # noqa: PTH118, PTH120 - pathlib is slow to import

NOT_FOR_THE_ENGINE = {"on_progress", "stop", "settings", "is_complete"}
"""Arguments of `pull` that say how to look at it rather than what to do; and settings, which go a way of their own."""


def pull(  # noqa: PLR0913 - every option of a pull, each with its default
    stream: str,
    *,
    to: str | PathLike[str],
    settings: Mapping[str, str] | _core.Settings | None = None,
    secret: str | None = None,
    account: str | None = None,
    mode: Literal["incremental", "full"] = "incremental",
    since: str | date | None = None,
    until: str | date | None = None,
    parents: str | None = None,
    restart: bool = False,
    unattended: bool = False,
    continuation: str | None = None,
    idempotency_key: str | None = None,
    request: str | None = None,
    format: Literal["json", "ndjson", "parquet", "arrow"] = "json",  # noqa: A002 - the field's term
    compression: Literal["gzip", "zstd", "none"] | None = None,
    batch_records: int | None = None,
    batch_bytes: int | None = None,
    nested: Literal["struct", "flatten", "json"] = "struct",
    raw: bool = False,
    contract: Literal["evolve", "rescue", "freeze"] = "evolve",
    max_record_bytes: int | None = None,
    memory: int | None = None,
    state: str | PathLike[str] | None = None,
    deadline: float | None = None,
    worker_ends: float | None = None,
    max_wait: float | None = None,
    lease: float = 60.0,
    pending: float | None = None,
    s3: S3Options | None = None,
    catalog: Catalog = (),
    on_progress: Callable[[Snapshot], object] | None = None,
    stop: _core.Stop | None = None,
) -> Report:
    """Bring a stream up to date in a folder or a bucket.

    AWS region, credentials and endpoints are found as every AWS tool finds them: `AWS_*` variables, then the profile,
    then the roles of containers and instances.

    Args:
        stream: `source.endpoint`, such as `okta.users`.
        to: Folder for objects and manifests, made if need be, or `s3://bucket/prefix`.
        settings: Settings of the source by name, such as `org_url` and `api_token`. Those that are not given come from
            the environment and from `circulate.toml`, as for `source`.
        secret: Name or ARN of a secret in AWS Secrets Manager with the settings that are not given: a JSON object such
            as `{"org_url": "https://acme.okta.com", "api_token": "00a..."}`. It is read once in a process, and again if
            the API refuses what it holds.
        account: Name of the account in keys and state. Default: the host of its address.
        mode: `incremental` (what changed since the last complete run; everything on the first) or `full`.
        since: Inclusive lower bound; a time without offset is UTC. With `since` or `until` the cursor is neither used
            nor moved.
        until: Exclusive upper bound.
        parents: Of a child stream: key of the manifest of a run of its parent that has just been committed to the same
            place. Children are requested for its records; the list of parents is not read again.
        restart: Start over instead of resuming an unfinished run.
        unattended: Finish an unfinished run of another mode or period first, and abandon one whose definition has
            changed. Default: raise an error that asks for a decision.
        continuation: Resume this run, in the mode and for the period that it was started with. If it has finished
            meanwhile, its report is returned.
        idempotency_key: Idempotency key, such as a request id. If a run with this key has finished, its report is
            returned and nothing is pulled.
        request: The earlier name of `idempotency_key`, which goes with 0.3.
        format: `json` (an array per object) or `ndjson` (a record per line), which hold records as they were received;
            `parquet` or `arrow` (the file format of Arrow IPC), which hold tables.
        compression: `gzip` (level 6), `zstd` (level 3) or `none`. Default: gzip; of tables zstd, inside of the object.
        batch_records: Record limit of an object. Default 1,000; tables are closed by their size alone.
        batch_bytes: Size limit of an object in bytes, before compression. Default 3,000,000. Of tables, about their
            stored size, by default 64,000,000.
        nested: What objects and lists in records become in tables: columns of structs and lists (`struct`), columns for
            each member of an object (`flatten`: `profile__login`), or columns of JSON text (`json`).
        raw: Whether tables have a column `_raw` with each record as received.
        contract: What becomes of values that have no place in a table's columns. `evolve` adds columns for new members,
            `rescue` does not; what has no place goes to the column `_rescued`. `freeze` ends the pull instead.
        max_record_bytes: Size limit of a record in bytes. Default 16,000,000.
        memory: Memory budget in bytes, for pages and objects in flight. The process takes some 25 MB more, and with
            tables, whose columns are compressed one beside the other, up to 100 MB. Default 64,000,000, at least
            four times `batch_bytes`; for tables 128,000,000, of which an object gets half.
        state: State file, or `dynamodb://table`. Default `.circulate/state.db` below a folder; needed for a bucket.
        deadline: Seconds after which the pull stops at a checkpoint. Default: none.
        worker_ends: Seconds after which this process is stopped for certain, whatever it does: its lease ends then, and
            others need not wait for it. Default: not known.
        max_wait: Seconds to wait for the API at a time; a longer wait stops the pull, and the report's `resume_after`
            says when to resume. Default: wait.
        lease: Lease time in seconds: how long a run stays locked if its worker dies. Default 60.
        pending: Seconds to leave a complete run pending, for others to commit or abandon. Default: commit it.
        s3: How a bucket is used: encryption, and the account that must own it.
        catalog: Folders of definitions that come before the shipped ones; or definitions, see `InlineDefinition`.
        on_progress: Called about ten times a second with what was done so far.
        stop: Lets another thread stop the pull at its next checkpoint.

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
    options = {name: value for name, value in locals().items() if name not in NOT_FOR_THE_ENGINE}
    if not is_complete:
        settings = _gather(stream, settings, options)
    return _core.pull(request_of_pull(**options), settings, on_progress, stop)


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
    is_complete = isinstance(options.get("settings"), _core.Settings)
    settings = _core.Settings(options.pop("settings", None))
    import asyncio  # noqa: PLC0415 - not for those who do without

    stop = stop or _core.Stop()
    loop = asyncio.get_running_loop()
    show = None if on_progress is None else lambda snapshot: loop.call_soon_threadsafe(on_progress, snapshot)
    defaults = {name: value for name, value in (pull.__kwdefaults__ or {}).items() if name not in NOT_FOR_THE_ENGINE}
    given = {"stream": stream, **defaults, **options}
    if not is_complete:
        settings = _gather(stream, settings, given)
    request = request_of_pull(**given)
    pulling = asyncio.ensure_future(_core.pull_async(request, settings, show, stop))
    try:
        return await asyncio.shield(pulling)
    except asyncio.CancelledError:
        stop.request()
        await asyncio.wait([pulling])
        if not pulling.cancelled():
            # Whatever came of it, it is the cancellation that is raised.
            pulling.exception()
        raise


def _gather(stream: str, settings: _core.Settings, options: dict[str, Any]) -> _core.Settings:
    """Return the settings of a pull, and put what else is known of the account into its options."""
    from circulate_core.settings import gathered  # noqa: PLC0415 - what reads files is loaded when it is needed

    definition = stream_definition(stream, catalog=options["catalog"])
    found = gathered(definition["source"], settings, options["secret"], options["account"])
    options |= {"secret": found.secret, "account": found.account}
    return found.settings


def request_of_pull(  # noqa: PLR0913 - as the engine takes it
    *,
    stream: str,
    to: str | PathLike[str],
    secret: str | None,
    account: str | None,
    catalog: Catalog,
    state: str | PathLike[str] | None,
    mode: str,
    since: str | date | None,
    until: str | date | None,
    s3: S3Options | None,
    request: str | None,
    **others: object,
) -> str:
    """Return the options of `pull` as the engine takes them."""
    if request is not None:
        warnings.warn("`request` is deprecated; use `idempotency_key`", DeprecationWarning, stacklevel=3)
        others["idempotency_key"] = request
    destination = place(to)
    seconds = {
        f"{name}_seconds": others.pop(name) for name in ("deadline", "worker_ends", "max_wait", "lease", "pending")
    }
    options = {
        "stream": stream,
        "from": account_request(secret, account, catalog),
        "destination": destination,
        "state": state_of_lake(destination, state),
        "s3": s3 or {},
        "worker": f"process {os.getpid()} on {os.uname().nodename}",
        "mode": "window" if since or until else mode,
        "since": parse_timestamp("since", since),
        "until": parse_timestamp("until", until),
        **seconds,
        **others,
    }
    return json.dumps(options)


def place(to: str | PathLike[str]) -> str:
    """Return a place in full: the absolute path of a folder or file, or a URI as it is."""
    text = os.fspath(to)
    return text if "://" in text else os.path.abspath(text)  # noqa: PTH100 - see above


def state_of_lake(lake: str, state: str | PathLike[str] | None) -> str:
    """Return where the state of a lake is.

    Args:
        lake: Absolute path of a folder, or a URI.
        state: Where it is by the user's word.

    Raises:
        SettingsError: A bucket has no state by default.
    """
    if state is not None:
        return place(state)
    if "://" in lake:
        message = f"the state of {lake} must be named"
        hint = (
            "name it with --state: dynamodb://TABLE (`circulate state init` makes it), or a file if only this machine"
            " pulls there"
        )
        raise SettingsError(message, hint=hint)
    return os.path.join(lake, ".circulate", "state.db")  # noqa: PTH118 - see above


def check(  # noqa: PLR0913 - how to know an account, and what to check
    source: str,
    *,
    streams: Sequence[str] = (),
    settings: Mapping[str, str] | _core.Settings | None = None,
    secret: str | None = None,
    account: str | None = None,
    catalog: Catalog = (),
) -> Checked:
    """Check address and credentials of a source with one request.

    Args:
        source: Name of the source, such as `okta`.
        streams: Streams of it that are to be pulled, such as `okta.users`: an account that signs in by OAuth gets an
            access token with the scopes that they need. Default: with the scopes of the check itself.
        settings: Settings of the source by name. Those that are not given come from the environment and from
            `circulate.toml`, as for `source`.
        secret: Name or ARN of a secret in AWS Secrets Manager with the settings that are not given.
        account: Name of the account. Default: the host of its address.
        catalog: Folders of definitions that come before the shipped ones.

    Returns:
        What the check found: account, seconds, scopes, quota, server time.

    Raises:
        CirculateError: What is wrong and what to do about it.
    """
    is_complete = isinstance(settings, _core.Settings)
    settings = _core.Settings(settings)
    if not is_complete:
        from circulate_core.settings import gathered  # noqa: PLC0415 - what reads files is loaded when it is needed

        found = gathered(source_definition(source, catalog=catalog), settings, secret, account)
        settings, secret, account = found.settings, found.secret, found.account
    request = json.dumps(account_request(secret, account, catalog))
    return _core.check(source, list(streams), request, settings)


def token(profile: str = "default", *, refused: str | None = None) -> Token:
    """Return the access token that the token extension of a Lambda function keeps.

    A token that has expired, as after the function was frozen for long, is renewed, in about ten seconds at most.

    Args:
        profile: Which credentials' token, by the name that the extension is given.
        refused: The `access_token` that an API just refused: the extension gets another one.

    Returns:
        What its file holds. With a token of the type `DPoP`, every request needs a proof made with `dpop_jwk`
        (RFC 9449).

    Raises:
        AuthError: There is no valid token, or its file is not what only the extension writes.

    Example:
        ```python
        token = circulate_core.token("okta-read")
        headers = {"Authorization": f"{token.token_type} {token.access_token}"}
        ```
    """
    import hashlib  # noqa: PLC0415 - only here

    digest = hashlib.sha256(refused.encode()).hexdigest() if refused else None
    return _core.token(profile, digest)


def verify(
    manifest: str | PathLike[str], *, state: str | PathLike[str] | None = None, s3: S3Options | None = None
) -> Verified:
    """Read back every object that a manifest names, and compare digests, sizes and counts.

    Args:
        manifest: Path or `s3://` URI of a manifest's index, below the `_circulate` folder of a lake.
        state: State file or `dynamodb://table` that must agree with the manifest; a file that is not there is left out.
            Default: `.circulate/state.db` in the lake, if that is a folder.
        s3: How a bucket is used.

    Returns:
        Sums of what was read, and `problems`, which is empty if all is well.

    Raises:
        StorageError: There is no such manifest.
        SettingsError: The path is not below a `_circulate` folder.
    """
    lake, key = _lake_and_key(manifest)
    known = None if state is None and "://" in lake else state_of_lake(lake, state)
    return _core.verify(lake, key, known, json.dumps(s3 or {}))


def promote(  # noqa: PLR0913 - every option of a promotion, each with its default
    manifest: str | PathLike[str],
    *,
    to: str | PathLike[str],
    state: str | PathLike[str] | None = None,
    compact: bool = False,
    memory: int = 64_000_000,
    deadline: float | None = None,
    s3: S3Options | None = None,
    on_progress: Callable[[Snapshot], object] | None = None,
    stop: _core.Stop | None = None,
) -> Promoted:
    """Copy a committed or pending run into a place for readers, and commit a pending one.

    What the manifest names appears there and nothing else, each object whole and as it was written; the run's own
    manifest there comes last. From bucket to bucket S3 copies by itself. Done again, it changes nothing; stopped at any
    point, the next call for the same manifest resumes it.

    Args:
        manifest: Path or `s3://` URI of the manifest's index, below the `_circulate` folder of the place that the run
            was pulled to.
        to: Folder, made if need be, or `s3://bucket/prefix`.
        state: State file, or `dynamodb://table`, that the run was pulled with. Default `.circulate/state.db` in the
            place that it was pulled to, if that is a folder; needed for a bucket.
        compact: Put the objects together in NDJSON objects of 64 to 128 MB as they are stored. A promotion that was
            started is resumed as it was started.
        memory: Memory budget in bytes, for objects in flight. Compaction holds one large object, up to 128 MB, even if
            that is more. Default 64,000,000.
        deadline: Seconds after which nothing more is begun. Default: none.
        s3: How buckets are used: encryption of what is written, and the account that must own them.
        on_progress: Called about ten times a second with what was done so far.
        stop: Lets another thread stop the promotion where the next one can go on.

    Returns:
        What was done. Its `status` is `complete`, or `partial` with a `continuation`.

    Raises:
        MismatchError: An object or part is missing or not as it was written, or something else is in its place in the
            target. Nothing was overwritten.
        StateError: The run is not finished (`retryable`), was abandoned, or is not known to the state.
        StorageError: There is no such manifest, or a place could not be used.
        SettingsError: The path is not below a `_circulate` folder, or the target is the place itself.
        KeyboardInterrupt: After Ctrl-C, once what was begun has ended.
    """
    lake, key = _lake_and_key(manifest)
    request = {
        "from": lake,
        "manifest": key,
        "to": place(to),
        "state": state_of_lake(lake, state),
        "s3": s3 or {},
        "compact": compact,
        "memory": memory,
        "deadline_seconds": deadline,
    }
    return _core.promote(json.dumps(request), on_progress, stop)


def _lake_and_key(manifest: str | PathLike[str]) -> tuple[str, str]:
    """Return the place that a manifest is in, and its key there."""
    path = place(manifest)
    lake, found, key = path.rpartition("/_circulate/")
    if not found:
        message = f"{path} is not below a `_circulate` folder, where manifests are"
        hint = "a pull names the manifest of its run when it is done, and so does `circulate runs --json`"
        raise SettingsError(message, hint=hint)
    return lake, f"_circulate/{key}"


def runs(state: str | PathLike[str], *, limit: int = 20, most: int | None = None) -> Runs:
    """List the newest runs, newest first.

    Args:
        state: State file, or `dynamodb://table`.
        limit: How many runs to return at most.
        most: The earlier name of `limit`, which goes with 0.3.

    Returns:
        Entries of the run ledger.

    Raises:
        StateError: The file does not exist, or is not a state file.
    """
    if most is not None:
        warnings.warn("`most` is deprecated; use `limit`", DeprecationWarning, stacklevel=2)
        limit = most
    return _core.runs(place(state), limit)


def manifest(
    run: str | PathLike[str] | Report | Run | None = None,
    *,
    to: str | PathLike[str] | None = None,
    of: str | PathLike[str] | Report | Run | None = None,
) -> Manifest:
    """Read the manifest of a run, from a lake that is a folder.

    Only manifests are read, and checked against the digests that they hold of each other; `circulate_core.verify` reads
    the objects, too.

    Args:
        run: Path of its index, below the `_circulate` folder of the lake; or a report or an entry of `runs`, which name
            it.
        to: The lake, if it is elsewhere than a report or an entry says, or if `run` is a key below it.
        of: The earlier name of `run`, which goes with 0.3.

    Raises:
        SettingsError: It has no manifest, or the manifest is in a bucket.
        StorageError: There is no such file.
        MismatchError: A part of it is not what its index says.
        DataError: It is not a manifest, or one of a newer version.
    """
    from circulate_core import manifests  # noqa: PLC0415 - seldom needed

    if of is not None:
        warnings.warn("`of` is deprecated; use `run`", DeprecationWarning, stacklevel=2)
        run = of
    if run is None:
        message = "`run` is missing: give the path of a manifest, a report or an entry of `runs`"
        raise SettingsError(message)
    return manifests.find(run, to=to)


def gc(
    to: str | PathLike[str],
    *,
    older_than: float = 7 * 86_400.0,
    dry_run: bool = False,
    state: str | PathLike[str] | None = None,
    s3: S3Options | None = None,
) -> Collected:
    """Remove objects that no manifest names: leftovers of workers that died, and all of runs that were given up.

    Args:
        to: Folder or `s3://bucket/prefix` that was pulled to. Only streams are touched that the state knows at this
            place.
        older_than: Seconds since it was written. Default 7 days.
        dry_run: Only report what would be removed.
        state: State file, or `dynamodb://table`. Default `.circulate/state.db` below a folder; needed for a bucket.
        s3: How a bucket is used.

    Returns:
        What stays, what is too young, and what was removed.

    Raises:
        CirculateError: The folder or its state could not be used.
    """
    lake = place(to)
    known = state_of_lake(lake, state)
    return _core.gc(lake, known, older_than, dry_run, json.dumps(s3 or {}))


def state(state: str | PathLike[str]) -> list[StreamState]:
    """Return the state of all streams that a state knows.

    Args:
        state: State file, or `dynamodb://table`.

    Raises:
        StateError: The file does not exist, or is not a state file.
    """
    return _core.state_show(place(state))


def streams(*, catalog: Catalog = ()) -> list[Definition]:
    """List the definitions of all streams.

    Args:
        catalog: Folders of definitions that come before the shipped ones.

    Returns:
        Definitions, sorted by stream name.

    Raises:
        DefinitionError: A definition is wrong.
    """
    return [stream_definition(name, catalog=catalog) for name in stream_names(catalog=catalog)]


def stream_names(*, catalog: Catalog = ()) -> list[str]:
    """Return the names of all streams, sorted; see `streams`."""
    return _core.streams(json.dumps(catalog_request(catalog)))


def stream_definition(name: str, *, catalog: Catalog = ()) -> Definition:
    """Return the definition of a stream; see `streams`."""
    return cast("Definition", json.loads(_core.definition(json.dumps(catalog_request(catalog)), name)))


def source_definition(name: str, *, catalog: Catalog = ()) -> SourceDefinition:
    """Return the definition of a source; see `streams`."""
    return cast("SourceDefinition", json.loads(_core.source(json.dumps(catalog_request(catalog)), name)))


def catalog_request(catalog: Catalog) -> dict[str, Any]:
    """Return a catalog as the engine takes it.

    Raises:
        DefinitionError: Sources are defined in more than one place.
    """
    if isinstance(catalog, (str, os.PathLike)):
        message = f"`catalog` is one folder: give a list, such as [{os.fspath(catalog)!r}]"
        raise DefinitionError(message)
    if not isinstance(cast("object", catalog), Sequence):
        message = f"`catalog` is a {type(catalog).__name__}: give a list of folders"
        raise DefinitionError(message)
    inline = [entry for entry in catalog if isinstance(entry, Mapping)]
    if len(inline) > 1:
        message = "definitions of only one source can be given beside folders"
        raise DefinitionError(message)
    folders = [os.fspath(entry) for entry in catalog if not isinstance(entry, Mapping)]
    return {"folders": [*folders, SHIPPED_CATALOG], "inline": _inline(inline[0]) if inline else None}


def _inline(definition: InlineDefinition) -> dict[str, Any]:
    """Return a definition as text that error messages can show."""
    source = definition["source"]
    endpoints = definition.get("endpoints", {})
    return {
        "source": source if isinstance(source, str) else str(source.get("source", "")),
        "definition": None if isinstance(source, str) else _text(source),
        "endpoints": {name: _text({"endpoint": name, **endpoint}) for name, endpoint in endpoints.items()},
    }


def _text(definition: Mapping[str, object]) -> str:
    try:
        return json.dumps(definition, indent=2, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        message = f"a definition holds what YAML could not: {error}"
        raise DefinitionError(message) from None


def account_request(secret: str | None, account: str | None, catalog: Catalog) -> dict[str, Any]:
    """Return an account without its settings, as the engine takes it."""
    return {"catalog": catalog_request(catalog), "secret": secret, "account": account}


def parse_timestamp(name: str, given: object) -> str | None:
    """Return a time as an RFC 3339 string.

    Args:
        name: Of the argument.
        given: A string, a date or a datetime. What has no offset is UTC.

    Raises:
        SettingsError: It is not a time.
    """
    from datetime import UTC, date, datetime, time  # noqa: PLC0415 - seldom needed

    if given is None:
        return None
    try:
        at = datetime.fromisoformat(given) if isinstance(given, str) else given
    except ValueError:
        message = f"invalid `{name}`: not a time: {given}"
        raise SettingsError(message, hint="write it like 2026-01-31 or 2026-01-31T00:00:00Z") from None
    if not isinstance(at, date):
        message = f"`{name}` is a {type(given).__name__}: give a string, a date or a datetime"
        raise SettingsError(message)
    if not isinstance(at, datetime):
        at = datetime.combine(at, time())
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    try:
        in_utc = aware.astimezone(UTC).isoformat()
    except OverflowError:
        message = f"invalid `{name}`: not in the years 1 to 9999 in UTC: {given}"
        raise SettingsError(message) from None
    # A string may have nanoseconds, which a datetime can't.
    return given if isinstance(given, str) and at.tzinfo else in_utc
