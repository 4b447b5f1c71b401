"""Operations on apps, devices, API tokens and network zones."""

from typing import Any
from urllib.parse import quote

import pytest
from support.judged_client import Judged, Operate
from support.practice_client import LIST, Clock

from circulate_practice.data.timestamps import timestamp
from circulate_practice.okta.devices import STATUSES as DEVICE_STATUSES

APPS, DEVICES, ZONES, TOKENS = (f"/api/v1/{name}" for name in ("apps", "devices", "zones", "api-tokens"))
OFFICE = {"type": "IP", "name": "Office", "gateways": [{"type": "CIDR", "value": "203.0.113.0/24"}]}


def with_member(call: Judged, path: str, name: str, value: object) -> str:
    """Return the address of a record in which a member has some value."""
    return next(f"{path}/{record['id']}" for record in call.json("GET", path) if record[name] == value)


@pytest.mark.parametrize("path", [APPS, DEVICES, ZONES, TOKENS])
def test_a_record_has_the_bytes_it_has_in_the_list(operate: Operate, path: str) -> None:
    _, call = operate(apps=15, devices=15, zones=15, api_tokens=15)
    listed = call.client.get(path)
    for record in listed.json:
        assert call("GET", f"{path}/{record['id']}").body in listed.body


def test_an_app_is_deactivated_before_it_is_deleted(operate: Operate, clock: Clock) -> None:
    org, call = operate(apps=20)
    target = with_member(call, APPS, "status", "ACTIVE")
    before = call.json("GET", target)
    assert call.refused("DELETE", target) == (403, "E0000056")
    call.json("POST", f"{target}/lifecycle/activate")
    clock.now += 60
    for _ in range(2):
        call.json("POST", f"{target}/lifecycle/deactivate")
    moved = timestamp(int(clock.now * 1000)).decode()
    assert call.json("GET", target) == before | {"status": "INACTIVE", "lastUpdated": moved}
    inactive = quote('status eq "INACTIVE"')
    assert before["id"] in call.client.get(f"{APPS}?filter={inactive}").ids
    call.json("POST", f"{target}/lifecycle/activate")
    call.json("POST", f"{target}/lifecycle/deactivate")
    call.json("DELETE", target, status=204)
    assert call.refused("GET", target) == (404, "E0000007")
    assert before["id"] not in call.client.get(APPS).ids
    operations = ["apps.deactivate", "apps.activate", "apps.deactivate", "apps.delete"]
    assert [effect["operation"] for effect in org.effects] == operations


DEVICE_RULES = {
    "activate": {"SUSPENDED": None, "*": "ACTIVE"},
    "deactivate": {"DEACTIVATED": None, "*": "DEACTIVATED"},
    "suspend": {"ACTIVE": "SUSPENDED", "UNSUSPENDED": "SUSPENDED", "*": None},
    "unsuspend": {"SUSPENDED": "ACTIVE", "*": None},
}
"""The status that each call leads to in each status, or None where it is refused."""


@pytest.mark.parametrize("verb", DEVICE_RULES)
@pytest.mark.parametrize("status", DEVICE_STATUSES)
def test_a_device_allows_what_its_status_allows(operate: Operate, clock: Clock, verb: str, status: str) -> None:
    org, call = operate(devices=120)
    target = with_member(call, DEVICES, "status", status)
    before = call.json("GET", target)
    clock.now += 60
    reply = call("POST", f"{target}/lifecycle/{verb}")
    expected = DEVICE_RULES[verb].get(status, DEVICE_RULES[verb]["*"])
    if expected is None:
        assert (reply.status, reply.error_code) == (403, "E0000152")
    else:
        assert reply.status == 204
    changed = expected not in {None, status}
    moved = {"status": expected, "lastUpdated": timestamp(int(clock.now * 1000)).decode()} if changed else {}
    assert call.json("GET", target) == before | moved
    assert len(org.effects) == changed
    search = quote(f'status eq "{expected or status}"')
    assert before["id"] in call.client.get(f"{DEVICES}?search={search}").ids


def test_a_device_is_deactivated_before_it_is_deleted(operate: Operate) -> None:
    _, call = operate(devices=20)
    target = with_member(call, DEVICES, "status", "ACTIVE")
    assert call.refused("DELETE", target) == (403, "E0000152")
    call.json("POST", f"{target}/lifecycle/deactivate", status=204)
    call.json("DELETE", target, status=204)
    assert call.refused("GET", target) == (404, "E0000007")


