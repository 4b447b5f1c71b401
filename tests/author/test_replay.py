"""`circulate replay`: recorded lists are pulled as they were, with faults on the way; every promise can be broken."""

import http.client
import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from support.cli import Cli, StartOrg
from support.recorded import COUNT, LIST, Api, recorded, write_people

from circulate_core import _core
from circulate_core.authoring.cassettes.cassette import Cassette, CassetteError, Exchange
from circulate_core.authoring.cassettes.faults import FAULTS, KILLED, NAMES, RETRY_AFTER, spots
from circulate_core.authoring.cassettes.promises import PROMISES, Kept, OfCassette, Trial
from circulate_core.authoring.cassettes.pulling import Job, Outcome, Workers
from circulate_core.authoring.cassettes.recording import record, save
from circulate_core.catalogs import catalog_of
from circulate_practice.org import DEFAULT_TOKEN
from circulate_practice.paging import kit
from circulate_practice.paging.kit.definitions import write_definition


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the definition of a list of people."""
    return write_people(tmp_path_factory.mktemp("definitions"))


@pytest.fixture(scope="module")
def cassette(catalog: Path) -> Cassette:
    """Record it."""
    return recorded(Api(), catalog).cassette


@pytest.fixture
def file(cassette: Cassette, tmp_path: Path) -> Path:
    """Write the cassette."""
    path = tmp_path / "acme.people.jsonl"
    path.write_text(cassette.text(), newline="\n")
    return path


# Every style of paging


STYLES = [
    *("none", "link_header", "next_url", "token", "token_to_json", "token_to_path", "graphql", "offset_total"),
    *("page", "last_record", "csv", "ndjson"),
]


def recorded_list(style: str, folder: Path) -> Cassette:
    """Record a list in a style of paging, whose definition is written to a folder."""
    paged = kit.PagedList(kit.make_records(13), style=style, page_size=4)
    with kit.serve(paged, key=kit.Key("X-Key", "s3cr3t-key")) as server:
        write_definition(server.source(), server.endpoints(), folder)
        settings = _core.Settings({"base_url": server.url, "key": "s3cr3t-key"})
        account = _core.Account(catalog_of([folder]), settings, None, None, {})
        return record("practice.items", account, catalog=[folder]).cassette


@pytest.mark.parametrize("style", STYLES)
def test_every_fault_is_survived_in_every_style_of_paging(tmp_path: Path, style: str) -> None:
    cassette = recorded_list(style, tmp_path)
    with Workers() as engine:
        trial = Trial(OfCassette(cassette, [tmp_path]), engine)
        kept = [trial.of(promise) for promise in PROMISES if promise != KILLED]
    assert [each.explained() for each in kept if each.broken] == []
    assert {each.promise for each in kept if each.skipped} <= {"repeated", "key"}
    assert kept[0].records == 13


@pytest.mark.parametrize("style", ["next_url", "page"])
def test_a_list_is_whole_wherever_its_process_is_killed(tmp_path: Path, style: str) -> None:
    cassette = recorded_list(style, tmp_path)
    with Workers() as engine:
        kept = Trial(OfCassette(cassette, [tmp_path]), engine).of(KILLED)
    assert (kept.broken, kept.records) == ((), 13)
    assert int(kept.seen.split()[0]) > 20


def test_lists_side_by_side_are_requested_in_the_same_way_each_time(start_org: StartOrg, tmp_path: Path) -> None:
    org = start_org(policies=3)
    account = _core.Account(
        catalog_of([]), _core.Settings({"org_url": org.url, "api_token": DEFAULT_TOKEN}), None, None, {}
    )
    cassette = record("okta.policies", account, catalog=[]).cassette
    save(cassette, tmp_path / "c/okta.policies.jsonl")
    read = Cassette.read(tmp_path / "c/okta.policies.jsonl")
    assert (read, read.edited) == (cassette, False)
    with Workers() as engine:
        trial = Trial(OfCassette(read, []), engine)
        kept = [trial.of(promise) for promise in ("complete", "key", "429", "reset", "html")]
    assert [each.explained() for each in kept if each.broken] == []
    assert len(cassette.ending.records) == len(set(cassette.ending.records)) > 10


@pytest.mark.parametrize("stream", ["okta.users", "okta.system_log", "okta.group_members"])
def test_lists_of_the_practice_org_are_recorded_and_replayed(start_org: StartOrg, stream: str) -> None:
    org = start_org(users=12, groups=3, events=60)
    account = _core.Account(
        catalog_of([]), _core.Settings({"org_url": org.url, "api_token": DEFAULT_TOKEN}), None, None, {}
    )
    cassette = record(stream, account, catalog=[]).cassette
    assert DEFAULT_TOKEN not in cassette.text()
    with Workers() as engine:
        trial = Trial(OfCassette(cassette, []), engine)
        kept = [trial.of(promise) for promise in ("complete", "key", "503", "truncated", "repeated", "expired")]
    assert [each.explained() for each in kept if each.broken] == []


def test_a_replay_has_the_same_bytes_each_time(cassette: Cassette, catalog: Path) -> None:
    with Workers() as engine:
        one, two = (Trial(OfCassette(cassette, [catalog]), engine).played()[0] for _ in range(2))
    assert one.records == two.records
    assert len(one.records) == COUNT


# What a promise is broken by


class Careless:
    """Pulls people as a script does that was never tried on a bad day.

    What goes wrong ends the list, which is complete all the same; and whoever starts again keeps what is there.
    """

    def __init__(self) -> None:
        self.lakes: dict[Path, list[bytes]] = {}

    def pull(self, job: Job) -> Outcome:
        """Pull."""
        lake = self.lakes.setdefault(job.to, [])
        cursor: str | None = None
        writes = []
        while True:
            page = self.page(job, cursor)
            if page is None:
                break
            for each in page["data"]:
                lake.append(json.dumps(each).encode())
                writes.append(f"after object#{len(lake)}")
                if writes[-1] == job.kill_at:
                    return Outcome("killed")
            if page.get("next") in {None, cursor}:
                break
            cursor = page["next"]
        return Outcome("complete", records=tuple(lake), writes=tuple(writes))

    def page(self, job: Job, cursor: str | None) -> Any:  # noqa: ANN401 - JSON
        """Return a page, or None where there is none."""
        address = job.server.removeprefix("http://")
        connection = http.client.HTTPConnection(address)
        query = {"limit": "4"} | ({"cursor": cursor} if cursor else {})
        headers = {"Circulate-Replay": job.settings["url"], "Authorization": f"Bearer {job.settings['key']}"}
        try:
            connection.request("GET", f"/people?{urlencode(query)}", headers=headers)
            response = connection.getresponse()
            return json.loads(response.read()) if response.status == 200 else None
        except (OSError, http.client.HTTPException, ValueError):
            return None
        finally:
            connection.close()


@pytest.fixture(scope="module")
def careless(cassette: Cassette, catalog: Path) -> Callable[[str], Kept]:
    """Try promises on a careless script."""
    # What it writes has no spaces; so that it has the recorded records, they are told by what it wrote itself.
    known = Trial(OfCassette(cassette, [catalog]), Careless())

    @cache
    def tried(promise: str) -> Kept:
        return known.of(promise)

    known._plain = replace(known._plain, differences=())  # noqa: SLF001 - its records are formatted anew
    return tried


@pytest.mark.parametrize("promise", [name for name in NAMES if name != "repeated"])
def test_a_careless_script_breaks_each_promise(careless: Callable[[str], Kept], promise: str) -> None:
    kept = careless(promise)
    assert kept.broken != ()
    assert kept.lost or kept.twice or "wait" in kept.broken[0]
    assert kept.explained().startswith(f"promise `{promise}` is broken: ")


class Hasty(Careless):
    """Sends everything again at once, however long it was asked to wait, and takes what was read before for new."""

    def page(self, job: Job, cursor: str | None) -> Any:  # noqa: ANN401 - JSON
        """Return a page."""
        return super().page(job, cursor) or super().page(job, cursor)


def test_who_does_not_wait_as_long_as_asked_breaks_the_promise_of_429(cassette: Cassette, catalog: Path) -> None:
    trial = Trial(OfCassette(cassette, [catalog]), Hasty())
    trial._plain = replace(trial._plain, differences=())  # noqa: SLF001 - its records are formatted anew
    kept = trial.of("429")
    assert (kept.lost, kept.twice) == (0, 0)
    waits = f"expected waits of {3 * RETRY_AFTER} s, as Retry-After said; 0 s were waited"
    assert kept.broken == (f"{waits}: look at `errors` of the definition",)


class Skipping(Careless):
    """Takes a page that begins with what it has seen for the end."""

    def page(self, job: Job, cursor: str | None) -> Any:  # noqa: ANN401 - JSON
        """Return a page."""
        page = super().page(job, cursor)
        lake = self.lakes[job.to]
        return None if page and json.dumps(page["data"][0]).encode() in lake else page


def test_who_ends_a_list_at_a_repeated_page_breaks_its_promise(cassette: Cassette, catalog: Path) -> None:
    trial = Trial(OfCassette(cassette, [catalog]), Skipping())
    trial._plain = replace(trial._plain, differences=())  # noqa: SLF001 - its records are formatted anew
    kept = trial.of("repeated")
    assert kept.lost > 0
    assert kept.broken != ()


class Unmoved:
    """Pulls nothing: what it has is what was recorded, whatever happens."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome

    def pull(self, _: Job) -> Outcome:
        """Return the same."""
        return self.outcome


