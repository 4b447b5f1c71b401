"""`circulate verify`: read back what manifests name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import circulate_core
from circulate_core.cli.exit_codes import FAILED
from circulate_core.cli.options import add_bucket_owner_option, add_state_option, lake_of_flags, s3_options
from circulate_core.console import counted, paint, say, size
from circulate_core.exceptions import SettingsError
from circulate_core.upkeep import mark_committed

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from circulate_core.results import Verified


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `circulate verify`."""
    parser.add_argument(
        "what",
        metavar="MANIFEST|LAKE",
        nargs="?",
        help="a manifest's index (LAKE/_circulate/....json), or a lake: then the last complete run of each of its"
        " streams (default: the lake of this folder)",
    )
    parser.add_argument(
        "--mark",
        action="store_true",
        help="write the markers of runs that state says are committed, for a lake that was pulled to before there were"
        " any (nothing else is read)",
    )
    add_state_option(parser)
    add_bucket_owner_option(parser)
    parser.add_argument("--json", action="store_true", help="write what was found as JSON, a line a manifest")


def run(args: argparse.Namespace) -> int:
    """Read back everything that manifests name."""
    if args.mark:
        return _mark(args)
    results = [_verify(args, manifest, state) for manifest, state in _manifests(args)]
    return FAILED if any(verified.problems for verified in results) else 0


def _mark(args: argparse.Namespace) -> int:
    if args.what is not None and args.what.endswith(".json"):
        message = "`--mark` is for a lake, and this is a manifest"
        raise SettingsError(message, hint="name the lake that it is in")
    args.to = None if args.what is None else _lake(args.what)
    lake = lake_of_flags(args)
    marked = mark_committed(lake)
    if args.json:
        print(json.dumps(marked))
    there = f", {counted(marked['there'], 'marker')} there" if marked["there"] else ""
    say(f"{paint('✓', 'green')} {lake.location}: {counted(marked['created'], 'marker')} written{there}")
    if marked["elsewhere"]:
        say(f"  {counted(marked['elsewhere'], 'committed run')} of this state elsewhere: their manifests are not here")
    return 0


def _manifests(args: argparse.Namespace) -> Iterator[tuple[str, str | None]]:
    """Yield the manifests that are meant, and the state that must agree."""
    if args.what is not None and args.what.endswith(".json"):
        yield args.what, args.state
        return
    args.to = None if args.what is None else _lake(args.what)
    lake = lake_of_flags(args)
    runs = [stream.last_complete for stream in circulate_core.state(lake) if stream.last_complete]
    # A lake that was moved or copied has its runs where it is now; a state of its own place may know other lakes, too.
    keys = [run.manifest for run in runs if args.state is None or run.destination.rstrip("/") == lake.location]
    found = [f"{lake.location}/{key}" for key in keys if key]
    if not found:
        message = f"no complete run was pulled to {lake.location}, by the state {lake.state}"
        raise SettingsError(message, hint="name a manifest: a pull shows it when it is done")
    for manifest in found:
        yield manifest, lake.state


def _lake(named: str) -> str:
    """Return the lake that a folder of manifests is in; what is something else is the lake itself."""
    parts = named.rstrip("/").split("/")
    return "/".join(parts[: parts.index("_circulate")]) or "." if "_circulate" in parts else named


def _verify(args: argparse.Namespace, manifest: str, state: str | None) -> Verified:
    verified = circulate_core.verify(manifest, state=state, s3=s3_options(args))
    if args.json:
        print(json.dumps(verified.to_dict()))
    what = f"{verified.stream} of {verified.account}, run {verified.run_id}"
    for problem in verified.problems:
        say(f"{paint('✗', 'red')} {problem}")
    if verified.problems:
        say(f"{paint('✗', 'red')} {what}: {counted(len(verified.problems), 'problem')}")
        return verified
    say(
        f"{paint('✓', 'green')} {what}: {counted(verified.objects, 'object')} read back, digests and counts right,"
        f" {counted(verified.records, 'record')}, {size(verified.bytes)}"
    )
    return verified
