"""The devices of the practice org, and their records byte by byte."""

from typing import Final

from circulate_practice.data.ids import DEVICE
from circulate_practice.paging.collection import Clock
from circulate_practice.paging.filters import Attribute, id_in, name_in, time_in
from circulate_practice.paging.inventory import Entry, Inventory
from circulate_practice.paging.pages import PageCache

NAME: Final = "devices"
PATH: Final = "/api/v1/devices"
STATUSES: Final = ("ACTIVE", "SUSPENDED", "UNSUSPENDED", "DEACTIVATED")
_STATUS_OF_BYTE: Final = bytes([1] * 20 + [2] * 12 + [3] * 24 + [0] * 200)
_NAMES: Final = (
    b"MacBook of Zo\\u00eb",
    "営業 Laptop".encode(),
    rb"R\u0026D \/ bench",
    b"Pixel 9",
    "Kiosk Zürich".encode(),
)
_MAKES: Final = (
    (
        b'"platform":"MACOS","manufacturer":"APPLE","model":"MacBookPro18,3","osVersion":"15.1.0",'
        b'"diskEncryptionType":"ALL_INTERNAL_VOLUMES","udid":"36A56558-1793-5B3A-8362-%04X"'
    ),
    (
        b'"platform":"WINDOWS","manufacturer":"LENOVO","model":"20XW","osVersion":"10.0.26100.2314",'
        b'"diskEncryptionType":"NONE","sid":"S-1-5-21-1004336348-%d"'
    ),
    (
        b'"platform":"IOS","manufacturer":"APPLE","model":"iPhone15,2","osVersion":"18.0","integrityJailbreak":false,'
        b'"udid":"00008110-%016X"'
    ),
    (
        b'"platform":"ANDROID","manufacturer":"Google","model":"Pixel 9","osVersion":"15:2024-11-05",'
        b'"diskEncryptionType":"USER","meid":"%014X"'
    ),
)


class Devices(Inventory):
    """All devices of one org.

    Args:
        count: How many there are at the start.
        seed: Number everything follows from.
        clock: Source of the time of changes.
        edge_cases: Whether profiles carry the attributes of `EDGE_CASES`.
        cache: Where rendered pages are kept.
    """

    def __init__(self, count: int, seed: int, clock: Clock, *, edge_cases: bool, cache: PageCache) -> None:
        super().__init__(
            NAME, "Device", PATH, count, seed, prefix=DEVICE, clock=clock, edge_cases=edge_cases, cache=cache
        )
        self._status = self._start.choices(count, _STATUS_OF_BYTE)

    def _append(self, now: int) -> int:
        self._status.append(STATUSES.index("ACTIVE"))
        return super()._append(now)

    def _attributes(self) -> dict[str, Attribute]:
        return {
            "lastUpdated": time_in(self._updated),
            "status": name_in(self._status, STATUSES),
            "id": id_in(self._ids),
        }

    def _members(self, entry: Entry) -> tuple[bytes, ...]:
        noise, name = entry.noise, b"%b %b" % (_NAMES[entry.noise[0] % len(_NAMES)], entry.suffix)
        return (
            b'"status":"%b"' % STATUSES[self._status[entry.number]].encode(),
            b'"profile":{"displayName":"%b",%b,"serialNumber":"XX%05d","registered":%b,"secureHardwarePresent":%b,%b}'
            % (
                name,
                _MAKES[noise[1] & 3] % entry.number,
                entry.number,
                (b"true", b"false")[noise[2] & 1],
                (b"true", b"false")[noise[3] & 1],
                entry.extras,
            ),
            b'"resourceType":"UDDevice","resourceDisplayName":{"value":"%b","sensitive":false}' % name,
            b'"resourceId":"%b"' % entry.id,
            b'"_links":{"self":{"href":"%b","hints":{"allow":["GET","PUT"]}},"users":{"href":"%b/users"}}'
            % (entry.here, entry.here),
        )
