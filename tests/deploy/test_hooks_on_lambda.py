"""Hooks of one's own definitions in Lambda functions: they are in the zip, and run there as anywhere else."""

import json
from collections.abc import Iterator
from dataclasses import replace as changed
from pathlib import Path

import pytest
from support.cli import Cli
from support.own_source import FUNCTION, acme, digests, make_own_source, replace, settings
from support.packages import assert_reports, make_wheel, names, unpack, write
from support.places import Bucket
from support.toys import error, needs_namespaces, result

from circulate_core import _core, manifest
from circulate_core.aws.project import described
from circulate_local import Credentials, Function, LocalLambda
from circulate_practice.compare import compare

ROLE = Credentials("practice", "practice")
HOOKS = """\
def decode(body, response):
    yield body


def next_page(request, response):
    return response.json()["next"]
"""
SIGNING = """\
def sign(request, settings):
    return {"headers": {"Authorization": "Bearer " + settings["api_token"]}}
"""


@pytest.fixture(scope="module")
def api() -> Iterator[str]:
    with acme() as url:
        yield url


@pytest.fixture
def own(cli: Cli, api: str) -> Cli:
    """Make the command line in a folder with a source of one's own that has hooks."""
    make_own_source(cli.folder)
    source = cli.folder / "definitions/acme"
    bearer = 'header: {name: Authorization, prefix: "Bearer ", secret: api_token}'
    replace(source / "source.yaml", bearer, "sign: {hook: signing.py:sign, settings: [api_token]}")
    by_hooks = "hooks: {page: hooks.py:decode}\n  paginator: {hook: hooks.py:next_page}"
    replace(source / "widgets.yaml", "paginator: {body_link: /next}", by_hooks)
    write(source / "hooks.py", HOOKS)
    write(source / "signing.py", SIGNING)
    write(source / "notes.py", "of nobody\n")
    return Cli(cli.folder, cli.environment | settings(api), cli.place)


def package(own: Cli, engine: bytes | None = b"engine") -> Path:
    """Package the project; return where the zips are."""
    done = own("package", "--wheel", make_wheel(own.folder, engine=engine))
    assert done.code == 0, done.err
    return own.folder / "lambdas/.build"


def test_a_zip_has_the_hooks_of_the_definitions_that_its_code_names(own: Cli) -> None:
    of_acme = ["hooks.py", "signing.py", "source.yaml", "widgets.yaml"]
    packaged = [*(f"definitions/acme/{name}" for name in of_acme), "handler.py"]
    assert names(package(own) / f"{FUNCTION}.zip") == packaged
    replace(own.folder / "lambdas/lib/acme/widgets/handler.py", '"acme.widgets"', "print.__name__")
    assert names(package(own) / f"{FUNCTION}.zip") == packaged, "if it is computed which stream, all are there"


WRONG = {
    "def decode(body, response:\n": "definitions/acme/hooks.py:1: SyntaxError: '(' was never closed",
    "def f(): ...\n\0": "definitions/acme/hooks.py:",
    None: "cannot read the file with the hook: there is none",
}


@pytest.mark.parametrize("code", WRONG)
def test_a_hook_that_is_wrong_is_not_packaged(own: Cli, code: str | None) -> None:
    file = own.folder / "definitions/acme/hooks.py"
    if code is None:
        file.unlink()
    else:
        file.write_text(code)
    assert_reports(own("check", "lambdas"), 2, WRONG[code])
    assert_reports(own("package", "--wheel", make_wheel(own.folder, engine=b"engine")), 2, WRONG[code])
    assert not (own.folder / "lambdas/.build").exists()


@needs_namespaces
def test_hooks_run_on_lambda(own: Cli, api: str, aws: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    place = Bucket.new(aws, tmp_path, "raw")
    _core.state_init(place.state[1])
    build = package(own, engine=None)
    layer = unpack(build / "core-layer.zip", tmp_path / "layer")
    environment = {"AWS_ENDPOINT_URL": aws, "CIRCULATE_STATE": place.state[1], "CIRCULATE_TO": place.uri}
    [each] = described(own.folder / "lambdas/lib")
    root = unpack(build / f"{FUNCTION}.zip", tmp_path / FUNCTION)
    function = Function.of(each, environment | settings(api), timeout_s=60)
    log: list[str] = []
    with LocalLambda([changed(function, task_root=root, layers=(layer,))], log=log.append, credentials=ROLE) as local:
        run = result(local.invoke(FUNCTION))
    assert (run["status"], run["records"]) == ("complete", 120), log
    path = place.lake() / run["manifest"].removeprefix(place.uri).lstrip("/")
    assert compare(path, digests()).identical
    made_by = manifest(path).made_by
    assert made_by is not None
    assert made_by["hooks"]["page"]["hook"] == "hooks.py:decode"
    assert not [line for line in log if "canary" in line]


@needs_namespaces
def test_a_hook_that_raises_on_lambda_is_the_error_of_the_function(
    own: Cli, api: str, aws: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    place = Bucket.new(aws, tmp_path, "raw")
    _core.state_init(place.state[1])
    write(own.folder / "definitions/acme/signing.py", "def sign(request, settings):\n    raise ValueError(settings)\n")
    build = package(own, engine=None)
    layer = unpack(build / "core-layer.zip", tmp_path / "layer")
    environment = {"AWS_ENDPOINT_URL": aws, "CIRCULATE_STATE": place.state[1], "CIRCULATE_TO": place.uri}
    [each] = described(own.folder / "lambdas/lib")
    root = unpack(build / f"{FUNCTION}.zip", tmp_path / FUNCTION)
    function = Function.of(each, environment | settings(api), timeout_s=60)
    log: list[str] = []
    with LocalLambda([changed(function, task_root=root, layers=(layer,))], log=log.append, credentials=ROLE) as local:
        raised = error(local.invoke(FUNCTION))
    assert raised["errorType"] == "HookError"
    assert "the hook raised ValueError: {'api_token': '***'}" in raised["errorMessage"]
    assert "definitions/acme/signing.py:2" in raised["errorMessage"]
    assert "canary" not in json.dumps([raised, log])
