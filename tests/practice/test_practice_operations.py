"""Operations on users: Okta's rules of statuses, its errors, and what lists show afterwards."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import pytest
from support.judged_client import Judged, Operate
from support.okta_description import can_judge, mistakes
from support.practice_client import LIST, Client, Clock
from support.practice_oauth import ask, by_secret

from circulate_practice import OPERATIONS, OAuthClient
from circulate_practice.data.timestamps import timestamp
from circulate_practice.okta.users import STATUSES

ANN = {"login": "ann@example.org", "email": "ann@example.org", "firstName": "Ann", "lastName": "O'Neill"}
JSON = {"Content-Type": "application/json"}
PASSWORD = {"password": {"value": "correct horse"}}
VERBS = (
    *("activate", "deactivate", "reactivate", "suspend", "unsuspend", "unlock", "expire_password"),
    *("expire_password_with_temp_password", "reset_password?sendEmail=false", "reset_factors"),
)


def everyone(call: Judged) -> list[dict[str, Any]]:
    """Return all users."""
    target = f"{LIST}?limit=200&filter=lastUpdated%20gt%20%221970-01-01T00:00:00.000Z%22"
    return [user for page in call.client.pages(target) for user in page.json]


def in_status(call: Judged, status: str, provider: str = "OKTA") -> str:
    """Return the id of a user with that status and provider."""
    return next(
        str(user["id"])
        for user in everyone(call)
        if user["status"] == status and user["credentials"]["provider"]["type"] == provider
    )


def status_of(call: Judged, user_id: str) -> str:
    """Return the status of a user."""
    return str(call.json("GET", f"{LIST}/{user_id}")["status"])


def create(call: Judged, query: str = "", **more: Any) -> dict[str, Any]:  # noqa: ANN401 - as a body has them
    """Create Ann and return her record."""
    user: dict[str, Any] = call.json("POST", LIST + query, {"profile": ANN} | more)
    return user


def test_a_user_is_found_by_id_login_and_short_login(operate: Operate) -> None:
    org, call = operate(users=30)
    user = call.json("GET", LIST)[7]
    login = user["profile"]["login"]
    names = (user["id"], login, login.upper(), login.replace("@", "%40"), login.partition("@")[0])
    assert [call.json("GET", f"{LIST}/{name}")["id"] for name in names] == [user["id"]] * 5
    for unknown in ("nobody@example.com", "nobody", "me", login.replace(".", "x", 1)):
        assert call.refused("GET", f"{LIST}/{unknown}") == (404, "E0000007")
    assert org.effects == []


def test_a_user_is_found_by_a_filter_of_its_exact_login(operate: Operate) -> None:
    _, call = operate(users=30)
    user = everyone(call)[12]

    def found(login: str) -> list[str]:
        return call.client.get(f"{LIST}?filter=" + quote(f'profile.login eq "{login}"')).ids

    login = user["profile"]["login"]
    assert (found(login), found(login.upper()), found("nobody@example.com")) == ([user["id"]], [], [])
    assert found("Ann@example.org") == []
    ann = create(call, profile=ANN | {"login": "Ann@example.org"})
    assert (found("Ann@example.org"), found("ann@example.org")) == ([ann["id"]], [])
    call.json("POST", f"{LIST}/{ann['id']}", {"profile": {"login": "anna@example.org"}})
    assert (found("Ann@example.org"), found("anna@example.org")) == ([], [ann["id"]])


def test_of_calls_at_the_same_time_one_has_the_effect(operate: Operate) -> None:
    org, call = operate(users=30, groups=40, group_members=0)
    group = next(group["id"] for group in call.json("GET", "/api/v1/groups") if group["type"] == "OKTA_GROUP")
    user_id = in_status(call, "ACTIVE")
    targets = [("PUT", f"/api/v1/groups/{group}/users/{user_id}"), ("POST", f"{LIST}/{user_id}/lifecycle/suspend")]

    def send(number: int) -> int:
        client = Client(org)
        try:
            return client.call(*targets[number % 2]).status
        finally:
            client.close()

    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(send, range(64)))
    assert statuses[::2] == [204] * 32
    assert sorted(statuses[1::2]) == [200] + [400] * 31
    assert sorted(effect["operation"] for effect in org.effects) == ["group_members.add", "users.suspend"]
    assert call.client.get(f"/api/v1/groups/{group}/users").ids == [user_id]


def test_a_short_login_that_two_users_have_finds_nobody(operate: Operate) -> None:
    _, call = operate(users=3)
    create(call)
    assert call.json("GET", f"{LIST}/ann")["profile"]["login"] == "ann@example.org"
    other = ANN | {"login": "ann@example.net"}
    call.json("POST", LIST, {"profile": other})
    assert call.refused("GET", f"{LIST}/ann") == (404, "E0000007")


@pytest.mark.parametrize(
    ("query", "credentials", "status"),
    [
        ("", {}, "PROVISIONED"),
        ("?activate=false", {}, "STAGED"),
        ("?activate=false", PASSWORD, "STAGED"),
        ("", PASSWORD, "ACTIVE"),
        ("?nextLogin=changePassword", PASSWORD, "PASSWORD_EXPIRED"),
        ("?provider=true", {"provider": {"type": "FEDERATION", "name": "FEDERATION"}}, "ACTIVE"),
    ],
)
def test_a_new_user_has_the_status_that_its_scenario_leads_to(
    operate: Operate, query: str, credentials: dict[str, Any], status: str
) -> None:
    org, call = operate(users=5)
    user = create(call, query, credentials=credentials)
    assert (user["status"], user["profile"]) == (status, ANN)
    assert call.json("GET", f"{LIST}/{user['id']}") == user
    assert user["id"] in call.client.get(LIST).ids
    assert b"correct horse" not in call.client.get(LIST).body
    assert [(effect["operation"], effect["id"]) for effect in org.effects] == [("users.create", user["id"])]
    assert (user["activated"] is None) == (status == "STAGED")
    assert len(list(org.truth())) == 6


def test_a_login_can_be_given_once_until_its_user_is_deleted(operate: Operate) -> None:
    org, call = operate(users=5)
    user = create(call)
    again = call("POST", LIST, {"profile": ANN | {"login": "ANN@example.org"}})
    assert (again.status, again.error_code) == (400, "E0000001")
    cause = "login: An object with this field already exists in the current organization"
    assert again.json["errorCauses"] == [{"errorSummary": cause}]
    generated = call.json("GET", LIST)[0]["profile"]["login"]
    assert call.refused("POST", LIST, {"profile": ANN | {"login": generated}}) == (400, "E0000001")
    for _ in range(2):
        call.json("DELETE", f"{LIST}/{user['id']}", status=204)
    assert create(call)["id"] != user["id"]
    assert [effect["operation"] for effect in org.effects] == ["users.create", *["users.delete"] * 2, "users.create"]


@pytest.mark.parametrize(
    ("query", "body", "code"),
    [
        ("", {}, "E0000001"),
        ("", {"profile": {}}, "E0000001"),
        ("", {"profile": ANN | {"login": "ann"}}, "E0000001"),
        ("", {"profile": ANN | {"email": "nowhere"}}, "E0000001"),
        ("", {"profile": ANN | {"firstName": "x" * 51}}, "E0000001"),
        ("", {"profile": ANN | {"city": 7}}, "E0000001"),
        ("", {"profile": ANN, "credentials": {"password": {"value": "short"}}}, "E0000001"),
        ("?provider=true", {"profile": ANN}, "E0000001"),
        ("", {"profile": ["Ann"]}, "E0000003"),
        ("", {"profile": ANN, "groupIds": "all"}, "E0000003"),
        ("?nextLogin=changePassword", {"profile": ANN}, "E0000124"),
        ("?nextLogin=changePassword&activate=false", {"profile": ANN, "credentials": PASSWORD}, "E0000125"),
        ("", {"profile": ANN, "groupIds": [f"00g{number}" for number in range(21)]}, "E0000093"),
        ("?activate=maybe", {"profile": ANN}, "E0000037"),
    ],
)
def test_an_invalid_user_is_refused_and_not_created(operate: Operate, query: str, body: Any, code: str) -> None:  # noqa: ANN401
    org, call = operate(users=5)
    assert call.refused("POST", LIST + query, body) == (400, code)
    assert (org.effects, len(list(org.truth()))) == ([], 5)


def test_all_mistakes_of_a_profile_are_said_at_once(operate: Operate) -> None:
    _, call = operate(users=1)
    reply = call("POST", LIST, {"profile": {"login": "ann", "email": "x", "city": 5}})
    said = [cause["errorSummary"].partition(":")[0] for cause in reply.json["errorCauses"]]
    assert sorted(said) == ["city", "email", "firstName", "lastName", "login"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"profile":NaN}', b'"x"', b"\xff{}", b"[" * 5000])
def test_a_body_that_is_no_json_object_is_refused(operate: Operate, body: bytes) -> None:
    org, call = operate(users=1)
    reply = call("POST", LIST, body)
    assert (reply.status, reply.error_code, org.effects) == (400, "E0000003", [])


def test_a_body_of_another_content_type_is_refused(operate: Operate) -> None:
    _, call = operate(users=1)
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        reply = call("POST", LIST, json.dumps({"profile": ANN}).encode(), headers={"Content-Type": kind})
        assert (reply.status, reply.error_code) == (400, "E0000021")
    accepted = {"Content-Type": "application/json; charset=utf-8"}
    assert call("POST", LIST, {"profile": ANN}, headers=accepted).status == 200


def test_a_post_without_a_length_is_refused(operate: Operate) -> None:
    org, call = operate(users=5)
    connection = call.client.connection
    connection.putrequest("POST", f"{LIST}/{in_status(call, 'ACTIVE')}/lifecycle/suspend")
    connection.putheader("Authorization", f"SSWS {org.token}")
    connection.endheaders()
    response = connection.getresponse()
    assert (response.status, response.read(), org.effects) == (411, b"", [])


def test_an_update_changes_what_it_names_and_keeps_every_other_byte(operate: Operate, clock: Clock) -> None:
    org, call = operate(users=40)
    for user in [user for user in everyone(call) if user["credentials"]["provider"]["type"] == "OKTA"]:
        if user["status"] == "DEPROVISIONED":
            continue
        before = call.client.get(f"{LIST}/{user['id']}").body
        clock.now += 1
        call.json("POST", f"{LIST}/{user['id']}", {"profile": {"title": "Held", "team": 5}})
        after = call.client.get(f"{LIST}/{user['id']}").body
        now = timestamp(int(clock.now * 1000))
        expected = re.sub(rb'"lastUpdated":"2[^9][^"]*"', b'"lastUpdated":"%b"' % now, before)
        title = re.search(rb'"title":"(?:[^"\\]|\\.)*"', before)
        assert title is not None
        expected = expected.replace(title[0], b'"title":"Held"', 1)
        assert after.replace(b',"team":5', b"") == expected
    assert {effect["operation"] for effect in org.effects} == {"users.update"}


def test_an_update_that_changes_nothing_has_no_effect(operate: Operate, clock: Clock) -> None:
    org, call = operate(users=40)
    user_id = in_status(call, "ACTIVE")
    target = f"{LIST}/{user_id}"
    first = call.json("POST", target, {"profile": {"title": "Held"}})
    clock.now += 5
    assert call.json("POST", target, {"profile": {"title": "Held"}}) == first
    assert call.json("POST", target, {}) == first
    assert [effect["detail"] for effect in org.effects] == [{"changed": ["profile"]}]


def test_replacing_a_user_clears_what_is_missing(operate: Operate) -> None:
    _, call = operate(users=40)
    target = f"{LIST}/{in_status(call, 'ACTIVE')}"
    assert call.json("PUT", target, {"profile": ANN})["profile"] == ANN
    assert call.refused("PUT", target, {"profile": {"login": ANN["login"]}}) == (400, "E0000001")
    assert call.refused("PUT", target, {}) == (400, "E0000001")
    assert call.json("GET", target)["profile"] == ANN
    assert call.json("GET", f"{LIST}/ann@example.org")["profile"] == ANN


def test_the_type_of_a_user_changes_only_with_a_replacement(operate: Operate) -> None:
    _, call = operate(users=40)
    users = everyone(call)
    user_id = in_status(call, "ACTIVE")
    mine = next(user["type"]["id"] for user in users if user["id"] == user_id)
    other = next(user["type"]["id"] for user in users if user["type"]["id"] != mine)
    target = f"{LIST}/{user_id}"
    assert call.refused("POST", target, {"type": {"id": other}}) == (400, "E0000001")
    assert call.json("POST", target, {"type": {"id": mine}})["type"] == {"id": mine}
    assert call.json("PUT", target, {"profile": ANN, "type": {"id": other}})["type"] == {"id": other}


def test_a_user_that_was_renamed_is_found_by_its_new_login_alone(operate: Operate) -> None:
    _, call = operate(users=40)
    user_id = in_status(call, "ACTIVE")
    before = call.json("GET", f"{LIST}/{user_id}")["profile"]["login"]
    call.json("POST", f"{LIST}/{user_id}", {"profile": {"login": "new@example.org"}})
    assert call.json("GET", f"{LIST}/new@example.org")["id"] == user_id
    assert call.refused("GET", f"{LIST}/{before}") == (404, "E0000007")
    assert call.json("POST", LIST, {"profile": ANN | {"login": before}})["id"] != user_id


def test_a_new_password_ends_the_statuses_that_wait_for_one(operate: Operate) -> None:
    _, call = operate(users=200)
    for status in ("PROVISIONED", "PASSWORD_EXPIRED", "RECOVERY"):
        user = call.json("POST", f"{LIST}/{in_status(call, status)}", {"credentials": PASSWORD})
        assert (user["status"], user["passwordChanged"]) == ("ACTIVE", user["lastUpdated"])
        assert user["credentials"]["password"] == {}


def test_if_match_refuses_to_change_another_state(operate: Operate) -> None:
    org, call = operate(users=40)
    target = f"{LIST}/{in_status(call, 'ACTIVE')}"
    etag = str(call("GET", target).header("ETag"))
    body = {"profile": {"title": "Held"}}
    changed = call("POST", target, body, headers={"If-Match": etag})
    assert (changed.status, changed.header("ETag") == etag) == (200, False)
    stale = call("POST", target, {"profile": {"title": "Other"}}, headers={"If-Match": etag})
    assert (stale.status, stale.error_code, len(org.effects)) == (412, "E0000002", 1)
    for matching in ("*", str(changed.header("ETag"))):
        assert call("POST", target, body, headers={"If-Match": matching}).status == 200


@pytest.mark.parametrize("provider", ["ACTIVE_DIRECTORY", "LDAP"])
def test_a_profile_of_another_system_cannot_be_changed_but_its_user_suspended(operate: Operate, provider: str) -> None:
    _, call = operate(users=800)
    target = f"{LIST}/{in_status(call, 'ACTIVE', provider)}"
    assert call.refused("POST", target, {"profile": {"title": "Held"}}) == (403, "E0000023")
    call.json("POST", f"{target}/lifecycle/suspend")
    locked = in_status(call, "LOCKED_OUT", provider)
    assert call.refused("POST", f"{LIST}/{locked}/lifecycle/unlock") == (403, "E0000032")


RULES: dict[str, dict[str, Any]] = {
    "activate": {"STAGED": "ACTIVE", "DEPROVISIONED": "PROVISIONED", "SUSPENDED": "E0000038", "*": "E0000016"},
    "deactivate": {"DEPROVISIONED": "E0000038", "*": "DEPROVISIONED"},
    "reactivate": {"PROVISIONED": "PROVISIONED", "RECOVERY": "PROVISIONED", "*": "E0000038"},
    "suspend": {"ACTIVE": "SUSPENDED", "*": "E0000001"},
    "unsuspend": {"SUSPENDED": "ACTIVE", "*": "E0000001"},
    "unlock": {"LOCKED_OUT": "ACTIVE", "*": "E0000032"},
    "expire_password": {
        **dict.fromkeys(("ACTIVE", "PASSWORD_EXPIRED", "RECOVERY"), "PASSWORD_EXPIRED"),
        "*": "E0000038",
    },
    "expire_password_with_temp_password": {
        **dict.fromkeys(("ACTIVE", "PASSWORD_EXPIRED", "RECOVERY"), "PASSWORD_EXPIRED"),
        "*": "E0000038",
    },
    "reset_password?sendEmail=false": {
        **dict.fromkeys(("ACTIVE", "PROVISIONED", "PASSWORD_EXPIRED", "LOCKED_OUT", "RECOVERY"), "RECOVERY"),
        "*": "E0000038",
    },
    "reset_factors": {"DEPROVISIONED": "E0000038", "*": None},
}
"""What comes of each call in each status: another status, an error code, or the same status."""


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("status", STATUSES)
def test_a_status_allows_what_okta_allows(operate: Operate, clock: Clock, verb: str, status: str) -> None:
    org, call = operate(users=400, user_factors=1)
    user_id = in_status(call, status)
    before = call.json("GET", f"{LIST}/{user_id}")
    clock.now += 60
    reply = call("POST", f"{LIST}/{user_id}/lifecycle/{verb}")
    after = call.json("GET", f"{LIST}/{user_id}")
    expected = RULES[verb].get(status, RULES[verb]["*"])
    if expected is not None and expected.startswith("E"):
        assert (reply.status, reply.error_code) == (400 if expected == "E0000001" else 403, expected)
        assert (after, org.effects) == (before, [])
        return
    assert (reply.status, after["status"]) == (200, expected or status)
    name = f"users.{verb.partition('?')[0]}"
    unchanged = verb == "expire_password" and status == "PASSWORD_EXPIRED"
    assert [(effect["operation"], effect["id"]) for effect in org.effects] == [(name, user_id)] * (not unchanged)
    if expected and not unchanged:
        moved = timestamp(int(clock.now * 1000)).decode()
        assert (after["lastUpdated"], after["statusChanged"]) == (moved, moved)
        assert after["profile"] == before["profile"]
        listed = next(user for user in everyone(call) if user["id"] == user_id)
        assert listed == after


def test_every_verb_has_its_rules() -> None:
    verbs = {name.partition(".")[2] for name, operation in OPERATIONS.items() if "/lifecycle/" in operation.path}
    users = {verb.partition("?")[0] for verb in VERBS}
    assert RULES.keys() == set(VERBS)
    assert users <= verbs


def test_one_time_links_come_only_where_no_mail_is_sent(operate: Operate) -> None:
    _, call = operate(users=200)
    staged = f"{LIST}/{in_status(call, 'STAGED')}/lifecycle"
    assert call.json("POST", f"{staged}/activate") == {}
    deactivated = f"{LIST}/{in_status(call, 'DEPROVISIONED')}/lifecycle"
    activated = call.json("POST", f"{deactivated}/activate?sendEmail=false")
    assert activated["activationUrl"].endswith(activated["activationToken"])
    again = call.json("POST", f"{deactivated}/reactivate?sendEmail=false")
    assert again["activationToken"] != activated["activationToken"]
    active = f"{LIST}/{in_status(call, 'ACTIVE')}/lifecycle"
    assert call.refused("POST", f"{active}/reset_password") == (400, "E0000028")
    assert call.json("POST", f"{active}/reset_password?sendEmail=true") == {}
    assert call.json("POST", f"{active}/reset_password?sendEmail=false").keys() == {"resetPasswordUrl"}
    assert len(call.json("POST", f"{active}/expire_password_with_temp_password")["tempPassword"]) >= 8


def test_the_first_deletion_deactivates_and_the_second_deletes(operate: Operate) -> None:
    org, call = operate(users=40, groups=2, group_members=40)
    user_id = in_status(call, "ACTIVE")
    target = f"{LIST}/{user_id}"
    group = call.json("GET", "/api/v1/groups")[1]["id"]
    call.json("DELETE", target, status=204)
    assert status_of(call, user_id) == "DEPROVISIONED"
    assert user_id not in call.client.get(LIST).ids
    call.json("DELETE", target, status=204)
    assert call.refused("GET", target) == (404, "E0000007")
    assert call.refused("DELETE", target) == (404, "E0000007")
    assert user_id not in {user["id"] for user in everyone(call)} | {entry["id"] for entry in org.truth()}
    assert user_id not in call.client.get(f"/api/v1/groups/{group}/users").ids
    assert call.client.get(f"{target}/factors").status == 404
    assert [effect["detail"]["did"] for effect in org.effects] == ["deactivate", "delete"]
    assert user_id not in org.change(100)


def test_a_deactivated_user_loses_its_apps(operate: Operate) -> None:
    _, call = operate(users=20, apps=5, app_users=20)
    user_id = in_status(call, "ACTIVE")
    apps = [f"{app['_links']['self']['href'].partition('.com')[2]}/users" for app in call.json("GET", "/api/v1/apps")]
    assert all(user_id in call.client.get(app).ids for app in apps)
    call.json("POST", f"{LIST}/{user_id}/lifecycle/deactivate")
    assert not any(user_id in call.client.get(app).ids for app in apps)


def test_clearing_sessions_leaves_tokens_unless_told_otherwise(operate: Operate) -> None:
    org, call = operate(users=20, user_tokens=6)
    user_id = in_status(call, "ACTIVE")
    assert call.json("DELETE", f"{LIST}/{user_id}/sessions", status=204) is None
    call.json("DELETE", f"{LIST}/{user_id}/sessions?oauthTokens=true&forgetDevices=false", status=204)
    assert [effect["detail"] for effect in org.effects] == [
        {"oauthTokens": False, "forgetDevices": True, "tokens": 0},
        {"oauthTokens": True, "forgetDevices": False, "tokens": 6},
    ]
    assert call.refused("DELETE", f"{LIST}/00u1/sessions") == (404, "E0000007")


def test_a_response_without_content_says_nothing_about_its_body(operate: Operate) -> None:
    _, call = operate(users=20)
    reply = call("DELETE", f"{LIST}/{in_status(call, 'ACTIVE')}/sessions")
    assert (reply.status, reply.header("Content-Length"), reply.header("Content-Type")) == (204, None, None)
    assert reply.header("X-Rate-Limit-Remaining") is not None
    empty = call("POST", f"{LIST}/{in_status(call, 'ACTIVE')}/lifecycle/suspend")
    assert (empty.status, empty.header("Content-Length"), empty.header("Content-Type")) == (200, "0", None)


def test_a_user_is_created_in_groups(operate: Operate) -> None:
    _, call = operate(users=5, groups=30)
    groups = [group["id"] for group in call.json("GET", "/api/v1/groups") if group["type"] == "OKTA_GROUP"][:2]
    user = create(call, groupIds=groups)
    assert sorted(group["id"] for group in call.json("GET", f"{LIST}/{user['id']}/groups")) == sorted(groups)
    for group in groups:
        assert user["id"] in call.client.get(f"/api/v1/groups/{group}/users").ids


def test_the_groups_of_a_user_are_those_that_have_it_as_a_member(operate: Operate) -> None:
    _, call = operate(users=30, groups=12, group_members=(0, 30))
    groups = call.client.get("/api/v1/groups").ids
    members = {group: call.client.get(f"/api/v1/groups/{group}/users").ids for group in groups}
    for user in call.client.get(LIST).ids:
        found = [group["id"] for group in call.json("GET", f"{LIST}/{user}/groups")]
        assert found == [group for group in groups if user in members[group]]


@pytest.mark.parametrize("name", [name for name, operation in OPERATIONS.items() if "{" in operation.path])
def test_an_unknown_id_is_not_found(operate: Operate, name: str) -> None:
    org, call = operate(users=5)
    operation = OPERATIONS[name]
    target = re.sub(r"\{\w+\}", "00x1", operation.path) + "?sendEmail=true" * name.endswith("reset_password")
    bodies = {"PUT": {"profile": ANN, "name": "x", "type": "IP", "gateways": []}, "POST": {"profile": ANN, "id": "x"}}
    reply = call.client.call(operation.method, target, bodies.get(operation.method))
    assert (reply.status, reply.error_code, org.effects) == (404, "E0000007", [])


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_needs_its_scope(operate: Operate, name: str) -> None:
    operation = OPERATIONS[name]
    reading = operation.scope.replace(".manage", ".read") if operation.writes else "okta.logs.read"
    scopes = [reading, operation.scope]
    client = OAuthClient(client_id="0oa1", scopes=scopes, method="client_secret_post", secret="s")
    org, call = operate(users=5, clients=[client])
    target = re.sub(r"\{\w+\}", "00x1", operation.path)

    def status_with(scope: str) -> tuple[int, str]:
        given = ask(call.client, by_secret("s", scope=scope)).json["access_token"]
        reply = call.client.call(operation.method, target, headers={"Authorization": f"Bearer {given}"})
        return reply.status, reply.header("WWW-Authenticate") or ""

    status, challenge = status_with(reading)
    assert (status, "insufficient_scope" in challenge, operation.scope in challenge) == (403, True, True)
    assert status_with(operation.scope)[0] in {400, 404, 411}
    assert org.effects == []


def test_a_new_user_has_nothing_yet(operate: Operate) -> None:
    _, call = operate(users=5, user_factors=3, user_grants=2, user_tokens=2)
    target = f"{LIST}/{create(call)['id']}"
    for below in ("factors", "roles", "grants", "groups"):
        assert call.client.get(f"{target}/{below}").json == []


GROUP, APP, ZONE = "/api/v1/groups", "/api/v1/apps", "/api/v1/zones"
BODIES: dict[str, dict[str, Any]] = {
    "users.create": {
        "profile": ANN,
        "credentials": {
            "password": {"value": "correct horse"},
            "provider": {"type": "OKTA", "name": "OKTA"},
            "recovery_question": {"question": "Who?", "answer": "Nobody"},
        },
        "groupIds": [],
        "type": {"id": "oty1"},
    },
    "groups.create": {"profile": {"name": "Tigers", "description": "They roar"}},
    "app_users.assign": {
        "id": "",
        "profile": {"role": "x"},
        "credentials": {"userName": "x", "password": {"value": "x"}},
    },
    "app_groups.assign": {"priority": 1, "profile": {"role": "x"}},
    "user_roles.assign": {"type": "CUSTOM", "role": "cr01", "resource-set": "iam1"},
    "zones.create": {"type": "IP", "name": "x", "usage": "POLICY", "status": "ACTIVE", "gateways": [], "proxies": []},
}
LIKE = {
    "users.update": "users.create",
    "users.replace": "users.create",
    "groups.replace": "groups.create",
    "app_users.update": "app_users.assign",
    "zones.replace": "zones.create",
}
"""Operations that take the body of another one."""


def variants(value: Any) -> list[Any]:  # noqa: ANN401 - JSON
    """Return `value` with each of its parts in turn replaced by something of another type, or left out."""
    others: list[Any] = [None, 5, "", "x", True, [], [[]], {}, {"a": [1]}]
    if isinstance(value, dict):
        inside = [{**value, name: part} for name in value for part in variants(value[name])]
        return [*others, *inside, *({key: part for key, part in value.items() if key != name} for name in value)]
    return others


@pytest.mark.parametrize("name", [*BODIES, *LIKE])
def test_no_body_of_wrong_types_breaks_the_org(operate: Operate, name: str) -> None:
    _, call = operate(users=40, groups=40, apps=3, zones=8, app_users=3, rate_limit=10_000)
    user = in_status(call, "ACTIVE")
    group = next(group["id"] for group in call.json("GET", GROUP) if group["type"] == "OKTA_GROUP")
    app = call.client.get(APP).ids[0]
    assigned = call.client.get(f"{APP}/{app}/users").ids[0]
    zone = next(zone["id"] for zone in call.json("GET", ZONE) if zone["type"] == "IP")
    operation = OPERATIONS[name]
    ids = {"id": user, "userId": user, "groupId": group, "appId": app, "zoneId": zone}
    if name == "app_users.update":
        ids["userId"] = assigned
    target = re.sub(r"\{(\w+)\}", lambda found: ids[found[1]], operation.path) + "?provider=true" * (
        name == "users.create"
    )
    body = BODIES[LIKE.get(name, name)]
    for sent in variants(body | ({"id": user} if "id" in body else {})):
        reply = call.client.call(operation.method, target, json.dumps(sent).encode(), headers=JSON)
        assert reply.status in {200, 201, 400, 403, 404, 409}, (sent, reply)
        if can_judge():
            assert mistakes(operation.path, operation.method, None, reply.status, reply.json) == [], sent
    assert call.client.get(LIST).status == 200
