"""Serve a list of made-up users, fast, until stopped. Usage: `users_api.py KEYS`. Writes its address first.

A request since a time gets the users that changed since: a tenth of them, each once. One since 1970 gets all of them as
they were before. The practice org has richer users, and takes ten times as long to make ten million of them.
"""

import sys
from collections.abc import Iterator
from email.utils import formatdate
from urllib.parse import parse_qs, urlsplit

from circulate_core import loopback_server

PER_PAGE = 10_000
CHANGED = 10
"""One of so many changes."""
FIRST, LATER = 1_795_000_000, 1_795_086_400
"""Time of the server when all users are requested, and a day later, when those are that changed."""
SCRAMBLE = 0x9E3779B97F4A7C15
"""Odd, so that ids are distinct, and in no order."""
STATUSES = ("ACTIVE", "ACTIVE", "ACTIVE", "STAGED", "SUSPENDED", "DEPROVISIONED", "LOCKED_OUT")
DEPARTMENTS = ("Engineering", "Sales", "Support", "Finance", "People", "Security", "Legal", "Operations")
TIMES = [f"{1 + at % 28:02}T{at % 24:02}:{at % 60:02}:{at * 7 % 60:02}.{at * 37 % 1000:03}Z" for at in range(10_007)]
MONTHS = [f"20{15 + at % 10}-{1 + at % 12:02}-" for at in range(60)]
RECORD = (
    '{"id":"00u%016x","status":"%s","created":"%s%s","lastUpdated":"%s","score":%d,"type":{"id":"oty1"},"profile":{'
    '"login":"user.%d@acme.test","email":"user.%d@acme.test","firstName":"Given%d","lastName":"Family%d",'
    '"department":"%s","employeeNumber":"E%08d","manager":null}}'
)


def record(index: int, version: int) -> str:
    """Return a user; its `score` is that of this version alone."""
    at = index * 7919
    time = TIMES[at % len(TIMES)]
    # After the first time of the server, and before the later one, which is on the next day.
    updated = f"2026-11-18T{13 + index % 11:02}{time[5:]}" if version else f"2025-{MONTHS[at % 12][5:]}{time}"
    return RECORD % (
        index * SCRAMBLE & 0xFFFF_FFFF_FFFF_FFFF,
        STATUSES[(at + version) % len(STATUSES)],
        MONTHS[at % len(MONTHS)],
        time,
        updated,
        (index * 2 + version) * 2_654_435_761 & 0xFFFF_FFFF,
        index,
        index,
        at % 5003,
        at % 20011,
        DEPARTMENTS[at % len(DEPARTMENTS)],
        index,
    )


def page(keys: int, number: int, *, changed: bool) -> Iterator[str]:
    """Give the records of a page."""
    step = CHANGED if changed else 1
    start = number * PER_PAGE * step
    return (record(index, int(changed)) for index in range(start, min(keys, start + PER_PAGE * step), step))


class Users(loopback_server.Handler):
    """Responds with pages."""

    keys: int

    def do_GET(self) -> None:  # noqa: N802 - as inherited
        """Respond with one."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        number, since = int(query.get("page", 0)), query["since"]
        changed = not since.startswith("1970")
        body = f"[{','.join(page(self.keys, number, changed=changed))}]".encode()
        headers = [("Date", formatdate(LATER if changed else FIRST, usegmt=True)), ("Content-Length", str(len(body)))]
        if (number + 1) * PER_PAGE * (CHANGED if changed else 1) < self.keys:
            link = f"http://{self.headers['Host']}/users?since={since}&page={number + 1}"
            headers.append(("Link", f'<{link}>; rel="next"'))
        self.connection.sendall(loopback_server.head(200, headers) + body)


if __name__ == "__main__":
    Users.keys = int(sys.argv[1])
    server = loopback_server.Server(Users)
    sys.stdout.write(f"{server.url}\n")
    sys.stdout.flush()
    server.serve_forever()
