"""`circulate import openapi --probe`: what an API itself shows of its lists, and servers that lie."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from support.api_descriptions import RECORD, Imported, described, listing, page_of
from support.cli import Cli
from support.http_server import Reply
from support.scripted import Api, serving

Json = dict[str, Any]
Query = dict[str, str]
Respond = Callable[[str, Query], Reply]
ARRAY: Json = {"type": "array", "items": RECORD}
COUNT = 7
"""Records of the list."""


def query(name: str, kind: str = "integer", **schema: Any) -> Json:  # noqa: ANN401 - JSON
    return {"name": name, "in": "query", "schema": {"type": kind, **schema}}


LIMIT = query("limit", maximum=5)
PAGE = query("page", default=1)
RECORDS = [{"id": f"r{number}", "name": "x"} for number in range(COUNT)]


def cut(records: list[Json], query: Query, first: int = 1) -> list[Json]:
    """Return a page as an honest server does: by offset or by page."""
    limit = int(query.get("limit", 5))
    start = int(query["offset"]) if "offset" in query else (int(query.get("page", first)) - first) * limit
    return records[max(start, 0) : start + limit]


def probe(cli: Cli, item: Json, respond: Respond, *flags: str) -> tuple[Json, Imported, Api]:
    """Import a list with `--probe` while a server responds; return what is reported of it."""
    with serving(respond) as api:
        document = described({"/items": item}, components={}, security=[])
        (cli.folder / "acme.json").write_text(json.dumps(document))
        command = ["import", "openapi", "acme.json", "--source", "acme", "--json", "--auth", "none", "--probe"]
        done = cli(*command, "--base-url", "{url}", "--set", f"url={api.url}", *flags)
    imported = Imported(done)
    return imported.of("GET /items"), imported, api


def with_total(_: str, query: Query) -> Reply:
    return Reply({"items": cut(RECORDS, query), "total": COUNT})


def with_pages(_: str, query: Query) -> Reply:
    pages = -(-COUNT // int(query.get("limit", 5)))
    if int(query.get("page", 1)) > pages:
        return Reply({"error": "no such page"}, status=404)
    return Reply({"items": cut(RECORDS, query), "total_pages": pages})


def with_token(_: str, query: Query) -> Reply:
    start, limit = int(query.get("cursor", 0)), int(query.get("limit", 5))
    following = str(start + limit) if start + limit < COUNT else None
    return Reply({"items": RECORDS[start : start + limit], "next_cursor": following})


def with_link(url: list[str]) -> Respond:
    def respond(_: str, query: Query) -> Reply:
        start, limit = int(query.get("after", 0)), int(query.get("limit", 5))
        following = f'<{url[0]}/items?after={start + limit}&limit={limit}>; rel="next"'
        return Reply(RECORDS[start : start + limit], [("Link", following)] if start + limit < COUNT else [])

    return respond


def from_zero(_: str, query: Query) -> Reply:
    return Reply(cut(RECORDS, query, first=0))


def from_one(how: str) -> Respond:
    """Return a server that counts pages from 1, and what it does with page 0."""

    def respond(_: str, query: Query) -> Reply:
        if query.get("page") == "0":
            if how == "refuses":
                return Reply({"error": "invalid page"}, status=400)
            return Reply(cut(RECORDS, {**query, "page": "1"}) if how == "clamps" else [])
        return Reply(cut(RECORDS, query))

    return respond


TOTAL = listing(page_of(total="integer"), PAGE, LIMIT)
OFFSET = listing(page_of(total="integer"), query("offset"), LIMIT)
PAGES = listing(page_of(total_pages="integer"), PAGE, LIMIT)
TOKEN = listing(page_of(next_cursor="string"), query("cursor", "string"), LIMIT)
OPEN = listing(ARRAY, query("page"), LIMIT)

HONEST: list[tuple[Json, Respond, Any, str]] = [
    (
        TOTAL,
        with_total,
        {"page": {"to": "page", "total": "/total"}},
        "`/total` counts 7 records, and the last page is there",
    ),
    (OFFSET, with_total, {"offset": {"to": "offset", "total": "/total"}}, "`/total` counts 7 records"),
    (PAGES, with_pages, {"page": {"to": "page", "pages": "/total_pages"}}, "`/total_pages` counts 4 pages"),
    (TOKEN, with_token, {"token": {"from": {"body": "/next_cursor"}, "to": "cursor"}}, "two pages of 2 and"),
    # What the document left open.
    (OPEN, from_zero, {"page": {"to": "page", "first": 0}}, "two pages of 2 and"),
    (OPEN, from_one("refuses"), {"page": {"to": "page", "first": 1}}, "two pages of 2 and"),
    (OPEN, from_one("clamps"), {"page": {"to": "page", "first": 1}}, "two pages of 2 and"),
    (OPEN, from_one("is empty"), {"page": {"to": "page", "first": 1}}, "two pages of 2 and"),
]


@pytest.mark.parametrize(("item", "respond", "paginator", "said"), HONEST, ids=range(len(HONEST)))
def test_a_paginator_that_works_at_the_api_is_probed(
    cli: Cli, item: Json, respond: Respond, paginator: object, said: str
) -> None:
    listed, imported, _ = probe(cli, item, respond)
    assert (listed["status"], listed["paginator"]) == ("probed", paginator), listed["evidence"]
    assert said in listed["evidence"][-1]
    assert "acme.items probed: " in imported.done.err
    # It runs, and a later import of the same document still knows it.
    again = cli("import", "openapi", "acme.json", "--source", "acme", "--json").report
    assert (again["lists"][0]["status"], again["lists"][0]["paginator"]) == ("probed", paginator)
    with serving(respond) as api:
        command = ["pull", "acme.items", "--catalog", "definitions", "--to", "lake", "--account", "acme", "--json"]
        done = cli(*command, ACME_URL=api.url)
    assert (done.code, done.report["records"]) == (0, COUNT), done.err


def test_what_a_header_leads_to_is_found_at_the_api(cli: Cli) -> None:
    url: list[str] = []
    listed: Json = {}
    with serving(with_link(url)) as api:
        url.append(api.url)
        document = described({"/items": listing(ARRAY, query("after", "string"), LIMIT)}, components={}, security=[])
        (cli.folder / "acme.json").write_text(json.dumps(document))
        command = ["import", "openapi", "acme.json", "--source", "acme", "--json", "--auth", "none", "--probe"]
        listed = cli(*command, "--base-url", "{url}", "--set", f"url={api.url}").report["lists"][0]
    assert (listed["status"], listed["paginator"]) == ("probed", "link_header"), listed["evidence"]


def test_what_was_found_at_the_api_is_forgotten_when_the_document_says_something_else(cli: Cli) -> None:
    probe(cli, OPEN, from_zero)
    other = described({"/items": listing(ARRAY, query("page"), query("size"))}, components={}, security=[])
    (cli.folder / "acme.json").write_text(json.dumps(other))
    again = cli("import", "openapi", "acme.json", "--source", "acme", "--json").report["lists"][0]
    assert (again["status"], again["paginator"]) == ("unknown", None)


# Servers that lie.


def first_again(_: str, query: Query) -> Reply:
    return Reply({"items": cut(RECORDS, {"limit": query.get("limit", "5")}), "total": COUNT})


def overlapping(_: str, query: Query) -> Reply:
    """Pages that each begin with the last record of the one before."""
    limit, page = int(query.get("limit", 5)), int(query.get("page", 1))
    start = (page - 1) * max(limit - 1, 1)
    return Reply({"items": RECORDS[start : start + limit], "total": COUNT})


def total(value: object) -> Respond:
    return lambda _, query: Reply({"items": cut(RECORDS, query), "total": value})


def changing_total(_: str, query: Query) -> Reply:
    return Reply({"items": cut(RECORDS, query), "total": COUNT + int(query.get("page", 1))})


def limit_of(most: int) -> Respond:
    def respond(_: str, query: Query) -> Reply:
        return Reply({"items": cut(RECORDS, {**query, "limit": str(min(most, int(query["limit"])))}), "total": COUNT})

    return respond


def no_limit(_: str, query: Query) -> Reply:
    return Reply({"items": cut(RECORDS, {**query, "limit": "3"}), "total": COUNT})


def pages(value: int) -> Respond:
    return lambda _, query: Reply({"items": cut(RECORDS, query), "total_pages": value})


def same_token(_: str, query: Query) -> Reply:
    return Reply({"items": cut(RECORDS, {"limit": query.get("limit", "5")}), "next_cursor": "again"})


def login(_: str, __: Query) -> Reply:
    return Reply("<html>Log in</html>", [("Content-Type", "text/html")])


LIARS: list[tuple[str, Json, Respond, str]] = [
    ("the second page is the first", TOTAL, first_again, "the second page is the first one once more"),
    ("the offset is ignored", OFFSET, first_again, "the second page is the first one once more"),
    ("the token is ignored", TOKEN, same_token, ""),
    ("pages overlap", TOTAL, overlapping, ""),
    ("the total is that of a page", TOTAL, total(2), "are more than `/total` counts 2 records"),
    ("the total is too low", TOTAL, total(COUNT - 2), "`/total` counts 5 records"),
    (
        "the total is too high",
        TOTAL,
        total(COUNT + 5),
        "`/total` counts 12 records, which makes 2 on the last page; no records came",
    ),
    ("the total of an offset is too high", OFFSET, total(COUNT + 5), "`/total` counts 12 records"),
    ("the total of an offset is too low", OFFSET, total(COUNT - 2), "`/total` counts 5 records"),
    ("the total changes", TOTAL, changing_total, "`/total` is not the same count on all pages"),
    ("the total is text", TOTAL, total("many"), ""),
    ("the total is missing", TOTAL, total(None), "`/total` is not the same count on all pages: null"),
    ("there are fewer pages than counted", PAGES, pages(9), "`/total_pages` counts 9 pages"),
    ("there are more pages than counted", PAGES, pages(2), "`/total_pages` counts 2 pages"),
    ("the limit is clamped", TOTAL, limit_of(1), "2 records were requested and 1 came"),
    ("the largest limit is clamped", TOTAL, limit_of(3), "5 records were requested and 3 came, of a list that goes on"),
    ("the limit is ignored", TOTAL, no_limit, "2 records were requested and 3 came"),
    ("everything fails", TOTAL, lambda *_: Reply({}, status=403), "403"),
    ("it is a page to log in", TOTAL, login, ""),
    ("it is empty", TOTAL, lambda *_: Reply({"items": [], "total": 0}), "the list is empty"),
    ("it has one page", TOTAL, lambda *_: Reply({"items": RECORDS[:1], "total": 1}), ""),
]


@pytest.mark.parametrize(("item", "respond", "said"), [liar[1:] for liar in LIARS], ids=[liar[0] for liar in LIARS])
def test_a_server_that_lies_proves_nothing(cli: Cli, item: Json, respond: Respond, said: str) -> None:
    listed, imported, _ = probe(cli, item, respond)
    assert listed["status"] == "inferred", listed["evidence"]
    assert listed["evidence"][-1].startswith("not probed: ")
    assert said in listed["evidence"][-1]
    assert "acme.items stays inferred: " in imported.done.err


@pytest.mark.parametrize("how", ["the same on all pages", "an error"])
def test_a_first_page_that_nothing_shows_stays_unknown(cli: Cli, how: str) -> None:
    def respond(_: str, query: Query) -> Reply:
        if how == "an error":
            return Reply({}, status=401)
        return Reply(cut(RECORDS, {"limit": query.get("limit", "5")}))

    listed, _, __ = probe(cli, OPEN, respond)
    assert (listed["status"], listed["paginator"]) == ("unknown", None)


def filtered(*, obeyed: bool) -> Respond:
    def respond(_: str, query: Query) -> Reply:
        kept = [{**each, "id": f"{query['type']}-{each['id']}"} for each in RECORDS] if obeyed else RECORDS
        return Reply({"items": cut(kept, query), "total": COUNT})

    return respond


@pytest.mark.parametrize("obeyed", [True, False])
def test_a_filter_that_is_ignored_is_noticed(cli: Cli, *, obeyed: bool) -> None:
    required = {**query("type", "string", enum=["a", "b", "c"]), "required": True}
    listed, _, __ = probe(cli, listing(page_of(total="integer"), PAGE, LIMIT, required), filtered(obeyed=obeyed))
    assert listed["status"] == ("probed" if obeyed else "inferred"), listed["evidence"]
    said = "`type` selects" if obeyed else "`type` makes no difference: a and b have the same records"
    assert said in listed["evidence"][-1]


def test_lists_below_others_are_tried_for_some_of_their_parents(cli: Cli) -> None:
    def respond(path: str, query: Query) -> Reply:
        if path == "/items":
            return Reply({"items": cut(RECORDS, query), "total": COUNT})
        if path in {"/items/r0/parts", "/logs"}:
            return Reply([])
        name = path.split("/")[2]
        return Reply(cut([{"id": f"{name}-{number}"} for number in range(3)], query))

    paths = {
        "/items": TOTAL,
        "/items/{itemId}/parts": listing(ARRAY, PAGE, LIMIT),
        "/items/{itemId}/parts/{partId}/notes": listing(ARRAY, query("page"), LIMIT),
        "/logs": listing(ARRAY, query("page")),
        "/logs/{logId}/lines": listing(ARRAY, PAGE),
    }
    with serving(respond) as api:
        (cli.folder / "acme.json").write_text(json.dumps(described(paths, components={}, security=[])))
        command = ["import", "openapi", "acme.json", "--source", "acme", "--json", "--auth", "none", "--probe"]
        done = cli(*command, "--base-url", "{url}", "--set", f"url={api.url}")
    found = {each["operation"]: (each["status"], each["evidence"][-1]) for each in done.report["lists"]}
    assert found["GET /items"][0] == "probed"
    # The first item has no parts, so the second one is tried.
    assert found["GET /items/{itemId}/parts"][0] == "probed", found
    assert any(request.startswith("/items/r1/parts?") for request in api.requests)
    assert found["GET /logs/{logId}/lines"] == (
        "inferred",
        "not probed: it is requested for each record of logs, of which nobody knows how it is read",
    )
    assert cli("describe", "acme.item_parts", "--catalog", "definitions").code == 0
    text = (cli.folder / "definitions/acme/item_parts.yaml").read_text()
    assert "parent: {endpoint: items, fields: {item_id: /id}}" in text


def test_what_cannot_be_tried_says_why(cli: Cli) -> None:
    listed, _, api = probe(cli, listing(ARRAY), from_zero)
    assert listed["evidence"][-1] == "not probed: nothing in the document could lead to a next page"
    listed, _, api = probe(cli, listing(RECORD, PAGE), from_zero, "--overwrite")
    assert listed["evidence"][-1] == "not probed: nobody knows where a page holds its records"
    assert api.requests == []


def test_a_probe_writes_what_it_finds(cli: Cli) -> None:
    (cli.folder / "acme.json").write_text(json.dumps(described({"/items": TOTAL})))
    for flags in (["--dry-run"], ["--diff", "acme.json"]):
        done = cli("import", "openapi", "acme.json", "--probe", *flags)
        assert (done.code, "--probe writes what it finds" in done.err) == (2, True)


def test_a_secret_is_in_nothing_that_a_probe_writes(cli: Cli) -> None:
    secret = "s3cret-canary"  # noqa: S105 - of a test server
    with serving(with_total) as api:
        document = described({"/items": TOTAL})
        (cli.folder / "acme.json").write_text(json.dumps(document))
        command = ["import", "openapi", "acme.json", "--source", "acme", "--json", "--probe", "--base-url", "{url}"]
        done = cli(*command, ACME_URL=api.url, ACME_TOKEN=secret)
    assert done.report["lists"][0]["status"] == "probed", done.report["lists"][0]["evidence"]
    assert secret not in done.out + done.err
    for file in (cli.folder / "definitions/acme").iterdir():
        assert secret not in file.read_text()


TIMED: Json = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "updated_at": {"type": "string", "format": "date-time"}},
}
CHANGED = listing(
    {"type": "object", "properties": {"items": {"type": "array", "items": TIMED}, "next_cursor": {"type": "string"}}},
    query("cursor", "string"),
    query("updated_since", "string", format="date-time"),
    LIMIT,
)
DAYS = [{"id": f"r{number:02}", "updated_at": f"2026-01-{number + 1:02}T00:00:00Z"} for number in range(28)]


def by_time(keep: Callable[[Json, str], bool]) -> Respond:
    """Return a server of records by time; `keep` says which of them a filter leaves."""

    def respond(_: str, query: Query) -> Reply:
        found = [each for each in DAYS if "updated_since" not in query or keep(each, query["updated_since"])]
        start, limit = int(query.get("cursor", 0)), int(query.get("limit", 5))
        following = str(start + limit) if start + limit < len(found) else None
        return Reply({"items": found[start : start + limit], "next_cursor": following})

    return respond


def test_an_increment_that_was_tried_at_the_api_is_used_and_kept(cli: Cli) -> None:
    listed, imported, _ = probe(cli, CHANGED, by_time(lambda each, since: each["updated_at"] >= since))
    assert listed["increment"]["status"] == "probed", imported.done.err
    assert "0 of" in listed["increment"]["evidence"]
    assert "acme.items probed: increments: " in imported.done.err
    path = cli.folder / "definitions/acme/items.yaml"
    rule = {"cursor": "/updated_at", "param": "updated_since", "since": "{since}", "inclusive": False}
    assert yaml.safe_load(path.read_text())["list"]["incremental"] == rule
    again = cli("import", "openapi", "acme.json", "--source", "acme", "--json")
    assert again.report["changes"] == [], again.err
    assert yaml.safe_load(path.read_text())["list"]["incremental"] == rule


@pytest.mark.parametrize(
    ("keep", "why"),
    [
        (lambda _each, _since: True, "is ignored"),
        (lambda each, since: each["updated_at"] == since, "loses them"),
        (lambda _each, _since: False, "loses them"),
    ],
)
def test_an_increment_that_does_not_do_what_it_should_is_not_used(
    cli: Cli, keep: Callable[[Json, str], bool], why: str
) -> None:
    listed, imported, _ = probe(cli, CHANGED, by_time(keep))
    assert (listed["status"], listed["increment"]["status"]) == ("probed", "inferred")
    assert why in imported.done.err
    assert any(why in each for each in listed["evidence"])
    assert "incremental" not in yaml.safe_load((cli.folder / "definitions/acme/items.yaml").read_text())["list"]
