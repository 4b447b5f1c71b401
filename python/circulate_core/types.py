"""Shapes of what the functions of this package take, and of definitions."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal, NotRequired, Required, TypedDict

if TYPE_CHECKING:
    from circulate_core import _core
    from circulate_core.lakes import Lake


Time = str | date
"""An instant: a time or date, or text that names one, or a length of time such as `7d` for that long ago."""

Length = float | str | timedelta
"""A length of time: seconds, or text such as `10m`."""

Size = int | str
"""Bytes, or text such as `64MB` or `64MiB`."""


Headroom = float | str
"""A share of the quota: a number from 0 up to, but not including, 1, or text with one."""


class S3Options(TypedDict, total=False):
    """Options of a bucket; named as in the AWS command line."""

    sse: Literal["AES256", "aws:kms"]
    """How S3 encrypts objects. Default: as the bucket says."""
    sse_kms_key_id: str
    """Id or ARN of the KMS key. Default: the account's own key for S3."""
    expected_bucket_owner: str
    """The AWS account that must own the bucket; requests fail if it is another one."""


class InlineDefinition(TypedDict):
    """A source or some of its endpoints, defined in code: as their YAML files, but as mappings."""

    source: str | Mapping[str, Any]
    """What `source.yaml` would hold; or the name of a source of the catalog, to which endpoints are added."""
    endpoints: NotRequired[Mapping[str, Mapping[str, Any]]]
    """What the endpoints' files would hold, by their names."""


Catalog = Sequence[str | PathLike[str] | InlineDefinition]
"""Folders of definitions, which come before the shipped ones; one item may be definitions themselves."""


class StreamPullOptions(TypedDict, total=False):
    """Options of a pull of a stream, whose source knows the account; `circulate_core.pull` says what they mean."""

    to: Required[str | PathLike[str] | Lake]
    account: str | None
    headroom: Headroom | None
    mode: Literal["incremental", "full"]
    since: Time | None
    until: Time | None
    parents: str | None
    accept_deletes: bool
    restart: bool
    unattended: bool
    continuation: str | None
    idempotency_key: str | None
    lease: Length
    pending: Length | None
    format: Literal["json", "ndjson", "parquet", "arrow"]
    compression: Literal["gzip", "zstd", "none"] | None
    batch_records: int | None
    batch_bytes: Size | None
    max_record_bytes: Size | None
    nested: Literal["struct", "flatten", "json"]
    raw: bool
    contract: Literal["evolve", "rescue", "freeze"]
    memory: Size | None
    deadline: Length | None
    worker_ends: Length | None
    max_wait: Length | None
    state: str | PathLike[str] | None
    s3: S3Options | None
    request: str | None


class PullOptions(StreamPullOptions, total=False):
    """Options of a pull; `circulate_core.pull` says what each of them means and what its default is."""

    settings: Mapping[str, str] | _core.Settings | None
    profile: str | None
    secret: str | None
    catalog: Catalog


class Setting(TypedDict):
    """A setting of a source."""

    env: str
    """Environment variable it is read from."""
    about: str
    """What it is."""
    secret: bool
    """Whether it must never be shown or given by flag."""
    default: NotRequired[str]
    """What it is if it is not given."""


class RateLimit(TypedDict, total=False):
    """The part of a rate limit's definition that Python uses."""

    headroom: float
    """Share of the quota that is left to others."""


class SourceDefinition(TypedDict):
    """The part of a source's definition that Python uses."""

    source: str
    """Name of the source."""
    title: str
    """Name as people write it."""
    docs: NotRequired[str]
    """Address of the vendor's documentation."""
    settings: dict[str, Setting]
    """Settings of the source, by name."""
    base_url: NotRequired[str]
    """Its address, with the names of settings in braces."""
    auth: list[str | dict[str, Any]]
    """The ways in which requests are signed in, each a name with what it takes."""
    rate_limit: NotRequired[RateLimit]
    """How it reports its quota."""


