"""Where records are in a page, and what a page may be beside one JSON document; what comes of it, and what fails."""

import csv
import gzip
import io
import json
from collections.abc import Callable
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyarrow import feather
from support.cli import Cli, Done
from support.http_server import Reply
from support.scripted import define, pull, serving

import circulate_core as circulate

ONE_PAGE = "path: /items\npaginator: none\nsingle: certain\n"
TRAILER = "path: /items\npaginator: {body_link: /next}\nformat: ndjson_with_trailer\nprimary_key: [/id]\n"
USERS = {"groups": [{"name": "a", "users": [{"id": 1}, {"id": 2.0}]}, {"users": []}, {"users": [{"id": 3}]}]}
MAP = '{"users": {"u1": {"name": "Ann"}, "u\\"2": { }}, "total": 2}'
LINES = '{"id": 1, "n": 1.0}\n{"id": 2}\r\n\n{"id": 3}'
ROWS = 'id,name\r\n1,"Ann ""A"", é"\r\n2,\r\n'


def pulled(cli: Cli, listed: str, body: object, *arguments: str) -> Done:
    """Pull a list of one page that is this body."""
    define(cli.folder, ONE_PAGE + listed)
    with serving(lambda *_: Reply(body)) as api:
        return pull(cli, api, *arguments)


def written(cli: Cli) -> list[str]:
    """Return the records in the lake as they are written."""
    files = sorted(cli.folder.glob("lake/acme/**/*.ndjson*"))
    texts = [gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes() for file in files]
    return [line for text in texts for line in text.decode().splitlines()]


@pytest.mark.parametrize(
    ("listed", "body", "expected"),
    [
        ("records: /groups/*/users\nprimary_key: [/id]", USERS, ['{"id": 1}', '{"id": 2.0}', '{"id": 3}']),
        ("records: /*/items\nprimary_key: [/id]", [{"items": [{"id": 1}]}, {"items": []}], ['{"id": 1}']),
        (
            "records: {map: /users}\nprimary_key: [/_circulate/key]",
            MAP,
            ['{"_circulate":{"key":"u1"},"name": "Ann"}', '{"_circulate":{"key":"u\\"2"} }'],
        ),
        (
            "records: {scalars: /ids}\nprimary_key: [/value]",
            '{"ids": [1.0, "a", null]}',
            ['{"value":1.0}', '{"value":"a"}', '{"value":null}'],
        ),
        ("records: {one: /user}\nprimary_key: [/id]", '{"user": {"id": 1.0 }}', ['{"id": 1.0 }']),
        ("format: ndjson\nprimary_key: [/id]", LINES, ['{"id": 1, "n": 1.0}', '{"id": 2}', '{"id": 3}']),
        (
            "format: csv\nprimary_key: [/id]",
            ROWS,
            ['{"id":"1","name":"Ann \\"A\\", é"}', '{"id":"2","name":""}'],
        ),
        ("primary_key: none", gzip.compress(b'[{"a": 1},') + gzip.compress(b'{"a": 1}]'), ['{"a": 1}', '{"a": 1}']),
    ],
    ids=["groups", "groups of the page", "map", "scalars", "one", "ndjson", "csv", "gzip"],
)
def test_records_are_written_as_received_wherever_they_were(
    cli: Cli, listed: str, body: object, expected: list[str]
) -> None:
    done = pulled(cli, listed, body, "--format", "ndjson")
    assert (done.code, done.report["status"], done.report["records"]) == (0, "complete", len(expected)), done.err
    assert written(cli) == expected


@pytest.mark.parametrize(("form", "read"), [("parquet", pq.read_table), ("arrow", feather.read_table)])
def test_records_of_a_map_have_their_key_in_a_column(cli: Cli, form: str, read: Callable[[str], Any]) -> None:
    done = pulled(cli, "records: {map: /users}\nprimary_key: [/_circulate/key]", MAP, "--format", form)
    assert done.code == 0, done.err
    (file,) = cli.folder.glob(f"lake/acme/**/*.{form}")
    table = read(str(file))
    assert table.column_names == ["_key", "name", "_rescued"]
    assert table.to_pydict() == {"_key": ["u1", 'u"2'], "name": ["Ann", None], "_rescued": [None, None]}


