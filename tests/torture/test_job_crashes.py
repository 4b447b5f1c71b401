"""Kill the worker while it waits for a job and reads its parts; once it is resumed, every record is there once."""

import os
import signal

import pytest
from support.cli import Cli, Done
from support.exports import Exporter, definition
from support.http_server import Server
from support.nested import write
from support.paging_pulls import written_by

REPEATS = int(os.environ.get("TORTURE", "1"))
POINTS = [
    f"{when}-{what}"
    for what in ("object", "part", "checkpoint", "index", "commit", "marker")
    for when in ("before", "after")
]


@pytest.mark.parametrize("point", POINTS)
def test_a_list_that_a_job_makes_survives_crashes(cli: Cli, point: str) -> None:
    exporter = Exporter(records=20, polls=1)
    write(cli.folder / "catalog", definition(), "exporter")  # type: ignore[arg-type]
    with Server(exporter.respond) as server:

        def pull(**environment: str) -> Done:
            options = ("--to", "lake", "--account", "practice", "--batch-records", "3", "--lease", cli.place.lease)
            command = ("pull", "exporter.assets", "--catalog", "catalog", *options, "--json")
            return cli(*command, EXPORTER_URL=server.url, **environment)

        killed = [pull(CIRCULATE_CRASH=f"{point}#{number}").code for number in range(1, 2 + REPEATS)]
        while (done := pull()).code == 4:
            pass  # the lease of the last one killed has not lapsed yet
    assert done.code == 0, done.err
    assert killed[0] == -signal.SIGKILL
    assert sorted(record["id"] for record in written_by(cli.manifest(done))) == list(range(20))
    assert len(exporter.jobs) <= 2 + REPEATS, "a job is submitted once more only if its submission was not noted"
