"""Guides that somebody follows from an empty folder on: their blocks are done as they stand."""

import re
import shlex
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from support.authored import pytest_in
from support.cli import Cli
from support.packages import write

BLOCK = re.compile(
    r"(?:^`(?P<name>[\w./]+)`:\n\n)?^```(?P<kind>console|python)\n(?P<text>.*?)^```", re.DOTALL | re.MULTILINE
)
COMMAND = re.compile(r"^\$ (.*)$", re.MULTILINE)


class Reader:
    """Somebody who does what the guide says.

    Args:
        cli: The command line, in an empty folder.
        wheel: What is packaged, if something is.
        stack: What ends with the test.
    """

    def __init__(self, cli: Cli, wheel: Path | None, stack: ExitStack) -> None:
        self.cli, self.wheel, self.stack = cli, wheel, stack
        self.ran: list[str] = []

    def read(self, name: str | None, kind: str, text: str) -> None:
        """Do what a block says."""
        if name:
            write(self.cli.folder / name, text)
        elif kind == "console":
            for command in COMMAND.findall(text):
                self.run(command)
        elif not any(text.strip() in file.read_text() for file in self.cli.folder.glob("tests/*.py")):
            # It is not shown of a file that there is.
            done = self.cli.python(text)
            assert done.code == 0, done.err
            assert "[75 rows x " in done.out

    def run(self, command: str) -> None:
        """Run a command."""
        first, *words = shlex.split(command)
        match first:
            case "cd":
                self.go(self.cli.folder / words[0])
            case "export":
                name, _, value = words[0].partition("=")
                # What is known already is the stub's.
                self.go(self.cli.folder, **({} if name in self.cli.environment else {name: value}))
            case "pytest":
                done = pytest_in(self.cli.folder, "-W", "error", *words)
                assert done.code == 0, done.out
            case "python":
                self.start(words)
            case _:
                self.circulate(words)

    def go(self, folder: Path, **settings: str) -> None:
        """Go to a folder, and set variables."""
        self.cli = Cli(folder, self.cli.environment | settings, self.cli.place)

    def start(self, words: list[str]) -> None:
        """Start the stub, and take the settings that it prints."""
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        stub = self.stack.enter_context(subprocess.Popen([sys.executable, *words], cwd=self.cli.folder, **pipes))
        assert stub.stdout is not None
        settings = dict(word.split("=", 1) for word in stub.stdout.readline().split()[1:])
        assert set(settings) == {"ACME_URL", "ACME_TOKEN"}
        self.go(self.cli.folder, **settings)

    def circulate(self, words: list[str]) -> None:
        """Run a command of ours."""
        self.ran.append(words[0])
        more: list[str | Path] = ["--wheel", self.wheel] if words[0] == "package" and self.wheel else []
        done = self.cli(*words, *more)
        assert done.code == 0, f"{words}: {done.err}"
        assert words[0] != "pull" or "75 records in 2 pages" in done.err
