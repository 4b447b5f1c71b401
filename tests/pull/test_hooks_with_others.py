"""Hooks together with all else that lists can be: children, details, jobs, increments, errors, empty lists."""

import base64
import csv
import gzip
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any, cast
from xml.sax.saxutils import quoteattr

import pytest
from support import nested
from support.changing import Changing, StopAt, random_by, weeks_ago
from support.changing import serving as serving_changing
from support.cli import Cli, Done
from support.exports import Exporter
from support.exports import definition as export
from support.hooked import BY_NUMBER, define_hooked, pull
from support.http_server import Handler, Reply, Server
from support.nested import Forge
from support.paging_pulls import written, written_by
from support.scripted import serving

import circulate_core
from circulate_core import CirculateError
from circulate_core.results import Report


def decode(body: Any, _response: Any) -> object:  # noqa: ANN401 - as hooks are called
    import base64  # noqa: PLC0415 - it stands alone

    return base64.b64decode(body)


def items(body: Any, _response: Any) -> object:  # noqa: ANN401
    import json  # noqa: PLC0415 - it stands alone

    return json.loads(body)["items"]


def follow(_request: Any, response: Any) -> object:  # noqa: ANN401
    return response.json().get("next")


def coded(respond: Callable[[Handler], Reply]) -> Callable[[Handler], Reply]:
    """Return what responds likewise, in Base64."""

    def respond_coded(request: Handler) -> Reply:
        reply = respond(request)
        if reply.status == 200:
            reply.body = base64.b64encode(json.dumps(reply.body).encode())
        return reply

    return respond_coded


THROUGH: dict[str, dict[str, Any]] = {
    "page": {"hooks": {"page": decode}},
    "paginator": {"hooks": {"page": decode}, "paginator": {"hook": follow}},
    "all": {"hooks": {"page": decode, "split": items}, "paginator": {"hook": follow}, "records": ""},
}


class CodedForge(Forge):
    """An API whose responses all need a hook."""

    def respond(self, request: Handler) -> Reply:
        """Respond so."""
        return coded(super().respond)(request)


class CodedChanging(Changing):
    """Likewise of a list that changes."""

    def respond(self, request: Handler) -> Reply:
        """Respond so."""
        return coded(super().respond)(request)


def found(cli: Cli, done: Done) -> list[Any]:
    assert (done.code, done.report["status"]) == (0, "complete"), done.err
    return written_by(cli.folder / "lake" / done.report["manifest"])


# Children and details.


@pytest.mark.parametrize("name", THROUGH)
def test_each_list_above_passes_through_hooks_wherever_a_run_is_stopped(name: str, tmp_path: Path) -> None:
    forge = CodedForge()
    forge.grow(random_by(4))
    lists = {kind: nested.listing(level, **THROUGH[name]) for level, kind in enumerate(nested.KINDS)}
    with nested.serving(forge, tmp_path, "comments", **lists) as lake:
        while not lake.reports or lake.reports[-1].status != "complete":
            forge.on_request = at = StopAt(6)
            lake.pull(stop=at.stop)
            at.ended.set()
            assert len(lake.reports) < 60
    assert len(lake.reports) > 2
    assert lake.versions == dict.fromkeys([(way, forge.at(way).version) for way in forge.ways(3)], 1)


CHILDREN = """
endpoint: parts
about: Parts.
scopes: []
list:
  path: '/items/{id}'
  primary_key: [/id]
  parent: {endpoint: items, fields: {id: /id}}
  paginator: none
"""
NAMED = """
    def named(body, response):
        return [{"id": name.decode() + "%s"} for name in body.split()]
"""


