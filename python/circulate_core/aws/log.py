"""A line of JSON for each thing that happens. CloudWatch makes metrics of those that carry them.

The format of metrics: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from circulate_core.results import Snapshot

NAMESPACE = "Circulate"
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

    def _write(self, level: str, event: str, metrics: Metrics | None, fields: dict[str, object]) -> None:
        now = time.time()
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03}Z"
        line = {"time": at, "level": level, "event": event, **self._fields, **fields}
        line = {name: value for name, value in line.items() if value is not None}
        if metrics:
            line |= metrics.fields()
        sys.stdout.write(json.dumps(line, separators=(",", ":")) + "\n")
        sys.stdout.flush()
