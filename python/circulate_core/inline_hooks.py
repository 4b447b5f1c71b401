"""Hooks that are given as functions in a definition in code: made text, which is what is run, hashed and saved."""

from __future__ import annotations

import ast
import builtins
import inspect
import symtable
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from circulate_core.exceptions import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_HEAD = "from __future__ import annotations\n\n\n"
"""So that annotations need nothing from elsewhere."""


def with_names(definition: Mapping[str, Any], prefix: str, files: dict[str, str]) -> dict[str, Any]:
    """Return a definition with the names of hooks in the place of functions, and put their text into `files`.

    Args:
        definition: A source or an endpoint.
        prefix: What names of files begin with, since two endpoints may have hooks of one name.
        files: Texts by the name of their file.

    Raises:
        DefinitionError: The text of a function is not known, or needs something from elsewhere.
    """
    return {key: _named(value, prefix, files) for key, value in definition.items()}


def _named(value: object, prefix: str, files: dict[str, str]) -> object:
    if isinstance(value, Mapping):
        return with_names(value, prefix, files)
    if isinstance(value, (list, tuple)):
        return [_named(each, prefix, files) for each in value]
    if not callable(value):
        return value
    name, text = _text_of(value)
    file = f"{prefix}{name}.py"
    if files.setdefault(file, text) != text:
        message = f"two hooks are named `{name}`: each goes into a file of its name"
        raise DefinitionError(message)
    return f"{file}:{name}"


def _text_of(function: Callable[..., object]) -> tuple[str, str]:
    """Return the name of a function, and a file with it."""
    shown = getattr(function, "__qualname__", type(function).__qualname__)
    hint = "write it with `def`, or into a file beside the definition: `hooks.py:decode`"
    if not inspect.isfunction(function):
        message = f"the hook {shown} is not a function"
        raise DefinitionError(message, hint=hint)
    try:
        text = textwrap.dedent(inspect.getsource(function))
        statements = ast.parse(text).body
    except (OSError, TypeError, SyntaxError):
        message = f"the text of the hook {shown} is not known, so that it could neither be hashed nor saved"
        raise DefinitionError(message, hint=hint) from None
    match statements:
        case [ast.FunctionDef(name=name, decorator_list=[])]:
            pass
        case _:
            message = f"the hook {shown} is not a plain function: a lambda, one with a decorator, or an async one"
            raise DefinitionError(message, hint=hint)
    text = _HEAD + text
    if outside := sorted(set(_outside(symtable.symtable(text, shown, "exec"))) - {name}):
        message = f"the hook {shown} uses {', '.join(f'`{each}`' for each in outside)}, which is not defined in it"
        raise DefinitionError(message, hint="a hook that is given as a function is saved alone: import inside of it")
    return name, text


def _outside(scope: symtable.SymbolTable) -> Iterator[str]:
    """Yield what a scope, or one in it, uses of the module, which has nothing but the function."""
    for symbol in scope.get_symbols():
        is_own = scope.get_type() == "module" and (symbol.is_assigned() or symbol.is_imported())
        uses_module = symbol.is_global() or scope.get_type() == "module"
        if uses_module and symbol.is_referenced() and not is_own and not hasattr(builtins, symbol.get_name()):
            yield symbol.get_name()
    for inner in scope.get_children():
        if inner.get_name() != "annotation":
            yield from _outside(inner)
