"""Groups and their members: two dates that move for two reasons, and members with the bytes they have as users."""

import json
from urllib.parse import quote

import pytest
from support.practice_client import Clock, Serve, records_of

from circulate_practice import PracticeOrg
from circulate_practice.data.timestamps import timestamp

GROUPS = "/api/v1/groups"
BY_MEMBERS = "lastMembershipUpdated"
EVERYONE = "/api/v1/users?filter=" + quote('lastUpdated ge "1970-01-01T00:00:00.000Z"')


def group_ids(org: PracticeOrg) -> list[str]:
    """Return the ids of all groups."""
    return [entry["id"] for entry in org.truth("groups")]


def member_ids(org: PracticeOrg, group_id: str) -> list[str]:
    """Return the ids of the members of one group, as the truth says."""
    return [entry["id"] for entry in org.truth("group_members") if entry["parent"] == group_id]


def test_every_group_is_listed_once(serve: Serve) -> None:
    org, client = serve(groups=450)
    pages = list(client.pages(GROUPS))
    assert [len(page.ids) for page in pages] == [200, 200, 50]
    assert [group_id for page in pages for group_id in page.ids] == group_ids(org)
    assert client.get(f"{GROUPS}?limit=10000").ids == group_ids(org)
    assert client.get(f"{GROUPS}?limit=10001").status == 400
    assert {group["type"] for page in pages for group in page.json} == {"BUILT_IN", "OKTA_GROUP", "APP_GROUP"}


def test_other_members_and_another_name_move_different_dates(serve: Serve, clock: Clock) -> None:
    org, client = serve(groups=5)
    before = client.get(GROUPS).json
    moved, renamed = before[1]["id"], before[3]["id"]
    clock.now += 9
    org.change_children("group_members", moved, add=1)
    org.rename(renamed)
    now = timestamp(int(clock.now * 1000)).decode()
    after = client.get(GROUPS).json
    assert after[1] == before[1] | {BY_MEMBERS: now}
    assert after[3] == before[3] | {"lastUpdated": now, "profile": after[3]["profile"]}
    assert after[3]["profile"]["name"] != before[3]["profile"]["name"]
    assert [after[at] for at in (0, 2, 4)] == [before[at] for at in (0, 2, 4)]
    for expression, expected in (
        (f'lastUpdated ge "{now}"', [renamed]),
        (f'{BY_MEMBERS} ge "{now}"', [moved]),
        (f'lastUpdated ge "{now}" or {BY_MEMBERS} ge "{now}"', [moved, renamed]),
        (f'lastUpdated lt "{now}" and {BY_MEMBERS} lt "{now}"', [before[at]["id"] for at in (0, 2, 4)]),
    ):
        assert client.get(f"{GROUPS}?filter={quote(expression)}").ids == expected


def test_a_change_that_changes_nothing_moves_no_date(serve: Serve, clock: Clock) -> None:
    org, client = serve(groups=1, group_members=3)
    before = client.get(GROUPS).body
    clock.now += 9
    org.change_children("group_members", group_ids(org)[0])
    assert client.get(GROUPS).body == before


@pytest.mark.parametrize("attribute", ["lastUpdated", BY_MEMBERS])
@pytest.mark.parametrize("comparison", ["gt", "ge", "lt", "le", "eq"])
def test_both_dates_can_be_compared_in_every_way(serve: Serve, attribute: str, comparison: str) -> None:
    _, client = serve(groups=40)
    groups = client.get(GROUPS).json
    bound = groups[17][attribute]
    holds = {"gt": str.__gt__, "ge": str.__ge__, "lt": str.__lt__, "le": str.__le__, "eq": str.__eq__}[comparison]
    expected = [group["id"] for group in groups if holds(group[attribute], bound)]
    assert client.get(f"{GROUPS}?filter=" + quote(f'{attribute} {comparison} "{bound}"')).ids == expected


def test_groups_are_filtered_by_type_and_id(serve: Serve) -> None:
    _, client = serve(groups=40)
    groups = client.get(GROUPS).json
    for attribute in ("type", "id"):
        expected = [group["id"] for group in groups if group[attribute] == groups[9][attribute]]
        assert client.get(f"{GROUPS}?filter=" + quote(f'{attribute} eq "{groups[9][attribute]}"')).ids == expected


