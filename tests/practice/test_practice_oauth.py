"""The token endpoint: whoever keeps to the RFCs gets a token, and nobody else."""

import base64
import json
import subprocess
import sys
from typing import Any, get_args
from urllib.parse import quote_plus

import pytest
from support.practice_client import Clock, Reply, Serve
from support.practice_oauth import ASSERTION_TYPE, TOKEN, USERS, ask, assertion, basic, by_assertion, by_secret, signed

from circulate_practice import OAuthClient, TokenRequest, Window, make_key
from circulate_practice.oauth.clients import JWT_BEARER, Method
from circulate_practice.oauth.jose import ALGORITHMS

KEY = make_key("ES256")
SCOPES = [USERS, "okta.logs.read"]
BY_KEY = OAuthClient(client_id="0oa1", scopes=SCOPES, keys=[KEY])
BY_POST = OAuthClient(client_id="0oa1", scopes=SCOPES, method="client_secret_post", secret="s3cr3t")
BY_BASIC = OAuthClient(client_id="0oa1", scopes=SCOPES, method="client_secret_basic", secret="s3cr3t")
BY_GRANT = OAuthClient(client_id="0oa1", scopes=SCOPES, method="jwt_bearer", keys=[KEY], subjects=["mike"])
GRANT = {"grant_type": "client_credentials", "scope": USERS}


def refusal(reply: Reply) -> tuple[int, str]:
    """Return status and error code of a refusal, which has to have the form of RFC 6749."""
    assert reply.json.keys() == {"error", "error_description"}
    assert reply.header("Content-Type") == "application/json"
    return reply.status, reply.json["error"]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_an_assertion_by_any_algorithm_of_okta_gets_a_token(serve: Serve, clock: Clock, algorithm: str) -> None:
    key = make_key(algorithm)
    org, client = serve(clients=[OAuthClient(client_id="0oa1", scopes=SCOPES, keys=[make_key("ES256"), key])])
    reply = ask(client, by_assertion(assertion(org.url, key, clock.now), scope=" ".join(SCOPES)))
    assert reply.status == 200
    assert reply.json | {"access_token": ""} == {
        "token_type": "Bearer",
        "expires_in": 3600,
        "access_token": "",
        "scope": "okta.users.read okta.logs.read",
    }
    assert (reply.header("Cache-Control"), reply.header("Content-Type")) == ("no-cache, no-store", "application/json")
    bearer = {"Authorization": "Bearer " + reply.json["access_token"]}
    assert client.get(headers=bearer).ids == client.get().ids


def by_grant(url: str, now: float, **other: Any) -> dict[str, str]:  # noqa: ANN401 - any claim
    """Return the parameters of a request by the grant of RFC 7523, section 2.1; `other` replaces claims."""
    signed_by = other.pop("key", KEY)
    text = assertion(url, signed_by, now, **{"sub": "mike", "scope": USERS, **other})
    return {"grant_type": JWT_BEARER, "scope": USERS, "assertion": text}


def test_an_assertion_of_whom_a_token_is_for_gets_one_once(serve: Serve, clock: Clock) -> None:
    org, client = serve(clients=[BY_GRANT])
    form = by_grant(org.url, clock.now)
    assert ask(client, form).json["scope"] == USERS
    assert refusal(ask(client, form)) == (400, "invalid_grant")
    assert ask(client, by_grant(org.url, clock.now, sub="0oa1")).status == 200, "itself"
    assert [request.outcome for request in org.token_requests] == ["issued", "invalid_grant", "issued"]
    assert len({request.jti for request in org.token_requests}) == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"sub": "ann"},
        {"sub": None},
        {"iss": "0oa2"},
        {"aud": "https://elsewhere.example/token"},
        {"scope": None},
        {"scope": "okta.logs.read"},
        {"exp": 1},
        {"jti": None},
        {"kid": "another"},
        {"key": make_key("ES256") | {"kid": KEY["kid"]}},
    ],
    ids=",".join,
)
def test_an_assertion_that_is_not_right_gets_none(serve: Serve, clock: Clock, wrong: dict[str, Any]) -> None:
    org, client = serve(clients=[BY_GRANT])
    assert refusal(ask(client, by_grant(org.url, clock.now, **wrong))) == (400, "invalid_grant")
    assert refusal(ask(client, GRANT | {"grant_type": JWT_BEARER})) == (400, "invalid_request")


