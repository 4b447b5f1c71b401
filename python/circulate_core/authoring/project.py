"""A project of one's own: folders for definitions, functions and tests, and what runs them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

import circulate_core
from circulate_core.authoring.files import write_new
from circulate_core.aws.packaging.terraform import kit_texts
from circulate_core.config import CONFIG_NAME
from circulate_core.exceptions import SettingsError

DEFINITIONS: Final = "definitions"
FUNCTIONS: Final = "lambdas/lib"
TESTS: Final = "tests"
_OPERATION: Final = "make a project"
_LONGEST_NAME: Final = 100
_LONGEST_PREFIX: Final = 23
"""What Terraform's buckets leave room for."""
_SHORTEST_PREFIX: Final = 3
_PACKAGE: Final = Path(circulate_core.__file__).resolve().parent


def make_project(folder: Path, name: str | None = None) -> list[Path]:
    """Write a project to a folder, in which nothing of it is there yet.

    Args:
        folder: Where to; made if need be.
        name: Name of the project. Default: that of the folder.

    Returns:
        The files.

    Raises:
        SettingsError: The name is invalid, the folder is in a project, or something is there already.
    """
    _check_place(folder)
    name = _checked(folder.resolve().name if name is None else name)
    values = {"name": name, "prefix": _prefix(name), "version": circulate_core.__version__}
    texts = {path: _filled(text, values) for path, text in _FILES.items()}
    texts |= {f"{FUNCTIONS}/{path}": text for path, text in kit_texts("lib").items()}
    hint = "name another folder, or move these files away; `circulate new SOURCE.ENDPOINT` adds to a project"
    return write_new(folder, texts, operation=_OPERATION, hint=hint)


def project_in(folder: Path) -> bool:
    """Return whether a folder is that of a project."""
    return (folder / CONFIG_NAME).is_file() and (folder / DEFINITIONS).is_dir()


def project_around(folder: Path) -> Path | None:
    """Return the project that a folder lies in, if it does."""
    return next((each for each in folder.absolute().parents if project_in(each)), None)


def _check_place(folder: Path) -> None:
    resolved = Path(os.path.realpath(folder))
    if around := project_around(resolved):
        message = f"{folder} is in the project {around}"
        raise SettingsError(message, operation=_OPERATION, hint=f"`circulate new` adds a source to it: cd {around}")
    if resolved == _PACKAGE or _PACKAGE in resolved.parents:
        message = f"{folder} is in the package circulate-core itself"
        raise SettingsError(message, operation=_OPERATION, hint="name a folder of your own")


def _checked(name: str) -> str:
    if not name.strip() or len(name) > _LONGEST_NAME or not name.isprintable():
        message = f"invalid name of a project: {name!r}"
        hint = f"give one of 1 to {_LONGEST_NAME} printable characters: --name"
        raise SettingsError(message, operation=_OPERATION, hint=hint)
    return name.strip()


def _prefix(name: str) -> str:
    """Return what names of AWS resources begin with: of the name what these take."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).lstrip("-0123456789")[:_LONGEST_PREFIX].rstrip("-")
    return slug if len(slug) >= _SHORTEST_PREFIX else "circulate"


def _filled(text: str, values: dict[str, str]) -> str:
    return re.sub(r"<(name|prefix|version)>", lambda found: values[found[1]], text)


_FILES: Final = {
    "README.md": """\
# <name>

Pulls lists of APIs into a data lake, with circulate-core.

```text
definitions/SOURCE/          an API: source.yaml, and a file for each of its lists
lambdas/lib/SOURCE/LIST/     the function of a list: handler.py, lambda.yaml
tests/                       a test of each list, against a stub of its API
deploy/main.tf               what Terraform deploys
circulate.toml               where definitions are; settings that are not secret
```

## Start

```console
$ python3 -m venv .venv && . .venv/bin/activate
$ pip install -r requirements.txt
$ pytest
```

## Add a list

```console
$ circulate new acme.widgets --base-url https://api.acme.example --auth bearer \\
    --path /v1/widgets --records /items --primary-key /id \\
    --paginator token --from /meta/next --to cursor --page-size 50 --page-size-param limit
$ pytest
```

At a terminal `circulate new acme.widgets` asks for what is not given. The test serves two pages as you have described
them, on this machine, and pulls them by the definition. Correct both by what the documentation of the API says.