@pytest.mark.parametrize("expression", ['created gt "2020-01-01T00:00:00.000Z"', 'type gt "BUILT_IN"', 'name eq "a"'])
def test_filters_groups_do_not_offer_are_refused(serve: Serve, expression: str) -> None:
    _, client = serve()
    reply = client.get(f"{GROUPS}?filter={quote(expression)}")
    assert (reply.status, reply.error_code) == (400, "E0000031")


def test_a_single_group_has_the_bytes_it_has_in_the_list(serve: Serve) -> None:
    org, client = serve(groups=9)
    listed = client.get(GROUPS).body
    assert all(client.get(f"{GROUPS}/{group_id}").body in listed for group_id in group_ids(org))
    missing = client.get(f"{GROUPS}/00g1")
    assert (missing.status, missing.error_code) == (404, "E0000007")


def test_members_have_the_bytes_they_have_in_the_list_of_users(serve: Serve) -> None:
    org, client = serve(users=120, groups=6, group_members=(0, 90))
    for _ in range(3):
        users = {
            json.loads(record)["id"]: record for page in client.pages(EVERYONE) for record in records_of(page.body)
        }
        for group_id in group_ids(org):
            members = records_of(client.get(f"{GROUPS}/{group_id}/users").body)
            assert [json.loads(member)["id"] for member in members] == member_ids(org, group_id)
            assert all(member == users[json.loads(member)["id"]] for member in members)
        org.change(30)


def test_members_come_in_pages_of_1000_at_most(serve: Serve) -> None:
    org, client = serve(users=1500, groups=2, group_members=1200)
    target = f"{GROUPS}/{group_ids(org)[1]}/users"
    assert [len(page.ids) for page in client.pages(target)] == [1000, 200]
    assert client.get(f"{target}?limit=1001").status == 400


def test_a_group_holds_nobody_twice_and_no_more_than_there_are_users(serve: Serve) -> None:
    org, client = serve(users=30, groups=1, group_members=500)
    group_id = group_ids(org)[0]
    assert len(set(member_ids(org, group_id))) == 30
    assert org.change_children("group_members", group_id, add=4).added == []
    org.change(20)
    assert len(org.change_children("group_members", group_id, add=4).added) == 1, "one user is new"
    assert len(set(client.get(f"{GROUPS}/{group_id}/users").ids)) == 31


def test_members_come_and_go(serve: Serve) -> None:
    org, client = serve(users=100, groups=2, group_members=20)
    first, second = group_ids(org)
    others = member_ids(org, second)
    before = client.get(f"{GROUPS}/{first}/users").ids
    changed = org.change_children("group_members", first, add=5, remove=3)
    after = client.get(f"{GROUPS}/{first}/users").ids
    assert set(after) == (set(before) - set(changed.removed)) | set(changed.added)
    assert (len(changed.added), len(changed.removed), len(after)) == (5, 3, 22)
    assert member_ids(org, second) == others
    with pytest.raises(ValueError, match="users"):
        org.change_children("group_members", first, update=1)


def test_groups_can_be_added_deleted_and_forbidden(serve: Serve) -> None:
    org, client = serve(groups=2, group_members=3)
    added = org.add_group(members=4)
    assert client.get(GROUPS).ids[-1] == added
    assert len(client.get(f"{GROUPS}/{added}/users").ids) == 4
    org.forbid(added)
    assert client.get(f"{GROUPS}/{added}/users").error_code == "E0000006"
    org.delete(added)
    missing = client.get(f"{GROUPS}/{added}/users")
    assert (missing.status, missing.error_code) == (404, "E0000007")
    assert missing.json["errorSummary"] == f"Not found: Resource not found: {added} (UserGroup)"
    assert added not in group_ids(org)


def test_groups_assigned_to_apps_are_groups_of_the_org(serve: Serve) -> None:
    org, _ = serve(apps=5, app_groups=6, groups=12)
    assert {entry["id"] for entry in org.truth("app_groups")} <= set(group_ids(org))
