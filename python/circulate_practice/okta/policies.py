"""The policies of the practice org, and their records byte by byte. The API has one list for each type of them."""

from collections.abc import Collection as Some
from typing import Final

from circulate_practice.data.ids import POLICY
from circulate_practice.paging.collection import Clock
from circulate_practice.paging.filters import Attribute, Match
from circulate_practice.paging.inventory import Form, Inventory, Values
from circulate_practice.paging.pages import PageCache

NAME: Final = "policies"
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

_SETTINGS: Final = {
    "PASSWORD": '"conditions":{"people":{"groups":{"include":["00g1"]}},"authProvider":{"provider":"OKTA"}},'
    '"settings":{"password":{"complexity":{"minLength":8,"minSymbol":0,"excludeUsername":true,'
    '"dictionary":{"common":{"exclude":false}},"excludeAttributes":[]},"age":{"maxAgeDays":0,"historyCount":4},'
    '"lockout":{"maxAttempts":10,"userLockoutNotificationChannels":[]}},'
    '"recovery":{"factors":{"okta_email":{"status":"ACTIVE"},"recovery_question":{"status":"INACTIVE"}}}}',
    "MFA_ENROLL": '"conditions":{"people":{"groups":{"include":["00g1"]}}},'
    '"settings":{"type":"AUTHENTICATORS","authenticators":[{"key":"okta_email","enroll":{"self":"NOT_ALLOWED"}},'
    '{"key":"okta_verify","enroll":{"self":"OPTIONAL"}}]}',
    "OKTA_SIGN_ON": '"conditions":{"people":{"groups":{"include":["00g1"]}}}',
}
FORM: Final = Form(
    name=NAME,
    kind="Policy",
    path="/api/v1/policies",
    prefix=POLICY,
    members=(
        '"type":"<type>"',
        r'"name":"<title> \u2013 <suffix>","description":""',
        '"priority":<priority:d>,"system":<system>',
        '"status":"<status>"',
        "<settings>",
        '"practiceNotes":{<extras>}',
        '"_links":{"self":{"href":"<here>"},"rules":{"href":"<here>/rules"}}',
    ),
    turns={
        "type": TYPES,
        "title": tuple(kind.title() for kind in TYPES),
        "settings": tuple(_SETTINGS.get(kind, '"conditions":null') for kind in TYPES),
    },
    chosen={"system": (0, ("false", "true")), "status": (1, ("ACTIVE", "ACTIVE", "INACTIVE"))},
)


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
        self, count: int, unavailable: Some[str], seed: int, *, clock: Clock, edge_cases: bool, cache: PageCache
    ) -> None:
        total = count * len(TYPES)
        super().__init__(FORM, total, seed, clock=clock, edge_cases=edge_cases, cache=cache)
        self._deleted.update(index for index in range(total) if _type_of(index) in unavailable)

    def _attributes(self) -> dict[str, Attribute]:
        return {"type": _type_attribute}

    def _own_values(self, index: int) -> Values:
        return {"priority": index // len(TYPES) + 1}


def _type_of(index: int) -> str:
    return TYPES[index % len(TYPES)]


def _type_attribute(comparison: str, value: str) -> Match | None:
    return (lambda index: _type_of(index) == value) if comparison == "eq" else None
