"""What is taken out of exchanges before they are written: secrets, tokens, and what says who somebody is."""

from __future__ import annotations

import base64
import binascii
import csv
import html
import io
import ipaddress
import json
import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit, urlunsplit

from circulate_core.authoring.cassettes.cassette import CassetteError, Exchange, Request, Response, stand_in
from circulate_core.authoring.cassettes.json_text import Value, is_json, rewritten
from circulate_core.authoring.cassettes.stand_ins import StandIns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

SHORTEST_SECRET: Final = 4
"""A shorter one would be found in words, too."""
_EMAIL: Final = re.compile(r"[\w.+'-]+@[\w-]+(?:\.[\w-]+)+")
_IPV4: Final = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.])")
_IPV6: Final = re.compile(r"(?<![\w:.])(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4}(?![\w:.])")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")

_KINDS: Final = {
    "name": (
        "firstname lastname middlename givenname familyname fullname displayname nickname realname surname username"
        " login author formattedname honorificprefix maidenname"
    ),
    "phone number": "phone phonenumber mobile mobilephone primaryphone telephone tel fax cellphone workphone homephone",
    "e-mail address": "email emailaddress mail secondemail useremail",
    "postal address": "streetaddress street address1 address2 addressline1 addressline2 postaladdress zipcode"
    " postalcode",
    "date of birth": "birthdate dateofbirth dob birthday",
    "number of a person": "ssn socialsecuritynumber nationalid passportnumber taxid iban",
    "IP address": "ip ipaddress clientip remoteip sourceip remoteaddr",
}
_PERSONAL: Final = {member: kind for kind, members in _KINDS.items() for member in members.split()}
_TOKENS: Final = frozenset(
    (
        *(
            "accesstoken",
            "refreshtoken",
            "idtoken",
            "token",
            "sessiontoken",
            "sessionid",
            "jwt",
            "clientsecret",
            "secret",
        ),
        *("password", "apikey", "clientassertion", "assertion", "authtoken", "bearertoken", "csrftoken", "sid"),
    )
)
"""Members of what signs in, and of what it gets."""
_NEVER: Final = frozenset(
    (
        *("authorization", "proxy-authorization", "cookie", "set-cookie", "dpop", "dpop-nonce", "www-authenticate"),
        *("user-agent", "accept-encoding", "host", "content-length", "connection"),
    )
)
"""Headers that are not recorded: they prove who sends, or are made again each time."""
_SIGNATURES: Final = re.compile(r"x-amz-|.*-signature$|x-.*-(?:timestamp|nonce)$|date$")
_UNRECORDED: Final = re.compile(
    r"(?:connection|keep-alive|transfer-encoding|content-encoding|content-length|strict-transport-security|server|via"
    r"|alt-svc|nel|report-to|cf-.*|x-amz-.*|x-envoy-.*|x-powered-by|x-xss-protection|x-content-type-options"
    r"|x-frame-options|content-security-policy.*|permissions-policy|referrer-policy|access-control-.*|vary|expect-ct"
    r"|set-cookie|dpop-nonce|p3p|accept-ch|pragma|x-cache.*|x-served-by|x-timer)$"
)
"""Headers of responses that say nothing about lists."""


@dataclass(frozen=True)
class Raw:
    """An exchange as it crossed the wire.

    Attributes:
        request: The request, with its credentials.
        response: The response; None if the recording ended before.
    """

    request: Request
    response: Response | None


@dataclass(frozen=True)
class Rules:
    """What is replaced.

    Attributes:
        secrets: Values of the secret settings, by name.
        keep: Members whose values are kept.
        scrub: More members whose values are replaced.
    """

    secrets: dict[str, str]
    keep: frozenset[str] = frozenset()
    scrub: frozenset[str] = frozenset()


