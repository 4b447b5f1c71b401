"""`circulate init`: a project of one's own, in which sources are defined, tested, packaged and deployed."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from circulate_core.console import counted, paint, say

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `circulate init`."""
    parser.add_argument(
        "folder",
        metavar="FOLDER",
        nargs="?",
        type=Path,
        default=Path(),
        help="where to write it; made if need be (default: this folder)",
    )
    parser.add_argument("--name", metavar="TEXT", help="name of the project (default: that of the folder)")


def run(args: argparse.Namespace) -> int:
    """Write the project; show its files and what to do next."""
    from circulate_core.authoring.project import make_project  # noqa: PLC0415 - much that no other command needs

    files = make_project(args.folder, args.name)
    say(f"{paint('✓', 'green')} {counted(len(files), 'file')} written to {args.folder.resolve()}")
    for file in files:
        print(file)
    enter = "" if args.folder.resolve() == Path.cwd() else f"cd {shlex.quote(str(args.folder))} && "
    say(f"next: {enter}circulate new SOURCE.ENDPOINT, such as acme.widgets; README.md has all commands")
    return 0
