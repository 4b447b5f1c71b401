"""Signing in by OAuth, against a token endpoint that refuses whatever the RFCs do not allow."""

import json
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey, RSAKey, import_key
from support.cli import Cli, CliFor, Done, StartOrg
from support.places import client

import circulate_core
from circulate_core.catalogs import SHIPPED_CATALOG
from circulate_core.exceptions import AuthError
from circulate_practice import LISTS, OAuthClient, PracticeOrg, make_key
from circulate_practice.compare import compare

ALL_SCOPES = sorted({rules.scope for rules in LISTS.values()})
SECRET = "z/tZ9 canary:X2+8%=ü"  # noqa: S105 - of a practice org
ALGORITHMS = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512")
KEY = make_key("ES256")


def by_key(key: dict[str, Any] | None = None, **options: Any) -> OAuthClient:  # noqa: ANN401 - passed on
    return OAuthClient(client_id="0oa1", keys=[key or KEY], **{"scopes": ALL_SCOPES, **options})


def by_secret(method: Any = "client_secret_basic") -> OAuthClient:  # noqa: ANN401 - a literal
    return OAuthClient(client_id="0oa/1 x", scopes=ALL_SCOPES, method=method, secret=SECRET)


def as_text(key: dict[str, Any]) -> str:
    return json.dumps(key)


@pytest.fixture
def oauth_cli(cli_for: CliFor) -> Callable[..., Cli]:
    def make(org: PracticeOrg, **settings: str) -> Cli:
        cli = cli_for(org)
        del cli.environment["OKTA_API_TOKEN"]
        cli.environment.update({"OKTA_CLIENT_ID": "0oa1", "OKTA_PRIVATE_KEY": as_text(KEY)} | settings)
        return cli

    return make


def outcomes(org: PracticeOrg) -> list[str]:
    return [request.outcome for request in org.token_requests]


def assert_reports(done: Done, code: int, *parts: str) -> None:
    assert done.code == code, done.err
    for part in parts:
        assert part in done.err
    assert done.err.count("error:") == 1
    assert not any(secret in done.err + done.out for secret in ("canary", KEY["d"], KEY["d"][:12]))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm_signs_as_another_implementation_expects(
    start_org: StartOrg, oauth_cli: Callable[..., Cli], algorithm: str
) -> None:
    key = make_key(algorithm)
    org = start_org(users=3, clients=[by_key(key)])
    done = oauth_cli(org, OKTA_PRIVATE_KEY=as_text(key))("check", "okta")
    assert done.code == 0, done.err
    assert outcomes(org) == ["issued"]
    assert key["d"] not in done.err


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "ES384", "ES512"])
@pytest.mark.parametrize("form", ["pem", "file", "one line", "traditional"])
def test_a_key_may_be_pem_and_in_a_file(
    start_org: StartOrg, oauth_cli: Callable[..., Cli], tmp_path: Path, algorithm: str, form: str
) -> None:
    key = make_key(algorithm)
    org = start_org(users=3, clients=[by_key(key)])
    imported = import_key(key)
    assert isinstance(imported, RSAKey | ECKey)
    pem = imported.as_pem(private=True).decode()
    if form == "traditional":
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat  # noqa: PLC0415

        kind = PrivateFormat.TraditionalOpenSSL
        assert imported.private_key
        pem = imported.private_key.private_bytes(Encoding.PEM, kind, NoEncryption()).decode()
    elif form == "one line":
        pem = pem.replace("\n", "\\n")
    elif form == "file":
        file = tmp_path / "key.pem"
        file.write_text(pem)
        pem = str(file)
    done = oauth_cli(org, OKTA_PRIVATE_KEY=pem, OKTA_KEY_ID=key["kid"])("check", "okta")
    assert (done.code, outcomes(org)) == (0, ["issued"]), done.err


def trusting(cli: Cli, catalog: Path) -> Cli:
    """Return a command line whose user let the definitions of a catalog have the secrets of Okta."""
    cli("check", "okta", "--catalog", catalog, "--trust")
    return cli


