"""Rust engine of `circulate_core`. Private: use the names of the package.

Options are dicts, whose items `declared_options` names; definitions are as `circulate_core.types` has them.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Final, TypeAlias, final

from typing_extensions import CapsuleType

from circulate_core.lakes import Lake
from circulate_core.results import (
    Checked,
    Collected,
    Promoted,
    Registered,
    Report,
    Runs,
    Snapshot,
    StreamState,
    Token,
    Verified,
)

_OnProgress: TypeAlias = Callable[[Snapshot], object]
"""Takes progress, about ten times a second."""

__all__ = [
    "VERSION",
    "Account",
    "Catalog",
    "DeclaredOption",
    "LakeTable",
    "Reader",
    "Schema",
    "Settings",
    "Stop",
    "Table",
    "Tables",
    "account_address",
    "account_name",
    "apply",
    "approve",
    "aws_user_id",
    "call",
    "check",
    "check_lake",
    "check_options",
    "clear_tokens",
    "declared_options",
    "fetch",
    "gc",
    "hooks_at_work",
    "json_of_yaml",
    "json_schemas",
    "lake_runs",
    "lake_streams",
    "lambda_functions",
    "ledger_entries",
    "log_out",
    "mark_committed",
    "mint",
    "plan",
    "plan_entries",
    "plan_undo",
    "playbook_inputs",
    "promote",
    "pull",
    "pull_async",
    "register",
    "reveals",
    "run_manifests",
    "runs",
    "shown",
    "span_seconds",
    "state_decide",
    "state_init",
    "state_moved",
    "state_reset",
    "state_show",
    "timestamp",
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
class Catalog:
    """Where definitions are: folders, and what is defined in code."""

    def __new__(
        cls,
        folders: Sequence[str | PathLike[str]],
        inline: Mapping[str, Any] | None = None,
        without_hooks: Mapping[str, str] | None = None,
    ) -> Catalog: ...
    def streams(self) -> list[str]:
        """Return the names of all streams, sorted."""

    def stream(self, name: str) -> dict[str, Any]:
        """Return the definition of a stream."""

    def identity(self, name: str) -> dict[str, Any] | None:
        """What identifies the records of a stream, and the columns that it declares; None if nothing defines it."""

    def earlier_keys(self, name: str) -> list[str]:
        """Return where the definition of a stream has keys by their earlier names, and what these are called now."""

    def hook_files(self, name: str) -> list[tuple[str, bytes]]:
        """Return names and bytes of the files with the hooks of a stream."""

    def files(self, source: str) -> list[tuple[str, str]]:
        """Return names and texts of the files that would define what is defined in code of a source."""

    def says_the_same(self, source: str, file: str, text: str) -> bool:
        """Return whether a text says what the file of that name would say, in whatever words."""

    def playbook(self, text: str, file: str | PathLike[str]) -> dict[str, Any]:
        """A playbook in YAML, whose operations are defined here; `file` is for messages."""

    def source(self, name: str) -> dict[str, Any]:
        """Return the definition of a source."""

@final
class Account:
    """Which account of a source, and how to reach it. Python sees none of it."""

    def __new__(
        cls,
        catalog: Catalog,
        settings: Settings,
        secret: str | None = None,
        name: str | None = None,
        options: dict[str, Any] | None = None,
    ) -> Account: ...
    def recorded(self, recorder: object, at: object) -> Account:
        """Return the same, whose pulls hand what they request and get to `begin`, `admits` and `take` of an object."""

    def replayed(self, server: str, at: object, on_write: Callable[[str], object] | None = None) -> Account:
        """Return the same, whose pulls get the responses of a recording's server, at a time. Waits take no time."""

    @property
    def skipped(self) -> float:
        """Seconds of waits that its replays did not take."""

def account_name(account: Account, source: str) -> str:
    """The name of an account in keys and state. Nothing is requested of it."""

@final
class DeclaredOption:
    """What is declared of an option."""

    @property
    def group(self) -> str:
        """Title of its group."""

    @property
    def name(self) -> str:
        """Its name in Python, such as `batch_bytes`."""

    @property
    def kind(self) -> str:
        """Its kind of value: `TIME`, `SPAN`, `SIZE`, `N`, `NAME`, `CHOICE` or `FLAG`."""

    @property
    def choices(self) -> list[str]:
        """Its values, if it is a choice."""

    @property
    def default(self) -> str | None:
        """Its default as people write it; None if it may be left out, or must be given."""

    @property
    def left_out(self) -> str | None:
        """What it is if it is left out, if that is not one value."""

    @property
    def about(self) -> str:
        """What it does. The first sentence is complete by itself."""

