"""Pulls against a server of a replay, and what came of them."""

from __future__ import annotations

import gzip
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

from circulate_core.exceptions import CirculateError
from circulate_practice.compare import split_array

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType


@dataclass(frozen=True)
class Job:
    """A pull to be done.

    Attributes:
        stream: The stream.
        catalog: Folders of definitions.
        settings: Settings of the source.
        server: Address of the server that has the responses.
        to: Folder to pull into.
        at: The time that it is, as RFC 3339.
        batch_records: Record limit of an object.
        kill_at: The write at which the process is killed, such as `after checkpoint#2`; None for none.
        idempotency_key: Of the pulls with the same, one is done.
    """

    stream: str
    catalog: tuple[str, ...]
    settings: dict[str, str] = field(repr=False)
    server: str
    to: Path
    at: str
    batch_records: int = 1000
    kill_at: str | None = None
    idempotency_key: str = "first"


@dataclass(frozen=True)
class Outcome:
    """What came of a pull.

    Attributes:
        status: `complete`, `partial`, `failed` or `busy`; `killed` of a process that was.
        why: What it said beside that: the error, gaps, warnings.
        records: Records of the run, in order, as they are in the lake.
        waited: Seconds that it would have waited.
        writes: Writes of the commit protocol, before and after each, such as `after checkpoint#2`.
    """

    status: str
    why: tuple[str, ...] = ()
    records: tuple[bytes, ...] = ()
    waited: float = 0.0
    writes: tuple[str, ...] = ()


class Engine(Protocol):
    """What pulls."""

    def pull(self, job: Job) -> Outcome:
        """Do a pull."""


class Workers:
    """The engine, in processes of its own."""

    def __init__(self) -> None:
        self._home = tempfile.TemporaryDirectory()
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        """Start the process that forks them."""
        # Nothing of the user's: neither settings, nor tokens that were kept, nor proxies.
        environment = {name: value for name, value in os.environ.items() if name in {"PATH", "LANG", "PYTHONPATH"}}
        home = self._home.name
        environment |= {"HOME": home, "XDG_STATE_HOME": home, "XDG_CONFIG_HOME": home, "XDG_CACHE_HOME": home}
        command = [sys.executable, "-m", "circulate_core.authoring.cassettes.worker"]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._process = subprocess.Popen(command, env=environment, **pipes)  # noqa: S603 - our own
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        if self._process is not None:
            self._process.communicate()
        self._home.cleanup()

    def pull(self, job: Job) -> Outcome:
        """Do a pull.

        Raises:
            CirculateError: The process ended in a way that no pull does.
        """
        assert self._process is not None  # noqa: S101 - it is entered
        assert self._process.stdin is not None and self._process.stdout is not None  # noqa: S101, PT018 - pipes
        result = Path(self._home.name, "result.json")
        result.unlink(missing_ok=True)
        given = {**vars(job), "to": str(job.to), "result": str(result)}
        self._process.stdin.write(f"{json.dumps(given)}\n")
        self._process.stdin.flush()
        code = self._process.stdout.readline().strip()
        if code == str(-signal.SIGKILL) and job.kill_at is not None:
            return Outcome("killed")
        if code != "0":
            message = f"the process that pulled ended with {code or 'all others'}; its error is above"
            raise CirculateError(message, operation="replay")
        done = json.loads(result.read_text(encoding="utf-8"))
        records = tuple(_records(job.to, done.get("run"), done.get("manifest")))
        return Outcome(done["status"], tuple(done["why"]), records, done["waited"], tuple(done["writes"]))


def _records(lake: Path, run: str | None, manifest: str | None) -> Iterator[bytes]:
    """Yield the records that count of a run: those of its manifest, or of its last checkpoint if it has none yet."""
    if manifest is not None:
        parts = [part["key"] for part in json.loads((lake / manifest).read_bytes())["parts"]]
    else:
        parts = [] if run is None else _parts_of_checkpoint(lake, run)
    for part in parts:
        for entry in json.loads((lake / part).read_bytes())["objects"]:
            body = (lake / entry["key"]).read_bytes()
            yield from split_array(gzip.decompress(body) if entry["key"].endswith(".gz") else body)


def _parts_of_checkpoint(lake: Path, run: str) -> list[str]:
    """Return the manifest parts up to the last checkpoint of a run that has stopped: each names the one before."""
    with closing(sqlite3.connect(lake / ".circulate/state.db")) as state:
        documents = [json.loads(text) for (text,) in state.execute("SELECT doc FROM item")]
    positions = [each["position"] for each in documents if isinstance(each.get("position"), dict)]
    part = next((each["last_part"] for each in positions if run in str(each.get("last_part"))), None)
    keys: list[str] = []
    while part is not None:
        keys.insert(0, part["key"])
        part = json.loads((lake / part["key"]).read_bytes()).get("previous")
    return keys
