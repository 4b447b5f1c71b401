"""`circulate new`: a list that works at once, and a test of it that notices when it does not."""

import os
import tempfile
from pathlib import Path

import pytest
import yaml
from support.authored import (
    EACH,
    PAGED,
    TEST,
    WIDGETS,
    Words,
    api_in,
    files_in,
    flags,
    paged,
    random_words,
    run_test,
    write_list,
)
from support.cli import Cli
from support.own_source import replace
from support.packages import assert_reports, write

import circulate_core
from circulate_core.authoring.described import AUTH, OF_PAGINATORS, PAGINATORS
from circulate_core.authoring.endpoint import NewEndpoint
from circulate_core.authoring.flow import flow
from circulate_core.authoring.project import make_project
from circulate_core.authoring.stub import STUBBED
from circulate_core.exceptions import CirculateError

NEW = [
    "definitions/acme/source.yaml",
    "definitions/acme/widgets.yaml",
    "lambdas/lib/acme/widgets/handler.py",
    "lambdas/lib/acme/widgets/lambda.yaml",
    "tests/test_acme_widgets.py",
]
LIST = "definitions/acme/widgets.yaml"
STREAM = "acme.widgets"
SEEDS = 2 * EACH


def new(at_project: Cli, words: Words = WIDGETS, stream: str = STREAM) -> list[str]:
    """Write a list by the command line; return the files that are new."""
    before = files_in(at_project.folder)
    done = at_project("new", stream, *flags(words))
    assert done.code == 0, done.err
    added = sorted(set(files_in(at_project.folder)) - set(before))
    assert sorted(done.out.split()) == added
    return added


def test_it_writes_definition_function_and_test(at_project: Cli, tmp_path: Path) -> None:
    assert new(at_project) == NEW
    project = at_project.folder
    defined = yaml.safe_load((project / LIST).read_text())
    assert defined == {
        "endpoint": "widgets",
        "about": "Widgets of Acme",
        "list": {
            "path": "/v1/widgets",
            "records": "/items",
            "primary_key": ["/id"],
            "paginator": {"token": {"from": {"body": "/meta/next"}, "to": "cursor"}},
            "page_size": {"param": "limit", "max": 5},
        },
    }
    source = yaml.safe_load((project / NEW[0]).read_text())
    assert source["settings"]["url"] == {
        "env": "ACME_URL",
        "about": "Address of the API",
        "default": "https://api.acme.example",
    }
    assert source["settings"]["token"]["env"] == "ACME_TOKEN"
    assert at_project("describe", STREAM).code == 0
    checked = at_project("check", "lambdas")
    assert checked.code == 0, checked.err
    assert "circulate-acme-widgets-list" in checked.out
    run_test(project / TEST, tmp_path / "pulled")


def test_a_second_list_uses_the_source_that_is_there(at_project: Cli, tmp_path: Path) -> None:
    new(at_project)
    source = (at_project.folder / NEW[0]).read_bytes()
    words: Words = {word: value for word, value in paged("page").items() if word not in {"base-url", "auth"}}
    words["path"] = "/v1/gadgets"
    assert new(at_project, words, "acme.gadgets") == [each.replace("widgets", "gadgets") for each in NEW[1:]]
    assert (at_project.folder / NEW[0]).read_bytes() == source
    test = at_project.folder / "tests/test_acme_gadgets.py"
    assert api_in(test).auth == {"bearer": "token"}
    run_test(test, tmp_path / "pulled")


def test_a_source_that_signs_in_by_more_than_a_stub_can_check_is_tested_without(
    at_project: Cli, tmp_path: Path
) -> None:
    new(at_project)
    source = at_project.folder / NEW[0]
    oauth = 'oauth2: {token_url: "https://login.acme.example/token", client_id: id, client_secret: token}'
    replace(source, "- bearer: token", f"- {oauth}")
    replace(source, "  token:", "  id: {env: ACME_ID, about: Client}\n  token:")
    words: Words = {word: value for word, value in WIDGETS.items() if word not in {"base-url", "auth"}}
    new(at_project, words, "acme.gadgets")
    test = at_project.folder / "tests/test_acme_gadgets.py"
    assert "this tests the list alone" in test.read_text()
    run_test(test, tmp_path / "pulled")


