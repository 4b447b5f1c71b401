"""Small OpenAPI documents for tests of the importer, and how they are imported."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.cli import Cli, Done

RECORD: dict[str, Any] = {"type": "object", "properties": {"id": {"type": "string"}, "name": {"type": "string"}}}


def described(paths: dict[str, Any], **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return an OpenAPI 3 document."""
    return {
        "openapi": "3.0.3",
        "info": {"title": "Acme API", "version": "1"},
        "servers": [{"url": "https://api.acme.example/v1"}],
        "components": {"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
        "security": [{"key": []}],
        "paths": paths,
        **more,
    }


def listing(
    schema: dict[str, Any] | None,
    *parameters: dict[str, Any] | str,
    headers: dict[str, Any] | None = None,
    **more: Any,  # noqa: ANN401 - JSON
) -> dict[str, Any]:
    """Return the path item of a list; a parameter may be `name:type`."""
    content = {} if schema is None else {"content": {"application/json": {"schema": schema}}}
    given = [_parameter(each) if isinstance(each, str) else each for each in parameters]
    response = {"description": "A page.", **content, **({"headers": headers} if headers else {})}
    return {"get": {"parameters": given, "responses": {"200": response}, **more}}


def _parameter(text: str) -> dict[str, Any]:
    name, _, kind = text.partition(":")
    return {"name": name, "in": "query", "schema": {"type": kind or "string"}}


def page_of(name: str = "items", **members: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return the schema of a page whose records are in one array; other members by their schemas or types."""
    others = {key: {"type": value} if isinstance(value, str) else value for key, value in members.items()}
    return {"type": "object", "properties": {name: {"type": "array", "items": RECORD}, **others}}


@dataclass(frozen=True)
class Imported:
    """What an import has reported."""

    done: Done

    @property
    def report(self) -> dict[str, Any]:
        """The report."""
        assert self.done.code == 0, self.done.err
        return self.done.report

    def of(self, operation: str) -> dict[str, Any]:
        """Return what is reported of a list."""
        found: dict[str, Any] = next(each for each in self.report["lists"] if each["operation"] == operation)
        return found


def import_document(cli: Cli, document: dict[str, Any], *arguments: str | Path, name: str = "acme.json") -> Imported:
    """Import a document as the source `acme`, and report."""
    (cli.folder / name).write_text(json.dumps(document))
    return Imported(cli("import", "openapi", name, "--source", "acme", "--json", *arguments))


def import_list(cli: Cli, item: dict[str, Any]) -> dict[str, Any]:
    """Import a document with one list, and return what is reported of it."""
    return import_document(cli, described({"/items": item}), "--overwrite").of("GET /items")
