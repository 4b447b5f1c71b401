"""The examples of hooks in the guide, each against a server that is as the guide says."""

import hashlib
import hmac
import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import yaml
from support.http_server import Handler, Reply, Server
from support.paging_pulls import written
from support.scripted import serving

import circulate_core

GUIDE = Path(__file__).resolve().parents[2] / "python/docs/definitions.md"
SOURCE: dict[str, Any] = {
    "source": "acme",
    "title": "Acme",
    "settings": {"url": {"env": "ACME_URL", "about": "its address"}},
    "base_url": "{url}",
    "auth": ["none"],
}
SECTION = GUIDE.read_text().partition("\n## Hooks\n")[2].partition("\n## ")[0]
EXAMPLES = re.findall(r"```yaml\n(.*?)```\n\n```python\n# definitions/acme/(\w+\.py)\n(.*?)```", SECTION, re.DOTALL)


def pulled(folder: Path, example: int, url: str, **settings: str) -> list[object]:
    """Write an example as the guide has it, pull its list, and return the records."""
    text, file, code = EXAMPLES[example]
    parts = yaml.safe_load(text)
    names = {name: {"env": name.upper(), "about": name, "secret": "secret" in name} for name in settings}
    source = SOURCE | {"settings": SOURCE["settings"] | names} | {key: parts[key] for key in ("auth",) if key in parts}
    listed = parts.get("list") or {"path": "/items", "primary_key": ["/id"], "paginator": "none", "single": "certain"}
    of_acme = folder / "definitions/acme"
    of_acme.mkdir(parents=True)
    (of_acme / "source.yaml").write_text(yaml.safe_dump(source))
    (of_acme / "items.yaml").write_text(yaml.safe_dump({"endpoint": "items", "about": "Items.", "list": listed}))
    (of_acme / file).write_text(code)
    report = circulate_core.pull(
        "acme.items", to=folder / "lake", settings={"url": url, **settings}, catalog=[folder / "definitions"]
    )
    assert report.status == "complete"
    return written(folder / "lake", report)


def test_there_are_three_examples_and_one_for_notebooks() -> None:
    assert [file for _, file, _ in EXAMPLES] == ["hooks.py", "hooks.py", "signing.py"]
    assert SECTION.count("```python") == 4


def test_the_example_of_xml_runs(tmp_path: Path) -> None:
    def respond(_path: str, query: dict[str, str]) -> Reply:
        host = "<host><id>{0}</id><name>&lt;é{0}&gt;</name></host>"
        if query:
            return Reply(f"<list>{host.format(2)}</list>")
        return Reply(f"<list>{host.format(1)}<next>/hosts?after=1</next></list>")

    with serving(respond) as api:
        assert pulled(tmp_path, 0, api.url) == [{"id": "1", "name": "<é1>"}, {"id": "2", "name": "<é2>"}]


def test_the_example_of_archives_runs(tmp_path: Path) -> None:
    def respond(_path: str, query: dict[str, str]) -> Reply:
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as files:
            for name in "ab":
                files.writestr(name, json.dumps({"id": query["part"] + name}) + "\n")
        return Reply(archive.getvalue(), [("X-Parts", "3")])

    with serving(respond) as api:
        records = pulled(tmp_path, 1, api.url)
    assert records == [{"id": f"{part}{name}"} for part in "123" for name in "ab"]


def test_the_example_of_signatures_runs(tmp_path: Path) -> None:
    key = "s3cret-canary-0123456789"

    def respond(request: Handler) -> Reply:
        text = "\n".join([request.command, f"{server.url}{request.path}", request.headers["X-Date"]]).encode()
        digest = hmac.new(key.encode(), text + request.body, hashlib.sha256).hexdigest()
        good = request.headers["Authorization"] == f"ACME me:{digest}"
        return Reply([{"id": "a"}]) if good else Reply({}, status=403)

    with Server(respond) as server:
        assert pulled(tmp_path, 2, server.url, key_id="me", secret_key=key) == [{"id": "a"}]


def test_the_example_for_notebooks_runs(tmp_path: Path) -> None:
    code = SECTION.rpartition("```python\n")[2].partition("```")[0]
    # As a file, since a notebook remembers the text of its cells.
    (cell := tmp_path / "cell.py").write_text(code)
    with serving(lambda _path, _query: Reply("a\nb\n")) as api:
        acme = circulate_core.source("acme", base_url=api.url)
        exec(compile(code, cell, "exec"), {"acme": acme})  # noqa: S102 - that is what it is for
        assert list(acme.stream("names").records()) == [{"id": "a"}, {"id": "b"}]
    assert api.requests[0] == "/names"
