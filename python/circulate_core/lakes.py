"""Lakes: where objects and manifests are, where state is, and how buckets are used."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from circulate_core.exceptions import SettingsError

if TYPE_CHECKING:
    from os import PathLike

    from circulate_core.types import S3Options

_NAME_STATE = "name it with `state`: dynamodb://TABLE (`circulate state init` makes it), or a file of this machine"


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
        self.location = _location("to", location)
        self.state = self._default_state() if state is None else _location("state", state)
        self.s3 = {**s3} if s3 else {}

    def _default_state(self) -> str | None:
        # `os.path`, since `pathlib` is slow to import.
        return None if "://" in self.location else os.path.join(self.location, ".circulate", "state.db")  # noqa: PTH118

    def __repr__(self) -> str:
        """Name it, its state and how its bucket is used."""
        state = f", state={self.state!r}" if self.state != self._default_state() else ""
        return f"Lake({self.location!r}{state}{f', s3={self.s3!r}' if self.s3 else ''})"

    def __eq__(self, other: object) -> bool:
        """Whether the other is the same place, used in the same way."""
        return isinstance(other, Lake) and repr(self) == repr(other)

    def __hash__(self) -> int:
        """Hash what makes two lakes equal."""
        return hash(repr(self))


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
        raise SettingsError(message, hint="give it to `Lake(...)`")
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
        raise SettingsError(message, hint=_NAME_STATE)
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
    """Return a place in full: the absolute path of a folder or file, or a URI as it is."""
    try:
        text = os.fspath(given)
    except TypeError:
        message = f"invalid `{name}`: expected a path or a URI, given {given!r}"
        raise SettingsError(message) from None
    if not isinstance(text, str) or text in {"", "-"} or "\0" in text:
        message = f"invalid `{name}`: {text!r} names no folder or bucket"
        raise SettingsError(message, hint="give a folder (`.` is this one), or s3://bucket/prefix")
    return text if "://" in text else os.path.abspath(text)  # noqa: PTH100 - as above
