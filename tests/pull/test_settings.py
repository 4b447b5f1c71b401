"""Where secrets may go: a file that somebody put into the working folder does not lead them astray."""

import asyncio
import json
from pathlib import Path

import pytest
from support.cli import Cli, Done, StartOrg
from support.places import client

import circulate_core
from circulate_core.exceptions import SettingsError
from circulate_practice import OAuthClient, PracticeOrg, make_key

CANARY = "00canary"
FILE = "circulate.toml"


@pytest.fixture
def thief(start_org: StartOrg) -> PracticeOrg:
    """Start a server that somebody else's file leads to, and that would take any token."""
    return start_org(users=3, token=CANARY)


def lead(folder: Path, address: str, *lines: str, source: str = "okta", setting: str = "org_url") -> Path:
    """Put a file that names an address into a folder."""
    file = folder / FILE
    file.write_text("\n".join([f"[{source}]", f'{setting} = "{address}"', *lines, ""]))
    file.chmod(0o600)
    return file


def assert_kept_home(done: Done, thief: PracticeOrg, *parts: str) -> None:
    """Nothing was requested, and the error names both and what to do."""
    assert done.code == 2, done.err
    assert "error: `" in done.err
    for part in (FILE, "in the working folder", "it is not sent there", "--config", *parts):
        assert part in done.err
    assert CANARY not in done.err
    assert thief.request_count == 0


@pytest.mark.parametrize("command", [("check", "okta"), ("pull", "okta.users", "--to", "lake")], ids=lambda c: c[0])
def test_the_environments_token_does_not_go_where_a_file_in_the_folder_says(
    cli: Cli, thief: PracticeOrg, command: tuple[str, ...]
) -> None:
    lead(cli.folder, thief.url)
    done = cli(*command, OKTA_API_TOKEN=CANARY)
    assert_kept_home(done, thief, "`api_token` comes from OKTA_API_TOKEN", "`org_url`", "set OKTA_ORG_URL")
    # The file's own token does not make the environment's one, which is used, the file's.
    lead(cli.folder, thief.url, 'api_token = "own"')
    assert_kept_home(cli(*command, OKTA_API_TOKEN=CANARY), thief)


def test_a_client_secret_does_not_go_where_a_file_in_the_folder_gets_tokens(cli: Cli, thief: PracticeOrg) -> None:
    lead(cli.folder, f"{thief.url}/oauth2/v1/token", 'client_id = "0oa1"', setting="token_url")
    done = cli("check", "okta", OKTA_CLIENT_SECRET=CANARY, OKTA_ORG_URL=thief.url)
    assert_kept_home(done, thief, "`client_secret` comes from OKTA_CLIENT_SECRET", "`token_url`")


@pytest.mark.parametrize("named_by", ["flag", "environment", "file"])
def test_a_stored_secret_does_not_go_there_whoever_names_it(
    cli: Cli, thief: PracticeOrg, aws: str, named_by: str
) -> None:
    secret = json.dumps({"org_url": "https://acme.okta.com", "api_token": CANARY})
    client("secretsmanager", aws).create_secret(Name="prod/okta", SecretString=secret)
    lead(cli.folder, thief.url, *(['secret = "prod/okta"'] if named_by == "file" else []))
    flag = ("--secret", "prod/okta") if named_by == "flag" else ()
    variable = {"OKTA_SECRET": "prod/okta"} if named_by == "environment" else {}
    done = cli("check", "okta", *flag, AWS_ENDPOINT_URL=aws, **variable)
    assert_kept_home(done, thief, "the secret `prod/okta` comes from AWS Secrets Manager")


def test_an_address_in_a_stored_secret_that_the_file_names_gets_nothing_else(
    cli: Cli, thief: PracticeOrg, aws: str
) -> None:
    client("secretsmanager", aws).create_secret(Name="evil/okta", SecretString=json.dumps({"org_url": thief.url}))
    config = cli.folder / "circulate.toml"
    config.write_text('[okta]\nsecret = "evil/okta"\n')
    config.chmod(0o600)
    done = cli("check", "okta", AWS_ENDPOINT_URL=aws, OKTA_API_TOKEN=CANARY)
    assert (done.code, thief.request_count, CANARY in done.err) == (2, 0, False), done.err
    assert "the secret `evil/okta` from circulate.toml in the working folder may say where Okta is" in done.err
    whole = json.dumps({"org_url": thief.url, "api_token": "of-the-secret"})
    client("secretsmanager", aws).create_secret(Name="whole/okta", SecretString=whole)
    config.write_text('[okta]\nsecret = "whole/okta"\n')
    cli("check", "okta", AWS_ENDPOINT_URL=aws)
    assert thief.request_count == 1, "who has no secret elsewhere may keep all in one that the file names"


