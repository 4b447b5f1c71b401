"""Fixtures that all tests share: practice orgs, and the command line."""

import os
import signal
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from support.cli import PLENTY, Bursts, Cli, CliFor, StartOrg
from support.places import Bucket, Folder
from support.stand_ins import microburst, ministack

from circulate_practice import PracticeOrg

# Nothing a test starts may look for real credentials.
os.environ.update(
    AWS_ACCESS_KEY_ID="practice",
    AWS_SECRET_ACCESS_KEY="practice",
    AWS_REGION="us-east-1",
    AWS_EC2_METADATA_DISABLED="true",
)
for name in (
    *(name for name in os.environ if name.startswith("OKTA_")),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"),
    *("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "AWS_MAX_ATTEMPTS"),
    *(name for name in os.environ if name.startswith("AWS_ENDPOINT_URL")),
):
    os.environ.pop(name, None)

# What a shell starts in the background ignores Ctrl-C, and Python leaves it so.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def signal_handlers() -> Iterator[None]:
    """Let no test leave signal handlers behind: a later one would not get its Ctrl-C."""
    handled = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in handled]
    yield
    assert [signal.getsignal(number) for number in handled] == before


@pytest.fixture(autouse=True)
def users_state(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test a folder of its own for what is kept of a user, such as which definition may have which secret."""
    folder = tmp_path_factory.mktemp("state")
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))
    return folder


@pytest.fixture
def start_org() -> Iterator[StartOrg]:
    """Start practice orgs that are stopped when the test ends."""
    with ExitStack() as stack:

        def start(**options: Any) -> PracticeOrg:  # noqa: ANN401 - passed on
            return stack.enter_context(PracticeOrg(**{"rate_limit": PLENTY, "keep_log": True, **options}))

        yield start


def settings(org: PracticeOrg, folder: Path) -> dict[str, str]:
    """Return the environment of a command line that is set up for an org."""
    return {**os.environ, "OKTA_ORG_URL": org.url, "OKTA_API_TOKEN": org.token, "HOME": str(folder)}


@pytest.fixture
def cli_for(tmp_path: Path) -> CliFor:
    """Make command lines that are set up for an org and pull to `lake` in their folder."""

    def make(org: PracticeOrg, name: str = ".") -> Cli:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        return Cli(folder, settings(org, folder), Folder(folder / "lake"))

    return make


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Make a command line without any settings."""
    return Cli(tmp_path, {**os.environ, "HOME": str(tmp_path)}, Folder(tmp_path / "lake"))


@pytest.fixture(scope="session")
def aws_server() -> Iterator[str]:
    """Start a stand-in for AWS."""
    with ministack() as url:
        yield url


@pytest.fixture
def aws(aws_server: str) -> Iterator[str]:
    """Give the URL of a stand-in for AWS, which forgets everything when the test ends."""
    yield aws_server
    urllib.request.urlopen(urllib.request.Request(f"{aws_server}/_ministack/reset", method="POST")).close()


@pytest.fixture(scope="session")
def microburst_server(aws_server: str) -> Iterator[str]:
    """Start a proxy in front of the stand-in for AWS."""
    with microburst(aws_server) as url:
        yield url


@pytest.fixture
def bursts(microburst_server: str) -> Iterator[Bursts]:
    """Give a proxy that makes the requested faults, until the test ends."""
    bursts = Bursts(microburst_server)
    yield bursts
    bursts.make()


@pytest.fixture
def aws_cli_for(tmp_path: Path, aws: str) -> CliFor:
    """Make command lines that are set up for an org and pull to a bucket of their own, with a table of their own."""

    def make(org: PracticeOrg, name: str = ".", *, prefix: str = "lake") -> Cli:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        place = Bucket.new(aws, folder, prefix)
        cli = Cli(folder, settings(org, folder) | {"AWS_ENDPOINT_URL": aws}, place)
        assert cli("state", "init", *place.state).code == 0
        return cli

    return make


@pytest.fixture(params=["folder", "aws"])
def cli_for_place(request: pytest.FixtureRequest) -> CliFor:
    """Make command lines of either kind; what uses this is proved for both."""
    name = {"folder": "cli_for", "aws": "aws_cli_for"}[request.param]
    made: CliFor = request.getfixturevalue(name)
    return made
