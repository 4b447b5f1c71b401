"""Everything that Terraform makes, made in stand-ins for AWS: it works, it may do what it must, and nothing more."""

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError  # type: ignore[import-untyped]
from support.cli import Cli
from support.deployment import ROOT, Deployment, Servers, changes, own_project
from support.oracle import LISTS
from support.own_source import TOKEN, acme, digests

from circulate_core.aws.project import described
from circulate_practice import PracticeOrg
from circulate_practice.compare import compare, key_of

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif("DEPLOY" not in os.environ, reason="applying takes minutes: make deploy-local"),
]

PREFIX = "circulate-dev"
SECRET, WRITE_SECRET = f"{PREFIX}/okta-read/practice", f"{PREFIX}/okta-write/practice"
LEDGER = f"{PREFIX}-operations"
WRITING = "writing.auto.tfvars"


def say(text: str) -> None:
    """Write a line of the transcript that `make deploy-local` shows."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


@dataclass
class Applied:
    """What was made."""

    deployment: Deployment
    servers: Servers
    outputs: dict[str, Any]
    folder: Path
    prefix: str = PREFIX

    def invoke(self, function: str, event: dict[str, Any]) -> dict[str, Any]:
        """Invoke a function; it has the permissions of its role and no others."""
        name = f"{self.prefix}-{function}"
        response = self.servers.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event).encode())
        payload: dict[str, Any] = json.loads(response["Payload"].read())
        assert "FunctionError" not in response, payload
        return payload

    def fill_secret(self, name: str, **settings: str) -> None:
        """Put credentials where functions look for them."""
        self.servers.client("secretsmanager").put_secret_value(SecretId=name, SecretString=json.dumps(settings))

    def execute(self, pipeline: str, event: dict[str, Any]) -> tuple[dict[str, Any], int]:
        """Run a pipeline to its end; return what it ended with, and how often it pulled."""
        output, entered = self.run_machine(self.outputs["pipelines"][f"{pipeline}-list"]["arn"], event)
        return output, entered.count("Pull")

    def run_machine(self, arn: str, event: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """Run a state machine to its end; return what it ended with, and the states that it entered."""
        states = self.servers.client("stepfunctions")
        execution = states.start_execution(stateMachineArn=arn, input=json.dumps(event), name=f"run-{time.time_ns()}")
        for _ in range(600):
            described = states.describe_execution(executionArn=execution["executionArn"])
            if described["status"] != "RUNNING":
                assert described["status"] == "SUCCEEDED", f"{described.get('error')}: {described.get('cause')}"
                history = states.get_execution_history(executionArn=execution["executionArn"], maxResults=1000)
                entered = [event.get("stateEnteredEventDetails", {}).get("name") for event in history["events"]]
                return json.loads(described["output"]), entered
            time.sleep(0.1)
        pytest.fail(f"{arn} does not end")

    def download(self, bucket: str) -> Path:
        """Copy a bucket to a folder."""
        s3, folder = self.servers.client("s3"), self.folder / bucket
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for item in page.get("Contents", []):
                file = folder / item["Key"]
                file.parent.mkdir(parents=True, exist_ok=True)
                s3.download_file(bucket, item["Key"], str(file))
        return folder

    def is_exact(self, manifest: str, sent: Iterable[str]) -> bool:
        """Compare what a manifest names with what was sent."""
        bucket, _, key = manifest.removeprefix("s3://").partition("/")
        return compare(self.download(bucket) / key, sent).identical


@dataclass
class AppliedProject(Applied):
    """This project, made for an org.

    Attributes:
        org: The org.
    """

    org: PracticeOrg = field(kw_only=True)

    def has_all(self, manifest: str, name: str) -> bool:
        """Compare what a manifest names with what the org has."""
        return self.is_exact(manifest, map(key_of, self.org.truth(name)))


@pytest.fixture(scope="module")
def applied(stand_ins: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppliedProject]:
    """Make everything, and fill the secret."""
    deployment = Deployment(tmp_path_factory.mktemp("applied"), stand_ins)
    say("\n$ terraform init")
    say(deployment.init().strip().splitlines()[0])
    say("$ terraform validate")
    say(deployment.run("validate", "-no-color").strip())
    say("$ terraform plan -var-file=dev.tfvars")
    for line in summary(deployment.plan()):
        say(f"  {line}")
    say("$ terraform apply -var-file=dev.tfvars")
    say(next(line for line in deployment.apply().splitlines() if line.startswith("Apply complete")))
    options: dict[str, Any] = {"users": 300, "apps": 12, "app_users": (0, 4), "app_groups": (0, 3), "groups": 6}
    with PracticeOrg(**options, events=700, rate_limit=1_000_000, keep_log=True) as org:
        folder = tmp_path_factory.mktemp("buckets")
        made = AppliedProject(deployment, stand_ins, deployment.outputs(), folder, org=org)
        made.fill_secret(SECRET, org_url=org.url, api_token=org.token)
        yield made


def summary(plan: dict[str, Any]) -> list[str]:
    """Return how many of each type a plan makes, as lines."""
    kinds: dict[str, int] = {}
    for address in changes(plan):
        kind = address.split("[")[0] if address.startswith("aws_") else address.rsplit("aws_", 1)[1]
        kind = "aws_" + kind.removeprefix("aws_").split(".")[0]
        kinds[kind] = kinds.get(kind, 0) + 1
    return [f"{count:4} {kind}" for kind, count in sorted(kinds.items())]


def test_a_second_plan_is_empty(applied: AppliedProject) -> None:
    assert changes(applied.deployment.plan()) == {}
    say("$ terraform plan -var-file=dev.tfvars\nNo changes.")


def test_functions_are_configured_as_their_lambda_yaml_says(applied: AppliedProject) -> None:
    api = applied.servers.client("lambda")
    # What changes something is not deployed before it is named.
    functions = [each for each in described(ROOT / "lambdas/lib") if not each.is_writer]
    for function in functions:
        name = function.name.replace("circulate", PREFIX, 1)
        made, said = api.get_function_configuration(FunctionName=name), function.settings
        assert (made["Runtime"], made["Handler"]) == (said["runtime"], said["handler"])
        assert made["Architectures"] == [said["architecture"]]
        assert (made["MemorySize"], made["Timeout"]) == (said["memory_mb"], said["timeout_s"])
        assert made["EphemeralStorage"] == {"Size": said["ephemeral_mb"]}
        assert said["environment"].items() <= made["Environment"]["Variables"].items()
        assert len(made["Layers"]) == 1 + bool(function.extension)
        assert made["Role"].endswith(f":role/{name}")
    assert {name.removeprefix(PREFIX) for name in applied.outputs["functions"]} == {
        function.name.removeprefix("circulate") for function in functions
    }
    say(f"✓ {len(functions)} functions are configured as their lambda.yaml says")


def test_every_function_pulls_its_stream_with_the_permissions_of_its_role_alone(applied: AppliedProject) -> None:
    for endpoint, name in LISTS.items():
        response = applied.invoke(f"okta-{endpoint}-list", {"account": "practice", "commit": "auto"})
        assert response["status"] == "complete", response
        assert applied.has_all(response["manifest"], name), endpoint
    say(f"✓ {len(LISTS)} functions pulled their streams, each as its role, byte-identical to what the org has")


def test_a_function_that_calls_an_operation_returns_what_the_org_has(applied: AppliedProject) -> None:
    entry = next(iter(applied.org.truth("users")))
    response = applied.invoke("okta-users-get", {"account": "practice", "parameters": {"id": entry["id"]}})
    assert (response["operation"], response["returned"]["id"]) == ("okta.users.get", entry["id"])
    say("✓ a function that looks a user up returned it, as its role")


def test_a_pipeline_brings_its_runs_to_the_data_bucket(applied: AppliedProject) -> None:
    ended, pulls = applied.execute("okta-users", {"account": "practice", "mode": "full"})
    assert (ended["status"], pulls) == ("complete", 1), ended
    assert ended["manifest"].startswith(f"s3://{applied.outputs['data_bucket']}/_circulate/okta/practice/users/")
    assert applied.has_all(ended["manifest"], "users")
    say("✓ the pipeline of okta.users pulled, promoted and committed a full refresh")


def test_a_run_that_was_left_behind_is_brought_to_the_data_bucket_first(applied: AppliedProject) -> None:
    # A function with a target leaves its runs pending by default.
    left = applied.invoke("okta-groups-list", {"account": "practice", "mode": "full"})
    busy = applied.invoke("okta-groups-list", {"account": "practice", "mode": "full"})
    assert (busy["status"], busy["manifest"]) == ("busy", left["manifest"])
    ended, pulls = applied.execute("okta-groups", {"account": "practice", "mode": "full"})
    assert (ended["status"], pulls) == ("complete", 2)
    data = applied.download(applied.outputs["data_bucket"]) / "_circulate/okta/practice/groups"
    indexes = sorted(file.stem for file in data.glob("*.json"))
    assert left["run_id"] in indexes
    assert len(indexes) == 2
    say("✓ a pending run that a pipeline had left behind was promoted before the next")


def test_a_pipeline_invokes_its_function_until_the_run_is_complete(applied: AppliedProject) -> None:
    api, function = applied.servers.client("lambda"), f"{PREFIX}-okta-users-list"
    timeout = api.get_function_configuration(FunctionName=function)["Timeout"]
    port = urlsplit(applied.org.url).port
    assert port
    # At the same address: another one would be another account.
    applied.org.stop()
    try:
        with PracticeOrg(users=6_000, latency=0.6, rate_limit=1_000_000, port=port):
            api.update_function_configuration(FunctionName=function, Timeout=10)
            ended, pulls = applied.execute("okta-users", {"account": "practice", "mode": "full"})
    finally:
        api.update_function_configuration(FunctionName=function, Timeout=timeout)
        applied.org.start()
    assert (ended["status"], ended["records"]) == ("complete", 6_000)
    assert pulls > 1
    say(f"✓ a pull that needs more time than an invocation has: {pulls} invocations, complete")


@pytest.fixture(scope="module")
def key_of_role(applied: AppliedProject) -> Iterator[Any]:
    """Give keys that have the permissions of a role: a user's, with a copy of its policy."""
    iam, users = applied.servers.client("iam"), []

    def make(role: str) -> tuple[str, str]:
        policy = iam.get_role_policy(RoleName=role, PolicyName="permissions")["PolicyDocument"]
        user = f"as-{role}"
        iam.create_user(UserName=user)
        users.append(user)
        iam.put_user_policy(UserName=user, PolicyName="permissions", PolicyDocument=json.dumps(policy))
        key = iam.create_access_key(UserName=user)["AccessKey"]
        return key["AccessKeyId"], key["SecretAccessKey"]

    yield make
    for user in users:
        for key in iam.list_access_keys(UserName=user)["AccessKeyMetadata"]:
            iam.delete_access_key(UserName=user, AccessKeyId=key["AccessKeyId"])
        iam.delete_user_policy(UserName=user, PolicyName="permissions")
        iam.delete_user(UserName=user)


