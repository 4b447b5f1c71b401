"""Fixtures: an org on a clock that the test sets, and a client to it."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from support.judged_client import Judged, Operate
from support.practice_client import Client, Clock, Serve

from circulate_practice import PracticeOrg


@pytest.fixture
def clock() -> Clock:
    """Return a clock that stands still."""
    return Clock()


@pytest.fixture
def serve(clock: Clock) -> Iterator[Serve]:
    """Return a function that starts an org and gives it together with a client."""
    with ExitStack() as stack:

        def start(**settings: Any) -> tuple[PracticeOrg, Client]:  # noqa: ANN401 - as PracticeOrg takes them
            org = stack.enter_context(PracticeOrg(**({"clock": clock} | settings)))
            client = Client(org)
            stack.callback(client.close)
            return org, client

        yield start


@pytest.fixture
def operate(serve: Serve) -> Operate:
    """Return a function that starts an org and gives it together with a client whose calls are judged."""

    def start(**settings: Any) -> tuple[PracticeOrg, Judged]:  # noqa: ANN401 - as PracticeOrg takes them
        org, client = serve(**settings)
        return org, Judged(client)

    return start
