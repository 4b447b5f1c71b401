"""Lakes: where objects and manifests are, where state is, and how buckets are used."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, NoReturn, cast

from circulate_core.exceptions import SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    import duckdb

    from circulate_core.lake_tables import LakeTable
    from circulate_core.results import LakeStreams
    from circulate_core.types import Catalog, S3Options, Size, Time

_OPERATION = "read options"
_MISTYPED = re.compile(r"[a-z][a-z0-9]*:/")
_PLACES = {
    "to": "give a folder (`.` is this one), or s3://bucket/prefix",
    "state": "give a file, or dynamodb://table",
    "manifest": "give the path or s3:// URI of a manifest",
}
_NAME_STATE = (
    "name it with `state`: dynamodb://TABLE (`circulate state init` makes it), or a file if only this machine pulls"
    " there"
)
"""As the engine says it."""


class Lake:
    """A place to pull to and to read from, with its state. Nothing is opened or made before something is read.

    Functions that take `to` take a lake. `lake["okta.users"]` is a table of it, `lake.sql(...)` a query over its
    tables.

    Args:
        location: Folder, or `s3://bucket/prefix`.
        state: State file, or `dynamodb://table`. Default: `.circulate/state.db` in a folder; none for a bucket.
        s3: How a bucket is used: encryption, and the account that must own it.

    Raises:
        SettingsError: It can be no such place.

    Example:
        ```python
        lake = circulate_core.Lake("./lake")  # or ("s3://acme-lake/raw", state="dynamodb://circulate")
        circulate_core.pull("okta.users", to=lake)
        lake["okta.users"].polars()
        lake.sql("SELECT status, count(*) FROM okta.users GROUP BY ALL")
        ```
    """

    __slots__ = ("location", "s3", "state")

    location: str
    """Absolute path of its folder, or its URI."""
    state: str | None
    """Absolute path of its state file, or `dynamodb://table`; None if a bucket's was not given."""
    s3: S3Options
    """How a bucket is used."""

    def __init__(
        self, location: str | PathLike[str], *, state: str | PathLike[str] | None = None, s3: S3Options | None = None
    ) -> None:
        scheme, found, prefix = _location("to", location).rpartition("://")
        found = f"{scheme}://{prefix.rstrip('/')}" if found else prefix
        if not isinstance(cast("object", s3 or {}), Mapping):
            message = f"invalid `s3`: expected options by name, given {s3!r}"
            raise SettingsError(message, operation=_OPERATION)
        for name, value in (
            ("location", found),
            ("state", _default_state(found) if state is None else _location("state", state)),
            ("s3", {**s3} if s3 else {}),
        ):
            object.__setattr__(self, name, value)

    def tables(self) -> LakeStreams:
        """Return the tables there are: a stream each, by the manifests of committed runs.

        Raises:
            StateError: The lake is of before 0.2, and nothing says which of its runs count.
            MismatchError: A manifest was changed.
        """
        from circulate_core import _core  # noqa: PLC0415 - for those who read lakes
        from circulate_core.results import LakeStream, LakeStreams  # noqa: PLC0415 - see above

        found = _core.lake_streams(self)
        return LakeStreams([LakeStream({**each, "primary_key": each["primary_key"] or []}) for each in found])

    def __getitem__(self, stream: str) -> LakeTable:
        """Return the current table of a stream; see `table`."""
        return self.table(stream)

    def table(  # noqa: PLR0913 - each narrows what is read in a way of its own
        self,
        stream: str,
        *,
        account: str | None = None,
        columns: Sequence[str] | None = None,
        since: Time | None = None,
        until: Time | None = None,
        primary_key: Sequence[str] | None = None,
        memory: Size = "256MB",
        catalog: Catalog = (),
    ) -> LakeTable:
        """Return a stream as a table, which is read when somebody asks for its rows.

        Args:
            stream: `source.endpoint`, such as `okta.users`.
            account: One account only. Default: all, in the column `_account`.
            columns: These columns only, in this order; others are not read.
            since: Inclusive lower bound of the times that the stream is selected by, such as `7d` for a week ago.
            until: Exclusive upper bound, as `since`.
            primary_key: JSON Pointers of what identifies a record, of runs by versions before 0.2, which do not say it.
                Default: what the definition of the stream says.
            memory: Memory that reading takes, whatever the size of the table.
            catalog: Folders of definitions that come before the shipped ones, for columns that they declare.

        Raises:
            SettingsError: There is no such stream, account or column.
            MismatchError: What a manifest names is missing, or is not as it was written.
        """
        from circulate_core.lake_tables import LakeTable  # noqa: PLC0415 - for those who read lakes

        if not isinstance(cast("object", stream), str):
            message = f"invalid `stream`: expected source.endpoint, such as okta.users, given {stream!r}"
            raise SettingsError(message, operation="read lake")
        options = {"account": account, "columns": columns, "since": since, "until": until}
        return LakeTable(self, stream, {**options, "primary_key": primary_key, "memory": memory, "catalog": catalog})

    def sql(
        self,
        query: str,
        *,
        at: Time | None = None,
        memory: Size = "256MB",
        catalog: Catalog = (),
        connection: duckdb.DuckDBPyConnection | None = None,
    ) -> duckdb.DuckDBPyRelation:
        """Return the rows of a query, as a relation of DuckDB: `pip install "circulate-core[duckdb]"`.

        The current table of a stream is `okta.users`; `history.okta.users` is its history. Only the columns that the
        query names are read.

        Args:
            query: One SELECT in DuckDB's dialect.
            at: Have tables as they were at a time; see `LakeTable.at`.
            memory: Memory that reading a table takes; DuckDB takes its own.
            catalog: As for `table`.
            connection: Whose relation it is. Default: one of its own.

        Raises:
            SettingsError: It is no such statement, or it names a table or column that is not there.
        """
        from circulate_core import _core  # noqa: PLC0415 - for those who read lakes
        from circulate_core.lake_sql import query as run  # noqa: PLC0415 - see above

        # One time for all tables; and it is one, whatever the query names.
        then = None if at is None else _core.timestamp("at", at)

        def table_of(stream: str, in_history: bool) -> LakeTable:  # noqa: FBT001 - of this function
            table = self.table(stream, memory=memory, catalog=catalog)
            if in_history:
                return table.history()
            return table if then is None else table.at(then)

        return run(query, [each.stream for each in self.tables()], table_of, connection)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        """Refuse a change: make another lake."""
        message = f"a Lake cannot be changed: {name}"
        raise AttributeError(message)

    def __reduce__(self) -> tuple[object, ...]:
        """Copy and pickle it by what it was made of."""
        return _made, (self.location, self.state, self.s3)

    def __repr__(self) -> str:
        """Name it, its state and how its bucket is used."""
        # Tools that show local variables see it before it is made, too.
        location = getattr(self, "location", "")
        own = getattr(self, "state", None)
        state = f", state={own!r}" if own != _default_state(location) else ""
        s3 = getattr(self, "s3", {})
        return f"Lake({location!r}{state}{f', s3={s3!r}' if s3 else ''})"

    def __eq__(self, other: object) -> bool:
        """Whether the other is the same place, used in the same way."""
        return isinstance(other, Lake) and repr(self) == repr(other)

    def __hash__(self) -> int:
        """Hash what makes two lakes equal."""
        return hash(repr(self))


