"""What the tests of refresh tokens share: a source that signs in by one, and a command line that is set up for it."""

from dataclasses import replace
from pathlib import Path

from circulate_practice import OAuthClient, PracticeOrg
from support.cli import Cli

SCOPE = "okta.groups.read"
SOURCE = """
source: acme
title: Acme
settings:
  base_url: {env: ACME_URL, about: its address}
  client_id: {env: ACME_CLIENT_ID, about: its client}
  client_secret: {env: ACME_CLIENT_SECRET, about: its secret, secret: true}
  refresh_token: {env: ACME_REFRESH_TOKEN, about: what signing in gave, secret: true}
base_url: "{base_url}"
auth:
  - oauth2:
      token_url: "{base_url}/oauth2/v1/token"
      grant: refresh_token
      client_id: client_id
      client_secret: client_secret
      refresh_token: refresh_token
check: {path: /api/v1/groups, query: {limit: "1"}}
"""
ITEMS = """
endpoint: items
about: Items.
list: {path: /api/v1/groups, paginator: link_header, page_size: {param: limit, max: 100}, primary_key: [/id]}
"""


def public(**options: object) -> OAuthClient:
    """Return a client that has no secret."""
    return OAuthClient(**{"client_id": "0oa1", "scopes": [SCOPE], "method": "none", **options})  # type: ignore[arg-type]


def define(folder: Path, *changes: tuple[str, str]) -> Path:
    """Write a catalog with the stream `acme.items` and return its folder; a change is a text and its replacement."""
    source = folder / "definitions/acme"
    source.mkdir(parents=True, exist_ok=True)
    text = SOURCE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (source / "source.yaml").write_text(text)
    (source / "items.yaml").write_text(ITEMS)
    return source.parent


def signed_in(cli: Cli, org: PracticeOrg, **more: str) -> Cli:
    """Return a command line that has the refresh token of a new sign-in, and a folder with the definition."""
    define(cli.folder)
    given = {"ACME_URL": org.url, "ACME_CLIENT_ID": "0oa1", "ACME_REFRESH_TOKEN": org.sign_in("0oa1", [SCOPE])}
    catalog = {"CIRCULATE_CATALOG": str(cli.folder / "definitions")}
    return replace(cli, environment=cli.environment | given | catalog | more)


def outcomes(org: PracticeOrg) -> list[str]:
    """Return what came of the requests of tokens so far."""
    return [request.outcome for request in org.token_requests]


def kept_files(cli: Cli) -> list[Path]:
    """Return the files with refresh tokens in the user's folder for state."""
    return sorted(Path(cli.environment["XDG_STATE_HOME"], "circulate/refresh-tokens").glob("*.json"))
