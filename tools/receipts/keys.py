"""The ring of Ed25519 keys that sign receipts and checkpoints: a folder, one file a key.

    rotate ─> announced (in the JWKS, signs from a set time) ─> signs ─> superseded ─> public only

A key is announced before it signs, so that whoever keeps a copy of the JWKS has it in time. Public
halves stay for ever: receipts outlive the keys that signed them. Files are replaced, never changed
in place; a running server notices the rotation that a command did beside it.
"""

from __future__ import annotations

import base64
import json
import os
import stat
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from pydantic import JsonValue

ALG = "Ed25519"
"""RFC 9864; the older name `EdDSA` is refused everywhere."""
SUFFIX = ".jwk.json"
PUBLIC_MEMBERS = ("kty", "crv", "x", "kid", "alg", "use")
_SETTLED_NS = 10**9
"""A folder that changed less than this ago may change again without another time of change."""
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class KeyRingError(Exception):
    """A key cannot be used; says which file, and what to do."""


@dataclass(frozen=True, slots=True)
class Key:
    """`private` is None once the key was superseded and its private half deleted."""

    kid: str
    alg: str
    public: Mapping[str, JsonValue]  # the JWK as published
    signs_from: datetime
    private: Ed25519PrivateKey | None

    @property
    def raw(self) -> bytes:
        """The public half, 32 bytes."""
        return base64.urlsafe_b64decode(f"{self.public['x']}=")


class _Seen(NamedTuple):
    stamp: int
    keys: Mapping[str, Key]


class KeyRing:
    """Keys of one folder. Safe to use from several threads and processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen = _Seen(0, {})

    @classmethod
    def open(cls, folder: Path, now: datetime) -> KeyRing:
        """The ring in this folder, made with a first key when there is none.

        Raises KeyRingError when a file is damaged or others may read it.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        ring = cls(folder)
        if not ring.keys():
            ring._add(now)
        return ring

    def keys(self) -> Mapping[str, Key]:
        """By `kid`, in the order in which they sign. Raises KeyRingError."""
        try:
            stamp = self._folder.stat().st_mtime_ns
            if stamp != self._seen.stamp:
                self._seen = self._read(stamp)
        except OSError as failure:
            raise KeyRingError(f"{self._folder}: {failure.strerror}; restore the keys") from failure
        return self._seen.keys

    def _read(self, stamp: int) -> _Seen:
        _refuse_others(self._folder)
        found = [_read(file) for file in self._folder.glob(f"*{SUFFIX}")]
        found.sort(key=lambda key: (key.signs_from, key.kid))
        fresh = time.time_ns() - stamp < _SETTLED_NS
        return _Seen(0 if fresh else stamp, {key.kid: key for key in found})

    def signer(self, now: datetime) -> Key:
        """The key that signs now. Raises KeyRingError when there is none."""
        for key in reversed(list(self.keys().values())):
            if key.private is not None and key.signs_from <= now:
                return key
        raise KeyRingError(
            f"{self._folder}: no key may sign yet; `embark receipts rotate` adds one"
        )

    def rotate(self, now: datetime, overlap: timedelta) -> Key:
        """Announce a new key that signs after `overlap`.

        Private halves of keys superseded at least that long ago are deleted.
        """
        current = self.signer(now)
        added = self._add(now + overlap)
        for key in self.keys().values():
            superseded = key.signs_from < current.signs_from <= now - overlap
            if key.private is not None and superseded:
                self._write(_record(key.public, key.signs_from))
        return added

    def jwks(self) -> dict[str, JsonValue]:
        """RFC 7517, public halves alone, retired ones included."""
        return {"keys": [dict(key.public) for key in self.keys().values()]}

    def _add(self, signs_from: datetime) -> Key:
        made = OKPKey.generate_key("Ed25519", private=True)
        kid = made.thumbprint()
        private: dict[str, JsonValue] = {
            name: str(v) for name, v in made.as_dict(private=True).items()
        }
        private |= {"kid": kid, "alg": ALG, "use": "sig"}
        self._write(_record(private, signs_from))
        return self.keys()[kid]

    def _write(self, record: Mapping[str, JsonValue]) -> None:
        """Durable before it is used: a receipt whose key is lost could never be verified."""
        target = self._folder / f"{record['kid']}{SUFFIX}"
        draft = target.with_suffix(".draft")
        draft.unlink(missing_ok=True)
        file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(file, "w") as stream:
            stream.write(json.dumps(record, indent=2) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(target)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _record(jwk: Mapping[str, JsonValue], signs_from: datetime) -> dict[str, JsonValue]:
    return {**jwk, "signs_from": signs_from.isoformat()}


def _read(file: Path) -> Key:
    _refuse_others(file)
    try:
        record = json.loads(file.read_text())
        signs_from = datetime.fromisoformat(record.pop("signs_from"))
        jwk = OKPKey.import_key(record)
        kid, alg = record["kid"], record["alg"]
    except (ValueError, KeyError, TypeError, AttributeError, JoseError) as failure:
        raise KeyRingError(f"{file}: not a key of ours ({failure}); restore it") from failure
    if kid != jwk.thumbprint() or alg != ALG or jwk.curve_name != "Ed25519":
        raise KeyRingError(f"{file}: kid, alg or curve is not that of the key; restore the file")
    private = jwk.private_key if jwk.is_private else None
    if not (private is None or isinstance(private, Ed25519PrivateKey)):
        raise KeyRingError(f"{file}: not an Ed25519 key; restore the file")
    public = {name: record[name] for name in PUBLIC_MEMBERS}
    return Key(kid, alg, public, signs_from, private)


def _refuse_others(path: Path) -> None:
    mode = path.stat().st_mode
    if mode & _OTHERS:
        wanted = "700" if stat.S_ISDIR(mode) else "600"
        raise KeyRingError(f"{path}: others may read the signing keys; chmod {wanted} {path}")
