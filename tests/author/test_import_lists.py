"""What an import finds out about lists: where their records are, how one page leads to the next, what stays open."""

import re
from typing import Any

import pytest
import yaml
from support.api_descriptions import RECORD, described, import_document, import_list, listing, page_of
from support.cli import Cli

Json = dict[str, Any]
ARRAY: Json = {"type": "array", "items": RECORD}
PAGE = {"name": "page", "in": "query", "schema": {"type": "integer", "default": 1}}


def query(name: str, kind: str = "integer", about: str = "", **schema: Any) -> Json:  # noqa: ANN401 - JSON
    return {"name": name, "in": "query", "description": about, "schema": {"type": kind, **schema}}


LINKS = {"type": "object", "properties": {"next": {"type": "string"}, "prev": {"type": "string"}}}
HAL = {"type": "object", "properties": {"next": {"type": "object", "properties": {"href": {"type": "string"}}}}}
META = {"type": "object", "properties": {"cursor": {"type": "string", "description": "Cursor of the next page"}}}

KNOWN: list[tuple[str, Json, Any]] = [
    # What the document says outright.
    ("declared", listing(ARRAY, headers={"Link": {"description": "rel=next"}}), "link_header"),
    (
        "declared",
        listing(page_of("value"), **{"x-ms-pageable": {"nextLinkName": "nextLink"}}),
        {"next_url": {"body": "/nextLink"}},
    ),
    ("declared", listing(page_of("value"), **{"x-ms-pageable": {"nextLinkName": None}}), "none"),
    (
        "declared",
        listing(
            page_of("data"),
            query("cursor", "string"),
            **{
                "x-speakeasy-pagination": {
                    "type": "cursor",
                    "inputs": [{"name": "cursor", "in": "parameters", "type": "cursor"}],
                    "outputs": {"results": "$.data", "nextCursor": "$.meta.next"},
                }
            },
        ),
        {"token": {"from": {"body": "/meta/next"}, "to": "cursor"}},
    ),
    (
        "declared",
        listing(
            page_of("data"),
            query("after", "string"),
            **{
                "x-fern-pagination": {
                    "cursor": "$request.after",
                    "next_cursor": "$response.page.end",
                    "results": "$response.data",
                }
            },
        ),
        {"token": {"from": {"body": "/page/end"}, "to": "after"}},
    ),
    ("declared", listing(ARRAY, description="All colours. This endpoint is not paginated."), "none"),
    # Two halves that fit.
    ("inferred", listing(page_of(next_page_url="string")), {"next_url": {"body": "/next_page_url"}}),
    ("inferred", listing(page_of(**{"@odata.nextLink": "string"})), {"next_url": {"body": "/@odata.nextLink"}}),
    ("inferred", listing(page_of(links=LINKS)), {"next_url": {"body": "/links/next"}}),
    ("inferred", listing(page_of(_links=HAL), query("after", "string")), {"next_url": {"body": "/_links/next/href"}}),
    ("inferred", listing(page_of(next={"type": "string", "format": "uri"}), PAGE), {"next_url": {"body": "/next"}}),
    (
        "inferred",
        listing(page_of(next_cursor="string"), query("cursor", "string"), query("limit", maximum=50)),
        {"token": {"from": {"body": "/next_cursor"}, "to": "cursor"}},
    ),
    (
        "inferred",
        listing(page_of(nextPageToken="string"), query("pageToken", "string"), query("token", "string")),
        {"token": {"from": {"body": "/nextPageToken"}, "to": "pageToken"}},
    ),
    (
        "inferred",
        listing(page_of(next_token="string", has_more="boolean"), query("next_token", "string")),
        {"token": {"from": {"body": "/next_token"}, "to": "next_token", "more": "/has_more"}},
    ),
    (
        "inferred",
        listing(ARRAY, PAGE, headers={"X-Next-Page": {"schema": {"type": "integer"}}}),
        {"token": {"from": {"header": "X-Next-Page"}, "to": "page"}},
    ),
    (
        "inferred",
        listing(page_of("data", has_more="boolean"), query("starting_after", "string"), query("limit")),
        {"last_record": {"from": "/id", "to": "starting_after", "more": "/has_more"}},
    ),
    # A rule whose end needs no other half.
    ("inferred", listing(ARRAY, query("offset"), query("limit")), {"offset": {"to": "offset"}}),
    (
        "inferred",
        listing(page_of(total="integer"), query("skip"), query("take")),
        {"offset": {"to": "skip", "total": "/total"}},
    ),
    (
        "inferred",
        listing(page_of("Resources", totalResults="integer"), query("startIndex", minimum=1), query("count")),
        {"offset": {"to": "startIndex", "start": 1, "total": "/totalResults"}},
    ),
    ("inferred", listing(ARRAY, PAGE), {"page": {"to": "page"}}),
    ("inferred", listing(ARRAY, query("page", about="Page number, zero-based.")), {"page": {"to": "page", "first": 0}}),
    ("inferred", listing(ARRAY, query("page", minimum=1)), {"page": {"to": "page"}}),
    (
        "inferred",
        listing(page_of("data", total_pages="integer"), query("pageNumber", default=0)),
        {"page": {"to": "pageNumber", "first": 0, "pages": "/total_pages"}},
    ),
]


