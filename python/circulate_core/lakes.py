"""Lakes: where objects and manifests are, where state is, and how buckets are used."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, NoReturn, cast

from circulate_core.exceptions import SettingsError

if TYPE_CHECKING:
    from os import PathLike

    from circulate_core.types import S3Options

_OPERATION = "read options"
_MISTYPED = re.compile(r"[a-z][a-z0-9]*:/")
_PLACES = {
    "to": "give a folder (`.` is this one), or s3://bucket/prefix",
    "state": "give a file, or dynamodb://table",
    "manifest": "give the path or s3:// URI of a manifest",
}
_NAME_STATE = (
    "name it with `state`: dynamodb://TABLE (`circulate state init` makes it), or a file if only this machine pulls"
    " there"
)
"""As the engine says it."""


class Lake:
    """A place to pull to, with its state, for functions that take `to`. Nothing is opened or made.

    Args:
        location: Folder, or `s3://bucket/prefix`.
        state: State file, or `dynamodb://table`. Default: `.circulate/state.db` in a folder; none for a bucket.
        s3: How a bucket is used: encryption, and the account that must own it.

    Raises:
        SettingsError: It can be no such place.

    Example:
        ```python
        lake = circulate_core.Lake("./lake")  # or ("s3://acme-lake/raw", state="dynamodb://circulate")
        circulate_core.pull("okta.users", to=lake)
        print(circulate_core.runs(lake))
        ```
    """

    __slots__ = ("location", "s3", "state")

    location: str
    """Absolute path of its folder, or its URI."""
    state: str | None
    """Absolute path of its state file, or `dynamodb://table`; None if a bucket's was not given."""
    s3: S3Options
    """How a bucket is used."""

    def __init__(
        self, location: str | PathLike[str], *, state: str | PathLike[str] | None = None, s3: S3Options | None = None
    ) -> None:
        scheme, found, prefix = _location("to", location).rpartition("://")
        found = f"{scheme}://{prefix.rstrip('/')}" if found else prefix
        if not isinstance(cast("object", s3 or {}), Mapping):
            message = f"invalid `s3`: expected options by name, given {s3!r}"
            raise SettingsError(message, operation=_OPERATION)
        for name, value in (
            ("location", found),
            ("state", _default_state(found) if state is None else _location("state", state)),
            ("s3", {**s3} if s3 else {}),
        ):
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        """Refuse a change: make another lake."""
        message = f"a Lake cannot be changed: {name}"
        raise AttributeError(message)

    def __reduce__(self) -> tuple[object, ...]:
        """Copy and pickle it by what it was made of."""
        return _made, (self.location, self.state, self.s3)

    def __repr__(self) -> str:
        """Name it, its state and how its bucket is used."""
        # Tools that show local variables see it before it is made, too.
        location = getattr(self, "location", "")
        own = getattr(self, "state", None)
        state = f", state={own!r}" if own != _default_state(location) else ""
        s3 = getattr(self, "s3", {})
        return f"Lake({location!r}{state}{f', s3={s3!r}' if s3 else ''})"

    def __eq__(self, other: object) -> bool:
        """Whether the other is the same place, used in the same way."""
        return isinstance(other, Lake) and repr(self) == repr(other)

    def __hash__(self) -> int:
        """Hash what makes two lakes equal."""
        return hash(repr(self))


def _made(location: str, state: str | None, s3: S3Options) -> Lake:
    return Lake(location, state=state, s3=s3)


def _default_state(location: str) -> str | None:
    # `os.path`, since `pathlib` is slow to import.
    return None if "://" in location else os.path.join(location, ".circulate", "state.db")  # noqa: PTH118


def lake_of(
    to: str | PathLike[str] | Lake, state: str | PathLike[str] | None = None, s3: S3Options | None = None
) -> Lake:
    """Return the lake that the arguments of a function name.

    Raises:
        SettingsError: They name none, or one that has a state and options of its own.
    """
    if not isinstance(to, Lake):
        return Lake(to, state=state, s3=s3)
    if state is not None or s3 is not None:
        message = f"`{'s3' if state is None else 'state'}` is given beside a Lake, which has its own"
        raise SettingsError(message, operation=_OPERATION, hint="give it to the Lake")
    return to


def state_of(lake: str | PathLike[str] | Lake) -> str:
    """Return where the state is that is meant by a lake, a folder that was pulled to, a state file or a table.

    Raises:
        SettingsError: It is a bucket, whose state may be anywhere.
    """
    if not isinstance(lake, Lake):
        path = _location("state", lake)
        if "://" in path and not path.startswith("s3://"):
            return path
        if "://" not in path and not os.path.isdir(path):  # noqa: PTH112 - as above
            return path
        lake = Lake(path)
    if lake.state is None:
        message = f"the state of {lake.location} must be named"
        raise SettingsError(message, operation=_OPERATION, hint=_NAME_STATE)
    return lake.state


def lake_and_key(
    manifest: str | PathLike[str], state: str | PathLike[str] | None, s3: S3Options | None
) -> tuple[Lake, str]:
    """Return the lake that a manifest is in, and its key there.

    Raises:
        SettingsError: It is not where manifests are.
    """
    path = _location("manifest", manifest)
    location, found, key = path.rpartition("/_circulate/")
    if not found:
        message = f"{path} is not below a `_circulate` folder, where manifests are"
        hint = "a pull names the manifest of its run when it is done, and so does `circulate runs --json`"
        raise SettingsError(message, hint=hint)
    return Lake(location, state=state, s3=s3), f"_circulate/{key}"


def _location(name: str, given: str | PathLike[str]) -> str:
    """Return a place in full: the absolute path of a folder or file, or a URI as it is.

    Raises:
        SettingsError: It can be neither, or is likely to be a URI that was mistyped.
    """
    try:
        text = os.fspath(given)
    except TypeError:
        message = f"invalid `{name}`: expected a path or a URI, given {given!r}"
        raise SettingsError(message, operation=_OPERATION) from None
    if isinstance(text, str) and not _is_unicode(text):
        message = f"invalid `{name}`: {text!r} is not Unicode"
        raise SettingsError(message, operation=_OPERATION)
    if not isinstance(text, str) or text.strip() in {"", "-"} or "\0" in text:
        message = f"invalid `{name}`: {text!r} names no folder or bucket"
        raise SettingsError(message, operation=_OPERATION, hint=_PLACES[name])
    if "://" in text:
        return text
    if _MISTYPED.match(text):
        message = f"invalid `{name}`: {text!r} looks like a URI, but has no `://`"
        raise SettingsError(message, operation=_OPERATION, hint=f"{_PLACES[name]}; ./{text} is a folder of that name")
    try:
        return os.path.abspath(os.path.expanduser(text))  # noqa: PTH100, PTH111 - as above
    except FileNotFoundError:
        message = f"invalid `{name}`: {text!r} is relative to a working folder that was removed"
        raise SettingsError(message, operation=_OPERATION) from None


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
