"""Keys in memory: the twin, with the same cryptography."""

from __future__ import annotations

import secrets

from tools.store.wrapping import Wrapping
from tools.vault import KeyDestroyedError


class MemoryVault:
    def __init__(self, master: bytes | None = None) -> None:
        self._wrapping = Wrapping(master or secrets.token_bytes(32))
        self._keys: dict[tuple[str, str], bytes | None] = {}

    def seal(self, tenant: str, subject: str, context: str, plain: bytes) -> bytes:
        return self._wrapping.seal(self._key(tenant, subject), (tenant, subject, context), plain)

    def open(self, tenant: str, subject: str, context: str, sealed: bytes) -> bytes:
        return self._wrapping.open(self._key(tenant, subject), (tenant, subject, context), sealed)

    def mac(self, tenant: str, subject: str, data: bytes) -> str:
        return self._wrapping.mac(self._key(tenant, subject), data)

    def destroy(self, tenant: str, subject: str) -> bool:
        known = self._keys.get((tenant, subject)) is not None
        self._keys[tenant, subject] = None
        return known

    def _key(self, tenant: str, subject: str) -> bytes:
        key = self._keys.setdefault((tenant, subject), self._wrapping.new_key())
        if key is None:
            raise KeyDestroyedError(f"the key of {subject} was destroyed")
        return key
