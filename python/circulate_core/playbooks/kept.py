"""Where runs of playbooks are kept: a file each, written whole or not at all."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from circulate_core.bindings import state_folder
from circulate_core.exceptions import BusyError, SettingsError, StateError
from circulate_core.playbooks.results import PlaybookRun

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCHEMA = 1
"""The version of the document of a run."""
_NAME = re.compile(r"(?!\.)[A-Za-z0-9._-]{1,120}")


class KeptRuns:
    """The runs of this user.

    Raises:
        SettingsError: There is no place for them.
    """

    def __init__(self) -> None:
        folder = state_folder()
        if folder is None:
            message = "runs of playbooks have no place here"
            raise SettingsError(message, hint="name a folder that can be written in XDG_STATE_HOME")
        self._folder = folder / "playbooks"

    def has(self, run: str) -> bool:
        """Return whether there is a run of this name."""
        return self._file(run).is_file()

    def read(self, run: str) -> dict[str, Any]:
        """Return the document of a run.

        Raises:
            SettingsError: There is no such run.
            StateError: Its file is not what it should be.
        """
        return read_run(self._file(run), run)

    def write(self, document: dict[str, Any]) -> None:
        """Keep the document of a run as it is now, before anything else is done.

        Raises:
            StateError: It can't be written.
        """
        file = self._file(document["run"])
        half = file.with_name(f".{file.name}-{os.getpid()}")
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
            with os.fdopen(os.open(half, flags, 0o600), "w", encoding="utf-8") as written:
                written.write(json.dumps(document, indent=1))
                written.flush()
                os.fsync(written.fileno())
            half.replace(file)
            folder = os.open(self._folder, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            half.unlink(missing_ok=True)
            message = f"cannot keep the run in {file}: {error.strerror}"
            raise StateError(message, hint="make room, and resume it: nothing is done twice") from None

    @contextmanager
    def held(self, run: str) -> Iterator[None]:
        """Keep others off a run while the `with` block lasts: two of them could each plan a step, and do it twice.

        Raises:
            BusyError: Another process is at it.
            StateError: The lock can't be made.
        """
        file = self._file(run)
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            lock = os.open(file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            message = f"cannot keep the run in {file}: {error.strerror}"
            raise StateError(message) from None
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                message = f"another process is at the run {run}"
                raise BusyError(message, hint="wait until it has ended") from None
            yield
        finally:
            os.close(lock)

    def _file(self, run: str) -> Path:
        # Names of executions may have characters that those of files have not.
        name = run if _NAME.fullmatch(run) else hashlib.sha256(run.encode(errors="replace")).hexdigest()
        return self._folder / f"{name}.json"


def read_run(file: Path, named: str) -> dict[str, Any]:
    """Return the document of a run that a file holds: one of this machine, or what a state machine returned.

    Raises:
        SettingsError: There is no such file.
        StateError: It is not the document of a run.
        DataError: Members of it are not what they should be.
    """
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        message = f"there is no run `{named}`"
        raise SettingsError(message, hint="a run is named by its id, or by a file with its document") from None
    except (OSError, ValueError, RecursionError) as error:
        message = f"cannot read the run in {file}: {getattr(error, 'strerror', None) or error}"
        raise StateError(message) from None
    if not isinstance(document, dict) or not isinstance(document.get("schema"), int) or "steps" not in document:
        message = f"{file} does not hold the document of a run"
        raise StateError(message, hint="it is what `circulate playbook run --json` writes, or an execution returns")
    if document["schema"] > SCHEMA:
        message = f"{file} was written by a newer version (schema {document['schema']})"
        raise StateError(message)
    PlaybookRun.from_dict(document)
    return cast("dict[str, Any]", document)
