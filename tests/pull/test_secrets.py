"""Nothing that is written or shown holds a credential, whatever a server sends back and whoever looks."""

import base64
import copy
import dataclasses
import gc
import inspect
import json
import pickle
import re
import traceback
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.cli import Cli, Done, StartOrg
from support.http_server import Handler, Reply, Server

import circulate_core
from circulate_core import _core, catalogs
from circulate_core.exceptions import SettingsError
from circulate_core.settings import configured

CANARY = "00cAnary/T0k3n+th4t-mu5t.never_show~42"
HALF = len(CANARY) // 2
PART = 12


@dataclasses.dataclass
class Echo:
    """An API with scripted responses: each request gets the next one of its path, the last one stays."""

    url: str
    replies: dict[str, list[Reply]]

    def respond(self, path: str, status: int, body: object = None, **headers: str) -> None:
        """Add a response to those of a path; the last one stays."""
        named = [(name.replace("_", "-"), value) for name, value in headers.items()]
        self.replies.setdefault(path, []).append(Reply(body, named, status))


@pytest.fixture
def echo() -> Iterator[Echo]:
    replies: dict[str, list[Reply]] = {}

    def next_reply(request: Handler) -> Reply:
        left = replies[request.path.partition("?")[0]]
        return left.pop(0) if len(left) > 1 else left[0]

    with Server(next_reply) as server:
        yield Echo(server.url, replies)


def bare(text: str) -> str:
    """Letters and digits alone: what separates them hides nothing from a reader."""
    return "".join(char for char in text.lower() if char.isascii() and char.isalnum())


