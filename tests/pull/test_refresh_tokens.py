"""Signing in by a refresh token: one process uses it at a time, and the next one is kept before it is needed.

The practice org takes each refresh token once. A second use ends all tokens of the sign-in, as RFC 9700 recommends.
"""

import json
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from support.cli import Cli, StartOrg
from support.commands import PATIENCE
from support.http_server import Reply
from support.places import client
from support.refreshing import SCOPE, define, kept_files, outcomes, public, signed_in
from support.signed import Sent, SignedApi, signed_api
from support.stand_ins import moto

import circulate_core
from circulate_core.exceptions import AuthError, DataError, DefinitionError, SettingsError
from circulate_practice import make_key
from circulate_practice.compare import compare

AT_ONCE = 6
"""Processes that sign in at the same moment."""


@pytest.fixture(scope="module")
def strict_aws() -> Iterator[str]:
    """Start the stand-in for AWS that makes a version of a secret once, as Secrets Manager documents it.

    The other one (ministack) overwrites a version whose id is given again. This one is laxer in two ways: its check and
    its write are not one step, and it knows no quota of versions.
    """
    with moto() as url:
        yield url


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder that is the home of nobody else."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    return tmp_path


def test_a_token_that_rotates_is_used_once_and_the_next_one_from_then_on(start_org: StartOrg, cli: Cli) -> None:
    org = start_org(groups=250, clients=[public()])
    cli = signed_in(cli, org)
    first = cli.environment["ACME_REFRESH_TOKEN"]
    pulling = ("pull", "acme.items", "--to", "lake", "--account", "acme", "--json", "--full")
    done = cli(*pulling)
    assert done.code == 0, done.err
    assert done.report["records"] == 250
    assert cli(*pulling).code == 0
    assert outcomes(org) == ["issued"], "the next process goes on with the access token"
    for number in (2, 3):
        org.expire_tokens()
        done = cli(*pulling)
        assert (done.code, outcomes(org)) == (0, ["issued"] * number), done.err
    [file] = kept_files(cli)
    kept = json.loads(file.read_text())
    assert kept["refresh_token"] != first
    assert first not in file.read_text()
    assert not any(token in done.err + done.out for token in (first, kept["refresh_token"]))
    modes = [path.stat().st_mode & 0o777 for path in (file, *list(file.parents)[:3])]
    assert modes == [0o600, 0o700, 0o700, 0o700]


def test_a_token_that_does_not_rotate_is_kept(start_org: StartOrg, cli: Cli) -> None:
    org = start_org(groups=3, clients=[public(rotates=False)])
    cli = signed_in(cli, org)
    for number in (1, 2):
        assert cli("check", "acme").code == 0
        org.expire_tokens()
        assert outcomes(org) == ["issued"] * number


def start_all(cli: Cli, *command: str) -> list[str]:
    """Run a command in several processes at the same time, and return what they wrote."""
    processes = [cli.start(*command) for _ in range(AT_ONCE)]
    done = [process.communicate(timeout=PATIENCE) for process in processes]
    assert [process.returncode for process in processes] == [0] * AT_ONCE, done
    return [err for _, err in done]


def test_processes_at_once_do_not_use_one_token_twice(start_org: StartOrg, cli: Cli) -> None:
    org = start_org(groups=3, latency=0.1, clients=[public()])
    cli = signed_in(cli, org)
    for number in (1, 2, 3):
        start_all(cli, "check", "acme")
        org.expire_tokens()
        assert outcomes(org) == ["issued"] * number


def test_threads_at_once_do_not_use_one_token_twice(start_org: StartOrg, here: Path) -> None:
    org = start_org(groups=3, latency=0.05, clients=[public()])
    settings = {"base_url": org.url, "client_id": "0oa1", "refresh_token": org.sign_in("0oa1", [SCOPE])}
    catalog = [define(here)]

    def check(number: int) -> None:
        # Of accounts of several names, as several pulls of a program have them.
        circulate_core.check("acme", settings=settings, catalog=catalog, account=f"a{number}")

    with ThreadPoolExecutor(8) as pool:
        for number in (1, 2):
            list(pool.map(check, range(8)))
            assert outcomes(org) == ["issued"] * number
            org.expire_tokens()


def test_a_token_that_ends_while_pages_are_read_is_renewed_and_rotated(start_org: StartOrg, here: Path) -> None:
    org = start_org(groups=4_000, latency=0.03, clients=[public()])
    settings = {"base_url": org.url, "client_id": "0oa1", "refresh_token": org.sign_in("0oa1", [SCOPE])}
    ended = threading.Event()

    def end_tokens(snapshot: Any) -> None:  # noqa: ANN401 - a snapshot
        if snapshot.pages >= 2 and not ended.is_set():
            ended.set()
            org.expire_tokens()

    report = circulate_core.pull(
        "acme.items",
        to=here / "lake",
        settings=settings,
        catalog=[define(here)],
        account="a",
        on_progress=end_tokens,
    )
    assert ended.is_set()
    assert (report.status, report.records, outcomes(org)) == ("complete", 4_000, ["issued", "issued"])
    assert report.manifest is not None
    assert compare(here / "lake" / report.manifest, [entry["sha256"] for entry in org.truth("groups")]).identical


