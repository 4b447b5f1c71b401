"""Events of pulls as records of `logging`."""

import asyncio
import contextvars
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.cli import StartOrg
from support.places import Bucket

import circulate_core
from circulate_core import _core
from circulate_core.console import LIVE, showing_events
from circulate_practice import PracticeOrg

LOGGER = logging.getLogger("circulate_core")
OF_A_RUN = {"lease_acquired", "object_stored", "checkpoint_written", "run_committed"}
ALL = OF_A_RUN | {"request_retried", "throttled"}


def settings(org: PracticeOrg) -> dict[str, str]:
    return {"org_url": org.url, "api_token": org.token}


@contextmanager
def handling(emit: Callable[[logging.LogRecord], object]) -> Iterator[None]:
    """Let this see each record of the engine while the block lasts."""

    class Calling(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            emit(record)

    handler = Calling()
    LOGGER.addHandler(handler)
    try:
        yield
    finally:
        LOGGER.removeHandler(handler)


@pytest.fixture
def records(caplog: pytest.LogCaptureFixture) -> Iterator[list[Any]]:
    """Everything that the engine logs."""
    caplog.set_level(logging.DEBUG, logger="circulate_core")
    kept: list[Any] = []
    with handling(kept.append):
        yield kept


def test_every_event_has_its_run_and_its_stream(start_org: StartOrg, tmp_path: Path, records: list[Any]) -> None:
    # A quota with a short window, so that the wait after a 429 is short.
    org = start_org(users=700, faults=["429@2", "503@3*2"], window=1.0)
    report = circulate_core.pull("okta.users", to=tmp_path, settings=settings(org))
    assert {record.event for record in records} == ALL
    for record in records:
        about = (record.name, record.run_id, record.stream, record.account)
        assert about == ("circulate_core", report.run_id, "okta.users", report.account)
        assert record.getMessage().startswith("okta.users: ")
        assert (record.threadName, record.funcName) == ("MainThread", "pull")
    levels = {record.event: record.levelname for record in records}
    assert levels["request_retried"] == "WARNING"
    assert (levels["throttled"], levels["run_committed"], levels["object_stored"]) == ("INFO", "INFO", "DEBUG")
    assert [record.event for record in records].count("request_retried") == report.retries == 3
    assert [record.event for record in records].count("throttled") == report.throttled == 1
    committed = records[-1]
    assert (committed.event, committed.manifest, committed.records) == ("run_committed", report.manifest, 700)
    retried = next(record for record in records if record.event == "request_retried")
    assert (retried.attempts, retried.wait_seconds > 0) == (1, True)
    assert "after=***" in retried.url


def test_the_error_that_ends_retries_says_how_many_there_were(start_org: StartOrg, tmp_path: Path) -> None:
    org = start_org(users=400, faults=["503@2*6"])
    with pytest.raises(circulate_core.ApiError, match=r" \(6 attempts in \d+\.\d s\)$") as caught:
        circulate_core.pull("okta.users", to=tmp_path, settings=settings(org))
    assert caught.value.context["attempts"] == "6"
    assert float(caught.value.context["seconds"]) > 0


def test_each_of_two_threads_logs_what_its_own_pull_does(
    start_org: StartOrg, tmp_path: Path, records: list[Any]
) -> None:
    reports = {}

    def pull(name: str) -> None:
        org = start_org(users=400, faults=["503@2"], latency=0.05)
        reports[name] = circulate_core.pull("okta.users", to=tmp_path / name, settings=settings(org))

    threads = [threading.Thread(target=pull, args=[name], name=name) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name, report in reports.items():
        own = [record for record in records if record.threadName == name]
        assert {record.run_id for record in own} == {report.run_id}
        assert {record.event for record in own} == OF_A_RUN | {"request_retried"}


def test_an_awaited_pull_logs_in_the_context_of_its_task(
    start_org: StartOrg, tmp_path: Path, records: list[Any]
) -> None:
    whose, seen = contextvars.ContextVar("whose", default="nobody's"), set()

    async def pull(name: str) -> str | None:
        whose.set(name)
        org = start_org(users=400, faults=["503@2"])
        return (await circulate_core.pull_async("okta.users", to=tmp_path / name, settings=settings(org))).run_id

    async def both() -> dict[str, str | None]:
        return dict(zip(("one", "two"), await asyncio.gather(pull("one"), pull("two")), strict=True))

    def look(record: Any) -> None:  # noqa: ANN401 - has attributes of its event
        seen.add((whose.get(), record.run_id))

    with handling(look):
        runs = asyncio.run(both())
    assert seen == set(runs.items())
    assert {record.event for record in records} == OF_A_RUN | {"request_retried"}


@pytest.mark.usefixtures("records")
def test_a_handler_that_raises_keeps_the_pull_from_nothing(
    start_org: StartOrg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Any] = []
    seen: list[str] = []
    monkeypatch.setattr(sys, "unraisablehook", shown.append)

    def fail(record: Any) -> None:  # noqa: ANN401 - has attributes of its event
        seen.append(record.event)
        raise RuntimeError(record.event)

    with handling(fail):
        org = start_org(users=400)
        report = circulate_core.pull("okta.users", to=tmp_path, settings=settings(org))
        awaited = asyncio.run(circulate_core.pull_async("okta.users", to=tmp_path, settings=settings(org)))
    assert (report.status, awaited.status) == ("complete", "complete")
    assert [str(each.exc_value) for each in shown] == seen
    assert (set(seen), seen.count("run_committed")) == (OF_A_RUN, 2)


def test_a_handler_may_use_the_package(start_org: StartOrg, tmp_path: Path, records: list[Any]) -> None:
    org, other = start_org(users=400), start_org(users=30)
    pulled: list[circulate_core.Report] = []

    def use(record: Any) -> None:  # noqa: ANN401 - has attributes of its event
        assert "okta.users" in circulate_core.catalogs.stream_names()
        if record.event == "checkpoint_written" and record.records == 400:
            pulled.append(circulate_core.pull("okta.users", to=tmp_path / "other", settings=settings(other)))

    with handling(use):
        report = circulate_core.pull("okta.users", to=tmp_path / "lake", settings=settings(org))
        asyncio.run(circulate_core.pull_async("okta.users", to=tmp_path / "awaited", settings=settings(org)))
    assert [(each.status, each.records) for each in pulled] == [("complete", 30), ("complete", 0)]
    assert {report.run_id, pulled[0].run_id} < {record.run_id for record in records}


def test_ctrl_c_in_a_handler_is_raised_and_the_rest_is_logged(
    start_org: StartOrg, tmp_path: Path, records: list[Any]
) -> None:
    org = start_org(users=700, faults=["stall:60@3"])

    def interrupt(record: Any) -> None:  # noqa: ANN401 - has attributes of its event
        if record.event == "lease_acquired":
            org.wait_for_requests(3, timeout=60)
            signal.raise_signal(signal.SIGINT)

    with handling(interrupt), pytest.raises(KeyboardInterrupt):
        circulate_core.pull("okta.users", to=tmp_path, settings=settings(org))
    assert [record.event for record in records] == ["lease_acquired", "object_stored", "checkpoint_written"]


def pull_in_child(org_url: str, token: str, folder: str) -> None:
    seen: list[Any] = []
    LOGGER.setLevel(logging.DEBUG)
    with handling(seen.append):
        report = circulate_core.pull("okta.users", to=folder, settings={"org_url": org_url, "api_token": token})
    own = {(record.event, record.run_id) for record in seen} == {(event, report.run_id) for event in OF_A_RUN}
    os._exit(0 if own else 1)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_logs_its_own_pulls(start_org: StartOrg, tmp_path: Path, records: list[Any]) -> None:
    org = start_org(users=30)
    circulate_core.pull("okta.users", to=tmp_path / "parent", settings=settings(org))
    before = len(records)
    child = multiprocessing.get_context("fork").Process(
        target=pull_in_child, args=[org.url, org.token, str(tmp_path / "child")]
    )
    child.start()
    child.join(60)
    child.kill()
    assert (child.exitcode, len(records)) == (0, before)


def test_reading_logs_retries_and_nothing_that_it_does_not_keep(start_org: StartOrg, records: list[Any]) -> None:
    org = start_org(users=700, faults=["503@2*2"])
    users = circulate_core.source("okta", settings=settings(org)).stream("users")
    assert len(list(users.records())) == 700
    assert [record.event for record in records] == ["request_retried", "request_retried"]
    assert {record.stream for record in records} == {"okta.users"}
    assert records[0].run_id is None

    async def read() -> int:
        return len([batch async for batch in users])

    records.clear()
    org = start_org(users=700, faults=["503@1"])
    users = circulate_core.source("okta", settings=settings(org)).stream("users")
    assert asyncio.run(read()) > 0
    assert [record.event for record in records] == ["request_retried"]


def test_a_pending_run_is_committed_by_its_promotion_or_by_a_person(
    start_org: StartOrg, tmp_path: Path, records: list[Any]
) -> None:
    org = start_org(users=30)
    lake, state = tmp_path / "lake", str(tmp_path / "lake/.circulate/state.db")

    def pull() -> circulate_core.Report:
        report = circulate_core.pull("okta.users", to=lake, settings=settings(org), mode="full", pending=600)
        assert [record.event for record in records] == ["lease_acquired", "object_stored", "checkpoint_written"]
        records.clear()
        return report

    report = pull()
    circulate_core.promote(lake / str(report.manifest), to=tmp_path / "data")
    assert [record.event for record in records] == ["object_stored", "run_committed"]
    assert {(record.run_id, record.stream) for record in records} == {(report.run_id, "okta.users")}
    records.clear()
    circulate_core.promote(lake / str(report.manifest), to=tmp_path / "data")
    assert records == []
    report = pull()
    for _ in range(2):
        _core.state_decide(state, f"okta#{report.account}#users", str(report.run_id), commit=True, force=False)
    (committed,) = records
    about = (committed.event, committed.run_id, committed.stream, committed.records, committed.manifest)
    assert about == ("run_committed", report.run_id, "okta.users", 30, report.manifest)


def test_what_libraries_below_say_is_not_logged(
    start_org: StartOrg, aws: str, tmp_path: Path, records: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    org = start_org(users=30)
    place = Bucket.new(aws, tmp_path, "raw")
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    _core.state_init(place.state[1])
    circulate_core.pull("okta.users", to=place.uri, state=place.state[1], settings=settings(org))
    assert {record.event for record in records if record.name == "circulate_core"} == OF_A_RUN


def test_what_a_slow_handler_does_not_take_is_counted(start_org: StartOrg, tmp_path: Path, records: list[Any]) -> None:
    org = start_org(users=1_600)

    def keep_waiting(record: Any) -> None:  # noqa: ANN401 - has attributes of its event
        while record.event == "lease_acquired" and not list(tmp_path.glob("_circulate/**/*Z-*.json")):
            time.sleep(0.01)

    with handling(keep_waiting):
        report = circulate_core.pull("okta.users", to=tmp_path, settings=settings(org), batch_records=1)
    assert report.objects == 1_600
    (dropped,) = [record for record in records if record.event == "events_dropped"]
    assert (dropped.run_id, dropped.stream) == (report.run_id, "okta.users")
    assert (dropped.levelname, records[-1].event) == ("WARNING", "run_committed")
    stored = [record.event for record in records].count("object_stored")
    checkpoints = [record.event for record in records].count("checkpoint_written")
    assert stored < 1_600
    assert dropped.count + len(records) - 1 >= 1_600 + checkpoints


NOBODY_LISTENS = """
import sys
import circulate_core
report = circulate_core.pull("okta.users", to=sys.argv[1], settings={"org_url": sys.argv[2], "api_token": sys.argv[3]})
assert "logging" not in sys.modules
import logging
circulate_core.pull("okta.users", to=sys.argv[1], settings={"org_url": sys.argv[2], "api_token": sys.argv[3]})
print(report.retries)
"""


def test_where_nobody_listens_nothing_is_imported_or_written(start_org: StartOrg, tmp_path: Path) -> None:
    org = start_org(users=30, faults=["503@1*2"])
    command = [sys.executable, "-W", "error", "-c", NOBODY_LISTENS, str(tmp_path), org.url, org.token]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "2\n")


def test_a_command_line_shows_events_above_its_live_line(
    start_org: StartOrg, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    org = start_org(users=30, faults=["503@1"])
    before = list(LOGGER.handlers), LOGGER.level
    monkeypatch.setattr(LIVE, "has_notes", True)
    LIVE.show("30 records")
    with showing_events(1):
        report = circulate_core.pull("okta.users", to=tmp_path, settings=settings(org))
    assert (list(LOGGER.handlers), LOGGER.level) == before
    first, *lines = capsys.readouterr().err.split("\n")
    assert first == (
        "\r\033[2K30 records\r\033[2K  okta.users: holds the lease of the run (incremental, worker 1 of it)"
    )
    assert lines == [
        "  okta.users: checkpoint at 1 page, 30 records, 1 object",
        f"  okta.users: the run is committed: {report.records} records in 1 object",
        "",
    ]
