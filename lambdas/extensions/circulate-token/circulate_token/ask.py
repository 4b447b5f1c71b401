"""Lets functions ask for a new token: a Unix socket beside the files, in a folder that only this user may enter."""

import json
import socketserver
import threading

from circulate_token.keeper import Keeper
from circulate_token.trouble import UNAVAILABLE, UNWRITABLE, Trouble

PATIENCE_S = 7.0
"""What is spent on a token that somebody waits for. Readers wait a little longer."""
MAX_REQUEST = 4096


def serve(keeper: Keeper) -> None:
    """Respond to requests from now on, in a thread of its own.

    Raises:
        Trouble: There can be no socket.
    """

    class Handler(socketserver.StreamRequestHandler):
        timeout = 2

        def handle(self) -> None:
            self.wfile.write(json.dumps(_respond(keeper, self.rfile.readline(MAX_REQUEST))).encode())

    class Server(socketserver.ThreadingUnixStreamServer):
        # All requests of a pull may find at once that their token has ended.
        request_queue_size = 128
        daemon_threads = True

    try:
        server = Server(str(keeper.socket), Handler)
        keeper.socket.chmod(0o600)
    except OSError as wrong:
        raise Trouble(UNWRITABLE, f"cannot listen at {keeper.socket}: {wrong.strerror or wrong}") from None
    threading.Thread(target=server.serve_forever, daemon=True).start()


def _respond(keeper: Keeper, line: bytes) -> dict[str, object]:
    try:
        request = json.loads(line)
        keeper.renew(request["profile"], request["refused"], PATIENCE_S)
    except (ValueError, LookupError, TypeError):
        return {"error": "the request is not understood"}
    except Trouble as trouble:
        return {"error": trouble.message, "retryable": trouble.kind == UNAVAILABLE}
    return {}
