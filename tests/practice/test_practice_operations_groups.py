"""Operations on groups and their members, and finding groups by name."""

from typing import Any
from urllib.parse import quote

import pytest
from support.judged_client import Judged, Operate
from support.practice_client import LIST, Clock

from circulate_practice.data.timestamps import timestamp

GROUPS = "/api/v1/groups"
TIGERS = {"name": "Tigers", "description": "They roar"}


def of_type(call: Judged, kind: str) -> str:
    """Return the address of a group of some type."""
    return next(f"{GROUPS}/{group['id']}" for group in call.json("GET", GROUPS) if group["type"] == kind)


def search(expression: str) -> str:
    """Return the query that searches with an expression."""
    return f"search={quote(expression)}"


def found(call: Judged, query: str) -> list[str]:
    """Return the names of the groups that a query finds."""
    return [group["profile"]["name"] for page in call.client.pages(f"{GROUPS}?{query}") for group in page.json]


def test_a_group_is_created_read_replaced_and_deleted(operate: Operate, clock: Clock) -> None:
    org, call = operate(users=10, groups=5, apps=2, app_groups=0)
    group = call.json("POST", GROUPS, {"profile": TIGERS})
    target = f"{GROUPS}/{group['id']}"
    assert (group["type"], group["profile"]) == ("OKTA_GROUP", TIGERS)
    assert call.json("GET", target) == group == call.json("GET", GROUPS)[-1]
    assert call.json("GET", f"{target}/users") == []
    clock.now += 60
    lions = call.json("PUT", target, {"profile": {"name": "Lions", "height": 1.0}})
    moved = timestamp(int(clock.now * 1000)).decode()
    assert lions == group | {"profile": {"name": "Lions", "height": 1.0}, "lastUpdated": moved}
    assert call.json("PUT", target, {"profile": {"name": "Lions", "height": 1.0}}) == lions
    app = call.client.get("/api/v1/apps").ids[0]
    call.json("PUT", f"/api/v1/apps/{app}/groups/{group['id']}")
    call.json("DELETE", target, status=204)
    assert call.refused("GET", target) == (404, "E0000007")
    assert call.client.get(f"/api/v1/apps/{app}/groups").json == []
    operations = ["groups.create", "groups.replace", "app_groups.assign", "groups.delete"]
    assert [effect["operation"] for effect in org.effects] == operations


def test_a_name_can_be_given_to_one_group_of_okta(operate: Operate) -> None:
    org, call = operate(groups=40)
    names = {group["profile"]["name"]: group for group in call.json("GET", GROUPS)}
    for name, group in names.items():
        taken = group["type"] != "APP_GROUP"
        reply = call("POST", GROUPS, {"profile": {"name": name}})
        assert (reply.status == 400) == taken
        if taken:
            cause = "name: An object with this field already exists in the current organization"
            assert reply.json["errorCauses"] == [{"errorSummary": cause}]
    assert call.refused("POST", GROUPS, {"profile": {"name": "Everyone"}}) == (400, "E0000001")
    first = call.json("POST", GROUPS, {"profile": TIGERS})["id"]
    assert call.refused("POST", GROUPS, {"profile": TIGERS}) == (400, "E0000001")
    call.json("PUT", f"{GROUPS}/{first}", {"profile": {"name": "Lions"}})
    second = call.json("POST", GROUPS, {"profile": TIGERS})["id"]
    assert call.refused("PUT", f"{GROUPS}/{second}", {"profile": {"name": "Lions"}}) == (400, "E0000001")
    org.rename(second)
    renamed = call.json("GET", f"{GROUPS}/{second}")["profile"]["name"]
    assert renamed.startswith("Tigers (renamed")
    assert call.refused("POST", GROUPS, {"profile": {"name": renamed}}) == (400, "E0000001")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "E0000001"),
        ({"profile": {}}, "E0000001"),
        ({"profile": {"name": ""}}, "E0000001"),
        ({"profile": {"name": 7}}, "E0000001"),
        ({"profile": {"name": "x" * 256}}, "E0000001"),
        ({"profile": {"name": "x", "description": "x" * 1025}}, "E0000001"),
        ({"profile": "Tigers"}, "E0000003"),
    ],
)
def test_an_invalid_group_is_refused(operate: Operate, body: Any, code: str) -> None:  # noqa: ANN401
    org, call = operate(groups=3)
    assert call.refused("POST", GROUPS, body) == (400, code)
    assert org.effects == []


@pytest.mark.parametrize("kind", ["APP_GROUP", "BUILT_IN"])
def test_groups_that_others_manage_cannot_be_changed(operate: Operate, kind: str) -> None:
    org, call = operate(users=10, groups=40)
    target, user = of_type(call, kind), call.client.get(LIST).ids[0]
    assert call.refused("PUT", target, {"profile": TIGERS}) == (403, "E0000006")
    for method in ("PUT", "DELETE"):
        assert call.refused(method, f"{target}/users/{user}") == (403, "E0000006")
    if kind == "BUILT_IN":
        assert call.refused("DELETE", target) == (403, "E0000006")
        assert org.effects == []
    else:
        call.json("DELETE", target, status=204)


