"""Methods that pass options on to a function, with the signature and the docstring of that function."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

F = TypeVar("F", bound="Callable[..., object]")


def passes_options_to(function: Callable[..., object], *, but: Collection[str]) -> Callable[[F], F]:
    """Show the options of a function in the signature and the docstring of what takes them as `**options`.

    Args:
        function: The function that takes the options.
        but: Those of its parameters that are left out.
    """

    def shown(method: F) -> F:
        options = [each for each in inspect.signature(function).parameters.values() if each.name not in but]
        own = inspect.signature(method)
        keywords = [each for each in own.parameters.values() if each.kind is not inspect.Parameter.VAR_KEYWORD]
        method.__signature__ = own.replace(parameters=[*keywords, *options])  # type: ignore[attr-defined]
        about = described(function)
        head, _, tail = inspect.cleandoc(method.__doc__ or "").partition("    options: ")
        method.__doc__ = head + "".join(about.get(each.name, "") for each in options) + tail.partition("\n")[2]
        return method

    return shown


def described(function: Callable[..., object]) -> dict[str, str]:
    """Return what the docstring of a function says about its parameters: their lines, by name."""
    _, _, arguments = inspect.cleandoc(function.__doc__ or "").partition("Args:\n")
    found: dict[str, str] = {}
    name = ""
    for line in arguments.split("\n\n")[0].splitlines(keepends=True):
        if not line.startswith("        "):
            name = line.strip().partition(":")[0]
        found[name] = found.get(name, "") + line
    return found
