"""What the tests of OAuth share: assertions, proofs and token requests, made with joserfc and no code of the server."""

import base64
import hashlib
import itertools
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from joserfc.jwk import import_key
from joserfc.jws import serialize_compact

from support.practice_client import Client, Reply

TOKEN = "/oauth2/v1/token"  # noqa: S105 - a path
FORM = "application/x-www-form-urlencoded"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
USERS = "okta.users.read"

_numbers = itertools.count()


def signed(key: Mapping[str, Any], header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
    """Return a JWT. Members whose value is None are left out."""
    said = [{name: value for name, value in part.items() if value is not None} for part in (header, claims)]
    return serialize_compact(
        said[0], json.dumps(said[1]).encode(), import_key(dict(key)), algorithms=[str(said[0]["alg"])]
    )


def assertion(url: str, key: Mapping[str, Any], now: float, **other: Any) -> str:  # noqa: ANN401 - any claim
    """Return an assertion of `0oa1` for the org at `url`; `other` replaces claims, and `kid` that of the header."""
    header = {"alg": key["alg"], "kid": other.pop("kid", key["kid"])}
    claims = {"iss": "0oa1", "sub": "0oa1", "aud": url + TOKEN, "iat": int(now), "exp": int(now) + 300}
    return signed(key, header, claims | {"jti": f"jti-{next(_numbers)}"} | other)


def proof(key: Mapping[str, Any], method: str, url: str, now: float, **other: Any) -> str:  # noqa: ANN401 - any claim
    """Return a proof of possession; `other` replaces claims, and `typ` and `jwk` those of the header."""
    public = {name: value for name, value in key.items() if name in {"kty", "n", "e", "crv", "x", "y"}}
    header = {"typ": other.pop("typ", "dpop+jwt"), "alg": key["alg"], "jwk": other.pop("jwk", public)}
    claims = {"htm": method, "htu": url, "iat": int(now), "jti": f"proof-{next(_numbers)}"}
    return signed(key, header, claims | other)


def ath(token: str) -> str:
    """Return the claim by which a proof names an access token."""
    return base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()


def ask(
    client: Client,
    form: Mapping[str, str] | str,
    *,
    headers: Mapping[str, str] | None = None,
    target: str = TOKEN,
    method: str = "POST",
) -> Reply:
    """Ask for a token with just these parameters, or with just this body."""
    body = form if isinstance(form, str) else urlencode(form)
    client.connection.request(method, target, body=body, headers={"Content-Type": FORM} | dict(headers or {}))
    response = client.connection.getresponse()
    return Reply(response.status, response.getheaders(), response.read())


def by_assertion(text: str, **other: str) -> dict[str, str]:
    """Return the parameters of a request with an assertion."""
    form = {"grant_type": "client_credentials", "scope": USERS, "client_assertion_type": ASSERTION_TYPE}
    return form | {"client_assertion": text} | other


def by_secret(secret: str, **other: str) -> dict[str, str]:
    """Return the parameters of a request with the secret of `0oa1` in the body."""
    form = {"grant_type": "client_credentials", "scope": USERS, "client_id": "0oa1", "client_secret": secret}
    return form | other


def basic(client_id: str, secret: str) -> dict[str, str]:
    """Return the header that names a client, its parts taken as they are."""
    return {"Authorization": "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()}
