"""Bodies of pages: where records stand in them, and in which format."""

import csv
import io
import json
from collections.abc import Mapping
from typing import Any, Final

from circulate_practice.paging.kit.messages import JSON_TYPE
from circulate_practice.paging.kit.places import put

_NDJSON_TYPE: Final = "application/x-ndjson"
_CSV_TYPE: Final = "text/csv; charset=utf-8"
_GROUPS: Final = 2


def document_of(listing: Mapping[str, Any], records: list[Any]) -> Any:  # noqa: ANN401 - JSON
    """Return what a page holds besides its format: a document with the records where the definition says so."""
    where = listing.get("records", "")
    if listing.get("format") == "ndjson_with_trailer":
        return _trailer(listing["paginator"])
    if listing.get("format", "json") != "json":
        return {}
    pointer, held = _held(where, records)
    if pointer == "":
        return held
    document: dict[str, Any] = {}
    put(document, pointer, held)
    return document


def _held(where: Any, records: list[Any]) -> tuple[str, Any]:  # noqa: ANN401 - what a definition may say
    """Return where in the document records stand, and what stands there."""
    if isinstance(where, str):
        above, groups, below = where.partition("/*")
        return above, _groups(records, below) if groups else list(records)
    if "map" in where:
        return where["map"], {str(record["id"]): record for record in records}
    return where["scalars"], list(records)


def body_of(listing: Mapping[str, Any], records: list[Any], document: object, names: list[str]) -> tuple[bytes, str]:
    """Return the bytes of a page and their type.

    Args:
        listing: What the definition says of the list.
        records: Records of the page.
        document: The page, with all members that lead on.
        names: Names of the members of all records, for the header line of CSV.
    """
    kind = listing.get("format", "json")
    if kind == "json":
        return _json(document), JSON_TYPE
    if kind == "csv":
        return _csv(records, names), _CSV_TYPE
    lines = [*records, document] if kind == "ndjson_with_trailer" else records
    return b"".join(_json(line) + b"\n" for line in lines), _NDJSON_TYPE


def _trailer(paginator: Mapping[str, Any]) -> dict[str, Any]:
    """Return the last line of a page without a next one: what would lead there is `null`."""
    keys = next(iter(paginator.values()))
    where = keys.get("from", keys)
    trailer: dict[str, Any] = {}
    if "body" in where:
        put(trailer, where["body"], None)
    return trailer


def _groups(records: list[Any], below: str) -> list[Any]:
    """Return records in several objects, one of them without any."""
    half = -(-len(records) // _GROUPS)
    groups: list[Any] = []
    for number, part in enumerate([records[:half], [], records[half:]]):
        group = {"group": f"g{number}"}
        if below:
            put(group, below, part)
        groups.append(group if below else part)
    return groups


def _csv(records: list[Any], names: list[str]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, names)
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue().encode()


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
