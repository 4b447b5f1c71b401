"""The command `circulate practice-list`: flags, what it prints, and running until a signal comes."""

import argparse
import sys
from pathlib import Path

from circulate_practice.paging.kit.definitions import write_definition
from circulate_practice.paging.kit.lists import PagedList, make_records
from circulate_practice.paging.kit.server import SOURCE, ListServer
from circulate_practice.paging.kit.styles import STYLES
from circulate_practice.paging.kit.traps import TRAPS
from circulate_practice.server.signals import signalled

MAX_PORT = 65535


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the command to `parser`.

    Args:
        parser: Parser of `circulate practice-list`, or of anything else that calls `run`.
    """
    add = parser.add_argument
    add("--style", default="token", metavar="NAME", help="how the list is paged (default: %(default)s); see --names")
    add("--trap", default=None, metavar="NAME", help="what goes wrong (default: nothing); see --names")
    add("--records", type=int, default=23, metavar="N", help="records of the list (default: %(default)s)")
    add("--page-size", type=int, default=5, metavar="N", help="records of a page (default: %(default)s)")
    add("--port", type=int, default=0, metavar="N", help="port on 127.0.0.1; 0 takes a free one (default: 0)")
    add(
        "--catalog",
        dest="folder",
        type=Path,
        default=None,
        metavar="DIR",
        help="write the definition that reads the list to DIR",
    )
    add("--names", action="store_true", help="list styles and traps, each with what it imitates")


def run(args: argparse.Namespace) -> int:
    """Serve the list that `args` describe until SIGINT or SIGTERM.

    Args:
        args: What a parser with the flags of `add_arguments` returned.

    Returns:
        Exit code: 0 after a signal, 1 if the server could not start, 2 if a flag has a wrong value.
    """
    if args.names:
        print(_names())  # noqa: T201
        return 0
    if args.page_size < 1 or args.records < 0:
        given = f"given {args.page_size} and {args.records}"
        return _complain(f"--page-size is 1 or more, and --records 0 or more, {given}", 2)
    if not 0 <= args.port <= MAX_PORT:
        return _complain(f"--port is 0 to {MAX_PORT}, given {args.port}", 2)
    try:
        items = PagedList(make_records(args.records), style=args.style, trap=args.trap, page_size=args.page_size)
    except ValueError as error:
        return _complain(error, 2)
    try:
        server = _listen(items, args)
    except OSError as error:
        return _complain(error, 1)
    with signalled() as event:
        server.start()
        _announce(server, items, args)
        event.wait()
        server.close()
    return 0


def _listen(items: PagedList, args: argparse.Namespace) -> ListServer:
    """Return the server, its definition written."""
    try:
        server = ListServer({"items": items}, port=args.port)
    except OSError as error:
        message = f"cannot listen on 127.0.0.1:{args.port}: {error.strerror}"
        raise OSError(message) from None
    if args.folder is not None:
        try:
            write_definition(server.source(), server.endpoints(), args.folder)
        except OSError:
            server.server_close()
            raise
    return server


def _names() -> str:
    width = max(map(len, [*STYLES, *TRAPS]))
    lines = ["styles:", *(f"  {name:{width}}  {style.about}" for name, style in STYLES.items())]
    lines += ["", "traps:", *(f"  {name:{width}}  {trap.about}" for name, trap in TRAPS.items())]
    return "\n".join(lines)


def _announce(server: ListServer, items: PagedList, args: argparse.Namespace) -> None:
    trap = f"  trap: {args.trap}" if args.trap else ""
    print(f"practice list: {server.url}/items  style: {args.style}{trap}  records: {len(items.truth)}", flush=True)  # noqa: T201
    if args.folder is not None:
        print(f"export PRACTICE_URL={server.url}", file=sys.stderr)  # noqa: T201
        command = f"circulate pull {SOURCE}.items --catalog {args.folder} --to ./lake --account practice"
        print(command, file=sys.stderr, flush=True)  # noqa: T201


def _complain(error: Exception | str, code: int) -> int:
    print(f"error: {error}", file=sys.stderr)  # noqa: T201
    return code
