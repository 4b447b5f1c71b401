"""What OAuth clients may do in the name of each user: grants of scopes and refresh tokens, byte by byte.

No list of the org is made of them; they are there to be revoked.
"""

from typing import Final

from circulate_practice.data.fragments import ORG_URL
from circulate_practice.data.ids import APP, GRANT, TOKEN, Ids
from circulate_practice.data.sizes import Sizes
from circulate_practice.data.timestamps import timestamp
from circulate_practice.okta.directory import Directory
from circulate_practice.paging.children import Child, Children
from circulate_practice.paging.collection import Clock
from circulate_practice.paging.pages import PageCache, Record

_POOL: Final = 2**40  # large enough that no two users get a grant of the same id
_SCOPES: Final = ("okta.users.read", "okta.groups.manage", "offline_access", "profile")
_LIFETIME_MS: Final = 90 * 86_400_000
_CLIENTS: Final = 3


class _UserAccess(Children):
    """Something that clients have of every user."""

    _PREFIX: bytes

    def __init__(  # noqa: PLR0913 - what the records are made of
        self, name: str, directory: Directory, sizes: Sizes, seed: int, *, clock: Clock, cache: PageCache
    ) -> None:
        super().__init__(name, directory, sizes, _POOL, seed, clock=clock, cache=cache)
        self.ids = Ids(seed, self._PREFIX)
        self._clients = Ids(seed, APP)

    def _common(self, child: Child, path: bytes) -> tuple[bytes, ...]:
        """Return the members that grants and tokens share."""
        client, user = self._clients.id_of(child.noise[5] % _CLIENTS), child.parent_id
        here = b"%b/api/v1/users/%b" % (ORG_URL, user)
        return (
            b'"id":"%b"' % self.ids.id_of(child.number),
            b'"status":"ACTIVE"',
            b'"created":"%b","lastUpdated":"%b"' % (timestamp(child.created), timestamp(child.updated)),
            b'"issuer":"%b","clientId":"%b","userId":"%b"' % (ORG_URL, client, user),
            b'"_links":{"self":{"href":"%b"},"client":{"href":"%b/oauth2/v1/clients/%b","title":"Console"},'
            b'"user":{"href":"%b","title":"Zo\\u00eb"}}' % (here + path % client, ORG_URL, client, here),
        )


class UserGrants(_UserAccess):
    """The scopes that each user has granted to clients."""

    _PREFIX = GRANT

    def _record(self, child: Child) -> Record:
        grant_id = self.ids.id_of(child.number)
        first, *rest = self._common(child, b"/grants/" + grant_id + b"%.0b")
        scope = _SCOPES[child.noise[6] & 3].encode()
        body = b",".join((first, b'"scopeId":"%b","source":"END_USER"' % scope, *rest))
        return Record(grant_id, timestamp(child.updated), b"{%b}" % body, child.parent_id)


class UserTokens(_UserAccess):
    """The refresh tokens that clients have of each user."""

    _PREFIX = TOKEN

    def _record(self, child: Child) -> Record:
        token_id = self.ids.id_of(child.number)
        first, *rest = self._common(child, b"/clients/%b/tokens/" + token_id)
        expires = timestamp(child.updated + _LIFETIME_MS)
        body = b",".join((first, b'"scopes":["offline_access"],"expiresAt":"%b"' % expires, *rest))
        return Record(token_id, timestamp(child.updated), b"{%b}" % body, child.parent_id)
