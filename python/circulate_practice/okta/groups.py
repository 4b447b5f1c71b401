"""The groups of the practice org, and their records byte by byte."""

import hashlib
import json
import re
from array import array
from collections.abc import Callable, Mapping
from typing import ClassVar, Final

from circulate_practice.data.fragments import ORG_URL, Extras, rearrangements
from circulate_practice.data.ids import APP, GROUP, Ids
from circulate_practice.data.json_text import value_in
from circulate_practice.data.timestamps import timestamp
from circulate_practice.paging.collection import Clock
from circulate_practice.paging.editable import Editable
from circulate_practice.paging.filters import Attribute, Match, compile_filter, id_in, name_in, text_in, time_in
from circulate_practice.paging.pages import PageCache

NAME: Final = "groups"
TYPES: Final = ("OKTA_GROUP", "APP_GROUP", "BUILT_IN")
SEARCH: Final = "search "
"""What stands in front of an expression that may look at profiles, as `search` may and `filter` may not."""

_APP_GROUP: Final = TYPES.index("APP_GROUP")
_NUMBERED: Final = re.compile(r".* (\d{1,9})(?: \(renamed \d+\))?|Everyone.*", re.ASCII | re.DOTALL)
_TYPE_OF_BYTE: Final = bytes([1] * 64 + [0] * 192)
_TOPICS: Final = (
    b"Engineering",
    rb"R\u0026D",
    "Qualitätsprüfung".encode(),
    "営業".encode(),
    rb"West Coast \/ Sales",
    rb"\"Tiger\" Team",
    rb"Admins\\Tier 0",
    b"People",
)


