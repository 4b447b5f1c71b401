"""Buckets and tables as a user meets them: what works, and mistakes reported before any request to the API."""

import json
import re
from collections.abc import Iterator

import pytest
from support.cli import Cli, CliFor, Done, StartOrg
from support.http_server import Handler, Reply
from support.places import Bucket, client
from support.proxy import Fate, proxy
from support.stand_ins import HERE, free_port, ministack, s3s

from circulate_practice import PracticeOrg
from circulate_practice.compare import compare

CANARY = "canary"
"""Part of every secret here."""


@pytest.fixture
def org(start_org: StartOrg) -> PracticeOrg:
    """Start an org that may get no request before a mistake is reported."""
    return start_org(users=250, token=f"00{CANARY}")


@pytest.fixture
def aws_cli(org: PracticeOrg, aws_cli_for: CliFor) -> Cli:
    """Make a command line whose bucket and table are there."""
    cli = aws_cli_for(org)
    cli.environment["AWS_SECRET_ACCESS_KEY"] = f"{CANARY}-of-aws"
    return cli


def place_of(cli: Cli) -> Bucket:
    """Return the bucket of a command line."""
    assert isinstance(cli.place, Bucket)
    return cli.place


def assert_reports(done: Done, code: int, *parts: str) -> None:
    """The error and its hint say this, and nothing of a secret."""
    assert done.code == code, done.err
    error = done.err[done.err.index("error: ") :]
    assert "hint: " in error
    for part in parts:
        assert part in error
    assert CANARY not in done.err + done.out


def test_a_bucket_is_pulled_to_looked_at_and_cleaned_like_a_folder(org: PracticeOrg, aws_cli: Cli) -> None:
    place = place_of(aws_cli)
    done = aws_cli.pull("--batch-records", "100")
    assert done.code == 0, done.err
    assert compare(aws_cli.manifest(done), [entry["sha256"] for entry in org.truth()]).identical
    assert f"manifest  {place.uri}/_circulate/okta/practice/users/" in done.err
    manifest = done.report["manifest"]
    verified = aws_cli("verify", f"{place.uri}/{manifest}", *place.state)
    assert (verified.code, "3 objects read back" in verified.err) == (0, True)
    assert re.search(r"okta\.users +practice +incremental +committed +250 ", aws_cli("runs", *place.state).out)
    assert f"destination    {place.uri}" in aws_cli("state", "show", *place.state).out
    folder = f"{place.prefix}/okta/practice/users/circulate_date=2026-01-01/circulate_hour=00"
    lost = f"{folder}/20260101T000000000Z-0000000000-0-0001-00000000"
    client("s3", place.endpoint).put_object(Bucket=place.bucket, Key=lost, Body=b"of no run")
    collected = json.loads(aws_cli.collect().out)
    assert collected["removed_keys"] == [lost.removeprefix(f"{place.prefix}/")]
    assert lost not in place.stored()
    assert aws_cli.pull().report["records"] == 0


def test_an_object_that_was_changed_in_the_bucket_is_found(aws_cli: Cli) -> None:
    place = place_of(aws_cli)
    manifest = aws_cli.pull().report["manifest"]
    (key,) = (key for key in place.stored() if key.endswith(".gz"))
    client("s3", place.endpoint).put_object(Bucket=place.bucket, Key=key, Body=b"something else")
    done = aws_cli("verify", *place.verify(manifest))
    assert (done.code, "differs from what was written" in done.err) == (1, True)
    client("s3", place.endpoint).delete_object(Bucket=place.bucket, Key=key)
    done = aws_cli("verify", *place.verify(manifest))
    assert (done.code, key.removeprefix("lake/") in done.err) == (1, True)


def test_a_prefix_may_hold_any_character(org: PracticeOrg, aws_cli_for: CliFor) -> None:
    cli = aws_cli_for(org, prefix="a b/50%+ü/é&#?=x/%2F")
    place = place_of(cli)
    assert cli.pull("--lease", "1s", CIRCULATE_CRASH="before-checkpoint#1").code < 0
    while (done := cli.pull("--restart", "--lease", "1s")).code == 4:
        pass
    assert done.code == 0, done.err
    assert compare(cli.manifest(done), [entry["sha256"] for entry in org.truth()]).identical
    assert all(key.startswith(f"{place.prefix}/") for key in place.stored())
    verified = cli("verify", *place.verify(done.report["manifest"]))
    assert verified.code == 0, verified.err
    before = set(place.stored())
    removed = json.loads(cli.collect().out)["removed_keys"]
    assert removed
    assert before - set(place.stored()) == {f"{place.prefix}/{key}" for key in removed}
    assert cli("verify", *place.verify(done.report["manifest"])).code == 0


