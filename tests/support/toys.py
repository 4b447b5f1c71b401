"""Toy functions and extensions for the local runner, and a look at the processes it runs them in."""

import json
import os
import subprocess
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from circulate_local import Function, Invocation, LocalLambda

PATIENCE = 200
"""Seconds a test waits for what comes at once, on a machine that is not busy."""

_MOUNT = ["unshare", "--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]

needs_namespaces = pytest.mark.skipif(
    subprocess.run(_MOUNT, check=False, capture_output=True).returncode != 0,
    reason="this system does not let us make namespaces",
)

_HANDLER = """
import json, os, subprocess, sys, threading, time, urllib.request
"""

_EXTENSION = """#!/usr/bin/env python3
import http.client, json, os, signal, sys, time
NAME = os.path.basename(sys.argv[0])
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])

def call(method, path, body=None, version="2020-01-01/extension", **headers):
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    api.request(method, f"/{version}/{path}", body if body is None else json.dumps(body), named)
    response = api.getresponse()
    return response.status, dict(response.getheaders()), json.loads(response.read() or "null")

def register(*events, **headers):
    global me
    status, headers, body = call(
        "POST", "register", {"events": events}, **{"Lambda_Extension_Name": NAME, **headers}
    )
    me = headers["Lambda-Extension-Identifier"]
    return body

def next_event():
    return call("GET", "event/next", Lambda_Extension_Identifier=me)[2]

def say(*values):
    print(NAME, *values, flush=True)

"""


def toy(folder: Path, code: str, **settings: Any) -> Function:  # noqa: ANN401 - passed on
    """Write a function whose module is `code` and whose handler is `handler`."""
    root = folder / "task"
    root.mkdir(exist_ok=True)
    (root / "toy.py").write_text(_HANDLER + textwrap.dedent(code))
    return Function(**{"name": "toy", "task_root": root, "handler": "toy.handler", **settings})


def add_extension(folder: Path, name: str, code: str) -> Path:
    """Write an extension; return the folder of all of them."""
    extensions = folder / "extensions"
    extensions.mkdir(exist_ok=True)
    (extensions / name).write_text(_EXTENSION + textwrap.dedent(code))
    (extensions / name).chmod(0o755)
    return extensions


@contextmanager
def running(function: Function, lines: list[str] | None = None) -> Iterator[Callable[..., Invocation]]:
    """Run one function; gives what calls it."""
    with LocalLambda([function], log=(lambda _: None) if lines is None else lines.append) as local:
        yield lambda event=None: local.invoke(function.name, json.dumps(event).encode())


def result(invocation: Invocation) -> Any:  # noqa: ANN401 - JSON
    """Return what a handler returned."""
    assert invocation.function_error is None, invocation
    return json.loads(invocation.payload)


def error(invocation: Invocation) -> dict[str, Any]:
    """Return the error of a call that failed."""
    assert invocation.function_error == "Unhandled", invocation
    parsed: dict[str, Any] = json.loads(invocation.payload)
    return parsed


def processes_with(text: str) -> list[int]:
    """Return the processes that have this in their command line or environment."""
    found = [path for path in Path("/proc").iterdir() if path.name.isdigit() and _has(path, text.encode())]
    return [int(path.name) for path in found]


def _has(process: Path, text: bytes) -> bool:
    if process.name == str(os.getpid()):
        return False
    try:
        return text in (process / "cmdline").read_bytes() or text in (process / "environ").read_bytes()
    except OSError:
        return False
