"""Hooks: functions of one's own that pages and requests pass through; what they make, and what comes of failures."""

import asyncio
import base64
import hashlib
import hmac
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from textwrap import dedent
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from support import hooked
from support.cli import Cli, Done
from support.commands import PATIENCE
from support.hooked import BY_NUMBER, BY_PAGES, DECODE, NEXT, PAGES, RECORDS, define_hooked
from support.http_server import Handler, Reply, Server
from support.paging_pulls import written, written_by
from support.places import client
from support.scripted import Api, pull, serving
from support.snapshots import assert_snapshot, stable

import circulate_core
from circulate_core import Stop, exceptions
from circulate_core.catalogs import SHIPPED_CATALOG, catalog_of
from circulate_core.hooks import Response

SPLIT = """
    def records(body, response):
        return [line for line in body.splitlines()]
"""
UNZIP = """
    import io
    import zipfile

    def unzip(body, response):
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            for name in archive.namelist():
                yield archive.read(name)
"""


def assert_failed(done: Done, *parts: str, code: int = 1) -> None:
    assert done.code == code, done.err
    for part in parts:
        assert part in done.err, done.err
    assert "Traceback" not in done.err


def found(cli: Cli, done: Done) -> list[Any]:
    """Return the records of a run that is complete."""
    assert (done.code, done.report["status"]) == (0, "complete"), done.err
    return written_by(cli.folder / "lake" / done.report["manifest"])


MADE: dict[str, tuple[Callable[[str, dict[str, str]], Reply], str, str]] = {
    "xml": (hooked.xml, DECODE, "hooks: {page: hooks.py:decode}"),
    "zip": (hooked.zipped, UNZIP, "format: ndjson\nhooks: {page: hooks.py:unzip}"),
    "lines": (hooked.lines, SPLIT, "hooks: {split: hooks.py:records}"),
    "both": (
        hooked.zipped,
        UNZIP
        + SPLIT.replace("[line for line in body.splitlines()]", "map(json.loads, body.splitlines())").replace(
            "def records", "import json\n\n    def records"
        ),
        "hooks: {page: hooks.py:unzip, split: hooks.py:records}",
    ),
}


@pytest.mark.parametrize("paginator", [BY_PAGES, BY_NUMBER], ids=["page", "hook"])
@pytest.mark.parametrize("name", MADE)
def test_pages_that_pass_through_hooks_are_pulled_whole(cli: Cli, name: str, paginator: str) -> None:
    respond, code, listed = MADE[name]
    define_hooked(cli.folder, dedent(code) + dedent(NEXT), listed, paginator)
    with serving(respond) as api:
        done = pull(cli, api)
        assert found(cli, done) == RECORDS
    assert done.report["ends"]["counts"] == {"hook" if paginator == BY_NUMBER else "total": 1}


def test_a_manifest_says_which_hook_made_its_records(cli: Cli) -> None:
    file = define_hooked(cli.folder, DECODE, "hooks: {page: hooks.py:decode}")
    with serving(hooked.xml) as api:
        manifest = circulate_core.manifest(cli.folder / "lake" / pull(cli, api).report["manifest"])
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert manifest.made_by == {"hooks": {"page": {"hook": "hooks.py:decode", "sha256": digest}}}


@pytest.mark.parametrize(
    ("listed", "body", "made_by"),
    [
        ("format: csv", "id\na\n", {"format": "csv"}),
        ("records: {scalars: ''}", '["a"]', {"records": "scalars"}),
        ("", '[{"id": "a"}]', None),
    ],
)
def test_a_manifest_says_what_else_made_its_records(cli: Cli, listed: str, body: str, made_by: object) -> None:
    define_hooked(cli.folder, "", f"{listed}\nsingle: certain", "paginator: none")
    if "scalars" in listed:
        file = cli.folder / "catalog/acme/items.yaml"
        file.write_text(file.read_text().replace("[/id]", "[/value]"))
    with serving(lambda _path, _query: Reply(body)) as api:
        assert circulate_core.manifest(cli.folder / "lake" / pull(cli, api).report["manifest"]).made_by == made_by


def test_records_that_are_bytes_stay_as_they_are(cli: Cli) -> None:
    text = '{"id" : "r1",  "n":1.0e+2, "half": "\\ud800", "é":"\\u00e9"}'
    define_hooked(cli.folder, SPLIT, "hooks: {split: hooks.py:records}", "paginator: none")
    with serving(lambda _path, _query: Reply(f"  {text}\t")) as api:
        done = pull(cli, api, "--format", "ndjson", "--compression", "none")
    [data] = (cli.folder / "lake/acme").rglob("*.ndjson")
    assert (done.report["records"], data.read_text().strip()) == (1, text)


def test_records_that_are_dicts_keep_what_json_can_hold(cli: Cli) -> None:
    record = {"id": "r1", "half": "\ud800", "é": ["é", 1, 1.5, None, True], "big": 10**40}
    code = f"""
        def records(body, response):
            yield {record!r}
    """
    define_hooked(cli.folder, code, "hooks: {split: hooks.py:records}", "paginator: none")
    with serving(lambda _path, _query: Reply("anything")) as api:
        assert found(cli, pull(cli, api)) == [record]


def test_a_page_without_records_is_an_empty_list(cli: Cli) -> None:
    define_hooked(cli.folder, SPLIT, "hooks: {split: hooks.py:records}", "paginator: none")
    with serving(lambda _path, _query: Reply("")) as api:
        assert found(cli, pull(cli, api)) == []


def test_a_hook_may_make_more_of_a_page_than_memory_holds_at_once(cli: Cli) -> None:
    code = """
        import json

        def decode(body, response):
            yield b"["
            for number in range(40_000):
                yield b"," * bool(number) + json.dumps({"id": number, "text": "x" * 1_000}).encode()
            yield b"]"
    """
    define_hooked(cli.folder, code, "hooks: {page: hooks.py:decode}", "paginator: none")
    with serving(lambda _path, _query: Reply("small")) as api:
        done = pull(cli, api, "--memory", "16MB")
    assert (done.report["status"], done.report["records"]) == ("complete", 40_000)


