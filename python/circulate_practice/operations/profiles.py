"""What Okta accepts as a profile, and as credentials of a user."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from circulate_practice.data.json_text import edited, quoted
from circulate_practice.operations.call import Document
from circulate_practice.server.responses import Refusal

BLANK: Final = "{}: The field cannot be left blank"
TAKEN: Final = "{}: An object with this field already exists in the current organization"
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
_SHORTEST_PASSWORD: Final = 8


class _Text(NamedTuple):
    """How long a text may be, and whether it may be null."""

    least: int = 0
    most: int = 1_000_000
    nullable: bool = True


_REQUIRED: Final = ("login", "email", "firstName", "lastName")
_TEXTS: Final = {
    "login": _Text(5, 100, nullable=False),
    "email": _Text(5, 100, nullable=False),
    "firstName": _Text(1, 50, nullable=False),
    "lastName": _Text(1, 50, nullable=False),
    "secondEmail": _Text(0, 100),
    "city": _Text(0, 128),
    "countryCode": _Text(0, 2),
    "mobilePhone": _Text(0, 100),
    "primaryPhone": _Text(0, 100),
    "postalAddress": _Text(0, 4096),
    "state": _Text(0, 128),
    "streetAddress": _Text(0, 1024),
    "zipCode": _Text(0, 50),
    **dict.fromkeys(("department", "employeeNumber", "locale"), _Text(nullable=False)),
    **dict.fromkeys(
        (
            *("costCenter", "displayName", "division", "honorificPrefix", "honorificSuffix", "manager", "managerId"),
            *("middleName", "nickName", "organization", "preferredLanguage", "profileUrl", "timezone", "title"),
            "userType",
        ),
        _Text(),
    ),
}


def invalid(causes: Iterable[str], subject: str = "") -> Refusal:
    """Return the refusal of a body with these mistakes, each of which begins with the name of a member."""
    found = list(causes)
    return Refusal(400, "E0000001", subject or found[0].partition(":")[0], found)


def check_profile(values: Mapping[str, Any], *, whole: bool) -> None:
    """Refuse the profile of a user that Okta does not accept.

    Args:
        values: The profile.
        whole: Whether it is all of it, which has members that are required.

    Raises:
        Refusal: If anything is wrong, with all that is.
    """
    required = _REQUIRED if whole else tuple(name for name in _REQUIRED if name in values)
    causes = [BLANK.format(name) for name in required if values.get(name) in (None, "")]
    blank = {cause.partition(":")[0] for cause in causes}
    for name, value in values.items():
        rule = _TEXTS.get(name)
        if rule is None or name in blank or (value is None and rule.nullable):
            continue
        if not isinstance(value, str):
            causes.append(f"{name}: The value must be of type string")
        elif not rule.least <= len(value) <= rule.most:
            causes.append(f"{name}: The length must be between {rule.least} and {rule.most}")
        elif name in {"email", "secondEmail"} and value and not _EMAIL.fullmatch(value):
            causes.append(f"{name}: Does not match required pattern")
        elif name == "login" and not _EMAIL.fullmatch(value):
            causes.append("login: Username must be in the form of an email address")
    if causes:
        raise invalid(causes)


def check_password(credentials: Document | None) -> bool:
    """Return whether `credentials` hold a password.

    Raises:
        Refusal: If the password is not one.
    """
    password = None if credentials is None else credentials.part("password")
    if password is None or not password.values:
        return False
    value = password.values.get("value")
    if value is None and ("hash" in password.values or "hook" in password.values):
        return True
    if not isinstance(value, str) or len(value) < _SHORTEST_PASSWORD:
        cause = f"password: Password requirements were not met: at least {_SHORTEST_PASSWORD} characters."
        raise invalid([cause])
    return True


def shown(current: bytes, credentials: Document | None) -> bytes:
    """Return what the record shows of credentials, `current` before: neither password nor recovery."""
    if credentials is None:
        return current
    values: dict[str, bytes | None] = {}
    if check_password(credentials):
        values["password"] = b"{}"
    question = credentials.part("recovery_question")
    if question is not None:
        values["recovery_question"] = edited(b"{}", {"question": question.raw("question") or quoted("")})
    return edited(current, values)
