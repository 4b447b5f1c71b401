"""Everything one org holds, by list; and the page of a list that a path stands for."""

import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final, NamedTuple, TypedDict, TypeVar

from circulate_practice.data.sizes import Sizes
from circulate_practice.okta.app_groups import AppGroups
from circulate_practice.okta.app_users import AppUsers
from circulate_practice.okta.apps import Apps
from circulate_practice.okta.devices import Devices
from circulate_practice.okta.directory import Directory
from circulate_practice.okta.events import EventWriter
from circulate_practice.okta.groups import SEARCH, Groups
from circulate_practice.okta.inventories import API_TOKENS, AUTHORIZATION_SERVERS, ZONES
from circulate_practice.okta.members import Members
from circulate_practice.okta.policies import TYPES, Policies
from circulate_practice.okta.routes import Place
from circulate_practice.okta.system_log import SystemLog
from circulate_practice.okta.unavailable import Unavailable
from circulate_practice.okta.user_access import UserGrants, UserTokens
from circulate_practice.okta.user_factors import UserFactors
from circulate_practice.okta.user_roles import RoleAssignees, UserRoles
from circulate_practice.paging.children import Changed, Children
from circulate_practice.paging.collection import Clock, Collection, TruthEntry
from circulate_practice.paging.editable import Editable
from circulate_practice.paging.inventory import Inventory
from circulate_practice.paging.listing import ListQuery, Source
from circulate_practice.paging.pages import PageCache, Record
from circulate_practice.server.responses import Refusal

_MOST_FOUND: Final = 300
"""Groups that `q` finds without a limit."""

_Found = TypeVar("_Found", bound=Collection)


class _Shared(TypedDict):
    """What nearly all lists are made with."""

    clock: Clock
    edge_cases: bool
    cache: PageCache


class Amounts(NamedTuple):
    """How much of everything there is at the start."""

    users: int
    apps: int
    app_users: Sizes
    app_groups: Sizes
    groups: int
    group_members: Sizes
    events: int
    devices: int
    policies: int
    user_factors: Sizes
    role_assignees: int
    user_roles: Sizes
    user_grants: Sizes
    user_tokens: Sizes
    api_tokens: int
    zones: int
    authorization_servers: int


