"""What `circulate pull` writes, judged by the practice org's own log of what it sent."""

import gzip
import hashlib
import json
from pathlib import Path

import pytest
from support.cli import CliFor, StartOrg

from circulate_practice import PracticeOrg
from circulate_practice.compare import Comparison, compare, objects, records, split_array


def sent(org: PracticeOrg) -> list[str]:
    """Return the digest of each record that was sent, once: the last page may be requested again."""
    digests = (record["sha256"] for entry in org.log if entry["complete"] for record in entry["records"])
    return list(dict.fromkeys(digests))


def assert_identical(manifest: Path, org: PracticeOrg, count: int) -> None:
    assert compare(manifest, sent(org)) == Comparison(same=count, missing=0, extra=0)


def test_every_record_is_written_once_as_it_was_sent(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(users=2_500)
    cli = cli_for(org)
    done = cli.pull()
    assert (done.code, done.report["status"], done.report["records"]) == (0, "complete", 2_500)
    assert_identical(cli.manifest(done), org, 2_500)


def test_numbers_escapes_key_order_and_duplicate_keys_are_kept(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(users=600)
    cli = cli_for(org)
    text = b"\n".join(records(cli.manifest(cli.pull()))).decode()
    for edge_case in (
        "1.0",
        "1e5",
        "1E+2",
        "-0.0",
        "12345678901234567890123",
        "9007199254740993",
        "\\ud800",
        "\\/",
        "1e400",
    ):
        assert edge_case in text
    repeated = []

    def look(members: list[tuple[str, object]]) -> None:
        repeated.append(len({key for key, _ in members}) < len(members))

    json.loads(f"[{','.join(text.splitlines())}]", object_pairs_hook=look)
    assert any(repeated)


@pytest.mark.parametrize("fault", ["pretty", "crlf", "bom", "next-joined", "next-relative", "empty-page@2", "no-date"])
def test_unusual_but_valid_pages_give_the_same_records(start_org: StartOrg, cli_for: CliFor, fault: str) -> None:
    org = start_org(users=700, faults=[fault])
    cli = cli_for(org)
    done = cli.pull()
    assert (done.code, done.report["records"]) == (0, 700)
    assert_identical(cli.manifest(done), org, 700)


@pytest.mark.parametrize(
    "fault", ["500@2", "502@2", "503@2*2", "504@1", "reset@3", "truncate@2", "truncate-json@2", "429-concurrency@2"]
)
def test_a_page_that_fails_is_asked_for_again_and_counts_once(start_org: StartOrg, cli_for: CliFor, fault: str) -> None:
    org = start_org(users=700, faults=[fault])
    cli = cli_for(org)
    done = cli.pull()
    assert (done.code, done.report["records"]) == (0, 700)
    assert done.report["retries"] >= 1
    assert_identical(cli.manifest(done), org, 700)


def test_a_page_size_that_the_api_cannot_serve_is_made_smaller(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(users=450, faults=["big-page:60"])
    cli = cli_for(org)
    done = cli.pull()
    assert (done.code, done.report["records"]) == (0, 450)
    assert "asking for 50 records a page" in done.err
    assert_identical(cli.manifest(done), org, 450)


def test_compressed_responses_are_understood(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(users=500, gzip=True)
    cli = cli_for(org)
    assert_identical(cli.manifest(cli.pull()), org, 500)


def test_deprovisioned_users_are_part_of_a_pull(start_org: StartOrg, cli_for: CliFor) -> None:
    cli = cli_for(start_org(users=500))
    states = {json.loads(record)["status"] for record in records(cli.manifest(cli.pull("--full")))}
    assert "DEPROVISIONED" in states


def test_objects_hold_at_most_a_thousand_records_and_three_megabytes(start_org: StartOrg, cli_for: CliFor) -> None:
    cli = cli_for(start_org(users=2_300))
    bodies = [gzip.decompress(path.read_bytes()) for path in objects(cli.manifest(cli.pull()))]
    assert [len(list(split_array(body))) for body in bodies] == [1_000, 1_000, 300]
    assert all(len(body) <= 3_000_000 for body in bodies)


def test_batch_limits_hold_exactly(start_org: StartOrg, cli_for: CliFor) -> None:
    cli = cli_for(start_org(users=900))
    done = cli.pull("--batch-bytes", "50000", "--batch-records", "40")
    bodies = [gzip.decompress(path.read_bytes()) for path in objects(cli.manifest(done))]
    assert all(len(body) <= 50_000 and len(list(split_array(body))) <= 40 for body in bodies)
    assert done.report["records"] == 900


def test_a_record_over_the_batch_size_is_an_object_of_its_own(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(users=250, faults=["big-record:4000000@1"])
    cli = cli_for(org)
    manifest = cli.manifest(cli.pull())
    sizes = [len(gzip.decompress(path.read_bytes())) for path in objects(manifest)]
    assert sum(size > 3_000_000 for size in sizes) == 1
    assert_identical(manifest, org, 250)


def test_ndjson_has_a_record_per_line(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(users=300, faults=["pretty@1"])
    cli = cli_for(org)
    (path,) = objects(cli.manifest(cli.pull("--format", "ndjson")))
    assert path.name.endswith(".ndjson.gz")
    lines = gzip.decompress(path.read_bytes()).splitlines()
    compact = [hashlib.sha256(line).hexdigest() for line in lines[200:]]
    assert len(lines) == 300
    assert compact == sent(org)[200:]
    assert [json.loads(line)["id"] for line in lines] == [r["id"] for e in org.log for r in e["records"]]


@pytest.mark.parametrize("compression", ["zstd", "none"])
def test_other_compressions_verify_and_name_themselves(start_org: StartOrg, cli_for: CliFor, compression: str) -> None:
    cli = cli_for(start_org(users=300))
    manifest = cli.manifest(cli.pull("--compression", compression))
    (path,) = objects(manifest)
    assert path.name.endswith({"zstd": ".json.zst", "none": ".json"}[compression])
    assert path.read_bytes().startswith({"zstd": b"\x28\xb5\x2f\xfd", "none": b"[{"}[compression])
    assert cli("verify", manifest).code == 0


def test_a_second_pull_asks_only_for_what_changed(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(users=400)
    cli = cli_for(org)
    cli.pull()
    changed = set(org.change(30))
    done = cli.pull()
    assert done.report["records"] < 60
    assert changed <= {json.loads(record)["id"] for record in records(cli.manifest(done))}


def test_a_part_of_time_leaves_the_cursor_where_it_is(start_org: StartOrg, cli_for: CliFor) -> None:
    cli = cli_for(start_org(users=300))
    first = cli.pull().report["next_since"]
    window = cli.pull("--since", "2020-01-01", "--until", "2025-06-01T00:00:00Z")
    times = [json.loads(record)["lastUpdated"] for record in records(cli.manifest(window))]
    assert times
    assert all("2020-01-01" <= time < "2025-06-01" for time in times)
    assert cli.pull().report["window"]["since"] == first


def test_a_pull_that_runs_out_of_time_goes_on_where_it_stopped(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(users=1_200, faults=["stall:60@4"])
    cli = cli_for(org)
    stopped = cli.pull("--deadline", "5s")
    assert (stopped.code, stopped.report["status"], stopped.report["records"]) == (3, "partial", 600)
    done = cli.pull()
    assert (done.code, done.report["resumed"], done.report["records"]) == (0, True, 1_200)
    assert done.report["run_id"] == stopped.report["continuation"]
    assert_identical(cli.manifest(done), org, 1_200)


def test_half_of_the_quota_is_left_to_others(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(users=1_600, rate_limit=8, window=2.0)
    cli = cli_for(org)
    done = cli.pull()
    assert (done.code, done.report["records"]) == (0, 1_600)
    assert done.report["throttled"] == 0
    assert max(window.count for window in org.windows) <= 4
