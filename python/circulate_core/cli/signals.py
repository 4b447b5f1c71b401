"""Signal handlers that last as long as a `with` block."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType


@contextmanager
def handling(handler: Callable[[int, FrameType | None], object], *numbers: signal.Signals) -> Iterator[None]:
    """Handle signals by `handler`, and put the earlier handlers back at the end."""
    earlier = {}
    try:
        for number in numbers:
            earlier[number] = signal.signal(number, handler)
        yield
    finally:
        for number, handled_before in earlier.items():
            signal.signal(number, handled_before)
