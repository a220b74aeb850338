"""Checkpoints as text: C2SP signed note around origin, size and Merkle root.

    embark/receipts/TENANT
    256
    ROOT in base64
                                      (an empty line)
    — embark/receipts/TENANT SIGNATURE in base64

The signature is over everything above the empty line. The first four bytes of its base64 are the
key id: SHA-256 of name, line feed, 0x01 for Ed25519, public key.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import quote, unquote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from .result import Failed, Flaw

ORIGIN = "embark/receipts"
_ED25519 = b"\x01"
_KEY_ID_BYTES = 4
_ROOT_BYTES = 32
_BODY = re.compile(r"([^\s+]+)\n(0|[1-9][0-9]{0,15})\n([A-Za-z0-9+/]{43}=)\n")
_SIGNATURE = re.compile(r"— ([^\s+]+) ([A-Za-z0-9+/]+={0,2})")


class Checkpoint(NamedTuple):
    tenant: str
    size: int
    root: bytes


def origin_of(tenant: str) -> str:
    """The name of a tenant's log, which is also the name of its key."""
    return f"{ORIGIN}/{quote(tenant, safe='')}"


def key_id(origin: str, public: bytes) -> bytes:
    return sha256(origin.encode() + b"\n" + _ED25519 + public).digest()[:_KEY_ID_BYTES]


def write(checkpoint: Checkpoint, public: bytes, sign: Callable[[bytes], bytes]) -> str:
    """The note, signed."""
    origin = origin_of(checkpoint.tenant)
    root = base64.b64encode(checkpoint.root).decode()
    body = f"{origin}\n{checkpoint.size}\n{root}\n"
    signature = base64.b64encode(key_id(origin, public) + sign(body.encode())).decode()
    return f"{body}\n— {origin} {signature}\n"


def read(note: str, keys: Mapping[str, bytes]) -> Checkpoint:
    """The checkpoint that one of these public keys signed; other signatures are passed over, as
    the note's standard wants, so witnesses may add theirs. Raises Flaw."""
    body, blank, signatures = note.partition("\n\n")
    found = _BODY.fullmatch(f"{body}\n")
    if not blank or found is None:
        raise Flaw(Failed.NOT_CANONICAL, "not a checkpoint: origin, size, root, signature")
    origin, size, root = found.groups()
    checkpoint = Checkpoint(_tenant(origin), int(size), _strict(root))
    if not _signed(f"{body}\n".encode(), origin, signatures, keys):
        raise Flaw(Failed.UNKNOWN_KEY, f"no known key signed the checkpoint of {origin}")
    return checkpoint


def _tenant(origin: str) -> str:
    tenant = unquote(origin.removeprefix(f"{ORIGIN}/"))
    if not tenant or origin_of(tenant) != origin:
        raise Flaw(Failed.NOT_CANONICAL, f"{origin!r} is not {ORIGIN}/ and a tenant's id")
    return tenant


def _signed(body: bytes, origin: str, signatures: str, keys: Mapping[str, bytes]) -> bool:
    """Whether a known key signed it. Raises Flaw when one is named and did not."""
    by_id = {key_id(origin, public): public for public in keys.values()}
    signed = False
    for line in signatures.removesuffix("\n").split("\n"):
        found = _SIGNATURE.fullmatch(line)
        if found is None:
            raise Flaw(Failed.NOT_CANONICAL, "a signature line is not `— NAME BASE64`")
        raw = _strict(found[2])
        public = by_id.get(raw[:_KEY_ID_BYTES]) if found[1] == origin else None
        if public is not None:
            _check(public, raw[_KEY_ID_BYTES:], body)
            signed = True
    return signed


def _check(public: bytes, signature: bytes, body: bytes) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, body)
    except InvalidSignature:
        raise Flaw(Failed.BAD_SIGNATURE, "the checkpoint's signature does not hold") from None


def _strict(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error:
        data = b""
    if base64.b64encode(data).decode() != text:
        raise Flaw(Failed.NOT_CANONICAL, "base64 that no encoder writes")
    return data