def with_source(folder: Path, *changes: tuple[str, str]) -> Path:
    """Return a catalog with other definitions of Okta: each change is a text and what stands in its place."""
    catalog = folder / "catalog"
    shutil.copytree(Path(SHIPPED_CATALOG) / "okta", catalog / "okta")
    for file in (catalog / "okta").glob("*.yaml"):
        text = file.read_text()
        for old, new in changes:
            text = text.replace(old, new)
        file.write_text(text)
    return catalog


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_a_secret_with_any_characters_is_sent_as_the_definition_says(
    start_org: StartOrg, oauth_cli: Callable[..., Cli], tmp_path: Path, method: str
) -> None:
    org = start_org(users=3, clients=[by_secret(method)])
    sent = "basic" if method == "client_secret_basic" else "body"
    catalog = with_source(tmp_path, ("send_secret: basic", f"send_secret: {sent}"))
    cli = oauth_cli(org, OKTA_PRIVATE_KEY="", OKTA_CLIENT_ID="0oa/1 x", OKTA_CLIENT_SECRET=SECRET)
    done = cli("check", "okta", "--catalog", catalog, "--trust")
    assert (done.code, outcomes(org)) == (0, ["issued"]), done.err
    assert "canary" not in done.err


@pytest.mark.parametrize("dpop", [False, True])
def test_parents_and_children_are_pulled_with_one_token_a_scope(
    start_org: StartOrg, oauth_cli: Callable[..., Cli], *, dpop: bool
) -> None:
    org = start_org(users=60, apps=40, app_users=3, groups=10, clients=[by_key(dpop=dpop)])
    cli = oauth_cli(org)
    streams = ("okta.applications", "okta.application_users", "okta.groups", "okta.group_members")
    done = cli("pull", *streams, *cli.place.arguments, "--json")
    assert done.code == 0, done.err
    first = ["invalid_dpop_proof", "use_dpop_nonce"] if dpop else []
    assert outcomes(org) == [*first, "issued", "issued"], "the nonce is kept, and so is the token of the applications"
    lists = dict(zip(streams, ("apps", "app_users", "groups", "group_members"), strict=True))
    for report in map(json.loads, done.out.splitlines()):
        truth = sum(1 for _ in org.truth(lists[report["stream"]]))
        assert (report["status"], report["records"]) == ("complete", truth), report


def test_with_another_token_each_stream_asks_only_for_the_scopes_it_needs(
    start_org: StartOrg, oauth_cli: Callable[..., Cli]
) -> None:
    org = start_org(users=5, clients=[by_key(scopes=["okta.users.read"])])
    cli = oauth_cli(org)
    assert cli("pull", "okta.users", *cli.place.arguments).code == 0
    done = cli("pull", "okta.groups", *cli.place.arguments)
    assert_reports(done, 1, "Okta gave no access token (400): invalid_scope", "okta.groups.read", "Okta API Scopes")


def test_every_stream_can_be_pulled_with_the_scopes_that_it_asks_for(
    start_org: StartOrg, oauth_cli: Callable[..., Cli]
) -> None:
    org = start_org(users=20, apps=5, app_users=2, groups=4, events=50, clients=[by_key()])
    cli = oauth_cli(org)
    streams = [f"okta.{definition['endpoint']['endpoint']}" for definition in circulate_core.streams()]
    done = cli("pull", *streams, *cli.place.arguments, "--json")
    assert done.code == 0, done.err
    reports = [json.loads(line) for line in done.out.splitlines()]
    assert sorted(report["stream"] for report in reports) == sorted(streams)
    assert all(report["records"] for report in reports)


def pulled(org: PracticeOrg, lake: Path, key: dict[str, Any] = KEY, **options: Any) -> Any:  # noqa: ANN401 - a report
    settings = {"org_url": org.url, "client_id": "0oa1", "private_key": as_text(key)}
    return circulate_core.pull("okta.users", to=lake, settings=settings, account="practice", **options)


