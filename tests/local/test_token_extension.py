"""The token extension beside functions in the local runner: real processes, a strict token endpoint, and trouble."""

import json
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from support.behind_a_login import HANDLER, write_function
from support.cli import CliFor, StartOrg
from support.commands import PATIENCE
from support.paging_pulls import COUNT, paged
from support.places import Bucket, client
from support.toys import needs_namespaces

from circulate_core import _core
from circulate_core.aws.project import described
from circulate_local import Credentials, Function, Invocation, LocalLambda
from circulate_local.layers import lay_out
from circulate_practice import OAuthClient, PracticeOrg, make_key
from circulate_practice.paging.kit import ListServer, Sessions, serve
from circulate_practice.paging.kit.sessions import PASSWORD, USER

ROOT = Path(__file__).resolve().parents[2]
KEY = make_key("ES256")
SECRET = "canary/secret+1"  # noqa: S105 - of a practice org
SCOPES = ["okta.users.read", "okta.groups.read"]
BEARER = "Bearer"

READER = """
import json, os, pathlib, stat
import circulate_core

def list(event, context):
    folder = pathlib.Path(os.environ.get("TMPDIR", "/tmp")) / "circulate"
    if "write" in event:
        path = folder / "default.token.json"
        path.unlink(missing_ok=True)
        path.write_text(event["write"])
        path.chmod(event.get("mode", 0o600))
    if "change" in event:
        path = folder / "default.token.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | event["change"]))
    if "link" in event:
        path = folder / "default.token.json"
        path.rename(folder / "elsewhere")
        path.symlink_to(folder / "elsewhere")
    if "burst" in event:
        from concurrent.futures import ThreadPoolExecutor
        first = circulate_core.token().access_token
        with ThreadPoolExecutor(event["burst"]) as threads:
            tokens = threads.map(lambda _: circulate_core.token(refused=first).access_token, range(event["burst"]))
            return len(set(tokens) - {first})
    if "text" in event:
        return {file.name: file.read_text() for file in folder.iterdir() if file.is_file()}
    if "files" in event:
        return sorted((file.name, stat.S_IMODE(file.lstat().st_mode)) for file in folder.iterdir())
    token = circulate_core.token(event.get("profile", "default"), refused=event.get("refused"))
    return {name: token.to_dict()[name] for name in ("token_type", "scope", "instance", "expires_at")} | {
        "digest": __import__("hashlib").sha256(token.access_token.encode()).hexdigest()[:12],
        "token": token.access_token if event.get("show") else None,
    }
"""


@dataclass
class Stage:
    """Functions with the extension."""

    stack: ExitStack
    folder: Path
    layer: Path
    log: list[str] = field(default_factory=list)

    def reader(self, org: PracticeOrg, **environment: str) -> Function:
        """A function that reads tokens."""
        root = self.folder / "reader"
        if not root.exists():
            root.mkdir()
            (root / "handler.py").write_text(READER)
        by_secret = {"client_id": "0oa1", "client_secret": SECRET, "okta_token_url": f"{org.url}/oauth2/v1/token"}
        scopes = "okta.users.read okta.groups.read"
        wired = by_secret | {"circulate_token_source": "okta", "circulate_token_scopes": scopes} | environment
        return Function(
            name="reader",
            task_root=root,
            handler="handler.list",
            timeout_s=20,
            environment={name: value for name, value in wired.items() if value},
            layers=(self.layer,),
            extensions=self.layer / "extensions",
        )

    def start(self, *functions: Function) -> LocalLambda:
        """Run functions until the test ends."""
        credentials = Credentials("practice", "practice")
        return self.stack.enter_context(LocalLambda(functions, log=self.log.append, credentials=credentials))

    def logged(self, event: str) -> list[dict[str, Any]]:
        """What the extension logged of a kind."""
        lines = [json.loads(line) for line in self.log if '"extension": "circulate-token"' in line]
        return [line for line in lines if line["event"] == event]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with ExitStack() as stack:
        stage = Stage(stack, tmp_path, lay_out(ROOT / "lambdas/extensions/circulate-token", tmp_path / "layer"))
        yield stage
    shown = "\n".join(stage.log)
    assert "canary" not in shown
    assert KEY["d"] not in shown
    assert "access_token" not in shown


