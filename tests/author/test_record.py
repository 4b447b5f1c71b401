"""`circulate record`: what is in a cassette, and what never is."""

import base64
import json
import re
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from support.cli import Cli
from support.http_server import Reply
from support.recorded import (
    COUNT,
    LIST,
    SECRET,
    SIGN_INS,
    SIZE,
    STREAM,
    TOKEN,
    USER,
    Api,
    people,
    recorded,
    write_people,
)

from circulate_core.authoring.cassettes.cassette import Cassette, CassetteError, Ending, Exchange, Request, Response
from circulate_core.authoring.cassettes.promises import PROMISES, OfCassette, Trial
from circulate_core.authoring.cassettes.pulling import Workers
from circulate_core.authoring.cassettes.scrubbing import Raw, Rules, Scrubber, leaks
from circulate_practice import PracticeOrg
from circulate_practice.oauth.clients import OAuthClient
from circulate_practice.oauth.jose import make_key

JSON = [("Content-Type", "application/json")]


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    """Write the definition of a list of people."""
    return write_people(tmp_path / "definitions")


def forms(secret: str, *, inner: bool = True) -> set[str]:
    """Return what a secret may look like, made apart from the code that looks for it.

    Args:
        secret: The secret.
        inner: In Base64, the characters alone that are the same whatever stands around it.
    """
    raw = secret.encode()
    found = {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), raw.hex(), json.dumps(secret)[1:-1]}
    for before in (b"", b"x", b"xy"):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            encoded = encode(before + raw).decode()
            found.add(encoded[4:-4] if inner else encoded)
    return found


@pytest.mark.parametrize("sign_in", SIGN_INS)
def test_no_form_of_a_secret_is_in_a_cassette_however_requests_are_signed_in(tmp_path: Path, sign_in: str) -> None:
    catalog = write_people(tmp_path, sign_in)
    done = recorded(Api(sign_in), catalog)
    text = done.cassette.text()
    assert [form for form in forms(SECRET) | forms(TOKEN) if form in text] == []
    assert not re.search(r'"(?:authorization|cookie|set-cookie)"', text, re.IGNORECASE)
    assert "made-up-key" in text, "what was echoed is there as its stand-in"
    assert len(done.cassette.ending.records) == COUNT
    with Workers() as engine:
        trial = Trial(OfCassette(done.cassette, [catalog]), engine)
        kept = [trial.of(promise) for promise in PROMISES if promise != "killed"]
    assert [each for each in kept if each.broken] == []
    assert [each.promise for each in kept if each.skipped] == []
    expired = next(each for each in kept if each.promise == "expired")
    assert expired.records == COUNT


def test_nobody_is_in_a_cassette(catalog: Path) -> None:
    text = recorded(Api(), catalog).cassette.text()
    assert re.search(r"jane|doe|acme-corp|81\.2\.69|5550", text, re.IGNORECASE) is None
    opaque = [base64.urlsafe_b64encode(each["email"].encode()).decode() for each in people()]
    assert [each for each in opaque if each in text] == []


def test_the_same_value_has_the_same_stand_in_of_its_shape_everywhere(catalog: Path) -> None:
    cassette = recorded(Api(), catalog).cassette
    pages = [json.loads(each.response.body) for each in cassette.exchanges if each.response]
    found = {record["id"]: record for page in pages for record in page["data"]}
    assert list(found) == [each["id"] for each in people()]
    records = list(found.values())
    for record, before in zip(records[1:], records, strict=False):
        assert record["manager"] == before["email"].casefold()
        assert record["note"] == f"{record['name']} called from {record['ip']}"
    for record, person in zip(records, people(), strict=True):
        assert re.fullmatch(r"[A-Z][a-z]{3}\.[A-Z][a-z]{2}\d+@example\.com", record["email"]), record["email"]
        assert re.fullmatch(r"\+\d\d \d\d \d{7}", record["phone"])
        assert len(record["name"]) == len(person["name"])
        assert (record["updated_at"], record["score"]) == (person["updated_at"], person["score"])
    assert len({record["email"] for record in records}) == COUNT


