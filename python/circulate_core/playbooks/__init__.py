"""Playbooks: operations that are done one after the other, and undone in reverse.

```python
import circulate_core

contain = circulate_core.playbook("contain_account")
run = contain.run({"login": "isaac.brock@example.com"}, yes=True)
print(run.status)
contain.undo(run, yes=True)
```
"""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circulate_core import _core
from circulate_core.accounts import account_of
from circulate_core.call_documents import applied, called, planned, undone
from circulate_core.catalogs import source_definition
from circulate_core.changing import ledger as rows_of_account
from circulate_core.changing import ledger_location, rows_of
from circulate_core.exceptions import CirculateError, SettingsError
from circulate_core.operations import operation_definition
from circulate_core.playbooks.definition import read_playbook, source_of
from circulate_core.playbooks.kept import KeptRuns, read_run
from circulate_core.playbooks.playing import new_run, new_undo, plan_run, plan_undo, run_steps, undo_steps
from circulate_core.playbooks.results import PlaybookRun, PlaybookStep

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from os import PathLike

    from circulate_core.playbooks.definition import PlaybookDefinition, Written
    from circulate_core.types import Catalog, Headroom, Length

    OnStep = Callable[[PlaybookStep], object]
    """Is called with a step that has ended."""


def playbook(  # noqa: PLR0913 - how to know an account, and what to run
    name: str | PathLike[str],
    *,
    ledger: str | PathLike[str] | None = None,
    settings: Mapping[str, str] | _core.Settings | None = None,
    profile: str | None = None,
    secret: str | None = None,
    account: str | None = None,
    headroom: Headroom | None = None,
    catalog: Catalog = (),
) -> Playbook:
    """Read a playbook: operations that are done one after the other.

    Args:
        name: The name of a shipped one, or a file of your own.
        ledger: Where plans and the ledger are; see `plan`.
        settings: Settings of the source by name, if it calls one only; see `call`.
        profile: Profile of the source, likewise.
        secret: Stored secret of the source, likewise.
        account: Name of the account, likewise.
        headroom: Share of the APIs' quotas to leave to others.
        catalog: Folders of definitions that come before the shipped ones.

    Raises:
        DefinitionError: There is no such playbook, or it is wrong. All that is wrong is named, with its line.
        SettingsError: Settings of one source are given for a playbook of several.
    """
    settings = _core.Settings(settings)
    written = read_playbook(name, catalog=catalog)
    return Playbook(
        written, Accounts.gathered(written.sources, settings, profile, secret, account, headroom, catalog, ledger)
    )


