"""`circulate state`: manual work on runs and cursors."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import circulate_core
from circulate_core import _core
from circulate_core.cli.options import add_lake_options, lake_of_flags
from circulate_core.cli.streams import STREAMS, matching
from circulate_core.console import counted, paint, say, utc
from circulate_core.exceptions import SettingsError
from circulate_core.lakes import state_of

if TYPE_CHECKING:
    import argparse

    from circulate_core.results import StreamState


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommands of `circulate state`."""
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(name: str, about: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=about, description=f"{about[0].upper()}{about[1:]}.")

    show = add("show", "show cursors, open and pending runs, and who holds them")
    show.add_argument("--json", action="store_true", help="write the state as JSON")
    show.set_defaults(state_command=_show)
    init = add("init", "create the state: a file, or a DynamoDB table")
    init.set_defaults(state_command=_init)
    reset = add("reset", "forget a stream's cursor: the next pull takes everything")
    reset.add_argument("streams", metavar="STREAM", nargs="+", help=STREAMS)
    reset.add_argument("--account", metavar="NAME", help="account, if there are several")
    _add_force(reset)
    reset.set_defaults(state_command=_reset)
    moved = add("moved", "accept the new address of an account")
    moved.add_argument("source", metavar="SOURCE", help="source, such as okta")
    moved.add_argument("--account", metavar="NAME", help="account, if there are several")
    moved.set_defaults(state_command=_moved)
    for name, about in (("commit", "commit a pending run and its cursor"), ("abandon", "abandon a pending run")):
        decide = add(name, about)
        decide.add_argument("run_id", metavar="RUN", help="the run, as `circulate runs --json` shows it")
        if name == "abandon":
            _add_force(decide)
        decide.set_defaults(state_command=_decide, commit=name == "commit", force=False)
    for command in commands.choices.values():
        add_lake_options(command)


def run(args: argparse.Namespace) -> int:
    """Run one of them."""
    return int(args.state_command(args, state_of(lake_of_flags(args))))


def _add_force(parser: argparse.ArgumentParser) -> None:
    about = (
        "even if the run's promotion has begun (copied objects stay in the target), or if a worker holds it:"
        " for leases that a wrong clock keeps alive"
    )
    parser.add_argument("--force", action="store_true", help=about)


def _init(_args: argparse.Namespace, path: str) -> int:
    made = _core.state_init(path)
    say(f"{paint('✓', 'green')} {path} {'was created' if made else 'exists already'}")
    return 0


def _show(args: argparse.Namespace, path: str) -> int:
    streams = circulate_core.state(path)
    if args.json:
        print(json.dumps([stream.to_dict() for stream in streams]))
        return 0
    for stream in streams:
        _show_stream(stream)
    return 0


def _show_stream(stream: StreamState) -> None:
    print(f"{stream.stream} of {stream.account}")
    print(f"  address        {stream.address or 'noted by the next pull'}")
    print(f"  destination    {stream.destination or 'none yet'}")
    cursor = stream.cursor
    begins = f"from {utc(cursor.since)}" if cursor else "takes everything"
    print(f"  next run       {begins}")
    for label, run in (("last attempt", stream.last_attempt), ("last complete", stream.last_complete)):
        if run:
            records = counted(run.ledger.totals.records, "record")
            print(f"  {label:<14} {utc(run.started_at)}  {run.status}  {run.mode}  {records}  {run.run_id}")
    if unsettled := stream.open_run:
        print(f"  {unsettled.status:<14} {unsettled.run_id}  {_holder(stream)}")


def _holder(stream: StreamState) -> str:
    run = stream.open_run
    if run and run.status == "pending" and run.pending_until:
        return f"waits to be committed or abandoned until {utc(run.pending_until)}"
    if stream.held_until:
        return f"held by {stream.worker} until {utc(stream.held_until)}"
    why = run.ledger.stopped_by if run else None
    return f"free: the next pull resumes it ({why or 'its worker died'})"


def _account(args: argparse.Namespace, named: str, accounts: list[str]) -> str:
    """Return the account that is meant, of those that a stream or source has in a state."""
    account = args.account or (accounts[0] if len(accounts) == 1 else None)
    if account not in accounts:
        what = f"no account `{account}`" if account else counted(len(accounts), "account")
        message = f"{named} has {what} in this state"
        raise SettingsError(message, hint=f"name one with --account: {', '.join(accounts)}" if accounts else None)
    return str(account)


def _moved(args: argparse.Namespace, path: str) -> int:
    of_source = [s.account for s in circulate_core.state(path) if s.stream.partition(".")[0] == args.source]
    account = _account(args, args.source, sorted(set(of_source)))
    before = _core.state_moved(path, args.source, account)
    say(f"{paint('✓', 'green')} {account} may be at another address than {before or 'before'}")
    say("  the next pull notes the new one and goes on; an unfinished run of the old one starts over")
    return 0


def _reset(args: argparse.Namespace, path: str) -> int:
    known = circulate_core.state(path)
    streams = matching(args.streams, sorted({each.stream for each in known}))
    # All are looked up before the first is reset.
    accounts = [_account(args, name, [each.account for each in known if each.stream == name]) for name in streams]
    for stream, account in zip(streams, accounts, strict=True):
        source, _, endpoint = stream.partition(".")
        _core.state_reset(path, f"{source}#{account}#{endpoint}", args.force)
        say(f"{paint('✓', 'green')} {stream} of {account} is reset: the next pull takes everything")
    return 0


def _decide(args: argparse.Namespace, path: str) -> int:
    found = [run for run in circulate_core.runs(path, limit=1_000_000) if run.run_id == args.run_id]
    if not found:
        message = f"this state has no run `{args.run_id}`"
        raise SettingsError(message, hint="`circulate runs --json` shows them")
    source, _, endpoint = found[0].stream.partition(".")
    _core.state_decide(path, f"{source}#{found[0].account}#{endpoint}", args.run_id, args.commit, args.force)
    say(f"{paint('✓', 'green')} run {args.run_id} is {'committed' if args.commit else 'abandoned'}")
    if args.commit:
        say("  if it was waiting for a target, readers get it by `circulate promote`")
    return 0
