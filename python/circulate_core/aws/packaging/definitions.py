"""Definitions of one's own that functions pull by: found by reading the code, which is not run."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from circulate_core.aws.definitions import catalog_folders
from circulate_core.aws.packaging.archive import File
from circulate_core.catalogs import SHIPPED_CATALOG, catalog_of, source_folder, stream_definition, stream_names
from circulate_core.config import catalog_of_environment
from circulate_core.exceptions import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from circulate_core.aws.project import Described


@dataclass(frozen=True, slots=True)
class Pulled:
    """A call of `puller` in the code of a function.

    Attributes:
        file: Where it is.
        line: On which line.
        stream: The stream; None if it is computed, which only running it would show.
        names: The catalogs that it names; None if these are computed.
    """

    file: Path
    line: int
    stream: str | None
    names: tuple[str, ...] | None

    def folders(self) -> list[str]:
        """Return the catalogs, as the function will find them.

        Raises:
            DefinitionError: There is none of that name.
        """
        here = Path.cwd()
        found = map(Path, catalog_folders(self.names or (), str(self.file)))
        return [str(path.relative_to(here)) if path.is_relative_to(here) else str(path) for path in found]


def pulled_by(function: Described, code: Iterable[Path]) -> list[Pulled]:
    """Return what the code of a function says that it pulls.

    A catalog that the call does not name may be named by a variable of the function.

    Args:
        function: The function.
        code: Its Python files. Those that are none are passed over: they are reported elsewhere.
    """
    by_variable = tuple(catalog_of_environment(function.settings["environment"]))
    return [found for file in code for found in _calls(file, by_variable)]


def _calls(file: Path, by_variable: tuple[str, ...]) -> Iterator[Pulled]:
    try:
        module = ast.parse(file.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError):
        return
    texts = dict(_texts(module))
    names_of_puller = {"puller", *_imported(module)}
    for node in ast.walk(module):
        match node:
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in names_of_puller:
                given = {each.arg: each.value for each in node.keywords}
                stream = node.args[0] if node.args else given.get("stream")
                # Without a name are keywords that a mapping has: `**settings`.
                catalog = given.get("catalog", given.get(None))
                names = by_variable if catalog is None else _names(catalog, texts)
                yield Pulled(file, node.lineno, _text(stream, texts), names)


def _imported(module: ast.Module) -> Iterator[str]:
    """Yield the other names that a module has for `puller`."""
    for node in ast.walk(module):
        match node:
            case ast.ImportFrom(names=names):
                yield from (each.asname for each in names if each.name == "puller" and each.asname)


def _texts(module: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield the texts that a module gives names to."""
    for statement in module.body:
        match statement:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(text)))
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.Constant(value=str(text)))
            ):
                yield name, text


def _names(given: ast.expr, texts: Mapping[str, str]) -> tuple[str, ...] | None:
    """Return the names that an expression is, if it is written out."""
    items = given.elts if isinstance(given, (ast.List, ast.Tuple)) else [given]
    found = [text for item in items if (text := _text(item, texts)) is not None]
    return tuple(found) if len(found) == len(items) else None


def _text(given: ast.expr | None, texts: Mapping[str, str]) -> str | None:
    match given:
        case ast.Constant(value=str(text)):
            return text
        case ast.Name(id=name):
            return texts.get(name)
        case _:
            return None


def own_catalogs(pulls: Iterable[Pulled]) -> list[str]:
    """Return the catalogs that functions name in their code or by a variable.

    Raises:
        DefinitionError: There is none of such a name.
    """
    return list(dict.fromkeys(folder for each in pulls for folder in each.folders()))


def wrong_pulls(pulls: Iterable[Pulled]) -> Iterator[DefinitionError]:
    """Yield what is wrong with the definitions that functions would pull by, each with the line that needs them."""
    for each in pulls:
        where = f"{each.file}:{each.line}"
        if problem := _problem_of_names(each.names):
            hint = "write its name, such as definitions: it is looked for beside the code and in the folders above"
            yield DefinitionError(f"{where}: {problem}", hint=hint, operation="package")
            continue
        folders: list[str] = []
        try:
            folders = each.folders()
            # As the function will: neither this environment nor a config file is there.
            catalog = [*folders, SHIPPED_CATALOG]
            for name in (
                stream_names(catalog=folders) if each.stream is None and folders else filter(None, [each.stream])
            ):
                stream_definition(name, catalog=catalog)
                _check_hooks(name, catalog)
        except DefinitionError as error:
            # What is wrong in a definition is shown where it is; all else is wrong with the call.
            if folders and str(error).startswith(tuple(folders)):
                yield error
            else:
                yield DefinitionError(f"{where}: {error}", hint=_hint(each) or error.hint, operation="package")


def _check_hooks(stream: str, catalog: list[str]) -> None:
    """Check that hooks are Python. They are not run.

    Raises:
        DefinitionError: One is not.
    """
    folder = source_folder(stream.partition(".")[0], catalog=catalog) or ""
    for name, code in catalog_of(catalog).hook_files(stream):
        path = Path(folder, name)
        try:
            compile(code, path, "exec", dont_inherit=True)
        except (SyntaxError, ValueError) as error:
            line = error.lineno if isinstance(error, SyntaxError) else 1
            message = f"{path}:{line}: {type(error).__name__}: {error.args[0]}"
            raise DefinitionError(message, operation="package") from None


def _problem_of_names(names: tuple[str, ...] | None) -> str | None:
    if names is None:
        return "the catalog of `puller` is computed: nothing shows what belongs into the zip"
    absolute = next((name for name in names if Path(name).is_absolute()), None)
    return absolute and f"the catalog `{absolute}` is an absolute path, which is not there on AWS"


def _hint(pulled: Pulled) -> str | None:
    """Return what to do if the stream is defined here, in a catalog that the code does not name."""
    if pulled.names or pulled.stream is None:
        return None
    source = pulled.stream.partition(".")[0]
    here = source_folder(source)
    if here is None and Path(SHIPPED_CATALOG, source).is_dir():
        return None
    name = Path(here).parent.name if here else "definitions"
    return f'if it is your own: puller("{pulled.stream}", catalog="{name}"), the name of its catalog'


def definition_files(pulls: Iterable[Pulled]) -> list[File]:
    """Return the definitions of one's own that functions pull by, as they lie in the zip.

    Raises:
        DefinitionError: There is no such catalog.
    """
    files: dict[str, File] = {}
    for each in pulls:
        for name, folder in zip(each.names or (), each.folders(), strict=True):
            # Which source it is, if the stream is computed, is not known: all of them.
            source = each.stream.partition(".")[0] if each.stream else "*"
            for path in sorted(Path(folder).glob(f"{source}/*.yaml")):
                at = Path(name, path.parent.name, path.name).as_posix()
                files[at] = File(at, path.read_bytes())
            known = catalog_of([folder])
            for stream in [each.stream] if each.stream else stream_names(catalog=[folder]):
                of_source = Path(name, stream.partition(".")[0])
                if (Path(folder) / of_source.name).is_dir():
                    # The bytes that were read, as for a pull.
                    hooks = known.hook_files(stream)
                    files |= {at: File(at, code) for hook, code in hooks if (at := (of_source / hook).as_posix())}
    return [*files.values()]
