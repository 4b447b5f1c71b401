"""`circulate import openapi`: a source made of a document that describes an API."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from circulate_core import _core
from circulate_core.catalogs import paging, source_definition
from circulate_core.cli.options import account_arguments, add_account_options, gather_settings
from circulate_core.console import counted, paint, say, table
from circulate_core.exceptions import SettingsError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from circulate_core.authoring.openapi.imported import ImportedList
    from circulate_core.authoring.openapi.lock import Change
    from circulate_core.authoring.openapi.preparing import Prepared

_CATALOG = Path("definitions")
_STATUSES = ("declared", "probed", "inferred", "unknown")
_COLOURS = {"declared": "green", "probed": "green", "inferred": "cyan", "unknown": "yellow"}
_SHOWN = 30
"""Notes and changes; `--json` has all."""
_REASONS = 5
"""Reasons why calls are left out."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommands of `circulate import`."""
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    about = "write the definitions of a source that OpenAPI or Swagger documents describe"
    openapi = commands.add_parser("openapi", help=about, description=f"{about[0].upper()}{about[1:]}.")
    openapi.add_argument(
        "documents",
        metavar="FILE|DIR",
        nargs="+",
        type=Path,
        help="OpenAPI 3.0 or 3.1, Swagger 2.0, as YAML or JSON, also packed by gzip; of a folder all below it",
    )
    openapi.add_argument("--source", metavar="NAME", help="name of the source (default: by the title of the document)")
    openapi.add_argument(
        "--to", metavar="DIR", type=Path, default=_CATALOG, help=f"catalog to write to (default: {_CATALOG})"
    )
    openapi.add_argument("--base-url", metavar="URL", help="the API's address, instead of what the document says")
    openapi.add_argument(
        "--auth",
        metavar="WAY",
        action="append",
        default=[],
        help="how requests are signed in, instead of what the document says: none, bearer, basic, header:NAME,"
        " header:NAME:PREFIX, query:NAME, oauth2:TOKEN_URL; may be repeated",
    )
    openapi.add_argument(
        "--diff", metavar="OLD", type=Path, help="show what is otherwise than in an earlier document; write nothing"
    )
    openapi.add_argument("--dry-run", action="store_true", help="report and write nothing")
    openapi.add_argument("--overwrite", action="store_true", help="replace files that were changed by hand")
    openapi.add_argument("--json", action="store_true", help="write the report as JSON, with the evidence of each list")
    openapi.add_argument(
        "--probe",
        action="store_true",
        help="try at the API what the document does not say: fetch pages of each list and compare them",
    )
    add_account_options(openapi, with_catalog=False)
    openapi.set_defaults(import_command=_openapi)


def run(args: argparse.Namespace) -> int:
    """Run a subcommand."""
    code: int = args.import_command(args)
    return code


def _openapi(args: argparse.Namespace) -> int:
    # Only who imports something needs what reads documents.
    from circulate_core.authoring.openapi.preparing import (  # noqa: PLC0415 - see above
        earlier_lock,
        prepare,
        report_text,
    )
    from circulate_core.authoring.openapi.signing import Given  # noqa: PLC0415 - see above
    from circulate_core.authoring.openapi.writing import write_source  # noqa: PLC0415 - see above

    if args.probe and (args.diff or args.dry_run):
        message = "--probe writes what it finds: it goes with neither --diff nor --dry-run"
        raise SettingsError(message)
    given = Given(args.base_url, tuple(args.auth))
    prepared = prepare(args.documents, catalog=args.to, name=args.source, given=given)
    before = earlier_lock(args.diff, prepared) if args.diff else prepared.before
    changes = prepared.changes(before) if before is not None else None
    if changes is not None and not args.json:
        _say_changes(changes)
    files: Sequence[Path] = ()
    if not (args.diff or args.dry_run):
        lock = prepared.lock
        files = write_source(args.to, prepared.source, lock, prepared.before, overwrite=args.overwrite)
        if args.probe:
            _probe(args, prepared)
            files = write_source(args.to, prepared.source, prepared.lock, lock, overwrite=False)
    if args.json:
        print(report_text(prepared, changes, files))
    elif not args.diff:
        _show(prepared)
    if not args.diff:
        _say_result(prepared, args, files)
    return 0