def test_the_same_recording_is_the_same_file(catalog: Path) -> None:
    one, two = (recorded(Api(), catalog).cassette.text() for _ in range(2))
    port, time = r"127\.0\.0\.1:\d+", r'\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT|recorded_at": "[^"]+|sha256": "\w+'
    assert re.sub(f"{port}|{time}", "", one) == re.sub(f"{port}|{time}", "", two)


def test_all_other_bytes_are_as_they_were_received(tmp_path: Path) -> None:
    odd = b'{ "data" :[{"id":1.0E+2,"x":"\\ud800 \\u00e9 \xc3\xa9\\/" , "email":"a@b.example"}\r\n,{"id":\t2} ] }\n'
    listing = {**LIST, "paginator": "none"}
    del listing["page_size"]
    catalog = write_people(tmp_path, listing=listing)
    api = Api()
    api.respond = lambda handler: Reply(odd, JSON)  # type: ignore[method-assign]  # noqa: ARG005 - as it is called
    cassette = recorded(api, catalog).cassette
    body = next(each.response.body for each in cassette.exchanges if each.response)
    found = re.search(rb'"email":"(.*?)"', body)
    assert found is not None
    assert body == odd.replace(b"a@b.example", found[1])
    path = tmp_path / "c.jsonl"
    path.write_text(cassette.text(), newline="\n")
    assert Cassette.read(path) == cassette


def test_members_are_kept_and_scrubbed_as_asked(catalog: Path) -> None:
    cassette = recorded(Api(), catalog, keep=["phone"], scrub=["id"]).cassette
    records = [
        each
        for exchange in cassette.exchanges
        if exchange.response
        for each in json.loads(exchange.response.body)["data"]
    ]
    assert {each["phone"] for each in records} == {each["phone"] for each in people()}
    assert {each["id"] for each in records} & {each["id"] for each in people()} == set()
    assert len(set(cassette.ending.records)) == COUNT


def test_recording_ends_after_as_many_requests_as_were_asked_for(catalog: Path) -> None:
    api = Api()
    done = recorded(api, catalog, requests=2)
    assert len(api.asked) == 2
    assert (done.cassette.ending.status, done.cassette.is_cut) == ("partial", True)
    assert len(done.cassette.ending.records) == 2 * SIZE
    with Workers() as engine:
        trial = Trial(OfCassette(done.cassette, [catalog]), engine)
        kept = {promise: trial.of(promise) for promise in PROMISES}
    assert {name: each.broken for name, each in kept.items() if each.broken} == {}
    assert {name for name, each in kept.items() if each.skipped} == {"repeated"}
    assert kept["killed"].records == 2 * SIZE


def test_retries_of_the_recorded_pull_are_in_the_cassette(catalog: Path) -> None:
    api, troubles = Api(), iter([Reply({"error": "busy"}, [("Retry-After", "1")], status=503)])
    respond = api.respond
    api.respond = lambda handler: next(troubles, None) or respond(handler)  # type: ignore[method-assign]
    cassette = recorded(api, catalog).cassette
    assert [each.response.status for each in cassette.exchanges if each.response][:2] == [503, 200]
    with Workers() as engine:
        assert Trial(OfCassette(cassette, [catalog]), engine).of("complete").broken == ()


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(CassetteError, match="`pin` is too short to be found"):
        Scrubber(Rules({"pin": "123"}), [])


@pytest.mark.parametrize("form", sorted(forms("open/sesame+&=please", inner=False)))
def test_a_secret_is_found_in_every_form(form: str) -> None:
    secret = "open/sesame+&=please"  # noqa: S105 - of nothing
    body = json.dumps({"echo": f"<{form}>"}).encode()
    raw = Raw(Request("GET", f"https://a.example/?q={quote(form)}"), Response(200, (("x-echo", form),), (), body))
    scrubbed = Scrubber(Rules({"key": secret}), [raw]).scrubbed(raw)
    text = repr(scrubbed)
    assert form not in text
    assert list(leaks(text, [secret])) == []
    assert list(leaks(f"one\n{body.decode()}", [secret])) == [(2, secret)] * len(list(leaks(body.decode(), [secret])))
    assert list(leaks(body.decode(), [secret])) != []


