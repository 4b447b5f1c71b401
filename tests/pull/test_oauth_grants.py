"""Signing in by OAuth to a source that is none of ours, whose token endpoint sets traps: grants, parameters, JSON.

The server refuses what the RFCs do not allow, an assertion that comes twice among it.
"""

import json
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from joserfc.jwk import ECKey, RSAKey, import_key
from support.cli import StartOrg
from support.places import client

import circulate_core
from circulate_core.exceptions import ApiError, AuthError, CirculateError, DataError, DefinitionError
from circulate_practice import OAuthClient, PracticeOrg, make_key
from circulate_practice.compare import compare

if TYPE_CHECKING:
    from circulate_core.types import InlineDefinition

SCOPES = ["okta.users.read"]
SECRET = "z/tZ9 canary:X2+8%=ü"  # noqa: S105 - of a practice org
KEY = make_key("ES256")
PARAMS = {"grant_type": "account_credentials", "account_id": "a-1", "audience": "https://api.example/a-1"}
OF_PARAMS = {
    "grant_type": "account_credentials",
    "account_id": "{account_id}",
    "audience": "https://api.example/{account_id}",
}
CLIENTS: dict[str, OAuthClient] = {
    "json": OAuthClient(
        client_id="puller", scopes=SCOPES, method="client_secret_post", secret=SECRET, params=PARAMS, body="json"
    ),
    "key": OAuthClient(client_id="puller", scopes=SCOPES, keys=[KEY]),
    "assertion": OAuthClient(
        client_id="puller", scopes=SCOPES, method="jwt_bearer", keys=[KEY], subjects=["mike@example.com"]
    ),
}
"""What the server knows of the client, by how that signs in."""
OAUTH2: dict[str, dict[str, Any]] = {
    "json": {"client_secret": "secret", "send_secret": "json", "params": OF_PARAMS},
    "key": {"private_key": "key"},
    "assertion": {"grant": "jwt_bearer", "private_key": "key", "subject": "user"},
}
"""How a definition says it."""
SETTINGS: dict[str, dict[str, str]] = {
    "json": {"client_id": "puller", "secret": SECRET, "account_id": "a-1"},
    "key": {"client_id": "puller", "key": json.dumps(KEY)},
    "assertion": {"client_id": "puller", "key": json.dumps(KEY), "user": "mike@example.com"},
}
WAYS = list(CLIENTS)
SECRETS = {"secret", "key"}


def definition(oauth2: dict[str, Any], *, scopes: list[str] | None = None) -> "InlineDefinition":
    """Return a source with these keys of `oauth2`."""
    used = json.dumps(oauth2)
    names = ["base_url", "client_id"]
    names += [name for name in ("secret", "key", "key_id", "user", "account_id") if name in used]
    settings = {name: {"env": f"ACME_{name.upper()}", "about": name, "secret": name in SECRETS} for name in names}
    endpoint: dict[str, Any] = {
        "about": "People.",
        "list": {
            "path": "/api/v1/users",
            "query": {"filter": 'lastUpdated ge "1970-01-01T00:00:00Z"'},
            "primary_key": ["/id"],
            "paginator": "link_header",
            "page_size": {"param": "limit", "max": 200},
        },
    }
    return {
        "source": {
            "source": "acme",
            "title": "Acme",
            "settings": settings,
            "base_url": "{base_url}",
            "auth": [{"oauth2": {"token_url": "{base_url}/oauth2/v1/token", "client_id": "client_id", **oauth2}}],
            "check": {"path": "/api/v1/users", "query": {"limit": "1"}},
        },
        "endpoints": {"people": endpoint | ({} if scopes is None else {"scopes": scopes})},
    }


def pulled(org: PracticeOrg, lake: Path, way: str, **options: Any) -> Any:  # noqa: ANN401 - a report
    """Pull all people, signed in one way."""
    settings = {"base_url": org.url, **SETTINGS[way], **options.pop("settings", {})}
    catalog = [definition(options.pop("oauth2", OAUTH2[way]), scopes=options.pop("scopes", SCOPES))]
    return circulate_core.pull("acme.people", to=lake, settings=settings, account="acme", catalog=catalog, **options)


