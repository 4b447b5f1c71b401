"""One grammar for streams on the command line: `okta` and `'okta.*'` are all of a source, `okta.users` is one."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from circulate_core.cli.parser import nearest
from circulate_core.exceptions import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

WILDCARDS = frozenset("*?[")
STREAMS = "a stream such as okta.users, all of a source (okta), or a pattern ('okta.group*')"
"""What commands that take streams say of them."""


def matching(patterns: Sequence[str], known: Iterable[str]) -> list[str]:
    """Return the streams that are meant, in the order in which they are named first.

    Args:
        patterns: Names of streams or sources, and patterns of `fnmatch`.
        known: Names of all streams.

    Raises:
        DefinitionError: A pattern matches no stream. All of these are named.
    """
    names = list(known)
    found: dict[str, None] = {}
    unknown = []
    for pattern in patterns:
        matched = [name for name in names if is_meant(pattern, name)]
        found |= dict.fromkeys(matched)
        if not matched:
            unknown.append(pattern)
    if unknown:
        raise DefinitionError(_no_such(unknown), hint=_hint(unknown[0], names))
    return list(found)


def is_meant(pattern: str, stream: str) -> bool:
    """Return whether a stream is meant by a name or pattern."""
    if "." not in pattern and not WILDCARDS & set(pattern):
        return stream.partition(".")[0] == pattern
    return fnmatchcase(stream, pattern)


def _no_such(unknown: list[str]) -> str:
    quoted = ", ".join(f"`{name}`" for name in unknown)
    if any(WILDCARDS & set(name) for name in unknown):
        return f"no stream matches {quoted}"
    return f"there is no {'stream' if '.' in unknown[0] else 'source'} {quoted}"


def _hint(unknown: str, names: list[str]) -> str:
    sources = sorted({name.partition(".")[0] for name in names})
    candidates = names if "." in unknown else sources
    if meant := nearest(unknown, candidates):
        return f"did you mean `{meant}`? `circulate list` shows what there is"
    source = unknown.partition(".")[0]
    if source in sources and "." in unknown:
        return f"`circulate list {source}` shows the streams that there are"
    return f"the sources: {', '.join(sources)}; definitions of your own are found by --catalog"
