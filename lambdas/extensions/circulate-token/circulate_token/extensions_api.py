"""Lambda's Extensions API.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
"""

import http.client
import json
from typing import Any

VERSION = "/2020-01-01/extension"
OK = 200


class ExtensionsApi:
    """Speaks to it.

    Args:
        address: Host and port, as `AWS_LAMBDA_RUNTIME_API` has it.
    """

    def __init__(self, address: str) -> None:
        # No timeout: the next event may come after hours during which everything stood still.
        self._connection = http.client.HTTPConnection(address)
        self._headers: dict[str, str] = {}

    def register(self, name: str) -> None:
        """Register for all events.

        Args:
            name: File name of the executable.
        """
        events = {"events": ["INVOKE", "SHUTDOWN"]}
        response = self._request("POST", "register", {"Lambda-Extension-Name": name}, events)
        self._headers = {"Lambda-Extension-Identifier": response.headers["Lambda-Extension-Identifier"]}

    def next_event(self) -> dict[str, Any]:
        """Wait for the next event. This also says that we are done with the one before."""
        event: dict[str, Any] = self._request("GET", "event/next", {}).body
        return event

    def init_error(self, kind: str, message: str) -> None:
        """Say that we can't start."""
        self._request("POST", "init/error", {"Lambda-Extension-Function-Error-Type": kind}, _error(kind, message))

    def exit_error(self, kind: str, message: str) -> None:
        """Say that we can't go on."""
        self._request("POST", "exit/error", {"Lambda-Extension-Function-Error-Type": kind}, _error(kind, message))

    def _request(self, method: str, path: str, headers: dict[str, str], body: object = None) -> "_Response":
        text = None if body is None else json.dumps(body)
        self._connection.request(method, f"{VERSION}/{path}", text, {**self._headers, **headers})
        response = self._connection.getresponse()
        content = response.read()
        if response.status // 100 != OK // 100:
            # Lambda is in a state that can't be repaired from here (500: exit promptly).
            message = f"Lambda responded with {response.status} to {path}"
            raise SystemExit(message)
        return _Response(response.headers, json.loads(content or b"null"))


class _Response:
    def __init__(self, headers: http.client.HTTPMessage, body: Any) -> None:  # noqa: ANN401 - JSON
        self.headers = headers
        self.body = body


def _error(kind: str, message: str) -> dict[str, object]:
    return {"errorType": kind, "errorMessage": message, "stackTrace": []}
