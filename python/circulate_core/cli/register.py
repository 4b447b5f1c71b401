"""`circulate register`: bring runs into tables of the Glue Data Catalog."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import circulate_core
from circulate_core.cli.exit_codes import EXIT_CODES, INTERRUPTED
from circulate_core.cli.options import add_options, given_options, s3_options
from circulate_core.cli.signals import stopping_on_signals
from circulate_core.console import counted, paint, say, size, span
from circulate_core.exceptions import SettingsError, StateError
from circulate_core.progress import ALWAYS, Fact, TerminalProgress, amount
from circulate_core.registering import run_manifests

if TYPE_CHECKING:
    import argparse

    from circulate_core.results import Registered, Snapshot


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `circulate register`."""
    parser.add_argument(
        "manifest", metavar="MANIFEST", help="the run's manifest, LAKE/_circulate/....json; or LAKE, for all its runs"
    )
    parser.add_argument("--stream", metavar="STREAM", help="of a lake only the runs of this stream")
    parser.add_argument("--to", metavar="PLACE", required=True, help="s3://bucket/prefix for files of tables")
    parser.add_argument("--database", metavar="NAME", required=True, help="database of the Glue Data Catalog")
    parser.add_argument("--json", action="store_true", help="write the report to stdout as a line of JSON")
    add_options(parser, "register")
    add_options(parser, "s3")


class RegistrationProgress(TerminalProgress):
    """Shows snapshots of a registration."""

    def _facts(self, snapshot: Snapshot, left: str | None) -> list[Fact]:
        facts = [Fact(self.title, ALWAYS), Fact(amount(snapshot) or "begins", ALWAYS)]
        return [*facts, Fact(left, 4)] if left else facts


def run(args: argparse.Namespace) -> int:
    """Register a run, or all runs of a place, and show what was done."""
    options = {**given_options(args, "register"), "s3": s3_options(args)}
    if args.manifest.endswith(".json"):
        if args.stream:
            message = "`--stream` chooses among the runs of a place, and a manifest is of one run"
            raise SettingsError(message, hint="leave it out, or give the place")
        return _register(args, args.manifest, options)
    manifests = run_manifests(args.manifest, args.stream, s3=options["s3"])
    codes, skipped = [], []
    for manifest in manifests:
        try:
            codes.append(_register(args, manifest, options))
        except StateError as error:
            # One that is pending, or was given up.
            skipped.append(f"{manifest.rpartition('/')[2].removesuffix('.json')}: {error}")
        if codes and codes[-1] == INTERRUPTED:
            return INTERRUPTED
    for each in skipped:
        say(f"{paint('-', 'yellow')} not registered: {each}")
    return max(codes, default=0)


def _register(args: argparse.Namespace, manifest: str, options: dict[str, Any]) -> int:
    """Register a run, show its progress and its summary."""
    began, stop = time.monotonic(), circulate_core.Stop()
    with stopping_on_signals(stop), RegistrationProgress("register") as progress:
        registered = circulate_core.register(
            manifest, to=args.to, database=args.database, on_progress=progress.show, stop=stop, **options
        )
    _show(registered, time.monotonic() - began)
    if args.json:
        print(json.dumps(registered.to_dict()))
    return INTERRUPTED if registered.stopped_by == "interrupted" else EXIT_CODES[registered.status]


def _show(registered: Registered, seconds: float) -> None:
    """Write the closing summary to stderr."""
    what = f"{paint(registered.stream, 'bold')} of {registered.account}, run {registered.run_id}"
    if registered.status == "partial":
        say(f"{paint('◐', 'yellow')} {what}: not registered, stopped by {registered.stopped_by}")
        say("  nobody sees any of it: the same command starts over")
        return
    already = "already registered" if registered.found else f"registered in {span(seconds)}"
    say(f"{paint('✓', 'green')} {what}: {already}")
    deletes = f", {counted(registered.deletes, 'deletion')}" if registered.deletes else ""
    say(
        f"  {counted(registered.records, 'record')}{deletes} in {counted(registered.files, 'file')},"
        f" {size(registered.bytes)}"
    )
    if registered.without_key:
        say(f"  {counted(registered.without_key, 'record')} without a key: no later version replaces them")
    say(f"  current  {registered.database}.{registered.view}")
    say(f"  history  {registered.database}.{registered.table}")