@pytest.mark.parametrize("dpop", [False, True])
def test_a_token_that_ends_while_pages_are_read_is_renewed_and_no_record_is_lost(
    start_org: StartOrg, tmp_path: Path, *, dpop: bool
) -> None:
    org = start_org(users=4_000, latency=0.03, clients=[by_key(dpop=dpop)])
    ended = threading.Event()

    def end_tokens(snapshot: Any) -> None:  # noqa: ANN401 - a snapshot
        if snapshot.pages >= 2 and not ended.is_set():
            ended.set()
            org.expire_tokens()
            org.expire_nonces()

    report = pulled(org, tmp_path, on_progress=end_tokens)
    assert ended.is_set()
    assert (report.status, report.records) == ("complete", 4_000)
    assert outcomes(org).count("issued") == 2
    assert compare(tmp_path / report.manifest, [entry["sha256"] for entry in org.truth()]).identical


@pytest.mark.parametrize("minutes", [-10, 10])
@pytest.mark.parametrize("dpop", [False, True])
def test_a_clock_ten_minutes_off_does_not_matter(
    start_org: StartOrg, oauth_cli: Callable[..., Cli], minutes: int, *, dpop: bool
) -> None:
    clock = lambda: time.time() + minutes * 60  # noqa: E731 - the server's clock
    org = start_org(users=300, clock=clock, clients=[by_key(dpop=dpop)])
    cli = oauth_cli(org)
    done = cli.pull()
    assert done.code == 0, done.err
    assert done.report["records"] == 300
    org.change(5)
    assert cli.pull().report["records"] >= 5
    assert 0 < sum(outcome != "issued" for outcome in outcomes(org)) <= 6, outcomes(org)


def test_a_scope_that_the_definition_forgot_is_reported_although_the_response_is_empty(
    start_org: StartOrg, oauth_cli: Callable[..., Cli], tmp_path: Path
) -> None:
    org = start_org(users=5, apps=3, app_users=1, clients=[by_key()])
    catalog = with_source(tmp_path, ("okta.apps.read", "okta.users.read"))
    cli = trusting(oauth_cli(org), catalog)
    before = len(outcomes(org))
    done = cli("pull", "okta.application_users", *cli.place.arguments, "--catalog", catalog)
    assert_reports(done, 1, "refused the access token: this needs the scope okta.apps.read", "grant the app this scope")
    assert outcomes(org)[before:] == ["issued"], "another token would have no more scopes"


@pytest.mark.parametrize(
    ("fault", "code", "parts"),
    [
        ("token/503@1*3", 0, []),
        ("token/429@1*2", 0, []),
        ("token/reset@1*2", 0, []),
        ("token/truncate@1*2", 0, []),
        ("token/500", 1, ["token endpoint returned 500"]),
        ("token/redirect", 1, ["returned a redirect (302), which is never followed"]),
        ("token/html", 1, ["neither an access token", "check the token URL"]),
        ("token/truncate-json", 1, ["neither an access token"]),
        ("token/big-record:300000", 1, ["more than 256 KB"]),
    ],
)
def test_trouble_at_the_token_endpoint_is_waited_out_or_reported(
    start_org: StartOrg, oauth_cli: Callable[..., Cli], fault: str, code: int, parts: list[str]
) -> None:
    org = start_org(users=250, clients=[by_key()], faults=[fault], window=0.5)
    done = oauth_cli(org).pull()
    if code == 0:
        assert (done.code, done.report["records"]) == (0, 250), done.err
    else:
        assert_reports(done, code, *parts)
        assert len(org.token_requests) <= 6


