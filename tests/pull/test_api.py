"""The Python functions, as a script or notebook uses them."""

import _thread
import pickle
import signal
import threading
import traceback
from pathlib import Path

import pytest
from support.cli import StartOrg
from support.commands import PATIENCE

import circulate_core
from circulate_core.exceptions import AuthError, CirculateError, DataError
from circulate_core.results import Snapshot
from circulate_practice import PracticeOrg


def settings(org: PracticeOrg) -> dict[str, str]:
    return {"org_url": org.url, "api_token": org.token}


def test_a_pull_returns_its_report_and_reports_its_progress(start_org: StartOrg, tmp_path: Path) -> None:
    org = start_org(users=700)
    seen: list[Snapshot] = []
    report = circulate_core.pull("okta.users", to=tmp_path, settings=settings(org), on_progress=seen.append)
    assert (report.status, report.records) == ("complete", 700)
    assert seen[-1].records == 700
    assert circulate_core.verify(tmp_path / str(report.manifest)).problems == ()
    assert circulate_core.runs(tmp_path / ".circulate/state.db")[0].run_id == report.run_id


def test_errors_say_what_kind_they_are_and_what_was_done(start_org: StartOrg, tmp_path: Path) -> None:
    org = start_org(users=700, faults=["html@3"])
    with pytest.raises(DataError) as caught:
        circulate_core.pull("okta.users", to=tmp_path, settings=settings(org))
    error = caught.value
    assert isinstance(error, ValueError)
    assert (error.operation, error.retryable) == ("read page", False)
    assert error.report is not None
    assert error.report.records == 400
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301 - our own bytes


def test_credentials_that_are_refused_raise_a_permission_error(start_org: StartOrg) -> None:
    org = start_org(users=1)
    with pytest.raises(AuthError) as caught:
        circulate_core.check("okta", settings=settings(org) | {"api_token": "wrong"})
    assert isinstance(caught.value, PermissionError)


def test_another_thread_stops_a_pull(start_org: StartOrg, tmp_path: Path) -> None:
    org = start_org(users=700, faults=["stall:60@3"])
    stop = circulate_core.Stop()

    def ask() -> None:
        org.wait_for_requests(3, timeout=PATIENCE)
        stop.request()

    with_stopper = threading.Thread(target=ask)
    with_stopper.start()
    report = circulate_core.pull("okta.users", to=tmp_path, settings=settings(org), stop=stop)
    with_stopper.join()
    assert (report.status, report.stopped_by, report.records) == ("partial", "interrupted", 400)


def test_ctrl_c_is_raised_after_a_checkpoint(start_org: StartOrg, tmp_path: Path) -> None:
    org = start_org(users=700, faults=["stall:60@3"])

    def interrupt() -> None:
        org.wait_for_requests(3, timeout=PATIENCE)
        _thread.interrupt_main()

    interrupter = threading.Thread(target=interrupt)
    interrupter.start()
    with pytest.raises(KeyboardInterrupt):
        circulate_core.pull("okta.users", to=tmp_path, settings=settings(org))
    interrupter.join()
    (run,) = circulate_core.runs(tmp_path / ".circulate/state.db")
    assert (run.status, run.ledger.totals.records) == ("open", 400)


def test_ctrl_c_in_a_finalizer_is_raised(start_org: StartOrg, tmp_path: Path) -> None:
    org = start_org(users=700, faults=["stall:60@3"])

    class Litter:
        def __del__(self) -> None:
            # What is raised here reaches nobody.
            signal.raise_signal(signal.SIGINT)

    def show(snapshot: Snapshot) -> None:
        if snapshot.pages == 2:
            Litter()

    with pytest.raises(KeyboardInterrupt):
        circulate_core.pull("okta.users", to=tmp_path, settings=settings(org), on_progress=show)
    (run,) = circulate_core.runs(tmp_path / ".circulate/state.db")
    assert (run.status, run.ledger.totals.records) == ("open", 400)


def test_a_second_ctrl_c_ends_a_pull_at_once(start_org: StartOrg, tmp_path: Path) -> None:
    org = start_org(users=700)

    def show(_: Snapshot) -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        circulate_core.pull("okta.users", to=tmp_path, settings=settings(org), on_progress=show)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_exception_of_the_progress_callback_stops_the_pull(start_org: StartOrg, tmp_path: Path) -> None:
    org = start_org(users=700, latency=0.2)

    def fail(_: Snapshot) -> None:
        message = "shown to the caller"
        raise RuntimeError(message)

    with pytest.raises(RuntimeError, match="shown to the caller"):
        circulate_core.pull("okta.users", to=tmp_path, settings=settings(org), on_progress=fail)
    (run,) = circulate_core.runs(tmp_path / ".circulate/state.db")
    assert run.ledger.stopped_by == "interrupted"


def test_other_threads_run_while_the_engine_works(start_org: StartOrg, tmp_path: Path) -> None:
    org = start_org(users=400, faults=["stall:60@2"])
    stop = circulate_core.Stop()

    def ask() -> None:
        org.wait_for_requests(2, timeout=PATIENCE)
        stop.request()

    # The org's own threads respond in this process: a held interpreter lock would deadlock this pull.
    threading.Thread(target=ask).start()
    assert circulate_core.pull("okta.users", to=tmp_path, settings=settings(org), stop=stop).records == 200


def test_definitions_are_listed(tmp_path: Path) -> None:
    definitions = {definition["endpoint"]["endpoint"]: definition for definition in circulate_core.streams()}
    assert definitions["application_users"]["endpoint"]["list"]["parent"]["endpoint"] == "applications"
    definition = definitions["users"]
    assert definition["source"]["settings"]["api_token"]["secret"] is True
    with pytest.raises(CirculateError, match="cannot read the catalog"):
        circulate_core.streams(catalog=[tmp_path / "missing"])


def test_a_traceback_shows_the_hint(tmp_path: Path) -> None:
    with pytest.raises(circulate_core.DefinitionError) as caught:
        circulate_core.pull("okta.user", to=tmp_path)
    assert caught.value.hint
    shown = "".join(traceback.format_exception_only(caught.value))
    assert shown.splitlines()[1:] == ["hint: did you mean `okta.users`? `circulate list` shows them all"]


def test_exceptions_and_results_are_exported() -> None:
    import circulate_core.exceptions as exceptions  # noqa: PLC0415, PLR0402
    from circulate_core import results  # noqa: PLC0415

    for module in (exceptions, results):
        classes = {name for name, value in vars(module).items() if isinstance(value, type)}
        public = {name for name in classes if getattr(module, name).__module__ == module.__name__}
        assert public - set(circulate_core.__all__) == set()
        assert all(getattr(circulate_core, name) is getattr(module, name) for name in public)
