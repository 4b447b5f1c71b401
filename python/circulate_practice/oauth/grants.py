"""The access tokens that the practice org gave out."""

import base64
import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass

from circulate_practice.oauth.refresh_tokens import SignIn


@dataclass(frozen=True, slots=True)
class Grant:
    """What one access token stands for.

    Attributes:
        client_id: Whose it is.
        scopes: What it allows.
        expires: When it expires, in epoch seconds.
        key: Thumbprint of the key it is bound to, or None.
        sign_in: What a person agreed to, if it came of a refresh token.
    """

    client_id: str
    scopes: frozenset[str]
    expires: float
    key: str | None
    sign_in: SignIn | None = None


class Grants:
    """Give out access tokens and recognise them. They are opaque, and follow from the seed.

    Args:
        seed: Number the tokens follow from.
        clock: Source of the time, in epoch seconds.
    """

    def __init__(self, seed: int, clock: Callable[[], float]) -> None:
        self._key = b"tokens:%d" % seed
        self._clock = clock
        self._count = 0
        self._grants: dict[str, Grant] = {}
        self._lock = threading.Lock()

    def issue(self, grant: Grant) -> str:
        """Return a new token for `grant`."""
        with self._lock:
            self._count += 1
            digest = hashlib.blake2b(b"%d" % self._count, key=self._key, digest_size=40).digest()
            token = base64.b64encode(digest).decode()  # with + and / and =, which all may stand in a token
            self._grants[token] = grant
        return token

    def find(self, token: str) -> Grant | None:
        """Return what a token stands for, or None when it is not, or no longer, one."""
        grant = self._grants.get(token)
        return grant if grant is not None and self._clock() < grant.expires else None

    def expire(self) -> None:
        """Let every token expire."""
        with self._lock:
            self._grants.clear()

    def revoke(self, client_id: str) -> None:
        """Let the tokens of one client expire."""
        with self._lock:
            self._grants = {token: grant for token, grant in self._grants.items() if grant.client_id != client_id}

    def revoke_sign_in(self, sign_in: SignIn) -> None:
        """Let the tokens expire that came of a sign-in."""
        with self._lock:
            self._grants = {token: grant for token, grant in self._grants.items() if grant.sign_in != sign_in}
