"""Promotions for tests: a place for readers beside the one that is pulled to, judged by Python's own readers."""

import gzip
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from circulate_practice.compare import split_array
from support.cli import Cli, Done
from support.places import Bucket, Folder, Place
from support.stored_entries import stored_keys, stored_scopes


@dataclass(frozen=True)
class Promoting:
    """A command line with a place for readers."""

    cli: Cli
    data: Place

    @classmethod
    def of(cls, cli: Cli, *, prefix: str = "data") -> "Promoting":
        """Make a place for readers of the same kind as the one that is pulled to."""
        place = cli.place
        if isinstance(place, Bucket):
            return cls(cli, Bucket.new(place.endpoint, cli.folder, prefix))
        return cls(cli, Folder(cli.folder / prefix))

    def pull(self, *arguments: str | Path) -> str:
        """Pull okta.users in small objects; returns the manifest's key."""
        done = self.cli.pull("--batch-records", "10", *arguments)
        assert done.code == 0, done.err
        return str(done.report["manifest"])

    def manifest(self, key: str, place: Place | None = None) -> str:
        """Return how commands are given a manifest of the place that was pulled to, or of another."""
        return str(root(place or self.cli.place)) + f"/{key}"

    def __call__(self, key: str, *arguments: str | Path, **environment: str) -> Done:
        """Promote a run."""
        return self.cli(*self.command(key, *arguments), **environment)

    def command(self, key: str, *arguments: str | Path) -> tuple[str | Path, ...]:
        """Return the arguments of a promotion."""
        place = self.cli.place
        state = place.state if isinstance(place, Bucket) else ()
        return ("promote", self.manifest(key), "--to", root(self.data), *state, "--json", *arguments)

    def verify(self, key: str) -> Done:
        """Read the promoted run back, with state if there is one by itself."""
        place = self.cli.place
        state = place.state if isinstance(place, Bucket) else ("--state", str(place.path / ".circulate/state.db"))
        return self.cli("verify", self.manifest(key, self.data), *state, "--json")

    def status(self, key: str) -> str:
        """Return what state says of a run."""
        (status,) = (run["status"] for run in self.cli.runs() if run["manifest"] == key)
        return str(status)

    def records(self, key: str) -> list[bytes]:
        """Return the records of a promoted run. Nothing it names is missing or changed, and nothing else is there."""
        lake = self.data.lake()
        run = key.removesuffix(".json")
        named = {key, f"{run}/promotion.json", f"{run}.committed"}
        found: list[bytes] = []
        index = json.loads((lake / key).read_bytes())
        beside = entry_files(index)
        named |= {file["key"] for file in beside if read(lake, file)}
        for reference in index["parts"]:
            part = read(lake, reference)
            named.add(reference["key"])
            for entry in json.loads(part)["objects"]:
                stored = read(lake, entry)
                assert len(stored) == entry["bytes"]
                named.add(entry["key"])
                body = body_of(entry, stored)
                assert hashlib.sha256(body).hexdigest() == entry["body_sha256"]
                records = list(body.splitlines() if ".ndjson" in entry["key"] else split_array(body))
                assert len(records) == entry["records"]
                found += records
        entries = entry_files(index)
        for entry in entries:
            stored = read(lake, entry)
            of_file: list[Any] = list(stored_scopes(stored) if "/scopes-" in entry["key"] else stored_keys(stored))
            assert len(of_file) == entry["entries"]
            assert of_file == sorted(set(of_file))
        assert set(keys(lake)) == named | {entry["key"] for entry in entries}
        totals = index["totals"]
        assert (totals["records"], totals["objects"]) == (
            len(found),
            len(named) - 3 - len(beside) - len(index["parts"]),
        )
        return found

    def is_exact(self, key: str) -> bool:
        """Compare a promoted run with what was pulled, record for record, and let the engine read it back too."""
        pulled = replace(self, data=self.cli.place).records_pulled(key)
        verified = self.verify(key)
        assert verified.code == 0, verified.err
        return self.records(key) == pulled

    def records_pulled(self, key: str) -> list[bytes]:
        """Return the records of a run as it was pulled, in order."""
        lake = self.cli.place.lake()
        parts = json.loads((lake / key).read_bytes())["parts"]
        entries = (entry for part in parts for entry in json.loads(read(lake, part))["objects"])
        return [record for entry in entries for record in split_array(body_of(entry, read(lake, entry)))]


def root(place: Place) -> Path | str:
    """Return how commands are given a place."""
    return place.uri if isinstance(place, Bucket) else place.path


def entry_files(index: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the files with keys of records that an index names."""
    keys, deletes = index.get("keys") or {}, index.get("deletes") or {}
    candidates = deletes.get("candidates") or {}
    lists = (keys.get("files"), keys.get("scopes"), deletes.get("files"), candidates.get("files"))
    return [file for files in lists for file in files or ()]


def body_of(entry: dict[str, Any], stored: bytes) -> bytes:
    """Return what an object held before it was compressed."""
    return gzip.decompress(stored) if entry["key"].endswith(".gz") else stored


def read(lake: Path, entry: dict[str, Any]) -> bytes:
    """Return a file that a manifest names, which is as it says."""
    content = Path(lake, entry["key"]).read_bytes()
    assert hashlib.sha256(content).hexdigest() == entry["sha256"]
    return content


def keys(lake: Path) -> Iterator[str]:
    """Yield the keys of all that is there, but what a killed worker was writing."""
    files = (path for path in lake.rglob("*") if path.is_file() and not path.name.startswith(".writing-"))
    yield from (str(path.relative_to(lake)) for path in files)
