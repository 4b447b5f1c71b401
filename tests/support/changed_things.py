"""Things that can be changed: the operations of `acme.things`, and what a server really did of what was requested."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from support.called import Things
from support.http_server import Handler, Reply

ID: dict[str, Any] = {"id": {"about": "Id of the thing."}}
BACK: dict[str, Any] = {"operation": "get", "with": {"id": "{id}"}}
TAG: dict[str, Any] = {"operation": "tags", "with": {"id": "{id}"}, "record": {"/name": "{tag}"}, "before": "any"}
OPERATIONS: dict[str, Any] = {
    "get": {"about": "One thing.", "kind": "investigate", "path": "/things/{id}", "parameters": ID},
    "tags": {
        "about": "The tags of a thing.",
        "kind": "investigate",
        "path": "/things/{id}/tags",
        "parameters": ID,
        "returns": {"list": {"primary_key": ["/name"], "paginator": "none"}},
    },
    "suspend": {
        "about": "Suspends a thing.",
        "kind": "contain",
        "method": "POST",
        "path": "/things/{id}/suspend",
        "parameters": ID,
        "retry": "if_not_sent",
        "reads_back": {**BACK, "requires": {"/status": ["ACTIVE"]}, "fields": {"/status": "SUSPENDED"}},
        "undo": {"operation": "unsuspend", "with": {"id": "{id}"}},
    },
    "unsuspend": {
        "about": "Makes a suspended thing active again.",
        "kind": "restore",
        "method": "POST",
        "path": "/things/{id}/unsuspend",
        "parameters": ID,
        "retry": "if_not_sent",
        "reads_back": {**BACK, "requires": {"/status": ["SUSPENDED"]}, "fields": {"/status": "ACTIVE"}},
        "undo": {"operation": "suspend", "with": {"id": "{id}"}},
    },
    "update": {
        "about": "Changes members of the profile.",
        "kind": "correct",
        "method": "POST",
        "path": "/things/{id}",
        "body": {"json": {"profile": "{profile}"}},
        "parameters": {
            **ID,
            "profile": {
                "about": "Members and their values; null takes one out.",
                "schema": {"type": "object", "minProperties": 1, "properties": {"name": {"type": "string"}}},
            },
        },
        "retry": "idempotent",
        "reads_back": {**BACK, "fields": {"/profile": "{profile}"}},
        "undo": {"operation": "update", "with": {"id": "{id}", "profile": "{before/profile}"}},
    },
    "create": {
        "about": "Makes a thing.",
        "kind": "correct",
        "method": "POST",
        "path": "/things",
        "body": {"json": {"id": "{id}", "profile": {"name": "{name}"}}},
        "parameters": {**ID, "name": {"about": "Its name."}},
        "retry": "if_not_sent",
        "reads_back": {**BACK, "before": "absent", "fields": {"/profile/name": "{name}"}},
        "undo": {"operation": "delete", "with": {"id": "{response/id}"}},
    },
    "delete": {
        "about": "Removes a thing for good.",
        "kind": "correct",
        "method": "DELETE",
        "path": "/things/{id}",
        "parameters": ID,
        "destructive": True,
        "retry": "never",
        "reads_back": {**BACK, "after": "absent"},
        "undo": {"none": "what is removed is gone"},
    },
    "tag": {
        "about": "Puts a tag on a thing.",
        "kind": "correct",
        "method": "PUT",
        "path": "/things/{id}/tags/{tag}",
        "parameters": {**ID, "tag": {"about": "The tag."}},
        "retry": "idempotent",
        "reads_back": TAG,
        "undo": {"operation": "untag", "with": {"id": "{id}", "tag": "{tag}"}},
    },
    "untag": {
        "about": "Takes a tag off a thing.",
        "kind": "correct",
        "method": "DELETE",
        "path": "/things/{id}/tags/{tag}",
        "parameters": {**ID, "tag": {"about": "The tag."}},
        "retry": "idempotent",
        "reads_back": {**TAG, "after": "absent"},
        "undo": {"operation": "tag", "with": {"id": "{id}", "tag": "{tag}"}},
    },
    "ring": {
        "about": "Rings at a thing, and returns a link.",
        "kind": "contain",
        "method": "POST",
        "path": "/things/{id}/ring",
        "parameters": ID,
        "retry": "never",
        "reads_back": {"none": "nothing shows that it rang"},
        "undo": {"none": "it has rung"},
        "secrets": ["/link"],
    },
}  # fmt: skip
LINK = "https://acme.example/once/l1nk-canary-4711"


@dataclass
class ChangedThings(Things):
    """Things, and every effect that there was."""

    effects: list[str] = field(default_factory=list)
    """What was done, one by one: `suspend t1`."""
    fault: Callable[[str], str | None] | None = None
    """Returns what goes wrong with a request that would change something, of its method and path: `before` or `after`
    (it is not done, or done, and the connection breaks), `500`, `500 after`, `429`, `429 for long`, `403`, `408`; None
    if nothing does."""

    def respond(self, request: Handler) -> Reply | None:
        """Respond to a request, and note what it did."""
        if request.command == "GET":
            return self._read(request)
        self.requests.append((request.command, request.path, request.body))
        fault = self.fault(f"{request.command} {request.path}") if self.fault else None
        match fault:
            case "before":
                return None
            case "500" | "403" | "408":
                return Reply({"error": "no"}, status=int(fault))
            case "429" | "429 for long":
                seconds = "0" if fault == "429" else "3000"
                return Reply({"error": "slow down"}, [("Retry-After", seconds)], status=429)
        reply = self._change(request)
        if fault == "after":
            return None
        return Reply({"error": "broke"}, status=500) if fault == "500 after" else reply

    def _read(self, request: Handler) -> Reply | None:
        path = urlsplit(request.path).path
        if path.endswith("/tags"):
            self.requests.append((request.command, request.path, b""))
            thing = self.things.get(unquote(path.split("/")[2]))
            return Reply({"error": "not found"}, status=404) if thing is None else Reply(thing.get("tags", []))
        return super().respond(request)

    def _change(self, request: Handler) -> Reply:
        _, _, *parts = map(unquote, urlsplit(request.path).path.split("/"))
        if not parts:
            return self._create(json.loads(request.body))
        name, *rest = parts
        if name not in self.things:
            return Reply({"error": "not found"}, status=404)
        return self._change_one(request, name, rest)

    def _change_one(self, request: Handler, name: str, rest: list[str]) -> Reply:
        thing = self.things[name]
        match (request.command, rest):
            case ("POST", ["suspend" | "unsuspend" as verb]):
                return self._turn(verb, name, thing)
            case ("POST", ["ring"]):
                return self._done("ring", name, {"link": LINK})
            case ("DELETE", []):
                del self.things[name]
                return self._done("delete", name, status=204)
            case ("PUT" | "DELETE", ["tags", tag]):
                return self._tag(request.command, name, thing, tag)
        profile = {**thing.get("profile", {}), **json.loads(request.body)["profile"]}
        thing["profile"] = {key: value for key, value in profile.items() if value is not None}
        return self._done("update", name, thing)

    def _create(self, made: dict[str, Any]) -> Reply:
        if made["id"] in self.things:
            return Reply({"error": "it is there"}, status=400)
        self.things[made["id"]] = {"status": "ACTIVE", **made}
        return self._done("create", made["id"], made)

    def _turn(self, verb: str, name: str, thing: dict[str, Any]) -> Reply:
        wanted, then = ("ACTIVE", "SUSPENDED") if verb == "suspend" else ("SUSPENDED", "ACTIVE")
        if thing["status"] != wanted:
            return Reply({"error": f"it is {thing['status']}"}, status=403)
        thing["status"] = then
        return self._done(verb, name)

    def _tag(self, method: str, name: str, thing: dict[str, Any], tag: str) -> Reply:
        tags = thing.setdefault("tags", [])
        if ({"name": tag} in tags) == (method == "PUT"):
            return Reply(status=204)
        if method == "PUT":
            tags.append({"name": tag})
        else:
            tags.remove({"name": tag})
        return self._done("tag" if method == "PUT" else "untag", f"{name} {tag}", status=204)

    def _done(self, verb: str, name: str, body: object = b"", status: int = 200) -> Reply:
        self.effects.append(f"{verb} {name}")
        return Reply(body, status=status)


def things() -> ChangedThings:
    """Return three of them."""
    names = ("t1", "t2", "t3")
    return ChangedThings(
        {name: {"id": name, "status": "ACTIVE", "name": name, "profile": {"name": name}} for name in names}
    )
