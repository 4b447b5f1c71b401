"""The functions of operations, as AWS calls them: each takes the events of its operation, and returns its documents."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from circulate_core import exceptions
from circulate_core.call_documents import applied, called, planned, undone
from circulate_core.operations import operation_definition

Function = Callable[[dict[str, Any]], dict[str, Any]]


class ApprovalError(exceptions.PlanError):
    """Nobody has approved a plan yet."""


@dataclass
class Functions:
    """The functions of a project.

    Attributes:
        known: What is known of the account.
        ledger: Where plans and the ledger are.
        requester: Whom the functions run as.
    """

    known: dict[str, Any]
    ledger: Any
    requester: str = "AROAEXAMPLE:function"
    raising: list[Exception] = field(default_factory=list)
    """What the next invocations raise, before anything is done."""

    def __call__(self, name: str) -> Function:
        """Return a function by its name, such as `okta-users-suspend`."""
        operation = name.replace("-", ".")
        definition = operation_definition(operation, catalog=self.known["catalog"])[1]

        def handle(event: dict[str, Any]) -> dict[str, Any]:
            if self.raising:
                raise self.raising.pop(0)
            known = {**self.known, "account": event.get("account") or self.known["account"]}
            if definition["kind"] == "investigate":
                return called(operation, event["parameters"], **known)
            known |= {"ledger": self.ledger, "requester": self.requester}
            if "undo" in event:
                assert event["undo"].startswith(f"{operation}@")
                return undone(event["undo"], **known)
            if "apply" in event:
                assert event["apply"].startswith(f"{operation}@")
                return self._apply(event, known)
            return planned(operation, event["parameters"], **known)

        return handle

    @staticmethod
    def _apply(event: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
        refused = None
        for approver in event.get("approved_by") or [None]:
            try:
                return applied(event["apply"], approved_by=approver, lease="200ms", **known)
            except exceptions.PlanError as error:
                if "has not approved" not in str(error) and "a person has to agree" not in str(error):
                    raise
                refused = ApprovalError(str(error))
        assert refused is not None
        raise refused
