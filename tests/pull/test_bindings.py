"""A secret is for the definition that had it first; another one, or a new place, gets it after a person said yes."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.cli import Cli
from support.commands import PATIENCE
from support.http_server import Handler, Reply, Server
from support.packages import assert_reports
from support.terminal import read_or_nothing

import circulate_core
from circulate_core.catalogs import SHIPPED_CATALOG
from circulate_core.exceptions import SettingsError

CANARY = "00canary-of-okta"
WANTS_OKTAS = "wants OKTA_API_TOKEN, which is of `okta`, as it is shipped: nothing is sent there"


class Thief(Server):
    """An API of somebody who would like to have tokens."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        super().__init__(self.note)

    def note(self, request: Handler) -> Reply:
        """Keep what a request brought."""
        self.seen.append(request.headers.get("Authorization", "") + request.path)
        return Reply([])


@pytest.fixture
def thief() -> Iterator[Thief]:
    with Thief() as server:
        yield server


def define(folder: Path, url: str, *, source: str = "acme", env: str = "OKTA_API_TOKEN", secret: bool = True) -> Path:
    """Write a catalog whose definition sends a variable to an address, and return its folder."""
    home = folder / source
    home.mkdir(parents=True, exist_ok=True)
    auth = "[{header: {name: Authorization, secret: token}}]" if secret else "[none]"
    address = url if secret else f"{url}/{{token}}"
    (home / "source.yaml").write_text(
        f"source: {source}\ntitle: Acme\n"
        f"settings: {{token: {{env: {env}, about: its token, secret: {str(secret).lower()}}}}}\n"
        f'base_url: "{address}"\nauth: {auth}\ncheck: {{path: /items}}\n'
    )
    (home / "items.yaml").write_text(
        "endpoint: items\nabout: Items.\nlist: {path: /items, paginator: none, primary_key: [/id]}\n"
    )
    return folder


def bindings(state: Path) -> list[dict[str, object]]:
    """Return what is remembered."""
    document = json.loads((state / "circulate/bindings.json").read_text())
    found: list[dict[str, object]] = document["bindings"]
    return found


COMMANDS = [("check", "acme"), ("sample", "acme.items"), ("pull", "acme.items", "--to", "lake")]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
@pytest.mark.parametrize("secret", [True, False], ids=["as a secret", "as if it were none"])
def test_a_foreign_catalog_does_not_get_a_known_secret(
    cli: Cli, thief: Thief, command: tuple[str, ...], *, secret: bool
) -> None:
    catalog = define(cli.folder / "theirs", thief.url, secret=secret)
    for named in ({"CIRCULATE_CATALOG": str(catalog)}, {}):
        flags = () if named else ("--catalog", str(catalog))
        done = cli(*command, *flags, OKTA_API_TOKEN=CANARY, **named)
        assert_reports(done, 2, f"`acme`, defined in {catalog}, {WANTS_OKTAS}", f"--catalog {catalog} --trust")
        assert CANARY not in done.err
    assert thief.seen == []


def test_who_trusts_a_definition_says_so_once(cli: Cli, thief: Thief, users_state: Path) -> None:
    catalog = define(cli.folder / "mine", thief.url)
    given = {"OKTA_API_TOKEN": CANARY, "CIRCULATE_CATALOG": str(catalog)}
    assert cli("check", "acme", "--trust", **given).code == 0
    assert cli("check", "acme", **given).code == 0
    assert cli("pull", "acme.items", "--to", "lake", **given).code == 0
    file = users_state / "circulate/bindings.json"
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    expected = {"secret": "OKTA_API_TOKEN", "catalog": str(catalog), "source": "acme", "origins": [thief.url]}
    assert bindings(users_state) == [expected]
    assert CANARY not in file.read_text()