@pytest.mark.parametrize("account", ["a b", "é", "a/b", "..", "50%", "a+b&c#d"])
def test_account_names_that_are_no_part_of_a_key_are_refused(aws_cli: Cli, org: PracticeOrg, account: str) -> None:
    done = aws_cli("pull", "okta.users", *aws_cli.place.arguments, "--account", account)
    assert_reports(done, 2, "account")
    assert org.request_count == 0


def test_objects_are_encrypted_as_requested(aws_cli: Cli) -> None:
    place = place_of(aws_cli)
    s3 = client("s3", place.endpoint)
    kms = "arn:aws:kms:us-east-1:000000000000:key/11111111-2222-3333-4444-555555555555"
    assert aws_cli.pull("--sse", "aws:kms", "--sse-kms-key-id", kms).code == 0
    for key in place.stored():
        head = s3.head_object(Bucket=place.bucket, Key=key)
        assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", kms)
    (data,) = (key for key in place.stored() if key.endswith(".json.gz"))
    head = s3.head_object(Bucket=place.bucket, Key=data)
    assert (head["ContentType"], head["ContentEncoding"]) == ("application/json", "gzip")


def test_state_in_a_file_serves_a_bucket_that_one_machine_pulls_to(aws_cli: Cli) -> None:
    to = ("--to", place_of(aws_cli).uri, "--state", "state.db")
    assert aws_cli("pull", "okta.users", *to, "--account", "practice").code == 0
    assert json.loads(aws_cli("gc", *to, "--older-than", "0s", "--json").out)["removed"] == 0
    (run,) = json.loads(aws_cli("runs", *to, "--json").out)
    assert run["status"] == "committed"


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--to", "s3://my-lake/x"], ["s3://my-lake/x", "--state", "dynamodb://TABLE"]),
        (["--to", "s3://My_Lake", "--state", "dynamodb://table"], ["`My_Lake` can't name a bucket"]),
        (["--to", "s3://", "--state", "dynamodb://table"], ["can't name a bucket", "s3://bucket/prefix"]),
        (["--to", "s3://my-lake/a//b", "--state", "dynamodb://table"], ["prefix"]),
        (["--to", "s3://my-lake", "--state", "dynamodb://a/b"], ["`a/b` can't name a table"]),
        (["--to", "s3://my-lake", "--state", "s3://my-lake"], ["state cannot be stored in `s3`", "dynamodb://table"]),
        (
            ["--to", "gs://my-lake", "--state", "dynamodb://table"],
            ["data cannot be stored in `gs`", "s3://bucket/prefix"],
        ),
    ],
)
def test_places_that_cannot_be_are_refused_before_any_request(
    org: PracticeOrg, aws_cli: Cli, arguments: list[str], parts: list[str]
) -> None:
    aws_cli.environment["AWS_ENDPOINT_URL"] = f"http://{HERE}:{free_port()}"
    assert_reports(aws_cli("pull", "okta.users", *arguments), 2, *parts)
    assert org.request_count == 0


@pytest.mark.parametrize(
    ("options", "reported"),
    [
        (
            ["--expected-bucket-owner", "me"],
            "invalid `--expected-bucket-owner`: an AWS account has 12 digits, given me",
        ),
        (
            ["--sse", "AES256", "--sse-kms-key-id", "key"],
            "`--sse-kms-key-id` beside `--sse` AES256, which takes no key: give aws:kms",
        ),
    ],
)
def test_options_of_a_bucket_that_cannot_be_are_refused(
    org: PracticeOrg, aws_cli: Cli, options: list[str], reported: str
) -> None:
    done = aws_cli.pull(*options)
    assert (done.code, reported in done.err, org.request_count) == (2, True, 0)


def test_a_missing_bucket_is_reported(org: PracticeOrg, aws_cli: Cli) -> None:
    done = aws_cli("pull", "okta.users", "--to", "s3://no-such-lake/x", *place_of(aws_cli).state)
    assert_reports(done, 1, "NoSuchBucket", "arn:aws:s3:::no-such-lake", "make the bucket first")
    assert org.request_count == 0


def test_a_missing_table_is_reported_with_its_region(org: PracticeOrg, aws_cli: Cli) -> None:
    to = ("--to", place_of(aws_cli).uri, "--state", "dynamodb://no-such-table")
    for command in (("pull", "okta.users", *to), ("runs", *to), ("state", "show", *to), ("gc", *to)):
        done = aws_cli(*command)
        assert_reports(done, 1, "table/no-such-table", "no such table in us-east-1", "circulate state init")
    assert org.request_count == 0


def test_a_missing_region_is_reported(org: PracticeOrg, aws_cli: Cli) -> None:
    del aws_cli.environment["AWS_REGION"]
    assert_reports(aws_cli.pull(), 2, "no AWS region is set", "AWS_REGION")
    assert org.request_count == 0


