"""Calls of the C library that Python has no function for."""

import ctypes
import os
from typing import Final

libc: Final = ctypes.CDLL(None, use_errno=True)


def check(result: int, what: str) -> None:
    """Raise the error of a call that failed.

    Args:
        result: What the call returned; 0 is success.
        what: What it was for.

    Raises:
        OSError: The call failed.
    """
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
