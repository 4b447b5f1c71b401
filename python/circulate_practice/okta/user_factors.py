"""The factors of each user, byte by byte."""

from typing import Final

from circulate_practice.data.fragments import ORG_URL, Extras, rearrangements
from circulate_practice.data.ids import FACTOR, Ids
from circulate_practice.data.sizes import Sizes
from circulate_practice.data.timestamps import timestamp
from circulate_practice.okta.directory import Directory
from circulate_practice.paging.children import Child, Children
from circulate_practice.paging.collection import Clock
from circulate_practice.paging.pages import PageCache, Record

NAME: Final = "user_factors"
_POOL: Final = 2**40  # large enough that no two users get a factor of the same id
_KINDS: Final = (
    (
        b'"factorType":"question","provider":"OKTA"',
        b'"question":"favorite_art_piece","questionText":"\\"Bild\\"?"',
    ),
    (b'"factorType":"sms","provider":"OKTA"', b'"phoneNumber":"+14155551337"'),
    (b'"factorType":"token:software:totp","provider":"GOOGLE"', b'"credentialId":"dade.murphy@example.com"'),
    (b'"factorType":"push","provider":"OKTA"', '"credentialId":"z","name":"Zoë (phone)","platform":"IOS"'.encode()),
    (b'"factorType":"webauthn","provider":"FIDO"', b'"credentialId":"l3Br0n\\/7H3g047","authenticatorName":"MacBook"'),
    (b'"factorType":"email","provider":"OKTA"', b'"email":"a@example.com"'),
)
_STATUSES: Final = (b"ACTIVE", b"ACTIVE", b"PENDING_ACTIVATION", b"EXPIRED")


class UserFactors(Children):
    """The factors of every user.

    Args:
        directory: The users.
        sizes: How many factors each has at the start.
        seed: Number everything follows from.
        clock: Source of the time of changes.
        edge_cases: Whether profiles carry the attributes of `EDGE_CASES`.
        cache: Where rendered pages are kept.
    """

    _ORDERS = rearrangements(7)

    def __init__(  # noqa: PLR0913 - what the records are made of
        self, directory: Directory, sizes: Sizes, seed: int, *, clock: Clock, edge_cases: bool, cache: PageCache
    ) -> None:
        super().__init__(NAME, directory, sizes, _POOL, seed, clock=clock, cache=cache)
        self.ids = Ids(seed, FACTOR)
        self._extras = Extras(self._key, edge_cases=edge_cases)

    def _record(self, child: Child) -> Record:
        noise, updated, factor_id = child.noise, timestamp(child.updated), self.ids.id_of(child.number)
        kind, profile = _KINDS[noise[5] % len(_KINDS)]
        user = b"%b/api/v1/users/%b" % (ORG_URL, child.parent_id)
        members = (
            b'"id":"%b"' % factor_id,
            kind + b',"vendorName":"OKTA"',
            b'"status":"%b"' % _STATUSES[noise[6] + child.version & 3],
            b'"created":"%b"' % timestamp(child.created),
            b'"lastUpdated":"%b"' % updated,
            b'"profile":{%b,"revision":%d,%b}' % (profile, child.version, self._extras.of(child.number, noise[7])),
            b'"_links":{"self":{"href":"%b/factors/%b"},"user":{"href":"%b"}}' % (user, factor_id, user),
        )
        body = b"{%b}" % b",".join(self._ORDERS[noise[8] & 7](members))
        return Record(factor_id, updated, body, child.parent_id)
