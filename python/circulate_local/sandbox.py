"""A sandbox for the processes of one execution environment, kept by a keeper in a process of its own.

The package is not imported there: a keeper starts within some 10 ms, with the standard library alone.
"""

import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from circulate_local.journal import Journal
from circulate_local.keeper.mounts import RootPlan

_MEGABYTE: Final = 1_048_576
_MAX_MESSAGE_BYTES: Final = 262_144
_ANSWER_SECONDS: Final = 30
_KEEPER: Final = "import sys; sys.path.append(sys.argv[1]); from keeper.main import main; main()"

Exited = Callable[[str, str], None]
"""Takes the name of a process that ended and how, in the words of AWS."""


class NoNamespacesError(Exception):
    """This system does not let us make namespaces."""


@dataclass(frozen=True, slots=True)
class Command:
    """How to start a process."""

    name: str
    argv: tuple[str, ...]
    env: dict[str, str] = field(repr=False)
    cwd: str


class Sandbox:
    """Start a keeper and talk to it.

    Args:
        root: What the processes see as their root; None leaves them in ours.
        memory_mb: Memory they may use together.
        exited: Gets every started process that ends, from another thread.

    Raises:
        NoNamespacesError: There can be no root of its own.
    """

    def __init__(self, root: RootPlan | None, *, memory_mb: int, exited: Exited) -> None:
        self._exited = exited
        self._replies: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._keeper = subprocess.Popen(  # noqa: S603 - our own
                [sys.executable, "-I", "-S", "-c", _KEEPER, str(Path(__file__).parent), str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C at the terminal is for us alone
                env={},  # which the function could read
            )
        self._send({"memory_bytes": memory_mb * _MEGABYTE, "root": asdict(root) if root else None})
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        started = self._reply()
        if "failed" in started:
            self.close()
            raise NoNamespacesError(started["failed"])

    def start(self, command: Command, journal: Journal) -> None:
        """Start a process that prints to a journal."""
        message = {"do": "start", **asdict(command)}
        output = journal.open_pipe()
        try:
            socket.send_fds(self._socket, [json.dumps(message).encode()], [output])
        finally:
            os.close(output)

    def signal(self, name: str, number: int) -> None:
        """Send a signal to a process, if it still runs."""
        self._send({"do": "signal", "name": name, "signal": number})

    def freeze(self) -> None:
        """Stop all processes where they are."""
        self._send({"do": "freeze"})

    def thaw(self) -> None:
        """Let all processes go on."""
        self._send({"do": "thaw"})

    def max_memory_mb(self) -> int:
        """Return the most memory they have used, in whole megabytes."""
        self._send({"do": "measure"})
        return int(-(-self._reply()["memory"] // _MEGABYTE))

    def clear(self) -> None:
        """Kill all processes; none is left afterwards."""
        self._send({"do": "clear"})
        self._reply()

    def close(self) -> None:
        """Kill all processes and end the keeper."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._keeper.wait()
        self._reader.join()
        self._socket.close()

    def _send(self, message: dict[str, Any]) -> None:
        self._socket.send(json.dumps(message).encode())

    def _reply(self) -> dict[str, Any]:
        reply = self._replies.get(timeout=_ANSWER_SECONDS)
        if reply is None:
            message = "the keeper of an execution environment has ended"
            raise ConnectionError(message)
        return reply

    def _read(self) -> None:
        """Read what the keeper says until it ends."""
        while data := self._receive():
            message = json.loads(data)
            if "exited" in message:
                self._exited(message["exited"], message.get("unstartable") or _how(message["code"]))
            else:
                self._replies.put(message)
        self._replies.put(None)

    def _receive(self) -> bytes:
        try:
            return self._socket.recv(_MAX_MESSAGE_BYTES)
        except OSError:
            return b""


def _how(code: int) -> str:
    """Say how a process ended, as AWS does."""
    if code < 0:
        return f"signal: {(signal.strsignal(-code) or str(-code)).lower()}"
    return f"exit status {code}"
