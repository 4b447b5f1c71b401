"""The shape of the project, held by tests: what may depend on what, and what must not be loaded."""

import ast
import functools
import graphlib
import re
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Set as AbstractSet
from pathlib import Path

import pytest
import yaml
from support.rust_files import cycle_in, uses_of_files

ROOT = Path(__file__).resolve().parents[2]
CORE = ROOT / "rust/circulate-core/src"

# DESIGN: a module uses what stands before it. Modules of one line may use each other.
ORDER = [
    ["error", "nearest", "redact"],
    ["net"],
    ["aws", "clock", "secrets", "stop", "events", "progress", "timestamp"],
    ["catalog"],
    ["deploy", "human"],
    ["api::account", "api::http", "api::hooks", "api::auth", "api::page_address"],
    ["api::page_request"],
    ["api::client"],
    ["page"],
    ["extract::cursor"],
    ["extract::plan"],
    ["extract::batch"],
    ["table::json"],
    ["table::columns"],
    ["table::schema"],
    ["table::builder"],
    ["table"],
    ["encode"],
    ["lake::stream_id"],
    ["lake::keys"],
    ["lake::sink"],
    ["lake::record_key", "lake::external_sort"],
    ["lake::manifest"],
    ["lake::entry_files", "lake::marker"],
    ["lake::run_manifest"],
    ["lake::write"],
    ["state"],
    ["writes", "location"],
    ["run"],
    ["run::check", "read", "promote", "upkeep::verify", "upkeep::gc"],
    ["register"],
    ["operate"],
]
RANK = {module: rank for rank, modules in enumerate(ORDER) for module in modules}
FOLDERS = {module.split("::")[0] for module in RANK} - set(RANK)
"""Modules that only hold modules of the order."""


def place_of(path: list[str]) -> str:
    """The module of the order that a path lies in, or the folder of such modules that it is."""
    module = "::".join(path[:2])
    return module if module in RANK else path[0]


def path_of(file: Path) -> list[str]:
    return [name for name in file.relative_to(CORE).with_suffix("").parts if name != "mod"]


def module_of(file: Path) -> str:
    return place_of(path_of(file))


def product_code(file: Path) -> str:
    """The file without its tests and comments."""
    code = file.read_text().split("#[cfg(test)]")[0]
    return "\n".join(line for line in code.splitlines() if not line.lstrip().startswith("//"))


def used_in(file: Path) -> set[str]:
    """The places that a file names by paths, from the root of the crate or from where it is."""
    code = product_code(file)
    from_root = [path.split("::") for path in re.findall(r"\bcrate::(\w+(?:::\w+)?)", code)]
    from_here = [
        [*path_of(file)[: -ups.count("super")], name] for ups, name in re.findall(r"\b((?:super::)+)(\w*)", code)
    ]
    return {place_of(path) for path in from_root + from_here}


def source_files() -> list[Path]:
    files = [(file, file.relative_to(CORE).parts) for file in sorted(CORE.rglob("*.rs"))]
    return [file for file, parts in files if parts[0] not in {"lib.rs", "testing"} and "tests" not in parts]


def test_every_module_has_its_place() -> None:
    assert {module_of(file) for file in source_files()} == set(RANK) | FOLDERS


def test_modules_depend_only_leftwards() -> None:
    wrong = [
        f"{file.relative_to(CORE)} uses {used}"
        for file in source_files()
        for used in sorted(used_in(file))
        if used in FOLDERS or RANK.get(used, -1) > RANK.get(module_of(file), -1)
    ]
    assert wrong == []


CRATES = [CORE, ROOT / "rust/circulate-python/src"]
MODULES = [
    pytest.param(crate, folder, id=f"{crate.parent.name}/{folder}")
    for crate in CRATES
    for folder in sorted({str(file.parent.relative_to(crate)) for file in crate.rglob("*.rs")})
    if "tests" not in Path(folder).parts
]


@functools.cache
def uses_in(crate: Path) -> dict[str, set[str]]:
    return uses_of_files(crate)


