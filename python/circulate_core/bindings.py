"""Which definition a secret is for: the catalog, source and origin that it went to first.

Whoever writes a definition says which variables are read, and where they are sent. So a definition that is not shipped
gets a secret of another one only after a person said yes, and so does one that sends a secret elsewhere than before.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from circulate_core import _core
from circulate_core.catalogs import SHIPPED_CATALOG, source_folder
from circulate_core.exceptions import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from circulate_core.types import Catalog, SourceDefinition

SCHEMA = 1
SHIPPED = "shipped"
"""What stands for the shipped catalog."""
OF_AWS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
"""Variables that no definition names first: those of all AWS tools."""
PLACEHOLDER = re.compile(r"\{([a-z0-9_]+)\}")
_ORIGIN = re.compile(r"(?:[a-z]+://)?[^/?#]*", re.IGNORECASE)


@dataclass(frozen=True)
class Binding:
    """A secret, and what it is for.

    Attributes:
        secret: Where it is from, such as a variable; never what it is.
        catalog: The folder with the definition, or `shipped`.
        source: The source.
        origins: Where the definition itself says that it goes; none if a setting says that.
    """

    secret: str
    catalog: str
    source: str
    origins: tuple[str, ...]

    def is_left(self) -> bool:
        """Return whether its definition is no longer where it was."""
        return self.catalog != SHIPPED and not Path(self.catalog, self.source, "source.yaml").is_file()


@dataclass(frozen=True)
class Use:
    """A setting that a definition would get.

    Attributes:
        secret: Where it is from.
        is_secret: Whether the definition says that it is secret.
        by_name: Whether it was found by the name of the source, which a definition may share with a shipped one.
    """

    secret: str
    is_secret: bool = True
    by_name: bool = False


def keep_to_bindings(  # noqa: PLR0913 - each is a different thing, given once
    source: SourceDefinition,
    uses: Iterable[Use],
    given: Mapping[str, object],
    *,
    catalog: Catalog,
    ask: Callable[[str], bool] | None = None,
    trust: bool = False,
) -> None:
    """Refuse to let a definition have a secret of another one, or send one elsewhere than before, unasked.

    A copy of a shipped source is that source, as long as it signs in and reaches its API likewise.

    Nobody is asked where there is no folder to remember things in, or in a Lambda function, whose packaged catalog was
    chosen by whoever deployed it; nor of a definition that is written in the code that asks for it.

    Args:
        source: The definition.
        uses: What it would get, and from where.
        given: The settings that somebody gave it, by name.
        catalog: Where it may be defined.
        ask: Asks a person; None if there is none.
        trust: A person said yes beforehand.

    Raises:
        SettingsError: Nobody said yes.
    """
    name = source["source"]
    folder = state_folder()
    if folder is None or any(_defines(entry, name) for entry in catalog):
        return
    home = source_folder(name, catalog=catalog)
    is_shipped = home is None or _is_copy(source, _shipped().get(name))
    where = SHIPPED if is_shipped else os.path.realpath(os.path.dirname(str(home)))  # noqa: PTH120 - `home` is a string
    origins = tuple(sorted(set(_origins(source, given))))
    found = [(use, Binding(use.secret, where, name, origins)) for use in uses]
    file = folder / "bindings.json"
    known = _read(file)
    problems = [] if where == SHIPPED else list(_problems(found, known))
    if problems and not trust:
        asked = f"`{name}`, defined in {where}, {'; '.join(problems)}"
        if ask is None or not ask(asked):
            flag = f" --catalog {os.path.dirname(home)}" if home else ""  # noqa: PTH120 - as above
            message = f"{asked}: nothing is sent there"
            hint = f"if you trust this definition, say so once: circulate check {name}{flag} --trust"
            raise SettingsError(message, hint=hint)
    new = [binding for use, binding in found if (use.is_secret or problems) and binding not in known]
    if new:
        _remember(file, new)


def _problems(found: Iterable[tuple[Use, Binding]], known: Iterable[Binding]) -> Iterator[str]:
    """Yield why a person has to say yes."""
    shipped = _shipped_secrets()
    for use, wanted in found:
        bound = [binding for binding in known if binding.secret == wanted.secret]
        # Who wrote one definition of a catalog wrote the others.
        if own := [binding for binding in bound if binding.catalog == wanted.catalog]:
            before = {origin for binding in own for origin in binding.origins}
            if new := sorted(set(wanted.origins) - before):
                so_far = " and ".join(sorted(before)) or "where a setting says"
                yield f"sends {wanted.secret} to {' and '.join(new)}, which went to {so_far} so far"
            continue
        # One that moved with all that it says is the same.
        others = [each for each in bound if not (each.is_left() and _same_but_for_its_place(each, wanted))]
        if owner := shipped.get(f"[{wanted.source}]" if use.by_name else wanted.secret):
            yield f"wants {wanted.secret}, which is {owner}"
        elif others:
            other = others[0]
            place = "as it is shipped" if other.catalog == SHIPPED else f"defined in {other.catalog}"
            yield f"wants {wanted.secret}, which is of `{other.source}`, {place}"


def _same_but_for_its_place(one: Binding, other: Binding) -> bool:
    return replace(one, catalog=other.catalog) == other


def _is_copy(source: SourceDefinition, shipped: SourceDefinition | None) -> bool:
    """Return whether a source has nothing of its own that leads secrets: its settings, address and ways to sign in."""
    if shipped is None or source["base_url"] != shipped["base_url"]:
        return False
    known = shipped["settings"]
    own = (name for name, setting in source["settings"].items() if not _leads_as(setting, known.get(name)))
    return next(own, None) is None and all(way in shipped["auth"] for way in source["auth"])


def _leads_as(setting: Mapping[str, object], other: Mapping[str, object] | None) -> bool:
    return other is not None and all(setting.get(key) == other.get(key) for key in ("env", "secret", "default"))


def _shipped() -> dict[str, SourceDefinition]:
    """Return the sources that are shipped."""
    catalog = _core.Catalog([SHIPPED_CATALOG], None)
    names = [entry.name for entry in os.scandir(SHIPPED_CATALOG) if entry.is_dir()]
    return {name: cast("SourceDefinition", catalog.source(name)) for name in names}


def _shipped_secrets() -> dict[str, str]:
    """Return whose the secrets are that shipped definitions name, and sections of config files by `[source]`."""
    owners = dict.fromkeys(OF_AWS, "of AWS")
    for name, source in _shipped().items():
        owner = f"of `{name}`, as it is shipped"
        owners[f"[{name}]"] = owner
        owners |= {setting["env"]: owner for setting in source["settings"].values() if setting["secret"]}
    return owners


def _defines(entry: object, name: str) -> bool:
    """Return whether an entry of a catalog is a definition of the source in code."""
    source = entry.get("source") if isinstance(entry, dict) else None
    return isinstance(source, dict) and source.get("source") == name


def _origins(source: SourceDefinition, given: Mapping[str, object]) -> Iterator[str]:
    """Yield the origins that the definition itself says: written out, or as the default of a setting."""
    written = [text for way in source["auth"] for text in texts_in(way) if "://" in text or "{" in text]
    for text in (source["base_url"], *written):
        filled = _filled(text, source, given)
        origin = _ORIGIN.match(filled)
        if origin and PLACEHOLDER.sub("", origin[0].partition("://")[2] or origin[0]):
            yield origin[0].lower()


def _filled(text: str, source: SourceDefinition, given: Mapping[str, object]) -> str:
    """Return a template with the defaults of its settings, but of those that are given."""
    for _ in source["settings"]:
        names = [name for name in PLACEHOLDER.findall(text) if name in source["settings"] and name not in given]
        defaults = {name: source["settings"][name].get("default") for name in names}
        if not any(defaults.values()):
            break
        for name, default in defaults.items():
            text = text.replace(f"{{{name}}}", default or f"{{{name}}}")
    return text


def texts_in(part: object) -> Iterator[str]:
    """Yield the texts in a part of a definition, however deep."""
    if isinstance(part, str):
        yield part
    elif isinstance(part, dict):
        for inner in part.values():
            yield from texts_in(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from texts_in(inner)


def state_folder() -> Path | None:
    """Return the user's folder for state, made if need be; None if there is none that can be written."""
    if os.environ.get("AWS_LAMBDA_FUNCTION_NAME"):
        return None
    state = Path(os.environ.get("XDG_STATE_HOME") or "")
    if not state.is_absolute():
        # The XDG specification has relative ones ignored.
        state = Path("~/.local/state").expanduser()
    folder = state / "circulate"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return None
    return folder if folder.is_absolute() and os.access(folder, os.W_OK) else None


