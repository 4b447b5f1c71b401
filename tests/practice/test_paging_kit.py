"""The kit of lists: each style is read right by an independent client, and each trap does what it says."""

import gzip
import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.error import URLError

import pytest
from support.paging_client import EndlessError, PagingClient, Sent, member

from circulate_practice.paging.kit import STYLES, TRAPS, Key, ListServer, PagedList, make_records, serve

COUNT = 23
SIZE = 5


@contextmanager
def serving(style: str, trap: str | None = None, *, size: int = SIZE) -> Iterator[tuple[PagedList, PagingClient]]:
    """Serve a list; gives it with a client."""
    items = PagedList(make_records(COUNT), style=style, trap=trap, page_size=SIZE)
    with serve(items) as server:
        yield items, PagingClient(server, size)


def test_a_server_that_is_closed_ends_the_connections_that_clients_keep_open() -> None:
    with serve(PagedList(make_records(COUNT), style="page", page_size=SIZE)) as server:
        client = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=600)
        client.request("GET", "/items")
        client.getresponse().read()
        assert client.sock is not None
    assert client.sock.recv(1) == b""
    client.close()


@pytest.mark.parametrize("style", STYLES)
def test_a_client_reads_every_style(style: str) -> None:
    with serving(style) as (items, client):
        found = client.records()
    assert found == items.truth
    assert len(items.truth) == COUNT


@pytest.mark.parametrize("style", [name for name, style in STYLES.items() if style.kind != "none"])
def test_pages_are_as_large_as_requested_and_never_larger_than_the_list_allows(style: str) -> None:
    too_large = [] if STYLES[style].options.get("by") == "page_size" else [(50, SIZE)]
    for size, expected in [(3, 3), (SIZE, SIZE), *too_large]:
        with serving(style, size=size) as (_, client):
            first, second, *_ = client.pages()
            assert len(client.records_of(first)) == len(client.records_of(second)) == expected


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("count", [0, 1, SIZE, SIZE + 1])
def test_short_lists_end_too(style: str, count: int) -> None:
    with serve(PagedList(make_records(count), style=style, page_size=SIZE)) as server:
        assert len(PagingClient(server).records()) == count


def test_the_log_has_every_request_with_its_records() -> None:
    items = PagedList(make_records(7), style="offset_total", page_size=SIZE)
    with serve(items) as server:
        PagingClient(server).records()
        assert [(each.request.target, each.status, each.records) for each in server.log] == [
            ("/items?limit=5", 200, 5),
            ("/items?offset=5&limit=5", 200, 2),
        ]


def test_a_token_in_a_path_is_below_the_name_of_its_list() -> None:
    with serve({"users": PagedList(make_records(COUNT), style="token_to_path", page_size=SIZE)}) as server:
        assert PagingClient(server, name="users").records() == make_records(COUNT)
        assert server.log[1].request.path.startswith("/users/after/c%2B%2F%3D%26%2541%20")


def test_several_lists_are_served_below_their_names() -> None:
    lists = {name: PagedList(make_records(count), page_size=SIZE) for name, count in (("users", 2), ("groups", 3))}
    with serve(lists) as server:
        assert list(server.endpoints()) == ["users", "groups"]
        assert get(server, "/users")["items"] == lists["users"].truth
        assert get(server, "/groups")["items"] == lists["groups"].truth
        assert get(server, "/roles") == {"error": "no list roles"}


def test_requests_without_the_key_are_refused() -> None:
    with serve(PagedList(make_records(3)), key=Key("X-Key", "s3cret", "Token ")) as server:
        assert get(server, "/items") == {"error": "X-Key is missing or wrong"}
        client = PagingClient(server)
        assert client.get(Sent(headers={"X-Key": "s3cret"})).status == 401
        assert client.get(Sent(headers={"X-Key": "Token s3cret"})).status == 200
        assert server.source()["auth"] == [{"header": {"name": "X-Key", "prefix": "Token ", "secret": "key"}}]