@final
class Reader:
    """A stream that is being read, batch by batch. The first request is sent when the first batch is read."""

    def __new__(
        cls, stream: str, account: Account, options: dict[str, Any], on_progress: _OnProgress | None = None
    ) -> Reader: ...
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

    def __new__(cls, catalog: Catalog, stream: str, options: dict[str, Any]) -> Tables: ...
    def convert(self, batch: bytes) -> Table:
        """Convert a batch, given as JSON array. The columns of the first one are those of all."""

    def table(self, reader: Reader) -> Table:
        """Read a stream to its end. New members become columns."""

    def stream(self, reader: Reader, at_end: Callable[[], Any]) -> CapsuleType:
        """Read a stream as an Arrow stream. Its columns are those of its first batch. `at_end` is called at its end."""

    def schema(self) -> Schema:
        """The columns as known by now: with their types and origins, and as Arrow."""

    def drift(self) -> dict[str, Any]:
        """What drifted so far."""

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
    def columns(self) -> dict[str, Any]:
        """With their types and origins."""

    @property
    def names(self) -> list[str]:
        """Of all columns of the table."""

    def __arrow_c_schema__(self) -> CapsuleType: ...

def pull(
    stream: str,
    lake: Lake,
    account: Account,
    options: dict[str, Any],
    on_progress: _OnProgress | None = None,
    stop: Stop | None = None,
) -> Report:
    """Pull one stream; see `circulate_core.pull`."""

def pull_async(
    stream: str,
    lake: Lake,
    account: Account,
    options: dict[str, Any],
    on_progress: _OnProgress | None = None,
    stop: Stop | None = None,
) -> Awaitable[Report]:
    """As `pull`, to be awaited."""

def promote(
    lake: Lake,
    manifest: str,
    to: str,
    options: dict[str, Any],
    on_progress: _OnProgress | None = None,
    stop: Stop | None = None,
) -> Promoted:
    """Copy a run of a lake into a place for readers; see `circulate_core.promote`."""

def run_manifests(lake: Lake, stream: str | None = None) -> list[str]:
    """Return the keys of the manifests of all runs of a lake, or of a stream there, oldest first."""

def register(
    lake: Lake,
    manifest: str,
    to: str,
    database: str,
    options: dict[str, Any],
    on_progress: _OnProgress | None = None,
    stop: Stop | None = None,
) -> Registered:
    """Bring a run of a lake into a table of the Glue Data Catalog; see `circulate_core.register`."""

def call(
    operation: str,
    parameters: str,
    account: Account,
    options: dict[str, Any],
    on_progress: Callable[[Snapshot], object] | None = None,
) -> tuple[str, object]:
    """Call an operation that reads: `source.endpoint.operation` with its parameters as JSON.

    Return the account's name, and what it returns.
    """

def plan(
    operation: str,
    calls: list[str],
    account: Account,
    options: dict[str, Any],
    on_progress: Callable[[Snapshot], object] | None = None,
) -> dict[str, Any]:
    """Plan calls of an operation, each with its parameters as JSON, and keep the plan; see `circulate_core.plan`."""

def plan_undo(
    operation: str,
    digest: str,
    account: Account,
    options: dict[str, Any],
    on_progress: Callable[[Snapshot], object] | None = None,
) -> dict[str, Any]:
    """Plan the undoing of what a plan did, and keep that plan; see `circulate_core.undo`."""

def approve(operation: str, digest: str, account: Account, options: dict[str, Any]) -> dict[str, Any]:
    """Approve a plan; see `circulate_core.approve`."""

def apply(
    operation: str,
    digest: str,
    account: Account,
    options: dict[str, Any],
    approvers: Sequence[str] | None = None,
    on_progress: Callable[[Snapshot], object] | None = None,
) -> dict[str, Any]:
    """Apply a plan; see `circulate_core.apply`. Who asks agrees to it, or one of the `approvers` has."""

def account_address(source: str, account: Account) -> str:
    """Where an account of a source is, as plans have it."""

def aws_user_id() -> str:
    """Return who uses AWS here, as IAM has it in `aws:userid`."""

def ledger_entries(source: str, limit: int, account: Account, ledger: str) -> list[dict[str, Any]]:
    """Return the rows of the ledger of an account, the newest first."""

