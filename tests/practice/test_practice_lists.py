"""The smaller lists: devices, policies, factors and roles of users, API tokens, zones, authorization servers."""

import hashlib
import json
from urllib.parse import quote

import pytest
from support.practice_client import Client, Clock, Serve, records_of

from circulate_practice import PracticeOrg
from circulate_practice.data.edge_cases import EDGE_CASES
from circulate_practice.data.timestamps import timestamp
from circulate_practice.okta.policies import TYPES

DEVICES, POLICIES, ASSIGNEES = "/api/v1/devices", "/api/v1/policies", "/api/v1/iam/assignees/users"
PLAIN = {
    "devices": DEVICES,
    "api_tokens": "/api/v1/api-tokens",
    "zones": "/api/v1/zones",
    "authorization_servers": "/api/v1/authorizationServers",
}
OF_USERS = {"user_factors": "factors", "user_roles": "roles"}


def digests(org: PracticeOrg, collection: str, parent: str | None = None) -> list[tuple[str, str]]:
    """Return id and digest of every record of a list, or of those of one parent."""
    return [
        (entry["id"], entry["sha256"]) for entry in org.truth(collection) if parent is None or entry["parent"] == parent
    ]


def received(body: bytes) -> list[tuple[str, str]]:
    """Return id and digest of every record in a body."""
    return [(json.loads(record)["id"], hashlib.sha256(record).hexdigest()) for record in records_of(body)]


def served(client: Client, target: str) -> list[tuple[str, str]]:
    """Return id and digest of every record of a list."""
    return [record for page in client.pages(target) for record in received(page.body)]


def users(org: PracticeOrg) -> list[str]:
    """Return the ids of all users."""
    return [entry["id"] for entry in org.truth()]


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("count", [0, 5, 30])
def test_every_record_is_listed_once(serve: Serve, name: str, count: int) -> None:
    org, client = serve(**{name: count})
    assert served(client, PLAIN[name]) == digests(org, name)
    assert len({entry["id"] for entry in org.truth(name)}) == count
    assert [record["id"] for entry in org.log for record in entry["records"]] == [e["id"] for e in org.truth(name)]
    assert {entry["collection"] for entry in org.log} == {name}


@pytest.mark.parametrize("name", PLAIN)
def test_records_are_added_renamed_and_deleted(serve: Serve, clock: Clock, name: str) -> None:
    org, client = serve(**{name: 6})
    before = client.get(PLAIN[name]).json
    clock.now += 9
    added, renamed, deleted = org.add(name), before[2]["id"], before[4]["id"]
    org.rename(renamed)
    org.delete(deleted)
    after = client.get(PLAIN[name]).json
    assert [record["id"] for record in after] == [*(r["id"] for r in before if r["id"] != deleted), added]
    assert [record["id"] for record in after if record not in before] == [renamed, added]
    assert {r["lastUpdated"] for r in after if r not in before} == {timestamp(int(clock.now * 1000)).decode()}


@pytest.mark.parametrize("name", [*PLAIN, "policies", *OF_USERS])
def test_every_edge_case_is_there_unless_turned_off(serve: Serve, name: str) -> None:
    amounts = {"users": 60, "policies": 6, "role_assignees": 60, "user_factors": 2, "user_roles": 2}
    bodies = []
    for edge_cases in (True, False):
        org, client = serve(**(amounts | dict.fromkeys(PLAIN, 60)), edge_cases=edge_cases)
        targets = {"policies": [f"{POLICIES}?type={kind}" for kind in TYPES]}
        targets |= {below: [f"/api/v1/users/{user}/{path}" for user in users(org)] for below, path in OF_USERS.items()}
        pages = [page.body for target in targets.get(name, [PLAIN.get(name, "")]) for page in client.pages(target)]
        bodies.append(b"".join(pages))
    assert [kind for kind, text in EDGE_CASES.items() if text not in bodies[0]] == []
    assert b"ledgerNo" not in bodies[1]


