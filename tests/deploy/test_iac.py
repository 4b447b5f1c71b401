"""What the Terraform of the project may not do."""

import re
from pathlib import Path

IAC = Path(__file__).resolve().parents[2] / "lambdas/iac"
SKIPS = {
    "CKV_AWS_117": "functions in a VPC",
    "CKV_AWS_115": "reserved concurrency",
    "CKV_AWS_272": "signed code",
    "CKV_AWS_144": "a second region",
    "CKV2_AWS_57": "rotation by Lambda",
}
"""What is not required of it, none of it about encryption, public access, TLS or wildcards."""


def text() -> str:
    return "\n".join(file.read_text() for file in sorted(IAC.rglob("*.tf")))


def test_what_is_skipped_is_known_and_has_its_reason() -> None:
    skips = re.findall(r"checkov:skip=(\w+): (.+)", text())
    assert {name for name, _ in skips} == set(SKIPS)
    assert all(len(reason) > 20 for _, reason in skips)
    assert text().count("checkov:skip") == len(skips)


def test_one_provider_is_used() -> None:
    assert set(re.findall(r'source += "(\w+/\w+)"', text())) == {"hashicorp/aws"}


def test_only_what_has_no_resources_is_allowed_on_all_of_them() -> None:
    policies = re.findall(r"actions += \[([^]]*)\]\n(?:\s*#[^\n]*\n)*\s*resources = \[\"\*\"\]", text())
    services = {action.split(":")[0] for actions in policies for action in re.findall(r'"([^"]+)"', actions)}
    assert services == {"logs", "xray"}
