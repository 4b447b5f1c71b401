"""The practice org itself: its parts put together, started and stopped."""

import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from circulate_core.loopback_server import HOST
from circulate_practice.data.sizes import Sizes
from circulate_practice.oauth.clients import OAuthClient
from circulate_practice.oauth.dpop import Proofs
from circulate_practice.oauth.grants import Grants
from circulate_practice.oauth.refresh_tokens import RefreshTokens
from circulate_practice.oauth.token_endpoint import TokenEndpoint, TokenRequest
from circulate_practice.okta.content import Amounts, Content
from circulate_practice.okta.routes import BUCKETS
from circulate_practice.okta.unavailable import Unavailable
from circulate_practice.operations.effects import EffectLog, LoggedEffect
from circulate_practice.operations.perform import Operations
from circulate_practice.paging.children import Changed
from circulate_practice.paging.collection import TruthEntry
from circulate_practice.paging.cursors import Cursors
from circulate_practice.paging.listing import Listing
from circulate_practice.server.access import Access
from circulate_practice.server.api import Api
from circulate_practice.server.control import Control
from circulate_practice.server.faults import Fault, FaultPlan
from circulate_practice.server.http_server import PracticeServer
from circulate_practice.server.limits import Limiter, Window
from circulate_practice.server.log import LogEntry, RequestLog
from circulate_practice.server.responses import ResponseMaker

DEFAULT_TOKEN = "practice-token"  # noqa: S105 - protects nothing
_MAX_PORT = 65535
_Value = TypeVar("_Value")


