"""Definitions in code: they say what files say, and become files."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from support.cli import Cli
from support.http_server import Handler, Reply, Server

import circulate_core
from circulate_core import catalogs
from circulate_core.exceptions import DefinitionError, EarlierKeyWarning
from circulate_practice.paging.kit import STYLES, PagedList, make_records, serve

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests/golden/0.1/definitions"
BEARER = [{"header": {"name": "Authorization", "prefix": "Bearer ", "secret": "token"}}]
HOSTILE = [
    *("", " ", "~", "null", "yes", "No", "on", "true", "1", "1e3", "0x1F", ".inf", "12:30:45", "2026-01-01", "<<", "="),
    *(
        "- a",
        "? a",
        "a: b",
        "a:",
        "a #b",
        "#a",
        "*a",
        "&a",
        "!a",
        "%a",
        "@a",
        "`a`",
        "|",
        ">-",
        "---",
        "...",
        "[a",
        "a, b",
    ),
    *(
        "'",
        '"',
        "\\",
        "{{",
        "{{a}}",
        "a\nb",
        "a\nb\n",
        "\na",
        "a\n\n",
        " a\nb",
        "a\n \nb",
        "a\r\nb",
        "\ta",
        "a ",
        "é🦀",
    ),
    *("a\u0085b", "a\u2028b", "\ufeffa", "\x7f", "\x00", "x" * 5000, "word " * 400),
]


def acme(**definition: Any) -> circulate_core.Source:  # noqa: ANN401 - what a definition holds
    return circulate_core.source("acme", **{"base_url": "https://api.acme.example", **definition})


def defined(folder: Path, source: str) -> dict[str, Mapping[str, Any]]:
    """Return what a folder of definitions defines of a source, by stream."""
    names = [name for name in catalogs.stream_names(catalog=[folder]) if name.startswith(f"{source}.")]
    return {name: catalogs.stream_definition(name, catalog=[folder]) for name in names}


def assert_saved(of: circulate_core.Source, folder: Path) -> None:
    """Save a source, and find what it defines in the folder."""
    paths = of.save(folder)
    expected = {f"{of.name}.{name}": of.stream(name).definition for name in of.streams}
    assert defined(folder, of.name) == expected
    assert {path.name for path in paths} == {"source.yaml", *(f"{name}.yaml" for name in of.streams)}
    assert sorted(paths) == sorted((folder / of.name).iterdir())


@pytest.mark.parametrize(
    ("catalog", "source"),
    [((), "okta"), (GOLDEN / "shipped", "okta"), (GOLDEN / "small", "okta"), (GOLDEN / "catalog", "acme")],
    ids=["ours", "shipped", "small", "catalog"],
)
@pytest.mark.filterwarnings("ignore::circulate_core.exceptions.EarlierKeyWarning")
def test_a_definition_that_somebody_wrote_is_written_again(catalog: Any, source: str, tmp_path: Path) -> None:  # noqa: ANN401
    given = defined(catalog, source) if catalog else {d: catalogs.stream_definition(d) for d in catalogs.stream_names()}
    first = next(iter(given.values()))
    in_code = circulate_core.source(first["source"])

    # Parents before the children that name them, and endpoints before those whose operations name theirs.
    def rank(each: Any) -> int:  # noqa: ANN401 - a definition
        names_others = "'users." in str(each["endpoint"].get("operations", {}))
        return 2 if "parent" in each["endpoint"]["list"] else int(names_others)

    for each in sorted(given.values(), key=rank):
        in_code.stream(each["endpoint"]["endpoint"], each["endpoint"])
    assert_saved(in_code, tmp_path)
    for name, saved in defined(tmp_path, source).items():
        # In code a list that says nothing of scopes needs none.
        endpoint = {"scopes": [], **given[name]["endpoint"]}
        assert saved == {**given[name], "endpoint": endpoint}
    # Nothing is said that goes without saying.
    text = "".join(path.read_text() for path in (tmp_path / source).iterdir())
    assert not re.search(r"secret: false|min: 1}|in_flight: 8|overlap: 5m|: \{\}|body_link|endless", text)


@pytest.mark.parametrize("style", STYLES)
def test_a_list_of_any_style_is_pulled_by_what_was_saved(style: str, cli: Cli) -> None:
    with serve(PagedList(make_records(23), style=style, page_size=5)) as server:
        of = circulate_core.source(server.source())
        for name, endpoint in server.endpoints().items():
            of.stream(name, endpoint)
        assert_saved(of, cli.folder / "definitions")
        flags = ["--catalog", "definitions", "--to", "lake", "--account", "practice", "--json"]
        environment = {of.definition["settings"]["base_url"]["env"]: server.url}
        done = cli("pull", f"{of.name}.items", *flags, **environment)
    assert (done.code, done.report["records"]) == (0, 23), done.err


@pytest.mark.parametrize("text", HOSTILE, ids=[ascii(text)[:20] for text in HOSTILE])
def test_a_text_is_saved_as_it_is(text: str, tmp_path: Path) -> None:
    of = acme(
        title=text,
        settings={"tenant": {"env": "ACME_TENANT", "about": text}},
        errors=[{"when": {"status": 400, "body": {"/code": text}}, "then": "fail"}],
    )
    # Keys of YAML are shorter than some of the texts.
    key = f"a{text}"[:500]
    of.stream(
        "items",
        about=text,
        path="/items/{tenant}",
        query={"q": text, key: [text, "x"]},
        body={"json": {"value": [text, {key: text, "number": 1e300, "small": -7, "none": None, "no": False}]}},
        paginator={"token": {"from": {"body": "/next"}, "to": {"body": "/after"}, "start": text}},
    )
    assert_saved(of, tmp_path)
    # Another parser of YAML finds it there, too.
    assert yaml.safe_load((tmp_path / "acme/items.yaml").read_text(encoding="utf-8"))["about"] == text


def test_settings_are_declared_and_have_no_values(tmp_path: Path) -> None:
    of = acme(
        base_url="{site}/api",
        auth=BEARER,
        settings={
            "site": "https://site-canary.example",
            "token": "token-canary",
            "tenant": {"env": "ACME_TENANT", "about": "A tenant", "default": "main"},
        },
    )
    of.stream("items", path="/{tenant}/items", paginator="link_header", columns={"id": "string"})
    source, items = (path.read_text() for path in of.save(tmp_path))
    assert "canary" not in source + items
    assert list(yaml.safe_load(source)["settings"]) == ["site", "tenant", "token"]
    assert "site: {env: ACME_SITE, about:" in source
    assert "columns:\n  id: string\n" in items


def test_a_schema_that_is_beside_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "endpoint.schema.json").write_text("{}")
    of = acme()
    of.stream("items", path="/items", paginator="none")
    source, items = (path.read_text() for path in of.save(tmp_path))
    assert items.startswith("# yaml-language-server: $schema=../endpoint.schema.json\nendpoint: items\n")
    assert source.startswith("source: acme\n")


def test_a_file_is_replaced_only_if_that_is_wanted(tmp_path: Path) -> None:
    of = acme()
    of.stream("items", path="/items", paginator="none")
    source, items = of.save(tmp_path)
    commented = f"# Mine.\n{items.read_text()}"
    items.write_text(commented)
    assert of.save(tmp_path) == [source, items]
    assert items.read_text() == commented
    other = acme()
    other.stream("items", path="/things", paginator="none")
    other.stream("more", path="/more", paginator="none")
    with pytest.raises(DefinitionError, match=re.escape(str(items))) as caught:
        other.save(tmp_path)
    assert "overwrite=True" in str(caught.value.hint)
    assert sorted(path.name for path in items.parent.iterdir()) == ["items.yaml", "source.yaml"]
    items.write_text("no: [definition")
    with pytest.raises(DefinitionError, match="something else is defined there"):
        of.save(tmp_path)
    assert len(other.save(tmp_path, overwrite=True)) == 3
    assert defined(tmp_path, "acme")["acme.items"]["endpoint"]["list"]["path"] == "/things"


def test_endpoints_of_a_source_of_a_catalog_are_saved_beside_it(tmp_path: Path) -> None:
    okta = circulate_core.source("okta", settings={"org_url": "https://acme.okta.com"})
    with pytest.raises(DefinitionError, match="nothing of okta is defined in code"):
        okta.save(tmp_path)
    parent = {"endpoint": "groups", "fields": {"id": "/id"}}
    okta.stream("rules", path="/api/v1/groups/{id}/rules", parent=parent, paginator="link_header")
    paths = okta.save(tmp_path / "new/definitions")
    assert [path.name for path in paths] == ["source.yaml", "groups.yaml", "rules.yaml", "users.yaml"]
    saved = defined(tmp_path / "new/definitions", "okta")
    assert saved == {name: catalogs.stream_definition(name, catalog=okta._catalog) for name in saved}  # noqa: SLF001
    # In the folder that the source is from nothing but its own endpoints is new.
    again = circulate_core.source("okta", catalog=[tmp_path / "new/definitions"])
    again.stream("mine", path="/api/v1/mine", paginator="link_header")
    before = paths[0].stat()
    again.save(tmp_path / "new/definitions")
    assert paths[0].stat().st_ino == before.st_ino
    assert sorted(defined(tmp_path / "new/definitions", "okta")) == [
        "okta.groups",
        "okta.mine",
        "okta.rules",
        "okta.users",
    ]


def test_a_folder_that_can_not_be_written_to_is_said(tmp_path: Path) -> None:
    of = acme()
    of.stream("items", path="/items", paginator="none")
    (tmp_path / "file").write_text("")
    with pytest.raises(DefinitionError, match=r"cannot (read|write) .*file.*source\.yaml: Not a directory"):
        of.save(tmp_path / "file")
    (tmp_path / "taken/acme/source.yaml").mkdir(parents=True)
    with pytest.raises(DefinitionError, match=r"source\.yaml: Is a directory"):
        of.save(tmp_path / "taken")
    with pytest.raises(DefinitionError, match="invalid `folder`: expected a path, given 5"):
        of.save(5)  # type: ignore[arg-type]
    for nowhere in ("", " ", "a\0b"):
        with pytest.raises(DefinitionError, match=r"invalid `folder`: '.*' names no folder"):
            of.save(nowhere)
    if os.geteuid() != 0:
        (tmp_path / "read").mkdir(mode=0o555)
        with pytest.raises(DefinitionError, match="Permission denied"):
            of.save(tmp_path / "read")


def test_every_key_is_a_keyword_or_in_a_mapping() -> None:
    keys: dict[str, Any] = {
        "method": "POST",
        "path": "/items",
        "query": {"status": ["a", "b"], "filter": {"text": 'owner eq "x"', "quote": "backslash"}},
        "encode": "percent",
        "headers": {"X-A": "b"},
        "body": {"graphql": {"query": "query { items }", "variables": {"first": 100}}},
        "before": {"method": "POST", "path": "/start", "accept": [400]},
        "errors": [{"when": {"status": 403}, "then": "throttled"}],
        "format": "json",
        "records": {"map": "/items"},
        "empty": ["null", 204],
        "primary_key": "none",
        "page_size": {"param": {"body": "/variables/first"}, "ask": 50, "max": 100},
        "paginator": {"token": {"from": [{"header": "A"}, {"url": {"body": "/n"}, "param": "p"}], "to": ["a", "b"]}},
        "single": "certain",
        "total": {"exact": False},
        "end": {"ignore": ["/next_page"]},
    }
    of = acme(
        rate_limit={"rate": ["10/s", "600/min"]}, check={"path": "/me"}, headers={"A": "b"}, docs="https://a.example"
    )
    in_keywords = of.stream("items", about="Items", docs="https://b.example", scopes=["a"], **keys).definition
    in_mapping = of.stream(
        "items", {"about": "Items", "docs": "https://b.example", "scopes": ["a"], "list": keys}
    ).definition
    assert in_keywords == in_mapping
    assert in_keywords["endpoint"]["list"]["method"] == "POST"
    whole = circulate_core.source({**of.definition})
    assert whole.definition == of.definition


def test_a_key_is_given_once() -> None:
    with pytest.raises(DefinitionError, match="`path`, `body` twice: in the mapping, and as a keyword"):
        acme().stream("items", {"list": {"path": "/a", "body": {}}}, path="/b", body={"json": {}}, paginator="none")
    with pytest.raises(DefinitionError, match=r"of acme\.items has `about` twice"):
        acme().stream("items", {"about": "a"}, about="b", path="/b", paginator="none")
    with pytest.raises(DefinitionError, match="the source has `title` twice"):
        circulate_core.source({"source": "acme", "title": "a"}, title="b")


def test_a_definition_goes_where_its_place_is() -> None:
    inline: Any = {"source": {"source": "acme"}, "endpoints": {}}
    with pytest.raises(DefinitionError, match=r"pass a definition as `source\(definition\)`"):
        circulate_core.source("acme", catalog=[inline])
    for wrong in ({}, {"source": "acme", "endpoints": {"items": "list"}}, {"source": "acme", "endpoints": []}):
        with pytest.raises(DefinitionError, match="needs `source`, a name or a mapping; its `endpoints` are mappings"):
            circulate_core.streams(catalog=[cast("Any", wrong)])


UNWRITABLE = {"nan": float("nan"), "inf": float("inf"), "surrogate": "\ud800", "object": object(), "set": {1, 2}}


@pytest.mark.parametrize("value", UNWRITABLE.values(), ids=UNWRITABLE.keys())
def test_what_a_file_could_not_hold_is_refused(value: object) -> None:
    with pytest.raises(DefinitionError, match="what YAML could not"):
        acme().stream("items", path="/items", paginator="none", body={"json": {"value": value}})


def test_all_mistakes_are_said_at_once_with_where_they_are() -> None:
    with pytest.raises(DefinitionError) as caught:
        acme().stream("items", pth="/items", path="/items", paginator={"offset": {"too": "offset"}}, format="xml")
    said = str(caught.value)
    for part in ("unknown key `pth`", "unknown key `too`", "`xml`", '"too": "offset"', "definition of acme.items:"):
        assert part in said
    with pytest.raises(DefinitionError, match="unknown paginator `none_at_all`"):
        acme().stream("items", path="/items", paginator="none_at_all")


PAGINATORS: list[tuple[Any, str]] = [
    ("none", "none"),
    ("link_header", "link header"),
    ({"link_header": {"rel": "more"}}, "link header rel more"),
    ({"body_link": "/next"}, "next url from /next"),
    ({"next_url": {"header": "X-Next"}}, "next url from header X-Next"),
    ({"offset": {"to": "offset"}}, "offset to offset"),
    ({"page": {"to": {"header": "X-Page"}}}, "page to header X-Page"),
    ({"last_record": {"from": "/id", "to": "after"}}, "last record from /id to after"),
    ({"token": {"from": {"body": "/next"}, "to": "cursor"}}, "token from /next to cursor"),
    (
        {
            "token": {
                "from": [{"header": "A"}, {"url": {"link": "next"}, "param": "p"}],
                "to": ["a", {"path": "/{token}"}],
            }
        },
        "token from header A and p of the URL in link next to a and /{token}",
    ),
]


@pytest.mark.parametrize(("paginator", "shown"), PAGINATORS, ids=[shown for _, shown in PAGINATORS])
def test_how_a_list_pages_is_shown(paginator: object, shown: str, cli: Cli) -> None:
    of = acme()
    stream = of.stream("items", path="/items", paginator=paginator, body={"json": {}})
    of.save(cli.folder / "definitions")
    done = cli("describe", "acme.items", "--catalog", "definitions")
    assert f"  pages by     {shown}\n" in done.out
    assert "  request      POST /items\n" in done.out
    assert shown in str(stream._repr_html_())


ENDLESS = """\
endpoint: audit
about: What happened
list:
  path: /audit
  primary_key: [/id]
  paginator: {body_link: /next}
  incremental: {cursor: /at, param: since, since: "{since}", until: "{until}", until_param: until}
  endless:
    {history: 30d, oldest: 60d, window: 1d}
