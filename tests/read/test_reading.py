"""Sources and streams in Python, as an analyst or a script reads them."""

import _thread
import asyncio
import gc
import hashlib
import json
import multiprocessing
import os
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.cli import StartOrg
from support.commands import PATIENCE

import circulate_core
from circulate_core.exceptions import (
    AuthError,
    DataError,
    DefinitionError,
    IncompleteWarning,
    SettingsError,
    StoppedError,
)
from circulate_core.results import Snapshot
from circulate_practice import PracticeOrg

BEARER = [{"header": {"name": "Authorization", "prefix": "SSWS ", "secret": "token"}}]


def okta(org: PracticeOrg) -> circulate_core.Source:
    return circulate_core.source("okta", settings={"org_url": org.url, "api_token": org.token})


def acme(org: PracticeOrg, **definition: Any) -> circulate_core.Source:  # noqa: ANN401 - as in YAML
    """Define the org's API in code, as if nobody had before."""
    definition = {"base_url": org.url, "auth": BEARER, **definition}
    return circulate_core.source("acme", settings={"token": org.token}, **definition)


def targets(org: PracticeOrg) -> list[str]:
    return [entry["target"] for entry in org.log]


def digests(batch: circulate_core.Batch) -> list[str]:
    """Digests of a batch's records as they stand there."""
    text = batch.json.decode("utf-8", "surrogatepass")
    assert (text[0], text[-1]) == ("[", "]")
    found, at = [], 1
    while at < len(text) - 1:
        _, end = json.JSONDecoder().raw_decode(text, at)
        found.append(hashlib.sha256(text[at:end].encode("utf-8", "surrogatepass")).hexdigest())
        at = end + 1
    return found


def test_a_stream_is_read_in_batches_with_their_bytes_as_received(start_org: StartOrg) -> None:
    org = start_org(users=2_300)
    users = okta(org).stream("users")
    batches = list(users)
    assert [len(batch) for batch in batches] == [1_000, 1_000, 300]
    assert all(isinstance(batch, circulate_core.Batch) for batch in batches)
    served = [record["sha256"] for entry in org.log for record in entry["records"]]
    assert [digest for batch in batches for digest in digests(batch)] == served
    assert users.report is not None
    assert (users.report.status, users.report.records) == ("complete", len(served))


def test_records_are_what_the_org_holds(start_org: StartOrg) -> None:
    org = start_org(users=450)
    truth = {entry["id"]: entry["sha256"] for entry in org.truth()}
    users = okta(org).stream("users")
    seen = {record["id"]: record for record in users.records()}
    assert seen.keys() == truth.keys()
    (batch,) = users
    assert batch.records() == list(seen.values())
    assert (batch[0], batch[-2:]) == (batch.records()[0], batch.records()[-2:])
    assert json.loads(batch.json) == batch.records()


def test_a_stream_is_read_again_each_time(start_org: StartOrg) -> None:
    org = start_org(users=10, groups=12)
    groups = okta(org).stream("groups")
    before = len(list(groups.records()))
    org.add("groups")
    assert len(list(groups.records())) == before + 1


def test_children_name_their_parents(start_org: StartOrg) -> None:
    org = start_org(apps=3, app_users=(1, 2))
    apps = {app["id"] for app in okta(org).stream("applications").records()}
    assigned = list(okta(org).stream("application_users").records())
    assert {record["_circulate"]["parent"]["id"] for record in assigned} == apps


def test_a_stream_is_read_with_await_beside_other_work(start_org: StartOrg) -> None:
    org = start_org(users=1_200)
    users = okta(org).stream("users")

    async def read() -> tuple[int, int, str]:
        sizes = [len(batch) async for batch in users]
        ids = {record["id"] async for record in users.records()}
        report = users.report
        assert report is not None
        return sum(sizes), len(ids), report.status

    async def both() -> list[tuple[int, int, str]]:
        return list(await asyncio.gather(read(), read()))

    for total, ids, status in asyncio.run(both()):
        assert (total, ids, status) == (1_200, 1_200, "complete")


def test_a_sample_takes_one_small_page(start_org: StartOrg) -> None:
    org = start_org(users=5_000)
    sample = okta(org).stream("users").sample(25)
    assert len(sample) == 25
    assert all("limit=25" in target for target in targets(org))
    assert len(targets(org)) <= 3