def by_secret(**options: Any) -> OAuthClient:  # noqa: ANN401 - passed on
    return OAuthClient(client_id="0oa1", scopes=SCOPES, method="client_secret_basic", secret=SECRET, **options)


def result(invocation: Invocation) -> Any:  # noqa: ANN401 - JSON
    assert invocation.function_error is None, invocation.payload
    return json.loads(invocation.payload)


def call(local: LocalLambda, **event: Any) -> Any:  # noqa: ANN401 - JSON
    return result(local.invoke("reader", json.dumps(event).encode()))


def outcomes(org: PracticeOrg) -> list[str]:
    return [request.outcome for request in org.token_requests]


def test_six_steps_from_the_event_to_the_resource(
    start_org: StartOrg, stage: Stage, aws: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Client invokes, extension reads its configuration, asks, writes; the function reads, and calls the resource."""
    org = start_org(users=120, clients=[OAuthClient(client_id="0oa1", scopes=SCOPES, keys=[KEY], dpop=True)])
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    place = Bucket.new(aws, tmp_path, "raw")
    _core.state_init(place.state[1])
    secret = {"okta_domain": org.url, "okta_client_id": "0oa1", "okta_private_key": json.dumps(KEY)}
    client("secretsmanager", aws).create_secret(Name=place.table, SecretString=json.dumps(secret))
    environment = {
        "AWS_ENDPOINT_URL": aws,
        "CIRCULATE_TO": place.uri,
        "CIRCULATE_STATE": place.state[1],
        "OKTA_ORG_URL": org.url,
        "OKTA_TOKEN_PROFILE": "okta-read",
        "circulate_token_source": "okta",
        "circulate_token_profiles": "okta-read",
        "circulate_token_secret_okta_read": place.table,
        "circulate_token_scopes_okta_read": "okta.users.read",
    }
    (described_users,) = (each for each in described(ROOT / "lambdas/lib") if each.is_called("okta.users"))
    users = Function.of(described_users, environment, layer=stage.layer)
    local = stage.start(users)
    for _ in range(3):
        response = result(local.invoke(users.name))
        assert response["status"] == "complete"
    assert outcomes(org) == ["invalid_dpop_proof", "use_dpop_nonce", "issued"]
    (written,) = stage.logged("token written")
    assert (written["profile"], written["type"], written["scopes"]) == ("okta-read", "DPoP", 1)
    assert not any("okta_private_key" in line for line in stage.log)


ACME = """
source: acme
title: Acme
settings:
  base_url: {env: ACME_URL, about: its address}
  client_id: {env: ACME_CLIENT_ID, about: the client}
  client_secret: {env: ACME_CLIENT_SECRET, about: its secret, secret: true}
  profile: {env: ACME_TOKEN_PROFILE, about: the profile of the token extension}
base_url: "{base_url}"
auth:
  - oauth2: {token_url: "{base_url}/oauth2/v1/token", client_id: client_id, client_secret: client_secret}
  - token_file: {profile: profile}
"""
ACME_PEOPLE = """
endpoint: people
about: People.
scopes: [okta.users.read]
list:
  path: /api/v1/users
  query: {filter: 'lastUpdated ge "1970-01-01T00:00:00.000Z"'}
  primary_key: [/id]
  paginator: link_header
"""
ACME_HANDLER = """
from circulate_core.aws import puller

list = puller("acme.people", catalog="definitions")
"""


@pytest.mark.parametrize("stored", [False, True], ids=["variables", "secret"])
def test_the_six_steps_of_a_source_of_ones_own(  # noqa: PLR0913 - fixtures
    start_org: StartOrg, stage: Stage, aws: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, stored: bool
) -> None:
    org = start_org(users=120, clients=[by_secret()])
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    place = Bucket.new(aws, tmp_path, "raw")
    _core.state_init(place.state[1])
    function = stage.reader(org)
    definitions = function.task_root / "definitions/acme"
    definitions.mkdir(parents=True)
    (definitions / "source.yaml").write_text(ACME)
    (definitions / "people.yaml").write_text(ACME_PEOPLE)
    (function.task_root / "handler.py").write_text(ACME_HANDLER)
    held = {"base_url": org.url, "client_id": "0oa1", "client_secret": SECRET}
    client("secretsmanager", aws).create_secret(Name=place.table, SecretString=json.dumps(held))
    variables = {"client_id": "0oa1", "client_secret": SECRET}
    environment = {
        "AWS_ENDPOINT_URL": aws,
        "CIRCULATE_TO": place.uri,
        "CIRCULATE_STATE": place.state[1],
        "ACME_URL": org.url,
        "ACME_TOKEN_PROFILE": "default",
        "circulate_token_source": "acme",
        "circulate_token_scopes": "okta.users.read",
    } | ({"circulate_token_secret": place.table} if stored else variables)
    local = stage.start(replace(function, environment=environment))
    for _ in range(2):
        response = result(local.invoke("reader"))
        assert (response["status"], response["records"]) == ("complete", 120)
    assert outcomes(org) == ["issued"]
    (written,) = stage.logged("token written")
    assert (written["profile"], written["type"], written["scopes"]) == ("default", "Bearer", 1)


def behind_a_login(
    stage: Stage, server: ListServer, environment: dict[str, str], *, handler: str = HANDLER
) -> Function:
    """A function that takes the token of a session out of its file; the extension logs in."""
    root = stage.folder / "behind"
    wired = write_function(server, root, handler)
    return Function(
        name="reader",
        task_root=root,
        handler="handler.list",
        timeout_s=25,
        environment=wired | environment,
        layers=(stage.layer,),
        extensions=stage.layer / "extensions",
    )


def hides(stage: Stage, *secrets: str) -> bool:
    """Whether nothing that a login is made of, or gave, was logged."""
    shown = "\n".join(stage.log)
    return not any(secret in shown for secret in secrets)


@pytest.mark.parametrize("trap", [None, "expires", "busy"])
@pytest.mark.parametrize("style", ["json", "millis", "at", "cookie", "exchange"])
def test_the_six_steps_of_a_source_behind_a_login(  # noqa: PLR0913 - fixtures
    stage: Stage, aws: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, style: str, trap: str | None
) -> None:
    """The extension logs in; the function sends the token as the definition says, and both show nothing of it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    place = Bucket.new(aws, tmp_path, "raw")
    _core.state_init(place.state[1])
    sessions = Sessions(style, trap)
    with serve(paged("token"), key=sessions) as server:
        held = {"base_url": server.url, "user": USER, "password": PASSWORD}
        client("secretsmanager", aws).create_secret(Name=place.table, SecretString=json.dumps(held))
        environment = {
            "AWS_ENDPOINT_URL": aws,
            "CIRCULATE_TO": place.uri,
            "CIRCULATE_STATE": place.state[1],
            "circulate_token_secret": place.table,
            # A process has it, and it is not the setting `user`.
            "USER": "sbx_user1051",
        }
        function = behind_a_login(stage, server, environment)
        with LocalLambda([function], log=stage.log.append, credentials=Credentials("practice", "practice")) as local:
            for _ in range(2):
                response = result(local.invoke("reader"))
                assert (response["status"], response["records"]) == ("complete", COUNT)
        logins = {None: 1, "busy": 2}.get(trap)
        assert sessions.logins == logins if logins else sessions.logins > 1
        # One that was over before is not logged out of.
        assert (sessions.logouts, sessions.open) == (int(trap != "expires"), 0)
    written = stage.logged("token written")
    assert {(line["profile"], line["type"], line["scopes"]) for line in written} == {("default", "Session", 0)}
    assert hides(stage, "t0ken-", "c0de-1", PASSWORD, json.dumps(PASSWORD)[1:-1])
    assert not any("t0ken-" in file.read_text(errors="replace") for file in place.lake().rglob("*") if file.is_file())


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        ({"password": "canary-wrong"}, "TokenEndpointDenied", "refused the login (401): invalid_login"),
        ({"password": ""}, "ConfigInvalid", "Practice lists needs `password`"),
        ({"user": "", "password": ""}, "ConfigInvalid", "none of practice_password, practice_url, practice_user"),
    ],
)
def test_a_login_that_fails_is_reported_to_lambda_by_type(
    stage: Stage, given: dict[str, str], kind: str, words: str
) -> None:
    sessions = Sessions()
    with serve(paged("token"), key=sessions) as server:
        environment = {"user": USER, "password": PASSWORD} | given
        if not any(environment.values()):
            environment["PRACTICE_URL"] = ""
        environment = {name: value for name, value in environment.items() if value or name == "PRACTICE_URL"}
        invocation = stage.start(behind_a_login(stage, server, environment)).invoke("reader")
        assert json.loads(invocation.payload)["errorMessage"].endswith(f"Error: Extension.{kind}"), invocation.payload
        logged = stage.logged("no token") or stage.logged("not configured")
        assert words in logged[0]["message"], logged
        # Lambda tries an init that failed once more, and each one logs in once: servers lock out.
        assert sessions.logins == (2 if kind == "TokenEndpointDenied" else 0)
        assert hides(stage, PASSWORD, "canary-wrong")


