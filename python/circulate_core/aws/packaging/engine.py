"""Builds the wheel that layers are made of, for the old glibc of Lambda, whatever this machine has."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import circulate_core
from circulate_core.exceptions import CirculateError, SettingsError

TARGETS = {"x86_64": "x86_64-unknown-linux-gnu", "arm64": "aarch64-unknown-linux-gnu"}
CHECKOUT = Path(circulate_core.__file__).resolve().parents[2]
MANIFEST = "rust/circulate-python/Cargo.toml"


def build_wheel(folder: Path, architecture: str) -> Path:
    """Build the wheel of this checkout; what the build says goes to stderr.

    Args:
        folder: An empty folder for it.
        architecture: What functions run on, as Lambda calls it.

    Raises:
        SettingsError: Something that is needed for it is missing.
        CirculateError: It could not be built.
    """
    _check_what_is_needed()
    command = [sys.executable, "-m", "maturin", "build", "--release"]
    command += ["--zig", "--compatibility", "manylinux2014", "--target", TARGETS[architecture], "--out", str(folder)]
    # Or Zig would be looked for beside whatever `python3` is.
    environment = os.environ | {"CARGO_ZIGBUILD_PYTHON_PATH": sys.executable}
    code = subprocess.run(command, cwd=CHECKOUT, env=environment, stdout=sys.stderr, check=False).returncode  # noqa: S603
    wheels = list(folder.glob("*.whl"))
    if code or len(wheels) != 1:
        message = f"the engine was not built: maturin ended with exit code {code}"
        raise CirculateError(message, operation="package", hint="its output is above")
    return wheels[0]


def is_checkout() -> bool:
    """Return whether the sources that the engine is built of are here."""
    return (CHECKOUT / MANIFEST).is_file()


def _check_what_is_needed() -> None:
    for module in ("maturin", "ziglang"):
        if not importlib.util.find_spec(module):
            message = f"{module}, which builds the engine, is not installed"
            hint = "pip install --group package, or give a wheel with --wheel"
            raise SettingsError(message, operation="package", hint=hint)
    if not shutil.which("cargo"):
        message = "cargo, which builds the engine, is not installed"
        raise SettingsError(message, operation="package", hint="https://rustup.rs, or give a wheel with --wheel")
