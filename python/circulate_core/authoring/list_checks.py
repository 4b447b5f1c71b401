"""Whether a list is as its definition says, seen by reading its first pages."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from circulate_core import _core
from circulate_core.authoring import members
from circulate_core.console import counted, span
from circulate_core.exceptions import CirculateError
from circulate_core.results import Drift

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from circulate_core.reading import Stream
    from circulate_core.results import Snapshot

_RECORDS = 200
"""Records that are looked at."""
_PARENT = "/_circulate/parent"
_DAY = timedelta(days=1)
"""What a filter that knows days only may send beside what was requested."""


@dataclass(frozen=True, slots=True)
class ListFinding:
    """What was seen of a key of a definition.

    Attributes:
        key: The key.
        status: Whether the list is as it says; `unknown` if nothing shows that.
        evidence: What shows it.
    """

    key: str
    status: Literal["right", "wrong", "unknown"]
    evidence: str


def check_list(stream: Stream) -> list[ListFinding]:
    """Read the first pages of a list, and compare them with its definition.

    Raises:
        CirculateError: They could not be read.
    """
    listing: Mapping[str, Any] = stream.definition["endpoint"]["list"]
    if listing.get("job"):
        return [ListFinding("job", "unknown", "the list is made by a job, which is not submitted to look at it")]
    records, seen = _read(stream, _RECORDS)
    if not records:
        return [ListFinding("records", "unknown", "the list has none: there is nothing to see")]
    is_whole = not listing.get("parent")
    return [
        _keys(listing["primary_key"], records),
        *(_page_size(stream, listing) if is_whole else []),
        *(_paginator(stream, listing, len(records)) if is_whole else []),
        *_times(stream, listing.get("incremental", {}), records),
        *_limits(stream, seen),
        *_columns(stream, records),
    ]


def _read(stream: Stream, records: int, page_records: int | None = None) -> tuple[list[members.Record], Snapshot]:
    """Return the first records, and what it took to read them."""
    reader = stream._reader(records, page_records=page_records)  # noqa: SLF001 - of one family
    try:
        found = reader.next()
        return json.loads(found or b"[]"), reader.snapshot()
    finally:
        reader.close()


def _keys(pointers: object, records: Sequence[members.Record]) -> ListFinding:
    if not isinstance(pointers, list):
        return ListFinding("primary_key", "unknown", "none is named: records are known by all that they hold")
    named = " and ".join(f"`{pointer}`" for pointer in pointers)
    values = [[members.at(record, pointer) for pointer in pointers] for record in records]
    if missing := sum(None in each for each in values):
        return ListFinding("primary_key", "wrong", f"{missing} of {counted(len(records), 'record')} lack {named}")
    # What belongs to several parents is in each of their lists.
    known = [json.dumps([each, members.at(record, _PARENT)]) for each, record in zip(values, records, strict=True)]
    doubled = [json.loads(key)[0] for key, count in Counter(known).items() if count > 1]
    if doubled:
        example = _core.shown(json.dumps(doubled[0]))
        same = f"{counted(len(doubled), 'value')} of {named} in several records, such as {example}"
        return ListFinding("primary_key", "wrong", same)
    return ListFinding("primary_key", "right", f"no two of {counted(len(records), 'record')} have the same {named}")


def _page_size(stream: Stream, listing: Mapping[str, Any]) -> Iterator[ListFinding]:
    rule = listing.get("page_size")
    if not rule:
        return
    wanted = max(2, rule.get("min", 1))
    _, seen = _read(stream, wanted, wanted)
    # More pages may have come meanwhile, the last one too, which is short.
    came = -(-seen.records // seen.pages)
    what = f"{wanted} records a page were requested, and {came} came"
    if came > wanted:
        yield ListFinding("page_size", "wrong", f"{what}: `{_place(rule['param'])}` is ignored")
    else:
        yield ListFinding("page_size", "right" if came == wanted else "unknown", what)


def _paginator(stream: Stream, listing: Mapping[str, Any], count: int) -> Iterator[ListFinding]:
    """See whether a second page has other records."""
    if listing["paginator"] == "none":
        return
    size = max(2, listing.get("page_size", {}).get("min", 1)) if listing.get("page_size") else None
    wanted = min(count, size or count)
    reader = stream._reader(wanted, page_records=size)  # noqa: SLF001 - of one family
    try:
        first = {json.dumps(record) for record in json.loads(reader.next() or b"[]")}
        second = [json.dumps(record) for record in json.loads(reader.next() or b"[]")]
        pages, report = reader.snapshot().pages, reader.report
    except CirculateError as error:
        yield ListFinding("paginator", "wrong", str(error))
        return
    finally:
        reader.close()
    if report is not None and report.gaps:
        yield ListFinding("paginator", "wrong", report.gaps[0])
    elif report is not None and report.warnings:
        yield ListFinding("paginator", "unknown", report.warnings[0])
    elif first & set(second):
        yield ListFinding("paginator", "wrong", "the second page has records of the first one")
    elif not second or pages < 2:  # noqa: PLR2004 - a second one
        yield ListFinding("paginator", "unknown", "the list has one page: nothing shows how it goes on")
    else:
        yield ListFinding("paginator", "right", "a second page has other records")


def _times(stream: Stream, rule: Mapping[str, Any], records: Sequence[members.Record]) -> Iterator[ListFinding]:
    pointer = rule.get("cursor")
    if not isinstance(pointer, str):
        return
    values = [members.at(record, pointer) for record in records]
    if missing := sum(value is None for value in values):
        what = f"{missing} of {counted(len(records), 'record')} lack `{pointer}`: they are delivered at each pull"
        yield ListFinding("incremental.cursor", "wrong", what)
        return
    yield ListFinding("incremental.cursor", "right", f"all of {counted(len(records), 'record')} have `{pointer}`")
    declared, found = rule.get("order", "none"), members.order(values)
    if declared != "none" and found is not None:
        status: Literal["right", "wrong"] = "right" if found == declared else "wrong"
        yield ListFinding("incremental.order", status, f"`{pointer}` comes in {found} order")
    if rule.get("param"):
        yield _filter(stream, rule, values)


def _filter(stream: Stream, rule: Mapping[str, Any], values: Sequence[object]) -> ListFinding:
    """Request what is newer than the middle of what was read, and see whether older records come."""
    key, place = "incremental.param", _place(rule["param"])
    if members.time_format(values) != "rfc3339":
        return ListFinding(key, "unknown", "its times are none of RFC 3339, of which alone this can be seen")
    times = sorted(time for value in values if (time := _time(value)) is not None)
    middle = times[len(times) // 2]
    if middle - times[0] <= 2 * _DAY:
        return ListFinding(key, "unknown", f"all records read are of {span((times[-1] - times[0]).total_seconds())}")
    found, _ = _read(_newer(stream, rule, middle), _RECORDS)
    # Others may have no time, or one that says no zone: the first read shows none of them.
    read = [time for record in found if (time := _time(members.at(record, rule["cursor"]))) is not None]
    overlap = timedelta(seconds=_core.span_seconds("overlap", rule.get("overlap", "0s")))
    older = [time for time in read if time < middle - overlap - _DAY]
    what = f"since {middle.isoformat()}, {len(older)} of {counted(len(read), 'record')} are older"
    if older:
        return ListFinding(key, "wrong", f"{what}: `{place}` is ignored")
    # A parameter that selects one time, or nothing at all, has no older records, either.
    known, came = (sum(time > middle for time in each) for each in (times, read))
    if known and not came:
        return ListFinding(key, "wrong", f"{what}, and none is newer, of which {known} are known: `{place}` loses them")
    if came < known and len(found) < _RECORDS:
        return ListFinding(key, "unknown", f"{what}, and {came} are newer, of which {known} are known")
    return ListFinding(key, "right", what)


def _newer(stream: Stream, rule: Mapping[str, Any], since: datetime) -> Stream:
    """Return the stream as the API filters it.

    Where a request selects more than is wanted, such as a day or the instant before a bound, the engine leaves out the
    rest. So it would hide that a filter is ignored: the bound is sent as a parameter like others.
    """
    name, form = stream.name.partition(".")[2], rule.get("format") or "rfc3339"
    filters = form if isinstance(form, str) else form.get("filter", "rfc3339")
    texts = {"rfc3339": f"{since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}", "date": f"{since.astimezone(UTC):%Y-%m-%d}"}
    is_plain = isinstance(rule["param"], str) and rule.get("since") == "{since}"
    if not is_plain or filters not in texts or rule.get("zone") or rule.get("window"):
        return stream.source.stream(name, since=since)
    endpoint: dict[str, Any] = {**stream.definition["endpoint"]}
    listing = {key: value for key, value in endpoint["list"].items() if key != "incremental"}
    listing["query"] = {**(listing.get("query") or {}), rule["param"]: texts[filters]}
    filtered = f"{name}_filtered"
    return stream.source.stream(filtered, {**endpoint, "endpoint": filtered, "list": listing})


def _time(value: object) -> datetime | None:
    """Return a time of RFC 3339; None for what is none."""
    return datetime.fromisoformat(str(value).upper()) if members.time_format([value]) == "rfc3339" else None


def _limits(stream: Stream, seen: Snapshot) -> Iterator[ListFinding]:
    rule: Mapping[str, Any] = {**stream.source.definition.get("rate_limit", {})}
    if not rule.get("limit"):
        return
    if seen.quota is None:
        what = f"no response had `{rule['limit']}` and the other two"
        yield ListFinding("rate_limit", "wrong", what)
    else:
        yield ListFinding("rate_limit", "right", f"{seen.quota.remaining:,} of {seen.quota.limit:,} are left")


def _columns(stream: Stream, records: Sequence[members.Record]) -> Iterator[ListFinding]:
    """See whether values fit the columns that are declared."""
    if not stream.definition["endpoint"].get("columns"):
        return
    tables = stream._tables()  # noqa: SLF001 - of one family
    tables.convert(json.dumps(list(records)).encode())
    wrong = [Drift(entry) for entry in tables.drift()["entries"] if entry.get("expected")]
    if wrong:
        first = wrong[0]
        what = f"`{first.path}` is {first.expected}, and {first.found} came: {_core.shown(first.example)}"
        yield ListFinding("columns", "wrong", what)
    else:
        yield ListFinding("columns", "right", f"values of {counted(len(records), 'record')} fit")


def _place(parameter: object) -> str:
    return parameter if isinstance(parameter, str) else json.dumps(parameter)
