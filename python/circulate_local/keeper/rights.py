"""Rights that a process of ours has, as root above all, and that a function must not have.

Whoever runs functions as root is root in their namespaces too, and could make mounts of the host writable again.
"""

import ctypes
from typing import Final

from .libc import check, libc

_PR_CAPBSET_DROP: Final = 24
_PR_SET_NO_NEW_PRIVS: Final = 38
_PR_CAP_AMBIENT: Final = 47
_PR_CAP_AMBIENT_CLEAR_ALL: Final = 4
_CAPABILITY_VERSION: Final = 0x20080522
_MAX_CAPABILITIES: Final = 64


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def drop_rights() -> None:
    """Give all capabilities up, for this process and for every program that it becomes.

    Raises:
        OSError: They could not be given up.
    """
    for capability in range(_MAX_CAPABILITIES):
        # What can't be taken out of the bounding set is what we may not use anyway, or what this kernel does not know.
        _prctl(_PR_CAPBSET_DROP, capability)
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    none = (_Sets * 2)()
    check(libc.capset(ctypes.byref(_Header(_CAPABILITY_VERSION, 0)), none), "giving capabilities up")
    # Neither a setuid program nor file capabilities bring them back.
    check(_prctl(_PR_SET_NO_NEW_PRIVS, 1), "giving new privileges up")


def _prctl(option: int, value: int) -> int:
    arguments = (ctypes.c_ulong(value), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0))
    result: int = libc.prctl(ctypes.c_int(option), *arguments)
    return result
