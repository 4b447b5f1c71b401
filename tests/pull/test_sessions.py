"""Sessions: a login gives a token in one of many places; it expires, is refused, and is logged out of."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc import jwt
from joserfc.jwk import RSAKey
from support.http_server import Reply
from support.paging_pulls import COUNT, paged, written
from support.places import client
from support.signed import Sent, SignedApi, assert_whole, reveals, settings_of, signed_api

import circulate_core
from circulate_core.exceptions import AuthError, CirculateError, DataError, DefinitionError, SettingsError
from circulate_practice.paging.kit import LOGIN_STYLES, LOGIN_TRAPS, ListServer, Sessions, serve
from circulate_practice.paging.kit.sessions import PASSWORD, USER

if TYPE_CHECKING:
    from circulate_core.types import InlineDefinition


def pulled(server: ListServer, to: Path, **given: str) -> circulate_core.Report:
    """Pull the list of a server."""
    return circulate_core.pull(
        "practice.items",
        to=to,
        settings={"base_url": server.url, "user": USER, "password": PASSWORD, **given},
        account="practice",
        catalog=[server.definition()],
    )


@pytest.mark.parametrize("trap", [None, *LOGIN_TRAPS])
@pytest.mark.parametrize("style", LOGIN_STYLES)
def test_a_list_behind_a_login_is_pulled_whole(style: str, trap: str | None, tmp_path: Path) -> None:
    sessions, items = Sessions(style, trap), paged("token")
    with serve(items, key=sessions) as server:
        report = pulled(server, tmp_path)
        assert (report.status, written(tmp_path, report)) == ("complete", items.truth)
        # Five pages, and at least one request that looks behind the last one.
        expected = {None: 1, "busy": 2, "broken": 2}.get(trap)
        assert expected == sessions.logins if expected else sessions.logins > 1
    assert reveals(tmp_path, "t0ken-") == reveals(tmp_path, "pr4ctice") == []


@pytest.mark.parametrize("style", LOGIN_STYLES)
def test_a_login_that_is_refused_is_said_once_and_shows_nothing(style: str, tmp_path: Path) -> None:
    sessions = Sessions(style)
    with serve(paged("token"), key=sessions) as server:
        for _ in range(3):
            with pytest.raises(AuthError) as refused:
                pulled(server, tmp_path, password="wr0ng-canary")
        assert sessions.logins == 1, "a server may lock out who tries again and again"
        assert "refused the login (401): invalid_login wrong user or password" in str(refused.value)
        assert f"{server.url}/login" in str(refused.value)
        assert "PRACTICE_PASSWORD" in str(refused.value.__notes__)
        assert "canary" not in str(refused.value)
        assert pulled(server, tmp_path).records == COUNT


def definition(api: SignedApi, session: dict[str, Any], *, count: int = 0) -> "InlineDefinition":
    """Return the definition of a list behind a session, or of many lists."""
    made = api.definition([{"session": session}], settings_of(["open_user", "password"]))
    if count:
        made["endpoints"] = {
            "items": {
                **made["endpoints"]["items"],
                "list": {
                    **made["endpoints"]["items"]["list"],
                    "partitions": {"name": "part", "values": [f"p{number}" for number in range(count)]},
                    "query": {"part": "{part}"},
                    "paginator": "none",
                },
            }
        }
    return made


LOGIN = {"path": "/login", "body": {"json": {"user": "{open_user}", "password": "{password}"}}}
SESSION = {"login": LOGIN, "token": {"body": "/token"}}
GIVEN = {"open_user": "ada", "password": "s3cret-1"}


def pull(api: SignedApi, to: Path, session: dict[str, Any], **more: Any) -> circulate_core.Report:  # noqa: ANN401
    """Pull the list of an API behind a session."""
    return circulate_core.pull(
        "acme.items",
        to=to,
        settings={"url": api.url, **GIVEN, **more.pop("settings", {})},
        account="acme",
        catalog=[definition(api, session, **more)],
    )


def test_many_requests_log_in_once_and_once_more_when_all_are_refused(tmp_path: Path) -> None:
    logins, served = 0, 0

    def respond(sent: Sent) -> Reply | None:
        nonlocal logins, served
        if sent.path == "/login":
            logins += 1
            return Reply({"token": f"t{logins}"})
        # The first session is over once some requests are under way.
        if sent.headers.get("authorization") != f"Bearer t{2 if served >= 20 else 1}":
            return Reply({}, status=401)
        served += 1
        return Reply({"items": [{"id": sent.query["part"][0]}]})

    with signed_api(lambda _: True, respond) as api:
        report = pull(api, tmp_path, SESSION, count=60)
    assert (report.status, report.records, logins) == ("complete", 60, 2)


def test_a_session_that_ends_soon_is_not_used_to_its_end(tmp_path: Path) -> None:
    logins = 0

    def respond(sent: Sent) -> Reply | None:
        nonlocal logins
        if sent.path != "/login":
            return None
        logins += 1
        # By the server's clock, which is ten minutes behind, it ends in a minute.
        now = time.time() - 600
        dated = [("Date", time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(now)))]
        return Reply({"token": f"t{logins}", "ends": int((now + 60) * 1000)}, dated, date=False)

    with signed_api(lambda _: True, respond) as api:
        session = {**SESSION, "expires": {"at": "/ends"}}
        assert_whole(pull(api, tmp_path, session), tmp_path)
        assert logins == 1


UNREADABLE: dict[str, tuple[Any, dict[str, Any], str]] = {
    "no token": ({"tokens": [], "user": "ada"}, {}, "has no token at `/token`; its members: `tokens`, `user`"),
    "an object": ({"token": {"canary": 1}}, {}, "has something at `/token` that is not a text"),
    "a token with a line break": ({"token": "a\r\nb-canary"}, {}, "has a token that no header can hold"),
    "an empty one": ({"token": " "}, {}, "has no token at `/token`"),
    "a page for people": ("<html>canary</html>", {}, "is not JSON"),
    "a page for people as the token": ("<p>a b</p>", {"token": {"body": ""}}, "has a token that no header can hold"),
    "no cookie": ({"token": "canary"}, {"token": {"cookie": "SID"}}, "has no cookie `SID`"),
    "no header": ({"token": "canary"}, {"token": {"header": "X-T"}}, "has no header `X-T`"),
    "an end that is none": ({"token": "canary", "e": "soon"}, {"expires": {"at": "/e"}}, "which can't be read"),
    "an end in the past": ({"token": "canary", "e": 5}, {"expires": {"at": "/e"}}, "which is over already"),
    "no time at all": ({"token": "canary", "e": 0}, {"expires": {"after": "/e"}}, "which is over already"),
    "a local time": (
        {"token": "canary", "e": "2999-01-01T00:00:00"},
        {"expires": {"at": "/e"}},
        "which can't be read",
    ),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_can_not_be_read_of_a_login_is_never_taken_for_nothing(name: str, tmp_path: Path) -> None:
    body, changed, why = UNREADABLE[name]
    with signed_api(lambda _: True, lambda sent: Reply(body) if sent.path == "/login" else None) as api:
        with pytest.raises(DataError) as failed:
            pull(api, tmp_path, {**SESSION, **changed})
        assert [sent.path for sent in api.requests] == ["/login"]
    assert why in str(failed.value)
    assert "canary" not in str(failed.value)


@pytest.mark.parametrize(
    "reply",
    [
        Reply("<html>wrong password</html>"),
        Reply({}, [("Set-Cookie", "SID=deleted; expires=Thu, 01-Jan-1970 00:00:01 GMT; path=/")], 303),
        Reply({}, [("Set-Cookie", "SID=deleted; expires=Thu, 01-Jan-1970 00:00:01 GMT; path=/")]),
    ],
    ids=["page", "redirect", "cookie-that-is-taken-back"],
)
def test_a_page_for_people_that_lets_nobody_in_is_a_login_that_is_refused(reply: Reply, tmp_path: Path) -> None:
    """It looks like a success; servers lock out who tries again and again all the same."""
    with signed_api(lambda _: True, lambda sent: reply if sent.path == "/login" else None) as api:
        session = {**SESSION, "token": {"cookie": "SID"}, "send": {"cookie": "SID"}}
        for _ in range(3):
            with pytest.raises(CirculateError, match=r"has no cookie `SID`|returned a redirect") as refused:
                pull(api, tmp_path, session)
        assert [sent.path for sent in api.requests] == ["/login"]
    assert "wrong user or password" in str(refused.value.__notes__)


def test_a_second_step_takes_the_token_of_the_first_in_headers_and_bodies(tmp_path: Path) -> None:
    def respond(sent: Sent) -> Reply | None:
        if sent.path == "/step/one?tenant=a%20b":
            return Reply({"ok": True}, [("X-Step", "st3p-canary")])
        if sent.path == "/step/two":
            expected = ("PUT", "Step st3p-canary", {"proof": "st3p-canary", "who": "ada"})
            given = (sent.method, sent.headers.get("x-step"), json.loads(sent.body))
            return Reply({"token": "t0ken-canary"}) if given == expected else Reply({}, status=400)
        return None if sent.headers.get("cookie") == "theme=dark; T=t0ken-canary" else Reply({}, status=401)

    session = {
        "login": {
            "path": "/step/{open_step}",
            "query": {"tenant": "a b"},
            "basic": {"password": "password"},
            "token": {"header": "X-Step"},
        },
        "exchange": {
            "method": "PUT",
            "path": "/step/two",
            "headers": {"X-Step": "Step {token}"},
            "body": {"json": {"proof": "{token}", "who": "{open_user}"}},
        },
        "token": {"body": "/token"},
        "send": {"cookie": "T"},
    }
    given = {**GIVEN, "open_step": "one"}
    with signed_api(lambda _: True, respond) as api:
        listing = {"headers": {"Cookie": "theme=dark"}}
        assert_whole(api.pull(tmp_path, [{"session": session}], given, **listing), tmp_path)
    assert reveals(tmp_path, "canary") == []


def test_an_app_of_github_signs_its_login(tmp_path: Path) -> None:
    """The clock of GitHub is ten minutes ahead, so the first note is refused, and says why."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    public = RSAKey.import_key(pem)
    (tmp_path / "app.pem").write_bytes(pem)
    refused = 0

    def respond(sent: Sent) -> Reply | None:
        nonlocal refused
        now = time.time() + 600
        dated = [("Date", time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(now)))]
        if sent.path != "/app/installations/4711/access_tokens":
            good = sent.headers.get("authorization") == "Bearer ghs_canary"
            return None if good else Reply({"message": "Bad credentials"}, status=401)
        note = jwt.decode(sent.headers["authorization"].removeprefix("Bearer "), public, algorithms=["RS256"])
        claims = note.claims
        assert (sent.method, claims["iss"], note.header["alg"]) == ("POST", "123456", "RS256")
        assert claims["exp"] - claims["iat"] <= 600
        if not claims["iat"] <= now <= claims["exp"]:
            refused += 1
            return Reply(
                {"message": "'Expiration time' claim ('exp') is too far in the future"}, dated, 401, date=False
            )
        end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now + 3600))
        return Reply({"token": "ghs_canary", "expires_at": end}, dated, 201, date=False)

    session = {
        "login": {
            "path": "/app/installations/{open_installation}/access_tokens",
            "jwt": {"issuer": "open_app", "private_key": "key", "lifetime": "9m"},
        },
        "token": {"body": "/token"},
        "expires": {"at": "/expires_at"},
        "send": {"header": {"name": "Authorization", "prefix": "Bearer "}},
    }
    for number, held in enumerate([pem.decode(), str(tmp_path / "app.pem")]):
        refused = 0
        given = {"open_app": "123456", "open_installation": "4711", "key": held}
        with signed_api(lambda _: True, respond) as api:
            folder = tmp_path / str(number)
            assert_whole(api.pull(folder, [{"session": session}], given), folder)
            assert refused == 1
        assert reveals(folder, "ghs_canary") == []
    with signed_api(lambda _: True, respond) as api, pytest.raises(SettingsError, match="private key in `key`"):
        api.pull(tmp_path, [{"session": session}], {**given, "key": "nowhere.pem"})