def test_parents_that_other_code_made_are_not_taken_for_the_list(tmp_path: Path) -> None:
    file = define_hooked(tmp_path, NAMED % "1", "hooks: {split: hooks.py:named}\nsingle: certain", "paginator: none")
    file.with_name("parts.yaml").write_text(CHILDREN)

    def respond(path: str, _query: dict[str, str]) -> Reply:
        return Reply("a b") if path == "/items" else Reply([{"id": f"of {path.rpartition('/')[2]}"}])

    with serving(respond) as api:

        def run(stream: str, parents: str | None = None) -> Report:
            catalog, settings = [file.parent.parent], {"base_url": api.url}
            return circulate_core.pull(
                stream, to=tmp_path / "lake", catalog=catalog, settings=settings, account="acme", parents=parents
            )

        listed = run("acme.items").manifest
        for code in ("1", "2"):
            file.write_text(dedent(NAMED % code))
            before = len(api.requests)
            report = run("acme.parts", listed)
            assert {record["id"] for record in written(tmp_path / "lake", report)} == {f"of a{code}", f"of b{code}"}
            assert ("/items" in api.requests[before:]) is (code == "2"), "it is the run that was just made"


def test_details_by_batches_pass_through_hooks(tmp_path: Path) -> None:
    asked: list[list[str]] = []

    def respond(request: Handler) -> Reply:
        if request.path == "/ids":
            return Reply({"items": [{"id": f"i{number}"} for number in range(10)]})
        names = request.path.partition("=")[2].split("%2C")
        asked.append(names)
        # It gives two at most, and i7 is not there any more.
        return Reply({"items": [{"id": name, "size": 2} for name in names if name != "i7"][:2]})

    lists: dict[str, dict[str, Any]] = {
        "ids": {"path": "/ids", "primary_key": ["/id"]},
        "items": {
            "path": "/items",
            "query": {"ids": "{id}"},
            "primary_key": ["/id"],
            "parent": {"endpoint": "ids", "fields": {"id": "/id"}, "batch": {"size": 4, "join": ",", "key": "/id"}},
        },
    }
    through = {"hooks": {"page": decode, "split": items}, "paginator": "none", "single": "certain"}
    definition = {
        "source": {
            "source": "shop",
            "title": "Shop",
            "settings": {"base_url": {"env": "SHOP_URL", "about": "its address"}},
            "base_url": "{base_url}",
            "auth": ["none"],
        },
        "endpoints": {
            name: {"about": "Things.", "scopes": [], "list": {**each, **through}} for name, each in lists.items()
        },
    }
    with Server(coded(respond)) as server:
        report = circulate_core.pull(
            "shop.items",
            to=tmp_path,
            settings={"base_url": server.url},
            account="practice",
            catalog=[cast("Any", definition)],
        )
    assert report.status == "complete"
    assert sorted(record["id"] for record in written(tmp_path, report)) == [f"i{n}" for n in range(10) if n != 7]
    assert max(map(len, asked)) == 4


# Jobs.


def unzip(body: Any, _response: Any) -> object:  # noqa: ANN401
    import io  # noqa: PLC0415 - it stands alone
    import zipfile  # noqa: PLC0415 - it stands alone

    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        for name in archive.namelist():
            yield archive.read(name)


def rows(body: Any, _response: Any) -> object:  # noqa: ANN401
    import xml.etree.ElementTree as ET  # noqa: PLC0415 - it stands alone

    return [dict(row.attrib) for row in ET.fromstring(body)]  # noqa: S314 - of the test


def as_zip(page: list[dict[str, int]]) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as writing:
        for record in page:
            writing.writestr(f"{record['id']}.jsonl", json.dumps({"id": str(record["id"])}) + "\n")
    return archive.getvalue()


def as_xml(page: list[dict[str, int]]) -> str:
    records = (f"<row id={quoteattr(str(record['id']))}/>" for record in page)
    return f"<rows>{''.join(records)}</rows>"


