"""Faults that the practice org shows on demand, and which of them are due for a request.

A fault is written `[LIST/]KIND[:VALUE][@PAGE][*TIMES]`: `429@3*2` is a 429 for the first two requests of page
3 of the users, `app_users/429@3*2` for the first two of a page 3 of the users of any app. Without a list it concerns
the users, without a page every page; without times it happens once if it names a page and always if not.
`token/500@2` concerns the requests of access tokens, which count as pages: the second of them gets 500.
`users.suspend/lost@1` concerns the first call of an operation, and `operations/lost` all calls that change something;
they count as pages, too. A fault that replaces the response of an operation prevents it, unless the table says that it
was done.

One request may meet several faults. At most one of those that replace the page happens, the first in the order given;
then the ones that change a page wait for the request that gets it. Faults of headers and of timing go with either.

| kind | what the client gets |
|---|---|
| `429`, `429-concurrency` | rate limit with its limit above 0; with a limit of 0 and a reset 60 s away |
| `401`, `403`, `500`, `503` | Okta's error of that status |
| `502`, `504` | the HTML page of a gateway |
| `reset` | a connection reset before any response |
| `html` | a login page with status 200 |
| `redirect` | 302 to the same path at another origin |
| `empty-page` | `[]` with a next link that leads to the requested page |
| `big-page:N` | 500 for every request of more than N records |
| `truncate` | fewer bytes than Content-Length says, cut inside a record |
| `truncate-json` | a body of the right length whose JSON is cut inside a record |
| `not-array`, `scalar` | an object around the page; a number among the records |
| `invalid-utf8`, `nan`, `trailing` | bytes that are not UTF-8; a `NaN`; a second document behind the page |
| `pretty`, `crlf`, `bom` | new lines between tokens, as LF or CR LF; a byte order mark |
| `big-record:BYTES` | one record padded to that size |
| `gzip-bomb:BYTES` | a gzip body that inflates to that much white space in front of the records |
| `next-other-host`, `next-repeat` | a next link to another host; to the page itself |
| `next-joined`, `next-relative` | both links in one header line; a next link without scheme and host |
| `hang` | no response, until the client closes the connection |
| `lost` | of an operation that was done: a connection reset before any response |
| `error-after` | of an operation that was done: Okta's error of status 500 |
| `hang-after` | of an operation that was done: no response, until the client closes the connection |
| `async:N` | a user whose status changes only after N more reads of it, with `transitioningToStatus` until then |
| `no-date`, `no-rate-headers` | no `Date`; no `X-Rate-Limit-*` |
| `retry-after:TIME` | a `Retry-After` with that many seconds, with whatever response it comes |
| `slow-body:TIME`, `stall:TIME` | a body spread over that time; no response for that time |
"""

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

from circulate_practice.data.durations import parse_duration
from circulate_practice.okta.routes import LISTS
from circulate_practice.operations.routes import OPERATIONS, Operation

_SHAPE: Final = re.compile(r"(?:([a-z_.]+)/)?([a-z0-9-]+)(?::([^@*]+))?(?:@(\d+))?(?:\*(\d+))?", re.ASCII)


class Group(Enum):
    """What a fault does to a response."""

    INSTEAD = "replace the page"
    AFTER = "replace the response of an operation that was done"
    ASYNC = "let an operation take longer"
    BODY = "change the body of the page"
    LINK = "change the link to the next page"
    HEADER = "leave headers out, or add one"
    TIMING = "be slow"


class Unit(Enum):
    """What the value of a fault is."""

    NONE = "no value"
    SECONDS = "seconds"
    COUNT = "a whole number"


class Kind(NamedTuple):
    """One kind of fault."""

    group: Group
    unit: Unit = Unit.NONE


