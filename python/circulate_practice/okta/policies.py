"""The policies of the practice org, and their records byte by byte. The API has one list for each type of them."""

from collections.abc import Collection as Some
from typing import Final

from circulate_practice.data.ids import POLICY
from circulate_practice.paging.collection import Clock
from circulate_practice.paging.filters import Attribute, Match
from circulate_practice.paging.inventory import Entry, Inventory
from circulate_practice.paging.pages import PageCache

NAME: Final = "policies"
PATH: Final = "/api/v1/policies"
TYPES: Final = (
    "ACCESS_POLICY",
    "ENTITY_RISK",
    "IDP_DISCOVERY",
    "MFA_ENROLL",
    "OKTA_SIGN_ON",
    "PASSWORD",
    "POST_AUTH_SESSION",
    "PROFILE_ENROLLMENT",
    "DEVICE_SIGNAL_COLLECTION",
    "SESSION_VIOLATION_DETECTION",
    "CLIENT_UPDATE",
    "IDENTITY_CLAIM_SOURCING",
)
"""Every type Okta has. They take turns: the policy of an index has the type that is this far in the tuple."""

_PEOPLE: Final = b'"people":{"groups":{"include":["00g1"]}}'
_SETTINGS: Final = {
    "PASSWORD": b'"conditions":{%b,"authProvider":{"provider":"OKTA"}},"settings":{"password":{"complexity":{'
    b'"minLength":8,"minSymbol":0,"excludeUsername":true,"dictionary":{"common":{"exclude":false}},"excludeAttributes":[]},'
    b'"age":{"maxAgeDays":0,"historyCount":4},"lockout":{"maxAttempts":10,"userLockoutNotificationChannels":[]}},'
    b'"recovery":{"factors":{"okta_email":{"status":"ACTIVE"},"recovery_question":{"status":"INACTIVE"}}}}' % _PEOPLE,
    "MFA_ENROLL": b'"conditions":{%b},"settings":{"type":"AUTHENTICATORS","authenticators":['
    b'{"key":"okta_email","enroll":{"self":"NOT_ALLOWED"}},{"key":"okta_verify","enroll":{"self":"OPTIONAL"}}]}'
    % _PEOPLE,
    "OKTA_SIGN_ON": b'"conditions":{%b}' % _PEOPLE,
}


class Policies(Inventory):
    """All policies of one org.

    Args:
        count: How many there are of each type at the start.
        unavailable: Types that the org does not have.
        seed: Number everything follows from.
        clock: Source of the time of changes.
        edge_cases: Whether records carry the attributes of `EDGE_CASES`.
        cache: Where rendered pages are kept.
    """

    def __init__(  # noqa: PLR0913 - what the records are made of
        self, count: int, unavailable: Some[str], seed: int, clock: Clock, *, edge_cases: bool, cache: PageCache
    ) -> None:
        total = count * len(TYPES)
        super().__init__(
            NAME, "Policy", PATH, total, seed, prefix=POLICY, clock=clock, edge_cases=edge_cases, cache=cache
        )
        self._deleted.update(index for index in range(total) if _type_of(index) in unavailable)

    def _attributes(self) -> dict[str, Attribute]:
        return {"type": _type_attribute}

    def _members(self, entry: Entry) -> tuple[bytes, ...]:
        kind = _type_of(entry.number)
        return (
            b'"type":"%b"' % kind.encode(),
            b'"name":"%b \\u2013 %b","description":""' % (kind.title().encode(), entry.suffix),
            b'"priority":%d,"system":%b' % (entry.number // len(TYPES) + 1, (b"false", b"true")[entry.noise[0] & 1]),
            b'"status":"%b"' % (b"ACTIVE", b"ACTIVE", b"INACTIVE")[entry.noise[1] % 3],
            _SETTINGS.get(kind, b'"conditions":null'),
            b'"practiceNotes":{%b}' % entry.extras,
            b'"_links":{"self":{"href":"%b"},"rules":{"href":"%b/rules"}}' % (entry.here, entry.here),
        )


def _type_of(index: int) -> str:
    return TYPES[index % len(TYPES)]


def _type_attribute(comparison: str, value: str) -> Match | None:
    return (lambda index: _type_of(index) == value) if comparison == "eq" else None
