"""`circulate check SOURCE.STREAM`: what the first pages of a list show of its definition."""

import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from support.cli import Cli, CliFor, StartOrg
from support.http_server import Handler, Reply, Server

import circulate_core
from circulate_core.authoring import list_checks
from circulate_core.authoring.list_checks import check_list

pytestmark = pytest.mark.filterwarnings("ignore::circulate_core.IncompleteWarning")
DAYS: list[dict[str, Any]] = [
    {"id": n, "kind": n % 3, "at": f"2026-01-{n + 1:02}T00:00:00Z", "size": n} for n in range(31)
]
BY_TIME = {"cursor": "/at", "param": "since", "since": "{since}", "order": "ascending"}
RIGHT: dict[str, Any] = {
    "records": "/items",
    "primary_key": ["/id"],
    "paginator": {"last_record": {"from": "/id", "to": "after", "more": "/more"}},
    "page_size": {"param": "limit", "max": 10},
    "incremental": BY_TIME,
}
QUOTA = {"limit": "X-Limit", "remaining": "X-Remaining", "reset": "X-Reset"}


def respond(request: Handler, *, ignored: str = "", headers: bool = True) -> Reply:
    """Serve the days after one, as many as `limit` says, newer than `since`; one of these may be ignored."""
    query = dict(parse_qsl(urlsplit(request.path).query))
    query.pop(ignored, None)
    since, after = query.get("since", ""), int(query.get("after", "-1"))
    days = [day for day in DAYS if day["at"] >= since and day["id"] > after]
    limit = int(query.get("limit", "20"))
    quota = [("X-Limit", "100"), ("X-Remaining", "90"), ("X-Reset", "60")] if headers else []
    return Reply({"items": days[:limit], "more": len(days) > limit}, quota)


def found(
    listing: Mapping[str, Any], columns: Mapping[str, str] | None = None, *, ignored: str = "", headers: bool = True
) -> dict[str, tuple[str, str]]:
    """Check a list, and return what was seen by key."""
    with Server(lambda request: respond(request, ignored=ignored, headers=headers)) as served:
        source = circulate_core.source("acme", base_url=served.url, rate_limit=QUOTA)
        definition = {"list": {"path": "/days", **listing}, **({"columns": columns} if columns else {})}
        return {each.key: (each.status, each.evidence) for each in check_list(source.stream("days", definition))}


def test_a_list_that_is_as_its_definition_says_is_right() -> None:
    seen = found(RIGHT, {"size": "integer"})
    assert {key: status for key, (status, _) in seen.items()} == dict.fromkeys(
        [
            *("primary_key", "page_size", "paginator", "incremental.cursor", "incremental.order"),
            *("incremental.param", "rate_limit", "columns"),
        ],
        "right",
    )


@pytest.mark.parametrize(
    ("key", "listing", "server", "part"),
    [
        ("primary_key", {"primary_key": ["/kind"]}, {}, "3 values of `/kind` in several records"),
        ("primary_key", {"primary_key": ["/id", "/uuid"]}, {}, "31 of 31 records lack `/id` and `/uuid`"),
        ("page_size", {}, {"ignored": "limit"}, ": `limit` is ignored"),
        (
            "incremental.cursor",
            {"incremental": {**RIGHT["incremental"], "cursor": "/no"}},
            {},
            "31 of 31 records lack `/no`",
        ),
        ("incremental.order", {"incremental": {**RIGHT["incremental"], "order": "descending"}}, {}, "ascending order"),
        ("incremental.param", {}, {"ignored": "since"}, "14 of 31 records are older: `since` is ignored"),
        ("rate_limit", {}, {"headers": False}, "no response had `X-Limit`"),
    ],
)
def test_what_is_not_as_the_definition_says_is_wrong(
    key: str, listing: dict[str, Any], server: dict[str, Any], part: str
) -> None:
    seen = found({**RIGHT, **listing}, **server)
    assert seen[key][0] == "wrong", seen
    assert part in seen[key][1]


