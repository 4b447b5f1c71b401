"""Trying paginators at the API itself: pages are fetched by the engine and compared.

A server that lies proves nothing: what does not fit leaves a list as it was, with the reason.
"""

from __future__ import annotations

import json
import tempfile
import threading
import warnings
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast
from urllib.parse import quote

import circulate_core
from circulate_core.authoring.list_checks import check_list
from circulate_core.authoring.openapi.preparing import mark_probed, take_increment
from circulate_core.authoring.openapi.yaml_text import yaml_text
from circulate_core.console import counted
from circulate_core.exceptions import CirculateError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from circulate_core.authoring.openapi.imported import ImportedList, ImportedSource
    from circulate_core.reading import Batch

Json: TypeAlias = Any
"""What JSON can hold: a page, or a part of a definition."""

_HOOK = """\
from circulate_core.authoring.openapi.probing import note_page


def page(body, response):
    note_page(body)
    return body
"""
_SMALL = 2
"""Records of a page in the first try, so that few are enough for two pages."""
_PARENTS = 3
"""Parents whose lists are tried, until one of them has two pages."""
_LARGE = 1000
"""Records of a page, above which none is requested."""
_BATCH = 10
"""Records that are read at a time where no size of a page can be requested."""


class _Pages:
    """The pages that came, in order."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pages: list[Json] = []

    def begin(self) -> None:
        """Forget those that came before."""
        with self._lock:
            self._pages = []

    def add(self, body: bytes) -> None:
        """Keep a page. One that is not JSON is for the engine to refuse."""
        try:
            page = json.loads(body)
        except ValueError:
            return
        with self._lock:
            self._pages.append(page)

    def all(self) -> list[Json]:
        """Return them."""
        with self._lock:
            return list(self._pages)


_PAGES = _Pages()


def note_page(body: bytes) -> None:
    """Keep a page that passes through the engine. The hook of a probe calls it."""
    _PAGES.add(body)


class _NotProved(Exception):  # noqa: N818 - it never leaves this module
    """What a paginator was to do and did not do. The text says it."""


class _TooShort(_NotProved):
    """A list has no second page."""


@dataclass
class _Read:
    """What came of reading the beginning of a list.

    Attributes:
        records: Records, in order.
        pages: The bodies of pages, in order.
        error: What it ended by, if it failed.
        warnings: What the engine warned of, if it read the list to its end.
    """

    records: list[dict[str, Any]] = field(default_factory=list)
    pages: list[Json] = field(default_factory=list)
    error: CirculateError | None = None
    warnings: tuple[str, ...] = ()


def probe(source: ImportedSource, account: Mapping[str, Any], say: Callable[[str, str], object]) -> None:
    """Try the paginators of all lists that nothing declares; mark those that do what they should.

    Args:
        source: The source. Its lists are changed.
        account: How the account is known, as `circulate_core.source` takes it.
        say: Called with each list that was tried and what came of it.
    """
    session = _Session(source, account)
    # Parents come before their children, which need what was found out about them.
    for each in sorted(source.lists, key=lambda each: len(session.above(each))):
        if each.status not in {"inferred", "unknown"}:
            continue
        try:
            paginator, evidence = session.prove(each)
        except _NotProved as reason:
            each.evidence.append(f"not probed: {reason}")
            say(each.endpoint, f"stays {each.status}: {reason}")
        else:
            mark_probed(each, paginator, f"probed: {evidence}")
            say(each.endpoint, f"probed: {evidence}")
    for each in source.lists:
        if each.increment is None or each.status == "unknown" or "incremental" in each.listed:
            continue
        try:
            proof = session.prove_increment(each, each.increment.rule)
        except _NotProved as reason:
            each.evidence.insert(
                0, f"increments by `{each.increment.rule['param']}` were tried, and not proved: {reason}"
            )
            say(each.endpoint, f"stays without increments: {reason}")
        else:
            take_increment(each, proof)
            say(each.endpoint, f"probed: increments: {proof}")


class _Session:
    """Probes of the lists of one account.

    Attributes:
        source: The source.
        account: How the account is known.
    """

    def __init__(self, source: ImportedSource, account: Mapping[str, Any]) -> None:
        self.source = source
        self.account = account
        self._by_endpoint = {each.endpoint: each for each in source.lists}
        self._fields: dict[str, list[dict[str, str]]] = {}

    def above(self, each: ImportedList) -> list[ImportedList]:
        """Return the lists that a list is below, its own parent first."""
        found: list[ImportedList] = []
        while (parent := each.listed.get("parent")) and (each := self._by_endpoint[parent["endpoint"]]) not in found:
            found.append(each)
        return found

    def prove(self, each: ImportedList) -> tuple[Json, str]:
        """Return the paginator that did what it should, and what shows that.

        Raises:
            _NotProved: None did.
        """
        reason = _TooShort("its parents have no record")
        for fields in self._fields_for(each):
            try:
                return _Probe(self, each, fields).prove()
            except _TooShort as too_short:
                # Another parent may have more.
                reason = too_short
        raise reason

    def prove_increment(self, each: ImportedList, rule: Mapping[str, Any]) -> str:
        """Return what shows that a list can be read incrementally.

        Raises:
            _NotProved: Nothing does.
        """
        if "parent" in each.listed or "partitions" in each.listed:
            message = "it is requested piece by piece: try one of them by `circulate check --deep`"
            raise _NotProved(message)
        listed = {**each.listed, "incremental": dict(rule)}
        definition = {**{key: each.definition[key] for key in each.definition if key != "operations"}, "list": listed}
        with tempfile.TemporaryDirectory() as catalog, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _write(Path(catalog, self.source.name), self.source.definition, definition)
            try:
                found = circulate_core.source(self.source.name, catalog=[catalog], **self.account)
                seen = {finding.key: finding for finding in check_list(found.stream(each.endpoint))}
            except CirculateError as error:
                raise _NotProved(_reason(error)) from None
        shown = []
        for key in ("incremental.cursor", "incremental.param"):
            if key not in seen or seen[key].status != "right":
                raise _NotProved(seen[key].evidence if key in seen else "the list has no record")
            shown.append(seen[key].evidence)
        return "; ".join(shown)

    def _fields_for(self, each: ImportedList) -> list[dict[str, str]]:
        """Return the fields of some parents, by which a list can be requested; none for one without a parent."""
        parent = each.listed.get("parent")
        if parent is None:
            return [{}]
        if each.endpoint in self._fields:
            return self._fields[each.endpoint]
        above = self._by_endpoint[parent["endpoint"]]
        if above.paginator is None:
            message = f"it is requested for each record of {above.endpoint}, of which nobody knows how it is read"
            raise _NotProved(message)
        found: list[dict[str, str]] = []
        for fields in self._fields_for(above)[:1]:
            for record in _Probe(self, above, fields).first_records():
                values = {name: _member(record, pointer) for name, pointer in parent["fields"].items()}
                if all(isinstance(value, (str, int)) for value in values.values()):
                    found.append(fields | {name: str(value) for name, value in values.items()})
        self._fields[each.endpoint] = found[:_PARENTS]
        return self._fields[each.endpoint]


class _Probe:
    """Tries the paginators that a list may have.

    Args:
        session: Whose list it is.
        each: The list.
        fields: The fields of its parents, which fill its path.
    """

    def __init__(self, session: _Session, each: ImportedList, fields: Mapping[str, str]) -> None:
        self.source = session.source
        self.account = session.account
        self.each = each
        self.listed = {key: value for key, value in each.listed.items() if key not in {"paginator", "parent"}}
        for name, value in fields.items():
            segment = quote(value, safe="").replace("{", "{{").replace("}", "}}")
            self.listed["path"] = self.listed["path"].replace(f"{{{name}}}", segment)

    def prove(self) -> tuple[Json, str]:
        """Return the paginator that did what it should, and what shows that.

        Raises:
            _NotProved: None did.
        """
        self._refuse_what_cannot_be_tried()
        if self.each.is_one:
            return self.each.paginator, f"its record came, with {counted(len(self.first_records()[0]), 'member')}"
        known = self.each.paginator
        candidates = [known] if known is not None else [each for each in self.each.paging.candidates if each != "none"]
        if not candidates:
            message = "nothing in the document could lead to a next page"
            raise _NotProved(message)
        if len(candidates) > 1 and all(isinstance(each, dict) and "page" in each for each in candidates):
            candidates = [self._first_page(candidates)]
        reasons = []
        for candidate in candidates:
            try:
                return candidate, self._proved(candidate)
            except _NotProved as reason:
                if len(candidates) == 1:
                    raise
                reasons.append(f"{_name(candidate)}: {reason}")
        raise _NotProved("; ".join(reasons))

    def first_records(self) -> list[dict[str, Any]]:
        """Return the records of its first page."""
        read = self._read(self.each.paginator, self._small(), pages=1)
        if read.error is not None:
            message = f"{self.each.endpoint}, which it is below: {_reason(read.error)}"
            raise _NotProved(message)
        return read.records

    def _refuse_what_cannot_be_tried(self) -> None:
        if "records" not in self.listed:
            message = "nobody knows where a page holds its records"
            raise _NotProved(message)
        if self.listed.get("format", "json") != "json":
            message = "its pages are not JSON"
            raise _NotProved(message)

    def _first_page(self, candidates: list[Json]) -> Json:
        """Return the candidate whose first page is that of the API: page 0 is there, or it is not."""
        by_first = {candidate["page"].get("first", 1): candidate for candidate in candidates}
        read = self._read({"page": {"to": by_first[0]["page"]["to"], "first": 0}}, self._small())
        if _is_refused(read.error):
            return by_first[1]
        if read.error is not None:
            raise _NotProved(_reason(read.error))
        page_zero = self._records_of(read.pages[0]) if read.pages else []
        if not page_zero or (len(read.pages) > 1 and self._records_of(read.pages[1]) == page_zero):
            return by_first[1]
        return by_first[0]

    def _proved(self, paginator: Json) -> str:
        """Return what shows that a paginator does what it should.

        Raises:
            _NotProved: It does not, or nothing shows it.
        """
        size = self._small()
        read = self._read(paginator, size)
        first = self._check_two_pages(read, size)
        shown = [f"two pages of {first} and {len(read.records) - first} or more records, none of them twice"]
        shown += self._check_counts(paginator, read, size or first)
        shown += self._check_size(paginator, size)
        shown += self._check_partitions(paginator, size)
        return "; ".join(shown)

    def _check_two_pages(self, read: _Read, size: int | None) -> int:
        """Check that two pages have different records, as many as requested; return how many the first one has."""
        if read.error is not None:
            raise _NotProved(_reason(read.error))
        if not read.records or not read.pages:
            message = "the list is empty: there is nothing to compare"
            raise _TooShort(message)
        first = len(self._records_of(read.pages[0]))
        if len(read.pages) > 1 and self._records_of(read.pages[1]) == self._records_of(read.pages[0]):
            message = "the second page is the first one once more"
            raise _NotProved(message)
        if read.warnings:
            raise _NotProved("; ".join(read.warnings))
        if len(read.records) <= first:
            message = f"{first} records came, and no second page to compare them with"
            raise _TooShort(message)
        if size is not None and first != size:
            message = f"{size} records were requested and {first} came: the limit is ignored or clamped"
            raise _NotProved(message)
        keys = [self._key(record) for record in read.records]
        if len(set(keys)) < len(keys):
            message = "the second page has records of the first one"
            raise _NotProved(message)
        return first

    def _check_counts(self, paginator: Json, read: _Read, size: int) -> list[str]:
        """Check the counts that end a list: they are the same on all pages, and the last page is where they say."""
        spec = next(iter(paginator.values())) if isinstance(paginator, dict) else {}
        counts: dict[str, int] = {}
        for name in ("total", "pages"):
            if name not in spec:
                continue
            values = {json.dumps(_member(page, spec[name])) for page in read.pages}
            value = _member(read.pages[0], spec[name])
            if len(values) != 1 or not isinstance(value, int) or isinstance(value, bool):
                message = f"`{spec[name]}` is not the same count on all pages: {', '.join(sorted(values))}"
                raise _NotProved(message)
            counts[name] = value
        if not counts:
            return []
        total, pages = counts.get("total"), counts.get("pages")
        if (total is not None and total < len(read.records)) or pages == 1:
            message = f"{len(read.records)} records on two pages are more than {_counted(spec, counts)}"
            raise _NotProved(message)
        if pages is None and total is not None:
            pages = -(-total // size)
        elif total is not None and pages is not None and pages != -(-total // size):
            message = f"{_counted(spec, counts)}: with {size} on a page these do not fit"
            raise _NotProved(message)
        self._check_last_page(paginator, spec, counts, pages or 0, size)
        return [f"{_counted(spec, counts)}, and the last page is there"]

    def _check_last_page(
        self,
        paginator: Json,
        spec: dict[str, Any],
        counts: dict[str, int],
        pages: int,
        size: int,
    ) -> None:
        kind = next(iter(paginator))
        total = counts.get("total")
        if kind == "offset" and total is not None:
            expected: int | None = 1
            begin: Json = {"offset": {"to": spec["to"], "start": spec.get("start", 0) + total - 1}}
        elif kind == "page":
            begin = {"page": {"to": spec["to"], "first": spec.get("first", 1) + pages - 1}}
            expected = total - (pages - 1) * size if total is not None else None
        else:
            return
        read = self._read(begin, size if "page_size" in self.listed else None, pages=3)
        found = len(read.records)
        if kind == "page" and len(read.pages) == 1 and _is_refused(read.error):
            # An API may refuse the page behind the last one, which a pull never requests.
            found = len(self._records_of(read.pages[0]))
        elif read.error is not None:
            message = f"where {_counted(spec, counts)} the last page is not to be had: {_reason(read.error)}"
            raise _NotProved(message)
        if not 0 < found <= size or (expected is not None and found != expected):
            last = f"{expected} on the last page" if expected is not None else "a last page"
            message = f"{_counted(spec, counts)}, which makes {last}; {found or 'no'} records came there"
            raise _NotProved(message)

    def _check_size(self, paginator: Json, size: int | None) -> list[str]:
        """Check that a page is as large as the largest that is requested, if the list is long enough."""
        largest = self.listed.get("page_size", {}).get("max", 0)
        if size is None or largest <= size:
            return []
        read = self._read(paginator, largest)
        if read.error is not None:
            message = f"with {largest} on a page: {_reason(read.error)}"
            raise _NotProved(message)
        first = len(self._records_of(read.pages[0])) if read.pages else 0
        if first > largest or (first < largest and len(read.records) > first):
            message = f"{largest} records were requested and {first} came, of a list that goes on: the limit is clamped"
            raise _NotProved(message)
        return []

    def _check_partitions(self, paginator: Json, size: int | None) -> list[str]:
        """Check that each value which the list is requested for makes a difference."""
        shown = []
        for partition, values in _partitions(self.listed):
            pages = []
            for value in values[:2]:
                read = self._read(paginator, size, partition={partition: value})
                if read.error is not None:
                    raise _NotProved(_reason(read.error))
                pages.append([self._key(record) for record in read.records])
            if len(pages) > 1 and pages[0] and set(pages[0]) & set(pages[1]):
                message = f"`{partition}` makes no difference: {values[0]} and {values[1]} have the same records"
                raise _NotProved(message)
            shown.append(f"`{partition}` selects")
        return shown

    def _small(self) -> int | None:
        """Return how many records a small page has; None if none can be requested."""
        size = self.listed.get("page_size")
        return None if size is None else max(size.get("min", 1), min(_SMALL, size["max"]))

    def _read(
        self,
        paginator: Json,
        size: int | None,
        *,
        pages: int = 2,
        partition: dict[str, str] | None = None,
    ) -> _Read:
        """Read the beginning of the list by the engine: so many pages, and more records than the first one has."""
        definition = self._definition(paginator, size, partition or {})
        read = _Read()
        _PAGES.begin()
        with tempfile.TemporaryDirectory() as catalog, warnings.catch_warnings():
            # What it warns of is read from the report.
            warnings.simplefilter("ignore")
            _write(Path(catalog, self.source.name), self.source.definition, definition)
            try:
                source = circulate_core.source(self.source.name, catalog=[catalog], **self.account)
                stream = source.stream(self.each.endpoint)
                read_by = cast("Generator[Batch]", stream.batches(records=(size or _BATCH) + 1, progress=False))
                with closing(read_by) as batches:
                    for batch in batches:
                        read.records += batch.records()
                        if len(_PAGES.all()) >= pages and len(read.records) > self._first():
                            break
                if stream.report is not None:
                    read.warnings = (*stream.report.gaps, *stream.report.warnings)
            except CirculateError as error:
                read.error = error
        read.pages = _PAGES.all()
        return read

    def _first(self) -> int:
        """Return how many records the first page has."""
        pages = _PAGES.all()
        return len(self._records_of(pages[0])) if pages else 0

    def _definition(self, paginator: Json, size: int | None, chosen: dict[str, str]) -> dict[str, Any]:
        listed = {**self.listed, "paginator": paginator, "hooks": {"page": "probe.py:page"}}
        if size is not None and size > _LARGE:
            message = f"pages of {size} records are too large to be tried"
            raise _NotProved(message)
        if size is not None:
            asked = {**listed["page_size"], "ask": size}
            asked["min"] = min(asked.get("min", 1), size)
            listed["page_size"] = asked
        values = dict(_partitions(listed))
        if values:
            # One value at a time: pages of several would come in any order.
            listed["partitions"] = [
                {"name": name, "values": [chosen.get(name, each[0])]} for name, each in values.items()
            ]
        return {
            **{key: self.each.definition[key] for key in self.each.definition if key != "operations"},
            "list": listed,
        }

    def _records_of(self, page: Json) -> list[Json]:
        """Return the records of a page as it came."""
        records = self.listed["records"]
        pointer = records if isinstance(records, str) else next(iter(records.values()))
        found = _member(page, pointer)
        return list(found.values()) if isinstance(found, dict) else found if isinstance(found, list) else []

    def _key(self, record: dict[str, Any]) -> str:
        """Return what identifies a record: the members that the definition names, else all that it holds."""
        key = self.listed["primary_key"]
        if isinstance(key, str):
            return json.dumps({name: value for name, value in record.items() if name != "_circulate"}, sort_keys=True)
        return json.dumps([_member(record, pointer) for pointer in key], sort_keys=True)


def _write(folder: Path, source: dict[str, Any], endpoint: dict[str, Any]) -> None:
    folder.mkdir()
    (folder / "source.yaml").write_text(yaml_text(source, {}), encoding="utf-8")
    (folder / f"{endpoint['endpoint']}.yaml").write_text(yaml_text(endpoint, {}), encoding="utf-8")
    (folder / "probe.py").write_text(_HOOK, encoding="utf-8")


def _partitions(listed: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    given = listed.get("partitions", [])
    return [
        (each["name"], each["values"]) for each in (given if isinstance(given, list) else [given]) if "values" in each
    ]


def _member(value: Json, pointer: str) -> Json:
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _counted(spec: Mapping[str, Any], counts: Mapping[str, int]) -> str:
    words = {"total": "records", "pages": "pages"}
    return " and ".join(f"`{spec[name]}` counts {count} {words[name]}" for name, count in counts.items())


def _name(paginator: Json) -> str:
    return paginator if isinstance(paginator, str) else json.dumps(paginator).replace('"', "")


def _is_refused(error: CirculateError | None) -> bool:
    """Return whether an API has refused the request itself, rather than who has sent it or how often."""
    return isinstance(error, RefusedError)


def _reason(error: CirculateError) -> str:
    return str(error).splitlines()[0]
