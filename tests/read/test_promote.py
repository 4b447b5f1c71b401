"""`circulate promote`: a run in a place for readers, whole and once; mistakes are reported, nothing is overwritten."""

import json
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import duckdb
import pytest
from support.cli import CliFor, Done, StartOrg
from support.commands import PATIENCE
from support.http_server import Handler, Reply
from support.places import Bucket, Folder, client
from support.promotions import Promoting, root
from support.proxy import Fate, copies, proxy, writes

USERS = 250
MODES = pytest.mark.parametrize("mode", [(), ("--compact",)], ids=["as-it-is", "compact"])
Make = Callable[..., Promoting]


def assert_reports(done: Done, code: int, *parts: str) -> None:
    """The error and its hint say this."""
    assert done.code == code, done.err
    error = done.err[done.err.index("error: ") :]
    assert "hint: " in error
    for part in parts:
        assert part in error, error


@pytest.fixture
def promoting(start_org: StartOrg, cli_for_place: CliFor) -> Promoting:
    """Make a place to pull to and one for readers, both folders or both buckets."""
    return Promoting.of(cli_for_place(start_org(users=USERS)))


@pytest.fixture
def in_aws(start_org: StartOrg, aws_cli_for: CliFor) -> Promoting:
    """Make two buckets."""
    return Promoting.of(aws_cli_for(start_org(users=USERS)))


@pytest.fixture
def in_folders(start_org: StartOrg, cli_for: CliFor) -> Promoting:
    """Make two folders."""
    return Promoting.of(cli_for(start_org(users=USERS)))


@MODES
def test_a_run_is_promoted_whole_and_again_nothing_is_copied(promoting: Promoting, mode: tuple[str, ...]) -> None:
    key = promoting.pull()
    done = promoting(key, *mode)
    assert done.code == 0, done.err
    assert promoting.is_exact(key)
    report = done.report
    assert (report["status"], report["records"], report["manifest"]) == ("complete", USERS, key)
    assert (report["copied"], report["skipped"], report["objects"]) == ((1, 0, 1) if mode else (25, 0, 25))
    assert f"manifest  {report['destination']}/{key}" in done.err
    again = promoting(key, *mode)
    assert again.report == report | {"copied": 0, "skipped": report["objects"]}
    assert promoting.is_exact(key)
    next_run = promoting.pull("--full")
    assert promoting(next_run, *mode).code == 0
    verified = promoting.verify(key)
    assert (verified.code, promoting.verify(next_run).code) == (0, 0), verified.err


@MODES
def test_a_pending_run_is_committed_once_it_is_there(promoting: Promoting, mode: tuple[str, ...]) -> None:
    key = promoting.pull("--pending", "1h")
    busy = promoting.cli.pull()
    assert (busy.code, busy.report["manifest"], promoting.status(key)) == (4, key, "pending")
    assert promoting(key, *mode).code == 0
    assert (promoting.is_exact(key), promoting.status(key)) == (True, "committed")
    assert promoting.cli.pull().report["repeats"] > 0, "its cursor counts"


def test_any_two_places_will_do(start_org: StartOrg, cli_for: CliFor, aws_cli_for: CliFor) -> None:
    org = start_org(users=USERS)
    folder, bucket = cli_for(org, "one"), aws_cli_for(org, "two", prefix="a b/50%+ü/é&#?=x")
    assert isinstance(bucket.place, Bucket)
    folder.environment["AWS_ENDPOINT_URL"] = bucket.place.endpoint
    for promoting in (
        Promoting(folder, Bucket.new(bucket.place.endpoint, folder.folder, "data")),
        Promoting(bucket, Folder(bucket.folder / "data")),
        Promoting.of(bucket, prefix="50%+ü/a b é&#?=x/%2F"),
    ):
        key = promoting.pull("--full")
        done = promoting(key)
        assert done.code == 0, done.err
        assert promoting.is_exact(key)


