"""The guide to testing: its blocks are done in an empty folder, and its tables name what there is."""

import re
from contextlib import ExitStack
from pathlib import Path

from support.cli import Cli
from support.followed_guides import BLOCK, Reader

from circulate_core.authoring.cassettes.promises import PROMISES, TEST_IDS

GUIDE = Path(__file__).resolve().parents[2] / "python/docs/testing.md"


def test_its_blocks_go_from_an_empty_folder_to_promises_that_are_kept(cli: Cli) -> None:
    with ExitStack() as stack:
        reader = Reader(cli, None, stack)
        for block in BLOCK.finditer(GUIDE.read_text()):
            reader.read(block["name"], block["kind"], block["text"])
        shown = re.findall(r"^(?:PROMISE|complete|key|429) .*$", GUIDE.read_text(), re.MULTILINE)
        done = reader.cli("replay", "tests/cassettes/acme.widgets.jsonl", "--faults", "429")
    assert reader.ran == ["init", "new", "record", "replay"]
    columns = [re.split(r"\s{2,}", line) for line in shown]
    assert [re.split(r"\s{2,}", line.rstrip()) for line in done.out.splitlines()] == columns


def test_it_names_every_promise() -> None:
    table = re.findall(r"^\| (`.*?) \|", GUIDE.read_text(), re.MULTILINE)
    named = [name for cell in table for name in re.findall(r"`(\w+)`", cell)]
    assert [name for name in named if name in PROMISES] == list(PROMISES)
    ids = re.findall(r"test_widgets\[(.*?)\]", GUIDE.read_text())
    assert set(ids) <= {TEST_IDS.get(name, name) for name in PROMISES}
