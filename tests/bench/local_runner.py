"""Time calls under the local runner, warm and cold, with and without an extension; print Markdown.

Run it by hand: `python tests/bench/local_runner.py`. The function does nothing, so what is timed is the runner and the
runtime client of AWS.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median, quantiles

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from toys import add_extension, toy

from circulate_core.aws.local import Function, LocalLambda

WARM, COLD = 1000, 20
EXTENSION = 'register("INVOKE")\nwhile next_event(): pass'


def main() -> None:
    """Run the benchmark."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        alone = toy(folder, "def handler(event, context): return event", timeout_s=30)
        cases = {
            "alone": alone,
            "with an extension": replace(alone, extensions=add_extension(folder, "idle", EXTENSION)),
        }
        print("| function | call | p50 ms | p99 ms |\n|---|---|---|---|")  # noqa: T201
        for case, function in cases.items():
            show(f"{case} | warm", warm(function))
            show(f"{case} | cold, with init and a new environment", cold(function))


def warm(function: Function) -> list[float]:
    """Return how long each of many calls of one environment took."""
    with LocalLambda([function]) as local:
        local.invoke(function.name)
        return [timed(lambda: local.invoke(function.name)) for _ in range(WARM)]


def cold(function: Function) -> list[float]:
    """Return how long the first calls of new environments took."""
    times = []
    for _ in range(COLD):
        with LocalLambda([function]) as local:
            times.append(timed(lambda: local.invoke(function.name)))
    return times


def timed(work: Callable[[], object]) -> float:
    """Return the milliseconds that something takes."""
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000


def show(what: str, times: list[float]) -> None:
    """Print a line of the table."""
    print(f"| {what} | {median(times):.2f} | {quantiles(times, n=100)[98]:.2f} |")  # noqa: T201


if __name__ == "__main__":
    main()