class Content:
    """Everything one org holds.

    Args:
        amounts: How much of everything there is at the start.
        unavailable: Lists and types of policies that the org does not have.
        seed: Number everything follows from.
        clock: Source of the time of changes.
        edge_cases: Whether records carry the attributes of `EDGE_CASES`.
        cache_bytes: How much memory rendered pages may take.
    """

    def __init__(  # noqa: PLR0913 - what the content of an org is made of
        self, amounts: Amounts, unavailable: Unavailable, seed: int, clock: Clock, *, edge_cases: bool, cache_bytes: int
    ) -> None:
        cache = PageCache(cache_bytes)
        shared = _Shared(clock=clock, edge_cases=edge_cases, cache=cache)
        self._adding = threading.Lock()
        self._unavailable = unavailable
        self.users = Directory(amounts.users, seed, **shared)
        self.apps = Apps(amounts.apps, seed, **shared)
        self.groups = Groups(amounts.groups, seed, **shared)
        self.events = SystemLog(amounts.events, seed, clock, EventWriter(seed, amounts.users, edge_cases=edge_cases))
        self.devices = Devices(amounts.devices, seed, **shared)
        self.api_tokens = Inventory(API_TOKENS, amounts.api_tokens, seed, **shared)
        self.zones = Inventory(ZONES, amounts.zones, seed, **shared)
        self._editable: dict[str, Editable] = {
            "apps": self.apps,
            "groups": self.groups,
            "devices": self.devices,
            "policies": Policies(amounts.policies, unavailable.policy_types, seed, **shared),
            "api_tokens": self.api_tokens,
            "zones": self.zones,
            "authorization_servers": Inventory(AUTHORIZATION_SERVERS, amounts.authorization_servers, seed, **shared),
        }
        self._tops: dict[str, Collection] = {"users": self.users, **self._editable}
        self.app_users = AppUsers(self.apps, self.users, amounts.app_users, seed, **shared)
        self.app_groups = AppGroups(self.apps, self.groups, amounts.app_groups, seed, **shared)
        self.members = Members(self.groups, self.users, amounts.group_members, seed, clock=clock, cache=cache)
        self.factors = UserFactors(self.users, amounts.user_factors, seed, **shared)
        self.roles = UserRoles(self.users, amounts.role_assignees, amounts.user_roles, seed, **shared)
        self.grants = UserGrants("user_grants", self.users, amounts.user_grants, seed, clock=clock, cache=cache)
        self.tokens = UserTokens("user_tokens", self.users, amounts.user_tokens, seed, clock=clock, cache=cache)
        self._assignees = RoleAssignees(self.users, self.roles)
        self._below: dict[str, Children] = {
            "app_users": self.app_users,
            "app_groups": self.app_groups,
            "group_members": self.members,
            "user_factors": self.factors,
            "user_roles": self.roles,
        }

    def source(self, place: Place, query: ListQuery) -> Source:
        """Return what gives the pages of the list at `place`.

        Raises:
            Refusal: If it is unavailable, if its parent is not there or closed to the token, or if `query` does not say
                which policies it wants.
        """
        self._unavailable.check(place.collection)
        if place.collection == "logs":
            return Source(self.events.page, self.events.first)
        if place.collection == "role_assignees":
            return Source(lambda query, start: self._assignees.page(start, query.limit))
        children = self._below.get(place.collection)
        if children is None:
            collection, matching = self._tops[place.collection], self._filter(place.collection, query)
            if place.collection == "groups" and query.value("q"):  # comes whole, up to its limit
                limit = query.limit if query.value("limit") else _MOST_FOUND
                return Source(lambda *_: replace(collection.page(matching, 0, limit), more=False))
            return Source(lambda query, start: collection.page(matching, start, query.limit))
        parent = children.parents.index_of(place.record_id)
        if parent is None:
            raise Refusal(404, "E0000007", f"{place.record_id} ({children.parents.kind})")
        if children.parents.is_forbidden(parent):
            raise Refusal(403, "E0000006")
        return Source(lambda query, start: children.page(parent, start, query.limit))

    def _filter(self, collection: str, query: ListQuery) -> str:
        """Return the expression that says which records `query` wants."""
        if collection == "groups":
            return _groups_filter(query)
        if collection != "policies":
            return query.value("search" if collection == "devices" else "filter")
        kind = query.value("type")
        if not kind:
            raise Refusal(400, "E0000001", "type", "type: The parameter is required.")
        self._unavailable.check(f"policies/{kind}")
        if kind not in TYPES:
            raise Refusal(400, "E0000002", "Invalid policy type specified.")
        return f'type eq "{kind}"'

    def check(self, name: str) -> None:
        """Refuse a list that is unavailable, and the operations on it.

        Raises:
            Refusal: If it is.
        """
        self._unavailable.check(name)

    def group(self, group_id: str) -> int:
        """Return the index of a group; raises Refusal without one."""
        return found_in(self.groups, group_id)

    def check_okta_group(self, group: int) -> None:
        """Refuse to change a group that is not one of Okta's own: apps or Okta itself manage the others.

        Raises:
            Refusal: If it is of another type.
        """
        if self.groups.type(group) != "OKTA_GROUP":
            raise Refusal(403, "E0000006")

    def groups_of(self, user: int) -> list[Record]:
        """Return the groups that a user is a member of."""
        there = (group for group in range(len(self.groups)) if self.groups.exists(group))
        return [self.groups.record(group) for group in there if self.members.find(group, user) is not None]

    def create_user(self, status: str, profile: bytes, values: Mapping[str, bytes | None]) -> int:
        """Add a user who has nothing yet; see `Directory.create`."""

        def began(index: int) -> None:
            for children in (self.factors, self.roles, self.grants, self.tokens):
                children.begin(index, 0)

        return self.users.create(status, profile, values, began)

    def create_group(self, profile: bytes) -> int:
        """Add a group without members; see `Groups.create`."""
        return self.groups.create(profile, lambda index: self.members.begin(index, 0))

    def unassign_everywhere(self, user: int) -> None:
        """Take all apps from a user."""
        for app in range(len(self.apps)):
            position = self.app_users.find(app, user)
            if position is not None:
                self.app_users.take(app, position)

    def unassign_group(self, group: int) -> None:
        """Take all apps from a group."""
        for app in range(len(self.apps)):
            position = self.app_groups.find(app, group)
            if position is not None:
                self.app_groups.take(app, position)

    def truth(self, name: str) -> Iterator[TruthEntry]:
        """Yield what the newest version of every record of a list looks like.

        Raises:
            LookupError: If there is no such list.
        """
        lists: dict[str, Collection | Children | SystemLog | RoleAssignees] = {
            **self._tops,
            **self._below,
            "logs": self.events,
            "role_assignees": self._assignees,
        }
        if name not in lists:
            message = f'no list "{name}"; there are {", ".join(lists)}'
            raise LookupError(message)
        return iter(()) if name in self._unavailable else lists[name].truth()

    def add(self, name: str) -> str:
        """Add a record to a list of records without children, and return its id.

        Raises:
            LookupError: If there is no such list, or none that takes records.
        """
        if name not in self._editable:
            message = f'no list "{name}" to add to; there are {", ".join(self._editable)}'
            raise LookupError(message)
        return self._add(self._editable[name], {})

    def add_app(self, *, users: int, groups: int) -> str:
        """Add an app with so many users and groups, and return its id."""
        return self._add(self.apps, {"app_users": users, "app_groups": groups})

    def add_group(self, *, members: int) -> str:
        """Add a group with so many members, if there are so many users, and return its id."""
        return self._add(self.groups, {"group_members": members})

    def delete(self, record_id: str) -> None:
        """Delete a record; see `Editable.delete`. Like the three below, raises LookupError without one."""
        collection, index = self._found(record_id, self._editable.values())
        collection.delete(index)

    def rename(self, record_id: str) -> None:
        """Rename a record; see `Editable.rename`."""
        collection, index = self._found(record_id, self._editable.values())
        collection.rename(index)

    def forbid(self, record_id: str) -> None:
        """Refuse the lists below a user, an app or a group; see `Collection.forbid`."""
        collection, index = self._found(record_id, (self.users, self.apps, self.groups))
        collection.forbid(index)

    def allow(self, record_id: str) -> None:
        """Serve the lists below a user, an app or a group again; see `Collection.allow`."""
        collection, index = self._found(record_id, (self.users, self.apps, self.groups))
        collection.allow(index)

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

    @staticmethod
    def _found(record_id: str, among: Iterable[_Found]) -> tuple[_Found, int]:
        for collection in among:
            index = collection.index_of(record_id)
            if index is not None:
                return collection, index
        message = f'no such record has the id "{record_id}"'
        raise LookupError(message)

    def _add(self, collection: Editable, counts: dict[str, int]) -> str:
        with self._adding:
            for name, count in counts.items():  # before the parent is there, so that nobody sees it with others
                self._below[name].begin(len(collection), count)
            return collection.id_of(collection.add()).decode()


def _groups_filter(query: ListQuery) -> str:
    given = [name for name in ("filter", "search", "q") if query.value(name)]
    if len(given) > 1:
        raise Refusal(400, "E0000033")
    if given == ["q"]:
        text = re.sub(r'(["\\])', r"\\\1", query.value("q"))
        return f'{SEARCH}profile.name sw "{text}"'
    return SEARCH + query.value("search") if given == ["search"] else query.value("filter")


def found_in(collection: Collection, record_id: str) -> int:
    """Return the index of a record.

    Raises:
        Refusal: If it is not there.
    """
    index = collection.index_of(record_id)
    if index is None:
        raise Refusal(404, "E0000007", f"{record_id} ({collection.kind})")
    return index
