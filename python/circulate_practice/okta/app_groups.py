"""Which groups are assigned to each app, and the records of these assignments byte by byte."""

from typing import Final

from circulate_practice.data.fragments import ORG_URL, Extras, rearrangements
from circulate_practice.data.sizes import Sizes
from circulate_practice.data.timestamps import timestamp
from circulate_practice.okta.apps import Apps
from circulate_practice.okta.groups import Groups
from circulate_practice.paging.children import Child, Children
from circulate_practice.paging.collection import Clock
from circulate_practice.paging.pages import PageCache, Record

NAME: Final = "app_groups"


class AppGroups(Children):
    """The group assignments of every app. Their ids are those of groups.

    Args:
        apps: The apps.
        groups: The groups to assign.
        sizes: How many groups each app has at the start.
        seed: Number everything follows from.
        clock: Source of the time of changes.
        edge_cases: Whether profiles carry the attributes of `EDGE_CASES`.
        cache: Where rendered pages are kept.
    """

    _ORDERS = rearrangements(5)

    def __init__(  # noqa: PLR0913 - what the records are made of
        self, apps: Apps, groups: Groups, sizes: Sizes, seed: int, *, clock: Clock, edge_cases: bool, cache: PageCache
    ) -> None:
        super().__init__(NAME, apps, sizes, len(groups), seed, clock=clock, cache=cache)
        self._groups = groups
        self._extras = Extras(self._key, edge_cases=edge_cases)

    def _record(self, child: Child) -> Record:
        noise, updated, group_id = child.noise, timestamp(child.updated), self._groups.id_of(child.number)
        app = b"%b/api/v1/apps/%b" % (ORG_URL, child.parent_id)
        members = (
            b'"id":"%b"' % group_id,
            b'"lastUpdated":"%b"' % updated,
            b'"priority":%d' % noise[6],
            b'"profile":{"role":null,"revision":%d,%b}' % (child.version, self._extras.of(child.number, noise[7])),
            b'"_links":{"app":{"href":"%b"},"self":{"href":"%b/groups/%b"},"group":{"href":"%b/api/v1/groups/%b"}}'
            % (app, app, group_id, ORG_URL, group_id),
        )
        body = b"{%b}" % b",".join(self._ORDERS[noise[8] & 7](members))
        return Record(group_id, updated, body, child.parent_id)
