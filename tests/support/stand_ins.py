"""Servers that stand in for AWS, on free ports of loopback; for tests, and to try things out.

`python tests/support/stand_ins.py COMMAND...` runs a command with the servers named in its environment, as
`CIRCULATE_TEST_<NAME>`.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

HERE = "127.0.0.1"
S3S_FS = Path(__file__).resolve().parents[2] / ".tools/bin/s3s-fs"
BIN = Path(sys.executable).parent
LOOPBACK = {"BIND_HOST": HERE, "MINISTACK_HOST": HERE, "IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0"}
"""What keeps ministack on loopback: it would serve MQTT and SFTP on every interface."""


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server((HERE, 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextmanager
def started(command: list[str], port: int, **environment: str) -> Iterator[str]:
    """Run a server until the block ends; gives its URL once it responds."""
    with tempfile.TemporaryFile() as log:
        # A group of its own, so that Ctrl-C at the terminal leaves it to us to stop it.
        process = subprocess.Popen(
            command, env={**os.environ, **environment}, stdout=log, stderr=log, start_new_session=True
        )
        try:
            wait_for(process, port)
            yield f"http://{HERE}:{port}"
        except TimeoutError:
            log.seek(0)
            sys.stderr.write(log.read().decode(errors="replace"))
            raise
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    """Wait until a server accepts connections."""
    for _ in range(600):
        try:
            socket.create_connection((HERE, port), timeout=1).close()
        except OSError:
            try:
                code = process.wait(timeout=0.1)
            except subprocess.TimeoutExpired:
                continue
            message = f"{process.args!r} ended with {code}"
            raise TimeoutError(message) from None
        else:
            return
    message = f"{process.args!r} does not respond at port {port}"
    raise TimeoutError(message)


@contextmanager
def ministack(**environment: str) -> Iterator[str]:
    """S3, DynamoDB, Secrets Manager and more, in Python. With `AUTH="true"` it judges keys and policies."""
    port = free_port()
    settings = {**LOOPBACK, "GATEWAY_PORT": str(port), "MINISTACK_REGION": "us-east-1"}
    with started([str(BIN / "ministack")], port, **settings, **environment) as url:
        yield url


@contextmanager
def moto() -> Iterator[str]:
    """The same by others."""
    port = free_port()
    with started([str(BIN / "moto_server"), "-H", HERE, "-p", str(port)], port) as url:
        yield url


@contextmanager
def s3s() -> Iterator[str]:
    """S3 in Rust, on a folder. It checks signatures."""
    port = free_port()
    keys = ["--access-key", os.environ["AWS_ACCESS_KEY_ID"], "--secret-key", os.environ["AWS_SECRET_ACCESS_KEY"]]
    with (
        tempfile.TemporaryDirectory() as folder,
        started([str(S3S_FS), "--host", HERE, "--port", str(port), *keys, folder], port) as url,
    ):
        yield url


@contextmanager
def microburst(upstream: str) -> Iterator[str]:
    """A proxy that makes faults, by rules posted to `/_microburst/rules`."""
    port = free_port()
    command = [str(BIN / "microburst"), "--upstream", upstream, "--host", HERE, "--port", str(port)]
    with started(command, port) as url:
        yield url


def main(command: list[str]) -> int:
    """Run a command with all servers."""
    with ExitStack() as stack:
        servers = {
            name: stack.enter_context(start())
            for name, start in (("MINISTACK", ministack), ("MOTO", moto), ("S3S", s3s))
        }
        servers["MICROBURST"] = stack.enter_context(microburst(servers["MINISTACK"]))
        environment = {f"CIRCULATE_TEST_{name}": url for name, url in servers.items()}
        return subprocess.run(command, check=False, env={**os.environ, **environment}).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