def test_a_client_may_have_to_send_json_with_parameters_of_its_own(serve: Serve) -> None:
    params = {"grant_type": "account_credentials", "account_id": "a-1"}
    client_of = OAuthClient(
        client_id="0oa1", scopes=SCOPES, method="client_secret_post", secret="s3cr3t", params=params, body="json"
    )
    _, client = serve(clients=[client_of])
    as_json = {"Content-Type": "application/json"}
    right = by_secret("s3cr3t") | params
    assert ask(client, json.dumps(right), headers=as_json).status == 200
    for body, error in [
        (by_secret("s3cr3t") | {"account_id": "a-1"}, "invalid_request"),
        (right | {"account_id": "a-2"}, "invalid_request"),
        (right | {"grant_type": "password"}, "unsupported_grant_type"),
        (right | {"account_id": 1}, "invalid_request"),
        ([right], "invalid_request"),
    ]:
        assert refusal(ask(client, json.dumps(body), headers=as_json)) == (400, error), body
    assert refusal(ask(client, '{"grant_type": "a", "grant_type": "b"}', headers=as_json)) == (400, "invalid_request")
    assert refusal(ask(client, "{", headers=as_json)) == (400, "invalid_request")
    assert refusal(ask(client, right)) == (400, "invalid_request"), "a form"


def test_tokens_differ_and_follow_from_the_seed(serve: Serve) -> None:
    tokens = []
    for seed in (1, 1, 2):
        _, client = serve(clients=[BY_POST], seed=seed)
        tokens.append([ask(client, by_secret("s3cr3t")).json["access_token"] for _ in range(2)])
    assert tokens[0] == tokens[1]
    assert len({*tokens[0], *tokens[2]}) == 4


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "0oa2"},
        {"sub": "0oa2"},
        {"iss": None},
        {"sub": None},
        {"aud": "https://practice-org.example.com/oauth2/v1/token"},
        {"aud": None},
        {"exp": None},
        {"exp": "soon"},
        {"exp": True},
        {"exp": -1},
        {"exp": 0},
        {"exp": 3601},
        {"iat": 301},
        {"jti": None},
        {"jti": ""},
        {"jti": 7},
        {"kid": "unknown"},
        {"kid": None},
    ],
    ids=str,
)
def test_an_assertion_with_one_thing_wrong_is_refused(serve: Serve, clock: Clock, wrong: dict[str, Any]) -> None:
    org, client = serve(clients=[BY_KEY])
    clock.now = 1_782_900_000.0
    timed = {name: clock.now + value for name, value in wrong.items() if type(value) is int and name in {"exp", "iat"}}
    reply = ask(client, by_assertion(assertion(org.url, KEY, clock.now, **(wrong | timed))))
    assert refusal(reply) == (401, "invalid_client")
    assert ask(client, by_assertion(assertion(org.url, KEY, clock.now, exp=clock.now + 3600))).status == 200


def test_the_text_exp_of_an_assertion_is_refused_with_the_reason(serve: Serve, clock: Clock) -> None:
    org, client = serve(clients=[BY_KEY])
    reply = ask(client, by_assertion(assertion(org.url, KEY, clock.now, exp=str(int(clock.now) + 300))))
    assert "exp claim is missing or no number" in reply.json["error_description"]


@pytest.mark.parametrize("spoilt", ["signature", "claims", "other key", "none", "HS256", "rubbish", "two parts"])
def test_an_assertion_that_nobody_signed_is_refused(serve: Serve, clock: Clock, spoilt: str) -> None:
    org, client = serve(clients=[BY_KEY])
    good = assertion(org.url, KEY, clock.now)
    head, claims, signature = good.split(".")
    packed = base64.urlsafe_b64encode(json.dumps({"alg": "none", "kid": KEY["kid"]}).encode()).rstrip(b"=").decode()
    secret = {"kty": "oct", "k": "A" * 43}
    other = make_key("ES256") | {"kid": KEY["kid"]}
    texts = {
        "signature": f"{head}.{claims}.{signature[::-1]}",
        "claims": f"{head}.{assertion(org.url, KEY, clock.now).split('.')[1]}.{signature}",
        "other key": assertion(org.url, other, clock.now),
        "none": f"{packed}.{claims}.",
        "HS256": signed(secret, {"alg": "HS256", "kid": KEY["kid"]}, {"sub": "0oa1"}),
        "rubbish": "rubbish",
        "two parts": f"{head}.{claims}",
    }
    assert refusal(ask(client, by_assertion(texts[spoilt]))) == (401, "invalid_client")
    assert ask(client, by_assertion(good)).status == 200


