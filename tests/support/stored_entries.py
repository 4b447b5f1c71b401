"""Entries of the files beside a manifest, read by what is written of them and nothing of ours."""

from collections.abc import Iterator

ID_BYTES = 16
"""Of what is made of parents, and of a key."""
COUNT_BYTES = 8


def stored_keys(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Give the parents and the key of each: groups of parents, of how many keys there are, and of these."""
    while content:
        parents, rest = content[:ID_BYTES], content[ID_BYTES:]
        end = COUNT_BYTES + ID_BYTES * int.from_bytes(rest[:COUNT_BYTES])
        assert end <= len(rest)
        yield from ((parents, rest[at : at + ID_BYTES]) for at in range(COUNT_BYTES, end, ID_BYTES))
        content = rest[end:]


def stored_scopes(content: bytes) -> Iterator[bytes]:
    """Give the parents whose lists were read, each with what became of its list: one group, after its size."""
    size = ID_BYTES + 1
    entries = content[COUNT_BYTES:]
    assert len(entries) == size * int.from_bytes(content[:COUNT_BYTES])
    yield from (entries[at : at + size] for at in range(0, len(entries), size))
