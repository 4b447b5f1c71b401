"""Entry point: the commands and their exit codes.

Exit codes: 0 complete, 1 failed, 2 usage or definition error, 3 partial, 4 busy, 130 interrupted at a checkpoint.
"""

from __future__ import annotations

import argparse
import sys

import circulate_core
from circulate_core.cli import demo, inspect, local, package, promote, pull, state
from circulate_core.console import show_error
from circulate_core.exceptions import CirculateError, DefinitionError, SettingsError

FAILED = 1
USAGE = 2


def entry() -> None:
    """Run the command that the process was started with, and end the process."""
    try:
        code = main(sys.argv[1:])
    except BrokenPipeError:
        # The reader of our output has seen enough; Python would complain once more at exit.
        sys.stdout = None
        code = FAILED
    sys.exit(code)


def main(arguments: list[str]) -> int:
    """Run one command and return its exit code, whatever it ended by.

    Raises:
        BrokenPipeError: Nobody reads what it writes.
    """
    try:
        return _run(arguments)
    except (DefinitionError, SettingsError) as error:
        show_error(error)
        return USAGE
    except CirculateError as error:
        show_error(error)
        return FAILED
    except KeyboardInterrupt:
        return pull.INTERRUPTED
    except SystemExit as end:
        # `argparse` ends so, after wrong usage and after help.
        return int(end.code or 0)


def _run(arguments: list[str]) -> int:
    parser = build_parser(next((word for word in arguments if not word.startswith("-")), ""))
    args, left = parser.parse_known_args(arguments)
    if left:
        # Streams after an option are not taken for streams by `argparse`, and "unrecognized" would not say why.
        streams = args.run is pull.run and not any(word.startswith("-") for word in left)
        why = "name all streams before the options: " if streams else "unrecognized arguments: "
        parser.error(why + " ".join(left))
    return int(args.run(args))


def build_parser(named: str | None = None) -> argparse.ArgumentParser:
    """Declare all commands.

    Args:
        named: The command whose options are declared, since those of some take long to load. Default: all.
    """
    parser = argparse.ArgumentParser(
        prog="circulate", description="Complete, exactly accounted data out of SaaS APIs.", epilog=_EXIT_CODES
    )
    parser.add_argument("--version", action="version", version=f"circulate {circulate_core.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, about, add_arguments, run in (
        ("pull", "bring streams up to date in a folder or a bucket", pull.add_arguments, pull.run),
        ("list", "list the streams", inspect.add_list_arguments, inspect.run_list),
        ("check", "check the settings and lists of a source", inspect.add_check_arguments, inspect.run_check),
        ("runs", "show earlier runs", inspect.add_runs_arguments, inspect.run_runs),
        ("verify", "read back every object of a manifest", inspect.add_verify_arguments, inspect.run_verify),
        ("promote", "copy a run into a place for readers", promote.add_arguments, promote.run),
        ("state", "show state, reset it, settle pending runs", state.add_arguments, state.run),
        ("gc", "remove objects that no manifest names", state.add_gc_arguments, state.run_gc),
        ("local", "run Lambda functions on this machine as AWS runs them", local.add_arguments, local.run),
        ("package", "make zips of Lambda functions and layers", package.add_arguments, package.run),
        ("demo", "watch the main job run against a practice org", demo.add_arguments, demo.run),
    ):
        command = commands.add_parser(name, help=about, description=f"{about[0].upper()}{about[1:]}.")
        if named in {None, name}:
            add_arguments(command)
        command.set_defaults(run=run)
    about = "run an Okta-shaped server on loopback to pull from"
    command = commands.add_parser("practice-org", help=about, description=f"{about[0].upper()}{about[1:]}.")
    if named in {None, "practice-org"}:
        _declare_practice_org(command)
    return parser


def _declare_practice_org(command: argparse.ArgumentParser) -> None:
    try:
        from circulate_practice.server import command as practice  # noqa: PLC0415 - not part of the Lambda layer
    except ModuleNotFoundError:
        command.set_defaults(run=lambda _: command.error("this installation comes without the practice org"))
        return
    practice.add_arguments(command)
    command.set_defaults(run=practice.run)


_EXIT_CODES = "exit codes: 0 complete, 1 failed, 2 usage or definition error, 3 partial, 4 busy, 130 interrupted"

if __name__ == "__main__":
    entry()
