"""A source of one's own goes all the way, from a folder that has nothing but what its user wrote."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace as changed
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from support.cli import Cli
from support.handlers import Context, lines
from support.own_source import FUNCTION, HANDLER, STREAM, acme, digests, make_own_source, replace, settings
from support.packages import ROOT, assert_reports, make_wheel, names, unpack, write
from support.places import Bucket
from support.toys import error, needs_namespaces, result

from circulate_core import _core, exceptions
from circulate_core.aws import puller
from circulate_core.aws.packaging.terraform import KIT
from circulate_core.aws.project import described
from circulate_local import Credentials, Function, LocalLambda
from circulate_practice.compare import compare

PROMOTE = "circulate-targets-s3-promote"
PACKAGED = ["definitions/acme/source.yaml", "definitions/acme/widgets.yaml", "handler.py"]
ROLE = Credentials("practice", "practice")


@pytest.fixture(scope="module")
def api() -> Iterator[str]:
    with acme() as url:
        yield url


@pytest.fixture
def own(cli: Cli, api: str) -> Cli:
    """Make the command line in a folder with a source of one's own, and its settings in the environment."""
    make_own_source(cli.folder)
    return Cli(cli.folder, cli.environment | settings(api), cli.place)


@pytest.fixture
def function(own: Cli) -> Path:
    """Give the folder of the function."""
    return own.folder / "lambdas/lib/acme/widgets"


def package(own: Cli, *arguments: str, engine: bytes | None = b"engine") -> Path:
    """Package the project; return where the zips are."""
    done = own("package", "--wheel", make_wheel(own.folder, engine=engine), *arguments)
    assert done.code == 0, done.err
    return own.folder / "lambdas/.build"


