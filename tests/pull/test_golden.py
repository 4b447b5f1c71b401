"""What released versions wrote (tests/golden) is read by this one, and it goes on from there."""

import base64
import gzip
import json
import os
import re
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyarrow import feather
from support.cli import Cli, Done
from support.golden_org import ACCOUNT, BUCKET, NEUTRAL_LAKE, NEUTRAL_URL, TABLE, digest_of, golden_org, truth
from support.handlers import Context
from support.http_server import Handler, Reply, Server
from support.places import Bucket, Folder, client

import circulate_core
from circulate_core import catalogs
from circulate_practice import OAuthClient, PracticeOrg
from circulate_practice.compare import compare, key_of

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = Path(__file__).resolve().parents[1] / "golden"
VERSIONS = sorted(path for path in SAMPLES.iterdir() if path.is_dir() and path.name[0].isdigit())
LISTS = {"users": "users", "groups": "groups", "group_members": "group_members", "applications": "apps"}


@pytest.fixture(params=VERSIONS, ids=lambda path: path.name)
def golden(request: pytest.FixtureRequest) -> Path:
    """Give the samples of each version in turn."""
    assert isinstance(request.param, Path)
    return request.param


def read(file: Path) -> Any:  # noqa: ANN401 - JSON
    return json.loads(file.read_text())


@dataclass
class Sample:
    """A copy of what a version left, put right for this machine, with the org that it was pulled from."""

    golden: Path
    cli: Cli
    org: PracticeOrg
    place: tuple[str, ...]
    reports: dict[str, Any]

    def pull(self, stream: str, *arguments: str, code: int = 0, account: str = ACCOUNT) -> Done:
        """Pull as the sample was pulled, by the definitions of then."""
        catalog = ("--catalog", str(self.golden / "definitions/small"))
        command = ("pull", f"okta.{stream}", *self.place, "--account", account, *catalog, "--json", *arguments)
        done = self.cli(*command)
        assert done.code == code, done.err
        return done

    def lake(self) -> Path:
        """Return what was pulled, as a folder."""
        return self.cli.place.lake()

    def is_exact(self, stream: str, report: dict[str, Any]) -> bool:
        """Whether a run holds every record of the org once, and nothing else."""
        return compare(self.lake() / report["manifest"], map(key_of, self.org.truth(LISTS[stream]))).identical

    def statuses(self) -> dict[str, str]:
        """Return what became of each run, by its id."""
        listed = self.cli("runs", *self.place, "--most", "1000", "--json")
        return {run["run_id"]: run["status"] for run in json.loads(listed.out)}


@pytest.fixture
def org(golden: Path) -> Iterator[PracticeOrg]:
    """Start the org that the samples were pulled from, as their last pull found it."""
    with golden_org() as (org, _):
        assert truth(org) == read(golden / "truth.json"), "the practice org is not the one of the samples any more"
        yield org


def put_right(doc: str, org: PracticeOrg, lake: Path) -> str:
    """Put the org's address and the lake's folder into a document of state; the last poll was just now."""
    doc = doc.replace(NEUTRAL_URL, org.url).replace(json.dumps(NEUTRAL_LAKE), json.dumps(str(lake)))
    now = datetime.now(UTC).isoformat()
    return re.sub(r'("read_at": ?)"[^"]*"', rf'\1"{now}"', doc)


def environment(org: PracticeOrg, folder: Path) -> dict[str, str]:
    return {**os.environ, "OKTA_ORG_URL": org.url, "OKTA_API_TOKEN": org.token, "HOME": str(folder)}


