"""Where `circulate package` takes the engine from: a wheel that functions can load, or a build by Zig."""

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest
from support.cli import Cli, Done
from support.packages import PACKAGE, ROOT, assert_reports, make_wheel, write


@pytest.mark.usefixtures("lambdas")
@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("circulate_core-0.1.0-cp311-abi3-linux_x86_64.whl", ["is for linux_x86_64", "manylinux2014"]),
        ("circulate_core-0.1.0-cp311-abi3-manylinux_2_34_x86_64.whl", ["needs manylinux2014", "glibc 2.17"]),
        ("circulate_core-0.1.0-cp311-abi3-musllinux_1_2_x86_64.whl", ["is for musllinux_1_2_x86_64"]),
        ("circulate_core-0.1.0-cp311-abi3-macosx_11_0_arm64.whl", ["architecture is x86_64"]),
        ("circulate_core-0.1.0-cp311-abi3-manylinux2014_aarch64.whl", ["is for manylinux2014_aarch64", "x86_64"]),
        (
            "circulate_core-0.1.0-cp311-cp311-manylinux2014_x86_64.whl",
            ["is for cp311-cp311, not for every Python from 3.11 on"],
        ),
        ("circulate_core-0.1.0-cp312-abi3-manylinux2014_x86_64.whl", ["is for cp312-abi3"]),
        ("other-0.1.0-cp311-abi3-manylinux2014_x86_64.whl", ["is not named as a wheel of circulate_core is"]),
        ("circulate_core-0.1.0.tar.gz", ["is not named as a wheel of circulate_core is"]),
    ],
)
def test_a_wheel_that_functions_could_not_load_is_refused_by_its_name(cli: Cli, name: str, parts: list[str]) -> None:
    assert_reports(cli("package", "--wheel", cli.folder / name), 2, name, "--zig --compatibility manylinux2014", *parts)


@pytest.mark.usefixtures("lambdas")
@pytest.mark.parametrize(
    "tags",
    [
        "cp311-abi3-manylinux2014_x86_64",
        "cp311-abi3-manylinux_2_17_x86_64",
        "cp310-abi3-manylinux_2_5_x86_64.manylinux1_x86_64",
        "1-cp39.cp311-abi3-manylinux_2_12_x86_64",
    ],
)
def test_a_wheel_for_older_systems_will_do(cli: Cli, tags: str) -> None:
    assert cli("package", "--wheel", make_wheel(cli.folder, tags=tags)).code == 0


@pytest.mark.usefixtures("lambdas")
@pytest.mark.parametrize(
    ("built_for", "part"),
    [
        ("cp311-abi3-manylinux_2_34_x86_64", "is for manylinux_2_34_x86_64, and Lambda needs manylinux2014"),
        ("cp311-abi3-manylinux2014_aarch64", "is for manylinux2014_aarch64"),
        ("cp312-cp312-manylinux2014_x86_64", "is for cp312-cp312"),
        ("nothing", "does not say what it was built for"),
    ],
)
def test_a_renamed_wheel_is_known_by_its_own_metadata(cli: Cli, built_for: str, part: str) -> None:
    wheel = make_wheel(cli.folder, tags="cp311-abi3-manylinux2014_x86_64", built_for=built_for)
    assert_reports(cli("package", "--wheel", wheel), 2, part)


@pytest.mark.usefixtures("lambdas")
def test_a_wheel_that_is_missing_corrupt_or_empty_is_reported(cli: Cli, build: Path) -> None:
    name = "circulate_core-0.1.0-cp311-abi3-manylinux2014_x86_64.whl"
    assert_reports(cli("package", "--wheel", name), 2, f"{name} cannot be read: No such file or directory")
    write(cli.folder / name, "PK")
    assert_reports(cli("package", "--wheel", name), 2, f"{name} is corrupt")
    with ZipFile(cli.folder / name, "w") as archive:
        archive.writestr("circulate_core/__init__.py", "")
    assert_reports(cli("package", "--wheel", name), 2, f"{name} has no circulate_core/_core.abi3.so")
    assert not build.exists()


def test_the_wheel_is_for_the_architecture_of_the_functions(cli: Cli, lambdas: Path, wheel: Path) -> None:
    defaults = lambdas / "defaults.yaml"
    defaults.write_text(defaults.read_text().replace("x86_64", "arm64"))
    assert_reports(
        cli("package", "--wheel", wheel), 2, "is for manylinux2014_x86_64", "the functions' architecture is arm64"
    )
    done = cli("package", "--wheel", make_wheel(cli.folder, tags="cp311-abi3-manylinux2014_aarch64"))
    assert (done.code, done.out.splitlines()[-1].split()[-1]) == (0, "arm64")
    users = lambdas / "okta/users/lambda.yaml"
    users.write_text(users.read_text() + "architecture: x86_64\n")
    assert_reports(cli("package", "--wheel", wheel), 2, "the functions have the architectures arm64 and x86_64")


