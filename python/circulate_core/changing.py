"""Operations that change something: planned, agreed to, applied once, and undone.

```python
import circulate_core

okta = circulate_core.source("okta")
plan = okta.users.suspend(id="isaac.brock@example.com")
applied = okta.apply(plan)
okta.apply(okta.undo(plan))
```
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from circulate_core import _core
from circulate_core.accounts import account_of
from circulate_core.catalogs import source_definition, stream_definition
from circulate_core.exceptions import SettingsError
from circulate_core.lakes import state_of
from circulate_core.operations import as_json, split
from circulate_core.plans import Applied, Approval, LedgerEntry, Plan

if TYPE_CHECKING:
    from os import PathLike

    from circulate_core.types import Catalog, Headroom, Length


_MAX_ROWS = 10_000
"""The most rows of the ledger that are listed at once."""


def plan(  # noqa: PLR0913 - how to know an account, and what to plan
    operation: str,
    calls: Mapping[str, object] | Sequence[Mapping[str, object]],
    *,
    max_calls: int | None = None,
    ledger: str | PathLike[str] | None = None,
    requester: str | None = None,
    settings: Mapping[str, str] | _core.Settings | None = None,
    profile: str | None = None,
    secret: str | None = None,
    account: str | None = None,
    headroom: Headroom | None = None,
    catalog: Catalog = (),
) -> Plan:
    """Plan calls of an operation that changes something. Its objects are read; nothing is changed.

    Args:
        operation: `source.endpoint.operation`, such as `okta.users.suspend`.
        calls: The parameters of a call by name, or of several calls.
        max_calls: The most calls of the plan. Default: 25.
        ledger: Where plans, approvals and the ledger are: a state file, or `dynamodb://table`. Default:
            `CIRCULATE_LEDGER`, else `ledger.db` in the user's folder for state.
        requester: Who asks. Default: this user; of a table always the `aws:userid` of the credentials.
        settings: As for `call`, like the options that follow.
        profile: See `call`.
        secret: See `call`.
        account: See `call`.
        headroom: See `call`.
        catalog: See `call`.

    Returns:
        The plan, which is kept: `apply(plan)` applies it.

    Raises:
        PlanError: An object is not in a state in which this can be done. All of them are named.
        SettingsError: A parameter is missing, unknown or wrong. All of them are named.
        CirculateError: What else went wrong.
    """
    # First of all, so that no traceback with its locals shows one.
    settings, is_complete = _core.Settings(settings), isinstance(settings, _core.Settings)
    known = _account(operation, settings, is_complete, catalog, profile, secret, account, headroom)
    given = [calls] if isinstance(calls, Mapping) else calls
    options = _options(ledger, requester, max_calls=max_calls)
    return Plan.from_dict(_core.plan(operation, [as_json(each) for each in given], known, options))


def apply(  # noqa: PLR0913 - how to know an account, and what to apply
    plan: Plan | str,
    *,
    yes: bool = False,
    approved_by: str | Sequence[str] | None = None,
    lease: Length = "60s",
    ledger: str | PathLike[str] | None = None,
    requester: str | None = None,
    settings: Mapping[str, str] | _core.Settings | None = None,
    profile: str | None = None,
    secret: str | None = None,
    account: str | None = None,
    headroom: Headroom | None = None,
    catalog: Catalog = (),
) -> Applied:
    """Apply a plan, or go on with one that was begun. No call of it is made twice.

    Args:
        plan: The plan, or its name: `okta.users.suspend@3f9c1a2b4d5e`.
        yes: A person agrees to it, which a destructive one needs.
        approved_by: Who has approved it instead, or several of whom one has; see `approve`.
        lease: How long a call stays this worker's if it dies. Default: 60s.
        ledger: Where plans are kept; see `plan`.
        requester: Who asks. Default: this user; of a table always the `aws:userid` of the credentials.
        settings: As for `call`, like the options that follow.
        profile: See `call`.
        secret: See `call`.
        account: See `call`.
        headroom: See `call`.
        catalog: See `call`.

    Returns:
        What became of its calls.

    Raises:
        ApprovalError: Nobody has agreed.
        PlanError: The plan has expired, or is for another account.
        BusyError: Another worker is applying it.
        CirculateError: What else went wrong. What was begun is in the ledger.
    """
    # As for `plan`.
    settings, is_complete = _core.Settings(settings), isinstance(settings, _core.Settings)
    operation, digest = reference(plan)
    known = _account(operation, settings, is_complete, catalog, profile, secret, account, headroom)
    options = _options(ledger, requester, lease=lease, yes=yes)
    approvers = [approved_by] if isinstance(approved_by, str) else approved_by
    return Applied.from_dict(_core.apply(operation, digest, known, options, approvers))


def approve(  # noqa: PLR0913 - how to know an account, and what to approve
    plan: Plan | str,
    *,
    good_for: Length | None = None,
    ledger: str | PathLike[str] | None = None,
    requester: str | None = None,
    settings: Mapping[str, str] | _core.Settings | None = None,
    profile: str | None = None,
    secret: str | None = None,
    account: str | None = None,
    catalog: Catalog = (),
) -> Approval:
    """Approve a plan that somebody else has made.

    Args:
        plan: The plan, or its name.
        good_for: How long the approval can be used. Default: an hour.
        ledger: Where plans are kept; see `plan`.
        requester: Who approves. Default: as for `plan`.
        settings: As for `call`, like the options that follow.
        profile: See `call`.
        secret: See `call`.
        account: See `call`.
        catalog: See `call`.

    Raises:
        PlanError: Who made a plan cannot approve it, or it has expired.
    """
    # As for `plan`.
    settings, is_complete = _core.Settings(settings), isinstance(settings, _core.Settings)
    operation, digest = reference(plan)
    known = _account(operation, settings, is_complete, catalog, profile, secret, account, None)
    return Approval.from_dict(_core.approve(operation, digest, known, _options(ledger, requester, good_for=good_for)))


def undo(  # noqa: PLR0913 - how to know an account, and what to undo
    plan: Plan | str,
    *,
    max_calls: int | None = None,
    ledger: str | PathLike[str] | None = None,
    requester: str | None = None,
    settings: Mapping[str, str] | _core.Settings | None = None,
    profile: str | None = None,
    secret: str | None = None,
    account: str | None = None,
    headroom: Headroom | None = None,
    catalog: Catalog = (),
) -> Plan:
    """Plan the undoing of what a plan did: a new plan, which is applied as any other.

    Args:
        plan: The plan that was applied, or its name.
        max_calls: The most calls of the new plan. Default: 25.
        ledger: Where plans are kept; see `plan`.
        requester: Who asks. Default: this user; of a table always the `aws:userid` of the credentials.
        settings: As for `call`, like the options that follow.
        profile: See `call`.
        secret: See `call`.
        account: See `call`.
        headroom: See `call`.
        catalog: See `call`.

    Raises:
        PlanError: Nothing undoes it, it is not known what it did, or its objects have been changed since.
    """
    # As for `plan`.
    settings, is_complete = _core.Settings(settings), isinstance(settings, _core.Settings)
    operation, digest = reference(plan)
    known = _account(operation, settings, is_complete, catalog, profile, secret, account, headroom)
    return Plan.from_dict(_core.plan_undo(operation, digest, known, _options(ledger, requester, max_calls=max_calls)))


def ledger(  # noqa: PLR0913 - how to know an account, and what to list
    source: str,
    *,
    limit: int = 20,
    ledger: str | PathLike[str] | None = None,
    settings: Mapping[str, str] | _core.Settings | None = None,
    profile: str | None = None,
    secret: str | None = None,
    account: str | None = None,
    catalog: Catalog = (),
) -> list[LedgerEntry]:
    """List what was done to an account, the newest first.

    Args:
        source: The source, such as `okta`.
        limit: Number of rows to list. Default: 20.
        ledger: Where the ledger is; see `plan`.
        settings: As for `call`, like the options that follow.
        profile: See `call`.
        secret: See `call`.
        account: See `call`.
        catalog: See `call`.

    Raises:
        SettingsError: The limit is not a number of rows.
    """
    # As for `plan`.
    settings, is_complete = _core.Settings(settings), isinstance(settings, _core.Settings)
    if not 0 < limit <= _MAX_ROWS:
        message = f"invalid `limit`: expected a whole number from 1 to {_MAX_ROWS}, given {limit}"
        raise SettingsError(message)
    definition = None if is_complete else source_definition(source, catalog=catalog)
    known = account_of(definition, settings, catalog=catalog, profile=profile, secret=secret, account=account)
    rows = _core.ledger_entries(source, limit, known, ledger_location(ledger))
    return [LedgerEntry.from_dict(row) for row in rows]


def rows_of(  # noqa: PLR0913 - how to know an account, and what to list
    plan: Plan | str,
    *,
    ledger: str | PathLike[str] | None = None,
    requester: str | None = None,
    settings: Mapping[str, str] | _core.Settings | None = None,
    profile: str | None = None,
    secret: str | None = None,
    account: str | None = None,
    headroom: Headroom | None = None,
    catalog: Catalog = (),
) -> list[dict[str, Any]]:
    """Return what the ledger has of a plan: a row of each call that was begun, as the engine keeps it.

    It takes what `undo` takes.
    """
    # As for `plan`.
    settings, is_complete = _core.Settings(settings), isinstance(settings, _core.Settings)
    operation, digest = reference(plan)
    known = _account(operation, settings, is_complete, catalog, profile, secret, account, headroom)
    return _core.plan_entries(operation, digest, known, _options(ledger, requester))


def reference(plan: Plan | str) -> tuple[str, str]:
    """Return the operation and the digest that name a plan.

    Raises:
        SettingsError: It names none.
    """
    if isinstance(plan, Plan):
        return plan.operation, plan.digest
    operation, at, digest = plan.partition("#")[0].partition("@")
    if not at or not digest:
        message = f"`{plan}` names no plan"
        raise SettingsError(message, hint="a plan is named like `okta.users.suspend@3f9c1a2b4d5e`")
    split(operation)
    return operation, digest


def _account(  # noqa: PLR0913, PLR0917 - each is a different thing, given once
    operation: str,
    settings: _core.Settings,
    is_complete: bool,  # noqa: FBT001 - of this module
    catalog: Catalog,
    profile: str | None,
    secret: str | None,
    account: str | None,
    headroom: Headroom | None,
) -> _core.Account:
    """Return the account, with its settings; those of a `Source` are complete."""
    stream, _ = split(operation)
    source = None if is_complete else stream_definition(stream, catalog=catalog)["source"]
    return account_of(
        source, settings, catalog=catalog, profile=profile, secret=secret, account=account, headroom=headroom
    )


def _options(ledger: str | PathLike[str] | None, requester: str | None, **more: object) -> dict[str, Any]:
    given = {name: value for name, value in more.items() if value is not None}
    location = ledger_location(ledger)
    return {"ledger": location, "requester": requester_of(location, requester), **given}


def requester_of(ledger: str, given: str | None = None) -> str:
    """Return who asks: of a table whoever IAM says, so that nobody can approve in the name of somebody else.

    Raises:
        SettingsError: Somebody is named, and the ledger is a table.
    """
    if not ledger.startswith("dynamodb://"):
        return given or this_user()
    if given:
        message = f"`requester` is given, and the ledger is {ledger}"
        raise SettingsError(message, hint="whose AWS credentials are used is who asks: leave it out")
    return _core.aws_user_id()


def ledger_location(given: str | PathLike[str] | None) -> str:
    """Return where the ledger is: what is given, what `CIRCULATE_LEDGER` names, or a file of this user.

    Raises:
        SettingsError: There is no place for it.
    """
    named = given or os.environ.get("CIRCULATE_LEDGER")
    if named:
        return state_of(named)
    from circulate_core.bindings import state_folder  # noqa: PLC0415 - not for functions, which name it

    folder = state_folder()
    if folder is None:
        message = "the ledger has no place here"
        hint = "name one by `ledger` or CIRCULATE_LEDGER: a file, or dynamodb://table"
        raise SettingsError(message, hint=hint)
    return str(folder / "ledger.db")


def this_user() -> str:
    """Return the name of the user of this process, whatever the environment says."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
