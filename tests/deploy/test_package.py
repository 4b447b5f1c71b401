"""`circulate package`: what is in the zips, that they are the same bytes again, and what Lambda would not take."""

import os
import shutil
import subprocess
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from support.cli import Cli
from support.packages import (
    NOT_FOR_AWS,
    PACKAGE,
    ROOT,
    assert_reports,
    for_all_files,
    make_project,
    make_wheel,
    modes,
    names,
    write,
)

from circulate_core.aws.packaging import MAX_UNZIPPED, MAX_ZIPPED, Package, Packages
from circulate_core.aws.project import described
from circulate_core.exceptions import LimitError

FUNCTIONS = [each.name for each in described(ROOT / "lambdas/lib")]
CORE = [
    "circulate_core-0.1.0.dist-info/METADATA",
    "circulate_core-0.1.0.dist-info/licenses/LICENSE",
    "circulate_core/__init__.py",
    "circulate_core/_core.abi3.so",
    "circulate_core/accounts.py",
    "circulate_core/aws/__init__.py",
    "circulate_core/aws/calling.py",
    "circulate_core/aws/definitions.py",
    "circulate_core/aws/events.py",
    "circulate_core/aws/handler.py",
    "circulate_core/aws/invocation.py",
    "circulate_core/aws/log.py",
    "circulate_core/aws/promotion.py",
    "circulate_core/aws/registration.py",
    "circulate_core/aws/settings.py",
    "circulate_core/backfilling.py",
    "circulate_core/bindings.py",
    "circulate_core/call_documents.py",
    "circulate_core/callers.py",
    *sorted(f"circulate_core/{file.relative_to(PACKAGE)}" for file in PACKAGE.glob("catalog/*/*.yaml")),
    "circulate_core/catalogs.py",
    "circulate_core/changing.py",
    "circulate_core/checking.py",
    "circulate_core/config.py",
    "circulate_core/console.py",
    "circulate_core/coverages.py",
    "circulate_core/display.py",
    "circulate_core/documents.py",
    "circulate_core/earlier.py",
    "circulate_core/exceptions.py",
    "circulate_core/history.py",
    "circulate_core/hooks.py",
    "circulate_core/inline_hooks.py",
    "circulate_core/lake_sql.py",
    "circulate_core/lake_tables.py",
    "circulate_core/lakes.py",
    "circulate_core/loopback.py",
    "circulate_core/manifests.py",
    "circulate_core/operation.py",
    "circulate_core/operations.py",
    "circulate_core/options.py",
    "circulate_core/plans.py",
    "circulate_core/progress.py",
    "circulate_core/promoting.py",
    "circulate_core/pulling.py",
    "circulate_core/reading.py",
    "circulate_core/registering.py",
    "circulate_core/results.py",
    "circulate_core/settings.py",
    "circulate_core/tables.py",
    "circulate_core/tokens.py",
    "circulate_core/types.py",
    "circulate_core/upkeep.py",
    "circulate_core/watch.py",
]


def test_there_is_a_zip_of_every_function_and_of_every_layer(cli: Cli, build: Path, wheel: Path) -> None:
    assert cli("package", "--wheel", wheel).code == 0
    made = sorted(file.name for file in build.glob("*.zip"))
    layers = ["core-layer.zip", "toy-extension-layer.zip"]
    assert made == sorted([*(f"{name}.zip" for name in FUNCTIONS), *layers])


def test_a_function_is_its_python_files_alone(cli: Cli, lambdas: Path, build: Path, wheel: Path) -> None:
    users = lambdas / "okta/users"
    for name in ("helper.py", "sub/module.py", "contest.py"):
        write(users / name, "")
    for name in (
        *("README.md", "data.json", ".hidden.py", ".git/hook.py", "__pycache__/handler.cpython-311.pyc"),
        *("test_handler.py", "handler_test.py", "conftest.py", "tests/support.py", "sub/test/x.py"),
    ):
        write(users / name, "")
    assert cli("package", "--wheel", wheel).code == 0
    expected = ["changes.py", "contest.py", "handler.py", "helper.py", "sub/module.py"]
    assert names(build / "circulate-okta-users-list.zip") == expected
    assert names(build / "circulate-okta-groups-list.zip") == ["changes.py", "handler.py"]


def test_every_operation_of_an_endpoint_has_a_zip(cli: Cli, lambdas: Path, build: Path, wheel: Path) -> None:
    described = lambdas / "okta/users/lambda.yaml"
    described.write_text(described.read_text().replace("functions:", "functions:\n  count: {handler: handler.list}"))
    assert cli("package", "--wheel", wheel).code == 0
    first, second = (build / f"circulate-okta-users-{operation}.zip" for operation in ("list", "count"))
    assert first.read_bytes() == second.read_bytes()