@pytest.mark.parametrize(
    ("settings", "outcome", "parts"),
    [
        ({"OKTA_CLIENT_ID": "0oa2"}, "invalid_client", ["Okta gave no access token (401): invalid_client", "key's id"]),
        ({"OKTA_PRIVATE_KEY": as_text(make_key("ES256") | {"kid": KEY["kid"]})}, "invalid_client", ["invalid_client"]),
        ({"OKTA_PRIVATE_KEY": "", "OKTA_CLIENT_SECRET": SECRET}, "invalid_client", ["private key"]),
    ],
)
def test_a_client_that_is_refused_is_reported_with_what_to_check_and_does_not_hammer(
    start_org: StartOrg, oauth_cli: Callable[..., Cli], settings: dict[str, str], outcome: str, parts: list[str]
) -> None:
    org = start_org(users=5, apps=20, app_users=2, clients=[by_key()])
    cli = oauth_cli(org, **settings)
    done = cli("pull", "okta.users", "okta.application_users", *cli.place.arguments)
    assert done.code == 1
    assert all(part in done.err for part in parts), done.err
    assert "canary" not in done.err
    assert outcomes(org) == [outcome] * 2, "once for each set of scopes"
    assert org.request_count == 2, "the API got no request"


@pytest.mark.parametrize(
    ("settings", "parts"),
    [
        ({"OKTA_CLIENT_ID": ""}, ["needs `client_id`", "OKTA_CLIENT_ID"]),
        ({"OKTA_PRIVATE_KEY": ""}, ["needs `private_key` or `client_secret`", "OKTA_PRIVATE_KEY"]),
        ({"OKTA_PRIVATE_KEY": "", "OKTA_CLIENT_ID": ""}, ["needs `api_token` or `client_id`", "OKTA_API_TOKEN"]),
        ({"OKTA_API_TOKEN": "canary"}, ["`api_token` and `client_id` of Okta are both set", "leave one of them out"]),
        ({"OKTA_CLIENT_SECRET": "canary"}, ["`private_key` and `client_secret` of Okta are both set"]),
        ({"OKTA_PRIVATE_KEY": "canary"}, ["neither a JWK, nor PEM text, nor the path of a file"]),
        ({"OKTA_PRIVATE_KEY": '{"canary'}, ["it is not a JSON Web Key"]),
        ({"OKTA_PRIVATE_KEY": '{"kty":"oct","k":"canary"}'}, ["type `oct` is neither RSA nor EC"]),
        ({"OKTA_PRIVATE_KEY": as_text({k: v for k, v in KEY.items() if k != "d"})}, ["it is a public key"]),
        ({"OKTA_PRIVATE_KEY": as_text(KEY | {"alg": "ES384"})}, ["it says it is for ES384"]),
        ({"OKTA_PRIVATE_KEY": as_text(KEY | {"x": KEY["y"]})}, ["its numbers do not fit together"]),
        ({"OKTA_PRIVATE_KEY": "-----BEGIN ENCRYPTED PRIVATE KEY-----\ncanary"}, ["it is encrypted", "openssl pkey"]),
        ({"OKTA_PRIVATE_KEY": "-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----"}, ["can't be used"]),
        ({"OKTA_TOKEN_URL": "https://evil.example/token"}, ["token URL is on another host than the API"]),
        ({"OKTA_TOKEN_URL": "http://acme.okta.com/token"}, ["plain http"]),
    ],
)
def test_what_can_not_sign_in_is_reported_before_any_request(
    start_org: StartOrg, oauth_cli: Callable[..., Cli], settings: dict[str, str], parts: list[str]
) -> None:
    org = start_org(users=5, clients=[by_key()])
    cli = oauth_cli(org, **settings)
    assert_reports(cli.pull(), 2, *parts)
    assert (org.request_count, (cli.folder / "lake").exists()) == (0, False)


@pytest.mark.parametrize("stream", ["okta.policies", "okta.devices", "okta.authorization_servers"])
@pytest.mark.parametrize("why", ["scope", "address"])
def test_a_token_that_is_refused_is_not_taken_for_a_feature_that_is_lacking(
    start_org: StartOrg, oauth_cli: Callable[..., Cli], stream: str, why: str
) -> None:
    org = start_org(users=5, clients=[by_key(scopes=["okta.users.read"] if why == "scope" else ALL_SCOPES)])
    cli = oauth_cli(org)
    wrong = {"OKTA_TOKEN_URL": f"{org.url}/nothing/here"} if why == "address" else {}
    for _ in range(2):
        done = cli("pull", stream, *cli.place.arguments, **wrong)
        assert_reports(
            done, 1, "gave no access token (40", "invalid_scope" if why == "scope" else "check the token URL"
        )
    org.set_client(by_key())
    done = cli("pull", stream, *cli.place.arguments, "--json")
    truth = {"okta.policies": "policies", "okta.devices": "devices"}.get(stream, "authorization_servers")
    assert (done.report["status"], done.report["records"]) == ("complete", sum(1 for _ in org.truth(truth)))
    assert done.report["unavailable"] is None
    assert not (done.report["partitions"] or {}).get("unavailable")


