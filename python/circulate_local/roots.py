"""Where the processes of an environment find things, with and without a root folder of their own."""

import sys
from pathlib import Path
from typing import Final

from circulate_local.function import Function
from circulate_local.keeper.mounts import RootPlan
from circulate_local.layers import Unpacked
from circulate_local.variables import Places

_MEGABYTE: Final = 1_048_576
_HIDDEN: Final = tuple(map(Path, ("/tmp", "/opt", "/var/task", "/var/lang")))  # noqa: S108 - where AWS has them
"""Folders whose contents a function does not see."""


def plan_root(function: Function, unpacked: Unpacked, folder: Path) -> RootPlan:
    """Return what the root folder of an environment is made of."""
    root = folder / "root"
    root.mkdir()
    return RootPlan(
        folder=str(root),
        task=str(function.task_root.resolve()),
        opt=str(unpacked.opt),
        bin=str(unpacked.bin),
        visible=[str(path) for path in _needed_but_hidden()],
        tmp_bytes=function.ephemeral_mb * _MEGABYTE,
    )


def places_in(function: Function, unpacked: Unpacked, folder: Path, *, namespaces: bool) -> Places:
    """Return where the processes of an environment find things."""
    if namespaces:
        return Places()
    tmp = folder / "tmp"
    tmp.mkdir()
    return Places(task=str(function.task_root.resolve()), opt=str(unpacked.opt), bin=str(unpacked.bin), tmp=str(tmp))


def _needed_but_hidden() -> list[Path]:
    """Return folders of the interpreter that lie where a function sees something else."""
    executable = Path(sys.executable)
    needed = {Path(sys.prefix), Path(sys.base_prefix), executable.parent, executable.resolve().parent}
    needed |= {Path(entry) for entry in sys.path if Path(entry).is_absolute() and Path(entry).is_dir()}
    hidden = sorted(path for path in needed if any(place in path.parents for place in _HIDDEN))
    return [path for path in hidden if not any(parent in hidden for parent in path.parents)]
