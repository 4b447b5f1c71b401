"""`circulate init`: a project that works at once, and nothing of what was there is changed."""

import os
import re
import shlex
from pathlib import Path

import pytest
import yaml
from support.authored import TEST, WIDGETS, api_in, files_in, pytest_in, write_list
from support.cli import Cli
from support.packages import assert_reports, make_wheel, write

import circulate_core
from circulate_core.authoring.files import write_new
from circulate_core.authoring.project import make_project
from circulate_core.aws.packaging.terraform import KIT
from circulate_core.exceptions import SettingsError

FILES = [
    ".github/workflows/ci.yml",
    ".gitignore",
    "README.md",
    "circulate.toml",
    "definitions/README.md",
    "deploy/main.tf",
    "lambdas/lib/defaults.yaml",
    "lambdas/lib/targets/athena/handler.py",
    "lambdas/lib/targets/athena/lambda.yaml",
    "lambdas/lib/targets/s3/handler.py",
    "lambdas/lib/targets/s3/lambda.yaml",
    "requirements.txt",
    "tests/conftest.py",
    "tests/test_project.py",
]


def test_it_writes_a_project_and_shows_its_files(cli: Cli) -> None:
    done = cli("init", "lake", "--name", "Lake of Acme")
    assert done.code == 0, done.err
    assert files_in(cli.folder / "lake") == FILES
    assert sorted(done.out.split()) == [f"lake/{name}" for name in FILES]
    assert "next: cd lake && circulate new SOURCE.ENDPOINT" in done.err
    assert (cli.folder / "lake/README.md").read_text().startswith("# Lake of Acme\n")
    assert 'prefix = "lake-of-acme"' in (cli.folder / "lake/deploy/main.tf").read_text()


def test_it_writes_to_the_folder_that_one_is_in(cli: Cli) -> None:
    write(cli.folder / "notes.txt", "mine")
    done = cli("init")
    assert done.code == 0, done.err
    assert files_in(cli.folder) == sorted([*FILES, "notes.txt"])
    assert (cli.folder / "README.md").read_text().startswith(f"# {cli.folder.name}\n")


def test_a_new_project_passes_its_own_checks(at_project: Cli) -> None:
    assert at_project("list").code == 0
    assert at_project("check", "lambdas").code == 0
    done = pytest_in(at_project.folder)
    assert done.code == 0, done.out
    assert "1 passed" in done.out


def test_a_project_with_a_list_passes_its_tests_and_is_packaged(at_project: Cli, tmp_path: Path) -> None:
    write_list(at_project.folder, WIDGETS)
    done = pytest_in(at_project.folder, "-W", "error")
    assert done.code == 0, done.out
    assert "14 passed" in done.out
    packaged = at_project("package", "--wheel", make_wheel(tmp_path), "--terraform")
    assert packaged.code == 0, packaged.err
    assert "circulate-acme-widgets-list.zip" in packaged.out
    assert "kept:" not in packaged.err, (
        "the project has files of the Terraform that are other than those of the package"
    )


COMMAND = re.compile(r"^\$ ((?:.*\\\n)*.*)$", re.MULTILINE)


def test_the_commands_of_its_readme_work(at_project: Cli, tmp_path: Path) -> None:
    commands = [
        command.replace("\\\n", "") for command in COMMAND.findall((at_project.folder / "README.md").read_text())
    ]
    own = [shlex.split(command)[1:] for command in commands if command.startswith("circulate ")]
    assert [words[0] for words in own] == ["new", "check", "sample", "pull", "verify", "check", "local", "package"]
    assert commands.count("export CIRCULATE_CATALOG=definitions") == 1
    new, *others = own
    done = at_project(*new)
    assert done.code == 0, done.err
    wheel = make_wheel(tmp_path)
    with api_in(at_project.folder / TEST).serve() as server:
        settings = {"ACME_URL": server.url, "ACME_TOKEN": "made-up-token", "CIRCULATE_CATALOG": "definitions"}
        for words in others:
            more: list[str | Path] = ["--wheel", wheel] if words[0] == "package" else []
            done = at_project(*words, *more, **settings)
            assert done.code == 0, f"{words}: {done.err}"
    assert (at_project.folder / "lambdas/iac/functions.tf").is_file()


