"""Refresh tokens of the practice org: each is taken once, and a second time ends the whole sign-in."""

import pytest
from support.practice_client import Serve
from support.practice_oauth import USERS, ask, basic

from circulate_practice import OAuthClient

PUBLIC = OAuthClient(client_id="0oa1", scopes=[USERS], method="none")


def refreshing(token: str, **other: str) -> dict[str, str]:
    return {"grant_type": "refresh_token", "refresh_token": token, "client_id": "0oa1"} | other


def test_a_token_is_good_once_and_brings_the_next_one(serve: Serve) -> None:
    org, client = serve(clients=[PUBLIC])
    token = org.sign_in("0oa1", [USERS])
    seen = {token}
    for _ in range(3):
        reply = ask(client, refreshing(token))
        assert (reply.status, reply.json["scope"]) == (200, USERS)
        token = reply.json["refresh_token"]
        bearer = {"Authorization": "Bearer " + reply.json["access_token"]}
        assert client.get(headers=bearer).ids == client.get().ids
        assert token not in seen
        seen.add(token)


def test_a_second_use_ends_all_that_came_of_the_sign_in(serve: Serve) -> None:
    org, client = serve(clients=[PUBLIC])
    first, other = org.sign_in("0oa1", [USERS]), org.sign_in("0oa1", [USERS])
    got = ask(client, refreshing(first)).json
    reused = ask(client, refreshing(first))
    assert (reused.status, reused.json["error"]) == (400, "invalid_grant")
    assert ask(client, refreshing(got["refresh_token"])).json["error"] == "invalid_grant"
    bearer = {"Authorization": "Bearer " + got["access_token"]}
    assert client.get(headers=bearer).status == 401
    assert ask(client, refreshing(other)).status == 200, "another sign-in of the same client goes on"


def test_a_client_whose_tokens_do_not_rotate_keeps_its_own(serve: Serve) -> None:
    org, client = serve(clients=[OAuthClient(client_id="0oa1", scopes=[USERS], method="none", rotates=False)])
    token = org.sign_in("0oa1", [USERS])
    for _ in range(2):
        reply = ask(client, refreshing(token))
        assert (reply.status, "refresh_token" in reply.json) == (200, False)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"refresh_token": "r.other"}, "invalid_grant"),
        ({"refresh_token": ""}, "invalid_grant"),
        ({"scope": "okta.logs.read"}, "invalid_scope"),
        ({"client_id": ""}, "invalid_client"),
        ({"client_id": "0oa2"}, "invalid_client"),
        ({"client_secret": "s"}, "invalid_client"),
        ({"grant_type": "client_credentials"}, "invalid_client"),
    ],
)
def test_whatever_is_not_right_is_refused_and_uses_nothing_up(serve: Serve, change: dict[str, str], error: str) -> None:
    org, client = serve(clients=[PUBLIC])
    token = org.sign_in("0oa1", [USERS])
    assert ask(client, refreshing(token) | change).json["error"] == error
    assert ask(client, refreshing(token)).status == 200


def test_a_token_is_of_its_client_alone(serve: Serve) -> None:
    secretive = OAuthClient(client_id="0oa2", scopes=[USERS], method="client_secret_basic", secret="s3cr3t")
    org, client = serve(clients=[PUBLIC, secretive])
    token = org.sign_in("0oa2", [USERS])
    assert ask(client, refreshing(token)).json["error"] == "invalid_grant"
    own = refreshing(token, client_id="0oa2")
    assert ask(client, own).json["error"] == "invalid_client", "its secret is missing"
    assert ask(client, own, headers=basic("0oa2", "s3cr3t")).status == 200
