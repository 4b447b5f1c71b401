"""Contenders of `cold_start.py`: import, first DynamoDB call and first S3 call of a fresh process, timed.

Usage: `first_calls.py ours|boto3|bare TABLE BUCKET PREFIX MANIFEST`. Writes the milliseconds of each, and the peak
memory in bytes. Imports nothing that costs, so that it is the contenders who pay for what they need.
"""

from __future__ import annotations

import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def ours(table: str, bucket: str, prefix: str, manifest: str) -> Iterator[int]:
    """List the runs of a state, and read all back that a manifest names. Yields after each step what it found."""
    import circulate_core  # noqa: PLC0415 - what is timed

    yield 0
    found = circulate_core.runs(f"dynamodb://{table}")
    yield len(found)
    verified = circulate_core.verify(f"s3://{bucket}/{prefix}/{manifest}")
    if verified.problems:
        raise SystemExit(str(verified.problems))
    yield verified.objects


def with_boto3(table: str, bucket: str, prefix: str, manifest: str) -> Iterator[int]:
    """Make the same requests. Nothing is checked of what comes."""
    import boto3  # type: ignore[import-untyped]  # noqa: PLC0415 - what is timed

    yield 0
    dynamodb = boto3.client("dynamodb")

    def query(partition: str, sort_prefix: str = "") -> list[dict[str, dict[str, str]]]:
        """Return the items of a partition, newest first."""
        values = {":pk": {"S": partition}} | ({":prefix": {"S": sort_prefix}} if sort_prefix else {})
        items: list[dict[str, dict[str, str]]] = dynamodb.query(
            TableName=table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)" if sort_prefix else "pk = :pk",
            ExpressionAttributeValues=values,
            ScanIndexForward=False,
            ConsistentRead=True,
        )["Items"]
        return items

    found = 0
    for stream in query("streams"):
        head = {"pk": stream["sk"], "sk": {"S": "head"}}
        dynamodb.get_item(TableName=table, Key=head, ConsistentRead=True)
        found += len(query(stream["sk"]["S"], "run#"))
    yield found

    s3 = boto3.client("s3")

    def get(key: str) -> bytes:
        """Return an object."""
        body: bytes = s3.get_object(Bucket=bucket, Key=f"{prefix}/{key}")["Body"].read()
        return body

    import json  # noqa: PLC0415 - boto3 has it already

    read = 0
    for part in json.loads(get(manifest))["parts"]:
        for entry in json.loads(get(part["key"]))["objects"]:
            read += bool(get(entry["key"]))
    yield read


def bare(*_: str) -> Iterator[int]:
    """Do nothing: the floor of every Python process."""
    yield 0
    yield 1
    yield 1


CONTENDERS: dict[str, Callable[..., Iterator[int]]] = {"ours": ours, "boto3": with_boto3, "bare": bare}


def peak() -> int:
    """Return the most memory that this process held, in bytes. Only Linux reports it.

    The `ru_maxrss` that other platforms have too begins with the peak of the process that started this one.
    """
    with open("/proc/self/status", encoding="ascii") as lines:  # noqa: PTH123 - pathlib is slow to import
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def main(name: str, *arguments: str) -> None:
    """Take the times of a contender and write them."""
    steps = CONTENDERS[name](*arguments)
    times, seen = [], []
    for _ in range(3):
        started = time.perf_counter()
        seen.append(next(steps))
        times.append((time.perf_counter() - started) * 1000)
    if 0 in seen[1:]:
        raise SystemExit(f"{name} found nothing: {seen}")  # noqa: EM102, TRY003 - for whoever runs the benchmark
    sys.stdout.write(" ".join(map(str, [*times, peak()])) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
