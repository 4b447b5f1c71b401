"""What `circulate pull` says at its end: one scope, and of several streams a line each and a total."""

import json
import re
from typing import Any

import pytest
from support.cli import CliFor, StartOrg
from support.snapshots import assert_snapshot
from support.terminal import on_a_terminal

from circulate_core.cli.summary import BlockSummary, LineSummary
from circulate_core.progress import text_width
from circulate_core.results import Report

WORK: dict[str, Any] = {
    "pages": 3,
    "records": 600,
    "objects": 3,
    "bytes": 36_000,
    "body_bytes": 36_000,
    "requests": 5,
    "retries": 1,
    "throttled": 0,
    "seconds_waited": 0.4,
    "bytes_received": 36_100,
}
OF_ATTEMPT = {**WORK, "pages": 1, "records": 200, "objects": 1, "bytes": 12_000, "body_bytes": 12_000}
OF_ATTEMPT |= {"requests": 2, "retries": 0, "seconds_waited": 0.0}


def report(stream: str, status: str = "complete", **changes: object) -> Report:
    return Report(
        {
            **WORK,
            "run_id": "1",
            "status": status,
            "stream": stream,
            "account": "acme",
            "destination": "lake",
            "mode": "incremental",
            "window": {"since": None, "until": None},
            "resumed": False,
            "manifest": "_circulate/1.json" if status == "complete" else None,
            "repeats": 0,
            "unavailable": None,
            "partitions": None,
            "gaps": [],
            "records_without_time": 0,
            "next_since": None,
            "continuation": None,
            "resume_after": None,
            "stopped_by": None,
            "held_by": None,
            **changes,
        }
    )


def test_the_summary_of_a_resumed_run_says_what_is_of_this_attempt(capsys: pytest.CaptureFixture[str]) -> None:
    BlockSummary().show(report("okta.users", resumed=True, attempt=OF_ATTEMPT), 1.25)
    assert capsys.readouterr().err.splitlines() == [
        "✓ okta.users of acme: complete",
        "  this attempt:    200 records in 1 page → 1 object, 12.0 kB · 1.2 s · 2 requests",
        "  the run in all:  600 records in 3 pages → 3 objects, 36.0 kB · 5 requests · 1 retried · 400 ms waited",
        "  manifest  lake/_circulate/1.json",
    ]


def test_the_summary_of_a_run_at_one_go_has_one_scope_without_saying_so(capsys: pytest.CaptureFixture[str]) -> None:
    BlockSummary().show(report("okta.users", retries=0, seconds_waited=0.0), 1.25)
    assert capsys.readouterr().err.splitlines() == [
        "✓ okta.users of acme: complete",
        "  600 records in 3 pages → 3 objects, 36.0 kB",
        "  1.2 s · 5 requests",
        "  manifest  lake/_circulate/1.json",
    ]


