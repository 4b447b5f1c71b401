"""Runs the notebooks of the documentation against a practice org: for tests, and to write their outputs.

`make notebooks` does the latter. The org's clock begins at one of few times, and everything in it follows from a seed,
so that a rerun shows the same data. What differs from machine to machine is taken out: paths, ports, metadata.
"""

from __future__ import annotations

import json
import math
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from nbclient import NotebookClient
from traitlets.config import Config

from circulate_practice import PracticeOrg

if TYPE_CHECKING:
    from collections.abc import Callable

NOTEBOOKS = Path(__file__).resolve().parents[2] / "python/docs/notebooks"
FIRST_BEGIN, PERIOD = 1_795_132_800, 84 * 86_400
"""When the org starts, by its own clock: 2026-11-20, a Friday, or a number of twelve weeks later.

Always the same time would show always the same data; but it may not lie so far back that the engine knows that no org
would show it.
"""
DAYS = 63
"""Days of events before that."""
PICTURE_BYTES = 150_000
"""Most bytes of a picture."""
SHOWN_FOLDER, SHOWN_URL = "/home/you", "http://127.0.0.1:8080"
"""What stands in outputs for the folder in which a notebook ran, and for the org's address."""


class Clock:
    """A clock that stands still until it is started."""

    def __init__(self, begin: float) -> None:
        self._begin = begin
        self._started: float | None = None

    def start(self) -> None:
        """Let it run."""
        self._started = time.monotonic()

    def __call__(self) -> float:
        """Return the time, in epoch seconds."""
        return self._begin + (0.0 if self._started is None else time.monotonic() - self._started)


def practice_org(notebook: str, **limits: Any) -> PracticeOrg:  # noqa: ANN401 - passed on
    """Return an org, not yet started, that has what a notebook looks at.

    Args:
        notebook: Name of the notebook.
        limits: What the org holds back: other arguments of it.
    """
    begin = FIRST_BEGIN + (int(time.time()) - FIRST_BEGIN) // PERIOD * PERIOD
    clock = Clock(begin)
    org = ORGS[notebook](begin, clock=clock, **limits)
    clock.start()
    return org


def _busy_org(begin: float, **options: Any) -> PracticeOrg:  # noqa: ANN401 - passed on
    """Return an org whose log shows working days, a night job, and one bad night."""
    org = PracticeOrg(users=60, apps=8, events=0, **options)
    drawn = random.Random(1)  # noqa: S311 - made-up events
    for minute in range(DAYS * 1440):
        before = (DAYS * 1440 - minute) * 60.0
        if count := _events_in_minute(begin - before, before, drawn):
            org.add_events(count, late=before - drawn.random() * 60)
    return org


def _org_with_leavers(begin: float, **options: Any) -> PracticeOrg:  # noqa: ANN401 - passed on
    """Return an org that people joined and left in the last two years, more of them of late.

    Whoever was there before has not signed in for long. The last two applications have those who joined, too.
    """
    org = PracticeOrg(
        users=80, apps=9, app_users=(0, 40), user_factors=(0, 2), role_assignees=9, events=0, seed=7, **options
    )
    for number in range(44, 0, -1):
        org.change(5, at=begin - 86_400 * (number * number * 0.4 + 2))
    org.add_app(users=114)
    org.add_app(users=100)
    return org


def _org_of_assignments(_begin: float, **options: Any) -> PracticeOrg:  # noqa: ANN401 - passed on
    """Return an org with some people and applications, whose assignments a notebook changes."""
    return PracticeOrg(users=60, apps=6, app_users=(4, 30), events=0, seed=35, **options)


def _org_of_lists(_begin: float, **options: Any) -> PracticeOrg:  # noqa: ANN401 - passed on
    """Return an org with some hundred people and a few groups."""
    return PracticeOrg(users=400, groups=12, group_members=(0, 60), apps=0, events=0, **options)


