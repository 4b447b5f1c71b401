"""The org that the golden samples were pulled from: the same one again, whenever it is made."""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from circulate_practice import PracticeOrg
from circulate_practice.compare import key_of
from support.cli import PLENTY

ACCOUNT = "golden"
NEUTRAL_URL = "http://127.0.0.1:9"
"""What stands in the samples for the org's address."""
NEUTRAL_LAKE = "/lake"
"""What stands in the samples for the folder that was pulled to."""
BUCKET, TABLE = "golden-lake", "golden"
LISTS = ("users", "groups", "group_members", "apps", "app_users", "logs", "zones", "devices")
_START = datetime(2026, 11, 29, tzinfo=UTC).timestamp()


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        """Make one that shows when the samples were made."""
        self.now = _START

    def __call__(self) -> float:
        """Return the time in epoch seconds."""
        return self.now


def change(org: PracticeOrg, clock: Clock) -> None:
    """Change what the second pulls of the samples found changed."""
    clock.now += 600
    org.change(5)
    org.add_events(4)


@contextmanager
def golden_org(*, changed: bool = True, faults: Iterable[str] = ()) -> Iterator[tuple[PracticeOrg, Clock]]:
    """Start the org, as it was at first or as the last pull found it."""
    clock = Clock()
    org = PracticeOrg(
        users=24,
        apps=5,
        app_users=(0, 4),
        groups=9,
        group_members=(2, 9),
        events=30,
        devices=4,
        policies=1,
        zones=8,
        seed=16,
        clock=clock,
        rate_limit=PLENTY,
        faults=faults,
    )
    if changed:
        change(org, clock)
    with org:
        yield org, clock


def truth(org: PracticeOrg) -> dict[str, list[str]]:
    """Return the keys of all records of the org, by list."""
    return {name: [key_of(entry) for entry in org.truth(name)] for name in LISTS}


def digest_of(version: Path) -> str:
    """Return a digest of all samples of a version."""
    digest = hashlib.sha256()
    for file in sorted(path for path in version.rglob("*") if path.is_file()):
        digest.update(str(file.relative_to(version)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()
