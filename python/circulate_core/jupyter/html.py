"""Small HTML for notebooks: cards and tables of sources, streams, batches, reports, runs and manifests.

Everything that is put into it is escaped, unless it is `Html` already. Colours are inherited from the notebook, so that
it reads well in light and dark themes; it takes no scripts, style sheets or pictures. Without any styles, as some sites
show notebooks, it is still tables and text.
"""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from circulate_core.catalogs import address, method, paging
from circulate_core.console import MARKS, counted, size, span, took, utc
from circulate_core.progress import amount
from circulate_core.settings import secret_names

if TYPE_CHECKING:
    from circulate_core._core import Settings
    from circulate_core.authoring.proposal import Proposal
    from circulate_core.coverages import Coverage
    from circulate_core.documents import Result
    from circulate_core.exceptions import DefinitionError
    from circulate_core.manifests import Manifest
    from circulate_core.progress import Ending
    from circulate_core.reading import Batch, Source, Stream
    from circulate_core.results import Drift, Ends, LakeStream, PartitionCounts, Report, Run, Snapshot, Status, Withheld
    from circulate_core.tables import Column
    from circulate_core.types import Definition, SourceDefinition

COLOURS = {"green": "#2f9e62", "yellow": "#c58a12", "red": "#d9534f"}
"""Of marks: dark enough for white paper and bright enough for black."""

RECORDS_SHOWN = 10
COLUMNS_SHOWN = 12
OBJECTS_SHOWN = 10
GAPS_SHOWN = 10
LINES_SHOWN = 200
"""Of a schema: members, those of structs included."""
DEPTH_SHOWN = 6
"""Of a schema: how deep its structs are shown; there is a limit to what one can read, and to what browsers indent."""
DRIFT_SHOWN = 20
DRIFT_IN_SHORT = 3
"""Places of it in a report."""
VALUE_LENGTH = 60
"""Characters of a value in a table."""
NESTED_LENGTH = 40
"""Characters of one that holds others."""
BAR_LENGTH = 10
"""Characters of the bar that shows the quota."""
NOTES_SHOWN = 5

_DIM = "opacity:.65"
_LEFT = "text-align:left;vertical-align:top"
_RIGHT = "text-align:right;vertical-align:top"


class Html(str):
    """Text that is HTML already; any other is escaped where it is put in."""

    __slots__ = ()


def element(name: str, *content: object, **attributes: str) -> Html:
    """Return an element. Content and attributes are escaped; `Html` is taken as it is, None left out."""
    given = "".join(f' {key}="{text(value)}"' for key, value in attributes.items() if value)
    inside = "".join(part if isinstance(part, Html) else text(part) for part in content if part is not None)
    return Html(f"<{name}{given}>{inside}</{name}>")


def text(value: object) -> Html:
    """Return a value as HTML text. What has no place in UTF-8, such as half a surrogate pair, becomes a mark."""
    written = str(value).encode("utf-8", "replace").decode()
    return Html(
        html.escape("".join(char if char >= " " or char in "\n\t" else "\N{REPLACEMENT CHARACTER}" for char in written))
    )


def joined(parts: Iterable[object], by: str = " · ") -> Html:
    """Return parts in a row, those that are None or empty left out."""
    return Html(by.join(part if isinstance(part, Html) else text(part) for part in parts if part))


def source(
    of: Source,
    streams: Mapping[str, Definition | DefinitionError],
    *,
    settings: Settings,
    secret: str | None,
    account: str | None,
) -> str:
    """Return a card of a source: where it is, and its streams.

    Args:
        of: The source.
        streams: Its streams' definitions, or what is wrong with them, by name.
        settings: Settings that are given. Only the address is shown, and names of others.
        secret: Name of the stored secret with the others.
        account: Name of the account, if it has one.
    """
    title = of.definition["title"]
    known = [*settings.names, *([f"the secret {secret}"] if secret else [])]
    facts = [
        ("account", account),
        ("address", _address(of.definition, settings)),
        ("settings", joined((element("code", name) for name in known), by=", ")),
        ("docs", _link(of.definition)),
    ]
    parents = (
        name for name, each in streams.items() if isinstance(each, dict) and not each["endpoint"]["list"].get("parent")
    )
    first = next(parents, None)
    use = f'{of.name} = circulate_core.source("{of.name}")\n{first} = {of.name}.stream("{first}")'
    return _card(
        _heading(of.name, title if title != of.name else None),
        _facts(facts),
        _table(["stream", "pulls", "what it is"], [_stream_row(*each) for each in streams.items()])
        if streams
        else None,
        _code(use) if first else None,
    )