"""


def test_an_earlier_key_loads_with_a_hint(cli: Cli) -> None:
    folder = cli.folder / "definitions"
    acme_source = acme()
    acme_source.stream("items", path="/items", paginator="none")
    acme_source.save(folder)
    (folder / "acme/audit.yaml").write_text(ENDLESS)
    hint = "definitions/acme/audit.yaml:8:3: the key `endless` is now called `polling`; the earlier name goes with 0.3"
    with pytest.warns(EarlierKeyWarning, match=re.escape(hint)) as caught:
        stream = circulate_core.source("acme", catalog=[folder]).stream("audit")
    assert {warning.filename for warning in caught} == {__file__}
    assert stream.definition["endpoint"]["list"]["paginator"] == {"body_link": "/next"}
    for command in (["describe", "acme.audit"], ["list", "acme"]):
        done = cli(*command, "--catalog", "definitions")
        assert (done.code, done.err) == (0, f"note: {hint}\n")
    assert cli("describe", "acme.audit", "--catalog", "definitions", "--quiet").err == ""
    (folder / "acme/audit.yaml").write_text(ENDLESS.replace("endless", "polling"))
    assert cli("describe", "acme.audit", "--catalog", "definitions").err == ""


def blocks(guide: str, language: str) -> list[str]:
    text = (ROOT / f"python/docs/{guide}").read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def test_the_guide_shows_what_is_saved(tmp_path: Path) -> None:
    (code,) = (block for block in blocks("python.md", "python") if 'acme.stream(\n    "tickets"' in block)
    names: dict[str, Any] = {"circulate_core": circulate_core}
    exec(compile(code, "python.md", "exec"), names)  # noqa: S102 - the guide's own
    saved = [path.read_text() for path in names["acme"].save(tmp_path)]
    assert saved == blocks("python.md", "yaml")


def test_the_first_example_of_definitions_is_a_whole_source(cli: Cli) -> None:
    tickets = [{"id": number, "subject": f"Ticket {number}"} for number in range(250)]
    asked: list[str] = []

    def respond(request: Handler) -> Reply:
        path, _, query = request.path.partition("?")
        if request.headers["Authorization"] != "Bearer t0ken":
            return Reply({"error": "who is it?"}, status=401)
        if path == "/api/v2/me":
            return Reply({"name": "somebody"})
        if path != "/api/v2/tickets":
            return Reply({"error": "not here"}, status=404)
        asked.append(query)
        given = dict(pair.split("=") for pair in query.split("&"))
        size = int(given["per_page"])
        start = size * (int(given["page"]) - 1)
        return Reply({"data": tickets[start : start + size], "meta": {"total": len(tickets)}})

    for text in blocks("definitions.md", "yaml")[:2]:
        found = re.match(r"# (definitions/ticketing/\w+\.yaml)\n", text)
        assert found is not None
        file = cli.folder / found[1]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    commands = re.findall(r"^circulate (.*)$", blocks("definitions.md", "sh")[0], re.MULTILINE)
    assert [command.split()[0] for command in commands] == ["check", "pull"]
    with Server(respond) as server:
        for command in commands:
            done = cli(*command.split(), TICKETING_SITE=server.url, TICKETING_TOKEN="t0ken")
            assert done.code == 0, done.err
    assert "250 records in 3 pages" in done.err
    assert asked[-3:] == [f"per_page=100&status=open&status=closed&page={page}" for page in (1, 2, 3)]
