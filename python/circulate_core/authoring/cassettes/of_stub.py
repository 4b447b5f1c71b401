"""A list of a stub, which promises are tried of as of a recorded one."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Final

from circulate_core.authoring.cassettes.faults import Reply
from circulate_core.authoring.cassettes.promises import key_in, with_why
from circulate_core.authoring.stub import as_received, redirected_catalog
from circulate_core.console import counted
from circulate_practice.paging import kit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike
    from pathlib import Path

    from circulate_core.authoring.cassettes.cassette import Request
    from circulate_core.authoring.cassettes.pulling import Outcome
    from circulate_core.authoring.cassettes.serving import ReplayServer
    from circulate_core.authoring.stub import StubApi

_AT: Final = "2026-01-01T00:00:00Z"
"""Whenever it is: a stub has no dates."""


class OfStub:
    """A list of a stub.

    Args:
        api: The stub.
        stream: The stream that reads it.
        catalog: Folders of definitions.
        settings: More settings of the source.
    """

    at = _AT

    def __init__(
        self,
        api: StubApi,
        stream: str,
        catalog: Sequence[str | PathLike[str]],
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.stream, self._api, self._catalog = stream, api, list(catalog)
        self._settings = {**api.settings, **(settings or {})}
        self.primary_key, self.has_no_copies = key_in(stream, catalog)

    def responses(self) -> OfStub:
        """Return itself: a stub responses each request for itself."""
        return self

    def reply(self, request: Request, *, taken: bool = True) -> Reply:  # noqa: ARG002 - it responses the same each time
        """Return the response of the stub."""
        target = "/" + request.url.split("/", 3)[3]
        reply = self._api.reply_to(kit.ListRequest(request.method, target, dict(request.headers), request.body))
        return Reply(reply.status, tuple(reply.headers), reply.body)

    def settings(self) -> dict[str, str]:
        """Return the settings that the stub lets in."""
        return self._settings

    def catalog(self, folder: Path, server: ReplayServer) -> tuple[str, ...]:
        """Write the catalog of the same source at the address of a server."""
        source = self.stream.partition(".")[0]
        return (str(redirected_catalog(source, self._catalog, folder, server.url, self._api.auth)),)

    def differences(self, outcome: Outcome, _server: ReplayServer) -> list[str]:
        """Return what is not as the stub has it."""
        found = []
        if outcome.status != "complete":
            found.append(f"expected `complete`; the pull was {with_why(outcome)}")
        expected = Counter(json.dumps(record) for record in self._api.records)
        seen = Counter(json.dumps(as_received(json.loads(record))) for record in outcome.records)
        if expected != seen:
            missing, extra = (expected - seen).total(), (seen - expected).total()
            found.append(
                f"expected the {counted(expected.total(), 'record')} of the stub, {counted(seen.total(), 'record')}"
                f" came: {missing} missing, {extra} not among them: look at `records` and `paginator`, of the"
                " definition and of the stub"
            )
        return found
