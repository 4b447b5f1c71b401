"""The types of the public API, as mypy shows them to users: `typed_calls.py` says what they are."""

import re
import subprocess
import sys
from pathlib import Path

import circulate_core

HERE = Path(__file__).resolve().parent
CALLS = HERE / "typed_calls.py"


def mypy(code: Path, cache: Path) -> list[str]:
    """Return what mypy has to say."""
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--cache-dir", str(cache), str(code)]
    return subprocess.run(command, cwd=HERE.parents[1], capture_output=True, text=True, check=False).stdout.splitlines()


def test_every_call_has_its_type_and_wrong_ones_are_refused(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assert mypy(CALLS, cache) == []
    # A checker that took all names for `Any` would accept the calls, and would not accept these.
    changed = tmp_path / "changed.py"
    text = CALLS.read_text()
    text = text.replace('fromat="json")  # type: ignore[call-arg]', 'format="json")  # type: ignore[call-arg]')
    changed.write_text(text.replace("assert_type(report.records, int)", "assert_type(report.records, str)"))
    assert [re.sub(r".*\[(.*)\]$", r"\1", line) for line in mypy(changed, cache) if " error: " in line] == [
        "assert-type",
        "unused-ignore",
        "unused-ignore",
        "unused-ignore",
    ]


def test_every_public_name_is_among_the_calls() -> None:
    assert set(re.findall(r"\bcirculate_core\.(\w+)", CALLS.read_text())) >= set(circulate_core.__all__)
