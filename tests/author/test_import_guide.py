"""The guide on importing: what it shows is what comes."""

import json
import os
import re
from pathlib import Path
from typing import Any

import yaml
from support.api_descriptions import RECORD, described, listing, page_of
from support.cli import Cli

GUIDE = Path(__file__).resolve().parents[2] / "python/docs/import.md"
ARRAY: dict[str, Any] = {"type": "array", "items": RECORD}
META = {"type": "object", "properties": {"next_cursor": {"type": "string"}}}
PATHS = {
    "/orders": {
        **listing(page_of("data"), **{"x-ms-pageable": {"nextLinkName": "nextLink", "itemName": "data"}}),
        "post": {"responses": {}},
    },
    "/orders/{orderId}": {"get": {"responses": {}}, "delete": {"responses": {}}},
    "/orders/{orderId}/lines": listing(page_of("lines"), "offset:integer", "limit:integer"),
    "/customers": listing(page_of("data", meta=META), "cursor"),
    "/events": listing(ARRAY, "after", "limit:integer"),
}


def block(kind: str) -> str:
    found = re.search(rf"^```{kind}\n(.*?)^```", GUIDE.read_text(), re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


def test_an_import_is_as_the_guide_shows_it(cli: Cli) -> None:
    (cli.folder / "acme.yaml").write_text(yaml.safe_dump(described(PATHS)))
    command, *shown = block("console").splitlines()
    done = cli(*command.removeprefix("$ circulate ").split())
    assert done.code == 0, done.err
    text = "\n".join([command, *(done.out + done.err).splitlines()])
    rest = [line for line in shown if line.startswith("$ ")]
    expected = "\n".join([command, *shown[: shown.index(rest[0])]])
    if os.environ.get("UPDATE_DOCS"):
        GUIDE.write_text(GUIDE.read_text().replace(expected, text))
        return
    assert text == expected


def test_the_overlay_of_the_guide_is_one(cli: Cli) -> None:
    unlock: dict[str, Any] = {"post": {"responses": {}}}
    paths = {f"/api/v1/{name}": listing(ARRAY, "after", "limit:integer") for name in ("events", "people", "groups")}
    paths |= {"/api/v1/users": listing(ARRAY), "/api/v1/users/{id}/unlock": unlock}
    (cli.folder / "acme.json").write_text(json.dumps(described(paths)))
    (cli.folder / "definitions").mkdir()
    (cli.folder / "definitions/acme.overlay.yaml").write_text(block("yaml"))
    done = cli("import", "openapi", "acme.json", "--source", "acme", "--json")
    assert done.code == 0, done.err
    found = {each["operation"]: (each["stream"], each["status"], each["paginator"]) for each in done.report["lists"]}
    assert found == {
        "GET /api/v1/events": ("acme.events", "declared", "link_header"),
        "GET /api/v1/groups": ("acme.groups", "declared", "link_header"),
        "GET /api/v1/people": ("acme.users", "declared", "link_header"),
        "GET /api/v1/users": ("acme.users_2", "unknown", None),
    }
    (operation,) = done.report["operations"]
    assert operation["name"] == "acme.users_2.unlock"
