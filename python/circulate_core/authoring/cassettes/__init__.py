"""Cassettes: requests to an API and its responses, without secrets, and pulls of them with faults."""
