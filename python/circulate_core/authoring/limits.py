"""Headers that report a quota."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_HEADER = re.compile(r"(.*rate-?limit.*?)[-_]?(limit|remaining|reset)$")


def of_headers(headers: Mapping[str, str]) -> dict[str, str] | None:
    """Return `rate_limit` of a definition for headers of a response: those of the IETF's drafts, or the usual three."""
    if "ratelimit-policy" in headers and "ratelimit" in headers:
        return {"limit": "RateLimit-Policy", "remaining": "RateLimit", "reset": "RateLimit"}
    found: dict[str, dict[str, str]] = {}
    for name in headers:
        if match := _HEADER.fullmatch(name):
            found.setdefault(match[1], {})[match[2]] = name
    for parts in found.values():
        if {"limit", "remaining", "reset"} <= parts.keys():
            return {kind: parts[kind] for kind in ("limit", "remaining", "reset")}
    return None
