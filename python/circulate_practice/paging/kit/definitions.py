"""The definition of a server's lists as files, to pull by and to begin a definition of one's own with."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_definition(source: Mapping[str, Any], endpoints: Mapping[str, Mapping[str, Any]], folder: Path) -> Path:
    """Write `source.yaml` and a file for each endpoint; return the folder of the source, which is below `folder`.

    Raises:
        OSError: A file cannot be written.
    """
    below = folder / str(source["source"])
    below.mkdir(parents=True, exist_ok=True)
    (below / "source.yaml").write_text(_yaml(source))
    for name, endpoint in endpoints.items():
        (below / f"{name}.yaml").write_text(_yaml({"endpoint": name, **endpoint}))
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
