"""Every operation of Okta against a practice org with Okta's rules, which counts what was really done."""

import itertools
import json
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from support.cli import StartOrg
from support.okta_description import can_judge, mistakes_of_request

import circulate_core
from circulate_core import Applied, Plan, exceptions
from circulate_practice import PracticeOrg
from circulate_practice.operations.routes import route_of

Parameters = dict[str, Any]
ANN = {"login": "ann@acme.example", "email": "ann@acme.example", "firstName": "Ann", "lastName": "Lee"}


class Okta:
    """An org, and what is done to it."""

    def __init__(self, org: PracticeOrg, ledger: Path) -> None:
        """Get ready."""
        self.org = org
        self.known: dict[str, Any] = {"settings": {"org_url": org.url, "api_token": org.token}}
        self.ledger = ledger
        self.kept: dict[str, Any] = {"ledger": ledger}
        self.lists: dict[str, list[dict[str, Any]]] = {}

    def read(self, operation: str, **parameters: object) -> Any:  # noqa: ANN401 - JSON
        """Call an operation that reads."""
        return circulate_core.call(f"okta.{operation}", parameters, **self.known)

    def plan(self, operation: str, **parameters: object) -> Plan:
        """Plan an operation, whose request fits Okta's description of its API."""
        plan = circulate_core.plan(f"okta.{operation}", parameters, **self.kept, **self.known)
        for call in plan.calls:
            judge(call.request.method, call.request.url, call.request.body)
        return plan

    def apply(self, plan: Plan) -> Applied:
        """Apply a plan."""
        return circulate_core.apply(plan, yes=True, **self.kept, **self.known)

    def do(self, operation: str, **parameters: object) -> Applied:
        """Plan an operation and apply the plan, which goes well."""
        applied = self.apply(self.plan(operation, **parameters))
        assert applied.status == "complete", applied
        return applied

    def undo(self, plan: Plan) -> Applied:
        """Undo what a plan did."""
        undoing = circulate_core.undo(plan, **self.kept, **self.known)
        return self.apply(undoing)

    def records(self, stream: str) -> list[dict[str, Any]]:
        """Return the records of a stream, read once."""
        if stream not in self.lists:
            found = circulate_core.source("okta", **self.known).stream(stream)
            self.lists[stream] = list(found.records())
        return self.lists[stream]

    def user(self, status: str = "ACTIVE") -> str:
        """Return the id of a user of Okta's own in a status."""
        if status == "SUSPENDED":
            user = self.user()
            self.do("users.suspend", id=user)
            return user
        return next(
            str(user["id"])
            for user in self.records("users")
            if user["status"] == status and user["credentials"]["provider"]["type"] == "OKTA"
        )

    def one(self, stream: str, **members: str) -> dict[str, Any]:
        """Return a record of a stream with these members."""
        return next(
            record
            for record in self.records(stream)
            if all(record.get(name) == value for name, value in members.items())
        )


def judge(method: str, url: str, body: str) -> None:
    """Refuse a request that does not fit Okta's description."""
    route = route_of(urlsplit(url).path)
    assert route is not None, url
    operation = route.operations[method]
    if can_judge():
        assert not mistakes_of_request(operation.path, method, json.loads(body) if body else None)


@pytest.fixture
def okta(start_org: StartOrg, tmp_path: Path) -> Okta:
    return Okta(start_org(users=200, groups=12, apps=8, app_users=2), tmp_path / "ledger.db")


def member_of(okta: Okta) -> tuple[str, str]:
    """Return a group of Okta's own, and a user who is not a member of it."""
    group = okta.one("groups", type="OKTA_GROUP")["id"]
    user = okta.user()
    if group in {each["id"] for each in okta.read("users.groups", id=user)}:
        okta.do("groups.remove_member", group_id=group, user_id=user)
    return group, user


def membership(okta: Okta) -> Parameters:
    group, user = member_of(okta)
    return {"group_id": group, "user_id": user}


def own_group(okta: Okta) -> Parameters:
    return {"id": okta.one("groups", type="OKTA_GROUP")["id"]}


def unassigned(okta: Okta) -> Parameters:
    taken = {(each["_circulate"]["parent"]["id"], each["id"]) for each in okta.records("application_users")}
    apps = [each["id"] for each in okta.records("applications") if each["status"] == "ACTIVE"]
    users = [each["id"] for each in okta.records("users") if each["status"] == "ACTIVE"]
    app, user = next(pair for pair in itertools.product(apps, users) if pair not in taken)
    return {"application_id": app, "user_id": user}


