"""A list as its author describes it in a few words, and what a definition says of it.

Where values stand is written as one word: `/meta/next` is a member of the page, `header:X-Next` a header; `cursor` is a
parameter of the query, `body:/page/cursor` a member of the body.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

Value = str | Sequence[str] | None
"""What was given for a word: repeated ones are several."""


@dataclass(frozen=True)
class Kind:
    """A kind of paginator, or a way to sign in: the words that describe it.

    Attributes:
        about: What the API does.
        needs: Words that have to be given.
        takes: Words that may be given, too.
    """

    about: str
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()


PAGINATORS: Final[Mapping[str, Kind]] = {
    "none": Kind("has the whole list on one page"),
    "link_header": Kind("sends a Link header with the next URL", takes=("rel",)),
    "next_url": Kind("has the next URL in the page, or in another header", ("from",), ("keep",)),
    "token": Kind("gives a token that the next request takes", ("from", "to"), ("more", "start", "send")),
    "offset": Kind("takes how many records to leave out", ("to",), ("total", "more", "start", "by")),
    "page": Kind("takes the number of the page", ("to",), ("total", "pages", "more", "first")),
    "last_record": Kind("takes a value of the last record", ("from", "to"), ("more",)),
}
AUTH: Final[Mapping[str, Kind]] = {
    "none": Kind("is open to all"),
    "bearer": Kind("takes a token in the header Authorization, behind Bearer"),
    "header": Kind("takes a key in a header, or several", ("auth-name",), ("auth-prefix",)),
    "basic": Kind("takes a user and a password"),
    "query": Kind("takes a key in the query", ("auth-name",)),
    "body": Kind("takes a key in the body", ("auth-name",)),
    "duo_v5": Kind("takes signatures, as Duo's Admin API does"),
}
BODIES: Final = ("json", "form")
FORMATS: Final = ("json", "ndjson", "ndjson_with_trailer", "csv")
OF_PAGINATORS: Final = tuple(dict.fromkeys(word for kind in PAGINATORS.values() for word in (*kind.needs, *kind.takes)))
OF_AUTH: Final = ("auth-name", "auth-prefix")
OF_SOURCES: Final = ("base-url", "auth", *OF_AUTH)
"""Words about the source, which are of no use where it is defined already."""
SEVERAL: Final = ("primary-key", "query", "auth-name", "from", "to", "keep")
"""Words that may be given several times."""

_RELATION: Final = re.compile(r"[^\s\"<>;,\\]+")
_SLUG: Final = re.compile(r"[^a-z0-9]+")
_END_BY_AN_EMPTY_PAGE: Final = ("offset", "page", "last_record")
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
_NUMBERS: Final = {"offset": ("start",), "page": ("first",)}


@dataclass
class Described:
    """What was made of the words.

    Attributes:
        listing: What stands below `list` in the definition of the endpoint.
        auth: What stands in `auth` of the source; None if the source is defined already.
        settings: Settings of the source that `auth` uses.
        missing: Words that have to be given.
        wrong: What is wrong with others, by the word.
    """

    listing: dict[str, Any] = field(default_factory=dict)
    auth: dict[str, Any] | str | None = None
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    wrong: dict[str, str] = field(default_factory=dict)


def described(words: Mapping[str, Value], source: str, *, with_source: bool) -> Described:
    """Return what a definition says, and all that is missing or wrong.

    Args:
        words: What was given, by the words of `PAGINATORS`, `AUTH` and of this function.
        source: Name of the source.
        with_source: Whether the source is to be defined, too.
    """
    made = Described()
    given = {word: value for word, value in words.items() if value is not None and value != []}
    # Addresses drop what cannot be printed, without a word, and headers break at it.
    made.wrong |= {
        word: f"{text!r} has characters that cannot be printed"
        for word, value in given.items()
        for text in _several(value)
        if word != "about" and not text.isprintable()
    }
    if with_source:
        _describe_auth(given, source, made)
    else:
        made.wrong |= {word: f"`{source}` is there already, and says this" for word in OF_SOURCES if word in given}
    _describe_list(given, made)
    return made


def missing_in(words: Mapping[str, Value], *, with_source: bool) -> list[str]:
    """Return the words that have to be given and are not, as far as those that are given show."""
    return described(words, "source", with_source=with_source).missing


def _describe_auth(given: Mapping[str, Value], source: str, made: Described) -> None:
    made.missing += [word for word in ("base-url", "auth") if word not in given]
    if "base-url" in given and (problem := _wrong_address(str(given["base-url"]))):
        made.wrong["base-url"] = problem
    kind = str(given.get("auth", ""))
    if kind not in AUTH:
        return
    _check_words("auth", kind, AUTH[kind], OF_AUTH, given, made)
    names = _several(given.get("auth-name"))
    if len(names) > 1 and kind != "header":
        made.wrong["auth-name"] = f"`{kind}` takes one"
    if not str(given.get("auth-prefix", "")).isascii():
        made.wrong["auth-prefix"] = "a header has characters of ASCII"
    if names or "auth-name" not in AUTH[kind].needs:
        made.auth = _way(kind, names, given.get("auth-prefix"), _Settings(source, made.settings))


@dataclass(frozen=True)
class _Settings:
    """The settings of a source that is described."""

    source: str
    made: dict[str, dict[str, Any]]

    def add(self, name: str, about: str) -> str:
        """Add one that is not secret; return its name."""
        self.made[name] = {"env": f"{self.source}_{name}".upper(), "about": about}
        return name

    def secret(self, name: str, about: str) -> str:
        """Add a secret; return its name."""
        self.made[self.add(name, about)]["secret"] = True
        return name


def _way(kind: str, names: Sequence[str], prefix: Value, settings: _Settings) -> dict[str, Any] | str:
    """Return a way to sign in as definitions write it."""
    match kind:
        case "bearer":
            return {"bearer": settings.secret("token", "Access token")}
        case "basic":
            user = settings.add("user", "User that signs in")
            return {"basic": {"user": user, "password": settings.secret("password", "Password of the user")}}
        case "duo_v5":
            key = settings.add("integration_key", "Integration key")
            return {"duo_v5": {"integration_key": key, "secret_key": settings.secret("secret_key", "Secret key")}}
        case "header":
            before = {"prefix": prefix} if prefix else {}
            secrets = [settings.secret(_setting(name, names), f"Value of {name}") for name in names]
            headers = [{"name": name, **before, "secret": each} for name, each in zip(names, secrets, strict=True)]
            return {"header": headers[0]} if len(headers) == 1 else {"headers": headers}
        case "query" | "body":
            return {kind: {"name": names[0], "secret": settings.secret("api_key", f"Value of {names[0]}")}}
        case _:
            return "none"


def _wrong_address(text: str) -> str | None:
    """Return why a text is not the address of an API. The engine says so, too, but only when it is used."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        return f"`{text}` is not an address: {error}"
    if any(each.isspace() for each in text) or not host or parts.scheme not in {"https", "http"}:
        return f"expected an address such as https://api.acme.example, given `{text}`"
    if parts.scheme == "http" and host not in _LOOPBACK:
        return f"use https: plain http would show the credentials to the network, given `{text}`"
    if "{" in text or "}" in text:
        return f"the whole address is a setting, which differs from account to account: give an example, not `{text}`"
    if "@" in parts.netloc or "?" in text or "#" in text:
        return "an address has no user, no `?` and no `#`: give scheme, host and the path before all lists"
    return None