@pytest.mark.parametrize(("status", "item", "paginator"), KNOWN, ids=range(len(KNOWN)))
def test_a_paginator_that_the_document_shows_is_written(cli: Cli, status: str, item: Json, paginator: object) -> None:
    listed = import_list(cli, item)
    assert (listed["status"], listed["paginator"]) == (status, paginator)
    assert any(each.startswith("paging: ") for each in listed["evidence"])
    assert cli("describe", "acme.items", "--catalog", "definitions").code == 0


OPEN: list[tuple[Json, list[Any], str]] = [
    # Okta's shape: the next page is in a header that nothing declares.
    (
        listing(ARRAY, query("after", "string"), query("limit")),
        ["link_header", {"last_record": {"from": "/id", "to": "after"}}],
        "there is a parameter of a cursor",
    ),
    (listing(page_of()), ["none"], "nothing in the document says whether there is more than one page"),
    (listing(ARRAY, query("limit")), ["link_header"], "bounds a page, and nothing leads to the next one"),
    # Who begins at 1 where pages begin at 0 loses a page.
    (
        listing(ARRAY, query("page")),
        [{"page": {"to": "page", "first": 1}}, {"page": {"to": "page", "first": 0}}],
        "whether the first page is 0 or 1",
    ),
    (listing(page_of(has_more="boolean")), [], "says whether there is more, and nothing says how to request it"),
    # An address or a token: nothing says which.
    (
        listing(page_of(next="string")),
        [{"next_url": {"body": "/next"}}],
        "`/next` of the page may lead to the next one",
    ),
    (
        listing(ARRAY, query("startIndex"), query("count")),
        [{"offset": {"to": "startIndex"}}],
        "may say how many records to leave out",
    ),
    # A cursor that pages have, and two parameters that could take it.
    (
        listing(page_of(next_cursor="string"), query("after", "string"), query("marker", "string")),
        [
            {"next_url": {"body": "/next_cursor"}},
            *({"token": {"from": {"body": "/next_cursor"}, "to": name}} for name in ("after", "marker")),
        ],
        "may lead to the next one",
    ),
    # `from` and `start` are times as often as they are numbers.
    (
        listing(ARRAY, query("start", "string"), query("limit")),
        ["link_header"],
        "may say how many records to leave out",
    ),
]


@pytest.mark.parametrize(("item", "candidates", "said"), OPEN, ids=range(len(OPEN)))
def test_what_is_not_shown_stays_unknown_and_does_not_run(
    cli: Cli, item: Json, candidates: list[Any], said: str
) -> None:
    listed = import_list(cli, item)
    assert (listed["status"], listed["paginator"]) == ("unknown", None)
    assert listed["candidates"] == candidates
    assert said in " ".join(listed["evidence"])
    for command in (["pull", "--to", "lake"], ["sample"]):
        done = cli(command[0], "acme.items", "--catalog", "definitions", *command[1:], ACME_TOKEN="secret")
        assert done.code == 2
        assert "items.yaml: `paginator: unknown`: nobody has said how one page of this list leads" in done.err
        assert "acme.overlay.yaml" in done.err


def test_an_unknown_list_stands_in_nobody_elses_way(cli: Cli) -> None:
    paths = {"/items": listing(page_of()), "/items/{itemId}": listing(RECORD), "/users": listing(ARRAY, PAGE)}
    import_document(cli, described(paths)).of("GET /items")
    assert cli("list", "acme", "--catalog", "definitions").code == 0
    assert cli("describe", "acme.items", "--catalog", "definitions").code == 0
    operation = cli("call", "acme.items.get", "--help", "--catalog", "definitions")
    assert operation.code == 0, operation.err


