"""Lists and types of policies that are unavailable in an org, because its licence or its engine lacks the feature.

They are written `LIST[:STATUS]` or `policies/TYPE[:STATUS]`. Okta responds in more than one way, so the status can be
chosen: 401 says that there is no permission for the feature, 404 that the path is not known, and 400, which is the
response to an unavailable type of policies, that the type is invalid.
"""

from collections.abc import Iterable
from typing import Final

from circulate_practice.okta.policies import NAME as POLICIES
from circulate_practice.okta.policies import TYPES
from circulate_practice.okta.routes import LISTS
from circulate_practice.server.responses import Refusal

_RESPONSES: Final[dict[str, tuple[int, str, str]]] = {
    "400": (400, "E0000002", "Invalid policy type specified."),
    "401": (401, "E0000015", ""),
    "404": (404, "E0000008", ""),
}


class Unavailable:
    """Lists and types of policies that are unavailable in one org.

    Args:
        names: Each as above.

    Raises:
        ValueError: If one of them names no list or type, or a status that Okta does not use for it.

    Example:
        >>> Unavailable(["policies/ENTITY_RISK", "devices:404"]).policy_types
        frozenset({'ENTITY_RISK'})
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._status = dict(map(_parsed, names))

    @property
    def policy_types(self) -> frozenset[str]:
        """Types of policies that are unavailable."""
        return frozenset(name.removeprefix(f"{POLICIES}/") for name in self._status if "/" in name)

    def __contains__(self, name: str) -> bool:
        """Return whether a whole list is unavailable."""
        return name in self._status

    def check(self, name: str) -> None:
        """Refuse a list, or `policies/TYPE`, that is unavailable.

        Raises:
            Refusal: If it is.
        """
        if name in self._status:
            raise Refusal(*_RESPONSES[self._status[name]])


def _parsed(text: str) -> tuple[str, str]:
    name, colon, status = text.partition(":")
    collection, slash, kind = name.partition("/")
    if collection not in LISTS or (slash and (collection != POLICIES or kind not in TYPES)):
        message = f'unavailable: no list "{name}"; there are {", ".join(LISTS)}, and policies/TYPE'
        raise ValueError(message)
    if not colon:
        status = "400" if slash else "401"
    if status not in _RESPONSES or (status == "400" and not slash):
        message = f'unavailable: invalid status in "{text}"; a list can have 401 or 404, a type of policies also 400'
        raise ValueError(message)
    return name, status
