"""An OpenID provider of others with an API behind it, that demands proof of possession: `tests/judges/oidc.mjs`.

It is in a place of its own, `.tools/oidc`, which `make` fills.
"""

import json
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.stand_ins import free_port, started

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / ".tools/oidc"
COUNT = 23
SCOPE = "items:read"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@dataclass(frozen=True)
class Provider:
    """The provider, running."""

    url: str

    def issued(self) -> list[dict[str, Any]]:
        """Return what came of requests of tokens, oldest first."""
        return self._get("/control/issued")  # type: ignore[no-any-return]

    def expire_at(self, record: int) -> None:
        """Take the access token for expired by which a page is requested that begins with this record, once."""
        self._get(f"/control/expire?at={record}")

    def refresh_token(self, client_id: str) -> str:
        """Return a refresh token, as somebody who signed in would have given it to a client."""
        return str(self._get(f"/control/refresh-token?client={client_id}")["refresh_token"])

    def _get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        with urllib.request.urlopen(self.url + path) as response:
            return json.load(response)


@contextmanager
def provider(folder: Path, clients: Sequence[dict[str, Any]]) -> Iterator[Provider]:
    """Run the provider with these clients, by the names of RFC 7591."""
    file = folder / "clients.json"
    file.write_text(json.dumps([{"redirect_uris": [], "response_types": [], **client} for client in clients]))
    port = free_port()
    program = ROOT / "tests/judges/oidc.mjs"
    with started(["node", str(program), str(PLACE), str(port), str(file)], port) as url:
        yield Provider(url)


def version() -> str:
    """Return which version of the package is installed."""
    package = json.loads((PLACE / "node_modules/oidc-provider/package.json").read_text())
    return str(package["version"])
