"""The API of Okta: its paths, its lists, and what an org holds."""