@pytest.mark.parametrize(("n", "users", "expected"), [(1, 5, 1), (50, 5, 5), (3, 0, 0)])
def test_a_sample_has_as_many_records_as_there_are(start_org: StartOrg, n: int, users: int, expected: int) -> None:
    org = start_org(users=users)
    assert len(okta(org).stream("users").sample(n)) == expected


def test_a_stream_may_be_bounded_by_time(start_org: StartOrg) -> None:
    org = start_org(users=10, events=3_000)
    newest = max(record["published"] for record in okta(org).stream("system_log").records())
    yesterday = datetime.fromisoformat(newest) - timedelta(days=1)
    day = [record["published"] for record in okta(org).stream("system_log", since=yesterday, until=newest).records()]
    assert len(day) > 1_000
    assert {yesterday <= datetime.fromisoformat(published) < datetime.fromisoformat(newest) for published in day} == {
        True
    }
    for since in (date(2026, 11, 1), "2026-11-01", "2026-11-01T00:00:00+00:00", datetime(2026, 11, 1, tzinfo=UTC)):
        bounded = okta(org).stream("system_log", since=since)
        assert repr(bounded) == "<Stream okta.system_log since 2026-11-01T00:00:00Z>"


def test_reading_stops_asking_when_nobody_reads_on(start_org: StartOrg) -> None:
    org = start_org(users=100_000)
    for _batch in okta(org).stream("users"):
        break
    gc.collect()
    before = org.request_count
    assert before < 40
    org.wait_for_requests(before, timeout=5)
    with pytest.raises(TimeoutError):
        org.wait_for_requests(before + 3, timeout=0.5)


def test_what_came_before_a_failure_is_read_first(start_org: StartOrg) -> None:
    org = start_org(users=3_000, faults=["html@12"])
    users = okta(org).stream("users")
    got: list[circulate_core.Batch] = []
    with pytest.raises(DataError, match="HTML"):
        got.extend(users)
    assert sum(len(batch) for batch in got) == 2_200
    assert users.report is None


def test_progress_is_reported_while_reading(start_org: StartOrg) -> None:
    org = start_org(users=600)
    seen: list[Snapshot] = []
    assert sum(len(batch) for batch in okta(org).stream("users").batches(records=100, on_progress=seen.append)) == 600
    assert seen[-1].records == 600


def test_ctrl_c_ends_reading_at_once(start_org: StartOrg) -> None:
    org = start_org(users=700, faults=["stall:60@3"])

    def interrupt() -> None:
        org.wait_for_requests(3, timeout=PATIENCE)
        _thread.interrupt_main()

    interrupter = threading.Thread(target=interrupt)
    interrupter.start()
    with pytest.raises(KeyboardInterrupt):
        list(okta(org).stream("users"))
    interrupter.join()


def test_a_cancelled_await_stops_a_pull_at_a_checkpoint(start_org: StartOrg, tmp_path: Path) -> None:
    org = start_org(users=700, faults=["stall:60@3"])
    users = okta(org).stream("users")

    async def main() -> None:
        pulling = asyncio.create_task(users.pull_async(to=tmp_path))
        await asyncio.to_thread(org.wait_for_requests, 3, timeout=PATIENCE)
        pulling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await pulling
        (run,) = circulate_core.runs(tmp_path / ".circulate/state.db")
        assert (run.status, run.ledger.totals.records) == ("open", 400)
        assert run.ledger.stopped_by == "interrupted"
        report = await users.pull_async(to=tmp_path)
        assert (report.status, report.records, report.resumed) == ("complete", 700, True)

    asyncio.run(main())


def test_a_cancelled_await_ends_reading(start_org: StartOrg) -> None:
    org = start_org(users=700, faults=["stall:60@1"])

    async def main() -> None:
        batches = okta(org).stream("users").batches_async()
        reading = asyncio.create_task(batches.asend(None))
        await asyncio.to_thread(org.wait_for_requests, 1, timeout=PATIENCE)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading

    asyncio.run(main())


def test_a_pull_is_awaited_and_reports_its_progress_in_the_loop(start_org: StartOrg, tmp_path: Path) -> None:
    org = start_org(users=700)
    seen: list[Snapshot] = []
    threads = set()

    def show(snapshot: Snapshot) -> None:
        threads.add(threading.current_thread())
        seen.append(snapshot)

    async def main() -> None:
        report = await okta(org).stream("users").pull_async(to=tmp_path, on_progress=show)
        assert (report.status, report.records) == ("complete", 700)

    asyncio.run(main())
    assert seen[-1].records == 700
    assert threads == {threading.main_thread()}


