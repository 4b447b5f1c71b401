"""`circulate replay`: pull a stream from a cassette, with faults on the way if they are wanted."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from circulate_core.cli.exit_codes import FAILED
from circulate_core.cli.options import add_catalog_option
from circulate_core.config import configured_catalog
from circulate_core.console import counted, paint, say, table

if TYPE_CHECKING:
    from circulate_core.authoring.cassettes.promises import Kept

_COLOURS = {"kept": "green", "skipped": "yellow", "broken": "red"}
_ALL = "all"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `circulate replay`."""
    parser.add_argument("cassette", metavar="CASSETTE", type=Path, help="file that `circulate record` wrote")
    parser.add_argument(
        "--faults",
        metavar="KIND",
        type=_faults,
        default=(),
        help="faults to make, one after the other, with commas between; or all: 429, 500, 502, 503, reset, truncated,"
        " stalled, repeated, html, expired, killed",
    )
    parser.add_argument(
        "--seed", metavar="N", type=int, default=0, help="chooses the requests that meet a fault (default: 0)"
    )
    parser.add_argument(
        "--json", action="store_true", help="write what came of each promise to stdout as a line of JSON"
    )
    add_catalog_option(parser)


def run(args: argparse.Namespace) -> int:
    """Try each promise, and show what came of it. A broken one ends it with 1."""
    from circulate_core.authoring.cassettes.cassette import Cassette  # noqa: PLC0415 - for this command only
    from circulate_core.authoring.cassettes.promises import COMPLETE, KEY, OfCassette, Trial  # noqa: PLC0415
    from circulate_core.authoring.cassettes.pulling import Workers  # noqa: PLC0415

    cassette = Cassette.read(args.cassette)
    subject = OfCassette(cassette, args.catalog or configured_catalog())
    with Workers() as engine:
        trial = Trial(subject, engine, args.seed)
        found = [trial.of(promise) for promise in (COMPLETE, KEY, *args.faults)]
    if args.json:
        for kept in found:
            print(json.dumps({**asdict(kept), "result": kept.word}))
    else:
        _show(found)
    if cassette.edited:
        say("the cassette was edited after it was recorded")
    for kept in found:
        if kept.broken:
            say(paint(kept.explained(), "red"))
    return FAILED if any(kept.broken for kept in found) else 0


def _show(found: list[Kept]) -> None:
    rows = [["PROMISE", "RESULT", "STATUS", "RECORDS", "LOST", "TWICE", ""]]
    for kept in found:
        seen = kept.skipped or kept.seen
        numbers = [f"{number:,}" for number in (kept.records, kept.lost, kept.twice)] if kept.status else [""] * 3
        rows.append([kept.promise, paint(kept.word, _COLOURS[kept.word]), kept.status, *numbers, f"{seen:.100}"])
    print(table(rows))
    broken = sum(bool(kept.broken) for kept in found)
    say(f"{counted(len(found), 'promise')}, {f'{broken} broken' if broken else 'none broken'}")


def _faults(text: str) -> tuple[str, ...]:
    from circulate_core.authoring.cassettes.faults import NAMES  # noqa: PLC0415 - for this command only

    if text == _ALL:
        return NAMES
    given = tuple(each.strip() for each in text.split(","))
    if unknown := [each for each in given if each not in NAMES]:
        message = f"no fault is named {', '.join(unknown)}; there are {', '.join((*NAMES, _ALL))}"
        raise argparse.ArgumentTypeError(message)
    return given
