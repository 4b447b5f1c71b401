"""An API that makes lists by jobs: submitted, polled, and read in chunks; with what goes wrong with those."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from support.http_server import Handler, Reply

SOURCE: dict[str, Any] = {
    "source": "exporter",
    "title": "Exporter",
    "settings": {
        "base_url": {"env": "EXPORTER_URL", "about": "its address"},
        "kind": {"env": "EXPORTER_KIND", "about": "what is exported", "default": "assets"},
    },
    "base_url": "{base_url}",
    "auth": ["none"],
    "check": {"path": "/me"},
}
LISTED: dict[str, Any] = {
    "path": "/exports/{job}/chunks/{part}",
    "primary_key": ["/id"],
    "paginator": "none",
    "job": {
        "submit": {"path": "/exports", "body": {"json": {"kind": "{kind}", "filters": {}}}},
        "id": {"body": "/export_uuid"},
        "status": {"path": "/exports/{job}/status"},
        "state": {"at": "/status", "done": ["FINISHED"], "failed": ["ERROR", "CANCELLED"]},
        "every": "1ms",
        "parts": {"values": "/chunks_available"},
        "cancel": {"path": "/exports/{job}/cancel"},
    },
}


def definition(**changed: object) -> dict[str, Any]:
    """Return what a user writes for such an API; `job_state` changes the key `state` of its job."""
    job = {name.removeprefix("job_"): value for name, value in changed.items() if name.startswith("job_")}
    listed = {**LISTED, **{name: value for name, value in changed.items() if not name.startswith("job_")}}
    listed["job"] = {name: value for name, value in {**LISTED["job"], **job}.items() if value is not None}
    listed = {name: value for name, value in listed.items() if value is not None}
    endpoint = {"endpoint": "assets", "about": "Assets.", "scopes": [], "list": listed}
    return {"source": SOURCE, "endpoints": {"assets": endpoint}}


@dataclass
class Exporter:
    """Jobs, and how far they are."""

    records: int = 7
    chunk: int = 3
    polls: int = 2
    """Requests of its status until a job is done."""
    ends_as: str = "FINISHED"
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    cancelled: list[str] = field(default_factory=list)
    submitted: list[Any] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    forgotten: set[str] = field(default_factory=set)
    addresses: Callable[[str, int], Any] | None = None
    on_request: Callable[[str], Reply | None] = lambda _: None

    @property
    def chunks(self) -> int:
        """How many chunks an export has."""
        return -(-self.records // self.chunk)

    def respond(self, request: Handler) -> Reply:
        """Respond."""
        url = urlsplit(request.path)
        self.requests.append(f"{request.command} {request.path}")
        if (reply := self.on_request(f"{request.command} {url.path}")) is not None:
            return reply
        steps = url.path.split("/")[1:]
        if steps == ["me"]:
            return Reply({})
        if steps == ["exports"] and request.command == "POST":
            return self.submit(json.loads(request.body or b"null"), url.query)
        if steps[0] == "files":
            token = parse_qs(url.query).get("token")
            return Reply(self.page(int(steps[1]))) if token == ["a+b"] else Reply({"error": "who?"}, status=403)
        if steps[0] != "exports" or steps[1] in self.forgotten or steps[1] not in self.jobs:
            return Reply({"error": "no such export"}, status=404)
        return self.about(steps[1], steps[2:], url.query)

    def submit(self, sent: object, query: str) -> Reply:
        """Begin a job."""
        name = f"job-{len(self.jobs) + 1}"
        self.jobs[name] = {"polls": 0}
        self.submitted.append(sent)
        headers = [("Location", f"/exports/{name}/status?format=json")]
        return Reply({"export_uuid": name}, headers, 202 if "async" in query else 200)

    def about(self, name: str, steps: list[str], query: str) -> Reply:
        """Respond to a request about a job."""
        if steps == ["cancel"]:
            self.cancelled.append(name)
            return Reply({})
        if steps == ["status"]:
            return self.status(name, by_code="format=json" in query)
        return Reply(self.page(int(steps[1])))

    def page(self, number: int) -> list[Any]:
        """Return a chunk."""
        return [{"id": each} for each in range(self.records)][(number - 1) * self.chunk : number * self.chunk]

    def status(self, name: str, *, by_code: bool) -> Reply:
        """Say how far a job is."""
        job = self.jobs[name]
        job["polls"] += 1
        running = job["polls"] <= self.polls
        numbers = list(range(1, self.chunks + 1))
        if by_code and running:
            return Reply({}, status=202)
        body: dict[str, Any] = {"status": "PROCESSING" if running else self.ends_as}
        if self.addresses is not None:
            body["files"] = [{"url": self.addresses(name, number)} for number in numbers] if not running else None
        else:
            body["chunks_available"] = numbers[: job["polls"]] if running else numbers
        return Reply(body)