def test_its_config_file_is_for_everybody(at_project: Cli) -> None:
    write_list(at_project.folder, WIDGETS)
    (at_project.folder / "circulate.toml").chmod(0o644)
    done = at_project("check", "acme.widgets", ACME_TOKEN="canary")
    assert done.code == 2
    assert "can be read by others" not in done.err
    assert "circulate.toml in the working folder says where Acme is defined" in done.err
    assert "canary" not in done.err


def test_a_test_of_the_project_fails_where_a_function_does_not_fit(project: Path) -> None:
    write_list(project, WIDGETS)
    (project / "definitions/acme/widgets.yaml").rename(project / "definitions/acme/gadgets.yaml")
    done = pytest_in(project, "tests/test_project.py")
    assert done.code == 1
    assert "no stream is named `acme.widgets`" in done.out


def test_what_the_project_names_is_pinned_and_what_the_wheel_has_is_not_copied(project: Path) -> None:
    required = (project / "requirements.txt").read_text().split()
    assert required[0] == f"circulate-core[local]=={circulate_core.__version__}"
    assert all(re.fullmatch(r"[a-z-]+(\[[a-z]+\])?==[\w.]+", line) for line in required)
    workflow = yaml.safe_load((project / ".github/workflows/ci.yml").read_text())
    assert workflow["permissions"] == {}
    (job,) = workflow["jobs"].values()
    assert job["permissions"] == {"contents": "read"}
    assert all(
        re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", step.get("uses", "a/b@" + "0" * 40)) for step in job["steps"]
    )
    for file in KIT.glob("lib/**/*.py"):
        assert (project / "lambdas" / file.relative_to(KIT)).read_bytes() == file.read_bytes()
    assert not (project / "lambdas/iac").exists()


def test_all_that_is_there_is_named_and_nothing_is_written(cli: Cli) -> None:
    write(cli.folder / "lake/README.md", "mine")
    write(cli.folder / "lake/tests", "a file")
    (cli.folder / "lake/circulate.toml").symlink_to("nowhere")
    done = cli("init", "lake")
    there = "lake/README.md, lake/circulate.toml, lake/tests"
    assert_reports(done, 2, f"nothing is written, since there is already: {there}", "hint: name another folder")
    assert files_in(cli.folder / "lake") == ["README.md", "circulate.toml", "tests"]
    assert (cli.folder / "lake/README.md").read_text() == "mine"


def test_a_second_time_it_changes_nothing(at_project: Cli) -> None:
    before = {name: (at_project.folder / name).read_bytes() for name in files_in(at_project.folder)}
    done = at_project("init")
    assert_reports(done, 2, *FILES, "`circulate new SOURCE.ENDPOINT` adds to a project")
    assert {name: (at_project.folder / name).read_bytes() for name in files_in(at_project.folder)} == before


@pytest.mark.parametrize("folder", ["definitions", "new/inner", "definitions/../deeper"])
def test_a_project_is_not_made_in_another_one(at_project: Cli, folder: str) -> None:
    before = files_in(at_project.folder)
    said = f"{Path(folder)} is in the project {at_project.folder}"
    assert_reports(at_project("init", folder), 2, said, f"cd {at_project.folder}")
    assert files_in(at_project.folder) == before


