"""Where the trail is kept: rows are added, never changed, and go when a person is forgotten."""

from __future__ import annotations

import hmac
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Protocol

from guardrails.consent.state import Consents
from guardrails.consent.types import Entry, Erasure, Statement

MIN_KEY = 32
"""Bytes of a key for HMAC-SHA256, its output's length (RFC 2104, section 3)."""


class ConsentStore(Protocol):
    """Durable. Raises StoreUnavailableError from all."""

    async def record(self, statement: Statement) -> Entry:
        """What is said last counts, whatever its time."""
        ...

    async def of(self, tenant: str, subject: str) -> Consents: ...

    async def of_all(self, tenant: str, subjects: Collection[str]) -> Mapping[str, Consents]:
        """Of each of them, in one reading."""
        ...

    async def trail(self, tenant: str, subject: str) -> tuple[Entry, ...]:
        """In the order of recording."""
        ...

    async def forget(self, tenant: str, subject: str, now: datetime) -> Erasure:
        """Deletes the trail and keeps the fact. Again without anything new: the same erasure."""
        ...

    async def erasures(self, tenant: str, subject: str) -> tuple[Erasure, ...]:
        """Oldest first; how a restored backup learns whom it has to forget again."""
        ...


def subject_mac(key: bytes, tenant: str, subject: str) -> str:
    """HMAC-SHA256 in hex: who has the key and the subject's reference can check, nobody can read.

    Raises ValueError for a key shorter than 32 bytes.
    """
    if len(key) < MIN_KEY:
        raise ValueError(f"the key of erasures has {len(key)} bytes; {MIN_KEY} are needed")
    return hmac.digest(key, f"{len(tenant)}:{tenant}:{subject}".encode(), "sha256").hex()
