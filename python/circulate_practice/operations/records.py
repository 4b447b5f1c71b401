"""Operations on records that stand for themselves: apps, devices, API tokens, network zones."""

import json
from collections.abc import Callable
from typing import Final

from circulate_practice.data.json_text import edited, members_of, quoted, value_in
from circulate_practice.okta.content import Content, found_in
from circulate_practice.operations.call import Call, Document, Effect, Outcome, Shape
from circulate_practice.operations.profiles import BLANK, TAKEN, invalid
from circulate_practice.paging.collection import Collection
from circulate_practice.server.responses import Refusal

_SUSPENDED: Final = frozenset({"SUSPENDED"})
_DEVICE_MOVES: Final = {
    "activate": ("ACTIVE", frozenset({"ACTIVE", "UNSUSPENDED", "DEACTIVATED"})),
    "deactivate": ("DEACTIVATED", frozenset({"ACTIVE", "UNSUSPENDED", "SUSPENDED"})),
    "suspend": ("SUSPENDED", frozenset({"ACTIVE", "UNSUSPENDED"})),
    "unsuspend": ("ACTIVE", _SUSPENDED),
}
"""The status that each operation on devices leads to, and those it starts from."""

_ZONE_NEEDS: Final = {
    "IP": ("gateways", "proxies"),
    "DYNAMIC": ("asns", "locations", "proxyType"),
    "DYNAMIC_V2": ("asns", "locations", "ipServiceCategories"),
}
"""Kinds of zones, and the members of which each needs one."""

_ZONE_CHOICES: Final = {"usage": ("POLICY", "BLOCKLIST"), "status": ("ACTIVE", "INACTIVE")}
_OF_THE_ORG: Final = frozenset({"id", "created", "lastUpdated", "system", "_links"})
"""Members of a zone that no body sets."""

_LONGEST_NAME: Final = 128

_ADDRESSES: Final = [{"type": str, "value": str}]
_ZONE: Final[Shape] = {
    **dict.fromkeys(("name", "usage", "status"), object),
    "type": str,
    "gateways": _ADDRESSES,
    "proxies": _ADDRESSES,
    "useAsExemptList": bool,
}

Handler = Callable[[Call], Outcome]


