"""An execution environment: one place where a function's calls run one after the other, through the phases AWS has.

Init: the extensions start and register, then the runtime starts; it ends when all have requested their next event.
Invoke: runtime and extensions get the event; the caller gets the response at once. The environment is ready again when
all have requested their next event, and is frozen until the next call. Shutdown: the extensions get the event, then all
is killed. After a failure the environment shuts down and the next call starts with a new init; `/tmp` stays.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from circulate_local import extensions_api, report, runtime_api
from circulate_local.events import Call
from circulate_local.function import Function
from circulate_local.http_server import HttpResponse, LoopbackServer, Request
from circulate_local.invocation import FailedError, Invocation, Response, killed
from circulate_local.journal import Journal
from circulate_local.layers import Unpacked
from circulate_local.phases import Phases
from circulate_local.roots import places_in, plan_root
from circulate_local.sandbox import Sandbox
from circulate_local.variables import Credentials, runtime_variables

Respond = Callable[[Response], None]
"""Takes a response as soon as there is one."""


@dataclass(slots=True)
class _Course:
    """How a call went: the response, when the runtime was done with it, and what failed in the end if anything did."""

    started: float
    response: Response | None = None
    runtime_done: float | None = None
    memory_mb: int = 0
    failed: FailedError | None = None


class Environment:
    """Make an environment; nothing of the function runs before the first call.

    Args:
        function: The function.
        unpacked: Its layers and extensions.
        folder: An empty folder of its own.
        credentials: The credentials of its role.
        log: Takes every log line.
        namespaces: Whether its processes see a file system laid out as on AWS.

    Raises:
        NoNamespacesError: This system has no namespaces for us.
    """

    def __init__(  # noqa: PLR0913 - what it is made of
        self,
        function: Function,
        unpacked: Unpacked,
        folder: Path,
        *,
        credentials: Credentials | None,
        log: Callable[[str], None],
        namespaces: bool,
    ) -> None:
        self._function = function
        self._journal = Journal(log)
        self._new = True
        root = plan_root(function, unpacked, folder) if namespaces else None
        self._sandbox = Sandbox(root, memory_mb=function.memory_mb, exited=self._exited)
        self._server = LoopbackServer(self._handle).start()
        places = places_in(function, unpacked, folder, namespaces=namespaces)
        stream = f"{datetime.now(UTC):%Y/%m/%d}/[$LATEST]{folder.name}"
        variables = runtime_variables(function, credentials, places=places, api=self._server.address, log_stream=stream)
        self._phases = Phases(
            function,
            extensions=unpacked.extensions,
            places=places,
            variables=variables,
            sandbox=self._sandbox,
            journal=self._journal,
        )

    def invoke(self, call: Call, respond: Respond) -> Invocation:
        """Run one call.

        Args:
            call: The call.
            respond: Takes the response as soon as there is one.

        Returns:
            The invocation, once the environment is ready for another.
        """
        init_ms = self._phases.init_ahead() if self._new else None
        self._new = False
        self._journal.write(report.start(call))
        course = _Course(time.monotonic())
        try:
            self._run(call, course, respond)
        except FailedError as failed:
            course.failed = failed
        ended = min(time.monotonic(), course.started + self._function.timeout_s)
        if course.failed:
            course.memory_mb = self._sandbox.max_memory_mb()
        self._journal.drain()
        response = self._settle(call, course, respond)
        usage = report.Usage((ended - course.started) * 1000, init_ms, min(course.memory_mb, self._function.memory_mb))
        self._journal.write(report.end(call))
        self._journal.write(report.report(call, self._function, usage, response, course.failed))
        return Invocation(
            payload=response.payload,
            function_error=response.function_error,
            request_id=call.request_id,
            duration_ms=usage.duration_ms,
            billed_ms=usage.billed_ms,
            init_ms=init_ms,
            max_memory_mb=usage.memory_mb,
            post_runtime_extensions_ms=(ended - course.runtime_done) * 1000 if course.runtime_done else 0,
            logs=self._journal.take(),
        )

    def abort(self) -> None:
        """End the call that runs, or comes next, as a failure; may be called from any thread."""
        self._phases.abort(FailedError("Sandbox.Failure", "the environment was closed"))

    def close(self) -> None:
        """Shut down and end all processes."""
        try:
            self._phases.shut_down("spindown")
        finally:
            self._sandbox.close()
            self._server.close()

    def _run(self, call: Call, course: _Course, respond: Respond) -> None:
        """Take a call to the point where all are ready for the next one.

        Raises:
            FailedError: The environment has to shut down.
        """
        limit = self._function.timeout_s
        deadline = course.started + limit
        life = self._phases.life or self._phases.init(deadline, limit)
        self._sandbox.thaw()
        # An init that was part of this call has taken its share.
        left = deadline - time.monotonic()
        life.begin(call.request_id, lambda participant: call.event_for(participant, self._function, left))
        life.wait(life.responded, deadline, limit)
        course.memory_mb = self._memory_within_limit()
        self._journal.drain()
        course.response = life.response
        if course.response:
            respond(course.response)
        life.wait(life.runtime_done, deadline, limit)
        course.runtime_done = time.monotonic()
        life.wait(life.ready, deadline, limit)

    def _settle(self, call: Call, course: _Course, respond: Respond) -> Response:
        """Freeze what is ready, or shut down what failed; return the response."""
        if course.failed:
            self._journal.write(report.failure(call, course.failed))
            if not course.response:
                course.response = course.failed.response(call.request_id)
                respond(course.response)
            self._phases.shut_down(course.failed.reason)
        else:
            self._sandbox.freeze()
        assert course.response  # noqa: S101 - given by the runtime or by the failure
        return course.response

    def _memory_within_limit(self) -> int:
        """Return the memory in use at most; a peak that was too short for the keeper to see fails here.

        Raises:
            FailedError: It was beyond the limit.
        """
        memory = self._sandbox.max_memory_mb()
        if memory > self._function.memory_mb:
            raise killed()
        return memory

    def _exited(self, name: str, how: str) -> None:
        self._phases.exited(name, how)

    def _handle(self, request: Request) -> HttpResponse | None:
        life = self._phases.life
        if not life:
            return None
        if request.path.startswith(runtime_api.PREFIX):
            return runtime_api.handle(life, request)
        return extensions_api.handle(life, self._function, request)
