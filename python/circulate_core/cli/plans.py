"""`circulate apply`, `approve`, `undo` and `ledger`: plans of operations, and what became of them."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import circulate_core
from circulate_core import _core, changing, operations
from circulate_core.catalogs import source_definition, stream_definition
from circulate_core.cli.exit_codes import EXIT_CODES
from circulate_core.cli.options import account_arguments, add_account_options, gather_settings, positive
from circulate_core.cli.signals import interrupting_on_signals
from circulate_core.console import counted, paint, say, table

if TYPE_CHECKING:
    import argparse

    from circulate_core.cli.options import AccountArguments
    from circulate_core.plans import Applied, LedgerEntry, Plan, PlannedCall

_COLOURS = {"verified": "green", "accepted": "green", "failed": "red", "unknown": "red"}
_MAX_VALUE = 60
"""Characters of a value that is shown; `--json` writes all of it."""


def add_ledger_option(parser: argparse._ActionsContainer) -> None:
    """Declare `--ledger`."""
    parser.add_argument(
        "--ledger",
        metavar="PLACE",
        help="state file or dynamodb://table of plans and the ledger (default: CIRCULATE_LEDGER, else the user's)",
    )


def add_plan_output_options(parser: argparse._ActionsContainer) -> None:
    """Declare how plans and what became of them are written."""
    parser.add_argument("--json", action="store_true", help="write the plan, or what became of it, as JSON")
    parser.add_argument(
        "--show-secrets",
        action="store_true",
        help="show secrets of responses, such as one-time links, which are kept nowhere",
    )


def _add_plan(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("plan", metavar="PLAN", help="plan, such as okta.users.suspend@3f9c1a2b4d5e")
    add_ledger_option(parser)


def add_apply_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `circulate apply`."""
    _add_plan(parser)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--yes", action="store_true", help="agree to it, which a destructive plan needs")
    which.add_argument("--approved-by", metavar="NAME", help="who has approved it instead")
    parser.add_argument("--lease", metavar="TIME", default="60s", help="lease time of a call (default: 60s)")
    add_plan_output_options(parser)
    add_account_options(parser)


def add_approve_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `circulate approve`."""
    _add_plan(parser)
    parser.add_argument("--good-for", metavar="TIME", help="how long the approval can be used (default: 1h)")
    parser.add_argument("--json", action="store_true", help="write the approval as JSON")
    add_account_options(parser)


def add_undo_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `circulate undo`."""
    _add_plan(parser)
    parser.add_argument("--yes", action="store_true", help="apply the plan that undoes it")
    parser.add_argument("--max", metavar="N", type=positive, help="the most calls of a plan (default: 25)")
    add_plan_output_options(parser)
    add_account_options(parser)


