"""One call of an operation: what its query and its body say, and what came of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl

from circulate_practice.data.json_text import compact, edited, members_of, value_in
from circulate_practice.server.requests import Request
from circulate_practice.server.responses import JSON_TYPE, Refusal

_FLAGS: Final = {"true": True, "false": False}


Shape = Mapping[str, object]
"""What the members of an object are: a type, `[SHAPE]` for a list of it, or the shape of an object.

`object` is anything. A member that is null is as good as none, but inside of `dict`, where null is a value.
"""


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON object, parsed and as text.

    Attributes:
        values: Its members.
        text: Its text, compact.
    """

    values: Mapping[str, Any]
    text: bytes

    @classmethod
    def parse(cls, body: bytes, shape: Shape) -> "Document":
        """Return the object in `body`.

        Raises:
            Refusal: If it is none, or has another shape.
        """
        try:
            values = json.loads(body.decode(), parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise Refusal(400, "E0000003") from error
        if not isinstance(values, dict) or not _fits(values, shape):
            raise Refusal(400, "E0000003")
        text = _without_nulls(compact(body), shape)
        return cls(json.loads(text), text)

    def raw(self, name: str) -> bytes | None:
        """Return the text of a member's value; None without one."""
        return value_in(self.text, name)

    def part(self, name: str) -> "Document | None":
        """Return the object that a member is; None without one.

        Raises:
            Refusal: If it is something else.
        """
        value, text = self.values.get(name), self.raw(name)
        if value is None or text is None:
            return None
        if not isinstance(value, dict):
            raise Refusal(400, "E0000003")
        return Document(value, text)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an operation.

    Attributes:
        request: The request.
        ids: The ids in its path, decoded.
        delay: Reads after which a change of status is there; None for at once.
    """

    request: Request
    ids: tuple[str, ...]
    delay: int | None = None

    def document(self, shape: Shape) -> Document:
        """Return the JSON object in the body, which has a shape.

        Raises:
            Refusal: If there is none, or it has another content type.
        """
        if self.request.content_type != JSON_TYPE:
            raise Refusal(400, "E0000021")
        return Document.parse(self.request.body, shape)

    def optional_document(self, shape: Shape) -> Document:
        """Return the JSON object in the body, or an empty one without a body."""
        return self.document(shape) if self.request.body else Document({}, b"{}")

    def text(self, name: str) -> str:
        """Return the value of a parameter of the query; empty without one."""
        query = self.request.target.partition("?")[2]
        return next((value for key, value in parse_qsl(query, keep_blank_values=True) if key == name), "")

    def flag(self, name: str, *, default: bool | None = None) -> bool:
        """Return the value of a parameter that is true or false.

        Raises:
            Refusal: If it is neither, or if it is missing and has no default.
        """
        text = self.text(name)
        if not text and default is not None:
            return default
        if not text:
            raise Refusal(400, "E0000028")
        if text not in _FLAGS:
            raise Refusal(400, "E0000037", f'{name}: "{text}" is neither true nor false.')
        return _FLAGS[text]


@dataclass(frozen=True, slots=True)
class Effect:
    """What a call really did.

    Attributes:
        id: Id of the object.
        child: Id of the other object, where there are two: the user of a group, the factor of a user.
        detail: What else to know, such as options that no record shows.
    """

    id: str
    child: str | None = None
    detail: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a call.

    Attributes:
        status: HTTP status.
        body: Body of the response.
        effect: What it did; None if everything was that way already.
        etag: Version of the record, or empty.
    """

    status: int
    body: bytes = b""
    effect: Effect | None = None
    etag: str = ""


def _no_constant(name: str) -> None:
    message = f"{name} is not JSON"
    raise ValueError(message)


def _fits(value: object, shape: object) -> bool:
    """Return whether `value` has a shape, or is null."""
    if value is None:
        return True
    if isinstance(shape, list):
        return isinstance(value, list) and all(item is not None and _fits(item, shape[0]) for item in value)
    if isinstance(shape, Mapping):
        return isinstance(value, dict) and all(_fits(value.get(name), inner) for name, inner in shape.items())
    return isinstance(shape, type) and isinstance(value, shape)


def _without_nulls(text: bytes, shape: Shape) -> bytes:
    """Return the object `text` without those of the members in `shape` that are null."""
    values: dict[str, bytes | None] = {}
    for member in members_of(text):
        inner = shape.get(member.name)
        if inner is not None and member.value == b"null":
            values[member.name] = None
        elif isinstance(inner, Mapping):
            values[member.name] = _without_nulls(member.value, inner)
    return edited(text, values) if values else text
