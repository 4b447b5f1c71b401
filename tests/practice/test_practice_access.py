"""Access tokens at the API: scopes, expiry, and proofs of possession."""

from collections.abc import Mapping
from typing import Any

import pytest
from support.practice_client import LIST, Client, Clock, Reply, Serve
from support.practice_oauth import TOKEN, USERS, ask, ath, by_secret, proof

from circulate_practice import LISTS, OAuthClient, PracticeOrg, make_key

KEY = make_key("ES256")
OTHER = make_key("RS256")
CLIENT = OAuthClient(client_id="0oa1", scopes=[USERS, "okta.groups.read"], method="client_secret_post", secret="s")
BOUND = OAuthClient(client_id="0oa1", scopes=[USERS], method="client_secret_post", secret="s", dpop=True)


def bearer(client: Client, scope: str = USERS) -> dict[str, str]:
    """Get a token and return the header that carries it."""
    return {"Authorization": "Bearer " + ask(client, by_secret("s", scope=scope)).json["access_token"]}


def parts(reply: Reply) -> dict[str, str]:
    """Return the parts of a challenge by name, and its scheme under the empty name."""
    scheme, _, rest = (reply.header("WWW-Authenticate") or "").partition(" ")
    return {"": scheme} | {name: value.strip('"') for name, value in (part.split("=", 1) for part in rest.split(", "))}


def test_a_token_opens_lists_of_its_scopes_and_no_others(serve: Serve) -> None:
    org, client = serve(clients=[CLIENT])
    first = bearer(client)
    user = next(iter(org.truth()))["id"]
    for target in (LIST, f"{LIST}/{user}", f"{LIST}/{user}/factors"):
        assert client.get(target, headers=first).status == 200
    refused = client.get("/api/v1/groups?limit=1", headers=first)
    assert (refused.status, refused.body, refused.header("Content-Length")) == (403, b"", "0")
    assert parts(refused) == {
        "": "Bearer",
        "authorization_uri": f"{org.url}/oauth2/v1/authorize",
        "realm": org.url,
        "scope": "okta.groups.read",
        "error": "insufficient_scope",
        "error_description": "The access token provided does not contain the required scopes.",
        "resource": "/api/v1/groups",
    }
    assert client.get("/api/v1/groups", headers=bearer(client, "okta.groups.read")).status == 200
    assert client.get("/nowhere", headers=first).error_code == "E0000008"


def test_unknown_and_expired_tokens_are_refused_without_a_body(serve: Serve, clock: Clock) -> None:
    org, client = serve(clients=[CLIENT])
    old, older = bearer(client), bearer(client)
    assert client.get(headers=old).status == 200
    clock.now += 3600
    replies = [client.get(headers=old), client.get(headers={"Authorization": "Bearer practice-token"})]
    fresh = bearer(client)
    assert client.get(headers=fresh).status == 200
    org.expire_tokens()
    replies += [client.get(headers=fresh), client.get(headers=older), client.get(headers={"Authorization": "Bearer"})]
    assert {(reply.status, reply.body, parts(reply)["error"]) for reply in replies} == {(401, b"", "invalid_token")}
    assert replies[0].header("Date") is not None
    assert client.get(headers=bearer(client)).status == 200
    assert client.get().status == 200, "the API token stays what it is"


def test_a_refused_token_uses_no_quota_up(serve: Serve) -> None:
    org, client = serve(clients=[CLIENT])
    client.get(headers={"Authorization": "Bearer x"})
    assert org.windows == []


def nonce(client: Client, org: PracticeOrg, clock: Clock) -> str:
    """Ask for a token without a nonce and return the nonce that is required."""
    reply = bound(client, proof(KEY, "POST", org.url + TOKEN, clock.now))
    assert (reply.status, reply.json["error"]) == (400, "use_dpop_nonce")
    return reply.header("dpop-nonce") or ""


def bound(client: Client, text: str | None) -> Reply:
    """Ask for a token with a proof, or without one."""
    return ask(client, by_secret("s"), headers={} if text is None else {"DPoP": text})


