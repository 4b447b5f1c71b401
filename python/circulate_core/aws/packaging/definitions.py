"""Definitions of one's own that functions pull and call by: found by reading the code, which is not run."""

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
from circulate_core.operations import operation_definition, operation_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from circulate_core.aws.project import Described
    from circulate_core.types import Definition


PULLER, CALLER = "puller", "caller"
READS = "investigate"
"""The kind of operations that change nothing."""


@dataclass(frozen=True, slots=True)
class MadeHandler:
    """A call of `puller` or `caller` in the code of a function.

    Attributes:
        file: Where it is.
        line: On which line.
        maker: Which of the two.
        name: The stream or the operation; None if it is computed, which only running it would show.
        names: The catalogs that it names; None if these are computed.
        handlers: Module and name of what it is given to, as `lambda.yaml` writes them.
    """

    file: Path
    line: int
    maker: str
    name: str | None
    names: tuple[str, ...] | None
    handlers: tuple[str, ...]

    @property
    def stream(self) -> str | None:
        """The stream that it pulls, or whose endpoint has the operation; None if it is computed."""
        if self.name is None or self.maker == PULLER:
            return self.name
        return self.name.rpartition(".")[0] or self.name

    def folders(self) -> list[str]:
        """Return the catalogs, as the function will find them.

        Raises:
            DefinitionError: There is none of that name.
        """
        here = Path.cwd()
        found = map(Path, catalog_folders(self.names or (), str(self.file)))
        return [str(path.relative_to(here)) if path.is_relative_to(here) else str(path) for path in found]


def made_by(function: Described, code: Iterable[Path]) -> list[MadeHandler]:
    """Return what the code of a function says that it pulls and calls.

    A catalog that the call does not name may be named by a variable of the function.

    Args:
        function: The function.
        code: Its Python files. Those that are none are passed over: they are reported elsewhere.
    """
    by_variable = tuple(catalog_of_environment(function.settings["environment"]))
    return [found for file in code for found in _made_in(file, by_variable)]


def _made_in(file: Path, by_variable: tuple[str, ...]) -> Iterator[MadeHandler]:
    try:
        module = ast.parse(file.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError):
        return
    texts, makers, given_to = dict(_texts(module)), _makers(module), _given_to(module)
    for node in ast.walk(module):
        match node:
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in makers:
                maker = makers[name]
                given = {each.arg: each.value for each in node.keywords}
                named = node.args[0] if node.args else given.get("stream" if maker == PULLER else "operation")
                # Without a name are keywords that a mapping has: `**settings`.
                catalog = given.get("catalog", given.get(None))
                names = by_variable if catalog is None else _names(catalog, texts)
                handlers = tuple(f"{file.stem}.{name}" for name in given_to.get(node, ()))
                yield MadeHandler(file, node.lineno, maker, _text(named, texts), names, handlers)


def _makers(module: ast.Module) -> dict[str, str]:
    """Return the names that a module has for `puller` and `caller`."""
    makers = {PULLER: PULLER, CALLER: CALLER}
    for node in ast.walk(module):
        match node:
            case ast.ImportFrom(names=names):
                makers |= {each.asname: each.name for each in names if each.name in {PULLER, CALLER} and each.asname}
    return makers


def _given_to(module: ast.Module) -> dict[ast.expr, list[str]]:
    """Return the names of a module that are given the value of an expression."""
    found: dict[ast.expr, list[str]] = {}
    for statement in module.body:
        match statement:
            case ast.Assign(targets=targets, value=value):
                found[value] = [target.id for target in targets if isinstance(target, ast.Name)]
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                found[value] = [name]
    return found


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


def own_catalogs(made: Iterable[MadeHandler]) -> list[str]:
    """Return the catalogs that functions name in their code or by a variable.

    Raises:
        DefinitionError: There is none of such a name.
    """
    return list(dict.fromkeys(folder for each in made for folder in each.folders()))


def handler_of(function: Described, made: Iterable[MadeHandler]) -> MadeHandler | None:
    """Return what the handler of a function was made by, if its code gives it just that."""
    return next((each for each in made if function.settings["handler"] in each.handlers), None)


def wrong_reads(function: Described, made: Iterable[MadeHandler]) -> Iterator[DefinitionError]:
    """Yield what is wrong with `reads` of a function, by the operation that its handler calls.

    It would have the credentials of those that read to write with, or the other way around.
    """
    handler = handler_of(function, made)
    if handler is None or handler.maker != CALLER or handler.name is None:
        return
    try:
        _, operation = operation_definition(handler.name, catalog=[*handler.folders(), SHIPPED_CATALOG])
    except DefinitionError:
        return  # It is reported where it is wrong.
    reads = operation["kind"] == READS
    if reads == function.settings["reads"]:
        return
    does = "changes nothing" if reads else f"changes what it is called for: it is there to {operation['kind']}"
    message = f"{handler.file}:{handler.line}: `{handler.name}` {does}, and {function.file} has `{function.operation}`"
    message += " among the functions that write" if reads else " among those that read"
    hint = f"add `reads: {str(reads).lower()}` to `{function.operation}` there: readers and writers sign in apart"
    yield DefinitionError(message, hint=hint, operation="package")


def wrong_definitions(made: Iterable[MadeHandler]) -> Iterator[DefinitionError]:
    """Yield what is wrong with the definitions that functions would use, each with the line that needs them."""
    # Many operations are of one endpoint, which is read once.
    read: dict[tuple[str, ...], Definition] = {}
    for each in made:
        where = f"{each.file}:{each.line}"
        if problem := _problem_of_names(each):
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
                if (name, *folders) not in read:
                    read[name, *folders] = stream_definition(name, catalog=catalog)
                    _check_hooks(name, catalog)
                if each.maker == CALLER and each.name is not None:
                    operation_of(read[name, *folders], each.name)
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


def _problem_of_names(made: MadeHandler) -> str | None:
    if made.names is None:
        return f"the catalog of `{made.maker}` is computed: nothing shows what belongs into the zip"
    absolute = next((name for name in made.names if Path(name).is_absolute()), None)
    return absolute and f"the catalog `{absolute}` is an absolute path, which is not there on AWS"


def _hint(made: MadeHandler) -> str | None:
    """Return what to do if the stream is defined here, in a catalog that the code does not name."""
    if made.names or made.stream is None:
        return None
    source = made.stream.partition(".")[0]
    here = source_folder(source)
    if here is None and Path(SHIPPED_CATALOG, source).is_dir():
        return None
    name = Path(here).parent.name if here else "definitions"
    return f'if it is your own: {made.maker}("{made.name}", catalog="{name}"), the name of its catalog'


def definition_files(made: Iterable[MadeHandler]) -> list[File]:
    """Return the definitions of one's own that functions pull and call by, as they lie in the zip.

    Raises:
        DefinitionError: There is no such catalog.
    """
    files: dict[str, File] = {}
    for each in made:
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
