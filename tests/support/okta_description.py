"""Okta's own description of its API, as a judge of requests and responses.

It is looked for in the folder named by `CIRCULATE_OPENAPI_DIR`, else beside the repository.
"""

import gzip
import os
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_BESIDE_THE_REPOSITORY = Path(__file__).resolve().parents[3] / "shared" / "data" / "openapi"
FILE = Path(os.environ.get("CIRCULATE_OPENAPI_DIR", _BESIDE_THE_REPOSITORY)) / "okta-management-2026.06.3.yaml.gz"
_UNDECLARED = {400, 405, 409, 411, 412, 500, 502, 503}
"""Statuses of errors that Okta's guides have and the description of an operation does not."""


def can_judge() -> bool:
    """Return whether the description and what reads it are here."""
    return FILE.exists() and find_spec("yaml") is not None and find_spec("openapi_schema_validator") is not None


@cache
def read_description() -> dict[str, Any]:
    """Return the description, parsed once."""
    yaml = import_module("yaml")
    with gzip.open(FILE, "rb") as file:
        document: dict[str, Any] = yaml.load(file, Loader=yaml.CSafeLoader)
    # As it stands the pattern takes "P" and nothing else, not even the description's own examples.
    duration = document["components"]["schemas"]["TimeDuration"]
    duration["pattern"] = duration["pattern"].replace("(?:$)", "(?!$)").replace(r"(?:\d)", r"(?=\d)")
    # Nothing is required in either of the two, so every object is both, and none would be one of them.
    update = document["components"]["schemas"]["AppUserUpdateRequest"]
    update["anyOf"] = update.pop("oneOf")
    return document


def reachable(description: dict[str, Any], names: set[str]) -> dict[str, Any]:
    """Return the schemas in `names` and all they refer to, as `components`."""
    schemas: dict[str, Any] = {}
    waiting: list[Any] = [{"$ref": f"#/components/schemas/{name}"} for name in names]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            waiting += node.values()
            kind, _, name = str(node.get("$ref", "")).rpartition("/")
            if kind == "#/components/schemas" and name not in schemas:
                schemas[name] = description["components"]["schemas"][name]
                waiting.append(schemas[name])
        elif isinstance(node, list):
            waiting += node
    return {"schemas": schemas}


def errors_of(schema: dict[str, Any], value: object) -> list[str]:
    """Return where a value breaks a schema, which has the `components` it refers to."""
    validators = import_module("openapi_schema_validator")
    validator = validators.OAS30Validator(schema, format_checker=validators.oas30_format_checker)
    return [f"{list(error.absolute_path)}: {error.message}" for error in validator.iter_errors(value)]


def mistakes_of_request(path: str, method: str, sent: object) -> list[str]:
    """Return where the body of a request breaks the description; see `mistakes`."""
    described = read_description()["paths"][path][method.lower()]
    return [] if sent is None else _errors(path, _schema_in(_resolved(described["requestBody"])), sent)


def mistakes(path: str, method: str, sent: object, status: int, received: object) -> list[str]:
    """Return where a call of an operation breaks the description.

    Args:
        path: Path as the description has it.
        method: HTTP method.
        sent: The body of the request, parsed; None without one.
        status: Status of the response.
        received: The body of the response, parsed; None without one.
    """
    described = read_description()["paths"][path][method.lower()]
    found = mistakes_of_request(path, method, sent) if status < 400 else []
    if str(status) not in described["responses"]:
        found += [] if status in _UNDECLARED else [f"{method} {path} has no status {status}"]
        schema: dict[str, Any] | None = {"$ref": "#/components/schemas/Error"}
    else:
        schema = _schema_in(_resolved(described["responses"][str(status)]))
    if schema is None or received is None:
        empty = received is None and (schema is None or status == 411)
        return found if empty else [*found, f"{method} {path} {status}: body {received!r}, schema {schema}"]
    return found + _errors(path, schema, received)


def _resolved(node: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in node:
        return node
    _, _, kind, name = node["$ref"].split("/")
    found: dict[str, Any] = read_description()["components"][kind][name]
    return found


def _schema_in(described: dict[str, Any]) -> dict[str, Any] | None:
    schema: dict[str, Any] | None = described.get("content", {}).get("application/json", {}).get("schema")
    return schema


def _errors(path: str, schema: dict[str, Any] | None, value: object) -> list[str]:
    if schema is None:
        return [f"{path} takes no body"]
    return errors_of(schema | {"components": _components(str(schema), path)}, value)


@cache
def _components(schema: str, _path: str) -> dict[str, Any]:
    names = {part.split("'")[0] for part in schema.split("#/components/schemas/")[1:]}
    return reachable(read_description(), names)
