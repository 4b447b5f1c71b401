"""Writes the golden samples of the version that is installed, once. See README.md beside this file.

`make develop && .venv/bin/python tests/golden/make.py` on the code as it was released, before anything is changed.
"""

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent))

from support.cli import Cli, Done  # noqa: E402
from support.golden_org import ACCOUNT, BUCKET, NEUTRAL_LAKE, NEUTRAL_URL, TABLE, change, digest_of, golden_org, truth  # noqa: E402
from support.places import Folder, client  # noqa: E402
from support.stand_ins import ministack  # noqa: E402

import circulate_core  # noqa: E402
from circulate_core import _core, catalogs  # noqa: E402
from circulate_core.catalogs import SHIPPED_CATALOG  # noqa: E402
from circulate_practice import OAuthClient, PracticeOrg, make_key  # noqa: E402
from circulate_practice.org import DEFAULT_TOKEN  # noqa: E402

CENTURY = "36500d"
"""How long a pending run of the samples waits: a test must not depend on the calendar."""
SMALL_PAGES = {
    "users": (8, 1),
    "groups": (4, 1),
    "group_members": (3, 1),
    "network_zones": (3, 1),
    "system_log": (10, 1),
}
FORMATS = [
    *((form, compression) for form in ("json", "ndjson") for compression in ("gzip", "zstd", "none")),
    *((form, compression) for form in ("parquet", "arrow") for compression in ("zstd", "none")),
]
STREAMS = ("groups", "group_members", "policies", "system_log")


@dataclass
class Context:
    """What Lambda reports of an invocation."""

    aws_request_id: str
    function_name: str = "golden"
    memory_limit_in_mb: int = 256
    left_ms: int = 60_000

    def get_remaining_time_in_millis(self) -> int:
        """Return how much time there is left."""
        return self.left_ms


class Maker:
    """Pulls as a user does, and keeps the reports."""

    def __init__(self, cli: Cli, place: tuple[str, ...], catalog: Path) -> None:
        self.cli, self.place, self.catalog = cli, place, catalog
        self.reports: dict[str, Any] = {}

    def pull(self, name: str, org: PracticeOrg, stream: str, *arguments: str, code: int = 0, **more: str) -> Any:  # noqa: ANN401 - JSON
        """Pull a stream, which ends with this exit code; the report is kept under a name."""
        account = () if "--account" in arguments else ("--account", ACCOUNT)
        catalog = ("--catalog", str(self.catalog))
        command = ("pull", f"okta.{stream}", *self.place, *account, *catalog, "--json", *arguments)
        done = self.run(*command, code=code, OKTA_ORG_URL=org.url, OKTA_API_TOKEN=org.token, **more)
        self.reports[name] = json.loads(done.out) if done.out else None
        return self.reports[name]

    def run(self, *command: str, code: int = 0, **environment: str) -> Done:
        """Run a command, which ends with this exit code."""
        done = self.cli(*command, **environment)
        assert done.code == code, (command, done.code, done.err)
        return done


def main() -> None:
    """Write the folder of this version."""
    target = HERE / ".".join(circulate_core.__version__.split(".")[:2])
    if target.exists():
        sys.exit(f"{target} is there, and a version's samples are not touched again")
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        work = Path(folder)
        made = work / "made"
        made.mkdir()
        definitions(made)
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("OKTA_", "CIRCULATE_"))
        }
        environment |= {"HOME": folder, "AWS_ACCESS_KEY_ID": "practice", "AWS_SECRET_ACCESS_KEY": "practice"}
        environment |= {"AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"}
        os.environ.update(environment)
        small = made / "definitions/small"
        reports = {"folder": in_a_folder(made, Cli(work, environment, Folder(work / "lake")), small)}
        aws = stack.enter_context(ministack())
        os.environ["AWS_ENDPOINT_URL"] = aws
        cli = Cli(work, environment | {"AWS_ENDPOINT_URL": aws}, Folder(work / "none"))
        reports["aws"] = on_aws(made, cli, aws, small)
        write(made / "reports.json", reports)
        write(made / "lambda/calls.json", lambdas(aws))
        tokens(made, work)
        settings(made)
        with golden_org() as (org, _):
            write(made / "truth.json", truth(org))
        neutral(made, work)
        shutil.copytree(made, target)
    target.with_name(f"{target.name}.sha256").write_text(f"{digest_of(target)}\n")