def _address(definition: SourceDefinition, settings: Settings) -> str:
    """Return scheme, host and path of a source, with the public settings filled in."""
    shown = definition.get("base_url", "")
    public = settings.without(secret_names(definition))
    for name, setting in definition["settings"].items():
        value = public.get(name, setting.get("default"))
        if value is not None and not setting["secret"]:
            shown = shown.replace(f"{{{name}}}", value)
    return re.sub(r"^(\w+://)?[^/@]*@", r"\1", shown).partition("?")[0]


def _stream_row(name: str, definition: Definition | DefinitionError) -> list[object]:
    if isinstance(definition, Exception):
        return [element("code", name), "", f"its definition is wrong: {definition}"]
    listed = definition["endpoint"]["list"]
    selected = listed.get("incremental") or listed.get("parent", {}).get("incremental")
    how = "incremental" if selected else "full"
    return [element("code", name), how, definition["endpoint"]["about"]]


def stream(of: Stream, window: Mapping[str, str | None]) -> str:
    """Return a card of a stream: what it is, how it is read, and how to use it."""
    endpoint = of.definition["endpoint"]
    listed = endpoint["list"]
    short = of.name.partition(".")[2]
    facts = [
        ("path", element("code", f"{method(listed)} {address(listed)}")),
        ("pages by", paging(listed["paginator"])),
        ("identified by", "all that they hold" if (key := listed.get("primary_key")) == "none" else _pointers(key)),
        ("pulls", _how(of.definition)),
        ("parent", _parent(of.definition)),
        ("period", _period(_time(window["since"]), _time(window["until"]))),
        ("docs", _link(endpoint)),
    ]
    variable = short if short.isidentifier() else "stream"
    code = f'{variable} = {of.source.name}.stream("{short}")\n{variable}.sample(5)\n{variable}.pull(to="./lake")'
    return _card(_heading(of.name, endpoint.get("about")), _facts(facts), _code(code))


def _pointers(pointers: object) -> Html | None:
    given = [pointers] if isinstance(pointers, str) else list(cast("Sequence[object]", pointers or []))
    return joined((element("code", pointer) for pointer in given), by=", ")


def _how(definition: Definition) -> Html | str:
    listed = definition["endpoint"]["list"]
    if incremental := listed.get("incremental"):
        if "cursor" not in incremental:
            return "what is new, by what the API gives to go on with"
        overlap = incremental.get("overlap")
        by = element("code", incremental.get("cursor", "time"))
        return joined([Html(f"what is new, by {by}"), f"{overlap} of overlap" if overlap else None])
    if (parent := listed.get("parent")) and parent.get("incremental"):
        return "children of parents that have changed"
    return "everything, each time"


def _parent(definition: Definition) -> Html | None:
    parent = definition["endpoint"]["list"].get("parent")
    if parent is None:
        return None
    name = f"{definition['source']['source']}.{parent['endpoint']}"
    return Html(f"requested once for each record of {element('code', name)}")


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _period(since: datetime | None, until: datetime | None) -> str | None:
    bounds = [f"since {utc(since)}" if since else "", f"until {utc(until)}" if until else ""]
    return " ".join(filter(None, bounds)) or None


def batch(of: Batch) -> str:
    """Return a table of the first records of a batch."""
    records = of[:RECORDS_SHOWN]
    columns = _columns(records)
    shown = columns[:COLUMNS_SHOWN]
    rows = [[_cell(record, column) for column in shown] for record in records]
    hidden = columns[COLUMNS_SHOWN:]
    more = [
        f"{len(records):,} of {counted(len(of), 'record')}" if len(of) > len(records) else counted(len(of), "record"),
        size(len(of.json)),
        f"and {counted(len(hidden), 'more member')}: {_short(', '.join(hidden), 2 * VALUE_LENGTH)}" if hidden else None,
    ]
    return _card(_table(shown, rows) if rows else None, _dim(joined(more)))