@pytest.mark.parametrize("seed", range(SEEDS))
def test_the_test_of_any_list_that_flags_describe_passes(project: Path, tmp_path: Path, seed: int) -> None:
    write_list(project, random_words(seed))
    run_test(project / TEST, tmp_path / "pulled")


@pytest.mark.parametrize("seed", range(EACH))
def test_any_list_can_be_checked_and_looked_at_before_it_is_pulled(project: Path, seed: int) -> None:
    write_list(project, random_words(seed))
    catalog = [project / "definitions"]
    api = api_in(project / TEST)
    with api.serve() as server:
        names = yaml.safe_load((project / NEW[0]).read_text())["settings"]
        settings = {name: f"made-up-{name}" for name in names} | api.settings | {"url": server.url}
        checked = circulate_core.check("acme", streams=[STREAM], settings=settings, catalog=catalog)
        (first,) = checked.lists
        assert first.records
        assert first.contradicted is None
        source = circulate_core.source("acme", settings=settings, catalog=catalog)
        assert len(source.stream("widgets").sample(2)) == min(2, len(api.records))


def test_all_paginators_and_ways_to_sign_in_are_tried() -> None:
    tried = [random_words(seed) for seed in range(SEEDS)]
    assert {each["paginator"] for each in tried} == set(PAGINATORS)
    assert {each["auth"] for each in tried} == set(AUTH)
    assert {word for each in tried for word in each} >= set(OF_PAGINATORS)


def noticed(project: Path, to: Path) -> bool:
    """Return whether the test of a list fails."""
    try:
        run_test(project / TEST, to)
    except (AssertionError, CirculateError):
        return True
    return False


SAME = {"link_header": ["none"], "next_url": ["none"], "token": ["none"]}
"""Lists that a paginator reads as well as their own: where there is one page, none has a next one."""


@pytest.mark.parametrize("documented", PAGED)
@pytest.mark.parametrize("wrong", PAGED)
def test_a_test_fails_if_the_paginator_of_the_definition_is_another_one(
    project: Path, tmp_path: Path, documented: str, wrong: str
) -> None:
    words, others = paged(documented), paged(wrong)
    if documented == "none":
        words = {word: value for word, value in words.items() if not word.startswith("page-size")}
    write_list(project, words)
    other = tmp_path / "other"
    make_project(other)
    if wrong == "none":
        others = {word: value for word, value in others.items() if not word.startswith("page-size")}
    write_list(other, others)
    right, instead = (yaml.safe_load((each / LIST).read_text())["list"]["paginator"] for each in (project, other))
    replace(project / LIST, f"paginator: {flow(right)}\n", f"paginator: {flow(instead)}\n")
    assert noticed(project, tmp_path / "pulled") == (documented not in {wrong, *SAME.get(wrong, ())})


MISTAKES = {
    "another parameter": ("token", "to: cursor", "to: after"),
    "another member": ("token", "/meta/next", "/meta/nxt"),
    "a header for a member": ("token", "from: {body: /meta/next}", "from: {header: X-Next}"),
    "another relation": ("link_header", "paginator: link_header", "paginator: {link_header: {rel: older}}"),
    "another link": ("next_url", "/links/next", "/links/self"),
    "an offset from 1": ("offset", "to: offset", "to: offset, start: 1"),
    "a page from 0": ("page", "to: page", "to: page, first: 0"),
    "another last value": ("last_record", "from: /id", "from: /name"),
    "other records": ("token", "records: /items", "records: /data"),
    "another path": ("token", "path: /v1/widgets", "path: /v2/widgets"),
}


HARMLESS = {
    "another total": ("offset", "/meta/total", "/meta/count"),
    "another number of pages": ("page", "/meta/pages", "/meta/last"),
    "another flag": ("last_record", "more: /more", "more: /has_more"),
    "another limit": ("token", "max: 5", "max: 4"),
}
"""What costs a request more, and no record: the list is read up to a page without any."""


