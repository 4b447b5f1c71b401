"""What an analyst sees in a notebook: of sources, streams, runs and manifests, and while something is read."""

import asyncio
import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import pytest
from support import notebooks
from support.cli import PLENTY, StartOrg

import circulate_core
from circulate_core.exceptions import AuthError, DataError, MismatchError, SettingsError, StorageError
from circulate_core.results import Report
from circulate_core.watch import in_notebook
from circulate_practice import PracticeOrg


def okta(org: PracticeOrg) -> circulate_core.Source:
    return circulate_core.source("okta", settings={"org_url": org.url, "api_token": org.token})


def shown(something: object) -> str:
    """Return what a notebook shows of something."""
    html: str = something._repr_html_()  # type: ignore[attr-defined]
    return html


def test_a_source_shows_where_it_is_and_its_streams_and_no_secret(start_org: StartOrg) -> None:
    org = start_org(users=3)
    html = shown(okta(org))
    for part in (
        org.url,
        "<code>api_token</code>",
        "<code>users</code>",
        "People of the org",
        "incremental",
        "https://",
    ):
        assert part in html
    assert org.token not in html
    assert org.log == []


def test_a_source_shows_no_credentials_of_an_address_and_follows_no_odd_link() -> None:
    acme = circulate_core.source("acme", base_url="https://user:word@acme.example/v1?key=1", docs="javascript:alert(1)")
    html = shown(acme)
    assert "https://acme.example/v1" in html
    assert "word" not in html
    assert "key=1" not in html
    assert "href" not in html


def test_a_source_whose_streams_are_wrong_is_shown_all_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "acme"
    folder.mkdir()
    (folder / "source.yaml").write_text(
        "source: acme\ntitle: Acme\nbase_url: https://a.example\nsettings: {}\nauth: [none]\n"
    )
    (folder / "good.yaml").write_text(
        "endpoint: good\nabout: Good ones.\nscopes: []\nlist: {path: /g, primary_key: [/id], paginator: none}\n"
    )
    source = circulate_core.source("acme", catalog=[tmp_path])
    (folder / "bad.yaml").write_text("endpoint: bad\nabout: Bad.\nlist: 5\n")
    assert "its definition is wrong" in shown(source)


def test_a_stream_shows_what_it_is_and_how_to_use_it(start_org: StartOrg) -> None:
    source = okta(start_org(users=3))
    html = shown(source.stream("group_members", since="2026-11-01"))
    for part in ("GET /api/v1/groups/{id}/users", "okta.groups", "since 2026-11-01", "docs", ".sample(5)", ".pull("):
        assert part in html
    assert "by <code>/lastUpdated</code> · 5m of overlap" in shown(source.stream("users"))
    assert "everything, each time" in shown(source.stream("applications"))


def test_what_a_pull_returns_shows_itself(start_org: StartOrg, tmp_path: Path) -> None:
    org = start_org(users=300)
    users = okta(org).stream("users")
    report = users.pull(to=tmp_path)
    assert "complete" in shown(report)
    assert Report.from_dict(json.loads(json.dumps(report.to_dict()))) == report
    again = asyncio.run(users.pull_async(to=tmp_path))
    assert "complete" in shown(again)
    list(users.records())
    assert "300 records" in shown(users.report)
    runs = circulate_core.runs(tmp_path / ".circulate/state.db")
    assert "2 runs" in shown(runs)
    assert [run.run_id for run in runs] == [again.run_id, report.run_id]


def test_the_report_of_a_failed_pull_shows_itself(start_org: StartOrg, tmp_path: Path) -> None:
    org = start_org(users=600, faults=["403@2"])
    with pytest.raises(circulate_core.CirculateError) as caught:
        okta(org).stream("users").pull(to=tmp_path)
    assert caught.value.report
    assert "failed" in shown(caught.value.report)


def test_a_schema_and_what_drifted_show_themselves(start_org: StartOrg) -> None:
    users = okta(start_org(users=60)).stream("users", contract="rescue")
    assert "nothing drifted" in shown(users.drift)
    html = shown(users.schema())
    for part in ("<code>profile</code>", "<code>costCenter</code>", "struct", "declared", "inferred"):
        assert part in html
    users.arrow()
    assert users.drift
    assert "<code>/profile/costTag</code>" in shown(users.drift)
    assert "repeated key" in shown(users.drift)


def test_a_schema_shows_the_columns_of_its_layout(start_org: StartOrg) -> None:
    org = start_org(users=3, apps=2)
    flat = shown(okta(org).stream("users", nested="flatten").schema())
    assert "<code>profile__login</code>" in flat
    assert "· " not in flat.split("<small")[0]
    assert "struct" not in shown(okta(org).stream("users", nested="json").schema())
    assert "<code>_parent_id</code>" in shown(okta(org).stream("application_users").schema())


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """Give a folder to pull to."""
    return tmp_path / "lake"


def pulled(start_org: StartOrg, lake: Path) -> Report:
    return okta(start_org(users=2_300)).stream("users").pull(to=lake, account="acme")