def test_the_file_of_a_session_is_for_this_user_alone_and_says_what_it_is(stage: Stage) -> None:
    sessions = Sessions("at")
    with serve(paged("token"), key=sessions) as server:
        environment = {"user": USER, "password": PASSWORD}
        local = stage.start(behind_a_login(stage, server, environment, handler=READER))
        assert call(local, files=True) == [["default.token.json", 0o600], ["tokens.sock", 0o600]]
        first = call(local, show=True)
        assert (first["token_type"], first["scope"]) == ("Session", "")
        assert call(local, change={"expires_at": 1})["digest"] == first["digest"], "it is as good as it was"
        second = call(local, refused=first["token"])
        assert second["digest"] != first["digest"]
        assert call(local, refused=first["token"])["digest"] == second["digest"], "it was replaced already"
        assert sessions.logins == 2
    assert hides(stage, "t0ken-", PASSWORD)


def test_a_session_that_ends_is_begun_anew(stage: Stage) -> None:
    sessions = Sessions("text")
    with serve(paged("token"), key=sessions) as server:
        function = behind_a_login(stage, server, {"user": USER, "password": PASSWORD}, handler=READER)
        file = function.task_root / "definitions/practice/source.yaml"
        file.write_text(file.read_text().replace('"lifetime": "30m"', '"lifetime": "3s"'))
        local, seen = stage.start(function), set[str]()
        end = time.monotonic() + PATIENCE
        while len(seen) < 2 and time.monotonic() < end:
            before = time.time()
            token = call(local)
            assert token["expires_at"] > before - 1
            seen.add(token["digest"])
        assert sessions.logins >= len(seen) == 2


