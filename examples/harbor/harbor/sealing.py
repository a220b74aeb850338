"""Secrets at rest: a key per workspace."""

from __future__ import annotations

import base64
import hashlib

from cryptography.fernet import Fernet


def _key(workspace: str) -> Fernet:
    seed = hashlib.sha256(f"harbor-sandbox:{workspace}".encode()).digest()
    return Fernet(base64.urlsafe_b64encode(seed))


def seal(workspace: str, plain: str) -> str:
    return _key(workspace).encrypt(plain.encode()).decode()


def unseal(workspace: str, sealed: str) -> str:
    return _key(workspace).decrypt(sealed.encode()).decode()
