"""An API of people, in many ways to sign in, whose lists are recorded: it echoes what it should not."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import yaml

from circulate_core import _core
from circulate_core.authoring.cassettes.recording import Recorded, record
from circulate_core.catalogs import catalog_of
from support.http_server import Handler, Reply, Server

SECRET = "s3cr3t/+&=&-value"  # noqa: S105 - of a practice server
USER = "ada.admin"
TOKEN = "tok-9f8e7d6c5b4a"  # noqa: S105 - of a practice server
STREAM = "acme.people"
SIZE, COUNT = 4, 11


@dataclass(frozen=True)
class SignIn:
    """A way to sign in: what the definition says, and what requests have."""

    auth: dict[str, Any]
    settings: dict[str, bool]
    """Settings, and whether they are secret."""
    lets_in: Any
    """Whether a request is let in."""


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _header(name: str, value: str) -> Any:  # noqa: ANN401 - a function
    return lambda handler: handler.headers.get(name, "").encode("latin-1") == value.encode()


SIGN_INS = {
    "bearer": SignIn({"bearer": "key"}, {"key": True}, _header("Authorization", f"Bearer {SECRET}")),
    "header": SignIn({"header": {"name": "X-Api-Key", "secret": "key"}}, {"key": True}, _header("X-Api-Key", SECRET)),
    "basic": SignIn(
        {"basic": {"user": "user", "password": "key"}},
        {"user": False, "key": True},
        _header("Authorization", _basic(USER, SECRET)),
    ),
    "query": SignIn(
        {"query": {"name": "key", "secret": "key"}},
        {"key": True},
        lambda handler: parse_qs(urlsplit(handler.path).query).get("key") == [SECRET],
    ),
    "oauth2": SignIn(
        {"oauth2": {"token_url": "{url}/token", "client_id": "user", "client_secret": "key", "send_secret": "body"}},
        {"user": False, "key": True},
        _header("Authorization", f"Bearer {TOKEN}"),
    ),
    "session": SignIn(
        {
            "session": {
                "login": {"path": "/token", "body": {"json": {"client_id": "{user}", "client_secret": "{key}"}}},
                "token": {"body": "/access_token"},
                "lifetime": "30m",
            }
        },
        {"user": False, "key": True},
        _header("Authorization", f"Bearer {TOKEN}"),
    ),
    "cookie": SignIn(
        {
            "session": {
                "login": {"path": "/token", "body": {"json": {"client_id": "{user}", "client_secret": "{key}"}}},
                "token": {"cookie": "SID"},
                "lifetime": "30m",
                "send": {"cookie": "SID"},
            }
        },
        {"user": False, "key": True},
        _header("Cookie", f"SID={TOKEN}"),
    ),
}


def people(count: int = COUNT) -> list[dict[str, Any]]:
    """Return people, some of whom name others."""
    return [
        {
            "id": f"p-{number:03}",
            "email": f"Jane.Doe{number}@acme-corp.io",
            "name": f"Jane Doe{number}",
            "firstName": f"Jane{number}",
            "phone": f"+49 89 5550{number:03}",
            "ip": f"81.2.69.{number + 1}",
            "manager": f"jane.doe{max(number - 1, 0)}@acme-corp.io",
            "updated_at": f"2026-01-{number + 1:02}T08:00:00Z",
            "note": f"Jane Doe{number} called from 81.2.69.{number + 1}",
            "score": number / 3,
        }
        for number in range(count)
    ]


class Api:
    """Serves people by a cursor that has an address in it."""

    def __init__(self, sign_in: str = "bearer", records: list[dict[str, Any]] | None = None) -> None:
        self.sign_in = SIGN_INS[sign_in]
        self.records = people() if records is None else records
        self.asked: list[str] = []
        self.tokens = 0

    def respond(self, handler: Handler) -> Reply:
        """Respond to a request."""
        self.asked.append(f"{handler.command} {handler.path}")
        parts = urlsplit(handler.path)
        if parts.path == "/token":
            return self._token(handler.body.decode())
        if not self.sign_in.lets_in(handler):
            return Reply({"error": "not signed in"}, status=401)
        query = parse_qs(parts.query)
        after = base64.urlsafe_b64decode(query["cursor"][0]).decode() if "cursor" in query else None
        emails = [each["email"] for each in self.records]
        at = 0 if after is None else emails.index(after) + 1
        size = int(query.get("limit", ["4"])[0])
        page = self.records[at : at + size]
        body: dict[str, Any] = {
            "data": page,
            "echo": [SECRET, quote(SECRET), base64.b64encode(SECRET.encode()).decode()],
        }
        if at + size < len(self.records):
            body["next"] = base64.urlsafe_b64encode(page[-1]["email"].encode()).decode()
        headers = [
            ("X-Echo", f"you are {quote(SECRET)}"),
            ("Content-Type", "application/json"),
            ("X-RateLimit-Left", "9"),
        ]
        return Reply(json.dumps(body, indent=1, ensure_ascii=False), headers)

    def _token(self, body: str) -> Reply:
        self.tokens += 1
        given = json.loads(body) if body.startswith("{") else {name: each[0] for name, each in parse_qs(body).items()}
        if (given.get("client_id"), given.get("client_secret")) != (USER, SECRET):
            return Reply({"error": "invalid_client"}, status=401)
        token = {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 3600}
        return Reply(token, [("Set-Cookie", f"SID={TOKEN}; Path=/; HttpOnly"), ("Content-Type", "application/json")])

    @contextmanager
    def serve(self) -> Iterator[str]:
        """Serve; yield the address."""
        with Server(self.respond) as server:
            yield server.url


LIST: dict[str, Any] = {
    "path": "/people",
    "records": "/data",
    "primary_key": ["/id"],
    "paginator": {"token": {"from": {"body": "/next"}, "to": "cursor"}},
    "page_size": {"param": "limit", "max": SIZE},
}


def write_people(folder: Path, sign_in: str = "bearer", listing: dict[str, Any] | None = None) -> Path:
    """Write the definition of the list; return the catalog."""
    way = SIGN_INS[sign_in]
    settings: dict[str, Any] = {"url": {"env": "ACME_URL", "about": "address"}}
    for name, secret in way.settings.items():
        settings[name] = {"env": f"ACME_{name.upper()}", "about": name} | ({"secret": True} if secret else {})
    source = {"source": "acme", "title": "Acme", "settings": settings, "base_url": "{url}", "auth": [way.auth]}
    (folder / "acme").mkdir(parents=True, exist_ok=True)
    (folder / "acme/source.yaml").write_text(yaml.safe_dump(source, sort_keys=False))
    endpoint = {"endpoint": "people", "about": "People.", "list": listing or LIST}
    (folder / "acme/people.yaml").write_text(yaml.safe_dump(endpoint, sort_keys=False))
    return folder


def recorded(api: Api, catalog: Path, **options: Any) -> Recorded:  # noqa: ANN401 - passed on
    """Record the list of an API, which is there no longer afterwards."""
    with api.serve() as url:
        given = {"url": url, "user": USER, "key": SECRET}
        settings = {name: given[name] for name in ("url", *api.sign_in.settings)}
        account = _core.Account(catalog_of([catalog]), _core.Settings(settings), None, None, {})
        return record(STREAM, account, catalog=[catalog], **options)