def test_personal_members_of_a_csv_are_replaced() -> None:
    body = 'id,first_name,mail\r\n1,"Jane, Ann",jane@corp.io\r\n2,Bob,bob@corp.io\r\n'
    raw = Raw(Request("GET", "https://a.example/"), Response(200, (("content-type", "text/csv"),), (), body.encode()))
    response = Scrubber(Rules({}), [raw]).scrubbed(raw).response
    assert response is not None
    assert re.fullmatch(
        rb'id,first_name,mail\r\n1,"[A-Z]\w{3}, [A-Z]\w\w",\w{4}@example\.com\r\n2,[A-Z]\w\w,\w{3}@example\.com\r\n',
        response.body,
    ), response.body


def test_a_body_that_is_no_text_comes_back_as_it_was(tmp_path: Path) -> None:
    body = bytes(range(256)) * 3
    exchange = Exchange(Request("GET", "https://a.example/x"), Response(200, (), (), body))
    cassette = Cassette("a.b", "2026-01-01T00:00:00Z", {}, (), (exchange,), Ending("complete", ()))
    path = tmp_path / "c.jsonl"
    path.write_text(cassette.text(), newline="\n")
    assert Cassette.read(path).exchanges == (exchange,)
    assert max(map(len, path.read_text().split("\n"))) < 200


def test_the_command_says_what_was_replaced_and_overwrites_nothing(cli: Cli, catalog: Path) -> None:
    api = Api()
    with api.serve() as url:
        environment = {"ACME_URL": url, "ACME_KEY": SECRET, "CIRCULATE_CATALOG": str(catalog)}
        to = cli.folder / "tests/cassettes/acme.people.jsonl"
        done = cli("record", STREAM, "--to", to, **environment)
        assert done.code == 0, done.err
        again = cli("record", STREAM, "--to", to, **environment)
        forced = cli("record", STREAM, "--to", to, "--force", **environment)
    assert f"{len(api.asked) // 2} requests, {COUNT} records, complete" in done.err
    assert "1 secret" in done.err
    assert f"{COUNT} IP addresses" in done.err
    assert f"{COUNT} phone numbers" in done.err
    assert "sign-in headers and cookies are not recorded" in done.err
    assert (again.code, forced.code) == (2, 0)
    assert "there is already" in again.err
    assert Cassette.read(to).replaced["phone number"] == COUNT


def test_nothing_is_written_of_a_pull_that_fails(cli: Cli, catalog: Path) -> None:
    with Api().serve() as url:
        environment = {"ACME_URL": url, "ACME_KEY": "another", "CIRCULATE_CATALOG": str(catalog)}
        done = cli("record", STREAM, "--to", "c.jsonl", **environment)
    assert done.code == 1
    assert "401" in done.err
    assert not (cli.folder / "c.jsonl").exists()


def test_a_session_is_logged_out_after_it_was_recorded(cli: Cli, tmp_path: Path) -> None:
    catalog = write_people(tmp_path, "session")
    source = catalog / "acme/source.yaml"
    source.write_text(source.read_text().replace("    token:\n", "    logout: {path: /logout}\n    token:\n"))
    api = Api("session")
    with api.serve() as url:
        environment = {"ACME_URL": url, "ACME_KEY": SECRET, "ACME_USER": USER, "CIRCULATE_CATALOG": str(catalog)}
        done = cli.process("record", STREAM, "--to", "c.jsonl", **environment)
    assert done.code == 0, done.err
    assert [each.split()[1] for each in api.asked if "logout" in each] == ["/logout"]


def test_a_source_that_signs_in_with_a_private_key_is_refused_before_any_request(cli: Cli, tmp_path: Path) -> None:
    key = make_key("ES256")
    with PracticeOrg(users=1, clients=[OAuthClient(client_id="0oa1", scopes=["okta.users.read"], keys=[key])]) as org:
        environment = {"OKTA_ORG_URL": org.url, "OKTA_CLIENT_ID": "0oa1", "OKTA_PRIVATE_KEY": json.dumps(key)}
        done = cli("record", "okta.users", "--to", "c.jsonl", **environment, OKTA_API_TOKEN="")
        assert org.request_count == 0
        assert org.token_requests == []
    assert done.code == 1
    assert "`okta.users` signs in with a private key (private_key), and no stand-in can sign" in done.err
    assert "hint: test its list by a stub: `StubApi(auth=None)`" in done.err
    assert list(tmp_path.glob("**/c.jsonl")) == []
