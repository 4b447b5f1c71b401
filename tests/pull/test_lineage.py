"""Lists in lists: each is requested for what the lists above it have, at any depth, and nothing is lost or twice."""

from pathlib import Path
from typing import Any

import pytest
from support.changing import StopAt, random_by
from support.cli import Cli
from support.http_server import Handler, Reply
from support.nested import KINDS, Forge, Lake, definition, listing, serving, write

from circulate_core import CirculateError


def truth(forge: Forge, level: int) -> set[tuple[tuple[str, ...], int]]:
    """Return what there is of a kind now."""
    return {(way, forge.at(way).version) for way in forge.ways(level)}


def assert_all_is_there_once(forge: Forge, lake: Lake, level: int) -> None:
    """Hold the lake to what the API has."""
    assert truth(forge, level) <= lake.versions.keys(), "lost"
    assert set(lake.versions.values()) <= {1}, "twice"


@pytest.mark.parametrize("level", [1, 2, 3])
@pytest.mark.parametrize("seed", range(3))
def test_children_of_any_depth_are_pulled_with_all_that_leads_to_them(level: int, seed: int, tmp_path: Path) -> None:
    forge = Forge()
    forge.grow(random_by(seed))
    with serving(forge, tmp_path, KINDS[level]) as lake:
        report = lake.pull()
    assert report.status == "complete"
    assert lake.versions.keys() == truth(forge, level)
    assert set(lake.versions.values()) == {1}
    assert len(set(forge.requests)) == len(forge.requests), "no page is requested twice"
    partitions = report.partitions
    assert partitions is not None
    assert partitions.complete == len(list(forge.ways(level - 1)))


def test_children_that_are_stopped_at_every_page_are_pulled_whole(tmp_path: Path) -> None:
    forge = Forge()
    forge.grow(random_by(4), (4, 3, 3, 3))
    with serving(forge, tmp_path, "comments") as lake:
        while not lake.reports or lake.reports[-1].status != "complete":
            forge.on_request = at = StopAt(4)
            lake.pull(stop=at.stop)
            at.ended.set()
            assert len(lake.reports) < 60
    assert len(lake.reports) > 4
    assert lake.versions.keys() == truth(forge, 3)
    assert set(lake.versions.values()) == {1}


@pytest.mark.parametrize(("status", "verdict"), [(403, "partial"), (404, "complete")])
def test_a_list_of_parents_that_refuses_leaves_a_gap_that_is_named(status: int, verdict: str, tmp_path: Path) -> None:
    forge = Forge()
    for way in (("a", "r", "i", "c"), ("b", "r", "i", "c"), ("c", "s", "i", "c")):
        forge.add(*way)
    forge.statuses["/orgs/b/repos"] = status
    with serving(forge, tmp_path, "comments") as lake:
        report = lake.pull()
    assert report.status == verdict
    assert report.gaps == (("repos of org b",) if status == 403 else ())
    assert {way for way, _ in lake.versions} == {("a", "r", "i", "c"), ("c", "s", "i", "c")}
    lists = {entry: count for entry, count in report.ends.counts.items() if entry == "gone"}
    assert lists == ({"gone": 1} if status == 404 else {})


def test_a_gap_above_keeps_the_cursor_where_it_is(tmp_path: Path) -> None:
    forge = Forge()
    forge.add("a", "r", "i")
    forge.add("b", "r", "i")
    rule = {"cursor": "/at", "param": "since", "since": "{since}", "overlap": "0s"}
    with serving(forge, tmp_path, "issues", issues=listing(2, incremental=rule)) as lake:
        forge.statuses["/orgs/b/repos"] = 403
        assert lake.pull().next_since is None
        forge.statuses.clear()
        assert lake.pull().status == "complete"
    assert {way for way, _ in lake.versions} == {("a", "r", "i"), ("b", "r", "i")}