def _columns(records: Sequence[object]) -> list[str]:
    """Return the members of records in the order in which they come, plain ones before those that hold others."""
    members: dict[str, bool] = {}
    for record in records:
        for key, value in record.items() if isinstance(record, Mapping) else ():
            members[key] = members.get(key, False) or isinstance(value, (dict, list))
    return sorted(members, key=lambda key: members[key])


def _cell(record: object, column: str) -> object:
    if not isinstance(record, Mapping) or column not in record:
        return ""
    value = record[column]
    if isinstance(value, str):
        return _short(value)
    written = json.dumps(value, ensure_ascii=False)
    nested = isinstance(value, (dict, list))
    return element(
        "span", _short(written, NESTED_LENGTH if nested else VALUE_LENGTH), style=_DIM if value is None else ""
    )


def _short(value: str, length: int = VALUE_LENGTH) -> str:
    return value if len(value) <= length else f"{value[: length - 1]}…"


def schema(lines: Sequence[tuple[int, Column]]) -> str:
    """Return a table of the columns of a table.

    Args:
        lines: Columns and members of structs, each with how deep it lies.
    """
    if not lines:
        return _card(_dim("no columns"))
    shallow = [line for line in lines if line[0] < DEPTH_SHOWN]
    rows = [_schema_row(*line) for line in shallow[:LINES_SHOWN]]
    columns = sum(depth == 0 for depth, _ in lines)
    inferred = sum(not column.declared for _, column in lines)
    hidden = len(lines) - len(rows)
    more = [
        counted(columns, "column"),
        counted(len(lines) - columns, "member") + " inside them" if len(lines) > columns else None,
        f"{inferred:,} inferred" if inferred else "all declared",
        f"{hidden:,} not shown" if hidden else None,
    ]
    return _card(_table(["column", "type", ""], rows), _dim(joined(more)))


def _schema_row(depth: int, column: Column) -> list[object]:
    name = element("code", _short(column.name))
    inside = element("span", "· " * depth, style=_DIM) if depth else ""
    kind = _short(column.type, 2 * VALUE_LENGTH)
    return [Html(f"{inside}{name}"), kind, _dim("declared" if column.declared else "inferred")]


def drift(of: Sequence[Drift]) -> str:
    """Return a table of what had no place in the columns of a table."""
    if not of:
        return _card(Html(f"{_mark(*MARKS['complete'])} nothing drifted"))
    rows = [_drift_row(place) for place in of[:DRIFT_SHOWN]]
    values = sum(place.count for place in of)
    hidden = len(of) - len(rows)
    more = [counted(values, "value"), counted(len(of), "place"), f"{hidden:,} not shown" if hidden else None]
    return _card(_table(["path", "what", "how often", "example"], rows, numbers=["how often"]), _dim(joined(more)))


def _drift_row(place: Drift) -> list[object]:
    differs = " for ".join(filter(None, [place.found, place.expected]))
    return [
        element("code", _short(place.path)),
        f"{place.kind}: {differs}" if differs else place.kind,
        f"{place.count:,}",
        element("code", _short(place.example)),
    ]


def report(of: Report) -> str:
    """Return a card of a report: what came of a pull, and what it took."""
    status = of.status
    was_read = of.destination == "reader"
    title = _verdict(status, of.stream, of.account)
    if status == "busy":
        return _card(title, _facts([("held by", _holder(of)), ("run", _code_text(of.run_id))]))
    facts = [
        ("records", _amounts(of, was_read=was_read)),
        ("traffic", _traffic(of)),
        ("partitions", _partitions(of.partitions)),
        (
            "left out",
            f"{counted(of.repeats, 'record')} delivered before, byte for byte" if of.repeats else None,
        ),
        (
            "unchanged",
            f"{counted(of.unchanged, 'record')} older than what was read before" if of.unchanged else None,
        ),
        ("deleted", counted(of.deletes.count, "record") if of.deletes and of.deletes.count else None),
        ("not deleted", _withheld(of.deletes.withheld if of.deletes else None)),
        ("without a key", counted(of.records_without_key, "record") if of.records_without_key else None),
        ("without a time", counted(of.records_without_time, "record") if of.records_without_time else None),
        ("unavailable", of.unavailable),
        ("missing", _lines(of.gaps)),
        ("lists ended", _ends(of.ends)),
        ("behind", f"{span(behind)} behind the present" if (behind := of.behind) else None),
        ("warning", _lines(of.warnings)),
        ("drifted", _drifted(of)),
        ("stopped by", of.stopped_by),
        ("period", _period(of.window.since, of.window.until)),
        (
            "manifest",
            _code_text(f"{of.destination}/{of.manifest}") if of.manifest and not was_read else None,
        ),
        ("next run", None if was_read else _next_run(of)),
    ]
    return _card(title, _facts(facts))


