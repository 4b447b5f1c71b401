"""A new list of a project: its definition, its function and its test, and its source, if that is new, too."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from circulate_core.authoring.described import described
from circulate_core.authoring.files import in_the_way, write_new
from circulate_core.authoring.flow import flow
from circulate_core.authoring.project import DEFINITIONS, FUNCTIONS, TESTS, project_around, project_in
from circulate_core.authoring.stub import STUBBED, StubApi
from circulate_core.catalogs import SHIPPED_CATALOG, source_definition, stream_definition
from circulate_core.exceptions import CirculateError, DefinitionError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from circulate_core.authoring.described import Described, Value

_OPERATION: Final = "describe a list"
_RESERVED: Final = {"targets": "functions that bring runs to readers"}
_NOT_AN_ENDPOINT: Final = "source"
"""Its file would be that of the source."""
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")


class NewEndpoint:
    """A list that a project does not have yet.

    Args:
        stream: Its name, such as `acme.widgets`.
        project: Folder of the project.

    Attributes:
        source: Name of its source.
        endpoint: Name of its endpoint.
        has_source: Whether the project has the source already.

    Raises:
        SettingsError: There is no project, or a name is invalid or taken.
    """

    def __init__(self, stream: str, project: Path) -> None:
        self.source, self.endpoint = _checked(stream)
        self._project = project
        if not project_in(project):
            around = project_around(project)
            message = f"there is no project in {project.absolute()}: no circulate.toml with a folder {DEFINITIONS}"
            hint = f"cd {around}" if around else "`circulate init` makes one"
            raise SettingsError(message, operation=_OPERATION, hint=hint)
        self.has_source = os.path.lexists(project / DEFINITIONS / self.source / "source.yaml")
        files = [project / path for path in self._paths().values()]
        if taken := sorted({str(each.relative_to(project)) for each in in_the_way(project, files)}):
            message = f"nothing is written, since there is already: {', '.join(taken)}"
            raise SettingsError(message, operation=_OPERATION, hint="name another endpoint, or move these files away")

    def _paths(self) -> dict[str, str]:
        folder = f"{FUNCTIONS}/{self.source}/{self.endpoint}"
        return {
            "definition": f"{DEFINITIONS}/{self.source}/{self.endpoint}.yaml",
            "handler": f"{folder}/handler.py",
            "lambda": f"{folder}/lambda.yaml",
            "test": f"{TESTS}/test_{self.source}_{self.endpoint}.py",
        }

    def texts(self, words: Mapping[str, Value]) -> dict[str, str]:
        """Return the files that describe it, by their paths in the project.

        Args:
            words: What was given, by the words of `described`.

        Raises:
            SettingsError: Words are missing or wrong; all of them are named, as flags.
            DefinitionError: The engine does not take the definition, or does not pull all of a list that is like that.
        """
        made = described(words, self.source, with_source=not self.has_source)
        _refuse(made)
        paths = self._paths()
        definitions = {paths["definition"]: self._definition(made, words)}
        if not self.has_source:
            definitions[f"{DEFINITIONS}/{self.source}/source.yaml"] = self._source(made, words)
        listing = {key: value for key, value in made.listing.items() if key != "path"}
        if "body" in listing:
            listing = {"method": "POST", **listing}
        # In a definition a literal brace is doubled.
        path = made.listing["path"].replace("{{", "{").replace("}}", "}")
        with tempfile.TemporaryDirectory() as folder:
            self._write_definitions(definitions, Path(folder))
            auth = self._load(Path(folder))
            self._try(StubApi(path=path, list=listing, auth=auth), Path(folder))
        return {
            **definitions,
            paths["handler"]: _HANDLER.format(title=_title(self.source), name=self.endpoint, stream=self._stream),
            paths["lambda"]: _LAMBDA.format(source=self.source, endpoint=self.endpoint),
            paths["test"]: self._test(path, auth, listing),
        }

    def write(self, texts: Mapping[str, str]) -> list[Path]:
        """Write the files; all of them, or none.

        Raises:
            SettingsError: A file is there by now, or cannot be written.
        """
        hint = "name another endpoint, or move these files away"
        return write_new(self._project, texts, operation=_OPERATION, hint=hint)

    @property
    def _stream(self) -> str:
        return f"{self.source}.{self.endpoint}"

    def _source(self, made: Described, words: Mapping[str, Value]) -> str:
        address = {"env": f"{self.source}_URL".upper(), "about": "Address of the API"}
        settings = {"url": {**address, "default": words["base-url"]}}
        lines = [f"  {name}: {flow(setting)}" for name, setting in {**settings, **made.settings}.items()]
        check = _check_request(made.listing)
        return _SOURCE.format(
            source=self.source,
            title=flow(_title(self.source)),
            settings="\n".join(lines),
            auth=_item(made.auth),
            check=_CHECK.format(check=flow(check)) if check else "",
        )

    def _definition(self, made: Described, words: Mapping[str, Value]) -> str:
        about = str(words.get("about") or f"{_title(self.endpoint)} of {_title(self.source)}")
        lines = [f"  {key}: {flow(value)}" for key, value in made.listing.items()]
        return _ENDPOINT.format(endpoint=self.endpoint, about=flow(about), list="\n".join(lines))

    def _write_definitions(self, definitions: Mapping[str, str], folder: Path) -> None:
        """Write the definitions to a folder of their own, with what the project has of the source."""
        if (there := self._project / DEFINITIONS / self.source).is_dir():
            _copy(there, folder / DEFINITIONS / self.source)
        for path, text in definitions.items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8", newline="\n")

    def _load(self, folder: Path) -> Any:  # noqa: ANN401 - a way to sign in
        """Let the engine read the definitions in a folder; return how the test signs in.

        Raises:
            DefinitionError: It does not take them.
        """
        try:
            stream_definition(self._stream, catalog=[folder / DEFINITIONS])
            ways = source_definition(self.source, catalog=[folder / DEFINITIONS])["auth"]
        except DefinitionError as error:
            message = str(error).replace(f"{folder}{os.sep}", "")
            hint = "nothing is written: correct the flag that this is of"
            raise DefinitionError(message, operation=_OPERATION, hint=hint) from None
        return next((way for way in ways if _kind(way) in STUBBED), None)

    def _try(self, api: StubApi, folder: Path) -> None:
        """Pull the list by the definitions in a folder, as its test will do.

        Raises:
            DefinitionError: Not all of it comes.
        """
        try:
            pulled = api.pull(self._stream, catalog=[folder / DEFINITIONS], to=folder / "lake")
            why = "" if pulled.status == "complete" else f"the pull is {pulled.status}"
            why = why or ("" if pulled.records == api.records else "other records come than there are")
        except CirculateError as error:
            why = str(error)
        if why:
            message = f"a list that is as these flags say cannot be pulled: {why}"
            hint = "nothing is written: it was tried with a stub, as the test of the list does"
            raise DefinitionError(message, operation=_OPERATION, hint=hint)

    def _test(self, path: str, auth: Any, listing: Mapping[str, Any]) -> str:  # noqa: ANN401 - a way to sign in
        lines = [f"        {_python(key)}: {_python(value)}," for key, value in listing.items()]
        return _TEST.format(
            stream=self._stream,
            path=_python(path),
            auth=_python(auth),
            listing="\n".join(lines),
            alone=_ALONE if auth is None else "",
            name=f"{self.source}_{self.endpoint}",
        )


def _checked(stream: str) -> tuple[str, str]:
    """Return source and endpoint of a name.

    Raises:
        SettingsError: It is invalid, or cannot be that of a list of one's own.
    """
    source, dot, endpoint = stream.partition(".")
    wrong = [f"`{name}`" for name in (source, endpoint) if not _NAME.fullmatch(name)]
    if not dot or wrong:
        message = f"invalid `SOURCE.ENDPOINT`: `{stream}`"
        hint = "write it as acme.widgets: two names of a-z, 0-9 and _, a letter first, each of 63 characters at most"
        raise SettingsError(message, operation=_OPERATION, hint=hint)
    taken = _RESERVED.get(source)
    if Path(SHIPPED_CATALOG, source).is_dir():
        taken = "the source that comes with circulate-core; one of yours would hide it"
    if taken:
        message = f"`{source}` is the name of {taken}"
        raise SettingsError(message, operation=_OPERATION, hint=f"choose another one, such as my_{source}")
    if endpoint == _NOT_AN_ENDPOINT:
        message = "an endpoint cannot be named `source`: source.yaml describes the API"
        raise SettingsError(message, operation=_OPERATION, hint="choose another name")
    return source, endpoint


def _refuse(made: Described) -> None:
    """Report all that is missing or wrong.

    Raises:
        SettingsError: Something is.
    """
    lines = [f"missing: {', '.join(f'`--{word}`' for word in dict.fromkeys(made.missing))}"] if made.missing else []
    lines += [f"invalid `--{word}`: {why}" for word, why in made.wrong.items()]
    if lines:
        hint = "nothing is written; `circulate new --help` shows all flags with examples"
        raise SettingsError("\n".join(lines), operation="", hint=hint)


def _copy(folder: Path, to: Path) -> None:
    try:
        shutil.copytree(folder, to)
    except OSError as error:
        message = f"cannot read the source in {folder}: {error.strerror or error}"
        raise SettingsError(message, operation=_OPERATION) from None


def _check_request(listing: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the first request to a list, if a check can say it: one by GET, of a path and a query.

    Without one the source is checked by its lists.
    """
    if "body" in listing:
        return None
    paginator = listing["paginator"]
    options = next(iter(paginator.values())) if isinstance(paginator, dict) else {}
    query = dict(listing.get("query", {}))
    if isinstance(paginator, dict) and "token" in paginator and "start" in options:
        if not isinstance(options["to"], str):
            return None
        query[options["to"]] = options["start"]
    return {"path": listing["path"], **({"query": query} if query else {})}


