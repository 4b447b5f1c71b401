"""The private key of an OAuth client in a file, as a JWK, for people who try the practice org by hand."""

import json
import os
from pathlib import Path
from typing import Any

from circulate_practice.oauth.jose import make_key


def key_in(path: Path) -> dict[str, Any]:
    """Return the key in a file, which is made if it is not there; nobody but its owner can read it then.

    Raises:
        OSError: If the file can neither be read nor made.
        ValueError: If it holds no key.
    """
    if not path.exists():
        text = json.dumps(make_key())
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
    try:
        key = json.loads(path.read_text())
    except ValueError:
        key = None
    if not isinstance(key, dict) or "kty" not in key:
        message = f"{path} holds no JWK"
        raise ValueError(message)
    return key
