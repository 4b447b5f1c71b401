"""The Terraform of a project that `circulate init` and `circulate new` made, with what the wheel has."""

import re
from pathlib import Path

import pytest
from support.authored import WIDGETS, write_list
from support.deployment import VARIABLES, Deployment, Servers, changes
from support.own_source import replace

from circulate_core.authoring.project import make_project
from circulate_core.aws.packaging import lay_out_terraform


def made(folder: Path) -> None:
    """Make a project with a list, as its README says."""
    make_project(folder, "Lake of Acme")
    write_list(folder, WIDGETS)
    replace(folder / "deploy/main.tf", "accounts = {}", 'accounts = { acme = ["main"] }')
    lay_out_terraform(folder / "lambdas/lib")


@pytest.fixture(scope="module")
def deployment(stand_ins: Servers, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """Make the project, and get Terraform ready where the project has its root."""
    folder = tmp_path_factory.mktemp("made")
    deployment = Deployment(folder, stand_ins, engine=b"engine", project=made)
    deployment.iac = folder / "deploy"
    # All is said in main.tf.
    (deployment.iac / VARIABLES).write_text("")
    deployment.init()
    return deployment


def test_it_is_valid_and_formatted(deployment: Deployment) -> None:
    assert "The configuration is valid" in deployment.run("validate", "-no-color")
    assert deployment.run("fmt", "-check") == ""


def test_it_deploys_the_list_with_its_pipeline_and_its_secret(deployment: Deployment) -> None:
    planned = changes(deployment.plan())
    assert set(map(tuple, planned.values())) == {("create",)}
    telling = re.compile(r"aws_(lambda_function|scheduler_schedule|secretsmanager_secret)\.")
    assert set(filter(telling.search, planned)) == {
        'module.circulate.module.function["acme-widgets-list"].aws_lambda_function.this',
        'module.circulate.module.function["targets-s3-promote"].aws_lambda_function.this',
        'module.circulate.module.pipeline["acme-widgets-list"].aws_scheduler_schedule.this["main-incremental"]',
        'module.circulate.aws_secretsmanager_secret.credentials["acme-read/main"]',
    }
