"""Operations that read: what is called, with what, and what comes back, on the command line and in Python."""

import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.called import Things, define, serving
from support.cli import Cli, CliFor, Done, StartOrg
from support.http_server import Handler, Reply

import circulate_core
from circulate_core import exceptions

ID = {"id": {"about": "Id of the thing."}}
GET = {"about": "One thing.", "kind": "investigate", "path": "/things/{id}", "parameters": ID}
FIND = {
    "about": "Things whose name begins with a text.",
    "kind": "investigate",
    "path": "/things",
    "query": {"q": "{name}", "tag": "{tags}", "site": "{site}", "limit": "{limit}"},
    "parameters": {
        "name": {"about": "The text."},
        "tags": {"about": "Tags.", "schema": {"type": "array", "items": {"type": "string"}}, "optional": True},
        "limit": {"about": "How many.", "schema": {"type": "integer", "minimum": 1}, "default": 50},
    },
    "returns": {
        "list": {
            "records": "/items",
            "primary_key": ["/id"],
            "paginator": {"token": {"from": {"body": "/next"}, "to": "after"}},
        }
    },
}
QUERY = {
    "about": "Things by what they hold.",
    "kind": "investigate",
    "method": "POST",
    "path": "/things/query",
    "body": {"json": {"where": "{where}", "deep": ["{where/name}", "x-{size}"], "size": "{size}", "all": "{all}"}},
    "headers": {"X-Trace": "t-{size}"},
    "parameters": {
        "where": {"about": "What.", "schema": {"type": "object", "required": ["name"]}},
        "size": {"about": "Size.", "schema": {"type": "number"}, "optional": True},
        "all": {"about": "All.", "schema": {"type": "boolean"}, "default": False},
    },
}
SHUT = {
    "about": "Shuts a thing.",
    "kind": "contain",
    "method": "POST",
    "path": "/things/{id}/shut",
    "parameters": ID,
    "retry": "never",
    "reads_back": {"none": "nothing shows it"},
    "undo": {"none": "it is shut"},
}
OPERATIONS = {"get": GET, "find": FIND, "query": QUERY}


@pytest.fixture
def things() -> Iterator[Things]:
    names = ("b/1", "b2", "a1", "b3", "b4", "b5")
    with serving(Things({name: {"id": name, "zeta": 1.50, "name": name, "alpha": 2} for name in names})) as served:
        yield served


@pytest.fixture
def acme(things: Things, tmp_path: Path) -> circulate_core.Source:
    catalog = define(tmp_path, OPERATIONS)
    return circulate_core.source("acme", settings={"base_url": things.url, "token": "t0ken-canary"}, catalog=[catalog])


def call(cli: Cli, things: Things, *arguments: str) -> Done:
    return cli("call", *arguments, "--catalog", "catalog", ACME_URL=things.url, ACME_TOKEN="t0ken-canary")


def test_an_object_comes_as_it_was_received(acme: Any, things: Things) -> None:  # noqa: ANN401 - has operations
    assert list(acme.things.get(id="b2")) == ["id", "zeta", "name", "alpha"]
    assert things.targets == ["GET /things/b2"]


def test_a_value_of_the_path_stays_a_segment_of_it(acme: Any, things: Things) -> None:  # noqa: ANN401 - as above
    assert acme.things.get(id="b/1")["name"] == "b/1"
    for wrong in ("..", "."):
        with pytest.raises(exceptions.SettingsError, match="can't be a part of the path"):
            acme.things.get(id=wrong)
    assert things.targets == ["GET /things/b%2F1"]


def test_a_list_is_read_to_its_end_and_what_is_not_given_is_left_out(acme: Any, things: Things) -> None:  # noqa: ANN401
    assert [thing["id"] for thing in acme.things.find(name="b")] == ["b/1", "b2", "b3", "b4", "b5"]
    assert things.targets[0] == "GET /things?limit=50&q=b&site=main"
    assert len(things.requests) == 3
    acme.things.find(name="{x}&", tags=["r s", "t"], limit=1)
    assert things.targets[3] == "GET /things?limit=1&q=%7Bx%7D%26&site=main&tag=r+s&tag=t"


