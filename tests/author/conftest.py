"""What tests of projects and new lists share: a project, and the command line in it."""

from pathlib import Path

import pytest
from support.cli import Cli

from circulate_core.authoring.project import make_project


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Make a project."""
    make_project(tmp_path / "lake-of-acme")
    return tmp_path / "lake-of-acme"


@pytest.fixture
def at_project(cli: Cli, project: Path) -> Cli:
    """Make the command line in a project."""
    return Cli(project, cli.environment, cli.place)