def test_names_of_lists_above_that_are_not_used_do_not_multiply_requests(tmp_path: Path) -> None:
    """A user who is in two groups is one user."""
    forge = Forge()
    forge.add("a", "shared")
    forge.add("b", "shared")
    forge.add("shared", "r")
    by_name = {**listing(1), "parent": {"endpoint": "repos", "fields": {"org": "/id"}}}
    endpoints = {"members": by_name}
    with serving(forge, tmp_path, "members", **endpoints) as lake:
        report = lake.pull()
    assert report.status == "complete"
    assert forge.requests.count("/orgs/shared/repos") == 2, "as a list of parents, and for one user"
    parents = [record["_circulate"]["parent"] for record in lake.found]
    assert parents == [{"org": "shared"}]


def test_the_nearer_of_two_names_counts(tmp_path: Path) -> None:
    forge = Forge()
    forge.add("a", "r")
    forge.add("r", "x")
    below: dict[str, Any] = {**listing(1), "parent": {"endpoint": "repos", "fields": {"org": "/id"}}}
    with serving(forge, tmp_path, "below", below=below) as lake:
        lake.pull()
    assert "/orgs/r/repos" in forge.requests
    assert {record["id"] for record in lake.found} == {"x"}


def states(**more: object) -> dict[str, Any]:
    """Return issues that are requested by their state."""
    return listing(2, query={"state": "{state}"}, **more)


def test_a_product_of_parents_and_values_is_requested_once_each(tmp_path: Path) -> None:
    forge = Forge()
    for org in ("a", "b"):
        for repo in ("r", "s"):
            forge.add(org, repo, "1", state="open")
            forge.add(org, repo, "2", state="closed")
    issues = states(partitions={"name": "state", "values": ["open", "closed"]})
    with serving(forge, tmp_path, "issues", issues=issues) as lake:
        report = lake.pull()
    assert lake.versions.keys() == truth(forge, 2)
    assert set(lake.versions.values()) == {1}
    assert report.partitions is not None
    assert report.partitions.complete == 8
    assert lake.found[0]["_circulate"]["parent"].keys() == {"org", "repo"}, "what led to it, and no more"


def test_values_of_several_lists_are_requested_each_with_each(tmp_path: Path) -> None:
    forge = Forge()
    forge.add("a", state="open")
    forge.add("b", state="closed")
    orgs = listing(
        0,
        query={"state": "{state}", "since": "{year}-01-01T00:00:00Z"},
        partitions=[{"name": "state", "setting": "states"}, {"name": "year", "values": ["2025", "2026"]}],
    )
    with serving(forge, tmp_path, "orgs", {"states": " open,closed , open"}, orgs=orgs) as lake:
        report = lake.pull()
    assert report.partitions is not None
    assert report.partitions.complete == 4
    asked = {(query.split("&")[0], query.split("&")[1][:10]) for query in (r.split("?")[1] for r in forge.requests)}
    assert len(asked) == 4, forge.requests


def test_values_of_parents_lead_to_their_children(tmp_path: Path) -> None:
    forge = Forge()
    for org in ("a", "b"):
        forge.add(org, "r", "1", state="open")
    forge.add("c", state="closed")
    forge.add("c", "s")
    orgs = listing(0, query={"state": "{state}"}, partitions=[{"name": "state", "setting": "states"}])
    with serving(forge, tmp_path, "repos", {"states": "open,closed"}, orgs=orgs) as lake:
        assert lake.pull().status == "complete"
    assert {way for way, _ in lake.versions} == {("a", "r"), ("b", "r"), ("c", "s")}


@pytest.mark.parametrize("value", ["", " , ", None])
def test_a_setting_without_values_is_refused_before_any_request(value: str | None, tmp_path: Path) -> None:
    forge = Forge()
    issues = states(partitions={"name": "state", "setting": "states"})
    given = {} if value is None else {"states": value}
    with (
        serving(forge, tmp_path, "issues", given, issues=issues) as lake,
        pytest.raises(CirculateError, match=r"setting `states` lists no values(.|\n)*FORGE_STATES"),
    ):
        lake.pull()
    assert forge.requests == []