def test_an_assertion_is_good_once(serve: Serve, clock: Clock) -> None:
    org, client = serve(clients=[BY_KEY])
    text = assertion(org.url, KEY, clock.now)
    assert ask(client, by_assertion(text)).status == 200
    again = ask(client, by_assertion(text))
    assert refusal(again) == (401, "invalid_client")
    assert "its jti was used before" in again.json["error_description"]


def test_an_assertion_is_used_up_by_a_response_that_a_fault_spoilt(serve: Serve, clock: Clock) -> None:
    org, client = serve(clients=[BY_KEY], faults=["token/503@1"])
    text = assertion(org.url, KEY, clock.now)
    assert ask(client, by_assertion(text)).status == 503
    assert refusal(ask(client, by_assertion(text))) == (401, "invalid_client")
    assert ask(client, by_assertion(assertion(org.url, KEY, clock.now))).status == 200


def test_the_clock_of_the_org_decides_and_its_date_says_so(serve: Serve, clock: Clock) -> None:
    org, client = serve(clients=[BY_KEY])
    here = clock.now
    clock.now += 7200
    late = ask(client, by_assertion(assertion(org.url, KEY, here)))
    assert refusal(late) == (401, "invalid_client")
    assert late.header("Date") == client.get().header("Date")
    assert ask(client, by_assertion(assertion(org.url, KEY, clock.now))).status == 200


def test_a_client_id_beside_an_assertion_has_to_be_the_same(serve: Serve, clock: Clock) -> None:
    org, client = serve(clients=[BY_KEY])
    assert ask(client, by_assertion(assertion(org.url, KEY, clock.now), client_id="0oa1")).status == 200
    other = ask(client, by_assertion(assertion(org.url, KEY, clock.now), client_id="0oa2"))
    assert refusal(other) == (400, "invalid_request")


def test_a_secret_in_the_body_gets_a_token(serve: Serve) -> None:
    _, client = serve(clients=[BY_POST])
    assert ask(client, by_secret("s3cr3t")).status == 200
    for wrong in (by_secret("other"), by_secret("s3cr3t", client_id="0oa2")):
        assert refusal(ask(client, wrong)) == (401, "invalid_client")


@pytest.mark.parametrize(
    "secret", ["s3cr3t", "z/tZ9VwFZqApmIQ+ZH1I5pLk/uB4ud:X2/8bL+wfFTt1rFw=", "a b%20", "Zürich ~*"]
)
def test_a_secret_in_the_header_is_form_encoded(serve: Serve, secret: str) -> None:
    org, client = serve(
        clients=[OAuthClient(client_id="1/Q 1", scopes=SCOPES, method="client_secret_basic", secret=secret)]
    )
    assert ask(client, GRANT, headers=basic(quote_plus("1/Q 1"), quote_plus(secret))).status == 200
    if quote_plus(secret) != secret:
        raw = ask(client, GRANT, headers=basic(quote_plus("1/Q 1"), secret))
        assert refusal(raw) == (401, "invalid_client")
    assert org.token_requests[0].client_id == "1/Q 1"


@pytest.mark.parametrize("header", ["Basic", "Basic !!!", "Basic MG9hMQ==", "Bearer abc", "SSWS practice-token"])
def test_a_header_that_is_no_basic_authentication_is_refused_with_a_challenge(serve: Serve, header: str) -> None:
    _, client = serve(clients=[BY_BASIC])
    reply = ask(client, GRANT, headers={"Authorization": header})
    assert refusal(reply) == (401, "invalid_client")
    assert (reply.header("WWW-Authenticate") or "").startswith("Basic ")