def as_csv(page: list[dict[str, int]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, ["id"])
    writer.writeheader()
    writer.writerows(page)
    return base64.b64encode(text.getvalue().encode())


PARTS: dict[str, tuple[Callable[[list[dict[str, int]]], object], dict[str, Any]]] = {
    "zip": (as_zip, {"format": "ndjson", "hooks": {"page": unzip}}),
    "xml": (as_xml, {"hooks": {"split": rows}}),
    "csv": (as_csv, {"format": "csv", "hooks": {"page": decode}}),
}


@pytest.mark.parametrize("name", PARTS)
def test_parts_of_a_job_pass_through_hooks_wherever_a_run_is_stopped(name: str, tmp_path: Path) -> None:
    write, changed = PARTS[name]
    exporter = Exporter()
    requests: list[str] = []
    stopping: list[StopAt] = []

    def respond(request: Handler) -> Reply:
        requests.append(request.path)
        stopping[-1](0)
        reply = exporter.respond(request)
        return Reply(write(reply.body)) if isinstance(reply.body, list) else reply

    reports: list[Report] = []
    with Server(respond) as server:
        while not reports or reports[-1].status != "complete":
            stopping.append(StopAt(3))
            report = circulate_core.pull(
                "exporter.assets",
                to=tmp_path,
                settings={"base_url": server.url},
                account="practice",
                catalog=[cast("Any", export(**changed))],
                stop=stopping[-1].stop,
            )
            stopping[-1].ended.set()
            reports.append(report)
            assert len(reports) < 10
    assert sorted(int(record["id"]) for record in written(tmp_path, reports[-1])) == list(range(exporter.records))
    assert len(exporter.jobs) == 1
    assert reports[-1].manifest is not None
    made_by: Any = circulate_core.manifest(tmp_path / reports[-1].manifest).made_by
    [(kind, hook)] = changed["hooks"].items()
    assert made_by["hooks"][kind]["hook"] == f"assets_{hook.__name__}.py:{hook.__name__}"
    assert made_by.get("format") == ("csv" if name == "csv" else None)


# Increments.

WINDOWS = {"window": {"span": "2d", "history": "40d"}}


@pytest.mark.parametrize("name", THROUGH)
@pytest.mark.parametrize("more", [{}, WINDOWS])
def test_increments_select_what_hooks_make(more: dict[str, Any], name: str, tmp_path: Path) -> None:
    chance, api = random_by(name), CodedChanging(now=weeks_ago())
    rule = {"cursor": "/at", "param": "since", "since": "{since}", "until": "{until}", "until_param": "until"}
    with serving_changing(api, tmp_path, {"incremental": {**rule, "overlap": "1h", **more}, **THROUGH[name]}) as lake:
        for _ in range(5):
            api.change(chance, 5)
            assert lake.pull().status == "complete"
    assert {(record.id, record.version) for record in api.records.values()} <= lake.versions.keys()
    assert set(lake.versions.values()) == {1}
    assert any("since=" in request for request in api.requests)


@pytest.mark.parametrize(
    "listed",
    ["hooks: {split: hooks.py:f}\npaginator: none", "format: csv\npaginator: none", "format: ndjson\npaginator: none"],
)
@pytest.mark.parametrize("durable", ["{next_url: {body: /delta}}", "{token: {from: {body: /sync}, to: sync}}"])
def test_what_leads_to_the_next_pull_is_not_read_from_a_page_of_records_only(
    listed: str, durable: str, cli: Cli
) -> None:
    define_hooked(cli.folder, "def f(body, response): ...", f"{listed}\nincremental: {{durable: {durable}}}", "")
    done = cli("check", "acme.items", "--catalog", "catalog")
    assert done.code == 2, done.err
    assert "returns records only" in done.err or "has records only" in done.err
    assert "it is read from `/" in done.err
    assert "items.yaml:" in done.err


# What is no page.

RULES = """
    errors:
    - {when: {status: 200, body: {/code: SLOW}}, then: retry}
    - {when: {status: 200, body: {/code: {empty: false}}}, then: fail}
"""
SPLITS = """
    import json

    def records(body, response):
        return json.loads(body).get("items", [])
"""
STRICT = """
    from xml.etree import ElementTree
    import json

    def decode(body, response):
        return json.dumps([row.attrib for row in ElementTree.fromstring(body)]).encode()
"""


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    ("code", "hooks", "page"),
    [
        (SPLITS, "{split: hooks.py:records}", '{"items": [{"id": "a"}]}'),
        (STRICT, "{page: hooks.py:decode}", '<rows><row id="a"/></rows>'),
    ],
)
def test_an_error_inside_of_a_success_is_known_from_what_a_hook_gets(
    *, code: str, hooks: str, page: str, compressed: bool, cli: Cli
) -> None:
    define_hooked(cli.folder, code, dedent(RULES) + f"hooks: {hooks}\nsingle: certain", "paginator: none")
    replies = ['{"code": "SLOW"}', page, '{"code": "BROKEN"}', page]

    def respond(_path: str, _query: dict[str, str]) -> Reply:
        text = replies.pop(0)
        if compressed:
            return Reply(gzip.compress(text.encode()), [("Content-Encoding", "gzip")])
        return Reply(text)

    with serving(respond) as api:
        assert found(cli, pull(cli, api)) == [{"id": "a"}]
        done = pull(cli, api, "--restart")
        assert done.code == 1, done.err
        assert "hook raised" not in done.err
        assert found(cli, pull(cli, api, "--restart")) == [{"id": "a"}]
    assert not replies