def test_a_compacted_run_of_children_has_all_partitions(start_org: StartOrg, cli_for: CliFor) -> None:
    promoting = Promoting.of(cli_for(start_org(users=60, groups=7)))
    cli = promoting.cli
    pulled = cli("pull", "okta.group_members", *cli.place.arguments, "--account", "practice", "--json")
    key = pulled.report["manifest"]
    assert promoting(key, "--compact").code == 0
    assert promoting.is_exact(key)
    partitions = []
    for place in (cli.place.lake(), promoting.data.lake()):
        parts = [
            json.loads((place / part["key"]).read_bytes()) for part in json.loads((place / key).read_bytes())["parts"]
        ]
        partitions.append([entry for part in parts for entry in part.get("partitions", [])])
    assert partitions[0] == partitions[1]
    assert len(partitions[0]) > 5


def test_other_readers_read_a_compacted_object(in_folders: Promoting) -> None:
    key = in_folders.pull()
    assert in_folders(key, "--compact").code == 0
    glob = f"{in_folders.data.lake()}/okta/**/*.ndjson.gz"
    # As lines, since DuckDB takes no lone surrogates, of which the org has some.
    query = """
        select count(*), count(distinct line)
        from read_csv(?, columns = {'line': 'VARCHAR'}, delim = '\x01', quote = '', escape = '', header = false)
    """
    counted = duckdb.connect().execute(query, [glob]).fetchone()
    assert counted == (USERS, USERS)


def test_zstd_frames_are_read_back(in_folders: Promoting) -> None:
    key = in_folders.pull("--compression", "zstd")
    assert in_folders(key, "--compact").code == 0
    verified = in_folders.verify(key)
    assert (verified.code, verified.report["records"]) == (0, USERS), verified.err


@MODES
def test_what_is_stopped_goes_on(promoting: Promoting, mode: tuple[str, ...]) -> None:
    key = promoting.pull()
    stopped = promoting(key, "--deadline", "0s", *mode)
    assert (stopped.code, stopped.report["status"], stopped.report["stopped_by"]) == (3, "partial", "deadline")
    assert stopped.report["continuation"] == stopped.report["run_id"]
    assert not (promoting.data.lake() / key).exists()
    # It goes on as it was begun.
    assert promoting(key).code == 0
    assert promoting.is_exact(key)
    assert any(".ndjson" in file.name for file in promoting.data.lake().rglob("*.gz")) == bool(mode)


def test_ctrl_c_lets_what_was_begun_end(in_aws: Promoting, aws: str) -> None:
    key, held, release = in_aws.pull("--batch-records", "2"), threading.Event(), threading.Event()

    def hold(request: Handler) -> Fate:
        if copies(request):
            held.set()
            release.wait(PATIENCE)
        return Fate.PASSED_ON

    with proxy(aws, hold) as slow:
        in_aws.cli.environment["AWS_ENDPOINT_URL_S3"] = slow.url
        with in_aws.cli.start(*in_aws.command(key)) as promotion:
            assert held.wait(PATIENCE)
            promotion.send_signal(signal.SIGINT)
            assert promotion.stderr
            while "once more to stop at once" not in promotion.stderr.readline():
                pass
            release.set()
            out, _ = promotion.communicate(timeout=PATIENCE)
    del in_aws.cli.environment["AWS_ENDPOINT_URL_S3"]
    report = json.loads(out)
    assert (promotion.returncode, report["stopped_by"]) == (130, "interrupted")
    assert 0 < report["copied"] < USERS / 2
    assert in_aws(key).code == 0
    assert in_aws.is_exact(key)


@MODES
def test_what_is_missing_or_changed_is_reported_and_is_not_promoted(
    promoting: Promoting, mode: tuple[str, ...]
) -> None:
    key = promoting.pull()
    place = promoting.cli.place
    victim = sorted(place.lake().rglob("*.json.gz"))[7].relative_to(place.lake())
    change(promoting, victim, b"something else")
    assert_reports(promoting(key, *mode), 1, "differs from what was written", str(victim))
    change(promoting, victim, None)
    assert_reports(
        promoting(key, *mode), 1, "an object that the manifest names is missing", str(victim), "lifecycle rule"
    )
    assert not (promoting.data.lake() / key).exists()
    assert not (promoting.data.lake() / victim).exists()


