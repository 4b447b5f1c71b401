"""Promotions: runs are copied into a place for readers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circulate_core import _core
from circulate_core.lakes import lake_and_key, lake_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike

    from circulate_core.lakes import Lake
    from circulate_core.results import Promoted, Snapshot
    from circulate_core.types import Length, S3Options, Size


def promote(  # noqa: PLR0913 - every option of a promotion, each with its default
    manifest: str | PathLike[str],
    *,
    to: str | PathLike[str] | Lake,
    state: str | PathLike[str] | None = None,
    compact: bool = False,
    memory: Size = "64MB",
    deadline: Length | None = None,
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
        to: Folder, made if need be, or `s3://bucket/prefix`; of a `Lake` its location.
        state: State file, or `dynamodb://table`, that the run was pulled with. Default `.circulate/state.db` in the
            place that it was pulled to, if that is a folder; needed for a bucket.
        compact: Put the objects together in NDJSON objects of 64 to 128 MB as they are stored. A promotion that was
            started is resumed as it was started.
        memory: Memory budget for objects in flight. Compaction holds one large object, up to 128 MB, even if that is
            more. Default: 64MB.
        deadline: Time after which nothing more is begun, such as `10m`.
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
    lake, key = lake_and_key(manifest, state, s3)
    options = {"compact": compact, "memory": memory, "deadline": deadline}
    return _core.promote(lake, key, lake_of(to).location, options, on_progress, stop)
