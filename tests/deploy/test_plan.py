"""What Terraform would make: of functions that it finds by itself, and of values that are wrong."""

import json
import re
import shutil
import subprocess
from typing import Any

import pytest
from support.deployment import ROOT, VARIABLES, Deployment, TerraformError, Tools, changes, tools
from support.packages import PACKAGE
from support.snapshots import assert_snapshot

FILE = "lambda.yaml"
pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("plan")]


def resources(plan: dict[str, Any]) -> dict[str, Any]:
    """Return everything a plan would make, by address."""
    return {
        change["address"]: change["change"]["after"]
        for change in plan["resource_changes"]
        if change["change"]["actions"] != ["read"]
    }


def test_the_files_are_formatted() -> None:
    found = tools()
    if not isinstance(found, Tools):
        pytest.skip(found)
    command = [found.terraform, "fmt", "-check", "-recursive", "-diff", str(ROOT / "lambdas/iac")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_a_plan_says_what_it_makes_and_what_comes_out(deployment: Deployment) -> None:
    said = deployment.run("plan", "-no-color", "-input=false", f"-var-file={VARIABLES}")
    made = sorted(re.findall(r"^ *# (.* will be created)$", said, re.MULTILINE))
    assert_snapshot("terraform/plan", "\n".join([*made, "", said[said.index("\nPlan: ") + 1 :]]))


def test_a_folder_more_is_one_function_more_and_changes_nothing_else(deployment: Deployment) -> None:
    assert "valid" in deployment.run("validate", "-no-color")
    before = resources(deployment.plan())
    folder = deployment.add_function("okta", "policies")
    deployment.package()
    after = resources(deployment.plan())
    new = {address: value for address, value in after.items() if address not in before}
    assert {address for address in before if after.get(address) != before[address]} == set()
    assert {address.split("]")[0] + "]" for address in new} == {
        'module.function["okta-policies-list"]',
        'module.pipeline["okta-policies-list"]',
    }
    assert new['module.function["okta-policies-list"].aws_lambda_function.this']["handler"] == "handler.list"
    shutil.rmtree(folder)
    assert resources(deployment.plan()) == before


def test_functions_are_as_their_lambda_yaml_says(deployment: Deployment) -> None:
    folder = deployment.add_function("okta", "policies")
    text = (folder / "lambda.yaml").read_text()
    given = "memory_mb: 1024\n    timeout_s: 60\n    ephemeral_mb: 2048\n    environment: {OKTA_X: y}"
    text = text.replace("handler: handler.list", f"handler: handler.list\n    {given}")
    (folder / "lambda.yaml").write_text(f"runtime: python3.12\n{text}  format: ndjson\n  target: none\n")
    deployment.package()
    plan = resources(deployment.plan())
    function = plan['module.function["okta-policies-list"].aws_lambda_function.this']
    assert (function["function_name"], function["runtime"]) == ("circulate-dev-okta-policies-list", "python3.12")
    assert (function["memory_size"], function["timeout"]) == (1024, 60)
    assert function["ephemeral_storage"] == [{"size": 2048}]
    assert plan['module.function["okta-users-list"].aws_lambda_function.this']["memory_size"] == 256


def test_a_source_of_ones_own_is_deployed_by_what_the_wheel_has(own_deployment: Deployment) -> None:
    assert "valid" in own_deployment.run("validate", "-no-color")
    made = resources(own_deployment.plan())
    function = made['module.function["acme-widgets-list"].aws_lambda_function.this']
    (environment,) = function["environment"]
    assert (function["function_name"], function["handler"]) == ("circulate-own-acme-widgets-list", "handler.list")
    expected = {"ACME_ACCOUNTS": "main", "ACME_SECRET": "circulate-own/acme-read/{account}"}
    assert environment["variables"].items() >= (expected | {"CIRCULATE_COMMIT": "pending"}).items()
    secrets = [value["name"] for address, value in made.items() if "aws_secretsmanager_secret" in address]
    assert secrets == ["circulate-own/acme-read/main"]
    assert 'module.function["targets-s3-promote"].aws_lambda_function.this' in made
    machine = made['module.pipeline["acme-widgets-list"].aws_sfn_state_machine.this']
    assert machine["name"] == "circulate-own-acme-widgets"
    assert not [address for address in made if "okta" in address]


LOOKUPS = {
    *("okta-applications-get", "okta-application_groups-get", "okta-application_users-get"),
    *("okta-groups-find", "okta-groups-get", "okta-users-get", "okta-users-groups"),
}


def functions(made: dict[str, Any]) -> set[str]:
    """Return the functions that a plan makes."""
    return set(re.findall(r'module\.function\["([^"]+)"]\.aws_lambda_function', "\n".join(made)))


def statements(plan: dict[str, Any], function: str) -> list[dict[str, Any]]:
    """Return what the role of a function may do."""
    found = [
        change["change"]["after"]["statement"]
        for change in plan["resource_changes"]
        if change["address"] == f'module.function["{function}"].data.aws_iam_policy_document.permissions'
    ]
    assert len(found) == 1
    return [*found[0]]


def test_a_function_that_calls_an_operation_reaches_its_secret_and_stores_nothing(deployment: Deployment) -> None:
    plan = deployment.plan()
    made = resources(plan)
    assert functions(made) >= LOOKUPS
    for name in LOOKUPS:
        (environment,) = made[f'module.function["{name}"].aws_lambda_function.this']["environment"]
        expected = {"OKTA_ACCOUNTS": "practice", "OKTA_SECRET": "circulate-dev/okta-read/{account}"}
        assert environment["variables"] == expected
        allowed = statements(plan, name)
        assert [statement["sid"] for statement in allowed] == [
            "Credentials", "Logs", "Encryption", "DeadLetters", "Traces"
        ]  # fmt: skip
        assert allowed[0]["actions"] == ["secretsmanager:GetSecretValue"]
        [secret] = allowed[0]["resources"]
        assert secret.endswith(":secret:circulate-dev/okta-read/practice-??????")
        # It costs nothing until it is called.
        of_it = [address for address in made if f'["{name}"]' in address]
        assert not [address for address in of_it if "alarm" in address or "pipeline" in address]


def test_an_operation_that_writes_is_deployed_once_it_is_named(deployment: Deployment) -> None:
    made = resources(deployment.plan())
    before = functions(made)
    assert "okta-users-suspend" not in before, "nothing that writes is deployed before somebody wants it"
    assert not [address for address in made if any(part in address for part in ("okta-write", "ledger", "approvers"))]
    plan = deployment.plan(write_operations='["okta.users.suspend"]')
    made = resources(plan)
    assert functions(made) - before == {"okta-users-suspend"}
    secrets = {value["name"] for address, value in made.items() if "aws_secretsmanager_secret" in address}
    assert secrets == {"circulate-dev/okta-read/practice", "circulate-dev/okta-write/practice"}
    assert 'module.function["okta-users-suspend"].aws_cloudwatch_metric_alarm.errors[0]' in made
    assert 'module.function["okta-users-suspend"].aws_cloudwatch_metric_alarm.dead_letters[0]' in made
    named = '["okta.users.suspnd","okta.users.get"]'
    with pytest.raises(TerraformError) as refused:
        deployment.plan(write_operations=named, sources='["okta","github"]')
    for said in (
        "names what no function of lambdas/lib writes by: okta.users.suspnd, okta.users.get.",
        "Those that write are okta.api_tokens.revoke, ",
        ", okta.users.suspend, ",
        "names a source that is not shipped and has no functions here: github. Shipped are okta.",
    ):
        assert said in str(refused.value)


def leading_keys(statement: dict[str, Any]) -> list[str]:
    """Return the partition keys that a statement is about."""
    [condition] = statement["condition"]
    assert condition["variable"] == "dynamodb:LeadingKeys"
    return [*condition["values"]]


def test_what_changes_something_has_a_ledger_and_no_more_of_it_than_its_source(deployment: Deployment) -> None:
    plan = deployment.plan(write_operations='["okta.users.suspend","okta.groups.delete"]')
    made = resources(plan)
    for name in ("okta-users-suspend", "okta-groups-delete"):
        (environment,) = made[f'module.function["{name}"].aws_lambda_function.this']["environment"]
        assert environment["variables"] == {
            "OKTA_ACCOUNTS": "practice",
            "OKTA_SECRET": "circulate-dev/okta-write/{account}",
            "CIRCULATE_LEDGER": "dynamodb://circulate-dev-operations",
        }
        allowed = {statement["sid"]: statement for statement in statements(plan, name)}
        assert [*allowed] == ["Ledger", "Approvals", "Credentials", "Logs", "Encryption", "DeadLetters", "Traces"]
        assert sorted(allowed["Ledger"]["actions"]) == ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"]
        assert leading_keys(allowed["Ledger"]) == ["operations#okta#*"]
        assert allowed["Approvals"]["actions"] == ["dynamodb:GetItem"]
        assert leading_keys(allowed["Approvals"]) == ["approval#*", "clock"]
        assert allowed["Credentials"]["actions"] == ["secretsmanager:GetSecretValue"]
        [secret] = allowed["Credentials"]["resources"]
        assert secret.endswith(":secret:circulate-dev/okta-write/practice-??????")
    for name in LOOKUPS:
        (environment,) = made[f'module.function["{name}"].aws_lambda_function.this']["environment"]
        assert "CIRCULATE_LEDGER" not in environment["variables"]
        allowed = {statement["sid"]: statement for statement in statements(plan, name)}
        assert "Ledger" not in allowed
        assert "/okta-read/" in allowed["Credentials"]["resources"][0]


def test_the_ledger_is_protected_as_the_state_is(deployment: Deployment) -> None:
    made = resources(deployment.plan(write_operations='["okta.users.suspend"]', deletion_protection="true"))
    ledger, state = made["aws_dynamodb_table.ledger[0]"], made["aws_dynamodb_table.state"]
    assert (ledger.pop("name"), state.pop("name")) == ("circulate-dev-operations", "circulate-dev")
    assert ledger == state
    assert ledger["deletion_protection_enabled"] is True


def test_who_approves_may_write_approvals_of_their_own_and_read_plans(deployment: Deployment) -> None:
    plan = deployment.plan(write_operations='["okta.users.suspend"]')
    [document] = [
        change["change"]["after"]
        for change in plan["resource_changes"]
        if change["address"] == "data.aws_iam_policy_document.approvers[0]"
    ]
    allowed = {statement["sid"]: statement for statement in document["statement"]}
    assert [*allowed] == ["OwnApprovals", "Plans", "Time", "Encryption"]
    assert sorted(allowed["OwnApprovals"]["actions"]) == ["dynamodb:GetItem", "dynamodb:PutItem"]
    assert leading_keys(allowed["OwnApprovals"]) == ["approval#${aws:userid}"]
    assert sorted(allowed["Plans"]["actions"]) == ["dynamodb:GetItem", "dynamodb:Query"]
    assert leading_keys(allowed["Plans"]) == ["operations#*"]
    assert (allowed["Time"]["actions"], leading_keys(allowed["Time"])) == (["dynamodb:GetItem"], ["clock"])
    assert allowed["Encryption"]["actions"] == ["kms:Decrypt"]
    [through] = allowed["Encryption"]["condition"]
    assert (through["variable"], through["values"]) == ("kms:ViaService", ["dynamodb.us-east-1.amazonaws.com"])
    made = resources(plan)
    assert made["aws_iam_policy.approvers[0]"]["name"] == "circulate-dev-approvers"
    assert not [address for address in made if "policy_attachment" in address], "it is attached to nobody"


def test_a_playbook_is_a_state_machine_and_one_that_undoes_it(deployment: Deployment) -> None:
    deployment.add_playbook("contain", "okta-users-suspend", undone_by="okta-users-unsuspend")
    deployment.add_playbook("look", "okta-users-get")
    named = '["okta.users.suspend","okta.users.unsuspend","okta.users.unlock"]'
    assert not [address for address in resources(deployment.plan(write_operations=named)) if "playbook" in address]
    plan = deployment.plan(write_operations=named, playbooks='["contain","look"]')
    made = resources(plan)
    machines = {
        value["name"]: json.loads(value["definition"])
        for address, value in made.items()
        if address.startswith("module.playbook[") and address.endswith(".aws_sfn_state_machine.this")
    }
    arn = "arn:aws:lambda:us-east-1:000000000000:function:circulate-dev-okta-users"
    assert {name: machine["States"]["step"]["Resource"] for name, machine in machines.items()} == {
        "circulate-dev-playbook-contain": f"{arn}-suspend",
        "circulate-dev-playbook-contain-undo": f"{arn}-unsuspend",
        "circulate-dev-playbook-look": f"{arn}-get",
    }
    assert {machine["Comment"] for machine in machines.values()} == {"A text: ${functions}x"}
    invoke = {
        change["address"].split('"')[1]: change["change"]["after"]["statement"][0]
        for change in plan["resource_changes"]
        if change["address"].startswith("module.playbook[") and change["address"].endswith("document.permissions")
    }
    assert [*invoke] == ["contain", "contain-undo", "look"]
    assert all(statement["actions"] == ["lambda:InvokeFunction"] for statement in invoke.values())
    # Those that playbooks run have the alarms of these: they are asked until somebody has approved.
    errors = {address.split('"')[1] for address in made if "metric_alarm.errors" in address}
    assert errors == {"okta-users-unlock"}
    assert 'module.playbook["contain"].aws_cloudwatch_metric_alarm.failed' in made


def test_the_shipped_playbook_is_deployed_as_it_was_packaged(deployment: Deployment) -> None:
    calls = ["clear_sessions", "get", "revoke_grants", "suspend"]
    named = json.dumps([f"okta.users.{name}" for name in (*calls, "unsuspend") if name != "get"])
    made = resources(deployment.plan(write_operations=named, playbooks='["contain_account"]'))
    begins = "arn:aws:lambda:us-east-1:000000000000:function:circulate-dev-"
    for machine, invoked in (
        ("contain_account", {f"okta-users-{name}" for name in calls}),
        ("contain_account-undo", {f"okta-users-{name}" for name in (*calls, "unsuspend") if name != "get"}),
    ):
        definition = made[f'module.playbook["{machine}"].aws_sfn_state_machine.this']["definition"]
        tasks = [state["Resource"] for state in json.loads(definition)["States"].values() if state["Type"] == "Task"]
        assert {task.removeprefix(begins) for task in tasks} == invoked
        assert invoked <= functions(made)
    refused_without = named.replace("revoke_grants", "unlock")
    with pytest.raises(TerraformError, match=r'contain_account.asl.json calls .*: \["okta.users.revoke_grants"]'):
        deployment.plan(write_operations=refused_without, playbooks='["contain_account"]')


def test_what_is_wrong_with_playbooks_is_refused_all_at_once(deployment: Deployment) -> None:
    deployment.add_playbook("contain", "okta-users-suspend", undone_by="okta-users-unsuspend")
    deployment.add_playbook("other", "acme-widgets-get")
    named = {"write_operations": '["okta.users.suspend"]'}
    with pytest.raises(TerraformError) as refused:
        deployment.plan(**named, playbooks='["contain","other","absent"]')
    assert_snapshot("terraform/wrong-playbooks", refused.value.errors())
    with pytest.raises(TerraformError) as refused:
        deployment.plan(**named, playbooks='["contain"]', sources="[]")
    assert 'calls operations of sources that are not deployed: add them to `sources`: ["okta"]' in str(refused.value)
    with pytest.raises(TerraformError, match="The name of a playbook has lower-case letters, digits and underscores"):
        deployment.plan(playbooks='["contain-account"]')
    with pytest.raises(TerraformError, match="The name of a playbook's state machine, its prefix included, has at"):
        deployment.plan(playbooks=f'["{"x" * 42}"]')


def test_a_shipped_source_is_deployed_if_it_is_named_and_ones_own_is_anyway(deployment: Deployment) -> None:
    deployment.add_function("acme", "widgets", **{"source: okta": "source: acme"})
    deployment.package()
    accounts = '{acme=["main"]}'
    made = resources(deployment.plan(sources="[]", accounts=accounts))
    assert functions(made) == {"acme-widgets-list", "targets-s3-promote"}
    assert not [address for address in made if "okta" in address]
    both = resources(deployment.plan(sources='["okta","acme"]', accounts='{acme=["main"],okta=["practice"]}'))
    assert functions(both) > functions(made) | LOOKUPS


def test_what_registers_runs_for_athena_is_deployed_if_that_is_wanted(deployment: Deployment) -> None:
    without = deployment.plan()
    plan = deployment.plan(athena="true")
    added = resources(plan).keys() - resources(without).keys()
    assert functions(resources(plan)) - functions(resources(without)) == {"targets-athena-register"}
    module = 'module.function["targets-athena-register"].'
    assert {address for address in added if not address.startswith(module)} == {"aws_glue_catalog_database.this[0]"}
    made = resources(plan)
    database = made["aws_glue_catalog_database.this[0]"]
    (environment,) = made[f"{module}aws_lambda_function.this"]["environment"]
    data = environment["variables"]["CIRCULATE_FROM"]
    assert (database["name"], database["location_uri"]) == ("circulate_dev", f"{data}/tables/")
    expected = {"CIRCULATE_TO": f"{data}/tables", "CIRCULATE_DATABASE": "circulate_dev"}
    assert environment["variables"].items() >= expected.items()
    assert not environment["variables"].keys() & {"CIRCULATE_STATE", "CIRCULATE_COMPACT"}
    allowed = {each["sid"]: each for each in statements(plan, "targets-athena-register")}
    writes = {"s3:PutObject", "s3:AbortMultipartUpload"}
    assert set(allowed["Tables"]["actions"]) == writes
    assert not any(writes & set(each["actions"]) for sid, each in allowed.items() if sid != "Tables")
    assert not any(
        action.startswith(("dynamodb:", "secretsmanager:")) for each in allowed.values() for action in each["actions"]
    )
    assert {action for each in allowed.values() for action in each["actions"] if action.startswith("glue:")} == {
        *("glue:GetTable", "glue:CreateTable", "glue:UpdateTable", "glue:GetPartition", "glue:CreatePartition")
    }
    assert all(
        ":table/circulate_dev/" in each or "circulate_dev" in each or each.endswith(":catalog")
        for each in allowed["Catalog"]["resources"]
    )


def test_the_shipped_sources_are_those_of_the_package() -> None:
    (written,) = re.findall(r"^  shipped = (\[.*])$", (ROOT / "lambdas/iac/discovery.tf").read_text(), re.MULTILINE)
    assert json.loads(written) == sorted(file.parent.name for file in PACKAGE.glob("catalog/*/source.yaml"))


def test_an_extension_gets_the_credentials_in_place_of_its_function(deployment: Deployment) -> None:
    users = deployment.lambdas / "lib/okta/users/lambda.yaml"
    users.write_text(users.read_text().replace("handler.list", "handler.list\n    extension: circulate-token"))
    with pytest.raises(TerraformError, match="add circulate_token_scopes to `environment`"):
        deployment.plan()
    scopes = "extension: circulate-token\n    environment: {circulate_token_scopes: okta.users.read}"
    users.write_text(users.read_text().replace("extension: circulate-token", scopes))
    made = resources(deployment.plan())
    assert 'aws_lambda_layer_version.this["circulate-token"]' in made
    (environment,) = made['module.function["okta-users-list"].aws_lambda_function.this']["environment"]
    assert (
        environment["variables"].items()
        >= {
            "circulate_token_source": "okta",
            "circulate_token_secret": "circulate-dev/okta-read/practice",
            "OKTA_TOKEN_PROFILE": "default",
        }.items()
    )
    assert "OKTA_SECRET" not in environment["variables"]
    with pytest.raises(TerraformError, match="an extension signs in to one account, and `accounts` names 2"):
        deployment.plan(accounts='{okta=["a","b"]}')


def test_only_who_keeps_a_refresh_token_may_write_its_own_secret(deployment: Deployment) -> None:
    groups = deployment.lambdas / "lib/okta/groups/lambda.yaml"
    groups.write_text(groups.read_text().replace("handler.list", "handler.list\n    refresh_token: true"))
    plan = deployment.plan(accounts='{okta=["acme"]}')
    writers = {
        change["address"]: (sorted(statement["actions"]), statement["resources"])
        for change in plan["resource_changes"]
        if "aws_iam_policy_document.permissions" in change["address"]
        for statement in change["change"]["after"]["statement"]
        if "secretsmanager:PutSecretValue" in (statement["actions"] or ())
    }
    [(address, (actions, resources_))] = writers.items()
    assert "okta-groups-list" in address
    own = ("GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage")
    assert actions == [f"secretsmanager:{name}" for name in own]
    [secret] = resources_
    assert secret.endswith(":secret:circulate-dev/okta-read/acme-??????")


def test_several_accounts_have_schedules_secrets_and_alarms_of_their_own(deployment: Deployment) -> None:
    made = resources(deployment.plan(accounts='{okta=["acme","emea.okta.com"]}'))
    secrets = {value["name"] for address, value in made.items() if "aws_secretsmanager_secret" in address}
    assert secrets == {"circulate-dev/okta-read/acme", "circulate-dev/okta-read/emea.okta.com"}
    schedules = {
        value["name"]: json.loads(value["target"][0]["input"])
        for address, value in made.items()
        if "aws_scheduler_schedule.this" in address and value["name"].startswith("okta-users-") and "arn" not in address
        if value["target"][0].get("input")
    }
    assert schedules == {
        "okta-users-acme-incremental": {"account": "acme", "mode": "incremental"},
        "okta-users-acme-refresh": {"account": "acme", "mode": "full"},
        "okta-users-emea.okta.com-incremental": {"account": "emea.okta.com", "mode": "incremental"},
        "okta-users-emea.okta.com-refresh": {"account": "emea.okta.com", "mode": "full"},
    }
    stale = made['module.pipeline["okta-users-list"].aws_cloudwatch_metric_alarm.stale["acme"]']
    looked_at = [query["metric"][0]["dimensions"] for query in stale["metric_query"] if query["metric"]]
    assert looked_at == [{"account": "acme", "stream": "okta.users"}]


HANDLER = "handler: handler.list"
HOURLY = "rate(1 hour)"
LONG = "x" * 4100


WRONG_FUNCTIONS = {
    "memory": (HANDLER, f"{HANDLER}\n    memory_mb: 64", "memory_mb is 64; Lambda allows 128 to 10240"),
    "timeout": (HANDLER, f"{HANDLER}\n    timeout_s: 901", "timeout_s is 901; Lambda allows 1 to 900"),
    "disk": (HANDLER, f"{HANDLER}\n    ephemeral_mb: 1", "ephemeral_mb is 1; Lambda allows 512 to 10240"),
    "handler": (HANDLER, "handler: handler.lst", "there is no handler `handler.lst`"),
    "module": (HANDLER, "handler: hanlder.list", "there is no handler `hanlder.list`"),
    "folder": ("endpoint: folder", "endpoint: people", "endpoint `people` differ from its folder"),
    "source": ("source: okta", "source: github", "source `github` and endpoint `source` differ from its folder"),
    "nobody": ("source: okta", "source: github", "no account of `github` is named"),
    "variables": (HANDLER, f"{HANDLER}\n    environment: {{A: {LONG}}}", "the environment takes 4"),
    "unpacked": (HANDLER, HANDLER, "circulate-okta-unpacked-list.zip is not there: run `make package`"),
    "writer": (
        "functions:",
        f"functions:\n  suspend: {{{HANDLER}, auth: okta-read}}",
        "`list` only reads, but has the same `auth` as a function that writes",
    ),
}
WRONG_PIPELINES = {
    "rate": (HOURLY, "rate(1 hours)", "invalid schedule `rate(1 hours)`"),
    "cron": (HOURLY, "cron(0 3 * * *)", "invalid schedule `cron(0 3 * * *)`"),
    "mode": ("schedule:", "mode: window\n  schedule:", "mode is `window`"),
}
WRONG_TARGETS = {"target": ("schedule:", "target: moon\n  schedule:", "there is no target `moon`")}


@pytest.mark.parametrize(
    ("name", "wrong"), [("functions", WRONG_FUNCTIONS), ("pipelines", WRONG_PIPELINES), ("targets", WRONG_TARGETS)]
)
def test_whatever_is_wrong_is_refused_all_at_once(
    deployment: Deployment, name: str, wrong: dict[str, tuple[str, str, str]]
) -> None:
    for endpoint, (old, new, _) in wrong.items():
        deployment.add_function("okta", endpoint, **{old: new})
        if endpoint != "unpacked":
            shutil.copy(deployment.zip("okta-users-list"), deployment.zip(f"okta-{endpoint}-list"))
    with pytest.raises(TerraformError) as refused:
        deployment.plan()
    for endpoint, (_, _, message) in wrong.items():
        assert message in str(refused.value), endpoint
    assert_snapshot(f"terraform/wrong-{name}", refused.value.errors())


def test_a_name_that_is_too_long_is_refused(deployment: Deployment) -> None:
    deployment.add_function("okta", "x" * 48)
    with pytest.raises(TerraformError, match="The name of a function, its prefix included, has at most 64 characters"):
        deployment.plan()


def test_wrong_variables_are_refused_all_at_once(deployment: Deployment) -> None:
    said = []
    for values in (
        {
            "prefix": ("Circulate", "The prefix has 3 to 23 lower-case"),
            "kms_key_arn": ("arn:aws:kms:us-east-1:111111111111:alias/lake", "policies take no alias"),
            "integration_retention_days": ("1", "at least 2 whole days"),
            "log_retention_days": ("15", "CloudWatch Logs keeps logs for"),
            "accounts": ('{okta=["a b"]}', "The name of an account has 1 to 63"),
        },
        {
            "prefix": ("a-name-that-is-too-long-", "The prefix has 3 to 23"),
            "accounts": ('{okta=["a","a"]}', "have different names"),
        },
        {"data_bucket": ("My_Bucket", "The name of a bucket has 3 to 63")},
        {"integration_bucket": ("lake-s3alias", "The name of a bucket has 3 to 63")},
    ):
        with pytest.raises(TerraformError) as refused:
            deployment.plan(**{name: value for name, (value, _) in values.items()})
        for name, (_, message) in values.items():
            assert message in str(refused.value), name
        said.append(refused.value.errors())
    assert_snapshot("terraform/wrong-variables", "\n".join(said))


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (f"lib/okta/users/{FILE}", HANDLER, f"{HANDLER}\n    extension: absent", "absent-layer.zip is not there"),
        (f"lib/okta/users/{FILE}", "functions:", "architecture: arm64\nfunctions:", "made for one architecture"),
        (
            "iac/functions.tf",
            '[aws_lambda_layer_version.this["core"].arn],',
            '["a","b","c","d","e","f"],',
            "has 6 layers",
        ),
        ("iac/dev.tfvars", '"practice"', f'"{"a" * 60}"', "the name of the schedule for the account"),
    ],
)
def test_what_aws_would_refuse_is_refused_before(
    deployment: Deployment, file: str, old: str, new: str, message: str
) -> None:
    text = (deployment.lambdas / file).read_text()
    assert old in text
    (deployment.lambdas / file).write_text(text.replace(old, new))
    with pytest.raises(TerraformError) as refused:
        deployment.plan()
    assert message in str(refused.value)


def test_layers_that_were_not_packaged_are_reported(deployment: Deployment) -> None:
    shutil.rmtree(deployment.lambdas / ".build")
    with pytest.raises(TerraformError, match=r"core-layer.zip is not there: run `make package`"):
        deployment.plan()


def test_the_two_buckets_are_two(deployment: Deployment) -> None:
    with pytest.raises(TerraformError, match="integration_bucket and data_bucket are two"):
        deployment.plan(integration_bucket="lake", data_bucket="lake")


def test_pipelines_can_be_paused(deployment: Deployment) -> None:
    made = resources(deployment.plan(paused="true"))
    states = {value["state"] for address, value in made.items() if ".aws_scheduler_schedule.this" in address}
    assert states == {"DISABLED"}


def test_no_value_of_a_secret_is_in_the_plan(deployment: Deployment) -> None:
    plan = deployment.plan()
    assert {kind["type"] for kind in plan["resource_changes"] if "secret" in kind["type"]} == {
        "aws_secretsmanager_secret"
    }
    assert all("aws_secretsmanager_secret_version" not in address for address in changes(plan))
