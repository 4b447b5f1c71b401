"""Results: what functions return, as attributes, as documents, and as dicts for one more version."""

import copy
import dataclasses
import inspect
import json
import pickle
import re
import warnings
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from support.cli import CliFor, StartOrg

import circulate_core
from circulate_core import results
from circulate_core.documents import Result
from circulate_core.exceptions import DataError, SettingsError
from circulate_core.results import Drift, Report, Run, Snapshot, StreamState, Token

KINDS = [
    *(
        kind
        for _, kind in inspect.getmembers(results, inspect.isclass)
        if issubclass(kind, Result) and kind is not Result
    ),
    circulate_core.Manifest,
]

EVERYTHING: dict[str, Any] = {
    "run_id": "r",
    "status": "partial",
    "stream": "okta.users",
    "account": "acme",
    "destination": "/lake",
    "mode": "window",
    "window": {"since": "2026-01-01T00:00:00.123456789Z", "until": None},
    "resumed": False,
    "manifest": None,
    "pages": 1,
    "records": 2,
    "objects": 1,
    "bytes": 3,
    "body_bytes": 4,
    "requests": 5,
    "retries": 0,
    "throttled": 0,
    "seconds_waited": 1,
    "bytes_received": 6,
    "repeats": 0,
    "unavailable": None,
    "partitions": {"complete": 1, "gone": 0, "refused": 0},
    "gaps": ["one"],
    "ends": {
        "counts": {"no_next": 1},
        "contradicted": 0,
        "lists": [{"list": "okta.users", "page": 1, "end": "no_next"}],
    },
    "warnings": [],
    "behind": None,
    "drift": {"values": 1, "places": [{"path": "/a", "kind": "type", "count": 1, "example": "1"}]},
    "records_without_time": 0,
    "next_since": "2026-02-01T00:00:00Z",
    "continuation": "r",
    "resume_after": 1_770_000_000,
    "stopped_by": "deadline",
    "held_by": ["worker 1", "2026-02-01T00:00:00Z"],
}


def document(**changed: object) -> dict[str, Any]:
    return {**copy.deepcopy(EVERYTHING), **changed}


def test_members_are_attributes_with_times_in_utc() -> None:
    report = Report.from_dict(document())
    assert (report.status, report.records, report.gaps) == ("partial", 2, ("one",))
    assert report.window.since == datetime(2026, 1, 1, microsecond=123456, tzinfo=UTC)
    assert report.next_since == datetime(2026, 2, 1, tzinfo=UTC)
    assert report.resume_after == datetime.fromtimestamp(1_770_000_000, UTC)
    assert report.held_by is not None
    assert (report.held_by.worker, report.held_by.until) == ("worker 1", report.next_since)
    assert report.drift is not None
    assert report.drift.places == (Drift.from_dict({"path": "/a", "kind": "type", "count": 1, "example": "1"}),)
    assert report.ends.counts == {"no_next": 1}
    assert report.partitions is not None
    assert report.partitions.contradicted == 0


def test_a_document_comes_back_as_it_was_even_what_this_version_does_not_know() -> None:
    given = document(invented={"by": ["a newer version"]})
    report = Report.from_dict(json.loads(json.dumps(given)))
    assert report.to_dict() == given
    assert Report.from_dict(report.to_dict()) == report
    assert report != Report.from_dict(document(records=3))


def test_what_is_handed_out_or_in_is_not_shared() -> None:
    given = document()
    report = Report.from_dict(given)
    given["gaps"].append("two")
    report.to_dict()["window"]["since"] = None
    assert report.to_dict() == document()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_results_are_frozen_slotted_and_documented(kind: type[Result]) -> None:
    assert all("__slots__" in vars(each) for each in kind.__mro__[:-1])
    described = re.findall(r"^ {4}(\w+): \S", (inspect.getdoc(kind) or "").partition("Attributes:")[2], re.MULTILINE)
    own = [name for name in kind.__annotations__ if not name.startswith("_")]
    assert described == own, "help() says what each attribute is"


