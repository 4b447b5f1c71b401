"""Changes: what they do to users, and that they follow from the seed."""

import hashlib
import threading
from urllib.parse import quote

import pytest
from support.practice_client import LIST, Clock, Serve, records_of

from circulate_practice import TruthEntry
from circulate_practice.data.timestamps import timestamp


def by_id(entries: list[TruthEntry]) -> dict[str, TruthEntry]:
    """Return truth entries by the id of their user."""
    return {entry["id"]: entry for entry in entries}


def test_changed_users_have_new_bytes_and_the_time_of_the_clock(serve: Serve, clock: Clock) -> None:
    org, _ = serve(users=200)
    before = by_id(list(org.truth()))
    clock.now += 7
    changed = org.change(40)
    after = by_id(list(org.truth()))
    assert len(set(changed)) == 40
    assert {user_id for user_id in after if after[user_id] != before.get(user_id)} == set(changed)
    assert {after[user_id]["lastUpdated"] for user_id in changed} == {timestamp(int(clock.now * 1000)).decode()}


def test_a_few_become_deprovisioned_and_a_few_are_new(serve: Serve) -> None:
    org, _ = serve(users=200)
    before = by_id(list(org.truth()))
    changed = org.change(40)
    after = by_id(list(org.truth()))
    gone = [user_id for user_id in before if before[user_id]["status"] != after[user_id]["status"]]
    assert [user_id for user_id in changed if user_id not in before] == list(after)[200:]
    assert len(after) == 202
    assert 1 <= len(gone) <= 2
    assert {after[user_id]["status"] for user_id in gone} == {"DEPROVISIONED"}


def test_the_same_changes_follow_from_the_same_seed(serve: Serve) -> None:
    first, second, other = (serve(users=100, seed=seed)[0] for seed in (1, 1, 2))
    assert [first.change(9), first.change(9)] == [second.change(9), second.change(9)]
    assert first.change(9) != other.change(9)
    assert list(first.truth()) != list(second.truth())


def test_an_incremental_filter_finds_exactly_what_changed(serve: Serve, clock: Clock) -> None:
    org, client = serve(users=2000)
    since = timestamp(int(clock.now * 1000)).decode()
    changed = org.change(300)
    expression = f'lastUpdated ge "{since}"'
    pages = list(client.pages(f"{LIST}?filter={quote(expression)}"))
    assert sorted(user_id for page in pages for user_id in page.ids) == sorted(changed)
    assert len(pages) == 2


def test_single_users_show_their_newest_version(serve: Serve) -> None:
    org, client = serve(users=20)
    for user_id in org.change(5):
        body = client.get(f"{LIST}/{user_id}").body
        truth = by_id(list(org.truth()))[user_id]
        assert (hashlib.sha256(body).hexdigest(), len(body)) == (truth["sha256"], truth["bytes"])


def test_the_list_shows_what_the_truth_says_after_many_changes(serve: Serve, clock: Clock) -> None:
    org, client = serve(users=500)
    for _ in range(5):
        list(client.pages())
        clock.now += 1
        org.change(30)
    served = {hashlib.sha256(record).hexdigest() for page in client.pages() for record in records_of(page.body)}
    assert served == {entry["sha256"] for entry in org.truth() if entry["status"] != "DEPROVISIONED"}


def test_changes_can_be_asked_for_over_http(serve: Serve, clock: Clock) -> None:
    org, client = serve(users=50)
    clock.now += 1
    reply = client.get("/_practice/change?count=8", method="POST", token="none needed")
    newest = timestamp(int(clock.now * 1000)).decode()
    assert sorted(reply.json["changed"]) == sorted(
        entry["id"] for entry in org.truth() if entry["lastUpdated"] == newest
    )
    assert len(reply.json["changed"]) == 8
    assert client.get("/_practice/change?count=-1", method="POST").status == 400


def test_more_changes_than_users_touch_everybody(serve: Serve) -> None:
    org, _ = serve(users=3)
    assert len(org.change(100)) == 3 + 5
    assert org.change(0) == []


def test_changes_come_by_themselves_on_a_timer(serve: Serve) -> None:
    requested = threading.Event()

    def clock() -> float:
        requested.set()
        return 1_782_900_000.0

    org, _ = serve(users=50, change_every=0.001, change_count=5, clock=clock)
    requested.clear()
    assert requested.wait(10)
    org.stop()
    assert timestamp(1_782_900_000_000).decode() in {entry["lastUpdated"] for entry in org.truth()}


@pytest.mark.parametrize(
    "settings",
    [
        {"users": -1},
        {"apps": -1},
        {"app_users": -1},
        {"app_groups": (3, 1)},
        {"groups": -1},
        {"group_members": (-1, 1)},
        {"events": -1},
        {"rate_limit": 0},
        {"window": 0},
        {"change_every": 0},
        {"port": 70000},
    ],
)
def test_numbers_out_of_range_are_refused(serve: Serve, settings: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        serve(**settings)