def test_only_who_used_the_header_is_challenged(serve: Serve) -> None:
    _, client = serve(clients=[BY_POST])
    assert ask(client, by_secret("other")).header("WWW-Authenticate") is None


@pytest.mark.parametrize("method", get_args(Method))
def test_a_client_has_to_use_the_method_it_is_registered_with(serve: Serve, clock: Clock, method: str) -> None:
    registered = {
        "private_key_jwt": BY_KEY,
        "client_secret_basic": BY_BASIC,
        "client_secret_post": BY_POST,
        "jwt_bearer": BY_GRANT,
        "none": OAuthClient(client_id="0oa1", scopes=SCOPES, method="none"),
    }
    org, client = serve(clients=[registered[method]])
    replies = {
        "private_key_jwt": ask(client, by_assertion(assertion(org.url, KEY, clock.now))),
        "client_secret_basic": ask(client, GRANT, headers=basic("0oa1", "s3cr3t")),
        "client_secret_post": ask(client, by_secret("s3cr3t")),
        "jwt_bearer": ask(client, by_grant(org.url, clock.now)),
        # A public client gets no token by its id alone: by a refresh token, as another test shows.
        "none": ask(client, GRANT | {"client_id": "0oa1"}),
    }
    assert {name for name, reply in replies.items() if reply.status == 200} == {method} - {"none"}
    refused = {refusal(reply) for name, reply in replies.items() if reply.status != 200 and name != "jwt_bearer"}
    assert refused == {(401, "invalid_client")}
    if method != "jwt_bearer":
        assert refusal(replies["jwt_bearer"]) == (400, "unsupported_grant_type")


def test_more_than_one_way_of_authentication_is_refused(serve: Serve, clock: Clock) -> None:
    org, client = serve(clients=[BY_BASIC])
    both = [
        ask(client, by_secret("s3cr3t"), headers=basic("0oa1", "s3cr3t")),
        ask(client, by_assertion(assertion(org.url, KEY, clock.now)), headers=basic("0oa1", "s3cr3t")),
        ask(client, by_secret("s3cr3t") | {"client_assertion_type": ASSERTION_TYPE}),
    ]
    assert [refusal(reply) for reply in both] == [(400, "invalid_request")] * 3
    assert ask(client, GRANT | {"client_id": "0oa1"}, headers=basic("0oa1", "s3cr3t")).status == 200
    assert refusal(ask(client, GRANT | {"client_id": "x"}, headers=basic("0oa1", "s3cr3t"))) == (400, "invalid_request")


def test_without_any_authentication_there_is_no_token(serve: Serve) -> None:
    _, client = serve(clients=[BY_POST])
    for form in (GRANT, GRANT | {"client_id": "0oa1"}):
        assert refusal(ask(client, form)) == (401, "invalid_client")
    _, nobody = serve()
    assert refusal(ask(nobody, by_secret("s3cr3t"))) == (401, "invalid_client")


def test_parameters_in_the_url_are_refused_and_not_logged(serve: Serve) -> None:
    org, client = serve(clients=[BY_POST])
    reply = ask(client, GRANT, target=f"{TOKEN}?client_id=0oa1&client_secret=s3cr3t")
    assert refusal(reply) == (400, "invalid_request")
    assert "s3cr3t" not in str(org.log) + str(org.token_requests) + repr(BY_POST)
    assert org.log[0]["target"] == TOKEN


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("scope=okta.users.read", "invalid_request"),
        ("grant_type=&scope=okta.users.read", "invalid_request"),
        ("grant_type=password&scope=okta.users.read", "unsupported_grant_type"),
        ("grant_type=client_credentials&grant_type=client_credentials", "invalid_request"),
        ('{"grant_type":"client_credentials"}', "invalid_request"),
        ("grant_type=client_credentials&scope=%zz", "invalid_request"),
        ("grant_type=client_credentials&scope=a b", "invalid_request"),
        ("grant_type=client_credentials&scope=%FF", "invalid_request"),
        ("", "invalid_request"),
    ],
)
def test_a_body_that_is_not_what_it_should_be_is_refused(serve: Serve, body: str, error: str) -> None:
    _, client = serve(clients=[BY_BASIC])
    assert refusal(ask(client, body, headers=basic("0oa1", "s3cr3t"))) == (400, error)