def _withheld(withheld: Withheld | None) -> str | None:
    if withheld is None:
        return None
    what = counted(withheld.count, "record") if withheld.count else "what may be missing"
    return f"{what}: {withheld.reason}"


def _verdict(status: Status, stream_name: str, account: str) -> Html:
    mark, colour = MARKS.get(status, MARKS["partial"])
    return Html(f"{_mark(mark, colour)} {element('b', stream_name)} of {text(account)}: {element('b', status)}")


def _mark(mark: str, colour: str) -> Html:
    return element("span", mark, style=f"color:{COLOURS[colour]};font-weight:bold")


def _amounts(of: Report, *, was_read: bool) -> Html:
    amounts = f"{counted(of.records, 'record')} in {counted(of.pages, 'page')}"
    if was_read:
        return joined([amounts, size(of.bytes_received)])
    stored = f"{counted(of.objects, 'object')}, {size(of.bytes)} ({size(of.body_bytes)} before compression)"
    return joined([f"{amounts} → {stored}", "resumed an unfinished run" if of.resumed else None])


def _traffic(of: Report) -> Html:
    return joined(
        [
            counted(of.requests, "request"),
            f"{of.retries:,} retried" if of.retries else None,
            f"{of.throttled:,} throttled" if of.throttled else None,
            f"{span(of.seconds_waited)} waited" if of.seconds_waited else None,
        ]
    )


def _partitions(counts: PartitionCounts | None) -> Html | None:
    if not counts:
        return None
    return joined(
        [
            f"{counts.complete:,} complete",
            f"{counts.gone:,} whose parent is gone" if counts.gone else None,
            f"{counts.refused:,} refused" if counts.refused else None,
            f"{counts.unavailable:,} that this account lacks" if counts.unavailable else None,
            f"{counts.contradicted:,} that go on" if counts.contradicted else None,
        ]
    )


def _lines(all_of: Sequence[str]) -> Html | None:
    if not all_of:
        return None
    hidden = len(all_of) - GAPS_SHOWN
    lines = [*all_of[:GAPS_SHOWN], *([f"and {hidden:,} more"] if hidden > 0 else [])]
    return joined(lines, by="<br>")


def _ends(ends: Ends | None) -> Html | None:
    """Return how lists ended, if there is anything to say."""
    if not ends or not ends.counts:
        return None
    return joined([f"{kind} {count:,}" if count > 1 else kind for kind, count in ends.counts.items()])


def _drifted(of: Report) -> Html | None:
    drifted = of.drift
    if not drifted:
        return None
    places = drifted.places
    paths = joined((element("code", _short(place.path)) for place in places[:DRIFT_IN_SHORT]), by=", ")
    more = ", …" if len(places) > DRIFT_IN_SHORT else ""
    return Html(f"{counted(drifted.values, 'value')}, most of them at {paths}{more}")


def _holder(of: Report) -> str:
    if (holder := of.held_by) is None:
        return "another worker"
    lapses = f" until {utc(holder.until)}"
    return f"{holder.worker},{lapses} unless it renews its lease" if holder.worker else f"a pending run,{lapses}"


def _next_run(of: Report) -> str | None:
    if not of.manifest:
        return "resumes at the last checkpoint" if of.run_id else None
    if of.mode != "window" and (since := of.next_since):
        return f"asks for what changed since {utc(since)}"
    return None


def result(of: Result) -> str:
    """Return a card of a result that has none of its own: its attributes that are not empty."""
    facts = [(name.replace("_", " "), _attribute(value)) for name, value in of.shown().items()]
    return _card(element("b", type(of).__name__), _facts(facts))


