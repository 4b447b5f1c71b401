"""API tokens of the practice org, as its API lists them, byte by byte. The token it accepts is not among them."""

from typing import Final

from circulate_practice.data.fragments import ORG_URL
from circulate_practice.data.ids import API_TOKEN, USER, Ids
from circulate_practice.data.timestamps import timestamp
from circulate_practice.paging.collection import Clock
from circulate_practice.paging.inventory import Entry, Inventory
from circulate_practice.paging.pages import PageCache

NAME: Final = "api_tokens"
PATH: Final = "/api/v1/api-tokens"
_LIFETIME_MS: Final = 30 * 86_400_000
_NAMES: Final = (b"Terraform", "Büro-Skript".encode(), rb"HR \/ sync", b"SIEM")
_NETWORKS: Final = (
    b'{"connection":"ANYWHERE"}',
    b'{"connection":"ZONE","include":["nzowc1U5Jh5xuAK0o0g3"],"exclude":[]}',
)


class ApiTokens(Inventory):
    """All API tokens of one org.

    Args:
        count: How many there are at the start.
        seed: Number everything follows from.
        clock: Source of the time of changes.
        edge_cases: Whether records carry the attributes of `EDGE_CASES`.
        cache: Where rendered pages are kept.
    """

    def __init__(self, count: int, seed: int, clock: Clock, *, edge_cases: bool, cache: PageCache) -> None:
        super().__init__(
            NAME, "ApiToken", PATH, count, seed, prefix=API_TOKEN, clock=clock, edge_cases=edge_cases, cache=cache
        )
        self._users = Ids(seed, USER)

    def _members(self, entry: Entry) -> tuple[bytes, ...]:
        noise, user_id = entry.noise, self._users.id_of(entry.noise[0] & 3)
        return (
            b'"name":"%b %b"' % (_NAMES[noise[1] & 3], entry.suffix),
            b'"userId":"%b"' % user_id,
            b'"tokenWindow":"P30D","network":' + _NETWORKS[noise[2] & 1],
            b'"clientName":"Okta API","expiresAt":"%b"' % timestamp(entry.updated + _LIFETIME_MS),
            b'"practiceNotes":{%b}' % entry.extras,
            b'"_links":{"self":{"href":"%b","hints":{"allow":["GET","DELETE"]}},"user":{"href":"%b/api/v1/users/%b"}}'
            % (entry.here, ORG_URL, user_id),
        )
