"""Every fault at every page: what is delivered in the end is complete and exact."""

import pytest
from oracle import Finding, judge
from support import CliFor, StartOrg

USERS = 900
PAGES = range(1, 6)
WELL = Finding(lost=0, repeated=0, stray=0)


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
def test_a_fault_at_any_page_loses_and_repeats_nothing(start_org: StartOrg, cli_for: CliFor, fault: str) -> None:
    faults = [f"{fault}@{page}" for page in PAGES]
    org = start_org(users=USERS, faults=faults, window=1.0)
    cli = cli_for(org)
    attempts = 1
    while (done := cli.pull("--batch-records", "70")).code != 0:
        assert done.code == 1, done.err
        assert attempts <= len(PAGES), done.err
        attempts += 1
    assert done.report["records"] == USERS
    assert cli.pull().code == 0
    assert cli("gc", "--to", "lake", "--older-than", "0s").code == 0
    assert judge(cli.folder / "lake", org) == WELL