@pytest.mark.parametrize("name", ["devices", "authorization_servers"])
def test_pages_hold_200_at_most(serve: Serve, name: str) -> None:
    _, client = serve(**{name: 450})
    assert [len(page.ids) for page in client.pages(PLAIN[name])] == [200, 200, 50]
    assert client.get(f"{PLAIN[name]}?limit=201").error_code == "E0000001"


def test_zones_come_in_pages(serve: Serve) -> None:
    org, client = serve(zones=7)
    assert [len(page.ids) for page in client.pages(f"{PLAIN['zones']}?limit=3")] == [3, 3, 1]
    assert len(list(org.truth("zones"))) == 7


@pytest.mark.parametrize("comparison", ["gt", "ge", "lt", "le"])
def test_devices_are_searched_by_last_updated(serve: Serve, comparison: str) -> None:
    _, client = serve(devices=60)
    listed = client.get(DEVICES).json
    low, high = sorted(device["lastUpdated"] for device in listed)[10:50:39]
    holds = {"gt": str.__gt__, "ge": str.__ge__, "lt": str.__lt__, "le": str.__le__}[comparison]
    bound = low if comparison in {"gt", "ge"} else high
    expected = [device["id"] for device in listed if holds(device["lastUpdated"], bound)]
    target = f"{DEVICES}?limit=7&search=" + quote(f'lastUpdated {comparison} "{bound}"')
    assert [device for page in client.pages(target) for device in page.ids] == expected
    between = [device["id"] for device in listed if low <= device["lastUpdated"] < high]
    both = quote(f'lastUpdated ge "{low}" and lastUpdated lt "{high}"')
    assert client.get(f"{DEVICES}?search={both}").ids == between


def test_a_search_that_is_none_and_an_expansion_are_refused(serve: Serve) -> None:
    _, client = serve()
    assert client.get(f"{DEVICES}?search=lastUpdated").error_code == "E0000031"
    assert client.get(f"{DEVICES}?expand=user").error_code == "E0000001"


def test_a_cursor_holds_for_its_search_alone(serve: Serve) -> None:
    _, client = serve(devices=9)
    following = client.get(
        f"{DEVICES}?limit=2&search=" + quote('lastUpdated gt "1970-01-01T00:00:00.000Z"')
    ).next_target
    assert following is not None
    assert client.get(following.replace("1970", "1971")).error_code == "E0000001"


def test_policies_have_one_list_for_each_type(serve: Serve) -> None:
    org, client = serve(policies=5)
    listed = {kind: served(client, f"{POLICIES}?limit=2&type={kind}") for kind in TYPES}
    assert sorted(record for records in listed.values() for record in records) == sorted(digests(org, "policies"))
    assert {len(records) for records in listed.values()} == {5}
    assert {policy["type"] for policy in client.get(f"{POLICIES}?type=PASSWORD").json} == {"PASSWORD"}


def test_policies_without_a_type_are_refused(serve: Serve) -> None:
    _, client = serve()
    for query in ("", "?type=", "?limit=2"):
        reply = client.get(POLICIES + query)
        assert (reply.status, reply.error_code) == (400, "E0000001")
    reply = client.get(f"{POLICIES}?type=password")
    assert (reply.status, reply.error_code) == (400, "E0000002")


def test_a_cursor_of_policies_holds_for_its_type_alone(serve: Serve) -> None:
    _, client = serve(policies=3)
    following = client.get(f"{POLICIES}?type=PASSWORD&limit=1").next_target
    assert following is not None
    assert client.get(following.replace("PASSWORD", "MFA_ENROLL")).error_code == "E0000001"


@pytest.mark.parametrize("name", OF_USERS)
def test_a_list_of_a_user_comes_whole_whatever_limit_is_asked_for(serve: Serve, name: str) -> None:
    org, client = serve(users=20, user_factors=(0, 9), role_assignees=9, user_roles=(1, 40))
    listed = []
    for user in users(org):
        reply = client.get(f"/api/v1/users/{user}/{OF_USERS[name]}?limit=2&after=x")
        assert reply.lines("Link") == []
        assert received(reply.body) == digests(org, name, user)
        listed += reply.ids
    assert len(set(listed)) == len(listed) == len(digests(org, name)) > 9