def within(folder: str, uses: dict[str, set[str]]) -> dict[str, set[str]]:
    """What the files below a folder use of each other; `.` is the root of the crate."""
    below = "" if folder == "." else f"{folder}/"
    files = {file for file in uses if file.startswith(below)}
    return {file: uses[file] & files for file in files}


@pytest.mark.parametrize(("crate", "folder"), MODULES)
def test_files_of_a_rust_module_do_not_use_each_other_in_a_circle(crate: Path, folder: str) -> None:
    assert cycle_in(within(folder, uses_in(crate))) == []


@pytest.fixture
def two_files(tmp_path: Path) -> Path:
    """A crate of a module with two files, of which `members.rs` uses `reader.rs`; returns the latter."""
    (tmp_path / "json").mkdir()
    (tmp_path / "lib.rs").write_text("mod json;")
    for name in ("mod.rs", "members.rs", "reader.rs"):
        shutil.copy(CORE / "table/json" / name, tmp_path / "json" / name)
    assert cycle_in(uses_of_files(tmp_path)) == []
    return tmp_path / "json/reader.rs"


@pytest.mark.parametrize(
    "planted",
    [
        "use super::members::name_of;",
        "use super::name_of;",
        "use crate::json::{self, name_of as text_of};",
        "use crate::{json::{members::{self, Repeats}}, error::Error};",
        "fn planted() { crate::json::members::name_of(key) }",
        "use crate::json; fn planted() { json::name_of(key) }",
        "pub(super) use super::Repeats; fn planted(how: Repeats) {}",
        '#[serde(with = "super::members")] struct A; #[serde(default = "super::name_of")] struct B;',
    ],
    ids=["path", "export", "group", "nested groups", "expression", "module", "exported and used", "attribute"],
)
def test_a_cycle_of_two_files_is_found(two_files: Path, planted: str) -> None:
    two_files.write_text(f"{planted}\n{two_files.read_text()}")
    assert set(cycle_in(uses_of_files(two_files.parents[1]))) == {"json/members.rs", "json/reader.rs"}


@pytest.mark.parametrize(
    "harmless",
    [
        "// use super::name_of;",
        'const TEXT: &str = "use super::name_of;";',
        "#[cfg(test)] mod planted { use super::super::name_of; }",
        "pub(super) use super::name_of;",
    ],
    ids=["comment", "text", "test", "export"],
)
def test_what_is_no_use_makes_no_cycle(two_files: Path, harmless: str) -> None:
    two_files.write_text(f"{harmless}\n{two_files.read_text()}")
    assert cycle_in(uses_of_files(two_files.parents[1])) == []


@pytest.mark.parametrize("folder", sorted(FOLDERS))
def test_folders_of_modules_hold_nothing_else(folder: str) -> None:
    lines = product_code(CORE / folder / "mod.rs").split("\n")
    assert [line for line in lines if line and not re.fullmatch(r"(pub )?mod \w+;", line)] == []


@pytest.mark.parametrize(
    ("crate", "users"),
    [
        ("reqwest", ["api/http/transport.rs"]),
        ("rusqlite", ["state/sqlite.rs"]),
        ("aws_config", ["aws.rs"]),
        ("aws_sdk_s3", [f"lake/sink/s3/{name}.rs" for name in ("bucket", "conditional", "copy", "read", "upload")]),
        ("aws_sdk_secretsmanager", ["secrets/stored.rs", "secrets/versions.rs"]),
        ("aws_sdk_dynamodb", ["state/dynamodb/mod.rs", "state/dynamodb/table.rs"]),
    ],
)
def test_few_files_use_the_crate_behind_a_seam(crate: str, users: list[str]) -> None:
    found = [str(file.relative_to(CORE)) for file in source_files() if re.search(rf"\b{crate}::", product_code(file))]
    assert found == users


TYPE = re.compile(r"^(?:pub(?:\([a-z:_ ]+\))? )?(?:struct|enum|trait|type) ([A-Z]\w*)", re.MULTILINE)
"""Types of a module; those in functions and `mod tests` are indented."""


