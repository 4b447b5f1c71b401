"""The HTTP server: requests and answers, limits, faults, the log of what was handed over."""