def _setting(header: str, headers: Sequence[str]) -> str:
    """Return the name of the setting for a header."""
    slug = _SLUG.sub("_", header.lower()).strip("_")
    return "api_key" if len(headers) == 1 or not slug[:1].isalpha() else slug


def _describe_list(given: Mapping[str, Value], made: Described) -> None:
    keys = [key for key in _several(given.get("primary-key")) if key]
    needed = {"path": given.get("path"), "primary-key": keys, "paginator": given.get("paginator")}
    made.missing += [word for word, value in needed.items() if not value]
    listing = made.listing
    if "body" in given:
        listing["body"] = {str(given["body"]): {}}
    listing["path"] = given.get("path", "")
    if "query" in given:
        listing["query"] = _query(_several(given["query"]), made)
    if "format" in given and given["format"] != "json":
        listing["format"] = given["format"]
    if records := given.get("records"):
        listing["records"] = _records(str(records))
    listing["primary_key"] = "none" if keys == ["none"] else keys
    kind = str(given.get("paginator", ""))
    if kind in PAGINATORS:
        _check_words("paginator", kind, PAGINATORS[kind], OF_PAGINATORS, given, made)
        listing["paginator"] = _paginator(kind, given, made)
    if listing.get("format") == "ndjson" and kind in _END_BY_AN_EMPTY_PAGE:
        # Of lines an empty page has none.
        listing["empty"] = "no_body"
    _describe_page_size(given, made)
    sent = [*listing.get("query", {}), given.get("page-size-param")]
    if "keep" not in made.wrong and (unsent := [name for name in _several(given.get("keep")) if name not in sent]):
        made.wrong["keep"] = f"no request has {', '.join(f'`{name}`' for name in unsent)}: give it by --query"


