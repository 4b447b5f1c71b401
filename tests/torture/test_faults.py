"""Every fault at every page: what is delivered in the end is complete and exact."""

import subprocess
from pathlib import Path

import pytest
from support.cli import CliFor, StartOrg
from support.oracle import check_quiet

USERS = 900
PAGES = range(1, 6)


@pytest.mark.parametrize(
    "fault",
    [
        "500",
        "503",
        "reset",
        "truncate",
        "truncate-json",
        "slow-body:0.2",
        "429",
        "429-concurrency",
        "next-repeat",
        "next-other-host",
        "empty-page",
        "html",
        "invalid-utf8",
        "nan",
    ],
)
def test_a_fault_at_any_page_loses_and_repeats_nothing(start_org: StartOrg, cli_for_place: CliFor, fault: str) -> None:
    faults = [f"{fault}@{page}" for page in PAGES]
    org = start_org(users=USERS, faults=faults, window=1.0)
    cli = cli_for_place(org)
    attempts = 1
    while (done := cli.pull("--batch-records", "70")).code != 0:
        assert done.code == 1, done.err
        assert attempts <= len(PAGES), done.err
        attempts += 1
    assert done.report["records"] == USERS
    check_quiet(cli, org)


def test_a_disk_that_is_full_again_and_again_loses_and_repeats_nothing(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(users=USERS)
    cli = cli_for(org)
    disk = cli.folder / "lake"
    disk.mkdir()
    kilobytes = 150
    if not mount(disk, f"size={kilobytes}k"):
        pytest.skip("a small disk takes the right to mount one")
    try:
        full = 0
        while (done := cli.pull("--batch-records", "10", "--lease", "200ms")).code != 0:
            assert done.code in {1, 4}, done.err
            if done.code == 1:
                assert full < 20
                assert "full" in done.err or "No space left" in done.err
                full += 1
                kilobytes *= 2
                assert mount(disk, f"remount,size={kilobytes}k")
        assert full >= 2
        assert mount(disk, "remount,size=50m")
        check_quiet(cli, org)
    finally:
        subprocess.run(["umount", disk], check=True)  # noqa: S607


def mount(folder: Path, options: str) -> bool:
    """Mount a small disk on a folder, or make it larger; returns whether that is allowed here."""
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0
