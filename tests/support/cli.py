"""What tests are written with: the command line, and the types of fixtures."""

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from circulate_practice import PracticeOrg
from support.commands import PATIENCE, command_server
from support.places import Place

PLENTY = 1_000_000
"""A quota that no test uses up unless it wants to."""

StartOrg = Callable[..., PracticeOrg]


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def report(self) -> dict[str, Any]:
        """What it wrote with `--json`."""
        parsed: dict[str, Any] = json.loads(self.out)
        return parsed


def checked(done: Done) -> Done:
    """Return a command that has ended as commands do."""
    assert "Traceback" not in done.err, done.err
    return done


@dataclass(frozen=True)
class Cli:
    """Runs `circulate` with settings for an org, in a folder of its own."""

    folder: Path
    environment: dict[str, str]
    place: Place
    """Where it pulls to."""

    def __call__(self, *arguments: str | Path, **environment: str) -> Done:
        """Run a command to its end, in a fork of a process that has the command line imported."""
        given = [str(argument) for argument in arguments]
        return checked(Done(*command_server().run(given, self.folder, self.environment | environment)))

    def process(self, *arguments: str | Path, **environment: str) -> Done:
        """Do the same as a user does: in a process that begins with it. That is slower."""
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        return checked(Done(done.returncode, done.stdout, done.stderr))

    def python(self, code: str, **environment: str) -> Done:
        """Run Python code in its folder."""
        command = [sys.executable, "-c", code]
        given = self.environment | environment
        done = subprocess.run(
            command, cwd=self.folder, env=given, capture_output=True, text=True, check=False, timeout=PATIENCE
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        """Start a command and leave it running."""
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def pull(self, *arguments: str | Path, **environment: str) -> Done:
        """Pull okta.users to the place and write the report."""
        return self(*self.pulling(*arguments), **environment)

    def start_pull(self, *arguments: str | Path) -> subprocess.Popen[str]:
        """Start the same and leave it running."""
        return self.start(*self.pulling(*arguments))

    def pull_until(self, org: PracticeOrg, request: int, *arguments: str | Path) -> Done:
        """Pull until the org gets its so manieth request, then interrupt it: it ends at a checkpoint."""
        with self.start_pull(*arguments) as pulling:
            org.wait_for_requests(request, timeout=PATIENCE)
            pulling.send_signal(signal.SIGINT)
            out, err = pulling.communicate(timeout=PATIENCE)
        assert pulling.returncode == 130, err
        return Done(pulling.returncode, out, err)

    def pulling(self, *arguments: str | Path) -> tuple[str | Path, ...]:
        """Return the arguments of a pull."""
        return ("pull", "okta.users", *self.place.arguments, "--account", "practice", "--json", *arguments)

    def collect(self) -> Done:
        """Remove what no manifest names."""
        return self("gc", *self.place.arguments, "--older-than", "0s", "--json")

    def runs(self) -> list[dict[str, Any]]:
        """Return all runs of the place, newest first."""
        listed: list[dict[str, Any]] = json.loads(
            self("runs", *self.place.arguments, "--limit", "1000000", "--json").out
        )
        return listed

    def manifest(self, done: Done) -> Path:
        """Return the manifest that a pull reported."""
        return self.place.lake() / str(done.report["manifest"])

    @staticmethod
    def command(*arguments: str | Path) -> list[str]:
        """Return the command line of a command."""
        return [sys.executable, "-W", "error", "-m", "circulate_core.cli.main", *map(str, arguments)]


@dataclass(frozen=True)
class Bursts:
    """A proxy in front of AWS that makes faults, by rules of microburst."""

    url: str

    def make(self, *rules: dict[str, Any]) -> None:
        """Make these faults from now on, and no others."""
        self._ask("rules", json.dumps(rules).encode())

    def made(self) -> int:
        """Return how many faults of the rules were made."""
        return sum(rule["fired_count"] for rule in self._ask("rules"))

    def _ask(self, path: str, body: bytes | None = None) -> Any:  # noqa: ANN401 - JSON
        with urllib.request.urlopen(f"{self.url}/_microburst/{path}", data=body) as response:
            return json.load(response)


CliFor = Callable[..., Cli]
"""Takes an org, and a name if a test makes several."""