@pytest.mark.parametrize("dpop", [False, True])
def test_a_client_that_proves_who_it_is_does_so_with_a_refresh_token_too(
    start_org: StartOrg, cli: Cli, *, dpop: bool
) -> None:
    org = start_org(groups=3, clients=[public(method="client_secret_basic", secret="s3 cret", dpop=dpop)])
    cli = signed_in(cli, org, ACME_CLIENT_SECRET="s3 cret")
    for _ in range(2):
        done = cli("check", "acme")
        assert done.code == 0, done.err
        org.expire_tokens()
    proofs = ["invalid_dpop_proof", "use_dpop_nonce"] if dpop else []
    again = ["use_dpop_nonce"] if dpop else []
    assert outcomes(org) == [*proofs, "issued", *again, "issued"], "the key is kept, so that it need not be asked for"


@pytest.mark.parametrize(("point", "lost"), [("granted", True), ("kept", False)])
def test_a_process_that_is_killed_loses_no_more_than_it_has_to(
    start_org: StartOrg, cli: Cli, point: str, *, lost: bool
) -> None:
    org = start_org(groups=3, clients=[public()])
    cli = signed_in(cli, org)
    killed = cli.process("check", "acme", CIRCULATE_CRASH=f"at-refresh-token-{point}#1")
    assert killed.code == -signal.SIGKILL
    done = cli("check", "acme")
    if not lost:
        assert (done.code, outcomes(org)) == (0, ["issued"]), done.err
        return
    assert outcomes(org) == ["issued", "invalid_grant"], "the request may never have arrived, so it is tried once more"
    assert done.code == 1
    for part in ("(400): invalid_grant", "an earlier request may have used it", "sign in again", "ACME_REFRESH_TOKEN"):
        assert part in done.err
    done = cli("check", "acme", ACME_REFRESH_TOKEN=org.sign_in("0oa1", [SCOPE]))
    assert done.code == 0, done.err


def test_ctrl_c_waits_until_the_next_token_is_kept(start_org: StartOrg, cli: Cli) -> None:
    org = start_org(groups=3, clients=[public()], faults=["token/stall:2s@1"])
    cli = signed_in(cli, org)
    with cli.start("pull", "acme.items", "--to", "lake", "--account", "acme") as pulling:
        org.wait_for_requests(1, timeout=PATIENCE)
        pulling.send_signal(signal.SIGINT)
        _, err = pulling.communicate(timeout=PATIENCE)
    assert pulling.returncode == 130, err
    assert cli("check", "acme").code == 0
    assert outcomes(org) == ["issued"]


def test_a_response_that_is_lost_costs_the_sign_in_and_says_so(start_org: StartOrg, cli: Cli) -> None:
    org = start_org(groups=3, clients=[public()], faults=["token/reset@1"])
    cli = signed_in(cli, org)
    done = cli("pull", "acme.items", "--to", "lake", "--account", "acme")
    assert done.code == 1
    assert outcomes(org) == ["issued", "invalid_grant"]
    assert "an earlier request may have used it, whose response was lost" in done.err
    assert "sign in again, and put the new refresh token into ACME_REFRESH_TOKEN" in done.err


def test_a_token_that_is_refused_is_not_tried_over_and_over(start_org: StartOrg, cli: Cli) -> None:
    org = start_org(groups=3, clients=[public()])
    cli = signed_in(cli, org, ACME_REFRESH_TOKEN="r.unknown")
    done = cli("pull", "acme.items", "--to", "lake", "--account", "acme")
    assert (done.code, outcomes(org)) == (1, ["invalid_grant"])
    hint = "the refresh token is used up, or revoked; sign in again, and put the new refresh token into"
    assert f"{hint} ACME_REFRESH_TOKEN, or `refresh_token` below [acme] in circulate.toml" in done.err


@pytest.mark.parametrize("fault", ["429", "500", "503"])
def test_a_token_endpoint_in_trouble_does_not_cost_the_token(start_org: StartOrg, cli: Cli, fault: str) -> None:
    org = start_org(groups=3, clients=[public()], faults=[f"token/{fault}@1", f"token/{fault}@2"])
    # What a fault replaces was served: a server in trouble has not used the token, so this one's is not used up.
    org.set_client(public(rotates=False))
    cli = signed_in(cli, org)
    done = cli("pull", "acme.items", "--to", "lake", "--account", "acme")
    assert done.code == 0, done.err
    assert outcomes(org) == ["issued"] * 3


