"""Backfill: pulls of the periods that the runs of a lake have left out."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from circulate_core import _core
from circulate_core.accounts import account_of
from circulate_core.catalogs import stream_definition
from circulate_core.coverages import Period, coverage, periods
from circulate_core.exceptions import IncompleteWarning, SettingsError
from circulate_core.lakes import lake_of
from circulate_core.options import passes_options_to
from circulate_core.pulling import pull

if TYPE_CHECKING:
    from typing import Unpack

    from circulate_core.lakes import Lake
    from circulate_core.results import Report
    from circulate_core.types import Definition, PullOptions

_PERIOD = ("mode", "since", "until", "continuation", "idempotency_key")


@passes_options_to(pull, but=frozenset({"stream", *_PERIOD}))
def backfill(stream: str, **options: Unpack[PullOptions]) -> list[Report]:
    """Pull what the runs of a lake have left out of a stream, gap by gap; see `circulate_core.coverage`.

    Where the API cannot be asked for a period, or the gap has no lower bound, everything is pulled once.

    Args:
        stream: `source.endpoint`, such as `okta.system_log`.
        options: As `circulate_core.pull` takes them, but for those that say what is requested.

    Returns:
        A report for each period, oldest first; none if there is no gap.

    Raises:
        CirculateError: As `circulate_core.pull`. Periods before that one are filled.
    """
    if given := [name for name in _PERIOD if name in options]:
        message = f"`{given[0]}` is given: what is pulled is what is missing"
        raise SettingsError(message, operation="read options")
    if "to" not in cast("dict[str, Any]", options):
        message = "backfill() missing 1 required keyword-only argument: 'to'"
        raise TypeError(message)
    # First of all, so that no traceback with its locals shows one.
    settings = _core.Settings(options.pop("settings", None))
    catalog = options.get("catalog", ())
    definition = stream_definition(stream, catalog=catalog)
    names = ("profile", "secret", "account", "headroom")
    known = account_of(
        definition["source"], settings, catalog=catalog, **{name: cast("Any", options).get(name) for name in names}
    )
    others = cast("dict[str, Any]", options)
    lake = lake_of(others.pop("to"), others.pop("state", None), others.pop("s3", None))
    account = _core.account_name(known, definition["source"]["source"])
    return [
        pull(stream, to=lake, settings=settings, **{**others, **period.options})
        for period in missing_periods(lake, definition, account)
    ]


def missing_periods(lake: Lake, definition: Definition, account: str) -> list[Period]:
    """Return what to pull so that nothing is missing of a stream; warn of what its API does not have any more.

    Raises:
        CirculateError: The lake cannot be read.
    """
    stream = f"{definition['source']['source']}.{definition['endpoint']['endpoint']}"
    found = [each for each in coverage(lake, stream) if each.account == account]
    wanted, lost = periods(found, definition, datetime.now(UTC))
    for gap in lost:
        since = f"{gap.since:%Y-%m-%d %H:%M}" if gap.since else "the beginning"
        message = f"{stream}: {since} to {gap.until:%Y-%m-%d %H:%M} UTC is missing for good: the API keeps it no longer"
        warnings.warn(message, IncompleteWarning, stacklevel=3)
    return wanted