def test_a_list_whose_end_is_contradicted_is_an_error(acme: Any, things: Things) -> None:  # noqa: ANN401 - as above
    things.respond_to = lambda _: Reply({"items": [], "next": "0"})
    with pytest.raises(exceptions.CirculateError):
        acme.things.find(name="b")


def test_values_of_a_body_keep_their_type(acme: Any, things: Things) -> None:  # noqa: ANN401 - as above
    things.respond_to = lambda _: Reply({})
    assert acme.things.query(where={"name": "{n}", "deep": [1, None]}) == {}
    acme.things.query(where={"name": "n"}, size=2.5, all=True)
    bodies = [json.loads(body) for _, _, body in things.requests]
    assert bodies == [
        {"where": {"name": "{n}", "deep": [1, None]}, "deep": ["{n}"], "all": False},
        {"where": {"name": "n"}, "deep": ["n", "x-2.5"], "size": 2.5, "all": True},
    ]


def test_a_schema_may_take_whatever_there_is(cli: Cli, things: Things) -> None:
    define(cli.folder, {"get": {**GET, "parameters": {"id": {"about": "Id.", "schema": True}}}})
    assert call(cli, things, "acme.things.get", "--id", "b2").code == 0
    assert "--id VALUE" in call(cli, things, "acme.things.get", "--help").out


def test_a_response_without_a_body_is_none(acme: Any, things: Things) -> None:  # noqa: ANN401 - as above
    things.respond_to = lambda _: Reply(status=204)
    assert acme.things.get(id="b2") is None


def test_all_that_is_wrong_with_parameters_is_said_before_any_request(acme: Any, things: Things) -> None:  # noqa: ANN401
    with pytest.raises(exceptions.SettingsError) as raised:
        acme.things.query(where={"nam": "x"}, sise=2, all="yes")
    text = str(raised.value)
    for what in ("`where`: missing properties 'name'", "`sise` (did you mean `size`?)", "invalid `all`", '"yes"'):
        assert what in text
    with pytest.raises(exceptions.SettingsError, match="`id` is missing: Id of the thing"):
        acme.things.get()
    with pytest.raises(exceptions.SettingsError, match="cannot be written as JSON"):
        acme.things.get(id=float("nan"))
    assert things.requests == []


def test_an_operation_has_the_signature_and_the_docstring_of_its_definition(acme: Any) -> None:  # noqa: ANN401
    find = acme.things.find
    assert str(inspect.signature(find)) == "(*, name: str, limit: int = 50, tags: list = None)"
    assert inspect.getdoc(find) == (
        "Things whose name begins with a text.\n\nArgs:\n    limit: How many. Default: 50.\n    name: The text.\n"
        "    tags: Tags. May be left out."
    )
    assert {"get", "find", "query"} <= set(dir(acme.things))
    assert set(acme.things.operations) == {"get", "find", "query"}
    with pytest.raises(AttributeError, match="has no operation `gte`"):
        _ = acme.things.gte
    with pytest.raises(AttributeError, match="has no stream `thing`"):
        _ = acme.thing


def test_the_function_of_the_package_calls_by_name(things: Things, tmp_path: Path) -> None:
    catalog = define(tmp_path, OPERATIONS)
    settings = {"base_url": things.url, "token": "t"}
    called = circulate_core.call("acme.things.get", {"id": "b2"}, settings=settings, catalog=[catalog])
    assert called["id"] == "b2"
    with pytest.raises(exceptions.DefinitionError, match="names no operation"):
        circulate_core.call("get", settings=settings, catalog=[catalog])
    with pytest.raises(exceptions.DefinitionError, match="has no operation `gte`"):
        circulate_core.call("acme.things.gte", settings=settings, catalog=[catalog])


def test_reads_are_retried(acme: Any, things: Things) -> None:  # noqa: ANN401 - as above
    def busy_once(_: Handler) -> Reply | None:
        return Reply(status=503, headers=[("Retry-After", "0")]) if len(things.requests) == 1 else None

    things.respond_to = busy_once
    assert acme.things.get(id="b2")["id"] == "b2"
    assert len(things.requests) == 2


