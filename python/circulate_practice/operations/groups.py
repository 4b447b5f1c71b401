"""Operations on groups and their members."""

from collections.abc import Callable
from typing import Final

from circulate_practice.okta.content import Content
from circulate_practice.operations.call import Call, Document, Effect, Outcome, Shape
from circulate_practice.operations.profiles import BLANK, TAKEN, invalid
from circulate_practice.operations.users import UserOperations

_BODY: Final[Shape] = {"profile": {"name": object, "description": object}}
_LONGEST: Final = {"name": 255, "description": 1024}


class GroupOperations:
    """Operations on the groups of one org.

    Args:
        content: What the org holds.
        users: Operations on users, which find them.
    """

    def __init__(self, content: Content, users: UserOperations) -> None:
        self._content = content
        self._groups = content.groups
        self._users = users

    def handlers(self) -> dict[str, Callable[[Call], Outcome]]:
        """Return what does each operation, by name."""
        return {
            "groups.get": self._get,
            "groups.create": self._create,
            "groups.replace": self._replace,
            "groups.delete": self._delete,
            "group_members.add": self._add,
            "group_members.remove": self._remove,
        }

    def _get(self, call: Call) -> Outcome:
        return self._shown(self._content.group(call.ids[0]))

    def _create(self, call: Call) -> Outcome:
        profile = self._profile(call, None)
        group = self._content.create_group(profile.text)
        return self._shown(group, Effect(self._id(group)))

    def _replace(self, call: Call) -> Outcome:
        group = self._content.group(call.ids[0])
        self._content.check_okta_group(group)
        profile = self._profile(call, group)
        if self._groups.profile(group) == profile.text:
            return self._shown(group)
        self._groups.edit(group, {"profile": profile.text})
        return self._shown(group, Effect(self._id(group)))

    def _delete(self, call: Call) -> Outcome:
        group = self._content.group(call.ids[0])
        if self._groups.type(group) == "BUILT_IN":
            self._content.check_okta_group(group)
        group_id = self._id(group)
        self._content.unassign_group(group)
        self._groups.delete(group)
        return Outcome(204, effect=Effect(group_id))

    def _add(self, call: Call) -> Outcome:
        group, user, position = self._member(call)
        if position is not None:
            return Outcome(204)
        self._content.members.put(group, user, {})
        return Outcome(204, effect=self._membership(group, user))

    def _remove(self, call: Call) -> Outcome:
        group, user, position = self._member(call)
        if position is None:
            return Outcome(204)
        self._content.members.take(group, position)
        return Outcome(204, effect=self._membership(group, user))

    def _member(self, call: Call) -> tuple[int, int, int | None]:
        """Return group, user and position of the membership that a call is about."""
        group, user = self._content.group(call.ids[0]), self._users.index(call.ids[1])
        self._content.check_okta_group(group)
        return group, user, self._content.members.find(group, user)

    def _membership(self, group: int, user: int) -> Effect:
        return Effect(self._id(group), self._content.users.id_of(user).decode())

    def _id(self, group: int) -> str:
        return self._groups.id_of(group).decode()

    def _shown(self, group: int, effect: Effect | None = None) -> Outcome:
        return Outcome(200, self._groups.record(group).body, effect)

    def _profile(self, call: Call, mine: int | None) -> Document:
        """Return the profile in the body of a call, which is that of group `mine` or of a new one."""
        profile = call.document(_BODY).part("profile")
        if profile is None:
            raise invalid([BLANK.format("profile")])
        name = profile.values.get("name")
        causes = [] if name else [BLANK.format("name")]
        for member, most in _LONGEST.items():
            value = profile.values.get(member)
            if value is not None and not (isinstance(value, str) and len(value) <= most):
                causes.append(f"{member}: The value must be a string of at most {most} characters")
        if not causes and self._groups.find_named(str(name)) not in {None, mine}:
            causes.append(TAKEN.format("name"))
        if causes:
            raise invalid(causes)
        return profile