@pytest.mark.parametrize("mistake", MISTAKES | HARMLESS)
def test_a_test_fails_at_other_mistakes_that_lose_records(project: Path, tmp_path: Path, mistake: str) -> None:
    kind, right, wrong = (MISTAKES | HARMLESS)[mistake]
    write_list(project, paged(kind))
    run_test(project / TEST, tmp_path / "before")
    replace(project / LIST, right, wrong)
    assert noticed(project, tmp_path / "after") == (mistake in MISTAKES)


@pytest.mark.parametrize("auth", [each for each in AUTH if each in STUBBED and each != "none"])
def test_a_test_fails_if_requests_are_signed_in_in_another_way(project: Path, tmp_path: Path, auth: str) -> None:
    words = WIDGETS | {"auth": auth} | ({"auth-name": ["X-Key"]} if AUTH[auth].needs else {})
    write_list(project, words | ({"body": "json"} if auth == "body" else {}))
    run_test(project / TEST, tmp_path / "before")
    source = project / NEW[0]
    defined = yaml.safe_load(source.read_text())
    (secret,) = (name for name, setting in defined["settings"].items() if setting.get("secret"))
    source.write_text(yaml.safe_dump(defined | {"auth": [{"header": {"name": "X-Other", "secret": secret}}]}))
    assert noticed(project, tmp_path / "after")


