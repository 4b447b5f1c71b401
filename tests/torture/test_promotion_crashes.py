"""Kill a promotion with SIGKILL before and after everything it writes: the next one completes it, exactly."""

import os
import random
import signal

import pytest
from support.cli import CliFor, StartOrg
from support.promotions import Promoting

WRITES = {
    (): ("promoting", "promotion", "copy", "part", "index", "commit", "head-freed", "marker", "marked"),
    ("--compact",): ("promoting", "promotion", "object", "part", "index", "commit", "head-freed", "marker", "marked"),
}
POINTS = [
    (mode, f"{when}-{what}") for mode, writes in WRITES.items() for what in writes for when in ("before", "after")
]
REPEATS = int(os.environ.get("TORTURE", "1"))


@pytest.mark.parametrize(
    ("mode", "point"), POINTS, ids=lambda value: value if isinstance(value, str) else "".join(value)
)
def test_a_promotion_killed_at_any_point_is_completed_exactly(
    start_org: StartOrg, cli_for_place: CliFor, mode: tuple[str, ...], point: str
) -> None:
    killed = 0
    for seed in range(REPEATS):
        chance = random.Random(f"{point}-{seed}")  # noqa: S311 - a test's choice
        org = start_org(users=150, seed=seed)
        promoting = Promoting.of(cli_for_place(org, f"seed-{seed}"))
        key = promoting.pull("--pending", "1h")
        for crash in (f"{point}#1", f"{point}#{chance.randrange(1, 9)}"):
            killed += promoting(key, *mode, CIRCULATE_CRASH=crash).code == -signal.SIGKILL
        done = promoting(key, *mode)
        assert done.code == 0, done.err
        assert (promoting.is_exact(key), promoting.status(key)) == (True, "committed"), f"seed {seed}"
        assert promoting.cli.pull().code == 0
        org.stop()
    print(f"{point}: {killed} promotions killed")  # noqa: T201 - shown by pytest -rP
    assert killed >= REPEATS