DENIED = {"AccessDenied", "AccessDeniedException"}


def key_of_item(pk: str) -> dict[str, Any]:
    """Return the key of an item, which is a whole item, too."""
    return {"pk": {"S": pk}, "sk": {"S": "x"}}


def assert_denied(*calls: Callable[[], object]) -> None:
    """Check that IAM refuses each of these calls."""
    for call in calls:
        with pytest.raises(ClientError) as refused:
            call()
        assert refused.value.response["Error"]["Code"] in DENIED


@pytest.fixture(scope="module")
def writing(applied: AppliedProject) -> AppliedProject:
    """Make what changes something, and a playbook, beside all else."""
    deployment = applied.deployment
    deployment.add_playbook("look", "okta-users-get")
    names = json.dumps([f"okta.users.{name}" for name in ("suspend", "unsuspend", "deactivate")])
    (deployment.iac / WRITING).write_text(f'write_operations = {names}\nplaybooks = ["look"]\n')
    planned = changes(deployment.plan())
    assert {tuple(actions) for actions in planned.values()} == {("create",)}
    deployment.apply()
    assert changes(deployment.plan()) == {}
    say(f"✓ three operations that write and a playbook: {len(planned)} resources more, nothing else changed")
    made = replace(applied, outputs=deployment.outputs())
    made.fill_secret(WRITE_SECRET, org_url=applied.org.url, api_token=applied.org.token)
    return made


