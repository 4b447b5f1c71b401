"""A stub of an API: it serves a list on this machine as the API's documentation says, and a definition pulls it."""

from __future__ import annotations

import base64
import json
import shutil
import tempfile
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlencode

from circulate_core import _core
from circulate_core.authoring.made_up import paged_list
from circulate_core.catalogs import source_definition, source_folder, stream_definition
from circulate_core.exceptions import DefinitionError, IncompleteWarning
from circulate_core.pulling import pull
from circulate_practice.compare import records as records_in
from circulate_practice.paging import kit
from circulate_practice.paging.kit.messages import FORM_TYPE, JSON_TYPE
from circulate_practice.paging.kit.places import ABSENT, value_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from os import PathLike

    from circulate_core.results import Report, Status

STUBBED: Final = ("none", "bearer", "header", "headers", "basic", "query", "body")
"""Ways to sign in that a stub can check."""
_CONTENT: Final = {"json": JSON_TYPE, "graphql": JSON_TYPE, "form": FORM_TYPE}


@dataclass(frozen=True)
class Pulled:
    """What a pull from a stub came to.

    Attributes:
        status: `complete`, or why not.
        records: Records in the lake, in order, without what was added to them.
        report: The report of the pull.
        requests: Requests that the stub got, as `GET /v1/widgets?limit=50`.
    """

    status: Status
    records: list[Any]
    report: Report
    requests: list[str]


class StubApi:
    """An API with one list of two pages, made up of what its documentation says.

    It is written down apart from the definition: what one of them says and the other does not shows in the pull.

    Args:
        path: Path of the list, below the base URL.
        list: What stands below `list` of a definition that reads it, without `path`: `records`, `primary_key`,
            `paginator`, `page_size`, `format`, `empty`, `method`, `query`, `encode`, `headers`, `body`.
        auth: How requests are signed in, as in a definition: {"bearer": "token"}; "none" lets everybody in. None tests
            the list alone: the definition's own way to sign in is left out.

    Raises:
        DefinitionError: No API is like that, or a stub cannot check that way to sign in.
    """

    def __init__(self, *, path: str, list: Mapping[str, Any], auth: Mapping[str, Any] | str | None = "none") -> None:  # noqa: A002 - the key of definitions
        self.path = path
        self.list = dict(list)
        self.auth = auth
        self._credentials = _Credentials.of(auth)
        self._paged = paged_list(self.list)

    @property
    def records(self) -> list[Any]:
        """The records of the list, in order: what a pull must have."""
        return self._paged.truth

    @property
    def settings(self) -> dict[str, str]:
        """The settings that requests are signed in with, made up."""
        return dict(self._credentials.settings)

    @contextmanager
    def serve(self, port: int = 0) -> Iterator[kit.ListServer]:
        """Serve the list until the block ends; the server has its `url`, and a `log` of all requests.

        Args:
            port: Port of this machine; 0 takes a free one.

        Raises:
            OSError: The port is taken, or not ours to take.
        """
        server = _Server(self, port).start()
        try:
            yield server
        finally:
            server.close()

    def pull(
        self,
        stream: str,
        *,
        catalog: Sequence[str | PathLike[str]],
        to: str | PathLike[str],
        settings: Mapping[str, str] | None = None,
    ) -> Pulled:
        """Serve the list and pull it.

        Args:
            stream: The stream whose definition is tried, such as `acme.widgets`.
            catalog: Folders of definitions.
            to: Folder to pull into.
            settings: More settings of the source. Nothing is taken from the environment.

        Raises:
            CirculateError: The pull failed; the text says why.
        """
        # In the folder that it is of, so that its mistakes are shown there.
        stream_definition(stream, catalog=catalog)
        given = _core.Settings({**self.settings, **(settings or {})})
        with tempfile.TemporaryDirectory() as folder, self.serve() as server, warnings.catch_warnings():
            # Whether something is missing is known here.
            warnings.simplefilter("ignore", IncompleteWarning)
            redirected = redirected_catalog(stream.partition(".")[0], catalog, Path(folder), server.url, self.auth)
            report = pull(stream, to=to, settings=given, account="stub", catalog=[redirected])
            requests = [f"{each.request.method} {each.request.target}" for each in server.log]
        found = [] if report.manifest is None else records_in(Path(to) / report.manifest)
        return Pulled(report.status, [as_received(json.loads(record)) for record in found], report, requests)

    def reply_to(self, request: kit.ListRequest) -> kit.ListReply:
        """Return the response to a request."""
        if missing := self._credentials.missing_in(request):
            return kit.ListReply.of({"error": f"not signed in: {missing} is missing or wrong"}, 401)
        request = self._credentials.taken_out_of(request)
        is_first = unquote(request.path) == self.path
        if not is_first and not self._is_page(request):
            return kit.ListReply.of({"error": f"there is nothing at {request.path}"}, 404)
        if wrong := self._wrong_in(request):
            return kit.ListReply.of({"error": f"{wrong} is missing or wrong"}, 400)
        if is_first and self._token_path:
            # Where the path has a token, that of the first page is none.
            request = replace(request, target=f"/?{request.target.partition('?')[2]}")
        return self._paged.respond(request)

    @property
    def _token_path(self) -> str | None:
        """The path of a page whose token is a part of it."""
        to = self._paged.style.options.get("to")
        return to.get("path") if isinstance(to, dict) else None

    def _is_page(self, request: kit.ListRequest) -> bool:
        if self._token_path is None:
            return False
        before, _, after = self._token_path.partition("{token}")
        path = unquote(request.path)
        return path.startswith(before) and path.endswith(after) and len(path) > len(before) + len(after)

    def _wrong_in(self, request: kit.ListRequest) -> str | None:
        """Return what a request does not have as the definition is to send it."""
        sent, options = dict(request.query), self._paged.style.options
        if options.get("send") == "token" and value_in(request, _first(options["to"])) is not ABSENT:
            return None
        query = {name: str(value) for name, value in self.list.get("query", {}).items()}
        lacking = [f"the parameter {name}" for name, value in query.items() if sent.get(name) != value]
        headers = {name.lower(): value for name, value in self.list.get("headers", {}).items()}
        lacking += [f"the header {name}" for name, value in headers.items() if request.headers.get(name) != value]
        return next(iter([*lacking, *self._wrong_in_body(request)]), None)

    def _wrong_in_body(self, request: kit.ListRequest) -> Iterator[str]:
        for kind, members in self.list.get("body", {}).items():
            if request.headers.get("content-type", "").partition(";")[0] != _CONTENT[kind]:
                yield f"a body of {_CONTENT[kind]}"
            elif kind != "graphql":
                document = request.document
                yield from (f"{name} of the body" for name, value in members.items() if document.get(name) != value)


