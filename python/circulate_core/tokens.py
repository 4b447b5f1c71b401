"""Access tokens of the token extension, for code of one's own in a Lambda function."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circulate_core import _core

if TYPE_CHECKING:
    from circulate_core.results import Token


def token(profile: str = "default", *, refused: str | None = None) -> Token:
    """Return the access token that the token extension of a Lambda function keeps.

    A token that has expired, as after the function was frozen for long, is renewed, in about ten seconds at most.

    Args:
        profile: Which credentials' token, by the name that the extension is given.
        refused: The `access_token` that an API just refused: the extension gets another one.

    Returns:
        What its file holds. With a token of the type `DPoP`, every request needs a proof made with `dpop_jwk`
        (RFC 9449).

    Raises:
        AuthError: There is no valid token, or its file is not what only the extension writes.

    Example:
        ```python
        token = circulate_core.token("okta-read")
        headers = {"Authorization": f"{token.token_type} {token.access_token}"}
        ```
    """
    import hashlib  # noqa: PLC0415 - only here

    digest = hashlib.sha256(refused.encode()).hexdigest() if refused else None
    return _core.token(profile, digest)
