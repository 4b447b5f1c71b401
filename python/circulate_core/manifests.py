"""Manifests of lakes that are folders, to look at in Python.

```python
manifest = circulate_core.manifest(users.pull(to="./lake"))
print(manifest.verdict, manifest.totals.records, manifest.paths[0])
```
"""

from __future__ import annotations

import json
import os
import unicodedata
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from circulate_core.documents import Result
from circulate_core.exceptions import DataError, MismatchError, SettingsError, StorageError
from circulate_core.results import (
    Deletes,
    Ends,
    Mode,
    ObjectEntry,
    PartitionCounts,
    PartReference,
    Totals,
    Window,
)

if TYPE_CHECKING:
    from os import PathLike

    from circulate_core.results import Report, Run

SCHEMA = 1
"""The version of manifests that this version of the package reads."""


def find(
    run: str | PathLike[str] | Report | Run | Mapping[str, Any], *, to: str | PathLike[str] | None = None
) -> Manifest:
    """Return the manifest of a run; see `circulate_core.manifest`."""
    document = run.to_dict() if isinstance(run, Result) else run
    place, key = _named(document) if isinstance(document, Mapping) else ("", os.fspath(document))
    place = place if to is None else os.fspath(to)
    path = f"{place}/{key}" if place else key
    if "://" in path:
        message = f"{path} is in a bucket: manifests are read from folders only"
        raise SettingsError(message, hint=f"`circulate verify {path}` reads it back, with everything that it names")
    path = os.path.abspath(path)  # noqa: PTH100 - pathlib is slow to import
    _, found, _ = path.rpartition("/_circulate/")
    if not found:
        message = f"{path} is not below a `_circulate` folder, where manifests are"
        raise SettingsError(message, hint="a pull names the manifest of its run when it is done: give its report")
    document, _ = _read(path)
    try:
        return Manifest(document, path)
    except DataError as error:
        message = f"{path} is not a manifest: {error}"
        raise DataError(message) from None


def _named(run: Mapping[str, Any]) -> tuple[str, str]:
    """Return the lake and the key that a report or an entry of the ledger names."""
    key, place = run.get("manifest"), run.get("destination")
    if not isinstance(key, str) or not isinstance(place, str):
        message = f"run {run.get('run_id')} has no manifest: it is {run.get('status', 'unknown')}"
        raise SettingsError(message, hint="a run gets its manifest when it is finished: pull again")
    if place == "reader":
        message = "what was read has no manifest: it was not stored"
        raise SettingsError(message, hint="bring it into a lake: stream.pull(to=...)")
    return place, key


def in_place(key: str) -> bool:
    """Return whether a key stays in its place, by the rule of the engine (`lake/keys.rs`)."""
    encoded = any(code in key.lower() for code in ("%2e", "%2f", "%5c", "%00", "%25"))
    plain = "\\" not in key and not any(unicodedata.category(letter) == "Cc" for letter in key)
    return plain and not encoded and not {"", ".", ".."} & set(key.split("/"))


