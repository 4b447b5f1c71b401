"""Operations of endpoints, made of what documents say of calls other than lists."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from circulate_core.authoring.openapi.description import is_json
from circulate_core.authoring.openapi.naming import is_plural, parameter_name, snake, squeezed
from circulate_core.authoring.openapi.schemas import SchemaWriter
from circulate_core.authoring.openapi.shapes import body_shape, shape_of
from circulate_core.authoring.openapi.signing import looks_like_key
from circulate_core.authoring.openapi.words import about_of, docs_of, sentence

if TYPE_CHECKING:
    from circulate_core.authoring.openapi.description import ApiOperation, Body, Parameter

NOT_READ_BACK = "imported from a description: nobody has said yet how its object is read"
NOT_UNDONE = "imported from a description: nobody has said yet what undoes it"
_SENT_BY_US = {"accept", "contenttype", "authorization", "useragent", "contentlength", "host"}
_SECRETS = re.compile(
    r"(password|passwd|secret|privatekey|apikey|accesstoken|refreshtoken|token|recoveryurl|activationurl|otp|totp"
    r"|credential|signingkey|clientkey)$"
)
_TEXT = {"type": "string", "minLength": 1}


class CannotBeWritten(Exception):  # noqa: N818 - it never leaves the importer
    """An operation that no definition can say. The text says why."""


def operation_name(operation: ApiOperation, below: str) -> str:
    """Return the name of an operation at an endpoint, by its method and where it is below the path of the list."""
    rest = operation.path.removeprefix(below).strip("/")
    segments = [segment for segment in rest.split("/") if segment]
    words = [snake(re.sub(r"\.(json|xml)$", "", segment)) for segment in segments if "{" not in segment]
    method = operation.method.lower()
    if not words:
        of_one = {"get": "get", "put": "replace", "patch": "update", "delete": "delete", "post": "post"}
        of_all = {
            "get": "get_all",
            "put": "replace_all",
            "patch": "update_all",
            "delete": "delete_all",
            "post": "create",
        }
        return (of_one if segments else of_all)[method]
    is_of_one = "{" in segments[-1]
    name = "_".join(word for word in words if word)
    if method == "get":
        return f"get_{name}" if is_of_one or name == "list" else name
    if method == "post" and "{" in rest and not is_of_one and not is_plural(words[-1]):
        # What is done to one object: `/users/{id}/unlock`.
        return name
    return f"{method}_{name}"


def operation_of(
    operation: ApiOperation, scopes: list[str] | None, taken: set[str]
) -> tuple[dict[str, Any], list[str]]:
    """Return an operation as a definition writes it, and what was cut out of its schemas.

    Args:
        operation: What the document says of it.
        scopes: The scopes that it needs; None if the API has none.
        taken: Names that its parameters may not have.

    Raises:
        CannotBeWritten: No definition can say it.
    """
    is_read = operation.method == "GET"
    made: dict[str, Any] = {"about": about_of(operation), "kind": "investigate" if is_read else "correct"}
    if docs := docs_of(operation):
        made["docs"] = docs
    if not is_read:
        made["method"] = operation.method
    parameters = _Parameters(set(taken))
    made["path"] = parameters.path(operation)
    query = {each.name: parameters.query(each) for each in operation.query() if not _is_key(each)}
    if query:
        made["query"] = query
    headers = {
        each.name: parameters.query(each)
        for each in operation.parameters
        if each.location == "header" and each.required and squeezed(each.name) not in _SENT_BY_US and not _is_key(each)
    }
    if headers:
        made["headers"] = headers
    if operation.body is not None and not is_read:
        made["body"] = parameters.body(operation.body)
    if scopes is not None:
        made["scopes"] = scopes
    if not is_read:
        made |= {
            "destructive": True,
            "retry": "never",
            "reads_back": {"none": NOT_READ_BACK},
            "undo": {"none": NOT_UNDONE},
        }
        if secrets := _secrets_of(operation):
            made["secrets"] = secrets
    if parameters.declared:
        made["parameters"] = parameters.declared
    return made, parameters.cuts


def _is_key(parameter: Parameter) -> bool:
    return looks_like_key(parameter.name) and not parameter.schema.get("enum").is_there()


class _Parameters:
    """The parameters of one operation, by the names that they have there."""

    def __init__(self, taken: set[str]) -> None:
        self.taken = taken
        self.declared: dict[str, dict[str, Any]] = {}
        self.cuts: list[str] = []

    def path(self, operation: ApiOperation) -> str:
        """Return the path, with the names of parameters."""
        by_name = {each.name: each for each in operation.parameters if each.location == "path"}
        names: dict[str, str] = {}

        def named(found: re.Match[str]) -> str:
            parameter = by_name[found[1]]
            if found[1] not in names:
                names[found[1]] = self._declare(parameter.name, parameter.about, self._schema(parameter))
            return "{" + names[found[1]] + "}"

        path = re.sub(r"\{([^{}]*)\}", named, operation.path)
        if refused := wrong_path(path):
            raise CannotBeWritten(refused)
        return path

    def query(self, parameter: Parameter) -> str:
        """Declare a parameter, and return how a query or a header has it."""
        schema = self._schema(parameter)
        more: dict[str, Any] = {} if parameter.required else {"optional": True}
        return "{" + self._declare(parameter.name, parameter.about, schema, more) + "}"

    def body(self, body: Body) -> dict[str, Any]:
        """Return the body as a definition writes it."""
        plain = body.media_type.partition(";")[0].strip().lower()
        if is_json(plain) or plain in {"*/*", "application/*"}:
            schema = self._written(body.schema) or {}
            about = sentence(body.schema.get("description").text()) or "The body of the request."
            more: dict[str, Any] = {} if body.required else {"optional": True}
            return {"json": "{" + self._declare("body", about, schema, more) + "}"}
        if plain == "application/x-www-form-urlencoded":
            shape = shape_of(body.schema)
            needed = set(body.schema.get("required").texts())
            form = {}
            for name, node in shape.members.items():
                more = {} if name in needed else {"optional": True}
                about = node.get("description").text()
                form[name] = "{" + self._declare(name, about, self._written(node), more) + "}"
            return {"form": form}
        message = f"its body is {plain}, which no definition can send"
        raise CannotBeWritten(message)

    def _schema(self, parameter: Parameter) -> dict[str, Any]:
        schema = self._written(parameter.schema) if parameter.schema.is_there() else {}
        schema.pop("description", None)
        if parameter.location == "path" and schema.get("type", "string") == "string" and "enum" not in schema:
            schema = {"type": "string", "minLength": 1, **schema}
        return schema

    def _written(self, schema: Any) -> dict[str, Any]:  # noqa: ANN401 - a node
        writer = SchemaWriter()
        written = writer.write(schema)
        self.cuts += writer.cuts
        return written

    def _declare(self, given: str, about: str, schema: dict[str, Any], more: dict[str, Any] | None = None) -> str:
        name = parameter_name(given, self.taken)
        declared: dict[str, Any] = {"about": sentence(about) or f"`{given}` of the request."}
        if schema != _TEXT:
            declared["schema"] = schema
        self.declared[name] = declared | (more or {})
        return name


def wrong_path(path: str) -> str | None:
    """Return why a path can be none of a definition; None if it can."""
    if not path.startswith("/") or path.startswith("//") or set(path) & set("?# \t"):
        return f"the path `{path}` has characters that no path has"
    rest = re.sub(r"\{[a-z][a-z0-9_]*\}", "", path)
    if "{" in rest or "}" in rest:
        return f"the path `{path}` has a lone brace"
    return None


def _secrets_of(operation: ApiOperation) -> list[str]:
    """Return the members of its response that are named as secrets are."""
    shape, _ = body_shape(operation.response)
    found = []
    for name, node in shape.members.items():
        member = shape_of(node)
        escaped = name.replace("~", "~0").replace("/", "~1")
        if _SECRETS.search(squeezed(name)) and member.kind in {"scalar", "unknown"}:
            found.append(f"/{escaped}")
    return found
