"""Views of results: plain dicts and lists that notebooks show as a card or a table.

They equal plain ones, and JSON writes them as such.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from circulate_core import display

if TYPE_CHECKING:
    from circulate_core.types import ManifestIndex, Report


def gaps_of(given: Report | ManifestIndex) -> list[str]:
    """Return the gaps of a report or of a manifest's index, where versions before 0.2 call them `holes`."""
    return given["gaps"] if "gaps" in given else given["holes"]


class ReportView(dict[str, Any]):
    """A report of a pull, as `circulate_core.types.Report` describes it."""

    def __missing__(self, key: str) -> Any:  # noqa: ANN401 - JSON
        """Return `gaps` by its earlier name `holes`, which goes with 0.3, or the other way round."""
        if key == "gaps" and "holes" in self:
            return self["holes"]
        if key == "holes" and "gaps" in self:
            warnings.warn('`report["holes"]` is deprecated; use `report["gaps"]`', DeprecationWarning, stacklevel=2)
            return self["gaps"]
        raise KeyError(key)

    def _repr_html_(self) -> str:
        """Show it in a notebook."""
        return display.html(self)


class RunsView(list[Any]):
    """Entries of the run ledger, each as `circulate_core.types.Run` describes it."""

    def _repr_html_(self) -> str:
        """Show them in a notebook."""
        return display.html(self)


class DriftView(list[Any]):
    """Drift, place by place, each as `circulate_core.types.Drift` describes it."""

    def _repr_html_(self) -> str:
        """Show it in a notebook."""
        return display.html(self)
