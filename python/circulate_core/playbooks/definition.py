"""Playbooks as they are written: found by name or file, read, and checked."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict, cast

from circulate_core import _core
from circulate_core.catalogs import catalog_of
from circulate_core.exceptions import DefinitionError
from circulate_core.operations import as_json, operation_definition, split

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

    from circulate_core.types import Catalog, OperationDefinition, ParameterDefinition

SHIPPED = Path(__file__).parent
"""The folder of the shipped ones."""
SUFFIXES = (".yaml", ".yml", ".json")


class StepDefinition(TypedDict):
    """A step of a playbook."""

    id: str
    """What it is called."""
    operation: str
    """The operation."""
    parameters: NotRequired[dict[str, Any]]
    """Its parameters, as templates."""
    success_criteria: NotRequired[dict[str, list[Any]]]
    """Values of which members of the result have one, if it succeeded."""
    on_failure: NotRequired[str]
    """What happens if it fails."""


class PlaybookDefinition(TypedDict):
    """A playbook, as it is written."""

    playbook: str
    """What it is called."""
    about: str
    """What it does."""
    inputs: NotRequired[dict[str, ParameterDefinition]]
    """What has to be said to run it."""
    steps: list[StepDefinition]
    """What is done."""


@dataclass(frozen=True)
class Written:
    """A playbook that was read.

    Attributes:
        definition: What it says.
        sha256: Digest of its text.
        operations: The definitions of its operations, by their names.
        catalog: Where these are defined.
        named: What it was found by.
    """

    definition: PlaybookDefinition
    sha256: str
    operations: Mapping[str, OperationDefinition]
    catalog: Catalog
    named: str

    @property
    def name(self) -> str:
        """What it is called."""
        return self.definition["playbook"]

    @property
    def steps(self) -> list[StepDefinition]:
        """What is done."""
        return self.definition["steps"]

    @property
    def inputs(self) -> dict[str, ParameterDefinition]:
        """What has to be said to run it."""
        return self.definition.get("inputs", {})

    @property
    def about_inputs(self) -> str:
        """The inputs with what they are, in a line."""
        return "; ".join(f"{name}: {each['about'].rstrip('.')}" for name, each in self.inputs.items())

    @property
    def sources(self) -> list[str]:
        """The sources that it calls."""
        return sorted({source_of(step["operation"]) for step in self.steps})

    def reads(self, step: StepDefinition) -> bool:
        """Return whether a step changes nothing."""
        return self.operations[step["operation"]]["kind"] == "investigate"

    def is_destructive(self, operation: str) -> bool:
        """Return whether a person has to agree to an operation: one of it, or one that undoes it."""
        return operation_definition(operation, catalog=self.catalog)[1].get("destructive", False)

    def checked_inputs(self, given: Mapping[str, object]) -> dict[str, Any]:
        """Return the inputs with the defaults of those that are not given.

        Raises:
            SettingsError: One is missing, unknown or wrong. All of them are named.
        """
        return _core.playbook_inputs(self.name, json.dumps(self.inputs), as_json(given))


def source_of(operation: str) -> str:
    """Return the source of an operation."""
    return operation.partition(".")[0]


def read_playbook(named: str | PathLike[str], *, catalog: Catalog = ()) -> Written:
    """Read a playbook.

    Args:
        named: The name of a shipped one, or a file.
        catalog: Folders of definitions that come before the shipped ones.

    Raises:
        DefinitionError: There is no such playbook, or it is wrong. All that is wrong is named, with its line.
    """
    name = os.fspath(named)
    is_file = os.sep in name or name.endswith(SUFFIXES)
    file = Path(name) if is_file else SHIPPED / f"{name}.yaml"
    if not is_file and name not in shipped_names():
        raise _unknown(name)
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = f"cannot read the playbook {file}: {getattr(error, 'strerror', None) or error}"
        raise DefinitionError(message) from None
    definition = cast("PlaybookDefinition", catalog_of(catalog).playbook(text, file if is_file else f"{name}.yaml"))
    operations = {
        step["operation"]: operation_definition(step["operation"], catalog=catalog)[1] for step in definition["steps"]
    }
    return Written(definition, hashlib.sha256(text.encode()).hexdigest(), operations, catalog, name)


def shipped_names() -> list[str]:
    """Return the names of the shipped playbooks."""
    return sorted(file.stem for file in SHIPPED.glob("*.yaml"))


def undoing(written: Written, step: StepDefinition) -> str | None:
    """Return the operation that undoes a step; None if nothing does."""
    way = written.operations[step["operation"]].get("undo", {})
    named = way.get("operation")
    if named is None:
        return None
    stream, _ = split(step["operation"])
    return f"{stream}.{named}" if "." not in named else f"{stream.partition('.')[0]}.{named}"


def _unknown(name: str) -> DefinitionError:
    from difflib import get_close_matches  # noqa: PLC0415 - for mistakes only

    known = shipped_names()
    meant = get_close_matches(name, known, 1)
    hint = f"did you mean `{meant[0]}`?" if meant else f"the shipped ones: {', '.join(known)}"
    if Path(name).is_file():
        hint = f"write `./{name}` to name the file"
    message = f"there is no playbook `{name}`"
    return DefinitionError(
        message, hint=f"{hint}; one of your own is named by its file, ending in .yaml" if not meant else hint
    )
