"""Requests to servers on this machine, which never go through a proxy."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.request import ProxyHandler, build_opener

if TYPE_CHECKING:
    from urllib.request import Request


def ask(request: Request, timeout: float) -> bytes:
    """Send a request to loopback and return the body of the response.

    Args:
        request: What to send; its address is on loopback.
        timeout: Seconds to wait for the connection, and for each piece of the response.

    Raises:
        OSError: There was no response, or one of an error.
    """
    with build_opener(ProxyHandler({})).open(request, timeout=timeout) as response:
        body: bytes = response.read()
    return body
