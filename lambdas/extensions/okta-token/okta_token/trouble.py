"""What keeps a token from being there, by the types that Lambda is told."""

CONFIG_INVALID = "Extension.ConfigInvalid"
SECRET_NOT_FOUND = "Extension.SecretNotFound"  # noqa: S105 - the name of an error
DENIED = "Extension.TokenEndpointDenied"
UNAVAILABLE = "Extension.TokenEndpointUnavailable"
UNWRITABLE = "Extension.TokenFileUnwritable"


class Trouble(Exception):  # noqa: N818 - it may pass
    """There is no token.

    Attributes:
        kind: The type that Lambda is told.
        message: What is wrong, without secrets.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
