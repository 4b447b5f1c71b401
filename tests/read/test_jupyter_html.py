"""What notebooks show, as HTML: right, escaped, and readable in any theme."""

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest

import circulate_core
from circulate_core import display
from circulate_core.exceptions import CirculateError
from circulate_core.jupyter import html
from circulate_core.progress import Ending, ending_of, ending_without_report
from circulate_core.results import Drift, Drifts, Promoted, Report, Run, Runs, Snapshot
from circulate_core.tables import Column

EVIL = "<script>alert(1)</script>\"'&\ud800\x00"

NO_TABLES: Any = None
"""What makes tables of batches; none is made here."""

REPORT: dict[str, Any] = {
    "run_id": "20261122T053000123Z-1a2b3c4d5e",
    "status": "complete",
    "stream": "okta.users",
    "account": "acme",
    "destination": "/lake",
    "mode": "incremental",
    "window": {"since": "2026-11-01T00:00:00Z", "until": None},
    "resumed": False,
    "manifest": "_circulate/okta/acme/users/1.json",
    "pages": 50,
    "records": 10_000,
    "objects": 10,
    "bytes": 1_800_000,
    "body_bytes": 14_500_000,
    "requests": 51,
    "retries": 1,
    "throttled": 0,
    "seconds_waited": 2.5,
    "bytes_received": 14_500_100,
    "repeats": 3,
    "unavailable": None,
    "partitions": None,
    "gaps": [],
    "records_without_time": 0,
    "next_since": "2026-11-22T05:25:00Z",
    "continuation": None,
    "resume_after": None,
    "stopped_by": None,
    "held_by": None,
}

SNAPSHOT: dict[str, Any] = {
    "run_id": None,
    "pages": 12,
    "records": 2_400,
    "objects": 0,
    "bytes_stored": 0,
    "requests": 13,
    "retries": 0,
    "throttled": 0,
    "seconds_waited": 0.0,
    "bytes_received": 3_000_000,
    "quota": {"remaining": 300, "limit": 600},
    "waiting": None,
    "notes": [],
}


class Checker(HTMLParser):
    """Checks that elements are closed in the order in which they were opened, and that none of them runs anything."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an element."""
        assert tag not in {"script", "style", "link", "img", "iframe", "object", "svg"}
        for name, value in attrs:
            assert not name.startswith("on")
            assert name != "href" or (value or "").startswith("https://")
            assert "background:#" not in (value or ""), "no colour of text or ground is taken for granted"
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close it."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Gather text."""
        self.text += f" {data}"


def text_of(shown: str) -> str:
    """Check HTML, and return its text."""
    assert "<script" not in shown
    shown.encode()
    assert "\x00" not in shown
    checker = Checker()
    checker.feed(shown)
    checker.close()
    assert checker.open == []
    return re.sub(r"\s+", " ", checker.text)


def report_with(**changes: object) -> Report:
    return Report({**REPORT, **changes})


def snapshot_with(**changes: object) -> Snapshot:
    return Snapshot({**SNAPSHOT, **changes})


def test_a_report_says_what_came_of_a_pull() -> None:
    shown = text_of(report_with()._repr_html_())
    for part in (
        "✓ okta.users of acme: complete",
        "10,000 records in 50 pages → 10 objects, 1.8 MB (14.5 MB before compression)",
        "51 requests · 1 retried · 2.5 s waited",
        "/lake/_circulate/okta/acme/users/1.json",
        "asks for what changed since 2026-11-22 05:25:00 UTC",
        "3 records delivered before, byte for byte",
    ):
        assert part in shown


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        (
            {"status": "partial", "stopped_by": "deadline", "manifest": None},
            ["◐", "deadline", "resumes at the last checkpoint"],
        ),
        ({"status": "failed", "manifest": None}, ["✗", "failed", "resumes at the last checkpoint"]),
        ({"status": "busy", "held_by": ["process 7", "2026-11-22T05:30:00Z"]}, ["●", "process 7", "05:30:00"]),
        ({"status": "busy", "held_by": [None, "2026-11-22T05:30:00Z"]}, ["a pending run"]),
        ({"gaps": [f"id {number}" for number in range(25)]}, ["id 0", "id 9", "and 15 more"]),
        ({"unavailable": "no licence"}, ["no licence"]),
        (
            {"partitions": {"complete": 5, "gone": 1, "refused": 0, "unavailable": 0}},
            ["5 complete · 1 whose parent is gone"],
        ),
        ({"destination": "reader"}, ["10,000 records in 50 pages · 14.5 MB"]),
    ],
)
def test_a_report_says_what_is_not_as_usual(changes: dict[str, object], parts: list[str]) -> None:
    shown = text_of(report_with(**changes)._repr_html_())
    for part in parts:
        assert part in shown


def test_what_was_read_and_not_stored_has_no_manifest() -> None:
    assert "_circulate" not in text_of(report_with(destination="reader")._repr_html_())


def test_what_derives_from_a_report_is_shown_as_one() -> None:
    class Mine(Report):
        pass

    assert display.html(Mine(REPORT)) == html.report(report_with())


