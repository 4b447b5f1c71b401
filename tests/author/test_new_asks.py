"""`circulate new` at a terminal: it asks for what is not given, and without a terminal it does not."""

import os
import pty
import subprocess

import pytest
from support.authored import TEST, WIDGETS, files_in, flags, run_test
from support.cli import Cli
from support.commands import PATIENCE
from support.packages import assert_reports
from support.terminal import read_or_nothing

ANSWERS = [
    *("https://api.acme.example", "bearer", "/v1/widgets", "/id"),
    # A word that is none is asked for once more.
    *("tokens", "token", "/meta/next", "cursor"),
    *("/items", "5", "limit"),
]


def talk(at_project: Cli, answers: list[str], *arguments: str) -> tuple[int, str]:
    """Run `circulate new acme.widgets` at a terminal; return its exit code and what was on the terminal."""
    ours, theirs = pty.openpty()
    command = at_project.command("new", "acme.widgets", *arguments)
    environment = at_project.environment | {"TERM": "xterm", "NO_COLOR": "1"}
    with subprocess.Popen(
        command, cwd=at_project.folder, env=environment, stdin=theirs, stderr=theirs, stdout=subprocess.DEVNULL
    ) as process:
        os.close(theirs)
        os.write(ours, "".join(f"{answer}\n" for answer in answers).encode())
        seen = b""
        while chunk := read_or_nothing(ours):
            seen += chunk
        code = process.wait(timeout=PATIENCE)
    os.close(ours)
    return code, seen.decode()


@pytest.mark.parametrize("agreed", ["", "y", "YES"])
def test_it_asks_for_all_that_it_needs(at_project: Cli, agreed: str) -> None:
    code, seen = talk(at_project, [*ANSWERS, agreed])
    assert code == 0, seen
    assert "token        gives a token that the next request takes" in seen
    assert "`tokens` is none of none, link_header, next_url, token" in seen
    assert "Write these files? [Y/n]" in seen
    run_test(at_project.folder / TEST, at_project.folder / "pulled")


def test_it_asks_only_for_what_is_not_given(at_project: Cli) -> None:
    given = [each for each in flags(WIDGETS) if not each.startswith(("--to", "--auth"))]
    code, seen = talk(at_project, ["bearer", "cursor", "y"], *given)
    assert code == 0, seen
    assert "page-size" not in seen
    run_test(at_project.folder / TEST, at_project.folder / "pulled")


def test_who_does_not_agree_gets_nothing(at_project: Cli) -> None:
    before = files_in(at_project.folder)
    code, seen = talk(at_project, ["n"], *flags(WIDGETS))
    assert code == 130, seen
    assert files_in(at_project.folder) == before


def test_an_end_of_input_ends_it(at_project: Cli) -> None:
    before = files_in(at_project.folder)
    code, _ = talk(at_project, ["https://api.acme.example", "\x04"])
    assert code == 130
    assert files_in(at_project.folder) == before


def test_yes_asks_nothing(at_project: Cli) -> None:
    code, seen = talk(at_project, [], "--yes")
    assert code == 2
    assert "missing: `--base-url`, `--auth`" in seen
    code, seen = talk(at_project, [], "--yes", *flags(WIDGETS))
    assert code == 0, seen


def test_without_a_terminal_nothing_is_asked(at_project: Cli) -> None:
    assert_reports(at_project.process("new", "acme.widgets"), 2, "missing: `--base-url`, `--auth`")
