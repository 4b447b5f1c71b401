"""Settings of a source: given in code or by flag, else from the environment, else from a config file.

Secrets never come from a flag, and never go to an address that a file in the working folder names, unless they come
from that file too.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circulate_core._core import Settings, check_options
from circulate_core.bindings import PLACEHOLDER, Use, keep_to_bindings, texts_in
from circulate_core.callers import warn_caller
from circulate_core.catalogs import is_named
from circulate_core.config import CATALOG, CONFIG_NAME, find_config, is_of_working_folder, read_config
from circulate_core.exceptions import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from circulate_core.types import Catalog, Headroom, SourceDefinition

NO_SETTINGS = ("account", "secret", "headroom")
"""What a section holds beside settings."""
HEADROOM = "CIRCULATE_HEADROOM"
"""Environment variable of the share of quotas that is left to others."""


@dataclass(frozen=True)
class Configured:
    """What is configured for one source.

    Attributes:
        settings: All settings.
        public: Those that are not secrets.
        origins: Where each setting, and `secret`, comes from.
        secret: Name of the stored secret that holds the rest.
        account: Name of the account.
        headroom: Share of the quota that is left to others.
    """

    settings: Settings
    public: dict[str, str]
    origins: dict[str, str]
    secret: str | None
    account: str | None
    headroom: Headroom | None = None


def configured(  # noqa: PLR0913 - each is a different thing, given once
    source: SourceDefinition,
    *,
    warn: Callable[[str], object],
    flags: Sequence[str] = (),
    given: Settings | None = None,
    config: Path | None = None,
    profile: str | None = None,
    secret: str | None = None,
    account: str | None = None,
    catalog: Catalog = (),
    headroom: Headroom | None = None,
    ask: Callable[[str], bool] | None = None,
    trust: bool = False,
) -> Configured:
    """Gather the settings of a source.

    Args:
        source: Its definition.
        warn: Called with what somebody should know.
        flags: `KEY=VALUE` strings of `--set`.
        given: Settings that are given in code; they come first.
        config: A config file; by default `circulate.toml` in this folder, else in the user's config folder. Secrets
            from elsewhere do not go to an address from the one in this folder, unless it is named here.
        profile: A profile of the source in the config file: `[okta.profiles.NAME]`. It stands for itself: neither the
            source's own section nor the environment adds to it, so that no account's secret goes to another's address.
        secret: Name of a stored secret given by flag or in code.
        account: Name of the account given by flag or in code.
        catalog: Where the source is defined, if somebody said so. Secrets from elsewhere do not go where a definition
            leads that a config file in the working folder names.
        headroom: Share of the quota that is left to others, given by flag or in code. Else it is that of the
            environment, of the profile or the source's section, or of the config file as a whole.
        ask: Asks a person whether a definition may have the secrets of another one.
        trust: A person said so beforehand.

    Raises:
        SettingsError: A flag or the config file is wrong, or would send a secret astray; there is no such profile.
    """
    name = source["source"]
    path = config or _found_config()
    found = config is None and path == Path(CONFIG_NAME)
    in_file = _section(path, name, profile, warn)
    place = str(path) if profile is None else f"{path} [{name}.profiles.{profile}]"
    beside = in_file.without([key for key in in_file.names if key not in NO_SETTINGS])
    known = source["settings"]
    from_flags = _from_flags(flags, source)
    in_environment = (
        [] if profile is not None else [key for key, setting in known.items() if os.environ.get(setting["env"])]
    )
    given = given or Settings()
    _refuse_unknown([key for key in in_file.names if key not in NO_SETTINGS], source, f"in {place}")
    _refuse_unknown(given.names, source, "given by `settings`")
    origins = {key: f"from {place}" for key in in_file.names if key in known}
    origins |= {key: f"from {known[key]['env']}" for key in in_environment}
    origins |= dict.fromkeys(from_flags, "from --set") | dict.fromkeys(given.names, "given")
    # No value is ever a local variable, which a traceback could show.
    settings = in_file.only(list(known)).merged(_of_environment(in_environment, source))
    settings = settings.merged(Settings(from_flags)).merged(given)
    variable = None if profile is not None else f"{name.upper()}_SECRET"
    named, origin = _stored_secret(secret, variable, beside.get("secret"), place)
    origins |= {"secret": origin} if named else {}
    public = settings.without(secret_names(source))
    share = _headroom(headroom, beside.get("headroom"), place)
    gathered = Configured(settings, public, origins, named, account or beside.get("account"), share)
    if found:
        elsewhere = {*in_environment, *from_flags, *given.names}
        of_file = in_file.only([key for key in known if key not in elsewhere])
        if not is_named(catalog) and is_of_working_folder(name):
            _keep_secrets_from_definition(source, of_file, gathered)
        keep_secrets_home(source, of_file, gathered)
    in_config = [key for key in in_file.names if gathered.origins.get(key) == f"from {place}"]
    uses = _uses(source, gathered, in_environment, [] if found else in_config, place)
    keep_to_bindings(source, uses, gathered.origins, catalog=catalog, ask=ask, trust=trust)
    return gathered


def _uses(
    source: SourceDefinition, gathered: Configured, in_environment: Iterable[str], in_config: Iterable[str], place: str
) -> Iterator[Use]:
    """Yield where settings are from that nobody gave just this definition: variables, and what a user's file has."""
    known = source["settings"]
    for key in in_environment:
        if gathered.origins[key] == f"from {known[key]['env']}":
            yield Use(known[key]["env"], is_secret=known[key]["secret"])
    secrets = secret_names(source)
    where = str(Path(place.partition(" [")[0]).resolve())
    yield from (Use(f"`{key}` from {where}", by_name=True) for key in in_config if key in secrets)
    if gathered.secret:
        yield Use(f"the secret `{gathered.secret}`", by_name=True)
    ways = [way for way in source["auth"] if isinstance(way, dict)]
    for profile in (way["token_file"]["profile"] for way in ways if "token_file" in way):
        if profile in gathered.public:
            yield Use(f"the token of the profile `{gathered.public[profile]}`")