def test_nothing_of_a_result_can_be_set() -> None:
    report = Report.from_dict(document())
    with pytest.raises(dataclasses.FrozenInstanceError):
        report.records = 3  # type: ignore[misc]
    with pytest.raises((AttributeError, TypeError)):
        report.other = 3  # type: ignore[attr-defined]


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))])  # noqa: S301 - ours
def test_results_can_be_copied_and_pickled(way: Any) -> None:  # noqa: ANN401 - any of these
    report = Report.from_dict(document())
    again = way(report)
    assert again == report
    assert again.to_dict() == report.to_dict()


def test_all_mistakes_of_a_document_are_named_with_their_place() -> None:
    wrong = document(records="many", next_since="soon", held_by=["only a worker"], resumed=1, pages=True)
    wrong["window"] = {"since": float("nan")}
    wrong["ends"]["lists"][0]["page"] = None
    del wrong["stream"]
    with pytest.raises(DataError) as raised:
        Report.from_dict(wrong)
    said = str(raised.value)
    for part in (
        "invalid Report: ",
        "`records`: expected a whole number, given 'many'",
        "`next_since`: expected a time, given 'soon'",
        "`held_by`: expected an object, given ['only a worker']",
        "`resumed`: expected true or false, given 1",
        "`pages`: expected a whole number, given True",
        "`window.since`: expected a time, given nan",
        "`window.until` is missing",
        "`ends.lists[0].page`: expected a whole number, given None",
        "`stream` is missing",
    ):
        assert part in said
    assert raised.value.hint is not None


@pytest.mark.parametrize("given", [[], "report", None, 7, [1, 2]])
def test_what_is_not_a_document_is_refused(given: Any) -> None:  # noqa: ANN401 - anything
    with pytest.raises(DataError, match="invalid Report: expected an object, given"):
        Report.from_dict(given)


def test_a_time_before_the_calendar_of_python_is_its_first() -> None:
    for text in ("0000-01-01T00:00:00Z", "-009999-01-02T01:59:59Z"):
        report = Report.from_dict(document(next_since=text))
        assert report.next_since == datetime.min.replace(tzinfo=UTC)
        assert report.to_dict()["next_since"] == text


def test_times_are_read_with_any_offset_and_without() -> None:
    for text in ("2026-02-01T01:00:00+01:00", "2026-02-01T00:00:00", "2026-02-01"):
        at = Report.from_dict(document(next_since=text)).next_since
        assert at == datetime(2026, 2, 1, tzinfo=UTC)
        assert at is not None
        assert at.utcoffset() == timedelta()


def test_a_report_of_the_version_before_is_read() -> None:
    earlier = document(holes=["one"])
    for name in ("gaps", "ends", "warnings", "behind"):
        del earlier[name]
    report = Report.from_dict(earlier)
    assert (report.gaps, report.ends.lists, report.warnings, report.behind) == (("one",), (), (), None)
    assert report.to_dict() == earlier


def test_a_result_shows_what_is_not_empty_and_no_secret() -> None:
    shown = repr(Report.from_dict(document()))
    assert shown.startswith("Report(")
    assert "status='partial'" in shown
    assert "next_since=2026-02-01T00:00:00+00:00" in shown
    assert "retries" not in shown
    assert "unavailable" not in shown
    token = Token.from_dict(
        {
            "schema": 1,
            "profile": "default",
            "instance": "i",
            "access_token": "eyJ.canary",
            "token_type": "DPoP",
            "scope": "a b",
            "obtained_at": 0,
            "expires_at": 1_770_000_000,
            "dpop_jwk": {"d": "canary"},
        }
    )
    assert "canary" not in repr(token)
    assert token.access_token.endswith("canary")


