"""An API with one list, which its members leave."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from support.http_server import Handler, Reply


@dataclass
class Members:
    """A list that people leave. Of a list in one page nobody knows whether there are others.

    Attributes:
        ids: Numbers of those who are there.
        page: Members of a page.
    """

    ids: set[int] = field(default_factory=set)
    page: int = 50

    def respond(self, request: Handler) -> Reply:
        """Show a page of it."""
        after = int(parse_qs(urlsplit(request.path).query).get("after", ["0"])[0])
        ids, end = sorted(self.ids), after + self.page
        body: dict[str, Any] = {"items": [{"id": f"m{number}", "name": "x"} for number in ids[after:end]]}
        if end < len(ids):
            body["next"] = f"/items?after={end}"
        return Reply(body)
