"""The init and shutdown phases of an execution environment."""

import signal
import sys
import time
from typing import Final

from circulate_local import report
from circulate_local.events import shutdown_event
from circulate_local.function import Function
from circulate_local.invocation import FailedError, Reason
from circulate_local.journal import Journal
from circulate_local.life import RUNTIME, Life
from circulate_local.sandbox import Command, Sandbox
from circulate_local.variables import Places, extension_variables

INIT_SECONDS: Final = 10
SHUTDOWN_SECONDS: Final = 2
RUNTIME_SHUTDOWN_SECONDS: Final = 0.3


class Phases:
    """Begin and end lives.

    Args:
        function: The function.
        extensions: Names of its external extensions.
        places: Where its processes find things.
        variables: The environment variables of its runtime.
        sandbox: Where its processes run.
        journal: Where they print to.
    """

    def __init__(  # noqa: PLR0913 - what it brings together
        self,
        function: Function,
        *,
        extensions: tuple[str, ...],
        places: Places,
        variables: dict[str, str],
        sandbox: Sandbox,
        journal: Journal,
    ) -> None:
        self.life: Life | None = None
        self._aborted: FailedError | None = None
        self._function = function
        self._extensions = extensions
        self._places = places
        self._variables = variables
        self._sandbox = sandbox
        self._journal = journal

    def init_ahead(self) -> float | None:
        """Begin the first life; return the milliseconds it took, or nothing if it failed.

        A call then tries again in its own time, as on AWS.
        """
        started = time.monotonic()
        self._journal.write(report.init_start(self._function))
        failed = None
        try:
            self.init(started + INIT_SECONDS, INIT_SECONDS)
        except FailedError as error:
            failed = error
        took = (time.monotonic() - started) * 1000
        if failed:
            self._journal.drain()
            self._journal.write(report.init_report(took, failed))
            self.shut_down(failed.reason)
            return None
        return took

    def init(self, deadline: float, limit_s: float) -> Life:
        """Begin a life.

        Raises:
            FailedError: It failed, or took longer than the limit.
        """
        life = self.life = Life(self._extensions)
        if self._aborted:
            life.fail(self._aborted)
        for name in self._extensions:
            variables = extension_variables(self._variables, self._function)
            self._start(life, Command(name, (f"{self._places.opt}/extensions/{name}",), variables, "/"))
        life.wait(life.registered, deadline, limit_s)
        interpreter = (sys.executable, "-m", "awslambdaric", self._function.handler)
        self._start(life, Command(RUNTIME, interpreter, self._variables, self._places.task))
        life.wait(life.ready, deadline, limit_s)
        # What was printed until now comes before what the platform says next.
        self._journal.drain()
        for extension in life.extensions:
            self._journal.write(report.extension(extension))
        return life

    def shut_down(self, reason: Reason) -> None:
        """End the life, if there is one; no process is left afterwards."""
        if not (life := self.life):
            return
        until = time.monotonic() + SHUTDOWN_SECONDS
        life.begin_end()
        self._sandbox.thaw()
        if reason == "spindown" and self._extensions:
            self._sandbox.signal(RUNTIME, signal.SIGTERM)
            life.wait_for_exit([RUNTIME], RUNTIME_SHUTDOWN_SECONDS)
            self._journal.drain()
        self._sandbox.signal(RUNTIME, signal.SIGKILL)
        if listeners := life.shutdown_listeners():
            life.offer_shutdown(lambda _: shutdown_event(reason, until - time.monotonic()))
            life.wait_for_exit(listeners, until - time.monotonic())
        self._sandbox.clear()
        life.end()
        self._journal.close_pipes()
        self.life = None

    def abort(self, failure: FailedError) -> None:
        """Fail this life and all later ones; may be called from any thread."""
        self._aborted = failure
        if life := self.life:
            life.fail(failure)

    def exited(self, name: str, how: str) -> None:
        """Take note of a process that ended."""
        if life := self.life:
            life.exited(name, how)

    def _start(self, life: Life, command: Command) -> None:
        life.started(command.name)
        self._sandbox.start(command, self._journal)