@pytest.mark.parametrize(
    ("listed", "body", "expected"),
    [
        ("records: /groups/*/users\nprimary_key: [/id]", USERS, {"id": [1.0, 2.0, 3.0]}),
        ("records: {scalars: /ids}\nprimary_key: [/value]", {"ids": ["a", "b"]}, {"value": ["a", "b"]}),
        ("format: csv\nprimary_key: [/id]", ROWS, {"id": ["1", "2"], "name": ['Ann "A", é', ""]}),
        ("format: ndjson\nprimary_key: none", LINES, {"id": [1, 2, 3], "n": [1.0, None, None]}),
    ],
    ids=["groups", "scalars", "csv", "ndjson"],
)
def test_records_are_rows_of_tables_wherever_they_were(
    cli: Cli, listed: str, body: object, expected: dict[str, list[object]]
) -> None:
    done = pulled(cli, listed, body, "--format", "parquet")
    assert done.code == 0, done.err
    (file,) = cli.folder.glob("lake/acme/**/*.parquet")
    assert pq.read_table(file).to_pydict() == {**expected, "_rescued": [None] * done.report["records"]}


def test_children_of_a_map_have_parent_and_key_in_front(cli: Cli) -> None:
    catalog = define(cli.folder, ONE_PAGE + "records: {map: /users}\nprimary_key: [/_circulate/key]")
    (catalog / "acme" / "roles.yaml").write_text(
        "endpoint: roles\nabout: Roles.\nscopes: []\nlist:\n  path: /items/{user}/roles\n  records: {map: ''}\n"
        "  parent: {endpoint: items, fields: {user: /_circulate/key}}\n  paginator: none\n  single: certain\n"
        "  primary_key: [/_circulate/key]\n"
    )
    roles = {"/items/u1/roles": {"admin": {"n": 1}}, "/items/u%222/roles": []}
    with serving(lambda path, _: Reply(MAP if path == "/items" else roles[path])) as api:
        done = cli(
            *["pull", "acme.roles", "--catalog", "catalog", "--to", "lake", "--account", "acme", "--json"],
            *["--format", "ndjson"],
            ACME_URL=api.url,
        )
        table = cli(
            *["pull", "acme.roles", "--catalog", "catalog", "--to", "tables", "--account", "acme", "--json"],
            *["--format", "parquet", "--state", "other.db"],
            ACME_URL=api.url,
        )
    assert (done.code, table.code) == (0, 0), done.err + table.err
    assert written(cli) == ['{"_circulate":{"parent":{"user":"u1"},"key":"admin"},"n": 1}']
    (file,) = cli.folder.glob("tables/acme/**/*.parquet")
    assert pq.read_table(file).to_pylist() == [{"_parent_user": "u1", "_key": "admin", "n": 1, "_rescued": None}]


def test_the_trailer_of_lines_leads_to_the_next_page(cli: Cli) -> None:
    define(
        cli.folder,
        "path: /items\nformat: ndjson_with_trailer\nprimary_key: [/id]\npaginator: {body_link: /next}",
    )
    pages = {
        "0": '{"id":1}\n{"id":2}\n{"next":"/items?at=2","total":3}\n',
        "2": '{"id":3}\n{"next":null,"total":3}',
    }
    with serving(lambda _, query: Reply(pages[query.get("at", "0")])) as api:
        done = pull(cli, api, "--format", "ndjson")
    assert (done.code, done.report["status"], done.report["ends"]["counts"]) == (0, "complete", {"no_next": 1}), (
        done.err
    )
    assert written(cli) == ['{"id":1}', '{"id":2}', '{"id":3}']


