"""Files that are cut short, as a disk may leave the last one that was written: found, and never taken as whole."""

import json
import signal
from pathlib import Path

import pytest
from support.cli import Cli, CliFor, StartOrg
from support.commands import PATIENCE
from support.promotions import Promoting

from circulate_practice import PracticeOrg

STALLS_AT = 7
LEASE = ("--lease", "200ms", "--batch-records", "10")
LOOKS: list[tuple[str, ...]] = [(), ("--format", "parquet", "--memory", "16000000", "--batch-bytes", "1000")]


def newest(folder: Path, pattern: str) -> Path:
    """Return the file that was written last."""
    return max(folder.glob(pattern), key=lambda path: path.stat().st_mtime_ns)


def cut(path: Path) -> bytes:
    """Take the last byte off a file; returns what it held."""
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    return whole


def stop_at_a_checkpoint(cli: Cli, org: PracticeOrg) -> None:
    """Begin a run and interrupt it in the middle of the list."""
    with cli.start_pull(*LEASE) as pulling:
        org.wait_for_requests(STALLS_AT, timeout=PATIENCE)
        pulling.send_signal(signal.SIGINT)
        pulling.communicate(timeout=PATIENCE)
    assert pulling.returncode == 130


@pytest.mark.parametrize("looks", LOOKS, ids=["json", "parquet"])
def test_an_object_cut_short_is_found_and_not_promoted(
    start_org: StartOrg, cli_for: CliFor, looks: tuple[str, ...]
) -> None:
    org = start_org(users=150)
    promoting = Promoting.of(cli_for(org))
    done = promoting.cli.pull(*looks)
    key = str(done.report["manifest"])
    last = newest(promoting.cli.place.lake() / "okta", "**/circulate_date=*/**/*.*")
    whole = cut(last)
    verified = promoting.cli("verify", *promoting.cli.place.verify(key))
    assert (verified.code, last.name in verified.out + verified.err) == (1, True)
    refused = promoting(key)
    assert (refused.code, last.name in refused.err) == (1, True), refused.err
    last.write_bytes(whole)
    assert promoting(key).code == 0


def test_a_part_cut_short_keeps_its_run_from_being_committed(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(users=3_000, faults=[f"stall:60@{STALLS_AT}"])
    cli = cli_for(org)
    stop_at_a_checkpoint(cli, org)
    part = newest(cli.place.lake() / "_circulate", "okta/*/users/*/0-*.json")
    whole = cut(part)
    refused = cli.pull(*LEASE)
    assert (refused.code, part.name in refused.err) == (1, True), refused.err
    assert not list((cli.place.lake() / "_circulate").glob("okta/*/users/*.json"))
    part.write_bytes(whole)
    done = cli.pull(*LEASE)
    assert done.code == 0, done.err
    assert cli("verify", *cli.place.verify(done.report["manifest"])).code == 0
    assert done.report["records"] == 3_000


def test_an_index_cut_short_is_not_committed(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(users=150)
    cli = cli_for(org)
    assert cli.pull(*LEASE, CIRCULATE_CRASH="after-index#1").code == -signal.SIGKILL
    index = newest(cli.place.lake() / "_circulate", "okta/*/users/*.json")
    # The last byte ends the line.
    whole = cut(index)
    cut(index)
    while (refused := cli.pull(*LEASE)).code == 4:
        pass
    assert (refused.code, index.name in refused.err) == (1, True), refused.err
    assert cli("verify", *cli.place.verify(str(index.relative_to(cli.place.lake())))).code == 1
    index.write_bytes(whole)
    done = cli.pull(*LEASE)
    assert (done.code, done.report["records"]) == (0, 150), done.err


def test_a_file_cut_short_before_it_was_named_is_garbage(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(users=150)
    cli = cli_for(org)
    assert cli.pull(*LEASE, CIRCULATE_CRASH="after-object#3").code == -signal.SIGKILL
    last = newest(cli.place.lake() / "okta", "**/circulate_date=*/**/*.json.gz")
    cut(last)
    while (done := cli.pull(*LEASE)).code == 4:
        pass
    assert (done.code, done.report["records"]) == (0, 150), done.err
    assert cli("verify", *cli.place.verify(done.report["manifest"])).code == 0
    parts = [
        json.loads((cli.place.lake() / part["key"]).read_text())
        for part in json.loads(cli.manifest(done).read_text())["parts"]
    ]
    assert str(last.relative_to(cli.place.lake())) not in {entry["key"] for part in parts for entry in part["objects"]}