@pytest.fixture
def cloud(aws: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Bucket, Bucket]:
    """Make the two buckets of a deployment, and the table of the first."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    pulled, data = Bucket.new(aws, tmp_path, "raw"), Bucket.new(aws, tmp_path, "data")
    _core.state_init(pulled.state[1])
    return pulled, data


@needs_namespaces
def test_what_is_packaged_pulls_on_lambda_and_is_promoted(
    own: Cli, api: str, cloud: tuple[Bucket, Bucket], tmp_path: Path
) -> None:
    build = package(own, "--terraform", engine=None)
    layer = unpack(build / "core-layer.zip", tmp_path / "layer")
    pulled, data = cloud
    environment = {"AWS_ENDPOINT_URL": pulled.endpoint, "CIRCULATE_STATE": pulled.state[1]}
    variables = {
        FUNCTION: environment | settings(api) | {"CIRCULATE_TO": pulled.uri, "CIRCULATE_COMMIT": "pending"},
        PROMOTE: environment | {"CIRCULATE_FROM": pulled.uri, "CIRCULATE_TO": data.uri},
    }
    functions = [
        changed(
            Function.of(each, variables[each.name], timeout_s=60),
            # Nothing of the project is there but its zip.
            task_root=unpack(build / f"{each.name}.zip", tmp_path / each.name),
            layers=(layer,),
        )
        for each in described(own.folder / "lambdas/lib")
        if each.name in variables
    ]
    log: list[str] = []
    with LocalLambda(functions, log=log.append, credentials=ROLE) as local:
        run = result(local.invoke(FUNCTION))
        promoted = result(local.invoke(PROMOTE, json.dumps({"manifest": run["manifest"]}).encode()))
    assert (run["status"], run["records"], promoted["status"]) == ("complete", 120, "complete"), log
    for place, response in ((pulled, run), (data, promoted)):
        manifest = place.lake() / response["manifest"].removeprefix(place.uri).lstrip("/")
        assert compare(manifest, digests()).identical
    assert not [line for line in log if "canary" in line]


def test_a_zip_has_the_definitions_that_its_code_names(own: Cli, function: Path) -> None:
    write(own.folder / "definitions/other/source.yaml", "of another function\n")
    assert names(package(own) / f"{FUNCTION}.zip") == PACKAGED
    for call in (
        'puller(stream="acme.widgets", catalog="definitions")',
        'puller("acme.widgets", catalog=["definitions"])',
        "puller(STREAM, catalog=CATALOG)",
        'aws.puller("acme.widgets", catalog=("definitions",))',
        "make(STREAM, catalog=CATALOG)",
    ):
        names_of = 'from circulate_core.aws import puller as make\nSTREAM, CATALOG = 1, 1\nSTREAM = "acme.widgets"\n'
        code = f'{names_of}CATALOG: Final = "definitions"\nlist = {call}\n'
        write(function / "handler.py", code)
        assert names(package(own) / f"{FUNCTION}.zip") == PACKAGED, call


def test_a_zip_has_the_definitions_that_a_variable_of_its_function_names(own: Cli, function: Path) -> None:
    replace(function / "handler.py", ', catalog="definitions"', "")
    assert own("check", "lambdas").code == 2
    replace(function / "lambda.yaml", "timeout_s: 60", "environment: {CIRCULATE_CATALOG: definitions}")
    assert own("check", "lambdas").code == 0
    assert names(package(own) / f"{FUNCTION}.zip") == PACKAGED


def test_the_token_extension_comes_with_the_package(own: Cli, function: Path) -> None:
    replace(function / "lambda.yaml", "timeout_s: 60", "extension: circulate-token")
    done = own("check", "lambdas")
    assert done.code == 0, done.err
    with ZipFile(package(own) / "circulate-token-layer.zip") as archive:
        program = archive.getinfo("extensions/circulate-token")
        code = archive.read("circulate-token/circulate_token/keeper.py")
    assert program.external_attr >> 16 & 0o111 == 0o111
    assert code == (ROOT / "lambdas/extensions/circulate-token/circulate_token/keeper.py").read_bytes()
    replace(function / "lambda.yaml", "circulate-token", "circulate-tokens")
    assert "there is no extension `circulate-tokens`" in own("check", "lambdas").err


def test_a_catalog_of_the_function_comes_before_that_of_the_project(own: Cli, function: Path) -> None:
    write(function / "definitions/acme/source.yaml", (own.folder / "definitions/acme/source.yaml").read_text())
    text = (own.folder / "definitions/acme/widgets.yaml").read_text() + "# its own\n"
    write(function / "definitions/acme/widgets.yaml", text)
    with ZipFile(package(own) / f"{FUNCTION}.zip") as archive:
        assert archive.read("definitions/acme/widgets.yaml").decode() == text


def link_data(function: Path) -> None:
    (function / "hosts").symlink_to("/etc/hosts")
    write(function / "lambda.yaml", LAMBDA_WITH.format("[hosts]"))


CATALOG = 'catalog="definitions"'
MISTAKES: dict[str, tuple[Callable[[Path], object], tuple[str, ...]]] = {
    "no catalog": (
        lambda own: replace(own / "lambdas/lib/acme/widgets/handler.py", f", {CATALOG}", ""),
        ("handler.py:5: no stream is named `acme.widgets`", f'puller("acme.widgets", {CATALOG})'),
    ),
    "no folder": (
        lambda own: (own / "definitions").rename(own / "defs"),
        ("handler.py:5: there is no catalog `definitions` beside handler.py or above it", "hint: make the folder"),
    ),
    "a folder of nothing": (
        lambda own: (own / "definitions/acme/source.yaml").unlink(),
        ("the catalog definitions has no source",),
    ),
    "a stream that is not defined": (
        lambda own: (own / "definitions/acme/widgets.yaml").rename(own / "definitions/acme/widgits.yaml"),
        ("handler.py:5: no stream is named `acme.widgets`", "did you mean `acme.widgits`?"),
    ),
    "a mistake in a definition": (
        lambda own: replace(own / "definitions/acme/widgets.yaml", "body_link", "body_lnk"),
        ("error: definitions/acme/widgets.yaml:7:15: unknown paginator `body_lnk`",),
    ),
    "a mistake in the source": (
        lambda own: replace(own / "definitions/acme/source.yaml", "base_url", "base"),
        ("error: definitions/acme/source.yaml:6:1: unknown key `base`",),
    ),
    "a path out of the zip": (
        lambda own: replace(own / "lambdas/lib/acme/widgets/handler.py", CATALOG, 'catalog="../../../../definitions"'),
        ("handler.py:5: the catalog `../../../../definitions` of a function leaves its zip", "hint: write its name"),
    ),
    "an absolute path": (
        lambda own: replace(own / "lambdas/lib/acme/widgets/handler.py", CATALOG, f'catalog="{own}/definitions"'),
        ("handler.py:5: the catalog `/", "is an absolute path", "hint: write its name"),
    ),
    "a computed catalog": (
        lambda own: replace(own / "lambdas/lib/acme/widgets/handler.py", CATALOG, 'catalog="defini" + "tions"'),
        ("handler.py:5: the catalog of `puller` is computed", "hint: write its name"),
    ),
    "data that is not there": (
        lambda own: write(own / "lambdas/lib/acme/widgets/lambda.yaml", LAMBDA_WITH.format("[sizes.json]")),
        ("lambda.yaml: there is no file `sizes.json` in lambdas/lib/acme/widgets",),
    ),
    "data elsewhere": (
        lambda own: write(own / "lambdas/lib/acme/widgets/lambda.yaml", LAMBDA_WITH.format("[../../sizes.json]")),
        ("lambda.yaml:5:9: invalid path `../../sizes.json`",),
    ),
    "data by a link": (
        lambda own: link_data(own / "lambdas/lib/acme/widgets"),
        ("hosts of `files` is a link out of lambdas/lib/acme/widgets",),
    ),
    "a target that is not there": (
        lambda own: write(
            own / "lambdas/lib/acme/widgets/lambda.yaml",
            LAMBDA_WITH.format("[]") + "pipeline: {schedule: rate(1 hour)}\n",
        ),
        ("the target `s3` of the pipeline has no folder", "`circulate package --terraform` puts `s3` there"),
    ),
    "another folder": (
        lambda own: (own / "lambdas/lib").rename(own / "lambdas/functions"),
        ("there is no such folder of Lambda functions", "--lambdas"),
    ),
}
LAMBDA_WITH = "source: acme\nendpoint: widgets\nfunctions:\n  list: {{handler: handler.list}}\nfiles: {}\n"


@pytest.mark.parametrize("command", [("check", "lambdas"), ("package",), ("local", "invoke", STREAM)], ids=" ".join)
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_reported_by_every_command_before_anything_is_started(
    own: Cli, mistake: str, command: tuple[str, ...]
) -> None:
    make, parts = MISTAKES[mistake]
    make(own.folder)
    assert_reports(own(*command), 2, *parts)
    assert not (own.folder / "lambdas/.build").exists()


def test_a_folder_above_that_of_functions_is_no_folder_of_functions(own: Cli) -> None:
    said = ("there is no {source}/{endpoint}/lambda.yaml in lambdas", "there are functions in lambdas/lib")
    assert_reports(own("package", "--lambdas", "lambdas"), 2, *said)


def test_a_function_pulls_the_stream_that_it_is_named_after(own: Cli, function: Path) -> None:
    function.rename(function.with_name("gadgets"))
    replace(function.with_name("gadgets") / "lambda.yaml", "widgets", "gadgets")
    said = "handler.py:5: this is the function of `acme.gadgets`, and pulls `acme.widgets`"
    assert_reports(own("check", "lambdas"), 2, said)


def test_data_lies_beside_the_code(own: Cli, function: Path) -> None:
    for name in ("sizes.json", "tables/a.csv", "tables/deep/b.csv", "tables/__pycache__/c.pyc", "not-named.json"):
        write(function / name, "x")
    write(function / "lambda.yaml", LAMBDA_WITH.format("[sizes.json, tables, handler.py]"))
    data = ["sizes.json", "tables/a.csv", "tables/deep/b.csv"]
    assert names(package(own) / f"{FUNCTION}.zip") == [*PACKAGED, *data]


def make_requirement(folder: Path, name: str, *modules: str, tag: str = "py3-none-any") -> Path:
    """Write a wheel that has these modules, and a script."""
    wheel, about = folder / f"{name}-1.0-{tag}.whl", f"{name}-1.0.dist-info"
    files = dict.fromkeys(modules, "X = 1\n")
    files |= {f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"}
    files |= {f"{about}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n"}
    files |= {f"{about}/entry_points.txt": f"[console_scripts]\n{name}=x:y\n"}
    folder.mkdir(exist_ok=True)
    with ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
        archive.writestr(f"{about}/RECORD", "".join(f"{path},,\n" for path in [*files, f"{about}/RECORD"]))
    return wheel


@pytest.mark.parametrize(
    ("runtime", "architecture", "tag"),
    [
        ("python3.13", "x86_64", "cp313-cp313-manylinux_2_28_x86_64"),
        ("python3.12", "arm64", "cp312-cp312-manylinux_2_34_aarch64"),
        ("python3.11", "x86_64", "cp311-abi3-manylinux2014_x86_64"),
        ("python3.13", "x86_64", "py3-none-any"),
    ],
)
def test_requirements_are_those_of_the_runtime_whatever_runs_here(  # noqa: PLR0913, PLR0917 - cases, and fixtures
    own: Cli, function: Path, runtime: str, architecture: str, tag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_requirement(function / "wheels", "toyreq", "toyreq/__init__.py", tag=tag)
    write(function / "requirements.txt", "--no-index\n--find-links wheels\ntoyreq==1.0\n")
    monkeypatch.setenv("PIP_USER", "1")
    machine = {"x86_64": "x86_64", "arm64": "aarch64"}[architecture]
    wheel = make_wheel(own.folder, tags=f"cp311-abi3-manylinux2014_{machine}")
    text = (function / "lambda.yaml").read_text()
    write(function / "lambda.yaml", f"runtime: {runtime}\narchitecture: {architecture}\n{text}")
    made = []
    for _ in range(2):
        done = own("package", "--wheel", wheel)
        assert done.code == 0, done.err
        made.append((own.folder / f"lambdas/.build/{FUNCTION}.zip").read_bytes())
    assert made[0] == made[1]
    found = names(own.folder / f"lambdas/.build/{FUNCTION}.zip")
    about = [f"toyreq-1.0.dist-info/{name}" for name in ("METADATA", "WHEEL", "entry_points.txt")]
    assert found == [*PACKAGED, *about, "toyreq/__init__.py"]


@pytest.mark.parametrize(
    ("tag", "said"),
    [
        ("cp313-cp313-manylinux_2_35_x86_64", "No matching distribution found"),
        ("cp312-cp312-manylinux2014_x86_64", "No matching distribution found"),
        ("cp313-cp313-macosx_11_0_arm64", "No matching distribution found"),
    ],
)
def test_a_requirement_that_the_runtime_cannot_load_is_refused(own: Cli, function: Path, tag: str, said: str) -> None:
    make_requirement(function / "wheels", "toyreq", "toyreq/__init__.py", tag=tag)
    write(function / "requirements.txt", "--no-index\n--find-links wheels\ntoyreq\n")
    done = own.process("package", "--wheel", make_wheel(own.folder))
    assert done.code == 1
    assert said in done.err
    assert "error: lambdas/lib/acme/widgets/requirements.txt was not installed: pip ended with exit code 1" in done.err
    assert not (own.folder / "lambdas/.build").exists()


@pytest.mark.parametrize(
    ("module", "said"),
    [
        ("circulate_core/__init__.py", "names circulate-core, which functions have from the core layer"),
        ("handler.py", f"the zip of {FUNCTION} would have two files named handler.py"),
    ],
)
def test_a_requirement_that_would_hide_what_is_there_is_refused(
    own: Cli, function: Path, module: str, said: str
) -> None:
    make_requirement(function / "wheels", "toyreq", module)
    write(function / "requirements.txt", "--no-index\n--find-links wheels\ntoyreq\n")
    assert_reports(own("package", "--wheel", make_wheel(own.folder)), 2, said)


@needs_namespaces
def test_the_local_runner_shows_a_function_what_its_zip_has(own: Cli, function: Path) -> None:
    make_requirement(function / "wheels", "toyreq", "toyreq/__init__.py")
    write(function / "requirements.txt", "--no-index\n--find-links wheels\ntoyreq\n")
    write(function / "sizes.json", "[1]")
    write(function / "forgotten.json", "[1]")
    write(function / "lambda.yaml", LAMBDA_WITH.format("[sizes.json]"))
    code = "import toyreq, os\nprint(sorted(os.listdir(os.path.dirname(__file__))))\n"
    write(function / "handler.py", code + HANDLER)
    done = own("local", "invoke", STREAM)
    assert done.code == 0, done.err
    assert (done.report["status"], done.report["records"]) == ("complete", 120)
    assert "canary" not in done.out + done.err
    assert "['definitions', 'handler.py', 'sizes.json', 'toyreq', 'toyreq-1.0.dist-info']" in done.err


def test_there_is_no_practice_org_of_a_source_of_ones_own(own: Cli) -> None:
    parts = ("there is a practice org for functions of okta, and none of these is: acme.widgets", "leave out --org")
    assert_reports(own("local", "invoke", STREAM, "--org", "practice"), 2, *parts)


NOTEBOOK = compile('list = puller("acme.widgets", catalog="definitions")', "<ipython-input-1-1c>", "exec")


def test_a_cell_of_a_notebook_finds_the_catalog_of_its_folder(
    own: Cli,
    api: str,
    cloud: tuple[Bucket, Bucket],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    place, _ = cloud
    for name, value in (settings(api) | {"CIRCULATE_TO": place.uri, "CIRCULATE_STATE": place.state[1]}).items():
        monkeypatch.setenv(name, value)
    (own.folder / "notebooks").mkdir()
    monkeypatch.chdir(own.folder / "notebooks")
    cell: dict[str, Any] = {"puller": puller}
    exec(NOTEBOOK, cell)  # noqa: S102 - as a notebook does
    response = cell["list"]({}, Context())
    assert (response["status"], response["records"]) == ("complete", 120)
    assert lines(capsys)[-1]["event"] == "pull ended"
    monkeypatch.chdir("/")
    with pytest.raises(exceptions.DefinitionError, match="there is no catalog `definitions`"):
        exec(NOTEBOOK, cell)  # noqa: S102 - as above


def test_a_function_pulls_by_what_a_variable_names_and_never_by_what_a_config_file_does(
    own: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = compile('list = puller("acme.widgets")', "<ipython-input-1-1c>", "exec")
    write(own.folder / "circulate.toml", 'catalog = ["definitions"]\n')
    monkeypatch.chdir(own.folder)
    with pytest.raises(exceptions.DefinitionError, match=r"no stream is named `acme\.widgets`"):
        exec(cell, {"puller": puller})  # noqa: S102 - as a notebook does
    monkeypatch.setenv("CIRCULATE_CATALOG", "definitions")
    (own.folder / "notebooks").mkdir()
    monkeypatch.chdir(own.folder / "notebooks")
    exec(cell, named := {"puller": puller})  # noqa: S102 - as above
    assert callable(named["list"])


@needs_namespaces
def test_a_zip_without_its_definitions_says_so_when_it_starts(own: Cli, tmp_path: Path) -> None:
    build = package(own, engine=None)
    (task := tmp_path / "task").mkdir()
    (task / "handler.py").write_text(HANDLER)
    (each,) = described(own.folder / "lambdas/lib")
    layer = unpack(build / "core-layer.zip", tmp_path / "layer")
    function = changed(Function.of(each, {}), task_root=task, layers=(layer,))
    with LocalLambda([function], credentials=ROLE) as local:
        failure = error(local.invoke(FUNCTION))
    assert failure["errorType"] == "DefinitionError"
    assert "there is no catalog `definitions` beside handler.py" in failure["errorMessage"]


def test_the_terraform_of_the_wheel_is_that_of_this_repository() -> None:
    found = [file for name in ("iac", "lib/targets") for file in (ROOT / "lambdas" / name).rglob("*")]
    of_project = [
        ROOT / "lambdas/lib/defaults.yaml",
        *(file for file in found if file.suffix in {".tf", ".py", ".yaml"}),
    ]
    ours = {file.relative_to(ROOT / "lambdas").as_posix() for file in of_project if ".terraform" not in file.parts}
    in_wheel = {file.relative_to(KIT).as_posix(): file for file in KIT.rglob("*") if file.is_file()}
    assert {name for name in in_wheel if "__pycache__" not in name} == ours
    assert all(in_wheel[name].samefile(ROOT / "lambdas" / name) for name in ours)


def test_the_terraform_is_written_once_and_what_is_there_is_kept(own: Cli) -> None:
    wheel = make_wheel(own.folder)
    done = own("package", "--terraform", "--wheel", wheel)
    assert done.code == 0, done.err
    iac = own.folder / "lambdas/iac"
    count = len([file for file in KIT.rglob("*") if file.is_file() and "__pycache__" not in file.parts])
    assert f"✓ {count} files of the Terraform written to lambdas" in done.err
    assert sorted(file.name for file in (own.folder / "lambdas/.build").iterdir()) == [
        *(f"{FUNCTION}.zip", "circulate-targets-athena-register.zip", f"{PROMOTE}.zip", "core-layer.zip")
    ]
    assert "yaml-language-server" not in (own.folder / "lambdas/lib/defaults.yaml").read_text()
    (iac / "variables.tf").write_text("# mine\n")
    (iac / "kms.tf").unlink()
    done = own("package", "--terraform", "--wheel", wheel)
    assert "✓ 1 file of the Terraform written to lambdas" in done.err
    assert "kept: lambdas/iac/variables.tf is other than ours; remove it to get ours" in done.err
    assert (iac / "variables.tf").read_text() == "# mine\n"


def test_the_terraform_is_not_written_where_it_would_find_no_functions(own: Cli) -> None:
    (own.folder / "lambdas/lib").rename(own.folder / "functions")
    done = own("package", "--terraform", "--lambdas", "functions", "--wheel", make_wheel(own.folder))
    assert_reports(done, 2, "looks for functions in a folder `lib` beside its own, not in functions", "lambdas/lib")
    assert not (own.folder / "iac").exists()