def test_a_link_into_a_project_is_in_the_project(at_project: Cli, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(at_project.folder / "definitions")
    assert_reports(at_project("init", tmp_path / "link"), 2, f"is in the project {at_project.folder}")


def test_a_folder_by_a_link_is_written_to(cli: Cli) -> None:
    (cli.folder / "elsewhere").mkdir()
    (cli.folder / "lake").symlink_to("elsewhere")
    assert cli("init", "lake").code == 0
    assert files_in(cli.folder / "elsewhere") == FILES


def test_the_package_itself_is_no_project(cli: Cli) -> None:
    package = Path(circulate_core.__file__).parent
    assert_reports(cli("init", package / "mine"), 2, "is in the package circulate-core itself")
    assert not (package / "mine").exists()


@pytest.mark.parametrize("folder", ["a file/inner", "/proc/circulate", "x" * 300])
def test_a_folder_that_cannot_be_written_to_is_named(cli: Cli, folder: str) -> None:
    write(cli.folder / "a file", "")
    done = cli("init", folder)
    assert_reports(done, 2)
    assert folder.removesuffix("/inner") in done.err
    assert files_in(cli.folder) == ["a file"]


def test_a_folder_that_is_not_ones_own_is_not_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Path.open

    def full_disk(path: Path, *arguments: str, **options: str) -> object:
        if path == tmp_path / "lake/lambdas/lib/defaults.yaml":
            raise OSError(28, "No space left on device", str(path))
        return opened(path, *arguments, **options)  # type: ignore[call-overload]

    write(tmp_path / "lake/mine.txt", "mine")
    monkeypatch.setattr(Path, "open", full_disk)
    with pytest.raises(SettingsError, match=r"cannot write .*defaults\.yaml: No space left on device"):
        make_project(tmp_path / "lake")
    assert files_in(tmp_path) == ["lake/mine.txt"]
    assert [path.name for path in (tmp_path / "lake").iterdir()] == ["mine.txt"]


def test_a_file_that_came_meanwhile_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Path.mkdir

    def somebody_is_faster(path: Path) -> None:
        made(path)
        (path / "b.txt").write_text("theirs")

    monkeypatch.setattr(Path, "mkdir", somebody_is_faster)
    with pytest.raises(SettingsError, match=r"cannot write .*b\.txt: File exists"):
        write_new(tmp_path, {"new/a.txt": "ours", "new/b.txt": "ours"}, operation="try", hint="")
    assert files_in(tmp_path) == ["new/b.txt"]
    assert (tmp_path / "new/b.txt").read_text() == "theirs"


@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        ("Acme", "acme"),
        ("Søk & Læs", "s-k-l-s"),
        ("日本", "circulate"),
        ("a", "circulate"),
        ("2nd -- try", "nd-try"),
        ("x" * 22 + "-y", "x" * 22),
        ("<version> <prefix> ${x} %{y}", "version-prefix-x-y"),
        ("y" * 100, "y" * 23),
    ],
)
def test_any_name_is_one_that_terraform_takes(cli: Cli, name: str, prefix: str) -> None:
    done = cli("init", "lake", "--name", name)
    assert done.code == 0, done.err
    assert (cli.folder / "lake/README.md").read_text().startswith(f"# {name}\n")
    assert f'prefix = "{prefix}"' in (cli.folder / "lake/deploy/main.tf").read_text()
    valid = re.search(r'regex\("(.*?)", var.prefix', (KIT / "iac/variables.tf").read_text())
    assert valid is not None
    assert re.fullmatch(valid[1], prefix)
    assert not prefix.endswith("-")
    assert "--" not in prefix


@pytest.mark.parametrize("name", ["", " ", "a\nb", "\x1b[31m", "x" * 101])
def test_what_is_not_a_name_is_refused(cli: Cli, name: str) -> None:
    assert_reports(cli("init", "lake", "--name", name), 2, "invalid name of a project", "--name")
    assert not (cli.folder / "lake").exists()


def test_a_folder_whose_name_is_not_text_needs_a_name(cli: Cli) -> None:
    folder = cli.folder / os.fsdecode(b"l\xffke")
    folder.mkdir()
    inside = Cli(folder, cli.environment, cli.place)
    assert_reports(inside("init"), 2, "invalid name of a project")
    assert inside("init", "--name", "lake").code == 0
