"""Tests of one's own lists, for pytest.

```python
from circulate_core.testing import promises

test_users = promises("acme.users", cassette="cassettes/acme.users.jsonl")
```
"""

from __future__ import annotations

import atexit
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circulate_core.authoring.cassettes.cassette import Cassette
from circulate_core.authoring.cassettes.of_stub import OfStub
from circulate_core.authoring.cassettes.promises import PROMISES, TEST_IDS, OfCassette, Trial
from circulate_core.authoring.cassettes.pulling import Workers
from circulate_core.authoring.project import DEFINITIONS, project_in
from circulate_core.exceptions import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from os import PathLike

    from circulate_core.authoring.stub import StubApi

__all__ = ["promises"]


def promises(  # noqa: PLR0913 - each is a different thing, given once
    stream: str,
    *,
    cassette: str | PathLike[str] | None = None,
    stub: StubApi | None = None,
    catalog: Sequence[str | PathLike[str]] | None = None,
    settings: Mapping[str, str] | None = None,
    but: Sequence[str] = (),
) -> Callable[..., None]:
    """Return a test of a list, with a parameter for each promise: `test_users[429]`.

    Args:
        stream: The stream, such as `acme.users`.
        cassette: The file that it was recorded to, relative to the test.
        stub: A stub of its API, in the place of a cassette.
        catalog: Folders of definitions, relative to the test. Default: those of the project that the test is in.
        settings: More settings of the source, for a stub.
        but: Promises that are not tried, by their names: `killed` takes the longest.

    Raises:
        SettingsError: Neither a cassette nor a stub is given, or both; or there is no such promise.
    """
    import pytest  # noqa: PLC0415 - it is installed where there are tests

    here = Path(sys._getframe(1).f_globals.get("__file__", "test")).resolve().parent  # noqa: SLF001 - whose test it is
    _check(cassette, stub, but)
    folders = _project_of(here) if catalog is None else [here / each for each in catalog]

    @cache
    def trial(seed: int) -> Trial:
        if stub is not None:
            return Trial(OfStub(stub, stream, folders, settings), _engine(), seed)
        return Trial(OfCassette(Cassette.read(here / str(cassette)), folders, stream), _engine(), seed)

    chosen = [promise for promise in PROMISES if promise not in but]

    def test(promise: str, pytestconfig: Any) -> None:  # noqa: ANN401 - pytest's
        __tracebackhide__ = True
        kept = trial(pytestconfig.getoption("fault_seed", 0)).of(promise)
        if kept.broken:
            pytest.fail(f"{stream}: {kept.explained()}", pytrace=False)
        if kept.skipped:
            pytest.skip(kept.skipped)

    ids = [TEST_IDS.get(promise, promise) for promise in chosen]
    made: Callable[..., None] = pytest.mark.promises(pytest.mark.parametrize("promise", chosen, ids=ids)(test))
    return made


def _check(cassette: object, stub: object, but: Sequence[str]) -> None:
    operation = "make tests of a list"
    if (cassette is None) == (stub is None):
        message = "one of `cassette` and `stub` is needed, and not both"
        hint = "`circulate record STREAM --to FILE` records a cassette"
        raise SettingsError(message, operation=operation, hint=hint)
    if unknown := [each for each in but if each not in PROMISES]:
        message = f"invalid `but`: no promise is named {', '.join(map(repr, unknown))}"
        raise SettingsError(message, operation=operation, hint=f"they are {', '.join(PROMISES)}")


def _project_of(folder: Path) -> list[Path]:
    """Return the definitions of the project that a folder is in; else those that the environment names."""
    project = next((each for each in (folder, *folder.parents) if project_in(each)), None)
    return [] if project is None else [project / DEFINITIONS]


@cache
def _engine() -> Workers:
    """The processes that pull, for all tests."""
    engine = Workers()
    engine.__enter__()
    atexit.register(engine.__exit__, None, None, None)
    return engine
