"""What helps to describe an API: none of it is needed to read one, and nothing of the core imports it."""
