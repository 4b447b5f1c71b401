"""Kill the worker while it pulls lists of every paginator; once it is resumed, every record is there once."""

import os
import signal

import pytest
from support.cli import Cli, Done
from support.paging_pulls import paged, written_by

from circulate_practice.paging.kit import STYLES, serve
from circulate_practice.paging.kit.definitions import write_definition

REPEATS = int(os.environ.get("TORTURE", "1"))
KINDS = ["none", "link_header", "next_url", "token", "token_to_json", "offset", "page", "last_record"]
"""A style of each paginator."""
POINTS = ["before-object", "before-checkpoint", "after-checkpoint", "before-index", "after-index"]


@pytest.mark.parametrize("style", KINDS if REPEATS == 1 else list(STYLES))
@pytest.mark.parametrize("point", POINTS)
def test_a_list_of_any_paginator_survives_crashes(cli: Cli, style: str, point: str) -> None:
    items = paged(style)
    with serve(items) as server:
        write_definition(server.source(), server.endpoints(), cli.folder / "catalog")

        def pull(**environment: str) -> Done:
            options = ("--to", "lake", "--account", "practice", "--batch-records", "5", "--lease", cli.place.lease)
            command = ("pull", "practice.items", "--catalog", "catalog", *options, "--json")
            return cli(*command, PRACTICE_URL=server.url, **environment)

        killed = [pull(CIRCULATE_CRASH=f"{point}#{number}").code for number in (1, 2)]
        while (done := pull()).code == 4:
            pass  # the lease of the last one killed has not lapsed yet
    assert done.code == 0, done.err
    assert killed[0] == -signal.SIGKILL
    assert written_by(cli.manifest(done)) == items.truth
