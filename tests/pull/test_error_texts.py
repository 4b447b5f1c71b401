"""Errors as people see them: what typical mistakes and failures say on the command line, and in Python."""

import signal
import traceback
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.cli import Cli, CliFor, Done, StartOrg
from support.commands import PATIENCE
from support.hooked import define_hooked
from support.http_server import Reply
from support.scripted import define, serving
from support.snapshots import assert_snapshot, stable

import circulate_core
from circulate_core import exceptions
from circulate_core.catalogs import SHIPPED_CATALOG

NOWHERE = "http://127.0.0.1:9"
"""Nothing listens there."""
ACCOUNT = {"OKTA_ORG_URL": NOWHERE, "OKTA_API_TOKEN": "t"}
PULL = "pull okta.users --to lake"


def shown(command: str, done: Done, **replaced: str | Path) -> str:
    """Return a command with all that it wrote to stderr, and its exit code."""
    return stable(f"$ {command}\n{done.err}exit code {done.code}\n", **replaced)


ARGUMENTS = [
    "pul okta.users",
    "runs --limt 3",
    "runs lake",
    "runs --limit none",
    "pull okta.users",
    "pull --to lake",
    "pull okta.users --to",
    f"{PULL} --format jsn",
    f"{PULL} --memory 64M --batch-records 0 --deadline soon",
    f"{PULL} --since yesterday",
    f"{PULL} --since 2026-02-01 --until 2026-01-01",
    f"{PULL} --full --since 7d",
    f"{PULL} --memory 1MB",
    "pull okta.users --to -",
    "pull okta.users --to s3://acme-lake/raw",
    f"{PULL} --state redis://cache",
    f"{PULL} --set api_token=secret",
    f"{PULL} --set url=https://acme.okta.com",
    f"{PULL} --set org_url",
    f"{PULL} --profile prod",
    f"{PULL} --config nowhere.toml",
    f"{PULL} --catalog nowhere",
    "pull okta.usrs --to lake",
    "pull okat --to lake",
    "list okta.x*",
    "describe okta.usrs",
    "check okta github.repos",
    "sample okta.users -n 0",
    "runs --to nowhere",
    "state shw",
    "state show --to nowhere",
    "verify nowhere",
    "verify nowhere.json",
    "promote lake/_circulate/nowhere.json --to readers",
    "gc --to lake --older-than soon",
    "completion fish",
    "local invoke okta.users",
    "practice-org --fault explode",
    "practice-org --users many",
]


def test_what_mistakes_on_the_command_line_say(cli: Cli) -> None:
    said = [
        shown(f"circulate {words}", cli(*words.split(), **ACCOUNT, COLUMNS="100"), folder=cli.folder)
        for words in ARGUMENTS
    ]
    assert_snapshot("errors/arguments", "\n".join(said))


SETTINGS: list[dict[str, str]] = [
    {},
    {"OKTA_ORG_URL": "https://acme.okta.com"},
    {"OKTA_ORG_URL": "http://acme.okta.com", "OKTA_API_TOKEN": "t"},
    {"OKTA_ORG_URL": "ftp://acme.okta.com", "OKTA_API_TOKEN": "t"},
    {"OKTA_ORG_URL": "https://acme.okta.com", "OKTA_API_TOKEN": "two\nlines"},
]


def test_what_wrong_settings_say(cli: Cli) -> None:
    said = [
        shown(" ".join([*(f"{name}={value!r}" for name, value in given.items()), "circulate check okta"]), done)
        for given in SETTINGS
        for done in [cli("check", "okta", **given)]
    ]
    assert_snapshot("errors/settings", "\n".join(said))


DEFINITIONS = {
    "a key is missing": "path: /items",
    "keys are not known": "path: /items\nprimary_key: [/id]\npagination: none\nincremntal: {}",
    "a value has a wrong type": "path: [items]\nprimary_key: [/id]",
    "a pointer is none": "path: /items\nprimary_key: [id]",
    "a paginator is not known": "path: /items\nprimary_key: [/id]\npaginator: {pages: 3}",
    "a template has a gap": "path: /items/{id\nprimary_key: [/id]",
    "the YAML has no end": "path: {",
}


