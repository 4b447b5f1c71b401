"""The state machines of a project's playbooks, and of the shipped ones whose functions it has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circulate_core.aws.packaging.contents import handlers_made
from circulate_core.aws.packaging.definitions import own_catalogs
from circulate_core.exceptions import DefinitionError, SettingsError
from circulate_core.playbooks.asl import compiled, functions_of
from circulate_core.playbooks.definition import read_playbook, shipped_names

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from circulate_core.aws.project import Described
    from circulate_core.playbooks.definition import Written

PLAYBOOKS = "playbooks"
"""The folder beside functions that has a project's own playbooks, and that in which state machines are written."""
SUFFIX = ".asl.json"


def machines_of(lambdas: Path, functions: Sequence[Described]) -> dict[str, str]:
    """Return the state machines of a project, by the names of their files: of each playbook that, and its undo.

    Args:
        lambdas: The folder of functions. A project's own playbooks are in the folder `playbooks` beside it.
        functions: The functions.

    Raises:
        DefinitionError: A playbook is wrong, or two have one name.
        SettingsError: The project has not all functions that its own playbooks call. All of them are named.
    """
    catalog = own_catalogs([made for each in functions for made in handlers_made(each)])
    there = {f"{each.source}.{each.endpoint}.{each.operation}" for each in functions}
    own: dict[str, Written] = {}
    missing = []
    for file in sorted((lambdas.parent / PLAYBOOKS).glob("*.yaml")):
        written = read_playbook(file, catalog=catalog)
        if written.name in own:
            message = f"{own[written.name].named} and {file} are both called `{written.name}`"
            raise DefinitionError(message)
        own[written.name] = written
        if lacking := [each for each in functions_of(written) if each not in there]:
            missing.append(f"{file} calls {', '.join(lacking)}")
    if missing:
        message = f"playbooks call operations that no function of this project is for: {'; '.join(missing)}"
        raise SettingsError(message, operation="package", hint="add them to the `lambda.yaml` of their endpoints")
    shipped = [read_playbook(name) for name in shipped_names() if name not in own]
    machines: dict[str, str] = {}
    for written in [*own.values(), *(each for each in shipped if there.issuperset(functions_of(each)))]:
        machines[f"{written.name}{SUFFIX}"] = compiled(written, undo=False)
        if not all(map(written.reads, written.steps)):
            machines[f"{written.name}-undo{SUFFIX}"] = compiled(written, undo=True)
    return dict(sorted(machines.items()))
