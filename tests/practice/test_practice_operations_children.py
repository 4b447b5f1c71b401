"""Operations on what users and apps have: assignments, roles, factors, grants, refresh tokens."""

from typing import Any
from urllib.parse import quote

import pytest
from support.judged_client import Judged, Operate
from support.practice_client import LIST, Clock

from circulate_practice.data.timestamps import timestamp


def app_of(call: Judged) -> str:
    """Return the address of the first app."""
    return f"/api/v1/apps/{call.client.get('/api/v1/apps').ids[0]}"


def user_of(call: Judged, status: str = "ACTIVE") -> str:
    """Return the address of a user with some status."""
    found = call.client.get(f"{LIST}?filter=" + quote(f'status eq "{status}"')).ids
    return f"{LIST}/{found[0]}"


def test_a_user_is_assigned_to_an_app_once(operate: Operate, clock: Clock) -> None:
    org, call = operate(users=20, apps=2, app_users=0)
    app, user = app_of(call), user_of(call)
    user_id, profile = user.rpartition("/")[2], call.json("GET", user)["profile"]
    body: dict[str, Any] = {
        "id": user_id,
        "credentials": {"userName": "ann", "password": {"value": "a secret"}},
        "profile": {"role": "Auditor"},
    }
    clock.now += 60
    assigned = call.json("POST", f"{app}/users", body)
    now = timestamp(int(clock.now * 1000)).decode()
    assert assigned.items() >= {"id": user_id, "scope": "USER", "status": "ACTIVE", "created": now}.items()
    assert assigned["profile"] == {name: profile[name] for name in ("firstName", "lastName", "email")} | body["profile"]
    assert assigned["credentials"] == {"userName": "ann", "password": {}}
    target = f"{app}/users/{user_id}"
    assert call.json("GET", target) == assigned == call.client.get(f"{app}/users").json[0]
    assert call.json("POST", f"{app}/users", {"id": user_id}) == assigned
    clock.now += 60
    changed = call.json("POST", f"{app}/users", {"id": user_id, "profile": {"role": "Admin"}})
    moved = timestamp(int(clock.now * 1000)).decode()
    assert (changed["profile"], changed["lastUpdated"]) == ({"role": "Admin"}, moved)
    updated = call.json("POST", target, {"credentials": {"userName": "anna"}})
    assert (updated["credentials"], updated["profile"]) == ({"userName": "anna"}, {"role": "Admin"})
    assert call.json("POST", target, {"profile": {"role": "Admin"}}) == updated
    call.json("DELETE", target, status=204)
    assert call.refused("GET", target) == call.refused("DELETE", target) == (404, "E0000007")
    assert call.client.get(f"{app}/users").json == []
    operations = ["app_users.assign", "app_users.assign", "app_users.update", "app_users.remove"]
    assert [effect["operation"] for effect in org.effects] == operations


def test_who_has_an_app_by_a_group_is_not_removed_but_can_be_assigned(operate: Operate) -> None:
    _, call = operate(users=30, apps=1, app_users=30)
    app = app_of(call)
    scopes = {user["id"]: user["scope"] for user in call.client.get(f"{app}/users").json}
    by_group = next(user for user, scope in scopes.items() if scope == "GROUP" and user in call.client.get(LIST).ids)
    assert call.refused("DELETE", f"{app}/users/{by_group}") == (403, "E0000046")
    assert call.json("POST", f"{app}/users", {"id": by_group})["scope"] == "USER"
    call.json("DELETE", f"{app}/users/{by_group}", status=204)
    assert by_group not in call.client.get(f"{app}/users").ids


def test_an_assignment_that_okta_does_not_take_is_refused(operate: Operate) -> None:
    org, call = operate(users=60, apps=1, app_users=0)
    users = f"{app_of(call)}/users"
    gone = user_of(call, "DEPROVISIONED").rpartition("/")[2]
    assert call.refused("POST", users, {"id": gone}) == (403, "E0000117")
    assert call.refused("POST", users, {"id": "00u1"}) == (404, "E0000007")
    assert call.refused("POST", users, {}) == (400, "E0000001")
    assert org.effects == []


