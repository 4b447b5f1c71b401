"""A Lambda function: where its code is, and the settings that AWS would have."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from circulate_core.aws.project import Described
from circulate_core.exceptions import SettingsError

_RESERVED: Final = frozenset(
    {
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
    }
)
"""Variables that AWS sets and lets nobody set."""

_LONGEST_NAME: Final = 64
_MAX_ENVIRONMENT_BYTES: Final = 4096
_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")
_VARIABLE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function and its settings, held to the limits of AWS.

    Attributes:
        name: Its name, at most 64 characters.
        task_root: The folder with its code.
        handler: Module and function that are called, as `module.function`.
        timeout_s: Seconds a call may take, 1 to 900.
        memory_mb: Memory all its processes share, 128 to 10240.
        ephemeral_mb: Size of `/tmp`, 512 to 10240.
        environment: Its environment variables, at most 4 KB in all.
        extensions: A folder whose executable files are external extensions.
        layers: Folders that stand for what layers have below `/opt`, a later one over an earlier one.
        runtime: What AWS calls the runtime. The interpreter is the one that runs this, whatever its version.
        account_id: The AWS account.
        region: The AWS region.

    Raises:
        SettingsError: A setting is beyond what AWS allows.
    """

    name: str
    task_root: Path
    handler: str
    timeout_s: int = 3
    memory_mb: int = 128
    ephemeral_mb: int = 512
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    extensions: Path | None = None
    layers: tuple[Path, ...] = ()
    runtime: str = "python3.13"
    account_id: str = "123456789012"
    region: str = "us-east-1"

    def __post_init__(self) -> None:
        """Check the settings."""
        self._demand(
            len(self.name) <= _LONGEST_NAME and _NAME.fullmatch(self.name),
            "name",
            f"has at most {_LONGEST_NAME} letters, digits, hyphens and underscores",
        )
        self._demand(self.task_root.is_dir(), "task_root", "is a folder")
        for name, low, high in (("timeout_s", 1, 900), ("memory_mb", 128, 10240), ("ephemeral_mb", 512, 10240)):
            self._demand(low <= getattr(self, name) <= high, name, f"is between {low} and {high}")
        for folder in (*self.layers, *filter(None, [self.extensions])):
            self._demand(folder.is_dir(), "layers and extensions", f"are folders; {folder} is not")
        self._check_environment()

    @classmethod
    def of(  # noqa: PLR0913 - each has its default
        cls,
        described: Described,
        environment: Mapping[str, str],
        *,
        task_root: Path | None = None,
        layer: Path | None = None,
        timeout_s: int | None = None,
        memory_mb: int | None = None,
        region: str = "us-east-1",
    ) -> Self:
        """Return what a `lambda.yaml` describes.

        Args:
            described: What it describes.
            environment: Variables besides its own. Empty ones are left out.
            task_root: Where what its zip has is laid out. Default: the folder of its code.
            layer: What the layer of its extension has, as `lay_out` lays it out.
            timeout_s: Another time limit.
            memory_mb: Another memory limit.
            region: The AWS region.
        """
        settings = described.settings
        variables = {**settings["environment"], **environment}
        return cls(
            name=described.name,
            task_root=(task_root or described.folder).resolve(),
            handler=settings["handler"],
            timeout_s=settings["timeout_s"] if timeout_s is None else timeout_s,
            memory_mb=settings["memory_mb"] if memory_mb is None else memory_mb,
            ephemeral_mb=settings["ephemeral_mb"],
            runtime=settings["runtime"],
            environment={name: value for name, value in variables.items() if value},
            layers=(layer,) if layer else (),
            extensions=layer / "extensions" if layer else None,
            region=region,
        )

    @property
    def arn(self) -> str:
        """The name that is unique in all of AWS."""
        return f"arn:aws:lambda:{self.region}:{self.account_id}:function:{self.name}"

    def _check_environment(self) -> None:
        for name in self.environment:
            self._demand(_VARIABLE.fullmatch(name), "environment", f"has no variable of the name {name!r}")
            self._demand(name not in _RESERVED, "environment", f"leaves {name} to AWS")
        size = sum(len(name.encode()) + len(value.encode()) for name, value in self.environment.items())
        self._demand(
            size <= _MAX_ENVIRONMENT_BYTES, "environment", f"has at most {_MAX_ENVIRONMENT_BYTES} bytes, not {size}"
        )

    def _demand(self, truth: object, setting: str, rule: str) -> None:
        if not truth:
            message = f"function {self.name!r}: {setting} {rule}"
            raise SettingsError(message, operation="describe a function", context={"function": self.name})
