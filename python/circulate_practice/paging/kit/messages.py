"""Requests and replies of a list as values; the server puts them on the wire."""

import json
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

JSON_TYPE: Final = "application/json"
FORM_TYPE: Final = "application/x-www-form-urlencoded"


class Refused(Exception):  # noqa: N818 - what the client did is the error
    """A request that the list does not take.

    Args:
        reason: What is wrong with it.
        status: Status of the response.
    """

    def __init__(self, reason: str, status: int = 400) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, slots=True)
class ListRequest:
    """One request to a list.

    Attributes:
        method: HTTP method.
        target: Path and query as received.
        headers: Headers by their names in small letters.
        body: The body.
    """

    method: str
    target: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def origin(self) -> str:
        """Scheme, host and port as the client addressed them."""
        return f"http://{self.headers['host']}"

    @property
    def path(self) -> str:
        """Path as received, without the query."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> list[tuple[str, str]]:
        """Parameters of the query, in order.

        Raises:
            Refused: A parameter is there twice.
        """
        return _once(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def document(self) -> dict[str, Any]:
        """The body: members of a JSON object, or fields of a form.

        Raises:
            Refused: The body is something else.
        """
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == FORM_TYPE:
            return dict(_once(parse_qsl(self.body.decode(), keep_blank_values=True)))
        if kind != JSON_TYPE:
            reason = f"the body is neither {JSON_TYPE} nor {FORM_TYPE}"
            raise Refused(reason, 415)
        try:
            document = json.loads(self.body)
        except ValueError as error:
            reason = f"the body is not JSON: {error}"
            raise Refused(reason) from None
        if not isinstance(document, dict):
            reason = "the body is not an object"
            raise Refused(reason)
        return document


@dataclass(slots=True)
class ListReply:
    """One response of a list.

    Attributes:
        body: Bytes of the body, after content encoding.
        status: HTTP status.
        headers: All headers but Date, Content-Length and Connection; of one name there may be several.
        cut: Send only that many bytes of the body, then hang up; None sends all.
        records: How many records the body holds.
    """

    body: bytes = b""
    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=list)
    cut: int | None = None
    records: int = 0

    @classmethod
    def of(cls, document: object, status: int = 200) -> "ListReply":
        """Return a reply whose body is a JSON document."""
        return cls(json.dumps(document, ensure_ascii=False).encode(), status, [("Content-Type", JSON_TYPE)])


def _once(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            reason = f"the parameter {name} is there twice"
            raise Refused(reason)
    return pairs
