"""Options are declared once, in the engine: whatever else names one is tested against that."""

from __future__ import annotations

import inspect
import os
import re
import typing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import circulate_core
from circulate_core import _core, promoting, pulling, reading, upkeep
from circulate_core.cli.main import build_parser
from circulate_core.cli.options import flag_help
from circulate_core.cli.pull import NO_FLAGS
from circulate_core.options import described
from circulate_core.types import PullOptions, S3Options, StreamPullOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.cli import Cli

    from circulate_core._core import DeclaredOption

GUIDE = Path(__file__).resolve().parents[2] / "python/docs/python.md"
FUNCTIONS: dict[str, Callable[..., object]] = {
    "pull": pulling.pull,
    "promote": promoting.promote,
    "gc": upkeep.gc,
}
NOWHERE = {"org_url": "http://127.0.0.1:9", "api_token": "x"}
TYPES = {"TIME": "Time", "SPAN": "Length", "SIZE": "Size", "N": "int", "NAME": "str", "FLAG": "bool"}


def annotation(option: DeclaredOption) -> str:
    """The type of an option in a signature."""
    quoted = ", ".join(f'"{choice}"' for choice in option.choices)
    kind = f"Literal[{quoted}]" if option.choices else TYPES[option.kind]
    return kind if option.default or option.kind == "FLAG" else f"{kind} | None"


def documented(option: DeclaredOption) -> str:
    """What a docstring says about an option."""
    default = option.default or option.left_out
    return f"{option.about} Default: {default}." if default else option.about


@pytest.mark.parametrize("name", FUNCTIONS)
def test_signatures_have_the_declared_options(name: str) -> None:
    parameters = inspect.signature(FUNCTIONS[name]).parameters
    for option in _core.declared_options(name):
        default = False if option.kind == "FLAG" else option.default
        parameter = parameters[option.name]
        assert (parameter.annotation.replace("'", '"'), parameter.default) == (annotation(option), default), option.name


@pytest.mark.parametrize("name", FUNCTIONS)
def test_docstrings_say_what_is_declared(name: str) -> None:
    entries = described(FUNCTIONS[name])
    for option in _core.declared_options(name):
        entry = " ".join(entries[option.name].split())
        assert entry == f"{option.name}: {documented(option)}", option.name


def test_every_parameter_of_a_pull_is_declared_or_has_a_reason() -> None:
    parameters = list(inspect.signature(pulling.pull).parameters)
    of_account = ["settings", "profile", "secret", "account", "headroom"]
    declared = [option.name for option in _core.declared_options("pull")]
    others = ["state", "s3", "catalog", "on_progress", "stop", "request"]
    assert parameters == ["stream", "to", *of_account, *declared, *others]


def test_the_typed_dict_of_a_pull_has_its_parameters() -> None:
    parameters = inspect.signature(pulling.pull).parameters
    but = {"stream", "on_progress", "stop"}
    assert set(PullOptions.__annotations__) == {name for name in parameters if name not in but}
    of_stream = set(PullOptions.__annotations__) - {"settings", "profile", "secret", "catalog"}
    assert set(StreamPullOptions.__annotations__) == of_stream
    for name, of_dict in PullOptions.__annotations__.items():
        text = of_dict.__forward_arg__ if isinstance(of_dict, typing.ForwardRef) else str(of_dict)
        assert text.removeprefix("Required[").removesuffix("]" if "Required" in text else "") == str(
            parameters[name].annotation
        ), name


def test_options_of_buckets_are_declared() -> None:
    declared = {option.name: option for option in _core.declared_options("s3")}
    assert list(S3Options.__annotations__) == list(declared)


@pytest.mark.parametrize("method", [reading.Stream.pull, reading.Stream.pull_async])
def test_a_stream_takes_the_options_of_a_pull(method: Callable[..., object]) -> None:
    options = [name for name in StreamPullOptions.__annotations__ if name != "request"]
    parameters = list(inspect.signature(method).parameters)
    assert parameters == ["self", "progress", "on_progress", "stop", *options]
    entries = described(method)
    assert list(entries) == parameters[1:]
    assert entries["memory"] == described(pulling.pull)["memory"]


@pytest.mark.parametrize(
    ("command", "functions"), [("pull", ["pull", "s3"]), ("promote", ["promote", "s3"]), ("gc", ["gc"])]
)
def test_flags_are_those_that_are_declared(command: str, functions: list[str]) -> None:
    parser = build_parser(command).commands[command]
    help_of = {action.dest: action.help for action in parser._actions}  # noqa: SLF001 - there is no other way
    for function in functions:
        for option in _core.declared_options(function):
            if function == "pull" and option.name in NO_FLAGS:
                assert option.name not in help_of
            else:
                assert help_of[option.name] == flag_help(option)