@dataclass(frozen=True)
class _Credentials:
    """What every request needs: values by the place they are in."""

    settings: Mapping[str, str]
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: Mapping[str, str]

    @classmethod
    def of(cls, auth: Mapping[str, Any] | str | None) -> _Credentials:
        """Return what a way to sign in needs, made up.

        Raises:
            DefinitionError: A stub cannot check it.
        """
        kind, keys = _kind_and_keys(auth)
        if kind not in STUBBED:
            message = f"a stub cannot check how `{kind}` signs in"
            hint = f"it checks {', '.join(STUBBED)}; auth=None leaves signing in out, and tests the list alone"
            raise DefinitionError(message, operation="make a stub", hint=hint)
        if kind == "basic":
            user, password = (_made_up(keys[half]) if half in keys else "" for half in ("user", "password"))
            pair = base64.b64encode(f"{user}:{password}".encode()).decode()
            return cls(_all_made_up(keys.values()), {"authorization": f"Basic {pair}"}, {}, {})
        if kind in {"query", "body"}:
            settings, sent = _all_made_up([keys["secret"]]), {keys["name"]: _made_up(keys["secret"])}
            return cls(settings, {}, sent if kind == "query" else {}, sent if kind == "body" else {})
        headers = _headers(kind, keys)
        sent = {header["name"].lower(): header.get("prefix", "") + _made_up(header["secret"]) for header in headers}
        return cls(_all_made_up(header["secret"] for header in headers), sent, {}, {})

    def missing_in(self, request: kit.ListRequest) -> str | None:
        """Return what a request lacks."""
        sent = dict(request.query)
        lacking = [name for name, value in self.headers.items() if request.headers.get(name) != value]
        lacking += [name for name, value in self.query.items() if sent.get(name) != value]
        lacking += [name for name, value in self.body.items() if request.document.get(name) != value]
        return next(iter(lacking), None)

    def taken_out_of(self, request: kit.ListRequest) -> kit.ListRequest:
        """Return a request without what stands in its query: no next address repeats it."""
        if not self.query:
            return request
        rest = urlencode([(name, value) for name, value in request.query if name not in self.query])
        return replace(request, target=f"{request.path}?{rest}")


def _kind_and_keys(auth: Mapping[str, Any] | str | None) -> tuple[str, Any]:
    if auth is None or isinstance(auth, str):
        return auth or "none", None
    ((kind, keys),) = auth.items()
    return kind, keys


def _headers(kind: str, keys: Any) -> list[Mapping[str, str]]:  # noqa: ANN401 - what a definition may say
    match kind:
        case "bearer":
            return [{"name": "Authorization", "prefix": "Bearer ", "secret": keys}]
        case "header":
            return [keys]
        case "headers":
            return list(keys)
        case _:
            return []


def _first(places: Any) -> Any:  # noqa: ANN401 - one place or several
    return places[0] if isinstance(places, list) else places


def _all_made_up(settings: Iterable[str]) -> dict[str, str]:
    return {setting: _made_up(setting) for setting in settings}


def _made_up(setting: str) -> str:
    return f"made-up-{setting}"


class _Server(kit.ListServer):
    """Serves a stub."""

    def __init__(self, api: StubApi, port: int) -> None:
        self._api = api
        super().__init__({}, port=port)

    def reply_to(self, request: kit.ListRequest) -> kit.ListReply:
        return self._api.reply_to(request)


def redirected_catalog(
    source: str, catalog: Sequence[str | PathLike[str]], folder: Path, url: str, auth: object
) -> Path:
    """Write the catalog of a source that is the same, but for its address; return the folder."""
    own = source_folder(source, catalog=catalog)
    if own is None:
        message = f"`{source}` is not defined in {', '.join(map(str, catalog))}"
        raise DefinitionError(message, operation="pull from a stub")
    definition: dict[str, Any] = {**source_definition(source, catalog=catalog)}
    definition["base_url"] = url
    if auth is None:
        definition["auth"] = ["none"]
        # Secrets are there to sign in, and one that nothing uses is an error.
        settings = definition["settings"].items()
        definition["settings"] = {name: setting for name, setting in settings if not setting["secret"]}
    shutil.copytree(own, folder / source)
    # JSON is YAML, too.
    (folder / source / "source.yaml").write_text(json.dumps(definition))
    return folder


def as_received(record: Any) -> Any:  # noqa: ANN401 - JSON
    """Return a record as the API has it: without what was put in front of it, and a value as itself."""
    if isinstance(record, dict):
        record.pop("_circulate", None)
    return record["value"] if isinstance(record, dict) and list(record) == ["value"] else record