def _read(file: Path) -> list[Binding]:
    """Return the bindings in a file.

    Raises:
        SettingsError: It is not what it should be.
    """
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        if document["schema"] != SCHEMA:
            raise ValueError  # noqa: TRY301 - as all else that is wrong with it
        return [
            Binding(str(each["secret"]), str(each["catalog"]), str(each["source"]), tuple(map(str, each["origins"])))
            for each in document["bindings"]
        ]
    except FileNotFoundError:
        return []
    except (OSError, TypeError, KeyError, ValueError, RecursionError):
        message = f"{file} does not say which definitions may have which secrets"
        hint = "remove it: a definition that wants a secret of another one then needs your word again"
        raise SettingsError(message, hint=hint) from None


def _remember(file: Path, new: Iterable[Binding]) -> None:
    """Add bindings to a file, whole or not at all; those of the same definitions before are replaced.

    Raises:
        SettingsError: It can't be written.
    """
    half = file.with_name(f".bindings-{os.getpid()}-{threading.get_ident()}")
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        lock = os.open(f"{file}.lock", flags, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            bindings = {(each.secret, each.catalog, each.source): each for each in (*_read(file), *new)}
            text = json.dumps({"schema": SCHEMA, "bindings": [vars(each) for each in bindings.values()]}, indent=1)
            with os.fdopen(os.open(half, flags | os.O_TRUNC, 0o600), "w", encoding="utf-8") as written:
                written.write(text)
            half.replace(file)
        finally:
            os.close(lock)
    except OSError as error:
        half.unlink(missing_ok=True)
        message = f"cannot remember in {file} which definition has which secret: {error.strerror}"
        raise SettingsError(message, hint="make room for it, or name another folder in XDG_STATE_HOME") from None
