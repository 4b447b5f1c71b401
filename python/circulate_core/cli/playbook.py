"""`circulate playbook`: operations that are done one after the other, and undone in reverse."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from circulate_core import _core, playbooks
from circulate_core.call_documents import short
from circulate_core.catalogs import source_definition
from circulate_core.cli.exit_codes import EXIT_CODES
from circulate_core.cli.options import account_arguments, add_account_options, add_catalog_option, gather_settings
from circulate_core.cli.parameters import add_flags, catalog_of_words, given_by_flags
from circulate_core.cli.plans import add_ledger_option, call_lines
from circulate_core.console import counted, paint, say, table
from circulate_core.plans import PlannedCall
from circulate_core.playbooks.asl import functions_of
from circulate_core.playbooks.definition import read_playbook, shipped_names, source_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from circulate_core.playbooks.results import PlaybookRun, PlaybookStep

_MARKS = {
    "complete": ("✓", "green"),
    "nothing_to_undo": ("-", "dim"),
    "failed": ("✗", "red"),
    "planned": ("•", "yellow"),
    "not_begun": ("·", "dim"),
}
_NAMED = "name of a shipped playbook, or file of your own"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommands of `circulate playbook`, but for the inputs of playbooks."""
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(name: str, about: str, named: str | None) -> argparse.ArgumentParser:
        command = commands.add_parser(
            name, help=about, description=f"{about[0].upper()}{about[1:]}.", allow_abbrev=False
        )
        if named:
            command.add_argument("named", metavar="PLAYBOOK", help=named)
        return command

    listing = add("list", "list the playbooks that are shipped", None)
    listing.set_defaults(playbook_command=_list)
    show = add("show", "show what a playbook does, and what it takes", _NAMED)
    add_catalog_option(show)
    show.set_defaults(playbook_command=_show)
    run = add("run", "plan what a playbook would do, or do it", _NAMED)
    run.add_argument(
        "-p",
        "--parameter",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="an input of it, also one whose flag is taken; `circulate playbook run PLAYBOOK --help` shows all",
    )
    run.add_argument("--resume", metavar="RUN", help="go on with a run that was stopped, with its inputs")
    run.set_defaults(playbook_command=_run)
    undo = add("undo", "plan the undoing of what a run did, or do it", None)
    undo.add_argument("run_name", metavar="RUN", help="the run, or a file with its document")
    undo.set_defaults(playbook_command=_undo)
    for command, what in ((run, "do it, destructive steps included"), (undo, "undo it")):
        command.add_argument("--yes", action="store_true", help=f"{what} (default: show what would be done)")
        command.add_argument("--lease", metavar="TIME", default="60s", help="lease time of a call (default: 60s)")
        add_ledger_option(command)
        command.add_argument("--json", action="store_true", help="write the document of the run as JSON")
        add_account_options(command)
    compiling = add("compile", "write a playbook as a state machine in Amazon States Language", _NAMED)
    compiling.add_argument("--undo", action="store_true", help="write the one that undoes it")
    add_catalog_option(compiling)
    compiling.set_defaults(playbook_command=_compile)


