"""Receipts read strictly: one form of each, so that no byte can change unseen."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from .result import Failed, Flaw, InputError

ALG, TYPE, VERSION = "Ed25519", "rcpt", 1
LARGEST = 2**53 - 1
Payload = dict[str, Any]
FIELDS: Mapping[str, type] = {
    "action_id": str,
    "actor_ref": str,
    "approval_hash": str,
    "approver_refs": list,
    "args_commit": str,
    "digest": str,
    "effect_ref": str,
    "outcome": str,
    "policy_hash": str,
    "prev": str,
    "seq": int,
    "tenant": str,
    "tool": str,
    "tool_version": str,
    "ts": str,
    "undo_ref": str,
    "v": int,
}
"""In the order of RFC 8785."""
_NAMES, _TYPES = list(FIELDS), list(FIELDS.values())
_encode = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode


class Key(NamedTuple):
    kid: str
    raw: bytes
    public: Ed25519PublicKey


class Sealed(NamedTuple):
    """A receipt of the right form, its signature not yet checked."""

    payload: Payload
    key: Key
    signed: bytes
    signature: bytes

    def check(self) -> None:
        """Raises Flaw."""
        _check(self.key, self.signed, self.signature)


class Examined(NamedTuple):
    """A receipt with everything that is wrong with it by itself."""

    payload: Payload | None
    flaws: tuple[Flaw, ...]


def b64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def link(jws: bytes) -> str:
    """What the next receipt of the tenant carries as `prev`."""
    return b64url(sha256(jws).digest()).decode()


def load_keys(jwks: str) -> dict[str, Key]:
    """Keys by `kid`; keys of other kinds in the set are passed over. Raises InputError."""
    try:
        records = json.loads(jwks)["keys"]
        ours = [record for record in records if record.get("alg") == ALG]
        found = [_key(record) for record in ours]
    except (ValueError, KeyError, TypeError, AttributeError) as failure:
        raise InputError(f"the key set is not a JWKS with Ed25519 keys: {failure}") from failure
    if not found:
        raise InputError('the key set holds no key with "alg": "Ed25519"')
    return {key.kid: key for key in found}


def _key(record: Mapping[str, Any]) -> Key:
    if (record["kty"], record["crv"]) != ("OKP", ALG):
        raise ValueError("kty or crv is not that of an Ed25519 key")
    raw = base64.urlsafe_b64decode(record["x"] + "=" * (-len(record["x"]) % 4))
    thumbprint = _encode({"crv": ALG, "kty": "OKP", "x": record["x"]}).encode()
    if b64url(sha256(thumbprint).digest()).decode() != record["kid"]:
        raise ValueError(f"the kid {record['kid']} is not the thumbprint of its key (RFC 7638)")
    return Key(record["kid"], raw, Ed25519PublicKey.from_public_bytes(raw))


class Reader:
    """Reads receipts signed with these keys. The algorithm is the key's, never the header's."""

    def __init__(self, keys: Mapping[str, Key]) -> None:
        self._headers = {_header(kid): key for kid, key in keys.items()}
        self._keys = keys

    def read(self, jws: bytes) -> Sealed:
        """Raises Flaw with the first thing that is wrong."""
        header, body, signature = _segments(jws)
        key = self._headers.get(header) or self._refuse(header)
        payload = _payload(_decode(body))
        return Sealed(payload, key, jws[: -1 - len(signature)], _decode(signature))

    def examine(self, jws: bytes) -> Examined:
        """All that is wrong, the signature included."""
        try:
            sealed = self.read(jws)
            sealed.check()
        except Flaw as first:
            return Examined(None, (first, *self._also(jws, first)))
        return Examined(sealed.payload, ())

    def _also(self, jws: bytes, first: Flaw) -> tuple[Flaw, ...]:
        """A form that changed under a signature: whether the signature still holds."""
        if first.failed is not Failed.NOT_CANONICAL:
            return ()
        head, _, signature = jws.rpartition(b".")
        key = self._headers.get(head.partition(b".")[0])
        try:
            if key is not None:
                _check(key, head, _lenient(signature))
        except Flaw as second:
            return (second,)
        return ()

    def _refuse(self, header: bytes) -> Key:
        record = _object(_decode(header), "the header")
        kid = record.get("kid")
        if isinstance(kid, str) and kid not in self._keys:
            raise Flaw(Failed.UNKNOWN_KEY, f"no key {kid!r} in the key set")
        raise Flaw(
            Failed.NOT_CANONICAL, f'the header is not exactly alg {ALG}, its kid, typ "{TYPE}"'
        )


def _header(kid: str) -> bytes:
    return b64url(_encode({"alg": ALG, "kid": kid, "typ": TYPE}).encode())


def _segments(jws: bytes) -> tuple[bytes, bytes, bytes]:
    segments = jws.split(b".")
    if len(segments) != 3:  # noqa: PLR2004  # header, payload, signature
        raise Flaw(Failed.NOT_CANONICAL, "not a compact JWS of three segments")
    return segments[0], segments[1], segments[2]


def _payload(data: bytes) -> Payload:
    payload = _object(data, "the payload")
    if list(payload) != _NAMES or list(map(type, payload.values())) != _TYPES:
        raise Flaw(Failed.NOT_CANONICAL, "the payload has not exactly the fields of a receipt")
    if payload["v"] != VERSION:
        raise Flaw(Failed.NOT_CANONICAL, f"a receipt of version {payload['v']}, not {VERSION}")
    approvers = set(map(type, payload["approver_refs"]))
    if not 1 <= payload["seq"] <= LARGEST or not approvers <= {str}:
        raise Flaw(Failed.NOT_CANONICAL, "seq or approver_refs is not as a receipt has it")
    return payload


def _object(data: bytes, what: str) -> Payload:
    """RFC 8785: whatever does not come out again byte by byte was not canonical."""
    try:
        text = data.decode()
        value = json.loads(text)
        canonical = type(value) is dict and _encode(value) == text
    except (ValueError, RecursionError):
        canonical, value = False, {}
    if not canonical:
        raise Flaw(Failed.NOT_CANONICAL, f"{what} is not canonical JSON (RFC 8785)")
    return value  # type: ignore[no-any-return]  # a dict, looked at above


def _decode(segment: bytes) -> bytes:
    data = _lenient(segment)
    if b64url(data) != segment:
        raise Flaw(Failed.NOT_CANONICAL, "base64url that no encoder writes")
    return data


def _lenient(segment: bytes) -> bytes:
    try:
        return base64.urlsafe_b64decode(segment.rstrip(b"=") + b"=" * (-len(segment) % 4))
    except binascii.Error:
        return b""


def _check(key: Key, signed: bytes, signature: bytes) -> None:
    try:
        key.public.verify(signature, signed)
    except InvalidSignature:
        raise Flaw(Failed.BAD_SIGNATURE, f"not signed by the key {key.kid}") from None