@pytest.mark.parametrize("promise", NAMES)
def test_a_promise_is_not_kept_by_what_never_met_its_fault(cassette: Cassette, catalog: Path, promise: str) -> None:
    with Workers() as engine:
        outcome, _ = Trial(OfCassette(cassette, [catalog]), engine).played()
    trial = Trial(OfCassette(cassette, [catalog]), Unmoved(outcome))
    assert trial.of("complete").broken != (), "nothing was requested"
    trial._plain = replace(trial._plain, differences=())  # noqa: SLF001 - for the others
    kept = trial.of(promise)
    assert kept.broken != () or kept.skipped is not None
    assert kept.word != "kept"


# Definitions that have changed


CHANGED: dict[str, tuple[dict[str, Any], str, str]] = {
    "another path": ({"path": "/persons"}, "complete", r"the path is /persons, recorded is /people \(`path`\)"),
    "another parameter": (
        {"paginator": {"token": {"from": {"body": "/next"}, "to": "after"}}},
        "complete",
        r"the parameter (after|cursor) is .*recorded is .*`paginator`",
    ),
    "another page size": (
        {"page_size": {"param": "limit", "max": 3}},
        "complete",
        r"the parameter limit is 3, recorded is 4 \(`query`, `page_size`",
    ),
    "no paginator": ({"paginator": "none"}, "complete", r"expected `complete`|not sent"),
    "another record path": (
        {"records": "/echo"},
        "complete",
        r"records? recorded, .* came: 11 missing.*look at `records`",
    ),
    "a key that repeats": ({"primary_key": ["/team"]}, "key", r"repeat one: look at `primary_key`"),
    "a key that is missing": ({"primary_key": ["/uuid"]}, "", r"primary_key|/uuid"),
}