def test_a_call_on_the_command_line_writes_json(cli: Cli, things: Things) -> None:
    define(cli.folder, OPERATIONS)
    done = call(cli, things, "acme.things.get", "--id", "b2")
    assert (done.code, list(json.loads(done.out))) == (0, ["id", "zeta", "name", "alpha"])
    (cli.folder / "where.json").write_text('{"name": "n"}')
    things.respond_to = lambda _: Reply([])
    done = call(cli, things, "acme.things.query", "--where", "@where.json", "--all", "true", "-p", "size=3")
    assert (done.code, done.out) == (0, "[]\n")
    assert json.loads(things.requests[-1][2]) == {
        "where": {"name": "n"}, "deep": ["n", "x-3"], "size": 3, "all": True
    }  # fmt: skip


MISTAKES = {
    ("acme.things.get",): "`id` is missing: Id of the thing",
    ("acme.things.gte", "--id", "x"): "did you mean `get`?",
    ("acme.thing.get",): "did you mean `acme.things`?",
    ("acme",): None,
    ("acme.things",): None,
    ("get",): "an operation is named `source.endpoint.operation`",
    ("acme.things.get", "--idd", "x"): "did you mean `--id`?",
    ("acme.things.query", "--where", "{"): "invalid `--where`: it is not JSON",
    ("acme.things.query", "--where", "@none.json"): "cannot read none.json",
    ("acme.things.query", "--where", "{}", "--all", "yes"): "expected true or false, given `yes`",
    ("acme.things.query", "-p", "where"): "`where` is not NAME=VALUE",
    ("acme.things.find", "--name", "b", "--limit", "many"): "expected a whole number, given `many`",
    ("acme.things.find", "--name", "b", "--limit", "0"): "invalid `limit`: must be >=1",
}


def test_what_a_terminal_would_take_for_commands_is_escaped(cli: Cli, things: Things) -> None:
    define(cli.folder, OPERATIONS)
    written = "\x1b[2J\x9b2J\u202egnp.exe\x7f \u2028é☃"
    things.things["b1"] = {"id": "b1", "name": written}
    done = call(cli, things, "acme.things.get", "--id", "b1")
    assert json.loads(done.out)["name"] == written
    assert "é☃" in done.out
    assert not set(done.out) & {*map(chr, (0x1B, 0x7F, 0x9B, 0x2028, 0x202E))}


@pytest.mark.parametrize("arguments", MISTAKES, ids=" ".join)
def test_mistakes_on_the_command_line_are_said_before_any_request(
    cli: Cli, things: Things, arguments: tuple[str, ...]
) -> None:
    define(cli.folder, OPERATIONS)
    done = call(cli, things, *arguments)
    what = MISTAKES[arguments]
    assert (done.code, things.requests) == (2 if what else 0, [])
    assert what in done.err if what else "acme.things.get" in done.out


def test_help_shows_the_parameters(cli: Cli, things: Things) -> None:
    define(cli.folder, OPERATIONS)
    done = call(cli, things, "acme.things.find", "--help")
    for line in ("--name VALUE", "The text (required)", "--tags JSON|@FILE", "--limit N", "(default: 50)"):
        assert line in done.out


def test_show_names_the_operations_of_an_endpoint(cli: Cli, things: Things) -> None:
    define(cli.folder, OPERATIONS)
    done = cli("describe", "acme.things", "--catalog", "catalog", ACME_URL=things.url)
    assert "operations   find, get, query\n" in done.out


