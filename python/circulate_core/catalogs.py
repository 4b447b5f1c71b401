"""Catalogs: where the definitions of sources and streams are, and what they say."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from circulate_core import _core
from circulate_core.callers import warn_caller
from circulate_core.config import UnnamedFolder, configured_catalog
from circulate_core.exceptions import DefinitionError, EarlierKeyWarning

if TYPE_CHECKING:
    from circulate_core.types import Catalog, Definition, InlineDefinition, ListOperation, SourceDefinition

_UNPRINTABLE = re.compile(r"[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
SHIPPED_CATALOG = os.path.join(os.path.dirname(__file__), "catalog")  # noqa: PTH118, PTH120 - pathlib is slow to import


_NOT_NAMED = (
    "their catalog is only named by ./circulate.toml, and whoever put that file here would have their code run; if it "
    "is yours, name it yourself: `--catalog`, CIRCULATE_CATALOG, or `catalog=`"
)


def streams(*, catalog: Catalog = ()) -> list[Definition]:
    """List the definitions of all streams.

    Args:
        catalog: Folders of definitions that come before the shipped ones.

    Returns:
        Definitions, sorted by stream name.

    Raises:
        DefinitionError: A definition is wrong.
    """
    return [stream_definition(name, catalog=catalog) for name in stream_names(catalog=catalog)]


def stream_names(*, catalog: Catalog = ()) -> list[str]:
    """Return the names of all streams, sorted; see `streams`."""
    return catalog_of(catalog).streams()


def stream_definition(name: str, *, catalog: Catalog = ()) -> Definition:
    """Return the definition of a stream; see `streams`."""
    known = catalog_of(catalog)
    definition = cast("Definition", known.stream(name))
    for earlier in known.earlier_keys(name):
        warn_caller(earlier, EarlierKeyWarning)
    return definition


def source_definition(name: str, *, catalog: Catalog = ()) -> SourceDefinition:
    """Return the definition of a source; see `streams`."""
    return cast("SourceDefinition", catalog_of(catalog).source(name))


def catalog_of(catalog: Catalog) -> _core.Catalog:
    """Return a catalog as the engine takes it.

    Args:
        catalog: Folders of definitions that come before the shipped ones. Default: those that the environment names,
            else the config file.

    Raises:
        DefinitionError: A folder is none of definitions, or a source is defined in more than one place.
        SettingsError: The config file is wrong.
    """
    if isinstance(catalog, (str, os.PathLike)):
        message = f"`catalog` is one folder: give a list, such as [{os.fspath(catalog)!r}]"
        raise DefinitionError(message)
    if not isinstance(cast("object", catalog), Sequence):
        message = f"invalid `catalog`: expected a list of folders, given {catalog!r}"
        raise DefinitionError(message)
    for entry in catalog:
        if not isinstance(cast("object", entry), (str, os.PathLike, Mapping)):
            message = f"invalid `catalog`: expected folders or a definition, given {entry!r}"
            raise DefinitionError(message)
    inline = [entry for entry in catalog if isinstance(entry, Mapping)]
    if len(inline) > 1:
        message = "definitions of only one source can be given beside folders"
        raise DefinitionError(message)
    folders = _folders(catalog)
    _check_folders(folders)
    unnamed = [folder for folder in folders if isinstance(folder, UnnamedFolder)]
    without_hooks: dict[str, str] = dict.fromkeys(unnamed, _NOT_NAMED)
    without_hooks[SHIPPED_CATALOG] = "shipped definitions have none"
    definition = _inline(inline[0]) if inline else None
    return _core.Catalog([*dict.fromkeys([*folders, SHIPPED_CATALOG])], definition, without_hooks)


def is_named(catalog: Catalog) -> bool:
    """Return whether somebody says where sources are defined: in folders, or in code."""
    return any(not isinstance(entry, Mapping) or isinstance(entry.get("source"), Mapping) for entry in catalog)


def _folders(catalog: Catalog) -> list[str]:
    """Return the folders of a catalog; those that are configured, if none is given."""
    return [os.fspath(entry) for entry in catalog if not isinstance(entry, Mapping)] or configured_catalog()


def method(listed: ListOperation) -> str:
    """Return the method by which a list is requested."""
    return str(listed.get("method") or ("POST" if "body" in listed else "GET"))


def address(listed: ListOperation) -> str:
    """Return what a list is requested at: its path, or what names its address."""
    if path := listed.get("path"):
        return path
    if parent := listed.get("parent"):
        return f"the address at {parent.get('url')} of {parent['endpoint']}"
    parts = listed.get("job", {}).get("parts", {})
    return f"the addresses at {parts.get('urls')} of the job's status"


def paging(paginator: object) -> str:
    """Return how one page leads to the next, as people read it: `token from /meta/cursor to cursor`."""
    if not isinstance(paginator, Mapping):
        return str(paginator).replace("_", " ")
    kind, keys = next(iter(paginator.items()))
    if kind == "hook":
        return f"hook {keys}"
    if kind in {"body_link", "next_url"}:
        return f"next url from {_place(keys)}"
    ways = [f"{way} {_place(keys[way])}" for way in ("rel", "from", "to") if way in keys]
    return " ".join([kind.replace("_", " "), *ways])


def _place(place: object) -> str:
    """Return where in a request or a response something is, as people read it."""
    if isinstance(place, list):
        return " and ".join(map(_place, place))
    if not isinstance(place, Mapping):
        return str(place)
    if "url" in place:
        return f"{place['param']} of the URL in {_place(place['url'])}"
    kind, where = next(iter(place.items()))
    return str(where) if kind in {"body", "query", "path"} else f"{kind} {where}"


def signing(way: object) -> str:
    """Return how requests are signed in, as people read it: `headers DD-API-KEY, DD-APPLICATION-KEY`."""
    if not isinstance(way, Mapping):
        return str(way).replace("_", " ")
    kind, keys = next(iter(way.items()))
    if kind == "headers":
        return f"headers {', '.join(header['name'] for header in keys)}"
    if kind == "sign":
        return f"hook {keys['hook']}"
    if kind == "query":
        return f"query parameter {keys['name']}"
    if kind == "body":
        return f"field {keys['name']} of the body"
    words = {"bearer": "bearer token", "duo_v5": "Duo signatures (v5)", "aws_sigv4": "AWS signatures (v4)"}
    return words.get(kind, str(kind).replace("_", " "))


def source_folder(name: str, *, catalog: Catalog = ()) -> str | None:
    """Return the folder of a source's own definition; None if it is a shipped one, or defined in code."""
    found = (os.path.join(folder, name) for folder in _folders(catalog) if folder != SHIPPED_CATALOG)  # noqa: PTH118 - as above
    return next((folder for folder in found if _is_source(folder)), None)


