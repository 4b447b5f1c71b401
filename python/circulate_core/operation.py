"""An operation as something to call: its signature and docstring are made of its definition.

```python
import circulate_core

okta = circulate_core.source("okta")
print(okta.users.get(id="isaac.brock@example.com")["status"])
```
"""

from __future__ import annotations

import inspect
import json
from typing import TYPE_CHECKING, Any

from circulate_core.operations import call

if TYPE_CHECKING:
    from collections.abc import Mapping

    from circulate_core.types import OperationDefinition, ParameterDefinition

_TYPES: dict[str, type] = {
    "string": str,
    "integer": int,
    "number": float,
    "boolean": bool,
    "object": dict,
    "array": list,
}


class Operation:
    """An operation of an endpoint, to be called with its parameters by name.

    Attributes:
        name: `source.endpoint.operation`.
        definition: Its definition.
    """

    def __init__(self, name: str, definition: OperationDefinition, account: Mapping[str, Any]) -> None:
        self.name = name
        self.definition = definition
        self._account = account
        self.__name__ = name.rpartition(".")[2]
        self.__doc__ = described(definition)
        self.__signature__ = _signature(definition)

    def __call__(self, /, **parameters: object) -> Any:  # noqa: ANN401 - JSON
        """Call it; see its own docstring. One that changes something is planned: `apply` does the rest."""
        given = {name: value for name, value in parameters.items() if value is not None or not self._may_lack(name)}
        if self.definition["kind"] == "investigate":
            known = {name: value for name, value in self._account.items() if name != "ledger"}
            return call(self.name, given, **known)
        from circulate_core.changing import plan  # noqa: PLC0415 - not for those who only read

        return plan(self.name, given, **self._account)

    def _may_lack(self, name: str) -> bool:
        """Return whether a parameter may be left out: None says so in Python."""
        parameters = self.definition.get("parameters", {})
        return name in parameters and parameters[name].get("optional", False)

    def __repr__(self) -> str:
        """Name it and its parameters."""
        return f"<Operation {self.name}{self.__signature__}>"


def described(definition: OperationDefinition) -> str:
    """Return the docstring of an operation."""
    lines = [definition["about"], ""]
    if parameters := definition.get("parameters", {}):
        lines += ["Args:", *(f"    {name}: {_about(each)}" for name, each in parameters.items()), ""]
    if scopes := definition.get("scopes"):
        lines += [f"OAuth scopes: {' '.join(scopes)}", ""]
    if docs := definition.get("docs"):
        lines += [docs, ""]
    return "\n".join(lines).rstrip()


def _about(parameter: ParameterDefinition) -> str:
    if "default" in parameter:
        return f"{parameter['about']} Default: {json.dumps(parameter['default'])}."
    return f"{parameter['about']}{' May be left out.' if parameter.get('optional') else ''}"


def _signature(definition: OperationDefinition) -> inspect.Signature:
    parameters = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=each.get("default", None if each.get("optional") else inspect.Parameter.empty),
            annotation=type_of(each),
        )
        for name, each in definition.get("parameters", {}).items()
    ]
    # Those that have to be given come first.
    parameters.sort(key=lambda each: each.default is not inspect.Parameter.empty)
    return inspect.Signature(parameters)


def type_of(parameter: ParameterDefinition) -> type:
    """Return the type of a parameter in Python; `object` if it may have several."""
    schema: object = parameter.get("schema", {"type": "string"})
    # `true` is a schema, too: of whatever there is.
    kind = schema.get("type") if isinstance(schema, dict) else None
    return _TYPES.get(kind, object) if isinstance(kind, str) else object
