"""Everything one org holds, by list; and the page of a list that a path stands for."""

import threading
from collections.abc import Iterator
from typing import NamedTuple

from circulate_core.practice.answers import Refusal
from circulate_core.practice.app_groups import AppGroups
from circulate_core.practice.app_users import AppUsers
from circulate_core.practice.apps import Apps
from circulate_core.practice.children import Changed, Children
from circulate_core.practice.collection import Clock, Collection, TruthEntry
from circulate_core.practice.directory import Directory
from circulate_core.practice.events import EventWriter
from circulate_core.practice.groups import Groups
from circulate_core.practice.listing import Source
from circulate_core.practice.members import Members
from circulate_core.practice.pages import PageCache, Record
from circulate_core.practice.parents import Parents
from circulate_core.practice.routes import Place
from circulate_core.practice.sizes import Sizes
from circulate_core.practice.system_log import SystemLog


class Amounts(NamedTuple):
    """How much of everything there is at the start."""

    users: int
    apps: int
    app_users: Sizes
    app_groups: Sizes
    groups: int
    group_members: Sizes
    events: int


class Content:
    """Everything one org holds.

    Args:
        amounts: How much of everything there is at the start.
        seed: Number everything follows from.
        clock: Source of the time of changes.
        nasty: Whether records carry the attributes of `NASTY`.
        cache_bytes: How much memory rendered pages may take.
    """

    def __init__(self, amounts: Amounts, seed: int, clock: Clock, *, nasty: bool, cache_bytes: int) -> None:
        cache = PageCache(cache_bytes)
        self._adding = threading.Lock()
        self.users = Directory(amounts.users, seed, clock, nasty=nasty, cache=cache)
        self.apps = Apps(amounts.apps, seed, clock, nasty=nasty, cache=cache)
        self.groups = Groups(amounts.groups, seed, clock, nasty=nasty, cache=cache)
        self.events = SystemLog(amounts.events, seed, clock, EventWriter(seed, amounts.users, nasty=nasty))
        self._tops: dict[str, Collection] = {"users": self.users, "apps": self.apps, "groups": self.groups}
        self._below: dict[str, Children] = {
            "app_users": AppUsers(
                self.apps, self.users, amounts.app_users, seed, clock=clock, nasty=nasty, cache=cache
            ),
            "app_groups": AppGroups(
                self.apps, self.groups, amounts.app_groups, seed, clock=clock, nasty=nasty, cache=cache
            ),
            "group_members": Members(self.groups, self.users, amounts.group_members, seed, clock=clock, cache=cache),
        }

    def source(self, place: Place) -> Source:
        """Return what gives the pages of the list at `place`.

        Raises:
            Refusal: If its parent is not there, or closed to the token.
        """
        if place.collection == "logs":
            return Source(self.events.page, self.events.first)
        children = self._below.get(place.collection)
        if children is None:
            collection = self._tops[place.collection]
            return Source(lambda query, start: collection.page(query.value("filter"), start, query.limit))
        parent = children.parents.index_of(place.record_id)
        if parent is None:
            raise Refusal(404, "E0000007", f"{place.record_id} ({children.parents.kind})")
        if children.parents.is_forbidden(parent):
            raise Refusal(403, "E0000006")
        return Source(lambda query, start: children.page(parent, start, query.limit))

    def single(self, place: Place) -> Record:
        """Return the record at `place`.

        Raises:
            Refusal: If it is not there.
        """
        collection = self._tops[place.collection]
        record = collection.one(place.record_id)
        if record is None:
            raise Refusal(404, "E0000007", f"{place.record_id} ({collection.kind})")
        return record

    def truth(self, name: str) -> Iterator[TruthEntry]:
        """Yield what the newest version of every record of a list looks like.

        Raises:
            LookupError: If there is no such list.
        """
        lists: dict[str, Collection | Children | SystemLog] = {**self._tops, **self._below, "logs": self.events}
        if name not in lists:
            message = f'no list "{name}"; there are {", ".join(lists)}'
            raise LookupError(message)
        return lists[name].truth()

    def add_app(self, *, users: int, groups: int) -> str:
        """Add an app with so many users and groups, and return its id."""
        return self._add(self.apps, {"app_users": users, "app_groups": groups})

    def add_group(self, *, members: int) -> str:
        """Add a group with so many members, if there are so many users, and return its id."""
        return self._add(self.groups, {"group_members": members})

    def delete(self, record_id: str) -> None:
        """Delete an app or a group; see `Parents.delete`. Like the three below, raises LookupError without one."""
        parents, index = self._parent(record_id)
        parents.delete(index)

    def rename(self, record_id: str) -> None:
        """Rename an app or a group; see `Parents.rename`."""
        parents, index = self._parent(record_id)
        parents.rename(index)

    def forbid(self, record_id: str) -> None:
        """Refuse the lists below an app or a group; see `Parents.forbid`."""
        parents, index = self._parent(record_id)
        parents.forbid(index)

    def allow(self, record_id: str) -> None:
        """Serve the lists below an app or a group again; see `Parents.allow`."""
        parents, index = self._parent(record_id)
        parents.allow(index)

    def change_children(self, name: str, parent_id: str, *, add: int, update: int, remove: int) -> Changed:
        """Change the children of one parent; see `Children.change`.

        Raises:
            LookupError: If there is no such list or no such parent.
        """
        children = self._below.get(name)
        index = None if children is None else children.parents.index_of(parent_id)
        if children is None or index is None:
            message = f'no list "{name}" below "{parent_id}"; lists with a parent are {", ".join(self._below)}'
            raise LookupError(message)
        return children.change(index, add=add, update=update, remove=remove)

    def _parent(self, record_id: str) -> tuple[Parents, int]:
        for parents in (self.apps, self.groups):
            index = parents.index_of(record_id)
            if index is not None:
                return parents, index
        message = f'no app or group has the id "{record_id}"'
        raise LookupError(message)

    def _add(self, parents: Parents, counts: dict[str, int]) -> str:
        with self._adding:
            for name, count in counts.items():  # before the parent is there, so that nobody sees it with others
                self._below[name].begin(len(parents), count)
            return parents.id_of(parents.add()).decode()
