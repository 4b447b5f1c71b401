"""Documents that are damaged at random: an import reads what is left, or says in an error what is wrong."""

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.api_descriptions import RECORD, described, listing, page_of

from circulate_core.authoring.openapi.files import read_documents
from circulate_core.authoring.openapi.importing import import_documents
from circulate_core.authoring.openapi.overlay import Overlay
from circulate_core.authoring.openapi.signing import Given
from circulate_core.authoring.openapi.writing import texts_of
from circulate_core.exceptions import DefinitionError

JUNK: list[Any] = [
    *(None, True, 0, -1, 1.5, 10**30, "", "x", "{", "}", "{x}", "a\nb", "#/x", "\ud800", "https://x.example"),
    *([], {}, [1], {"$ref": "#/paths"}, {"$ref": 5}, {"$ref": "x" * 5000}, {"$ref": "\0"}, {"type": "array"}),
]
NAMES = ["{a}", "x y", "é", "a" * 300, "$ref", "~/", "0", "\0", "\ud800"]


def whole() -> dict[str, Any]:
    limit = {"name": "limit", "in": "query", "schema": {"type": "integer", "maximum": 50}}
    page = {"name": "page", "in": "query", "required": True, "schema": {"type": "integer", "default": 1}}
    kind = {"name": "kind", "in": "query", "required": True, "schema": {"type": "string", "enum": ["a", "b"]}}
    body = {"content": {"application/json": {"schema": {"allOf": [RECORD, {"required": ["id"]}]}}}}
    scopes: dict[str, Any] = {"security": [{"oauth": ["read"]}]}
    flows = {"clientCredentials": {"tokenUrl": "https://login.acme.example/token", "scopes": {"read": "Reads."}}}
    paths = {
        "/items": {**listing(page_of(total="integer"), page, limit, kind, **scopes), "post": {"requestBody": body}},
        "/items/{itemId}": {"get": {"responses": {"200": {"description": "One."}}}, "delete": {"responses": {}}},
        "/items/{itemId}/parts": listing({"$ref": "#/components/schemas/Parts"}, "after", headers={"Link": {}}),
        "/users": listing(page_of("users", next_cursor="string"), "cursor", limit),
    }
    schemes: dict[str, Any] = {
        "key": {"type": "apiKey", "in": "header", "name": "X-Key"},
        "oauth": {"type": "oauth2", "flows": flows},
    }
    parts = {"type": "array", "items": {"type": "object", "properties": {"id": {"type": "string", "format": "uuid"}}}}
    return described(paths, components={"securitySchemes": schemes, "schemas": {"Parts": parts}})


def places(part: object, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    members = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    for key, value in members:
        yield (*before, key)
        yield from places(value, (*before, key))


def damage(document: dict[str, Any], chance: random.Random) -> None:
    """Replace, remove or rename a part of a document."""
    *around, last = chance.choice(list(places(document)))
    part: Any = document
    for key in around:
        part = part[key]
    how = chance.random()
    if how < 0.6:
        part[last] = copy.deepcopy(chance.choice(JUNK))
    elif how < 0.8 or not isinstance(part, dict):
        del part[last]
    else:
        part[chance.choice(NAMES)] = part.pop(last)


@pytest.mark.parametrize("seed", range(8))
def test_a_damaged_document_is_imported_or_refused(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - damage that comes again
    file = tmp_path / "acme.json"
    imported, refused = 0, []
    for _ in range(25):
        # Its parts are those of other tests, too.
        document = copy.deepcopy(whole())
        for _ in range(chance.choice([1, 2, 5, 12])):
            damage(document, chance)
        file.write_text(json.dumps(document))
        try:
            documents = read_documents([file])
            source = import_documents(
                "acme", documents, overlay=Overlay(), given=Given(), known_names={}, hooks=tmp_path / "hooks"
            )
        except DefinitionError as error:
            refused.append(str(error))
            continue
        imported += 1
        for text in texts_of(source).values():
            assert text.encode()
    assert imported > 5
    assert all("acme" in message for message in refused)