def test_a_manifest_says_what_a_run_wrote(start_org: StartOrg, lake: Path) -> None:
    report = pulled(start_org, lake)
    manifest = circulate_core.manifest(report)
    assert (manifest.verdict, manifest.run_id, manifest.stream) == ("complete", report.run_id, "okta.users")
    assert (manifest.account, manifest.mode, manifest.window) == ("acme", "incremental", report.window)
    assert manifest.totals.records == sum(entry.records for entry in manifest.objects) == 2_300
    assert (manifest.gaps, manifest.unavailable, manifest.path) == ((), None, f"{lake}/{report.manifest}")
    assert all(Path(path).is_file() for path in manifest.paths)
    html = shown(manifest)
    for part in (
        "complete",
        "2,300 records in 3 objects",
        manifest.objects[0].key,
        manifest.objects[0].sha256[:12],
    ):
        assert part in html
    assert repr(manifest) == f"<Manifest of okta.users, run {report.run_id}: complete, 2,300 records in 3 objects>"


def test_a_manifest_is_named_by_path_by_key_or_by_a_run(start_org: StartOrg, lake: Path) -> None:
    report = pulled(start_org, lake)
    key = str(report.manifest)
    (run,) = circulate_core.runs(lake / ".circulate/state.db")
    moved = lake.with_name("elsewhere")
    shutil.copytree(lake, moved)
    for manifest in (
        circulate_core.manifest(lake / key),
        circulate_core.manifest(key, to=lake),
        circulate_core.manifest(run),
        circulate_core.manifest(report, to=moved),
    ):
        assert manifest.run_id == report.run_id
    assert circulate_core.manifest(report, to=moved).lake == str(moved)


def test_what_has_no_manifest_says_why(start_org: StartOrg, lake: Path) -> None:
    users = okta(start_org(users=3)).stream("users")
    list(users.records())
    assert users.report is not None
    with pytest.raises(SettingsError, match="was not stored"):
        circulate_core.manifest(users.report)
    with pytest.raises(SettingsError, match="it is partial"):
        circulate_core.manifest(Report({**users.report.to_dict(), "manifest": None, "status": "partial"}))
    with pytest.raises(SettingsError, match="in a bucket") as caught:
        circulate_core.manifest("s3://lake/raw/_circulate/x.json")
    assert caught.value.hint
    assert "circulate verify s3://lake/raw/_circulate/x.json" in caught.value.hint
    with pytest.raises(SettingsError, match="not below a `_circulate` folder"):
        circulate_core.manifest(lake / "x.json")
    with pytest.raises(StorageError, match="cannot read the manifest"):
        circulate_core.manifest(lake / "_circulate/x.json")


def test_a_manifest_that_is_not_as_written_is_refused(start_org: StartOrg, lake: Path) -> None:
    path = lake / str(pulled(start_org, lake).manifest)
    index = json.loads(path.read_text())
    part = lake / index["parts"][0]["key"]
    part.chmod(0o600)
    part.write_text(part.read_text().replace("2300", "2301").replace('"records": 1000', '"records": 1001'))
    with pytest.raises(MismatchError, match="not what its index says"):
        _ = circulate_core.manifest(path).objects
    path.chmod(0o600)
    path.write_text(json.dumps({**index, "schema": 2}))
    with pytest.raises(DataError, match="version 2"):
        circulate_core.manifest(path)
    for wrong in ("[]", "{}", "no"):
        path.write_text(wrong)
        with pytest.raises(DataError, match="is not a manifest"):
            circulate_core.manifest(path)


class FakeHandle:
    """What `display` returns."""

    def __init__(self, states: list[dict[str, str]]) -> None:
        self._states = states

    def update(self, bundle: dict[str, str], *, raw: bool) -> None:
        """Take the next state."""
        assert raw
        self._states.append(bundle)


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """Be in a kernel, and give the states of what is displayed."""
    states: list[dict[str, str]] = []

    def display(bundle: dict[str, str], *, raw: bool, display_id: bool) -> FakeHandle:
        assert raw
        assert display_id
        states.append(bundle)
        return FakeHandle(states)

    shell = SimpleNamespace(kernel=object())
    module = SimpleNamespace(get_ipython=lambda: shell, display=SimpleNamespace(display=display))
    monkeypatch.setitem(sys.modules, "IPython", module)
    monkeypatch.setitem(sys.modules, "IPython.display", module.display)
    return states


def test_a_kernel_is_known_without_importing_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    for shell, expected in ((None, False), (SimpleNamespace(), False), (SimpleNamespace(kernel=object()), True)):
        monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda shell=shell: shell))
        assert in_notebook() is expected
    monkeypatch.delitem(sys.modules, "IPython")
    assert not in_notebook()


