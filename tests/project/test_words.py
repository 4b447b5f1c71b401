"""The field's words, held by tests: words that were given up stay out of help, errors, docstrings and guides."""

import argparse
import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from support.rust_files import NO_CODE

from circulate_core.cli.main import build_parser

ROOT = Path(__file__).resolve().parents[2]


class Retired(NamedTuple):
    """A word that is not used any more."""

    pattern: str
    """Regular expression; a space stands for any white space."""
    use: str
    """What to write instead."""
    planted: str
    """A text that has it."""
    unless: str = ""
    """Regular expression of what makes it right, in the same paragraph."""


RETIRED = [
    Retired(r"(ask|asks|asked|asking|send|sends|sent|sending)( it| them)? again", "retry", "the page is asked again"),
    Retired(r"anew", "start over, again", "the run is begun anew"),
    Retired(r"answer(s|ed|ing)?", "response; respond, return", "Okta answered 503"),
    Retired(r"(tell|tells|telling|told)", "report, return, show, name", "the log tells what went wrong"),
    Retired(r"untold", "missing", "or the lifetime is untold"),
    Retired(r"holes?", "gap", "a run with holes"),
    Retired(r"endless", "polling", "an endless list"),
    Retired(r"moments?", "time, timestamp", "at the same moment"),
    Retired(r"stamps?", "timestamp", "a time stamp"),
    Retired(r"nasty", "edge case", "nasty attributes"),
    Retired(r"damaged?", "corrupt", "the wheel is damaged"),
    Retired(r"from whom", "account", "From whom."),
    Retired(r"gone", "not found, missing, no longer exists", "the file is gone", unless=r"\bparents?\b"),
    Retired(
        r"(?<!there\s)(is|are|was|were) no (?!longer|more than|less than|such)[\w-]+",
        "invalid X: reason; is not a X",
        "`--since` is no time",
    ),
    Retired(r"the argument \S+ is wrong", "invalid X: reason", "the argument since is wrong"),
    Retired(r"data on its way", "memory budget", "bytes that data on its way may take"),
    Retired(r"most records", "record limit", "most records of an object"),
    Retired(r"(if|when) we die", "lease time", "how long others wait if we die"),
]


class RetiredName(NamedTuple):
    """A name that the code of the engine does not give any more."""

    pattern: str
    """Regular expression, in small letters."""
    use: str
    """What to write instead."""
    planted: str
    """Rust that gives such a name."""


NAME_WORDS = [
    RetiredName("ask(s|ed|ing)?", "request, requested", "fn ask_again() {}"),
    RetiredName("answer(s|ed|ing)?", "response, respond, return", "let last_answer = 1;"),
    RetiredName("(tell|tells|telling|told|untold)", "report, return, shown, counted", "struct A { told: u64 }"),
    RetiredName("wanted", "request, expected", "fn f(wanted: &RunRequest) {}"),
    RetiredName("anew", "start over", "fn begin_anew() {}"),
    RetiredName("endless", "polling", "let is_endless = true;"),
    RetiredName("moments?", "time, timestamp", "let moment = now();"),
    RetiredName("stamps?", "timestamp", "let stamps = [];"),
    RetiredName("holes?", "gap", "struct HoleReport;"),
    RetiredName("nasty", "edge case", "mod nasty;"),
    RetiredName("damaged?", "corrupt", "let (first, damaged) = pair;"),
    RetiredName("lack(s|ing)?", "missing, unavailable", "const LACKS_SCOPE: &str = LACKS;"),
]
"""Words that are no part of a name."""

NAMES = [
    RetiredName("of", "source, or what it is", "fn f(of: &Source) {}"),
    RetiredName("most(_\\w+)?", "limit, max", "const MOST_SHOWN: usize = 3;"),
    RetiredName("places?", "location, path, index, span", "values.map(|(place, _)| place)"),
    RetiredName("texts", "strings", "if let Some(texts) = found {}"),
    RetiredName("instead_of", "replaces", "struct A { pub instead_of: String }"),
]
"""Names as a whole. `of` may name a function, which stands behind a type."""


class Finding(NamedTuple):
    """A retired word in a text."""

    where: str
    line: int
    word: str
    use: str

    def __str__(self) -> str:
        """Name the place, the word and what to write instead."""
        return f"{self.where}:{self.line}: “{self.word}”: write: {self.use}"


class Text(NamedTuple):
    """A text that people read, and the line it begins at."""

    line: int
    text: str


def findings(where: str, texts: Iterator[Text]) -> list[Finding]:
    """Return the retired words in texts; code in backticks is not looked at."""
    found = []
    for line, text in texts:
        prose = re.sub(r"``[^`]*``|`[^`\n]*`", _blank, text)
        for retired in RETIRED:
            for match in re.finditer(rf"\b{retired.pattern.replace(' ', chr(92) + 's+')}(?!\w)", prose, re.IGNORECASE):
                start = prose.rfind("\n\n", 0, match.start()) + 1
                paragraph = prose[start : prose.find("\n\n", match.end()) % (len(prose) + 1)]
                if not (retired.unless and re.search(retired.unless, paragraph, re.IGNORECASE)):
                    word = " ".join(match[0].split())
                    found.append(Finding(where, line + prose.count("\n", 0, match.start()), word, retired.use))
    return sorted(found, key=lambda finding: finding.line)