@pytest.mark.parametrize(
    ("trap", "item"),
    [
        ("a count of records is taken for one of pages", listing(page_of(total="integer", count="integer"), PAGE)),
        ("a list without a total is cut after 20 pages", listing(ARRAY, PAGE)),
    ],
)
def test_no_page_count_is_made_up(cli: Cli, trap: str, item: Json) -> None:
    paginator = import_list(cli, item)["paginator"]["page"]
    assert not {"pages", "maximum", "cap"} & paginator.keys(), trap


def test_the_paginator_of_most_lists_is_not_that_of_all(cli: Cli) -> None:
    paths = {f"/paged{number}": listing(ARRAY, PAGE) for number in range(9)} | {"/plain": listing(ARRAY)}
    imported = import_document(cli, described(paths))
    assert imported.of("GET /paged3")["status"] == "inferred"
    assert imported.of("GET /plain")["status"] == "unknown"


@pytest.mark.parametrize(
    "total",
    [
        {"type": "integer", "description": "The number of items returned on this page"},
        {"type": "integer", "description": "Total number of pages"},
        {"type": "integer", "description": "An estimate of the records."},
        {"type": "string"},
    ],
)
def test_a_total_of_something_else_ends_no_list(cli: Cli, total: Json) -> None:
    listed = import_list(cli, listing(page_of(total=total), PAGE))
    assert listed["paginator"] == {"page": {"to": "page"}}
    assert "so it is read until a page is empty" in " ".join(listed["evidence"])


@pytest.mark.parametrize("name", ["count", "size", "results_count", "per_page"])
def test_what_may_count_the_records_of_a_page_ends_no_list(cli: Cli, name: str) -> None:
    listed = import_list(cli, listing(page_of(**{name: "integer"}), query("offset"), query("limit")))
    assert listed["paginator"] == {"offset": {"to": "offset"}}


SIZES: list[tuple[Json, Json | None]] = [
    (query("limit", maximum=50, default=10), {"param": "limit", "max": 50}),
    (query("limit", about="Up to 200 records."), {"param": "limit", "max": 200}),
    (query("per_page", about="Number of records, 1-100", default=20), {"param": "per_page", "max": 100}),
    (query("limit", default=20), {"param": "limit", "max": 20}),
    (query("limit", enum=[10, 50, 100]), {"param": "limit", "max": 100, "min": 100}),
    (query("limit", maximum=2_147_483_647, default=25), {"param": "limit", "max": 25}),
    (query("limit", maximum=2_147_483_647), {"param": "limit", "max": 1000}),
    (query("limit", minimum=5, maximum=50), {"param": "limit", "max": 50, "min": 5}),
    (query("limit"), None),
    (query("limit", default=-1), None),
]


@pytest.mark.parametrize(("limit", "size"), SIZES, ids=range(len(SIZES)))
def test_a_page_is_as_large_as_the_document_allows(cli: Cli, limit: Json, size: Json | None) -> None:
    assert import_list(cli, listing(ARRAY, query("offset"), limit))["page_size"] == size


# Where records are.


def several(**arrays: Json) -> Json:
    return {"type": "object", "properties": {name: {"type": "array", "items": each} for name, each in arrays.items()}}