def test_a_name_of_a_type_has_one_meaning() -> None:
    found: dict[str, list[str]] = {}
    for crate in ("circulate-core", "circulate-python"):
        for file in sorted((ROOT / "rust" / crate / "src").rglob("*.rs")):
            if "tests" not in file.parts:
                for name in TYPE.findall(file.read_text()):
                    found.setdefault(name, []).append(str(file.relative_to(ROOT)))
    assert len(found) > 300
    assert {name: files for name, files in found.items() if len(files) > 1} == {}


def dependency_tree(package: str) -> list[str]:
    """Every crate that is linked into a package, as `name version`."""
    command = ["cargo", "tree", "--locked", "--package", package, "--edges", "normal", "--prefix", "none"]
    listed = subprocess.run([*command, "--format", "{p}"], cwd=ROOT, check=True, capture_output=True, text=True)
    return sorted({" ".join(line.split()[:2]) for line in listed.stdout.splitlines() if line})


def test_the_core_links_no_python() -> None:
    assert [crate for crate in dependency_tree("circulate-core") if crate.startswith("pyo3")] == []


@pytest.mark.parametrize("prefix", ["arrow", "hyper", "rustls", "http", "tokio", "pyo3"])
def test_crates_whose_types_cross_seams_are_linked_once(prefix: str) -> None:
    names = Counter(crate.split()[0] for crate in dependency_tree("circulate-python"))
    assert {name: count for name, count in names.items() if name.startswith(prefix) and count > 1} == {}


def test_versions_of_wheel_and_crates_are_one() -> None:
    manifest = tomllib.loads((ROOT / "Cargo.toml").read_text())
    shown = run_python("import circulate_core; print(circulate_core.__version__)")
    assert shown.strip() == manifest["workspace"]["package"]["version"]


def run_python(code: str, *flags: str) -> str:
    return subprocess.run([sys.executable, *flags, "-c", code], check=True, capture_output=True, text=True).stdout


HEAVY = {
    "argparse",
    "asyncio",
    "boto3",
    "http.client",
    "http.server",
    "IPython",
    "matplotlib",
    "numpy",
    "pandas",
    "polars",
    "pyarrow",
    "requests",
    "ssl",
    "urllib.request",
}


def test_importing_the_package_loads_nothing_heavy_and_starts_no_thread() -> None:
    code = "import sys, circulate_core; print(*sys.modules); print(len(__import__('os').listdir('/proc/self/task')))"
    modules, threads = run_python(code).splitlines()
    assert HEAVY & set(modules.split()) == set()
    assert {"circulate_core.practice", "circulate_core.aws.local"} & set(modules.split()) == set()
    assert {"circulate_practice", "circulate_local"} & set(modules.split()) == set()
    assert threads == "1"


def test_projects_are_read_and_packaged_without_the_local_runner() -> None:
    modules = run_python("import sys, circulate_core.aws.packaging, circulate_core.aws.project; print(*sys.modules)")
    assert "circulate_local" not in modules.split()


PACKAGES = {file.parent.name: file.parent for file in sorted((ROOT / "python").glob("*/__init__.py"))}


def test_the_wheel_has_every_package() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    assert listed["maturin"]["python-packages"] == listed["mypy"]["packages"] == list(PACKAGES)
    assert all((folder / "py.typed").is_file() for folder in PACKAGES.values())


def test_modules_do_not_import_each_other_in_a_circle() -> None:
    graph = import_graph(ROOT / "python")
    assert PACKAGES.keys() <= graph.keys()
    assert circle_in(graph) == []