## Pull it

```console
$ export CIRCULATE_CATALOG=definitions
$ export ACME_TOKEN=...
$ circulate check acme.widgets
$ circulate sample acme.widgets
$ circulate pull acme.widgets --to lake
$ circulate verify lake
```

`circulate describe acme` lists the variables of a source. A token never stands in `circulate.toml`, which all who have
the project have.

## Run it as a function, here

```console
$ circulate check lambdas
$ circulate local invoke acme.widgets
```

## Deploy it

Name the accounts to pull from in `deploy/main.tf`: `accounts = { acme = ["main"] }`.

```console
$ circulate package --terraform
$ terraform -chdir=deploy init
$ terraform -chdir=deploy apply
$ terraform -chdir=deploy output secrets_to_fill
```

The first command writes the Terraform that comes with the package to `lambdas/iac`, and zips to `lambdas/.build`.
Neither is yours to change, and Git ignores both. After an update of circulate-core, remove `lambdas/iac` and run it
again. The last one shows the commands that put credentials into the secrets. Keep Terraform's state in a backend that
is encrypted and locked: add it to `deploy/main.tf`.
""",
    CONFIG_NAME: f"""\
# Settings of circulate-core. Everybody who has the project has this file: no secrets in here.
catalog = ["{DEFINITIONS}"]

# What only this file names gets no settings from elsewhere. To pull with those of your environment:
# export CIRCULATE_CATALOG={DEFINITIONS}
""",
    "requirements.txt": """\
circulate-core[local]==<version>
pytest==9.2.0
""",
    ".gitignore": """\
.venv/
__pycache__/
.pytest_cache/
/lake/
.circulate/
# Made by `circulate package --terraform`.
/lambdas/.build/
/lambdas/iac/
.terraform/
*.tfstate
*.tfstate.*
*.tfplan
""",
    f"{DEFINITIONS}/README.md": """\
# Definitions

A folder for each API: `source.yaml` says where it is and how to sign in, the other files are its lists.
`circulate new SOURCE.ENDPOINT` writes both; `circulate describe SOURCE` shows what is there.
""",
    f"{TESTS}/conftest.py": f'''\
"""What the tests of this project share."""

from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]


@pytest.fixture
def project() -> Path:
    """The folder of this project."""
    return PROJECT


@pytest.fixture
def catalog() -> list[Path]:
    """Where the definitions of this project are."""
    return [PROJECT / "{DEFINITIONS}"]
''',
    f"{TESTS}/test_project.py": '''\
"""Whether definitions, functions and what packages them fit together; the lists have tests of their own."""

import subprocess
import sys
from pathlib import Path


def test_functions_are_as_aws_takes_them(project: Path) -> None:
    command = [sys.executable, "-m", "circulate_core.cli.main", "check", "lambdas"]
    checked = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
''',
    "deploy/main.tf": f"""\
# What is deployed: the Terraform that `circulate package --terraform` writes, with the values of this project.
# Its variables are in lambdas/iac/variables.tf.

module "circulate" {{
  source = "../lambdas/iac"

  region = "eu-west-1"
  prefix = "<prefix>"
  # The accounts to pull from, by source: {{ acme = ["main"] }}. Each gets a secret and schedules.
  accounts = {{}}
  # Shipped sources whose functions are deployed; those of {DEFINITIONS} are anyway.
  sources = []
}}

output "secrets_to_fill" {{
  description = "Commands that put the credentials of each account into its secret, once."
  value       = module.circulate.secrets_to_fill
}}

output "pipelines" {{
  description = "The state machines, and when they are started."
  value       = module.circulate.pipelines
}}

output "data_bucket" {{
  description = "The bucket to read from."
  value       = module.circulate.data_bucket
}}
""",
    ".github/workflows/ci.yml": """\
# Tests need no network but to install, and no secrets.
name: ci

on: [push, pull_request]

permissions: {}

jobs:
  test:
    runs-on: ubuntu-24.04
    timeout-minutes: 15
    permissions:
      contents: read
    steps:
      - uses: actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683 # v4.2.2
        with:
          persist-credentials: false
      - run: python3 -m venv .venv && .venv/bin/pip install -r requirements.txt
      - run: .venv/bin/pytest
      - run: .venv/bin/circulate package
""",
}
