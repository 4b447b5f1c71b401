"""Fixtures that all tests share: practice orgs, and the command line."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from support import PLENTY, Cli, CliFor, StartOrg

from circulate_core.practice import PracticeOrg

# Nothing a test starts may look for real credentials.
os.environ.update(
    AWS_ACCESS_KEY_ID="practice",
    AWS_SECRET_ACCESS_KEY="practice",
    AWS_REGION="us-east-1",
    AWS_EC2_METADATA_DISABLED="true",
)
for name in ("OKTA_ORG_URL", "OKTA_API_TOKEN", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
    os.environ.pop(name, None)


@pytest.fixture
def start_org() -> Iterator[StartOrg]:
    """Start practice orgs that are stopped when the test ends."""
    with ExitStack() as stack:

        def start(**options: Any) -> PracticeOrg:  # noqa: ANN401 - passed on
            return stack.enter_context(PracticeOrg(**{"rate_limit": PLENTY, "keep_log": True, **options}))

        yield start


@pytest.fixture
def cli_for(tmp_path: Path) -> CliFor:
    """Make command lines that are set up for an org."""

    def make(org: PracticeOrg) -> Cli:
        environment = {**os.environ, "OKTA_ORG_URL": org.url, "OKTA_API_TOKEN": org.token, "HOME": str(tmp_path)}
        return Cli(tmp_path, environment)

    return make


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Make a command line without any settings."""
    return Cli(tmp_path, {**os.environ, "HOME": str(tmp_path)})