class Accounts:
    """The accounts of the sources that a playbook calls, as the functions of the package take them.

    Args:
        known: What they take, by source.
        ledger: Where plans and the ledger are.
    """

    def __init__(self, known: Mapping[str, Mapping[str, Any]], ledger: str | PathLike[str] | None) -> None:
        self._known = known
        self._ledger = ledger

    @classmethod
    def gathered(  # noqa: PLR0913, PLR0917 - as `playbook`
        cls,
        sources: Iterable[str],
        settings: _core.Settings,
        profile: str | None,
        secret: str | None,
        account: str | None,
        headroom: Headroom | None,
        catalog: Catalog,
        ledger: str | PathLike[str] | None,
    ) -> Accounts:
        """Gather the settings of sources.

        Raises:
            SettingsError: They are given for one source, and there are several.
        """
        from circulate_core.settings import gathered  # noqa: PLC0415 - what reads files is loaded when it is needed

        names = list(sources)
        require_one_source(
            names, {"settings": settings.names, "profile": profile, "secret": secret, "account": account}
        )
        known = {}
        for name in names:
            found = gathered(
                source_definition(name, catalog=catalog),
                settings,
                profile=profile,
                secret=secret,
                account=account,
                catalog=catalog,
                headroom=headroom,
            )
            known[name] = {
                "settings": found.settings,
                "secret": found.secret,
                "account": found.account,
                "headroom": found.headroom,
                "catalog": catalog,
            }
        return cls(known, ledger)

    def catalog(self) -> Catalog:
        """Return where the sources are defined."""
        return next((known["catalog"] for known in self._known.values()), ())

    def named_as(self, run: Mapping[str, Any]) -> Accounts:
        """Return the same, by the names that a run knows them by, unless they have others."""
        names = {
            source_of(step["operation"]): step["planned"].get("account") for step in run["steps"] if step.get("planned")
        }
        known = {
            source: {**each, "account": each["account"] or names.get(source)} for source, each in self._known.items()
        }
        return Accounts(known, self._ledger)

    def with_ledger_of(self, run: Mapping[str, Any]) -> Accounts:
        """Return the same, with the ledger that a run began with: it has its plans.

        Raises:
            SettingsError: Another one is given.
        """
        known = run.get("ledger")
        if known is None:
            return self
        if self._ledger is not None and _place(self._ledger) != known:
            message = f"the plans of {run['run']} are in the ledger {known}, and not in {_place(self._ledger)}"
            raise SettingsError(message, operation="find run", hint="leave `ledger` out: the run knows its own")
        return Accounts(self._known, known)

    def addresses(self) -> dict[str, str]:
        """Return where the account of each source is.

        Raises:
            SettingsError: A setting is missing or wrong.
        """
        return {
            source: _core.account_address(source, account_of(None, **known)) for source, known in self._known.items()
        }

    def require_as_for(self, run: Mapping[str, Any]) -> None:
        """Refuse to go on with a run at another address: half of it would be done there.

        Raises:
            SettingsError: A source is at another one.
        """
        began = run.get("addresses") or {}
        if moved := [
            f"{source} at {began[source]}, and is at {address} now"
            for source, address in self.addresses().items()
            if began.get(source, address) != address
        ]:
            message = f"{run['run']} began with {'; '.join(moved)}"
            raise SettingsError(message, operation="resume run", hint="resume it with the settings that it began with")

    def ledger(self) -> str:
        """Return where plans and the ledger are."""
        return _place(self._ledger)

    def handler(self, *, yes: bool, lease: Length) -> LocalHandler:
        """Return what does here what functions do on AWS."""
        return LocalHandler(self._known, self._ledger, yes=yes, lease=lease)


def require_one_source(sources: list[str], given: Mapping[str, object]) -> None:
    """Refuse what is of one source if there are several.

    Raises:
        SettingsError: It is given, and there are.
    """
    if len(sources) > 1 and (wrong := [name for name, value in given.items() if value]):
        message = f"`{'`, `'.join(wrong)}`: of which source? The playbook calls {' and '.join(sources)}"
        hint = "their settings come from the environment, or from `circulate.toml`"
        raise SettingsError(message, hint=hint)


class LocalHandler:
    """Does here what the functions of operations do on AWS: the same events, the same documents.

    Args:
        known: What is known of the accounts, by source.
        ledger: Where plans and the ledger are.
        yes: Whether a person agrees to what is applied.
        lease: How long a call stays this worker's if it dies.
    """

    def __init__(
        self,
        known: Mapping[str, Mapping[str, Any]],
        ledger: str | PathLike[str] | None,
        *,
        yes: bool,
        lease: Length,
    ) -> None:
        self._known = known
        self._ledger = ledger
        self._yes = yes
        self._lease = lease

    def __call__(self, operation: str, event: dict[str, Any]) -> dict[str, Any]:
        """Return what the function of an operation returns for an event."""
        account: dict[str, Any] = {**self._known[source_of(operation)]}
        if "apply" in event:
            return applied(event["apply"], yes=self._yes, lease=self._lease, ledger=self._ledger, **account)
        if "undo" in event:
            return undone(event["undo"], ledger=self._ledger, **account)
        if operation_definition(operation, catalog=account["catalog"])[1]["kind"] == "investigate":
            return called(operation, event["parameters"], **account)
        return planned(operation, event["parameters"], ledger=self._ledger, **account)

    def require_settings(self) -> None:
        """Look whether there is what it takes, before a step fails by that.

        Raises:
            CirculateError: A setting of a source is missing or wrong, or the ledger can't be read.
        """
        for source, known in self._known.items():
            named = {name: value for name, value in known.items() if name != "headroom"}
            rows_of_account(source, limit=1, ledger=self._ledger, **named)

    def rows(self, plan: str) -> list[dict[str, Any]]:
        """Return what the ledger has of a plan."""
        return rows_of(plan, ledger=self._ledger, **self._known[source_of(plan)])


