"""What a pull wrote against what was sent, judged without any code of the engine."""

import gzip
import json
from pathlib import Path

import pytest
from support.practice_client import Serve, records_of

from circulate_practice.compare import Comparison, compare, key_of, sent_by, without_parent


def written(folder: Path, *records: bytes) -> Path:
    """Write records as a run would, and return its manifest."""
    place = folder / "_circulate" / "runs"
    place.mkdir(parents=True)
    (folder / "one.json.gz").write_bytes(gzip.compress(b"[%b]" % b",".join(records)))
    (place / "part.json").write_text(json.dumps({"objects": [{"key": "one.json.gz"}]}), encoding="utf-8")
    (place / "manifest.json").write_text(
        json.dumps({"parts": [{"key": "_circulate/runs/part.json"}]}), encoding="utf-8"
    )
    return place / "manifest.json"


def with_parent(parent: str, record: bytes) -> bytes:
    """Return a record of a child list as a pull writes it."""
    return b'{"_circulate":{"parent":{"id":"%b"}}%b%b' % (parent.encode(), b"," * (record != b"{}"), record[1:])


@pytest.mark.parametrize(
    "record",
    [b"{}", b'{"id":"a"}', '{"é":"\\ud800 ü","_circulate":{"parent":{"id":"x"}}}'.encode(), b'{\n  "id": 1\n}'],
)
def test_the_parent_comes_off_and_every_other_byte_stays(record: bytes) -> None:
    assert without_parent(with_parent("0oa1", record)) == ("0oa1", record)


@pytest.mark.parametrize("record", [b"{}", b'{"id":"a","_circulate":{"parent":{"id":"x"}}}', b'{"_circulated":1}'])
def test_a_record_without_a_parent_stays_as_it_is(record: bytes) -> None:
    assert without_parent(record) == (None, record)


def test_members_of_the_parent_that_come_later_do_not_matter() -> None:
    assert without_parent(b'{"_circulate":{"parent":{"id":"0oa1","label":"}\\"},"}},"id":1}') == ("0oa1", b'{"id":1}')


def test_what_was_written_is_what_was_sent_whose_it_is_included(serve: Serve, tmp_path: Path) -> None:
    org, client = serve(users=20, groups=2, group_members=20, log=tmp_path / "log")
    client.get("/api/v1/groups")
    taken = [
        with_parent(group, record)
        for group in client.get("/api/v1/groups").ids
        for record in records_of(client.get(f"/api/v1/groups/{group}/users").body)
    ]
    sent = list(sent_by(tmp_path / "log", collection="group_members"))
    assert sorted(sent) == sorted(map(key_of, org.truth("group_members")))
    assert compare(written(tmp_path / "right", *taken), sent) == Comparison(same=40, missing=0, extra=0)
    first, second = (group.encode() for group in client.get("/api/v1/groups").ids)
    swapped = [taken[0].replace(first, second, 1), *taken[1:]]
    assert compare(written(tmp_path / "wrong", *swapped), sent) == Comparison(same=39, missing=1, extra=1)


def test_one_list_or_a_part_of_the_log_can_be_looked_at(serve: Serve, tmp_path: Path) -> None:
    org, client = serve(users=30, apps=4, log=tmp_path / "log")
    client.get("/api/v1/apps")
    client.get()
    apps, users = (list(sent_by(tmp_path / "log", collection=name)) for name in ("apps", "users"))
    assert apps == list(map(key_of, org.truth("apps")))
    assert list(sent_by(tmp_path / "log")) == apps + users
    assert list(sent_by(tmp_path / "log", after=1)) == users