def gathered(  # noqa: PLR0913 - each is a different thing, given once
    source: SourceDefinition,
    given: Settings,
    *,
    profile: str | None,
    secret: str | None,
    account: str | None,
    catalog: Catalog,
    headroom: Headroom | None,
) -> Configured:
    """Gather the settings of a source for the functions of the package; see `configured`."""
    return configured(
        source,
        warn=warn_caller,
        given=given,
        profile=profile,
        secret=secret,
        account=account,
        catalog=catalog,
        headroom=headroom,
    )


def _of_environment(names: Iterable[str], source: SourceDefinition) -> Settings:
    return Settings({name: os.environ[source["settings"][name]["env"]] for name in names})


def secret_names(source: SourceDefinition) -> list[str]:
    """Return the names of settings that are secrets."""
    return [name for name, setting in source["settings"].items() if setting["secret"]]


def keep_secrets_home(source: SourceDefinition, of_file: Settings, gathered: Configured) -> None:
    """Refuse to send a secret to an address that a file in the working folder names, unless it is from there too.

    Whoever can put a file into a folder would otherwise get the credentials of everybody who works in it.

    Args:
        source: The definition of the source; what its templates use is part of an address.
        of_file: The settings that come from that file.
        gathered: All settings. What the stored secret holds is never the file's own, even if the file names it.

    Raises:
        SettingsError: A secret would go to such an address.
    """
    addresses = sorted(_address_settings(source))
    redirected = next((key for key in addresses if key in of_file.names), None)
    secret = next(_secrets_from_elsewhere(source, of_file, gathered), None)
    if redirected is None:
        _keep_secrets_from_stored_address(source, addresses, gathered)
        return
    if secret is None:
        return
    name, origin = secret
    variable = source["settings"][redirected]["env"]
    message = (
        f"`{redirected}` {gathered.origins[redirected]} in the working folder says where {source['title']} is,"
        f" but {name} comes {origin}: it is not sent there"
    )
    hint = (
        f"set {variable} or keep the address in the user's own config file; if {CONFIG_NAME} is yours, name it with"
        f" --config {CONFIG_NAME}, or keep the secret in it too"
    )
    raise SettingsError(message, hint=hint)


