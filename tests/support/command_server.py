"""A process that has the command line imported, and forks for each command it is asked to run.

`support.commands` starts it, with the number of a socket that requests come by. It runs no command itself and has one
thread: each command begins as in a process of its own, and finds nothing that another one has left.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import sys
from dataclasses import dataclass
from typing import NoReturn

from circulate_core.cli.main import build_parser, main

MOST = 200_000
"""Most bytes of a request."""


@dataclass(frozen=True)
class Request:
    """A command to run."""

    arguments: list[str]
    folder: str
    environment: dict[str, str]
    out: int
    err: int
    status: socket.socket
    """Gets the number of its process, then its exit code."""


def received(requests: socket.socket) -> Request | None:
    """Return the next request, or None if there will be none."""
    message, descriptors, _, _ = socket.recv_fds(requests, MOST, 3)
    if not message:
        return None
    out, err, status = descriptors
    return Request(**json.loads(message), out=out, err=err, status=socket.socket(fileno=status))


def serve(requests: socket.socket) -> None:
    """Fork for each request until there are no more."""
    running: dict[int, tuple[int, socket.socket]] = {}
    waiting = selectors.PollSelector()
    waiting.register(requests, selectors.EVENT_READ)
    while True:
        ready = [key.fileobj for key, _ in waiting.select()]
        for ended in [descriptor for descriptor in running if descriptor in ready]:
            waiting.unregister(ended)
            process, status = running.pop(ended)
            os.close(ended)
            code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
            with status:
                status.send(str(code).encode())
        if requests not in ready:
            continue
        request = received(requests)
        if request is None:
            return
        process = os.fork()
        if not process:
            for descriptor, (_, status) in running.items():
                os.close(descriptor)
                status.close()
            requests.close()
            run(request)
        request.status.send(str(process).encode())
        descriptor = os.pidfd_open(process)
        running[descriptor] = process, request.status
        waiting.register(descriptor, selectors.EVENT_READ)
        os.close(request.out)
        os.close(request.err)


def run(request: Request) -> NoReturn:
    """Run a command in this process, which ends with it."""
    request.status.close()
    for descriptor, stream in ((request.out, sys.stdout), (request.err, sys.stderr)):
        os.dup2(descriptor, stream.fileno())
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(request.environment)
    os.chdir(request.folder)
    code = main(request.arguments)
    sys.stdout.flush()
    sys.stderr.flush()
    # To take down an interpreter costs more than most commands.
    os._exit(code)


if __name__ == "__main__":
    # Imports what every command does.
    build_parser()
    with socket.socket(fileno=int(sys.argv[1])) as requests:
        serve(requests)
