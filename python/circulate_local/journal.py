"""The log of an execution environment: what its processes print, and what the platform says in between."""

import os
import select
import threading
from collections.abc import Callable
from typing import Final

from circulate_core import _core

_MAX_LINE_BYTES: Final = 262_144
"""What CloudWatch takes as one event."""


class Journal:
    """Gather log lines in order.

    Args:
        sink: Takes each line.
    """

    def __init__(self, sink: Callable[[str], None]) -> None:
        self._sink = sink
        self._lock = threading.RLock()
        self._lines: list[str] = []
        self._pipes: list[_Pipe] = []

    def write(self, line: str) -> None:
        """Write a line."""
        with self._lock:
            self._lines.append(line)
            self._sink(line)

    def open_pipe(self) -> int:
        """Return a descriptor to write to; whoever gets it closes it."""
        read, write = os.pipe()
        os.set_blocking(read, False)
        pipe = _Pipe(read, self._lock, self.write)
        self._pipes.append(pipe)
        threading.Thread(target=pipe.follow, daemon=True).start()
        return write

    def drain(self) -> None:
        """Write all that was printed until now, even where a line has no end yet."""
        with self._lock:
            for pipe in self._pipes:
                pipe.drain()
                pipe.end_line()

    def close_pipes(self) -> None:
        """Write what is left, and nothing that comes later."""
        with self._lock:
            self.drain()
            for pipe in self._pipes:
                pipe.mute()
            self._pipes.clear()

    def take(self) -> tuple[str, ...]:
        """Return the lines since the last time."""
        with self._lock:
            lines, self._lines = tuple(self._lines), []
        return lines


class _Pipe:
    def __init__(self, descriptor: int, lock: threading.RLock, write: Callable[[str], None]) -> None:
        self._descriptor: int | None = descriptor
        self._lock = lock
        self._write = write
        self._rest = b""

    def follow(self) -> None:
        """Write what is printed, until nobody can print any more."""
        poll = select.poll()
        if self._descriptor is not None:
            poll.register(self._descriptor, select.POLLIN)
        while self._descriptor is not None:
            poll.poll()
            with self._lock:
                self.drain()

    def drain(self) -> None:
        """Write the whole lines there are; close at the end."""
        while self._descriptor is not None:
            try:
                data = os.read(self._descriptor, 65536)
            except BlockingIOError:
                return
            if data:
                self._take(data)
            else:
                self.end_line()
                os.close(self._descriptor)
                self._descriptor = None

    def end_line(self) -> None:
        """Write what has no end yet."""
        if self._rest:
            # The runtime client ends the lines of one event with carriage returns.
            text = self._rest.decode(errors="replace").replace("\r", "\n")
            # What a function was sent may be in it, and lines go to a terminal.
            self._write(_core.shown(text, limit=_MAX_LINE_BYTES, lines=True))
            self._rest = b""

    def mute(self) -> None:
        """Write nothing from now on."""
        self._write = lambda _: None

    def _take(self, data: bytes) -> None:
        *lines, rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._rest = line
            self.end_line()
        self._rest = rest
        if len(rest) >= _MAX_LINE_BYTES:
            self.end_line()