def _attribute(value: object) -> object:
    if isinstance(value, datetime):
        return utc(value)
    if isinstance(value, tuple):
        return _lines([str(_attribute(each)) for each in value])
    return f"{value:,}" if isinstance(value, int) and value is not True else _short(str(value), 4 * VALUE_LENGTH)


def lake_streams(of: Sequence[LakeStream]) -> str:
    """Return a table of the tables of a lake."""
    names = ["table", "accounts", "kind", "key", "runs", "records", "stored", "last"]
    rows = [
        [
            element("b", each.stream),
            joined(each.accounts),
            each.kind or "",
            joined(each.primary_key) or "none",
            f"{each.runs:,}",
            f"{each.records:,}",
            size(each.bytes),
            utc(each.last_committed_at) if each.last_committed_at else "",
        ]
        for each in of
    ]
    return _card(_table(names, rows, numbers=["runs", "records", "stored"]), _dim(counted(len(of), "table")))


def coverages(of: Sequence[Coverage]) -> str:
    """Return a table of what a lake holds of its streams, by time."""
    marks = {"complete": MARKS["complete"], "partial": MARKS["partial"], "missing": MARKS["failed"]}
    rows = [
        [
            element("b", each.stream),
            each.account,
            utc(span.since) if span.since else "the beginning",
            utc(span.until),
            Html(f"{_mark(*marks[span.kind])} {span.kind}") if span.kind in marks else span.kind,
        ]
        for each in of
        for span in each.spans
    ]
    gaps = sum(len(each.gaps) for each in of)
    return _card(
        _table(["stream", "account", "from", "until", "what"], rows, numbers=[]),
        _dim(joined([counted(len(of), "stream"), counted(gaps, "gap") if gaps else "no gaps"])),
    )


def runs(of: Sequence[Run]) -> str:
    """Return a table of runs."""
    names = [
        "started",
        "stream",
        "account",
        "mode",
        "status",
        "records",
        "objects",
        "stored",
        "requests",
        "waited",
        "took",
    ]
    rows = [_run_row(run) for run in of]
    if not any(run.ledger.traffic.seconds_waited for run in of):
        at = names.index("waited")
        names, rows = names[:at] + names[at + 1 :], [row[:at] + row[at + 1 :] for row in rows]
    return _card(_table(names, rows, numbers=names[5:]), _dim(counted(len(of), "run")))


def _run_row(run: Run) -> list[object]:
    totals, traffic = run.ledger.totals, run.ledger.traffic
    mark, colour = MARKS["complete" if run.status == "committed" else "partial"]
    return [
        utc(run.started_at),
        element("code", run.stream),
        run.account,
        run.mode,
        Html(f"{_mark(mark, colour)} {text(run.status)}"),
        f"{totals.records:,}",
        f"{totals.objects:,}",
        size(totals.bytes),
        f"{traffic.requests:,}",
        span(traffic.seconds_waited),
        took(run),
    ]


def manifest(of: Manifest) -> str:
    """Return a card of a manifest: what the run did, and its first objects."""
    totals = of.totals
    stored = f"{size(totals.bytes)} ({size(totals.body_bytes)} before compression)"
    facts = [
        ("run", _code_text(of.run_id)),
        ("started", utc(of.started_at)),
        ("mode", joined([of.mode, _period(of.window.since, of.window.until)])),
        ("records", f"{counted(totals.records, 'record')} in {counted(totals.objects, 'object')}, {stored}"),
        ("unavailable", of.unavailable),
        ("missing", _lines(of.gaps)),
        ("lists ended", _ends(of.ends)),
        ("warning", _lines(of.warnings)),
        ("index", _code_text(of.path) if of.path else None),
    ]
    objects = of.objects if of.path else ()
    rows = [
        [
            element("code", entry.key),
            f"{entry.records:,}",
            size(entry.bytes),
            element("code", f"{entry.sha256[:12]}…"),
        ]
        for entry in objects[:OBJECTS_SHOWN]
    ]
    more = len(objects) - len(rows)
    return _card(
        _verdict(of.verdict, of.stream, of.account),
        _facts(facts),
        _table(["object", "records", "stored", "sha256"], rows, numbers=["records", "stored"]) if rows else None,
        _dim(f"and {counted(more, 'more object')}") if more else None,
    )


