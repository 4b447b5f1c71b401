"""Runs commands whose stderr is a terminal."""

import fcntl
import os
import pty
import struct
import subprocess
import termios
from pathlib import Path

from support.commands import PATIENCE


def on_a_terminal(command: list[str], environment: dict[str, str], folder: Path, *, columns: int = 80) -> str:
    """Run a command whose stderr is a terminal of so many columns, and return what it wrote there."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with subprocess.Popen(command, cwd=folder, env=environment, stderr=theirs, stdout=subprocess.DEVNULL) as process:
        os.close(theirs)
        written = b""
        while chunk := read_or_nothing(ours):
            written += chunk
        assert process.wait(timeout=PATIENCE) == 0, written.decode()
    os.close(ours)
    return written.decode()


def read_or_nothing(terminal: int) -> bytes:
    """Return what was written to a terminal, or nothing if the other side was closed."""
    try:
        return os.read(terminal, 4096)
    except OSError:
        return b""