def test_variables_of_the_time_when_okta_was_the_only_source_do(start_org: StartOrg, stage: Stage) -> None:
    org = start_org(clients=[by_secret()])
    earlier = {"okta_token_scopes": "okta.users.read", "circulate_token_source": "", "circulate_token_scopes": ""}
    local = stage.start(stage.reader(org, **earlier))
    assert call(local)["scope"] == "okta.users.read"


def test_the_token_is_there_before_the_function_is_imported(start_org: StartOrg, stage: Stage) -> None:
    org = start_org(clients=[by_secret()])
    function = stage.reader(org)
    (function.task_root / "handler.py").write_text(
        "import circulate_core\nFIRST = circulate_core.token()\ndef list(event, context): return FIRST.token_type\n"
    )
    local = stage.start(function)
    assert [call(local) for _ in range(2)] == ["Bearer", "Bearer"]
    assert outcomes(org) == ["issued"]


def test_files_are_for_this_user_alone_and_removed_when_the_environment_ends(start_org: StartOrg, stage: Stage) -> None:
    org = start_org(clients=[by_secret()])
    function = stage.reader(org)
    with LocalLambda([function], log=stage.log.append, credentials=None) as local:
        assert call(local, files=True) == [["default.token.json", 0o600], ["tokens.sock", 0o600]]
        token = call(local)
        ((name, text),) = call(local, text=True).items()
        assert name == "default.token.json"
        assert "canary" not in text
    assert token["scope"] == "okta.groups.read okta.users.read"
    assert stage.logged("shut down")


