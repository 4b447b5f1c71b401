"""Results as the dicts and tuples that they were before 0.2. It goes with 0.3, as a whole."""

from __future__ import annotations

import copy
import warnings
from collections.abc import ItemsView, Iterator, KeysView, Mapping, ValuesView
from typing import Any, ClassVar, Self


@Mapping.register
class AsDict:
    """The ways of a dict, over the document of a result. Each warns and names the way of today."""

    __slots__ = ()
    _document: dict[str, Any]
    _earlier_names: ClassVar[Mapping[str, str]] = {}
    """Attributes whose members had another name in version 0.1."""

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - JSON
        """Return a member of the document."""
        self._warn(f'`["{name}"]`', self._today(name))
        return copy.deepcopy(self._document[self._present(name)])

    def __setitem__(self, name: str, value: object) -> None:
        """Refuse it."""
        message = f"a {type(self).__name__} cannot be changed; make a dict of it: {{**result.to_dict(), {name!r}: ...}}"
        raise TypeError(message)

    def get(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - JSON
        """Return a member of the document, or the default."""
        self._warn(f'`get("{name}")`', self._today(name))
        return copy.deepcopy(self._document.get(self._present(name), default))

    def __contains__(self, name: object) -> bool:
        """Return whether the document has a member."""
        self._warn("`in`")
        return name in self._document or (isinstance(name, str) and self._present(name) in self._document)

    def __iter__(self) -> Iterator[Any]:
        """Return the names of the document's members."""
        self._warn("iteration")
        return iter(self._document)

    def __len__(self) -> int:
        """Return how many members the document has."""
        self._warn("`len()`")
        return len(self._document)

    def keys(self) -> KeysView[str]:
        """Return the names of the document's members."""
        self._warn("`keys()`")
        return self._document.keys()

    def values(self) -> ValuesView[Any]:
        """Return the document's members."""
        self._warn("`values()`")
        return copy.deepcopy(self._document).values()

    def items(self) -> ItemsView[str, Any]:
        """Return the document's members with their names."""
        self._warn("`items()`")
        return copy.deepcopy(self._document).items()

    def copy(self) -> Self:
        """Return it: it does not change."""
        self._warn("`copy()`")
        return self

    def __bool__(self) -> bool:
        """Return true, whatever `len()` is."""
        return True

    def _present(self, name: str) -> str:
        """Return the name, of today or of 0.1, by which the document has a member."""
        both = next((both for both in self._earlier_names.items() if name in both), (name,))
        return next((each for each in both if each in self._document), name)

    def _today(self, name: str) -> str:
        """Return how a member is read today."""
        new = next((new for new, earlier in self._earlier_names.items() if earlier == name), name)
        return f"`.{new}`" if hasattr(self, new) else f'`.to_dict()["{self._present(name)}"]`'

    def _warn(self, what: str, use: str = "`.to_dict()`") -> None:
        message = f"{what} of {type(self).__name__} is deprecated; use {use}"
        warnings.warn(message, DeprecationWarning, stacklevel=3)


class AsPair(AsDict):
    """The ways of the tuple that a result with two attributes was."""

    __slots__ = ()

    def __iter__(self) -> Iterator[Any]:
        """Return both values."""
        return iter(self._pair("unpacking"))

    def __getitem__(self, index: int) -> Any:  # type: ignore[override] # noqa: ANN401 - either
        """Return one of them."""
        return self._pair(f"`[{index}]`")[index]

    def __len__(self) -> int:
        """Return 2."""
        return len(self._pair("`len()`"))

    def _pair(self, what: str) -> tuple[Any, ...]:
        names = list(type(self).__annotations__)
        use = " and ".join(f"`.{name}`" for name in names)
        message = f"{what} of {type(self).__name__} is deprecated; use {use}"
        warnings.warn(message, DeprecationWarning, stacklevel=3)
        return tuple(getattr(self, name) for name in names)
