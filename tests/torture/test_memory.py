"""Memory stays bounded whatever an API sends: the kernel's figures for the whole process, Python included.

What is bounded is the peak of what it allocated. The pages of its programs are left out: they are shared, they can be
dropped at any time, and the unoptimised engine that tests load has many more than a release.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.cli import Cli, CliFor, StartOrg
from support.peaks import PEAK
from support.shapes import SHAPES, serving

from circulate_practice import PracticeOrg

LIMIT = 50_000
"""KB that no pull exceeds."""

PULL = """
import json, sys
import circulate_core
stream, org_url, to, state = sys.argv[1:]
settings = {"org_url": org_url, "api_token": "practice-token"}
try:
    report = circulate_core.pull(stream, to=to, state=state or None, settings=settings)
    message = ""
except circulate_core.CirculateError as error:
    report, message = error.report, str(error)
print(json.dumps([peak_kb(), report.to_dict(), message]))
"""


def pull(cli: Cli, org: PracticeOrg, stream: str = "okta.users") -> tuple[int, dict[str, Any], str]:
    """Pull in a process of its own; returns its peak in KB, the report, and what went wrong."""
    _, to, *state = cli.place.arguments
    arguments = [stream, org.url, to, state[1] if state else ""]
    done = subprocess.run(
        [sys.executable, "-c", PEAK + PULL, *arguments], env=cli.environment, check=True, capture_output=True, text=True
    )
    peak, report, message = json.loads(done.stdout)
    print(f"peak {peak / 1000:.1f} MB")  # noqa: T201 - shown by pytest -rP, and by a failure
    return peak, report, message


def test_a_page_of_200_mb_is_taken_in(start_org: StartOrg, cli_for_place: CliFor) -> None:
    org = start_org(users=500, gzip=True, faults=["gzip-bomb:200000000@2"])
    peak, report, message = pull(cli_for_place(org), org)
    assert (report["status"], report["records"]) == ("complete", 500), message
    assert peak <= LIMIT


def test_a_gzip_bomb_is_refused(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(users=500, gzip=True, faults=["gzip-bomb:1100000000@2"])
    peak, report, message = pull(cli_for(org), org)
    assert (report["status"], "the page is larger than 1000 MB" in message) == ("failed", True)
    assert peak <= LIMIT


def test_a_record_of_50_mb_is_refused(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(users=500, faults=["big-record:50000000@2"])
    peak, report, message = pull(cli_for(org), org)
    assert (report["status"], "a record is larger than 16000000 bytes" in message) == ("failed", True)
    assert peak <= LIMIT


def test_a_record_of_15_mb_is_taken_in(start_org: StartOrg, cli_for_place: CliFor) -> None:
    org = start_org(users=500, faults=["big-record:15000000@2"])
    peak, report, message = pull(cli_for_place(org), org)
    assert (report["status"], report["records"]) == ("complete", 500), message
    assert peak <= LIMIT


def test_many_children_at_once_take_no_more(start_org: StartOrg, cli_for_place: CliFor) -> None:
    # Pages of 200 members are some 350 KB each, and eight groups are requested at the same time.
    org = start_org(users=4000, groups=30, group_members=2000, keep_log=False)
    peak, report, message = pull(cli_for_place(org), org, "okta.group_members")
    assert (report["status"], report["records"]) == ("complete", 60_000), message
    assert peak <= LIMIT


def test_huge_records_of_many_parents_take_little_more(start_org: StartOrg, cli_for: CliFor) -> None:
    faults = [f"app_users/big-record:14000000@{page}*3" for page in (1, 2)]
    org = start_org(apps=12, app_users=600, keep_log=False, faults=faults)
    peak, report, message = pull(cli_for(org), org, "okta.application_users")
    assert report["status"] == "complete", message
    # Two of 14 MB, as received and as stored, beside all else.
    assert peak <= 1.4 * LIMIT


@pytest.mark.skipif("TORTURE" not in os.environ, reason="a million users take minutes: make torture")
@pytest.mark.timeout(1800)
def test_a_million_users_take_no_more(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(users=1_000_000, keep_log=False, cache_bytes=1)
    peak, report, message = pull(cli_for(org), org)
    assert (report["status"], report["records"]) == ("complete", 1_000_000), message
    assert peak <= LIMIT


@pytest.mark.skipif("TORTURE" not in os.environ, reason="six gigabytes take minutes: make torture")
@pytest.mark.timeout(1800)
def test_six_gigabytes_into_a_bucket_take_no_more(start_org: StartOrg, aws_cli_for: CliFor) -> None:
    users = 4_200_000
    org = start_org(users=users, keep_log=False, cache_bytes=1)
    peak, report, message = pull(aws_cli_for(org), org)
    assert (report["status"], report["records"]) == ("complete", users), message
    assert report["body_bytes"] > 6_000_000_000
    assert peak <= LIMIT


BESIDE = 70_000
"""KB that a pull into tables may take beside its budget, whatever the shape of the data; one as JSON takes no more."""

LARGE_RECORD = 15_000
"""KB that a table of one record of 15 MB takes beside that: it is larger than a budget of 16 MB has room for."""

SHAPED = """
import json, sys, warnings
import circulate_core
warnings.simplefilter("ignore", circulate_core.IncompleteWarning)
url, to, cursor, pulls, options = sys.argv[1:]
source = circulate_core.source("acme", base_url=url)
bounds = {"param": "since", "since": "{since}", "until": "{until}", "overlap": "1h"}
rule = {"incremental": {"cursor": cursor, **bounds}} if cursor else {}
stream = source.stream("things", path="/things", query={"page": "0"}, paginator="link_header", **rule)
for _ in range(int(pulls)):
    report = stream.pull(to=to, progress=False, **json.loads(options))
