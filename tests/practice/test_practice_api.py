"""Everything around the list: authorisation, routes, single users, headers, compression, control routes."""

import gzip
import json
from email.utils import parsedate_to_datetime

import pytest
from support.practice_client import LIST, Clock, Serve


@pytest.mark.parametrize("header", ["", "SSWS wrong", "Basic practice-token", "ssws practice-token", "practice-token"])
def test_a_wrong_token_is_refused(serve: Serve, header: str) -> None:
    org, client = serve(users=5)
    reply = client.get(headers={"Authorization": header})
    assert (reply.status, reply.error_code) == (401, "E0000011")
    assert reply.json["errorSummary"] == "Invalid token provided"
    assert org.request_count == 1


def test_the_token_can_be_chosen(serve: Serve) -> None:
    _, client = serve(users=5, token="00abc")
    assert client.get().status == 200
    assert client.get(token="practice-token").status == 401


@pytest.mark.parametrize(
    "target", ["/", "/api/v1/idps", "/api/v1/app_users", "/api/v1/users/", "/api/v1/users/a/blocks", "/api/v1/usersx"]
)
def test_an_unknown_path_is_not_found(serve: Serve, target: str) -> None:
    _, client = serve(users=5)
    reply = client.get(target)
    assert (reply.status, reply.error_code) == (404, "E0000008")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_a_wrong_method_is_not_allowed(serve: Serve, method: str) -> None:
    _, client = serve(users=5)
    for target in ("/api/v1/logs", "/api/v1/policies"):
        reply = client.get(target, method=method)
        assert (reply.status, reply.error_code) == (405, "E0000022")


@pytest.mark.parametrize(
    ("target", "methods"),
    [
        (LIST, "PUT PATCH DELETE OPTIONS"),
        (f"{LIST}/00u1", "PATCH OPTIONS"),
        (f"{LIST}/00u1/lifecycle/suspend", "GET PUT"),
    ],
)
def test_a_method_that_no_operation_has_is_not_allowed(serve: Serve, target: str, methods: str) -> None:
    _, client = serve(users=5)
    for method in methods.split():
        reply = client.get(target, method=method)
        assert (reply.status, reply.error_code) == (405, "E0000022")


def test_head_is_served_without_a_body_and_the_connection_goes_on(serve: Serve) -> None:
    _, client = serve(users=5)
    reply = client.get(method="HEAD")
    assert (reply.status, reply.body) == (405, b"")
    assert client.get().status == 200


def test_a_single_user_has_the_bytes_it_has_in_the_list(serve: Serve) -> None:
    _, client = serve(users=20)
    listed = client.get()
    for user in listed.json:
        assert client.get(f"{LIST}/{user['id']}").body in listed.body


def test_an_unknown_user_is_not_found(serve: Serve) -> None:
    org, client = serve(users=20)
    other = next(iter(serve(users=1, seed=9)[0].truth()))["id"]
    for user_id in (other, "00u1", "%20"):
        reply = client.get(f"{LIST}/{user_id}")
        assert (reply.status, reply.error_code) == (404, "E0000007")
    assert org.request_count == 3


def test_every_response_carries_the_headers_okta_sends(serve: Serve, clock: Clock) -> None:
    _, client = serve(users=20)
    replies = [client.get(), client.get("/nowhere"), client.get(token="x"), client.get(f"{LIST}?limit=0")]
    for reply in replies:
        assert reply.header("Content-Type") == "application/json"
        assert parsedate_to_datetime(reply.header("Date") or "").timestamp() == int(clock.now)
        assert reply.header("X-Rate-Limit-Limit") == "600"
        assert reply.header("X-Rate-Limit-Remaining") is not None
        assert reply.header("X-Rate-Limit-Reset") is not None
        assert reply.header("Cache-Control") is not None
    assert len({reply.header("X-Okta-Request-Id") for reply in replies}) == len(replies)


def test_error_ids_differ_and_start_like_those_of_okta(serve: Serve) -> None:
    _, client = serve(users=1)
    first, second = (client.get("/nowhere").json["errorId"] for _ in range(2))
    assert first != second
    assert first.startswith("oae")


def test_bodies_are_compressed_only_on_wish_and_for_clients_that_take_it(serve: Serve) -> None:
    _, plain = serve(users=50)
    _, packed = serve(users=50, gzip=True)
    takes = {"Accept-Encoding": "br, gzip"}
    assert plain.get(headers=takes).header("Content-Encoding") is None
    assert packed.get(headers={"Accept-Encoding": "gzip;q=0"}).header("Content-Encoding") is None
    assert packed.get(headers={"Accept-Encoding": "identity"}).header("Vary") == "Accept-Encoding"
    reply = packed.get(headers=takes)
    assert reply.header("Content-Encoding") == "gzip"
    assert gzip.decompress(reply.body) == plain.get().body
    assert packed.get(headers=takes).body == reply.body


def test_latency_holds_every_response_back(serve: Serve) -> None:
    waits: list[float] = []
    _, client = serve(users=5, latency=0.25, wait=waits.append)
    client.get()
    client.get("/nowhere")
    assert waits == [0.25, 0.25]


def test_the_truth_shows_every_user_line_by_line(serve: Serve) -> None:
    org, client = serve(users=450)
    reply = client.get("/_practice/truth", token="none needed")
    assert [json.loads(line) for line in reply.body.splitlines()] == list(org.truth())
    assert len(reply.body.splitlines()) == 450


def test_control_routes_count_against_nothing(serve: Serve) -> None:
    org, client = serve(users=5, rate_limit=1)
    for _ in range(3):
        assert client.get("/_practice/windows").status == 200
    assert (org.request_count, org.windows, org.log) == (0, [], [])


@pytest.mark.parametrize("call", ["GET change", "POST truth", "GET elsewhere"])
def test_an_unknown_control_route_is_not_found(serve: Serve, call: str) -> None:
    _, client = serve(users=5)
    method, route = call.split()
    assert client.get(f"/_practice/{route}", method=method).status == 404


def test_a_request_body_does_not_disturb_the_next_request(serve: Serve) -> None:
    _, client = serve(users=5)
    target = "/api/v1/logs"
    client.connection.request("POST", target, body=b'{"profile":{}}', headers={"Authorization": "SSWS practice-token"})
    with client.connection.getresponse() as response:
        assert response.status == 405
        response.read()
    assert client.get().status == 200