def test_a_function_that_pulls_may_touch_nothing_of_others(writing: AppliedProject, key_of_role: Any) -> None:  # noqa: ANN401 - a fixture
    applied, key = writing, key_of_role(f"{PREFIX}-okta-users-list")
    integration, data = applied.outputs["integration_bucket"], applied.outputs["data_bucket"]
    root = applied.servers.client("secretsmanager")
    root.create_secret(Name=f"{SECRET}-of-somebody-else", SecretString="{}")
    client = {name: applied.servers.client(name, key) for name in ("s3", "secretsmanager", "dynamodb", "lambda", "iam")}
    s3, table = client["s3"], {"TableName": PREFIX}
    item = key_of_item("okta#practice#users")

    assert json.loads(client["secretsmanager"].get_secret_value(SecretId=SECRET)["SecretString"])
    s3.put_object(Bucket=integration, Key="okta/practice/users/x", Body=b"x")
    client["dynamodb"].get_item(**table, Key=item)
    assert_denied(
        lambda: s3.put_object(Bucket=integration, Key="okta/practice/groups/x", Body=b"x"),
        lambda: s3.put_object(Bucket=integration, Key="_circulate/okta/practice/groups/x", Body=b"x"),
        lambda: s3.get_object(Bucket=integration, Key="okta/practice/groups/x"),
        lambda: s3.delete_object(Bucket=integration, Key="okta/practice/users/x"),
        lambda: s3.put_object(Bucket=data, Key="okta/practice/users/x", Body=b"x"),
        lambda: s3.list_objects_v2(Bucket=data),
        lambda: s3.delete_bucket_policy(Bucket=integration),
        lambda: client["secretsmanager"].get_secret_value(SecretId=WRITE_SECRET),
        lambda: client["secretsmanager"].get_secret_value(SecretId=f"{SECRET}-of-somebody-else"),
        lambda: client["secretsmanager"].put_secret_value(SecretId=SECRET, SecretString="{}"),
        lambda: client["dynamodb"].get_item(**table, Key=key_of_item("okta#practice#groups")),
        lambda: client["dynamodb"].put_item(**table, Item=key_of_item("okta#practice#groups")),
        lambda: client["dynamodb"].get_item(TableName=LEDGER, Key=key_of_item("operations#okta#practice")),
        lambda: client["dynamodb"].delete_item(**table, Key=item),
        lambda: client["dynamodb"].scan(**table),
        lambda: client["dynamodb"].delete_table(**table),
        lambda: client["lambda"].invoke(FunctionName=f"{PREFIX}-okta-users-list"),
        client["iam"].list_users,
    )
    say("✓ a function that pulls can read its own secret and write its own stream, and nothing else")


