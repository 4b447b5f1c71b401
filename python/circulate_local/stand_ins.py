"""What functions talk to on this machine instead of AWS and Okta: ministack and a practice org."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import Request

from circulate_core import _core, loopback
from circulate_core.exceptions import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HERE = "127.0.0.1"
REGION = "us-east-1"
BUCKET, TABLE, OPERATIONS = "lake", "circulate", "circulate-operations"
SECRET, CLIENT_SECRET = "circulate/okta", "circulate/okta-client"
"""What functions sign in with, and what the token extension does."""
CLIENT = "0oapractice"
TO, STATE, DATA = f"s3://{BUCKET}/raw", f"dynamodb://{TABLE}", f"s3://{BUCKET}/data"
LEDGER = f"dynamodb://{OPERATIONS}"
PATIENCE_S = 30.0
_ENDS_WITH_INPUT = '"$@" </dev/null & server=$!; exec >&-; read -r _; kill "$server"; wait "$server"'


@contextmanager
def practice_org(users: int, *, oauth: bool) -> Iterator[dict[str, str]]:
    """Run a practice org until the block ends.

    Args:
        users: How many users it has.
        oauth: Whether it has an OAuth client.

    Yields:
        Its address, its API token, and the id and the key of its client, as settings of a source.
    """
    command = [sys.executable, "-m", "circulate_practice", "--users", str(users)]
    with ExitStack() as stack:
        key = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="circulate-key-"))) / "key.json"
        client = ["--oauth-client", CLIENT, "--oauth-key", str(key), "--dpop"] if oauth else []
        process = stack.enter_context(_running([*command, *client], {}, stdout=subprocess.PIPE))
        # A line of a fixed form: `practice org: URL  token: TOKEN  ...`.
        words = process.stdout.readline().decode().split() if process.stdout else []
        if not words:
            message = "the practice org did not start"
            raise SettingsError(message, hint="`circulate practice-org` says why")
        by_oauth = {"client_id": CLIENT, "private_key": key.read_text(encoding="utf-8")} if oauth else {}
        yield {"org_url": words[2], "api_token": words[4], **by_oauth}


@contextmanager
def ministack() -> Iterator[str]:
    """Run a stand-in for S3, DynamoDB and Secrets Manager until the block ends; gives its URL.

    Raises:
        SettingsError: It is not installed, or does not start.
    """
    program = Path(sys.executable).with_name("ministack")
    if not program.is_file():
        message = "ministack, which stands in for AWS, is not installed"
        raise SettingsError(message, hint="pip install 'circulate-core[local]', or use AWS itself with --aws env")
    port = _free_port()
    settings = {"BIND_HOST": HERE, "GATEWAY_PORT": str(port), "MINISTACK_HOST": HERE, "MINISTACK_REGION": REGION}
    # It would serve MQTT and SFTP on every interface.
    settings |= {"IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0"}
    with _running([str(program)], settings, stdout=subprocess.DEVNULL):
        _wait_for(port)
        yield f"http://{HERE}:{port}"


def secrets_of(org: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return what secrets hold of the settings of a practice org, by name: of each way to sign in its own."""
    by_token, by_oauth = ("org_url", "api_token"), ("org_url", "client_id", "private_key")
    ways = {SECRET: by_token, CLIENT_SECRET: by_oauth}
    return {name: {key: org[key] for key in keys} for name, keys in ways.items() if org.keys() >= set(keys)}


def furnish(endpoint: str, secrets: Mapping[str, Mapping[str, str]]) -> None:
    """Make the bucket, the tables and the secrets that functions are wired to.

    Args:
        endpoint: URL of the stand-in.
        secrets: What each secret holds, by name.
    """
    loopback.ask(Request(f"{endpoint}/{BUCKET}", method="PUT"), PATIENCE_S)  # noqa: S310 - loopback
    with _environment(AWS_ENDPOINT_URL=endpoint, AWS_REGION=REGION, **credentials()):
        _core.state_init(STATE)
        _core.state_init(LEDGER)
    for name, held in secrets.items():
        body = json.dumps({"Name": name, "SecretString": json.dumps(held)}).encode()
        target = {"X-Amz-Target": "secretsmanager.CreateSecret", "Content-Type": "application/x-amz-json-1.1"}
        loopback.ask(Request(endpoint, data=body, headers=target), PATIENCE_S)  # noqa: S310 - loopback


def credentials() -> dict[str, str]:
    """Return credentials for the stand-in, which takes any."""
    return {"AWS_ACCESS_KEY_ID": "practice", "AWS_SECRET_ACCESS_KEY": "practice"}


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    """Set these variables until the block ends; the engine finds AWS by them."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _running(command: list[str], settings: dict[str, str], *, stdout: int) -> Iterator[subprocess.Popen[bytes]]:
    # A group of its own, so that Ctrl-C at the terminal leaves it to us to stop it. It ends when its standard input
    # does: with us, whatever ends us.
    process = subprocess.Popen(  # noqa: S603 - our own command
        ["/bin/sh", "-c", _ENDS_WITH_INPUT, "sh", *command],
        env={**os.environ, **settings},
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.stdin:
            process.stdin.close()
        process.wait()
        if process.stdout:
            process.stdout.close()


def _free_port() -> int:
    with socket.create_server((HERE, 0)) as server:
        port: int = server.getsockname()[1]
        return port


def _wait_for(port: int) -> None:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        try:
            socket.create_connection((HERE, port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    message = "ministack, which stands in for AWS, did not start"
    raise SettingsError(message)
