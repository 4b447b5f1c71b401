"""Increments that documents offer: a parameter that takes a time, and the member of a record that it is about.

Neither says what the parameter does, and a filter that leaves out too much loses data. So it is only proposed, until
somebody tries it at the API or says it in an overlay.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from circulate_core.authoring.members import escaped
from circulate_core.authoring.openapi.naming import snake
from circulate_core.authoring.openapi.shapes import shape_of

if TYPE_CHECKING:
    from circulate_core.authoring.openapi.lists import FoundList

_FORMATS: Final = {"date-time": "rfc3339", "date": "date"}
_LOWER: Final = {"since", "after", "from", "gte", "gt", "ge", "min", "start", "begin", "newer"}
_UPPER: Final = {"until", "before", "to", "lte", "lt", "le", "max", "end", "older"}
_CHANGED: Final = "a change"
_FAMILIES: Final = {
    _CHANGED: r"updat|modif|chang|edit",
    "the creation": r"creat|added",
    "a time": r"occur|publish|event",
}
"""What a time is of, by the words that say so."""


@dataclass(frozen=True)
class Increment:
    """An increment that a document offers.

    Attributes:
        rule: What `incremental` of a definition would say.
        evidence: What says so.
    """

    rule: dict[str, Any]
    evidence: str


def increment_of(found: FoundList) -> Increment | None:
    """Return the increment that a list may have; None if a parameter or a member is missing, or not the only one."""
    times = _times(found)
    for parameter in found.operation.query():
        words = set(snake(parameter.name).split("_"))
        kind = parameter.schema.get("format").text().lower()
        if kind not in _FORMATS or parameter.required or not words & _LOWER or words & _UPPER:
            continue
        member = _member_for(_family(parameter.name), times)
        if member is None:
            continue
        rule: dict[str, Any] = {"cursor": f"/{escaped(member)}", "param": parameter.name, "since": "{since}"}
        formats = {"records": _FORMATS[times[member]], "filter": _FORMATS[kind]}
        if set(formats.values()) != {"rfc3339"}:
            rule["format"] = formats
        # It costs nothing where the API includes the bound, and loses nothing where it does not.
        rule["inclusive"] = False
        evidence = f"the parameter `{parameter.name}` is a {kind}, and a record has the {times[member]} `{member}`"
        return Increment(rule, evidence)
    return None


def _times(found: FoundList) -> dict[str, str]:
    """Return the members of a record that are times, with their formats."""
    members = found.record.members if found.record is not None else {}
    shapes = {name: shape_of(node) for name, node in members.items()}
    return {name: shape.format for name, shape in shapes.items() if shape.kind == "scalar" and shape.format in _FORMATS}


def _family(name: str) -> str | None:
    return next((family for family, pattern in _FAMILIES.items() if re.search(pattern, snake(name))), None)


def _member_for(family: str | None, times: dict[str, str]) -> str | None:
    """Return the member that a parameter is about; of a plain `since` the time of the last change, or the only one."""
    of_it = [name for name in times if _family(name) == (family or _CHANGED)]
    if not of_it and family is None:
        of_it = list(times)
    return of_it[0] if len(of_it) == 1 else None
