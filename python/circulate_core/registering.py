"""Registrations: runs are brought into tables of the Glue Data Catalog, which Athena reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circulate_core import _core
from circulate_core.lakes import lake_and_key, lake_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike

    from circulate_core.lakes import Lake
    from circulate_core.results import Registered, Snapshot
    from circulate_core.types import Length, S3Options, Size


def run_manifests(
    place: str | PathLike[str] | Lake, stream: str | None = None, *, s3: S3Options | None = None
) -> list[str]:
    """Return the manifests of all runs of a place, oldest first: what `register` takes. Some may not be committed.

    Args:
        place: Folder or `s3://bucket/prefix` that was pulled or promoted to.
        stream: `source.endpoint`. Default: all streams.
        s3: How the bucket is used.

    Raises:
        SettingsError: There is none.
        StorageError: The place could not be listed.
    """
    lake = lake_of(place, s3=s3)
    return [f"{lake.location}/{key}" for key in _core.run_manifests(lake, stream)]


def register(  # noqa: PLR0913 - every option of a registration, each with its default
    manifest: str | PathLike[str],
    *,
    to: str | Lake,
    database: str,
    memory: Size = "256MB",
    deadline: Length | None = None,
    s3: S3Options | None = None,
    on_progress: Callable[[Snapshot], object] | None = None,
    stop: _core.Stop | None = None,
) -> Registered:
    """Bring a committed run into the table of its stream in the Glue Data Catalog, for Athena.

    The table `{source}_{endpoint}_history` has every version of each record and what was deleted, a partition for each
    account and run; the view `{source}_{endpoint}` has what is current. Both are made if need be, and grow with the
    records. A run is seen as a whole or not at all, and once however often this is called.

    Args:
        manifest: Path or `s3://` URI of the manifest's index, below the `_circulate` folder of the place that has the
            run: the one that it was pulled to, or one that it was promoted to.
        to: `s3://bucket/prefix` that files of tables are written below; of a `Lake` its location.
        database: The database of the catalog, which must be there.
        memory: Memory budget for records and files in flight. A file of the table may have a quarter of it, and 64 MB
            at most. Default: 256MB.
        deadline: Time after which nothing more is begun, such as `10m`.
        s3: How buckets are used: encryption of what is written, and the account that must own them.
        on_progress: Called about ten times a second with what was done so far.
        stop: Lets another thread stop the registration; the next one starts over.

    Returns:
        What was done. Its `status` is `complete`, or `partial` if it was stopped.

    Raises:
        MismatchError: An object is missing or not as it was written.
        StateError: Nothing says that the run is committed (`retryable`).
        StorageError: There is no such manifest or database, or a place or the catalog could not be used.
        SettingsError: There is another table of that name, or a name can be none.
        KeyboardInterrupt: After Ctrl-C.
    """
    lake, key = lake_and_key(manifest, None, s3)
    options = {"memory": memory, "deadline": deadline}
    return _core.register(lake, key, lake_of(to).location, database, options, on_progress, stop)
