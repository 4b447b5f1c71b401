"""The public API as a type checker sees it. Nothing here runs: `test_types.py` has mypy read it.

What `assert_type` names must be exactly so. What has `type: ignore` must be refused with just that code: a call that is
no longer refused leaves its comment unused, which is an error, too.
"""

# ruff: noqa: B015, B018 - expressions whose type is all that matters

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, assert_type

import circulate_core
from circulate_core import Batch, Lake, Report, Snapshot, Stop, Stream
from circulate_core.authoring import StubApi
from circulate_core.reading import Records
from circulate_core.results import EndKind, Mode, RunStatus, Status
from circulate_core.tables import Schema
from circulate_core.testing import promises
from circulate_core.types import Definition


def names() -> None:
    assert_type(circulate_core.__version__, str)
    assert_type(circulate_core.streams(), list[Definition])
    assert_type(circulate_core.check("okta"), circulate_core.Checked)
    assert_type(circulate_core.token(), circulate_core.Token)
    assert_type(circulate_core.source("okta"), circulate_core.Source)
    assert_type(circulate_core.runs("lake"), circulate_core.Runs)
    lake = circulate_core.lake("lake", state="dynamodb://circulate")
    assert_type(lake, Lake)
    assert_type(lake.tables(), circulate_core.LakeStreams)
    assert_type(lake.tables()[0], circulate_core.LakeStream)
    assert_type(lake.tables()[0].uncounted, tuple[circulate_core.Uncounted, ...])
    assert_type(circulate_core.coverage(lake), circulate_core.Coverages)
    assert_type(circulate_core.coverage(lake)[0], circulate_core.Coverage)
    assert_type(lake["okta.users"].at("7d"), circulate_core.LakeTable)
    assert_type(lake.table("okta.users", columns=["id"]).changes(date(2026, 11, 30)).report, circulate_core.LakeReport)
    assert_type(circulate_core.coverage(lake, "okta.system_log")[0].gaps, tuple[circulate_core.Span, ...])
    assert_type(circulate_core.backfill("okta.system_log", to=lake), list[Report])
    lake.sql("SELECT 1", at=7)  # type: ignore[arg-type]
    assert_type(circulate_core.state(Path("lake")), list[circulate_core.StreamState])
    assert_type(circulate_core.manifest("lake/_circulate/1.json"), circulate_core.Manifest)
    assert_type(circulate_core.verify("lake/_circulate/1.json"), circulate_core.Verified)
    assert_type(circulate_core.gc(Lake("lake"), older_than="7d", dry_run=True), circulate_core.Collected)
    assert_type(circulate_core.promote("lake/_circulate/1.json", to="readers"), circulate_core.Promoted)
    assert_type(circulate_core.register("m", to="s3://data/tables", database="lake"), circulate_core.Registered)
    assert_type(circulate_core.propose("https://api.acme.example/v1/things").requests, int)
    assert_type(circulate_core.call("okta.users.get", {"id": "00u1"}), Any)
    plan = circulate_core.plan("okta.users.suspend", [{"id": "00u1"}], max_calls=1, ledger=Path("ledger.db"))
    assert_type(plan, circulate_core.Plan)
    assert_type(circulate_core.apply(plan, yes=True, lease="1m"), circulate_core.Applied)
    assert_type(circulate_core.apply(plan.name, approved_by="boss").entries, tuple[circulate_core.LedgerEntry, ...])
    assert_type(circulate_core.approve(plan, good_for="1h"), circulate_core.Approval)
    assert_type(circulate_core.undo(plan), circulate_core.Plan)
    assert_type(circulate_core.ledger("okta", limit=5), list[circulate_core.LedgerEntry])
    contain = circulate_core.playbook("contain_account", ledger=Path("ledger.db"), account="acme")
    assert_type(contain, circulate_core.Playbook)
    run = contain.run({"login": "ann@acme.example"}, yes=True, lease="1m", on_step=print)
    assert_type(run, circulate_core.PlaybookRun)
    assert_type(run.steps, tuple[circulate_core.PlaybookStep, ...])
    assert_type(contain.undo(run.run), circulate_core.PlaybookRun)
    assert_type(contain.compile(undo=True), str)
    contain.run(login="ann@acme.example")  # type: ignore[call-arg]
    okta = circulate_core.source("okta", ledger="dynamodb://operations")
    assert_type(okta.apply(plan, yes=True), circulate_core.Applied)
    assert_type(okta.undo(plan.name), circulate_core.Plan)
    assert_type(okta.ledger(limit=5), list[circulate_core.LedgerEntry])
    circulate_core.apply(plan, yes="yes")  # type: ignore[arg-type]
    circulate_core.call("okta.users.get", id="00u1")  # type: ignore[call-arg]
    circulate_core.pulll  # type: ignore[attr-defined]
    circulate_core.Reprot  # type: ignore[attr-defined]


