"""Names of the version before still work, and say what they are called now."""

import importlib
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("earlier", "now"),
    [("circulate_core.practice", "circulate_practice"), ("circulate_core.aws.local", "circulate_local")],
)
def test_an_earlier_name_of_a_package_has_what_the_package_has(earlier: str, now: str) -> None:
    sys.modules.pop(earlier, None)
    with pytest.warns(DeprecationWarning, match=f"{earlier} is now {now}") as reported:
        old = importlib.import_module(earlier)
    assert len(reported) == 1
    new = importlib.import_module(now)
    assert old.__all__ == new.__all__
    assert all(getattr(old, name) is getattr(new, name) for name in new.__all__)


def test_the_practice_org_runs_by_its_earlier_name_and_names_the_new_one() -> None:
    command = [sys.executable, "-m", "circulate_core.practice", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "usage: circulate practice-org" in done.stdout
    assert "python -m circulate_practice" in done.stderr