def _keep_secrets_from_definition(source: SourceDefinition, of_file: Settings, gathered: Configured) -> None:
    """Refuse to send a secret where a definition leads that a file in the working folder names.

    A definition says which variables are read, what of them is secret, and where they are sent; so none is read for it.

    Raises:
        SettingsError: Something that is not from that file would go there.
    """
    variables = {f"from {setting['env']}" for setting in source["settings"].values()}
    from_environment = ((f"`{key}`", origin) for key, origin in gathered.origins.items() if origin in variables)
    secret = next(_secrets_from_elsewhere(source, of_file, gathered), None) or next(from_environment, None)
    if secret is None:
        return
    name, origin = secret
    message = (
        f"{CONFIG_NAME} in the working folder says where {source['title']} is defined, but {name} comes {origin}:"
        " it is not sent there"
    )
    hint = (
        f"if the definition is yours, name its catalog with --catalog or {CATALOG}, or {CONFIG_NAME} with --config"
        f" {CONFIG_NAME}; or keep the secret in it too"
    )
    raise SettingsError(message, hint=hint)


def _keep_secrets_from_stored_address(source: SourceDefinition, addresses: list[str], gathered: Configured) -> None:
    """Refuse to send a secret to an address out of a stored secret that a file in the working folder names.

    Raises:
        SettingsError: A secret would go there.
    """
    origin = gathered.origins.get("secret", "")
    unknown = next((key for key in addresses if key not in gathered.origins), None)
    known = next((key for key in secret_names(source) if key in gathered.origins), None)
    if unknown is None or known is None or not origin.startswith(f"from {CONFIG_NAME}"):
        return
    message = (
        f"the secret `{gathered.secret}` {origin} in the working folder may say where {source['title']} is,"
        f" but `{known}` comes {gathered.origins[known]}: it is not sent there"
    )
    hint = f"set {source['settings'][unknown]['env']}; if {CONFIG_NAME} is yours, name it with --config {CONFIG_NAME}"
    raise SettingsError(message, hint=hint)


def _address_settings(source: SourceDefinition) -> set[str]:
    """Return the settings that lead requests: those that a template of the source uses, or a default of these."""
    known, names = source["settings"], set[str]()
    templates = [text for key, part in source.items() if key != "settings" for text in texts_in(part)]
    while templates:
        for name in PLACEHOLDER.findall(templates.pop()):
            # What proves who we are leads nowhere, wherever it stands in a request.
            if name in known and not known[name]["secret"] and name not in names:
                names.add(name)
                templates.append(known[name].get("default", ""))
    return names


def _secrets_from_elsewhere(
    source: SourceDefinition, of_file: Settings, gathered: Configured
) -> Iterator[tuple[str, str]]:
    """Yield what is secret and not from that file, and where it comes from."""
    for key in secret_names(source):
        if key in gathered.origins and key not in of_file.names:
            yield f"`{key}`", gathered.origins[key]
    if gathered.secret:
        yield f"the secret `{gathered.secret}`", "from AWS Secrets Manager"
    ways = [way for way in source["auth"] if isinstance(way, dict)]
    for profile in (way["token_file"]["profile"] for way in ways if "token_file" in way):
        if profile in gathered.public:
            yield f"the token of the profile `{gathered.public[profile]}`", "from the token extension"
    for key in (key for way in ways for key in _private_keys(way)):
        if key in of_file.names and (path := _path_elsewhere(of_file.only([key]))):
            yield f"`{key}`", f"from {path}"


def _private_keys(way: dict[str, Any]) -> Iterator[str]:
    """Yield the settings of a way to sign in that hold a private key, or the path of a file with one."""
    session = way.get("session", {})
    signing = [way.get("oauth2", {}), *(session.get(step, {}).get("jwt", {}) for step in ("login", "exchange"))]
    yield from (part["private_key"] for part in signing if "private_key" in part)


def _path_elsewhere(private_key: Settings) -> str | None:
    """Return the path that a private key is, if that leads out of the working folder."""
    try:
        return next(
            text.strip()
            for text in private_key.without([]).values()
            if not text.strip().startswith(("{", "-----BEGIN"))
            and not Path(text.strip()).resolve().is_relative_to(Path.cwd().resolve())
        )
    except (StopIteration, OSError, ValueError):
        return None


def _stored_secret(given: str | None, variable: str | None, in_file: str | None, place: str) -> tuple[str | None, str]:
    """Return the name of the stored secret, and where that is from."""
    in_environment = os.environ.get(variable) if variable else None
    origins = ((given, "--secret"), (in_environment, variable), (in_file, place))
    return next(((name, f"from {origin}") for name, origin in origins if name), (None, ""))


