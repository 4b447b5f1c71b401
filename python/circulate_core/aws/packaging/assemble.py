"""The packages of a project: of every function, of the layer that all use, and of every extension."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from circulate_core.aws.packaging.contents import core_files, extension_files, function_files
from circulate_core.aws.packaging.engine import build_wheel, is_checkout
from circulate_core.aws.packaging.extensions import extension_folders
from circulate_core.aws.packaging.machines import PLAYBOOKS, SUFFIX, machines_of
from circulate_core.aws.packaging.package import Package, Packages
from circulate_core.aws.packaging.requirements import required_files
from circulate_core.aws.packaging.wheel import read_installed, read_wheel
from circulate_core.aws.project import PREFIX, described
from circulate_core.exceptions import SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from circulate_core.aws.packaging.archive import File
    from circulate_core.aws.project import Described


def package(lambdas: Path, out: Path, *, wheel: Path | None = None) -> Packages:
    """Write `{function}.zip` for every function, `core-layer.zip`, and `{extension}-layer.zip` for every extension.

    Beside these `playbooks/{name}.asl.json` and `{name}-undo.asl.json` for every playbook whose functions there are.

    Mistakes in the project are reported before anything is built, and nothing is written unless Lambda takes all.

    Args:
        lambdas: The folder of `{source}/{endpoint}/lambda.yaml`. A project's own extensions and
            playbooks are in the folders `extensions` and `playbooks` beside it.
        out: Where the zips are written; made if need be.
        wheel: The wheel of this package that layers are made of. Default: what is installed; in a checkout it is built,
            which takes minutes.

    Raises:
        DefinitionError: A `lambda.yaml` or a playbook is wrong.
        SettingsError: Something is missing, or the wheel does not fit.
        LimitError: Lambda would not take what was made.
    """
    functions = described(lambdas)
    architecture = _architecture(functions)
    for each in functions:
        # What is wrong with them is known before anything is installed or built.
        function_files(each)
    named = {each.extension for each in functions if each.extension}
    extensions = {name: extension_files(folder) for name, folder in extension_folders(lambdas, named).items()}
    machines = machines_of(lambdas, functions)
    codes = [_function_package(each) for each in functions]
    core = _core(wheel, architecture)
    # Extensions are not given the path where layers have Python packages, so each has the package beside its own.
    layers = {"core": [file.below("python") for file in core]} | {
        name: [*files, *(file.below(name) for file in core)] for name, files in extensions.items()
    }
    packages = Packages(
        architecture=architecture,
        functions=codes,
        layers=[_layer_package(*each) for each in layers.items()],
        machines=machines,
    )
    packages.check_limits()
    _write(packages, out)
    return packages


def _architecture(functions: Sequence[Described]) -> str:
    """Return what all functions run on."""
    found = sorted({each.settings["architecture"] for each in functions})
    if len(found) > 1:
        message = f"the functions have the architectures {' and '.join(found)}, and layers are made for one"
        raise SettingsError(message, operation="package")
    return str(found[0])


def _function_package(function: Described) -> Package:
    return Package.of(f"{function.name}.zip", function_files(function, required_files(function)))


def _layer_package(name: str, files: Sequence[File]) -> Package:
    return Package.of(f"{name}-layer.zip", files, layer=f"{PREFIX}-{name}")


def _core(wheel: Path | None, architecture: str) -> list[File]:
    if wheel:
        return core_files(read_wheel(wheel, architecture))
    if not is_checkout():
        return core_files(read_installed(architecture))
    with tempfile.TemporaryDirectory(prefix="circulate-wheel-") as folder:
        return core_files(read_wheel(build_wheel(Path(folder), architecture), architecture))


def _write(packages: Packages, out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        for each in packages.all:
            each.write(out)
        folder = out / PLAYBOOKS
        for file in folder.glob(f"*{SUFFIX}"):
            # Terraform would make what is no longer there.
            file.unlink()
        for name, text in packages.machines.items():
            folder.mkdir(exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        message = f"cannot write to {out}: {error.strerror}"
        raise SettingsError(message, operation="package") from None