def plan_entries(operation: str, digest: str, account: Account, options: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of a plan, of its calls that were begun; see `circulate_core.changing.rows_of`."""

def playbook_inputs(playbook: str, inputs: str, given: str) -> dict[str, Any]:
    """Check the inputs of a playbook, and return them with its defaults. Both are JSON."""

def check(source: str, streams: Sequence[str], account: Account) -> Checked:
    """Ask a source once, without retries; see `circulate_core.check`."""

def fetch(source: str, url: str, account: Account) -> tuple[int, list[tuple[str, str]], bytes]:
    """Request an address of a source's own origin; return status, headers, and the body as it was received."""

def mint(account: Account, arguments: dict[str, Any]) -> dict[str, Any]:
    """See to it that a profile's token file holds a token that is not due; return what may be shown of it."""

def token(profile: str, refused: str | None) -> Token:
    """Return the token of a profile, as its file has it; other than the one with the digest `refused`."""

def log_out(seconds: float = 5.0) -> None:
    """Log out of all sessions, as far as their servers let us within some seconds; Python calls it when it ends."""

def clear_tokens() -> Path:
    """Make the folder of token files, empty it, and return the path of the socket for requests of tokens."""

def verify(lake: Lake, manifest: str) -> Verified:
    """Read everything a manifest of a lake names and compare it; see `circulate_core.verify`."""

def runs(state: str, limit: object) -> Runs:
    """Return the newest runs that a state knows, each with its stream."""

@final
class LakeTable:
    """A stream's table in a lake: over its committed runs only, whatever format they have.

    `stream` is `source.endpoint`. Views:

    - `current`: the newest version of each record that was not deleted; events are there once each.
    - `history`: every version that differs from the one before it, with `_run_id`, `_committed_at` and `_change`
      (`upsert` or `delete`; a deleted record has its key and nothing else).
    - `changes`: the history of runs that were committed after `since`.

    `at` leaves out runs that were committed later. `since` and `until` of the other views select by the records' own
    time. `columns` are those that are wanted, in this order. `identity` (`kind`, `primary_key`, `parents`, `version`,
    `time`, and the definition's `columns`) is for runs by older versions, which do not say it. The state of the lake
    says which runs count, in a place without markers. Nothing is read before `schema`, `report` or
    `__arrow_c_stream__` is. It can be read any number of times.
    """

    def __new__(
        cls,
        lake: Lake,
        stream: str,
        *,
        account: str | None = None,
        view: str = "current",
        at: object = None,
        since: object = None,
        until: object = None,
        columns: Sequence[str] | None = None,
        identity: dict[str, Any] | None = None,
        memory: object = None,
    ) -> LakeTable: ...
    @property
    def schema(self) -> Schema:
        """The columns."""

    def report(self) -> dict[str, Any]:
        """Return what was read, and what is to be known about it: runs that do not count, records without a key."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> CapsuleType: ...
    def __arrow_c_schema__(self) -> CapsuleType: ...

def lake_runs(lake: Lake, stream: str | None = None) -> list[dict[str, Any]]:
    """Return the committed runs of a lake, or of one stream of it, and whether their objects are still there."""

def lake_streams(lake: Lake) -> list[dict[str, Any]]:
    """Return the streams that a lake has manifests of: accounts, kind, key, runs that count, and those that do not."""

def mark_committed(lake: Lake) -> dict[str, int]:
    """Create the markers of all committed runs of a lake; see `circulate_core.upkeep.mark_committed`."""

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

def gc(lake: Lake, options: dict[str, Any]) -> Collected:
    """Remove what no manifest of a lake names; see `circulate_core.gc`."""

def hooks_at_work() -> int:
    """Return how many threads are in a hook, those included that nobody waits for any more."""

def declared_options(function: str) -> list[DeclaredOption]:
    """Return the options of `pull`, `promote`, `register`, `gc`, `s3` or `account`, in order."""

def check_lake(lake: Lake) -> None:
    """Refuse a lake that can be none, or whose state is not known."""

def check_options(function: str, options: dict[str, Any]) -> None:
    """Refuse options that are wrong, as the function that takes them would."""

def lambda_functions(folder: str | PathLike[str]) -> list[dict[str, Any]]:
    """Return the Lambda functions below a folder."""

def json_schemas() -> dict[str, Any]:
    """Return the JSON Schemas of definitions, by file name."""

def shown(text: str, *, limit: int = 4_000, lines: bool = False) -> str:
    """Return a string as it may be shown: escapes for controls, `***` for secrets of this process, cut to a length."""

def reveals(text: str) -> bool:
    """Return whether a secret that this process uses stands in a text, in whatever form."""

def json_of_yaml(text: str) -> str:
    """Return a YAML document as JSON text, its members in their order. Raises ValueError with line and column."""

def timestamp(name: str, given: object) -> str:
    """Return a time as it is given to an option, as RFC 3339."""

def span_seconds(name: str, given: object) -> float:
    """Return the seconds of a length of time as it is given to an option."""
