"""Entry point: the commands and their exit codes.

Exit codes: 0 complete, 1 failed, 2 usage or definition error, 3 partial, 4 busy, 130 interrupted at a checkpoint.
"""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import suppress
from importlib import import_module
from typing import NamedTuple

import circulate_core
from circulate_core import _core
from circulate_core.cli.exit_codes import FAILED, INTERRUPTED, USAGE
from circulate_core.cli.parser import Parser, nearest, refuse, say_error, unknown_flags
from circulate_core.console import noting, quietly, show_error, show_mistake, showing_events
from circulate_core.exceptions import CirculateError, DefinitionError, EarlierKeyWarning, SettingsError


class Command(NamedTuple):
    """A command: what it does, and where its code is."""

    about: str
    module: str
    add_arguments: str = "add_arguments"
    run: str = "run"
    add_by_words: str | None = None
    """The function that declares options which depend on the words behind the command."""


COMMANDS = {
    "pull": Command("bring streams up to date in a folder or a bucket", "cli.pull"),
    "list": Command("list the streams", "cli.listing"),
    "describe": Command("show what a source or a stream is", "cli.describe"),
    "check": Command("check the settings and lists of a source", "cli.checks"),
    "try": Command("look at the address of a list, and propose its definition", "cli.trying"),
    "sample": Command("show the first records of a stream", "cli.sample"),
    "schema": Command("show the columns of a stream's table", "cli.sample", "add_schema_arguments", "run_schema"),
    "import": Command("write definitions of an API that a document describes", "cli.imports"),
    "call": Command("call an operation of an endpoint", "cli.call", add_by_words="add_parameters"),
    "apply": Command("apply a plan of an operation", "cli.plans", "add_apply_arguments", "run_apply"),
    "approve": Command("approve a plan that somebody else made", "cli.plans", "add_approve_arguments", "run_approve"),
    "undo": Command("plan the undoing of what a plan did", "cli.plans", "add_undo_arguments", "run_undo"),
    "ledger": Command("show what was done to an account", "cli.plans", "add_ledger_arguments", "run_ledger"),
    "playbook": Command("run playbooks of operations, and undo them", "cli.playbook", add_by_words="add_inputs"),
    "show": Command("show the tables of a lake, or one of them", "cli.show"),
    "sql": Command("run a query over the tables of a lake", "cli.sql"),
    "runs": Command("show earlier runs", "cli.runs"),
    "verify": Command("read back every object of a manifest or a lake", "cli.verify"),
    "promote": Command("copy a run into a place for readers", "cli.promote"),
    "register": Command("bring runs into tables that Athena reads", "cli.register"),
    "state": Command("show state, reset it, settle pending runs", "cli.state"),
    "gc": Command("remove objects that no manifest names", "cli.gc"),
    "init": Command("make a project for sources of your own", "cli.init"),
    "new": Command("add a list of an API to a project, with its function and its test", "cli.new"),
    "record": Command("record a pull of a stream, for tests", "cli.record"),
    "replay": Command("pull a recorded stream again, with faults on the way", "cli.replay"),
    "local": Command("run Lambda functions on this machine as AWS runs them", "cli.local"),
    "package": Command("make zips of Lambda functions and layers", "cli.package"),
    "demo": Command("watch the main job run against a practice org", "cli.demo"),
    "practice-org": Command("run an Okta-shaped server on loopback to pull from", "cli.practice_org"),
    "practice-list": Command("serve a list on loopback in any style of paging", "cli.practice_list"),
    "completion": Command("write the script that completes commands in a shell", "cli.completion"),
}
HELP = "show the help of a command"


def entry() -> None:
    """Run the command that the process was started with, and end the process."""
    try:
        code = main(sys.argv[1:])
        _flush()
    except BrokenPipeError:
        # The reader of our output has seen enough; Python would complain once more at exit.
        sys.stdout = None
        code = FAILED
    if _core.hooks_at_work():
        # They can't be stopped, and Python would wait for them, or stumble over them, when it ends.
        _core.log_out()
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                with suppress(OSError):
                    stream.flush()
        os._exit(code)
    sys.exit(code)


def _flush() -> None:
    """Write what is left for stdout while there is somebody to say that nobody reads it."""
    if sys.stdout is not None:
        sys.stdout.flush()


