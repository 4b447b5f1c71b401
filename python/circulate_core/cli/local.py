"""`circulate local`: Lambda functions on this machine, as AWS runs them."""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

from circulate_core import _core
from circulate_core.catalogs import source_definition, stream_definition
from circulate_core.cli.exit_codes import EXIT_CODES, FAILED
from circulate_core.cli.options import positive
from circulate_core.cli.signals import handling
from circulate_core.console import paint, say, span
from circulate_core.exceptions import SettingsError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from circulate_core.aws.project import Described
    from circulate_local import LocalLambda

LAMBDAS = Path("lambdas/lib")
ROUNDS_WITHOUT_PROGRESS = 5
PRACTISED = "okta"
"""The source that there is a practice org of."""
TOKEN_EXTENSION = "circulate-token"  # noqa: S105 - a name


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare `circulate local` and its commands."""
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    about = "invoke a function once, or until its run is complete"
    invoke = commands.add_parser("invoke", help=about, description=f"{about[0].upper()}{about[1:]}.")
    invoke.add_argument("function", metavar="FUNCTION", help="source.endpoint[.operation], or the name of the function")
    invoke.add_argument(
        "--event", metavar="JSON|FILE", help="the event: JSON, or a file with it; - reads it from standard input"
    )
    invoke.add_argument(
        "--until-complete", action="store_true", help="follow continuations, and wait when the result says so"
    )
    invoke.set_defaults(run_local=_invoke)
    about = "serve Lambda's Invoke API on loopback until Ctrl-C"
    start = commands.add_parser("start", help=about, description=f"{about[0].upper()}{about[1:]}.")
    start.add_argument("--port", metavar="N", type=int, default=0, help="port to listen on (default: a free one)")
    start.set_defaults(run_local=_start)
    for command in (invoke, start):
        _add_surroundings(command)


def _add_surroundings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--lambdas", metavar="DIR", type=Path, default=LAMBDAS, help=f"folder of functions (default: {LAMBDAS})"
    )
    parser.add_argument(
        "--org",
        choices=["practice", "env"],
        help="pull from a practice org that is started for you, or from what this environment names (default: practice"
        " for okta, env for other sources)",
    )
    parser.add_argument(
        "--users", metavar="N", type=positive, default=1_000, help="users of the practice org (default: 1000)"
    )
    parser.add_argument(
        "--aws",
        choices=["ministack", "env"],
        default="ministack",
        help="stand-ins for S3, DynamoDB and Secrets Manager that are started for you (the default), or AWS as this"
        " environment says",
    )
    parser.add_argument("--to", metavar="PLACE", help="s3://bucket/prefix to pull to; needed with --aws env")
    parser.add_argument("--state", metavar="PLACE", help="dynamodb://table for state; needed with --aws env")
    parser.add_argument(
        "--env", metavar="NAME=VALUE", action="append", default=[], help="a variable of the functions; may be repeated"
    )
    parser.add_argument("--timeout", metavar="S", type=positive, help="time limit (default: lambda.yaml's)")
    parser.add_argument("--memory", metavar="MB", type=positive, help="memory limit (default: lambda.yaml's)")


def run(args: argparse.Namespace) -> int:
    """Run one command of `circulate local`."""
    # Whatever ends us, what we started is ended in good order.
    with handling(signal.default_int_handler, signal.SIGTERM, signal.SIGHUP):
        return int(args.run_local(args))


def _invoke(args: argparse.Namespace) -> int:
    event = _event(args.event)
    from circulate_core.aws.project import described  # noqa: PLC0415 - much that no other command needs

    function = _find(described(args.lambdas), args.function)
    with ExitStack() as stack:
        local = _surrounded(stack, args, [function])
        name = next(iter(local.functions))
        if args.until_complete:
            return _until_complete(local, name, event)
        return _show(_once(local, name, event))


def _start(args: argparse.Namespace) -> int:
    from circulate_core.aws.project import described  # noqa: PLC0415 - much that no other command needs

    with ExitStack() as stack:
        local = _surrounded(stack, args, described(args.lambdas), port=args.port)
        say(f"{paint('✓', 'green')} Lambda is at {paint(local.url, 'bold')} with {len(local.functions)} functions:")
        for name in local.functions:
            say(f"  {name}")
        name = next((each for each in local.functions if each.endswith("-list")), next(iter(local.functions)))
        say(f"$ aws lambda invoke --endpoint-url {local.url} --function-name {name} /dev/stdout")
        with suppress(KeyboardInterrupt):
            threading.Event().wait()
    return 0


def _until_complete(local: LocalLambda, name: str, event: dict[str, Any]) -> int:
    """Do what the state machine does."""
    kept: dict[str, Any] = {key: event[key] for key in ("account", "commit", "manifest") if key in event}
    standing, done = 0, ("", 0, 0)
    while True:
        response = _once(local, name, event)
        if not _is_of_run(response) or not _to_be_continued(response):
            return _show(response)
        before, done = done, (response["run_id"], response["records"], response["objects"])
        standing = standing + 1 if done == before and "resume_after" not in response else 0
        if standing == ROUNDS_WITHOUT_PROGRESS:
            message = f"{standing} invocations in a row made no progress"
            raise SettingsError(message, hint="give the function more time, by --timeout or in its lambda.yaml")
        if after := response.get("resume_after"):
            left = max(after - time.time(), 1)
            say(paint(f"— to be continued in {span(left)}", "bold"))
            time.sleep(left)
        if continuation := response.get("continuation"):
            event = {"continuation": continuation} | kept
        elif "more" in response:
            event = kept


def _to_be_continued(response: Mapping[str, Any]) -> bool:
    return "continuation" in response or "more" in response or response["status"] == "busy"


class _Failed:
    """A function failed, which was shown."""


def _once(local: LocalLambda, name: str, event: dict[str, Any]) -> object:
    """Invoke a function; returns what it returned, or `_Failed`."""
    invocation = local.invoke(name, json.dumps(event).encode())
    try:
        payload: object = json.loads(invocation.payload)
    except ValueError:
        payload = invocation.payload.decode(errors="replace")
    if not invocation.function_error:
        return payload
    failure = payload if isinstance(payload, dict) else {}
    message = f"{failure.get('errorType', 'error')}: {failure.get('errorMessage', invocation.payload.decode())}"
    say(f"{paint('error:', 'red')} {_core.shown(message)}")
    return _Failed()


def _is_of_run(response: object) -> TypeGuard[dict[str, Any]]:
    """Whether a function returned what those do that pull and promote."""
    return isinstance(response, dict) and "run_id" in response and str(response.get("status")) in EXIT_CODES


def _show(response: object) -> int:
    """Print what a function returned; what comes of a run has an exit code of its own."""
    if isinstance(response, _Failed):
        return FAILED
    print(json.dumps(response, indent=2))
    return EXIT_CODES[response["status"]] if _is_of_run(response) else 0


def _event(source: str | None) -> dict[str, Any]:
    if source is None:
        return {}
    is_text = source.lstrip().startswith("{")
    try:
        text = source if is_text else sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
        event = json.loads(text)
    except OSError as error:
        message = f"cannot read the event {source}: {error.strerror}"
        raise SettingsError(message) from None
    except ValueError as error:
        message = f"the event {'given' if is_text else source} is not JSON: {error}"
        raise SettingsError(message) from None
    if not isinstance(event, dict):
        message = f"the event {source} is not a JSON object"
        raise SettingsError(message)
    return event


def _find(functions: list[Described], name: str) -> Described:
    for function in functions:
        if function.is_called(name):
            return function
    message = f"no function is named `{name}`"
    raise SettingsError(message, hint=f"there are {_named_functions(functions)}")


def _named_functions(functions: list[Described]) -> str:
    return ", ".join(function.short for function in functions)


def _surrounded(
    stack: ExitStack, args: argparse.Namespace, described: list[Described], *, port: int = 0
) -> LocalLambda:
    """Start what functions need, and the runner with them, until the stack is closed."""
    from circulate_local import Credentials, Function, LocalLambda, stand_ins  # noqa: PLC0415 - an extra

    practised = [each for each in described if each.source == PRACTISED]
    if args.org == "practice" and not practised:
        message = (
            f"there is a practice org for functions of {PRACTISED}, and none of these is: {_named_functions(described)}"
        )
        raise SettingsError(message, hint="leave out --org: they pull from what this environment names")
    roots = _task_roots(stack, described)
    environment = _named(*_settings_of(described))
    oauth = any(each.extension == TOKEN_EXTENSION for each in practised)
    practice = stand_ins.practice_org(args.users, oauth=oauth)
    org = stack.enter_context(practice) if practised and args.org != "env" else None
    if org:
        # Nothing of a real org: neither what functions are set up with, nor the name it has in a lake.
        environment |= dict.fromkeys(_settings_of(practised), "")
        if args.aws == "ministack":
            # Where state outlives the org, each one is an account of its own, named after its host.
            environment["OKTA_ACCOUNT"] = "practice"
    if args.aws == "ministack":
        endpoint = stack.enter_context(stand_ins.ministack())
        stand_ins.furnish(endpoint, stand_ins.secrets_of(org) if org else {})
        environment |= {"AWS_ENDPOINT_URL": endpoint}
        credentials, region = stand_ins.credentials(), stand_ins.REGION
    else:
        credentials, region = _credentials_of_environment(), _region_of_environment()
        environment |= _named("AWS_ENDPOINT_URL")
    stores = any(each.is_list or each.is_target for each in described)
    to, state = _places(args, stand_ins) if stores else ("", "")
    pulling = environment | {"CIRCULATE_TO": to, "CIRCULATE_STATE": state}
    # Without a ledger of one's own, a function that needs one says so.
    ledger = {"CIRCULATE_LEDGER": stand_ins.LEDGER} if args.aws == "ministack" else _named("CIRCULATE_LEDGER")
    writing = environment | ledger
    # What was pulled is promoted from there; where to, AWS does not know by itself.
    data = stand_ins.DATA if args.aws == "ministack" else ""
    places = {"CIRCULATE_FROM": to, "CIRCULATE_TO": data, "CIRCULATE_STATE": state}
    promoting = _only("AWS_", environment) | places | _variables(args.env)
    layers = _layers(stack, args.lambdas, {each.extension for each in described})
    functions = [
        Function.of(
            each,
            promoting
            if each.is_target
            else (pulling if each.is_list else writing if each.is_writer else environment)
            | _sign_in(each, org, stored=args.aws == "ministack")
            | _variables(args.env),
            task_root=roots[each.name],
            layer=layers.get(each.extension),
            timeout_s=args.timeout,
            memory_mb=args.memory,
            region=region,
        )
        for each in described
    ]
    keys = Credentials(
        credentials["AWS_ACCESS_KEY_ID"], credentials["AWS_SECRET_ACCESS_KEY"], credentials.get("AWS_SESSION_TOKEN")
    )
    return stack.enter_context(LocalLambda(functions, log=_log, credentials=keys, port=port))


def _sign_in(function: Described, org: Mapping[str, str] | None, *, stored: bool) -> dict[str, str]:
    """Return how a function, or the token extension beside it, signs in to the practice org.

    Args:
        function: The function.
        org: Settings of the practice org, if that is what it pulls from.
        stored: Whether credentials are in Secrets Manager.
    """
    from circulate_local import stand_ins  # noqa: PLC0415 - an extra

    if org is None or function.source != PRACTISED:
        return {}
    if function.extension != TOKEN_EXTENSION:
        if stored:
            return {"OKTA_SECRET": stand_ins.SECRET}
        return {"OKTA_ORG_URL": org["org_url"], "OKTA_API_TOKEN": org["api_token"]}
    profile = function.settings["environment"].get("OKTA_TOKEN_PROFILE", "default")
    suffix = f"_{profile.replace('-', '_').lower()}"
    by_secret = {"circulate_token_secret": stand_ins.CLIENT_SECRET}
    by_key = {name: org[name] for name in ("client_id", "private_key")} | {"okta_org_url": org["org_url"]}
    wired = (by_secret if stored else by_key) | {"circulate_token_scopes": " ".join(_scopes(function))}
    wired["circulate_token_source"] = function.source
    names = {"circulate_token_profiles": profile, "OKTA_TOKEN_PROFILE": profile, "OKTA_ORG_URL": org["org_url"]}
    return names | {f"{name}{suffix}": value for name, value in wired.items()}


def _scopes(function: Described) -> list[str]:
    """Return what a token needs to be for: its operation, or its stream and all that lead to it."""
    streams = [f"{function.source}.{function.endpoint}"]
    operations = stream_definition(streams[0])["endpoint"].get("operations", {})
    if operation := operations.get(function.operation):
        return operation.get("scopes") or []
    while parent := stream_definition(streams[-1])["endpoint"]["list"].get("parent"):
        streams.append(f"{function.source}.{parent['endpoint']}")
    scopes = {scope for stream in streams for scope in stream_definition(stream)["endpoint"].get("scopes") or []}
    return sorted(scopes)


def _layers(stack: ExitStack, lambdas: Path, names: set[str | None]) -> dict[str | None, Path]:
    """Lay out the extensions that functions have beside them."""
    from circulate_core.aws.packaging.extensions import extension_folder  # noqa: PLC0415 - not for other commands
    from circulate_local.layers import lay_out  # noqa: PLC0415 - an extra

    layers: dict[str | None, Path] = {}
    for name in names - {None}:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="circulate-layer-")))
        layers[name] = lay_out(extension_folder(lambdas, str(name)), place)
    return layers


def _places(args: argparse.Namespace, stand_ins: Any) -> tuple[str, str]:  # noqa: ANN401 - a module
    by_default = (stand_ins.TO, stand_ins.STATE) if args.aws == "ministack" else (None, None)
    to, state = args.to or by_default[0], args.state or by_default[1]
    if not to or not state:
        message = "--aws env needs --to and --state"
        raise SettingsError(message, hint="such as --to s3://acme-lake/raw --state dynamodb://circulate")
    return to, state


def _variables(given: list[str]) -> dict[str, str]:
    variables = {}
    for text in given:
        name, found, value = text.partition("=")
        if not found or not name:
            message = f"`--env {text}` is not NAME=VALUE"
            raise SettingsError(message)
        variables[name] = value
    return variables


def _settings_of(described: list[Described]) -> set[str]:
    """Return the variables that say which account functions pull from, and how they sign in."""
    from circulate_core.aws.packaging import handlers_made, own_catalogs  # noqa: PLC0415 - much that no other command needs

    names = set()
    for each in described:
        if not each.is_target:
            settings = source_definition(each.source, catalog=own_catalogs(handlers_made(each)))["settings"]
            names |= {setting["env"] for setting in settings.values()}
            names |= {f"{each.source.upper()}_{what}" for what in ("SECRET", "ACCOUNT", "ACCOUNTS")}
    return names


def _task_roots(stack: ExitStack, described: list[Described]) -> dict[str, Path]:
    """Lay out what the zip of each function would have, by the names of the functions."""
    from circulate_core.aws.packaging import function_files, required_files  # noqa: PLC0415 - as above
    from circulate_core.aws.packaging.archive import lay_out  # noqa: PLC0415 - as above

    roots: dict[str, Path] = {}
    for each in described:
        # What is wrong with the code is known before packages are installed for it.
        function_files(each)
        roots[each.name] = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="circulate-function-")))
        lay_out(function_files(each, required_files(each, here=True)), roots[each.name])
    return roots


def _region_of_environment() -> str:
    if region := os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"):
        return region
    message = "--aws env needs AWS_REGION"
    raise SettingsError(message, hint="such as AWS_REGION=eu-west-1")


def _credentials_of_environment() -> dict[str, str]:
    found = _named("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    if "AWS_ACCESS_KEY_ID" not in found or "AWS_SECRET_ACCESS_KEY" not in found:
        message = "--aws env needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, which a function is given on AWS too"
        raise SettingsError(message, hint='`eval "$(aws configure export-credentials --format env)"` sets them')
    return found


def _named(*names: str) -> dict[str, str]:
    return {name: value for name in names if (value := os.environ.get(name))}


def _only(prefix: str, environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(prefix)}


def _log(line: str) -> None:
    say(paint(line, "dim"))