def test_a_token_that_ended_while_all_stood_still_is_renewed_with_the_next_event(
    start_org: StartOrg, stage: Stage
) -> None:
    # Valid for so short a time that events may come after it; what counts is that readers get one that is valid.
    org = start_org(clients=[by_secret(lifetime=3.0)])
    local = stage.start(stage.reader(org))
    seen = [call(local, change={"expires_at": 1}) for _ in range(3)]
    assert all(token["expires_at"] > 1 for token in seen)


def test_a_file_that_says_it_has_ended_is_renewed_on_request(start_org: StartOrg, stage: Stage) -> None:
    org = start_org(clients=[by_secret()])
    local = stage.start(stage.reader(org))
    first = call(local)
    assert call(local, change={"expires_at": 1})["digest"] == first["digest"], "what the extension holds is valid still"
    assert outcomes(org) == ["issued"]


def test_a_token_that_the_api_refused_is_replaced(start_org: StartOrg, stage: Stage) -> None:
    org = start_org(clients=[by_secret()])
    local = stage.start(stage.reader(org))
    first = call(local, show=True)
    second = call(local, refused=first["token"])
    assert second["digest"] != first["digest"]
    assert call(local, refused=first["token"])["digest"] == second["digest"], "it was replaced already"
    assert outcomes(org) == ["issued", "issued"]


@pytest.mark.parametrize(
    "planted",
    [
        {"write": '{"schema": 1}'},
        {"write": "canary"},
        {"write": '{"schema": 1}', "mode": 0o644},
        {"change": {"schema": 2}},
        {"change": {"profile": "other"}},
        {"change": {"access_token": "canary", "expires_at": 1}},
        {"link": True},
    ],
)
def test_a_planted_file_is_not_read_but_replaced(start_org: StartOrg, stage: Stage, planted: dict[str, Any]) -> None:
    org = start_org(clients=[by_secret()])
    local = stage.start(stage.reader(org))
    first = call(local)
    assert call(local, **planted) == first
    assert call(local, files=True)[0] == ["default.token.json", 0o600]
    assert outcomes(org) == ["issued"]


def test_two_profiles_have_their_own_tokens(start_org: StartOrg, stage: Stage) -> None:
    other = OAuthClient(client_id="0oa2", scopes=SCOPES, method="client_secret_basic", secret=SECRET)
    org = start_org(clients=[by_secret(), other])
    url = f"{org.url}/oauth2/v1/token"
    environment = {
        "circulate_token_profiles": "read, write-1",
        **{f"client_id_{name}": client_id for name, client_id in (("read", "0oa1"), ("write_1", "0oa2"))},
        **{f"client_secret_{name}": SECRET for name in ("read", "write_1")},
        **{f"OKTA_TOKEN_URL_{name}".upper(): url for name in ("read", "write_1")},
        "circulate_token_scopes_read": "okta.users.read",
        "circulate_token_scopes_write_1": "okta.groups.read",
        "client_id": "",
    }
    local = stage.start(stage.reader(org, **environment))
    assert call(local, profile="read")["scope"] == "okta.users.read"
    assert call(local, profile="write-1")["scope"] == "okta.groups.read"
    assert {request.client_id for request in org.token_requests} == {"0oa1", "0oa2"}
    error = json.loads(local.invoke("reader", b'{"profile": "admin"}').payload)
    assert "the extension has no profile `admin`: read, write-1" in error["errorMessage"]


