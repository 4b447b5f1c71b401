"""Running until a signal comes."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def signalled() -> Iterator[threading.Event]:
    """Give an event that SIGINT and SIGTERM set, and put the earlier handlers back at the end."""
    event = threading.Event()
    earlier = {number: signal.signal(number, lambda *_: event.set()) for number in _SIGNALS}
    try:
        yield event
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
