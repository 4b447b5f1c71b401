"""The guide to a source of one's own: its files are written to an empty folder, and its commands run there."""

import re
import shlex
from pathlib import Path

from support.cli import Cli
from support.own_source import acme, settings
from support.packages import make_wheel, names, write

GUIDE = Path(__file__).resolve().parents[2] / "python/docs/own-source.md"
NAMED_FILE = re.compile(r"^`([\w/]+\.(?:yaml|py))`[^\n]*:\n\n```\w+\n(.*?)^```", re.DOTALL | re.MULTILINE)
COMMAND = re.compile(r"^\$ (circulate .*)$", re.MULTILINE)


def test_its_files_and_commands_go_from_an_empty_folder_to_zips(cli: Cli) -> None:
    text = GUIDE.read_text()
    files = dict(NAMED_FILE.findall(text))
    assert len(files) == 4
    for name, content in files.items():
        write(cli.folder / name, content)
    commands = [command.split(" && ")[0] for command in COMMAND.findall(text)]
    assert [command.split()[1] for command in commands] == [
        "check",
        "sample",
        "pull",
        "check",
        "local",
        "package",
        "check",
    ]
    wheel = make_wheel(cli.folder)
    with acme() as url:
        for command in commands:
            words = shlex.split(command)[1:]
            # The engine of a checkout is built for minutes.
            more: list[str | Path] = ["--wheel", wheel] if words[0] == "package" else []
            done = cli(*words, *more, CIRCULATE_CATALOG="definitions", **settings(url))
            assert done.code == 0, f"{command}: {done.err}"
            if words[0] == "pull":
                assert "120 records in 3 pages → 1 object, 578 bytes (5.1 kB before compression)" in done.err
    zipped = names(cli.folder / "lambdas/.build/circulate-acme-widgets-list.zip")
    assert zipped == ["definitions/acme/source.yaml", "definitions/acme/widgets.yaml", "handler.py"]
    assert (cli.folder / "lambdas/iac/functions.tf").is_file()