def bound_token(client: Client, org: PracticeOrg, clock: Clock) -> str:
    """Get a token that is bound to `KEY`."""
    text = proof(KEY, "POST", org.url + TOKEN, clock.now, nonce=nonce(client, org, clock))
    return str(bound(client, text).json["access_token"])


def test_a_token_is_bound_to_the_key_whose_possession_was_proved(serve: Serve, clock: Clock) -> None:
    org, client = serve(clients=[BOUND])
    url = org.url + TOKEN
    reply = bound(client, proof(KEY, "POST", url, clock.now, nonce=nonce(client, org, clock)))
    assert (reply.status, reply.json["token_type"]) == (200, "DPoP")
    token = reply.json["access_token"]

    def get(key: Mapping[str, Any], target: str = LIST, **claims: Any) -> Reply:  # noqa: ANN401 - any claim
        there = org.url + target.partition("?")[0]
        text = proof(key, "GET", there, clock.now, **({"ath": ath(token)} | claims))
        return client.get(target, headers={"Authorization": f"DPoP {token}", "DPoP": text})

    assert get(KEY).ids == client.get().ids
    assert get(KEY, f"{LIST}?limit=2&filter=status%20eq%20%22ACTIVE%22").status == 200
    refused = [
        get(OTHER),
        get(KEY, ath=ath("other")),
        get(KEY, ath=None),
        get(KEY, htm="POST"),
        get(KEY, htu=org.url + LIST + "?limit=2"),
        get(KEY, htu=org.url + "/" + LIST),
        get(KEY, iat=int(clock.now) - 301),
        get(KEY, iat=int(clock.now) + 301),
        get(KEY, typ="JWT"),
        client.get(headers={"Authorization": f"DPoP {token}"}),
    ]
    assert {(reply.status, reply.body, parts(reply)[""], parts(reply)["error"]) for reply in refused} == {
        (401, b"", "DPoP", "invalid_dpop_proof")
    }
    by_bearer = client.get(headers={"Authorization": f"Bearer {token}"})
    assert (by_bearer.status, parts(by_bearer)["error"]) == (401, "invalid_token")
    no_scope = get(KEY, "/api/v1/groups")
    assert (no_scope.status, parts(no_scope)[""], parts(no_scope)["scope"]) == (403, "DPoP", "okta.groups.read")
    org.expire_tokens()
    assert (get(KEY).status, parts(get(KEY))["error"]) == (401, "invalid_token")


def test_a_proof_is_good_once(serve: Serve, clock: Clock) -> None:
    org, client = serve(clients=[BOUND])
    fresh = nonce(client, org, clock)
    text = proof(KEY, "POST", org.url + TOKEN, clock.now, nonce=fresh)
    token = bound(client, text).json["access_token"]
    again = bound(client, text)
    assert (again.status, again.json["error"]) == (400, "invalid_dpop_proof")
    headers = {"Authorization": f"DPoP {token}", "DPoP": proof(KEY, "GET", org.url + LIST, clock.now, ath=ath(token))}
    assert [client.get(headers=headers).status for _ in range(2)] == [200, 401]


def test_a_proof_without_its_nonce_is_used_up_all_the_same(serve: Serve, clock: Clock) -> None:
    org, client = serve(clients=[BOUND])
    first = proof(KEY, "POST", org.url + TOKEN, clock.now, jti="same")
    fresh = bound(client, first).header("dpop-nonce")
    reply = bound(client, proof(KEY, "POST", org.url + TOKEN, clock.now, jti="same", nonce=fresh))
    assert (reply.status, reply.json["error"]) == (400, "invalid_dpop_proof")


def test_a_token_for_a_client_that_has_to_prove_needs_a_proof(serve: Serve) -> None:
    org, client = serve(clients=[BOUND])
    reply = bound(client, None)
    assert (reply.status, reply.json) == (
        400,
        {"error": "invalid_dpop_proof", "error_description": "The DPoP proof JWT header is missing."},
    )
    assert org.token_requests[0].outcome == "invalid_dpop_proof"


