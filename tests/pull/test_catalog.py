"""The shipped definitions, their schemas, and the wheel they travel in."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from circulate_core import _core
from circulate_core.catalogs import SHIPPED_CATALOG

CATALOG = Path(SHIPPED_CATALOG)
ROOT = Path(__file__).resolve().parents[2]
DEFINITIONS = sorted(CATALOG.glob("*/*.yaml"))


def schema_of(definition: Path) -> Any:  # noqa: ANN401 - a JSON document
    kind = "source" if definition.name == "source.yaml" else "endpoint"
    return json.loads((CATALOG / f"{kind}.schema.json").read_text())


def test_the_schemas_are_those_of_the_model() -> None:
    shipped = {path.name: json.loads(path.read_text()) for path in CATALOG.glob("*.schema.json")}
    assert shipped == _core.json_schemas(), "the model has changed: make schemas"


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_definitions_fit_their_schema(definition: Path) -> None:
    schema = schema_of(definition)
    jsonschema.Draft202012Validator.check_schema(schema)
    document = yaml.safe_load(definition.read_text())
    assert list(jsonschema.Draft202012Validator(schema).iter_errors(document)) == []


def test_definitions_name_their_schema_for_editors() -> None:
    for definition in DEFINITIONS:
        first = definition.read_text().splitlines()[0]
        assert (definition.parent / first.removeprefix("# yaml-language-server: $schema=")).is_file(), definition


def test_the_source_distribution_holds_what_a_build_needs(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "maturin", "sdist", "--out", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (archive,) = tmp_path.glob("*.tar.gz")
    listed = subprocess.run(["tar", "-tzf", archive], check=True, capture_output=True, text=True).stdout  # noqa: S607
    for needed in (
        "Cargo.lock",
        "rust/circulate-core/src/lib.rs",
        "rust/circulate-python/src/lib.rs",
        "python/circulate_core/catalog/okta/users.yaml",
        "python/circulate_core/_core.pyi",
        "LICENSE",
    ):
        assert f"/{needed}\n" in listed, needed
    assert ".so\n" not in listed
