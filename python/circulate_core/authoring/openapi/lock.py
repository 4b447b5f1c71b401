"""`import.lock`: what an import was made of and what it took from that, by which a later one shows what has changed."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from circulate_core.authoring.openapi.imported import described_parameters, digest_of, fingerprint
from circulate_core.authoring.openapi.naming import ENDPOINT_NAME
from circulate_core.exceptions import DefinitionError

if TYPE_CHECKING:
    from pathlib import Path

    from circulate_core.authoring.openapi.imported import ImportedSource

FILE_NAME = "import.lock"
_SCHEMA = 1


@dataclass
class Lock:
    """What an import was made of.

    Attributes:
        documents: The documents: their names and the SHA-256 of each.
        given: What was said of them by flags: `base_url`, `auth`.
        lists: What was taken of lists, by `GET /path`.
        operations: What was taken of operations, likewise.
        files: The SHA-256 of each file as it was written.
        probed: What was found out about lists at the API itself, by `GET /path`.
    """

    documents: list[dict[str, str]] = field(default_factory=list)
    given: dict[str, Any] = field(default_factory=dict)
    lists: dict[str, dict[str, Any]] = field(default_factory=dict)
    operations: dict[str, dict[str, Any]] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    probed: dict[str, dict[str, Any]] = field(default_factory=dict)

    def text(self) -> str:
        """Return the text of the file."""
        return json.dumps({"schema": _SCHEMA, **vars(self)}, indent=1, sort_keys=True) + "\n"


def read_lock(path: Path) -> Lock | None:
    """Read the lock of an earlier import; None if there was none.

    Raises:
        DefinitionError: It cannot be read.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        schema = document.pop("schema")
        lock = _within_folder(Lock(**document)) if schema == _SCHEMA else None
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not what an import has written"
        hint = "take it out of version control as it was, or remove it: then files are only written with --overwrite"
        message = f"{path}: {why}"
        raise DefinitionError(message, operation="read lock", hint=hint) from None
    if lock is None:
        message = f"{path}: it is of another version ({schema}) than this one reads ({_SCHEMA})"
        hint = "use the version that has written it, or a newer one"
        raise DefinitionError(message, operation="read lock", hint=hint)
    return lock


def _within_folder(lock: Lock) -> Lock:
    """Return a lock whose names are those of files in its folder.

    Raises:
        ValueError: Some are not.
    """
    names = [*(name.removesuffix(".yaml") for name in lock.files), *(each["endpoint"] for each in lock.lists.values())]
    if not all(map(ENDPOINT_NAME.fullmatch, names)):
        raise ValueError(names)
    return lock


def lock_of(source: ImportedSource, probed: dict[str, dict[str, Any]]) -> Lock:
    """Return what a source was made of; its files are not written yet."""
    given = {"base_url": source.given.base_url, "auth": list(source.given.auth)}
    lock = Lock(
        documents=[{"name": each.path.name, "sha256": each.sha256} for each in source.documents],
        given={key: value for key, value in given.items() if value},
        probed=probed,
    )
    for each in source.lists:
        lock.lists[each.key] = {
            "endpoint": each.endpoint,
            "status": each.status,
            "read_as": digest_of({key: each.definition[key] for key in each.definition if key != "operations"}),
            "said": fingerprint(each),
            "paginator": each.paginator,
            "parameters": described_parameters(each.found.operation),
        }
    for operation in source.operations:
        lock.operations[operation.operation.key] = {
            "name": f"{operation.endpoint}.{operation.name}",
            "sent_as": digest_of(operation.definition),
            "parameters": described_parameters(operation.operation),
        }
    return lock


@dataclass(frozen=True)
class Change:
    """What is otherwise than before.

    Attributes:
        kind: `new`, `removed` or `changed`.
        what: `list` or `operation`.
        key: `GET /path`.
        details: What of it, a line each.
    """

    kind: str
    what: str
    key: str
    details: tuple[str, ...] = ()


def changes_between(before: Lock, after: Lock) -> list[Change]:
    """Return what an import takes otherwise than an earlier one."""
    changes: list[Change] = []
    for what, old, new, digest in (
        ("list", before.lists, after.lists, "read_as"),
        ("operation", before.operations, after.operations, "sent_as"),
    ):
        changes += [Change("new", what, key) for key in new if key not in old]
        changes += [Change("removed", what, key) for key in old if key not in new]
        for key in old.keys() & new.keys():
            details = _details(old[key], new[key])
            if details or old[key][digest] != new[key][digest]:
                changes.append(Change("changed", what, key, tuple(details) or ("its definition",)))
    order = {"removed": 0, "changed": 1, "new": 2}
    return sorted(changes, key=lambda change: (order[change.kind], change.what, change.key))


def _details(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    details = [
        f"{name}: {_shown(old.get(name))} → {_shown(new.get(name))}"
        for name in ("endpoint", "name", "status", "paginator")
        if old.get(name) != new.get(name)
    ]
    before, after = old["parameters"], new["parameters"]
    details += [f"parameter {name}: new ({after[name]})" for name in after if name not in before]
    details += [f"parameter {name}: removed" for name in before if name not in after]
    details += [
        f"parameter {name}: {before[name]} → {after[name]}"
        for name in before
        if name in after and before[name] != after[name]
    ]
    return details


def _shown(value: object) -> str:
    return value if isinstance(value, str) else "none" if value is None else json.dumps(value)