TOY_MATURIN = """
import os, shutil, sys
print("maturin's own words")
reported = (" ".join(sys.argv[1:-1]), os.getcwd(), os.environ["CARGO_ZIGBUILD_PYTHON_PATH"])
print(*reported, sep="\\n", file=open("{reported}", "w"))
if {works}:
    shutil.copy("{wheel}", sys.argv[-1])
else:
    sys.exit(101)
"""


@pytest.fixture
def without_packages(cli: Cli, tmp_path: Path) -> Cli:
    """Make a command line whose Python has no packages but those of a folder, and whose system has no programs."""
    (tmp_path / "packages").mkdir()
    path = f"{tmp_path / 'packages'}:{PACKAGE.parent}"
    environment = cli.environment | {"PYTHONPATH": path, "PATH": str(tmp_path / "bin")}
    return Cli(cli.folder, environment, cli.place)


def package_alone(cli: Cli, *arguments: str | Path) -> Done:
    """Run `circulate package` without what is installed for this Python."""
    command = [sys.executable, "-S", "-m", "circulate_core.cli.main", "package", *map(str, arguments)]
    done = subprocess.run(command, cwd=cli.folder, env=cli.environment, capture_output=True, text=True, check=False)
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.mark.usefixtures("lambdas")
def test_what_the_build_misses_is_reported_one_after_the_other(without_packages: Cli, tmp_path: Path) -> None:
    assert_reports(
        package_alone(without_packages), 2, "maturin, which builds", "hint: pip install --group package", "--wheel"
    )
    write(tmp_path / "packages/maturin.py", "")
    assert_reports(package_alone(without_packages), 2, "ziglang, which builds the engine, is not installed")
    write(tmp_path / "packages/ziglang.py", "")
    assert_reports(package_alone(without_packages), 2, "cargo, which builds the engine, is not installed", "rustup")
    done = package_alone(without_packages, "--wheel", make_wheel(tmp_path))
    assert done.code == 0, "a wheel needs no tools"


@pytest.mark.usefixtures("lambdas")
def test_layers_are_made_of_what_is_installed(without_packages: Cli, build: Path, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, engine=None)
    with ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "packages")
    assert package_alone(without_packages).code == 0
    made = (build / "core-layer.zip").read_bytes()
    assert package_alone(without_packages, "--wheel", wheel).code == 0
    assert made == (build / "core-layer.zip").read_bytes()


@pytest.mark.usefixtures("lambdas")
@pytest.mark.parametrize(
    ("tag", "message"),
    [
        ("cp311-abi3-linux_x86_64", "is for linux_x86_64, and Lambda needs manylinux2014 or older"),
        ("cp311-abi3-macosx_11_0_arm64", "the functions' architecture is x86_64"),
        ("py3-none-any", "not for every Python from 3.11 on"),
    ],
)
def test_what_is_installed_for_another_system_is_refused_with_the_way_to_get_one(
    without_packages: Cli, tmp_path: Path, tag: str, message: str
) -> None:
    with ZipFile(make_wheel(tmp_path, engine=None, built_for=tag)) as archive:
        archive.extractall(tmp_path / "packages")
    done = package_alone(without_packages)
    assert_reports(
        done, 2, "the circulate-core that is installed here", message, "hint: give one that does with --wheel"
    )


def test_the_engine_is_built_for_lambda_by_zig(without_packages: Cli, build: Path, tmp_path: Path) -> None:
    reported = tmp_path / "reported"
    wheel = make_wheel(tmp_path, engine=b"built")
    write(tmp_path / "packages/maturin.py", TOY_MATURIN.format(reported=reported, works=True, wheel=wheel))
    write(tmp_path / "packages/ziglang.py", "")
    write(tmp_path / "bin/cargo", "").chmod(0o755)
    done = package_alone(without_packages, "--json")
    assert (done.code, done.report["architecture"], "maturin's own words" in done.err) == (0, "x86_64", True), done.err
    how = "build --release --zig --compatibility manylinux2014 --target x86_64-unknown-linux-gnu --out"
    assert reported.read_text().splitlines() == [how, str(ROOT), sys.executable]
    with ZipFile(build / "core-layer.zip") as layer:
        assert layer.read("python/circulate_core/_core.abi3.so") == b"built"


def test_a_build_that_fails_is_reported_after_what_it_said(without_packages: Cli, build: Path, tmp_path: Path) -> None:
    write(tmp_path / "packages/maturin.py", TOY_MATURIN.format(reported=tmp_path / "reported", works=False, wheel=""))
    write(tmp_path / "packages/ziglang.py", "")
    write(tmp_path / "bin/cargo", "").chmod(0o755)
    done = package_alone(without_packages)
    assert_reports(done, 1, "maturin's own words\n", "the engine was not built: maturin ended with exit code 101")
    assert not build.exists()