@pytest.fixture
def sample(golden: Path, org: PracticeOrg, tmp_path: Path) -> Sample:
    """Copy the folder and its state."""
    lake = tmp_path / "lake"
    shutil.copytree(golden / "lake", lake)
    shutil.copytree(golden / "data", tmp_path / "data")
    for index in (tmp_path / "data").rglob("*.json"):
        index.write_text(index.read_text().replace(f'"{NEUTRAL_LAKE}"', f'"{lake}"'))
    (lake / ".circulate").mkdir()
    file = lake / ".circulate/state.db"
    shutil.copyfile(golden / "state.db", file)
    with closing(sqlite3.connect(file)) as state, state:
        for pk, sk, doc in state.execute("SELECT pk, sk, doc FROM item").fetchall():
            new = put_right(doc, org, lake)
            state.execute("UPDATE item SET doc = ? WHERE pk = ? AND sk = ?", (new, pk, sk))
    place = ("--to", str(lake), "--state", str(file))
    cli = Cli(tmp_path, environment(org, tmp_path), Folder(lake))
    return Sample(golden, cli, org, place, read(golden / "reports.json")["folder"])


@pytest.fixture
def in_aws(golden: Path, org: PracticeOrg, tmp_path: Path, aws: str) -> Sample:
    """Fill a bucket and a table with the sample."""
    s3, dynamodb = client("s3", aws), client("dynamodb", aws)
    s3.create_bucket(Bucket=BUCKET)
    for file in (golden / "aws").rglob("*"):
        if file.is_file() and file.name != "items.json":
            s3.put_object(Bucket=BUCKET, Key=str(file.relative_to(golden / "aws")), Body=file.read_bytes())
    cli = Cli(
        tmp_path,
        environment(org, tmp_path) | {"AWS_ENDPOINT_URL": aws},
        Bucket(aws, BUCKET, "raw", TABLE, tmp_path),
    )
    place = ("--to", f"s3://{BUCKET}/raw", "--state", f"dynamodb://{TABLE}")
    assert cli("state", "init", *place[2:]).code == 0
    for item in read(golden / "aws/items.json"):
        moved = json.loads(json.dumps(item).replace(NEUTRAL_URL, org.url))
        if "expires_at" in moved:
            moved["expires_at"] = {"N": str(int(time.time()) + 86_400)}
        if poll := poll_of(moved):
            poll["read_at"] = {"S": datetime.now(UTC).isoformat()}
        dynamodb.put_item(TableName=TABLE, Item=moved)
    return Sample(golden, cli, org, place, read(golden / "reports.json")["aws"])


def poll_of(item: dict[str, Any]) -> dict[str, Any] | None:
    """Return where a poll goes on, of a cursor in DynamoDB's JSON."""
    value = item.get("doc", {}).get("M", {}).get("next_value", {}).get("M", {})
    poll: dict[str, Any] | None = value.get("poll", {}).get("M")
    return poll


@pytest.fixture(params=["sample", "in_aws"])
def either(request: pytest.FixtureRequest, golden: Path) -> Sample:  # noqa: ARG001 - of each version
    """Give the sample in a folder, and the one in a bucket."""
    made: Sample = request.getfixturevalue(request.param)
    return made


def test_the_next_pull_asks_from_the_stored_cursor_and_leaves_out_what_was_delivered(either: Sample) -> None:
    stored = either.reports["users-again"]["next_since"]
    report = either.pull("users").report
    assert report["window"]["since"] == stored
    # What comes again was delivered byte for byte; the whole of it lies in the overlap.
    assert (report["records"], report["repeats"]) == (0, either.reports["users-again"]["records"])
    requested = next(entry["target"] for entry in either.org.log if entry["collection"] == "users")
    assert "lastUpdated" in requested
    changed = set(either.org.change(2))
    report = either.pull("users").report
    assert report["records"] == len(changed)


def test_an_open_run_goes_on_from_its_checkpoint(either: Sample) -> None:
    begun = either.reports["open"]
    report = either.pull("groups").report
    assert (report["run_id"], report["resumed"]) == (begun["run_id"], True)
    assert either.is_exact("groups", report)
    requested = [entry["target"] for entry in either.org.log if entry["collection"] == "groups"]
    assert all("after=" in target for target in requested), "no page that was taken in is requested again"
    assert either.statuses()[report["run_id"]] == "committed"


