"""The state machines that `circulate package` writes: of playbooks whose functions a project has."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from support.called import define
from support.changed_things import OPERATIONS
from support.cli import Cli
from support.machines import deployed
from support.packages import make_wheel, write
from support.playing import INPUTS, STEPS

from circulate_core.aws.packaging.machines import machines_of
from circulate_core.aws.project import described
from circulate_core.exceptions import DefinitionError, SettingsError

NEEDED = ("get", "update", "suspend", "tag", "unsuspend", "untag")


def project(folder: Path, source: str, endpoint: str, operations: tuple[str, ...], catalog: str | None = None) -> Path:
    """Write functions; return their folder."""
    where = folder / "lambdas/lib" / source / endpoint
    named = f', catalog="{catalog}"' if catalog else ""
    # They are what is given: which operations functions may be for is not what is tested here.
    made = "\n".join(f'{name} = puller("{source}.{endpoint}"{named})' for name in operations)
    write(where / "handler.py", f'"""Functions."""\n\nfrom circulate_core.aws import puller\n\n{made}\n')
    reads = {"list": "", "get": ""}
    functions = "\n".join(
        f"  {each}: {{handler: handler.{each}{reads.get(each, ', reads: false')}}}" for each in operations
    )
    write(where / "lambda.yaml", f"source: {source}\nendpoint: {endpoint}\nfunctions:\n{functions}\n")
    return folder / "lambdas/lib"


def playbook(folder: Path, name: str = "rename", file: str | None = None, **more: Any) -> Path:  # noqa: ANN401 - JSON
    document = {"playbook": name, "about": "Renames.", "inputs": INPUTS, "steps": STEPS, **more}
    return write(folder / f"lambdas/playbooks/{file or name}.yaml", json.dumps(document))


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Write a project of a source of one's own; return the folder of its functions."""
    define(tmp_path, OPERATIONS)
    return project(tmp_path, "acme", "things", NEEDED, "catalog")


def test_a_projects_own_playbooks_become_state_machines(own: Path, tmp_path: Path) -> None:
    playbook(tmp_path)
    playbook(tmp_path, "look", inputs={"id": INPUTS["id"]}, steps=STEPS[:1])
    machines = machines_of(own, described(own))
    assert list(machines) == ["look.asl.json", "rename-undo.asl.json", "rename.asl.json"], "what only reads has no undo"
    for text in machines.values():
        assert json.loads(deployed(text))["StartAt"] == "Begin"
    assert '"${functions}acme-things-unsuspend"' in machines["rename-undo.asl.json"]


def test_a_playbook_whose_functions_a_project_lacks_is_refused_with_their_names(own: Path, tmp_path: Path) -> None:
    (own / "acme/things/lambda.yaml").write_text(
        "source: acme\nendpoint: things\nfunctions:\n  get: {handler: handler.get}\n"
    )
    playbook(tmp_path)
    with pytest.raises(SettingsError) as raised:
        machines_of(own, described(own))
    for name in NEEDED[1:]:
        assert f"acme.things.{name}" in str(raised.value)


def test_two_playbooks_of_one_name_are_refused(own: Path, tmp_path: Path) -> None:
    playbook(tmp_path)
    playbook(tmp_path, file="other")
    with pytest.raises(DefinitionError, match="are both called `rename`"):
        machines_of(own, described(own))


def test_a_wrong_playbook_is_named_with_its_line_before_anything_is_built(own: Path, tmp_path: Path) -> None:
    file = playbook(tmp_path, steps=[{**STEPS[0], "operation": "acme.things.gte"}])
    with pytest.raises(DefinitionError, match=r"did you mean `get`\?") as raised:
        machines_of(own, described(own))
    assert str(file) in str(raised.value)


def test_shipped_playbooks_are_written_where_there_are_their_functions(tmp_path: Path) -> None:
    lib = project(tmp_path, "okta", "users", ("list", "get", "suspend", "unsuspend", "clear_sessions"))
    assert machines_of(lib, described(lib)) == {}
    lib = project(tmp_path, "okta", "users", ("list", "get", "suspend", "unsuspend", "clear_sessions", "revoke_grants"))
    assert list(machines_of(lib, described(lib))) == ["contain_account-undo.asl.json", "contain_account.asl.json"]
    # One's own of that name comes before it.
    user = {"id": "user", "operation": "okta.users.get", "parameters": {"id": "{inputs/id}"}}
    playbook(tmp_path, "contain_account", inputs={"id": INPUTS["id"]}, steps=[user])
    assert list(machines_of(lib, described(lib))) == ["contain_account.asl.json"]


def test_the_command_writes_them_and_removes_those_that_are_no_more(cli: Cli, own: Path, tmp_path: Path) -> None:
    assert own.is_relative_to(cli.folder)
    file = playbook(tmp_path)
    wheel = make_wheel(tmp_path)
    done = cli("package", "--wheel", wheel)
    assert done.code == 0, done.err
    assert "state machines of playbooks: rename-undo.asl.json, rename.asl.json" in done.out
    made = own.parent / ".build/playbooks"
    assert sorted(each.name for each in made.iterdir()) == ["rename-undo.asl.json", "rename.asl.json"]
    first = (made / "rename.asl.json").read_bytes()
    assert cli("package", "--wheel", wheel, "--json").report["machines"] == [
        f"lambdas/.build/playbooks/{name}" for name in ("rename-undo.asl.json", "rename.asl.json")
    ]
    assert (made / "rename.asl.json").read_bytes() == first
    file.unlink()
    assert cli("package", "--wheel", wheel).code == 0
    assert list(made.iterdir()) == []
    shutil.rmtree(made)
    assert cli("package", "--wheel", wheel).code == 0
    assert not made.exists(), "a project without playbooks has no folder of theirs"
