"""Sources and their streams, to look at data rather than to collect it.

```python
import circulate_core

okta = circulate_core.source("okta")  # settings from OKTA_ORG_URL and OKTA_API_TOKEN, or circulate.toml
users = okta.stream("users")
print(users.sample(3).records())
print(users.pandas())
for user in users.records():
    print(user["id"], user["status"])
```
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypedDict, cast, overload

from circulate_core import _core, display, pulling
from circulate_core.accounts import account_of
from circulate_core.catalogs import catalog_of, source_definition, stream_definition, stream_names
from circulate_core.checking import check
from circulate_core.console import counted
from circulate_core.exceptions import DefinitionError, IncompleteWarning, SettingsError
from circulate_core.options import passes_options_to
from circulate_core.tables import Schema, Tabular

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
    from os import PathLike
    from pathlib import Path
    from typing import Unpack

    from circulate_core.history import History
    from circulate_core.operation import Operation
    from circulate_core.plans import Applied, LedgerEntry, Plan
    from circulate_core.results import Checked, Drifts, Report, Snapshot
    from circulate_core.types import (
        Catalog,
        Definition,
        Headroom,
        InlineDefinition,
        Length,
        PullOptions,
        SourceDefinition,
        StreamPullOptions,
        Time,
    )
    from circulate_core.watch import Watch

Record = dict[str, Any]
"""A record, parsed."""

_OF_SOURCE = ("settings", "profile", "secret", "catalog")
_NO_OPTIONS = {"stream", *_OF_SOURCE, "on_progress", "stop", "request"}
"""Parameters of `pull` that a stream or its source has itself, or that are not shown any more."""

_OF_ENDPOINT = ("endpoint", "about", "docs", "scopes", "list")
"""Keys of an endpoint that are not of its list operation; columns are a parameter."""

_PLENTY = 1_000_000
"""Records of a batch that is closed by its size."""


def source(  # noqa: PLR0913 - how to know an account, and what may be defined in code
    name: str | Mapping[str, Any],
    *,
    settings: Mapping[str, str | Mapping[str, Any]] | _core.Settings | None = None,
    profile: str | None = None,
    secret: str | None = None,
    account: str | None = None,
    headroom: Headroom | None = None,
    ledger: str | PathLike[str] | None = None,
    catalog: Sequence[str | PathLike[str]] = (),
    **definition: object,
) -> Source:
    """Return a source: an API and an account to pull from. No request is made.

    Settings that are not given come from the environment variables that the definition names, and then from
    `circulate.toml` in this folder or the user's config folder, as on the command line. An address from the former
    takes no secret from elsewhere.

    Args:
        name: A source of the catalog, such as `okta`; the name of one that `definition` defines; or a definition, as
            `source.yaml` would hold it.
        settings: Settings by name, such as `org_url` and `api_token`. Where a source is defined, a mapping instead of a
            value declares the setting, as `settings` of `source.yaml` does: its `env`, `about`, `secret`.
        profile: Profile of the source in `circulate.toml`, `[okta.profiles.NAME]`, whose settings are taken instead of
            the environment's.
        secret: Name or ARN of a secret in AWS Secrets Manager with the settings that are not given.
        account: Name of the account in keys and state. Default: the host of its address.
        headroom: Share of the API's quota to leave to others, as for `pull`.
        ledger: Where plans and the ledger of operations are, as for `plan`.
        catalog: Folders of definitions that come before the shipped ones.
        definition: The keys of a source's definition, such as `base_url` and `auth`. What goes without saying may be
            left out: a title, and the settings that the other keys use. Without `auth` requests are not signed in.
            `Source.save` writes it into a file.

    Raises:
        DefinitionError: There is no such source, or its definition is wrong.
        SettingsError: A setting is unknown.

    Example:
        ```python
        acme = circulate_core.source(
            "acme",
            base_url="https://api.acme.example",
            auth=[{"header": {"name": "Authorization", "prefix": "Bearer ", "secret": "token"}}],
            settings={"token": "t0ken"},
        )
        paginator = {"next_url": {"body": "/next"}}
        tickets = acme.stream("tickets", path="/v1/tickets", records="/items", paginator=paginator)
        acme.save("definitions")
        ```
    """
    # First of all, so that no traceback with its locals shows one.
    declared, settings = _declared_settings(settings)
    catalog_of(catalog)
    if any(isinstance(entry, Mapping) for entry in cast("Sequence[object]", catalog)):
        message = "`catalog` of a source names folders: pass a definition as `source(definition)`"
        raise DefinitionError(message)
    definition = {**definition, "settings": declared} if declared else definition
    if isinstance(name, Mapping):
        _refuse_twice("the source", name, definition)
        definition = {**name, **definition}
    named = definition.get("source") if isinstance(name, Mapping) else name
    if not isinstance(named, str):
        message = "a source that is defined in code needs a name: `source`"
        raise DefinitionError(message)
    inline = {"title": named, "settings": {}, "auth": ["none"], **definition, "source": named}
    return Source(
        catalog,
        {"source": inline if definition else named},
        settings=settings,
        profile=profile,
        secret=secret,
        account=account,
        headroom=headroom,
        ledger=ledger,
    )


def _declared_settings(
    settings: Mapping[str, str | Mapping[str, Any]] | _core.Settings | None,
) -> tuple[dict[str, Mapping[str, Any]], _core.Settings]:
    """Return the settings that are declared, and those that have values."""
    if not isinstance(settings, Mapping):
        return {}, _core.Settings(settings)
    declared = {name: given for name, given in settings.items() if isinstance(given, Mapping)}
    return declared, _core.Settings({name: given for name, given in settings.items() if name not in declared})


class Source:
    """A source: an API and an account to pull from. `circulate_core.source` makes one.

    It shows no credentials, whatever looks at it, and can't be pickled: another process makes its own.
    """

    def __init__(  # noqa: PLR0913 - as `source` has them
        self,
        catalog: Sequence[str | PathLike[str]],
        inline: InlineDefinition,
        *,
        settings: _core.Settings,
        profile: str | None,
        secret: str | None,
        account: str | None,
        headroom: Headroom | None = None,
        ledger: str | PathLike[str] | None = None,
    ) -> None:
        self._ledger = ledger
        self._folders = catalog
        self._inline = inline
        named = inline["source"]
        self.name: str = named if isinstance(named, str) else str(named["source"])
        """Name of the source."""
        self.definition: SourceDefinition = source_definition(self.name, catalog=self._catalog)
        """Its definition."""
        self._account = _account(self.definition, settings, profile, secret, account, self._catalog, headroom)

    @property
    def _catalog(self) -> Catalog:
        return [*self._folders, self._inline]

    @property
    def streams(self) -> list[str]:
        """Names of its streams, sorted."""
        prefix = f"{self.name}."
        names = stream_names(catalog=self._catalog)
        return [name.removeprefix(prefix) for name in names if name.startswith(prefix)]

    def stream(  # noqa: PLR0913 - what to read and how it looks, each with its default
        self,
        name: str,
        definition: Mapping[str, Any] | None = None,
        /,
        *,
        since: Time | None = None,
        until: Time | None = None,
        columns: Mapping[str, Any] | None = None,
        nested: Literal["struct", "flatten", "json"] = "struct",
        raw: bool = False,
        contract: Literal["evolve", "rescue", "freeze"] = "evolve",
        **operation: object,
    ) -> Stream:
        """Return a stream of it. No request is made.

        Args:
            name: A stream of the source, such as `users`; or the name of one that is defined here.
            definition: What the endpoint's file would hold.
            since: Inclusive lower bound, if the stream knows times. A time without offset is UTC.
            until: Exclusive upper bound.
            columns: Types of members of its records, as `columns` of an endpoint's file; others are inferred. Given
                with a definition, they are a part of it.
            nested: What objects and lists in records become in tables: columns of structs and lists, columns for each
                member of an object (`profile__login`), or columns of JSON text.
            raw: Whether tables have a column `_raw` with each record as received.
            contract: What becomes of values that have no place in a table's columns. `evolve` adds columns for new
                members, `rescue` does not, and what has no place goes to the column `_rescued`; `freeze` refuses it.
            operation: The keys of a list operation: `path` and `paginator`, and what else its API needs, such as
                `records`, `page_size`, `method`, `body` and `errors`; and `about`, `docs` and `scopes` of an endpoint.
                Without `primary_key` records are identified by `/id`, those of a map by their key, and scalars by their
                value.

        Raises:
            DefinitionError: There is no such stream, or its definition is wrong.
        """
        inline = self._inline
        if definition is not None or operation:
            # Remembered, since children may be defined after it that name it as their parent.
            endpoint = self._endpoint(name, definition or {}, operation)
            inline = self._inline = self._with(name, self._with_columns(name, endpoint, columns))
        elif columns is not None:
            known = cast("Mapping[str, Any]", self._definition(name)["endpoint"])
            inline = self._with(name, self._with_columns(name, known, columns))
        window = {"since": _bound("since", since), "until": _bound("until", until)}
        looks: _Looks = {"nested": nested, "raw": raw, "contract": contract}
        return Stream(self, name, [*self._folders, inline], window, looks)

    if not TYPE_CHECKING:
        # A type checker that saw this would take every name for a stream.

        def __getattr__(self, name: str) -> Stream:
            """Return a stream of it by its name, as `stream` does."""
            if name.startswith("_") or name not in self.streams:
                message = f"the source {self.__dict__.get('name', '')} has no stream `{name}`"
                raise AttributeError(message)
            return self.stream(name)

        def __dir__(self) -> list[str]:
            """Return all names, for completion."""
            return sorted({*super().__dir__(), *self.streams})

    def save(self, folder: str | PathLike[str], *, overwrite: bool = False) -> list[Path]:
        """Write what is defined in code into a folder of definitions, for the command line, Lambda and `catalog`.

        The folder of the source in it gets `source.yaml` and a file for each endpoint that `stream` has defined. They
        have no values of settings. Beside endpoints of a source of the catalog it gets that `source.yaml` and the
        parents that they need, but no other endpoints, which it hides where it is named as a catalog. A file that says
        the same already, in whatever words, is left as it is.

        Args:
            folder: A folder of definitions, made if need be: what `--catalog` names.
            overwrite: Whether a file that says something else is replaced.

        Returns:
            The files that define it.

        Raises:
            DefinitionError: Nothing is defined in code, a file says something else, or the folder cannot be written to.

        Example:
            ```python
            acme = circulate_core.source("acme", base_url="https://api.acme.example")
            acme.stream("tickets", path="/v1/tickets", records="/items", paginator={"page": {"to": "page"}})
            acme.save("definitions")
            tickets = circulate_core.source("acme", catalog=["definitions"]).stream("tickets")
            ```
        """
        from circulate_core.saving import save  # noqa: PLC0415 - for those who save

        return save(catalog_of(self._catalog), self.name, folder, overwrite=overwrite)

    def _with(self, name: str, endpoint: Mapping[str, Any]) -> InlineDefinition:
        """Return what is defined in code, with an endpoint that is found to be right."""
        inline: InlineDefinition = {**self._inline, "endpoints": {**self._inline.get("endpoints", {}), name: endpoint}}
        stream_definition(f"{self.name}.{name}", catalog=[*self._folders, inline])
        return inline

    def _definition(self, name: str) -> Definition:
        return stream_definition(f"{self.name}.{name}", catalog=self._catalog)

    def _endpoint(self, name: str, definition: object, operation: Mapping[str, object]) -> dict[str, object]:
        """Return the definition of an endpoint, with what may be left out in code."""
        given = self._mapping(name, "what is given", definition)
        of_endpoint = {key: operation[key] for key in _OF_ENDPOINT if key in operation}
        _refuse_twice(f"{self.name}.{name}", given, of_endpoint)
        given = {**given, **of_endpoint}
        listed = self._mapping(name, "`list`", given.get("list", {}))
        operation = {key: value for key, value in operation.items() if key not in of_endpoint}
        _refuse_twice(f"{self.name}.{name}", listed, operation)
        records = {**listed, **operation}.get("records")
        shape = next(iter(records), None) if isinstance(records, Mapping) else None
        defaults = {"primary_key": [{"map": "/_circulate/key", "scalars": "/value"}.get(str(shape), "/id")]}
        return {"about": "", "scopes": [], **given, "list": {**defaults, **listed, **operation}}

    def _with_columns(self, name: str, endpoint: Mapping[str, Any], columns: object) -> Mapping[str, Any]:
        if columns is None:
            return endpoint
        given = self._mapping(name, "`columns`", columns)
        return {**endpoint, "columns": {**endpoint.get("columns", {}), **given}}

    def _mapping(self, stream: str, what: str, given: object) -> Mapping[str, Any]:
        if not isinstance(given, Mapping):
            message = f"{what} in the definition of {self.name}.{stream} is not a mapping"
            raise DefinitionError(message)
        return given

    def check(self, *streams: str) -> Checked:
        """Check address and credentials with one request.

        Args:
            streams: Names of streams of it that are to be read: signed in by OAuth, it gets a token for them.

        Raises:
            CirculateError: What is wrong and what to do about it.
        """
        full = [f"{self.name}.{name}" for name in streams]
        return check(self.name, streams=full, catalog=self._catalog, **self._account)

    def apply(
        self,
        plan: Plan | str,
        *,
        yes: bool = False,
        approved_by: str | Sequence[str] | None = None,
        lease: Length = "60s",
    ) -> Applied:
        """Apply a plan of an operation, or go on with one that was begun; see `circulate_core.apply`.

        Args:
            plan: The plan, or its name: `okta.users.suspend@3f9c1a2b4d5e`.
            yes: A person agrees to it, which a destructive one needs.
            approved_by: Who has approved it instead, or several of whom one has.
            lease: How long a call stays this worker's if it dies. Default: 60s.
        """
        from circulate_core.changing import apply  # noqa: PLC0415 - not for those who only read

        return apply(plan, yes=yes, approved_by=approved_by, lease=lease, **self._operating())

    def undo(self, plan: Plan | str, *, max_calls: int | None = None) -> Plan:
        """Plan the undoing of what a plan did; see `circulate_core.undo`.

        Args:
            plan: The plan that was applied, or its name.
            max_calls: The most calls of the new plan. Default: 25.
        """
        from circulate_core.changing import undo  # noqa: PLC0415 - as above

        return undo(plan, max_calls=max_calls, **self._operating())

    def ledger(self, *, limit: int = 20) -> list[LedgerEntry]:
        """List what was done to the account, the newest first; see `circulate_core.ledger`.

        Args:
            limit: Number of rows to list. Default: 20.
        """
        from circulate_core.changing import ledger  # noqa: PLC0415 - as above

        known = self._operating()
        del known["headroom"]
        return ledger(self.name, limit=limit, **known)

    def _operating(self) -> dict[str, Any]:
        """Return what operations need to know of the account."""
        return {**self._account, "catalog": self._catalog, "ledger": self._ledger}

    def __repr__(self) -> str:
        """Name it, without settings."""
        return f"<Source {self.name}>"

    def _repr_html_(self) -> str:
        """Show it and its streams in a notebook."""
        shown = {name: value for name, value in self._account.items() if name != "headroom"}
        return display.html(self, {name: self._defined(name) for name in self.streams}, **shown)

    def _defined(self, name: str) -> Definition | DefinitionError:
        try:
            return self._definition(name)
        except DefinitionError as error:
            return error


class _Looks(TypedDict):
    """Options of tables."""

    nested: str
    raw: bool
    contract: str


class Stream(Tabular):
    """A list of an API, as something to read: in batches, record by record, as a table, or into a lake.

    Each read requests it again. Libraries that take Arrow streams read it themselves:
    `pyarrow.table(stream)`, `polars.DataFrame(stream)`. `circulate_core.source(...).stream(...)` makes one.
    """

    def __init__(self, of: Source, name: str, catalog: Catalog, window: dict[str, str | None], looks: _Looks) -> None:
        self.source = of
        """Its source."""
        self.name = f"{of.name}.{name}"
        """`source.endpoint`."""
        self._catalog = catalog
        self._window = window
        self._looks = looks
        self.definition: Definition = stream_definition(self.name, catalog=catalog)
        """Its definition."""
        self.report: Report | None = None
        """What reading it to its end took, the last time that this was done."""
        self.history: History | None = None
        """How it went over time, the last time that it was read or pulled; `circulate_core.jupyter.plots` draws it."""
        self._drift: list[dict[str, Any]] = []

    @property
    def drift(self) -> Drifts:
        """What had no place in the columns of the last table, place by place; it is in the column `_rescued`."""
        from circulate_core.results import Drift, Drifts  # noqa: PLC0415 - not for those who only pull

        return Drifts(map(Drift, self._drift))

    @property
    def operations(self) -> dict[str, Operation]:
        """What can be called at its endpoint besides its list, by name; `okta.users.get` is short for one of them."""
        from circulate_core.operation import Operation  # noqa: PLC0415 - not for those who only read

        account = {**self.source._operating(), "catalog": self._catalog}  # noqa: SLF001 - its own source
        defined = self.definition["endpoint"].get("operations", {})
        return {name: Operation(f"{self.name}.{name}", each, account) for name, each in defined.items()}

    if not TYPE_CHECKING:
        # As for sources.

        def __getattr__(self, name: str) -> Operation:
            """Return an operation by its name."""
            operations = {} if name.startswith("_") or "definition" not in self.__dict__ else self.operations
            if name not in operations:
                message = f"the stream {self.__dict__.get('name', '')} has no operation `{name}`"
                raise AttributeError(message)
            return operations[name]

        def __dir__(self) -> list[str]:
            """Return all names, for completion."""
            return sorted({*super().__dir__(), *self.operations})

    def __iter__(self) -> Iterator[Batch]:
        """Read it, batch by batch.

        Raises:
            CirculateError: What went wrong. Batches before it are good, but more were to come.
        """
        return self.batches()

    def __aiter__(self) -> AsyncIterator[Batch]:
        """As `for`, without keeping the event loop from other work."""
        return self.batches_async()

    def batches(
        self,
        *,
        records: int = 1_000,
        progress: bool | None = None,
        on_progress: Callable[[Snapshot], object] | None = None,
    ) -> Iterator[Batch]:
        """Read it, batch by batch, as `for batch in stream` does.

        Args:
            records: Record limit of a batch; a batch is closed at 3 MB, too. Default 1,000.
            progress: Whether to show how it goes. Default: in notebooks.
            on_progress: Called about ten times a second with what was done so far.
        """
        with self._watch(progress, on_progress) as watch:
            reader, tables = self._reader(records, on_progress=watch.show), self._tables()
            try:
                while (batch := reader.next()) is not None:
                    yield Batch(batch, tables)
            finally:
                reader.close()
            watch.done(self._ended(reader))
        self._warn()

    async def batches_async(
        self,
        *,
        records: int = 1_000,
        progress: bool | None = None,
        on_progress: Callable[[Snapshot], object] | None = None,
    ) -> AsyncGenerator[Batch, None]:
        """Read it, batch by batch, as `async for batch in stream` does; see `batches`.

        Args:
            records: Record limit of a batch.
            progress: Whether to show how it goes. Default: in notebooks.
            on_progress: Called in the event loop about ten times a second with what was done so far.
        """
        with self._watch(progress, on_progress) as watch:
            reader, tables = self._reader(records), self._tables()
            try:
                while (batch := await watch.wait_for(reader.next_async(), reader.snapshot)) is not None:
                    yield Batch(batch, tables)
            finally:
                reader.close()
            watch.done(self._ended(reader))
        self._warn()

    def records(self, *, progress: bool | None = None) -> Records:
        """Return its records, parsed, to be used with `for` or `async for`.

        Args:
            progress: Whether to show how it goes. Default: in notebooks.
        """
        return Records(self, progress=progress)

    def sample(self, n: int = 10, *, progress: bool | None = None) -> Batch:
        """Read its first records, with as few and as small requests as will do.

        Args:
            n: Limit of records to return. Default 10.
            progress: Whether to show how it goes, if it takes longer than a second. Default: in notebooks.
        """
        _refuse_less_than_one("n", n)
        with self._watch(progress, None, sample=True) as watch:
            reader, tables = self._reader(n, page_records=n, on_progress=watch.show), self._tables()
            try:
                records = reader.next()
            finally:
                reader.close()
        if records is None:
            self._ended(reader)
            self._warn()
        return Batch(records or b"[]", tables)

    def schema(self, sample: int = 1_000) -> Schema:
        """Return the columns of its table: those that are declared, and those that its first records have beside them.

        Args:
            sample: How many records are looked at. Default 1,000.
        """
        _refuse_less_than_one("sample", sample)
        reader, tables = self._reader(sample, page_records=sample), self._tables()
        try:
            tables.convert(reader.next() or b"[]")
        finally:
            reader.close()
        return Schema(tables.schema(), self._looks["nested"])

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Read it as an Arrow stream, by the Arrow PyCapsule interface.

        Its columns are those of the first 3 MB of records: what comes later and has no place in them goes to the column
        `_rescued`, and is listed in `drift`. The methods that return whole tables have columns for all.
        """
        reader, tables = self._reader(_PLENTY), self._tables()

        def at_end() -> None:
            self._drift = tables.drift()["entries"]
            self._ended(reader)
            self._warn()

        return tables.stream(reader, at_end)

    def _table(self) -> _core.Table:
        with self._watch(None, None) as watch:
            reader, tables = self._reader(_PLENTY, on_progress=watch.show), self._tables()
            try:
                table = tables.table(reader)
            finally:
                reader.close()
            self._drift = tables.drift()["entries"]
            watch.done(self._ended(reader))
        self._warn()
        return table

    def _tables(self) -> _core.Tables:
        return _core.Tables(catalog_of(self._catalog), self.name, {**self._looks})

    @passes_options_to(pulling.pull, but=_NO_OPTIONS)
    def pull(
        self,
        *,
        progress: bool | None = None,
        on_progress: Callable[[Snapshot], object] | None = None,
        stop: _core.Stop | None = None,
        **options: Unpack[StreamPullOptions],
    ) -> Report:
        """Bring it up to date in a folder or a bucket.

        Args:
            progress: Whether to show how it goes. Default: in notebooks.
            on_progress: Called about ten times a second with what was done so far.
            stop: Lets another thread stop the pull at its next checkpoint.
            options: As `circulate_core.pull` takes them.

        Returns:
            The report, as that function returns it.

        Raises:
            CirculateError: As that function.
        """
        with self._watch(progress, on_progress) as watch:
            report = pulling.pull(self.name, on_progress=watch.show, stop=stop, **self._pull_options(options))
            watch.done(report)
        return report

    @passes_options_to(pulling.pull, but=_NO_OPTIONS)
    async def pull_async(
        self,
        *,
        progress: bool | None = None,
        on_progress: Callable[[Snapshot], object] | None = None,
        stop: _core.Stop | None = None,
        **options: Unpack[StreamPullOptions],
    ) -> Report:
        """As `pull`, without keeping the event loop from other work; see `circulate_core.pull_async`.

        Args:
            progress: Whether to show how it goes. Default: in notebooks.
            on_progress: Called in the event loop about ten times a second with what was done so far.
            stop: Lets another task or thread stop the pull at its next checkpoint.
            options: As `circulate_core.pull` takes them.

        Returns:
            The report, as that function returns it.
        """
        with self._watch(progress, on_progress) as watch:
            report = await pulling.pull_async(
                self.name, on_progress=watch.show, stop=stop, **self._pull_options(options)
            )
            watch.done(report)
        return report

    def _pull_options(self, options: StreamPullOptions) -> PullOptions:
        if of_source := [name for name in _OF_SOURCE if name in options]:
            # What it is must not be seen in a traceback.
            cast("dict[str, object]", options).clear()
            message = f"`{of_source[0]}` is given to a stream, whose source knows the account"
            raise SettingsError(message, operation="read options", hint="give it to `circulate_core.source`")
        account = self.source._account  # noqa: SLF001 - of one family
        given = {**account, "catalog": self._catalog, **self._window, **self._looks, **options}
        return cast("PullOptions", given)

    def _watch(
        self,
        progress: bool | None,  # noqa: FBT001 - as the user gave it
        on_progress: Callable[[Snapshot], object] | None,
        *,
        sample: bool = False,
    ) -> Watch:
        """Return what looks on while it is read, and keeps its history."""
        from circulate_core.history import History  # noqa: PLC0415 - loaded when something is read
        from circulate_core.watch import Watch, display_for  # noqa: PLC0415 - see above

        history = History(self.name, headroom=self._headroom())
        if sample:
            return Watch(history, display_for(self.name, progress), patience=1.0)
        self.history = history
        return Watch(history, display_for(self.name, progress), on_progress)

    def _headroom(self) -> float | None:
        """Return the share of the quota that is left to others, if the source has one."""
        given = self.source._account["headroom"]  # noqa: SLF001 - of one family
        defined = self.source.definition.get("rate_limit", {}).get("headroom")
        return defined if given is None else float(given)

    def _reader(
        self,
        records: int,
        *,
        page_records: int | None = None,
        on_progress: Callable[[Snapshot], object] | None = None,
    ) -> _core.Reader:
        account = account_of(None, **self.source._account, catalog=self._catalog)  # noqa: SLF001 - of one family
        options = {**self._window, "records": records, "page_records": page_records}
        return _core.Reader(self.name, account, options, on_progress)

    def _ended(self, reader: _core.Reader) -> Report | None:
        """Keep the report, and return it."""
        self.report = reader.report
        return self.report

    def _warn(self) -> None:
        """Say so if some of the stream could not be had."""
        if self.report is None:
            return
        if gaps := self.report.gaps:
            some = "; ".join(gaps[:3])
            message = f"{self.name} is incomplete: {counted(len(gaps), 'part')} missing: {some}; see `stream.report`"
            warnings.warn(message, IncompleteWarning, stacklevel=3)
        for warning in self.report.warnings:
            warnings.warn(f"{self.name}: {warning}", IncompleteWarning, stacklevel=3)
        if unavailable := self.report.unavailable:
            message = f"{self.name}: this account lacks the feature: {unavailable}"
            warnings.warn(message, IncompleteWarning, stacklevel=3)

    def __repr__(self) -> str:
        """Name it."""
        window = "".join(f" {name} {bound}" for name, bound in self._window.items() if bound)
        return f"<Stream {self.name}{window}>"

    def _repr_html_(self) -> str:
        """Show what it is, and how to use it, in a notebook."""
        return display.html(self, self._window)