def test_the_guide_has_a_table_of_the_declared_options() -> None:
    """With `UPDATE_DOCS=1` it is written anew."""
    rows = ["| option | value | default | what it does |", "|---|---|---|---|"]
    for option in _core.declared_options("pull"):
        value = ", ".join(f"`{choice}`" for choice in option.choices) or VALUES[option.kind]
        default = option.default or option.left_out or ("`False`" if option.kind == "FLAG" else "")
        rows.append(f"| `{option.name}` | {value} | {default} | {option.about} |")
    table = "\n".join(rows)
    guide = GUIDE.read_text()
    expected = re.sub(r"\| option \| value .*?(?=\n\n)", lambda _: table, guide, flags=re.DOTALL)
    assert table in expected
    if os.environ.get("UPDATE_DOCS"):
        GUIDE.write_text(expected)
    assert guide == expected, "UPDATE_DOCS=1 pytest tests/pull/test_options.py writes it"


VALUES = {
    "TIME": "time",
    "SPAN": "length of time",
    "SIZE": "size",
    "N": "number",
    "NAME": "text",
    "FLAG": "`True` or `False`",
}


@pytest.mark.parametrize("given", ["10m", 600, 600.0, timedelta(minutes=10)])
def test_lengths_of_time_are_written_as_people_write_them(given: object) -> None:
    assert _core.span_seconds("deadline", given) == 600


@pytest.mark.parametrize(
    "given",
    [
        "2026-01-31",
        "2026-01-31T00:00",
        "2026-01-31 00:00:00Z",
        "2026-01-31T01:00:00+01:00",
        date(2026, 1, 31),
        datetime(2026, 1, 31),  # noqa: DTZ001 - people write it so
        datetime(2026, 1, 31, tzinfo=UTC),
    ],
)
def test_times_are_written_as_people_write_them(given: object) -> None:
    assert _core.timestamp("since", given) == "2026-01-31T00:00:00Z"


def test_a_length_of_time_is_that_long_ago() -> None:
    since = datetime.fromisoformat(_core.timestamp("since", "7d"))
    assert timedelta(days=7) <= datetime.now(UTC) - since < timedelta(days=7, hours=1)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"memory": "64M"}, "invalid `memory`: `64M` is not a size: write it like `64MB`, `64MiB` or `64000000`"),
    ({"memory": 0}, "invalid `memory`: it must be 1 byte or more"),
    ({"memory": True}, 'invalid `memory`: expected bytes, or a size such as "64MB", given True'),
    ({"memory": 1.5}, 'invalid `memory`: expected bytes, or a size such as "64MB", given 1.5'),
    ({"memory": -1}, 'invalid `memory`: expected bytes, or a size such as "64MB", given -1'),
    ({"batch_records": 0}, "invalid `batch_records`: expected a whole number of 1 or more, given 0"),
    ({"batch_records": "many"}, "invalid `batch_records`: expected a whole number of 1 or more, given 'many'"),
    ({"deadline": "soon"}, "invalid `deadline`: `soon` is not a length of time: write it like `30s`, `10m`"),
    ({"lease": -1}, "invalid `lease`: -1 seconds is not a length of time"),
    ({"lease": float("nan")}, "invalid `lease`: NaN seconds is not a length of time"),
    ({"lease": [1]}, 'invalid `lease`: expected seconds, or a length of time such as "10m", given [1]'),
    ({"deadline": 1e300}, "invalid `deadline`:"),
    ({"since": "yesterday"}, "invalid `since`: `yesterday` is not a time: write it like `2026-01-31`"),
    ({"since": ""}, "invalid `since`: `` is not a time"),
    ({"since": 5}, "invalid `since`: expected a string, a date, a datetime or a timedelta, given 5"),
    ({"format": "jsn"}, "invalid `format`: 'jsn'; it is one of json, ndjson, parquet, arrow"),
    ({"mode": "window"}, "invalid `mode`: 'window'; it is one of incremental, full"),
    ({"raw": "yes"}, "invalid `raw`: expected True or False, given 'yes'"),
    ({"continuation": 5}, "invalid `continuation`: expected a string, given 5"),
    ({"mode": "full", "since": "7d"}, "a full pull requests everything, and `since` or `until` a period"),
    ({"state": ""}, "invalid `state`: '' names no folder or bucket"),
]


