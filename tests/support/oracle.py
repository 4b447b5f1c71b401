"""What must be true of a lake whatever happened to the workers that filled it. Judged by the org, not by the engine."""

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from circulate_practice import PracticeOrg
from circulate_practice.compare import objects, records
from support.cli import Cli

LISTS = {
    "users": "users",
    "groups": "groups",
    "group_members": "group_members",
    "applications": "apps",
    "application_users": "app_users",
    "application_groups": "app_groups",
    "system_log": "logs",
}
"""The org's list of each endpoint that has a function, each after its parent."""


@dataclass(frozen=True)
class Finding:
    """What was found wrong; all zero if all is well."""

    lost: int
    """Newest versions of users that no committed manifest holds."""
    repeated: int
    """Records that committed manifests hold more than once, byte for byte."""
    stray: int
    """Objects that no committed manifest names."""


WELL = Finding(lost=0, repeated=0, stray=0)


def committed_manifests(cli: Cli, lake: Path) -> list[Path]:
    """Return the manifests of committed runs, oldest first."""
    return [lake / run["manifest"] for run in reversed(cli.runs()) if run["status"] == "committed"]


def judge(cli: Cli, org: PracticeOrg) -> Finding:
    """Compare a lake with its org after a quiet last pull."""
    lake = cli.place.lake()
    delivered: Counter[tuple[str, str]] = Counter()
    newest: dict[str, str] = {}
    named: set[Path] = set()
    for manifest in committed_manifests(cli, lake):
        named.update(objects(manifest))
        for record in records(manifest):
            key, digest = json.loads(record)["id"], hashlib.sha256(record).hexdigest()
            delivered[key, digest] += 1
            newest[key] = digest
    truth = {entry["id"]: entry["sha256"] for entry in org.truth()}
    return Finding(
        lost=sum(newest.get(key) != digest for key, digest in truth.items()),
        repeated=sum(count - 1 for count in delivered.values()),
        stray=len({path for path in lake.glob("okta/**/*") if path.is_file()} - named),
    )


def missed_versions(cli: Cli, valid: dict[str, str]) -> set[str]:
    """Return which of the given versions (digest by user id) no committed manifest holds."""
    lake = cli.place.lake()
    held = {
        hashlib.sha256(record).hexdigest()
        for manifest in committed_manifests(cli, lake)
        for record in records(manifest)
    }
    return {key for key, digest in valid.items() if digest not in held}


def check_quiet(cli: Cli, org: PracticeOrg, *options: str) -> None:
    """After one more pull of an org at rest, the lake equals the org, and every manifest what it names."""
    done = cli.pull(*options)
    assert done.code == 0, done.err
    assert cli.collect().code == 0
    assert judge(cli, org) == WELL
    lake = cli.place.lake()
    for manifest in (lake / "_circulate").glob("*/*/*/*.json"):
        verified = cli("verify", *cli.place.verify(str(manifest.relative_to(lake))))
        assert verified.code == 0, verified.err
