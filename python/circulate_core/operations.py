"""Operations: what can be called at an endpoint besides its list.

```python
import circulate_core

okta = circulate_core.source("okta")
user = okta.users.get(id="isaac.brock@example.com")
print(user["status"])
```
"""

from __future__ import annotations

import inspect
import json
from typing import TYPE_CHECKING, Any

from circulate_core import _core
from circulate_core.accounts import account_of
from circulate_core.catalogs import stream_definition
from circulate_core.exceptions import DefinitionError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from circulate_core.types import Catalog, Headroom, OperationDefinition, ParameterDefinition

_TYPES: dict[str, type] = {
    "string": str,
    "integer": int,
    "number": float,
    "boolean": bool,
    "object": dict,
    "array": list,
}


def call(  # noqa: PLR0913 - how to know an account, and what to call
    operation: str,
    parameters: Mapping[str, object] | None = None,
    *,
    settings: Mapping[str, str] | _core.Settings | None = None,
    profile: str | None = None,
    secret: str | None = None,
    account: str | None = None,
    headroom: Headroom | None = None,
    catalog: Catalog = (),
) -> Any:  # noqa: ANN401 - JSON
    """Call an operation of an endpoint.

    Args:
        operation: `source.endpoint.operation`, such as `okta.users.get`.
        parameters: Its parameters by name. They are checked before anything is requested.
        settings: Settings of the source by name. Those that are not given come from the environment and from
            `circulate.toml`, as for `source`.
        profile: Profile of the source in `circulate.toml`, `[okta.profiles.NAME]`, whose settings are taken instead of
            the environment's.
        secret: Name or ARN of a secret in AWS Secrets Manager with the settings that are not given.
        account: Name of the account. Default: the host of its address.
        headroom: Share of the API's quota to leave to others, as for `pull`.
        catalog: Folders of definitions that come before the shipped ones.

    Returns:
        What the API returned: a dict of the object, a list of the records of a list, or None.

    Raises:
        DefinitionError: There is no such operation.
        SettingsError: A parameter is missing, unknown or wrong. All of them are named.
        CirculateError: What else went wrong.
    """
    # First of all, so that no traceback with its locals shows one.
    is_complete = isinstance(settings, _core.Settings)
    settings = _core.Settings(settings)
    stream, _ = split(operation)
    source = None if is_complete else stream_definition(stream, catalog=catalog)["source"]
    known = account_of(
        source, settings, catalog=catalog, profile=profile, secret=secret, account=account, headroom=headroom
    )
    return _core.call(operation, as_json(parameters or {}), known)


def split(operation: str) -> tuple[str, str]:
    """Return the stream and the operation that `source.endpoint.operation` names.

    Raises:
        DefinitionError: It names none.
    """
    stream, _, name = operation.rpartition(".")
    if "." not in stream or not name:
        message = f"`{operation}` names no operation"
        raise DefinitionError(message, hint="an operation is named `source.endpoint.operation`: `okta.users.get`")
    return stream, name


def as_json(parameters: Mapping[str, object]) -> str:
    """Return parameters as the engine takes them.

    Raises:
        SettingsError: A value is not JSON.
    """
    try:
        text = json.dumps(dict(parameters), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        message = f"a parameter cannot be written as JSON: {error}"
        raise SettingsError(message) from None
    return text


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
        """Call it; see its own docstring."""
        given = {name: value for name, value in parameters.items() if value is not None or not self._may_lack(name)}
        return call(self.name, given, **self._account)

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
    kind = parameter.get("schema", {"type": "string"}).get("type")
    return _TYPES.get(kind, object) if isinstance(kind, str) else object
