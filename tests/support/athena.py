"""What Athena would read: the catalog by AWS's own client, files of partitions by DuckDB, views by sqlglot."""

import base64
import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import sqlglot

from support.places import client

DATABASE = "lake"
OF_LAKE = ("_record_key", "_change", "_committed_at", "_version", "_position")


@dataclass
class Athena:
    """A database of the catalog, read by programs that share no code with ours.

    Attributes:
        endpoint: The stand-in for AWS.
        folder: Where files are copied to.
        database: The name of the database.
    """

    endpoint: str
    folder: Path
    database: str = DATABASE
    copied: set[str] = field(default_factory=set)

    @cached_property
    def glue(self) -> Any:  # noqa: ANN401 - boto3 has no types
        """AWS's client for the catalog."""
        return client("glue", self.endpoint)

    def make(self) -> "Athena":
        """Make the database, as Terraform does."""
        self.glue.create_database(DatabaseInput={"Name": self.database})
        return self

    def table(self, name: str) -> dict[str, Any]:
        """Return a table or view."""
        table: dict[str, Any] = self.glue.get_table(DatabaseName=self.database, Name=name)["Table"]
        return table

    def tables(self) -> set[str]:
        """Return the names of all tables and views."""
        return {table["Name"] for table in self.glue.get_tables(DatabaseName=self.database)["TableList"]}

    def partitions(self, table: str) -> list[dict[str, Any]]:
        """Return the partitions of a table."""
        pages = self.glue.get_paginator("get_partitions").paginate(DatabaseName=self.database, TableName=table)
        return [partition for page in pages for partition in page["Partitions"]]

    def columns(self, table: str) -> dict[str, str]:
        """Return the types of a table's columns, which are not those of its partitions."""
        described = self.table(table)
        columns = {each["Name"]: each["Type"] for each in described["StorageDescriptor"]["Columns"]}
        assert not columns.keys() & {each["Name"] for each in described["PartitionKeys"]}
        return columns

    def query(self, sql: str) -> list[dict[str, Any]]:
        """Run a query in Athena's dialect."""
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute(f'CREATE SCHEMA "{self.database}"')
            connection.execute(f'USE "{self.database}"')
            for name in sorted(self.tables(), key=lambda name: not name.endswith("_history")):
                self._define(connection, name)
            found = connection.execute(translated(sql))
            names = [column[0] for column in found.description or ()]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def files(self, table: str) -> dict[tuple[str, str], list[Path]]:
        """Return the files of each partition of a table: all that lie below its location, as Athena reads it."""
        return {
            (partition["Values"][0], partition["Values"][1]): self._below(partition["StorageDescriptor"]["Location"])
            for partition in self.partitions(table)
        }

    def _define(self, connection: duckdb.DuckDBPyConnection, name: str) -> None:
        described = self.table(name)
        if described["TableType"] == "VIRTUAL_VIEW":
            document = view_of(described)
            sql = translated(document["originalSql"])
            connection.execute(f'CREATE VIEW "{name}" AS {sql}')
            # Athena refuses a view whose columns are not those that its query has.
            shown = connection.execute(f'SELECT * FROM "{name}" LIMIT 0').description or ()  # noqa: S608
            assert [column[0] for column in shown] == [column["name"] for column in document["columns"]]
            assert [c["Name"] for c in described["StorageDescriptor"]["Columns"]] == [c[0] for c in shown]
            return
        columns = self.columns(name)
        empty = ", ".join(f'CAST(NULL AS {in_duckdb(kind)}) AS "{column}"' for column, kind in columns.items())
        selects = [f"SELECT '' AS _account, '' AS _run_id, {empty} WHERE false"]
        for (account, run), files in self.files(name).items():
            for file in files:
                schema = pq.read_schema(file)
                for column in schema:
                    # What stands in a file is what the catalog says.
                    assert fits(in_hive(column.type), columns[column.name]), (column, columns[column.name])
                read = f"read_parquet('{file}', hive_partitioning = false)"
                selects.append(f"SELECT '{account}' AS _account, '{run}' AS _run_id, * FROM {read}")  # noqa: S608
        connection.execute(f'CREATE VIEW "{name}" AS {" UNION ALL BY NAME ".join(selects)}')

    def _below(self, location: str) -> list[Path]:
        place = urlsplit(location)
        assert place.scheme == "s3"
        s3, prefix = client("s3", self.endpoint), place.path.lstrip("/")
        assert prefix.endswith("/")
        keys = [
            entry["Key"]
            for page in s3.get_paginator("list_objects_v2").paginate(Bucket=place.netloc, Prefix=prefix)
            for entry in page.get("Contents", [])
        ]
        for key in set(keys) - self.copied:
            (self.folder / key).parent.mkdir(parents=True, exist_ok=True)
            s3.download_file(place.netloc, key, str(self.folder / key))
        self.copied.update(keys)
        return [self.folder / key for key in sorted(keys)]


def view_of(described: dict[str, Any]) -> dict[str, Any]:
    """Return what Athena knows of a view."""
    assert described["Parameters"]["presto_view"] == "true"
    text = described["ViewOriginalText"]
    prefix, suffix = "/* Presto View: ", " */"
    assert text.startswith(prefix)
    assert text.endswith(suffix)
    document: dict[str, Any] = json.loads(base64.b64decode(text.removeprefix(prefix).removesuffix(suffix)))
    return document


def translated(sql: str) -> str:
    """Translate a query of Athena to DuckDB's dialect; what Athena would not parse is an error."""
    (text,) = sqlglot.transpile(sql, read="athena", write="duckdb")
    return text


def in_hive(kind: pa.DataType) -> str:
    """Return how Hive writes a type of Arrow."""
    if pa.types.is_struct(kind):
        return f"struct<{','.join(f'{member.name}:{in_hive(member.type)}' for member in kind)}>"
    if pa.types.is_list(kind):
        return f"array<{in_hive(kind.value_type)}>"
    names = {"string": "string", "int64": "bigint", "double": "double", "bool": "boolean"}
    return "timestamp" if pa.types.is_timestamp(kind) else names[str(kind)]


def fits(there: str, declared: str) -> bool:
    """Whether a column of a file is one of its table: members of structs may have been added behind those it has."""
    if there == declared:
        return True
    if there.startswith("struct<") and declared.startswith("struct<"):
        ours, theirs = members(there), members(declared)
        return len(ours) <= len(theirs) and all(
            name == other and fits(kind, wider)
            for (name, kind), (other, wider) in zip(ours, theirs[: len(ours)], strict=True)
        )
    if there.startswith("array<") and declared.startswith("array<"):
        return fits(there[6:-1], declared[6:-1])
    return False


def members(kind: str) -> list[tuple[str, str]]:
    """Return the members of a struct in Hive's words."""
    found, depth, start = [], 0, 0
    inside = f"{kind[len('struct<') : -1]},"
    for at, character in enumerate(inside):
        depth += {"<": 1, ">": -1}.get(character, 0)
        if character == "," and not depth:
            name, _, rest = inside[start:at].partition(":")
            found.append((name, rest))
            start = at + 1
    return found


def in_duckdb(kind: str) -> str:
    """Return how DuckDB writes a type of Hive."""
    if kind.startswith("struct<"):
        fields = ", ".join(f'"{name}" {in_duckdb(rest)}' for name, rest in members(kind))
        return f"STRUCT({fields})"
    if kind.startswith("array<"):
        return f"{in_duckdb(kind[6:-1])}[]"
    return {"string": "VARCHAR", "timestamp": "TIMESTAMP WITH TIME ZONE"}.get(kind, kind.upper())
