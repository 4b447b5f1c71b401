"""How a list ended is part of what a pull says: one page is not taken for the whole list."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from support.cli import Cli, Done
from support.http_server import Reply
from support.scripted import define, pull, serving

ITEMS = [{"id": number, "updated": "2026-11-01T00:00:00Z"} for number in range(537)]
INCREMENTAL = """
incremental:
  cursor: /updated
  param: since
  since: "{since}"
  until: "{until}"
"""
Response = Callable[[str, dict[str, str]], Reply]


def page_of(query: dict[str, str], *, cap: int = 20) -> tuple[list[Any], int]:
    start = int(query.get("start", 0))
    end = min(start + min(int(query.get("limit", cap)), cap), len(ITEMS))
    return ITEMS[start:end], end


def in_object(_: str, query: dict[str, str]) -> Reply:
    """Give items in an object with their total, and no way on."""
    return Reply({"items": page_of(query)[0], "total": len(ITEMS)})


def by_link(*, cap: int = 20, items: int = len(ITEMS), rel: str = 'rel="next"') -> Response:
    """Give items in an array, and a header line that names the next page."""

    def response(path: str, query: dict[str, str]) -> Reply:
        found, end = page_of(query, cap=cap)
        found = [item for item in found if item["id"] < items]
        limit = f"&limit={query['limit']}" if "limit" in query else ""
        return Reply(found, [("Link", f"<{path}?start={end}{limit}>; {rel}")] if end < items else [])

    return response


def assert_goes_on(done: Done, *parts: str) -> None:
    """A list that goes on is committed as far as it was read, is not complete, and the reason is reported."""
    assert (done.code, done.report["status"], done.report["next_since"]) == (3, "partial", None), done.err
    assert done.report["ends"]["contradicted"] == 1
    assert "missing: acme.items after page 1: " in done.err
    for part in parts:
        assert part in done.err


@pytest.mark.parametrize(
    "listed",
    [
        "paginator: none",
        "paginator: none\npage_size: {param: limit, max: 100}",
        "paginator: link_header\npage_size: {param: limit, max: 100}",
        "paginator: {body_link: /nxt}",
    ],
)
def test_one_page_is_not_taken_for_a_list_with_a_larger_total(cli: Cli, listed: str) -> None:
    define(cli.folder, f"path: /items\nrecords: /items\nprimary_key: [/id]\n{listed}")
    with serving(in_object) as api:
        done = pull(cli, api)
        assert_goes_on(done, "`/total` is `537`, and 20 records were read")
        index = json.loads(cli.manifest(done).read_text())
    assert (index["verdict"], index["totals"]["records"]) == ("partial", 20)
    assert index["ends"]["lists"][0]["contradicted"].startswith("`/total`")


def test_a_list_whose_paginator_is_wrong_is_reported_with_the_one_that_would_follow_it(cli: Cli) -> None:
    define(cli.folder, "path: /items\nprimary_key: [/id]\npaginator: none")
    with serving(by_link()) as api:
        assert_goes_on(pull(cli, api), "the header `Link`", "`paginator: link_header` would follow it")
        checked = cli("check", "acme.items", "--catalog", "catalog", ACME_URL=api.url)
    assert checked.code == 3
    assert "20 records on the first page, and the list goes on" in checked.err
    assert "`paginator: link_header` would follow it" in checked.err
    assert "is ready" not in checked.err


def test_a_check_says_how_the_first_page_leads_on(cli: Cli) -> None:
    define(cli.folder, "path: /items\nprimary_key: [/id]\npaginator: link_header\npage_size: {param: limit, max: 20}")
    with serving(by_link()) as api:
        checked = cli("check", "acme.items", "--catalog", "catalog", ACME_URL=api.url)
    assert checked.code == 0, checked.err
    assert "20 records on the first page, which leads to a next one" in checked.err


def test_a_paginator_in_single_quotes_is_followed_to_the_end(cli: Cli) -> None:
    define(cli.folder, f"path: /items\nprimary_key: [/id]\npaginator: link_header\n{INCREMENTAL}")
    with serving(by_link(rel="rel='next'")) as api:
        done = pull(cli, api)
    assert (done.code, done.report["records"]) == (0, 537), done.err
    assert done.report["ends"]["counts"] == {"no_next": 1}


@pytest.mark.parametrize("rel", ['rel="next', 'title="x" rel=next', 'rel="next"; title="a"b"'])
def test_a_link_that_cannot_be_read_fails_the_page_and_keeps_the_cursor(cli: Cli, rel: str) -> None:
    define(cli.folder, f"path: /items\nprimary_key: [/id]\npaginator: link_header\n{INCREMENTAL}")
    with serving(by_link(rel=rel)) as api:
        done = pull(cli, api)
    assert (done.code, done.report["status"], done.report["records"]) == (1, "failed", 0)
    assert "error: the `Link` header is not a list of links" in done.err
    with serving(by_link()) as api:
        again = pull(cli, api)
    assert (again.code, again.report["records"]) == (0, 537), again.err
    assert "since" not in api.requests[0], "the cursor was not moved"


def test_an_unknown_paginator_is_reported_with_those_there_are_and_none_is_proposed(cli: Cli) -> None:
    define(cli.folder, "path: /items\nprimary_key: [/id]\npaginator: pages")
    done = cli("pull", "acme.items", "--catalog", "catalog", "--to", "lake", ACME_URL="http://127.0.0.1:9")
    assert done.code == 2
    assert "unknown paginator `pages`; the paginators are" in done.err
    for kind in ("    link_header  ", "    {next_url: {body: /next}}  ", "    {page: {to: page}}  ", "    none  "):
        assert kind in done.err
    assert "did you mean" not in done.err


def test_what_shows_that_a_page_is_all_is_learned_once(cli: Cli) -> None:
    define(cli.folder, "path: /items\nprimary_key: [/id]\npaginator: link_header\npage_size: {param: limit, max: 100}")
    with serving(by_link(cap=100, items=30)) as api:
        first, second = pull(cli, api), pull(cli, api)
    first_pull = ["/items?limit=100", "/items?limit=29", "/items?limit=100"]
    assert api.requests == [*first_pull, "/items?limit=100"]
    assert (first.report["ends"]["counts"], second.report["ends"]["counts"]) == ({"confirmed": 1}, {"no_next": 1})
    assert first.code == second.code == 0


def test_a_list_that_nothing_proves_is_complete_with_one_warning(cli: Cli) -> None:
    listed = "path: /items\nprimary_key: [/id]\npaginator: none"
    define(cli.folder, listed)
    with serving(by_link(cap=100, items=30)) as api:
        done = pull(cli, api)
        assert (done.code, done.report["ends"]["counts"]) == (0, {"assumed": 1})
        assert len(done.report["warnings"]) == 1
        assert done.err.count("warning:") == 1
        assert "`single: certain`" in done.err
        define(cli.folder, f"{listed}\nsingle: certain")
        certain = pull(cli, api)
    assert (certain.code, certain.report["ends"]["counts"], certain.report["warnings"]) == (0, {"single": 1}, [])


def test_a_server_without_a_usable_date_is_reported_and_a_lag_stands_in_for_it(cli: Cli) -> None:
    listed = f"path: /items\nprimary_key: [/id]\npaginator: link_header\n{INCREMENTAL}"
    define(cli.folder, listed)

    def undated(path: str, query: dict[str, str]) -> Reply:
        reply = by_link(cap=600)(path, query)
        return Reply(reply.body, reply.headers, date=False)

    with serving(undated) as api:
        for _ in range(2):
            done = pull(cli, api)
            assert (done.code, done.report["records"], done.report["next_since"]) == (0, 537, None)
            assert "the cursor cannot move" in done.err
            assert "lag" in done.err
        define(cli.folder, f"{listed}  lag: 10m\n")
        moved = pull(cli, api)
        assert moved.report["next_since"] == "2026-10-31T23:55:00Z", moved.err
        assert "cannot move" not in moved.err
        pull(cli, api)
    assert api.requests[-1].startswith("/items?since=2026-10-31T23")


def test_next_links_in_a_circle_condemn_the_run_and_the_next_pull_starts_over(cli: Cli) -> None:
    define(cli.folder, "path: /items\nprimary_key: [/id]\npaginator: link_header\npage_size: {param: limit, max: 20}")
    circle = by_link()

    def round_and_round(path: str, query: dict[str, str]) -> Reply:
        return circle(path, {**query, "start": str(int(query.get("start", 0)) % 140)})

    with serving(round_and_round) as api:
        done = pull(cli, api, "--batch-records", "10")
    assert (done.code, done.report["records"], done.report["continuation"]) == (1, 0, None)
    assert "runs in a circle" in done.err
    assert "the next pull starts over" in done.err
    with serving(circle) as good:
        again = pull(cli, good)
    assert (again.code, again.report["records"], again.report["resumed"]) == (0, 537, False)


def test_a_definition_that_is_corrected_before_a_page_was_read_starts_over(cli: Cli) -> None:
    listed = "path: /{}\nprimary_key: [/id]\npaginator: link_header"
    define(cli.folder, listed.format("wrong"))
    response = by_link()
    with serving(lambda path, query: response(path, query) if path == "/items" else Reply({}, status=404)) as api:
        assert pull(cli, api).code == 1
        define(cli.folder, listed.format("items"))
        done = pull(cli, api)
    assert (done.code, done.report["records"]) == (0, 537), done.err


def test_a_link_in_the_body_that_stands_elsewhere_is_reported_with_what_was_found(cli: Cli) -> None:
    define(cli.folder, "path: /items\nrecords: /items\nprimary_key: [/id]\npaginator: {body_link: /_links/next/href}")
    for links, found in [
        ({"next": "/items?start=20"}, "`/_links/next` is a string"),
        ({"next": ["/items?start=20"]}, "`/_links/next` is a list"),
        ({"Next": {"href": "/items?start=20"}}, "there is `/_links/Next/href`"),
    ]:
        body = {"items": ITEMS[:20], "_links": links}
        reply = Reply(body)
        with serving(lambda _path, _query, reply=reply: reply) as api:  # type: ignore[misc]
            done = pull(cli, api)
        assert (done.code, done.report["records"]) == (1, 0)
        assert "`/_links/next/href`" in done.err
        assert found in done.err


def test_a_page_that_runs_dry_while_a_log_is_polled_is_no_end(cli: Cli) -> None:
    define(
        cli.folder,
        "path: /items\nprimary_key: [/id]\npaginator: link_header\npage_size: {param: limit, max: 100}\n"
        f"endless: {{history: 90d, oldest: 180d, window: 1d}}\n{INCREMENTAL}",
    )

    def log(path: str, query: dict[str, str]) -> Reply:
        found, end = page_of(query, cap=10)
        return Reply(found, [("Link", f'<{path}?start={end}&limit=100>; rel="next"')])

    with serving(log) as api:
        done = pull(cli, api)
    assert (done.code, done.report["records"]) == (0, 537), done.err
    assert (done.report["ends"]["counts"], done.report["behind"]) == ({"caught_up": 1}, None)


def test_a_source_without_a_check_is_checked_by_its_lists(cli: Cli) -> None:
    catalog = define(cli.folder, "records: /items\nprimary_key: [/id]\npath: /items\npaginator: none")
    source = catalog / "acme/source.yaml"
    source.write_text(source.read_text().replace("check: {path: /items}\n", ""))
    child = "endpoint: parts\nabout: Parts.\nscopes: []\nlist:\n  path: /items/{id}/parts\n  primary_key: [/id]\n"
    child += "  paginator: none\n  parent: {endpoint: items, fields: {id: /id}}\n"
    (catalog / "acme/parts.yaml").write_text(child)
    unnamed = "does not say what to request for a check"
    with serving(lambda path, _: Reply({"items": ITEMS[:1]} if path == "/items" else [])) as api:
        checked = cli("check", "acme.items", "--catalog", "catalog", ACME_URL=api.url)
        assert checked.code == 0, checked.err
        assert "1 record on the first page" in checked.err
        assert {path.partition("?")[0] for path in api.requests} == {"/items"}
        done = cli("check", "acme", "--catalog", "catalog", ACME_URL=api.url)
        assert (done.code, unnamed in done.err) == (2, True), done.err
    with serving(lambda *_: Reply({"items": []})) as api:
        done = cli("check", "acme.parts", "--catalog", "catalog", ACME_URL=api.url)
        assert (done.code, unnamed in done.err) == (2, True), done.err
    with serving(lambda *_: Reply({"error": "no"}, status=401)) as api:
        done = cli("check", "acme.items", "--catalog", "catalog", ACME_URL=api.url)
        assert (done.code, "401" in done.err) == (1, True), done.err
