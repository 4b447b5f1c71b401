"""What the lifecycle rules of the buckets do to what lies there, by S3's own rules.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-configuration-bucket-with-versioning.html
"""

import string
from dataclasses import dataclass
from typing import Any

import pytest
from support.deployment import Deployment

pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("plan")]

INTEGRATION, DATA = "module.integration_bucket", "module.data_bucket"
DATED = "circulate_date=2026-11-22/circulate_hour=05/20261122T053000000Z-1a2b3c4d5e-0-0001-00000000.json.gz"
MANIFEST = "_circulate/okta/acme/users/20261122T053000000Z-1a2b3c4d5e.json"


@dataclass
class Rules:
    """The lifecycle rules of a bucket, as planned."""

    rules: list[dict[str, Any]]

    def of(self, key: str) -> list[dict[str, Any]]:
        """Return the rules that are about a key."""
        return [rule for rule in self.rules if rule["status"] == "Enabled" and key.startswith(prefix_of(rule))]

    def days(self, key: str, action: str, unit: str) -> int | None:
        """Return after how many days the first rule does something to a key; None for never."""
        found = [step[unit] for rule in self.of(key) for step in rule[action] if step.get(unit)]
        return min(found, default=None)

    def freed_after(self, key: str) -> int | None:
        """Return after how many days the bytes of an object that nobody removed are not paid for any more."""
        expires = self.days(key, "expiration", "days")
        removed = self.days(key, "noncurrent_version_expiration", "noncurrent_days")
        return None if expires is None or removed is None else expires + removed


def prefix_of(rule: dict[str, Any]) -> str:
    (filtered,) = rule["filter"] or [{}]
    return filtered.get("prefix") or ""


@pytest.fixture(scope="module")
def buckets(initialised: Deployment, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Rules]:
    deployment = initialised.copy(tmp_path_factory.mktemp("retention"))
    plan = deployment.plan(integration_retention_days="14")
    return {
        change["address"].partition(".aws_")[0]: Rules(change["change"]["after"]["rule"])
        for change in plan["resource_changes"]
        if change["type"] == "aws_s3_bucket_lifecycle_configuration"
    }


def test_what_was_pulled_is_freed_whatever_its_source_is_called(buckets: dict[str, Rules]) -> None:
    integration = buckets[INTEGRATION]
    # Names of sources begin with a letter from a to z; that of one which is gone, or to come, too.
    for letter in string.ascii_lowercase:
        assert integration.freed_after(f"{letter}ource/acme/users/{DATED}") == 14 + 1


def test_manifests_stay(buckets: dict[str, Rules]) -> None:
    for key in (
        MANIFEST,
        "_circulate/about.json",
        "_circulate/okta/acme/users/20261122T05-1a/plan-0-0001-00000000.json",
    ):
        assert buckets[INTEGRATION].freed_after(key) is None
        assert buckets[INTEGRATION].days(key, "expiration", "days") is None


def test_data_stays(buckets: dict[str, Rules]) -> None:
    for key in (f"okta/acme/users/{DATED}", MANIFEST):
        assert buckets[DATA].days(key, "expiration", "days") is None


def test_what_no_listing_shows_is_freed_everywhere(buckets: dict[str, Rules]) -> None:
    assert len(buckets) == 3
    for rules in buckets.values():
        for key in (f"okta/acme/users/{DATED}", MANIFEST):
            assert rules.days(key, "noncurrent_version_expiration", "noncurrent_days") in {1, 30}
            assert rules.days(key, "abort_incomplete_multipart_upload", "days_after_initiation") == 2
            assert any(step["expired_object_delete_marker"] for rule in rules.of(key) for step in rule["expiration"])


def test_the_rules_are_some_that_s3_takes(buckets: dict[str, Rules]) -> None:
    for rules in buckets.values():
        assert len(rules.rules) <= 1000
        assert len({rule["id"] for rule in rules.rules}) == len(rules.rules)
        for rule in rules.rules:
            for step in rule["expiration"]:
                # A rule says when objects expire, or that their last markers do, and not both.
                assert bool(step.get("days")) != bool(step.get("expired_object_delete_marker"))
