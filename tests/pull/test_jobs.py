"""Lists that a job makes: submitted, waited for over many invocations, read in parts, cancelled."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from support.changing import StopAt
from support.cli import Cli
from support.exports import Exporter, definition
from support.http_server import Reply, Server
from support.nested import write
from support.paging_pulls import written

import circulate_core
from circulate_core import CirculateError
from circulate_core.results import Report, Snapshot


class Lake:
    """Pulls of one export into one folder."""

    def __init__(self, exporter: Exporter, url: str, folder: Path, **changed: object) -> None:
        """Get ready."""
        self.exporter, self.url, self.folder, self.definition = exporter, url, folder, definition(**changed)

    def pull(self, **options: Any) -> Report:  # noqa: ANN401 - of `pull`
        """Pull once."""
        return circulate_core.pull(
            "exporter.assets",
            to=self.folder,
            settings={"base_url": self.url},
            account="practice",
            catalog=[self.definition],  # type: ignore[list-item]
            **options,
        )


LakeOf = Callable[..., Lake]


@pytest.fixture
def lake_of(tmp_path: Path) -> Iterator[LakeOf]:
    """Return what serves an API until the test ends, and pulls from it."""
    with ExitStack() as servers:

        def lake(exporter: Exporter, **changed: object) -> Lake:
            return Lake(exporter, servers.enter_context(Server(exporter.respond)).url, tmp_path, **changed)

        yield lake


def ids(lake: Lake, report: Report) -> list[int]:
    """Return the ids of what was delivered."""
    return sorted(record["id"] for record in written(lake.folder, report))


def test_a_job_is_submitted_waited_for_and_read_in_parts(lake_of: LakeOf) -> None:
    lake = lake_of(Exporter())
    report = lake.pull()
    assert (report.status, ids(lake, report)) == ("complete", list(range(7)))
    assert report.ends.counts == {"job": 3}
    assert report.warnings == ()
    assert lake.exporter.submitted == [{"kind": "assets", "filters": {}}]
    assert lake.exporter.requests[:4] == ["POST /exports", *["GET /exports/job-1/status"] * 3]
    again = lake.pull()
    assert again.records == 7
    assert len(lake.exporter.jobs) == 2


def test_an_export_of_nothing_is_complete(lake_of: LakeOf) -> None:
    lake = lake_of(Exporter(records=0))
    report = lake.pull()
    assert (report.status, report.records) == ("complete", 0)


@pytest.mark.parametrize("request_number", [1, 2, 4, 5, 6])
def test_a_job_is_gone_on_with_wherever_a_run_was_stopped(request_number: int, lake_of: LakeOf) -> None:
    lake = lake_of(Exporter(polls=3))
    at = StopAt(request_number)
    lake.exporter.on_request = lambda _: at(0)
    first = lake.pull(stop=at.stop)
    at.ended.set()
    lake.exporter.on_request = lambda _: None
    assert first.status == "partial"
    report = lake.pull()
    assert (report.status, ids(lake, report), report.resumed) == ("complete", list(range(7)), True)
    assert len(lake.exporter.jobs) == 1, "it is submitted once"


def test_an_export_that_never_ends_is_waited_for_until_the_deadline_and_goes_on_then(lake_of: LakeOf) -> None:
    lake = lake_of(Exporter(polls=10**9), job_every="1h")
    report = lake.pull(deadline="10m")
    assert report.status == "partial"
    assert report.stopped_by is not None
    assert "job `job-1` is not done yet: its state is `PROCESSING`" in report.stopped_by
    assert lake.pull(deadline="10m").status == "partial"
    assert (len(lake.exporter.jobs), lake.exporter.cancelled) == (1, [])
    lake.exporter.polls = 0
    assert lake.pull().records == 7


def test_an_export_that_takes_too_long_is_cancelled(lake_of: LakeOf) -> None:
    lake = lake_of(Exporter(polls=10**9), job_timeout="0s")
    with pytest.raises(CirculateError, match="job `job-1` did not end within 0s: its state is `PROCESSING`"):
        lake.pull()
    assert lake.exporter.cancelled == ["job-1"]
    lake.exporter.polls = 0
    assert lake.pull().records == 7
    assert len(lake.exporter.jobs) == 2, "the next start submits another one"


@pytest.mark.parametrize("state", ["ERROR", "CANCELLED"])
def test_a_job_that_fails_fails_the_run_and_the_next_start_submits_another(state: str, lake_of: LakeOf) -> None:
    lake = lake_of(Exporter(ends_as=state))
    with pytest.raises(CirculateError, match=f"job `job-1` ended without a list: its state is `{state}`"):
        lake.pull()
    lake.exporter.ends_as = "FINISHED"
    assert lake.pull().records == 7
    assert len(lake.exporter.jobs) == 2


@pytest.mark.parametrize("request_number", [2, 5])
def test_a_job_that_the_api_has_forgotten_is_submitted_again(request_number: int, lake_of: LakeOf) -> None:
    lake = lake_of(Exporter(polls=1))
    at = StopAt(request_number)
    lake.exporter.on_request = lambda _: at(0)
    assert lake.pull(stop=at.stop).status == "partial"
    at.ended.set()
    lake.exporter.on_request = lambda _: None
    lake.exporter.forgotten = {"job-1"}
    report = lake.pull()
    assert (report.status, ids(lake, report)) == ("complete", list(range(7)))
    assert len(lake.exporter.jobs) == 2


def test_a_job_that_is_forgotten_at_once_is_an_error_and_not_submitted_for_ever(lake_of: LakeOf) -> None:
    lake = lake_of(Exporter())
    lake.exporter.forgotten = {f"job-{number}" for number in range(1, 9)}
    with pytest.raises(CirculateError):
        lake.pull()
    assert len(lake.exporter.jobs) == 1


def test_a_part_that_is_not_there_fails_the_run_and_the_next_one_reads_the_rest(lake_of: LakeOf) -> None:
    lake = lake_of(Exporter(polls=0))
    broken = Reply({"error": "boom"}, status=400)
    lake.exporter.on_request = lambda request: broken if request.endswith("/chunks/2") else None
    with pytest.raises(CirculateError):
        lake.pull()
    lake.exporter.on_request = lambda _: None
    report = lake.pull()
    assert (report.status, ids(lake, report)) == ("complete", list(range(7)))


def test_a_status_is_asked_for_when_the_api_says(lake_of: LakeOf) -> None:
    lake = lake_of(Exporter(polls=0), job_every="1h")
    replies = [Reply({"status": "QUEUED"}, [("Retry-After", "0")]) for _ in range(2)]
    lake.exporter.on_request = lambda request: replies.pop() if request.endswith("status") and replies else None
    assert lake.pull(deadline="10m").status == "complete"
    assert replies == []


def test_a_job_is_cancelled_in_time_whenever_the_api_wants_to_be_asked_again(lake_of: LakeOf) -> None:
    lake = lake_of(Exporter(), job_timeout="50ms")
    running = Reply({"status": "QUEUED"}, [("Retry-After", "86400")])
    lake.exporter.on_request = lambda request: running if request.endswith("status") else None
    with pytest.raises(CirculateError, match="did not end within 50ms"):
        lake.pull(deadline="10m")
    assert lake.exporter.cancelled == ["job-1"]


@pytest.mark.parametrize(
    ("then", "verdict"), [("unavailable", "complete"), ("gone", "complete"), ("gap", "partial"), ("fail", None)]
)
def test_rules_of_the_list_say_what_a_refused_job_means(then: str, verdict: str | None, lake_of: LakeOf) -> None:
    lake = lake_of(Exporter(), errors=[{"when": {"status": 422, "body": {"/code": 7}}, "then": then}])
    refused = Reply({"code": 7}, status=422)
    lake.exporter.on_request = lambda request: refused if request == "POST /exports" else None
    if verdict is None:
        with pytest.raises(CirculateError, match="422"):
            lake.pull()
        return
    report = lake.pull()
    assert (report.status, report.records) == (verdict, 0)
    assert lake.exporter.requests == ["POST /exports"]


def test_rules_of_the_list_say_what_a_status_means(lake_of: LakeOf) -> None:
    lake = lake_of(
        Exporter(polls=1),
        errors=[
            {"when": {"status": 200, "body": {"/error": "expired"}}, "then": "restart"},
            {"when": {"status": 200, "body": {"/error": {"empty": False}}}, "then": "fail"},
        ],
    )
    at = StopAt(2)
    lake.exporter.on_request = lambda _: at(0)
    assert lake.pull(stop=at.stop).status == "partial"
    at.ended.set()
    said = {"status": "PROCESSING", "error": "no more quota"}
    lake.exporter.on_request = lambda request: Reply(said) if request.endswith("job-1/status") else None
    with pytest.raises(CirculateError):
        lake.pull(deadline="10m")
    said["error"] = "expired"
    assert lake.pull(deadline="10m").records == 7
    assert len(lake.exporter.jobs) == 2, "the API no longer knows the first one"


def test_a_state_by_the_status_code_at_an_address_that_the_api_names(lake_of: LakeOf) -> None:
    lake = lake_of(
        Exporter(),
        job_status=None,
        job_status_url={"header": "Location"},
        job_state=None,
        job_submit={"path": "/exports", "query": {"mode": "async"}, "body": {"json": None}},
    )
    report = lake.pull()
    assert (report.status, report.records) == ("complete", 7)
    assert lake.exporter.requests.count("GET /exports/job-1/status?format=json") == 3


def test_parts_at_addresses_that_the_status_names(lake_of: LakeOf) -> None:
    lake = lake_of(Exporter(), path=None, job_parts={"urls": "/files/*/url"})
    lake.exporter.addresses = lambda _, number: f"/files/{number}?token=a%2Bb"
    report = lake.pull()
    assert (report.status, ids(lake, report)) == ("complete", list(range(7)))
    parts = [path.read_text() for path in lake.folder.rglob("0-0001-*.json")]
    assert parts
    assert not any("a%2Bb" in part for part in parts), "what names a part in the manifest is no address"


@pytest.mark.parametrize("address", ["https://evil.example/files/1", None, 7, "http://["])
def test_parts_elsewhere_or_nowhere_are_not_requested(address: object, lake_of: LakeOf) -> None:
    lake = lake_of(Exporter(), path=None, job_parts={"urls": "/files/*/url"})
    lake.exporter.addresses = lambda *_: address
    with pytest.raises(CirculateError):
        lake.pull()
    assert not any("/files/" in request for request in lake.exporter.requests)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"status": "FINISHED"}, "has nothing at `/chunks_available`"),
        ({"status": "FINISHED", "chunks_available": None}, "has no texts or numbers at `/chunks_available`"),
        ({"status": "FINISHED", "chunks_available": [{}]}, "something else than texts and numbers"),
        ({"status": None}, "no text or number at `/status`"),
        ({}, "no text or number at `/status`"),
        ([], "no text or number at `/status`"),
        ("<html>", "is not JSON"),
    ],
)
def test_a_status_that_cannot_be_read_is_neither_running_nor_done(body: object, why: str, lake_of: LakeOf) -> None:
    lake = lake_of(Exporter())
    lake.exporter.on_request = lambda request: Reply(body) if request.endswith("status") else None
    with pytest.raises(CirculateError, match=why):
        lake.pull()
    lake.exporter.on_request = lambda _: None
    assert lake.pull().records == 7
    assert len(lake.exporter.jobs) == 1, "it is the same job"


@pytest.mark.parametrize("body", [{}, {"export_uuid": None}, {"export_uuid": {}}])
def test_a_job_without_an_id_is_an_error(body: object, lake_of: LakeOf) -> None:
    lake = lake_of(Exporter())
    lake.exporter.on_request = lambda request: Reply(body) if request == "POST /exports" else None
    with pytest.raises(CirculateError, match="no text or number at `/export_uuid`"):
        lake.pull()


@pytest.mark.parametrize("name", ["..", "."])
def test_a_job_whose_id_leads_elsewhere_is_an_error_and_not_kept(name: str, lake_of: LakeOf) -> None:
    lake = lake_of(Exporter())
    named = Reply({"export_uuid": name})
    lake.exporter.on_request = lambda request: named if request == "POST /exports" else None
    with pytest.raises(CirculateError, match="cannot be a part of a path"):
        lake.pull()
    lake.exporter.on_request = lambda _: None
    assert lake.pull().records == 7


def test_the_parts_of_a_job_are_counted_as_such(lake_of: LakeOf) -> None:
    units: set[str] = set()
    rule = {"cursor": "/at", "client_side": True}

    def note(snapshot: Snapshot) -> None:
        units.update({snapshot.completion.unit} if snapshot.completion else ())

    lake_of(Exporter(), incremental=rule).pull(on_progress=note)
    assert units == {"parts"}


def test_show_names_the_job(cli: Cli) -> None:
    write(cli.folder / "catalog", definition(path=None, job_parts={"urls": "/files/*/url"}), "exporter")  # type: ignore[arg-type]
    done = cli("describe", "exporter.assets", "--catalog", "catalog")
    assert "request      the addresses at /files/*/url of the job's status" in done.out
    assert "made by      a job: POST /exports" in done.out


def test_show_names_the_job_and_the_hooks_of_its_parts(cli: Cli) -> None:
    parts = definition(path=None, job_parts={"urls": "/files/*/url"}, hooks={"page": "hooks.py:unzip"})
    folder = write(cli.folder / "catalog", parts, "exporter")  # type: ignore[arg-type]
    (folder / "exporter/hooks.py").write_text("def unzip(body, response):\n    return body\n")
    done = cli("describe", "exporter.assets", "--catalog", "catalog")
    assert "hooks        hooks.py:unzip" in done.out
    assert "made by      a job: POST /exports" in done.out


def test_the_bounds_of_a_period_are_sent_with_the_job(lake_of: LakeOf) -> None:
    rule = {"cursor": "/at", "format": "epoch_s", "param": {"body": "/filters/since"}, "since": "{since:number}"}
    lake = lake_of(Exporter(), incremental={**rule, "overlap": "0s"})
    page = [{"id": 1, "at": 1_700_000_000}]
    lake.exporter.on_request = lambda request: Reply(page) if "/chunks/" in request else None
    lake.exporter.records = 1
    assert lake.pull().next_since is not None
    lake.pull()
    sent = [each["filters"] for each in lake.exporter.submitted]
    assert sent == [{}, {"since": 1_700_000_000}]


def test_check_submits_no_job(cli: Cli) -> None:
    write(cli.folder / "catalog", definition(), "exporter")  # type: ignore[arg-type]
    exporter = Exporter()
    with Server(exporter.respond) as server:
        done = cli("check", "exporter.assets", "--catalog", "catalog", EXPORTER_URL=server.url)
        assert (done.code, exporter.requests) == (0, ["GET /me"]), done.err
        assert "a job makes it" in done.err
        done = cli("check", "exporter.assets", "--deep", "--catalog", "catalog", EXPORTER_URL=server.url)
        assert (done.code, exporter.requests) == (0, ["GET /me"] * 2), done.err
        assert "unknown  job: the list is made by a job" in done.err


BY_BODY = {"cursor": "/at", "param": {"body": "/since"}, "since": "{since}"}
BAD: list[tuple[dict[str, object], str]] = [
    ({"job_status": None}, "nothing says how far the job is"),
    ({"job_status_url": {"header": "Location"}}, "give `status` or `status_url`"),
    ({"job_state": {"at": "/status", "done": []}}, "the job never ends"),
    ({"job_state": {"at": "/status", "done": ["A"], "failed": ["A"]}}, "`A` means `done`, too"),
    ({"job_every": "0s"}, "without a pause"),
    ({"job_id": None}, "`{job}` is not known when this is requested"),
    ({"job_parts": None}, "the requests use `{part}`"),
    ({"path": "/exports", "job_parts": None}, "nothing in the requests says which job's list"),
    ({"job_parts": {"urls": "/files"}}, "the parts name addresses (`urls`)"),
    ({"job_submit": {"path": "/exports/{job}"}}, "`{job}` is not known when this is requested"),
    ({"job_submit": {"path": "/exports/{nobody}"}}, "`{nobody}` is neither `{job}` nor a setting"),
    ({"job_cancel": {"path": "cancel"}}, "`cancel` is not a path"),
    ({"job_cancel": {"path": "/cancel", "method": "delete"}}, "unknown value `delete`"),
    ({"partitions": {"name": "kind2", "values": ["a"]}, "query": {"k": "{kind2}"}}, "a run has one job"),
    (
        {
            "incremental": {"cursor": "/at", "param": {"body": "/since"}, "since": "{since}"},
            "job_submit": {"path": "/x"},
        },
        "needs a body",
    ),
]


@pytest.mark.parametrize(("changed", "why"), BAD, ids=[f"{number} {why}" for number, (_, why) in enumerate(BAD)])
def test_what_cannot_be_meant_is_refused_with_its_place(cli: Cli, changed: dict[str, object], why: str) -> None:
    write(cli.folder / "catalog", definition(**changed), "exporter")  # type: ignore[arg-type]
    done = cli("describe", "exporter.assets", "--catalog", "catalog")
    assert (done.code, why in done.err, "assets.yaml" in done.err) == (2, True, True), done.err
