"""The shapes that schemas describe: objects with their members, arrays with their items."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from circulate_core.authoring.openapi.description import type_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from circulate_core.authoring.openapi.description import Response
    from circulate_core.authoring.openapi.nodes import Node

Kind = Literal["object", "array", "map", "scalar", "unknown"]

_MAX_DEPTH = 12
"""Schemas that are made of schemas."""
_MAX_PARTS = 2_000
"""Schemas that one is made of: of those that lead to each other there are more than can be counted."""


@dataclass
class Shape:
    """What a schema's values look like.

    Attributes:
        kind: `object` has members, `map` has values by keys of any name, `array` has items.
        type: The type of a scalar.
        format: Its format, such as `date-time`.
        members: The members of an object, each with its schema.
        items: The schema of the items of an array, or of the values of a map; None if it does not say.
        node: The schema.
    """

    kind: Kind
    node: Node
    type: str = ""
    format: str = ""
    members: dict[str, Node] = field(default_factory=dict)
    items: Node | None = None


def shape_of(schema: Node) -> Shape:
    """Return what the values of a schema look like. Of alternatives all members count."""
    return _shape(schema, 0, iter(range(_MAX_PARTS)))


def _shape(schema: Node, depth: int, parts_left: Iterator[int]) -> Shape:  # noqa: PLR0911 - one for each kind
    if not isinstance(schema.value, dict) or depth > _MAX_DEPTH:
        return Shape("unknown", schema)
    if next(parts_left, None) is None:
        schema.library.note(f"{schema.where}: it is a part of a schema of too many schemas, and not looked at")
        return Shape("unknown", schema)
    members = dict(schema.get("properties").members())
    parts = [_shape(part, depth + 1, parts_left) for part in schema.get("allOf").items()]
    alternatives = [
        shape
        for word in ("oneOf", "anyOf")
        for shape in (
            _shape(part, depth + 1, parts_left) for part in schema.get(word).items() if type_of(part) != "null"
        )
        if not (shape.kind == "scalar" and shape.type == "null")
    ]
    kinds = {part.kind for part in alternatives} - {"unknown"}
    if len(kinds) > 1 and not members:
        # An array or an object: nobody can say which one comes.
        return Shape("unknown", schema)
    for part in (*parts, *alternatives):
        members = {**part.members, **members}
    inner = next((part for part in (*parts, *alternatives) if part.kind in {"array", "map", "scalar"}), None)
    named = type_of(schema)
    if named == "array" or (not named and schema.get("items").is_there()):
        items = schema.get("items")
        return Shape("array", schema, items=items if isinstance(items.value, dict) else None)
    if members:
        return Shape("object", schema, members=members)
    if named == "object" or (not named and schema.get("additionalProperties").is_there()):
        values = schema.get("additionalProperties")
        is_map = isinstance(values.value, dict) and bool(values.value)
        return Shape("map", schema, items=values) if is_map else Shape("object", schema)
    if inner is not None:
        return Shape(inner.kind, schema, inner.type, inner.format, inner.members, inner.items)
    if named in {"string", "integer", "number", "boolean", "null"}:
        return Shape("scalar", schema, named, schema.get("format").text())
    return Shape("unknown", schema)


def body_shape(response: Response) -> tuple[Shape, str]:
    """Return what a response looks like, and what says so: its schema, else its example."""
    shape = shape_of(response.schema)
    if shape.kind in {"array", "map"} or shape.members:
        return shape, "schema"
    example = response.example
    if isinstance(example.value, (dict, list)) and example.value:
        schema = _schema_of_example(example.value)
        return shape_of(example.with_value(schema)), "example"
    return shape, "schema"


def _schema_of_example(value: Any, depth: int = 0) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return the schema of a value, as far as one value shows it."""
    if depth > _MAX_DEPTH:
        return {}
    if isinstance(value, dict):
        return {
            "type": "object",
            "properties": {str(key): _schema_of_example(each, depth + 1) for key, each in value.items()},
        }
    if isinstance(value, list):
        return {"type": "array", "items": _schema_of_example(value[0], depth + 1) if value else {}}
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string"}
    return {"type": kinds[type(value)]} if type(value) in kinds else {}
