"""The notebooks of the documentation run, and hold what they showed when they did."""

import base64
import getpass
import json
import re
import socket
from pathlib import Path
from typing import Any

import pytest
from support import notebooks
from support.cli import PLENTY

from circulate_practice import PracticeOrg

FILES = sorted(notebooks.NOTEBOOKS.glob("*.ipynb"))


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def path(request: pytest.FixtureRequest) -> Path:
    """Give each notebook in turn."""
    path: Path = request.param
    return path


def code_cells(notebook: Any) -> list[Any]:  # noqa: ANN401 - JSON
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def outputs(notebook: Any) -> list[Any]:  # noqa: ANN401 - JSON
    return [output for cell in code_cells(notebook) for output in cell["outputs"]]


def test_a_notebook_runs_against_a_practice_org(path: Path, tmp_path: Path) -> None:
    with notebooks.practice_org(path.stem, rate_limit=PLENTY) as org:
        notebook = notebooks.run(path, org, tmp_path)
    kinds = {output["output_type"] for output in outputs(notebook)}
    assert kinds <= {"display_data", "execute_result"}, "nothing is written to stderr, and no cell fails"
    assert all("image/svg+xml" not in output.get("data", {}) for output in outputs(notebook))


def test_a_notebook_is_committed_as_it_was_run(path: Path) -> None:
    notebook = json.loads(path.read_text())
    cells = code_cells(notebook)
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1)), "run it: make notebooks"
    assert any(cell["outputs"] for cell in cells)
    assert all(cell["metadata"] == {} for cell in notebook["cells"])
    assert set(notebook["metadata"]) == {"kernelspec", "language_info"}
    assert path.read_text() == notebooks.written(notebook)


def test_a_notebook_shows_nothing_of_the_machine_and_no_secret(path: Path) -> None:
    shown = json.dumps([output.get("data", {}) for output in outputs(json.loads(path.read_text()))])
    shown = re.sub(r'"image/png": "[^"]*"', "", shown)
    assert "practice-token" not in shown
    assert not re.search(r"/(?:root|tmp|work|home/(?!you\b))", shown)
    assert not re.search(r"127\.0\.0\.1[:-](?!8080)\d", shown)
    assert not re.search(r" at 0x[0-9a-f]{6,}", shown)
    assert socket.gethostname() not in shown
    assert getpass.getuser() == "you" or f"/{getpass.getuser()}/" not in shown


def test_the_code_of_the_guide_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    guide = (notebooks.NOTEBOOKS.parent / "notebooks.md").read_text()
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    with PracticeOrg(users=30, events=300, rate_limit=PLENTY) as org:
        monkeypatch.setenv("OKTA_ORG_URL", org.url)
        monkeypatch.setenv("OKTA_API_TOKEN", org.token)
        for code in re.findall(r"```python\n(.*?)```", guide, re.DOTALL):
            exec(code, names)  # noqa: S102 - our own
    assert names["manifest"].verdict == "complete"


def test_pictures_of_a_notebook_are_small(path: Path) -> None:
    pictures = [
        output["data"]["image/png"]
        for output in outputs(json.loads(path.read_text()))
        if "data" in output and "image/png" in output["data"]
    ]
    assert pictures
    for picture in pictures:
        assert len(base64.b64decode("".join(picture))) <= notebooks.PICTURE_BYTES
