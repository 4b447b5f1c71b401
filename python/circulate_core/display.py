"""What notebooks show of results: a registry that `circulate_core.jupyter` fills.

Classes of results take their HTML from here and know nothing of how it is made. So whatever makes HTML can use all of
them, and where there are no notebooks, as on AWS, it can be left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_RENDERERS = "circulate_core.jupyter.renderers"
"""Module that registers what shows the classes of this package. It uses them, so only its name is known here."""
_registered: dict[type, Callable[..., str]] = {}


def register(kind: type, render: Callable[..., str]) -> None:
    """Have the objects of a class, and of classes derived from it, shown by a function.

    Args:
        kind: The class.
        render: Returns the HTML of an object. It gets what the class gives to `html`.
    """
    _registered[kind] = render


def html(shown: object, *details: object, **more: object) -> str:
    """Return the HTML of an object; the first call loads what makes it.

    Args:
        shown: The object.
        details: What its renderer needs beside it.
        more: The same, by name.

    Raises:
        LookupError: No class that it is of has a renderer.
    """
    from importlib import import_module  # noqa: PLC0415 - for notebooks only

    import_module(_RENDERERS)
    for kind in type(shown).__mro__:
        if kind in _registered:
            return _registered[kind](shown, *details, **more)
    message = f"nothing is registered to show a {type(shown).__name__}"
    raise LookupError(message)
