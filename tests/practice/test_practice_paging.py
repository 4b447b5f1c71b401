"""The user list: every user once, links as Okta gives them, cursors that must come back unchanged."""

from urllib.parse import quote, unquote

import pytest
from support.practice_client import LIST, Client, Clock, Reply, Serve

from circulate_practice import PracticeOrg

EVERYONE = quote('lastUpdated ge "1970-01-01T00:00:00.000Z"')
GONE = quote('status eq "DEPROVISIONED"')


def ids(pages: list[Reply]) -> list[str]:
    """Return all ids of some pages, in order."""
    return [user_id for page in pages for user_id in page.ids]


def expected_ids(org: PracticeOrg, *, deprovisioned: bool) -> list[str]:
    """Return the ids the org holds, in order."""
    return [entry["id"] for entry in org.truth() if deprovisioned or entry["status"] != "DEPROVISIONED"]


def test_the_plain_list_holds_every_user_once_but_the_deprovisioned(serve: Serve) -> None:
    org, client = serve(users=1000)
    pages = list(client.pages())
    assert len(pages) == 5
    assert ids(pages) == expected_ids(org, deprovisioned=False)
    assert any(len(page.ids) < 200 for page in pages[:-1]), "a page in the middle may hold fewer than asked for"


def test_a_filtered_list_holds_the_deprovisioned_too(serve: Serve) -> None:
    org, client = serve(users=1000)
    pages = list(client.pages(f"{LIST}?filter={EVERYONE}"))
    assert ids(pages) == expected_ids(org, deprovisioned=True)
    assert {len(page.ids) for page in pages} == {200}


@pytest.mark.parametrize("limit", [1, 7, 199, 200])
def test_any_limit_gives_the_same_users(serve: Serve, limit: int) -> None:
    org, client = serve(users=210, rate_limit=1000)
    assert ids(list(client.pages(f"{LIST}?limit={limit}"))) == expected_ids(org, deprovisioned=False)


