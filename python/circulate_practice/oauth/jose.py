"""Signed tokens and their keys (JWS, JWK), by `joserfc`.

The practice org is shipped in a package without dependencies, so the library is imported when it is first needed: by an
org with a client that has keys, or that proves possession of one.
"""

import base64
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Final

Jwk = Mapping[str, Any]
"""A JSON Web Key."""

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512")
"""What Okta takes for assertions and proofs."""

_CURVES: Final = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
_RSA_BITS: Final = 2048
_PARTS: Final = 3
_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


class JoseError(ValueError):
    """A token is not what it should be; the message says why."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token, read.

    Attributes:
        header: Its header.
        claims: What it says.
    """

    header: dict[str, Any]
    claims: dict[str, Any]

    def text(self, name: str) -> str:
        """Return a claim that has to be text.

        Raises:
            JoseError: If it is not, or is empty.
        """
        value = self.claims.get(name)
        if not isinstance(value, str) or not value:
            message = f"the {name} claim is missing or not a string"
            raise JoseError(message)
        return value

    def time(self, name: str) -> float:
        """Return a claim that has to be a time, in epoch seconds.

        Raises:
            JoseError: If it is not.
        """
        value = self.claims.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            message = f"the {name} claim is missing or no number"
            raise JoseError(message)
        return value


def require_jose() -> None:
    """See to it that the library is there.

    Raises:
        RuntimeError: If it is not.
    """
    if find_spec("joserfc") is None:
        message = "OAuth clients with keys need the package joserfc: pip install joserfc"
        raise RuntimeError(message)


def make_key(algorithm: str = "RS256") -> dict[str, Any]:
    """Return a new private key as a JWK with `kid` and `alg`.

    Args:
        algorithm: One of `ALGORITHMS`.

    Raises:
        ValueError: If it is none of these.
    """
    require_jose()
    from joserfc.jwk import ECKey, RSAKey  # noqa: PLC0415 - see above

    if algorithm not in ALGORITHMS:
        message = f'no algorithm "{algorithm}"; there are {", ".join(ALGORITHMS)}'
        raise ValueError(message)
    curve = _CURVES.get(algorithm)
    key = ECKey.generate_key(curve) if curve else RSAKey.generate_key(_RSA_BITS)
    return {**key.as_dict(private=True), "kid": secrets.token_urlsafe(16), "alg": algorithm, "use": "sig"}


def public_part(key: Jwk) -> dict[str, Any]:
    """Return what of a JWK may be known to all."""
    return {name: value for name, value in key.items() if name not in _PRIVATE}


def is_public(key: object) -> bool:
    """Return whether `key` is a JWK without secrets."""
    return isinstance(key, dict) and not _PRIVATE & key.keys()


def read(token: str) -> Token:
    """Return what a token says, whoever signed it.

    Raises:
        JoseError: If it is not a token.
    """
    parts = token.split(".")
    try:
        header, claims = (json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in parts[:2])
    except ValueError:
        header = claims = None
    if len(parts) != _PARTS or not isinstance(header, dict) or not isinstance(claims, dict):
        message = "not a signed token"
        raise JoseError(message)
    return Token(header, claims)


def verified(token: str, key: Jwk) -> Token:
    """Return what a token says that `key` signed.

    Raises:
        JoseError: If it did not.
    """
    require_jose()
    from joserfc.errors import JoseError as Broken  # noqa: PLC0415 - see above
    from joserfc.jwk import import_key  # noqa: PLC0415
    from joserfc.jws import deserialize_compact  # noqa: PLC0415

    found = read(token)
    if found.header.get("alg") not in ALGORITHMS:
        message = f"its algorithm is none of {', '.join(ALGORITHMS)}"
        raise JoseError(message)
    try:
        deserialize_compact(token, import_key(dict(key)), algorithms=list(ALGORITHMS))
    except (Broken, ValueError) as error:
        message = "its signature is not right"
        raise JoseError(message) from error
    return found


def thumbprint(key: Jwk) -> str:
    """Return what names a key in a token that is bound to it (RFC 7638)."""
    from joserfc.jwk import import_key  # noqa: PLC0415 - see above

    return import_key(dict(key)).thumbprint()
