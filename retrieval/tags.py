"""master key -> tenant key -> the tag of a point: proof that this version was built to hold it so.

A tag covers the index version, the point's id, and the labels that decide who may read it, under a
key of the tenant. A point of another tenant or version, or one whose labels were changed where it
is stored, carries none that fits.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from operator import itemgetter

import orjson
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from retrieval.types import LABEL_FIELDS

CHUNK = "chunk"
"""Payload field that holds the chunk id."""
TENANT = "tenant"
TAG = "tag"
"""Payload field that holds the tag."""
COVERED = (CHUNK, TENANT, *LABEL_FIELDS)
"""Payload fields that a tag is made of."""
KEY_BYTES = 32
TAG_BYTES = 16  # RFC 2104 asks for half the hash or more

_covered = itemgetter(*COVERED)

Payload = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Tags:
    """The tags of one index version. Thread-safe."""

    version: str
    _master: bytes = field(repr=False)
    _keys: dict[str, bytes] = field(default_factory=dict, repr=False)

    def tag(self, payload: Payload) -> str:
        """Of a payload that has the fields of `COVERED`. Raises KeyError."""
        covered = orjson.dumps((self.version, *_covered(payload)))
        return hmac.digest(self._key(str(payload[TENANT])), covered, "sha256")[:TAG_BYTES].hex()

    def holds(self, payload: Payload) -> bool:
        """Whether the payload carries the tag that fits it."""
        given = payload.get(TAG)
        try:
            return isinstance(given, str) and hmac.compare_digest(
                given.encode(), self.tag(payload).encode()
            )
        except KeyError:  # a field that the tag covers is gone
            return False

    def _key(self, tenant: str) -> bytes:
        key = self._keys.get(tenant)
        if key is None:
            info = b"embark index tenant " + tenant.encode()
            key = HKDF(SHA256(), KEY_BYTES, salt=None, info=info).derive(self._master)
            self._keys[tenant] = key
        return key


TagsOf = Callable[[str], Tags]
"""Version -> its tags. May read the key when it is first called."""


def tags_under(master: bytes) -> TagsOf:
    """`master` is 32 bytes that lie outside the index. Raises ValueError otherwise."""
    if len(master) != KEY_BYTES:
        raise ValueError(f"the key of the index has {len(master)} bytes; make it {KEY_BYTES}")
    keys: dict[str, bytes] = {}
    return lambda version: Tags(version, master, keys)
