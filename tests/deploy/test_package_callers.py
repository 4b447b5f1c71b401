"""Functions that call operations: what their zips have, and what `lambda.yaml` may not say of them."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support.cli import Cli
from support.own_source import make_own_source, replace
from support.packages import assert_reports, make_wheel, names, write

from circulate_core.aws.packaging import definitions
from circulate_core.aws.packaging.definitions import made_by, wrong_reads

OPERATIONS = """\
operations:
  get:
    about: One widget.
    kind: investigate
    path: /v1/widgets/{id}
    parameters: {id: {about: Id of the widget.}}
  find:
    about: Widgets of a size.
    kind: investigate
    path: /v1/widgets
    query: {size: "{size}"}
    parameters: {size: {about: The size., schema: {type: integer}}}
    returns:
      list: {records: /items, primary_key: [/id], paginator: {next_url: {body: /next}}}
"""
HANDLER = """\
from circulate_core.aws import caller, puller

list = puller("acme.widgets", catalog="definitions")
get = caller("acme.widgets.get", catalog="definitions")
find = caller("acme.widgets.find", catalog="definitions")
"""
LAMBDA = """\
source: acme
endpoint: widgets
functions:
  list: {handler: handler.list}
  get: {handler: handler.get}
  find: {handler: handler.find, reads: true}
"""
PACKAGED = ["definitions/acme/source.yaml", "definitions/acme/widgets.yaml", "handler.py"]
FILE = "lambdas/lib/acme/widgets/handler.py"


@pytest.fixture
def own(cli: Cli) -> Cli:
    """Make the command line in a folder with a source of one's own that has operations."""
    folder = make_own_source(cli.folder) / "acme/widgets"
    widgets = cli.folder / "definitions/acme/widgets.yaml"
    widgets.write_text(widgets.read_text() + OPERATIONS)
    write(folder / "handler.py", HANDLER)
    write(folder / "lambda.yaml", LAMBDA)
    return cli


def function(own: Cli) -> Path:
    return own.folder / "lambdas/lib/acme/widgets"


def package(own: Cli) -> Path:
    """Package the project; return where the zips are."""
    done = own("package", "--wheel", make_wheel(own.folder))
    assert done.code == 0, done.err
    return own.folder / "lambdas/.build"


def test_every_operation_is_a_function_with_the_definitions_that_its_code_names(own: Cli) -> None:
    done = own("check", "lambdas")
    assert done.code == 0, done.err
    assert done.out.count("acme-read") == 3
    assert "acme-write" not in done.out
    build = package(own)
    for operation in ("list", "get", "find"):
        assert names(build / f"circulate-acme-widgets-{operation}.zip") == PACKAGED


@pytest.mark.parametrize(
    "call",
    [
        'caller("acme.widgets.get", catalog="definitions")',
        'caller(operation="acme.widgets.get", catalog=["definitions"])',
        "aws.caller(OPERATION, catalog=CATALOG)",
        "make(OPERATION, catalog=CATALOG)",
        "make(OPERATION.lower(), catalog=CATALOG)",
    ],
)
def test_a_zip_has_what_a_call_of_caller_names_however_it_is_written(own: Cli, call: str) -> None:
    write(own.folder / "definitions/acme/hooks.py", "def decode(body, response):\n    yield body\n")
    widgets = own.folder / "definitions/acme/widgets.yaml"
    replace(
        widgets,
        "  records: /items\n  primary_key",
        "  hooks: {page: hooks.py:decode}\n  records: /items\n  primary_key",
    )
    of_it = 'from circulate_core.aws import caller as make\nOPERATION = "acme.widgets.get"\nCATALOG = "definitions"\n'
    write(function(own) / "handler.py", f"{of_it}get = {call}\n")
    write(function(own) / "lambda.yaml", "source: acme\nendpoint: widgets\nfunctions:\n  get: {handler: handler.get}\n")
    assert names(package(own) / "circulate-acme-widgets-get.zip") == ["definitions/acme/hooks.py", *PACKAGED]


