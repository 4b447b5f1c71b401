"""Which operations return lists, where their records are, and what identifies a record."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from circulate_core.authoring.error_pages import is_error_name
from circulate_core.authoring.openapi.description import is_json
from circulate_core.authoring.openapi.naming import ends_in_parameter, is_plural, resource_of, singular, snake, squeezed
from circulate_core.authoring.openapi.shapes import Shape, body_shape, shape_of
from circulate_core.authoring.responses import is_secret

if TYPE_CHECKING:
    from collections.abc import Iterator

    from circulate_core.authoring.openapi.description import ApiOperation
    from circulate_core.authoring.openapi.nodes import Node


@dataclass
class FoundList:
    """An operation that returns a list.

    Attributes:
        operation: It.
        why: What says that it is a list.
        envelope: What a page looks like.
        records: Where a page holds its records, as definitions say it; None if nobody knows.
        record: What a record looks like.
        record_pointer: Where the records are, as a JSON Pointer.
        key: The members that identify a record, or `none`.
        evidence: What says so, a sentence each.
        candidates: What `records` could be, if nobody knows.
        format: What a page is, if that is not JSON.
    """

    operation: ApiOperation
    why: str
    envelope: Shape
    records: str | dict[str, str] | None = None
    record: Shape | None = None
    record_pointer: str = ""
    key: list[str] | str = "none"
    evidence: list[str] = field(default_factory=list)
    candidates: list[str] = field(default_factory=list)
    format: str | None = None


PAGE_PARAMETERS = {
    "page", "pagenumber", "pageno", "pagenum", "pageindex", "currentpage", "p", "offset", "skip", "startindex",
    "startat", "cursor", "pagetoken", "nextpagetoken", "nexttoken", "continuationtoken", "marker", "startingafter",
    "limit", "perpage", "pagesize", "maxresults", "pagelimit", "pageoffset", "pagecursor", "pageafter",
    "resultsperpage", "itemsperpage", "scrollid",
}  # fmt: skip
"""Parameters that only lists have."""

_ENVELOPES = {
    "data", "items", "results", "result", "records", "entries", "value", "values", "rows", "list", "content",
    "objects", "collection", "elements", "hits", "resources", "payload", "docs", "documents", "nodes", "edges",
    "entities", "members", "response", "embedded", "page",
}  # fmt: skip
"""What envelopes call their records, whatever these are."""

_BESIDE = {
    "errors", "error", "warnings", "links", "link", "messages", "message", "included", "facets", "aggregations",
    "notices", "meta", "metadata", "notifications", "filters", "sort", "sorts", "orderby", "fields", "columns",
    "schemas", "headers", "paging", "pagination", "expand", "parameters", "validations", "appliedfilters",
}  # fmt: skip
"""Arrays that stand beside records."""

_OF_ENVELOPES = re.compile(
    r"^(.*(total|count|page|paging|pagination|limit|offset|cursor|next|prev|previous|first|last|links?|meta|hasmore"
    r"|more|size|skip|marker|token|self|href|from|to|start|end|query|status|success|code|message|errors?|warnings?"
    r"|time|timestamp|took|version|object|type|url|kind|etag|requestid|sync|truncated|number|sort|facets?|took"
    r"|apiversion|copyright|license|ok|currenttime|response|result|more|results?perpage|available|done"
    r"|displayed|max|min|filters?|order|length|recommendation))$"
)
"""What stands beside the records of a page."""

_NO_LISTS = {
    "setting", "preference", "stat", "statistic", "metric", "quota", "limit", "option", "content", "detail",
    "analytic", "information", "parameter", "data",
}  # fmt: skip
"""Plurals of what there is one of."""


def find_list(operation: ApiOperation) -> FoundList | None:
    """Return the list that an operation returns; None if it returns none."""
    if operation.method != "GET":
        return None
    shape, origin = body_shape(operation.response)
    found = _by_shape(operation, shape, origin) or _by_name(operation, shape)
    if found is None:
        return None
    found.format = _format(operation)
    if found.records is not None:
        _find_key(found)
    return found


def find_one(operation: ApiOperation) -> FoundList | str:
    """Return the one record that an operation returns, or why it can be no stream of one record."""
    needed = [each.name for each in operation.parameters if each.required and each.default is None and not each.values]
    shape, origin = body_shape(operation.response)
    if needed:
        return (
            f"no list has a path that it could stand beside, and it needs {', '.join(f'`{name}`' for name in needed)}"
        )
    if shape.kind != "object" or not shape.members or not _returns_documents(operation):
        return "no list has a path that it could stand beside, and its response is not described as one object"
    if is_plural(resource_of(operation.path)) and not _names_one(operation):
        return "its name is that of a list, and its response is described as one object: an overlay can say which it is"
    if any(is_secret(name) for name in (resource_of(operation.path), *shape.members)):
        return "no list has a path that it could stand beside, and its response has a secret, by its name"
    found = FoundList(operation, f"the {origin} of its response is one object", shape)
    found.records, found.record = {"one": ""}, shape
    found.evidence.append("records: the page is the record; an array would be refused")
    _find_key(found)
    return found


def _by_shape(operation: ApiOperation, shape: Shape, origin: str) -> FoundList | None:  # noqa: PLR0911 - one for each shape
    """Return the list that a schema or an example shows."""
    pages = _pages(operation)
    if shape.kind == "array":
        found = FoundList(operation, f"the {origin} of its response is an array", shape)
        _take(found, "", shape, f"the page is the array ({origin})")
        return found
    if shape.kind == "map":
        return _map(operation, shape, pages)
    if shape.kind != "object" or not shape.members:
        return None
    arrays = list(_arrays(operation, shape))
    if not arrays and pages:
        # What mostly stands beside records is all that there is.
        members = ((f"/{name}", shape_of(node)) for name, node in shape.members.items())
        arrays = [each for each in members if each[1].kind == "array" and not _is_error(operation, each[0])]
    if not arrays:
        return None
    if ends_in_parameter(operation.path) and not pages:
        return None
    chosen, evidence = _choose(operation, arrays)
    if not pages and not _is_envelope(operation, shape, arrays, chosen):
        return None
    why = (
        f"it has the parameters of a list ({', '.join(pages)})" if pages else f"its {origin} is an envelope of records"
    )
    found = FoundList(operation, why, shape)
    if chosen is None:
        found.candidates = [pointer for pointer, _ in arrays]
        found.evidence.append(evidence)
    else:
        _take(found, chosen[0], chosen[1], f"{evidence} ({origin})")
    return found


def _map(operation: ApiOperation, shape: Shape, pages: list[str]) -> FoundList | None:
    """Return the list of a response that is an object from ids to records."""
    values = shape_of(shape.items) if shape.items is not None else None
    if values is None or values.kind != "object" or not (pages or is_plural(resource_of(operation.path))):
        return None
    if ends_in_parameter(operation.path) and not pages:
        return None
    found = FoundList(operation, "its response is an object from ids to records", shape)
    found.records, found.record, found.key = {"map": ""}, values, ["/_circulate/key"]
    found.evidence.append("the page is an object of records (additionalProperties)")
    return found


def _by_name(operation: ApiOperation, shape: Shape) -> FoundList | None:
    """Return the list that parameters or names show, where the response shows none.

    Many documents have no schema of a response, or that of one record for a list of them.
    """
    pages = _pages(operation)
    is_object = shape.kind == "object" and shape.members
    if pages:
        why = f"it has the parameters of a list ({', '.join(pages)})"
    elif _may_be_list(operation, shape):
        why = f"`{resource_of(operation.path)}` is a plural, and its response has no schema"
    else:
        return None
    found = FoundList(operation, why, shape)
    if is_object:
        found.evidence.append("its response is described as one object without an array of objects")
        found.candidates = ["", *(pointer for pointer, _ in _arrays(operation, shape))]
    else:
        found.evidence.append("its response has no schema that shows where the records are")
        found.candidates = [""]
    return found


def _may_be_list(operation: ApiOperation, shape: Shape) -> bool:
    """Return whether the path alone says that it is a list, where nothing says what a response holds."""
    is_open = shape.kind == "unknown" or (shape.kind == "object" and not shape.members)
    is_called_so = is_plural(resource_of(operation.path)) and not _names_one(operation)
    return is_open and is_called_so and not ends_in_parameter(operation.path) and _returns_documents(operation)


def _names_one(operation: ApiOperation) -> bool:
    """Return whether a plural is what there is one of, such as settings."""
    return singular(snake(resource_of(operation.path)).rpartition("_")[2]) in _NO_LISTS


def _returns_documents(operation: ApiOperation) -> bool:
    media_type = operation.response.media_type
    return not media_type or is_json(media_type) or media_type == "*/*"


def _pages(operation: ApiOperation) -> list[str]:
    """Return the parameters that only lists have."""
    return [each.name for each in operation.query() if squeezed(each.name) in PAGE_PARAMETERS]


def _arrays(operation: ApiOperation, shape: Shape, before: str = "", depth: int = 0) -> Iterator[tuple[str, Shape]]:
    """Return the arrays of an envelope, those of objects in it too, but not what stands beside records."""
    deeper: list[tuple[str, Shape]] = []
    found = False
    for name, node in shape.members.items():
        if (squeezed(name) in _BESIDE or is_error_name(name)) and not _is_named_as(operation, name):
            continue
        member = shape_of(node)
        pointer = f"{before}/{name.replace('~', '~0').replace('/', '~1')}"
        if member.kind == "array":
            found = True
            yield pointer, member
        elif member.kind == "object" and member.members and depth < 2:  # noqa: PLR2004 - `/data/result/items`
            deeper.append((pointer, member))
    if not found:
        # Arrays of what stands beside others are members of it, not records.
        around = [(pointer, member) for pointer, member in deeper if _may_hold_records(pointer, shape)]
        for pointer, member in around:
            yield from _arrays(operation, member, pointer, depth + 1)


def _may_hold_records(pointer: str, shape: Shape) -> bool:
    """Return whether an object in an envelope may hold the records: it is called so, or is all that there is."""
    name = squeezed(pointer.rpartition("/")[2])
    others = [each for each in shape.members if not _OF_ENVELOPES.match(squeezed(each))]
    return name in _ENVELOPES or len(others) == 1


def _choose(operation: ApiOperation, arrays: list[tuple[str, Shape]]) -> tuple[tuple[str, Shape] | None, str]:
    """Return the array of the records and what says so; None if it may be one or the other."""
    if len(arrays) == 1:
        return arrays[0], "the only array of the page"
    named = [each for each in arrays if _is_named_as(operation, each[0])]
    names = ", ".join(pointer for pointer, _ in arrays)
    if len(named) == 1:
        return named[0], f"of several arrays ({names}) the one named as the resource"
    objects = [each for each in arrays if each[1].items is not None and shape_of(each[1].items).kind == "object"]
    if len(objects) == 1 and squeezed(objects[0][0]) in _ENVELOPES:
        return objects[0], f"of several arrays ({names}) the only one of objects"
    return None, f"there are several arrays: {names}"


def _is_error(operation: ApiOperation, pointer: str) -> bool:
    """Return whether an array says what is wrong, and is not what the list is of."""
    return is_error_name(pointer.rpartition("/")[2]) and not _is_named_as(operation, pointer)


def _is_named_as(operation: ApiOperation, pointer: str) -> bool:
    name = squeezed(singular(snake(pointer.rpartition("/")[2])))
    resource = squeezed(singular(snake(resource_of(operation.path))))
    return bool(name) and name == resource


def _is_envelope(
    operation: ApiOperation, shape: Shape, arrays: list[tuple[str, Shape]], chosen: tuple[str, Shape] | None
) -> bool:
    """Return whether an object is a page of records, rather than a record that has an array."""
    of_records = {pointer.split("/")[1] for pointer, _ in arrays}
    others = [squeezed(name) for name in shape.members if name not in of_records and squeezed(name) not in _BESIDE]
    if {"id", "uuid"} & set(others):
        return False
    is_all_around = all(_OF_ENVELOPES.match(name) for name in others)
    if chosen is None:
        return is_all_around and is_plural(resource_of(operation.path))
    name = chosen[0].split("/")[1]
    if _is_named_as(operation, chosen[0]) or _is_named_as(operation, name):
        return True
    counts = any(re.match(r"(.*total.*|count|.*next.*|page|hasmore)$", other) for other in others)
    if squeezed(name) in _ENVELOPES:
        return is_all_around or counts
    if not others and chosen[0].count("/") == 1:
        # All that there is are objects: nothing but a list is so.
        items = chosen[1].items
        return is_plural(resource_of(operation.path)) or (items is not None and shape_of(items).kind == "object")
    return is_all_around and counts


def _take(found: FoundList, pointer: str, array: Shape, evidence: str) -> None:
    found.evidence.append(f"records: {evidence}")
    found.record_pointer = pointer
    record = shape_of(array.items) if array.items is not None else None
    if record is not None and record.kind == "scalar":
        found.records, found.key = {"scalars": pointer}, ["/value"]
        return
    if record is not None and record.kind == "array":
        found.evidence[-1] = f"records: the array at `{pointer}` holds arrays"
        found.candidates = [f"{pointer}/*"]
        return
    found.records, found.record = pointer, record


_KEYS = ("id", "uuid", "guid", "sid", "_id")


def _find_key(found: FoundList) -> None:
    """Find the member that identifies a record: one of the names that are given to nothing else."""
    if found.record is None or not found.record.members:
        if found.key == "none":
            found.evidence.append("key: the document does not describe a record")
        return
    if isinstance(found.records, dict) and "map" in found.records:
        return
    scalars = {name: shape for name, node in found.record.members.items() if (shape := shape_of(node)).kind == "scalar"}
    resource = squeezed(singular(snake(resource_of(found.operation.path))))
    of_resource = {f"{resource}{word}" for word in ("id", "uuid", "guid", "sid")} if resource else set()
    for names in (
        [name for name in scalars if name.lower() in _KEYS],
        [name for name in scalars if squeezed(name) in of_resource],
    ):
        keys = [name for name in names if scalars[name].type != "boolean"]
        if keys:
            key = min(keys, key=lambda name: (_KEYS.index(name.lower()) if name.lower() in _KEYS else 0, name))
            found.key = [f"/{key}"]
            found.evidence.append(f"key: a record has the member `{key}`")
            return
    found.evidence.append("key: no member of a record is named as one that identifies it")


def _format(operation: ApiOperation) -> str | None:
    plain = operation.response.media_type.partition(";")[0].strip().lower()
    if plain in {"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"}:
        return "ndjson"
    return "csv" if plain == "text/csv" else None


def other_format(operation: ApiOperation) -> str | None:
    """Return the type of pages that no format of definitions is, such as XML."""
    plain = operation.response.media_type.partition(";")[0].strip().lower()
    known = not plain or is_json(plain) or _format(operation) is not None or "*" in plain
    # Documents of others often say `text/plain` where a server sends JSON.
    return None if known or operation.response.schema.is_there() else plain


def columns_of(record: Shape | None) -> dict[str, Any]:
    """Return the columns of a record's members whose types the document says."""
    if record is None:
        return {}
    columns: dict[str, Any] = {}
    taken: set[str] = set()
    for name, node in record.members.items():
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) or name.lower() in taken:
            continue
        kind = _column(shape_of(node))
        if kind is not None:
            taken.add(name.lower())
            columns[name] = kind
    return columns