def test_a_rule_about_what_is_missing_is_not_asked_of_what_a_hook_reads(cli: Cli) -> None:
    rules = "errors: [{when: {status: 200, body: {/ok: {empty: true}}}, then: fail}]\nrecords: /items"
    code = """
        def decode(body, response):
            return b'{"ok": true, "items": [{"id": "a"}]}'
    """
    define_hooked(cli.folder, code, f"{rules}\nhooks: {{page: hooks.py:decode}}\nsingle: certain", "paginator: none")
    with serving(lambda _path, _query: Reply('{"data": "..."}')) as api:
        assert found(cli, pull(cli, api)) == [{"id": "a"}]


@pytest.mark.parametrize(
    ("code", "hooks"),
    [
        (STRICT, "{page: hooks.py:decode}"),
        (SPLITS, "{split: hooks.py:records}"),
    ],
)
def test_a_hook_is_not_asked_for_what_has_no_body(code: str, hooks: str, cli: Cli) -> None:
    define_hooked(cli.folder, code, f"hooks: {hooks}\nempty: no_body\nsingle: certain", "paginator: none")
    with serving(lambda _path, _query: Reply("")) as api:
        assert found(cli, pull(cli, api)) == []


@pytest.mark.parametrize("empty", [Reply(status=204), Reply("")])
@pytest.mark.parametrize("missing", [{1}, {2, 3}, {4}, {1, 2, 3, 4}])
def test_a_hook_says_what_comes_behind_a_page_that_is_declared_empty(empty: Reply, missing: set[int], cli: Cli) -> None:
    code = """
        def next_page(request, response):
            day = int(request.query["day"])
            return {"query": {"day": day + 1}} if day < 4 else None
    """
    define_hooked(cli.folder, code, "empty: [no_body, 204]\nquery: {day: '1'}", BY_NUMBER)

    def respond(_path: str, query: dict[str, str]) -> Reply:
        day = int(query["day"])
        return empty if day in missing else Reply([{"id": day}])

    with serving(respond) as api:
        assert found(cli, pull(cli, api)) == [{"id": day} for day in range(1, 5) if day not in missing]


# Memory.


def test_large_pages_of_lists_side_by_side_pass_through_hooks_one_at_a_time(cli: Cli) -> None:
    code = """
        import threading
        import zlib

        at_work = threading.Lock()

        def records(body, response):
            if not at_work.acquire(blocking=False):
                raise RuntimeError("two large pages at a time")
            try:
                # Others get their turn while it is at work.
                zlib.compress(body, 9)
                return [{"id": body[:8].strip().decode()}]
            finally:
                at_work.release()
    """
    values = [f"v{number}" for number in range(30)]
    listed = f"""
hooks: {{split: hooks.py:records}}
partitions: {{name: kind, values: {json.dumps(values)}}}
query: {{kind: '{{kind}}'}}
"""
    define_hooked(cli.folder, code, listed, "paginator: none")
    with serving(lambda _path, query: Reply(f"{query['kind']:8}".encode() + bytes(3_000_000))) as api:
        assert sorted(record["id"] for record in found(cli, pull(cli, api))) == sorted(values)


def test_a_page_of_one_of_several_lists_that_is_too_large_is_named(tmp_path: Path) -> None:
    forge = CodedForge()
    forge.add("a", "b")
    forge.add("c", "d" * 5_000_000)
    lists = {kind: nested.listing(level, **THROUGH["page"]) for level, kind in enumerate(nested.KINDS)}
    with (
        nested.serving(forge, tmp_path, "repos", **lists) as lake,
        pytest.raises(CirculateError, match="larger than 4 MB"),
    ):
        lake.pull(memory="16MB")
