"""The operations by name: method, path, and the scope that an access token needs."""

import re
from typing import Final, NamedTuple
from urllib.parse import unquote


class Operation(NamedTuple):
    """One operation.

    Attributes:
        name: List and verb, such as `users.suspend`.
        method: HTTP method.
        path: Path as Okta describes it, ids in braces.
        scope: Scope that an access token needs.
    """

    name: str
    method: str
    path: str
    scope: str

    @property
    def writes(self) -> bool:
        """Whether it is more than reading."""
        return self.method != "GET"


def _of(group: str, path: str, *operations: str) -> list[Operation]:
    """Return operations written `METHOD NAME [PATH]`, on `path` and what follows it, with the scopes of `group`."""
    made = []
    for text in operations:
        method, name, *rest = text.split()
        scope = f"okta.{group}.{'read' if method == 'GET' else 'manage'}"
        made.append(Operation(name, method, path + "".join(rest), scope))
    return made


_USER: Final = "/api/v1/users/{id}"
_FACTORS: Final = "/api/v1/users/{userId}/factors"
_GRANTS: Final = "/api/v1/users/{userId}/grants"
_TOKENS: Final = "/api/v1/users/{userId}/clients/{clientId}/tokens"
_ROLES: Final = "/api/v1/users/{userId}/roles"

_ALL: Final = (
    *_of("users", "/api/v1/users", "POST users.create"),
    *_of(
        "users",
        _USER,
        "GET users.get",
        "POST users.update",
        "PUT users.replace",
        "DELETE users.delete",
        "POST users.activate /lifecycle/activate",
        "POST users.deactivate /lifecycle/deactivate",
        "POST users.reactivate /lifecycle/reactivate",
        "POST users.suspend /lifecycle/suspend",
        "POST users.unsuspend /lifecycle/unsuspend",
        "POST users.unlock /lifecycle/unlock",
        "POST users.expire_password /lifecycle/expire_password",
        "POST users.expire_password_with_temp_password /lifecycle/expire_password_with_temp_password",
        "POST users.reset_password /lifecycle/reset_password",
        "POST users.reset_factors /lifecycle/reset_factors",
        "GET users.groups /groups",
    ),
    *_of("users", "/api/v1/users/{userId}/sessions", "DELETE users.clear_sessions"),
    *_of("users", _FACTORS, "GET user_factors.get /{factorId}", "DELETE user_factors.delete /{factorId}"),
    *_of(
        "users",
        _GRANTS,
        "GET user_grants.list",
        "DELETE user_grants.revoke_all",
        "GET user_grants.get /{grantId}",
        "DELETE user_grants.revoke /{grantId}",
    ),
    *_of(
        "users",
        _TOKENS,
        "GET user_tokens.list",
        "DELETE user_tokens.revoke_all",
        "GET user_tokens.get /{tokenId}",
        "DELETE user_tokens.revoke /{tokenId}",
    ),
    *_of(
        "roles",
        _ROLES,
        "POST user_roles.assign",
        "GET user_roles.get /{roleAssignmentId}",
        "DELETE user_roles.unassign /{roleAssignmentId}",
    ),
    *_of("groups", "/api/v1/groups", "POST groups.create"),
    *_of(
        "groups",
        "/api/v1/groups/{groupId}",
        "GET groups.get",
        "PUT groups.replace",
        "DELETE groups.delete",
        "PUT group_members.add /users/{userId}",
        "DELETE group_members.remove /users/{userId}",
    ),
    *_of(
        "apps",
        "/api/v1/apps/{appId}",
        "GET apps.get",
        "DELETE apps.delete",
        "POST apps.activate /lifecycle/activate",
        "POST apps.deactivate /lifecycle/deactivate",
        "POST app_users.assign /users",
        "GET app_users.get /users/{userId}",
        "POST app_users.update /users/{userId}",
        "DELETE app_users.remove /users/{userId}",
        "GET app_groups.get /groups/{groupId}",
        "PUT app_groups.assign /groups/{groupId}",
        "DELETE app_groups.remove /groups/{groupId}",
    ),
    *_of(
        "devices",
        "/api/v1/devices/{deviceId}",
        "GET devices.get",
        "DELETE devices.delete",
        "POST devices.activate /lifecycle/activate",
        "POST devices.deactivate /lifecycle/deactivate",
        "POST devices.suspend /lifecycle/suspend",
        "POST devices.unsuspend /lifecycle/unsuspend",
    ),
    *_of("apiTokens", "/api/v1/api-tokens/{apiTokenId}", "GET api_tokens.get", "DELETE api_tokens.revoke"),
    *_of("networkZones", "/api/v1/zones", "POST zones.create"),
    *_of(
        "networkZones",
        "/api/v1/zones/{zoneId}",
        "GET zones.get",
        "PUT zones.replace",
        "DELETE zones.delete",
        "POST zones.activate /lifecycle/activate",
        "POST zones.deactivate /lifecycle/deactivate",
    ),
)

OPERATIONS: Final = {operation.name: operation for operation in _ALL}
"""Every operation by name."""


class Route(NamedTuple):
    """What a path stands for: its operations by method, and the ids in it."""

    operations: dict[str, Operation]
    ids: tuple[str, ...]


def _routes() -> dict[tuple[str, ...], dict[str, Operation]]:
    routes: dict[tuple[str, ...], dict[str, Operation]] = {}
    for operation in _ALL:
        shape = tuple(re.sub(r"\{\w+\}", "", part) for part in operation.path.split("/")[3:])
        routes.setdefault(shape, {})[operation.method] = operation
    return routes


_ROUTES: Final = _routes()


def route_of(path: str) -> Route | None:
    """Return what `path` stands for, or None when no operation has it.

    Example:
        >>> route_of("/api/v1/users/a%40b/lifecycle/suspend").ids
        ('a@b',)
    """
    if not path.startswith("/api/v1/"):
        return None
    parts = path.split("/")[3:]
    for shape, operations in _ROUTES.items():
        if len(shape) != len(parts) or shape[0] != parts[0]:
            continue
        pairs = list(zip(shape, parts, strict=True))
        if all(part == wanted if wanted else part for wanted, part in pairs):
            return Route(operations, tuple(unquote(part) for wanted, part in pairs if not wanted))
    return None