def main(arguments: list[str]) -> int:
    """Run one command and return its exit code, whatever it ended by.

    Raises:
        BrokenPipeError: Nobody reads what it writes.
    """
    flags: dict[str, str] = {}
    try:
        return _run(arguments, flags)
    except DefinitionError as error:
        show_error(error)
        return USAGE
    except CirculateError as error:
        say_error(error, flags)
        return USAGE if isinstance(error, SettingsError) else FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        raise
    except OSError as error:
        # Such as of a full disk that stdout is on.
        show_mistake(f"cannot write: {error.strerror or error}")
        return FAILED
    except SystemExit as end:
        # `argparse` ends so, after wrong usage and after help.
        return int(end.code or 0)


def _run(arguments: list[str], flags: dict[str, str]) -> int:
    """Run a command; fill in the flags that its options have."""
    if arguments[:1] == ["help"]:
        arguments = [*arguments[1:], "--help"]
    named = next((word for word in arguments if not word.startswith("-")), "")
    parser = build_parser(named)
    if named and named not in parser.commands:
        meant = nearest(named, parser.commands)
        return refuse(f"there is no command `{named}`", f"did you mean `{meant}`?" if meant else None, parser.prog)
    if named and (add_by_words := COMMANDS[named].add_by_words if named in COMMANDS else None):
        module = import_module(f"circulate_core.{COMMANDS[named].module}")
        getattr(module, add_by_words)(parser.commands[named], arguments[arguments.index(named) + 1 :])
    if unknown := list(unknown_flags(parser, arguments)):
        meant = ", ".join(dict.fromkeys(f"`{flag}`" for _, flag in unknown if flag))
        what = f"no such option: {', '.join(f'`{flag}`' for flag, _ in unknown)}"
        return refuse(what, f"did you mean {meant}?" if meant else None, f"{parser.prog} {named}".strip())
    flags |= _flags_of(parser.commands.get(named))
    args, left = parser.parse_known_args(arguments)
    if left and hasattr(args, "streams"):
        # Streams may stand behind options, too.
        args.streams += left
    elif left:
        return refuse(f"too many arguments: {' '.join(left)}", None, f"{parser.prog} {named}")
    args.flags = flags
    if hasattr(args, "catalog"):
        from circulate_core.cli.options import named_catalog  # noqa: PLC0415 - for commands that use definitions

        args.catalog = named_catalog(args)
    with (
        quietly(quiet=getattr(args, "quiet", False)),
        showing_events(getattr(args, "verbose", 0)),
        noting(EarlierKeyWarning),
    ):
        return int(args.run(args))


def build_parser(named: str | None = None) -> Parser:
    """Declare all commands.

    Args:
        named: The command whose options are declared, since those of some take long to load. Default: of all.
    """
    parser = Parser(
        prog="circulate", description="Complete, exactly accounted data out of SaaS APIs.", epilog=_EXIT_CODES
    )
    parser.add_argument("--version", action="version", version=f"circulate {circulate_core.__version__}")
    _add_verbosity(parser)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, each in COMMANDS.items():
        command = commands.add_parser(
            name, help=each.about, description=f"{each.about[0].upper()}{each.about[1:]}.", allow_abbrev=False
        )
        if named in {None, name}:
            module = import_module(f"circulate_core.{each.module}")
            getattr(module, each.add_arguments)(command)
            command.set_defaults(run=getattr(module, each.run), build_parser=build_parser)
            _add_verbosity(command)
    commands.add_parser("help", help=HELP)
    parser.commands = commands.choices
    return parser


def _add_verbosity(parser: argparse.ArgumentParser) -> None:
    """Declare the options that every command has, also of the commands of a command."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "-q", "--quiet", action="store_true", default=argparse.SUPPRESS, help="write nothing but errors to stderr"
    )
    which.add_argument(
        "-v",
        "--verbose",
        action="count",
        default=argparse.SUPPRESS,
        help="write what happens to runs to stderr, too; twice (-vv) each object",
    )
    for action in parser._actions:  # noqa: SLF001 - there is no other way to know them
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - as above
            for command in action.choices.values():
                _add_verbosity(command)


def _flags_of(parser: argparse.ArgumentParser | None) -> dict[str, str]:
    """Return the flags of a command, by the names that their values have in Python."""
    flags: dict[str, str] = {}
    for action in [] if parser is None else parser._actions:  # noqa: SLF001 - as above
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - as above
            for command in action.choices.values():
                flags |= _flags_of(command)
        elif action.option_strings:
            flags[action.dest] = action.option_strings[-1]
    return flags


_EXIT_CODES = "exit codes: 0 complete, 1 failed, 2 usage or definition error, 3 partial, 4 busy, 130 interrupted"

if __name__ == "__main__":
    entry()
