"""The authorization servers of the practice org, and their records byte by byte."""

from typing import Final

from circulate_practice.data.fragments import ORG_URL
from circulate_practice.data.ids import SERVER
from circulate_practice.data.timestamps import timestamp
from circulate_practice.paging.collection import Clock
from circulate_practice.paging.inventory import Entry, Inventory
from circulate_practice.paging.pages import PageCache

NAME: Final = "authorization_servers"
PATH: Final = "/api/v1/authorizationServers"
_ROTATION_MS: Final = 90 * 86_400_000
_NAMES: Final = (b"default", "Zürich API".encode(), rb"Partners \/ \"beta\"", b"mobile")


class AuthorizationServers(Inventory):
    """All authorization servers of one org.

    Args:
        count: How many there are at the start.
        seed: Number everything follows from.
        clock: Source of the time of changes.
        edge_cases: Whether records carry the attributes of `EDGE_CASES`.
        cache: Where rendered pages are kept.
    """

    def __init__(self, count: int, seed: int, clock: Clock, *, edge_cases: bool, cache: PageCache) -> None:
        super().__init__(
            NAME,
            "AuthorizationServer",
            PATH,
            count,
            seed,
            prefix=SERVER,
            clock=clock,
            edge_cases=edge_cases,
            cache=cache,
        )

    def _members(self, entry: Entry) -> tuple[bytes, ...]:
        noise = entry.noise
        return (
            b'"name":"%b %b","description":""' % (_NAMES[noise[0] & 3], entry.suffix),
            b'"audiences":["api:\\/\\/%d"]' % entry.number,
            b'"issuer":"%b/oauth2/%b","issuerMode":"ORG_URL"' % (ORG_URL, entry.id),
            b'"status":"%b"' % (b"ACTIVE", b"ACTIVE", b"INACTIVE")[noise[1] % 3],
            b'"credentials":{"signing":{"rotationMode":"AUTO","lastRotated":"%b","nextRotation":"%b","kid":"%b"}}'
            % (timestamp(entry.updated), timestamp(entry.updated + _ROTATION_MS), noise.hex().encode()),
            b'"practiceNotes":{%b}' % entry.extras,
            b'"_links":{"self":{"href":"%b"},"scopes":{"href":"%b/scopes"},"metadata":[{"name":"openid-configuration",'
            b'"href":"%b/oauth2/%b/.well-known/openid-configuration"}]}' % (entry.here, entry.here, ORG_URL, entry.id),
        )
