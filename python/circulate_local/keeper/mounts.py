"""Namespaces, and a root folder laid out as on AWS: code, layers and a `/tmp` of its own where they are there.

Nothing of it needs rights that a user does not have, and nothing of it is seen outside.
"""

import ctypes
import os
from dataclasses import dataclass
from typing import Final

from .libc import check, libc

_CLONE_NEWNS: Final = 0x00020000
_CLONE_NEWUSER: Final = 0x10000000
_CLONE_NEWPID: Final = 0x20000000
_MS_NOSUID: Final = 2
_MS_NODEV: Final = 4
_MS_NOEXEC: Final = 8
_MS_BIND: Final = 4096
_MS_REC: Final = 16384
_MS_PRIVATE: Final = 1 << 18
_SYS_MOUNT_SETATTR: Final = 442
_AT_FDCWD: Final = -100
_AT_RECURSIVE: Final = 0x8000
_MOUNT_ATTR_RDONLY: Final = 1
_TMP: Final = "/tmp/"  # noqa: S108 - where AWS has it


@dataclass(frozen=True)
class RootPlan:
    """What a root folder is made of.

    Attributes:
        folder: An empty folder to make it in.
        task: What lies at `/var/task`.
        opt: What lies at `/opt`.
        bin: What lies at `/var/lang/bin`.
        visible: Folders that stay where they are although something else hides their surroundings.
        tmp_bytes: Size of `/tmp`.
    """

    folder: str
    task: str
    opt: str
    bin: str
    visible: list[str]
    tmp_bytes: int


class _MountAttributes(ctypes.Structure):
    _fields_ = (
        ("attr_set", ctypes.c_uint64),
        ("attr_clr", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    )


def enter_namespaces() -> None:
    """Enter new user and mount namespaces; the next child enters a new process namespace.

    Raises:
        OSError: This system does not let us.
    """
    user, group = os.geteuid(), os.getegid()
    check(libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNS | _CLONE_NEWPID), "unshare")
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{user} {user} 1")
    _write("/proc/self/gid_map", f"{group} {group} 1")


def enter_root(plan: RootPlan) -> None:
    """Make the root folder and enter it. All of it but `/tmp` can only be read, as on AWS.

    Raises:
        OSError: This system does not let us.
    """
    root = plan.folder
    _mount("none", "/", "", _MS_REC | _MS_PRIVATE)
    _mount("tmpfs", root, "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=755")
    _mirror("/", root, besides={"opt", "proc", "tmp", "var"})
    for name in ("proc", "opt", "tmp", "var/task", "var/lang/bin"):
        os.makedirs(f"{root}/{name}")  # noqa: PTH103 - pathlib is slow to import
    _mirror("/var", f"{root}/var", besides={"lang", "task"})
    _mount("proc", f"{root}/proc", "proc", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
    for source, place in ((plan.task, "var/task"), (plan.opt, "opt"), (plan.bin, "var/lang/bin")):
        _bind(source, f"{root}/{place}")
    _keep_visible(root, [path for path in plan.visible if not path.startswith(_TMP)])
    _make_read_only(root)
    _mount("tmpfs", root + _TMP, "tmpfs", _MS_NOSUID | _MS_NODEV, f"mode=1777,size={plan.tmp_bytes}")
    _keep_visible(root, [path for path in plan.visible if path.startswith(_TMP)])
    os.chroot(root)
    os.chdir("/")


def _mirror(folder: str, copy: str, besides: set[str]) -> None:
    """Make what lies in a folder visible in another one."""
    with os.scandir(folder) as entries:
        for entry in entries:
            place = f"{copy}/{entry.name}"
            if entry.name in besides:
                continue
            if entry.is_symlink():
                os.symlink(os.readlink(entry.path), place)  # noqa: PTH115, PTH211
            elif entry.is_dir():
                os.mkdir(place)  # noqa: PTH102
                _bind(entry.path, place)


def _keep_visible(root: str, paths: list[str]) -> None:
    for path in paths:
        os.makedirs(root + path, exist_ok=True)  # noqa: PTH103
        _bind(path, root + path)
        _make_read_only(root + path)


def _make_read_only(folder: str) -> None:
    attributes = _MountAttributes(attr_set=_MOUNT_ATTR_RDONLY)
    size = ctypes.sizeof(attributes)
    arguments = (_AT_FDCWD, folder.encode(), _AT_RECURSIVE, ctypes.byref(attributes), ctypes.c_size_t(size))
    check(libc.syscall(_SYS_MOUNT_SETATTR, *arguments), f"making {folder} read-only")


def _bind(source: str, place: str) -> None:
    _mount(source, place, "", _MS_BIND | _MS_REC)


def _mount(source: str, place: str, kind: str, flags: int, options: str = "") -> None:
    result = libc.mount(source.encode(), place.encode(), kind.encode(), ctypes.c_ulong(flags), options.encode())
    check(result, f"mounting {place}")


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:  # noqa: PTH123
        file.write(text)
