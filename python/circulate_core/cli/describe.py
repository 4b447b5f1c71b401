"""`circulate describe`: what a source or a stream is, by its definition."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circulate_core.catalogs import (
    SHIPPED_CATALOG,
    address,
    method,
    paging,
    signing,
    source_definition,
    source_folder,
    stream_definition,
    stream_names,
)
from circulate_core.cli.options import add_catalog_option
from circulate_core.cli.streams import is_meant, matching
from circulate_core.console import paint, table

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from circulate_core.types import Definition, SourceDefinition


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `circulate describe`."""
    parser.add_argument("name", metavar="SOURCE|STREAM", help="a source, such as okta, or a stream, such as okta.users")
    parser.add_argument("--json", action="store_true", help="write the definition as JSON")
    add_catalog_option(parser)


def run(args: argparse.Namespace) -> int:
    """Write what a definition says."""
    if "." in args.name:
        for name in matching([args.name], stream_names(catalog=args.catalog)):
            definition = stream_definition(name, catalog=args.catalog)
            print(json.dumps(definition) if args.json else "\n".join(_stream(name, definition)))
        return 0
    source = source_definition(args.name, catalog=args.catalog)
    streams = [name for name in stream_names(catalog=args.catalog) if is_meant(args.name, name)]
    print(json.dumps(source) if args.json else "\n".join(_source(source, streams, _own(args))))
    return 0


def _own(args: argparse.Namespace) -> str | None:
    """Return the folder of a definition of one's own, and whether it hides a shipped one."""
    own = source_folder(args.name, catalog=args.catalog)
    hides = own and Path(SHIPPED_CATALOG, args.name).is_dir()
    return f"{own}, in place of the shipped definition" if hides else own


def _source(source: SourceDefinition, streams: list[str], own: str | None) -> Iterator[str]:
    yield f"{paint(source['title'], 'bold')} ({source['source']})"
    yield from _facts({"docs": source.get("docs"), "address": source.get("base_url"), "defined in": own})
    yield from _facts({"signs in by": " or ".join(map(signing, source["auth"]))})
    if (headroom := source.get("rate_limit", {}).get("headroom")) is not None:
        yield from _facts({"leaves": f"{headroom * 100:.0f} % of the quota to others"})
    yield ""
    rows = [["SETTING", "VARIABLE", "", "WHAT"]]
    for name, setting in source["settings"].items():
        kind = "secret" if setting["secret"] else setting.get("default", "")
        rows.append([name, setting["env"], kind, setting["about"]])
    yield table(rows)
    yield ""
    named = ", ".join(name.partition(".")[2] for name in streams)
    yield f"{len(streams)} streams: {named}" if streams else "no streams"


def _stream(name: str, definition: Definition) -> Iterator[str]:
    endpoint: dict[str, Any] = {**definition["endpoint"]}
    requested = definition["endpoint"]["list"]
    listed: dict[str, Any] = endpoint["list"]
    parent: dict[str, Any] = listed.get("parent") or {}
    incremental: dict[str, Any] = listed.get("incremental") or parent.get("incremental") or {}
    changes = "what the API gives to go on with" if "durable" in incremental else "its parent's changes"
    key = listed.get("primary_key")
    yield f"{paint(name, 'bold')}: {endpoint['about']}"
    yield from _facts(
        {
            "docs": endpoint.get("docs"),
            "request": f"{method(requested)} {address(requested)}".removeprefix("GET "),
            "format": None if (body := listed.get("format")) is None else str(body).replace("_", " "),
            "records": _records(listed.get("records")),
            "hooks": ", ".join((listed.get("hooks") or {}).values()),
            "key": key if isinstance(key, str) or key is None else ", ".join(key),
            "pages by": paging(listed["paginator"]),
            "asked for": _asked_for(listed),
            "made by": _job(listed.get("job")),
            "changes by": incremental.get("cursor") or (changes if incremental else "full pulls only"),
            "scopes": " ".join(endpoint.get("scopes") or ()),
            "operations": ", ".join(endpoint.get("operations") or ()),
        }
    )
    if columns := endpoint.get("columns"):
        yield ""
        yield table([["COLUMN", "TYPE"], *([name, json.dumps(kind).strip('"')] for name, kind in columns.items())])


def _asked_for(listed: dict[str, Any]) -> str | None:
    """Return what a list is requested for one by one."""
    parent, values = listed.get("parent"), listed.get("partitions") or []
    parts = [f"{_how_many(parent)} of {parent['endpoint']}"] if parent else []
    for each in values if isinstance(values, list) else [values]:
        named = f"of the setting {each['setting']}" if "setting" in each else f"({', '.join(each['values'])})"
        parts.append(f"each {each['name']} {named}")
    return " and ".join(parts) or None


def _job(job: dict[str, Any] | None) -> str | None:
    """Return what makes a list first."""
    return None if job is None else f"a job: {job['submit'].get('method', 'POST')} {job['submit']['path']}"


def _how_many(parent: dict[str, Any]) -> str:
    return f"up to {batch['size']} records" if (batch := parent.get("batch")) else "each record"


def _records(records: object) -> str | None:
    if isinstance(records, dict):
        return ", ".join(f"{shape} {pointer}" for shape, pointer in records.items())
    return str(records or "") or None


def _facts(facts: dict[str, str | None]) -> Iterator[str]:
    for name, fact in facts.items():
        if fact:
            yield f"  {name:<12} {fact}"