@pytest.mark.parametrize("users", [0, 1, 200, 201, 400])
def test_the_end_is_the_page_without_a_next_link(serve: Serve, users: int) -> None:
    org, client = serve(users=users)
    pages = list(client.pages(f"{LIST}?filter={EVERYONE}"))
    assert len(pages) == max(1, -(-users // 200))
    assert ids(pages) == expected_ids(org, deprovisioned=True)


def test_a_filter_that_matches_little_fills_its_pages(serve: Serve) -> None:
    _, client = serve(users=3000)
    pages = list(client.pages(f"{LIST}?limit=20&filter={GONE}"))
    assert {len(page.ids) for page in pages[:-1]} == {20}
    assert {user["status"] for page in pages for user in page.json} == {"DEPROVISIONED"}


def test_a_second_pull_is_served_the_same_bytes(serve: Serve) -> None:
    _, client = serve(users=500)
    assert [page.body for page in client.pages()] == [page.body for page in client.pages()]


def test_changes_while_paging_neither_skip_nor_repeat_anybody(serve: Serve) -> None:
    org, client = serve(users=1000)
    before = expected_ids(org, deprovisioned=True)
    pages = []
    for page in client.pages(f"{LIST}?limit=50&filter={EVERYONE}"):
        pages.append(page)
        if len(pages) < 10:
            org.change(40)
    found = ids(pages)
    assert len(set(found)) == len(found)
    assert found == expected_ids(org, deprovisioned=True)
    assert found[: len(before)] == before


def test_a_user_that_changed_is_served_anew_and_its_neighbours_as_before(serve: Serve, clock: Clock) -> None:
    org, client = serve(users=600)
    before = {user["id"]: user for page in client.pages(f"{LIST}?filter={EVERYONE}") for user in page.json}
    clock.now += 5
    changed = set(org.change(3))
    after = {user["id"]: user for page in client.pages(f"{LIST}?filter={EVERYONE}") for user in page.json}
    assert {user_id for user_id in before if before[user_id] != after[user_id]} == changed


def test_each_relation_has_a_link_line_of_its_own(serve: Serve) -> None:
    org, client = serve(users=300)
    first, last = client.pages(f"{LIST}?filter={EVERYONE}")
    assert len(first.lines("Link")) == 2
    assert first.lines("Link")[0] == f'<{org.url}{LIST}?filter={EVERYONE}>; rel="self"'
    assert len(last.lines("Link")) == 1
    assert last.lines("Link")[0].endswith('rel="self"')


def test_the_next_link_repeats_the_query_as_it_was_sent(serve: Serve) -> None:
    org, client = serve(users=300)
    raw = 'lastUpdated+ge%20%221970-01-01T00:00:00%2e000Z"'.replace('"', "%22")
    url = client.get(f"{LIST}?filter={raw}&limit=3").next_url
    assert url is not None
    assert url.startswith(f"{org.url}{LIST}?after=")
    assert url.endswith(f"&filter={raw}&limit=3")


def test_the_next_link_names_the_limit_when_the_request_did_not(serve: Serve) -> None:
    _, client = serve(users=300)
    assert (client.get().next_url or "").endswith("&limit=200")


def test_the_next_link_names_the_host_the_client_requested(serve: Serve) -> None:
    _, client = serve(users=300)
    url = client.get(headers={"Host": "practice.internal:8080"}).next_url
    assert (url or "").startswith("http://practice.internal:8080/api/v1/users?")


def altered(target: str) -> dict[str, str]:
    """Return what careless clients make of the next URL."""
    cursor = target.partition("after=")[2].partition("&")[0]
    return {
        "decoded": target.replace(cursor, unquote(cursor)),
        "encoded again": target.replace(cursor, quote(unquote(cursor), safe="")),
        "encoded twice": target.replace(cursor, quote(cursor, safe="")),
        "lower case escapes": target.replace("%3D", "%3d"),
        "split at a comma": target.replace(cursor, cursor.split(",")[0]),
        "made up": target.replace(cursor, "200"),
        "tampered": target.replace(cursor, "B" + cursor[1:]),
        "empty": target.replace(cursor, ""),
        "another filter": target + f"&filter={EVERYONE}",
    }


@pytest.mark.parametrize("way", altered("?after=x&"))
def test_a_cursor_that_comes_back_altered_is_refused(serve: Serve, way: str) -> None:
    _, client = serve(users=300)
    target = client.get().next_target
    assert target is not None
    reply = client.get(altered(target)[way])
    assert (reply.status, reply.error_code) == (400, "E0000001")
    assert client.get(target).status == 200


def test_a_cursor_outlives_a_restart_and_a_smaller_limit(serve: Serve) -> None:
    org, client = serve(users=300)
    target = client.get().next_target or ""
    org.stop()
    org.start()
    again = Client(org)
    reply = again.get(target.replace("limit=200", "limit=10"))
    again.close()
    assert (reply.status, len(reply.ids) <= 10) == (200, True)


@pytest.mark.parametrize("limit", ["0", "201", "-1", "ten", "", "1e2", "99999999999999999999", "%31"])
def test_a_limit_out_of_range_is_a_validation_error(serve: Serve, limit: str) -> None:
    _, client = serve(users=5)
    reply = client.get(f"{LIST}?limit={limit}")
    assert (reply.status, reply.error_code) == (400, "E0000001")
    assert reply.json["errorCauses"]


@pytest.mark.parametrize("query", ["search=x", "q=x", "sortBy=id", "limit=5&limit=6"])
def test_what_would_change_the_response_and_is_not_served_is_refused(serve: Serve, query: str) -> None:
    _, client = serve(users=5)
    assert client.get(f"{LIST}?{query}").status == 400


def test_a_bad_filter_is_refused(serve: Serve) -> None:
    _, client = serve(users=5)
    reply = client.get(f"{LIST}?filter=nonsense")
    assert (reply.status, reply.error_code) == (400, "E0000031")