@pytest.mark.parametrize("change", CHANGED)
def test_a_definition_that_is_wrong_now_says_what_to_look_at(tmp_path: Path, change: str) -> None:
    people = [{**each, "team": "red"} for each in Api().records]
    catalog = write_people(tmp_path)
    cassette = recorded(Api(records=people), catalog).cassette
    listing, promise, expected = CHANGED[change]
    write_people(tmp_path, listing={**LIST, **listing})
    with Workers() as engine:
        trial = Trial(OfCassette(cassette, [catalog]), engine)
        kept = [trial.of("complete"), trial.of("key")]
    broken = [each for each in kept if each.broken and promise in {"", each.promise}]
    assert broken, kept
    assert re.search(expected, broken[0].explained()), broken[0].explained()


def test_faults_are_not_tried_on_a_definition_that_is_wrong(tmp_path: Path, cassette: Cassette) -> None:
    catalog = write_people(tmp_path, listing={**LIST, "path": "/persons"})
    with Workers() as engine:
        kept = Trial(OfCassette(cassette, [catalog]), engine).of("503")
    assert kept.broken[0].startswith("`complete` is broken, and comes first: not recorded: GET /persons?limit=4.")


def test_a_setting_that_is_gone_is_named(tmp_path: Path, cassette: Cassette) -> None:
    catalog = write_people(tmp_path, "basic")
    source = catalog / "acme/source.yaml"
    source.write_text(
        source.read_text().replace("  key:", "  password:").replace("password: key", "password: password")
    )
    with pytest.raises(CassetteError, match="no longer has `key`"):
        OfCassette(cassette, [catalog])