def group_unassigned(okta: Okta) -> Parameters:
    taken = {(each["_circulate"]["parent"]["id"], each["id"]) for each in okta.records("application_groups")}
    apps = [each["id"] for each in okta.records("applications")]
    groups = [each["id"] for each in okta.records("groups")]
    app, group = next(pair for pair in itertools.product(apps, groups) if pair not in taken)
    return {"application_id": app, "group_id": group}


def assigned(okta: Okta) -> Parameters:
    parameters = unassigned(okta)
    okta.do("application_users.assign", **parameters)
    return parameters


def group_assigned(okta: Okta) -> Parameters:
    parameters = group_unassigned(okta)
    okta.do("application_groups.assign", **parameters)
    return parameters


def without_role(okta: Okta) -> Parameters:
    having = {each["_circulate"]["parent"]["id"] for each in okta.records("user_roles")}
    user = next(each["id"] for each in okta.records("users") if each["status"] == "ACTIVE" and each["id"] not in having)
    return {"user_id": user, "type": "HELP_DESK_ADMIN"}


def with_role(okta: Okta) -> Parameters:
    given = without_role(okta)
    okta.do("user_roles.assign", **given)
    (role,) = okta.read("user_roles.of_user", user_id=given["user_id"])
    return {"user_id": given["user_id"], "assignment_id": role["id"]}


def with_factors(okta: Okta) -> Parameters:
    having = {each["_circulate"]["parent"]["id"] for each in okta.records("user_factors")}
    return {
        "id": next(each["id"] for each in okta.records("users") if each["status"] == "ACTIVE" and each["id"] in having)
    }


def one_factor(okta: Okta) -> Parameters:
    user = with_factors(okta)["id"]
    return {"user_id": user, "factor_id": okta.read("users.factors", id=user)[0]["id"]}


def zone(okta: Okta, **_: object) -> Parameters:
    found = next(each for each in okta.records("network_zones") if each["type"] == "IP" and each.get("gateways"))
    return {"id": found["id"], "gateways": [{"type": "CIDR", "value": "203.0.113.7/32"}]}


def deprovisioned(okta: Okta) -> Parameters:
    return {"id": okta.user("DEPROVISIONED")}


def inactive_app(okta: Okta) -> Parameters:
    app = okta.one("applications", status="ACTIVE")["id"]
    okta.do("applications.deactivate", id=app)
    return {"id": app}


def suspended_device(okta: Okta) -> Parameters:
    device = okta.one("devices", status="ACTIVE")["id"]
    okta.do("devices.suspend", id=device)
    return {"id": device}


def of_user(status: str, **more: object) -> Callable[[Okta], Parameters]:
    return lambda okta: {"id": okta.user(status), **more}


def with_grants(okta: Okta) -> Parameters:
    active = (each["id"] for each in okta.records("users") if each["status"] == "ACTIVE")
    return {"id": next(each for each in active if okta.read("users.grants", id=each))}


def with_tokens(okta: Okta) -> Parameters:
    active = (each["id"] for each in okta.records("users") if each["status"] == "ACTIVE")
    for user in active:
        clients = {grant["clientId"] for grant in okta.read("users.grants", id=user)}
        for client in sorted(clients):
            if okta.read("users.tokens", id=user, client=client):
                return {"id": user, "client": client}
    raise AssertionError


