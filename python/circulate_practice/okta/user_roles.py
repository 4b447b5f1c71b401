"""The roles of each user, and the list of all users who have any, byte by byte."""

import random
from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

from circulate_practice.data.fragments import ORG_URL, Extras, rearrangements
from circulate_practice.data.ids import ROLE, Ids
from circulate_practice.data.sizes import Sizes
from circulate_practice.data.timestamps import timestamp
from circulate_practice.okta.directory import Directory
from circulate_practice.paging.children import Child, Children
from circulate_practice.paging.collection import Clock, TruthEntry, truth_of
from circulate_practice.paging.pages import Page, PageCache, Record

NAME: Final = "user_roles"
_POOL: Final = 2**40  # large enough that no two users get an assignment of the same id
_CUSTOM: Final = b'"type":"CUSTOM","label":"R\\u0026D \\/ Auditor","role":"cr0Yq6IJxGIr0ouum0g3","resource-set":"iam1"'
_KINDS: Final = (
    b'"type":"SUPER_ADMIN","label":"Super Administrator"',
    b'"type":"READ_ONLY_ADMIN","label":"Read-only Administrator"',
    _CUSTOM,
    b'"type":"HELP_DESK_ADMIN","label":"Help Desk Administrator"',
)


class UserRoles(Children):
    """The roles of every user; most have none.

    Args:
        directory: The users.
        holders: How many users have roles at the start, if there are so many.
        sizes: How many roles each of them has.
        seed: Number everything follows from.
        clock: Source of the time of changes.
        edge_cases: Whether records carry the attributes of `EDGE_CASES`.
        cache: Where rendered pages are kept.
    """

    _ORDERS = rearrangements(7)

    def __init__(  # noqa: PLR0913 - what the records are made of
        self,
        directory: Directory,
        holders: int,
        sizes: Sizes,
        seed: int,
        *,
        clock: Clock,
        edge_cases: bool,
        cache: PageCache,
    ) -> None:
        super().__init__(NAME, directory, sizes, _POOL, seed, clock=clock, cache=cache)
        choice = random.Random(f"holders:{seed}")  # noqa: S311 - repeatable, not secret
        self._holders = frozenset(choice.sample(range(len(directory)), min(holders, len(directory))))
        self.ids = Ids(seed, ROLE)
        self._extras = Extras(self._key, edge_cases=edge_cases)

    def holders(self) -> list[int]:
        """Return the indices of the users who have roles now, in order."""
        with self._lock:
            return sorted(user for user in {*self._holders, *self._states} if self._there(user))

    def _there(self, user: int) -> int:
        if not self.parents.exists(user):
            return 0
        state = self._states.get(user)
        return self._base(user) if state is None else state.count - len(state.removed)

    def _base(self, parent: int) -> int:
        return super()._base(parent) if parent in self._holders else 0

    def _record(self, child: Child) -> Record:
        noise, updated, role_id = child.noise, timestamp(child.updated), self.ids.id_of(child.number)
        kind = _KINDS[noise[5] & 3]
        user = b"%b/api/v1/users/%b" % (ORG_URL, child.parent_id)
        links = b'"assignee":{"href":"%b"}' % user
        if kind is _CUSTOM:
            links += b',"role":{"href":"%b/api/v1/iam/roles/cr0Yq6IJxGIr0ouum0g3"}' % ORG_URL
        members = (
            b'"id":"%b"' % role_id,
            kind,
            b'"status":"%b"' % (b"ACTIVE", b"INACTIVE")[child.version & 1],
            b'"created":"%b","lastUpdated":"%b"' % (timestamp(child.created), updated),
            b'"assignmentType":"%b"' % (b"USER", b"GROUP")[noise[6] & 1],
            b'"practiceNotes":{"revision":%d,%b}' % (child.version, self._extras.of(child.number, noise[7])),
            b'"_links":{%b}' % links,
        )
        body = b"{%b}" % b",".join(self._ORDERS[noise[8] & 7](members))
        return Record(role_id, updated, body, child.parent_id)


class RoleAssignees:
    """The users who have roles. Their records hold no date.

    Args:
        directory: The users.
        roles: The roles they have.
    """

    def __init__(self, directory: Directory, roles: UserRoles) -> None:
        self._directory = directory
        self._roles = roles

    def page(self, start: int, limit: int) -> Page:
        """Return the page of the next `limit` users with roles, from user `start` on."""
        holders = self._roles.holders()
        at = bisect_left(holders, start)
        page = Page.of([self._record(user) for user in holders[at : at + limit]])
        page.more = at + limit < len(holders)
        page.stop = holders[at + limit] if page.more else start
        return page

    def truth(self) -> Iterator[TruthEntry]:
        """Yield what every record looks like."""
        return (truth_of(self._record(user)) for user in self._roles.holders())

    def _record(self, user: int) -> Record:
        user_id = self._directory.id_of(user)
        here = b"%b/api/v1/users/%b" % (ORG_URL, user_id)
        body = (
            b'{"id":"%b","orn":"orn:okta:directory:00oPracticeOrg:users:%b",'
            b'"_links":{"self":{"href":"%b"},"roles":{"href":"%b\\/roles"}}}' % (user_id, user_id, here, here)
        )
        return Record(user_id, b"", body)
