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
from typing import TYPE_CHECKING, Any

from circulate_core import api
from circulate_core.console import paint, say, span
from circulate_core.exceptions import SettingsError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from circulate_core.aws.local import LocalLambda
    from circulate_core.aws.local.project import Described

LAMBDAS = Path("lambdas/lib")
EXIT_CODES = {"complete": 0, "partial": 3, "busy": 4}
FAILED = 1
ROUNDS_WITHOUT_PROGRESS = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare `circulate local` and its commands."""
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    about = "invoke a function once, or until its run is complete"
    invoke = commands.add_parser("invoke", help=about, description=f"{about[0].upper()}{about[1:]}.")
    invoke.add_argument("function", metavar="FUNCTION", help="source.endpoint, or the name of the function")
    invoke.add_argument("--event", metavar="FILE", help="the event, a JSON file; - reads it from standard input")
    invoke.add_argument(
        "--until-complete", action="store_true", help="follow continuations, and wait when the result says so"
    )
    invoke.set_defaults(run_local=_invoke)
    about = "answer Lambda's Invoke API on loopback until Ctrl-C"
    start = commands.add_parser("start", help=about, description=f"{about[0].upper()}{about[1:]}.")
    start.add_argument("--port", metavar="N", type=int, default=0, help="port to listen on (default: a free one)")
    start.set_defaults(run_local=_start)
    for command in (invoke, start):
        _add_surroundings(command)


def _add_surroundings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--lambdas", metavar="DIR", type=Path, default=LAMBDAS, help=f"functions (default: {LAMBDAS})")
    parser.add_argument(
        "--org",
        choices=["practice", "env"],
        default="practice",
        help="pull from a practice org that is started for you (the default), or from the org of this environment",
    )
    parser.add_argument(
        "--users", metavar="N", type=int, default=1_000, help="users of the practice org (default: 1000)"
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
    parser.add_argument("--timeout", metavar="S", type=int, help="time limit (default: lambda.yaml's)")
    parser.add_argument("--memory", metavar="MB", type=int, help="memory limit (default: lambda.yaml's)")


def run(args: argparse.Namespace) -> int:
    """Run one command of `circulate local`."""
    # Whatever ends us, what we started is ended in good order.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    return int(args.run_local(args))


def _invoke(args: argparse.Namespace) -> int:
    event = _event(args.event)
    from circulate_core.aws.local import project  # noqa: PLC0415 - an extra

    function = _find(project.described(args.lambdas), args.function)
    with ExitStack() as stack:
        local = _surrounded(stack, args, [function])
        name = next(iter(local.functions))
        if args.until_complete:
            return _until_complete(local, name, event)
        return _show(_once(local, name, event))


def _start(args: argparse.Namespace) -> int:
    from circulate_core.aws.local import project  # noqa: PLC0415 - an extra

    with ExitStack() as stack:
        local = _surrounded(stack, args, project.described(args.lambdas), port=args.port)
        say(f"{paint('✓', 'green')} Lambda is at {paint(local.url, 'bold')} with {len(local.functions)} functions:")
        for name in local.functions:
            say(f"  {name}")
        name = next(iter(local.functions))
        say(f"$ aws lambda invoke --endpoint-url {local.url} --function-name {name} /dev/stdout")
        with suppress(KeyboardInterrupt):
            threading.Event().wait()
    return 0


def _until_complete(local: LocalLambda, name: str, event: dict[str, Any]) -> int:
    """Do what the state machine does."""
    kept: dict[str, Any] = {key: event[key] for key in ("account", "commit", "manifest") if key in event}
    standing, done = 0, ("", 0, 0)
    while True:
        answer = _once(local, name, event)
        if answer is None or not _to_be_continued(answer):
            return _show(answer)
        before, done = done, (answer["run_id"], answer["records"], answer["objects"])
        standing = standing + 1 if done == before and "resume_after" not in answer else 0
        if standing == ROUNDS_WITHOUT_PROGRESS:
            message = f"{standing} invocations in a row got nowhere"
            raise SettingsError(message, hint="give the function more time, by --timeout or in its lambda.yaml")
        if after := answer.get("resume_after"):
            left = max(after - time.time(), 1)
            say(paint(f"— to be continued in {span(left)}", "bold"))
            time.sleep(left)
        if continuation := answer.get("continuation"):
            event = {"continuation": continuation} | kept
        elif "more" in answer:
            event = kept


def _to_be_continued(answer: Mapping[str, Any]) -> bool:
    return "continuation" in answer or "more" in answer or answer["status"] == "busy"


def _once(local: LocalLambda, name: str, event: dict[str, Any]) -> dict[str, Any] | None:
    """Invoke a function; returns its answer, or nothing if it failed, which was shown."""
    invocation = local.invoke(name, json.dumps(event).encode())
    payload = json.loads(invocation.payload)
    if invocation.function_error:
        message = payload.get("errorMessage", invocation.payload.decode())
        say(f"{paint('error:', 'red')} {payload.get('errorType', 'error')}: {message}")
        return None
    return dict(payload)


def _show(answer: dict[str, Any] | None) -> int:
    if answer is None:
        return FAILED
    print(json.dumps(answer, indent=2))
    return EXIT_CODES[answer["status"]]


def _event(source: str | None) -> dict[str, Any]:
    if source is None:
        return {}
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
        event = json.loads(text)
    except OSError as error:
        message = f"cannot read the event {source}: {error.strerror}"
        raise SettingsError(message) from None
    except ValueError as error:
        message = f"the event {source} is no JSON: {error}"
        raise SettingsError(message) from None
    if not isinstance(event, dict):
        message = f"the event {source} is no JSON object"
        raise SettingsError(message)
    return event


def _find(functions: list[Described], name: str) -> Described:
    for function in functions:
        if function.is_called(name):
            return function
    known = ", ".join(f"{function.source}.{function.endpoint}" for function in functions)
    message = f"no function is named `{name}`"
    raise SettingsError(message, hint=f"there are {known}")


def _surrounded(
    stack: ExitStack, args: argparse.Namespace, described: list[Described], *, port: int = 0
) -> LocalLambda:
    """Start what functions need, and the runner with them, until the stack is closed."""
    from circulate_core.aws.local import Credentials, LocalLambda, stand_ins  # noqa: PLC0415 - an extra

    environment = _settings_of_environment(described)
    secret = stack.enter_context(stand_ins.practice_org(args.users)) if args.org == "practice" else None
    if secret:
        # Nothing of a real org: neither what functions are set up with, nor the name it has in a lake.
        environment = dict.fromkeys(_settings_of(described), "")
        if args.aws == "ministack":
            # Where state outlives the org, each one is an account of its own, named after its host.
            environment["OKTA_ACCOUNT"] = "practice"
    if args.aws == "ministack":
        endpoint = stack.enter_context(stand_ins.ministack())
        stand_ins.furnish(endpoint, secret)
        environment |= {"AWS_ENDPOINT_URL": endpoint} | ({"OKTA_SECRET": stand_ins.SECRET} if secret else {})
        credentials, region = stand_ins.credentials(), stand_ins.REGION
    else:
        credentials, region = _credentials_of_environment(), _region_of_environment()
        environment |= _named("AWS_ENDPOINT_URL")
        if secret:
            environment |= {"OKTA_ORG_URL": secret["org_url"], "OKTA_API_TOKEN": secret["api_token"]}
    to, state = _places(args, stand_ins)
    pulling = environment | {"CIRCULATE_TO": to, "CIRCULATE_STATE": state} | _variables(args.env)
    # What was pulled is promoted from there; where to, AWS does not know by itself.
    data = stand_ins.DATA if args.aws == "ministack" else ""
    places = {"CIRCULATE_FROM": to, "CIRCULATE_TO": data, "CIRCULATE_STATE": state}
    promoting = _only("AWS_", environment) | places | _variables(args.env)
    layers = _layers(stack, args.lambdas.parent / "extensions", {each.extension for each in described})
    functions = [
        each.function(
            promoting if each.is_target else pulling,
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


def _layers(stack: ExitStack, folder: Path, names: set[str | None]) -> dict[str | None, Path]:
    """Lay out the extensions that functions have beside them."""
    from circulate_core.aws.local import project  # noqa: PLC0415 - an extra

    layers: dict[str | None, Path] = {}
    for name in names - {None}:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="circulate-layer-")))
        layers[name] = project.lay_out(folder / str(name), place)
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
    names = set()
    for source in {each.source for each in described if not each.is_target}:
        settings = api.source_definition(source)["settings"]
        names |= {setting["env"] for setting in settings.values()}
        names |= {f"{source.upper()}_{what}" for what in ("SECRET", "ACCOUNT", "ACCOUNTS")}
    return names


def _settings_of_environment(described: list[Described]) -> dict[str, str]:
    """Return those that this environment has, and nothing else of it."""
    return _named(*_settings_of(described))


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
