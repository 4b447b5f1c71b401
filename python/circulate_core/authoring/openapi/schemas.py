"""JSON Schemas (draft 2020-12) of what documents describe in older or loose ways."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from circulate_core.authoring.secret_values import looks_secret, without_secrets

if TYPE_CHECKING:
    from circulate_core.authoring.openapi.nodes import Node

_MAX_DEPTH = 14
_MAX_PARTS = 1500
"""Schemas within one schema."""

_TYPES = {"string", "integer", "number", "boolean", "array", "object", "null"}
_NUMBERS = ("minimum", "maximum", "multipleOf")
_COUNTS = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")
_LONGEST = 300
"""Characters of a description."""
_FORMATS = {"date-time", "date", "time", "email", "uri", "uuid", "ipv4", "ipv6", "hostname"}


class SchemaWriter:
    """Writes one schema with all that it refers to.

    Attributes:
        cuts: Where recursion or size cut it, each with the reason.
    """

    def __init__(self) -> None:
        self.cuts: list[str] = []
        self._parts = 0

    def write(self, schema: Node, seen: tuple[tuple[str, str], ...] = ()) -> dict[str, Any]:
        """Return a schema without references. Where it leads back into itself, anything is allowed, and says why."""
        value = schema.value
        if not isinstance(value, dict):
            return {}
        self._parts += 1
        if schema.identity in seen:
            return self._cut(schema, "leads back into itself")
        if len(seen) > _MAX_DEPTH or self._parts > _MAX_PARTS:
            return self._cut(schema, "is too large to be written out")
        seen = (*seen, schema.identity)
        written: dict[str, Any] = _keywords(value)
        self._write_members(schema, written, seen)
        for word in ("allOf", "oneOf", "anyOf"):
            if parts := [self.write(part, seen) for part in schema.get(word).items()]:
                if word == "allOf":
                    # What one part allows no other members beside is a member of another part.
                    parts = [{key: part[key] for key in part if key != "additionalProperties"} for part in parts]
                # Real documents have alternatives that do not exclude each other.
                written["anyOf" if word == "oneOf" else word] = parts
        if isinstance((other := schema.get("not")).value, dict):
            written["not"] = self.write(other, seen)
        return _nullable(schema, written)

    def _write_members(self, schema: Node, written: dict[str, Any], seen: tuple[tuple[str, str], ...]) -> None:
        if (properties := schema.get("properties")).value:
            written["properties"] = {name: self.write(node, seen) for name, node in properties.members()}
        if isinstance(required := schema.get("required").value, list):
            read_only = {name for name, node in properties.members() if node.get("readOnly").value is True}
            named = dict.fromkeys(name for name in required if isinstance(name, str))
            needed = [name for name in named if name not in read_only]
            written |= {"required": needed} if needed else {}
        items = schema.get("items")
        if isinstance(items.value, dict):
            written["items"] = self.write(items, seen)
        more = schema.get("additionalProperties")
        if isinstance(more.value, dict) and more.value:
            written["additionalProperties"] = self.write(more, seen)
        elif more.value is False:
            written["additionalProperties"] = False

    def _cut(self, schema: Node, why: str) -> dict[str, Any]:
        text = f"`{schema.where}` {why}: anything is allowed here"
        self.cuts.append(text)
        return {"$comment": text}


def _keywords(value: dict[str, Any]) -> dict[str, Any]:
    """Return the keywords of a schema that hold no schemas."""
    written: dict[str, Any] = {}
    kinds = value.get("type")
    named = [kind.lower() for kind in (kinds if isinstance(kinds, list) else [kinds]) if isinstance(kind, str)]
    if known := [kind for kind in named if kind in _TYPES]:
        written["type"] = known[0] if len(known) == 1 else list(dict.fromkeys(known))
    if isinstance(about := value.get("description"), str) and (about := about.strip()):
        about = without_secrets(about)
        written["description"] = about if len(about) <= _LONGEST else f"{about[: _LONGEST - 1]}…"
    written |= _bounds(value)
    if isinstance(pattern := value.get("pattern"), str):
        written["pattern"] = pattern
    if isinstance(named_format := value.get("format"), str) and named_format in _FORMATS:
        written["format"] = named_format
    # People leave their own keys in documents. Without any of its values a schema takes all of its type.
    enum = value.get("enum")
    if kept := [each for each in _distinct(enum if isinstance(enum, list) else []) if not looks_secret(each)]:
        written["enum"] = kept
    if "const" in value and not looks_secret(value["const"]):
        written["const"] = value["const"]
    if value.get("uniqueItems") is True:
        written["uniqueItems"] = True
    return written


def _bounds(value: dict[str, Any]) -> dict[str, Any]:
    """Return the bounds of a schema; older versions have flags for those that exclude themselves."""
    written: dict[str, Any] = {key: value[key] for key in _NUMBERS if _is_number(value.get(key))}
    if written.get("multipleOf", 1) <= 0:
        del written["multipleOf"]
    for old, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        given = value.get(old)
        if given is True and bound in written:
            written[old] = written.pop(bound)
        elif _is_number(given):
            written[old] = given
    counts = {key: value[key] for key in _COUNTS if isinstance(value.get(key), int) and value[key] is not True}
    return written | {key: count for key, count in counts.items() if count >= 0}


def _nullable(schema: Node, written: dict[str, Any]) -> dict[str, Any]:
    if schema.value.get("nullable") is not True and schema.value.get("x-nullable") is not True:
        return written
    if isinstance(written.get("type"), str):
        written["type"] = [written["type"], "null"]
        if "enum" in written and None not in written["enum"]:
            written["enum"].append(None)
        return written
    return {"anyOf": [written, {"type": "null"}]} if written else written


def _distinct(values: list[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if not any(type(value) is type(other) and value == other for other in found):
            found.append(value)
    return found


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def without_checks(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema that says no more than a type, for one that the engine does not take."""
    return {key: schema[key] for key in ("type", "description") if key in schema}
