"""Paginators are judged by servers of others: each list is pulled, and compared with what its server was given.

A server decides by itself what a page holds and what leads on; the definitions here are what a user would write.
"""

import tomllib
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support import judges
from support.changing import Lake, serving
from support.http_server import Handler, Reply
from support.judges import ROOT, Judge
from support.paging_pulls import written

import circulate_core

if TYPE_CHECKING:
    from circulate_core.types import InlineDefinition

START: dict[str, Callable[[Path], AbstractContextManager[Judge]]] = {
    "datasette": judges.datasette,
    "django": judges.django,
    "kinto": judges.kinto,
    "moto": judges.moto_server,
    "scim": judges.scim,
}
SIZE = {"max": 5}
SCIM_SEARCH = ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"]
SSM = {"X-Amz-Target": "AmazonSSM.DescribeParameters", "Content-Type": "application/x-amz-json-1.1"}
LISTS: dict[str, tuple[str, dict[str, Any]]] = {
    "link_header": (
        "datasette",
        {
            "path": "/lists/items.json",
            "query": {"_shape": "array"},
            "page_size": {"param": "_size", **SIZE},
            "paginator": "link_header",
        },
    ),
    "link_header of NDJSON": (
        "datasette",
        {
            "path": "/lists/items.json",
            "query": {"_shape": "array", "_nl": "on"},
            "format": "ndjson",
            "page_size": {"param": "_size", **SIZE},
            "paginator": "link_header",
        },
    ),
    "link_header of a map": (
        "datasette",
        {
            "path": "/lists/items.json",
            "query": {"_shape": "object"},
            "records": {"map": ""},
            "page_size": {"param": "_size", **SIZE},
            "paginator": "link_header",
        },
    ),
    "link_header of values": (
        "datasette",
        {
            "path": "/lists/items.json",
            "query": {"_shape": "arrayfirst"},
            "records": {"scalars": ""},
            "primary_key": ["/value"],
            "page_size": {"param": "_size", **SIZE},
            "paginator": "link_header",
        },
    ),
    "next_url in the page": (
        "datasette",
        {
            "path": "/lists/items.json",
            "query": {"_shape": "objects"},
            "records": "/rows",
            "page_size": {"param": "_size", **SIZE},
            "paginator": {"next_url": {"body": "/next_url"}},
        },
    ),
    "next_url of a cursor": (
        "django",
        {
            "path": "/cursor/",
            "records": "/results",
            "page_size": {"param": "page_size", **SIZE},
            "paginator": {"next_url": {"body": "/next"}},
        },
    ),
    "next_url in a header": (
        "kinto",
        {
            "path": "/v1/buckets/lists/collections/items/records",
            "query": {"_sort": "number"},
            "records": "/data",
            "page_size": {"param": "_limit", **SIZE},
            "paginator": {"next_url": {"header": "Next-Page"}},
        },
    ),
    "token into the query": (
        "datasette",
        {
            "path": "/lists/items.json",
            "query": {"_shape": "objects"},
            "records": "/rows",
            "page_size": {"param": "_size", **SIZE},
            "paginator": {"token": {"from": {"body": "/next"}, "to": "_next"}},
        },
    ),
    "token that starts empty": (
        "scim",
        {
            "path": "/v2/Users",
            "records": "/Resources",
            "page_size": {"param": "count", **SIZE},
            "paginator": {"token": {"from": {"body": "/nextCursor"}, "to": "cursor", "start": ""}},
        },
    ),
    "token out of a URL": (
        "django",
        {
            "path": "/cursor/",
            "records": "/results",
            "page_size": {"param": "page_size", **SIZE},
            "paginator": {"token": {"from": {"url": {"body": "/next"}, "param": "cursor"}, "to": "cursor"}},
        },
    ),
    "token into a JSON body": (
        "scim",
        {
            "method": "POST",
            "path": "/v2/Users/.search",
            "body": {"json": {"schemas": SCIM_SEARCH}},
            "records": "/Resources",
            "page_size": {"param": {"body": "/count"}, **SIZE},
            "paginator": {"token": {"from": {"body": "/nextCursor"}, "to": {"body": "/cursor"}, "start": ""}},
        },
    ),
    "token of AWS": (
        "moto",
        {
            "method": "POST",
            "path": "/",
            "headers": SSM,
            "body": {"json": {}},
            "records": "/Parameters",
            "primary_key": ["/Name"],
            "page_size": {"param": {"body": "/MaxResults"}, **SIZE},
            "paginator": {"token": {"from": {"body": "/NextToken"}, "to": {"body": "/NextToken"}}},
        },
    ),
    "token of GraphQL": (
        "django",
        {
            "method": "POST",
            "path": "/graphql/",
            "body": {
                "graphql": {
                    "query": "query($first: Int, $after: String) { items(first: $first, after: $after) "
                    "{ edges { node { id number name } } pageInfo { hasNextPage endCursor } } }"
                }
            },
            "records": "/data/items/edges",
            "primary_key": ["/node/id"],
            "page_size": {"param": {"body": "/variables/first"}, **SIZE},
            "paginator": {
                "token": {
                    "from": {"body": "/data/items/pageInfo/endCursor"},
                    "to": {"body": "/variables/after"},
                    "more": "/data/items/pageInfo/hasNextPage",
                }
            },
        },
    ),
    "offset": (
        "django",
        {
            "path": "/offset/",
            "records": "/results",
            "page_size": {"param": "limit", **SIZE},
            "paginator": {"offset": {"to": "offset", "total": "/count"}},
        },
    ),
    "offset from 1": (
        "scim",
        {
            "path": "/v2/Users",
            "records": "/Resources",
            "page_size": {"param": "count", **SIZE},
            "paginator": {"offset": {"to": "startIndex", "start": 1, "total": "/totalResults"}},
        },
    ),
    "offset into a JSON body": (
        "scim",
        {
            "method": "POST",
            "path": "/v2/Users/.search",
            "body": {"json": {"schemas": SCIM_SEARCH}},
            "records": "/Resources",
            "page_size": {"param": {"body": "/count"}, **SIZE},
            "paginator": {"offset": {"to": {"body": "/startIndex"}, "start": 1, "total": "/totalResults"}},
        },
    ),
    "page": (
        "django",
        {
            "path": "/page/",
            "records": "/results",
            "page_size": {"param": "page_size", **SIZE},
            "paginator": {"page": {"to": "page", "first": 1, "total": "/count"}},
        },
    ),
    "last_record": (
        "datasette",
        {
            "path": "/lists/items.json",
            "query": {"_shape": "array"},
            "page_size": {"param": "_size", **SIZE},
            "paginator": {"last_record": {"from": "/id", "to": "id__gt"}},
        },
    ),
    "none": (
        "datasette",
        {
            "path": "/lists/items.json",
            "query": {"_shape": "array", "_size": "max"},
            "paginator": "none",
        },
    ),
}


