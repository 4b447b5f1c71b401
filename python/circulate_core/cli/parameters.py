"""Flags for what an operation, or a playbook, takes: made of its definition."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circulate_core.cli.options import named_catalog
from circulate_core.exceptions import SettingsError
from circulate_core.operation import type_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from circulate_core.types import ParameterDefinition

FILE = "@"
"""What a value begins with that is in a file."""


def catalog_of_words(words: Sequence[str]) -> list[str | Path]:
    """Return the catalogs that the words of a command line name, before it is read as a whole."""
    before, _ = _catalog_options().parse_known_args(words)
    return named_catalog(before)


def _catalog_options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--catalog", action="append", default=[])
    parser.add_argument("--config", type=Path)
    return parser


def add_flags(parser: argparse.ArgumentParser, title: str, parameters: Mapping[str, ParameterDefinition]) -> None:
    """Declare a flag for each parameter, unless an option has it already."""
    group = parser.add_argument_group(title)
    for parameter, each in parameters.items():
        flag = _flag(parameter)
        if flag in parser._option_string_actions:  # noqa: SLF001 - there is no other way to know them
            continue
        needed = "" if "default" in each or each.get("optional") else " (required)"
        default = f" (default: {json.dumps(each['default'])})" if "default" in each else ""
        group.add_argument(
            flag,
            dest=f"parameter {parameter}",
            metavar=_metavar(each),
            default=argparse.SUPPRESS,
            help=f"{each['about'].rstrip('.')}{needed}{default}".replace("%", "%%"),
        )


def _flag(parameter: str) -> str:
    return f"--{parameter.replace('_', '-')}"


def _metavar(parameter: ParameterDefinition) -> str:
    kind = type_of(parameter)
    words = {bool: "true|false", int: "N", float: "N", dict: "JSON|@FILE", list: "JSON|@FILE"}
    return words.get(kind, "VALUE")


def given_by_flags(args: argparse.Namespace, parameters: Mapping[str, ParameterDefinition]) -> dict[str, Any]:
    """Return the parameters that flags give, each with the type that its schema says."""
    texts: dict[str, str] = {}
    mistakes = []
    for pair in args.parameter:
        name, equals, value = pair.partition("=")
        if not equals:
            mistakes.append(f"invalid `--parameter`: `{pair}` is not NAME=VALUE")
        texts[name] = value
    texts |= {name: vars(args)[f"parameter {name}"] for name in parameters if f"parameter {name}" in vars(args)}
    values: dict[str, Any] = {}
    for name, text in texts.items():
        try:
            values[name] = value_of(text, parameters.get(name, {"about": ""}))
        except ValueError as error:
            mistakes.append(f"invalid `{_flag(name)}`: {error}")
    if mistakes:
        raise SettingsError("; ".join(mistakes))
    return values


def value_of(text: str, parameter: ParameterDefinition) -> object:
    """Return a value as JSON has it.

    Raises:
        ValueError: It is not of the type that the schema says. The engine says what else is wrong.
    """
    kind = type_of(parameter)
    if kind is str:
        return text
    if text.startswith(FILE) and kind in {dict, list}:
        try:
            text = Path(text[1:]).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = f"cannot read {text[1:]}: {getattr(error, 'strerror', None) or error}"
            raise ValueError(why) from None
    try:
        return read_json(text)
    except ValueError as error:
        if kind is object:
            return text
        what = {bool: "true or false", int: "a whole number", float: "a number"}.get(kind, "JSON, or @FILE with JSON")
        why = f"expected {what}, given `{text[:100]}`" if kind in {bool, int, float} else f"it is not JSON: {error}"
        raise ValueError(why) from None


def read_json(text: str) -> object:
    """Return what a JSON text says.

    Raises:
        ValueError: It is none, or gives a member twice: nothing shows which one is meant.
    """
    return json.loads(text, object_pairs_hook=_members)


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        why = f"`{twice}` is there twice"
        raise ValueError(why)
    return members
