"""Help as people see it, of every command and of every command below it."""

import argparse
from collections.abc import Iterator

import pytest
from support.cli import Cli
from support.snapshots import SNAPSHOTS, assert_snapshot

from circulate_core.cli.main import build_parser
from circulate_core.cli.parser import Help


def commands(parser: argparse.ArgumentParser, *named: str) -> Iterator[tuple[str, ...]]:
    """Yield the words of each command that a parser has."""
    yield named
    for action in parser._actions:  # noqa: SLF001 - there is no other way to know them
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - as above
            for name, command in action.choices.items():
                yield from commands(command, *named, name)


COMMANDS = [words for words in commands(build_parser()) if words != ("help",)]


def file_of(words: tuple[str, ...]) -> str:
    return "-".join(("circulate", *words))


@pytest.mark.parametrize("words", COMMANDS, ids=file_of)
def test_help_is_as_it_was(cli: Cli, words: tuple[str, ...]) -> None:
    done = cli(*words, "--help", COLUMNS="100", NO_COLOR="1")
    assert (done.code, done.err) == (0, "")
    assert_snapshot(f"help/{file_of(words)}", done.out)


def test_no_help_is_left_of_a_command_that_there_is_not() -> None:
    assert {path.stem for path in (SNAPSHOTS / "help").iterdir()} == set(map(file_of, COMMANDS))


def test_a_flag_has_its_value_once_and_words_are_not_broken() -> None:
    parser = argparse.ArgumentParser(formatter_class=lambda prog: Help(prog, width=60))
    parser.add_argument("-n", "--records", metavar="N", help="record limit, of what is-not-to-be-broken-here")
    shown = parser.format_help()
    assert "-n, --records N" in shown
    assert "is-not-to-be-broken-here" in shown
