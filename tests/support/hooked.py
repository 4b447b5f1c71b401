"""A source of one's own with hooks, of an API that sends pages by number."""

import io
import json
import zipfile
from pathlib import Path
from textwrap import dedent
from xml.sax.saxutils import quoteattr

from support.cli import Cli, Done
from support.http_server import Reply
from support.scripted import Api, define

PAGES = 4
RECORDS = [
    {"id": f"r{page}{letter}", "name": f'é "{letter}" & <{page}>'} for page in range(1, PAGES + 1) for letter in "ab"
]
DECODE = """
    import json
    from xml.etree import ElementTree

    def decode(body, response):
        return json.dumps([row.attrib for row in ElementTree.fromstring(body).iter("row")]).encode()
"""
NEXT = """
    def next_page(request, response):
        page = int(request.query.get("page", "1"))
        return {"query": {"page": page + 1}} if page < int(response.headers["X-Pages"]) else None
"""
BY_NUMBER = "paginator: {hook: hooks.py:next_page}"
BY_PAGES = "paginator: {page: {to: page, pages: {header: X-Pages}}}"


def page_of(query: dict[str, str]) -> list[dict[str, str]]:
    """Return the records of a page."""
    number = int(query.get("page", "1"))
    return RECORDS[2 * number - 2 : 2 * number]


def xml(_path: str, query: dict[str, str]) -> Reply:
    """Respond in XML."""
    rows = "".join(
        f"<row {' '.join(f'{name}={quoteattr(value)}' for name, value in record.items())}/>"
        for record in page_of(query)
    )
    return Reply(f"<?xml version='1.0' encoding='UTF-8'?><rows>{rows}</rows>", [("X-Pages", str(PAGES))])


def lines(_path: str, query: dict[str, str]) -> Reply:
    """Respond with lines of JSON."""
    return Reply("\n".join(map(json.dumps, page_of(query))), [("X-Pages", str(PAGES))])


def zipped(_path: str, query: dict[str, str]) -> Reply:
    """Respond with an archive of two files with lines of JSON."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as written:
        for number, record in enumerate(page_of(query)):
            written.writestr(f"{number}.jsonl", json.dumps(record) + "\n")
    return Reply(archive.getvalue(), [("X-Pages", str(PAGES))])


def define_hooked(folder: Path, code: str, listed: str = "", paginator: str = BY_PAGES, file: str = "hooks.py") -> Path:
    """Write the catalog, and the code of its hooks; return the file with that."""
    catalog = define(folder, f"path: /items\nprimary_key: [/id]\n{dedent(listed).strip()}\n{paginator}")
    path = catalog / "acme" / file
    path.write_text(dedent(code))
    return path


def pull(cli: Cli, api: Api, *arguments: str) -> Done:
    """Pull it as a user does, in a process of its own."""
    command = ["pull", "acme.items", "--catalog", "catalog", "--to", "lake", "--account", "acme", "--json"]
    return cli.process(*command, *arguments, ACME_URL=api.url)
