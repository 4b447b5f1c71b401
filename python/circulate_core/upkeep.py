"""What was pulled: its runs, its state and its manifests, and the objects that no manifest names."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from circulate_core import _core
from circulate_core.exceptions import SettingsError
from circulate_core.lakes import lake_and_key, lake_of, state_of

if TYPE_CHECKING:
    from os import PathLike

    from circulate_core.lakes import Lake
    from circulate_core.manifests import Manifest
    from circulate_core.results import Collected, Report, Run, Runs, StreamState, Verified
    from circulate_core.types import Length, S3Options


def runs(state: str | PathLike[str] | Lake, *, limit: int = 20, most: int | None = None) -> Runs:
    """List the newest runs, newest first.

    Args:
        state: Lake or folder that was pulled to, state file, or `dynamodb://table`.
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
    return _core.runs(state_of(state), limit)


def state(state: str | PathLike[str] | Lake) -> list[StreamState]:
    """Return the state of all streams that a state knows.

    Args:
        state: Lake or folder that was pulled to, state file, or `dynamodb://table`.

    Raises:
        StateError: The file does not exist, or is not a state file.
    """
    return _core.state_show(state_of(state))


def manifest(
    run: str | PathLike[str] | Report | Run | None = None,
    *,
    to: str | PathLike[str] | Lake | None = None,
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
    return manifests.find(run, to=None if to is None else lake_of(to).location)


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
    lake, key = lake_and_key(manifest, state, s3)
    return _core.verify(lake, key)


def mark_committed(
    to: str | PathLike[str] | Lake,
    *,
    state: str | PathLike[str] | None = None,
    s3: S3Options | None = None,
) -> dict[str, int]:
    """Create the markers of all runs that state says are committed, in a place that was pulled to before they existed.

    Args:
        to: Folder or `s3://bucket/prefix` that was pulled to.
        state: State file, or `dynamodb://table`. Default `.circulate/state.db` below a folder; needed for a bucket.
        s3: How a bucket is used.

    Returns:
        How many markers were `created`, how many were `there`, and how many committed runs have their manifest
        `elsewhere`.

    Raises:
        CirculateError: The folder or its state could not be used.
    """
    return _core.mark_committed(lake_of(to, state, s3))


def gc(
    to: str | PathLike[str] | Lake,
    *,
    older_than: Length = "7d",
    dry_run: bool = False,
    state: str | PathLike[str] | None = None,
    s3: S3Options | None = None,
) -> Collected:
    """Remove objects that no manifest names: leftovers of workers that died, and all of runs that were given up.

    Args:
        to: Folder or `s3://bucket/prefix` that was pulled to. Only streams are touched that the state knows at this
            place.
        older_than: Minimum age of removed objects: the time since they were written. Default: 7d.
        dry_run: Only report what would be removed.
        state: State file, or `dynamodb://table`. Default `.circulate/state.db` below a folder; needed for a bucket.
        s3: How a bucket is used.

    Returns:
        What stays, what is too young, and what was removed.

    Raises:
        CirculateError: The folder or its state could not be used.
    """
    return _core.gc(lake_of(to, state, s3), {"older_than": older_than, "dry_run": dry_run})
