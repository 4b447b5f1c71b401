"""Tables of a lake: what its committed runs say of a stream, now, at a time, or over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from circulate_core import _core
from circulate_core.catalogs import catalog_of
from circulate_core.exceptions import SettingsError
from circulate_core.results import LakeReport
from circulate_core.tables import Tabular

if TYPE_CHECKING:
    from collections.abc import Mapping

    from circulate_core.lakes import Lake
    from circulate_core.types import Catalog, Time

_OF_VIEW: Final = ("view", "at")
"""Options that say which table of a stream it is."""
_SHOWN: Final = ("at", "since", "until", "account")
_LISTS: Final = {"columns": "names of columns", "primary_key": "JSON Pointers, such as /id"}
"""Options that are lists, and of what."""


class LakeTable(Tabular):
    """A stream in a lake as a table, which is read when somebody asks for its rows: `lake["okta.users"]`.

    Only what manifests of committed runs name is read, and each object must be as it was written. Every table has a
    column `_account`; a history has `_run_id`, `_committed_at` and `_change` (`upsert` or `delete`), too. It is an
    Arrow stream, so `polars.DataFrame(table)`, `pyarrow.table(table)` and DuckDB take it as it is.

    Args:
        lake: Where it is.
        stream: `source.endpoint`.
        options: What is read of it, as `Lake.table` takes it.

    Raises:
        SettingsError: An option is none of its kind.
    """

    def __init__(self, lake: Lake, stream: str, options: Mapping[str, Any]) -> None:
        self.lake = lake
        """Where it is."""
        self.stream = stream
        """`source.endpoint`."""
        for name, what in _LISTS.items():
            _check_names(name, options[name], what)
        self._options = {**options}
        given = {**options, "identity": _identity(stream, options["primary_key"], options["catalog"])}
        del given["primary_key"], given["catalog"]
        self._read = _core.LakeTable(lake, stream, **given)

    def at(self, time: Time) -> LakeTable:
        """Return the table as it was at a time: what was current after the runs that were committed by then.

        Args:
            time: A `datetime`, a time in RFC 3339, a date, or a length of time such as `7d` for that long ago.

        Raises:
            SettingsError: The time is invalid, or this is a history, which has all of them.
        """
        return self._as({"at": _core.timestamp("at", time)})

    def history(self) -> LakeTable:
        """Return every version of every record, oldest first, and what was deleted when.

        A version that holds the same as the one before it is left out.
        """
        return self._as({"view": "history"})

    def changes(self, since: Time) -> LakeTable:
        """Return the part of the history that was committed after a time.

        Args:
            since: As `at` takes it.

        Raises:
            SettingsError: The time is invalid.
        """
        return self._as({"view": "changes", "since": _core.timestamp("since", since), "until": None})

    def select(self, *columns: str) -> LakeTable:
        """Return it with some columns only; others are not read.

        Args:
            columns: Names of columns; members of structs come with their struct.
        """
        return LakeTable(self.lake, self.stream, {**self._options, "columns": list(columns)})

    @property
    def columns(self) -> list[str]:
        """The names of its columns.

        Raises:
            CirculateError: The lake cannot be read, or has no such stream.
        """
        return list(self._read.schema.names)

    @property
    def report(self) -> LakeReport:
        """What the last reading read, and what is to be known about the table.

        Raises:
            CirculateError: The lake cannot be read, or has no such stream.
        """
        return LakeReport(self._read.report())

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Read it as an Arrow stream, by the Arrow PyCapsule interface."""
        return self._read.__arrow_c_stream__(requested_schema)

    def __arrow_c_schema__(self) -> object:
        """Return its columns as an Arrow schema."""
        return self._read.__arrow_c_schema__()

    def _table(self) -> _core.LakeTable:
        # An error is raised here as what it is; libraries make one of theirs of it.
        self._read.schema  # noqa: B018 - looks at what is to be read
        return self._read

    def _as(self, view: Mapping[str, Any]) -> LakeTable:
        if given := [name for name in _OF_VIEW if name in self._options]:
            message = f"this is a table by `{given[0]}` already: {self!r}"
            raise SettingsError(message, operation="read lake", hint="take the table of the lake: lake[...]")
        return LakeTable(self.lake, self.stream, {**self._options, **view})

    def __repr__(self) -> str:
        """Name it, and say which table of its stream it is."""
        shown = [
            self._options.get("view", ""),
            *(f"{name} {self._options[name]}" for name in _SHOWN if self._options.get(name)),
        ]
        return f"<LakeTable {' '.join([self.stream, 'of', self.lake.location, *filter(None, shown)])}>"


def _check_names(name: str, given: object, what: str) -> None:
    """Refuse what is not a list of names.

    Raises:
        SettingsError: It is none.
    """
    if given is None:
        return
    names = list(given) if isinstance(given, Sequence) and not isinstance(given, str) else []
    if not names or not all(isinstance(each, str) for each in names):
        message = f"invalid `{name}`: expected a list of {what}, given {given!r}"
        raise SettingsError(message, operation="read lake")
    if name == "primary_key" and (wrong := [each for each in names if not each.startswith("/")]):
        message = f"invalid `{name}`: {wrong[0]!r} is not a JSON Pointer"
        raise SettingsError(message, operation="read lake", hint=f"it starts with a slash: /{wrong[0]}")


def _identity(stream: str, primary_key: Sequence[str] | None, catalog: Catalog) -> dict[str, Any] | None:
    """Return what the definition of a stream says of its records, for runs that do not say it themselves."""
    known = catalog_of(catalog).identity(stream)
    if primary_key is None:
        return known
    return {"kind": "entity", **(known or {}), "primary_key": list(primary_key)}