@pytest.mark.parametrize(
    ("listed", "body"),
    [
        (
            "path: /items\npaginator: none\nprimary_key: [/id]\nrecords: /groups/*/users",
            {**USERS, "total": 537},
        ),
        (TRAILER, '{"id":1}\n{"next":null,"total":537}\n'),
    ],
    ids=["groups", "trailer"],
)
def test_a_total_around_the_records_contradicts_the_end(cli: Cli, listed: str, body: object) -> None:
    define(cli.folder, listed)
    with serving(lambda *_: Reply(body)) as api:
        done = pull(cli, api)
    assert (done.code, done.report["status"]) == (3, "partial"), done.err
    assert "`/total` is `537`" in done.err


@pytest.mark.parametrize(
    ("listed", "body", "parts"),
    [
        ("records: /data/items", {"data": {"items": "none"}}, ["no array of records", "`/data/items` is a string"]),
        ("records: /data/items", {"data": [1]}, ["`/data` is an array"]),
        ("records: /data/items", {"data": {}}, ["there is no `/data/items`", "`empty: missing`"]),
        ("records: /groups/*/users", {"groups": {"a": 1}}, ["`/groups` is an object"]),
        ("records: /groups/*/users", {"groups": [{"users": []}, {}]}, ["there is no `/groups/1/users`"]),
        ("records: /groups/*/users", {"groups": [{"users": None}]}, ["`null` at `/groups/0/users`", "`empty: null`"]),
        ("records: {map: /users}", {"users": [{"id": 1}]}, ["no object of records", "`/users` is an array"]),
        ("records: {map: /users}", {"users": {"a": 1}}, ["the page's object at `/users` holds a number"]),
        (
            "records: {scalars: /id}",
            {"id": [{}]},
            ["array at `/id` holds an object", "a plain JSON Pointer"],
        ),
        ("", [7], ["something that is not an object: a number", "{scalars: ...}"]),
        ("format: ndjson", '{"id":1}\n{"id":2},{"id":3}\n', ["one whole object in each line — line 2"]),
        ("format: ndjson", '{"id":1}\n"x"\n', ["a line of the page is a string", "line 2"]),
        ("format: csv", "id,name\n1\n", ["the row has 1 values, and the first row 2 names", "line 2"]),
        ("format: csv", "Service unavailable", ["does not name the column `/id`", "line 1"]),
        ("format: csv", "<!DOCTYPE html>", ["HTML or XML, not CSV"]),
    ],
)
def test_what_is_not_as_the_definition_says_is_named_with_its_place_and_url(
    cli: Cli, listed: str, body: object, parts: list[str]
) -> None:
    key = "/_circulate/key" if "map" in listed else "/value" if "scalars" in listed else "/id"
    done = pulled(cli, f"primary_key: [{key}]\n{listed}", body)
    assert (done.code, done.report["status"]) == (1, "failed"), done.err
    for part in [*parts, "url http://127.0.0.1:"]:
        assert part in done.err


def test_a_trailer_that_is_a_record_is_none(cli: Cli) -> None:
    define(cli.folder, TRAILER)
    with serving(lambda *_: Reply('{"id":1}\n{"id":2}\n')) as api:
        done = pull(cli, api)
    assert (done.code, done.report["status"]) == (1, "failed"), done.err
    for part in ("the last line is a record", "line 2", "url http://127.0.0.1:"):
        assert part in done.err


@pytest.mark.parametrize(
    ("listed", "cut", "whole"),
    [
        (f"{ONE_PAGE}primary_key: none\nformat: ndjson", '{"id":1}\n{"id":', LINES),
        (TRAILER, '{"id":1}\n{"next":', '{"id":1}\n{"id":2}\n{"id":3}\n{"next":null}'),
        (f"{ONE_PAGE}primary_key: none\nformat: csv", 'id\n1\n"2', "id\n1\n2\n3\n"),
        (f"{ONE_PAGE}primary_key: none\nrecords: {{map: ''}}", '{"a":{},"b"', '{"a":{},"b":{},"c":{}}'),
        (
            f"{ONE_PAGE}primary_key: none\n",
            gzip.compress(b'[{"id":1},{"id":2},{"id":3}]')[:-4],
            gzip.compress(b'[{"id":1},{"id":2},{"id":3}]'),
        ),
    ],
    ids=["ndjson", "trailer", "csv", "map", "gzip"],
)
def test_a_page_that_was_cut_off_is_requested_again(cli: Cli, listed: str, cut: object, whole: object) -> None:
    define(cli.folder, listed)
    replies = [cut, whole]
    with serving(lambda *_: Reply(replies.pop(0) if len(replies) > 1 else replies[0])) as api:
        done = pull(cli, api)
        assert len(api.requests) == 2
    assert (done.code, done.report["records"]) == (0, 3), done.err


