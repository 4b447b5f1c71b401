"""The parameters of a request of a token, as a form or as JSON."""

import json
import re
from typing import Final, Literal
from urllib.parse import parse_qsl

from circulate_practice.oauth.client_auth import OAuthError
from circulate_practice.server.requests import Request

_FORM: Final = "application/x-www-form-urlencoded"
_JSON: Final = "application/json"
_ENCODED: Final = re.compile(rb"(?:[A-Za-z0-9*._~+&=-]|%[0-9A-Fa-f]{2})*")


def parameters(request: Request) -> tuple[dict[str, str], Literal["form", "json"]]:
    """Return the parameters of a request, without those that have no value, and how they were sent.

    Raises:
        OAuthError: If they can't be read, or if one is repeated.
    """
    if "?" in request.target:
        raise OAuthError(400, "invalid_request", "Parameters belong into the body, not into the URL.")
    if request.content_type == _JSON:
        return _of_pairs(_json_pairs(request.body)), "json"
    if request.content_type != _FORM:
        raise OAuthError(400, "invalid_request", f"The Content-Type must be {_FORM}.")
    return _of_pairs(_form_pairs(request.body)), "form"


def _form_pairs(body: bytes) -> list[tuple[str, str]]:
    if not _ENCODED.fullmatch(body):
        raise OAuthError(400, "invalid_request", "The body is not form-encoded.")
    try:
        return parse_qsl(body.decode(), strict_parsing=True, keep_blank_values=True, errors="strict")
    except ValueError as error:
        raise OAuthError(400, "invalid_request", "The body is not form-encoded.") from error


def _json_pairs(body: bytes) -> list[tuple[str, str]]:
    try:
        pairs = json.loads(body, object_pairs_hook=list)
    except ValueError:
        pairs = None
    if not isinstance(pairs, list) or not all(isinstance(pair, tuple) and isinstance(pair[1], str) for pair in pairs):
        raise OAuthError(400, "invalid_request", "The body is not a JSON object of texts.")
    return pairs


def _of_pairs(pairs: list[tuple[str, str]]) -> dict[str, str]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise OAuthError(400, "invalid_request", "A parameter is repeated.")
    return {name: value for name, value in pairs if value}