def lake(
    place: str | PathLike[str] | Lake, *, state: str | PathLike[str] | None = None, s3: S3Options | None = None
) -> Lake:
    """Return a lake to read: its tables, SQL over them, what is current, what was, and what changed.

    Args:
        place: Folder or `s3://bucket/prefix` that was pulled or promoted to.
        state: State file, or `dynamodb://table`; only needed for lakes of before 0.2 that no `circulate verify --mark`
            has been run over. Default: `.circulate/state.db` in a folder.
        s3: How a bucket is used.

    Raises:
        SettingsError: It can be no such place.

    Example:
        ```python
        lake = circulate_core.lake("./lake")
        lake.tables()
        lake["okta.users"].pandas()  # now; .at("7d") a week ago; .history(); .changes("7d")
        lake.sql("SELECT status, count(*) FROM okta.users GROUP BY ALL")
        ```
    """
    return lake_of(place, state, s3)


def _made(location: str, state: str | None, s3: S3Options) -> Lake:
    return Lake(location, state=state, s3=s3)


def _default_state(location: str) -> str | None:
    # `os.path`, since `pathlib` is slow to import.
    return None if "://" in location else os.path.join(location, ".circulate", "state.db")  # noqa: PTH118


def lake_of(
    to: str | PathLike[str] | Lake, state: str | PathLike[str] | None = None, s3: S3Options | None = None
) -> Lake:
    """Return the lake that the arguments of a function name.

    Raises:
        SettingsError: They name none, or one that has a state and options of its own.
    """
    if not isinstance(to, Lake):
        return Lake(to, state=state, s3=s3)
    if state is not None or s3 is not None:
        message = f"`{'s3' if state is None else 'state'}` is given beside a Lake, which has its own"
        raise SettingsError(message, operation=_OPERATION, hint="give it to the Lake")
    return to


