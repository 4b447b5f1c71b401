"""Signal handlers that last as long as a `with` block."""

from __future__ import annotations

import signal
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from circulate_core.console import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from circulate_core import Stop


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


@contextmanager
def interrupting_on_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP interrupt as Ctrl-C does: what was begun is recorded first."""
    hung_up = () if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else (signal.SIGHUP,)
    with handling(signal.default_int_handler, signal.SIGTERM, *hung_up):
        yield


@contextmanager
def stopping_on_signals(stop: Stop) -> Iterator[None]:
    """Let Ctrl-C, SIGTERM and SIGHUP stop the pull at a checkpoint; a second one ends it at once."""

    def request_stop(_number: int, _frame: FrameType | None) -> None:
        if stop.requested:
            raise KeyboardInterrupt
        stop.request()
        # A write to stderr that the signal has interrupted keeps others out, and a terminal that hung up takes none.
        with suppress(RuntimeError, OSError):
            say("stopping at a checkpoint; once more to stop at once")

    # `nohup` has it ignored.
    hung_up = () if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else (signal.SIGHUP,)
    with handling(request_stop, signal.SIGINT, signal.SIGTERM, *hung_up):
        yield