def test_missing_credentials_are_reported(org: PracticeOrg, aws_cli: Cli) -> None:
    del aws_cli.environment["AWS_ACCESS_KEY_ID"], aws_cli.environment["AWS_SECRET_ACCESS_KEY"]
    assert_reports(aws_cli.pull(), 1, "no AWS credentials for S3", "AWS_PROFILE", "AWS_ACCESS_KEY_ID")
    assert_reports(aws_cli("runs", *place_of(aws_cli).state), 1, "no AWS credentials for DynamoDB", "AWS_PROFILE")
    assert org.request_count == 0


def test_an_endpoint_that_does_not_respond_is_reported(org: PracticeOrg, aws_cli: Cli) -> None:
    nowhere = f"http://{HERE}:{free_port()}"
    for service, name in (("S3", "S3"), ("DYNAMODB", "DynamoDB")):
        wrong = {f"AWS_ENDPOINT_URL_{service}": nowhere, "AWS_MAX_ATTEMPTS": "1"}
        assert_reports(aws_cli.pull(**wrong), 1, f"cannot reach {name}", "refused", "AWS_ENDPOINT_URL")
    assert org.request_count == 0


def test_a_bucket_in_another_region_is_reported_with_its_region(org: PracticeOrg, aws_cli: Cli, aws: str) -> None:
    moved = b"<Error><Code>PermanentRedirect</Code><Message>Use the specified endpoint.</Message></Error>"
    response = Reply(moved, [("x-amz-bucket-region", "eu-west-1"), ("Content-Type", "application/xml")], 301)
    with proxy(aws, lambda _: response) as elsewhere:
        done = aws_cli.pull(AWS_ENDPOINT_URL_S3=elsewhere.url)
    assert_reports(done, 1, "PermanentRedirect", "it is in eu-west-1, not in us-east-1: set AWS_REGION=eu-west-1")
    assert org.request_count == 0


def test_a_wrong_secret_is_reported(org: PracticeOrg, aws_cli: Cli) -> None:
    with s3s() as strict:
        done = aws_cli.pull(AWS_ENDPOINT_URL_S3=strict)
    assert_reports(done, 1, "SignatureDoesNotMatch", "the AWS credentials are wrong")
    assert org.request_count == 0


@pytest.fixture(scope="module")
def strict_aws() -> Iterator[str]:
    """Start a stand-in for AWS that judges keys and policies."""
    with ministack(AUTH="true") as url:
        yield url


@pytest.fixture
def strict_cli(org: PracticeOrg, strict_aws: str, cli_for: CliFor) -> Cli:
    """Make a command line with the keys of a new user who may do nothing yet."""
    cli = cli_for(org)
    place = Bucket.new(strict_aws, cli.folder)
    cli = Cli(cli.folder, cli.environment | {"AWS_ENDPOINT_URL": strict_aws}, place)
    assert cli("state", "init", *place.state).code == 0
    iam = client("iam", strict_aws)
    iam.create_user(UserName=place.table)
    key = iam.create_access_key(UserName=place.table)["AccessKey"]
    cli.environment.update(AWS_ACCESS_KEY_ID=key["AccessKeyId"], AWS_SECRET_ACCESS_KEY=key["SecretAccessKey"])
    return cli


def allow(cli: Cli, *actions: str) -> None:
    """Let the user do this and nothing else."""
    place = place_of(cli)
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    client("iam", place.endpoint).put_user_policy(UserName=place.table, PolicyName="all", PolicyDocument=policy)


def test_every_permission_that_is_missing_is_named(org: PracticeOrg, strict_cli: Cli) -> None:
    place = place_of(strict_cli)
    secret = strict_cli.environment["AWS_SECRET_ACCESS_KEY"]
    needed = ["s3:PutObject", "dynamodb:Query", "dynamodb:GetItem", "dynamodb:PutItem"]
    for count, missing in enumerate(needed):
        allow(strict_cli, "sts:GetCallerIdentity", *needed[:count])
        done = strict_cli.pull()
        resource = f"arn:aws:s3:::{place.bucket}/" if missing.startswith("s3") else f":table/{place.table}"
        assert_reports(done, 1, "AccessDenied", f"hint: allow {missing} on arn:aws:", resource)
        assert secret not in done.err
    assert org.request_count == 0
    allow(strict_cli, *needed, "s3:GetObject")
    done = strict_cli.pull()
    assert done.code == 0, done.err
    allow(strict_cli, *needed[2:])
    assert_reports(
        strict_cli("runs", *place.state), 1, "hint: allow dynamodb:Query on arn:aws:dynamodb:us-east-1:*:table/"
    )
    allow(strict_cli, "dynamodb:*")
    assert_reports(strict_cli.collect(), 1, f"hint: allow s3:ListBucket on arn:aws:s3:::{place.bucket}")
    assert_reports(
        strict_cli("verify", *place.verify(done.report["manifest"])),
        1,
        "hint: allow s3:GetObject (and s3:ListBucket on the bucket",
        place.bucket,
    )


