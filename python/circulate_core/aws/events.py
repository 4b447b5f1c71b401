"""Events of functions: what to pull, promote or call."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast

from circulate_core import _core
from circulate_core.exceptions import SettingsError

KEYS = ("account", "mode", "since", "until", "continuation", "commit", "accept_deletes")
PROMOTION_KEYS = ("manifest", "continuation")
REGISTRATION_KEYS = ("manifest",)
CALL_KEYS = ("account", "parameters")
CHANGE_KEYS = (*CALL_KEYS, "apply", "approved_by", "undo")
MANIFEST_NAMES = ("source", "account", "endpoint", "run_id")
NAME = re.compile(r"(?!\.)[A-Za-z0-9._-]{1,128}")
"""What names of accounts and runs are made of; they become keys of DynamoDB and S3."""
PLAN = re.compile(r"[a-z0-9_.]{1,200}@[0-9a-f]{8,64}")
"""What names of plans are made of."""
COMMITS = ("auto", "pending")
CHOICES = {"mode": ("incremental", "full"), "commit": COMMITS}


@dataclass(frozen=True)
class Event:
    """An event that was read. A continuation is a reference; where to go on is in state.

    Attributes:
        account: Which account to pull, of a function that serves several.
        mode: How much to ask for.
        since: Inclusive lower bound, RFC 3339.
        until: Exclusive upper bound, RFC 3339.
        continuation: The run to go on with.
        commit: Whether a complete run is committed at once, or left to be decided; None as the function is set up.
        accept_deletes: Whether records that are no longer there are deleted even where a brake withholds that.
    """

    account: str | None = None
    mode: Literal["incremental", "full"] = "incremental"
    since: str | None = None
    until: str | None = None
    continuation: str | None = None
    commit: Literal["auto", "pending"] | None = None
    accept_deletes: bool = False

    @classmethod
    def read(cls, event: object) -> Event:
        """Check an event.

        Args:
            event: The JSON value that the function was invoked with; null and an object without keys ask for an
                incremental pull.

        Raises:
            SettingsError: It is not such an event.
        """
        if event is None:
            return cls()
        given = {key: value for key, value in event.items() if value is not None} if isinstance(event, dict) else {}
        problem = _problem(given) if isinstance(event, dict) else f"the event is not a JSON object but {_kind(event)}"
        if problem:
            raise SettingsError(problem, operation="read event", hint=f"its keys are {', '.join(KEYS)}, all optional")
        return cls(**cast("Any", given))


@dataclass(frozen=True)
class CallEvent:
    """An event that asks for a call of an operation.

    Attributes:
        account: Which account, of a function that serves several.
        parameters: The parameters of the operation by name. The engine checks them.
    """

    account: str | None
    parameters: dict[str, object]

    @classmethod
    def read(cls, event: object) -> CallEvent:
        """Check an event.

        Args:
            event: The JSON value that the function was invoked with; null and an object without keys give no
                parameters.

        Raises:
            SettingsError: It is not such an event.
        """
        if problem := _problem_of_call({} if event is None else event):
            hint = f'its keys are {" and ".join(CALL_KEYS)}, both optional: {{"parameters": {{"id": "..."}}}}'
            raise SettingsError(problem, operation="read event", hint=hint)
        given = cast("dict[str, Any]", event or {})
        return cls(given.get("account"), given.get("parameters") or {})


@dataclass(frozen=True)
class ChangeEvent:
    """An event of a function whose operation changes something: it asks for a plan unless it names one.

    Attributes:
        account: Which account, of a function that serves several.
        parameters: The parameters of the call to plan.
        apply: Digest of the plan to apply.
        approved_by: Those of whom one has approved it; None if nobody has to.
        undo: Digest of the plan to undo.
    """

    account: str | None
    parameters: dict[str, object]
    apply: str | None = None
    approved_by: tuple[str, ...] | None = None
    undo: str | None = None

    @classmethod
    def read(cls, event: object, operation: str) -> ChangeEvent:
        """Check an event.

        Args:
            event: The JSON value that the function was invoked with; null and an object without keys ask for a plan
                without parameters.
            operation: The operation of the function: plans are of it.

        Raises:
            SettingsError: It is not such an event.
        """
        given = {} if event is None else event
        if problem := _problem_of_change(given, operation):
            hint = 'give {"parameters": {...}} to plan, {"apply": PLAN} to apply, {"undo": PLAN} to plan the way back'
            raise SettingsError(problem, operation="read event", hint=hint)
        known = {key: value for key, value in cast("dict[str, Any]", given).items() if value is not None}
        approvers = known.get("approved_by")
        named = [approvers] if isinstance(approvers, str) else approvers
        return cls(
            account=known.get("account"),
            parameters=known.get("parameters", {}),
            apply=known["apply"].partition("@")[2] if "apply" in known else None,
            approved_by=None if named is None else tuple(named),
            undo=known["undo"].partition("@")[2] if "undo" in known else None,
        )


@dataclass(frozen=True)
class PromotionEvent:
    """An event that asks for a promotion. How far an earlier one came is in the target.

    Attributes:
        manifest: URI of the manifest's index, as the result of a pull has it.
        continuation: The run to go on with; always the manifest's.
        stream: `source.endpoint` of the run.
        account: Its account.
        run_id: The run.
    """

    manifest: str
    continuation: str | None
    stream: str
    account: str
    run_id: str

    @classmethod
    def read(cls, event: object, origin: str) -> PromotionEvent:
        """Check an event.

        Args:
            event: The JSON value that the function was invoked with.
            origin: The place that runs were pulled to: the event can't name a manifest elsewhere.

        Raises:
            SettingsError: It is not such an event.
        """
        if problem := _problem_of_promotion(event, origin):
            hint = f"its keys are {' and '.join(PROMOTION_KEYS)}; the second is optional"
            raise SettingsError(problem, operation="read event", hint=hint)
        given = cast("dict[str, str | None]", event)
        manifest = given["manifest"] or ""
        source, account, endpoint, run_id = _names(manifest, origin)
        return cls(manifest, given.get("continuation"), f"{source}.{endpoint}", account, run_id)


@dataclass(frozen=True)
class RegistrationEvent:
    """An event that asks for a registration.

    Attributes:
        manifest: URI of the manifest's index, as the result of a promotion has it.
        stream: `source.endpoint` of the run.
        account: Its account.
        run_id: The run.
    """

    manifest: str
    stream: str
    account: str
    run_id: str

    @classmethod
    def read(cls, event: object, origin: str) -> RegistrationEvent:
        """Check an event.

        Args:
            event: The JSON value that the function was invoked with.
            origin: The place that has the runs: the event can't name a manifest elsewhere.

        Raises:
            SettingsError: It is not such an event.
        """
        if problem := _problem_of_manifest(event, origin, REGISTRATION_KEYS):
            raise SettingsError(problem, operation="read event", hint="its key is manifest")
        manifest = cast("dict[str, str]", event)["manifest"]
        source, account, endpoint, run_id = _names(manifest, origin)
        return cls(manifest, f"{source}.{endpoint}", account, run_id)


def _problem_of_call(event: object, keys: tuple[str, ...] = CALL_KEYS) -> str | None:
    if not isinstance(event, dict):
        return f"the event is not a JSON object but {_kind(event)}"
    given = {key: value for key, value in event.items() if value is not None}
    parameters = given.pop("parameters", {})
    if problem := _problem_of_keys(given, keys):
        return problem
    if not isinstance(parameters, dict):
        return f"`parameters` of the event must be an object, not {_kind(parameters)}"
    return _problem_of_name(given, "account", "account")


def _problem_of_change(event: object, operation: str) -> str | None:
    if not isinstance(event, dict):
        return f"the event is not a JSON object but {_kind(event)}"
    given = {key: value for key, value in event.items() if value is not None}
    wanted = [key for key in ("parameters", "apply", "undo") if key in given]
    if len(wanted) > 1:
        return f"the event has {' and '.join(f'`{key}`' for key in wanted)}: one of them at a time"
    rest = {key: value for key, value in given.items() if key not in {"apply", "undo", "approved_by"}}
    return (
        _problem_of_call(rest, CHANGE_KEYS)
        or _problem_of_plan(given, "apply", operation)
        or _problem_of_plan(given, "undo", operation)
        or _problem_of_approvers(given)
    )


def _problem_of_plan(given: dict[str, Any], key: str, operation: str) -> str | None:
    plan = given.get(key)
    if plan is None:
        return None
    if not isinstance(plan, str) or not PLAN.fullmatch(plan):
        return f"`{key}` of the event names no plan: {_given(plan)}; one is named like `{operation}@3f9c1a2b4d5e`"
    if plan.partition("@")[0] != operation:
        return f"`{key}` of the event is a plan of another operation than {operation}: {_given(plan)}"
    return None


def _problem_of_approvers(given: dict[str, Any]) -> str | None:
    approvers = given.get("approved_by")
    if approvers is None:
        return None
    if "apply" not in given:
        return "the event has `approved_by` without `apply`: a plan is approved when it is applied"
    names = [approvers] if isinstance(approvers, str) else approvers
    # JSON can hold halves of characters, which nobody is called by.
    if not isinstance(names, list) or not all(isinstance(name, str) and name and _is_text(name) for name in names):
        return f"`approved_by` of the event must be a name or a list of names: {_given(approvers)}"
    return None


def _problem_of_promotion(event: object, origin: str) -> str | None:
    if problem := _problem_of_manifest(event, origin, PROMOTION_KEYS):
        return problem
    given = cast("dict[str, str | None]", event)
    continuation = given.get("continuation")
    if continuation not in {None, _names(given["manifest"] or "", origin)[-1]}:
        return f"`continuation` of the event is not the manifest's run: {_given(continuation)}"
    return None


def _problem_of_manifest(event: object, origin: str, keys: tuple[str, ...]) -> str | None:
    if not isinstance(event, dict):
        return f"the event is not a JSON object but {_kind(event)}"
    if problem := _problem_of_keys({key: value for key, value in event.items() if value is not None}, keys):
        return problem
    manifest = event.get("manifest")
    if manifest is None:
        return "the event has no `manifest`"
    names = _names(manifest, origin)
    if len(names) != len(MANIFEST_NAMES) or not all(map(NAME.fullmatch, names)):
        return f"invalid `manifest` of the event: not a manifest of {origin}: {_given(manifest)}"
    return None


def _names(manifest: str, origin: str) -> list[str]:
    """Return what the URI of a manifest in a place is made of; nothing if it is elsewhere."""
    below = f"{origin.rstrip('/')}/_circulate/"
    if not (manifest.startswith(below) and manifest.endswith(".json")):
        return []
    return manifest.removeprefix(below).removesuffix(".json").split("/")


def _problem(given: dict[str, Any]) -> str | None:
    texts = {key: value for key, value in given.items() if key != "accept_deletes"}
    if problem := _problem_of_keys(texts, KEYS) or _problem_of_accept(given.get("accept_deletes", False)):
        return problem
    for key, choices in CHOICES.items():
        if given.get(key, choices[0]) not in choices:
            return f"`{key}` of the event is `{_given(given[key])}`: it is {' or '.join(choices)}"
    if given.get("mode") == "full" and given.keys() & {"since", "until"}:
        return "the event has `since` or `until` beside `mode: full`, which requests everything"
    if "continuation" in given and given.keys() & {"mode", "since", "until"}:
        return "the event has `mode`, `since` or `until` beside `continuation`, which resumes the run as it was started"
    for key, what in (("continuation", "run"), ("account", "account")):
        if problem := _problem_of_name(given, key, what):
            return problem
    return _problem_of_window(given)


def _problem_of_accept(accepts: object) -> str | None:
    if not isinstance(accepts, bool):
        return f"`accept_deletes` of the event must be true or false, not {_kind(accepts)}"
    return None


def _problem_of_name(given: dict[str, Any], key: str, what: str) -> str | None:
    if key in given and not NAME.fullmatch(given[key]):
        return f"`{key}` of the event names no {what}: {_given(given[key])}"
    return None


def _problem_of_window(given: dict[str, Any]) -> str | None:
    times = {}
    for key in given.keys() & {"since", "until"}:
        try:
            times[key] = datetime.fromisoformat(_core.timestamp(key, given[key]))
        except (SettingsError, ValueError):
            return f"invalid `{key}` of the event: not a time: {_given(given[key])}; write it like 2026-01-31T00:00:00Z"
    if len(times) == len(("since", "until")) and times["since"] >= times["until"]:
        return f"`since` of the event is not before its `until`: {given['since']} and {given['until']}"
    return None


def _problem_of_keys(given: dict[str, Any], keys: tuple[str, ...]) -> str | None:
    for key, value in given.items():
        if key not in keys:
            return f"the event has an unknown key `{_given(key)}`"
        if not isinstance(value, str):
            return f"`{key}` of the event must be a string, not {_kind(value)}"
    return None


def _given(value: object) -> str:
    """Return a value as it was given, as far as it can be shown."""
    # JSON can hold halves of characters, which no string outside of Python can.
    return _core.shown(str(value).encode(errors="backslashreplace").decode(), limit=200)


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _kind(value: object) -> str:
    names = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "a string",
        list: "a list",
        dict: "an object",
    }
    return names.get(type(value), "null")