INIT_FAULTS = {
    "down": ({"fault": "token/reset"}, "TokenEndpointUnavailable", "the connection broke"),
    "500": ({"fault": "token/500"}, "TokenEndpointUnavailable", "Okta's token endpoint returned 500"),
    "503": ({"fault": "token/503"}, "TokenEndpointUnavailable", "Okta's token endpoint returned 503"),
    "429": ({"fault": "token/429"}, "TokenEndpointUnavailable", "Okta's token endpoint asked us to slow down (429)"),
    "slow": (
        {"fault": "token/stall:30s"},
        "TokenEndpointUnavailable",
        "the token endpoint did not respond within ",
    ),
    "nobody": ({"okta_token_url": "http://127.0.0.1:9/token"}, "TokenEndpointUnavailable", "refused"),
    "huge": ({"fault": "token/big-record:300000"}, "TokenEndpointUnavailable", "more than 256 KB"),
    "redirecting": ({"fault": "token/redirect"}, "TokenEndpointDenied", "check the token URL, client_id ("),
    "html": ({"fault": "token/html"}, "TokenEndpointUnavailable", "neither an access token"),
    "401": ({"client_secret": "canary-wrong"}, "TokenEndpointDenied", "invalid_client"),
    "400": ({"circulate_token_scopes": "okta.apps.read"}, "TokenEndpointDenied", "okta.apps.read"),
    "no scopes": ({"circulate_token_scopes": ""}, "ConfigInvalid", "circulate_token_scopes is not set"),
    "nothing set": (
        {"client_id": "", "client_secret": "", "okta_token_url": ""},
        "ConfigInvalid",
        "is not set, and none of okta_client_id, okta_client_secret, okta_key_id, okta_org_url, okta_private_key",
    ),
    "half of it": (
        {"client_secret": ""},
        "ConfigInvalid",
        "Okta needs `private_key` or `client_secret`",
    ),
    "no source": (
        {"circulate_token_source": "", "okta_token_url": ""},
        "ConfigInvalid",
        "circulate_token_source is not set",
    ),
    "unknown source": ({"circulate_token_source": "acme"}, "ConfigInvalid", "no source is named `acme`"),
    "two ways": ({"private_key": "x"}, "ConfigInvalid", "`private_key` and `client_secret` of Okta are both set"),
    "plain http": ({"okta_token_url": "http://acme.okta.com/token"}, "ConfigInvalid", "plain http"),
    "bad profile": ({"circulate_token_profiles": "../x"}, "ConfigInvalid", "can't name a profile"),
    "profiles alike": ({"circulate_token_profiles": "a-b,A_B"}, "ConfigInvalid", "have the same variables"),
}


@pytest.mark.parametrize("name", INIT_FAULTS)
def test_what_keeps_the_first_token_away_is_reported_to_lambda_by_type(
    start_org: StartOrg, stage: Stage, name: str
) -> None:
    given, kind, words = INIT_FAULTS[name]
    environment = dict(given)
    fault = environment.pop("fault", None)
    org = start_org(clients=[by_secret()], faults=[fault] if fault else [], window=2.0)
    invocation = stage.start(replace(stage.reader(org, **environment), timeout_s=25)).invoke("reader")
    assert invocation.function_error
    error = json.loads(invocation.payload)
    assert error["errorType"] == "Extension.InitError"
    assert error["errorMessage"].endswith(f"Error: Extension.{kind}"), error
    logged = stage.logged("no token") or stage.logged("not configured")
    assert words in logged[0]["message"], logged
    assert "profile default" in logged[0]["message"] or not stage.logged("no token"), logged
    for not_its_own in ("OKTA_", "--set", "circulate.toml"):
        assert not_its_own not in logged[0]["message"]


HANGING = """
import os

def list(event, context):
    if "exit" in event:
        os._exit(1)
"""


def test_the_extension_ends_in_time_while_a_renewal_hangs(start_org: StartOrg, stage: Stage) -> None:
    org = start_org(clients=[by_secret(lifetime=1.0)], faults=["token/stall:60s@2*9"])
    function = stage.reader(org)
    (function.task_root / "handler.py").write_text(HANGING)
    local = stage.start(function)
    while local.invoke("reader", b"{}").post_runtime_extensions_ms < 500:
        pass
    assert json.loads(local.invoke("reader", b'{"exit": 1}').payload)["errorType"] == "Runtime.ExitError"
    # It says so last of all; what has not ended after two seconds is killed.
    assert [line["reason"] for line in stage.logged("shut down")] == ["failure"]


