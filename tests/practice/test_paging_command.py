"""The command that serves a list: what it prints and writes, how it ends, and what it says to wrong flags."""

import argparse
import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
import yaml
from support.commands import PATIENCE

from circulate_practice.paging.kit import STYLES, TRAPS, PagedList, make_records, serve
from circulate_practice.paging.kit.command import add_arguments, run
from circulate_practice.paging.kit.definitions import write_definition


def parsed(*flags: str) -> argparse.Namespace:
    """Return the parsed flags of the command."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(flags)


def test_it_serves_until_a_signal_comes(tmp_path: Path) -> None:
    flags = ["--style", "page_pages", "--trap", "short_page", "--records", "31", "--page-size", "7"]
    with subprocess.Popen(
        [sys.executable, "-m", "circulate_practice.paging.kit", *flags, "--catalog", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        start = r"practice list: (http://127\.0\.0\.1:\d+)/items"
        found = re.fullmatch(rf"{start}  style: page_pages  trap: short_page  records: 30\n", line)
        assert found is not None, line
        with urllib.request.urlopen(f"{found[1]}/items?page=2&limit=7") as response:
            assert len(json.load(response)["items"]) == 6
        process.send_signal(signal.SIGTERM)
        rest, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, rest) == (0, "")
    assert errors.splitlines() == [
        f"export PRACTICE_URL={found[1]}",
        f"circulate pull practice.items --catalog {tmp_path} --to ./lake --account practice",
    ]
    assert sorted(path.name for path in (tmp_path / "practice").iterdir()) == ["items.yaml", "source.yaml"]


@pytest.mark.parametrize("style", STYLES)
def test_the_definition_in_files_is_the_one_in_code(style: str, tmp_path: Path) -> None:
    with serve(PagedList(make_records(3), style=style)) as server:
        folder = write_definition(server.source(), server.endpoints(), tmp_path)
        written = {path.stem: yaml.safe_load(path.read_text()) for path in folder.iterdir()}
        described = server.definition()
    assert written["source"] == described["source"]
    assert written["items"] == {"endpoint": "items", **described["endpoints"]["items"]}


def test_it_lists_styles_and_traps(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(parsed("--names")) == 0
    shown = capsys.readouterr().out
    abouts = {name: style.about for name, style in STYLES.items()} | {name: trap.about for name, trap in TRAPS.items()}
    for name, about in abouts.items():
        assert re.search(rf"^  {name} +{re.escape(about)}$", shown, re.MULTILINE)


@pytest.mark.parametrize(
    ("flags", "error"),
    [
        (["--style", "pages"], "there is no style 'pages'"),
        (["--trap", "hole"], "there is no trap 'hole'"),
        (["--page-size", "0"], "--page-size is 1 or more"),
        (["--trap", "short_page", "--records", "3"], "3 records are too few for a trap"),
    ],
)
def test_wrong_flags_are_reported(flags: list[str], error: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(parsed(*flags)) == 2
    assert capsys.readouterr().err.startswith(f"error: {error}")


def test_a_port_that_is_taken_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert run(parsed("--port", str(taken.getsockname()[1]))) == 1
        port = taken.getsockname()[1]
    assert capsys.readouterr().err == f"error: cannot listen on 127.0.0.1:{port}: Address already in use\n"


def test_a_definition_of_somebody_else_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "practice/source.yaml"
    file.parent.mkdir()
    file.write_text("source: practice\n")
    assert run(parsed("--catalog", str(tmp_path))) == 1
    assert capsys.readouterr().err.startswith(f"error: {file} is another definition")
    assert file.read_text() == "source: practice\n"


def test_its_own_definition_is_made_anew(tmp_path: Path) -> None:
    for style in ("token", "offset"):
        with serve(PagedList(make_records(3), style=style)) as server:
            folder = write_definition(server.source(), server.endpoints(), tmp_path)
    assert "offset" in (folder / "items.yaml").read_text()
