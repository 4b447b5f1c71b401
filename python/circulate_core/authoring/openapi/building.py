"""Definitions of lists and operations, made of what documents and an overlay say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from circulate_core.authoring.openapi.imported import UNKNOWN, ImportedList, ImportedOperation, is_one
from circulate_core.authoring.openapi.increments import increment_of
from circulate_core.authoring.openapi.lists import FoundList, columns_of, find_list, find_one, member_of, other_format
from circulate_core.authoring.openapi.naming import (
    endpoint_name,
    first_word,
    parameters_of,
    resource_of,
    singular,
    snake,
    squeezed,
    unique,
)
from circulate_core.authoring.openapi.operations import CannotBeWritten, operation_name, operation_of, wrong_path
from circulate_core.authoring.openapi.overlay import merged, own_members
from circulate_core.authoring.openapi.paging import Paging, paging_of
from circulate_core.authoring.openapi.shapes import Shape, body_shape, shape_of
from circulate_core.authoring.openapi.signing import looks_like_key, scopes_of
from circulate_core.authoring.openapi.words import about_of, docs_of, sentence
from circulate_core.authoring.responses import is_secret
from circulate_core.exceptions import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from circulate_core.authoring.openapi.description import ApiOperation, Parameter
    from circulate_core.authoring.openapi.overlay import Overlay
    from circulate_core.authoring.openapi.signing import Access


class Builder:
    """Makes lists and operations of one API."""

    def __init__(self, access: Access, overlay: Overlay, known_names: dict[str, str]) -> None:
        self.access = access
        self.overlay = overlay
        self.known_names = known_names
        self.found: dict[str, FoundList] = {}
        self.lists: dict[str, ImportedList] = {}
        self.operations: list[ImportedOperation] = []
        self.left_out: dict[str, str] = {}
        self.notes: list[str] = []
        self._by_path: dict[str, ImportedList] = {}
        self._no_records: dict[str, str] = {}
        """Why calls that read cannot be streams of one record."""
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

    def make_lists(self, operations: Iterable[ApiOperation]) -> None:
        """Make endpoints of lists, parents before their children, and of single objects that stand beside none."""
        self._make_all_lists()
        known = self.found.keys() | self.left_out.keys() | self.overlay.operations.keys()
        alone = [each for each in operations if each.key not in known and self._endpoint_of(each)[0] is None]
        looked_at = {each.key: find_one(each) for each in alone if each.method == "GET"}
        single = {key: found for key, found in looked_at.items() if isinstance(found, FoundList)}
        self._no_records = {key: why for key, why in looked_at.items() if isinstance(why, str)}
        if single:
            self.found |= single
            self._make_all_lists()

    def _make_all_lists(self) -> None:
        self._make_lists()
        if self._of_partitions & self.access.settings.keys():
            # Of names, those of partitions go before those of settings, which are known only by now.
            self.access.settings = dict(self._own_settings)
            self._make_lists()

    def _make_lists(self) -> None:
        self.lists, self._by_path = {}, {}
        taken: set[str] = set()
        ordered = sorted(self.found.values(), key=lambda each: (each.operation.path.count("/"), each.operation.path))
        named = {key: said["name"] for key, said in self.overlay.lists.items() if "name" in said and key in self.found}
        taken.update(named.values())
        kept = {key: name for key, name in self.known_names.items() if key in self.found and name not in taken}
        taken.update(kept.values())
        names = kept | named
        for found in ordered:
            operation = found.operation
            name = names.get(operation.key) or unique(endpoint_name(operation.path), taken)
            made = self._list(found, name)
            self.lists[operation.key] = made
            self._by_path.setdefault(_without_names(operation.path), made)

    def _list(self, found: FoundList, name: str) -> ImportedList:
        operation = found.operation
        paging = Paging("inferred", "none") if is_one(found.records) else paging_of(found)
        notes: list[str] = []
        definition: dict[str, Any] = {"endpoint": name, "about": about_of(operation)}
        if docs := docs_of(operation):
            definition["docs"] = docs
        if self.access.schemes:
            definition["scopes"] = scopes_of(self.access, operation)
        definition["list"] = self._request(found, paging, notes) | _pages(found, paging)
        if columns := columns_of(found.record):
            definition["columns"] = columns
        evidence = [*found.evidence, *(f"paging: {each}" for each in paging.evidence)]
        is_known = paging.status != "unknown" and found.records is not None
        made = ImportedList(found, name, paging.status if is_known else "unknown", definition, paging, evidence, notes)
        if not is_one(found.records):
            made.increment = increment_of(found)
        self._overlay(made)
        if made.status == "unknown":
            made.listed["paginator"] = UNKNOWN
        return made

    def _overlay(self, made: ImportedList) -> None:
        """Take what an overlay says of a list."""
        operation = made.found.operation
        rule = self.overlay.rule_for(operation.path, [each.name for each in operation.query()])
        if rule is not None and made.status == "unknown":
            made.evidence.append(f"the overlay's rule for {rule.paths} says {', '.join(rule.listed)}")
            made.definition["list"] = merged(made.listed, rule.listed)
        said = own_members(self.overlay.lists.get(operation.key, {}))
        if said:
            made.evidence.append(f"the overlay says {', '.join([*said.get('list', {}), *(said.keys() - {'list'})])}")
            made.definition = merged(made.definition, said)
        is_said = "paginator" in said.get("list", {}) or made.status == "unknown"
        if is_said and made.listed.get("paginator", UNKNOWN) != UNKNOWN and "records" in made.listed:
            made.status = "declared"

    def _request(self, found: FoundList, paging: Paging, notes: list[str]) -> dict[str, Any]:
        """Return how a list is requested: its path, parent, partitions and query."""
        operation = found.operation
        # Only an overlay says of a POST that it is a list.
        listed: dict[str, Any] = {} if operation.method == "GET" else {"method": operation.method}
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
                if (only := _only_value(parameter)) is not None:
                    return only
                if parameter.values:
                    name = self._partition(name, _distinct_texts(parameter.values), names, partitions)
                    return "{" + name + "}"
                about = sentence(parameter.about) or f"`{found[1]}` of {operation.path}"
                default = None if is_secret(found[1]) else parameter.default
                setting = self._setting(name, about, names, default)
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

    def _setting(self, name: str, about: str, names: set[str], default: object = None) -> str:
        """Declare a setting that a list needs, and return its name."""
        if name in self._own_settings or name in self._of_partitions or name in names - self.access.settings.keys():
            name = f"fixed_{name}"
        more = {"default": _text(default)} if isinstance(default, (str, int)) and _text(default) else {}
        setting = self.access.setting(name, about, **more)
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
            # People leave their own keys in documents.
            default = None if is_secret(parameter.name) else parameter.default
            if default is not None and not isinstance(default, (dict, list)):
                place[parameter.name] = _text(default).replace("{", "{{").replace("}", "}}")
            elif (only := _only_value(parameter)) is not None:
                place[parameter.name] = only
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
        """Make operations of all that is not a list."""
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
                why = "no list has a path that it could stand beside"
                self.left_out[operation.key] = self._no_records.get(operation.key, why)
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
            self._add_operation(endpoint, ImportedOperation(operation, endpoint.endpoint, name, made))
        if cut:
            key, why = next(iter(cut.items()))
            others = f", as of {len(cut) - 1} more operations" if len(cut) > 1 else ""
            self.notes.append(f"the schema of {key} is not whole{others}: {why} (`$comment` shows each place)")
        for each in self.lists.values():
            # Columns stand at the end of a file.
            if "columns" in each.definition:
                each.definition["columns"] = each.definition.pop("columns")

    def _add_operation(self, endpoint: ImportedList, made: ImportedOperation) -> None:
        """Add an operation to an endpoint, beside which it stands.

        Raises:
            DefinitionError: An overlay gives it the name of another one, which it would replace.
        """
        there = endpoint.definition.setdefault("operations", {})
        if made.name in there:
            key, place = made.operation.key, self.overlay.path
            message = f"{place}: {key}: {endpoint.endpoint} has another operation `{made.name}`"
            raise DefinitionError(message, operation="import", hint="give it another name")
        there[made.name] = made.definition
        self.operations.append(made)

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
        first = first_word(operation.path)
        for each in self.lists.values():
            if first and first == first_word(each.found.operation.path):
                return each, operation.path[: operation.path.index(first)]
        return None, ""


def _pages(found: FoundList, paging: Paging) -> dict[str, Any]:
    """Return how the pages of a list are read."""
    listed: dict[str, Any] = {}
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
    return listed


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
    # Records may have another name than their path: `/bindings` holds `roles`.
    held = squeezed(singular(snake(above.record_pointer.rpartition("/")[2])))
    is_of_it = not rest or rest in resource or resource in rest or name.startswith(rest) or rest == held
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


def _only_value(parameter: Parameter) -> str | None:
    """Return the value of a parameter that has only one which we can use; None if it has more, or none is named."""
    values = _distinct_texts(parameter.values)
    json = [value for value in values if value.lower() in {"json", "application/json"}]
    is_format = squeezed(parameter.name) in {
        "format",
        "ext",
        "extension",
        "outputformat",
        "responseformat",
        "mediatype",
    }
    if is_format and json:
        return json[0]
    return values[0] if len(values) == 1 else None


def _distinct_texts(values: Sequence[str]) -> list[str]:
    return [value.replace("{", "{{").replace("}", "}}") for value in dict.fromkeys(values)]


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
