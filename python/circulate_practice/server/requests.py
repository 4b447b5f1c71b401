"""What the practice org looks at in a request."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Request:
    """One request.

    Attributes:
        method: HTTP method.
        target: Path and query as received.
        host: Host and port of the request.
        authorization: The header's value, or empty.
        takes_gzip: Whether the client accepts compressed bodies.
        proofs: The values of its `DPoP` headers.
        content_type: Media type of the body, without parameters.
        body: The body.
        has_length: Whether the request says how long its body is, be it empty.
        if_match: The value of `If-Match`, or empty.
    """

    method: str
    target: str
    host: str
    authorization: str = ""
    takes_gzip: bool = False
    proofs: tuple[str, ...] = ()
    content_type: str = ""
    body: bytes = b""
    has_length: bool = False
    if_match: str = ""

    @property
    def path(self) -> str:
        """The path without the query."""
        return self.target.partition("?")[0]

    @property
    def origin(self) -> str:
        """Scheme, host and port of the request."""
        return f"http://{self.host}"

    @property
    def url(self) -> str:
        """The URL without the query."""
        return self.origin + self.path
