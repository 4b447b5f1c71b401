"""Runs ministack so that Terraform can work with it, a second plan shows the truth, and policies judge single items."""

import json
import re
from collections.abc import Iterator
from typing import Any

from hypercorn.config import Config
from ministack.app import main  # type: ignore[import-untyped]
from ministack.core import iam_actions, iam_evaluator  # type: ignore[import-untyped]
from ministack.services import stepfunctions  # type: ignore[import-untyped]

PARTITION_KEY = "pk"
"""What all tables of this project call it."""


def keeping_tracing(data: dict[str, Any]) -> Any:  # noqa: ANN401 - a response of ministack's
    """Make a state machine, and keep how it is traced."""
    response = _create(data)
    for machine in stepfunctions._state_machines.values():  # noqa: SLF001 - there is no other way to it
        if machine["name"] == data.get("name"):
            machine["tracingConfiguration"] = data.get("tracingConfiguration", {"enabled": False})
    return response


def with_leading_keys(body: bytes) -> dict[str, Any]:
    """Return what a request to DynamoDB is judged by, the partition keys of its items included, as on AWS.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
    """
    keys = list(_partition_keys(json.loads(body or b"{}")))
    return {**_judged_by(body), **({"dynamodb:LeadingKeys": keys} if keys else {})}


def _partition_keys(request: dict[str, Any]) -> Iterator[str]:
    item = request.get("Key") or request.get("Item")
    if item:
        yield item[PARTITION_KEY]["S"]
    for name in re.findall(rf"\b{PARTITION_KEY} = (:\w+)", request.get("KeyConditionExpression", "")):
        yield request["ExpressionAttributeValues"][name]["S"]


def with_variables(conditions: dict[str, Any], context: Any) -> bool:  # noqa: ANN401 - a request, as ministack has it
    """Judge conditions with who asks in the place of its variable, as on AWS.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
    """
    user = json.dumps(context.principal_keys.get("aws:userid", ""))[1:-1]
    judged: bool = _conditions_met(json.loads(json.dumps(conditions).replace("${aws:userid}", user)), context)
    return judged


if __name__ == "__main__":
    # Terraform's provider waits for ever for what it requested by HTTP/2.
    Config.alpn_protocols = ["http/1.1"]
    # It sends a request again whose connection was closed just then, and finds that what it makes exists.
    Config.keep_alive_timeout = 600
    _create = stepfunctions._create_state_machine  # noqa: SLF001 - as above
    stepfunctions._create_state_machine = keeping_tracing  # noqa: SLF001 - as above
    _judged_by = iam_actions.dynamodb_service_context
    iam_actions.dynamodb_service_context = with_leading_keys
    _conditions_met = iam_evaluator._conditions_met  # noqa: SLF001 - as above
    iam_evaluator._conditions_met = with_variables  # noqa: SLF001 - as above
    main()
