"""What the extension is set up with: the environment of the function, which it sees too."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from circulate_core._core import Settings
from okta_token.trouble import CONFIG_INVALID, Trouble

SETTINGS = {
    "client_id": "client_id",
    "client_secret": "client_secret",
    "private_key": "private_key",
    "key_id": "key_id",
    "token_url": "okta_token_url",
    "org_url": "okta_org_url",
}
"""Settings of the engine, and the variables they come from."""
NEEDED = (("client_id",), ("client_secret", "private_key"), ("token_url", "org_url"))
"""Without a secret, one of each of these."""
_PROFILE = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True)
class Profile:
    """One client whose tokens are kept.

    Attributes:
        name: Names the token file.
        settings: Settings of the engine.
        names: What the variables are called that the settings come from, or would come from.
        secret: Name or ARN of a secret in Secrets Manager with those that are not given.
        scopes: What tokens are for.
    """

    name: str
    settings: Settings
    names: dict[str, str]
    secret: str | None
    scopes: tuple[str, ...]


@dataclass(frozen=True)
class Config:
    """Everything.

    Attributes:
        profiles: The clients.
        snapshot: Whether this environment is going to be a snapshot (SnapStart).
    """

    profiles: tuple[Profile, ...]
    snapshot: bool

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "Config":
        """Read it. Every variable may be written in capitals.

        Raises:
            Trouble: Something is missing or wrong.
        """
        variables = {name.lower(): value for name, value in environment.items() if value}
        names = [name.strip() for name in variables.get("okta_token_profiles", "").split(",") if name.strip()]
        for name in names:
            if not _PROFILE.fullmatch(name):
                raise Trouble(
                    CONFIG_INVALID, f"`{name}` can't name a profile: use letters, digits, - and _, at most 64"
                )
        suffixes = {name: "_" + name.replace("-", "_").lower() for name in names}
        if len(set(suffixes.values())) < len(names):
            raise Trouble(CONFIG_INVALID, f"two of the profiles {', '.join(names)} have the same variables")
        profiles = [_profile(name, suffix, variables) for name, suffix in suffixes.items()]
        return cls(
            profiles=tuple(profiles) or (_profile("default", "", variables),),
            snapshot=variables.get("aws_lambda_initialization_type") == "snap-start",
        )


def fails_open(environment: Mapping[str, str]) -> bool:
    """Return whether the function starts without a token, to try again when events come."""
    variables = {name.lower(): value for name, value in environment.items()}
    return variables.get("okta_token_fail_open", "").lower() in {"1", "true", "yes"}


def _profile(name: str, suffix: str, variables: Mapping[str, str]) -> Profile:
    names = {setting: variable + suffix for setting, variable in SETTINGS.items()}
    settings = {setting: variables[variable] for setting, variable in names.items() if variable in variables}
    secret = variables.get("okta_token_secret" + suffix)
    scopes = tuple(variables.get("okta_token_scopes" + suffix, "").replace(",", " ").split())
    if not scopes:
        raise Trouble(
            CONFIG_INVALID,
            f"okta_token_scopes{suffix} is not set: Okta issues no token without scopes, such as okta.users.read",
        )
    if secret:
        given = settings.keys()
        names |= {setting: f"`{setting}` in the secret {secret}" for setting in names if setting not in given}
    elif missing := [each for each in NEEDED if not settings.keys() & set(each)]:
        needed = ", ".join(" or ".join(names[setting] for setting in each) for each in missing)
        what = f"okta_token_secret{suffix}, the name of a secret in Secrets Manager, is not set"
        raise Trouble(CONFIG_INVALID, f"{what}, and without it {needed} must be")
    if "token_url" in settings and "org_url" not in settings and not secret:
        url = urlsplit(settings["token_url"])
        settings["org_url"] = f"{url.scheme}://{url.netloc}"
    return Profile(name, Settings(settings), names, secret, scopes)
