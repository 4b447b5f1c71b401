"""A line of JSON for each thing that happens. CloudWatch makes metrics of those that carry them.

The format of metrics: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import json
import logging
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from circulate_core.results import Snapshot

NAMESPACE = "Circulate"
ENGINE = "circulate_core"
"""The logger of the engine's events."""
OF_EVERY_RECORD = vars(logging.makeLogRecord({})).keys() | {"event", "message", "asctime"}
"""What a record of `logging` has that is not a field of an event."""
VERDICTS = ("complete", "partial", "busy", "failed")
UNITS = {
    "records": "Count",
    "bytes_stored": "Bytes",
    "objects": "Count",
    "requests": "Count",
    "retries": "Count",
    "throttled": "Count",
    "seconds_waited": "Seconds",
    **dict.fromkeys(VERDICTS, "Count"),
}


@dataclass(frozen=True)
class Metrics:
    """What is measured of one invocation.

    Attributes:
        verdict: How it ended.
        did: What it did, if it came so far.
    """

    verdict: str
    did: Snapshot | None

    def fields(self) -> dict[str, object]:
        """Return the values, and what makes CloudWatch take them."""
        values: dict[str, float] = {verdict: int(verdict == self.verdict) for verdict in VERDICTS}
        for name in UNITS:
            if name not in VERDICTS:
                values[name] = getattr(self.did, name) if self.did else 0
        directive = {
            "Namespace": NAMESPACE,
            "Dimensions": [["stream", "account"]],
            "Metrics": [{"Name": name, "Unit": unit} for name, unit in UNITS.items()],
        }
        now = int(time.time() * 1000)
        return {**values, "_aws": {"Timestamp": now, "CloudWatchMetrics": [directive]}}


class Log:
    """Writes lines to standard output, which Lambda sends to CloudWatch.

    Args:
        fields: What every line says.
    """

    def __init__(self, **fields: str) -> None:
        self._fields: dict[str, object] = dict(fields)

    def about(self, **fields: object) -> None:
        """Say this in every line from now on."""
        self._fields.update(fields)

    def knows(self, name: str) -> bool:
        """Return whether lines say this."""
        return self._fields.get(name) is not None

    def info(self, event: str, *, metrics: Metrics | None = None, **fields: object) -> None:
        """Write a line about something that is as it should be."""
        self._write("info", event, metrics, fields)

    def error(self, event: str, *, metrics: Metrics | None = None, **fields: object) -> None:
        """Write a line about something that is not."""
        self._write("error", event, metrics, fields)

    @contextmanager
    def events(self) -> Iterator[None]:
        """Write a line for each event of the engine while the block lasts; Lambda's own handler writes none."""
        logger, handler = logging.getLogger(ENGINE), _EventLines(self)
        before = logger.level, logger.propagate
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
        logger.propagate = False
        try:
            yield
        finally:
            logger.removeHandler(handler)
            logger.setLevel(before[0])
            logger.propagate = before[1]

    def write_record(self, record: logging.LogRecord) -> None:
        """Write a line about an event of the engine."""
        known = {name: value for name, value in vars(record).items() if value is not None}
        fields = {name: value for name, value in known.items() if name not in OF_EVERY_RECORD}
        event = getattr(record, "event", record.name)
        self._write(record.levelname.lower(), event, None, {"message": record.getMessage(), **fields})

    def _write(self, level: str, event: str, metrics: Metrics | None, fields: dict[str, object]) -> None:
        now = time.time()
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03}Z"
        line = {"time": at, "level": level, "event": event, **self._fields, **fields}
        line = {name: value for name, value in line.items() if value is not None}
        if metrics:
            line |= metrics.fields()
        sys.stdout.write(json.dumps(line, separators=(",", ":")) + "\n")
        sys.stdout.flush()


class _EventLines(logging.Handler):
    """Writes events of the engine as lines of a log."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line."""
        self._log.write_record(record)
