"""Playbooks of things that can be changed, run here."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import circulate_core
from circulate_core import Playbook, PlaybookRun, _core
from support.called import define
from support.changed_things import OPERATIONS, ChangedThings

STEPS: list[dict[str, Any]] = [
    {"id": "thing", "operation": "acme.things.get", "parameters": {"id": "{inputs/id}"}},
    {
        "id": "rename",
        "operation": "acme.things.update",
        "parameters": {"id": "{steps/thing/returned/id}", "profile": {"name": "{inputs/name}"}},
    },
    {"id": "suspend", "operation": "acme.things.suspend", "parameters": {"id": "{steps/thing/returned/id}"}},
    {"id": "tag", "operation": "acme.things.tag", "parameters": {"id": "{inputs/id}", "tag": "{inputs/name}"}},
]
INPUTS: dict[str, Any] = {"id": {"about": "Id of the thing."}, "name": {"about": "A name.", "default": "new"}}
EFFECTS = ["update t1", "suspend t1", "tag t1 new"]
"""What the steps do to `t1`, each of them once."""
UNDONE = ["untag t1 new", "unsuspend t1", "update t1"]
"""What their undo does."""


def steps(**changes: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the steps, with changes of some by their ids."""
    return [{**step, **changes.get(step["id"], {})} for step in STEPS]


@dataclass
class Plays:
    """Writes playbooks of things, and runs them.

    Attributes:
        folder: Where files are.
        things: What they change.
    """

    folder: Path
    things: ChangedThings
    ledger: Path = field(init=False)
    catalog: Path = field(init=False)

    def __post_init__(self) -> None:
        """Write the definitions."""
        self.catalog = define(self.folder, OPERATIONS)
        self.ledger = self.folder / "ledger.db"

    def write(self, steps: list[dict[str, Any]], inputs: dict[str, Any] | None = None, name: str = "rename") -> Path:
        """Write a playbook, and return its file."""
        file = self.folder / f"{name}.yaml"
        document = {
            "playbook": name,
            "about": "Renames a thing.",
            "inputs": INPUTS if inputs is None else inputs,
            "steps": steps,
        }
        file.write_text(json.dumps(document, indent=1))
        return file

    def read(self, steps: list[dict[str, Any]] = STEPS, inputs: dict[str, Any] | None = None) -> Playbook:
        """Write a playbook, and read it."""
        return self.named(self.write(steps, inputs))

    def named(self, file: Path) -> Playbook:
        """Read a playbook."""
        return circulate_core.playbook(
            file, settings=self.settings, catalog=[self.catalog], ledger=self.ledger, account="main"
        )

    @property
    def settings(self) -> dict[str, str]:
        """The settings of the account."""
        return {"base_url": self.things.url, "token": "t0ken"}

    def known(self) -> dict[str, Any]:
        """Return what is known of the account."""
        settings = _core.Settings(self.settings)
        return {
            "settings": settings,
            "secret": None,
            "account": "main",
            "headroom": None,
            "catalog": [str(self.catalog)],
        }


def statuses(run: PlaybookRun) -> dict[str, str]:
    """Return what became of each step."""
    return {step.id: step.status for step in run.steps}


def alike(document: Any) -> Any:  # noqa: ANN401 - JSON
    """Return the document of a run without what differs from run to run: digests, times, names, causes."""
    text = json.dumps({**document, "run": "-", "undoes": "-"}, sort_keys=True)
    text = re.sub(r"@[0-9a-f]{12,64}", "@-", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT[0-9:.]+Z", "-", text)
    found = json.loads(text)
    # Only a run here knows them.
    found.pop("ledger", None)
    found.pop("addresses", None)
    for step in [*found["steps"], *(found.get("undo") or {"steps": []})["steps"]]:
        if "error" in step:
            step["error"].pop("Cause")
    if "undo" in found:
        found["undo"] |= {"run": "-", "undoes": "-"}
    return found