def definitions(made: Path) -> None:
    """The shipped definitions, some of them with smaller pages, what the engine makes of them, and Lambda's files."""
    shutil.copytree(SHIPPED_CATALOG, made / "definitions/shipped", ignore=shutil.ignore_patterns("*.schema.json"))
    small = made / "definitions/small/okta"
    small.mkdir(parents=True)
    shutil.copy(f"{SHIPPED_CATALOG}/okta/source.yaml", small)
    for file in (Path(SHIPPED_CATALOG) / "okta").glob("*.yaml"):
        text = file.read_text()
        if file.stem in SMALL_PAGES:
            most, least = SMALL_PAGES[file.stem]
            text = re.sub(r"page_size: .*", f"page_size: {{param: limit, max: {most}, min: {least}}}", text)
        # Columns are in the shipped ones; here they would only be the same again.
        (small / file.name).write_text(text if file.stem in {"source", "groups"} else text.split("columns:")[0])
    shutil.copytree(HERE / "acme", made / "definitions/catalog/acme")
    known = [f"okta.{stream}" for stream in STREAMS]
    listed = {name: catalogs.stream_definition(name) for name in known}
    catalog = made / "definitions/catalog"
    for stream in sorted(path.stem for path in (catalog / "acme").glob("*.yaml") if path.stem != "source"):
        listed[f"acme.{stream}"] = catalogs.stream_definition(f"acme.{stream}", catalog=[catalog])
    write(made / "definitions/read.json", listed)
    shutil.copytree(ROOT / "lambdas/lib", made / "lambda/lib", ignore=shutil.ignore_patterns("__pycache__"))


def in_a_folder(made: Path, cli: Cli, small: Path) -> dict[str, Any]:
    """A lake in a folder with its state, and a place for readers."""
    maker = Maker(cli, ("--to", "lake"), small)
    pull = maker.pull
    with golden_org(changed=False) as (org, clock):
        pull("users", org, "users")
        pull("system_log", org, "system_log")
        change(org, clock)
        pull("users-again", org, "users")
        pull("system_log-again", org, "system_log")
        pull("pending", org, "applications", "--pending", CENTURY)
        pull("begun-promotion", org, "authorization_servers", "--pending", CENTURY, "--batch-records", "2")
        pull("abandoned", org, "devices", "--pending", CENTURY)
        maker.run("state", "abandon", maker.reports["abandoned"]["run_id"], "--to", "lake")
        pull("devices", org, "devices")
        pull("policies", org, "policies")
        pull("children", org, "application_users")
        pull("window", org, "users", "--since", "2025-01-01", "--until", "2026-01-01", "--account", "window")
        for form, compression in FORMATS:
            how = ("--format", form, "--compression", compression, "--account", f"{form}-{compression}")
            pull(f"{form}-{compression}", org, "groups", *how)
        flat = ("--format", "parquet", "--nested", "flatten", "--raw", "--contract", "rescue", "--account", "flat")
        pull("flat", org, "groups", *flat)
        text = ("--format", "arrow", "--nested", "json", "--contract", "freeze", "--account", "text")
        pull("text", org, "groups", *text)
    opened(maker)
    for name, arguments in (("users", ()), ("ndjson-zstd", ("--compact",)), ("parquet-zstd", ())):
        maker.run("promote", f"lake/{maker.reports[name]['manifest']}", "--to", "data", *arguments)
    begun = f"lake/{maker.reports['begun-promotion']['manifest']}"
    maker.run("promote", begun, "--to", "data", code=-9, CIRCULATE_CRASH="after-copy#1")
    shutil.copytree(cli.folder / "lake", made / "lake", ignore=shutil.ignore_patterns(".circulate"))
    shutil.copytree(cli.folder / "data", made / "data")
    with sqlite3.connect(cli.folder / "lake/.circulate/state.db") as state:
        for pk, sk, doc in state.execute("SELECT pk, sk, doc FROM item").fetchall():
            state.execute("UPDATE item SET doc = ? WHERE pk = ? AND sk = ?", (neutral_text(doc, cli.folder), pk, sk))
    state.execute("VACUUM")
    state.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    state.close()
    shutil.copy(cli.folder / "lake/.circulate/state.db", made / "state.db")
    return maker.reports