def test_a_page_that_is_too_large_for_a_hook_is_refused(cli: Cli) -> None:
    define_hooked(cli.folder, DECODE, "hooks: {page: hooks.py:decode}", "paginator: none")
    with serving(lambda _path, _query: Reply(b" " * 4_000_001)) as api:
        assert_failed(pull(cli, api, "--memory", "16MB"), "larger than 4 MB", "give more memory")


def test_an_error_inside_of_a_success_is_known_from_what_a_hook_made(cli: Cli) -> None:
    code = """
        def decode(body, response):
            return b'{"error": "slow"}' if body == b"slow" else b'{"items": [{"id": "' + body + b'"}]}'
    """
    rules = "errors: [{when: {status: 200, body: {/error: [slow]}}, then: retry}]\nrecords: /items"
    define_hooked(cli.folder, code, f"hooks: {{page: hooks.py:decode}}\n{rules}\nsingle: certain", "paginator: none")
    replies = ["slow", "slow", "good"]
    with serving(lambda _path, _query: Reply(replies.pop(0))) as api:
        done = pull(cli, api)
        assert found(cli, done) == [{"id": "good"}]
        assert (len(api.requests), done.report["retries"]) == (3, 2)


class Stopping:
    """An API that stops a pull behind some requests, and holds the next one back until the pull has ended."""

    def __init__(self, requests: int) -> None:
        self.begin(requests)

    def begin(self, requests: int) -> None:
        """Get ready for a pull that is stopped behind that many requests."""
        self.stop, self.ended, self.is_held = Stop(), threading.Event(), threading.Event()
        self.left = iter(range(requests))

    def __call__(self, path: str, query: dict[str, str]) -> Reply:
        """Respond, or request the stop where it is due."""
        stop, ended, is_held = self.stop, self.ended, self.is_held
        if next(self.left, None) is None:
            stop.request()
            is_held.set()
            ended.wait(PATIENCE)
        return hooked.zipped(path, query)


THROUGH_ALL = (
    UNZIP
    + """
    import json

    def records(body, response):
        return map(json.loads, body.splitlines())
"""
)


def test_a_list_through_hooks_that_is_stopped_at_every_page_is_pulled_whole(tmp_path: Path) -> None:
    listed = "hooks: {page: hooks.py:unzip, split: hooks.py:records}"
    catalog = define_hooked(tmp_path, dedent(THROUGH_ALL) + dedent(NEXT), listed, BY_NUMBER).parent.parent
    respond = Stopping(0)
    with serving(respond) as api:
        for page in range(1, PAGES):
            respond.begin(1)
            report = stopped_or_whole(api, catalog, tmp_path, respond.stop)
            respond.ended.set()
            assert (report.status, report.records) == ("partial", 2 * page)
        respond.begin(PAGES)
        report = stopped_or_whole(api, catalog, tmp_path, respond.stop)
    assert (report.status, report.resumed) == ("complete", True)
    assert written(tmp_path / "lake", report) == RECORDS
    assert api.requests[-1] == f"/items?page={PAGES}"


def stopped_or_whole(api: Api, catalog: Path, folder: Path, stop: Stop) -> circulate_core.Report:
    settings = {"base_url": api.url}
    return circulate_core.pull(
        "acme.items", to=folder / "lake", catalog=[catalog], settings=settings, account="acme", stop=stop
    )


@pytest.mark.parametrize("page", range(1, PAGES + 1))
def test_a_list_through_hooks_whose_process_is_killed_is_pulled_whole(cli: Cli, page: int) -> None:
    listed = "hooks: {page: hooks.py:unzip, split: hooks.py:records}"
    define_hooked(cli.folder, dedent(THROUGH_ALL) + dedent(NEXT), listed, BY_NUMBER)
    respond = Stopping(page - 1)
    with serving(respond) as api:
        own = Cli(cli.folder, cli.environment | {"ACME_URL": api.url}, cli.place)
        lease = ("--lease", "200ms")
        command = ["pull", "acme.items", "--catalog", "catalog", "--to", "lake", "--account", "acme", *lease]
        with own.start(*command) as pulling:
            assert respond.is_held.wait(PATIENCE)
            pulling.kill()
            pulling.communicate(timeout=PATIENCE)
        respond.ended.set()
        respond.begin(3 * PAGES)
        assert found(cli, after_lease(cli, api)) == RECORDS


def after_lease(cli: Cli, api: Api) -> Done:
    """Pull as soon as the lease of a killed process has lapsed."""
    done = pull(cli, api)
    while done.code == 4:
        done = pull(cli, api)
    return done


def test_lists_side_by_side_pass_through_hooks_at_the_same_time(cli: Cli) -> None:
    # Each call but the first one, which is alone on its way, waits for another one.
    code = """
        import itertools
        import threading

        calls = itertools.count()
        together = threading.Barrier(2, timeout=60)

        def records(body, response):
            if next(calls):
                together.wait()
            yield {"id": body.decode()}
    """
    listed = (
        "hooks: {split: hooks.py:records}\npartitions: {name: kind, values: [a, b, c, d, e]}\nquery: {kind: '{kind}'}"
    )
    define_hooked(cli.folder, code, listed, "paginator: none")
    with serving(lambda _path, query: Reply(query["kind"])) as api:
        assert {record["id"] for record in found(cli, pull(cli, api))} == set("abcde")


def test_parents_pass_through_hooks_too(cli: Cli) -> None:
    items = define_hooked(cli.folder, DECODE, "hooks: {page: hooks.py:decode}").with_name("items.yaml")
    items.with_name("parts.yaml").write_text(
        "endpoint: parts\nabout: Parts.\nscopes: []\nlist:\n  path: '/items/{id}'\n  primary_key: [/id]\n"
        "  parent: {endpoint: items, fields: {id: /id}}\n  paginator: none\n"
    )

    def respond(path: str, query: dict[str, str]) -> Reply:
        return hooked.xml(path, query) if path == "/items" else Reply([{"id": f"part of {path.rpartition('/')[2]}"}])

    with serving(respond) as api:
        command = ["pull", "acme.parts", "--catalog", "catalog", "--to", "lake", "--account", "acme", "--json"]
        done = cli(*command, ACME_URL=api.url)
        assert {record["id"] for record in found(cli, done)} == {f"part of {record['id']}" for record in RECORDS}


