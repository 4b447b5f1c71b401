"""Complete, exactly accounted data out of SaaS APIs.

```python
import circulate_core

okta = circulate_core.source("okta")  # settings from OKTA_ORG_URL and OKTA_API_TOKEN, or circulate.toml
users = okta.stream("users")
print(users.sample(3).records())
report = users.pull(to="./lake")
print(report.status, report.records)
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from circulate_core._core import VERSION, Stop
from circulate_core.exceptions import (
    ApiError,
    ApprovalError,
    AuthError,
    BusyError,
    CirculateError,
    DataError,
    DefinitionError,
    EarlierKeyWarning,
    HookError,
    IncompleteWarning,
    LimitError,
    MismatchError,
    NetworkError,
    PlanError,
    RateLimitError,
    RefusedError,
    SettingsError,
    StateError,
    StoppedError,
    StorageError,
)

if TYPE_CHECKING:
    from circulate_core.authoring.proposing import propose
    from circulate_core.backfilling import backfill
    from circulate_core.catalogs import streams
    from circulate_core.changing import apply, approve, ledger, plan, undo
    from circulate_core.checking import check
    from circulate_core.coverages import Coverage, Coverages, Span, coverage
    from circulate_core.lake_tables import LakeTable
    from circulate_core.lakes import Lake, lake
    from circulate_core.manifests import Manifest
    from circulate_core.operation import Operation
    from circulate_core.operations import call
    from circulate_core.plans import Applied, Approval, LedgerEntry, Plan
    from circulate_core.playbooks import Playbook, playbook
    from circulate_core.playbooks.results import PlaybookRun, PlaybookStep
    from circulate_core.promoting import promote
    from circulate_core.pulling import pull, pull_async
    from circulate_core.reading import Batch, Source, Stream, source
    from circulate_core.registering import register
    from circulate_core.results import (
        Attempt,
        Checked,
        CheckedList,
        Collected,
        Completion,
        Cursor,
        Deletes,
        Drift,
        Drifted,
        Drifts,
        Ends,
        Holder,
        LakeReport,
        LakeStream,
        LakeStreams,
        Ledger,
        NamedEnd,
        ObjectEntry,
        PartitionCounts,
        PartReference,
        Promoted,
        Quota,
        Registered,
        Report,
        Run,
        Runs,
        Snapshot,
        StreamState,
        Token,
        Totals,
        Traffic,
        Uncounted,
        Verified,
        Wait,
        Window,
        Withheld,
    )
    from circulate_core.tokens import token
    from circulate_core.upkeep import gc, manifest, runs, state, verify

__version__ = VERSION

__all__ = [
    "ApiError",
    "Applied",
    "Approval",
    "ApprovalError",
    "Attempt",
    "AuthError",
    "Batch",
    "BusyError",
    "Checked",
    "CheckedList",
    "CirculateError",
    "Collected",
    "Completion",
    "Coverage",
    "Coverages",
    "Cursor",
    "DataError",
    "DefinitionError",
    "Deletes",
    "Drift",
    "Drifted",
    "Drifts",
    "EarlierKeyWarning",
    "Ends",
    "Holder",
    "HookError",
    "IncompleteWarning",
    "Lake",
    "LakeReport",
    "LakeStream",
    "LakeStreams",
    "LakeTable",
    "Ledger",
    "LedgerEntry",
    "LimitError",
    "Manifest",
    "MismatchError",
    "NamedEnd",
    "NetworkError",
    "ObjectEntry",
    "Operation",
    "PartReference",
    "PartitionCounts",
    "Plan",
    "PlanError",
    "Playbook",
    "PlaybookRun",
    "PlaybookStep",
    "Promoted",
    "Quota",
    "RateLimitError",
    "RefusedError",
    "Registered",
    "Report",
    "Run",
    "Runs",
    "SettingsError",
    "Snapshot",
    "Source",
    "Span",
    "StateError",
    "Stop",
    "StoppedError",
    "StorageError",
    "Stream",
    "StreamState",
    "Token",
    "Totals",
    "Traffic",
    "Uncounted",
    "Verified",
    "Wait",
    "Window",
    "Withheld",
    "__version__",
    "apply",
    "approve",
    "backfill",
    "call",
    "check",
    "coverage",
    "gc",
    "lake",
    "ledger",
    "manifest",
    "plan",
    "playbook",
    "promote",
    "propose",
    "pull",
    "pull_async",
    "register",
    "runs",
    "source",
    "state",
    "streams",
    "token",
    "undo",
    "verify",
]


_MODULES = {
    "Applied": "plans",
    "Approval": "plans",
    "Batch": "reading",
    "Coverage": "coverages",
    "Coverages": "coverages",
    "Lake": "lakes",
    "LakeTable": "lake_tables",
    "LedgerEntry": "plans",
    "Manifest": "manifests",
    "Operation": "operation",
    "Plan": "plans",
    "Playbook": "playbooks",
    "PlaybookRun": "playbooks.results",
    "PlaybookStep": "playbooks.results",
    "Source": "reading",
    "Span": "coverages",
    "Stream": "reading",
    "apply": "changing",
    "approve": "changing",
    "backfill": "backfilling",
    "call": "operations",
    "check": "checking",
    "coverage": "coverages",
    "gc": "upkeep",
    "lake": "lakes",
    "ledger": "changing",
    "manifest": "upkeep",
    "plan": "changing",
    "playbook": "playbooks",
    "promote": "promoting",
    "propose": "authoring.proposing",
    "pull": "pulling",
    "pull_async": "pulling",
    "register": "registering",
    "runs": "upkeep",
    "source": "reading",
    "state": "upkeep",
    "streams": "catalogs",
    "token": "tokens",
    "undo": "changing",
    "verify": "upkeep",
}
"""Where names are that are imported when they are used. All others are classes of `results`."""

if not TYPE_CHECKING:
    # A type checker that saw these would take every name for one of the package.

    def __getattr__(name: str) -> object:
        """Import what is named: a Lambda function needs little of the package, and pays for the import of all."""
        from importlib import import_module  # noqa: PLC0415 - see above

        if name in {"manifests", "results", *_MODULES.values()}:
            return import_module(f"circulate_core.{name}")
        if name not in __all__:
            message = f"module {__name__!r} has no attribute {name!r}"
            raise AttributeError(message)
        found = getattr(import_module(f"circulate_core.{_MODULES.get(name, 'results')}"), name)
        globals()[name] = found
        return found

    def __dir__() -> list[str]:
        """Return all names, for completion."""
        return sorted({*globals(), *__all__})
