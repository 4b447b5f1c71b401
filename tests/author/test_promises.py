"""`circulate_core.testing.promises`: three lines of a test, and what it says when a promise is broken."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.authored import WIDGETS, pytest_in, write_list
from support.recorded import LIST, Api, recorded, write_people

from circulate_core.authoring.cassettes.promises import PROMISES, TEST_IDS
from circulate_core.authoring.project import make_project
from circulate_core.exceptions import SettingsError
from circulate_core.testing import promises

THREE_LINES = """\
from circulate_core.testing import promises

test_people = promises("acme.people", cassette="cassettes/acme.people.jsonl"{more})
"""
IDS = [TEST_IDS.get(promise, promise) for promise in PROMISES]


@pytest.fixture(scope="module")
def cassette(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Record a list."""
    return recorded(Api(), write_people(tmp_path_factory.mktemp("d"))).cassette.text()


@pytest.fixture
def project(tmp_path: Path, cassette: str) -> Path:
    """Make a project with a list that was recorded, and the three lines."""
    make_project(tmp_path / "lake")
    write_people(tmp_path / "lake/definitions")
    tests = tmp_path / "lake/tests"
    (tests / "cassettes").mkdir()
    (tests / "cassettes/acme.people.jsonl").write_text(cassette, newline="\n")
    (tests / "test_people.py").write_text(THREE_LINES.format(more=""))
    return tmp_path / "lake"


def test_there_is_a_test_for_each_promise(project: Path) -> None:
    done = pytest_in(project, "-vv", "--strict-markers", "-W", "error", "tests/test_people.py")
    assert done.code == 0, done.out
    assert re.findall(r"::test_people\[(.*?)\] (\w+)", done.out) == [(name, "PASSED") for name in IDS]


def test_some_are_left_out_and_all_are_marked(project: Path) -> None:
    (project / "tests/test_people.py").write_text(THREE_LINES.format(more=", but=['killed', 'expired']"))
    listed = pytest_in(project, "--collect-only", "tests/test_people.py").out
    assert listed.count("::test_people[") == len(PROMISES) - 2
    assert "killed" not in listed
    none = pytest_in(project, "-m", "not promises", "tests/test_people.py")
    assert f"{len(PROMISES) - 2} deselected" in none.out


@pytest.mark.parametrize(
    ("changed", "chosen", "expected"),
    [
        ({"path": "/persons"}, "complete", "the path is /persons, recorded is /people (`path`)"),
        ({"records": "/echo"}, "complete", "look at `records` and `paginator`"),
        ({"paginator": "none"}, "complete", "expected `complete`, as recorded; the pull was `"),
        ({"primary_key": ["/score", "/note"]}, "key", "repeat one: look at `primary_key`"),
        ({"path": "/persons"}, "503", "`complete` is broken, and comes first"),
        ({"errors": [{"when": {"status": 502}, "then": "fail"}]}, "502", "look at `errors` of the definition"),
    ],
)
def test_a_definition_that_is_wrong_fails_with_what_to_look_at(
    tmp_path: Path, changed: dict[str, object], chosen: str, expected: str
) -> None:
    people = [{**each, "score": 1, "note": "same"} for each in Api().records]
    make_project(tmp_path / "lake")
    catalog = write_people(tmp_path / "lake/definitions")
    text = recorded(Api(records=people), catalog).cassette.text()
    (tmp_path / "lake/tests/cassettes").mkdir()
    (tmp_path / "lake/tests/cassettes/acme.people.jsonl").write_text(text, newline="\n")
    (tmp_path / "lake/tests/test_people.py").write_text(THREE_LINES.format(more=""))
    write_people(catalog, listing={**LIST, **changed})
    done = pytest_in(tmp_path / "lake", "tests/test_people.py", "-k", f"test_people and {chosen}")
    assert done.code == 1
    assert f"acme.people: promise `{chosen}` is broken: " in done.out
    assert expected in done.out
    assert "Traceback" not in done.out
    assert "Error" not in done.out.replace("ValueError", "")


def test_a_file_that_is_no_cassette_fails_with_its_hint(project: Path) -> None:
    (project / "tests/cassettes/acme.people.jsonl").unlink()
    done = pytest_in(project, "tests/test_people.py", "-k", "complete")
    assert done.code == 1
    assert "acme.people.jsonl: No such file or directory" in done.out
    assert "hint: `circulate record STREAM --to FILE` records one" in done.out


def test_a_stub_takes_the_place_of_a_cassette(tmp_path: Path) -> None:
    make_project(tmp_path / "lake")
    write_list(tmp_path / "lake", WIDGETS)
    done = pytest_in(tmp_path / "lake", "-vv", "-W", "error", "tests/test_acme_widgets.py")
    assert done.code == 0, done.out
    assert re.findall(r"::test_acme_widgets_when_something_goes_wrong\[(.*?)\] (\w+)", done.out) == [
        (name, "PASSED") for name in IDS if name != "complete"
    ]
    definition = tmp_path / "lake/definitions/acme/widgets.yaml"
    definition.write_text(definition.read_text().replace("to: cursor", "to: after"))
    done = pytest_in(tmp_path / "lake", "tests/test_acme_widgets.py", "-k", "wrong and 429")
    assert done.code == 1
    assert "`complete` is broken, and comes first: expected `complete`; the pull was `failed`" in done.out


def test_what_is_given_is_checked_where_the_test_is_made() -> None:
    with pytest.raises(SettingsError, match="one of `cassette` and `stub` is needed"):
        promises("acme.people")
    with pytest.raises(SettingsError, match="no promise is named 'kiled'"):
        promises("acme.people", cassette="c.jsonl", but=["kiled"])


def test_who_does_not_use_it_does_not_pay_for_it(tmp_path: Path) -> None:
    (tmp_path / "test_other.py").write_text(
        "import sys\n\n\ndef test_it():\n"
        "    assert 'circulate_pytest' in sys.modules\n"
        "    assert [name for name in sys.modules if name.startswith('circulate_core')] == []\n"
    )
    done = pytest_in(tmp_path, "-p", "no:xdist", "test_other.py")
    assert done.code == 0, done.out
    code = "import sys, pytest; old = set(sys.modules); import circulate_pytest; print(sorted(set(sys.modules) - old))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "['circulate_pytest']"