def opened(maker: Maker) -> None:
    """Runs that were stopped at a checkpoint: of a list, of children, of tables; and what came of others."""
    stop = ("--deadline", "2s")
    with golden_org(faults=["groups/stall:60@2*1"]) as (org, _):
        maker.pull("open", org, "groups", *stop, code=3)
    with golden_org(faults=["group_members/stall:60@2*4"]) as (org, _):
        maker.pull("open-children", org, "group_members", *stop, code=3)
    with golden_org(faults=["groups/stall:60@3*1"]) as (org, _):
        tables = ("--format", "parquet", "--account", "tables")
        maker.pull("open-tables", org, "groups", *tables, *stop, code=3)
    with golden_org(faults=["zones/stall:60@2*1"]) as (org, _):
        maker.pull("begun-anew", org, "network_zones", *stop, code=3)
        org.expire_cursors()
        maker.pull("begun-anew-again", org, "network_zones")
    with golden_org(faults=["groups/stall:60@2*1"]) as (org, _):
        given_up = ("--account", "given-up")
        maker.pull("given-up", org, "groups", *given_up, *stop, code=3)
        maker.pull("given-up-again", org, "groups", *given_up, "--restart")


def on_aws(made: Path, cli: Cli, aws: str, small: Path) -> dict[str, Any]:
    """A lake in a bucket with its state in a table."""
    s3, state = client("s3", aws), ("--state", f"dynamodb://{TABLE}")
    s3.create_bucket(Bucket=BUCKET)
    maker = Maker(cli, ("--to", f"s3://{BUCKET}/raw", *state), small)
    maker.run("state", "init", *state)
    with golden_org(changed=False) as (org, clock):
        maker.pull("users", org, "users")
        maker.pull("system_log", org, "system_log")
        change(org, clock)
        maker.pull("users-again", org, "users")
        maker.pull("system_log-again", org, "system_log")
        maker.pull("pending", org, "applications", "--pending", CENTURY)
        maker.pull("abandoned", org, "devices", "--pending", CENTURY)
        maker.run("state", "abandon", maker.reports["abandoned"]["run_id"], *state)
    with golden_org(faults=["groups/stall:60@2*1"]) as (org, _):
        maker.pull("open", org, "groups", "--deadline", "2s", code=3)
    with golden_org(faults=["group_members/stall:60@2*4"]) as (org, _):
        maker.pull("open-children", org, "group_members", "--deadline", "2s", code=3)
    for listed in s3.list_objects_v2(Bucket=BUCKET)["Contents"]:
        file = made / "aws" / listed["Key"]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(s3.get_object(Bucket=BUCKET, Key=listed["Key"])["Body"].read())
    write(made / "aws/items.json", client("dynamodb", aws).scan(TableName=TABLE)["Items"])
    return maker.reports


