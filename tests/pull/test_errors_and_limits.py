"""What an API says in a way of its own, as its definition declares: errors, also inside of a 200, and rates."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.cli import Cli, Done
from support.http_server import Reply
from support.scripted import Api, define, pull, serving

import circulate_core
from circulate_core import _core

LIST = """
path: /items
records: /items
primary_key: [/id]
paginator: {body_link: /next}
"""
SAID = """
error_body:
  code: /error/code
  message: /error/message
  hints: {E7: call Bob}
"""
ERROR = {"ok": False, "error": {"code": "E7", "message": "not today"}}
SIZED = "page_size: {param: limit, max: 100, min: 25}\n"
Response = Callable[[str, dict[str, str]], Reply]


def rules(*lines: str) -> str:
    return "errors:\n" + "".join(f"- {line}\n" for line in lines)


def page(*ids: int, **more: object) -> Reply:
    return Reply({"items": [{"id": number} for number in ids], **more})


def error(status: int, body: object = None, headers: list[tuple[str, str]] | None = None) -> Reply:
    return Reply(ERROR if body is None else body, headers or [], status=status)


def at_first(first: Reply, *, times: int = 1, then: Reply | None = None) -> Response:
    """Give `first` to the first requests, and then a page."""
    left = [first] * times

    def respond(*_: object) -> Reply:
        return left.pop() if left else then or page(1)

    return respond


def pulled(cli: Cli, listed: str, response: Response, *arguments: str, source: str = SAID) -> tuple[Done, Api]:
    define(cli.folder, listed, source=source)
    with serving(response) as api:
        return pull(cli, api, *arguments), api


def pulled_often(cli: Cli, listed: str, *responses: Response, source: str = SAID) -> list[tuple[Done, list[str]]]:
    """Pull once with each of these responses, from one address."""
    define(cli.folder, listed, source=source)
    now = list(responses)

    def respond(path: str, query: dict[str, str]) -> Reply:
        return now[0](path, query)

    with serving(respond) as api:
        pulls = []
        while now:
            before = len(api.requests)
            pulls.append((pull(cli, api), api.requests[before:]))
            now.pop(0)
    return pulls


def on(status: int, then: str, **more: str) -> str:
    """A rule about the error of this status."""
    parts = [f"status: {status}", "body: {/ok: false}", *(f"{key}: {value}" for key, value in more.items())]
    return f"{{when: {{{', '.join(parts)}}}, then: {then}}}"


BOTH = pytest.mark.parametrize("status", [200, 418], ids=["inside a 200", "with its status"])


@BOTH
def test_what_is_worth_a_retry_is_requested_again(cli: Cli, status: int) -> None:
    done, api = pulled(cli, LIST + rules(on(status, "retry")), at_first(error(status)))
    assert (done.code, done.report["records"], len(api.requests)) == (0, 1, 2), done.err


@BOTH
def test_what_asks_to_slow_down_is_waited_for_as_it_says(cli: Cli, status: int) -> None:
    listed = LIST + rules(on(status, "throttled"))
    asks = error(status, headers=[("Retry-After", "7200")])
    done, api = pulled(cli, listed, at_first(asks), "--max-wait", "1m")
    assert (done.code, done.report["status"], len(api.requests)) == (3, "partial", 1), done.err
    assert f"Acme asked us to slow down ({status}): E7 not today" in done.report["stopped_by"]
    assert "rule then: throttled" in done.report["stopped_by"]
    assert done.report["resume_after"] is not None


@BOTH
def test_a_page_that_is_too_large_is_requested_with_half_as_many_at_once(cli: Cli, status: int) -> None:
    def respond(_: str, query: dict[str, str]) -> Reply:
        return page(1) if int(query["limit"]) <= 30 else error(status)

    done, api = pulled(cli, LIST + SIZED + rules(on(status, "smaller_page")), respond)
    assert (done.code, done.report["records"]) == (0, 1), done.err
    assert api.requests == [f"/items?limit={size}" for size in (100, 50, 25)]


@BOTH
def test_a_page_that_can_not_be_made_smaller_fails_and_says_so(cli: Cli, status: int) -> None:
    done, api = pulled(cli, LIST + SIZED + rules(on(status, "smaller_page")), at_first(error(status), times=99))
    assert (done.code, len(api.requests)) == (1, 3), done.err
    assert f"Acme finds the page too large ({status}): E7 not today" in done.err
    assert "call Bob; 25 records a page are as few as `page_size` allows (min: 25)" in done.err


def test_a_smaller_page_that_nothing_can_request_fails_and_says_so(cli: Cli) -> None:
    source = "errors: [{when: {body: {/ok: false}}, then: smaller_page}]\n"
    done, api = pulled(cli, LIST, at_first(error(200), times=9), source=source)
    assert (done.code, len(api.requests)) == (1, 1)
    assert "the definition has no `page_size`, by which a smaller page could be requested" in done.err


@BOTH
def test_credentials_that_are_no_longer_valid_and_can_not_be_renewed_fail(cli: Cli, status: int) -> None:
    done, api = pulled(cli, LIST + rules(on(status, "renew")), at_first(error(status), times=9))
    assert (done.code, len(api.requests)) == (1, 1), done.err
    assert f"Acme refused the credentials ({status}): E7 not today" in done.err
    assert "hint: call Bob" in done.err


@BOTH
@pytest.mark.parametrize(
    ("then", "says"),
    [("unavailable", "says that the account does not have this"), ("gone", "says that this no longer exists")],
)
def test_what_the_account_does_not_have_is_complete(cli: Cli, status: int, then: str, says: str) -> None:
    done, api = pulled(cli, LIST + rules(on(status, then)), at_first(error(status), times=9))
    assert (done.code, done.report["status"], len(api.requests)) == (0, "complete", 1), done.err
    assert f"Acme {says} ({status}): E7 not today" in done.report["unavailable"]
    assert done.report["ends"]["counts"] == {"unavailable": 1}


@BOTH
def test_what_is_not_there_behind_the_first_page_is_an_error(cli: Cli, status: int) -> None:
    first = page(1, next="/items?after=1")
    done, _ = pulled(cli, LIST + rules(on(status, "unavailable")), at_first(first, then=error(status)))
    assert done.code == 1, done.err
    assert f"Acme says that the account does not have this ({status})" in done.err


@BOTH
@pytest.mark.parametrize("pages", [0, 1])
def test_a_gap_is_reported_and_what_was_read_before_it_is_kept(cli: Cli, status: int, pages: int) -> None:
    first = page(1, next="/items?after=1")
    response = at_first(first, times=pages, then=error(status))
    done, _ = pulled(cli, LIST + rules(on(status, "gap")), response)
    assert (done.code, done.report["status"], done.report["records"]) == (3, "partial", pages), done.err
    place = "acme.items after page 1" if pages else "acme.items"
    assert f"missing: {place}: Acme does not give us this ({status}): E7 not today" in done.err


@BOTH
def test_an_error_fails_whatever_its_status(cli: Cli, status: int) -> None:
    done, api = pulled(cli, LIST + rules(on(status, "fail")), at_first(error(status), times=9))
    assert (done.code, len(api.requests)) == (1, 1), done.err
    inside = "Acme returned an error inside of a success (200): E7 not today"
    assert (inside if status == 200 else "Acme returned 418: E7 not today") in done.err
    assert "rule then: fail" in done.err
    assert "hint: call Bob" in done.err


def test_a_500_that_is_declared_to_fail_is_not_requested_again(cli: Cli) -> None:
    done, api = pulled(cli, LIST + rules("{when: {status: 500}, then: fail}"), at_first(error(500), times=9))
    assert (done.code, len(api.requests)) == (1, 1), done.err


@pytest.mark.parametrize("pages", [0, 1])
def test_a_status_that_ends_the_list_ends_it_wherever_it_comes(cli: Cli, pages: int) -> None:
    listed = LIST + rules("{when: {status: [404, 418], body: {/error/code: E7}}, then: end}")
    response = at_first(page(1, next="/items?page=2"), times=pages, then=error(418))
    done, api = pulled(cli, listed, response)
    assert (done.code, done.report["status"], done.report["records"]) == (0, "complete", pages), done.err
    assert done.report["ends"]["counts"] == {"status": 1}
    assert len(api.requests) == (3 if pages else 1), "one behind a page is requested once more"


def test_an_end_that_is_none_when_it_is_requested_again_is_a_page(cli: Cli) -> None:
    listed = LIST + rules("{when: {status: 418}, then: end}")
    responses = [page(1, next="/items?page=2"), error(418), page(2)]
    done, _ = pulled(cli, listed, lambda *_: responses.pop(0))
    assert (done.code, done.report["records"]) == (0, 2), done.err


def test_an_end_by_another_error_of_that_status_is_an_error(cli: Cli) -> None:
    listed = LIST + rules("{when: {status: 418, body: {/error/code: E8}}, then: end}")
    done, _ = pulled(cli, listed, at_first(error(418), times=9))
    assert done.code == 1
    assert "Acme returned 418: E7 not today" in done.err


@pytest.mark.parametrize(
    "when",
    [
        "{body: {/errors: {empty: false}}}",
        "{body: {/errors/0/code: [A, B]}}",
        "{body: {/status: {not: [0, ok]}}}",
        "{body: {/status: 7.0}}",
        "{header: {x-error: quota}}",
        "{header: {X-ERROR: {not: none}}}",
        "{header: {X-Error: {empty: false}}, body: {/status: 7}}",
        "{status: [200, 500], header: {X-Error: [other, quota]}}",
    ],
)
def test_an_error_beside_records_is_seen(cli: Cli, when: str) -> None:
    reply = page(1, errors=[{"code": "B"}], status=7)
    reply.headers.append(("X-Error", "quota"))
    listed = LIST + rules(f"{{when: {when}, then: fail}}")
    (done, _), (fine, _) = pulled_often(cli, listed, lambda *_: reply, lambda *_: page(1, errors=[], status=0))
    assert done.code == 1, done.err
    assert "Acme returned an error inside of a success (200)" in done.err
    assert (fine.code, fine.report["records"]) == (0, 1), fine.err


@pytest.mark.parametrize(
    "body", [{"items": "no", "ok": False}, {"items": {}, "ok": False}, {"items": None, "ok": False}, {"ok": False}]
)
def test_an_error_is_seen_whatever_stands_where_the_records_should(cli: Cli, body: dict[str, Any]) -> None:
    listed = LIST + rules("{when: {body: {/ok: false}}, then: fail}")
    (done, _), (other, _) = pulled_often(cli, listed, lambda *_: Reply(body), lambda *_: Reply({**body, "ok": True}))
    assert "returned an error inside of a success (200)" in done.err
    assert "where the definition says" in other.err, "without the error it is a page without an array"


@pytest.mark.parametrize(
    ("body", "part"), [(b"<html>", "is HTML"), (b"", "has an empty body"), (b'{"items": [}', "is not JSON")]
)
def test_what_is_no_page_may_be_an_error_that_a_header_shows(cli: Cli, body: bytes, part: str) -> None:
    listed = LIST + rules("{when: {body: {/ok: false}}, then: fail}", "{when: {header: {X-Busy: 'yes'}}, then: retry}")
    busy = Reply(body, [("X-Busy", "yes")])
    (done, _), (plain, _) = pulled_often(cli, listed, at_first(busy), at_first(Reply(body), times=9))
    assert (done.code, done.report["records"]) == (0, 1), done.err
    assert (plain.code, part in plain.err) == (1, True), plain.err


def test_an_error_whose_page_is_the_array_itself_is_seen(cli: Cli) -> None:
    listed = "path: /items\nprimary_key: [/id]\npaginator: none\nsingle: certain\n"
    listed += rules("{when: {body: {/ok: false}}, then: fail}")
    (done, _), (fine, _) = pulled_often(cli, listed, lambda *_: error(200), lambda *_: Reply([{"id": 1}]))
    assert "returned an error inside of a success (200): E7 not today" in done.err
    assert (fine.code, fine.report["records"]) == (0, 1), fine.err


def test_the_first_rule_counts_and_those_of_the_endpoint_come_first(cli: Cli) -> None:
    source = SAID + rules("{when: {status: 418}, then: fail}", "{when: {status: 417}, then: unavailable}")
    listed = LIST + rules("{when: {status: 418, body: {/error/code: E7}}, then: unavailable}")
    other = {"error": {"code": "E8"}}
    responses = [error(418), error(418, other), error(417, other)]
    pulls = pulled_often(cli, listed, *(at_first(response, times=9) for response in responses), source=source)
    (done, _), (failed, _), (later, _) = pulls
    assert (done.code, done.report["status"]) == (0, "complete"), done.err
    assert "Acme returned 418: E8" in failed.err
    assert (later.code, later.report["status"]) == (0, "complete"), later.err


def test_a_missing_scope_is_none_of_what_a_status_is_declared_to_be(cli: Cli) -> None:
    scope = [("WWW-Authenticate", 'Bearer error="insufficient_scope", scope="items.read"')]
    listed = LIST + rules("{when: {status: 403}, then: unavailable}")
    done, _ = pulled(cli, listed, at_first(error(403, headers=scope), times=9))
    assert done.code == 1
    assert "this needs the scope items.read" in done.err


@BOTH
@pytest.mark.parametrize(
    ("then", "counted", "code"), [("gone", "gone", 0), ("unavailable", "unavailable", 0), ("gap", "refused", 3)]
)
def test_a_partition_that_is_not_given_does_not_end_the_others(
    cli: Cli, status: int, then: str, counted: str, code: int
) -> None:
    def respond(path: str, _: dict[str, str]) -> Reply:
        return error(status) if path.endswith("/b") else page(1)

    listed = LIST.replace("/items", "/items/{kind}", 1) + "partitions: {name: kind, values: [a, b, c]}\n"
    done, _ = pulled(cli, listed + rules(on(status, then)), respond)
    assert (done.code, done.report["records"]) == (code, 2), done.err
    assert {kind: count for kind, count in done.report["partitions"].items() if count} == {"complete": 2, counted: 1}


@pytest.mark.parametrize(("then", "code"), [("gone", 0), ("gap", 3)])
def test_a_parent_whose_children_are_not_given_does_not_end_the_others(cli: Cli, then: str, code: int) -> None:
    define(cli.folder, LIST)
    children = LIST.replace("/items", "/items/{item}/parts", 1).strip().replace("\n", "\n  ")
    (cli.folder / "catalog/acme/parts.yaml").write_text(
        f"endpoint: parts\nabout: Parts.\nscopes: []\nlist:\n  {children}\n"
        "  parent: {endpoint: items, fields: {item: /id}}\n"
        f"  errors: [{on(200, then)}]\n"
    )

    def respond(path: str, _: dict[str, str]) -> Reply:
        if path == "/items":
            return page(1, 2, 3)
        return error(200) if path == "/items/2/parts" else page(7)

    with serving(respond) as api:
        arguments = ["acme.parts", "--catalog", "catalog", "--to", "lake", "--account", "acme", "--json"]
        done = cli("pull", *arguments, ACME_URL=api.url)
    assert (done.code, done.report["records"]) == (code, 2), done.err


POLLED = """
path: /items
records: /items
primary_key: [/id]
paginator: {body_link: /next}
incremental: {cursor: /at, param: since, since: "{since}", until: "{until}", until_param: until}
polling: {history: 30d, oldest: 30d, window: 1d}
"""


@pytest.mark.parametrize(
    "rule", ["unavailable: {statuses: [403]}\n", rules(on(403, "unavailable")), rules(on(403, "gone"))]
)
def test_a_polled_list_that_the_account_does_not_have_is_complete_and_asked_for_again(cli: Cli, rule: str) -> None:
    found = Reply({"items": [{"id": 1, "at": "2026-11-01T00:00:00Z"}], "next": "/items?after=1"})
    caught_up = page(next="/items?after=1")
    refused = at_first(error(403), times=99)

    def respond(_: str, query: dict[str, str]) -> Reply:
        return caught_up if "after" in query else found

    pulls = pulled_often(cli, POLLED + rule, refused, respond, refused, respond)
    (done, _), (again, _), (lost, _), (back, requests) = pulls
    assert (done.code, done.report["status"], done.report["next_since"]) == (0, "complete", None), done.err
    assert "(403): E7 not today" in done.report["unavailable"]
    assert (again.code, again.report["records"]) == (0, 1), again.err
    assert again.report["next_since"] is not None
    assert lost.code == 0, lost.err
    assert "(403): E7 not today" in lost.report["unavailable"]
    assert (back.code, requests[0]) == (0, "/items?after=1"), "it goes on where it stood"


def test_a_polled_list_that_is_a_gap_is_partial_and_keeps_its_cursor(cli: Cli) -> None:
    done, _ = pulled(cli, POLLED + rules(on(403, "gap")), at_first(error(403), times=99))
    assert (done.code, done.report["status"], done.report["next_since"]) == (3, "partial", None), done.err


def test_check_says_what_a_pull_would_find(cli: Cli) -> None:
    define(cli.folder, LIST + rules(on(200, "gap"), on(200, "gone").replace("/ok: false", "/ok: 0")), source=SAID)
    for body, code, part in [(ERROR, 3, "does not give us this"), ({"ok": 0}, 0, "which is the last (unavailable)")]:
        with serving(lambda *_, body=body: Reply(body)) as api:
            done = cli("check", "acme.items", "--catalog", "catalog", ACME_URL=api.url)
        assert (done.code, part in done.err) == (code, True), done.err


def test_check_of_a_source_sees_an_error_inside_of_a_200(cli: Cli) -> None:
    define(cli.folder, LIST, source=SAID + rules("{when: {body: {/ok: false}}, then: fail}"))
    with serving(lambda *_: Reply(ERROR)) as api:
        done = cli("check", "acme", "--catalog", "catalog", ACME_URL=api.url)
    assert (done.code, "returned an error inside of a success (200): E7 not today" in done.err) == (1, True), done.err


QUOTA = "rate_limit: {limit: X-Limit, remaining: X-Left, reset: X-Reset, headroom: 0.4}\n"


def with_quota(*_: object) -> Reply:
    return Reply({"items": [{"id": 1}]}, [("X-Limit", "100"), ("X-Left", "90"), ("X-Reset", "60")])


@pytest.mark.parametrize(
    ("config", "environment", "arguments", "left"),
    [
        ("", "", [], 40),
        ("headroom = 0.3", "", [], 30),
        ("headroom = 0.3\n[acme]\nheadroom = 0.2", "", [], 20),
        ("headroom = 0.3\n[acme]\nheadroom = '0.2'", "0.15", [], 15),
        ("[acme]\nheadroom = 0.2", "0.15", ["--headroom", "0.1"], 10),
        ("[acme]\nheadroom = 0.2", "", ["--headroom", "0"], 0),
        ("headroom = 0\n[acme]", "", [], 0),
        ("[acme]\nheadroom = 0.2\n[acme.profiles.p]\nheadroom = 0.25", "", ["--profile", "p"], 25),
        ("headroom = 0.3\n[acme]\nheadroom = 0.2\n[acme.profiles.p]", "", ["--profile", "p"], 30),
    ],
)
def test_the_nearest_headroom_is_left_to_others(
    cli: Cli, config: str, environment: str, arguments: list[str], left: int
) -> None:
    define(cli.folder, LIST, source=QUOTA)
    with serving(with_quota) as api:
        profile = f"{config}\nbase_url = '{api.url}'\n" if "--profile" in arguments else config
        (cli.folder / "circulate.toml").write_text(profile)
        (cli.folder / "circulate.toml").chmod(0o600)
        done = cli(
            "check", "acme", "--catalog", "catalog", *arguments, ACME_URL=api.url, CIRCULATE_HEADROOM=environment
        )
    assert done.code == 0, done.err
    assert f"pulls leave {left} % to others" in done.err


@pytest.mark.parametrize("given", ["1", "-0.1", "half", "nan", "", "30%"])
def test_what_is_no_headroom_is_refused_with_where_it_comes_from(cli: Cli, given: str) -> None:
    define(cli.folder, LIST, source=QUOTA)
    says = f"expected a number from 0 up to, but not including, 1, such as 0.3, given '{given}'"
    pulls = ["pull", "acme.items", "--catalog", "catalog", "--to", "lake"]
    by_flag = cli(*pulls, f"--headroom={given}", ACME_URL="http://127.0.0.1:9")
    assert (by_flag.code, f"invalid `--headroom`: {says}" in by_flag.err) == (2, True), by_flag.err
    if given:
        by_variable = cli(*pulls, ACME_URL="http://127.0.0.1:9", CIRCULATE_HEADROOM=given)
        assert f"invalid `headroom`: {says} (from CIRCULATE_HEADROOM)" in by_variable.err
    (cli.folder / "circulate.toml").write_text(f"[acme]\nheadroom = '{given}'\n")
    by_file = cli(*pulls, ACME_URL="http://127.0.0.1:9")
    assert f"invalid `headroom`: {says} (from circulate.toml)" in by_file.err


@pytest.mark.parametrize("given", [1, -0.5, True, [0.5], float("nan"), "x"])
def test_what_is_no_headroom_is_refused_in_python(given: Any) -> None:  # noqa: ANN401 - whatever somebody gives
    with pytest.raises(circulate_core.SettingsError, match="invalid `headroom`: expected a number from 0"):
        circulate_core.source("acme", base_url="http://127.0.0.1:9", headroom=given)
    with pytest.raises(circulate_core.SettingsError, match="invalid `headroom`: expected a number from 0"):
        circulate_core.pull("okta.users", to="lake", settings=_core.Settings({}), headroom=given)


def test_the_headroom_of_a_pull_is_kept_to_in_python_too(tmp_path: Path) -> None:
    """The API has 80 of 100 left: who leaves 90 to others waits, who leaves 10 does not."""

    def respond(_: str, query: dict[str, str]) -> Reply:
        after = int(query.get("after", 0))
        more = {"next": f"/items?after={after + 1}"} if after < 2 else {}
        reply = page(after, **more)
        reply.headers += [("X-Limit", "100"), ("X-Left", "80"), ("X-Reset", "3600")]
        return reply

    with serving(respond) as api:
        acme = circulate_core.source(
            "acme",
            base_url=api.url,
            rate_limit={"limit": "X-Limit", "remaining": "X-Left", "reset": "X-Reset"},
            headroom=0.1,
        )
        items = acme.stream(
            "items", path="/items", records="/items", paginator={"body_link": "/next"}, primary_key=["/id"]
        )
        assert items.pull(to=tmp_path / "one", max_wait=1).records == 3
        report = items.pull(to=tmp_path / "two", headroom=0.9, max_wait=1)
    assert report.status == "partial"
    assert "waiting to leave 90 % of the quota to others (headroom)" in (report.stopped_by or "")


def test_a_declared_rate_is_kept_to_without_any_header(cli: Cli) -> None:
    def respond(_: str, query: dict[str, str]) -> Reply:
        return page(2) if "after" in query else page(1, next="/items?after=1")

    define(cli.folder, LIST, source="rate_limit: {rate: [1000/s, 1/h]}\n")
    with serving(respond) as api:
        done = pull(cli, api, "--max-wait", "1s")
        assert (done.code, done.report["records"], len(api.requests)) == (3, 1, 1), done.err
        said = "waiting to keep to 1/h, less 50 % that are left to others (headroom)"
        assert said in done.report["stopped_by"]
        again = pull(cli, api, "--max-wait", "10s", "--headroom", "0")
        assert again.code == 0, "another process begins anew, with one request"


@pytest.mark.parametrize(
    ("rate_limit", "part"),
    [
        ("{rate: fast}", "`fast` is not a rate: write it like `10/s`, `600/min`"),
        ("{rate: 600}", "`600` is not a rate"),
        ("{rate: [10/s, 20/s]}", "rates over the same time"),
        ("{limit: X-Limit}", "and `remaining` is missing"),
        ("{remaining: X-Left, reset: X-Reset, rate: 1/s}", "and `limit` is missing"),
        ("{headroom: 1}", "not a share"),
    ],
)
def test_limits_that_are_wrong_are_shown_with_their_line(cli: Cli, rate_limit: str, part: str) -> None:
    define(cli.folder, LIST, source=f"rate_limit: {rate_limit}\n")
    done = cli("pull", "acme.items", "--catalog", "catalog", "--to", "lake", ACME_URL="http://127.0.0.1:9")
    assert (done.code, part in done.err, "source.yaml:7:" in done.err) == (2, True, True), done.err


def test_more_members_than_can_be_watched_are_an_error_of_the_definition(cli: Cli) -> None:
    members = ", ".join(f"/m{number}: 1" for number in range(40))
    listed = LIST + rules(f"{{when: {{body: {{{members}}}}}, then: fail}}")
    done, api = pulled(cli, listed, lambda *_: page(1))
    assert (done.code, api.requests) == (2, []), done.err
    assert "looks for too many members of a page" in done.err
    of_errors = LIST + rules(f"{{when: {{status: 400, body: {{{members}}}}}, then: fail}}")
    fine, _ = pulled(cli, of_errors, lambda *_: page(1))
    assert fine.code == 0, fine.err