@pytest.mark.parametrize(
    ("listed", "part"),
    [
        ("records: items\nprimary_key: [/id]", "`items` is not a JSON Pointer"),
        ("records: /a/*/b/*\nprimary_key: [/id]", "`/a/*/b/*` has more than one `*`"),
        ("records: {maps: /a}\nprimary_key: [/id]", "unknown key `maps` (did you mean `map`?)"),
        ("records: {map: /a, scalars: /b}\nprimary_key: [/id]", "write either `map`, `scalars` or `one`"),
        ("records: [/a]\nprimary_key: [/id]", "a JSON Pointer such as `/data/items`, `{map: /users}`"),
        ("records: {scalars: /ids}\nprimary_key: [/id]", "a record of `scalars` has no member `/id`, only `/value`"),
        ("primary_key: [/_circulate/key]", "only a record of a `map` has the member `/_circulate/key`"),
        ("records: /items\nformat: ndjson\nprimary_key: [/id]", "with `format: ndjson` each line is a record"),
        ("records: {map: /a}\nformat: csv\nprimary_key: [/id]", "with `format: csv` each row is a record"),
        ("empty: missing\nformat: csv\nprimary_key: [/id]", "only `no_body` and statuses can mean an empty list"),
        ("format: jsonl\nprimary_key: [/id]", "unknown value `jsonl`"),
        ("primary_key: id", "`id` is not a primary key: list the members"),
        ("primary_key: /id", "are a list: write `[/id]`"),
        ("primary_key: []", "or write `none`"),
    ],
)
def test_a_definition_that_says_no_records_is_refused_before_any_request(cli: Cli, listed: str, part: str) -> None:
    define(cli.folder, ONE_PAGE + listed)
    with serving(lambda *_: Reply([])) as api:
        done = pull(cli, api)
        assert (done.code, api.requests) == (2, []), done.err
    assert part in done.err
    assert "catalog/acme/items.yaml:" in done.err


def test_records_are_read_as_they_are_pulled() -> None:
    with serving(lambda *_: Reply('{"users": {"a": {"n": 1}}, "ids": [1, "x"]}')) as api:
        source = circulate.source("acme", base_url=api.url, auth=["none"])
        keyed = source.stream("users", path="/", records={"map": "/users"}, paginator="none", single="certain")
        scalars = source.stream("ids", path="/", records={"scalars": "/ids"}, paginator="none", single="certain")
        assert list(keyed.records()) == [{"_circulate": {"key": "a"}, "n": 1}]
        assert [column.name for column in keyed.schema()] == ["_key", "n"]
        assert list(scalars.records()) == [{"value": 1}, {"value": "x"}]
        assert "/_circulate/key" in keyed._repr_html_()


def test_a_definition_shows_what_its_pages_and_records_are(cli: Cli) -> None:
    define(cli.folder, ONE_PAGE + "records: {map: /users}\nprimary_key: none")
    shown = cli("describe", "acme.items", "--catalog", "catalog").out
    assert "records      map /users" in shown
    assert "key          none" in shown
    define(cli.folder, TRAILER)
    assert "format       ndjson with trailer" in cli("describe", "acme.items", "--catalog", "catalog").out


def test_rows_are_what_the_standard_library_reads(cli: Cli) -> None:
    rows = [[str(number), f'a,"{number}"\r\n', "é" * (number % 7), ""] for number in range(2_000)]
    text = io.StringIO(newline="")
    csv.writer(text).writerows([["id", "b", "c", "d"], *rows])
    done = pulled(cli, "format: csv\nprimary_key: [/id]", text.getvalue(), "--format", "ndjson")
    assert done.code == 0, done.err
    assert [list(json.loads(line).values()) for line in written(cli)] == rows
