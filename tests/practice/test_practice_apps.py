"""Apps and the lists below them: every record once, the limits of each list, and what changes do."""

import hashlib
import json
from urllib.parse import quote

import pytest
from support.practice_client import Client, Clock, Serve, records_of

from circulate_practice import Changed, PracticeOrg, TruthEntry
from circulate_practice.data.edge_cases import EDGE_CASES
from circulate_practice.data.timestamps import timestamp

APPS = "/api/v1/apps"


def digests(org: PracticeOrg, collection: str, parent: str | None = None) -> list[tuple[str, str]]:
    """Return id and digest of every record of a list, or of those of one parent."""
    return [
        (entry["id"], entry["sha256"]) for entry in org.truth(collection) if parent is None or entry["parent"] == parent
    ]


def served(client: Client, target: str) -> list[tuple[str, str]]:
    """Return id and digest of every record of a list, as received."""
    return [
        (json.loads(record)["id"], hashlib.sha256(record).hexdigest())
        for page in client.pages(target)
        for record in records_of(page.body)
    ]


def app_ids(org: PracticeOrg) -> list[str]:
    """Return the ids of all apps."""
    return [entry["id"] for entry in org.truth("apps")]


def test_every_app_is_listed_once_inactive_ones_too(serve: Serve) -> None:
    org, client = serve(apps=250)
    assert served(client, APPS) == digests(org, "apps")
    assert {entry["status"] for entry in org.truth("apps")} == {"ACTIVE", "INACTIVE"}
    assert len(set(app_ids(org))) == 250
    assert all(app_id.startswith("0oa") and len(app_id) == 20 and app_id.isalnum() for app_id in app_ids(org))


@pytest.mark.parametrize(
    ("below", "setting", "default", "most"),
    [("", "apps", 20, 200), ("/users", "app_users", 50, 500), ("/groups", "app_groups", 20, 200)],
)
def test_each_list_has_its_own_limits(serve: Serve, below: str, setting: str, default: int, most: int) -> None:
    org, client = serve(**{"apps": 1, setting: 600})
    target = f"{APPS}/{app_ids(org)[0]}{below}" if below else APPS
    assert len(client.get(target).ids) == default
    assert len(client.get(f"{target}?limit={most}").ids) == most
    reply = client.get(f"{target}?limit={most + 1}")
    assert (reply.status, reply.error_code) == (400, "E0000001")


def test_groups_of_an_app_cannot_be_asked_for_in_pages_below_20(serve: Serve) -> None:
    org, client = serve(apps=1, app_groups=50)
    target = f"{APPS}/{app_ids(org)[0]}/groups"
    reply = client.get(f"{target}?limit=19")
    assert (reply.status, reply.error_code) == (400, "E0000001")
    assert "between 20 and 200" in reply.json["errorCauses"][0]["errorSummary"]
    assert [len(page.ids) for page in client.pages(f"{target}?limit=20")] == [20, 20, 10]


@pytest.mark.parametrize(("collection", "below"), [("app_users", "users"), ("app_groups", "groups")])
def test_children_are_those_of_their_app_once_each(serve: Serve, collection: str, below: str) -> None:
    org, client = serve(apps=12, **{collection: (0, 130)})
    for app_id in app_ids(org):
        found = served(client, f"{APPS}/{app_id}/{below}?limit=30")
        assert found == digests(org, collection, app_id)
        assert len(dict(found)) == len(found)
    sizes = {len(digests(org, collection, app_id)) for app_id in app_ids(org)}
    assert len(sizes) > 6


def test_the_next_link_of_children_leads_below_the_same_app(serve: Serve) -> None:
    org, client = serve(apps=2, app_users=60)
    first, second = (f"{APPS}/{app_id}/users" for app_id in app_ids(org))
    following = client.get(first).next_target or ""
    assert following.startswith(first + "?after=")
    assert following.endswith("&limit=50")
    assert len(client.get(following).ids) == 10
    other = client.get(following.replace(first, second))
    assert (other.status, other.error_code) == (400, "E0000001")