ORGS: dict[str, Callable[..., PracticeOrg]] = {
    "system_log": _busy_org,
    "okta_access": _org_with_leavers,
    "access_over_time": _org_of_assignments,
    "unknown_api": _org_of_lists,
}
"""The org of each notebook."""


def _events_in_minute(at: float, before: float, drawn: random.Random) -> int:
    """Return how many events happened in a minute: more on working days, some by jobs, many in one bad night.

    Args:
        at: The minute, in epoch seconds.
        before: How many seconds before the start of the org that was.
        drawn: Chance.
    """
    day, hour = int(at // 86_400), at % 86_400 / 3600
    is_weekend = (day + 3) % 7 >= 5  # 1970-01-01 was a Thursday
    office = math.exp(-(((hour - 9.5) / 2.0) ** 2)) + 0.8 * math.exp(-(((hour - 14.5) / 2.2) ** 2))
    expected = 0.12 + (0.15 if is_weekend else 1.6) * office
    expected += 1.5 if hour % 24 < 0.25 else 0.0
    if 4 * 86_400 < before <= 5 * 86_400 and 2 <= hour < 4:
        expected += 9.0
    return int(expected + drawn.random() * (1 + expected) * 0.6)


def run(path: Path, org: PracticeOrg, folder: Path) -> Any:  # noqa: ANN401 - nbformat has no types
    """Run a notebook in a folder and return it with its outputs.

    Raises:
        CellExecutionError: A cell failed.
    """
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    settings = folder / "circulate.toml"
    settings.write_text('[okta]\naccount = "acme"\n')
    settings.chmod(0o600)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("OKTA_")},
        "OKTA_ORG_URL": org.url,
        "OKTA_API_TOKEN": org.token,
        "HOME": str(folder),
        "IPYTHONDIR": str(folder / ".ipython"),
        "MPLCONFIGDIR": str(folder / ".matplotlib"),
    }
    # Others on this machine are to have no part in it: no port, but a file.
    private = Config({"KernelManager": {"transport": "ipc", "ip": str(folder / "kernel")}})
    place = {"metadata": {"path": str(folder)}}
    client = NotebookClient(notebook, timeout=100, kernel_name="python3", resources=place, config=private)
    client.execute(env=environment)
    return tidied(notebook, {str(folder): SHOWN_FOLDER, org.url: SHOWN_URL})


def tidied(notebook: Any, names: dict[str, str]) -> Any:  # noqa: ANN401 - see above
    """Take what is of this machine or run only out of a notebook, and replace some names in its outputs."""
    notebook.metadata = {"kernelspec": notebook.metadata["kernelspec"], "language_info": {"name": "python"}}
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.outputs = nbformat.from_dict(_replaced(cell.outputs, names))  # type: ignore[no-untyped-call]
    return notebook


def _replaced(value: Any, names: dict[str, str]) -> Any:  # noqa: ANN401 - JSON
    text = json.dumps(value)
    for name, shown in names.items():
        text = text.replace(json.dumps(name)[1:-1], shown)
    return json.loads(text)


def written(notebook: Any) -> str:  # noqa: ANN401 - see above
    """Return a notebook as its file holds it."""
    return json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> None:
    """Run all notebooks, or those that are named, and write their outputs into them."""
    paths = [Path(name) for name in sys.argv[1:]] or sorted(NOTEBOOKS.glob("*.ipynb"))
    for path in paths:
        # A small quota, so that the picture of a run shows what waiting looks like.
        with (
            practice_org(path.stem, latency=0.2, rate_limits={"/api/v1/logs": 50}, window=5.0, keep_log=False) as org,
            tempfile.TemporaryDirectory() as folder,
        ):
            notebook = run(path, org, Path(folder).resolve())
        path.write_text(written(notebook), encoding="utf-8")
        print(f"{path.name}: {len(notebook.cells)} cells, {path.stat().st_size:,} bytes")  # noqa: T201 - a tool


if __name__ == "__main__":
    main()