def _blank(match: re.Match[str]) -> str:
    """Return `x` for a match, and the ends of its lines, so that lines keep their numbers."""
    return "x" + "\n" * match[0].count("\n")


def helps(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    """Yield each command with its help."""
    yield f"{parser.prog} --help", parser.format_help()
    for action in parser._actions:  # noqa: SLF001 - there is no other way to it
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - likewise
            for command in action.choices.values():
                yield from helps(command)


def docstrings(tree: ast.Module) -> Iterator[ast.Constant]:
    """Yield the docstrings of modules, classes, functions and attributes."""
    for node in ast.walk(tree):
        for statement in getattr(node, "body", []) if not isinstance(node, (ast.Lambda, ast.IfExp)) else []:
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                yield statement.value


def python_docs(source: str) -> Iterator[Text]:
    """Yield the docstrings of a Python file, without examples."""
    for constant in docstrings(ast.parse(source)):
        if isinstance(constant.value, str):
            yield Text(constant.lineno, _without_code(constant.value))


def python_messages(source: str) -> Iterator[Text]:
    """Yield the string literals of a Python file that are sentences, placeholders as `{}`: errors, hints, help."""
    tree = ast.parse(source)
    seen = {id(constant) for constant in docstrings(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            seen.update(map(id, node.values))
            parts = [str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values]
            yield from _sentence(node.lineno, "".join(parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in seen:
            yield from _sentence(node.lineno, node.value)


def _sentence(line: int, text: str) -> Iterator[Text]:
    if " " in text.strip():
        yield Text(line, text)


RUST_TOKEN = re.compile(
    r"""//[^\n]*                                     # comments
    | /\*.*?\*/
    | \b(?:br|r)(?P<hashes>\#*)"(?P<raw>.*?)"(?P=hashes)
    | b?"(?P<text>(?:[^"\\]|\\.)*)"
    | b?'(?:[^'\\]|\\.[^']*)'                        # characters; lifetimes have no second quote
    | (?P<test>\#\[cfg\((?:all\()?test\b)
    | [{};]""",
    re.VERBOSE | re.DOTALL,
)


def rust_messages(source: str) -> Iterator[Text]:
    """Yield the string literals of a Rust file that are sentences, without those of test code."""
    depth, skip_from = 0, -1
    for token in RUST_TOKEN.finditer(source):
        if token["test"] and skip_from < 0:
            # The item that follows is test code: up to its `;`, or to the end of its block.
            skip_from = depth
        elif token[0] == "{":
            depth += 1
        elif token[0] in {"}", ";"}:
            depth -= token[0] == "}"
            if depth <= skip_from:
                skip_from = -1
        elif skip_from < 0 and (text := token["text"] if token["raw"] is None else token["raw"]):
            line = source.count("\n", 0, token.start()) + 1
            yield from _sentence(line, text.replace("\\\n", "\n").replace("\\n", " "))


NAME = re.compile(r"(?<![\w'])(?<!::)(?<!\.)(?<!fn )(?:r#)?of\b|(?<!\w)(?!of\b)[A-Za-z_]\w*")
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def retired_names(where: str, source: str) -> list[Finding]:
    """Return the retired names in a Rust file, wherever they stand but in comments and literals."""
    found = []
    code = NO_CODE.sub(_blank, source)
    for match in NAME.finditer(code):
        words = [word.lower() for word in WORD.findall(match[0])]
        uses = [each.use for each in NAMES if re.fullmatch(each.pattern, match[0].lower())]
        uses += [each.use for each in NAME_WORDS if any(re.fullmatch(each.pattern, word) for word in words)]
        found += [Finding(where, code.count("\n", 0, match.start()) + 1, match[0], use) for use in uses]
    return found


def prose(markdown: str) -> Iterator[Text]:
    """Yield the prose of a Markdown file, without blocks of code and addresses of links."""
    yield Text(1, re.sub(r"\]\([^)\n]*\)|<https?:[^>\n]*>", _blank, _without_code(markdown)))


def _without_code(text: str) -> str:
    fenced = re.sub(r"^[ ]*```.*?^[ ]*```[ ]*$", _blank, text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"^[ ]*(>>>|\.\.\.) .*$", "", fenced, flags=re.MULTILINE)


def python_files() -> list[Path]:
    """Return the Python of the packages and functions."""
    folders = [ROOT / "python", ROOT / "lambdas"]
    return sorted(file for folder in folders for kind in ("py", "pyi") for file in folder.rglob(f"*.{kind}"))


def rust_files() -> list[Path]:
    """Return the Rust of the engine, without tests and what only tests use."""
    return sorted(
        file
        for file in ROOT.glob("rust/*/src/**/*.rs")
        if {"tests", "testing"}.isdisjoint(file.relative_to(ROOT).parts)
        and not file.stem.endswith(("tests", "testing"))
    )


def guides() -> list[Path]:
    """Return the README and the guides. Decisions are history, in the words of their time."""
    docs = sorted((ROOT / "python/docs").glob("*.md"))
    return [ROOT / "README.md", *(file for file in docs if file.name != "decisions.md")]


def in_files(files: list[Path], *readers: object) -> list[Finding]:
    """Return the retired words in files, by what `readers` yield of each."""
    assert files
    return [
        finding
        for file in files
        for reader in readers
        if callable(reader)
        for finding in findings(str(file.relative_to(ROOT)), reader(file.read_text(encoding="utf-8")))
    ]


def assert_none(found: list[Finding]) -> None:
    """Fail with a line for each."""
    assert not found, f"{len(found)} retired words:\n" + "\n".join(map(str, found))


def test_help_uses_the_words_of_the_field() -> None:
    commands = list(helps(build_parser()))
    assert len(commands) > 20
    assert_none([finding for name, text in commands for finding in findings(name, iter([Text(1, text)]))])


def test_messages_in_python_use_the_words_of_the_field() -> None:
    assert_none(in_files(python_files(), python_messages))


def test_messages_in_rust_use_the_words_of_the_field() -> None:
    assert_none(in_files(rust_files(), rust_messages))


def test_docstrings_use_the_words_of_the_field() -> None:
    assert_none(in_files(python_files(), python_docs))


def test_guides_use_the_words_of_the_field() -> None:
    assert_none(in_files(guides(), prose))


def test_names_in_rust_use_the_words_of_the_field() -> None:
    files = sorted(ROOT.glob("rust/*/**/*.rs"))
    assert len(files) > 200
    assert_none([each for file in files for each in retired_names(str(file.relative_to(ROOT)), file.read_text())])


# That the tests above can fail:


@pytest.mark.parametrize("retired", RETIRED, ids=[retired.planted for retired in RETIRED])
def test_a_planted_word_is_found_wherever_people_read_it(retired: Retired) -> None:
    planted = retired.planted
    parser = argparse.ArgumentParser(prog="toy")
    parser.add_subparsers().add_parser("one").add_argument("--x", help=planted)
    texts = {
        "help": (Text(1, text) for _, text in helps(parser)),
        "message": python_messages(f'message = "first: {planted}"\nraise ValueError(message)'),
        "placeholders": python_messages(f'warn(f"{{name}}: {planted} {{name}}")'),
        "docstring": python_docs(f'def f():\n    """Do.\n\n    Note: {planted}.\n    """'),
        "attribute": python_docs(f'class A:\n    x: int\n    """Now {planted}."""'),
        "rust": rust_messages(f'fn f() {{ fail("now {planted}"); }}'),
        "raw": rust_messages(f'const A: &str = r#"say "x": {planted}"#;'),
        "guide": prose(f"# Title\n\nNow {planted}."),
        "wrapped": prose(planted.replace(" ", "\n")),
    }
    missed = [kind for kind, text in texts.items() if retired.use not in {each.use for each in findings(kind, text)}]
    assert missed == []


def test_a_finding_names_file_line_word_and_replacement() -> None:
    (finding,) = findings("guide.md", prose("# Title\n\n```\nthe answer\n```\nsee `answer` and\nthe Answers."))
    assert str(finding) == "guide.md:7: “Answers”: write: response; respond, return"


@pytest.mark.parametrize("retired", [*NAME_WORDS, *NAMES], ids=lambda retired: retired.planted)
def test_a_planted_name_is_found(retired: RetiredName) -> None:
    found = retired_names("a.rs", f"use a::B;\n{retired.planted}")
    assert {(finding.line, finding.use) for finding in found} == {(2, retired.use)}


@pytest.mark.parametrize(
    "code",
    [
        "// the answer that was told",
        'const KEY: &str = "answer";',
        "impl Digest { fn of(record: &[u8]) -> Self {} }",
        "let digest = Digest::of(record); connections.of(account);",
        "fn errors_of_all_places_are_shown() {}",
        "let timestamp = Timestamp::now();",
        "fn block() { task.replace(basket) }",
    ],
)
def test_a_right_name_is_not_found(code: str) -> None:
    assert retired_names("a.rs", code) == []


@pytest.mark.parametrize(
    "text",
    [
        "as many records as were asked for",
        "there is no such stream",
        "which is no longer kept",
        "a child whose parent is gone (404)",
        "set `answer` to 1",
        "see [the guide](told/answers.md)",
        "the whole timestamp",
    ],
)
def test_what_is_right_is_not_found(text: str) -> None:
    assert findings("text", prose(text)) == []


def test_code_that_is_not_a_message_is_not_looked_at() -> None:
    rust = """
// "the answer is 42"
/* "the answer is 42" */
#[cfg(test)]
mod tests { fn f() { say("the answer is {} 42"); } }
#[cfg(test)]
use crate::told;
fn quote(c: char) -> bool { c == '"' || c == '\\'' }
fn life<'a>(key: &'a str) { get("answer"); say("right \\"words\\""); }
fn last() { say("the \\
    answer"); }
"""
    assert [finding.line for finding in findings("a.rs", rust_messages(rust))] == [11]
    python = 'x = given["answer"]\n# the answer is 42\n'
    assert list(python_messages(python)) == []
