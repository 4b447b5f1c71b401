"""The functions of a project: what its `lambda.yaml` files describe."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circulate_core import _core
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
        """Return whether it is meant by a name: its own, the short one, or `source.endpoint.operation`."""
        return name in {self.name, self.short, f"{self.source}.{self.endpoint}.{self.operation}"}

    @property
    def short(self) -> str:
        """What it is called for short: by its endpoint, if that is all it is about, else with its operation too."""
        endpoint = f"{self.source}.{self.endpoint}"
        return endpoint if self.is_target or self.is_list else f"{endpoint}.{self.operation}"

    @property
    def is_list(self) -> bool:
        """Whether it pulls the list of its endpoint."""
        return self.operation == "list"

    @property
    def is_target(self) -> bool:
        """Whether it brings what was pulled to readers."""
        return self.source == TARGETS

    @property
    def is_writer(self) -> bool:
        """Whether it changes something at the API."""
        return not self.is_target and not self.settings["reads"]

    @property
    def extension(self) -> str | None:
        """The extension beside it."""
        name: str | None = self.settings["extension"]
        return name


def described(folder: str | PathLike[str]) -> list[Described]:
    """Return the functions below a folder of `{source}/{endpoint}/lambda.yaml`.

    Raises:
        SettingsError: There are none.
        DefinitionError: A file is wrong.
    """
    functions = [
        Described(each.pop("source"), each.pop("endpoint"), each.pop("operation"), each)
        for each in _core.lambda_functions(os.fspath(folder))
    ]
    if not functions:
        message = f"there is no {{source}}/{{endpoint}}/lambda.yaml in {os.fspath(folder)}"
        deeper = next((file.parents[2] for file in sorted(Path(folder).rglob("lambda.yaml"))), None)
        raise SettingsError(
            message, hint=f"there are functions in {deeper}: name that by --lambdas" if deeper else None
        )
    return functions
