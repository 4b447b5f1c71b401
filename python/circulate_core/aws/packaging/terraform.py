"""The Terraform that deploys a project, for folders without a checkout of this repository."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from circulate_core.exceptions import SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

KIT = Path(__file__).with_name("kit")
"""`iac`, and what its modules need in the folder of functions: the target that promotes runs, and defaults."""
FUNCTIONS = "lib"
"""What the modules call the folder of functions, which is beside theirs."""
FOR_THE_CHECKOUT = "# yaml-language-server:"


@dataclass(frozen=True, slots=True)
class LaidOut:
    """What was written to a project.

    Attributes:
        written: Files that are new.
        kept: Files that were there and are other than ours.
    """

    written: Sequence[Path]
    kept: Sequence[Path]


def lay_out_terraform(lambdas: Path) -> LaidOut:
    """Write the Terraform beside a folder of functions, and the target among them. No file that is there is changed.

    Args:
        lambdas: The folder of functions, such as `lambdas/lib`; made if need be.

    Raises:
        SettingsError: The folder has a name that the Terraform does not look for, or can't be written to.
    """
    if lambdas.name != FUNCTIONS:
        message = f"the Terraform looks for functions in a folder `{FUNCTIONS}` beside its own, not in {lambdas}"
        hint = f"move them to a folder of that name, such as lambdas/{FUNCTIONS}, and name it by --lambdas"
        raise SettingsError(message, operation="package", hint=hint)
    written, kept = [], []
    for path, text in kit_texts().items():
        file = lambdas.parent / path
        try:
            if not file.exists():
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8")
                written.append(file)
            elif file.read_text(encoding="utf-8") != text:
                kept.append(file)
        except OSError as error:
            message = f"cannot write {file}: {error.strerror}"
            raise SettingsError(message, operation="package") from None
    return LaidOut(written, kept)


def kit_texts(below: str = ".") -> dict[str, str]:
    """Return the texts of the kit by their paths, or those of a folder of it by their paths in there."""
    folder = KIT / below
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file.suffix != ".pyc")
    return {file.relative_to(folder).as_posix(): _for_projects(file) for file in files}


def _for_projects(file: Path) -> str:
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith(FOR_THE_CHECKOUT))
