"""Proofs of possession (DPoP, RFC 9449): the JWTs by which a client shows that it has the key of its token."""

import base64
import hashlib
import threading
from collections.abc import Callable, Sequence
from typing import Final, NoReturn

from circulate_practice.oauth.jose import JoseError, Token, is_public, read, thumbprint, verified

_IAT_TOLERANCE_S: Final = 300
_NONCE_RENEWED_S: Final = 86_400
_NONCES_ACCEPTED: Final = 3


class ProofError(Exception):
    """A proof is missing or not right; the message says why."""


class NonceError(Exception):
    """A proof is right but for its nonce."""


class Proofs:
    """Check the proofs of one org. A nonce is renewed each day and accepted for three, as at Okta.

    Args:
        seed: Number the nonces follow from.
        clock: Source of the time, in epoch seconds.
    """

    def __init__(self, seed: int, clock: Callable[[], float]) -> None:
        self._seed = seed
        self._clock = clock
        self._age = 0
        self._seen: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    @property
    def nonce(self) -> str:
        """The newest nonce."""
        return self._nonces()[0]

    def expire_nonces(self) -> None:
        """Accept none of the nonces that were given out so far."""
        self._age += 1

    def check(self, proofs: Sequence[str], method: str, url: str, *, token: str | None = None) -> str:
        """Return the thumbprint of the key that a request proves possession of.

        Args:
            proofs: The values of the `DPoP` headers of the request.
            method: Its method.
            url: Its URL, without query and fragment.
            token: The access token it carries; None for a request of one, which needs a nonce instead.

        Raises:
            ProofError: If there is not one proof that is right.
            NonceError: If it has no nonce that is accepted and needs one.
        """
        if not proofs:
            message = "The DPoP proof JWT header is missing."
            raise ProofError(message)
        try:
            key, signed = _signed(proofs)
            self._compare(signed, method, url)
            if token is not None and signed.text("ath") != _hash(token):
                _refuse("the ath claim is not the hash of the access token")
            self._remember(key, signed.text("jti"))
        except JoseError as error:
            message = f"The DPoP proof is not valid: {error}."
            raise ProofError(message) from error
        if token is None and signed.claims.get("nonce") not in self._nonces():
            raise NonceError
        return key

    def _compare(self, signed: Token, method: str, url: str) -> None:
        if signed.text("htm") != method:
            _refuse("the htm claim is not the method of the request")
        if signed.text("htu") != url:
            _refuse("the htu claim is not the URL of the request without query and fragment")
        if abs(signed.time("iat") - self._clock()) > _IAT_TOLERANCE_S:
            _refuse("the iat claim is more than 5 minutes off")

    def _remember(self, key: str, jti: str) -> None:
        with self._lock:
            if (key, jti) in self._seen:
                _refuse("the jti claim was used before")
            self._seen.add((key, jti))

    def _nonces(self) -> list[str]:
        day = int(self._clock() // _NONCE_RENEWED_S)
        return [
            hashlib.blake2b(
                b"%d:%d" % (self._age, day - back), key=b"nonce:%d" % self._seed, digest_size=16
            ).hexdigest()
            for back in range(_NONCES_ACCEPTED)
        ]


def _signed(proofs: Sequence[str]) -> tuple[str, Token]:
    """Return the thumbprint of the key of a proof, and what the proof says."""
    if len(proofs) > 1:
        _refuse("there is more than one")
    header = read(proofs[0]).header
    if header.get("typ") != "dpop+jwt":
        _refuse("its typ is not dpop+jwt")
    if not is_public(header.get("jwk")):
        _refuse("its header holds no public key, or a private one")
    signed = verified(proofs[0], header["jwk"])
    return thumbprint(header["jwk"]), signed


def _hash(token: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()


def _refuse(why: str) -> NoReturn:
    raise JoseError(why)
