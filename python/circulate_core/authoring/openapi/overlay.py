"""Overlays: what a person says of an imported source. An import reads them and never writes them."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NoReturn

from circulate_core import _core
from circulate_core.authoring.openapi.naming import ENDPOINT_NAME
from circulate_core.exceptions import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_OPERATION = "read overlay"
_ROOT = ("source", "rules", "lists", "operations")
_RULE = ("paths", "parameters", "list")
_LIST = ("name", "leave_out", "about", "scopes", "columns", "list")
_OWN = ("name", "leave_out")


@dataclass(frozen=True)
class Rule:
    """What holds for all lists that look alike and whose paginator the documents do not say.

    Attributes:
        paths: Their paths, with `*` for anything.
        parameters: Parameters that they have.
        listed: Members of their `list`.
    """

    paths: str
    parameters: tuple[str, ...]
    listed: dict[str, Any]


@dataclass
class Overlay:
    """What a person says of an imported source.

    Attributes:
        path: The file; None if there is none.
        source: Members of `source.yaml`.
        rules: What holds for lists that look alike, the first one that fits.
        lists: Members of endpoints, by `GET /path`.
        operations: Members of operations, by `POST /path`.
        is_partial: Whether it may name what the documents do not have.
    """

    path: Path | None = None
    source: dict[str, Any] = field(default_factory=dict)
    rules: list[Rule] = field(default_factory=list)
    lists: dict[str, dict[str, Any]] = field(default_factory=dict)
    operations: dict[str, dict[str, Any]] = field(default_factory=dict)
    is_partial: bool = False

    def rule_for(self, path: str, parameters: Iterable[str]) -> Rule | None:
        """Return the first rule that fits a list."""
        names = set(parameters)
        fitting = (rule for rule in self.rules if fnmatchcase(path, rule.paths) and names.issuperset(rule.parameters))
        return next(fitting, None)

    def refuse_unknown(self, lists: Iterable[str], operations: Iterable[str]) -> None:
        """Refuse an overlay that names what the documents do not have.

        Raises:
            DefinitionError: All of these are named.
        """
        if self.is_partial:
            return
        mistakes = []
        everything = [*lists, *operations]
        for section, named in (("lists", self.lists), ("operations", self.operations)):
            for key in named:
                if key not in everything:
                    meant = get_close_matches(key, everything, 1)
                    mistakes.append(
                        f"{self.path}: `{section}`: the documents have no `{key}`"
                        + (f" (did you mean `{meant[0]}`?)" if meant else "")
                    )
        if mistakes:
            raise DefinitionError("\n".join(mistakes), operation=_OPERATION, hint="take it out, or name what there is")


def read_overlay(path: Path) -> Overlay:
    """Read an overlay; an empty one if there is no such file.

    Raises:
        DefinitionError: It is wrong. All mistakes are named.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Overlay()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        _refuse([f"{path}: {why}"])
    try:
        root = json.loads(_core.json_of_yaml(text))
    except ValueError as error:
        _refuse([f"{path}: {error}"])
    if root is None:
        return Overlay(path)
    mistakes: list[str] = []
    overlay = _overlay(path, root, mistakes)
    if mistakes:
        _refuse([f"{path}: {mistake}" for mistake in mistakes])
    return overlay


def _overlay(path: Path, root: object, mistakes: list[str]) -> Overlay:
    members = _mapping("the overlay", root, _ROOT, mistakes)
    overlay = Overlay(path, source=_mapping("`source`", members.get("source", {}), None, mistakes))
    rules = members.get("rules", [])
    if not isinstance(rules, list):
        mistakes.append("`rules` is a list of rules")
        rules = []
    for number, given in enumerate(rules, 1):
        rule = _mapping(f"rule {number}", given, _RULE, mistakes)
        names = rule.get("parameters", [])
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            mistakes.append(f"rule {number}: `parameters` is a list of names")
            names = []
        if not isinstance(rule.get("paths"), str):
            mistakes.append(f"rule {number}: `paths` is missing, such as /api/v1/*")
        listed = _mapping(f"`list` of rule {number}", rule.get("list", {}), None, mistakes)
        if not listed:
            mistakes.append(f"rule {number}: `list` is missing, such as {{paginator: link_header}}")
        overlay.rules.append(Rule(str(rule.get("paths")), tuple(names), listed))
    for section, keys in (("lists", _LIST), ("operations", None)):
        for key, given in _mapping(f"`{section}`", members.get(section, {}), None, mistakes).items():
            if not re.fullmatch(r"(GET|PUT|POST|DELETE|PATCH) /.*", key):
                mistakes.append(f"`{section}`: `{key}` is not an operation, such as `GET /users`")
            entry = _mapping(f"`{key}`", given, keys, mistakes)
            _check_own(key, entry, mistakes)
            getattr(overlay, section)[key] = entry
    _check_names(overlay, mistakes)
    return overlay


def _check_own(key: str, entry: dict[str, Any], mistakes: list[str]) -> None:
    """Check what an entry says to the importer."""
    name = entry.get("name", "name")
    if not isinstance(name, str) or not ENDPOINT_NAME.fullmatch(name):
        mistakes.append(f"`{key}`: `{name}` is not a name: use a-z, 0-9 and _, and begin with a letter")
    if not isinstance(entry.get("leave_out", False), bool):
        mistakes.append(f"`{key}`: `leave_out` is true or false")


def _check_names(overlay: Overlay, mistakes: list[str]) -> None:
    """Check that no two lists get the same file, nor one that of the source."""
    named: dict[str, str] = {}
    for key, entry in overlay.lists.items():
        name = entry.get("name")
        if name == "source":
            mistakes.append(f"`{key}`: a list cannot be named `source`: source.yaml is the file of the source")
        elif isinstance(name, str) and (other := named.setdefault(name, key)) != key:
            mistakes.append(f"`{other}` and `{key}` have the same name: `{name}`")


def _mapping(what: str, given: object, keys: tuple[str, ...] | None, mistakes: list[str]) -> dict[str, Any]:
    if not isinstance(given, dict):
        mistakes.append(f"{what} has keys and values")
        return {}
    for key in given:
        if keys is not None and key not in keys:
            meant = get_close_matches(key, keys, 1)
            mistakes.append(
                f"{what}: unknown key `{key}`"
                + (f" (did you mean `{meant[0]}`?)" if meant else "")
                + f"; the keys here are {', '.join(keys)}"
            )
    return given


def merged(below: Any, above: Any) -> Any:  # noqa: ANN401 - JSON
    """Return a document with what an overlay says of it: members are replaced one by one, and null takes one out.

    What names a kind by its only key, such as a paginator, is replaced as a whole.
    """
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return copy.deepcopy(above)
    result = dict(below)
    for key, value in above.items():
        if value is None:
            result.pop(key, None)
        elif key in {"paginator", "records", "body", "auth", "undo", "reads_back"}:
            result[key] = copy.deepcopy(value)
        else:
            result[key] = merged(result.get(key), value)
    return result


def own_members(entry: dict[str, Any]) -> dict[str, Any]:
    """Return what an entry says of a definition, without what it says to the importer."""
    return {key: value for key, value in entry.items() if key not in _OWN}


def _refuse(mistakes: list[str]) -> NoReturn:
    hint = "an overlay has `source`, `rules`, `lists` and `operations`; see the guide on importing"
    raise DefinitionError("\n".join(mistakes), operation=_OPERATION, hint=hint)
