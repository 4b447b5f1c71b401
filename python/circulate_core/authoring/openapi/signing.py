"""Where an API is, and how requests to it are signed in, as far as documents say it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from circulate_core.authoring.openapi.naming import snake, squeezed, unique
from circulate_core.authoring.responses import is_secret
from circulate_core.authoring.secret_values import looks_secret, without_secrets
from circulate_core.exceptions import DefinitionError, SettingsError
from circulate_core.settings import NO_SETTINGS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from circulate_core.authoring.openapi.description import ApiOperation
    from circulate_core.authoring.openapi.nodes import Node

_VARIABLE = re.compile(r"\{([^{}]*)\}")


@dataclass
class Access:
    """How an API is reached.

    Attributes:
        settings: What a user configures, by name.
        base_url: Start of every URL.
        auth: Ways to sign in, as definitions write them.
        schemes: Names of the schemes by which tokens with scopes are got.
        notes: What a person has to decide or correct.
    """

    source: str
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    base_url: str = ""
    auth: list[Any] = field(default_factory=list)
    schemes: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)

    def setting(self, name: str, about: str, **more: object) -> str:
        """Declare a setting, and return its name."""
        name = snake(name) or "value"
        if name in NO_SETTINGS:
            name = f"{name}_value"
        self.settings.setdefault(name, {"env": f"{self.source}_{name}".upper(), "about": about, **more})
        return name

    def secret(self, name: str, about: str) -> str:
        """Declare a secret of its own, and return its name: two ways to sign in share none."""
        return self.setting(unique(snake(name) or "secret", set(self.settings)), about, secret=True)

    def add(self, way: Any) -> None:  # noqa: ANN401 - as a definition writes it
        """Add a way to sign in."""
        self.auth.append(way)

    def has(self, kind: str) -> bool:
        """Return whether there is a way to sign in of a kind."""
        return any(isinstance(way, dict) and kind in way for way in self.auth)


def access_of(source: str, roots: Sequence[Node], operations: Sequence[ApiOperation], given: Given) -> Access:
    """Return how the API of documents is reached.

    Args:
        source: Name of the source.
        roots: The documents.
        operations: Their operations.
        given: What a person says of it, which goes before what documents say.

    Raises:
        DefinitionError: The documents are of several APIs.
    """
    access = Access(source)
    _find_base_url(access, roots, given.base_url)
    if given.auth:
        for text in given.auth:
            _add_given(access, text)
    else:
        _find_ways(access, roots, operations)
    return access


@dataclass(frozen=True)
class Given:
    """What a person says of an API.

    Attributes:
        base_url: Its address, such as `https://{site}/api`.
        auth: How requests are signed in: `bearer`, `basic`, `header:X-Api-Key`, ...
    """

    base_url: str | None = None
    auth: tuple[str, ...] = ()


# Where it is.


def _find_base_url(access: Access, roots: Sequence[Node], given: str | None) -> None:
    if given is not None:
        if not re.fullmatch(r"(https?://|\{)[^\s?#@]+", given):
            message = "invalid `--base-url`: it is not an address, or has a user, a query or a fragment"
            raise SettingsError(
                message, hint="give it as https://api.acme.example/v1; how requests sign in says --auth"
            )
        access.base_url = _with_variables(access, given.rstrip("/"), None)
        return
    found = {root.document.path.name: _servers(root) for root in roots}
    chosen = {name: _best(servers)[0] for name, servers in found.items()}
    if len(set(chosen.values())) > 1:
        named = "; ".join(f"{name}: {url or 'none'}" for name, url in chosen.items())
        message = f"these documents name different servers: {named}"
        hint = "import each as a source of its own, or say by --base-url which address is that of all"
        raise DefinitionError(message, operation="import", hint=hint)
    url, variables = _best(next(iter(found.values())))
    if not url:
        about = "the API's address, such as https://api.acme.example/v1"
        access.base_url = "{" + access.setting("base_url", about) + "}"
        servers = ", ".join(each for each, _ in next(iter(found.values()))) or "none"
        access.notes.append(
            f"no address of a server is one to send requests to ({servers}): the setting `base_url` is it"
        )
        return
    access.base_url = _with_variables(access, url, variables)


def _servers(root: Node) -> list[tuple[str, Node | None]]:
    """Return the addresses that a document names, each with its variables."""
    if "swagger" in root.value:
        host, base = root.get("host").text(), root.get("basePath").text()
        schemes = root.get("schemes").texts() or ["https"]
        scheme = "https" if "https" in schemes else schemes[0]
        return [(f"{scheme}://{host}/{base.strip('/')}".rstrip("/"), None)] if host else []
    return [(server.get("url").text().rstrip("/"), server.get("variables")) for server in root.get("servers").items()]


def _best(servers: list[tuple[str, Node | None]]) -> tuple[str, Node | None]:
    """Return the first address that requests may be sent to; an empty one if there is none."""
    return next((each for each in servers if _is_address(each[0])), ("", None))


def _is_address(url: str) -> bool:
    rest = url.removeprefix("https://")
    host = re.split(r"[/:?#]", rest)[0]
    is_of_nobody = host in {"localhost", "127.0.0.1", "example.com", "api.example.com"} or host.endswith(".local")
    return url.startswith("https://") and bool(host) and not is_of_nobody and not set(url) & set("?#@ ")


def _with_variables(access: Access, url: str, variables: Node | None) -> str:
    """Return an address whose variables are settings."""

    def named(found: re.Match[str]) -> str:
        variable = variables.get(found[1]) if variables is not None else None
        about = variable.get("description").text() if variable is not None else ""
        default = variable.get("default").text() if variable is not None else ""
        has_values = variable is not None and variable.get("enum").is_there()
        in_host = "/" not in url[: found.start()].removeprefix("https://")
        # A default in the place of a host is somebody else's, unless it is one of several that the vendor has.
        more = {"default": default} if default and (has_values or not in_host) else {}
        if is_secret(found[1]) or looks_secret(default):
            # People leave their own keys in documents.
            default, more = "", {}
        about = _sentence(about) or f"`{found[1]}` in the API's address" + (f", such as {default}" if default else "")
        name = access.setting(found[1], about, **more)
        if is_secret(found[1]):
            # Else a document with the title of a known API would get the key that the environment has for that one.
            access.settings[name]["env"] = f"{access.source}_address_{name}".upper()
        return f"{{{name}}}"

    return _VARIABLE.sub(named, url)


def _sentence(text: str) -> str:
    line = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", without_secrets(text))).strip()
    line = re.split(r"(?<=[.!?])\s", line)[0].rstrip(".")
    return line if len(line) <= 150 else f"{line[:149]}…"  # noqa: PLR2004 - what fits on a line


# How requests are signed in.


def _find_ways(access: Access, roots: Sequence[Node], operations: Sequence[ApiOperation]) -> None:
    schemes: dict[str, Node] = {}
    for root in roots:
        declared = (
            root.get("securityDefinitions") if "swagger" in root.value else root.at("components", "securitySchemes")
        )
        schemes |= dict(declared.members())
    ways = [way for operation in operations for way in operation.security or []]
    used = {name for way in ways for name in way}
    for name, scheme in schemes.items():
        if not used or name in used:
            _add_way(access, name, scheme)
    together = {tuple(sorted(way)) for way in ways if len(way) > 1}
    _join_headers(access, together, schemes)
    if not access.auth:
        _say_what_is_missing(access, schemes, operations)


def _add_way(access: Access, name: str, scheme: Node) -> None:
    kind = scheme.get("type").text().lower()
    about = scheme.get("description").text()
    if kind == "http":
        kind = scheme.get("scheme").text().lower()
    if kind == "basic":
        _add_basic(access)
    elif kind == "bearer":
        _add_bearer(access, "token")
    elif kind == "apikey":
        _add_key(access, name, scheme, about)
    elif kind == "oauth2":
        _add_oauth(access, name, scheme)
    elif kind == "openidconnect":
        access.schemes.add(name)
        _add_bearer(access, "access_token")
        access.notes.append(f"`{name}` is OpenID Connect: `auth` takes an access token that was got elsewhere")
    else:
        access.notes.append(
            f"the security scheme `{name}` is `{kind or 'nothing'}`, which is not written: add it to `auth`"
        )


def _add_basic(access: Access) -> None:
    if not access.has("basic"):
        user = access.setting("user", "the user who signs in")
        password = access.secret("password", "the password, or what the API takes for one")
        access.add({"basic": {"user": user, "password": password}})


def _add_bearer(access: Access, name: str) -> None:
    if not access.has("bearer"):
        access.add({"bearer": access.secret(name, f"a{'n' if name[0] == 'a' else ''} {name.replace('_', ' ')}")})


def _add_key(access: Access, name: str, scheme: Node, about: str) -> None:
    key, place = scheme.get("name").text(), scheme.get("in").text().lower()
    if not key:
        access.notes.append(f"the security scheme `{name}` does not say how its key is called")
        return
    setting = snake(key) if squeezed(key) not in {"authorization", "cookie"} else snake(name) or "token"
    secret = access.secret(setting, f"the key that is sent as {key}")
    if place == "query":
        access.add({"query": {"name": key, "secret": secret}})
    elif place == "cookie":
        access.add({"header": {"name": "Cookie", "prefix": f"{key}=", "secret": secret}})
    else:
        access.add({"header": {"name": key, "secret": secret}})
        prefix = re.search(r"\b(Bearer|SSWS|Token|ApiKey|Api-Key|Key|Basic|JWT)\b", about)
        if squeezed(key) == "authorization":
            said = f", and its description mentions `{prefix[1]}`" if prefix else ""
            access.notes.append(
                f"`{name}` is sent as the header Authorization{said}: give it a `prefix` in `auth` if there is a word"
                " before the key"
            )


def _add_oauth(access: Access, name: str, scheme: Node) -> None:
    flows = dict(scheme.get("flows").members())
    if not flows and (flow := scheme.get("flow").text()):
        flows = {flow: scheme}
    access.schemes.add(name)
    for flow in ("clientCredentials", "application"):
        if flow in flows:
            _add_client(access, flows[flow], {})
            return
    for flow in ("authorizationCode", "accessCode"):
        if flow in flows:
            if access.has("oauth2"):
                return
            refresh = access.secret("refresh_token", "what signing in by a browser gave")
            _add_client(access, flows[flow], {"grant": "refresh_token", "refresh_token": refresh})
            access.notes.append(
                f"`{name}` signs people in ({flow}): `auth` takes a refresh token. If the API has client credentials"
                " for services, leave `grant` and `refresh_token` out"
            )
            return
    _add_bearer(access, "access_token")
    access.notes.append(
        f"`{name}` is OAuth with {', '.join(flows) or 'no flow'}: `auth` takes a token that was got elsewhere"
    )


def _add_client(access: Access, flow: Node, more: dict[str, Any]) -> None:
    if access.has("oauth2"):
        return
    url = flow.get("tokenUrl").text()
    if url.startswith("/") and not url.startswith("//"):
        parts = urlsplit(access.base_url)
        url = f"{parts.scheme}://{parts.netloc}{url}" if parts.scheme else f"{access.base_url}{url}"
    if not url.startswith(("https://", "{")) or "{" in url.removeprefix(access.base_url):
        url = "{" + access.setting("token_url", f"where tokens are got{', such as ' + url if url else ''}") + "}"
    access.add(_client(access, url, more))


def _client(access: Access, url: str, more: dict[str, Any]) -> dict[str, Any]:
    return {
        "oauth2": {
            "token_url": url,
            "client_id": access.setting("client_id", "the id of the client"),
            "client_secret": access.secret("client_secret", "the secret of the client"),
            **more,
            "send_secret": "basic",
        }
    }


def _join_headers(access: Access, together: set[tuple[str, ...]], schemes: dict[str, Node]) -> None:
    """Put keys that are sent together into one way to sign in."""
    for names in sorted(together):
        keys = [schemes[name] for name in names if name in schemes]
        headers = [key.get("name").text() for key in keys if key.get("in").text() == "header"]
        ways = [way["header"] for way in access.auth if isinstance(way, dict) and "header" in way]
        joined = [way for way in ways if way["name"] in headers]
        if len(headers) == len(names) == len(joined):
            access.auth = [way for way in access.auth if not (isinstance(way, dict) and way.get("header") in joined)]
            access.auth.insert(0, {"headers": joined})
        else:
            access.notes.append(f"{' and '.join(names)} are needed together; `auth` has each by itself: correct it")


_KEY_NAMES = re.compile(r"(auth|token|api.?key|secret|signature|session|credential)", re.IGNORECASE)


def looks_like_key(name: str) -> bool:
    """Return whether a parameter is called as what signs requests in is."""
    return bool(_KEY_NAMES.search(name)) and squeezed(name) not in {"pagetoken", "nextpagetoken", "nexttoken"}


def _say_what_is_missing(access: Access, schemes: dict[str, Node], operations: Sequence[ApiOperation]) -> None:
    access.add("none")
    hints = {
        f"{parameter.location}:{parameter.name}"
        for operation in operations
        for parameter in operation.parameters
        if parameter.location in {"header", "query"} and parameter.required and looks_like_key(parameter.name)
    }
    if not hints:
        texts = " ".join(root for root in (operation.node.get("description").text() for operation in operations[:50]))
        hints = {"bearer"} if re.search(r"\bBearer\b", texts) else set()
    likely = f"; its operations look like --auth {' --auth '.join(sorted(hints))}" if hints else ""
    what = "no security scheme that can be written" if schemes else "no security scheme"
    access.notes.append(f"the document has {what}: requests are sent without credentials; say how by --auth{likely}")


def _add_given(access: Access, text: str) -> None:
    """Add the way to sign in that `--auth` names."""
    kind, _, rest = text.partition(":")
    name, _, prefix = rest.partition(":")
    if text == "none":
        access.add("none")
    elif text == "bearer":
        _add_bearer(access, "token")
    elif text == "basic":
        _add_basic(access)
    elif kind == "header" and name:
        secret = access.secret("token" if squeezed(name) == "authorization" else name, f"what is sent as {name}")
        access.add({"header": {"name": name, **({"prefix": f"{prefix.strip()} "} if prefix else {}), "secret": secret}})
    elif kind == "query" and name and not prefix:
        access.add({"query": {"name": name, "secret": access.secret(name, f"what is sent as {name}")}})
    elif kind == "oauth2" and rest.startswith("https://"):
        access.add(_client(access, rest, {}))
    else:
        # Behind these nothing but the secret itself can be meant.
        shown = f"{kind}:***" if kind in {"bearer", "basic"} else text
        message = f"invalid `--auth`: {shown!r}"
        hint = "give none, bearer, basic, header:NAME, header:NAME:PREFIX, query:NAME or oauth2:https://TOKEN_URL"
        raise SettingsError(message, hint=hint)


def scopes_of(access: Access, operation: ApiOperation) -> list[str]:
    """Return the scopes that an operation needs: those of the way that takes the fewest."""
    found = [
        [scope for name, scopes in way.items() if name in access.schemes for scope in scopes]
        for way in operation.security or []
        if access.schemes & way.keys()
    ]
    # A scope has no spaces; some documents put several into one.
    split = [[part for scope in scopes for part in scope.split()] for scopes in found]
    return min(split, key=len, default=[])