def test_a_single_app_has_the_bytes_it_has_in_the_list(serve: Serve) -> None:
    org, client = serve(apps=15)
    listed = client.get(APPS).body
    assert all(client.get(f"{APPS}/{app_id}").body in listed for app_id in app_ids(org))


@pytest.mark.parametrize("below", ["", "/users", "/groups"])
def test_an_app_that_is_not_there_is_not_found(serve: Serve, below: str) -> None:
    org, client = serve(apps=3, groups=3)
    deleted, group = app_ids(org)[1], next(iter(org.truth("groups")))["id"]
    org.delete(deleted)
    for app_id in (deleted, group, "0oa1"):
        reply = client.get(f"{APPS}/{app_id}{below}")
        assert (reply.status, reply.error_code) == (404, "E0000007")
        assert reply.json["errorSummary"] == f"Not found: Resource not found: {app_id} (AppInstance)"


def test_a_deleted_app_is_removed_from_every_list_and_its_neighbours_stay(serve: Serve) -> None:
    org, client = serve(apps=30, app_users=3, app_groups=1)
    before = app_ids(org)
    list(client.pages(APPS))
    org.delete(before[7])
    kept = before[:7] + before[8:]
    assert [app["id"] for page in client.pages(APPS) for app in page.json] == kept == app_ids(org)
    assert before[7] not in {entry["parent"] for entry in org.truth("app_users")}
    assert client.get(f"{APPS}?filter=" + quote(f'id eq "{before[7]}"')).json == []


def test_an_app_deleted_while_its_users_are_read_is_not_found_on_the_next_page(serve: Serve) -> None:
    org, client = serve(apps=1, app_users=60)
    following = client.get(f"{APPS}/{app_ids(org)[0]}/users").next_target or ""
    org.delete(app_ids(org)[0])
    assert client.get(following).status == 404


def test_a_new_app_comes_last_with_its_children(serve: Serve, clock: Clock) -> None:
    org, client = serve(apps=5)
    app_id = org.add_app(users=70, groups=3)
    assert app_ids(org)[-1] == app_id
    assert client.get(APPS).json[-1]["created"] == timestamp(int(clock.now * 1000)).decode()
    assert len(served(client, f"{APPS}/{app_id}/users")) == 70
    assert len(served(client, f"{APPS}/{app_id}/groups")) == 3
    assert {entry["lastUpdated"] for entry in org.truth("app_users") if entry["parent"] == app_id} == {
        timestamp(int(clock.now * 1000)).decode()
    }


def test_children_of_a_forbidden_app_are_refused_until_it_is_allowed(serve: Serve) -> None:
    org, client = serve(apps=2)
    forbidden, other = app_ids(org)
    org.forbid(forbidden)
    for below in ("users", "groups"):
        reply = client.get(f"{APPS}/{forbidden}/{below}")
        assert (reply.status, reply.error_code) == (403, "E0000006")
        assert client.get(f"{APPS}/{other}/{below}").status == 200
    assert client.get(f"{APPS}/{forbidden}").status == 200
    assert [entry["collection"] for entry in org.log if entry["status"] == 403] == ["app_users", "app_groups"]
    org.allow(forbidden)
    assert client.get(f"{APPS}/{forbidden}/users").status == 200


def test_a_renamed_app_has_another_label_and_the_time_of_the_clock(serve: Serve, clock: Clock) -> None:
    org, client = serve(apps=5)
    before = client.get(APPS).json
    clock.now += 5
    org.rename(before[2]["id"])
    after = client.get(APPS).json
    assert after[2]["label"] != before[2]["label"]
    assert after[2]["lastUpdated"] == timestamp(int(clock.now * 1000)).decode()
    assert after[:2] + after[3:] == before[:2] + before[3:]


def by_id(entries: list[TruthEntry]) -> dict[str, str]:
    """Return digests by id."""
    return {entry["id"]: entry["sha256"] for entry in entries}