def state_of(lake: str | PathLike[str] | Lake) -> str:
    """Return where the state is that is meant by a lake, a folder that was pulled to, a state file or a table.

    Raises:
        SettingsError: It is a bucket, whose state may be anywhere.
    """
    if not isinstance(lake, Lake):
        path = _location("state", lake)
        if "://" in path and not path.startswith("s3://"):
            return path
        if "://" not in path and not os.path.isdir(path):  # noqa: PTH112 - as above
            return path
        lake = Lake(path)
    if lake.state is None:
        message = f"the state of {lake.location} must be named"
        raise SettingsError(message, operation=_OPERATION, hint=_NAME_STATE)
    return lake.state


def lake_and_key(
    manifest: str | PathLike[str], state: str | PathLike[str] | None, s3: S3Options | None
) -> tuple[Lake, str]:
    """Return the lake that a manifest is in, and its key there.

    Raises:
        SettingsError: It is not where manifests are.
    """
    path = _location("manifest", manifest)
    location, found, key = path.rpartition("/_circulate/")
    if not found:
        message = f"{path} is not below a `_circulate` folder, where manifests are"
        hint = "a pull names the manifest of its run when it is done, and so does `circulate runs --json`"
        raise SettingsError(message, hint=hint)
    return Lake(location, state=state, s3=s3), f"_circulate/{key}"


def _location(name: str, given: str | PathLike[str]) -> str:
    """Return a place in full: the absolute path of a folder or file, or a URI as it is.

    Raises:
        SettingsError: It can be neither, or is likely to be a URI that was mistyped.
    """
    try:
        text = os.fspath(given)
    except TypeError:
        message = f"invalid `{name}`: expected a path or a URI, given {given!r}"
        raise SettingsError(message, operation=_OPERATION) from None
    if isinstance(text, str) and not _is_unicode(text):
        message = f"invalid `{name}`: {text!r} is not Unicode"
        raise SettingsError(message, operation=_OPERATION)
    if not isinstance(text, str) or text.strip() in {"", "-"} or "\0" in text:
        message = f"invalid `{name}`: {text!r} names no folder or bucket"
        raise SettingsError(message, operation=_OPERATION, hint=_PLACES[name])
    if "://" in text:
        return text
    if _MISTYPED.match(text):
        message = f"invalid `{name}`: {text!r} looks like a URI, but has no `://`"
        raise SettingsError(message, operation=_OPERATION, hint=f"{_PLACES[name]}; ./{text} is a folder of that name")
    try:
        return os.path.abspath(os.path.expanduser(text))  # noqa: PTH100, PTH111 - as above
    except FileNotFoundError:
        message = f"invalid `{name}`: {text!r} is relative to a working folder that was removed"
        raise SettingsError(message, operation=_OPERATION) from None


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