@pytest.mark.parametrize("fault", ["500", "429", "reset", "stall:30s"])
def test_an_outage_behind_the_extension_is_one_of_the_network(start_org: StartOrg, stage: Stage, fault: str) -> None:
    org = start_org(clients=[by_secret()], faults=[f"token/{fault}"], window=2.0)
    local = stage.start(stage.reader(org, circulate_token_fail_open="true"))
    error = json.loads(local.invoke("reader", b"{}").payload)
    assert error["errorType"] == "NetworkError", error
    assert "no valid access token of the profile `default`: " in error["errorMessage"]
    assert "token endpoint" in error["errorMessage"] or "connection broke" in error["errorMessage"]


def test_a_function_may_start_without_a_token_and_get_it_later(start_org: StartOrg, stage: Stage) -> None:
    org = start_org(clients=[by_secret()], faults=["token/500*6"])
    local = stage.start(stage.reader(org, circulate_token_fail_open="true"))
    for _ in range(10):
        invocation = local.invoke("reader", b"{}")
        if not invocation.function_error:
            break
    assert result(invocation)["token_type"] == BEARER
    assert stage.logged("no token")


def test_a_snapshot_holds_no_token(start_org: StartOrg, stage: Stage) -> None:
    org = start_org(clients=[by_secret()])
    # The runner starts on demand only, so the type is given to the extension in a wrapper, as SnapStart would give it.
    wrapper = stage.layer / "extensions/circulate-token"
    wrapper.write_text(wrapper.read_text().replace("exec ", "AWS_LAMBDA_INITIALIZATION_TYPE=snap-start exec "))
    local = stage.start(stage.reader(org))
    assert call(local)["token_type"] == BEARER
    events = [json.loads(line)["event"] for line in stage.log if '"extension": "circulate-token"' in line]
    assert events[:2] == ["no token yet: it would be part of the snapshot", "token written"]


def test_a_secret_that_is_missing_or_rotated(start_org: StartOrg, stage: Stage, aws: str, tmp_path: Path) -> None:
    org = start_org(clients=[by_secret()])
    secrets, name = client("secretsmanager", aws), f"okta-{tmp_path.name}"
    environment = {
        **dict.fromkeys(("client_id", "client_secret", "okta_token_url"), ""),
        "AWS_ENDPOINT_URL": aws,
        "circulate_token_secret": name,
    }
    error = json.loads(stage.start(replace(stage.reader(org, **environment), name="reader")).invoke("reader").payload)
    assert error["errorMessage"].endswith("Error: Extension.SecretNotFound")
    held = {"org_url": org.url, "client_id": "0oa1", "client_secret": SECRET}
    secrets.create_secret(Name=name, SecretString=json.dumps(held))
    local = stage.start(stage.reader(org, **environment))
    first = call(local, show=True)
    org.set_client(OAuthClient(client_id="0oa1", scopes=SCOPES, method="client_secret_basic", secret="canary-2"))
    secrets.put_secret_value(SecretId=name, SecretString=json.dumps(held | {"client_secret": "canary-2"}))
    assert call(local, refused=first["token"])["digest"] != first["digest"]
    assert outcomes(org) == ["issued", "invalid_client", "issued"]


FULL = """
import os
import circulate_core

def list(event, context):
    first = circulate_core.token()
    fill = open("/tmp/fill", "wb", buffering=0)
    try:
        while True:
            os.posix_fallocate(fill.fileno(), os.fstat(fill.fileno()).st_size, 1 << 20)
    except OSError:
        pass
    try:
        while True:
            fill.write(bytes(512))
    except OSError:
        pass
    try:
        circulate_core.token(refused=first.access_token)
        message = None
    except circulate_core.CirculateError as error:
        message = str(error)
    kept = circulate_core.token() == first
    os.unlink("/tmp/fill")
    fill.close()
    return [message, kept, circulate_core.token(refused=first.access_token) != first]
"""


@needs_namespaces
def test_a_full_tmp_is_reported_and_the_token_before_is_kept(start_org: StartOrg, stage: Stage) -> None:
    org = start_org(clients=[by_secret()])
    function = stage.reader(org)
    (function.task_root / "handler.py").write_text(FULL)
    message, kept, renewed = call(stage.start(function))
    assert "cannot write the token file: No space left on device" in message
    assert "make room" in message
    assert (kept, renewed) == (True, True)