def outcomes(org: PracticeOrg) -> list[str]:
    return [request.outcome for request in org.token_requests]


def assert_each_assertion_is_used_once(org: PracticeOrg) -> None:
    used = [request.jti for request in org.token_requests if request.jti]
    assert len(used) == len(set(used))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dpop", [False, True])
def test_a_list_is_pulled_by_every_grant(start_org: StartOrg, tmp_path: Path, way: str, *, dpop: bool) -> None:
    client = CLIENTS[way]
    org = start_org(users=250, clients=[with_dpop(client) if dpop else client])
    report = pulled(org, tmp_path, way)
    assert (report.status, report.records) == ("complete", 250)
    assert outcomes(org) == [*(["invalid_dpop_proof", "use_dpop_nonce"] if dpop else []), "issued"]
    assert_each_assertion_is_used_once(org)


def with_dpop(client: OAuthClient) -> OAuthClient:
    fields = ("client_id", "scopes", "method", "keys", "secret", "subjects", "params", "body")
    return OAuthClient(**{name: getattr(client, name) for name in fields}, dpop=True)


@pytest.mark.parametrize("way", WAYS)
def test_a_token_that_ends_amid_the_list_is_renewed(start_org: StartOrg, tmp_path: Path, way: str) -> None:
    org = start_org(users=4_000, latency=0.03, clients=[with_dpop(CLIENTS[way])])
    ended = threading.Event()

    def end_tokens(snapshot: Any) -> None:  # noqa: ANN401 - a snapshot
        if snapshot.pages >= 2 and not ended.is_set():
            ended.set()
            org.expire_tokens()
            org.expire_nonces()

    report = pulled(org, tmp_path, way, on_progress=end_tokens)
    assert ended.is_set()
    assert (report.status, report.records) == ("complete", 4_000)
    assert outcomes(org).count("issued") == 2
    assert compare(tmp_path / report.manifest, [entry["sha256"] for entry in org.truth()]).identical
    assert_each_assertion_is_used_once(org)


@pytest.mark.parametrize("minutes", [-10, 10])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dpop", [False, True])
def test_a_clock_ten_minutes_off_does_not_matter(
    start_org: StartOrg, tmp_path: Path, way: str, minutes: int, *, dpop: bool
) -> None:
    clock = lambda: time.time() + minutes * 60  # noqa: E731 - the server's clock
    client = CLIENTS[way]
    org = start_org(users=50, clock=clock, clients=[with_dpop(client) if dpop else client])
    report = pulled(org, tmp_path, way)
    assert (report.status, report.records) == ("complete", 50)
    assert len(org.token_requests) <= 4, outcomes(org)
    assert_each_assertion_is_used_once(org)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "faults",
    [
        # An assertion was used up where the response does not say so.
        ["token/503@1*3"],
        ["token/500@1", "token/502@2", "token/504@3"],
        ["token/429@1", "token/retry-after:1s@1"],
        ["token/503@1", "token/retry-after:1s@1"],
        ["token/reset@1*2"],
        ["token/truncate@1*2"],
        ["token/stall:300ms@1", "token/slow-body:200ms@1"],
        ["token/no-date@1", "token/no-rate-headers@1"],
    ],
    ids=" ".join,
)
def test_trouble_at_the_token_endpoint_is_waited_out(
    start_org: StartOrg, tmp_path: Path, way: str, faults: list[str]
) -> None:
    org = start_org(users=20, clients=[CLIENTS[way]], faults=faults, window=0.5)
    report = pulled(org, tmp_path, way)
    assert (report.status, report.records) == ("complete", 20)
    assert_each_assertion_is_used_once(org)
    if any("retry-after" in fault for fault in faults):
        first, second = (request.time for request in org.token_requests)
        assert second - first >= 0.9, "the wait that it named is kept to"


