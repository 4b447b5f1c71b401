"""`POST /oauth2/v1/token`: access tokens for clients that say who they are, by the letter of RFC 6749 and RFC 9449."""

import json
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from circulate_practice.oauth.client_auth import ClientAuth, OAuthError
from circulate_practice.oauth.clients import JWT_BEARER, REFRESH, OAuthClient
from circulate_practice.oauth.dpop import NonceError, ProofError, Proofs
from circulate_practice.oauth.grants import Grant, Grants
from circulate_practice.oauth.jose import JoseError, read
from circulate_practice.oauth.parameters import parameters
from circulate_practice.oauth.refresh_tokens import RefreshTokens, ReuseError, SignIn
from circulate_practice.server.requests import Request
from circulate_practice.server.responses import Headers, Refusal, Response

_ISSUED: Final = "issued"


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """One request of a token, as the log of the practice org shows it; it never holds a secret.

    Attributes:
        time: When it came, in epoch seconds.
        client_id: The client it named, or None if it named none.
        jti: The `jti` of its assertion, or None.
        outcome: `issued`, or the error code it got. A fault may have put another response in the place of this one.
    """

    time: float
    client_id: str | None
    jti: str | None
    outcome: str


@dataclass(slots=True)
class _Noted:
    """What is known of a request while it is looked at."""

    client_id: str | None = None
    jti: str | None = None
    headers: Headers = field(default_factory=list)


class TokenEndpoint:
    """Respond to requests of tokens.

    Args:
        clients: The clients there are.
        grants: Where tokens come from.
        refresh_tokens: Where refresh tokens come from.
        proofs: What checks proofs of possession.
        clock: Source of the time, in epoch seconds.
    """

    def __init__(
        self,
        clients: Iterable[OAuthClient],
        grants: Grants,
        refresh_tokens: RefreshTokens,
        proofs: Proofs,
        clock: Callable[[], float],
    ) -> None:
        self.clients = ClientAuth(clients, clock)
        self._grants = grants
        self._refresh_tokens = refresh_tokens
        self._proofs = proofs
        self._clock = clock
        self._requests: list[TokenRequest] = []
        self._lock = threading.Lock()

    @property
    def requests(self) -> list[TokenRequest]:
        """Every request so far, oldest first."""
        with self._lock:
            return list(self._requests)

    def respond(self, request: Request) -> tuple[Response, int]:
        """Return the response to a request, and how many there were, this one included.

        Raises:
            Refusal: If it is not a POST.
        """
        if request.method != "POST":
            raise Refusal(405, "E0000022")
        noted = _Noted()
        try:
            response, outcome = self._issued(request, noted), _ISSUED
        except OAuthError as error:
            response, outcome = _refused(request, error), error.error
        response.more_headers += noted.headers
        with self._lock:
            self._requests.append(TokenRequest(self._clock(), noted.client_id, noted.jti, outcome))
            return response, len(self._requests)

    def _issued(self, request: Request, noted: _Noted) -> Response:
        form, sent_as = parameters(request)
        noted.client_id = form.get("client_id")
        _note_assertion(noted, form.get("client_assertion") or form.get("assertion"))
        if "grant_type" not in form:
            raise OAuthError(400, "invalid_request", "grant_type is missing.")
        refreshes = form["grant_type"] == REFRESH
        client = self._client(form, request)
        noted.client_id = client.client_id
        if sent_as != client.body:
            raise OAuthError(400, "invalid_request", f"The client must send its parameters as {client.body}.")
        needed = client.params if refreshes else {"grant_type": client.grant_type, **client.params}
        for name, value in needed.items():
            if form.get(name) != value:
                raise OAuthError(400, "invalid_request", f"{name} is missing, or not {value}.")
        key = self._key(request, client, noted)
        sign_in = self._sign_in(form, client) if refreshes else None
        scopes = form.get("scope", "").split() or sorted(sign_in.scopes if sign_in else ())
        if not scopes or not set(scopes) <= set(sign_in.scopes if sign_in else client.scopes):
            raise OAuthError(400, "invalid_scope", "scope is missing, or names one that the client is not granted.")
        grant = Grant(client.client_id, frozenset(scopes), self._clock() + client.lifetime, key, sign_in)
        body: dict[str, object] = {"token_type": "DPoP" if key else "Bearer"}
        if client.expires_in != "absent":
            lifetime = int(client.lifetime)
            body["expires_in"] = lifetime if client.expires_in == "number" else str(lifetime)
        if sign_in and client.rotates:
            following = self._refresh_tokens.rotate(form["refresh_token"])
            if following is None:
                raise self._reused(sign_in)
            body["refresh_token"] = following
        body |= {"access_token": self._grants.issue(grant), "scope": " ".join(scopes)}
        return Response(status=200, body=json.dumps(body, separators=(",", ":")).encode())

    def _client(self, form: dict[str, str], request: Request) -> OAuthClient:
        """Return who requests a token."""
        if form["grant_type"] not in {*self.clients.grant_types, REFRESH}:
            raise OAuthError(400, "unsupported_grant_type", "The grant_type must be client_credentials.")
        if form["grant_type"] == JWT_BEARER:
            return self.clients.grantee(form, request.url)
        return self.clients.client(form, request.authorization, request.url)

    def _sign_in(self, form: dict[str, str], client: OAuthClient) -> SignIn:
        """Return what a refresh token stands for. One that comes a second time ends all that came of its sign-in."""
        try:
            sign_in = self._refresh_tokens.find(form.get("refresh_token", ""))
        except ReuseError as error:
            raise self._reused(error.sign_in) from error
        if sign_in is None or sign_in.client_id != client.client_id:
            raise OAuthError(400, "invalid_grant", "The refresh token is invalid or expired.")
        return sign_in

    def _reused(self, sign_in: SignIn) -> OAuthError:
        self._refresh_tokens.revoke(sign_in)
        self._grants.revoke_sign_in(sign_in)
        return OAuthError(
            400, "invalid_grant", "The refresh token was used before: all tokens of its sign-in are revoked."
        )

    def _key(self, request: Request, client: OAuthClient, noted: _Noted) -> str | None:
        """Return the thumbprint of the key that the token is to be bound to, or None for a bearer token."""
        if not client.dpop and not request.proofs:
            return None
        try:
            return self._proofs.check(request.proofs, request.method, request.url)
        except ProofError as error:
            raise OAuthError(400, "invalid_dpop_proof", str(error)) from error
        except NonceError as error:
            noted.headers.append(("dpop-nonce", self._proofs.nonce))
            raise OAuthError(400, "use_dpop_nonce", "Authorization server requires nonce in DPoP proof.") from error


def _note_assertion(noted: _Noted, assertion: str | None) -> None:
    """Note what an assertion says of itself, for the log."""
    try:
        claims = read(assertion or "").claims
    except JoseError:
        return
    noted.client_id = noted.client_id or str(claims.get("iss"))
    noted.jti = str(claims["jti"]) if "jti" in claims else None


def _refused(request: Request, error: OAuthError) -> Response:
    body = {"error": error.error, "error_description": error.description}
    basic = error.status == 401 and request.authorization  # noqa: PLR2004 - the status of RFC 6749, 5.2
    return Response(
        status=error.status,
        body=json.dumps(body, separators=(",", ":")).encode(),
        more_headers=[("WWW-Authenticate", 'Basic realm="practice org"')] if basic else [],
    )
