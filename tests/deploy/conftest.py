"""What tests of the deployment share: a project to package, and Terraform, where it is there."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.deployment import Deployment, Servers, own_project, servers, tools
from support.packages import make_project, make_wheel


@pytest.fixture(scope="session")
def stand_ins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Start stand-ins for AWS; without Terraform there is nothing to test them with."""
    missing = tools()
    if isinstance(missing, str):
        pytest.skip(missing)
    with servers(tmp_path_factory.mktemp("certificates")) as running:
        yield running


@pytest.fixture(scope="session")
def initialised(stand_ins: Servers, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """Make a folder to plan in, with an engine that is none: nothing is run."""
    made = Deployment(tmp_path_factory.mktemp("deployment"), stand_ins, engine=b"engine")
    made.init()
    return made


@pytest.fixture
def deployment(initialised: Deployment, tmp_path: Path) -> Deployment:
    """Give each test a folder of its own."""
    return initialised.copy(tmp_path)


@pytest.fixture(scope="session")
def own_deployment(stand_ins: Servers, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """Make a folder to plan in, with nothing but a source of one's own and what the wheel has."""
    made = Deployment(tmp_path_factory.mktemp("own"), stand_ins, engine=b"engine", project=own_project)
    made.init()
    return made


@pytest.fixture
def lambdas(tmp_path: Path) -> Path:
    """Make a project with functions."""
    return make_project(tmp_path)


@pytest.fixture
def build(lambdas: Path) -> Path:
    """Where zips are written by default."""
    return lambdas.parent / ".build"


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """Make a wheel to package."""
    return make_wheel(tmp_path)