SUMMARIES: dict[str, tuple[str, dict[str, Any]]] = {
    "complete": ("complete", {"next_since": "2026-02-01T00:00:00Z"}),
    "complete, resumed": ("complete", {"resumed": True, "attempt": OF_ATTEMPT}),
    "complete, without records": ("complete", {"records": 0, "objects": 0, "bytes": 0, "body_bytes": 0}),
    "complete, repeats": ("complete", {"repeats": 3, "records_without_time": 1}),
    "complete, deletes": (
        "complete",
        {"deletes": {"count": 1_204, "withheld": None}, "records_without_key": 2},
    ),
    "complete, deletes withheld": (
        "complete",
        {"deletes": {"count": 3, "withheld": {"count": 900, "reason": "the list is empty"}}},
    ),
    "complete, deletes unknown": (
        "complete",
        {"deletes": {"count": 0, "withheld": {"count": 0, "reason": "the manifest of run 1 is missing"}}},
    ),
    "complete, older than what was read": ("complete", {"records": 0, "unchanged": 1_204}),
    "complete, not available to this account": ("complete", {"records": 0, "objects": 0, "unavailable": "403 E1"}),
    "complete, a period": ("complete", {"mode": "window", "window": {"since": "2026-01-01T00:00:00Z", "until": None}}),
    "complete, drift": (
        "complete",
        {
            "drift": {
                "values": 5,
                "places": [
                    {"path": "/a", "kind": "new member", "count": 4, "example": "1"},
                    {
                        "path": "/b",
                        "kind": "type",
                        "count": 1,
                        "example": '"x"',
                        "expected": "int64",
                        "found": "string",
                    },
                ],
            }
        },
    ),
    "complete, partitions and gaps": (
        "complete",
        {
            "partitions": {"complete": 7, "gone": 1, "refused": 2, "unavailable": 1, "contradicted": 1},
            "gaps": ["app 1: refused (403)", "app 2: refused (403)"],
            "warnings": ["nothing shows that 3 lists ended"],
        },
    ),
    "partial by a deadline": ("partial", {"continuation": "1", "stopped_by": "deadline"}),
    "partial by a deadline, a period": (
        "partial",
        {
            "continuation": "1",
            "stopped_by": "deadline",
            "mode": "window",
            "window": {"since": "2026-01-01T00:00:00Z", "until": "2026-02-01T00:00:00Z"},
        },
    ),
    "partial, of a first pull": (
        "partial",
        {
            "continuation": "1",
            "stopped_by": "interrupted",
            "window": {"since": "1970-01-01T00:00:00Z", "until": None},
        },
    ),
    "partial before its first page": (
        "partial",
        {**dict.fromkeys(WORK, 0), "requests": 1, "throttled": 1, "continuation": "1", "stopped_by": "wait"}
        | {"resume_after": 1_770_000_000},
    ),
    "partial, polling": ("partial", {"continuation": "1", "stopped_by": "deadline", "behind": 90}),
    "busy": ("busy", {"held_by": ["process 1 on host", "2026-11-22T05:30:00Z"]}),
    "busy, pending": ("busy", {"held_by": [None, "2026-11-22T05:30:00Z"]}),
    "failed": ("failed", {"continuation": "1"}),
    "failed before its first page": ("failed", {**dict.fromkeys(WORK, 0), "requests": 1}),
    "failed before it had a run": ("failed", {"run_id": None}),
}
"""Statuses, with what else is in the report."""


def test_every_kind_of_summary_is_as_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    said = []
    for name, (status, changes) in SUMMARIES.items():
        BlockSummary().show(report("okta.users", status, **changes), 1.25)
        said.append(f"# {name}\n{capsys.readouterr().err}")
    summary = LineSummary(["okta.users"] * len(SUMMARIES))
    for status, changes in SUMMARIES.values():
        summary.show(report("okta.users", status, **changes), 1.25)
    summary.end(4.0)
    said.append(f"# several streams\n{capsys.readouterr().err}")
    assert_snapshot("summaries", "\n".join(said))


def test_several_streams_have_a_line_each_and_a_total(capsys: pytest.CaptureFixture[str]) -> None:
    names = ["okta.users", "okta.group_members", "okta.groups", "okta.devices", "okta.zones"]
    summary = LineSummary(names)
    assert summary.place("okta.groups") == "3 of 5 streams"
    summary.show(report("okta.users", resumed=True, attempt=OF_ATTEMPT), 1.25)
    stopped = {"continuation": "1", "stopped_by": "deadline"}
    summary.show(report("okta.group_members", "partial", **stopped), 2.0)
    summary.show(report("okta.groups", "busy", held_by=[None, "2026-11-22T05:30:00Z"]), 0.02)
    summary.failed("okta.devices", None, 0.5)
    summary.not_started("okta.zones")
    summary.end(4.0)
    assert capsys.readouterr().err.splitlines() == [
        (
            "✓ okta.users          complete  200 records → 1 object, 12.0 kB  1.2 s"
            "  the run in all: 600 records → 3 objects, 36.0 kB"
        ),
        "◐ okta.group_members  partial   600 records → 3 objects, 36.0 kB  2.0 s",
        "  stopped by: deadline",
        "  what was read is kept: the same command resumes at the last checkpoint",
        "● okta.groups         busy",
        "  run 1 is pending until 2026-11-22 05:30:00 UTC",
        "  settle it: `circulate state commit 1`, or `abandon` instead of `commit`",
        "✗ okta.devices        failed    500 ms",
        "◐ okta.zones          not started",
        (
            "✗ 5 streams: 1 complete, 1 partial, 1 busy, 1 failed, 1 not started"
            "  800 records → 4 objects, 48.0 kB  7 requests  4.0 s"
        ),
    ]


