"""What helps to write a source of one's own: projects, endpoints, proposals, and stubs of APIs for tests.

In the tests of a project, a list is pulled from a server on this machine that pages as the API is documented to:

    from circulate_core.authoring import StubApi

    API = StubApi(path="/v1/widgets", auth="none", list={"records": "/items", "primary_key": ["/id"], "paginator": ...})


    def test_every_record_is_pulled_once(catalog, tmp_path):
        pulled = API.pull("acme.widgets", catalog=catalog, to=tmp_path)
        assert (pulled.status, pulled.records) == ("complete", API.records)

None of it is needed to read an API, and nothing of the core imports it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from circulate_core.authoring.stub import Pulled, StubApi

__all__ = ["Pulled", "StubApi"]

if not TYPE_CHECKING:
    # As in the package itself: a stub brings servers along, which who looks at an API does not need.

    def __getattr__(name: str) -> object:
        """Import what is named."""
        from importlib import import_module  # noqa: PLC0415 - see above

        if name not in __all__:
            message = f"module {__name__!r} has no attribute {name!r}"
            raise AttributeError(message)
        return getattr(import_module("circulate_core.authoring.stub"), name)
