"""`circulate try`: look at the address of a list, and propose its definition."""

from __future__ import annotations

import getpass
import json
import os
import sys
from typing import TYPE_CHECKING

import circulate_core
from circulate_core import _core
from circulate_core.cli.record_table import record_table
from circulate_core.console import counted, is_terminal, paint, say

if TYPE_CHECKING:
    import argparse

    from circulate_core.authoring.proposal import Proposal

_COLOURS = {"probed": "green", "inferred": "yellow", "given": "yellow", "unknown": "red"}
_SHOWN = 5
"""Records of the table."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `circulate try`."""
    parser.add_argument("url", metavar="URL", help="address of a list, such as https://api.acme.example/v1/tickets")
    parser.add_argument(
        "--auth",
        metavar="WAY",
        help="bearer, basic, header:NAME, header:NAME:PREFIX, query:NAME (default: none). What proves it comes from the"
        " environment, such as ACME_TOKEN, or is asked for",
    )
    parser.add_argument(
        "--name", metavar="SOURCE.ENDPOINT", help="what to call it (default: after the host and the path)"
    )
    parser.add_argument(
        "--records", metavar="POINTER", help="where the records are, if there are several arrays: /data"
    )
    parser.add_argument(
        "--filter", metavar="NAME", help="a parameter that leaves out what is older than a time, to be tried"
    )
    parser.add_argument("--save", metavar="DIR", help="write the definition into this folder of definitions")
    parser.add_argument("--json", action="store_true", help="write the definition and what shows it as JSON")


def run(args: argparse.Namespace) -> int:
    """Look, and show what was found."""
    from circulate_core.authoring.proposing import address, names, ways_of  # noqa: PLC0415 - for this command only

    source, _ = names(address(args.url), args.name)
    proposal = circulate_core.propose(
        args.url,
        name=args.name,
        auth=args.auth,
        settings=_asked(source, ways_of(args.auth)),
        records=args.records,
        filter=args.filter,
        on_request=lambda url: say(paint(f"GET {_core.shown(url)}", "dim")),
    )
    if args.json:
        print(json.dumps(proposal.to_dict()))
    else:
        _show(proposal)
    if args.save is not None:
        for path in proposal.save(args.save):
            say(f"wrote {path}")
        return 0
    if proposal.paginator is not None and not args.json:
        say(f"`--save definitions` writes it; then `circulate pull {proposal.name} --catalog definitions --to ./lake`")
    return 0


def _asked(source: str, ways: list[object]) -> dict[str, str]:
    """Return the settings that a person at the terminal gives for those that the environment does not have."""
    if sys.stdin is None or not sys.stdin.isatty() or not is_terminal():
        return {}
    needed = [name for way in ways if isinstance(way, dict) for name in _settings_of(way)]
    missing = [name for name in needed if f"{source}_{name}".upper() not in os.environ]
    return {name: getpass.getpass(f"{name} of {source} (not shown, not kept): ") for name in missing}


def _settings_of(way: dict[str, object]) -> list[str]:
    ((kind, rule),) = way.items()
    if isinstance(rule, dict):
        return [rule["user"], rule["password"]] if kind == "basic" else [rule["secret"]]
    return [str(rule)]


def _show(proposal: Proposal) -> None:
    records, hidden = record_table(proposal.sample[:_SHOWN])
    more = f", {counted(hidden, 'more column')}" if hidden else ""
    print(records)
    print(paint(f"{counted(len(proposal.sample), 'record')} on the page, the first {_SHOWN} shown{more}", "dim"))
    print()
    for finding in proposal.findings:
        print(f"{paint(finding.key, 'bold')}: {'?' if finding.value is None else _plain(finding.value)}")
        evidence = f": {_core.shown(finding.evidence, limit=1_000)}" if finding.evidence else ""
        print(f"  {paint(finding.status, _COLOURS[finding.status])}{evidence}")
    print()
    if proposal.paginator is None:
        say("nothing can be pulled while the paginator is not known")
    else:
        print(proposal.text.rstrip())
    say(paint(counted(proposal.requests, "request"), "dim"))


def _plain(value: object) -> str:
    return _core.shown(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), limit=400)
