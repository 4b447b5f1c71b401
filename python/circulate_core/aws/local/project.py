"""The functions of a project: what its `lambda.yaml` files describe."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import circulate_core
from circulate_core import _core
from circulate_core.aws.local.function import Function
from circulate_core.exceptions import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

PREFIX = "circulate"
TARGETS = "targets"
"""The source of functions that pull nothing: they bring what was pulled to readers."""


@dataclass(frozen=True)
class Described:
    """A function as its `lambda.yaml` describes it, the defaults filled in.

    Attributes:
        source: Its source.
        endpoint: Its endpoint.
        operation: What it does with the endpoint.
        settings: The rest, by the names of `lambda.yaml`, and the `folder` of its code.
    """

    source: str
    endpoint: str
    operation: str
    settings: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The name of the function."""
        return f"{PREFIX}-{self.source}-{self.endpoint}-{self.operation}"

    @property
    def folder(self) -> Path:
        """The folder of its code."""
        return Path(self.settings["folder"])

    @property
    def file(self) -> Path:
        """The file that describes it."""
        return self.folder / "lambda.yaml"

    def is_called(self, name: str) -> bool:
        """Return whether it is meant by a name: its own, `source.endpoint.operation`, or without the operation."""
        short = f"{self.source}.{self.endpoint}"
        return name in {self.name, short, f"{short}.{self.operation}"}

    @property
    def is_target(self) -> bool:
        """Whether it brings what was pulled to readers."""
        return self.source == TARGETS

    @property
    def extension(self) -> str | None:
        """The extension beside it."""
        name: str | None = self.settings["extension"]
        return name

    def function(
        self,
        environment: Mapping[str, str],
        *,
        layer: Path | None = None,
        timeout_s: int | None = None,
        memory_mb: int | None = None,
        region: str = "us-east-1",
    ) -> Function:
        """Return it as the runner takes it.

        Args:
            environment: Variables besides its own. Empty ones are left out.
            layer: What the layer of its extension has, as `lay_out` lays it out.
            timeout_s: Another time limit.
            memory_mb: Another memory limit.
            region: The AWS region.
        """
        variables = {**self.settings["environment"], **environment}
        return Function(
            name=self.name,
            task_root=self.folder.resolve(),
            handler=self.settings["handler"],
            timeout_s=self.settings["timeout_s"] if timeout_s is None else timeout_s,
            memory_mb=self.settings["memory_mb"] if memory_mb is None else memory_mb,
            ephemeral_mb=self.settings["ephemeral_mb"],
            runtime=self.settings["runtime"],
            environment={name: value for name, value in variables.items() if value},
            layers=(layer,) if layer else (),
            extensions=layer / "extensions" if layer else None,
            region=region,
        )


def described(folder: str | PathLike[str]) -> list[Described]:
    """Return the functions below a folder of `{source}/{endpoint}/lambda.yaml`.

    Raises:
        SettingsError: There are none.
        DefinitionError: A file is wrong.
    """
    functions = [
        Described(each.pop("source"), each.pop("endpoint"), each.pop("operation"), each)
        for each in json.loads(_core.lambda_functions(os.fspath(folder)))
    ]
    if not functions:
        message = f"there is no lambda.yaml below {os.fspath(folder)}"
        raise SettingsError(message)
    return functions


def lay_out(extension: Path, layer: Path) -> Path:
    """Lay an extension out as its layer does, without packing it.

    Args:
        extension: Its folder, below `extensions` of the project.
        layer: Where to; made if need be.

    Returns:
        The layer.

    Raises:
        SettingsError: There is no such extension.
    """
    name = extension.name
    program = extension / name
    if not program.is_file():
        message = f"there is no extension `{name}`"
        raise SettingsError(message, hint=f"it would be at {program}")
    (layer / "extensions").mkdir(parents=True, exist_ok=True)
    shutil.copy(program, layer / "extensions" / name)
    shutil.copytree(
        extension, layer / name, ignore=shutil.ignore_patterns("__pycache__", "*.md", name), dirs_exist_ok=True
    )
    # On AWS the layer has a copy of the package.
    (layer / name / "circulate_core").symlink_to(Path(circulate_core.__file__).parent)
    return layer
