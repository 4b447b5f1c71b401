"""The guide to a first source: its commands run in an empty folder, and what it shows is what there is."""

import re
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.cli import Cli
from support.followed_guides import BLOCK, Reader
from support.packages import make_wheel

from circulate_core.authoring.described import AUTH, PAGINATORS

GUIDE = Path(__file__).resolve().parents[2] / "python/docs/first-source.md"


def test_its_commands_go_from_an_empty_folder_to_zips(cli: Cli, tmp_path: Path) -> None:
    with ExitStack() as stack:
        reader = Reader(cli, make_wheel(tmp_path), stack)
        for block in BLOCK.finditer(GUIDE.read_text()):
            reader.read(block["name"], block["kind"], block["text"])
    own = ["init", "new", "check", "sample", "pull", "verify", "check", "local", "package"]
    assert reader.ran == own
    assert (reader.cli.folder / "lambdas/.build/circulate-acme-widgets-list.zip").is_file()


def test_its_table_of_paginators_is_what_flags_take() -> None:
    rows = re.findall(r"^\| `(\w+)` \|[^|]*\|([^|]*)\|([^|]*)\|$", GUIDE.read_text(), re.MULTILINE)
    listed = {name: (re.findall(r"--([\w-]+)", needs), re.findall(r"--([\w-]+)", takes)) for name, needs, takes in rows}
    assert listed == {name: (list(kind.needs), list(kind.takes)) for name, kind in PAGINATORS.items()}


@pytest.mark.parametrize("kind", AUTH)
def test_it_names_every_way_to_sign_in(kind: str) -> None:
    assert f"`{kind}`" in GUIDE.read_text()