@pytest.mark.parametrize("name", OF_USERS)
def test_a_list_of_a_user_changes_and_is_forbidden(serve: Serve, name: str) -> None:
    org, client = serve(users=5, user_factors=4, role_assignees=5, user_roles=4)
    first, other = users(org)[:2]
    target = f"/api/v1/users/{first}/{OF_USERS[name]}"
    before, others = client.get(target).ids, client.get(target.replace(first, other)).body
    changed = org.change_children(name, first, add=2, update=1, remove=1)
    after = client.get(target).ids
    assert set(after) == (set(before) - set(changed.removed)) | set(changed.added)
    assert client.get(target.replace(first, other)).body == others
    org.forbid(first)
    assert (client.get(target).status, client.get(target).error_code) == (403, "E0000006")
    org.allow(first)
    assert client.get(target).ids == after
    assert client.get(target.replace(first, "00u1")).error_code == "E0000007"


def test_roles_are_standard_ones_and_custom_ones(serve: Serve) -> None:
    org, client = serve(users=20, role_assignees=20, user_roles=4)
    roles = [role for user in users(org) for role in client.get(f"/api/v1/users/{user}/roles").json]
    assert {role["type"] for role in roles} >= {"CUSTOM", "SUPER_ADMIN"}
    assert all(("resource-set" in role) == (role["type"] == "CUSTOM") for role in roles)


def test_users_with_roles_are_paged_by_a_link_in_the_body(serve: Serve) -> None:
    org, client = serve(users=500, role_assignees=230)
    pages = list(client.pages(ASSIGNEES))
    assert [len(page.ids) for page in pages] == [100, 100, 30]
    assert [page.lines("Link") for page in pages] == [[], [], []]
    assert "next" not in pages[-1].json["_links"]
    listed = [user for page in pages for user in page.ids]
    assert listed == [entry["id"] for entry in org.truth("role_assignees")]
    assert sorted(listed) == sorted({entry["parent"] for entry in org.truth("user_roles")})
    assert [len(entry["records"]) for entry in org.log] == [100, 100, 30]
    assert client.get(f"{ASSIGNEES}?limit=101").error_code == "E0000001"


def test_the_digests_of_users_with_roles_are_those_of_the_bytes_received(serve: Serve) -> None:
    org, client = serve(users=50, role_assignees=5)
    assert served(client, ASSIGNEES) == digests(org, "role_assignees")
    assert [(record["id"], record["sha256"]) for record in org.log[0]["records"]] == digests(org, "role_assignees")


def test_users_get_and_lose_roles(serve: Serve) -> None:
    org, client = serve(users=20, role_assignees=2, user_roles=1)
    first, second = (entry["id"] for entry in org.truth("role_assignees"))
    newcomer = next(user for user in users(org) if user not in {first, second})
    org.change_children("user_roles", first, remove=1)
    org.change_children("user_roles", newcomer, add=1)
    listed = [user for page in client.pages(f"{ASSIGNEES}?limit=1") for user in page.ids]
    assert sorted(listed) == sorted([second, newcomer])


@pytest.mark.parametrize(
    ("fault", "start"), [("next-other-host", "http://127.0.0.2:"), ("next-relative", "/api/"), ("next-repeat", "http:")]
)
def test_faults_of_links_reach_the_link_in_the_body(serve: Serve, fault: str, start: str) -> None:
    _, client = serve(users=20, role_assignees=5, faults=[f"role_assignees/{fault}"])
    href = client.get(f"{ASSIGNEES}?limit=2").json["_links"]["next"]["href"]
    assert href.startswith(start)
    assert ("after=" in href) == (fault != "next-repeat")


