"""Manifests of lakes that are folders, to look at in Python.

```python
manifest = circulate_core.manifest(users.pull(to="./lake"))
print(manifest.verdict, manifest.totals["records"], manifest.paths[0])
```
"""

from __future__ import annotations

import json
import os
import unicodedata
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, cast

from circulate_core import display
from circulate_core.exceptions import DataError, MismatchError, SettingsError, StorageError
from circulate_core.views import gaps_of

if TYPE_CHECKING:
    from os import PathLike

    from circulate_core.types import Ends, ManifestIndex, ManifestPart, Mode, ObjectEntry, Report, Run, Totals, Window

SCHEMA = 1
"""The version of manifests that this version of the package reads."""


def find(run: str | PathLike[str] | Report | Run, *, to: str | PathLike[str] | None = None) -> Manifest:
    """Return the manifest of a run; see `circulate_core.manifest`."""
    place, key = _named(run) if isinstance(run, Mapping) else ("", os.fspath(run))
    place = place if to is None else os.fspath(to)
    path = f"{place}/{key}" if place else key
    if "://" in path:
        message = f"{path} is in a bucket: manifests are read from folders only"
        raise SettingsError(message, hint=f"`circulate verify {path}` reads it back, with everything that it names")
    path = os.path.abspath(path)  # noqa: PTH100 - pathlib is slow to import
    lake, found, _ = path.rpartition("/_circulate/")
    if not found:
        message = f"{path} is not below a `_circulate` folder, where manifests are"
        raise SettingsError(message, hint="a pull names the manifest of its run when it is done: give its report")
    return Manifest(lake, path)


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


class Manifest:
    """The manifest of a run: what it wrote. `circulate_core.manifest` reads one."""

    def __init__(self, lake: str, path: str) -> None:
        self.lake: str = lake
        """The lake's folder."""
        self.path: str = path
        """Path of its index."""
        index, _ = _read(path)
        self.index: ManifestIndex = cast("ManifestIndex", index)
        """The index, as its file holds it."""
        self._objects: list[ObjectEntry] | None = None

    @property
    def verdict(self) -> Literal["complete", "partial"]:
        """`complete`, or `partial` if there are gaps."""
        return self.index["verdict"]

    @property
    def run_id(self) -> str:
        """The run."""
        return self.index["run_id"]

    @property
    def stream(self) -> str:
        """`source.endpoint`."""
        return f"{self.index['source']}.{self.index['endpoint']}"

    @property
    def account(self) -> str:
        """The account's name."""
        return self.index["account"]

    @property
    def mode(self) -> Mode:
        """What was requested: `incremental`, `full` or `window`."""
        return self.index["mode"]

    @property
    def window(self) -> Window:
        """The requested period."""
        return self.index["window"]

    @property
    def started_at(self) -> str:
        """When the run was opened, RFC 3339."""
        return self.index["started_at"]

    @property
    def totals(self) -> Totals:
        """Sums over the run."""
        return self.index["totals"]

    @property
    def gaps(self) -> list[str]:
        """What is missing: refused by the API, no longer kept by it, or after the page where a list seemed to end."""
        return gaps_of(self.index)

    @property
    def holes(self) -> list[str]:
        """Earlier name of `gaps`, which goes with 0.3."""
        warnings.warn("`Manifest.holes` is deprecated; use `Manifest.gaps`", DeprecationWarning, stacklevel=2)
        return self.gaps

    @property
    def ends(self) -> Ends | None:
        """How its lists ended; None of a run before version 0.2."""
        return self.index.get("ends")

    @property
    def warnings(self) -> list[str]:
        """Warnings about what was read, in sentences."""
        return self.index.get("warnings", [])

    @property
    def unavailable(self) -> str | None:
        """What the API said to an account that lacks the feature."""
        return self.index.get("unavailable")

    @property
    def objects(self) -> list[ObjectEntry]:
        """The objects, in order: `key`, `records`, `bytes`, `sha256`, and the same before compression.

        Raises:
            StorageError: A part of the manifest is missing.
            MismatchError: A part is not what the index says.
        """
        if self._objects is None:
            self._objects = [entry for part in self.index["parts"] for entry in self._part(part)["objects"]]
        return list(self._objects)

    @property
    def paths(self) -> list[str]:
        """The paths of the objects' files, in order, for whatever reads JSON."""
        return [self._path(entry["key"]) for entry in self.objects]

    def _path(self, key: str) -> str:
        """Return the path of what the manifest names."""
        if not in_place(key):
            message = f"the manifest {self.path} names a key that leads out of its lake: {key!r}"
            raise MismatchError(
                message, hint="no pull writes such keys: the manifest was changed, see who may write there"
            )
        return f"{self.lake}/{key}"

    def _part(self, named: Mapping[str, Any]) -> ManifestPart:
        path = self._path(named["key"])
        part, digest = _read(path)
        if digest != named["sha256"]:
            message = f"the part {path} is not what its index says: its SHA-256 is {digest}"
            raise MismatchError(message, hint=f"`circulate verify {self.path}` shows what else is wrong")
        return cast("ManifestPart", part)

    def __repr__(self) -> str:
        """Say what run it is of, and how much that wrote."""
        totals = self.totals
        return (
            f"<Manifest of {self.stream}, run {self.run_id}: {self.verdict},"
            f" {totals['records']:,} records in {totals['objects']:,} objects>"
        )

    def _repr_html_(self) -> str:
        """Show it in a notebook."""
        return display.html(self)


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
