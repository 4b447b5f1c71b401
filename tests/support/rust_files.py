"""Which files of a Rust crate use which others, as their paths say. A call of a method has no path, and is not seen."""

import graphlib
import re
from collections.abc import Iterator
from pathlib import Path

ItemPath = tuple[str, ...]
"""Path of a module or an item, from the root of the crate unless said otherwise."""

NO_CODE = re.compile(
    r"""//[^\n]* | /\*.*?\*/ | b?r(\#*)".*?"\1 | "(?P<text>(?:\\.|[^"\\])*)" | '(?:\\.[^']*|[^'\\])'""",
    re.DOTALL | re.VERBOSE,
)
"""Comments, and literals of strings and characters."""

TEST_ITEM = re.compile(r"#\[cfg\(test\)\][^;{]*(?P<end>[;{])")
USE = re.compile(r"\b(?P<public>pub(?:\([^)]*\))?\s+)?use\s(?P<tree>[^;]+);")
PATH = re.compile(r"(?<![\w:])(?:\w+::)+\w+")


def uses_of_files(source: Path) -> dict[str, set[str]]:
    """The files of a crate without its tests, each with the files that define what it names."""
    crate = Crate(source)
    return {file: {crate.files[used] for used in crate.used_by(module)} for module, file in crate.files.items()}


def cycle_in(uses: dict[str, set[str]]) -> list[str]:
    """Files that use each other in a circle, the first one also at the end; empty if there are none."""
    try:
        graphlib.TopologicalSorter(uses).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def product_code(text: str) -> str:
    """Rust without comments, literals and tests. Literals that are paths stay: `serde` takes functions as such."""
    code = NO_CODE.sub(lambda found: found["text"] if re.fullmatch(r"(\w+::)+\w+", found["text"] or "") else " ", text)
    while test := TEST_ITEM.search(code):
        end, depth = test.end(), int(test["end"] == "{")
        while depth:
            depth += {"{": 1, "}": -1}.get(code[end], 0)
            end += 1
        code = code[: test.start()] + code[end:]
    return code


def names_of(tree: str, above: ItemPath = ()) -> Iterator[tuple[str, ItemPath]]:
    """The names that `use TREE;` brings in, each with its path as it is written."""
    path, _, group = tree.strip().partition("{")
    if not group:
        path, _, alias = path.partition(" as ")
        parts = (*above, *path.strip().split("::"))
        parts = parts[:-1] if parts[-1] == "self" else parts
        yield alias.strip() or parts[-1], parts
        return
    above = (*above, *path.strip().removesuffix("::").split("::")) if path else above
    depth, branch = 0, ""
    for letter in group.rpartition("}")[0] + ",":
        depth += {"{": 1, "}": -1}.get(letter, 0)
        if letter != "," or depth:
            branch += letter
        elif branch.strip():
            yield from names_of(branch, above)
            branch = ""


def module_of(file: Path) -> ItemPath:
    """The module that a file of the crate is."""
    return tuple(part for part in file.with_suffix("").parts if part not in {"lib", "mod"})


class Crate:
    """The modules of a crate that are files, and what each of them imports or exports."""

    def __init__(self, source: Path) -> None:
        found = [file.relative_to(source) for file in sorted(source.rglob("*.rs"))]
        files = {module_of(file): file for file in found if "tests" not in file.parts}
        self.files = {module: file.as_posix() for module, file in files.items()}
        self.code = {module: product_code((source / file).read_text()) for module, file in files.items()}
        self.names = {
            module: dict(name for use in USE.finditer(code) for name in names_of(use["tree"]))
            for module, code in self.code.items()
        }

    def used_by(self, module: ItemPath) -> set[ItemPath]:
        """The modules that define what a module names. One that only exports a name does not use it."""
        body = USE.sub(" ", self.code[module])
        named = [tuple(path.split("::")) for path in PATH.findall(body)]
        for use in USE.finditer(self.code[module]):
            for name, path in names_of(use["tree"]):
                # A method or a module may have the name of what is exported.
                if not use["public"] or re.search(rf"(?<![.\w])(?<!fn )(?<!mod ){name}\b", body):
                    named.append(path)
        defining = {self.defining(self.from_root(module, path)) for path in named}
        return {used for used in defining if used is not None} - {module}

    def from_root(self, module: ItemPath, path: ItemPath) -> ItemPath | None:
        """A path of `module`, from the root; `None` if it leads to another crate, or to an item of the same file."""
        first, rest = path[0], path[1:]
        if first == "crate":
            return rest
        if first == "self":
            return (*module, *rest)
        if first == "super":
            ups = path.count("super")
            return (*module[:-ups], *path[ups:])
        imported = self.names[module].get(first, path)
        if imported[0] != first:
            start = self.from_root(module, imported)
            return None if start is None else (*start, *rest)
        return (*module, *path) if (*module, first) in self.files else None

    def defining(self, path: ItemPath | None) -> ItemPath | None:
        """The module that defines an item, behind those that export it; `None` if the path is that of a module."""
        if path is None:
            return None
        module: ItemPath = ()
        for place, name in enumerate(path, start=1):
            inner, exported = (*module, name), self.names[module].get(name)
            # A function may have the name of the module that defines it.
            if exported and (place == len(path) or inner not in self.files):
                behind = self.from_root(module, exported)
                return None if behind is None else self.defining((*behind, *path[place:]))
            if inner not in self.files:
                return module
            module = inner
        return None