@pytest.mark.parametrize(("collection", "below"), [("app_users", "users"), ("app_groups", "groups")])
def test_changed_children_are_served_as_the_truth_says(serve: Serve, clock: Clock, collection: str, below: str) -> None:
    org, client = serve(apps=3, **{collection: 40})
    apps, app_id = by_id(list(org.truth("apps"))), app_ids(org)[1]
    target = f"{APPS}/{app_id}/{below}"
    before = dict(served(client, target))
    clock.now += 3
    changed = org.change_children(collection, app_id, add=4, update=5, remove=6)
    after = dict(served(client, target))
    assert [len(ids) for ids in changed] == [4, 5, 6]
    assert after.keys() == (before.keys() - set(changed.removed)) | set(changed.added)
    assert {key for key in before.keys() & after.keys() if before[key] != after[key]} == set(changed.updated)
    assert list(after.items()) == digests(org, collection, app_id)
    assert by_id(list(org.truth("apps"))) == apps, "assignments do not touch the app"


def test_no_more_children_change_than_there_are(serve: Serve) -> None:
    org, _ = serve(apps=1, app_users=4)
    changed = org.change_children("app_users", app_ids(org)[0], update=3, remove=3)
    assert (len(changed.removed), len(changed.updated)) == (3, 1)
    assert org.change_children("app_users", app_ids(org)[0]) == Changed([], [], [])


def test_children_change_while_they_are_read_and_nobody_else_is_skipped_or_repeated(serve: Serve) -> None:
    org, client = serve(apps=1, app_users=400)
    app_id = app_ids(org)[0]
    found: list[str] = []
    touched: set[str] = set()
    for page in client.pages(f"{APPS}/{app_id}/users?limit=20"):
        found += page.ids
        if len(found) < 200:
            changed = org.change_children("app_users", app_id, add=3, remove=3)
            touched.update(changed.removed, changed.added)
    assert len(set(found)) == len(found)
    assert set(found) | touched >= {entry["id"] for entry in org.truth("app_users")}


def test_changes_of_what_is_not_there_are_refused(serve: Serve) -> None:
    org, _ = serve(apps=1, groups=1)
    group_id = next(iter(org.truth("groups")))["id"]
    for collection, parent in (("app_users", group_id), ("users", app_ids(org)[0]), ("app_users", "0oa1")):
        with pytest.raises(LookupError, match="app_users"):
            org.change_children(collection, parent, add=1)
    with pytest.raises(LookupError, match="00u1"):
        org.delete("00u1")
    with pytest.raises(LookupError, match="group_members"):
        org.truth("nobody")


@pytest.mark.parametrize(
    "expression", ['lastUpdated gt "2020-01-01T00:00:00.000Z"', 'status eq "DELETED"', 'settings.slo.enabled eq "true"']
)
def test_filters_apps_do_not_offer_are_refused(serve: Serve, expression: str) -> None:
    _, client = serve()
    reply = client.get(f"{APPS}?filter={quote(expression)}")
    assert (reply.status, reply.error_code) == (400, "E0000031")


def test_apps_are_filtered_by_status_name_and_id(serve: Serve) -> None:
    org, client = serve(apps=200)
    apps = [app for page in client.pages(f"{APPS}?limit=200") for app in page.json]
    for name in ("status", "name", "id"):
        expression = quote(f'{name} eq "{apps[7][name]}"')
        found = [app for page in client.pages(f"{APPS}?limit=50&filter={expression}") for app in page.json]
        assert found == [app for app in apps if app[name] == apps[7][name]]
    assert len(org.log) >= 4


@pytest.mark.parametrize("below", ["users", "groups"])
@pytest.mark.parametrize("query", ["q=a", "expand=user", "filter=x"])
def test_parameters_children_do_not_take_are_refused(serve: Serve, below: str, query: str) -> None:
    org, client = serve(apps=1)
    assert client.get(f"{APPS}/{app_ids(org)[0]}/{below}?{query}").status == 400