def test_a_result_without_a_card_of_its_own_shows_its_attributes() -> None:
    promoted = Promoted(
        {
            "run_id": "r",
            "status": "partial",
            "stream": EVIL,
            "account": "acme",
            "manifest": "m",
            "destination": "/target",
            "objects": 1_000,
            "records": 0,
            "bytes": 2,
            "copied": 0,
            "skipped": 0,
            "continuation": None,
            "stopped_by": "deadline",
        }
    )
    shown = text_of(promoted._repr_html_())
    assert "Promoted run id r status partial stream" in shown
    assert "objects 1,000 bytes 2 stopped by deadline" in shown


def test_a_class_that_nothing_shows_is_named() -> None:
    with pytest.raises(LookupError, match="nothing is registered to show a dict"):
        display.html(REPORT)


def test_the_report_of_an_error_shows_itself() -> None:
    error = CirculateError("it broke", report=report_with(status="failed", manifest=None))
    assert error.report is not None
    assert "failed" in text_of(error.report._repr_html_())


def run_entry(**changes: object) -> Run:
    entry = {
        "stream": "okta.users",
        "account": "acme",
        "run_id": "1",
        "status": "committed",
        "started_at": "2026-11-22T05:30:00Z",
        "ended_at": "2026-11-22T05:30:02.500Z",
        "mode": "full",
        "window": {"since": None, "until": None},
        "destination": "/lake",
        "manifest": "_circulate/1.json",
        "pending_until": None,
        "ledger": {"attempts": 1, "totals": REPORT, "traffic": REPORT, "stopped_by": None, "code_version": "1"},
    }
    return Run({**entry, **changes})


def test_runs_are_a_table() -> None:
    runs = Runs([run_entry(), run_entry(status="open", ended_at=None, account=EVIL)])
    shown = text_of(runs._repr_html_())
    assert "2026-11-22 05:30:00 UTC okta.users acme full ✓ committed 10,000 10 1.8 MB 51 2.5 s 2.5 s" in shown
    assert "◐ open" in shown
    assert "2 runs" in shown
    assert "0 runs" in text_of(Runs()._repr_html_())


def batch_of(*records: object) -> circulate_core.Batch:
    return circulate_core.Batch(json.dumps(records).encode(), NO_TABLES)


def test_a_batch_is_a_table_of_its_first_records() -> None:
    shown = text_of(batch_of(*({"id": f"u{number}", "age": number} for number in range(1_200)))._repr_html_())
    assert "id age u0 0 u1 1" in shown
    assert "u9 9" in shown
    assert "u10" not in shown
    assert "10 of 1,200 records" in shown


def test_a_batch_shows_nested_values_short_and_behind_plain_ones() -> None:
    batch = batch_of({"profile": {"name": "x" * 500}, "id": "u1", "tags": ["a", 1], "none": None, "long": "y" * 500})
    shown = text_of(batch._repr_html_())
    assert "id none long profile tags u1 null" in shown
    assert "x" * 50 not in shown
    assert "y" * 100 not in shown
    assert '["a", 1]' in shown


def test_a_batch_of_wide_records_names_the_members_it_does_not_show() -> None:
    shown = text_of(batch_of({f"m{number}": number for number in range(20)})._repr_html_())
    assert "m11 0 1" in shown
    assert "and 8 more members: m12, m13" in shown


@pytest.mark.parametrize("records", [[], [{}], [1, "two", None, [3]], [{"a": 1}, {"b": 2}]])
def test_a_batch_of_anything_is_shown(records: list[object]) -> None:
    shown = text_of(batch_of(*records)._repr_html_())
    assert f"{len(records)} record" in shown


def test_nothing_that_data_holds_becomes_markup() -> None:
    batch = batch_of({EVIL: EVIL, "in": {EVIL: [EVIL]}})
    everything = [
        batch._repr_html_(),
        report_with(stream=EVIL, account=EVIL, gaps=[EVIL], unavailable=EVIL, stopped_by=EVIL)._repr_html_(),
        report_with(status="busy", held_by=[EVIL, "2026-11-22T05:30:00Z"])._repr_html_(),
        html.progress(EVIL, [EVIL], snapshot_with(), EVIL, [EVIL]),
        html.ended(EVIL, Ending("✗", "red", EVIL, [EVIL])),
    ]
    for shown in everything:
        assert "alert(1)" in text_of(shown)


def test_elements_escape_what_is_put_in_unless_it_is_html() -> None:
    assert (
        html.element("b", "<i>", html.Html("<i>x</i>"), None, 5, title='"')
        == '<b title="&quot;">&lt;i&gt;<i>x</i>5</b>'
    )


def test_progress_is_one_line_with_notes_below() -> None:
    waiting = snapshot_with(waiting=["the quota", 31.6])
    notes = [f"note {number}" for number in range(8)]
    shown = text_of(html.progress("okta.users", ["12 pages"], waiting, "waiting 32 s: the quota", notes))
    assert "okta.users · 12 pages · quota ▰▰▰▰▰ ▱▱▱▱▱ 300 of 600 left · waiting 32 s: the quota" in shown
    assert "3 earlier note 3 note 4" in shown