def definitions() -> None:
    acme = circulate_core.source(
        {"source": "acme", "base_url": "https://api.acme.example"},
        settings={"token": "t0ken", "tenant": {"env": "ACME_TENANT", "about": "A tenant"}},
    )
    paginator = {"token": {"from": [{"header": "X-Next"}], "to": {"body": "/after"}}}
    assert_type(acme.stream("items", path="/items", records={"map": "/items"}, paginator=paginator), Stream)
    assert_type(acme.save(Path("definitions"), overwrite=True), list[Path])
    acme.save(5)  # type: ignore[arg-type]
    acme.save("definitions", replace=True)  # type: ignore[call-arg]


def classes() -> tuple[type, ...]:
    return (
        *(circulate_core.Attempt, circulate_core.Batch, circulate_core.Checked, circulate_core.CheckedList),
        *(circulate_core.Collected, circulate_core.Completion, circulate_core.Cursor, circulate_core.Drift),
        *(circulate_core.Deletes, circulate_core.Withheld),
        *(circulate_core.Drifted, circulate_core.Drifts, circulate_core.Ends, circulate_core.Holder),
        *(circulate_core.Lake, circulate_core.Ledger, circulate_core.Manifest, circulate_core.NamedEnd),
        *(
            circulate_core.ObjectEntry,
            circulate_core.Operation,
            circulate_core.PartReference,
            circulate_core.PartitionCounts,
        ),
        *(circulate_core.Promoted, circulate_core.Quota, circulate_core.Registered, circulate_core.Report),
        circulate_core.Run,
        *(circulate_core.Runs, circulate_core.Snapshot, circulate_core.Source, circulate_core.Stop),
        *(circulate_core.Stream, circulate_core.StreamState, circulate_core.Token, circulate_core.Totals),
        *(circulate_core.Traffic, circulate_core.Verified, circulate_core.Wait, circulate_core.Window),
    )


def errors() -> tuple[type[circulate_core.CirculateError], ...]:
    return (
        *(circulate_core.ApiError, circulate_core.ApprovalError, circulate_core.AuthError),
        *(circulate_core.BusyError, circulate_core.DataError),
        *(
            circulate_core.DefinitionError,
            circulate_core.HookError,
            circulate_core.LimitError,
            circulate_core.MismatchError,
        ),
        *(
            circulate_core.NetworkError,
            circulate_core.PlanError,
            circulate_core.RateLimitError,
            circulate_core.RefusedError,
        ),
        *(circulate_core.SettingsError, circulate_core.StateError, circulate_core.StoppedError),
        circulate_core.StorageError,
    )


def what_errors_are(
    setting: circulate_core.SettingsError, network: circulate_core.NetworkError, storage: circulate_core.StorageError
) -> None:
    _: tuple[ValueError, ConnectionError, OSError] = (setting, network, storage)
    warning: type[UserWarning] = circulate_core.IncompleteWarning
    earlier: type[DeprecationWarning] = circulate_core.EarlierKeyWarning
    del warning, earlier
    assert_type(setting.hint, str | None)
    assert_type(setting.retryable, bool)
    assert_type(setting.context, dict[str, str])
    assert_type(setting.report, Report | None)


def reports(report: Report) -> None:
    assert_type(report.status, Status)
    assert_type(report.status, Literal["complete", "partial", "busy", "failed"])
    assert_type(report.mode, Mode)
    assert_type(report.records, int)
    assert_type(report.seconds_waited, float)
    assert_type(report.run_id, str | None)
    assert_type(report.window.since, datetime | None)
    assert_type(report.next_since, datetime | None)
    assert_type(report.resume_after, datetime | None)
    assert_type(report.gaps, tuple[str, ...])
    assert_type(report.warnings, tuple[str, ...])
    assert_type(report.partitions, circulate_core.PartitionCounts | None)
    assert_type(report.held_by, circulate_core.Holder | None)
    assert_type(report.drift, circulate_core.Drifted | None)
    assert_type(report.deletes, circulate_core.Deletes | None)
    assert_type(report.attempt, circulate_core.Attempt | None)
    assert_type(report.ends.counts, dict[EndKind, int])
    assert_type(report.ends.lists[0], circulate_core.NamedEnd)
    assert_type(report.to_dict(), dict[str, Any])
    assert_type(Report.from_dict({}), Report)
    report.records = 3  # type: ignore[misc]
    report.nothing  # type: ignore[attr-defined]
    report.status == "done"  # type: ignore[comparison-overlap]
    report.next_since < "2026"  # type: ignore[operator]