def test_a_function_that_calls_an_operation_that_reads_may_touch_nothing_but_its_secret(
    applied: AppliedProject,
    key_of_role: Any,  # noqa: ANN401 - a fixture
) -> None:
    key = key_of_role(f"{PREFIX}-okta-users-get")
    integration = applied.outputs["integration_bucket"]
    client = {name: applied.servers.client(name, key) for name in ("s3", "secretsmanager", "dynamodb")}
    item = {"pk": {"S": "okta#practice#users"}, "sk": {"S": "head"}}
    assert json.loads(client["secretsmanager"].get_secret_value(SecretId=SECRET)["SecretString"])
    assert_denied(
        lambda: client["s3"].put_object(Bucket=integration, Key="okta/practice/users/x", Body=b"x"),
        lambda: client["s3"].list_objects_v2(Bucket=integration),
        lambda: client["dynamodb"].get_item(TableName=PREFIX, Key=item),
        lambda: client["secretsmanager"].put_secret_value(SecretId=SECRET, SecretString="{}"),
    )
    say("✓ a function that looks something up can read its own secret, and nothing else")


def test_a_target_may_remove_nothing_and_reads_no_secret(applied: AppliedProject, key_of_role: Any) -> None:  # noqa: ANN401 - a fixture
    key = key_of_role(f"{PREFIX}-targets-s3-promote")
    integration, data = applied.outputs["integration_bucket"], applied.outputs["data_bucket"]
    s3, secrets = applied.servers.client("s3", key), applied.servers.client("secretsmanager", key)
    s3.put_object(Bucket=data, Key="okta/practice/users/x", Body=b"x")
    assert_denied(
        lambda: s3.put_object(Bucket=integration, Key="okta/practice/users/x", Body=b"x"),
        lambda: s3.delete_object(Bucket=integration, Key="okta/practice/users/x"),
        lambda: s3.delete_object(Bucket=data, Key="okta/practice/users/x"),
        lambda: secrets.get_secret_value(SecretId=SECRET),
    )
    say("✓ the target can read what was pulled and add to the data bucket, and nothing else")