class Scrubber:
    """Replaces values, after it has seen all of them: what turns up last may stand in the first response.

    Args:
        rules: What is replaced.
        exchanges: All exchanges.

    Raises:
        CassetteError: A secret is too short to be found for certain.
    """

    def __init__(self, rules: Rules, exchanges: Iterable[Raw]) -> None:
        self._keep = {_member(name) for name in rules.keep}
        self._scrub = {_member(name) for name in rules.scrub}
        self._stand_ins = StandIns()
        self._anywhere: dict[str, str] = {}
        """Values that are replaced wherever they stand, also inside of others."""
        self._whole: dict[str, str] = {}
        """Values that are replaced where they are all of a parameter."""
        self._kinds: dict[str, str] = {}
        self._places: Counter[str] = Counter()
        self._hosts: set[str] = set()
        short = sorted(name for name, value in rules.secrets.items() if len(value) < SHORTEST_SECRET)
        if short:
            message = f"the secret of {', '.join(f'`{name}`' for name in short)} is too short to be found for certain"
            raise CassetteError(message, operation="record", hint=f"use one of at least {SHORTEST_SECRET} characters")
        for name, value in rules.secrets.items():
            self._hide(value, stand_in(name), "secret")
        exchanges = list(exchanges)
        self._hosts |= {urlsplit(each.request.url).hostname or "" for each in exchanges}
        for exchange in exchanges:
            self._learn_credentials(exchange)
        for exchange in exchanges:
            self._learn(exchange)
        self._pattern, self._forms = _patterns(self._anywhere)

    @property
    def replaced(self) -> dict[str, int]:
        """How many values of each kind have stand-ins, of those that stood somewhere."""
        return dict(Counter(self._kinds[value] for value in self._places))

    @property
    def places(self) -> int:
        """In how many places they stood."""
        return self._places.total()

    def scrubbed(self, exchange: Raw) -> Exchange:
        """Return an exchange as it is recorded."""
        request, response = exchange.request, exchange.response
        headers = tuple((name, self.text(value)) for name, value in request.headers if is_recorded(name))
        scrubbed = Request(
            request.method, self.url(request.url), headers, self._body(request.body, dict(request.headers))
        )
        if response is None:
            return Exchange(scrubbed, None)
        cookies = tuple(
            value.partition("=")[0].strip() for name, value in response.headers if name == "set-cookie" and "=" in value
        )
        kept = tuple((name, self._header(value)) for name, value in response.headers if not _UNRECORDED.match(name))
        body = self._body(response.body, dict(response.headers))
        return Exchange(scrubbed, replace(response, headers=kept, cookies=cookies, body=body))

    def url(self, url: str) -> str:
        """Return an address, whose parameters are replaced as values are."""
        parts = urlsplit(url)
        path = "/".join(self._encoded(each) for each in parts.path.split("/"))
        query = "&".join(
            "=".join([name, self._encoded(value, plus=True)] if is_pair else [name])
            for name, is_pair, value in (each.partition("=") for each in parts.query.split("&"))
        )
        return urlunsplit((parts.scheme, parts.netloc, self.text(path), self.text(query), ""))

    def text(self, text: str) -> str:
        """Return a text without what is replaced anywhere."""
        if self._pattern is None:
            return text

        def replaced(found: re.Match[str]) -> str:
            value, new = self._forms[found[0]]
            self._places[value] += 1
            return new

        return self._pattern.sub(replaced, text)

    def _encoded(self, part: str, *, plus: bool = False) -> str:
        """Return a part of an address, which is left as it is written if nothing in it is replaced."""
        value = unquote(part.replace("+", " ") if plus else part)
        new = self._whole.get(value)
        if new is not None:
            self._places[value] += 1
        else:
            new = self.text(value)
        return part if new == value else quote(new, safe="")

    def _header(self, value: str) -> str:
        """Return a header, of which addresses may be parts."""
        return self.text(re.sub(r"https?://[^\s<>\"',;]+", lambda found: self.url(found[0]), value))

    def _body(self, body: bytes, headers: dict[str, str]) -> bytes:
        try:
            text = body.decode()
        except UnicodeDecodeError:
            # Of what is no text, what is secret is looked for all the same.
            return self.text(body.decode("latin-1")).encode("latin-1", "replace") if body else body
        if is_json(text):
            return rewritten(text, self._value, self.text).encode()
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "application/x-www-form-urlencoded":
            return self.url(f"?{text}").removeprefix("?").encode()
        if kind == "text/csv":
            return "".join(_csv_rewritten(text, self._field)).encode()
        return self.text(text).encode()

    def _field(self, member: str, text: str) -> str:
        new = self._value(Value(member, frozenset(), text, is_number=False, path=(member,)))
        return text if new is None else new

    def _value(self, value: Value) -> str | None:
        if self._is_kept(value):
            return value.text
        kind = self._kind(value)
        new = self._whole.get(value.text) if kind else None
        if new is not None:
            self._places[value.text] += 1
            return new
        if value.is_number:
            return None
        if value.text.startswith(("http://", "https://", "/")) and "?" in value.text and " " not in value.text:
            return self.url(value.text)
        return self.text(value.text)

    def _is_kept(self, value: Value) -> bool:
        # A secret is none that could be kept.
        return _member(value.member) in self._keep and not any(
            kind in {"secret", "token"} and secret in value.text for secret, kind in self._kinds.items()
        )

    def _kind(self, value: Value) -> str | None:
        """Return what a member is by its name, if that is personal."""
        member = _member(value.member)
        if member in self._keep or not value.text:
            return None
        if member in self._scrub:
            return member
        if member == "name" and any(_member(name) in _PERSONAL for name in value.names):
            # Of a person, and not of a group or a ticket.
            return "name"
        return _PERSONAL.get(member)

    def _hide(self, value: str, new: str, kind: str) -> None:
        if value and value not in self._anywhere:
            self._anywhere[value] = new
            self._kinds[value] = kind

    def _learn_credentials(self, exchange: Raw) -> None:
        """Take in what requests were signed in with, and what a sign-in got."""
        responded = exchange.response or Response(0)
        for name, value in (*exchange.request.headers, *responded.headers):
            for token in _credentials_of(name, value):
                self._token(token)
        for body in (exchange.request.body, responded.body):
            for each in _values(body):
                if _member(each.member) in _TOKENS and not each.is_number:
                    self._token(each.text)
        for name, text in parse_qsl(exchange.request.body.decode("latin-1")):
            if _member(name) in _TOKENS:
                self._token(text)

    def _token(self, value: str) -> None:
        if len(value) >= SHORTEST_SECRET and value not in self._anywhere:
            number = sum(kind == "token" for kind in self._kinds.values()) + 1
            self._hide(value, f"made-up-token-{number}", "token")

    def _learn(self, exchange: Raw) -> None:
        """Take in what is personal."""
        bodies = [exchange.request.body, exchange.response.body if exchange.response else b""]
        for body in bodies:
            text = body.decode("utf-8", "replace")
            values = list(_values(body))
            if not values:
                self._learn_texts(text)
            for value in values:
                self._learn_value(value)
        kind = dict(exchange.response.headers).get("content-type", "") if exchange.response else ""
        if exchange.response and kind.startswith("text/csv"):
            for member, field in _csv_fields(exchange.response.body.decode("utf-8", "replace")):
                self._learn_value(Value(member, frozenset(), field, is_number=False, path=(member,)))
        self._learn_texts(unquote(exchange.request.url))
        for _, text in exchange.response.headers if exchange.response else ():
            self._learn_texts(unquote(text))

    def _learn_value(self, value: Value) -> None:
        if self._is_kept(value):
            return
        kind = self._kind(value)
        if not value.is_number:
            self._learn_texts(value.text)
        if kind and value.text not in self._anywhere and value.text not in self._whole:
            self._kinds[value.text] = kind
            self._whole[value.text] = self._stand_ins.shaped(kind, value.text)
            if " " in value.text.strip() and not value.is_number:
                # Of two words or more: it is not taken for another word where it stands in a sentence.
                self._anywhere[value.text] = self._whole[value.text]

    def _learn_texts(self, text: str) -> None:
        """Take in addresses that stand in a text, and those of opaque values, such as cursors."""
        for email in _EMAIL.findall(text):
            self._hide(email, self._stand_ins.email(email), "e-mail address")
        for address in [*_IPV4.findall(text), *_IPV6.findall(text)]:
            if self._is_somebodys(address):
                self._hide(address, self._stand_ins.address(address), "IP address")
        for opaque in _BASE64.findall(text):
            decoded = _from_base64(opaque)
            if decoded is not None and (
                _EMAIL.search(decoded)
                or any(secret in decoded for secret, kind in self._kinds.items() if kind in {"secret", "token"})
            ):
                self._hide(opaque, self._stand_ins.shaped("cursor", opaque), "value with something of these in it")

    def _is_somebodys(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return address not in self._hosts and not parsed.is_loopback and not parsed.is_unspecified


def is_recorded(header: str) -> bool:
    """Return whether a header of requests is recorded."""
    return header not in _NEVER and not _SIGNATURES.match(header)


def leaks(text: str, secrets: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Yield the lines of a text in which one of some secrets stands, in any form that it is known in, with it."""
    forms = [(form, secret) for secret in secrets for form, _ in _forms_of(secret, "")]
    for number, line in enumerate(text.split("\n"), 1):
        seen = [line, unquote(line), html.unescape(line)]
        for form, secret in forms:
            if any(form in each for each in seen):
                yield number, secret


def _credentials_of(header: str, value: str) -> Iterator[str]:
    """Yield what a header proves by: of cookies, and of what signs in."""
    if header in {"authorization", "proxy-authorization"}:
        yield value.rpartition(" ")[2]
    elif header == "cookie":
        yield from (each.partition("=")[2].strip() for each in value.split(";"))
    elif header == "set-cookie":
        yield value.partition(";")[0].partition("=")[2].strip()


def _member(name: str) -> str:
    """Return the name of a member without what people write it differently by."""
    return re.sub(r"[^a-z0-9]", "", name.casefold())


def _values(body: bytes) -> list[Value]:
    """Return the values of a JSON document; nothing of anything else."""
    found: list[Value] = []

    def seen(value: Value) -> None:
        found.append(value)

    try:
        text = body.decode()
    except UnicodeDecodeError:
        return []
    if is_json(text):
        rewritten(text, seen, lambda name: name)
    return found


def _forms_of(value: str, new: str) -> Iterator[tuple[str, str]]:
    """Yield the forms in which a value may stand in a text, and those of its stand-in."""
    yield value, new
    yield quote(value, safe=""), quote(new, safe="")
    yield quote(value, safe="").replace("%2F", "/"), quote(new, safe="")
    yield re.sub("%..", lambda found: found[0].lower(), quote(value, safe="")), quote(new, safe="")
    yield quote_plus(value), quote_plus(new)
    yield html.escape(value), html.escape(new)
    yield json.dumps(value)[1:-1], json.dumps(new)[1:-1]
    yield json.dumps(value)[1:-1].replace("/", "\\/"), json.dumps(new)[1:-1]
    yield value.encode().hex(), new.encode().hex()
    for form in _in_base64(value):
        yield form, "A" * len(form)
        yield form.replace("+", "-").replace("/", "_"), "A" * len(form)


def _in_base64(value: str) -> Iterator[str]:
    """Yield what a value is in Base64, wherever in a text it begins: what depends on nothing around it."""
    raw = value.encode()
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + raw).decode().rstrip("=")
        first = (before * 8 + 5) // 6
        last = (before + len(raw)) * 8 // 6
        if last - first >= 8:  # noqa: PLR2004 - less is found by chance
            yield encoded[first:last]


def _patterns(values: dict[str, str]) -> tuple[re.Pattern[str] | None, dict[str, tuple[str, str]]]:
    """Return what finds values in all their forms, and the value and the stand-in of each form."""
    forms: dict[str, tuple[str, str]] = {}
    for value, new in values.items():
        for form, made in _forms_of(value, new):
            forms.setdefault(form, (value, made))
    if not forms:
        return None, forms
    # The longest first: one value may be the beginning of another.
    words = sorted(forms, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, words))), forms


def _from_base64(text: str) -> str | None:
    """Return what a text encodes, if that is text again."""
    bare = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        decoded = base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    return decoded if decoded.isprintable() else None


def _csv_fields(text: str) -> Iterator[tuple[str, str]]:
    """Yield each field of a CSV below its heading, with that."""
    rows = list(csv.reader(io.StringIO(text)))
    for row in rows[1:]:
        yield from zip(rows[0], row, strict=False)


def _csv_rewritten(text: str, field: Callable[[str, str], str]) -> Iterator[str]:
    """Yield the pieces of a CSV, whose fields are replaced and whose rows are as they were."""
    headings: list[str] = []
    for number, line in enumerate(_csv_lines(text)):
        row = next(csv.reader(io.StringIO(line)), [])
        if not number:
            headings = row
            yield line
            continue
        new = [field(headings[index] if index < len(headings) else "", each) for index, each in enumerate(row)]
        if new == row:
            yield line
            continue
        out = io.StringIO()
        csv.writer(out, lineterminator=line[len(line.rstrip("\r\n")) :]).writerow(new)
        yield out.getvalue()


def _csv_lines(text: str) -> Iterator[str]:
    """Yield rows with their ends; a quoted field may have line breaks."""
    row = ""
    for line in text.splitlines(keepends=True):
        row += line
        if row.count('"') % 2 == 0:
            yield row
            row = ""
    if row:
        yield row