class RecordOperations:
    """Operations on the apps, devices, API tokens and zones of one org.

    Args:
        content: What the org holds.
    """

    def __init__(self, content: Content) -> None:
        self._content = content
        self._apps, self._devices, self._zones = content.apps, content.devices, content.zones

    def handlers(self) -> dict[str, Handler]:
        """Return what does each operation, by name."""
        return {
            "apps.get": self._getting(self._apps),
            "apps.activate": self._moving_app("ACTIVE"),
            "apps.deactivate": self._moving_app("INACTIVE"),
            "apps.delete": self._delete_app,
            "devices.get": self._getting(self._devices),
            **{f"devices.{verb}": self._moving_device(verb) for verb in _DEVICE_MOVES},
            "devices.delete": self._delete_device,
            "api_tokens.get": self._getting(self._content.api_tokens),
            "api_tokens.revoke": self._revoke_api_token,
            "zones.get": self._getting(self._zones),
            "zones.create": self._create_zone,
            "zones.replace": self._replace_zone,
            "zones.delete": self._delete_zone,
            "zones.activate": self._moving_zone("ACTIVE"),
            "zones.deactivate": self._moving_zone("INACTIVE"),
        }

    @staticmethod
    def _getting(collection: Collection) -> Handler:
        return lambda call: Outcome(200, collection.record(found_in(collection, call.ids[0])).body)

    def _moving_app(self, status: str) -> Handler:
        def move(call: Call) -> Outcome:
            app = found_in(self._apps, call.ids[0])
            if self._apps.status(app) == status:
                return Outcome(200)
            self._apps.set_status(app, status)
            return Outcome(200, effect=Effect(call.ids[0]))

        return move

    def _delete_app(self, call: Call) -> Outcome:
        app = found_in(self._apps, call.ids[0])
        if self._apps.status(app) == "ACTIVE":
            raise Refusal(403, "E0000056", cause="The application must be deactivated before it is deleted.")
        return self._deleted(self._apps, app)

    def _moving_device(self, verb: str) -> Handler:
        status, allowed = _DEVICE_MOVES[verb]

        def move(call: Call) -> Outcome:
            device = found_in(self._devices, call.ids[0])
            if self._devices.status(device) not in allowed:
                raise Refusal(403, "E0000152")
            if self._devices.status(device) == status:
                return Outcome(204)
            self._devices.set_status(device, status)
            return Outcome(204, effect=Effect(call.ids[0]))

        return move

    def _delete_device(self, call: Call) -> Outcome:
        device = found_in(self._devices, call.ids[0])
        if self._devices.status(device) != "DEACTIVATED":
            raise Refusal(403, "E0000152")
        return self._deleted(self._devices, device)

    def _revoke_api_token(self, call: Call) -> Outcome:
        return self._deleted(self._content.api_tokens, found_in(self._content.api_tokens, call.ids[0]))

    @staticmethod
    def _deleted(collection: Collection, index: int) -> Outcome:
        record_id = collection.id_of(index).decode()
        collection.delete(index)
        return Outcome(204, effect=Effect(record_id))

    def _create_zone(self, call: Call) -> Outcome:
        zone = call.document(_ZONE)
        self._check_zone(zone, None)
        index = self._zones.add()
        self._zones.edit(index, {**self._whole(index, zone), "system": b"false"})
        return self._shown(index, changed=True)

    def _replace_zone(self, call: Call) -> Outcome:
        index, zone = found_in(self._zones, call.ids[0]), call.document(_ZONE)
        self._check_zone(zone, index)
        before = self._zones.record(index).body
        values = self._whole(index, zone)
        changed = edited(before, values) != edited(before, {})
        if changed:
            self._zones.edit(index, values)
        return self._shown(index, changed=changed)

    def _delete_zone(self, call: Call) -> Outcome:
        index = found_in(self._zones, call.ids[0])
        if self._member(index, "system") is True:
            raise Refusal(403, "E0000006")
        if self._member(index, "status") == "ACTIVE":
            raise Refusal(403, "E0000107")
        return self._deleted(self._zones, index)

    def _moving_zone(self, status: str) -> Handler:
        def move(call: Call) -> Outcome:
            index = found_in(self._zones, call.ids[0])
            changed = self._member(index, "status") != status
            if changed:
                self._zones.edit(index, {"status": quoted(status)})
            return self._shown(index, changed=changed)

        return move

    def _whole(self, index: int, zone: Document) -> dict[str, bytes | None]:
        """Return the values that make record `index` the zone in a body, with nothing of what it was."""
        current = [member.name for member in members_of(self._zones.record(index).body)]
        values: dict[str, bytes | None] = dict.fromkeys(set(current) - _OF_THE_ORG)
        values |= {"usage": b'"POLICY"', "status": b'"ACTIVE"'}
        return values | {name: zone.raw(name) for name in zone.values if name not in _OF_THE_ORG}

    def _check_zone(self, zone: Document, mine: int | None) -> None:
        """Refuse a zone that Okta does not accept in the place of zone `mine`, or as a new one."""
        name, kind = zone.values.get("name"), zone.values.get("type")
        causes = [BLANK.format(member) for member in ("name", "type") if not zone.values.get(member)]
        if name and not (isinstance(name, str) and len(name) <= _LONGEST_NAME):
            causes.append(f"name: The value must be a string of at most {_LONGEST_NAME} characters")
        elif name and self._zone_named(name) not in {None, mine}:
            causes.append(TAKEN.format("name"))
        if kind and kind not in _ZONE_NEEDS:
            causes.append(f"type: There are {', '.join(_ZONE_NEEDS)}")
        elif kind and not any(zone.values.get(member) for member in _ZONE_NEEDS[kind]):
            causes.append(f"type: A zone of type {kind} needs one of {', '.join(_ZONE_NEEDS[kind])}")
        if kind and mine is not None and kind != self._member(mine, "type"):
            causes.append("type: The type of a zone cannot be changed")
        for member, choices in _ZONE_CHOICES.items():
            if member in zone.values and zone.values[member] not in choices:
                causes.append(f"{member}: There are {', '.join(choices)}")
        if causes:
            raise invalid(causes)

    def _zone_named(self, name: str) -> int | None:
        there = (index for index in range(len(self._zones)) if self._zones.exists(index))
        return next((index for index in there if self._member(index, "name") == name), None)

    def _member(self, index: int, name: str) -> object:
        value: object = json.loads(value_in(self._zones.record(index).body, name) or b"null")
        return value

    def _shown(self, index: int, *, changed: bool) -> Outcome:
        record = self._zones.record(index)
        return Outcome(200, record.body, Effect(record.id.decode()) if changed else None)
