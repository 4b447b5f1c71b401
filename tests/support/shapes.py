"""Records whose memory is not that of their bytes: few bytes that become many columns, keys, digests or places."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import formatdate

from support.http_server import Handler, Reply, Server

Pages = Iterator[Iterator[str]]
"""Pages of records, as JSON text."""

NOW = 1_795_000_000
"""The server's time, in seconds since 1970."""


@dataclass(frozen=True)
class Shape:
    """A list that an API serves."""

    pages: Callable[[int], Pages]
    """Makes its pages, of so many records in all."""
    records: int
    """How many records `make torture` has it serve; the ordinary tests have a fiftieth."""
    cursor: str | None = None
    """The member that holds a record's time."""


def paged(records: Callable[[int], Iterator[str]], per_page: int) -> Callable[[int], Pages]:
    def pages(count: int) -> Pages:
        each = records(count)

        def page() -> Iterator[str]:
            for _, record in zip(range(per_page), each, strict=False):
                yield record

        for _ in range(0, count, per_page):
            yield page()

    return pages


def _members(names: Iterator[str] | range, value: object = 1) -> str:
    return json.dumps({f"member_{name}": value for name in names}, separators=(",", ":"))


def _one_wide_then_empty(count: int) -> Iterator[str]:
    """One record of 900 members, then none."""
    yield _members(range(900))
    yield from ("{}" for _ in range(count - 1))


def _another_key(count: int) -> Iterator[str]:
    """Each record has a key that no other has."""
    yield from (f'{{"key_{number}":{number}}}' for number in range(count))


def _dense_and_wide(count: int) -> Iterator[str]:
    """Each record has 900 members, all of them texts that differ."""
    for number in range(count):
        yield "{" + ",".join(f'"member_{column}":"{number * column:x}"' for column in range(900)) + "}"


def _constant_and_wide(count: int) -> Iterator[str]:
    """All records have the same 900 members."""
    record = _members(range(900), "the same")
    yield from (record for _ in range(count))


def _nested(count: int) -> Iterator[str]:
    """One record with 30 objects of 30 members each, then none."""
    yield json.dumps({f"object_{outer}": {f"member_{inner}": "x" for inner in range(30)} for outer in range(30)})
    yield from ('{"object_1":{}}' for _ in range(count - 1))


def _list_of_wide(count: int) -> Iterator[str]:
    """Some lists of objects of 500 members, then lists of empty objects."""
    wide = f'{{"list":[{_members(range(500))}]}}'
    yield from (wide if number < 700 else '{"list":[' + ",".join(["{}"] * 20) + "]}" for number in range(count))


def _one_huge_list_of_wide(count: int) -> Iterator[str]:
    """The same, but one record has a list of five million."""
    wide = f'{{"list":[{_members(range(500))}]}}'
    yield from (wide for _ in range(700))
    yield '{"list":[' + ",".join(["{}"] * (count * 50)) + "]}"
    yield from ("{}" for _ in range(count - 701))


def _lists_of_lists(count: int) -> Iterator[str]:
    """Lists of many empty lists of lists of numbers."""
    yield '{"list":[[[1]]]}'
    yield from ('{"list":[' + ",".join(["[[],[]]"] * 50) + "]}" for _ in range(count - 1))


def _long_texts(count: int) -> Iterator[str]:
    """Texts of 200 KB that do not compress well."""
    for number in range(count):
        yield json.dumps({"id": number, "text": f"{number:x}" * (200_000 // len(f"{number:x}"))})


def _maps(count: int) -> Iterator[str]:
    """Objects whose keys are ids, in objects whose keys are ids."""
    for number in range(count):
        yield f'{{"id":{number},"map":{{"id_{number}":{{"id_{number}":1,"id_{number + 1}":2}}}}}}'


def _deep(count: int) -> Iterator[str]:
    """Objects 900 deep."""
    yield from ('{"a":' * 900 + "1" + "}" * 900 for _ in range(count))


def _unique_keys_in_one(count: int) -> Iterator[str]:
    """Records of 15 MB that have 900,000 members each."""
    members = ",".join(f'"key_{number:06}":1' for number in range(900_000))
    yield from (f'{{"number":{number},{members}}}' for number in range(count))


def _huge_texts(count: int) -> Iterator[str]:
    """Records of 15 MB with one text."""
    yield from (f'{{"number":{number},"text":"{"x" * 15_000_000}"}}' for number in range(count))


def _one_time(count: int) -> Iterator[str]:
    """All records have one and the same time."""
    yield from (f'{{"id":{number},"at":"2026-11-18T06:00:00Z"}}' for number in range(count))


def _empty(count: int) -> Iterator[str]:
    yield from ("{}" for _ in range(count))


SHAPES = {
    "one-wide-then-empty": Shape(paged(_one_wide_then_empty, 20_000), 200_000),
    "another-key": Shape(paged(_another_key, 20_000), 200_000),
    "dense-and-wide": Shape(paged(_dense_and_wide, 200), 20_000),
    "constant-and-wide": Shape(paged(_constant_and_wide, 200), 20_000),
    "nested": Shape(paged(_nested, 20_000), 200_000),
    "list-of-wide": Shape(paged(_list_of_wide, 10_000), 100_000),
    "one-huge-list-of-wide": Shape(paged(_one_huge_list_of_wide, 10_000), 100_000),
    "lists-of-lists": Shape(paged(_lists_of_lists, 5_000), 50_000),
    "long-texts": Shape(paged(_long_texts, 20), 2_000),
    "maps": Shape(paged(_maps, 10_000), 200_000),
    "deep": Shape(paged(_deep, 500), 20_000),
    "many-keys-in-one": Shape(paged(_unique_keys_in_one, 1), 50),
    "huge-texts": Shape(paged(_huge_texts, 1), 50),
    "one-time": Shape(paged(_one_time, 20_000), 2_000_000, cursor="/at"),
    "a-million-a-page": Shape(paged(_empty, 1_000_000), 4_000_000, cursor="/at"),
}


@contextmanager
def serving(shape: Shape, records: int) -> Iterator[str]:
    """Serve a list of so many records; gives the address of the API."""
    pages: dict[int, list[str]] = {}
    made = shape.pages(records)

    def respond(request: Handler) -> Reply:
        nonlocal made
        number = int(request.path.rpartition("page=")[2].partition("&")[0] or 0)
        if number not in pages:
            made = made if number else shape.pages(records)
            # A page is kept while it may be requested again.
            pages.clear()
            page = next(made, None)
            pages[number] = list(page) if page is not None else []
        headers = [("Date", formatdate(NOW, usegmt=True))]
        if pages[number]:
            headers.append(("Link", f'<http://{request.headers["Host"]}/things?page={number + 1}>; rel="next"'))
        return Reply(_pieces(pages[number]), headers, date=False)

    with Server(respond) as server:
        yield server.url


def _pieces(page: list[str]) -> Iterator[bytes]:
    """Give a page as a JSON array, so many records at a time that no copy of all of it is made."""
    yield b"["
    for at in range(0, len(page), 10_000):
        yield f"{',' if at else ''}{','.join(page[at : at + 10_000])}".encode()
    yield b"]"
