"""The guide to reading lakes: its commands run, and what they show is what comes."""

from support.cli import CliFor, StartOrg
from support.guides import Reader


def test_how_to_read_the_lake(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(users=300, events=200, seed=1)
    Reader("lake.md", cli_for(org)).read()