@pytest.mark.parametrize(
    "wrong",
    [
        {"typ": "JWT"},
        {"typ": None},
        {"jwk": KEY},
        {"jwk": None},
        {"jwk": {"kty": "EC"}},
        {"jwk": {"kty": "oct", "k": "c2VjcmV0"}},
        {"jwk": {name: OTHER[name] for name in ("kty", "n", "e")}},
        {"htm": "GET"},
        {"htm": "post"},
        {"htm": None},
        {"htu": "http://127.0.0.1/oauth2/v1/token"},
        {"htu": None},
        {"iat": None},
        {"iat": "1782900000"},
        {"iat": 0},
        {"jti": None},
    ],
)
def test_a_proof_with_one_thing_wrong_is_refused(serve: Serve, clock: Clock, wrong: dict[str, Any]) -> None:
    org, client = serve(clients=[BOUND])
    fresh = nonce(client, org, clock)
    reply = bound(client, proof(KEY, "POST", org.url + TOKEN, clock.now, **({"nonce": fresh} | wrong)))
    assert (reply.status, reply.json["error"]) == (400, "invalid_dpop_proof")
    assert bound(client, proof(KEY, "POST", org.url + TOKEN, clock.now, nonce=fresh)).status == 200


@pytest.mark.parametrize("addition", ["?x=1", "#x", "/"])
def test_the_address_in_a_proof_has_neither_query_nor_fragment(serve: Serve, clock: Clock, addition: str) -> None:
    org, client = serve(clients=[BOUND])
    text = proof(KEY, "POST", org.url + TOKEN + addition, clock.now, nonce=nonce(client, org, clock))
    assert bound(client, text).json["error"] == "invalid_dpop_proof"


def test_two_proofs_are_refused(serve: Serve, clock: Clock) -> None:
    org, client = serve(clients=[CLIENT])
    token = bound_token(client, org, clock)
    client.connection.putrequest("GET", LIST)
    client.connection.putheader("Authorization", f"DPoP {token}")
    for _ in range(2):
        client.connection.putheader("DPoP", proof(KEY, "GET", org.url + LIST, clock.now, ath=ath(token)))
    client.connection.endheaders()
    with client.connection.getresponse() as response:
        assert response.status == 401
        assert "more than one" in (response.getheader("WWW-Authenticate") or "")


def test_a_client_that_need_not_prove_may(serve: Serve, clock: Clock) -> None:
    org, client = serve(clients=[CLIENT])
    token = bound_token(client, org, clock)
    assert client.get(headers={"Authorization": f"Bearer {token}"}).status == 401


def test_a_token_that_is_bound_to_no_key_is_none_for_proofs(serve: Serve, clock: Clock) -> None:
    org, client = serve(clients=[CLIENT])
    token = bearer(client)["Authorization"].removeprefix("Bearer ")
    text = proof(KEY, "GET", org.url + LIST, clock.now, ath=ath(token))
    reply = client.get(headers={"Authorization": f"DPoP {token}", "DPoP": text})
    assert (reply.status, parts(reply)["error"]) == (401, "invalid_token")


def test_a_nonce_is_renewed_each_day_and_accepted_for_some(serve: Serve, clock: Clock) -> None:
    org, client = serve(clients=[BOUND])
    first = nonce(client, org, clock)
    clock.now += 2 * 86_400
    assert nonce(client, org, clock) != first
    assert bound(client, proof(KEY, "POST", org.url + TOKEN, clock.now, nonce=first)).status == 200
    clock.now += 86_400
    stale = bound(client, proof(KEY, "POST", org.url + TOKEN, clock.now, nonce=first))
    assert (stale.status, stale.json["error"]) == (400, "use_dpop_nonce")
    newest = stale.header("dpop-nonce")
    org.expire_nonces()
    for old in (newest, "never given out"):
        reply = bound(client, proof(KEY, "POST", org.url + TOKEN, clock.now, nonce=old))
        assert (reply.status, reply.json["error"]) == (400, "use_dpop_nonce")
        assert reply.header("dpop-nonce") not in {None, first, newest}


def test_every_list_names_the_scope_it_needs() -> None:
    assert {rules.scope for rules in LISTS.values()} == {
        f"okta.{name}.read"
        for name in (
            *("users", "apps", "groups", "logs", "devices", "policies", "roles", "apiTokens", "networkZones"),
            "authorizationServers",
        )
    }