CASES: dict[str, tuple[Callable[[Okta], Parameters], str, bool]] = {
    # What it is done to, what becomes of it, and whether it is undone.
    "users.create": (lambda _: {"profile": ANN}, "verified", True),
    "users.update": (of_user("ACTIVE", profile={"title": "Chief", "nickName": None}), "verified", True),
    "users.replace": (of_user("ACTIVE", profile={**ANN, "title": "Chief"}), "verified", True),
    "users.activate": (of_user("STAGED", send_email=False), "verified", True),
    "users.deactivate": (of_user("ACTIVE"), "verified", True),
    "users.reactivate": (of_user("PROVISIONED"), "accepted", False),
    "users.suspend": (of_user("ACTIVE"), "verified", True),
    "users.unsuspend": (of_user("SUSPENDED"), "verified", True),
    "users.unlock": (of_user("LOCKED_OUT"), "verified", False),
    "users.expire_password": (of_user("ACTIVE"), "verified", False),
    "users.expire_password_with_temp_password": (of_user("ACTIVE"), "accepted", False),
    "users.reset_password": (of_user("ACTIVE", send_email=False), "verified", False),
    "users.clear_sessions": (of_user("ACTIVE"), "accepted", False),
    "users.reset_factors": (with_factors, "verified", False),
    "users.revoke_grants": (with_grants, "verified", False),
    "users.revoke_tokens": (with_tokens, "verified", False),
    "users.delete": (deprovisioned, "verified", False),
    "groups.create": (lambda _: {"profile": {"name": "Leavers", "description": "All who left"}}, "verified", True),
    "groups.update": (lambda okta: {**own_group(okta), "profile": {"name": "Renamed"}}, "verified", True),
    "groups.delete": (own_group, "verified", False),
    "groups.add_member": (membership, "verified", True),
    "applications.deactivate": (lambda okta: {"id": okta.one("applications", status="ACTIVE")["id"]}, "verified", True),
    "applications.activate": (inactive_app, "verified", True),
    "applications.delete": (inactive_app, "verified", False),
    "application_users.assign": (unassigned, "verified", True),
    "application_users.unassign": (assigned, "verified", True),
    "application_groups.assign": (group_unassigned, "verified", True),
    "application_groups.unassign": (group_assigned, "verified", True),
    "user_factors.reset": (one_factor, "verified", False),
    "user_roles.assign": (without_role, "verified", True),
    "user_roles.remove": (with_role, "verified", False),
    "devices.suspend": (lambda okta: {"id": okta.one("devices", status="ACTIVE")["id"]}, "verified", True),
    "devices.unsuspend": (suspended_device, "verified", True),
    "devices.deactivate": (lambda okta: {"id": okta.one("devices", status="ACTIVE")["id"]}, "verified", False),
    "api_tokens.revoke": (lambda okta: {"id": okta.records("api_tokens")[-1]["id"]}, "verified", False),
    "network_zones.add_gateways": (zone, "verified", True),
    "network_zones.set_gateways": (zone, "verified", True),
}  # fmt: skip


ONE_WAY = {"users.create", "users.activate", "users.deactivate", "user_roles.remove"}
"""Operations whose undo leads to another state: a staged user, a password, the id of an assignment do not come back."""


@pytest.mark.parametrize("operation", CASES)
def test_an_operation_does_what_it_says_once_and_is_undone(okta: Okta, operation: str) -> None:
    parameters_of, status, is_undone = CASES[operation]
    parameters = parameters_of(okta)
    before = len(okta.org.effects)
    plan = okta.plan(operation, **parameters)
    assert len(okta.org.effects) == before, "a plan changes nothing"
    (entry,) = okta.apply(plan).entries
    assert (entry.status, entry.had_effect, entry.note or "") == (
        status,
        True,
        (plan.no_read_back or "") if status == "accepted" else "",
    )
    assert len(okta.org.effects) == before + 1
    assert okta.apply(plan).entries == (entry,)
    assert len(okta.org.effects) == before + 1, "applied again, nothing is done"
    if not is_undone:
        assert plan.no_undo
        with pytest.raises(exceptions.PlanError, match="nothing undoes"):
            okta.undo(plan)
        return
    (undone,) = okta.undo(plan).entries
    assert undone.status in {"verified", "accepted"}, undone
    if entry.call.before is not None and operation not in ONE_WAY:
        again = okta.plan(operation, **parameters).calls[0]
        assert again.before == entry.call.before, "its object is as it was"


@pytest.mark.parametrize("fault", ["lost", "error-after", "500", "403", "reset"])
@pytest.mark.parametrize("operation", CASES)
def test_whatever_goes_wrong_at_okta_nothing_is_done_twice(okta: Okta, operation: str, fault: str) -> None:
    parameters = CASES[operation][0](okta)
    plan = okta.plan(operation, **parameters)
    before = len(okta.org.effects)
    okta.org.add_fault(f"operations/{fault}*1")
    (entry,) = okta.apply(plan).entries
    done = len(okta.org.effects) - before
    # Sessions that are ended twice are counted twice.
    assert done <= (2 if operation == "users.clear_sessions" else 1)
    match entry.status:
        case "verified" | "accepted":
            assert done >= 1
        case "failed":
            assert (done, fault) == (0, "403")
        case "unknown":
            assert entry.note
        case _:
            raise AssertionError(entry)
    if fault in {"lost", "error-after"} and CASES[operation][1] == "verified":
        assert entry.status == "verified", "the object shows that it was done"
    if fault == "500" and plan.to_dict()["retry"] == "idempotent":
        assert (entry.status in {"verified", "accepted"}, done) == (True, 1), entry