def test_errors_of_an_awaited_pull_are_those_of_a_pull(start_org: StartOrg, tmp_path: Path) -> None:
    org = start_org(users=700, faults=["html@3"])
    with pytest.raises(DataError) as caught:
        asyncio.run(okta(org).stream("users").pull_async(to=tmp_path))
    assert caught.value.report is not None
    assert caught.value.report.records == 400
    with pytest.raises(SettingsError, match="invalid `sse`: 'rot13'"):
        asyncio.run(okta(org).stream("users").pull_async(to=tmp_path, s3={"sse": "rot13"}))  # type: ignore[arg-type]


def test_a_stream_is_pulled_into_a_lake(start_org: StartOrg, tmp_path: Path) -> None:
    org = start_org(users=700)
    users = okta(org).stream("users")
    assert users.pull(to=tmp_path).records == 700
    org.change(5)
    again = users.pull(to=tmp_path)
    assert (again.records, again.mode) == (5, "incremental")


def read_in_child(url: str, token: str, folder: str) -> None:
    users = circulate_core.source("okta", settings={"org_url": url, "api_token": token}).stream("users")
    counted = len(list(users.records()))
    pulled = asyncio.run(users.pull_async(to=folder)).records
    os._exit(0 if counted == pulled == 300 else 1)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_reads_and_pulls(start_org: StartOrg, tmp_path: Path) -> None:
    org = start_org(users=300)
    assert len(list(okta(org).stream("users").records())) == 300
    forking = multiprocessing.get_context("fork")
    arguments = [(org.url, org.token, str(tmp_path / str(number))) for number in range(2)]
    children = [forking.Process(target=read_in_child, args=each) for each in arguments]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
    assert [child.exitcode for child in children] == [0, 0]
    assert len(list(okta(org).stream("users").records())) == 300


def read_on_in_child(batches: Iterator[circulate_core.Batch]) -> None:
    with pytest.raises(StoppedError, match="forked from"):
        next(batches)
    os._exit(0)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_does_not_wait_for_what_its_parent_reads(start_org: StartOrg) -> None:
    org = start_org(users=300)
    batches = okta(org).stream("users").batches(records=50)
    first = next(batches)
    child = multiprocessing.get_context("fork").Process(target=read_on_in_child, args=[batches])
    child.start()
    child.join(30)
    child.kill()
    assert child.exitcode == 0
    assert len(first) + sum(len(batch) for batch in batches) == 300


def test_a_refused_parent_is_warned_about(start_org: StartOrg) -> None:
    org = start_org(apps=12, app_users=(1, 1))
    refused = [entry["id"] for entry in org.truth("apps")][-1]
    org.forbid(refused)
    assigned = okta(org).stream("application_users")
    with pytest.warns(IncompleteWarning, match=f"is incomplete: 1 part missing: id {refused}"):
        assert len(list(assigned.records())) == 11


def test_a_missing_feature_is_warned_about(start_org: StartOrg) -> None:
    org = start_org(users=1, unavailable=["devices"])
    with pytest.warns(IncompleteWarning, match="lacks the feature"):
        assert list(okta(org).stream("devices").records()) == []
    with pytest.warns(IncompleteWarning, match="lacks the feature"):
        assert okta(org).stream("devices").sample().records() == []


def test_an_unknown_api_is_defined_by_keywords(start_org: StartOrg, tmp_path: Path) -> None:
    org = start_org(users=300, apps=5)
    api = acme(org)
    page = {"param": "limit", "max": 50}
    people = api.stream("people", path="/api/v1/users", paginator="link_header", page_size=page)
    active = len({record["id"] for record in people.records()})
    assert active == sum(entry["status"] != "DEPROVISIONED" for entry in org.truth())
    assert people.pull(to=tmp_path).records == active
    assert (tmp_path / "acme").is_dir()
    assert api.streams == ["people"]