def handler(path: str, name: str) -> Any:  # noqa: ANN401 - a function of a module
    """Return a handler of the functions of this project."""
    spec = spec_from_file_location(path.replace("/", "_"), ROOT / f"lambdas/lib/{path}/handler.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)


def lambdas(aws: str) -> list[dict[str, Any]]:
    """Events of every kind, and what functions returned."""
    for bucket in ("golden-raw", "golden-data"):
        client("s3", aws).create_bucket(Bucket=bucket)
    _core.state_init("dynamodb://golden-lambda")
    os.environ.update(CIRCULATE_TO="s3://golden-raw/raw", CIRCULATE_STATE="dynamodb://golden-lambda")
    os.environ.update(CIRCULATE_FROM="s3://golden-raw/raw", OKTA_ACCOUNT=ACCOUNT)
    pull, promote = handler("okta/users", "list"), handler("targets/s3", "promote")
    calls: list[dict[str, Any]] = []

    def call(kind: str, function: Any, event: object, left_ms: int = 60_000) -> dict[str, Any]:  # noqa: ANN401 - a handler
        result: dict[str, Any] = function(event, Context(f"golden-{len(calls)}", left_ms=left_ms))
        name = "okta.users" if function is pull else "targets.s3"
        calls.append({"kind": kind, "function": name, "event": event, "left_ms": left_ms, "result": result})
        return result

    def serve(org: PracticeOrg) -> None:
        os.environ.update(OKTA_ORG_URL=org.url, OKTA_API_TOKEN=org.token)

    with golden_org(faults=["users/stall:60@1*1"]) as (org, _):
        serve(org)
        stopped = call("partial", pull, {"mode": "full"}, left_ms=1_500)
        call("continuation", pull, {"continuation": stopped["continuation"]})
        call("scheduled", pull, None)
        call("window", pull, {"since": "2025-01-01T00:00:00Z", "until": "2026-01-01T00:00:00Z"})
        pending = call("pending", pull, {"account": ACCOUNT, "mode": "full", "commit": "pending"})
        call("busy", pull, {"mode": "incremental"})
        os.environ["CIRCULATE_TO"] = "s3://golden-data"
        call("promotion", promote, {"manifest": pending["manifest"]})
        call("promotion continued", promote, {"manifest": pending["manifest"], "continuation": pending["run_id"]})
    for name in ("CIRCULATE_TO", "CIRCULATE_STATE", "CIRCULATE_FROM", "OKTA_ACCOUNT", "OKTA_ORG_URL", "OKTA_API_TOKEN"):
        os.environ.pop(name)
    return calls


def tokens(made: Path, work: Path) -> None:
    """Token files as the extension has them written, with and without a key."""
    (made / "tokens").mkdir()
    key = make_key("ES256")
    by_secret = OAuthClient(client_id="0oa1", scopes=["okta.users.read"], method="client_secret_basic", secret="golden")
    by_key = OAuthClient(client_id="0oa2", scopes=["okta.users.read"], keys=[key], dpop=True)
    with PracticeOrg(clients=[by_secret, by_key]) as org:
        for profile, settings in (
            ("bearer", {"client_id": "0oa1", "client_secret": "golden"}),
            ("dpop", {"client_id": "0oa2", "private_key": json.dumps(key)}),
        ):
            arguments: dict[str, object] = {
                "source": "okta",
                "scopes": ["okta.users.read"],
                "profile": profile,
                "instance": "golden",
                "names": {},
                "refused": None,
                "seconds": 10.0,
            }
            # The folder of token files is found by the process that writes them.
            code = (
                "import json, sys\nfrom circulate_core import _core\n"
                "settings, arguments, folder = json.loads(sys.argv[1])\n"
                "arguments['scopes'] = set(arguments['scopes'])\n"
                "_core.mint(_core.Account(_core.Catalog([folder]), _core.Settings(settings)), arguments)"
            )
            request = json.dumps([{"org_url": org.url, **settings}, arguments, SHIPPED_CATALOG])
            environment = {**os.environ, "TMPDIR": str(work)}
            subprocess.run([sys.executable, "-c", code, request], check=True, env=environment)
            shutil.copy(work / f"circulate/{profile}.token.json", made / "tokens")


def settings(made: Path) -> None:
    """What people write: stored secrets by every name that is understood, and a config file."""
    documents = {
        "token": {"org_url": NEUTRAL_URL, "api_token": DEFAULT_TOKEN},
        "token-by-other-names": {"okta_domain": NEUTRAL_URL, "okta_api_key": DEFAULT_TOKEN},
        "client": {"org_url": NEUTRAL_URL, "client_id": "0oa1", "client_secret": "golden"},
        "client-by-other-names": {
            "okta_domain": NEUTRAL_URL,
            "okta_client_id": "0oa1",
            "okta_client_secret": "golden",
            "okta_token_url": f"{NEUTRAL_URL}/oauth2/v1/token",
        },
    }
    for name, document in documents.items():
        write(made / f"secrets/{name}.json", document)
    lines = ["[okta]", f'org_url = "{NEUTRAL_URL}"', f'api_token = "{DEFAULT_TOKEN}"', f'account = "{ACCOUNT}"']
    (made / "config.toml").write_text("\n".join([*lines, "", "[acme]", 'secret = "prod/acme"', ""]))


def neutral_text(text: str, work: Path) -> str:
    """Take what belongs to this machine out of a text: folders, ports, and who worked."""
    text = text.replace(str(work / "lake"), NEUTRAL_LAKE).replace(str(work / "data"), "/data")
    text = re.sub(r"http://127\.0\.0\.1:\d+", NEUTRAL_URL, text)
    return re.sub(r"process \d+ on [\w.-]+", "process 1 on golden", text)


def neutral(made: Path, work: Path) -> None:
    """Take what belongs to this machine out of all files, and let people read them."""
    for file in made.rglob("*.json"):
        written = file.read_text()
        cleaned = neutral_text(written, work)
        # What a manifest names by its digest stays as it is.
        if cleaned != written:
            file.write_text(cleaned)
    for path in made.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


def write(file: Path, content: object) -> None:
    """Write JSON."""
    file.parent.mkdir(parents=True, exist_ok=True)
    lists = isinstance(content, list)
    entries = [(f"{json.dumps(key)}: ", value) for key, value in content.items()] if isinstance(content, dict) else []
    entries = [("", value) for value in content] if isinstance(content, list) else entries
    # An entry a line: small, and a difference can still be seen.
    lines = ",\n".join(f"{key}{json.dumps(value)}" for key, value in entries)
    file.write_text(f"[\n{lines}\n]\n" if lists else f"{{\n{lines}\n}}\n")


if __name__ == "__main__":
    main()
