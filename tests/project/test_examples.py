"""Examples in docstrings and guides, which run as they stand."""

import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.cli import StartOrg

import circulate_core
import circulate_core.reading
import circulate_core.tables

ROOT = Path(__file__).resolve().parents[2]
GUIDES = {name: ROOT / name for name in ("README.md", "python/docs/python.md", "python/docs/tables.md")}
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


def documented() -> Iterator[tuple[str, str]]:
    """Give the docstrings of what is public, with their names."""
    for module in (circulate_core, circulate_core.reading, circulate_core.tables):
        yield module.__name__, module.__doc__ or ""
    for name in circulate_core.__all__:
        public = getattr(circulate_core, name)
        yield name, inspect.getdoc(public) or ""
        if inspect.isclass(public):
            for method, member in vars(public).items():
                yield f"{name}.{method}", inspect.getdoc(member) or ""


def examples() -> list[tuple[str, str]]:
    texts = [*documented(), *((name, guide.read_text()) for name, guide in GUIDES.items())]
    found = ((name, textwrap.dedent(text)) for name, text in texts)
    return [(f"{name}-{number}", code) for name, text in found for number, code in enumerate(blocks(text))]


def blocks(text: str) -> list[str]:
    indented = re.sub(r"^ {4}(?=.*)", "", text, flags=re.MULTILINE) if "    ```python" in text else text
    return BLOCK.findall(indented)


def test_there_are_examples() -> None:
    assert {"circulate_core-0", "circulate_core.reading-0", "source-0", "README.md-0", "python/docs/python.md-2"} <= {
        name for name, _ in examples()
    }


@pytest.mark.parametrize(("name", "code"), examples(), ids=lambda value: value if len(value) < 40 else "")
def test_an_example_runs(
    start_org: StartOrg,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    code: str,
) -> None:
    org = start_org(users=50, apps=3, app_users=1, events=100)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OKTA_ORG_URL", org.url)
    monkeypatch.setenv("OKTA_API_TOKEN", org.token)
    document = {"profile": "default", "instance": "i", "scope": "", "obtained_at": 0, "expires_at": 0}
    token = circulate_core.Token({"token_type": "Bearer", "access_token": "t0ken", **document})
    monkeypatch.setattr(circulate_core, "token", lambda _profile: token)
    if "circulate_core.lake(" in code:
        circulate_core.pull("okta.users", to="lake")
    # What is written as an address of somebody else's is ours here.
    runnable = code.replace("https://acme.okta.com", org.url).replace("00a...", org.token)
    exec(compile(runnable, name, "exec"), {"circulate_core": circulate_core})  # noqa: S102 - that is what it is for
