"""The earlier name of `circulate_practice`, which goes with 0.3."""

import warnings

from circulate_practice import (
    BUCKETS,
    KINDS,
    LISTS,
    Changed,
    Fault,
    FaultError,
    LogEntry,
    LoggedRecord,
    OAuthClient,
    PracticeOrg,
    TokenRequest,
    TruthEntry,
    Window,
    make_key,
)

__all__ = [
    "BUCKETS",
    "KINDS",
    "LISTS",
    "Changed",
    "Fault",
    "FaultError",
    "LogEntry",
    "LoggedRecord",
    "OAuthClient",
    "PracticeOrg",
    "TokenRequest",
    "TruthEntry",
    "Window",
    "make_key",
]

warnings.warn(
    "circulate_core.practice is now circulate_practice; this name goes with 0.3", DeprecationWarning, stacklevel=2
)