def test_an_api_token_is_revoked_once(operate: Operate) -> None:
    org, call = operate(api_tokens=4)
    target = f"{TOKENS}/{call.client.get(TOKENS).ids[2]}"
    call.json("DELETE", target, status=204)
    assert call.refused("DELETE", target) == (404, "E0000007")
    assert (len(call.client.get(TOKENS).ids), len(list(org.truth("api_tokens")))) == (3, 3)
    assert [effect["operation"] for effect in org.effects] == ["api_tokens.revoke"]


def test_a_zone_is_created_replaced_as_a_whole_and_deleted(operate: Operate, clock: Clock) -> None:
    org, call = operate(zones=6)
    zone = call.json("POST", ZONES, OFFICE)
    target = f"{ZONES}/{zone['id']}"
    assert zone.items() >= (OFFICE | {"usage": "POLICY", "status": "ACTIVE", "system": False}).items()
    assert call.json("GET", target) == zone == call.json("GET", ZONES)[-1]
    clock.now += 60
    block = {"type": "IP", "name": "Tor", "proxies": [], "usage": "BLOCKLIST", "gateways": OFFICE["gateways"]}
    replaced = call.json("PUT", target, block)
    assert replaced.items() >= block.items()
    kept = {"id", "created", "system", "_links", "status"}
    assert {name: replaced[name] for name in kept} == {name: zone[name] for name in kept}
    assert replaced.keys() == kept | block.keys() | {"lastUpdated"}
    assert call.json("PUT", target, block) == replaced
    assert call.refused("DELETE", target) == (403, "E0000107")
    for _ in range(2):
        assert call.json("POST", f"{target}/lifecycle/deactivate")["status"] == "INACTIVE"
    call.json("DELETE", target, status=204)
    assert call.refused("GET", target) == (404, "E0000007")
    operations = ["zones.create", "zones.replace", "zones.deactivate", "zones.delete"]
    assert [effect["operation"] for effect in org.effects] == operations


def test_replacing_a_zone_of_the_start_leaves_nothing_of_it(operate: Operate) -> None:
    org, call = operate(zones=8)
    target = with_member(call, ZONES, "type", "IP")
    call.json("PUT", target, OFFICE)
    assert call.json("GET", target).keys() == OFFICE.keys() | {
        *("id", "created", "lastUpdated", "system", "_links", "usage", "status"),
    }
    org.rename(target.rpartition("/")[2])
    assert call.json("GET", target)["name"].startswith("Office (renamed")
    call.json("POST", f"{target}/lifecycle/deactivate")
    assert call.json("POST", f"{target}/lifecycle/activate")["status"] == "ACTIVE"


def test_the_zone_of_the_org_itself_cannot_be_deleted(operate: Operate) -> None:
    _, call = operate(zones=3)
    target = with_member(call, ZONES, "system", value=True)
    call.json("POST", f"{target}/lifecycle/deactivate")
    assert call.refused("DELETE", target) == (403, "E0000006")


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": "x" * 129},
        {"name": 5},
        {"type": None},
        {"type": "MOON"},
        {"gateways": []},
        {"type": "DYNAMIC"},
        {"usage": "NONE"},
        {"status": "ON"},
    ],
)
def test_an_invalid_zone_is_refused(operate: Operate, change: dict[str, Any]) -> None:
    org, call = operate(zones=3)
    assert call.refused("POST", ZONES, OFFICE | change) == (400, "E0000001")
    assert org.effects == []


def test_a_zone_keeps_its_type_and_a_name_is_given_once(operate: Operate) -> None:
    _, call = operate(zones=3)
    target = f"{ZONES}/{call.json('POST', ZONES, OFFICE)['id']}"
    assert call.refused("POST", ZONES, OFFICE) == (400, "E0000001")
    assert call.refused("PUT", target, {"type": "DYNAMIC", "name": "Office", "asns": ["1"]}) == (400, "E0000001")


def test_operations_on_an_unavailable_list_are_refused_as_the_list_is(operate: Operate) -> None:
    org, call = operate(devices=3, unavailable=["devices:404"])
    assert call.client.call("POST", f"{DEVICES}/guo1/lifecycle/suspend").error_code == "E0000008"
    assert (org.effects, call.client.get(LIST).status) == ([], 200)
