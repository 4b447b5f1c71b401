"""`circulate pull`: bring streams up to date in a folder or a bucket."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import circulate_core
from circulate_core import _core
from circulate_core.accounts import account_of
from circulate_core.backfilling import missing_periods
from circulate_core.catalogs import stream_definition, stream_names
from circulate_core.cli.exit_codes import EXIT_CODES, INTERRUPTED
from circulate_core.cli.options import (
    account_arguments,
    add_account_options,
    add_options,
    add_state_option,
    gather_settings,
    given_options,
    s3_options,
)
from circulate_core.cli.parser import say_error
from circulate_core.cli.signals import stopping_on_signals
from circulate_core.cli.streams import STREAMS, matching
from circulate_core.cli.summary import show_ways_to_settle, summary_of
from circulate_core.console import say
from circulate_core.exceptions import CirculateError, SettingsError
from circulate_core.lakes import Lake
from circulate_core.progress import TerminalProgress

if TYPE_CHECKING:
    import argparse

    from circulate_core.cli.summary import Summary
    from circulate_core.results import Report
    from circulate_core.settings import Configured
    from circulate_core.types import Definition

SEVERITY = [EXIT_CODES[status] for status in ("complete", "busy", "partial", "failed")]
"""Exit codes from the best to the worst."""


NO_FLAGS = frozenset({"mode", "parents", "unattended", "continuation", "idempotency_key", "worker_ends"})
"""Options of a pull that are for programs, and the mode, which is `--full`."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `circulate pull`."""
    parser.add_argument("streams", metavar="STREAM", nargs="+", help=STREAMS)
    parser.add_argument(
        "--to", metavar="PLACE", required=True, help="folder or s3://bucket/prefix for objects and manifests"
    )
    add_state_option(parser)
    parser.add_argument("--full", action="store_true", help="pull everything, not only what changed since the last run")
    parser.add_argument(
        "--backfill",
        action="store_true",
        help="pull what earlier runs have left out; circulate runs --coverage shows it",
    )
    parser.add_argument("--json", action="store_true", help="write each report to stdout as a line of JSON")
    add_options(parser, "pull", but=NO_FLAGS)
    add_options(parser, "s3")
    add_account_options(parser)


def run(args: argparse.Namespace) -> int:
    """Pull one stream after the other, parents before their children, and return the worst exit code."""
    options = given_options(args, "pull") | ({"mode": "full"} if args.full else {})
    if args.backfill and (flags := [name for name in ("full", "since", "until") if getattr(args, name, None)]):
        message = f"--backfill is given with --{flags[0]}: what it pulls is what is missing"
        raise SettingsError(message, hint="leave one of the flags out")
    lake = Lake(args.to, state=args.state, s3=s3_options(args))
    _core.check_lake(lake)
    names = matching(args.streams, stream_names(catalog=args.catalog))
    definitions = parents_first([stream_definition(name, catalog=args.catalog) for name in names])
    settings = [gather_settings(args, definition["source"]) for definition in definitions]
    deadline = _core.span_seconds("deadline", options["deadline"]) if "deadline" in options else None
    began = time.monotonic()
    stop = circulate_core.Stop()
    codes: list[int] = []
    manifests: dict[str, str] = {}
    summary = summary_of([stream_name(definition) for definition in definitions])
    with stopping_on_signals(stop):
        for definition, configured in zip(definitions, settings, strict=True):
            name, parent = stream_name(definition), parent_name(definition)
            left = None if deadline is None else deadline - (time.monotonic() - began)
            if stop.requested or (left is not None and left <= 0):
                summary.not_started(name)
                codes.append(EXIT_CODES["partial"])
                continue
            given = {**options, "deadline": left, "parents": manifests.get(parent or "")}
            try:
                if args.backfill:
                    codes.append(_backfill(args, definition, lake=lake, settings=configured, stop=stop, options=given))
                    continue
                report = _pull(args, name, summary, lake=lake, settings=configured, stop=stop, options=given)
            except CirculateError as error:
                if len(definitions) == 1:
                    raise
                say_error(error, args.flags)
                codes.append(EXIT_CODES["failed"])
                continue
            if report.status == "complete" and report.manifest:
                manifests[name] = report.manifest
            codes.append(EXIT_CODES[report.status])
    summary.end(time.monotonic() - began)
    return INTERRUPTED if stop.requested else max(codes, key=SEVERITY.index)


def parents_first(definitions: list[Definition]) -> list[Definition]:
    """Return each definition once, parents before their children, otherwise in the order given."""
    unique = {stream_name(definition): definition for definition in definitions}

    def parents_given(definition: Definition) -> int:
        parent = unique.get(parent_name(definition) or "")
        return 0 if parent is None else 1 + parents_given(parent)

    return sorted(unique.values(), key=parents_given)


def stream_name(definition: Definition) -> str:
    """Return `source.endpoint`."""
    return f"{definition['source']['source']}.{definition['endpoint']['endpoint']}"


def parent_name(definition: Definition) -> str | None:
    """Return `source.endpoint` of the parent of a child stream."""
    parent = definition["endpoint"]["list"].get("parent")
    return f"{definition['source']['source']}.{parent['endpoint']}" if parent else None


def _backfill(  # noqa: PLR0913 - as `_pull`
    args: argparse.Namespace,
    definition: Definition,
    *,
    lake: Lake,
    settings: Configured,
    stop: circulate_core.Stop,
    options: dict[str, Any],
) -> int:
    """Pull each period that is missing of a stream; return the worst exit code."""
    name, known = stream_name(definition), account_arguments(args, settings)
    account = _core.account_name(account_of(None, **known), definition["source"]["source"])
    wanted = missing_periods(lake, definition, account)
    if not wanted:
        say(f"{name} of {account}: nothing is missing that can be had")
    codes = [EXIT_CODES["complete"]]
    for period in wanted:
        if stop.requested:
            codes.append(EXIT_CODES["partial"])
            break
        given = {**options, **period.options}
        summary = summary_of([name])
        codes.append(
            EXIT_CODES[_pull(args, name, summary, lake=lake, settings=settings, stop=stop, options=given).status]
        )
    return max(codes, key=SEVERITY.index)


def _pull(  # noqa: PLR0913 - each is a different thing, given once
    args: argparse.Namespace,
    name: str,
    summary: Summary,
    *,
    lake: Lake,
    settings: Configured,
    stop: circulate_core.Stop,
    options: dict[str, Any],
) -> Report:
    """Pull one stream, show its progress and its summary."""
    began = time.monotonic()
    try:
        with TerminalProgress(name, place=summary.place(name)) as progress:
            report = circulate_core.pull(
                name,
                to=lake,
                **account_arguments(args, settings),
                on_progress=progress.show,
                stop=stop,
                **options,
            )
    except CirculateError as error:
        summary.failed(name, error.report, time.monotonic() - began)
        if error.report:
            write_json(args, error.report)
        raise
    summary.show(report, time.monotonic() - began)
    if "pending" in options and report.status == "complete":
        show_ways_to_settle(report)
    write_json(args, report)
    return report


def write_json(args: argparse.Namespace, report: Report) -> None:
    """Write the report to stdout, if `--json` is given."""
    if args.json:
        print(json.dumps(report.to_dict()))
