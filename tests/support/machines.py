"""State machines run by two interpreters of Amazon States Language, with functions of this process."""

import io
import json
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from ministack.services import stepfunctions  # type: ignore[import-untyped]
from moto.stepfunctions.parser.api import StateMachineType
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.eval.evaluation_details import (
    AWSExecutionDetails,
    EvaluationDetails,
    ExecutionDetails,
    StateMachineDetails,
)
from moto.stepfunctions.parser.asl.eval.program_state import ProgramEnded, ProgramError
from moto.stepfunctions.parser.backend.execution_worker import SyncExecutionWorker

ARNS = "arn:aws:lambda:us-east-1:000000000000:function:circulate-"
MAX_DATA = 262_144
"""Bytes that a state may have for its input or output."""
MAX_DEFINITION = 1_000_000
MAX_NAME = 80
"""Characters of the name of a state."""
Function = Callable[[dict[str, Any]], dict[str, Any]]
Machine = Callable[..., dict[str, Any]]


class ExecutionFailedError(Exception):
    """An execution failed: its error, and the cause."""


def deployed(template: str) -> str:
    """Return a definition as Terraform's `templatefile` makes it."""
    parts = {"$${": "${", "%%{": "%{", "${functions}": ARNS}
    return re.sub(r"\$\$\{|%%\{|\$\{functions\}", lambda found: parts[found[0]], template)


def assert_sound(definition: str) -> None:
    """Check what Step Functions checks when a state machine is made, and neither interpreter does."""
    assert len(definition.encode()) < MAX_DEFINITION
    machine = json.loads(definition)
    states = machine["States"]
    assert max(map(len, states)) <= MAX_NAME
    reached, open_ends = set(), {machine["StartAt"]}
    while open_ends:
        name = open_ends.pop()
        reached.add(name)
        state = states[name]
        leads_to = [state.get("Next"), state.get("Default")]
        leads_to += [each["Next"] for each in [*state.get("Choices", []), *state.get("Catch", [])]]
        assert state["Type"] == "Fail" or state.get("End") or any(leads_to), f"{name} leads nowhere"
        open_ends |= {each for each in leads_to if each} - reached
    assert reached == set(states), "a state is reached by no other"


class Machines:
    """Runs state machines.

    Attributes:
        functions: What is invoked, by its name without the prefix.
        invoked: The events, with the names of their functions.
    """

    def __init__(self, interpreter: str, functions: Callable[[str], Function], patch: pytest.MonkeyPatch) -> None:
        self.functions = functions
        self.invoked: list[tuple[str, dict[str, Any]]] = []
        self._interpreter = interpreter
        self.outcomes: list[str] = []
        """What became of each invocation: `status` of what was returned, or the class of an error."""
        self.waits: list[float] = []
        """How long it waited before retries."""
        self.at_retry: Callable[[], object] = lambda: None
        patch.setattr(lambda_eval_utils, "boto_client_for", lambda **_: self)
        patch.setattr(retrier_decl, "time", SimpleNamespace(sleep=self._wait))
        patch.setattr(stepfunctions, "_call_lambda", self._call)
        patch.setattr(stepfunctions, "_scaled_sleep", self._wait)

    def _wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.at_retry()

    def invoke(self, **given: Any) -> dict[str, Any]:  # noqa: ANN401 - as boto3 has it
        """Invoke a function, as moto does with a client."""
        error, payload = self._invoked(given["FunctionName"], json.loads(given["Payload"]))
        response: dict[str, Any] = {"StatusCode": 200, "Payload": io.BytesIO(json.dumps(payload).encode())}
        return {**response, "FunctionError": "Unhandled"} if error else response

    def _call(self, function: str, event: dict[str, Any]) -> object:
        """Invoke a function, as ministack does."""
        error, payload = self._invoked(function, event)
        if error:
            raise stepfunctions._ExecutionError(error, json.dumps(payload))  # noqa: SLF001 - there is no other way to it
        return payload

    def _invoked(self, arn: str, event: dict[str, Any]) -> tuple[str | None, dict[str, Any]]:
        name = arn.rpartition(":")[2].removeprefix("circulate-")
        # What goes in is JSON, and so is what comes out.
        event = json.loads(json.dumps(event))
        self.invoked.append((name, event))
        try:
            returned: dict[str, Any] = json.loads(json.dumps(self.functions(name)(event)))
        except Exception as error:  # noqa: BLE001 - a function may raise anything
            kind = type(error).__name__
            self.outcomes.append(kind)
            return kind, {"errorMessage": str(error), "errorType": kind, "stackTrace": []}
        self.outcomes.append(str(returned.get("status", "")))
        return None, returned

    def run(self, definition: str, given: object, name: str = "run-1") -> dict[str, Any]:
        """Run a state machine, and return what it returned.

        Raises:
            ExecutionFailedError: It failed.
        """
        assert_sound(definition)
        run = self._by_moto if self._interpreter == "moto" else self._by_ministack
        output: dict[str, Any] = run(definition, json.loads(json.dumps(given)), name)
        assert len(json.dumps(output).encode()) < MAX_DATA
        return output

    def _by_moto(self, definition: str, given: object, name: str) -> Any:  # noqa: ANN401 - JSON
        arn = f"arn:aws:states:us-east-1:000000000000:execution:machine:{name}"
        details = EvaluationDetails(
            AWSExecutionDetails("000000000000", "us-east-1", "arn:aws:iam::000000000000:role/machine"),
            ExecutionDetails(arn, name, "arn:aws:iam::000000000000:role/machine", given, "2026-12-01T00:00:00.000Z"),
            StateMachineDetails(
                "arn:aws:states:us-east-1:000000000000:stateMachine:machine",
                "machine",
                StateMachineType.STANDARD,
                definition,
            ),
        )

        class Ended:
            """Is told when it is over."""

            def terminated(self) -> None:
                """Nothing has to be done then."""

        worker = SyncExecutionWorker(details, Ended(), None, {})  # type: ignore[arg-type]
        worker.start()  # type: ignore[no-untyped-call]
        assert worker.env is not None
        state = worker.env.program_state()
        if isinstance(state, ProgramError):
            assert state.error is not None
            message = f"{state.error.get('error')}: {state.error.get('cause')}"
            raise ExecutionFailedError(message)
        assert isinstance(state, ProgramEnded), state
        return worker.env.states.get_input()

    def _by_ministack(self, definition: str, given: object, name: str) -> Any:  # noqa: ANN401 - JSON
        machine = {"definition": definition, "name": "machine"}
        arn = f"arn:aws:states:us-east-1:000000000000:execution:machine:{name}"
        execution = {
            "executionArn": arn,
            "stateMachineArn": "arn:aws:states:us-east-1:000000000000:stateMachine:machine",
            "name": name,
            "status": "RUNNING",
            "startDate": "2026-12-01T00:00:00.000Z",
            "input": json.dumps(given),
            "events": [],
        }
        stepfunctions._state_machines[execution["stateMachineArn"]] = machine  # noqa: SLF001 - as above
        stepfunctions._executions[arn] = execution  # noqa: SLF001 - as above
        stepfunctions._run_execution(arn)  # noqa: SLF001 - as above
        if execution["status"] != "SUCCEEDED":
            message = f"{execution.get('error')}: {execution.get('cause')}"
            raise ExecutionFailedError(message)
        return json.loads(str(execution["output"]))
