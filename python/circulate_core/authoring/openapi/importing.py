"""A source made of OpenAPI documents: its definitions, and a report of what each rests on."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from circulate_core import _core
from circulate_core.authoring.openapi.description import ApiOperation, operations_of
from circulate_core.authoring.openapi.lists import (
    FoundList,
    columns_of,
    find_list,
    member_of,
    other_format,
    time_filters,
    times_of,
)
from circulate_core.authoring.openapi.naming import (
    endpoint_name,
    parameters_of,
    resource_of,
    singular,
    snake,
    squeezed,
    unique,
)
from circulate_core.authoring.openapi.nodes import Library, Node
from circulate_core.authoring.openapi.operations import CannotBeWritten, operation_name, operation_of, wrong_path
from circulate_core.authoring.openapi.overlay import Overlay, merged, own_members
from circulate_core.authoring.openapi.paging import Paging, paging_of
from circulate_core.authoring.openapi.schemas import without_checks
from circulate_core.authoring.openapi.shapes import Shape, body_shape, shape_of
from circulate_core.authoring.openapi.signing import Access, Given, access_of, looks_like_key, scopes_of
from circulate_core.authoring.openapi.words import about_of, docs_of, sentence
from circulate_core.exceptions import CirculateError, DefinitionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from circulate_core.authoring.openapi.files import Document
    from circulate_core.authoring.openapi.paging import Status

UNKNOWN = "unknown"
"""The paginator of a list of which nobody has said how it is read. The engine never reads it."""


@dataclass
class ImportedList:
    """A list of an API, as a stream.

    Attributes:
        found: What the documents say of it.
        endpoint: Its name.
        status: How well it is known how it is read.
        definition: Its endpoint, as a file holds it.
        paging: How one page leads to the next.
        evidence: What says all this, a sentence each.
        notes: What a person has to decide.
    """

    found: FoundList
    endpoint: str
    status: Status
    definition: dict[str, Any]
    paging: Paging
    evidence: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def key(self) -> str:
        """`GET /path`."""
        return self.found.operation.key

    @property
    def listed(self) -> dict[str, Any]:
        """The `list` of its endpoint."""
        listed: dict[str, Any] = self.definition["list"]
        return listed

    @property
    def paginator(self) -> Any:  # noqa: ANN401 - as a definition writes it
        """Its paginator; None if nobody knows it."""
        return None if self.status == UNKNOWN else self.listed["paginator"]


@dataclass
class ImportedOperation:
    """A call of an API, as an operation of an endpoint."""

    operation: ApiOperation
    endpoint: str
    name: str
    definition: dict[str, Any]


@dataclass
class ImportedSource:
    """A source made of documents.

    Attributes:
        name: Its name.
        definition: What `source.yaml` holds.
        lists: Its lists, in the order of their names.
        operations: Its operations.
        left_out: What is not a part of it, by `GET /path`, each with the reason.
        notes: What a person has to decide, and what of the documents could not be read.
        documents: The documents.
        given: What was said of it beside them.
    """

    name: str
    definition: dict[str, Any]
    lists: list[ImportedList]
    operations: list[ImportedOperation]
    left_out: dict[str, str]
    notes: list[str]
    documents: Sequence[Document]
    given: Given


def import_documents(
    name: str, documents: Sequence[Document], *, overlay: Overlay, given: Given, known_names: dict[str, str]
) -> ImportedSource:
    """Make a source of documents.

    Args:
        name: Its name.
        documents: The documents, which describe one API.
        overlay: What a person says of it.
        given: What is said of it by flags.
        known_names: Names of endpoints by `GET /path`, as an earlier import gave them.

    Raises:
        DefinitionError: The documents are of several APIs, or the overlay names what they do not have.
    """
    library = Library()
    roots = [library.root(document) for document in documents]
    operations = _distinct(library, roots)
    access = access_of(name, roots, list(operations.values()), given)
    overlay.refuse_unknown(operations, operations)
    builder = _Builder(name, access, overlay, known_names)
    builder.find_lists(operations.values())
    builder.make_lists()
    source = _source_definition(name, roots, access, builder, overlay)
    builder.make_operations(operations.values())
    builder.check(source)
    notes = [*access.notes, *builder.notes, *library.notes]
    lists = sorted(builder.lists.values(), key=lambda each: each.endpoint)
    return ImportedSource(name, source, lists, builder.operations, builder.left_out, notes, documents, given)


def source_name(documents: Sequence[Document]) -> str:
    """Return what a source is called if nobody says it: by the title of its document."""
    title = Library().root(documents[0]).at("info", "title").text()
    words = [
        word for word in snake(title).split("_") if word not in {"api", "rest", "the", "v1", "v2", "v3", "openapi"}
    ]
    return snake("_".join(words[:3])) or "api"


def _distinct(library: Library, roots: Sequence[Node]) -> dict[str, ApiOperation]:
    found: dict[str, ApiOperation] = {}
    for root in roots:
        for operation in operations_of(root):
            servers = operation.node.get("servers")
            if operation.key in found:
                library.note(f"{operation.node.where}: {operation.key} is described twice; the first one counts")
            elif servers.is_there() and servers.value != root.get("servers").value and servers.value:
                library.note(f"{operation.node.where}: {operation.key} has a server of its own, and is left out")
            else:
                found[operation.key] = operation
    return found


def _source_definition(
    name: str, roots: Sequence[Node], access: Access, builder: _Builder, overlay: Overlay
) -> dict[str, Any]:
    info = roots[0].get("info")
    title = sentence(info.get("title").text()) or name
    source: dict[str, Any] = {"source": name, "title": title}
    docs = roots[0].at("externalDocs", "url").text()
    if re.fullmatch(r"https?://\S+", docs):
        source["docs"] = docs
    source |= {"settings": access.settings, "base_url": access.base_url, "auth": access.auth}
    source["headers"] = {"Accept": "application/json"}
    if limits := builder.rate_limit():
        source["rate_limit"] = limits
    if check := builder.check_request():
        source["check"] = check
    return dict(merged(source, overlay.source))


class _Builder:
    """Makes lists and operations of one API."""

    def __init__(self, source: str, access: Access, overlay: Overlay, known_names: dict[str, str]) -> None:
        self.source = source
        self.access = access
        self.overlay = overlay
        self.known_names = known_names
        self.found: dict[str, FoundList] = {}
        self.lists: dict[str, ImportedList] = {}
        self.operations: list[ImportedOperation] = []
        self.left_out: dict[str, str] = {}
        self.notes: list[str] = []
        self._by_path: dict[str, ImportedList] = {}
        self._own_settings = dict(access.settings)
        self._of_partitions: set[str] = set()
        """Names of what lists are requested for one by one, which no setting may have."""

    # Lists.

    def find_lists(self, operations: Iterable[ApiOperation]) -> None:
        """Find the operations that return lists."""
        for operation in operations:
            entry = self.overlay.lists.get(operation.key)
            if entry is not None and entry.get("leave_out"):
                self.left_out[operation.key] = "the overlay says so"
                continue
            found = find_list(operation)
            if found is None and entry is not None:
                shape, _ = body_shape(operation.response)
                found = FoundList(operation, "the overlay says that it is a list", shape)
            if found is None:
                continue
            if other := other_format(operation):
                self.left_out[operation.key] = f"its pages are {other}: a definition with a hook can read them"
            elif refused := wrong_path(re.sub(r"\{[^{}]*\}", "{x}", operation.path)):
                self.left_out[operation.key] = refused
            else:
                self.found[operation.key] = found

    def make_lists(self) -> None:
        """Make endpoints of lists, parents before their children."""
        self._make_lists()
        if self._of_partitions & self.access.settings.keys():
            # Of names, those of partitions go before those of settings, which are known only by now.
            self.access.settings = dict(self._own_settings)
            self.lists, self._by_path = {}, {}
            self._make_lists()

    def _make_lists(self) -> None:
        taken: set[str] = set()
        ordered = sorted(self.found.values(), key=lambda each: (each.operation.path.count("/"), each.operation.path))
        kept = {key: name for key, name in self.known_names.items() if key in self.found}
        taken.update(kept.values())
        for found in ordered:
            operation = found.operation
            named = self.overlay.lists.get(operation.key, {}).get("name")
            name = named or kept.get(operation.key) or unique(endpoint_name(operation.path), taken)
            taken.add(name)
            made = self._list(found, name)
            self.lists[operation.key] = made
            self._by_path.setdefault(_without_names(operation.path), made)

    def _list(self, found: FoundList, name: str) -> ImportedList:
        operation = found.operation
        paging = paging_of(found)
        entry = self.overlay.lists.get(operation.key, {})
        rule = self.overlay.rule_for(operation.path, [each.name for each in operation.query()])
        notes: list[str] = []
        listed = self._request(found, paging, notes)
        if found.format is not None:
            listed["format"] = found.format
        if found.records is not None:
            listed["records"] = found.records
        listed["primary_key"] = found.key
        if paging.page_size is not None:
            listed["page_size"] = paging.page_size
        if paging.paginator is not None and found.records is not None:
            listed["paginator"] = paging.paginator
        if paging.single:
            listed["single"] = "certain"
        evidence = [*found.evidence, *(f"paging: {each}" for each in paging.evidence)]
        definition: dict[str, Any] = {"endpoint": name, "about": about_of(operation)}
        if docs := docs_of(operation):
            definition["docs"] = docs
        if self.access.schemes:
            definition["scopes"] = scopes_of(self.access, operation)
        definition["list"] = listed
        if columns := columns_of(found.record):
            definition["columns"] = columns
        status: Status = paging.status if "paginator" in listed else "unknown"
        if status == "unknown" and rule is not None:
            definition["list"] = self._said(listed, rule.listed, evidence, f"the overlay's rule for {rule.paths}")
        if entry:
            listed = self._said(definition["list"], entry.get("list", {}), evidence, "the overlay")
            definition = dict(merged({**definition, "list": listed}, _of_endpoint(entry)))
        if status == "unknown" and _is_complete(definition["list"], found):
            status = "declared"
        if status == "unknown":
            definition["list"]["paginator"] = UNKNOWN
        return ImportedList(found, name, status, definition, paging, evidence, notes)

    def _said(self, listed: dict[str, Any], above: dict[str, Any], evidence: list[str], who: str) -> dict[str, Any]:
        if above:
            evidence.append(f"{who} says {', '.join(above)}")
        return dict(merged(listed, above))

    def _request(self, found: FoundList, paging: Paging, notes: list[str]) -> dict[str, Any]:
        """Return how a list is requested: its path, parent, partitions and query."""
        operation = found.operation
        listed: dict[str, Any] = {}
        names: set[str] = set(self.access.settings)
        partitions: list[dict[str, Any]] = []
        listed["path"], parent = self._path(operation, names, partitions, notes)
        if parent is not None:
            listed["parent"] = parent
        query, headers = self._required(operation, paging, names, partitions, notes)
        if partitions:
            listed["partitions"] = partitions[0] if len(partitions) == 1 else partitions
        if query:
            listed["query"] = query
        if headers:
            listed["headers"] = headers
        return listed

    def _path(
        self, operation: ApiOperation, names: set[str], partitions: list[dict[str, Any]], notes: list[str]
    ) -> tuple[str, dict[str, Any] | None]:
        """Return the path of a list, and the list whose records it is requested for."""
        segments = operation.path.split("/")
        by_name = {each.name: each for each in operation.parameters if each.location == "path"}
        begin, parent = "", None
        rest = segments[1:]
        for at in range(len(segments) - 1, 0, -1):
            above = self._by_path.get(_without_names("/".join(segments[:at])))
            is_parameter = re.fullmatch(r"\{([^{}]*)\}", segments[at])
            if above is None or is_parameter is None:
                continue
            pointer = _pointer_to(above.found, is_parameter[1])
            if pointer is None:
                continue
            used = {*names, *parameters_of(above.listed["path"])}
            field_name = unique(self._name_of(is_parameter[1], above.found.operation.path), used)
            begin = f"{above.listed['path'].rstrip('/')}/{{{field_name}}}"
            parent = {"endpoint": above.endpoint, "fields": {field_name: pointer}}
            names.update({field_name, *parameters_of(begin)})
            self._of_partitions.add(field_name)
            rest = segments[at + 1 :]
            break
        path = begin
        for at, segment in enumerate(rest):

            def named(found: re.Match[str], at: int = at) -> str:
                parameter = by_name[found[1]]
                before = (
                    "/".join(["", *rest[:at]]) if not begin else "/".join([operation.path.split("{")[0], *rest[:at]])
                )
                name = self._name_of(found[1], before)
                if parameter.values:
                    name = self._partition(name, _distinct_texts(parameter.values), names, partitions)
                    return "{" + name + "}"
                about = sentence(parameter.about) or f"`{found[1]}` of {operation.path}"
                setting = self._setting(name, about, names)
                notes.append(
                    f"`{{{found[1]}}}` of its path is the setting `{setting}`, since no list is known to have it"
                )
                return "{" + setting + "}"

            path += "/" + re.sub(r"\{([^{}]*)\}", named, segment)
        return path, parent

    def _partition(self, name: str, values: list[str], names: set[str], partitions: list[dict[str, Any]]) -> str:
        """Add values that a list is requested for one by one; return the name by which requests use one."""
        name = unique(name, names)
        self._of_partitions.add(name)
        partitions.append({"name": name, "values": values})
        return name

    def _setting(self, name: str, about: str, names: set[str]) -> str:
        """Declare a setting that a list needs, and return its name."""
        if name in self._own_settings or name in self._of_partitions or name in names - self.access.settings.keys():
            name = f"fixed_{name}"
        setting = self.access.setting(name, about)
        names.add(setting)
        return setting

    def _name_of(self, given: str, before: str) -> str:
        """Return the name of a part of a path: `user_id` for the `id` of `/users/{id}`."""
        name = snake(given)
        if name in {"id", "key", "name", "uuid", "guid", "sid", "code", "slug", "number", "type", "", "value"}:
            around = snake(singular(resource_of(re.sub(r"\.(json|xml)$", "", before))))
            name = f"{around}_{name or 'id'}" if around else name or "id"
        return name or "value"

    def _required(
        self,
        operation: ApiOperation,
        paging: Paging,
        names: set[str],
        partitions: list[dict[str, Any]],
        notes: list[str],
    ) -> tuple[dict[str, Any], dict[str, str]]:
        """Return the parameters that a list cannot be requested without."""
        keys = _names_of_keys(self.access)
        of_paging = _names_in(paging.paginator) | _names_in(paging.page_size)
        for candidate in paging.candidates:
            of_paging |= _names_in(candidate)
        query: dict[str, Any] = {}
        headers: dict[str, str] = {}
        for parameter in operation.parameters:
            place = {"query": query, "header": headers}.get(parameter.location)
            is_ours = squeezed(parameter.name) in {"accept", "contenttype", "authorization", "useragent"}
            if place is None or not parameter.required or parameter.name.lower() in keys or is_ours:
                continue
            if parameter.name in of_paging or (looks_like_key(parameter.name) and not parameter.values):
                continue
            values = _distinct_texts(parameter.values)
            default = parameter.default
            if default is not None and not isinstance(default, (dict, list)):
                place[parameter.name] = _text(default).replace("{", "{{").replace("}", "}}")
            elif len(values) == 1:
                place[parameter.name] = values[0]
            elif values:
                name = self._partition(snake(parameter.name) or "value", values, names, partitions)
                place[parameter.name] = "{" + name + "}"
                notes.append(f"it is requested for each value of `{parameter.name}`: {', '.join(values)}")
            else:
                about = sentence(parameter.about) or f"`{parameter.name}` of {operation.path}"
                setting = self._setting(snake(parameter.name) or "value", about, names)
                place[parameter.name] = "{" + setting + "}"
                notes.append(f"it needs `{parameter.name}`, which is the setting `{setting}`")
        return query, headers

    # What is of the source as a whole.

    def rate_limit(self) -> dict[str, Any] | None:
        """Return the headers by which the API reports its quota, if its documents declare all three."""
        names: dict[str, str] = {}
        for found in self.found.values():
            for _, response in found.operation.node.get("responses").members():
                for name, _header in response.get("headers").members():
                    if match := re.fullmatch(r"(x-)?rate-?limit-?(limit|remaining|reset)", name, re.IGNORECASE):
                        names.setdefault(match[2].lower(), name)
        return names if names.keys() == {"limit", "remaining", "reset"} else None

    def check_request(self) -> dict[str, Any] | None:
        """Return a request that shows whether address and credentials are right: of a list that needs nothing."""
        plain = [
            each
            for each in self.lists.values()
            if "{" not in "".join(map(str, [each.listed["path"], *each.listed.get("query", {}).values()]))
            and "headers" not in each.listed
            and each.listed.get("method") != "POST"
        ]
        if not plain:
            return None
        chosen = min(plain, key=lambda each: (each.status == "unknown", len(each.listed["path"]), each.listed["path"]))
        check: dict[str, Any] = {"path": chosen.listed["path"]}
        if query := chosen.listed.get("query"):
            check["query"] = query
        if scopes := chosen.definition.get("scopes"):
            check["scopes"] = scopes
        return check

    # Operations.

    def make_operations(self, operations: Iterable[ApiOperation]) -> None:
        """Make operations of all that is no list."""
        cut: dict[str, str] = {}
        taken: dict[str, set[str]] = {}
        for operation in operations:
            if operation.key in self.lists or operation.key in self.left_out:
                continue
            entry = self.overlay.operations.get(operation.key, {})
            if entry.get("leave_out"):
                self.left_out[operation.key] = "the overlay says so"
                continue
            endpoint, below = self._endpoint_of(operation)
            if endpoint is None:
                self.left_out[operation.key] = "no list has a path that it could stand beside"
                continue
            scopes = scopes_of(self.access, operation) if self.access.schemes else None
            try:
                made, cuts = operation_of(operation, scopes, set(self.access.settings))
            except CannotBeWritten as error:
                self.left_out[operation.key] = str(error)
                continue
            if cuts:
                cut[operation.key] = cuts[0]
            names = taken.setdefault(endpoint.endpoint, set())
            name = entry.get("name") or unique(operation_name(operation, below), names)
            names.add(name)
            made = dict(merged(made, own_members(entry)))
            endpoint.definition.setdefault("operations", {})[name] = made
            self.operations.append(ImportedOperation(operation, endpoint.endpoint, name, made))
        if cut:
            key, why = next(iter(cut.items()))
            others = f", as of {len(cut) - 1} more operations" if len(cut) > 1 else ""
            self.notes.append(f"the schema of {key} is not whole{others}: {why} (`$comment` shows each place)")
        for each in self.lists.values():
            # Columns stand at the end of a file.
            if "columns" in each.definition:
                each.definition["columns"] = each.definition.pop("columns")

    def _endpoint_of(self, operation: ApiOperation) -> tuple[ImportedList | None, str]:
        """Return the endpoint that an operation stands beside: that of the nearest list above it."""
        segments = operation.path.rstrip("/").split("/")
        for at in range(len(segments), 1, -1):
            above = "/".join(segments[:at])
            if found := self._by_path.get(_without_names(above)):
                return found, above
        tags = set(operation.node.get("tags").texts())
        for each in self.lists.values():
            if tags & set(each.found.operation.node.get("tags").texts()):
                return each, operation.path[: len(_common(operation.path, each.found.operation.path))]
        first = [segment for segment in segments if segment and "{" not in segment][:1]
        for each in self.lists.values():
            if first and first[0] in each.found.operation.path.split("/"):
                return each, ""
        return None, ""

    # What the engine says of it.

    def check(self, source: dict[str, Any]) -> None:
        """Check everything by the engine, and leave out what it does not take, with its words.

        Raises:
            DefinitionError: The source itself is wrong, as where an overlay says so.
        """
        self._catalog(source).source(self.source)
        while wrong := self._wrong_lists(source):
            self._refuse_overlay(wrong)
            for key, why in wrong.items():
                made = self.lists[key]
                if self._repair(made, source):
                    continue
                del self.lists[key]
                self.left_out[key] = why
                for operation in [each for each in self.operations if each.endpoint == made.endpoint]:
                    self.operations.remove(operation)
                    self.left_out[operation.operation.key] = f"its endpoint is left out: {why}"

    def _refuse_overlay(self, wrong: dict[str, str]) -> None:
        """Refuse an overlay by which definitions are wrong.

        Raises:
            DefinitionError: They are, and all of them are named.
        """
        of_operations = {each.endpoint for each in self.operations if each.operation.key in self.overlay.operations}
        said = {
            key: why
            for key, why in wrong.items()
            if key in self.overlay.lists or self.lists[key].endpoint in of_operations
        }
        if said:
            message = "\n".join(f"{self.overlay.path}: {key}: {why}" for key, why in said.items())
            raise DefinitionError(message, operation="import", hint="correct what the overlay says of it")

    def _catalog(self, source: dict[str, Any]) -> _core.Catalog:
        endpoints = {each.endpoint: json.dumps(each.definition) for each in self.lists.values()}
        inline = {"source": self.source, "definition": json.dumps(source), "endpoints": endpoints, "hooks": {}}
        return _core.Catalog([], inline, {})

    def _wrong_lists(self, source: dict[str, Any]) -> dict[str, str]:
        catalog = self._catalog(source)
        wrong = {}
        for key, each in self.lists.items():
            try:
                catalog.stream(f"{self.source}.{each.endpoint}")
            except CirculateError as error:
                wrong[key] = _reason(error)
        return wrong

    def _repair(self, made: ImportedList, source: dict[str, Any]) -> bool:
        """Leave out what of an endpoint the engine does not take; return whether that helped."""
        operations = made.definition.get("operations", {})
        whole = dict(operations)
        made.definition["operations"] = {}
        if not self._is_right(made, source):
            made.definition["operations"] = whole
            return False
        for name, operation in whole.items():
            made.definition["operations"][name] = operation
            if self._is_right(made, source):
                continue
            for parameter in operation.get("parameters", {}).values():
                if "schema" in parameter:
                    parameter["schema"] = without_checks(parameter["schema"])
            if not self._is_right(made, source):
                del made.definition["operations"][name]
                gone = next(each for each in self.operations if (each.endpoint, each.name) == (made.endpoint, name))
                self.operations.remove(gone)
                self.left_out[gone.operation.key] = "the engine does not take it as an operation"
            else:
                self.notes.append(
                    f"{made.endpoint}.{name}: its schemas are not JSON Schemas that can be used; types remain"
                )
        if not made.definition["operations"]:
            del made.definition["operations"]
        return True

    def _is_right(self, made: ImportedList, source: dict[str, Any]) -> bool:
        try:
            self._catalog(source).stream(f"{self.source}.{made.endpoint}")
        except CirculateError:
            return False
        return True


def _reason(error: CirculateError) -> str:
    """Return what is wrong by an error of the engine, without the excerpt."""
    return str(error).splitlines()[0]


def _of_endpoint(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in own_members(entry).items() if key != "list"}


def _is_complete(listed: dict[str, Any], found: FoundList) -> bool:
    """Return whether a list says how it is read, which a person has completed."""
    return listed.get("paginator", UNKNOWN) != UNKNOWN and (found.records is not None or "records" in listed)


def _without_names(path: str) -> str:
    return re.sub(r"\{[^{}]*\}", "{}", path.rstrip("/")).lower() or "/"


def _common(one: str, other: str) -> str:
    at = 0
    for at, (left, right) in enumerate(zip(one, other, strict=False)):  # noqa: B007 - it is used behind the loop
        if left != right:
            break
    return one[: one.rfind("/", 0, at + 1) + 1]


def _pointer_to(above: FoundList, parameter: str) -> str | None:
    """Return the member of a record that a part of the path below its list is; None if nobody can say."""
    if isinstance(above.records, dict) and "scalars" in above.records:
        return "/value"
    if above.records is None:
        return None
    words = snake(parameter).split("_")
    key = above.key[0] if isinstance(above.key, list) and len(above.key) == 1 else None
    scalars = {
        name for name, node in (above.record.members.items() if isinstance(above.record, Shape) else ())
        if shape_of(node).kind == "scalar"
    }  # fmt: skip
    if (member := member_of(above.record, parameter)) and member in scalars:
        return f"/{member}"
    if key is None:
        return None
    name = squeezed(key)
    resource = squeezed(singular(snake(resource_of(above.operation.path))))
    is_key = any(word in words and name.endswith(word) for word in ("id", "uuid", "guid", "sid")) or name == squeezed(
        parameter
    )
    # `{channelId}` below `/users` is no user.
    rest = "".join(word for word in words if word not in {"id", "uuid", "guid", "sid", "or", "name", "label"})
    is_of_it = not rest or rest in resource or resource in rest or name.startswith(rest)
    return key if is_key and is_of_it else None


def _names_in(part: Any) -> set[str]:  # noqa: ANN401 - as a definition writes it
    """Return the query parameters that a paginator or a page size sets."""
    if not isinstance(part, dict):
        return set()
    found = {value for key, value in part.items() if key in {"to", "param"} and isinstance(value, str)}
    return found.union(*(_names_in(value) for value in part.values()))


def _names_of_keys(access: Access) -> set[str]:
    ways = [way for way in access.auth if isinstance(way, dict)]
    named = [way[kind]["name"] for way in ways for kind in ("query", "header") if kind in way]
    named += [header["name"] for way in ways for header in way.get("headers", [])]
    return {name.lower() for name in named}


def _distinct_texts(values: Sequence[str]) -> list[str]:
    return [value.replace("{", "{{").replace("}", "}}") for value in dict.fromkeys(values)]


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def proposals(made: ImportedList) -> list[str]:
    """Return what a person may add to a list: nothing of it is certain."""
    found = made.found
    lines = []
    if times := times_of(found.record):
        filters = time_filters(found.operation)
        by = f", and the parameter {' or '.join(f'`{name}`' for name in filters)} may select by time" if filters else ""
        lines.append(f"It may be incremental: records have {', '.join(f'`{name}`' for name in times[:3])}{by}.")
    return lines


def fingerprint(made: ImportedList) -> str:
    """Return a digest of all that the documents say of how a list is read."""
    operation = made.found.operation
    said = {
        "path": operation.path,
        "parameters": described_parameters(operation),
        "records": made.found.records,
        "key": made.found.key,
        "paging": [made.paging.status, made.paging.paginator, made.paging.page_size, made.paging.candidates],
    }
    return digest_of(said)


def described_parameters(operation: ApiOperation) -> dict[str, str]:
    """Return the parameters of an operation, each in a few words."""
    described = {}
    for each in operation.parameters:
        words = [each.type or "any", *(["required"] if each.required and each.location != "path" else [])]
        if each.values:
            words.append(f"of {', '.join(each.values)}")
        described[f"{each.location} {each.name}"] = " ".join(words)
    if operation.body is not None:
        described["body"] = " ".join([operation.body.media_type, *(["required"] if operation.body.required else [])])
    return described


def digest_of(document: object) -> str:
    """Return the SHA-256 of a document, however it is written."""
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