def test_the_core_layer_is_what_handlers_need_and_no_more(cli: Cli, build: Path, wheel: Path) -> None:
    assert cli("package", "--wheel", wheel).code == 0
    assert names(build / "core-layer.zip") == [f"python/{name}" for name in CORE]
    with ZipFile(build / "core-layer.zip") as layer, ZipFile(wheel) as whole:
        assert all(layer.read(f"python/{name}") == whole.read(name) for name in CORE)


@pytest.mark.parametrize("package", NOT_FOR_AWS)
def test_what_is_for_a_laptop_alone_is_in_no_zip(cli: Cli, build: Path, wheel: Path, package: str) -> None:
    assert f"{package}/__init__.py" in names(wheel)
    assert cli("package", "--wheel", wheel).code == 0
    assert [(file.name, name) for file in build.glob("*.zip") for name in names(file) if package in name] == []


def test_the_layer_of_an_extension_has_its_program_and_all_that_it_imports(
    cli: Cli, lambdas: Path, build: Path, wheel: Path
) -> None:
    folder = lambdas.parent / "extensions/toy-extension"
    for name in ("README.md", "tests/test_logic.py", "test_toy.py", "toy_extension/__pycache__/logic.pyc"):
        write(folder / name, "")
    write(lambdas.parent / "extensions/README.md", "")
    assert cli("package", "--wheel", wheel).code == 0
    code = ["extensions/toy-extension", "toy-extension/toy_extension/__init__.py"]
    code += ["toy-extension/toy_extension/logic.py", *(f"toy-extension/{name}" for name in CORE)]
    assert names(build / "toy-extension-layer.zip") == sorted(code)


def test_the_program_of_an_extension_can_be_started_and_everything_can_be_read(
    cli: Cli, build: Path, wheel: Path
) -> None:
    assert cli("package", "--wheel", wheel).code == 0
    found = {(file.name, name): mode for file in build.glob("*.zip") for name, mode in modes(file).items()}
    assert found.pop(("toy-extension-layer.zip", "extensions/toy-extension")) == "-rwxr-xr-x"
    assert set(found.values()) == {"-rw-r--r--"}


def test_nothing_in_a_zip_shows_when_or_where_it_was_made(cli: Cli, build: Path, wheel: Path) -> None:
    assert cli("package", "--wheel", wheel).code == 0
    for file in build.glob("*.zip"):
        with ZipFile(file) as archive:
            entries = archive.infolist()
        assert {(entry.date_time, entry.extra, entry.comment, entry.create_system) for entry in entries} == {
            ((1980, 1, 1, 0, 0, 0), b"", b"", 3)
        }
        assert {entry.compress_type for entry in entries} == {ZIP_DEFLATED}
        assert [entry.filename for entry in entries] == sorted(entry.filename for entry in entries)


def test_the_same_project_elsewhere_and_at_another_time_gives_the_same_bytes(cli: Cli, wheel: Path) -> None:
    made = []
    for name, umask, time in (("here", 0o022, 1_000_000_000), ("there/deeper", 0o077, 2_000_000_000)):
        folder = cli.folder / name
        make_project(folder)
        # A checkout under this umask; what can be executed stays so.
        for_all_files(folder, lambda file, kept=0o777 & ~umask: file.chmod(file.stat().st_mode & kept))  # type: ignore[misc]
        for_all_files(folder, lambda file, then=time: os.utime(file, (then, then)))  # type: ignore[misc]
        given = shutil.copy(wheel, folder)
        command = Cli.command("package", "--wheel", given)
        subprocess.run(command, cwd=folder, env=cli.environment, umask=umask, check=True, capture_output=True)
        made.append({file.name: file.read_bytes() for file in (folder / "lambdas/.build").rglob("*") if file.is_file()})
    # The layers, and the state machines of the playbook that is shipped.
    assert len(made[0]) == len(FUNCTIONS) + 2 + 2
    assert made[0] == made[1]


def test_what_was_made_before_is_replaced(cli: Cli, lambdas: Path, build: Path, wheel: Path) -> None:
    assert cli("package", "--wheel", wheel).code == 0
    before = (build / "circulate-okta-users-list.zip").read_bytes()
    write(lambdas / "okta/users/helper.py", "")
    assert cli("package", "--wheel", wheel).code == 0
    assert (build / "circulate-okta-users-list.zip").read_bytes() != before
    assert not [file for file in build.iterdir() if file.suffix != ".zip" and file.name != "playbooks"]


