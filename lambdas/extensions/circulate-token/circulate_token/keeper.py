"""Keeps the token files up to date. Tokens themselves never reach Python: the engine gets and writes them."""

import os
import threading
import time
from pathlib import Path

from circulate_core import _core
from circulate_core.exceptions import AuthError, CirculateError, SettingsError
from circulate_token.config import Config, Profile
from circulate_token.log import error, info
from circulate_token.trouble import CONFIG_INVALID, DENIED, SECRET_NOT_FOUND, UNAVAILABLE, UNWRITABLE, Trouble

LAST_WRITE_S = 0.5
"""What is left to a token that is on its way when the environment ends."""
LOGOUT_S = 0.4
"""What is left to logouts then: Lambda gives us two seconds, and the event before may have taken one of them."""


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
        self._locks = {profile.name: threading.Lock() for profile in config.profiles}
        self._last: dict[str, tuple[int, Trouble | None]] = {profile.name: (0, None) for profile in config.profiles}
        self._closed = False
        try:
            self.socket: Path = Path(_core.clear_tokens())
        except CirculateError as wrong:
            raise Trouble(UNWRITABLE, _with_hint(wrong)) from None

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
        began, (seen, _) = time.monotonic(), self._last[name]
        # One at a time, so that a file is never older than what is known.
        if not self._locks[name].acquire(timeout=seconds):
            raise Trouble(UNAVAILABLE, "a token was requested and has not come yet")
        try:
            tries, trouble = self._last[name]
            # Who waited for another request takes what came of it: the token, unless one is refused, or the trouble.
            if tries == seen or (refused and not trouble):
                left = max(seconds - (time.monotonic() - began), 0.1)
                trouble = self._mint(self._profiles[name], refused, left)
                self._last[name] = (tries + 1, trouble)
        finally:
            self._locks[name].release()
        if trouble:
            raise trouble

    def _mint(self, profile: Profile, refused: str | None, seconds: float) -> Trouble | None:
        if self._closed:
            return Trouble(UNAVAILABLE, "the environment is being shut down")
        try:
            minted = _core.mint(self._account(profile), self._arguments(profile, refused, seconds))
        except CirculateError as wrong:
            trouble = Trouble(_kind(wrong), _message(wrong, profile))
            error("no token", profile=profile.name, kind=trouble.kind, message=trouble.message)
            return trouble
        if minted["renewed"]:
            facts = {"type": minted["token_type"], "expires_at": minted["expires_at"]}
            info("token written", profile=profile.name, scopes=len(minted["scope"].split()), **facts)
        return None

    def forget(self) -> None:
        """Remove all files, write no more, and log out."""
        self._closed = True
        for lock in self._locks.values():
            # A token that is on its way has time to be written first.
            lock.acquire(timeout=LAST_WRITE_S / len(self._locks))
        _core.clear_tokens()
        _core.log_out(LOGOUT_S)

    def _account(self, profile: Profile) -> _core.Account:
        return _core.Account(profile.catalog, profile.settings, profile.secret)

    def _arguments(self, profile: Profile, refused: str | None, seconds: float) -> dict[str, object]:
        return {
            "source": profile.source,
            "scopes": set(profile.scopes),
            "profile": profile.name,
            "instance": self.instance,
            "names": profile.names,
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


def _message(wrong: CirculateError, profile: Profile) -> str:
    """Return what is wrong and what to do; settings have other names here than where people use the engine."""
    if (
        isinstance(wrong, SettingsError)
        and wrong.operation == "read settings"
        and "circulate.toml" in (wrong.hint or "")
    ):
        return f"{wrong} (it may come from {', '.join(sorted(profile.names.values()))})"
    return _with_hint(wrong)


def _with_hint(wrong: CirculateError) -> str:
    return f"{wrong} ({wrong.hint})" if wrong.hint else str(wrong)
