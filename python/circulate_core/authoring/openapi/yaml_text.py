"""Definitions as YAML: what is short stands on one line, with comments where somebody has to decide."""

from __future__ import annotations

import json
import re
from typing import Any

_WIDTH = 110
_PLAIN = re.compile(r"[A-Za-z/_][A-Za-z0-9 _/.+-]*(?<! )")
_WORDS = {"null", "true", "false", "yes", "no", "on", "off", "y", "n", "inf", "nan"}
_UNPRINTABLE = re.compile(r"[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")
_CONTROL = re.compile(rf"[\x00-\x1f]|{_UNPRINTABLE.pattern}")


def yaml_text(document: dict[str, Any], comments: dict[str, list[str]]) -> str:
    """Return a document as YAML.

    Args:
        document: What it holds.
        comments: Lines that stand above a member, by its path, such as `list.paginator`; those of a member that is not
            there stand at the end of what it would be in. The ones of `` are at the top.
    """
    lines = [_comment(line) for line in comments.get("", [])]
    lines += _mapping(document, "", "", comments)
    return "\n".join(lines) + "\n"


def _mapping(mapping: dict[str, Any], indent: str, path: str, comments: dict[str, list[str]]) -> list[str]:
    lines: list[str] = []
    for key, value in mapping.items():
        here = f"{path}.{key}" if path else key
        lines += [f"{indent}{_comment(line)}" for line in comments.get(here, [])]
        lines += _member(key, value, indent, here, comments)
    for where, said in comments.items():
        around, _, name = where.rpartition(".")
        if around == path and name and name not in mapping and where:
            lines += [f"{indent}{_comment(line)}" for line in said]
    return lines


def _comment(line: str) -> str:
    """Return a line as a comment that ends with it, whatever a document has put into it."""
    return f"# {_CONTROL.sub(_escape, line)}"


def _escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def _member(key: str, value: Any, indent: str, path: str, comments: dict[str, list[str]]) -> list[str]:  # noqa: ANN401 - JSON
    start = f"{indent}{_scalar(key)}:"
    line = f"{start} {_flow(value)}"
    has_comments = any(where.startswith(f"{path}.") for where in comments)
    is_section = isinstance(value, dict) and value and (not indent or has_comments)
    if not is_section and len(line) <= _WIDTH:
        return [line]
    if isinstance(value, dict) and value:
        return [start, *_mapping(value, f"{indent}  ", path, comments)]
    if isinstance(value, list) and value:
        return [start, *(part for item in value for part in _item(item, indent))]
    return [line]


def _item(item: Any, indent: str) -> list[str]:  # noqa: ANN401 - JSON
    line = f"{indent}- {_flow(item)}"
    if len(line) <= _WIDTH or not isinstance(item, dict) or not item:
        return [line]
    inner = _mapping(item, f"{indent}  ", "", {})
    return [f"{indent}- {inner[0].lstrip()}", *inner[1:]]


def _flow(value: Any) -> str:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_scalar(key)}: {_flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
    return _scalar(value)


def _scalar(value: Any) -> str:  # noqa: ANN401 - JSON
    if not isinstance(value, str):
        return json.dumps(value)
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return _UNPRINTABLE.sub(_escape, json.dumps(value, ensure_ascii=False))
