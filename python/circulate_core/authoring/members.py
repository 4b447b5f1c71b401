"""What records are made of: where a page has them, what identifies them, and which times they have."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Record = dict[str, Any]
_DEPTH = 4
_USUAL = ("data", "items", "results", "records", "value", "values", "entries", "content", "objects", "list", "rows")
_KEYS = ("id", "uuid", "guid", "_id", "sid", "key", "uid", "gid", "oid")
_CHANGED = ("updated", "modified", "changed", "lastupdate", "last_update", "mtime")
_HAPPENED = ("published", "timestamp", "occurred", "event_time", "eventtime", "time", "date", "created", "started")
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:?\d\d)")
_LOCAL = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_EPOCHS = {"epoch_s": 1, "epoch_ms": 1_000, "epoch_us": 1_000_000}
_FROM, _TO = 946_684_800, 4_102_444_800
"""2000 and 2100: a number between them may be a time."""


@dataclass(frozen=True)
class RecordList:
    """A place of a page that has records.

    Attributes:
        where: What `records` of a definition says; None for the page itself.
        pointer: Where that is.
        records: What is there.
    """

    where: Any
    pointer: str
    records: list[Record]


def escaped(name: str) -> str:
    """Return a member's name as a JSON Pointer has it, where `*` stands for each element."""
    if name == "*":
        return "~2"
    return name.replace("~", "~0").replace("/", "~1")


def record_lists(value: object) -> list[RecordList]:
    """Return the arrays of objects of a page; if it has none, maps and arrays of scalars that may be lists."""
    if isinstance(value, list):
        if value and all(isinstance(element, dict) for element in value):
            return [RecordList(None, "", value)]
        if value and not any(isinstance(element, (dict, list)) for element in value):
            return [RecordList({"scalars": ""}, "", [{"value": element} for element in value])]
        return []
    arrays = [
        RecordList(pointer, pointer, found)
        for pointer, found in _below(value, "", _DEPTH)
        if isinstance(found, list) and found and all(isinstance(element, dict) for element in found)
    ]
    return arrays or [*_maps(value), *_scalars(value)]


def empty_lists(value: object) -> list[str]:
    """Return where a page has arrays without an element."""
    if value == []:
        return [""]
    return [pointer for pointer, found in _below(value, "", _DEPTH) if found == []]


def chosen(lists: Sequence[RecordList], resource: str, page: object) -> tuple[RecordList | None, str]:
    """Return the list that is meant, and how that is known; None if that is not clear."""
    if len(lists) == 1 and not _is_part(lists[0], resource, page):
        (only,) = lists
        what = "the only array of objects" if isinstance(only.where, str) else "the page itself"
        return only, what if only.where is None or isinstance(only.where, str) else "the only list that there may be"
    words = _words(resource)
    named = [each for each in lists if _words(each.pointer.rpartition("/")[2]) == words]
    if len(named) == 1:
        return named[0], "the array that is named as the address"
    usual = [
        each for each in lists if each.pointer.rpartition("/")[2].lower() in _USUAL and each.pointer.count("/") == 1
    ]
    if len(usual) == 1:
        return usual[0], f"of {len(lists)} arrays the one at the top whose name is usual for records"
    return None, ", ".join(each.pointer for each in lists)


def is_called(found: RecordList, resource: str) -> bool:
    """Return whether an array is called as its address, or as records usually are."""
    name = found.pointer.rpartition("/")[2]
    return name.lower() in _USUAL or _words(name) == _words(resource)


def _is_part(only: RecordList, resource: str, page: object) -> bool:
    """Whether an array is likely a part of one thing, such as the tags of a user."""
    is_thing = isinstance(page, dict) and any(_is_scalar(page.get(key)) for key in _KEYS)
    return is_thing and not is_called(only, resource)


def primary_key(records: Sequence[Record], resource: str) -> tuple[str | None, str]:
    """Return the member that identifies records, and how that is known."""
    shared = [name for name in records[0] if all(_is_scalar(record.get(name)) for record in records)]
    unique = [name for name in shared if len({str(record[name]) for record in records}) == len(records)]
    word = _words(resource)
    own = [name for name in unique if _words(name) in ({*_KEYS} | {f"{word}id", f"{word}uuid", f"{word}key"})]
    wanted = [*(name for key in _KEYS for name in own if name.lower() == key), *own]
    others = [name for name in unique if re.search(r"(?:^|_|[a-z])(?:id|Id|ID|uuid|guid)$", name)]
    for name in (*wanted, *others):
        if len(records) == 1:
            return f"/{escaped(name)}", "by its name: there is one record, so that nothing shows whether it is unique"
        return f"/{escaped(name)}", f"no two of {len(records)} records have the same"
    if doubled := [name for name in shared if name.lower() in _KEYS]:
        return None, f"`{doubled[0]}` is the same in several records"
    return None, "no member of all records is named like one"


