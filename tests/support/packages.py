"""Projects and wheels to package, and what is in zips."""

import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import circulate_core
from support.cli import Done

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Path(circulate_core.__file__).parent
NOT_FOR_AWS = ("circulate_local", "circulate_practice", "circulate_pytest")
"""The other packages of the wheel."""
MANYLINUX2014 = "cp311-abi3-manylinux2014_x86_64.manylinux_2_17_x86_64"
ABOUT = "circulate_core-0.1.0.dist-info"
TOY_EXTENSION = """#!/usr/bin/env python3
import sys
sys.path.insert(0, "/opt/toy-extension")
from toy_extension.logic import main
main()
"""
TOY_LOGIC = """
import http.client, json, os, circulate_core, circulate_core.aws

def main():
    print("the toy extension has", circulate_core.__file__, flush=True)
    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    def call(method, path, body=None, **headers):
        api.request(method, f"/2020-01-01/extension/{path}", body, {k.replace("_", "-"): v for k, v in headers.items()})
        response = api.getresponse()
        return response.headers, json.loads(response.read())
    headers, _ = call("POST", "register", '{"events": ["INVOKE", "SHUTDOWN"]}', Lambda_Extension_Name="toy-extension")
    me = headers["Lambda-Extension-Identifier"]
    while call("GET", "event/next", Lambda_Extension_Identifier=me)[1]["eventType"] != "SHUTDOWN":
        pass
"""


def make_wheel(
    folder: Path, *, engine: bytes | None = b"engine", tags: str = MANYLINUX2014, built_for: str | None = None
) -> Path:
    """Write a wheel of the package as it is, with all that a wheel holds.

    Args:
        folder: Where to write it.
        engine: What is in it instead of the engine; None for the engine that is installed here.
        tags: What its name says it is for.
        built_for: What its metadata say; by default the same.
    """
    wheel = folder / f"circulate_core-0.1.0-{tags}.whl"
    folders = [PACKAGE, *(PACKAGE.with_name(name) for name in NOT_FOR_AWS)]
    found = [path for folder in folders for path in folder.rglob("*")]
    sources = [path for path in found if path.is_file() and path.suffix not in {".pyc", ".so"}]
    with ZipFile(wheel, "w", ZIP_DEFLATED, compresslevel=1) as archive:
        for path in sources:
            archive.write(path, path.relative_to(PACKAGE.parent))
        if engine is None:
            # An unoptimised engine is mostly what debuggers read; three layers with it are more than Lambda takes.
            stripped = folder / "stripped.so"
            command = ["strip", "--strip-unneeded", "-o", str(stripped), str(PACKAGE / "_core.abi3.so")]
            subprocess.run(command, check=True)
            archive.write(stripped, "circulate_core/_core.abi3.so")
        else:
            archive.writestr("circulate_core/_core.abi3.so", engine)
        archive.writestr(f"{ABOUT}/METADATA", "Metadata-Version: 2.1\nName: circulate-core\nVersion: 0.1.0\n")
        tag = built_for or "-".join(tags.split("-")[-3:])
        archive.writestr(f"{ABOUT}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {tag}\n")
        archive.writestr(f"{ABOUT}/sboms/circulate-python.cyclonedx.json", "{}")
        archive.write(ROOT / "LICENSE", f"{ABOUT}/licenses/LICENSE")
        archive.writestr(f"{ABOUT}/entry_points.txt", "[console_scripts]\ncirculate=circulate_core.cli.main:entry\n")
        listed = [*archive.namelist(), f"{ABOUT}/RECORD"]
        archive.writestr(f"{ABOUT}/RECORD", "".join(f"{name},,\n" for name in listed))
    return wheel


def make_project(folder: Path) -> Path:
    """Copy the functions of this project, and add an extension; return the folder of the functions."""
    lambdas = folder / "lambdas/lib"
    shutil.copytree(ROOT / "lambdas/lib", lambdas, ignore=shutil.ignore_patterns("__pycache__"))
    extension = folder / "lambdas/extensions/toy-extension"
    write(extension / "toy-extension", TOY_EXTENSION).chmod(0o755)
    write(extension / "toy_extension/__init__.py", "")
    write(extension / "toy_extension/logic.py", TOY_LOGIC)
    return lambdas


def write(file: Path, text: str) -> Path:
    """Write a file, and its folder if need be."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def names(file: Path) -> list[str]:
    """Return what is in a zip, in its order."""
    with ZipFile(file) as archive:
        return archive.namelist()


def modes(file: Path) -> dict[str, str]:
    """Return the modes of what is in a zip, as `ls -l` writes them."""
    with ZipFile(file) as archive:
        return {entry.filename: stat.filemode(entry.external_attr >> 16) for entry in archive.infolist()}


def unpack(file: Path, folder: Path) -> Path:
    """Unpack a zip with the modes of its entries, as Lambda does."""
    with ZipFile(file) as archive:
        for entry in archive.infolist():
            Path(archive.extract(entry, folder)).chmod(stat.S_IMODE(entry.external_attr >> 16))
    return folder


def for_all_files(folder: Path, change: Callable[[Path], object]) -> None:
    """Change all files below a folder."""
    for parent, _, files in os.walk(folder):
        for name in files:
            change(Path(parent) / name)


def assert_reports(done: Done, code: int, *parts: str) -> None:
    """Check that a command failed with one error that has these parts."""
    assert done.code == code, done.err
    for part in parts:
        assert part in done.err
    assert done.err.count("error:") == 1
