"""The keeper: starts, stops, freezes and measures processes by commands over a socket.

It kills all of them when that socket closes, so nothing outlives the program that runs functions, however it ends.
"""

import json
import os
import selectors
import signal
import socket
import sys
from typing import Any, Final

from .mounts import RootPlan, enter_namespaces, enter_root
from .processes import Processes

_POLL_SECONDS: Final = 0.05
_MAX_MESSAGE_BYTES: Final = 262_144
"""Bytes a message may have."""


def main() -> None:
    """Serve the socket whose descriptor is the last argument."""
    connection = socket.socket(fileno=int(sys.argv[-1]))
    os.set_inheritable(connection.fileno(), False)  # noqa: FBT003 - as the standard library has it
    settings = json.loads(connection.recv(_MAX_MESSAGE_BYTES))
    if settings["root"]:
        try:
            enter_namespaces()
            _become_first_process(connection)
            enter_root(RootPlan(**settings["root"]))
        except OSError as error:
            _send(connection, {"failed": str(error)})
            return
    processes = Processes(alone=bool(settings["root"]), limit=settings["memory_bytes"])
    _send(connection, {"ready": True})
    try:
        _Keeper(connection, processes).serve()
    except ConnectionError:
        pass  # whoever we served has ended
    finally:
        processes.clear()


def _become_first_process(connection: socket.socket) -> None:
    """Go on as process 1 of the new namespace, with which all of it ends; the old process only waits."""
    pid = os.fork()
    if pid:
        connection.close()
        os.waitpid(pid, 0)
        os._exit(0)


def _send(connection: socket.socket, message: dict[str, Any]) -> None:
    connection.send(json.dumps(message).encode())


class _Keeper:
    def __init__(self, connection: socket.socket, processes: Processes) -> None:
        self._connection = connection
        self._processes = processes
        self._frozen = False

    def serve(self) -> None:
        """Serve until the socket closes.

        Raises:
            ConnectionError: It was.
        """
        wake, child_ended = socket.socketpair()
        wake.settimeout(0)
        child_ended.settimeout(0)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(child_ended.fileno(), warn_on_full_buffer=False)
        waiting = selectors.PollSelector()  # takes descriptors above 1,023, as whoever we serve may have handed on
        for each in (self._connection, wake):
            waiting.register(each, selectors.EVENT_READ)
        while True:
            watching = self._processes.any and not self._frozen
            readable = [key.fileobj for key, _ in waiting.select(_POLL_SECONDS if watching else None)]
            if wake in readable:
                wake.recv(4096)
            if not readable:
                self._processes.hold_to_limit()
            self._report_exits()
            if self._connection in readable:
                self._obey()

    def _obey(self) -> None:
        """Do what one message says.

        Raises:
            ConnectionError: The socket was closed.
        """
        data, descriptors, _, _ = socket.recv_fds(self._connection, _MAX_MESSAGE_BYTES, 1)
        if not data:
            raise ConnectionResetError
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)  # noqa: FBT003 - as the standard library has it
        message = json.loads(data)
        match message["do"]:
            case "start":
                self._start(message, descriptors[0])
            case "signal":
                self._processes.signal(message["name"], message["signal"])
            case "freeze":
                self._frozen = True
                self._processes.signal_all(signal.SIGSTOP)
            case "thaw":
                self._frozen = False
                self._processes.signal_all(signal.SIGCONT)
            case "measure":
                _send(self._connection, {"memory": self._processes.measure()})
            case "clear":
                self._frozen = False
                self._processes.clear()
                _send(self._connection, {"cleared": True})

    def _start(self, message: dict[str, Any], output: int) -> None:
        try:
            self._processes.start(message["name"], message["argv"], message["env"], message["cwd"], output)
        except OSError as error:
            reason = f"fork/exec {message['argv'][0]}: {(error.strerror or '').lower()}"
            _send(self._connection, {"exited": message["name"], "unstartable": reason})
        finally:
            os.close(output)

    def _report_exits(self) -> None:
        for name, code in self._processes.newly_exited():
            _send(self._connection, {"exited": name, "code": code})
