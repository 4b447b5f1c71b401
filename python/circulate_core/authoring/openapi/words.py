"""Sentences of documents, as definitions have them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from circulate_core.authoring.secret_values import without_secrets

if TYPE_CHECKING:
    from circulate_core.authoring.openapi.description import ApiOperation

_LONGEST = 160


def sentence(text: str) -> str:
    """Return the first sentence of a text, without markup."""
    plain = re.sub(r"<[^>]*>", " ", without_secrets(text))
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", plain)
    plain = re.sub(r"[`*#>|]+", "", plain)
    plain = re.sub(r"[\x00-\x1f\x7f]", " ", plain)
    line = re.sub(r"\s+", " ", plain).strip()
    first = re.split(r"(?<=[.!?])\s+(?=[A-Z])", line)[0]
    if len(first) > _LONGEST:
        first = f"{first[: _LONGEST - 1].rstrip()}…"
    return first


def about_of(operation: ApiOperation) -> str:
    """Return what an operation is, in a sentence."""
    node = operation.node
    for text in (node.get("summary").text(), node.get("description").text()):
        if found := sentence(text):
            return found if found.endswith((".", "…", "!", "?")) else f"{found}."
    return f"{operation.method} {operation.path}."


def docs_of(operation: ApiOperation) -> str | None:
    """Return the address of an operation's documentation."""
    url = operation.node.at("externalDocs", "url").text()
    return url if re.fullmatch(r"https?://\S+", url) else None