def test_a_function_that_changes_something_may_touch_its_secret_and_the_ledger_of_its_source(
    writing: AppliedProject,
    key_of_role: Any,  # noqa: ANN401 - a fixture
) -> None:
    key = key_of_role(f"{PREFIX}-okta-users-suspend")
    integration, table = writing.outputs["integration_bucket"], {"TableName": LEDGER}
    client = {name: writing.servers.client(name, key) for name in ("s3", "secretsmanager", "dynamodb", "sts")}
    db, secrets = client["dynamodb"], client["secretsmanager"]

    def query(pk: str) -> Any:  # noqa: ANN401 - boto3 has no types
        return db.query(**table, KeyConditionExpression="pk = :pk", ExpressionAttributeValues={":pk": {"S": pk}})

    assert writing.outputs["ledger"] == f"dynamodb://{LEDGER}"
    assert json.loads(secrets.get_secret_value(SecretId=WRITE_SECRET)["SecretString"])
    db.put_item(**table, Item=key_of_item("operations#okta#practice"))
    assert db.get_item(**table, Key=key_of_item("operations#okta#practice"))["Item"]
    assert query("operations#okta#practice")["Count"] == 1
    db.get_item(**table, Key=key_of_item("clock"))
    db.get_item(**table, Key=key_of_item("approval#AIDA1"))
    assert client["sts"].get_caller_identity()["UserId"]
    assert_denied(
        lambda: db.put_item(**table, Item=key_of_item("operations#github#main")),
        lambda: db.get_item(**table, Key=key_of_item("operations#github#main")),
        lambda: query("operations#github#main"),
        lambda: query("approval#AIDA1"),
        lambda: db.put_item(**table, Item=key_of_item("approval#AIDA1")),
        lambda: db.put_item(**table, Item=key_of_item("clock")),
        lambda: db.delete_item(**table, Key=key_of_item("operations#okta#practice")),
        lambda: db.scan(**table),
        lambda: db.get_item(TableName=PREFIX, Key=key_of_item("okta#practice#users")),
        lambda: db.put_item(TableName=PREFIX, Item=key_of_item("operations#okta#practice")),
        lambda: secrets.get_secret_value(SecretId=SECRET),
        lambda: secrets.put_secret_value(SecretId=WRITE_SECRET, SecretString="{}"),
        lambda: client["s3"].put_object(Bucket=integration, Key="okta/practice/users/x", Body=b"x"),
        lambda: client["s3"].list_objects_v2(Bucket=integration),
    )
    say("✓ a function that changes something can read its own secret, use the ledger of its source, and nothing else")


