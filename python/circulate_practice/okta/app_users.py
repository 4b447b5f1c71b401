"""Who is assigned to each app: the users of an app, and their records byte by byte."""

from typing import Final

from circulate_practice.data.fragments import ORG_URL, Extras, rearrangements
from circulate_practice.data.sizes import Sizes
from circulate_practice.data.timestamps import timestamp
from circulate_practice.okta.apps import Apps
from circulate_practice.okta.directory import Directory
from circulate_practice.paging.children import Child, Children
from circulate_practice.paging.collection import Clock
from circulate_practice.paging.pages import PageCache, Record

NAME: Final = "app_users"
_STATUSES: Final = (b"ACTIVE", b"ACTIVE", b"PROVISIONED", b"STAGED", b"SUSPENDED", b"ACTIVE", b"INACTIVE", b"ACTIVE")
_ROLES: Final = (b"Standard User", rb"Power User \/ Tier 2", "Prüfer".encode(), b"Admin")


class AppUsers(Children):
    """The users of every app. Their ids are those of users, there are more only if an app needs more than exist.

    Args:
        apps: The apps.
        directory: The users to assign.
        sizes: How many users each app has at the start.
        seed: Number everything follows from.
        clock: Source of the time of changes.
        edge_cases: Whether profiles carry the attributes of `EDGE_CASES`.
        cache: Where rendered pages are kept.
    """

    _ORDERS = rearrangements(10)

    def __init__(  # noqa: PLR0913 - what the records are made of
        self,
        apps: Apps,
        directory: Directory,
        sizes: Sizes,
        seed: int,
        *,
        clock: Clock,
        edge_cases: bool,
        cache: PageCache,
    ) -> None:
        super().__init__(NAME, apps, sizes, len(directory), seed, clock=clock, cache=cache)
        self._directory = directory
        self._extras = Extras(self._key, edge_cases=edge_cases)

    def _stands(self, number: int) -> bool:
        return number >= len(self._directory) or self._directory.exists(number)

    def _version(self, parent: int) -> int:
        return super()._version(parent) + self._directory.deletions

    def _record(self, child: Child) -> Record:
        noise, updated = child.noise, timestamp(child.updated)
        user_id, person = self._directory.id_of(child.number), self._directory.person(child.number)
        synchronized = noise[5] & 1
        members = (
            b'"id":"%b"' % user_id,
            b'"externalId":"%b"' % noise[6:12].hex().encode(),
            b'"created":"%b"' % timestamp(child.created),
            b'"lastUpdated":"%b"' % updated,
            b'"scope":"%b","status":"%b"' % ((b"USER", b"GROUP")[noise[12] & 1], _STATUSES[noise[13] & 7]),
            b'"statusChanged":"%b","passwordChanged":null' % timestamp(child.created),
            b'"syncState":"SYNCHRONIZED","lastSync":"%b"' % updated if synchronized else b'"syncState":"DISABLED"',
            b'"credentials":{"userName":"%b"}' % person.login,
            b'"profile":{"firstName":"%b","lastName":"%b","email":"%b","role":"%b","secondEmail":null,"revision":%d,%b}'
            % (
                person.first,
                person.last,
                person.login,
                _ROLES[noise[14] + child.version & 3],
                child.version,
                self._extras.of(child.number, noise[15]),
            ),
            b'"_links":{"app":{"href":"%b/api/v1/apps/%b"},"user":{"href":"%b/api/v1/users/%b"}}'
            % (ORG_URL, child.parent_id, ORG_URL, user_id),
        )
        body = b"{%b}" % b",".join(self._ORDERS[noise[14] >> 5](members))
        return Record(user_id, updated, body, child.parent_id)