NUMBERED = {"type": "object", "properties": {"item_id": {"type": "integer"}}}
PLACES: list[tuple[Json, Any, Any]] = [
    (ARRAY, "", ["/id"]),
    (page_of("whatever"), "/whatever", ["/id"]),
    ({"type": "object", "properties": {"data": page_of("rows")}}, "/data/rows", ["/id"]),
    ({"allOf": [page_of("data"), {"type": "object", "properties": {"total": {"type": "integer"}}}]}, "/data", ["/id"]),
    # Of several arrays the one that is named as the resource, and none that is of errors.
    (several(items=RECORD, groups=RECORD), "/items", ["/id"]),
    (several(errors=RECORD, data=RECORD), "/data", ["/id"]),
    (several(rows=RECORD, groups=RECORD), None, "none"),
    ({"type": "array", "items": {"type": "string"}}, {"scalars": ""}, ["/value"]),
    ({"type": "object", "additionalProperties": RECORD}, {"map": ""}, ["/_circulate/key"]),
    ({"type": "array", "items": NUMBERED}, "", ["/item_id"]),
    ({"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}}}}, "", "none"),
    ({"type": "array"}, "", "none"),
    ({"type": ["array", "null"], "items": RECORD}, "", ["/id"]),
    ({"oneOf": [ARRAY, page_of()]}, None, "none"),
    # A document that describes one record where a list of them comes: parameters show it.
    (RECORD, None, "none"),
]


@pytest.mark.parametrize(("schema", "records", "key"), PLACES, ids=range(len(PLACES)))
def test_where_the_records_of_a_page_are(cli: Cli, schema: Json, records: object, key: object) -> None:
    listed = import_list(cli, listing(schema, PAGE))
    assert (listed["records"], listed["primary_key"]) == (records, key)
    assert (listed["status"] == "unknown") == (records is None)
    assert bool(listed["record_candidates"]) == (records is None)


def test_a_list_without_a_schema_is_found_by_its_parameters_or_its_name(cli: Cli) -> None:
    paths = {
        "/users": listing(None),
        "/search": listing(None, query("page")),
        "/me": listing(None),
        "/settings": listing(None),
        "/users/{id}": listing(None),
    }
    report = import_document(cli, described(paths)).report
    assert {each["operation"] for each in report["lists"]} == {"GET /users", "GET /search"}
    assert {each["status"] for each in report["lists"]} == {"unknown"}


def test_an_example_shows_what_a_schema_does_not(cli: Cli) -> None:
    item = listing(None, PAGE)
    item["get"]["responses"]["200"]["content"] = {
        "application/json": {"example": {"data": [{"id": 1, "name": "a"}], "meta": {"total": 7}}}
    }
    listed = import_list(cli, item)
    assert (listed["records"], listed["primary_key"]) == ("/data", ["/id"])
    assert listed["paginator"] == {"page": {"to": "page", "total": "/meta/total"}}
    assert "records: the only array of the page (example)" in listed["evidence"]


def test_a_record_with_an_array_is_no_list(cli: Cli) -> None:
    user = {"type": "object", "properties": {"id": {"type": "string"}, "roles": {"type": "array", "items": RECORD}}}
    paths = {"/users": listing(ARRAY), "/users/{id}": listing(user), "/me": listing(user)}
    report = import_document(cli, described(paths)).report
    found = {each["operation"]: each["records"] for each in report["lists"]}
    assert found == {"GET /users": "", "GET /me": {"one": ""}}


# What a list is requested for.


def test_parents_are_the_lists_that_have_what_a_path_needs(cli: Cli) -> None:
    org = {"type": "object", "properties": {"id": {"type": "string"}, "login": {"type": "string"}}}
    paths = {
        "/orgs": listing({"type": "array", "items": org}, PAGE),
        "/orgs/{login}/repos": listing(ARRAY, PAGE),
        "/orgs/{org}/repos/{repoId}/issues": listing(ARRAY, PAGE),
        "/teams/{teamSlug}/members": listing(ARRAY, PAGE),
    }
    imported = import_document(cli, described(paths))
    found = {each["stream"]: (each["path"], each["parent"]) for each in imported.report["lists"]}
    assert found == {
        "acme.orgs": ("/orgs", None),
        "acme.org_repos": ("/orgs/{login}/repos", "orgs"),
        # Names that a document gives differently are those of the list above.
        "acme.org_repo_issues": ("/orgs/{login}/repos/{repo_id}/issues", "org_repos"),
        "acme.team_members": ("/teams/{team_slug}/members", None),
    }
    source = yaml.safe_load((cli.folder / "definitions/acme/source.yaml").read_text())
    assert source["settings"].keys() == {"token", "team_slug"}
    issues = yaml.safe_load((cli.folder / "definitions/acme/org_repo_issues.yaml").read_text())
    assert issues["list"]["parent"] == {"endpoint": "org_repos", "fields": {"repo_id": "/id"}}


def test_what_a_list_cannot_be_requested_without_is_sent(cli: Cli) -> None:
    required = [
        {**query("type", "string", enum=["a", "b"]), "required": True},
        {**query("view", "string", default="full"), "required": True},
        {**query("scope", "string", enum=["all"]), "required": True},
        {**query("from", "string", about="First day."), "required": True},
        {**query("page"), "required": True},
        {"name": "Acme-Version", "in": "header", "required": True, "schema": {"type": "string", "enum": ["v2"]}},
        query("q", "string"),
    ]
    import_list(cli, listing(ARRAY, *required))
    listed = yaml.safe_load((cli.folder / "definitions/acme/items.yaml").read_text())["list"]
    assert listed["partitions"] == {"name": "type", "values": ["a", "b"]}
    assert listed["query"] == {"type": "{type}", "view": "full", "scope": "all", "from": "{from}"}
    assert listed["headers"] == {"Acme-Version": "v2"}
    source = yaml.safe_load((cli.folder / "definitions/acme/source.yaml").read_text())
    assert source["settings"]["from"] == {"env": "ACME_FROM", "about": "First day."}


def test_types_that_the_document_knows_are_columns(cli: Cli) -> None:
    record = {
        "type": "object",
        "properties": {
            "id": {"type": "integer"},
            "updated_at": {"type": "string", "format": "date-time"},
            "day": {"type": "string", "format": "date"},
            "open": {"type": "boolean"},
            "rate": {"type": "number"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "owner": RECORD,
            "_hidden": {"type": "string"},
            "ID": {"type": "string"},
        },
    }
    import_list(cli, listing({"type": "array", "items": record}, PAGE, query("updated_since", "string")))
    text = (cli.folder / "definitions/acme/items.yaml").read_text()
    columns = {"id": "integer", "updated_at": "timestamp", "day": "string", "open": "boolean", "rate": "number"}
    assert yaml.safe_load(text)["columns"] == columns
    # When records changed is a proposal, since a filter that leaves some out loses them.
    assert "`updated_since` may select by time" in text
    assert "incremental" not in yaml.safe_load(text)["list"]


MISLEADING: list[tuple[str, Json, Any]] = [
    (
        "an offset that counts pages",
        listing(ARRAY, query("offset", about="Number of pages to skip."), query("limit")),
        None,
    ),
    (
        "a start that is a time",
        listing(ARRAY, query("start", about="Unix timestamp.", minimum=0), query("limit")),
        None,
    ),
    ("a token that signs in", listing(page_of(next_token="string"), query("token", "string", "Access token.")), None),
    (
        "a total that is a sum",
        listing(page_of(sums={"type": "object", "properties": {"total": {"type": "integer"}}}), PAGE),
        {"page": {"to": "page"}},
    ),
    (
        "the next of something else",
        listing(page_of(event={"type": "object", "properties": {"next_url": {"type": "string"}}})),
        None,
    ),
    ("a page offset", listing(ARRAY, query("pageOffset", default=0), query("limit")), None),
]


@pytest.mark.parametrize(("item", "paginator"), [each[1:] for each in MISLEADING], ids=[each[0] for each in MISLEADING])
def test_a_name_of_paging_for_something_else_misleads_nobody(cli: Cli, item: Json, paginator: object) -> None:
    assert import_list(cli, item)["paginator"] == paginator


@pytest.mark.parametrize(
    ("name", "about", "is_size"),
    [
        ("size", "Shoe size.", False),
        ("size", "", False),
        ("size", "The number of records to return.", True),
        ("max", "Highest price.", False),
        ("count", "Results per page.", True),
        ("limit", "", True),
    ],
)
def test_a_filter_is_not_sent_as_the_size_of_a_page(cli: Cli, name: str, about: str, *, is_size: bool) -> None:
    listed = import_list(cli, listing(ARRAY, PAGE, query(name, "integer", about, maximum=50)))
    assert listed["page_size"] == ({"param": name, "max": 50} if is_size else None)


def test_json_is_requested_where_there_are_several_formats(cli: Cli) -> None:
    formats = {"name": "format", "in": "path", "required": True, "schema": {"type": "string", "enum": ["XML", "JSON"]}}
    version = {"name": "version", "in": "path", "required": True, "schema": {"type": "string", "default": "v3"}}
    item = listing(ARRAY, PAGE, formats, version)
    assert import_document(cli, described({"/{version}/{format}/items": item})).report["lists"][0]["path"] == (
        "/{version}/JSON/items"
    )
    source = yaml.safe_load((cli.folder / "definitions/acme/source.yaml").read_text())
    assert source["settings"]["version"]["default"] == "v3"


@pytest.mark.parametrize("path", ["/items?page={page}&limit={limit}", "/items{?page,limit}"])
def test_a_query_in_a_path_is_one(cli: Cli, path: str) -> None:
    parameters = [
        {**PAGE, "in": "path", "required": True},
        {**query("limit", maximum=50), "in": "path", "required": True},
    ]
    listed = import_document(cli, described({path: listing(ARRAY, *parameters)})).of(f"GET {path}")
    assert (listed["path"], listed["paginator"]) == ("/items", {"page": {"to": "page"}})
    assert listed["page_size"] == {"param": "limit", "max": 50}


ERRORS: Json = {"type": "object", "properties": {"messages": {"type": "array", "items": RECORD}}}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"errors": {"type": "array", "items": RECORD}}},
        {"type": "object", "properties": {"error": ERRORS}},
        {"type": "object", "properties": {"fault": ERRORS}},
        {
            "type": "object",
            "properties": {"exceptions": {"type": "array", "items": RECORD}, "next": {"type": "string"}},
        },
    ],
)
def test_what_says_what_is_wrong_is_never_taken_for_records(cli: Cli, schema: Json) -> None:
    found = import_list(cli, listing(schema, query("page")))
    assert found["records"] is None
    assert found["status"] == "unknown"


