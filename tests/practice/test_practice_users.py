"""The generator: repeatable, valid, of a realistic size, and with every edge case it claims."""

import json
import statistics

import pytest

from circulate_practice.data.columns import StartingValues, newest_start
from circulate_practice.data.edge_cases import EDGE_CASES
from circulate_practice.data.fragments import ORG_URL, padded
from circulate_practice.data.ids import USER, Ids
from circulate_practice.data.timestamps import parse_timestamp, timestamp
from circulate_practice.okta.directory import Directory
from circulate_practice.okta.users import STATUSES, Row, UserWriter
from circulate_practice.paging.pages import PageCache

NOW = 1_782_900_000.0


def records(count: int, seed: int = 1, *, edge_cases: bool = True) -> list[bytes]:
    """Return the first users of an org, DEPROVISIONED ones included."""
    directory = Directory(count, seed, lambda: NOW, edge_cases=edge_cases, cache=PageCache(10**9))
    page = directory.page('lastUpdated ge "1970-01-01T00:00:00.000Z"', 0, count)
    return [record.body for record in page.records()]


def test_the_same_seed_gives_the_same_bytes_whatever_the_number_of_users() -> None:
    assert records(300)[:50] == records(50)


def test_another_seed_gives_other_users() -> None:
    assert not set(records(50, seed=1)) & set(records(50, seed=2))


def test_a_new_version_has_other_bytes() -> None:
    writer = UserWriter(1, Ids(1, USER))
    row = Row(7, 0, 0, 1_700_000_000_000, 1_600_000_000_000)
    assert writer.record(row) == writer.record(row)
    assert writer.record(row) != writer.record(row._replace(version=1))


@pytest.mark.parametrize("fragment", EDGE_CASES.values(), ids=EDGE_CASES.keys())
def test_a_few_hundred_users_hold_every_edge_case(fragment: bytes) -> None:
    assert any(fragment in record for record in records(200))


def test_every_record_is_valid_json_of_a_realistic_size() -> None:
    sizes = [len(record) for record in records(2000) if isinstance(json.loads(record), dict)]
    assert len(sizes) == 2000
    assert min(sizes) > 1100
    assert max(sizes) < 2600
    assert 1200 < statistics.mean(sizes) < 2000


def test_parsing_and_writing_anew_does_not_give_the_bytes_back() -> None:
    unchanged = [
        record
        for record in records(200)
        if json.dumps(json.loads(record), separators=(",", ":"), ensure_ascii=False).encode(errors="replace") == record
    ]
    assert not unchanged


def test_without_edge_cases_none_is_there() -> None:
    assert not any(fragment in record for record in records(200, edge_cases=False) for fragment in EDGE_CASES.values())


def test_key_order_varies() -> None:
    orders = {tuple(json.loads(record)) for record in records(200)}
    assert len(orders) >= 4


def test_one_user_in_twenty_is_deprovisioned_and_every_status_occurs() -> None:
    statuses = StartingValues(1, newest_start(NOW)).statuses(20_000)
    assert set(statuses) == set(range(len(STATUSES)))
    assert 0.04 < statuses.count(STATUSES.index("DEPROVISIONED")) / len(statuses) < 0.06


def test_some_users_share_their_last_update_and_all_lie_in_the_past() -> None:
    for now in (NOW, 1_000_000.0):
        updates = StartingValues(1, newest_start(now)).updates(20_000)
        assert max(updates) < now * 1000
        assert len(set(updates)) < len(updates) - 100


def test_dates_of_a_user_are_in_order() -> None:
    for record in records(500):
        user = json.loads(record)
        assert user["created"] <= (user["activated"] or user["created"]) <= user["lastUpdated"]
        assert user["created"] <= (user["lastLogin"] or user["created"]) <= user["lastUpdated"]


def test_a_million_users_hold_only_columns() -> None:
    directory = Directory(1_000_000, 1, lambda: NOW, edge_cases=True, cache=PageCache(10**9))
    assert len(directory) == 1_000_000
    assert directory.page("", 999_900, 200).stop == 1_000_000


@pytest.mark.parametrize("index", [0, 1, 61, 62, 3843, 400_000, 10**7])
def test_ids_look_like_okta_ids_and_can_be_read_back(index: int) -> None:
    ids = Ids(5, USER)
    user_id = ids.id_of(index)
    assert len(user_id) == 20
    assert user_id.startswith(b"00u")
    assert user_id.isalnum()
    assert ids.index_of(user_id) == index


@pytest.mark.parametrize("text", [b"", b"00u", b"me", b"00u" + b"*" * 17, b"01u" + b"0" * 17])
def test_what_is_no_id_of_the_org_is_not_read(text: bytes) -> None:
    assert Ids(5, USER).index_of(text) is None


def test_ids_are_unique() -> None:
    ids = Ids(5, USER)
    assert len({ids.id_of(index) for index in range(50_000)}) == 50_000


@pytest.mark.parametrize("ms", [0, 1, 999, 86_399_999, 1_709_210_096_789, 253_402_300_799_999])
def test_timestamps_can_be_read_back(ms: int) -> None:
    assert parse_timestamp(timestamp(ms).decode()) == ms


@pytest.mark.parametrize("text", ["", "2026-01-01", "2026-13-01T00:00:00.000Z", "2026-01-01T00:00:00.000", "٢026"])
def test_what_is_not_a_timestamp_is_not_read(text: str) -> None:
    assert parse_timestamp(text) is None


def test_padding_brings_a_record_to_an_exact_size_and_never_cuts_it() -> None:
    record = records(1)[0]
    assert len(padded(record, 100_000)) == 100_000
    assert json.loads(padded(record, 100_000))["id"] == json.loads(record)["id"]
    assert padded(record, 10) == record


def test_links_name_the_org_and_not_the_port() -> None:
    assert all(ORG_URL in record and b"127.0.0.1" not in record for record in records(20))
