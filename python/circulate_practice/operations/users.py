"""Operations on users: their profile, their status, their sessions."""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from circulate_practice.data.fragments import ORG_URL
from circulate_practice.data.json_text import edited, value_in
from circulate_practice.okta.content import Content
from circulate_practice.operations.call import Call, Document, Effect, Outcome, Shape
from circulate_practice.operations.profiles import BLANK, TAKEN, check_password, check_profile, invalid, shown
from circulate_practice.server.responses import Refusal

_ELSEWHERE: Final = frozenset({"ACTIVE_DIRECTORY", "LDAP"})
"""Providers that own the profiles and the locks of their users."""

_RESETTABLE: Final = frozenset({"ACTIVE", "PROVISIONED", "PASSWORD_EXPIRED", "LOCKED_OUT", "RECOVERY"})
_EXPIRABLE: Final = frozenset({"ACTIVE", "PASSWORD_EXPIRED", "RECOVERY"})
_WAITING: Final = frozenset({"PROVISIONED", "PASSWORD_EXPIRED", "RECOVERY"})
"""Statuses that a new password ends."""

_MOST_GROUPS: Final = 20
_NEW_CREDENTIALS: Final = b'{"provider":{"type":"OKTA","name":"OKTA"}}'


_BODY: Final[Shape] = {
    "profile": dict,
    "credentials": {
        "password": {"value": object},
        "provider": {"type": str, "name": str},
        "recovery_question": {"question": str, "answer": str},
    },
    "groupIds": [str],
    "type": {"id": str},
}


class _Pending(NamedTuple):
    """A change of status that is under way: how many more reads it takes, and what it ends in."""

    reads: int
    status: str
    values: Mapping[str, bytes | None]