def test_a_group_is_found_by_its_name(okta: Okta) -> None:
    group, user = member_of(okta)
    name = okta.one("groups", id=group)["profile"]["name"]
    plan = okta.plan("groups.add_member_by_name", group_name=name, user_id=user)
    assert plan.calls[0].request.url.endswith(f"/api/v1/groups/{group}/users/{user}")
    assert okta.apply(plan).status == "complete"
    assert group in {each["id"] for each in okta.read("users.groups", id=user)}
    okta.undo(plan)
    assert group not in {each["id"] for each in okta.read("users.groups", id=user)}
    with pytest.raises(exceptions.PlanError, match="there is nothing with"):
        okta.plan("groups.add_member_by_name", group_name=name[:-1], user_id=user)


def test_a_user_is_added_by_login_to_a_group_that_takes_ids(okta: Okta) -> None:
    group, user = member_of(okta)
    login = okta.one("users", id=user)["profile"]["login"]
    assert okta.plan("groups.add_member", group_id=group, user_id=login).calls[0].request.url.endswith(f"/users/{user}")


def test_who_is_a_member_already_is_not_added_again(okta: Okta) -> None:
    group, user = member_of(okta)
    okta.do("groups.add_member", group_id=group, user_id=user)
    before = len(okta.org.effects)
    (entry,) = okta.do("groups.add_member", group_id=group, user_id=user).entries
    assert (entry.had_effect, len(okta.org.effects)) == (False, before)


STATES = {
    "users.suspend": ("SUSPENDED", "DEPROVISIONED", "STAGED"),
    "users.delete": ("ACTIVE", "SUSPENDED"),
    "users.unlock": ("SUSPENDED",),
    "users.activate": ("SUSPENDED",),
}


@pytest.mark.parametrize(("operation", "status"), [(name, each) for name, states in STATES.items() for each in states])
def test_another_state_is_refused_before_anything_is_sent(okta: Okta, operation: str, status: str) -> None:
    user = okta.user(status)
    before, effects = len(okta.org.log), list(okta.org.effects)
    if (operation, status) == ("users.suspend", "SUSPENDED"):
        assert okta.plan(operation, id=user).calls[0].unchanged
    else:
        with pytest.raises(exceptions.PlanError, match=rf'`/status` is "{status}" and has to be'):
            okta.plan(operation, id=user)
    assert [entry["method"] for entry in okta.org.log[before:]] == ["GET"]
    assert okta.org.effects == effects


def test_a_user_who_is_active_is_not_deleted_by_two_deletions(okta: Okta) -> None:
    user = okta.user("DEPROVISIONED")
    plan = okta.plan("users.delete", id=user)
    okta.do("users.activate", id=user, send_email=False)
    (entry,) = okta.apply(plan).entries
    assert (entry.status, "has changed since" in (entry.note or "")) == ("failed", True)
    assert [effect["operation"] for effect in okta.org.effects] == ["users.activate"]


def test_tokens_go_with_the_sessions_unless_they_are_left(okta: Okta) -> None:
    given = with_tokens(okta)
    okta.do("users.clear_sessions", id=given["id"], oauth_tokens=False)
    assert okta.read("users.tokens", **given)
    okta.do("users.clear_sessions", id=given["id"])
    assert okta.read("users.tokens", **given) == []


def test_a_user_whose_status_takes_time_is_waited_for(okta: Okta) -> None:
    user = okta.user()
    okta.org.add_fault("users.deactivate/async:3*1")
    (entry,) = okta.do("users.deactivate", id=user).entries
    assert entry.status == "verified"


