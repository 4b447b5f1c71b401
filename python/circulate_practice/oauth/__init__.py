"""Access tokens: clients and their keys, proofs of possession, and the token endpoint."""