def test_a_lambda_yaml_may_name_the_extension(
    start_org: StartOrg, cli_for: CliFor, aws_cli_for: CliFor, tmp_path: Path
) -> None:
    org = start_org(users=70, clients=[by_secret()])
    lambdas = tmp_path / "lambdas"
    shutil.copytree(ROOT / "lambdas", lambdas, ignore=shutil.ignore_patterns(".build", "__pycache__"))
    file = lambdas / "lib/okta/users/lambda.yaml"
    handler = "handler: handler.list"
    more = "extension: circulate-token\n    environment: {OKTA_TOKEN_PROFILE: default}"
    file.write_text(file.read_text().replace(handler, f"{handler}\n    {more}"))
    cli = cli_for(org)
    variables = {
        "client_id": "0oa1",
        "client_secret": SECRET,
        "okta_token_url": f"{org.url}/oauth2/v1/token",
        "circulate_token_scopes": "okta.users.read",
    }
    given = [word for name, value in variables.items() for word in ("--env", f"{name}={value}")]
    done = cli("local", "invoke", "okta.users", "--lambdas", lambdas / "lib", "--org", "env", *given, OKTA_API_TOKEN="")
    assert (done.code, json.loads(done.out)["records"]) == (0, 70), done.err
    assert '"event": "token written"' in done.err
    assert "canary" not in done.err
    on_aws = aws_cli_for(org)
    for run, others in ((cli, ()), (on_aws, ("--aws", "env", *on_aws.place.arguments))):
        # As the extension's README has it: nothing else is needed.
        done = run("local", "invoke", "okta.users", "--lambdas", lambdas / "lib", "--users", "30", *others)
        assert (done.code, json.loads(done.out)["records"]) == (0, 30), done.err
        assert '"type": "DPoP"' in done.err
    file.write_text(file.read_text().replace("circulate-token", "circulate-tokens"))
    done = cli("local", "invoke", "okta.users", "--lambdas", lambdas / "lib")
    assert (done.code, "there is no extension `circulate-tokens`" in done.err) == (2, True)


@pytest.mark.parametrize(
    ("lifetime", "expires_in", "counts_for"), [(60.0, "number", 60), (600.0, "string", 600), (600.0, "absent", 300)]
)
def test_a_lifetime_may_be_short_or_a_text_or_missing(
    start_org: StartOrg, stage: Stage, lifetime: float, expires_in: str, counts_for: int
) -> None:
    org = start_org(clients=[by_secret(lifetime=lifetime, expires_in=expires_in)])
    began = time.time()
    token = call(stage.start(stage.reader(org)))
    assert began + counts_for - 5 < token["expires_at"] < time.time() + counts_for + 5
    assert outcomes(org) == ["issued"]


def test_many_readers_at_once_get_one_new_token(start_org: StartOrg, stage: Stage) -> None:
    org = start_org(clients=[by_secret()], latency=0.3)
    assert call(stage.start(stage.reader(org)), burst=24) == 1
    assert outcomes(org) == ["issued", "issued"]


@pytest.mark.parametrize("trouble", ["no scopes", "stalling secrets"])
def test_a_function_that_may_start_without_a_token_does_so_whatever_is_wrong(
    start_org: StartOrg, stage: Stage, trouble: str
) -> None:
    org = start_org(clients=[by_secret()])
    with socket.create_server(("127.0.0.1", 0)) as silent:
        given = {
            "no scopes": {"circulate_token_scopes": ""},
            "stalling secrets": {
                **dict.fromkeys(("client_id", "client_secret", "okta_token_url"), ""),
                "circulate_token_secret": "x",
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{silent.getsockname()[1]}",
            },
        }[trouble]
        local = stage.start(stage.reader(org, circulate_token_fail_open="true", **given))
        error = json.loads(local.invoke("reader").payload)
        kinds = {"no scopes": "AuthError", "stalling secrets": "NetworkError"}
        assert error["errorType"] == kinds[trouble], error
        assert "there is no valid access token of the profile `default`" in error["errorMessage"]
