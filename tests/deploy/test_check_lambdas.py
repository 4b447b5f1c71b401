"""`circulate check lambdas`: what AWS or Terraform would refuse is reported before."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.cli import Cli
from support.packages import assert_reports, make_project, write
from support.refreshing import define

from circulate_core.aws.project import described
from circulate_core.catalogs import SHIPPED_CATALOG, stream_definition, stream_names

LAMBDAS = Path(__file__).resolve().parents[2] / "lambdas/lib"
USERS = "lib/okta/users/lambda.yaml"


def test_the_functions_of_this_project_are_right(cli: Cli) -> None:
    done = cli("check", "lambdas", "--lambdas", LAMBDAS)
    assert done.code == 0, done.err
    assert "circulate-okta-users-list" in done.out
    assert "rate(1 hour)" in done.out
    assert "functions" in done.err


LEFT_OUT = "okta.users.expire_password_with_temp_password"
"""What nobody calls but for the secret that it returns, and a function returns none."""


def test_every_shipped_operation_that_changes_something_has_a_function_with_credentials_of_its_own() -> None:
    changes: dict[str, Any] = {
        f"{stream}.{name}": operation
        for stream in stream_names(catalog=[SHIPPED_CATALOG])
        for name, operation in stream_definition(stream, catalog=[SHIPPED_CATALOG])["endpoint"]
        .get("operations", {})
        .items()
        if operation["kind"] != "investigate"
    }
    assert changes.pop(LEFT_OUT)["secrets"] == ["/tempPassword"]
    writers = [each for each in described(LAMBDAS) if each.is_writer]
    assert {f"{each.source}.{each.endpoint}.{each.operation}" for each in writers} == {*changes}
    assert {each.settings["auth"] for each in writers} == {"okta-write"}


def replaced(file: str, old: str, new: str) -> Callable[[Path], None]:
    def change(lambdas: Path) -> None:
        text = (lambdas.parent / file).read_text()
        assert old in text
        (lambdas.parent / file).write_text(text.replace(old, new))

    return change


def moved(old: str, new: str) -> Callable[[Path], None]:
    def change(lambdas: Path) -> None:
        (lambdas.parent / new).parent.mkdir(parents=True, exist_ok=True)
        (lambdas.parent / old).rename(lambdas.parent / new)

    return change


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (replaced(USERS, "rate(1 hour)", "rate(1 hours)"), ("lambda.yaml:34", "invalid schedule")),
        (replaced(USERS, "rate(1 hour)", "cron(0 3 * * *)"), ("cron has 6 fields", "this has 5")),
        (replaced(USERS, "handler: handler.list", "handler: handler.list\n    memory_mb: 64"), ("128 to 10240",)),
        (replaced(USERS, "handler: handler.list", "handler: hanlder.list"), ("there is no hanlder.py",)),
        (replaced(USERS, "handler: handler.list", "handler: handler.lst"), ("handler.py defines no `lst`",)),
        (replaced("lib/okta/users/handler.py", "list = ", "list == "), ("defines no `list`",)),
        (replaced("lib/okta/users/handler.py", "list = ", "list = = "), ("handler.py is not valid Python",)),
        (replaced(USERS, "  list:", "  lsit:"), ("a pipeline runs `list`",)),
        (
            replaced(USERS, "functions:", "functions:\n  levitate: {handler: handler.list}"),
            ("`okta.users` has no operation `levitate`; it has list",),
        ),
        (replaced(USERS, "endpoint: users", "endpoint: people"), ("differs from its endpoint name on disk",)),
        (moved("lib/okta/users", "lib/okta/old/users"), ("is not in a folder {source}/{endpoint}",)),
        (moved("lib/okta/users", "lib/users"), ("lib/users/lambda.yaml is not in a folder",)),
        (
            replaced(USERS, "handler: handler.list", "handler: handler.list\n    extension: absent"),
            ("there is no extension `absent`",),
        ),
        (
            replaced(USERS, "handler: handler.list", "handler: handler.list\n    refresh_token: true"),
            ("lets `list` write its secret, and `okta` does not sign in by a refresh token",),
        ),
        (
            replaced(USERS, "schedule:", "target: moon\n  schedule:"),
            ("the target `moon` of the pipeline has no folder",),
        ),
        (
            replaced(USERS, "handler: handler.list", f"handler: handler.list\n    environment: {{A: {'x' * 4100}}}"),
            ("Lambda allows 4096",),
        ),
    ],
)
def test_what_would_be_refused_is_reported(
    cli: Cli, tmp_path: Path, change: Callable[[Path], None], parts: tuple[str, ...]
) -> None:
    lambdas = make_project(tmp_path)
    change(lambdas)
    assert_reports(cli("check", "lambdas", "--lambdas", lambdas), 2, *parts)


def test_an_endpoint_that_no_source_defines_is_reported(cli: Cli, tmp_path: Path) -> None:
    lambdas = make_project(tmp_path)
    write(lambdas / "github/repos/handler.py", "list = None\n")
    text = "source: github\nendpoint: repos\nfunctions:\n  list: {handler: handler.list}\n"
    write(lambdas / "github/repos/lambda.yaml", text)
    assert_reports(cli("check", "lambdas", "--lambdas", lambdas), 2, "no source defines `github.repos`")


def test_who_signs_in_by_a_refresh_token_has_to_be_able_to_keep_it(cli: Cli, tmp_path: Path) -> None:
    lambdas = make_project(tmp_path)
    catalog = define(tmp_path)
    write(lambdas / "acme/items/handler.py", 'list = puller("acme.items", catalog="definitions")\n')
    described = "source: acme\nendpoint: items\nfunctions:\n  list:\n    handler: handler.list\n"
    file = write(lambdas / "acme/items/lambda.yaml", described)
    missing = "`list` may not keep the next one in its secret: add `refresh_token: true`"
    assert_reports(cli("check", "lambdas", "--lambdas", lambdas, "--catalog", catalog), 2, missing)
    file.write_text(described + "    refresh_token: true\n")
    done = cli("check", "lambdas", "--lambdas", lambdas, "--catalog", catalog)
    assert done.code == 0, done.err
