"""The system log: polled by a durable cursor, asked for by time, against an org whose events come late."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from support.cli import Cli, CliFor, Done, StartOrg

from circulate_practice import PracticeOrg
from circulate_practice.compare import compare, key_of

STREAM = "okta.system_log"


def pull(cli: Cli, *arguments: str, **environment: str) -> Done:
    return cli("pull", STREAM, *cli.place.arguments, "--account", "practice", "--json", *arguments, **environment)


def polled(cli: Cli, *arguments: str) -> Done:
    done = pull(cli, *arguments)
    assert done.code == 0, done.err
    return done


def delivered(cli: Cli, dones: list[Done], org: PracticeOrg) -> tuple[int, int, int]:
    """How many of the org's events were delivered and how many not, and how many came too often."""
    truth = [key_of(entry) for entry in org.truth("logs")]
    same = extra = 0
    for done in dones:
        comparison = compare(cli.manifest(done), truth)
        same, extra = same + comparison.same, extra + comparison.extra
    return same, len(truth) - same, extra


def parsed(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_every_event_is_delivered_once_over_many_polls(start_org: StartOrg, cli_for_place: CliFor) -> None:
    org = start_org(events=2500)
    cli = cli_for_place(org)
    dones = [polled(cli)]
    assert dones[0].report["records"] == 2500
    for count in (0, 7, 0, 1200, 3):
        org.add_events(count)
        dones.append(polled(cli))
        assert dones[-1].report["records"] == count
    assert delivered(cli, dones, org) == (3710, 0, 0)


def test_events_that_become_known_late_are_delivered(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(events=50)
    cli = cli_for(org)
    dones = [polled(cli)]
    org.add_events(5)
    org.add_events(5, late=3600.0)
    dones.append(polled(cli))
    assert dones[-1].report["records"] == 10
    assert delivered(cli, dones, org) == (60, 0, 0)


def test_a_poll_asks_no_more_than_it_must(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(events=100)
    cli = cli_for(org)
    polled(cli)
    before = org.request_count
    polled(cli)
    assert org.request_count - before == 1, "the page that is not full says that there is no more for now"


def test_a_cursor_that_the_org_has_forgotten_is_replaced_by_time(start_org: StartOrg, cli_for_place: CliFor) -> None:
    org = start_org(events=1500)
    cli = cli_for_place(org)
    dones = [polled(cli)]
    org.add_events(20)
    dones.append(polled(cli))
    org.expire_cursors()
    org.add_events(4)
    dones.append(polled(cli))
    assert "no longer knows where the last run stopped" in dones[-1].err
    assert dones[-1].report["records"] == 4
    assert dones[-1].report["repeats"] >= 20, "those that were requested again were left out"
    assert delivered(cli, dones, org) == (1524, 0, 0)


def test_a_run_that_was_killed_goes_on_where_it_stood(start_org: StartOrg, cli_for_place: CliFor) -> None:
    org = start_org(events=6000)
    cli = cli_for_place(org)
    for point in ("before-checkpoint#1", "after-index#1", "before-commit#1"):
        assert pull(cli, "--lease", cli.place.lease, CIRCULATE_CRASH=point).code < 0
        org.add_events(10)
        while (done := pull(cli, "--lease", cli.place.lease)).code == 4:
            pass
        assert done.code == 0, done.err
    runs = [run for run in reversed(cli.runs()) if run["status"] == "committed"]
    committed = [Done(0, json.dumps({"manifest": run["manifest"]}), "") for run in runs]
    assert delivered(cli, [*committed, polled(cli)], org) == (6030, 0, 0)


def test_a_deadline_makes_a_poll_complete_up_to_there(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(events=10_000, faults=["logs/stall:60@5"])
    cli = cli_for(org)
    dones = [polled(cli, "--deadline", "5s")]
    assert dones[0].report["stopped_by"] == "deadline"
    assert 0 < dones[0].report["records"] < 10_000
    dones.append(polled(cli))
    assert delivered(cli, dones, org) == (10_000, 0, 0)


def windows(org: PracticeOrg) -> list[dict[str, Any]]:
    """The complete responses for the log so far."""
    return [dict(entry) for entry in org.log if entry["collection"] == "logs"]


def test_a_part_of_time_is_asked_for_in_windows_and_the_cursor_stays(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(events=5000)
    cli = cli_for(org)
    times = sorted(entry["lastUpdated"] for entry in org.truth("logs"))
    since, until = times[100], times[4000]
    done = polled(cli, "--since", since, "--until", until)
    needed = [key_of(e) for e in org.truth("logs") if parsed(since) <= parsed(e["lastUpdated"]) < parsed(until)]
    comparison = compare(cli.manifest(done), needed)
    assert (comparison.same, comparison.missing, comparison.extra) == (len(needed), 0, 0)
    assert done.report["partitions"]["complete"] >= 3, "a window a day"
    assert polled(cli).report["records"] == 5000


def test_what_the_org_no_longer_keeps_is_reported(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(events=10)
    cli = cli_for(org)
    now = datetime.now(UTC)
    done = pull(cli, "--since", (now - timedelta(days=100)).isoformat())
    assert done.code == 3
    assert "which the API no longer keeps" in done.err
    before = org.request_count
    done = pull(cli, "--since", (now - timedelta(days=200)).isoformat())
    assert done.code == 2
    assert "refuses to look so far back" in done.err
    done = pull(cli, "--since", (now + timedelta(days=1)).isoformat())
    assert "in the future" in done.err
    assert org.request_count == before
