"""The life of the extension, from before the function starts to the end of its environment.

Lambda starts the function once extensions have registered, not once they requested their first event: so the token is
there before we register. Everything stands still while the function waits for its next event, so nothing is left to
timers: a token that is due is renewed when an event comes.
"""

import os
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from circulate_token.ask import serve
from circulate_token.config import Config, fails_open
from circulate_token.extensions_api import ExtensionsApi
from circulate_token.keeper import Keeper
from circulate_token.log import error, info
from circulate_token.trouble import Trouble

NAME = "circulate-token"
INIT_S = 8.0
"""What is spent on tokens before the function starts. Lambda allows ten seconds for everything."""
INVOKE_S = 5.0
"""What is spent on tokens when an event comes."""
EVENT_S = 1.0
"""How long an event waits for that. Until we ask for the next one we do not learn that the environment ends, and then
there are two seconds left; whoever needs the token waits for it at our socket."""


class Renewal:
    """Renews what is due in a thread of its own.

    Args:
        keeper: Whose tokens.
        seconds: What may be spent on it.
    """

    def __init__(self, keeper: Keeper, seconds: float) -> None:
        self._bug: Exception | None = None
        self._thread = threading.Thread(target=self._renew, args=(keeper, seconds), daemon=True)
        self._thread.start()

    def ended(self, seconds: float) -> Exception | None:
        """Wait for its end, but not for longer than so many seconds; return what is wrong with us, if anything is."""
        self._thread.join(seconds)
        return self._bug

    def _renew(self, keeper: Keeper, seconds: float) -> None:
        try:
            keeper.renew_all(seconds)
        except Exception as bug:  # noqa: BLE001 - reported by whoever waits
            error("failed", message=f"{type(bug).__name__}: this is a bug")
            self._bug = bug


def main() -> int:
    """Run until the environment ends; returns the exit code."""
    keeper, trouble = _prepare()
    api = ExtensionsApi(os.environ["AWS_LAMBDA_RUNTIME_API"])
    api.register(NAME)
    if trouble and not fails_open(os.environ):
        api.init_error(trouble.kind, trouble.message)
        return 1
    while True:
        event = api.next_event()
        if event["eventType"] == "SHUTDOWN":
            if keeper:
                keeper.forget()
            info("shut down", reason=event.get("shutdownReason"))
            # At once: threads that wait for a token must not keep us.
            os._exit(0)
        if keeper:
            left = event["deadlineMs"] / 1000 - time.time()
            renewal = Renewal(keeper, min(INVOKE_S, max(left - 1, 0.5)))
            if (bug := renewal.ended(EVENT_S)) and not fails_open(os.environ):
                api.exit_error("Extension.Failed", type(bug).__name__)
                raise bug


def _prepare() -> tuple[Keeper | None, Trouble | None]:
    """Read the configuration and get the first tokens; what goes wrong is reported once somebody waits for it."""
    try:
        config = Config.read(os.environ)
        keeper = Keeper(config)
        serve(keeper)
    except Trouble as trouble:
        error("not configured", kind=trouble.kind, message=trouble.message)
        return None, trouble
    if config.snapshot:
        # Whatever is in memory or in /tmp now would be shared by all environments that are restored from the snapshot.
        info("no token yet: it would be part of the snapshot")
        return keeper, None
    return keeper, keeper.renew_all(INIT_S)


if __name__ == "__main__":
    sys.exit(main())