def reveals(data: bytes | str) -> bool:
    """Whether a text holds the canary, plain, or in a form that it can be read back from."""
    text = data if isinstance(data, str) else data.decode(errors="replace")
    forms = [text, urllib.parse.unquote(text), re.sub(r"\\u\{?([0-9a-f]{2,4})\}?", lambda m: chr(int(m[1], 16)), text)]
    for run in re.findall(r"[A-Za-z0-9+/_-]{12,}", text):
        for skip in range(4):
            part = run[skip:].replace("-", "+").replace("_", "/")
            forms.append(base64.b64decode(part[: len(part) // 4 * 4]).decode(errors="replace"))
    canary = bare(CANARY)
    # Fewer characters in a row than these would not help anybody.
    parts = [canary[at : at + PART] for at in range(len(canary) - PART + 1)]
    return any(part in bare(form) for form in forms for part in parts)


def each(form: Callable[[str], str]) -> str:
    return "".join(map(form, CANARY))


ECHOES = {
    "plain": CANARY,
    "upper case": CANARY.upper(),
    "percent": each(lambda char: f"%{ord(char):02X}"),
    "percent in lower case": urllib.parse.quote(CANARY, safe="").lower(),
    "basic": base64.b64encode(f"client:{CANARY}".encode()).decode(),
    "base64url": base64.urlsafe_b64encode(CANARY.encode()).decode(),
    "escapes": each(lambda char: f"\\u{ord(char):04x}"),
    "slashes": CANARY.replace("/", "\\/"),
    "html": each(lambda char: f"&#{ord(char)};"),
    "control characters": each(lambda char: f"{char}\x1b"),
    "zero width": each(lambda char: f"{char}\u200b\u202e"),
    "before the cut": "x" * 285 + CANARY,
}


def everything(cli: Cli, done: Done) -> dict[str, bytes]:
    """All that a pull has left anywhere."""
    runs = [cli("runs", *cli.place.arguments), cli("runs", *cli.place.arguments, "--json")]
    said = {f"output {n}": f"{each.out}\n{each.err}".encode() for n, each in enumerate([done, *runs])}
    return said | {str(path): path.read_bytes() for path in cli.folder.rglob("*") if path.is_file()}


def assert_no_canary(left: dict[str, bytes]) -> None:
    assert left
    for name, data in left.items():
        assert not reveals(data), (name, data[:3000])
        assert b"\x1b" not in data or not name.startswith("output"), (name, data)


@pytest.mark.parametrize("form", ECHOES)
@pytest.mark.parametrize("status", [400, 403])
def test_a_token_that_a_server_sends_back_is_neither_shown_nor_stored(
    cli: Cli, echo: Echo, form: str, status: int
) -> None:
    text = ECHOES[form]
    body = {"errorCode": text, "errorSummary": f"{text} is wrong", "errorCauses": [{"errorSummary": text}]}
    headers = {"X_Okta_Request_Id": text if text.isascii() and text.isprintable() else CANARY}
    # Retried first, which is noted.
    echo.respond("/api/v1/users", 503, body, Retry_After="0", **headers)
    echo.respond("/api/v1/users", status, body, WWW_Authenticate=f'Bearer error="x", scope="{CANARY}"', **headers)
    done = cli.pull(OKTA_ORG_URL=echo.url, OKTA_API_TOKEN=CANARY)
    assert (done.code, "***" in done.err) == (1, True), done.err
    assert "retrying" in done.err
    assert_no_canary(everything(cli, done))


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (400, {"errorCode": CANARY[:HALF], "errorSummary": CANARY[HALF:]}, {}),
        (400, {"errorSummary": CANARY[:HALF]}, {"X_Okta_Request_Id": CANARY[HALF:]}),
        (403, None, {"WWW_Authenticate": f'Bearer error="insufficient_scope", scope="{CANARY}"'}),
        (401, None, {"WWW_Authenticate": f'Bearer error="{CANARY}", error_description="no \\{CANARY}"'}),
        (302, None, {"Location": f"https://{CANARY.partition('+')[2].replace('~', '-')}.example/"}),
        (400, b'{"errorSummary": "\\ud800' + CANARY.encode() + b'\xff"}', {}),
        (200, b'{"' + CANARY.encode() + b'": 1}', {}),
        (200, b'[{"id": "' + CANARY.encode() + b"}]", {}),
        (200, [{"id": "1"}], {"Link": f'<https://evil.example/{CANARY}?after={CANARY}>; rel="next"'}),
        (200, [{"id": "1"}], {"Link": f'</api/v1/users?after={urllib.parse.quote(CANARY)}>; rel="next"'}),
    ],
)
def test_wherever_it_stands_in_a_response(
    cli: Cli, echo: Echo, status: int, body: object, headers: dict[str, str]
) -> None:
    echo.respond("/api/v1/users", status, body, **headers)
    done = cli.pull(OKTA_ORG_URL=echo.url, OKTA_API_TOKEN=CANARY)
    assert done.code == 1, done.err
    assert_no_canary(everything(cli, done))


@pytest.mark.parametrize("form", ECHOES)
def test_a_token_endpoint_that_sends_the_secret_back(cli: Cli, echo: Echo, form: str) -> None:
    body = {"error": "invalid_client", "error_description": ECHOES[form]}
    echo.respond("/oauth2/v1/token", 401, body, WWW_Authenticate=f'Basic realm="{CANARY}"')
    given = {"OKTA_ORG_URL": echo.url, "OKTA_API_TOKEN": "", "OKTA_CLIENT_ID": "client", "OKTA_CLIENT_SECRET": CANARY}
    done = cli.pull(**given)
    assert (done.code, "invalid_client" in done.err) == (1, True), done.err
    assert_no_canary(everything(cli, done))


def test_what_an_api_calls_things_is_shown_with_escapes_and_used_as_it_is(cli: Cli, echo: Echo) -> None:
    group = "g\x1b[31m\n\u202e1"
    echo.respond("/api/v1/groups", 200, [{"id": "good"}, {"id": group}])
    echo.respond("/api/v1/groups/good/users", 200, [{"id": "u1"}])
    quoted = urllib.parse.quote(group, safe="")
    echo.respond(f"/api/v1/groups/{quoted}/users", 403, {"errorCode": "E0000006", "errorSummary": "no\x1b[2K\r\nno"})
    given = {"OKTA_ORG_URL": echo.url, "OKTA_API_TOKEN": CANARY}
    done = cli("pull", "okta.group_members", *cli.place.arguments, "--account", "a", "--json", **given)
    assert done.code == 3, done.err
    (gap,) = done.report["gaps"]
    assert r"g\u{1b}[31m\n\u{202e}1" in gap
    assert "\x1b" not in done.err + done.out
    assert r"no\u{1b}[2K\r\nno" in done.err
    index = json.loads((cli.place.lake() / done.report["manifest"]).read_text())
    assert index["gaps"] == [gap]


def test_a_request_id_of_60_kb_is_cut(cli: Cli, echo: Echo) -> None:
    echo.respond("/api/v1/users", 400, {}, X_Okta_Request_Id="r" * 60_000)
    done = cli.pull(OKTA_ORG_URL=echo.url, OKTA_API_TOKEN=CANARY)
    assert "rrr… (60000 characters)" in done.err
    assert len(done.err) < 2_000
    assert all(b"r" * 1_000 not in data for data in everything(cli, done).values())


def test_no_object_holds_a_token_where_python_can_see_it(echo: Echo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OKTA_ORG_URL", echo.url)
    echo.respond("/api/v1/users", 200, [{"id": "1"}])
    settings = json.loads(json.dumps({"api_token": CANARY}))
    source = circulate_core.source("okta", settings=settings)
    users = source.stream("users")
    batch = next(iter(users))
    settings.clear()
    seen: set[int] = set()
    for thing in (source, users, users.records(), batch, users.report, users.history):
        reachable: list[Any] = [thing]
        while reachable:
            found = reachable.pop()
            if id(found) in seen or inspect.ismodule(found) or isinstance(found, type):
                continue
            seen.add(id(found))
            assert not (isinstance(found, str | bytes) and reveals(found)), type(thing)
            if not inspect.isroutine(found):
                reachable += gc.get_referents(found)
        shown = f"{vars(thing) if hasattr(thing, '__dict__') else ''} {thing!r} {inspect.getmembers(thing)}"
        assert not reveals(shown)
    for copied in (copy.copy(source), copy.deepcopy(source)):
        assert not reveals(repr(vars(copied)))
        assert copied.stream("users").sample(1).records() == [{"id": "1"}]
    for thing in (source, users):
        with pytest.raises(TypeError, match="make the source in the other process"):
            pickle.dumps(thing)


def test_what_is_configured_shows_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "circulate.toml"
    config.write_text(f'[okta]\napi_token = "{CANARY}"\norg_url = "https://acme.okta.com"\naccount = "a"\n')
    config.chmod(0o600)
    monkeypatch.setenv("OKTA_CLIENT_SECRET", CANARY)
    definition = catalogs.source_definition("okta")
    found = configured(definition, warn=pytest.fail, config=config)
    assert not reveals(f"{found!r} {dataclasses.asdict(found)} {vars(found)}")
    assert found.settings.names == ["api_token", "client_secret", "org_url"]
    assert (found.public, found.account) == ({"org_url": "https://acme.okta.com"}, "a")


def locals_of(error: BaseException) -> Iterator[Any]:
    """What a traceback with its locals would show: of frames of the package, and of the errors before it."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen.args, vars(seen)
        for frame, _ in traceback.walk_tb(seen.__traceback__):
            if "circulate_core" in frame.f_code.co_filename:
                yield dict(frame.f_locals)
        seen = seen.__cause__ or seen.__context__


def settings_with(**others: Any) -> dict[str, Any]:  # noqa: ANN401 - what people give
    return {"api_token": CANARY, **others}


@pytest.mark.parametrize(
    "call",
    [
        lambda lake: circulate_core.pull("okta.users", to=lake, settings=settings_with(org_ulr="x")),
        lambda lake: circulate_core.pull("okta.users", to=lake, settings=settings_with(org_url=5)),
        lambda lake: circulate_core.pull("okta.nothing", to=lake, settings=settings_with()),
        lambda _: circulate_core.check("okta", settings=settings_with(org_url="http://127.0.0.1:1")),
        lambda _: circulate_core.check("nothing", settings=settings_with()),
        lambda _: circulate_core.source("okta", settings=settings_with(nothing="x")),
        lambda _: circulate_core.source("okta", settings=settings_with(org_url=b"x")),
        lambda _: circulate_core.source("nothing", settings=settings_with()),
        lambda _: circulate_core.source("okta", settings=settings_with(org_url="ftp://x")).stream("users").sample(1),
    ],
)
def test_no_traceback_with_its_locals_shows_one(tmp_path: Path, call: Callable[[Path], object]) -> None:
    with pytest.raises(circulate_core.CirculateError) as caught:
        call(tmp_path)
    shown = [repr(found) for found in locals_of(caught.value)]
    assert len(shown) > 1
    assert not any(map(reveals, shown)), [text for text in shown if reveals(text)]


def test_a_file_that_is_wrong_shows_nothing_of_it(cli: Cli, tmp_path: Path) -> None:
    definition = catalogs.source_definition("okta")
    for text in (f'[okta]\napi_token = "{CANARY}"\nx = 5\n', f'[okta]\napi_token = "{CANARY}\n'):
        config = tmp_path / "config.toml"
        config.write_text(text)
        with pytest.raises(SettingsError) as caught:
            configured(definition, warn=str, config=config)
        assert not any(reveals(repr(found)) for found in locals_of(caught.value))
        done = cli("check", "okta", "--config", config)
        assert (done.code, reveals(done.err)) == (2, False), done.err


def test_texts_are_shown_by_the_engine_for_python_too(start_org: StartOrg) -> None:
    token = start_org(users=1).token + "-that-is-long"
    with pytest.raises(circulate_core.CirculateError):
        circulate_core.check("okta", settings={"org_url": "http://127.0.0.1:1", "api_token": token})
    assert _core.shown(f"\x1b {token}\n") == r"\u{1b} ***\n"
    assert _core.shown("a\n\tb\x07", lines=True) == "a\n\tb\\u{7}"
    assert _core.shown("long" * 10, limit=4) == "long… (40 characters)"
