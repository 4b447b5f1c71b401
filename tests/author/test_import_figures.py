"""What imports find in real documents: figures over all that there are, and lists that were read by hand.

The documents are looked for in the folder named by `CIRCULATE_OPENAPI_DIR`, else beside the repository.
"""

import csv
import io
import json
import os
import re
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from support.okta_description import FILE

from circulate_core.authoring.openapi.files import read_documents
from circulate_core.authoring.openapi.imported import ImportedSource
from circulate_core.authoring.openapi.importing import import_documents
from circulate_core.authoring.openapi.overlay import Overlay, Rule
from circulate_core.authoring.openapi.signing import Given
from circulate_core.authoring.openapi.writing import texts_of
from circulate_core.catalogs import stream_definition

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = FILE.parent
DATA = ROOT / "tests/support/data"
FIGURES = DATA / "imports.csv"
READ = DATA / "imports_read.csv"
"""Lists of ten documents, as somebody has read them there."""
GUIDE = ROOT / "python/docs/import.md"
STATUSES = ("declared", "inferred", "unknown")

pytestmark = pytest.mark.skipif(not (DOCUMENTS / "sample").is_dir(), reason="the documents are not here")


def documents() -> list[Path]:
    files = [path for path in DOCUMENTS.iterdir() if path.suffix in {".json", ".gz"}]
    return sorted([*files, *(DOCUMENTS / "sample").iterdir()], key=lambda path: path.name)


class Figure(NamedTuple):
    """What an import finds in a document."""

    document: str
    lists: int
    declared: int
    inferred: int
    unknown: int
    of_parents: int
    objects: int
    operations: int
    left_out: int


def imported(path: Path) -> ImportedSource:
    return import_documents(
        "acme", read_documents([path]), overlay=Overlay(), given=Given(), known_names={}, hooks=Path("hooks")
    )


@pytest.fixture(scope="module")
def sources() -> dict[str, ImportedSource]:
    return {path.name: imported(path) for path in documents()}


def figure(name: str, source: ImportedSource) -> Figure:
    lists = [each for each in source.lists if not each.is_one]
    statuses = Counter(str(each.status) for each in lists)
    children = sum("parent" in each.listed for each in lists)
    declared, inferred, unknown = (statuses[status] for status in STATUSES)
    others = len(source.lists) - len(lists), len(source.operations), len(source.left_out)
    return Figure(name, len(lists), declared, inferred, unknown, children, *others)


def written(rows: list[Any], names: tuple[str, ...]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)
    return text.getvalue()


def test_every_document_is_imported_and_the_figures_are_those_that_are_checked_in(
    sources: dict[str, ImportedSource],
) -> None:
    text = written([figure(name, source) for name, source in sources.items()], Figure._fields)
    if os.environ.get("UPDATE_DOCS"):
        FIGURES.write_text(text)
    assert FIGURES.read_text() == text, "if it is meant to, run this test with UPDATE_DOCS=1 and read the diff"


def test_the_guide_has_these_figures() -> None:
    with FIGURES.open() as file:
        figures = [
            Figure(each["document"], *(int(each[name]) for name in Figure._fields[1:])) for each in csv.DictReader(file)
        ]
    total = Figure("all of these", *map(sum, zip(*(each[1:] for each in figures), strict=True)))
    known = [each for each in figures if re.match("okta|twilio|zoom", each.document)]
    named = [each._replace(document=re.split("[.-]", each.document)[0].capitalize()) for each in known]
    rows = [[each.document, *(f"{count:,}" for count in each[1:])] for each in [total, *named]]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    guide = GUIDE.read_text()
    if os.environ.get("UPDATE_DOCS"):
        begin = guide.index("| all of these |")
        GUIDE.write_text(guide[:begin] + table + guide[guide.index("\n\n", begin) :])
    assert table in GUIDE.read_text()
    assert f"{len(figures)} documents" in GUIDE.read_text()


class ReadList(NamedTuple):
    """A list as it was read in a document."""

    document: str
    operation: str
    status: str
    records: str
    key: str
    paginator: str
    page_size: str


def as_read(document: str, source: ImportedSource) -> list[ReadList]:
    rows = []
    for each in (each for each in source.lists if not each.is_one):
        values = [each.listed.get("records"), each.listed["primary_key"], each.paginator, each.listed.get("page_size")]
        rows.append(ReadList(document, each.key, each.status, *(json.dumps(value) for value in values)))
    return sorted(rows)


def test_what_is_imported_is_what_was_read_by_hand(sources: dict[str, ImportedSource]) -> None:
    with READ.open() as file:
        read = [ReadList(**row) for row in csv.DictReader(file)]
    assert len({each.document for each in read}) >= 10
    known = sum(each.status != "unknown" for each in read)
    assert f"{len(read)} lists were read by hand; {known} have a paginator" in GUIDE.read_text()
    found = [row for name in dict.fromkeys(each.document for each in read) for row in as_read(name, sources[name])]
    assert found == read


def test_what_is_written_is_what_the_engine_has_checked(sources: dict[str, ImportedSource]) -> None:
    """Definitions are checked without comments; with them they say the same, also to another reader of YAML."""
    for source in sources.values():
        texts = texts_of(source)
        assert yaml.load(texts.pop("source.yaml"), Loader=yaml.CSafeLoader) == source.definition
        for each in source.lists:
            assert yaml.load(texts.pop(f"{each.endpoint}.yaml"), Loader=yaml.CSafeLoader) == each.definition
        assert texts == {}


def test_one_rule_of_an_overlay_is_enough_for_most_lists_of_okta(sources: dict[str, ImportedSource]) -> None:
    """What Okta's description does not say is one fact, and what comes of it is what is shipped."""
    rule = Rule("*", ("after",), {"paginator": "link_header"})
    source = import_documents(
        "acme",
        read_documents([FILE]),
        overlay=Overlay(rules=[rule]),
        given=Given(),
        known_names={},
        hooks=Path("hooks"),
    )
    before = {each.key for each in sources[FILE.name].lists if each.status == "unknown"}
    known = {
        each.listed["path"]: each.listed for each in source.lists if each.key in before and each.status != "unknown"
    }
    assert f"one rule for those with `after` makes {len(known)} of them run" in " ".join(GUIDE.read_text().split())
    for name in ("users", "groups", "applications", "devices"):
        shipped = stream_definition(f"okta.{name}")["endpoint"]["list"]
        assert known[shipped["path"]]["paginator"] == shipped["paginator"], name
        assert known[shipped["path"]]["primary_key"] == shipped["primary_key"], name
