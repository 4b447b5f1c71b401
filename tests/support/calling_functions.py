"""The functions of operations, as AWS calls them: what `caller` makes, in the environment that Terraform gives."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import Any
from unittest.mock import patch

from circulate_core.aws import caller
from support.handlers import Context

Function = Callable[[dict[str, Any]], dict[str, Any]]
VARIABLES = {
    "acme": {"base_url": "ACME_URL", "token": "ACME_TOKEN"},
    "okta": {"org_url": "OKTA_ORG_URL", "api_token": "OKTA_API_TOKEN"},
}


@dataclass
class Functions:
    """The functions of a project.

    Attributes:
        source: Their source.
        settings: Its settings.
        ledger: Where plans and the ledger are.
        account: The account that they serve.
        catalog: Folders of definitions.
    """

    source: str
    settings: Mapping[str, str]
    ledger: str | PathLike[str]
    account: str
    catalog: Sequence[str] = ()
    raising: list[Exception] = field(default_factory=list)
    """What the next invocations raise, before anything is done."""

    def __call__(self, name: str) -> Function:
        """Return a function by its name, such as `okta-users-suspend`."""
        handler = caller(name.replace("-", "."), catalog=self.catalog)

        def handle(event: dict[str, Any]) -> dict[str, Any]:
            if self.raising:
                raise self.raising.pop(0)
            with patch.dict(os.environ, self._environment()):
                return handler(event, Context())  # type: ignore[arg-type] # which is read only

        return handle

    def _environment(self) -> dict[str, str]:
        settings = {VARIABLES[self.source][name]: value for name, value in self.settings.items()}
        accounts = {f"{self.source.upper()}_ACCOUNTS": self.account}
        return {**settings, **accounts, "CIRCULATE_LEDGER": str(self.ledger)}
