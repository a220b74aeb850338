"""The Merkle tree of RFC 6962 over receipts, as a frontier that only grows."""

from __future__ import annotations

from hashlib import sha256


def leaf_hash(entry: bytes) -> bytes:
    return sha256(b"\x00" + entry).digest()


class Frontier:
    """Roots of the complete subtrees on the right edge: at most 64 hashes for any size."""

    def __init__(self, size: int = 0, edge: list[bytes] | None = None) -> None:
        self.size = size
        self.edge = edge or []  # largest subtree first

    def append(self, leaf: bytes) -> None:
        edge, size = self.edge, self.size
        while size & 1:
            leaf = sha256(b"\x01" + edge.pop() + leaf).digest()
            size >>= 1
        edge.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        if not self.edge:
            return sha256(b"").digest()
        *rest, root = self.edge
        for left in reversed(rest):
            root = sha256(b"\x01" + left + root).digest()
        return root