def _headroom(given: Headroom | None, in_file: str | None, place: str) -> Headroom | None:
    """Return the share of the quota that is left to others.

    Raises:
        SettingsError: It is none.
    """
    if given is not None:
        check_options("account", {"headroom": given})
        return given
    # A variable without a value is as good as none.
    found = ((os.environ.get(HEADROOM) or None, HEADROOM), (in_file, place))
    value, origin = next(((value, origin) for value, origin in found if value is not None), (None, ""))
    try:
        check_options("account", {"headroom": value})
    except SettingsError as error:
        message = f"{error} (from {origin})"
        raise SettingsError(message) from None
    return value


def _from_flags(flags: Sequence[str], source: SourceDefinition) -> dict[str, str]:
    values = {}
    for flag in flags:
        key, found, text = flag.partition("=")
        if not found:
            # It may be a secret that was put in the wrong place.
            message = "invalid `--set`: not KEY=VALUE"
            raise SettingsError(message, hint=f"the settings: {', '.join(source['settings'])}")
        _refuse_unknown([key], source, "given by --set")
        setting = source["settings"][key]
        if setting["secret"]:
            message = f"`{key}` is a secret and can't be given by flag: process lists and shell histories show flags"
            raise SettingsError(message, hint=f"set {setting['env']} instead")
        values[key] = text
    return values


def _refuse_unknown(keys: Iterable[str], source: SourceDefinition, where: str) -> None:
    """Refuse all keys that are not settings of a source, and name those that were probably meant."""
    known = source["settings"]
    unknown = [key for key in keys if key not in known]
    if not unknown:
        return
    from difflib import get_close_matches  # noqa: PLC0415 - for mistakes only

    near = dict.fromkeys(match for key in unknown for match in get_close_matches(key, known, 1))
    meant = f"did you mean {_quoted(near)}? " if near else ""
    message = f"{source['title']} has no {'setting' if len(unknown) == 1 else 'settings'} {_quoted(unknown)} ({where})"
    raise SettingsError(message, hint=f"{meant}its settings: {', '.join(known)}")


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _found_config() -> Path | None:
    found = find_config()
    return None if found is None else Path(found)


def _section(path: Path | None, source: str, profile: str | None, warn: Callable[[str], object]) -> Settings:
    """Return what a config file holds for a source, or for a profile of it.

    What is wrong with it is raised when nothing of it is at hand any more that a traceback could show.

    Raises:
        SettingsError: The file can't be read, is not what it should be, or has no such profile.
    """
    if path is None:
        if profile is None:
            return Settings()
        message = f"there is no profile `{profile}`: no config file was found"
        raise SettingsError(message, hint=f"put it into ./{CONFIG_NAME}, as [{source}.profiles.{profile}]")
    section, problem, hint = _read_section(path, source, profile)
    if problem:
        raise SettingsError(problem, hint=hint)
    # A file that holds nothing of a source, as that of a project, is for everybody.
    if section.names and path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        warn(f"{path} can be read by others: chmod 600 {path}")
    return section


def _read_section(path: Path, source: str, profile: str | None) -> tuple[Settings, str | None, str | None]:
    """Return what a file holds for a source or a profile of it; or what is wrong, and what to do."""
    document, problem = read_config(str(path))
    if problem:
        return Settings(), problem, None
    section = document.get(source, {})
    where = f"[{source}]"
    profiles = section.pop("profiles", {}) if isinstance(section, dict) else {}
    if profile is not None:
        if not isinstance(profiles, dict) or profile not in profiles:
            known = ", ".join(profiles) if isinstance(profiles, dict) and profiles else "none"
            hint = f"its profiles of {source}: {known}; one is a section [{source}.profiles.NAME]"
            return Settings(), f"there is no profile `{profile}` of {source} in {path}", hint
        section, where = profiles[profile], f"[{source}.profiles.{profile}]"
    # That of all sources, unless this one has its own.
    headroom = section.pop("headroom", document.get("headroom")) if isinstance(section, dict) else None
    if not isinstance(section, dict) or not all(isinstance(value, str) for value in section.values()):
        misplaced = isinstance(section, dict) and "catalog" in section
        top = "`catalog` stands at the top of the file, before all sections" if misplaced else None
        return Settings(), f"{where} in {path} must hold strings only, beside `headroom`", top
    if headroom is not None:
        section["headroom"] = headroom if isinstance(headroom, str) else repr(headroom)
    return Settings(section), None, None
