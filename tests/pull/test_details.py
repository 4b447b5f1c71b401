"""Details of records by further requests: one or many at a time, by ids or by addresses."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from support.changing import StopAt
from support.cli import Cli
from support.http_server import Handler, Reply, Server
from support.nested import write

import circulate_core
from circulate_core import CirculateError, Stop
from circulate_core.results import Report
from circulate_practice.compare import records

if TYPE_CHECKING:
    from collections.abc import Callable

SOURCE: dict[str, Any] = {
    "source": "shop",
    "title": "Shop",
    "settings": {"base_url": {"env": "SHOP_URL", "about": "its address"}},
    "base_url": "{base_url}",
    "auth": ["none"],
    "check": {"path": "/ids"},
}
IDS: dict[str, Any] = {
    "path": "/ids",
    "records": {"scalars": "/ids"},
    "primary_key": ["/value"],
    "paginator": {"next_url": {"body": "/next"}},
}
BATCHED: dict[str, Any] = {
    "path": "/items",
    "query": {"ids": "{id}"},
    "records": "/items",
    "primary_key": ["/id"],
    "paginator": "none",
    "single": "certain",
    "parent": {"endpoint": "ids", "fields": {"id": "/value"}, "batch": {"size": 4, "join": ",", "key": "/id"}},
}
PAGE = 3


def item(name: str) -> dict[str, Any]:
    """Return what is said of an id."""
    return {"id": name, "size": len(name)}


class Shop:
    """Ids, and what is said of each."""

    def __init__(self, count: int = 10, *, most: int = 100) -> None:
        """Have so many, of which one response has at most so many."""
        self.ids = [f"i{number}" for number in range(count)]
        self.missing: set[str] = set()
        self.most = most
        self.strict = False
        """An id that is missing is a 404 for all."""
        self.refuses: Callable[[list[str]], int | None] = lambda _: None
        """The status of a batch that it does not give."""
        self.asked: list[list[str]] = []
        self.addresses: Callable[[str], Any] = lambda name: f"/items/{name}"
        self.requests: list[str] = []

    def respond(self, request: Handler) -> Reply:
        """Respond as an API does that has lists of ids."""
        self.requests.append(request.path)
        url = urlsplit(request.path)
        query = parse_qs(url.query)
        if url.path == "/ids":
            start = int(query.get("start", ["0"])[0])
            body: dict[str, Any] = {"ids": self.ids[start : start + PAGE]}
            if start + PAGE < len(self.ids):
                body["next"] = f"/ids?start={start + PAGE}"
            return Reply(body)
        if url.path == "/contents":
            return Reply({"items": [{"id": name, "uri": self.addresses(name)} for name in self.ids]})
        if url.path.startswith("/items/"):
            names = unquote(url.path.removeprefix("/items/")).split(",")
            there = [name for name in names if name in self.ids and name not in self.missing]
            return Reply(item(there[0])) if there else Reply({"error": "not here"}, status=404)
        if request.command == "POST":
            sent = json.loads(request.body)["filter"]["ids"]
            return self.batch([f"i{number}" if isinstance(number, int) else number for number in sent])
        ids = query.get("ids", [])
        return self.batch([name for text in ids for name in text.split(",")])

    def batch(self, names: list[str]) -> Reply:
        """Return what is there of these."""
        self.asked.append(names)
        if status := self.refuses(names):
            return Reply({"error": "not for you"}, status=status)
        there = [name for name in names if name in self.ids and name not in self.missing]
        if self.strict and len(there) < len(names):
            return Reply({"error": "one of them is not here"}, status=404)
        return Reply({"items": [item(name) for name in there[: self.most]]})


def definition(stream: dict[str, Any], **lists: dict[str, Any]) -> dict[str, Any]:
    """Return what a user writes for such an API."""
    endpoints = {"ids": IDS, "items": stream, **lists}
    return {
        "source": SOURCE,
        "endpoints": {
            name: {"endpoint": name, "about": "Things.", "scopes": [], "list": each} for name, each in endpoints.items()
        },
    }


def pull(shop: Shop, folder: Path, stream: dict[str, Any] | None = None, **lists: dict[str, Any]) -> Report:
    """Pull the items."""
    with Server(shop.respond) as server:
        return pull_from(server, folder, stream, lists)


def pull_from(
    server: Server,
    folder: Path,
    stream: dict[str, Any] | None = None,
    lists: dict[str, dict[str, Any]] | None = None,
    stop: Stop | None = None,
) -> Report:
    """Pull the items from a server that is there."""
    return circulate_core.pull(
        "shop.items",
        to=folder,
        settings={"base_url": server.url},
        account="practice",
        catalog=[definition(stream or BATCHED, **(lists or {}))],  # type: ignore[list-item]
        stop=stop,
    )


def found(folder: Path, report: Report) -> list[Any]:
    """Return what was delivered."""
    assert report.manifest is not None
    return sorted((json.loads(record) for record in records(folder / report.manifest)), key=lambda each: each["id"])


def test_details_are_requested_in_batches_that_fill_over_pages(tmp_path: Path) -> None:
    shop = Shop(10)
    report = pull(shop, tmp_path)
    assert (report.status, report.records) == ("complete", 10)
    assert found(tmp_path, report) == [item(name) for name in sorted(shop.ids)], (
        "as received, without a parent in front"
    )
    assert sorted(map(len, shop.asked)) == [2, 4, 4]


def test_what_stands_for_several_parents_is_no_name_for_lists_further_down(cli: Cli) -> None:
    below = {**BY_URL, "path": "/items/{id}/{item}", "parent": {"endpoint": "items", "fields": {"item": "/id"}}}
    write(cli.folder / "catalog", definition(BATCHED, below=below), "shop")  # type: ignore[arg-type]
    done = cli("describe", "shop.below", "--catalog", "catalog")
    assert (done.code, "`{id}` is neither a field of a parent" in done.err) == (2, True), done.err
    assert "below.yaml" in done.err


def test_long_ids_are_held_and_written_by_their_size_and_not_their_number(tmp_path: Path) -> None:
    shop = Shop(900)
    shop.ids = [f"{name}-{'x' * 10_000}" for name in shop.ids]
    by_body = {"filter": {"ids": "{id}"}}
    batch = {"size": 1000, "key": "/id"}
    stream = {**BATCHED, "query": {}, "body": {"json": by_body}, "parent": {**BATCHED["parent"], "batch": batch}}
    report = pull(shop, tmp_path, stream)
    assert (report.status, report.records) == ("complete", 900)
    assert max(sum(map(len, names)) for names in shop.asked) < 100_000, "of a thousand that a batch may have"
    written = [path.stat().st_size for path in (tmp_path / "_circulate").rglob("*.json")]
    assert sum(written) > 15_000_000, "the plan and the manifest name them"
    assert max(written) < 5_000_000


@pytest.mark.parametrize("most", [1, 3])
def test_an_api_that_gives_fewer_than_were_requested_is_asked_for_the_rest(most: int, tmp_path: Path) -> None:
    shop = Shop(11, most=most)
    report = pull(shop, tmp_path)
    assert (report.status, report.records) == ("complete", 11)
    assert found(tmp_path, report) == [item(name) for name in sorted(shop.ids)]


def test_what_is_not_there_any_more_is_gone(tmp_path: Path) -> None:
    shop = Shop(8)
    shop.missing = {"i1", "i2"}
    report = pull(shop, tmp_path)
    assert (report.status, report.records) == ("complete", 6)
    assert report.partitions is not None
    assert report.partitions.gone == 1
    assert shop.asked.count(["i1", "i2"]) == 1, "the two are requested once more, alone"


def test_a_batch_that_is_not_found_for_one_of_it_is_halved(tmp_path: Path) -> None:
    shop = Shop(9)
    shop.missing, shop.strict = {"i5"}, True
    report = pull(shop, tmp_path)
    assert (report.status, report.records) == ("complete", 8)
    assert report.partitions is not None
    assert report.partitions.gone == 1
    assert ["i5"] in shop.asked


@pytest.mark.parametrize("number", [3, 9])
def test_one_of_a_batch_that_is_refused_is_a_gap_and_the_others_are_not(number: int, tmp_path: Path) -> None:
    shop = Shop(number)
    shop.refuses = lambda names: 403 if "i2" in names else None
    report = pull(shop, tmp_path)
    assert (report.status, report.records) == ("partial", number - 1)
    assert report.gaps == ('id ["i2"]',)


@pytest.mark.parametrize("status", [403, 404])
def test_an_api_that_refuses_every_batch_is_not_asked_for_every_id(status: int, tmp_path: Path) -> None:
    shop = Shop(1000)
    shop.refuses = lambda _: status
    batch = {**BATCHED["parent"]["batch"], "size": 100}
    with pytest.raises(CirculateError) as refused:
        pull(shop, tmp_path, {**BATCHED, "parent": {**BATCHED["parent"], "batch": batch}})
    assert any("no parent requested so far has responded" in note for note in refused.value.__notes__)
    assert len(shop.asked) < 200, "of a thousand"


def test_numbers_of_many_digits_are_requested_as_they_were_received(tmp_path: Path) -> None:
    numbers = ["12345678901234567890123", "12345678901234567890124"]

    def respond(request: Handler) -> Reply:
        if request.path == "/ids":
            return Reply({"ids": [int(number) for number in numbers]})
        return Reply(
            {"items": [{"id": int(name)} for name in parse_qs(urlsplit(request.path).query)["ids"][0].split(",")]}
        )

    with Server(respond) as server:
        report = pull_from(server, tmp_path)
    assert (report.status, [each["id"] for each in found(tmp_path, report)]) == ("complete", list(map(int, numbers)))


def test_records_of_none_of_the_parents_are_not_taken_for_all_there_is(tmp_path: Path) -> None:
    shop = Shop(4)
    stream = {**BATCHED, "parent": {**BATCHED["parent"], "batch": {"size": 4, "join": ",", "key": "/size"}}}
    report = pull(shop, tmp_path, stream)
    assert report.status == "partial"
    assert "none is of a parent that was requested, by its `/size`" in report.gaps[0]


@pytest.mark.parametrize("kind", ["repeated", "json", "numbers", "path"])
def test_several_parents_go_where_the_definition_says(kind: str, tmp_path: Path) -> None:
    shop = Shop(4)
    stream = {**BATCHED, "parent": {**BATCHED["parent"], "batch": {"size": 4, "key": "/id"}}}
    match kind:
        case "json":
            stream |= {"query": {}, "body": {"json": {"filter": {"ids": "{id}"}}}}
        case "numbers":
            shop.ids = [str(number) for number in range(4)]
            stream |= {"query": {}, "body": {"json": {"filter": {"ids": "{id:number}"}}}}
            shop.batch = lambda names: Reply({"items": [item(name[1:]) for name in names]})  # type: ignore[method-assign]
        case "path":
            shop.ids = ["a", "b/c"]
            stream |= {"query": {}, "path": "/items/{id}", "records": {"one": ""}}
            stream["parent"] = {**BATCHED["parent"], "batch": {"size": 2, "join": ",", "key": "/id"}}
    report = pull(shop, tmp_path, stream)
    assert report.status == "complete"
    match kind:
        case "repeated":
            assert shop.requests[-1] == "/items?ids=i0&ids=i1&ids=i2&ids=i3"
        case "path":
            assert "/items/a,b%2Fc" in shop.requests
            assert "/items/b%2Fc" in shop.requests
    assert report.records == len(shop.ids)


def test_a_parent_that_holds_what_joins_them_is_refused(tmp_path: Path) -> None:
    shop = Shop(0)
    shop.ids = ["a", "b,c"]
    with pytest.raises(CirculateError, match="the parent `b,c` holds `,`"):
        pull(shop, tmp_path)
    assert shop.asked == []


ONE: dict[str, Any] = {
    "path": "/items/{id}",
    "records": {"one": ""},
    "primary_key": ["/id"],
    "paginator": "none",
    "parent": {"endpoint": "ids", "fields": {"id": "/value"}},
}


def test_details_are_requested_one_by_one(tmp_path: Path) -> None:
    shop = Shop(5)
    shop.missing = {"i3"}
    report = pull(shop, tmp_path, ONE)
    assert (report.status, report.records) == ("complete", 4)
    assert report.warnings == ()
    delivered = found(tmp_path, report)
    assert delivered[0] == {"_circulate": {"parent": {"id": "i0"}}, "id": "i0", "size": 2}
    assert (report.ends.counts["single"], report.ends.counts["gone"]) == (4, 1)


def test_an_error_that_looks_like_a_record_is_none(tmp_path: Path) -> None:
    shop = Shop(2)

    def respond(request: Handler) -> Reply:
        if request.path.startswith("/items/"):
            return Reply({"error": "try again later"})
        return shop.respond(request)

    with (
        Server(respond) as server,
        pytest.raises(CirculateError, match="the response has no `/id`, which identifies a record"),
    ):
        pull_from(server, tmp_path, ONE)


CONTENTS: dict[str, Any] = {
    "path": "/contents",
    "records": "/items",
    "primary_key": ["/id"],
    "paginator": "none",
    "single": "certain",
}
BY_URL: dict[str, Any] = {
    "records": {"one": ""},
    "primary_key": ["/id"],
    "paginator": "none",
    "query": {"view": "full"},
    "parent": {"endpoint": "contents", "fields": {"content": "/id"}, "url": "/uri"},
}


def test_details_are_requested_at_the_addresses_that_records_name(tmp_path: Path) -> None:
    shop = Shop(3)
    shop.addresses = lambda name: f"/items/{name}?token=x%2By&view=short"
    report = pull(shop, tmp_path, BY_URL, contents=CONTENTS)
    assert (report.status, report.records) == ("complete", 3)
    assert "/items/i0?token=x%2By&view=full" in shop.requests
    assert found(tmp_path, report)[0]["_circulate"] == {"parent": {"content": "i0"}}
    parts = [path.read_text() for path in tmp_path.rglob("0-0001-*.json")]
    assert parts
    assert not any("x%2By" in part for part in parts), "what names a list in the manifest is no address"


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("https://evil.example/items/1", "another origin|leads to|origin"),
        ("//evil.example/items/1", "origin"),
        (17, "has no text at `/uri`"),
        (None, "has no text at `/uri`"),
        ("http://[", r"`http://\[` is not an address.*`/uri` of `contents`"),
    ],
)
def test_an_address_that_leads_elsewhere_or_is_none_is_not_requested(address: object, why: str, tmp_path: Path) -> None:
    shop = Shop(2)
    shop.addresses = lambda _: address
    with pytest.raises(CirculateError, match=why):
        pull(shop, tmp_path, BY_URL, contents=CONTENTS)
    assert shop.requests == ["/contents"]


def test_an_address_that_repeats_the_key_is_kept_and_requested_without_it(tmp_path: Path) -> None:
    shop = Shop(2)
    shop.addresses = lambda name: f"/items/{name}?key=k-canary&part=1"
    keyed = definition(BY_URL, contents=CONTENTS)
    secret = {"env": "SHOP_KEY", "about": "A key.", "secret": True}
    keyed["source"] = {
        **SOURCE,
        "settings": {**SOURCE["settings"], "api_key": secret},
        "auth": [{"query": {"name": "key", "secret": "api_key"}}],
    }
    with Server(shop.respond) as server:
        settings = {"base_url": server.url, "api_key": "k-canary"}
        catalog: list[Any] = [keyed]
        report = circulate_core.pull("shop.items", to=tmp_path, settings=settings, account="practice", catalog=catalog)
    assert (report.status, report.records) == ("complete", 2)
    asked = [parse_qs(urlsplit(request).query)["key"] for request in shop.requests]
    assert asked == [["k-canary"]] * 3, "once in each"
    assert not any(b"k-canary" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_details_of_changed_parents_alone_are_requested(tmp_path: Path) -> None:
    times = {"i0": "2026-10-01T00:00:00Z", "i1": "2026-10-02T00:00:00Z"}
    shop = Shop(2)

    def respond(request: Handler) -> Reply:
        if request.path.startswith("/contents"):
            shop.requests.append(request.path)
            items = [{"id": name, "uri": f"/items/{name}", "at": at} for name, at in times.items()]
            return Reply({"items": items}, [("Date", "Mon, 30 Nov 2026 00:00:00 GMT")], date=False)
        return shop.respond(request)

    rule = {"cursor": "/at", "client_side": True, "overlap": "0s"}
    stream = {**BY_URL, "parent": {**BY_URL["parent"], "incremental": rule}}
    with Server(respond) as server:

        def again() -> Report:
            return pull_from(server, tmp_path, stream, {"contents": CONTENTS})

        assert again().records == 2
        times["i0"] = "2026-10-03T00:00:00Z"
        second = again()
        third = again()
    assert second.status == "complete"
    assert {each["id"] for each in found(tmp_path, second)} == {"i0", "i1"}, "the newest before is at the bound itself"
    assert {each["id"] for each in found(tmp_path, third)} == {"i0"}


def test_batches_that_are_stopped_at_every_page_are_pulled_whole(tmp_path: Path) -> None:
    shop = Shop(23, most=3)
    reports: list[Report] = []
    with Server(shop.respond) as server:
        while not reports or reports[-1].status != "complete":
            at = StopAt(2)
            server.respond = lambda request, at=at: (at(0), shop.respond(request))[1]  # type: ignore[misc]
            reports.append(pull_from(server, tmp_path, stop=at.stop))
            at.ended.set()
            assert len(reports) < 60
    assert len(reports) > 4
    assert found(tmp_path, reports[-1]) == [item(name) for name in sorted(shop.ids)]


def test_check_requests_the_details_of_the_first_record(cli: Cli) -> None:
    shop = Shop(5)
    for stream, last in ((BATCHED, "/items?ids=i0"), (ONE, "/items/i0"), (BY_URL, "/items/i0?view=full")):
        write(cli.folder / "catalog", definition(stream, contents=CONTENTS), "shop")  # type: ignore[arg-type]
        with Server(shop.respond) as server:
            done = cli("check", "shop.items", "--catalog", "catalog", SHOP_URL=server.url)
        assert done.code == 0, done.err
        assert shop.requests[-1] == last


BAD = [
    ({**ONE, "paginator": {"page": {"to": "page"}}}, "`one` is a record and no list"),
    ({**ONE, "records": {"one": "/a/*/b"}}, "`one` is one record"),
    ({**BY_URL, "path": "/items"}, "the parent names an address (`url`)"),
    ({key: value for key, value in ONE.items() if key != "path"}, "the key `path` is missing"),
    (
        {**BATCHED, "query": {"filter": "id in {id}"}, "parent": {**BATCHED["parent"], "batch": {"size": 2}}},
        "say what joins them by `join`",
    ),
    ({**BATCHED, "parent": {**BATCHED["parent"], "batch": {"size": 0, "join": ","}}}, "at least one parent"),
    ({**BATCHED, "parent": {**BATCHED["parent"], "batch": {"size": 2, "join": ""}}}, "what joins them is empty"),
    (
        {**BATCHED, "parent": {**BATCHED["parent"], "fields": {"id": "/value", "other": "/value"}}},
        "what stands for several parents is one field",
    ),
    (
        {**BATCHED, "incremental": {"cursor": "/at", "client_side": True}},
        "a batch has no cursor of its own",
    ),
    ({**BY_URL, "parent": {"endpoint": "contents", "fields": {}, "url": "/uri"}}, "an address does not identify"),
]  # fmt: skip


@pytest.mark.parametrize(("stream", "why"), BAD, ids=[why for _, why in BAD])
def test_what_cannot_be_meant_is_refused_with_its_place(cli: Cli, stream: dict[str, Any], why: str) -> None:
    write(cli.folder / "catalog", definition(stream, contents=CONTENTS), "shop")  # type: ignore[arg-type]
    done = cli("describe", "shop.items", "--catalog", "catalog")
    assert (done.code, why in done.err, "items.yaml" in done.err) == (2, True, True), done.err