class PracticeOrg:
    """An Okta-shaped org on loopback, with made-up users, apps and groups and, on demand, faults.

    The same seed gives the same records, cursors and changes. Use it as a context manager, or call `start` and `stop`.
    After `stop` it can be started again and listens at the same port, with everything as it was. `lacks` and `nasty`
    are earlier names of `unavailable` and `edge_cases`, and go with 0.3.

    Args:
        users: How many users there are at the start; a million starts in about a second.
        apps: How many apps there are at the start.
        app_users: How many users each app has at the start, or the least and the most, to be drawn from; 50 apps with
            20,000 each cost no more to start than 5,000 with none.
        app_groups: How many groups each app has at the start, or the least and the most.
        groups: How many groups there are at the start.
        group_members: How many members each group has at the start, or the least and the most; never more than users.
        events: How many events the system log holds at the start, one a minute up to then.
        devices: How many devices there are at the start.
        policies: How many policies there are of each type at the start.
        user_factors: How many factors each user has at the start, or the least and the most.
        role_assignees: How many users have roles at the start; never more than users.
        user_roles: How many roles each of them has at the start, or the least and the most.
        user_grants: How many scopes each user has granted to OAuth clients, or the least and the most.
        user_tokens: How many refresh tokens OAuth clients have of each user, or the least and the most.
        api_tokens: How many API tokens the org lists at the start.
        zones: How many network zones there are at the start.
        authorization_servers: How many authorization servers there are at the start.
        unavailable: Lists and types of policies that the org does not have: `devices`, `policies/ENTITY_RISK`. It
            responds with 401 for a list, 400 for a type of policies, or the status behind a colon: `devices:404`.
        seed: Number everything follows from.
        token: API token to accept.
        clients: OAuth clients that can get access tokens at `/oauth2/v1/token`.
        port: Port to listen at; 0 takes a free one.
        rate_limit: Requests allowed in a window, in each bucket.
        rate_limits: Other limits for some of the buckets, by name: `{"/api/v1/apps": 100}`.
        window: Length of a rate-limit window, in seconds.
        concurrency: Requests allowed at the same time.
        latency: Seconds that every response is held back.
        faults: Faults to show, as `Fault` or as text, `[LIST/]KIND[:VALUE][@PAGE][*TIMES]`; see `add_fault`.
        change_every: Seconds between changes made by themselves, or None for no such changes.
        change_count: Users touched by each of them.
        gzip: Whether to compress responses for clients that take it.
        log: File to log responses to, as JSON Lines; replaced if it exists.
        keep_log: Whether to keep the log in memory too, for the `log` property.
        edge_cases: Whether records hold valid attributes that break clients that parse and re-encode them.
        cache_bytes: Memory that rendered pages may take; 400,000 users need about 700 MB.
        clock: Source of the time, in epoch seconds.
        wait: Waits for a number of seconds; by default until then or until the org stops.

    Raises:
        ValueError: If a number is out of range or a fault is invalid.

    Example:
        >>> with PracticeOrg(users=10) as org:
        ...     len(list(org.truth()))
        10
    """

    def __init__(  # noqa: PLR0913 - a configuration, by keyword
        self,
        *,
        users: int = 1000,
        apps: int = 20,
        app_users: int | tuple[int, int] = (0, 60),
        app_groups: int | tuple[int, int] = (0, 6),
        groups: int = 10,
        group_members: int | tuple[int, int] = (0, 40),
        events: int = 500,
        devices: int = 12,
        policies: int = 2,
        user_factors: int | tuple[int, int] = (0, 3),
        role_assignees: int = 7,
        user_roles: int | tuple[int, int] = (1, 3),
        user_grants: int | tuple[int, int] = (0, 2),
        user_tokens: int | tuple[int, int] = (0, 2),
        api_tokens: int = 5,
        zones: int = 8,
        authorization_servers: int = 5,
        unavailable: Iterable[str] = (),
        seed: int = 1,
        token: str = DEFAULT_TOKEN,
        clients: Iterable[OAuthClient] = (),
        port: int = 0,
        rate_limit: int = 600,
        rate_limits: Mapping[str, int] | None = None,
        window: float = 60.0,
        concurrency: int = 75,
        latency: float = 0.0,
        faults: Iterable[Fault | str] = (),
        change_every: float | None = None,
        change_count: int = 10,
        gzip: bool = False,
        log: str | PathLike[str] | None = None,
        keep_log: bool = True,
        edge_cases: bool = True,
        cache_bytes: int = 2_000_000_000,
        clock: Callable[[], float] = time.time,
        wait: Callable[[float], object] | None = None,
        lacks: Iterable[str] | None = None,
        nasty: bool | None = None,
    ) -> None:
        if lacks is not None:
            unavailable = _renamed("lacks", "unavailable", lacks)
        if nasty is not None:
            edge_cases = _renamed("nasty", "edge_cases", nasty)
        _check_at_least(0, users=users, apps=apps, groups=groups, events=events, seed=seed, port=port)
        _check_at_least(0, devices=devices, policies=policies, role_assignees=role_assignees, api_tokens=api_tokens)
        _check_at_least(0, zones=zones, authorization_servers=authorization_servers)
        _check_at_least(0, latency=latency, change_count=change_count)
        _check_at_least(1, rate_limit=rate_limit, concurrency=concurrency, cache_bytes=cache_bytes)
        if port > _MAX_PORT:
            message = f"port must be at most {_MAX_PORT}, not {port}"
            raise ValueError(message)
        _check_positive(window=window, change_every=1.0 if change_every is None else change_every)
        self.token = token
        self._port = port
        self._latency = latency
        self._change_every = change_every
        self._change_count = change_count
        self._wait = wait
        self._requests_before = 0
        amounts = Amounts(
            users=users,
            apps=apps,
            app_users=Sizes.of("app_users", app_users),
            app_groups=Sizes.of("app_groups", app_groups),
            groups=groups,
            group_members=Sizes.of("group_members", group_members),
            events=events,
            devices=devices,
            policies=policies,
            user_factors=Sizes.of("user_factors", user_factors),
            role_assignees=role_assignees,
            user_roles=Sizes.of("user_roles", user_roles),
            user_grants=Sizes.of("user_grants", user_grants),
            user_tokens=Sizes.of("user_tokens", user_tokens),
            api_tokens=api_tokens,
            zones=zones,
            authorization_servers=authorization_servers,
        )
        self._content = Content(
            amounts, Unavailable(unavailable), seed, clock, edge_cases=edge_cases, cache_bytes=cache_bytes
        )
        self._cursors = Cursors(seed)
        self._limiter = Limiter(_limits(rate_limit, rate_limits or {}), window, concurrency, clock)
        self._grants, self._proofs = Grants(seed, clock), Proofs(seed, clock)
        self._refresh_tokens = RefreshTokens(seed)
        self._tokens = TokenEndpoint(clients, self._grants, self._refresh_tokens, self._proofs, clock)
        self._log = RequestLog(None if log is None else Path(log), keep=keep_log)
        self._effects = EffectLog(clock)
        self._faults = FaultPlan(fault if isinstance(fault, Fault) else Fault.parse(fault) for fault in faults)
        self._api = Api(
            content=self._content,
            listing=Listing(self._cursors),
            limiter=self._limiter,
            faults=self._faults,
            maker=ResponseMaker(seed),
            clock=clock,
            access=Access(token, self._grants, self._proofs),
            tokens=self._tokens,
            operations=Operations(self._content, self._effects, seed),
            gzip=gzip,
        )
        self._stopping = threading.Event()
        self._server: PracticeServer | None = None
        self._changing: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Base URL of the org, without a slash at the end.

        Raises:
            RuntimeError: If the org was never started and has no port yet.
        """
        if not self._port:
            message = "the practice org has no URL before it is started"
            raise RuntimeError(message)
        return f"http://{HOST}:{self._port}"

    @property
    def log(self) -> list[LogEntry]:
        """Every response so far, oldest first; empty with `keep_log=False`."""
        return self._log.entries()

    @property
    def effects(self) -> list[LoggedEffect]:
        """What operations really did so far, oldest first, whatever responses their clients got.

        An operation that found everything as it should be has no effect, such as one that adds a member twice.
        """
        return self._effects.entries()

    def add_fault(self, fault: Fault | str) -> None:
        """Show one more fault from now on.

        Args:
            fault: The fault, as `Fault` or as text. The page counts pages of a list, or calls of an operation since
                the start.

        Raises:
            FaultError: If the text does not describe one.
        """
        self._faults.add(fault if isinstance(fault, Fault) else Fault.parse(fault))

    @property
    def windows(self) -> list[Window]:
        """Rate-limit windows of all buckets so far, oldest first, with how many requests came in each."""
        return self._limiter.windows

    def windows_of(self, bucket: str) -> list[Window]:
        """Return the rate-limit windows of one bucket so far, oldest first; `BUCKETS` names all.

        Raises:
            KeyError: If there is no such bucket.
        """
        return self._limiter.windows_of(bucket)

    @property
    def request_count(self) -> int:
        """Requests to the API so far, whatever the response; control routes are not counted."""
        return self._requests_before + (self._server.request_count if self._server else 0)

    def wait_for_requests(self, count: int, *, timeout: float) -> None:
        """Block until the API got so many requests since the start.

        Args:
            count: Requests to wait for.
            timeout: Seconds after which to give up.

        Raises:
            TimeoutError: If it did not get so many in time.
        """
        if self._server is None or not self._server.wait_for_requests(count, timeout):
            message = f"fewer than {count} requests within {timeout} s"
            raise TimeoutError(message)

    def change(self, count: int, *, at: float | None = None) -> list[str]:
        """Change users and return their ids; see `Directory.change`."""
        return self._content.users.change(count, at=at)

    def add_app(self, *, users: int = 0, groups: int = 0) -> str:
        """Add an app with so many users and groups and return its id."""
        return self._content.add_app(users=users, groups=groups)

    def add_group(self, *, members: int = 0) -> str:
        """Add a group with so many members, if there are so many users, and return its id."""
        return self._content.add_group(members=members)

    def add(self, collection: str) -> str:
        """Add a record to a list of records that have no children and return its id.

        Args:
            collection: `devices`, `policies` (of the type whose turn it is), `api_tokens`, `zones` or
                `authorization_servers`.

        Raises:
            LookupError: If it is none of these.
        """
        return self._content.add(collection)

    def delete(self, record_id: str) -> None:
        """Delete a record, but no user: it and the lists below it are not found from now on.

        Raises:
            LookupError: If there is no such record with that id.
        """
        self._content.delete(record_id)

    def rename(self, record_id: str) -> None:
        """Rename a record, but no user, which moves its `lastUpdated`; raises as `delete` does."""
        self._content.rename(record_id)

    def forbid(self, record_id: str) -> None:
        """Respond with 403 for the lists below a user, an app or a group from now on; raises as `delete` does."""
        self._content.forbid(record_id)

    def allow(self, record_id: str) -> None:
        """Serve the lists below a user, an app or a group again; raises as `delete` does."""
        self._content.allow(record_id)

    def change_children(
        self, collection: str, parent_id: str, *, add: int = 0, update: int = 0, remove: int = 0
    ) -> Changed:
        """Change a list below a user, an app or a group.

        Args:
            collection: Name of the list: `app_users`, `app_groups`, `group_members`, `user_factors` or `user_roles`.
            parent_id: Id of the user, app or group.
            add: How many to add.
            update: How many to give new content; not for members, whose content changes with the users.
            remove: How many to take away.

        Returns:
            Ids of those it did it to.

        Raises:
            LookupError: If there is no such list or no such parent.
        """
        return self._content.change_children(collection, parent_id, add=add, update=update, remove=remove)

    def add_events(self, count: int, *, late: float = 0.0) -> list[str]:
        """Add events that are persisted now, and return their uuids.

        Args:
            count: How many.
            late: How many seconds ago they were published; others published since may have been served by now.
        """
        return self._content.events.add(count, late=late)

    @property
    def token_requests(self) -> list[TokenRequest]:
        """Every request of an access token so far, oldest first, but those that the rate limit rejected."""
        return self._tokens.requests

    def sign_in(self, client_id: str, scopes: Iterable[str]) -> str:
        """Sign a person in at a client, and return the refresh token that it would get.

        Args:
            client_id: The client.
            scopes: What the person agrees to.

        Returns:
            A refresh token. If the client's rotate, it is good once; a second use ends all tokens of the sign-in.
        """
        return self._refresh_tokens.sign_in(client_id, frozenset(scopes))

    def expire_tokens(self) -> None:
        """Accept none of the access tokens that were given out so far."""
        self._grants.expire()

    def expire_nonces(self) -> None:
        """Accept none of the nonces for proofs that were given out so far."""
        self._proofs.expire_nonces()

    def set_client(self, client: OAuthClient) -> None:
        """Add an OAuth client, or put it in the place of the one with its id: with other keys, secret or scopes.

        Access tokens given out before stay what they are.
        """
        self._tokens.clients.set(client)

    def revoke_client(self, client_id: str) -> None:
        """Accept neither an OAuth client nor the access tokens it has.

        Raises:
            LookupError: If there is none with that id.
        """
        self._tokens.clients.remove(client_id)
        self._grants.revoke(client_id)

    def expire_cursors(self) -> None:
        """Refuse every page address that was given out so far, as an org does after some time."""
        self._cursors.expire()

    def truth(self, collection: str = "users") -> Iterator[TruthEntry]:
        """Yield id, digest, length and `lastUpdated` of the newest version of every record of a list.

        Events have their `uuid` as id and `published` as `lastUpdated`, and come in the order they were persisted.
        Users and apps have their status too, children the id of their parent; users with roles have no `lastUpdated`.
        Deleted records are left out, forbidden ones are not. An unavailable list is empty.

        Args:
            collection: Name of the list; `LISTS` names all.

        Raises:
            LookupError: If there is no such list.
        """
        return self._content.truth(collection)

    def start(self) -> Self:
        """Start to serve.

        Returns:
            The org itself.

        Raises:
            OSError: If the port is taken or the log cannot be written.
            RuntimeError: If the org is running.
        """
        if self._server is not None:
            message = "the practice org is running already"
            raise RuntimeError(message)
        self._stopping = threading.Event()
        wait = self._wait or self._stopping.wait
        server = PracticeServer(
            self._port,
            self._api,
            Control(self._content, self._limiter, self._effects, self._faults),
            log=self._log,
            wait=wait,
            latency=self._latency,
        )
        self._log.open()
        self._server, self._port = server.start(), server.server_port
        if self._change_every is not None:
            self._changing = threading.Thread(target=self._keep_changing, args=(self._change_every,), daemon=True)
            self._changing.start()
        return self

    def stop(self) -> None:
        """Stop to serve and end every connection; harmless when the org is not running."""
        server, self._server = self._server, None
        if server is None:
            return
        self._stopping.set()
        server.close()
        if self._changing is not None:
            self._changing.join()
        self._requests_before += server.request_count
        self._log.close()

    def _keep_changing(self, seconds: float) -> None:
        while not self._stopping.wait(seconds):
            self._content.users.change(self._change_count)

    def __enter__(self) -> Self:
        """Start the org."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the org."""
        self.stop()


def _renamed(earlier: str, name: str, value: _Value) -> _Value:
    """Return `value`, given by the earlier name of a parameter, and warn the caller of `PracticeOrg`."""
    warnings.warn(f"`{earlier}=` of `PracticeOrg` is deprecated; use `{name}=`", DeprecationWarning, stacklevel=3)
    return value


def _check_at_least(least: int, **numbers: float) -> None:
    for name, number in numbers.items():
        if number < least:
            message = f"{name} must be at least {least}, not {number}"
            raise ValueError(message)


def _check_positive(**seconds: float) -> None:
    for name, number in seconds.items():
        if number <= 0:
            message = f"{name} must be longer than 0 seconds"
            raise ValueError(message)


def _limits(rate_limit: int, others: Mapping[str, int]) -> dict[str, int]:
    unknown = others.keys() - set(BUCKETS)
    if unknown:
        message = f"rate_limits: no bucket {', '.join(sorted(unknown))}; there are {', '.join(BUCKETS)}"
        raise ValueError(message)
    _check_at_least(1, **{f"rate_limits of {name}": limit for name, limit in others.items()})
    return dict.fromkeys(BUCKETS, rate_limit) | dict(others)