def _check_folders(folders: Sequence[str]) -> None:
    """Check that folders hold sources, each of them once."""
    where: dict[str, str] = {}
    for folder in dict.fromkeys(folders):
        for name in _sources_in(folder):
            if name in where and folder != SHIPPED_CATALOG:
                message = f"the source `{name}` is defined in two catalogs: in {where[name]} and in {folder}"
                raise DefinitionError(message, hint="name one of them, or take the source out of the other")
            where[name] = folder


def _sources_in(folder: str) -> list[str]:
    """Return the sources that a folder holds."""
    hint = "a catalog is a folder with a folder for each source, such as definitions/acme/source.yaml"
    try:
        entries = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
    except OSError as error:
        message = f"cannot read the catalog {folder}: {error.strerror}"
        raise DefinitionError(message, hint=hint) from None
    sources = [name for name in entries if _is_source(os.path.join(folder, name))]  # noqa: PTH118 - as above
    if sources:
        return sources
    if _is_source(folder):
        above = os.path.dirname(os.path.normpath(folder)) or "."  # noqa: PTH120 - as above
        message = f"{folder} is the folder of a source, not of a catalog"
        raise DefinitionError(message, hint=f"name the folder that it is in: {above}")
    if isinstance(folder, UnnamedFolder) and not entries:
        # A project that has no source yet, as `circulate init` makes it.
        return []
    message = f"the catalog {folder} has no source"
    raise DefinitionError(message, hint=hint)


def _is_source(folder: str) -> bool:
    return os.path.isfile(os.path.join(folder, "source.yaml"))  # noqa: PTH113, PTH118 - as above


def _inline(definition: InlineDefinition) -> dict[str, Any]:
    """Return a definition as text that error messages can show."""
    source = cast("object", definition.get("source"))
    endpoints = cast("object", definition.get("endpoints", {}))
    if (
        not isinstance(source, (str, Mapping))
        or not isinstance(endpoints, Mapping)
        or not all(isinstance(endpoint, Mapping) for endpoint in endpoints.values())
    ):
        message = "a definition in `catalog` needs `source`, a name or a mapping; its `endpoints` are mappings by name"
        raise DefinitionError(message)
    hooks: dict[str, str] = {}
    if _has_function(definition):
        from circulate_core.inline_hooks import with_names  # noqa: PLC0415 - for those who give functions

        source = with_names(source, "", hooks) if isinstance(source, Mapping) else source
        endpoints = {name: with_names(endpoint, f"{name}_", hooks) for name, endpoint in endpoints.items()}
    return {
        "source": source if isinstance(source, str) else str(source.get("source", "")),
        "definition": None if isinstance(source, str) else _text(source),
        "endpoints": {name: _text({"endpoint": name, **endpoint}) for name, endpoint in endpoints.items()},
        "hooks": hooks,
    }


def _has_function(part: object) -> bool:
    """Return whether a part of a definition holds a function: a hook."""
    if isinstance(part, Mapping):
        return any(map(_has_function, part.values()))
    if isinstance(part, (list, tuple)):
        return any(map(_has_function, part))
    return callable(part)


def _text(definition: Mapping[str, object]) -> str:
    try:
        text = json.dumps(definition, indent=2, ensure_ascii=False, allow_nan=False)
        # What JSON may hold as it is, and YAML may not.
        text = _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        message = f"a definition holds what YAML could not: {error}"
        raise DefinitionError(message) from None
    return text