class Records:
    """The records of a stream, parsed one batch at a time."""

    def __init__(self, stream: Stream, *, progress: bool | None) -> None:
        self._stream = stream
        self._progress = progress

    def __iter__(self) -> Iterator[Record]:
        """Read the stream, record by record."""
        for batch in self._stream.batches(progress=self._progress):
            yield from batch

    async def __aiter__(self) -> AsyncIterator[Record]:
        """As `for`, without keeping the event loop from other work."""
        async for batch in self._stream.batches_async(progress=self._progress):
            for record in batch:
                yield record


class Batch(Tabular, Sequence[Record]):
    """Some records of a stream: as received (`json`), parsed as a sequence, or as a table.

    The tables of the batches of a stream have the columns of the first that was made.
    """

    def __init__(self, records: bytes, tables: _core.Tables) -> None:
        self.json = records
        """A JSON array of the records, their bytes as received."""
        self._tables = tables

    def _table(self) -> _core.Table:
        return self._tables.convert(self.json)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return it as an Arrow stream, by the Arrow PyCapsule interface."""
        return self._table().__arrow_c_stream__(requested_schema)

    @cached_property
    def _records(self) -> list[Record]:
        return cast("list[Record]", json.loads(self.json))

    def records(self) -> list[Record]:
        """Return its records, parsed."""
        return list(self._records)

    @overload
    def __getitem__(self, index: int) -> Record: ...

    @overload
    def __getitem__(self, index: slice) -> list[Record]: ...

    def __getitem__(self, index: int | slice) -> Record | list[Record]:
        """Return a record, or some."""
        return self._records[index]

    def __len__(self) -> int:
        """Return how many records there are."""
        return len(self._records)

    def __repr__(self) -> str:
        """Say how much it is."""
        return f"<Batch of {len(self):,} records, {len(self.json):,} bytes>"

    def _repr_html_(self) -> str:
        """Show its first records in a notebook."""
        return display.html(self)


def _refuse_less_than_one(name: str, given: object) -> None:
    """Refuse a number of records before it is passed on under the name that the engine has for it."""
    if isinstance(given, bool) or not isinstance(given, int) or given < 1:
        message = f"invalid `{name}`: expected a whole number of 1 or more, given {given!r}"
        raise SettingsError(message)


def _refuse_twice(what: str, given: Mapping[str, Any], keywords: Mapping[str, Any]) -> None:
    """Refuse keys of a definition that are given in a mapping and as keywords."""
    if twice := [key for key in keywords if key in given]:
        named = ", ".join(f"`{key}`" for key in twice)
        message = f"the definition of {what} has {named} twice: in the mapping, and as a keyword"
        raise DefinitionError(message, hint="leave one of them out")


def _bound(name: str, given: Time | None) -> str | None:
    """Return a bound of a period as RFC 3339: a length of time counts from when the stream was made."""
    return None if given is None else _core.timestamp(name, given)


class _Account(TypedDict):
    """What is known of an account, as the functions of the package take it."""

    settings: _core.Settings
    secret: str | None
    account: str | None
    headroom: Headroom | None


def _account(  # noqa: PLR0913, PLR0917 - each is a different thing, given once
    definition: SourceDefinition,
    settings: _core.Settings,
    profile: str | None,
    secret: str | None,
    account: str | None,
    catalog: Catalog,
    headroom: Headroom | None,
) -> _Account:
    from circulate_core.settings import gathered  # noqa: PLC0415 - what reads files is loaded when it is needed

    found = gathered(
        definition, settings, profile=profile, secret=secret, account=account, catalog=catalog, headroom=headroom
    )
    return {
        "settings": found.settings,
        "secret": found.secret,
        "account": found.account,
        "headroom": found.headroom,
    }