def test_the_body_has_to_say_that_it_is_a_form(serve: Serve) -> None:
    _, client = serve(clients=[BY_POST])
    for kind, status in (("application/json", 400), ("application/x-www-form-urlencoded; charset=utf-8", 200)):
        assert ask(client, by_secret("s3cr3t"), headers={"Content-Type": kind}).status == status


def test_tokens_are_asked_for_by_post(serve: Serve) -> None:
    _, client = serve(clients=[BY_POST])
    reply = ask(client, by_secret("s3cr3t"), method="PUT")
    assert (reply.status, reply.error_code) == (405, "E0000022")


@pytest.mark.parametrize("scope", ["", " ", "okta.users.manage", "okta.users.read okta.apps.read", "okta.users.read,x"])
def test_a_scope_that_the_client_has_not_is_refused(serve: Serve, scope: str) -> None:
    _, client = serve(clients=[BY_POST])
    assert refusal(ask(client, by_secret("s3cr3t", scope=scope))) == (400, "invalid_scope")


@pytest.mark.parametrize(("reported", "expected"), [("number", 599), ("string", "599"), ("absent", None)])
def test_a_lifetime_is_reported_in_three_ways(serve: Serve, clock: Clock, reported: Any, expected: object) -> None:  # noqa: ANN401
    one = OAuthClient(
        client_id="0oa1", scopes=SCOPES, method="client_secret_post", secret="s", lifetime=599, expires_in=reported
    )
    _, client = serve(clients=[one])
    response = ask(client, by_secret("s")).json
    assert response.get("expires_in") == expected
    bearer = {"Authorization": "Bearer " + response["access_token"]}
    clock.now += 598
    assert client.get(headers=bearer).status == 200
    clock.now += 1
    assert client.get(headers=bearer).status == 401


def test_keys_are_rotated(serve: Serve, clock: Clock) -> None:
    org, client = serve(clients=[BY_KEY])
    newer = make_key("RS256")
    org.set_client(OAuthClient(client_id="0oa1", scopes=SCOPES, keys=[newer]))
    assert refusal(ask(client, by_assertion(assertion(org.url, KEY, clock.now)))) == (401, "invalid_client")
    assert ask(client, by_assertion(assertion(org.url, newer, clock.now))).status == 200


def test_a_revoked_client_gets_no_token_and_its_tokens_are_refused(serve: Serve) -> None:
    other = OAuthClient(client_id="0oa2", scopes=SCOPES, method="client_secret_post", secret="s")
    org, client = serve(clients=[BY_POST, other])
    tokens = [
        ask(client, by_secret(text, client_id=one)).json["access_token"]
        for one, text in (("0oa1", "s3cr3t"), ("0oa2", "s"))
    ]
    org.revoke_client("0oa1")
    assert refusal(ask(client, by_secret("s3cr3t"))) == (401, "invalid_client")
    assert [client.get(headers={"Authorization": f"Bearer {token}"}).status for token in tokens] == [401, 200]
    with pytest.raises(LookupError, match="0oa9"):
        org.revoke_client("0oa9")


def test_requests_of_tokens_are_logged_without_secrets(serve: Serve, clock: Clock) -> None:
    org, client = serve(clients=[BY_KEY])
    text = assertion(org.url, KEY, clock.now, jti="one")
    for form in (by_assertion(text), by_assertion(text), by_secret("s3cr3t", client_id="0oa7"), GRANT):
        ask(client, form)
    assert org.token_requests == [
        TokenRequest(clock.now, "0oa1", "one", "issued"),
        TokenRequest(clock.now, "0oa1", "one", "invalid_client"),
        TokenRequest(clock.now, "0oa7", None, "invalid_client"),
        TokenRequest(clock.now, None, None, "invalid_client"),
    ]
    assert [(entry["target"], entry["status"], entry["collection"]) for entry in org.log] == [
        (TOKEN, status, None) for status in (200, 401, 401, 401)
    ]