def test_children_go_on_with_their_plan_and_their_open_partitions(either: Sample) -> None:
    begun = either.reports["open-children"]
    report = either.pull("group_members").report
    assert (report["run_id"], report["resumed"]) == (begun["run_id"], True)
    assert either.is_exact("group_members", report)
    assert report["partitions"]["complete"] == 9
    requested = {entry["collection"] for entry in either.org.log}
    assert requested == {"group_members"}, "the parents are in the plan"


def test_a_log_is_polled_from_where_it_was_left(either: Sample) -> None:
    assert either.pull("system_log").report["records"] == 0
    either.org.add_events(3)
    report = either.pull("system_log").report
    assert (report["records"], report["gaps"]) == (3, [])
    assert all("after=" in entry["target"] for entry in either.org.log)


def test_a_pending_run_is_promoted_and_counts(either: Sample) -> None:
    begun = either.reports["pending"]
    assert either.pull("applications", code=4).report["run_id"] == begun["run_id"]
    # A bucket's other place is a folder of the test's own kind.
    target = "s3://golden-lake/data" if "s3:" in either.place[1] else str(either.cli.folder / "readers")
    state = either.place[2:]
    done = either.cli("promote", f"{either.place[1]}/{begun['manifest']}", "--to", target, *state, "--json")
    assert (done.code, done.report["records"]) == (0, begun["records"]), done.err
    assert either.cli("verify", f"{target}/{begun['manifest']}", *state).code == 0
    assert either.statuses()[begun["run_id"]] == "committed"
    assert either.pull("applications").report["status"] == "complete"


def test_a_pending_run_is_committed_or_abandoned_by_hand(either: Sample) -> None:
    run, state = either.reports["pending"]["run_id"], either.place[2:]
    assert either.cli("state", "commit", run, *state).code == 0
    assert either.statuses()[run] == "committed"
    abandoned = either.reports["abandoned"]["run_id"]
    refused = either.cli("state", "commit", abandoned, *state)
    assert (refused.code, "is abandoned, not pending" in refused.err) == (1, True)


def test_what_became_of_runs_is_known(sample: Sample) -> None:
    expected = {
        "users": "committed",
        "users-again": "committed",
        "pending": "pending",
        "begun-promotion": "pending",
        "abandoned": "abandoned",
        "open": "open",
        "open-children": "open",
        "begun-anew": "abandoned",
        "begun-anew-again": "committed",
        "given-up": "abandoned",
    }
    statuses = sample.statuses()
    assert {name: statuses[sample.reports[name]["run_id"]] for name in expected} == expected
    shown = json.loads(sample.cli("state", "show", *sample.place, "--json").out)
    users = next(stream for stream in shown if (stream["stream"], stream["account"]) == ("okta.users", ACCOUNT))
    assert users["cursor"]["since"] == sample.reports["users-again"]["next_since"]
    assert users["destination"] == sample.place[1]
    assert sample.cli("state", "show", *sample.place).code == 0
    assert sample.cli("runs", *sample.place).code == 0


def test_a_run_that_was_begun_anew_leads_to_the_one_in_its_place(sample: Sample) -> None:
    first, second = (sample.reports[name]["run_id"] for name in ("begun-anew", "begun-anew-again"))
    report = circulate_core.pull(
        "okta.network_zones",
        to=sample.place[1],
        settings={"org_url": sample.org.url, "api_token": sample.org.token},
        account=ACCOUNT,
        catalog=[sample.golden / "definitions/small"],
        continuation=first,
    )
    assert (report.run_id, report.status) == (second, "complete")