@pytest.fixture
def approvers(writing: AppliedProject) -> Iterator[list[Sequence[str]]]:
    """Give the keys of a user and of a role's session that have the policy of approvers."""
    iam, policy = writing.servers.client("iam"), writing.outputs["approvers_policy_arn"]
    iam.create_user(UserName="approver")
    iam.attach_user_policy(UserName="approver", PolicyArn=policy)
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName="responders", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    iam.attach_role_policy(RoleName="responders", PolicyArn=policy)
    made = iam.create_access_key(UserName="approver")["AccessKey"]
    session = writing.servers.client("sts").assume_role(RoleArn=role, RoleSessionName="isaac")["Credentials"]
    yield [
        (made["AccessKeyId"], made["SecretAccessKey"]),
        (session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"]),
    ]
    # A policy cannot be removed while somebody has it.
    iam.detach_user_policy(UserName="approver", PolicyArn=policy)
    iam.delete_access_key(UserName="approver", AccessKeyId=made["AccessKeyId"])
    iam.delete_user(UserName="approver")
    iam.detach_role_policy(RoleName="responders", PolicyArn=policy)
    iam.delete_role(RoleName="responders")


def test_who_approves_may_approve_in_their_own_name_alone(
    writing: AppliedProject, approvers: list[Sequence[str]]
) -> None:
    ids = [writing.servers.client("sts", key).get_caller_identity()["UserId"] for key in approvers]
    assert ids[1].endswith(":isaac")
    others = [*ids, f"{ids[1].partition(':')[0]}:modest", "*"]
    table = {"TableName": LEDGER}
    for key, mine in zip(approvers, ids, strict=True):
        db = writing.servers.client("dynamodb", key)
        db.put_item(**table, Item=key_of_item(f"approval#{mine}"))
        assert db.get_item(**table, Key=key_of_item(f"approval#{mine}"))["Item"]
        db.get_item(**table, Key=key_of_item("operations#okta#practice"))
        values = {":pk": {"S": "operations#okta#practice"}}
        db.query(**table, KeyConditionExpression="pk = :pk", ExpressionAttributeValues=values)
        db.get_item(**table, Key=key_of_item("clock"))
        for other in (name for name in others if name != mine):
            item = key_of_item(f"approval#{other}")
            assert_denied(
                lambda db=db, item=item: db.put_item(**table, Item=item),  # type: ignore[misc]
                lambda db=db, item=item: db.get_item(**table, Key=item),  # type: ignore[misc]
            )
        own = key_of_item(f"approval#{mine}")
        secrets = writing.servers.client("secretsmanager", key)
        assert_denied(
            lambda db=db: db.put_item(**table, Item=key_of_item("operations#okta#practice")),  # type: ignore[misc]
            lambda db=db, own=own: db.delete_item(**table, Key=own),  # type: ignore[misc]
            lambda db=db: db.scan(**table),  # type: ignore[misc]
            lambda db=db: db.get_item(TableName=PREFIX, Key=key_of_item("streams")),  # type: ignore[misc]
            lambda secrets=secrets: secrets.get_secret_value(SecretId=WRITE_SECRET),  # type: ignore[misc]
        )
    say("✓ who has the approvers' policy can read plans and approve in their own name, and nothing else")


def test_what_functions_plan_is_approved_applied_once_and_undone(
    writing: AppliedProject, approvers: list[Sequence[str]], cli: Cli
) -> None:
    user = next(entry["id"] for entry in writing.org.truth("users") if entry["status"] == "ACTIVE")
    parameters = {"account": "practice", "parameters": {"id": user}}
    plan = writing.invoke("okta-users-suspend", parameters)["plan"]
    suspended, again = (writing.invoke("okta-users-suspend", {"account": "practice", "apply": plan}) for _ in "ab")
    assert (suspended["status"], suspended) == ("complete", again)
    undoing = writing.invoke("okta-users-suspend", {"account": "practice", "undo": plan})["plan"]
    assert writing.invoke("okta-users-unsuspend", {"account": "practice", "apply": undoing})["status"] == "complete"
    planned = writing.invoke("okta-users-deactivate", parameters)
    assert planned["needs_approval"]
    _, session = approvers
    approver = writing.servers.client("sts", session).get_caller_identity()["UserId"]
    apply = {"account": "practice", "apply": planned["plan"], "approved_by": approver}
    refused = writing.servers.client("lambda").invoke(
        FunctionName=f"{PREFIX}-okta-users-deactivate", Payload=json.dumps(apply).encode()
    )
    # ministack forgets the names of errors.
    assert f"{approver} has not approved this plan" in json.load(refused["Payload"])["errorMessage"]
    of_session = zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"), session, strict=True)
    environment = {
        **dict(of_session),
        "AWS_ENDPOINT_URL": writing.servers.aws,
        "SSL_CERT_FILE": str(writing.servers.authority),
        "OKTA_ORG_URL": writing.org.url,
        # Who approves needs no right at Okta: nothing is requested there.
        "OKTA_API_TOKEN": "of-no-use",
    }
    named = ("--ledger", writing.outputs["ledger"], "--account", "practice")
    done = cli("approve", planned["plan"], *named, **environment)
    assert done.code == 0, done.err
    assert done.out.startswith(f"{approver} approves")
    assert writing.invoke("okta-users-deactivate", apply)["status"] == "complete"
    effects = [effect["operation"] for effect in writing.org.effects if effect["id"] == user]
    assert effects == ["users.suspend", "users.unsuspend", "users.deactivate"]
    say("✓ a user was suspended once, and not any more; deactivated once the plan was approved, each as its role")


def test_a_playbook_invokes_the_functions_that_it_names_and_no_others(
    writing: AppliedProject,
    key_of_role: Any,  # noqa: ANN401 - a fixture
) -> None:
    entry = next(iter(writing.org.truth("users")))
    event = {"account": "practice", "parameters": {"id": entry["id"]}}
    ended, entered = writing.run_machine(writing.outputs["playbooks"]["look"], event)
    assert (ended["returned"]["id"], entered.count("step")) == (entry["id"], 1)
    api = writing.servers.client("lambda", key_of_role(f"{PREFIX}-playbook-look"))
    api.invoke(FunctionName=f"{PREFIX}-okta-users-get", Payload=json.dumps(event).encode())
    assert_denied(
        lambda: api.invoke(FunctionName=f"{PREFIX}-okta-users-suspend"),
        lambda: api.invoke(FunctionName=f"{PREFIX}-okta-users-list"),
    )
    say("✓ a playbook invoked what it names, as its role, and can invoke nothing else")


def test_what_is_named_no_more_is_removed(writing: AppliedProject) -> None:
    deployment = writing.deployment
    (deployment.iac / WRITING).unlink()
    removed = changes(deployment.plan())
    assert {tuple(actions) for actions in removed.values()} == {("delete",)}
    assert "aws_dynamodb_table.ledger[0]" in removed
    deployment.apply()
    assert changes(deployment.plan()) == {}
    say(f"✓ named no more, these {len(removed)} resources were removed and no others")


def test_a_folder_more_and_less_is_one_function_more_and_less(applied: AppliedProject) -> None:
    deployment = applied.deployment
    folder = deployment.add_function("okta", "policies")
    deployment.package()
    planned = changes(deployment.plan())
    of_it = ('module.function["okta-policies-list"].', 'module.pipeline["okta-policies-list"].')
    assert all(address.startswith(of_it) for address in planned), planned
    assert {tuple(actions) for actions in planned.values()} == {("create",)}
    deployment.apply()
    assert changes(deployment.plan()) == {}
    shutil.rmtree(folder)
    removed = changes(deployment.plan())
    assert removed == {address: ["delete"] for address in planned}
    deployment.apply()
    assert changes(deployment.plan()) == {}
    say(f"✓ one folder more: {len(planned)} resources more, nothing else changed; removed: these and no others")


def test_a_source_of_ones_own_is_deployed_from_what_the_wheel_has(
    stand_ins: Servers, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    deployment = Deployment(tmp_path, stand_ins, project=own_project)
    deployment.init()
    deployment.apply()
    assert changes(deployment.plan()) == {}
    folder = tmp_path_factory.mktemp("own-buckets")
    own = Applied(deployment, stand_ins, deployment.outputs(), folder, prefix="circulate-own")
    with acme() as url:
        own.fill_secret("circulate-own/acme-read/main", url=url, api_token=TOKEN)
        pulled = own.invoke("acme-widgets-list", {"account": "main", "commit": "auto"})
        ended, _ = own.execute("acme-widgets", {"account": "main", "mode": "full"})
    assert (pulled["status"], ended["status"]) == ("complete", "complete")
    assert own.is_exact(pulled["manifest"], digests())
    assert ended["manifest"].startswith(f"s3://{own.outputs['data_bucket']}/_circulate/acme/main/widgets/")
    assert own.is_exact(ended["manifest"], digests())
    say("✓ a source of one's own, from a folder with nothing else: pulled by its function, promoted by its pipeline")