@pytest.fixture(scope="module")
def judge_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Judge]]:
    """Start servers as they are needed, and stop them when the tests of this module end."""
    running: dict[str, tuple[AbstractContextManager[Judge], Judge]] = {}

    def get(name: str) -> Judge:
        if name not in running:
            server = START[name](tmp_path_factory.mktemp(name))
            running[name] = (server, server.__enter__())
        return running[name][1]

    yield get
    for server, _ in running.values():
        server.__exit__(None, None, None)


SEEN: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    # The ids of GraphQL are Strawberry's own.
    "token of GraphQL": (
        lambda edge: (edge["node"]["number"], edge["node"]["name"]),
        lambda row: (row["number"], row["name"]),
    ),
    "token of AWS": (lambda parameter: parameter["Name"], lambda name: name),
    "link_header of values": (lambda value: value, lambda row: row["id"]),
}
"""Of lists that show something else than their judge's truth: what is compared of a record, and of the truth."""


@pytest.mark.xdist_group("judges")
@pytest.mark.parametrize("name", LISTS)
def test_a_list_of_others_is_pulled_to_its_end(name: str, judge_of: Callable[[str], Judge], tmp_path: Path) -> None:
    server, listing = LISTS[name]
    judge = judge_of(server)
    definition: InlineDefinition = {
        "source": {
            "source": "judge",
            "title": "Judge",
            "settings": {
                "base_url": {"env": "JUDGE_URL", "about": "its address"},
                "key": {"env": "JUDGE_KEY", "about": "its key", "secret": True},
            },
            "base_url": "{base_url}",
            "auth": [{"header": {"name": "Authorization", "secret": "key"}}, "none"],
            "check": {"path": "/"},
        },
        "endpoints": {"items": {"about": "Items.", "scopes": [], "list": {"primary_key": ["/id"], **listing}}},
    }
    settings = {"base_url": judge.url} | ({"key": judge.authorization} if judge.authorization else {})
    report = circulate_core.pull("judge.items", to=tmp_path, settings=settings, account="judge", catalog=[definition])
    of_record, of_truth = SEEN.get(name, (lambda record: record, lambda record: record))
    assert [of_record(each) for each in written(tmp_path, report)] == [of_truth(each) for each in judge.truth]
    assert report.status == "complete"
    assert (report.pages == 1) == (name == "none"), "of moto's list pages have ten records, whatever is requested"


