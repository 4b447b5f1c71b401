"""The earlier name of `circulate_local`, which goes with 0.3."""

import warnings

from circulate_local import *  # noqa: F403 - all that it lists
from circulate_local import __all__ as __all__

warnings.warn(
    "circulate_core.aws.local is now circulate_local; this name goes with 0.3", DeprecationWarning, stacklevel=2
)