def add_ledger_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `circulate ledger`."""
    parser.add_argument("source", metavar="SOURCE", help="source, such as okta")
    parser.add_argument("--limit", metavar="N", type=positive, default=20, help="number of rows to show (default: 20)")
    add_ledger_option(parser)
    parser.add_argument("--json", action="store_true", help="write a JSON object per row")
    add_account_options(parser)


def run_apply(args: argparse.Namespace) -> int:
    """Apply a plan."""
    known = _known(args)
    how: dict[str, Any] = {"yes": args.yes, "approved_by": args.approved_by, "lease": args.lease}
    applied = apply_unless_interrupted(args.plan, ledger=args.ledger, **how, **known)
    return show_applied(applied, args)


def run_approve(args: argparse.Namespace) -> int:
    """Approve a plan."""
    known: dict[str, Any] = {**_known(args)}
    known.pop("headroom")
    approval = circulate_core.approve(args.plan, good_for=args.good_for, ledger=args.ledger, **known)
    if args.json:
        print(json.dumps(approval.to_dict()))
    else:
        until = approval.expires_at.isoformat(timespec="seconds")
        print(f"{_core.shown(approval.approver)} approves {args.plan} until {until}")
        say(f"`circulate apply {args.plan} --approved-by {approval.approver}` applies it")
    return 0


def run_undo(args: argparse.Namespace) -> int:
    """Plan the undoing of a plan, and apply that if it was said."""
    known = _known(args)
    plan = circulate_core.undo(args.plan, max_calls=args.max, ledger=args.ledger, **known)
    if not args.yes:
        show_plan(plan, as_json=args.json)
        return 0
    if not args.json:
        show_plan(plan, as_json=False, is_applied=True)
    return show_applied(apply_unless_interrupted(plan, yes=True, ledger=args.ledger, **known), args)


def run_ledger(args: argparse.Namespace) -> int:
    """Write the rows of the ledger."""
    definition = source_definition(args.source, catalog=args.catalog)
    known: dict[str, Any] = {**account_arguments(args, gather_settings(args, definition))}
    known.pop("headroom")
    rows = circulate_core.ledger(args.source, limit=args.limit, ledger=args.ledger, **known)
    if args.json:
        for row in rows:
            print(json.dumps(row.to_dict()))
        return 0
    heading = ["BEGAN", "CALL", "STATUS", "PARAMETERS", "BY", "NOTE"]
    print(table([heading, *map(_row, rows)]) if rows else "nothing was done yet")
    return 0


def _known(args: argparse.Namespace) -> AccountArguments:
    operation, _ = changing.reference(args.plan)
    stream, _ = operations.split(operation)
    source = stream_definition(stream, catalog=args.catalog)["source"]
    return account_arguments(args, gather_settings(args, source))


def apply_unless_interrupted(plan: Plan | str, **how: Any) -> Applied:  # noqa: ANN401 - of `circulate_core.apply`
    """Apply a plan; what was begun is recorded before a signal ends it."""
    with interrupting_on_signals():
        return circulate_core.apply(plan, **how)


def show_plan(plan: Plan, *, as_json: bool, is_applied: bool = False) -> None:
    """Write what a plan would do, and how it is applied unless that is being done."""
    if as_json:
        json.dump(plan.to_dict(), sys.stdout)
        sys.stdout.write("\n")
        return
    brake = paint("destructive", "red") if plan.destructive else plan.kind
    print(f"{paint(plan.operation, 'bold')} ({brake}) of {plan.account}: {counted(len(plan.calls), 'call')}")
    for call in plan.calls:
        for line in call_lines(call):
            print(f"  {line}")
    if plan.no_read_back:
        print(f"  nothing reads it back: {plan.no_read_back}")
    if plan.no_undo:
        print(f"  nothing undoes it: {plan.no_undo}")
    if is_applied:
        return
    print(f"plan {plan.name}, good until {plan.expires_at.isoformat(timespec='seconds')}")
    how = f"circulate apply {plan.name}{' --yes' if plan.destructive else ''}"
    say(f"nothing was changed; `{how}` applies it")


def call_lines(call: PlannedCall) -> list[str]:
    """Return what a call would send and change, a line each."""
    request = f"{call.request.method} {call.request.url}"
    body = f"  {_short(call.request.body)}" if call.request.body else ""
    if call.unchanged:
        return [f"{request}: it is so already, and will not be sent"]
    changes = [
        f"  {_short(change.pointer) or 'object'}: {_value(change.before)} → {_value(change.after)}"
        for change in call.changes
    ]
    return [f"{request}{body}", *changes]


def show_applied(applied: Applied, args: argparse.Namespace) -> int:
    """Write what became of a plan, and return the exit code."""
    if args.json:
        document = applied.to_dict()
        if not args.show_secrets:
            document["secrets"] = {call: dict.fromkeys(secrets, "***") for call, secrets in document["secrets"].items()}
        print(json.dumps(document))
    else:
        for entry in applied.entries:
            note = f": {_core.shown(entry.note)}" if entry.note else ""
            print(f"{paint(entry.status, _COLOURS.get(entry.status, 'yellow'))} {entry.id}{note}")
            for pointer, secret in applied.secrets.get(entry.id, {}).items():
                shown = _plain(secret) if args.show_secrets else "*** (--show-secrets would have shown it)"
                print(f"  {pointer}: {shown}")
        if applied.stopped_by:
            say(f"the calls that follow were not made: {applied.stopped_by}")
        if any(entry.had_effect for entry in applied.entries):
            first = applied.entries[0]
            say(f"`circulate undo {first.operation}@{applied.plan[:12]}` plans the way back, if there is one")
    return EXIT_CODES[applied.status]


def _plain(secret: object) -> str:
    """Return a secret as it is, unless a terminal would take it for commands."""
    return secret if isinstance(secret, str) and secret.isprintable() else json.dumps(secret)


def _row(row: LedgerEntry) -> list[str]:
    by = row.requested_by if row.approved_by in {None, row.requested_by} else f"{row.requested_by}, {row.approved_by}"
    parameters = ", ".join(f"{name}={_value(value)}" for name, value in row.call.parameters.items())
    began = row.began_at.isoformat(timespec="seconds").replace("+00:00", "Z")
    return [began, row.id, row.status, _short(parameters), _short(by), _short(row.note or "")]


def _value(value: object) -> str:
    return _short(
        "nothing" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    )


def _short(text: str) -> str:
    shown = _core.shown(text, limit=_MAX_VALUE + 1)
    return shown if len(shown) <= _MAX_VALUE else f"{shown[: _MAX_VALUE - 1]}…"