def test_a_pull_that_is_awaited_goes_through_hooks(tmp_path: Path) -> None:
    catalog = define_hooked(tmp_path, DECODE, "hooks: {page: hooks.py:decode}").parent.parent
    with serving(hooked.xml) as api:
        settings = {"base_url": api.url}
        pulling = circulate_core.pull_async("acme.items", to=tmp_path / "lake", catalog=[catalog], settings=settings)
        report = asyncio.run(pulling)
    assert written(tmp_path / "lake", report) == RECORDS


BODIES = {
    "json": ("body: {json: {limit: 2}}", '{"body": {"cursor": page + 1}}', "json.loads(request.body).get('cursor', 1)"),
    "a member inside": (
        "body: {json: {limit: 2}}",
        '{"body": {"/page/number": page + 1}}',
        "json.loads(request.body).get('page', {}).get('number', 1)",
    ),
    "form": (
        "body: {form: {limit: '2'}}",
        '{"body": {"page": page + 1}}',
        "int(dict(parse_qsl(request.body.decode())).get('page', 1))",
    ),
    "header": ("method: POST", '{"headers": {"X-Page": page + 1}}', "int(request.headers.get('X-Page', 1))"),
    "url": ("method: POST", 'f"/items?page={page + 1}"', "int(request.query.get('page', 1))"),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_hook_says_the_next_request_in_any_part_of_it(cli: Cli, name: str) -> None:
    listed, returned, number = BODIES[name]
    code = f"""
        import json
        from urllib.parse import parse_qsl

        def next_page(request, response):
            assert request.method == "POST"
            page = {number}
            return {returned} if len(response.json()) == 2 else None
    """
    define_hooked(cli.folder, code, listed, BY_NUMBER)
    seen: list[int] = []

    def respond(request: Handler) -> Reply:
        split = urlsplit(request.path)
        fields = dict(parse_qsl(split.query))
        kind = request.headers["Content-Type"] or ""
        if "json" in kind:
            document = json.loads(request.body)
            fields |= {"page": str(document.get("cursor", document.get("page", {}).get("number", 1)))}
        elif "form" in kind:
            fields |= dict(parse_qsl(request.body.decode()))
        number = int(request.headers["X-Page"] or fields.get("page", 1))
        seen.append(number)
        return Reply(hooked.page_of({"page": str(number)}))

    with Server(respond) as server:
        assert found(cli, pull(cli, Api(server.url, []))) == RECORDS
    # What is not full ends the list.
    assert seen[: PAGES + 1] == [1, 2, 3, 4, 5]


# What fails.

RAISING = {
    "page": ("hooks: {page: hooks.py:fails}", BY_PAGES),
    "split": ("hooks: {split: hooks.py:fails}", BY_PAGES),
    "paginator": ("", "paginator: {hook: hooks.py:fails}"),
}
RAISES = """
    class BrokenError(Exception):
        pass


    def helper(thing):
        raise BrokenError(f"cannot read {thing}")


    def fails(first, second):
        helper("the page")
"""
RAISES_LATER = """
    def fails(body, response):
        yield b"[{}"
        yield from ()
        raise KeyError("later")
"""
EXITS = """
    import sys

    def fails(first, second):
        sys.exit("good bye")
"""


def test_what_is_said_of_a_hook_that_raises(cli: Cli) -> None:
    said = []
    for kind, (listed, paginator) in RAISING.items():
        for name, code in {"raises": RAISES, "raises later": RAISES_LATER, "exits": EXITS}.items():
            if (kind, name) == ("paginator", "raises later"):
                continue
            define_hooked(cli.folder, code, listed, paginator)
            with serving(lambda _path, _query: Reply([{"id": "a"}])) as api:
                done = pull(cli, api, "--restart")
            assert (done.code, len(api.requests)) == (1, 1), done.err
            assert not (cli.folder / "lake/acme").exists()
            said.append(f"# {kind} {name}\n{done.err}")
    assert_snapshot("errors/hooks", stable("\n".join(said), folder=cli.folder))


NONSENSE: dict[str, list[tuple[str, str]]] = {
    "page": [
        ("None", "returned None: a page is bytes"),
        ("'[]'", "returned a str: a page is bytes"),
        ("{}", "returned a dict: a page is bytes"),
        ("7", "returned an int: a page is bytes"),
        ("[b'[', 7]", "yielded an int: a page is bytes"),
        ("['x']", "yielded a str: a page is bytes"),
        ("b'no json'", "the page is not JSON"),
        ('b\'[{"x": "\\xff"}]\'', "not UTF-8"),
        ("b'[NaN]'", "the page is not JSON"),
        ("b'{}'", "the page has no array of records"),
        ("b'[{}] trailing'", "the page is not JSON"),
        ("b''", "the page has an empty body"),
        ("(x for x in 1 / 0)", "raised ZeroDivisionError: division by zero"),
    ],
    "split": [
        ("None", "returned None: records are a list"),
        ("'text'", "returned a str: records are a list"),
        ("b'[]'", "returned a bytes: records are a list"),
        ("{}", "returned a dict: records are a list"),
        ("[None]", "has for record 1 None: a record is a dict"),
        ("[{}, 'x']", "has for record 2 a str: a record is a dict"),
        ("[[]]", "has for record 1 a list: a record is a dict"),
        ("[{'x': float('nan')}]", "record 1 can't be written as JSON: Out of range float values"),
        ("[{'x': {1, 2}}]", "record 1 can't be written as JSON: Object of type set"),
        ("[{'x': b'y'}]", "record 1 can't be written as JSON: Object of type bytes"),
        ("[b'{}', b'[]']", "record 2 is an array, and a record is an object"),
        ("[b'{}', b'7']", "record 2 is a number, and a record is an object"),
        ("[b'']", "record 1 is not"),
        ("[b'{}{}']", "record 1 is not"),
        ("[b'{},{}']", "record 1 is not"),
        ("[b'{}]']", "record 1 is not"),
        ("[b'{\"x\": 1']", "record 1 is not"),
        ("[b'{\"x\": NaN}']", "record 1 is not JSON"),
        ('[b\'{"x": "\\xff"}\']', "record 1 is not UTF-8"),
        ("[{'x': 'y' * 17_000_000}]", "record 1 is larger than records may be"),
    ],
    "paginator": [
        ("7", "returned an int: expected a dict with `url`"),
        ("b'/x'", "returned a bytes: expected a dict"),
        ("['/x']", "returned a list: expected a dict"),
        ("{'path': '/x'}", "returned the key 'path'; the keys here are url, query, headers, body"),
        ("{'url': 7}", "has for `url` an int: a URL is a str"),
        ("{'query': 'x=1'}", "has for `query` a str: it is a dict"),
        ("{'query': {1: 'x'}}", "has for `query` a dict: it is a dict of names"),
        ("{'query': {'x': [1]}}", "has for `query.x` a list: it is a text or a number"),
        ("{'query': {'x': float('inf')}}", "has for `query.x` a float"),
        ("{'headers': {'bad name': 'x'}}", "invalid header"),
        ("{'headers': {'X': 'a\\r\\nb'}}", "invalid header"),
        ("{'body': {'/x': 1}}", "requests of the list have none"),
        ("'http://['", "the `url` that it returned is none"),
        ("'https://elsewhere.example/x'", "the next page is on another origin"),
        ("'//elsewhere.example/x'", "the next page is on another origin"),
        ("'http://user:pass@127.0.0.1/x'", "the next page is on another origin"),
        ("{'query': {'x': 'y' * 70_000}}", "more than any server takes"),
    ],
}


@pytest.mark.parametrize(
    ("kind", "made", "what"), [(kind, *each) for kind, all_of in NONSENSE.items() for each in all_of]
)
def test_nonsense_that_a_hook_returns_fails_and_names_it(cli: Cli, kind: str, made: str, what: str) -> None:
    listed, paginator = RAISING[kind]
    define_hooked(cli.folder, f"def fails(first, second):\n    return {made}\n", listed, paginator)
    with serving(lambda _path, _query: Reply([{"id": "a"}])) as api:
        done = pull(cli, api)
    assert_failed(done, what, *([] if "origin" in what or "server takes" in what else ["hook hooks.py:fails"]))
    assert not (cli.folder / "lake/acme").exists()


def test_a_list_that_a_hook_leads_in_a_circle_is_found(cli: Cli) -> None:
    define_hooked(
        cli.folder, "def fails(request, response): return '/items?page=1'", "", "paginator: {hook: hooks.py:fails}"
    )
    with serving(lambda _path, _query: Reply([{"id": "a"}])) as api:
        assert_failed(pull(cli, api), "the list runs in a circle")


LOADED = {
    "def decode(body, response:\n    pass": "hooks.py:1: SyntaxError: '(' was never closed",
    "import nowhere_at_all": "hooks.py:1: ModuleNotFoundError: No module named 'nowhere_at_all'; a hook imports "
    "what is installed, and no file beside it",
    "import sys\n\nsys.exit(7)": "hooks.py:3: SystemExit: 7",
    "def other(body, response): ...": "hooks.py:1: there is no function `decode` in it",
    "decode = 7": "hooks.py:1: `decode` is not a function",
    "\ndef decode(body): ...": "hooks.py:2: `decode` has to take two arguments",
    "def decode(body, response, *, more): ...": "hooks.py:1: `decode` has to take two arguments",
    "async def decode(body, response): ...": "hooks.py:1: `decode` is an async function",
    "\0": "hooks.py:1: ",
}


@pytest.mark.parametrize("code", LOADED)
def test_a_file_of_hooks_that_is_wrong_is_an_error_before_any_request(cli: Cli, code: str) -> None:
    define_hooked(cli.folder, code, "hooks: {page: hooks.py:decode}")
    with serving(hooked.xml) as api:
        assert_failed(pull(cli, api), LOADED[code], code=2)
        assert api.requests == []


def test_all_that_is_wrong_with_hooks_is_said_at_once(cli: Cli) -> None:
    define_hooked(
        cli.folder,
        "def other(): ...",
        "hooks: {page: hooks.py:decode, split: more.py:f}",
        "paginator: {hook: hooks.py:other}",
    )
    (cli.folder / "catalog/acme/more.py").write_text("1 +\n")
    with serving(hooked.xml) as api:
        done = pull(cli, api)
    assert_failed(done, "there is no function `decode`", "`other` has to take two", "more.py:1: SyntaxError", code=2)


# What blocks.

BLOCKS_AT = """
    import threading
    import urllib.request
    import os

    def blocks(body, response):
        if response.headers["X-Page"] == "{page}":
            urllib.request.urlopen(os.environ["ACME_URL"] + "/blocked")
            {waits}
        return body
"""
WAITS = "threading.Event().wait()"
SPINS = "while True: pass"


class Blocking:
    """An API whose pages say their number, and that is told when a hook blocks."""

    def __init__(self) -> None:
        self.is_blocked = threading.Event()

    def __call__(self, path: str, query: dict[str, str]) -> Reply:
        """Respond; a hook requests `/blocked` before it blocks."""
        if path == "/blocked":
            self.is_blocked.set()
            return Reply("")
        number = query.get("page", "1")
        return Reply(hooked.page_of(query), [("X-Pages", str(PAGES)), ("X-Page", number)])


@pytest.mark.parametrize("waits", [WAITS, SPINS])
def test_a_hook_that_blocks_fails_its_run_at_the_deadline_and_the_process_ends(cli: Cli, waits: str) -> None:
    define_hooked(cli.folder, BLOCKS_AT.format(page=3, waits=waits), "hooks: {page: hooks.py:blocks}")
    with serving(Blocking()) as api:
        done = hooked.pull(cli, api, "--deadline", "4s")
        what = [
            "the hook had not returned at the deadline",
            "hook hooks.py:blocks",
            "its thread stays until this process",
        ]
        assert_failed(done, *what)
        # What was read before it is kept.
        assert (done.report["records"], done.report["status"]) == (4, "failed")
        blocks = cli.folder / "catalog/acme/hooks.py"
        requests = len(api.requests)
        again = hooked.pull(cli, api, "--deadline", "4s")
        assert_failed(again, "the hook had not returned at the deadline")
        assert [path for path in api.requests[requests:] if path != "/blocked"] == ["/items?page=3"]
        blocks.write_text("def blocks(body, response): return body\n")
        assert found(cli, pull(cli, api, "--restart")) == RECORDS


def test_ctrl_c_stops_a_pull_whose_hook_blocks(cli: Cli) -> None:
    define_hooked(cli.folder, BLOCKS_AT.format(page=2, waits=WAITS), "hooks: {page: hooks.py:blocks}")
    respond = Blocking()
    with serving(respond) as api:
        own = Cli(cli.folder, cli.environment | {"ACME_URL": api.url}, cli.place)
        with own.start(
            "pull", "acme.items", "--catalog", "catalog", "--to", "lake", "--account", "acme", "--json"
        ) as pulling:
            assert respond.is_blocked.wait(PATIENCE)
            pulling.send_signal(signal.SIGINT)
            out, err = pulling.communicate(timeout=PATIENCE)
    report = json.loads(out)
    assert (pulling.returncode, report["status"], report["records"]) == (130, "partial", 2), err
    assert "the hook hooks.py:blocks has not returned" in err


def test_a_file_of_hooks_that_blocks_while_it_is_loaded_ends_at_the_deadline(cli: Cli) -> None:
    define_hooked(cli.folder, "import threading\nthreading.Event().wait()\n", "hooks: {page: hooks.py:blocks}")
    with serving(Blocking()) as api:
        done = hooked.pull(cli, api, "--deadline", "1s")
        assert_failed(done, "stopped (deadline) while a file with hooks was being run: hooks.py")
        assert api.requests == []


def test_a_hook_that_blocks_is_given_up_after_the_time_of_a_request(cli: Cli) -> None:
    define_hooked(cli.folder, BLOCKS_AT.format(page=1, waits=WAITS), "hooks: {page: hooks.py:blocks}")
    source = cli.folder / "catalog/acme/source.yaml"
    source.write_text(source.read_text() + "timeouts: {total: 2s}\n")
    with serving(Blocking()) as api:
        assert_failed(hooked.pull(cli, api), "the hook had not returned within 2 s")
        assert len(api.requests) == 2, "it is not called again"


# Where hooks may be.


@pytest.mark.parametrize(
    "hook", ["../hooks.py:f", "/etc/hooks.py:f", "sub/hooks.py:f", "hooks:f", "hooks.py", "os.system"]
)
def test_a_hook_names_no_file_elsewhere(cli: Cli, hook: str) -> None:
    define_hooked(cli.folder, DECODE, f"hooks: {{page: '{hook}'}}")
    with serving(hooked.xml) as api:
        assert_failed(pull(cli, api), f"`{hook}` is not a hook", "items.yaml:", code=2)


def test_a_file_with_a_hook_is_no_link(cli: Cli, tmp_path: Path) -> None:
    file = define_hooked(cli.folder, DECODE, "hooks: {page: hooks.py:decode}")
    elsewhere = file.rename(tmp_path / "elsewhere.py")
    file.symlink_to(elsewhere)
    with serving(hooked.xml) as api:
        assert_failed(pull(cli, api), "it is a link", "hooks.py", code=2)
        file.unlink()
        assert_failed(pull(cli, api), "there is none", "hooks.py", code=2)
        assert api.requests == []


def test_no_hook_runs_of_a_catalog_that_only_a_file_in_the_working_folder_names(cli: Cli) -> None:
    define_hooked(cli.folder, f"open('ran', 'w').close()\n{dedent(DECODE)}", "hooks: {page: hooks.py:decode}")
    (cli.folder / "circulate.toml").write_text('catalog = ["catalog"]\n')
    with serving(hooked.xml) as api:
        command = ["pull", "acme.items", "--to", "lake", "--set", f"base_url={api.url}"]
        assert_failed(cli(*command), "which may not run", "only named by ./circulate.toml", "--catalog", code=2)
        assert cli("list").code == 0
        assert (api.requests, (cli.folder / "ran").exists()) == ([], False)
        assert cli(*command, "--catalog", "catalog").code == 0
        assert cli(*command, CIRCULATE_CATALOG="catalog").code == 0


def test_no_hook_runs_where_definitions_are_only_looked_at(cli: Cli) -> None:
    define_hooked(cli.folder, "open('ran', 'w')\n", "hooks: {page: hooks.py:decode}")
    for command in (["list"], ["describe", "acme"], ["describe", "acme.items"]):
        assert cli(*command, "--catalog", "catalog").code == 0
    assert not (cli.folder / "ran").exists()


def test_a_shipped_definition_has_no_hooks(tmp_path: Path) -> None:
    for file in Path(SHIPPED_CATALOG).rglob("*.yaml"):
        text = file.read_text()
        assert not {"hooks:", "hook:"} & set(text.split()), file
    assert not list(Path(SHIPPED_CATALOG).rglob("*.py"))
    folder = define_hooked(tmp_path, DECODE, "hooks: {page: hooks.py:decode}").parent.parent
    shipped = circulate_core._core.Catalog([folder], None, {str(folder): "shipped definitions have none"})  # noqa: SLF001
    account = circulate_core._core.Account(shipped, circulate_core._core.Settings({"base_url": "http://127.0.0.1:9"}))  # noqa: SLF001
    with pytest.raises(exceptions.DefinitionError, match="may not run: shipped definitions have none"):
        circulate_core._core.check("acme", ["acme.items"], account)  # noqa: SLF001


WRONG = {
    "hooks: {split: hooks.py:f}\nrecords: /items": "`records` says where in a page the records are",
    "hooks: {split: hooks.py:f}\nformat: ndjson": "`format: ndjson` says what records are made of",
    "hooks: {split: hooks.py:f}\nempty: missing": "`null` and `missing` are about a member",
    "hooks: {splt: hooks.py:f}": "unknown key `splt`",
}


@pytest.mark.parametrize("listed", WRONG)
def test_what_does_not_go_with_a_hook_is_said(cli: Cli, listed: str) -> None:
    define_hooked(cli.folder, "def f(body, response): ...", listed)
    assert_failed(cli("check", "acme.items", "--catalog", "catalog"), WRONG[listed], "items.yaml:", code=2)


# What a hook is known by.


def test_an_unfinished_run_of_other_code_starts_over(cli: Cli) -> None:
    file = define_hooked(cli.folder, DECODE + NEXT, "hooks: {page: hooks.py:decode}", BY_NUMBER)
    file.write_text(
        file.read_text().replace("    page = int", "    if request.query.get('page') == '3': 1 / 0\n    page = int")
    )
    with serving(hooked.xml) as api:
        assert_failed(pull(cli, api), "raised ZeroDivisionError: division by zero", "at catalog/acme/hooks.py:9")
        assert_failed(pull(cli, api), "raised ZeroDivisionError")
        assert api.requests[-1] == "/items?page=3", "the same code goes on"
        file.write_text(dedent(DECODE + NEXT))
        before = len(api.requests)
        assert_failed(pull(cli, api), "an unfinished run was begun with another definition")
        done = pull(cli, api, "--restart")
        assert found(cli, done) == RECORDS
        assert api.requests[before] == "/items"


def test_the_digest_of_a_definition_has_all_code_that_it_runs(cli: Cli) -> None:
    file = define_hooked(cli.folder, DECODE, "hooks: {page: hooks.py:decode}")
    with serving(hooked.xml) as api:
        digests = []
        for code in (file.read_text(), file.read_text(), file.read_text() + "# other\n"):
            file.write_text(code)
            assert pull(cli, api).code == 0
            digests.append(ledger(cli)[0]["spec_hash"])
        file.write_text(file.read_text() + "\ndef again(body, response): return decode(body, response)\n")
        assert pull(cli, api).code == 0
        one = ledger(cli)[0]["spec_hash"]
        items = cli.folder / "catalog/acme/items.yaml"
        items.write_text(items.read_text().replace(":decode", ":again"))
        assert pull(cli, api).code == 0
        assert ledger(cli)[0]["spec_hash"] not in {one, *digests}
    assert digests[0] == digests[1] != digests[2]


def ledger(cli: Cli) -> list[dict[str, Any]]:
    """Return the runs of the lake, the newest first."""
    runs: list[dict[str, Any]] = json.loads(cli("runs", "--to", "lake", "--json").out)
    return runs


# Signing.

KEY = "s1gning-canary-0123456789"
SIGN = """
    import base64
    import hashlib
    import hmac

    def sign(request, settings):
        when = f"{request.time:%Y%m%dT%H%M%SZ}"
        text = f"{request.method}\\n{request.url}\\n{when}\\n".encode() + request.body
        digest = hmac.new(settings["key"].encode(), text, hashlib.sha256).digest()
        return {"headers": {"X-Date": when, "X-Signature": base64.b64encode(digest)%s}}
""".replace("%s", ".decode()")
TO_BODY = "method: POST\nbody: {json: {limit: 5}}"


class Signed(Server):
    """An API that lets in whoever signs what is requested, by its own clock."""

    def __init__(
        self, *, ahead: timedelta = timedelta(), key: str = KEY, rotates: Callable[[str], object] | None = None
    ) -> None:
        super().__init__(self._answer)
        self.ahead, self.key, self.requests = ahead, key, list[str]()
        self.refused = 0
        self.rotates = rotates

    def _answer(self, request: Handler) -> Reply:
        self.requests.append(request.path)
        now = datetime.now(UTC) + self.ahead
        date = [("Date", format_datetime(now, usegmt=True))]
        when = request.headers["X-Date"] or ""
        text = f"{request.command}\n{self.url}{request.path}\n{when}\n".encode() + request.body
        expected = hmac.new(self.key.encode(), text, hashlib.sha256).digest()
        good = request.headers["X-Signature"] == base64.b64encode(expected).decode()
        if not good or abs(now - datetime.strptime(when, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)) > timedelta(minutes=2):
            self.refused += 1
            said = f"wrong signature {request.headers['X-Signature']}"
            return Reply({"error": said}, date, 401, date=False)
        query = dict(parse_qsl(urlsplit(request.path).query))
        if self.rotates and query["page"] == "1":
            # It takes another key from the second page on.
            self.key = "an0ther-canary-9876543210"
            self.rotates(self.key)
        return Reply(hooked.page_of(query), [*date, ("X-Pages", str(PAGES))], date=False)


def define_signed(
    folder: Path, code: str = SIGN, sign: str = "hook: signing.py:sign, settings: [key]", listed: str = ""
) -> Path:
    """Write a catalog whose requests are signed by a hook; return its file."""
    file = define_hooked(folder, code, listed, file="signing.py")
    source = file.with_name("source.yaml")
    text = source.read_text().replace(
        "about: its address}}", "about: its address}, key: {env: ACME_KEY, about: k, secret: true}}"
    )
    source.write_text(text.replace("auth: [none]", f"auth: [{{sign: {{{sign}}}}}]"))
    return file


def pull_signed(cli: Cli, api: Any, *arguments: str, key: str = KEY) -> Done:  # noqa: ANN401 - what has a URL
    own = Cli(cli.folder, cli.environment | {"ACME_KEY": key}, cli.place)
    return pull(own, Api(api.url, []), *arguments)


@pytest.mark.parametrize("listed", ["", TO_BODY], ids=["GET", "POST"])
@pytest.mark.parametrize("minutes", [0, 10, -10])
def test_requests_that_a_hook_signs_are_let_in_by_the_clock_of_the_server(cli: Cli, listed: str, minutes: int) -> None:
    define_signed(cli.folder, listed=listed)
    with Signed(ahead=timedelta(minutes=minutes)) as api:
        assert found(cli, pull_signed(cli, api)) == RECORDS
    assert api.refused == bool(minutes), "the first one shows the time"


def test_a_signature_that_is_refused_shows_neither_it_nor_its_key(cli: Cli) -> None:
    define_signed(cli.folder)
    with Signed(key="another") as api:
        done = pull_signed(cli, api, "-vv")
    assert_failed(done, "401")
    assert "wrong signature ***" in done.err
    assert shown(cli, done, KEY) == []


def shown(cli: Cli, done: Done, *secrets: str) -> list[str]:
    """Return where secrets stand: in what was written to the terminal and to the lake."""
    texts = {"stdout": done.out, "stderr": done.err}
    files = [path for path in (cli.folder / "lake").rglob("*") if path.is_file()]
    texts |= {str(path): path.read_bytes().decode("latin-1") for path in files}
    return [f"{name}: {secret}" for name, text in texts.items() for secret in secrets if secret in text]


SAYS_ITS_KEY = {
    "raise ValueError(settings['key'])": "raised ValueError: ***",
    "raise ValueError(repr(settings))": "raised ValueError: {'key': '***'}",
    "raise KeyError(settings['key'].encode())": "raised KeyError: b'***'",
    "raise ValueError(settings['key'][:15])": "raised ValueError: ***",
    "int(settings['key'])": "raised ValueError: invalid literal for int() with base 10: '***'",
    "raise type(settings['key'], (Exception,), {})": "raised ",
    "return settings['key']": "returned a str: expected a dict",
    "return {settings['key']: 1}": "returned the key '***'",
    "return {'headers': {settings['key'] + ' x': '1'}}": "is not the name of a header",
    "return {'headers': {'X': settings['key'] + '\\n'}}": "characters that no header can hold",
    "return {'query': {settings['key']: '1'}}": "which the definition does not say",
}


@pytest.mark.parametrize("code", SAYS_ITS_KEY)
def test_what_goes_wrong_in_signing_does_not_show_the_key(cli: Cli, code: str) -> None:
    define_signed(cli.folder, f"def sign(request, settings):\n    {code}\n")
    with Signed() as api:
        done = pull_signed(cli, api, "-vv")
        assert api.requests == []
    assert_failed(done, SAYS_ITS_KEY[code], "hook signing.py:sign")
    assert shown(cli, done, KEY, KEY[:15]) == []


MOVES = {
    "{'url': 'https://elsewhere.example/'}": "returned the key 'url'; the keys here are headers, query",
    "{'method': 'DELETE'}": "returned the key 'method'",
    "{'path': '/other'}": "returned the key 'path'",
    "{'headers': {'Host': 'elsewhere.example'}}": "the header `host` says where or how a request is sent",
    "{'headers': {'Content-Length': '0'}}": "the header `content-length` says where or how",
    "{'headers': {'transfer-encoding': 'chunked'}}": "the header `transfer-encoding` says where or how",
    "{'query': {'page': '7'}}": "it sets the query parameter `page`, which the definition does not say",
    "None": "returned None: expected a dict",
    "{'headers': ['X-Key', '1']}": "has for `headers` a list",
    "{'headers': {'X-Key': None}}": "has for `headers.X-Key` None",
}


@pytest.mark.parametrize("made", MOVES)
def test_a_hook_that_signs_changes_neither_where_a_request_goes_nor_what_it_does(cli: Cli, made: str) -> None:
    define_signed(cli.folder, f"def sign(request, settings):\n    return {made}\n")
    with Signed() as api:
        assert_failed(pull_signed(cli, api), MOVES[made], "hook signing.py:sign")
        assert api.requests == []


def test_what_a_hook_puts_into_the_query_stands_in_no_address(cli: Cli) -> None:
    signature = "'s1gnature-canary-' + request.query.get('page', '1')"
    code = f"def sign(request, settings):\n    return {{'query': {{'sig': {signature}}}}}\n"
    file = define_signed(cli.folder, code, "hook: signing.py:sign, settings: [key], query: [sig]")
    items = file.with_name("items.yaml")
    items.write_text(items.read_text().replace(BY_PAGES, "paginator: {next_url: {header: X-Next}}"))

    def respond(_path: str, query: dict[str, str]) -> Reply:
        number = int(query.get("page", "1"))
        if query.get("sig") != f"s1gnature-canary-{number}":
            return Reply({"error": "no"}, status=403)
        again = [("X-Next", f"/items?page={number + 1}&sig={query['sig']}")] if number < PAGES else []
        return Reply(hooked.page_of(query), again)

    with serving(respond) as api:
        done = pull_signed(cli, api, "-vv")
        assert found(cli, done) == RECORDS
        assert all("sig=" in path for path in api.requests) or len(api.requests) == PAGES
    assert shown(cli, done, "s1gnature-canary") == []


def test_a_key_that_is_rotated_signs_from_then_on(cli: Cli, aws: str) -> None:
    define_signed(cli.folder)
    stored, secrets = f"acme-{cli.folder.name}", client("secretsmanager", aws)
    secrets.create_secret(Name=stored, SecretString=json.dumps({"key": KEY}))
    with Signed(
        rotates=lambda key: secrets.put_secret_value(SecretId=stored, SecretString=json.dumps({"key": key}))
    ) as api:
        own = Cli(cli.folder, cli.environment | {"AWS_ENDPOINT_URL": aws}, cli.place)
        done = pull(own, Api(api.url, []), "--secret", stored)
        assert found(cli, done) == RECORDS
        assert api.refused == 1
    assert shown(cli, done, KEY, api.key) == []


WRONG_SIGN = {
    "hook: signing.py:sign, settings: []": "`settings` names no secret",
    "hook: signing.py:sign, settings: [base_url]": "`settings` names no secret",
    "hook: signing.py:sign, settings: [nothing]": "auth uses `nothing`, which is not among the settings",
    "hook: signing.py:sign": "the key `settings` is missing",
    "hook: ../signing.py:sign, settings: [key]": "is not a hook",
}


@pytest.mark.parametrize("sign", WRONG_SIGN)
def test_a_signature_is_made_of_settings(cli: Cli, sign: str) -> None:
    define_signed(cli.folder, sign=sign)
    assert_failed(pull_signed(cli, Api("http://127.0.0.1:9", [])), WRONG_SIGN[sign], code=2)


def test_only_the_hook_that_signs_is_given_a_secret(cli: Cli) -> None:
    file = define_signed(cli.folder, listed="hooks: {page: hooks.py:look}")
    items = file.with_name("items.yaml")
    items.write_text(items.read_text().replace(BY_PAGES, BY_NUMBER))
    code = """
        import json

        def look(body, response):
            assert not any("X-Signature" in part or KEY in part for part in map(str, (vars_of(response), body)))
            return body

        def next_page(request, response):
            assert "x-signature" not in request.headers and "x-date" not in request.headers
            page = int(request.query.get("page", "1"))
            return {"query": {"page": page + 1}} if page < 4 else None

        KEY = "s1gning" + "-canary"

        def vars_of(response):
            return [response.status, dict(response.headers), response.body]
    """
    file.with_name("hooks.py").write_text(dedent(code))
    with Signed() as api:
        assert found(cli, pull_signed(cli, api)) == RECORDS


# In notebooks.


def decode(body: bytes, response: Response) -> bytes:  # noqa: ARG001
    import json  # noqa: PLC0415 - as hooks do that are given as functions
    from xml.etree import ElementTree as ET  # noqa: PLC0415 - as above

    return json.dumps([row.attrib for row in ET.fromstring(body).iter("row")]).encode()  # noqa: S314 - our own


def next_page(request, response):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    page = int(request.query.get("page", "1"))
    return f"?page={page + 1}" if page < int(response.headers["X-Pages"]) else None


def of_module(body, response):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201, ARG001
    return json.dumps(RECORDS).encode()


def test_functions_are_hooks_of_a_source_in_code_and_are_saved_with_it(tmp_path: Path) -> None:
    with serving(hooked.xml) as api:
        settings = {"base_url": api.url}
        acme = circulate_core.source("acme", base_url="{base_url}", settings=settings)
        items = acme.stream("items", path="/items", hooks={"page": decode}, paginator={"hook": next_page})
        assert list(items.records()) == RECORDS
        first = items.pull(to=tmp_path / "lake")
        saved = acme.save(tmp_path / "definitions")
        names = ["items.yaml", "items_decode.py", "items_next_page.py", "source.yaml"]
        assert sorted(path.name for path in saved) == names
        assert "hook: items_next_page.py:next_page" in (tmp_path / "definitions/acme/items.yaml").read_text()
        again = circulate_core.source("acme", catalog=[tmp_path / "definitions"], settings=settings).stream("items")
        second = again.pull(to=tmp_path / "lake")
        assert written(tmp_path / "lake", first) == written(tmp_path / "lake", second) == RECORDS
        hashes = {run.to_dict()["spec_hash"] for run in circulate_core.runs(tmp_path / "lake")}
        assert len(hashes) == 1, "what is saved is what was run"
        assert acme.save(tmp_path / "definitions") == saved


def outer() -> Any:  # noqa: ANN401 - a function
    n = 7

    def inside(body, response):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, ARG001
        return body * n

    return inside


NO_HOOKS = [
    (lambda body, response: body, "is not a plain function"),  # noqa: ARG005
    (of_module, "uses `RECORDS`, `json`, which is not defined in it"),
    (outer(), "uses `n`, which is not defined in it"),
    (len, "is not a function"),
    (eval("lambda body, response: body"), "the text of the hook"),  # noqa: S307
]


@pytest.mark.parametrize(("function", "why"), NO_HOOKS)
def test_a_function_that_does_not_stand_alone_is_no_hook(function: Any, why: str) -> None:  # noqa: ANN401
    acme = circulate_core.source("acme", base_url="http://127.0.0.1:9")
    with pytest.raises(exceptions.DefinitionError, match=why):
        acme.stream("items", path="/items", hooks={"page": function}, paginator="none")


def test_a_file_is_no_hook_of_a_source_that_is_in_no_folder() -> None:
    acme = circulate_core.source("acme", base_url="http://127.0.0.1:9")
    with pytest.raises(exceptions.DefinitionError, match="lies nowhere") as refused:
        acme.stream("items", path="/items", hooks={"page": "hooks.py:decode"}, paginator="none")
    assert "give the function itself" in str(refused.value.hint)


def test_a_stream_in_code_uses_the_hooks_of_its_source(tmp_path: Path) -> None:
    folder = define_hooked(tmp_path, DECODE, "hooks: {page: hooks.py:decode}").parent.parent
    with serving(hooked.xml) as api:
        acme = circulate_core.source("acme", catalog=[folder], settings={"base_url": api.url})
        paginator = {"page": {"to": "page", "pages": {"header": "X-Pages"}}}
        rows = acme.stream("rows", path="/items", hooks={"page": "hooks.py:decode"}, paginator=paginator)
        assert list(rows.records()) == RECORDS
        saved = acme.save(tmp_path / "saved")
    assert sorted(path.name for path in saved) == ["hooks.py", "rows.yaml", "source.yaml"]


def test_records_are_read_through_hooks_by_every_way_to_read(cli: Cli) -> None:
    define_hooked(cli.folder, DECODE, "hooks: {page: hooks.py:decode}")
    with serving(hooked.xml) as api:
        sample = cli("sample", "acme.items", "--catalog", "catalog", "-n", "3", ACME_URL=api.url)
        assert sample.code == 0
        assert "r1a" in sample.out
        schema = cli("schema", "acme.items", "--catalog", "catalog", ACME_URL=api.url)
        assert schema.code == 0
        assert "name" in schema.out
        check = cli("check", "acme.items", "--catalog", "catalog", ACME_URL=api.url)
        assert check.code == 0, check.err


def test_a_definition_without_hooks_does_not_import_what_runs_them(tmp_path: Path) -> None:
    code = (
        "import sys, circulate_core\n"
        "acme = circulate_core.source('acme', base_url=sys.argv[1])\n"
        "stream = acme.stream('items', path='/items', paginator='none')\n"
        "assert len(list(stream.records())) == 1\n"
        "print([name for name in sys.modules if name.startswith('circulate_core') and 'hook' in name])\n"
    )
    with serving(lambda _path, _query: Reply([{"id": "a"}])) as api:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code, api.url],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
    assert done.stdout == "[]\n"


def test_the_files_with_the_hooks_of_a_stream_are_known(tmp_path: Path) -> None:
    file = define_hooked(tmp_path, DECODE, "hooks: {page: hooks.py:decode}")
    file.with_name("other.py").write_text("of nobody")
    assert catalog_of([file.parent.parent]).hook_files("acme.items") == [("hooks.py", file.read_bytes())]