class Groups(Editable):
    """All groups of one org. Other members move `lastMembershipUpdated`, another name moves `lastUpdated`.

    Args:
        count: How many there are at the start; the first is the one that Okta itself makes.
        seed: Number everything follows from.
        clock: Source of the time of changes.
        edge_cases: Whether profiles carry the attributes of `EDGE_CASES`.
        cache: Where rendered pages are kept.
    """

    _ORDERS = rearrangements(8)
    _NAMED: ClassVar[tuple[str, ...]] = ("profile", "name")

    def __init__(self, count: int, seed: int, clock: Clock, *, edge_cases: bool, cache: PageCache) -> None:
        super().__init__(NAME, "UserGroup", count, Ids(seed, GROUP), seed, clock=clock, cache=cache)
        self._key = b"group:%d" % seed
        self._apps = Ids(seed, APP)
        self._extras = Extras(self._key, edge_cases=edge_cases)
        self._given: dict[str, int] = {}
        self._given_to: dict[int, str] = {}
        self._type = self._start.choices(count, _TYPE_OF_BYTE)
        if count:
            self._type[0] = TYPES.index("BUILT_IN")
        self._membership = array("q", self._updated)
        for index in range(0, count, 2):  # the others never had other members since they were last changed
            self._membership[index] -= (self._updated[index] - self.created(index)) // 3

    def membership_changed(self, index: int) -> None:
        """Note that a group has other members from now on."""
        with self._lock:
            self._changes += 1
            self._changed[index] = self._changes
            self._membership[index] = self._now()

    def type(self, index: int) -> str:
        """Return the type of a group."""
        return TYPES[self._type[index]]

    def profile(self, index: int) -> bytes:
        """Return the profile of a group as JSON text."""
        return value_in(self.record(index).body, "profile") or b"{}"

    def name_of(self, index: int) -> str:
        """Return the name of a group."""
        edits = self._edits.get(index, {})
        profile = edits.get("profile") or b"{%b}" % self._naming(index)
        return str(json.loads(value_in(profile, "name") or b'""'))

    def find_named(self, name: str) -> int | None:
        """Return the index of the group of Okta's own that has this name, or None without one."""
        with self._lock:
            if name in self._given:
                return self._given[name]
            numbered = _NUMBERED.fullmatch(name)
            index = len(self) if numbered is None else int(numbered[1] or 0)
            if index >= len(self) or not self.exists(index) or self._type[index] == _APP_GROUP:
                return None
            return index if self.name_of(index) == name else None

    def edit(self, index: int, values: Mapping[str, bytes | None], *, touch: bool = True) -> None:
        """Give members of a group other values; see `Collection.edit`."""
        with self._lock:
            super().edit(index, values, touch=touch)
            self._note_name(index)

    def rename(self, index: int) -> None:
        """Give a group another name; see `Editable.rename`."""
        with self._lock:
            super().rename(index)
            self._note_name(index)

    def delete(self, index: int) -> None:
        """Delete a group, whose name is free from now on."""
        with self._lock:
            super().delete(index)
            self._note_name(index)

    def _note_name(self, index: int) -> None:
        """Note which name a group was given, if any, so that it is found without looking at all groups."""
        self._given.pop(self._given_to.pop(index, ""), None)
        if self._edits.get(index, {}).get("profile") is not None:
            self._given_to[index] = self.name_of(index)
            self._given[self._given_to[index]] = index

    def create(self, profile: bytes, began: Callable[[int], None]) -> int:
        """Add a group of Okta's own with a profile, as JSON text, and return its index.

        Args:
            profile: Its profile.
            began: Gets its index before anybody sees the group.
        """
        with self._lock:
            index = self.add()
            began(index)
            self.edit(index, {"profile": profile})
            return index

    def _append(self, now: int) -> int:
        self._type.append(TYPES.index("OKTA_GROUP"))
        self._membership.append(now)
        return super()._append(now)

    def _attributes(self) -> dict[str, Attribute]:
        return {
            "lastUpdated": time_in(self._updated),
            "lastMembershipUpdated": time_in(self._membership),
            "type": name_in(self._type, TYPES),
            "id": id_in(self._ids),
        }

    def _compile(self, filter_text: str) -> Match:
        if not filter_text.startswith(SEARCH):
            return super()._compile(filter_text)
        attributes = {**self._attributes(), "profile.name": text_in(self.name_of)}
        match = compile_filter(filter_text.removeprefix(SEARCH), attributes)
        return lambda index: self.exists(index) and match(index)

    def _noise(self, index: int) -> bytes:
        return hashlib.blake2b(b"%d" % index, key=self._key, digest_size=8).digest()

    def _naming(self, index: int) -> bytes:
        return _name(TYPES[self._type[index]], index, self._version[index], self._noise(index)[1])

    def _body(self, index: int) -> bytes:
        noise = self._noise(index)
        group_id = self._ids.id_of(index)
        kind = TYPES[self._type[index]]
        here = b"%b/api/v1/groups/%b" % (ORG_URL, group_id)
        links = b'"users":{"href":"%b/users"},"apps":{"href":"%b/apps"}' % (here, here)
        if kind == "APP_GROUP":
            links += b',"source":{"href":"%b/api/v1/apps/%b"}' % (ORG_URL, self._apps.id_of(noise[0] & 15))
        members = (
            b'"id":"%b"' % group_id,
            b'"created":"%b"' % timestamp(self.created(index)),
            b'"lastUpdated":"%b"' % timestamp(self._updated[index]),
            b'"lastMembershipUpdated":"%b"' % timestamp(self._membership[index]),
            b'"objectClass":["okta:%b"]' % (b"windows_security_principal" if kind == "APP_GROUP" else b"user_group"),
            b'"type":"%b"' % kind.encode(),
            b'"profile":{%b,%b}' % (self._naming(index), self._extras.of(index, noise[2])),
            b'"_links":{%b}' % links,
        )
        return b"{%b}" % b",".join(self._ORDERS[noise[3] & 7](members))


def _name(kind: str, index: int, version: int, noise: int) -> bytes:
    """Return the members of the profile that name the group."""
    if kind == "BUILT_IN":
        return b'"name":"Everyone%b","description":"All users in your organization"' % (
            b" (%d)" % version * (version > 0)
        )
    topic = _TOPICS[noise & 7]
    name = b"%b %d%b" % (topic, index, b" (renamed %d)" % version if version else b"")
    if kind == "OKTA_GROUP":
        return b'"name":"%b","description":""' % name
    return (
        b'"name":"%b","samAccountName":"%b","groupType":"Security","groupScope":"Global",'
        b'"windowsDomainQualifiedName":"CORP\\\\%b","dn":"CN=%b,OU=Groups,DC=corp,DC=example,DC=com"'
    ) % (name, name, name, name)
