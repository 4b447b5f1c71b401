"""The paths of the API: which list each stands for, what each list takes, and whose quota a path uses up."""

from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

_ROOT: Final = "/api/v1/"
_OTHERS: Final = "/api/v1"
_BELOW_APPS: Final = "/api/v1/apps"
TOKEN_PATH: Final = "/oauth2/v1/token"  # noqa: S105 - a path
_BELOW: Final = {
    "/api/v1/apps/": _BELOW_APPS,
    "/api/v1/groups/": "/api/v1/groups/{id}",
    "/api/v1/users/": "/api/v1/users/{id}",
}

BUCKETS: Final = (
    _BELOW_APPS,
    "/api/v1/users",
    "/api/v1/users/{id}",
    "/api/v1/groups",
    "/api/v1/groups/{id}",
    "/api/v1/logs",
    "/api/v1/devices",
    TOKEN_PATH,
    _OTHERS,
)
"""Buckets of paths with a rate limit of their own. Everything below apps is in one, as it is at Okta."""


class Paging(Enum):
    """Where a list says what its next page is."""

    HEADER = "in Link headers"
    BODY = "in the body, which is an object around the records"
    NONE = "nowhere, it comes whole"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the query of a list may hold.

    Attributes:
        default: Records of a page when the query does not say.
        most: Largest `limit`.
        least: Smallest `limit`.
        paging: Where it says what the next page is; one that comes whole takes no limit.
        scope: Scope that an access token needs for it.
        not_served: Parameters Okta knows and the practice org does not; refused, because ignoring them would change the
            response.
    """

    default: int
    most: int
    scope: str
    least: int = 1
    paging: Paging = Paging.HEADER
    not_served: frozenset[str] = frozenset()


_ALL: Final = 1_000_000


def _whole(scope: str, *not_served: str) -> Rules:
    return Rules(default=_ALL, most=_ALL, paging=Paging.NONE, scope=scope, not_served=frozenset(not_served))


LISTS: Final = {
    "users": Rules(
        scope="okta.users.read",
        default=200,
        most=200,
        not_served=frozenset({"search", "q", "sortBy", "sortOrder", "fields", "expand"}),
    ),
    "apps": Rules(
        scope="okta.apps.read",
        default=20,
        most=200,
        not_served=frozenset({"q", "useOptimization", "alwaysIncludeVpnSettings", "expand"}),
    ),
    "app_users": Rules(scope="okta.apps.read", default=50, most=500, not_served=frozenset({"q", "expand", "filter"})),
    "app_groups": Rules(
        scope="okta.apps.read", default=20, least=20, most=200, not_served=frozenset({"q", "expand", "filter"})
    ),
    "groups": Rules(
        scope="okta.groups.read",
        default=200,
        most=10_000,
        not_served=frozenset({"expand", "sortBy", "sortOrder"}),
    ),
    "group_members": Rules(scope="okta.groups.read", default=1000, most=1000, not_served=frozenset({"filter"})),
    "logs": Rules(scope="okta.logs.read", default=100, least=0, most=1000, not_served=frozenset({"filter", "q"})),
    "devices": Rules(scope="okta.devices.read", default=200, most=200, not_served=frozenset({"expand"})),
    "policies": Rules(
        scope="okta.policies.read",
        default=20,
        most=200,
        not_served=frozenset({"status", "q", "expand", "sortBy", "resourceId"}),
    ),
    "user_factors": _whole("okta.users.read"),
    "user_roles": _whole("okta.roles.read", "expand"),
    "role_assignees": Rules(scope="okta.roles.read", default=100, most=100, paging=Paging.BODY),
    "api_tokens": _whole("okta.apiTokens.read"),
    "zones": Rules(scope="okta.networkZones.read", default=20, most=200, not_served=frozenset({"filter"})),
    "authorization_servers": Rules(
        scope="okta.authorizationServers.read", default=200, most=200, not_served=frozenset({"q"})
    ),
}
"""Every list by name."""

_CHILDREN: Final = {
    ("apps", "users"): "app_users",
    ("apps", "groups"): "app_groups",
    ("groups", "users"): "group_members",
    ("users", "factors"): "user_factors",
    ("users", "roles"): "user_roles",
}
_TOP: Final = {
    **{name: name for name in ("users", "apps", "groups", "logs", "devices", "policies", "zones")},
    "api-tokens": "api_tokens",
    "authorizationServers": "authorization_servers",
    "iam/assignees/users": "role_assignees",
}


class Place(NamedTuple):
    """The list that a path stands for.

    Attributes:
        collection: Name of the list.
        record_id: Id of the parent; empty for a list without one.
    """

    collection: str
    record_id: str = ""


def place_of(path: str) -> Place | None:
    """Return the list that `path` stands for, or None when it stands for another thing.

    Example:
        >>> place_of("/api/v1/apps/0oa1/users")
        Place(collection='app_users', record_id='0oa1')
    """
    below = path.removeprefix(_ROOT) if path.startswith(_ROOT) else ""
    if below in _TOP:
        return Place(_TOP[below])
    first, *rest = below.split("/")
    match rest:
        case [parent_id, last] if parent_id and (first, last) in _CHILDREN:
            return Place(_CHILDREN[first, last], parent_id)
    return None


def bucket_of(path: str) -> str:
    """Return the bucket whose quota a request of `path` uses up."""
    for start, bucket in _BELOW.items():
        if path.startswith(start):
            return bucket
    return path if path in BUCKETS else _OTHERS
