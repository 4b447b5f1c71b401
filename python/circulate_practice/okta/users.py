"""Write the record of one user, byte by byte.

A record is put together from fragments of JSON text instead of being serialised from values, because `1.0`, `1e5`,
duplicate keys and the choice between a raw letter and its escape would not survive a serialiser. What a record holds
depends on the seed and on the `Row` alone, so a page can be rendered at any time, in any order, and again.
"""

import hashlib
from typing import Final, NamedTuple

from circulate_practice.data.fragments import ORG_URL, Extras, rearrangements
from circulate_practice.data.ids import Ids
from circulate_practice.data.timestamps import timestamp
from circulate_practice.data.vocabulary import FIRST_NAMES, JOBS, LAST_NAMES, PLACES, PROVIDERS, QUESTIONS

STATUSES: Final = (
    "ACTIVE",
    "STAGED",
    "PROVISIONED",
    "SUSPENDED",
    "LOCKED_OUT",
    "PASSWORD_EXPIRED",
    "RECOVERY",
    "DEPROVISIONED",
)
"""Every status Okta has for users; columns hold positions in this tuple."""

STAGED: Final = STATUSES.index("STAGED")
DEPROVISIONED: Final = STATUSES.index("DEPROVISIONED")


class Row(NamedTuple):
    """What varies between users: the columns of the directory for one of them."""

    number: int
    version: int
    status: int
    updated: int
    created: int


class Person(NamedTuple):
    """Whom a user record is about, as JSON text."""

    first: bytes
    last: bytes
    login: bytes


class UserWriter:
    """Render the users of one org.

    Args:
        seed: Number the whole org follows from.
        ids: The ids of the org.
        edge_cases: Whether profiles carry attributes of the kinds in `EDGE_CASES`.
    """

    _ORDERS = rearrangements(12)
    _PROFILE_ORDERS = rearrangements(9)

    def __init__(self, seed: int, ids: Ids, *, edge_cases: bool = True) -> None:
        self._ids = ids
        self._key = b"user:%d" % seed
        digest = hashlib.blake2b(self._key).digest()
        self._extras = Extras(self._key, edge_cases=edge_cases)
        self._types = tuple(b'{"id":"oty%b"}' % digest[at : at + 4].hex().encode().ljust(17, b"X") for at in (8, 12))

    def record(self, row: Row) -> bytes:
        """Return the record of `row` as compact JSON, 1.2 to 2.5 KB."""
        noise = self._noise(row.number)
        user_id = self._ids.id_of(row.number)
        members = (
            b'"id":"%b"' % user_id,
            b'"status":"%b"' % STATUSES[row.status].encode(),
            *_dates(row, noise[0]),
            b'"type":' + self._types[noise[1] & 1],
            b'"profile":{%b}' % self._profile(row, noise),
            b'"credentials":{"password":{},"provider":%b%b}'
            % (PROVIDERS[noise[2] % len(PROVIDERS)], QUESTIONS[noise[3] % len(QUESTIONS)]),
            b'"_links":{"self":{"href":"%b/api/v1/users/%b"}}' % (ORG_URL, user_id),
        )
        return b"{%b}" % b",".join(self._ORDERS[noise[4] & 7](members))

    def person(self, number: int) -> Person:
        """Return the name and login of user `number`, whether or not there is one yet."""
        return _person(number, self._noise(number))

    def _noise(self, number: int) -> bytes:
        return hashlib.blake2b(b"%d" % number, key=self._key, digest_size=16).digest()

    def _profile(self, row: Row, noise: bytes) -> bytes:
        number, version = row.number, row.version
        first, last, login = _person(number, noise)
        first_plain = FIRST_NAMES[noise[5] & 15][1]
        changing = (noise[7] + version) & 255
        members = (
            b'"firstName":"%b","lastName":"%b","displayName":"%b %b"' % (first, last, first, last),
            b'"login":"%b","email":"%b"' % (login, login),
            b'"middleName":null,"honorificPrefix":%b,"honorificSuffix":""'
            % (b"null", b"null", b"null", b'"Dr."')[noise[8] & 3],
            b'"mobilePhone":%b,"primaryPhone":"+1 555 01%02d","secondEmail":%b'
            % (
                (b"null", b'"+41 79 555 %02d %02d"' % (changing % 100, noise[9] % 100))[changing & 1],
                noise[10] % 100,
                (b"null", b'"%b@home.example.org"' % first_plain)[noise[11] & 1],
            ),
            PLACES[noise[12] & 7],
            JOBS[changing & 7],
            b'"employeeNumber":"%06d","costCenter":"CC-%d","organization":"Example \\u0026 Sons",'
            b'"managerId":"%b","manager":"%b"'
            % (number, changing % 40, self._ids.id_of(number // 9), LAST_NAMES[noise[13] & 15][0]),
            b'"badgeRevision":%d,"profileUrl":"https://people.example.com/%b.%d","nickName":null'
            % (version, first_plain, number),
            self._extras.of(number, noise[14]),
        )
        return b",".join(self._PROFILE_ORDERS[noise[15] & 7](members))


def _person(number: int, noise: bytes) -> Person:
    first, first_plain = FIRST_NAMES[noise[5] & 15]
    last, last_plain = LAST_NAMES[noise[6] & 15]
    return Person(first, last, b"%b.%b.%d@example.com" % (first_plain, last_plain, number))


def _dates(row: Row, noise: int) -> tuple[bytes, ...]:
    """Return the members with dates; whoever was never activated has none but `created` and `lastUpdated`."""
    created, updated = row.created, row.updated
    span = updated - created
    activated = logged_in = changed = b"null"
    if row.status != STAGED:
        activated = b'"%b"' % timestamp(created + min(span, noise * 60_000))
        changed = b'"%b"' % timestamp(created + span // 3)
        logged_in = b'"%b"' % timestamp(created + span // 2) if noise & 15 else b"null"
    return (
        b'"created":"%b"' % timestamp(created),
        b'"activated":' + activated,
        b'"statusChanged":' + changed,
        b'"lastLogin":' + logged_in,
        b'"lastUpdated":"%b"' % timestamp(updated),
        b'"passwordChanged":' + changed,
    )