STREAMS = ["okta.groups", "okta.group_members", "okta.users"]


def test_several_streams_pulled_from_an_org_are_summed_up(start_org: StartOrg, cli_for: CliFor) -> None:
    cli = cli_for(start_org(users=300, groups=40))
    done = cli("pull", *STREAMS, "--to", "lake", "--json")
    assert done.code == 0, done.err
    reports = [json.loads(line) for line in done.out.splitlines()]
    *lines, total = done.err.splitlines()
    starts = [
        "✓ okta.groups         complete  ",
        "✓ okta.users          complete  ",
        "✓ okta.group_members  complete  ",
    ]
    assert [line[: len(starts[0])] for line in lines] == starts
    records = sum(report["records"] for report in reports)
    requests = sum(report["requests"] for report in reports)
    assert re.match(rf"✓ 3 streams: 3 complete  {records:,} records → \d+ objects, .*  {requests} requests  ", total)


def test_a_stream_that_fails_has_its_error_below_its_line(start_org: StartOrg, cli_for: CliFor) -> None:
    cli = cli_for(start_org(users=300, faults=["403@1"]))
    done = cli("pull", "okta.users", "okta.groups", "--to", "lake")
    assert done.code == 1
    assert re.search(r"^✗ okta.users   failed .*\n(  .*\n)*error: .*\nhint: ", done.err, re.MULTILINE), done.err
    assert re.search(r"^✗ 2 streams: 1 failed, 1 complete  ", done.err, re.MULTILINE), done.err


def test_a_resumed_pull_says_what_it_did_itself(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(users=600, faults=["stall:60@3*1"])
    cli = cli_for(org)
    cli.pull_until(org, 3)
    done = cli.pull()
    assert (done.report["records"], done.report["attempt"]["records"]) == (600, 200)
    assert cli.pull().report["attempt"] is None, "a run at one go has no other scope"
    assert re.search(
        r"^  this attempt:    200 records in 1 page → 1 object, .* · \d requests?$", done.err, re.MULTILINE
    )
    assert re.search(r"^  the run in all:  600 records in 3 pages → \d objects, .* requests", done.err, re.MULTILINE)


@pytest.mark.parametrize("columns", [60, 120])
def test_members_of_groups_are_pulled_with_n_of_n(start_org: StartOrg, cli_for: CliFor, columns: int) -> None:
    cli = cli_for(start_org(users=100, groups=30, latency=0.15))
    command = cli.command("pull", "okta.groups", "okta.group_members", "--to", "lake")
    environment = {name: value for name, value in cli.environment.items() if name != "COLUMNS"} | {"TERM": "xterm"}
    written = on_a_terminal(command, environment, cli.folder, columns=columns)
    live = re.findall(r"\r\033\[2K([^\r\033]*)", written)
    assert max(map(text_width, live)) < columns
    assert any(re.match(r"okta\.group_members .*\b[\d,]+ of 30 groups", line) for line in live), live
    if columns == 120:
        assert any(re.match(r"okta\.group_members  2 of 2 streams  \d+ of 30 groups", line) for line in live), live
    last = written.splitlines()[-1]
    assert "2 streams\033[0m: 2 complete  " in last