@pytest.mark.parametrize("kept", ["the same time", "nothing"])
def test_a_filter_that_loses_what_is_newer_is_wrong(kept: str) -> None:
    def filtered(request: Handler) -> Reply:
        query = dict(parse_qsl(urlsplit(request.path).query))
        days = [day for day in DAYS if day["id"] > int(query.get("after", "-1"))]
        if since := query.get("since"):
            days = [day for day in days if kept == "the same time" and day["at"] == since]
        limit = int(query.get("limit", "20"))
        return Reply({"items": days[:limit], "more": len(days) > limit})

    with Server(filtered) as served:
        stream = circulate_core.source("acme", base_url=served.url).stream("days", {"list": {"path": "/d", **RIGHT}})
        seen = {each.key: (each.status, each.evidence) for each in check_list(stream)}
    status, evidence = seen["incremental.param"]
    assert (status, "none is newer, of which 15 are known" in evidence) == ("wrong", True), evidence


@pytest.mark.parametrize(
    "more", [{"inclusive": False}, {"format": {"records": "rfc3339", "filter": "date"}}], ids=["inclusive", "date"]
)
def test_a_filter_that_is_ignored_is_wrong_also_where_the_engine_would_leave_out_the_rest(more: dict[str, Any]) -> None:
    listing = {**RIGHT, "incremental": {**BY_TIME, **more}}
    assert found(listing)["incremental.param"][0] == "right"
    status, evidence = found(listing, ignored="since")["incremental.param"]
    assert (status, "`since` is ignored" in evidence) == ("wrong", True), evidence


@pytest.mark.parametrize(
    ("records", "pages", "status"), [(2, 1, "right"), (11, 6, "right"), (31, 2, "wrong"), (3, 3, "unknown")]
)
def test_a_short_last_page_that_came_meanwhile_does_not_count(
    monkeypatch: pytest.MonkeyPatch, records: int, pages: int, status: str
) -> None:
    seen = SimpleNamespace(records=records, pages=pages)
    monkeypatch.setattr(list_checks, "_read", lambda *_: ([], seen))
    stream = circulate_core.source("acme", base_url="https://acme.example").stream(
        "days", {"list": {"path": "/d", **RIGHT}}
    )
    (finding,) = list_checks._page_size(stream, stream.definition["endpoint"]["list"])  # noqa: SLF001 - what others came meanwhile cannot be made to happen
    assert finding.status == status, finding


def test_times_of_any_spelling_are_compared_and_others_passed_over() -> None:
    def without_times(request: Handler) -> Reply:
        query = dict(parse_qsl(urlsplit(request.path).query))
        days = [{**day, "at": day["at"].lower()} for day in DAYS if day["at"] >= query.get("since", "")]
        odd = [{"id": 90, "at": None}, {"id": 91, "at": "2026-01-20T00:00:00"}] if "since" in query else []
        return Reply({"items": [*days, *odd], "more": False})

    rules = {"paginator": "none", "single": "certain"}
    definition = {"list": {"path": "/d", **{key: RIGHT[key] for key in RIGHT if key != "page_size"}, **rules}}
    with Server(without_times) as served:
        stream = circulate_core.source("acme", base_url=served.url).stream("days", definition)
        seen = {each.key: each.status for each in check_list(stream)}
    assert seen["incremental.param"] == "right", seen


def test_a_list_whose_second_page_is_the_first_one_is_wrong() -> None:
    rules = {"paginator": {"page": {"to": "page"}}, "incremental": {"cursor": "/at", "client_side": True}}
    seen = found({**RIGHT, **rules})
    assert seen["paginator"][0] == "wrong", seen


def test_columns_that_values_do_not_fit_are_wrong() -> None:
    assert found(RIGHT, {"at": "integer"})["columns"] == (
        "wrong",
        '`/at` is integer, and string came: "2026-01-01T00:00:00Z"',
    )


def test_what_cannot_be_seen_is_unknown() -> None:
    one = {**RIGHT, "paginator": "none", "single": "certain", "primary_key": "none"}
    one.pop("page_size")
    assert found(one)["primary_key"][0] == "unknown"
    with Server(lambda _: Reply({"items": [], "more": False})) as served:
        stream = circulate_core.source("acme", base_url=served.url).stream("days", {"list": {"path": "/d", **RIGHT}})
        assert [(each.key, each.status) for each in check_list(stream)] == [("records", "unknown")]