def add_inputs(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    """Declare a flag for each input of the playbook that the command line names, behind `playbook run`."""
    words = [word for word in arguments[:2] if not word.startswith("-")]
    if len(words) < 2 or words[0] != "run":  # noqa: PLR2004 - the command, and the playbook
        return
    written = read_playbook(words[1], catalog=catalog_of_words(arguments[2:]))
    command = next(action for action in parser._actions if action.dest == "==SUPPRESS==")  # noqa: SLF001 - see `cli.main`
    run: argparse.ArgumentParser = command.choices["run"]  # type: ignore[index]
    run.description = written.definition["about"]
    add_flags(run, f"inputs of {written.name}", written.inputs)


def run(args: argparse.Namespace) -> int:
    """Run one of them."""
    try:
        return int(args.playbook_command(args))
    except KeyboardInterrupt as stopped:
        for how in getattr(stopped, "__notes__", []):
            say(f"stopped: {how}")
        raise


def _list(_args: argparse.Namespace) -> int:
    rows = []
    for name in shipped_names():
        written = read_playbook(name)
        rows.append([name, counted(len(written.steps), "step"), written.definition["about"].partition(". ")[0]])
    print(table([["PLAYBOOK", "STEPS", "WHAT"], *rows]))
    say(f"`circulate playbook show {rows[0][0]}` shows its steps; one of your own is named by its file")
    return 0


def _show(args: argparse.Namespace) -> int:
    written = read_playbook(args.named, catalog=args.catalog)
    # As a terminal can take it: the file may be anybody's.
    print(f"{paint(written.name, 'bold')}: {_core.shown(written.definition['about'].strip())}")
    for name, each in written.inputs.items():
        default = f" Default: {json.dumps(each['default'])}." if "default" in each else ""
        print(f"  input {name}: {_core.shown(each['about'].rstrip('.'))}.{default}")
    rows = [["STEP", "OPERATION", "KIND", "IF IT FAILS", "UNDONE BY"]]
    for step in written.steps:
        operation = written.operations[step["operation"]]
        kind = f"{operation['kind']}, destructive" if operation.get("destructive") else operation["kind"]
        way = operation.get("undo", {})
        undone_by = "" if written.reads(step) else way.get("operation") or f"nothing: {way.get('none')}"
        rows.append([step["id"], step["operation"], kind, step.get("on_failure", "end"), undone_by])
    print(table(rows))
    print(f"on AWS it calls the functions of {', '.join(functions_of(written))}")
    return 0


def _compile(args: argparse.Namespace) -> int:
    from circulate_core.playbooks.asl import compiled  # noqa: PLC0415 - for those who deploy it

    sys.stdout.write(compiled(read_playbook(args.named, catalog=args.catalog), undo=args.undo))
    return 0


def _run(args: argparse.Namespace) -> int:
    written = read_playbook(args.named, catalog=args.catalog)
    given = given_by_flags(args, written.inputs)
    playbook = playbooks.Playbook(written, _accounts(args, written.sources))
    shown = _Steps(quiet=args.json)
    done = playbook.run(given, yes=args.yes, resume=args.resume, lease=args.lease, on_step=shown.show)
    if args.json:
        print(json.dumps(done.to_dict()))
        return _exit_code(done)
    shown.show_rest(done)
    if not args.yes:
        if done.status == "planned":
            say("nothing was changed; `--yes` plans each step again when it comes to it, and applies it")
        return _exit_code(done)
    if done.undo:
        say("what was done is undone, the last step first")
        _Steps().show_rest(done.undo)
    say(f"{done.status}: run {done.run}")
    if any(step.plan for step in done.steps) and not (done.undo and done.undo.status == "complete"):
        say(f"`circulate playbook undo {done.run}` plans the way back")
    return _exit_code(done)


def _undo(args: argparse.Namespace) -> int:
    document = playbooks.run_document(args.run_name)
    sources = sorted({source_of(step["operation"]) for step in document["steps"]})
    shown = _Steps(quiet=args.json)
    done = playbooks.undo_run(document, _accounts(args, sources), yes=args.yes, lease=args.lease, on_step=shown.show)
    if args.json:
        print(json.dumps(done.to_dict()))
        return _exit_code(done)
    shown.show_rest(done)
    if not args.yes:
        say("nothing was changed; `--yes` undoes it, in this order")
    elif done.status == "complete":
        say(f"undone: run {done.undoes}")
    else:
        say(f"not undone to its end; `circulate playbook undo {args.run_name} --yes` goes on once it can")
    return _exit_code(done)


class _Steps:
    """Writes what became of steps, each once.

    Args:
        quiet: Write nothing.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._shown: set[str] = set()

    def show(self, step: PlaybookStep, *, is_over: bool = False) -> None:
        """Write what became of a step. What has not begun when a run is over never will."""
        self._shown.add(step.id)
        if not self._quiet:
            mark, colour = _MARKS[step.status]
            what, *lines = _lines(step, is_over=is_over)
            print(f"{paint(mark, colour)} {step.id}: {what}", *(f"    {line}" for line in lines), sep="\n", flush=True)

    def show_rest(self, run: PlaybookRun) -> None:
        """Write what became of the steps of a run that were not written yet."""
        for step in run.steps:
            if step.id not in self._shown:
                self.show(step, is_over=run.status in {"failed", "partial"})


def _lines(step: PlaybookStep, *, is_over: bool) -> list[str]:
    """Return what became of a step, in a line, and what it is about, in others."""
    planned = step.planned or {}
    if step.status == "nothing_to_undo":
        if why := planned.get("no_undo"):
            return [f"nothing undoes it: {why}"]
        by = planned.get("undone_by")
        return [f"it was undone by {by}" if by else "nothing of it had an effect"]
    named = short(step.plan) if step.plan else step.operation
    lines: list[str] = []
    if planned:
        (call,) = planned["calls"]
        lines += call_lines(PlannedCall.from_dict({"before": None, **call}))
        lines += [f"destructive; nothing undoes it: {planned['no_undo']}"] if _is_lost(planned) else []
    calls = (step.result or {}).get("calls", [])
    lines += [_core.shown(call["note"]) for call in calls if call.get("note")]
    lines += [_core.shown(step.error.Cause, lines=True)] if step.error else []
    if step.status == "not_begun":
        later = "not as things are now" if step.error else "planned when the steps before it are done"
        return [f"{named}: {'not begun' if is_over else later}", *lines]
    status = calls[0]["status"] if calls else {"complete": "read"}.get(step.status, step.status)
    return [f"{named}: {paint(status, _MARKS[step.status][1])}", *lines]


def _is_lost(planned: Mapping[str, Any]) -> bool:
    return bool(planned.get("destructive") and planned.get("no_undo"))


def _exit_code(done: PlaybookRun) -> int:
    return 0 if done.status == "planned" else EXIT_CODES[done.status]


def _accounts(args: argparse.Namespace, sources: list[str]) -> playbooks.Accounts:
    given = {"--account": args.account, "--profile": args.profile, "--set": args.set, "--secret": args.secret}
    playbooks.require_one_source(sources, given)
    known = {}
    for name in sources:
        source = source_definition(name, catalog=args.catalog)
        known[name] = account_arguments(args, gather_settings(args, source))
    return playbooks.Accounts(known, args.ledger)