def test_every_manifest_is_read_back_and_garbage_is_known(sample: Sample) -> None:
    def broken() -> list[str]:
        indexes = [
            path for place in ("lake", "data") for path in sample.cli.folder.glob(f"{place}/_circulate/*/*/*/*.json")
        ]
        assert len(indexes) > 20
        state = sample.place[-1]
        found = {str(path): circulate_core.verify(path, state=state).problems for path in indexes}
        given_up = sample.reports["abandoned"]["manifest"]
        return [path for path, problems in found.items() if problems and not path.endswith(given_up)]

    assert broken() == []
    removed = json.loads(sample.cli("gc", *sample.place, "--older-than", "0s", "--json").out)["removed_keys"]
    given_up = {sample.reports[name]["run_id"] for name in ("abandoned", "begun-anew", "given-up")}
    assert given_up <= {run for run in sample.statuses() if any(run in key for key in removed)}
    # Columns as of a checkpoint are of no use once a run has ended.
    others = [key for key in removed if not any(run in key for run in given_up)]
    assert all("/tables-" in key for key in others)
    assert sample.pull("groups").report["resumed"], "an open run keeps what it has"
    assert broken() == []


def test_a_promotion_that_was_begun_is_brought_to_its_end(sample: Sample) -> None:
    begun = sample.reports["begun-promotion"]
    manifest, data = sample.lake() / begun["manifest"], sample.cli.folder / "data"
    done = sample.cli("promote", manifest, "--to", data, "--json")
    assert (done.code, done.report["records"]) == (0, begun["records"]), done.err
    assert done.report["skipped"] + done.report["copied"] == begun["objects"]
    assert sample.statuses()[begun["run_id"]] == "committed"
    for name in ("users", "ndjson-zstd", "parquet-zstd"):
        again = sample.cli("promote", sample.lake() / sample.reports[name]["manifest"], "--to", data, "--json")
        assert (again.code, again.report["copied"]) == (0, 0), again.err


@pytest.mark.parametrize("compression", ["gzip", "zstd", "none"])
@pytest.mark.parametrize("form", ["json", "ndjson"])
def test_records_are_there_in_every_format(sample: Sample, form: str, compression: str) -> None:
    manifest = sample.lake() / sample.reports[f"{form}-{compression}"]["manifest"]
    assert circulate_core.verify(manifest).records == 9
    for path in circulate_core.manifest(manifest).paths:
        body = Path(path).read_bytes()
        if compression == "gzip":
            body = gzip.decompress(body)
        if compression != "zstd":
            records = (
                body.splitlines() if form == "ndjson" else [json.dumps(each).encode() for each in json.loads(body)]
            )
            assert {json.loads(record)["id"] for record in records} == ids(sample.org, "groups")
    again = sample.pull(
        "groups", "--format", form, "--compression", compression, account=f"{form}-{compression}"
    ).report
    assert again["records"] == 0


def ids(org: PracticeOrg, name: str) -> set[str]:
    return {entry["id"] for entry in org.truth(name)}


@pytest.mark.parametrize("name", ["parquet-zstd", "parquet-none", "arrow-zstd", "arrow-none", "flat", "text"])
def test_tables_are_read_and_continued(sample: Sample, name: str) -> None:
    forms = {
        "flat": ("--format", "parquet", "--nested", "flatten", "--raw", "--contract", "rescue"),
        "text": ("--format", "arrow", "--nested", "json", "--contract", "freeze"),
    }
    arguments = forms.get(name) or ("--format", name.partition("-")[0], "--compression", name.partition("-")[2])
    old = table_of(sample, sample.reports[name])
    assert set(old.column("id").to_pylist()) == ids(sample.org, "groups")
    sample.org.rename(next(iter(ids(sample.org, "groups"))))
    report = sample.pull("groups", *arguments, account=name).report
    assert report["records"] == 1
    assert set(old.column_names) <= set(table_of(sample, report).column_names), "columns stay as they were"


def table_of(sample: Sample, report: dict[str, Any]) -> Any:  # noqa: ANN401 - pyarrow has no types
    (path,) = circulate_core.manifest(sample.lake() / report["manifest"]).paths
    return feather.read_table(path) if path.endswith(".arrow") else pq.read_table(path)


