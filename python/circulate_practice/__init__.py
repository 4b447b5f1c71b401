"""The practice org: an Okta-shaped API on loopback, to pull from without an account and to test against.

Its digest log says what was really handed over, byte for byte, which makes it the truth that tests and benchmarks
compare a data lake with. It uses nothing of the engine: besides the standard library only the base of servers on
loopback that it shares with the local Lambda runner, and `joserfc` for OAuth clients with keys.
"""

from circulate_practice.oauth.clients import OAuthClient
from circulate_practice.oauth.jose import make_key
from circulate_practice.oauth.token_endpoint import TokenRequest
from circulate_practice.okta.routes import BUCKETS, LISTS
from circulate_practice.operations.effects import LoggedEffect
from circulate_practice.operations.routes import OPERATIONS, Operation
from circulate_practice.org import PracticeOrg
from circulate_practice.paging.children import Changed
from circulate_practice.paging.collection import TruthEntry
from circulate_practice.server.faults import KINDS, Fault, FaultError
from circulate_practice.server.limits import Window
from circulate_practice.server.log import LogEntry, LoggedRecord

__all__ = [
    "BUCKETS",
    "KINDS",
    "LISTS",
    "OPERATIONS",
    "Changed",
    "Fault",
    "FaultError",
    "LogEntry",
    "LoggedEffect",
    "LoggedRecord",
    "OAuthClient",
    "Operation",
    "PracticeOrg",
    "TokenRequest",
    "TruthEntry",
    "Window",
    "make_key",
]
