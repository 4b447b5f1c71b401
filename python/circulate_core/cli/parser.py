"""Reading the command line: what is wrong with it is said first and in a line, with what was probably meant."""

from __future__ import annotations

import argparse
import re
import textwrap
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn

from circulate_core.cli.exit_codes import USAGE
from circulate_core.console import show_mistake

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from circulate_core.exceptions import CirculateError

_INVALID_CHOICE = re.compile(r"argument (?P<name>.+?): invalid choice: '(?P<given>.*)' \(choose from")
_NO_INTEGER = "invalid int value: "
_OF_ARGUMENT = re.compile(r"argument (?P<name>.+?): (?P<what>.*)", re.DOTALL)


OF_PARAMETERS = "read parameters"
"""What the engine does when parameters of an operation are wrong. They may share a name with an option."""


class Help(argparse.HelpFormatter):
    """Help that reads the same in every version of Python, and breaks no line within a word that can be typed."""

    def add_argument(self, action: argparse.Action) -> None:
        """Note how much room an argument needs; for commands with their indentation, as Python does from 3.13 on."""
        super().add_argument(action)
        for command in self._iter_indented_subactions(action):
            needed = len(self._format_action_invocation(command)) + self._current_indent
            self._action_max_length = max(self._action_max_length, needed)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        """Return the flags of an option with its value once, at the end, as Python does from 3.13 on."""
        if not action.option_strings or action.nargs == 0:
            return super()._format_action_invocation(action)
        value = self._format_args(action, self._get_default_metavar_for_optional(action))
        return f"{', '.join(action.option_strings)} {value}"

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(" ".join(text.split()), width, break_on_hyphens=False)


class Parser(argparse.ArgumentParser):
    """A parser of arguments that shows usage only when it is asked to.

    Attributes:
        commands: The parsers of its commands, by name.
    """

    commands: Mapping[str, argparse.ArgumentParser] = MappingProxyType({})

    def __init__(self, **given: Any) -> None:  # noqa: ANN401 - passed on
        super().__init__(formatter_class=Help, **given)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and end."""
        raise SystemExit(refuse(*self._in_our_words(message), self.prog))

    def _in_our_words(self, message: str) -> tuple[str, str | None]:
        """Return what `argparse` has to say as we say it, and what was probably meant."""
        if missing := message.partition("the following arguments are required: ")[2]:
            return f"missing: {', '.join(self._named(name) for name in missing.split(', '))}", None
        if found := _INVALID_CHOICE.match(message):
            choices = list(self._choices(found["name"]))
            meant = nearest(found["given"], choices)
            # Commands are an action like any other.
            what = "there is no command" if found["name"] == "COMMAND" else f"invalid `{found['name']}`:"
            rest = "" if found["name"] == "COMMAND" else f"; it is one of {', '.join(choices)}"
            return f"{what} `{found['given']}`{rest}", f"did you mean `{meant}`?" if meant else None
        if found := _OF_ARGUMENT.match(message):
            what = found["what"].replace(_NO_INTEGER, "expected a whole number, given ")
            return f"invalid `{found['name']}`: {what}", None
        return message, None

    def _named(self, name: str) -> str:
        """Return an argument with the name of its value: `--to PLACE`."""
        action = next((each for each in self._actions if name in each.option_strings), None)
        return f"`{name} {action.metavar}`" if action and isinstance(action.metavar, str) else f"`{name}`"

    def _choices(self, name: str) -> Iterable[str]:
        for action in self._actions:
            if name in {"/".join(action.option_strings), action.metavar, action.dest}:
                return [str(each) for each in action.choices or ()]
        return ()


def refuse(message: str, hint: str | None, program: str) -> int:
    """Say what is wrong with the arguments, and return the exit code of that."""
    show_mistake(message, hint or f"`{program} --help` shows how it is used")
    return USAGE


def unknown_flags(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """Yield each long flag that a parser and its commands do not know, with the one that was probably meant."""
    known = set(_flags(parser))
    for argument in arguments:
        if argument == "--":
            return
        flag = argument.partition("=")[0]
        if flag.startswith("--") and flag not in known:
            yield flag, nearest(flag, known)


def _flags(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:  # noqa: SLF001 - there is no other way to know them
        yield from action.option_strings
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - as above
            for command in action.choices.values():
                yield from _flags(command)


def nearest(given: str, known: Iterable[str]) -> str | None:
    """Return the known word that is closest to what was given, if it is close enough to be meant."""
    from difflib import get_close_matches  # noqa: PLC0415 - for mistakes only

    return next(iter(get_close_matches(given, list(known), 1)), None)


def say_error(error: CirculateError, flags: Mapping[str, str]) -> None:
    """Write an error of the engine or of options, with the flags of options in the place of their names in Python.

    Args:
        error: What went wrong. What was found in a config file, say, names its keys, and is written as it is.
        flags: The flags of the command, by the names that their values have in Python.
    """

    def by_flags(text: str) -> str:
        return re.sub(r"`([a-z_0-9]+)`", lambda found: f"`{flags.get(found[1], found[1])}`", text)

    if error.operation and error.operation != OF_PARAMETERS:
        show_mistake(by_flags(str(error)), by_flags(error.hint or ""))
    else:
        show_mistake(str(error), error.hint)