def test_a_run_of_tables_goes_on_with_its_columns(sample: Sample) -> None:
    begun = sample.reports["open-tables"]
    report = sample.pull("groups", "--format", "parquet", account="tables").report
    assert (report["run_id"], report["resumed"], report["records"]) == (begun["run_id"], True, 9)
    paths = circulate_core.manifest(sample.lake() / report["manifest"]).paths
    tables = [pq.read_table(path) for path in paths]
    found = [key for table in tables for key in table.column("id").to_pylist()]
    assert (len(tables), sorted(found)) == (2, sorted(ids(sample.org, "groups")))
    assert set(tables[0].column_names) <= set(tables[1].column_names)


RENAMED = {"endless": "polling"}
"""Keys of definitions that have another name since."""


def holds(new: object, old: object) -> bool:
    """Whether everything that was said before is still said; there may be more."""
    if isinstance(old, dict):
        now = {RENAMED.get(name, name): value for name, value in old.items()}
        return isinstance(new, dict) and all(name in new and holds(new[name], value) for name, value in now.items())
    return new == old


@pytest.mark.filterwarnings("ignore::circulate_core.exceptions.EarlierKeyWarning")
def test_definitions_mean_what_they_meant(golden: Path) -> None:
    folders = [golden / f"definitions/{name}" for name in ("shipped", "catalog")]
    for name, meant in read(golden / "definitions/read.json").items():
        assert holds(catalogs.stream_definition(name, catalog=folders), meant), name
    listed = catalogs.stream_names(catalog=folders)
    shipped = {f"okta.{path.stem}" for path in (golden / "definitions/shipped/okta").glob("*.yaml")}
    assert shipped - {"okta.source"} <= set(listed)


def test_functions_are_described_as_before(golden: Path, cli: Cli) -> None:
    done = cli("check", "lambdas", "--lambdas", golden / "lambda/lib")
    assert done.code == 0, done.err


