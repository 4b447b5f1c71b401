"""The calls of the API on single objects: reading, creating, changing, deleting."""