def test_a_token_file_is_not_used_there(cli: Cli, thief: PracticeOrg) -> None:
    lead(cli.folder, thief.url, 'token_profile = "prod"')
    assert_kept_home(cli("check", "okta"), thief, "the token of the profile `prod`")
    lead(cli.folder, thief.url)
    assert_kept_home(cli("check", "okta", OKTA_TOKEN_PROFILE="prod"), thief)


def test_a_key_file_elsewhere_does_not_sign_for_it(
    cli: Cli, start_org: StartOrg, tmp_path_factory: pytest.TempPathFactory
) -> None:
    key = make_key("ES256")
    org = start_org(clients=[OAuthClient(client_id="0oa1", scopes=["okta.users.read"], keys=[key])])
    elsewhere, here = tmp_path_factory.mktemp("home") / "key.json", cli.folder / "key.json"
    for file in (elsewhere, here):
        file.write_text(json.dumps(key))
        file.chmod(0o600)
    lead(cli.folder, org.url, 'client_id = "0oa1"', f'private_key = "{elsewhere}"')
    assert_kept_home(cli("check", "okta"), org, f"`private_key` comes from {elsewhere}")
    lead(cli.folder, org.url, 'client_id = "0oa1"', 'private_key = "key.json"')
    done = cli("check", "okta")
    assert done.code == 0, done.err


def test_a_part_of_an_address_is_bound_too(cli: Cli, thief: PracticeOrg) -> None:
    folder = cli.folder / "catalog/acme"
    folder.mkdir(parents=True)
    (folder / "source.yaml").write_text(
        "source: acme\ntitle: Acme\nsettings:\n"
        "  port: {env: ACME_PORT, about: a part of the address}\n"
        "  key: {env: ACME_KEY, about: a key, secret: true}\n"
        'base_url: "http://127.0.0.1:{port}"\n'
        "auth: [{header: {name: Authorization, prefix: 'SSWS ', secret: key}}]\n"
        "check: {path: /api/v1/users}\n"
    )
    lead(cli.folder, thief.url.rpartition(":")[2], source="acme", setting="port")
    done = cli("check", "acme", "--catalog", "catalog", ACME_KEY=CANARY)
    assert_kept_home(done, thief, "`port`", "`key` comes from ACME_KEY")


