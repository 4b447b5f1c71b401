"""The users of the practice org, and how they change."""

import random
from typing import Final

from circulate_practice.data.columns import StartingValues, newest_start
from circulate_practice.data.ids import USER, Ids
from circulate_practice.okta.users import DEPROVISIONED, STATUSES, Person, Row, UserWriter
from circulate_practice.paging.collection import Clock, Collection, TruthEntry
from circulate_practice.paging.filters import Attribute, id_in, name_in, time_in
from circulate_practice.paging.pages import PageCache

NAME: Final = "users"
_SHARE_OF_RARE = 20
_RARE_FROM = 5


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
            for position, index in enumerate(known):
                self._touch(index)
                self._updated[index] = now
                if position < rare:
                    self._status[index] = DEPROVISIONED
            return [self._ids.id_of(index).decode() for index in known + [self._add(now) for _ in range(rare)]]

    def person(self, number: int) -> Person:
        """Return the name and login of user `number`, whether or not there is one yet."""
        return self._writer.person(number)

    def _add(self, now: int) -> int:
        self._status.append(STATUSES.index("ACTIVE"))
        return self._append(now)

    def _attributes(self) -> dict[str, Attribute]:
        return {
            "lastUpdated": time_in(self._updated),
            "status": name_in(self._status, STATUSES),
            "id": id_in(self._ids),
        }

    def _listed(self, index: int) -> bool:
        return self._status[index] != DEPROVISIONED

    def _truth_at(self, index: int) -> TruthEntry:
        return {**super()._truth_at(index), "status": STATUSES[self._status[index]]}

    def _body(self, index: int) -> bytes:
        updated = self._updated[index]
        return self._writer.record(Row(index, self._version[index], self._status[index], updated, self.created(index)))