def _item(way: object) -> str:
    """Return a way to sign in as an item of a list that has a line for each."""
    ((kind, keys),) = way.items() if isinstance(way, dict) else [(way, None)]
    return str(kind) if keys is None else f"{kind}: {flow(keys)}"


def _kind(way: object) -> str:
    return str(next(iter(way))) if isinstance(way, dict) else str(way)


def _title(name: str) -> str:
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def _python(value: object) -> str:
    """Return a value as Python, with the quotes that a formatter would choose."""
    match value:
        case dict():
            return f"{{{', '.join(f'{_python(key)}: {_python(each)}' for key, each in value.items())}}}"
        case list() | tuple():
            return f"[{', '.join(map(_python, value))}]"
        case str() if value.isprintable():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return repr(value)


_SOURCE: Final = """\
# The API: where it is, how requests are signed in, and what those configure who use it.
# All keys: the guide to definitions (definitions.md) of circulate-core.
source: {source}
title: {title}
settings:
{settings}
base_url: "{{url}}"
# Other ways to sign in, such as OAuth and logins: definitions.md#signing-in
auth:
- {auth}
{check}# How many requests the API allows, by its headers or by its documentation: definitions.md#limits
# rate_limit: {{rate: 600/min}}
# What responses mean that are not as usual, such as an error with status 200: definitions.md#errors
"""
_CHECK: Final = """\
# A cheap request that shows whether address and credentials are right; better one that needs no rights, such as /me.
check: {check}
"""
_ENDPOINT: Final = """\
# A list of the API, and how all of it is read.
endpoint: {endpoint}
about: {about}
list:
{list}
  # How pages lead to the next one: definitions.md#paginators. If the API does it otherwise, correct the test, too.
  # If the API can return only what changed, a pull need not read everything: definitions.md#increments
  # incremental: {{cursor: /updated_at, param: updated_since, since: "{{since}}"}}
# Types of columns, for tables: definitions.md#columns
# columns: {{id: string, updated_at: timestamp}}
"""
_HANDLER: Final = '''\
"""Pulls {name} of {title}."""

from circulate_core.aws import puller

list = puller("{stream}", catalog="definitions")
'''
_LAMBDA: Final = """\
# The function of a list; what this leaves out is as lambdas/lib/defaults.yaml says.
source: {source}
endpoint: {endpoint}
functions:
  list: {{handler: handler.list}}
pipeline:
  schedule: rate(1 hour)
"""
_ALONE: Final = "# A stub cannot check how this source signs in, so this tests the list alone.\n"
_TEST: Final = '''\
"""Whether all of {stream} is pulled.

API says how the API is documented to page, apart from the definition, and is served on this machine.
"""

from pathlib import Path

from circulate_core.authoring import StubApi
from circulate_core.testing import promises

{alone}API = StubApi(
    path={path},
    auth={auth},
    list={{
{listing}
    }},
)


def test_every_record_of_{name}_is_pulled_once(catalog: list[Path], tmp_path: Path) -> None:
    pulled = API.pull("{stream}", catalog=catalog, to=tmp_path)
    assert (pulled.status, pulled.records) == ("complete", API.records)


test_{name}_when_something_goes_wrong = promises("{stream}", stub=API, but=["complete"])
'''