def test_who_signs_in_again_is_heard(start_org: StartOrg, cli: Cli) -> None:
    org = start_org(groups=3, clients=[public()])
    cli = signed_in(cli, org)
    for number in (1, 2):
        cli.environment["ACME_REFRESH_TOKEN"] = org.sign_in("0oa1", [SCOPE])
        assert cli("check", "acme").code == 0
        org.expire_tokens()
        assert outcomes(org) == ["issued"] * number
        assert len(kept_files(cli)) == number


@pytest.mark.parametrize("text", ["{", '{"schema": 9, "refresh_token": "x"}', "[]"])
def test_a_file_that_can_not_be_read_is_not_taken_for_none(start_org: StartOrg, cli: Cli, text: str) -> None:
    org = start_org(groups=3, clients=[public()])
    cli = signed_in(cli, org)
    assert cli("check", "acme").code == 0
    [file] = kept_files(cli)
    file.write_text(text)
    done = cli("check", "acme")
    assert (done.code, len(outcomes(org))) == (2, 1)
    assert "does not hold a refresh token of a known form" in done.err
    file.write_text("{}")
    file.chmod(0o644)
    assert "can be read by others" in cli("check", "acme").err


def stored(cli: Cli, aws: str, name: str, **fields: str) -> Cli:
    """Put what the command line has into a secret, and return one that has only that."""
    given = {"base_url": cli.environment.pop("ACME_URL"), "refresh_token": cli.environment.pop("ACME_REFRESH_TOKEN")}
    client("secretsmanager", aws).create_secret(Name=name, SecretString=json.dumps(given | fields))
    cli.environment.update(ACME_SECRET=name, AWS_ENDPOINT_URL=aws)
    return cli


def secret_of(aws: str, name: str) -> dict[str, str]:
    # The stage is the default, but this stand-in forgets that another version has become the current one.
    found = client("secretsmanager", aws).get_secret_value(SecretId=name, VersionStage="AWSCURRENT")
    fields: dict[str, str] = json.loads(found["SecretString"])
    return fields


def test_processes_at_once_share_a_token_in_a_secret(
    start_org: StartOrg, cli: Cli, strict_aws: str, tmp_path: Path
) -> None:
    org = start_org(groups=3, latency=0.1, clients=[public()])
    cli = stored(signed_in(cli, org), strict_aws, tmp_path.name, note="of somebody else")
    first = secret_of(strict_aws, tmp_path.name)
    for number in (1, 2, 3):
        start_all(cli, "check", "acme")
        org.expire_tokens()
        assert outcomes(org) == ["issued"] * number
    now = secret_of(strict_aws, tmp_path.name)
    assert now.pop("refresh_token") != first.pop("refresh_token")
    del now["circulate_tokens"]
    assert now == first, "the other fields are untouched"
    assert kept_files(cli) == []
    versions = client("secretsmanager", strict_aws).list_secret_version_ids(
        SecretId=tmp_path.name, IncludeDeprecated=True
    )["Versions"]
    assert len(versions) == 1 + 2 * 3, "a claim and what it led to, each time"


def test_who_puts_another_token_into_the_secret_is_heard(
    start_org: StartOrg, cli: Cli, aws: str, tmp_path: Path
) -> None:
    org = start_org(groups=3, clients=[public()])
    cli = stored(signed_in(cli, org), aws, tmp_path.name)
    assert cli("check", "acme").code == 0
    again = {"base_url": org.url, "refresh_token": org.sign_in("0oa1", [SCOPE])}
    client("secretsmanager", aws).put_secret_value(SecretId=tmp_path.name, SecretString=json.dumps(again))
    org.expire_tokens()
    assert cli("check", "acme").code == 0
    assert outcomes(org) == ["issued", "issued"]


def test_a_process_that_is_killed_before_the_last_step_is_helped_by_the_next(
    start_org: StartOrg, cli: Cli, strict_aws: str, tmp_path: Path
) -> None:
    org = start_org(groups=3, clients=[public()])
    cli = stored(signed_in(cli, org), strict_aws, tmp_path.name)
    first = secret_of(strict_aws, tmp_path.name)
    killed = cli.process("check", "acme", CIRCULATE_CRASH="at-refresh-token-put#1")
    assert killed.code == -signal.SIGKILL
    assert secret_of(strict_aws, tmp_path.name) == first
    done = cli("check", "acme")
    assert (done.code, outcomes(org)) == (0, ["issued"]), done.err