KINDS: Final[dict[str, Kind]] = {
    **dict.fromkeys(("429", "429-concurrency", "500", "502", "503", "504", "401", "403"), Kind(Group.INSTEAD)),
    **dict.fromkeys(("reset", "hang", "html", "redirect", "empty-page"), Kind(Group.INSTEAD)),
    **dict.fromkeys(("lost", "error-after", "hang-after"), Kind(Group.AFTER)),
    "async": Kind(Group.ASYNC, Unit.COUNT),
    "big-page": Kind(Group.INSTEAD, Unit.COUNT),
    **dict.fromkeys(("truncate", "truncate-json", "not-array", "scalar"), Kind(Group.BODY)),
    **dict.fromkeys(("pretty", "crlf", "bom", "invalid-utf8", "nan", "trailing"), Kind(Group.BODY)),
    **dict.fromkeys(("big-record", "gzip-bomb"), Kind(Group.BODY, Unit.COUNT)),
    **dict.fromkeys(("next-other-host", "next-repeat", "next-joined", "next-relative"), Kind(Group.LINK)),
    **dict.fromkeys(("no-date", "no-rate-headers"), Kind(Group.HEADER)),
    "retry-after": Kind(Group.HEADER, Unit.SECONDS),
    **dict.fromkeys(("slow-body", "stall"), Kind(Group.TIMING, Unit.SECONDS)),
}
"""Every kind by name."""


TOKEN: Final = "token"  # noqa: S105 - the name of an endpoint
"""What a fault names in the place of a list to concern the requests of access tokens."""

OPERATION: Final = "operations"
"""What a fault names in the place of a list to concern all operations that change something."""

_TOKEN_KINDS: Final = frozenset(
    {
        *("429", "429-concurrency", "500", "502", "503", "504", "reset", "hang", "html", "redirect"),
        *("truncate", "truncate-json", "big-record", "no-date", "no-rate-headers", "slow-body", "stall"),
        "retry-after",
    }
)
_AFTER_KINDS: Final = frozenset(name for name, kind in KINDS.items() if kind.group is Group.AFTER)
_OPERATION_KINDS: Final = _TOKEN_KINDS | {"401", "403"} | _AFTER_KINDS
_LIST_KINDS: Final = frozenset(KINDS) - _AFTER_KINDS - {"async"}
_ASYNC: Final = frozenset({"users.create", "users.activate", "users.deactivate", "users.delete"})
"""Operations that Okta does asynchronously."""


class FaultError(ValueError):
    """The text does not describe a fault; the message says what it could be."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    Attributes:
        kind: Name from `KINDS`.
        value: Seconds, bytes or a number, by kind; 0 for kinds without a value.
        page: Page it concerns, from 1, or None for all.
        times: How often it happens, or None for always.
        collection: Name of the list or the operation it concerns, or `token`, or `operations`.
    """

    kind: str
    value: float = 0.0
    page: int | None = None
    times: int | None = None
    collection: str = "users"

    @classmethod
    def parse(cls, text: str) -> "Fault":
        """Return the fault that `text` describes.

        Raises:
            FaultError: If the form, the kind or the value is wrong.

        Example:
            >>> Fault.parse("stall:2s@3")
            Fault(kind='stall', value=2.0, page=3, times=1, collection='users')
        """
        found = _SHAPE.fullmatch(text)
        if found is None or found[2] not in KINDS:
            forms = "[LIST/]KIND[:VALUE][@PAGE][*TIMES]"
            message = f'unknown fault "{text}"; write {forms} with KIND one of {", ".join(KINDS)}'
            raise FaultError(message)
        collection, kind, value, page, times = found.groups()
        if collection not in {None, TOKEN, OPERATION, *LISTS, *OPERATIONS}:
            others = f"{TOKEN}, {OPERATION}, and the operations {', '.join(OPERATIONS)}"
            message = f'fault "{text}": no list "{collection}"; there are {", ".join(LISTS)}, {others}'
            raise FaultError(message)
        allowed = _kinds_for(collection or "users")
        if kind not in allowed:
            message = f'fault "{text}": not for {collection or "users"}, which takes {", ".join(sorted(allowed))}'
            raise FaultError(message)
        if page == "0" or times == "0":
            message = f'fault "{text}": pages and times count from 1'
            raise FaultError(message)
        once = 1 if page else None
        return cls(
            kind,
            _value(text, kind, value),
            int(page) if page else None,
            int(times) if times else once,
            collection or "users",
        )


