"""A guide, read as its reader does: files are written, commands are run, and what comes is what the guide shows."""

import os
import re
import shlex
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from support.cli import Cli
from support.packages import write

DOCS: Final = Path(__file__).resolve().parents[2] / "python/docs"
_BLOCK: Final = re.compile(
    r"(?:^`(?P<name>[\w./-]+)`[^\n]*:\n\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE
)
_HOME: Final = "/home/me/acme"
"""Where the reader of a guide is, as it is shown."""
_DIFFERS: Final = (
    (r"(127\.0\.0\.1|localhost)([:-])\d+", r"\1\g<2>PORT"),
    (r"\b[\d.]+ (ms|s)\b", "TIME"),
    (r"\b[\d,.]+ (bytes|kB|MB)\b", "SIZE"),
    (r"\d{8}T\d{9}Z-[0-9a-f]{10}", "RUN"),
    # What is served in guides is of January 2026.
    (r"(?!2026-01)\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "NOW"),
    (r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT", "NOW"),
    (r"[ \t]+", " "),
)
"""What is of another length or value each time."""


@dataclass(frozen=True)
class Block:
    """A block of a guide.

    Attributes:
        name: The file that it is, if it is one.
        kind: Its language.
        text: What is in it.
    """

    name: str | None
    kind: str
    text: str


class Reader:
    """Somebody who does what a guide says, from its first to its last block.

    Args:
        guide: File name of the guide.
        cli: The command line, in an empty folder.
        more: What is added to commands, by their first two words: what is in the place of what takes minutes.
        commands: What runs commands that are neither ours nor of the reader's shell, by their first word.
    """

    def __init__(
        self,
        guide: str,
        cli: Cli,
        *,
        more: Mapping[str, list[str | Path]] | None = None,
        commands: Mapping[str, Callable[[Cli, list[str]], str]] | None = None,
    ) -> None:
        self.path, self.cli = DOCS / guide, cli
        self._start = cli.folder
        self._more, self._commands = more or {}, commands or {}
        self._stack = ExitStack()

    def read(self) -> None:
        """Do all that the guide says; with `UPDATE_DOCS` write what comes into it, where that is something else."""
        text = self.path.read_text()
        blocks = [
            (found.span("text"), Block(found["name"], found["kind"], found["text"])) for found in _BLOCK.finditer(text)
        ]
        changed: list[tuple[tuple[int, int], str]] = []
        with self._stack:
            for span, block in blocks:
                if block.name:
                    write(self.cli.folder / block.name, block.text)
                elif block.kind == "console":
                    changed.append((span, self._console(block.text)))
                else:
                    # What no test has: an account of AWS. Examples in Python are run by `test_examples.py`.
                    assert block.kind in {"sh", "python"}, f"nobody reads this block: {block}"
        for (start, end), shown in reversed(changed):
            text = text[:start] + shown + text[end:]
        if os.environ.get("UPDATE_DOCS"):
            self.path.write_text(text)

    def _console(self, text: str) -> str:
        """Run the commands of a block; return it with what they print."""
        shown = []
        for command, expected in _commands(text):
            came = self.run(command)
            if _normal(came) == _normal(expected):
                came = expected
            elif not os.environ.get("UPDATE_DOCS"):
                assert _normal(came) == _normal(expected), f"$ {command}\n{came}"
            shown.append(f"$ {command}\n{came}")
        return "".join(shown)

    def run(self, command: str) -> str:
        """Run a command; return what it prints."""
        assert not re.search(r"&(?=[^\"']*$)", command), f"a shell would take the `&` for its own: {command}"
        words = [re.sub(r"\$(\w+)", self._variable, word) for word in shlex.split(command.replace("\\\n", " "))]
        given: dict[str, str] = {}
        while "=" in words[0]:
            name, _, value = words.pop(0).partition("=")
            given[name] = value
        first, *rest = words
        match first:
            case "cd":
                self._go(self.cli.folder / rest[0])
            case "export":
                self._go(self.cli.folder, **dict(word.split("=", 1) for word in rest))
            case "curl":
                return _curl(rest)
            case "python":
                return self._serve(rest)
            case "circulate":
                return self._circulate(rest, given)
            case _:
                return self._commands[first](self.cli, rest)
        return ""

    def _variable(self, found: re.Match[str]) -> str:
        return self.cli.environment[found[1]]

    def _go(self, folder: Path, **settings: str) -> None:
        self.cli = Cli(folder, self.cli.environment | settings, self.cli.place)

    def _serve(self, words: list[str]) -> str:
        """Start a server, and take the settings that it prints, as its reader does in another terminal."""
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        served = self._stack.enter_context(subprocess.Popen([sys.executable, *words], cwd=self.cli.folder, **pipes))
        assert served.stdout is not None
        line: str = served.stdout.readline()
        self._go(self.cli.folder, **dict(word.split("=", 1) for word in line.split()[1:]))
        return line

    def _circulate(self, words: list[str], given: Mapping[str, str]) -> str:
        *words, aside = words if words[-2:-1] == ["2>"] else [*words, ""]
        words = [word for word in words if word != "2>"]
        done = self.cli(*words, *self._more.get(words[0], []), **given)
        if aside:
            write(self.cli.folder / aside, done.err)
        # What is for people comes first where there is something for programs, too.
        text = (done.out if aside else "") or done.err + done.out
        return text.replace(str(self.cli.folder), _HOME).replace(str(self._start), _HOME)


def _commands(text: str) -> Iterator[tuple[str, str]]:
    """Give commands, and what is shown behind each."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        lines = part.splitlines(keepends=True)
        count = next(number for number, line in enumerate(lines, 1) if not line.endswith("\\\n"))
        yield "".join(lines[:count]).rstrip("\n"), "".join(lines[count:])


def _normal(text: str) -> str:
    for pattern, replacement in _DIFFERS:
        text = re.sub(pattern, replacement, text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def _curl(words: list[str]) -> str:
    """Request an address as curl does, which is not everywhere."""
    *flags, url = words
    with urllib.request.urlopen(urllib.request.Request(url)) as reply:
        body: str = reply.read().decode()
        head = [
            f"HTTP/1.1 {reply.status} {reply.reason}",
            *(f"{name}: {value}" for name, value in reply.headers.items()),
        ]
    return "\n".join([*head, "", body, ""] if "-si" in flags else [body, ""])