def test_an_unknown_api_is_defined_by_mappings_with_parents_and_children(start_org: StartOrg) -> None:
    org = start_org(apps=4, app_users=(1, 1))
    api = circulate_core.source({"source": "acme", "base_url": org.url, "auth": BEARER}, settings={"token": org.token})
    api.stream("things", {"about": "Things.", "list": {"path": "/api/v1/apps", "paginator": "link_header"}})
    users = api.stream(
        "thing_users",
        path="/api/v1/apps/{id}/users",
        parent={"endpoint": "things", "fields": {"id": "/id"}},
        paginator="link_header",
    )
    # No page size is declared, so nothing can show that four records are all.
    with pytest.warns(IncompleteWarning, match="`single: certain`"):
        assert len(list(users.records())) == 4


def test_an_endpoint_is_added_to_a_source_of_the_catalog(start_org: StartOrg) -> None:
    org = start_org(users=3)
    source = okta(org)
    me = source.stream("first_users", path="/api/v1/users", query={"limit": "2"}, paginator="none")
    with pytest.warns(IncompleteWarning, match="`paginator: link_header` would follow it"):
        assert len(list(me.records())) == 2
    assert "users" in source.streams


def test_a_definition_in_code_is_as_good_as_a_file(start_org: StartOrg) -> None:
    org = start_org(users=3)
    with pytest.raises(DefinitionError, match="did you mean `path`") as caught:
        acme(org).stream("people", pth="/api/v1/users")
    assert "definition of acme.people:" in str(caught.value)
    with pytest.raises(DefinitionError, match="did you mean `header`"):
        acme(org, auth=[{"headr": {}}])
    with pytest.raises(DefinitionError, match="`paginator` is missing") as caught:
        acme(org).stream("people", path="/api/v1/users")
    assert "link_header  " in str(caught.value)
    with pytest.raises(DefinitionError, match="needs a name"):
        circulate_core.source({"base_url": org.url})
    with pytest.raises(DefinitionError, match="what YAML could not"):
        acme(org).stream("people", path=object())
    with pytest.raises(DefinitionError, match="not a mapping"):
        acme(org).stream("people", {"list": "/api/v1/users"})
    with pytest.raises(DefinitionError, match="not a mapping"):
        acme(org).stream("people", "/api/v1/users")  # type: ignore[arg-type]
    with pytest.raises(DefinitionError, match=r"`columns` in the definition of acme\.people is not a mapping"):
        acme(org).stream("people", path="/api/v1/users", paginator="none", columns=["id"])  # type: ignore[arg-type]
    with pytest.raises(DefinitionError, match=r"no stream is named `acme\.people`"):
        acme(org).stream("people")


def test_an_open_api_needs_no_credentials_and_a_closed_one_says_so(start_org: StartOrg) -> None:
    org = start_org(users=3)
    nobody = circulate_core.source("acme", base_url=org.url)
    with pytest.raises(AuthError) as caught:
        nobody.stream("people", path="/api/v1/users", paginator="link_header").sample()
    assert caught.value.hint == "it wants to know who asks: add `auth` to the definition of the source"


