"""What `circulate package` makes runs where nothing else is: no checkout, no installed package."""

import json
import shutil
import subprocess
import sys
import urllib.request
import venv
from dataclasses import dataclass, replace
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
from support.behind_a_login import write_function
from support.cli import Cli, StartOrg
from support.packages import PACKAGE, ROOT, make_project, make_wheel, names, unpack
from support.paging_pulls import COUNT, paged
from support.places import Bucket, client
from support.toys import needs_namespaces, result

from circulate_core import _core
from circulate_core.aws.project import described
from circulate_local import Credentials, Function, LocalLambda
from circulate_practice import OAuthClient, PracticeOrg, make_key
from circulate_practice.compare import compare, key_of
from circulate_practice.paging.kit import Sessions, serve
from circulate_practice.paging.kit.sessions import PASSWORD, USER

USERS = "circulate-okta-users-list"
TELLING = """
import sys
from circulate_core.aws import puller

pull = puller("okta.users")

def list(event, context):
    response = pull(event, context)
    files = {name: getattr(module, "__file__", None) for name, module in sys.modules.items()}
    return response | {"files": {name: file for name, file in files.items() if file}}
"""
ROLE = Credentials("practice", "practice")
CLIENT = ("awslambdaric", "simplejson", "snapshot-restore-py")
"""AWS's runtime client and what it needs, which the runtimes of Lambda have."""
INVOKE = """
import json, sys
from pathlib import Path
from circulate_local import Credentials, Function, LocalLambda

given = json.load(sys.stdin)
function = Function(
    name="users", task_root=Path(given["task"]), layers=tuple(map(Path, given["layer"])), handler="handler.list",
    timeout_s=60, memory_mb=256, environment=given["environment"],
)
log = lambda line: print(line, file=sys.stderr)
with LocalLambda([function], log=log, credentials=Credentials("practice", "practice")) as local:
    print(local.invoke("users").payload.decode())
"""
IMPORT_ALL = """
import importlib, pkgutil, sys
sys.path.insert(0, sys.argv[1])
for name in sys.argv[2:]:
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, f"{name}."):
        importlib.import_module(module.name)
for name, module in sys.modules.items():
    if getattr(module, "__file__", None): print(name, module.__file__)
"""


@dataclass(frozen=True)
class Made:
    """A project that was packaged with the engine that is installed here."""

    lambdas: Path
    report: dict[str, Any]
    unpacked: Path

    def zip(self, name: str) -> Path:
        """Return a zip."""
        return self.lambdas.parent / f".build/{name}.zip"

    def function(self, name: str, environment: dict[str, str], *layers: str) -> Function:
        """Return a function that has nothing but its zip and its layers."""
        (found,) = (each for each in described(self.lambdas) if each.name == name)
        folders = tuple(self.unpacked / layer for layer in layers)
        return replace(Function.of(found, environment, timeout_s=60), task_root=self.unpacked / name, layers=folders)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("project")
    lambdas = make_project(folder)
    (lambdas / "okta/users/handler.py").write_text(TELLING)
    shutil.copytree(ROOT / "lambdas/extensions/circulate-token", lambdas.parent / "extensions/circulate-token")
    command = Cli.command("package", "--wheel", make_wheel(folder, engine=None), "--json")
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    made = Made(lambdas, json.loads(done.stdout), folder / "unpacked")
    for name in (USERS, "core-layer", "toy-extension-layer", "circulate-token-layer"):
        unpack(made.zip(name), made.unpacked / name)
    return made


@dataclass(frozen=True)
class Account:
    """An org, and where functions pull it to."""

    org: PracticeOrg
    place: Bucket
    environment: dict[str, str]

    def is_exact(self, response: dict[str, Any], stream: str = "users") -> bool:
        """Compare what a run wrote with what the org has."""
        manifest = Path(self.place.lake(), response["manifest"].removeprefix(self.place.uri).lstrip("/"))
        return compare(manifest, map(key_of, self.org.truth(stream))).identical


