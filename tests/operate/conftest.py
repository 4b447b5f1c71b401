"""Fixtures of tests that change something."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.called import define, serving
from support.changed_things import OPERATIONS, ChangedThings, things
from support.cli import Cli
from support.operating import Operator
from support.playing import Plays


@pytest.fixture
def changed() -> Iterator[ChangedThings]:
    """Serve things that can be changed."""
    with serving(things()) as served:
        assert isinstance(served, ChangedThings)
        yield served


@pytest.fixture
def operator(cli: Cli, changed: ChangedThings) -> Operator:
    """Return a command line whose ledger is a file."""
    define(cli.folder, OPERATIONS)
    return Operator(cli, changed)


@pytest.fixture(params=["sqlite", "dynamodb"])
def any_operator(request: pytest.FixtureRequest, operator: Operator) -> Operator:
    """Return a command line whose ledger is a file, or a table."""
    if request.param == "dynamodb":
        endpoint: str = request.getfixturevalue("aws")
        operator.cli.environment["AWS_ENDPOINT_URL"] = endpoint
        operator.ledger = "dynamodb://operations"
        assert operator.cli("state", "init", "--state", operator.ledger).code == 0
    return operator


@pytest.fixture
def plays(tmp_path: Path, changed: ChangedThings) -> Plays:
    """Return what runs playbooks of things."""
    return Plays(tmp_path, changed)