def test_a_page_that_may_be_the_whole_list_is_unknown(start_org: StartOrg, cli_for: CliFor) -> None:
    done = cli_for(start_org(users=5))("check", "okta.groups", "--deep")
    assert (done.code, "unknown  paginator: a list came in one page" in done.err) == (0, True), done.err


def test_check_shows_what_was_seen_and_ends_with_3_if_something_is_wrong(cli: Cli) -> None:
    with Server(respond) as served:
        source = circulate_core.source("acme", base_url=served.url, check={"path": "/days"})
        source.stream("days", {"list": {"path": "/days", **RIGHT}})
        source.stream("kinds", {"list": {"path": "/days", **RIGHT, "primary_key": ["/kind"]}})
        source.save(cli.folder / "definitions")
        right = cli("check", "acme.days", "--deep", "--catalog", "definitions")
        assert right.code == 0, right.err
        assert "right    paginator: a second page has other records" in right.err
        wrong = cli("check", "acme.*", "--deep", "--catalog", "definitions")
        assert wrong.code == 3, wrong.err
        source_alone = cli("check", "acme", "--deep", "--catalog", "definitions")
        assert (source_alone.code, "name streams of it" in source_alone.err) == (2, True)
        assert "wrong    primary_key: 3 values of `/kind` in several records, such as [0]" in wrong.err


def test_streams_of_okta_are_as_their_definitions_say(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(users=300, groups=12, group_members=20)
    done = cli_for(org)("check", "okta.users", "okta.group_members", "okta.system_log", "okta.groups", "--deep")
    assert done.code == 0, done.err
    assert "wrong" not in done.err
    assert json.dumps(org.token) not in done.err


def test_json_has_what_the_table_shows(cli: Cli) -> None:
    with Server(lambda request: respond(request, ignored="since")) as served:
        (cli.folder / "definitions/acme").mkdir(parents=True)
        settings = {
            "url": {"env": "ACME_URL", "about": "Address"},
            "key": {"env": "ACME_KEY", "about": "Key", "secret": True},
        }
        auth = [{"header": {"name": "X-Key", "secret": "key"}}]
        source = {"source": "acme", "title": "Acme", "settings": settings, "base_url": "{url}", "auth": auth}
        for name, text in {
            "source": source,
            "days": {"endpoint": "days", "about": "Days", "list": {"path": "/d", **RIGHT}},
        }.items():
            (cli.folder / f"definitions/acme/{name}.yaml").write_text(json.dumps(text))
        given = {"ACME_URL": served.url, "ACME_KEY": "key-of-canary", "CIRCULATE_CATALOG": "definitions"}
        done = cli("check", "acme.days", "--deep", "--json", **given)
        plain = cli("check", "acme.days", "--json", **given)
        functions = cli("check", "lambdas", "--json", **given)
    assert done.code == 3, done.err
    assert "key-of-canary" not in done.out + done.err
    report = done.report
    assert (report["source"], report["right"]) == ("acme", False)
    assert report["settings"] == {
        "url": {"value": served.url, "origin": "from ACME_URL"},
        "key": {"value": None, "origin": "from ACME_KEY"},
    }
    (listed,) = report["lists"]
    assert listed == {"stream": "acme.days", "records": 10}
    table = [line.split(maxsplit=1) for line in done.err.splitlines() if line.startswith("    ")]
    found = [[each["status"], f"{each['key']}: {each['evidence']}"] for each in report["findings"]]
    assert found == table
    assert {each["stream"] for each in report["findings"]} == {"acme.days"}
    assert [each["status"] for each in report["findings"] if each["key"] == "incremental.param"] == ["wrong"]
    assert (plain.code, plain.report["findings"], plain.report["right"]) == (0, [], True)
    assert (functions.code, "`--json`" in functions.err, functions.out) == (2, True, "")
