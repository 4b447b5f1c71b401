"""Where tests pull to: a folder with its SQLite file, or a bucket with a DynamoDB table."""

import uuid
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Folder:
    """A folder, whose state is a file in it."""

    path: Path
    lease: str = "200ms"
    """A lease that a test can wait for."""

    @property
    def arguments(self) -> tuple[str, ...]:
        """What commands are given to find it."""
        return ("--to", str(self.path))

    def verify(self, manifest: str) -> tuple[str, ...]:
        """Return what `circulate verify` is given for a manifest, named by its key."""
        return (str(self.path / manifest),)

    def lake(self) -> Path:
        """Return what is there, as a folder."""
        return self.path


@dataclass(frozen=True)
class Bucket:
    """A prefix of a bucket, whose state is a DynamoDB table."""

    endpoint: str
    bucket: str
    prefix: str
    table: str
    copies: Path
    lease: str = "1s"
    """DynamoDB shows its time in whole seconds."""
    known: dict[str, str] = field(default_factory=dict)
    """Keys and ETags of what was copied."""

    @classmethod
    def new(cls, endpoint: str, copies: Path, prefix: str = "lake") -> "Bucket":
        """Make a bucket, and a name for its table."""
        unique = uuid.uuid4().hex
        client("s3", endpoint).create_bucket(Bucket=f"lake-{unique}")
        return cls(endpoint, f"lake-{unique}", prefix, f"state-{unique}", copies)

    @property
    def uri(self) -> str:
        """The place for data."""
        return f"s3://{self.bucket}/{self.prefix}"

    @property
    def state(self) -> tuple[str, ...]:
        """What commands are given to find the state."""
        return ("--state", f"dynamodb://{self.table}")

    @property
    def arguments(self) -> tuple[str, ...]:
        """What commands are given to find it."""
        return ("--to", self.uri, *self.state)

    def verify(self, manifest: str) -> tuple[str, ...]:
        """Return what `circulate verify` is given for a manifest, named by its key."""
        return (f"{self.uri}/{manifest}", *self.state)

    def stored(self) -> dict[str, str]:
        """Return the keys of all objects of the bucket, with their ETags."""
        pages = client("s3", self.endpoint).get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        return {entry["Key"]: entry["ETag"] for page in pages for entry in page.get("Contents", [])}

    def read(self, key: str) -> bytes:
        """Return an object, read by AWS's own client for Python."""
        body: bytes = client("s3", self.endpoint).get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return body

    def lake(self) -> Path:
        """Return what is there, as a folder. What is as it was the last time is not read again."""
        copy, stored = self.copies / self.bucket, self.stored()
        for key in self.known.keys() - stored.keys():
            (copy / key).unlink()
        for key in (key for key, tag in stored.items() if self.known.get(key) != tag):
            file = copy / key
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(self.read(key))
        self.known.clear()
        self.known.update(stored)
        return copy / self.prefix


Place = Folder | Bucket


@cache
def client(service: str, endpoint: str) -> Any:  # noqa: ANN401 - boto3 has no types
    """Return AWS's own client for Python."""
    import boto3  # type: ignore[import-untyped]  # noqa: PLC0415 - slow, and few tests need it

    return boto3.client(service, endpoint_url=endpoint, region_name="us-east-1")
