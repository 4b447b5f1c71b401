"""Lambda on this machine: functions by name, called from Python or over HTTP."""

import importlib.util
import itertools
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Self

from circulate_core.exceptions import SettingsError
from circulate_local.environment import Environment, Respond
from circulate_local.events import Call
from circulate_local.function import Function
from circulate_local.invocation import Invocation
from circulate_local.invoke_api import InvokeApi
from circulate_local.layers import unpack
from circulate_local.pool import Pool
from circulate_local.refusals import check_payload, not_found
from circulate_local.sandbox import NoNamespacesError
from circulate_local.variables import Credentials


class LocalLambda:
    """Run functions as AWS runs them, each call in an execution environment with processes of its own.

    Use it as a context manager; no process is left after it.

    Args:
        functions: The functions, whose names differ.
        log: Takes every line of every function's log, from one thread at a time. Default: nothing is shown.
        credentials: The credentials of the functions' role. Default: they have none.
        concurrency: How many calls of one function may run at once, as a reserved concurrency would say.
        retry_delays: Seconds before a failed asynchronous call is tried again, the first and the second time. AWS
            waits one and two minutes.
        port: Where the Invoke API listens; 0 is any port that is free.

    Example:
        ```python
        function = Function(name="users", task_root=Path("lambdas/users"), handler="handler.list")
        with LocalLambda([function], log=print) as local:
            print(local.invoke("users", b"{}").payload)
        ```
    """

    def __init__(  # noqa: PLR0913 - each has its default
        self,
        functions: Iterable[Function],
        *,
        log: Callable[[str], None] = lambda _: None,
        credentials: Credentials | None = None,
        concurrency: int = 10,
        retry_delays: tuple[float, ...] = (1, 2),
        port: int = 0,
    ) -> None:
        if sys.platform != "linux":
            message = "functions run on Linux only"
            raise SettingsError(message, operation="run functions", hint="use a Linux container or machine")
        if not importlib.util.find_spec("awslambdaric"):
            message = "awslambdaric, AWS's runtime client, is not installed"
            hint = "pip install 'circulate-core[local]'"
            raise SettingsError(message, operation="run functions", hint=hint)
        self.functions = _by_name(functions)
        self._log = log
        self._log_lock = threading.Lock()
        self._credentials = credentials
        self._concurrency = concurrency
        self._retry_delays = retry_delays
        self._port = port
        self._namespaces = True
        self._count = itertools.count(1)

    def __enter__(self) -> Self:
        """Start the Invoke API."""
        with ExitStack() as stack:
            folder = Path(tempfile.mkdtemp(prefix="circulate-lambda-"))
            stack.callback(shutil.rmtree, folder)
            self._pools = {name: self._pool(function, folder / name) for name, function in self.functions.items()}
            self._api = InvokeApi(self.functions, self.run, self._retry_delays, self._port)
            # Undone in reverse: nothing new comes in, what runs is ended, and then nobody waits for it any more.
            stack.callback(self._api.join)
            for pool in self._pools.values():
                stack.callback(pool.close)
            stack.callback(self._api.close)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Shut down all environments."""
        self._stack.close()

    @property
    def url(self) -> str:
        """The endpoint for AWS's clients."""
        return self._api.url

    def invoke(self, name: str, payload: bytes = b"{}") -> Invocation:
        """Call a function and wait until its environment is ready for another call.

        Raises:
            InvokeError: The call was refused before it reached the function.
        """
        return self.run(name, Call(payload), lambda _: None)

    def run(self, name: str, call: Call, respond: Respond) -> Invocation:
        """Run a call; the caller gets the response before the invocation has ended.

        Raises:
            InvokeError: The call was refused before it reached the function.
        """
        if name not in self.functions:
            raise not_found(name)
        check_payload(call.payload, "RequestResponse")
        with self._pools[name].environment() as environment:
            return environment.invoke(call, respond)

    def _write_log(self, line: str) -> None:
        """Write a line of a log."""
        with self._log_lock:
            self._log(line)

    def _pool(self, function: Function, folder: Path) -> Pool:
        unpacked = unpack(function, folder)

        def make() -> Environment:
            own = folder / f"{next(self._count):032x}"
            own.mkdir()
            environment = partial(
                Environment, function, unpacked, own, credentials=self._credentials, log=self._write_log
            )
            if self._namespaces:
                try:
                    return environment(namespaces=True)
                except NoNamespacesError as error:
                    self._namespaces = False
                    self._write_log(f"no namespaces here ({error}): TMPDIR names what is /tmp on AWS")
            return environment(namespaces=False)

        return Pool(make, self._concurrency)


def _by_name(functions: Iterable[Function]) -> dict[str, Function]:
    named: dict[str, Function] = {}
    for function in functions:
        if named.setdefault(function.name, function) is not function:
            message = f"two functions have the name {function.name!r}"
            raise SettingsError(message, operation="run functions", context={"function": function.name})
    return named
