"""Projects and lists as `circulate init` and `circulate new` write them, and random descriptions of lists."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, cast

from circulate_core.authoring import StubApi
from circulate_core.authoring.described import PAGINATORS, Value
from circulate_core.authoring.endpoint import NewEndpoint
from support.cli import Done
from support.commands import PATIENCE

Words = dict[str, Value]
WIDGETS: Words = {
    "base-url": "https://api.acme.example",
    "auth": "bearer",
    "path": "/v1/widgets",
    "records": "/items",
    "primary-key": ["/id"],
    "paginator": "token",
    "from": ["/meta/next"],
    "to": ["cursor"],
    "page-size": "5",
    "page-size-param": "limit",
}
"""A list as most are."""
TEST = "tests/test_acme_widgets.py"
"""Its test in a project."""
PAGED: dict[str, Words] = {
    "none": {"paginator": "none"},
    "link_header": {"paginator": "link_header"},
    "next_url": {"paginator": "next_url", "from": ["/links/next"]},
    "token": {"paginator": "token", "from": ["/meta/next"], "to": ["cursor"]},
    "offset": {"paginator": "offset", "to": ["offset"], "total": "/meta/total"},
    "page": {"paginator": "page", "to": ["page"], "pages": "/meta/pages"},
    "last_record": {"paginator": "last_record", "from": ["/id"], "to": ["after"], "more": "/more"},
}
"""How each paginator is described, with what it usually goes by."""
_AUTH = ("none", "bearer", "header", "headers", "basic", "query", "body", "duo_v5")
EACH = len(PAGINATORS) * len(_AUTH)
"""How many random descriptions have each paginator with each way to sign in."""
OF_PAGING = ("paginator", "from", "to", "more", "total", "pages", "start", "first", "by", "send", "rel", "keep")


def files_in(folder: Path) -> list[str]:
    """Return what is below a folder, but folders."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


def flags(words: Words) -> list[str]:
    """Return words as the flags of `circulate new`."""
    found = []
    for word, value in words.items():
        for each in [value] if isinstance(value, str) else value or ():
            found += [f"--{word}={each}"]
    return found


def paged(kind: str, words: Words = WIDGETS) -> Words:
    """Return a description with another paginator."""
    return {word: value for word, value in words.items() if word not in OF_PAGING} | PAGED[kind]


def write_list(project: Path, words: Words, stream: str = "acme.widgets") -> list[Path]:
    """Write a list to a project, as `circulate new` does."""
    new = NewEndpoint(stream, project)
    return new.write(new.texts(words))


