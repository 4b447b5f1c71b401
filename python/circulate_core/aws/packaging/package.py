"""Zips for Lambda, held to what it takes: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from circulate_core.aws.packaging.archive import archive
from circulate_core.exceptions import LimitError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from circulate_core.aws.packaging.archive import File

MIB = 1024 * 1024
MAX_ZIPPED = 50 * MIB
"""Bytes of a zip that is uploaded to Lambda itself, not by way of S3."""
MAX_UNZIPPED = 250 * MIB
"""Bytes of a function's code and all its layers."""


@dataclass(frozen=True, slots=True)
class Package:
    """A zip.

    Attributes:
        file: Its file name.
        layer: The name of the layer that it is published as; None for the code of a function.
        data: The zip.
        unzipped: Bytes of what is in it.
    """

    file: str
    layer: str | None
    data: bytes = field(repr=False)
    unzipped: int

    @classmethod
    def of(cls, file: str, files: Sequence[File], *, layer: str | None = None) -> Package:
        """Pack files."""
        return cls(file, layer, archive(files), sum(len(each.data) for each in files))

    @property
    def zipped(self) -> int:
        """Bytes of the zip."""
        return len(self.data)

    @property
    def sha256(self) -> str:
        """The digest by which AWS identifies code: its `CodeSha256`."""
        return base64.b64encode(hashlib.sha256(self.data).digest()).decode()

    def write(self, folder: Path) -> None:
        """Write it to a folder. Whoever reads there finds all of it, or what was there before."""
        unfinished = folder / f".{self.file}"
        unfinished.write_bytes(self.data)
        unfinished.replace(folder / self.file)


@dataclass(frozen=True, slots=True, kw_only=True)
class Packages:
    """The zips of a project.

    Attributes:
        architecture: What functions run on, as Lambda calls it.
        functions: The code of functions, in the order of their names.
        layers: Layers, the one that all functions use first.
        machines: The state machines of playbooks, by the names of their files.
    """

    architecture: str
    functions: Sequence[Package]
    layers: Sequence[Package]
    machines: Mapping[str, str] = field(default_factory=dict)

    @property
    def all(self) -> list[Package]:
        """All of them."""
        return [*self.functions, *self.layers]

    @property
    def largest_unzipped(self) -> int:
        """Bytes of the largest function with all layers."""
        return max(each.unzipped for each in self.functions) + sum(each.unzipped for each in self.layers)

    def check_limits(self) -> None:
        """Check that Lambda takes them.

        Raises:
            LimitError: It would not.
        """
        for each in self.all:
            if each.zipped > MAX_ZIPPED:
                message = f"{each.file} has {each.zipped:,} bytes; Lambda takes at most {MAX_ZIPPED:,}"
                raise LimitError(message, operation="package")
        if self.largest_unzipped > MAX_UNZIPPED:
            unzipped = f"{self.largest_unzipped:,} bytes; Lambda takes at most {MAX_UNZIPPED:,}"
            message = f"the largest function and all layers unzip to {unzipped}"
            raise LimitError(message, operation="package")
