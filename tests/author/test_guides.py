"""The guides for authors: their commands run in an empty folder, and what they show is what comes."""

import json
import re
from pathlib import Path
from typing import Any

import yaml
from support.cli import Cli
from support.guides import DOCS, Reader

from circulate_core.authoring.described import PAGINATORS
from circulate_core.catalogs import SHIPPED_CATALOG


def test_paging_by_example(cli: Cli) -> None:
    Reader("paging-by-example.md", cli).read()


def test_auth_by_example(cli: Cli) -> None:
    Reader("auth-by-example.md", cli).read()


def test_increments(cli: Cli) -> None:
    Reader("increments.md", cli).read()


def definitions_in(guide: str, key: str) -> list[Any]:
    """Return the definitions that a guide shows: those that begin with this key."""
    blocks = re.findall(r"^```yaml\n(.*?)^```", (DOCS / guide).read_text(), re.MULTILINE | re.DOTALL)
    return [yaml.safe_load(block) for block in blocks if block.startswith(f"{key}:")]


def test_the_guide_to_paging_has_every_paginator() -> None:
    endpoints = definitions_in("paging-by-example.md", "endpoint")
    paginators = [endpoint["list"]["paginator"] for endpoint in endpoints]
    shown = {each if isinstance(each, str) else next(iter(each)) for each in paginators}
    assert shown == {*PAGINATORS, "hook"}


def test_the_guide_to_signing_in_has_every_way() -> None:
    text = (DOCS / "auth-by-example.md").read_text()
    sources = definitions_in("auth-by-example.md", "source")
    shown = {next(iter(way)) for source in sources for way in source["auth"]}
    schema = json.loads(Path(SHIPPED_CATALOG, "source.schema.json").read_text())
    ways = [way for way in schema["$defs"]["Auth"]["oneOf"] if "properties" in way]
    known = {next(iter(way["properties"])) for way in ways}
    # A file of tokens is of functions, and stands beside another way.
    assert shown == known - {"token_file"}
    assert "`token_file: {profile: ...}`" in text
    assert "auth: [none]" in text
