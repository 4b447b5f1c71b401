"""Memory stays bounded whatever an API sends: the kernel's figure for the whole process, Python included."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import StartOrg

from circulate_core.practice import PracticeOrg

LIMIT = 90_000
"""Peak RSS in KB that no pull exceeds."""

# `VmHWM` is the peak of this program alone; `ru_maxrss` would begin with the peak of the process that started it.
PULL = """
import json, sys
import circulate_core
org_url, folder = sys.argv[1:]
try:
    report = circulate_core.pull("okta.users", to=folder, settings={"org_url": org_url, "api_token": "practice-token"})
    told = ""
except circulate_core.CirculateError as error:
    report, told = error.report, str(error)
(peak,) = (line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps([int(peak), report["status"], report["records"], told]))
"""


def pull(org: PracticeOrg, folder: Path) -> tuple[int, str, int, str]:
    """Pull in a process of its own; returns its peak RSS in KB, the verdict, the records, and what went wrong."""
    done = subprocess.run(
        [sys.executable, "-c", PULL, org.url, str(folder)], check=True, capture_output=True, text=True
    )
    peak, status, records, told = json.loads(done.stdout)
    print(f"peak RSS {peak / 1000:.1f} MB")  # noqa: T201 - shown by pytest -rP, and by a failure
    return peak, status, records, told


def test_a_page_of_200_mb_is_taken_in(start_org: StartOrg, tmp_path: Path) -> None:
    org = start_org(users=500, gzip=True, faults=["gzip-bomb:200000000@2"])
    peak, status, records, told = pull(org, tmp_path)
    assert (status, records) == ("complete", 500), told
    assert peak <= LIMIT


def test_a_gzip_bomb_is_refused(start_org: StartOrg, tmp_path: Path) -> None:
    org = start_org(users=500, gzip=True, faults=["gzip-bomb:1100000000@2"])
    peak, status, _, told = pull(org, tmp_path)
    assert (status, "the page is larger than 1000 MB" in told) == ("failed", True)
    assert peak <= LIMIT


def test_a_record_of_50_mb_is_refused(start_org: StartOrg, tmp_path: Path) -> None:
    org = start_org(users=500, faults=["big-record:50000000@2"])
    peak, status, _, told = pull(org, tmp_path)
    assert (status, "a record is larger than 16000000 bytes" in told) == ("failed", True)
    assert peak <= LIMIT


def test_a_record_of_15_mb_is_taken_in(start_org: StartOrg, tmp_path: Path) -> None:
    org = start_org(users=500, faults=["big-record:15000000@2"])
    peak, status, records, told = pull(org, tmp_path)
    assert (status, records) == ("complete", 500), told
    assert peak <= LIMIT


@pytest.mark.skipif("TORTURE" not in os.environ, reason="a million users take minutes: make torture")
@pytest.mark.timeout(1800)
def test_a_million_users_take_no_more(start_org: StartOrg, tmp_path: Path) -> None:
    org = start_org(users=1_000_000, keep_log=False, cache_bytes=1)
    peak, status, records, told = pull(org, tmp_path)
    assert (status, records) == ("complete", 1_000_000), told
    assert peak <= LIMIT
