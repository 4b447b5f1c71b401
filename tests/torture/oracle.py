"""What must be true of a lake whatever happened to the workers that filled it. Judged by the org, not by the engine."""

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from circulate_core import runs
from circulate_core.practice import PracticeOrg
from circulate_core.practice.compare import objects, records


@dataclass(frozen=True)
class Finding:
    """What was found wrong; all zero if all is well."""

    lost: int
    """Newest versions of users that no committed manifest holds."""
    repeated: int
    """Records that committed manifests hold more than once, byte for byte."""
    stray: int
    """Objects that no committed manifest names."""


def committed_manifests(lake: Path) -> list[Path]:
    """Return the manifests of committed runs, oldest first."""
    listed = runs(lake / ".circulate/state.db", most=1_000_000)
    return [lake / str(run["manifest"]) for run in reversed(listed) if run["status"] == "committed"]


def judge(lake: Path, org: PracticeOrg) -> Finding:
    """Compare a lake with its org after a quiet last pull."""
    delivered: Counter[tuple[str, str]] = Counter()
    newest: dict[str, str] = {}
    named: set[Path] = set()
    for manifest in committed_manifests(lake):
        named.update(objects(manifest))
        for record in records(manifest):
            key, digest = json.loads(record)["id"], hashlib.sha256(record).hexdigest()
            delivered[key, digest] += 1
            newest[key] = digest
    truth = {entry["id"]: entry["sha256"] for entry in org.truth()}
    return Finding(
        lost=sum(newest.get(key) != digest for key, digest in truth.items()),
        repeated=sum(count - 1 for count in delivered.values()),
        stray=len(set(lake.glob("okta/**/*.gz")) - named),
    )


def missed_versions(lake: Path, valid: dict[str, str]) -> set[str]:
    """Return which of the given versions (digest by user id) no committed manifest holds."""
    held = {
        hashlib.sha256(record).hexdigest() for manifest in committed_manifests(lake) for record in records(manifest)
    }
    return {key for key, digest in valid.items() if digest not in held}