def test_settings_come_from_code_then_the_environment_then_the_config_file(
    start_org: StartOrg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    org = start_org(users=3)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    config = tmp_path / "circulate/config.toml"
    config.parent.mkdir()
    config.write_text(f'[okta]\norg_url = "{org.url}"\napi_token = "wrong"\naccount = "acme"\n')
    config.chmod(0o600)
    monkeypatch.setenv("OKTA_API_TOKEN", org.token)
    users = circulate_core.source("okta").stream("users")
    assert len(list(users.records())) == 3
    assert users.report is not None
    assert users.report.account == "acme"
    with pytest.raises(AuthError):
        circulate_core.source("okta", settings={"api_token": "wrong"}).stream("users").sample()
    config.chmod(0o644)
    with pytest.warns(UserWarning, match="chmod 600"):
        circulate_core.source("okta")


def test_what_is_wrong_is_reported_before_any_request(start_org: StartOrg) -> None:
    org = start_org(users=3)
    with pytest.raises(SettingsError, match="no setting `org`"):
        circulate_core.source("okta", settings={"org": org.url})
    with pytest.raises(DefinitionError, match="no stream is named"):
        okta(org).stream("user")
    with pytest.raises(SettingsError, match="invalid `since`: `yesterday` is not a time"):
        okta(org).stream("users", since="yesterday")
    with pytest.raises(SettingsError, match="expected a string, a date"):
        okta(org).stream("users", since=5)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="invalid `n`: expected a whole number of 1 or more, given 0"):
        okta(org).stream("users").sample(0)
    with pytest.raises(SettingsError, match="invalid `n`: expected a whole number of 1 or more, given True"):
        okta(org).stream("users").sample(True)  # noqa: FBT003 - as a mistake
    with pytest.raises(SettingsError, match="can't be asked for a part of time"):
        okta(org).stream("applications", since="2026-01-01").sample()
    with pytest.raises(SettingsError, match="years 1 to 9999"):
        okta(org).stream("users", since="0001-01-01T00:00:00+05:00")
    with pytest.raises(SettingsError, match="invalid `records`: expected a whole number of 1 or more, given 0"):
        next(okta(org).stream("users").batches(records=0))
    with pytest.raises(SettingsError, match="given '3'"):
        okta(org).stream("users").sample("3")  # type: ignore[arg-type]
    with pytest.raises(DefinitionError, match="give a list"):
        circulate_core.source("okta", catalog="definitions")
    with pytest.raises(DefinitionError, match="invalid `catalog`: expected a list of folders, given 5"):
        circulate_core.source("okta", catalog=5)  # type: ignore[arg-type]
    assert targets(org) == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"secret": 5}, "`secret` is given to a stream, whose source knows the account"),
        ({"settings": {"api_token": "t"}}, "`settings` is given to a stream"),
        ({"deadline": "soon"}, "invalid `deadline`: `soon` is not a length of time"),
        (
            {"contract": "strict"},
            "invalid `contract`: 'strict'; it is one of evolve, rescue, freeze",
        ),
        ({"s3": {"sse": 5}}, "invalid `sse`: 5; it is one of AES256, aws:kms"),
        ({"since": "soon"}, "invalid `since`: `soon` is not a time"),
        (
            {"until": "0001-01-01T00:00:00+05:00"},
            "invalid `until`: `0001-01-01T00:00:00\\+05:00` is not in the years 1 to 9999",
        ),
        ({"until": 5}, "invalid `until`: expected a string, a date, a datetime or a timedelta, given 5"),
    ],
)
def test_a_wrong_argument_of_a_pull_is_reported_by_its_name(
    start_org: StartOrg, tmp_path: Path, given: dict[str, Any], message: str
) -> None:
    org = start_org(users=3)
    with pytest.raises(SettingsError, match=message):
        okta(org).stream("users").pull(to=tmp_path, **given)
    assert targets(org) == []


@pytest.mark.parametrize("since", [date(2024, 6, 1), datetime(2024, 6, 1, tzinfo=UTC), "2024-06-01"])
def test_a_pull_takes_dates_and_times(start_org: StartOrg, tmp_path: Path, since: str | date) -> None:
    org = start_org(users=3)
    report = okta(org).stream("users").pull(to=tmp_path, since=since)
    assert report.window.since == datetime(2024, 6, 1, tzinfo=UTC)


def test_a_time_is_asked_for_to_its_nanosecond(start_org: StartOrg, tmp_path: Path) -> None:
    org = start_org(users=3)
    report = okta(org).stream("users").pull(to=tmp_path, since="2024-06-01T00:00:00.123456789Z")
    assert report.to_dict()["window"]["since"] == "2024-06-01T00:00:00.123456789Z"


@pytest.mark.parametrize("given", [{"api_token": 12345678}, {"api_token": b"12345678"}, [("api_token", "12345678")]])
def test_a_setting_that_is_no_text_is_reported_without_its_value(given: Any) -> None:  # noqa: ANN401 - what people give
    with pytest.raises(SettingsError, match=r"the setting `api_token` is|`settings` is a list") as caught:
        circulate_core.source("okta", settings=given)
    assert "12345678" not in str(caught.value)
    with pytest.raises(SettingsError) as caught:
        circulate_core.check("okta", settings=given)
    assert "12345678" not in str(caught.value)


def test_nothing_shows_a_secret(start_org: StartOrg) -> None:
    org = start_org(users=3)
    source = okta(org)
    users = source.stream("users")
    for shown in (source, users, users.sample(), users.records()):
        assert org.token not in repr(shown)


def test_a_reader_that_was_stopped_does_not_end_like_one_at_its_end(start_org: StartOrg) -> None:
    org = start_org(users=3_000, latency=0.05)
    reader = okta(org).stream("users")._reader(10)  # noqa: SLF001 - what iterators use
    assert reader.next() is not None
    reader.close()
    with pytest.raises(StoppedError):
        reader.next()
