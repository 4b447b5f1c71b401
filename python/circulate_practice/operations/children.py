"""Operations on what users and apps have: assignments, roles, factors, grants, refresh tokens."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from circulate_practice.data.fragments import ORG_URL
from circulate_practice.data.ids import Ids
from circulate_practice.data.json_text import edited, quoted, value_in
from circulate_practice.okta.content import Content, found_in
from circulate_practice.operations.call import Call, Document, Effect, Outcome, Shape
from circulate_practice.operations.profiles import BLANK, invalid
from circulate_practice.operations.users import UserOperations
from circulate_practice.paging.children import Children
from circulate_practice.server.responses import Refusal

_OF_OKTA_VERIFY: Final = frozenset({"push", "signed_nonce"})
_GO_WITH_IT: Final = frozenset({"push", "signed_nonce", "token:software:totp"})
"""Factors that are dropped together with one of Okta Verify."""

_APP_USER: Final[Shape] = {"id": object, "profile": dict, "credentials": {"userName": str, "password": dict}}
_APP_GROUP: Final[Shape] = {"priority": object, "profile": dict}
_ROLE: Final[Shape] = {"type": str, "role": str, "resource-set": str}
_CUSTOM: Final = "CUSTOM"
_ROLES: Final = {
    "SUPER_ADMIN": "Super Administrator",
    "ORG_ADMIN": "Organization Administrator",
    "APP_ADMIN": "Application Administrator",
    "USER_ADMIN": "Group Administrator",
    "GROUP_MEMBERSHIP_ADMIN": "Group Membership Administrator",
    "HELP_DESK_ADMIN": "Help Desk Administrator",
    "READ_ONLY_ADMIN": "Read-only Administrator",
    "REPORT_ADMIN": "Report Administrator",
    "API_ACCESS_MANAGEMENT_ADMIN": "API Access Management Administrator",
    "ACCESS_CERTIFICATIONS_ADMIN": "Access Certifications Administrator",
    "ACCESS_REQUESTS_ADMIN": "Access Requests Administrator",
    "WORKFLOWS_ADMIN": "Workflows Administrator",
}
"""Labels of the standard roles."""


class ChildOperations:
    """Operations on what the users and the apps of one org have.

    Args:
        content: What the org holds.
        users: Operations on users, which find them.
    """

    def __init__(self, content: Content, users: UserOperations) -> None:
        self._content = content
        self._users = users

    def handlers(self) -> dict[str, Callable[[Call], Outcome]]:
        """Return what does each operation, by name."""
        return {
            "app_users.assign": self._assign_user,
            "app_users.get": self._get_user,
            "app_users.update": self._update_user,
            "app_users.remove": self._remove_user,
            "app_groups.assign": self._assign_group,
            "app_groups.get": self._get_group,
            "app_groups.remove": self._remove_group,
            "user_roles.assign": self._assign_role,
            "user_roles.get": self._get_role,
            "user_roles.unassign": self._unassign_role,
            "user_factors.get": self._get_factor,
            "user_factors.delete": self._delete_factor,
            "user_grants.list": self._list_grants,
            "user_grants.get": self._get_grant,
            "user_grants.revoke": self._revoke_grant,
            "user_grants.revoke_all": self._revoke_grants,
            "user_tokens.list": self._list_tokens,
            "user_tokens.get": self._get_token,
            "user_tokens.revoke": self._revoke_token,
            "user_tokens.revoke_all": self._revoke_tokens,
        }

    def _assign_user(self, call: Call) -> Outcome:
        app, body = found_in(self._content.apps, call.ids[0]), _assignment_in(call)
        if not isinstance(body.values.get("id"), str):
            raise invalid([BLANK.format("id")])
        user = self._users.index(body.values["id"])
        if self._content.users.status(user) == "DEPROVISIONED":
            raise Refusal(403, "E0000117")
        position = self._content.app_users.find(app, user)
        given = _given(body, "profile", "credentials")
        if position is None:
            position = self._content.app_users.put(app, user, self._new_assignment(user, given))
            return self._child(self._content.app_users, app, position, changed=True)
        return self._edited(self._content.app_users, app, position, {"scope": b'"USER"', **given})

    def _update_user(self, call: Call) -> Outcome:
        app, position = self._assigned_user(call)
        return self._edited(
            self._content.app_users, app, position, _given(_assignment_in(call), "profile", "credentials")
        )

    def _new_assignment(self, user: int, given: dict[str, bytes]) -> dict[str, bytes | None]:
        """Return the members of an assignment of `user`, as its profile and the body of the call say."""
        profile = value_in(self._content.users.record(user).body, "profile") or b"{}"
        names = ("firstName", "lastName", "email")
        mapped = edited(b"{}", {name: value_in(profile, name) for name in names})
        login = value_in(profile, "login") or b'""'
        now = self._content.users.time()
        return {
            "externalId": None,
            "lastSync": None,
            "created": now,
            "scope": b'"USER"',
            "status": b'"ACTIVE"',
            "statusChanged": now,
            "syncState": b'"DISABLED"',
            "credentials": _shown(given.get("credentials", b'{"userName":%b}' % login)),
            "profile": edited(mapped, _raw_members(given.get("profile", b"{}"))),
        }

    def _get_user(self, call: Call) -> Outcome:
        app, position = self._assigned_user(call)
        return self._child(self._content.app_users, app, position)

    def _remove_user(self, call: Call) -> Outcome:
        call.flag("sendEmail", default=False)
        app, position = self._assigned_user(call)
        if self._read(self._content.app_users, app, position)["scope"] == "GROUP":
            cause = "The application cannot be unassigned from the user while their group memberships grant them access"
            raise Refusal(403, "E0000046", cause=cause)
        return self._taken(self._content.app_users, app, position)

    def _assigned_user(self, call: Call) -> tuple[int, int]:
        app, user = found_in(self._content.apps, call.ids[0]), self._users.index(call.ids[1])
        return app, _there(self._content.app_users.find(app, user), call.ids[1], "AppUser")

    def _assign_group(self, call: Call) -> Outcome:
        app, group = found_in(self._content.apps, call.ids[0]), self._content.group(call.ids[1])
        body = call.optional_document(_APP_GROUP)
        priority = body.values.get("priority", 0)
        if not isinstance(priority, int) or isinstance(priority, bool):
            raise invalid(["priority: The value must be a whole number"])
        given = _given(body, "priority", "profile")
        position = self._content.app_groups.find(app, group)
        if position is None:
            values = {"priority": b"0", "profile": b"{}", **given}
            position = self._content.app_groups.put(app, group, values)
            return self._child(self._content.app_groups, app, position, changed=True)
        return self._edited(self._content.app_groups, app, position, given)

    def _get_group(self, call: Call) -> Outcome:
        app, position = self._assigned_group(call)
        return self._child(self._content.app_groups, app, position)

    def _remove_group(self, call: Call) -> Outcome:
        app, position = self._assigned_group(call)
        return self._taken(self._content.app_groups, app, position)

    def _assigned_group(self, call: Call) -> tuple[int, int]:
        app, group = found_in(self._content.apps, call.ids[0]), self._content.group(call.ids[1])
        return app, _there(self._content.app_groups.find(app, group), call.ids[1], "ApplicationGroupAssignment")

    def _assign_role(self, call: Call) -> Outcome:
        call.flag("disableNotifications", default=False)
        user, body = self._users.index(call.ids[0]), call.document(_ROLE)
        kind = body.values.get("type")
        needed = ("type", "role", "resource-set") if kind == _CUSTOM else ("type",)
        causes = [BLANK.format(name) for name in needed if not body.values.get(name)]
        if kind and kind != _CUSTOM and kind not in _ROLES:
            causes.append(f"type: There are {', '.join([*_ROLES, _CUSTOM])}")
        if causes:
            raise invalid(causes)
        roles = self._content.roles
        held = (self._read(roles, user, position) for position in roles.positions(user))
        if any(all(role.get(name) == body.values[name] for name in needed) for role in held):
            raise Refusal(409, "E0000090")
        position = roles.add(user, self._new_role(user, body, str(kind)))
        return self._child(roles, user, position, changed=True, status=201)

    def _new_role(self, user: int, body: Document, kind: str) -> dict[str, bytes | None]:
        """Return the members of the role that a body assigns."""
        here, now = b"%b/api/v1/users/%b" % (ORG_URL, self._content.users.id_of(user)), self._content.users.time()
        links = b'"assignee":{"href":"%b"}' % here
        custom = kind == _CUSTOM
        if custom:
            role = str(body.values["role"]).encode()
            links += b',"role":{"href":"%b/api/v1/iam/roles/%b"}' % (ORG_URL, role)
        return {
            "type": quoted(kind),
            "label": quoted("Custom" if custom else _ROLES[kind]),
            "role": body.raw("role") if custom else None,
            "resource-set": body.raw("resource-set") if custom else None,
            "status": b'"ACTIVE"',
            "created": now,
            "assignmentType": b'"USER"',
            "_links": b"{%b}" % links,
        }

    def _get_role(self, call: Call) -> Outcome:
        user, position = self._found(call, self._content.roles, self._content.roles.ids, "RoleAssignment")
        return self._child(self._content.roles, user, position)

    def _unassign_role(self, call: Call) -> Outcome:
        user, position = self._found(call, self._content.roles, self._content.roles.ids, "RoleAssignment")
        return self._taken(self._content.roles, user, position)

    def _get_factor(self, call: Call) -> Outcome:
        user, position = self._found(call, self._content.factors, self._content.factors.ids, "UserFactor")
        return self._child(self._content.factors, user, position)

    def _delete_factor(self, call: Call) -> Outcome:
        factors = self._content.factors
        call.flag("removeRecoveryEnrollment", default=False)
        user, position = self._found(call, factors, factors.ids, "UserFactor")
        if self._content.users.status(user) == "DEPROVISIONED":
            raise Refusal(403, "E0000038")
        kinds = {at: self._read(factors, user, at)["factorType"] for at in factors.positions(user)}
        others = [at for at, kind in kinds.items() if kind in _GO_WITH_IT and at != position]
        dropped = others if kinds[position] in _OF_OKTA_VERIFY else []
        also = [factors.child(user, at).id.decode() for at in dropped]
        for at in (position, *dropped):
            factors.take(user, at)
        return Outcome(204, effect=Effect(self._id(user), call.ids[1], {"also": also}))

    def _list_grants(self, call: Call) -> Outcome:
        scope = call.text("scopeId")
        user = self._users.index(call.ids[0])
        every = self._content.grants.positions(user)
        read = {at: self._read(self._content.grants, user, at) for at in every}
        return self._listed(self._content.grants, user, [at for at in every if scope in {"", read[at]["scopeId"]}])

    def _get_grant(self, call: Call) -> Outcome:
        user, position = self._found(call, self._content.grants, self._content.grants.ids, "OAuth2ScopeConsentGrant")
        return self._child(self._content.grants, user, position)

    def _revoke_grant(self, call: Call) -> Outcome:
        user, position = self._found(call, self._content.grants, self._content.grants.ids, "OAuth2ScopeConsentGrant")
        return self._taken(self._content.grants, user, position)

    def _revoke_grants(self, call: Call) -> Outcome:
        user = self._users.index(call.ids[0])
        return self._all_taken(self._content.grants, user, self._content.grants.positions(user))

    def _list_tokens(self, call: Call) -> Outcome:
        user = self._users.index(call.ids[0])
        return self._listed(self._content.tokens, user, self._tokens_of(user, call.ids[1]))

    def _get_token(self, call: Call) -> Outcome:
        user, position = self._token(call)
        return self._child(self._content.tokens, user, position)

    def _revoke_token(self, call: Call) -> Outcome:
        user, position = self._token(call)
        return self._taken(self._content.tokens, user, position)

    def _revoke_tokens(self, call: Call) -> Outcome:
        user = self._users.index(call.ids[0])
        return self._all_taken(self._content.tokens, user, self._tokens_of(user, call.ids[1]))

    def _tokens_of(self, user: int, client: str) -> list[int]:
        tokens = self._content.tokens
        return [at for at in tokens.positions(user) if self._read(tokens, user, at)["clientId"] == client]

    def _token(self, call: Call) -> tuple[int, int]:
        user, client, token_id = self._users.index(call.ids[0]), call.ids[1], call.ids[2]
        number = self._content.tokens.ids.index_of(token_id.encode())
        position = None if number is None else self._content.tokens.find(user, number)
        mine = position if position in self._tokens_of(user, client) else None
        return user, _there(mine, token_id, "OAuth2RefreshToken")

    def _found(self, call: Call, children: Children, ids: Ids, kind: str) -> tuple[int, int]:
        """Return the user of a call and the position of the child that its last id names."""
        user, child_id = self._users.index(call.ids[0]), call.ids[-1]
        number = ids.index_of(child_id.encode())
        return user, _there(None if number is None else children.find(user, number), child_id, kind)

    @staticmethod
    def _read(children: Children, parent: int, position: int) -> dict[str, Any]:
        record: dict[str, Any] = json.loads(children.child(parent, position).body)
        return record

    def _edited(self, children: Children, parent: int, position: int, values: Mapping[str, bytes]) -> Outcome:
        """Give members of a child other values, as far as they are others."""
        now = self._read(children, parent, position)
        changed = {name: value for name, value in values.items() if json.loads(value) != now.get(name)}
        if changed:
            children.edit(parent, position, changed)
        return self._child(children, parent, position, changed=bool(changed))

    @staticmethod
    def _child(children: Children, parent: int, position: int, *, changed: bool = False, status: int = 200) -> Outcome:
        record = children.child(parent, position)
        effect = Effect(record.parent.decode(), record.id.decode()) if changed else None
        return Outcome(status, record.body, effect)

    @staticmethod
    def _taken(children: Children, parent: int, position: int) -> Outcome:
        record = children.child(parent, position)
        children.take(parent, position)
        return Outcome(204, effect=Effect(record.parent.decode(), record.id.decode()))

    @staticmethod
    def _listed(children: Children, parent: int, positions: Iterable[int]) -> Outcome:
        return Outcome(200, b"[%b]" % b",".join(children.child(parent, at).body for at in positions))

    def _all_taken(self, children: Children, user: int, positions: list[int]) -> Outcome:
        revoked = [children.child(user, at).id.decode() for at in positions]
        for at in positions:
            children.take(user, at)
        return Outcome(204, effect=Effect(self._id(user), detail={"revoked": revoked}) if revoked else None)

    def _id(self, user: int) -> str:
        return self._content.users.id_of(user).decode()


def _there(position: int | None, record_id: str, kind: str) -> int:
    if position is None:
        raise Refusal(404, "E0000007", f"{record_id} ({kind})")
    return position


def _given(body: Document, *names: str) -> dict[str, bytes]:
    """Return the text of those members that a body has; credentials as the record shows them."""
    found = {name: body.raw(name) for name in names}
    given = {name: value for name, value in found.items() if value is not None}
    return given | {name: _shown(value) for name, value in given.items() if name == "credentials"}


def _shown(credentials: bytes) -> bytes:
    """Return the credentials of an assignment without a password."""
    has_password = value_in(credentials, "password") is not None
    return edited(credentials, {"password": b"{}"}) if has_password else credentials


def _raw_members(text: bytes) -> dict[str, bytes | None]:
    return {name: value_in(text, name) for name in json.loads(text)}


def _assignment_in(call: Call) -> Document:
    """Return the assignment of a user in the body of a call."""
    body = call.document(_APP_USER)
    credentials = body.part("credentials")
    if credentials is not None and credentials.values.get("userName") == "":
        raise invalid([BLANK.format("userName")])
    return body