def times(records: Sequence[Record]) -> list[tuple[str, str]]:
    """Return the members that are times in all records, and their format; first what says when a record changed."""
    found = []
    for name in _scalars_of(records[0]):
        values = [_at(record, name) for record in records]
        form = time_format(values)
        if form:
            found.append(("".join(f"/{escaped(part)}" for part in name), form))
    return sorted(found, key=lambda each: _rank(each[0]))


def time_format(values: Sequence[object]) -> str | None:
    """Return the format in which all values are times, as definitions name it; `local` for times without an offset."""
    if not values:
        return None
    if all(isinstance(value, str) for value in values):
        texts = [str(value) for value in values]
        for form, pattern in (("rfc3339", _RFC3339), ("local", _LOCAL), ("date", _DATE)):
            if all(pattern.fullmatch(text) and _is_time(text) for text in texts):
                return form
    numbers = [_number(value) for value in values]
    for form, factor in _EPOCHS.items():
        if all(number is not None and _FROM * factor <= number < _TO * factor for number in numbers):
            return form
    return None


def instant(value: object, form: str) -> float | None:
    """Return a time as a number to compare with others of its format; None if it is none."""
    if form in _EPOCHS:
        return _number(value)
    try:
        time = datetime.fromisoformat(str(value).replace("t", "T").replace("z", "Z"))
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def order(values: Sequence[object]) -> str | None:
    """Return in which order values come; None if too few differ."""
    distinct = [str(value) if isinstance(value, str) else value for value in values]
    if len(set(map(str, distinct))) < 3:  # noqa: PLR2004 - two are in some order by chance
        return None
    comparable: list[Any] = list(distinct)
    try:
        if all(a <= b for a, b in pairwise(comparable)):
            return "ascending"
        if all(a >= b for a, b in pairwise(comparable)):
            return "descending"
    except TypeError:
        return None
    return "none"


def at(value: object, pointer: str) -> object:
    """Return what a JSON Pointer names, or None."""
    for part in pointer.split("/")[1:]:
        name = part.replace("~2", "*").replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return value


def scalars(value: object, *, but: str | None = None) -> Iterator[tuple[str, object]]:
    """Yield all members of a page but lists and objects, with their pointers.

    Args:
        value: The page.
        but: Where the records are, which are not looked into.
    """
    for pointer, found in _below(value, "", _DEPTH):
        if _is_scalar(found) and (not but or not pointer.startswith(f"{but}/")):
            yield pointer, found


def _below(value: object, pointer: str, depth: int) -> Iterator[tuple[str, object]]:
    if not isinstance(value, dict) or depth == 0:
        return
    for name, member in value.items():
        inner = f"{pointer}/{escaped(name)}"
        yield inner, member
        yield from _below(member, inner, depth - 1)


def _maps(value: object) -> Iterator[RecordList]:
    """Return objects whose members are all objects of the same shape: from ids to records."""
    for pointer, found in [("", value), *_below(value, "", _DEPTH)]:
        if not isinstance(found, dict) or len(found) < 2:  # noqa: PLR2004 - one is an object in an object
            continue
        members = list(found.values())
        if not all(isinstance(member, dict) and member for member in members):
            continue
        first = set(members[0])
        if all(len(first & set(member)) * 2 >= len(first | set(member)) for member in members):
            records = [{"_circulate": {"key": key}, **member} for key, member in found.items()]
            yield RecordList({"map": pointer}, pointer, records)


def _scalars(value: object) -> Iterator[RecordList]:
    for pointer, found in _below(value, "", _DEPTH):
        if isinstance(found, list) and found and all(_is_scalar(element) for element in found):
            yield RecordList({"scalars": pointer}, pointer, [{"value": element} for element in found])


def _scalars_of(record: Record) -> Iterator[tuple[str, ...]]:
    for name, member in record.items():
        if _is_scalar(member):
            yield (name,)
        elif isinstance(member, dict):
            yield from ((name, inner) for inner, value in member.items() if _is_scalar(value))


def _at(record: Record, path: tuple[str, ...]) -> object:
    value: object = record
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _rank(pointer: str) -> tuple[int, int]:
    name = pointer.rpartition("/")[2].lower()
    for rank, words in enumerate((_CHANGED, _HAPPENED)):
        if any(word in name for word in words):
            return rank, pointer.count("/")
    return 2, pointer.count("/")


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text.replace("t", "T").replace("z", "Z"))
    except ValueError:
        return False
    return True


def _number(value: object) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        # Others are no times, and may have more digits than a float takes.
        return float(value) if abs(value) < _TO * 1_000_000 else None
    return float(value) if isinstance(value, str) and re.fullmatch(r"\d{9,17}(\.\d+)?", value) else None


def _is_scalar(value: object) -> bool:
    return value is not None and not isinstance(value, (dict, list))


def _words(name: str) -> str:
    """Return a name as one word of the singular, to compare names that mean the same."""
    word = re.sub(r"[^a-z0-9]", "", name.lower())
    if word.endswith("ies"):
        return f"{word[:-3]}y"
    return word.removesuffix("s") if not word.endswith("ss") else word
