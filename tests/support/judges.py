"""Servers of others, each with lists whose paging is none of ours, and with the records that a client must have.

They are in a place of their own, `.tools/judges`, which `make` fills: the dependency group `judges`.
"""

import json
import os
import sqlite3
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.stand_ins import HERE, free_port, moto, started

ROOT = Path(__file__).resolve().parents[2]
BIN = ROOT / ".tools/judges/bin"
COUNT = 23
ROWS = [{"id": f"r-{number:04}", "number": number, "name": f'récord, "{number}"'} for number in range(1, COUNT + 1)]
_KINTO = """
[server:main]
use = egg:waitress#main
host = {host}
port = {port}
[app:main]
use = egg:kinto
kinto.storage_backend = kinto.core.storage.memory
kinto.cache_backend = kinto.core.cache.memory
kinto.permission_backend = kinto.core.permission.memory
kinto.bucket_create_principals = system.Everyone
kinto.bucket_write_principals = system.Everyone
kinto.userid_hmac_secret = practice
kinto.paginate_by = 5
"""
_SCIM = "urn:ietf:params:scim:schemas:core:2.0"


@dataclass(frozen=True)
class Judge:
    """A server that is running."""

    url: str
    truth: list[Any]
    """Its records, in the order of its list."""
    authorization: str = ""
    """What requests have in the header of that name."""


def database(folder: Path) -> Path:
    """Make a database with the rows, and return its file."""
    path = folder / "lists.db"
    with sqlite3.connect(path) as made:
        made.execute("create table items (id text primary key, number integer, name text)")
        made.executemany("insert into items values (:id, :number, :name)", ROWS)
    made.close()
    return path


@contextmanager
def datasette(folder: Path) -> Iterator[Judge]:
    """Datasette: Link header, next URL and token in the page; objects, maps, values, NDJSON."""
    port = free_port()
    command = [BIN / "datasette", "serve", database(folder), "--host", HERE, "--port", str(port)]
    with started([str(part) for part in command], port) as url:
        yield Judge(url, ROWS)


@contextmanager
def django(folder: Path) -> Iterator[Judge]:
    """Django REST framework and Strawberry: page numbers, offsets, next URLs, GraphQL."""
    port = free_port()
    program = ROOT / "tests/judges/django_lists.py"
    with started([str(BIN / "python"), str(program), str(database(folder)), str(port)], port) as url:
        yield Judge(url, ROWS)


@contextmanager
def django_accounts(folder: Path, user: str, password: str) -> Iterator[Judge]:
    """Django's page for people, which gives a session; tokens and basic authentication of Django REST framework."""
    port = free_port()
    program = ROOT / "tests/judges/django_lists.py"
    command = [str(BIN / "python"), str(program), str(database(folder)), str(port), user, password]
    with started(command, port) as url:
        yield Judge(url, ROWS)


@contextmanager
def scim(folder: Path) -> Iterator[Judge]:
    """scim2-server: offsets from 1 and tokens, by GET and by POST."""
    port = free_port()
    config = folder / "scim.json"
    supported = {name: {"supported": True} for name in ("patch", "sort", "etag", "changePassword")}
    config.write_text(
        json.dumps(
            {
                "schemas": [f"{_SCIM}:ServiceProviderConfig"],
                **supported,
                "bulk": {"supported": False, "maxOperations": 0, "maxPayloadSize": 0},
                "filter": {"supported": True, "maxResults": 100},
                "pagination": {
                    "cursor": True,
                    "index": True,
                    "defaultPaginationMethod": "index",
                    "defaultPageSize": 5,
                    "maxPageSize": 5,
                },
            }
        )
    )
    command = [BIN / "scim2-server", "--hostname", HERE, "--port", str(port), "--service-provider-config", config]
    with started([str(part) for part in command], port) as url:
        made = [
            send("POST", f"{url}/v2/Users", {"schemas": [f"{_SCIM}:User"], "userName": row["id"]}, "scim+json")
            for row in ROWS
        ]
        yield Judge(url, sorted(made, key=lambda user: str(user["id"])))


@contextmanager
def kinto(folder: Path) -> Iterator[Judge]:
    """Kinto: the next URL in a header."""
    port = free_port()
    config = folder / "kinto.ini"
    config.write_text(_KINTO.format(host=HERE, port=port))
    with started([str(BIN / "kinto"), "start", "--ini", str(config), "--port", str(port)], port) as url:
        lists = f"{url}/v1/buckets/lists"
        send("PUT", lists, {})
        send("PUT", f"{lists}/collections/items", {})
        records = f"{lists}/collections/items/records"
        yield Judge(url, [send("PUT", f"{records}/{row['id']}", {"data": row})["data"] for row in ROWS])


@contextmanager
def moto_server(_: Path) -> Iterator[Judge]:
    """moto: a token of a JSON body into the next one."""
    # It knows the service by this, and does not check signatures.
    scope = f"{os.environ['AWS_ACCESS_KEY_ID']}/20260101/us-east-1/ssm/aws4_request"
    signature = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=practice"
    headers = {"X-Amz-Target": "AmazonSSM.PutParameter", "Authorization": signature}
    with moto() as url:
        for row in ROWS:
            send("POST", url, {"Name": row["id"], "Value": row["name"], "Type": "String"}, "x-amz-json-1.1", headers)
        yield Judge(url, [row["id"] for row in ROWS], signature)


def send(
    method: str, url: str, body: object, media_type: str = "json", headers: dict[str, str] | None = None
) -> dict[str, Any]:
    """Send a request with a JSON body; return that of the response."""
    described = {"Content-Type": f"application/{media_type}", **(headers or {})}
    request = urllib.request.Request(url, json.dumps(body).encode(), described, method=method)
    with urllib.request.urlopen(request) as response:
        found: dict[str, Any] = json.load(response)
    return found


def versions() -> dict[str, str]:
    """Return what is installed in the place of the judges."""
    listed = subprocess.run(
        [BIN / "python", "-m", "pip", "list", "--format", "json"], check=True, capture_output=True, text=True
    ).stdout
    return {package["name"].lower(): package["version"] for package in json.loads(listed)}