class UserOperations:
    """Operations on the users of one org.

    Args:
        content: What the org holds.
        seed: Number that one-time links and passwords follow from.
    """

    def __init__(self, content: Content, seed: int) -> None:
        self._content = content
        self._users = content.users
        self._key = b"secrets:%d" % seed
        self._secrets = 0
        self._pending: dict[int, _Pending] = {}

    def handlers(self) -> dict[str, Callable[[Call], Outcome]]:
        """Return what does each operation, by name."""
        return {
            "users.get": self._get,
            "users.create": self._create,
            "users.update": self._update,
            "users.replace": self._replace,
            "users.delete": self._delete,
            "users.activate": self._activate,
            "users.deactivate": self._deactivate,
            "users.reactivate": self._reactivate,
            "users.suspend": self._suspend,
            "users.unsuspend": self._unsuspend,
            "users.unlock": self._unlock,
            "users.expire_password": self._expire_password,
            "users.expire_password_with_temp_password": self._expire_password_with_temp_password,
            "users.reset_password": self._reset_password,
            "users.reset_factors": self._reset_factors,
            "users.clear_sessions": self._clear_sessions,
            "users.groups": self._groups,
        }

    def index(self, name: str) -> int:
        """Return the index of the user with that id or login.

        Raises:
            Refusal: If there is none.
        """
        index = self._users.find(name)
        if index is None:
            raise Refusal(404, "E0000007", f"{name} (User)")
        return index

    def _id(self, index: int) -> str:
        return self._users.id_of(index).decode()

    def _record(self, index: int) -> bytes:
        return self._users.record(index).body

    def _shown(self, index: int, effect: Effect | None = None) -> Outcome:
        body = self._record(index)
        return Outcome(200, body, effect, etag=f'W/"{hashlib.sha256(body).hexdigest()[:16]}"')

    def _get(self, call: Call) -> Outcome:
        index = self.index(call.ids[0])
        pending = self._pending.get(index)
        if pending is not None and pending.reads:
            self._pending[index] = pending._replace(reads=pending.reads - 1)
        elif pending is not None:
            del self._pending[index]
            self._set(index, pending.status, pending.values)
        return self._shown(index)

    def _create(self, call: Call) -> Outcome:
        activate, with_provider = call.flag("activate", default=True), call.flag("provider", default=False)
        document = call.document(_BODY)
        profile, credentials = document.part("profile"), document.part("credentials")
        if profile is None:
            raise invalid([BLANK.format("profile")])
        check_profile(profile.values, whole=True)
        has_password = check_password(credentials)
        if call.text("nextLogin") == "changePassword" and not activate:
            raise Refusal(400, "E0000125", cause=_SUMMARY_125)
        if call.text("nextLogin") == "changePassword" and not has_password:
            raise Refusal(400, "E0000124", cause=_SUMMARY_124)
        self._check_login(str(profile.values["login"]), None)
        groups = self._groups_for(document)
        status = _first_status(call, activate=activate, has_password=has_password)
        provider = credentials.part("provider") if credentials is not None and with_provider else None
        if with_provider and (provider is None or "type" not in provider.values):
            raise invalid([BLANK.format("provider")])
        if provider is not None and provider.values["type"] in {"FEDERATION", "SOCIAL"} and activate:
            status = "ACTIVE"
        now = self._users.time()
        began = _NEW_CREDENTIALS if provider is None else edited(b"{}", {"provider": provider.text})
        values = {
            "activated": now if activate else b"null",
            "statusChanged": now if activate else b"null",
            "lastLogin": b"null",
            "passwordChanged": now if has_password else b"null",
            "credentials": shown(began, credentials),
            **_type_in(document),
        }
        index = self._content.create_user("STAGED" if call.delay is not None else status, profile.text, values)
        if call.delay is not None and activate:
            self._begin(index, call.delay, status, {}, "ACTIVE")
        for group in groups:
            self._content.members.put(group, index, {})
        detail = {"groupIds": document.values["groupIds"]} if groups else {}
        return self._shown(index, Effect(self._id(index), detail=detail))

    def _groups_for(self, document: Document) -> list[int]:
        """Return the groups that a new user is to be in."""
        wanted = document.values.get("groupIds", [])
        if len(wanted) > _MOST_GROUPS:
            raise Refusal(400, "E0000093", cause="The number of group targets is too large")
        found = [self._content.group(group) for group in dict.fromkeys(wanted)]
        for group in found:
            self._content.check_okta_group(group)
        return found

    def _update(self, call: Call) -> Outcome:
        return self._change(call, whole=False)

    def _replace(self, call: Call) -> Outcome:
        return self._change(call, whole=True)

    def _change(self, call: Call, *, whole: bool) -> Outcome:
        """Update a user, or replace its `whole` profile."""
        index, document = self._changeable(call), call.document(_BODY)
        self._check_match(call, index)
        before = self._users.status(index)
        if before == "DEPROVISIONED":
            raise Refusal(403, "E0000038")
        if whole and not {"profile", "credentials"} & document.values.keys():
            raise invalid([BLANK.format("profile")])
        body = self._record(index)
        profile = self._profile_for(index, document, body, whole=whole)
        values = self._type_for(document, body, whole=whole)
        after = before
        if check_password(document.part("credentials")):
            values["passwordChanged"] = self._users.time()
            after = "ACTIVE" if before in _WAITING else before
        current = value_in(body, "credentials") or b"{}"
        credentials = shown(current, document.part("credentials"))
        if credentials != current:
            values["credentials"] = credentials
        if profile is None and not values:
            return self._shown(index)
        changed = sorted({*values, *(["profile"] if profile is not None else [])})
        if after != before:
            self._users.set_status(index, after)
        if profile is None:
            self._users.edit(index, values)
        else:
            self._users.set_profile(index, profile, values)
        return self._shown(index, Effect(self._id(index), detail={"changed": changed}))

    def _profile_for(self, index: int, document: Document, body: bytes, *, whole: bool) -> bytes | None:
        """Return the profile that a user is to have, or None if it is to stay what it is."""
        profile, current = document.part("profile"), value_in(body, "profile") or b"{}"
        if profile is None:
            return None
        check_profile(profile.values, whole=whole)
        given = {name: profile.raw(name) for name in profile.values}
        wanted = profile.text if whole else edited(current, given)
        if wanted == current:
            return None
        if self._provider(index) in _ELSEWHERE:
            raise Refusal(403, "E0000023")
        self._check_login(_login_in(wanted), index)
        return wanted

    def _delete(self, call: Call) -> Outcome:
        call.flag("sendEmail", default=False)
        index = self._changeable(call)
        user_id = self._id(index)
        if self._users.status(index) != "DEPROVISIONED":
            self._deprovision(call, index)
            return Outcome(204, effect=Effect(user_id, detail={"did": "deactivate"}))
        self._users.delete(index)
        return Outcome(204, effect=Effect(user_id, detail={"did": "delete"}))

    def _activate(self, call: Call) -> Outcome:
        by_mail = call.flag("sendEmail", default=True)
        index = self._changeable(call)
        status, now = self._users.status(index), self._users.time()
        if status not in {"STAGED", "DEPROVISIONED"}:
            raise Refusal(403, "E0000038" if status == "SUSPENDED" else "E0000016")
        ready = status == "STAGED" and value_in(value_in(self._record(index), "credentials") or b"{}", "password")
        self._become(call, index, "ACTIVE" if ready else "PROVISIONED", {"activated": now}, "ACTIVE")
        return self._invited(index, by_mail=by_mail)

    def _reactivate(self, call: Call) -> Outcome:
        by_mail = call.flag("sendEmail", default=False)
        index = self._changeable(call)
        if self._users.status(index) not in {"PROVISIONED", "RECOVERY"}:
            raise Refusal(403, "E0000038")
        self._set(index, "PROVISIONED")
        return self._invited(index, by_mail=by_mail)

    def _invited(self, index: int, *, by_mail: bool) -> Outcome:
        effect = Effect(self._id(index), detail={"sendEmail": by_mail})
        if by_mail:
            return Outcome(200, b"{}", effect)
        token = self._secret()
        url = f"{ORG_URL.decode()}/welcome/{token}"
        return Outcome(200, _json({"activationUrl": url, "activationToken": token}), effect)

    def _deactivate(self, call: Call) -> Outcome:
        by_mail = call.flag("sendEmail", default=False)
        index = self._changeable(call)
        if self._users.status(index) == "DEPROVISIONED":
            raise Refusal(403, "E0000038")
        self._deprovision(call, index)
        return Outcome(200, effect=Effect(self._id(index), detail={"sendEmail": by_mail}))

    def _deprovision(self, call: Call, index: int) -> None:
        """Deactivate a user, who loses all apps with it."""
        self._become(call, index, "DEPROVISIONED", {}, "DEPROVISIONED")
        self._content.unassign_everywhere(index)

    def _suspend(self, call: Call) -> Outcome:
        index = self._changeable(call)
        if self._users.status(index) != "ACTIVE":
            raise invalid(["suspendUser: Cannot suspend a user that is not active"])
        return self._moved(index, "SUSPENDED")

    def _unsuspend(self, call: Call) -> Outcome:
        index = self._changeable(call)
        if self._users.status(index) != "SUSPENDED":
            raise invalid(["unsuspendUser: Cannot unsuspend a user that is not suspended"])
        return self._moved(index, "ACTIVE")

    def _unlock(self, call: Call) -> Outcome:
        index = self._changeable(call)
        if self._users.status(index) != "LOCKED_OUT" or self._provider(index) in _ELSEWHERE:
            raise Refusal(403, "E0000032")
        return self._moved(index, "ACTIVE")

    def _moved(self, index: int, status: str) -> Outcome:
        self._set(index, status)
        return Outcome(200, effect=Effect(self._id(index)))

    def _expire_password(self, call: Call) -> Outcome:
        index = self._in_status(call, _EXPIRABLE)
        if self._users.status(index) == "PASSWORD_EXPIRED":
            return self._shown(index)
        self._set(index, "PASSWORD_EXPIRED")
        return self._shown(index, Effect(self._id(index)))

    def _expire_password_with_temp_password(self, call: Call) -> Outcome:
        revoke = call.flag("revokeSessions", default=False)
        index = self._in_status(call, _EXPIRABLE)
        self._set(index, "PASSWORD_EXPIRED", {"passwordChanged": self._users.time()})
        effect = Effect(self._id(index), detail={"revokeSessions": revoke})
        return Outcome(200, _json({"tempPassword": self._secret()[:12]}), effect)

    def _reset_password(self, call: Call) -> Outcome:
        by_mail, revoke = call.flag("sendEmail"), call.flag("revokeSessions", default=False)
        index = self._in_status(call, _RESETTABLE)
        self._set(index, "RECOVERY")
        effect = Effect(self._id(index), detail={"sendEmail": by_mail, "revokeSessions": revoke})
        url = f"{ORG_URL.decode()}/reset_password/{self._secret()}"
        return Outcome(200, _json({} if by_mail else {"resetPasswordUrl": url}), effect)

    def _reset_factors(self, call: Call) -> Outcome:
        index = self._changeable(call)
        if self._users.status(index) == "DEPROVISIONED":
            raise Refusal(403, "E0000038")
        factors = self._content.factors
        positions = factors.positions(index)
        for position in positions:
            factors.take(index, position)
        detail = {"factors": len(positions)}
        return Outcome(200, effect=Effect(self._id(index), detail=detail) if positions else None)

    def _clear_sessions(self, call: Call) -> Outcome:
        tokens, devices = call.flag("oauthTokens", default=False), call.flag("forgetDevices", default=True)
        index = self.index(call.ids[0])
        revoked = self._content.tokens.positions(index) if tokens else []
        for position in revoked:
            self._content.tokens.take(index, position)
        detail = {"oauthTokens": tokens, "forgetDevices": devices, "tokens": len(revoked)}
        return Outcome(204, effect=Effect(self._id(index), detail=detail))

    def _groups(self, call: Call) -> Outcome:
        index = self.index(call.ids[0])
        groups = self._content.groups_of(index)
        return Outcome(200, b"[%b]" % b",".join(record.body for record in groups))

    def _changeable(self, call: Call) -> int:
        """Return the user of a call that changes it, if no change of its status is under way."""
        index = self.index(call.ids[0])
        if index in self._pending:
            raise Refusal(409, "E0000112")
        return index

    def _in_status(self, call: Call, allowed: frozenset[str]) -> int:
        index = self._changeable(call)
        if self._users.status(index) not in allowed:
            raise Refusal(403, "E0000038")
        return index

    def _become(self, call: Call, index: int, status: str, values: Mapping[str, bytes | None], transition: str) -> None:
        """Give a user another status, now or after as many reads as the call says."""
        if call.delay is None:
            self._set(index, status, values)
        else:
            self._begin(index, call.delay, status, values, transition)

    def _begin(self, index: int, reads: int, status: str, values: Mapping[str, bytes | None], transition: str) -> None:
        self._users.edit(index, {"transitioningToStatus": b'"%b"' % transition.encode()})
        self._pending[index] = _Pending(reads, status, {**values, "transitioningToStatus": None})

    def _set(self, index: int, status: str, values: Mapping[str, bytes | None] | None = None) -> None:
        self._users.set_status(index, status, values)

    def _provider(self, index: int) -> str:
        credentials = json.loads(value_in(self._record(index), "credentials") or b"{}")
        return str(credentials.get("provider", {}).get("type"))

    def _check_login(self, login: str, mine: int | None) -> None:
        if self._users.find(login) not in {None, mine}:
            raise invalid([TAKEN.format("login")])

    def _check_match(self, call: Call, index: int) -> None:
        wanted = call.request.if_match
        if wanted not in {"", "*", self._shown(index).etag}:
            raise Refusal(412, "E0000002", f"If-Match: {wanted} is not the current state of the user.")

    def _type_for(self, document: Document, body: bytes, *, whole: bool) -> dict[str, bytes | None]:
        """Return the type that a user is to have, if it is another one; only replacing a user can change it."""
        values, current = _type_in(document), value_in(body, "type")
        if values.get("type") in {None, current}:
            return {}
        if not whole:
            raise invalid(["type: The type of a user can only be changed by replacing the user"])
        return values

    def _secret(self) -> str:
        self._secrets += 1
        return hashlib.blake2b(b"%d" % self._secrets, key=self._key, digest_size=10).hexdigest()


_SUMMARY_124: Final = (
    "Could not create user. To create a user and expire their password immediately, a password must be specified."
)
_SUMMARY_125: Final = (
    "Could not create user. To create a user and expire their password immediately, `activate` must be true."
)


def _first_status(call: Call, *, activate: bool, has_password: bool) -> str:
    """Return the status of a new user."""
    if not activate:
        return "STAGED"
    if not has_password:
        return "PROVISIONED"
    return "PASSWORD_EXPIRED" if call.text("nextLogin") == "changePassword" else "ACTIVE"


def _type_in(document: Document) -> dict[str, bytes | None]:
    kind = document.part("type")
    if kind is not None and "id" not in kind.values:
        raise invalid([BLANK.format("type.id")])
    return {} if kind is None else {"type": edited(b"{}", {"id": kind.raw("id")})}


def _login_in(profile: bytes) -> str:
    return str(json.loads(value_in(profile, "login") or b'""'))


def _json(value: Mapping[str, str]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
