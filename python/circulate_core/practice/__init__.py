"""The practice org: an Okta-shaped API on loopback, to pull from without an account and to test against.

Its digest log says what was really handed over, byte for byte, which makes it the truth that tests and benchmarks
compare a data lake with. It uses nothing of the engine, and the standard library only; OAuth clients with keys need
`joserfc` too.
"""

from circulate_core.practice.children import Changed
from circulate_core.practice.collection import TruthEntry
from circulate_core.practice.faults import KINDS, Fault, FaultError
from circulate_core.practice.jose import make_key
from circulate_core.practice.limits import Window
from circulate_core.practice.log import LogEntry, LoggedRecord
from circulate_core.practice.oauth_clients import OAuthClient
from circulate_core.practice.org import PracticeOrg
from circulate_core.practice.routes import BUCKETS, LISTS
from circulate_core.practice.token_endpoint import TokenRequest

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
