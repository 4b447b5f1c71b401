"""`StubApi`: an API on this machine that insists on what its documentation says."""

from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from support.authored import WIDGETS, write_list
from support.own_source import SOURCE, make_own_source, replace
from support.packages import write

from circulate_core.authoring import StubApi
from circulate_core.authoring.stub import STUBBED
from circulate_core.exceptions import ApiError, AuthError, DataError, DefinitionError

STREAM = "acme.widgets"
LIST: dict[str, Any] = {
    "records": "/items",
    "primary_key": ["/id"],
    "paginator": {"next_url": {"body": "/next"}},
    "page_size": {"param": "limit", "max": 50},
}
BEARER = {"header": {"name": "Authorization", "prefix": "Bearer ", "secret": "api_token"}}


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    """Write a source by hand, as the guide to it has it."""
    make_own_source(tmp_path / "own")
    return tmp_path / "own/definitions"


def test_a_definition_that_was_written_by_hand_is_pulled(catalog: Path, tmp_path: Path) -> None:
    api = StubApi(path="/v1/widgets", auth=BEARER, list=LIST)
    pulled = api.pull(STREAM, catalog=[catalog], to=tmp_path / "lake")
    assert (pulled.status, pulled.records) == ("complete", api.records)
    assert len(api.records) == 75
    assert [request.partition("&")[0] for request in pulled.requests] == ["GET /v1/widgets?limit=50"] * 2
    assert pulled.report.records == 75


@pytest.mark.parametrize(
    "base_url",
    [
        "https://api.acme.example/v2",
        "{url}/v2",
        "https://{tenant}.acme.example",
        "https://{tenant}.acme.example:8443/v2",
    ],
)
def test_it_takes_the_place_of_any_address(catalog: Path, tmp_path: Path, base_url: str) -> None:
    text = SOURCE.replace('"{url}"', f'"{base_url}"')
    write(catalog / "acme/source.yaml", text.replace("  url:", "  tenant: {env: T, about: Tenant}\n  url:"))
    api = StubApi(path="/v1/widgets", auth=BEARER, list=LIST)
    assert api.pull(STREAM, catalog=[catalog], to=tmp_path / "lake").records == api.records


def test_settings_of_paths_are_given(catalog: Path, tmp_path: Path) -> None:
    replace(catalog / "acme/source.yaml", "  url:", "  tenant: {env: T, about: Tenant}\n  url:")
    replace(catalog / "acme/widgets.yaml", "/v1/widgets", '"/{tenant}/widgets"')
    api = StubApi(path="/t 1/widgets", auth=BEARER, list=LIST)
    pulled = api.pull(STREAM, catalog=[catalog], to=tmp_path / "lake", settings={"tenant": "t 1"})
    assert pulled.records == api.records


def test_hooks_of_the_definition_run(catalog: Path, tmp_path: Path) -> None:
    write(catalog / "acme/hooks.py", "def decode(body, response):\n    return body.replace(b'\"number\"', b'\"no\"')\n")
    replace(catalog / "acme/widgets.yaml", "  records:", "  hooks: {page: hooks.py:decode}\n  records:")
    api = StubApi(path="/v1/widgets", auth=BEARER, list=LIST)
    pulled = api.pull(STREAM, catalog=[catalog], to=tmp_path / "lake")
    assert [record["no"] for record in pulled.records] == [record["number"] for record in api.records]


INSISTS: dict[str, tuple[dict[str, Any], str]] = {
    "a parameter": ({"query": {"state": "open"}}, "the parameter state is missing or wrong"),
    "a header": ({"headers": {"X-Version": "2"}}, "the header x-version is missing or wrong"),
    "a method": ({"method": "POST"}, "the list takes POST"),
    "a body": ({"body": {"json": {}}, "method": "POST"}, "a body of application/json is missing or wrong"),
    "a first token": (
        {"paginator": {"token": {"from": {"body": "/next"}, "to": "cursor", "start": "*"}}},
        "the first request needs the token *",
    ),
}


