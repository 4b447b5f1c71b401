"""What the token extension adds to a cold start, beside a Python that does nothing; print Markdown.

`python tests/bench/extension.py [LAYER.zip]` takes what `circulate package` wrote, or else the extension and the engine
as they are here. The time is from the start of the process to its registration, without the token call, by a server
that responds at once. Contenders take turns.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from circulate_local.layers import lay_out

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 25
PYTHON = shutil.which("python3") or sys.executable
EXTENSION = Path(__file__).resolve().parents[2] / "lambdas/extensions/circulate-token"
ANSWER = b"HTTP/1.1 200 OK\r\nLambda-Extension-Identifier: 1\r\nContent-Length: 2\r\n\r\n{}"


@dataclass
class Seen:
    """What was measured of one contender."""

    ms: list[float] = field(default_factory=list)
    mb: list[float] = field(default_factory=list)


def main() -> None:
    """Run the benchmark."""
    with tempfile.TemporaryDirectory() as folder:
        layer = unpacked(Path(sys.argv[1]), Path(folder)) if sys.argv[1:] else lay_out(EXTENSION, Path(folder))
        contenders: dict[str, Callable[[Seen], None]] = {
            "python3 -I -S -c pass": bare,
            "the extension, until it has registered": lambda seen: extension(seen, layer),
        }
        seen = {name: Seen() for name in contenders}
        for _ in range(ROUNDS):
            for name, measure in contenders.items():
                measure(seen[name])
    print("| process | ms, median (min to max) | peak memory MB |\n| --- | ---: | ---: |")  # noqa: T201
    for name, each in seen.items():
        spread = f"{median(each.ms):.1f} ({min(each.ms):.1f} to {max(each.ms):.1f})"
        print(f"| {name} | {spread} | {median(each.mb):.1f} |")  # noqa: T201


def unpacked(layer: Path, folder: Path) -> Path:
    """Unpack a layer as Lambda does."""
    with zipfile.ZipFile(layer) as packed:
        for entry in packed.infolist():
            path = Path(packed.extract(entry, folder))
            path.chmod(entry.external_attr >> 16 or 0o644)
    return folder


def bare(seen: Seen) -> None:
    """Time a Python that starts and ends; what it takes is measured by another one."""
    began = time.perf_counter()
    subprocess.run([PYTHON, "-I", "-S", "-c", "pass"], check=True)
    seen.ms.append((time.perf_counter() - began) * 1000)
    status = subprocess.run(
        [PYTHON, "-I", "-S", "-c", "print(open('/proc/self/status').read())"],
        check=True,
        capture_output=True,
        text=True,
    )
    seen.mb.append(peak(status.stdout))


def peak(status: str) -> float:
    """Return the most memory that a process had, in MB."""
    return int(status.split("VmHWM:")[1].split(maxsplit=1)[0]) * 1024 / 1e6


def extension(seen: Seen, layer: Path) -> None:
    """Time the extension from its start to its registration; a snapshot to come keeps it from asking for a token."""
    with tempfile.TemporaryDirectory() as own, socket.create_server(("127.0.0.1", 0)) as server:
        environment = {
            "PATH": os.environ["PATH"],
            "TMPDIR": own,
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.getsockname()[1]}",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start",
            "circulate_token_source": "okta",
            "circulate_token_scopes": "okta.users.read",
            "client_id": "0oa1",
        }
        began = time.perf_counter()
        process = subprocess.Popen([layer / "extensions/circulate-token"], env=environment, stdout=subprocess.DEVNULL)
        connection, _ = server.accept()
        with connection:
            connection.recv(65536)
            seen.ms.append((time.perf_counter() - began) * 1000)
            connection.sendall(ANSWER)
            connection.recv(65536)
            seen.mb.append(peak(Path(f"/proc/{process.pid}/status").read_text()))
            process.kill()
        process.wait()


if __name__ == "__main__":
    main()