@pytest.mark.parametrize(
    ("style", "target", "reason"),
    [
        ("page", "/items?page=0", "the page '0' is not a number of 1 or more"),
        ("offset_one", "/items?startIndex=0", "the offset '0' is not a number of 1 or more"),
        ("offset", "/items?limit=0", "the page size '0' is not a number of 1 or more"),
        ("offset", "/items?offset=1&offset=2", "the parameter offset is there twice"),
        ("token", "/items?cursor=abc", "the list never handed out the token 'abc'"),
        ("token_start", "/items", "the first request needs the token *"),
        ("token_two", "/items?after=x", "the values of a token go together"),
        ("token_alone", "/items?cursor=x&limit=5", "nothing may stand beside cursor: limit"),
        ("next_url_keep", "/items", "the parameter filter is missing"),
        ("last_record", "/items?starting_after=x", "no record has the id x"),
        ("graphql", "/items", "the list takes POST"),
    ],
)
def test_what_a_list_does_not_take_is_refused(style: str, target: str, reason: str) -> None:
    with serve(PagedList(make_records(COUNT), style=style, page_size=SIZE)) as server:
        assert get(server, target) == {"error": reason}
        assert server.log[0].status in {400, 405}


def get(server: ListServer, target: str) -> dict[str, object]:
    connection = http.client.HTTPConnection(server.address)
    connection.request("GET", target)
    found: dict[str, object] = json.loads(connection.getresponse().read())
    connection.close()
    return found


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"style": "tokens"}, "there is no style 'tokens'; the styles are none, link_header, "),
        ({"trap": "late"}, "there is no trap 'late'; the traps are short_page, "),
        ({"style": "page", "trap": "next_is_null"}, "the trap 'next_is_null' does not fit this style; those that do"),
        ({"trap": "short_page", "page_size": 8}, "23 records are too few for a trap: they need more than three pages"),
    ],
)
def test_what_does_not_go_together_is_refused(options: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        PagedList(make_records(COUNT), **options)  # type: ignore[arg-type]


# Traps. Each fits some style, and does there what it says.


def lengths(client: PagingClient) -> list[int]:
    return [len(client.records_of(page)) for page in client.pages()]


def values(client: PagingClient, pointer: str) -> list[object]:
    """Return what stands in a place of each page, without regard to its end."""
    return [member(page.json, pointer, "absent") for page in client.pages()]


def test_each_trap_fits_a_style_and_says_what_it_imitates() -> None:
    for trap in TRAPS.values():
        assert any(trap.applies(style) for style in STYLES.values())
        assert trap.about.endswith(".")


PATIENT = [
    *[("token", name) for name in ("short_page", "empty_page", "full_last_page", "next_is_null", "next_is_empty")],
    *[("page_pages", name) for name in ("short_page", "empty_page", "full_last_page")],
    *[("offset_by_page_size", name) for name in ("short_page", "empty_page")],
    *[("offset", name) for name in ("short_page_by_records", "size_is_ignored", "size_is_capped")],
    *[("link_header", name) for name in ("short_page", "empty_page", "size_is_ignored", "deletes", "inserts")],
    *[("last_record_more", name) for name in ("full_last_page", "short_page", "inserts")],
]
"""Traps that a client which believes the API reads right."""


@pytest.mark.parametrize(("style", "trap"), PATIENT)
def test_what_only_looks_like_an_end_is_read_past(style: str, trap: str) -> None:
    with serving(style, trap) as (items, client):
        found = client.records()
    assert [record for record in found if record not in items.passing] == items.truth


def test_pages_have_the_lengths_that_traps_say() -> None:
    for style, trap, expected in [
        ("token", "short_page", [5, 4, 5, 5, 3]),
        ("token", "empty_page", [5, 0, 5, 5, 3]),
        ("token", "full_last_page", [5, 5, 5, 5]),
        ("offset", "full_last_page", [5, 5, 5, 5, 0]),
        ("offset", "short_page_by_records", [5, 4, 5, 5, 4, 0]),
        ("page", "size_is_ignored", [3, 3, 3, 3, 3, 3, 3, 2, 0]),
        ("token", "size_is_capped", [3, 3, 3, 3, 3, 3, 3, 2]),
        ("token", "repeated_record", [5, 6, 6, 6, 4]),
        ("offset", "repeated_record", [5, 6, 6, 6, 0]),
    ]:
        with serving(style, trap) as (_, client):
            assert lengths(client) == expected, (style, trap)


def test_totals_are_as_traps_say() -> None:
    for trap, expected in [
        ("total_too_high", [28] * 6),
        ("total_too_low", [18] * 4),
        ("total_changes", [22, 23, 23, 23, 23]),
    ]:
        with serving("offset_total", trap) as (_, client):
            pages = client.pages()
            assert [member(next(pages).json, "/meta/total") for _ in expected] == expected, trap
    for trap, value in (("total_is_text", "23"), ("total_is_words", "many"), ("total_is_null", None)):
        with serving("offset_total", trap) as (_, client):
            assert client.get().json["meta"] == {"total": value}
    for trap, count in (("pages_too_high", 6), ("pages_is_words", "many")):
        with serving("page_pages", trap) as (_, client):
            assert client.get().json["meta"] == {"pages": count}


def test_flags_are_as_traps_say() -> None:
    last = Sent(query={"starting_after": "r-0020"})
    for trap, first, end in [
        ("more_at_end", True, True),
        ("more_is_text", "true", "false"),
        ("more_is_words", "perhaps", "perhaps"),
        ("more_is_missing", True, "absent"),
    ]:
        with serving("last_record_more", trap) as (_, client):
            assert member(client.get().json, "/has_more") == first
            assert member(client.get(last).json, "/has_more", "absent") == end
    with serving("offset_more_total", "no_more_in_middle") as (_, client):
        assert lengths(client) == [5, 5]
        assert client.get(Sent(query={"offset": "10"})).json["meta"] == {"has_more": True, "total": COUNT}


def test_the_end_of_a_token_is_as_traps_say() -> None:
    for trap, end in (("next_is_null", None), ("next_is_empty", "")):
        with serving("token", trap) as (_, client):
            *_, last = client.pages()
            assert last.json["meta"] == {"next": end}
    with serving("token") as (_, client):
        *_, last = client.pages()
        assert "meta" not in last.json


@pytest.mark.parametrize("trap", ["next_is_same", "next_goes_back", "page_is_ignored"])
@pytest.mark.parametrize("style", ["link_header", "next_url", "token", "token_more", "graphql", "token_from_url"])
def test_a_list_that_leads_back_has_no_end(style: str, trap: str) -> None:
    with serving(style, trap) as (_, client), pytest.raises(EndlessError):
        client.records()


def test_the_last_page_for_ever_has_no_end() -> None:
    with serving("page", "last_page_for_ever") as (_, client), pytest.raises(EndlessError):
        client.records()


def test_next_urls_are_as_traps_say() -> None:
    for trap, start in [
        ("next_on_another_origin", "http://localhost:"),
        ("next_with_credentials", "http://user:secret@127.0.0.1:"),
    ]:
        with serving("next_url", trap) as (_, client):
            assert client.get().json["links"]["next"].startswith(start)


def test_tokens_are_as_traps_say() -> None:
    with serving("token", "token_is_number") as (items, client):
        assert client.get().json["meta"] == {"next": 4}
        assert client.records() == items.truth
    with serving("token", "token_is_array") as (_, client):
        assert client.get().json["meta"]["next"][1] == 1
    for trap, status in (("token_has_expired", 410), ("token_is_unknown", 400)):
        with serving("link_header", trap) as (items, client):
            pages = client.pages()
            second = [next(pages), next(pages)][1]
            third = Sent(url=second.headers["Link"].partition(">")[0].removeprefix("<"))
            assert [client.get(third).status, client.get(third).status] == [status, 200]
            assert client.records() == items.truth


def test_an_offset_is_refused_as_the_trap_says() -> None:
    with serving("offset", "offset_is_capped") as (_, client):
        assert client.get(Sent(query={"offset": "19"})).status == 200
        assert client.get(Sent(query={"offset": "20"})).json == {"error": "the offset has to be less than 20"}


def test_lists_move_as_traps_say() -> None:
    with serving("offset", "inserts") as (items, client):
        found = client.records()
        assert [record["id"] for record in items.passing] == ["new-1", "new-2"]
        assert [found.count(record) for record in items.truth].count(2) == 2
    with serving("offset", "deletes") as (items, client):
        found = client.records()
        assert len(items.passing) == 2
        assert len([record for record in items.truth if record not in found]) == 2
    with serving("token", "deletes") as (items, client):
        assert client.records() == make_records(COUNT)
        assert items.truth == make_records(COUNT)[2:]


def test_errors_are_as_traps_say() -> None:
    second = Sent(query={"page": "2"})
    for trap, status, waits in [
        ("throttled", 429, None),
        ("throttled_for_a_second", 429, "1"),
        ("server_error", 503, None),
        ("error_in_success", 200, None),
    ]:
        with serving("page", trap) as (items, client):
            assert client.get().status == 200
            failed = client.get(second)
            assert (failed.status, failed.headers["Retry-After"], "error" in failed.json) == (status, waits, True)
            assert client.records() == items.truth
    with serving("page", "large_page_fails") as (_, client):
        assert [client.get().status, client.get(second).status] == [200, 500]
        client.size = 3
        assert client.get(second).status == 200


def test_bodies_are_as_traps_say() -> None:
    second = Sent(query={"page": "2"})
    with serving("page", "cut_body") as (items, client):
        with pytest.raises(http.client.IncompleteRead):
            client.get(second)
        assert client.records() == items.truth
    for trap in ("gzip_undeclared", "gzip_members"):
        with serving("page", trap) as (items, client):
            page = client.get()
            assert page.headers["Content-Encoding"] is None
            assert json.loads(gzip.decompress(page.body))["items"] == items.truth[:SIZE]
    with serving("page", "gzip_twice") as (items, client):
        page = client.get()
        assert page.headers["Content-Encoding"] == "gzip"
        assert json.loads(gzip.decompress(gzip.decompress(page.body)))["items"] == items.truth[:SIZE]
    with serving("page", "records_missing") as (_, client):
        assert [list(client.get().json), list(client.get(second).json)] == [["items"], ["message"]]
    with serving("page", "records_are_text") as (_, client):
        assert client.get(second).json["items"] == "nothing to see"


PROVED = [
    *["short_page", "short_page_by_records", "empty_page", "full_last_page", "repeated_record"],
    *["total_too_high", "total_too_low", "total_changes", "total_is_text", "total_is_words", "total_is_null"],
    *["pages_too_high", "pages_is_words", "more_at_end", "no_more_in_middle", "more_is_text", "more_is_words"],
    *["more_is_missing", "next_is_null", "next_is_empty", "next_is_same", "next_goes_back"],
    *["next_on_another_origin", "next_with_credentials", "token_is_number", "token_is_array", "token_has_expired"],
    *["token_is_unknown", "page_is_ignored", "last_page_for_ever", "size_is_ignored", "size_is_capped"],
    "offset_is_capped",
    *["inserts", "deletes", "error_in_success", "server_error", "large_page_fails", "throttled"],
    *["throttled_for_a_second", "cut_body", "gzip_undeclared", "gzip_twice", "gzip_members", "records_missing"],
    "records_are_text",
]


def test_every_trap_is_proved_here() -> None:
    assert sorted(PROVED) == sorted(TRAPS)


@pytest.mark.parametrize("style", STYLES)
def test_every_pair_that_goes_together_is_served(style: str) -> None:
    fitting = [name for name, trap in TRAPS.items() if trap.applies(STYLES[style])]
    lists = {name: PagedList(make_records(COUNT), style=style, trap=name, page_size=SIZE) for name in fitting}
    # Some pairs this client cannot read on. A connection without a response is none of these errors.
    errors = (AttributeError, LookupError, TypeError, ValueError, http.client.IncompleteRead, URLError)
    with serve(lists) as server:
        for name in fitting:
            with suppress(*errors):
                for _, page in zip(range(3), PagingClient(server, name=name).pages(), strict=False):
                    assert page.status
