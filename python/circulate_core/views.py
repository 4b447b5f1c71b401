"""What functions return where people look on: plain dicts and lists that notebooks show as a card or a table.

They equal plain ones, and JSON writes them as such.
"""

from __future__ import annotations

from typing import Any


class ReportView(dict[str, Any]):
    """A report of a pull, as `circulate_core.types.Report` describes it."""

    def _repr_html_(self) -> str:
        """Show it in a notebook."""
        from circulate_core.jupyter import html  # noqa: PLC0415 - for notebooks only

        return html.report(self)


class RunsView(list[Any]):
    """Entries of the run ledger, each as `circulate_core.types.Run` describes it."""

    def _repr_html_(self) -> str:
        """Show them in a notebook."""
        from circulate_core.jupyter import html  # noqa: PLC0415 - for notebooks only

        return html.runs(self)


class DriftView(list[Any]):
    """What drifted, place by place, each as `circulate_core.types.Drift` describes it."""

    def _repr_html_(self) -> str:
        """Show it in a notebook."""
        from circulate_core.jupyter import html  # noqa: PLC0415 - for notebooks only

        return html.drift(self)
