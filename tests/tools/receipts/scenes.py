"""What is tampered with: chains of two tenants over two keys, checkpoints, copies kept outside."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.tools.receipts.chains import NOON, SALT, Signed, arguments, open_ring
from tools.receipts.keys import Key, KeyRing
from tools.receipts.verify import Depth, Outside, Report, lines, verify_file
from tools.receipts.verify.journal import COMPARED, Journal

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Case:
    """Everything that a verification is given."""

    lines: tuple[bytes, ...]
    jwks: dict[str, Any]
    notes: tuple[str, ...] = ()
    rows: tuple[dict[str, Any], ...] | None = None

    def verify(self, file: Path, depth: Depth) -> Report:
        file.write_bytes(b"".join(self.lines))
        journal = None if self.rows is None else Journal.load(map(json.dumps, self.rows))
        return verify_file(file, json.dumps(self.jwks), Outside(self.notes, journal), depth)

    def put(self, place: int, *new: bytes) -> Case:
        """`new` lines instead of the one there."""
        return replace(self, lines=(*self.lines[:place], *new, *self.lines[place + 1 :]))

    def receipts(self, tenant: str | None = None) -> list[int]:
        """Places of the lines with receipts."""
        return [
            place
            for place, line in enumerate(self.lines)
            if line.startswith(b'{"receipt"') and tenant in (None, payload_of(line)["tenant"])
        ]

    def checkpoints(self) -> list[int]:
        return [i for i, line in enumerate(self.lines) if line.startswith(b'{"checkpoint"')]


@dataclass(frozen=True)
class Scene:
    """`case` holds; `heads` are notes over the whole of each chain, kept outside; `rows` the
    journal's dump."""

    case: Case
    heads: tuple[str, ...]
    rows: tuple[dict[str, Any], ...]
    ring: KeyRing
    stranger: Ed25519PrivateKey
    folder: Path

    def key(self, kid: str) -> Key:
        return self.ring.keys()[kid]

    def private(self, kid: str) -> Ed25519PrivateKey:
        private = self.key(kid).private
        assert private is not None
        return private


def build(folder: Path, rng: Random) -> Scene:
    """A scene of its own keys. Shape by `rng`: lengths, pace of checkpoints, interleaving."""
    ring = open_ring(folder / secrets.token_hex(8))
    ring.rotate(NOON, HOUR)
    chains = [Signed("acme", ring), Signed("globex.de", ring)]
    counts = [rng.randint(12, 20), rng.randint(2, 5)]
    every, interleaved = rng.choice((4, 8, 12)), rng.random() < 0.3
    written = [list(_lines(chain, n, every)) for chain, n in zip(chains, counts, strict=True)]
    parts = list(_interleave(*written)) if interleaved else [p for part in written for p in part]
    rows = tuple(row(line) for line in parts if line.startswith(b'{"receipt"'))
    case = Case(tuple(parts), ring.jwks())
    heads = tuple(chain.note() for chain in chains)
    return Scene(case, heads, rows, ring, Ed25519PrivateKey.generate(), folder)


def _lines(chain: Signed, count: int, every: int) -> Iterator[bytes]:
    """The second half under the key announced meanwhile."""
    for number in range(count):
        if number == count // 2:
            chain.now = NOON + HOUR
        yield lines.write("receipt", chain.receipt()).encode()
        if chain.seq % every == 0:
            yield lines.write("checkpoint", chain.note()).encode()


def _interleave(first: list[bytes], second: list[bytes]) -> Iterator[bytes]:
    for place, line in enumerate(first):
        yield line
        yield from second[place : place + 1]
    yield from second[len(first) :]


def row(line: bytes) -> dict[str, Any]:
    """The journal's side of a receipt."""
    payload = payload_of(line)
    seq = payload["seq"]
    kept = {name: payload[name] for name in ("tenant", "seq", *COMPARED)}
    return kept | {"salt": SALT, "args": arguments(seq)}


def jws_of(line: bytes) -> str:
    return str(json.loads(line)["receipt"])


def line_of(jws: str) -> bytes:
    return lines.write("receipt", jws).encode()


def payload_of(line: bytes) -> dict[str, Any]:
    return dict(json.loads(unb64(jws_of(line).split(".")[1])))


def header_of(line: bytes) -> dict[str, Any]:
    return dict(json.loads(unb64(jws_of(line).split(".")[0])))


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def dumps(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sealed(header: bytes, payload: bytes, private: Ed25519PrivateKey) -> bytes:
    """A line signed by whoever holds the key, right or not."""
    signed = f"{b64(header)}.{b64(payload)}"
    return line_of(f"{signed}.{b64(private.sign(signed.encode()))}")
