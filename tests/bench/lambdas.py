"""Time functions under the local runner, cold and warm, ours beside one with boto3; print Markdown.

`make bench-lambda` runs it with a release build. Three functions do nothing, or list the runs of a state in DynamoDB
(with the engine; with boto3, by the same requests). Pulls are by a function of this project, from a practice org into
stand-ins. Contenders take turns, so that what else the machine does hits all of them.
"""

import json
import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.places import Bucket
from support.stand_ins import ministack

from circulate_core import _core
from circulate_core.aws.project import described
from circulate_local import Credentials, Function, Invocation, LocalLambda
from circulate_practice import PracticeOrg

ROUNDS, WARM = 15, 5
USERS = 2_000
LAMBDAS = Path(__file__).resolve().parents[2] / "lambdas/lib"
CONTENDERS = {
    "nothing": "def list(event, context):\n    return 0\n",
    "our runs": """
import os
import circulate_core

def list(event, context):
    return len(circulate_core.runs(os.environ["CIRCULATE_STATE"]))
""",
    "the same with boto3": """
import os
import boto3

dynamodb = boto3.client("dynamodb")

def query(partition, prefix):
    values = {":pk": {"S": partition}} | ({":prefix": {"S": prefix}} if prefix else {})
    condition = "pk = :pk AND begins_with(sk, :prefix)" if prefix else "pk = :pk"
    return dynamodb.query(
        TableName=os.environ["TABLE"], KeyConditionExpression=condition, ExpressionAttributeValues=values,
        ScanIndexForward=False, ConsistentRead=True,
    )["Items"]

def list(event, context):
    found = 0
    for stream in query("streams", ""):
        head = {"pk": stream["sk"], "sk": {"S": "head"}}
        dynamodb.get_item(TableName=os.environ["TABLE"], Key=head, ConsistentRead=True)
        found += len(query(stream["sk"]["S"], "run#"))
    return found
""",
}


@dataclass
class Times:
    """What was measured of one contender, in milliseconds and MB."""

    init: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    warm: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)


def main() -> None:
    """Run the benchmark."""
    with (
        tempfile.TemporaryDirectory() as folder,
        ministack() as endpoint,
        PracticeOrg(users=USERS, rate_limit=1_000_000, keep_log=False) as org,
    ):
        os.environ["AWS_ENDPOINT_URL"] = endpoint
        place = Bucket.new(endpoint, Path(folder))
        _core.state_init(place.state[1])
        environment = {
            "AWS_ENDPOINT_URL": endpoint,
            "CIRCULATE_TO": place.uri,
            "CIRCULATE_STATE": place.state[1],
            "TABLE": place.table,
            "OKTA_ORG_URL": org.url,
            "OKTA_API_TOKEN": org.token,
        }
        (users,) = (Function.of(each, environment) for each in described(LAMBDAS) if each.endpoint == "users")
        functions = {name: written(Path(folder), name, code, environment) for name, code in CONTENDERS.items()}
        pulls = {f"pull of {USERS:,} users": {"mode": "full"}, "pull, nothing changed": {}}
        times: defaultdict[str, Times] = defaultdict(Times)
        for _ in range(ROUNDS):
            for name, function in functions.items():
                measure(times[name], function, {})
            for name, event in pulls.items():
                measure(times[name], users, event)
    show(times)


def written(folder: Path, name: str, code: str, environment: Mapping[str, str]) -> Function:
    """Return a function of this code."""
    root = folder / name
    root.mkdir()
    (root / "handler.py").write_text(code)
    only = {key: environment[key] for key in ("AWS_ENDPOINT_URL", "CIRCULATE_STATE", "TABLE")}
    return Function(name="bench", task_root=root, handler="handler.list", memory_mb=256, timeout_s=60, environment=only)


def measure(times: Times, function: Function, event: Mapping[str, str]) -> None:
    """Invoke a function in a new environment, and then as often as it takes."""
    payload = json.dumps(event).encode()
    with LocalLambda([function], credentials=Credentials("practice", "practice")) as local:
        cold = checked(local.invoke(function.name, payload))
        times.init.append(cold.init_ms or 0)
        times.first.append(cold.duration_ms)
        times.warm += [checked(local.invoke(function.name, payload)).duration_ms for _ in range(WARM)]
        times.memory.append(cold.max_memory_mb)


def checked(invocation: Invocation) -> Invocation:
    """Return an invocation that succeeded."""
    if invocation.function_error:
        raise SystemExit(invocation.payload.decode())
    return invocation


def show(times: Mapping[str, Times]) -> None:
    """Print the table, medians throughout."""
    print("| function | init ms | first call ms | cold, both | warm call ms | memory MB |")  # noqa: T201
    print("| --- | ---: | ---: | ---: | ---: | ---: |")  # noqa: T201
    for name, each in times.items():
        init, first = median(each.init), median(each.first)
        cold = median([sum(pair) for pair in zip(each.init, each.first, strict=True)])
        row = [
            name,
            *(f"{value:.1f}" for value in (init, first, cold, median(each.warm))),
            f"{median(each.memory):.0f}",
        ]
        print(f"| {' | '.join(row)} |")  # noqa: T201


if __name__ == "__main__":
    main()