def test_a_key_id_that_nobody_has_is_reported(org: PracticeOrg, strict_cli: Cli) -> None:
    strict_cli.environment["AWS_ACCESS_KEY_ID"] = "AKIANOBODYHASTHIS000"
    assert_reports(strict_cli.pull(), 1, "InvalidAccessKeyId", "check AWS_PROFILE or AWS_ACCESS_KEY_ID")
    assert_reports(strict_cli("runs", *place_of(strict_cli).state), 1, "UnrecognizedClient", "credentials are wrong")
    assert org.request_count == 0


def test_a_profile_says_all_there_is_to_know(org: PracticeOrg, aws_cli: Cli, aws: str) -> None:
    keys = {"Version": 1, "AccessKeyId": "practice", "SecretAccessKey": f"{CANARY}-of-aws"}
    (aws_cli.folder / "keys.json").write_text(json.dumps(keys))
    (aws_cli.folder / ".aws").mkdir()
    profile = ["[profile work]", "region = us-east-1", f"endpoint_url = {aws}"]
    profile.append(f"credential_process = cat {aws_cli.folder}/keys.json")
    (aws_cli.folder / ".aws/config").write_text("\n".join(profile))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_ENDPOINT_URL"):
        del aws_cli.environment[name]
    done = aws_cli.pull(AWS_PROFILE="work")
    assert done.code == 0, done.err
    assert CANARY not in done.err + done.out
    assert aws_cli("runs", *place_of(aws_cli).state, AWS_PROFILE="work").code == 0
    assert org.request_count == 2


def test_every_request_to_a_bucket_names_the_owner_it_must_have(org: PracticeOrg, aws_cli: Cli, aws: str) -> None:
    place = place_of(aws_cli)
    owner = ("--expected-bucket-owner", "123456789012")
    named: list[str | None] = []

    def look(request: Handler) -> Fate:
        named.append(request.headers.get("x-amz-expected-bucket-owner"))
        return Fate.PASSED_ON

    with proxy(aws, look) as seen:
        through = {"AWS_ENDPOINT_URL_S3": seen.url}
        done = aws_cli.pull(*owner, "--compression", "none", "--batch-bytes", "3000000", **through)
        assert done.code == 0, done.err
        manifest = f"{place.uri}/{done.report['manifest']}"
        assert aws_cli("verify", manifest, *place.state, *owner, **through).code == 0
        collected = aws_cli("gc", *place.arguments, "--older-than", "0s", *owner, **through)
        assert collected.code == 0, collected.err
    assert len(named) > 5
    assert set(named) == {"123456789012"}
    assert org.request_count == 2


def test_the_token_may_be_kept_in_secrets_manager(org: PracticeOrg, aws_cli: Cli, aws: str) -> None:
    secret = {"okta_domain": org.url, "okta_api_key": org.token}
    client("secretsmanager", aws).create_secret(Name="prod/okta", SecretString=json.dumps(secret))
    del aws_cli.environment["OKTA_ORG_URL"], aws_cli.environment["OKTA_API_TOKEN"]
    checked = aws_cli("check", "okta", "--secret", "prod/okta")
    assert (checked.code, "in the secret prod/okta" in checked.err) == (0, True)
    done = aws_cli.pull(OKTA_SECRET="prod/okta")
    assert done.code == 0, done.err
    assert CANARY not in checked.err + done.err + done.out


@pytest.mark.parametrize(
    ("secret", "parts"),
    [
        ({"org_url": "https://acme.okta.com"}, ["Okta needs `api_token`", "its fields: org_url"]),
        ({"org_url": "https://acme.okta.com", "api_token": 7}, ["a field `api_token` that is not a string"]),
        (f"00{CANARY}", ["is not a JSON object"]),
        (None, ["there is no such secret in us-east-1"]),
    ],
)
def test_a_secret_that_can_not_be_used_is_reported(
    org: PracticeOrg, aws_cli: Cli, aws: str, secret: object, parts: list[str]
) -> None:
    if secret is not None:
        text = secret if isinstance(secret, str) else json.dumps(secret)
        client("secretsmanager", aws).create_secret(Name="prod/okta", SecretString=text)
    del aws_cli.environment["OKTA_API_TOKEN"], aws_cli.environment["OKTA_ORG_URL"]
    assert_reports(aws_cli.pull("--secret", "prod/okta"), 2, *parts)
    assert org.request_count == 0