def other_results(
    run: circulate_core.Run, stream: circulate_core.StreamState, manifest: circulate_core.Manifest
) -> None:
    assert_type(run.status, RunStatus)
    assert_type(run.started_at, datetime)
    assert_type(run.ended_at, datetime | None)
    assert_type(run.ledger.totals.records, int)
    assert_type(circulate_core.runs("lake")[0], circulate_core.Run)
    assert_type(stream.cursor, circulate_core.Cursor | None)
    assert_type(stream.last_complete, circulate_core.Run | None)
    assert_type(manifest.paths, list[str])
    assert_type(manifest.objects, tuple[circulate_core.ObjectEntry, ...])
    assert_type(circulate_core.verify("m").problems, tuple[str, ...])
    assert_type(circulate_core.gc("lake").removed_keys, tuple[str, ...])
    assert_type(circulate_core.promote("m", to="t").status, Literal["complete", "partial"])
    assert_type(circulate_core.check("okta").quota, circulate_core.Quota | None)
    assert_type(circulate_core.check("okta").lists, tuple[circulate_core.CheckedList, ...])
    assert_type(circulate_core.token().expires_at, datetime)


def pulls(stop: Stop) -> None:
    assert_type(circulate_core.pull("okta.users", to="lake"), Report)
    circulate_core.pull("okta.users", to=Path("lake"), since="7d", until=date(2026, 1, 31))
    circulate_core.pull("okta.users", to=Lake("s3://acme/raw", state="dynamodb://t", s3={"sse": "aws:kms"}))
    circulate_core.pull("okta.users", to="lake", since=datetime(2026, 1, 1), deadline=timedelta(minutes=10))  # noqa: DTZ001
    circulate_core.pull("okta.users", to="lake", deadline="10m", lease=60, max_wait=0.5, pending="1h")
    circulate_core.pull("okta.users", to="lake", memory="64MB", batch_bytes=3_000_000, max_record_bytes="1MiB")
    circulate_core.pull("okta.users", to="lake", format="parquet", compression="zstd", nested="flatten", raw=True)
    circulate_core.pull("okta.users", to="lake", settings={"org_url": "u"}, profile=None, stop=stop)
    circulate_core.pull("okta.users", to="lake", catalog=["defs", {"source": "acme", "endpoints": {}}])


def wrong_pulls() -> None:
    circulate_core.pull("okta.users")  # type: ignore[call-arg]
    circulate_core.pull(to="lake")  # type: ignore[call-arg]
    circulate_core.pull("okta.users", "lake")  # type: ignore[call-arg]
    circulate_core.pull("okta.users", to="lake", fromat="json")  # type: ignore[call-arg]
    circulate_core.pull("okta.users", to="lake", since=5)  # type: ignore[arg-type]
    circulate_core.pull("okta.users", to="lake", since=timedelta(days=7))  # type: ignore[arg-type]
    circulate_core.pull("okta.users", to="lake", deadline=None, lease=None)  # type: ignore[arg-type]
    circulate_core.pull("okta.users", to="lake", memory=6.4e7)  # type: ignore[arg-type]
    circulate_core.pull("okta.users", to="lake", batch_records="many")  # type: ignore[arg-type]
    circulate_core.pull("okta.users", to="lake", format="jsn")  # type: ignore[arg-type]
    circulate_core.pull("okta.users", to="lake", mode="window")  # type: ignore[arg-type]
    circulate_core.pull("okta.users", to="lake", contract="strict")  # type: ignore[arg-type]
    circulate_core.pull("okta.users", to="lake", s3={"sse": "AES"})  # type: ignore[arg-type]
    circulate_core.pull("okta.users", to="lake", s3={"kms": "key"})  # type: ignore[arg-type]
    circulate_core.pull("okta.users", to="lake", catalog=5)  # type: ignore[arg-type]
    circulate_core.pull("okta.users", to=None)  # type: ignore[arg-type]
    Lake("lake", region="us-east-1")  # type: ignore[call-arg]


