"""Names: of endpoints, operations, parameters and settings, made of what a document calls them."""

from __future__ import annotations

import keyword
import re

ENDPOINT_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
"""Names of sources and endpoints, which are names of folders and files, too."""
_MAX = 63
_PREFIXES = re.compile(r"^(api|rest|v\d+([._]\d+)*|beta|public|services?)$", re.IGNORECASE)
"""Segments at the beginning of paths that say nothing of what is there."""
_PARAMETER = re.compile(r"\{([^{}]*)\}")


def snake(text: str) -> str:
    """Return a name in small letters: `userId`, `user-id` and `User ID` are `user_id`."""
    text = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", text)
    text = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", text)
    text = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    text = re.sub(r"^(\d)", r"n\1", text)
    return text[:_MAX].strip("_")


def squeezed(text: str) -> str:
    """Return a name without what spellings differ by: `per_page`, `perPage` and `per-page` are `perpage`."""
    return re.sub(r"[^a-z0-9]", "", text.lower())


_IRREGULAR = {
    "people": "person", "children": "child", "men": "man", "women": "woman", "news": "news", "series": "series",
    "status": "status", "address": "address", "access": "access", "business": "business", "analytics": "analytics",
    "media": "media", "data": "data", "criteria": "criterion", "indices": "index",
}  # fmt: skip


def singular(word: str) -> str:
    """Return the singular of an English word, as far as rules go."""
    lower = word.lower()
    for plural, one in _IRREGULAR.items():
        if lower.endswith(plural):
            return word[: len(word) - len(plural)] + one
    if lower.endswith("ies") and len(word) > 4:  # noqa: PLR2004 - "ties" is no plural of "ty"
        return word[:-3] + "y"
    if lower.endswith(("sses", "shes", "ches", "xes", "zes")):
        return word[:-2]
    if lower.endswith("s") and not lower.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def is_plural(word: str) -> bool:
    """Return whether a word looks like the plural of another."""
    lower = word.lower()
    return singular(word) != word or any(lower.endswith(known) for known in ("news", "series", "data", "media"))


def parameters_of(path: str) -> list[str]:
    """Return the names of the parameters in a path, in order."""
    return _PARAMETER.findall(path)


def ends_in_parameter(path: str) -> bool:
    """Return whether the last segment of a path varies: `/users/{id}`, `/users/{id}.json`."""
    return "{" in path.rstrip("/").rpartition("/")[2]


def resource_of(path: str) -> str:
    """Return what a path is about: its last segment that is not a parameter."""
    static = [segment for segment in path.strip("/").split("/") if segment and "{" not in segment]
    return static[-1] if static else ""


def first_word(path: str) -> str:
    """Return the first segment of a path that says what is there: `users` of `/api/v1/users/{id}`."""
    static = [segment for segment in path.strip("/").split("/") if segment and "{" not in segment]
    return next((segment for segment in static if not _PREFIXES.match(segment)), "")


def endpoint_name(path: str) -> str:
    """Return the name of the endpoint at a path: `/api/v1/users/{id}/groups` is `user_groups`."""
    segments = [segment for segment in path.strip("/").split("/") if segment]
    while segments and _PREFIXES.match(segments[0]):
        segments.pop(0)
    words = []
    for at, segment in enumerate(segments):
        if _PARAMETER.search(segment):
            # A parameter at the beginning or the end still makes the name another one.
            rest = snake(_PARAMETER.sub("", segment))
            words.extend([rest] if rest else [])
            continue
        is_followed = at + 1 < len(segments)
        word = snake(re.sub(r"\.(json|xml)$", "", segment))
        words.append(snake(singular(word)) if is_followed else word)
    last = _PARAMETER.fullmatch(segments[-1]) if segments else None
    if last and words and (parameter := snake(last[1])):
        words.append(f"by_{parameter}")
    name = snake("_".join(word for word in words if word)) or "root"
    # `source.yaml` is the file of the source itself.
    return "source_list" if name == "source" else name


def unique(name: str, taken: set[str]) -> str:
    """Return the name, with a number behind it if it is taken, and take it."""
    found, number = name, 2
    while found in taken:
        suffix = f"_{number}"
        found, number = name[: _MAX - len(suffix)] + suffix, number + 1
    taken.add(found)
    return found


def parameter_name(given: str, taken: set[str]) -> str:
    """Return the name of a parameter of an operation, which Python can have, too."""
    name = snake(given) or "parameter"
    if keyword.iskeyword(name) or name in {"before", "response"}:
        name = f"{name}_"[:_MAX].rstrip("_") + "_value"
    return unique(name, taken)