def test_a_temporary_password_and_a_link_are_kept_nowhere(okta: Okta) -> None:
    for operation, pointer in {
        "users.expire_password_with_temp_password": "/tempPassword",
        "users.reset_password": "/resetPasswordUrl",
    }.items():
        more = {"send_email": False} if operation.endswith("reset_password") else {}
        applied = okta.do(operation, id=okta.user(), **more)
        (secrets,) = applied.secrets.values()
        secret = secrets[pointer]
        assert secret not in repr(applied)
        assert not any(secret.encode() in file.read_bytes() for file in okta.ledger.parent.glob("ledger.db*"))
        okta.lists.clear()


def test_a_link_of_an_activation_is_kept_nowhere(okta: Okta) -> None:
    applied = okta.do("users.activate", id=okta.user("STAGED"), send_email=False)
    (secrets,) = applied.secrets.values()
    assert secrets
    for secret in secrets.values():
        assert not any(secret.encode() in file.read_bytes() for file in okta.ledger.parent.glob("ledger.db*"))


def test_a_password_that_is_reset_already_is_reset_again(okta: Okta) -> None:
    user = okta.user()
    (first,) = okta.do("users.reset_password", id=user, send_email=False).entries
    (again,) = okta.do("users.reset_password", id=user, send_email=False).entries
    assert [(each.status, each.had_effect) for each in (first, again)] == [("verified", True), ("accepted", True)]


def test_a_user_whose_login_changes_is_still_the_same(okta: Okta) -> None:
    user = okta.user()
    login = okta.one("users", id=user)["profile"]["login"]
    plan = okta.plan("users.update", id=login, profile={"login": "other@acme.example"})
    assert [entry.status for entry in okta.apply(plan).entries] == ["verified"]
    assert [entry.status for entry in okta.undo(plan).entries] == ["verified"]
    assert okta.read("users.get", id=user)["profile"]["login"] == login


def test_a_zone_without_addresses_has_none_again(okta: Okta) -> None:
    given = zone(okta)
    found = okta.read("network_zones.get", id=given["id"])
    proxies = {**found, "gateways": None, "proxies": found["gateways"]}
    made = {
        name: value for name, value in proxies.items() if name not in {"_links", "created", "lastUpdated", "system"}
    }
    request = urllib.request.Request(
        f"{okta.org.url}/api/v1/zones/{given['id']}",
        json.dumps(made).encode(),
        {"Authorization": f"SSWS {okta.org.token}", "Content-Type": "application/json"},
        method="PUT",
    )
    with urllib.request.urlopen(request):
        pass
    plan = okta.plan("network_zones.add_gateways", **given)
    assert okta.apply(plan).status == "complete"
    undone = okta.undo(plan)
    assert undone.status == "complete"
    assert "gateways" not in json.loads(undone.entries[0].call.request.body)
    assert not okta.read("network_zones.get", id=given["id"]).get("gateways")


def test_a_zone_that_others_changed_is_not_sent_back_as_it_was(okta: Okta) -> None:
    given = zone(okta)
    plan = okta.plan("network_zones.add_gateways", **given)
    other = [{"type": "CIDR", "value": "198.51.100.0/24"}]
    okta.do("network_zones.add_gateways", id=given["id"], gateways=other)
    (entry,) = okta.apply(plan).entries
    assert entry.status == "failed"
    found = okta.read("network_zones.get", id=given["id"])
    assert other[0] in found["gateways"]
    before = {name: value for name, value in found.items() if name not in {"gateways", "lastUpdated"}}
    okta.do("network_zones.remove_gateways", id=given["id"], gateways=other)
    after = okta.read("network_zones.get", id=given["id"])
    assert other[0] not in after["gateways"]
    assert {name: value for name, value in after.items() if name not in {"gateways", "lastUpdated"}} == before


def test_a_token_without_the_scope_is_refused_and_nothing_is_done(okta: Okta) -> None:
    plan = okta.plan("users.suspend", id=okta.user())
    okta.org.add_fault("users.suspend/403*1")
    (entry,) = okta.apply(plan).entries
    assert (entry.status, okta.org.effects) == ("failed", [])


def test_every_operation_that_changes_something_is_tried() -> None:
    streams = circulate_core.streams()
    named = {
        f"{each['endpoint']['endpoint']}.{name}"
        for each in streams
        for name, operation in each["endpoint"].get("operations", {}).items()
        if operation["kind"] != "investigate"
    }
    by_name = {"groups.add_member_by_name", "groups.remove_member_by_name"}
    others = {*by_name, "groups.remove_member", "network_zones.remove_gateways"}
    assert named == CASES.keys() | others
