"""The guides for authors: their commands run in an empty folder, and what they show is what comes."""

from support.cli import Cli
from support.guides import Reader


def test_paging_by_example(cli: Cli) -> None:
    Reader("paging-by-example.md", cli).read()


def test_auth_by_example(cli: Cli) -> None:
    Reader("auth-by-example.md", cli).read()


def test_increments(cli: Cli) -> None:
    Reader("increments.md", cli).read()