def test_what_wrong_definitions_say(cli: Cli) -> None:
    said = []
    for name, listed in DEFINITIONS.items():
        define(cli.folder, listed)
        words = ["describe", "acme.items", "--catalog", "catalog"]
        said.append(shown(f"circulate {' '.join(words)}  # {name}", cli(*words), folder=cli.folder))
    assert_snapshot("errors/definitions", "\n".join(said))


FAULTS = [
    "401@1",
    "403@1",
    "429@1*9",
    "503@1",
    "html@1",
    "redirect@1",
    "not-array@1",
    "scalar@1",
    "invalid-utf8@1",
    "nan@1",
    "trailing@1",
    "big-record:20000000@1",
    "next-other-host@1",
    "next-repeat@1",
]


def test_what_failures_of_an_api_say(start_org: StartOrg, cli_for: CliFor) -> None:
    said = []
    for fault in FAULTS:
        # Whenever this runs, the quota's window does not end within the wait that is allowed.
        cli = cli_for(start_org(users=450, faults=[fault], window=1e6), fault)
        done = cli(*PULL.split(), "--max-wait", "5s")
        said.append(shown(f"circulate {PULL} --max-wait 5s  # {fault}", done, folder=cli.folder))
    assert_snapshot("errors/responses", "\n".join(said))


def test_what_a_lake_in_use_or_a_corrupt_one_says(start_org: StartOrg, cli_for: CliFor) -> None:
    org = start_org(users=450, faults=["stall:60@3"])
    cli = cli_for(org)
    said = []

    def run(words: str) -> None:
        said.append(shown(f"circulate {words}", cli(*words.split()), folder=cli.folder))

    with cli.start(*PULL.split()) as pulling:
        org.wait_for_requests(3, timeout=PATIENCE)
        run(PULL)
        run("state reset okta.users --to lake")
        pulling.send_signal(signal.SIGINT)
        _, err = pulling.communicate(timeout=PATIENCE)
        said.append(shown(f"circulate {PULL}  # Ctrl-C", Done(pulling.returncode, "", err), folder=cli.folder))
    run(f"{PULL} --full")
    run("state commit 1 --to lake")
    assert cli(*PULL.split()).code == 0
    (stored, *_) = sorted(cli.folder.glob("lake/okta/**/*.gz"))
    stored.write_bytes(stored.read_bytes()[:-1])
    run("verify lake")
    (manifest,) = cli.folder.glob("lake/_circulate/okta/**/*Z-??????????.json")
    run(f"promote {manifest.relative_to(cli.folder)} --to readers")
    run(f"promote {manifest.relative_to(cli.folder)} --to lake")
    manifest.write_text("{}")
    run("verify lake")
    (cli.folder / "file").write_text("")
    run("pull okta.users --to file")
    assert_snapshot("errors/lakes", "\n".join(said))