TROUBLE: dict[str, tuple[type[CirculateError], str]] = {
    "token/500": (ApiError, "token endpoint returned 500"),
    "token/redirect": (AuthError, "returned a redirect (302), which is never followed"),
    "token/html": (DataError, "neither an access token nor a JSON object"),
    "token/truncate-json": (DataError, "neither an access token nor a JSON object"),
    "token/big-record:300000": (DataError, "more than 256 KB"),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("fault", TROUBLE)
def test_trouble_that_stays_is_reported(start_org: StartOrg, tmp_path: Path, way: str, fault: str) -> None:
    org = start_org(users=20, clients=[CLIENTS[way]], faults=[fault])
    error, part = TROUBLE[fault]
    with pytest.raises(error) as raised:
        pulled(org, tmp_path, way)
    shown = str(raised.value)
    assert part in shown
    assert not any(secret in shown for secret in ("canary", KEY["d"], KEY["d"][:12]))
    assert len(org.token_requests) <= 6
    assert_each_assertion_is_used_once(org)


def service_account(key: dict[str, Any], email: str, url: str) -> dict[str, str]:
    """Return a key file as Google gives it."""
    imported = import_key(key)
    assert isinstance(imported, RSAKey | ECKey)
    return {
        "type": "service_account",
        "private_key_id": key["kid"],
        "private_key": imported.as_pem(private=True).decode(),
        "client_email": email,
        "client_id": "117",
        "token_uri": f"{url}/oauth2/v1/token",
        "universe_domain": url.removeprefix("http://"),
    }


@pytest.mark.parametrize("form", ["jwk", "pem", "service account", "file"])
@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_the_key_of_an_assertion_may_be_in_any_form(
    start_org: StartOrg, tmp_path: Path, form: str, algorithm: str
) -> None:
    key = make_key(algorithm)
    email = "puller@project.iam.example"
    client_of_key = OAuthClient(
        client_id=email, scopes=SCOPES, method="jwt_bearer", keys=[key], subjects=["mike@example.com"]
    )
    org = start_org(users=5, clients=[client_of_key])
    account = service_account(key, email, org.url)
    file = tmp_path / "account.json"
    file.write_text(json.dumps(account))
    said = {
        "jwk": json.dumps(key),
        "pem": account["private_key"],
        "service account": json.dumps(account),
        "file": str(file),
    }[form]
    named = {} if form in {"service account", "file"} else {"client_id": email, "key_id": key["kid"]}
    oauth2 = {**OAUTH2["assertion"], "key_id": "key_id"}
    given = {"base_url": org.url, "key": said, "user": "mike@example.com", **named}
    report = circulate_core.pull(
        "acme.people", to=tmp_path / "lake", settings=given, account="acme", catalog=[definition(oauth2, scopes=SCOPES)]
    )
    assert (report.status, report.records, outcomes(org)) == ("complete", 5, ["issued"])


def test_a_service_account_that_is_a_stored_secret_is_read_again_once_its_key_is_rotated(
    start_org: StartOrg, tmp_path: Path, aws: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    email = "puller@project.iam.example"

    def client_with(key: dict[str, Any]) -> OAuthClient:
        return OAuthClient(client_id=email, scopes=SCOPES, method="jwt_bearer", keys=[key])

    org = start_org(users=5, clients=[client_with(KEY)])
    # The key file is the secret: its members are the settings.
    names = {"base_url": False, "client_email": False, "private_key": True, "private_key_id": False}
    oauth2 = {
        "grant": "jwt_bearer",
        "client_id": "client_email",
        "private_key": "private_key",
        "key_id": "private_key_id",
    }
    made = definition(oauth2, scopes=SCOPES)
    made["source"]["settings"] = {  # type: ignore[index]
        name: {"env": f"ACME_{name.upper()}", "about": name, "secret": secret} for name, secret in names.items()
    }
    secret, secrets = f"acme-{tmp_path.name}", client("secretsmanager", aws)
    secrets.create_secret(Name=secret, SecretString=json.dumps(service_account(KEY, email, org.url)))

    def pull() -> Any:  # noqa: ANN401 - a report
        given = {"base_url": org.url}
        return circulate_core.pull(
            "acme.people", to=tmp_path, settings=given, secret=secret, account="acme", catalog=[made], mode="full"
        )

    assert pull().records == 5
    other = make_key("RS256")
    org.set_client(client_with(other))
    org.expire_tokens()
    secrets.put_secret_value(SecretId=secret, SecretString=json.dumps(service_account(other, email, org.url)))
    assert pull().records == 5
    assert outcomes(org) == ["issued", "invalid_grant", "issued"]
    assert_each_assertion_is_used_once(org)


def test_a_token_for_one_user_is_not_used_for_another(start_org: StartOrg, tmp_path: Path) -> None:
    org = start_org(users=5, clients=[CLIENTS["assertion"]])
    pulled(org, tmp_path / "mike", "assertion")
    pulled(org, tmp_path / "mike again", "assertion")
    pulled(org, tmp_path / "self", "assertion", settings={"user": "puller"})
    assert outcomes(org) == ["issued", "issued"]
    with pytest.raises(AuthError, match="invalid_grant"):
        pulled(org, tmp_path / "ann", "assertion", settings={"user": "ann"})


def test_an_api_without_scopes_needs_none_in_its_definition(start_org: StartOrg, tmp_path: Path) -> None:
    org = start_org(users=5, clients=[CLIENTS["json"]])
    # This one has scopes, and says so.
    with pytest.raises(AuthError, match="invalid_scope") as raised:
        pulled(org, tmp_path, "json", scopes=None)
    assert "add `scopes: [...]` to the endpoint" in str(raised.value.hint)
    oauth2 = {**OAUTH2["json"], "params": {**OF_PARAMS, "scope": "okta.users.read"}}
    assert pulled(org, tmp_path, "json", scopes=None, oauth2=oauth2).records == 5


@pytest.mark.parametrize(
    ("oauth2", "parts"),
    [
        ({"private_key": "key", "subject": "user"}, ["`subject` is for `grant: jwt_bearer`"]),
        ({"private_key": "key", "claims": {"a": "b"}}, ["`claims` is for `grant: jwt_bearer`"]),
        ({"grant": "jwt_bearer", "client_secret": "secret"}, ["`grant: jwt_bearer` needs `private_key`"]),
        ({"grant": "jwt_baerer", "private_key": "key"}, ["jwt_baerer", "jwt_bearer"]),
        ({"client_secret": "secret", "audience": "https://a"}, ["`audience` is of assertions", "`params`"]),
        ({}, ["`private_key`, `client_secret` or both"]),
        ({"client_id": None, "client_secret": "secret"}, ["oauth2 needs `client_id`"]),
        ({"client_secret": "secret", "params": {"client_secret": "x"}}, ["`client_secret` is a credential"]),
        ({"client_secret": "secret", "params": {"client_assertion": "x"}}, ["`client_assertion` is a credential"]),
        ({"client_secret": "secret", "params": {"client_id": "x"}}, ["no other one than that of `oauth2.client_id`"]),
        ({"client_secret": "secret", "params": {"a": "{secret}"}}, ["uses `{secret}`, a secret"]),
        (
            {"grant": "jwt_bearer", "private_key": "key", "claims": {"sub": "x", "exp": 1}},
            ["`subject` names the setting", "each assertion has its own"],
        ),
        (
            {"grant": "jwt_bearer", "private_key": "key", "claims": {"http://a.example/b": "{key}"}},
            ["uses `{key}`, a secret"],
        ),
        (
            {"subject": "user", "params": {"refresh_token": "x"}, "audience": "a"},
            ["`private_key`, `client_secret` or both", "`subject` is for", "is a credential", "`audience` is of"],
        ),
    ],
    ids=str,
)
def test_mistakes_of_a_definition_are_said_all_at_once_before_any_request(
    oauth2: dict[str, Any], parts: list[str]
) -> None:
    made = definition(oauth2, scopes=SCOPES)
    way: Any = made["source"]["auth"][0]["oauth2"]  # type: ignore[index]
    for name in [name for name, value in way.items() if value is None]:
        del way[name]
    with pytest.raises(DefinitionError) as raised:
        circulate_core.streams(catalog=[made])
    assert all(part in str(raised.value) for part in parts), str(raised.value)
