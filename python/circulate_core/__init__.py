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
from circulate_core.api import check, gc, manifest, promote, pull, pull_async, runs, state, streams, token, verify
from circulate_core.exceptions import (
    ApiError,
    AuthError,
    BusyError,
    CirculateError,
    DataError,
    DefinitionError,
    IncompleteWarning,
    LimitError,
    MismatchError,
    NetworkError,
    RateLimitError,
    RefusedError,
    SettingsError,
    StateError,
    StoppedError,
    StorageError,
)
from circulate_core.reading import Batch, Source, Stream, source

if TYPE_CHECKING:
    from circulate_core.manifests import Manifest
    from circulate_core.results import (
        Checked,
        CheckedList,
        Collected,
        Cursor,
        Drift,
        Drifted,
        Drifts,
        Ends,
        Holder,
        Ledger,
        NamedEnd,
        ObjectEntry,
        PartitionCounts,
        PartReference,
        Promoted,
        Quota,
        Report,
        Run,
        Runs,
        Snapshot,
        StreamState,
        Token,
        Totals,
        Traffic,
        Verified,
        Wait,
        Window,
    )

__version__ = VERSION

__all__ = [
    "ApiError",
    "AuthError",
    "Batch",
    "BusyError",
    "Checked",
    "CheckedList",
    "CirculateError",
    "Collected",
    "Cursor",
    "DataError",
    "DefinitionError",
    "Drift",
    "Drifted",
    "Drifts",
    "Ends",
    "Holder",
    "IncompleteWarning",
    "Ledger",
    "LimitError",
    "Manifest",
    "MismatchError",
    "NamedEnd",
    "NetworkError",
    "ObjectEntry",
    "PartReference",
    "PartitionCounts",
    "Promoted",
    "Quota",
    "RateLimitError",
    "RefusedError",
    "Report",
    "Run",
    "Runs",
    "SettingsError",
    "Snapshot",
    "Source",
    "StateError",
    "Stop",
    "StoppedError",
    "StorageError",
    "Stream",
    "StreamState",
    "Token",
    "Totals",
    "Traffic",
    "Verified",
    "Wait",
    "Window",
    "__version__",
    "check",
    "gc",
    "manifest",
    "promote",
    "pull",
    "pull_async",
    "runs",
    "source",
    "state",
    "streams",
    "token",
    "verify",
]


if not TYPE_CHECKING:
    # A type checker that saw these would take every name for one of the package.

    def __getattr__(name: str) -> object:
        """Import the classes of results when one is named: a pull needs them when it has ended, not before."""
        if name not in {*__all__, "manifests", "results"}:
            message = f"module {__name__!r} has no attribute {name!r}"
            raise AttributeError(message)
        from importlib import import_module  # noqa: PLC0415 - see above

        module = import_module(
            "circulate_core.manifests" if name in {"Manifest", "manifests"} else "circulate_core.results"
        )
        found = module if name in {"manifests", "results"} else getattr(module, name)
        globals()[name] = found
        return found

    def __dir__() -> list[str]:
        """Return all names, for completion."""
        return sorted({*globals(), *__all__})
