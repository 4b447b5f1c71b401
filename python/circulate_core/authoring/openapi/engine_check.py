"""What the engine says of imported definitions, before any of them is written."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circulate_core import _core
from circulate_core.authoring.openapi.schemas import without_checks
from circulate_core.authoring.openapi.yaml_text import yaml_text
from circulate_core.exceptions import CirculateError, DefinitionError

if TYPE_CHECKING:
    from circulate_core.authoring.openapi.building import Builder
    from circulate_core.authoring.openapi.imported import ImportedList


def check_definitions(name: str, source: dict[str, Any], builder: Builder, hooks: Path) -> None:
    """Have the engine read all definitions, and leave out what it does not take, with its words.

    Raises:
        DefinitionError: What an overlay says is wrong.
    """
    with tempfile.TemporaryDirectory() as folder:
        checks = _Checks(name, Path(folder), builder)
        checks.write_source(source, hooks)
        while wrong := checks.wrong_lists():
            checks.refuse_overlay(wrong)
            for key, why in wrong.items():
                if not checks.repair(builder.lists[key]):
                    checks.leave_out(key, why)


class _Checks:
    """A catalog in a folder of its own, which is removed behind it."""

    def __init__(self, name: str, catalog: Path, builder: Builder) -> None:
        self.name = name
        self.catalog = catalog
        self.folder = catalog / name
        self.builder = builder
        self.folder.mkdir()

    def write_source(self, source: dict[str, Any], hooks: Path) -> None:
        """Write everything, and have the source itself read."""
        for file in hooks.glob("*.py"):
            shutil.copy(file, self.folder)
        (self.folder / "source.yaml").write_text(yaml_text(source, {}), encoding="utf-8")
        for each in self.builder.lists.values():
            self._write(each)
        try:
            self._catalog().source(self.name)
        except CirculateError as error:
            message = f"{self.builder.overlay.path or self.name}: {self._reason(error)}"
            raise DefinitionError(message, operation="import", hint=error.hint) from None

    def wrong_lists(self) -> dict[str, str]:
        """Return the lists whose endpoints the engine does not take, each with the reason."""
        catalog = self._catalog()
        wrong = {}
        for key, each in self.builder.lists.items():
            try:
                catalog.stream(f"{self.name}.{each.endpoint}")
            except CirculateError as error:
                wrong[key] = self._reason(error)
        return wrong

    def refuse_overlay(self, wrong: dict[str, str]) -> None:
        """Refuse an overlay by which definitions are wrong.

        Raises:
            DefinitionError: They are, and all of them are named.
        """
        overlay, lists = self.builder.overlay, self.builder.lists
        operations = self.builder.operations
        of_operations = {each.endpoint for each in operations if each.operation.key in overlay.operations}
        said = {key: why for key, why in wrong.items() if key in overlay.lists or lists[key].endpoint in of_operations}
        if said:
            message = "\n".join(f"{overlay.path}: {key}: {why}" for key, why in said.items())
            raise DefinitionError(message, operation="import", hint="correct what the overlay says of it")

    def repair(self, made: ImportedList) -> bool:
        """Leave out what of an endpoint the engine does not take; return whether that helped."""
        whole = made.definition.pop("operations", {})
        if not self._is_right(made):
            made.definition["operations"] = whole
            return False
        kept: dict[str, Any] = {}
        for name, operation in whole.items():
            made.definition["operations"] = {**kept, name: operation}
            if not self._is_right(made) and not self._is_right_without_schemas(made, name):
                self._leave_operation_out(made, name)
                continue
            kept[name] = operation
        made.definition["operations"] = kept
        if not kept:
            del made.definition["operations"]
        self._write(made)
        return True

    def leave_out(self, key: str, why: str) -> None:
        """Leave a list out, with the operations of its endpoint."""
        made = self.builder.lists.pop(key)
        (self.folder / f"{made.endpoint}.yaml").unlink()
        self.builder.left_out[key] = why
        for each in [each for each in self.builder.operations if each.endpoint == made.endpoint]:
            self.builder.operations.remove(each)
            self.builder.left_out[each.operation.key] = f"its endpoint is left out: {why}"

    def _is_right_without_schemas(self, made: ImportedList, name: str) -> bool:
        for parameter in made.definition["operations"][name].get("parameters", {}).values():
            if "schema" in parameter:
                parameter["schema"] = without_checks(parameter["schema"])
        if not self._is_right(made):
            return False
        note = f"{made.endpoint}.{name}: its schemas are not JSON Schemas that can be used; types remain"
        self.builder.notes.append(note)
        return True

    def _leave_operation_out(self, made: ImportedList, name: str) -> None:
        operations = self.builder.operations
        each = next(each for each in operations if (each.endpoint, each.name) == (made.endpoint, name))
        operations.remove(each)
        self.builder.left_out[each.operation.key] = "the engine does not take it as an operation"

    def _is_right(self, made: ImportedList) -> bool:
        self._write(made)
        try:
            self._catalog().stream(f"{self.name}.{made.endpoint}")
        except CirculateError:
            return False
        return True

    def _write(self, made: ImportedList) -> None:
        text = yaml_text(made.definition, {})
        (self.folder / f"{made.endpoint}.yaml").write_text(text, encoding="utf-8")

    def _catalog(self) -> _core.Catalog:
        return _core.Catalog([self.catalog], None, {})

    def _reason(self, error: CirculateError) -> str:
        """Return what is wrong by an error of the engine, without the excerpt."""
        return str(error).splitlines()[0].replace(f"{self.folder}/", "")