def test_the_judges_are_those_that_the_project_names() -> None:
    group = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]["judges"]
    pinned = dict(line.replace("[cursor]", "").split("==") for line in group)
    installed = judges.versions()
    assert {name: installed.get(name) for name in pinned} == pinned


@pytest.mark.parametrize("kind", ["none", "link_header", "next_url", "token", "offset", "page", "last_record"])
def test_each_paginator_has_a_judge(kind: str) -> None:
    kinds = {
        p if isinstance(p, str) else next(iter(p)) for p in (listing["paginator"] for _, listing in LISTS.values())
    }
    assert kind in kinds


CHANGING = "/v1/buckets/lists/collections/changing/records"
"""A list of Kinto's that tests write into."""


class Meddling:
    """Passes requests on to Kinto; while a list is read, others write into it."""

    def __init__(self, judge: Judge) -> None:
        judges.send("PUT", (judge.url + CHANGING).removesuffix("/records"), {})
        self.judge, self.count = judge, 0
        self.truth: dict[str, Any] = {}
        self.deleted: set[str] = set()
        for number in range(17):
            self.write(f"first-{number}", {"number": number})

    def write(self, name: str, body: dict[str, Any] | None) -> None:
        """Put a record, or delete it."""
        if body is None:
            self.deleted.add(judges.send("DELETE", f"{self.judge.url}{CHANGING}/{name}", {})["data"]["id"])
            del self.truth[name]
        else:
            written = judges.send("PUT", f"{self.judge.url}{CHANGING}/{name}", {"data": {"id": name, **body}})
            self.truth[name] = written["data"]

    def respond(self, request: Handler) -> Reply:
        """Pass a request on, and write a record behind the first page of a list."""
        passed = urllib.request.Request(self.judge.url + request.path, headers={"Host": request.headers["Host"]})
        with urllib.request.urlopen(passed) as response:
            names = ("Next-Page", "ETag", "Date", "Content-Type")
            headers = [(name, response.headers[name]) for name in names if response.headers[name]]
            reply = Reply(response.read(), headers, date=False)
        if "_token" not in request.path:
            self.count += 1
            # It comes to the front of the list, which the next page is behind.
            self.write(f"meanwhile-{self.count % 3}", {"count": self.count})
        return reply


OF_KINTO: dict[str, Any] = {
    "path": CHANGING,
    "records": "/data",
    "page_size": {"param": "_limit", **SIZE},
    "paginator": {"next_url": {"header": "Next-Page"}},
}


@pytest.mark.xdist_group("judges")
def test_a_list_of_others_that_has_not_changed_is_not_read_again(
    judge_of: Callable[[str], Judge], tmp_path: Path
) -> None:
    api = Meddling(judge_of("kinto"))
    lake = Lake(tmp_path, api.judge.url, {**OF_KINTO, "incremental": {"durable": {"etag": "list"}}})
    first, again = lake.pull(), lake.pull()
    assert (first.records >= 17, again.records, list(again.ends.counts)) == (True, 0, ["unchanged"])
    api.write("first-3", {"number": -3})
    assert lake.pull().records == first.records
    assert lake.pull().records == 0
    newest = {shown["id"]: shown for shown in lake.found}
    assert {name: newest[name] for name in api.truth} == api.truth


@pytest.mark.xdist_group("judges")
def test_changes_at_a_server_of_others_are_pulled_by_what_it_gives(
    judge_of: Callable[[str], Judge], tmp_path: Path
) -> None:
    api = Meddling(judge_of("kinto"))
    listing = {
        **OF_KINTO,
        "incremental": {"durable": {"token": {"from": {"header": "ETag"}, "to": "_since", "page": "first"}}},
    }
    with serving(api, tmp_path, listing) as lake:
        assert lake.pull().records >= 17
        for number in range(4):
            for record in range(number * 3):
                api.write(f"changed-{record}", {"number": number})
            if number:
                api.write("changed-0", None)
            report = lake.pull()
            assert (report.status, report.warnings) == ("complete", ())
            assert report.records <= number * 3 + 4, "only what has changed"
        lake.pull()
        found = {shown["id"]: shown for shown in lake.found}
    there = {name: record for name, record in found.items() if "deleted" not in record}
    # What was written while the last list was read is for the next one.
    late = {name for name in api.truth if name.startswith("meanwhile") and there.get(name) != api.truth[name]}
    assert len(late) <= 1
    assert {name: there.get(name) for name in api.truth if name not in late} == {
        name: row for name, row in api.truth.items() if name not in late
    }
    assert api.deleted <= {name for name, record in found.items() if record.get("deleted")} | there.keys()
