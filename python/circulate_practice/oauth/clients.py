"""The clients that may ask the practice org for access tokens."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, get_args

from circulate_practice.oauth.jose import Jwk, public_part, require_jose

Method = Literal["private_key_jwt", "client_secret_basic", "client_secret_post"]
"""How a client says who it is, by the names of RFC 7591 and OpenID Connect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthClient:
    """One client.

    Attributes:
        client_id: Its id.
        scopes: What it may ask for.
        method: How it says who it is.
        keys: Its keys as JWKs with a `kid`, of which the public part is kept; for `private_key_jwt`.
        secret: Its secret; for the other methods.
        dpop: Whether it has to prove possession of a key, as API services of Okta do by default.
        lifetime: Seconds its tokens are valid.
        expires_in: How the response says so: as a number, as text, or not at all.

    Raises:
        ValueError: If it has no keys or no secret where its method needs them.

    Example:
        >>> OAuthClient(client_id="0oa1", scopes=["okta.users.read"], method="client_secret_post", secret="s").dpop
        False
    """

    client_id: str
    scopes: Iterable[str]
    method: Method = "private_key_jwt"
    keys: Iterable[Jwk] = ()
    secret: str = field(default="", repr=False)
    dpop: bool = False
    lifetime: float = 3600
    expires_in: Literal["number", "string", "absent"] = "number"

    def __post_init__(self) -> None:
        """Check what belongs together, and keep nothing secret of the keys."""
        object.__setattr__(self, "scopes", frozenset(self.scopes))
        object.__setattr__(self, "keys", tuple(map(public_part, self.keys)))
        if self.method not in get_args(Method):
            message = f'client {self.client_id}: no method "{self.method}"; there are {", ".join(get_args(Method))}'
            raise ValueError(message)
        needed = self.keys if self.method == "private_key_jwt" else self.secret
        if not needed or not all(key.get("kid") for key in self.keys):
            message = f"client {self.client_id}: private_key_jwt needs keys with a kid, the other methods a secret"
            raise ValueError(message)
        if self.keys or self.dpop:
            require_jose()
