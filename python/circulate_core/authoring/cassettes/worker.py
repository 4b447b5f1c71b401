"""The process that pulls of replays run in: each in a fork of its own, which may be killed.

It reads jobs from stdin, a line each, and writes how each ended. What was imported once is there for all of them.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import warnings
from pathlib import Path
from typing import Any

from circulate_core import _core
from circulate_core.catalogs import catalog_of
from circulate_core.exceptions import CirculateError, IncompleteWarning, StoppedError
from circulate_core.lakes import lake_of

LEASE = "60s"


def main() -> None:
    """Do all jobs."""
    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if not child:
            code = 1
            try:
                Path(job["result"]).write_text(json.dumps(_pulled(job)), encoding="utf-8")
                code = 0
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201 - whoever started it reads it


def _pulled(job: dict[str, Any]) -> dict[str, Any]:
    """Pull as a job says, and return what came of it."""
    writes: list[str] = []

    def wrote(meaning: str) -> None:
        # How often a lease is renewed depends on how long all takes.
        if not meaning.endswith(" renewal"):
            writes.append(f"{meaning}#{1 + sum(each.startswith(f'{meaning}#') for each in writes)}")
            if writes[-1] == job["kill_at"]:
                os.kill(os.getpid(), signal.SIGKILL)

    known = _core.Account(
        catalog_of(job["catalog"]), _core.Settings(job["settings"]), None, "replay", {"headroom": 0}
    ).replayed(job["server"], job["at"], wrote)
    options = {"batch_records": job["batch_records"], "idempotency_key": job["idempotency_key"], "lease": LEASE}
    done: dict[str, Any] = {"writes": writes, "why": []}
    report = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", IncompleteWarning)
            report = _core.pull(job["stream"], lake_of(job["to"], None, None), known, options, None, None)
    except StoppedError as error:
        # Where a recording ends before its list does.
        done |= {"status": "partial", "why": [str(error)]}
        report = error.report
    except CirculateError as error:
        done |= {"status": "failed", "why": [str(error), *([f"hint: {error.hint}"] if error.hint else [])]}
        report = error.report
    if report is not None:
        done.setdefault("status", report.status)
        done["run"], done["manifest"] = report.run_id, report.manifest
        stopped = f"stopped: {report.stopped_by}" if report.stopped_by and not done["why"] else None
        done["why"] += [each for each in (stopped, report.unavailable, *report.gaps, *report.warnings) if each]
    return {**done, "waited": known.skipped}


if __name__ == "__main__":
    main()