print(json.dumps([peak_kb(), report["status"], report["records"]]))
"""


def shaped(name: str, records: int, folder: Path, *, pulls: int = 1, **options: object) -> tuple[int, int]:
    """Pull records of a shape in a process of its own; returns its peak in KB, and the records of the last pull."""
    shape = SHAPES[name]
    with serving(shape, records) as url:
        arguments = [url, str(folder / "lake"), shape.cursor or "", str(pulls), json.dumps(options)]
        environment = {**os.environ, "HOME": str(folder)}
        command = [sys.executable, "-c", PEAK + SHAPED, *arguments]
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    peak, status, pulled = json.loads(done.stdout)
    print(f"{name} {options} peak {peak / 1000:.1f} MB")  # noqa: T201 - shown by pytest -rP, and by a failure
    assert status == "complete"
    return peak, pulled


def large_records(name: str) -> int:
    return LARGE_RECORD if name in {"huge-texts", "many-keys-in-one"} else 0


SMALL = ["one-wide-then-empty", "another-key", "dense-and-wide", "constant-and-wide", "nested", "list-of-wide"]


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("looks", ["parquet", "arrow"])
def test_tables_of_any_shape_stay_within_the_budget(tmp_path: Path, name: str, looks: str) -> None:
    records = max(1_000, SHAPES[name].records // 50)
    peak, pulled = shaped(name, records, tmp_path, format=looks, memory=16_000_000)
    assert pulled == records
    assert peak <= 16_000 + BESIDE


@pytest.mark.parametrize("name", ["one-time", "a-million-a-page"])
def test_records_of_few_bytes_take_no_more_than_others(tmp_path: Path, name: str) -> None:
    peak, pulled = shaped(name, 300_000, tmp_path)
    assert pulled == 300_000
    assert peak <= LIMIT


def test_as_many_digests_as_are_remembered_take_no_more(tmp_path: Path) -> None:
    peak, pulled = shaped("one-time", 240_000, tmp_path, pulls=2)
    assert pulled == 0, "all of them were delivered before"
    assert peak <= LIMIT


def test_beyond_that_records_are_delivered_again(tmp_path: Path) -> None:
    peak, pulled = shaped("one-time", 260_000, tmp_path, pulls=2)
    assert pulled == 260_000
    assert peak <= LIMIT


@pytest.mark.skipif("TORTURE" not in os.environ, reason="all shapes take half an hour: make torture")
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("budget", [None, 16, 64, 128])
@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("looks", ["json", "ndjson", "parquet", "arrow"])
def test_every_shape_stays_within_the_budget(tmp_path: Path, name: str, looks: str, budget: int | None) -> None:
    tables = looks in {"parquet", "arrow"}
    if not tables and budget:
        pytest.skip("records as received are bounded by their bytes, whatever their shape")
    options = {"memory": budget * 1_000_000} if budget else {}
    usual = 128 if tables else 0
    most = (budget or usual) * 1_000 + BESIDE + (large_records(name) if tables else 0)
    peak, pulled = shaped(name, SHAPES[name].records, tmp_path, format=looks, **options)
    assert pulled == SHAPES[name].records
    assert peak <= most