def test_the_next_token_is_kept_although_the_access_token_with_it_is_of_no_use(here: Path) -> None:
    """It is the only copy: the one before it is used up."""
    replies: list[dict[str, object]] = [
        {"access_token": "a b", "refresh_token": "r.second"},
        {"access_token": "t1", "token_type": "mac", "refresh_token": "r.third"},
        {"access_token": "t1", "refresh_token": "r.fourth"},
    ]

    def respond(sent: Sent) -> Reply | None:
        return Reply(replies[len(used(api)) - 1]) if sent.path == "/oauth2/v1/token" else Reply([])

    def used(api: SignedApi) -> list[str]:
        forms = [parse_qs(sent.body.decode()) for sent in api.requests if sent.path == "/oauth2/v1/token"]
        return [form["refresh_token"][0] for form in forms]

    catalog = [define(here)]
    with signed_api(lambda _: True, respond) as api:
        settings = {"base_url": api.url, "client_id": "0oa1", "refresh_token": "r.first"}
        for part in ("a token that no header can hold", "a `token_type` that is neither"):
            with pytest.raises(DataError, match=part):
                circulate_core.check("acme", settings=settings, catalog=catalog)
        circulate_core.check("acme", settings=settings, catalog=catalog)
        assert used(api) == ["r.first", "r.second", "r.third"]


def test_a_secret_with_a_token_that_is_refused_is_named(
    start_org: StartOrg, cli: Cli, strict_aws: str, tmp_path: Path
) -> None:
    org = start_org(groups=3, clients=[public()])
    cli = stored(signed_in(cli, org, ACME_REFRESH_TOKEN="r.unknown"), strict_aws, tmp_path.name)
    done = cli("check", "acme")
    assert (done.code, outcomes(org)) == (1, ["invalid_grant"])
    assert f"put the new refresh token into the field `refresh_token` of the secret `{tmp_path.name}`" in done.err


def test_a_function_keeps_its_token_in_a_secret_or_not_at_all(
    start_org: StartOrg, here: Path, aws: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    org = start_org(groups=3, clients=[public()])
    settings = {"base_url": org.url, "client_id": "0oa1", "refresh_token": org.sign_in("0oa1", [SCOPE])}
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "acme-items-list")
    with pytest.raises(SettingsError, match="no folder that outlives this process") as error:
        circulate_core.check("acme", settings=settings, catalog=[define(here)])
    assert "keep the settings in a secret of AWS Secrets Manager" in str(error.value.hint)
    assert outcomes(org) == []
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    client("secretsmanager", aws).create_secret(Name=here.name, SecretString=json.dumps(settings))
    circulate_core.check("acme", secret=here.name, catalog=[define(here)])
    assert outcomes(org) == ["issued"]


def test_nothing_is_sent_where_the_next_token_could_not_be_kept(start_org: StartOrg, cli: Cli) -> None:
    org = start_org(groups=3, clients=[public()])
    cli = signed_in(cli, org)
    (cli.folder / "file").touch()
    done = cli("check", "acme", XDG_STATE_HOME=str(cli.folder / "file"))
    assert (done.code, outcomes(org)) == (2, [])
    assert "cannot be made or looked at" in done.err
    assert "name another folder in XDG_STATE_HOME" in done.err


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (("      refresh_token: refresh_token\n", ""), "needs `refresh_token`, the setting that holds the first one"),
        (("      grant: refresh_token\n", ""), "used by the grant `refresh_token` alone"),
        (("refresh_token: refresh_token", "refresh_token: client_id"), "must be marked `secret: true`"),
        (
            ("grant: refresh_token", "grant: refreshing"),
            "unknown value `refreshing`; the values here are client_credentials",
        ),
    ],
)
def test_a_definition_that_can_not_do_it_is_refused(here: Path, change: tuple[str, str], part: str) -> None:
    with pytest.raises(DefinitionError, match=r"source\.yaml") as error:
        circulate_core.check("acme", settings={}, catalog=[define(here, change)])
    assert part in str(error.value)


def test_what_is_missing_is_named(here: Path) -> None:
    with pytest.raises(SettingsError, match="Acme needs `refresh_token`: what signing in gave"):
        circulate_core.check(
            "acme", settings={"base_url": "http://127.0.0.1:9", "client_id": "0oa1"}, catalog=[define(here)]
        )


def test_a_key_that_is_bound_to_a_public_client_stays_the_same(start_org: StartOrg, here: Path) -> None:
    org = start_org(groups=3, clients=[public(dpop=True)])
    settings = {"base_url": org.url, "client_id": "0oa1", "refresh_token": org.sign_in("0oa1", [SCOPE])}
    circulate_core.check("acme", settings=settings, catalog=[define(here)])
    [file] = (here / ".local/state/circulate/refresh-tokens").glob("*.json")
    assert json.loads(file.read_text())["dpop_jwk"]["crv"] == make_key("ES256")["crv"]
    org.revoke_client("0oa1")
    with pytest.raises(AuthError, match="invalid_client"):
        circulate_core.check("acme", settings=settings, catalog=[define(here)])
    assert os.environ["HOME"] == str(here)