def test_items_work_for_one_more_version_with_a_warning() -> None:
    report = Report.from_dict(document())
    with pytest.warns(DeprecationWarning, match=r'`\["status"\]` of Report is deprecated; use `\.status`') as warned:
        assert report["status"] == "partial"
    assert warned[0].filename == __file__
    with pytest.warns(DeprecationWarning, match=r"use `\.gaps`"):
        assert report["holes"] == ["one"]
    with pytest.warns(DeprecationWarning, match="is deprecated; use"):
        assert report["window"]["until"] is None
    with pytest.warns(DeprecationWarning, match="is deprecated; use") as warned:
        assert report.get("nothing", 7) == 7
    assert warned[0].filename == __file__
    with pytest.warns(DeprecationWarning, match="is deprecated; use") as warned:
        assert "records" in report
    assert warned[0].filename == __file__
    with pytest.warns(DeprecationWarning, match="is deprecated; use"):
        assert dict(report) == document()
    with pytest.warns(DeprecationWarning, match="is deprecated; use"):
        assert list(report) == list(document())
    with pytest.warns(DeprecationWarning, match="is deprecated; use"), pytest.raises(KeyError, match="nothing"):
        report["nothing"]


@pytest.mark.parametrize(
    ("use", "expected"),
    [
        (lambda report: isinstance(report, Mapping), True),
        (lambda report: "holes" in report, True),
        (lambda report: ("gaps" in report, "nothing" in report, 7 in report), (True, False, False)),
        (lambda report: report.keys() & {"status", "x"}, {"status"}),
        (lambda report: dict(report.items())["status"], "partial"),
        (len, len(EVERYTHING)),
        (lambda report: list(report.values()), list(EVERYTHING.values())),
        (lambda report: report.copy(), Report.from_dict(EVERYTHING)),
        (lambda report: {**report}, EVERYTHING),
        (lambda report: tuple(report.held_by), ("worker 1", datetime(2026, 2, 1, tzinfo=UTC))),
        (lambda report: (report.held_by[0], len(report.held_by)), ("worker 1", 2)),
        (lambda report: pd.DataFrame([report])["status"].tolist(), ["partial"]),
    ],
)
def test_what_0_1_did_with_a_dict_works_for_one_more_version(use: Callable[[Any], object], expected: object) -> None:
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        assert use(Report.from_dict(document())) == expected
    assert warned or expected is True
    assert all(" is deprecated; use " in str(warning.message) for warning in warned)


def has_a_status(report: Any) -> bool:  # noqa: ANN401 - a dict, in 0.1
    match report:
        case {"status": "partial"}:
            return True
    return False


@pytest.mark.filterwarnings("ignore:.* is deprecated; use:DeprecationWarning")
def test_a_dict_pattern_matches_a_report() -> None:
    assert has_a_status(Report.from_dict(document()))
    assert not has_a_status(Report.from_dict(document(status="complete")))


def test_a_member_without_an_attribute_is_pointed_to_in_the_document() -> None:
    report = Report.from_dict(document(invented=1))
    with pytest.warns(DeprecationWarning, match=r'use `\.to_dict\(\)\["invented"\]`'):
        assert report["invented"] == 1


def test_nothing_that_items_return_changes_a_report() -> None:
    report = Report.from_dict(document())
    with pytest.warns(DeprecationWarning, match="deprecated"):
        report["gaps"].append("two")
    with pytest.warns(DeprecationWarning, match="deprecated"):
        report["window"]["since"] = None
    with pytest.raises(TypeError, match=r"cannot be changed; make a dict of it"):
        report["status"] = "complete"
    with pytest.raises(TypeError):
        report.ends.counts["gone"] = 5
    assert report.to_dict() == document()


def test_results_are_hashed_by_their_attributes() -> None:
    assert len({Report.from_dict(document()), Report.from_dict(document()), Report.from_dict(document(records=3))}) == 2


