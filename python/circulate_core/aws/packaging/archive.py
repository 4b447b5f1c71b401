"""Zips that are the same bytes for the same files, so that what did not change is not deployed again."""

from __future__ import annotations

import io
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

EARLIEST = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can hold."""
UNIX = 3
PROGRAM, REST = stat.S_IFREG | 0o755, stat.S_IFREG | 0o644
"""Lambda runs functions as a user that owns nothing, so all files can be read by all."""
LEVEL = 6
"""The best would save 0.6 % of the engine and take three times as long."""


@dataclass(frozen=True, slots=True)
class File:
    """A file as it will lie in a zip.

    Attributes:
        name: Its path there.
        data: What it holds.
        program: Whether it is run by its name. A library that is only loaded need not be.
    """

    name: str
    data: bytes
    program: bool = False

    def below(self, folder: str) -> File:
        """Return the same file in a folder of the zip."""
        return File(f"{folder}/{self.name}", self.data, self.program)


def lay_out(files: Iterable[File], folder: Path) -> None:
    """Write files to a folder, as they lie in a zip that is unpacked there."""
    for file in files:
        path = folder / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.data)
        path.chmod(stat.S_IMODE(PROGRAM if file.program else REST))


def archive(files: Iterable[File]) -> bytes:
    """Return the zip of some files, in whatever order they come."""
    buffer = io.BytesIO()
    with ZipFile(buffer, "w") as archive:
        for file in sorted(files, key=lambda file: file.name):
            entry = ZipInfo(file.name, EARLIEST)
            entry.create_system = UNIX
            entry.external_attr = (PROGRAM if file.program else REST) << 16
            archive.writestr(entry, file.data, ZIP_DEFLATED, LEVEL)
    return buffer.getvalue()
