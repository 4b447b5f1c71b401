"""Signing in by what settings hold: bearer tokens, headers, basic authentication, a key in the query."""

import base64
import json
import logging
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.cli import Cli
from support.http_server import Reply
from support.places import client
from support.signed import RECORDS, Sent, assert_whole, reveals, settings_of, signed_api

import circulate_core
from circulate_core.exceptions import AuthError, CirculateError, DefinitionError, SettingsError

KEY = "cAnary/k3y+th4t&mu5t=never~show 42"


def basic(user: str, password: str) -> dict[str, str]:
    """Return the header that a user and a password make."""
    return {"authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


WAYS: dict[str, tuple[Any, dict[str, str], dict[str, str]]] = {
    "bearer": ({"bearer": "token"}, {"token": "s3cret-1"}, {"authorization": "Bearer s3cret-1"}),
    "headers": (
        {
            "headers": [
                {"name": "DD-API-KEY", "secret": "api"},
                {"name": "DD-APPLICATION-KEY", "prefix": "app ", "secret": "app"},
            ]
        },
        {"api": "s3cret-1", "app": "s3cret-2"},
        {"dd-api-key": "s3cret-1", "dd-application-key": "app s3cret-2"},
    ),
    "basic": (
        {"basic": {"user": "open_user", "password": "password"}},
        {"open_user": "ada", "password": "s3cret:1"},
        basic("ada", "s3cret:1"),
    ),
    "basic with a token as user": ({"basic": {"user": "token"}}, {"token": "s3cret-1"}, basic("s3cret-1", "")),
    "basic with a password alone": ({"basic": {"password": "token"}}, {"token": "s3cret-1"}, basic("", "s3cret-1")),
    "basic in UTF-8": (
        {"basic": {"user": "open_user", "password": "password"}},
        {"open_user": "Ädä", "password": "pässwörd🦀"},
        basic("Ädä", "pässwörd🦀"),
    ),
}


@pytest.mark.parametrize("name", WAYS)
def test_a_key_of_each_kind_is_sent_as_the_definition_says(name: str, tmp_path: Path) -> None:
    way, given, expected = WAYS[name]
    with signed_api(lambda sent: expected.items() <= sent.headers.items()) as api:
        assert_whole(api.pull(tmp_path, [way], given), tmp_path)
        wrong = {key: f"{value}x" for key, value in given.items()}
        with pytest.raises(AuthError, match="refused the credentials") as refused:
            api.pull(tmp_path, [way], wrong)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("key", ["s3cret-1", KEY, "a&b=c#d", "pässwörd🦀"])
def test_a_key_in_the_query_is_on_every_request(key: str, tmp_path: Path) -> None:
    with signed_api(lambda sent: sent.query.get("api key") == [key]) as api:
        way = {"query": {"name": "api key", "secret": "key"}}
        assert_whole(api.pull(tmp_path, [way], {"key": key}), tmp_path)
        assert len(api.requests) == 3


ECHOES: dict[str, Callable[[str, int], Reply]] = {
    "in the next URL": lambda url, start: Reply({"next": f"{url}/items?key={quoted()}&start={start}"}),
    "in a relative URL": lambda _, start: Reply({"next": f"?start={start}&%6Bey={quoted()}"}),
    "in the Link header": lambda url, start: Reply(
        {}, [("Link", f'<{url}/items?key={quoted()}&start={start}>; rel="next"')]
    ),
}


def quoted() -> str:
    """Return the key as a URL holds it."""
    return urllib.parse.quote(KEY, safe="")


@pytest.mark.parametrize("place", ECHOES)
def test_a_key_that_the_api_repeats_in_its_links_is_stored_nowhere(place: str, cli: Cli) -> None:
    """A run goes on from the stored address of a page, with the key that is configured then."""
    key, refuse = KEY, True

    def respond(sent: Sent) -> Reply | None:
        start = int(sent.query.get("start", ["0"])[0])
        if start == 4 and refuse:
            return Reply({"error": f"{api.url}{sent.path} is not for {KEY}"}, status=400)
        linked = ECHOES[place](api.url, start + 2) if start < 4 else Reply({})
        linked.body |= {"items": RECORDS[start : start + 2], "self": f"{api.url}{sent.path}"}
        return linked

    way = {"query": {"name": "key", "secret": "key"}}
    listing = {"paginator": "link_header"} if "Link" in place else {}
    with signed_api(lambda sent: sent.query.get("key") == [key], respond) as api:
        save(cli.folder, api.definition([way], settings_of(["key"]), **listing))
        flags = ["--catalog", "definitions", "--to", "lake", "--account", "acme", "--json"]
        failed = cli("pull", "acme.items", *flags, ACME_URL=api.url, ACME_KEY=KEY)
        assert failed.code == 1, failed.err
        assert "canary" not in (failed.out + failed.err).lower()
        assert reveals(cli.folder, "cAnary") == []
        key, refuse = "an0ther-key", False
        done = cli("pull", "acme.items", *flags, ACME_URL=api.url, ACME_KEY=key)
        assert (done.code, done.report["records"]) == (0, 6), done.err
        assert [sent.query["start"] for sent in api.requests if sent.query.get("key") == [key]] == [["4"]]
        assert "canary" not in cli("describe", "acme.items", "--catalog", "definitions").out.lower()
    assert (reveals(cli.folder, "cAnary"), reveals(cli.folder, key)) == ([], [])


def save(folder: Path, definition: Any) -> None:  # noqa: ANN401 - a definition
    """Write the files of a definition."""
    source = folder / "definitions" / "acme"
    source.mkdir(parents=True)
    (source / "source.yaml").write_text(yaml.safe_dump(definition["source"]))
    for name, endpoint in definition["endpoints"].items():
        (source / f"{name}.yaml").write_text(yaml.safe_dump({"endpoint": name, **endpoint}))


def key_of(sent: Sent) -> object:
    """Return the key in a body, and whether all else is there that a list sends."""
    if sent.headers["content-type"].startswith("application/json"):
        document = json.loads(sent.body)
        return document.pop("api key"), document == {"kind": "all"}
    fields = urllib.parse.parse_qs(sent.body.decode(), strict_parsing=True)
    return fields.pop("api key")[0], fields == {"kind": ["all"]}


@pytest.mark.parametrize("kind", ["json", "form"])
@pytest.mark.parametrize("key", ["s3cret-1", KEY, 'a&b="c#d\\', "pässwörd🦀"])
def test_a_key_in_the_body_is_on_every_request(key: str, kind: str, tmp_path: Path) -> None:
    way = {"body": {"name": "api key", "secret": "key"}}
    listing = {"body": {kind: {"kind": "all"}}}
    with signed_api(lambda sent: key_of(sent) == (key, True)) as api:
        assert_whole(api.pull(tmp_path, [way], {"key": key}, check=None, **listing), tmp_path)
        assert len(api.requests) == 3
        with pytest.raises(AuthError, match="refused the credentials") as refused:
            api.pull(tmp_path, [way], {"key": f"{key}x"}, check=None, **listing)
    assert key not in str(refused.value)
    assert reveals(tmp_path, key) == []


def test_what_repeats_the_key_of_a_body_does_not_show_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An API that shows in its error what it was sent, and puts it into the address of the next page."""
    caplog.set_level(logging.DEBUG)
    way, listing = {"body": {"name": "key", "secret": "key"}}, {"body": {"form": {"kind": "all"}}}

    def respond(sent: Sent) -> Reply | None:
        return Reply({"error": {"message": sent.body.decode()}}, status=400)

    with signed_api(lambda _: True, respond) as api, pytest.raises(CirculateError) as failed:
        api.pull(tmp_path, [way], {"key": KEY}, check=None, **listing)
    for text in (str(failed.value), caplog.text):
        assert "cAnary" not in text
        assert "th4t" not in text
    following = {"items": RECORDS[:2], "next": f"/items?start=2&key={quoted()}"}
    with signed_api(lambda _: True, lambda _: Reply(following)) as api:
        with pytest.raises(CirculateError, match="secret"):
            api.pull(tmp_path / "next", [way], {"key": KEY}, check=None, **listing)
        assert len(api.requests) == 1
    assert reveals(tmp_path, "cAnary") == []


def test_a_key_in_the_body_that_is_rotated_is_read_again(
    tmp_path: Path, aws: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    stored, secrets = f"body-{tmp_path.name}", client("secretsmanager", aws)
    secrets.create_secret(Name=stored, SecretString=json.dumps({"key": "0ld-canary"}))

    def lets_in(sent: Sent) -> bool:
        secrets.put_secret_value(SecretId=stored, SecretString=json.dumps({"key": "n3w-canary"}))
        return bool(json.loads(sent.body) == {"key": "n3w-canary"})

    with signed_api(lets_in) as api:
        definition = api.definition(
            [{"body": {"name": "key", "secret": "key"}}], settings_of(["key"]), body={"json": {}}, check=None
        )
        report = circulate_core.pull(
            "acme.items", to=tmp_path, settings={"url": api.url}, secret=stored, account="acme", catalog=[definition]
        )
        assert_whole(report, tmp_path)


@pytest.mark.parametrize(
    ("listing", "why"),
    [
        ({}, "signs in by the field `key` of the body, and there is none of fields"),
        ({"body": {"graphql": {"query": "{a}"}}}, "there is none of fields"),
        ({"body": {"json": ["a"]}}, "there is none of fields"),
        ({"body": {"json": {"key": 1}}}, "the field `key` of the body is what `auth` of the source signs in by"),
        ({"body": {"form": {"key": "1"}}}, "the field `key` of the body is what `auth`"),
        (
            {"body": {"json": {}}, "page_size": {"param": {"body": "/key/size"}, "max": 5}},
            "the field `key` of the body",
        ),
        ({"body": {"json": {}}, "before": {"method": "POST", "path": "/start"}}, "there is none of fields"),
        ({"body": {"json": {}}, "check": {"path": "/items"}}, "a check has no body that the key of `auth` could be in"),
    ],
)
def test_a_list_has_a_body_that_the_key_can_be_put_into(listing: dict[str, Any], why: str, tmp_path: Path) -> None:
    with signed_api(lambda _: True) as api:
        with pytest.raises(DefinitionError) as refused:
            api.pull(tmp_path, [{"body": {"name": "key", "secret": "key"}}], {"key": KEY}, **{"check": None, **listing})
        assert why in str(refused.value)
        assert api.requests == []


def test_a_link_to_the_page_itself_with_the_key_is_no_next_page(tmp_path: Path) -> None:
    def respond(sent: Sent) -> Reply:
        return Reply({"items": RECORDS, "links": [{"href": f"{api.url}{sent.path}"}], "page": f"/items?key={quoted()}"})

    with signed_api(lambda _: True, respond) as api:
        way = {"query": {"name": "key", "secret": "key"}}
        assert_whole(api.pull(tmp_path, [way], {"key": KEY}, paginator="none"), tmp_path)


def test_evidence_of_another_page_shows_no_key(tmp_path: Path) -> None:
    def respond(_: Sent) -> Reply:
        return Reply({"items": RECORDS, "continue": f"/items?key={quoted()}&start=4"})

    with signed_api(lambda _: True, respond) as api:
        way = {"query": {"name": "key", "secret": "key"}}
        report = api.pull(tmp_path, [way], {"key": KEY}, paginator="none")
    assert report.status == "partial"
    assert "/continue" in str(report.ends.lists[0].contradicted)
    assert "cAnary" not in str(report)
    assert reveals(tmp_path, "cAnary") == []


def test_nothing_that_is_logged_holds_the_key_of_a_query(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    failures = [503, 500]

    def respond(sent: Sent) -> Reply | None:
        return Reply({"error": sent.path}, status=failures.pop()) if failures else None

    with signed_api(lambda _: True, respond) as api:
        way = {"query": {"name": "key", "secret": "key"}}
        assert_whole(api.pull(tmp_path, [way], {"key": KEY}), tmp_path)
    assert "retry" in caplog.text.lower()
    assert "canary" not in caplog.text.lower()


UNUSABLE = {
    "a line break in a bearer token": ({"bearer": "key"}, {"key": "a\r\nX-Evil: b"}, "no header can hold"),
    "typographic quotes": ({"bearer": "key"}, {"key": "“s3cret”"}, "no header can hold"),
    "one of two headers": (
        {"headers": [{"name": "A", "secret": "one"}, {"name": "B", "secret": "two"}]},
        {"one": "fine", "two": "a\x00b"},
        "`two` has characters",
    ),
    "a colon in the user": (
        {"basic": {"user": "open_user", "password": "key"}},
        {"open_user": "a:b", "key": "s3cret"},
        "`open_user` has a `:`",
    ),
    "a control character in a password": ({"basic": {"password": "key"}}, {"key": "a\nb"}, "control characters"),
    "a control character in a query": ({"query": {"name": "k", "secret": "key"}}, {"key": "a\nb"}, "control"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_what_no_request_can_carry_is_refused_before_any(name: str, tmp_path: Path) -> None:
    way, given, why = UNUSABLE[name]
    with signed_api(lambda _: True) as api:
        with pytest.raises(SettingsError) as refused:
            api.pull(tmp_path, [way], given)
        assert api.requests == []
    assert why in str(refused.value)
    assert "Evil" not in str(refused.value)


@pytest.mark.parametrize("name", ["bearer", "headers", "basic", "query"])
def test_a_key_that_is_rotated_is_read_again(
    name: str, tmp_path: Path, aws: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    way: dict[str, Any] = {
        "bearer": {"bearer": "key"},
        "headers": {"headers": [{"name": "X-User", "secret": "other"}, {"name": "X-Key", "secret": "key"}]},
        "basic": {"basic": {"user": "other", "password": "key"}},
        "query": {"query": {"name": "key", "secret": "key"}},
    }
    current = "01d-canary"

    def lets_in(sent: Sent) -> bool:
        shown = sent.path + "".join(sent.headers.values())
        token = sent.headers.get("authorization", "").removeprefix("Basic ")
        return current in shown + (base64.b64decode(token).decode() if name == "basic" else "")

    stored, secrets = f"acme-{tmp_path.name}", client("secretsmanager", aws)
    secrets.create_secret(Name=stored, SecretString=json.dumps({"key": current, "other": "u5er-canary"}))

    def respond(sent: Sent) -> None:
        # The API takes another key from the second page on.
        nonlocal current
        if "start" not in sent.path and current == "01d-canary":
            current = "n3w-canary"
            secrets.put_secret_value(SecretId=stored, SecretString=json.dumps({"key": current, "other": "u5er-canary"}))

    with signed_api(lets_in, respond) as api:
        names = ["key"] if name in {"bearer", "query"} else ["key", "other"]
        report = circulate_core.pull(
            "acme.items",
            to=tmp_path,
            settings={"url": api.url},
            secret=stored,
            account="acme",
            catalog=[api.definition([way[name]], settings_of(names))],
        )
        assert_whole(report, tmp_path)
        assert len(api.requests) == 4, "one page was requested twice"
    assert reveals(tmp_path, "canary") == []


MISTAKES = """\
source: acme
title: Acme
settings:
  url: {env: ACME_URL, about: its address}
  open: {env: ACME_OPEN, about: not secret}
  key: {env: ACME_KEY, about: a key, secret: true}
  region: {env: ACME_REGION, about: a region, secret: true}
base_url: "{url}"
auth:
  - bearer: open
  - headers: [{name: "X Key", secret: key}, {name: A, secret: absent}, {name: a, prefix: "\\u0001", secret: open}]
  - headers: []
  - basic: {}
  - query: {name: limit, secret: open}
  - duo_v5: {integration_key: key, secret_key: open}
  - aws_sigv4: {access_key_id: open, secret_access_key: open, region: "{region}", service: "{service}"}
check: {path: /items, query: {limit: "1"}}
"""


def test_all_mistakes_of_ways_to_sign_in_are_said_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "acme"
    folder.mkdir()
    (folder / "source.yaml").write_text(MISTAKES)
    (folder / "items.yaml").write_text(
        "endpoint: items\nabout: Items.\nlist: {path: /items, primary_key: [/id], paginator: none}\n"
    )
    with pytest.raises(DefinitionError) as refused:
        circulate_core.source("acme", catalog=[tmp_path]).stream("items")
    text = str(refused.value)
    for why in (
        "auth uses `open`, which must be marked `secret: true`",
        "`X Key` is not a header name",
        "auth uses `absent`, which is not among the settings",
        "the header `a` is given twice",
        "has characters that no header can hold",
        "headers is empty",
        "basic needs `user`, `password` or both",
        "the query parameter `limit` is what `auth` of the source signs in by",
        "auth uses `key`, which is marked as a secret",
        "`{region}`, a secret: a signature shows what it is for",
        "`{service}` is not among the settings",
    ):
        assert why in text, why
    assert "source.yaml:11:" in text


@pytest.mark.parametrize(
    "listing",
    [
        {"query": {"key": "1"}},
        {"page_size": {"param": "key", "max": 5}},
        {"paginator": {"page": {"to": "key"}}},
    ],
)
def test_a_list_does_not_use_the_parameter_of_the_key(listing: dict[str, Any], tmp_path: Path) -> None:
    with signed_api(lambda _: True) as api:
        with pytest.raises(DefinitionError, match="the query parameter `key` is what `auth` of the source signs in by"):
            api.pull(tmp_path, [{"query": {"name": "key", "secret": "key"}}], {"key": KEY}, **listing)
        assert api.requests == []


def test_ways_are_saved_as_they_are_written_and_shown_by_name(cli: Cli) -> None:
    ways: list[Any] = [
        {"bearer": "token"},
        {"headers": [{"name": "A", "secret": "a"}, {"name": "B", "secret": "b"}]},
        {"basic": {"user": "token_user"}},
        {"query": {"name": "key", "secret": "key"}},
        {"body": {"name": "field", "secret": "body_key"}},
        {"duo_v5": {"integration_key": "ikey", "secret_key": "skey"}},
        {"aws_sigv4": {"access_key_id": "id", "secret_access_key": "sak", "region": "eu-west-1", "service": "es"}},
    ]
    acme = circulate_core.source("acme", base_url="https://api.acme.example", auth=ways)
    acme.stream("items", path="/items", body={"json": {}}, paginator="none")
    acme.save(cli.folder / "definitions")
    text = (cli.folder / "definitions/acme/source.yaml").read_text()
    written = yaml.safe_load(text)
    assert written["auth"] == ways
    secrets = {name for name, setting in written["settings"].items() if setting.get("secret")}
    assert secrets == {"token", "a", "b", "key", "body_key", "skey", "sak"}
    shown = cli("describe", "acme", "--catalog", "definitions").out
    assert (
        "signs in by  bearer token or headers A, B or basic or query parameter key or field field of the body"
        " or Duo signatures (v5)"
        " or AWS signatures (v4)"
    ) in " ".join(shown.split()).replace("signs in by ", "signs in by  "), shown


def test_an_account_signs_in_in_one_way(tmp_path: Path) -> None:
    ways = [{"bearer": "token"}, {"query": {"name": "key", "secret": "key"}}]
    with signed_api(lambda sent: sent.headers.get("authorization") == "Bearer s3cret") as api:
        definition = api.definition(ways, settings_of(["token", "key"]))

        def pull(**given: str) -> circulate_core.Report:
            return circulate_core.pull(
                "acme.items",
                to=tmp_path,
                settings={"url": api.url, **given},
                account="acme",
                catalog=[definition],
            )

        assert_whole(pull(token="s3cret"), tmp_path)
        with pytest.raises(CirculateError, match="`token` and `key` of Acme are both set"):
            pull(token="s3cret", key="s3cret")
        with pytest.raises(CirculateError, match="needs `token` or `key`"):
            pull()
