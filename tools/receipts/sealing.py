"""Payload -> compact JWS, byte for byte what joserfc makes, without its cost per signature."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache

from pydantic import JsonValue
from typing_extensions import override

from tools.canonical import b64url, canonical
from tools.journal import JournalUnavailableError, Sealer
from tools.receipts.keys import KeyRing, KeyRingError

TYPE = "rcpt"


class JwsSealer(Sealer):
    """Signs with the key of the ring that signs now. Safe to use from several threads."""

    def __init__(self, ring: KeyRing, clock: Callable[[], datetime]) -> None:
        self._ring = ring
        self._clock = clock

    @override
    def seal(self, payload: Mapping[str, JsonValue]) -> str:
        """Raises NotCanonicalError; JournalUnavailableError while no key can sign: without its
        receipt nothing is written, and it is tried again."""
        try:
            key = self._ring.signer(self._clock())
        except KeyRingError as failure:
            raise JournalUnavailableError(f"receipts cannot be signed: {failure}") from failure
        if key.private is None:
            raise JournalUnavailableError(f"the key {key.kid} has no private half; rotate")
        signed = f"{header(key.alg, key.kid)}.{b64url(canonical(payload))}"
        return f"{signed}.{b64url(key.private.sign(signed.encode()))}"


@lru_cache(maxsize=64)
def header(alg: str, kid: str) -> str:
    """The protected header, encoded; nothing else may stand in it."""
    return b64url(canonical({"alg": alg, "kid": kid, "typ": TYPE}))
