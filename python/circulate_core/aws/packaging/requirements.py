"""Python packages that a function needs besides the core layer: what its `requirements.txt` names."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from circulate_core.aws.packaging.archive import File
from circulate_core.aws.packaging.wheel import MACHINES
from circulate_core.exceptions import CirculateError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from circulate_core.aws.project import Described

REQUIREMENTS = "requirements.txt"
GLIBC = {"python3.11": 26}
"""Minor version of the glibc 2 of a runtime: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html."""
NEWER_GLIBC, OLDEST_GLIBC = 34, 5
LEGACY = {"x86_64": ("manylinux2014", "manylinux2010", "manylinux1"), "aarch64": ("manylinux2014",)}
NOT_PACKAGED = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}
"""What pip writes about this machine and this installation."""


def required_files(function: Described, *, here: bool = False) -> list[File]:
    """Return the packages that a function's `requirements.txt` names, with what they need; none without one.

    Args:
        function: The function.
        here: Whether they are for the Python that runs this, and not for the runtime of the function.

    Raises:
        SettingsError: Something that is needed for it is missing, or is in the core layer already.
        CirculateError: They could not be installed.
    """
    if not (function.folder / REQUIREMENTS).is_file():
        return []
    if not importlib.util.find_spec("pip"):
        message = f"pip, which installs {function.folder / REQUIREMENTS}, is not installed"
        raise SettingsError(message, operation="package", hint=f"{sys.executable} -m ensurepip")
    with tempfile.TemporaryDirectory(prefix="circulate-requirements-") as folder:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
        command += ["--no-compile", "--target", folder, "--requirement", REQUIREMENTS]
        command += [] if here else _platform(function.settings["runtime"], function.settings["architecture"])
        # Paths in the file are of its folder. Beside `--target`, pip refuses what this user may have configured.
        environment = {**os.environ, "PIP_USER": "0"}
        done = subprocess.run(command, cwd=function.folder, env=environment, stdout=sys.stderr, check=False)  # noqa: S603
        code = done.returncode
        if code:
            message = f"{function.folder / REQUIREMENTS} was not installed: pip ended with exit code {code}"
            raise CirculateError(message, operation="package", hint="its output is above")
        files = [*_installed(Path(folder))]
    if any(file.name.startswith("circulate_core/") for file in files):
        message = f"{function.folder / REQUIREMENTS} names circulate-core, which functions have from the core layer"
        raise SettingsError(message, operation="package", hint="leave it out there")
    return files


def _platform(runtime: str, architecture: str) -> Sequence[str]:
    """Return options by which pip takes wheels for a runtime of Lambda, and nothing that would have to be built."""
    machine = MACHINES[architecture]
    newest = GLIBC.get(runtime, NEWER_GLIBC)
    names = [f"manylinux_2_{minor}" for minor in range(newest, OLDEST_GLIBC - 1, -1)]
    platforms = [f"--platform={name}_{machine}" for name in (*names, *LEGACY[machine])]
    version = runtime.removeprefix("python")
    return ["--only-binary=:all:", "--implementation=cp", f"--python-version={version}", *platforms]


def _installed(folder: Path) -> Iterator[File]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        about_pip = name.parent.suffix == ".dist-info" and name.name in NOT_PACKAGED
        if path.is_file() and name.parts[0] != "bin" and "__pycache__" not in name.parts and not about_pip:
            yield File(name.as_posix(), path.read_bytes())
