"""A definition that is made by looking at an API: each part with what shows it, and tried as far as it can be."""

from __future__ import annotations

import json
import re
import warnings
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qs, parse_qsl, urlsplit

from circulate_core import _core, display
from circulate_core.authoring import limits, members
from circulate_core.authoring.error_pages import error_in
from circulate_core.authoring.flow import flow
from circulate_core.authoring.paginators import (
    SIZE_PARAMETERS,
    Candidate,
    Paginator,
    candidates,
    count_of,
    with_parameter,
)
from circulate_core.authoring.responses import Response, fetch, shown_url
from circulate_core.catalogs import catalog_of
from circulate_core.exceptions import CirculateError, DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from os import PathLike
    from pathlib import Path

    from circulate_core.reading import Source, Stream

Status = Literal["probed", "inferred", "unknown", "given"]
"""`probed`: tried at the API. `inferred`: there are signs of it. `unknown`: nothing shows it. `given`: somebody
said so."""

_MANY = 1_000
"""Records that are requested to see how many come at most."""
_MOST_REQUESTS = 45
"""After that no other paginator is tried; the last one takes a few more."""
_MOST_EVIDENCE = 1_000
"""Characters of what shows something."""
_FIRST_AGAIN = "its second page has records of the first one"
_UNTRUE = "that is not true"


@dataclass(frozen=True, slots=True)
class Finding:
    """A part of a proposal.

    Attributes:
        key: The key of the definition.
        value: What it is proposed to be; None for nothing.
        status: How well it is known.
        evidence: What shows it, or what to do.
    """

    key: str
    value: Any
    status: Status
    evidence: str


