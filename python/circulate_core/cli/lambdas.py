"""`circulate check lambdas`: would AWS and Terraform take what the `lambda.yaml` files say?"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from circulate_core.catalogs import source_definition, stream_definition, stream_names
from circulate_core.console import counted, paint, say, show_mistake, table
from circulate_core.exceptions import CirculateError, DefinitionError, SettingsError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from circulate_core.aws.packaging.definitions import MadeHandler
    from circulate_core.aws.project import Described
    from circulate_core.types import Catalog

OF_TARGETS = ("promote", "register")
WRONG = 2


def check(args: argparse.Namespace) -> int:
    """Check all functions; show them, or what is wrong with them."""
    from circulate_core.aws.packaging import handlers_made  # noqa: PLC0415 - much that no other check needs
    from circulate_core.aws.project import described  # noqa: PLC0415 - as above

    functions = described(args.lambdas)
    made = {function.name: handlers_made(function) for function in functions}
    problems: list[str | CirculateError] = [*misplaced(args.lambdas), *wrong_handlers(functions)]
    problems += [*wrong_streams(functions, made, args.catalog)]
    problems += [*wrong_refresh_tokens(functions, made, args.catalog)]
    problems += [*missing_files(functions), *missing_extensions(functions, args.lambdas)]
    if problems:
        # Functions of an endpoint share its code.
        for problem in {str(problem): problem for problem in problems}.values():
            show_mistake(str(problem), problem.hint if isinstance(problem, CirculateError) else None)
        return WRONG
    print(_table(functions))
    scheduled = sum(1 for each in functions if each.settings["pipeline"])
    say(f"{paint('✓', 'green')} {counted(len(functions), 'function')}, {scheduled} of them by a schedule")
    return 0


def misplaced(lambdas: Path) -> Iterator[str]:
    """Yield a message for each file that Terraform would find and nothing else."""
    for file in sorted(lambdas.rglob("lambda.yaml")):
        depth = len(file.relative_to(lambdas).parts) - 1
        if depth != len(("source", "endpoint")):
            yield f"{file} is not in a folder {{source}}/{{endpoint}} of {lambdas}"


def wrong_handlers(functions: Sequence[Described]) -> Iterator[str]:
    """Yield a message for each handler that is not in the code. The code is read, not run."""
    for function in functions:
        module, _, name = function.settings["handler"].partition(".")
        file = function.folder / f"{module}.py"
        if not file.is_file():
            yield f"{function.file}: there is no {file.name} for the handler `{function.settings['handler']}`"
            continue
        try:
            names = set(_names(ast.parse(file.read_text(encoding="utf-8"))))
        except (SyntaxError, ValueError) as error:
            yield f"{file} is not valid Python: {error}"
            continue
        if name not in names:
            yield f"{function.file}: {file.name} defines no `{name}` for the handler `{function.settings['handler']}`"


def _names(module: ast.Module) -> Iterator[str]:
    """Return the names that a module has once it is imported."""
    for statement in module.body:
        match statement:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                yield from (alias.asname or alias.name for alias in names)
            case ast.Assign() | ast.AnnAssign():
                yield from (node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and _is_set(node))


def _is_set(name: ast.Name) -> bool:
    return isinstance(name.ctx, ast.Store)


def wrong_streams(
    functions: Sequence[Described], made: Mapping[str, Sequence[MadeHandler]], catalog: Catalog
) -> Iterator[str | DefinitionError]:
    """Yield a message for each function of a stream or operation that is not defined, or that does something else.

    Args:
        functions: The functions.
        made: What the code of each says that it pulls and calls.
        catalog: Where streams may be defined that no code names.
    """
    from circulate_core.aws.packaging import wrong_definitions, wrong_reads  # noqa: PLC0415 - as above

    defined = set(stream_names(catalog=catalog))
    for function in functions:
        endpoint, code = f"{function.source}.{function.endpoint}", made[function.name]
        yield from wrong_definitions(code)
        yield from wrong_reads(function, code)
        if function.is_target:
            known: Sequence[str] = OF_TARGETS
        elif code and not {endpoint, None} & {each.stream for each in code}:
            yield _of_another(code[0], endpoint)
            continue
        elif code or endpoint in defined:
            known = ["list", *_operations(endpoint, code, catalog)]
        else:
            yield f"{function.file}: no source defines `{endpoint}`; `circulate list` shows what is defined"
            continue
        if function.operation not in known:
            yield f"{function.file}: `{endpoint}` has no operation `{function.operation}`; it has {', '.join(known)}"
        elif wrong := _wrong_handler(function, code):
            yield wrong


def _operations(endpoint: str, code: Sequence[MadeHandler], catalog: Catalog) -> list[str]:
    """Return the operations of an endpoint besides its list."""
    from circulate_core.aws.packaging import own_catalogs  # noqa: PLC0415 - much that no other check needs

    try:
        definition = stream_definition(endpoint, catalog=own_catalogs(code) or catalog)
    except DefinitionError:
        return []  # It is reported where it is wrong.
    return [*definition["endpoint"].get("operations", {})]


def _wrong_handler(function: Described, code: Sequence[MadeHandler]) -> str | None:
    """Return what is wrong if the handler of a function does what another function is for."""
    from circulate_core.aws.packaging import handler_of  # noqa: PLC0415 - much that no other check needs

    made, stream = handler_of(function, code), f"{function.source}.{function.endpoint}"
    named = stream if function.operation == "list" else f"{stream}.{function.operation}"
    return _of_another(made, named) if made and made.name not in {named, None} else None


def _of_another(made: MadeHandler, named: str) -> str:
    verb = "pulls" if made.maker == "puller" else "calls"
    return f"{made.file}:{made.line}: this is the function of `{named}`, and {verb} `{made.name}`"


def wrong_refresh_tokens(
    functions: Sequence[Described], made: Mapping[str, Sequence[MadeHandler]], catalog: Catalog
) -> Iterator[str]:
    """Yield a message for each function that could not keep a refresh token, or that may write a secret for nothing."""
    from circulate_core.aws.packaging import own_catalogs  # noqa: PLC0415 - much that no other check needs

    for function in functions:
        try:
            own = own_catalogs(made[function.name])
            ways = source_definition(function.source, catalog=own or catalog)["auth"]
        except DefinitionError:
            continue  # It is reported where it is wrong.
        grants = [way["oauth2"].get("grant") if isinstance(way, dict) and "oauth2" in way else None for way in ways]
        may_write, source = function.settings["refresh_token"], function.source
        if may_write and "refresh_token" not in grants:
            yield (
                f"{function.file}: `refresh_token` lets `{function.operation}` write its secret, and `{source}` does"
                " not sign in by a refresh token: take it out"
            )
        elif set(grants) == {"refresh_token"} and function.settings["auth"] and not may_write:
            yield (
                f"{function.file}: `{source}` signs in by a refresh token, and `{function.operation}` may not keep the"
                " next one in its secret: add `refresh_token: true`"
            )


def missing_files(functions: Sequence[Described]) -> Iterator[SettingsError]:
    """Yield a message for each data file that is named and missing."""
    from circulate_core.aws.packaging import data_files  # noqa: PLC0415 - much that no other check needs

    for function in functions:
        try:
            data_files(function)
        except SettingsError as error:
            yield error


def missing_extensions(functions: Sequence[Described], lambdas: Path) -> Iterator[str]:
    """Yield a message for each extension that is named and missing."""
    from circulate_core.aws.packaging.extensions import extension_folder  # noqa: PLC0415 - as above

    for function in functions:
        name = function.extension
        if name and not (program := extension_folder(lambdas, name) / name).is_file():
            yield f"{function.file}: there is no extension `{name}`; it would be {program}"


def _table(functions: Sequence[Described]) -> str:
    rows = [["FUNCTION", "MEMORY", "TIMEOUT", "CREDENTIALS", "SCHEDULE", "FULL REFRESH", "TARGET"]]
    for function in functions:
        settings = function.settings
        pipeline = settings["pipeline"] or {}
        rows.append(
            [
                function.name,
                f"{settings['memory_mb']} MB",
                f"{settings['timeout_s']} s",
                settings["auth"] or "—",
                *(pipeline.get(key) or "—" for key in ("schedule", "full_refresh", "target")),
            ]
        )
    return table(rows)
