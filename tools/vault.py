"""Keys under which personal content lies in SQL: one per subject, wrapped by a key of ours.

Destroying a subject's key makes everything sealed under it unreadable, copies in backups included.
"""

from __future__ import annotations

from typing import Protocol


class KeyDestroyedError(Exception):
    """The subject was erased: what was sealed for them cannot be read any more."""


class Vault(Protocol):
    """AES-256-GCM. `context` is authenticated, not stored: what is sealed for one place cannot be
    opened in another."""

    def seal(self, tenant: str, subject: str, context: str, plain: bytes) -> bytes: ...

    def open(self, tenant: str, subject: str, context: str, sealed: bytes) -> bytes:
        """Raises KeyDestroyedError, ValueError when it was tampered with."""
        ...

    def mac(self, tenant: str, subject: str, data: bytes) -> str:
        """HMAC-SHA256 under a key derived from the subject's: equal content, unguessable."""
        ...

    def destroy(self, tenant: str, subject: str) -> bool:
        """Whether there was a key."""
        ...