def test_progress_is_shown_in_notebooks_by_itself(
    start_org: StartOrg, kernel: list[dict[str, str]], lake: Path
) -> None:
    users = okta(start_org(users=1_000, latency=0.06)).stream("users")
    for work in (
        lambda: list(users),
        lambda: list(users.records()),
        lambda: users.pull(to=lake),
        lambda: asyncio.run(users.pull_async(to=lake, mode="full")),
    ):
        kernel.clear()
        work()
        assert len(kernel) > 2
        assert "✓" not in kernel[0]["text/html"]
        assert "okta.users" in kernel[0]["text/html"]
        assert kernel[-1]["text/plain"].startswith("✓ okta.users: complete  1,000 records")
        assert "1,000 records" in kernel[-1]["text/html"]


def test_progress_is_shown_while_something_is_awaited(start_org: StartOrg, kernel: list[dict[str, str]]) -> None:
    users = okta(start_org(users=400, latency=0.5)).stream("users")

    async def read() -> int:
        return sum([len(batch) async for batch in users])

    assert asyncio.run(read()) == 400
    assert kernel[0]["text/plain"] == "okta.users  no page yet"
    assert len(kernel) > 3


def test_progress_can_be_switched_off(start_org: StartOrg, kernel: list[dict[str, str]], lake: Path) -> None:
    users = okta(start_org(users=300)).stream("users")
    list(users.batches(progress=False))
    list(users.records(progress=False))
    users.sample(progress=False)
    users.pull(to=lake, progress=False)
    assert kernel == []


def test_a_quick_sample_shows_no_progress(start_org: StartOrg, kernel: list[dict[str, str]]) -> None:
    users = okta(start_org(users=300)).stream("users")
    users.sample(3)
    assert kernel == []
    assert users.history is None


def test_reading_a_part_only_is_shown_as_such(start_org: StartOrg, kernel: list[dict[str, str]]) -> None:
    users = okta(start_org(users=2_000)).stream("users")
    batches = users.batches(records=100)
    next(batches)
    batches.close()  # type: ignore[attr-defined]
    assert kernel[-1]["text/plain"].startswith("◐ okta.users: not read to its end")


def test_a_failure_is_shown_where_the_progress_was(start_org: StartOrg, kernel: list[dict[str, str]]) -> None:
    users = okta(start_org(users=600, faults=["403@2"])).stream("users")
    with pytest.raises(AuthError):
        list(users.records())
    assert kernel[-1]["text/plain"].startswith("✗ okta.users: failed  200 records  1 page")


def test_elsewhere_progress_is_shown_on_demand(
    start_org: StartOrg, lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    users = okta(start_org(users=300)).stream("users")
    list(users.records())
    users.pull(to=lake)
    assert capsys.readouterr() == ("", "")
    list(users.records(progress=True))
    users.pull(to=lake, progress=True, mode="full")
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("✓ okta.users: complete  300 records") == 2


def test_a_stream_keeps_the_history_of_how_it_was_read(start_org: StartOrg, lake: Path) -> None:
    users = okta(start_org(users=1_000, latency=0.05)).stream("users")
    list(users.records())
    first = users.history
    assert first is not None
    assert first.points[-1].snapshot.records == 1_000
    assert (first.stream, first.headroom) == ("okta.users", 0.5)
    users.pull(to=lake)
    assert users.history is not first
    assert users.history
    assert users.history.points[-1].snapshot.objects == 1
    asyncio.run(users.pull_async(to=lake, mode="full"))
    assert users.history.points[-1].snapshot.records == 1_000


NOTEBOOK = """
import circulate_core
users = circulate_core.source("okta").stream("users")
--
count = len([record async for record in users.records()])
--
report = await users.pull_async(to="lake")
--
users
"""


def test_a_saved_notebook_holds_the_last_state_only(start_org: StartOrg, tmp_path: Path) -> None:
    org = start_org(users=1_000, latency=0.05, rate_limit=PLENTY)
    cells = [nbformat.v4.new_code_cell(code.strip()) for code in NOTEBOOK.split("--\n")]  # type: ignore[no-untyped-call]
    kernelspec = {"display_name": "Python 3", "language": "python", "name": "python3"}
    made = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernelspec})  # type: ignore[no-untyped-call]
    path = tmp_path / "made.ipynb"
    path.write_text(notebooks.written(made))
    ran: Any = notebooks.run(path, org, tmp_path)
    outputs = [cell["outputs"] for cell in ran["cells"]]
    assert [len(each) for each in outputs] == [0, 1, 1, 1]
    assert "✓ okta.users: complete" in outputs[1][0]["data"]["text/plain"]
    assert "✓ okta.users: complete" in outputs[2][0]["data"]["text/plain"]
    assert "People of the org" in outputs[3][0]["data"]["text/html"]


def test_nothing_for_notebooks_is_loaded_before_it_is_needed() -> None:
    code = (
        "import sys, circulate_core; from circulate_core import results, watch;"
        "assert not watch.in_notebook();"
        "heavy = ('circulate_core.jupyter', 'IPython', 'matplotlib', 'pandas');"
        "assert not [name for name in sys.modules if name.startswith(heavy)]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