@pytest.mark.parametrize("name", ["errors", "exceptions", "faults"])
def test_a_list_of_errors_is_one_of_records(cli: Cli, name: str) -> None:
    schema = {"type": "object", "properties": {name: {"type": "array", "items": RECORD}}}
    document = described({f"/{name}": listing(schema, query("page"))})
    assert import_document(cli, document).of(f"GET /{name}")["records"] == f"/{name}"


def record_with(**times: str) -> Json:
    properties = {name: {"type": "string", "format": kind} for name, kind in times.items()}
    return {"type": "object", "properties": {"id": {"type": "string"}, **properties}}


def listed_with(record: Json, *parameters: Json) -> Json:
    page = {"type": "object", "properties": {"items": {"type": "array", "items": record}, "next": {"type": "string"}}}
    return listing(page, *parameters)


SINCE = {"since": "{since}", "inclusive": False}
OFFERED: dict[str, tuple[Json, Json]] = {
    "a change": (
        listed_with(
            record_with(created_at="date-time", updated_at="date-time"),
            query("updated_since", "string", format="date-time"),
        ),
        {"cursor": "/updated_at", "param": "updated_since", **SINCE},
    ),
    "another word for it": (
        listed_with(record_with(lastModified="date-time"), query("modified_after", "string", format="date-time")),
        {"cursor": "/lastModified", "param": "modified_after", **SINCE},
    ),
    "a bracket": (
        listed_with(
            record_with(updated_at="date-time"), query("filter[updated_at][gte]", "string", format="date-time")
        ),
        {"cursor": "/updated_at", "param": "filter[updated_at][gte]", **SINCE},
    ),
    "a day": (
        listed_with(record_with(updated_at="date-time"), query("updated_from", "string", format="date")),
        {
            "cursor": "/updated_at",
            "param": "updated_from",
            "format": {"records": "rfc3339", "filter": "date"},
            **SINCE,
        },
    ),
    "a plain since and the only time": (
        listed_with(record_with(occurred_at="date-time"), query("since", "string", format="date-time")),
        {"cursor": "/occurred_at", "param": "since", **SINCE},
    ),
    "a plain since and the time of the change": (
        listed_with(
            record_with(created="date-time", updated="date-time"), query("since", "string", format="date-time")
        ),
        {"cursor": "/updated", "param": "since", **SINCE},
    ),
}


