"""Records as tables, in whatever library a person works with; none of them is needed otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, overload

from circulate_core import display

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    import duckdb
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from circulate_core import _core
    from circulate_core.types import TableColumn


class Tabular:
    """Base of what can be read as a table."""

    def _table(self) -> _core.Table | _core.LakeTable:
        """Return it as what libraries take as a table."""
        raise NotImplementedError

    def arrow(self) -> pa.Table:
        """Return it as a `pyarrow.Table`."""
        table: pa.Table = library("pyarrow").table(self._table())
        return table

    def pandas(self) -> pd.DataFrame:
        """Return it as a `pandas.DataFrame`.

        Whole numbers and truth values are of types that can hold nulls, so that none of them becomes a floating point
        number. Times are in UTC. Structs are dicts, and lists are arrays. It takes pyarrow, too.
        """
        pyarrow, pandas = library("pyarrow"), library("pandas")
        types = {pyarrow.int64(): pandas.Int64Dtype(), pyarrow.bool_(): pandas.BooleanDtype()}
        frame: pd.DataFrame = pyarrow.table(self._table()).to_pandas(types_mapper=types.get)
        return frame

    def polars(self) -> pl.DataFrame:
        """Return it as a `polars.DataFrame`."""
        frame: pl.DataFrame = library("polars").DataFrame(self._table())
        return frame

    def duckdb(self, connection: duckdb.DuckDBPyConnection | None = None) -> duckdb.DuckDBPyRelation:
        """Return it as a relation of DuckDB.

        To hand times to Python, as `fetchall` does, DuckDB needs pytz, which it does not install:
        `pip install "circulate-core[duckdb]"` installs both.

        Args:
            connection: Whose relation it is. Default: the one that DuckDB shares in a process.
        """
        using = connection or library("duckdb", '"circulate-core[duckdb]"')
        relation: duckdb.DuckDBPyRelation = using.from_arrow(self._table())
        return relation


def library(name: str, requirement: str | None = None) -> ModuleType:
    """Import a library that makes tables; `requirement` installs it, if its name does not.

    Raises:
        ImportError: It is not installed.
    """
    import importlib  # noqa: PLC0415 - only for those who ask for tables

    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        message = f"this needs {name}: pip install {requirement or name}"
        raise ModuleNotFoundError(message, name=name) from None


class Column(NamedTuple):
    """A column of a table."""

    name: str
    """Its name."""
    type: str
    """Its type, such as `string` or `struct<login: string>`; `json` is the text of any JSON value."""
    declared: bool
    """Whether the definition of the stream declares it; otherwise it was inferred from records."""


class Schema(Sequence[Column]):
    """The columns of a table; other libraries take it as an Arrow schema."""

    def __init__(self, schema: _core.Schema, nested: str = "struct") -> None:
        self._schema = schema
        described = schema.columns
        ours = [
            *(f"_parent_{name}" for name in described.get("parent", [])),
            *(["_key"] if "keyed" in described else []),
        ]
        own = [Column(name, "string", declared=True) for name in ours]
        # Of members whose names are one when objects are flattened, the first has the column.
        named = {column.name: column for column in reversed([*own, *_columns(described["columns"], nested)])}
        self._columns = [named[name] for name in schema.names if name in named]
        members = (
            _members(described["columns"]) if nested == "struct" else ((0, each) for each in self._columns[len(own) :])
        )
        self._lines = [*((0, each) for each in own), *members]

    @overload
    def __getitem__(self, index: int) -> Column: ...

    @overload
    def __getitem__(self, index: slice) -> list[Column]: ...

    def __getitem__(self, index: int | slice) -> Column | list[Column]:
        """Return a column, or some."""
        return self._columns[index]

    def __len__(self) -> int:
        """Return how many columns there are, without `_rescued` and `_raw`."""
        return len(self._columns)

    def __arrow_c_schema__(self) -> object:
        """Return it as an Arrow schema, with `_rescued` and, if requested, `_raw`."""
        return self._schema.__arrow_c_schema__()

    def __repr__(self) -> str:
        """Show a column a line."""
        width = max((len(column.name) for column in self), default=0)
        lines = [f"{column.name:{width}}  {column.type}{'' if column.declared else '  (inferred)'}" for column in self]
        return "\n".join(lines) or "<Schema without columns>"

    def _repr_html_(self) -> str:
        """Show a member a line in a notebook, those of structs below their struct."""
        return display.html(self, self._lines)


def _columns(members: list[TableColumn], nested: str, before: str = "") -> Iterator[Column]:
    """Give the columns of members, as tables lay them out."""
    for member in members:
        name, type_, declared = before + member["name"], member["type"], member.get("declared", False)
        if isinstance(type_, str):
            yield Column(name, type_, declared)
        elif nested == "json":
            yield Column(name, "json", declared)
        elif nested == "flatten" and "struct" in type_:
            yield from _columns(type_["struct"], nested, f"{name}__")
        else:
            yield Column(name, _type(type_), declared)


def _members(members: list[TableColumn], depth: int = 0) -> Iterator[tuple[int, Column]]:
    """Give members as lines, each with how deep it lies; members of structs come after their struct."""
    for member in members:
        lists, inside = "", member["type"]
        while isinstance(inside, dict) and "list" in inside:
            lists, inside = f"{lists}list of ", inside["list"] or "string"
        kind = f"{lists}{'struct' if isinstance(inside, dict) else inside}"
        yield depth, Column(member["name"], kind, member.get("declared", False))
        if isinstance(inside, dict):
            yield from _members(inside["struct"], depth + 1)


def _type(kind: str | dict[str, Any]) -> str:
    """Return a type as text."""
    if isinstance(kind, str):
        return kind
    if "struct" in kind:
        members: list[TableColumn] = kind["struct"]
        inside = (f"{member['name']}: {_type(member['type'])}" for member in members)
        return f"struct<{', '.join(inside)}>"
    return f"list<{_type(kind['list'])}>"
