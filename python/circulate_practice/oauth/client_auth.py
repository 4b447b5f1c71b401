"""Who asks for a token: the ways in which a client says so, of which a request has to use exactly one.

A public client has none: it is known by its id, and gets nothing by that alone.
"""

import base64
import binascii
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NoReturn
from urllib.parse import unquote_plus

from circulate_practice.oauth.clients import Method, OAuthClient
from circulate_practice.oauth.jose import JoseError, Jwk, Token, read, verified

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_LONGEST_S: Final = 3600
_IAT_TOLERANCE_S: Final = 300
_FORM_ENCODED: Final = re.compile(r"(?:[A-Za-z0-9*._~+-]|%[0-9A-Fa-f]{2})*")


class OAuthError(Exception):
    """A request of a token that is refused.

    Args:
        status: HTTP status.
        error: Error code of RFC 6749 or RFC 9449.
        description: What is wrong.
    """

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.description = description


class ClientAuth:
    """Return which client sent a request.

    Args:
        clients: The clients there are.
        clock: Source of the time, in epoch seconds.
    """

    def __init__(self, clients: Iterable[OAuthClient], clock: Callable[[], float]) -> None:
        self._clients = {client.client_id: client for client in clients}
        self._clock = clock
        self._seen: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def set(self, client: OAuthClient) -> None:
        """Add a client, or put it in the place of the one with its id."""
        self._clients[client.client_id] = client

    def remove(self, client_id: str) -> None:
        """Remove a client.

        Raises:
            LookupError: If there is none with that id.
        """
        if client_id not in self._clients:
            message = f'no client has the id "{client_id}"'
            raise LookupError(message)
        del self._clients[client_id]

    @property
    def grant_types(self) -> frozenset[str]:
        """What clients send as `grant_type`."""
        return frozenset({"client_credentials", *(client.grant_type for client in self._clients.values())})

    def client(self, form: Mapping[str, str], authorization: str, url: str) -> OAuthClient:
        """Return the client that sent a request, and use its assertion up.

        Args:
            form: The parameters of the request.
            authorization: Its `Authorization` header, or empty.
            url: Its URL, which an assertion has to be meant for.

        Raises:
            OAuthError: If it does not say, or not rightly.
        """
        used: list[Method] = []
        if authorization:
            used.append("client_secret_basic")
        if "client_secret" in form:
            used.append("client_secret_post")
        if "client_assertion" in form or "client_assertion_type" in form:
            used.append("private_key_jwt")
        if len(used) > 1:
            raise OAuthError(400, "invalid_request", "More than one way of client authentication was used.")
        match used:
            case ["client_secret_basic"]:
                client_id, secret = _basic(authorization)
                if form.get("client_id", client_id) != client_id:
                    raise OAuthError(400, "invalid_request", "client_id is not the one of the Authorization header.")
                return self._by_secret(client_id, secret, "client_secret_basic")
            case ["client_secret_post"]:
                return self._by_secret(form.get("client_id", ""), form["client_secret"], "client_secret_post")
            case ["private_key_jwt"]:
                return self._by_assertion(form, url)
        if "client_id" in form and form.get("grant_type") == "refresh_token":
            return self._registered(form["client_id"], "none")
        raise OAuthError(401, "invalid_client", "Client authentication is missing.")

    def grantee(self, form: Mapping[str, str], url: str) -> OAuthClient:
        """Return the client that a token is granted to by its assertion (RFC 7523, section 2.1), and use that up.

        Args:
            form: The parameters of the request.
            url: Its URL, which the assertion has to be meant for.

        Raises:
            OAuthError: If the assertion is missing or not right.
        """
        if "assertion" not in form:
            raise OAuthError(400, "invalid_request", "assertion is missing.")
        try:
            said = read(form["assertion"])
            client = self._clients.get(said.text("iss"))
            if client is None or client.method != "jwt_bearer":
                _refuse("its iss names none of the clients that may use it")
            signed = verified(form["assertion"], _key_of(client, said))
            if signed.text("sub") not in client.subjects:
                _refuse("its sub is none that the client may act for")
            if signed.claims.get("scope") != form.get("scope"):
                _refuse("its scope is not the one that is requested")
            self._check(signed, client.client_id, url)
        except JoseError as error:
            raise OAuthError(400, "invalid_grant", f"The assertion is not valid: {error}.") from error
        return client

    def _registered(self, client_id: str, method: Method) -> OAuthClient:
        client = self._clients.get(client_id)
        if client is None:
            raise OAuthError(401, "invalid_client", "Invalid value for 'client_id' parameter.")
        if client.method != method:
            raise OAuthError(401, "invalid_client", f"The client must use the {client.method} method.")
        return client

    def _by_secret(self, client_id: str, secret: str, method: Method) -> OAuthClient:
        client = self._registered(client_id, method)
        if secret != client.secret:
            raise OAuthError(401, "invalid_client", "The client secret supplied for a confidential client is invalid.")
        return client

    def _by_assertion(self, form: Mapping[str, str], url: str) -> OAuthClient:
        if form.get("client_assertion_type") != ASSERTION_TYPE or "client_assertion" not in form:
            raise OAuthError(400, "invalid_request", f"client_assertion_type must be {ASSERTION_TYPE}.")
        assertion = form["client_assertion"]
        try:
            said = read(assertion)
            client = self._registered(said.text("sub"), "private_key_jwt")
            signed = verified(assertion, _key_of(client, said))
            if (signed.text("iss"), signed.text("sub")) != (client.client_id, client.client_id):
                _refuse("iss and sub are not both the client_id")
            self._check(signed, client.client_id, url)
        except JoseError as error:
            raise OAuthError(401, "invalid_client", f"The client_assertion is not valid: {error}.") from error
        if form.get("client_id", client.client_id) != client.client_id:
            raise OAuthError(400, "invalid_request", "client_id is not the one of the client_assertion.")
        return client

    def _check(self, signed: Token, client_id: str, url: str) -> None:
        now, expires, jti = self._clock(), signed.time("exp"), signed.text("jti")
        problems = {
            f"aud is not {url}": signed.text("aud") != url,
            "it has expired": expires <= now,
            "exp is more than an hour ahead": expires > now + _LONGEST_S,
            "iat lies in the future": "iat" in signed.claims and signed.time("iat") > now + _IAT_TOLERANCE_S,
        }
        for problem, there in problems.items():
            if there:
                _refuse(problem)
        with self._lock:
            if (client_id, jti) in self._seen:
                _refuse("its jti was used before")
            self._seen.add((client_id, jti))


def _basic(authorization: str) -> tuple[str, str]:
    """Return id and secret in an `Authorization` header, each form-encoded before they were joined (RFC 6749)."""
    scheme, _, credentials = authorization.partition(" ")
    try:
        joined = base64.b64decode(credentials, validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        joined = ""
    client_id, colon, secret = joined.partition(":")
    if scheme.lower() != "basic" or not colon or not all(map(_FORM_ENCODED.fullmatch, (client_id, secret))):
        raise OAuthError(401, "invalid_client", "The Authorization header is not Basic with form-encoded values.")
    return unquote_plus(client_id), unquote_plus(secret)


def _key_of(client: OAuthClient, said: Token) -> Jwk:
    """Return the key of a client that an assertion names."""
    key = next((key for key in client.keys if key["kid"] == said.header.get("kid")), None)
    if key is None:
        _refuse("its kid names no key of the client")
    return key


def _refuse(why: str) -> NoReturn:
    raise JoseError(why)
