"""Runs commands without starting Python for each: in forks of a process that has the command line imported."""

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

SERVER = Path(__file__).with_name("command_server.py")
PATIENCE = 200
"""Seconds that nothing takes, however busy the machine is; fewer than a test may take."""


class CommandServer:
    """A process that forks for each command."""

    def __init__(self) -> None:
        """Start it."""
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            # Warnings are errors, and its own folder has modules that other modules may be named like.
            command = [sys.executable, "-W", "error", "-P", str(SERVER), str(theirs.fileno())]
            self._process = subprocess.Popen(
                command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
            )

    def run(self, arguments: list[str], folder: Path, environment: dict[str, str]) -> tuple[int, str, str]:
        """Run a command to its end; returns its exit code and what it wrote to stdout and stderr."""
        request = {"arguments": arguments, "folder": str(folder), "environment": environment}
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            with theirs:
                descriptors = [out.fileno(), err.fileno(), theirs.fileno()]
                socket.send_fds(self._requests, [json.dumps(request).encode()], descriptors)
            ours.settimeout(PATIENCE)
            process = int(ours.recv(20))
            try:
                code = int(ours.recv(20))
            except BaseException:
                os.kill(process, signal.SIGKILL)
                raise
            return code, written(out.fileno()), written(err.fileno())

    def stop(self) -> None:
        """Stop it."""
        self._requests.close()
        self._process.wait()


def written(descriptor: int) -> str:
    """Return what a file holds, which others have written."""
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0).decode()


@cache
def command_server() -> CommandServer:
    """Return the one of this process."""
    server = CommandServer()
    atexit.register(server.stop)
    return server