def test_no_secret_is_in_what_is_said_of_a_token() -> None:
    token = {
        "profile": "default",
        "instance": "i",
        "access_token": "eyJ.canary",
        "token_type": "DPoP",
        "scope": "",
        "obtained_at": 2**62,
        "expires_at": 10**400,
        "dpop_jwk": {"d": "canary", "ext": True, "key_ops": ["sign"]},
    }
    made = Token.from_dict(token)
    assert made.obtained_at == made.expires_at == datetime.max.replace(tzinfo=UTC)
    assert made.dpop_jwk == token["dpop_jwk"]
    for wrong in ({**token, "dpop_jwk": "canary"}, {**token, "access_token": ["canary"]}, ["canary"]):
        with pytest.raises(DataError) as raised:
            Token.from_dict(wrong)  # type: ignore[arg-type]
        assert "canary" not in str(raised.value)


def test_a_manifest_that_no_lake_has_is_shown_without_its_objects(start_org: StartOrg, tmp_path: Path) -> None:
    org = start_org(users=3)
    report = circulate_core.pull("okta.users", to=tmp_path, settings={"org_url": org.url, "api_token": org.token})
    manifest = circulate_core.manifest(report)
    again = circulate_core.Manifest.from_dict(manifest.to_dict())
    assert again == manifest
    assert "3 records" in again._repr_html_()
    assert "sha256" not in again._repr_html_()
    with pytest.raises(SettingsError, match="was not read from a lake"):
        _ = again.objects


def test_a_status_of_a_newer_version_is_shown(start_org: StartOrg) -> None:
    del start_org
    assert "postponed" in Report.from_dict(document(status="postponed"))._repr_html_()


def test_earlier_places_of_results_name_those_of_today() -> None:
    with pytest.warns(DeprecationWarning, match=r"use `circulate_core\.results\.Report`"):
        from circulate_core.types import Report as Earlier  # type: ignore[attr-defined]  # noqa: PLC0415
    assert Earlier is Report
    with pytest.raises(ImportError):
        from circulate_core.types import Nothing  # type: ignore[attr-defined]  # noqa: F401, PLC0415


def test_every_function_returns_results(start_org: StartOrg, cli_for: CliFor, tmp_path: Path) -> None:
    org = start_org(users=3)
    settings, lake = {"org_url": org.url, "api_token": org.token}, tmp_path / "lake"
    snapshots: list[Snapshot] = []
    report = circulate_core.pull("okta.users", to=lake, settings=settings, on_progress=snapshots.append)
    assert (type(report), report.status, report.records) == (Report, "complete", 3)
    assert snapshots
    assert all(type(snapshot) is Snapshot for snapshot in snapshots)
    state = lake / ".circulate/state.db"
    (run,) = circulate_core.runs(state)
    assert type(run) is Run
    assert (run.stream, run.run_id, run.ledger.totals.records) == ("okta.users", report.run_id, 3)
    assert run.started_at < datetime.now(UTC) + timedelta(days=1)
    manifest = circulate_core.manifest(report)
    assert (manifest.run_id, manifest.totals.records, manifest.started_at) == (run.run_id, 3, run.started_at)
    assert [entry.records for entry in manifest.objects] == [3]
    verified = circulate_core.verify(manifest.path)
    assert (verified.problems, verified.records) == ((), 3)
    promoted = circulate_core.promote(manifest.path, to=tmp_path / "target")
    assert (promoted.status, promoted.copied) == ("complete", 1)
    collected = circulate_core.gc(lake)
    assert (collected.removed, collected.removed_keys) == (0, ())
    checked = circulate_core.check("okta", settings=settings)
    assert (checked.requested, checked.quota is None) == (True, False)
    (stated,) = circulate_core.state(state)
    assert type(stated) is StreamState
    assert (stated.stream, stated.last_complete, stated.open_run) == ("okta.users", run, None)
    cli = cli_for(org)
    assert Report.from_dict(cli.pull().report).records == 3
