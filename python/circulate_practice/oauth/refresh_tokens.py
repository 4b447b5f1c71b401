"""The refresh tokens that the practice org gave out, each good for one use (RFC 9700, section 4.14.2)."""

import hashlib
import threading
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SignIn:
    """What a person agreed to by signing in, and all tokens that come of it stand for.

    Attributes:
        number: Which one it is.
        client_id: The client it is for.
        scopes: What it allows.
    """

    number: int
    client_id: str
    scopes: frozenset[str]


class ReuseError(Exception):
    """A refresh token is used a second time: it was stolen, and nobody knows by whom.

    Args:
        sign_in: What all tokens came of that are to be revoked.
    """

    def __init__(self, sign_in: SignIn) -> None:
        super().__init__(sign_in.number)
        self.sign_in = sign_in


class RefreshTokens:
    """Give out refresh tokens and take each of them once. They are opaque, and follow from the seed.

    Args:
        seed: Number the tokens follow from.
    """

    def __init__(self, seed: int) -> None:
        self._key = b"refresh:%d" % seed
        self._count = 0
        self._good: dict[str, SignIn] = {}
        self._used: dict[str, SignIn] = {}
        self._lock = threading.Lock()

    def sign_in(self, client_id: str, scopes: frozenset[str]) -> str:
        """Return the first refresh token of a new sign-in."""
        with self._lock:
            return self._issue(SignIn(self._count, client_id, scopes))

    def find(self, token: str) -> SignIn | None:
        """Return what a token stands for that was not used; None if it is none, or revoked.

        Raises:
            ReuseError: It was used before.
        """
        with self._lock:
            if token in self._used:
                raise ReuseError(self._used[token])
            return self._good.get(token)

    def rotate(self, token: str) -> str | None:
        """Use a token up and return the one that takes its place; None if somebody else was faster."""
        with self._lock:
            sign_in = self._good.pop(token, None)
            if sign_in is None:
                return None
            self._used[token] = sign_in
            return self._issue(sign_in)

    def revoke(self, sign_in: SignIn) -> None:
        """Take no token any more that came of a sign-in."""
        with self._lock:
            self._good = {token: other for token, other in self._good.items() if other != sign_in}

    def _issue(self, sign_in: SignIn) -> str:
        self._count += 1
        digest = hashlib.blake2b(b"%d" % self._count, key=self._key, digest_size=32).hexdigest()
        self._good[f"r.{digest}"] = sign_in
        return f"r.{digest}"
