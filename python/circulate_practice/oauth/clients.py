"""The clients that may ask the practice org for access tokens."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from circulate_practice.oauth.jose import Jwk, public_part, require_jose

Method = Literal["private_key_jwt", "client_secret_basic", "client_secret_post", "jwt_bearer", "none"]
"""How a client says who it is, by the names of RFC 7591 and OpenID Connect; `jwt_bearer` is the grant of RFC 7523,
section 2.1, whose assertion says whom a token is for.
"""

JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
REFRESH: Final = "refresh_token"
BY_KEY: Final = frozenset({"private_key_jwt", "jwt_bearer"})
"""Those of them that need a key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthClient:
    """One client.

    Attributes:
        client_id: Its id.
        scopes: What it may ask for.
        method: How it says who it is.
        keys: Its keys as JWKs with a `kid`, of which the public part is kept; for `private_key_jwt` and `jwt_bearer`.
        secret: Its secret; for the methods with one.
        subjects: Whom it may get tokens for by `jwt_bearer`, beside itself.
        params: What it has to send beside what the RFCs say; `grant_type` takes the place of theirs.
        body: How it has to send its parameters.
        dpop: Whether it has to prove possession of a key, as API services of Okta do by default.
        lifetime: Seconds its tokens are valid.
        expires_in: How the response says so: as a number, as text, or not at all.
        rotates: Whether its refresh tokens are good for one use, and the next comes with the access token.

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
    subjects: Iterable[str] = ()
    params: Mapping[str, str] = field(default_factory=dict)
    body: Literal["form", "json"] = "form"
    dpop: bool = False
    lifetime: float = 3600
    expires_in: Literal["number", "string", "absent"] = "number"
    rotates: bool = True

    def __post_init__(self) -> None:
        """Check what belongs together, and keep nothing secret of the keys."""
        object.__setattr__(self, "scopes", frozenset(self.scopes))
        object.__setattr__(self, "keys", tuple(map(public_part, self.keys)))
        if self.method not in get_args(Method):
            message = f'client {self.client_id}: no method "{self.method}"; there are {", ".join(get_args(Method))}'
            raise ValueError(message)
        object.__setattr__(self, "subjects", frozenset({self.client_id, *self.subjects}))
        needed = self.keys if self.method in BY_KEY else self.secret or self.method == "none"
        if not needed or not all(key.get("kid") for key in self.keys):
            message = f"client {self.client_id}: {', '.join(sorted(BY_KEY))} need keys with a kid, the others a secret"
            raise ValueError(message)
        if self.keys or self.dpop:
            require_jose()

    @property
    def grant_type(self) -> str:
        """What it has to send as `grant_type`."""
        return self.params.get("grant_type", JWT_BEARER if self.method == "jwt_bearer" else "client_credentials")