def _probe(args: argparse.Namespace, prepared: Prepared) -> None:
    """Try the lists of a source that was just written."""
    from circulate_core.authoring.openapi.probing import probe  # noqa: PLC0415 - as above

    args.catalog = [args.to]
    source = prepared.source
    settings = gather_settings(args, source_definition(source.name, catalog=args.catalog))
    account = {key: value for key, value in account_arguments(args, settings).items() if key != "catalog"}

    def say_outcome(endpoint: str, outcome: str) -> None:
        say(f"  {source.name}.{endpoint} {_plain(outcome)}")

    probe(source, account, say_outcome)


def _say_changes(changes: list[Change]) -> None:
    if not changes:
        say("nothing has changed")
    for change in changes[:_SHOWN]:
        colour = {"new": "green", "removed": "red", "changed": "yellow"}[change.kind]
        say(f"{paint(change.kind.ljust(8), colour)} {change.what} {_plain(change.key)}")
        for detail in change.details:
            say(f"           {_plain(detail)}")
    if len(changes) > _SHOWN:
        say(f"and {counted(len(changes) - _SHOWN, 'more change')}: --json has all")


def _show(prepared: Prepared) -> None:
    rows = [["STREAM", "STATUS", "RECORDS", "KEY", "PAGINATOR"]]
    ordered = sorted(prepared.source.lists, key=lambda each: (_STATUSES.index(each.status), each.endpoint))
    rows += [_row(prepared.source.name, each) for each in ordered]
    print(table(rows))


def _row(source: str, each: ImportedList) -> list[str]:
    listed = each.listed
    records = listed.get("records")
    places = " or ".join(json.dumps(pointer) for pointer in each.found.candidates)
    shown = records if isinstance(records, str) else json.dumps(records) if records else f"? {places}".strip()
    if each.is_one:
        shown = "(one record)"
    key = listed["primary_key"]
    if each.paginator is not None:
        how = paging(each.paginator)
    else:
        candidates = [each.paging.paginator] if each.paging.paginator is not None else each.paging.candidates
        how = f"? {' or '.join(paging(candidate) for candidate in candidates)}".strip()
    keys = key if isinstance(key, str) else ", ".join(key)
    return [f"{source}.{each.endpoint}", each.status, _plain(shown) or "(root)", _plain(keys), _plain(how)]


def _plain(text: str) -> str:
    """Return a text of somebody else's document as it may be shown."""
    return _core.shown(text.encode(errors="replace").decode(), limit=200)


def _say_result(prepared: Prepared, args: argparse.Namespace, files: Sequence[Path]) -> None:
    source = prepared.source
    for note in source.notes[:_SHOWN]:
        say(f"{paint('note:', 'cyan')} {_plain(note)}")
    if len(source.notes) > _SHOWN:
        say(f"and {counted(len(source.notes) - _SHOWN, 'more note')}: --json has all")
    listed = [each for each in source.lists if not each.is_one]
    statuses: Counter[str] = Counter(each.status for each in listed)
    by_status = ", ".join(f"{statuses[status]} {status}" for status in _STATUSES if statuses[status])
    lists = f"{counted(len(listed), 'list')} ({by_status})" if listed else "no list"
    single = f", {counted(len(source.lists) - len(listed), 'single object')}" if len(source.lists) > len(listed) else ""
    say(f"{lists}{single}, {counted(len(source.operations), 'operation')}")
    reasons = Counter(source.left_out.values())
    for reason, count in reasons.most_common(_REASONS):
        say(f"{count} left out: {_plain(reason)}")
    if source.left_out:
        more = f"{counted(len(reasons) - _REASONS, 'more reason')}; " if len(reasons) > _REASONS else ""
        say(f"{more}--json names each that is left out")
    if not files:
        say("nothing was written")
        return
    say(f"{paint('✓', 'green')} {args.to / source.name}: {counted(len(files), 'file')}")
    if statuses["unknown"]:
        from circulate_core.authoring.openapi.writing import overlay_path  # noqa: PLC0415 - as above

        say(
            f"{counted(statuses['unknown'], 'list')} will not run until {overlay_path(args.to, source.name)} says how"
            " one page leads to the next; each file names what it might be"
        )
