"""Cassettes: what an API was asked and answered, recorded without secrets, and pulled again with faults on the way."""
