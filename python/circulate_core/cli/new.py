"""`circulate new`: a list of an API in a project: definition, function and test, by flags or by questions."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from circulate_core.cli.exit_codes import INTERRUPTED
from circulate_core.console import counted, is_terminal, paint, say

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from circulate_core.authoring.described import Value
    from circulate_core.authoring.endpoint import NewEndpoint

_OF_THE_SOURCE: Final = {
    "base-url": ("URL", "address of the API, with what stands before all paths: https://api.acme.example/v2"),
    "auth": ("KIND", "how requests are signed in"),
    "auth-name": ("NAME", "name of the header, parameter or field with the key; of several headers once each"),
    "auth-prefix": ("TEXT", "what stands before the key in the header, with its space"),
}
_OF_THE_LIST: Final = {
    "path": ("PATH", "path of the list, behind the address: /widgets"),
    "about": ("TEXT", "what the list holds, for people"),
    "query": ("NAME=VALUE", "a parameter of every request; may be repeated"),
    "body": ("KIND", "send a body, by POST, that the paginator or the key is put into"),
    "format": ("FORMAT", "what a page is"),
    "records": (
        "WHERE",
        "where a page has its records: /items, /groups/*/items, map:/items, scalars:/ids (default: it is the list)",
    ),
    "primary-key": ("POINTER", "the member that identifies a record: /id; repeated if it takes several; or none"),
    "page-size": ("N", "records of a page to request"),
    "page-size-param": ("PARAM", "where a request says so: limit, header:NAME or body:/limit"),
}
_OF_THE_PAGINATOR: Final = {
    "paginator": ("KIND", "how a page leads to the next one"),
    "from": (
        "WHERE",
        "where a response or the last record has what leads on: /next, header:NAME, url:/next?PARAM, link:next?PARAM",
    ),
    "to": ("PARAM", "where the next request takes it: cursor, header:NAME, body:/cursor or path:/widgets/{token}"),
    "more": ("WHERE", "a flag that says whether there is more: /meta/has_more or header:NAME"),
    "total": ("WHERE", "how many records there are, likewise"),
    "pages": ("WHERE", "how many pages there are, likewise"),
    "start": ("VALUE", "token of the first request, or offset of the first record (default: none, 0)"),
    "first": ("N", "number of the first page (default: 1)"),
    "by": ("HOW", "what an offset counts (default: records)"),
    "send": ("HOW", "whether requests behind the first send the token alone (default: all)"),
    "rel": ("NAME", "relation of the Link header (default: next)"),
    "keep": ("NAME", "parameter of every request that the next URL lacks; may be repeated"),
}
_GROUPS: Final = {
    "the source, if the project does not have it yet": _OF_THE_SOURCE,
    "the list": _OF_THE_LIST,
    "its pages": _OF_THE_PAGINATOR,
}
_WORDS: Final = {**_OF_THE_SOURCE, **_OF_THE_LIST, **_OF_THE_PAGINATOR}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `circulate new`."""
    from circulate_core.authoring import described  # noqa: PLC0415 - much that no other command needs

    parser.add_argument("stream", metavar="SOURCE.ENDPOINT", help="name of the list, such as acme.widgets")
    parser.add_argument("--yes", action="store_true", help="write without a question; what is missing is an error")
    choices = {
        "auth": [*described.AUTH],
        "paginator": [*described.PAGINATORS],
        "body": [*described.BODIES],
        "format": [*described.FORMATS],
        "by": ["records", "page_size"],
        "send": ["all", "token"],
    }
    for title, flags in _GROUPS.items():
        group = parser.add_argument_group(title)
        for word, (value, about) in flags.items():
            group.add_argument(
                f"--{word}",
                dest=word,
                metavar=None if word in choices else value,
                choices=choices.get(word),
                action="append" if word in described.SEVERAL else "store",
                help=about,
            )


def run(args: argparse.Namespace) -> int:
    """Write the files of the list; show what to do next."""
    from circulate_core.authoring.endpoint import NewEndpoint  # noqa: PLC0415 - as above

    new = NewEndpoint(args.stream, Path())
    words: dict[str, Value] = {word: getattr(args, word) for word in _WORDS}
    asks = not args.yes and is_terminal() and sys.stdin is not None and sys.stdin.isatty()
    if asks:
        _ask(new, words)
    texts = new.texts(words)
    if asks and not _agreed(texts):
        return INTERRUPTED
    files = new.write(texts)
    say(f"{paint('✓', 'green')} {counted(len(files), 'file')} written")
    for file in files:
        print(file)
    say(f"next: pytest; then correct {files[0]} by the documentation of the API, and its test likewise")
    say(f"then: circulate check {args.stream} --catalog {files[0].parents[1]}")
    if not new.has_source:
        say(f"to deploy it: name the accounts of {new.source} in deploy/main.tf")
    return 0


def _ask(new: NewEndpoint, words: dict[str, Value]) -> None:
    """Ask for what is missing, and for what most lists have."""
    asks_for_list = words["path"] is None
    _ask_for_missing(new, words)
    if asks_for_list:
        for word in ("records", "page-size"):
            if words[word] is None and not (word == "page-size" and words["paginator"] == "none"):
                words[word] = _answer(word, f"{_WORDS[word][1]}; empty for none", needed=False) or None
        _ask_for_missing(new, words)


def _ask_for_missing(new: NewEndpoint, words: dict[str, Value]) -> None:
    """Ask until nothing is missing: some words depend on others."""
    from circulate_core.authoring.described import AUTH, PAGINATORS, SEVERAL, missing_in  # noqa: PLC0415 - as above

    kinds = {"auth": AUTH, "paginator": PAGINATORS}
    while missing := missing_in(words, with_source=not new.has_source):
        word = missing[0]
        if word in kinds:
            say(f"{_WORDS[word][1]}: the API")
            for name, kind in kinds[word].items():
                say(f"  {name:12} {kind.about}")
            given = _answer(word, "which one", among=[*kinds[word]])
        else:
            given = _answer(word, _WORDS[word][1])
        words[word] = [given] if word in SEVERAL else given


def _answer(word: str, about: str, *, among: list[str] | None = None, needed: bool = True) -> str:
    """Return what somebody writes, asked until it is something that can be meant."""
    while True:
        sys.stderr.write(f"{paint(word, 'bold')}: {about}: ")
        sys.stderr.flush()
        line = sys.stdin.readline()
        if not line:
            # Ctrl-D.
            raise KeyboardInterrupt
        given = line.strip()
        if (given or not needed) and (among is None or given in among):
            return given
        if given and among is not None:
            say(f"`{given}` is none of {', '.join(among)}")


def _agreed(texts: Mapping[str, str]) -> bool:
    for path in texts:
        say(f"  {path}")
    sys.stderr.write("Write these files? [Y/n] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"", "y", "yes"}