def test_nothing_of_the_environment_reaches_a_stub(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACME_TOKEN", "canary")
    monkeypatch.setenv("ACME_URL", "http://127.0.0.1:9")
    write_list(project, WIDGETS)
    run_test(project / TEST, tmp_path / "pulled")


def test_all_that_is_missing_is_named_at_once(at_project: Cli) -> None:
    before = files_in(at_project.folder)
    missing = "missing: `--base-url`, `--auth`, `--path`, `--primary-key`, `--paginator`"
    assert_reports(at_project("new", STREAM), 2, missing, "nothing is written")
    done = at_project("new", STREAM, "--auth=query", "--paginator=token", "--page-size=5", "--path=/w")
    missing = "missing: `--base-url`, `--auth-name`, `--primary-key`, `--from`, `--to`, `--page-size-param`"
    assert_reports(done, 2, missing)
    flags = ("--base-url=https://a.example", "--auth=none", "--path=/w", "--paginator=none")
    empty = at_project("new", STREAM, *flags, "--primary-key=")
    assert_reports(empty, 2, "missing: `--primary-key`")
    assert files_in(at_project.folder) == before


WRONG: dict[str, tuple[Words, tuple[str, ...]]] = {
    "flags of another paginator": (
        {"paginator": "page", "pages": "/pages", "keep": ["a"]},
        (
            "invalid `--from`: `--paginator page` does not take it; it takes `--to`, `--total`, `--pages`, `--more`",
            "invalid `--keep`: `--paginator page`",
        ),
    ),
    "a page size that is none": (
        {"page-size": "0"},
        ("invalid `--page-size`: expected a whole number of 1 or more, given `0`",),
    ),
    "a page size of one page": (
        {"paginator": "none", "from": None, "to": None},
        ("invalid `--page-size`: a list on one page has no page size",),
    ),
    "a number that is none": (
        {"paginator": "page", "from": None, "to": ["page"], "first": "one"},
        ("invalid `--first`: expected a whole number, given `one`",),
    ),
    "no parameter of a URL": (
        {"from": ["url:/next"]},
        ("invalid `--from`: `url:/next` names no parameter", "url:/links/next?cursor"),
    ),
    "two of what is one": (
        {"paginator": "offset", "from": None, "to": ["a", "b"]},
        ("invalid `--to`: `offset` takes one",),
    ),
    "two keys": ({"auth": "query", "auth-name": ["a", "b"]}, ("invalid `--auth-name`: `query` takes one",)),
    "a query that is none": ({"query": ["state"]}, ("invalid `--query`: expected NAME=VALUE, given `state`",)),
    "plain http": ({"base-url": "http://api.acme.example"}, ("invalid `--base-url`: use https",)),
    "another scheme": (
        {"base-url": "ftp://acme.example"},
        ("invalid `--base-url`: expected an address such as https",),
    ),
    "a user in the address": ({"base-url": "https://me:secret@acme.example"}, ("an address has no user",)),
    "an address without a host": ({"base-url": "https://"}, ("expected an address such as https",)),
    "a port that is none": ({"base-url": "https://acme.example:port"}, ("is not an address",)),
    "an address with a setting": ({"base-url": "https://{tenant}.acme.example"}, ("the whole address is a setting",)),
    "a path of two lines": ({"path": "/a\nb"}, ("invalid `--path`", "has characters that cannot be printed")),
    "a prefix that no header holds": (
        {"auth": "header", "auth-name": ["X"], "auth-prefix": "ü "},
        ("invalid `--auth-prefix`: a header has characters of ASCII",),
    ),
    "a parameter that is not sent": (
        {"paginator": "next_url", "to": None, "keep": ["state"]},
        ("invalid `--keep`: no request has `state`: give it by --query",),
    ),
    "a size in a path": ({"page-size-param": "path:/x/{token}"}, ("invalid `--page-size-param`: a path cannot say",)),
    "two relations": (
        {"paginator": "link_header", "from": None, "to": None, "rel": "older newer"},
        ("invalid `--rel`: a relation is one word, given `older newer`",),
    ),
    "a total in the place of records": (
        {"paginator": "offset", "from": None, "to": ["offset"], "total": "/items"},
        ("no page is as `list` describes it: something else is in the place of the records",),
    ),
    "a list that cannot be pulled": (
        {"format": "csv", "records": None, "primary-key": ["/a/b"], "from": ["header:X-Next"]},
        ("a list that is as these flags say cannot be pulled", "`/a/b`"),
    ),
    # What the engine has to say, with the key.
    "records that are no pointer": (
        {"records": "items"},
        (f"{LIST}:6:", "`items` is not a JSON Pointer", "records: items"),
    ),
    "a path that is none": ({"path": "v1/widgets"}, ("`v1/widgets` is not a path", "path: v1/widgets")),
    "a setting that is none": ({"path": "/{tenant}/widgets"}, (f"{LIST}:5:", "`{tenant}` is neither a field")),
    "a header that is none": ({"auth": "header", "auth-name": ["a b"]}, ("source.yaml:", "`a b` is not a header name")),
    "a key in a body that is not there": ({"auth": "body", "auth-name": ["key"]}, ("body",)),
    # What no page could be like.
    "members in each other's way": ({"from": ["/items/next"]}, ("no page is as `list` describes it", "`/items/next`")),
    "a member of a list": ({"records": None}, ("no page is as `list` describes it", "`/meta/next`")),
    "a key within a key": ({"primary-key": ["/id", "/id/part"]}, ("no page is as `list` describes it",)),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_flag_is_reported_and_nothing_is_written(at_project: Cli, wrong: str) -> None:
    changes, parts = WRONG[wrong]
    before = files_in(at_project.folder)
    done = at_project("new", STREAM, *flags(WIDGETS | changes))
    assert_reports(done, 2, *parts)
    assert tempfile.gettempdir() not in done.err
    assert files_in(at_project.folder) == before


def test_what_the_source_says_is_not_said_again(at_project: Cli) -> None:
    new(at_project)
    done = at_project("new", "acme.gadgets", *flags(WIDGETS))
    parts = ("invalid `--base-url`: `acme` is there already, and says this", "invalid `--auth`")
    assert_reports(done, 2, *parts)
    assert not (at_project.folder / "definitions/acme/gadgets.yaml").exists()


def test_a_mistake_in_the_source_that_is_there_is_shown_where_it_is(at_project: Cli) -> None:
    new(at_project)
    replace(at_project.folder / NEW[0], "base_url", "base")
    words: Words = {word: value for word, value in WIDGETS.items() if word not in {"base-url", "auth"}}
    done = at_project("new", "acme.gadgets", *flags(words))
    assert_reports(done, 2, "error: definitions/acme/source.yaml:", "unknown key `base`")


@pytest.mark.parametrize("taken", NEW[1:])
def test_a_file_that_is_there_is_never_overwritten(at_project: Cli, taken: str) -> None:
    write(at_project.folder / taken, "mine\n")
    before = files_in(at_project.folder)
    assert_reports(
        at_project("new", STREAM, *flags(WIDGETS)), 2, f"nothing is written, since there is already: {taken}"
    )
    assert files_in(at_project.folder) == before
    assert (at_project.folder / taken).read_text() == "mine\n"


def test_files_and_links_in_the_way_are_all_named_before_any_question_of_flags(at_project: Cli) -> None:
    write(at_project.folder / "lambdas/lib/acme", "a file")
    (at_project.folder / TEST).symlink_to("nowhere")
    assert_reports(at_project("new", STREAM), 2, f"there is already: lambdas/lib/acme, {TEST}")


@pytest.mark.parametrize(
    ("stream", "parts"),
    [
        ("acme", ("invalid `SOURCE.ENDPOINT`: `acme`", "write it as acme.widgets")),
        ("acme.", ("invalid `SOURCE.ENDPOINT`",)),
        ("acme.a.b", ("invalid `SOURCE.ENDPOINT`",)),
        ("Acme.widgets", ("invalid `SOURCE.ENDPOINT`",)),
        ("../acme.widgets", ("invalid `SOURCE.ENDPOINT`",)),
        ("acme.wïdgets", ("invalid `SOURCE.ENDPOINT`",)),
        ("acme.widgets\n", ("invalid `SOURCE.ENDPOINT`",)),
        (f"acme.{'w' * 64}", ("63 characters",)),
        ("okta.widgets", ("`okta` is the name of the source that comes with circulate-core", "my_okta")),
        ("targets.widgets", ("`targets` is the name of functions",)),
        ("acme.source", ("an endpoint cannot be named `source`",)),
    ],
)
def test_a_name_that_cannot_be_is_refused(at_project: Cli, stream: str, parts: tuple[str, ...]) -> None:
    before = files_in(at_project.folder)
    assert_reports(at_project("new", stream, *flags(WIDGETS)), 2, *parts)
    assert files_in(at_project.folder) == before


def test_names_may_be_as_long_as_definitions_take_them(at_project: Cli, tmp_path: Path) -> None:
    source, endpoint = "s" * 63, "e" * 63
    new(at_project, WIDGETS, f"{source}.{endpoint}")
    run_test(at_project.folder / f"tests/test_{source}_{endpoint}.py", tmp_path / "pulled")


def test_without_a_project_it_says_where_there_is_one(cli: Cli, at_project: Cli) -> None:
    assert_reports(cli("new", STREAM), 2, f"there is no project in {cli.folder}", "`circulate init` makes one")
    inside = Cli(at_project.folder / "definitions", cli.environment, cli.place)
    assert_reports(inside("new", STREAM), 2, "there is no project in", f"cd {at_project.folder}")


def test_what_cannot_be_written_leaves_nothing_behind(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Path.open

    def full_disk(path: Path, *arguments: str, **options: str) -> object:
        if path.name == TEST.rpartition("/")[2]:
            raise OSError(28, "No space left on device", str(path))
        return opened(path, *arguments, **options)  # type: ignore[call-overload]

    endpoint = NewEndpoint(STREAM, project)
    texts = endpoint.texts(WIDGETS)
    before = files_in(project)
    monkeypatch.setattr(Path, "open", full_disk)
    with pytest.raises(CirculateError, match="No space left on device"):
        endpoint.write(texts)
    assert files_in(project) == before
    assert not (project / "definitions/acme").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_the_right_to_write_is_named(at_project: Cli) -> None:
    (at_project.folder / "definitions").chmod(0o500)
    done = at_project("new", STREAM, *flags(WIDGETS))
    (at_project.folder / "definitions").chmod(0o700)
    assert_reports(done, 2, "cannot write", "Permission denied")


@pytest.mark.parametrize(
    "text",
    [
        "true",
        "No",
        "null",
        "1.0",
        "2026-11-30",
        "- a",
        "a: b",
        "a #b",
        "ä",
        "“q”",
        "\u0085",
        "\t",
        "{a}",
        "",
        " a",
        "a ",
        "~",
    ],
)
def test_text_in_a_definition_stays_text(text: str) -> None:
    assert yaml.safe_load(f"about: {flow(text)}") == {"about": text}
    assert yaml.safe_load(f"about: {flow({text: [text]})}") == {"about": {text: [text]}}