class Playbook:
    """A playbook.

    Attributes:
        name: What it is called.
        definition: What it says.
    """

    def __init__(self, written: Written, accounts: Accounts) -> None:
        self.name = written.name
        self.definition: PlaybookDefinition = written.definition
        self._written = written
        self._accounts = accounts

    def __repr__(self) -> str:
        """Name it, and what it takes."""
        return f"<Playbook {self.name}({', '.join(self._written.inputs)})>"

    def run(
        self,
        inputs: Mapping[str, object] | None = None,
        *,
        yes: bool = False,
        resume: str | None = None,
        lease: Length = "60s",
        on_step: OnStep | None = None,
    ) -> PlaybookRun:
        """Run it, or plan what can be planned of it before anything is changed.

        Args:
            inputs: What its inputs are, by name.
            yes: A person agrees to all that it does, destructive steps included. Without that nothing is changed.
            resume: A run to go on with, instead of `inputs`. Nothing of it is done a second time.
            lease: How long a call stays this worker's if it dies; see `apply`.
            on_step: Called with each step when it has ended.

        Returns:
            What became of it. Without `yes` its status is `planned`, or `failed` if it can't be done.

        Raises:
            SettingsError: An input is missing, unknown or wrong; the run to resume is of another playbook.
            CirculateError: It is not known yet what becomes of a step: resume the run.
        """
        if resume is not None:
            return self._resume(resume, inputs, yes=yes, lease=lease, on_step=on_step)
        run = new_run(self._written, _new_name(self.name), self._written.checked_inputs(inputs or {}))
        if not yes:
            plan_run(self._written, run, self._accounts.handler(yes=False, lease=lease))
            return PlaybookRun.from_dict(run)
        run["ledger"] = self._accounts.ledger()
        return self._run(KeptRuns(), run, lease, on_step)

    def _resume(
        self,
        named: str,
        inputs: Mapping[str, object] | None,
        *,
        yes: bool,
        lease: Length,
        on_step: OnStep | None,
    ) -> PlaybookRun:
        kept = KeptRuns()
        run = kept.read(named)
        mistakes = []
        if not yes:
            mistakes.append("to resume a run is to change something: say `yes`")
        if inputs:
            mistakes.append("a run is resumed with the inputs that it began with: leave `inputs` out")
        if run["playbook_sha256"] != self._written.sha256:
            mistakes.append(f"{named} was begun with another text of the playbook {run['playbook']}")
        if run.get("undoes"):
            mistakes.append(f"{named} is an undo: `circulate playbook undo {run['undoes']}` goes on with it")
        if kept.has(f"{named}-undo"):
            mistakes.append(f"{named} was undone, or begun to be: run the playbook again")
        if mistakes:
            raise SettingsError("; ".join(mistakes), operation="resume run")
        return self._run(kept, run, lease, on_step)

    def _run(self, kept: KeptRuns, run: dict[str, Any], lease: Length, on_step: OnStep | None) -> PlaybookRun:
        accounts = self._accounts.named_as(run).with_ledger_of(run)
        handler = accounts.handler(yes=True, lease=lease)
        handler.require_settings()
        with kept.held(run["run"]):
            # Somebody else may have gone on with it meanwhile.
            run = kept.read(run["run"]) if kept.has(run["run"]) else run
            if run["status"] == "running":
                if any(step["status"] != "not_begun" for step in run["steps"]):
                    accounts.require_as_for(run)
                else:
                    run["addresses"] = accounts.addresses()
                save = _Saving(kept, run, on_step)
                save()
                with _resumable(f"`resume={run['run']!r}` goes on with it (`--resume`)"):
                    run_steps(self._written, run, handler, save)
        return PlaybookRun.from_dict(run)

    def undo(
        self,
        run: PlaybookRun | str | PathLike[str],
        *,
        yes: bool = False,
        lease: Length = "60s",
        on_step: OnStep | None = None,
    ) -> PlaybookRun:
        """Undo what a run did, or plan that. The last step comes first.

        It ends at the first step of which it is not known what it did, or whose object has been changed since. Called
        again, it goes on.

        Args:
            run: The run: its name, a file with its document, or what `run` returned.
            yes: A person agrees to all that is undone. Without that nothing is changed.
            lease: As for `run`.
            on_step: As for `run`.

        Raises:
            SettingsError: There is no such run.
            CirculateError: It is not known yet what becomes of a step: undo the run again.
        """
        return undo_run(run_document(run), self._accounts, yes=yes, lease=lease, on_step=on_step)

    def compile(self, *, undo: bool = False) -> str:
        """Return it as a state machine in Amazon States Language, as Terraform's `templatefile` takes it.

        Args:
            undo: Return the state machine that undoes what that one did.
        """
        from circulate_core.playbooks.asl import compiled  # noqa: PLC0415 - for those who deploy it

        return compiled(self._written, undo=undo)