@pytest.mark.parametrize(
    ("importing", "found"),
    [
        ("from planted.one import ONE", True),
        ("from planted import one", True),
        ("import planted.one", True),
        ("from .one import ONE", True),
        ("def later() -> None:\n    from planted.one import ONE", True),
        ("if TYPE_CHECKING:\n    from planted.one import ONE", False),
        ("from planted import other", False),
    ],
)
def test_a_planted_circle_is_found(tmp_path: Path, importing: str, *, found: bool) -> None:
    folder = tmp_path / "planted"
    folder.mkdir()
    (folder / "__init__.py").write_text("from planted import one\n")
    (folder / "one.py").write_text("from planted import two\n")
    (folder / "two.py").write_text(f"{importing}\n")
    (folder / "other.py").touch()
    circle = circle_in(import_graph(tmp_path))
    assert set(circle) == ({"planted.one", "planted.two"} if found else set())


def import_graph(folder: Path) -> dict[str, set[str]]:
    """Return the modules below a folder, each with those that it imports: in functions too, for type checkers not."""
    files = {
        ".".join(file.relative_to(folder).with_suffix("").parts).removesuffix(".__init__"): file
        for file in [*folder.rglob("*.py"), *folder.rglob("*.pyi")]
    }
    return {module: imports_of(module, file, files.keys()) for module, file in files.items()}


def imports_of(module: str, file: Path, known: AbstractSet[str]) -> set[str]:
    """Return which of the known modules a module imports. A stub, which stands for the engine, imports none."""
    package = module if file.stem == "__init__" else module.rpartition(".")[0]
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package.rsplit(".", node.level - 1)[0] if node.level else ""
            parent = ".".join(filter(None, [start, node.module]))
            names = {f"{parent}.{alias.name}" for alias in node.names}
            # What is no module is a name in the one it is imported from.
            found.update(name if name in known else parent for name in names)
        elif not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)):
            for child in ast.iter_child_nodes(node):
                visit(child)

    if file.suffix == ".py":
        visit(ast.parse(file.read_text()))
    return found & known - {module}


def circle_in(graph: dict[str, set[str]]) -> list[str]:
    """Return modules that import each other in a circle, if there are any."""
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        circle: list[str] = error.args[1]
        return circle
    return []


IMPORT_BUDGET = 30
"""Modules that importing the package may add to a bare interpreter."""


def test_importing_the_package_stays_within_its_budget() -> None:
    bare = set(run_python("import sys; print(*sys.modules)").split())
    ours = set(run_python("import sys, circulate_core; print(*sys.modules)").split())
    assert len(ours - bare) <= IMPORT_BUDGET, sorted(ours - bare)


def test_everything_public_is_listed_and_documented() -> None:
    code = (
        "import circulate_core as c; assert c.__all__ == sorted(c.__all__, key=lambda n: (n[0].islower(), n));"
        "assert all(getattr(c, n).__doc__ for n in c.__all__)"
    )
    run_python(code)


def test_every_error_kind_has_its_exception() -> None:
    import circulate_core.exceptions as exceptions  # noqa: PLC0415, PLR0402

    binding = (ROOT / "rust/circulate-python/src/errors.rs").read_text()
    named = set(re.findall(r'=> "(\w+)"', binding))
    defined = {
        name
        for name, value in vars(exceptions).items()
        if isinstance(value, type) and issubclass(value, exceptions.CirculateError)
    }
    assert named == defined - {"CirculateError"}


@pytest.mark.parametrize("workflow", sorted((ROOT / ".github/workflows").glob("*.yml")), ids=lambda path: path.name)
def test_workflows_are_pinned_and_have_the_permissions_they_need(workflow: Path) -> None:
    described = yaml.safe_load(workflow.read_text())
    assert described["permissions"] == {}
    for job in described["jobs"].values():
        assert set(job["permissions"].values()) <= {"read", "write"}
        assert job["permissions"].get("contents", "read") == "read"
        assert "timeout-minutes" in job
        for step in job["steps"]:
            assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", step.get("uses", "a/b@" + "0" * 40)), step
            assert "${{" not in step.get("run", ""), "a value in a script is a way in for others' words"
    signing = [name for name, job in described["jobs"].items() if "id-token" in job["permissions"]]
    assert signing == ["publish"]
