"""The HTTP server: requests and responses, limits, faults, the log of what was handed over."""
