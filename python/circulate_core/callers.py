"""The code that uses this package, as the place of warnings."""

from __future__ import annotations

import sys
import warnings


def warn_caller(text: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the line of the code that uses this package."""
    level, frame = 1, sys._getframe()  # noqa: SLF001 - the way to know it, before Python 3.12
    while frame.f_back and frame.f_globals["__name__"].partition(".")[0] == __name__.partition(".")[0]:
        level, frame = level + 1, frame.f_back
    warnings.warn(text, category, stacklevel=level)
