"""Settings of a function, from its environment variables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from circulate_core import _core
from circulate_core.aws.events import COMMITS
from circulate_core.exceptions import SettingsError
from circulate_core.lakes import state_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from circulate_core.types import S3Options, SourceDefinition

FROM, TO, STATE, COMPACT = "CIRCULATE_FROM", "CIRCULATE_TO", "CIRCULATE_STATE", "CIRCULATE_COMPACT"
COMMIT, HEADROOM = "CIRCULATE_COMMIT", "CIRCULATE_HEADROOM"
LEDGER = "CIRCULATE_LEDGER"
DATABASE = "CIRCULATE_DATABASE"
OBJECTS = {
    "format": "CIRCULATE_FORMAT",
    "compression": "CIRCULATE_COMPRESSION",
    "nested": "CIRCULATE_NESTED",
    "contract": "CIRCULATE_CONTRACT",
}
S3 = {
    "sse": "CIRCULATE_SSE",
    "sse_kms_key_id": "CIRCULATE_SSE_KMS_KEY_ID",
    "expected_bucket_owner": "CIRCULATE_EXPECTED_BUCKET_OWNER",
}


@dataclass(frozen=True)
class Account:
    """Account of a source: its name, settings and secret.

    Attributes:
        name: Its name in keys; None for its host.
        settings: Settings of the source that are given.
        secret: Name of the stored secret with the others.
    """

    name: str | None
    settings: _core.Settings
    secret: str | None


@dataclass(frozen=True)
class AccountSettings:
    """The accounts of a function, from its environment: all that one needs that stores nothing.

    Attributes:
        headroom: Share of the quota that is left to others; None for that of the definition.
        given: Settings of the source.
        secret: Name of the stored secret; with several accounts it holds `{account}`.
        accounts: Names of the accounts that the function serves; empty if there is one without a name.
    """

    headroom: str | None
    given: _core.Settings
    secret: str | None
    accounts: tuple[str, ...]

    @classmethod
    def read(cls, source: SourceDefinition, environment: Mapping[str, str]) -> AccountSettings:
        """Read them.

        Args:
            source: The source of the accounts; its settings name their variables.
            environment: The environment.

        Raises:
            SettingsError: What is there does not fit together.
        """
        prefix = source["source"].upper()
        accounts = environment.get(f"{prefix}_ACCOUNTS") or environment.get(f"{prefix}_ACCOUNT") or ""
        settings = cls(
            headroom=environment.get(HEADROOM) or None,
            given=_core.Settings(_given(environment, {name: each["env"] for name, each in source["settings"].items()})),
            secret=environment.get(f"{prefix}_SECRET") or None,
            accounts=tuple(name.strip() for name in accounts.split(",") if name.strip()),
        )
        if len(settings.accounts) > 1 and "{account}" not in (settings.secret or ""):
            message = (
                f"{prefix}_ACCOUNTS names several accounts, but {prefix}_SECRET does not say which secret is whose"
            )
            raise SettingsError(
                message, hint=f"write {prefix}_SECRET with a placeholder, such as circulate/{{account}}"
            )
        if len(settings.accounts) > 1 and settings.given.names:
            given = ", ".join(source["settings"][name]["env"] for name in settings.given.names)
            message = f"{given} would be the same for all of the accounts in {prefix}_ACCOUNTS"
            raise SettingsError(message, hint="keep settings of accounts in their secrets")
        return settings

    def account(self, requested: str | None) -> Account:
        """Return the account that an event names.

        Args:
            requested: Its name; None for the only one.

        Raises:
            SettingsError: The function does not serve it, or serves several and none is named.
        """
        if requested is None and len(self.accounts) > 1:
            message = "the event names no account, and this function serves several"
            raise SettingsError(message, hint=f"add `account`: {', '.join(self.accounts)}")
        if requested is not None and requested not in self.accounts:
            known = ", ".join(self.accounts) or "one without a name"
            message = f"this function knows no account `{requested}`"
            raise SettingsError(message, hint=f"it serves {known}")
        name = requested or next(iter(self.accounts), None)
        secret = self.secret.replace("{account}", name) if self.secret and name else self.secret
        return Account(name, self.given, secret)


@dataclass(frozen=True)
class Settings:
    """Settings of a function that pulls, from its environment.

    Attributes:
        to: The bucket.
        state: The table.
        s3: How the bucket is used.
        objects: How objects look.
        commit: Whether a complete run is committed at once or left to be decided, if an event does not say.
        accounts: The accounts that the function serves.
    """

    to: str
    state: str
    s3: S3Options
    objects: dict[str, Any]
    commit: str
    accounts: AccountSettings

    @classmethod
    def read(cls, source: SourceDefinition, environment: Mapping[str, str]) -> Settings:
        """Read them.

        Args:
            source: The source that is pulled from; its settings name their variables.
            environment: The environment.

        Raises:
            SettingsError: Something that is needed is missing, or what is there does not fit together.
        """
        return cls(
            to=_needed(environment, TO, "where to pull to, such as s3://acme-lake/raw"),
            state=_needed(environment, STATE, "where state is kept, such as dynamodb://circulate"),
            s3=_given(environment, S3),  # type: ignore[arg-type]
            objects=_given(environment, OBJECTS),
            commit=_choice(environment, COMMIT, COMMITS),
            accounts=AccountSettings.read(source, environment),
        )


@dataclass(frozen=True)
class PromotionSettings:
    """Settings of a function that promotes runs, from its environment.

    Attributes:
        origin: The bucket that runs were pulled to.
        to: The bucket for readers.
        state: The table.
        s3: How the buckets are used.
        compact: Whether objects are put together in larger ones.
    """

    origin: str
    to: str
    state: str
    s3: S3Options
    compact: bool

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> PromotionSettings:
        """Read them.

        Raises:
            SettingsError: Something that is needed is missing, or is not what it can be.
        """
        return cls(
            origin=_needed(environment, FROM, "where runs were pulled to, such as s3://acme-lake/raw"),
            to=_needed(environment, TO, "where readers look, such as s3://acme-data"),
            state=_needed(environment, STATE, "where state is kept, such as dynamodb://circulate"),
            s3=_given(environment, S3),  # type: ignore[arg-type]
            compact=_choice(environment, COMPACT, ("false", "true")) == "true",
        )


@dataclass(frozen=True)
class RegistrationSettings:
    """Settings of a function that registers runs, from its environment.

    Attributes:
        origin: The bucket that has the runs.
        to: Where files of tables lie.
        database: The database of the Glue Data Catalog.
        s3: How the buckets are used.
    """

    origin: str
    to: str
    database: str
    s3: S3Options

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> RegistrationSettings:
        """Read them.

        Raises:
            SettingsError: Something that is needed is missing.
        """
        return cls(
            origin=_needed(environment, FROM, "where the runs are, such as s3://acme-data"),
            to=_needed(environment, TO, "where files of tables lie, such as s3://acme-data/tables"),
            database=_needed(environment, DATABASE, "the database of the Glue Data Catalog"),
            s3=_given(environment, S3),  # type: ignore[arg-type]
        )


def ledger_setting(environment: Mapping[str, str]) -> str:
    """Return where plans and the ledger of a function are.

    Raises:
        SettingsError: The environment does not say.
    """
    return state_of(_needed(environment, LEDGER, "where plans and what became of them are kept: dynamodb://table"))


def _needed(environment: Mapping[str, str], variable: str, about: str) -> str:
    if value := environment.get(variable):
        return value
    message = f"the environment variable {variable} is not set"
    raise SettingsError(message, hint=f"it says {about}")


def _choice(environment: Mapping[str, str], variable: str, choices: tuple[str, ...]) -> str:
    """Return what a variable says; the first choice if it is not set."""
    value = environment.get(variable) or choices[0]
    if value in choices:
        return value
    message = f"the environment variable {variable} is `{value}`"
    raise SettingsError(message, hint=f"it is {' or '.join(choices)}")


def _given(environment: Mapping[str, str], variables: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, variable in variables.items() if (value := environment.get(variable))}
