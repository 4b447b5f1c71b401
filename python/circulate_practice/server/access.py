"""Who may ask the API: the API token of the org, and access tokens with the scope that a list needs."""

from typing import Final

from circulate_practice.oauth.dpop import ProofError, Proofs
from circulate_practice.oauth.grants import Grant, Grants
from circulate_practice.oauth.jose import ALGORITHMS
from circulate_practice.server.requests import Request
from circulate_practice.server.responses import Refusal, Response

_UNKNOWN: Final = "The access token is invalid or has expired."
_NO_SCOPE: Final = "The access token provided does not contain the required scopes."


class Challenge(Exception):  # noqa: N818 - Okta responds so, and it is not always the client's error
    """An access token that is refused. The response has no body and says why in a header.

    Args:
        status: HTTP status.
        scheme: `Bearer` or `DPoP`.
        error: Error code of RFC 6750 or RFC 9449.
        description: What is wrong.
    """

    def __init__(self, status: int, scheme: str, error: str, description: str) -> None:
        super().__init__(error)
        self.status = status
        self.scheme = scheme
        self.error = error
        self.description = description

    def respond(self, request: Request, scope: str | None) -> Response:
        """Return the response to a request of something that needs `scope`."""
        said: dict[str, str | None] = {
            "authorization_uri": f"{request.origin}/oauth2/v1/authorize",
            "realm": request.origin,
            "scope": scope,
            "error": self.error,
            "error_description": self.description,
            "resource": request.path,
        }
        if self.scheme == "DPoP":
            said = {"algs": " ".join(ALGORITHMS), **said}
        header = f"{self.scheme} " + ", ".join(f'{name}="{value}"' for name, value in said.items() if value)
        return Response(status=self.status, more_headers=[("WWW-Authenticate", header)])


class Access:
    """Decide about requests of the API.

    Args:
        api_token: API token to accept.
        grants: Access tokens to accept.
        proofs: What checks proofs of possession.
    """

    def __init__(self, api_token: str, grants: Grants, proofs: Proofs) -> None:
        self._api_token = api_token
        self._grants = grants
        self._proofs = proofs

    def check(self, request: Request, scope: str | None) -> None:
        """Let a request pass that may ask for what needs `scope`.

        Raises:
            Refusal: If it carries no token at all, or another API token.
            Challenge: If its access token does not allow it.
        """
        scheme, _, token = request.authorization.partition(" ")
        if scheme.lower() == "bearer":
            grant = self._bearer(token)
        elif scheme.lower() == "dpop":
            grant = self._bound(request, token)
        elif request.authorization == f"SSWS {self._api_token}":
            return
        else:
            raise Refusal(401, "E0000011")
        if scope is not None and scope not in grant.scopes:
            raise Challenge(403, "DPoP" if grant.key else "Bearer", "insufficient_scope", _NO_SCOPE)

    def _bearer(self, token: str) -> Grant:
        grant = self._grants.find(token)
        if grant is None:
            raise Challenge(401, "Bearer", "invalid_token", _UNKNOWN)
        if grant.key:
            raise Challenge(401, "DPoP", "invalid_token", "The access token is bound to a key and needs a DPoP proof.")
        return grant

    def _bound(self, request: Request, token: str) -> Grant:
        grant = self._grants.find(token)
        if grant is None or grant.key is None:
            raise Challenge(401, "DPoP", "invalid_token", _UNKNOWN)
        try:
            key = self._proofs.check(request.proofs, request.method, request.url, token=token)
        except ProofError as error:
            raise Challenge(401, "DPoP", "invalid_dpop_proof", str(error)) from error
        if key != grant.key:
            raise Challenge(401, "DPoP", "invalid_dpop_proof", "The DPoP proof is of another key than the token's.")
        return grant
