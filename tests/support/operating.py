"""A command line that changes things, and keeps a ledger of that."""

import json
from dataclasses import dataclass
from typing import Any

from support.changed_things import ChangedThings
from support.cli import Cli, Done


@dataclass
class Operator:
    """A command line, and the things that it changes."""

    cli: Cli
    things: ChangedThings
    ledger: str = "ledger.db"

    def __call__(self, command: str, *arguments: str, **environment: str) -> Done:
        """Run a command."""
        token = "t0ken-canary-0815"  # noqa: S105 - of no API
        known = ["--catalog", "catalog", "--ledger", self.ledger]
        done = self.cli(command, *arguments, *known, ACME_URL=self.things.url, ACME_TOKEN=token, **environment)
        assert "canary" not in done.err
        return done

    def plan(self, operation: str, *arguments: str) -> str:
        """Plan an operation of things, and return the name of the plan."""
        done = self("call", f"acme.things.{operation}", *arguments, "--json")
        assert done.code == 0, done.err
        plan: dict[str, Any] = json.loads(done.out)
        return f"{plan['operation']}@{plan['digest'][:12]}"

    def apply(self, plan: str, *arguments: str, **environment: str) -> Done:
        """Apply a plan, with a lease that does not last."""
        return self("apply", plan, "--lease", "200ms", "--json", *arguments, **environment)

    def applied(self, plan: str, *arguments: str) -> list[dict[str, Any]]:
        """Apply a plan, once it is nobody's any more, and return the rows of its calls."""
        while (done := self.apply(plan, *arguments)).code == 1 and "works on" in done.err:
            pass  # the lease of one that was killed has not lapsed yet
        assert done.out, done.err
        rows: list[dict[str, Any]] = json.loads(done.out)["entries"]
        return rows

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows of the ledger, the newest first."""
        return [json.loads(line) for line in self("ledger", "acme", "--json").out.splitlines()]
