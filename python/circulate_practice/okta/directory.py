"""The users of the practice org, and how they change."""

import json
import random
import re
from collections.abc import Callable, Mapping
from typing import Final

from circulate_practice.data.columns import StartingValues, newest_start
from circulate_practice.data.ids import USER, Ids
from circulate_practice.data.json_text import members_of, value_in
from circulate_practice.data.timestamps import timestamp
from circulate_practice.okta.users import DEPROVISIONED, STATUSES, Person, Row, UserWriter
from circulate_practice.paging.collection import Clock, Collection, TruthEntry
from circulate_practice.paging.filters import Attribute, Match, id_in, name_in, time_in
from circulate_practice.paging.pages import PageCache

NAME: Final = "users"
_SHARE_OF_RARE = 20
_RARE_FROM = 5
_DATES: Final = frozenset({"activated", "statusChanged", "lastLogin", "passwordChanged"})
_GENERATED_LOGIN: Final = re.compile(r"[a-z.-]+\.(\d+)@example\.com", re.ASCII)
_DOMAIN: Final = "@example.com"


class Directory(Collection):
    """All users of one org. A list without a filter leaves DEPROVISIONED ones out, as Okta's does.

    Args:
        users: How many there are at the start.
        seed: Number everything follows from.
        clock: Source of the time of changes.
        edge_cases: Whether profiles carry the attributes of `EDGE_CASES`.
        cache: Where rendered pages are kept.
    """

    def __init__(self, users: int, seed: int, clock: Clock, *, edge_cases: bool, cache: PageCache) -> None:
        start = StartingValues(seed, newest_start(clock()))
        super().__init__(NAME, "User", users, Ids(seed, USER), start, clock=clock, cache=cache)
        self._status = start.statuses(users)
        self._random = random.Random(f"changes:{seed}")  # noqa: S311 - repeatable, not secret
        self._writer = UserWriter(seed, self._ids, edge_cases=edge_cases)
        self._logins: dict[str, int] = {}
        self._login_of: dict[int, str] = {}

    def change(self, count: int, *, at: float | None = None) -> list[str]:
        """Change `count` users, all at the same time, and return their ids.

        Most are updated. From five on, one in twenty (at least one) becomes DEPROVISIONED, and as many are new.

        Args:
            count: How many users to change.
            at: Their new `lastUpdated` in epoch seconds, by default now.
        """
        now = self._now() if at is None else int(at * 1000)
        rare = max(1, count // _SHARE_OF_RARE) if count >= _RARE_FROM else 0
        with self._lock:
            self._changes += 1
            known = self._random.sample(range(len(self)), min(count - rare, len(self)))
            known = [index for index in known if self.exists(index)]
            for position, index in enumerate(known):
                self._touch(index)
                self._updated[index] = now
                if position < rare:
                    self._status[index] = DEPROVISIONED
            return [self._ids.id_of(index).decode() for index in known + [self._add(now) for _ in range(rare)]]

    def person(self, number: int) -> Person:
        """Return the name and login of user `number`, whether or not there is one yet."""
        return self._writer.person(number)

    def find(self, name: str) -> int | None:
        """Return the index of the user with that id, login or short login, if it is unambiguous; None without one."""
        index = self.index_of(name)
        if index is not None or not name:
            return index
        login = name.lower()
        if "@" in login:
            return self._with_login(login)
        with self._lock:
            found = {index for given, index in self._logins.items() if given.partition("@")[0] == login}
        generated = self._with_login(login + _DOMAIN)
        if generated is not None:
            found.add(generated)
        return found.pop() if len(found) == 1 else None

    def status(self, index: int) -> str:
        """Return the status of a user."""
        return STATUSES[self._status[index]]

    def set_status(self, index: int, status: str, values: Mapping[str, bytes | None] | None = None) -> None:
        """Give a user another status, and members other values, as JSON text."""
        with self._lock:
            self.edit(index, {"statusChanged": self.time(), **(values or {})})
            self._status[index] = STATUSES.index(status)

    def set_profile(self, index: int, profile: bytes, values: Mapping[str, bytes | None] | None = None) -> None:
        """Give a user another profile, as JSON text, and other members other values."""
        with self._lock:
            self._forget_login(index)
            login = _login_in(profile).lower()
            self._logins[login], self._login_of[index] = index, login
            self.edit(index, {"profile": profile, **(values or {})})

    def create(
        self, status: str, profile: bytes, values: Mapping[str, bytes | None], began: Callable[[int], None]
    ) -> int:
        """Add a user and return its index.

        Args:
            status: Its status.
            profile: Its profile, as JSON text.
            values: Its other members, as JSON text.
            began: Gets its index before anybody sees the user.
        """
        with self._lock:
            self._changes += 1
            index = self._add(self._now())
            began(index)
            self._status[index] = STATUSES.index(status)
            self.set_profile(index, profile, values)
            return index

    def delete(self, index: int) -> None:
        """Delete a user, whose login is free from now on."""
        with self._lock:
            super().delete(index)
            self._forget_login(index)

    def edit(self, index: int, values: Mapping[str, bytes | None], *, touch: bool = True) -> None:
        """Give members of a user other values; see `Collection.edit`. Dates stay what they were."""
        with self._lock:
            if index not in self._edits:
                dates = {member.name: member.value for member in members_of(self._body(index)) if member.name in _DATES}
                values = {**dates, **values}
            super().edit(index, values, touch=touch)

    def time(self) -> bytes:
        """Return the time as JSON text."""
        return b'"%b"' % timestamp(self._now())

    def _with_login(self, login: str) -> int | None:
        if login in self._logins:
            return self._logins[login]
        found = _GENERATED_LOGIN.fullmatch(login)
        index = len(self) if found is None else int(found[1][:18])
        if index >= len(self) or index in self._login_of or not self.exists(index):
            return None
        return index if self.person(index).login == login.encode() else None

    def _login(self, index: int) -> str:
        """Return the login of a user, in the case it was given in."""
        profile = self._edits.get(index, {}).get("profile")
        return self.person(index).login.decode() if profile is None else _login_in(profile)

    def _login_attribute(self, comparison: str, value: str) -> Match | None:
        login = value.lower()
        if comparison != "eq":
            return None
        return lambda index: index == self._with_login(login) and self._login(index) == value

    def _forget_login(self, index: int) -> None:
        self._logins.pop(self._login_of.get(index, ""), None)

    def _add(self, now: int) -> int:
        self._status.append(STATUSES.index("ACTIVE"))
        return self._append(now)

    def _attributes(self) -> dict[str, Attribute]:
        return {
            "lastUpdated": time_in(self._updated),
            "status": name_in(self._status, STATUSES),
            "id": id_in(self._ids),
            "profile.login": self._login_attribute,
        }

    def _listed(self, index: int) -> bool:
        return self._status[index] != DEPROVISIONED and self.exists(index)

    def _truth_at(self, index: int) -> TruthEntry:
        return {**super()._truth_at(index), "status": STATUSES[self._status[index]]}

    def _body(self, index: int) -> bytes:
        updated = self._updated[index]
        return self._writer.record(Row(index, self._version[index], self._status[index], updated, self.created(index)))


def _login_in(profile: bytes) -> str:
    return str(json.loads(value_in(profile, "login") or b'""'))
