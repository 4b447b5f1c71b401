"""SQL over a lake, by DuckDB: `okta.users` is the current table of a stream, `history.okta.users` its history."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from circulate_core.exceptions import SettingsError
from circulate_core.tables import library

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import duckdb

    from circulate_core.lake_tables import LakeTable

HISTORY: Final = "history"
"""The catalog of the tables that have every version."""
_OPERATION: Final = "run SQL"
_READING: Final = frozenset({"SELECT", "EXPLAIN", "MULTI"})
"""Kinds of statements that only read; PIVOT is several."""


class _Query(NamedTuple):
    """What a query names."""

    tables: frozenset[tuple[str, str, str]] | None
    """Catalog, schema and name of each table; None if the statement does not say it in a way that can be read."""
    words: frozenset[str]
    """All words in it, in small letters."""
    columns: frozenset[str] | None
    """Words that may be columns; None if it may need any column."""


def query(
    sql: str,
    streams: Sequence[str],
    table_of: Callable[[str, bool], LakeTable],
    connection: duckdb.DuckDBPyConnection | None = None,
) -> duckdb.DuckDBPyRelation:
    """Return the rows of a query as a relation, which reads what it needs when it is read itself.

    Args:
        sql: One statement that returns rows.
        streams: The streams of the lake.
        table_of: Returns the table of a stream; or its history, if the second argument is true.
        connection: Whose relation it is. Default: one of its own, which installs no extension.

    Raises:
        SettingsError: It is no such statement, or it names what is not there.
    """
    made_by = library("duckdb", '"circulate-core[duckdb]"')
    using: duckdb.DuckDBPyConnection = connection or made_by.connect(config={"autoinstall_known_extensions": "false"})
    if not isinstance(cast("object", sql), str):
        message = f"invalid `query`: expected text, given {sql!r}"
        raise SettingsError(message, operation=_OPERATION)
    try:
        statements = using.extract_statements(sql)
        if [statement.type.name in _READING for statement in statements] != [True]:
            kinds = ", ".join(statement.type.name for statement in statements)
            message = f"expected one statement that reads, found {kinds or 'none'}"
            raise SettingsError(message, operation=_OPERATION, hint="give one SELECT")
        if re.match(r"\s*show\s+(all\s+)?tables\b", sql, re.IGNORECASE):
            message = "SHOW TABLES is not for lakes: DuckDB knows only the tables that a query names"
            raise SettingsError(message, operation=_OPERATION, hint=_tables_there(streams))
        read = _read(using, sql)
        for stream in streams:
            for in_history in (False, True):
                if _names(read, stream, in_history):
                    _define(using, stream, in_history, _pruned(table_of(stream, in_history), read))
        return using.sql(sql)
    except made_by.Error as error:
        raise _as_ours(str(error).strip(), streams) from None


def _as_ours(message: str, streams: Sequence[str]) -> SettingsError:
    """Return what DuckDB says of a query, with the tables there are if one that it names is not there."""
    if not (named := re.match(r"Catalog Error: Table with name \"?([\w.]+)", message)):
        return SettingsError(message, operation=_OPERATION)
    # DuckDB proposes tables of its own.
    what = re.sub(r"does not exist.*", "does not exist", message, flags=re.DOTALL)
    return SettingsError(what, operation=_OPERATION, hint=_tables_there(streams, named[1]))


def _tables_there(streams: Sequence[str], named: str = "") -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - for mistakes only

    if not streams:
        return "this lake has no tables: pull a stream first"
    words = {each: each for each in streams} | {each.partition(".")[2]: each for each in reversed(streams)}
    likely = [words[word] for word in get_close_matches(named.lower(), words, 1)]
    meant = f"did you mean `{likely[0]}`? " if likely else ""
    return f"{meant}the tables there: {', '.join(streams)}"


def _read(using: duckdb.DuckDBPyConnection, sql: str) -> _Query:
    """Return what a query names, by DuckDB's own parser where it can."""
    words = frozenset(re.findall(r"\w+", sql.lower()))
    [(text,)] = using.execute("SELECT json_serialize_sql(?::VARCHAR)", [sql]).fetchall()
    document = json.loads(text)
    if document.get("error", True):
        # Such as PIVOT and DESCRIBE; what cannot be parsed at all is refused when it is run.
        return _Query(None, words, None)
    nodes = list(_nodes(document))
    tables = frozenset(
        tuple(str(node.get(part, "")).lower() for part in ("catalog_name", "schema_name", "table_name"))
        for node in nodes
        if node.get("type") == "BASE_TABLE"
    )
    aliases = {str(node["alias"]).lower() for node in nodes if node.get("alias") and "table_name" in node}
    rows = {table[2] for table in tables} | aliases
    # A star, a row as a whole, and a natural join need columns that they do not name.
    open_ended = any(
        node.get("class") == "STAR"
        or node.get("ref_type") == "NATURAL"
        or (node.get("class") == "COLUMN_REF" and [str(n).lower() for n in node["column_names"]][-1] in rows)
        for node in nodes
    )
    return _Query(tables, words, None if open_ended else frozenset(_texts(document)))  # type: ignore[arg-type]


def _nodes(value: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _nodes(each)


def _texts(value: Any) -> Iterator[str]:  # noqa: ANN401 - JSON
    if isinstance(value, str):
        yield value.lower()
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _texts(each)


def _names(query: _Query, stream: str, in_history: bool) -> bool:  # noqa: FBT001 - of this module
    source, _, endpoint = stream.lower().partition(".")
    if query.tables is not None:
        return (HISTORY if in_history else "", source, endpoint) in query.tables
    return {source, endpoint} <= query.words and (not in_history or HISTORY in query.words)


def _pruned(table: LakeTable, query: _Query) -> LakeTable:
    """Return a table without the columns that a query cannot need."""
    if query.columns is None:
        return table
    needed = [name for name in table.columns if name.lower() in query.columns]
    return table.select(*needed) if needed else table


def _define(using: duckdb.DuckDBPyConnection, stream: str, in_history: bool, table: LakeTable) -> None:  # noqa: FBT001 - of this module
    source, _, endpoint = stream.partition(".")
    # What is wrong with it is raised here as what it is; DuckDB makes an error of its own of it.
    table.columns  # noqa: B018 - looks at what is to be read
    catalog = f'"{HISTORY}".' if in_history else ""
    if in_history:
        using.execute(f"ATTACH IF NOT EXISTS ':memory:' AS \"{HISTORY}\"")
    registered = f"{catalog}{stream}".replace('"', "")
    using.register(registered, table)
    using.execute(f'CREATE SCHEMA IF NOT EXISTS {catalog}"{source}"')
    view = f'{catalog}"{source}"."{endpoint}"'
    using.execute(f'CREATE OR REPLACE VIEW {view} AS SELECT * FROM "{registered}"')  # noqa: S608 - names of streams
