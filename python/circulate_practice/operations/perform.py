"""Do what a call says, one at a time, and note what it did."""

import threading
from typing import Final

from circulate_practice.okta.content import Content
from circulate_practice.operations.call import Call
from circulate_practice.operations.children import ChildOperations
from circulate_practice.operations.effects import EffectLog
from circulate_practice.operations.groups import GroupOperations
from circulate_practice.operations.log_events import note
from circulate_practice.operations.records import RecordOperations
from circulate_practice.operations.routes import Operation
from circulate_practice.operations.users import UserOperations
from circulate_practice.server.responses import Response

_SENDS_A_BODY: Final = frozenset({"POST", "PUT"})


class Operations:
    """The operations of one org, safe to use from several threads: each is done as a whole.

    Args:
        content: What the org holds.
        effects: Where effects are noted.
        seed: Number that one-time links and passwords follow from.
    """

    def __init__(self, content: Content, effects: EffectLog, seed: int) -> None:
        self._content = content
        self._effects = effects
        self._lock = threading.Lock()
        users = UserOperations(content, seed)
        self._handlers = {
            **users.handlers(),
            **GroupOperations(content, users).handlers(),
            **RecordOperations(content).handlers(),
            **ChildOperations(content, users).handlers(),
        }

    def perform(self, operation: Operation, call: Call) -> Response:
        """Do what a call says and return the response to it.

        Raises:
            Refusal: If it cannot be done; then nothing was.
        """
        self._content.check(operation.name.partition(".")[0])
        if operation.method in _SENDS_A_BODY and not call.request.has_length:
            return Response(status=411)
        with self._lock:
            outcome = self._handlers[operation.name](call)
            if outcome.effect is not None:
                self._effects.add(operation.name, outcome.effect)
                note(self._content.events, operation.name, outcome.effect)
        headers = [("ETag", outcome.etag)] if outcome.etag else []
        return Response(status=outcome.status, body=outcome.body, more_headers=headers)