def test_a_group_is_assigned_to_an_app_once(operate: Operate, clock: Clock) -> None:
    org, call = operate(groups=5, apps=1, app_groups=0)
    group = call.client.get("/api/v1/groups").ids[2]
    target = f"{app_of(call)}/groups/{group}"
    assert call.refused("GET", target) == (404, "E0000007")
    first = call.json("PUT", target)
    assert (first["id"], first["priority"], first["profile"]) == (group, 0, {})
    assert call.json("PUT", target, {}) == first
    clock.now += 60
    second = call.json("PUT", target, {"priority": 3, "profile": {"role": "Admin"}})
    assert (second["priority"], second["profile"]) == (3, {"role": "Admin"})
    assert call.json("GET", target) == second
    assert call.refused("PUT", target, {"priority": "first"}) == (400, "E0000001")
    call.json("DELETE", target, status=204)
    assert call.refused("DELETE", target) == (404, "E0000007")
    operations = ["app_groups.assign", "app_groups.assign", "app_groups.remove"]
    assert [effect["operation"] for effect in org.effects] == operations


ROLES = [
    {"type": "HELP_DESK_ADMIN"},
    {"type": "CUSTOM", "role": "cr0Yq6IJxGIr0ouum0g3", "resource-set": "iam9"},
]


@pytest.mark.parametrize("body", ROLES)
def test_a_role_is_assigned_once_and_taken_away(operate: Operate, body: dict[str, str]) -> None:
    org, call = operate(users=20, role_assignees=0)
    user = user_of(call)
    user_id = user.rpartition("/")[2]
    role = call.json("POST", f"{user}/roles", body, status=201)
    assert role.items() >= body.items()
    assert call.client.get("/api/v1/iam/assignees/users").ids == [user_id]
    assert call.refused("POST", f"{user}/roles", body) == (409, "E0000090")
    target = f"{user}/roles/{role['id']}"
    assert call.json("GET", target) == role == call.client.get(f"{user}/roles").json[0]
    call.json("DELETE", target, status=204)
    assert call.refused("DELETE", target) == (404, "E0000007")
    assert call.client.get("/api/v1/iam/assignees/users").ids == []
    again = call.json("POST", f"{user}/roles", body, status=201)
    assert again["id"] != role["id"]
    effects = [(effect["operation"], effect["id"], effect["child"]) for effect in org.effects]
    assert effects == [
        ("user_roles.assign", user_id, role["id"]),
        ("user_roles.unassign", user_id, role["id"]),
        ("user_roles.assign", user_id, again["id"]),
    ]


@pytest.mark.parametrize("body", [{}, {"type": "EMPEROR"}, {"type": "CUSTOM", "role": "cr0"}])
def test_an_invalid_role_is_refused(operate: Operate, body: dict[str, str]) -> None:
    org, call = operate(users=20)
    assert call.refused("POST", f"{user_of(call)}/roles", body) == (400, "E0000001")
    assert org.effects == []


def test_one_factor_is_reset(operate: Operate) -> None:
    org, call = operate(users=40, user_factors=6)
    user = user_of(call)
    factors = call.client.get(f"{user}/factors").json
    chosen = next(factor for factor in factors if factor["factorType"] != "push")
    target = f"{user}/factors/{chosen['id']}"
    assert call.json("GET", target) == chosen
    call.json("DELETE", target, status=204)
    assert call.refused("DELETE", target) == (404, "E0000007")
    assert call.client.get(f"{user}/factors").json == [factor for factor in factors if factor != chosen]
    assert [(effect["child"], effect["detail"]) for effect in org.effects] == [(chosen["id"], {"also": []})]