def test_the_same_seed_gives_the_same_apps_and_children_however_many_there_are(serve: Serve) -> None:
    few, many, other = (serve(apps=apps, seed=seed)[0] for apps, seed in ((3, 1), (30, 1), (3, 2)))
    for collection in ("apps", "app_users", "app_groups"):
        found = digests(few, collection)
        assert digests(many, collection)[: len(found)] == found
        assert not set(found) & set(digests(other, collection))


def test_records_hold_every_edge_case_unless_turned_off(serve: Serve) -> None:
    with_edge_cases, plain = (
        serve(apps=100, app_users=(0, 3), app_groups=2, edge_cases=chosen)[1] for chosen in (True, False)
    )
    body = b"".join(page.body for page in with_edge_cases.pages(f"{APPS}?limit=200"))
    assert all(fragment in body for fragment in EDGE_CASES.values())
    body = b"".join(page.body for page in plain.pages(f"{APPS}?limit=200"))
    assert not any(fragment in body for fragment in EDGE_CASES.values())


def test_users_of_apps_are_users_of_the_org_with_their_login(serve: Serve) -> None:
    org, client = serve(users=50, apps=1, app_users=30)
    for entry in client.get(f"{APPS}/{app_ids(org)[0]}/users").json:
        user = client.get(f"/api/v1/users/{entry['id']}").json
        assert entry["credentials"]["userName"] == user["profile"]["login"]


def test_large_and_many_apps_hold_nothing_until_they_are_asked_for(serve: Serve) -> None:
    _, client = serve(apps=50, app_users=20_000)
    many, _ = serve(apps=5000, app_users=(0, 3))
    app = client.get(APPS).json[0]["id"]
    assert len(client.get(f"{APPS}/{app}/users?limit=500").ids) == 500
    assert len(app_ids(many)) == 5000


def test_the_log_names_list_and_parent(serve: Serve) -> None:
    org, client = serve(apps=1, app_users=3)
    app_id = app_ids(org)[0]
    client.get(f"{APPS}/{app_id}/users")
    client.get(APPS)
    below, top = org.log
    assert (below["collection"], below["page"]) == ("app_users", 1)
    assert [(record["parent"], record["id"], record["sha256"]) for record in below["records"]] == [
        (entry["parent"], entry["id"], entry["sha256"]) for entry in org.truth("app_users")
    ]
    assert top["collection"] == "apps"
    assert "parent" not in top["records"][0]


def test_apps_can_be_changed_over_http(serve: Serve) -> None:
    org, client = serve(apps=1, app_users=2, app_groups=0)

    def post(route: str) -> object:
        reply = client.get(f"/_practice/{route}", method="POST", token="none needed")
        assert reply.status == 200, reply.body
        return reply.json

    assert post("add_app?users=3&groups=1") == {"id": app_ids(org)[1]}
    first, added = app_ids(org)
    assert isinstance(post(f"change_children?list=app_users&parent={first}&add=2&update=1&remove=1"), dict)
    assert len(digests(org, "app_users", first)) == 3
    post(f"forbid?id={first}")
    assert client.get(f"{APPS}/{first}/users").status == 403
    post(f"allow?id={first}")
    post(f"rename?id={first}")
    assert "renamed" in client.get(f"{APPS}/{first}").json["label"]
    post(f"delete?id={added}")
    lines = client.get("/_practice/truth?list=app_users").body.splitlines()
    assert [json.loads(line) for line in lines] == list(org.truth("app_users"))


@pytest.mark.parametrize(
    ("call", "status"),
    [
        ("POST delete?id=0oa1", 404),
        ("POST delete", 400),
        ("POST change_children?list=users&parent=0oa1", 404),
        ("POST add_app?users=x", 400),
        ("GET truth?list=nobody", 404),
        ("GET windows?bucket=/api/v1/zones", 404),
    ],
)
def test_wrong_control_requests_are_refused_with_a_reason(serve: Serve, call: str, status: int) -> None:
    _, client = serve()
    method, route = call.split()
    reply = client.get(f"/_practice/{route}", method=method)
    assert reply.status == status
    assert reply.json["error"]
