"""Signing in is judged by an OpenID provider of others, which demands proof of possession with its nonces.

Its tokens, proofs and clients are judged by `oidc-provider`, in no code of ours; the definitions are what a user would
write.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
from support.oidc import COUNT, JWT_BEARER, ROOT, SCOPE, Provider, provider, version
from support.paging_pulls import written

import circulate_core
from circulate_core.exceptions import AuthError
from circulate_practice import make_key
from circulate_practice.oauth.jose import public_part

if TYPE_CHECKING:
    from circulate_core.types import InlineDefinition

SECRET = "z/tZ9 canary:X2+8%="  # noqa: S105 - of a provider on loopback
AGREED = f"openid offline_access {SCOPE}"
"""What somebody agreed to who signed in."""
KEYS = {algorithm: make_key(algorithm) for algorithm in ("RS256", "ES256")}


@dataclass(frozen=True)
class Way:
    """A way to get tokens: what the provider knows of its client, and how a definition says it."""

    client: dict[str, Any]
    """By the names of RFC 7591, without id and scope."""
    oauth2: dict[str, Any]
    """Keys of `oauth2`, without `token_url` and `client_id`."""
    settings: dict[str, str]
    grant: str = "client_credentials"
    of: str = ""
    """Whom the records are for, if not for the client."""
    demanded_by: str = "provider"
    """Who demands proof of possession first: the provider, or only the API."""


def by_key(algorithm: str) -> dict[str, Any]:
    return {"jwks": {"keys": [public_part(KEYS[algorithm])]}}


def private_key_jwt(algorithm: str) -> Way:
    method = {"token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": algorithm}
    return Way(by_key(algorithm) | method, {"private_key": "key"}, {"key": json.dumps(KEYS[algorithm])})


def jwt_bearer(algorithm: str, method: str, **oauth2: Any) -> Way:  # noqa: ANN401 - of a definition
    client = by_key(algorithm) | {"token_endpoint_auth_method": method, "grant_types": [JWT_BEARER]}
    settings = {"key": json.dumps(KEYS[algorithm]), "user": "mike@example.com"}
    return Way(
        client,
        {"grant": "jwt_bearer", "private_key": "key", "subject": "user", **oauth2},
        settings,
        JWT_BEARER,
        "mike@example.com",
    )


def refresh_token() -> Way:
    """A client whose refresh tokens are good once; the first one is what somebody got by signing in."""
    client = {
        "scope": AGREED,
        "grant_types": ["refresh_token"],
        "token_endpoint_auth_method": "client_secret_post",
        "client_secret": SECRET,
    }
    oauth2 = {"grant": "refresh_token", "client_secret": "secret", "send_secret": "body", "refresh_token": "refresh"}
    return Way(client, oauth2, {"secret": SECRET}, "refresh_token", "mike")


def by_secret(method: str, send: str) -> Way:
    client = {"token_endpoint_auth_method": method, "client_secret": SECRET}
    return Way(client, {"client_secret": "secret", "send_secret": send}, {"secret": SECRET})


WAYS: dict[str, Way] = {
    "basic": by_secret("client_secret_basic", "basic"),
    "body": by_secret("client_secret_post", "body"),
    "key-RS256": private_key_jwt("RS256"),
    "key-ES256": private_key_jwt("ES256"),
    "basic-api-demands": replace(by_secret("client_secret_basic", "basic"), demanded_by="api"),
    "assertion-RS256": jwt_bearer("RS256", "none", params={"client_id": "{client_id}"}),
    "assertion-ES256": jwt_bearer("ES256", "none", params={"client_id": "{client_id}"}),
    "refresh-token": refresh_token(),
}
"""All ways to get tokens, each with a client of its own."""
ROTATING: dict[str, Any] = {
    "client_id": "rotating",
    "scope": AGREED,
    "grant_types": ["refresh_token"],
    "token_endpoint_auth_method": "client_secret_post",
    "client_secret": SECRET,
}
"""A client whose refresh tokens are good once."""


def metadata(name: str, way: Way) -> dict[str, Any]:
    bound = way.demanded_by == "provider"
    common = {"scope": SCOPE, "grant_types": ["client_credentials"], "dpop_bound_access_tokens": bound}
    return {"client_id": name, **common, **way.client}


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    clients = [ROTATING, *(metadata(name, way) for name, way in WAYS.items())]
    with provider(tmp_path_factory.mktemp("oidc"), clients) as running:
        yield running


def pulled(
    judge: Provider,
    lake: Path,
    name: str,
    way: Way | None = None,
    **options: Any,  # noqa: ANN401 - passed on
) -> Any:  # noqa: ANN401 - a report
    way = way or WAYS[name]
    if way.grant == "refresh_token" and "refresh" not in way.settings:
        first = first_refresh_token(judge, name, os.environ["XDG_STATE_HOME"])
        way = replace(way, settings=way.settings | {"refresh": first})
    secret = {"key", "secret", "refresh"}
    settings = ["base_url", "client_id", *way.settings]
    definition: InlineDefinition = {
        "source": {
            "source": "judge",
            "title": "Judge",
            "settings": {
                each: {"env": f"JUDGE_{each.upper()}", "about": each, "secret": each in secret} for each in settings
            },
            "base_url": "{base_url}",
            "auth": [{"oauth2": {"token_url": "{base_url}/token", "client_id": "client_id", **way.oauth2}}],
            "check": {"path": "/items"},
        },
        "endpoints": {
            "items": {
                "about": "Items.",
                "scopes": [SCOPE],
                "list": {
                    "path": "/items",
                    "records": "/items",
                    "primary_key": ["/id"],
                    "paginator": {"next_url": {"body": "/next"}},
                },
            }
        },
    }
    given = {"base_url": judge.url, "client_id": name, **way.settings}
    return circulate_core.pull("judge.items", to=lake, settings=given, account=name, catalog=[definition], **options)


@cache
def first_refresh_token(judge: Provider, name: str, kept: str) -> str:
    """Sign in once for each folder that the tokens after the first one are kept in: tests have their own."""
    assert kept
    return judge.refresh_token(name)


def outcomes(judge: Provider, name: str) -> list[dict[str, Any]]:
    return [each for each in judge.issued() if each["client"] == name]


@pytest.mark.xdist_group("judges")
@pytest.mark.parametrize("name", WAYS)
def test_a_list_is_pulled_with_bound_tokens(judge: Provider, tmp_path: Path, name: str) -> None:
    before = len(outcomes(judge, name))
    report = pulled(judge, tmp_path, name)
    way = WAYS[name]
    assert written(tmp_path, report) == [{"id": number, "of": way.of or name} for number in range(COUNT)]
    assert report.status == "complete"
    asked = outcomes(judge, name)[before:]
    issued = [each for each in asked if "error" not in each]
    by_provider = way.demanded_by == "provider"
    bound = [True] if by_provider else [False, True]
    assert issued == [{"client": name, "grant": way.grant, "bound": each} for each in bound]
    # It says nothing but `invalid_grant` where a proof is missing, and gives its nonce with the next refusal.
    refused = [each["error"] for each in asked if "error" in each]
    assert refused == (["invalid_grant"] if by_provider else []) + ["use_dpop_nonce"]


@pytest.mark.xdist_group("judges")
@pytest.mark.parametrize("name", WAYS)
def test_a_token_that_ends_amid_the_list_is_renewed(judge: Provider, tmp_path: Path, name: str) -> None:
    pulled(judge, tmp_path / "before", name)
    before = len(outcomes(judge, name))
    judge.expire_at(10)
    report = pulled(judge, tmp_path, name)
    assert (report.status, [record["id"] for record in written(tmp_path, report)]) == ("complete", [*range(COUNT)])
    asked = outcomes(judge, name)[before:]
    assert [each for each in asked if "error" not in each] == [
        {"client": name, "grant": WAYS[name].grant, "bound": True}
    ]


@pytest.mark.xdist_group("judges")
@pytest.mark.parametrize("name", WAYS)
def test_what_does_not_prove_who_asks_is_refused_and_not_shown(judge: Provider, tmp_path: Path, name: str) -> None:
    way = WAYS[name]
    other = {"secret": "another c4nary", "key": json.dumps(make_key("RS256") | {"kid": KEYS["RS256"]["kid"]})}
    if name.endswith("ES256"):
        other["key"] = json.dumps(make_key("ES256") | {"kid": KEYS["ES256"]["kid"]})
    wrong = {key: other.get(key, value) for key, value in way.settings.items()}
    if way.grant == "refresh_token":
        # Of another sign-in: what is kept of the first one is good without a request.
        wrong["refresh"] = judge.refresh_token(name)
    with pytest.raises(AuthError) as raised:
        pulled(judge, tmp_path, name, replace(way, settings=wrong))
    assert ("invalid_grant" if way.grant == JWT_BEARER else "invalid_client") in str(raised.value)
    assert "canary" not in str(raised.value)
    assert "c4nary" not in str(raised.value)


@pytest.mark.xdist_group("judges")
def test_the_provider_takes_a_refresh_token_once(judge: Provider) -> None:
    def refreshed(token: str) -> dict[str, Any]:
        form = {"grant_type": "refresh_token", "client_id": ROTATING["client_id"], "client_secret": SECRET}
        body = urlencode({**form, "refresh_token": token}).encode()
        try:
            with urlopen(f"{judge.url}/token", body) as response:
                found: dict[str, Any] = json.load(response)
        except HTTPError as error:
            found = json.load(error)
        return found

    first = judge.refresh_token(ROTATING["client_id"])
    second = refreshed(first)["refresh_token"]
    assert second != first
    assert "access_token" in refreshed(second)
    assert refreshed(first)["error"] == "invalid_grant"


@pytest.mark.xdist_group("judges")
def test_each_refresh_token_is_used_once_by_one_pull_after_another(judge: Provider, tmp_path: Path) -> None:
    """The provider revokes all that came of a token that is used twice."""
    way = replace(WAYS["refresh-token"], settings={"secret": SECRET, "refresh": judge.refresh_token("refresh-token")})
    for number in range(3):
        before = len(outcomes(judge, "refresh-token"))
        judge.expire_at(5)
        report = pulled(judge, tmp_path / str(number), "refresh-token", way)
        assert report.status == "complete"
        assert "error" not in outcomes(judge, "refresh-token")[-1]
        assert len(outcomes(judge, "refresh-token")) > before
    second = judge.refresh_token("refresh-token")
    unknown = replace(way, settings=way.settings | {"refresh": second[:-4] + "c4na"})
    with pytest.raises(AuthError, match="invalid_grant") as raised:
        pulled(judge, tmp_path / "unknown", "refresh-token", unknown)
    assert second[:-4] not in str(raised.value)
    assert "sign in again" in str(raised.value.__notes__)


def test_the_provider_is_the_one_that_the_project_names() -> None:
    package = json.loads((ROOT / "tests/judges/package.json").read_text())
    assert package["dependencies"] == {"oidc-provider": version()}