def test_members_come_and_go_once(operate: Operate, clock: Clock) -> None:
    org, call = operate(users=20, groups=40, group_members=8)
    target = of_type(call, "OKTA_GROUP")
    before = call.json("GET", target)
    members = call.client.get(f"{target}/users").ids
    outside = [user for user in call.client.get(LIST).ids if user not in members]
    for user, method in ((outside[0], "PUT"), (members[3], "DELETE")):
        clock.now += 60
        for _ in range(2):
            call.json(method, f"{target}/users/{user}", status=204)
        moved = timestamp(int(clock.now * 1000)).decode()
        assert call.json("GET", target) == before | {"lastMembershipUpdated": moved}
    left = [member for member in members if member != members[3]]
    assert call.client.get(f"{target}/users").ids == [*left, outside[0]]
    call.json("PUT", f"{target}/users/{members[3]}", status=204)
    assert call.client.get(f"{target}/users").ids == [*left, outside[0], members[3]]
    assert [(effect["operation"], effect["child"]) for effect in org.effects] == [
        ("group_members.add", outside[0]),
        ("group_members.remove", members[3]),
        ("group_members.add", members[3]),
    ]
    group_id = before["id"]
    truth = [entry["id"] for entry in org.truth("group_members") if entry["parent"] == group_id]
    assert truth == [*left, outside[0], members[3]]


def test_members_that_were_chosen_and_those_that_a_test_adds_are_never_the_same(operate: Operate) -> None:
    org, call = operate(users=30, groups=40, group_members=4)
    target = of_type(call, "OKTA_GROUP")
    for user in call.client.get(LIST).ids[:20:2]:
        call.json("PUT", f"{target}/users/{user}", status=204)
    org.change_children("group_members", target.rpartition("/")[2], add=30)
    members = call.client.get(f"{target}/users").ids
    assert len(members) == len(set(members)) >= 20
    for user in members:
        call.json("DELETE", f"{target}/users/{user}", status=204)
    assert call.client.get(f"{target}/users").ids == []


def test_a_new_user_can_be_a_member(operate: Operate) -> None:
    org, call = operate(users=6, groups=40, group_members=2)
    target = of_type(call, "OKTA_GROUP")
    user = org.change(20)[-1]
    call.json("PUT", f"{target}/users/{user}", status=204)
    assert call.client.get(f"{target}/users").ids[-1] == user
    assert [group["id"] for group in call.json("GET", f"{LIST}/{user}/groups")] == [target.rpartition("/")[2]]


def test_groups_are_found_by_name(operate: Operate) -> None:
    _, call = operate(groups=60)
    names = [group["profile"]["name"] for group in call.json("GET", GROUPS)]
    for name in names:
        text = name.replace("\\", "\\\\").replace('"', '\\"')
        assert found(call, search(f'profile.name eq "{text}"')) == [name]
    wanted = [name for name in names if name.startswith("Engineering")]
    assert wanted
    assert found(call, search('profile.name sw "engin"') + "&limit=2") == wanted
    assert found(call, "q=engin") == wanted
    assert found(call, f"q={quote(names[1])}")[0] == names[1]
    assert found(call, search('profile.name co "coast"')) == [name for name in names if "Coast" in name]
    assert found(call, search('type eq "BUILT_IN" and profile.name eq "Everyone"')) == ["Everyone"]
    call.json("POST", GROUPS, {"profile": TIGERS})
    assert found(call, search('profile.name eq "Tigers"')) == ["Tigers"]


def test_a_query_by_name_comes_whole_up_to_its_limit(operate: Operate) -> None:
    _, call = operate(groups=900)
    reply = call.client.get(f"{GROUPS}?q=e&limit=5")
    assert (len(reply.json), reply.next_url) == (5, None)
    reply = call.client.get(f"{GROUPS}?q=e")
    assert (len(reply.json) > 90, reply.next_url) == (True, None)


@pytest.mark.parametrize(
    "query", [search('profile.name eq "x"').replace("search", "filter"), search('profile.name gt "x"'), "search=x"]
)
def test_an_expression_that_okta_does_not_take_is_refused(operate: Operate, query: str) -> None:
    _, call = operate(groups=3)
    reply = call.client.get(f"{GROUPS}?{query}")
    assert (reply.status, reply.error_code) == (400, "E0000031")


def test_only_one_way_of_looking_is_taken_at_once(operate: Operate) -> None:
    _, call = operate(groups=3)
    reply = call.client.get(f"{GROUPS}?q=a&" + search('profile.name eq "x"'))
    assert (reply.status, reply.error_code) == (400, "E0000033")