def test_a_variable_of_ones_own_is_bound_by_its_first_use_and_then_no_others(cli: Cli, thief: Thief) -> None:
    mine, theirs = cli.folder / "mine", cli.folder / "theirs"
    define(mine, thief.url, env="MY_TOKEN")
    define(mine, thief.url, source="more", env="MY_TOKEN")
    define(theirs, thief.url, source="other", env="MY_TOKEN")
    for source in ("acme", "more", "acme"):
        assert cli("check", source, "--catalog", mine, MY_TOKEN=CANARY).code == 0
    seen = len(thief.seen)
    done = cli("check", "other", "--catalog", theirs, MY_TOKEN=CANARY)
    assert_reports(done, 2, f"wants MY_TOKEN, which is of `acme`, defined in {mine}: nothing is sent there")
    assert len(thief.seen) == seen


def test_a_new_origin_of_a_definition_is_asked_about(cli: Cli, thief: Thief) -> None:
    catalog = define(cli.folder / "mine", thief.url, env="MY_TOKEN")
    assert cli("check", "acme", "--catalog", catalog, MY_TOKEN=CANARY).code == 0
    with Thief() as elsewhere:
        define(cli.folder / "mine", elsewhere.url, env="MY_TOKEN")
        done = cli("check", "acme", "--catalog", catalog, MY_TOKEN=CANARY)
        assert_reports(done, 2, f"sends MY_TOKEN to {elsewhere.url}, which went to {thief.url} so far")
        assert elsewhere.seen == []
        assert cli("check", "acme", "--catalog", catalog, "--trust", MY_TOKEN=CANARY).code == 0
        assert cli("check", "acme", "--catalog", catalog, MY_TOKEN=CANARY).code == 0


def test_a_catalog_that_moved_is_the_same(cli: Cli, thief: Thief) -> None:
    catalog = define(cli.folder / "mine", thief.url, env="MY_TOKEN")
    assert cli("check", "acme", "--catalog", catalog, MY_TOKEN=CANARY).code == 0
    moved = catalog.rename(cli.folder / "moved")
    assert cli("check", "acme", "--catalog", moved, MY_TOKEN=CANARY).code == 0


def test_a_catalog_that_takes_the_name_of_a_shipped_source_does_not_get_its_section(
    cli: Cli, thief: Thief, tmp_path: Path
) -> None:
    catalog = define(cli.folder / "theirs", thief.url, source="okta", env="THEIR_TOKEN")
    config = tmp_path / ".config/circulate/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(f'[okta]\ntoken = "{CANARY}"\n')
    config.chmod(0o600)
    done = cli("check", "okta", "--catalog", catalog)
    assert_reports(done, 2, f"wants `token` from {config}, which is of `okta`, as it is shipped")
    done = cli("check", "okta", "--catalog", catalog, "--secret", "prod/okta", THEIR_TOKEN="x")
    assert_reports(done, 2, "wants the secret `prod/okta`, which is of `okta`, as it is shipped")
    assert thief.seen == []


@pytest.mark.parametrize("name", ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"])
def test_what_all_aws_tools_read_is_nobodys_first(cli: Cli, thief: Thief, name: str) -> None:
    catalog = define(cli.folder / "theirs", thief.url, env=name)
    assert_reports(cli("check", "acme", "--catalog", catalog, **{name: CANARY}), 2, f"wants {name}, which is of AWS")


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 2), ("", 2)])
def test_a_person_at_a_terminal_is_asked(cli: Cli, thief: Thief, answer: str, code: int) -> None:
    catalog = define(cli.folder / "theirs", thief.url)
    ours, terminal = os.openpty()
    command = cli.command("check", "acme", "--catalog", catalog)
    environment = cli.environment | {"OKTA_API_TOKEN": CANARY, "TERM": "xterm"}
    with subprocess.Popen(
        command, cwd=cli.folder, env=environment, stdin=terminal, stderr=terminal, stdout=subprocess.DEVNULL
    ) as process:
        os.close(terminal)
        shown = b""
        while b"[y/N]" not in shown:
            shown += (chunk := read_or_nothing(ours))
            assert chunk, shown.decode()
        assert thief.seen == []
        os.write(ours, f"{answer}\n".encode())
        while chunk := read_or_nothing(ours):
            shown += chunk
        assert process.wait(timeout=PATIENCE) == code, shown.decode()
    os.close(ours)
    assert "wants OKTA_API_TOKEN, which is of `okta`, as it is shipped" in shown.decode()
    assert bool(thief.seen) == (code == 0)
    assert cli("check", "acme", "--catalog", catalog, OKTA_API_TOKEN=CANARY).code == code


