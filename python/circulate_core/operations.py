"""Operations: what can be called at an endpoint besides its list.

```python
import circulate_core

okta = circulate_core.source("okta")
user = okta.users.get(id="isaac.brock@example.com")
print(user["status"])
```
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from circulate_core import _core
from circulate_core.accounts import account_of
from circulate_core.catalogs import stream_definition
from circulate_core.exceptions import DefinitionError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from circulate_core.types import Catalog, Definition, Headroom, OperationDefinition


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
    _, returned = _core.call(operation, as_json(parameters or {}), known, {"deadline": None, "max_wait": None})
    return returned


def operation_definition(operation: str, *, catalog: Catalog = ()) -> tuple[Definition, OperationDefinition]:
    """Return the definition of an operation, and of the stream of its endpoint.

    Raises:
        DefinitionError: There is no such operation, or a definition is wrong.
    """
    definition = stream_definition(split(operation)[0], catalog=catalog)
    return definition, operation_of(definition, operation)


def operation_of(definition: Definition, operation: str) -> OperationDefinition:
    """Return the definition of an operation out of that of its stream.

    Raises:
        DefinitionError: There is no such operation.
    """
    stream, name = split(operation)
    known = definition["endpoint"].get("operations", {})
    if name not in known:
        from difflib import get_close_matches  # noqa: PLC0415 - for mistakes only

        message = f"{stream} has no operation `{name}`"
        meant = get_close_matches(name, known, 1)
        hint = f"did you mean `{meant[0]}`?" if meant else f"its operations: {', '.join(known) or 'none, it is pulled'}"
        raise DefinitionError(message, hint=hint)
    return known[name]


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
