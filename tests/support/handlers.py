"""What Lambda gives a handler, and what a handler logs."""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from support.places import client


@dataclass
class Context:
    """What Lambda reports of an invocation."""

    aws_request_id: str = "6f1c0000-0000-4000-8000-000000000001"
    function_name: str = "circulate-okta-users-list"
    memory_limit_in_mb: int = 256
    left_ms: int = 60_000

    def get_remaining_time_in_millis(self) -> int:
        """Return how much time there is left."""
        return self.left_ms


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """What was logged; every line is JSON, and none has a secret."""
    written = capsys.readouterr()
    assert written.err == ""
    assert "canary" not in written.out
    return [json.loads(line) for line in written.out.splitlines()]


def iam_user(name: str, aws: str) -> tuple[str, dict[str, str]]:
    """Make a user; return what IAM knows them by, and the environment of who uses AWS as them."""
    iam = client("iam", aws)
    user_id: str = iam.create_user(UserName=name)["User"]["UserId"]
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return user_id, {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