class Proposal:
    """What a list of an API seems to be. `circulate_core.propose` makes one.

    Its attributes are those of a definition and may be set: `proposal.records = "/items"`. `test()` then follows its
    paginator again, `stream` reads it, and `save("definitions")` writes it.
    """

    def __init__(
        self,
        source: Source,
        endpoint: str,
        url: str,
        say: Callable[[str], None] | None = None,
    ) -> None:
        self.source = source
        """Its source."""
        self.endpoint = endpoint
        """Name of the endpoint."""
        self.url = url
        """The address that was looked at."""
        self.records: Any = None
        """Where a page has its records, as `records` of a definition; None if the page is an array of them."""
        self.format: str = "json"
        """How a page is written."""
        self.primary_key: list[str] | Literal["none"] = "none"
        """The members that identify a record."""
        self.paginator: Paginator | None = None
        """How one page leads to the next; None while that is not known, and then nothing can be pulled."""
        self.page_size: dict[str, Any] | None = None
        """How many records are requested, and by which parameter."""
        self.incremental: dict[str, Any] | None = None
        """How what changed since the last pull is requested."""
        self.rate_limit: dict[str, str] | None = None
        """The headers that report the quota."""
        self.findings: list[Finding] = []
        """What shows all that, or what to do."""
        self.sample: list[members.Record] = []
        """The records of the page that was looked at."""
        self.requests = 0
        """How many requests it took."""
        self._say = say or (lambda _: None)
        self._query = parse_qsl(urlsplit(url).query, keep_blank_values=True)

    def look(self, records: str | None = None) -> None:
        """Request the address, and propose what it shows.

        Args:
            records: Where the records are, if that is known.

        Raises:
            DataError: There are no records, or in several places.
            CirculateError: The API refused it, or is out of reach.
        """
        page = self._fetch(self.url)
        _refuse_error(page, self._resource, records)
        found = self._list_of(page, records)
        self.format, self.records, self.sample = page.format, found.where, found.records
        self._find_key()
        self._find_limits(page)
        page = self._find_page_size(page)
        self._find_paginator(page)
        self._find_times()

    def test(self) -> Finding:
        """Follow the paginator for two pages by the engine, and return what that shows."""
        if self.paginator is None:
            return self._replace(Finding("paginator", None, "unknown", "say how one page leads to the next"))
        wrong = self._why_not_followed(self.paginator, self.sample)
        evidence = wrong or "a second page has other records"
        return self._replace(Finding("paginator", self.paginator, "inferred" if wrong else "probed", evidence))

    def try_filter(self, parameter: str) -> Finding:
        """See whether a parameter leaves out what is older than a time, and propose increments by it if so."""
        return self._replace(self._filter_finding(parameter))

    @property
    def stream(self) -> Stream:
        """What is proposed, as something to read."""
        return self.source.stream(self.endpoint, self.definition)

    @property
    def definition(self) -> dict[str, Any]:
        """What is proposed, as the endpoint's file has it."""
        parts = {
            "path": _literal(urlsplit(self.url).path or "/"),
            "query": self._own_query(),
            "format": self.format if self.format != "json" else None,
            "records": self.records,
            "primary_key": self.primary_key,
            "paginator": self.paginator,
            "page_size": self.page_size,
            "incremental": self.incremental,
        }
        listed = {key: value for key, value in parts.items() if value not in (None, {}, [])}
        return {"about": "", "scopes": [], "list": listed}

    @property
    def name(self) -> str:
        """`source.endpoint`."""
        return f"{self.source.name}.{self.endpoint}"

    def to_dict(self) -> dict[str, Any]:
        """Return the definition, and what shows it."""
        return {
            "name": self.name,
            "url": self.url,
            "source": {**self.source.definition, **({"rate_limit": self.rate_limit} if self.rate_limit else {})},
            "endpoint": self.definition,
            "findings": [asdict(finding) for finding in self.findings],
            "requests": self.requests,
        }

    @property
    def text(self) -> str:
        """What is proposed, as files have it."""
        self._define()
        files = catalog_of(self.source._catalog).files(self.source.name)  # noqa: SLF001 - of one family
        return "".join(f"# {self.source.name}/{name}\n{text}" for name, text in files)

    def save(self, folder: str | PathLike[str], *, overwrite: bool = False) -> list[Path]:
        """Write it into a folder of definitions; see `Source.save`.

        Raises:
            DefinitionError: The paginator is not known, or a file says something else.
        """
        self._define()
        return self.source.save(folder, overwrite=overwrite)

    def _define(self) -> None:
        if self.rate_limit and "rate_limit" not in self.source.definition:
            inline: Any = self.source._inline["source"]  # noqa: SLF001 - of one family
            inline["rate_limit"] = self.rate_limit
        self.source.stream(self.endpoint, self.definition)

    def _fetch(self, url: str) -> Response:
        self.requests += 1
        self._say(shown_url(url, self._query))
        return fetch(self.source, url)

    def _try(self, url: str) -> Response | str:
        """Request an address that may be wrong; return what came, or why nothing did."""
        try:
            page = self._fetch(url)
            _refuse_error(page, self._resource, self.records if isinstance(self.records, str) else None)
        except CirculateError as error:
            return str(error)
        return page

    def _list_of(self, page: Response, given: str | None) -> members.RecordList:
        """Return where the records of the first page are."""
        lists = members.record_lists(page.value)
        if given is not None:
            named = [each for each in lists if each.pointer == given]
            if not named:
                places = ", ".join(f"`{each.pointer}`" for each in lists) or "nowhere"
                message = f"there are no records at `{given}`; there are some at {places}"
                raise DataError(message, operation="look at response")
            self._add("records", named[0].where, "given", "")
            return named[0]
        if not lists:
            empty = members.empty_lists(page.value)
            where = f": `{'`, `'.join(empty)}` is empty" if empty else ""
            message = f"there are no records in the response{where}"
            hint = "name an address whose list has some; one object alone is read by an operation, and not by a list"
            raise DataError(message, operation="look at response", hint=hint)
        found, how = members.chosen(lists, self._resource, page.value)
        if found is None:
            several = (
                "records may be in several places" if len(lists) > 1 else "the page is one thing with an id, it seems"
            )
            message = f"{several}: {how}"
            raise DataError(
                message, operation="look at response", hint=f"say where, such as `--records {lists[0].pointer}`"
            )
        self._add("records", found.where, "inferred", how)
        return found

    def _records_of(self, page: Response) -> list[members.Record]:
        """Return the records of another page of the list."""
        for found in members.record_lists(page.value):
            if found.where == self.records:
                return found.records
        return []

    @property
    def _resource(self) -> str:
        segments = [part for part in urlsplit(self.url).path.split("/") if part]
        return segments[-1].rpartition(".")[0] or segments[-1] if segments else ""

    def _find_key(self) -> None:
        if isinstance(self.records, dict):
            pointer = "/_circulate/key" if "map" in self.records else "/value"
            self.primary_key = [pointer]
            self._add("primary_key", self.primary_key, "inferred", "what identifies records of such a list")
            return
        found, how = members.primary_key(self.sample, self._resource)
        self.primary_key = [found] if found else "none"
        evidence = how if found else f"{how}: all that a record holds identifies it"
        self._add("primary_key", self.primary_key, "inferred", evidence)

    def _find_limits(self, page: Response) -> None:
        self.rate_limit = limits.of_headers(page.headers)
        if self.rate_limit:
            self._add("rate_limit", self.rate_limit, "inferred", "headers of the response")

    def _find_page_size(self, page: Response) -> Response:
        """Find what says how many records a page has; return a small page, which shows the way to the next one."""
        count = len(self.sample)
        if count < 3:  # noqa: PLR2004 - of two records no page is a small one
            self._add("page_size", None, "unknown", f"{count} records are too few to try one")
            return page
        for parameter in self._size_parameters(page):
            small = self._try(with_parameter(self.url, parameter, "2"))
            if not isinstance(small, Response) or len(self._records_of(small)) != 2:  # noqa: PLR2004 - as requested
                continue
            many = self._try(with_parameter(self.url, parameter, str(_MANY)))
            most = len(self._records_of(many)) if isinstance(many, Response) else 0
            self.page_size = {"param": parameter, "max": max(most, count)}
            clamped = f", of {_MANY} requested {most} came" if most else ""
            self._add("page_size", self.page_size, "probed", f"with `{parameter}=2` came 2 records{clamped}")
            return small
        self._add("page_size", None, "unknown", "no usual parameter changes how many records come")
        return page

    def _size_parameters(self, page: Response) -> list[str]:
        """Return the parameters that may say how many records a page has, the likeliest first."""
        given = [name for name, _ in self._query if name in SIZE_PARAMETERS]
        named = []
        if isinstance(page.value, dict):
            names = {
                pointer.rpartition("/")[2] for pointer, value in members.scalars(page.value) if isinstance(value, int)
            }
            named = [name for name in SIZE_PARAMETERS if name in names and name not in {"count", "size", "max"}]
        link = page.headers.get("link", "")
        linked = [name for name in SIZE_PARAMETERS if re.search(rf"[?&]{re.escape(name)}=", link)]
        return list(dict.fromkeys([*given, *linked, *named, *SIZE_PARAMETERS[:6]]))

    def _find_paginator(self, page: Response) -> None:
        """Try what the first page shows, until something leads to another page."""
        records = self._records_of(page)
        key = self.primary_key[0] if isinstance(self.primary_key, list) else None
        place = self.records if isinstance(self.records, str) else next(iter((self.records or {"": ""}).values()))
        found = candidates(page, members.RecordList(self.records, place, records), key)
        tried, reasons = 0, []
        ignored: set[str | None] = set()
        for candidate in found:
            if self.requests >= _MOST_REQUESTS:
                break
            if not candidate.sign and candidate.parameter in ignored:
                continue
            tried += 1
            reason = self._why_not(candidate, page, records)
            if not reason:
                self.paginator = candidate.paginator
                sign = candidate.sign or f"`{candidate.parameter}` was tried"
                self._add("paginator", self.paginator, "probed", f"{sign}; a second page of {len(records)} has others")
                return
            if reason == _FIRST_AGAIN:
                ignored.add(candidate.parameter)
            if candidate.sign or reason.startswith(_UNTRUE):
                reasons.append(f"{candidate.sign or candidate.parameter}, but {reason}")
        why = (
            next((reason for reason in reasons if _UNTRUE in reason), reasons[0])
            if reasons
            else f"{tried} ways were tried, and none leads to another page"
        )
        few = "all of it may be on this page: name an address whose list has more, or say how it goes on"
        self._add("paginator", None, "unknown", f"{why}; {few}")

    def _why_not(self, candidate: Candidate, page: Response, records: Sequence[members.Record]) -> str:
        """Return why a candidate is not the one; nothing if it leads to another page, by hand and by the engine."""
        second = self._try(candidate.second)
        if isinstance(second, str):
            return second
        keys = self._keys(self._records_of(second))
        if not keys:
            return "its second page has no records"
        if set(self._keys(records)) & set(keys):
            return _FIRST_AGAIN
        known = self._keys(self.sample)
        if keys[0] in known[len(records) + 1 :]:
            return "its second page leaves out records that follow the first one"
        return self._why_not_whole(candidate, page) or self._why_not_followed(candidate.paginator, records)

    def _why_not_whole(self, candidate: Candidate, page: Response) -> str:
        """Return what shows that a list by numbers would not be read as a whole: another beginning, or end."""
        if not isinstance(candidate.paginator, dict) or candidate.parameter is None:
            return ""
        ((kind, rule),) = candidate.paginator.items()
        if kind == "page" and rule.get("first", 1) == 1:
            before = self._keys_at(page.url, candidate.parameter, 0)
            if before and before != self._keys(self._records_of(page)):
                return f"`{candidate.parameter}=0` has other records"
        counted = next((key for key in ("pages", "total") if key in rule), None)
        value = self._count_in(page, rule[counted]) if counted else None
        if counted is None or value is None or kind not in {"page", "offset"}:
            return ""
        size = len(self._records_of(page))
        steps = value if kind == "offset" or counted == "pages" else -(-value // size)
        behind = rule.get("start", 0) + steps if kind == "offset" else rule.get("first", 1) + steps
        if self._keys_at(page.url, candidate.parameter, behind):
            return f"{_UNTRUE} of {value}: there are records behind it"
        if not self._keys_at(page.url, candidate.parameter, behind - 1):
            return f"{_UNTRUE} of {value}: there are fewer records"
        return ""

    def _keys_at(self, url: str, parameter: str, number: int) -> list[str]:
        page = self._try(with_parameter(url, parameter, str(number)))
        return self._keys(self._records_of(page)) if isinstance(page, Response) else []

    def _count_in(self, page: Response, place: object) -> int | None:
        """Return a count that a page or its headers have."""
        if isinstance(place, dict):
            return count_of(page.headers.get(place["header"], ""))
        return count_of(members.at(page.value, str(place)))

    def _why_not_followed(self, paginator: Paginator, begins: Sequence[members.Record]) -> str:
        """Return why the engine does not read a second page behind these records; nothing if it does."""
        earlier, self.paginator = self.paginator, paginator
        size, self.page_size = self.page_size, {**self.page_size, "max": 2} if self.page_size else None
        records = 2 if self.page_size else len(begins)
        self.requests += 2
        try:
            with warnings.catch_warnings(record=True) as warned:
                warnings.simplefilter("always")
                batches = self.stream.batches(records=records, progress=False)
                read = [self._keys(batch.records()) for batch in islice(batches, 2)]
        except CirculateError as error:
            return str(error)
        finally:
            self.paginator, self.page_size = earlier, size
        if not read or read[0] != self._keys(begins[:records]):
            return "its first page is another one"
        if len(read) == 1:
            return str(warned[-1].message) if warned else "no second page came"
        first, second = map(set, read)
        return "records come twice" if first & second or len(second) != len(read[1]) else ""

    def _keys(self, records: Sequence[members.Record]) -> list[str]:
        if isinstance(self.primary_key, list):
            return [json.dumps([members.at(record, pointer) for pointer in self.primary_key]) for record in records]
        return [json.dumps(record, sort_keys=True) for record in records]

    def _find_times(self) -> None:
        found = members.times(self.sample)
        if not found:
            self._add("incremental", None, "unknown", "no member of all records is a time: each pull is a full one")
            return
        pointer, form = found[0]
        order = members.order([members.at(record, pointer) for record in self.sample])
        sorted_by = f", {order} on this page" if order in {"ascending", "descending"} else ""
        others = f"; others: {', '.join(f'`{name}`' for name, _ in found[1:4])}" if len(found) > 1 else ""
        zone = "; it names no zone" if form == "local" else ""
        evidence = (
            f"`{pointer}` is a time ({form}{sorted_by}){zone}{others}. Try the parameter of a filter: `--filter NAME`"
        )
        self._add("incremental", None, "unknown", evidence)

    def _filter_finding(self, parameter: str) -> Finding:
        found = members.times(self.sample)
        if not found or found[0][1] == "local":
            why = "no member of all records is a time with a zone"
            return Finding("incremental", None, "unknown", why)
        pointer, form = found[0]
        times = {members.instant(value, form): value for value in (members.at(each, pointer) for each in self.sample)}
        instants = sorted(instant for instant in times if instant is not None)
        if len(instants) < 3:  # noqa: PLR2004 - one is older, one newer
            return Finding("incremental", None, "unknown", f"too few times of `{pointer}` differ to try a filter")
        since = instants[len(instants) // 2]
        middle = times[since]
        page = self._try(with_parameter(self.url, parameter, str(middle)))
        if isinstance(page, str):
            return Finding("incremental", None, "unknown", f"`{parameter}={middle}` was refused: {page}")
        kept = self._records_of(page)
        if why := self._why_not_newer(kept, pointer, form, since):
            what = f"`{parameter}={middle}` filters nothing that can be seen: {why}"
            return Finding("incremental", None, "unknown", what)
        rule: dict[str, Any] = {"cursor": pointer, "param": parameter, "since": "{since}"}
        if form != "rfc3339":
            rule["format"] = form
        self.incremental = rule
        evidence = f"with `{parameter}={middle}` came {len(kept)} records, none of them older by `{pointer}`"
        return Finding("incremental", rule, "probed", evidence)

    def _why_not_newer(self, kept: Sequence[members.Record], pointer: str, form: str, since: float) -> str:
        """Return why records are not what is newer than a time; nothing if they are."""
        if not kept:
            return "no record came"
        times = [members.instant(members.at(record, pointer), form) for record in kept]
        if older := sum(time is None or time < since for time in times):
            return f"{older} of {len(kept)} records are older"
        # A parameter that selects one time has no older records, either.
        known = [(each, members.instant(members.at(each, pointer), form) or since) for each in self.sample]
        newer = self._keys([each for each, time in known if time > since])
        is_whole = len(kept) < len(self.sample)
        missing = len(set(newer) - set(self._keys(kept))) if is_whole else 0
        if missing or not any(time is not None and time > since for time in times):
            return f"{missing or len(newer)} of {len(newer)} records that are newer did not come"
        return ""

    def _own_query(self) -> dict[str, Any]:
        """Return the parameters of the address that the list has of its own, and not its paginator."""
        taken = {self.page_size["param"]} if self.page_size else set()
        if isinstance(self.paginator, dict):
            (rule,) = self.paginator.values()
            taken |= {rule["to"]} if isinstance(rule, dict) and isinstance(rule.get("to"), str) else set()
        if self.incremental:
            taken.add(self.incremental["param"])
        kept: dict[str, Any] = {}
        for name, values in parse_qs(urlsplit(self.url).query, keep_blank_values=True).items():
            if name not in taken:
                texts = [_literal(value) for value in values]
                kept[name] = texts[0] if len(texts) == 1 else texts
        return kept

    def _add(self, key: str, value: object, status: Status, evidence: str) -> None:
        self.findings.append(_shown(Finding(key, value, status, evidence)))

    def _replace(self, finding: Finding) -> Finding:
        shown = _shown(finding)
        self.findings = [each for each in self.findings if each.key != finding.key] + [shown]
        return shown

    def __repr__(self) -> str:
        """Name it, and what is not known of it."""
        unknown = [finding.key for finding in self.findings if finding.status == "unknown"]
        missing = f", unknown: {', '.join(unknown)}" if unknown else ""
        return f"<Proposal {self.source.name}.{self.endpoint}: {len(self.sample)} records{missing}>"

    def _repr_html_(self) -> str:
        """Show what was found in a notebook."""
        return display.html(self)


def _refuse_error(page: Response, resource: str, given: str | None) -> None:
    """Refuse a page that is an error, whatever its status says.

    Raises:
        DataError: It is one.
    """
    if found := error_in(page.value, resource, given):
        where = f"`{found.pointer}`" if found.pointer else "the page"
        said = f": {_core.shown(found.text, limit=300)}" if found.text else ""
        message = f"the response is an error, although its status is {page.status}: {where} says so{said}"
        hint = "check the address, the parameters and how requests are signed in"
        if found.rule:
            hint = f"{hint}; a definition knows such errors by `errors: [{{when: {flow(found.rule)}, then: fail}}]`"
        raise DataError(message, operation="look at response", hint=hint)


def _shown(finding: Finding) -> Finding:
    """Return a finding as it may be shown: what the API sent may hold a secret."""
    return replace(finding, evidence=_core.shown(finding.evidence, limit=_MOST_EVIDENCE))


def _literal(text: str) -> str:
    """Return a text as definitions write it, where braces name settings."""
    return text.replace("{", "{{").replace("}", "}}")
