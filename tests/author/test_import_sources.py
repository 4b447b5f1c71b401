"""What an import writes of a source: signing in, operations, overlays, and what a newer document changes."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.api_descriptions import RECORD, described, import_document, listing, page_of
from support.cli import Cli
from support.http_server import Reply, Server

Json = dict[str, Any]
PAGE = {"name": "page", "in": "query", "schema": {"type": "integer", "default": 1}}
ITEMS = listing(page_of(), PAGE)
OVERLAY = "definitions/acme.overlay.yaml"


def source_of(cli: Cli) -> Json:
    parsed: Json = yaml.safe_load((cli.folder / "definitions/acme/source.yaml").read_text())
    return parsed


def endpoint_of(cli: Cli, name: str = "items") -> Json:
    parsed: Json = yaml.safe_load((cli.folder / f"definitions/acme/{name}.yaml").read_text())
    return parsed


def say(cli: Cli, overlay: object) -> None:
    """Write an overlay."""
    (cli.folder / "definitions").mkdir(exist_ok=True)
    (cli.folder / OVERLAY).write_text(overlay if isinstance(overlay, str) else yaml.safe_dump(overlay))


# Signing in.

FLOW = {"tokenUrl": "https://login.acme.example/token", "scopes": {}}
WAYS: list[tuple[Json, list[Any]]] = [
    ({"type": "http", "scheme": "bearer"}, [{"bearer": "token"}]),
    ({"type": "http", "scheme": "Basic"}, [{"basic": {"user": "user", "password": "password"}}]),
    ({"type": "basic"}, [{"basic": {"user": "user", "password": "password"}}]),
    ({"type": "apiKey", "in": "header", "name": "X-Key"}, [{"header": {"name": "X-Key", "secret": "x_key"}}]),
    ({"type": "apiKey", "in": "query", "name": "api_key"}, [{"query": {"name": "api_key", "secret": "api_key"}}]),
    (
        {"type": "apiKey", "in": "cookie", "name": "SID"},
        [{"header": {"name": "Cookie", "prefix": "SID=", "secret": "sid"}}],
    ),
    ({"type": "openIdConnect", "openIdConnectUrl": "https://x.example"}, [{"bearer": "access_token"}]),
    ({"type": "oauth2", "flows": {"implicit": {}}}, [{"bearer": "access_token"}]),
    (
        {"type": "oauth2", "flows": {"clientCredentials": FLOW}},
        [
            {
                "oauth2": {
                    "token_url": FLOW["tokenUrl"],
                    "client_id": "client_id",
                    "client_secret": "client_secret",
                    "send_secret": "basic",
                }
            }
        ],
    ),
    (
        {"type": "oauth2", "flow": "accessCode", **FLOW},
        [
            {
                "oauth2": {
                    "token_url": FLOW["tokenUrl"],
                    "client_id": "client_id",
                    "client_secret": "client_secret",
                    "grant": "refresh_token",
                    "refresh_token": "refresh_token",
                    "send_secret": "basic",
                }
            }
        ],
    ),
    ({"type": "http", "scheme": "digest"}, ["none"]),
]


@pytest.mark.parametrize(("scheme", "auth"), WAYS, ids=range(len(WAYS)))
def test_a_security_scheme_is_a_way_to_sign_in(cli: Cli, scheme: Json, auth: list[Any]) -> None:
    document = described({"/items": ITEMS}, components={"securitySchemes": {"key": scheme}})
    imported = import_document(cli, document)
    assert imported.of("GET /items")["status"] == "inferred"
    assert source_of(cli)["auth"] == auth
    assert any("digest" in note for note in imported.report["notes"]) == (auth == ["none"])


def test_keys_that_are_sent_together_are_one_way(cli: Cli) -> None:
    keys = {name: {"type": "apiKey", "in": "header", "name": name} for name in ("X-Key", "X-App")}
    document = described({"/items": ITEMS}, components={"securitySchemes": keys}, security=[{"X-Key": [], "X-App": []}])
    import_document(cli, document).of("GET /items")
    assert source_of(cli)["auth"] == [
        {"headers": [{"name": "X-Key", "secret": "x_key"}, {"name": "X-App", "secret": "x_app"}]}
    ]


def test_an_address_gets_no_key_that_the_environment_has_for_another_api(cli: Cli) -> None:
    server = {"url": "https://evil.example/{secret_access_key}"}
    import_document(cli, described({"/items": ITEMS}, servers=[server]))
    assert source_of(cli)["settings"]["secret_access_key"]["env"] == "ACME_ADDRESS_SECRET_ACCESS_KEY"


def test_settings_have_no_name_that_means_something_else_in_a_config_file(cli: Cli) -> None:
    key = {"type": "apiKey", "in": "header", "name": "secret"}
    document = described({"/accounts/{account}/items": ITEMS}, components={"securitySchemes": {"key": key}})
    imported = import_document(cli, document)
    assert imported.of("GET /accounts/{account}/items")["path"] == "/accounts/{account_value}/items"
    settings = source_of(cli)["settings"]
    assert {name: each["env"] for name, each in settings.items()} == {
        "secret_value": "ACME_SECRET_VALUE",
        "account_value": "ACME_ACCOUNT_VALUE",
    }


def test_a_post_is_a_list_where_an_overlay_says_so(cli: Cli) -> None:
    search = {"post": {"responses": ITEMS["get"]["responses"]}}
    document = described({"/items": ITEMS, "/items/search": search})
    assert len(import_document(cli, document).report["lists"]) == 1
    listed = {
        "body": {"json": {"limit": 50}},
        "records": "/items",
        "paginator": {"token": {"from": {"body": "/next"}, "to": {"body": "/cursor"}}},
    }
    say(cli, {"lists": {"POST /items/search": {"list": listed}}})
    imported = import_document(cli, document)
    assert imported.of("POST /items/search")["status"] == "declared"
    assert endpoint_of(cli, "item_search")["list"]["method"] == "POST"
    assert imported.report["operations"] == []


def test_a_word_before_a_key_is_only_mentioned(cli: Cli) -> None:
    scheme = {"type": "apiKey", "in": "header", "name": "Authorization", "description": "Pass it as `SSWS {token}`."}
    imported = import_document(cli, described({"/items": ITEMS}, components={"securitySchemes": {"key": scheme}}))
    assert any("mentions `SSWS`: give it a `prefix`" in note for note in imported.report["notes"])
    assert source_of(cli)["auth"] == [{"header": {"name": "Authorization", "secret": "key"}}]


def test_where_no_scheme_is_declared_somebody_is_asked(cli: Cli) -> None:
    key = {"name": "X-Api-Key", "in": "header", "required": True, "schema": {"type": "string"}}
    document = described({"/items": listing(page_of(), PAGE, key)}, components={}, security=[])
    imported = import_document(cli, document)
    assert "say how by --auth; its operations look like --auth header:X-Api-Key" in " ".join(imported.report["notes"])
    assert source_of(cli)["auth"] == ["none"]
    imported = import_document(cli, document, "--auth", "header:X-Api-Key")
    assert source_of(cli)["auth"] == [{"header": {"name": "X-Api-Key", "secret": "x_api_key"}}]
    assert not any("--auth" in note for note in imported.report["notes"])
    # What was said once is not asked for at the next import.
    import_document(cli, document).of("GET /items")
    assert source_of(cli)["auth"] == [{"header": {"name": "X-Api-Key", "secret": "x_api_key"}}]


@pytest.mark.parametrize("way", ["barer", "header", "header:", "query:a:b", "oauth2:http://x", ""])
def test_an_invalid_way_to_sign_in_is_refused(cli: Cli, way: str) -> None:
    done = import_document(cli, described({"/items": ITEMS}), "--auth", way).done
    assert (done.code, f"invalid `--auth`: {way!r}" in done.err) == (2, True)


def test_scopes_are_those_of_the_operation(cli: Cli) -> None:
    flows = {"clientCredentials": {"tokenUrl": "/token", "scopes": {}}}
    items = {
        "get": {**ITEMS["get"], "security": [{"oauth": ["items.read", "items.all"]}, {"oauth": ["items.read"]}]},
        "post": {"responses": {}, "security": [{"oauth": ["items.write"]}]},
    }
    document = described(
        {"/items": items}, components={"securitySchemes": {"oauth": {"type": "oauth2", "flows": flows}}}
    )
    import_document(cli, document).of("GET /items")
    assert endpoint_of(cli)["scopes"] == ["items.read"]
    assert endpoint_of(cli)["operations"]["create"]["scopes"] == ["items.write"]
    assert source_of(cli)["check"]["scopes"] == ["items.read"]
    assert source_of(cli)["auth"][0]["oauth2"]["token_url"] == "https://api.acme.example/token"  # noqa: S105 - an address


def test_headers_that_report_a_quota_are_written(cli: Cli) -> None:
    headers = {f"X-RateLimit-{name}": {"schema": {"type": "integer"}} for name in ("Limit", "Remaining", "Reset")}
    import_document(cli, described({"/items": listing(page_of(), PAGE, headers=headers)})).of("GET /items")
    assert source_of(cli)["rate_limit"] == {
        "limit": "X-RateLimit-Limit",
        "remaining": "X-RateLimit-Remaining",
        "reset": "X-RateLimit-Reset",
    }


# Operations.


def test_what_changes_something_is_held_back_until_somebody_says_otherwise(cli: Cli) -> None:
    body = {"content": {"application/json": {"schema": RECORD}}, "required": True}
    one = {
        "parameters": [{"name": "itemId", "in": "path", "required": True, "schema": {"type": "integer"}}],
        "get": {"summary": "One item.", "responses": {}},
        "put": {"requestBody": body, "responses": {}},
        "delete": {"responses": {}},
    }
    secret = {"type": "object", "properties": {"id": {"type": "string"}, "apiKey": {"type": "string"}}}
    create = {"requestBody": body, "responses": {"200": {"content": {"application/json": {"schema": secret}}}}}
    imported = import_document(cli, described({"/items": {**ITEMS, "post": create}, "/items/{itemId}": one}))
    names = {each["operation"]: each["name"] for each in imported.report["operations"]}
    assert names == {
        "POST /items": "acme.items.create",
        "GET /items/{itemId}": "acme.items.get",
        "PUT /items/{itemId}": "acme.items.replace",
        "DELETE /items/{itemId}": "acme.items.delete",
    }
    operations = endpoint_of(cli)["operations"]
    assert operations["get"] == {
        "about": "One item.",
        "kind": "investigate",
        "path": "/items/{item_id}",
        "parameters": {"item_id": {"about": "`itemId` of the request.", "schema": {"type": "integer"}}},
    }
    for name in ("create", "replace", "delete"):
        held = operations[name]
        assert (held["destructive"], held["retry"]) == (True, "never")
        assert held["reads_back"].keys() == held["undo"].keys() == {"none"}
    assert operations["create"]["secrets"] == ["/apiKey"]
    assert operations["create"]["body"] == {"json": "{body}"}
    assert operations["create"]["parameters"]["body"]["schema"]["properties"].keys() == {"id", "name"}


SCHEMAS: list[tuple[Json, Json]] = [
    ({"type": "string", "nullable": True, "enum": ["a", "a"]}, {"type": ["string", "null"], "enum": ["a", None]}),
    ({"type": "integer", "minimum": 1, "exclusiveMinimum": True}, {"type": "integer", "exclusiveMinimum": 1}),
    ({"type": "strin", "example": 1, "x-a": 1, "xml": {}, "minimum": "1"}, {}),
    ({"oneOf": [{"type": "string"}, {"type": "string"}]}, {"anyOf": [{"type": "string"}, {"type": "string"}]}),
    (
        {"type": "object", "required": ["id", "a"], "properties": {"id": {"type": "string", "readOnly": True}}},
        {"type": "object", "required": ["a"], "properties": {"id": {"type": "string"}}},
    ),
    # What the engine does not take says no more than a type.
    ({"type": "string", "pattern": "(?<a", "maxLength": 5}, {"type": "string"}),
]


@pytest.mark.parametrize(("given", "written"), SCHEMAS, ids=range(len(SCHEMAS)))
def test_a_schema_is_written_as_json_schema(cli: Cli, given: Json, written: Json) -> None:
    post = {"requestBody": {"content": {"application/json": {"schema": given}}}, "responses": {}}
    import_document(cli, described({"/items": {**ITEMS, "post": post}})).of("GET /items")
    body = endpoint_of(cli)["operations"]["create"]["parameters"]["body"]
    assert body.get("schema", {}) == written
    assert cli("call", "acme.items.create", "--help", "--catalog", "definitions").code == 0


def test_a_schema_that_leads_back_into_itself_is_cut_where_it_does(cli: Cli) -> None:
    node = {"type": "object", "properties": {"child": {"$ref": "#/components/schemas/Node"}, "id": {"type": "string"}}}
    document = described(
        {
            "/items": {
                **ITEMS,
                "post": {
                    "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Node"}}}},
                    "responses": {},
                },
            }
        }
    )
    document["components"]["schemas"] = {"Node": node}
    imported = import_document(cli, document)
    said = "`acme.json#/components/schemas/Node` leads back into itself: anything is allowed here"
    assert any(said in note for note in imported.report["notes"])
    schema = endpoint_of(cli)["operations"]["create"]["parameters"]["body"]["schema"]
    assert schema["properties"] == {"child": {"$comment": said}, "id": {"type": "string"}}


def test_what_no_definition_can_say_is_left_out_by_name(cli: Cli) -> None:
    upload = {"requestBody": {"content": {"multipart/form-data": {"schema": RECORD}}}, "responses": {}}
    xml = {"get": {"responses": {"200": {"content": {"application/xml": {}}}}, "parameters": [PAGE]}}
    paths = {
        "/items": ITEMS,
        "/items/{id}/file": {"post": upload},
        "/hosts": xml,
        "/login": {"post": {"responses": {}}},
    }
    assert import_document(cli, described(paths)).report["left_out"] == {
        "POST /items/{id}/file": "its body is multipart/form-data, which no definition can send",
        "GET /hosts": "its pages are application/xml: a definition with a hook can read them",
        "POST /login": "no list has a path that it could stand beside",
    }


# Single objects.

ME: Json = {"type": "object", "properties": {"id": {"type": "string"}, "email": {"type": "string"}}}
STATUS: Json = {"type": "object", "properties": {"state": {"type": "string"}, "checked": {"type": "string"}}}


def one(schema: Json | None, *parameters: Json | str) -> Json:
    return listing(schema, *parameters)


def test_an_object_without_a_list_beside_it_is_a_stream_of_one_record(cli: Cli) -> None:
    paths = {"/me": {**one(ME), "patch": {"responses": {}}}, "/service/status": one(STATUS)}
    imported = import_document(cli, described(paths))
    found = {
        each["stream"]: (each["status"], each["records"], each["primary_key"]) for each in imported.report["lists"]
    }
    assert found == {
        "acme.me": ("inferred", {"one": ""}, ["/id"]),
        "acme.status": ("inferred", {"one": ""}, "none"),
    }
    assert [each["name"] for each in imported.report["operations"]] == ["acme.me.update_all"]
    assert imported.report["left_out"] == {}
    assert "no list, 2 single objects, 1 operation" in imported.done.err


def test_a_stream_of_one_record_is_read_and_an_array_in_its_place_is_refused(cli: Cli) -> None:
    document = described({"/me": one(ME)}, components={}, security=[])
    (cli.folder / "acme.json").write_text(json.dumps(document))
    replies: list[Any] = [{"id": "u1", "email": "ada@acme.example"}, [{"id": "u1"}, {"id": "u2"}]]
    with Server(lambda _: Reply(replies[0])) as server:
        command = ["import", "openapi", "acme.json", "--source", "acme", "--auth", "none", "--base-url", server.url]
        assert cli(*command).code == 0
        shown = cli(*command, "--probe", "--overwrite", "--json")
        assert shown.report["lists"][0]["status"] == "probed", shown.err
        done = cli("sample", "acme.me", "--catalog", "definitions", "--json")
        assert (done.code, json.loads(done.out)) == (0, [replies[0]]), done.err
        replies.pop(0)
        wrong = cli("pull", "acme.me", "--catalog", "definitions", "--to", "lake")
    assert wrong.code == 1, wrong.err


def test_a_call_that_reads_and_is_no_stream_is_left_out_with_its_own_reason(cli: Cli) -> None:
    token = {"type": "object", "properties": {"access_token": {"type": "string"}}}
    paths = {
        "/search": one(ME, {"name": "q", "in": "query", "required": True, "schema": {"type": "string"}}),
        "/ping": one(None),
        "/areas": one(ME),
        "/session": one(token),
        "/reports/{id}": one(ME),
    }
    alone = "no list has a path that it could stand beside"
    imported = import_document(cli, described(paths), "--dry-run")
    assert imported.report["left_out"] == {
        "GET /search": f"{alone}, and it needs `q`",
        "GET /ping": f"{alone}, and its response is not described as one object",
        "GET /areas": "its name is that of a list, and its response is described as one object: an overlay can say"
        " which it is",
        "GET /session": f"{alone}, and its response has a secret, by its name",
        "GET /reports/{id}": f"{alone}, and it needs `id`",
    }
    for key, why in imported.report["left_out"].items():
        assert why in imported.done.err, key


def test_an_object_beside_a_list_stays_an_operation_of_it(cli: Cli) -> None:
    imported = import_document(
        cli, described({"/items": ITEMS, "/items/{id}": one(ME), "/items/settings": one(STATUS)})
    )
    assert [each["stream"] for each in imported.report["lists"]] == ["acme.items"]
    assert {each["name"] for each in imported.report["operations"]} == {"acme.items.get", "acme.items.settings"}


# Secrets that people leave in documents.

LEFT_BEHIND = {
    "a JWT": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEiLCJhZG1pbiI6dHJ1ZX0.c2lnbmF0dXJl",
    "a key with a prefix": "sk_live_0000000000CanaryKeyOf",
    "random characters": "4eC39HqLyjWDarjtT1zdp7dcK",
    "a digest": "5f4dcc3b5aa765d61d8327deb882cf99",
    "a key of AWS": "AKIAIOSFODNN7CANARY1",
}


@pytest.mark.parametrize("kind", LEFT_BEHIND)
def test_a_secret_under_an_odd_name_gets_into_no_definition(cli: Cli, kind: str) -> None:
    secret = LEFT_BEHIND[kind]
    text = {
        "type": "string",
        "default": secret,
        "enum": [secret, "b"],
        "example": secret,
        "description": f"Use {secret}.",
    }
    body = {"type": "object", "properties": {"blob": text, "fixed": {"const": secret}}}
    needed = {"name": "ctx", "in": "query", "required": True, "description": f"Like {secret}", "schema": text}
    plain = {"name": "tenant", "in": "path", "required": True, "schema": {"type": "string", "default": secret}}
    posted = {"requestBody": {"content": {"application/json": {"schema": body}}}, "responses": {}}
    document = described(
        {
            "/items": {**listing(page_of(), PAGE, needed, summary=f"Items, by {secret}"), "post": posted},
            "/{tenant}/things": listing(page_of(), PAGE, plain),
        },
        servers=[{"url": "https://api.acme.example/{space}", "variables": {"space": {"default": secret}}}],
    )
    imported = import_document(cli, document)
    assert imported.done.code == 0, imported.done.err
    texts = {path.name: path.read_text() for path in (cli.folder / "definitions/acme").iterdir()}
    assert [name for name, written in texts.items() if secret in written] == []
    assert secret not in imported.done.out + imported.done.err
    schema = endpoint_of(cli)["operations"]["create"]["parameters"]["body"]["schema"]["properties"]["blob"]
    assert schema["enum"] == ["b"]


NO_SECRETS = (
    *("2026-01-01T00:00:00.000Z", "application/vnd.github.v3+json", "https://api.acme.example/v1/things/12345"),
    *("lastMembershipUpdatedDescending", "ISO20022PaymentInstructionMessage", "EC2InstanceTypeM5XLarge2023"),
    *("123e4567-e89b-12d3-a456-426614174000", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "2024-10-15-preview"),
    *("urn:ietf:params:oauth:grant-type:jwt-bearer", "aes256-gcm@openssh.com", "123456789012345678901234"),
)


@pytest.mark.parametrize("value", NO_SECRETS)
def test_values_that_only_look_long_stay_in_definitions(cli: Cli, value: str) -> None:
    parameter = {"name": "kind", "in": "query", "required": True, "schema": {"type": "string", "default": value}}
    import_document(cli, described({"/items": listing(page_of(), PAGE, parameter)}))
    assert endpoint_of(cli)["list"]["query"] == {"kind": value}


# Overlays.


def test_what_an_overlay_says_survives_every_import(cli: Cli) -> None:
    document = described({"/items": {**listing(page_of()), "post": {"responses": {}}}, "/jobs": ITEMS})
    assert import_document(cli, document).of("GET /items")["status"] == "unknown"
    say(
        cli,
        """\