def pytest_in(folder: Path, *arguments: str) -> Done:
    """Run the tests of a project as its user does."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    return Done(done.returncode, done.stdout, done.stderr)


def api_in(test: Path) -> StubApi:
    """Return the stub that a test of a project describes."""
    return cast("StubApi", _module(test).API)


def run_test(test: Path, to: Path) -> None:
    """Run the test of a file that has the records of its list to come, as pytest would."""
    module = _module(test)
    (found,) = (value for name, value in vars(module).items() if name.startswith("test_every_record_of_"))
    cast("Callable[..., None]", found)(catalog=[test.parents[1] / "definitions"], tmp_path=to)


def _module(file: Path) -> Any:  # noqa: ANN401 - whatever it has
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def random_words(seed: int) -> Words:
    """Return a valid description; `EACH` of them in a row pair all paginators with all ways to sign in."""
    random = Random(seed)  # noqa: S311 - as random as a test needs it
    kind = list(PAGINATORS)[seed % len(PAGINATORS)]
    auth = _AUTH[seed // len(PAGINATORS) % len(_AUTH)]
    has_trailer = kind in {"next_url", "token"} and random.random() < 0.2
    form = "ndjson_with_trailer" if has_trailer else random.choice(["json", "json", "ndjson", "csv"])
    has_body = auth == "body" or random.random() < 0.3
    body = random.choice(["json", "form"]) if has_body else None
    words: Words = {
        "base-url": random.choice(
            ["https://api.acme.example", "https://acme.example:8443/api/v2", "http://localhost:9"]
        ),
        **_auth(auth, random),
        "path": random.choice(["/widgets", "/v1/widgets", "/2.0/wïdgets/all ones", "/w", "/items/items"]),
    }
    if body:
        words["body"] = body
    if random.random() < 0.3:
        words["query"] = ["state=open", "owner=ä&b=c d", "empty="][: random.randint(1, 3)]
    if random.random() < 0.2:
        words["about"] = random.choice(["No: quotes # here", "true", "ä „quoted“ \"text\" {with} 'all'", "- x", "42"])
    words |= _records(form, random)
    is_page = kind in {"offset", "page"}
    if is_page or (kind != "none" and random.random() < 0.7):
        words["page-size"] = str(random.choice([1, 2, 5, 50]))
        words["page-size-param"] = _param("limit", body, random)
    return words | _pages(kind, words, random)


def _auth(auth: str, random: Random) -> Words:
    prefix: Words = {"auth-prefix": random.choice(["SSWS ", "Token token="])} if random.random() < 0.5 else {}
    described: dict[str, Words] = {
        "headers": {"auth": "header", "auth-name": ["DD-API-KEY", "DD-APPLICATION-KEY", "X-1"], **prefix},
        "header": {"auth": "header", "auth-name": [random.choice(["X-Api-Key", "Authorization"])], **prefix},
        "query": {"auth": "query", "auth-name": [random.choice(["api_key", "k"])]},
        "body": {"auth": "body", "auth-name": ["api_key"]},
    }
    return described.get(auth, {"auth": auth})


def _records(form: str, random: Random) -> Words:
    if form != "json":
        return {"format": form, "primary-key": [random.choice(["/id", "/number", "none"])]}
    shapes: list[Words] = [
        {"primary-key": ["/id"]},
        {"records": "/items", "primary-key": ["/id"]},
        {"records": "/data/items", "primary-key": ["/uuid"]},
        {"records": "/a~1b/~0c/~2", "primary-key": ["/id"]},
        {"records": "/items", "primary-key": ["/meta/id", "/meta/part"]},
        {"records": "/items", "primary-key": ["none"]},
        {"records": "/groups/*/items", "primary-key": ["/id"]},
        {"records": "/groups/*", "primary-key": ["/id"]},
        {"records": "/*/items", "primary-key": ["/id"]},
        {"records": "map:/items", "primary-key": ["/id"]},
        {"records": "map:/items", "primary-key": ["/_circulate/key"]},
        {"records": "scalars:/ids", "primary-key": ["/value"]},
    ]
    return random.choice(shapes)


def _param(name: str, body: str | None, random: Random) -> str:
    """Return a place of a request."""
    places = [name, name, f"header:X-{name.title()}"]
    in_body = {"json": [f"body:/{name}", f"body:/paging/{name}"], "form": [f"body:/{name}"]}
    return random.choice([*places, *in_body.get(body or "", [])])


def _pages(kind: str, words: Words, random: Random) -> Words:
    """Return a paginator that goes with the rest."""
    body = cast("str | None", words.get("body"))
    records = words.get("records")
    # A page that is a list, lines or rows has no members beside its records.
    is_object = "format" not in words and records is not None and not str(records).startswith("/*")

    def said(name: str) -> str:
        return f"/meta/{name}" if is_object and random.random() < 0.7 else f"header:X-{name.title()}"

    if words.get("format") == "ndjson_with_trailer":
        # It is known by what the paginator reads.
        flag: Words = {"to": ["cursor"], **({"more": "/more"} if random.random() < 0.5 else {})}
        return {"paginator": kind, "from": ["/next"], **(flag if kind == "token" else {})}

    def maybe(name: str, chance: float = 0.5) -> Words:
        return {name: said(name)} if random.random() < chance else {}

    def value(word: str, text: str) -> Words:
        return {word: text} if random.random() < 0.4 else {}

    to = [_param(kind, body, random)]
    paging: dict[str, Callable[[], Words]] = {
        "none": dict,
        "link_header": lambda: value("rel", "older"),
        "next_url": lambda: {"from": [said("next")], **({"keep": ["state"]} if words.get("query") else {})},
        "token": lambda: _token(said, to, body, is_object=is_object, random=random),
        "offset": lambda: {
            "to": to,
            **maybe("total"),
            **maybe("more"),
            **value("start", "1"),
            **value("by", "page_size"),
        },
        "page": lambda: {"to": to, **maybe(random.choice(["total", "pages", "more"]), 0.7), **value("first", "0")},
        "last_record": lambda: {"from": [_last(words)], "to": to, **maybe("more")},
    }
    return {"paginator": kind, **paging[kind]()}


def _token(said: Callable[[str], str], to: list[str], body: str | None, *, is_object: bool, random: Random) -> Words:
    """Return one of the ways in which tokens go."""
    usual: Words = {"from": [said("cursor")], "to": to}
    of_url: list[Words] = [{"from": ["link:next?after"], "to": ["after"]}]
    of_url += [{"from": ["url:/links/next?after"], "to": ["after"]}] if is_object else []
    alone: list[Words] = [{"from": [said("cursor")], "to": ["cursor"], "send": "token"}] if not body else []
    alone += [{"from": [said("cursor")], "to": ["header:X-After"], "send": "token"}]
    alone += [{"from": ["header:X-After", "header:X-Part"], "to": ["after", "part"], "send": "token"}]
    return random.choice(
        [
            usual,
            *of_url,
            *alone,
            {**usual, "more": said("more")},
            {**usual, "start": "*"},
            {**usual, "to": ["path:/pages/{token}"]},
            {"from": ["header:X-After", "header:X-Part"], "to": ["after", "part"]},
        ]
    )


def _last(words: Words) -> str:
    """Return the member of the last record that leads on."""
    key = cast("list[str]", words["primary-key"])[0]
    return "/id" if key == "none" or key.startswith("/_circulate") else key