def test_tokens_have_a_quota_of_their_own(serve: Serve, clock: Clock) -> None:
    org, client = serve(clients=[BY_POST], rate_limits={TOKEN: 2})
    replies = [ask(client, by_secret("s3cr3t")) for _ in range(3)]
    assert [reply.status for reply in replies] == [200, 200, 429]
    assert [reply.header("X-Rate-Limit-Limit") for reply in replies] == ["2"] * 3
    assert org.windows_of(TOKEN) == [Window(clock.now, 3, 1)]
    assert client.get().status == 200
    assert len(org.token_requests) == 2


@pytest.mark.parametrize(
    ("fault", "status"), [("500", 500), ("502", 502), ("503", 503), ("429", 429), ("html", 200), ("redirect", 302)]
)
def test_a_fault_takes_the_place_of_a_token(serve: Serve, fault: str, status: int) -> None:
    org, client = serve(clients=[BY_POST], faults=[f"token/{fault}@2"])
    replies = [ask(client, by_secret("s3cr3t")) for _ in range(3)]
    assert [reply.status for reply in replies] == [200, status, 200]
    assert [b"access_token" in reply.body for reply in replies] == [True, False, True]
    assert [entry["fault"] for entry in org.log] == [None, fault, None]
    assert {request.outcome for request in org.token_requests} == {"issued"}
    assert client.get().status == 200


def test_a_redirect_of_a_token_request_leads_to_another_host(serve: Serve) -> None:
    _, client = serve(clients=[BY_POST], faults=["token/redirect"])
    location = ask(client, by_secret("s3cr3t")).header("Location")
    assert location is not None
    assert location.startswith("http://127.0.0.2:")
    assert location.endswith(TOKEN)


def test_a_token_response_can_be_huge_cut_or_slow(serve: Serve) -> None:
    waits: list[float] = []
    faults = ["token/big-record:300000@1", "token/truncate-json@2", "token/stall:9@3", "token/no-date@3"]
    org, client = serve(clients=[BY_POST], faults=faults, wait=waits.append)
    huge, cut, slow = (ask(client, by_secret("s3cr3t")) for _ in range(3))
    assert (len(huge.body), huge.json["token_type"]) == (300_000, "Bearer")
    with pytest.raises(json.JSONDecodeError):
        json.loads(cut.body)
    assert (waits, slow.status, slow.header("Date")) == ([9.0], 200, None)
    assert org.log[2]["fault"] == "stall+no-date"


@pytest.mark.parametrize("kind", ["empty-page", "next-repeat", "nan", "401"])
def test_faults_that_make_no_sense_for_tokens_are_refused(serve: Serve, kind: str) -> None:
    with pytest.raises(ValueError, match="not for token"):
        serve(faults=[f"token/{kind}"])


def test_a_client_keeps_the_public_part_of_its_keys_alone() -> None:
    assert "d" in KEY
    assert [dict(key) for key in BY_KEY.keys] == [{name: KEY[name] for name in KEY if name != "d"}]
    assert KEY["d"] not in repr(BY_KEY)


@pytest.mark.parametrize(
    "wrong",
    [{}, {"keys": [{"kty": "EC"}]}, {"method": "client_secret_basic"}, {"method": "tls_client_auth", "secret": "s"}],
)
def test_a_client_without_what_its_method_needs_is_a_mistake(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="0oa1"):
        OAuthClient(client_id="0oa1", scopes=SCOPES, **wrong)


def test_a_key_of_no_known_algorithm_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="ES384"):
        make_key("HS256")


def test_the_package_for_keys_is_imported_only_by_who_has_some() -> None:
    """Without it the org serves, clients with secrets too, and the error for a client with keys names the lack."""
    code = """
import sys
sys.modules["joserfc"] = None
import importlib.util
from circulate_practice import OAuthClient, PracticeOrg
with PracticeOrg(clients=[OAuthClient(client_id="a", scopes=["b"], method="client_secret_post", secret="c")]): pass
try:
    OAuthClient(client_id="a", scopes=["b"], keys=[{"kid": "1"}])
except RuntimeError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.returncode) == (
        "OAuth clients with keys need the package joserfc: pip install joserfc",
        0,
    ), done.stderr
