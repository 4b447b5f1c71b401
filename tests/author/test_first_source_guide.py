"""The guide to a first source: its commands run in an empty folder, and what it shows is what there is."""

import re
import shlex
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from support.authored import pytest_in
from support.cli import Cli
from support.packages import make_wheel, write

from circulate_core.authoring.described import AUTH, PAGINATORS

GUIDE = Path(__file__).resolve().parents[2] / "python/docs/first-source.md"
BLOCK = re.compile(
    r"(?:^`(?P<name>[\w.]+)`:\n\n)?^```(?P<kind>console|python)\n(?P<text>.*?)^```", re.DOTALL | re.MULTILINE
)
COMMAND = re.compile(r"^\$ (.*)$", re.MULTILINE)


class Reader:
    """Somebody who does what the guide says.

    Args:
        cli: The command line, in an empty folder.
        wheel: What is packaged.
        stack: What ends with the test.
    """

    def __init__(self, cli: Cli, wheel: Path, stack: ExitStack) -> None:
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
                done = pytest_in(self.cli.folder, "-W", "error")
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
        more: list[str | Path] = ["--wheel", self.wheel] if words[0] == "package" else []
        done = self.cli(*words, *more)
        assert done.code == 0, f"{words}: {done.err}"
        assert words[0] != "pull" or "75 records in 2 pages" in done.err


def test_its_commands_go_from_an_empty_folder_to_zips(cli: Cli, tmp_path: Path) -> None:
    with ExitStack() as stack:
        reader = Reader(cli, make_wheel(tmp_path), stack)
        for block in BLOCK.finditer(GUIDE.read_text()):
            reader.read(block["name"], block["kind"], block["text"])
    own = ["init", "new", "check", "sample", "pull", "verify", "check", "local", "package"]
    assert reader.ran == own
    assert (reader.cli.folder / "lambdas/.build/circulate-acme-widgets-list.zip").is_file()


def test_its_table_of_paginators_is_what_flags_take() -> None:
    rows = re.findall(r"^\| `(\w+)` \|[^|]*\|([^|]*)\|([^|]*)\|$", GUIDE.read_text(), re.MULTILINE)
    listed = {name: (re.findall(r"--([\w-]+)", needs), re.findall(r"--([\w-]+)", takes)) for name, needs, takes in rows}
    assert listed == {name: (list(kind.needs), list(kind.takes)) for name, kind in PAGINATORS.items()}


@pytest.mark.parametrize("kind", AUTH)
def test_it_names_every_way_to_sign_in(kind: str) -> None:
    assert f"`{kind}`" in GUIDE.read_text()