RULE = {"cursor": "/at", "param": "since", "since": "{since}", "until": "{until}", "until_param": "until"}


@pytest.mark.parametrize("windowed", [False, True])
def test_a_parent_that_comes_new_is_read_from_its_beginning(tmp_path: Path, *, windowed: bool) -> None:
    """Its children may be older than the cursor: it was moved here, or it was not shown before."""
    forge = Forge()
    forge.add("a", "r", "1")
    window = {"window": {"span": "1000d", "history": "4000d"}, "lag": "1s"} if windowed else {}
    rule = {**RULE, "overlap": "0s", **window}
    with serving(forge, tmp_path, "issues", issues=listing(2, incremental=rule)) as lake:
        assert lake.pull().status == "complete"
        old = forge.root.at.replace(month=3)
        moved = forge.add("b", "s", "1", at=old)
        assert moved.at == old
        forge.add("a", "r", "2")
        assert lake.pull().status == "complete"
        assert_all_is_there_once(forge, lake, 2)
        before = len(forge.requests)
        lake.pull()
    assert_all_is_there_once(forge, lake, 2)
    asked = [request for request in forge.requests[before:] if "/issues" in request]
    assert asked
    assert all("since=2026-10" in request for request in asked), "both are known now"


@pytest.mark.parametrize("seed", range(4))
def test_every_version_of_a_child_is_there_once_over_many_pulls(seed: int, tmp_path: Path) -> None:
    chance, forge = random_by(seed), Forge()
    rule = {**RULE, "overlap": "0s"}
    names = ["a", "b", "c"]
    with serving(forge, tmp_path, "issues", issues=listing(2, incremental=rule)) as lake:
        for _ in range(6):
            for _ in range(chance.randrange(1, 6)):
                at = forge.root.at if chance.random() < 0.2 else None
                way = (chance.choice(names), chance.choice(names), chance.choice(names))
                is_new = way not in forge.ways(2)
                # What is older than the cursor comes with a repository of its own.
                if at is not None and is_new and way[:2] not in forge.ways(1):
                    forge.add(*way, at=at)
                else:
                    forge.add(*way)
            assert lake.pull().status == "complete"
            assert_all_is_there_once(forge, lake, 2)


class Forgetful(Forge):
    """Forgets where each list stands, once, or whenever it is asked."""

    def __init__(self, *, always: bool = False) -> None:
        super().__init__()
        self.always, self.forgot = always, set[str]()

    def respond(self, request: Handler) -> Reply:
        """Show a page, or say that it is not known any more."""
        path = request.path.partition("?")[0]
        if "start=" in request.path and (self.always or path not in self.forgot):
            self.forgot.add(path)
            return Reply({"error": "the cursor has expired"}, status=410)
        return super().respond(request)


RESTARTS = {"errors": [{"when": {"status": 410}, "then": "restart"}]}


def test_lists_that_the_api_forgets_in_the_middle_start_over_each_for_itself(tmp_path: Path) -> None:
    forge = Forgetful()
    for org in "abc":
        for repo in "rst":
            for issue in "123":
                forge.add(org, repo, issue)
    lists = {kind: listing(level, **RESTARTS) for level, kind in enumerate(KINDS[:3])}
    with serving(forge, tmp_path, "issues", **lists) as lake:
        report = lake.pull()
    assert report.status == "complete"
    assert lake.versions.keys() == truth(forge, 2)
    assert len(forge.forgot) == 1 + 3 + 9, "one list of each"
    (warning,) = (each for each in report.warnings if "the list started over" in each)
    assert "forge.orgs" in warning or "orgs: " in warning, "the first of them"


