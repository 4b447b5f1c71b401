"""Playbooks as state machines: Amazon States Language, by JSONPath.

A step that changes something is two tasks: one plans, one applies the plan. So a retry of Step Functions does nothing
twice: planning changes nothing, and a plan that was applied is not applied again.

State while it runs: `inputs`, `accounts`, `approvers`, `status`, and `steps` by their ids. The output is the document
of a run. An undo works on `run`, such a document, and on `undo`, the one that it makes.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from circulate_core.exceptions import DefinitionError
from circulate_core.playbooks.definition import source_of, undoing
from circulate_core.playbooks.kept import SCHEMA
from circulate_core.playbooks.templates import pieces_of, tokens_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from circulate_core.playbooks.definition import StepDefinition, Written
    from circulate_core.types import ParameterDefinition

FUNCTIONS = "${functions}"
"""What Terraform replaces by the first part of functions' ARNs: `arn:aws:lambda:REGION:ACCOUNT:function:circulate-`."""
_MARK = "\ue000functions\ue000"
_LAMBDA_ERRORS = [
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.TooManyRequestsException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
]
_PASSING_ERRORS = [
    *("BusyError", "RateLimitError", "NetworkError", "ApiError", "StateError", "StoppedError"),
    *("Sandbox.Timedout", "Runtime.ExitError", "Runtime.OutOfMemory", "Lambda.Unknown"),
    *("Extension.InitError", "Extension.TokenEndpointUnavailable"),
]
"""What may go well a minute later: a lease has lapsed then, or a limit has passed."""
_RETRY: list[dict[str, Any]] = [
    {
        "ErrorEquals": _LAMBDA_ERRORS,
        "IntervalSeconds": 2,
        "MaxAttempts": 6,
        "BackoffRate": 2,
        "JitterStrategy": "FULL",
    },
    {"ErrorEquals": _PASSING_ERRORS, "IntervalSeconds": 60, "MaxAttempts": 4, "BackoffRate": 2},
]
_WAIT_FOR_APPROVAL = {"ErrorEquals": ["ApprovalError"], "IntervalSeconds": 60, "MaxAttempts": 1500, "BackoffRate": 1}
"""Until the plan expires after a day, and a little more: each attempt takes time, too."""
_DAY_S = 24 * 60 * 60
_OF_TEXTS = ("IsString", "IsNumeric", "IsBoolean")
"""What may be a part of a text."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SPECIAL = re.compile(r"['{}\\]")
"""What would have to be escaped in a text of an intrinsic function."""
_States = dict[str, dict[str, Any]]


_KINDS = {"string": "IsString", "integer": "IsNumeric", "number": "IsNumeric", "boolean": "IsBoolean"}
_CHECKED = {"type", "enum", "title", "description", "examples"}
"""Keys of an input's schema that a state machine can keep to, or that say nothing of values."""