MISTAKES = {
    "an operation that is not defined": (
        ('"acme.widgets.get"', '"acme.widgets.gte"'),
        (f"{FILE}:4: acme.widgets has no operation `gte`", "did you mean `get`?"),
    ),
    "an endpoint that is not defined": (
        ('"acme.widgets.get"', '"acme.widget.get"'),
        (f"{FILE}:4: no stream is named `acme.widget`",),
    ),
    "no operation": (('"acme.widgets.get"', '"get"'), (f"{FILE}:4: ",)),
    "no catalog": (
        ('"acme.widgets.get", catalog="definitions"', '"acme.widgets.get"'),
        (f"{FILE}:4: no stream is named `acme.widgets`", 'caller("acme.widgets.get", catalog="definitions")'),
    ),
    "a computed catalog": (
        ('"acme.widgets.get", catalog="definitions"', '"acme.widgets.get", catalog="defini" + "tions"'),
        (f"{FILE}:4: the catalog of `caller` is computed",),
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_call_of_what_is_not_there_is_reported_with_its_line(own: Cli, mistake: str) -> None:
    (old, new), parts = MISTAKES[mistake]
    replace(function(own) / "handler.py", old, new)
    assert_reports(own("package", "--wheel", make_wheel(own.folder)), 2, *parts)
    assert not (own.folder / "lambdas/.build").exists()


@pytest.mark.parametrize(
    ("name", "old", "new", "line"),
    [
        ("get", "get: {handler: handler.get}", "get: {handler: handler.get, reads: false}", 4),
        ("find", ", reads: true", "", 5),
    ],
)
def test_an_operation_that_reads_is_not_packaged_among_those_that_write(
    own: Cli, name: str, old: str, new: str, line: int
) -> None:
    replace(function(own) / "lambda.yaml", old, new)
    file = "lambdas/lib/acme/widgets/lambda.yaml"
    said = (
        f"{FILE}:{line}: `acme.widgets.{name}` changes nothing, and {file} has `{name}` among the functions that write"
    )
    hint = f"hint: add `reads: true` to `{name}` there"
    assert_reports(own("check", "lambdas"), 2, said, hint)
    assert_reports(own("package", "--wheel", make_wheel(own.folder)), 2, said, hint)


def test_an_operation_that_writes_is_not_packaged_among_those_that_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No definition can say so yet.
    monkeypatch.setattr(definitions, "operation_definition", lambda *_, **__: ({}, {"kind": "contain"}))
    code = write(tmp_path / "handler.py", 'suspend = other = caller("okta.users.suspend")\n')
    settings: dict[str, Any] = {"handler": "handler.suspend", "reads": True, "environment": {}}
    described: Any = SimpleNamespace(settings=settings, operation="suspend", file=tmp_path / "lambda.yaml")
    made = made_by(described, [code])
    (wrong,) = wrong_reads(described, made)
    assert f"{code}:1: `okta.users.suspend` changes what it is called for: it is there to contain" in str(wrong)
    assert "`suspend` among those that read" in str(wrong)
    assert wrong.hint == "add `reads: false` to `suspend` there: readers and writers sign in apart"
    settings["reads"] = False
    assert [*wrong_reads(described, made)] == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("handler.get", "handler.find", "handler.py:5: this is the function of `acme.widgets.get`, and calls"),
        ("handler.get", "handler.list", "handler.py:3: this is the function of `acme.widgets.get`, and pulls"),
        ("handler.list", "handler.get", "handler.py:4: this is the function of `acme.widgets`, and calls"),
        ("get: {", "gte: {reads: true, ", "`acme.widgets` has no operation `gte`; it has list, find, get"),
    ],
)
def test_a_function_does_what_it_is_named_after(own: Cli, old: str, new: str, said: str) -> None:
    replace(function(own) / "lambda.yaml", old, new)
    assert_reports(own("check", "lambdas"), 2, said)


def test_a_handler_of_ones_own_may_call_what_it_likes(own: Cli) -> None:
    code = f"{HANDLER}\n\ndef mine(event, context):\n    return get(event, context)\n"
    write(function(own) / "handler.py", code)
    replace(function(own) / "lambda.yaml", "get: {handler: handler.get}", "get: {handler: handler.mine, reads: false}")
    assert own("check", "lambdas").code == 0