def _column(shape: Shape) -> str | None:
    if shape.kind != "scalar":
        return None
    if shape.type == "string":
        return "timestamp" if shape.format == "date-time" else "string"
    return shape.type if shape.type in {"integer", "number", "boolean"} else None


def times_of(record: Shape | None) -> list[str]:
    """Return the members of a record that may say when it was changed."""
    names = {
        "updatedat", "lastupdated", "updated", "modifiedat", "modified", "lastmodified", "datemodified",
        "dateupdated", "updatedon", "modifiedon", "published", "createdat", "created", "datecreated", "createdon",
        "timestamp", "eventtime", "occurredat", "updatetime", "createtime",
    }  # fmt: skip
    return [name for name in (record.members if record else {}) if squeezed(name) in names]


def time_filters(operation: ApiOperation) -> list[str]:
    """Return the parameters of a list that may select what changed."""
    pattern = r"(updated|modified|changed|created)?_?(since|after|from|gte?|min)$|^since$|^(start|from)_?(date|time)$"
    return [
        each.name
        for each in operation.query()
        if re.search(pattern, snake(each.name)) and squeezed(each.name) not in PAGE_PARAMETERS | {"after", "from"}
    ]


def member_of(record: Node | Shape | None, name: str) -> str | None:
    """Return the member of a record that has this name in any spelling."""
    members = record.members if isinstance(record, Shape) else {}
    return next((member for member in members if squeezed(member) == squeezed(name)), None)