@dataclass
class _Writer:
    """Writes templates as a state machine has them.

    Attributes:
        constants: Arguments of intrinsic functions that stand in its state: what would have to be escaped there, and
            all that is not a text.
        mistakes: What it has no way to do.
    """

    constants: dict[str, Any] = field(default_factory=dict)
    mistakes: list[str] = field(default_factory=list)

    def input_rules(self, name: str, given: ParameterDefinition) -> Iterator[dict[str, Any]]:
        """Yield the rules of `Choice` for the schema of an input; what they cannot say is a mistake."""
        schema: Any = given.get("schema", {"type": "string"})
        schema = schema if isinstance(schema, dict) else {}
        variable = f"$.inputs.{name}"
        if kind := _KINDS.get(str(schema.get("type"))):
            yield {"Variable": variable, kind: True}
        words = schema.get("enum")
        if isinstance(words, list) and words and all(isinstance(word, str) for word in words):
            equal = [{"Variable": variable, "StringEquals": word} for word in words]
            yield {"Or": equal} if len(equal) > 1 else equal[0]
        elif "enum" in schema:
            self.mistakes.append(f"input `{name}`: `enum` of anything but texts cannot be checked there")
        if beyond := sorted(schema.keys() - _CHECKED):
            keys = ", ".join(f"`{key}`" for key in beyond)
            self.mistakes.append(
                f"input `{name}`: {keys} of its schema cannot be checked there; let a step read, with criteria"
            )

    def payload(self, template: dict[str, Any], at: str) -> dict[str, Any]:
        """Return a template as a payload template: a member with a value of the state ends in `.$`."""
        payload: dict[str, Any] = {}
        for name, value in template.items():
            where = f"{at}.{name}"
            if name.endswith(".$"):
                self.mistakes.append(f"`{where}`: a name that ends in `.$` means something else there")
            elif isinstance(value, dict):
                payload[name] = self.payload(value, where)
            elif not _placeholders(value):
                payload[name] = _constant(value)
            elif isinstance(value, list):
                payload[f"{name}.$"] = self._list(value, where)
            else:
                payload[f"{name}.$"] = self._text(value)
        return payload

    def _list(self, items: list[Any], at: str) -> str:
        if any(isinstance(item, (dict, list)) and _placeholders(item) for item in items):
            self.mistakes.append(f"`{at}`: lists and objects with placeholders can't be items of a list")
            return ""
        arguments = (self._text(item) if _placeholders(item) else self._literal(_constant(item)) for item in items)
        return f"States.Array({', '.join(arguments)})"

    def _text(self, text: str) -> str:
        """Return what gives a text with placeholders: a path, or an intrinsic function."""
        pieces = pieces_of(text)
        if len(pieces) == 1:
            return _placeholder(pieces[0][0])
        arguments = [_placeholder(piece) if is_value else self._literal(piece) for piece, is_value in pieces]
        return f"States.Format('{'{}' * len(arguments)}', {', '.join(arguments)})"

    def _literal(self, value: object) -> str:
        if isinstance(value, str) and not _SPECIAL.search(value):
            return f"'{value}'"
        name = f"c{len(self.constants)}"
        self.constants[name] = value
        return f"$.constants.{name}"


