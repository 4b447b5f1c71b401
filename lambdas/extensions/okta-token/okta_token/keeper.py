"""Keeps the token files up to date. Tokens themselves never reach Python: the engine gets and writes them."""

import json
import os
import threading
from pathlib import Path

from circulate_core import _core
from circulate_core.api import SHIPPED_CATALOG
from circulate_core.exceptions import AuthError, CirculateError, SettingsError
from okta_token.config import Config, Profile
from okta_token.log import error, info
from okta_token.trouble import CONFIG_INVALID, DENIED, SECRET_NOT_FOUND, UNAVAILABLE, UNWRITABLE, Trouble


class Keeper:
    """Keeps the tokens of all profiles.

    Args:
        config: What they are.

    Raises:
        Trouble: The folder of token files is somebody else's.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.instance = os.urandom(16).hex()
        self._profiles = {profile.name: profile for profile in config.profiles}
        self._lock = threading.Lock()
        try:
            self.socket: Path = Path(_core.clear_tokens())
        except CirculateError as wrong:
            raise Trouble(UNWRITABLE, _told(wrong)) from None

    def renew_all(self, seconds: float) -> Trouble | None:
        """See to it that no file holds a token that is due.

        Args:
            seconds: What may be spent on it.

        Returns:
            The first thing that went wrong. A token that is still valid is kept meanwhile.
        """
        troubles = []
        for profile in self.config.profiles:
            try:
                self.renew(profile.name, None, seconds / len(self.config.profiles))
            except Trouble as trouble:
                troubles.append(trouble)
        return next(iter(troubles), None)

    def renew(self, name: str, refused: str | None, seconds: float) -> None:
        """See to it that a file holds a token that is not due, and not the one that was refused.

        Args:
            name: The profile.
            refused: Digest of the token that the API refused.
            seconds: What may be spent on it.

        Raises:
            Trouble: There is no other token.
        """
        if name not in self._profiles:
            raise Trouble(CONFIG_INVALID, f"the extension has no profile `{name}`: {', '.join(self._profiles)}")
        request = self._request(self._profiles[name], refused, seconds)
        try:
            # One at a time, so that a file is never older than what is known.
            with self._lock:
                minted = json.loads(_core.mint(json.dumps(request)))
        except CirculateError as wrong:
            trouble = Trouble(_kind(wrong), _told(wrong))
            error("no token", profile=name, kind=trouble.kind, message=trouble.message)
            raise trouble from None
        if minted["renewed"]:
            scopes = len(minted["scope"].split())
            info(
                "token written", profile=name, type=minted["token_type"], expires_at=minted["expires_at"], scopes=scopes
            )

    def forget(self) -> None:
        """Remove all files."""
        _core.clear_tokens()

    def _request(self, profile: Profile, refused: str | None, seconds: float) -> dict[str, object]:
        return {
            "source": "okta",
            "from": {
                "catalog": [SHIPPED_CATALOG],
                "settings": profile.settings,
                "secret": profile.secret,
                "account": None,
            },
            "scopes": profile.scopes,
            "profile": profile.name,
            "instance": self.instance,
            "refused": refused,
            "seconds": seconds,
        }


def _kind(wrong: CirculateError) -> str:
    if wrong.operation == "keep token":
        return UNWRITABLE
    if isinstance(wrong, SettingsError):
        missing = wrong.operation == "read secret" and "no such secret" in (wrong.hint or "")
        return SECRET_NOT_FOUND if missing else CONFIG_INVALID
    return DENIED if isinstance(wrong, AuthError) else UNAVAILABLE


def _told(wrong: CirculateError) -> str:
    return f"{wrong} ({wrong.hint})" if wrong.hint else str(wrong)