@pytest.mark.parametrize("what", INSISTS)
def test_it_insists_on_what_requests_have(catalog: Path, tmp_path: Path, what: str) -> None:
    more, said = INSISTS[what]
    api = StubApi(path="/v1/widgets", auth=BEARER, list=LIST | more)
    with pytest.raises((ApiError, DataError)) as caught:
        api.pull(STREAM, catalog=[catalog], to=tmp_path / "lake")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("defined", "documented", "said"),
    [
        ("{form: {a: '1'}}", {"json": {"a": "1"}}, "a body of application/json is missing or wrong"),
        ("{json: {a: 1}}", {"form": {"a": "1"}}, "a body of application/x-www-form-urlencoded is missing or wrong"),
        ("{json: {a: 1}}", {"json": {"a": 2}}, "a of the body is missing or wrong"),
        ("{json: {}}", {"json": {"filter": {"b": [1]}}}, "filter of the body is missing or wrong"),
    ],
)
def test_it_insists_on_the_body(catalog: Path, tmp_path: Path, defined: str, documented: Any, said: str) -> None:  # noqa: ANN401 - as definitions write it
    replace(catalog / "acme/widgets.yaml", "  records:", f"  body: {defined}\n  records:")
    replace(catalog / "acme/widgets.yaml", "{body_link: /next}", "{token: {from: {body: /next}, to: cursor}}")
    paginator = {"token": {"from": {"body": "/next"}, "to": "cursor"}}
    api = StubApi(
        path="/v1/widgets", auth=BEARER, list=LIST | {"method": "POST", "body": documented, "paginator": paginator}
    )
    with pytest.raises(ApiError) as caught:
        api.pull(STREAM, catalog=[catalog], to=tmp_path / "lake")
    assert said in str(caught.value)


def test_a_wrong_secret_is_not_let_in(catalog: Path, tmp_path: Path) -> None:
    api = StubApi(path="/v1/widgets", auth=BEARER, list=LIST)
    with pytest.raises(AuthError, match="not signed in: authorization is missing or wrong"):
        api.pull(STREAM, catalog=[catalog], to=tmp_path / "lake", settings={"api_token": "another"})


def test_its_server_can_be_used_by_others_and_ends_with_the_block() -> None:
    api = StubApi(path="/v1/widgets", auth=BEARER, list=LIST)
    with api.serve() as server:
        request = Request(f"{server.url}/v1/widgets?limit=1", headers={"Authorization": "Bearer made-up-api_token"})
        with urlopen(request) as response:
            assert response.status == 200
        with pytest.raises(HTTPError, match="401"):
            urlopen(f"{server.url}/v1/widgets")
        assert [each.status for each in server.log] == [200, 401]
        with pytest.raises(OSError, match="in use"), api.serve(server.server_port):
            pass
    with pytest.raises(OSError, match="refused"):
        urlopen(f"{server.url}/v1/widgets")


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"auth": {"oauth2": {}}}, ("a stub cannot check how `oauth2` signs in", *STUBBED)),
        ({"auth": "sigv4"}, ("a stub cannot check how `sigv4` signs in",)),
        ({"list": {**LIST, "parent": {}}}, ("a stub does not serve `parent`",)),
        ({"list": {**LIST, "recrods": "/x"}}, ("a stub does not serve `recrods`", "`records`")),
        ({"list": {"records": "/items"}}, ("a list without `paginator`",)),
        ({"list": {**LIST, "paginator": {"hook": "hooks.py:next"}}}, ("a hook that pages",)),
        ({"list": {**LIST, "records": {"one": ""}}}, ("a page that is one record",)),
        (
            {"list": {**LIST, "paginator": {"next_url": {"body": "/items/next"}}}},
            ("no page is as `list` describes it",),
        ),
    ],
)
def test_what_a_stub_cannot_be_is_said_when_it_is_made(changes: dict[str, Any], parts: tuple[str, ...]) -> None:
    with pytest.raises(DefinitionError) as caught:
        StubApi(**{"path": "/v1/widgets", "list": LIST, **changes})
    for part in parts:
        assert part in f"{caught.value} {caught.value.hint}"


def test_a_source_that_is_not_ones_own_and_a_stream_that_is_none_are_named(catalog: Path, tmp_path: Path) -> None:
    api = StubApi(path="/v1/widgets", list=LIST, auth=None)
    with pytest.raises(DefinitionError, match=r"no stream is named `acme\.gadgets`"):
        api.pull("acme.gadgets", catalog=[catalog], to=tmp_path / "lake")
    with pytest.raises(DefinitionError, match="`okta` is not defined in"):
        api.pull("okta.users", catalog=[catalog], to=tmp_path / "lake")


def test_a_mistake_in_a_definition_is_shown_in_its_own_file(project: Path, tmp_path: Path) -> None:
    write_list(project, WIDGETS)
    replace(project / "definitions/acme/widgets.yaml", "primary_key", "primary_kee")
    api = StubApi(path="/v1/widgets", auth=None, list=LIST)
    with pytest.raises(DefinitionError, match="unknown key `primary_kee`") as caught:
        api.pull(STREAM, catalog=[project / "definitions"], to=tmp_path / "lake")
    assert str(project / "definitions/acme/widgets.yaml") in str(caught.value)
