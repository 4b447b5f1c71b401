"""The plugin of pytest: the marker and the option of `circulate_core.testing.promises`.

It is loaded with every run of pytest where circulate-core is installed. So it imports nothing, not even that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare `--fault-seed`."""
    parser.getgroup("circulate-core").addoption(
        "--fault-seed",
        type=int,
        default=0,
        metavar="N",
        help="which requests meet a fault, where promises of circulate-core try only some (default: 0)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line("markers", "promises: tries what circulate-core promises of a list")
