"""The state machine of a pipeline, as Terraform computes it, with and without tables for Athena."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

MODULE = Path(__file__).resolve().parents[2] / "lambdas/iac/modules/pipeline"
GIVEN = {
    "name": "n",
    "stream": "okta.users",
    "file": "f",
    "group": "g",
    "accounts": '["a"]',
    "schedule": "rate(1 hour)",
    "full_refresh": "null",
    "mode": "incremental",
    "stale_after_h": "26",
    "paused": "false",
    "target": "s3",
    "function_arn": "arn:pull",
    "target_arn": "arn:promote",
    "registrar_arn": "arn:register",
    "dead_letters_arn": "arn:d",
    "kms_key_arn": "arn:k",
    "log_retention_days": "1",
    "alarm_actions": "[]",
}


def states(folder: Path, **variables: str) -> dict[str, Any]:
    """Return the states of a pipeline, computed without its provider."""
    if not (terraform := shutil.which("terraform")):
        pytest.skip("terraform is not installed")
    text = (MODULE / "definition.tf").read_text().replace("${data.aws_partition.this.partition}", "aws")
    (folder / "definition.tf").write_text(text)
    shutil.copy(MODULE / "variables.tf", folder)
    given = [f"-var={name}={value}" for name, value in {**GIVEN, **variables}.items()]
    done = subprocess.run(
        [terraform, "console", *given],
        cwd=folder,
        input="jsonencode(local.definition)",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(json.loads(done.stdout))["States"]
    return found


def nexts(state: dict[str, Any]) -> list[str]:
    """Return where a state may lead to, the default last."""
    return [*(choice["Next"] for choice in state.get("Choices", [])), state.get("Default") or state.get("Next", "")]


def test_what_was_promoted_is_registered_before_anything_else_is_done(tmp_path: Path) -> None:
    found = states(tmp_path, has_registrar="true")
    assert nexts(found["Promoted?"]) == ["Promote", "Register"]
    register = found["Register"]
    assert register["Arguments"]["FunctionName"] == "arn:register"
    # In the place that it was promoted to, and also of a run that was left behind.
    assert register["Arguments"]["Payload"] == "{% {'manifest': $promotion.manifest} %}"
    assert register["Retry"] == found["Promote"]["Retry"]
    assert nexts(register) == ["Registered"]
    assert nexts(found["Registered"]) == ["Pull", "Pull", "Wait?", "Done"]


def test_without_tables_nothing_is_registered(tmp_path: Path) -> None:
    found = states(tmp_path, has_registrar="false")
    assert not [name for name in found if name.startswith("Register")]
    assert nexts(found["Promoted?"]) == ["Promote", "Pull", "Pull", "Wait?", "Done"]
    assert all(name in found for state in found.values() for name in nexts(state) if name)


def test_without_a_target_nothing_is_promoted_or_registered(tmp_path: Path) -> None:
    found = states(tmp_path, has_registrar="false", target="none", target_arn="null", registrar_arn="null")
    assert not [name for name in found if re.match("Promote|Register", name)]
    assert all(name in found for state in found.values() for name in nexts(state) if name)
