"""The earlier name of `circulate_local`, which goes with 0.3."""

import warnings

from circulate_local import Credentials, Function, Invocation, InvokeError, LocalLambda

__all__ = ["Credentials", "Function", "Invocation", "InvokeError", "LocalLambda"]

warnings.warn(
    "circulate_core.aws.local is now circulate_local; this name goes with 0.3", DeprecationWarning, stacklevel=2
)
