"""The cryptography of a vault, over keys that somebody else keeps.

master key -HKDF-> tenant key -AES-GCM-> subject's key -AES-GCM-> content
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tools.canonical import b64url, canonical

KEY_BYTES = 32
NONCE_BYTES = 12  # NIST SP 800-38D: 96 bits, drawn at random below 2^32 messages a key


class Wrapping:
    """`master` is 32 bytes that lie outside the database. Raises ValueError otherwise."""

    def __init__(
        self, master: bytes, entropy: Callable[[int], bytes] = secrets.token_bytes
    ) -> None:
        if len(master) != KEY_BYTES:
            raise ValueError(f"the master key has {len(master)} bytes; make it {KEY_BYTES}")
        self._master = master
        self._entropy = entropy

    def new_key(self) -> bytes:
        return self._entropy(KEY_BYTES)

    def wrap(self, tenant: str, subject: str, key: bytes) -> bytes:
        return self.seal(self._of_tenant(tenant), (tenant, subject, "key"), key)

    def unwrap(self, tenant: str, subject: str, wrapped: bytes) -> bytes:
        return self.open(self._of_tenant(tenant), (tenant, subject, "key"), wrapped)

    def seal(self, key: bytes, place: tuple[str, str, str], plain: bytes) -> bytes:
        nonce = self._entropy(NONCE_BYTES)
        return nonce + AESGCM(key).encrypt(nonce, plain, _authenticated(place))

    def open(self, key: bytes, place: tuple[str, str, str], sealed: bytes) -> bytes:
        nonce, ciphertext = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        try:
            return AESGCM(key).decrypt(nonce, ciphertext, _authenticated(place))
        except (InvalidTag, ValueError) as failure:
            raise ValueError(f"what is sealed for {place[2]} was changed") from failure

    def mac(self, key: bytes, data: bytes) -> str:
        return b64url(hmac.new(_derived(key, b"mac"), data, hashlib.sha256).digest())

    def _of_tenant(self, tenant: str) -> bytes:
        return _derived(self._master, b"tenant " + tenant.encode())


def _authenticated(place: tuple[str, str, str]) -> bytes:
    """Tenant, subject and context, so framed that no two places read the same."""
    return canonical(list(place))


def _derived(key: bytes, purpose: bytes) -> bytes:
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=b"embark vault " + purpose).derive(key)