def test_check_shows_the_scopes_that_streams_need_and_gets_a_token_for_them(
    start_org: StartOrg, oauth_cli: Callable[..., Cli], cli_for: CliFor
) -> None:
    org = start_org(users=5, clients=[by_key(scopes=["okta.apps.read", "okta.groups.read", "okta.users.read"])])
    cli = oauth_cli(org)
    done = cli("check", "okta.application_users", "okta.users", "okta.group_members")
    assert "scopes        okta.apps.read okta.groups.read okta.users.read (granted by Okta)" in done.err
    assert "circulate pull okta.application_users okta.users okta.group_members" in done.err
    assert done.code == 0
    requested = org.request_count
    done = cli("check", "okta.groups")
    assert (done.code, "signed in to" in done.err) == (0, True)
    # A token and the first page, once more in a smaller size: reading users would take a scope that groups do not need.
    assert org.request_count == requested + 2
    assert_reports(cli("check", "okta.users", "okta.system_log"), 1, "invalid_scope", "okta.logs.read okta.users.read")
    assert_reports(cli("check", "okta.user", "okta.users"), 2, "did you mean `okta.users`?")
    assert_reports(cli("check", "okta.users", "github.repos"), 2, "one source at a time")
    by_token = cli_for(org)("check", "okta.system_log")
    assert (by_token.code, "okta.logs.read (what an OAuth app would need)" in by_token.err) == (0, True)


def test_an_endpoint_without_scopes_is_reported(
    start_org: StartOrg, oauth_cli: Callable[..., Cli], tmp_path: Path
) -> None:
    catalog = with_source(tmp_path, ("scopes: [okta.users.read]\n\nlist", "list"))
    org = start_org(users=5, clients=[by_key()])
    cli = trusting(oauth_cli(org), catalog)
    requested = org.request_count
    done = cli.pull("--catalog", catalog)
    assert_reports(done, 2, "does not name the OAuth scopes that this needs", "scopes: [...]")
    assert org.request_count == requested


@pytest.mark.parametrize("form", ["jwk", "pem"])
def test_a_key_that_is_rotated_in_secrets_manager_is_read_again(
    start_org: StartOrg, tmp_path: Path, aws: str, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    org = start_org(users=50, clients=[by_key()])

    def fields(key: dict[str, Any]) -> dict[str, str]:
        if form == "jwk":
            return {"okta_private_key": as_text(key)}
        imported = import_key(key)
        assert isinstance(imported, RSAKey | ECKey)
        return {"okta_private_key": imported.as_pem(private=True).decode(), "okta_key_id": key["kid"]}

    held = {"okta_domain": org.url, "okta_client_id": "0oa1"} | fields(KEY)
    name, secrets = f"okta-{tmp_path.name}", client("secretsmanager", aws)
    secrets.create_secret(Name=name, SecretString=json.dumps(held))

    def pull() -> Any:  # noqa: ANN401 - a report
        return circulate_core.pull("okta.users", to=tmp_path, secret=name, account="practice", mode="full")

    assert pull().records == 50
    other = make_key("RS256")
    org.set_client(by_key(other))
    org.expire_tokens()
    secrets.put_secret_value(SecretId=name, SecretString=json.dumps(held | fields(other)))
    assert pull().records == 50
    assert outcomes(org) == ["issued", "invalid_client", "issued"]
    org.revoke_client("0oa1")
    org.expire_tokens()
    with pytest.raises(AuthError, match="invalid_client"):
        pull()
