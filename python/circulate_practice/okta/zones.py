"""The network zones of the practice org, and their records byte by byte."""

from typing import Final

from circulate_practice.data.ids import ZONE
from circulate_practice.paging.collection import Clock
from circulate_practice.paging.inventory import Entry, Inventory
from circulate_practice.paging.pages import PageCache

NAME: Final = "zones"
PATH: Final = "/api/v1/zones"
_KINDS: Final = (
    (
        b'"type":"IP","gateways":[{"type":"CIDR","value":"203.0.113.0/24"},{"type":"RANGE","value":"192.0.2.4-192.0.2.9"}],'
        b'"proxies":null'
    ),
    b'"type":"DYNAMIC","proxyType":"Any","asns":["23457"],"locations":[{"country":"AF","region":"AF-BGL"}]',
    (
        b'"type":"DYNAMIC_V2","asns":{"include":[],"exclude":["64512"]},"locations":{"include":[],"exclude":[]},'
        b'"ipServiceCategories":{"include":["ALL_ANONYMIZERS"],"exclude":[]}'
    ),
    b'"type":"IP","gateways":[{"type":"CIDR","value":"2001:db8::\\/32"}],"proxies":[],"useAsExemptList":false',
)
_NAMES: Final = (b"Offices", "Büro Zürich".encode(), rb"VPN \/ \"Tor\"", b"BlockedIpZone")


class Zones(Inventory):
    """All network zones of one org.

    Args:
        count: How many there are at the start.
        seed: Number everything follows from.
        clock: Source of the time of changes.
        edge_cases: Whether records carry the attributes of `EDGE_CASES`.
        cache: Where rendered pages are kept.
    """

    def __init__(self, count: int, seed: int, clock: Clock, *, edge_cases: bool, cache: PageCache) -> None:
        super().__init__(
            NAME, "NetworkZone", PATH, count, seed, prefix=ZONE, clock=clock, edge_cases=edge_cases, cache=cache
        )

    def _members(self, entry: Entry) -> tuple[bytes, ...]:
        noise = entry.noise
        return (
            b'"name":"%b %b"' % (_NAMES[noise[0] & 3], entry.suffix),
            b'"status":"%b","usage":"%b"'
            % ((b"ACTIVE", b"ACTIVE", b"INACTIVE")[noise[1] % 3], (b"POLICY", b"BLOCKLIST")[noise[2] & 1]),
            b'"system":%b' % (b"false", b"true")[entry.number == 0],
            _KINDS[entry.number % len(_KINDS)],
            b'"practiceNotes":{%b}' % entry.extras,
            b'"_links":{"self":{"href":"%b"},"deactivate":{"href":"%b/lifecycle/deactivate","hints":{"allow":["POST"]}}}'
            % (entry.here, entry.here),
        )