@pytest.mark.usefixtures("lambdas")
def test_sizes_limits_and_the_commands_that_publish_are_reported(cli: Cli, wheel: Path) -> None:
    done = cli("package", "--wheel", wheel)
    *sizes, _, machines, empty, heading, core, extension = done.out.splitlines()
    assert machines == "state machines of playbooks: contain_account-undo.asl.json, contain_account.asl.json"
    assert sizes[0].split() == ["FILE", "ZIPPED", "UNZIPPED"]
    assert [line.split()[0] for line in sizes[1:-2]] == [
        f"lambdas/.build/{name}.zip" for name in (*FUNCTIONS, "core-layer", "toy-extension-layer")
    ]
    assert sizes[-2].startswith("the largest function with all layers")
    assert sizes[-1].split() == ["what", "Lambda", "takes", "52.4", "MB", "262.1", "MB"]
    assert (empty, heading) == ("", "layers are published by")
    publish = (
        "aws lambda publish-layer-version --layer-name circulate-{0} --zip-file fileb://lambdas/.build/{0}-layer.zip"
    )
    publish += " --compatible-runtimes python3.11 python3.12 python3.13 --compatible-architectures x86_64"
    assert (core, extension) == (publish.format("core"), publish.format("toy-extension"))


@pytest.mark.usefixtures("lambdas")
def test_json_shows_the_same_to_programs(cli: Cli, wheel: Path) -> None:
    done = cli("package", "--wheel", wheel, "--out", "made here", "--json")
    report = done.report
    assert (report["architecture"], len(report["packages"])) == ("x86_64", len(FUNCTIONS) + 2)
    layers = [each for each in report["packages"] if each["layer"]]
    assert [each["layer"] for each in layers] == ["circulate-core", "circulate-toy-extension"]
    for each in report["packages"]:
        file = cli.folder / each["file"]
        with ZipFile(file) as archive:
            unzipped = sum(entry.file_size for entry in archive.infolist())
        assert (each["zipped"], each["unzipped"]) == (file.stat().st_size, unzipped)
    functions = [each["unzipped"] for each in report["packages"] if not each["layer"]]
    assert report["largest_unzipped"] == max(functions) + sum(each["unzipped"] for each in layers)
    assert report["publish"][0][6:8] == ["fileb://made here/core-layer.zip", "--compatible-runtimes"]
    assert "'fileb://made here/core-layer.zip'" in cli("package", "--wheel", wheel, "--out", "made here").out


def test_what_is_wrong_with_a_project_is_reported_before_anything_is_built(
    cli: Cli, lambdas: Path, build: Path
) -> None:
    program = lambdas.parent / "extensions/toy-extension/toy-extension"
    program.chmod(0o644)
    assert_reports(cli("package"), 2, "has no program named toy-extension", "hint: chmod +x lambdas/extensions/toy-ext")
    program.unlink()
    assert_reports(cli("package"), 2, "lambdas/extensions/toy-extension has no program named toy-extension")
    (lambdas / "okta/users/handler.py").rename(lambdas / "okta/users/main.py")
    assert_reports(cli("package"), 2, "lambdas/lib/okta/users has no handler.py", "`handler.get` of its lambda.yaml")
    assert_reports(
        cli("package", "--lambdas", "nowhere"), 2, "there is no such folder of Lambda functions — folder nowhere"
    )
    assert not build.exists()


@pytest.mark.usefixtures("lambdas")
def test_a_place_that_cannot_be_written_to_is_reported(cli: Cli, wheel: Path) -> None:
    write(cli.folder / "file", "")
    assert_reports(cli("package", "--wheel", wheel, "--out", "file"), 2, "cannot write to file: File exists")


@pytest.mark.usefixtures("lambdas")
def test_what_lambda_would_not_take_is_not_written(cli: Cli, build: Path) -> None:
    wheel = make_wheel(cli.folder, engine=bytes(MAX_UNZIPPED // 2))
    assert_reports(cli("package", "--wheel", wheel), 1, "all layers unzip to 26", "Lambda takes at most 262,144,000")
    assert not build.exists()


def test_a_zip_that_is_too_large_to_upload_is_reported() -> None:
    function = Package("users.zip", None, b"", unzipped=0)
    layer = Package("core-layer.zip", "circulate-core", bytes(MAX_ZIPPED), unzipped=MAX_UNZIPPED)
    Packages(architecture="x86_64", functions=[function], layers=[layer]).check_limits()
    layer = Package("core-layer.zip", "circulate-core", bytes(MAX_ZIPPED + 1), unzipped=0)
    with pytest.raises(LimitError, match=r"core-layer.zip has 52,428,801 bytes; Lambda takes at most 52,428,800"):
        Packages(architecture="x86_64", functions=[function], layers=[layer]).check_limits()