def test_a_list_that_the_api_forgets_again_and_again_is_an_error(tmp_path: Path) -> None:
    forge = Forgetful(always=True)
    for issue in "123":
        forge.add("a", "r", issue)
    with (
        serving(forge, tmp_path, "issues", issues=listing(2, **RESTARTS)) as lake,
        pytest.raises(CirculateError, match="410"),
    ):
        lake.pull()
    assert len(forge.requests) < 20


def test_same_records_of_two_parents_are_not_taken_for_repeats(tmp_path: Path) -> None:
    forge = Forge()
    when = forge.now
    rule = {**RULE, "overlap": "1d"}
    with serving(forge, tmp_path, "issues", issues=listing(2, incremental=rule)) as lake:
        forge.add("a", "r", "1", at=when)
        lake.pull()
        forge.add("b", "r", "1", at=when)
        second = lake.pull()
    assert (second.records, second.repeats) == (1, 1)
    assert_all_is_there_once(forge, lake, 2)


def test_a_list_by_parent_whose_newest_records_come_first_is_read_only_as_far_as_it_is_new(tmp_path: Path) -> None:
    forge = Forge()
    for number in range(9, 0, -1):
        forge.add("a", "r", str(number))
    # The newest first: ids are shown in the order in which they were added.
    node = forge.at(("a", "r"))
    node.below = dict(reversed(node.below.items()))
    rule = {"cursor": "/at", "client_side": True, "order": "descending", "overlap": "0s"}
    with serving(forge, tmp_path, "issues", issues=listing(2, incremental=rule)) as lake:
        lake.pull()
        before = len(forge.requests)
        again = lake.pull()
    pages = [request for request in forge.requests[before:] if "issues" in request]
    assert again.status == "complete"
    assert len(pages) < 5, "of five pages the second has nothing new, and one more is on its way by then"
    assert again.ends.counts["caught_up"] == 1
    assert_all_is_there_once(forge, lake, 2)


def test_only_changed_parents_are_requested_and_new_lists_of_parents_in_full(tmp_path: Path) -> None:
    forge = Forge()
    for org in ("a", "b"):
        for repo in ("r", "s"):
            forge.add(org, repo, "1")
    rule = {"cursor": "/at", "param": "since", "since": "{since}", "overlap": "0s"}
    issues = listing(2)
    issues["parent"] = {**issues["parent"], "incremental": rule}
    with serving(forge, tmp_path, "issues", issues=issues) as lake:
        assert lake.pull().status == "complete"
        forge.add("a", "r", "2")
        forge.add("a", "r")
        # An organization that comes with an old repository.
        forge.add("c")
        forge.add("c", "t", at=forge.root.at)
        forge.add("c", "t", "1")
        before = len(forge.requests)
        assert lake.pull().status == "complete"
    asked = sorted(request for request in forge.requests[before:] if request.endswith("issues"))
    at_the_bound = "/orgs/b/repos/s/issues"
    assert asked == ["/orgs/a/repos/r/issues", at_the_bound, "/orgs/c/repos/t/issues"]


def test_children_of_changed_parents_that_changed_are_requested_alone(tmp_path: Path) -> None:
    """Both the parents and their children are selected by time."""
    forge = Forge()
    for number in range(5):
        forge.add("a", "r", str(number))
        forge.add("a", "s", str(number))
    rule = {"cursor": "/at", "param": "since", "since": "{since}", "overlap": "0s"}
    issues = listing(2, incremental=rule)
    issues["parent"] = {**issues["parent"], "incremental": rule}
    with serving(forge, tmp_path, "issues", issues=issues) as lake:
        lake.pull()
        forge.add("a", "r", "9")
        forge.add("a", "r")
        before = len(forge.requests)
        second = lake.pull()
        # It did not change when the second pull came, so the third knows nothing of it.
        forge.add("a", "s", "9")
        forge.add("a", "s")
        third = lake.pull()
    assert next(request for request in forge.requests[before:] if "/s/issues" in request).endswith("issues")
    assert second.records == 1
    assert third.status == "complete"
    assert truth(forge, 2) <= lake.versions.keys()


