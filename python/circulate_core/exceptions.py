"""Everything that `circulate_core` raises.

```text
CirculateError
├── DefinitionError (ValueError)    a source or stream definition is wrong
├── SettingsError (ValueError)      a setting or argument is missing or wrong
├── AuthError (PermissionError)     the API refused our credentials or rights
├── RateLimitError                  the API kept throttling us
├── ApiError                        the API responded with an error
│   └── RefusedError                it refused the request itself
├── NetworkError (ConnectionError)  the API was out of reach
├── DataError (ValueError)          the API's response is not what it should be
├── PlanError                       a plan cannot be made, approved or applied
│   └── ApprovalError               it waits for somebody to approve it
├── HookError                       code of your own raised, or returned what it may not
├── LimitError                      a limit of ours was exceeded
├── StorageError (OSError)          objects could not be written or read
├── StateError                      state could not be used, or does not fit
├── BusyError                       another worker holds the stream
├── MismatchError                   a stored object is not what was written
└── StoppedError                    the work was stopped
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from circulate_core.results import Report


class CirculateError(Exception):
    """Base of all errors of this package. Its text is one line.

    Attributes:
        operation: What was being done, a short verb phrase.
        context: Where it happened: file, key, redacted URL, by name.
        hint: What to do about it, if anything is known. Tracebacks show it, too.
        retryable: Whether trying again later can help.
        report: What a failed pull had done, as `circulate_core.pull` would have returned it.
    """

    def __init__(  # noqa: PLR0913 - each is an attribute
        self,
        message: str,
        *,
        operation: str = "",
        context: Mapping[str, str] | None = None,
        hint: str | None = None,
        retryable: bool = False,
        report: Report | None = None,
    ) -> None:
        super().__init__(message)
        self.operation = operation
        self.context = dict(context or {})
        self.hint = hint
        self.retryable = retryable
        self.report = report
        if hint:
            self.add_note(f"hint: {hint}")


class DefinitionError(CirculateError, ValueError):
    """A source or stream definition is wrong."""


class SettingsError(CirculateError, ValueError):
    """A setting or argument is missing or wrong."""


class AuthError(CirculateError, PermissionError):
    """The API refused our credentials (401) or our rights (403)."""


class RateLimitError(CirculateError):
    """The API kept throttling us."""


class ApiError(CirculateError):
    """The API responded with an error that has no class of its own."""


class RefusedError(ApiError):
    """The API refused the request itself (400, 404, 410): a wrong address, or a page it no longer knows."""


class NetworkError(CirculateError, ConnectionError):
    """The API could not be reached, or the connection broke."""


class DataError(CirculateError, ValueError):
    """The API's response is not what the definition says it is."""


class HookError(CirculateError):
    """A hook of a definition raised an error, returned what it may not, or did not return."""


class PlanError(CirculateError):
    """A plan cannot be made, approved or applied: its object is in another state, it has expired, nobody has agreed."""


class ApprovalError(PlanError):
    """A plan waits for somebody to approve it."""


class LimitError(CirculateError):
    """A limit of ours (page, record, nesting) was exceeded."""


class StorageError(CirculateError, OSError):
    """Objects could not be written or read."""


class StateError(CirculateError):
    """State could not be used, or does not fit the request."""


class BusyError(CirculateError):
    """Another worker holds the stream."""


class MismatchError(CirculateError):
    """A stored object is not what its manifest says."""


class StoppedError(CirculateError):
    """The work was stopped before there was anything to keep."""


class EarlierKeyWarning(DeprecationWarning):
    """A definition has a key by a name that it had before."""


class IncompleteWarning(UserWarning):
    """Some of a stream is missing, or nothing shows that all of it came."""
