"""What the smaller lists share (devices, policies, zones, API tokens, authorization servers).

Their records have an id, two dates, and members of their own, which a `Form` describes as data.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache as cached
from typing import Final

from circulate_practice.data.fragments import ORG_URL, Extras, rearrangements
from circulate_practice.data.ids import USER, Ids
from circulate_practice.data.timestamps import timestamp
from circulate_practice.paging.collection import Clock
from circulate_practice.paging.editable import Editable
from circulate_practice.paging.pages import PageCache

Values = Mapping[str, bytes | int]
"""Values of one record, by name."""
_DAY_MS: Final = 86_400_000
_PLACEHOLDER: Final = re.compile(r"<(\w+)(?::(\w+))?>")
_orders = cached(rearrangements)


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """Description of the records of one list.

    Members are JSON text, and `<name>` in it stands for a value of the record; `<number:04X>` is a number in that
    format of `%`. The values that every record has are those of `Inventory`; `turns`, `chosen` and `dates` add more.

    Attributes:
        name: Name of the list.
        kind: What Okta's errors call such a record.
        path: Path of the list.
        prefix: First three characters of the ids.
        members: Members besides `id`, `created` and `lastUpdated`, in the order Okta uses.
        turns: Texts that records have in turn.
        chosen: Texts that records have by chance, and the number of the byte that chooses; texts hold values, too.
        dates: Dates, as days after the last update.
    """

    name: str
    kind: str
    path: str
    prefix: bytes
    members: tuple[str, ...]
    turns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    chosen: Mapping[str, tuple[int, tuple[str, ...]]] = field(default_factory=dict)
    dates: Mapping[str, int] = field(default_factory=dict)


class _Template:
    """A text with placeholders, read once."""

    def __init__(self, text: str) -> None:
        literal = _PLACEHOLDER.sub(lambda found: f"%{found[2] or 'b'}", text.replace("%", "%%"))
        self._format = literal.encode()
        self._names = tuple(found[1] for found in _PLACEHOLDER.finditer(text))

    def filled(self, values: Values) -> bytes:
        """Return the text with values in their places."""
        return self._format % tuple(values[name] for name in self._names)


class Inventory(Editable):
    """One such list of one org.

    All records have the values `number` (their index in the list), `id`, `here` (their address), `org` (its beginning),
    `suffix` (ends their name, and changes with each renaming), `first` (whether they are the first), `updated`, `user`
    (the id of one of the first users), `noise` (by which things are chosen), and `extras` (members for a place where
    Okta's description allows any).

    Args:
        form: What its records look like.
        count: How many there are at the start.
        seed: Number everything follows from.
        clock: Source of the time of changes.
        edge_cases: Whether records carry the attributes of `EDGE_CASES`.
        cache: Where rendered pages are kept.
    """

    def __init__(  # noqa: PLR0913 - what all of them share
        self, form: Form, count: int, seed: int, *, clock: Clock, edge_cases: bool, cache: PageCache
    ) -> None:
        super().__init__(form.name, form.kind, count, Ids(seed, form.prefix), seed, clock=clock, cache=cache)
        self._key = b"%b:%d" % (form.name.encode(), seed)
        self._address = ORG_URL + form.path.encode()
        self._users = Ids(seed, USER)
        self._extras = Extras(self._key, edge_cases=edge_cases)
        self._dates = form.dates
        self._members = tuple(map(_Template, form.members))
        self._turns = {name: tuple(map(_Template, texts)) for name, texts in form.turns.items()}
        self._chosen = {name: (byte, tuple(map(_Template, texts))) for name, (byte, texts) in form.chosen.items()}

    def _own_values(self, index: int) -> Values:  # noqa: ARG002 - for lists that have some
        """Return values that only records of this list have."""
        return {}

    def _body(self, index: int) -> bytes:
        noise = hashlib.blake2b(b"%d" % index, key=self._key, digest_size=10).digest()
        record_id, version, updated = self._ids.id_of(index), self._version[index], self._updated[index]
        values: dict[str, bytes | int] = {
            "number": index,
            "id": record_id,
            "here": b"%b/%b" % (self._address, record_id),
            "org": ORG_URL,
            "suffix": b"%d%b" % (index, b" (renamed %d)" % version if version else b""),
            "first": b"false" if index else b"true",
            "updated": timestamp(updated),
            "user": self._users.id_of(noise[0] & 3),
            "noise": noise.hex().encode(),
            "extras": self._extras.of(index, noise[8]),
            **{name: timestamp(updated + days * _DAY_MS) for name, days in self._dates.items()},
            **self._own_values(index),
        }
        values |= {name: texts[index % len(texts)].filled(values) for name, texts in self._turns.items()}
        values |= {name: texts[noise[byte] % len(texts)].filled(values) for name, (byte, texts) in self._chosen.items()}
        members = (
            b'"id":"%b"' % record_id,
            b'"created":"%b"' % timestamp(self.created(index)),
            b'"lastUpdated":"%b"' % timestamp(updated),
            *(member.filled(values) for member in self._members),
        )
        return b"{%b}" % b",".join(_orders(len(members))[noise[9] & 7](members))