BAD = [
    ({"parent": {"endpoint": "issues", "fields": {"issue": "/id"}}, "path": "/x/{issue}"}, "leads back to it"),
    ({"path": "/orgs/{org}/repos/{repo}/issues/{nobody}"}, "`{nobody}` is neither a field of a parent"),
    ({"path": "/orgs/{orgs}/repos/{repo}/issues"}, "(did you mean `{org}`?)"),
    ({"partitions": {"name": "state", "values": []}, "query": {"s": "{state}"}}, "without a value nothing"),
    ({"partitions": {"name": "state", "values": ["a", "a"]}, "query": {"s": "{state}"}}, "`a` is named twice"),
    ({"partitions": {"name": "state"}, "query": {"s": "{state}"}}, "either by `values` or by `setting`"),
    ({"partitions": {"name": "state", "setting": "stats"}, "query": {"s": "{state}"}}, "`stats` is not a setting"),
    ({"partitions": {"name": "state", "values": ["a"]}}, "nothing in the requests uses `{state}`"),
    (
        {"partitions": [{"name": "s", "values": ["a"]}, {"name": "s", "values": ["b"]}], "query": {"s": "{s}"}},
        "`{s}` stands for something else already",
    ),
    ({"partitions": {"name": "repo", "values": ["a"]}}, "`{repo}` stands for something else already"),
    ({"incremental": {"durable": {"token": {"from": {"body": "/t"}, "to": "t"}}}}, "it is kept for one list"),
    ({"incremental": {**RULE, "order": "ascending"}}, "oldest first is of use for a stream that is one list"),
    (
        {
            "parent": {"endpoint": "repos", "fields": {"repo": "/id", "since": "/at"}},
            "incremental": {**RULE, "window": {"span": "1d", "history": "9d"}},
        },
        "`since` is a bound of the windows",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("changed", "why"), BAD, ids=[why for _, why in BAD])
def test_what_cannot_be_meant_is_refused_with_its_place(cli: Cli, changed: dict[str, Any], why: str) -> None:
    write(cli.folder / "catalog", definition(issues={**listing(2), **changed}))
    done = cli("describe", "forge.issues", "--catalog", "catalog")
    assert (done.code, why in done.err, "issues.yaml" in done.err) == (2, True, True), done.err


def test_a_parent_far_up_that_is_not_there_is_named(cli: Cli) -> None:
    write(cli.folder / "catalog", definition())
    (cli.folder / "catalog/forge/orgs.yaml").unlink()
    done = cli("describe", "forge.comments", "--catalog", "catalog")
    assert (done.code, "the parent `orgs` of `repos` is not an endpoint" in done.err) == (2, True), done.err


def test_check_goes_down_by_the_first_record_of_each_list(cli: Cli, tmp_path: Path) -> None:
    forge = Forge()
    forge.add("a", "r", "1", "c")
    write(cli.folder / "catalog", definition())
    with serving(forge, tmp_path, "comments") as lake:
        done = cli("check", "forge.comments", "--catalog", "catalog", FORGE_URL=lake.url)
    assert done.code == 0, done.err
    assert forge.requests[-1] == "/orgs/a/repos/r/issues/1/comments"


def test_children_of_any_depth_are_tables_with_a_column_for_each_parent(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    forge = Forge()
    forge.add("a", "r", "1", "c")
    with serving(forge, tmp_path, "comments") as lake:
        report = lake.pull(format="parquet")
    assert report.status == "complete"
    (file,) = tmp_path.rglob("*.parquet")
    row = parquet.read_table(file).to_pylist()[0]
    assert [row[f"_parent_{name}"] for name in ("org", "repo", "issue")] == ["a", "r", "1"]


def test_a_pull_of_several_streams_takes_parents_before_their_children(cli: Cli, tmp_path: Path) -> None:
    forge = Forge()
    forge.grow(random_by(2), (2, 2, 2, 2))
    write(cli.folder / "catalog", definition())
    with serving(forge, tmp_path, "comments") as lake:
        names = [f"forge.{kind}" for kind in reversed(KINDS)]
        options = ["--catalog", "catalog", "--to", "lake", "--account", "practice"]
        done = cli("pull", *names, *options, FORGE_URL=lake.url)
    assert done.code == 0, done.err
    order = [line.split()[1] for line in done.err.splitlines() if line.startswith("✓ forge") or "  ✓ forge" in line]
    assert order == [f"forge.{kind}" for kind in KINDS], done.err
    assert len(set(forge.requests)) == len(forge.requests), "the runs that were just made are their parents"


def test_partitions_of_a_list_above_are_not_taken_for_those_of_the_stream(tmp_path: Path) -> None:
    """Where the nearer of two names counts, an organization and a repository of one id have the same name and value."""
    forge = Forge()
    forge.add("a", "r")
    forge.add("r", "x")
    below = listing(1, incremental={**RULE, "overlap": "0s"}, parent={"endpoint": "repos", "fields": {"org": "/id"}})
    with serving(forge, tmp_path, "below", below=below) as lake:
        lake.pull()
        forge.add("r", "a")
        lake.pull()
    ways = {(record["_circulate"]["parent"]["org"], record["id"]) for record in lake.found}
    assert ways == {("r", "x"), ("a", "r"), ("r", "a")}, "the list of `a` was never read, only that of its repositories"


def test_old_parents_of_a_new_list_are_requested_whatever_names_them(tmp_path: Path) -> None:
    """The run of the parents does not say of which list each of them is, if nothing below needs to know that."""
    forge = Forge()
    forge.add("a", "p")
    forge.add("p", "1")
    rule = {"cursor": "/at", "param": "since", "since": "{since}", "overlap": "0s"}
    parent = {"endpoint": "repos", "fields": {"org": "/id"}, "incremental": rule}
    with serving(forge, tmp_path, "members", members=listing(1, parent=parent)) as lake:
        repos = Lake(tmp_path, lake.url, "repos", lake.definition)
        lake.pull(parents=repos.pull().manifest)
        forge.add("t", "9", at=forge.root.at)
        forge.add("c")
        forge.add("c", "t", at=forge.root.at)
        lake.pull(parents=repos.pull().manifest)
    assert ("t", "9") in {(record["_circulate"]["parent"]["org"], record["id"]) for record in lake.found}


def test_a_field_that_is_named_like_a_bound_is_a_field(tmp_path: Path) -> None:
    forge = Forge()
    forge.add("a", "r", "1")
    parent = {"endpoint": "repos", "fields": {"since": "/id"}}
    issues = listing(2, path="/orgs/{org}/repos/{since}/issues", parent=parent, incremental={**RULE, "overlap": "0s"})
    with serving(forge, tmp_path, "issues", issues=issues) as lake:
        lake.pull()
        forge.add("a", "s", "2", at=forge.root.at)
        lake.pull()
    assert {record["id"] for record in lake.found} == {"1", "2"}


@pytest.mark.parametrize("both", [False, True])
def test_a_value_that_a_setting_has_anew_is_requested_of_parents_that_have_not_changed(
    tmp_path: Path, *, both: bool
) -> None:
    forge = Forge()
    forge.add("a", "r", "1", state="open")
    forge.add("a", "s", "2", state="closed")
    forge.add("a", "t")
    rule = {"cursor": "/at", "param": "since", "since": "{since}", "overlap": "0s"}
    more = {"incremental": rule} if both else {}
    issues = states(partitions={"name": "state", "setting": "states"}, **more)
    issues["parent"] = {**issues["parent"], "incremental": rule}
    with serving(forge, tmp_path, "issues", {"states": "open"}, issues=issues) as lake:
        lake.pull()
        lake.settings["states"] = "open,closed"
        lake.pull()
        before = len(forge.requests)
        lake.pull()
    assert {way for way, _ in lake.versions} == {("a", "r", "1"), ("a", "s", "2")}
    assert not any("/s/issues" in request for request in forge.requests[before:]), "it is known now"


def test_a_run_that_lists_by_other_values_than_it_began_with_starts_over(tmp_path: Path) -> None:
    forge = Forge()
    for org in ("a", "b", "c"):
        forge.add(org, "r", "1", state="open")
        forge.add(org, "r", "2", state="closed")
    issues = states(partitions={"name": "state", "setting": "states"})
    with serving(forge, tmp_path, "issues", {"states": "open"}, issues=issues) as lake:
        forge.on_request = at = StopAt(3)
        assert lake.pull(stop=at.stop).status == "partial"
        at.ended.set()
        forge.on_request = lambda _: None
        lake.settings["states"] = ""
        with pytest.raises(CirculateError, match=r"setting `states` lists no values(.|\n)*FORGE_STATES"):
            lake.pull()
        lake.settings["states"] = "open,closed"
        report = lake.pull()
    assert (report.status, report.records) == ("complete", 6)
    assert set(lake.versions.values()) == {1}


def test_partitions_are_read_from_their_beginning_where_nothing_names_them_any_more(tmp_path: Path) -> None:
    """Retention may remove the manifest of the run that set the cursor."""
    forge = Forge()
    forge.add("a", "r", "1")
    with serving(forge, tmp_path, "issues", issues=listing(2, incremental={**RULE, "overlap": "0s"})) as lake:
        lake.pull()
        for part in (tmp_path / "_circulate").rglob("0-*.json"):
            part.unlink()
        before = len(forge.requests)
        assert lake.pull().status == "complete"
    assert forge.requests[before:][-1] == "/orgs/a/repos/r/issues"


@pytest.mark.parametrize("seed", range(8))
def test_nothing_is_lost_by_gaps_that_heal_stops_and_values_that_change(seed: int, tmp_path: Path) -> None:
    chance, forge, names = random_by(seed), Forge(), ["a", "b", "c"]
    window = {"window": {"span": "1000d", "history": "4000d"}, "lag": "1s"} if seed % 2 else {}
    issues = states(partitions={"name": "state", "setting": "states"}, incremental={**RULE, "overlap": "10s", **window})

    def pull(lake: Lake, **options: object) -> None:
        try:
            lake.pull(**options)  # type: ignore[arg-type]
        except CirculateError as error:
            if "unfinished run" in str(error):
                lake.pull(restart=True, **options)  # type: ignore[arg-type]

    with serving(forge, tmp_path, "issues", {"states": "open"}, issues=issues) as lake:
        for _ in range(8):
            for _ in range(chance.randrange(5)):
                way = (chance.choice(names), chance.choice(names), chance.choice(names))
                is_new = way[:2] not in forge.ways(1)
                at = forge.root.at if is_new and chance.random() < 0.3 else None
                forge.add(*way, at=at, state=chance.choice(["open", "closed"]))
            lists = [f"/orgs/{org}/repos" for (org,) in forge.ways(0)]
            lists += [f"/orgs/{org}/repos/{repo}/issues" for org, repo in forge.ways(1)]
            forge.statuses = {path: chance.choice([403, 404]) for path in lists if chance.random() < 0.15}
            lake.settings["states"] = chance.choice(["open", "closed", "open,closed"])
            forge.on_request = at_request = StopAt(chance.randrange(1, 40))
            pull(lake, stop=at_request.stop, mode=chance.choice(["incremental", "incremental", "incremental", "full"]))
            at_request.ended.set()
        forge.statuses, forge.on_request = {}, lambda _: None
        lake.settings["states"] = "open,closed"
        pull(lake)
        assert lake.pull().status == "complete"
    assert truth(forge, 2) <= lake.versions.keys()