def test_code_and_notebooks_are_refused_too(thief: Thief, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog = [define(tmp_path / "theirs", thief.url)]
    monkeypatch.setenv("OKTA_API_TOKEN", CANARY)
    for call in (
        lambda: circulate_core.check("acme", catalog=catalog),
        lambda: circulate_core.pull("acme.items", to=tmp_path / "lake", catalog=catalog),
        lambda: circulate_core.source("acme", catalog=catalog).stream("items").sample(),
    ):
        with pytest.raises(SettingsError, match="which is of `okta`, as it is shipped") as error:
            call()
        assert "circulate check acme --catalog" in str(error.value.hint)
    assert thief.seen == []
    # Whoever gives a secret by name, or writes the definition itself, decides where it goes.
    circulate_core.check("acme", settings={"token": "given"}, catalog=catalog)
    assert thief.seen == ["given/items"]


def test_a_shipped_definition_gets_its_own_without_a_word(cli: Cli, thief: Thief, users_state: Path) -> None:
    cli("check", "okta", OKTA_API_TOKEN=CANARY, OKTA_ORG_URL=thief.url)
    assert len(thief.seen) == 1
    assert [each["catalog"] for each in bindings(users_state)] == ["shipped"]


@pytest.mark.parametrize("text", ["{", "[]", '{"schema": 9}', '{"schema": 1, "bindings": [{}]}', "\0"])
def test_a_file_that_can_not_be_read_is_not_taken_for_none(
    cli: Cli, thief: Thief, users_state: Path, text: str
) -> None:
    catalog = define(cli.folder / "mine", thief.url, env="MY_TOKEN")
    (users_state / "circulate").mkdir()
    (users_state / "circulate/bindings.json").write_text(text)
    done = cli("check", "acme", "--catalog", catalog, MY_TOKEN=CANARY)
    assert_reports(done, 2, "does not say which definitions may have which secrets", "remove it")
    assert thief.seen == []


def test_nobody_is_asked_where_nothing_can_be_remembered(cli: Cli, thief: Thief) -> None:
    catalog = define(cli.folder / "mine", thief.url)
    given = {"OKTA_API_TOKEN": CANARY, "CIRCULATE_CATALOG": str(catalog)}
    assert cli("check", "acme", **given, AWS_LAMBDA_FUNCTION_NAME="acme-items-list").code == 0
    (cli.folder / "file").touch()
    assert cli("check", "acme", **given, XDG_STATE_HOME=str(cli.folder / "file")).code == 0


def test_many_at_once_forget_nothing(cli: Cli, thief: Thief, users_state: Path) -> None:
    catalog = cli.folder / "mine"
    names = [f"acme{number}" for number in range(6)]
    for name in names:
        define(catalog, thief.url, source=name, env=f"{name.upper()}_TOKEN")
    cli.environment.update({f"{name.upper()}_TOKEN": CANARY for name in names})
    processes = [cli.start("check", name, "--catalog", catalog) for name in names]
    for process in processes:
        process.communicate(timeout=PATIENCE)
    assert sorted(str(each["source"]) for each in bindings(users_state)) == names


def test_a_copy_of_a_shipped_source_is_that_source_until_it_signs_in_otherwise(cli: Cli, thief: Thief) -> None:
    catalog = cli.folder / "catalog"
    shutil.copytree(SHIPPED_CATALOG, catalog)
    given = {"OKTA_API_TOKEN": CANARY, "OKTA_ORG_URL": thief.url}
    cli("check", "okta", "--catalog", catalog, **given)
    assert len(thief.seen) == 1
    source = catalog / "okta/source.yaml"
    source.write_text(source.read_text().replace('base_url: "{org_url}"', f'base_url: "{thief.url}/{{org_url}}"'))
    assert thief.url in source.read_text()
    assert_reports(cli("check", "okta", "--catalog", catalog, **given), 2, "wants OKTA_API_TOKEN, which is of `okta`")
    assert len(thief.seen) == 1