source: {title: Acme Inc, auth: [{header: {name: X-Key, secret: token}}]}
lists:
  GET /items: {about: Things., list: {paginator: link_header, primary_key: [/name]}}
  GET /jobs: {name: tasks}
operations:
  POST /items: {destructive: false, retry: if_not_sent, name: add}
""",
    )
    before = (cli.folder / OVERLAY).read_bytes()
    for _ in range(2):
        imported = import_document(cli, document)
        listed = imported.of("GET /items")
        assert (listed["status"], listed["paginator"]) == ("declared", "link_header")
        assert "the overlay says paginator, primary_key, about" in listed["evidence"]
        assert endpoint_of(cli)["list"]["primary_key"] == ["/name"]
        assert (endpoint_of(cli)["about"], source_of(cli)["title"]) == ("Things.", "Acme Inc")
        assert endpoint_of(cli)["operations"]["add"]["retry"] == "if_not_sent"
        assert imported.of("GET /jobs")["stream"] == "acme.tasks"
        assert not (cli.folder / "definitions/acme/jobs.yaml").exists()
    assert (cli.folder / OVERLAY).read_bytes() == before


def test_a_rule_is_for_the_lists_that_look_alike_and_are_unknown(cli: Cli) -> None:
    after, limit = ({"name": name, "in": "query", "schema": {"type": "string"}} for name in ("after", "limit"))
    array = {"type": "array", "items": RECORD}
    paths = {
        "/api/users": listing(array, after, limit),
        "/api/jobs": listing(array, PAGE),
        "/api/logs": listing(array, limit),
        "/old/users": listing(array, after),
    }
    say(cli, {"rules": [{"paths": "/api/*", "parameters": ["after"], "list": {"paginator": "link_header"}}]})
    report = import_document(cli, described(paths)).report
    assert {each["path"]: (each["status"], each["paginator"]) for each in report["lists"]} == {
        "/api/users": ("declared", "link_header"),
        "/api/jobs": ("inferred", {"page": {"to": "page"}}),
        "/api/logs": ("unknown", None),
        "/old/users": ("unknown", None),
    }


WRONG_OVERLAYS = [
    ("list: {}", "the overlay: unknown key `list` (did you mean `lists`?)"),
    ("lists: {GET /itms: {}}", "`lists`: the documents have no `GET /itms` (did you mean `GET /items`?)"),
    ("lists: {items: {}}", "`lists`: `items` is not an operation, such as `GET /users`"),
    ("lists: {GET /items: {paginator: none}}", "`GET /items`: unknown key `paginator`"),
    ("rules: [{paths: /a}]", "rule 1: `list` is missing"),
    ("rules: {}", "`rules` is a list of rules"),
    ("lists: {GET /items: {name: ../items}}", "`GET /items`: `../items` is not a name"),
    ("- a", "the overlay has keys and values"),
    ("a: [", "line 1, column 4"),
]


@pytest.mark.parametrize(("text", "said"), WRONG_OVERLAYS)
def test_a_wrong_overlay_is_refused_before_anything_is_written(cli: Cli, text: str, said: str) -> None:
    say(cli, text)
    done = import_document(cli, described({"/items": ITEMS})).done
    assert (done.code, done.out) == (2, "")
    assert f"{OVERLAY}: {said}" in done.err
    assert not (cli.folder / "definitions/acme").exists()


def test_what_the_engine_does_not_take_of_an_overlay_is_said_in_its_words(cli: Cli) -> None:
    document = described({"/items": {**ITEMS, "post": {"responses": {}}}, "/jobs": ITEMS})
    for overlay, said in (
        ({"source": {"base_url": "https://{nowhere}"}}, "`{nowhere}` is not among the settings"),
        ({"lists": {"GET /items": {"list": {"paginator": {"page": {"too": "p"}}}}}}, "unknown key `too`"),
        ({"operations": {"POST /items": {"retry": "often"}}}, "unknown value `often`"),
    ):
        say(cli, overlay)
        done = import_document(cli, document).done
        assert (done.code, said in done.err) == (2, True), done.err
        assert not (cli.folder / "definitions/acme").exists()


# Files.


def test_the_documents_are_pinned_by_their_digest(cli: Cli) -> None:
    import_document(cli, described({"/items": ITEMS})).of("GET /items")
    lock = json.loads((cli.folder / "definitions/acme/import.lock").read_text())
    (document,) = lock["documents"]
    assert document["name"] == "acme.json"
    assert len(document["sha256"]) == 64
    assert lock["files"].keys() == {"source.yaml", "items.yaml"}


@pytest.mark.parametrize("part", ["files", "lists"])
def test_a_lock_that_leads_out_of_its_folder_is_refused(cli: Cli, part: str) -> None:
    document = described({"/items": ITEMS})
    import_document(cli, document).of("GET /items")
    path = cli.folder / "definitions/acme/import.lock"
    lock = json.loads(path.read_text())
    if part == "files":
        lock["files"]["../other.yaml"] = "0"
    else:
        lock["lists"]["GET /items"]["endpoint"] = "../other"
    path.write_text(json.dumps(lock))
    (cli.folder / "definitions/other.yaml").write_text("mine")
    done = import_document(cli, document, "--overwrite").done
    assert (done.code, "it is not what an import has written" in done.err) == (2, True)
    assert (cli.folder / "definitions/other.yaml").read_text() == "mine"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"schema": 9, "more": {}}', "it is of another version (9) than this one reads (1)"),
        ("{", "it is not what an import has written"),
        ("[]", "it is not what an import has written"),
        ('{"schema": 1, "lists": []}', "it is not what an import has written"),
    ],
)
def test_a_lock_of_something_else_is_refused(cli: Cli, text: str, said: str) -> None:
    folder = cli.folder / "definitions/acme"
    folder.mkdir(parents=True)
    (folder / "import.lock").write_text(text)
    done = import_document(cli, described({"/items": ITEMS})).done
    assert (done.code, said in done.err) == (2, True), done.err


def test_what_was_changed_by_hand_is_not_replaced(cli: Cli) -> None:
    document = described({"/items": ITEMS})
    import_document(cli, document).of("GET /items")
    file = cli.folder / "definitions/acme/items.yaml"
    edited = file.read_text().replace("about: GET /items.", "about: Mine.")
    file.write_text(edited)
    document["info"]["title"] = "Another title"
    before = (cli.folder / "definitions/acme/source.yaml").read_text()
    done = import_document(cli, document).done
    assert done.code == 2
    assert "not overwritten, since they were written or changed by hand: definitions/acme/items.yaml" in done.err
    assert (file.read_text(), (cli.folder / "definitions/acme/source.yaml").read_text()) == (edited, before)
    import_document(cli, document, "--overwrite").of("GET /items")
    assert "about: GET /items." in file.read_text()


def test_a_source_of_somebody_else_is_not_written_into(cli: Cli) -> None:
    folder = cli.folder / "definitions/acme"
    folder.mkdir(parents=True)
    (folder / "source.yaml").write_text("source: acme\n")
    assert import_document(cli, described({"/items": ITEMS})).done.code == 2
    assert sorted(path.name for path in folder.iterdir()) == ["source.yaml"]


def test_a_dry_run_writes_nothing(cli: Cli) -> None:
    imported = import_document(cli, described({"/items": ITEMS}), "--dry-run")
    assert imported.report["files"] == []
    assert not (cli.folder / "definitions").exists()


def test_nothing_is_left_behind_where_nothing_can_be_written(cli: Cli) -> None:
    (cli.folder / "definitions").write_text("a file")
    done = import_document(cli, described({"/items": ITEMS})).done
    assert (done.code, "definitions" in done.err) == (2, True), done.err


# Newer documents.


def changes(cli: Cli, document: Json, *arguments: str | Path) -> list[str]:
    found = import_document(cli, document, *arguments, name="new.json").report["changes"]
    return [" ".join([each["kind"], each["what"], each["key"], *each["details"]]) for each in found]


def test_what_a_newer_document_changes_is_shown_before_it_is_written(cli: Cli) -> None:
    old = described({"/items": {**ITEMS, "post": {"responses": {}}}, "/jobs": ITEMS})
    new = described(
        {
            "/items": {
                **listing(page_of(next_page_url="string"), PAGE, "q:string"),
                "post": {"responses": {}},
                "delete": {"responses": {}},
            },
            "/users": ITEMS,
        }
    )
    import_document(cli, old).of("GET /jobs")
    expected = [
        "removed list GET /jobs",
        (
            'changed list GET /items paginator: {"page": {"to": "page"}} → {"next_url": {"body": "/next_page_url"}}'
            " parameter query q: new (string)"
        ),
        "new list GET /users",
        "new operation DELETE /items",
    ]
    assert changes(cli, new, "--diff", "acme.json") == expected
    assert (cli.folder / "definitions/acme/jobs.yaml").exists()
    assert changes(cli, new, "--dry-run") == expected
    assert changes(cli, new) == expected
    assert not (cli.folder / "definitions/acme/jobs.yaml").exists()
    assert changes(cli, new) == []


def test_changes_are_shown_to_people(cli: Cli) -> None:
    import_document(cli, described({"/items": ITEMS, "/jobs": ITEMS})).of("GET /jobs")
    (cli.folder / "acme.json").write_text(json.dumps(described({"/items": ITEMS})))
    done = cli("import", "openapi", "acme.json", "--source", "acme")
    assert done.err.splitlines()[0] == "removed  list GET /jobs"
    assert "✓ definitions/acme: 3 files" in done.err


def test_an_import_of_the_same_document_writes_the_same_files(cli: Cli) -> None:
    document = described({"/items": ITEMS, "/users": listing(page_of("users"))})
    import_document(cli, document).of("GET /items")
    folder = cli.folder / "definitions/acme"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    import_document(cli, document).of("GET /items")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_no_two_lists_and_no_two_operations_get_one_name(cli: Cli) -> None:
    one: Json = {"patch": {"responses": {}}, "delete": {"responses": {}}}
    paths = {"/items": listing(page_of()), "/groups": listing(page_of()), "/items/{id}": one}
    (cli.folder / "acme.json").write_text(json.dumps(described(paths)))
    for overlay, said in (
        ({"lists": {"GET /items": {"name": "x"}, "GET /groups": {"name": "x"}}}, "have the same name: `x`"),
        ({"lists": {"GET /items": {"name": "source"}}}, "a list cannot be named `source`"),
        (
            {"operations": {"PATCH /items/{id}": {"name": "delete"}}},
            "PATCH /items/{id}: items has another operation `delete`",
        ),
    ):
        say(cli, overlay)
        done = cli("import", "openapi", "acme.json", "--source", "acme")
        assert (done.code, said in done.err) == (2, True), done.err
        assert not (cli.folder / "definitions/acme").exists()


def test_a_list_that_an_overlay_names_like_another_one_gets_its_name(cli: Cli) -> None:
    (cli.folder / "acme.json").write_text(
        json.dumps(described({"/items": listing(page_of()), "/groups": listing(page_of())}))
    )
    for _ in ("without an earlier import", "with the names of one"):
        say(cli, {"lists": {"GET /items": {"name": "groups"}}})
        done = cli("import", "openapi", "acme.json", "--source", "acme", "--json")
        streams = {each["operation"]: each["stream"] for each in done.report["lists"]}
        assert streams == {"GET /items": "acme.groups", "GET /groups": "acme.groups_2"}
        say(cli, {})
        (cli.folder / "definitions/acme/import.lock").unlink()
        for file in (cli.folder / "definitions/acme").iterdir():
            file.unlink()
        assert cli("import", "openapi", "acme.json", "--source", "acme").code == 0


@pytest.mark.parametrize(
    "given", ["--auth=bearer:hunter2", "--base-url=https://me:hunter2@h/v1", "--base-url=x:hunter2"]
)
def test_a_flag_with_a_secret_in_it_is_refused_without_the_secret(cli: Cli, given: str) -> None:
    (cli.folder / "acme.json").write_text(json.dumps(described({"/items": listing(page_of())})))
    done = cli("import", "openapi", "acme.json", "--source", "acme", given)
    assert done.code == 2
    assert "hunter2" not in done.out + done.err
    assert not (cli.folder / "definitions").exists()
