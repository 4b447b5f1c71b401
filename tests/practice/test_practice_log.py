"""The log is the truth: what it says was handed over is what a client received, byte for byte."""

import hashlib
import http.client
import json
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from support.practice_client import LIST, Clock, Serve, records_of

from circulate_practice import LogEntry, PracticeOrg


def lines(path: Path) -> list[dict[str, Any]]:
    """Return the entries in a log file."""
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def digests(entry: LogEntry | dict[str, Any]) -> list[tuple[str, int]]:
    """Return digest and length of each record of an entry."""
    return [(record["sha256"], record["bytes"]) for record in entry["records"]]


def digests_of(body: bytes) -> list[tuple[str, int]]:
    """Return digest and length of each record in a body."""
    return [(hashlib.sha256(record).hexdigest(), len(record)) for record in records_of(body)]


def wait_for_threads(before: set[threading.Thread]) -> None:
    """Wait until the threads that were not there before are done."""
    for thread in set(threading.enumerate()) - before:
        thread.join(10)


def test_digests_are_those_of_the_bytes_received(serve: Serve, tmp_path: Path) -> None:
    org, client = serve(users=500, log=tmp_path / "log.jsonl")
    pages = list(client.pages())
    assert [digests(entry) for entry in org.log] == [digests_of(page.body) for page in pages]
    assert lines(tmp_path / "log.jsonl") == org.log
    for entry, page in zip(org.log, pages, strict=True):
        assert [(found["id"], found["lastUpdated"]) for found in entry["records"]] == [
            (user["id"], user["lastUpdated"]) for user in page.json
        ]


@pytest.mark.parametrize(
    "fault", ["pretty", "crlf", "bom", "big-record:9000", "slow-body:1", "next-joined", "empty-page"]
)
def test_digests_follow_the_bytes_when_a_fault_changes_them(serve: Serve, fault: str) -> None:
    org, client = serve(users=60, faults=[fault], wait=lambda _: None)
    reply = client.get(f"{LIST}?limit=20")
    assert org.log[0]["complete"]
    assert digests(org.log[0]) == digests_of(reply.body)


@pytest.mark.parametrize(
    "fault", ["truncate", "truncate-json", "html", "not-array", "scalar", "invalid-utf8", "nan", "trailing", "reset"]
)
def test_responses_spoilt_by_a_fault_are_not_complete(serve: Serve, fault: str) -> None:
    org, client = serve(users=60, faults=[f"{fault}@1"])
    try:
        client.get()
    except (OSError, http.client.HTTPException):
        client.close()
    client.get()
    assert [entry["complete"] for entry in org.log] == [False, True]
    assert org.log[0]["records"] == []


def test_errors_and_single_users_are_logged_without_records(serve: Serve, clock: Clock) -> None:
    org, client = serve(users=5)
    single = f"{LIST}/{next(org.truth())['id']}?x=%41"
    client.get(single)
    client.get(f"{LIST}?limit=0", token="wrong")
    assert [(entry["target"], entry["status"], entry["records"], entry["page"]) for entry in org.log] == [
        (single, 200, [], None),
        (f"{LIST}?limit=0", 401, [], None),
    ]
    assert [(entry["seq"], entry["time"], entry["method"]) for entry in org.log] == [
        (1, clock.now, "GET"),
        (2, clock.now, "GET"),
    ]


def test_the_page_and_the_target_are_logged_as_received(serve: Serve) -> None:
    org, client = serve(users=500)
    pages = list(client.pages())
    assert [entry["page"] for entry in org.log] == [1, 2, 3]
    assert org.log[1]["target"] == pages[0].next_target


def test_a_response_received_in_full_is_on_disk_already(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    _, client = serve(users=30, log=path, keep_log=False)
    for count in range(1, 51):
        client.get(LIST if count % 2 else "/nowhere")
        assert len(lines(path)) == count


def test_without_keeping_there_is_nothing_in_memory(serve: Serve) -> None:
    org, client = serve(users=5, keep_log=False)
    client.get()
    assert org.log == []


def test_a_client_that_goes_away_leaves_an_incomplete_entry(serve: Serve) -> None:
    gone = threading.Event()

    def wait(_: float) -> None:
        gone.wait(10)

    org, _ = serve(users=200, faults=["slow-body:1"], wait=wait)
    before = set(threading.enumerate())
    host, port = org.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(f"GET {LIST} HTTP/1.1\r\nAuthorization: SSWS {org.token}\r\n\r\n".encode())
        assert connection.recv(1, socket.MSG_PEEK) == b"H"
    gone.set()
    wait_for_threads(before)
    assert [entry["complete"] for entry in org.log] == [False]


def test_a_new_org_replaces_the_file_and_a_restart_goes_on_with_it(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text("left over\n", encoding="utf-8")
    org, client = serve(users=5, log=path)
    client.get()
    client.close()
    org.stop()
    org.start()
    client.get()
    assert [entry["seq"] for entry in lines(path)] == [1, 2]


def test_records_of_all_complete_responses_are_the_truth(serve: Serve) -> None:
    org, client = serve(users=700, faults=["500@2", "truncate-json@3", "pretty@4"])
    everyone = f"{LIST}?limit=100&filter=lastUpdated%20ge%20%221970-01-01T00:00:00.000Z%22"
    target: str | None = everyone
    while target:
        reply = client.get(target)
        target = reply.next_target if reply.status == 200 and org.log[-1]["complete"] else target
    handed = {record["id"]: record["sha256"] for entry in org.log if entry["complete"] for record in entry["records"]}
    truth = {entry["id"]: entry["sha256"] for entry in org.truth()}
    assert handed.keys() == truth.keys()
    assert sum(handed[user_id] != truth[user_id] for user_id in truth) == 100, "the pretty page has other bytes"


def test_stopping_twice_and_starting_twice(serve: Serve) -> None:
    org, _ = serve(users=1)
    with pytest.raises(RuntimeError, match="running"):
        org.start()
    org.stop()
    org.stop()


def test_there_is_no_url_before_the_start() -> None:
    with pytest.raises(RuntimeError, match="before"):
        _ = PracticeOrg(users=1).url