def test_an_additional_empty_page_has_the_form_of_its_list(serve: Serve) -> None:
    org, client = serve(users=20, role_assignees=3, faults=["role_assignees/empty-page@1"])
    pages = list(client.pages(ASSIGNEES))
    assert [len(page.ids) for page in pages] == [0, 3]
    assert len(list(org.truth("role_assignees"))) == 3


@pytest.mark.parametrize("name", [*PLAIN, "policies", *OF_USERS, "role_assignees"])
def test_every_list_has_faults_of_its_own(serve: Serve, name: str) -> None:
    org, client = serve(users=20, faults=[f"{name}/503@1", f"{name}/pretty"])
    user = users(org)[0]
    targets = PLAIN | {"policies": f"{POLICIES}?type=PASSWORD", "role_assignees": ASSIGNEES}
    targets |= {below: f"/api/v1/users/{user}/{path}" for below, path in OF_USERS.items()}
    for other, target in targets.items():
        assert client.get(target).status == (503 if other == name else 200)
    assert client.get(targets[name]).status == 200
    assert [entry["fault"] for entry in org.log if entry["fault"]] == ["503", "pretty"]


def test_what_is_unavailable_is_refused_and_holds_nothing(serve: Serve) -> None:
    org, client = serve(unavailable=["devices", "zones:404", "policies/ENTITY_RISK", "policies/PASSWORD:401"])
    refused = {
        DEVICES: (401, "E0000015"),
        "/api/v1/zones": (404, "E0000008"),
        f"{POLICIES}?type=ENTITY_RISK": (400, "E0000002"),
        f"{POLICIES}?type=PASSWORD": (401, "E0000015"),
    }
    for target, expected in refused.items():
        reply = client.get(target)
        assert (reply.status, reply.error_code) == expected
    assert client.get(DEVICES).json["errorSummary"] == (
        "You do not have permission to access the feature you are requesting"
    )
    assert (list(org.truth("devices")), list(org.truth("zones"))) == ([], [])
    assert len(client.get(f"{POLICIES}?type=MFA_ENROLL").ids) == 2
    assert len(list(org.truth("policies"))) == 2 * (len(TYPES) - 2)
    assert client.get().status == 200


def test_what_is_unavailable_leaves_the_rest_as_it_was(serve: Serve) -> None:
    whole, reduced = (serve(unavailable=names)[0] for names in ([], ["devices", "policies/PASSWORD"]))
    assert digests(whole, "zones") == digests(reduced, "zones")
    assert set(digests(reduced, "policies")) < set(digests(whole, "policies"))


@pytest.mark.parametrize(
    "unavailable", ["idps", "devices/X", "policies/NONE", "devices:400", "devices:500", "devices:"]
)
def test_an_unknown_name_cannot_be_unavailable(unavailable: str) -> None:
    with pytest.raises(ValueError, match="unavailable"):
        PracticeOrg(unavailable=[unavailable])


def test_the_same_lists_are_steered_over_http(serve: Serve) -> None:
    org, client = serve(devices=2)
    added = client.get("/_practice/add?list=devices", method="POST").json["id"]
    assert [entry["id"] for entry in org.truth("devices")][-1] == added
    assert client.get("/_practice/add?list=users", method="POST").status == 404
    reported = [json.loads(line)["id"] for line in client.get("/_practice/truth?list=devices").body.splitlines()]
    assert reported[-1] == added


def test_earlier_names_of_parameters_are_deprecated() -> None:
    with pytest.warns(DeprecationWarning, match="use `unavailable=`") as warned:
        org = PracticeOrg(users=1, lacks=["devices"])
    assert warned[0].filename == __file__
    assert digests(org, "devices") == []
    with pytest.warns(DeprecationWarning, match="use `edge_cases=`"):
        old = PracticeOrg(users=60, nasty=False)
    assert digests(old, "users") == digests(PracticeOrg(users=60, edge_cases=False), "users")