class _OfFile(Result):
    """What a manifest knows beside its index."""

    __slots__ = ("_objects", "path")
    path: str
    """Path of its index; empty if it was made by `from_dict`, so that its objects cannot be read."""
    _objects: tuple[ObjectEntry, ...] | None

    def __init__(self, document: Mapping[str, Any], path: str = "") -> None:
        super().__init__(document)
        object.__setattr__(self, "path", path)
        object.__setattr__(self, "_objects", None)

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle it by its document and its path."""
        return type(self), (self._document, self.path)


@dataclass(frozen=True, slots=True, init=False, repr=False, match_args=False)
class Manifest(_OfFile):
    """The manifest of a run: what it wrote. `circulate_core.manifest` reads one.

    Attributes:
        run_id: The run.
        source: Its source.
        account: The account's name.
        endpoint: Its endpoint.
        verdict: `complete`, or `partial` if there are gaps.
        mode: What was requested.
        window: The requested period.
        started_at: When the run was opened.
        parts: Its parts, in order.
        totals: Sums over the run.
        cursors: Where the next run of each partition begins.
        gaps: What is missing: refused by the API, no longer kept by it, or after the page where a list seemed to end.
        repeats: Records left out because an earlier run delivered the same bytes.
        ends: How its lists ended; None of a run before version 0.2.
        warnings: Warnings about what was read, in sentences.
        behind: Of a polling stream that a deadline ended: how old its newest record was, in seconds.
        unavailable: What the API said to an account that lacks the feature.
        partitions: How many partitions were pulled, of a stream that is pulled in partitions.
        unchanged: Records left out because they are older than what an earlier run read, where the API does not select
            by time.
        made_by: What made the records, where they are not bytes of the API's responses: `format` (`csv`), `records`
            (`scalars`), and `hooks` with the SHA-256 of their files.
        deletes: Records that are no longer there; None if the run does not show that.
    """

    _earlier_names: ClassVar[Mapping[str, str]] = {"gaps": "holes"}

    run_id: str
    source: str
    account: str
    endpoint: str
    verdict: Literal["complete", "partial"]
    mode: Mode
    window: Window
    started_at: datetime
    parts: tuple[PartReference, ...]
    totals: Totals
    cursors: dict[str, datetime] = field(hash=False)
    gaps: tuple[str, ...]
    repeats: int
    ends: Ends | None = None
    warnings: tuple[str, ...] = ()
    behind: int | None = None
    unavailable: str | None = None
    partitions: PartitionCounts | None = None
    unchanged: int = 0
    made_by: dict[str, Any] | None = field(default=None, hash=False)
    deletes: Deletes | None = None

    @property
    def stream(self) -> str:
        """`source.endpoint`."""
        return f"{self.source}.{self.endpoint}"

    @property
    def lake(self) -> str:
        """The lake's folder.

        Raises:
            SettingsError: It was made by `from_dict`.
        """
        if not self.path:
            message = f"the manifest of run {self.run_id} was not read from a lake"
            raise SettingsError(message, hint="read it from its file: circulate_core.manifest(path)")
        return self.path.rpartition("/_circulate/")[0]

    @property
    def index(self) -> dict[str, Any]:
        """The index as its file holds it; earlier name of `to_dict()`, which goes with 0.3."""
        _deprecated("Manifest.index", "Manifest.to_dict()")
        return self.to_dict()

    @property
    def holes(self) -> tuple[str, ...]:
        """Earlier name of `gaps`, which goes with 0.3."""
        _deprecated("Manifest.holes", "Manifest.gaps")
        return self.gaps

    @property
    def objects(self) -> tuple[ObjectEntry, ...]:
        """The objects, in order.

        Raises:
            StorageError: A part of the manifest is missing.
            MismatchError: A part is not what the index says.
        """
        if self._objects is None:
            entries = (entry for part in self.parts for entry in self._part(part))
            object.__setattr__(self, "_objects", tuple(entries))
        return self._objects or ()

    @property
    def paths(self) -> list[str]:
        """The paths of the objects' files, in order, for whatever reads JSON."""
        return [self._path(entry.key) for entry in self.objects]

    def _path(self, key: str) -> str:
        """Return the path of what the manifest names."""
        if not in_place(key):
            message = f"the manifest {self.path} names a key that leads out of its lake: {key!r}"
            raise MismatchError(
                message, hint="no pull writes such keys: the manifest was changed, see who may write there"
            )
        return f"{self.lake}/{key}"

    def _part(self, named: PartReference) -> list[ObjectEntry]:
        path = self._path(named.key)
        part, digest = _read(path)
        if digest != named.sha256:
            message = f"the part {path} is not what its index says: its SHA-256 is {digest}"
            raise MismatchError(message, hint=f"`circulate verify {self.path}` shows what else is wrong")
        try:
            return [ObjectEntry(entry) for entry in part["objects"]]
        except (KeyError, TypeError, DataError) as error:
            message = f"{path} is not a part of a manifest: {error}"
            raise DataError(message) from None

    def __repr__(self) -> str:
        """Say what run it is of, and how much that wrote."""
        totals = self.totals
        return (
            f"<Manifest of {self.stream}, run {self.run_id}: {self.verdict},"
            f" {totals.records:,} records in {totals.objects:,} objects>"
        )


def _deprecated(earlier: str, now: str) -> None:
    warnings.warn(f"`{earlier}` is deprecated; use `{now}`", DeprecationWarning, stacklevel=3)


def _read(path: str) -> tuple[dict[str, Any], str]:
    """Return a manifest file, parsed, and the SHA-256 of its bytes."""
    import hashlib  # noqa: PLC0415 - seldom needed

    try:
        with open(path, "rb") as file:  # noqa: PTH123 - pathlib is slow to import
            content = file.read()
    except OSError as error:
        message = f"cannot read the manifest {path}: {error.strerror}"
        raise StorageError(message, hint="a pull names the manifest of its run when it is done") from None
    try:
        parsed = json.loads(content)
        version = parsed["schema"]
    except (ValueError, TypeError, KeyError):
        message = f"{path} is not a manifest"
        raise DataError(message) from None
    if version != SCHEMA:
        message = f"{path} is a manifest of version {version}; this version of the package reads version {SCHEMA}"
        raise DataError(message, hint="install the version of circulate-core that wrote it, or a newer one")
    return parsed, hashlib.sha256(content).hexdigest()