def change(promoting: Promoting, key: Path, content: bytes | None, *, readers: bool = False) -> None:
    """Replace or remove an object behind our back."""
    place = promoting.data if readers else promoting.cli.place
    if isinstance(place, Bucket):
        s3, name = client("s3", place.endpoint), f"{place.prefix}/{key}"
        s3.delete_object(Bucket=place.bucket, Key=name)
        if content is not None:
            s3.put_object(Bucket=place.bucket, Key=name, Body=content)
        return
    file = place.path / key
    file.unlink(missing_ok=True)
    if content is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


@MODES
def test_what_is_in_the_way_is_reported_and_stays(promoting: Promoting, mode: tuple[str, ...]) -> None:
    key = promoting.pull()
    model = Promoting(promoting.cli, Folder(promoting.cli.folder / "model"))
    assert model(key, *mode).code == 0
    victim = min(model.data.lake().rglob("*.gz")).relative_to(model.data.lake())
    change(promoting, victim, b"of somebody else", readers=True)
    assert_reports(promoting(key, *mode), 1, "another object is stored under this key", str(victim))
    assert (promoting.data.lake() / victim).read_bytes() == b"of somebody else"
    assert not (promoting.data.lake() / key).exists()


def test_an_object_that_changes_between_look_and_copy_is_not_copied(in_aws: Promoting, aws: str) -> None:
    key = in_aws.pull()
    changed: list[str] = []

    def change_first(request: Handler) -> Fate:
        if copies(request) and not changed:
            changed.append(request.path.partition("?")[0])
            (victim,) = (file for file in in_aws.cli.place.lake().rglob("*.json.gz") if changed[0].endswith(file.name))
            change(in_aws, victim.relative_to(in_aws.cli.place.lake()), b"something else")
        return Fate.PASSED_ON

    with proxy(aws, change_first) as between:
        done = in_aws(key, AWS_ENDPOINT_URL_S3=between.url)
    assert_reports(done, 1, "differs from what was written", changed[0].rsplit("/", 1)[-1])
    assert not any(changed[0].endswith(file.name) for file in in_aws.data.lake().rglob("*.gz"))


def test_a_manifest_part_that_was_changed_is_reported(promoting: Promoting) -> None:
    key = promoting.pull()
    lake = promoting.cli.place.lake()
    part = min((lake / key.removesuffix(".json")).glob("0-*.json"))
    change(promoting, part.relative_to(lake), part.read_bytes().replace(b'"records": 10', b'"records": 11'))
    done = promoting(key)
    assert (done.code, "was changed after it was written" in done.err) == (1, True), done.err


def test_runs_that_do_not_count_are_refused(promoting: Promoting) -> None:
    key = promoting.pull("--pending", "1h")
    run = promoting.cli.runs()[0]["run_id"]
    place = promoting.cli.place
    state = place.state if isinstance(place, Bucket) else ("--state", str(place.path / ".circulate/state.db"))
    assert promoting.cli("state", "abandon", run, *state).code == 0
    assert_reports(promoting(key), 1, "the run was abandoned", "circulate runs")
    unknown = promoting.pull()
    other = promoting.cli.folder / "other.db"
    assert promoting.cli("state", "init", "--state", str(other)).code == 0
    done = promoting.cli("promote", promoting.manifest(unknown), "--to", root(promoting.data), "--state", str(other))
    assert_reports(done, 1, "state does not know the run", "--state")
    assert not list(promoting.data.lake().rglob("*"))


@MODES
@pytest.mark.parametrize("point", ["after-promoting#1", "after-copy#12", "before-index#1", "after-index#1"])
def test_a_run_whose_promotion_has_begun_is_not_given_up_by_itself(
    promoting: Promoting, mode: tuple[str, ...], point: str
) -> None:
    if mode and "copy" in point:
        point = "after-object#1"
    # Its time to be decided on is over at once.
    key = promoting.pull("--pending", "1ms")
    assert promoting(key, *mode, CIRCULATE_CRASH=point).code == -signal.SIGKILL
    for options in ((), ("--full",), ("--restart",)):
        busy = promoting.cli.pull(*options)
        assert (busy.code, busy.report["manifest"], promoting.status(key)) == (4, key, "pending")
    run, place = promoting.cli.runs()[0]["run_id"], promoting.cli.place
    state = place.state if isinstance(place, Bucket) else ("--state", str(place.path / ".circulate/state.db"))
    assert_reports(promoting.cli("state", "abandon", run, *state), 1, "the promotion of this run has begun", "--force")
    assert_reports(promoting.cli("state", "reset", "okta.users", *state), 1, "has begun", "--force")
    assert promoting(key, *mode).code == 0
    assert (promoting.is_exact(key), promoting.status(key)) == (True, "committed")
    assert promoting.cli.pull().report["repeats"] > 0, "its cursor counts"