class Parent(TypedDict):
    """The parent of a child stream, which is requested once for each of its records."""

    endpoint: str
    """Its endpoint, of the same source."""
    fields: dict[str, str]
    """Members of its records that identify the parent, by the name they have in child records."""
    url: NotRequired[str]
    """The member of its records that holds the address to request."""
    batch: NotRequired[dict[str, object]]
    """How several parents are requested at once."""
    incremental: NotRequired[dict[str, object]]
    """How parents whose children may have changed are found by time."""


class ListOperation(TypedDict):
    """The part of a list operation's definition that Python uses."""

    path: NotRequired[str]
    """Path below the base URL; without it the parent names the address."""
    method: NotRequired[Literal["GET", "POST"]]
    """The method; GET, or POST with a body, if there is none."""
    paginator: str | dict[str, Any]
    """How one page leads to the next: a name, with what it takes."""
    primary_key: NotRequired[str | list[str]]
    """Members that identify a record, as JSON pointers; or `none`."""
    parent: NotRequired[Parent]
    """The parent of a child stream."""
    job: NotRequired[dict[str, Any]]
    """The job that makes the list."""
    incremental: NotRequired[dict[str, object]]
    """How new and changed records are found by time."""


class ParameterDefinition(TypedDict):
    """A parameter of an operation."""

    about: str
    """What it is."""
    schema: NotRequired[dict[str, Any]]
    """The JSON Schema of its values; without it a text that is not empty."""
    optional: NotRequired[bool]
    """Whether it may be left out."""
    default: NotRequired[Any]
    """What is taken if it is left out."""


class OperationDefinition(TypedDict):
    """The part of an operation's definition that Python uses."""

    about: str
    """What it does."""
    docs: NotRequired[str]
    """Address of the vendor's documentation."""
    kind: str
    """What it is for."""
    method: NotRequired[str]
    """The method; GET if there is none."""
    path: str
    """Path below the base URL."""
    parameters: NotRequired[dict[str, ParameterDefinition]]
    """What has to be said to call it, by name."""
    scopes: NotRequired[list[str]]
    """OAuth scopes that it needs."""
    destructive: NotRequired[bool]
    """Whether a person has to agree, each time."""
    undo: NotRequired[dict[str, Any]]
    """The operation that undoes it, or why nothing does."""


class EndpointDefinition(TypedDict):
    """The part of an endpoint's definition that Python uses."""

    endpoint: str
    """Name of the endpoint."""
    about: str
    """What its records are."""
    docs: NotRequired[str]
    """Address of the vendor's documentation."""
    scopes: NotRequired[list[str] | None]
    """OAuth scopes that it needs."""
    list: ListOperation
    """The list operation."""
    operations: NotRequired[dict[str, OperationDefinition]]
    """What can be called at it besides its list, by name."""


class Definition(TypedDict):
    """A stream's definition."""

    source: SourceDefinition
    """Its source."""
    endpoint: EndpointDefinition
    """Its endpoint."""


class TableColumn(TypedDict):
    """A column of a table as a manifest holds it."""

    name: str
    """The member's key."""
    type: str | dict[str, Any]
    """What it holds: a word, `{"struct": [columns]}` or `{"list": type}`."""
    declared: NotRequired[bool]
    """Whether the definition declares it."""


if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Return a class of results by the place that it had before 0.2, which goes with 0.3."""
        from circulate_core import manifests, results  # noqa: PLC0415 - for who names one

        renamed = {"Verdict": "Status", "CursorValue": "Cursor", "ManifestIndex": "Manifest"}.get(name, name)
        found = next((getattr(module, renamed) for module in (results, manifests) if hasattr(module, renamed)), None)
        if found is None or name.startswith("_"):
            message = f"module {__name__!r} has no attribute {name!r}"
            raise AttributeError(message)
        message = f"`circulate_core.types.{name}` is deprecated; use `circulate_core.results.{renamed}`"
        warnings.warn(message, DeprecationWarning, stacklevel=2)
        return found
