"""A function whose source is behind a login, and which takes the token of the session out of a file."""

from pathlib import Path

from circulate_practice.paging.kit import ListServer
from circulate_practice.paging.kit.definitions import write_definition

HANDLER = """
from circulate_core.aws import puller

list = puller("practice.items", catalog="definitions")
"""


def write_function(server: ListServer, folder: Path, handler: str = HANDLER) -> dict[str, str]:
    """Write its code and its definitions; return the variables that it and the extension need beside credentials."""
    folder.mkdir()
    (folder / "handler.py").write_text(handler)
    source = server.source()
    source["settings"]["profile"] = {"env": "PRACTICE_PROFILE", "about": "the profile of the token extension"}
    source["auth"].append({"token_file": {"profile": "profile"}})
    write_definition(source, server.endpoints(), folder / "definitions")
    return {"PRACTICE_URL": server.url, "PRACTICE_PROFILE": "default", "circulate_token_source": "practice"}