def test_an_object_that_is_not_there_is_said_to_be(cli: Cli, things: Things) -> None:
    define(cli.folder, OPERATIONS)
    done = call(cli, things, "acme.things.get", "--id", "nobody")
    assert done.code == 1
    assert "(404)" in done.err
    assert "nothing that these credentials may see" in done.err
    assert "canary" not in done.err + done.out


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "list": ({"list": GET}, "`list` is the list of the endpoint"),
    "path": ({"get": {**GET, "path": "things/{id}"}}, "is not a path"),
    "unused": ({"get": {**GET, "parameters": {**ID, "x": {"about": "X."}}}}, "nothing of the request uses `{x}`"),
    "unknown": ({"get": {**GET, "path": "/things/{idd}"}}, "did you mean `{id}`?"),
    "secret": ({"get": {**GET, "query": {"t": "{token}"}}}, "`{token}` is a secret"),
    "setting": ({"get": {**GET, "path": "/{site}/{id}", "parameters": {**ID, "site": {"about": "S."}}}}, "a setting"),
    "schema": ({"get": {**GET, "parameters": {"id": {"about": "I.", "schema": {"type": "strng"}}}}}, "JSON Schema"),
    "keyword": (
        {"get": {**GET, "parameters": {"id": {"about": "I.", "schema": {"tpye": "x"}}}}},
        "did you mean `type`",
    ),
    "reference": (
        {"get": {**GET, "parameters": {"id": {"about": "I.", "schema": {"$ref": "file:///etc/passwd"}}}}},
        "outside of the schema",
    ),
    "default": ({"get": {**GET, "parameters": {"id": {"about": "I.", "default": 5}}}}, "refuses the default"),
    "optional": ({"get": {**GET, "parameters": {"id": {"about": "I.", "optional": True}}}}, "a part of the path"),
    "python": (
        {"get": {**GET, "path": "/{class}", "parameters": {"class": {"about": "C."}}}},
        "is a keyword of Python",
    ),
    "scope": ({"get": {**GET, "scopes": ["a b"]}}, "a scope has no spaces"),
    "kind": ({"get": {**GET, "kind": "read"}}, "unknown value `read`"),
    "hook": (
        {"find": {**FIND, "returns": {"list": {"primary_key": ["/id"], "paginator": {"hook": "h.py:f"}}}}},
        "an operation has no hooks",
    ),
    "looked up": (
        {"get": {**GET, "looks_up": {"x": {"operation": "get", "with": {"id": "{id}"}, "value": "/id"}}}},
        "an operation that investigates changes nothing: leave this out",
    ),
    "no endpoint": ({"get": GET, "shut": {**SHUT, "reads_back": {"operation": "thing.get"}}}, "no endpoint `thing`"),
    "elsewhere": (
        {"get": GET, "shut": {**SHUT, "undo": {"operation": "things.opne", "with": {"id": "{id}"}}}, "open": SHUT},
        "did you mean `open`?",
    ),
    "given": (
        {"get": GET, "shut": {**SHUT, "reads_back": {"operation": "things.get"}}},
        "`things.get` has to have `id`",
    ),
    "writes": (
        {"get": GET, "shut": {**SHUT, "reads_back": {"operation": "things.shut", "with": {"id": "{id}"}}}},
        "`things.shut` changes something, and is to read",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_definition_is_refused_with_its_place(cli: Cli, things: Things, name: str) -> None:
    operations, why = WRONG[name]
    define(cli.folder, operations)
    done = call(cli, things, "acme.things")
    assert (done.code, things.requests) == (2, [])
    assert why in done.err
    assert "things.yaml:" in done.err


def test_operations_are_saved_with_their_endpoint(things: Things, tmp_path: Path) -> None:
    acme: Any = circulate_core.source("acme", base_url=things.url, catalog=())
    acme.stream("things", {"operations": {"get": GET}}, path="/things", records="/items", paginator="none")
    acme.save(tmp_path / "definitions")
    again: Any = circulate_core.source("acme", catalog=[tmp_path / "definitions"])
    assert again.things.get(id="b2")["id"] == "b2"


def test_operations_of_okta_read_a_practice_org(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(users=3)
    cli = cli_for(org)
    user = json.loads(cli("sample", "okta.users", "-n", "1", "--json").out)[0]
    assert json.loads(cli("call", "okta.users.get", "--id", user["id"]).out) == user
    done = cli("call", "okta.users.get", "--id", "me")
    assert (done.code, "this value is not allowed" in done.err) == (2, True)