# Files that are no cassettes, or not any more


def lines(text: str) -> list[str]:
    """Return the lines of a file."""
    return text.removesuffix("\n").split("\n")


DAMAGED: dict[str, tuple[Callable[[str], str], str]] = {
    "empty": (lambda _: "", "is not a cassette: it is empty"),
    "another file": (lambda _: "name: acme\n", "is not a cassette: its first line is not JSON"),
    "another JSON": (lambda _: '{"a": 1}\n', "its first line has no `circulate_cassette`"),
    "a newer version": (
        lambda text: text.replace('"circulate_cassette": 1', '"circulate_cassette": 2'),
        "is a cassette of version 2, and this is read: 1",
    ),
    "cut between exchanges": (lambda text: "\n".join(lines(text)[:-1]) + "\n", "is cut: its last line, "),
    "cut in a body": (lambda text: "\n".join(lines(text)[:5]) + "\n", "the file is cut: the body that begins before"),
    "cut in a line": (lambda text: text[: len(text) // 2], r", line \d+: it is not JSON"),
    "two of them": (lambda text: text + text, "there is more behind the end of the recording"),
    "a line less": (lambda text: "\n".join([*lines(text)[:3], *lines(text)[4:]]), r", line \d+: "),
    "another kind of status": (
        lambda text: text.replace('"status": 200', '"status": "ok"', 1),
        ", line 2: it is not an exchange: ValueError: invalid status: 'ok'",
    ),
    "a head without a stream": (lambda text: text.replace('"stream"', '"steam"'), "lacks something"),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_file_that_is_no_cassette_is_refused_with_the_reason(
    cli: Cli, catalog: Path, file: Path, damage: str
) -> None:
    spoil, expected = DAMAGED[damage]
    file.write_text(spoil(file.read_text()), newline="\n")
    with pytest.raises(CassetteError, match=expected):
        Cassette.read(file)
    done = cli("replay", file, "--catalog", catalog)
    assert done.code == 1
    assert "hint: " in done.err


def test_what_is_not_text_and_what_is_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "c").write_bytes(b"\xff\xfe\0")
    with pytest.raises(CassetteError, match="it is not text"):
        Cassette.read(tmp_path / "c")
    with pytest.raises(CassetteError, match="No such file"):
        Cassette.read(tmp_path / "none")


def test_a_cassette_of_another_stream_is_refused(cassette: Cassette, catalog: Path) -> None:
    with pytest.raises(CassetteError, match=r"the cassette is of acme\.people, and not of acme.users"):
        OfCassette(cassette, [catalog], "acme.users")


def test_a_record_that_was_edited_is_noticed(catalog: Path, file: Path) -> None:
    file.write_text(file.read_text().replace("p-003", "p-999"), newline="\n")
    cassette = Cassette.read(file)
    assert cassette.edited
    with Workers() as engine:
        kept = Trial(OfCassette(cassette, [catalog]), engine).of("complete")
    assert "1 missing, 1 not among them" in kept.broken[0]
    assert kept.broken[-1] == "the cassette was edited after it was recorded; if that was meant, record it again"


def test_a_request_that_was_never_recorded_ends_the_pull_whatever_the_definition_says_of_errors(
    tmp_path: Path, cassette: Cassette
) -> None:
    rules = [{"when": {"status": 404}, "then": "end"}]
    catalog = write_people(tmp_path, listing={**LIST, "path": "/persons", "errors": rules})
    with Workers() as engine:
        outcome, missing = Trial(OfCassette(cassette, [catalog]), engine).played()
    assert outcome.status == "failed"
    assert missing


def test_an_exchange_that_is_never_asked_for_is_reported(cassette: Cassette, catalog: Path) -> None:
    first = cassette.exchanges[0]
    more = Exchange(replace(first.request, url=first.request.url.replace("/people", "/more")), first.response)
    with Workers() as engine:
        subject = OfCassette(replace(cassette, exchanges=(*cassette.exchanges, more)), [catalog])
        kept = Trial(subject, engine).of("complete")
    assert kept.broken[0].startswith("1 recorded request not sent, the first is GET /more?limit=4: look at `paginator`")


# The command


def test_the_command_shows_a_row_for_each_promise(cli: Cli, catalog: Path, file: Path) -> None:
    done = cli("replay", file, "--catalog", catalog, "--faults", "429,html,expired")
    assert done.code == 0, done.err
    rows = [row.split() for row in done.out.splitlines()]
    assert rows[0] == ["PROMISE", "RESULT", "STATUS", "RECORDS", "LOST", "TWICE"]
    assert [row[:6] for row in rows[1:]] == [
        [name, "kept", "complete", str(COUNT), "0", "0"] for name in ("complete", "key", "429", "html", "expired")
    ]
    assert "5 promises, none broken" in done.err


def test_the_command_ends_with_1_where_a_promise_is_broken(cli: Cli, tmp_path: Path, file: Path) -> None:
    rules = [{"when": {"status": 503}, "then": "fail"}]
    catalog = write_people(tmp_path / "d", listing={**LIST, "errors": rules})
    done = cli("replay", file, "--catalog", catalog, "--faults", "503,500", "--json")
    results = {row["promise"]: row for row in map(json.loads, done.out.splitlines())}
    assert (done.code, results["500"]["result"], results["503"]["result"]) == (1, "kept", "broken")
    assert results["503"]["lost"] > 0
    assert "promise `503` is broken: the API returns 503" in done.err


def test_the_command_takes_all_faults_and_names_them(cli: Cli, catalog: Path, file: Path) -> None:
    done = cli("replay", file, "--catalog", catalog, "--faults", "429,hail")
    assert done.code == 2
    assert f"no fault is named hail; there are {', '.join(NAMES)}, all" in done.err
    assert set(NAMES) == {*FAULTS, "killed"}
    done = cli("replay", file, "--catalog", catalog, "--faults", "all")
    assert done.code == 0, done.err
    assert f"{2 + len(NAMES)} promises, none broken" in done.err


def test_the_same_seed_chooses_the_same_requests(cassette: Cassette, catalog: Path) -> None:
    with Workers() as engine:
        seen = [
            Trial(OfCassette(cassette, [catalog]), engine, seed).of("html").seen.partition("?")[2] for seed in (0, 0, 1)
        ]
    assert seen[0] == seen[1]
    assert seen[0] != seen[2]


@pytest.mark.parametrize("count", [0, 1, 4, 5, 100])
def test_some_of_many_requests_meet_a_fault(count: int) -> None:
    chosen = [spots(count, seed) for seed in range(20)]
    assert {len(each) for each in chosen} == {min(count, 4)}
    assert all(not count or {0, count - 1} <= each <= set(range(count)) for each in chosen)
    assert {len(spots(count, seed, several=False)) for seed in range(20)} == {min(count, 1)}
