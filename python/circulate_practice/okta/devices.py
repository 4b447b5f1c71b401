"""The devices of the practice org, and their records byte by byte."""

from typing import Final

from circulate_practice.data.ids import DEVICE
from circulate_practice.paging.collection import Clock
from circulate_practice.paging.filters import Attribute, id_in, name_in, time_in
from circulate_practice.paging.inventory import Form, Inventory, Values
from circulate_practice.paging.pages import PageCache

STATUSES: Final = ("ACTIVE", "SUSPENDED", "UNSUSPENDED", "DEACTIVATED")
_STATUS_OF_BYTE: Final = bytes([1] * 20 + [2] * 12 + [3] * 24 + [0] * 200)
FORM: Final = Form(
    name="devices",
    kind="Device",
    path="/api/v1/devices",
    prefix=DEVICE,
    members=(
        '"status":"<status>"',
        (
            '"profile":{"displayName":"<name> <suffix>",<make>,"serialNumber":"XX<number:05d>",'
            '"registered":<registered>,"secureHardwarePresent":<secure>,<extras>}'
        ),
        '"resourceType":"UDDevice","resourceDisplayName":{"value":"<name> <suffix>","sensitive":false}',
        '"resourceId":"<id>"',
        '"_links":{"self":{"href":"<here>","hints":{"allow":["GET","PUT"]}},"users":{"href":"<here>/users"}}',
    ),
    chosen={
        "name": (0, (r"MacBook of Zo\u00eb", "営業 Laptop", r"R\u0026D \/ bench", "Pixel 9", "Kiosk Zürich")),
        "make": (
            1,
            (
                (
                    '"platform":"MACOS","manufacturer":"APPLE","model":"MacBookPro18,3","osVersion":"15.1.0",'
                    '"diskEncryptionType":"ALL_INTERNAL_VOLUMES","udid":"36A56558-1793-5B3A-8362-<number:04X>"'
                ),
                (
                    '"platform":"WINDOWS","manufacturer":"LENOVO","model":"20XW","osVersion":"10.0.26100.2314",'
                    '"diskEncryptionType":"NONE","sid":"S-1-5-21-1004336348-<number:d>"'
                ),
                (
                    '"platform":"IOS","manufacturer":"APPLE","model":"iPhone15,2","osVersion":"18.0",'
                    '"integrityJailbreak":false,"udid":"00008110-<number:016X>"'
                ),
                (
                    '"platform":"ANDROID","manufacturer":"Google","model":"Pixel 9","osVersion":"15:2024-11-05",'
                    '"diskEncryptionType":"USER","meid":"<number:014X>"'
                ),
            ),
        ),
        "registered": (2, ("true", "false")),
        "secure": (3, ("true", "false")),
    },
)


class Devices(Inventory):
    """All devices of one org, which can be filtered by their status.

    Args:
        count: How many there are at the start.
        seed: Number everything follows from.
        clock: Source of the time of changes.
        edge_cases: Whether profiles carry the attributes of `EDGE_CASES`.
        cache: Where rendered pages are kept.
    """

    def __init__(self, count: int, seed: int, *, clock: Clock, edge_cases: bool, cache: PageCache) -> None:
        super().__init__(FORM, count, seed, clock=clock, edge_cases=edge_cases, cache=cache)
        self._status = self._start.choices(count, _STATUS_OF_BYTE)

    def status(self, index: int) -> str:
        """Return the status of a device."""
        return STATUSES[self._status[index]]

    def set_status(self, index: int, status: str) -> None:
        """Give a device another status, which moves its `lastUpdated`."""
        with self._lock:
            self._status[index] = STATUSES.index(status)
            self.edit(index, {})

    def _append(self, now: int) -> int:
        self._status.append(STATUSES.index("ACTIVE"))
        return super()._append(now)

    def _attributes(self) -> dict[str, Attribute]:
        return {
            "lastUpdated": time_in(self._updated),
            "status": name_in(self._status, STATUSES),
            "id": id_in(self._ids),
        }

    def _own_values(self, index: int) -> Values:
        return {"status": STATUSES[self._status[index]].encode()}