async def pulls_to_await() -> None:
    assert_type(await circulate_core.pull_async("okta.users", to="lake", since="7d", memory="64MB"), Report)
    report: Report = circulate_core.pull_async("okta.users", to="lake")  # type: ignore[assignment]
    del report
    await circulate_core.pull_async("okta.users")  # type: ignore[call-arg]
    await circulate_core.pull_async("okta.users", to="lake", fromat="json")  # type: ignore[call-arg]
    await circulate_core.pull_async("okta.users", to="lake", format="jsn")  # type: ignore[arg-type]
    await circulate_core.pull_async("okta.users", to="lake", since=5)  # type: ignore[arg-type]


def streams(okta: circulate_core.Source) -> None:
    users = okta.stream("users", since="7d")
    assert_type(okta.streams, list[str])
    assert_type(users, Stream)
    assert_type(users.name, str)
    assert_type(users.report, Report | None)
    assert_type(users.drift, circulate_core.Drifts)
    assert_type(users.sample(3), Batch)
    assert_type(users.schema(), Schema)
    assert_type(users.records(), Records)
    assert_type(users.pull(to="lake", deadline=timedelta(minutes=1), progress=False), Report)
    users.pull()  # type: ignore[call-arg]
    users.pull(to="lake", memory=[])  # type: ignore[arg-type]
    users.pull(to="lake", fromat="json")  # type: ignore[call-arg]
    users.pull("lake")  # type: ignore[call-arg, arg-type]
    okta.stream("users", nested="flat")  # type: ignore[arg-type]


def batches(users: Stream) -> None:
    assert_type(users.batches(records=100), Iterator[Batch])
    for batch in users:
        assert_type(batch, Batch)
        assert_type(len(batch), int)
        assert_type(batch[0], dict[str, Any])
        assert_type(batch[:2], list[dict[str, Any]])
        assert_type(batch.records(), list[dict[str, Any]])
        for record in batch:
            assert_type(record, dict[str, Any])
    for record in users.records():
        assert_type(record, dict[str, Any])
    users.batches(records="many")  # type: ignore[arg-type]


async def batches_to_await(users: Stream) -> None:
    batches: AsyncIterator[Batch] = users.batches_async()
    del batches
    async for batch in users:
        assert_type(batch, Batch)
    async for record in users.records():
        assert_type(record, dict[str, Any])
    assert_type(await users.pull_async(to="lake"), Report)
    await users.pull_async()  # type: ignore[call-arg]


def callbacks(users: Stream, collected: list[Snapshot], wrong: Callable[[str], None]) -> None:
    def show(snapshot: Snapshot) -> None:
        assert_type(snapshot.records, int)
        assert_type(snapshot.notes, tuple[str, ...])
        assert_type(snapshot.waiting, circulate_core.Wait | None)
        assert_type(snapshot.completion, circulate_core.Completion | None)

    circulate_core.pull("okta.users", to="lake", on_progress=show)
    circulate_core.pull("okta.users", to="lake", on_progress=collected.append)
    circulate_core.pull("okta.users", to="lake", on_progress=lambda snapshot: assert_type(snapshot, Snapshot))
    circulate_core.promote("m", to="t", on_progress=show)
    users.pull(to="lake", on_progress=show)
    users.batches(on_progress=show)
    circulate_core.pull("okta.users", to="lake", on_progress=wrong)  # type: ignore[arg-type]
    circulate_core.pull("okta.users", to="lake", on_progress=lambda: None)  # type: ignore[misc, arg-type]
    users.pull(to="lake", on_progress=wrong)  # type: ignore[arg-type]


def stubs(tmp_path: Path) -> None:
    api = StubApi(path="/v1/widgets", auth={"bearer": "token"}, list={"paginator": "none"})
    assert_type(promises("acme.widgets", stub=api, but=["killed"]), Callable[..., None])
    pulled = api.pull("acme.widgets", catalog=[tmp_path], to=tmp_path)
    assert_type(pulled.status, Status)
    assert_type(pulled.records, list[Any])
    assert_type(api.settings, dict[str, str])
    api.pull("acme.widgets", to=tmp_path)  # type: ignore[call-arg]
