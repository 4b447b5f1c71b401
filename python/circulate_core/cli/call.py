"""`circulate call`: call an operation of an endpoint."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import circulate_core
from circulate_core import operations
from circulate_core.catalogs import stream_definition, stream_names
from circulate_core.cli.options import (
    account_arguments,
    add_account_options,
    gather_settings,
    positive,
)
from circulate_core.cli.parameters import add_flags, catalog_of_words, given_by_flags, read_json, value_of
from circulate_core.cli.plans import (
    add_ledger_option,
    add_plan_output_options,
    apply_unless_interrupted,
    show_applied,
    show_plan,
)
from circulate_core.console import say, table
from circulate_core.exceptions import DefinitionError, SettingsError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping, Sequence

    from circulate_core.cli.options import AccountArguments
    from circulate_core.types import Catalog, ParameterDefinition

_COMMANDS = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""What a terminal takes for commands, or shows in another order, and JSON does not escape of itself."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `circulate call`, but for the parameters of operations."""
    parser.add_argument(
        "operation",
        metavar="OPERATION",
        help="operation, such as okta.users.get; a source or an endpoint shows the operations that it has",
    )
    parser.add_argument(
        "-p",
        "--parameter",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="a parameter of it, also one whose flag is taken; `circulate call OPERATION --help` shows all",
    )
    group = parser.add_argument_group("operations that change something")
    which = group.add_mutually_exclusive_group()
    which.add_argument("--plan", action="store_true", help="plan it, and change nothing (the default)")
    which.add_argument("--yes", action="store_true", help="plan it and apply the plan, also if it is destructive")
    group.add_argument(
        "--from",
        dest="file",
        metavar="FILE",
        help="parameters of many calls: CSV with a heading, or a JSON object per line",
    )
    group.add_argument("--max", metavar="N", type=positive, help="the most calls of a plan (default: 25)")
    add_ledger_option(group)
    add_plan_output_options(group)
    add_account_options(parser)


def add_parameters(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    """Declare a flag for each parameter of the operation that the command line names, behind `call`."""
    named = next((word for word in arguments[:1] if not word.startswith("-")), None)
    if named is None:
        return
    catalog = catalog_of_words(arguments[1:])
    if _is_listed(named, stream_names(catalog=catalog)):
        return
    operation = operations.operation_definition(named, catalog=catalog)[1]
    parser.description = operation["about"]
    add_flags(parser, f"parameters of {named}", operation.get("parameters", {}))


def run(args: argparse.Namespace) -> int:
    """Call an operation, and write what it returns as JSON."""
    names = stream_names(catalog=args.catalog)
    if _is_listed(args.operation, names):
        return _list(args.operation, names, args.catalog)
    definition, operation = operations.operation_definition(args.operation, catalog=args.catalog)
    parameters = operation.get("parameters", {})
    given = given_by_flags(args, parameters)
    known = account_arguments(args, gather_settings(args, definition["source"]))
    if operation["kind"] != "investigate":
        return _change(args, given, parameters, known)
    if args.plan or args.yes or args.file:
        message = f"{args.operation} changes nothing: it is called, without a plan"
        raise SettingsError(message)
    returned = operations.call(args.operation, given, **known)
    if returned is not None:
        print(_COMMANDS.sub(_escaped, json.dumps(returned, indent=2, ensure_ascii=False)))
    return 0


def _escaped(character: re.Match[str]) -> str:
    return f"\\u{ord(character[0]):04x}"


def _list(named: str, names: Sequence[str], catalog: Catalog) -> int:
    """Write the operations that a source or an endpoint has."""
    rows = [
        [f"{stream}.{name}", each["kind"], each["about"]]
        for stream in names
        if stream == named or stream.startswith(f"{named}.")
        for name, each in stream_definition(stream, catalog=catalog)["endpoint"].get("operations", {}).items()
    ]
    if not rows:
        message = f"{named} has no operations"
        raise DefinitionError(message, hint="its lists are pulled: `circulate list` shows them")
    print(table([["OPERATION", "KIND", "WHAT"], *rows]))
    say(f"`circulate call {rows[0][0]} --help` shows its parameters")
    return 0


def _change(
    args: argparse.Namespace,
    given: dict[str, Any],
    parameters: Mapping[str, ParameterDefinition],
    known: AccountArguments,
) -> int:
    """Plan an operation that changes something, and apply the plan if that was said."""
    calls = [given] if args.file is None else [{**given, **call} for call in _calls_in(args.file, parameters)]
    plan = circulate_core.plan(args.operation, calls, max_calls=args.max, ledger=args.ledger, **known)
    if not args.yes:
        show_plan(plan, as_json=args.json)
        return 0
    if not args.json:
        show_plan(plan, as_json=False, is_applied=True)
    return show_applied(apply_unless_interrupted(plan, yes=True, ledger=args.ledger, **known), args)


def _calls_in(name: str, parameters: Mapping[str, ParameterDefinition]) -> list[dict[str, Any]]:
    """Return the parameters of calls that a file holds.

    Raises:
        SettingsError: It cannot be read, or a line of it is wrong. All of these are named.
    """
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        message = f"cannot read {name}: {getattr(error, 'strerror', None) or error}"
        raise SettingsError(message) from None
    mistakes: list[str] = []
    read = _lines if text.lstrip().startswith("{") else _rows
    calls = list(read(name, text, parameters, mistakes))
    if mistakes or not calls:
        raise SettingsError("; ".join(mistakes) or f"{name} has no calls")
    return calls


def _lines(name: str, text: str, _: Mapping[str, ParameterDefinition], mistakes: list[str]) -> Iterator[dict[str, Any]]:
    """Yield the objects of lines of JSON, and note the lines that are wrong."""
    # Other ends of lines, such as U+2028, may stand within a text.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            call = read_json(line)
        except ValueError as error:
            mistakes.append(f"{name}:{number}: it is not JSON: {error}")
            continue
        if isinstance(call, dict):
            yield call
        else:
            mistakes.append(f"{name}:{number}: it is not a JSON object")


def _rows(
    name: str, text: str, parameters: Mapping[str, ParameterDefinition], mistakes: list[str]
) -> Iterator[dict[str, Any]]:
    """Yield the rows of CSV by their heading, and note the rows that are wrong. An empty field gives nothing."""
    rows = csv.DictReader(io.StringIO(text))
    twice = sorted(key for key, count in Counter(rows.fieldnames or ()).items() if count > 1)
    if twice:
        mistakes.append(f"{name}:1: the heading has `{'`, `'.join(twice)}` more than once")
        return
    for row in rows:
        if None in row or None in row.values():
            mistakes.append(f"{name}:{rows.line_num}: it has more or fewer fields than the heading")
            continue
        call: dict[str, Any] = {}
        for key, value in row.items():
            try:
                call |= {key: value_of(value, parameters.get(key, {"about": ""}))} if value else {}
            except ValueError as error:
                mistakes.append(f"{name}:{rows.line_num}: invalid `{key}`: {error}")
        yield call


def _is_listed(named: str, names: Sequence[str]) -> bool:
    """Return whether the name is that of a source or an endpoint."""
    return any(name == named or name.startswith(f"{named}.") for name in names)