RAISES = """
    def decode(body, response):
        raise ValueError("not what it should be")
"""
CALLS: dict[str, list[str]] = {
    "SettingsError": [
        "circulate_core.pull('okta.users', to=lake, since='yesterday', memory='64M', batch_records=0)",
        "circulate_core.pull('okta.users', to=lake, since=5, lease=[])",
        "circulate_core.pull('okta.users', to=lake, format='jsn')",
        "circulate_core.pull('okta.users', to=lake, mode='full', since='7d')",
        "circulate_core.pull('okta.users', to=circulate_core.Lake(lake), state='state.db')",
        "circulate_core.pull('okta.users', to='s3://acme-lake/raw')",
        "circulate_core.pull('okta.users', to=lake, s3={'sse': 'AES', 'region': 'us-east-1'})",
        "circulate_core.source('okta').stream('users').sample(0)",
        "circulate_core.pull('okta.users', to=lake, settings={'url': 'https://acme.okta.com'})",
        "circulate_core.check('okta', profile='prod')",
        "circulate_core.Lake('')",
        "circulate_core.manifest()",
        "circulate_core.verify('manifest.json')",
        "circulate_core.gc(lake, older_than='soon')",
    ],
    "DefinitionError": [
        "circulate_core.pull('okta.usrs', to=lake)",
        "circulate_core.source('okat')",
        "circulate_core.source('okta').stream('usrs')",
        "circulate_core.streams(catalog='definitions')",
        "circulate_core.streams(catalog=[definitions])",
    ],
    "AuthError": ["circulate_core.check('okta', settings=org('401'))"],
    "RateLimitError": ["circulate_core.check('okta', settings=org('429'))"],
    "ApiError": ["circulate_core.check('acme', settings=responding(418), catalog=[catalog])"],
    "RefusedError": ["circulate_core.check('acme', settings=responding(404), catalog=[catalog])"],
    "NetworkError": ["circulate_core.check('okta', settings={'org_url': nowhere, 'api_token': 't'})"],
    "DataError": ["circulate_core.pull('okta.users', to=lake, settings=org('html'))"],
    "HookError": ["circulate_core.pull('acme.items', to=lake, settings=responding(200), catalog=[hooked])"],
    "LimitError": ["circulate_core.pull('okta.users', to=lake, settings=org(), max_record_bytes=100)"],
    "StorageError": [
        "circulate_core.pull('okta.users', to=file, settings=org())",
        "circulate_core.verify(lake + '/_circulate/nowhere.json')",
    ],
    "StateError": ["circulate_core.runs(lake + '/nowhere')"],
    "MismatchError": ["circulate_core.promote(corrupt, to=readers)"],
    "StoppedError": ["closed.next()"],
}
"""By the class of the error."""


def test_what_errors_say_in_python(
    start_org: StartOrg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli_for: CliFor
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, value in ACCOUNT.items():
        monkeypatch.setenv(name, value)

    def org(*faults: str) -> dict[str, str]:
        started = start_org(users=5, faults=list(faults))
        return {"org_url": started.url, "api_token": started.token}

    cli = cli_for(start_org(users=5), "corrupt")
    corrupt = cli.manifest(cli.pull())
    next(cli.folder.glob("lake/okta/**/*.gz")).write_bytes(b"")
    closed = circulate_core.source("okta").stream("users")._reader(10)  # noqa: SLF001 - what iterators use
    closed.close()
    (tmp_path / "file").write_text("")
    catalog = define(tmp_path / "right", "path: /items\nprimary_key: [/id]")
    given = {
        "circulate_core": circulate_core,
        "org": org,
        "catalog": catalog,
        "hooked": define_hooked(tmp_path / "hooked", RAISES, "hooks: {page: hooks.py:decode}").parent.parent,
        "definitions": define(tmp_path / "wrong", "path: /items\nprimary_key: [/id]\npaginator: {pages: 3}"),
        "lake": str(tmp_path / "lake"),
        "file": tmp_path / "file",
        "readers": tmp_path / "readers",
        "nowhere": NOWHERE,
        "corrupt": corrupt,
        "closed": closed,
    }
    said = []
    with ExitStack() as stack:

        def responding(status: int) -> dict[str, str]:
            return {"base_url": stack.enter_context(serving(lambda _path, _query: Reply(status=status))).url}

        for kind, calls in CALLS.items():
            for call in calls:
                with pytest.raises(getattr(exceptions, kind)) as raised:
                    eval(call, {**given, "responding": responding})  # noqa: S307 - ours
                assert type(raised.value).__name__ == kind
                text = "".join(traceback.format_exception_only(raised.value))
                said.append(stable(f">>> {call}\n{text}", folder=tmp_path, catalog=SHIPPED_CATALOG))
    assert_snapshot("errors/python", "\n".join(said))


def test_every_class_of_errors_is_shown() -> None:
    classes = {name for name, each in vars(exceptions).items() if isinstance(each, type)}
    # The base is not raised. A stream in use is a status in Python, and an error of the command line alone. What is
    # said of plans is tested with operations.
    assert set(CALLS) == classes - {
        "CirculateError",
        "BusyError",
        "PlanError",
        "ApprovalError",
        "EarlierKeyWarning",
        "IncompleteWarning",
    }