def compiled(written: Written, *, undo: bool) -> str:
    """Return a playbook as a state machine; `${functions}` is left to Terraform's `templatefile`.

    Args:
        written: The playbook.
        undo: Return the state machine that undoes what that one did.

    Raises:
        DefinitionError: It says what a state machine has no way to do. All of that is named.
    """
    changes = sum(not written.reads(step) for step in written.steps)
    if undo and not changes:
        message = f"the playbook {written.name} changes nothing: there is nothing to undo"
        raise DefinitionError(message)
    machine = {
        "Comment": f"{'Undoes' if undo else 'Runs'} the playbook {written.name}: {written.definition['about']}",
        "StartAt": "Begin",
        # Each step may wait a day for its approval.
        "TimeoutSeconds": _DAY_S * (1 + changes),
        "States": _undo_machine(written) if undo else _run_machine(written),
    }
    # What `templatefile` would take for its own is written as it wants that.
    text = json.dumps(machine, indent=2, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")
    return f"{text.replace(_MARK, FUNCTIONS)}\n"


def functions_of(written: Written) -> list[str]:
    """Return the operations whose functions the state machines invoke."""
    undoes = (undoing(written, step) for step in written.steps if not written.reads(step))
    return sorted({step["operation"] for step in written.steps} | {name for name in undoes if name})


def _run_machine(written: Written) -> _States:
    steps = written.steps
    defaults = {name: each["default"] for name, each in written.inputs.items() if "default" in each}
    needed = [name for name in written.inputs if name not in defaults]
    known = {"inputs": defaults, "accounts": dict.fromkeys(written.sources), "approvers": []}
    first = _entry(steps[0])
    states: _States = {
        "Begin": _passed({"known": known, "given.$": "$"}, "With defaults"),
        "With defaults": _passed(
            {"known.$": "$.known", "given.$": "States.JsonMerge($.known, $.given, false)"}, "Ready"
        ),
        "Ready": _passed(
            {
                "inputs.$": "States.JsonMerge($.known.inputs, $.given.inputs, false)",
                "accounts.$": "States.JsonMerge($.known.accounts, $.given.accounts, false)",
                "approvers.$": "$.given.approvers",
                "status": "complete",
                "steps": {step["id"]: _not_begun(step) for step in steps},
            },
            "Inputs?" if needed else first,
        ),
    }
    writer = _Writer()
    if rules := [rule for name, each in written.inputs.items() for rule in writer.input_rules(name, each)]:
        cause = f"an input is not what the playbook takes: {written.about_inputs}"
        states["Kinds?"] = _choice({"And": rules} if len(rules) > 1 else rules[0], first, "Wrong input")
        states["Wrong input"] = {"Type": "Fail", "Error": "SettingsError", "Cause": cause}
        first = "Kinds?"
        states["Ready"]["Next"] = "Inputs?" if needed else first
    if any(not written.reads(step) and written.is_destructive(step["operation"]) for step in steps):
        # Without anybody who may approve, it would wait for a day in vain.
        states["Ready"]["Next"], then = "Approvers?", states["Ready"]["Next"]
        states["Approvers?"] = _choice({"Variable": "$.approvers", "IsNull": True}, "No approvers", then)
        cause = "`approvers` of the execution is null: name those who may approve, or leave it out"
        states["No approvers"] = {"Type": "Fail", "Error": "SettingsError", "Cause": cause}
    if needed:
        present = [{"Variable": f"$.inputs.{name}", "IsPresent": True} for name in needed]
        states["Inputs?"] = _choice({"And": present} if len(present) > 1 else present[0], first, "No input")
        cause = f'the execution needs the inputs {", ".join(needed)}: {{"inputs": {{...}}}}'
        states["No input"] = {"Type": "Fail", "Error": "SettingsError", "Cause": cause}
    for number, step in enumerate(steps):
        then = _entry(steps[number + 1]) if number + 1 < len(steps) else "Ended"
        states |= _step(written, step, then, writer)
    if writer.mistakes:
        message = f"{written.named} can't be a state machine: {'; '.join(writer.mistakes)}"
        raise DefinitionError(message)
    if writer.constants:
        states["Ready"]["Parameters"]["constants"] = writer.constants
    if any(_on_failure(written, step) == "end" for step in steps):
        states["Failed"] = _set("$.status", "failed", "Ended")
    states["Ended"] = {"Type": "Pass", "Parameters": _run_document(written), "End": True}
    if any(_on_failure(written, step) == "undo" for step in steps):
        states["Failed, undo"] = _set("$.status", "failed", "Undo.document")
        begun = {"run": _run_document(written), "approvers.$": "$.approvers"}
        states["Undo.document"] = _passed(begun, "Undo")
        states |= _undo_states(written, {**_of_run(written), "undo": _undo_document(written)})
    return states


def _undo_machine(written: Written) -> _States:
    is_of_it = {
        "And": [
            {"Variable": "$.playbook_sha256", "IsPresent": True},
            {"Variable": "$.playbook_sha256", "StringEquals": written.sha256},
            {"Variable": "$.undoes", "IsPresent": False},
        ]
    }
    cause = (
        f"the input is not what an execution of {written.name} returned, is an undo itself, or had another text:"
        " `circulate playbook undo FILE` undoes it"
    )
    return {
        "Begin": _choice(is_of_it, "With defaults", "Another run"),
        "Another run": {"Type": "Fail", "Error": "SettingsError", "Cause": cause},
        "With defaults": _passed({"known": {"approvers": []}, "given.$": "$"}, "Ready"),
        "Ready": _passed({"run.$": "States.JsonMerge($.known, $.given, false)"}, "With approvers"),
        "With approvers": _passed({"run.$": "$.run", "approvers.$": "$.run.approvers"}, "Undo"),
        **_undo_states(written, _undo_document(written)),
    }


def _on_failure(written: Written, step: StepDefinition) -> str:
    """Return what happens if a step fails. Of a playbook that changes nothing there is nothing to undo."""
    said = step.get("on_failure", "end")
    return "end" if said == "undo" and all(map(written.reads, written.steps)) else said


def _entry(step: StepDefinition) -> str:
    """Return the name of the first state of a step."""
    if _looked_for(step) or _parts_of_texts(step):
        return f"{step['id']}.values?"
    return f"{step['id']}.first"


def _looked_for(step: StepDefinition) -> list[str]:
    """Return the paths of values that may be missing: those of inputs are looked for at the beginning."""
    placeholders = dict.fromkeys(_placeholders(step.get("parameters", {})))
    return [_placeholder(each) for each in placeholders if not re.fullmatch("inputs/[^/]*", each)]


def _parts_of_texts(step: StepDefinition) -> list[str]:
    """Return the paths of values that become a part of a text, which a list, an object or null can't be."""
    texts = [pieces_of(text) for text in _texts(step.get("parameters", {}))]
    return list(
        dict.fromkeys(
            _placeholder(piece) for pieces in texts if len(pieces) > 1 for piece, is_value in pieces if is_value
        )
    )


def _no_value(paths: list[str], parts: list[str]) -> str:
    why = [f"one of {', '.join(paths)} is not there"] if paths else []
    why += [f"one of {', '.join(parts)} is a list, an object or null, which can't be a part of a text"] if parts else []
    return ", or ".join(why)


def _step(written: Written, step: StepDefinition, then: str, writer: _Writer) -> _States:
    """Return the states of a step."""
    name, operation = step["id"], step["operation"]
    first, failed = f"{name}.first", f"{name}.failed"
    at = f"$.steps.{name}"
    states: _States = {}
    paths, parts = _looked_for(step), _parts_of_texts(step)
    if paths or parts:
        needed: list[dict[str, Any]] = [{"Variable": path, "IsPresent": True} for path in paths]
        # `States.Format` writes the others, too: as `null`, or as it likes.
        needed += [{"Or": [{"Variable": path, kind: True} for kind in _OF_TEXTS]} for path in parts]
        states[f"{name}.values?"] = _choice(
            {"And": needed} if len(needed) > 1 else needed[0], first, f"{name}.no value"
        )
        # A path that leads nowhere would end the execution, and nothing could catch that.
        error = {"Error": "NoValueError", "Cause": _no_value(paths, parts)}
        states[f"{name}.no value"] = {"Type": "Pass", "Result": error, "ResultPath": f"{at}.error", "Next": failed}
    parameters = writer.payload(step.get("parameters", {}), f"steps.{name}.parameters")
    account = {"account.$": f"$.accounts.{source_of(operation)}"}
    event = {**account, "parameters": parameters}
    reads = written.reads(step)
    criteria = step.get("success_criteria") or ({} if reads else {"/status": ["complete"]})
    judged = f"{name}.succeeded?" if criteria else f"{name}.complete"
    if reads:
        states[first] = _task(operation, event, judged, failed, at, ResultPath=f"{at}.result")
    else:
        planned = {**_not_begun(step), "status": "planned", "plan.$": "$.plan", "planned.$": "$"}
        apply = _apply(written, operation, account, name, at, judged, failed)
        states[first] = _task(operation, event, next(iter(apply)), failed, at, ResultSelector=planned, ResultPath=at)
        states |= apply
    if criteria:
        states[judged] = _choice(_criteria(f"{at}.result", criteria), f"{name}.complete", failed)
    states[f"{name}.complete"] = _set(f"{at}.status", "complete", then)
    follows = {"continue": f"{name}.continue", "undo": "Failed, undo"}.get(_on_failure(written, step), "Failed")
    states[failed] = _set(f"{at}.status", "failed", follows)
    if step.get("on_failure") == "continue":
        states[follows] = _set("$.status", "partial", then)
    return states


def _undo_states(written: Written, document: dict[str, Any]) -> _States:
    """Return the states that undo what `$.run` did: each step that changes something, the last one first."""
    changes = [(number, step) for number, step in enumerate(written.steps) if not written.reads(step)]
    names = [f"Undo {step['id']}" for _, step in reversed(changes)]
    begun = {
        "run.$": "$.run",
        "approvers.$": "$.approvers",
        "was": {f"{step['id']}.$": f"States.ArrayGetItem($.run.steps, {number})" for number, step in changes},
        "undo": {"status": "complete", "steps": {step["id"]: _not_begun(step) for _, step in changes}},
    }
    states: _States = {"Undo": _passed(begun, names[0])}
    for (_, step), name, then in zip(reversed(changes), names, [*names[1:], "Undone"], strict=True):
        states |= _undo_step(written, step, name, then)
    states["Undo.failed"] = _set("$.undo.status", "failed", "Undone")
    states["Undone"] = {"Type": "Pass", "Parameters": document, "End": True}
    return states


def _undo_step(written: Written, step: StepDefinition, name: str, then: str) -> _States:
    operation, undoes = step["operation"], undoing(written, step)
    was, at, failed = f"$.was.{step['id']}", f"$.undo.steps.{step['id']}", f"{name}.failed"
    planned = {**_not_begun(step), "status": "planned", "plan.$": "$.plan", "planned.$": "$"}
    is_nothing = {"Variable": f"{at}.plan", "IsNull": True}
    event = {"account.$": f"{was}.planned.account", "undo.$": f"{was}.plan"}
    apply: _States = {}
    if undoes:
        account, judged = {"account.$": f"{at}.planned.account"}, f"{name}.succeeded?"
        apply = _apply(written, undoes, account, name, at, judged, failed)
        is_done = {"Variable": f"{at}.result.status", "StringEquals": "complete"}
        apply[judged] = _choice(is_done, f"{name}.complete", failed)
        apply[f"{name}.complete"] = _set(f"{at}.status", "complete", then)
    return {
        name: _choice({"Variable": f"{was}.plan", "IsPresent": True}, f"{name}.plan", then),
        f"{name}.plan": _task(operation, event, f"{name}.nothing?", failed, at, ResultSelector=planned, ResultPath=at),
        # The function passes over what had no effect, and what nothing undoes. It refuses what it does not know.
        f"{name}.nothing?": _choice(is_nothing, f"{name}.nothing", next(iter(apply), failed)),
        f"{name}.nothing": _set(f"{at}.status", "nothing_to_undo", then),
        **apply,
        failed: _set(f"{at}.status", "failed", "Undo.failed"),
    }


def _apply(  # noqa: PLR0913, PLR0917 - each is a different thing, given once
    written: Written, operation: str, account: dict[str, Any], name: str, at: str, then: str, failed: str
) -> _States:
    """Return the states that apply a plan; the first one comes first."""
    event = {**account, "apply.$": f"{at}.plan"}
    task = _task(operation, event, then, failed, at, ResultPath=f"{at}.result")
    if not written.is_destructive(operation):
        return {f"{name}.apply": task}
    # What is so already needs nobody's approval, and would wait for it in vain.
    needs = {"Variable": f"{at}.planned.needs_approval", "BooleanEquals": True}
    approved = {**task, "Parameters": {**event, "approved_by.$": "$.approvers"}, "Retry": [*_RETRY, _WAIT_FOR_APPROVAL]}
    return {
        f"{name}.approval?": _choice(needs, f"{name}.approved", f"{name}.apply"),
        f"{name}.approved": approved,
        f"{name}.apply": task,
    }


def _task(operation: str, event: dict[str, Any], then: str, failed: str, at: str, **results: object) -> dict[str, Any]:
    return {
        "Type": "Task",
        "Resource": f"{_MARK}{operation.replace('.', '-')}",
        "Parameters": event,
        **results,
        "Retry": _RETRY,
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": f"{at}.error", "Next": failed}],
        "Next": then,
    }


def _passed(parameters: dict[str, Any], then: str) -> dict[str, Any]:
    return {"Type": "Pass", "Parameters": parameters, "Next": then}


def _set(path: str, value: str, then: str) -> dict[str, Any]:
    return {"Type": "Pass", "Result": value, "ResultPath": path, "Next": then}


def _choice(rule: dict[str, Any], then: str, otherwise: str) -> dict[str, Any]:
    return {"Type": "Choice", "Choices": [{**rule, "Next": then}], "Default": otherwise}


def _not_begun(step: StepDefinition) -> dict[str, Any]:
    return {"id": step["id"], "operation": step["operation"], "status": "not_begun"}


def _run_document(written: Written) -> dict[str, Any]:
    """Return what the document of a run is made of, of the state of a run."""
    steps = ", ".join(f"$.steps.{step['id']}" for step in written.steps)
    return {
        "schema": SCHEMA,
        "run.$": "$$.Execution.Name",
        "playbook": written.name,
        "playbook_sha256": written.sha256,
        "inputs.$": "$.inputs",
        "steps.$": f"States.Array({steps})",
        "status.$": "$.status",
    }


def _of_run(written: Written) -> dict[str, Any]:
    """Return the same, of the state of an undo."""
    return {f"{key.removesuffix('.$')}.$": f"$.run.{key.removesuffix('.$')}" for key in _run_document(written)}


def _undo_document(written: Written) -> dict[str, Any]:
    changes = [step["id"] for step in reversed(written.steps) if not written.reads(step)]
    return {
        "schema": SCHEMA,
        "run.$": "States.Format('{}-undo', $.run.run)",
        "undoes.$": "$.run.run",
        "playbook": written.name,
        "playbook_sha256": written.sha256,
        "steps.$": f"States.Array({', '.join(f'$.undo.steps.{name}' for name in changes)})",
        "status.$": "$.undo.status",
    }


def _criteria(at: str, criteria: dict[str, list[Any]]) -> dict[str, Any]:
    """Return the rule that a result is as a step wants it."""
    rules: list[dict[str, Any]] = []
    for pointer, values in criteria.items():
        path = f"{at}{_path(tokens_of(pointer))}"
        rules.append({"Variable": path, "IsPresent": True})
        tests = [test for value in values for test in _tests(path, value)]
        rules.append(tests[0] if len(tests) == 1 else {"Or": tests})
    return {"And": rules}


def _tests(path: str, value: object) -> Iterator[dict[str, Any]]:
    if value is None:
        yield {"Variable": path, "IsNull": True}
    elif isinstance(value, bool):
        yield {"Variable": path, "BooleanEquals": value}
    elif isinstance(value, str):
        yield {"Variable": path, "StringEquals": value}
    else:
        yield {"Variable": path, "NumericEquals": value}


def _texts(template: object) -> list[str]:
    """Return the texts of a template, however deep."""
    if isinstance(template, dict):
        return [each for value in template.values() for each in _texts(value)]
    if isinstance(template, list):
        return [each for value in template for each in _texts(value)]
    return [template] if isinstance(template, str) else []


def _placeholders(template: object) -> list[str]:
    """Return the placeholders of a template, however deep."""
    return [piece for text in _texts(template) for piece, is_value in pieces_of(text) if is_value]


def _constant(item: object) -> Any:  # noqa: ANN401 - JSON
    """Return what a template without placeholders says."""
    if isinstance(item, dict):
        return {name: _constant(each) for name, each in item.items()}
    if isinstance(item, list):
        return [_constant(each) for each in item]
    return "".join(piece for piece, _ in pieces_of(item)) if isinstance(item, str) else item


def _placeholder(placeholder: str) -> str:
    kind, name, *rest = tokens_of(f"/{placeholder}")
    return f"$.inputs.{name}{_path(rest)}" if kind == "inputs" else f"$.steps.{name}.result{_path(rest)}"


def _path(tokens: list[str]) -> str:
    """Return the JSONPath of members below another one. A number is an item of a list."""
    return "".join(
        f"[{token}]" if token.isdecimal() else f".{token}" if _NAME.fullmatch(token) else f"['{_quoted(token)}']"
        for token in tokens
    )


def _quoted(token: str) -> str:
    return token.replace("\\", "\\\\").replace("'", "\\'")
