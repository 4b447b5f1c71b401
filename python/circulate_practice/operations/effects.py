"""The effects of all operations so far: what was really done, whatever response the client got."""

import threading
from collections.abc import Callable
from typing import TypedDict

from circulate_practice.operations.call import Effect


class LoggedEffect(TypedDict):
    """One effect; `seq` counts from 1, `time` is in epoch seconds.

    `operation` is its name, `id` the object, `child` the other object where there are two. `detail` holds what no
    record shows.
    """

    seq: int
    time: float
    operation: str
    id: str
    child: str | None
    detail: dict[str, object]


class EffectLog:
    """Keep all effects in memory.

    Args:
        clock: Source of the time, in epoch seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._effects: list[LoggedEffect] = []
        self._lock = threading.Lock()

    def add(self, operation: str, effect: Effect) -> None:
        """Add the effect of an operation."""
        with self._lock:
            seq = len(self._effects) + 1
            self._effects.append(
                LoggedEffect(
                    seq=seq,
                    time=self._clock(),
                    operation=operation,
                    id=effect.id,
                    child=effect.child,
                    detail=dict(effect.detail),
                )
            )

    def entries(self, operation: str | None = None, record_id: str | None = None) -> list[LoggedEffect]:
        """Return the effects so far, oldest first: all, those of an operation, those on an object, or of both."""
        with self._lock:
            return [
                effect
                for effect in self._effects
                if operation in {None, effect["operation"]} and record_id in {None, effect["id"], effect["child"]}
            ]
