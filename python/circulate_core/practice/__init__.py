"""The earlier name of `circulate_practice`, which goes with 0.3."""

import warnings

from circulate_practice import *  # noqa: F403 - all that it lists
from circulate_practice import __all__ as __all__

warnings.warn(
    "circulate_core.practice is now circulate_practice; this name goes with 0.3", DeprecationWarning, stacklevel=2
)