def _kinds_for(name: str) -> frozenset[str]:
    """Return the kinds of faults that concern a list, the token endpoint or operations."""
    if name == TOKEN:
        return _TOKEN_KINDS
    if name == OPERATION:
        return _OPERATION_KINDS
    if name not in OPERATIONS:
        return _LIST_KINDS
    if name in _ASYNC:
        return _OPERATION_KINDS | {"async"}
    return _OPERATION_KINDS if OPERATIONS[name].writes else _OPERATION_KINDS - _AFTER_KINDS


def _value(text: str, kind: str, value: str | None) -> float:
    unit = KINDS[kind].unit
    if unit is Unit.NONE and value is None:
        return 0.0
    try:
        if unit is Unit.SECONDS and value is not None:
            return parse_duration(value)
        if unit is Unit.COUNT and value is not None:
            return int(value)
    except ValueError:
        pass
    message = f'fault "{text}": {kind} takes {unit.value}' + ("" if unit is Unit.NONE else f", as in {kind}:5")
    raise FaultError(message)


class Due(tuple[Fault, ...]):
    """The faults that one request meets."""

    __slots__ = ()

    def value(self, kind: str) -> float | None:
        """Return the value of the fault of this kind, or None when it is not among them."""
        return next((fault.value for fault in self if fault.kind == kind), None)

    def has(self, *kinds: str) -> bool:
        """Return whether a fault of one of `kinds` is among them."""
        return any(fault.kind in kinds for fault in self)

    @property
    def instead(self) -> Fault | None:
        """The fault that takes the page's place, if there is one."""
        return next((fault for fault in self if KINDS[fault.kind].group is Group.INSTEAD), None)

    @property
    def after(self) -> Fault | None:
        """The fault that takes the place of the response to an operation that was done, if there is one."""
        return next((fault for fault in self if KINDS[fault.kind].group is Group.AFTER), None)

    @property
    def name(self) -> str | None:
        """The kinds joined by `+`, as the log shows them; None without faults."""
        return "+".join(fault.kind for fault in self) or None


class FaultPlan:
    """Decide which faults a request meets, and count how often each has happened.

    Args:
        faults: All faults, in the order in which they take precedence.
    """

    def __init__(self, faults: Iterable[Fault]) -> None:
        self._faults = list(faults)
        self._left = [fault.times for fault in self._faults]
        self._calls: Counter[str] = Counter()
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        """Add a fault, which gives way to all there are."""
        with self._lock:
            self._faults.append(fault)
            self._left.append(fault.times)

    def take(self, collection: str, page: int, limit: int, *, after_empty: bool = False) -> Due:
        """Return the faults for one request of `page` with `limit`, and use each of them up once.

        Args:
            collection: Name of the list.
            page: Number of the page, from 1.
            limit: Records of a page.
            after_empty: Whether an additional empty page was already served in front of this one.
        """
        with self._lock:
            return self._take(
                lambda fault: (
                    fault.collection == collection
                    and fault.page in {None, page}
                    and not (fault.kind == "big-page" and limit <= fault.value)
                    and not (fault.kind == "empty-page" and after_empty)
                )
            )

    def take_call(self, operation: Operation) -> Due:
        """Return the faults for one call of an operation, and use each of them up once."""
        with self._lock:
            names = {operation.name, OPERATION} if operation.writes else {operation.name}
            self._calls.update(names)
            return self._take(
                lambda fault: fault.collection in names and fault.page in {None, self._calls[fault.collection]}
            )

    def _take(self, concerned: Callable[[Fault], bool]) -> Due:
        due = [at for at, fault in enumerate(self._faults) if self._left[at] != 0 and concerned(fault)]
        chosen = self._compatible(due)
        for at in chosen:
            left = self._left[at]
            self._left[at] = None if left is None else left - 1
        return Due(self._faults[at] for at in chosen)

    def _compatible(self, due: list[int]) -> list[int]:
        """Return `due` without what cannot happen to the same response."""
        group_of = {at: KINDS[self._faults[at].kind].group for at in due}
        instead = [at for at in due if group_of[at] is Group.INSTEAD][:1]
        if not instead:
            after = [at for at in due if group_of[at] is Group.AFTER]
            return [at for at in due if at not in after[1:]]
        return instead + [at for at in due if group_of[at] in (Group.HEADER, Group.TIMING)]