def test_a_file_in_the_folder_of_a_notebook_leads_nothing_astray(
    thief: PracticeOrg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OKTA_API_TOKEN", CANARY)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    lead(tmp_path, thief.url)
    with pytest.raises(SettingsError, match="it is not sent there"):
        circulate_core.source("okta").stream("users").sample()
    with pytest.raises(SettingsError, match="`api_token` comes given"):
        circulate_core.source("okta", settings={"api_token": CANARY}).stream("users").sample()
    assert thief.request_count == 0


def test_a_relative_config_folder_is_of_the_working_folder_and_left_alone(cli: Cli, thief: PracticeOrg) -> None:
    (cli.folder / "conf/circulate").mkdir(parents=True)
    lead(cli.folder / "conf/circulate", thief.url).rename(cli.folder / "conf/circulate/config.toml")
    done = cli("check", "okta", OKTA_API_TOKEN=CANARY, XDG_CONFIG_HOME="conf")
    assert (done.code, "needs `org_url`" in done.err, thief.request_count) == (2, True, 0)


def test_what_a_user_says_is_followed(cli: Cli, thief: PracticeOrg) -> None:
    """The address from a file that is named, from the user's own, from the environment, by flag; or all from one."""
    file = lead(cli.folder, thief.url)
    assert cli("check", "okta", "--config", FILE, OKTA_API_TOKEN=CANARY).code == 0
    assert cli("check", "okta", OKTA_API_TOKEN=CANARY, OKTA_ORG_URL=thief.url).code == 0
    assert cli("check", "okta", "--set", f"org_url={thief.url}", OKTA_API_TOKEN=CANARY).code == 0
    lead(cli.folder, thief.url, f'api_token = "{CANARY}"', 'account = "named"')
    assert "named" in cli("check", "okta").err
    own = cli.folder / ".config/circulate/config.toml"
    own.parent.mkdir(parents=True)
    file.rename(own)
    assert cli("check", "okta").code == 0
    lead(own.parent, thief.url).rename(own)
    assert cli("check", "okta", OKTA_API_TOKEN=CANARY).code == 0
    # What names no address may come from anywhere.
    (cli.folder / FILE).write_text('[okta]\naccount = "mine"\n')
    assert "mine" in cli("check", "okta", OKTA_API_TOKEN=CANARY, OKTA_ORG_URL=thief.url).err


def test_a_password_in_an_address_is_not_shown(cli: Cli) -> None:
    done = cli("check", "okta", OKTA_ORG_URL=f"https://user:{CANARY}@acme.okta.com", OKTA_API_TOKEN="x" * 20)
    assert done.code == 2
    assert CANARY not in done.out + done.err


def test_what_was_put_in_the_place_of_a_setting_is_not_shown(cli: Cli) -> None:
    done = cli("check", "okta", "--set", f"api_token:{CANARY}")
    assert (done.code, CANARY in done.err, "KEY=VALUE" in done.err) == (2, False, True), done.err


def test_a_config_file_without_bottom_is_no_crash(cli: Cli) -> None:
    (cli.folder / FILE).write_text("x = " + "[" * 5_000)
    done = cli("check", "okta")
    assert (done.code, "Traceback" in done.err, "nested too deeply" in done.err) == (2, False, True), done.err


def test_a_setting_that_is_no_unicode_is_reported_as_that(cli: Cli) -> None:
    done = cli("check", "okta", OKTA_ORG_URL="https://acme.okta.com", OKTA_API_TOKEN="00a\udcff")
    assert (done.code, "`api_token` is not Unicode" in done.err) == (2, True), done.err


def test_functions_find_settings_as_sources_and_commands_do(
    start_org: StartOrg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    org = start_org(users=3)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OKTA_API_TOKEN", org.token)
    with pytest.raises(SettingsError, match="needs `org_url`"):
        circulate_core.pull("okta.users", to="lake")
    monkeypatch.setenv("OKTA_ORG_URL", org.url)
    lead(tmp_path, "https://elsewhere.example", 'account = "acme"')
    assert circulate_core.check("okta").account == "acme"
    assert circulate_core.pull("okta.users", to="lake").account == "acme"
    pulled = asyncio.run(circulate_core.pull_async("okta.users", to="lake", mode="full"))
    assert (pulled.account, pulled.records) == ("acme", 3)
    given = circulate_core.pull("okta.users", to="other", account="given", settings={"org_url": org.url})
    assert (given.account, given.records) == ("given", 3)


def test_functions_keep_secrets_from_an_address_of_a_file_in_the_folder(
    thief: PracticeOrg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OKTA_API_TOKEN", CANARY)
    lead(tmp_path, thief.url)
    for use in (
        lambda: circulate_core.check("okta"),
        lambda: circulate_core.pull("okta.users", to="lake"),
        lambda: circulate_core.pull("okta.users", to="lake", settings={"api_token": CANARY}),
        lambda: asyncio.run(circulate_core.pull_async("okta.users", to="lake")),
    ):
        with pytest.raises(SettingsError, match="it is not sent there"):
            use()
    assert thief.request_count == 0


def test_a_warning_names_the_line_of_the_user(
    start_org: StartOrg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    org = start_org(users=3)
    monkeypatch.chdir(tmp_path)
    lead(tmp_path, org.url, f'api_token = "{org.token}"').chmod(0o644)
    for use in (
        lambda: circulate_core.source("okta"),
        lambda: circulate_core.check("okta"),
        lambda: circulate_core.pull("okta.users", to="lake"),
    ):
        with pytest.warns(UserWarning, match="can be read by others") as warned:
            use()
        assert [warning.filename for warning in warned] == [__file__]


def test_all_unknown_settings_are_named_at_once_with_those_that_were_meant() -> None:
    with pytest.raises(
        SettingsError, match=r"Okta has no settings `api_tokn`, `org_ur`, `zzz` \(given by `settings`\)"
    ) as caught:
        circulate_core.pull("okta.users", to="lake", settings={"org_ur": "x", "api_tokn": "y", "zzz": "z"})
    assert caught.value.hint
    assert caught.value.hint.startswith("did you mean `api_token`, `org_url`? its settings: ")
    with pytest.raises(SettingsError, match="has no setting `zzz`") as caught:
        circulate_core.source("okta", settings={"zzz": "z"})
    assert str(caught.value.hint).startswith("its settings: ")
