"""Catalogs of one's own: who names them, what of them is wrong, and what is not sent where they lead."""

import ctypes
import os
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.cli import Cli
from support.own_source import SOURCE, STREAM, TOKEN, WIDGETS, acme, digests, make_own_source, replace, settings
from support.packages import assert_reports, write

import circulate_core
from circulate_core import _core
from circulate_practice.compare import compare

OF_ACME = '[acme]\nurl = "{url}"\napi_token = "{token}"\n'


@pytest.fixture(scope="module")
def api() -> Iterator[str]:
    with acme() as url:
        yield url


@pytest.fixture
def project(cli: Cli) -> Cli:
    """Make a folder with definitions; nothing is in the environment."""
    make_own_source(cli.folder)
    return cli


@pytest.fixture
def own(project: Cli, api: str) -> Cli:
    """Make the same with the settings of the source in the environment."""
    return Cli(project.folder, project.environment | settings(api), project.place)


def configure(folder: Path, *parts: str, name: str = "circulate.toml") -> Path:
    """Write a config file that nobody else can read."""
    file = write(folder / name, "\n".join(parts))
    file.chmod(0o600)
    return file


def of_acme(url: str) -> str:
    return OF_ACME.format(url=url, token=TOKEN)


COMMANDS = [
    ("list", "acme"),
    ("describe", "acme"),
    ("describe", STREAM),
    ("check", STREAM),
    ("sample", STREAM),
    ("schema", STREAM),
    ("pull", STREAM, "--to", "lake"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_catalog_is_named_by_flag_by_variable_or_by_config_file(
    own: Cli, command: tuple[str, ...], api: str, tmp_path: Path
) -> None:
    assert own(*command).code == 2
    assert own(*command, "--catalog", "definitions").code == 0
    assert own(*command, CIRCULATE_CATALOG="definitions").code == 0
    home = tmp_path / "home"
    of_user = f'catalog = ["{own.folder}/definitions"]'
    configure(home / ".config/circulate", of_user, name="config.toml")
    assert own(*command, HOME=str(home)).code == 0
    configure(own.folder, 'catalog = ["definitions"]', of_acme(api))
    assert own(*command, ACME_URL="", ACME_API_TOKEN="").code == 0


def test_what_is_pulled_by_it_is_what_the_api_has(own: Cli) -> None:
    done = own("pull", STREAM, "--to", "lake", "--catalog", "definitions", "--json")
    assert compare(own.folder / "lake" / done.report["manifest"], digests()).identical


def test_folders_of_a_config_file_are_relative_to_it(own: Cli) -> None:
    (own.folder / "elsewhere").mkdir()
    (own.folder / "definitions").rename(own.folder / "elsewhere/definitions")
    config = configure(own.folder / "elsewhere", 'catalog = ["definitions"]', name="any.toml")
    assert own("pull", STREAM, "--to", "lake", "--config", config).code == 0
    assert own("check", "acme", "--config", "elsewhere/any.toml").err.endswith(
        "--config elsewhere/any.toml --to ./lake\n"
    )


def test_several_catalogs_come_before_the_shipped_one(own: Cli) -> None:
    write(own.folder / "others/beta/source.yaml", SOURCE.replace("acme", "beta").replace("Acme", "Beta"))
    write(own.folder / "others/beta/parts.yaml", WIDGETS.replace("widgets", "parts"))
    both = own("list", "--catalog", "definitions", "--catalog", "others")
    by_variable = own("list", CIRCULATE_CATALOG="definitions:others")
    assert both.out == by_variable.out
    assert {"acme.widgets", "beta.parts", "okta.users"} <= {line.split()[0] for line in both.out.splitlines() if line}


def test_flag_and_variable_come_before_the_config_file(own: Cli) -> None:
    configure(own.folder, 'catalog = ["nowhere"]')
    assert own("list", "acme", "--catalog", "definitions").code == 0
    assert own("list", "acme", CIRCULATE_CATALOG="definitions").code == 0
    other = configure(own.folder, "", name="other.toml")
    assert own("check", "okta", "--config", other).err.startswith("Okta")


def test_the_functions_of_the_package_find_the_same_catalogs(
    own: Cli, api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(own.folder)
    for name, value in settings(api).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CIRCULATE_CATALOG", "definitions")
    report = circulate_core.pull(STREAM, to=own.folder / "lake")
    assert (report.status, report.records) == ("complete", 120)
    assert circulate_core.source("acme").check().account
    monkeypatch.delenv("CIRCULATE_CATALOG")
    configure(own.folder, 'catalog = ["definitions"]')
    with pytest.raises(
        circulate_core.SettingsError, match="`api_token` comes from ACME_API_TOKEN: it is not sent there"
    ):
        circulate_core.pull(STREAM, to=own.folder / "lake")


@pytest.mark.parametrize("name", ["acme", "okta"])
def test_nothing_is_sent_where_a_definition_leads_that_only_the_working_folder_names(
    own: Cli, api: str, name: str
) -> None:
    # As of somebody who wants the credentials of whoever works in this folder.
    if name == "okta":
        (own.folder / "definitions/acme").rename(own.folder / "definitions/okta")
        replace(own.folder / "definitions/okta/source.yaml", "source: acme", "source: okta")
    source = own.folder / f"definitions/{name}/source.yaml"
    configure(own.folder, 'catalog = ["definitions"]')
    refused = ("circulate.toml in the working folder says where Acme is defined", "it is not sent there", "--catalog")
    for command in (("check", name), ("pull", f"{name}.widgets", "--to", "lake"), ("sample", f"{name}.widgets")):
        assert_reports(own(*command), 2, *refused, "`api_token` comes from ACME_API_TOKEN")
    for names_nothing in ("", ":", "::"):
        assert_reports(own("check", name, CIRCULATE_CATALOG=names_nothing), 2, *refused)
    assert_reports(
        own("check", name, "--secret", "circulate/acme", ACME_API_TOKEN=""), 2, "the secret `circulate/acme`"
    )
    # A definition may also read a secret as if it were none, and put it into the address.
    replace(source, "env: ACME_URL", "env: GITHUB_TOKEN")
    assert_reports(own("check", name, ACME_API_TOKEN="", GITHUB_TOKEN="canary"), 2, *refused, "from GITHUB_TOKEN")
    replace(source, "env: GITHUB_TOKEN", "env: ACME_URL")
    assert own("check", name, "--config", "circulate.toml").code == 0
    assert own("check", name, "--catalog", "definitions").code == 0
    assert own("check", name, CIRCULATE_CATALOG="definitions").code == 0
    configure(own.folder, 'catalog = ["definitions"]', of_acme(api).replace("acme", name))
    assert own("check", name, ACME_URL="", ACME_API_TOKEN="").code == 0


@pytest.mark.parametrize(
    ("catalog", "parts"),
    [
        ('"definitions"', ("`catalog` in circulate.toml is not a list of folders", 'catalog = ["definitions"]')),
        ("[1]", ("`catalog` in circulate.toml is not a list of folders",)),
        ('[""]', ("`catalog` in circulate.toml is not a list of folders",)),
        ('["nowhere"]', ("cannot read the catalog nowhere: No such file or directory", "a catalog is a folder with")),
        ('["circulate.toml"]', ("cannot read the catalog circulate.toml: Not a directory",)),
        ('["definitions/acme"]', ("definitions/acme is the folder of a source", "that it is in: definitions")),
        ('["lambdas"]', ("the catalog lambdas has no source",)),
        ('["definitions", "copy"]', ("the source `acme` is defined in two catalogs: in definitions and in copy",)),
        ("[", ("circulate.toml is not TOML",)),
    ],
)
def test_what_is_wrong_with_catalogs_is_said(project: Cli, catalog: str, parts: tuple[str, ...]) -> None:
    write(project.folder / "copy/acme/source.yaml", SOURCE)
    configure(project.folder, f"catalog = {catalog}\n")
    for command in (("list",), ("check", "acme"), ("pull", STREAM, "--to", "lake")):
        assert_reports(project(*command), 2, *parts)


def test_a_catalog_that_is_written_into_a_section_is_shown_its_place(project: Cli) -> None:
    configure(project.folder, '[okta]\norg_url = "https://acme.okta.com"\ncatalog = ["definitions"]\n')
    said = ("[okta] in circulate.toml must hold strings only", "hint: `catalog` stands at the top of the file")
    assert_reports(project("pull", "okta.users", "--to", "lake"), 2, *said)


def test_a_source_may_be_named_as_the_key_is(project: Cli, api: str) -> None:
    (project.folder / "definitions/acme").rename(project.folder / "definitions/catalog")
    replace(project.folder / "definitions/catalog/source.yaml", "source: acme", "source: catalog")
    configure(project.folder, of_acme(api).replace("[acme]", "[catalog]"))
    assert project("check", "catalog", "--catalog", "definitions", "--config", "circulate.toml").code == 0


def test_a_definition_in_place_of_a_shipped_one_is_shown_as_such(project: Cli) -> None:
    assert "defined in   definitions/acme\n" in project("describe", "acme", "--catalog", "definitions").out
    assert "defined in" not in project("describe", "okta", "--catalog", "definitions").out
    (project.folder / "definitions/acme").rename(project.folder / "definitions/okta")
    replace(project.folder / "definitions/okta/source.yaml", "source: acme", "source: okta")
    shown = project("describe", "okta", "--catalog", "definitions").out
    assert "defined in   definitions/okta, in place of the shipped definition\n" in shown


@pytest.mark.parametrize("command", [("list",), *COMMANDS[1:]], ids=" ".join)
@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("widgets", "paginator", "paginatr", "widgets.yaml:7:3: unknown key `paginatr` (did you mean `paginator`?)"),
        ("widgets", "endpoint: widgets", "endpoint: gadgets", "`endpoint: gadgets` differs from its endpoint name"),
        ("source", "prefix:", "prefx:", "source.yaml:8:35: unknown key `prefx` (did you mean `prefix`?)"),
        ("source", "source: acme", "source: [", "source.yaml:1:9: expected a string"),
    ],
)
def test_a_mistake_in_a_definition_is_shown_with_its_place_by_every_command(  # noqa: PLR0913, PLR0917 - of one table
    own: Cli, command: tuple[str, ...], file: str, old: str, new: str, said: str
) -> None:
    if command == ("describe", "acme"):
        # A source is shown without reading its streams.
        file, old, new, said = "source", "prefix:", "prefx:", "source.yaml:8:35: unknown key `prefx`"
    replace(own.folder / f"definitions/acme/{file}.yaml", old, new)
    assert_reports(own(*command, "--catalog", "definitions"), 2, said, f"definitions/acme/{file}.yaml")


def test_a_stream_is_found_without_looking_at_the_others(tmp_path: Path) -> None:
    """Else an import of 5,000 lists, each of which is checked by itself, looks at 25,000,000 names."""
    make_own_source(tmp_path)
    folder = tmp_path / "definitions/acme"
    catalog = _core.Catalog([tmp_path / "definitions"], None, {})
    with opened(folder) as count:
        catalog.streams()
        assert count() == 1
        catalog.stream(STREAM)
        assert count() == 0


@contextmanager
def opened(folder: Path) -> Iterator[Callable[[], int]]:
    """Count how often a folder is opened to be listed: since the count before, by inotify."""
    if sys.platform != "linux":
        pytest.skip("inotify is there on Linux alone")
    libc = ctypes.CDLL(None, use_errno=True)
    events = libc.inotify_init1(os.O_NONBLOCK)
    try:
        assert libc.inotify_add_watch(events, os.fsencode(folder), 0x20) > 0, os.strerror(ctypes.get_errno())
        yield lambda: _of_the_folder(events)
    finally:
        os.close(events)


def _of_the_folder(events: int) -> int:
    """Count the events of the folder itself, which have no name."""
    try:
        read = os.read(events, 65536)
    except BlockingIOError:
        return 0
    found, at = 0, 0
    while at < len(read):
        _, mask, _, length = struct.unpack_from("iIII", read, at)
        found += length == 0 and bool(mask & 0x40000000)
        at += 16 + length
    return found
