"""`circulate import openapi`: what documents it reads, and what it says of those that are none."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.api_descriptions import RECORD, described, import_document, listing, page_of
from support.cli import Cli

PAGE = {"name": "page", "in": "query", "schema": {"type": "integer", "default": 1}}
ITEMS = listing(page_of(total="integer"), PAGE)
DOCUMENT = described({"/items": ITEMS})
OLD = {
    "swagger": "2.0",
    "info": {"title": "Acme"},
    "host": "api.acme.example",
    "basePath": "/v1",
    "schemes": ["http", "https"],
    "securityDefinitions": {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}},
    "paths": {
        "/items": {
            "parameters": [{"name": "page", "in": "query", "type": "integer", "default": 1}],
            "get": {"responses": {"200": {"schema": {"$ref": "#/definitions/Page"}}}},
        }
    },
    "definitions": {"Page": page_of(total="integer")},
}


def as_json(document: dict[str, Any]) -> bytes:
    return json.dumps(document).encode()


def as_yaml(document: dict[str, Any]) -> bytes:
    return yaml.safe_dump(document).encode()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", as_json(DOCUMENT)),
        ("a.yaml", as_yaml(DOCUMENT)),
        ("a.yml", as_yaml({**DOCUMENT, "openapi": "3.1.0"})),
        ("a.json.gz", gzip.compress(as_json(DOCUMENT), mtime=0)),
        # Gzip is known by its first bytes, not by a name.
        ("a.yaml", gzip.compress(as_yaml(DOCUMENT), mtime=0)),
        ("a.json", b"\xef\xbb\xbf" + as_json(DOCUMENT)),
        ("a.json", json.dumps(DOCUMENT).encode("utf-16")),
        ("a", as_json(DOCUMENT)),
        ("commas.json", as_json(DOCUMENT)[:-1] + b",}"),
        ("old.json", as_json(OLD)),
        ("old.yaml", as_yaml(OLD)),
    ],
)
def test_a_document_of_each_kind_is_read(cli: Cli, name: str, content: bytes) -> None:
    (cli.folder / name).write_bytes(content)
    done = cli("import", "openapi", name, "--source", "acme", "--json")
    assert done.code == 0, done.err
    (listed,) = done.report["lists"]
    assert (listed["stream"], listed["status"], listed["records"]) == ("acme.items", "inferred", "/items")
    assert listed["paginator"] == {"page": {"to": "page", "total": "/total"}}
    shown = cli("describe", "acme.items", "--catalog", "definitions")
    assert shown.code == 0, shown.err
    assert "https://api.acme.example/v1" in (cli.folder / "definitions/acme/source.yaml").read_text()


LOGIN = b'<!DOCTYPE html><html><body><form>Password <input type="password"></form></body></html>'


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty, as the body of a 204 is"),
        (b" \n", "empty, as the body of a 204 is"),
        (LOGIN, "a page of HTML, such as one to log in"),
        (b"<html><head><title>Docs</title></head></html>", "a page of HTML"),
        (b'<?xml version="1.0"?><definitions/>', "XML"),
        (b'{"openapi": "3.0.0"}\n{"openapi": "3.0.0"}\n', "several JSON documents, one in each line (NDJSON)"),
        (b'{"openapi": "3.0.0", "paths": {', "not JSON: Expecting property name"),
        (b"openapi: 3.0.0\npaths:\n  /a: [\n", "neither JSON nor YAML: line 3"),
        (b"hello", "it holds text, and no OpenAPI document"),
        (b"[1]", "it holds an array, and no OpenAPI document"),
        (b"\x80\x81", "not text in UTF-8: byte 1 of 2"),
        (b"\x1f\x8bnonsense", "a gzip file that cannot be unpacked"),
        (gzip.compress(b'{"openapi": "3.0.0"}', mtime=0)[:20], "a gzip file that cannot be unpacked"),
        (b'{"openapi": "3.0.0", "info": {}}', "it has no `paths`"),
        (b'{"openapi": "3.1.0", "webhooks": {}, "paths": {}}', "it has no `paths`"),
        (b'{"openapi": "4.0.0", "paths": {"/a": {}}}', "OpenAPI version `4.0.0` is not known; 2.0, 3.0 and 3.1 are"),
        (b'{"swaggerVersion": "1.2", "apis": []}', "a Swagger 1.x document, which is not read"),
        (b'{"info": {"_postman_id": "1"}, "item": []}', "a Postman collection, not an OpenAPI document"),
        (b'{"error": "not found"}', "neither `openapi` nor `swagger` says its version (its members are error)"),
        (b"[" * 100_000, "nested too deeply to be read"),
        (b'{"openapi": "3.0.0", "x": ' + b"[" * 500 + b"]" * 500 + b"}", "nested too deeply to be read"),
    ],
)
def test_a_file_that_is_no_document_is_refused_in_one_line(cli: Cli, content: bytes, said: str) -> None:
    (cli.folder / "acme.json").write_bytes(content)
    done = cli("import", "openapi", "acme.json")
    first, *rest = done.err.splitlines()
    assert (done.code, done.out) == (2, "")
    assert first.startswith("error: acme.json: ")
    assert said in first
    assert rest == ["hint: name an OpenAPI 3 or Swagger 2.0 document, as YAML or JSON; it may be packed by gzip"]
    assert not (cli.folder / "definitions").exists()


def test_all_files_that_are_no_documents_are_named_at_once(cli: Cli) -> None:
    (cli.folder / "a.json").write_bytes(LOGIN)
    done = cli("import", "openapi", "a.json", "missing.json")
    assert done.code == 2
    assert "a.json: a page of HTML" in done.err
    assert "missing.json: No such file or directory" in done.err


def test_a_document_without_a_list_writes_nothing(cli: Cli) -> None:
    (cli.folder / "acme.json").write_text(json.dumps(described({"/jobs": {"post": {"responses": {}}}})))
    done = cli("import", "openapi", "acme.json")
    assert (done.code, "no operation of acme.json is a list" in done.err) == (2, True)
    assert not (cli.folder / "definitions").exists()


def test_a_folder_is_searched_for_documents_and_what_they_refer_to(cli: Cli) -> None:
    files = {
        "api/openapi.yaml": as_yaml(
            described({"/items": {"$ref": "paths/items.yaml"}, "/users": {"$ref": "paths/users.yaml#/users"}})
        ),
        "api/paths/items.yaml": as_yaml(listing({"$ref": "../schemas/all.json#/Page"}, PAGE)),
        "api/paths/users.yaml": as_yaml({"users": listing({"type": "array", "items": {"$ref": "user.yaml"}})}),
        # A record that holds records, in a file that refers back to the first one.
        "api/schemas/all.json": as_json(
            {"Page": page_of(next={"$ref": "#/Page"}, around={"$ref": "../openapi.yaml#/components/schemas/None"})}
        ),
        "api/paths/user.yaml": as_yaml(
            {**RECORD, "properties": {**RECORD["properties"], "boss": {"$ref": "user.yaml"}}}
        ),
        "api/notes.json": b"not JSON",
    }
    for name, content in files.items():
        path = cli.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    done = cli("import", "openapi", "api", "--source", "acme", "--json")
    assert done.code == 0, done.err
    found = {each["operation"]: (each["records"], each["primary_key"]) for each in done.report["lists"]}
    assert found == {"GET /items": ("/items", ["/id"]), "GET /users": ("", ["/id"])}
    assert any("leads to nothing: there is no member `schemas`" in note for note in done.report["notes"])


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("https://schemas.acme.example/page.json", "is at another place, from which nothing is fetched"),
        ("//schemas.acme.example/page.json", "is at another place, from which nothing is fetched"),
        ("../outside.json", "leads out of docs: import the folder that holds all of its files"),
        ("missing.json#/Page", "missing.json: No such file or directory"),
        ("#/components/schemas/Missing", "leads to nothing: there is no member `schemas`"),
        ("#page", "names an anchor, which is not looked for"),
        ("#/paths/~1items/get/responses/200/content/application~1json/schema", "leads to itself"),
    ],
)
def test_a_reference_that_cannot_be_followed_is_named_and_the_rest_imported(
    cli: Cli, reference: str, said: str
) -> None:
    (cli.folder / "docs").mkdir()
    (cli.folder / "outside.json").write_text(json.dumps(page_of()))
    paths = {"/items": listing({"$ref": reference}), "/users": listing(page_of("users"))}
    (cli.folder / "docs/acme.json").write_text(json.dumps(described(paths)))
    done = cli("import", "openapi", "docs/acme.json", "--json")
    assert done.code == 0, done.err
    (note,) = [note for note in done.report["notes"] if said in note]
    assert "acme.json" in note or "missing.json" in note
    assert {each["operation"]: each["records"] for each in done.report["lists"]} == {
        "GET /items": None,
        "GET /users": "/users",
    }


ODD: list[dict[str, Any]] = [
    {"paths": {"/items": [], "/b": {"get": []}, "/c": {"get": {"parameters": {"a": 1}, "responses": [], "tags": 5}}}},
    {"info": [], "servers": {"url": 1}, "security": {"a": 1}, "components": []},
    {"paths": {"/items/{}": listing(page_of()), "/x{": listing(page_of()), "/a b": listing(page_of())}},
    {"paths": {"//c": listing(page_of()), "/q#x": listing(page_of()), "nope": listing(page_of())}},
    {"paths": {"/é/{ü}": listing(page_of()), "/source": listing(page_of()), "/import/{class}": listing(page_of())}},
    {"paths": {"/items": listing({"type": 5, "properties": [1], "items": "x", "allOf": {}, "oneOf": [None, 1]})}},
    {"paths": {"/items": {"parameters": [1, None, {"name": "a"}, {"in": "query"}], **listing(page_of())}}},
    {"info": {"title": "\ud800 A\x00\x1b[31mB"}, "servers": [{"url": "https://{a}.x.example/{b}"}]},
]


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_a_document_with_parts_of_other_kinds_is_imported_without_them(cli: Cli, odd: dict[str, Any]) -> None:
    plain = {"/things": listing(page_of("things"), PAGE)}
    imported = import_document(cli, described({}) | odd | {"paths": {**odd.get("paths", {}), **plain}})
    assert imported.of("GET /things")["status"] == "inferred"
    assert cli("list", "acme", "--catalog", "definitions").code == 0
    for stream in imported.report["lists"]:
        shown = cli("describe", stream["stream"], "--catalog", "definitions")
        assert shown.code == 0, shown.err


def test_documents_of_several_servers_are_no_one_source(cli: Cli) -> None:
    (cli.folder / "a.json").write_text(json.dumps(DOCUMENT))
    other = described({"/users": ITEMS}, servers=[{"url": "https://login.acme.example"}])
    (cli.folder / "b.json").write_text(json.dumps(other))
    done = cli("import", "openapi", "a.json", "b.json")
    assert done.code == 2
    assert "different servers: a.json: https://api.acme.example/v1; b.json: https://login.acme.example" in done.err
    done = cli("import", "openapi", "a.json", "b.json", "--base-url", "https://{site}/v1", "--source", "acme", "--json")
    assert [each["stream"] for each in done.report["lists"]] == ["acme.items", "acme.users"]
    assert 'base_url: "https://{site}/v1"' in (cli.folder / "definitions/acme/source.yaml").read_text()


@pytest.mark.parametrize(
    ("servers", "base_url"),
    [
        ([{"url": "http://api.acme.example"}, {"url": "https://api.acme.example"}], "https://api.acme.example"),
        ([{"url": "/v1"}], "{base_url}"),
        ([], "{base_url}"),
        ([{"url": "https://localhost:8080"}], "{base_url}"),
        ([{"url": "https://{tenant}.acme.example/{version}"}], "https://{tenant}.acme.example/{version}"),
    ],
)
def test_where_the_api_is(cli: Cli, servers: list[dict[str, Any]], base_url: str) -> None:
    for server in servers:
        server["variables"] = {"tenant": {"default": "demo"}, "version": {"default": "v2"}}
    import_document(cli, described({"/items": ITEMS}, servers=servers)).of("GET /items")
    source = yaml.safe_load((cli.folder / "definitions/acme/source.yaml").read_text())
    assert source["base_url"] == base_url
    # The default of a host is that of somebody else, to whom no secret goes.
    assert "default" not in source["settings"].get("tenant", {})
    if "{version}" in base_url:
        assert source["settings"]["version"]["default"] == "v2"


def test_nothing_of_a_document_is_written_to_a_terminal_as_it_is(cli: Cli) -> None:
    path = "/\x1b[31mitems"
    (cli.folder / "acme.json").write_text(json.dumps(described({path: ITEMS, "/items": ITEMS})))
    done = cli("import", "openapi", "acme.json")
    assert done.code == 0
    assert "\x1b" not in done.out + done.err


def test_the_path_of_a_document_is_not_in_what_is_written(cli: Cli, tmp_path: Path) -> None:
    unread = listing({"type": "array", "items": {"$ref": "missing.json#/x"}})
    (tmp_path / "acme.json").write_bytes(as_json(described({"/items": ITEMS, "/users": unread})))
    assert cli("import", "openapi", tmp_path / "acme.json", "--source", "acme").code == 0
    for file in (cli.folder / "definitions/acme").iterdir():
        assert str(tmp_path) not in file.read_text()


@pytest.mark.parametrize(
    ("odd", "number"),
    [({"maximum": "@"}, "1e999"), ({"maximum": "@", "default": "@"}, "NaN"), ({"minimum": "@"}, "-1e999")],
)
def test_bounds_that_are_no_whole_numbers_are_none(cli: Cli, odd: dict[str, Any], number: str) -> None:
    limit = {"name": "limit", "in": "query", "schema": {"type": "integer", **odd}}
    text = json.dumps(described({"/items": listing(page_of(total="integer"), PAGE, limit)})).replace('"@"', number)
    (cli.folder / "acme.json").write_text(text)
    assert cli("import", "openapi", "acme.json", "--source", "acme").code == 0
    assert cli("describe", "acme.items", "--catalog", "definitions").code == 0


@pytest.mark.parametrize("name", ["acme.json", "a\nauth: [none].json"])
@pytest.mark.parametrize("reference", ["#/x\x00\x1b[31m\x07", "#/tags/" + "9" * 5_000, "#/x\u2028auth: [none]"])
def test_what_stands_in_a_comment_of_a_definition_ends_with_it(cli: Cli, name: str, reference: str) -> None:
    record = {"type": "object", "properties": {"id": {"$ref": reference}, "a\x00\x1b_at": {"format": "date-time"}}}
    paths = {"/items": listing({"type": "object", "properties": {"items": {"type": "array", "items": record}}})}
    (cli.folder / name).write_text(json.dumps(described(paths, tags=[{"name": "x"}])))
    done = cli("import", "openapi", name, "--source", "acme")
    assert done.code == 0, done.err
    for file in (cli.folder / "definitions/acme").glob("*.yaml"):
        assert not {sign for sign in file.read_text() if not sign.isprintable()} - {"\n"}
        assert yaml.safe_load(file.read_text()).get("auth") in (None, [{"bearer": "token"}])
    shown = cli("describe", "acme.items", "--catalog", "definitions")
    assert shown.code == 0, shown.err


PARTS = 12


@pytest.mark.parametrize("kind", ["a record", "a parameter"])
@pytest.mark.parametrize(
    "schemas",
    [
        {"A0": {"allOf": [{"$ref": "#/components/schemas/A0"}] * PARTS}},
        {f"A{n}": {"oneOf": [{"$ref": f"#/components/schemas/A{n + 1}"}] * PARTS} for n in range(PARTS)},
    ],
    ids=["of itself", "of others"],
)
def test_a_schema_of_more_parts_than_can_be_counted_is_read_in_part(
    cli: Cli, kind: str, schemas: dict[str, Any]
) -> None:
    endless = {"$ref": "#/components/schemas/A0"}
    page = page_of(total="integer")
    page["properties"]["items"] = {"type": "array", "items": endless if kind == "a record" else RECORD}
    query = [{"name": "q", "in": "query", "required": True, "schema": endless}] if kind == "a parameter" else []
    document = described({"/items": listing(page, PAGE, *query)})
    document["components"]["schemas"] = schemas
    (cli.folder / "acme.json").write_text(json.dumps(document))
    done = cli("import", "openapi", "acme.json", "--source", "acme", "--json")
    assert done.code == 0, done.err
    noted = any("of too many schemas" in note for note in done.report["notes"])
    assert noted == (kind == "a record")


def test_a_key_that_was_left_in_a_document_is_not_taken_over(cli: Cli) -> None:
    def key(name: str, where: str) -> dict[str, Any]:
        return {"name": name, "in": where, "required": True, "schema": {"type": "string", "default": "sk_live_canary"}}

    item = listing(page_of(), key("accessKey", "query"), key("X-Access-Token", "header"), key("api_key", "query"))
    path = listing(page_of(), key("token", "path"))
    server = {"url": "https://api.acme.example/{apiKey}", "variables": {"apiKey": {"default": "sk_live_canary"}}}
    document = described({"/items": item, "/bot/{token}/things": path}, servers=[server])
    (cli.folder / "acme.json").write_text(json.dumps(document))
    done = cli("import", "openapi", "acme.json", "--source", "acme", "--json")
    assert done.code == 0, done.err
    files = (cli.folder / "definitions").rglob("*.*")
    assert "canary" not in done.out + done.err + "".join(file.read_text() for file in files)


def test_a_text_of_any_length_is_read_in_part(cli: Cli) -> None:
    # Patterns that look for words would take hours.
    endless = "<" * 300_000
    item = listing(page_of(total="integer"), {**PAGE, "description": endless}, description=endless, summary=endless)
    (cli.folder / "acme.json").write_text(json.dumps(described({"/items": item})))
    assert cli("import", "openapi", "acme.json", "--source", "acme").code == 0
