"""Exit codes of all commands."""

EXIT_CODES = {"complete": 0, "failed": 1, "partial": 3, "busy": 4}
"""By the status of a report."""
FAILED = EXIT_CODES["failed"]
USAGE = 2
"""Wrong usage, or a definition or setting that is wrong."""
INTERRUPTED = 130
"""By Ctrl-C or a signal, at a checkpoint."""
