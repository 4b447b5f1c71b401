"""What keeps a token from being there, by the error types that Lambda gets."""

CONFIG_INVALID = "Extension.ConfigInvalid"
SECRET_NOT_FOUND = "Extension.SecretNotFound"  # noqa: S105 - the name of an error
DENIED = "Extension.TokenEndpointDenied"
UNAVAILABLE = "Extension.TokenEndpointUnavailable"
UNWRITABLE = "Extension.TokenFileUnwritable"


class Trouble(Exception):  # noqa: N818 - it may pass
    """There is no token.

    Attributes:
        kind: The error type that Lambda gets.
        message: What is wrong, without secrets.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