def test_without_push_there_is_no_code_of_okta_verify_either(operate: Operate) -> None:
    org, call = operate(users=100, user_factors=6)
    for user in call.client.get(LIST).ids:
        factors = call.client.get(f"{LIST}/{user}/factors").json
        kinds = [factor["factorType"] for factor in factors]
        if {"push", "token:software:totp"} <= set(kinds):
            break
    push = factors[kinds.index("push")]
    call.json("DELETE", f"{LIST}/{user}/factors/{push['id']}", status=204)
    left = [factor for factor in factors if factor["factorType"] not in {"push", "token:software:totp"}]
    assert call.client.get(f"{LIST}/{user}/factors").json == left
    [effect] = org.effects
    also = [factor["id"] for factor in factors if factor not in left and factor != push]
    assert (effect["child"], effect["detail"]) == (push["id"], {"also": also})


def test_a_deactivated_user_keeps_its_factors(operate: Operate) -> None:
    _, call = operate(users=60, user_factors=2)
    user = user_of(call, "DEPROVISIONED")
    factor = call.client.get(f"{user}/factors").ids[0]
    assert call.refused("DELETE", f"{user}/factors/{factor}") == (403, "E0000038")


def test_resetting_all_factors_leaves_none(operate: Operate) -> None:
    org, call = operate(users=20, user_factors=3)
    user = user_of(call)
    for _ in range(2):
        call.json("POST", f"{user}/lifecycle/reset_factors")
    assert call.client.get(f"{user}/factors").json == []
    assert [effect["detail"] for effect in org.effects] == [{"factors": 3}]
    other = next(entry["parent"] for entry in org.truth("user_factors"))
    assert not user.endswith(other)


def records(call: Judged, target: str) -> list[dict[str, Any]]:
    """Return the records of a list that comes whole."""
    found: list[dict[str, Any]] = call.json("GET", target)
    return found


def test_grants_are_revoked_one_by_one_or_all(operate: Operate) -> None:
    org, call = operate(users=20, user_grants=5)
    user = user_of(call)
    grants = records(call, f"{user}/grants")
    assert {grant["userId"] for grant in grants} == {user.rpartition("/")[2]}
    scope = grants[0]["scopeId"]
    assert records(call, f"{user}/grants?scopeId={scope}") == [grant for grant in grants if grant["scopeId"] == scope]
    one = f"{user}/grants/{grants[2]['id']}"
    assert call.json("GET", one) == grants[2]
    call.json("DELETE", one, status=204)
    assert call.refused("GET", one) == (404, "E0000007")
    assert records(call, f"{user}/grants") == [grant for grant in grants if grant != grants[2]]
    for _ in range(2):
        call.json("DELETE", f"{user}/grants", status=204)
    assert records(call, f"{user}/grants") == []
    ids = [grant["id"] for grant in grants]
    assert [(effect["child"], effect["detail"]) for effect in org.effects] == [
        (ids[2], {}),
        (None, {"revoked": [grant for grant in ids if grant != ids[2]]}),
    ]


def test_tokens_are_revoked_for_one_client(operate: Operate) -> None:
    org, call = operate(users=40, apps=3, user_tokens=8)
    user = user_of(call)
    apps = call.client.get("/api/v1/apps").ids
    held = {app: records(call, f"{user}/clients/{app}/tokens") for app in apps}
    assert sum(map(len, held.values())) == 8
    client, other = sorted(apps, key=lambda app: -len(held[app]))[:2]
    tokens = f"{user}/clients/{client}/tokens"
    one = f"{tokens}/{held[client][0]['id']}"
    assert call.json("GET", one) == held[client][0]
    assert call.refused("GET", one.replace(client, other)) == (404, "E0000007")
    call.json("DELETE", one, status=204)
    assert records(call, tokens) == held[client][1:]
    call.json("DELETE", tokens, status=204)
    assert (records(call, tokens), records(call, tokens.replace(client, other))) == ([], held[other])
    assert [effect["operation"] for effect in org.effects] == ["user_tokens.revoke", "user_tokens.revoke_all"]