@pytest.mark.parametrize("name", OFFERED)
def test_an_increment_that_a_document_offers_is_proposed_and_not_used(cli: Cli, name: str) -> None:
    item, rule = OFFERED[name]
    found = import_list(cli, item)
    assert (found["increment"]["status"], found["increment"]["rule"]) == ("inferred", rule)
    assert f"`{rule['param']}`" in found["increment"]["evidence"]
    text = (cli.folder / "definitions/acme/items.yaml").read_text()
    assert "incremental" not in yaml.safe_load(text)["list"]
    comment = " ".join(line.strip(" #") for line in text.splitlines() if line.lstrip().startswith("#"))
    (shown,) = re.findall(r"in the overlay: incremental: (\{.*?\})(?= -|$| [A-Z])", comment)
    assert yaml.safe_load(shown) == rule


@pytest.mark.parametrize(
    "item",
    [
        # Nothing says that it takes a time.
        listed_with(record_with(updated_at="date-time"), query("updated_since", "string")),
        # It is about something that records do not have.
        listed_with(record_with(created_at="date-time"), query("updated_since", "string", format="date-time")),
        # Which of them?
        listed_with(record_with(a="date-time", b="date-time"), query("since", "string", format="date-time")),
        # It is the upper bound.
        listed_with(record_with(updated_at="date-time"), query("updated_before", "string", format="date-time")),
        # It is a day of its own, and no bound.
        listed_with(record_with(updated_at="date-time"), query("updated_at", "string", format="date-time")),
    ],
    ids=range(5),
)
def test_an_increment_is_proposed_only_where_both_halves_fit(cli: Cli, item: Json) -> None:
    assert import_list(cli, item)["increment"] is None
