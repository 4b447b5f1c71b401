"""Kill the worker at random while it pulls lists in lists; once it is resumed, every record is there once."""

import json
import os
import random
import signal
import threading
from collections import Counter

import pytest
from support.changing import random_by
from support.cli import Cli
from support.commands import PATIENCE
from support.http_server import Server
from support.nested import KINDS, Forge, definition, listing, version_of, write

from circulate_practice.compare import records

REPEATS = int(os.environ.get("TORTURE", "1"))
POINTS = [
    f"{when}-{what}"
    for what in ("object", "part", "checkpoint", "index", "commit", "marker")
    for when in ("before", "after")
]
STATES: dict[str, object] = {
    "partitions": {"name": "state", "values": ["open", "closed"]},
    "query": {"state": "{state}"},
}
WINDOWS: dict[str, object] = {
    "incremental": {
        "cursor": "/at",
        "param": "since",
        "since": "{since}",
        "until": "{until}",
        "until_param": "until",
        "lag": "1s",
        "overlap": "0s",
        "window": {"span": "200d", "history": "900d"},
    }
}
KIND_OF_LIST: dict[str, dict[str, object]] = {"plain": {}, "by value": STATES, "by window": WINDOWS}


class Signalling:
    """Sends a worker a signal when a request comes, counted from now on."""

    def __init__(self, request: int, number: signal.Signals) -> None:
        """Get ready for a worker that is about to be started."""
        self.left, self.number, self.pid = request, number, 0
        self.started = threading.Event()

    def __call__(self, _: int) -> None:
        """Take note of a request."""
        if self.left == 0:
            self.started.wait(PATIENCE)
            os.kill(self.pid, self.number)
        self.left -= 1


def disturb(cli: Cli, forge: Forge, command: tuple[str, ...], chance: random.Random) -> int:
    """Pull, and kill or interrupt the worker at some point. Return its exit code."""
    if chance.random() < 0.5:
        return cli(*command, CIRCULATE_CRASH=f"{chance.choice(POINTS)}#{chance.randint(1, 6)}").code
    number = chance.choice([signal.SIGKILL, signal.SIGINT])
    forge.on_request = at = Signalling(chance.randrange(40), number)
    with cli.start(*command) as pulling:
        at.pid = pulling.pid
        at.started.set()
        pulling.communicate(timeout=PATIENCE)
    forge.on_request = lambda _: None
    return pulling.returncode


@pytest.mark.parametrize("kind", KIND_OF_LIST)
@pytest.mark.parametrize("seed", range(2 * REPEATS))
def test_a_stream_below_three_lists_survives_kills_at_random(cli: Cli, seed: int, kind: str) -> None:
    chance, forge = random_by(f"{seed} {kind}"), Forge()
    forge.grow(chance, (3, 3, 3, 4))
    write(cli.folder / "catalog", definition(comments=listing(3, **KIND_OF_LIST[kind])))
    with Server(forge.respond) as server:
        cli.environment["FORGE_URL"] = server.url
        options = ("--to", "lake", "--account", "practice", "--batch-records", "3", "--lease", cli.place.lease)
        command = ("pull", "forge.comments", "--catalog", "catalog", *options, "--json")
        codes = [disturb(cli, forge, command, chance) for _ in range(8)]
        while (done := cli(*command)).code == 4:
            pass  # the lease of the last one killed has not lapsed yet
    assert done.code == 0, done.err
    assert {-signal.SIGKILL, 130} & set(codes)
    truth = Counter((way, forge.at(way).version) for way in forge.ways(KINDS.index("comments")))
    runs = [run for run in cli.runs() if run["status"] == "committed"]
    each = [Counter(map(version_of, map(json.loads, records(cli.place.lake() / run["manifest"])))) for run in runs]
    if kind == "by window":
        assert sum(each, Counter()) == truth, "what one run has delivered the next one does not"
    else:
        assert all(found == truth for found in each)
