"""The members of each group: users, with the very bytes they have in the list of users."""

from collections.abc import Mapping
from typing import Final

from circulate_practice.data.sizes import Sizes
from circulate_practice.okta.directory import Directory
from circulate_practice.okta.groups import Groups
from circulate_practice.paging.children import Changed, Child, Children
from circulate_practice.paging.collection import Clock
from circulate_practice.paging.pages import PageCache, Record

NAME: Final = "group_members"


class Members(Children):
    """The members of every group; a group cannot have more than there are users.

    Args:
        groups: The groups.
        directory: The users.
        sizes: How many members each group has at the start, if there are so many users.
        seed: Number everything follows from.
        clock: Source of the time of changes.
        cache: Where rendered pages are kept.
    """

    def __init__(  # noqa: PLR0913 - what the records are made of
        self, groups: Groups, directory: Directory, sizes: Sizes, seed: int, *, clock: Clock, cache: PageCache
    ) -> None:
        super().__init__(NAME, groups, sizes, len(directory), seed, clock=clock, cache=cache)
        self._groups = groups
        self._directory = directory

    def change(self, parent: int, *, add: int = 0, update: int = 0, remove: int = 0) -> Changed:
        """Change the members of one group; their content changes when the users do.

        Raises:
            ValueError: If members are to be updated.
        """
        if update:
            message = "members of a group are users, whose content changes with the users"
            raise ValueError(message)
        with self._lock:
            changed = super().change(parent, add=add, remove=remove)
            if changed.added or changed.removed:
                self._groups.membership_changed(parent)
        return changed

    def put(self, parent: int, number: int, values: Mapping[str, bytes | None]) -> int:
        """Add a user to a group; see `Children.put`."""
        position = super().put(parent, number, values)
        self._groups.membership_changed(parent)
        return position

    def take(self, parent: int, position: int) -> None:
        """Remove a user from a group."""
        super().take(parent, position)
        self._groups.membership_changed(parent)

    def _stands(self, number: int) -> bool:
        return self._directory.exists(number)

    def _record(self, child: Child) -> Record:
        return self._directory.record(child.number)._replace(parent=child.parent_id)

    def _base(self, parent: int) -> int:
        return min(super()._base(parent), self._pool)

    def _room(self, count: int, requested: int) -> int:
        return min(requested, len(self._directory) - count)

    def _version(self, parent: int) -> int:
        return super()._version(parent) + self._directory.changes