def undo_run(
    document: dict[str, Any], accounts: Accounts, *, yes: bool, lease: Length, on_step: OnStep | None = None
) -> PlaybookRun:
    """Undo what a run did; see `Playbook.undo`."""
    if document.get("undoes"):
        message = f"{document['run']} is an undo itself"
        raise SettingsError(message, hint="run the playbook again instead")
    accounts = accounts.named_as(document).with_ledger_of(document)
    undo = new_undo(document, accounts.catalog())
    if not yes:
        plan_undo(undo, document, accounts.handler(yes=False, lease=lease))
        return PlaybookRun.from_dict(undo)
    kept, handler = KeptRuns(), accounts.handler(yes=True, lease=lease)
    handler.require_settings()
    # Not while the run goes on.
    with kept.held(document["run"]), kept.held(undo["run"]):
        undo = kept.read(undo["run"]) if kept.has(undo["run"]) else undo
        if undo["status"] != "complete":
            save = _Saving(kept, undo, on_step)
            save()
            with _resumable("undo the run again to go on with it"):
                undo_steps(undo, document, handler, save)
    return PlaybookRun.from_dict(undo)


def run_document(run: PlaybookRun | str | PathLike[str]) -> dict[str, Any]:
    """Return the document of a run.

    Raises:
        SettingsError: There is no such run.
    """
    if isinstance(run, PlaybookRun):
        return run.to_dict()
    if Path(run).suffix == ".json" or Path(run).is_file():
        return read_run(Path(run), str(run))
    return KeptRuns().read(str(run))


class _Saving:
    """Keeps the document of a run, and reports steps that have ended."""

    def __init__(self, kept: KeptRuns, document: dict[str, Any], on_step: OnStep | None) -> None:
        self._kept = kept
        self._document = document
        self._on_step = on_step
        self._reported = {step["id"] for step in self._ended()}

    def _ended(self) -> list[dict[str, Any]]:
        return [step for step in self._document["steps"] if step["status"] not in {"not_begun", "planned"}]

    def __call__(self) -> None:
        """Keep it as it is now."""
        self._kept.write(self._document)
        for step in self._ended():
            if self._on_step and step["id"] not in self._reported:
                self._on_step(PlaybookStep.from_dict(step))
            self._reported.add(step["id"])


@contextmanager
def _resumable(how: str) -> Iterator[None]:
    """Say of what ends the `with` block early how to go on."""
    try:
        yield
    except CirculateError as error:
        error.hint = f"{error.hint}; {how}" if error.hint else how
        error.add_note(f"hint: {how}")
        raise
    except KeyboardInterrupt as stopped:
        stopped.add_note(how)
        raise


def _place(ledger: str | PathLike[str] | None) -> str:
    """Return where a ledger is, the same from whichever folder."""
    place = ledger_location(ledger)
    return place if "://" in place else str(Path(place).absolute())


def _new_name(playbook: str) -> str:
    return f"{playbook}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