@pytest.mark.parametrize(("options", "said"), WRONG, ids=[str(options) for options, _ in WRONG])
def test_a_wrong_value_is_refused_before_any_request(options: dict[str, Any], said: str, tmp_path: Path) -> None:
    settings = {"org_url": "http://127.0.0.1:9", "api_token": "t"}
    with pytest.raises(circulate_core.SettingsError, match=re.escape(said)):
        circulate_core.pull("okta.users", to=tmp_path / "lake", settings=settings, **options)
    assert not (tmp_path / "lake").exists()


def test_all_wrong_values_are_named_at_once() -> None:
    options = {"memory": "64M", "lease": "x", "formt": "json", "since": "7d"}
    with pytest.raises(circulate_core.SettingsError) as wrong:
        _core.check_options("pull", options)
    said = str(wrong.value)
    assert said.startswith("there is no option `formt`: did you mean `format`?; invalid `lease`:")
    assert said.count("; invalid") == 2


@pytest.mark.parametrize(
    ("location", "said"),
    [("", "names no folder"), ("-", "names no folder"), ("a\0b", "names no folder"), (5, "expected a path or a URI")],
)
def test_what_can_be_no_lake_is_refused(location: Any, said: str) -> None:  # noqa: ANN401 - on purpose
    with pytest.raises(circulate_core.SettingsError, match=said):
        circulate_core.Lake(location)


def test_other_clouds_are_refused_with_what_is_possible() -> None:
    settings = {"org_url": "http://127.0.0.1:9", "api_token": "t"}
    with pytest.raises(circulate_core.SettingsError, match="data cannot be stored in `gs`") as refused:
        circulate_core.pull("okta.users", to="gs://bucket/x", settings=settings)
    assert refused.value.hint == "give a folder, or s3://bucket/prefix"


def test_a_lake_has_its_own_state_and_options(tmp_path: Path) -> None:
    lake = circulate_core.Lake(tmp_path, state=tmp_path / "elsewhere.db")
    assert repr(lake) == f"Lake({str(tmp_path)!r}, state={str(tmp_path / 'elsewhere.db')!r})"
    assert lake == circulate_core.Lake(str(tmp_path), state=str(tmp_path / "elsewhere.db"))
    with pytest.raises(circulate_core.SettingsError, match="`state` is given beside a Lake"):
        circulate_core.gc(lake, state="x.db")
    with pytest.raises(circulate_core.SettingsError, match="the state of s3://acme/raw must be named"):
        circulate_core.runs(circulate_core.Lake("s3://acme/raw"))


@pytest.mark.parametrize(
    "options",
    [{"sse": "aws:kms"}, {"sse_kms_key_id": "key"}, {"expected_bucket_owner": "123456789012"}],
    ids=lambda options: next(iter(options)),
)
def test_an_option_of_buckets_is_refused_for_a_folder(options: S3Options, tmp_path: Path) -> None:
    (name,) = options
    said = re.escape(f"`{name}` is an option of buckets, and {tmp_path} is a folder")
    manifest = tmp_path / "_circulate/manifest.json"
    calls: list[Callable[[], object]] = [
        lambda: circulate_core.pull("okta.users", to=tmp_path, s3=options, settings=NOWHERE),
        lambda: circulate_core.gc(circulate_core.Lake(tmp_path, s3=options)),
        lambda: circulate_core.verify(manifest, s3=options),
        lambda: circulate_core.promote(manifest, to=tmp_path, s3=options),
    ]
    for call in calls:
        with pytest.raises(circulate_core.SettingsError, match=said) as caught:
            call()
        assert caught.value.hint == "leave it out, or give s3://bucket/prefix"
    assert list(tmp_path.iterdir()) == []


def test_an_option_of_buckets_is_for_the_one_of_two_places_that_is_a_bucket(tmp_path: Path) -> None:
    manifest = tmp_path / "_circulate/manifest.json"
    with pytest.raises(circulate_core.StateError, match="there is no state file"):
        circulate_core.promote(manifest, to="s3://acme-data", s3={"sse": "AES256"})


def test_the_command_line_refuses_it_by_the_name_of_its_flag(cli: Cli) -> None:
    for command in (["pull", "okta.users", "--sse", "AES256"], ["gc", "--expected-bucket-owner", "123456789012"]):
        done = cli(*command, "--to", "lake")
        assert done.code == 2
        assert f"error: `{command[-2]}` is an option of buckets, and " in done.err
    assert list(cli.folder.iterdir()) == []
