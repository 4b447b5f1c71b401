"""The guide to deploying: from an empty folder to a function that runs here, zips, and Terraform that is valid."""

import os
import subprocess
from pathlib import Path

import pytest
from support.cli import Cli
from support.deployment import Tools, tools
from support.guides import Reader
from support.packages import make_wheel, names


def terraform(cli: Cli, words: list[str]) -> str:
    """Run Terraform without a network; return what it says, but of what it installs."""
    found = tools()
    assert isinstance(found, Tools)
    settings = cli.folder / "terraform.rc"
    settings.write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{found.mirror}"\n  }}\n}}\n')
    environment = {**os.environ, "TF_CLI_CONFIG_FILE": str(settings), "CHECKPOINT_DISABLE": "true"}
    command = [found.terraform, *words, *([] if "fmt" in words else ["-no-color"])]
    done = subprocess.run(command, cwd=cli.folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return "" if "init" in words else done.stdout


def test_its_commands_go_from_an_empty_folder_to_terraform_that_is_valid(cli: Cli, tmp_path: Path) -> None:
    if isinstance(missing := tools(), str):
        pytest.skip(missing)
    # The engine of a checkout is built for minutes.
    wheel = make_wheel(tmp_path)
    Reader("deploying.md", cli, more={"package": ["--wheel", wheel]}, commands={"terraform": terraform}).read()
    zipped = names(cli.folder / "lake/lambdas/.build/circulate-acme-widgets-list.zip")
    assert zipped == ["definitions/acme/source.yaml", "definitions/acme/widgets.yaml", "handler.py"]
