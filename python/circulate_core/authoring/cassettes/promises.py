"""The promises that a list is held to: it is pulled as it was recorded, and all the same when something goes wrong.

Nothing is kept by default: a fault that no request met, and a process that no kill reached, break their promise.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final, Protocol

from circulate_core.authoring.cassettes.cassette import CassetteError, digest_of, stand_in
from circulate_core.authoring.cassettes.faults import FAULTS, KILLED, NAMES, spots
from circulate_core.authoring.cassettes.pulling import Job
from circulate_core.authoring.cassettes.serving import RecordedResponses, ReplayServer, anywhere, serving
from circulate_core.authoring.cassettes.tape import Tape, key_of
from circulate_core.catalogs import source_definition, stream_definition
from circulate_core.console import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from os import PathLike

    from circulate_core.authoring.cassettes.cassette import Cassette
    from circulate_core.authoring.cassettes.faults import Fault
    from circulate_core.authoring.cassettes.pulling import Engine, Outcome
    from circulate_core.authoring.cassettes.serving import Responses
    from circulate_core.authoring.cassettes.tape import Key

COMPLETE: Final = "complete"
KEY: Final = "key"
PROMISES: Final = (COMPLETE, KEY, *NAMES)
"""All promises, by the names that tests have, in the order in which they are tried."""
TITLES: Final = {
    COMPLETE: "every record is pulled once",
    KEY: "no two records have the same primary key",
    **{name: f"the API {fault.about}" for name, fault in FAULTS.items()},
    KILLED: "the process is killed at every write",
}
TEST_IDS: Final = {
    "reset": "reset mid-body",
    "repeated": "page repeated",
    "html": "HTML with 200",
    "expired": "expired token",
    KILLED: "killed at every write",
}
"""Names of promises in tests, where they say more."""
_MOST_KILLS: Final = 60
_OBJECTS: Final = 4
"""Objects that records are spread over, so that there are checkpoints to be killed at."""
_LEASE: Final = timedelta(seconds=61)
"""After that the lease of a process that was killed has lapsed."""
_SHOWN: Final = 3


@dataclass(frozen=True)
class Kept:
    """What came of a promise.

    Attributes:
        promise: Its name.
        broken: What is wrong, in sentences; nothing where it is kept.
        skipped: Why it could not be tried.
        seen: What happened, in short.
        status: How the pull ended.
        records: Records that it had in the end.
        lost: Records that were lost in the end.
        twice: Records that came twice, or that were not to come.
    """

    promise: str
    broken: tuple[str, ...] = ()
    skipped: str | None = None
    seen: str = ""
    status: str = ""
    records: int = 0
    lost: int = 0
    twice: int = 0

    @property
    def word(self) -> str:
        """Return what came of it, in a word."""
        return "skipped" if self.skipped else "broken" if self.broken else "kept"

    def explained(self) -> str:
        """Return what a test says that fails by it."""
        lines = [f"promise `{self.promise}` is broken: {TITLES[self.promise]}", *(f"- {each}" for each in self.broken)]
        return "\n".join(lines)


class Subject(Protocol):
    """What is pulled: a list of a cassette, or of a stub."""

    stream: str
    at: str
    """The time that it is during a pull."""
    primary_key: list[str] | None
    """Pointers of its primary key; None of a list that has none."""
    has_no_copies: bool
    """Whether tables have each record once, by a key or as an event."""

    def responses(self) -> Responses:
        """Return what responses, from the beginning."""

    def settings(self) -> dict[str, str]:
        """Return the settings that it is signed in with."""

    def catalog(self, folder: Path, server: ReplayServer) -> tuple[str, ...]:
        """Return the catalog that is pulled by, which may be written to a folder."""

    def differences(self, outcome: Outcome, server: ReplayServer) -> list[str]:
        """Return what is not as it should be of a pull without faults, in sentences."""


class OfCassette:
    """A list as it was recorded.

    Args:
        cassette: The recording.
        catalog: Folders of definitions.
        stream: The stream, if it is not the recorded one.

    Raises:
        CassetteError: It is not of that stream, or cannot be replayed.
    """

    def __init__(self, cassette: Cassette, catalog: Sequence[str | PathLike[str]], stream: str | None = None) -> None:
        self.stream, self.at = stream or cassette.stream, cassette.recorded_at
        if self.stream != cassette.stream:
            message = f"the cassette is of {cassette.stream}, and not of {self.stream}"
            raise CassetteError(message, operation="replay", hint="name its stream, or record one of the other")
        self.cassette = cassette
        self._catalog = tuple(str(Path(each).resolve()) for each in catalog)
        self.primary_key, self.has_no_copies = key_in(self.stream, catalog)
        known = source_definition(self.stream.partition(".")[0], catalog=list(catalog))["settings"]
        unknown = [name for name in (*cassette.settings, *cassette.secrets) if name not in known]
        if unknown:
            message = f"the definition no longer has {', '.join(f'`{name}`' for name in unknown)}, recorded with it"
            raise CassetteError(
                message, operation="replay", hint="`settings` of source.yaml: correct it, or record again"
            )

    def responses(self) -> Responses:
        """Return the recorded responses."""
        return RecordedResponses(Tape(self.cassette.exchanges))

    def settings(self) -> dict[str, str]:
        """Return the settings that were recorded, with stand-ins for secrets."""
        return self.cassette.settings | {name: stand_in(name) for name in self.cassette.secrets}

    def catalog(self, _folder: Path, _server: ReplayServer) -> tuple[str, ...]:
        """Return the catalog as it is."""
        return self._catalog

    def differences(self, outcome: Outcome, server: ReplayServer) -> list[str]:
        """Return what differs from the recording."""
        ending, found = self.cassette.ending, list(dict.fromkeys(server.missing))
        if outcome.status != ending.status:
            found.append(f"expected `{ending.status}`, as recorded; the pull was {with_why(outcome)}")
        found += _apart(list(ending.records), list(map(digest_of, outcome.records)), "recorded")
        left = Tape(self.cassette.exchanges).never_asked(server.asked)
        if left and not server.missing:
            found.append(
                f"{counted(len(left), 'recorded request')} not sent, the first is {left[0]}: look at `paginator`,"
                " `partitions` and `records` of the definition"
            )
        if found and self.cassette.edited:
            found.append("the cassette was edited after it was recorded; if that was meant, record it again")
        return found


def key_in(stream: str, catalog: Sequence[str | PathLike[str]]) -> tuple[list[str] | None, bool]:
    """Return the pointers of the primary key of a definition, if it has one, and whether tables have no copies."""
    listing: Mapping[str, Any] = stream_definition(stream, catalog=list(catalog))["endpoint"]["list"]
    key = listing.get("primary_key")
    key = list(key) if isinstance(key, list) else None
    return key, key is not None or listing.get("kind") == "event"


def _apart(expected: list[str], seen: list[str], how: str) -> list[str]:
    missing, extra = Counter(expected) - Counter(seen), Counter(seen) - Counter(expected)
    found = []
    if missing or extra:
        found.append(
            f"expected the {counted(len(expected), 'record')} {how}, {counted(len(seen), 'record')} came:"
            f" {missing.total()} missing, {extra.total()} not among them: look at `records` and `paginator`"
        )
    return found


def with_why(outcome: Outcome) -> str:
    """Return how a pull ended, and why."""
    why = "; ".join(f"{each:.400}" for each in outcome.why[:_SHOWN])
    return f"`{outcome.status}`{f': {why}' if why else ''}"


class Trial:
    """Tries promises one after the other.

    Args:
        subject: What is pulled.
        engine: What pulls it.
        seed: Chooses the requests that meet a fault, where there are many.
    """

    def __init__(self, subject: Subject, engine: Engine, seed: int = 0) -> None:
        self.subject, self._engine, self._seed = subject, engine, seed

    def of(self, promise: str) -> Kept:
        """Return what comes of a promise.

        Raises:
            CirculateError: It cannot be tried.
        """
        if promise == COMPLETE:
            return self._complete()
        if self._plain.differences:
            return Kept(promise, (f"`{COMPLETE}` is broken, and comes first: {self._plain.differences[0]}",))
        if not self._expected:
            return Kept(promise, skipped="no record came, so that none could be lost")
        if promise == KEY:
            return self._key()
        return self._killed() if promise == KILLED else self._fault(FAULTS[promise])

    def played(self) -> tuple[Outcome, list[str]]:
        """Return what comes of a pull in which nothing goes wrong, and why requests had no response."""
        with self._place(ReplayServer(self.subject.responses())) as (server, job):
            return self._engine.pull(job), server.missing

    @cached_property
    def _plain(self) -> _Plain:
        """A pull in which nothing goes wrong."""
        with self._place(ReplayServer(self.subject.responses())) as (server, job):
            outcome = self._engine.pull(job)
            differences = self.subject.differences(outcome, server)
        # Once more, with objects of the size that faults are tried with, for their writes.
        with self._place(ReplayServer(self.subject.responses()), len(outcome.records)) as (_, job):
            writes = self._engine.pull(job).writes
        return _Plain(outcome, tuple(differences), tuple(server.asked), writes)

    def _complete(self) -> Kept:
        plain = self._plain
        seen = f"{counted(len(plain.asked), 'request')}"
        return self._kept(COMPLETE, list(plain.differences), plain.outcome, seen)

    def _key(self) -> Kept:
        key = self.subject.primary_key
        if not isinstance(key, list):
            return Kept(KEY, skipped="the list has none")
        broken = _without_key(self._plain.outcome.records, key)
        return self._kept(KEY, broken, self._plain.outcome, f"primary_key: {json.dumps(key)}")

    def _fault(self, fault: Fault) -> Kept:
        if fault.name == "repeated" and self._plain.outcome.status != "complete":
            return Kept(fault.name, skipped="the recording ends before the list does")
        # Some requests cannot meet some faults: chosen are those that can.
        chosen = self._possible(fault)
        if not chosen:
            return Kept(fault.name, skipped=_NOT_POSSIBLE.get(fault.name, "no response can have it"))
        server = ReplayServer(self.subject.responses(), fault, chosen)
        with self._place(server, len(self._expected)) as (_, job):
            outcome = self._engine.pull(job)
            met = len(server.faults)
            broken = self._broken(fault, outcome, met)
            last = outcome
            if not broken and outcome.status != self._plain.outcome.status:
                server.stop_faults()
                last = self._engine.pull(replace(job, at=_later(job.at), idempotency_key="second"))
                broken = self._same(last, "pulled again without the fault, ")
        return self._kept(
            fault.name, broken, last, f"{counted(met, 'request')} met it; the pull was {with_why(outcome)}"
        )

    def _possible(self, fault: Fault) -> frozenset[tuple[object, ...]]:
        """Return which requests can meet a fault, by trying it on each alone as they are asked."""
        server = _Looking(self.subject.responses(), fault)
        with self._place(server) as (_, job):
            self._engine.pull(job)
        able = [key for key in server.asked if key in server.able]
        return frozenset(anywhere(able[index]) for index in spots(len(able), self._seed, several=fault.recovers))

    def _broken(self, fault: Fault, outcome: Outcome, met: int) -> list[str]:
        if not met:
            return ["no request met the fault: nothing is known"]
        if outcome.status == self._plain.outcome.status:
            broken = self._same(outcome, copies=fault.name == "repeated" and self.subject.has_no_copies)
            if outcome.waited < fault.waits * met:
                broken.append(
                    f"expected waits of {fault.waits * met} s, as Retry-After said; {outcome.waited:.0f} s were waited:"
                    " look at `errors` of the definition"
                )
            return broken
        if fault.recovers:
            why = (
                f"expected a retry, and then `{self._plain.outcome.status}`; the pull was {with_why(outcome)}: look at"
                " `errors` of the definition"
            )
            return [why]
        if not outcome.why:
            return [f"expected a reason for `{outcome.status}`; none was given"]
        return []

    def _killed(self) -> Kept:
        writes = self._plain.writes
        if not writes:
            return Kept(KILLED, ("no write was seen: nothing is known",))
        # Right before a write all is as it is after the one before.
        chosen = [writes[0], *(write for write in writes if write.startswith("after"))]
        if len(chosen) > _MOST_KILLS:
            chosen = Random(self._seed).sample(chosen, _MOST_KILLS)  # noqa: S311 - a choice, which the seed repeats
        broken: list[str] = []
        unreached = {_kind_of(write) for write in chosen}
        last, kills = self._plain.outcome, 0
        for write in chosen:
            where = f"killed {write.replace('#', ' ')}, "
            with self._place(ReplayServer(self.subject.responses()), len(self._expected)) as (_, job):
                first = self._engine.pull(replace(job, kill_at=write))
                if first.status == "killed":
                    unreached.discard(_kind_of(write))
                    kills += 1
                last = self._engine.pull(replace(job, at=_later(job.at)))
                broken += self._same(last, where)
            if len(broken) >= _SHOWN:
                return self._kept(KILLED, broken, last, counted(kills, "kill"))
        # How many objects and checkpoints there are depends on what is done meanwhile; what kinds there are does not.
        broken += [f"no process was killed {kind}: nothing is known" for kind in sorted(unreached)]
        return self._kept(KILLED, broken, last, counted(kills, "kill"))

    def _same(self, outcome: Outcome, where: str = "", *, copies: bool = False) -> list[str]:
        """Return what differs from the pull in which nothing went wrong.

        Args:
            outcome: What came of another one.
            where: What went wrong in it.
            copies: Whether it may have copies: the API sent them, and tables have each record once all the same.
        """
        plain, broken = self._plain.outcome, []
        if outcome.status != plain.status:
            broken.append(f"{where}expected `{plain.status}`; the pull was {with_why(outcome)}")
        lost, twice = self._lost(outcome), self._twice(outcome)
        if copies and set(outcome.records) == set(plain.records):
            twice = 0
        if lost or twice:
            broken.append(
                f"{where}expected the same {counted(len(plain.records), 'record')}, each once;"
                f" the pull was `{outcome.status}` with {len(outcome.records)}: {lost} lost, {twice} twice"
            )
        return broken

    @property
    def _expected(self) -> tuple[bytes, ...]:
        return self._plain.outcome.records

    def _lost(self, outcome: Outcome) -> int:
        return (Counter(self._expected) - Counter(outcome.records)).total()

    def _twice(self, outcome: Outcome) -> int:
        return (Counter(outcome.records) - Counter(self._expected)).total()

    def _kept(self, promise: str, broken: list[str], outcome: Outcome, seen: str) -> Kept:
        return Kept(
            promise,
            tuple(broken[:_SHOWN]),
            seen=seen,
            status=outcome.status,
            records=len(outcome.records),
            lost=self._lost(outcome),
            twice=self._twice(outcome),
        )

    @staticmethod
    def _batch(records: int) -> int:
        return max(1, -(-records // _OBJECTS))

    @contextmanager
    def _place(self, server: ReplayServer, records: int = 0) -> Iterator[tuple[ReplayServer, Job]]:
        """Serve, with a lake of its own, and return a job for it."""
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            stack.enter_context(serving(server))
            catalog = self.subject.catalog(folder / "catalog", server)
            batch = self._batch(records) if records else 1000
            settings = self.subject.settings()
            yield (
                server,
                Job(self.subject.stream, catalog, settings, server.url, folder / "lake", self.subject.at, batch),
            )


@dataclass(frozen=True)
class _Plain:
    """A pull in which nothing went wrong: what came of it, what differs, what was asked, and its writes."""

    outcome: Outcome
    differences: tuple[str, ...]
    asked: tuple[Any, ...]
    writes: tuple[str, ...]


_NOT_POSSIBLE: Final = {
    "repeated": "no list has a second page",
    "expired": "requests are not signed in",
}


class _Looking(ReplayServer):
    """Responses as it should, and notes which requests could meet a fault."""

    def __init__(self, responses: Responses, fault: Fault) -> None:
        super().__init__(responses, fault, chosen=None)
        self.able: set[Key] = set()

    def _spoilt(self, request: Any) -> None:  # noqa: ANN401 - as inherited
        if super()._spoilt(request) is not None:
            self.able.add(key_of(request))


def _kind_of(write: str) -> str:
    return write.partition("#")[0]


def _later(at: str) -> str:
    """Return a time at which the lease of a process that was killed has lapsed."""
    return (datetime.fromisoformat(at) + _LEASE).isoformat()


def _without_key(records: Sequence[bytes], key: list[str]) -> list[str]:
    seen: Counter[str] = Counter()
    lacking = 0
    for text in records:
        record = json.loads(text)
        values = [_at(record, pointer) for pointer in key]
        lacking += None in values
        seen[json.dumps([record.get("_circulate"), values])] += 1 if None not in values else 0
    named = ", ".join(f"`{pointer}`" for pointer in key)
    same = sum(count - 1 for count in seen.values() if count > 1)
    broken = []
    if lacking:
        broken.append(
            f"expected {named} in every record; {lacking} of {len(records)} have no value there: look at `primary_key`"
        )
    if same:
        broken.append(
            f"expected another {named} in every record; {same} of {len(records)} repeat one: look at `primary_key`"
        )
    return broken


def _at(document: Any, pointer: str) -> Any:  # noqa: ANN401 - JSON
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(document, dict) or name not in document:
            return None
        document = document[name]
    return document