def test_how_much_is_done_is_a_bar_where_it_is_known_how_much_there_is() -> None:
    def shown(total: int | None) -> str:
        completion = {"unit": "groups", "done": 1_234, "total": total, "estimated": False}
        return text_of(
            html.progress("okta.group_members", ["4 min left"], snapshot_with(completion=completion), None, [])
        )

    assert "okta.group_members · ▰▰ ▱▱▱▱▱▱▱▱ 1,234 of 5,600 groups · 4 min left · quota" in shown(5_600)
    assert "okta.group_members · 1,234 groups listed · 4 min left" in shown(None)


def test_a_quota_that_is_not_known_is_not_shown() -> None:
    assert "quota" not in html.progress("x", [], snapshot_with(quota=None), None, [])
    assert "quota" not in html.progress("x", [], snapshot_with(quota={"remaining": 0, "limit": 0}), None, [])


def test_the_line_that_stays_has_the_verdict() -> None:
    assert ending_of(report_with(), 3.0) == (
        "✓",
        "green",
        "complete",
        ["10,000 records", "50 pages", "3.0 s", "2.5 s waited", "1 retried"],
    )
    attempt = {**REPORT, "records": 2_000, "pages": 10, "retries": 0}
    assert ending_of(report_with(resumed=True, attempt=attempt), 3.0).facts == [
        "2,000 records",
        "10 pages",
        "3.0 s",
        "2.5 s waited",
        "the run in all: 10,000 records",
    ]
    assert ending_of(report_with(gaps=["id 1"], status="partial"), 3.0).facts[-1] == "1 part missing"
    assert ending_of(report_with(status="busy"), 3.0).word == "busy"
    assert ending_without_report(ValueError("no"), snapshot_with(), 3.0).word == "failed"
    assert ending_without_report(KeyboardInterrupt(), snapshot_with(), 3.0).word == "interrupted"
    assert ending_without_report(GeneratorExit(), snapshot_with(), 3.0).word == "not read to its end"
    assert ending_without_report(None, None, 3.0).facts == ["3.0 s"]


def test_a_schema_has_members_of_structs_below_them() -> None:
    lines = [
        (0, Column("id", "string", declared=True)),
        (0, Column("profile", "struct", declared=True)),
        (1, Column("desks", "list of struct", declared=False)),
        (2, Column("no", "integer", declared=False)),
    ]
    shown = text_of(html.schema(lines))
    for part in (
        "id string declared",
        "profile struct declared",
        "· desks list of struct inferred",
        "· · no integer inferred",
        "2 columns · 2 members inside them · 2 inferred",
    ):
        assert part in shown
    assert "1 column · all declared" in text_of(html.schema(lines[:1]))
    assert "no columns" in text_of(html.schema([]))


def test_a_schema_without_end_is_shown_in_part() -> None:
    deep = [(depth, Column(f"at{depth}", "struct", declared=False)) for depth in range(60)]
    shown = text_of(html.schema(deep))
    assert "at5" in shown
    assert "at6" not in shown
    assert "54 not shown" in shown
    wide = [(0, Column(f"of{number}", "string", declared=False)) for number in range(300)]
    assert "100 not shown" in text_of(html.schema(wide))
    assert len(html.schema([(0, Column("one", f"struct<{'a: string, ' * 10_000}>", declared=False))])) < 2_000


def test_names_in_a_schema_are_escaped() -> None:
    text_of(html.schema([(0, Column(EVIL, EVIL, declared=False)), (1, Column(EVIL, "string", declared=True))]))


def test_drift_says_where_what_and_how_often() -> None:
    drift: list[dict[str, Any]] = [
        {
            "path": "/age",
            "kind": "type",
            "expected": "integer",
            "found": "string",
            "count": 1_200,
            "example": '"abc"',
        },
        {"path": "/new", "kind": "new member", "count": 1, "example": EVIL},
    ]
    view = Drifts(map(Drift, drift))
    shown = text_of(view._repr_html_())
    for part in ('/age type: string for integer 1,200 "abc"', "/new new member 1", "1,201 values · 2 places"):
        assert part in shown


def test_drift_in_very_many_places_is_shown_in_part() -> None:
    drift = ({"path": f"/{number}", "kind": "new member", "count": 1, "example": "1"} for number in range(25))
    view = Drifts(map(Drift, drift))
    assert "25 values · 25 places · 5 not shown" in text_of(view._repr_html_())


def test_a_report_says_what_drifted() -> None:
    places = [{"path": f"/{name}", "kind": "new member", "count": 1, "example": "1"} for name in ("a", EVIL, "c", "d")]
    shown = text_of(report_with(drift={"values": 4, "places": places})._repr_html_())
    assert "drifted 4 values, most of them at /a ," in shown
    assert "/d" not in shown
    assert "drifted" not in text_of(report_with(drift=None)._repr_html_())


def test_no_drift_says_so() -> None:
    assert "✓ nothing drifted" in text_of(Drifts()._repr_html_())
