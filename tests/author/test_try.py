"""`circulate try` and `circulate_core.propose`: what is found by looking, and that nothing else is believed."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from support.cli import Cli
from support.http_server import Handler, Reply, Server

import circulate_core
from circulate_core import exceptions
from circulate_core.authoring import members
from circulate_core.authoring.members import primary_key, record_lists, time_format
from circulate_core.authoring.proposal import Proposal
from circulate_practice.paging.kit import PagedList, make_records, serve
from circulate_practice.paging.kit.styles import STYLES
from circulate_practice.paging.kit.traps import TRAPS

pytestmark = pytest.mark.filterwarnings("ignore::circulate_core.IncompleteWarning")
COUNT = 23
NOT_FOUND = {
    "none": "nothing leads on from one page",
    "token_alone": "no other parameter may stand beside the token",
    "token_to_header": "the token goes where no address has it",
    "token_to_path": "likewise",
    "token_two": "two values go together",
    "wildcard": "records in arrays in an array",
    "ndjson_with_trailer": "the token is no record",
}
"""Styles whose paginator somebody has to write."""
REFUSED = "token_start"
GETS = [name for name, style in STYLES.items() if style.listing.get("method", "GET") == "GET" and name != REFUSED]
OF_ALL_KINDS = (
    *("link_header", "next_url", "token_more", "offset_total", "offset_by_page_size", "page", "page_zero"),
    *("page_pages", "page_total", "last_record_more"),
)


@contextmanager
def proposed(style: str, trap: str | None = None) -> Iterator[tuple[Proposal, PagedList]]:
    """Look at a list of a style."""
    items = PagedList(make_records(COUNT), style=style, trap=trap, page_size=5)
    with serve(items) as server:
        query = "&".join(f"{name}={value}" for name, value in STYLES[style].listing.get("query", {}).items())
        yield circulate_core.propose(f"{server.url}/items{'?' if query else ''}{query}", name="acme.items"), items


def finding(proposal: Proposal, key: str) -> tuple[str, str]:
    """Return how well a part is known, and what shows it."""
    (found,) = (found for found in proposal.findings if found.key == key)
    return found.status, found.evidence


@pytest.mark.parametrize("style", [name for name in GETS if name not in NOT_FOUND])
def test_what_is_proposed_reads_the_whole_list(style: str) -> None:
    with proposed(style) as (proposal, items):
        status, evidence = finding(proposal, "paginator")
        assert status == "probed", evidence
        records = [_plain(record) for record in proposal.stream.records(progress=False)]
        assert records == items.truth
        assert proposal.requests <= 45


def _plain(record: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
    """Return a record as the list has it."""
    record.pop("_circulate", None)
    return record["value"] if list(record) == ["value"] else record


@pytest.mark.parametrize("style", NOT_FOUND)
def test_what_cannot_be_found_is_not_proposed(style: str) -> None:
    with proposed(style) as (proposal, _):
        assert (proposal.paginator, finding(proposal, "paginator")[0]) == (None, "unknown")
        with pytest.raises(exceptions.DefinitionError, match="paginator"):
            _ = proposal.stream


def test_an_api_that_refuses_the_first_request_says_why() -> None:
    with pytest.raises(exceptions.RefusedError, match="the first request needs the token"), proposed("token_start"):
        pass


@pytest.mark.parametrize("trap", sorted(TRAPS))
def test_no_server_that_lies_makes_a_list_look_whole_that_is_not(trap: str) -> None:
    for style in OF_ALL_KINDS:
        try:
            PagedList(make_records(COUNT), style=style, trap=trap, page_size=5)
        except ValueError:
            continue
        try:
            with proposed(style, trap) as (proposal, items):
                if proposal.paginator is None:
                    continue
                stream = proposal.stream
                read = [_plain(record) for record in stream.records(progress=False)]
                whole = {json.dumps(record) for record in items.truth} <= {json.dumps(record) for record in read}
                assert whole or (stream.report is not None and stream.report.status != "complete"), style
        except exceptions.CirculateError:
            continue


def test_a_page_that_is_the_first_one_again_is_not_a_second_one() -> None:
    for style in ("link_header", "next_url", "token", "offset_total", "page_pages"):
        with proposed(style, "page_is_ignored") as (proposal, _):
            status, evidence = finding(proposal, "paginator")
            assert (status, "has records of the first one" in evidence) == ("unknown", True), style


@pytest.mark.parametrize("trap", ["total_too_high", "total_too_low", "pages_too_high"])
def test_a_count_that_is_not_true_is_not_believed(trap: str) -> None:
    style = "page_pages" if trap == "pages_too_high" else "offset_total"
    with proposed(style, trap) as (proposal, _):
        status, evidence = finding(proposal, "paginator")
        assert (status, "not true" in evidence) == ("unknown", True)


def test_a_count_of_records_is_not_taken_for_one_of_pages() -> None:
    records = [{"id": number} for number in range(57)]

    def respond(request: Handler) -> Reply:
        page = int(_query(request).get("page", "1"))
        return Reply({"data": records[(page - 1) * 20 : page * 20], "total": 57, "count": 20, "page": page})

    with Server(respond) as server:
        proposal = circulate_core.propose(f"{server.url}/things")
        assert proposal.paginator == {"page": {"to": "page", "total": "/total"}}
        assert len(list(proposal.stream.records(progress=False))) == 57


def _query(request: Handler) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(request.path).query, keep_blank_values=True))


def test_a_limit_that_is_ignored_or_clamped_is_told_from_one_that_is_kept_to() -> None:
    with proposed("page", "size_is_ignored") as (proposal, _):
        assert (proposal.page_size, finding(proposal, "page_size")[0]) == (None, "unknown")
    with proposed("page", "size_is_capped") as (proposal, _):
        assert proposal.page_size == {"param": "limit", "max": 3}


EVENTS = [{"id": n, "at": f"2026-01-{n + 1:02}T00:00:00Z"} for n in range(20)]


@pytest.mark.parametrize(
    ("filters", "status", "part"),
    [(True, "probed", "none of them older"), (False, "unknown", "filters nothing that can be seen: 10 of 20")],
)
def test_a_filter_has_to_filter(filters: bool, status: str, part: str) -> None:  # noqa: FBT001 - pytest gives it
    def respond(request: Handler) -> Reply:
        since = _query(request).get("since", "") if filters else ""
        return Reply({"events": [event for event in EVENTS if str(event["at"]) >= since]})

    with Server(respond) as server:
        proposal = circulate_core.propose(f"{server.url}/events", filter="since")
        assert (finding(proposal, "incremental")[0], part in finding(proposal, "incremental")[1]) == (status, True)
        expected = {"cursor": "/at", "param": "since", "since": "{since}"}
        assert proposal.incremental == (expected if filters else None)


def test_headers_of_a_quota_are_proposed(cli: Cli) -> None:
    headers = [("X-RateLimit-Limit", "100"), ("X-RateLimit-Remaining", "99"), ("X-RateLimit-Reset", "30")]
    with Server(lambda _: Reply([{"id": 1}], headers)) as server:
        found = circulate_core.propose(f"{server.url}/v1/things.json").rate_limit
        assert found == {
            "limit": "x-ratelimit-limit",
            "remaining": "x-ratelimit-remaining",
            "reset": "x-ratelimit-reset",
        }
        written = json.loads(cli("try", f"{server.url}/v1/things.json", "--json").out)
        assert (written["name"], written["source"]["rate_limit"]) == ("api.things", found)
    drafts = [("RateLimit-Policy", '"default";q=100;w=60'), ("RateLimit", '"default";r=50;t=30')]
    with Server(lambda _: Reply([{"id": 1}], drafts)) as server:
        assert circulate_core.propose(f"{server.url}/things").rate_limit == {
            "limit": "RateLimit-Policy",
            "remaining": "RateLimit",
            "reset": "RateLimit",
        }


def html(text: str) -> Reply:
    return Reply(text.encode(), [("Content-Type", "text/html; charset=utf-8")])


UNREADABLE: dict[str, tuple[Callable[[], Reply], str]] = {
    "a web page": (lambda: html("<!doctype html><title>Docs</title>"), "is a web page (“Docs”), and not data"),
    "a login page": (lambda: html('<html><title>Sign in</title><input type="password">'), "a page to sign in at"),
    "XML": (lambda: Reply(b"<?xml version='1.0'?><a/>", [("Content-Type", "text/xml")]), "is XML"),
    "no content": (lambda: Reply(status=204), "the response has no body (204)"),
    "an empty 200": (lambda: Reply(b""), "the response has no body (200)"),
    "text": (lambda: Reply(b"hello", [("Content-Type", "text/plain")]), "is not JSON: hello"),
    "a number": (lambda: Reply(7), "neither an object nor an array: 7"),
    "half of a document": (lambda: Reply(b'{"a": [1'), "is not JSON"),
    "an empty list": (lambda: Reply({"items": [], "total": 0}), "no records in the response: `/items` is empty"),
    "an empty array": (lambda: Reply([]), "there are no records in the response"),
    "an object": (lambda: Reply({"id": 1, "name": "x"}), "one object alone is read by an operation"),
    "several arrays": (lambda: Reply({"a": [{"id": 1}], "b": [{"id": 2}]}), "say where, such as `--records /a`"),
    "one thing": (lambda: Reply({"id": 7, "tags": [{"name": "a"}]}), "one thing with an id, it seems: /tags"),
    "broken CSV": (lambda: Reply(b"a,b\n1\n", [("Content-Type", "text/csv")]), "more or fewer values"),
    "refused": (lambda: Reply({"error": "no"}, status=401), "(401)"),
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_what_is_no_list_is_said_to_be_what_it_is(cli: Cli, what: str) -> None:
    reply, part = UNREADABLE[what]
    with Server(lambda _: reply()) as server:
        done = cli("try", f"{server.url}/v1/things")
        assert (done.code, "Traceback" in done.err) == (1, False), done.err
        assert part in done.err


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["ftp://acme.example/x"], "is not the address of a list"),
        (["acme.example/x"], "is not the address of a list"),
        (["http://[::1/x"], "is not the address of a list"),
        (["http://127.0.0.1:99999/x"], "is not the address of a list"),
        (["http://me:pass@127.0.0.1:9/x"], "a user or a password in it"),
        (["http://127.0.0.1:9/x?api_key=abc"], "give `--auth query:api_key`"),
        (["http://127.0.0.1:9/x?access_token=abc"], "looks like a secret"),
        (["http://127.0.0.1:9/x#top"], "has a fragment"),
        (["http://127.0.0.1:9/x", "--auth", "digest"], "is not a way to sign in"),
        (["http://127.0.0.1:9/x", "--name", "Acme"], "does not name a stream"),
        (["http://127.0.0.1:9/x", "--auth", "bearer"], "API_TOKEN"),
    ],
)
def test_what_is_wrong_is_said_before_any_request(cli: Cli, arguments: list[str], part: str) -> None:
    done = cli("try", *arguments)
    assert (done.code, part in done.err, "GET " in done.err) == (2, True, "API_TOKEN" in part), done.err
    assert "abc" not in done.err.replace("api_key=abc", "")


@pytest.mark.parametrize(
    ("auth", "given", "sent"),
    [
        ("bearer", {"ACME_TOKEN": "s3cret-canary"}, ("authorization", "Bearer s3cret-canary")),
        ("header:X-Key", {"ACME_KEY": "s3cret-canary"}, ("x-key", "s3cret-canary")),
        ("header:Authorization:SSWS", {"ACME_KEY": "s3cret-canary"}, ("authorization", "SSWS s3cret-canary")),
        ("basic", {"ACME_USER": "me", "ACME_PASSWORD": "canary"}, ("authorization", "Basic bWU6Y2FuYXJ5")),
        ("query:key", {"ACME_KEY": "s3cret-canary"}, ("key", "s3cret-canary")),
    ],
)
def test_secrets_come_from_the_environment_and_are_shown_nowhere(
    cli: Cli, auth: str, given: dict[str, str], sent: tuple[str, str]
) -> None:
    def respond(request: Handler) -> Reply:
        name, value = sent
        if (request.headers.get(name) or _query(request).get(name)) != value:
            return Reply({"error": "who are you?"}, status=401)
        start = int(_query(request).get("offset", "0"))
        return Reply({"items": [{"id": n} for n in range(30)][start : start + 10]})

    with Server(respond) as server:
        done = cli("try", f"{server.url}/things", "--auth", auth, "--name", "acme.things", "--save", "defs", **given)
        assert done.code == 0, done.err
        assert "canary" not in done.out + done.err
        files = "".join(file.read_text() for file in (cli.folder / "defs").rglob("*.yaml"))
        assert "canary" not in files
        pulled = cli("pull", "acme.things", "--catalog", "defs", "--to", "lake", "--json", **given)
        assert json.loads(pulled.out)["records"] == 30


def test_it_shows_records_findings_and_the_definition_and_writes_it(cli: Cli) -> None:
    with serve(PagedList(make_records(COUNT), style="token_more", page_size=5)) as server:
        url = f"{server.url}/items"
        done = cli("try", url, "--name", "acme.items", "--save", "definitions")
        assert done.code == 0, done.err
        assert "GET http://" in done.err
        for part in ("r-0001", "paginator:", "probed", "page_size: {param: limit", "wrote definitions/acme/items.yaml"):
            assert part in done.out + done.err
        again = cli("try", url, "--name", "acme.items", "--save", "definitions")
        assert again.code == 0, "what says the same is left as it is"
        (cli.folder / "definitions/acme/items.yaml").write_text("endpoint: items\n")
        other = cli("try", url, "--name", "acme.items", "--save", "definitions")
        assert (other.code, "not overwritten" in other.err) == (2, True)
        assert (cli.folder / "definitions/acme/items.yaml").read_text() == "endpoint: items\n"


def test_a_proposal_is_an_object_to_edit(tmp_path: Path) -> None:
    with serve(PagedList(make_records(COUNT), style="token_to_header", page_size=5)) as server:
        proposal = circulate_core.propose(f"{server.url}/items", name="acme.items")
        assert "unknown: paginator" in repr(proposal)
        proposal.paginator = {"token": {"from": {"body": "/meta/next"}, "to": "X-Cursor"}}
        assert proposal.test().status == "inferred"
        proposal.paginator = {"token": {"from": {"body": "/meta/next"}, "to": {"header": "X-Cursor"}}}
        assert proposal.test().status == "probed"
        assert len(list(proposal.stream.records(progress=False))) == COUNT
        shown = proposal._repr_html_()
        assert ("<script" in shown, "paginator" in shown, "probed" in shown) == (False, True, True)
        assert [path.name for path in proposal.save(tmp_path / "definitions")] == ["source.yaml", "items.yaml"]


def test_what_an_api_sends_is_shown_as_text(cli: Cli) -> None:
    evil = "<script>alert(1)</script>\x1b[2J"
    with Server(lambda _: Reply([{"id": evil, evil: 1}, {"id": "2", evil: 2}])) as server:
        proposal = circulate_core.propose(f"{server.url}/things")
        assert "<script" not in proposal._repr_html_()
        assert "\x1b" not in cli("try", f"{server.url}/things").out


def test_records_are_found_where_they_are() -> None:
    def places(value: object) -> list[object]:
        return [found.where for found in record_lists(value)]

    assert places([{"id": 1}]) == [None]
    assert places({"data": {"users": [{"id": 1}], "n": 1}}) == ["/data/users"]
    assert places({"a/b": [{"id": 1}], "*": [{"id": 1}]}) == ["/a~1b", "/~2"]
    assert places({"u1": {"name": "a", "n": 1}, "u2": {"name": "b", "n": 2}}) == [{"map": ""}]
    assert places({"ids": [1, 2]}) == [{"scalars": "/ids"}]
    assert places([1, 2]) == [{"scalars": ""}]
    assert places({"mixed": [1, {"a": 1}]}) == []


def test_a_key_is_what_no_two_records_share() -> None:
    assert primary_key([{"id": 1, "uuid": "a"}, {"id": 1, "uuid": "b"}], "users")[0] == "/uuid"
    assert primary_key([{"user_id": 1, "org_id": 2}, {"user_id": 2, "org_id": 3}], "users")[0] == "/user_id"
    assert primary_key([{"id": 1}, {"id": None}], "users")[0] is None
    assert primary_key([{"id": 1}, {"id": 1}], "users") == (None, "`id` is the same in several records")


@pytest.mark.parametrize(
    ("values", "form"),
    [
        (["2026-01-31T00:00:00Z", "2026-01-31T00:00:00.5+02:00"], "rfc3339"),
        (["2026-01-31T00:00:00"], "local"),
        (["2026-01-31"], "date"),
        (["2026-13-31"], None),
        ([1767225600], "epoch_s"),
        ([1767225600000.5], "epoch_ms"),
        (["1767225600000000"], "epoch_us"),
        ([12], None),
        ([True], None),
        (["2026-01-31", 1767225600], None),
        ([], None),
    ],
)
def test_times_are_told_by_all_of_their_values(values: list[object], form: str | None) -> None:
    assert time_format(values) == form


@pytest.mark.parametrize("kept", ["the same time", "one that is newer"])
def test_a_filter_that_leaves_out_what_is_newer_is_not_proposed(kept: str) -> None:
    records = [{"id": day, "updated_at": f"2026-01-{day:02}T00:00:00Z"} for day in range(1, 21)]

    def respond(request: Handler) -> Reply:
        since = _query(request).get("updated_at")
        found = [record for record in records if since is None or str(record["updated_at"]) >= since]
        return Reply({"data": found if since is None else found[: 1 if kept == "the same time" else 2]})

    with Server(respond) as server:
        proposal = circulate_core.propose(f"{server.url}/things", filter="updated_at")
        assert proposal.incremental is None
        status, evidence = finding(proposal, "incremental")
        assert (status, "records that are newer did not come" in evidence) == ("unknown", True), evidence


@pytest.mark.parametrize(
    ("form", "earlier", "later"),
    [
        ("rfc3339", "2026-01-08T00:00:00+05:00", "2026-01-07T23:00:00Z"),
        ("rfc3339", "2026-01-08t00:00:00z", "2026-01-08T00:00:00.5Z"),
        ("epoch_ms", 999_999_999_999, 1_000_000_000_000),
        ("epoch_s", "999999999", 1_000_000_000),
    ],
)
def test_times_are_compared_as_times_and_not_as_text(form: str, earlier: object, later: object) -> None:
    before, after = members.instant(earlier, form), members.instant(later, form)
    assert before is not None
    assert after is not None
    assert before < after


HOSTILE: list[tuple[str, dict[str, Any], list[tuple[str, str]]]] = [
    ("an address that is none", {}, [("Link", "<http://[bad>; rel=next")]),
    ("a count of 5,000 digits", {}, [("X-Total-Count", "9" * 5_000)]),
    ("a count that no list has", {"total": 10**4_200}, []),
    ("half a character", {"next_cursor": "\ud800x"}, []),
    ("a number that no float holds", {}, []),
]


@pytest.mark.parametrize(("what", "beside", "headers"), HOSTILE)
def test_what_is_odd_in_a_page_ends_no_look_at_it(
    what: str, beside: dict[str, Any], headers: list[tuple[str, str]]
) -> None:
    number = 10**400 if what == "a number that no float holds" else 1
    records = [{"id": each, "number": number} for each in range(30)]

    def respond(request: Handler) -> Reply:
        page = _query(request).get("page", "1")
        if not page.isdecimal():
            return Reply({"error": "no page"}, status=400)
        begin = max(0, int(page) - 1) * 10
        return Reply({"data": records[begin : begin + 10], **beside}, headers)

    with Server(respond) as server:
        proposal = circulate_core.propose(f"{server.url}/things")
        assert proposal.paginator == {"page": {"to": "page"}}
        assert len(list(proposal.stream.records(progress=False))) == 30


def test_braces_of_an_address_name_no_settings() -> None:
    asked: list[str] = []
    where = '{"a": 1}'

    def respond(request: Handler) -> Reply:
        asked.append(_query(request).get("where", ""))
        begin = max(0, int(_query(request).get("page", "1")) - 1) * 10
        return Reply([{"id": each} for each in range(begin, min(begin + 10, 25))])

    with Server(respond) as server:
        proposal = circulate_core.propose(f"{server.url}/th{{ings}}?where=%7B%22a%22%3A+1%7D", name="acme.things")
        assert proposal.definition["list"]["query"] == {"where": '{{"a": 1}}'}
        assert len(list(proposal.stream.records(progress=False))) == 25
    assert set(asked) == {where}


def test_a_secret_that_an_api_repeats_in_an_address_is_not_shown(cli: Cli) -> None:
    def respond(request: Handler) -> Reply:
        page = int(_query(request).get("page", "1"))
        following = f"http://{request.headers['Host']}/items?appid=made-up-secret&page={page + 1}"
        records = [{"id": number} for number in range(page * 10, page * 10 + 10)]
        return Reply({"data": records, "next": following if page < 3 else None})

    with Server(respond) as server:
        how = ("--auth", "query:appid", "--name", "acme.items", "--save", "definitions")
        done = cli("try", f"{server.url}/items", *how, ACME_KEY="made-up-secret")
    assert done.code == 0, done.err
    assert "appid=***&page=2" in done.err
    assert "made-up-secret" not in done.out + done.err
    for file in (cli.folder / "definitions").rglob("*.yaml"):
        assert "made-up-secret" not in file.read_text()


@pytest.mark.parametrize(
    "arguments",
    [
        ["https://me:hunter2@[bad/items"],
        ["me:hunter2@api.acme.example/items"],
        ["https://api.acme.example/items", "--auth", "bearer:hunter2"],
        ["https://api.acme.example/items", "--auth", "query:key:hunter2"],
        ["https://api.acme.example/items?accessToken=hunter2"],
        ["https://api.acme.example/items?hapikey=hunter2"],
    ],
)
def test_a_mistake_with_a_secret_in_it_is_named_without_the_secret(cli: Cli, arguments: list[str]) -> None:
    done = cli("try", *arguments)
    assert done.code == 2
    assert "hunter2" not in done.out + done.err


ERROR_PAGES: dict[str, tuple[Any, str, str]] = {
    "a list of messages in an error": ({"error": {"messages": [{"text": "no"}, {"text": "no more"}]}}, "/error", "no"),
    "texts in an error": ({"error": {"messages": ["the key has expired"]}}, "/error", "the key has expired"),
    "errors": ({"errors": [{"code": 7, "detail": "no such view"}]}, "/errors", "no such view"),
    "errors beside an empty list": ({"result": [], "errors": [{"message": "no"}], "success": False}, "/errors", "no"),
    "a fault": ({"fault": {"faultstring": "no", "detail": {"errorcode": "oauth.v2"}}}, "/fault", "no"),
    "an exception": ({"Exception": {"Message": "no"}}, "/Exception", "no"),
    "a flag that is false": ({"success": False, "message": "no", "details": [{"at": "q"}]}, "/success", "no"),
    "ok that is false": ({"ok": False, "reason": "not_authed", "hints": [{"a": 1}]}, "/ok", "not_authed"),
    "a state": ({"status": "error", "message": "no", "issues": ["a", "b"]}, "/status", "no"),
    "an array of errors": ([{"errorCode": "INVALID_SESSION_ID", "message": "Session expired"}], "the page", "expired"),
}
"""Bodies with status 200 that are no lists: what says so, and what they say."""


@pytest.mark.parametrize("name", ERROR_PAGES)
def test_an_error_with_status_200_is_named_and_no_list(name: str) -> None:
    body, where, said = ERROR_PAGES[name]
    with Server(lambda _: Reply(body)) as server, pytest.raises(exceptions.DataError) as raised:
        circulate_core.propose(f"{server.url}/v1/tickets")
    assert "is an error, although its status is 200" in str(raised.value)
    assert where in str(raised.value)
    assert said in str(raised.value)


ISSUES = [{"id": number, "message": f"m{number}", "error": f"E{number}"} for number in range(5)]
LISTS_OF_ERRORS: dict[str, tuple[str, Any, Any]] = {
    "a list of errors": ("/v1/errors", {"errors": ISSUES}, "/errors"),
    "one whose name has more words": ("/v1/build-errors", {"errors": ISSUES}, "/errors"),
    "an array of errors at /errors": ("/v1/errors", [{"errorCode": "E1", "message": "m"}], None),
    "records that have an error": ("/v1/jobs", {"jobs": ISSUES, "error": None}, "/jobs"),
    "records beside warnings": ("/v1/jobs", {"jobs": ISSUES, "errors": [{"message": "one shard is late"}]}, "/jobs"),
    "an empty list of errors": ("/v1/jobs", {"jobs": ISSUES, "errors": [], "success": True}, "/jobs"),
    "a flag about what the records say": ("/v1/checks", {"ok": False, "checks": ISSUES}, "/checks"),
    "an array of records with messages": ("/v1/alerts", ISSUES, None),
}
"""Lists that have to do with errors, and where their records are."""


@pytest.mark.parametrize("name", LISTS_OF_ERRORS)
def test_a_list_of_errors_is_a_list(name: str) -> None:
    path, body, where = LISTS_OF_ERRORS[name]
    with Server(lambda _: Reply(body)) as server:
        assert circulate_core.propose(f"{server.url}{path}").records == where


def test_records_that_somebody_names_are_read_also_below_errors() -> None:
    with Server(lambda _: Reply({"errors": ISSUES})) as server:
        assert circulate_core.propose(f"{server.url}/v1/report", records="/errors").records == "/errors"


def test_the_rule_that_an_error_page_proposes_is_one_that_the_engine_takes() -> None:
    with Server(lambda _: Reply({"errors": [{"message": "no"}]})) as server:
        with pytest.raises(exceptions.DataError) as raised:
            circulate_core.propose(f"{server.url}/v1/tickets")
        (hint,) = raised.value.__notes__
        assert "errors: [{when: {body: {/errors: {empty: false}}}, then: fail}]" in hint
        rules = [{"when": {"body": {"/errors": {"empty": False}}}, "then": "fail"}]
        listed = {
            "path": "/v1/tickets",
            "primary_key": ["/id"],
            "paginator": "none",
            "records": "/data",
            "errors": rules,
        }
        stream = circulate_core.source("acme", base_url=server.url).stream("tickets", {"list": listed})
        with pytest.raises(exceptions.CirculateError):
            list(stream.records(progress=False))


@pytest.mark.parametrize("secret", ["tok-canary-1234567890", "s3cr3t", "letmein", "correcthorse"])
@pytest.mark.parametrize("place", ["a token", "an address"])
def test_a_secret_that_comes_back_as_a_cursor_is_shown_nowhere(cli: Cli, secret: str, place: str) -> None:
    records = [{"id": number, "name": f"n{number}"} for number in range(20)]

    def respond(request: Handler) -> Reply:
        query = _query(request)
        start, size = int(query.get("cursor", "@0").rpartition("@")[2]), int(query.get("limit", "10"))
        token = f"{secret}@{start + size}" if start + size < len(records) else None
        address = token and f"{server.url}/v1/things?limit={size}&cursor={token}"
        page = {"data": records[start : start + size]}
        return Reply({**page, "next_cursor": token} if place == "a token" else {**page, "next": address})

    asked: list[str] = []
    with Server(respond) as server:
        url = f"{server.url}/v1/things"
        shown = cli("try", url, "--auth", "bearer", "--name", "acme.things", ACME_TOKEN=secret)
        as_json = cli("try", url, "--auth", "bearer", "--name", "acme.things", "--json", ACME_TOKEN=secret)
        proposal = circulate_core.propose(url, auth="bearer", settings={"token": secret}, on_request=asked.append)
    assert (shown.code, as_json.code) == (0, 0), shown.err
    assert "cursor=***" in shown.err
    everything = [shown.out, shown.err, as_json.out, as_json.err, *asked, *map(str, proposal.findings)]
    assert [text for text in everything if secret in text] == []


def test_what_was_given_and_what_numbers_pages_is_shown_of_an_address(cli: Cli) -> None:
    records = [{"id": number} for number in range(20)]

    def respond(request: Handler) -> Reply:
        start, size = int(_query(request).get("offset", "0")), int(_query(request).get("limit", "10"))
        return Reply({"data": records[start : start + size], "total": 20})

    with Server(respond) as server:
        done = cli("try", f"{server.url}/v1/things?state=open", "--name", "acme.things")
    assert "?state=open&limit=2&offset=2" in done.err