def proposal(of: Proposal) -> str:
    """Return a card of a proposal: what each part is, and what shows it; its records, and how to go on."""
    rows = [
        [
            element("code", finding.key),
            element("code", _short(json.dumps(finding.value))) if finding.value is not None else "?",
            _mark(finding.status, {"probed": "green", "unknown": "red"}.get(finding.status, "yellow")),
            finding.evidence,
        ]
        for finding in of.findings
    ]
    columns = _columns(of.sample)
    records = [[_cell(record, column) for column in columns] for record in of.sample[:RECORDS_SHOWN]]
    use = 'proposal.paginator = {"page": {"to": "page"}}\nproposal.test()\nproposal.save("definitions")'
    return _card(
        _heading(of.name, of.url),
        _table(["key", "value", "", "what shows it"], rows),
        _table(columns, records),
        _code(use),
    )


def progress(title: str, facts: Sequence[str], snapshot: Snapshot, wait: str | None, notes: Sequence[str]) -> str:
    """Return the line that says where the work is, with what it had to say below."""
    waits = element("span", wait, style=f"color:{COLOURS['yellow']}") if wait else None
    line = joined([element("b", title), _completed(snapshot), *facts, _quota(snapshot), waits])
    shown = list(notes[-NOTES_SHOWN:])
    if len(notes) > len(shown):
        shown.insert(0, f"{len(notes) - len(shown):,} earlier")
    return _card(line, *(_dim(note) for note in shown))


def _quota(snapshot: Snapshot) -> Html | None:
    quota = snapshot.quota
    if not quota or not quota.limit:
        return None
    return Html(f"quota {_bar(quota.remaining, quota.limit)} {quota.remaining:,} of {quota.limit:,} left")


def _completed(snapshot: Snapshot) -> Html | None:
    """Return how much of the run is done, with a bar if it is known how much there is."""
    if (said := amount(snapshot)) is None:
        return None
    completion = snapshot.completion
    bar = f"{_bar(completion.done, completion.total)} " if completion and completion.total else ""
    return Html(f"{bar}{text(said)}")


def _bar(number: int, total: int) -> Html:
    full = math.floor(BAR_LENGTH * min(number / total, 1))
    return Html("▰" * full + element("span", "▱" * (BAR_LENGTH - full), style="opacity:.4"))


def ended(title: str, ending: Ending) -> str:
    """Return the line that stays when the work has ended."""
    said = Html(f"{_mark(ending.mark, ending.colour)} {element('b', title)}: {text(ending.word)}")
    return _card(joined([said, *ending.facts]))


def _card(*content: object) -> Html:
    return element("div", *(element("div", part, style="margin:.2em 0;overflow-x:auto") for part in content if part))


def _heading(name: str, about: str | None) -> Html:
    return Html(f"{element('b', name)}{text(f' — {about}') if about else ''}")


def _dim(content: object) -> Html:
    return element("small", content, style=_DIM)


def _code(code: str) -> Html:
    return element("pre", element("code", code), style="margin:.4em 0;padding:0;background:none")


def _code_text(value: str | None) -> Html | None:
    return element("code", value) if value else None


def _link(definition: Mapping[str, Any]) -> Html | str | None:
    """Return the address of documentation as a link, if it is one that browsers may follow."""
    address = definition.get("docs")
    if not isinstance(address, str) or not address.lower().startswith(("https://", "http://")):
        return address
    return element("a", address, href=address, rel="noopener noreferrer", target="_blank", style="color:inherit")


def _facts(facts: Sequence[tuple[str, object]]) -> Html | None:
    rows = [
        element("tr", element("td", name, style=f"{_LEFT};{_DIM}"), element("td", fact, style=_LEFT))
        for name, fact in facts
        if fact
    ]
    return element("table", element("tbody", *rows)) if rows else None


def _table(names: Sequence[str], rows: Sequence[Sequence[object]], numbers: Sequence[str] = ()) -> Html:
    styles = [_RIGHT if name in numbers else _LEFT for name in names]
    heading = element("tr", *(element("th", name, style=style) for name, style in zip(names, styles, strict=True)))
    body = [
        element("tr", *(element("td", cell, style=style) for cell, style in zip(row, styles, strict=True)))
        for row in rows
    ]
    return element("table", element("thead", heading), element("tbody", *body))
