"""Rust engine of `circulate_core`. Private: use the names of the package.

Requests and definitions that are `str` are JSON text; their shapes are in `circulate_core.api`, the only caller, and in
`circulate_core.types`.
"""

from collections.abc import Awaitable, Callable, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Final, TypeAlias, final

from typing_extensions import CapsuleType

from circulate_core.results import Checked, Collected, Promoted, Report, Runs, Snapshot, StreamState, Token, Verified

_OnProgress: TypeAlias = Callable[[Snapshot], object]
"""Takes progress, about ten times a second."""

__all__ = [
    "VERSION",
    "Reader",
    "Schema",
    "Settings",
    "Stop",
    "Table",
    "Tables",
    "check",
    "clear_tokens",
    "definition",
    "gc",
    "json_schemas",
    "lambda_functions",
    "mint",
    "promote",
    "pull",
    "pull_async",
    "runs",
    "shown",
    "source",
    "span_seconds",
    "state_decide",
    "state_init",
    "state_moved",
    "state_reset",
    "state_show",
    "streams",
    "token",
    "verify",
]

VERSION: Final[str]
"""The version of the package."""

@final
class Stop:
    """Lets another thread or a signal handler stop a pull or a promotion where the next one can go on."""

    def __new__(cls) -> Stop: ...
    def request(self) -> None:
        """Ask it to stop."""

    @property
    def requested(self) -> bool:
        """Whether a stop was requested."""

@final
class Settings:
    """Settings by name, whose values Python does not see. They are copied by reference, and not pickled.

    What is wrong with the mapping they are made of is raised when they are used.
    """

    def __new__(cls, values: object = None) -> Settings: ...
    @property
    def names(self) -> list[str]:
        """Their names, sorted."""

    def without(self, secrets: Sequence[str]) -> dict[str, str]:
        """Return the values of all but these."""

    def only(self, names: Sequence[str]) -> Settings:
        """Return these alone, as far as they are there."""

    def merged(self, other: Settings) -> Settings:
        """Return these, and those of another in their place where both have one."""

    def __copy__(self) -> Settings: ...
    def __deepcopy__(self, _memo: object) -> Settings: ...

@final
class Reader:
    """A stream that is being read, batch by batch. The first request is sent when the first batch is read."""

    def __new__(cls, request: str, settings: Settings, on_progress: _OnProgress | None = None) -> Reader: ...
    def next(self) -> bytes | None:
        """Wait for the next batch: a JSON array of records as received. None after the last one."""

    def next_async(self) -> Awaitable[bytes | None]:
        """As `next`, to be awaited."""

    def snapshot(self) -> Snapshot:
        """What was done so far."""

    @property
    def report(self) -> Report | None:
        """The report, once the stream was read to its end."""

    def close(self) -> None:
        """Send no more requests."""

@final
class Tables:
    """Makes tables of batches of a stream. The first batch decides the columns that the definition does not."""

    def __new__(cls, request: str) -> Tables: ...
    def convert(self, batch: bytes) -> Table:
        """Convert a batch, given as JSON array. The columns of the first one are those of all."""

    def table(self, reader: Reader) -> Table:
        """Read a stream to its end. New members become columns."""

    def stream(self, reader: Reader, at_end: Callable[[], Any]) -> CapsuleType:
        """Read a stream as an Arrow stream. Its columns are those of its first batch. `at_end` is called at its end."""

    def schema(self) -> Schema:
        """The columns as known by now: with their types and origins as JSON, and as Arrow."""

    def drift(self) -> str:
        """What drifted so far, as JSON."""

@final
class Table:
    """A table in memory."""

    def __len__(self) -> int: ...
    def __arrow_c_stream__(self, requested_schema: object = None) -> CapsuleType:
        """The table as an Arrow stream. Another schema than its own is not converted to."""

    def __arrow_c_schema__(self) -> CapsuleType: ...

@final
class Schema:
    """The columns of a table."""

    @property
    def columns(self) -> str:
        """With their types and origins, as JSON."""

    @property
    def names(self) -> list[str]:
        """Of all columns of the table."""

    def __arrow_c_schema__(self) -> CapsuleType: ...

def pull(request: str, settings: Settings, on_progress: _OnProgress | None = None, stop: Stop | None = None) -> Report:
    """Pull one stream; see `circulate_core.pull`."""

def pull_async(
    request: str, settings: Settings, on_progress: _OnProgress | None = None, stop: Stop | None = None
) -> Awaitable[Report]:
    """As `pull`, to be awaited."""

def promote(request: str, on_progress: _OnProgress | None = None, stop: Stop | None = None) -> Promoted:
    """Copy a run into a place for readers; see `circulate_core.promote`."""

def check(source: str, streams: Sequence[str], request: str, settings: Settings) -> Checked:
    """Ask a source once, without retries; see `circulate_core.check`."""

def mint(request: str, settings: Settings) -> str:
    """See to it that a profile's token file holds a token that is not due; return what may be shown of it."""

def token(profile: str, refused: str | None) -> Token:
    """Return the token of a profile, as its file has it; other than the one with the digest `refused`."""

def clear_tokens() -> Path:
    """Make the folder of token files, empty it, and return the path of the socket for requests of tokens."""

def verify(destination: str, key: str, state: str | None, s3: str) -> Verified:
    """Read everything a manifest names and compare it; see `circulate_core.verify`."""

def runs(state: str, limit: int) -> Runs:
    """Return the newest runs that a state knows, each with its stream."""

def state_show(state: str) -> list[StreamState]:
    """Return the state of all streams that a state knows."""

def state_init(state: str) -> bool:
    """Make a state; return whether there was none."""

def state_moved(state: str, source: str, account: str) -> str | None:
    """Forget where an account (`source#account`) was, which has moved; returns where that was."""

def state_reset(state: str, stream: str, force: bool) -> None:
    """Forget where the next run of a stream would begin, and give an unfinished run up; by force one being promoted."""

def state_decide(state: str, stream: str, run_id: str, commit: bool, force: bool) -> None:
    """Commit a pending run, or abandon it; by force one that is being promoted."""

def gc(destination: str, state: str, older_than_seconds: float, dry_run: bool, s3: str) -> Collected:
    """Remove what no manifest names; see `circulate_core.gc`."""

def streams(catalog: str) -> list[str]:
    """Return the names of all streams of a catalog, which is given as JSON."""

def definition(catalog: str, stream: str) -> str:
    """Return the definition of a stream."""

def source(catalog: str, name: str) -> str:
    """Return the definition of a source."""

def lambda_functions(folder: str | PathLike[str]) -> str:
    """Return the Lambda functions below a folder."""

def json_schemas() -> str:
    """Return the JSON Schemas of definitions, by file name."""

def shown(text: str, *, limit: int = 4_000, lines: bool = False) -> str:
    """Return a string as it may be shown: escapes for controls, `***` for secrets of this process, cut to a length."""

def span_seconds(text: str) -> float:
    """Return the seconds of a length of time such as `10m`."""
