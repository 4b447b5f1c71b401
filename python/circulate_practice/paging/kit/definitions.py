"""The definition of a server's lists as files, to pull by and to begin a definition of one's own with."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

MADE: Final = "# Made by `circulate practice-list`, which makes it again.\n"
"""The first line of each file: what others have written stays."""


def write_definition(source: Mapping[str, Any], endpoints: Mapping[str, Mapping[str, Any]], folder: Path) -> Path:
    """Write `source.yaml` and a file for each endpoint; return the folder of the source, which is below `folder`.

    Raises:
        OSError: A file cannot be written, or somebody else has written it.
    """
    below = folder / str(source["source"])
    texts = {below / "source.yaml": _yaml(source)}
    texts |= {below / f"{name}.yaml": _yaml({"endpoint": name, **endpoint}) for name, endpoint in endpoints.items()}
    for file in texts:
        if file.exists() and not file.read_bytes().startswith(MADE.encode()):
            message = f"{file} is another definition: remove it, or name another folder"
            raise FileExistsError(message)
    below.mkdir(parents=True, exist_ok=True)
    for file, text in texts.items():
        file.write_text(MADE + text)
    return below


def _yaml(document: Mapping[str, Any], indent: str = "") -> str:
    """Return a mapping as YAML: two levels in lines, and what is below them as JSON, which is YAML too."""
    lines = []
    for key, value in document.items():
        if isinstance(value, Mapping) and value and not indent:
            lines.append(f"{key}:\n{_yaml(value, '  ')}")
        else:
            lines.append(f"{indent}{key}: {json.dumps(value, ensure_ascii=False)}\n")
    return "".join(lines)