@pytest.fixture
def account(aws: str, tmp_path: Path, start_org: StartOrg, monkeypatch: pytest.MonkeyPatch) -> Account:
    place = Bucket.new(aws, tmp_path, "raw")
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    _core.state_init(place.state[1])
    org = start_org(users=450, groups=30)
    environment = {
        "AWS_ENDPOINT_URL": aws,
        "CIRCULATE_TO": place.uri,
        "CIRCULATE_STATE": place.state[1],
        "OKTA_ORG_URL": org.url,
        "OKTA_API_TOKEN": org.token,
    }
    return Account(org, place, environment)


@pytest.mark.parametrize(
    ("layer", "folder", "packages"),
    [
        ("core-layer", "python", ["circulate_core"]),
        ("toy-extension-layer", "toy-extension", ["circulate_core", "toy_extension"]),
        ("circulate-token-layer", "circulate-token", ["circulate_core", "circulate_token"]),
    ],
)
def test_all_modules_of_a_layer_can_be_imported_without_what_was_left_out(
    made: Made, layer: str, folder: str, packages: list[str]
) -> None:
    place = made.unpacked / layer / folder
    command = [sys.executable, "-I", "-S", "-c", IMPORT_ALL, str(place), *packages]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    loaded = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert "circulate_core.aws.handler" in loaded
    ours = {name for name, file in loaded.items() if file.startswith(str(place))}
    assert {name for name in loaded if name.partition(".")[0] not in sys.stdlib_module_names} == ours


@needs_namespaces
def test_a_function_and_an_extension_use_what_is_in_their_layers(made: Made, account: Account) -> None:
    log: list[str] = []
    function = made.function(USERS, account.environment, "core-layer", "toy-extension-layer")
    with LocalLambda([function], log=log.append, credentials=ROLE) as local:
        response = result(local.invoke(USERS))
    assert (response["status"], response["records"]) == ("complete", 450)
    assert account.is_exact(response)
    ours = {file for name, file in response["files"].items() if name.startswith("circulate_core")}
    assert {"/opt/python/circulate_core/__init__.py", "/opt/python/circulate_core/_core.abi3.so"} <= ours
    assert all(file.startswith("/opt/python/circulate_core/") for file in ours)
    assert "the toy extension has /opt/toy-extension/circulate_core/__init__.py" in log


@needs_namespaces
def test_a_function_needs_nothing_but_the_runtime_and_the_layer(made: Made, account: Account, tmp_path: Path) -> None:
    given = {"task": made.unpacked / USERS, "layer": [made.unpacked / "core-layer"], "environment": account.environment}
    done = subprocess.run(
        [bare_python(tmp_path / "bare"), "-c", INVOKE],
        input=json.dumps(given, default=str),
        env={"PYTHONPATH": str(PACKAGE.parent)},  # of the runner; functions do not see it
        check=True,
        capture_output=True,
        text=True,
    )
    response = json.loads(done.stdout)
    assert (response["status"], response["records"]) == ("complete", 450), done.stderr
    assert account.is_exact(response)
    foreign = {
        name.partition(".")[0]
        for name, file in response["files"].items()
        if not file.startswith(("/var/task/", "/opt/python/")) and name.partition(".")[0] not in sys.stdlib_module_names
    }
    assert foreign <= {"__main__", "awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py"}


