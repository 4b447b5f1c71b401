"""The paths of the API: which list or record each stands for, what each list takes, and whose quota a path uses up."""

from dataclasses import dataclass
from typing import Final, NamedTuple

_ROOT: Final = "/api/v1/"
_OTHERS: Final = "/api/v1"
_BELOW_APPS: Final = "/api/v1/apps"
_BELOW_GROUPS: Final = "/api/v1/groups/{id}"

BUCKETS: Final = (_BELOW_APPS, "/api/v1/users", "/api/v1/groups", _BELOW_GROUPS, "/api/v1/logs", _OTHERS)
"""Buckets of paths with a rate limit of their own. Everything below apps is in one, as it is at Okta."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the query of a list may hold.

    Attributes:
        default: Records of a page when the query does not say.
        most: Largest `limit`.
        least: Smallest `limit`.
        not_served: Parameters Okta knows and the practice org does not; refused, because ignoring them would change the
            answer.
    """

    default: int
    most: int
    least: int = 1
    not_served: frozenset[str]


LISTS: Final = {
    "users": Rules(
        default=200, most=200, not_served=frozenset({"search", "q", "sortBy", "sortOrder", "fields", "expand"})
    ),
    "apps": Rules(
        default=20,
        most=200,
        not_served=frozenset({"q", "useOptimization", "alwaysIncludeVpnSettings", "expand"}),
    ),
    "app_users": Rules(default=50, most=500, not_served=frozenset({"q", "expand", "filter"})),
    "app_groups": Rules(default=20, least=20, most=200, not_served=frozenset({"q", "expand", "filter"})),
    "groups": Rules(default=200, most=10_000, not_served=frozenset({"search", "q", "expand", "sortBy", "sortOrder"})),
    "group_members": Rules(default=1000, most=1000, not_served=frozenset({"filter"})),
    "logs": Rules(default=100, least=0, most=1000, not_served=frozenset({"filter", "q"})),
}
"""Every list by name."""

_CHILDREN: Final = {
    ("apps", "users"): "app_users",
    ("apps", "groups"): "app_groups",
    ("groups", "users"): "group_members",
}
_SINGLE: Final = ("users", "apps", "groups")
_TOP: Final = (*_SINGLE, "logs")


class Place(NamedTuple):
    """What a path stands for: a list, the list below a parent, or one record.

    Attributes:
        collection: Name of the list, or of the list the record belongs to.
        record_id: Id of the parent or the record; empty for a list without a parent.
        single: Whether it is one record.
    """

    collection: str
    record_id: str = ""
    single: bool = False


def place_of(path: str) -> Place | None:
    """Return what `path` stands for, or None when the org does not serve it.

    Example:
        >>> place_of("/api/v1/apps/0oa1/users")
        Place(collection='app_users', record_id='0oa1', single=False)
    """
    first, *rest = path.removeprefix(_ROOT).split("/") if path.startswith(_ROOT) else [""]
    match rest:
        case [] if first in _TOP:
            return Place(first)
        case [record_id] if record_id and first in _SINGLE:
            return Place(first, record_id, single=True)
        case [parent_id, below] if parent_id and (first, below) in _CHILDREN:
            return Place(_CHILDREN[first, below], parent_id)
    return None


def bucket_of(path: str) -> str:
    """Return the bucket whose quota a request of `path` uses up."""
    if path.startswith(_BELOW_APPS + "/"):
        return _BELOW_APPS
    if path.startswith("/api/v1/groups/"):
        return _BELOW_GROUPS
    return path if path in BUCKETS else _OTHERS