def test_a_password_that_is_rotated_is_read_again(tmp_path: Path, aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    stored, secrets = f"session-{tmp_path.name}", client("secretsmanager", aws)
    held = {"open_user": "ada", "password": "01d-canary"}
    secrets.create_secret(Name=stored, SecretString=json.dumps(held))
    logins = 0

    def respond(sent: Sent) -> Reply | None:
        nonlocal logins
        if sent.path != "/login":
            return None
        logins += 1
        if logins == 1:
            secrets.put_secret_value(SecretId=stored, SecretString=json.dumps(held | {"password": "n3w-canary"}))
        good = json.loads(sent.body) == {"user": "ada", "password": "n3w-canary"}
        return Reply({"token": "t1"}) if good else Reply({}, status=403)

    with signed_api(lambda _: True, respond) as api:
        report = circulate_core.pull(
            "acme.items",
            to=tmp_path,
            settings={"url": api.url},
            secret=stored,
            account="acme",
            catalog=[definition(api, SESSION)],
        )
        assert_whole(report, tmp_path)
    assert logins == 2


PULL = """\
import json, sys
import circulate_core
url, to, definition = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
settings = {"base_url": url, "user": sys.argv[4], "password": sys.argv[5]}
for _ in range(2):
    circulate_core.pull("practice.items", to=to, settings=settings, account="practice", catalog=[definition])
"""


@pytest.mark.parametrize("style", ["json", "cookie", "millis"])
def test_a_process_logs_out_of_its_session_when_it_ends(style: str, tmp_path: Path) -> None:
    sessions = Sessions(style)
    with serve(paged("token"), key=sessions) as server:
        given = [server.url, str(tmp_path), json.dumps(server.definition()), USER, PASSWORD]
        done = subprocess.run([sys.executable, "-c", PULL, *given], check=True, capture_output=True, text=True)
        assert done.stderr == ""
        assert (sessions.logins, sessions.logouts, sessions.open) == (1, 1, 0)


MISTAKES = """\
source: acme
title: Acme
settings:
  url: {env: ACME_URL, about: its address}
  token: {env: ACME_TOKEN, about: a token}
  key: {env: ACME_KEY, about: a key, secret: true}
  profile: {env: ACME_PROFILE, about: a profile}
base_url: "{url}"
auth:
  - session:
      login:
        method: GET
        path: "login/{key}?a=b"
        query: {k: "{key}"}
        headers: {"X Key": "{key}", Authorization: "{absent}"}
        body: {json: {}}
        basic: {}
        token: {body: /code}
      token: {cookie: "a b"}
      send: {header: {name: "a b", prefix: "\\u0001"}}
      lifetime: 0s
      logout: {path: logout}
  - session:
      login: {path: /a}
      exchange: {path: "https://other.example/b", headers: {X: "{token}"}, token: {body: ""}}
      token: {body: /t}
  - token_file: {profile: profile}
check: {path: /items}
"""


def test_all_mistakes_of_a_session_are_said_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "acme"
    folder.mkdir()
    (folder / "source.yaml").write_text(MISTAKES)
    (folder / "items.yaml").write_text(
        "endpoint: items\nabout: Items.\nlist: {path: /items, primary_key: [/id], paginator: none}\n"
    )
    with pytest.raises(DefinitionError) as refused:
        circulate_core.source("acme", catalog=[tmp_path]).stream("items")
    text = str(refused.value)
    for why in (
        "`{key}`, a secret: secrets never go into a URL",
        "is neither a path, such as `/login`, nor an address",
        "`X Key` is not a header name",
        "`{absent}` is not among the settings",
        "a GET has no body",
        "basic needs `user`, `password` or both",
        "are the same header: use one of them",
        "`login.token` is for a login that `exchange` follows",
        "`a b` is not the name of a cookie",
        "`a b` is not a header name",
        "has characters that no header can hold",
        "a session that lives for no time",
        "`logout` is neither a path",
        "give the setting `token` another name",
        "where the response to `exchange` has the token says `token` of the session",
        "so it proves nothing",
        "the sessions beside it `send` their tokens in different ways",
    ):
        assert why in text, why


def test_a_login_goes_to_the_api_or_where_the_definition_says(tmp_path: Path) -> None:
    """Never where a setting leads that is not on the origin of the API."""
    session = {**SESSION, "login": {**LOGIN, "path": "{open_login}/login"}}
    with (
        signed_api(lambda _: True, lambda _: Reply({"token": "t1"})) as other,
        signed_api(lambda _: True, lambda sent: Reply({"token": "t1"}) if "login" in sent.path else None) as api,
    ):
        with pytest.raises(CirculateError, match="another host than the API"):
            api.pull(tmp_path, [{"session": session}], {**GIVEN, "open_login": other.url})
        assert other.requests == api.requests == []
        assert_whole(
            api.pull(tmp_path / "own", [{"session": session}], {**GIVEN, "open_login": api.url}), tmp_path / "own"
        )
        fixed = {**SESSION, "login": {**LOGIN, "path": f"{other.url}/login"}}
        assert_whole(api.pull(tmp_path / "fixed", [{"session": fixed}], GIVEN), tmp_path / "fixed")
        assert [sent.path for sent in other.requests] == ["/login"]


def test_a_secret_that_is_no_number_is_not_shown(tmp_path: Path) -> None:
    session = {**SESSION, "login": {"path": "/login", "body": {"json": {"pin": "{password:number}"}}}}
    with signed_api(lambda _: True) as api:
        with pytest.raises(SettingsError, match="something else than the number") as refused:
            api.pull(tmp_path, [{"session": session}], {"password": "canary"})
        assert api.requests == []
    assert "canary" not in str(refused.value)


def test_a_session_is_saved_as_it_is_written(tmp_path: Path) -> None:
    ways = [
        {"session": {"login": LOGIN, "token": {"body": "/token"}, "lifetime": "30m", "logout": {"path": "/logout"}}},
    ]
    acme = circulate_core.source("acme", base_url="https://api.acme.example", auth=ways)
    acme.stream("items", path="/items", paginator="none")
    acme.save(tmp_path)
    written_again = yaml.safe_load((tmp_path / "acme/source.yaml").read_text())
    assert written_again["auth"] == ways
    assert {name for name, setting in written_again["settings"].items() if setting.get("secret")} == {
        "open_user",
        "password",
    }
