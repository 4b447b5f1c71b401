"""The environment variables that AWS sets. Nothing of the caller's own environment is among them."""

from dataclasses import dataclass, field
from typing import Final

from circulate_local.function import Function

_NOT_FOR_EXTENSIONS: Final = (
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
    "PYTHONPATH",
    "_HANDLER",
)
_LIBRARIES: Final = "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib"


@dataclass(frozen=True, slots=True)
class Credentials:
    """The credentials of a function's role.

    Attributes:
        access_key_id: The key's id.
        secret_access_key: The key.
        session_token: The token of a session, if the key is of one.
    """

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Places:
    """Where a function finds things.

    Attributes:
        task: Its code.
        opt: Its layers.
        bin: The interpreter.
        tmp: Its own `/tmp`, if that is not where it looks anyway.
    """

    task: str = "/var/task"
    opt: str = "/opt"
    bin: str = "/var/lang/bin"
    tmp: str | None = None


def runtime_variables(
    function: Function, credentials: Credentials | None, *, places: Places, api: str, log_stream: str
) -> dict[str, str]:
    """Return the variables of a runtime whose Runtime API is at `api`."""
    packages = f"{places.opt}/python"
    variables = {
        "AWS_DEFAULT_REGION": function.region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
        "AWS_LAMBDA_RUNTIME_API": api,
        "AWS_REGION": function.region,
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "LAMBDA_TASK_ROOT": places.task,
        "LANG": "en_US.UTF-8",
        "LD_LIBRARY_PATH": _LIBRARIES,
        "PATH": f"{places.bin}:/usr/local/bin:/usr/bin/:/bin:{places.opt}/bin",
        "PYTHONPATH": f"{packages}/lib/{function.runtime}/site-packages:{packages}",
        "TZ": ":UTC",
        "_HANDLER": function.handler,
    }
    if places.tmp:
        variables["TMPDIR"] = places.tmp
    return variables | _credential_variables(credentials) | dict(function.environment)


def extension_variables(runtime: dict[str, str], function: Function) -> dict[str, str]:
    """Return the variables that extensions see of those of the runtime."""
    hidden = [name for name in _NOT_FOR_EXTENSIONS if name not in function.environment]
    return {name: value for name, value in runtime.items() if name not in hidden}


def _credential_variables(credentials: Credentials | None) -> dict[str, str]:
    if credentials is None:
        return {}
    variables = {
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
    }
    if credentials.session_token:
        variables["AWS_SESSION_TOKEN"] = credentials.session_token
    return variables
