"""Sessions of a server of lists: a login gives a token in one of many places, and goes wrong as real ones do."""

import base64
import json
import threading
from dataclasses import dataclass
from typing import Any, Final

from circulate_practice.paging.kit.messages import ListReply, ListRequest

USER: Final = "ada"
PASSWORD: Final = "pr4ctice&p@ss=wörd"  # noqa: S105 - of a practice server
"""Who is let in."""


@dataclass(frozen=True, slots=True)
class LoginStyle:
    """A way in which a login gives a token.

    Attributes:
        about: What it is, for people.
        session: What a definition says of it, but for the login itself and the logout.
        by: How the login says who it is: `json`, `form` or `basic`.
        exchange: A second request gives the token that counts.
    """

    about: str
    session: dict[str, Any]
    by: str = "json"
    exchange: bool = False


LOGIN_STYLES: Final = {
    "json": LoginStyle(
        "a member, and how many seconds it is good for",
        {"token": {"body": "/data/token"}, "expires": {"after": "/data/expires_in"}},
    ),
    "millis": LoginStyle(
        "a member, and how many milliseconds it is good for",
        {"token": {"body": "/data/token"}, "expires": {"after_ms": "/data/ttl"}, "send": {"query": "session"}},
    ),
    "at": LoginStyle(
        "a member, and the time it ends at",
        {
            "token": {"body": "/data/token"},
            "expires": {"at": "/data/expires_at"},
            "send": {"header": {"name": "X-Session"}},
        },
    ),
    "text": LoginStyle("the body itself, as text", {"token": {"body": ""}, "lifetime": "30m"}, by="basic"),
    "string": LoginStyle("the body itself, as a JSON string", {"token": {"body": ""}}, by="form"),
    "header": LoginStyle(
        "a header", {"token": {"header": "X-Subject-Token"}, "send": {"header": {"name": "X-Auth-Token"}}}
    ),
    "cookie": LoginStyle("a cookie", {"token": {"cookie": "SID"}, "send": {"cookie": "SID"}}, by="form"),
    "exchange": LoginStyle("a code that a second request exchanges", {"token": {"body": "/data/token"}}, exchange=True),
}
LOGIN_TRAPS: Final = {
    "expires": "a token is refused after two requests, however long it was said to last",
    "busy": "the first login is asked to come later (429)",
    "broken": "the first login fails (503)",
    "one_at_a_time": "a login ends the session before it, and a session ends after three requests",
}


class Sessions:
    """Logins, and the sessions that they began.

    Args:
        style: How a login gives a token, a key of `LOGIN_STYLES`.
        trap: What goes wrong, a key of `LOGIN_TRAPS`; None for nothing.
    """

    def __init__(self, style: str = "json", trap: str | None = None) -> None:
        self.style = LOGIN_STYLES[style]
        self.name, self.trap = style, trap
        self.logins = 0
        self.logouts = 0
        self._left: dict[str, int] = {}
        self._lock = threading.Lock()

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of a definition."""
        return {
            "user": {"env": "PRACTICE_USER", "about": "who logs in"},
            "password": {"env": "PRACTICE_PASSWORD", "about": "the password", "secret": True},
        }

    @property
    def way(self) -> dict[str, Any]:
        """The way to sign in of a definition."""
        pair = {"username": "{user}", "password": "{password}"}
        said: dict[str, dict[str, Any]] = {
            "json": {"body": {"json": pair}},
            "form": {"body": {"form": pair}},
            "basic": {"basic": {"user": "user", "password": "password"}},
        }
        session = {"login": {"path": "/login", **said[self.style.by]}, **self.style.session}
        if self.style.exchange:
            session["login"]["token"] = {"body": "/code"}
            session["exchange"] = {"path": "/exchange", "body": {"json": {"code": "{token}"}}}
        return {"session": session | {"logout": {"path": "/logout"}}}

    @property
    def open(self) -> int:
        """How many sessions are open."""
        return len(self._left)

    def respond(self, request: ListRequest) -> ListReply | None:
        """Return the reply to a login, or to a request that is not let in; None for one that is."""
        with self._lock:
            if request.path in {"/login", "/exchange"}:
                return self._log_in(request)
            token = self._token_of(request)
            if self._left.get(token, 0) <= 0:
                self._left.pop(token, None)
                return ListReply.of({"error": "the session is over"}, 401)
            if request.path == "/logout":
                self.logouts += 1
                del self._left[token]
                return ListReply(status=204)
            self._left[token] -= 1
            return None

    def _log_in(self, request: ListRequest) -> ListReply:
        if request.path == "/exchange":
            return self._begin() if json.loads(request.body).get("code") == "c0de-1" else refused()
        self.logins += 1
        if self.logins == 1 and self.trap in {"busy", "broken"}:
            return ListReply.of({"error": "later"}, 429 if self.trap == "busy" else 503)
        if not self._knows(request):
            return refused()
        return ListReply.of({"code": "c0de-1"}) if self.style.exchange else self._begin()

    def _knows(self, request: ListRequest) -> bool:
        if self.style.by == "basic":
            pair = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            return request.headers.get("authorization") == f"Basic {pair}"
        return request.document == {"username": USER, "password": PASSWORD}

    def _begin(self) -> ListReply:
        token = f"t0ken-{self.logins}-of.practice~{self.name}"
        if self.trap == "one_at_a_time":
            self._left.clear()
        self._left[token] = {"expires": 2, "one_at_a_time": 3}.get(self.trap or "", 1000)
        if self.name == "text":
            return ListReply(f"{token}\n".encode(), 200, [("Content-Type", "text/plain")])
        if self.name == "string":
            return ListReply.of(token)
        reply = ListReply.of(
            {"data": {"token": token, "expires_in": "3600", "ttl": 3600000.0, "expires_at": "2999-01-01T00:00:00Z"}}
        )
        if self.name in {"header", "cookie"}:
            reply.body = b"<html>welcome</html>"
            reply.status = 303 if self.name == "cookie" else 201
            reply.headers = [
                ("Set-Cookie", "SID=; Max-Age=0; Path=/"),
                ("Set-Cookie", f"SID={token}; Path=/; HttpOnly; Max-Age=3600"),
                ("X-Subject-Token", token),
                ("Location", "/welcome"),
            ]
        return reply

    def _token_of(self, request: ListRequest) -> str:
        sent = self.style.session.get("send", {})
        if "query" in sent:
            return dict(request.query).get(sent["query"], "")
        if "cookie" in sent:
            pairs = dict(pair.strip().split("=", 1) for pair in request.headers.get("cookie", "").split(";") if pair)
            return pairs.get(sent["cookie"], "")
        if "header" in sent:
            return request.headers.get(sent["header"]["name"].lower(), "")
        return request.headers.get("authorization", "").removeprefix("Bearer ")


def refused() -> ListReply:
    """Return the reply to a login that is refused."""
    return ListReply.of({"error": "invalid_login", "error_description": "wrong user or password"}, 401)
