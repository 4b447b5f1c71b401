"""One life of an execution environment, from init to shutdown: who takes part, and what they wait for.

The APIs change it from the threads of their connections; the environment waits for changes. Every method may be called
from any thread.
"""

import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, Literal

from circulate_local.http_server import HttpResponse
from circulate_local.invocation import FailedError, Response, timed_out

RUNTIME: Final = "runtime"

State = Literal["Started", "Registered", "Ready", "Running", "InitError", "ExitError"]


@dataclass(slots=True, eq=False)
class Participant:
    """The runtime or an extension.

    Attributes:
        name: Its name.
        external: Whether it is a process of its own.
        state: Where it stands. `Ready`: it has requested the next event.
        events: Kinds of events it gets.
        waiting: Events that it has not taken yet, such as a call and the end of the function that died of it.
        identifier: What it is known by after it registered.
    """

    name: str
    external: bool = True
    state: State = "Started"
    events: frozenset[str] = frozenset()
    waiting: deque[HttpResponse] = field(default_factory=deque)
    identifier: str = field(default_factory=lambda: str(uuid.uuid4()))


class Life:
    """One life.

    Args:
        extensions: Names of the external extensions.
    """

    def __init__(self, extensions: Iterable[str]) -> None:
        self.runtime = Participant(RUNTIME, state="Registered", events=frozenset({"INVOKE"}))
        self.extensions = [Participant(name) for name in extensions]
        self.request_id: str | None = None
        self.response: Response | None = None
        self.registration_open = True
        self._running: set[str] = set()
        self._failure: FailedError | None = None
        self._ending = False
        self._over = False
        self.changed = threading.Condition()

    @property
    def participants(self) -> list[Participant]:
        """The runtime and all extensions."""
        return [self.runtime, *self.extensions]

    def wait(self, truth: Callable[[], object], deadline: float, limit_s: float) -> None:
        """Wait until something is true.

        Raises:
            FailedError: A participant failed first, or the deadline passed.
        """
        with self.changed:
            self.changed.wait_for(lambda: self._failure or truth(), deadline - time.monotonic())
            if self._failure:
                raise self._failure
            if not truth():
                raise timed_out(limit_s)

    def fail(self, failure: FailedError) -> None:
        """Note a failure; the first one counts."""
        with self.changed:
            self._failure = self._failure or failure
            self.changed.notify_all()

    def started(self, name: str) -> None:
        """Note that a process was started."""
        with self.changed:
            self._running.add(name)

    def exited(self, name: str, how: str) -> None:
        """Note that a process ended, which is a failure before the end."""
        with self.changed:
            self._running.discard(name)
            self.changed.notify_all()
            if not self._ending:
                self.fail(_failure_of_exit(name, how))

    def registered(self) -> bool:
        """Whether every external extension has registered."""
        return all(extension.state != "Started" for extension in self.extensions)

    def ready(self) -> bool:
        """Whether all have requested the next event."""
        return all(participant.state == "Ready" for participant in self.participants)

    def next_event(self, participant: Participant) -> HttpResponse | None:
        """Wait for the next event of a participant that is ready; None at the end of this life."""
        with self.changed:
            participant.state = "Ready"
            self.changed.notify_all()
            self.changed.wait_for(lambda: participant.waiting or self._over)
            if not participant.waiting:
                return None
            participant.state = "Running"
            return participant.waiting.popleft()

    def begin(self, request_id: str, event_for: Callable[[Participant], HttpResponse]) -> None:
        """Hand an invocation to all who registered for them."""
        with self.changed:
            self.request_id, self.response = request_id, None
            self._offer("INVOKE", event_for)

    def responded(self) -> bool:
        """Whether the runtime has responded."""
        return self.response is not None

    def runtime_done(self) -> bool:
        """Whether the runtime is ready again."""
        return self.runtime.state == "Ready"

    def begin_end(self) -> None:
        """Take no more exits for failures."""
        with self.changed:
            self._ending = True

    def shutdown_listeners(self) -> list[str]:
        """Return the names of the running extensions that want to know of the end."""
        with self.changed:
            return [
                extension.name
                for extension in self.extensions
                if "SHUTDOWN" in extension.events and extension.name in self._running
            ]

    def offer_shutdown(self, event_for: Callable[[Participant], HttpResponse]) -> None:
        """Send the end to all who registered for it."""
        with self.changed:
            self._offer("SHUTDOWN", event_for)

    def wait_for_exit(self, names: Iterable[str], seconds: float) -> None:
        """Wait until these processes have ended, or for so long."""
        names = set(names)
        with self.changed:
            self.changed.wait_for(lambda: not names & self._running, seconds)

    def end(self) -> None:
        """Let go of all who still wait for an event."""
        with self.changed:
            self._over = True
            self.changed.notify_all()

    def _offer(self, kind: str, event_for: Callable[[Participant], HttpResponse]) -> None:
        for participant in self.participants:
            if kind in participant.events:
                participant.waiting.append(event_for(participant))
                if participant.state == "Ready":
                    participant.state = "Running"
        self.changed.notify_all()


def _failure_of_exit(name: str, how: str) -> FailedError:
    unstartable = how.startswith("fork/exec")
    if name == RUNTIME:
        if unstartable:
            return FailedError("Runtime.InvalidEntrypoint", how)
        without_reason = how == "exit status 0"
        said = "Runtime exited without providing a reason" if without_reason else f"Runtime exited with error: {how}"
        return FailedError("Runtime.ExitError", said)
    return FailedError("Extension.LaunchError" if unstartable else "Extension.Crash", how)
