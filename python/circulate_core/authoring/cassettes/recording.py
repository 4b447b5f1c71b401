"""Recording of a pull from the live API, by the engine itself."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from circulate_core import _core
from circulate_core.authoring.cassettes.cassette import Cassette, CassetteError, Ending, Request, Response, digest_of
from circulate_core.authoring.cassettes.promises import OfCassette, Trial
from circulate_core.authoring.cassettes.pulling import Workers
from circulate_core.authoring.cassettes.scrubbing import Raw, Rules, Scrubber, leaks
from circulate_core.authoring.cassettes.tape import key_of
from circulate_core.authoring.files import write_new
from circulate_core.console import counted
from circulate_core.exceptions import StoppedError
from circulate_core.lakes import lake_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from circulate_core.lakes import Lake

_OPERATION = "record"


@dataclass(frozen=True)
class Recorded:
    """What was recorded.

    Attributes:
        cassette: The recording.
        places: In how many places something was replaced.
    """

    cassette: Cassette
    places: int


def record(  # noqa: PLR0913 - each is a different thing, given once
    stream: str,
    account: _core.Account,
    *,
    catalog: Sequence[str | PathLike[str]],
    requests: int | None = None,
    keep: Sequence[str] = (),
    scrub: Sequence[str] = (),
    since: str | None = None,
    until: str | None = None,
) -> Recorded:
    """Pull a stream, and record requests and responses.

    Args:
        stream: The stream.
        account: Whose data it is.
        catalog: Folders of definitions.
        requests: How many requests are recorded at the most; the list may be longer.
        keep: Members whose values are kept.
        scrub: More members whose values are replaced.
        since: Inclusive lower bound, as for a pull.
        until: Exclusive upper bound.

    Raises:
        CassetteError: A secret could not be taken out, or what is left cannot be replayed.
        CirculateError: The pull failed.
    """
    tape = _Tape(requests)
    at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    options = {"mode": "incremental", "since": since, "until": until}
    with TemporaryDirectory() as folder:
        lake = lake_of(Path(folder, "lake"), None, None)
        status, records = _pulled(stream, lake, account.recorded(tape, at), options)
    if tape.keys:
        message = f"`{stream}` signs in with a private key ({', '.join(tape.keys)}), and no stand-in can sign"
        raise CassetteError(message, operation=_OPERATION, hint="test its list by a stub: `StubApi(auth=None)`")
    scrubber = Scrubber(Rules(tape.secrets, frozenset(keep), frozenset(scrub)), tape.exchanges())
    exchanges = tuple(map(scrubber.scrubbed, tape.exchanges()))
    settings = {name: scrubber.text(value) for name, value in tape.values.items()}
    cassette = Cassette(
        stream=stream,
        recorded_at=at,
        settings=settings,
        secrets=tuple(sorted(tape.secrets)),
        exchanges=exchanges,
        ending=Ending(status, ()),
        replaced=scrubber.replaced,
    )
    _check_secrets(cassette, tape.secrets)
    cassette = _played_once(cassette, catalog, records)
    return Recorded(cassette, scrubber.places)


def save(cassette: Cassette, path: Path, *, replaced: bool = False) -> None:
    """Write a cassette.

    Args:
        cassette: The recording.
        path: Where to; folders are made.
        replaced: Whether a file that is there is replaced.

    Raises:
        SettingsError: There is something already, or it cannot be written.
    """
    if replaced and path.is_file():
        path.unlink()
    hint = "name another file, or give `--force` to replace it"
    write_new(path.parent, {path.name: cassette.text()}, operation=_OPERATION, hint=hint)


class _Tape:
    """Takes exchanges in, from threads of the engine."""

    def __init__(self, requests: int | None) -> None:
        self._most = requests
        self._raw: dict[int, Raw] = {}
        self._in_part: set[int] = set()
        self._lock = threading.Lock()
        self.secrets: dict[str, str] = {}
        self.values: dict[str, str] = {}
        self.keys: list[str] = []
        """Settings that are private keys."""

    def begin(self, secrets: dict[str, str], values: dict[str, str]) -> None:
        """Take in the settings."""
        self.secrets, self.values = secrets, values
        self.keys = [name for name, value in secrets.items() if _is_private_key(value)]

    def admits(self, number: int, request: tuple[str, str, list[tuple[str, str]], bytes]) -> bool:
        """Return whether a request may be sent."""
        if self.keys:
            return False
        if self._most is None or number < self._most:
            return True
        with self._lock:
            self._raw[number] = Raw(_request_of(request), None)
        return False

    def take(
        self,
        number: int,
        request: tuple[str, str, list[tuple[str, str]], bytes],
        response: tuple[int, list[tuple[str, str]], bytes],
        is_whole: bool,  # noqa: FBT001 - as the engine calls it
    ) -> None:
        """Take in an exchange."""
        status, headers, body = response
        with self._lock:
            self._raw[number] = Raw(_request_of(request), Response(status, tuple(headers), (), body))
            if not is_whole:
                self._in_part.add(number)

    def exchanges(self) -> list[Raw]:
        """Return all exchanges, in the order of their requests.

        A body may be read in part: of an error, or where headers alone were of interest. But what was requested once
        more had broken off.
        """
        with self._lock:
            last = {key_of(raw.request): number for number, raw in sorted(self._raw.items())}
            return [
                raw
                for number, raw in sorted(self._raw.items())
                if number not in self._in_part or _is_error(raw) or last[key_of(raw.request)] == number
            ]


def _is_private_key(value: str) -> bool:
    """Return whether a secret is a private key: PEM text, a JWK, that of a service account, or the path of one."""
    return "PRIVATE KEY-----" in value or value.lstrip().startswith("{") or Path(value).is_absolute()


def _is_error(raw: Raw) -> bool:
    return raw.response is not None and raw.response.status >= 300  # noqa: PLR2004 - what is no success


def _pulled(stream: str, lake: Lake, account: _core.Account, options: dict[str, Any]) -> tuple[str, int]:
    """Pull, and return how it ended, and with how many records."""
    try:
        report = _core.pull(stream, lake, account, options, None, None)
    except StoppedError as error:
        # After as many requests as were to be recorded.
        if error.report is None:
            raise
        return "partial", error.report.records
    return report.status, report.records


def _request_of(request: tuple[str, str, list[tuple[str, str]], bytes]) -> Request:
    method, url, headers, body = request
    return Request(method, url, tuple(headers), body)


def _check_secrets(cassette: Cassette, secrets: dict[str, str]) -> None:
    """Refuse a cassette in which a secret is left: by what is known of it here, and by all that the engine knows.

    Raises:
        CassetteError: There is one.
    """
    text = cassette.text()
    names = {value: name for name, value in secrets.items()}
    found = [f"line {number}: the secret of `{names[secret]}`" for number, secret in leaks(text, names)]
    if not found:
        # A process that has served stubs knows stand-ins as secrets of theirs.
        lines = enumerate(re.sub(r"made-up-[\w-]*", "", text).split("\n"), 1)
        found = [f"line {number}: a secret of this account" for number, line in lines if _core.reveals(line)]
    if found:
        message = f"nothing is written: a secret is left in what was recorded ({'; '.join(dict.fromkeys(found))})"
        hint = "give the member that has it: `--scrub MEMBER`; please report the form that it has"
        raise CassetteError(message, operation=_OPERATION, hint=hint)


def _played_once(cassette: Cassette, catalog: Sequence[str | PathLike[str]], records: int) -> Cassette:
    """Return a cassette with the records that it has when it is replayed.

    Raises:
        CassetteError: It has others than the pull had.
    """
    with Workers() as engine:
        outcome, missing = Trial(OfCassette(cassette, catalog), engine).played()
    status = cassette.ending.status
    if outcome.status != status or len(outcome.records) != records or missing:
        seen = f"it is {outcome.status} with {counted(len(outcome.records), 'record')}"
        why = "; ".join(missing[:1] or outcome.why[:1])
        cause = f" ({why})" if why else ""
        message = f"what was recorded cannot be replayed: {seen}, the pull was {status} with {records:,}{cause}"
        hint = "if a value was replaced that requests depend on, keep it: `--keep MEMBER`"
        raise CassetteError(message, operation=_OPERATION, hint=hint)
    if cassette.is_cut and not outcome.records:
        message = "no record counts after so few requests: the list goes on before its first page is known to be whole"
        raise CassetteError(message, operation=_OPERATION, hint="record more of them: `--requests`, or leave it out")
    return replace(cassette, ending=Ending(status, tuple(map(digest_of, outcome.records))))