def test_a_promotion_that_cannot_end_can_be_given_up_by_force(promoting: Promoting) -> None:
    key = promoting.pull("--pending", "1ms")
    assert promoting(key, CIRCULATE_CRASH="after-copy#1").code == -signal.SIGKILL
    run, place = promoting.cli.runs()[0]["run_id"], promoting.cli.place
    state = place.state if isinstance(place, Bucket) else ("--state", str(place.path / ".circulate/state.db"))
    assert promoting.cli("state", "abandon", run, "--force", *state).code == 0
    assert_reports(promoting(key), 1, "the run was abandoned")
    assert promoting.cli.pull().report["records"] == USERS


def test_a_run_that_its_worker_did_not_commit_is_left_for_the_next_pull(promoting: Promoting) -> None:
    lease = ("--lease", promoting.cli.place.lease)
    assert promoting.cli.pull(*lease, CIRCULATE_CRASH="after-index#1").code < 0
    (index,) = promoting.cli.place.lake().glob("_circulate/okta/practice/users/*.json")
    key = str(index.relative_to(promoting.cli.place.lake()))
    assert_reports(promoting(key), 1, "the run is not finished: the next pull commits it", "pull the stream once more")
    while promoting.cli.pull(*lease).code == 4:
        pass
    assert promoting(key).code == 0
    assert promoting.is_exact(key)


def test_mistakes_are_reported(in_aws: Promoting, in_folders: Promoting) -> None:
    key = in_aws.pull()
    to, manifest = ("--to", root(in_aws.data)), in_aws.manifest(key)
    assert_reports(in_aws.cli("promote", manifest, *to), 2, "the state of", "must be named", "--state")
    missing = in_aws(key.replace("Z-", "Z-0"))
    assert (missing.code, "there is no such manifest" in missing.err) == (1, True)
    elsewhere = in_aws.cli("promote", "lake/run.json", *to)
    assert (elsewhere.code, "is not below a `_circulate` folder" in elsewhere.err) == (2, True)
    itself = in_aws(key, "--to", root(in_aws.cli.place))
    assert (itself.code, "another place than it is in" in itself.err) == (2, True)
    assert_reports(in_aws(key, "--to", "gs://data"), 2, "data cannot be stored in `gs`", "s3://bucket/prefix")
    assert_reports(in_aws(key, "--to", "s3://no-such-bucket/x"), 1, "NoSuchBucket", "make the bucket first")
    lake = in_folders.cli.place.lake()
    done = in_folders.cli("promote", str(lake / key), "--to", "data")
    assert_reports(done, 1, "there is no state file", "--state")


def refusal(status: int, code: str) -> Reply:
    """An error as S3 writes it."""
    return Reply(f"<Error><Code>{code}</Code><Message>No.</Message></Error>", status=status)


@pytest.mark.parametrize(
    ("response", "parts"),
    [
        (refusal(403, "AccessDenied"), ["allow s3:PutObject, and s3:GetObject on arn:aws:s3:::lake-", "/data/*"]),
        (refusal(507, "InsufficientStorage"), ["InsufficientStorage"]),
        (refusal(503, "SlowDown"), ["SlowDown", "nothing is lost"]),
    ],
)
def test_a_target_that_refuses_is_reported_and_takes_all_later(
    in_aws: Promoting, aws: str, response: Reply, parts: list[str]
) -> None:
    key, numbers = in_aws.pull(), count()

    def refuse_later_copies(request: Handler) -> Fate | Reply:
        return response if copies(request) and next(numbers) >= 7 else Fate.PASSED_ON

    with proxy(aws, refuse_later_copies) as full:
        done = in_aws(key, AWS_ENDPOINT_URL_S3=full.url, AWS_MAX_ATTEMPTS="2")
    assert done.code == 1, done.err
    for part in parts:
        assert part in done.err
    assert not (in_aws.data.lake() / key).exists()
    again = in_aws(key)
    assert (again.code, again.report["skipped"] > 0) == (0, True), again.err
    assert in_aws.is_exact(key)


