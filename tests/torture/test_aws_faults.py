"""Trouble between us and AWS: what is delivered in the end is complete and exact, and what can't go on says why."""

import json
import os
import signal
import threading
from collections import Counter
from itertools import count
from typing import Any

import pytest
from support.cli import Bursts, Cli, CliFor, Done, StartOrg
from support.http_server import Handler, Reply
from support.oracle import check_quiet
from support.proxy import Fate, proxy, writes

from circulate_practice.compare import records

USERS = 900
# Uncompressed, since microburst unpacks what says that it is compressed before it hands it on.
OPTIONS = ("--lease", "1s", "--batch-records", "300", "--compression", "none")
NAMES = {"s3": "S3", "dynamodb": "DynamoDB"}
BUSY = {
    "s3": Reply("<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>", status=503),
    "dynamodb": Reply(
        {"__type": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"}, status=400
    ),
}
WRITES_TO_BEGIN = len(("the stream is listed", "open", "head", "claim", "attempt"))
BURST = 3 if "TORTURE" in os.environ else 1
FAULTS: dict[str, dict[str, Any]] = {
    "busy": {"error": {"code": "SlowDown", "status": 503}},
    "throttled": {"error": {"code": "ProvisionedThroughputExceededException", "status": 400}},
    "internal-error": {"error": {"code": "InternalServerError", "status": 500}},
    "reset": {"reset": True},
    "slow": {"latency": 500},
    "response-corrupt": {"response": {"corrupt_bytes": 3}},
    "response-cut": {"response": {"abort_bytes": 1}},
    "response-short": {"response": {"truncate_bytes": 20}},
}
CASES = [
    (service, operation, fault)
    for service, operation, faults in (
        ("s3", "PutObject", ("busy", "internal-error", "reset", "slow")),
        ("s3", "GetObject", ("busy", "reset", "response-corrupt", "response-cut", "response-short")),
        ("s3", "ListObjectsV2", ("busy", "response-cut")),
        ("s3", "DeleteObject", ("busy", "reset")),
        ("dynamodb", "PutItem", ("throttled", "internal-error", "reset", "slow", "response-cut")),
        ("dynamodb", "GetItem", ("throttled", "internal-error", "reset", "response-cut")),
        ("dynamodb", "Query", ("throttled", "response-cut")),
    )
    for fault in faults
]


def pull_when_free(cli: Cli, *options: str, **environment: str) -> Done:
    """Pull as soon as the lease of a worker that is gone has lapsed."""
    while (done := cli.pull(*OPTIONS, *options, **environment)).code == 4:
        pass
    return done


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_trouble_that_passes_is_not_noticed(
    start_org: StartOrg, aws_cli_for: CliFor, bursts: Bursts, case: tuple[str, str, str]
) -> None:
    service, operation, fault = case
    org = start_org(users=USERS)
    cli = aws_cli_for(org)
    # Something for gc to remove.
    assert cli.pull(*OPTIONS, CIRCULATE_CRASH="before-checkpoint#1").code == -signal.SIGKILL
    cli.environment[f"AWS_ENDPOINT_URL_{service.upper()}"] = bursts.url
    bursts.make({"service": service, "operation": operation, "times": BURST, **FAULTS[fault]})
    done = pull_when_free(cli, "--restart")
    assert done.code == 0, done.err
    assert done.report["records"] == USERS
    org.change(50)
    check_quiet(cli, org, *OPTIONS)
    assert bursts.made() == BURST


class FirstResponses:
    """Loses the first response to every write."""

    def __init__(self) -> None:
        self.lost: set[tuple[str, str | None]] = set()

    def __call__(self, request: Handler) -> Fate:
        """Decide on a request."""
        # The client sends a request again under the same id.
        sent = (request.path, request.headers.get("amz-sdk-invocation-id"))
        if not writes(request) or sent in self.lost:
            return Fate.PASSED_ON
        self.lost.add(sent)
        return Fate.RESPONSE_LOST


@pytest.mark.parametrize("service", ["s3", "dynamodb"])
def test_a_write_that_happened_although_its_response_was_lost_counts_once(
    start_org: StartOrg, aws_cli_for: CliFor, aws: str, service: str
) -> None:
    org = start_org(users=USERS)
    cli = aws_cli_for(org)
    first_responses = FirstResponses()
    with proxy(aws, first_responses) as lossy:
        cli.environment[f"AWS_ENDPOINT_URL_{service.upper()}"] = lossy.url
        done = cli.pull(*OPTIONS)
        assert (done.code, done.report["records"]) == (0, USERS), done.err
    assert len(first_responses.lost) >= {"s3": 6, "dynamodb": 12}[service]
    del cli.environment[f"AWS_ENDPOINT_URL_{service.upper()}"]
    (run,) = cli.runs()
    assert run["ledger"]["attempts"] == 1, "no worker took itself for fenced off"
    org.change(50)
    check_quiet(cli, org, *OPTIONS)


def test_a_large_object_whose_responses_were_lost_counts_once(
    start_org: StartOrg, aws_cli_for: CliFor, aws: str
) -> None:
    org = start_org(users=450, faults=["big-record:15000000"])
    cli = aws_cli_for(org)
    first_responses = FirstResponses()
    with proxy(aws, first_responses) as lossy:
        one_object = ("--batch-bytes", "100000000", "--memory", "400000000", "--compression", "none")
        done = cli.pull(*one_object, AWS_ENDPOINT_URL_S3=lossy.url)
    assert done.code == 0, done.err
    assert (done.report["records"], done.report["objects"]) == (450, 1)
    assert len([path for path, _ in first_responses.lost if "partNumber=" in path]) >= 6
    assert [path for path, _ in first_responses.lost if "partNumber=" not in path and "uploadId=" in path]
    verified = cli("verify", *cli.place.verify(done.report["manifest"]))
    assert verified.code == 0, verified.err
    written = Counter(record["id"] for record in map(json.loads, records(cli.manifest(done))))
    assert written == Counter(entry["id"] for entry in org.truth())


def test_a_renewal_that_was_never_confirmed_does_not_end_the_pull(
    start_org: StartOrg, aws_cli_for: CliFor, aws: str
) -> None:
    written, goes_on = count(1), threading.Event()

    def first_renewal(request: Handler) -> Fate:
        number = next(written) if writes(request) else 0
        if number > WRITES_TO_BEGIN + 1:
            goes_on.set()
        return Fate.RESPONSE_LOST if number == WRITES_TO_BEGIN + 1 else Fate.PASSED_ON

    org = start_org(users=USERS, faults=["stall:60@2"], wait=goes_on.wait)
    cli = aws_cli_for(org)
    with proxy(aws, first_renewal) as lossy:
        done = cli.pull(*OPTIONS, AWS_ENDPOINT_URL_DYNAMODB=lossy.url, AWS_MAX_ATTEMPTS="1")
    assert done.code == 0, done.err
    check_quiet(cli, org, *OPTIONS)


@pytest.mark.parametrize("fate", [Fate.UNHEARD, Fate.RESPONSE_LOST], ids=["unheard", "response-lost"])
@pytest.mark.parametrize("service", ["s3", "dynamodb"])
def test_a_pull_cut_off_at_any_write_loses_and_repeats_nothing(
    start_org: StartOrg, aws_cli_for: CliFor, aws: str, service: str, fate: Fate
) -> None:
    org = start_org(users=USERS)
    cli = aws_cli_for(org)
    requested, cut_off = count(1), 0

    def only_the_nth(request: Handler) -> Fate:
        return fate if writes(request) and next(requested) == cut_off else Fate.PASSED_ON

    with proxy(aws, only_the_nth) as lossy:
        through_proxy = {f"AWS_ENDPOINT_URL_{service.upper()}": lossy.url, "AWS_MAX_ATTEMPTS": "1"}
        while next(requested) > cut_off:
            cut_off += 1
            requested = count(1)
            done = cli.pull(*OPTIONS, **through_proxy)
            assert done.code in {0, 1}
            if done.code == 1:
                assert f"cannot reach {NAMES[service]}" in done.err
            assert pull_when_free(cli).code == 0
            org.change(20)
    assert cut_off > {"s3": 5, "dynamodb": 10}[service], "every write of a pull was cut off"
    check_quiet(cli, org, *OPTIONS)


@pytest.mark.parametrize("after", [0, 3])
@pytest.mark.parametrize("service", ["s3", "dynamodb"])
def test_trouble_that_stays_is_reported_and_the_next_pull_goes_on(
    start_org: StartOrg, aws_cli_for: CliFor, aws: str, service: str, after: int
) -> None:
    org = start_org(users=USERS)
    cli = aws_cli_for(org)
    written = count(1)

    def all_but_the_first(request: Handler) -> Fate | Reply:
        return BUSY[service] if writes(request) and next(written) > after else Fate.PASSED_ON

    with proxy(aws, all_but_the_first) as busy:
        through_proxy = {f"AWS_ENDPOINT_URL_{service.upper()}": busy.url, "AWS_MAX_ATTEMPTS": "2"}
        done = cli.pull(*OPTIONS, **through_proxy)
    assert done.code == 1
    assert f"{NAMES[service]} refused to" in done.err
    assert f"hint: {NAMES[service]} stayed busy over all attempts; try again later: nothing is lost" in done.err
    assert pull_when_free(cli).report["status"] == "complete"
    check_quiet(cli, org, *OPTIONS)