def _describe_page_size(given: Mapping[str, Value], made: Described) -> None:
    both = ("page-size", "page-size-param")
    if given.get("paginator") == "none":
        why = "a list on one page has no page size; if the API takes one, the list has more pages"
        made.wrong |= {word: why for word in both if word in given}
    elif any(word in given for word in both):
        made.missing += [word for word in both if word not in given]
        param = str(given.get("page-size-param", ""))
        if param.startswith("path:"):
            made.wrong["page-size-param"] = f"a path cannot say the size of a page, given `{param}`"
        size = str(given.get("page-size", "1"))
        if not size.isdecimal() or not int(size):
            made.wrong["page-size"] = f"expected a whole number of 1 or more, given `{size}`"
        else:
            made.listing["page_size"] = {"param": in_request(param), "max": int(size)}


def _check_words(  # noqa: PLR0913, PLR0917 - of either kind
    what: str, name: str, kind: Kind, words: Sequence[str], given: Mapping[str, Value], made: Described
) -> None:
    """Note the words that a kind needs, and those that it has no use for."""
    made.missing += [word for word in kind.needs if word not in given]
    fitting = [*kind.needs, *kind.takes]
    takes = f"it takes {', '.join(f'`--{word}`' for word in fitting)}" if fitting else "it takes nothing else"
    made.wrong |= {
        word: f"`--{what} {name}` does not take it; {takes}" for word in words if word in given and word not in fitting
    }


def _paginator(kind: str, given: Mapping[str, Value], made: Described) -> dict[str, Any] | str:
    options: dict[str, Any] = {}
    for word in (*PAGINATORS[kind].needs, *PAGINATORS[kind].takes):
        if word not in given:
            continue
        values = _several(given[word])
        try:
            options[word] = _OPTIONS[word](kind, values)
        except ValueError as error:
            made.wrong[word] = str(error)
        if len(values) > 1 and word != "keep" and kind != "token":
            made.wrong[word] = f"`{kind}` takes one"
    if kind == "next_url":
        source = options.pop("from", {})
        return {"next_url": {**(source if isinstance(source, dict) else {"body": source}), **options}}
    if not _RELATION.fullmatch(options.get("rel", "next")):
        made.wrong["rel"] = f"a relation is one word, given `{options['rel']}`"
    return {kind: options} if options else kind


def in_response(text: str) -> str | dict[str, str]:
    """Return a place of a response as definitions write it."""
    return {"header": text.removeprefix("header:")} if text.startswith("header:") else text


def in_request(text: str) -> str | dict[str, str]:
    """Return a place of a request as definitions write it."""
    kind, colon, name = text.partition(":")
    return {kind: name} if colon and kind in {"header", "body", "path"} else text


def _from(kind: str, values: Sequence[str]) -> Any:  # noqa: ANN401 - as definitions write it
    if kind == "last_record":
        return values[0]
    if kind == "next_url":
        return in_response(values[0])
    found = [_token_from(value) for value in values]
    return found[0] if len(found) == 1 else found


def _token_from(text: str) -> dict[str, Any]:
    """Return where a token comes from: a member, a header, or a parameter of a URL in either."""
    for prefix, where, example in (("url:", "body", "url:/links/next?cursor"), ("link:", "link", "link:next?cursor")):
        if text.startswith(prefix):
            url, _, param = text.removeprefix(prefix).rpartition("?")
            if not url or not param:
                message = f"`{text}` names no parameter of a URL: write it as {example}"
                raise ValueError(message)
            return {"url": {where: url}, "param": param}
    place = in_response(text)
    return place if isinstance(place, dict) else {"body": place}


def _number(kind: str, values: Sequence[str]) -> int | str:
    if kind not in _NUMBERS:
        return values[0]
    if not values[0].isdecimal():
        message = f"expected a whole number, given `{values[0]}`"
        raise ValueError(message)
    return int(values[0])


def _to(_: str, values: Sequence[str]) -> Any:  # noqa: ANN401 - as definitions write it
    found = [in_request(value) for value in values]
    return found[0] if len(found) == 1 else found


_OPTIONS: Final[Mapping[str, Callable[[str, Sequence[str]], Any]]] = {
    "from": _from,
    "to": _to,
    "start": _number,
    "first": _number,
    "keep": lambda _, values: list(values),
    **dict.fromkeys(("more", "total", "pages"), lambda _, values: in_response(values[0])),
    **dict.fromkeys(("rel", "send", "by"), lambda _, values: values[0]),
}


def _query(pairs: Sequence[str], made: Described) -> dict[str, str]:
    query: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            made.wrong["query"] = f"expected NAME=VALUE, given `{pair}`"
        query[name] = value
    return query


def _records(text: str) -> str | dict[str, str]:
    """Return where records are, as definitions write it."""
    kind, colon, pointer = text.partition(":")
    return {kind: pointer} if colon and kind in {"map", "scalars"} else text


def _several(value: Value) -> list[str]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)
