"""The command `circulate practice-org`: flags, what it prints, and running until a signal comes."""

import argparse
import sys
from pathlib import Path

from circulate_practice.data.durations import parse_duration
from circulate_practice.data.sizes import parse_sizes
from circulate_practice.oauth.clients import OAuthClient
from circulate_practice.oauth.key_file import key_in
from circulate_practice.okta.routes import BUCKETS, LISTS
from circulate_practice.operations.routes import OPERATIONS
from circulate_practice.org import DEFAULT_TOKEN, PracticeOrg
from circulate_practice.server.faults import KINDS, OPERATION, TOKEN
from circulate_practice.server.signals import signalled


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the command to `parser`.

    Args:
        parser: Parser of `circulate practice-org`, or of anything else that calls `run`.
    """
    add = parser.add_argument
    add("--users", type=int, default=1000, metavar="N", help="users at the start (default: 1000)")
    add("--apps", type=int, default=20, metavar="N", help="apps at the start (default: 20)")
    add("--app-users", default="0-60", metavar="N[-N]", help="users of each app (default: 0-60)")
    add("--app-groups", default="0-6", metavar="N[-N]", help="groups of each app (default: 0-6)")
    add("--groups", type=int, default=10, metavar="N", help="groups at the start (default: 10)")
    add("--group-members", default="0-40", metavar="N[-N]", help="members of each group (default: 0-40)")
    add("--events", type=int, default=500, metavar="N", help="events in the system log at the start (default: 500)")
    add("--seed", type=int, default=1, metavar="N", help="number that everything follows from (default: 1)")
    add("--port", type=int, default=0, metavar="N", help="port on 127.0.0.1; 0 takes a free one (default: 0)")
    add("--token", default=DEFAULT_TOKEN, metavar="TEXT", help="API token to accept (default: %(default)s)")
    add(
        "--oauth-client",
        default=None,
        metavar="ID",
        help="have an OAuth client too, with all scopes that lists and operations need",
    )
    add("--oauth-key", default=None, metavar="FILE", help="its private key, a JWK; made if there is no such file")
    add("--dpop", action="store_true", help="require proof of possession of a key with every request (DPoP)")
    add("--rate-limit", type=int, default=600, metavar="N", help="requests allowed in a window (default: 600)")
    add(
        "--bucket-limit",
        action="append",
        default=[],
        metavar="BUCKET=N",
        help=f"another rate limit for one bucket of paths; repeatable. Buckets: {', '.join(BUCKETS)}",
    )
    add("--window", default="60s", metavar="SPAN", help="length of a rate-limit window (default: 60s)")
    add("--concurrency", type=int, default=75, metavar="N", help="requests allowed at the same time (default: 75)")
    add("--latency", default="0s", metavar="SPAN", help="hold every response back (default: 0s)")
    add(
        "--fault",
        action="append",
        default=[],
        metavar="[LIST/]KIND[:VALUE][@PAGE][*TIMES]",
        help=f"inject a fault; repeatable. Kinds: {', '.join(KINDS)}; lists: {', '.join(LISTS)}; or {TOKEN}, "
        f"{OPERATION}, or the name of an operation",
    )
    add(
        "--unavailable",
        action="append",
        default=[],
        metavar="LIST[:STATUS]",
        help="do not have a list, or policies/TYPE: respond with 401 (types of policies: 400) or STATUS; repeatable",
    )
    # Earlier name of --unavailable, until 0.3.
    add("--lacks", action="append", dest="unavailable", help=argparse.SUPPRESS)
    add("--change-every", default=None, metavar="SPAN", help="change users this often (default: never)")
    add("--change-count", type=int, default=10, metavar="N", help="users touched by each change (default: 10)")
    add("--gzip", action="store_true", help="compress responses for clients that take it")
    add("--plain", action="store_true", help="leave out attributes that break careless readers (edge cases)")
    add("--log", default=None, metavar="FILE", help="log responses and record digests as JSON Lines")


def run(args: argparse.Namespace) -> int:
    """Run the org that `args` describe until SIGINT or SIGTERM.

    Args:
        args: What a parser with the flags of `add_arguments` returned.

    Returns:
        Exit code: 0 after a signal, 1 if the org could not start, 2 if a flag has a wrong value.
    """
    try:
        org = _org(args)
    except ValueError as error:
        return _complain(error, 2)
    except (OSError, RuntimeError) as error:
        return _complain(error, 1)
    with signalled() as event:
        try:
            org.start()
        except OSError as error:
            return _complain(error, 1)
        _announce(org, args)
        event.wait()
        org.stop()
    return 0


def _org(args: argparse.Namespace) -> PracticeOrg:
    return PracticeOrg(
        users=args.users,
        apps=args.apps,
        app_users=parse_sizes(args.app_users),
        app_groups=parse_sizes(args.app_groups),
        groups=args.groups,
        group_members=parse_sizes(args.group_members),
        events=args.events,
        unavailable=args.unavailable,
        seed=args.seed,
        token=args.token,
        clients=_clients(args),
        port=args.port,
        rate_limit=args.rate_limit,
        rate_limits=dict(map(_bucket_limit, args.bucket_limit)),
        window=parse_duration(args.window),
        concurrency=args.concurrency,
        latency=parse_duration(args.latency),
        faults=args.fault,
        change_every=None if args.change_every is None else parse_duration(args.change_every),
        change_count=args.change_count,
        gzip=args.gzip,
        edge_cases=not args.plain,
        log=args.log,
        keep_log=False,
    )


def _clients(args: argparse.Namespace) -> list[OAuthClient]:
    if not args.oauth_client and not args.oauth_key and not args.dpop:
        return []
    if not args.oauth_client or not args.oauth_key:
        message = "--oauth-client and --oauth-key go together, and --dpop with them"
        raise ValueError(message)
    scopes = {rules.scope for rules in LISTS.values()} | {operation.scope for operation in OPERATIONS.values()}
    key = key_in(Path(args.oauth_key))
    return [OAuthClient(client_id=args.oauth_client, scopes=scopes, keys=[key], dpop=args.dpop)]


def _bucket_limit(text: str) -> tuple[str, int]:
    bucket, _, limit = text.rpartition("=")
    if not (limit.isascii() and limit.isdigit()):
        message = f'"{text}" is not a limit of a bucket; write /api/v1/apps=100'
        raise ValueError(message)
    return bucket, int(limit)


def _announce(org: PracticeOrg, args: argparse.Namespace) -> None:
    print(f"practice org: {org.url}  token: {org.token}  users: {args.users}", flush=True)  # noqa: T201
    if args.oauth_client:
        print(f"OAuth client: {args.oauth_client}  key: {args.oauth_key}", file=sys.stderr)  # noqa: T201
    print(f"export OKTA_ORG_URL={org.url} OKTA_API_TOKEN={org.token}", file=sys.stderr)  # noqa: T201
    print("circulate pull okta.users --to ./lake", file=sys.stderr, flush=True)  # noqa: T201


def _complain(error: Exception, code: int) -> int:
    print(f"error: {error}", file=sys.stderr)  # noqa: T201
    return code
