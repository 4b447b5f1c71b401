"""Commands that start a practice server: these are packages beside this one, which the Lambda layer leaves out."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from circulate_core.exceptions import SettingsError

if TYPE_CHECKING:
    import argparse


class PracticeCommand:
    """The command of a practice server.

    Args:
        module: Name of the module that has its `add_arguments` and `run`.
    """

    def __init__(self, module: str) -> None:
        self.module = module

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare its options, if the practice servers are installed."""
        command = self._installed()
        if command is not None:
            command.add_arguments(parser)

    def run(self, args: argparse.Namespace) -> int:
        """Run the server until it is stopped."""
        command = self._installed()
        if command is None:
            message = "this installation comes without the practice servers"
            raise SettingsError(message)
        code: int = command.run(args)
        return code

    def _installed(self) -> Any:  # noqa: ANN401 - a module
        try:
            return import_module(self.module)
        except ModuleNotFoundError:
            return None
