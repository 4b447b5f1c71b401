"""A client whose every call of an operation is judged by Okta's description of its API, where that is at hand."""

import json
from collections.abc import Callable
from typing import Any

from circulate_practice import PracticeOrg
from circulate_practice.operations.routes import route_of
from support.okta_description import can_judge, mistakes
from support.practice_client import Client, Reply


class Judged:
    """Calls of operations.

    Args:
        client: Sends them.
    """

    def __init__(self, client: Client) -> None:
        self.client = client

    def __call__(
        self, method: str, target: str, body: object = None, *, headers: dict[str, str] | None = None
    ) -> Reply:
        """Send one call and return the response, both of which fit the description."""
        reply = self.client.call(method, target, body, headers=headers)
        route = route_of(target.partition("?")[0])
        operation = None if route is None else route.operations.get(method)
        if operation is not None and can_judge():
            received = json.loads(reply.body) if reply.body else None
            sent = None if isinstance(body, bytes) else body
            found = mistakes(operation.path, method, sent, reply.status, received)
            assert not found, found
        return reply

    def json(self, method: str, target: str, body: object = None, status: int = 200) -> Any:  # noqa: ANN401
        """Send one call that succeeds, and return what the response holds."""
        reply = self(method, target, body)
        assert reply.status == status, reply.body
        return reply.json if reply.body else None

    def refused(self, method: str, target: str, body: object = None) -> tuple[int, str]:
        """Send one call that is refused, and return status and code."""
        reply = self(method, target, body)
        return reply.status, reply.error_code


Operate = Callable[..., tuple[PracticeOrg, Judged]]
"""Starts an org with the settings given and returns it with a client to it."""