def handler(path: str, name: str) -> Callable[[object, Context], dict[str, Any]]:
    spec = spec_from_file_location(f"golden_{name}", ROOT / f"lambdas/lib/{path}/handler.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Callable[[object, Context], dict[str, Any]] = getattr(module, name)
    return found


def test_events_are_understood_and_results_have_what_they_had(
    golden: Path, aws: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for bucket in ("golden-raw", "golden-data"):
        client("s3", aws).create_bucket(Bucket=bucket)
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    monkeypatch.setenv("CIRCULATE_STATE", "dynamodb://golden-lambda")
    monkeypatch.setenv("CIRCULATE_FROM", "s3://golden-raw/raw")
    monkeypatch.setenv("OKTA_ACCOUNT", ACCOUNT)
    circulate_core._core.state_init("dynamodb://golden-lambda")  # noqa: SLF001 - as `circulate state init` does
    pull, promote = handler("okta/users", "list"), handler("targets/s3", "promote")
    runs: dict[str, str] = {}

    def now(text: str) -> str:
        """Put the runs of now in the place of those of then."""
        for old, new in runs.items():
            text = text.replace(old, new)
        return text

    with golden_org(faults=["users/stall:60@1*1"]) as (org, _):
        monkeypatch.setenv("OKTA_ORG_URL", org.url)
        monkeypatch.setenv("OKTA_API_TOKEN", org.token)
        for number, call in enumerate(read(golden / "lambda/calls.json")):
            function = pull if call["function"] == "okta.users" else promote
            to = "s3://golden-raw/raw" if function is pull else "s3://golden-data"
            monkeypatch.setenv("CIRCULATE_TO", to)
            event = json.loads(now(json.dumps(call["event"])))
            result = function(event, Context(f"golden-{number}", left_ms=call["left_ms"]))
            old = call["result"]
            if old["run_id"] not in runs:
                runs[old["run_id"]] = result["run_id"]
            # Sizes may differ, and times; everything else means the same.
            same = {name: value for name, value in old.items() if name not in {"bytes", "resume_after"}}
            assert holds(result, json.loads(now(json.dumps(same)))), call["kind"]
            assert old.keys() <= result.keys(), call["kind"]


@dataclass
class Heard:
    """What a server was requested with."""

    headers: list[dict[str, str]]
    url: str


@pytest.fixture
def heard() -> Iterator[Heard]:
    """Start a server whose lists are empty."""
    requested: list[dict[str, str]] = []

    def respond(request: Handler) -> Reply:
        requested.append({name.title(): value for name, value in request.headers.items()})
        return Reply([])

    with Server(respond) as server:
        yield Heard(requested, server.url)


@pytest.mark.parametrize("profile", ["bearer", "dpop"])
def test_a_token_file_authorizes(golden: Path, heard: Heard, tmp_path: Path, profile: str) -> None:
    token = read(golden / f"tokens/{profile}.token.json")
    now = int(time.time())
    folder = tmp_path / "circulate"
    folder.mkdir(mode=0o700)
    file = folder / f"{profile}.token.json"
    file.write_text(json.dumps(token | {"obtained_at": now - 60, "expires_at": now + 3600}))
    file.chmod(0o600)
    settings = {"OKTA_ORG_URL": heard.url, "OKTA_TOKEN_PROFILE": profile, "TMPDIR": str(tmp_path)}
    cli = Cli(tmp_path, {**os.environ, "HOME": str(tmp_path), **settings}, Folder(tmp_path / "lake"))
    assert cli.pull().code == 0
    sent = heard.headers[0]
    assert sent["Authorization"] == f"{token['token_type']} {token['access_token']}"
    if profile == "dpop":
        header = json.loads(decoded(sent["Dpop"].partition(".")[0]))
        assert {header["jwk"][name] for name in ("x", "y")} == {token["dpop_jwk"][name] for name in ("x", "y")}


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@pytest.mark.parametrize("name", ["token", "token-by-other-names", "client", "client-by-other-names"])
def test_stored_secrets_are_understood(golden: Path, aws: str, cli: Cli, name: str) -> None:
    read_users = OAuthClient(
        client_id="0oa1", scopes=["okta.users.read"], method="client_secret_basic", secret="golden"
    )
    with PracticeOrg(users=3, clients=[read_users]) as org:
        text = (golden / f"secrets/{name}.json").read_text().replace(NEUTRAL_URL, org.url)
        client("secretsmanager", aws).create_secret(Name=f"golden-{name}", SecretString=text)
        done = cli("check", "okta", "--secret", f"golden-{name}", AWS_ENDPOINT_URL=aws)
        assert done.code == 0, done.err


def test_a_config_file_is_understood(golden: Path, sample: Sample) -> None:
    folder = sample.cli.folder / "config/circulate"
    folder.mkdir(parents=True)
    text = (golden / "config.toml").read_text().replace(NEUTRAL_URL, sample.org.url)
    (folder / "config.toml").write_text(text)
    (folder / "config.toml").chmod(0o600)
    bare = {name: value for name, value in sample.cli.environment.items() if not name.startswith("OKTA_")}
    cli = replace(sample.cli, environment=bare | {"XDG_CONFIG_HOME": str(sample.cli.folder / "config")})
    catalog = ("--catalog", str(golden / "definitions/small"))
    done = cli("pull", "okta.users", *sample.place, *catalog, "--json")
    assert done.code == 0, done.err
    assert (done.report["account"], done.report["records"]) == (ACCOUNT, 0)


def test_samples_are_not_touched() -> None:
    """A digest of each version's samples stands beside them: a change would hide what it breaks."""
    for version in VERSIONS:
        assert digest_of(version) == (SAMPLES / f"{version.name}.sha256").read_text().strip(), version.name
