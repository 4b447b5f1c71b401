"""What a document describes, whichever version it is of: operations, their parameters and responses."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from circulate_core.authoring.openapi.naming import parameters_of
from circulate_core.authoring.secret_values import looks_secret

if TYPE_CHECKING:
    from collections.abc import Iterator

    from circulate_core.authoring.openapi.nodes import Node

_MAX_DEPTH = 8
"""Schemas within each other that say what a parameter is."""
_MAX_PARTS = 200
"""Schemas that say what one parameter is."""
METHODS = ("get", "put", "post", "delete", "patch")


@dataclass(frozen=True)
class Parameter:
    """A parameter of an operation.

    Attributes:
        name: What the request calls it.
        location: `path`, `query`, `header` or `cookie`.
        required: Whether a request needs it.
        schema: The schema of its values.
        about: What the document says of it.
        default: What is taken without it; None if the document does not say.
        values: Its values, if there are only some.
        node: Where it stands.
    """

    name: str
    location: str
    required: bool
    schema: Node
    about: str
    default: Any
    values: tuple[str, ...]
    node: Node

    @property
    def type(self) -> str:
        """The type of its values; empty if the document does not say."""
        return type_of(self.schema)

    def bound(self, key: str) -> int | None:
        """Return a whole number of its schema, such as `maximum`."""
        value = self.schema.get(key).value
        if isinstance(value, float) and value.is_integer():
            return int(value)
        return value if isinstance(value, int) and not isinstance(value, bool) else None


@dataclass(frozen=True)
class Response:
    """What an operation responds with when it succeeds.

    Attributes:
        schema: The schema of its body; of nothing if the document has none.
        media_type: The type of the body that the schema is of; empty if there is none.
        example: An example of the body.
        headers: The headers that it declares, by name in small letters.
        about: What the document says of it.
    """

    schema: Node
    media_type: str
    example: Node
    headers: dict[str, Node]
    about: str


@dataclass(frozen=True)
class Body:
    """What a request of an operation holds.

    Attributes:
        media_type: Its type.
        schema: Its schema.
        required: Whether a request needs it.
    """

    media_type: str
    schema: Node
    required: bool


@dataclass(frozen=True)
class ApiOperation:
    """An operation of an API.

    Attributes:
        method: Its method, in capitals.
        written: Its path as the document writes it.
        path: Its path, without a query that stands behind it.
        node: Where it stands.
        parameters: Its parameters, those of its path included.
        body: What its requests hold.
        response: What it responds with.
        security: Ways to sign in, each the schemes that it takes with their scopes; None if it does not say.
    """

    method: str
    written: str
    path: str
    node: Node
    parameters: tuple[Parameter, ...]
    body: Body | None
    response: Response
    security: list[dict[str, list[str]]] | None

    @property
    def key(self) -> str:
        """How it is named in reports, locks and overlays: `GET /users`."""
        return f"{self.method} {self.written}"

    @property
    def about(self) -> str:
        """What the document says of it."""
        return f"{self.node.get('summary').text()} {self.node.get('description').text()}".strip()

    def query(self) -> list[Parameter]:
        """Return the parameters of its query."""
        return [parameter for parameter in self.parameters if parameter.location == "query"]


def operations_of(root: Node) -> Iterator[ApiOperation]:
    """Return the operations of a document, in its order. What none can be is left out, with a note."""
    is_old = "swagger" in root.value
    for path, item in root.get("paths").members():
        if path.startswith("x-"):
            continue
        if not path.startswith("/"):
            root.library.note(f"{root.where}/paths: `{path}` is not a path, which begins with a slash")
            continue
        for method in METHODS:
            node = item.get(method)
            if isinstance(node.value, dict):
                yield _operation(root, item, node, method, path, is_old=is_old)


def _operation(  # noqa: PLR0913 - where it stands
    root: Node, item: Node, node: Node, method: str, written: str, *, is_old: bool
) -> ApiOperation:
    # Converted documents have queries in paths: `/rides?page={page}`, `/rides{?page,size}`.
    path = re.sub(r"\{?\?.*$", "", written)
    of_query = set(re.findall(r"\w+", written[len(path) :]))
    declared: dict[tuple[str, str], Node] = {}
    for found in (*item.get("parameters").items(), *node.get("parameters").items()):
        location, name = found.get("in").text(), found.get("name").text()
        if location and name:
            declared[location, name] = found
    parameters = [
        _parameter(found, name, "query" if location == "path" and name in of_query else location, is_old=is_old)
        for (location, name), found in declared.items()
        if location in {"path", "query", "header", "cookie"}
    ]
    # Each part of the path that varies is a parameter, whether it is declared or not.
    named = {parameter.name for parameter in parameters if parameter.location == "path"}
    nothing = node.nothing()
    parameters += [
        Parameter(name, "path", required=True, schema=nothing, about="", default=None, values=(), node=nothing)
        for name in dict.fromkeys(parameters_of(path))
        if name not in named
    ]
    body = _old_body(root, node, declared) if is_old else _body(node)
    security = _security(node.get("security"))
    if security is None:
        security = _security(root.get("security"))
    response = _response(root, node, is_old=is_old)
    return ApiOperation(method.upper(), written, path, node, tuple(parameters), body, response, security)


def _parameter(node: Node, name: str, location: str, *, is_old: bool) -> Parameter:
    schema = node if is_old else node.get("schema")
    if not is_old and not schema.is_there():
        schema = next((content.get("schema") for _, content in node.get("content").members()), schema)
    schema = _plain(schema, 0, iter(range(_MAX_PARTS)))
    listed = schema.get("items") if type_of(schema) == "array" else schema
    values = tuple(value for value in listed.get("enum").texts() if not looks_secret(value))
    if not values and listed.get("const").is_there():
        values = tuple(value for value in [listed.get("const").text()] if not looks_secret(value))
    default = schema.get("default").value
    return Parameter(
        name=name,
        location=location,
        required=location == "path" or (node.get("required").value is True and node.get("in").text() != "path"),
        schema=schema,
        about=node.get("description").text() or schema.get("description").text(),
        default=None if looks_secret(default) else default,
        values=values,
        node=node,
    )


def _plain(schema: Node, depth: int, parts_left: Iterator[int]) -> Node:
    """Return, of a schema that is made of others, the one that says what a parameter is: a number, if one is."""
    if type_of(schema) or depth > _MAX_DEPTH or next(parts_left, None) is None:
        return schema
    parts = [
        _plain(part, depth + 1, parts_left) for word in ("allOf", "oneOf", "anyOf") for part in schema.get(word).items()
    ]
    ranked = sorted(parts, key=lambda part: (type_of(part) not in {"integer", "number"}, not type_of(part)))
    if not ranked:
        return schema
    around = {key: value for key, value in schema.value.items() if key not in {"allOf", "oneOf", "anyOf"}}
    found = ranked[0].value if isinstance(ranked[0].value, dict) else {}
    return ranked[0].with_value({**found, **around})


def _body(node: Node) -> Body | None:
    body = node.get("requestBody")
    contents = dict(body.get("content").members())
    name = _preferred(list(contents))
    if name is None:
        return None
    return Body(name, contents[name].get("schema"), body.get("required").value is True)


def _old_body(root: Node, node: Node, declared: dict[tuple[str, str], Node]) -> Body | None:
    """Return what Swagger 2.0 has for a body."""
    consumed = [*node.get("consumes").texts(), *root.get("consumes").texts()]
    for (location, _), found in declared.items():
        if location == "body":
            media_type = _preferred(consumed) or "application/json"
            return Body(media_type, found.get("schema"), found.get("required").value is True)
    fields = {name: found for (location, name), found in declared.items() if location == "formData"}
    if not fields:
        return None
    has_file = any(found.get("type").text() == "file" for found in fields.values())
    schema = {
        "type": "object",
        "properties": {
            name: {key: value for key, value in found.value.items() if key not in {"name", "in", "required"}}
            for name, found in fields.items()
        },
        "required": [name for name, found in fields.items() if found.get("required").value is True],
    }
    media_type = "multipart/form-data" if has_file else "application/x-www-form-urlencoded"
    return Body(media_type, node.with_value(schema), required=bool(schema["required"]))


def _response(root: Node, node: Node, *, is_old: bool) -> Response:
    responses = dict(node.get("responses").members())
    ranked = sorted(
        (status for status in responses if status[:1] == "2"), key=lambda status: (status != "200", status.upper())
    )
    status = ranked[0] if ranked else "default" if "default" in responses else ""
    found = responses.get(status) or node.nothing()
    headers = {name.lower(): header for name, header in found.get("headers").members()}
    about = found.get("description").text()
    if is_old:
        produced = [*node.get("produces").texts(), *root.get("produces").texts()]
        media_type = _preferred(produced) or "application/json"
        example = next((each for _, each in found.get("examples").members()), found.get("example"))
        return Response(found.get("schema"), media_type, example, headers, about)
    contents = dict(found.get("content").members())
    name = _preferred(list(contents))
    content = contents[name] if name is not None else found.nothing()
    example = content.get("example")
    if not example.is_there():
        example = next((each.get("value") for _, each in content.get("examples").members()), example)
    return Response(content.get("schema"), name or "", example, headers, about)


def _preferred(media_types: list[str]) -> str | None:
    """Return the type that is read best: JSON, if there is any."""
    return min(media_types, key=lambda each: (not is_json(each), "*" not in each, "form" not in each), default=None)


def is_json(media_type: str) -> bool:
    """Return whether bodies of a type are JSON."""
    plain = media_type.partition(";")[0].strip().lower()
    return plain.endswith(("/json", "+json")) or plain in {"text/json", "application/x-json"}


def _security(node: Node) -> list[dict[str, list[str]]] | None:
    if not isinstance(node.value, list):
        return None
    return [{name: scopes.texts() for name, scopes in way.members()} for way in node.items()]


def type_of(schema: Node) -> str:
    """Return the type of a schema's values but for null; empty if it does not say."""
    value = schema.get("type").value
    if isinstance(value, list):
        value = next((each for each in value if each != "null"), "")
    return value.lower() if isinstance(value, str) else ""