@needs_namespaces
def test_the_token_extension_runs_from_its_layer_with_nothing_else_installed(
    made: Made, account: Account, start_org: StartOrg, tmp_path: Path
) -> None:
    key = make_key("ES256")
    org = start_org(
        users=90, clients=[OAuthClient(client_id="0oa1", scopes=["okta.users.read"], keys=[key], dpop=True)]
    )
    signed_in = {
        "OKTA_API_TOKEN": "",
        "OKTA_ORG_URL": org.url,
        "OKTA_TOKEN_PROFILE": "default",
        "client_id": "0oa1",
        "private_key": json.dumps(key),
        "okta_org_url": org.url,
        "circulate_token_source": "okta",
        "circulate_token_scopes": "okta.users.read",
    }
    environment = {name: value for name, value in (account.environment | signed_in).items() if value}
    layers = [made.unpacked / "core-layer", made.unpacked / "circulate-token-layer"]
    given = {"task": made.unpacked / USERS, "layer": layers, "environment": environment}
    done = subprocess.run(
        [bare_python(tmp_path / "bare"), "-c", INVOKE],
        input=json.dumps(given, default=str),
        env={"PYTHONPATH": str(PACKAGE.parent)},  # of the runner; neither functions nor extensions see it
        check=True,
        capture_output=True,
        text=True,
    )
    response = json.loads(done.stdout)
    assert (response["status"], response["records"]) == ("complete", 90), done.stderr
    assert '"event": "token written"' in done.stderr
    assert key["d"] not in done.stderr
    assert [request.outcome for request in org.token_requests][-1] == "issued"
    assert "circulate-token/README.md" not in names(made.zip("circulate-token-layer"))


@needs_namespaces
def test_the_token_extension_logs_in_from_its_layer(made: Made, account: Account, tmp_path: Path) -> None:
    sessions, log = Sessions("at"), list[str]()
    with serve(paged("token"), key=sessions) as server:
        wired = write_function(server, tmp_path / "task")
        layers = (made.unpacked / "core-layer", made.unpacked / "circulate-token-layer")
        function = replace(
            made.function(USERS, account.environment | wired | {"user": USER, "password": PASSWORD}),
            name="items",
            task_root=tmp_path / "task",
            layers=layers,
        )
        with LocalLambda([function], log=log.append, credentials=ROLE) as local:
            response = result(local.invoke("items"))
        assert (response["status"], response["records"]) == ("complete", COUNT), log
        assert (sessions.logins, sessions.logouts, sessions.open) == (1, 1, 0)
    assert not any(PASSWORD in line or "t0ken-" in line for line in log)


def bare_python(folder: Path) -> Path:
    """Make a Python that has no packages but AWS's runtime client."""
    venv.create(folder, symlinks=True)
    (packages,) = folder.glob("lib/python3*/site-packages")
    for name in CLIENT:
        for file in distribution(name).files or []:
            if ".." not in file.parts:
                (packages / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(str(file.locate()), packages / file)
    return folder / "bin/python"


@needs_namespaces
def test_what_is_published_is_what_was_made_and_runs(made: Made, account: Account, tmp_path: Path) -> None:
    name = "circulate-okta-groups-list"
    lambdas = client("lambda", account.environment["AWS_ENDPOINT_URL"])
    published = lambdas.publish_layer_version(
        LayerName="circulate-core",
        Content={"ZipFile": made.zip("core-layer").read_bytes()},
        CompatibleRuntimes=["python3.11", "python3.12", "python3.13"],
        CompatibleArchitectures=["x86_64"],
    )
    lambdas.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role="arn:aws:iam::123456789012:role/circulate",
        Handler="handler.list",
        Code={"ZipFile": made.zip(name).read_bytes()},
        Layers=[published["LayerVersionArn"]],
    )
    layer = lambdas.get_layer_version(LayerName="circulate-core", VersionNumber=published["Version"])["Content"]
    code = lambdas.get_function(FunctionName=name)
    reported = {Path(each["file"]).stem: each["sha256"] for each in made.report["packages"]}
    assert layer["CodeSha256"] == reported["core-layer"]
    assert code["Configuration"]["CodeSha256"] == reported[name]
    function = replace(
        made.function(USERS, account.environment),
        name=name,
        task_root=fetch(code["Code"]["Location"], tmp_path / "task"),
        layers=(fetch(layer["Location"], tmp_path / "opt"),),
    )
    with LocalLambda([function], credentials=ROLE) as local:
        response = result(local.invoke(name))
    assert (response["status"], response["records"]) == ("complete", 30)
    assert account.is_exact(response, "groups")


def fetch(url: str, folder: Path) -> Path:
    """Unpack a zip that AWS's stand-in has."""
    folder.mkdir()
    zipped, _ = urllib.request.urlretrieve(url, folder.with_suffix(".zip"))
    return unpack(Path(zipped), folder)