@pytest.mark.parametrize("trouble", [refusal(503, "SlowDown"), refusal(500, "InternalError"), Fate.UNHEARD])
def test_trouble_that_passes_is_not_noticed(in_aws: Promoting, aws: str, trouble: Fate | Reply) -> None:
    key = in_aws.pull()
    for method in ("HEAD", "PUT", "GET"):
        promoting, numbers = Promoting.of(in_aws.cli), count()

        def fail_some(request: Handler, method: str = method, numbers: Iterator[int] = numbers) -> Fate | Reply:
            return trouble if request.command == method and next(numbers) in {1, 3} else Fate.PASSED_ON

        with proxy(aws, fail_some) as rough:
            done = promoting(key, AWS_ENDPOINT_URL_S3=rough.url)
        assert done.code == 0, done.err
        assert promoting.is_exact(key)
        assert next(numbers) > 3


def test_responses_that_are_lost_count_once(in_aws: Promoting, aws: str) -> None:
    key, lost = in_aws.pull(), set()

    def lose_first(request: Handler) -> Fate:
        sent = (request.path, request.headers.get("amz-sdk-invocation-id"))
        if not writes(request) or sent in lost:
            return Fate.PASSED_ON
        lost.add(sent)
        return Fate.RESPONSE_LOST

    with proxy(aws, lose_first) as lossy:
        done = in_aws(key, AWS_ENDPOINT_URL_S3=lossy.url)
    assert done.code == 0, done.err
    assert len(lost) > 25
    assert in_aws.is_exact(key)


@MODES
def test_a_full_disk_is_reported_and_takes_the_rest_later(in_folders: Promoting, mode: tuple[str, ...]) -> None:
    key = in_folders.pull()
    disk = in_folders.cli.folder / "data"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=48k", "tmpfs", disk],  # noqa: S607
        capture_output=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip("may not mount a file system")
    try:
        full = in_folders(key, *mode)
        assert_reports(full, 1, "No space left on device", "free some space")
        assert not (disk / key).exists()
        subprocess.run(["mount", "-o", "remount,size=4m", disk], check=True)  # noqa: S607
        assert in_folders(key, *mode).code == 0
        assert in_folders.is_exact(key)
    finally:
        subprocess.run(["umount", disk], check=True)  # noqa: S607


def test_every_request_names_the_owner_and_copies_both(in_aws: Promoting, aws: str) -> None:
    key, owner = in_aws.pull(), "123456789012"
    named: list[tuple[str | None, bool]] = []

    def look(request: Handler) -> Fate:
        source = request.headers.get("x-amz-source-expected-bucket-owner")
        named.append((request.headers.get("x-amz-expected-bucket-owner"), not copies(request) or source == owner))
        return Fate.PASSED_ON

    with proxy(aws, look) as seen:
        done = in_aws(key, "--expected-bucket-owner", owner, AWS_ENDPOINT_URL_S3=seen.url)
    assert done.code == 0, done.err
    assert len(named) > 75
    assert set(named) == {(owner, True)}


def test_copies_are_encrypted_as_requested(in_aws: Promoting) -> None:
    key = in_aws.pull()
    kms = "arn:aws:kms:us-east-1:000000000000:key/11111111-2222-3333-4444-555555555555"
    assert in_aws(key, "--sse", "aws:kms", "--sse-kms-key-id", kms).code == 0
    data = in_aws.data
    assert isinstance(data, Bucket)
    for name in data.stored():
        head = client("s3", data.endpoint).head_object(Bucket=data.bucket, Key=name)
        assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", kms)


@MODES
def test_two_at_once_do_no_harm(promoting: Promoting, mode: tuple[str, ...]) -> None:
    key = promoting.pull("--pending", "1h")
    started = [promoting.cli.start(*promoting.command(key, *mode)) for _ in range(3)]
    ended = [process.communicate(timeout=PATIENCE) for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], ended
    assert (promoting.is_exact(key), promoting.status(key)) == (True, "committed")
